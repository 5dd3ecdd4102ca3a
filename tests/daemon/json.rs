//! The JSON protocol: every type, every field, every error. Each object, in both directions, is held to the schema by
//! `Person`. Resuming has `resume.rs`.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Client, Daemon, Frame, Issuer, Person, opcode, unix_now};

#[test]
fn the_subprotocol_is_negotiated() {
    let daemon = Daemon::start(&[]);
    let bearer = format!("bearer.{}", daemon.token().expect("a printed token"));
    for (offers, selected) in [
        ("hollerd.json", "hollerd.json"),
        ("chat, hollerd.json", "hollerd.json"),
        ("hollerd.json, hollerd.text", "hollerd.json"),
        ("hollerd.text,hollerd.json", "hollerd.text"),
    ] {
        let mut client = daemon.connect();
        let response = client.upgrade("/ws", &[("Sec-WebSocket-Protocol", &format!("{offers}, {bearer}"))]);
        assert_eq!((response.status, response.header("Sec-WebSocket-Protocol")), (101, Some(selected)), "{offers}");
        client.text("{\"type\":\"ping\"}");
        let answer = client.read_text();
        assert_eq!(answer.starts_with("{\"type\":\"pong\""), selected == "hollerd.json", "{offers}: {answer}");
    }
}

#[test]
fn a_token_in_the_first_message_is_answered_in_json() {
    let daemon = Daemon::start(&[]);
    let token = daemon.token().expect("a printed token");
    let mut yuan = Person::connect_with(&daemon, "/ws", None);
    yuan.say_raw(&token);
    yuan.expect(json!({"type": "ok"}));
    yuan.say(&json!({"type": "name", "name": "yuan"}));
    assert_eq!(yuan.hear()["type"], "hello");
    let mut stranger = Person::connect_with(&daemon, "/ws", None);
    stranger.say_raw("{\"type\":\"name\",\"name\":\"alex\"}");
    stranger.client.expect_close(4401);
}

#[test]
fn hello_says_who_and_where_one_is() {
    let daemon = Daemon::without_auth("");
    let mut yuan = Person::connect(&daemon, "/ws/dev");
    yuan.say(&json!({"type": "name", "name": "  yuan \n"}));
    let hello = yuan.hear();
    let expected = json!({
        "type": "hello", "name": "yuan", "room": "dev", "users": 1, "last": 0, "from": 1,
        "epoch": hello["epoch"], "session": hello["session"], "time": hello["time"],
    });
    assert_eq!(hello, expected);
    let seconds = hello["time"].as_u64().unwrap() / 1000;
    assert!(seconds.abs_diff(unix_now()) < 60, "{hello}");

    let mut alex = Person::connect(&daemon, "/ws/dev");
    alex.say(&json!({"type": "name", "name": "alex"}));
    let second = alex.hear();
    assert_eq!((&second["users"], &second["epoch"]), (&json!(2), &hello["epoch"]));
    assert_ne!(second["session"], hello["session"]);
    let mut elsewhere = Person::connect(&daemon, "/ws");
    elsewhere.say(&json!({"type": "name", "name": "yuan"}));
    let third = elsewhere.hear();
    assert_eq!((&third["users"], &third["room"]), (&json!(1), &json!("lobby")));
    assert_ne!(third["epoch"], hello["epoch"]);
    yuan.expect(json!({"type": "joined", "name": "alex", "users": 2}));
    for person in [&mut yuan, &mut alex, &mut elsewhere] {
        person.expect_quiet();
    }
}

#[test]
fn what_is_said_is_numbered_and_acknowledged() {
    let daemon = Daemon::without_auth("");
    let mut yuan = Person::enter(&daemon, "/ws", "yuan");
    let mut alex = Person::enter(&daemon, "/ws", "alex");
    let mut line = daemon.enter("/ws", "feng");
    yuan.expect(json!({"type": "joined", "name": "alex", "users": 2}));
    for person in [&mut yuan, &mut alex] {
        person.expect(json!({"type": "joined", "name": "feng", "users": 3}));
    }
    yuan.say(&json!({"type": "say", "text": "one", "id": "a-1"}));
    yuan.expect(json!({"type": "ack", "id": "a-1", "sequence": 1}));
    yuan.say(&json!({"type": "say", "text": "two"}));
    yuan.say(&json!({"type": "say", "text": "", "id": null}));
    yuan.expect_quiet();
    for (sequence, text) in [(1, "one"), (2, "two"), (3, "")] {
        alex.expect(json!({"type": "message", "sequence": sequence, "from": "yuan", "text": text}));
        line.expect_text(&format!("yuan: {text}"));
    }
    // Whoever speaks the other protocol counts too.
    line.text("three");
    for person in [&mut yuan, &mut alex] {
        person.expect(json!({"type": "message", "sequence": 4, "from": "feng", "text": "three"}));
    }
    alex.say(&json!({"type": "say", "text": "four", "id": "b-1"}));
    alex.expect(json!({"type": "ack", "id": "b-1", "sequence": 5}));
    line.expect_text("alex: four");
    line.expect_quiet();
}

#[test]
fn every_character_arrives_as_it_was_said() {
    let daemon = Daemon::without_auth("");
    let mut yuan = Person::enter(&daemon, "/ws", "y\"u\\a/n");
    let mut alex = Person::enter(&daemon, "/ws", "<b>");
    let mut line = daemon.enter("/ws", "feng");
    yuan.expect(json!({"type": "joined", "name": "<b>", "users": 2}));
    for person in [&mut yuan, &mut alex] {
        person.expect(json!({"type": "joined", "name": "feng", "users": 3}));
    }
    let all: String =
        ('\0'..='\u{2ff}').chain("\u{2028}\u{2029}\u{feff}\u{ffff}李🦀\u{10ffff}</script>".chars()).collect();
    yuan.say(&json!({"type": "say", "text": all}));
    alex.expect(json!({"type": "message", "sequence": 1, "from": "y\"u\\a/n", "text": all}));
    line.expect_text(&format!("y\"u\\a/n: {all}"));
    line.text(&all);
    alex.expect(json!({"type": "message", "sequence": 2, "from": "feng", "text": all}));
}

#[test]
fn direct_messages_are_for_one() {
    let daemon = Daemon::without_auth("");
    let mut yuan = Person::enter(&daemon, "/ws", "yuan");
    let mut alex = Person::enter(&daemon, "/ws", "alex");
    yuan.expect(json!({"type": "joined", "name": "alex", "users": 2}));
    let mut elsewhere = Person::enter(&daemon, "/ws/dev", "kim");
    let mut line = daemon.enter("/ws", "feng li");
    for person in [&mut yuan, &mut alex] {
        person.expect(json!({"type": "joined", "name": "feng li", "users": 3}));
    }
    yuan.say(&json!({"type": "direct", "to": "alex", "text": "psst", "id": "a-1"}));
    yuan.expect(json!({"type": "ack", "id": "a-1"}));
    alex.expect(json!({"type": "direct", "from": "yuan", "text": "psst"}));
    yuan.say(&json!({"type": "direct", "to": "feng li", "text": "psst"}));
    line.expect_text("yuan (private): psst");
    line.text("/msg yuan what?");
    yuan.expect(json!({"type": "direct", "from": "feng li", "text": "what?"}));
    yuan.say(&json!({"type": "direct", "to": "yuan", "text": "to myself", "id": "a-2"}));
    yuan.expect(json!({"type": "direct", "from": "yuan", "text": "to myself"}));
    yuan.expect(json!({"type": "ack", "id": "a-2"}));
    // A name counts in its own room, and as it is.
    for to in ["kim", "Alex", " alex", "", &"x".repeat(10_000)] {
        yuan.say(&json!({"type": "direct", "to": to, "text": "psst", "id": "a-3"}));
        let error = yuan.hear();
        assert_eq!((&error["code"], &error["id"]), (&json!("no_such_user"), &json!("a-3")), "{to}");
        assert!(error["text"].as_str().unwrap().len() < 300, "{error}");
    }
    for person in [&mut yuan, &mut alex, &mut elsewhere] {
        person.expect_quiet();
    }
    // It has no number.
    yuan.say(&json!({"type": "say", "text": "aloud", "id": "a-4"}));
    yuan.expect(json!({"type": "ack", "id": "a-4", "sequence": 1}));
}

/// Control characters are six bytes each in JSON: two of these messages are more than the outbox holds.
#[test]
fn nobody_can_be_flooded_out_by_direct_messages() {
    let daemon = Daemon::without_auth("");
    let mut alex = Person::enter(&daemon, "/ws", "alex");
    let mut flooder = daemon.enter("/ws", "flooder");
    alex.expect(json!({"type": "joined", "name": "flooder", "users": 2}));
    let line = format!("/msg alex {}", "\u{1}".repeat(16_000));
    // All of it is there when the daemon looks.
    daemon.signal(Signal::STOP);
    flooder.send_raw(&Frame::text(line.as_str()).encode().repeat(4));
    daemon.signal(Signal::CONT);
    for _ in 0..3 {
        flooder.expect_text("error: too much waits for \"alex\" already, say it again later");
    }
    assert_eq!(alex.hear()["type"], "direct");
    alex.expect_quiet();
}

/// Whoever asks more than it takes is told so, and stays.
#[test]
fn many_questions_at_once_close_nobody() {
    let daemon = Daemon::without_auth("[limits]\noutbox = \"1KiB\"\n");
    let mut yuan = Person::enter(&daemon, "/ws", "yuan");
    let _others: Vec<Client> = (0..20).map(|n| daemon.enter("/ws", &format!("{n:02}{}", "x".repeat(30)))).collect();
    for users in 2..=21 {
        assert_eq!(yuan.hear()["users"], users);
    }
    let question = Frame::text(r#"{"type":"who","id":"w"}"#).encode();
    yuan.client.send_raw(&question.repeat(12));
    let answers: Vec<Value> = (0..12).map(|_| yuan.hear()).collect();
    assert_eq!(answers[0]["total"], 21);
    let busy = answers.iter().filter(|answer| answer["code"] == "busy" && answer["id"] == "w").count();
    let lists = answers.iter().filter(|answer| answer["type"] == "users").count();
    assert_eq!((busy > 0, busy + lists), (true, 12), "{answers:?}");
}

#[test]
fn who_and_ping_are_answered() {
    let daemon = Daemon::without_auth("");
    let mut yuan = Person::connect(&daemon, "/ws");
    // Also before there is a name.
    yuan.say(&json!({"type": "ping", "id": "元".repeat(64)}));
    yuan.expect(json!({"type": "pong", "id": "元".repeat(64)}));
    yuan.say(&json!({"type": "name", "name": "yuan"}));
    assert_eq!(yuan.hear()["type"], "hello");
    yuan.say(&json!({"type": "ping"}));
    let pong = yuan.hear();
    assert!((pong["time"].as_u64().unwrap() / 1000).abs_diff(unix_now()) < 60, "{pong}");
    let _line = daemon.enter("/ws", "feng");
    yuan.expect(json!({"type": "joined", "name": "feng", "users": 2}));
    for question in [json!({"type": "who"}), json!({"type": "who", "id": "a-1"})] {
        yuan.say(&question);
        let mut users = yuan.hear();
        users["users"].as_array_mut().unwrap().sort_by_key(Value::to_string);
        let mut expected = json!({"type": "users", "users": ["feng", "yuan"], "total": 2});
        if let Some(id) = question.get("id") {
            expected["id"] = id.clone();
        }
        assert_eq!(users, expected);
    }
}

#[test]
fn a_name_can_be_changed() {
    let daemon = Daemon::without_auth("");
    let mut yuan = Person::enter(&daemon, "/ws", "yuan");
    let mut alex = Person::enter(&daemon, "/ws", "alex");
    yuan.expect(json!({"type": "joined", "name": "alex", "users": 2}));
    yuan.say(&json!({"type": "rename", "name": " yuan li ", "id": "a-1"}));
    let (first, second) = (yuan.hear(), yuan.hear());
    let kinds = [first["type"].as_str().unwrap(), second["type"].as_str().unwrap()];
    assert!(kinds.contains(&"ack") && kinds.contains(&"renamed"), "{kinds:?}");
    alex.expect(json!({"type": "renamed", "from": "yuan", "to": "yuan li"}));
    yuan.say(&json!({"type": "say", "text": "it is me"}));
    alex.expect(json!({"type": "message", "sequence": 1, "from": "yuan li", "text": "it is me"}));
    // The old name is free, the new one is not.
    for (wish, code) in
        [("yuan li", "name_in_use"), ("", "bad_name"), ("\u{7}", "bad_name"), (&"x".repeat(33), "bad_name")]
    {
        alex.say(&json!({"type": "rename", "name": wish, "id": "b-1"}));
        let error = alex.hear();
        assert_eq!((&error["code"], &error["id"]), (&json!(code), &json!("b-1")), "{wish:?}");
    }
    alex.say(&json!({"type": "rename", "name": "yuan"}));
    for person in [&mut yuan, &mut alex] {
        person.expect(json!({"type": "renamed", "from": "alex", "to": "yuan"}));
    }
    // The same name once more is nothing new to anybody else.
    alex.say(&json!({"type": "rename", "name": "yuan", "id": "b-2"}));
    alex.expect(json!({"type": "ack", "id": "b-2"}));
    for person in [&mut yuan, &mut alex] {
        person.expect_quiet();
    }
}

#[test]
fn joins_and_leaves_are_told_until_there_is_a_crowd() {
    let daemon = Daemon::without_auth("[chat]\nannounce_users = 3");
    let mut yuan = Person::enter(&daemon, "/ws", "yuan");
    let mut alex = Person::enter(&daemon, "/ws", "alex");
    yuan.expect(json!({"type": "joined", "name": "alex", "users": 2}));
    let mut nobody = Person::connect(&daemon, "/ws");
    nobody.say(&json!({"type": "ping"}));
    assert_eq!(nobody.hear()["type"], "pong");
    let feng = daemon.enter("/ws", "feng");
    for person in [&mut yuan, &mut alex] {
        person.expect(json!({"type": "joined", "name": "feng", "users": 3}));
    }
    let kim = Person::enter(&daemon, "/ws", "kim");
    // With four there is a crowd.
    yuan.expect_quiet();
    kim.client.close();
    feng.reset();
    for person in [&mut yuan, &mut alex] {
        person.expect(json!({"type": "left", "name": "kim", "users": 3}));
        person.expect(json!({"type": "left", "name": "feng", "users": 2}));
    }
    alex.client.close();
    yuan.expect(json!({"type": "left", "name": "alex", "users": 1}));
    nobody.client.close();
    yuan.expect_quiet();
}

#[test]
fn those_who_speak_text_are_told_of_joins_only_if_it_is_set() {
    for announced in [true, false] {
        let daemon = Daemon::without_auth(&format!("[chat]\nannounce_text = {announced}"));
        let mut line = daemon.enter("/ws", "feng");
        let mut yuan = Person::enter(&daemon, "/ws", "yuan");
        yuan.say(&json!({"type": "rename", "name": "yuan li"}));
        yuan.expect(json!({"type": "renamed", "from": "yuan", "to": "yuan li"}));
        yuan.client.close();
        if announced {
            line.expect_text("* yuan has joined");
            line.expect_text("* yuan is now yuan li");
            line.expect_text("* yuan li has left");
        }
        line.expect_quiet();
    }
}

/// What is wrong is said, nothing of it is done, and the connection stays.
#[test]
fn every_mistake_is_told_and_the_connection_stays() {
    let daemon = Daemon::without_auth("");
    let mut witness = daemon.enter("/ws", "witness");
    let mut yuan = Person::enter(&daemon, "/ws", "yuan");
    let deep = format!(r#"{{"type":"say","text":"x","new":{}{},"id":"m"}}"#, "[".repeat(8), "]".repeat(8));
    let long = format!(r#"{{"type":"say","text":"x","id":"{}"}}"#, "x".repeat(65));
    let junk = "[".repeat(16_000);
    let rows = [
        ("good morning", "not_json", None, None),
        ("", "not_json", None, None),
        ("[]", "not_json", None, None),
        (r#"{"type":"say","text":"x"} "#, "", None, None),
        (r#"{"type":"say","text":"x"}x"#, "not_json", None, None),
        (r#"{"type":"say","text":"x",,"id":"m"}"#, "not_json", None, Some("m")),
        (&deep, "not_json", None, Some("m")),
        (&junk, "not_json", None, None),
        ("{}", "missing_field", Some("type"), None),
        (r#"{"type":"say","id":"m"}"#, "missing_field", Some("text"), Some("m")),
        (r#"{"type":"direct","text":"x"}"#, "missing_field", Some("to"), None),
        (r#"{"type":"rename","id":"m"}"#, "missing_field", Some("name"), Some("m")),
        (r#"{"type":1,"id":"m"}"#, "wrong_type", Some("type"), Some("m")),
        (r#"{"type":"say","text":["x"],"id":"m"}"#, "wrong_type", Some("text"), Some("m")),
        (r#"{"type":"say","text":"\ud800","id":"m"}"#, "wrong_type", Some("text"), Some("m")),
        (r#"{"type":"say","text":"x","id":1}"#, "wrong_type", Some("id"), None),
        (r#"{"type":"ping","id":""}"#, "wrong_type", Some("id"), None),
        (r#"{"type":"name","name":"y","history":-1}"#, "wrong_type", Some("history"), None),
        (r#"{"type":"say","text":"x","text":"y","id":"m"}"#, "duplicate_field", Some("text"), Some("m")),
        (&long, "too_long", Some("id"), None),
        (r#"{"type":"message","text":"x","id":"m"}"#, "unknown_type", Some("type"), Some("m")),
        (r#"{"type":"name","name":"y"}"#, "already_named", None, None),
        (r#"{"type":"resume","name":"y","epoch":"e","last":1}"#, "already_named", None, None),
    ];
    for (message, code, field, id) in rows {
        if code.is_empty() {
            // White space around an object is no mistake.
            yuan.say_raw(message);
            witness.expect_text("yuan: x");
            continue;
        }
        yuan.say_raw(message);
        let error = yuan.hear();
        assert_eq!((error["type"].as_str(), error["code"].as_str()), (Some("error"), Some(code)), "{message}: {error}");
        assert_eq!((error["field"].as_str(), error["id"].as_str()), (field, id), "{message}: {error}");
    }
    yuan.expect_quiet();
    witness.expect_quiet();
}

#[test]
fn a_name_comes_first() {
    let daemon = Daemon::without_auth("");
    let mut witness = Person::enter(&daemon, "/ws", "witness");
    let mut yuan = Person::connect(&daemon, "/ws");
    for mut object in [
        json!({"type": "say", "text": "x"}),
        json!({"type": "direct", "to": "witness", "text": "x"}),
        json!({"type": "who"}),
        json!({"type": "rename", "name": "yuan"}),
    ] {
        yuan.say(&object);
        assert_eq!(yuan.hear()["code"], "not_named", "{object}");
        object["id"] = json!("a-1");
        yuan.say(&object);
        let error = yuan.hear();
        assert_eq!((&error["code"], &error["id"]), (&json!("not_named"), &json!("a-1")), "{object}");
    }
    for (wish, code) in
        [("witness", "name_in_use"), (" \t", "bad_name"), ("a\u{9f}b", "bad_name"), (&"元".repeat(33), "bad_name")]
    {
        yuan.say(&json!({"type": "name", "name": wish}));
        assert_eq!(yuan.hear()["code"], code, "{wish}");
        yuan.say(&json!({"type": "resume", "name": wish, "epoch": "", "last": 0}));
        assert_eq!(yuan.hear()["code"], code, "{wish}");
    }
    // Nobody hears of one without a name, and it hears nobody.
    witness.say(&json!({"type": "say", "text": "anybody?"}));
    witness.expect_quiet();
    yuan.expect_quiet();
    yuan.say(&json!({"type": "name", "name": "元".repeat(32)}));
    assert_eq!(yuan.hear()["type"], "hello");
    witness.expect(json!({"type": "joined", "name": "元".repeat(32), "users": 2}));
}

#[test]
fn a_token_pins_a_name() {
    let issuer = Issuer::hmac();
    let daemon = Daemon::start_with(&issuer.config(), &[], &[]);
    let token = issuer.sign(r#"{"sub":"yuan","exp":4102444800}"#);
    let mut yuan = Person::connect_with(&daemon, "/ws", Some(&token));
    yuan.say(&json!({"type": "name", "name": "alex"}));
    assert_eq!(yuan.hear()["code"], "name_pinned");
    yuan.say(&json!({"type": "name", "name": "yuan"}));
    assert_eq!(yuan.hear()["type"], "hello");
    yuan.say(&json!({"type": "rename", "name": "alex", "id": "a-1"}));
    let error = yuan.hear();
    assert_eq!((&error["code"], &error["id"]), (&json!("name_pinned"), &json!("a-1")));
}

#[test]
fn a_repeated_message_is_said_once() {
    let daemon = Daemon::without_auth("");
    let mut yuan = Person::enter(&daemon, "/ws", "yuan");
    let mut alex = Person::enter(&daemon, "/ws", "alex");
    yuan.expect(json!({"type": "joined", "name": "alex", "users": 2}));
    for text in ["once", "once", "whatever it is"] {
        yuan.say(&json!({"type": "say", "text": text, "id": "a-1"}));
    }
    yuan.expect(json!({"type": "ack", "id": "a-1", "sequence": 1}));
    for _ in 0..2 {
        yuan.expect(json!({"type": "ack", "id": "a-1", "sequence": 1, "duplicate": true}));
    }
    alex.expect(json!({"type": "message", "sequence": 1, "from": "yuan", "text": "once"}));
    // The id is the user's own, and without one everything is new.
    alex.say(&json!({"type": "say", "text": "mine", "id": "a-1"}));
    alex.expect(json!({"type": "ack", "id": "a-1", "sequence": 2}));
    yuan.expect(json!({"type": "message", "sequence": 2, "from": "alex", "text": "mine"}));
    for sequence in [3, 4] {
        yuan.say(&json!({"type": "say", "text": "again"}));
        alex.expect(json!({"type": "message", "sequence": sequence, "from": "yuan", "text": "again"}));
    }
    yuan.expect_quiet();
    alex.expect_quiet();
}

#[test]
fn history_is_for_those_who_ask() {
    let daemon = Daemon::without_auth("[history]\nmessages = 5");
    let mut yuan = Person::enter(&daemon, "/ws", "yuan");
    for text in 1..=8 {
        yuan.say(&json!({"type": "say", "text": text.to_string(), "id": format!("a-{text}")}));
        yuan.expect(json!({"type": "ack", "id": format!("a-{text}"), "sequence": text}));
    }
    for (asked, first) in [(None, 9), (Some(0), 9), (Some(1), 8), (Some(3), 6), (Some(5), 4), (Some(1 << 53), 4)] {
        let mut alex = Person::connect(&daemon, "/ws");
        let history = asked.map(|count: u64| count.min((1 << 53) - 1));
        alex.say(&json!({"type": "name", "name": "alex", "history": history}));
        let hello = alex.hear();
        assert_eq!((&hello["last"], &hello["from"]), (&json!(8), &json!(first)), "{asked:?}");
        for sequence in first..=8 {
            let text = sequence.to_string();
            alex.expect_past_news(json!({"type": "message", "sequence": sequence, "from": "yuan", "text": text}));
        }
        if first <= 8 {
            assert_eq!(alex.hear_no_news()["total"], 2);
        }
        alex.expect_quiet();
        alex.client.close();
    }
}

/// What is sent again is bounded by the limits of the history, and by no other.
#[test]
fn history_may_be_more_than_an_outbox_holds() {
    let daemon = Daemon::without_auth("[limits]\noutbox = \"1KiB\"\n");
    let mut line = daemon.enter("/ws", "feng");
    for number in 0..5 {
        line.text(&format!("{number} {}", "x".repeat(3_000)));
    }
    line.send_frame(&Frame::ping("said"));
    line.expect_frame(&Frame::pong("said").unmasked());
    let mut yuan = Person::connect(&daemon, "/ws");
    yuan.say(&json!({"type": "name", "name": "yuan", "history": 5}));
    let hello = yuan.hear();
    // The first one too, for which nobody was there who speaks JSON.
    assert_eq!((&hello["last"], &hello["from"]), (&json!(5), &json!(1)), "{hello}");
    for sequence in 1..=5 {
        let message = yuan.hear();
        assert_eq!(message["sequence"], sequence, "{message}");
    }
    assert_eq!(yuan.hear()["type"], "users");
    yuan.expect_quiet();
}

#[test]
fn a_refused_name_is_answered_with_its_id() {
    let daemon = Daemon::without_auth("");
    let mut yuan = Person::connect(&daemon, "/ws");
    yuan.say(&json!({"type": "name", "name": "", "id": "n-1"}));
    let error = yuan.hear();
    assert_eq!((&error["code"], &error["id"]), (&json!("bad_name"), &json!("n-1")));
    yuan.say(&json!({"type": "name", "name": "yuan"}));
    assert_eq!(yuan.hear()["type"], "hello");
    yuan.say(&json!({"type": "resume", "name": "yuan", "epoch": "9f", "last": 0, "id": "n-2"}));
    let error = yuan.hear();
    assert_eq!((&error["code"], &error["id"]), (&json!("already_named"), &json!("n-2")));
}

#[test]
fn an_early_binary_message_is_refused_in_json() {
    let daemon = Daemon::without_auth("[chat]\nbinary = \"relay\"\n");
    let mut yuan = Person::connect(&daemon, "/ws");
    yuan.client.send_frame(&Frame::new(opcode::BINARY, "too early"));
    assert_eq!(yuan.hear()["code"], "not_named");
}

#[test]
fn binary_messages_and_overlong_ones_end_the_connection_here_too() {
    let daemon = Daemon::without_auth("[limits]\nmessage = \"1KiB\"");
    let mut yuan = Person::enter(&daemon, "/ws", "yuan");
    yuan.client.send_frame(&Frame::binary("{\"type\":\"ping\"}"));
    yuan.client.expect_close(1003);
    let mut alex = Person::enter(&daemon, "/ws", "alex");
    alex.say(&json!({"type": "say", "text": "x".repeat(1024)}));
    alex.client.expect_close(1009);
}

/// A client may send several objects at once, in pieces or not.
#[test]
fn objects_come_through_however_they_are_cut() {
    let daemon = Daemon::without_auth("");
    let mut yuan = Person::connect(&daemon, "/ws");
    let objects = [
        json!({"type": "name", "name": "yuan"}),
        json!({"type": "say", "text": "one", "id": "a-1"}),
        json!({"type": "ping", "id": "a-2"}),
    ];
    let bytes: Vec<u8> = objects.iter().flat_map(|object| Frame::text(object.to_string()).encode()).collect();
    yuan.client.try_send_chopped(&bytes, 7).expect("a server that reads");
    assert_eq!(yuan.hear()["type"], "hello");
    yuan.expect(json!({"type": "ack", "id": "a-1", "sequence": 1}));
    yuan.expect(json!({"type": "pong", "id": "a-2"}));
    let fragments = [Frame::text("{\"type\":").unfinished(), Frame::continuation("\"ping\",\"id\":\"a-3\"}")];
    for fragment in &fragments {
        yuan.client.send_frame(fragment);
    }
    yuan.expect(json!({"type": "pong", "id": "a-3"}));
}

/// The two protocols do not mix: the other one's words are just words.
#[test]
fn each_protocol_takes_the_other_for_words() {
    let daemon = Daemon::without_auth("");
    let mut line: Client = daemon.enter("/ws", "feng");
    let mut yuan = Person::enter(&daemon, "/ws", "yuan");
    line.text(r#"{"type":"ping"}"#);
    yuan.expect(json!({"type": "message", "sequence": 1, "from": "feng", "text": r#"{"type":"ping"}"#}));
    yuan.say(&json!({"type": "say", "text": "/who"}));
    line.expect_text("yuan: /who");
    yuan.say_raw("/who");
    assert_eq!(yuan.hear()["code"], "not_json");
}
