//! The page that a browser opens: one document with its style and its script in it, so that one answer is all of it and
//! the content security policy can name exactly what may run, by its hash.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::wire::request::Request;
use crate::wire::response::{Response, Status};

const DOCUMENT: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Where style and script stand in the document.
const STYLE_MARK: &str = "/* page.css */";
const SCRIPT_MARK: &str = "/* page.js */";

/// The page, put together once.
#[derive(Debug)]
pub(super) struct Page {
    document: String,
    policy: String,
    etag: String,
}

impl Page {
    /// The page of this version.
    pub(super) fn new() -> Self {
        let style = tightened(&without_comments(STYLE), STYLE_BLANKS);
        let script = tightened(&without_comments(SCRIPT), SCRIPT_BLANKS);
        // Nothing from elsewhere, no other script, no markup made of text, and connections only to where it came from.
        let policy = format!(
            "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; connect-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
            source_hash(&script),
            source_hash(&style)
        );
        let document = without_comments(DOCUMENT).replace(STYLE_MARK, &style).replace(SCRIPT_MARK, &script);
        // The policy depends on the document alone, so what identifies one identifies both.
        let etag = format!("\"{}\"", BASE64_STANDARD.encode(digest(&SHA256, document.as_bytes())));
        Self { document, policy, etag }
    }

    /// The answer to a request for the page: the page, or 304 to whoever has it already.
    pub(super) fn answer(&self, request: &Request<'_>) -> Response {
        let response = if self.is_known(request) {
            Response::not_modified()
        } else {
            Response::page(Status::Ok, "text/html; charset=utf-8", self.document.clone().into_bytes())
        };
        response
            .with_header("ETag", self.etag.clone())
            // It may be kept, but not used without asking whether it is still the one.
            .with_header("Cache-Control", "no-cache")
            .with_header("Content-Security-Policy", self.policy.clone())
            .with_header("Referrer-Policy", "no-referrer")
            .with_header("Cross-Origin-Resource-Policy", "same-origin")
    }

    /// Does `If-None-Match` name this page? Weak tags count too (RFC 9110 section 13.1.2).
    fn is_known(&self, request: &Request<'_>) -> bool {
        request.elements("if-none-match").any(|known| {
            let tag = known.strip_prefix(b"W/").unwrap_or(known);
            tag == b"*" || tag == self.etag.as_bytes()
        })
    }
}

/// What a policy calls a piece of style or script (CSP level 3 section 2.3.1).
fn source_hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes())))
}

/// The text without indentation, blank lines and lines that are nothing but a comment: those are for us.
fn without_comments(text: &str) -> String {
    let is_comment = |line: &str| line.starts_with("//") || (line.starts_with("/*") && line.ends_with(". */"));
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !is_comment(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// Blanks that only people need. No text in quotes has such a blank in it.
const STYLE_BLANKS: &[(&str, &str)] =
    &[("\n", " "), ("; ", ";"), (": ", ":"), (" { ", "{"), (" }", "}"), ("} ", "}"), (", ", ",")];
const SCRIPT_BLANKS: &[(&str, &str)] =
    &[(" = ", "="), (" => ", "=>"), (" === ", "==="), (" !== ", "!=="), (" && ", "&&"), (" || ", "||")];

/// The text without these blanks.
fn tightened(text: &str, blanks: &[(&str, &str)]) -> String {
    blanks.iter().fold(text.to_owned(), |text, (loose, tight)| text.replace(loose, tight))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::request::{HeadLimits, Parsed, parse};

    /// What the page may weigh, in bytes.
    const WEIGHT_MAX: usize = 30 * 1024;

    fn answer(page: &Page, lines: &str) -> String {
        let head = format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        let Ok(Parsed::Complete { request, .. }) = parse(head.as_bytes(), HeadLimits { bytes: 8192, headers: 64 })
        else {
            panic!("no request: {head}");
        };
        String::from_utf8(page.answer(&request).render()).unwrap()
    }

    #[test]
    fn style_and_script_stand_in_the_document_as_their_hashes_say() {
        let page = Page::new();
        for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
            let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
            assert_eq!((page.document.matches(&open).count(), page.document.matches(&close).count()), (1, 1), "{tag}");
            let (_, rest) = page.document.split_once(&open).unwrap();
            let (inside, _) = rest.split_once(&close).unwrap();
            assert!(inside.len() > 1_000, "{tag} is not in the document");
            let allowed = format!("{directive} '{}';", source_hash(inside));
            assert!(page.policy.contains(&allowed), "{allowed} is not in {}", page.policy);
        }
        for mark in [STYLE_MARK, SCRIPT_MARK] {
            assert!(DOCUMENT.contains(mark) && !page.document.contains(mark), "{mark}");
        }
    }

    #[test]
    fn the_page_is_light() {
        let weight = Page::new().document.len();
        assert!(weight <= WEIGHT_MAX, "the page weighs {weight} bytes, {WEIGHT_MAX} are the limit");
    }

    #[test]
    fn nothing_comes_from_elsewhere_and_no_text_becomes_markup() {
        let page = Page::new();
        for word in ["https://", "//cdn", "@import", "url(", " style=", " onclick=", "innerHTML", "insertAdjacentHTML"]
        {
            assert!(!page.document.contains(word), "{word}");
        }
        // The name of the vector format in the icon is all that looks like an address.
        let addresses = page.document.matches("http://").count();
        assert_eq!(addresses, page.document.matches("http://www.w3.org/2000/svg").count());
        for word in ["unsafe", "*", "http"] {
            assert!(!page.policy.contains(word), "{word} in {}", page.policy);
        }
    }

    #[test]
    fn who_has_the_page_already_gets_304() {
        let page = Page::new();
        let first = answer(&page, "");
        assert!(first.starts_with("HTTP/1.1 200 OK\r\n") && first.ends_with("</html>"), "{first}");
        assert!(first.contains("\r\nCache-Control: no-cache\r\n"), "{first}");
        let etag = &page.etag;
        assert!(first.contains(&format!("\r\nETag: {etag}\r\n")), "{first}");
        for known in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
            let second = answer(&page, &format!("If-None-Match: {known}\r\n"));
            assert!(second.starts_with("HTTP/1.1 304 Not Modified\r\n") && second.ends_with("\r\n\r\n"), "{second}");
            assert!(second.contains(&format!("\r\nETag: {etag}\r\n")), "{second}");
            assert!(!second.contains("\r\nContent-Length") && !second.contains("\r\nContent-Type"), "{second}");
        }
        for unknown in ["\"x\"", "x", etag.trim_matches('"'), ""] {
            let other = answer(&page, &format!("If-None-Match: {unknown}\r\n"));
            assert!(other.starts_with("HTTP/1.1 200 OK\r\n"), "{unknown}: {other}");
        }
    }

    #[test]
    fn comments_and_indentation_stay_at_home() {
        assert_eq!(
            without_comments("\n  a;\n\n  // why\n    b; // c\n/* A part. */\n/* mark */"),
            "a;\nb; // c\n/* mark */"
        );
        assert_eq!(tightened("a, b { c: d; e: calc(1px + 2px) }", STYLE_BLANKS), "a,b{c:d;e:calc(1px + 2px)}");
        assert_eq!(tightened("a = (b) => b === c && d + 1;", SCRIPT_BLANKS), "a=(b)=>b===c&&d + 1;");
        // What the page says, a line each in two languages, is as it was.
        let is_text = |line: &&str| line.split_once('|').is_some_and(|(key, _)| key.chars().all(char::is_alphabetic));
        let script = without_comments(SCRIPT);
        let texts: Vec<_> = script.lines().filter(is_text).collect();
        assert!(texts.len() > 40, "{texts:?}");
        for text in texts {
            assert_eq!(tightened(text, SCRIPT_BLANKS), text);
        }
    }
}
