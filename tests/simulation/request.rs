//! What clients ask for when they come: a room with or without a token, a page, or nonsense.

use std::net::SocketAddr;

use hollerd::auth::{Claims, RoomGrant, mint};

use crate::tap::KEY;

pub(crate) const SECRET: &[u8] = b"a secret of the simulation, 32 bytes and more";
pub(crate) const ROOMS: [&str; 4] = ["lobby", "dev", "music", "attic"];
/// The only name that a token of a pinned client allows.
pub(crate) const PINNED: &str = "pinned";

/// How a client comes.
#[derive(Debug, Default)]
pub(crate) struct Visit {
    pub(crate) head: Vec<u8>,
    /// The answer that it should get if no limit stands against it.
    pub(crate) status: u16,
    /// It sends a HEAD, so its answer has no body.
    pub(crate) head_only: bool,
    /// The token that it sends as its first message, if it sends one that way.
    pub(crate) token: Option<(u8, Vec<u8>)>,
    /// Its request had no token, so it is not admitted without a first message.
    pub(crate) awaits_token: bool,
    /// The second at which its token ends.
    pub(crate) expires: Option<u64>,
    /// The client, as the proxy says through which it comes.
    pub(crate) forwarded: Option<SocketAddr>,
    /// It ends its side behind its head.
    pub(crate) ends: bool,
}

/// The same through a proxy that says that it is `client` who comes. Others say so too, and are not to be believed.
pub(crate) fn through_a_proxy(random: &mut fastrand::Rng, client: SocketAddr, mut visit: Visit) -> Visit {
    let claim = ["", "203.0.113.77, ", "unknown, ", "\", "][random.usize(..4)];
    let detour = ["", ", 198.51.100.7"][random.usize(..2)];
    let host = b"Host: sim\r\n";
    if let Some(at) = visit.head.windows(host.len()).position(|window| window == host) {
        let line = format!("X-Forwarded-For: {claim}{client}{detour}\r\n");
        visit.head.splice(at..at, line.into_bytes());
        visit.forwarded = Some(client);
    }
    visit
}

pub(crate) fn visit(random: &mut fastrand::Rng, tokens: bool, unix: u64) -> Visit {
    match random.u8(..100) {
        0..=5 => page(random),
        6..=8 => nonsense(random),
        9 => Visit { status: 408, ..Visit::default() },
        10..=11 => half(random),
        _ if tokens => with_token(random, unix),
        _ => upgrade(random, ""),
    }
}

fn upgrade(random: &mut fastrand::Rng, extra: &str) -> Visit {
    // Some rooms are fuller than others.
    let room = ROOMS[random.usize(..ROOMS.len()).min(random.usize(..ROOMS.len()))];
    let path = if room == "lobby" && random.bool() { "/ws".to_owned() } else { format!("/ws/{room}") };
    let offer = if random.bool() { "Sec-WebSocket-Protocol: hollerd.text\r\n" } else { "" };
    Visit { head: head(&path, &format!("{offer}{extra}")), status: 101, ..Visit::default() }
}

fn head(path: &str, extra: &str) -> Vec<u8> {
    let text = format!(
        "GET {path} HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{extra}\r\n"
    );
    text.into_bytes()
}

fn page(random: &mut fastrand::Rng) -> Visit {
    let (line, status) = [
        ("GET /healthz", 200),
        ("HEAD /healthz", 200),
        ("GET /readyz", 200),
        ("GET /ws", 426),
        ("GET /nothing", 404),
        ("POST /healthz", 405),
    ][random.usize(..6)];
    let head = format!("{line} HTTP/1.1\r\nHost: sim\r\n\r\n").into_bytes();
    Visit { head, status, head_only: line.starts_with("HEAD"), ends: random.bool(), ..Visit::default() }
}

fn nonsense(random: &mut fastrand::Rng) -> Visit {
    let many: String = (0..100).map(|number| format!("X-{number}: y\r\n")).collect();
    let (head, status) = match random.u8(..6) {
        0 => (b"\x16\x03\x01\x02\x00 what is this\r\n\r\n".to_vec(), 400),
        1 => (head("/ws/..", ""), 400),
        2 => (head("/ws", "Origin: https://evil.example\r\n"), 403),
        3 => (head("/ws", &many), 431),
        4 => (head("/ws", &format!("X-Long: {}\r\n", "y".repeat(9000))), 431),
        _ => (b"GET /ws HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n\r\n".to_vec(), 400),
    };
    Visit { head, status, ..Visit::default() }
}

/// A head that breaks off, and then silence or the end.
fn half(random: &mut fastrand::Rng) -> Visit {
    let mut visit = upgrade(random, "");
    visit.head.truncate(random.usize(1..visit.head.len() - 2));
    visit.ends = random.bool();
    visit.status = if visit.ends { 400 } else { 408 };
    visit
}

fn with_token(random: &mut fastrand::Rng, unix: u64) -> Visit {
    let elsewhere = RoomGrant::parse("elsewhere").unwrap();
    let sub = (random.u8(..8) == 0).then(|| PINNED.to_owned());
    let exp = (random.u8(..5) == 0).then(|| unix + random.u64(1..20));
    let good = Claims { sub, exp, ..Claims::default() };
    let sign = |claims: &Claims| mint::jwt(SECRET, claims).unwrap();
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let first = |random: &mut fastrand::Rng, token: Option<(u8, Vec<u8>)>, expires| Visit {
        token,
        awaits_token: true,
        expires,
        ..upgrade(random, "")
    };
    match random.u8(..16) {
        0 => Visit { status: 401, ..upgrade(random, &bearer("not.a.token")) },
        1 => {
            let token = sign(&Claims { rooms: elsewhere, ..Claims::default() });
            Visit { status: 403, ..upgrade(random, &bearer(&token)) }
        }
        2 => first(random, None, None),
        3 => first(random, Some((1, b"not a token".to_vec())), None),
        4 => {
            let token = sign(&Claims { rooms: elsewhere, ..Claims::default() });
            first(random, Some((1, token.into_bytes())), None)
        }
        5 => first(random, Some((2, b"binary".to_vec())), None),
        6..=8 => first(random, Some((1, sign(&good).into_bytes())), good.exp),
        _ => Visit { expires: good.exp, ..upgrade(random, &bearer(&sign(&good))) },
    }
}
