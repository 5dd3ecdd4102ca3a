//! Section 1: messages of every length encoding. Section 2: pings and pongs.

use crate::case::Case;
use crate::support::{Frame, opcode};

/// 1.1 text, 1.2 binary: the lengths stand on both sides of each length encoding (RFC 6455 section 5.2).
pub(crate) fn messages() -> Vec<Case> {
    let kinds = [("1.1", opcode::TEXT, b'*'), ("1.2", opcode::BINARY, 0xfe)];
    kinds.into_iter().flat_map(|(section, opcode, byte)| messages_of(section, opcode, byte)).collect()
}

fn messages_of(section: &str, opcode: u8, byte: u8) -> Vec<Case> {
    let lengths = [(1, 0), (2, 125), (3, 126), (4, 127), (5, 128), (6, 65_535), (7, 65_536)];
    let message = |length| Frame::new(opcode, vec![byte; length]);
    let mut cases: Vec<Case> = lengths
        .into_iter()
        .map(|(number, length)| {
            Case::new(format!("{section}.{number}"), "one message at the edge of a length encoding")
                .sends([message(length)])
                .receives(message(length))
        })
        .collect();
    cases.push(
        Case::new(format!("{section}.8"), "a message of 65,536 bytes in writes of 997")
            .sends_chopped([message(65_536)], 997)
            .receives(message(65_536)),
    );
    cases
}

pub(crate) fn pings() -> Vec<Case> {
    let binary = [0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff];
    let longest = [0xfe; 125];
    let unsolicited = "unsolicited pong payload";
    let ten = || (0..10).map(|index| format!("payload-{index}"));
    let pings: Vec<Frame> = ten().map(Frame::ping).collect();
    let ten_pongs = |case: Case| ten().fold(case, |case, payload| case.receives(Frame::pong(payload)));
    vec![
        Case::new("2.1", "an empty ping").sends([Frame::ping([])]).receives(Frame::pong([])),
        Case::new("2.2", "a ping with text")
            .sends([Frame::ping("Hello, world!")])
            .receives(Frame::pong("Hello, world!")),
        Case::new("2.3", "a ping with bytes that are not UTF-8")
            .sends([Frame::ping(binary)])
            .receives(Frame::pong(binary)),
        Case::new("2.4", "the longest ping").sends([Frame::ping(longest)]).receives(Frame::pong(longest)),
        // Section 5.5: "All control frames MUST have a payload length of 125 bytes or less".
        Case::new("2.5", "a ping one byte too long").sends([Frame::ping([0xfe; 126])]).refused(1002),
        Case::new("2.6", "the longest ping, byte by byte")
            .sends_chopped([Frame::ping(longest)], 1)
            .receives(Frame::pong(longest)),
        Case::new("2.7", "an unasked-for empty pong is not answered").sends([Frame::pong([])]),
        Case::new("2.8", "an unasked-for pong is not answered").sends([Frame::pong(unsolicited)]),
        Case::new("2.9", "an unasked-for pong, then a ping that is answered")
            .sends_together([Frame::pong(unsolicited), Frame::ping("ping payload")])
            .receives(Frame::pong("ping payload")),
        // Section 5.5.3 would let a server answer only the last one; each is demanded, in order.
        ten_pongs(Case::new("2.10", "ten pings, ten pongs").sends_together(&pings)),
        ten_pongs(Case::new("2.11", "ten pings byte by byte, ten pongs").sends_chopped(&pings, 1)),
    ]
}
