//! The bytes of every HTTP answer: pages, refusals, and the 101 that ends the HTTP part.
//!
//! An answer is complete when rendered and always ends its connection, so no answer depends on
//! what came before it and none can be followed by a second request.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;

/// The status codes this server answers with; 101 has [`switching_protocols`] to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// 200
    Ok,
    /// 304: the client's copy is still good.
    NotModified,
    /// 400: the head is malformed, or its headers contradict each other.
    BadRequest,
    /// 401: the request carries a bad token, or none where one is needed.
    Unauthorized,
    /// 403: the token is good but not for this, or the page is foreign.
    Forbidden,
    /// 404
    NotFound,
    /// 405
    MethodNotAllowed,
    /// 408: the head did not end in time.
    RequestTimeout,
    /// 411: a body is needed, and nothing says how long it is.
    LengthRequired,
    /// 413: the body is too long.
    ContentTooLarge,
    /// 415: the body is of another kind.
    UnsupportedMediaType,
    /// 426: this path speaks WebSocket only, or not that version of it.
    UpgradeRequired,
    /// 429: too much from this address.
    TooManyRequests,
    /// 431: the head is too long or has too many headers.
    RequestHeaderFieldsTooLarge,
    /// 500: our fault.
    InternalServerError,
    /// 503: full or draining.
    ServiceUnavailable,
}

impl Status {
    /// The three digits.
    pub fn code(self) -> u16 {
        self.parts().0
    }

    /// The reason phrase (RFC 9110 section 15, RFC 6585).
    pub fn reason(self) -> &'static str {
        self.parts().1
    }

    /// Why a request is refused with this status, in a word, if nothing more is known.
    fn usual_cause(self) -> &'static str {
        match self {
            Self::Ok | Self::NotModified => "none",
            Self::BadRequest => "bad_request",
            Self::Unauthorized => "token",
            Self::Forbidden => "room",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method",
            Self::RequestTimeout => "too_slow",
            Self::LengthRequired | Self::ContentTooLarge | Self::UnsupportedMediaType => "body",
            Self::UpgradeRequired => "no_upgrade",
            Self::TooManyRequests => "rate",
            Self::RequestHeaderFieldsTooLarge => "head_too_large",
            Self::InternalServerError => "fault",
            Self::ServiceUnavailable => "shutting_down",
        }
    }

    fn parts(self) -> (u16, &'static str) {
        match self {
            Self::Ok => (200, "OK"),
            Self::NotModified => (304, "Not Modified"),
            Self::BadRequest => (400, "Bad Request"),
            Self::Unauthorized => (401, "Unauthorized"),
            Self::Forbidden => (403, "Forbidden"),
            Self::NotFound => (404, "Not Found"),
            Self::MethodNotAllowed => (405, "Method Not Allowed"),
            Self::RequestTimeout => (408, "Request Timeout"),
            Self::LengthRequired => (411, "Length Required"),
            Self::ContentTooLarge => (413, "Content Too Large"),
            Self::UnsupportedMediaType => (415, "Unsupported Media Type"),
            Self::UpgradeRequired => (426, "Upgrade Required"),
            Self::TooManyRequests => (429, "Too Many Requests"),
            Self::RequestHeaderFieldsTooLarge => (431, "Request Header Fields Too Large"),
            Self::InternalServerError => (500, "Internal Server Error"),
            Self::ServiceUnavailable => (503, "Service Unavailable"),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code(), self.reason())
    }
}

/// One whole answer, not yet bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    status: Status,
    headers: Vec<(&'static str, Cow<'static, str>)>,
    body: Cow<'static, [u8]>,
}

impl Response {
    /// An answer of one line of plain text; control characters in `text` become spaces.
    pub fn line(status: Status, text: &str) -> Self {
        let mut body: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        body.push('\n');
        Self::page(status, "text/plain; charset=utf-8", body.into_bytes())
    }

    /// An answer with any body, which starts out as not to be stored by any cache.
    pub fn page(
        status: Status,
        content_type: impl Into<Cow<'static, str>>,
        body: impl Into<Cow<'static, [u8]>>,
    ) -> Self {
        let headers = vec![
            ("Content-Type", content_type.into()),
            ("Connection", Cow::Borrowed("close")),
            ("X-Content-Type-Options", Cow::Borrowed("nosniff")),
            ("Cache-Control", Cow::Borrowed("no-store")),
        ];
        Self { status, headers, body: body.into() }
    }

    /// The answer to a conditional request whose copy is still good. It has no body, and no length or type of one.
    pub fn not_modified() -> Self {
        let mut response = Self::page(Status::NotModified, "", Vec::new());
        response.headers.retain(|(name, _)| *name != "Content-Type");
        response
    }

    /// Adds a header, or replaces the one of that name; `Content-Length` is not for the caller to set.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        debug_assert!(!name.eq_ignore_ascii_case("Content-Length"));
        let value = value.into();
        match self.headers.iter_mut().find(|(have, _)| have.eq_ignore_ascii_case(name)) {
            Some((_, have)) => *have = value,
            None => self.headers.push((name, value)),
        }
        self
    }

    /// The same answer with another body.
    #[must_use]
    pub fn with_body(mut self, content_type: &'static str, body: impl Into<Cow<'static, [u8]>>) -> Self {
        self.body = body.into();
        self.with_header("Content-Type", content_type)
    }

    /// The status this answer will have.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The complete bytes.
    pub fn render(&self) -> Vec<u8> {
        let mut bytes = self.render_head();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The answer to a `HEAD` request: the length is told, the body left out (RFC 9110 section 9.3.2).
    pub fn render_head(&self) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {}\r\n", self.status).into_bytes();
        // A 304 has no body, and a length in it would have to be that of the body left out (RFC 9110 section 8.6).
        if self.status != Status::NotModified {
            push_header(&mut bytes, "Content-Length", &self.body.len().to_string());
        }
        for (name, value) in &self.headers {
            push_header(&mut bytes, name, value);
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }
}

/// Why a request is turned away, and the answer that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    status: Status,
    text: Cow<'static, str>,
    retry_after_s: Option<NonZeroU32>,
    allow: &'static str,
    cause: &'static str,
}

impl Refusal {
    /// A refusal with one line for the person at the other end: what is wrong, and what to do.
    ///
    /// 429 and 503 tell the client to wait [`RETRY_AFTER_DEFAULT_S`] unless told otherwise.
    pub fn new(status: Status, text: impl Into<Cow<'static, str>>) -> Self {
        let waits = matches!(status, Status::TooManyRequests | Status::ServiceUnavailable);
        let retry_after_s = waits.then_some(RETRY_AFTER_DEFAULT_S);
        Self { status, text: text.into(), retry_after_s, allow: "GET", cause: status.usual_cause() }
    }

    /// The most frequent one: 400.
    pub fn bad_request(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Status::BadRequest, text)
    }

    /// Sets the pause asked of the client, in seconds; 0 becomes 1, since 0 invites an instant retry.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(NonZeroU32::new(seconds).unwrap_or(NonZeroU32::MIN));
        self
    }

    /// Sets the methods a 405 names, `GET` unless told otherwise.
    #[must_use]
    pub fn allow(mut self, methods: &'static str) -> Self {
        self.allow = methods;
        self
    }

    /// Sets the word under which the refusal is counted, where the status alone does not tell: for a limit its key.
    #[must_use]
    pub fn because(mut self, cause: &'static str) -> Self {
        self.cause = cause;
        self
    }

    /// The word under which the refusal is counted.
    pub fn cause(&self) -> &'static str {
        self.cause
    }

    /// The status to answer with and to count.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The line for the peer; it holds nothing secret.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The answer, with the headers its status requires.
    pub fn response(&self) -> Response {
        let mut response = Response::line(self.status, &self.text);
        if let Some(seconds) = self.retry_after_s {
            response = response.with_header("Retry-After", seconds.to_string());
        }
        if self.status == Status::Unauthorized {
            // RFC 9110 section 15.5.2: a 401 must say which scheme it wants.
            response = response.with_header("WWW-Authenticate", "Bearer");
        } else if self.status == Status::MethodNotAllowed {
            response = response.with_header("Allow", self.allow);
        } else if self.status == Status::UpgradeRequired {
            // RFC 9110 section 7.8: who sends `Upgrade` must list it in `Connection`;
            // RFC 6455 section 4.4 adds the version we speak.
            response = response
                .with_header("Connection", "close, Upgrade")
                .with_header("Upgrade", "websocket")
                .with_header("Sec-WebSocket-Version", "13");
        }
        response
    }

    /// The complete bytes of the answer; for a `HEAD` request ask [`Refusal::response`] instead.
    pub fn render(&self) -> Vec<u8> {
        self.response().render()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.text)
    }
}

impl std::error::Error for Refusal {}

/// Appends the 101 that turns the connection into a WebSocket (RFC 6455 section 4.2.2).
///
/// It has no `Content-Length`: the frames that follow are not its body. `protocol` is the one
/// selected among those offered, never one the client did not name.
pub fn switching_protocols(accept_key: &str, protocol: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
    push_header(out, "Sec-WebSocket-Accept", accept_key);
    if let Some(protocol) = protocol {
        push_header(out, "Sec-WebSocket-Protocol", protocol);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends one header line; control characters become spaces, so no value can start a second line.
fn push_header(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend(value.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}

/// The pause of a 429 or 503 that names none. Callers who refuse many at once spread theirs.
pub const RETRY_AFTER_DEFAULT_S: NonZeroU32 = NonZeroU32::new(5).unwrap();

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_is_rendered_whole() {
        assert_eq!(
            text_of(Response::line(Status::Ok, "fine").render()),
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Connection: close\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\nfine\n"
        );
    }

    #[test]
    fn head_has_the_length_and_no_body() {
        let response = Response::page(Status::Ok, "text/html", &b"<p>hi"[..]);
        let (full, head) = (text_of(response.render()), text_of(response.render_head()));
        assert!(head.contains("Content-Length: 5\r\n") && head.ends_with("\r\n\r\n"), "{head}");
        assert_eq!(full, head + "<p>hi");
    }

    #[test]
    fn a_header_replaces_its_default() {
        let response = Response::page(Status::Ok, "text/html", &b""[..])
            .with_header("cache-control", "max-age=60")
            .with_header("Referrer-Policy", "no-referrer");
        let text = text_of(response.render());
        assert!(text.contains("Cache-Control: max-age=60\r\n") && !text.contains("no-store"), "{text}");
        assert!(text.contains("Referrer-Policy: no-referrer\r\n"), "{text}");
        assert_eq!(response.status(), Status::Ok);
    }

    #[test]
    fn no_value_can_split_an_answer() {
        let response =
            Response::line(Status::BadRequest, "a\r\n\r\nb\u{85}c").with_header("X-A", "1\r\nSet-Cookie: x=1\0");
        let text = text_of(response.render());
        assert!(text.contains("X-A: 1  Set-Cookie: x=1 \r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\na    b c\n"), "{text}");
        let mut out = Vec::new();
        switching_protocols("k", Some("a\r\nX: y"), &mut out);
        assert!(!text_of(out).contains("\r\nX:"));
    }

    #[test]
    fn refusals_carry_what_their_status_requires() {
        for (status, headers) in [
            (Status::BadRequest, &[][..]),
            (Status::Unauthorized, &["WWW-Authenticate: Bearer"][..]),
            (Status::Forbidden, &[]),
            (Status::NotFound, &[]),
            (Status::MethodNotAllowed, &["Allow: GET"]),
            (Status::RequestTimeout, &[]),
            (
                Status::UpgradeRequired,
                &["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Connection: close, Upgrade"],
            ),
            (Status::TooManyRequests, &["Retry-After: 5"]),
            (Status::RequestHeaderFieldsTooLarge, &[]),
            (Status::ServiceUnavailable, &["Retry-After: 5"]),
        ] {
            let text = text_of(Refusal::new(status, "why").render());
            assert!(text.starts_with(&format!("HTTP/1.1 {} {}\r\n", status.code(), status.reason())), "{text}");
            assert!(text.contains("\r\nConnection: close") && text.contains("\r\nContent-Length: 4\r\n"), "{text}");
            assert!(text.ends_with("\r\n\r\nwhy\n"), "{text}");
            // Five headers belong to every answer; 426 changes `Connection` rather than adding one.
            let special = headers.iter().filter(|line| !line.starts_with("Connection")).count();
            assert_eq!(text.matches("\r\n").count(), 1 + 5 + special + 1, "{text}");
            for line in headers {
                assert!(text.contains(&format!("\r\n{line}\r\n")), "{line} in {text}");
            }
        }
    }

    #[test]
    fn retry_after_is_never_zero_and_allow_can_be_widened() {
        let full = Refusal::new(Status::ServiceUnavailable, "full");
        for (seconds, line) in [(0, "Retry-After: 1\r\n"), (1, "Retry-After: 1\r\n"), (30, "Retry-After: 30\r\n")] {
            assert!(text_of(full.clone().retry_after(seconds).render()).contains(line), "{seconds}");
        }
        let method = Refusal::new(Status::MethodNotAllowed, "no").allow("GET, HEAD");
        assert!(text_of(method.render()).contains("Allow: GET, HEAD\r\n"));
        assert_eq!(method.to_string(), "405 Method Not Allowed: no");
        assert_eq!((method.status(), method.text()), (Status::MethodNotAllowed, "no"));
    }

    #[test]
    fn the_101_is_exact_and_appended() {
        let mut out = b"before".to_vec();
        switching_protocols("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", Some("hollerd.text"), &mut out);
        assert_eq!(
            text_of(out),
            "beforeHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: hollerd.text\r\n\r\n"
        );
        let mut bare = Vec::new();
        switching_protocols("k", None, &mut bare);
        assert!(!text_of(bare).contains("Protocol:"));
    }
}
