//! Where a path leads: to a room, or nowhere in the WebSocket part of the server.

use super::response::Refusal;

/// The longest room name, in characters, which are bytes here.
pub const ROOM_LEN_MAX: usize = 64;

/// The room that `path` (without its query) asks for; `None` when the path is not a WebSocket one.
///
/// `/ws` is `default_room`, `/ws/ROOM` is `ROOM`. Names are compared as they came: no percent
/// decoding and no normalisation, so one room has exactly one spelling and `..` never means a parent.
///
/// # Errors
/// 400 with the rule when what follows `/ws/` is no room name.
pub fn room_of<'a>(path: &'a str, default_room: &'a str) -> Result<Option<&'a str>, Refusal> {
    let Some(tail) = path.strip_prefix("/ws") else {
        return Ok(None);
    };
    if tail.is_empty() {
        return Ok(Some(default_room));
    }
    let Some(room) = tail.strip_prefix('/') else {
        return Ok(None);
    };
    if is_room_name(room) { Ok(Some(room)) } else { Err(Refusal::bad_request(ROOM_RULE)) }
}

/// Whether `name` keeps the rule of room names, wherever it comes from.
pub fn is_room_name(name: &str) -> bool {
    (1..=ROOM_LEN_MAX).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

const ROOM_RULE: &str = "no such room name: the path is /ws or /ws/ROOM, where ROOM is 1 to 64 characters \
                         out of A-Z a-z 0-9 . _ - and does not start with a dot";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::response::Status;

    #[test]
    fn paths_lead_to_rooms() {
        let longest = format!("/ws/{}", "r".repeat(ROOM_LEN_MAX));
        for (path, room) in [
            ("/ws", Some("hall")),
            ("/ws/lobby", Some("lobby")),
            ("/ws/Team-1_a.b", Some("Team-1_a.b")),
            ("/ws/-", Some("-")),
            (longest.as_str(), longest.strip_prefix("/ws/")),
            ("/", None),
            ("", None),
            ("*", None),
            ("/wsx", None),
            ("/ws.html", None),
            ("/WS", None),
            ("//ws", None),
            ("/healthz", None),
        ] {
            assert_eq!(room_of(path, "hall"), Ok(room), "{path}");
        }
    }

    #[test]
    fn bad_room_names_are_told_the_rule() {
        let long = format!("/ws/{}", "r".repeat(300));
        let one_too_long = format!("/ws/{}", "r".repeat(ROOM_LEN_MAX + 1));
        for path in [
            "/ws/",
            "/ws/.",
            "/ws/..",
            "/ws/.hidden",
            "/ws/../ws",
            "/ws/a%2fb",
            "/ws/%2e%2e",
            "/ws//a",
            "/ws/a/",
            "/ws/a/b",
            "/ws/a b",
            "/ws/\u{e9}",
            "/ws/a\u{0}",
            &long,
            &one_too_long,
        ] {
            let refusal = room_of(path, "hall").unwrap_err();
            assert_eq!(refusal.status(), Status::BadRequest, "{path}");
            assert!(refusal.text().contains("1 to 64 characters"), "{path}");
        }
    }
}
