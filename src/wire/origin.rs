//! The `Origin` rule: a page may connect only from this host or from one the operator listed.
//!
//! Browsers let any page open a WebSocket to any server and send that server's cookies along, so
//! this check is what keeps foreign pages out (RFC 6455 section 10.2). Nothing here matches by
//! prefix or suffix: look-alike hosts live on exactly that.

use super::authority::Authority;

/// Decides whether a request with this `Origin` and this `Host` may come in.
///
/// No `Origin` is fine, since only browsers send one. A present one must be the host itself over
/// `http` or `https`, or equal to an entry of `allowed` (ASCII case aside). `null` never passes: every
/// sandboxed frame and every local file has it, so allowing it would allow everybody.
///
/// # Errors
/// The detail for the log, on one line and in printable ASCII: origin, host, and the configuration
/// line that would let the origin in.
pub fn check(origin: Option<&str>, host: &str, allowed: &[String]) -> Result<(), String> {
    let Some(origin) = origin else {
        return Ok(());
    };
    if origin.eq_ignore_ascii_case("null") {
        return Err(format!(
            "origin null (a local file or a sandboxed frame) cannot be allowed on host \"{}\"; serve the page over http",
            shown(host)
        ));
    }
    let listed = allowed.iter().any(|entry| entry.eq_ignore_ascii_case(origin));
    if listed || is_own_host(origin, host) {
        return Ok(());
    }
    Err(detail(origin, host))
}

/// Whether `origin` is a page this very host served, as far as `Host` can tell.
fn is_own_host(origin: &str, host: &str) -> bool {
    let (Some((scheme, page)), Some(host)) = (split(origin), Authority::parse(host)) else {
        return false;
    };
    let default_port = if scheme.eq_ignore_ascii_case("http") {
        80
    } else if scheme.eq_ignore_ascii_case("https") {
        443
    } else {
        return false;
    };
    let page_port = page.port.unwrap_or(default_port);
    // Behind a proxy that ends TLS we do not know the scheme, so a `Host` without a port stands
    // for the default port of whichever of the two schemes the page came by.
    page.has_host_of(&host) && page_port == host.port.unwrap_or(default_port)
}

/// Takes apart `scheme://host[:port]`, the only shape an origin has (RFC 6454 section 6.2).
fn split(origin: &str) -> Option<(&str, Authority<'_>)> {
    let (scheme, authority) = origin.split_once("://")?;
    Some((scheme, Authority::parse(authority)?))
}

fn detail(origin: &str, host: &str) -> String {
    let (shown_origin, shown_host) = (shown(origin), shown(host));
    // A line that can be pasted is offered only for what a browser can really send; the
    // operator should not be led to allow `http://own-host@evil`.
    if split(origin).is_some() && origin.len() <= SHOWN_BYTES_MAX {
        format!(
            "origin \"{shown_origin}\" is not host \"{shown_host}\" and not listed; to allow it: allowed_origins = [\"{}\"]",
            shown_origin.to_ascii_lowercase()
        )
    } else {
        format!(
            "origin \"{shown_origin}\" is not of the form scheme://host[:port] (host \"{shown_host}\"); \
             allowed_origins = [\"https://host:port\"] takes that form only"
        )
    }
}

/// `text` in printable ASCII and of bounded length, fit to stand between quotes in a log line.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_BYTES_MAX).flat_map(char::escape_default).collect();
    if text.len() > SHOWN_BYTES_MAX {
        shown.push_str("...");
    }
    shown
}

/// The longest origin shown whole: a DNS name has at most 253 bytes, and few are half as long.
const SHOWN_BYTES_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(origin: &str, host: &str) -> bool {
        let allowed = ["https://app.example".to_owned(), "http://LAN.example:3000".to_owned()];
        check(Some(origin), host, &allowed).is_ok()
    }

    #[test]
    fn own_host_and_listed_origins_pass() {
        for (origin, host) in [
            ("http://h", "h"),
            ("http://h", "h:80"),
            ("http://h:80", "h"),
            ("https://h", "h"),
            ("https://h", "h:443"),
            ("http://h:8080", "h:8080"),
            ("https://h:8080", "h:8080"),
            ("HTTP://EXAMPLE.com:8080", "example.COM:8080"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("https://[FE80::1]", "[fe80::1]"),
            ("https://app.example", "h:8080"),
            ("HTTPS://App.Example", "h:8080"),
            ("http://lan.example:3000", "h"),
        ] {
            assert!(passes(origin, host), "{origin} on {host}");
        }
        assert_eq!(check(None, "h", &[]), Ok(()));
    }

    #[test]
    fn everything_else_is_refused() {
        for (origin, host) in [
            ("null", "h"),
            ("NULL", "h"),
            ("", "h"),
            ("h", "h"),
            ("http://evil-example.com", "example.com"),
            ("http://example.com.evil", "example.com"),
            ("http://example.com@evil", "example.com"),
            ("http://evil@example.com", "example.com"),
            ("http://sub.example.com", "example.com"),
            ("http://example.com", "sub.example.com"),
            ("http://example.com.", "example.com"),
            ("http://h:8081", "h:8080"),
            ("http://h", "h:8080"),
            ("http://h", "h:443"),
            ("https://h", "h:80"),
            ("https://h:80", "h"),
            ("http://h:443", "h"),
            ("ws://h", "h"),
            ("ftp://h", "h"),
            ("http://h/", "h"),
            ("http://h/x", "h"),
            ("http://[::1]:8080", "[::2]:8080"),
            ("http://h", ""),
            ("http://", ""),
            ("http://app.example", "h"),
            ("https://app.example:444", "h"),
            ("https://sub.app.example", "h"),
            ("https://app.example/", "h"),
            ("http://lan.example", "h"),
        ] {
            assert!(!passes(origin, host), "{origin} on {host}");
        }
    }

    #[test]
    fn null_stays_out_even_when_listed() {
        let detail = check(Some("null"), "h", &["null".to_owned()]).unwrap_err();
        assert!(detail.contains("null") && detail.contains("\"h\""), "{detail}");
    }

    #[test]
    fn the_detail_names_origin_host_and_the_line_to_add() {
        let detail = check(Some("https://Chat.example:444"), "10.0.0.1:8080", &[]).unwrap_err();
        assert!(detail.contains("\"https://Chat.example:444\""), "{detail}");
        assert!(detail.contains("\"10.0.0.1:8080\""), "{detail}");
        assert!(detail.contains("allowed_origins = [\"https://chat.example:444\"]"), "{detail}");
    }

    #[test]
    fn the_detail_is_one_bounded_printable_line() {
        for origin in ["http://a\r\nb\u{7}\u{e9}\"\\".to_owned(), format!("http://{}", "a".repeat(9000))] {
            let detail = check(Some(&origin), "h\n", &[]).unwrap_err();
            assert!(detail.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{detail}");
            assert!(detail.len() < 600, "{}", detail.len());
        }
    }
}
