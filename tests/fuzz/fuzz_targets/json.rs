//! Any text as an object of the JSON protocol: an answer, never a panic; and whatever is accepted is what another JSON reader
//! finds there, and comes out of what the server makes of it.
#![no_main]

use hollerd::chat::protocol::client::{ID_MAX_CHARS, Request, parse};
use hollerd::chat::protocol::server::Object;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &str| {
    let request = match parse(text) {
        Ok(request) => request,
        Err(error) => {
            assert!(!error.text.is_empty() && error.text.len() < 1024, "{error}");
            assert!(!error.text.contains(|char: char| char.is_control()), "{error}");
            assert!(error.id.as_deref().is_none_or(is_id), "{error:?}");
            let object =
                Object::Error { code: error.code, text: &error.text, field: error.field, id: error.id.as_deref() };
            assert_eq!(rendered(&object)["id"].as_str(), error.id.as_deref());
            return;
        }
    };
    assert!(request.id().is_none_or(is_id), "{request:?}");
    // What means nothing to us may hold what the other reader cannot represent: 1e999, or half a surrogate pair.
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    assert_eq!(value["id"].as_str().filter(|_| request.id().is_some()), request.id());
    match &request {
        Request::Say { text, .. } => {
            assert_eq!(value["text"].as_str(), Some(&**text));
            let object = Object::Message { sequence: 1, from: Some(text), text, time: 0 };
            assert_eq!(rendered(&object)["text"].as_str(), Some(&**text));
        }
        Request::Direct { to, text, .. } => {
            assert_eq!((value["to"].as_str(), value["text"].as_str()), (Some(&**to), Some(&**text)));
        }
        Request::Name { name, history } => {
            assert_eq!(value["name"].as_str(), Some(&**name));
            assert_eq!(value["history"].as_f64().unwrap_or(0.0), *history as f64);
        }
        Request::Resume { name, epoch, last, session } => {
            assert_eq!((value["name"].as_str(), value["epoch"].as_str()), (Some(&**name), Some(&**epoch)));
            assert_eq!(value["last"].as_f64(), Some(*last as f64));
            assert_eq!(value["session"].as_str(), session.as_deref());
        }
        Request::Rename { name, .. } => assert_eq!(value["name"].as_str(), Some(&**name)),
        Request::Who { .. } | Request::Ping { .. } => {}
    }
});

fn is_id(id: &str) -> bool {
    (1..=ID_MAX_CHARS).contains(&id.chars().count())
}

fn rendered(object: &Object<'_>) -> Value {
    let mut out = String::new();
    object.render(&mut out);
    serde_json::from_str(&out).expect("the server says JSON")
}
