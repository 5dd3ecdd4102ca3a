//! The short runs whose instructions are compared with a baseline. Each prepares what it needs, and then does one thing
//! many times while callgrind counts. How often is the same in every run: counts of different sizes are not compared.

use std::hint::black_box;
use std::io::Write;

use hollerd::chat::Chat;
use hollerd::connection::Peer;
use hollerd::engine::{Application, Arrival, Desk};
use hollerd::time::Time;
use hollerd::timer_wheel::TimerWheel;
use hollerd::wire::frame::{self, Message, Opcode};
use hollerd::wire::response::Refusal;

use super::child::{Answer, wait_for_callgrind};
use super::counted;
use super::lines::{Lines, message};
use super::seat::{Hall, Seat, Sink};
use super::world::{World, new_chat};

/// Who hears the one that speaks.
const LISTENERS: usize = 1_000;
const SPEAKER: usize = 0;
/// As many come in together as the server accepts in one turn.
const BATCH: usize = 256;
/// Bytes of a message in the fan-out, without the name that is put before it.
const MESSAGE_BYTES: usize = 56;
/// Connections that talk to the echo server.
const TALKERS: usize = 64;
/// What all runs of the timer wheel have in it.
const DEADLINES: u32 = 100_000;
/// The runs of the timer wheel spread their deadlines over so many milliseconds, less than one revolution.
const SPREAD: u64 = 60_000;

/// One of the runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// What is counted; also what a child is called with.
    pub(crate) name: &'static str,
    /// How many parts are counted: the thing itself, and in some runs what the peers in memory did in it.
    pub(crate) parts: usize,
    run: fn(Start) -> Result<Answer, String>,
}

/// To be called before the counted part.
type Start = fn();

/// All of them.
pub(crate) const CASES: [Case; 10] = [
    Case { name: "connection let in and named", parts: 1, run: let_in },
    Case { name: "ping and pong", parts: 1, run: ping },
    Case { name: "delivery (one at a time)", parts: 2, run: |start| fan_out(start, 1, 200) },
    Case { name: "delivery (256 together)", parts: 2, run: |start| fan_out(start, 256, 20) },
    Case { name: "echo of 64 B", parts: 1, run: |start| echo(start, 64) },
    Case { name: "echo of 16 KiB", parts: 1, run: |start| echo(start, 16 << 10) },
    Case { name: "turn in which nothing happens", parts: 1, run: empty_turn },
    Case { name: "deadline armed", parts: 1, run: arm },
    Case { name: "deadline expired", parts: 1, run: expire },
    Case { name: "wheel turn without a deadline", parts: 1, run: empty_wheel_turn },
];

/// What a child is called with before the name of a case.
pub(crate) const WORD: &str = "case";

/// Runs the case of this name. The answer says how many things were `counted`, and how many the peers did alone.
pub(super) fn run(name: &str, counting: bool) -> Result<Answer, String> {
    let case = CASES.iter().find(|case| case.name == name).ok_or_else(|| format!("there is no case {name}"))?;
    (case.run)(if counting { wait_for_callgrind } else { || {} })
}

fn let_in(start: Start) -> Result<Answer, String> {
    let texts = Vec::new();
    in_chat(texts, BATCH + LISTENERS, |world| {
        world.come_in(0..BATCH);
        start();
        counted(|| come_in(world, BATCH, BATCH + LISTENERS));
        (LISTENERS as u64, Some(SPEAKER))
    })
}

fn ping(start: Start) -> Result<Answer, String> {
    in_chat(Vec::new(), LISTENERS, |world| {
        come_in(world, 0, LISTENERS);
        start();
        counted(|| world.pass_until(world.millis() + 30_000));
        (world.pings(), Some(SPEAKER))
    })
}

/// One speaks `rounds` times, `together` messages each time, and the others have heard them before it speaks again.
fn fan_out(start: Start, together: u32, rounds: u32) -> Result<Answer, String> {
    let text =
        |round: u32| (round * together..(round + 1) * together).flat_map(|number| message(number, MESSAGE_BYTES));
    let texts = (0..=rounds).map(|round| text(round).collect()).collect();
    in_chat(texts, LISTENERS + 1, |world| {
        come_in(world, 0, LISTENERS + 1);
        // What the first messages make the engine set up once is not counted.
        world.speak(SPEAKER, 0);
        world.settle();
        let before = world.deliveries();
        start();
        counted(|| {
            for round in 1..=rounds {
                world.speak(SPEAKER, round as usize);
                world.settle();
            }
        });
        world.expect(0..(rounds + 1) * together);
        (world.deliveries() - before, Some(SPEAKER))
    })
    .and_then(|answer| hear(answer, together as usize, 1_000))
}

/// Counts what a peer in memory does with a delivery, without any engine. It is the greater part when many come together,
/// and must not hide what the engine does.
fn hear(mut answer: Answer, together: usize, rounds: usize) -> Result<Answer, String> {
    let hall = Hall::new(1, false);
    let seat = Seat::new(&hall, 0);
    let mut sink = Sink(&seat);
    let mut write = |bytes: &[u8]| sink.write_all(bytes).map_err(|error| error.to_string());
    write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")?;
    let mut frames = Vec::new();
    let text = format!("p0000000: {}", ".".repeat(MESSAGE_BYTES));
    (0..together).for_each(|_| frame::append(&mut frames, Opcode::Text, text.as_bytes()));
    counted(|| (0..rounds).try_for_each(|_| write(black_box(&frames))))?;
    answer.set("peers counted", (together * rounds) as f64);
    answer.check(seat.heard.get() as usize == together * rounds, "the peer has not heard everything");
    Ok(answer)
}

fn echo(start: Start, bytes: usize) -> Result<Answer, String> {
    const ROUNDS: u32 = 20;
    let texts = (0..=ROUNDS).map(|number| message(number, bytes)).collect();
    in_world(Echo, false, texts, TALKERS, |world| {
        world.come_in(0..TALKERS);
        let round = |world: &mut World<'_, Echo>, text: usize| {
            (0..TALKERS).for_each(|number| world.speak(number, text));
            world.settle();
        };
        round(world, 0);
        let before = world.deliveries();
        start();
        counted(|| (1..=ROUNDS as usize).for_each(|text| round(world, text)));
        world.expect(0..ROUNDS + 1);
        (world.deliveries() - before, None)
    })
}

fn empty_turn(start: Start) -> Result<Answer, String> {
    const TURNS: u64 = 10_000;
    in_chat(Vec::new(), LISTENERS, |world| {
        come_in(world, 0, LISTENERS);
        start();
        counted(|| (0..TURNS).for_each(|_| world.settle()));
        (TURNS, Some(SPEAKER))
    })
}

fn arm(start: Start) -> Result<Answer, String> {
    let mut wheel = full_wheel();
    start();
    counted(|| (0..DEADLINES).for_each(|key| wheel.arm(key, deadline(key + 1))));
    let mut answer = Answer::default();
    answer.set("counted", f64::from(DEADLINES));
    answer.check(wheel.len() == DEADLINES as usize, "the wheel has lost deadlines");
    Ok(answer)
}

fn expire(start: Start) -> Result<Answer, String> {
    let mut wheel = full_wheel();
    let mut due = Vec::with_capacity(DEADLINES as usize);
    start();
    counted(|| {
        while let Some(wake) = wheel.next_wake() {
            wheel.expire(wake, usize::MAX, &mut due);
        }
    });
    let mut answer = Answer::default();
    answer.set("counted", due.len() as f64);
    due.sort_unstable();
    answer.check(due.iter().copied().eq(0..DEADLINES), "not every deadline came up once");
    Ok(answer)
}

fn empty_wheel_turn(start: Start) -> Result<Answer, String> {
    const TURNS: u64 = 10_000;
    let mut wheel = full_wheel();
    let mut due = Vec::new();
    let mut wakes = 0;
    start();
    counted(|| {
        for turn in 0..TURNS {
            // A turn every microsecond: the first deadline is a tick away all the time.
            wheel.expire(Time::from_micros(turn), usize::MAX, &mut due);
            wakes += u64::from(wheel.next_wake().is_some());
        }
    });
    let mut answer = Answer::default();
    answer.set("counted", TURNS as f64);
    answer.check(due.is_empty() && wakes == TURNS, "a deadline came up before its time");
    Ok(answer)
}

fn full_wheel() -> TimerWheel {
    let mut wheel = TimerWheel::new();
    (0..DEADLINES).for_each(|key| wheel.arm(key, deadline(key)));
    wheel
}

/// Spread evenly and without order.
fn deadline(key: u32) -> Time {
    Time::from_millis(64 + u64::from(key.wrapping_mul(0x9e37_79b1)) % SPREAD)
}

fn come_in<A: Application>(world: &mut World<'_, A>, from: usize, to: usize) {
    (from..to).step_by(BATCH).for_each(|number| world.come_in(number..to.min(number + BATCH)));
}

fn in_chat(
    texts: Vec<Vec<u8>>,
    peers: usize,
    work: impl FnOnce(&mut World<'_, Chat>) -> (u64, Option<usize>),
) -> Result<Answer, String> {
    in_world(new_chat(), true, texts, peers, work)
}

/// Does the work in a world of its own, and looks at the books. The work says how many things it has done, and who has
/// spoken without hearing itself.
fn in_world<A: Application>(
    application: A,
    greets: bool,
    texts: Vec<Vec<u8>>,
    peers: usize,
    work: impl FnOnce(&mut World<'_, A>) -> (u64, Option<usize>),
) -> Result<Answer, String> {
    let lines = Lines::new(peers, texts)?;
    let hall = Hall::new(peers, greets);
    let seats: Vec<Seat<'_>> = (0..).take(peers).map(|number| Seat::new(&hall, number)).collect();
    // Nobody says more than 20 messages per second for long, but here everything happens in one moment.
    let mut world =
        World::new(application, &hall, &seats, &lines, || 0, |config| config.limits.messages_per_second = 0)?;
    let (counted, speaker) = work(&mut world);
    let mut answer = Answer::default();
    answer.set("counted", counted as f64);
    answer.faults = world.faults(speaker);
    Ok(answer)
}

/// The application of `examples/echo.rs`.
struct Echo;

impl Application for Echo {
    type Data = ();

    fn room_for(&self, _path: &str) -> Result<String, Refusal> {
        Ok("echo".to_owned())
    }

    fn opened(&mut self, _desk: &mut Desk<'_, ()>, _peer: Peer, _arrival: Arrival) {}

    fn message(&mut self, desk: &mut Desk<'_, ()>, peer: Peer, message: Message<'_>) {
        desk.send(peer, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_does_what_it_says() {
        let counts = [1_000, 1_000, 200_000, 5_120_000, 1_280, 1_280, 10_000, 100_000, 100_000, 10_000];
        for (case, count) in CASES.iter().zip(counts) {
            let answer = run(case.name, false).unwrap();
            assert_eq!(answer.faults, Vec::<String>::new(), "{}", case.name);
            assert_eq!(answer.get("counted"), f64::from(count), "{}", case.name);
        }
        assert!(run("nothing", false).is_err());
    }
}
