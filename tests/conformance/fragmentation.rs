//! Section 5: fragmentation (RFC 6455 section 5.4). Section 10: a message that the sender cuts up by itself.

use crate::case::{Bulk, Case};
use crate::support::{Frame, opcode};

pub(crate) fn cases() -> Vec<Case> {
    [fragmented_control(), whole_messages(), lost_continuations(), broken_messages(), slow_message()]
        .into_iter()
        .flatten()
        .collect()
}

/// Section 5.5: control frames "MUST NOT be fragmented".
fn fragmented_control() -> Vec<Case> {
    let halves = |first: Frame| [first.unfinished(), last("fragment2")];
    vec![
        Case::new("5.1", "a ping in two fragments").sends_together(halves(Frame::ping("fragment1"))).refused(1002),
        Case::new("5.2", "a pong in two fragments").sends_together(halves(Frame::pong("fragment1"))).refused(1002),
    ]
}

/// The same message in three ways of travelling, without and with a ping inside, which may not wait for its end.
fn whole_messages() -> Vec<Case> {
    let plain = || [start("fragment1"), last("fragment2")];
    let pinged = || [start("fragment1"), Frame::ping("ping payload"), last("fragment2")];
    let echoed = |case: Case| case.receives(Frame::text("fragment1fragment2"));
    let ponged = |case: Case| echoed(case.receives(Frame::pong("ping payload")));
    vec![
        echoed(Case::new("5.3", "two fragments together").sends_together(plain())),
        echoed(Case::new("5.4", "two fragments, frame by frame").sends(plain())),
        echoed(Case::new("5.5", "two fragments, byte by byte").sends_chopped(plain(), 1)),
        ponged(Case::new("5.6", "a ping between two fragments, together").sends_together(pinged())),
        ponged(Case::new("5.7", "a ping between two fragments, frame by frame").sends(pinged())),
        ponged(Case::new("5.8", "a ping between two fragments, byte by byte").sends_chopped(pinged(), 1)),
    ]
}

/// A continuation where no message has begun, final or not, and a lawful text after it that must not be answered.
fn lost_continuations() -> Vec<Case> {
    let finished = || [last("non-continuation payload"), Frame::text("Hello, world!")];
    let unfinished = || [middle("non-continuation payload"), Frame::text("Hello, world!")];
    vec![
        Case::new("5.9", "a lost last fragment, text, together").sends_together(finished()).refused(1002),
        Case::new("5.10", "a lost last fragment, text, frame by frame").sends(finished()).refused(1002),
        Case::new("5.11", "a lost last fragment, text, byte by byte").sends_chopped(finished(), 1).refused(1002),
        Case::new("5.12", "a lost fragment, text, together").sends_together(unfinished()).refused(1002),
        Case::new("5.13", "a lost fragment, text, frame by frame").sends(unfinished()).refused(1002),
        Case::new("5.14", "a lost fragment, text, byte by byte").sends_chopped(unfinished(), 1).refused(1002),
    ]
}

fn broken_messages() -> Vec<Case> {
    let twice = |lost: Frame| {
        let round = [lost, start("fragment2"), last("fragment3")];
        [round.clone(), round].concat()
    };
    vec![
        Case::new("5.15", "a whole fragmented message, then a lost fragment, then text")
            .sends_together([start("fragment1"), last("fragment2"), middle("fragment3"), Frame::text("fragment4")])
            .receives(Frame::text("fragment1fragment2"))
            .refused(1002),
        Case::new("5.16", "twice: a lost fragment, then a fragmented message")
            .sends_together(twice(middle("fragment1")))
            .refused(1002),
        Case::new("5.17", "twice: a lost last fragment, then a fragmented message")
            .sends_together(twice(last("fragment1")))
            .refused(1002),
        Case::new("5.18", "a second text frame inside a fragmented text")
            .sends_together([start("fragment1"), Frame::text("fragment2")])
            .refused(1002),
    ]
}

/// The suite waits a second in the middle; here the first pong is awaited, which proves the same and sooner: it is
/// answered while the message is still incomplete.
fn slow_message() -> Vec<Case> {
    let before = || [start("fragment1"), middle("fragment2"), Frame::ping("pongme 1!")];
    let after = || [middle("fragment3"), middle("fragment4"), Frame::ping("pongme 2!"), last("fragment5")];
    let first = |case: Case| case.receives(Frame::pong("pongme 1!"));
    let rest = |case: Case| {
        case.receives(Frame::pong("pongme 2!")).receives(Frame::text("fragment1fragment2fragment3fragment4fragment5"))
    };
    let together = Case::new("5.19", "five fragments and two pings, in two writes").sends_together(before());
    let one_by_one = Case::new("5.20", "five fragments and two pings, frame by frame").sends(before());
    vec![rest(first(together).sends_together(after())), rest(first(one_by_one).sends(after()))]
}

pub(crate) fn automatic() -> Vec<Case> {
    let bulk =
        Bulk { opcode: opcode::TEXT, pattern: b"*", length: 65_536, fragment: 1_300, chop: usize::MAX, rounds: 1 };
    vec![Case::new("10.1.1", "65,536 bytes in fragments of 1,300").echoes(bulk)]
}

fn start(payload: &str) -> Frame {
    Frame::text(payload).unfinished()
}

fn middle(payload: &str) -> Frame {
    Frame::continuation(payload).unfinished()
}

fn last(payload: &str) -> Frame {
    Frame::continuation(payload)
}
