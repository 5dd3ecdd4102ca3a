//! What the server says: one [`Object`] becomes one JSON object.

use serde::Serialize;

use super::Code;

/// One object of the server. Times are milliseconds since 1970-01-01 UTC, sequences are whole numbers from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Object<'a> {
    /// You are in, under this name.
    Hello {
        /// The name.
        name: &'a str,
        /// The room.
        room: &'a str,
        /// How many users there are, this one included.
        users: usize,
        /// To which making of the room the sequences belong.
        epoch: &'a str,
        /// The newest sequence; 0 if nothing has been said.
        last: u64,
        /// The sequence with which this user begins.
        from: u64,
        /// This user's secret for `resume`.
        session: &'a str,
        /// The server's clock.
        time: u64,
    },
    /// Somebody said something.
    Message {
        /// Its place in the room.
        sequence: u64,
        /// Who; nobody for a word of the server itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<&'a str>,
        /// What.
        text: &'a str,
        /// When.
        time: u64,
    },
    /// Somebody said something to this user alone.
    Direct {
        /// Who.
        from: &'a str,
        /// What.
        text: &'a str,
        /// When.
        time: u64,
    },
    /// Somebody has come.
    Joined {
        /// Who.
        name: &'a str,
        /// How many users there are now.
        users: usize,
        /// When.
        time: u64,
    },
    /// Somebody has gone.
    Left {
        /// Who.
        name: &'a str,
        /// How many users there are now.
        users: usize,
        /// When.
        time: u64,
    },
    /// Somebody has another name now.
    Renamed {
        /// The former name.
        from: &'a str,
        /// The new one.
        to: &'a str,
        /// When.
        time: u64,
    },
    /// Who is there.
    Users {
        /// Names, perhaps not all.
        users: &'a [&'a str],
        /// How many users there are.
        total: usize,
        /// The id of the question.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
    },
    /// What was asked has been done.
    Ack {
        /// The id of the request.
        id: &'a str,
        /// The place in the room that a `say` got.
        #[serde(skip_serializing_if = "Option::is_none")]
        sequence: Option<u64>,
        /// Whether that was said before and has not been said again.
        #[serde(skip_serializing_if = "is_false")]
        duplicate: bool,
    },
    /// What was asked has not been done.
    Error {
        /// Why, for programs.
        code: Code,
        /// Why, for people.
        text: &'a str,
        /// The field that is to blame.
        #[serde(skip_serializing_if = "Option::is_none")]
        field: Option<&'a str>,
        /// The id of the request, if it was readable.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
    },
    /// The answer to a `ping`.
    Pong {
        /// The server's clock.
        time: u64,
        /// The id of the question.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
    },
    /// What a `resume` brings.
    Resumed {
        /// Whether nothing is missing.
        whole: bool,
        /// The first sequence that follows now.
        from: u64,
        /// The last one; `from` - 1 if none follows.
        to: u64,
    },
}

impl Object<'_> {
    /// Appends the object to `out`, which allocates only where `out` has to grow.
    ///
    /// Texts are escaped as RFC 8259 section 7 asks for. U+2028 and U+2029 stay as they are: they ended a line inside a text
    /// of JavaScript before ES2019, but a frame is no program text, and who puts an object into one has to escape `</` too.
    pub fn render(&self, out: &mut String) {
        let mut bytes = std::mem::take(out).into_bytes();
        let begin = bytes.len();
        if serde_json::to_writer(&mut bytes, self).is_err() {
            // Writing to memory does not fail; if it did, nothing would be better than a half.
            bytes.truncate(begin);
        }
        *out = String::from_utf8(bytes).unwrap_or_default();
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(event: Object<'_>) -> String {
        let mut out = String::new();
        event.render(&mut out);
        out
    }

    #[test]
    fn every_type_has_its_form() {
        let (name, text, time, id) = ("yuan", "hi", 1_796_812_800_000, Some("m1"));
        let ack = |sequence, duplicate| Object::Ack { id: "m1", sequence, duplicate };
        let hello =
            Object::Hello { name, room: "lobby", users: 2, epoch: "9f", last: 41, from: 42, session: "c2", time };
        let error = |field, id| Object::Error { code: Code::MissingField, text: "no", field, id };
        for (event, expected) in [
            (
                hello,
                r#"{"type":"hello","name":"yuan","room":"lobby","users":2,"epoch":"9f","last":41,"from":42,"session":"c2","time":1796812800000}"#,
            ),
            (
                Object::Message { sequence: 43, from: Some(name), text, time },
                r#"{"type":"message","sequence":43,"from":"yuan","text":"hi","time":1796812800000}"#,
            ),
            (
                Object::Direct { from: name, text, time },
                r#"{"type":"direct","from":"yuan","text":"hi","time":1796812800000}"#,
            ),
            (
                Object::Joined { name, users: 3, time },
                r#"{"type":"joined","name":"yuan","users":3,"time":1796812800000}"#,
            ),
            (Object::Left { name, users: 2, time }, r#"{"type":"left","name":"yuan","users":2,"time":1796812800000}"#),
            (
                Object::Renamed { from: name, to: "kim", time },
                r#"{"type":"renamed","from":"yuan","to":"kim","time":1796812800000}"#,
            ),
            (
                Object::Users { users: &["kim", name], total: 2, id },
                r#"{"type":"users","users":["kim","yuan"],"total":2,"id":"m1"}"#,
            ),
            (Object::Users { users: &[], total: 0, id: None }, r#"{"type":"users","users":[],"total":0}"#),
            (ack(Some(42), false), r#"{"type":"ack","id":"m1","sequence":42}"#),
            (ack(Some(42), true), r#"{"type":"ack","id":"m1","sequence":42,"duplicate":true}"#),
            (ack(None, false), r#"{"type":"ack","id":"m1"}"#),
            (
                error(Some("text"), id),
                r#"{"type":"error","code":"missing_field","text":"no","field":"text","id":"m1"}"#,
            ),
            (error(None, None), r#"{"type":"error","code":"missing_field","text":"no"}"#),
            (Object::Pong { time, id }, r#"{"type":"pong","time":1796812800000,"id":"m1"}"#),
            (
                Object::Resumed { whole: false, from: 44, to: 43 },
                r#"{"type":"resumed","whole":false,"from":44,"to":43}"#,
            ),
        ] {
            assert_eq!(rendered(event), expected);
        }
    }

    /// Whatever somebody says or is called comes out of a JSON reader as it went in, in one line.
    #[test]
    fn every_character_survives() {
        let all: String = ('\0'..='\u{d7ff}').chain('\u{e000}'..='\u{ffff}').chain("🦀\u{10ffff}".chars()).collect();
        let message = rendered(Object::Message { sequence: u64::MAX, from: Some(&all), text: &all, time: 0 });
        assert!(!message.contains(|char: char| char < ' '), "a control character stands bare");
        let value: serde_json::Value = serde_json::from_str(&message).unwrap();
        assert_eq!(value["text"].as_str(), Some(all.as_str()));
        assert_eq!(value["from"].as_str(), Some(all.as_str()));
        assert_eq!(value["sequence"].as_u64(), Some(u64::MAX));
    }

    #[test]
    fn objects_are_appended_and_memory_is_kept() {
        let mut out = String::from("before ");
        Object::Pong { time: 1, id: None }.render(&mut out);
        assert_eq!(out, r#"before {"type":"pong","time":1}"#);
        let message = Object::Message { sequence: 1, from: Some("yuan"), text: "x", time: 0 };
        out.reserve(1 << 10);
        let (place, capacity) = (out.as_ptr(), out.capacity());
        for _ in 0..10 {
            out.clear();
            message.render(&mut out);
        }
        assert_eq!((out.as_ptr(), out.capacity()), (place, capacity), "the memory was given away");
    }
}
