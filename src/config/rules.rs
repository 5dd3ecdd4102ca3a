//! What must hold between settings, and the form of texts that have one.

use std::fmt;
use std::net::Ipv6Addr;

use super::choice::{AuthMode, ClientAuth};
use super::listen::ListenAddress;
use super::quantity::show_size;
use super::settings::Config;
use super::value::quote;
use crate::wire::path::is_room_name;

/// Addresses to listen on. The server's tokens for the poll have room for twice as many.
const LISTEN_MAX: usize = 256;

/// A rule that a configuration breaks although each value is fine alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// So many addresses are more than are listened on.
    Listen(usize),
    /// This text can never equal an Origin header (RFC 6454 section 7).
    Origin(String),
    /// `auth.mode` is `keys`, but there is no file with keys.
    KeysFile,
    /// The admin listener could be reached from another machine, or is to speak TLS, which it does not.
    AdminListen(ListenAddress),
    /// The admin listener is a TCP port, which everybody on this machine can reach, and there are no keys.
    AdminKeys,
    /// There is a TLS listener, but not both of the files that it needs.
    TlsFiles,
    /// Certificates of clients are to be checked, but nobody says against what.
    ClientCa,
    /// No cookie can have this name (RFC 6265 section 4.1.1).
    Cookie(String),
    /// Nobody could name this room.
    DefaultRoom(String),
    /// Peers are pinged but have no time to answer.
    PongTimeout,
    /// A rate without a burst lets no message through.
    MessageBurst,
    /// The same of new connections.
    HandshakeBurst,
    /// The same of new connections from one address.
    HandshakeBurstPerAddress,
    /// A message may be longer (first number, bytes) than what a connection may have unread.
    Unread(usize, usize),
    /// A room's log (first number, bytes) is shorter than twice `unread`.
    RoomLog(usize, usize),
}

impl Rule {
    /// The rules that `config` breaks.
    pub(super) fn broken(config: &Config) -> Vec<Self> {
        let (auth, limits) = (&config.auth, &config.limits);
        let origins = config.allowed_origins.iter().filter(|origin| !is_origin(origin));
        let mut broken: Vec<Self> = origins.cloned().map(Self::Origin).collect();
        let mut claim = |breaks: bool, rule: Self| {
            if breaks {
                broken.push(rule);
            }
        };
        claim(config.listen.len() > LISTEN_MAX, Self::Listen(config.listen.len()));
        claim(auth.mode == AuthMode::Keys && auth.keys_file.is_none(), Self::KeysFile);
        if let Some(address) = &config.admin.listen {
            let here = match address {
                ListenAddress::Tcp(address) => address.ip().is_loopback(),
                ListenAddress::Tls(_) => false,
                ListenAddress::Unix(_) => true,
            };
            claim(!here, Self::AdminListen(address.clone()));
            claim(address.inet().is_some() && config.admin.keys_file.is_none(), Self::AdminKeys);
        }
        let tls = &config.tls;
        let listens = config.listen.iter().any(|address| matches!(address, ListenAddress::Tls(_)));
        claim(listens && (tls.certificate.is_none() || tls.key.is_none()), Self::TlsFiles);
        claim(listens && tls.client_auth != ClientAuth::None && tls.client_ca.is_none(), Self::ClientCa);
        let cookies = !auth.cookie.is_empty();
        claim(cookies && !is_token(&auth.cookie), Self::Cookie(auth.cookie.clone()));
        let room = &config.chat.default_room;
        claim(!is_room_name(room), Self::DefaultRoom(room.clone()));
        let heartbeat = &config.heartbeat;
        let pings = !heartbeat.ping_interval.is_zero();
        claim(pings && heartbeat.pong_timeout.is_zero(), Self::PongTimeout);
        let rate = limits.messages_per_second > 0;
        claim(rate && limits.message_burst == 0, Self::MessageBurst);
        let rate = limits.handshakes_per_second > 0;
        claim(rate && limits.handshake_burst == 0, Self::HandshakeBurst);
        let rate = limits.handshakes_per_second_per_address > 0;
        claim(rate && limits.handshake_burst_per_address == 0, Self::HandshakeBurstPerAddress);
        let (message, unread, room_log) = (limits.message, limits.unread, limits.room_log);
        claim(unread < message, Self::Unread(message, unread));
        claim(room_log < unread.saturating_mul(2), Self::RoomLog(room_log, unread));
        broken
    }

    /// The settings the rule is about, section and key, the one to change first.
    pub(super) fn settings(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Listen(_) => &[("", "listen")],
            Self::Origin(_) => &[("", "allowed_origins")],
            Self::KeysFile => &[("auth", "mode"), ("auth", "keys_file")],
            Self::AdminListen(_) => &[("admin", "listen")],
            Self::AdminKeys => &[("admin", "keys_file"), ("admin", "listen")],
            Self::TlsFiles => &[("tls", "certificate"), ("tls", "key"), ("", "listen")],
            Self::ClientCa => &[("tls", "client_auth"), ("tls", "client_ca")],
            Self::Cookie(_) => &[("auth", "cookie")],
            Self::DefaultRoom(_) => &[("chat", "default_room")],
            Self::PongTimeout => &[("heartbeat", "pong_timeout"), ("heartbeat", "ping_interval")],
            Self::MessageBurst => &[("limits", "message_burst"), ("limits", "messages_per_second")],
            Self::HandshakeBurst => &[("limits", "handshake_burst"), ("limits", "handshakes_per_second")],
            Self::HandshakeBurstPerAddress => {
                &[("limits", "handshake_burst_per_address"), ("limits", "handshakes_per_second_per_address")]
            }
            Self::Unread(..) => &[("limits", "unread"), ("limits", "message")],
            Self::RoomLog(..) => &[("limits", "room_log"), ("limits", "unread")],
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(count) => write!(f, "listen has {count} addresses, and {LISTEN_MAX} at most are listened on"),
            Self::Origin(origin) => write!(
                f,
                "allowed_origins: {} is not an origin; write scheme://host or scheme://host:port \
                 in lower case and without a path, such as \"https://chat.example.org\"",
                quote(origin)
            ),
            Self::KeysFile => {
                f.write_str("[auth] mode = \"keys\" needs keys_file; \"hollerd token key\" makes its first line")
            }
            Self::AdminListen(address) => write!(
                f,
                "[admin] listen = {} is neither a loopback address nor unix:PATH; other machines need a tunnel",
                quote(&address.to_string())
            ),
            Self::AdminKeys => f.write_str(
                "[admin] listen is a port that every program on this machine can reach, so it needs keys_file; \
                 \"hollerd token key\" makes its first line",
            ),
            Self::TlsFiles => f.write_str("[tls] certificate and key are both needed for a tls:// listener"),
            Self::ClientCa => f.write_str("[tls] client_auth needs client_ca, a file with the authorities in PEM"),
            Self::Cookie(name) => {
                write!(f, "[auth] cookie {} cannot be the name of a cookie; use letters, digits, _ and -", quote(name))
            }
            Self::DefaultRoom(name) => write!(
                f,
                "[chat] default_room {} is not a room name; use 1 to 64 of A-Z a-z 0-9 . _ - without a dot in front",
                quote(name)
            ),
            Self::PongTimeout => f.write_str(
                "[heartbeat] pong_timeout must be above \"0s\" while pings are on; \
                 ping_interval = \"0s\" turns them off",
            ),
            Self::MessageBurst => {
                f.write_str("[limits] message_burst must be at least 1 while messages_per_second is above 0")
            }
            Self::HandshakeBurst => {
                f.write_str("[limits] handshake_burst must be at least 1 while handshakes_per_second is above 0")
            }
            Self::HandshakeBurstPerAddress => f.write_str(
                "[limits] handshake_burst_per_address must be at least 1 while \
                 handshakes_per_second_per_address is above 0",
            ),
            Self::Unread(message, unread) => write!(
                f,
                "[limits] unread ({}) must be at least message ({}); raise it or lower message",
                show_size(*unread),
                show_size(*message)
            ),
            Self::RoomLog(room_log, unread) => write!(
                f,
                "[limits] room_log ({}) must be at least twice unread ({}); raise it or lower unread",
                show_size(*room_log),
                show_size(*unread)
            ),
        }
    }
}

/// Whether a browser could send this as Origin: scheme, host and perhaps a port, in the lower-case
/// ASCII form of RFC 6454 section 6.2.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    let mut letters = scheme.chars();
    let scheme_ok = letters.next().is_some_and(|c| c.is_ascii_lowercase())
        && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c));
    // A colon inside the brackets of an IPv6 address does not start the port.
    let host_end = authority.find(']').map_or(0, |end| end.saturating_add(1));
    let port_at = authority.get(host_end..).and_then(|tail| tail.find(':'));
    let (host, port) = match port_at.and_then(|at| authority.split_at_checked(host_end + at)) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => (authority, None),
    };
    let port_ok = port.is_none_or(|port| {
        let plain = port.chars().all(|c| c.is_ascii_digit());
        plain && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    scheme_ok && port_ok && is_origin_host(host)
}

fn is_origin_host(host: &str) -> bool {
    if let Some(inside) = host.strip_prefix('[') {
        let address = inside.strip_suffix(']').and_then(|text| text.parse::<Ipv6Addr>().ok());
        return address.is_some() && !host.chars().any(|c| c.is_ascii_uppercase());
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
    !host.is_empty() && host.chars().all(allowed)
}

/// A token in the sense of RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_defaults_break_no_rule() {
        assert_eq!(Rule::broken(&Config::default()), []);
    }

    #[test]
    fn origins() {
        let good = [
            "https://example.org",
            "http://localhost:3000",
            "http://127.0.0.1:8080",
            "http://[::1]",
            "http://[::1]:8080",
            "chrome-extension://abcdefghijklmnop",
            "https://xn--bcher-kva.example",
        ];
        for origin in good {
            assert!(is_origin(origin), "{origin}");
        }
        let bad = [
            "",
            "*",
            "null",
            "example.org",
            "https://",
            "https://example.org/",
            "https://a/b",
            "https://Example.org",
            "HTTPS://example.org",
            "https://a:0",
            "https://a:",
            "https://a:+1",
            "https://a:70000",
            "https://u@a",
            "http://[::1",
            "http://::1",
            "http://[::1]x",
            "http://[::G]",
            "https://*.example.org",
            "://a",
            "https://é.org",
            "]:x",
        ];
        for origin in bad {
            assert!(!is_origin(origin), "{origin}");
        }
    }

    #[test]
    fn each_rule_strikes_and_only_it() {
        type Change = fn(&mut Config);
        let table: &[(Change, Rule)] = &[
            (|c| c.listen = vec!["127.0.0.1:0".parse().unwrap(); 257], Rule::Listen(257)),
            (|c| c.allowed_origins = vec!["x".into()], Rule::Origin("x".into())),
            (|c| c.auth.mode = AuthMode::Keys, Rule::KeysFile),
            (|c| c.admin.listen = "127.0.0.1:9090".parse().ok(), Rule::AdminKeys),
            (
                |c| {
                    c.admin.listen = "0.0.0.0:9090".parse().ok();
                    c.admin.keys_file = Some(PathBuf::from("keys"));
                },
                Rule::AdminListen(ListenAddress::Tcp("0.0.0.0:9090".parse().unwrap())),
            ),
            (|c| c.listen = vec!["tls://127.0.0.1:0".parse().unwrap()], Rule::TlsFiles),
            (
                |c| {
                    c.listen = vec!["tls://127.0.0.1:0".parse().unwrap()];
                    c.tls.certificate = Some(PathBuf::from("c"));
                    c.tls.key = Some(PathBuf::from("k"));
                    c.tls.client_auth = ClientAuth::Optional;
                },
                Rule::ClientCa,
            ),
            (|c| c.auth.cookie = "a b".into(), Rule::Cookie("a b".into())),
            (|c| c.chat.default_room = ".x".into(), Rule::DefaultRoom(".x".into())),
            (|c| c.heartbeat.pong_timeout = Duration::ZERO, Rule::PongTimeout),
            (|c| c.limits.message_burst = 0, Rule::MessageBurst),
            (|c| (c.limits.handshake_burst, c.limits.handshakes_per_second) = (0, 1), Rule::HandshakeBurst),
            (
                |c| {
                    c.limits.handshakes_per_second_per_address = 1;
                    c.limits.handshake_burst_per_address = 0;
                },
                Rule::HandshakeBurstPerAddress,
            ),
            (|c| c.limits.message = 1_048_577, Rule::Unread(1_048_577, 1_048_576)),
            (|c| c.limits.room_log = 2_097_151, Rule::RoomLog(2_097_151, 1_048_576)),
        ];
        for (change, rule) in table {
            let mut config = Config::default();
            change(&mut config);
            assert_eq!(Rule::broken(&config), std::slice::from_ref(rule));
        }
    }

    #[test]
    fn what_a_rule_does_not_forbid() {
        type Change = fn(&mut Config);
        let table: &[Change] = &[
            |c| c.listen = vec!["127.0.0.1:0".parse().unwrap(); 256],
            |c| (c.auth.mode, c.auth.keys_file) = (AuthMode::Keys, Some(PathBuf::from("keys"))),
            |c| c.auth.cookie = String::new(),
            |c| c.admin.listen = "unix:admin.sock".parse().ok(),
            |c| {
                c.admin.listen = "[::1]:9090".parse().ok();
                c.admin.keys_file = Some(PathBuf::from("keys"));
            },
            |c| {
                c.heartbeat.pong_timeout = Duration::ZERO;
                c.heartbeat.ping_interval = Duration::ZERO;
            },
            |c| (c.limits.message_burst, c.limits.messages_per_second) = (0, 0),
            |c| c.limits.message = c.limits.unread,
            |c| c.limits.room_log = 2 * c.limits.unread,
            |c| c.limits.outbox = 1024,
        ];
        for change in table {
            let mut config = Config::default();
            change(&mut config);
            assert_eq!(Rule::broken(&config), []);
        }
    }
}
