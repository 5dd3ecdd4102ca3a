//! Everybody talks and everybody hears: rounds in which each says one thing, the next one when all have heard all.

use super::fanout::{DELIVERY_COLUMNS, MESSAGE_BYTES, delivery_values};
use super::{Plan, named_crowd, note_doubts, progress};
use crate::clock::SECOND;
use crate::frame;
use crate::ledger::Ledger;
use crate::report::{Form, Report};
use crate::server::Server;
use crate::server::catalog::Role;
use crate::server::watch::Watch;
use crate::talk::{self, Limit, Speaker};

pub(super) const FORM: Form = Form { question: "storm", columns: DELIVERY_COLUMNS, key: 0 };

pub(super) fn ask(server: &str, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let sizes: &[usize] = if plan.quick { &[100, 500] } else { &[100, 500, 2_000] };
    let time = if plan.quick { 3 * SECOND / 2 } else { 8 * SECOND };
    for &talkers in sizes {
        let case = format!("{talkers} talkers");
        progress(&format!("storm: {server}, {case}"));
        let process = Server::start(server, Role::Chat, &[])?;
        let mut crowd = named_crowd(&process, talkers)?;
        let mut speaker = Speaker::new(MESSAGE_BYTES, frame::TEXT);
        let senders = u32::try_from(talkers).unwrap_or(u32::MAX);
        crowd.hearing.begin(Ledger::of_broadcasts(talkers, senders), speaker.body_bytes());
        talk::rounds(&mut crowd, &mut speaker, talkers, Limit::messages(1));
        crowd.hearing.begin(Ledger::of_broadcasts(talkers, senders), speaker.body_bytes());
        let watch = Watch::begin(&process);
        talk::rounds(&mut crowd, &mut speaker, talkers, Limit::time(time));
        let spent = watch.end();
        report.add(server, &case, delivery_values(&crowd, &spent));
        note_doubts(report, server, &case, &crowd, &spent);
    }
    Ok(())
}
