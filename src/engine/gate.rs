//! Who is let in: the token, the origin, and the room that the token opens.

use crate::auth::{Auth, Identity};
use crate::time::Now;
use crate::wire::close::Ending;
use crate::wire::credential::{TokenSources, credentials};
use crate::wire::origin;
use crate::wire::request::Request;
use crate::wire::response::{Refusal, Status};

/// The rules at the door.
#[derive(Debug)]
pub struct Gate {
    /// How tokens are checked.
    pub auth: Auth,
    /// The longest token that is looked at, in bytes.
    pub token_max: usize,
    /// Web pages of these origins may connect, besides those of our own host.
    pub allowed_origins: Vec<String>,
    /// The cookie that may hold a token; empty for none.
    pub cookie: String,
    /// May the token be in the query of the address?
    pub query: bool,
    /// May the token come as the first message?
    pub first_message: bool,
}

/// What a request's token is worth.
#[derive(Debug)]
pub(super) enum Token {
    /// It is good, or none is needed.
    Good(Identity),
    /// There was none, and it may still come as the first message.
    ToCome,
}

impl Gate {
    /// A gate that lets everybody in from everywhere: for tests, and for servers that are not reached from outside.
    pub fn open() -> Self {
        Self {
            auth: Auth::None,
            token_max: 4096,
            allowed_origins: Vec::new(),
            cookie: String::new(),
            query: false,
            first_message: false,
        }
    }

    /// Is the web page that opens this connection allowed to? Browsers do not ask before they connect, so this is all
    /// that stands between a foreign page and a user's cookies.
    pub(super) fn check_origin(&self, origin: Option<&str>, host: &str) -> Result<(), (Refusal, String)> {
        origin::check(origin, host, &self.allowed_origins).map_err(|detail| {
            let refusal = Refusal::new(Status::Forbidden, "this origin is not allowed");
            (refusal.because("origin"), detail)
        })
    }

    /// The refusal of a request that carries no token.
    pub(super) fn token_needed() -> Refusal {
        Refusal::new(Status::Unauthorized, "a token is needed: send Authorization: Bearer TOKEN")
    }

    pub(super) fn check_request(&self, request: &Request<'_>, room: &str, now: Now) -> Result<Token, Refusal> {
        if !self.auth.required() {
            return Ok(Token::Good(Identity::anonymous()));
        }
        let cookie = Some(self.cookie.as_str()).filter(|name| !name.is_empty());
        let Some(credential) = credentials(request, &TokenSources { cookie, query: self.query }) else {
            if self.first_message {
                return Ok(Token::ToCome);
            }
            return Err(Self::token_needed());
        };
        let identity = self
            .auth
            .check(&credential.token, self.token_max, now.unix())
            .map_err(|denial| Refusal::new(Status::Unauthorized, denial.to_string()))?;
        if !identity.may_enter(room) {
            return Err(Refusal::new(Status::Forbidden, Ending::RoomForbidden.reason().into_owned()));
        }
        Ok(Token::Good(identity))
    }

    pub(super) fn check_first_message(&self, token: &str, room: &str, now: Now) -> Result<Identity, Ending> {
        let identity = self
            .auth
            .check(token.trim(), self.token_max, now.unix())
            .map_err(|denial| Ending::TokenRefused(denial.to_string()))?;
        if identity.may_enter(room) { Ok(identity) } else { Err(Ending::RoomForbidden) }
    }
}
