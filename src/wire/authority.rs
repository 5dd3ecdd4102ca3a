//! `host[:port]` as it stands in `Host`, in an absolute request target and in `Origin`.

use std::net::Ipv6Addr;

/// A host and, if written, its port (RFC 3986 section 3.2, without the user part).
///
/// Borrowed from the text it was parsed from; IPv6 literals keep their brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority<'a> {
    /// Name, IPv4 address or bracketed IPv6 address, in the letter case it came in.
    pub host: &'a str,
    /// `None` when there is no port, or a colon without digits, which RFC 3986 calls equal.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Parses the whole of `text`; `None` when any part of it does not belong in an authority.
    ///
    /// A user part (`name@`) is refused: RFC 9110 section 4.2.4 has it treated as an error, since
    /// its only use in practice is to make a foreign host look like a known one.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (host, tail) = if text.starts_with('[') {
            let end = text.find(']')?.checked_add(1)?;
            let (literal, tail) = text.split_at_checked(end)?;
            let address = literal.strip_prefix('[')?.strip_suffix(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (literal, tail)
        } else {
            let end = text.find(':').unwrap_or(text.len());
            let (name, tail) = text.split_at_checked(end)?;
            if name.is_empty() || !name.bytes().all(is_name_byte) {
                return None;
            }
            (name, tail)
        };
        Some(Self { host, port: parse_port(tail)? })
    }

    /// Whether both name the same host; names are case-insensitive (RFC 3986 section 3.2.2).
    pub fn has_host_of(&self, other: &Authority<'_>) -> bool {
        self.host.eq_ignore_ascii_case(other.host)
    }
}

/// Reads an empty tail or `:digits`; the outer `None` means "malformed".
fn parse_port(tail: &str) -> Option<Option<u16>> {
    if tail.is_empty() {
        return Some(None);
    }
    let digits = tail.strip_prefix(':')?;
    if digits.is_empty() {
        return Some(None);
    }
    // `u16::from_str` would take a leading plus sign, which no port has.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Some)
}

/// `unreserved`, `pct-encoded` and `sub-delims` of RFC 3986 section 3.2.2.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_authorities_keep_host_and_port() {
        for (text, host, port) in [
            ("example.com", "example.com", None),
            ("Example.COM:8080", "Example.COM", Some(8080)),
            ("h:", "h", None),
            ("127.0.0.1:80", "127.0.0.1", Some(80)),
            ("[::1]", "[::1]", None),
            ("[fe80::1]:65535", "[fe80::1]", Some(65535)),
        ] {
            let parsed = Authority::parse(text);
            assert_eq!(parsed, Some(Authority { host, port }), "{text}");
        }
    }

    #[test]
    fn malformed_authorities_are_none() {
        for text in [
            "", ":80", "a b", "a/b", "user@h", "h:65536", "h:+80", "h:8x", "h:1:2", "[::1", "[::g]", "[]", "[::1]x",
            "[::1]80", "::1", "h\u{e9}", "h\\", "h?", "h#", "h\"",
        ] {
            assert_eq!(Authority::parse(text), None, "{text}");
        }
    }

    #[test]
    fn hosts_compare_without_case_and_without_port() {
        let a = Authority::parse("Chat.Example:1").unwrap();
        let b = Authority::parse("chat.example:2").unwrap();
        let c = Authority::parse("chat.example.org").unwrap();
        assert!(a.has_host_of(&b));
        assert!(!a.has_host_of(&c));
    }
}
