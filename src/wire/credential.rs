//! Where a token travels in a request, since a browser cannot set headers of its own.

use std::borrow::Cow;
use std::fmt;

use super::request::Request;

/// A token as the request carries it: found, not yet checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential<'a> {
    /// Where it was found.
    pub source: Source,
    /// The token itself, never empty; a secret.
    pub token: Cow<'a, str>,
}

/// The places a token may travel in, in the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// `Authorization: Bearer TOKEN` (RFC 6750 section 2.1).
    Authorization,
    /// `Sec-WebSocket-Protocol: bearer.TOKEN`, all that a script in a browser can set.
    Subprotocol,
    /// The cookie of the configured name.
    Cookie,
    /// `?token=TOKEN`, which ends up in other people's logs and is therefore off by default.
    Query,
}

/// Which of the optional places are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenSources<'c> {
    /// The name of the cookie to look at, if any.
    pub cookie: Option<&'c str>,
    /// Whether `?token=` counts.
    pub query: bool,
}

/// The first token in the order of [`Source`]; `None` when the request carries none.
///
/// Empty tokens count as none. Whether the token is any good is for the caller to find out: a bad
/// one in the first place is not made up for by a good one in a later place.
pub fn credentials<'a>(request: &Request<'a>, sources: &TokenSources<'_>) -> Option<Credential<'a>> {
    let found = |source: Source, token: &'a str| Credential { source, token: Cow::Borrowed(token) };
    authorization(request)
        .map(|token| found(Source::Authorization, token))
        .or_else(|| subprotocol(request).map(|token| found(Source::Subprotocol, token)))
        .or_else(|| {
            let name = sources.cookie?;
            cookie(request, name).map(|token| found(Source::Cookie, token))
        })
        .or_else(|| {
            let token = sources.query.then(|| query(request)).flatten()?;
            Some(Credential { source: Source::Query, token })
        })
}

/// Shows where the token is, never what it is.
impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("source", &self.source).finish_non_exhaustive()
    }
}

fn authorization<'a>(request: &Request<'a>) -> Option<&'a str> {
    request.values("authorization").filter_map(text).find_map(|value| {
        let (scheme, token) = value.split_once(' ')?;
        // RFC 9110 section 11.1: the scheme's letter case does not matter.
        filled(token.trim_ascii()).filter(|_| scheme.eq_ignore_ascii_case("bearer"))
    })
}

fn subprotocol<'a>(request: &Request<'a>) -> Option<&'a str> {
    request
        .elements("sec-websocket-protocol")
        .filter_map(text)
        .find_map(|offered| filled(offered.strip_prefix(BEARER_PREFIX)?))
}

/// Reads `name=value` pairs as RFC 6265 section 4.2.1 has them, quotes around the value taken off.
fn cookie<'a>(request: &Request<'a>, name: &str) -> Option<&'a str> {
    request
        .values("cookie")
        .filter_map(text)
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim_ascii().split_once('='))
        .filter(|(have, _)| *have == name)
        .find_map(|(_, value)| {
            let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            filled(bare.unwrap_or(value))
        })
}

fn query<'a>(request: &Request<'a>) -> Option<Cow<'a, str>> {
    let value = request.query()?.split('&').find_map(|pair| filled(pair.strip_prefix("token=")?))?;
    Some(percent_decoded(value))
}

/// Decodes `%XX` (RFC 3986 section 2.1). What is no escape stays as it is and lets the token check
/// fail, and so does a plus sign, which means itself in a base64 token.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let escape = match tail {
            [high, low, after @ ..] if *first == b'%' => hex(*high).zip(hex(*low)).map(|digits| (digits, after)),
            _ => None,
        };
        if let Some(((high, low), after)) = escape {
            decoded.push(high << 4 | low);
            rest = after;
        } else {
            decoded.push(*first);
        }
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

fn filled(token: &str) -> Option<&str> {
    (!token.is_empty()).then_some(token)
}

/// What marks an offered subprotocol as a token in disguise, which is never answered with.
pub(crate) const BEARER_PREFIX: &str = "bearer.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::request::{HeadLimits, Parsed, parse};

    const EVERYWHERE: TokenSources<'static> = TokenSources { cookie: Some("session"), query: true };

    /// Finds the credential of a request for `target` with the header lines `lines`.
    fn find(target: &str, lines: &[&str], sources: &TokenSources<'_>) -> Option<(Source, String)> {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let head = format!("GET {target} HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        let limits = HeadLimits { bytes: 8192, headers: 64 };
        let Ok(Parsed::Complete { request, .. }) = parse(head.as_bytes(), limits) else {
            panic!("bad test head {head:?}");
        };
        credentials(&request, sources).map(|found| (found.source, found.token.into_owned()))
    }

    #[test]
    fn a_token_is_found_in_every_header_it_may_travel_in() {
        use Source::{Authorization, Cookie, Subprotocol};
        for (line, source, token) in [
            ("Authorization: Bearer a.b.c", Authorization, "a.b.c"),
            ("authorization: bEARER   x", Authorization, "x"),
            ("Sec-WebSocket-Protocol: hollerd.text, bearer.t0k", Subprotocol, "t0k"),
            ("sec-websocket-protocol: bearer.x.y", Subprotocol, "x.y"),
            ("Cookie: a=1; session=s3; b=2", Cookie, "s3"),
            ("Cookie: xsession=0;session=\"quoted=\"", Cookie, "quoted="),
            ("Cookie: session=\"half", Cookie, "\"half"),
        ] {
            let found = find("/ws", &["X: y", line], &EVERYWHERE);
            assert_eq!(found, Some((source, token.to_owned())), "{line}");
        }
        let lines = ["Cookie: a=1", "Cookie: session=two"];
        assert_eq!(find("/ws", &lines, &EVERYWHERE), Some((Cookie, "two".to_owned())));
    }

    #[test]
    fn a_token_is_found_in_the_query() {
        for (target, token) in [
            ("/ws?token=q", "q"),
            ("/ws?a=1&token=a%2Bb%3d+c&token=z", "a+b=+c"),
            ("/ws?token=&token=x", "x"),
            ("http://h/ws?token=abs", "abs"),
        ] {
            let found = find(target, &[], &EVERYWHERE);
            assert_eq!(found, Some((Source::Query, token.to_owned())), "{target}");
        }
    }

    #[test]
    fn the_order_of_sources_decides() {
        let lines = ["Cookie: session=c", "Sec-WebSocket-Protocol: bearer.p", "Authorization: Bearer a"];
        for (kept, source) in
            [(3, Source::Authorization), (2, Source::Subprotocol), (1, Source::Cookie), (0, Source::Query)]
        {
            let found = find("/ws?token=q", &lines[..kept], &EVERYWHERE).unwrap();
            assert_eq!(found.0, source);
        }
    }

    #[test]
    fn what_is_no_token_is_passed_over() {
        for (target, lines) in [
            ("/ws", &[][..]),
            ("/ws", &["Authorization: Basic eDp5"]),
            ("/ws", &["Authorization: Bearer"]),
            ("/ws", &["Authorization: Bearer "]),
            ("/ws", &["Authorization: Bearertoken"]),
            ("/ws", &["Sec-WebSocket-Protocol: bearer., bearer, hollerd.text"]),
            ("/ws", &["Sec-WebSocket-Protocol: Bearer.x"]),
            ("/ws", &["Cookie: Session=x; session=; session; =x; sessionx=y"]),
            ("/ws?", &[]),
            ("/ws?Token=x&xtoken=y&token", &[]),
        ] {
            assert_eq!(find(target, lines, &EVERYWHERE), None, "{target} {lines:?}");
        }
    }

    #[test]
    fn closed_places_are_not_looked_at() {
        let closed = TokenSources::default();
        assert_eq!(find("/ws?token=q", &["Cookie: session=c"], &closed), None);
        let other_cookie = TokenSources { cookie: Some("other"), query: false };
        assert_eq!(find("/ws?token=q", &["Cookie: session=c"], &other_cookie), None);
    }

    #[test]
    fn escapes_are_decoded_and_broken_ones_kept() {
        for (text, decoded) in [
            ("plain", "plain"),
            ("%41%7a", "Az"),
            ("%c3%A9", "\u{e9}"),
            ("100%", "100%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
            ("%%41", "%A"),
            ("%ff", "\u{fffd}"),
        ] {
            assert_eq!(percent_decoded(text), decoded, "{text}");
        }
    }

    #[test]
    fn debug_output_keeps_the_token() {
        let credential = Credential { source: Source::Cookie, token: Cow::Borrowed("hush") };
        let shown = format!("{credential:?}");
        assert!(shown.contains("Cookie") && !shown.contains("hush"), "{shown}");
    }
}
