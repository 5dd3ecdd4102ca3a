//! The client's address as the proxies in front of us tell it: `X-Forwarded-For`, or `Forwarded` (RFC 7239).
//!
//! Each proxy puts the address of whoever connected to it behind what it received. So the list is read from the right, as
//! long as the addresses are those of proxies that are trusted: the first one that is not is the client. What stands to the
//! left of it anybody may have written, and it is not even looked at. Something that is no address (`unknown`, a name in
//! place of an address, nonsense) ends the search; then the last good address counts.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use super::request::Request;

/// An address, with its port if that is known and else with 0.
pub type Node = (IpAddr, u16);

/// The client by `X-Forwarded-For`; `None` if nothing in it is an address. `trusted` says which addresses are proxies whose
/// word counts.
pub fn x_forwarded_for(request: &Request<'_>, trusted: impl Fn(IpAddr) -> bool) -> Option<Node> {
    let elements = request.elements("X-Forwarded-For").rev();
    client(elements.map(|element| node(std::str::from_utf8(element).ok()?)), trusted)
}

/// The client by `Forwarded`; the same otherwise.
pub fn forwarded(request: &Request<'_>, trusted: impl Fn(IpAddr) -> bool) -> Option<Node> {
    let elements = request.values("Forwarded").rev().flat_map(|value| FromRight { rest: Some(value), separator: b',' });
    let elements = elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty());
    client(elements.map(node_of_element), trusted)
}

/// Goes from node to node until one is not trusted or is none.
fn client(nodes: impl Iterator<Item = Option<Node>>, trusted: impl Fn(IpAddr) -> bool) -> Option<Node> {
    let mut last = None;
    for node in nodes {
        let Some(node) = node else { return last };
        last = Some(node);
        if !trusted(node.0) {
            return last;
        }
    }
    last
}

/// The value of `for` in `for=192.0.2.60;proto=http;by=203.0.113.43`.
fn node_of_element(element: &[u8]) -> Option<Node> {
    let mut values = FromRight { rest: Some(element), separator: b';' }.filter_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at_checked(equals)?;
        name.trim_ascii().eq_ignore_ascii_case(b"for").then(|| value.get(1..).unwrap_or(&[]).trim_ascii())
    });
    // RFC 7239 section 4: each parameter must not occur more than once.
    let value = values.next().filter(|_| values.next().is_none())?;
    node(&unquoted(std::str::from_utf8(value).ok()?))
}

/// A quoted string without its quotes and escapes (RFC 9110 section 5.6.4); anything else as it is.
fn unquoted(value: &str) -> Cow<'_, str> {
    let Some(inside) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.into();
    };
    if !inside.contains('\\') {
        return inside.into();
    }
    let mut escaped = false;
    let kept = inside.chars().filter(|&c| {
        escaped = c == '\\' && !escaped;
        !escaped
    });
    kept.collect()
}

/// `192.0.2.43`, `192.0.2.43:47011`, `2001:db8::17`, `[2001:db8::17]` or `[2001:db8::17]:47011`. A port that is hidden
/// (`_name`, RFC 7239 section 6.3) is as good as none.
fn node(text: &str) -> Option<Node> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some((ip.to_canonical(), 0));
    }
    let (ip, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (ip, rest) = rest.split_once(']')?;
            let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) };
            (IpAddr::V6(ip.parse::<Ipv6Addr>().ok()?), port)
        }
        None => {
            let (ip, port) = text.split_once(':')?;
            (IpAddr::V4(ip.parse().ok()?), Some(port))
        }
    };
    let port = match port {
        None => 0,
        Some(port) if port.len() > 1 && port.starts_with('_') => 0,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok()?,
        Some(_) => return None,
    };
    Some((ip.to_canonical(), port))
}

/// The parts of a value between separators outside of quotes, the last one first. It is also read from the right: a quote
/// that a client leaves open on the left cannot swallow what a proxy has put behind it.
struct FromRight<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Iterator for FromRight<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let mut quoted = false;
        for (at, &byte) in rest.iter().enumerate().rev() {
            let before = rest.get(..at).unwrap_or(&[]);
            if byte == b'"' {
                let slashes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
                let escaped = quoted && slashes % 2 == 1;
                quoted ^= !escaped;
            } else if byte == self.separator && !quoted {
                self.rest = Some(before);
                return rest.get(at + 1..);
            }
        }
        self.rest = None;
        Some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::{HeadLimits, Parsed, parse};
    use super::*;

    fn ask(head: &str, read: impl Fn(&Request<'_>) -> Option<Node>) -> String {
        let head = format!("GET / HTTP/1.1\r\nHost: h\r\n{head}\r\n");
        match parse(head.as_bytes(), HeadLimits { bytes: 8192, headers: 64 }) {
            Ok(Parsed::Complete { request, .. }) => {
                read(&request).map_or_else(|| "-".to_owned(), |(ip, port)| format!("{ip} {port}"))
            }
            other => panic!("{other:?} for {head}"),
        }
    }

    /// Proxies are in 10.0.0.0/8 and fd00::/8.
    fn trusted(ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => ip.octets()[0] == 10,
            IpAddr::V6(ip) => ip.octets()[0] == 0xfd,
        }
    }

    #[test]
    fn the_first_from_the_right_that_is_not_trusted() {
        for (lines, client) in [
            (&["192.0.2.1"][..], "192.0.2.1 0"),
            (&["192.0.2.1:4711"], "192.0.2.1 4711"),
            (&["2001:db8::1"], "2001:db8::1 0"),
            (&["[2001:db8::1]"], "2001:db8::1 0"),
            (&["[2001:db8::1]:4711"], "2001:db8::1 4711"),
            (&["::ffff:192.0.2.1"], "192.0.2.1 0"),
            (&["1.1.1.1, 192.0.2.1"], "192.0.2.1 0"),
            (&["1.1.1.1, 192.0.2.1, 10.0.0.1 ,, fd00::1"], "192.0.2.1 0"),
            (&["1.1.1.1, 192.0.2.1", "10.0.0.1", "10.0.0.2"], "192.0.2.1 0"),
            (&["192.0.2.1", "2.2.2.2"], "2.2.2.2 0"),
            (&["10.0.0.1, 10.0.0.2"], "10.0.0.1 0"),
            (&["1.1.1.1, unknown, 10.0.0.2"], "10.0.0.2 0"),
            (&["1.1.1.1, 192.0.2.1:x"], "-"),
            (&["1.1.1.1, 192.0.2.1:65536"], "-"),
            (&["1.1.1.1, 192.0.2.1:"], "-"),
            (&["1.1.1.1, [::1"], "-"),
            (&["1.1.1.1, [::1]80"], "-"),
            (&["1.1.1.1, [192.0.2.1]"], "-"),
            (&["1.1.1.1, evil.example"], "-"),
            (&[""], "-"),
            (&[" , ,"], "-"),
            (&[], "-"),
        ] {
            let head: String = lines.iter().map(|line| format!("x-forwarded-for: {line}\r\n")).collect();
            assert_eq!(ask(&head, |request| x_forwarded_for(request, trusted)), client, "{lines:?}");
        }
    }

    #[test]
    fn the_same_by_rfc_7239() {
        for (lines, client) in [
            (&["for=192.0.2.43"][..], "192.0.2.43 0"),
            (&["For=\"[2001:db8:cafe::17]:4711\""], "2001:db8:cafe::17 4711"),
            (&["for=192.0.2.60;proto=http;by=203.0.113.43"], "192.0.2.60 0"),
            (&["proto=http; by=203.0.113.43 ; FOR = 192.0.2.60"], "192.0.2.60 0"),
            (&["for=1.1.1.1, for=192.0.2.43, for=10.0.0.1"], "192.0.2.43 0"),
            (&["for=192.0.2.43", "for=10.0.0.1"], "192.0.2.43 0"),
            (&["for=\"192.0.2.43:_gazonk\""], "192.0.2.43 0"),
            (&["for=\"192.0.2\\.43\""], "192.0.2.43 0"),
            (&["for=192.0.2.1;host=\"a,b;for=2.2.2.2\""], "192.0.2.1 0"),
            (&["for=192.0.2.1;host=\"a\\\",for=2.2.2.2;x=\\\"\""], "192.0.2.1 0"),
            // Whatever a client has sent, the proxy's own words stand behind it.
            (&["for=\"1.1.1.1, for=192.0.2.1"], "192.0.2.1 0"),
            (&["for=1.1.1.1\\, for=192.0.2.1;by=\"x\""], "192.0.2.1 0"),
            (&["for=\"\\", "for=192.0.2.1"], "192.0.2.1 0"),
            (&["for=1.1.1.1, for=unknown, for=10.0.0.2"], "10.0.0.2 0"),
            (&["for=1.1.1.1, for=_hidden"], "-"),
            (&["for=1.1.1.1, for=\"_gazonk\""], "-"),
            (&["for=1.1.1.1, proto=http"], "-"),
            (&["for=1.1.1.1, for=1.2.3.4;for=1.2.3.5"], "-"),
            (&["for=1.1.1.1, for="], "-"),
            (&["for=1.1.1.1, for=\""], "-"),
            (&["for=1.1.1.1, for=\"\""], "-"),
            (&["nonsense"], "-"),
            (&["="], "-"),
            (&[";;,,"], "-"),
        ] {
            let head: String = lines.iter().map(|line| format!("Forwarded: {line}\r\n")).collect();
            assert_eq!(ask(&head, |request| forwarded(request, trusted)), client, "{lines:?}");
        }
    }

    #[test]
    fn a_long_list_takes_no_long_time() {
        for head in ["\\\"".repeat(4000), "\"".repeat(8000), ",".repeat(8000), "for=10.0.0.1,".repeat(600)] {
            ask(&format!("Forwarded: {}\r\n", &head[..head.len().min(8000)]), |request| forwarded(request, trusted));
        }
    }
}
