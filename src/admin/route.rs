//! Where the paths lead.

use super::exposition::Format;
use super::problem::Problem;
use super::query::{Query, decode};
use crate::auth::check_name;
use crate::wire::close::is_sendable;
use crate::wire::frame::{CONTROL_PAYLOAD_MAX, printable};
use crate::wire::path::is_room_name;
use crate::wire::request::Request;
use crate::wire::response::Status;

/// So many rooms or users are on a page unless the request says otherwise.
pub const PAGE_DEFAULT: usize = 100;
/// So many at the most.
pub const PAGE_MAX: usize = 1000;

/// A user who is asked to leave is told so with this code, unless the request has another: "do not come back".
const LEAVE_CODE: u16 = 4403;
const LEAVE_REASON: &str = "removed by an administrator";
/// A close frame has two bytes of code before its text (RFC 6455 section 5.5.1).
const REASON_MAX: usize = CONTROL_PAYLOAD_MAX - 2;

/// Whoever has a key chooses what is between the slashes; a log line shows so many bytes of it.
const NAME_SHOWN_MAX: usize = 128;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageWish {
    /// The place behind which it begins.
    pub after: Option<u32>,
    /// How many items it has at the most.
    pub limit: usize,
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `GET /healthz`
    Health,
    /// `GET /readyz`
    Ready,
    /// `GET /metrics`
    Metrics(Format),
    /// `GET /v1/rooms`
    Rooms(PageWish),
    /// `GET /v1/rooms/ROOM/users`
    Users {
        /// The room's name.
        room: String,
        /// Which part of the list.
        page: PageWish,
    },
    /// `POST /v1/rooms/ROOM/messages`
    Say {
        /// The room's name.
        room: String,
        /// In whose name.
        from: Option<String>,
    },
    /// `DELETE /v1/rooms/ROOM/users/NAME`
    Remove {
        /// The room's name.
        room: String,
        /// The user's name.
        name: String,
        /// The close code.
        code: u16,
        /// The text of the close frame.
        reason: String,
    },
}

impl Route {
    /// Reads method, path and parameters.
    pub(super) fn find(method: &str, path: &str, request: &Request<'_>) -> Result<Self, Problem> {
        let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        let allowed = match segments.as_slice() {
            ["healthz" | "readyz" | "metrics"] | ["v1", "rooms"] | ["v1", "rooms", _, "users"] => "GET",
            ["v1", "rooms", _, "messages"] => "POST",
            ["v1", "rooms", _, "users", _] => "DELETE",
            _ => return Err(Problem::new(Status::NotFound, NOTHING_HERE)),
        };
        if method != allowed {
            let methods = if allowed == "GET" { "GET, HEAD" } else { allowed };
            return Err(Problem::new(Status::MethodNotAllowed, format!("use {methods} here")).allow(methods));
        }
        let mut query = Query::parse(request.query())?;
        let route = match segments.as_slice() {
            ["healthz"] => Self::Health,
            ["readyz"] => Self::Ready,
            ["metrics"] => Self::Metrics(Format::wanted(request)),
            ["v1", "rooms"] => Self::Rooms(PageWish::take(&mut query)?),
            ["v1", "rooms", room, "users"] => Self::Users { room: room_name(room)?, page: PageWish::take(&mut query)? },
            ["v1", "rooms", room, "messages"] => Self::Say { room: room_name(room)?, from: take_from(&mut query)? },
            ["v1", "rooms", room, "users", name] => Self::remove(room, name, &mut query)?,
            _ => return Err(Problem::new(Status::NotFound, NOTHING_HERE)),
        };
        query.finish(route.parameters())?;
        Ok(route)
    }

    fn remove(room: &str, name: &str, query: &mut Query) -> Result<Self, Problem> {
        let code = match query.take_number("code")? {
            None => LEAVE_CODE,
            Some(code) => u16::try_from(code).ok().filter(|code| is_sendable(*code)).ok_or_else(|| {
                Problem::bad("the parameter code must be a close code: 1000 to 1003, 1007 to 1014 or 3000 to 4999")
            })?,
        };
        let reason = query.take("reason").unwrap_or_else(|| LEAVE_REASON.to_owned());
        if reason.len() > REASON_MAX {
            return Err(Problem::bad(format!("the parameter reason may have {REASON_MAX} bytes")));
        }
        Ok(Self::Remove { room: room_name(room)?, name: decode(name)?, code, reason })
    }

    /// The room that it is about.
    pub(super) fn room(&self) -> Option<&str> {
        match self {
            Self::Users { room, .. } | Self::Say { room, .. } | Self::Remove { room, .. } => Some(room),
            Self::Health | Self::Ready | Self::Metrics(_) | Self::Rooms(_) => None,
        }
    }

    pub(super) fn takes_body(&self) -> bool {
        matches!(self, Self::Say { .. })
    }

    /// What it changes, in words for the log; `None` when it only looks.
    pub fn deed(&self) -> Option<String> {
        match self {
            Self::Say { room, .. } => Some(format!("says something in {room}")),
            Self::Remove { room, name, code, .. } => {
                let name = printable(name, NAME_SHOWN_MAX);
                Some(format!("asks {name} in {room} to leave with {code}"))
            }
            Self::Health | Self::Ready | Self::Metrics(_) | Self::Rooms(_) | Self::Users { .. } => None,
        }
    }

    fn parameters(&self) -> &'static str {
        match self {
            Self::Health | Self::Ready | Self::Metrics(_) => "none",
            Self::Rooms(_) | Self::Users { .. } => "after, and limit",
            Self::Say { .. } => "from",
            Self::Remove { .. } => "code, and reason",
        }
    }
}

impl PageWish {
    fn take(query: &mut Query) -> Result<Self, Problem> {
        let after = query.take_number("after")?;
        let limit = query.take_number("limit")?.map_or(PAGE_DEFAULT, |limit| limit as usize);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(Problem::bad(format!("the parameter limit must be 1 to {PAGE_MAX}")));
        }
        Ok(Self { after, limit })
    }
}

fn room_name(text: &str) -> Result<String, Problem> {
    let room = decode(text)?;
    let rule = "a room name has 1 to 64 of A-Z a-z 0-9 . _ - and no dot in front";
    if is_room_name(&room) { Ok(room) } else { Err(Problem::bad(rule)) }
}

fn take_from(query: &mut Query) -> Result<Option<String>, Problem> {
    let from = query.take("from");
    if let Some(Err(problem)) = from.as_deref().map(check_name) {
        return Err(Problem::bad(format!("the parameter from: {}", problem.as_str())));
    }
    Ok(from)
}

const NOTHING_HERE: &str = "nothing is here; there is /metrics, /healthz, /readyz, /v1/rooms, /v1/rooms/ROOM/users, \
                            /v1/rooms/ROOM/users/NAME and /v1/rooms/ROOM/messages";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::request::{HeadLimits, Parsed, parse};

    fn find(line: &str) -> Result<Route, Problem> {
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let Ok(Parsed::Complete { request, .. }) = parse(head.as_bytes(), HeadLimits { bytes: 8192, headers: 8 })
        else {
            panic!("not a head: {head}");
        };
        Route::find(request.method(), request.path(), &request)
    }

    fn status(line: &str) -> u16 {
        find(line).unwrap_err().status().code()
    }

    #[test]
    fn every_route_is_found() {
        let page = PageWish { after: None, limit: 100 };
        assert_eq!(find("GET /healthz").unwrap(), Route::Health);
        assert_eq!(find("GET /readyz").unwrap(), Route::Ready);
        assert_eq!(find("GET /metrics").unwrap(), Route::Metrics(Format::Prometheus));
        assert_eq!(find("GET /v1/rooms").unwrap(), Route::Rooms(page));
        assert_eq!(
            find("GET /v1/rooms/dev/users?after=7&limit=1000").unwrap(),
            Route::Users { room: "dev".into(), page: PageWish { after: Some(7), limit: 1000 } }
        );
        assert_eq!(
            find("POST /v1/rooms/dev/messages?from=the+bot").unwrap(),
            Route::Say { room: "dev".into(), from: Some("the bot".into()) }
        );
        assert_eq!(
            find("DELETE /v1/rooms/dev/users/a%2Fb%20c?code=4000&reason=be%20nice").unwrap(),
            Route::Remove { room: "dev".into(), name: "a/b c".into(), code: 4000, reason: "be nice".into() }
        );
        let Route::Remove { code, reason, .. } = find("DELETE /v1/rooms/dev/users/yuan").unwrap() else {
            panic!("another route");
        };
        assert_eq!((code, reason.as_str()), (4403, "removed by an administrator"));
    }

    #[test]
    fn what_is_wrong_has_its_status() {
        for (line, expected) in [
            ("GET /", 404),
            ("GET /v1", 404),
            ("GET /v1/rooms/", 404),
            ("GET /v1/rooms/dev", 404),
            ("GET /v1/rooms/dev/users/", 405),
            ("GET /metrics/", 404),
            ("POST /metrics", 405),
            ("GET /v1/rooms/dev/messages", 405),
            ("PUT /v1/rooms/dev/users/yuan", 405),
            ("GET /v1/rooms/.dev/users", 400),
            ("GET /v1/rooms/a%20b/users", 400),
            ("GET /v1/rooms?limit=0", 400),
            ("GET /v1/rooms?limit=1001", 400),
            ("GET /v1/rooms?after=x", 400),
            ("GET /v1/rooms?page=1", 400),
            ("GET /metrics?x", 400),
            ("POST /v1/rooms/dev/messages?from=", 400),
            ("DELETE /v1/rooms/dev/users/yuan?code=1006", 400),
            ("DELETE /v1/rooms/dev/users/yuan?code=66000", 400),
            ("DELETE /v1/rooms/dev/users/%zz", 400),
        ] {
            assert_eq!(status(line), expected, "{line}");
        }
        let long = format!("DELETE /v1/rooms/dev/users/yuan?reason={}", "x".repeat(124));
        assert_eq!(status(&long), 400);
    }
}
