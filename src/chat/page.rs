//! The page that a browser opens: a plain one on the text protocol. Its script is a file of its own, so that the content
//! security policy can forbid everything inline.

use crate::wire::response::{Response, Status};

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");
/// Nothing from elsewhere, nothing inline but the page's style, connections only to where it came from.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page at `path`, if there is one.
pub(super) fn find(path: &str) -> Option<Response> {
    match path {
        "/" => Some(Response::page(Status::Ok, "text/html; charset=utf-8", PAGE.as_bytes())),
        "/chat.js" => Some(Response::page(Status::Ok, "text/javascript; charset=utf-8", SCRIPT.as_bytes())),
        _ => None,
    }
    .map(|page| page.with_header("Content-Security-Policy", POLICY).with_header("Referrer-Policy", "no-referrer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_loads_only_what_there_is() {
        assert!(PAGE.contains("src=\"/chat.js\"") && find("/chat.js").is_some());
        assert!(!PAGE.contains("http://") && !PAGE.contains("https://"));
        assert!(find("/other").is_none());
    }
}
