//! One HTTP answer, read strictly: what a test asserts about refusals and upgrades.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use sha1::{Digest as _, Sha1};

/// An answer's head and, unless it was a 101, its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) reason: String,
    /// In the order received, names as sent.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// Takes a head from the front of `bytes`, with its length; `None` until the empty line has arrived.
    ///
    /// # Errors
    /// The line that is not HTTP/1.1.
    pub(crate) fn parse_head(bytes: &[u8]) -> Result<Option<(Self, usize)>, String> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "the head is not UTF-8".to_owned())?;
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let (status, reason) = status_line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.split_once(' '))
            .and_then(|(status, reason)| Some((status.parse().ok()?, reason.to_owned())))
            .ok_or_else(|| format!("not a status line: {status_line:?}"))?;
        let headers = lines
            .map(|line| match line.split_once(": ") {
                Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
                None => Err(format!("not a header: {line:?}")),
            })
            .collect::<Result<_, _>>()?;
        Ok(Some((Self { status, reason, headers, body: Vec::new() }, end + 4)))
    }

    /// A header's value; names compare without case. Fails the test when a header is there twice.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "header {name} is there twice: {self:?}");
        value
    }

    /// The body as text, for the one-line explanations of refusals.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Fails the test unless this is a refusal with this status that a client can make sense of: whole, the last of its
    /// connection, and with one line of text that says why.
    pub(crate) fn verify_refusal(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}: {}", self.text());
        let length = self.header("Content-Length").map(str::parse);
        assert_eq!(length, Some(Ok(self.body.len())), "the length is wrong: {self:?}");
        let last = self.header("Connection").is_some_and(|value| value.split(',').any(|word| word.trim() == "close"));
        assert!(last, "no Connection: close in {self:?}");
        let text = self.text();
        assert!(text.len() > 1 && text.find('\n') == Some(text.len() - 1), "not one line: {text:?}");
        let pause = self.header("Retry-After").map(|seconds| seconds.parse::<u32>());
        match status {
            429 | 503 => assert!(matches!(pause, Some(Ok(1..=30))), "{self:?}"),
            _ => assert_eq!(pause, None, "{self:?}"),
        }
    }

    /// Fails the test unless this 101 is all that RFC 6455 section 4.1 wants a client to see in it, for the
    /// `Sec-WebSocket-Key` that was sent. An extension can only be one that nobody asked for.
    pub(crate) fn verify_upgrade(&self, key: &str) {
        let accept = BASE64.encode(Sha1::digest(format!("{key}{ACCEPT_GUID}")));
        let given = self.header("Sec-WebSocket-Accept");
        assert_eq!(given, Some(accept.as_str()), "wrong accept key: {self:?}");
        let says = |name, token: &str| self.header(name).is_some_and(|value| value.eq_ignore_ascii_case(token));
        assert!(says("Upgrade", "websocket"), "no Upgrade: websocket in {self:?}");
        assert!(says("Connection", "Upgrade"), "no Connection: Upgrade in {self:?}");
        let extensions = self.header("Sec-WebSocket-Extensions");
        assert_eq!(extensions, None, "an extension that was not asked for");
    }
}

/// RFC 6455 section 1.3: the fixed string that is hashed with the key.
const ACCEPT_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
