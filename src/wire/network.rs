//! Whom to believe: one entry of a list of trusted peers, an address or a whole network of them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network (RFC 4632, RFC 4291 section 2.3), or everybody on a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum Network {
    /// All addresses that begin with the first `prefix` bits of `base`.
    Inet {
        /// The lowest of them.
        base: IpAddr,
        /// 0 to 32, or to 128.
        prefix: u8,
    },
    /// Those who come over a Unix socket.
    Unix,
}

/// The text is no network: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`, `::1` or `unix` are. One with bits behind its prefix
/// is none either, because it is not clear what was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotANetwork;

impl Network {
    /// Is this address one of them? `None` is somebody on a Unix socket. An IPv4 address counts as the same in its IPv6
    /// form (`::ffff:192.0.2.7`).
    pub fn contains(self, ip: Option<IpAddr>) -> bool {
        match (self, ip.map(|ip| ip.to_canonical())) {
            (Self::Unix, None) => true,
            (Self::Inet { base, prefix }, Some(ip)) if base.is_ipv4() == ip.is_ipv4() => {
                masked(ip, prefix) == bits(base)
            }
            (Self::Unix | Self::Inet { .. }, _) => false,
        }
    }
}

/// The address as a number whose highest bit is the first one.
fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

fn masked(ip: IpAddr, prefix: u8) -> u128 {
    bits(ip) & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let (base, prefix) = match text.split_once('/') {
            Some((base, prefix)) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => (base, Some(prefix)),
            Some(_) => return Err(NotANetwork),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| NotANetwork)?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(most), str::parse).map_err(|_| NotANetwork)?;
        if prefix > most || masked(base, prefix) != bits(base) {
            return Err(NotANetwork);
        }
        Ok(Self::Inet { base, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix => f.write_str("unix"),
            Self::Inet { base, prefix } if *prefix == if base.is_ipv4() { 32 } else { 128 } => base.fmt(f),
            Self::Inet { base, prefix } => write!(f, "{base}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_who_is_in_them() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("192.0.2.128/25", "192.0.2.128", "192.0.2.127"),
            ("192.0.2.7", "::ffff:192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
            ("2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"),
            ("::1", "::1", "::2"),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert_eq!(parsed.to_string(), network);
            assert!(parsed.contains(inside.parse().ok()), "{inside} in {network}");
            assert!(!parsed.contains(outside.parse().ok()) && !parsed.contains(None), "{outside} in {network}");
        }
        assert!(Network::Unix.contains(None) && !Network::Unix.contains("::1".parse().ok()));
        assert_eq!("unix".parse(), Ok(Network::Unix));
    }

    #[test]
    fn what_is_no_network() {
        for text in [
            "",
            "/",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "10.0.0.1/8",
            "::/129",
            "::1/64",
            "10.0.0/8",
            "localhost",
            "*",
            "Unix",
            "10.0.0.0/256",
            "[::1]",
            "127.0.0.1:80",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
        }
    }
}
