//! Every message comes back: what does one cost, and how long does it take?

use super::fanout::{DELIVERY_COLUMNS, delivery_values};
use super::{Plan, TOGETHER, note_doubts, progress};
use crate::clock::{self, SECOND};
use crate::crowd::{Crowd, Goal};
use crate::frame;
use crate::ledger::Ledger;
use crate::report::{Form, Report};
use crate::server::Server;
use crate::server::catalog::Role;
use crate::server::watch::Watch;
use crate::talk::{PATIENCE, Speaker};

pub(super) const FORM: Form = Form { question: "echo", columns: DELIVERY_COLUMNS, key: 0 };

pub(super) fn ask(server: &str, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let process = Server::start(server, Role::Echo, &[])?;
    for connections in [1, 64] {
        let mut crowd = Crowd::new(&process.door)?;
        crowd.gather(connections, TOGETHER, Goal::Upgraded, PATIENCE)?;
        for (bytes, size) in [(64, "64 B"), (16 << 10, "16 KiB"), (1 << 20, "1 MiB")] {
            let case = format!("{connections} × {size}");
            progress(&format!("echo: {server}, {case}"));
            let time = if plan.quick { SECOND / 2 } else { 4 * SECOND };
            let mut speaker = Speaker::new(bytes, frame::BINARY);
            let mut next = vec![0; connections];
            crowd.hearing.begin(Ledger::of_echoes(connections), bytes);
            volley(&mut crowd, &mut speaker, &mut next, time / 10);
            if crowd.hearing.ledger.outstanding() > 0 {
                return Err(format!("{case}: not everything comes back"));
            }
            crowd.hearing.begin(Ledger::of_echoes(connections), bytes);
            next.fill(0);
            let watch = Watch::begin(&process);
            volley(&mut crowd, &mut speaker, &mut next, time);
            let spent = watch.end();
            report.add(server, &case, delivery_values(&crowd, &spent));
            note_doubts(report, server, &case, &crowd, &spent);
            if crowd.ready() < connections || crowd.hearing.ledger.outstanding() > 0 {
                return Err(format!("{case}: not everything came back"));
            }
        }
        crowd.leave();
    }
    Ok(())
}

/// Everybody says its next when its last came back, until the time is over and all is back. `next` are the sequence
/// numbers, by connection.
fn volley(crowd: &mut Crowd, speaker: &mut Speaker, next: &mut [u32], time: u64) {
    let end = clock::now() + time;
    for place in 0..next.len() {
        say(crowd, speaker, next, place);
    }
    while clock::now() < end {
        let seen = crowd.hearing.ledger.received();
        if !crowd.wait(PATIENCE, |crowd| crowd.hearing.ledger.received() > seen) {
            return;
        }
        for place in 0..next.len() {
            if crowd.hearing.ledger.has_all(place, next.get(place).copied().unwrap_or(0)) {
                say(crowd, speaker, next, place);
            }
        }
    }
    crowd.wait(PATIENCE, |crowd| crowd.hearing.ledger.outstanding() == 0);
}

fn say(crowd: &mut Crowd, speaker: &mut Speaker, next: &mut [u32], place: usize) {
    let Some(sequence) = next.get_mut(place) else { return };
    speaker.add(place, *sequence);
    *sequence += 1;
    crowd.hearing.ledger.expect(1);
    speaker.send(crowd, place);
}
