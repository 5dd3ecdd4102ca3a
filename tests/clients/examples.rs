//! The clients below `examples`, exactly as they are there: they lose nothing and say nothing twice when their connection
//! breaks, and they know when to give up.

use std::process::Command;

use serde_json::json;

use crate::support::{Cable, Daemon, Issuer, PATIENCE, Person, Process, example, unix_now};
use crate::{node, python};

fn rust() -> Command {
    Command::new(example("client"))
}

fn start(mut command: Command, address: std::net::SocketAddr, name: &str, token: Option<&str>) -> Process {
    Process::spawn_with_input(command.args([&format!("ws://{address}/ws"), name]).args(token))
}

/// Waits until a line that begins so has been printed so many times.
fn await_lines(process: &Process, begin: &str, times: usize) {
    let found = process.await_stdout(PATIENCE, |text| {
        (text.lines().filter(|line| line.starts_with(begin)).count() >= times).then_some(())
    });
    assert!(found.is_some(), "wanted {times} of {begin:?}:\n{}\n{}", process.stdout(), process.stderr());
}

fn loses_nothing(command: Command) {
    let daemon = Daemon::without_auth("");
    let cable = Cable::to(daemon.address());
    let mut alex = Person::enter(&daemon, "/ws", "alex");
    let mut yuan = start(command, cable.address(), "yuan", None);
    yuan.expect_line("* hello yuan, 2 here");
    alex.expect(json!({"type": "joined", "name": "yuan", "users": 2}));
    yuan.type_line("one");
    alex.expect(json!({"type": "message", "sequence": 1, "from": "yuan", "text": "one"}));
    alex.say(&json!({"type": "say", "text": "two", "id": "b-1"}));
    alex.expect(json!({"type": "ack", "id": "b-1", "sequence": 2}));
    yuan.expect_line("alex: two");

    // The connection breaks, and the server does not know it. Both sides go on talking.
    cable.cut();
    await_lines(&yuan, "* not connected", 1);
    alex.say(&json!({"type": "say", "text": "three", "id": "b-2"}));
    alex.expect(json!({"type": "ack", "id": "b-2", "sequence": 3}));
    yuan.type_line("four");
    alex.expect(json!({"type": "message", "sequence": 4, "from": "yuan", "text": "four"}));
    yuan.expect_line("* said as 4");

    // It breaks again after something was said and before that was acknowledged.
    cable.go_deaf();
    yuan.type_line("five");
    alex.expect(json!({"type": "message", "sequence": 5, "from": "yuan", "text": "five"}));
    cable.cut();
    yuan.expect_line("* said as 5");
    yuan.type_line("six");
    alex.expect(json!({"type": "message", "sequence": 6, "from": "yuan", "text": "six"}));
    yuan.expect_line("* said as 6");

    // Another server comes in the place of this one.
    let second = Daemon::without_auth("");
    let mut kim = Person::enter(&second, "/ws", "kim");
    cable.lead_to(second.address());
    drop(daemon);
    kim.expect(json!({"type": "joined", "name": "yuan", "users": 2}));
    yuan.type_line("seven");
    kim.expect(json!({"type": "message", "sequence": 1, "from": "yuan", "text": "seven"}));
    yuan.expect_line("* said as 1");
    yuan.end_input();
    kim.expect(json!({"type": "left", "name": "yuan", "users": 1}));
    assert_eq!(yuan.wait(PATIENCE).code(), Some(0), "{}", yuan.stderr());

    let printed = yuan.stdout();
    let said: Vec<&str> = printed.lines().filter(|line| !line.starts_with("* not connected")).collect();
    let expected = [
        "* hello yuan, 2 here",
        "* said as 1",
        "alex: two",
        "* hello yuan, 2 here",
        "alex: three",
        "* said as 4",
        "* hello yuan, 2 here",
        "yuan: five",
        "* said as 5",
        "* said as 6",
        "* hello yuan, 2 here",
        "* some messages are missing",
        "* said as 1",
    ];
    assert_eq!(said, expected);
}

/// What is piped into it is said before it ends, and what has been said before is shown.
fn says_what_is_piped_into_it(mut command: impl FnMut() -> Command) {
    let daemon = Daemon::start(&[]);
    let token = daemon.token().expect("a printed token");
    let mut alex = Person::enter(&daemon, "/ws", "alex");
    for (round, name) in [(0, "yuan"), (1, "kim")] {
        let mut pipe = start(command(), daemon.address(), name, Some(&token));
        for line in ["good morning", "李明: \"早安\" 🦀"] {
            pipe.type_line(line);
        }
        pipe.end_input();
        assert_eq!(pipe.wait(PATIENCE).code(), Some(0), "{}", pipe.stderr());
        for (sequence, text) in [(1, "good morning"), (2, "李明: \"早安\" 🦀")] {
            alex.expect_past_news(
                json!({"type": "message", "sequence": 2 * round + sequence, "from": name, "text": text}),
            );
        }
        assert_eq!(pipe.stdout().contains("yuan: good morning\n"), round == 1, "{}", pipe.stdout());
    }
}

fn gives_up_when_it_should(mut command: impl FnMut() -> Command) {
    let issuer = Issuer::hmac();
    let daemon = Daemon::start_with(&issuer.config(), &[], &[]);
    let until = |seconds: u64| issuer.sign(&format!(r#"{{"exp":{}}}"#, unix_now() + seconds));
    let mut taken = Person::connect_with(&daemon, "/ws", Some(&until(60)));
    taken.say(&json!({"type": "name", "name": "alex"}));
    assert_eq!(taken.hear()["type"], "hello");
    for (name, token, why) in [("alex", until(60), "name \"alex\" is in use"), ("kim", until(2), "token expired")] {
        let mut process = start(command(), daemon.address(), name, Some(&token));
        assert_eq!(process.wait(PATIENCE).code(), Some(1), "{name}");
        assert!(process.stderr().contains(why), "{name}: {}", process.stderr());
    }
}

#[test]
fn the_rust_example_loses_nothing() {
    loses_nothing(rust());
}

#[test]
fn the_rust_example_says_what_is_piped_into_it() {
    says_what_is_piped_into_it(rust);
}

#[test]
fn the_rust_example_gives_up_when_it_should() {
    gives_up_when_it_should(rust);
}

#[test]
#[ignore = "needs node"]
fn the_javascript_example_loses_nothing() {
    loses_nothing(node("examples/chat.mjs"));
}

#[test]
#[ignore = "needs node"]
fn the_javascript_example_says_what_is_piped_into_it() {
    says_what_is_piped_into_it(|| node("examples/chat.mjs"));
}

#[test]
#[ignore = "needs node"]
fn the_javascript_example_gives_up_when_it_should() {
    gives_up_when_it_should(|| node("examples/chat.mjs"));
}

#[test]
#[ignore = "needs python"]
fn the_python_example_loses_nothing() {
    loses_nothing(python("examples/chat.py"));
}

#[test]
#[ignore = "needs python"]
fn the_python_example_says_what_is_piped_into_it() {
    says_what_is_piped_into_it(|| python("examples/chat.py"));
}

#[test]
#[ignore = "needs python"]
fn the_python_example_gives_up_when_it_should() {
    gives_up_when_it_should(|| python("examples/chat.py"));
}

/// The lines in the README, at another address.
#[test]
#[ignore = "needs node"]
fn the_readme_s_javascript_runs() {
    let daemon = Daemon::start(&[]);
    let token = daemon.token().expect("a printed token");
    let mut alex = Person::enter(&daemon, "/ws", "alex");
    let readme = include_str!("../../README.md");
    let (_, block) = readme.split_once("```js\n").expect("a block of JavaScript");
    let (block, _) = block.split_once("```").expect("its end");
    assert!(block.contains("127.0.0.1:8080"));
    let block = block.replace("127.0.0.1:8080", &daemon.address().to_string());
    let script = format!("import WebSocket from \"ws\";\nconst token = {token:?};\n{block}");
    let mut command = Command::new("node");
    command.args(["--input-type=module", "--eval", &script]).current_dir(crate::home());
    let yuan = Process::spawn(&mut command);
    alex.expect(json!({"type": "joined", "name": "yuan", "users": 2}));
    alex.expect(json!({"type": "message", "sequence": 1, "from": "yuan", "text": "good morning"}));
    yuan.expect_line("my message has the number 1");
    alex.say(&json!({"type": "say", "text": "hi yuan"}));
    yuan.expect_line("alex: hi yuan");
}
