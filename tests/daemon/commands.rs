//! The commands of the text protocol: lines that begin with a slash.

use crate::support::Daemon;

#[test]
fn who_lists_everybody_in_the_room() {
    let daemon = Daemon::without_auth("");
    let mut yuan = daemon.enter("/ws", "yuan");
    let mut kim = daemon.enter("/ws", "kim lee");
    let _elsewhere = daemon.enter("/ws/dev", "alex");
    yuan.text("/who");
    let users = yuan.read_text();
    let mut names: Vec<&str> = users.strip_prefix("users: ").expect("a list").split(", ").collect();
    names.sort_unstable();
    assert_eq!(names, ["kim lee", "yuan"]);
    kim.expect_quiet();
}

#[test]
fn a_private_message_reaches_one() {
    let daemon = Daemon::without_auth("");
    let mut yuan = daemon.enter("/ws", "yuan");
    let mut kim = daemon.enter("/ws", "kim lee");
    let mut alex = daemon.enter("/ws", "alex");
    yuan.text("/msg \"kim lee\" are you there?");
    kim.expect_text("yuan (private): are you there?");
    kim.text("/msg yuan /who");
    yuan.expect_text("kim lee (private): /who");
    for (line, hint) in [
        ("/msg feng hi", "nobody here is called \"feng\""),
        ("/msg kim lee hi", "nobody here is called \"kim\""),
        ("/msg", "nobody is named"),
        ("/msg alex", "nothing is said"),
        ("/msg \"kim lee hi", "closing quotation mark"),
    ] {
        yuan.text(line);
        let reply = yuan.read_text();
        assert!(reply.starts_with("error: ") && reply.contains(hint), "{line}: {reply}");
    }
    for client in [&mut yuan, &mut kim, &mut alex] {
        client.expect_quiet();
    }
}

#[test]
fn a_name_can_be_changed() {
    let daemon = Daemon::without_auth("");
    let mut yuan = daemon.enter("/ws", "yuan");
    let mut kim = daemon.enter("/ws", "kim");
    yuan.text("/name yuan li");
    yuan.expect_text("hello yuan li");
    yuan.text("it is me");
    kim.expect_text("yuan li: it is me");
    for (wish, hint) in [("kim", "is in use"), ("", "no name"), ("\u{7}", "control characters")] {
        yuan.text(&format!("/name {wish}"));
        let reply = yuan.read_text();
        assert!(reply.starts_with("error: ") && reply.contains(hint), "{wish:?}: {reply}");
    }
    kim.text("/name yuan");
    kim.expect_text("hello yuan");
    yuan.expect_quiet();
}

#[test]
fn a_line_with_a_slash_is_said_with_two() {
    let daemon = Daemon::without_auth("");
    let mut yuan = daemon.enter("/ws", "yuan");
    let mut kim = daemon.enter("/ws", "kim");
    for (line, heard) in [("//who", "/who"), ("//", "/"), (" /who", " /who"), ("what is /who?", "what is /who?")] {
        yuan.text(line);
        kim.expect_text(&format!("yuan: {heard}"));
    }
    for line in ["/", "/whois kim", "/etc/passwd"] {
        yuan.text(line);
        let reply = yuan.read_text();
        assert!(reply.starts_with("error: there is no command /"), "{line}: {reply}");
    }
    yuan.text("/help");
    for command in ["/who", "/msg NAME TEXT", "/name NEW", "/help", "//TEXT"] {
        let line = yuan.read_text();
        assert!(line.starts_with(command) && !line.contains('\n'), "{line}");
    }
    for client in [&mut yuan, &mut kim] {
        client.expect_quiet();
    }
}

/// Some clients send a line with its end, as websocat does.
#[test]
fn one_line_end_is_not_said() {
    let daemon = Daemon::without_auth("");
    let mut yuan = daemon.enter("/ws", "yuan");
    let mut kim = daemon.enter("/ws", "kim");
    for (sent, heard) in
        [("hi\n", "hi"), ("hi\r\n", "hi"), ("one\ntwo\n\n", "one\ntwo\n"), ("\r", "\r"), ("//x\n", "/x")]
    {
        yuan.text(sent);
        kim.expect_text(&format!("yuan: {heard}"));
    }
}
