//! A request head: from the first byte of a connection to the blank line, and what it says.
//!
//! The search for the blank line resumes where it stopped, and parsing runs once, when the line
//! is there. So a client that sends one byte at a time costs what one that sends all at once costs.

use std::fmt;

use super::authority::Authority;
use super::response::{Refusal, Status};

/// A parsed request head that borrows the received bytes.
pub struct Request<'a> {
    method: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    version: Version,
    host: Option<&'a str>,
    headers: Vec<httparse::Header<'a>>,
}

/// The two versions of HTTP that have a head like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0, which some health checks still speak.
    Http10,
    /// HTTP/1.1, which an upgrade needs.
    Http11,
}

/// How large a head may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// The whole head in bytes, its blank line included.
    pub bytes: usize,
    /// The number of header lines.
    pub headers: usize,
}

/// What the bytes so far amount to.
#[derive(Debug)]
pub enum Parsed<'a> {
    /// The head ends after `head_len` bytes; what follows belongs to the first frames.
    Complete {
        /// The head.
        request: Request<'a>,
        /// Its length in bytes, counted from the start of the connection.
        head_len: usize,
    },
    /// Nothing is wrong yet, and the blank line has not come.
    Partial,
}

/// Parses the bytes received so far, searching them from the start; see [`parse_from`].
///
/// # Errors
/// As [`parse_from`].
pub fn parse(bytes: &[u8], limits: HeadLimits) -> Result<Parsed<'_>, Refusal> {
    parse_from(bytes, 0, limits)
}

/// Parses `bytes`, all that came so far, of which the first `searched` were [`Parsed::Partial`] before.
///
/// # Errors
/// 400 for what is no HTTP/1 head, saying which part; 405 for `CONNECT`; 431 for a head longer
/// than `limits.bytes` or with more than `limits.headers` header lines.
pub fn parse_from(bytes: &[u8], searched: usize, limits: HeadLimits) -> Result<Parsed<'_>, Refusal> {
    if bytes.get(leading_newline(bytes)).is_some_and(|first| !is_token_byte(*first)) {
        return Err(Refusal::bad_request(
            "this port speaks plain HTTP; connect with ws:// or http://, not wss:// or https://",
        ));
    }
    let within = bytes.get(..limits.bytes).unwrap_or(bytes);
    match find_end(within, searched) {
        Some(end) => complete(within.get(..end).unwrap_or(within), limits.headers),
        // A head that fills the limit without ending is sure to be longer than it.
        None if bytes.len() >= limits.bytes => Err(Refusal::new(
            Status::RequestHeaderFieldsTooLarge,
            format!("the request head is longer than {} bytes; send fewer or shorter headers", limits.bytes),
        )),
        None => Ok(Parsed::Partial),
    }
}

/// Where the head in `bytes` ends, the blank line included, given that the first `searched` bytes
/// hold no end. Looks at the new bytes and at most two before them.
pub fn find_end(bytes: &[u8], searched: usize) -> Option<usize> {
    // The blank line is seen as a line feed followed by another, with or without a carriage
    // return between: RFC 9112 section 2.2 lets a recipient take a bare line feed for a line end.
    let start = searched.saturating_sub(2).max(leading_newline(bytes));
    let mut at = start;
    loop {
        let feed = at + bytes.get(at..)?.iter().position(|byte| *byte == b'\n')?;
        match bytes.get(feed + 1..)? {
            [b'\n', ..] => return Some(feed + 2),
            [b'\r', b'\n', ..] => return Some(feed + 3),
            _ => at = feed + 1,
        }
    }
}

impl<'a> Request<'a> {
    /// The method as sent; methods are case-sensitive (RFC 9110 section 9.1).
    pub fn method(&self) -> &'a str {
        self.method
    }

    /// The target's path, neither decoded nor normalised; `*` for `OPTIONS *`. Safe to log.
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// What stands behind the first `?` of the target. May hold a token: not for logs.
    pub fn query(&self) -> Option<&'a str> {
        self.query
    }

    /// The version of HTTP the client speaks.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The host asked for, well-formed and not empty; only HTTP/1.0 clients and health checks have none.
    pub fn host(&self) -> Option<&'a str> {
        self.host
    }

    /// The values of all header lines called `name` (in any letter case), in order.
    pub fn values(&self, name: &str) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value.trim_ascii())
    }

    /// The elements of a comma-separated list that may be spread over several header lines.
    ///
    /// Empty elements are passed over, as RFC 9110 section 5.6.1.2 asks of a recipient.
    pub fn elements(&self, name: &str) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        self.values(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|element| !element.is_empty())
    }

    /// Whether such a list has `token` in it, in any letter case.
    pub fn has_element(&self, name: &str, token: &str) -> bool {
        self.elements(name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// The value of a header that may stand in a head only once.
    ///
    /// # Errors
    /// 400 when it stands there twice, since two readers of the head could then believe two different
    /// things, or when its value is not printable ASCII.
    pub fn single(&self, name: &'static str) -> Result<Option<&'a str>, Refusal> {
        let mut values = self.values(name);
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(Refusal::bad_request(format!("there is more than one {name} header; send it once")));
        }
        match std::str::from_utf8(value) {
            Ok(text) if text.is_ascii() => Ok(Some(text)),
            _ => Err(Refusal::bad_request(format!("the {name} header must be plain ASCII"))),
        }
    }
}

/// Names only what is safe to log: headers and query may hold tokens.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("version", &self.version)
            .field("host", &self.host)
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}

/// Whether `byte` may stand in a token: methods, header names, subprotocols (RFC 9110 section 5.6.2).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The length of the one empty line that RFC 9112 section 2.2 has us pass over before a request.
fn leading_newline(bytes: &[u8]) -> usize {
    match bytes {
        [b'\r', b'\n', ..] => 2,
        [b'\n', ..] | [b'\r'] => 1,
        _ => 0,
    }
}

/// Parses a head that is known to end at its last byte.
fn complete(head: &[u8], headers_max: usize) -> Result<Parsed<'_>, Refusal> {
    // The shortest header line, "a:" and a line feed, has three bytes: a short head needs no long table.
    let mut headers = vec![httparse::EMPTY_HEADER; headers_max.min(head.len() / 3)];
    let mut raw = httparse::Request::new(&mut headers);
    let head_len = match raw.parse(head) {
        Ok(httparse::Status::Complete(head_len)) => head_len,
        Ok(httparse::Status::Partial) => return Err(Refusal::bad_request(BAD_REQUEST_LINE)),
        Err(error) => return Err(malformed(error, headers_max)),
    };
    let (Some(method), Some(target), Some(minor)) = (raw.method, raw.path, raw.version) else {
        return Err(Refusal::bad_request(BAD_REQUEST_LINE));
    };
    let header_count = raw.headers.len();
    headers.truncate(header_count);
    if method == "CONNECT" {
        return Err(Refusal::new(Status::MethodNotAllowed, "this server is not a proxy; use GET"));
    }
    let target = Target::parse(target)?;
    let mut request = Request {
        method,
        path: target.path,
        query: target.query,
        version: if minor == 0 { Version::Http10 } else { Version::Http11 },
        host: None,
        headers,
    };
    request.host = host_of(&request, &target)?;
    Ok(Parsed::Complete { request, head_len })
}

/// The host the request is for, after the checks that RFC 9112 section 3.2 demands of `Host`.
fn host_of<'a>(request: &Request<'a>, target: &Target<'a>) -> Result<Option<&'a str>, Refusal> {
    let host = request.single("Host")?;
    if host.is_none() && request.version == Version::Http11 {
        return Err(Refusal::bad_request("an HTTP/1.1 request needs a Host header"));
    }
    let host = host.filter(|host| !host.is_empty());
    if host.is_some_and(|host| Authority::parse(host).is_none()) {
        return Err(Refusal::bad_request("the Host header must be a host name or address, with :port or without"));
    }
    // RFC 9112 section 3.2.2: the host of an absolute target counts, whatever `Host` says.
    Ok(target.authority.or(host))
}

/// The request target, taken apart (RFC 9112 section 3.2).
struct Target<'a> {
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Target<'a> {
    fn parse(target: &'a str) -> Result<Self, Refusal> {
        let bad = || Refusal::bad_request("the request target must be a path such as /ws or an http:// address");
        // A fragment stays in the browser (RFC 9110 section 7.1); the start page's token travels in one.
        if target.contains('#') {
            return Err(Refusal::bad_request("the request target must not have a fragment (#)"));
        }
        let (authority, local) = if target.starts_with('/') || target == "*" {
            (None, target)
        } else {
            let (scheme, rest) = target.split_once("://").ok_or_else(bad)?;
            let known = ["http", "https", "ws", "wss"].iter().any(|name| name.eq_ignore_ascii_case(scheme));
            let cut = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, local) = rest.split_at_checked(cut).ok_or_else(bad)?;
            if !known || Authority::parse(authority).is_none() {
                return Err(bad());
            }
            (Some(authority), local)
        };
        let (path, query) = match local.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (local, None),
        };
        Ok(Self { authority, path: if path.is_empty() { "/" } else { path }, query })
    }
}

fn malformed(error: httparse::Error, headers_max: usize) -> Refusal {
    let text = match error {
        httparse::Error::TooManyHeaders => {
            return Refusal::new(
                Status::RequestHeaderFieldsTooLarge,
                format!("the request has more than {headers_max} headers; send fewer"),
            );
        }
        httparse::Error::Token | httparse::Error::Status => BAD_REQUEST_LINE,
        httparse::Error::Version => "this port speaks HTTP/1.1 and HTTP/1.0; the request line names another version",
        httparse::Error::HeaderName => {
            "a header line is malformed: it needs a name of token characters and a colon right behind it"
        }
        httparse::Error::HeaderValue => "a header value holds a control character",
        httparse::Error::NewLine => "a line of the request head does not end in CR LF",
    };
    Refusal::bad_request(text)
}

const BAD_REQUEST_LINE: &str = "the request line is malformed; it should read like: GET /ws HTTP/1.1";

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { bytes: 8 * 1024, headers: 64 };

    const BROWSER: &[u8] =
        b"GET /ws/den?a=1&b=2 HTTP/1.1\r\nHost: chat.example:8080\r\nConnection: keep-alive, Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x80";

    fn request(head: &[u8]) -> Request<'_> {
        match parse(head, LIMITS) {
            Ok(Parsed::Complete { request, .. }) => request,
            other => panic!("{other:?} for {}", head.escape_ascii()),
        }
    }

    fn refusal(head: &[u8]) -> Refusal {
        parse(head, LIMITS).err().unwrap_or_else(|| panic!("passed: {}", head.escape_ascii()))
    }

    #[test]
    fn a_whole_head_is_taken_apart() {
        let Ok(Parsed::Complete { request, head_len }) = parse(BROWSER, LIMITS) else {
            panic!("not complete");
        };
        assert_eq!(head_len, BROWSER.len() - 2);
        assert_eq!((request.method(), request.path(), request.query()), ("GET", "/ws/den", Some("a=1&b=2")));
        assert_eq!((request.version(), request.host()), (Version::Http11, Some("chat.example:8080")));
        assert!(request.has_element("connection", "UPGRADE"));
        assert!(!request.has_element("connection", "keep"));
    }

    #[test]
    fn every_split_point_is_partial_and_then_the_same() {
        let head_len = BROWSER.len() - 2;
        for split in 0..head_len {
            assert!(matches!(parse(&BROWSER[..split], LIMITS), Ok(Parsed::Partial)), "{split}");
            let Ok(Parsed::Complete { request, head_len: n }) = parse_from(BROWSER, split, LIMITS) else {
                panic!("not complete after {split}");
            };
            assert_eq!((n, request.path(), request.headers.len()), (head_len, "/ws/den", 5), "{split}");
        }
    }

    #[test]
    fn the_end_is_found_without_looking_back() {
        for (bytes, end) in [
            (&b"a\r\n\r\n"[..], Some(5)),
            (b"a\n\nb", Some(3)),
            (b"a\n\r\nb", Some(4)),
            (b"a\r\n\nb", Some(4)),
            (b"\r\na\r\n\r\n", Some(7)),
            (b"\r\n\r\n", None),
            (b"a\r\n\r", None),
            (b"a\r\r\n", None),
            (b"", None),
        ] {
            assert_eq!(find_end(bytes, 0), end, "{}", bytes.escape_ascii());
            for searched in 0..end.unwrap_or(bytes.len()) {
                assert_eq!(find_end(bytes, searched), end, "{} from {searched}", bytes.escape_ascii());
            }
        }
        // An end that lies before the searched part is not seen again: old bytes are not re-read.
        assert_eq!(find_end(b"a\n\nbbbbbb", 7), None);
        assert_eq!(find_end(b"a", 9), None);
    }

    #[test]
    fn targets_come_in_several_forms() {
        for (target, path, query, host) in [
            ("/", "/", None, "h"),
            ("/ws?", "/ws", Some(""), "h"),
            ("/ws?a?b", "/ws", Some("a?b"), "h"),
            ("//x/y", "//x/y", None, "h"),
            ("/a://b", "/a://b", None, "h"),
            ("*", "*", None, "h"),
            ("http://other:81/ws?t=1", "/ws", Some("t=1"), "other:81"),
            ("HTTPS://other", "/", None, "other"),
            ("ws://[::1]:8080?x", "/", Some("x"), "[::1]:8080"),
        ] {
            let head = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
            let request = request(head.as_bytes());
            assert_eq!((request.path(), request.query(), request.host()), (path, query, Some(host)), "{target}");
        }
    }

    #[test]
    fn lists_and_repeated_headers_are_read_whole() {
        let head = b"GET / HTTP/1.1\r\nhOsT: h\r\nX: a, ,b\r\nx:c\r\nX:  \r\nX: d ,e\r\nOnce: 1 \r\nE: \xff\r\n\r\n";
        let request = request(head);
        let elements: Vec<_> = request.elements("x").collect();
        assert_eq!(elements, [b"a", b"b", b"c", b"d", b"e"]);
        assert_eq!(request.values("X").count(), 4);
        assert_eq!(request.single("once"), Ok(Some("1")));
        assert_eq!(request.single("none"), Ok(None));
        assert!(request.single("X").unwrap_err().text().contains("more than one X"));
        assert!(request.single("E").unwrap_err().text().contains("ASCII"));
    }

    #[test]
    fn plain_requests_without_a_host() {
        assert_eq!(request(b"GET /healthz HTTP/1.0\r\n\r\n").host(), None);
        assert_eq!(request(b"GET /healthz HTTP/1.0\r\n\r\n").version(), Version::Http10);
        assert_eq!(request(b"\r\nGET / HTTP/1.1\nHost:\n\n").host(), None);
    }

    #[test]
    fn malformed_heads_are_told_what_is_wrong() {
        for (head, hint) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], "Host"),
            (b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", "more than one Host"),
            (b"GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", "more than one Host"),
            (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "host name"),
            (b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "host name"),
            (b"GET /\r\n\r\n", "request line"),
            (b"GET\r\n\r\n", "request line"),
            (b"G\n\n", "request line"),
            (b"GET  / HTTP/1.1\r\n\r\n", "request line"),
            (b"G(T / HTTP/1.1\r\n\r\n", "request line"),
            (b"GET /\x01 HTTP/1.1\r\n\r\n", "request line"),
            (b"GET /\xff HTTP/1.1\r\n\r\n", "request line"),
            (b"GET / HTTP/1.2\r\n\r\n", "another version"),
            (b"GET / HTTP/\n\n", "another version"),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "another version"),
            (b"GET ws HTTP/1.1\r\nHost: h\r\n\r\n", "target"),
            (b"GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", "target"),
            (b"GET http:///ws HTTP/1.1\r\nHost: h\r\n\r\n", "target"),
            (b"GET http://u@h/ws HTTP/1.1\r\nHost: h\r\n\r\n", "target"),
            (b"GET /#token=x HTTP/1.1\r\nHost: h\r\n\r\n", "fragment"),
            (b"GET / HTTP/1.1\r\nHost : h\r\n\r\n", "header line"),
            (b"GET / HTTP/1.1\r\n: h\r\n\r\n", "header line"),
            (b"GET / HTTP/1.1\r\nHost\r\n\r\n", "header line"),
            (b"GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", "header line"),
            (b"GET / HTTP/1.1\r\nHost: h\0\r\n\r\n", "header value"),
            (b"GET / HTTP/1.1\rX\n\n", "CR LF"),
        ] {
            let refusal = refusal(head);
            assert_eq!(refusal.status(), Status::BadRequest, "{}", head.escape_ascii());
            assert!(refusal.text().contains(hint), "{refusal} for {}", head.escape_ascii());
        }
        assert_eq!(refusal(b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n").status(), Status::MethodNotAllowed);
    }

    #[test]
    fn other_protocols_are_refused_at_their_first_byte() {
        for first in 0..=255_u8 {
            let sent = [first];
            let outcome = parse(&sent, LIMITS);
            if first == b'\r' || first == b'\n' || is_token_byte(first) {
                assert!(matches!(outcome, Ok(Parsed::Partial)), "{first}");
            } else {
                assert!(outcome.unwrap_err().text().contains("this port speaks plain HTTP"), "{first}");
            }
        }
        assert!(matches!(parse(b"\r\nG", LIMITS), Ok(Parsed::Partial)));
        assert_eq!(refusal(b"\r\n\x16").status(), Status::BadRequest);
        // One empty line is passed over; two are no HTTP, and nobody waits for a third.
        assert_eq!(refusal(b"\r\n\r").status(), Status::BadRequest);
    }

    fn head_of_len(len: usize) -> Vec<u8> {
        let mut head = b"GET / HTTP/1.1\r\nHost: h\r\nX: ".to_vec();
        head.resize(len - 4, b'x');
        head.extend_from_slice(b"\r\n\r\n");
        head
    }

    #[test]
    fn a_head_may_fill_the_limit_and_no_more() {
        let fits = head_of_len(LIMITS.bytes);
        assert!(matches!(parse(&fits, LIMITS), Ok(Parsed::Complete { head_len: 8192, .. })));
        let mut with_frame = fits;
        with_frame.extend_from_slice(b"\x81\x80\0\0\0\0");
        assert!(matches!(parse(&with_frame, LIMITS), Ok(Parsed::Complete { head_len: 8192, .. })));

        let long = head_of_len(LIMITS.bytes + 1);
        for sent in [LIMITS.bytes, LIMITS.bytes + 1] {
            let refusal = refusal(&long[..sent]);
            assert_eq!(refusal.status(), Status::RequestHeaderFieldsTooLarge);
            assert!(refusal.text().contains("8192 bytes"), "{refusal}");
        }
        assert!(matches!(parse(&long[..LIMITS.bytes - 1], LIMITS), Ok(Parsed::Partial)));
    }

    #[test]
    fn header_lines_are_counted() {
        let head_with = |count: usize| {
            let more: String = (1..count).map(|n| format!("X{n}:\n")).collect();
            format!("GET / HTTP/1.1\nHost:h\n{more}\n")
        };
        assert_eq!(request(head_with(64).as_bytes()).headers.len(), 64);
        let refusal = refusal(head_with(65).as_bytes());
        assert_eq!(refusal.status(), Status::RequestHeaderFieldsTooLarge);
        assert!(refusal.text().contains("64 headers"), "{refusal}");
    }

    #[test]
    fn the_header_table_is_large_enough_for_the_densest_head() {
        // A shorter request line than this one does not exist, nor a shorter header line.
        let none_left = HeadLimits { bytes: 100, headers: 2 };
        assert!(matches!(parse(b"A * HTTP/1.0\na:\nb:\n\n", none_left), Ok(Parsed::Complete { .. })));
        assert!(parse(b"A * HTTP/1.0\na:\nb:\nc:\n\n", none_left).is_err());
        let dense = format!("A * HTTP/1.0\n{}\n", "a:\n".repeat(30));
        assert!(matches!(parse(dense.as_bytes(), LIMITS), Ok(Parsed::Complete { .. })));
    }

    #[test]
    fn debug_output_keeps_secrets() {
        let head = b"GET /ws?token=hush HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer hush\r\n\r\n";
        assert!(!format!("{:?}", request(head)).contains("hush"));
    }
}
