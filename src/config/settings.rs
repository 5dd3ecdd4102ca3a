//! The one table of all settings. A row is: why the key is there and its unit (one to three
//! lines, which are also the comment in the sample file), key, type, default, bounds. Structs,
//! defaults, setters, environment names and the sample all come from these rows (see `table`).
//!
//! The type says the unit: a [`Duration`] is written with its unit, a `usize` is always bytes,
//! a `u32` is always a count.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::bounds::{any, within, zero_or};
use super::choice::{AuthMode, BinaryPolicy, ClientAuth, ForwardedHeader, LogLevel, LogTime};
use super::listen::{FileMode, ListenAddress};
use super::table::settings;
use crate::wire::network::Network;

settings! {
    /// Every setting of the daemon. `Config::default()` is what runs without a configuration file.
    Config {
        /// Where to listen: "127.0.0.1:8080", "tls://0.0.0.0:8443", "unix:/run/hollerd/hollerd.sock".
        /// Port 0 is a free one, printed at start. Other machines get in only when you say so.
        listen: Vec<ListenAddress> =
            vec![ListenAddress::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)))], any();

        /// Web origins, besides the server's own host, whose pages may connect from a browser.
        /// Compared exactly with the Origin header, so write "https://chat.example.org".
        allowed_origins: Vec<String> = Vec::new(), any();
    }

    /// How the listening sockets are made.
    sockets: Sockets {
        /// Let several daemons listen on one TCP port (SO_REUSEPORT); the kernel deals out the new
        /// connections. Whoever waits to be accepted by one of them when it ends is reset.
        reuse_port: bool = false, any();

        /// Permissions of the file of a Unix socket: who may connect. Its group is that of the
        /// daemon.
        unix_mode: FileMode = FileMode::new(0o660), any();
    }

    /// Proxies in front, and how they say who the client is. Its address is then what limits by
    /// address count, and what the log shows.
    proxy: Proxy {
        /// Addresses and networks of proxies whose word counts, such as "10.0.0.0/8" or "::1"; "unix"
        /// is everybody on a Unix socket. They are not counted by address themselves.
        trusted: Vec<Network> = Vec::new(), any();

        /// Header in which they tell the client's address: "x-forwarded-for", "forwarded" (RFC 7239)
        /// or "none". Only one, because a proxy passes on whatever a client wrote into the other.
        header: ForwardedHeader = ForwardedHeader::XForwardedFor, any();

        /// Connections of trusted proxies begin with a PROXY header, version 1 or 2, in front of HTTP
        /// or TLS. Those of others do not, and are not searched for one.
        protocol: bool = false, any();
    }

    /// What the listeners with tls:// serve with. TLS 1.2 and 1.3; a reload reads the files anew.
    tls: Tls {
        /// File with our certificate in PEM, those of intermediate authorities behind it.
        certificate: Option<PathBuf> = None, any();

        /// File with the private key of the certificate, in PEM: RSA, ECDSA or Ed25519.
        key: Option<PathBuf> = None, any();

        /// File with the authorities, in PEM, whose certificates are good for clients.
        client_ca: Option<PathBuf> = None, any();

        /// Whether clients show a certificate: "none" asks for none, "optional" checks the one
        /// that is shown, "required" lets nobody in without.
        client_auth: ClientAuth = ClientAuth::None, any();
    }

    /// What goes to the log.
    log: Log {
        /// Least important kind of line that is written. Every connection's end is one line at
        /// "info"; resets by the peer and health checks are "debug".
        level: LogLevel = LogLevel::Info, any();

        /// Whether a line starts with the time. "auto" leaves it out where the systemd journal
        /// stamps the line already.
        time: LogTime = LogTime::Auto, any();
    }

    /// Who may come in.
    auth: Auth {
        /// "jwt" takes signed tokens, "keys" takes access keys listed in keys_file, "none" lets
        /// everybody in who can reach the port.
        mode: AuthMode = AuthMode::Jwt, any();

        /// Files with keys that verify tokens: a shared secret or a public key in PEM. Several let
        /// you change keys without a gap. "credential:NAME" is what systemd's LoadCredential=NAME
        /// hands over. Empty means a random secret that ends with this run.
        jwt_keys: Vec<PathBuf> = Vec::new(), any();

        /// File, or "credential:NAME", with one access key per line, hashed, as printed by
        /// "hollerd token key". Needed with mode = "keys"; empty otherwise.
        keys_file: Option<PathBuf> = None, any();

        /// Longest token that is looked at at all, in bytes. Signatures are checked only below it.
        token_max: usize = 4 * KIB, within(64, 64 * KIB);

        /// Cookie in which a browser may bring its token. "" means that cookies are not read.
        cookie: String = "hollerd_token".to_owned(), any();

        /// Take a token from the address, as ?token=... Off because addresses end up in the logs
        /// of proxies and in browser histories; our own log blanks it out.
        query: bool = false, any();

        /// Let a client that brought no token send it as its first message. It gets no further
        /// than that, and limits.admit_timeout runs on.
        first_message: bool = true, any();
    }

    /// The chat itself.
    chat: Chat {
        /// Room of those who connect to /ws without naming one. 1 to 64 of A-Z a-z 0-9 . _ - and
        /// no dot in front.
        default_room: String = "lobby".to_owned(), any();

        /// Binary messages: "refuse" closes with 1003, "relay" hands them unchanged to all others
        /// of the room.
        binary: BinaryPolicy = BinaryPolicy::Refuse, any();

        /// Time from being admitted to having a name. Who has none by then is closed with 4408.
        name_timeout: Duration = secs(30), within(millis(1), hours(24));

        /// Tell users of the text protocol who joins, leaves and changes the name. Users of the JSON
        /// protocol are told in any case.
        announce_text: bool = false, any();

        /// Users of a room beyond which nobody is told any more who joins and leaves: in a crowd each
        /// name would go to each other. 0 means never.
        announce_users: u32 = 1000, within(0, CONNECTIONS_MAX);
    }

    /// What is kept of a room's messages for users of the JSON protocol who come back, or who come
    /// new and ask.
    history: History {
        /// Messages of a room that are kept. 0 keeps none: then nobody can resume.
        messages: u32 = 200, within(0, 1_000_000);

        /// Bytes that they may take, for each room. Never more than a quarter of limits.room_log.
        bytes: usize = 64 * KIB, within(KIB, 64 * MIB);

        /// Age beyond which a message is forgotten; also how long an empty room remembers.
        age: Duration = minutes(10), within(secs(1), hours(24));

        /// Bytes that the rooms in which nobody is may take, all together. The oldest go first.
        empty_rooms: usize = 16 * MIB, within(0, GIB);
    }

    /// Where an administrator looks and acts: numbers for Prometheus, who is there, saying something,
    /// asking somebody to leave. The port for everybody has nothing of this.
    admin: Admin {
        /// Loopback address with a port, or unix:PATH; "" for none.
        listen: Option<ListenAddress> = None, any();

        /// File with one access key per line, hashed, as printed by "hollerd token key". Needed for a
        /// TCP port; a Unix socket may do without, and then its permissions decide.
        keys_file: Option<PathBuf> = None, any();

        /// Permissions of the file, if it is a Unix socket.
        unix_mode: FileMode = FileMode::new(0o600), any();

        /// Time from accept to the end of the request, and as long again to the end of the answer.
        timeout: Duration = secs(10), within(millis(1), hours(1));

        /// Connections of administrators at the same time; further ones are answered with 503.
        connections: u32 = 32, within(1, 256);
    }

    /// How the server finds out who is gone.
    heartbeat: Heartbeat {
        /// Silence after which a peer is pinged. Stay below the idle timeout of the proxies in
        /// between, which is often 60 s. "0s" sends no pings.
        ping_interval: Duration = secs(25), zero_or(millis(10), hours(24));

        /// Time a pinged peer has to say anything before it counts as gone.
        pong_timeout: Duration = secs(10), within(millis(0), hours(24));
    }

    /// How much one peer, and all peers together, may take. Reaching a limit has a name in the log
    /// and a code on the wire.
    limits: Limits {
        /// Connections in all; further ones are answered with 503. 0 means the open-file limit
        /// less 64, which are kept for listeners, log and files.
        connections: u32 = 0, within(0, CONNECTIONS_MAX);

        /// Connections that are not admitted yet, in all, so that strangers cannot take every
        /// place. 0 means an eighth of connections, but at least 64.
        pending: u32 = 0, within(0, CONNECTIONS_MAX);

        /// Connections from one address that are not admitted yet. Many people can share an
        /// address, so this does not count those who are in. 0 means no limit.
        pending_per_address: u32 = 64, within(0, CONNECTIONS_MAX);

        /// Connections from one address, in all; further ones are answered with 429. Of IPv6 the
        /// first 64 bits count as the address. 0 means no limit: many people can share an address.
        connections_per_address: u32 = 0, within(0, CONNECTIONS_MAX);

        /// New connections per second in the long run; more are answered with 503. Those who are in
        /// are served all the same. 0 means no limit.
        handshakes_per_second: u32 = 0, within(0, 1_000_000);

        /// New connections that may come at once before the rate counts.
        handshake_burst: u32 = 1000, within(0, 1_000_000);

        /// New connections per second from one address in the long run; more are answered with 429.
        /// 65,536 addresses are remembered while their rate matters. 0 means no limit.
        handshakes_per_second_per_address: u32 = 0, within(0, 1_000_000);

        /// New connections that may come at once from one address before its rate counts.
        handshake_burst_per_address: u32 = 50, within(0, 1_000_000);

        /// Rooms at once. Whoever would make another one gets 503, or 1013 where the token comes as
        /// first message.
        rooms: u32 = 65_536, within(1, CONNECTIONS_MAX);

        /// Users in one room. Whoever would be one more gets 503, or 1013 where the token comes as
        /// first message. 0 means no limit.
        users_per_room: u32 = 0, within(0, CONNECTIONS_MAX);

        /// Longest request head, in bytes: request line and headers together. Longer ones get 431.
        request_head: usize = 8 * KIB, within(256, MIB);

        /// Most headers in a request. More get 431.
        request_headers: u32 = 64, within(8, 256);

        /// Time from accept to admitted: request, handshake and token. Bytes that trickle in do
        /// not extend it, so nobody can hold a place by being slow.
        admit_timeout: Duration = secs(10), within(millis(1), hours(1));

        /// Longest message, in bytes. A frame may be as long as a message; longer ones are closed
        /// with 1009.
        message: usize = 16 * KIB, within(1, 64 * MIB);

        /// Frames that one message may be cut into, empty ones included.
        fragments: u32 = 64, within(1, 1_000_000);

        /// Time from the first frame of a message to its last one.
        message_timeout: Duration = secs(10), within(millis(1), hours(1));

        /// Messages per second that one connection may send in the long run; who sends more is
        /// closed with 1008. 0 means no limit.
        messages_per_second: u32 = 20, within(0, 1_000_000);

        /// Messages that one connection may send at once before the rate counts.
        message_burst: u32 = 40, within(0, 1_000_000);

        /// Bytes of its room's log that a connection may have unread. Who falls further behind is
        /// too slow and is closed with 1013; nobody else waits for it.
        unread: usize = MIB, within(KIB, GIB);

        /// Age that the oldest unread message of a connection may reach before it is closed with
        /// 1013, the same as by bytes.
        unread_age: Duration = secs(10), within(millis(1), hours(24));

        /// Bytes of answers waiting for one connection alone, such as greetings and errors: with more
        /// it is closed with 1013. As much again of private messages, beyond which whoever sends
        /// them is refused. Pings, pongs and closes always fit beside them.
        outbox: usize = 64 * KIB, within(KIB, 64 * MIB);

        /// Bytes the kernel may hold for one connection (SO_SNDBUF). Left alone it takes megabytes
        /// for a reader that has stopped. 0 leaves it to the kernel.
        send_buffer: usize = 64 * KIB, zero_or(4 * KIB, 64 * MIB);

        /// Bytes of a room's log from which on its senders are held back until readers have caught
        /// up or are closed. At least twice unread.
        room_log: usize = 4 * MIB, within(2 * KIB, GIB);

        /// Bytes read from one connection in one turn of the loop before others are served.
        turn_read: usize = 64 * KIB, within(KIB, 16 * MIB);

        /// Messages taken from one connection in one turn of the loop. What one turn takes from all,
        /// each reader gets in one write.
        turn_messages: u32 = 1024, within(1, 1_000_000);

        /// Connections accepted in one turn of the loop, so that a storm of new ones does not
        /// silence those who are in.
        turn_accepts: u32 = 256, within(1, 1_000_000);

        /// Connections written to in one turn of the loop. A broadcast to more goes out in slices,
        /// with reading and pings in between.
        turn_writes: u32 = 256, within(1, 1_000_000);

        /// Time for the last bytes of a connection, its close frame included, to go out.
        close_timeout: Duration = secs(2), within(millis(1), hours(1));

        /// Time for which late bytes of a closed peer are still read and thrown away, so that our
        /// last frame reaches it instead of a reset.
        discard_timeout: Duration = secs(1), within(millis(1), hours(1));

        /// Most late bytes of a closed peer that are read and thrown away.
        discard: usize = 64 * KIB, within(0, 16 * MIB);
    }

    /// How the server says goodbye when it is asked to stop.
    shutdown: Shutdown {
        /// Connections closed per step. Steps keep everybody from coming back in the same moment.
        batch: u32 = 1000, within(1, CONNECTIONS_MAX);

        /// Pause between two steps.
        interval: Duration = millis(200), within(millis(0), hours(1));

        /// Time for all of it; what is still open then is cut. Keep systemd's TimeoutStopSec above.
        timeout: Duration = secs(30), within(millis(0), hours(24));
    }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const GIB: usize = 1024 * MIB;

/// Far above what one machine has been seen to hold; it only catches slips of the finger.
const CONNECTIONS_MAX: u32 = 1 << 24;

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn minutes(n: u64) -> Duration {
    secs(n.saturating_mul(60))
}

const fn hours(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(3600))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_is_documented_and_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        for setting in SETTINGS {
            assert!((1..=3).contains(&setting.doc().count()), "{}", setting.label());
            for line in setting.doc() {
                assert!(!line.is_empty() && line.len() <= 96, "{}: {line}", setting.label());
            }
            assert!(names.insert(setting.env_name()), "{} appears twice", setting.env_name());
        }
        assert!(SETTINGS.len() > 40);
    }

    #[test]
    fn every_default_is_within_its_bounds() {
        for setting in SETTINGS {
            let mut config = Config::default();
            let shown = setting.show(&config);
            let value = toml::de::DeValue::parse(&shown).unwrap();
            setting.assign(&mut config, &super::super::value::Raw::Toml(value.get_ref())).unwrap();
            assert_eq!(config, Config::default(), "{}", setting.label());
        }
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = Config::default();
        assert_eq!(config.listen, ["127.0.0.1:8080".parse().unwrap()]);
        assert_eq!(config.limits.message, 16_384);
        assert_eq!(config.limits.room_log, 4_194_304);
        assert_eq!(config.heartbeat.ping_interval, Duration::from_secs(25));
        assert_eq!(config.shutdown.interval, Duration::from_millis(200));
        assert_eq!(config.auth.cookie, "hollerd_token");
        assert_eq!(config.auth.keys_file, None);
    }
}
