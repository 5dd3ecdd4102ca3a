//! What an administrator asks and is answered: numbers for Prometheus, who is there, and saying something or asking
//! somebody to leave. Pure: a request and an engine in, an answer out. `server/admin.rs` has the connections.
//!
//! A request is judged by its head alone ([`judge`]), so that nobody sends a body in vain; with its body it is a [`Task`]
//! that is [performed](perform) on the engine, at once and in bounded time: a list comes in pages.

mod exposition;
mod guard;
mod metrics;
mod people;
mod problem;
mod query;
mod route;

pub use exposition::Format;
pub use guard::Rules;
pub use metrics::Process;
pub use problem::Problem;
pub use route::{PAGE_DEFAULT, PAGE_MAX, Route};

use crate::auth::Identity;
use crate::connection::stream::Stream;
use crate::engine::{Application, Engine};
use crate::time::Now;
use crate::wire::request::Request;
use crate::wire::response::{Response, Status};

/// What is to be done, decided by the head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What was asked for.
    pub route: Route,
    /// How many bytes of body come behind the head; no more than the longest message.
    pub body_len: usize,
    /// `HEAD`: the answer is to be sent without its body.
    pub head_only: bool,
    /// Whose key it is; `None` where no key is needed.
    pub bearer: Option<Identity>,
}

/// Decides what a request asks for and whether it may. `message_max` is the longest message, in bytes.
///
/// # Errors
/// The answer to a request that is not allowed or makes no sense.
pub fn judge(request: &Request<'_>, rules: &Rules<'_>, message_max: usize, unix_now: u64) -> Result<Task, Problem> {
    rules.check_page(request)?;
    let path = request.path();
    let open_to_all = matches!(path, "/healthz" | "/readyz");
    let bearer = if open_to_all { None } else { rules.check_key(request, unix_now)? };
    let method = if request.method() == "HEAD" { "GET" } else { request.method() };
    let route = Route::find(method, path, request)?;
    if let (Some(bearer), Some(room)) = (&bearer, route.room())
        && !bearer.may_enter(room)
    {
        return Err(Problem::new(Status::Forbidden, format!("your key does not open the room {room}")));
    }
    let body_len = if route.takes_body() { guard::body_len(request, message_max)? } else { 0 };
    Ok(Task { route, body_len, head_only: request.method() == "HEAD", bearer })
}

/// Does what was asked for, and answers.
pub fn perform<S: Stream, A: Application>(
    task: &Task,
    body: &[u8],
    engine: &mut Engine<S, A>,
    process: &Process,
    now: Now,
) -> Response {
    let done = match &task.route {
        Route::Health => Ok(Response::line(Status::Ok, "ok")),
        Route::Ready => Ok(match engine.unready() {
            Some(why) => Response::line(Status::ServiceUnavailable, why),
            None => Response::line(Status::Ok, "ready"),
        }),
        Route::Metrics(format) => Ok(metrics::respond(*format, engine, process, now)),
        Route::Rooms(page) => Ok(people::rooms(engine, *page, task.bearer.as_ref())),
        Route::Users { room, page } => people::users(engine, room, *page, now),
        Route::Say { room, from } => people::say(engine, room, from.as_deref(), body, now),
        Route::Remove { room, name, code, reason } => people::remove(engine, room, name, *code, reason, now),
    };
    done.unwrap_or_else(|problem| problem.response())
}

/// An answer in JSON.
fn json(status: Status, value: &serde_json::Value) -> Response {
    let mut text = value.to_string();
    text.push('\n');
    Response::page(status, "application/json", text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::request::{HeadLimits, Parsed, parse};

    const HEADS: [&str; 3] = [
        "DELETE /v1/rooms/dev/users/a%2Fb?code=4000&reason=be%20nice HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /v1/rooms/dev/messages?from=x HTTP/1.1\r\nHost: [::1]:9\r\nContent-Length: 12\r\nContent-Type: text/plain;charset=utf-8\r\n\r\n",
        "GET /v1/rooms/dev/users?after=7&limit=3 HTTP/1.0\r\nAccept: application/openmetrics-text;q=0.3\r\n\r\n",
    ];

    fn judged(head: &[u8]) -> Option<Result<Task, Problem>> {
        let Ok(Parsed::Complete { request, .. }) = parse(head, HeadLimits { bytes: 8192, headers: 16 }) else {
            return None;
        };
        Some(judge(&request, &Rules { keys: None, tcp: true }, 1000, 0))
    }

    #[test]
    fn no_mutation_of_a_request_panics_or_asks_for_too_long_a_body() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut good = 0;
        for round in 0..30_000 {
            let mut head = HEADS[round % HEADS.len()].as_bytes().to_vec();
            for _ in 0..random.usize(0..3) {
                let at = random.usize(0..head.len());
                match random.u8(0..3) {
                    0 => head[at] = random.u8(..),
                    1 => head.insert(at, b"%?&=/+;\"5\xff"[random.usize(0..10)]),
                    _ => drop(head.remove(at)),
                }
            }
            if let Some(Ok(task)) = judged(&head) {
                assert!(task.body_len <= 1000);
                good += 1;
            }
        }
        assert!(good > 10_000, "{good}");
    }
}
