//! Coming back: nothing is missing, nothing comes twice, or one is told what is missing. The simulation in `tests/resume`
//! breaks connections at every point; here they are those of the kernel.

use serde_json::{Value, json};

use crate::support::{Daemon, Issuer, Person};

/// As [`Person::enter`], with what the `hello` said.
fn enter(daemon: &Daemon, name: &str) -> (Person, Value) {
    let mut person = Person::connect(daemon, "/ws");
    person.say(&json!({"type": "name", "name": name}));
    let hello = person.hear();
    assert_eq!(hello["type"], "hello", "{hello}");
    (person, hello)
}

fn resume(daemon: &Daemon, name: &str, epoch: &Value, last: u64, session: Option<&Value>) -> Person {
    let mut person = Person::connect(daemon, "/ws");
    let mut object = json!({"type": "resume", "name": name, "epoch": epoch, "last": last});
    if let Some(session) = session {
        object["session"] = session.clone();
    }
    person.say(&object);
    person
}

fn say(person: &mut Person, text: &str, id: &str, sequence: u64) {
    person.say(&json!({"type": "say", "text": text, "id": id}));
    person.expect(json!({"type": "ack", "id": id, "sequence": sequence}));
}

#[test]
fn who_comes_back_gets_what_was_missed_and_its_own_words() {
    let daemon = Daemon::without_auth("");
    let (mut yuan, hello) = enter(&daemon, "yuan");
    let (mut alex, _) = enter(&daemon, "alex");
    yuan.expect(json!({"type": "joined", "name": "alex", "users": 2}));
    say(&mut alex, "one", "b-1", 1);
    yuan.expect(json!({"type": "message", "sequence": 1, "from": "alex", "text": "one"}));
    say(&mut yuan, "two", "a-1", 2);
    alex.expect(json!({"type": "message", "sequence": 2, "from": "yuan", "text": "two"}));
    // The acknowledgement of this one is lost with the connection.
    yuan.say(&json!({"type": "say", "text": "three", "id": "a-2"}));
    alex.expect(json!({"type": "message", "sequence": 3, "from": "yuan", "text": "three"}));
    yuan.client.reset();
    alex.expect(json!({"type": "left", "name": "yuan", "users": 1}));
    say(&mut alex, "four", "b-2", 4);

    let mut yuan = resume(&daemon, "yuan", &hello["epoch"], 2, Some(&hello["session"]));
    let again = yuan.hear();
    assert_eq!((&again["type"], &again["last"], &again["from"]), (&json!("hello"), &json!(4), &json!(3)));
    assert_eq!(again["epoch"], hello["epoch"]);
    assert_ne!(again["session"], hello["session"]);
    yuan.expect(json!({"type": "resumed", "whole": true, "from": 3, "to": 4}));
    yuan.expect(json!({"type": "message", "sequence": 3, "from": "yuan", "text": "three"}));
    yuan.expect_past_news(json!({"type": "message", "sequence": 4, "from": "alex", "text": "four"}));
    let users = yuan.hear_no_news();
    assert_eq!((&users["type"], &users["total"]), (&json!("users"), &json!(2)));
    yuan.say(&json!({"type": "say", "text": "three", "id": "a-2"}));
    yuan.expect(json!({"type": "ack", "id": "a-2", "sequence": 3, "duplicate": true}));
    alex.expect(json!({"type": "joined", "name": "yuan", "users": 2}));
    say(&mut yuan, "five", "a-3", 5);
    alex.expect(json!({"type": "message", "sequence": 5, "from": "yuan", "text": "five"}));
    yuan.expect_quiet();
    alex.expect_quiet();
}

/// Where nobody has noticed that the former connection is dead, the session proves that it is the same user.
#[test]
fn a_session_takes_the_name_over() {
    let daemon = Daemon::without_auth("");
    let (mut yuan, hello) = enter(&daemon, "yuan");
    let (mut alex, other) = enter(&daemon, "alex");
    yuan.expect(json!({"type": "joined", "name": "alex", "users": 2}));
    for session in [None, Some(&other["session"]), Some(&json!("no such session")), Some(&json!(""))] {
        let mut thief = resume(&daemon, "yuan", &hello["epoch"], 0, session);
        assert_eq!(thief.hear()["code"], "name_in_use", "{session:?}");
    }
    let mut again = resume(&daemon, "yuan", &hello["epoch"], 0, Some(&hello["session"]));
    assert_eq!(again.hear()["users"], 2);
    again.expect(json!({"type": "resumed", "whole": true, "from": 1, "to": 0}));
    assert_eq!(again.hear()["type"], "users");
    let reason = yuan.client.expect_close(4409);
    assert_eq!(reason, "you have come back on another connection");
    // In the room nobody has left and nobody has come.
    alex.expect_quiet();
    say(&mut again, "here I am", "a-1", 1);
    alex.expect(json!({"type": "message", "sequence": 1, "from": "yuan", "text": "here I am"}));
    // A session is good once: the next one has come with the hello.
    let mut late = resume(&daemon, "yuan", &hello["epoch"], 0, Some(&hello["session"]));
    assert_eq!(late.hear()["code"], "name_in_use");
    again.expect_quiet();
}

#[test]
fn a_pinned_name_needs_no_session() {
    let issuer = Issuer::hmac();
    let daemon = Daemon::start_with(&issuer.config(), &[], &[]);
    let token = issuer.sign(r#"{"sub":"yuan","exp":4102444800}"#);
    let mut first = Person::connect_with(&daemon, "/ws", Some(&token));
    first.say(&json!({"type": "name", "name": "yuan"}));
    let hello = first.hear();
    let mut again = Person::connect_with(&daemon, "/ws", Some(&token));
    again.say(&json!({"type": "name", "name": "yuan"}));
    assert_eq!(again.hear()["code"], "name_in_use");
    again.say(&json!({"type": "resume", "name": "yuan", "epoch": hello["epoch"], "last": 0}));
    assert_eq!(again.hear()["type"], "hello");
    first.client.expect_close(4409);
}

#[test]
fn who_comes_too_late_is_told_what_is_missing() {
    let daemon = Daemon::without_auth("[history]\nmessages = 3");
    let (mut alex, hello) = enter(&daemon, "alex");
    for sequence in 1..=6 {
        say(&mut alex, &sequence.to_string(), &format!("b-{sequence}"), sequence);
    }
    let epoch = &hello["epoch"];
    let unknown = json!("0000000000000000");
    for (epoch, last, whole, from) in [
        (epoch, 6, true, 7),
        (epoch, 5, true, 6),
        (epoch, 3, true, 4),
        (epoch, 2, false, 4),
        (epoch, 0, false, 4),
        // Numbers that this room has not given are of another one.
        (epoch, 7, false, 4),
        (&unknown, 6, false, 4),
        (&unknown, 0, false, 4),
    ] {
        let mut yuan = resume(&daemon, "yuan", epoch, last, None);
        let hello = yuan.hear();
        assert_eq!((&hello["last"], &hello["from"]), (&json!(6), &json!(from)), "{epoch} {last}");
        yuan.expect(json!({"type": "resumed", "whole": whole, "from": from, "to": 6}));
        for sequence in from..=6 {
            let text = sequence.to_string();
            yuan.expect_past_news(json!({"type": "message", "sequence": sequence, "from": "alex", "text": text}));
        }
        assert_eq!(yuan.hear_no_news()["type"], "users");
        yuan.expect_quiet();
        yuan.client.close();
    }
}

#[test]
fn an_empty_room_remembers() {
    let daemon = Daemon::without_auth("");
    let (mut yuan, hello) = enter(&daemon, "yuan");
    say(&mut yuan, "one", "a-1", 1);
    yuan.client.close();
    let mut yuan = resume(&daemon, "yuan", &hello["epoch"], 0, Some(&hello["session"]));
    assert_eq!(yuan.hear()["last"], 1);
    yuan.expect(json!({"type": "resumed", "whole": true, "from": 1, "to": 1}));
    yuan.expect(json!({"type": "message", "sequence": 1, "from": "yuan", "text": "one"}));
}

#[test]
fn another_server_is_another_epoch() {
    let (mut yuan, before) = enter(&Daemon::without_auth(""), "yuan");
    // The daemon is gone with the end of the line above.
    assert_ne!(yuan.client.read_frame(), crate::support::Received::Timeout);
    let daemon = Daemon::without_auth("");
    let mut yuan = resume(&daemon, "yuan", &before["epoch"], 0, Some(&before["session"]));
    assert_ne!(yuan.hear()["epoch"], before["epoch"]);
    yuan.expect(json!({"type": "resumed", "whole": false, "from": 1, "to": 0}));
}
