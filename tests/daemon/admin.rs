//! The admin listener: numbers, who is there, saying something, sending somebody away; and who gets nothing of that.

use std::net::SocketAddr;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Client, Daemon, PATIENCE, Received, Response, TempFile, now, unix_now};

const KEY: &str = "abc";
/// `KEY`, hashed, as a line of a keys file.
const LINE: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const BEARER: (&str, &str) = ("Authorization", "Bearer abc");

/// A daemon with an open door for everybody and a guarded one for administrators.
pub(crate) struct Administered {
    pub(crate) daemon: Daemon,
    address: SocketAddr,
    keys: TempFile,
}

impl Administered {
    /// `more` is the rest of the configuration: keys of `[admin]`, then other sections.
    pub(crate) fn start(more: &str) -> Self {
        Self::start_with_keys(&format!("{LINE} name=ops\n"), more)
    }

    fn start_with_keys(lines: &str, more: &str) -> Self {
        let keys = TempFile::new("keys", lines);
        let config = format!("[admin]\nlisten = \"127.0.0.1:0\"\nkeys_file = \"{}\"\n{more}", keys.name());
        let daemon = Daemon::start_with(&config, &[], &["--auth", "none", "--listen", "127.0.0.1:0"]);
        let line = daemon.await_printed("  admin  ");
        let address = line.trim().strip_prefix("admin  http://").and_then(|line| line.strip_suffix("/metrics"));
        let address = address.and_then(|address| address.parse().ok()).expect("an address");
        Self { daemon, address, keys }
    }

    fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Asks with the key.
    pub(crate) fn ask(&self, method: &str, target: &str) -> Response {
        let mut client = self.connect();
        let response = client.request(method, target, &[BEARER]);
        client.expect_eof();
        response
    }

    fn get(&self, target: &str) -> Value {
        let response = self.ask("GET", target);
        assert_eq!(response.status, 200, "{target}: {}", response.text());
        assert_eq!(response.header("Content-Type"), Some("application/json"));
        json_of(&response)
    }

    fn say(&self, target: &str, text: &str) -> Response {
        let mut client = self.connect();
        client.send_raw(post(target, text).as_bytes());
        client.read_http_response()
    }

    /// One number of `/metrics`.
    fn metric(&self, sample: &str) -> u64 {
        let text = self.ask("GET", "/metrics").text();
        let value = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().expect("a whole number"))
    }

    /// Waits until one number of `/metrics` is this.
    pub(crate) fn await_metric(&self, sample: &str, expected: u64) {
        let deadline = now() + PATIENCE;
        while self.metric(sample) != expected {
            assert!(now() < deadline, "{sample} is {}, not {expected}", self.metric(sample));
        }
    }
}

fn post(target: &str, text: &str) -> String {
    let (length, (name, value)) = (text.len(), BEARER);
    format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n{name}: {value}\r\nContent-Length: {length}\r\n\r\n{text}")
}

fn json_of(response: &Response) -> Value {
    serde_json::from_slice(&response.body).expect("an answer in JSON")
}

/// Holds a refusal to what they all have, and returns its text.
fn error_of(response: &Response, status: u16) -> String {
    assert_eq!(response.status, status, "{}", response.text());
    assert_eq!(response.header("Connection"), Some("close"));
    let text = json_of(response)["error"].as_str().expect("an error in words").to_owned();
    assert!(text.len() > 10, "{text}");
    text
}

#[test]
fn rooms_and_users_are_listed_page_by_page() {
    let admin = Administered::start("[history]\nmessages = 0\n");
    assert_eq!(admin.get("/v1/rooms"), json!({ "rooms": [] }));
    let mut yuan = admin.daemon.enter("/ws/dev", "yuan");
    let _alex = admin.daemon.enter("/ws/dev", "al ex");
    let _feng = admin.daemon.enter("/ws", "feng");
    let nameless = admin.daemon.open("/ws/dev");
    yuan.text("hello");
    admin.await_metric("hollerd_broadcasts_total", 1);
    let room = |name, users, sequence| json!({ "name": name, "users": users, "sequence": sequence, "log_bytes": 0, "slow_readers": 0 });
    assert_eq!(admin.get("/v1/rooms"), json!({ "rooms": [room("dev", 3, 1), room("lobby", 1, 0)] }));
    let first = admin.get("/v1/rooms?limit=1");
    assert_eq!(first["rooms"], json!([room("dev", 3, 1)]));
    assert_eq!(
        admin.get(&format!("/v1/rooms?limit=1&after={}", first["next"])),
        json!({
            "rooms": [room("lobby", 1, 0)],
        })
    );

    let users = admin.get("/v1/rooms/dev/users");
    let names: Vec<&Value> = users["users"].as_array().unwrap().iter().map(|user| &user["name"]).collect();
    assert_eq!(names, [&json!("yuan"), &json!("al ex"), &Value::Null]);
    let user = &users["users"][0];
    assert_eq!(user["address"], yuan.local_address().to_string());
    assert_eq!(user["unread_bytes"], 0);
    assert!(user["connected_since"].as_u64().unwrap().abs_diff(unix_now()) < 60);
    let mut after = String::new();
    let mut seen = Vec::new();
    loop {
        let page = admin.get(&format!("/v1/rooms/dev/users?limit=2{after}"));
        seen.extend(page["users"].as_array().unwrap().iter().map(|user| user["address"].clone()));
        let Some(next) = page["next"].as_u64() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[2], nameless.local_address().to_string());
}

#[test]
fn what_an_administrator_says_is_heard_by_everybody_and_numbered() {
    let admin = Administered::start("[log]\nlevel = \"debug\"\n");
    let mut yuan = admin.daemon.enter("/ws/dev", "yuan");
    let mut feng = admin.daemon.enter("/ws/dev", "feng");
    let mut other = admin.daemon.enter("/ws/other", "alex");
    for (n, (target, text, heard)) in [
        ("/v1/rooms/dev/messages", "as it is", "as it is"),
        ("/v1/rooms/dev/messages?from=the%20bot", "圆", "the bot: 圆"),
        ("/v1/rooms/dev/messages", "", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let response = admin.say(target, text);
        assert_eq!((response.status, json_of(&response)), (200, json!({ "sequence": n + 1 })));
        yuan.expect_text(heard);
        feng.expect_text(heard);
    }
    yuan.text("hi");
    feng.expect_text("yuan: hi");
    assert_eq!(json_of(&admin.say("/v1/rooms/dev/messages", "x")), json!({ "sequence": 5 }));
    assert_eq!(json_of(&admin.say("/v1/rooms/other/messages", "x")), json!({ "sequence": 1 }));
    other.expect_text("x");
    other.expect_quiet();
    admin.daemon.await_log("administrator ops (127.0.0.1:");
    let line = admin.daemon.await_log("says something in other: 200 OK");
    assert!(!line.contains('圆'), "what is said is nobody's business: {line}");
}

#[test]
fn a_user_is_asked_to_leave() {
    let admin = Administered::start("");
    let mut yuan = admin.daemon.enter("/ws/dev", "yuan");
    let mut odd = admin.daemon.enter("/ws/dev", "a/b ü");
    let mut feng = admin.daemon.enter("/ws/dev", "feng");
    error_of(&admin.ask("DELETE", "/v1/rooms/dev/users/alex"), 404);
    error_of(&admin.ask("DELETE", "/v1/rooms/lobby/users/yuan"), 404);
    let response = admin.ask("DELETE", "/v1/rooms/dev/users/yuan");
    assert_eq!(json_of(&response), json!({ "code": 4403, "reason": "removed by an administrator" }));
    assert_eq!(yuan.expect_close(4403), "removed by an administrator");
    admin.daemon.await_ending(yuan.local_address());
    error_of(&admin.ask("DELETE", "/v1/rooms/dev/users/yuan"), 404);
    let response = admin.ask("DELETE", "/v1/rooms/dev/users/a%2Fb%20%C3%BC?code=4000&reason=be%20nice");
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(odd.expect_close(4000), "be nice");
    feng.expect_quiet();
    // The name is free again.
    admin.daemon.enter("/ws/dev", "yuan").close();
    admin.await_metric("hollerd_closes_total{by=\"us\",code=\"4403\"}", 1);
    admin.await_metric("hollerd_closes_total{by=\"us\",code=\"other\"}", 1);
    admin.daemon.await_log("asks a/b ü in dev to leave with 4000: 200 OK");
}

#[test]
fn the_numbers_agree_with_what_happened() {
    let admin = Administered::start("[limits]\nconnections = 4\n[history]\nmessages = 0\n");
    let mut people: Vec<Client> = ["a", "b", "c"].map(|name| admin.daemon.enter("/ws", name)).into();
    admin.daemon.connect().request("GET", "/nothing", &[]);
    admin.await_metric("hollerd_connections{phase=\"closing\"}", 0);
    admin.daemon.connect().upgrade("/ws", &[("Origin", "https://evil.example")]);
    admin.await_metric("hollerd_connections{phase=\"closing\"}", 0);
    let _fourth = admin.daemon.enter_when_free("/ws", "d");
    let refused = admin.metric("hollerd_refusals_total{cause=\"connections\"}");
    admin.daemon.connect().expect_refusal(503);
    admin.daemon.connect().expect_refusal(503);
    people[0].text("one");
    people[0].text("two");
    for number in [1, 2] {
        let text = if number == 1 { "a: one" } else { "a: two" };
        people[1..].iter_mut().for_each(|client| client.expect_text(text));
    }
    admin.await_metric("hollerd_refusals_total{cause=\"connections\"}", refused + 2);
    admin.await_metric("hollerd_connections{phase=\"closing\"}", 0);
    for (sample, expected) in [
        ("hollerd_connections_admitted_total", 4),
        ("hollerd_connections{phase=\"open\"}", 4),
        ("hollerd_connections{phase=\"handshake\"}", 0),
        ("hollerd_connections{phase=\"token_check\"}", 0),
        ("hollerd_connections_limit", 4),
        ("hollerd_refusals_total{cause=\"not_found\"}", 1),
        ("hollerd_refusals_total{cause=\"origin\"}", 1),
        ("hollerd_answers_total{status=\"404\"}", 1),
        ("hollerd_answers_total{status=\"403\"}", 1),
        ("hollerd_messages_received_total", 6),
        ("hollerd_broadcasts_total", 2),
        // Four greetings, and two messages to three others each.
        ("hollerd_deliveries_total", 10),
        ("hollerd_rooms", 1),
        ("hollerd_slow_readers", 0),
        ("hollerd_backlog_bytes", 0),
        ("hollerd_fanout_seconds_count", 2),
        ("hollerd_admin_connections", 1),
        ("hollerd_build_info{version=\"0.1.0\"}", 1),
    ] {
        let value = admin.metric(sample);
        assert!(value == expected || (sample.contains("fanout") && value == 1), "{sample} is {value}, not {expected}");
    }
    let descriptors = admin.metric("hollerd_descriptors");
    assert!((8..40).contains(&descriptors), "{descriptors}");
    assert!(admin.metric("hollerd_resident_memory_bytes") > 1 << 20);
    assert!(admin.metric("hollerd_turn_seconds_count") > 4);
    people.remove(0).close();
    drop(people);
    admin.await_metric("hollerd_closes_total{by=\"peer\",code=\"1000\"}", 1);
    admin.await_metric("hollerd_closes_total{by=\"peer\",code=\"1006\"}", 2);
    admin.await_metric("hollerd_connections{phase=\"open\"}", 1);
}

#[test]
fn prometheus_may_choose_the_format() {
    let before = unix_now();
    let admin = Administered::start("");
    let started = admin.metric("hollerd_start_time_seconds");
    assert!((before..=unix_now()).contains(&started), "{started}");
    let accept = ("Accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5");
    let new = admin.connect().request("GET", "/metrics", &[BEARER, accept]);
    assert_eq!(new.header("Content-Type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(new.text().ends_with("\n# EOF\n") && new.text().contains("# TYPE hollerd_deliveries counter\n"));
    let old = admin.ask("GET", "/metrics");
    assert_eq!(old.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(old.text().contains("# TYPE hollerd_deliveries_total counter\n") && !old.text().contains("# EOF"));
    let mut client = admin.connect();
    client.send_raw(
        format!("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n{}: {}\r\n\r\n", BEARER.0, BEARER.1).as_bytes(),
    );
    let head = client.read_head();
    assert!(head.status == 200 && head.header("Content-Length").is_some_and(|length| length != "0"));
    client.expect_eof();
}

#[test]
fn without_a_good_key_only_health_is_told() {
    let admin = Administered::start("");
    for (path, text) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let response = admin.connect().request("GET", path, &[]);
        assert_eq!((response.status, response.text().as_str()), (200, text));
    }
    let no_key: &[(&str, &str)] = &[];
    let expired = format!("{LINE} expires=1\n");
    for headers in [no_key, &[("Authorization", "Bearer abd")], &[("Authorization", "Basic abc")], &[("Cookie", KEY)]] {
        for path in ["/metrics", "/v1/rooms", "/v1/rooms/dev/users", "/nothing"] {
            let response = admin.connect().request("GET", path, headers);
            error_of(&response, 401);
            assert_eq!(response.header("WWW-Authenticate"), Some("Bearer"));
        }
    }
    error_of(&admin.connect().request("GET", "/v1/rooms?token=abc", &[]), 401);
    admin.daemon.await_log("no good key");
    let old = Administered::start_with_keys(&expired, "");
    assert!(error_of(&old.ask("GET", "/metrics"), 401).contains("expired"));
    let nobody = Administered::start_with_keys("# none\n", "");
    error_of(&nobody.ask("GET", "/metrics"), 401);
    nobody.daemon.await_log("admin.keys_file holds no keys");
}

#[test]
fn a_key_may_open_some_rooms_only() {
    let admin = Administered::start_with_keys(&format!("{LINE} rooms=team-*\n"), "");
    let mut yuan = admin.daemon.enter("/ws/team-a", "yuan");
    let _feng = admin.daemon.enter("/ws/lobby", "feng");
    assert_eq!(admin.get("/v1/rooms")["rooms"].as_array().unwrap().len(), 1);
    admin.get("/v1/rooms/team-a/users");
    assert_eq!(admin.say("/v1/rooms/team-a/messages", "x").status, 200);
    yuan.expect_text("x");
    error_of(&admin.ask("GET", "/v1/rooms/lobby/users"), 403);
    error_of(&admin.say("/v1/rooms/lobby/messages", "x"), 403);
    error_of(&admin.ask("DELETE", "/v1/rooms/lobby/users/feng"), 403);
}

#[test]
fn web_pages_are_refused() {
    let admin = Administered::start("");
    for header in [("Origin", "http://localhost"), ("Host", "evil.example")] {
        let response = admin.connect().request("GET", "/metrics", &[BEARER, header]);
        error_of(&response, 403);
        error_of(&admin.connect().request("GET", "/healthz", &[header]), 403);
    }
    let local = format!("localhost:{}", admin.address.port());
    assert_eq!(admin.connect().request("GET", "/metrics", &[BEARER, ("Host", &local)]).status, 200);
}

#[test]
fn every_error_says_what_is_wrong() {
    let admin = Administered::start("[limits]\nmessage = \"100B\"\n");
    let _yuan = admin.daemon.enter("/ws/dev", "yuan");
    for (method, target, status) in [
        ("GET", "/", 404),
        ("GET", "/v1/rooms/dev", 404),
        ("GET", "/v1/rooms/nobody/users", 404),
        ("GET", "/v1/rooms/a%00b/users", 400),
        ("GET", "/v1/rooms?limit=1001", 400),
        ("GET", "/v1/rooms?order=name", 400),
        ("DELETE", "/v1/rooms/dev/users/yuan?code=1005", 400),
        ("POST", "/v1/rooms/dev/messages", 411),
    ] {
        error_of(&admin.ask(method, target), status);
    }
    for (method, target, allow) in [
        ("POST", "/metrics", "GET, HEAD"),
        ("GET", "/v1/rooms/dev/messages", "POST"),
        ("GET", "/v1/rooms/dev/users/x", "DELETE"),
    ] {
        let response = admin.ask(method, target);
        error_of(&response, 405);
        assert_eq!(response.header("Allow"), Some(allow));
    }
    let target = "/v1/rooms/dev/messages";
    error_of(&admin.say(target, &"x".repeat(101)), 413);
    error_of(&admin.say("/v1/rooms/nobody/messages", "x"), 404);
    let form =
        admin.connect().request("POST", target, &[BEARER, ("Content-Length", "1"), ("Content-Type", "text/html")]);
    error_of(&form, 415);
    let mut client = admin.connect();
    client.send_raw(post(target, "xx").replace("\r\n\r\nxx", "\r\n\r\n").as_bytes());
    client.send_raw(b"\xff\xfe");
    assert!(error_of(&client.read_http_response(), 400).contains("UTF-8"));
    client.expect_eof();
    let mut client = admin.connect();
    client.send_raw(b"\x16\x03\x01 nonsense\r\n\r\n");
    error_of(&client.read_http_response(), 400);
    let mut client = admin.connect();
    client.send_raw(format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(9000)).as_bytes());
    error_of(&client.read_http_response(), 431);
}

#[test]
fn requests_may_come_byte_by_byte_and_answers_may_be_read_late() {
    let admin = Administered::start("[limits]\npending_per_address = 0\n");
    let mut yuan = admin.daemon.enter("/ws/dev", "yuan");
    let mut client = admin.connect();
    client.try_send_chopped(post("/v1/rooms/dev/messages", "bit by bit").as_bytes(), 1).expect("it listens");
    assert_eq!(json_of(&client.read_http_response()), json!({ "sequence": 1 }));
    yuan.expect_text("bit by bit");

    // Names of 96 bytes, so that the list does not fit into the buffers of a socket.
    let crowd: Vec<Client> =
        (0..600).map(|n| admin.daemon.enter("/ws/crowd", &format!("{n:04}{}", "圆".repeat(28)))).collect();
    let mut late = Client::connect_with_receive_buffer(admin.address, 4096);
    late.send_raw(
        b"GET /v1/rooms/crowd/users?limit=1000 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer abc\r\n\r\n",
    );
    assert!(late.has_bytes_within(PATIENCE));
    // Everybody else is served meanwhile.
    assert_eq!(admin.say("/v1/rooms/dev/messages", "x").status, 200);
    yuan.expect_text("x");
    let list = late.read_http_response();
    assert!(list.body.len() > 100_000, "{}", list.body.len());
    assert_eq!(json_of(&list)["users"].as_array().unwrap().len(), crowd.len());
    late.expect_eof();
}

#[test]
fn a_huge_body_is_refused_before_it_comes() {
    let mut admin = Administered::start("");
    let _yuan = admin.daemon.enter("/ws/dev", "yuan");
    let mut client = admin.connect();
    let head = post("/v1/rooms/dev/messages", "").replace("Content-Length: 0", "Content-Length: 1000000000");
    client.send_raw(head.as_bytes());
    assert!(error_of(&client.read_http_response(), 413).contains("16384"));
    // Nobody takes it, however long it is sent.
    let chunk = vec![b'x'; 1 << 16];
    let ended = (0..1000).any(|_| client.try_send_raw(&chunk).is_err());
    assert!(ended, "64 MB were taken");
    assert!(matches!(client.read_frame(), Received::Eof | Received::Reset));
    // What comes behind a body is not part of it, and no second request either.
    let mut client = admin.connect();
    client.send_raw(post("/v1/rooms/dev/messages", "x").repeat(3).as_bytes());
    assert_eq!(json_of(&client.read_http_response()), json!({ "sequence": 1 }));
    client.expect_eof();
    admin.daemon.assert_healthy();
}

#[test]
fn nobody_holds_a_place_for_ever() {
    let admin = Administered::start("connections = 2\ntimeout = \"1s\"\n");
    let mut slow = admin.connect();
    slow.send_raw(b"GET /metrics HTTP/1.1\r\n");
    assert!(slow.read_http_response().text().contains("1s"));
    slow.expect_eof();
    drop(slow);
    admin.await_metric("hollerd_admin_connections", 1);
    let mut mute = [admin.connect(), admin.connect()];
    let mut refused = 0;
    for _ in 0..20 {
        let mut client = admin.connect();
        client.send_raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let response = client.read_http_response();
        assert!(matches!(response.status, 200 | 503), "{response:?}");
        refused += u32::from(response.status == 503);
    }
    assert!(refused > 0, "two places are two places");
    admin.daemon.await_log("admin.connections is reached");
    // Whoever asked last may still have been there when the second one came.
    let told = mute.each_mut().map(|client| client.read_http_response().status);
    assert!(told[0] == 408 || told[1] == 408, "{told:?}");
    admin.await_metric("hollerd_admin_connections", 1);
}

#[test]
fn a_server_that_is_full_or_ending_can_be_asked() {
    let mut admin = Administered::start("[limits]\nconnections = 1\n[shutdown]\ntimeout = \"2s\"\n");
    let ready = |status: u16| {
        let response = admin.connect().request("GET", "/readyz", &[]);
        assert_eq!(response.status, status, "{}", response.text());
        response.text()
    };
    ready(200);
    let yuan = admin.daemon.enter("/ws", "yuan");
    assert_eq!(ready(503), "full\n");
    assert_eq!(admin.metric("hollerd_connections{phase=\"open\"}"), 1);
    // Somebody who does not answer the close frame keeps the server for a while.
    admin.daemon.terminate();
    admin.daemon.await_log("shutting down");
    assert_eq!(ready(503), "shutting down\n");
    assert_eq!(admin.metric("hollerd_connections{phase=\"closing\"}"), 1);
    drop(yuan);
    assert!(admin.daemon.wait(PATIENCE).success());
}

#[test]
fn the_port_for_everybody_has_nothing_of_this() {
    let admin = Administered::start("");
    let _yuan = admin.daemon.enter("/ws/dev", "yuan");
    let ask = |method: &str, target: &str| admin.daemon.connect().request(method, target, &[BEARER]).status;
    assert_eq!(ask("GET", "/metrics"), 404);
    assert_eq!(ask("GET", "/v1/rooms"), 404);
    assert_eq!(ask("GET", "/v1/rooms/dev/users"), 404);
    assert_eq!(ask("POST", "/v1/rooms/dev/messages"), 405);
    assert_eq!(ask("DELETE", "/v1/rooms/dev/users/yuan"), 405);
    // Nor is the port for administrators a way into the chat.
    assert_eq!(admin.connect().upgrade("/ws", &[]).status, 401);
    assert_eq!(admin.connect().upgrade("/ws", &[BEARER]).status, 404);
}

#[test]
fn a_unix_socket_may_do_without_keys() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("admin-{:08x}.sock", fastrand::u32(..)));
    let config = format!("[admin]\nlisten = \"unix:{}\"\n[log]\nlevel = \"debug\"\n", path.display());
    let daemon = Daemon::start_with(&config, &[], &["--auth", "none"]);
    let line = daemon.await_printed("  admin  ");
    assert!(line.contains(&format!("curl --unix-socket {} ", path.display())), "{line}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "only the owner of the daemon");
    let mut yuan = daemon.enter("/ws/dev", "yuan");
    let list = Client::connect_unix(&path).request("GET", "/v1/rooms", &[]);
    assert_eq!(json_of(&list)["rooms"][0]["name"], "dev");
    let mut client = Client::connect_unix(&path);
    client.send_raw(post("/v1/rooms/dev/messages", "x").as_bytes());
    assert_eq!(client.read_http_response().status, 200);
    yuan.expect_text("x");
    daemon.await_log("administrator somebody (unix) says something in dev");
    let page = Client::connect_unix(&path).request("GET", "/v1/rooms", &[("Origin", "null")]);
    error_of(&page, 403);
}

#[test]
fn a_configuration_that_would_open_it_is_refused() {
    let refused = |config: &str| {
        let finished = Daemon::run(config, &[], &["check"]);
        assert_ne!(finished.code, Some(0), "{config}");
        finished.stderr
    };
    assert!(refused("[admin]\nlisten = \"0.0.0.0:9090\"\nkeys_file = \"x\"\n").contains("other machines"));
    assert!(refused("[admin]\nlisten = \"127.0.0.1:9090\"\n").contains("keys_file"));
    assert!(refused("[admin]\nlisten = \"127.0.0.1:9090\"\nkeys_file = \"no/such/file\"\n").contains("no/such/file"));
    let bad = TempFile::new("keys", "hk_secret\n");
    let stderr = refused(&format!("[admin]\nlisten = \"127.0.0.1:9090\"\nkeys_file = \"{}\"\n", bad.name()));
    assert!(stderr.contains(":1: ") && !stderr.contains("hk_secret"), "{stderr}");
}

#[test]
fn keys_are_read_anew() {
    let admin = Administered::start("");
    std::fs::write(admin.keys.path(), "# nobody\n").expect("a file to write to");
    admin.daemon.signal(Signal::HUP);
    admin.daemon.await_log("reloaded");
    error_of(&admin.ask("GET", "/metrics"), 401);
    std::fs::write(admin.keys.path(), "nonsense\n").expect("a file to write to");
    admin.daemon.signal(Signal::HUP);
    admin.daemon.await_log("nothing was reloaded");
    std::fs::write(admin.keys.path(), format!("{LINE}\n")).expect("a file to write to");
    admin.daemon.signal(Signal::HUP);
    let deadline = now() + PATIENCE;
    while admin.ask("GET", "/metrics").status != 200 {
        assert!(now() < deadline, "the new key does not open");
    }
}
