//! Very many peers, all of them let in by a token and named. They are silent and pinged; then one of them speaks once.

use hollerd::chat::Chat;

use super::child::{Answer, wait_for_callgrind};
use super::counted;
use super::lines::{Lines, message};
use super::seat::{Hall, Seat, Sink};
use super::world::{World, new_chat};
use crate::clock;
use crate::server::tree;

/// The name of this run.
pub(super) const WORD: &str = "many";

/// So many come in together, as many as the server accepts in one turn.
const BATCH: usize = 256;
/// What the first connections make the engine set up once is not theirs.
const FIRST: usize = 8;
/// All come in within this time, in milliseconds: before the first of them is pinged.
const ARRIVAL: u64 = 20_000;
/// So many accepts are counted, the last ones: when all the others are there.
const COUNTED_ACCEPTS: usize = 10_000;
/// A stretch in which everybody is pinged, in milliseconds.
const STRETCH: u64 = 30_000;
/// Stretches of silence in a run that is not counted: each peer is pinged four times or more.
const STRETCHES: u64 = 4;
/// Bytes of the one message.
const MESSAGE_BYTES: usize = 56;
const SPEAKER: usize = 0;

/// The run. `counting` is true under callgrind, where the clock and the memory mean nothing.
pub(super) fn run(peers: usize, counting: bool) -> Result<Answer, String> {
    let lines = Lines::new(peers, vec![message(1, MESSAGE_BYTES)])?;
    let hall = Hall::new(peers, true);
    let seats: Vec<Seat<'_>> = (0..).take(peers).map(|number| Seat::new(&hall, number)).collect();
    let chat = new_chat();
    // Valgrind has no page for quick looks at the clock, and `rustix` cannot do without.
    let watch: fn() -> u64 = if counting { || 0 } else { clock::own_cpu };
    let mut world = World::new(chat, &hall, &seats, &lines, watch, |_| {})?;
    let mut answer = Answer::default();
    let started = world.millis();

    let arrive = |world: &mut World<'_, Chat>, from: usize, to: usize| {
        for number in (from..to).step_by(BATCH) {
            world.pass_until(started + ARRIVAL * number as u64 / peers as u64);
            world.come_in(number..to.min(number + BATCH));
        }
    };
    arrive(&mut world, 0, FIRST);
    let before = private();
    let began = watch();
    let uncounted = peers.saturating_sub(COUNTED_ACCEPTS).max(FIRST);
    arrive(&mut world, FIRST, uncounted);
    if counting {
        wait_for_callgrind();
    }
    counted(|| arrive(&mut world, uncounted, peers));
    let accepts = (peers - FIRST) as f64;
    answer.set("accept ns", (watch() - began) as f64 / accepts);
    answer.set("accepts counted", (peers - uncounted) as f64);
    answer.set("accept turn ns", world.take_longest_turn() as f64);
    answer.set("private", (private() as f64 - before as f64) / accepts);
    answer.set("stream", size_of::<Option<Sink<'_>>>() as f64);

    let began = watch();
    counted(|| world.pass_until(started + ARRIVAL + STRETCH));
    answer.set("pings counted", world.pings() as f64);
    let stretches = if counting { 1 } else { STRETCHES };
    world.pass_until(started + ARRIVAL + stretches * STRETCH);
    answer.set("ping ns", (watch() - began) as f64 / world.pings() as f64);
    answer.set("pings", world.pings() as f64);
    answer.set("ping turn ns", world.take_longest_turn() as f64);

    let began = watch();
    world.expect(1..2);
    counted(|| {
        world.speak(SPEAKER, 0);
        world.settle();
    });
    answer.set("delivery ns", (watch() - began) as f64 / world.deliveries() as f64);
    answer.set("deliveries", world.deliveries() as f64);
    answer.set("delivery turn ns", world.take_longest_turn() as f64);
    answer.set("private at the end", (private() as f64 - before as f64) / accepts);
    answer.faults = world.faults(Some(SPEAKER));
    Ok(answer)
}

/// Bytes that only this process has.
fn private() -> u64 {
    tree::memory(&[std::process::id()]).private
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_lost_and_everybody_is_pinged_and_told() {
        let answer = run(1_000, false).unwrap();
        assert_eq!(answer.faults, Vec::<String>::new());
        assert_eq!(answer.get("deliveries"), 999.0);
        // Four stretches of 30 s, and 25 s from ping to ping, 10 % more or less.
        let each = answer.get("pings") / 1_000.0;
        assert!((4.0..=6.0).contains(&each), "{each}");
        assert_eq!(answer.get("stream"), 8.0);
    }
}
