//! What a client sends: one JSON object becomes one [`Request`], or an [`Error`] that says which field is to blame, what is
//! wanted there and what was found.
//!
//! The object is read once, from left to right, without recursion. Each field is kept as the piece of text that it is and
//! judged only if the type has such a field, so that what a later version adds is no mistake today.

use std::borrow::Cow;
use std::fmt;

use super::fields::{Fault, Field, Fields};
use super::value::Found;
use super::{Code, salvage};
use crate::wire::frame::printable;

/// How deep objects and arrays may be inside each other, the object itself included.
pub const DEPTH_MAX: usize = 8;
/// The longest `id`, `epoch` and `session`, in characters (Unicode scalar values).
pub const ID_MAX_CHARS: usize = 64;
/// The largest whole number: beyond it a client that computes with 64-bit floats is no longer exact (RFC 7493 section 2.2).
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

/// The longest part of an unknown type that an error text repeats, in bytes.
const SHOWN_MAX: usize = 64;

/// One object of a client. Texts are borrowed from the message unless they had to be unescaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request<'a> {
    /// I want to be called this, and to be sent so many of the newest messages.
    Name {
        /// The wish, not judged.
        name: Cow<'a, str>,
        /// How many messages.
        history: u64,
    },
    /// I was here before.
    Resume {
        /// The wish, not judged.
        name: Cow<'a, str>,
        /// The epoch that was seen last.
        epoch: Cow<'a, str>,
        /// The sequence that was seen last; 0 if none was.
        last: u64,
        /// The secret of the session before.
        session: Option<Cow<'a, str>>,
    },
    /// A message for everybody.
    Say {
        /// What is said.
        text: Cow<'a, str>,
        /// The client's own name for this message.
        id: Option<Cow<'a, str>>,
    },
    /// A message for one user.
    Direct {
        /// The user.
        to: Cow<'a, str>,
        /// What is said.
        text: Cow<'a, str>,
        /// The client's own name for this message.
        id: Option<Cow<'a, str>>,
    },
    /// Who is there?
    Who {
        /// Comes back in the answer.
        id: Option<Cow<'a, str>>,
    },
    /// From now on I want to be called this.
    Rename {
        /// The wish, not judged.
        name: Cow<'a, str>,
        /// Comes back in the answer.
        id: Option<Cow<'a, str>>,
    },
    /// Are you there?
    Ping {
        /// Comes back in the answer.
        id: Option<Cow<'a, str>>,
    },
}

impl Request<'_> {
    /// The client's own `id`, for the answer.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Say { id, .. }
            | Self::Direct { id, .. }
            | Self::Who { id }
            | Self::Rename { id, .. }
            | Self::Ping { id } => id.as_deref(),
            Self::Name { .. } | Self::Resume { .. } => None,
        }
    }
}

/// Why an object is no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What kind of mistake.
    pub code: Code,
    /// The field that is to blame.
    pub field: Option<&'static str>,
    /// What is wanted and what was found, for people.
    pub text: String,
    /// The `id` of the object, wherever it was readable.
    pub id: Option<String>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

/// Reads one message of a client.
///
/// # Errors
/// An [`Error`] for everything that is no object of the protocol, whatever it is.
pub fn parse(text: &str) -> Result<Request<'_>, Error> {
    let broken = |why: String| Error { code: Code::NotJson, field: None, text: why, id: salvage::id(text) };
    if is_too_deep(text) {
        return Err(broken(format!("the message is nested deeper than {DEPTH_MAX}")));
    }
    let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| broken(not_json(text, &error)))?;
    request(&fields).map_err(|fault| Error {
        code: fault.code,
        field: Some(fault.field.name()),
        text: fault.text,
        id: fields.readable_id().or_else(|| salvage::id(text)),
    })
}

/// The `id` of an object whose type has none, for the answer to it, if there is one that can be read.
pub fn id_of(text: &str) -> Option<String> {
    salvage::id(text)
}

/// Whether something is nested deeper than [`DEPTH_MAX`]. Brackets inside of texts do not count, but hardly any message has
/// so many of them that it matters which they are.
fn is_too_deep(text: &str) -> bool {
    let opening = |byte: &&u8| matches!(byte, b'{' | b'[');
    if text.as_bytes().iter().filter(opening).count() <= DEPTH_MAX {
        return false;
    }
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
    false
}

/// The request that the fields make.
fn request<'a>(fields: &Fields<'a>) -> Result<Request<'a>, Fault> {
    Ok(match &*fields.kind()? {
        "say" => Request::Say { text: fields.text(Field::Text)?, id: fields.id()? },
        "name" => Request::Name { name: fields.text(Field::Name)?, history: fields.history()? },
        "resume" => Request::Resume {
            name: fields.text(Field::Name)?,
            epoch: fields.short(Field::Epoch)?,
            last: fields.number(Field::Last)?,
            session: fields.has(Field::Session).then(|| fields.short(Field::Session)).transpose()?,
        },
        "direct" => Request::Direct { to: fields.text(Field::To)?, text: fields.text(Field::Text)?, id: fields.id()? },
        "who" => Request::Who { id: fields.id()? },
        "rename" => Request::Rename { name: fields.text(Field::Name)?, id: fields.id()? },
        "ping" => Request::Ping { id: fields.id()? },
        other => {
            let text = format!("a client cannot send \"{}\"; {}", printable(other, SHOWN_MAX), Field::Type.wanted());
            return Err(Fault { code: Code::UnknownType, field: Field::Type, text });
        }
    })
}

/// What is wrong with a message that is no JSON object.
fn not_json(text: &str, error: &serde_json::Error) -> String {
    let begin = text.trim_start_matches(salvage::WHITE_SPACE);
    let found = match begin.bytes().next() {
        Some(b'{') => return format!("the message is no JSON: {error}"),
        Some(_) if begin.starts_with('\u{feff}') => "a byte order mark",
        None => "nothing",
        Some(_) if error.is_data() => Found::of(begin).as_str(),
        Some(_) => "something that is no JSON",
    };
    format!("a message is one JSON object, such as {{\"type\":\"ping\"}}, and this begins with {found}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Error {
        match parse(text) {
            Err(error) => error,
            Ok(request) => panic!("{text}: {request:?}"),
        }
    }

    fn some(text: &str) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(text))
    }

    #[test]
    fn every_type_comes_out_as_it_went_in() {
        let id = || some("m1");
        let rows: Vec<(&str, Request<'_>)> = vec![
            (r#"{"type":"name","name":"yuan"}"#, Request::Name { name: "yuan".into(), history: 0 }),
            (r#"{"type":"name","name":" ","history":20}"#, Request::Name { name: " ".into(), history: 20 }),
            (
                r#"{"type":"resume","name":"yuan","epoch":"9f","last":43,"session":"c2"}"#,
                Request::Resume { name: "yuan".into(), epoch: "9f".into(), last: 43, session: some("c2") },
            ),
            (
                r#"{"type":"resume","name":"","epoch":"","last":0}"#,
                Request::Resume { name: "".into(), epoch: "".into(), last: 0, session: None },
            ),
            (r#"{"type":"say","text":"hi"}"#, Request::Say { text: "hi".into(), id: None }),
            (r#"{"type":"say","text":"","id":"m1"}"#, Request::Say { text: "".into(), id: id() }),
            (
                r#"{"type":"direct","to":"alex","text":"hi","id":"m1"}"#,
                Request::Direct { to: "alex".into(), text: "hi".into(), id: id() },
            ),
            (r#"{"type":"who"}"#, Request::Who { id: None }),
            (r#"{"type":"who","id":"m1"}"#, Request::Who { id: id() }),
            (r#"{"type":"rename","name":"kim","id":"m1"}"#, Request::Rename { name: "kim".into(), id: id() }),
            (r#"{"type":"ping"}"#, Request::Ping { id: None }),
            (r#"{"type":"ping","id":"m1"}"#, Request::Ping { id: id() }),
        ];
        for (text, request) in rows {
            assert_eq!(parse(text).as_ref(), Ok(&request), "{text}");
            assert_eq!(request.id().is_some(), text.contains("\"id\""), "{text}");
        }
    }

    /// What RFC 8259 allows and other programs write is read.
    #[test]
    fn other_ways_to_write_the_same_are_the_same() {
        let say = Request::Say { text: "a/é".into(), id: some("m1") };
        for text in [
            r#"{"type":"say","text":"a/é","id":"m1"}"#,
            r#"{"id":"m1","text":"a/é","type":"say"}"#,
            r#"{"type":"say","text":"a\/\u00e9","id":"m\u0031"}"#,
            r#"{"t\u0079pe":"s\u0061y","text":"a/\u00E9","\u0069d":"m1"}"#,
            " {\t\"type\" : \"say\" ,\r\n\"text\": \"a/é\", \"id\"\n:\"m1\" }\r\n",
            r#"{"type":"say","text":"a/é","id":"m1","name":7,"last":null,"to":[],"new":{"a":[1e999,-0.1,true]}}"#,
            r#"{"type":"say","new":"\ud800","new":1,"text":"a/é","id":"m1","history":null,"":""}"#,
        ] {
            assert_eq!(parse(text).as_ref(), Ok(&say), "{text}");
        }
        let ping = Request::Ping { id: None };
        assert_eq!(parse(r#"{"type":"ping","id":null}"#), Ok(ping), "null is left out");
    }

    #[test]
    fn texts_are_borrowed_unless_something_in_them_is_escaped() {
        let borrowed = |text| matches!(parse(text), Ok(Request::Say { text: Cow::Borrowed(_), .. }));
        assert!(borrowed(r#"{"type":"say","text":"李 明: {[é"}"#));
        assert!(!borrowed(r#"{"type":"say","text":"\n"}"#));
        for (json, text) in [
            (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r#""\u0000\u001f\u007f""#, "\0\u{1f}\u{7f}"),
            (r#""\ud83e\udd80\u2028""#, "🦀\u{2028}"),
        ] {
            let message = format!(r#"{{"type":"say","text":{json}}}"#);
            assert_eq!(parse(&message), Ok(Request::Say { text: text.into(), id: None }), "{json}");
        }
    }

    #[test]
    fn whole_numbers_may_be_written_in_any_way() {
        let max = NUMBER_MAX.to_string();
        for (json, expected) in [
            ("0", Ok(0)),
            ("20", Ok(20)),
            ("20.0", Ok(20)),
            ("2e1", Ok(20)),
            ("200E-1", Ok(20)),
            ("-0", Ok(0)),
            ("-0.0", Ok(0)),
            ("1e-999", Ok(0)),
            (max.as_str(), Ok(NUMBER_MAX)),
            ("9007199254740991.0", Ok(NUMBER_MAX)),
            ("9007199254740992", Err("a larger one")),
            ("18446744073709551616", Err("a larger one")),
            ("1e400", Err("a larger one")),
            ("-1", Err("a negative number")),
            ("-1e400", Err("a negative number")),
            ("0.5", Err("a fraction")),
            ("\"20\"", Err("a text")),
            ("true", Err("true or false")),
            ("[20]", Err("an array")),
            ("{}", Err("an object")),
        ] {
            let message = format!(r#"{{"type":"name","name":"x","history":{json}}}"#);
            match (parse(&message), expected) {
                (Ok(Request::Name { history, .. }), Ok(number)) => assert_eq!(history, number, "{json}"),
                (Err(error), Err(found)) => {
                    assert_eq!((error.code, error.field), (Code::WrongType, Some("history")), "{json}");
                    let text = format!(
                        "field \"history\": a whole number from 0 to 9007199254740991 is wanted, {found} was found"
                    );
                    assert_eq!(error.text, text, "{json}");
                }
                (got, _) => panic!("{json}: {got:?}"),
            }
        }
        let long = "9".repeat(1 << 20);
        assert_eq!(fault(&format!(r#"{{"type":"name","name":"x","history":{long}}}"#)).field, Some("history"));
    }

    #[test]
    fn each_mistake_is_told_by_code_field_and_text() {
        let (long, longest) = ("元".repeat(65), "元".repeat(64));
        assert!(parse(&format!(r#"{{"type":"ping","id":"{longest}"}}"#)).is_ok());
        let too_long =
            |field: &str| format!(r#"{{"type":"resume","name":"a","epoch":"e","last":1,"{field}":"{long}"}}"#);
        let rows = [
            ("{}", Code::MissingField, "type", "\"type\" is missing: name, resume, say"),
            (r#"{"type":null}"#, Code::MissingField, "type", "is missing"),
            (r#"{"type":7}"#, Code::WrongType, "type", "a number was found"),
            (r#"{"type":"\udc00"}"#, Code::WrongType, "type", "half a surrogate pair"),
            (r#"{"type":"hello"}"#, Code::UnknownType, "type", "cannot send \"hello\"; name, resume"),
            (r#"{"type":"SAY","text":""}"#, Code::UnknownType, "type", "\"SAY\""),
            (r#"{"type":"\u0000\u202e"}"#, Code::UnknownType, "type", r#""\0\u{202e}""#),
            (r#"{"type":"name"}"#, Code::MissingField, "name", "a text is wanted"),
            (r#"{"type":"name","name":["a"]}"#, Code::WrongType, "name", "an array was found"),
            (r#"{"type":"resume","epoch":"e","last":1}"#, Code::MissingField, "name", ""),
            (r#"{"type":"resume","name":"a","last":1}"#, Code::MissingField, "epoch", ""),
            (r#"{"type":"resume","name":"a","epoch":"e"}"#, Code::MissingField, "last", "a whole number"),
            (r#"{"type":"resume","name":"a","epoch":"e","last":"1"}"#, Code::WrongType, "last", "a text was found"),
            (r#"{"type":"resume","name":"a","epoch":1,"last":1}"#, Code::WrongType, "epoch", "a number was found"),
            (
                r#"{"type":"resume","name":"a","epoch":"e","last":1,"session":{}}"#,
                Code::WrongType,
                "session",
                "an object",
            ),
            (r#"{"type":"say"}"#, Code::MissingField, "text", "\"text\" is missing: a text is wanted"),
            (r#"{"type":"say","text":null}"#, Code::MissingField, "text", ""),
            (r#"{"type":"say","text":false}"#, Code::WrongType, "text", "true or false was found"),
            (r#"{"type":"say","text":"\ud83e x"}"#, Code::WrongType, "text", "half a surrogate pair"),
            (r#"{"type":"say","text":"a","text":"b"}"#, Code::DuplicateField, "text", "is there twice"),
            (r#"{"type":"say","type":"who"}"#, Code::DuplicateField, "type", "is there twice"),
            (r#"{"type":"say","text":"a","id":7}"#, Code::WrongType, "id", "1 to 64 characters is wanted, a number"),
            (r#"{"type":"say","text":"a","id":""}"#, Code::WrongType, "id", "an empty one was found"),
            (r#"{"type":"direct","text":"a"}"#, Code::MissingField, "to", ""),
            (r#"{"type":"direct","to":"a"}"#, Code::MissingField, "text", ""),
            (r#"{"type":"rename"}"#, Code::MissingField, "name", ""),
            (&format!(r#"{{"type":"ping","id":"{long}"}}"#), Code::TooLong, "id", "longer than 64 characters"),
            (&too_long("session"), Code::TooLong, "session", "longer than 64 characters"),
            (
                &too_long("session").replace(r#""epoch":"e""#, &format!(r#""epoch":"{long}""#)),
                Code::TooLong,
                "epoch",
                "",
            ),
        ];
        for (message, code, field, hint) in rows {
            let error = fault(message);
            assert_eq!((error.code, error.field), (code, Some(field)), "{message}: {error}");
            assert!(error.text.contains(hint) && !error.text.contains(char::is_control), "{message}: {error}");
        }
    }

    #[test]
    fn what_is_no_json_object_is_told_so() {
        let rows = [
            ("", "this begins with nothing"),
            (" \r\n", "this begins with nothing"),
            ("hello", "something that is no JSON"),
            ("\0", "something that is no JSON"),
            ("nul", "something that is no JSON"),
            ("\u{feff}{\"type\":\"ping\"}", "a byte order mark"),
            ("[{\"type\":\"ping\"}]", "an array"),
            ("\"ping\"", "a text"),
            ("-7", "a number"),
            ("true", "true or false"),
            ("null", "null"),
            ("{", "EOF while parsing"),
            ("{\"type\":\"ping\"", "EOF while parsing"),
            ("{\"type\":\"ping\",}", "trailing comma"),
            ("{'type':'ping'}", "key must be a string"),
            ("{type:\"ping\"}", "key must be a string"),
            ("{\"type\":\"ping\"}{\"type\":\"ping\"}", "trailing characters at line 1 column 16"),
            ("{\"type\":\"ping\"}\0", "trailing characters"),
            ("{\"type\":\"say\",\"text\":\"a\nb\"}", "control character"),
            ("{\"type\":\"say\",\"text\":\"a\0b\"}", "control character"),
            ("{\"type\":\"say\",\"text\":\"\\x41\"}", "invalid escape"),
            ("{\"type\":\"say\",\"text\":\"\\u12\"}", "escape"),
            ("{\"type\":\"say\",\"text\":NaN}", "expected value"),
            ("{\"type\":\"name\",\"history\":01}", "invalid number"),
            ("{\"type\":\"name\",\"history\":+1}", "expected value"),
            ("{\"type\":\"name\",\"history\":.5}", "expected value"),
            ("{\"type\":\"ping\"/**/}", "expected `,` or `}`"),
            ("{\"\\ud800\":1}", "hex escape"),
        ];
        for (message, hint) in rows {
            let error = fault(message);
            assert_eq!((error.code, error.field), (Code::NotJson, None), "{message:?}: {error}");
            assert!(error.text.contains(hint), "{message:?}: {error}");
            assert!(!error.text.contains(char::is_control), "{message:?}: {error}");
        }
    }

    #[test]
    fn eight_levels_are_enough() {
        let nested = |depth: usize, open: &str, close: &str| {
            let (open, close) = (open.repeat(depth - 1), close.repeat(depth - 1));
            format!(r#"{{"type":"ping","new":{open}7{close},"id":"m1"}}"#)
        };
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"["]]]",{"}}":"#, "}]")] {
            let levels = open.matches(['[', '{']).count().min(2).max(usize::from(!open.contains(']')));
            let deepest = 1 + (DEPTH_MAX - 1) / levels;
            assert!(parse(&nested(deepest, open, close)).is_ok(), "{open}");
            let error = fault(&nested(deepest + 1, open, close));
            assert_eq!(error.text, "the message is nested deeper than 8", "{open}");
            assert_eq!((error.code, error.id.as_deref()), (Code::NotJson, Some("m1")), "{open}");
        }
        let flat = format!(r#"{{"type":"say","text":"\"{}\\","new":[{}[]]}}"#, "[{".repeat(100), "[],{},".repeat(100));
        assert!(parse(&flat).is_ok(), "brackets in texts, and beside each other, are no levels");
        for junk in ["[", "{", "{\"a\":", "[[]", "\"[", "\\\"["] {
            let junk = junk.repeat(1 << 18);
            assert_eq!(fault(&junk).code, Code::NotJson);
            assert_eq!(fault(&format!("{{\"type\":{junk}")).code, Code::NotJson);
        }
    }

    #[test]
    fn the_id_of_a_wrong_object_is_in_the_error() {
        for message in [
            r#"{"id":"m1"}"#,
            r#"{"id":"m1","type":"hello"}"#,
            r#"{"id":"m1","type":"say","text":7}"#,
            r#"{"type":"say","id":"m1","text":"a","text":"b"}"#,
            r#"{"type":"say","text":"a","id":"m1","id":"m2"}"#,
            r#"{"type":"say","text":"\ud800","id":"m1"}"#,
            r#"{"type":"say","text":"\ud800","\u0069d":"m1"}"#,
            r#"{"type":"resume","name":"a","epoch":"e","last":-1,"id":"m1"}"#,
        ] {
            assert_eq!(fault(message).id.as_deref(), Some("m1"), "{message}");
        }
        for message in [r#"{"id":7}"#, r#"{"id":""}"#, r#"{"id":"\ud800"}"#, r#"{"new":{"id":"m1"}}"#, r#"["id","m1"]"#]
        {
            assert_eq!(fault(message).id, None, "{message}");
        }
    }

    /// Cut anywhere, and with any byte replaced: an answer, never a panic, and the whole object only as a whole.
    #[test]
    fn mutated_objects_never_panic() {
        let whole =
            r#"{"type":"resume","name":"yu\u0061n","epoch":"9f","last":43,"session":"c2","id":"m1","new":[{"a":1e9}]}"#;
        for end in 0..whole.len() {
            assert_eq!(fault(&whole[..end]).code, Code::NotJson, "{}", &whole[..end]);
            for char in ['"', '\\', '{', '}', '[', ']', ',', ':', '0', '-', 'u', ' ', '\0', '\u{feff}'] {
                let changed = format!("{}{char}{}", &whole[..end], &whole[end + 1..]);
                if let Err(error) = parse(&changed) {
                    assert!(!error.text.is_empty() && error.text.len() < 300, "{changed}: {error}");
                    assert!(error.id.is_none_or(|id| (1..=ID_MAX_CHARS).contains(&id.chars().count())), "{changed}");
                }
            }
        }
    }
}
