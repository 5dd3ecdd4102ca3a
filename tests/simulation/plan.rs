//! What a seed decides: the limits, when they change, the application, the crowd, and how badly the network behaves.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use hollerd::auth::{Auth, JwtKeys};
use hollerd::config::{BinaryPolicy, Chat, Heartbeat, History, Limits, Proxy, Shutdown};
use hollerd::engine::{Gate, Settings};
use hollerd::time::Time;
use hollerd::wire::close::Ending;

use crate::request::SECRET;
use crate::socket::Faults;

/// Whose word counts about who their clients are.
const PROXIES: &str = "198.51.100.0/24";

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) steps: u64,
    /// What is in force.
    pub(crate) settings: Settings,
    pub(crate) chat: Chat,
    /// What was in force one after the other, the present included.
    pub(crate) eras: Vec<Era>,
    /// What will be, and from which step on.
    pub(crate) to_come: VecDeque<(u64, Era)>,
    /// No era takes messages of more bytes, or more fragments, than these; and every era takes those.
    pub(crate) bad_message: (usize, u32),
    pub(crate) good_message: (usize, u32),
    /// The chat, or else an application that uses all of the desk.
    pub(crate) is_chat: bool,
    pub(crate) tokens: bool,
    /// How many clients there are at once, about.
    pub(crate) crowd: usize,
    /// From how many addresses they come.
    pub(crate) addresses: u8,
    /// How many in a hundred come through a proxy.
    pub(crate) proxied: u8,
    /// At which step the server is told to stop, and with what.
    pub(crate) shutdown: Option<(u64, Ending)>,
    /// The clock jumps once in so many steps.
    pub(crate) jump_every: u64,
    pub(crate) faults: Faults,
    /// Events that one poll returns at the most.
    pub(crate) events_most: usize,
    pub(crate) send_buffer_most: usize,
    pub(crate) receive_buffer_most: usize,
    /// So many of a hundred clients come over a stream with buffers of its own.
    pub(crate) layered: u8,
}

/// The time from one reload to the next.
#[derive(Debug, Clone)]
pub(crate) struct Era {
    pub(crate) from: Time,
    pub(crate) settings: Settings,
    pub(crate) chat: Chat,
}

impl Plan {
    pub(crate) fn new(seed: u64, steps: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let random = &mut random;
        let tight = random.u8(..3) > 0;
        let crowd_most = if random.u8(..4) == 0 { 120 } else { 30 };
        let crowd = random.usize(2..crowd_most);
        let limits = if tight { tight_limits(random, crowd) } else { roomy_limits(random) };
        let is_chat = random.u8(..3) > 0;
        let ending = if random.bool() { Ending::ShuttingDown } else { Ending::Restarting };
        let settings = settings(random, limits, tight);
        let chat = chat(random, tight);
        let first = Era { from: Time::START, settings: settings.clone(), chat: chat.clone() };
        let to_come = eras(seed, steps, crowd);
        let messages = || {
            let limits = to_come.iter().map(|(_, era)| &era.settings.limits).chain([&settings.limits]);
            limits.map(|limits| (limits.message, limits.fragments))
        };
        let (sizes, counts) = (|| messages().map(|(size, _)| size), || messages().map(|(_, count)| count));
        Self {
            seed,
            steps,
            good_message: (sizes().min().unwrap(), counts().min().unwrap()),
            bad_message: (sizes().max().unwrap(), counts().max().unwrap()),
            settings,
            chat,
            eras: vec![first],
            to_come,
            is_chat,
            tokens: random.u8(..3) == 0,
            crowd,
            addresses: random.u8(1..6),
            proxied: if random.bool() { random.u8(..100) } else { 0 },
            shutdown: (random.u8(..3) == 0).then(|| (random.u64(steps / 4..=steps), ending)),
            jump_every: if random.bool() { u64::MAX } else { random.u64(100..1000) },
            faults: faults(random),
            events_most: if random.bool() { 1024 } else { random.usize(1..8) },
            send_buffer_most: if tight { 2000 } else { 64 * 1024 },
            receive_buffer_most: if random.bool() { 64 * 1024 } else { random.usize(64..4096) },
            layered: [0, 0, 30, 100][random.usize(..4)],
        }
    }

    /// All that was in force at some time since then.
    pub(crate) fn since(&self, then: Time) -> &[Era] {
        let first = self.eras.iter().rposition(|era| era.from < then).unwrap_or(0);
        &self.eras[first..]
    }

    /// When the present settings came into force.
    pub(crate) fn reloaded(&self) -> Time {
        self.eras.last().map_or(Time::START, |era| era.from)
    }

    pub(crate) fn is_proxy(&self, ip: IpAddr) -> bool {
        self.settings.proxy.trusted.iter().any(|network| network.contains(Some(ip)))
    }

    pub(crate) fn gate(&self) -> Gate {
        if !self.tokens {
            return Gate::open();
        }
        let mut keys = JwtKeys::default();
        keys.add_secret("simulation", SECRET).unwrap();
        Gate { auth: Auth::Jwt(keys), first_message: true, ..Gate::open() }
    }
}

/// What the server is told by reloads. In one life of three there are none.
fn eras(seed: u64, steps: u64, crowd: usize) -> VecDeque<(u64, Era)> {
    let random = &mut fastrand::Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let pause = if random.u8(..3) == 0 { steps } else { random.u64(5..=steps.max(40) / 4) };
    let mut eras = VecDeque::new();
    let mut step = random.u64(1..=pause);
    while step < steps {
        let tight = random.bool();
        let limits = if tight { tight_limits(random, crowd) } else { roomy_limits(random) };
        let settings = settings(random, limits, tight);
        eras.push_back((step, Era { from: Time::NEVER, settings, chat: chat(random, tight) }));
        step += random.u64(1..=pause);
    }
    eras
}

fn settings(random: &mut fastrand::Rng, limits: Limits, tight: bool) -> Settings {
    let proxy = Proxy { trusted: vec![PROXIES.parse().unwrap()], ..Proxy::default() };
    let (heartbeat, shutdown) = (heartbeat(random, tight), shutdown(random));
    Settings { limits, heartbeat, shutdown, proxy, history: history(random, tight) }
}

fn millis(random: &mut fastrand::Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}

/// Each limit so small that it strikes all the time.
fn tight_limits(random: &mut fastrand::Rng, crowd: usize) -> Limits {
    let connections = if random.bool() { crowd } else { crowd * 3 / 4 + 1 };
    Limits {
        connections: u32::try_from(connections).unwrap(),
        pending: random.u32(2..20),
        pending_per_address: random.u32(0..6),
        connections_per_address: if random.bool() { random.u32(1..12) } else { 0 },
        handshakes_per_second: if random.u8(..3) == 0 { random.u32(1..200) } else { 0 },
        handshake_burst: random.u32(1..20),
        handshakes_per_second_per_address: if random.u8(..3) == 0 { random.u32(1..50) } else { 0 },
        handshake_burst_per_address: random.u32(1..6),
        rooms: if random.bool() { random.u32(1..=4) } else { 100 },
        users_per_room: if random.bool() { random.u32(1..12) } else { 0 },
        request_head: 4096,
        request_headers: 32,
        admit_timeout: millis(random, 200..1500),
        message: random.usize(200..=1024),
        fragments: random.u32(1..10),
        message_timeout: millis(random, 150..900),
        messages_per_second: if random.u8(..3) == 0 { random.u32(5..200) } else { 0 },
        message_burst: random.u32(1..40),
        unread: random.usize(1024..=4096),
        unread_age: millis(random, 100..2000),
        outbox: 1024,
        room_log: 8 * 1024,
        turn_read: if random.bool() { random.usize(64..=256) } else { random.usize(1000..5000) },
        turn_messages: random.u32(1..=3),
        turn_accepts: random.u32(1..=4),
        turn_writes: random.u32(1..=8),
        close_timeout: millis(random, 100..500),
        discard_timeout: millis(random, 50..300),
        discard: random.usize(0..500),
        ..Limits::default()
    }
}

/// About what is in force without a configuration file.
fn roomy_limits(random: &mut fastrand::Rng) -> Limits {
    Limits {
        connections: 1000,
        pending: 125,
        messages_per_second: if random.bool() { 0 } else { 20 },
        turn_writes: if random.bool() { 1024 } else { random.u32(1..32) },
        ..Limits::default()
    }
}

fn heartbeat(random: &mut fastrand::Rng, tight: bool) -> Heartbeat {
    match (random.u8(..5), tight) {
        (0, _) => Heartbeat { ping_interval: Duration::ZERO, ..Heartbeat::default() },
        (_, true) => Heartbeat { ping_interval: millis(random, 100..1500), pong_timeout: millis(random, 50..1000) },
        (_, false) => Heartbeat::default(),
    }
}

fn shutdown(random: &mut fastrand::Rng) -> Shutdown {
    Shutdown {
        batch: random.u32(1..40),
        interval: millis(random, 0..300),
        timeout: if random.u8(..3) == 0 { millis(random, 0..500) } else { Duration::from_secs(30) },
    }
}

fn history(random: &mut fastrand::Rng, tight: bool) -> History {
    if tight {
        History {
            messages: if random.u8(..3) == 0 { 0 } else { random.u32(1..40) },
            bytes: random.usize(100..512),
            age: millis(random, 50..3000),
            empty_rooms: random.usize(0..4096),
        }
    } else {
        History::default()
    }
}

fn chat(random: &mut fastrand::Rng, tight: bool) -> Chat {
    let name_timeout = if tight { millis(random, 300..2000) } else { Chat::default().name_timeout };
    let binary = if random.bool() { BinaryPolicy::Relay } else { BinaryPolicy::Refuse };
    Chat { name_timeout, binary, ..Chat::default() }
}

fn faults(random: &mut fastrand::Rng) -> Faults {
    let mut percent = || if random.bool() { random.u8(1..15) } else { 0 };
    let (interrupted, short_read, short_write, spurious) = (percent() / 3, percent(), percent(), percent() / 3);
    Faults { interrupted, short_read, short_write, spurious, wide_edges: random.bool() }
}
