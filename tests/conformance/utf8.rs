//! Section 6: text is UTF-8 (RFC 6455 sections 5.6 and 8.1, RFC 3629), whole, in fragments, and from the first wrong
//! byte on. The sequences of 6.5 to 6.23 follow Markus Kuhn's decoder stress test.

use crate::case::Case;
use crate::support::{Frame, opcode};

pub(crate) fn cases() -> Vec<Case> {
    [empty(), valid(), invalid(), fail_fast(), sequences()].into_iter().flatten().collect()
}

/// 6.1: a message without bytes is a message.
fn empty() -> Vec<Case> {
    let around = |middle: &str| {
        [Frame::text("").unfinished(), Frame::continuation(middle).unfinished(), Frame::continuation("")]
    };
    vec![
        Case::new("6.1.1", "an empty text").sends([Frame::text("")]).receives(Frame::text("")),
        Case::new("6.1.2", "three empty fragments").sends_together(around("")).receives(Frame::text("")),
        Case::new("6.1.3", "text between empty fragments")
            .sends_together(around("middle frame payload"))
            .receives(Frame::text("middle frame payload")),
    ]
}

/// 6.2: frames may end inside a character; only the message has to be UTF-8.
fn valid() -> Vec<Case> {
    let (first, second) = ("Hello-µ@ßöä", "üàá-UTF-8!!");
    let whole = [first, second].concat();
    let byte_by_byte = |payload: &[u8]| Frame::fragments(opcode::TEXT, payload, 1);
    vec![
        Case::new("6.2.1", "letters of two bytes")
            .sends([Frame::text(whole.as_str())])
            .receives(Frame::text(whole.as_str())),
        Case::new("6.2.2", "fragments that end between characters")
            .sends_together([Frame::text(first).unfinished(), Frame::continuation(second)])
            .receives(Frame::text(whole.as_str())),
        Case::new("6.2.3", "fragments of one byte")
            .sends_together(byte_by_byte(whole.as_bytes()))
            .receives(Frame::text(whole)),
        Case::new("6.2.4", "Greek in fragments of one byte")
            .sends_together(byte_by_byte(KOSME))
            .receives(Frame::text(KOSME)),
    ]
}

/// 6.3: a surrogate half amid valid text.
fn invalid() -> Vec<Case> {
    let payload = [KOSME, b"\xed\xa0\x80", b"edited"].concat();
    vec![
        Case::new("6.3.1", "a surrogate half").sends([Frame::text(payload.as_slice())]).refused(1007),
        Case::new("6.3.2", "a surrogate half, in fragments of one byte")
            .sends_together(Frame::fragments(opcode::TEXT, &payload, 1))
            .refused(1007),
    ]
}

/// 6.4: the message turns invalid with the second byte of what would be U+110000, and is refused no later than at the
/// end of the frame which that byte is in. Where it is cut into frames, the ping proves that the first one was taken,
/// and the last one is never sent. Where it is cut into chops of one frame, all of the frame is sent: refusing before
/// its end is allowed, not demanded.
fn fail_fast() -> Vec<Case> {
    let payload = [KOSME, b"\xf4\x90\x80\x80", b"edited"].concat();
    let frames = |number: &str, what, first: usize, second: usize| {
        Case::new(number, what)
            .sends([Frame::text(&payload[..first]).unfinished(), Frame::ping("still there?")])
            .receives(Frame::pong("still there?"))
            .sends([Frame::continuation(&payload[first..second]).unfinished()])
            .refused(1007)
    };
    let chops = |number: &str, what, first: usize, second: usize| {
        let bytes = Frame::text(payload.as_slice()).encode();
        let header = bytes.len() - payload.len();
        Case::new(number, what)
            .sends_bytes(&bytes[..header + first])
            .sends_bytes(&bytes[header + first..header + second])
            .sends_bytes(&bytes[header + second..])
            .refused(1007)
    };
    vec![
        frames("6.4.1", "refused with the frame that holds the wrong character", 11, 15),
        frames("6.4.2", "refused with the frame that holds the wrong byte", 12, 13),
        chops("6.4.3", "a wrong character in the second of three chops", 11, 15),
        chops("6.4.4", "a wrong byte as the second of three chops", 12, 13),
    ]
}

/// 6.5 to 6.23: one text each, echoed or refused.
fn sequences() -> Vec<Case> {
    let sections = [beginnings_and_ends(), misplaced_bytes(), overlong_forms(), code_points()];
    let case = |section: &str, what, index: usize, (valid, payload): &Sequence| {
        let text = || Frame::text(payload.as_slice());
        let case = Case::new(format!("{section}.{}", index + 1), what).sends([text()]);
        if *valid { case.receives(text()) } else { case.refused(1007) }
    };
    let all = sections.iter().flatten().flat_map(|(section, what, sequences)| {
        let sequences = sequences.iter().enumerate();
        sequences.map(move |(index, sequence)| case(section, what, index, sequence))
    });
    all.collect()
}

fn beginnings_and_ends() -> Vec<Section> {
    vec![
        ("6.5", "valid text", texts()),
        ("6.6", "beginnings of a valid text", beginnings()),
        ("6.7", "the first sequence of each length", good(FIRST)),
        ("6.8", "the first sequence of 5 and 6 bytes", bad(FIRST_TOO_LONG)),
        ("6.9", "the last sequence of each length", good(LAST)),
        ("6.10", "the last sequence of 4, 5 and 6 bytes", bad(LAST_TOO_LONG)),
        ("6.11", "around the surrogates and the end", edges()),
    ]
}

fn misplaced_bytes() -> Vec<Section> {
    vec![
        ("6.12", "continuation bytes alone", continuations()),
        ("6.13", "first bytes alone", first_bytes()),
        ("6.14", "the last continuation byte is missing", bad(TRUNCATED)),
        ("6.15", "truncated sequences in a row", bad(&[&TRUNCATED.concat()])),
        ("6.16", "bytes that never occur", bad(NEVER)),
    ]
}

fn overlong_forms() -> Vec<Section> {
    vec![
        ("6.17", "a slash in too many bytes", bad(OVERLONG_SLASH)),
        ("6.18", "the highest character in too many bytes", bad(OVERLONG_HIGHEST)),
        ("6.19", "NUL in too many bytes", bad(OVERLONG_NUL)),
    ]
}

fn code_points() -> Vec<Section> {
    let specials = (0xfff9..=0xffff).filter_map(char::from_u32).map(valid_char);
    vec![
        ("6.20", "surrogate halves", bad(SURROGATES)),
        ("6.21", "surrogate pairs", surrogate_pairs()),
        ("6.22", "non-characters are valid", non_characters()),
        ("6.23", "specials are valid", specials.collect()),
    ]
}

/// A section's number, what it is about, and its cases in order.
type Section = (&'static str, &'static str, Vec<Sequence>);
/// A payload and whether it is UTF-8.
type Sequence = (bool, Vec<u8>);

fn good(payloads: &[&[u8]]) -> Vec<Sequence> {
    payloads.iter().map(|payload| (true, payload.to_vec())).collect()
}

fn bad(payloads: &[&[u8]]) -> Vec<Sequence> {
    payloads.iter().map(|payload| (false, payload.to_vec())).collect()
}

fn valid_char(character: char) -> Sequence {
    (true, character.to_string().into_bytes())
}

/// One character of each length amid ASCII, then the Greek word.
fn texts() -> Vec<Sequence> {
    let between = |character: char| (true, format!("hello{character}world").into_bytes());
    let mut texts: Vec<Sequence> = ['\u{24}', '\u{a2}', '\u{20ac}', '\u{24b62}'].map(between).to_vec();
    texts.push((true, KOSME.to_vec()));
    texts
}

/// The Greek word's first 1 to 11 bytes; its characters end after these.
fn beginnings() -> Vec<Sequence> {
    let ends = [2, 5, 7, 9, 11];
    (1..=KOSME.len()).map(|length| (ends.contains(&length), KOSME[..length].to_vec())).collect()
}

fn edges() -> Vec<Sequence> {
    let mut edges = good(&[b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf"]);
    edges.extend(bad(&[b"\xf4\x90\x80\x80"]));
    edges
}

/// The first, the last, two to six in turn, and (as in the suite) all but the last.
fn continuations() -> Vec<Sequence> {
    let turns = [0x80, 0xbf, 0x80, 0xbf, 0x80, 0xbf];
    let mut sequences = bad(&[b"\x80", b"\xbf"]);
    sequences.extend((2..=6).map(|length| (false, turns[..length].to_vec())));
    sequences.push((false, (0x80..0xbf).collect()));
    sequences
}

/// The first bytes of sequences of 2 to 6 bytes, a space after each; the suite leaves out the last of each range.
fn first_bytes() -> Vec<Sequence> {
    let ranges = [0xc0..0xdf, 0xe0..0xef, 0xf0..0xf7, 0xf8..0xfb, 0xfc..0xfd];
    ranges.map(|range| (false, range.flat_map(|byte| [byte, b' ']).collect())).to_vec()
}

/// Two halves make a pair in UTF-16, never in UTF-8.
fn surrogate_pairs() -> Vec<Sequence> {
    let high: [&[u8]; 4] = [b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf"];
    let low: [&[u8]; 2] = [b"\xed\xb0\x80", b"\xed\xbf\xbf"];
    high.iter().flat_map(|high| low.map(|low| (false, [*high, low].concat()))).collect()
}

/// The last two code points of each of the 17 planes.
fn non_characters() -> Vec<Sequence> {
    let points = (0..=16).flat_map(|plane| [plane << 16 | 0xfffe, plane << 16 | 0xffff]);
    points.filter_map(char::from_u32).map(valid_char).collect()
}

/// The word that Kuhn's test begins with: eleven bytes, for its accent is the three-byte one.
const KOSME: &[u8] = "κ\u{1f79}σμε".as_bytes();

const FIRST: &[&[u8]] = &[b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"];
const FIRST_TOO_LONG: &[&[u8]] = &[b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"];
const LAST: &[&[u8]] = &[b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"];
const LAST_TOO_LONG: &[&[u8]] = &[b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"];
const TRUNCATED: &[&[u8]] = &[
    b"\xc0",
    b"\xe0\x80",
    b"\xf0\x80\x80",
    b"\xf8\x80\x80\x80",
    b"\xfc\x80\x80\x80\x80",
    b"\xdf",
    b"\xef\xbf",
    b"\xf7\xbf\xbf",
    b"\xfb\xbf\xbf\xbf",
    b"\xfd\xbf\xbf\xbf\xbf",
];
const NEVER: &[&[u8]] = &[b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"];
const OVERLONG_SLASH: &[&[u8]] =
    &[b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf"];
const OVERLONG_HIGHEST: &[&[u8]] =
    &[b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf", b"\xfc\x83\xbf\xbf\xbf\xbf"];
const OVERLONG_NUL: &[&[u8]] =
    &[b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80", b"\xfc\x80\x80\x80\x80\x80"];
const SURROGATES: &[&[u8]] = &[
    b"\xed\xa0\x80",
    b"\xed\xad\xbf",
    b"\xed\xae\x80",
    b"\xed\xaf\xbf",
    b"\xed\xb0\x80",
    b"\xed\xbe\x80",
    b"\xed\xbf\xbf",
];
