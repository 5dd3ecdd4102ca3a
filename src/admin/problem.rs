//! Why a request of an administrator is not obeyed.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::json;

use crate::wire::response::{Refusal, Response, Status};

/// An answer that says what is wrong and what to do, as JSON: `{"error": "..."}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    refusal: Refusal,
}

impl Problem {
    pub(super) fn new(status: Status, text: impl Into<Cow<'static, str>>) -> Self {
        Self { refusal: Refusal::new(status, text) }
    }

    pub(super) fn bad(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Status::BadRequest, text)
    }

    pub(super) fn allow(self, methods: &'static str) -> Self {
        Self { refusal: self.refusal.allow(methods) }
    }

    pub(super) fn retry_after(self, pause: Duration) -> Self {
        let seconds = u32::try_from(pause.as_secs()).unwrap_or(u32::MAX);
        Self { refusal: self.refusal.retry_after(seconds) }
    }

    /// The HTTP status.
    pub fn status(&self) -> Status {
        self.refusal.status()
    }

    /// What is wrong.
    pub fn text(&self) -> &str {
        self.refusal.text()
    }

    /// The whole answer, with the headers that belong to its status.
    pub fn response(&self) -> Response {
        let mut body = json!({ "error": self.text() }).to_string();
        body.push('\n');
        self.refusal.response().with_body("application/json", body.into_bytes())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self { refusal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_json_with_the_headers_of_its_status() {
        let text = |problem: Problem| String::from_utf8(problem.response().render()).unwrap();
        let method = text(Problem::new(Status::MethodNotAllowed, "use \"GET\"").allow("GET, HEAD"));
        assert!(method.contains("\r\nAllow: GET, HEAD\r\n"), "{method}");
        assert!(method.contains("\r\nContent-Type: application/json\r\n"), "{method}");
        assert!(method.contains("\r\nContent-Length: 24\r\n"), "{method}");
        assert!(method.ends_with("\r\n\r\n{\"error\":\"use \\\"GET\\\"\"}\n"), "{method}");
        assert!(text(Problem::new(Status::Unauthorized, "x")).contains("\r\nWWW-Authenticate: Bearer\r\n"));
        assert!(text(Refusal::bad_request("y").into()).starts_with("HTTP/1.1 400 "));
    }
}
