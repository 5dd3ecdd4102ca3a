//! Rooms and who is in them: looked at, spoken to, sent away.

use std::time::Duration;

use serde_json::{Value, json};

use super::problem::Problem;
use super::route::PageWish;
use crate::auth::Identity;
use crate::connection::stream::Stream;
use crate::engine::{Application, Engine, Page, RoomId};
use crate::time::Now;
use crate::wire::response::{Response, Status};

/// A page of rooms: of those that the bearer's key opens.
pub(super) fn rooms<S: Stream, A: Application>(
    engine: &Engine<S, A>,
    wish: PageWish,
    bearer: Option<&Identity>,
) -> Response {
    let Page { items, next } = engine.rooms_page(wish.after, wish.limit);
    let opened = items.iter().filter(|room| bearer.is_none_or(|bearer| bearer.may_enter(room.name)));
    let rooms = opened.map(|room| {
        json!({
            "name": room.name,
            "users": room.users,
            "sequence": room.sequence,
            "log_bytes": room.log_bytes,
            "slow_readers": room.slow_readers,
        })
    });
    page("rooms", &rooms.collect::<Vec<_>>(), next)
}

/// A page of a room's users.
pub(super) fn users<S: Stream, A: Application>(
    engine: &mut Engine<S, A>,
    room: &str,
    wish: PageWish,
    now: Now,
) -> Result<Response, Problem> {
    let room = find_room(engine, room, now)?;
    let Page { items, next } = engine.users_page(room, wish.after, wish.limit);
    let users = items.iter().map(|user| {
        let since = now.unix().saturating_sub(now.time.since(user.accepted).as_secs());
        json!({
            "name": user.name,
            "address": user.remote.to_string(),
            "connected_since": since,
            "unread_bytes": user.unread,
        })
    });
    Ok(page("users", &users.collect::<Vec<_>>(), next))
}

/// Says something to everybody in a room.
pub(super) fn say<S: Stream, A: Application>(
    engine: &mut Engine<S, A>,
    room: &str,
    from: Option<&str>,
    body: &[u8],
    now: Now,
) -> Result<Response, Problem> {
    let id = find_room(engine, room, now)?;
    let text = std::str::from_utf8(body).map_err(|_| Problem::bad("the text must be UTF-8"))?;
    let (application, mut desk) = engine.application_mut(now);
    if desk.is_full(id) {
        let text = format!("the room {room} holds as much as it may (limits.room_log), try again later");
        return Err(Problem::new(Status::ServiceUnavailable, text).retry_after(Duration::from_secs(1)));
    }
    let sequence = application.speak(&mut desk, id, from, text);
    Ok(super::json(Status::Ok, &json!({ "sequence": sequence })))
}

/// Asks a user to leave.
pub(super) fn remove<S: Stream, A: Application>(
    engine: &mut Engine<S, A>,
    room: &str,
    name: &str,
    code: u16,
    reason: &str,
    now: Now,
) -> Result<Response, Problem> {
    let id = find_room(engine, room, now)?;
    let (application, mut desk) = engine.application_mut(now);
    let found = application.find(&desk, id, name).filter(|peer| desk.is_open(*peer));
    let Some(peer) = found else {
        return Err(Problem::new(Status::NotFound, format!("nobody in {room} has this name")));
    };
    desk.close(peer, code, reason);
    Ok(super::json(Status::Ok, &json!({ "code": code, "reason": reason })))
}

fn find_room<S: Stream, A: Application>(engine: &mut Engine<S, A>, room: &str, now: Now) -> Result<RoomId, Problem> {
    let (_, desk) = engine.application_mut(now);
    desk.find_room(room).ok_or_else(|| Problem::new(Status::NotFound, format!("nobody is in the room {room}")))
}

/// `next` is what `after` has to be for the next page; it is absent on the last one.
fn page(what: &str, items: &[Value], next: Option<u32>) -> Response {
    let mut page = json!({ what: items });
    if let (Some(next), Some(fields)) = (next, page.as_object_mut()) {
        fields.insert("next".to_owned(), next.into());
    }
    super::json(Status::Ok, &page)
}
