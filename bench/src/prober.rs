//! Somebody who comes, says a name, and leaves, again and again, while the crowd does something else. It blocks on a
//! thread of its own, because on the crowd's poll it would wait for all that the crowd reads.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::clock;
use crate::crowd::client;
use crate::frame::{self, Reader};
use crate::histogram::Histogram;
use crate::machine;
use crate::server::{Door, tree};

/// Who is not answered by then is not answered.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two visits pass from one to three milliseconds, never in step with anything.
const PAUSE_MIN: u32 = 1_000_000;
const PAUSE_SPREAD: u32 = 2_000_000;
/// Holds an answer, and what a server without rooms says in between.
const BUFFER_BYTES: usize = 64 << 10;

/// Where to probe.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) door: Door,
    /// A room in which nobody speaks, if the server has rooms.
    pub(crate) path: &'static str,
    /// The server's.
    pub(crate) processes: Vec<u32>,
}

impl Target {
    /// Nanoseconds for which server or prober could have run and had no core.
    fn waits(&self) -> u64 {
        machine::own_wait() + tree::waited(&self.processes)
    }
}

/// How long something took, in nanoseconds.
#[derive(Debug)]
pub(crate) struct Times {
    pub(crate) taken: Histogram,
    /// Less what server and prober waited for a core meanwhile, because the generator or somebody else had it. If both
    /// waited at once that is too little, so it is the least that can be blamed on the server.
    pub(crate) least: Histogram,
}

impl Times {
    fn new() -> Self {
        Self { taken: Histogram::new(), least: Histogram::new() }
    }

    pub(crate) fn record(&mut self, taken: u64, waited: u64) {
        self.taken.record(taken);
        self.least.record(taken.saturating_sub(waited));
    }
}

/// What the visits came to.
#[derive(Debug)]
pub(crate) struct Probes {
    /// From the call of `connect` to the last byte of the 101.
    pub(crate) entries: Times,
    /// From the name to the last byte of the `hello`; nothing if the server does not greet.
    pub(crate) answers: Times,
    /// Visits that came to nothing, and why the first did.
    pub(crate) failures: u64,
    pub(crate) problem: Option<String>,
}

impl Probes {
    pub(crate) fn new() -> Self {
        Self { entries: Times::new(), answers: Times::new(), failures: 0, problem: None }
    }
}

/// Runs `work` on this thread while a thread beside it visits the target until the work is done.
pub(crate) fn beside<R>(target: &Target, work: impl FnOnce() -> R) -> (R, Probes) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let prober = scope.spawn(|| visit_until(target, &over));
        let result = work();
        over.store(true, Ordering::Relaxed);
        let probes = prober.join().unwrap_or_else(|_| {
            let mut probes = Probes::new();
            (probes.failures, probes.problem) = (1, Some("the prober ended early".to_owned()));
            probes
        });
        (result, probes)
    })
}

fn visit_until(target: &Target, over: &AtomicBool) -> Probes {
    let mut probes = Probes::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut dice = clock::now() | 1;
    for serial in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        if let Err(problem) = visit(target, serial, &mut buffer, &mut probes) {
            probes.failures += 1;
            probes.problem.get_or_insert(problem);
        }
        pause(&mut dice);
    }
    probes
}

/// One visit. What was measured of it before it failed is kept.
fn visit(target: &Target, serial: u32, buffer: &mut [u8], probes: &mut Probes) -> Result<(), String> {
    let (waits, began) = (target.waits(), clock::now());
    let mut stream = connect(&target.door, serial)?;
    write(&mut stream, client::request(&target.door, target.path).as_bytes())?;
    let mut filled = 0;
    let (status, head) = loop {
        filled += read(&mut stream, buffer, filled)?;
        if let Some(answer) = client::answer(buffer.get(..filled).unwrap_or_default()) {
            break answer;
        }
    };
    if status != 101 {
        return Err(format!("refused with {status}"));
    }
    let taken = clock::now() - began;
    probes.entries.record(taken, target.waits().saturating_sub(waits));
    if !target.door.greets {
        return Ok(());
    }
    let mut name = Vec::new();
    frame::append(&mut name, frame::TEXT, format!("p{serial:07}").as_bytes());
    let (waits, began) = (target.waits(), clock::now());
    write(&mut stream, &name)?;
    let mut reader = Reader::default();
    reader.skip(head);
    while !is_greeted(&mut reader, buffer.get(..filled).unwrap_or_default())? {
        let kept = reader.restore(buffer);
        filled = kept + read(&mut stream, buffer, kept)?;
    }
    let taken = clock::now() - began;
    probes.answers.record(taken, target.waits().saturating_sub(waits));
    Ok(())
}

fn connect(door: &Door, serial: u32) -> Result<TcpStream, String> {
    let open = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.bind(&client::source(serial).into())?;
        socket.connect_timeout(&door.address.into(), PATIENCE)?;
        Ok(TcpStream::from(socket))
    };
    open().map_err(|error: std::io::Error| format!("cannot connect: {error}"))
}

fn write(stream: &mut TcpStream, bytes: &[u8]) -> Result<(), String> {
    stream.write_all(bytes).map_err(|error| format!("cannot write: {error}"))
}

/// Reads to where the buffer is filled up to; at least one byte.
fn read(stream: &mut TcpStream, buffer: &mut [u8], filled: usize) -> Result<usize, String> {
    match stream.read(buffer.get_mut(filled..).unwrap_or_default()) {
        Ok(0) => Err("the stream ended".to_owned()),
        Ok(count) => Ok(count),
        Err(error) => Err(format!("no answer: {error}")),
    }
}

/// True if the greeting is among the frames of `bytes`; what is cut short is kept in the reader.
fn is_greeted(reader: &mut Reader, bytes: &[u8]) -> Result<bool, String> {
    while let Some(frame) = reader.next(bytes) {
        match frame.opcode {
            frame::TEXT if frame.payload.starts_with(b"hello ") => return Ok(true),
            frame::TEXT if frame.payload.starts_with(b"error: ") => {
                return Err(String::from_utf8_lossy(frame.payload).into_owned());
            }
            frame::CLOSE => return Err("closed instead of greeted".to_owned()),
            _ => {}
        }
    }
    reader.keep(bytes);
    Ok(false)
}

/// Lets the server be, for a time that is different each time.
fn pause(dice: &mut u64) {
    // Marsaglia's xorshift, good enough to be out of step.
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    let spread = u32::try_from(*dice % u64::from(PAUSE_SPREAD)).unwrap_or(0);
    clock::pause(PAUSE_MIN + spread);
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};

    use super::*;

    /// Answers one visitor with these pieces, each after something was read, and returns what the visit came to.
    fn visit_to(pieces: &'static [&'static [u8]]) -> (Result<(), String>, Probes) {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let door = Door { address: listener.local_addr().unwrap(), token: None, greets: true, echoes_own: false };
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for piece in pieces {
                assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
                stream.write_all(piece).unwrap();
            }
        });
        let mut probes = Probes::new();
        let target = Target { door, path: "/ws", processes: vec![std::process::id()] };
        let result = visit(&target, 7, &mut vec![0; 1024], &mut probes);
        server.join().unwrap();
        (result, probes)
    }

    #[test]
    fn an_entry_and_an_answer_are_measured() {
        let (result, probes) = visit_to(&[b"HTTP/1.1 101 x\r\n\r\n\x81\x01x", b"\x81\x05a: bc\x81\x0ahello p000"]);
        assert_eq!(result, Ok(()));
        assert_eq!((probes.entries.taken.count(), probes.answers.taken.count()), (1, 1));
    }

    #[test]
    fn what_is_no_answer_is_told() {
        for (pieces, word, entries) in [
            (&[b"HTTP/1.1 503 x\r\n\r\n" as &[u8]] as &[&[u8]], "503", 0),
            (&[b"HTTP/1.1 101 x\r\n\r\n", b"\x81\x08error: x"], "error: x", 1),
            (&[b"HTTP/1.1 101 x\r\n\r\n", b"\x88\x02\x03\xf0"], "closed", 1),
            (&[b"HTTP/1.1 101 x\r\n\r\n", b"\x81\x0ahello"], "ended", 1),
        ] {
            let (result, probes) = visit_to(pieces);
            assert!(result.clone().unwrap_err().contains(word), "{result:?}");
            assert_eq!((probes.entries.taken.count(), probes.answers.taken.count()), (entries, 0), "{word}");
        }
    }
}
