//! Section 7: the closing handshake (RFC 6455 sections 5.5.1 and 7). An answer has to carry the code that was sent;
//! what may not be sent at all is refused with 1002.

use crate::case::Case;
use crate::support::{Frame, opcode};

pub(crate) fn cases() -> Vec<Case> {
    [order(), payloads(), valid_codes(), invalid_codes(), undefined_codes()].into_iter().flatten().collect()
}

/// 7.1: what comes before the close frame is answered, what comes after it is ignored.
fn order() -> Vec<Case> {
    let close = || Frame::close(1000, "");
    let hello = || Frame::text("Hello World!");
    let normal = || [Some(1000)];
    let large = || Frame::text(b"BAsd7&jh23".iter().copied().cycle().take(256 * 1024).collect::<Vec<u8>>());
    vec![
        Case::new("7.1.1", "text, then close").sends([hello()]).receives(hello()),
        Case::new("7.1.2", "close twice").sends_together([close(), Frame::new(opcode::CLOSE, [])]).answered(normal()),
        Case::new("7.1.3", "a ping after close").sends_together([close(), Frame::ping([])]).answered(normal()),
        Case::new("7.1.4", "text after close").sends_together([close(), hello()]).answered(normal()),
        Case::new("7.1.5", "close between two fragments")
            .sends_together([Frame::text("fragment1").unfinished(), close(), Frame::continuation("fragment2")])
            .answered(normal()),
        // The suite only takes note here. A server that works through its input in order has echoed both messages by
        // the time it meets the close frame, and everything it has queued goes out before its answer.
        Case::new("7.1.6", "256 KiB, text, close and a ping in one go")
            .sends_together([large(), hello(), close(), Frame::ping([])])
            .receives(large())
            .receives(hello())
            .answered(normal()),
    ]
}

/// 7.3: every length of the payload. 7.5: a reason that is not UTF-8.
fn payloads() -> Vec<Case> {
    let sends =
        |number: &str, what, payload: Vec<u8>| Case::new(number, what).sends([Frame::new(opcode::CLOSE, payload)]);
    let with = |reason: &[u8]| Frame::close(1000, reason).payload;
    // A valid Greek word, a surrogate half, and valid text again.
    let not_utf8 = [b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5".as_slice(), b"\xed\xa0\x80", b"edited"].concat();
    vec![
        // Section 7.1.5 calls a close without a code 1005, which may not be sent: the answer has no code, or 1000.
        sends("7.3.1", "a close frame without a code", Vec::new()).answered([None, Some(1000)]),
        sends("7.3.2", "a close frame with half a code", vec![b'a']).answered([Some(1002)]),
        sends("7.3.3", "a code without a reason", with(b"")).answered([Some(1000)]),
        sends("7.3.4", "a code with a reason", with(b"Hello World!")).answered([Some(1000)]),
        sends("7.3.5", "the longest reason", with(&[b'*'; 123])).answered([Some(1000)]),
        sends("7.3.6", "a reason one byte too long", with(&[b'*'; 124])).answered([Some(1002)]),
        // The suite takes 1002 too; section 7.4.1 has 1007 for exactly this.
        sends("7.5.1", "a reason that is not UTF-8", with(&not_utf8)).answered([Some(1007)]),
    ]
}

/// 7.7: the codes of section 7.4 that may travel in a close frame come back as they were sent.
fn valid_codes() -> Vec<Case> {
    let codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
    numbered("7.7", "a valid code", &codes, |case, code| case.answered([Some(code)]))
}

/// 7.9: codes out of range, reserved (1004 to 1006), or not assigned to anybody.
fn invalid_codes() -> Vec<Case> {
    let codes = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
    numbered("7.9", "an invalid code", &codes, |case, _| case.answered([Some(1002)]))
}

/// 7.13: codes of which section 7.4.2 says nothing.
fn undefined_codes() -> Vec<Case> {
    numbered("7.13", "a code beyond all ranges", &[5000, 65_535], |case, _| case.ends_somehow())
}

fn numbered(section: &str, what: &'static str, codes: &[u16], end: impl Fn(Case, u16) -> Case) -> Vec<Case> {
    let cases = codes.iter().enumerate().map(|(index, &code)| {
        let case = Case::new(format!("{section}.{}", index + 1), what);
        end(case.sends([Frame::close(code, "")]), code)
    });
    cases.collect()
}
