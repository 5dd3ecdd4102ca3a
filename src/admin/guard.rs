//! Who may ask, and what may come with the question.

use super::problem::Problem;
use crate::auth::{AccessKeys, Identity};
use crate::wire::authority::Authority;
use crate::wire::credential::{TokenSources, credentials};
use crate::wire::request::Request;
use crate::wire::response::Status;

/// The rules at this door.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'r> {
    /// The keys; `None` if reaching the socket is enough.
    pub keys: Option<&'r AccessKeys>,
    /// It is a TCP port, which a browser on this machine can reach for any page that it shows.
    pub tcp: bool,
}

impl Rules<'_> {
    /// Is it a web page that asks? None may. A page that was loaded from elsewhere is known by its `Origin`, and one whose
    /// name was made to lead here after it was loaded (DNS rebinding) by the `Host` that it believes to talk to.
    pub(super) fn check_page(&self, request: &Request<'_>) -> Result<(), Problem> {
        if request.values("origin").next().is_some() {
            return Err(Problem::new(Status::Forbidden, "web pages may not ask here (the request has an Origin)"));
        }
        let host = request.host().and_then(Authority::parse);
        if self.tcp && host.is_some_and(|host| !is_loopback(host.host)) {
            let text = "the Host of the request must be localhost or a loopback address";
            return Err(Problem::new(Status::Forbidden, text));
        }
        Ok(())
    }

    /// Whose key it is.
    pub(super) fn check_key(&self, request: &Request<'_>, unix_now: u64) -> Result<Option<Identity>, Problem> {
        let Some(keys) = self.keys else { return Ok(None) };
        let header_only = TokenSources { cookie: None, query: false };
        let Some(credential) = credentials(request, &header_only) else {
            return Err(Problem::new(Status::Unauthorized, "a key is needed: send Authorization: Bearer KEY"));
        };
        let checked = keys.check(&credential.token, unix_now);
        checked.map(Some).map_err(|denial| Problem::new(Status::Unauthorized, denial.to_string()))
    }
}

/// The length of the body, which must be a text of up to `most` bytes.
pub(super) fn body_len(request: &Request<'_>, most: usize) -> Result<usize, Problem> {
    if request.values("transfer-encoding").next().is_some() {
        return Err(Problem::new(Status::LengthRequired, "send Content-Length instead of Transfer-Encoding"));
    }
    let Some(length) = request.single("Content-Length")? else {
        return Err(Problem::new(Status::LengthRequired, "send Content-Length and the text as the body"));
    };
    if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::bad("Content-Length must be a whole number"));
    }
    // A number that is too long for the type is too long for the limit as well.
    let length = length.parse().unwrap_or(usize::MAX);
    if length > most {
        return Err(Problem::new(Status::ContentTooLarge, format!("the text may have {most} bytes (limits.message)")));
    }
    let kind = request.single("Content-Type")?.unwrap_or("text/plain");
    let (kind, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let charset = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("charset="));
    let is_utf8 = charset.is_none_or(|charset| charset.trim_matches('"').eq_ignore_ascii_case("utf-8"));
    if !kind.trim().eq_ignore_ascii_case("text/plain") || !is_utf8 {
        let text = "send the text as it is, with Content-Type: text/plain (in UTF-8)";
        return Err(Problem::new(Status::UnsupportedMediaType, text));
    }
    Ok(length)
}

fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::request::{HeadLimits, Parsed, parse};

    const KEY: &str = "abc";
    /// `KEY`, hashed.
    const LINE: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn with<T>(headers: &str, look: impl FnOnce(&Request<'_>) -> T) -> T {
        let head = format!("POST /v1/rooms/dev/messages HTTP/1.1\r\n{headers}\r\n");
        match parse(head.as_bytes(), HeadLimits { bytes: 8192, headers: 8 }) {
            Ok(Parsed::Complete { request, .. }) => look(&request),
            other => panic!("{other:?}"),
        }
    }

    fn length(headers: &str) -> Result<usize, u16> {
        let headers = format!("Host: localhost\r\n{headers}");
        with(&headers, |request| body_len(request, 100)).map_err(|problem| problem.status().code())
    }

    #[test]
    fn a_body_has_a_length_and_a_kind() {
        assert_eq!(length("Content-Length: 100\r\n"), Ok(100));
        assert_eq!(length("Content-Length: 0\r\nContent-Type: text/plain; charset=\"UTF-8\"\r\n"), Ok(0));
        assert_eq!(length("Content-Length: 101\r\n"), Err(413));
        assert_eq!(length("Content-Length: 99999999999999999999999\r\n"), Err(413));
        assert_eq!(length(""), Err(411));
        assert_eq!(length("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), Err(411));
        for bad in ["+1", "-1", "1 2", "x", ""] {
            assert_eq!(length(&format!("Content-Length: {bad}\r\n")), Err(400), "{bad:?}");
        }
        assert_eq!(length("Content-Length: 1\r\nContent-Length: 1\r\n"), Err(400));
        for kind in ["application/json", "application/x-www-form-urlencoded", "text/plain; charset=latin1", ""] {
            assert_eq!(length(&format!("Content-Length: 1\r\nContent-Type: {kind}\r\n")), Err(415), "{kind:?}");
        }
    }

    #[test]
    fn web_pages_are_refused() {
        let page = |tcp, headers: &str| with(headers, |request| Rules { keys: None, tcp }.check_page(request)).is_ok();
        for host in ["localhost", "LOCALHOST:9090", "127.0.0.1:1", "127.8.8.8", "[::1]:9090"] {
            assert!(page(true, &format!("Host: {host}\r\n")), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "[2001:db8::1]", "192.0.2.7", "localhost.example"] {
            assert!(!page(true, &format!("Host: {host}\r\n")), "{host}");
            assert!(page(false, &format!("Host: {host}\r\n")), "a browser cannot reach a Unix socket");
        }
        for origin in ["http://localhost", "null", ""] {
            assert!(!page(true, &format!("Host: localhost\r\nOrigin: {origin}\r\n")), "{origin}");
            assert!(!page(false, &format!("Host: localhost\r\nOrigin: {origin}\r\n")), "{origin}");
        }
    }

    #[test]
    fn a_key_is_needed_where_there_are_keys() {
        let keys = AccessKeys::parse(&format!("{LINE} name=ops rooms=dev")).unwrap();
        let check = |headers: &str| {
            let headers = format!("Host: localhost\r\n{headers}");
            with(&headers, |request| Rules { keys: Some(&keys), tcp: true }.check_key(request, 0))
        };
        let ops = check(&format!("Authorization: Bearer {KEY}\r\n")).unwrap().unwrap();
        assert_eq!(ops.name.as_deref(), Some("ops"));
        assert!(ops.may_enter("dev") && !ops.may_enter("lobby"));
        for bad in
            ["", "Authorization: Bearer abd\r\n", "Authorization: Basic abc\r\n", "Cookie: hollerd_token=abc\r\n"]
        {
            assert_eq!(check(bad).unwrap_err().status(), Status::Unauthorized, "{bad:?}");
        }
        assert_eq!(
            with("Host: x\r\n", |request| Rules { keys: None, tcp: false }.check_key(request, 0)).unwrap(),
            None
        );
    }
}
