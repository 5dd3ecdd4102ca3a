//! Section 3: reserved bits. Section 4: reserved opcodes. Nothing that comes after one is looked at, and what came
//! before is still answered.

use crate::case::Case;
use crate::support::{Frame, opcode};

/// RFC 6455 section 5.2: the bits "MUST be 0 unless an extension is negotiated", and none is.
pub(crate) fn bits() -> Vec<Case> {
    let hello = || Frame::text(HELLO);
    vec![
        Case::new("3.1", "text with RSV3").sends([hello().with_rsv(1)]).refused(1002),
        Case::new("3.2", "text, text with RSV2, ping")
            .sends_together([hello(), hello().with_rsv(2), Frame::ping([])])
            .receives(hello())
            .refused(1002),
        Case::new("3.3", "text, text with RSV2 and RSV3, ping, frame by frame")
            .sends([hello(), hello().with_rsv(3), Frame::ping([])])
            .receives(hello())
            .refused(1002),
        Case::new("3.4", "text, text with RSV1, ping, byte by byte")
            .sends_chopped([hello(), hello().with_rsv(4), Frame::ping([])], 1)
            .receives(hello())
            .refused(1002),
        Case::new("3.5", "binary with RSV1 and RSV3")
            .sends([Frame::binary([0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff]).with_rsv(5)])
            .refused(1002),
        // The suite calls this frame a ping and sends a binary one; so do we, as 3.7 has a control frame.
        Case::new("3.6", "binary with RSV1 and RSV2").sends([Frame::binary(HELLO).with_rsv(6)]).refused(1002),
        Case::new("3.7", "close with all reserved bits")
            .sends([Frame::new(opcode::CLOSE, []).with_rsv(7)])
            .refused(1002),
    ]
}

/// RFC 6455 section 5.2: "If an unknown opcode is received, the receiving endpoint MUST Fail the WebSocket Connection".
/// 4.1 are the data opcodes 3 to 7, 4.2 the control opcodes 11 to 15, both in the same five ways.
pub(crate) fn opcodes() -> Vec<Case> {
    [("4.1", 3), ("4.2", 11)].into_iter().flat_map(|(section, first)| opcodes_from(section, first)).collect()
}

fn opcodes_from(section: &str, first: u8) -> Vec<Case> {
    let case = |number: u8, what| Case::new(format!("{section}.{number}"), what);
    let hello = || Frame::text(HELLO);
    // The fourth and fifth carry a payload, the third does not.
    let amid = |opcode: u8, payload: &str| [hello(), Frame::new(opcode, payload), Frame::ping([])];
    vec![
        case(1, "a reserved opcode, empty").sends([Frame::new(first, [])]).refused(1002),
        case(2, "a reserved opcode").sends([Frame::new(first + 1, "reserved opcode payload")]).refused(1002),
        case(3, "text, a reserved opcode, empty, then a ping")
            .sends_together(amid(first + 2, ""))
            .receives(hello())
            .refused(1002),
        case(4, "text, a reserved opcode, ping").sends_together(amid(first + 3, HELLO)).receives(hello()).refused(1002),
        case(5, "text, a reserved opcode, ping, byte by byte")
            .sends_chopped(amid(first + 4, HELLO), 1)
            .receives(hello())
            .refused(1002),
    ]
}

const HELLO: &str = "Hello, world!";
