//! A world for the engine in memory: pipes instead of sockets, a clock that is moved by hand, and edges that are reported
//! once. Everything is public to the tests beside it.

#![expect(clippy::unwrap_used, reason = "a world that is broken is a test that fails")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use hollerd::config::Config;
use hollerd::connection::stream::Stream;
use hollerd::connection::{Peer, Readiness};
use hollerd::engine::{Application, Arrival, Departure, Desk, Engine, Gate, Settings};
use hollerd::time::{Now, Time};
use hollerd::wire::close::Ending;
use hollerd::wire::frame::Message;
use hollerd::wire::response::Refusal;

#[derive(Default)]
pub(crate) struct Pipe {
    /// What the client has sent and the engine has not read.
    pub(crate) inn: VecDeque<u8>,
    pub(crate) eof: bool,
    /// What the client has received.
    pub(crate) out: Vec<u8>,
    /// How many bytes the engine can still write before it would block.
    pub(crate) room: usize,
    /// What each read costs, and how many there were.
    pub(crate) cost: usize,
    pub(crate) reads: usize,
    shut: bool,
}
#[derive(Clone)]
pub(crate) struct Wire(pub(crate) Rc<RefCell<Pipe>>);
impl Read for Wire {
    fn read(&mut self, b: &mut [u8]) -> io::Result<usize> {
        let mut p = self.0.borrow_mut();
        p.reads += 1;
        if p.inn.is_empty() {
            return if p.eof { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        let n = b.len().min(p.inn.len());
        for x in b.iter_mut().take(n) {
            *x = p.inn.pop_front().unwrap();
        }
        Ok(n)
    }
}
impl Write for Wire {
    fn write(&mut self, b: &[u8]) -> io::Result<usize> {
        let mut p = self.0.borrow_mut();
        assert!(!p.shut, "write after shutdown");
        if p.room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let n = b.len().min(p.room);
        p.room -= n;
        p.out.extend_from_slice(&b[..n]);
        Ok(n)
    }
    fn write_vectored(&mut self, bs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let all: Vec<u8> = bs.iter().flat_map(|b| b.to_vec()).collect();
        self.write(&all)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
impl Stream for Wire {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.borrow_mut().shut = true;
        Ok(())
    }
    fn read_cost(&self) -> usize {
        self.0.borrow().cost
    }
}

/// An application: echoes or broadcasts, and can say things when somebody leaves or is overdue.
#[derive(Default)]
pub(crate) struct App {
    pub(crate) echo: bool,
    pub(crate) say_on_overdue: bool,
    pub(crate) say_on_closed: bool,
    pub(crate) deadline: Option<Duration>,
    pub(crate) say_big_on_open: usize,
    pub(crate) messages: usize,
    pub(crate) closed: Vec<(Peer, Ending)>,
}
impl Application for App {
    type Data = ();
    fn room_for(&self, path: &str) -> Result<String, Refusal> {
        Ok(path.to_owned())
    }
    fn opened(&mut self, desk: &mut Desk<'_, ()>, peer: Peer, a: Arrival) {
        if self.say_big_on_open > 0 {
            desk.send(peer, Message::Binary(&vec![0; self.say_big_on_open]));
        }
        if desk.room_name(a.room) == Some("/ws/timed") {
            desk.set_deadline(peer, self.deadline);
        }
    }
    fn message(&mut self, desk: &mut Desk<'_, ()>, peer: Peer, m: Message<'_>) {
        self.messages += 1;
        if self.echo {
            desk.send(peer, m);
        } else {
            desk.broadcast_others(peer, m);
        }
    }
    fn overdue(&mut self, desk: &mut Desk<'_, ()>, _peer: Peer) {
        if self.say_on_overdue {
            desk.broadcast_everywhere(Message::Text("tick"));
        }
    }
    fn closed(&mut self, desk: &mut Desk<'_, ()>, peer: Peer, e: &Ending) {
        self.closed.push((peer, e.clone()));
        if self.say_on_closed {
            desk.broadcast_others(peer, Message::Text("bye"));
        }
    }
}

/// An engine, its clock, and who is gone.
pub(crate) struct World {
    pub(crate) engine: Engine<Wire, App>,
    /// The virtual clock.
    pub(crate) ms: u64,
    pub(crate) gone: Vec<Departure>,
    port: u8,
}
impl World {
    pub(crate) fn new(app: App, tune: impl FnOnce(&mut Config)) -> Self {
        Self::with_gate(app, Gate::open(), tune)
    }
    pub(crate) fn with_gate(app: App, gate: Gate, tune: impl FnOnce(&mut Config)) -> Self {
        Self { engine: Engine::new(app, gate, settings(tune), 1), ms: 1000, gone: vec![], port: 1 }
    }
    /// The defaults of this world, other than this.
    pub(crate) fn reconfigure(&mut self, tune: impl FnOnce(&mut Config)) {
        let settings = settings(tune);
        let now = self.now();
        self.engine.reconfigure(settings, Gate::open(), now);
    }
    pub(crate) fn now(&self) -> Now {
        Now { time: Time::from_millis(self.ms), unix_ms: self.ms }
    }
    pub(crate) fn turn(&mut self) {
        let now = self.now();
        self.engine.receive(now);
        self.engine.broadcast(now);
        self.engine.expire(now);
        self.engine.flush(now);
        self.engine.reap(now, &mut self.gone);
        self.engine.check_invariants();
    }
    pub(crate) fn settle(&mut self) {
        self.turn();
        for _ in 0..10_000 {
            if !self.engine.is_busy() {
                return;
            }
            self.turn();
        }
        panic!("busy for ever");
    }
    /// As the loop does: sleeps until the next deadline, up to `ms`.
    pub(crate) fn sleep_until(&mut self, ms: u64) {
        loop {
            self.settle();
            match self.engine.next_wake() {
                Some(t) if t.as_millis() <= ms => self.ms = self.ms.max(t.as_millis()),
                _ => break,
            }
        }
        self.ms = ms;
        self.settle();
    }
    pub(crate) fn accept(&mut self) -> (Peer, Wire) {
        let ip = IpAddr::from([192, 0, 2, self.port]);
        self.port += 1;
        self.accept_from(ip)
    }
    pub(crate) fn accept_from(&mut self, ip: IpAddr) -> (Peer, Wire) {
        let w = Wire(Rc::new(RefCell::new(Pipe { room: usize::MAX / 2, ..Pipe::default() })));
        let p = self.engine.accept(w.clone(), SocketAddr::new(ip, 9).into(), self.now());
        (p, w)
    }
    pub(crate) fn open(&mut self, path: &str) -> (Peer, Wire) {
        let (p, w) = self.accept();
        self.send(p, &w, &upgrade(path, ""));
        self.settle();
        assert!(w.0.borrow().out.starts_with(b"HTTP/1.1 101"));
        w.0.borrow_mut().out.clear();
        (p, w)
    }
    /// New bytes: an edge.
    pub(crate) fn send(&mut self, p: Peer, w: &Wire, bytes: &[u8]) {
        w.0.borrow_mut().inn.extend(bytes);
        self.engine.ready(p, Readiness { readable: true, writable: false, hangup: false });
    }
    pub(crate) fn eof(&mut self, p: Peer, w: &Wire) {
        w.0.borrow_mut().eof = true;
        self.engine.ready(p, Readiness { readable: true, writable: false, hangup: true });
    }
    pub(crate) fn grant(&mut self, p: Peer, w: &Wire, n: usize) {
        w.0.borrow_mut().room += n;
        self.engine.ready(p, Readiness { readable: false, writable: true, hangup: false });
    }
}
/// A request for a WebSocket with these further header lines.
pub(crate) fn upgrade(path: &str, extra: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{extra}\r\n"
    )
    .into_bytes()
}
fn settings(tune: impl FnOnce(&mut Config)) -> Settings {
    let mut c = Config::default();
    c.limits.connections = 1000;
    c.limits.pending = 1000;
    c.limits.messages_per_second = 0;
    c.limits.pending_per_address = 0;
    tune(&mut c);
    Settings::new(&c, c.limits.clone())
}
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut b = vec![first];
    match payload.len() {
        n @ 0..=125 => b.push(0x80 | u8::try_from(n).unwrap()),
        n @ 126..=65535 => {
            b.push(0xfe);
            b.extend(u16::try_from(n).unwrap().to_be_bytes());
        }
        n => {
            b.push(0xff);
            b.extend((n as u64).to_be_bytes());
        }
    }
    b.extend([0; 4]);
    b.extend(payload);
    b
}
pub(crate) fn text(s: &str) -> Vec<u8> {
    frame(0x81, s.as_bytes())
}
pub(crate) fn out(w: &Wire) -> Vec<u8> {
    w.0.borrow().out.clone()
}
