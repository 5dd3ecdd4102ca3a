//! The contract of the JSON protocol exists three times: in words (`PROTOCOL.md`), for machines (`dist/protocol.schema.json`)
//! and as code. Here they are held against each other.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this crate is nothing but tests")]

mod document;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use hollerd::chat::protocol::Code;
use hollerd::chat::protocol::client::{Request, parse};
use hollerd::chat::protocol::server::Object;
use serde_json::Value;

use document::Document;
use support::{PATIENCE, Process, Schema, Side};

#[test]
fn what_clients_say_in_the_document_is_understood() {
    for (message, kind) in Document::read().examples(Side::Client) {
        match parse(&message) {
            Ok(request) => assert_eq!(kind_of(&request), kind, "{message}"),
            // The one that shows what an error looks like.
            Err(error) => {
                assert_eq!((error.code, error.field), (Code::MissingField, Some("text")), "{message}: {error}");
            }
        }
    }
}

/// Not only valid, but what the server writes, to the byte.
#[test]
fn what_the_server_says_in_the_document_is_what_it_says() {
    let schema = Schema::protocol();
    for (message, _) in Document::read().examples(Side::Server) {
        let value = schema.check(Side::Server, &message).unwrap();
        assert_eq!(rendered(&value), message);
    }
}

/// The example of an error is the answer to the line above it.
#[test]
fn the_error_in_the_document_is_the_one_that_comes() {
    let document = Document::read();
    let wrong = document.examples(Side::Client).into_iter().find_map(|(message, _)| parse(&message).err());
    let error = wrong.expect("an example of a mistake");
    let mut out = String::new();
    Object::Error { code: error.code, text: &error.text, field: error.field, id: error.id.as_deref() }.render(&mut out);
    assert!(document.examples(Side::Server).iter().any(|(message, _)| *message == out), "PROTOCOL.md lacks {out}");
}

#[test]
fn every_type_has_an_example() {
    let (schema, document) = (Schema::protocol(), Document::read());
    for side in [Side::Client, Side::Server] {
        let shown: BTreeSet<String> = document.examples(side).into_iter().map(|(_, kind)| kind).collect();
        let known: BTreeSet<String> = schema.types(side).into_iter().collect();
        assert_eq!(shown, known, "{side:?}");
    }
}

/// The tables of the document have the types and fields of the schema, no more and no less.
#[test]
fn the_tables_have_the_fields_of_the_schema() {
    let (schema, document) = (Schema::protocol(), Document::read());
    for (side, heading) in [(Side::Client, "Client to server"), (Side::Server, "Server to client")] {
        let rows = document.table(heading);
        let named: BTreeSet<String> = rows.iter().flat_map(|(names, _)| names.clone()).collect();
        assert_eq!(named, schema.types(side).into_iter().collect(), "{heading}");
        for (kinds, fields) in rows {
            for kind in kinds {
                let wanted = schema.fields(side, &kind);
                let missing: Vec<_> = wanted.iter().filter(|field| !fields.contains(*field)).collect();
                assert!(missing.is_empty(), "{heading}, {kind}: the table lacks {missing:?}");
            }
        }
    }
}

#[test]
fn the_codes_are_the_same_everywhere() {
    let rows = Document::read().table("Errors");
    let in_document: BTreeSet<String> = rows.into_iter().flat_map(|(codes, _)| codes).collect();
    let of = |value: Value| value.as_str().unwrap().to_owned();
    let listed = Schema::protocol().definition("code")["enum"].as_array().unwrap().clone();
    let in_schema: BTreeSet<String> = listed.into_iter().map(of).collect();
    let in_code: BTreeSet<String> = all_codes().iter().map(|code| of(serde_json::to_value(code).unwrap())).collect();
    assert_eq!(in_schema, in_code);
    assert_eq!(in_document, in_code);
}

/// What the schema allows is understood, and what it does not allow is not.
#[test]
fn schema_and_parser_agree() {
    let schema = Schema::protocol();
    let messages = from_clients(&schema);
    assert!(messages.len() > 3000, "{}", messages.len());
    for message in messages {
        let (by_schema, by_parser) = (schema.check(Side::Client, &message), parse(&message));
        assert_eq!(by_schema.is_ok(), by_parser.is_ok(), "{message}: {by_schema:?}, {by_parser:?}");
    }
}

/// A checker that somebody else wrote finds the schema in order, and finds the same in it as ours.
#[test]
#[ignore = "needs python and tests/clients/install"]
fn another_checker_agrees() {
    let schema = Schema::protocol();
    let mut cases: Vec<_> = from_clients(&schema).into_iter().map(|message| (Side::Client, message)).collect();
    cases.extend(from_servers().into_iter().map(|message| (Side::Server, message)));
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients").join("venv/bin/python");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut judge = Process::spawn_with_input(
        Command::new(python)
            .arg(repository.join("tests/clients/judge.py"))
            .arg(repository.join("dist/protocol.schema.json")),
    );
    for (side, message) in &cases {
        judge.type_line(&format!("{} {message}", side.name()));
    }
    judge.end_input();
    assert!(judge.wait(PATIENCE).success(), "{}", judge.stderr());
    let verdicts = judge.stdout();
    assert_eq!(verdicts.lines().count(), cases.len());
    for ((side, message), verdict) in cases.iter().zip(verdicts.lines()) {
        let ours = schema.check(*side, message);
        assert_eq!(ours.is_ok(), verdict == "valid", "{message}: {verdict}, {ours:?}");
    }
}

/// Objects of every type in which one field is something else, or is not there.
fn from_clients(schema: &Schema) -> Vec<String> {
    let good = [("name", "\"a\""), ("epoch", "\"e\""), ("last", "1"), ("to", "\"a\""), ("text", "\"a\"")];
    let fields = ["name", "history", "epoch", "last", "session", "to", "text", "id", "new"];
    let types = schema.types(Side::Client).into_iter().chain(schema.types(Side::Server)).chain(["new".to_owned()]);
    let mut messages = Vec::new();
    for kind in types.collect::<BTreeSet<_>>() {
        for field in fields {
            let others =
                good.iter().filter(|(name, _)| *name != field).map(|(name, value)| format!(",\"{name}\":{value}"));
            let others: String = others.collect();
            for value in values().iter().map(|value| format!(",\"{field}\":{value}")).chain([String::new()]) {
                messages.push(format!("{{\"type\":\"{kind}\"{others}{value}}}"));
            }
        }
    }
    messages
}

/// The same of what the server says.
fn from_servers() -> Vec<String> {
    let mut messages = Vec::new();
    for (example, _) in Document::read().examples(Side::Server) {
        let value: Value = serde_json::from_str(&example).unwrap();
        for field in value.as_object().unwrap().keys() {
            for other in values() {
                let mut changed = value.clone();
                changed[field] = serde_json::from_str(&other).unwrap();
                messages.push(changed.to_string());
            }
            let mut less = value.clone();
            less.as_object_mut().unwrap().remove(field);
            messages.push(less.to_string());
        }
        messages.push(example);
    }
    messages
}

fn values() -> Vec<String> {
    let values = [
        "null",
        "true",
        "0",
        "-0.0",
        "1.0",
        "7",
        "-1",
        "0.5",
        "1e3",
        "9007199254740991",
        "9007199254740992",
        "\"\"",
        "\"a\"",
        "\"say\"",
        "[]",
        "{}",
        "[[[[[[]]]]]]",
        "[\"a\",\"a\"]",
        "[\"\"]",
    ];
    let long = [64, 65].map(|length| format!("\"{}\"", "元".repeat(length)));
    values.into_iter().map(str::to_owned).chain(long).collect()
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let schema = Schema::protocol();
    for (message, why) in [
        (r#"{"type":"pong"}"#, "breaks required"),
        (r#"{"type":"pong","time":"1"}"#, "server.time: \"1\" breaks type"),
        (r#"{"type":"pong","time":-1}"#, "server.time: -1 breaks minimum"),
        (r#"{"type":"pong","time":9007199254740992}"#, "breaks maximum"),
        (r#"{"type":"pong","time":1,"id":""}"#, "server.id: \"\" breaks minLength"),
        (r#"{"type":"pong","time":1,"id":null}"#, "server.id: null breaks type"),
        (r#"{"type":"pong","time":1,"new":1}"#, "the field new is not in the schema"),
        (r#"{"type":"users","users":["a","a"],"total":2}"#, "breaks uniqueItems"),
        (r#"{"type":"users","users":["a",7],"total":2}"#, "server.users[1]: 7 breaks type"),
        (r#"{"type":"error","code":"new","text":"x"}"#, "server.code: \"new\" breaks enum"),
        (r#"{"type":"say","text":"x"}"#, "no type fits"),
        ("[]", "no type fits"),
        ("{", "EOF"),
    ] {
        let error = schema.check(Side::Server, message).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

fn kind_of(request: &Request<'_>) -> &'static str {
    match request {
        Request::Name { .. } => "name",
        Request::Resume { .. } => "resume",
        Request::Say { .. } => "say",
        Request::Direct { .. } => "direct",
        Request::Who { .. } => "who",
        Request::Rename { .. } => "rename",
        Request::Ping { .. } => "ping",
    }
}

/// Every code; a new one is not forgotten, because the match below no longer compiles.
fn all_codes() -> Vec<Code> {
    let next = |code: &Code| {
        Some(match code {
            Code::NotJson => Code::MissingField,
            Code::MissingField => Code::DuplicateField,
            Code::DuplicateField => Code::WrongType,
            Code::WrongType => Code::TooLong,
            Code::TooLong => Code::UnknownType,
            Code::UnknownType => Code::NotNamed,
            Code::NotNamed => Code::AlreadyNamed,
            Code::AlreadyNamed => Code::BadName,
            Code::BadName => Code::NameInUse,
            Code::NameInUse => Code::NamePinned,
            Code::NamePinned => Code::NoSuchUser,
            Code::NoSuchUser => Code::Busy,
            Code::Busy => return None,
        })
    };
    std::iter::successors(Some(Code::NotJson), next).collect()
}

/// What the server writes for these values.
fn rendered(value: &Value) -> String {
    let text = |name: &str| value[name].as_str().unwrap_or_else(|| panic!("{value}: {name}"));
    let number = |name: &str| value[name].as_u64().unwrap_or_else(|| panic!("{value}: {name}"));
    let count = |name: &str| usize::try_from(number(name)).unwrap();
    let id = value["id"].as_str();
    let names: Vec<&str> = value["users"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let object = match text("type") {
        "ok" => return r#"{"type":"ok"}"#.to_owned(),
        "hello" => Object::Hello {
            name: text("name"),
            room: text("room"),
            users: count("users"),
            epoch: text("epoch"),
            last: number("last"),
            from: number("from"),
            session: text("session"),
            time: number("time"),
        },
        "message" => Object::Message {
            sequence: number("sequence"),
            from: value["from"].as_str(),
            text: text("text"),
            time: number("time"),
        },
        "direct" => Object::Direct { from: text("from"), text: text("text"), time: number("time") },
        "joined" => Object::Joined { name: text("name"), users: count("users"), time: number("time") },
        "left" => Object::Left { name: text("name"), users: count("users"), time: number("time") },
        "renamed" => Object::Renamed { from: text("from"), to: text("to"), time: number("time") },
        "users" => Object::Users { users: &names, total: count("total"), id },
        "ack" => Object::Ack {
            id: text("id"),
            sequence: value["sequence"].as_u64(),
            duplicate: value["duplicate"].as_bool().unwrap_or(false),
        },
        "error" => {
            let code =
                all_codes().into_iter().find(|code| serde_json::to_value(code).unwrap() == value["code"]).unwrap();
            Object::Error { code, text: text("text"), field: value["field"].as_str(), id }
        }
        "pong" => Object::Pong { time: number("time"), id },
        "resumed" => {
            Object::Resumed { whole: value["whole"].as_bool().unwrap(), from: number("from"), to: number("to") }
        }
        other => panic!("nothing renders {other}"),
    };
    let mut out = String::new();
    object.render(&mut out);
    out
}
