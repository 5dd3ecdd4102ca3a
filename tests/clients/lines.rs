//! Three libraries, each in a program that sends lines and prints messages, speak both protocols in one room.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Daemon, PATIENCE, Process, Schema, Side};
use crate::{node, python};

/// One client and what it speaks.
struct Speaker {
    process: Process,
    name: String,
    json: bool,
}

impl Speaker {
    fn start(daemon: &Daemon, library: &str, json: bool) -> Self {
        let url = format!("ws://{}/ws", daemon.address());
        let protocol = if json { "hollerd.json" } else { "hollerd.text" };
        let mut command = match library {
            "ws" => node("tests/clients/lines.mjs"),
            "websockets" => python("tests/clients/lines.py"),
            _ => {
                let mut command = Command::new("websocat");
                // It takes the URL first, and the protocol as an option.
                command.args([&url, "--protocol", protocol]);
                command
            }
        };
        if library != "websocat" {
            command.args([&url, protocol]);
        }
        let process = Process::spawn_with_input(&mut command);
        Self { process, name: format!("{library} {protocol}"), json }
    }

    fn enter(&mut self) {
        if self.json {
            self.process.type_line(&json!({"type": "name", "name": self.name}).to_string());
            self.await_object(|object| object["type"] == "hello" && object["name"] == *self.name);
        } else {
            self.process.type_line(&self.name);
            self.process.expect_line(&format!("hello {}", self.name));
        }
    }

    fn say(&mut self, text: &str) {
        if self.json {
            self.process.type_line(&json!({"type": "say", "text": text, "id": text}).to_string());
            self.await_object(|object| object["type"] == "ack" && object["id"] == text);
        } else {
            self.process.type_line(text);
        }
    }

    fn expect(&self, from: &str, text: &str) {
        if self.json {
            self.await_object(|object| object["type"] == "message" && object["from"] == from && object["text"] == text);
        } else {
            self.process.expect_line(&format!("{from}: {text}"));
        }
    }

    fn await_object(&self, is_it: impl Fn(&Value) -> bool) {
        let schema = Schema::protocol();
        let found = self.process.await_stdout(PATIENCE, |text| {
            let objects = text.lines().map(|line| schema.check(Side::Server, line).expect("a valid object"));
            objects.into_iter().any(|object| is_it(&object)).then_some(())
        });
        assert!(found.is_some(), "{}:\n{}\n{}", self.name, self.process.stdout(), self.process.stderr());
    }

    /// How often something was heard.
    fn count(&self, needle: &str) -> usize {
        self.process.stdout().matches(needle).count()
    }
}

#[test]
#[ignore = "needs node, python and websocat"]
fn three_libraries_talk_in_both_protocols() {
    let daemon = Daemon::without_auth("");
    let all = ["ws", "websockets", "websocat"].into_iter().flat_map(|library| [(library, true), (library, false)]);
    let mut speakers: Vec<Speaker> = all.map(|(library, json)| Speaker::start(&daemon, library, json)).collect();
    for speaker in &mut speakers {
        speaker.enter();
    }
    for index in 0..speakers.len() {
        let text = format!("\"grüße\" von {index} 🦀 \\ /");
        speakers[index].say(&text);
        let from = speakers[index].name.clone();
        for (_, other) in speakers.iter().enumerate().filter(|(other, _)| *other != index) {
            other.expect(&from, &text);
        }
    }
    for (index, speaker) in speakers.iter().enumerate() {
        for other in 0..speakers.len() {
            let (times, own) = (speaker.count(&format!("von {other} ")), index == other);
            // Own words come back in the acknowledgement only, as the id.
            assert_eq!(times, usize::from(!own || speaker.json), "{} of {other}", speaker.name);
        }
    }
    for speaker in &mut speakers {
        speaker.process.end_input();
        assert!(speaker.process.wait(PATIENCE).success(), "{}: {}", speaker.name, speaker.process.stderr());
    }
}
