//! Any bytes after the handshake: the messages must not depend on how the network, or a turn's share, cut them.
#![no_main]

use hollerd::connection::inbound::{InboundPool, Incoming, Progress};
use hollerd::time::Time;
use hollerd::wire::boundary::MessageLimits;
use hollerd::wire::frame::{Message, Opcode};
use libfuzzer_sys::fuzz_target;

const LIMITS: MessageLimits = MessageLimits { bytes: 512, fragments: 8 };

fuzz_target!(|bytes: &[u8]| {
    let whole = receive(bytes, bytes.len().max(1), usize::MAX);
    let step = bytes.len() % 61 + 1;
    assert_eq!(receive(bytes, step, 1), whole, "in pieces of {step} bytes, one message a turn");
});

/// What the peer said, as `(opcode, payload)`, and whether it broke a rule.
fn receive(bytes: &[u8], step: usize, most: usize) -> (Vec<(u8, Vec<u8>)>, bool) {
    let (mut inbound, mut outbox) = (InboundPool::new(LIMITS).take(), None);
    let mut said = Vec::new();
    for piece in bytes.to_vec().chunks_mut(step) {
        let mut taken = 0;
        loop {
            let mut incoming = Vec::new();
            let progress;
            (progress, taken) = inbound.receive(piece, taken, most, Time::START, &mut outbox, &mut incoming);
            for one in incoming {
                let message = match &one {
                    Incoming::Whole(whole) => match whole.message(piece) {
                        Ok(message) => message,
                        Err(_) => return (said, true),
                    },
                    Incoming::Text(text) => Message::Text(text),
                    Incoming::Binary(bytes) => Message::Binary(bytes),
                    Incoming::Pong(payload) => {
                        said.push((Opcode::Pong as u8, payload.to_vec()));
                        continue;
                    }
                    Incoming::Close { code, reason, .. } => {
                        said.push((Opcode::Close as u8, format!("{code:?} {reason}").into_bytes()));
                        // Nothing is received after a close frame.
                        return (said, false);
                    }
                };
                said.push((message.opcode() as u8, message.payload().to_vec()));
            }
            match progress {
                Progress::MoreToDo => {}
                Progress::Broken(_) => return (said, true),
                Progress::AtRest | Progress::Waiting | Progress::Closed => break,
            }
        }
    }
    (said, false)
}
