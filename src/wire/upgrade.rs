//! What a client must send for its request to become a WebSocket, and what it may choose.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest as _, Sha1};

use super::credential::BEARER_PREFIX;
use super::request::{Request, Version, is_token_byte};
use super::response::{Refusal, Status};

/// What a well-formed request wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind<'a> {
    /// A WebSocket, properly asked for.
    Upgrade(Upgrade<'a>),
    /// Anything else. On a path that speaks WebSocket only, the caller answers 426.
    Plain,
}

/// A request that keeps every rule of RFC 6455 section 4.2.1.
///
/// Offered extensions are not in it: the server declines them all by not naming any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade<'a> {
    /// `Sec-WebSocket-Key`, for [`accept_key`].
    pub key: &'a str,
    /// The host the client meant to reach, for [`super::origin::check`].
    pub host: &'a str,
    /// The page the request comes from; `None` outside browsers.
    pub origin: Option<&'a str>,
    /// The subprotocols offered, most wanted first, without those that carry a token.
    pub protocols: Vec<&'a str>,
}

/// Tells an upgrade from a plain request.
///
/// A request intends an upgrade when `Upgrade` names `websocket`, or when it has a header only a
/// WebSocket handshake has: the second kind comes from proxies that drop `Upgrade` on the way, and
/// deserves a better answer than the page.
///
/// # Errors
/// 400, 405 or 426 for an intended upgrade that breaks a rule, saying which.
pub fn classify<'a>(request: &Request<'a>) -> Result<Kind<'a>, Refusal> {
    let names_websocket = request.has_element("upgrade", "websocket");
    let has_own_header =
        ["sec-websocket-key", "sec-websocket-version"].iter().any(|name| request.values(name).next().is_some());
    if !names_websocket && !has_own_header {
        return Ok(Kind::Plain);
    }
    check_request(request)?;
    check_intent(request, names_websocket)?;
    Ok(Kind::Upgrade(Upgrade {
        key: key_of(request)?,
        host: request
            .host()
            .ok_or_else(|| Refusal::bad_request("a WebSocket upgrade needs a Host header that names a host"))?,
        origin: request.single("Origin")?,
        protocols: protocols_of(request)?,
    }))
}

/// The answer to a `Sec-WebSocket-Key`: SHA-1 over key and GUID, in base64 (RFC 6455 section 4.2.2).
pub fn accept_key(key: &str) -> String {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    BASE64_STANDARD.encode(digest)
}

/// The first of the client's offers that is in `supported`; the client's order is its preference.
///
/// A Chromium browser fails the connection when it offered something and nothing was selected. A page
/// that sends its token as `bearer.TOKEN` must therefore offer a real protocol beside it, such as
/// [`TEXT_PROTOCOL`]; the token is never echoed, not even when it is all there is. Other clients
/// go on without a subprotocol, and so does the server.
pub fn select_protocol<'s>(offered: &[&str], supported: &[&'s str]) -> Option<&'s str> {
    offered
        .iter()
        .filter(|offer| !offer.starts_with(BEARER_PREFIX))
        .find_map(|offer| supported.iter().copied().find(|name| name == offer))
}

/// What RFC 6455 section 4.1 fixes about the request as such, and what would make frames ambiguous.
fn check_request(request: &Request<'_>) -> Result<(), Refusal> {
    if request.method() != "GET" {
        return Err(Refusal::new(Status::MethodNotAllowed, "a WebSocket upgrade is made with GET"));
    }
    if request.version() != Version::Http11 {
        return Err(Refusal::bad_request(
            "a WebSocket upgrade needs HTTP/1.1; a proxy in between may have to be told (nginx: proxy_http_version 1.1)",
        ));
    }
    // Two readers of one head must not take two different tokens from it.
    request.single("Authorization")?;
    // A body would have to be read first (RFC 9110 section 7.8), or be mistaken for frames.
    let has_length = request.values("content-length").any(|length| length != b"0");
    if has_length || request.values("transfer-encoding").next().is_some() {
        return Err(Refusal::bad_request("a WebSocket upgrade must not have a body"));
    }
    Ok(())
}

/// The three headers that say "WebSocket, version 13".
fn check_intent(request: &Request<'_>, names_websocket: bool) -> Result<(), Refusal> {
    if !names_websocket {
        return Err(Refusal::new(
            Status::UpgradeRequired,
            "the header Upgrade: websocket is missing; a proxy in between has to pass on Upgrade and Connection",
        ));
    }
    if !request.has_element("connection", "upgrade") {
        return Err(Refusal::bad_request(
            "the header Connection: Upgrade is missing; a proxy in between has to pass on Upgrade and Connection",
        ));
    }
    // RFC 6455 section 4.4: an unknown version is answered with the one we know.
    if request.single("Sec-WebSocket-Version")? != Some("13") {
        return Err(Refusal::new(Status::UpgradeRequired, "Sec-WebSocket-Version must be 13, the version of RFC 6455"));
    }
    Ok(())
}

fn key_of<'a>(request: &Request<'a>) -> Result<&'a str, Refusal> {
    let key = request
        .single("Sec-WebSocket-Key")?
        .ok_or_else(|| Refusal::bad_request("the header Sec-WebSocket-Key is missing"))?;
    if is_key(key) {
        Ok(key)
    } else {
        Err(Refusal::bad_request("Sec-WebSocket-Key must be 16 bytes in base64, such as dGhlIHNhbXBsZSBub25jZQ=="))
    }
}

/// Whether `key` is base64 of exactly 16 bytes: 22 digits and two of padding.
///
/// The four bits of the last digit that no byte uses may be anything: the accept key is made from
/// the text, RFC 6455 section 4.2.1 does not ask for decoding, and clients exist that set them.
fn is_key(key: &str) -> bool {
    key.strip_suffix("==").is_some_and(|digits| {
        digits.len() == 22 && digits.bytes().all(|digit| digit.is_ascii_alphanumeric() || b"+/".contains(&digit))
    })
}

/// Reads the offers of all `Sec-WebSocket-Protocol` lines; refusals never quote them, as one may be a token.
fn protocols_of<'a>(request: &Request<'a>) -> Result<Vec<&'a str>, Refusal> {
    let mut protocols = Vec::new();
    for (count, offer) in request.elements("sec-websocket-protocol").enumerate() {
        if count == PROTOCOLS_MAX {
            return Err(Refusal::bad_request(format!(
                "more than {PROTOCOLS_MAX} subprotocols are offered; offer fewer"
            )));
        }
        // RFC 6455 section 4.1, item 10: each is a token in the sense of HTTP.
        match std::str::from_utf8(offer) {
            Ok(name) if name.bytes().all(is_token_byte) => {
                if !name.starts_with(BEARER_PREFIX) {
                    protocols.push(name);
                }
            }
            _ => {
                return Err(Refusal::bad_request(
                    "an offered subprotocol has a character that is not allowed there; \
                     send a token as base64url without padding (=)",
                ));
            }
        }
    }
    Ok(protocols)
}

/// The name under which the plain text protocol can be asked for.
pub const TEXT_PROTOCOL: &str = "hollerd.text";

/// Offers beyond this are refused; known clients make fewer than five.
pub const PROTOCOLS_MAX: usize = 32;

/// Fixed by RFC 6455 section 1.3.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::credential::{TokenSources, credentials};
    use crate::wire::request::{HeadLimits, Parsed, parse, parse_from};
    use crate::wire::{origin, path};

    const LIMITS: HeadLimits = HeadLimits { bytes: 8 * 1024, headers: 64 };

    const LINES: [&str; 5] = [
        "Host: chat.example",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];

    /// A sound head with the lines of one header (told by its name) replaced by `lines`.
    fn head_with(name: &str, lines: &[&str]) -> Vec<u8> {
        let mut head = "GET /ws HTTP/1.1\r\n".to_owned();
        for line in LINES.iter().filter(|line| !line.starts_with(&format!("{name}:"))).chain(lines) {
            head.push_str(line);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Classifies a head; only the status and text of a refusal, or the upgrade, leave this function.
    fn check(head: &[u8]) -> Result<Option<Upgrade<'_>>, Refusal> {
        match parse(head, LIMITS)? {
            Parsed::Complete { request, .. } => Ok(match classify(&request)? {
                Kind::Upgrade(upgrade) => Some(upgrade),
                Kind::Plain => None,
            }),
            Parsed::Partial => panic!("partial: {}", head.escape_ascii()),
        }
    }

    #[test]
    fn a_sound_request_is_an_upgrade() {
        let head = head_with("", &["Origin: https://chat.example", "Sec-WebSocket-Protocol: hollerd.text, bearer.t"]);
        assert_eq!(
            check(&head),
            Ok(Some(Upgrade {
                key: "dGhlIHNhbXBsZSBub25jZQ==",
                host: "chat.example",
                origin: Some("https://chat.example"),
                protocols: vec!["hollerd.text"],
            }))
        );
    }

    #[test]
    fn headers_may_be_lists_and_come_in_several_lines() {
        for (name, lines) in [
            ("Connection", &["connection: keep-alive, upgrade"][..]),
            ("Connection", &["Connection: keep-alive", "Connection: UPGRADE"]),
            ("Connection", &["Connection: Upgrade, Upgrade", "Connection: Upgrade"]),
            ("Upgrade", &["Upgrade: WebSocket"]),
            ("Upgrade", &["Upgrade: h2c, websocket"]),
            ("Upgrade", &["Upgrade: h2c", "Upgrade: websocket"]),
            ("", &["Sec-WebSocket-Extensions: permessage-deflate; x=\"a,b", "Sec-WebSocket-Extensions: ,;;=\u{e9}"]),
            ("", &["Content-Length: 0"]),
            ("Sec-WebSocket-Key", &["SEC-WEBSOCKET-KEY:   AAAAAAAAAAAAAAAAAAAAAA==  "]),
            ("Sec-WebSocket-Key", &["Sec-WebSocket-Key: /+/+/+/+/+/+/+/+/+/+/z=="]),
        ] {
            let head = head_with(name, lines);
            assert!(matches!(check(&head), Ok(Some(_))), "{lines:?}: {:?}", check(&head));
        }
    }

    /// Asserts that a head with `lines` in place of the header `name` is refused, and how.
    #[track_caller]
    fn refused(name: &str, lines: &[&str], status: u16, hint: &str) {
        let refusal = check(&head_with(name, lines)).unwrap_err();
        assert_eq!(refusal.status().code(), status, "{name} {lines:?}");
        assert!(refusal.text().contains(hint), "{refusal} for {lines:?}");
    }

    #[test]
    fn missing_and_wrong_headers_are_told_the_rule() {
        refused("Host", &[], 400, "Host");
        refused("Host", &["Host:"], 400, "Host");
        refused("Upgrade", &[], 426, "Upgrade: websocket");
        refused("Upgrade", &["Upgrade: websockets"], 426, "websocket");
        refused("Connection", &[], 400, "Connection: Upgrade");
        refused("Connection", &["Connection: close, upgrades"], 400, "Upgrade");
        for version in ["8", "13, 8", "013", "13.0", ""] {
            let line = format!("Sec-WebSocket-Version: {version}");
            refused("Sec-WebSocket-Version", &[&line], 426, "must be 13");
        }
        refused("Sec-WebSocket-Version", &[], 426, "must be 13");
        refused("", &["Content-Length: 5"], 400, "body");
        refused("", &["Transfer-Encoding: chunked"], 400, "body");
    }

    #[test]
    fn keys_are_base64_of_sixteen_bytes() {
        for key in [
            "",
            "==",
            "SGVsbG8sIHdvcmxkIQ==",
            "AAAAAAAAAAAAAAAAAAAAAAA=",
            "AAAAAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAA-AAAAAAAAAA==",
            "AAAAAAAAAAAAAAAAAAAAA===",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        ] {
            let line = format!("Sec-WebSocket-Key: {key}");
            refused("Sec-WebSocket-Key", &[&line], 400, "16 bytes");
        }
        refused("Sec-WebSocket-Key", &[], 400, "missing");
        refused("Sec-WebSocket-Key", &["Sec-WebSocket-Key: \u{e9}"], 400, "ASCII");
    }

    #[test]
    fn what_may_stand_once_is_refused_twice() {
        // The same value twice is no better: the next program on the way may see only one.
        for name in ["Host", "Origin", "Authorization", "Sec-WebSocket-Key", "Sec-WebSocket-Version"] {
            let line = LINES
                .iter()
                .find(|line| line.starts_with(name))
                .map_or_else(|| format!("{name}: Bearer a"), |line| (*line).to_owned());
            refused(name, &[&line, &line], 400, &format!("more than one {name}"));
        }
    }

    #[test]
    fn bad_subprotocols_are_refused_without_quoting_a_token() {
        refused("", &["Sec-WebSocket-Protocol: a b"], 400, "subprotocol");
        refused("", &["Sec-WebSocket-Protocol: a, b\u{e9}"], 400, "subprotocol");
        let head = head_with("", &["Sec-WebSocket-Protocol: bearer.YQ=="]);
        let refusal = check(&head).unwrap_err();
        assert!(refusal.text().contains("padding") && !refusal.text().contains("YQ"), "{refusal}");
    }

    #[test]
    fn method_and_version_are_checked() {
        let sound = String::from_utf8(head_with("", &[])).unwrap();
        for method in ["POST", "HEAD", "get", "OPTIONS"] {
            let refusal = check(sound.replacen("GET", method, 1).as_bytes()).unwrap_err();
            assert_eq!(refusal.status(), Status::MethodNotAllowed, "{method}");
        }
        let old = check(sound.replacen("HTTP/1.1", "HTTP/1.0", 1).as_bytes()).unwrap_err();
        assert_eq!(old.status(), Status::BadRequest);
        assert!(old.text().contains("HTTP/1.1"), "{old}");
    }

    #[test]
    fn without_intent_a_request_is_plain() {
        for head in [
            "GET /ws HTTP/1.1\r\nHost: h\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
            "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n",
            "GET /healthz HTTP/1.0\r\n\r\n",
        ] {
            assert_eq!(check(head.as_bytes()), Ok(None), "{head}");
        }
    }

    #[test]
    fn the_accept_key_of_the_rfc() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn protocols_are_bounded() {
        let many = |n: usize| format!("Sec-WebSocket-Protocol: {}", vec!["p"; n].join(","));
        let (fits, too_many) = (many(PROTOCOLS_MAX), many(PROTOCOLS_MAX + 1));
        assert!(check(&head_with("", &[&fits])).is_ok());
        assert!(check(&head_with("", &[&too_many])).unwrap_err().text().contains("subprotocols"));
        // The bound is on all lines together, or it would be none.
        assert!(check(&head_with("", &[&fits, "Sec-WebSocket-Protocol: q"])).is_err());
    }

    #[test]
    fn the_clients_order_selects_and_tokens_never() {
        let supported = [TEXT_PROTOCOL, "hollerd.json", "bearer.x"];
        for (offered, selected) in [
            (&[][..], None),
            (&["hollerd.json", "hollerd.text"], Some("hollerd.json")),
            (&["soap", "hollerd.text", "hollerd.json"], Some("hollerd.text")),
            (&["bearer.x", "hollerd.text"], Some("hollerd.text")),
            (&["bearer.x"], None),
            (&["HOLLERD.TEXT"], None),
            (&["mqtt"], None),
        ] {
            assert_eq!(select_protocol(offered, &supported), selected, "{offered:?}");
        }
    }

    /// xorshift64: the same heads on every run.
    struct Prng(u64);

    impl Prng {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
        }

        fn mutate(&mut self, head: &mut Vec<u8>) {
            const TELLING: &[u8] = b"\0\r\n\n\t :,;=%?#/@[]\"\x16\x7f\xff\xc3aZ0";
            let (at, byte) = (self.below(head.len()), TELLING[self.below(TELLING.len())]);
            let end = (at + self.below(24)).min(head.len());
            match self.below(6) {
                0 if !head.is_empty() => head[at] = byte,
                1 => head.insert(at, byte),
                2 => drop(head.drain(at..end)),
                3 => head.truncate(at),
                4 => {
                    let piece = head[at..end].to_vec();
                    let to = self.below(head.len());
                    head.splice(to..to, piece);
                }
                _ => head.splice(at..at, vec![byte; self.below(70)]).for_each(drop),
            }
        }
    }

    /// Everything a caller does with a head; returns whether it was complete, partial or refused.
    fn walk(head: &[u8]) -> usize {
        let parsed = match parse(head, LIMITS) {
            Ok(Parsed::Complete { request, head_len }) => (request, head_len),
            Ok(Parsed::Partial) => return 1,
            Err(refusal) => {
                assert!(matches!(refusal.status().code(), 400 | 405 | 431), "{refusal}");
                return 2;
            }
        };
        let (request, head_len) = parsed;
        assert!(head_len <= head.len() && head[..head_len].ends_with(b"\n"));
        // The end that was searched for and the end that was parsed are one.
        assert_eq!(crate::wire::request::find_end(head, 0), Some(head_len));
        let resumed = parse_from(head, head_len - 1, LIMITS);
        assert!(matches!(resumed, Ok(Parsed::Complete { head_len: n, .. }) if n == head_len));
        let everywhere = TokenSources { cookie: Some("session"), query: true };
        if let Some(credential) = credentials(&request, &everywhere) {
            assert!(!credential.token.is_empty());
        }
        if let Ok(Some(room)) = path::room_of(request.path(), "lobby") {
            assert!(path::is_room_name(room));
        }
        match classify(&request) {
            Ok(Kind::Upgrade(upgrade)) => {
                assert_eq!(accept_key(upgrade.key).len(), 28);
                let _ = origin::check(upgrade.origin, upgrade.host, &[]);
                let selected = select_protocol(&upgrade.protocols, &["a", TEXT_PROTOCOL]);
                assert!(selected.is_none_or(|name| upgrade.protocols.contains(&name)));
            }
            Ok(Kind::Plain) => {}
            Err(refusal) => assert!(refusal.render().ends_with(b"\n"), "{refusal}"),
        }
        0
    }

    #[test]
    fn mutated_heads_never_panic() {
        let seeds = [
            head_with("", &["Origin: http://[::1]:80", "Cookie: a=1; session=\"x\"", "Authorization: Bearer a.b.c"]),
            head_with(
                "Connection",
                &["Connection: keep-alive", "Connection: Upgrade", "Sec-WebSocket-Protocol: a, bearer.b"],
            ),
            b"GET http://h:1/ws/den?token=%41b%2 HTTP/1.1\r\nHost: h\r\n\r\n\x81\x80".to_vec(),
            b"\r\nGET /healthz HTTP/1.0\n\n".to_vec(),
        ];
        let mut prng = Prng(0x5eed_401e);
        let mut outcomes = [0_u32; 3];
        for round in 0..40_000 {
            let mut head = seeds[round % seeds.len()].clone();
            for _ in 0..=prng.below(4) {
                prng.mutate(&mut head);
            }
            outcomes[walk(&head)] += 1;
        }
        // All three outcomes are really reached, or the loop would prove nothing.
        assert!(outcomes.iter().all(|count| *count > 1_000), "{outcomes:?}");
    }
}
