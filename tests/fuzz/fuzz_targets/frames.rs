//! Any bytes after the handshake: the messages must not depend on how the network, or a turn's share, cut them.
#![no_main]

use hollerd::connection::inbound::{InboundPool, Incoming, Progress};
use hollerd::time::Time;
use hollerd::wire::boundary::MessageLimits;
use libfuzzer_sys::fuzz_target;

const LIMITS: MessageLimits = MessageLimits { bytes: 512, fragments: 8 };

fuzz_target!(|bytes: &[u8]| {
    let whole = receive(bytes, bytes.len().max(1), usize::MAX);
    let step = bytes.len() % 61 + 1;
    assert_eq!(receive(bytes, step, 1), whole, "in pieces of {step} bytes, one message a turn");
});

/// What the peer said, and whether it broke a rule.
fn receive(bytes: &[u8], step: usize, most: usize) -> (Vec<Incoming>, bool) {
    let (mut inbound, mut outbox) = (InboundPool::new(LIMITS).take(), None);
    let mut incoming = Vec::new();
    for piece in bytes.chunks(step) {
        let mut progress = inbound.receive(piece, LIMITS, most, Time::START, &mut outbox, &mut incoming);
        while progress == Progress::MoreToDo {
            progress = inbound.receive(&[], LIMITS, most, Time::START, &mut outbox, &mut incoming);
        }
        // Neither after a broken rule nor after a close frame is anything received.
        let broken = matches!(progress, Progress::Broken(_));
        if broken || matches!(incoming.last(), Some(Incoming::Close { .. })) {
            return (incoming, broken);
        }
    }
    (incoming, false)
}
