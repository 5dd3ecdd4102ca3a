//! The header that a proxy puts in front of everything else, also of TLS, to say whose connection it is: the PROXY protocol,
//! versions 1 and 2 (<https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt>).
//!
//! Pure and incremental: the caller shows all that has come so far, as often as it likes, and is told when the header is
//! whole and how long it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest header that is taken, in bytes. Version 1 has 107 at the most; version 2 could have 65,551, but nobody needs
/// more than the addresses (232) and a few of the values behind them, which are not looked at.
pub const HEADER_MAX: usize = V2_FIXED + 1024;

/// Version 1: the longest line, its end included.
const V1_MAX: usize = 107;
const V1_START: &[u8] = b"PROXY ";
const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2: signature, version and command, family, length.
const V2_FIXED: usize = 16;

/// What has come so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// It may become a header.
    Partial,
    /// A whole one, of `len` bytes; what follows is what the client says.
    Whole {
        /// The client's address. `None` if the proxy speaks for itself (`LOCAL`, a health check), does not know whom it
        /// speaks for (`UNKNOWN`), or for somebody without an IP address.
        source: Option<SocketAddr>,
        /// Its length in bytes, at most [`HEADER_MAX`].
        len: usize,
    },
}

/// Looks at all bytes of a connection that have come so far.
///
/// # Errors
/// What is wrong with them, for the log.
pub fn parse(bytes: &[u8]) -> Result<Parsed, &'static str> {
    let begins = |start: &[u8]| bytes.iter().zip(start).all(|(byte, expected)| byte == expected);
    if begins(V2_START) {
        version_2(bytes)
    } else if begins(V1_START) {
        version_1(bytes)
    } else {
        Err("no PROXY protocol header, although proxy.protocol asks for one")
    }
}

fn version_1(bytes: &[u8]) -> Result<Parsed, &'static str> {
    let within = bytes.get(..V1_MAX).unwrap_or(bytes);
    let Some(end) = within.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < V1_MAX { Ok(Parsed::Partial) } else { Err("the PROXY line is too long") };
    };
    let bad = "the PROXY line is malformed";
    let line = within.get(V1_START.len()..end).and_then(|line| std::str::from_utf8(line).ok()).ok_or(bad)?;
    let len = end + 2;
    if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        return Ok(Parsed::Whole { source: None, len });
    }
    let parts: Vec<&str> = line.split(' ').collect();
    let [family, source, destination, source_port, destination_port] = parts.as_slice() else { return Err(bad) };
    let address = |text: &str| -> Option<IpAddr> {
        match *family {
            "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let whole = address(destination).is_some() && port(destination_port).is_some();
    let source = address(source).zip(port(source_port)).filter(|_| whole).ok_or(bad)?;
    Ok(Parsed::Whole { source: Some(canonical(source)), len })
}

/// A decimal number without sign and leading zeros.
fn port(text: &str) -> Option<u16> {
    let plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    text.parse().ok().filter(|_| plain)
}

fn version_2(bytes: &[u8]) -> Result<Parsed, &'static str> {
    let Some(&[command, family, high, low]) = bytes.get(V2_START.len()..).and_then(|rest| rest.first_chunk()) else {
        return Ok(Parsed::Partial);
    };
    let len = V2_FIXED + usize::from(u16::from_be_bytes([high, low]));
    if len > HEADER_MAX {
        return Err("the PROXY header is too long");
    }
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err("the PROXY header has an unknown version or command"),
    };
    let Some(body) = bytes.get(V2_FIXED..len) else { return Ok(Parsed::Partial) };
    if is_local {
        return Ok(Parsed::Whole { source: None, len });
    }
    let short = "the PROXY header is shorter than its addresses";
    let source = match family {
        // Unspecified, and Unix sockets.
        0x00 => None,
        0x31 => body.first_chunk::<216>().map(|_| None).ok_or(short)?,
        0x11 => {
            let &[a, b, c, d, _, _, _, _, high, low, ..] = body.first_chunk::<12>().ok_or(short)?;
            Some((IpAddr::from([a, b, c, d]), u16::from_be_bytes([high, low])))
        }
        0x21 => {
            let addresses = body.first_chunk::<36>().ok_or(short)?;
            let ip = addresses.first_chunk::<16>().ok_or(short)?;
            let &[high, low] = addresses.get(32..).and_then(|ports| ports.first_chunk()).ok_or(short)?;
            Some((IpAddr::from(*ip), u16::from_be_bytes([high, low])))
        }
        _ => return Err("the PROXY header speaks of something else than a TCP connection"),
    };
    Ok(Parsed::Whole { source: source.map(canonical), len })
}

fn canonical((ip, port): (IpAddr, u16)) -> SocketAddr {
    SocketAddr::new(ip.to_canonical(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [V2_START, &[command, family], &length, body].concat()
    }

    fn inet() -> Vec<u8> {
        vec![192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x67, 0x1f, 0x90]
    }

    fn inet6() -> Vec<u8> {
        let source: Ipv6Addr = "2001:db8::1".parse().unwrap();
        [&source.octets()[..], &[0; 16], &[0x12, 0x67, 0, 0]].concat()
    }

    #[test]
    fn whole_headers_at_every_split() {
        let long = [inet(), vec![7; HEADER_MAX - V2_FIXED - 12]].concat();
        for (header, source) in [
            (b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 8080\r\n".to_vec(), Some("192.0.2.1:4711")),
            (b"PROXY TCP6 2001:db8::1 ::1 0 65535\r\n".to_vec(), Some("[2001:db8::1]:0")),
            (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 1\r\n".to_vec(), Some("192.0.2.1:1")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff:f::f ffff:f::f 65535 65535\r\n".to_vec(), None),
            (v2(0x21, 0x11, &inet()), Some("192.0.2.1:4711")),
            (v2(0x21, 0x11, &long), Some("192.0.2.1:4711")),
            (v2(0x21, 0x21, &inet6()), Some("[2001:db8::1]:4711")),
            (v2(0x21, 0x31, &[0; 216]), None),
            (v2(0x21, 0x00, b"\x04\0\x01x"), None),
            (v2(0x20, 0x00, b""), None),
            (v2(0x20, 0xff, b"whatever"), None),
        ] {
            let whole = Parsed::Whole { source: source.map(|text| text.parse().unwrap()), len: header.len() };
            let with_more = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
            for end in 0..with_more.len() {
                let expected = if end < header.len() { Parsed::Partial } else { whole };
                assert_eq!(parse(&with_more[..end]), Ok(expected), "{} of {}", end, header.escape_ascii());
            }
        }
    }

    #[test]
    fn what_is_no_header() {
        for (bytes, why) in [
            (b"G".to_vec(), "no PROXY"),
            (b"PROXX".to_vec(), "no PROXY"),
            (b"\r\n\r\nGET".to_vec(), "no PROXY"),
            (b"\x16\x03\x01".to_vec(), "no PROXY"),
            (b"PROXY TCP4 192.0.2.1 10.0.0.1 4711\r\n".to_vec(), "malformed"),
            (b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 8080 \r\n".to_vec(), "malformed"),
            (b"PROXY TCP4  192.0.2.1 10.0.0.1 4711 8080\r\n".to_vec(), "malformed"),
            (b"PROXY TCP4 2001:db8::1 ::1 4711 8080\r\n".to_vec(), "malformed"),
            (b"PROXY TCP6 192.0.2.1 10.0.0.1 4711 8080\r\n".to_vec(), "malformed"),
            (b"PROXY TCP4 192.0.2.1 10.0.0.1 04711 8080\r\n".to_vec(), "malformed"),
            (b"PROXY TCP4 192.0.2.1 10.0.0.1 +1 8080\r\n".to_vec(), "malformed"),
            (b"PROXY TCP4 192.0.2.1 10.0.0.1 1 65536\r\n".to_vec(), "malformed"),
            (b"PROXY UDP4 192.0.2.1 10.0.0.1 1 1\r\n".to_vec(), "malformed"),
            (b"PROXY \xff\r\n".to_vec(), "malformed"),
            (b"PROXY \r\n".to_vec(), "malformed"),
            (format!("PROXY UNKNOWN {}", "x".repeat(93)).into_bytes(), "too long"),
            (v2(0x31, 0x11, &inet()), "version or command"),
            (v2(0x22, 0x11, &inet()), "version or command"),
            (v2(0x21, 0x12, &inet()), "something else"),
            (v2(0x21, 0x11, &inet()[..11]), "shorter"),
            (v2(0x21, 0x21, &inet6()[..35]), "shorter"),
            (v2(0x21, 0x31, &[0; 215]), "shorter"),
            (v2(0x21, 0x11, &[0; 1025])[..V2_FIXED].to_vec(), "too long"),
        ] {
            let error = parse(&bytes).unwrap_err();
            assert!(error.contains(why), "{error} for {}", bytes.escape_ascii());
        }
    }
}
