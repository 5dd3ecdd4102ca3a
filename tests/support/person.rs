//! Somebody who speaks the JSON protocol, and holds every object, in both directions, to the schema.

use serde_json::Value;

use super::{Client, Daemon, Frame, Received, Schema, Side, opcode};

/// One connection with the subprotocol `hollerd.json`.
pub(crate) struct Person {
    pub(crate) client: Client,
    schema: Schema,
}

impl Person {
    /// Upgraded, nothing said yet.
    pub(crate) fn connect(daemon: &Daemon, path: &str) -> Self {
        Self::connect_with(daemon, path, daemon.token().as_deref())
    }

    /// The same with this token.
    pub(crate) fn connect_with(daemon: &Daemon, path: &str, token: Option<&str>) -> Self {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("Sec-WebSocket-Protocol", "hollerd.json")];
        headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        let mut client = Client::connect(daemon.address());
        let response = client.upgrade(path, &headers);
        assert_eq!((response.status, response.header("Sec-WebSocket-Protocol")), (101, Some("hollerd.json")));
        Self { client, schema: Schema::protocol() }
    }

    /// In the room, under this name; what came before is not sent.
    pub(crate) fn enter(daemon: &Daemon, path: &str, name: &str) -> Self {
        let mut person = Self::connect(daemon, path);
        person.say(&serde_json::json!({"type": "name", "name": name}));
        let hello = person.hear();
        assert_eq!((&hello["type"], &hello["name"]), (&"hello".into(), &name.into()), "{hello}");
        person
    }

    /// Sends an object that is as the schema wants it.
    pub(crate) fn say(&mut self, object: &Value) {
        let text = object.to_string();
        self.schema.check(Side::Client, &text).expect("an object that a client may send");
        self.client.text(&text);
    }

    /// Sends whatever it is.
    pub(crate) fn say_raw(&mut self, text: &str) {
        self.client.text(text);
    }

    /// The next object.
    pub(crate) fn hear(&mut self) -> Value {
        match self.client.read_frame() {
            Received::Frame(Frame { opcode: opcode::TEXT, payload, .. }) => {
                let text = String::from_utf8(payload).expect("UTF-8");
                self.schema.check(Side::Server, &text).expect("an object that the server may send")
            }
            other => panic!("wanted an object, got {other:?}"),
        }
    }

    /// The next object that does not say who came, left or changed the name: some of these come along with what is sent
    /// again.
    pub(crate) fn hear_no_news(&mut self) -> Value {
        loop {
            let object = self.hear();
            if !["joined", "left", "renamed"].iter().any(|news| object["type"] == *news) {
                return object;
            }
        }
    }

    /// The next object is this one, whatever time it names.
    pub(crate) fn expect(&mut self, expected: Value) {
        let heard = self.hear();
        Self::compare(heard, expected);
    }

    /// As [`Person::expect`] for [`Person::hear_no_news`].
    pub(crate) fn expect_past_news(&mut self, expected: Value) {
        let heard = self.hear_no_news();
        Self::compare(heard, expected);
    }

    fn compare(mut heard: Value, mut expected: Value) {
        for value in [&mut heard, &mut expected] {
            if let Some(object) = value.as_object_mut() {
                object.remove("time");
            }
        }
        assert_eq!(heard, expected);
    }

    /// Nothing is under way to this person.
    pub(crate) fn expect_quiet(&mut self) {
        self.client.expect_quiet();
    }
}
