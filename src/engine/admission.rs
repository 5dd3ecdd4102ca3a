//! The way in: from the first byte of a request head to a WebSocket, or to the answer that says why not.

use super::gate::{Gate, Token};
use super::{Application, Engine};
use crate::connection::Peer;
use crate::connection::phase::{PartialHead, Phase, Wish};
use crate::connection::stream::Stream;
use crate::wire::close::Ending;
use crate::wire::request::{HeadLimits, Parsed, Request, parse_from};
use crate::wire::response::{Refusal, Response, Status, switching_protocols};
use crate::wire::upgrade::{Kind, Upgrade, accept_key, classify, select_protocol};

/// Something, or the answer that says why not, with a text for the log where that is another one.
type Judgement<T> = Result<T, (Refusal, Option<String>)>;

/// What becomes of a whole request.
enum Verdict<D> {
    /// It becomes a WebSocket.
    Upgrade { wish: Wish, token: Token, data: D, accept: String },
    /// It gets this answer.
    Answer { response: Response, detail: String },
}

impl<S: Stream, A: Application> Engine<S, A> {
    /// Takes the next bytes of a request head. Bytes behind it are the first frames.
    pub(super) fn receive_head(&mut self, peer: Peer, bytes: &[u8]) {
        let limits =
            HeadLimits { bytes: self.hub.limits.request_head, headers: self.hub.limits.request_headers as usize };
        let Some(connection) = self.hub.get_mut(peer) else { return };
        let Phase::Handshake(partial) = &mut connection.phase else { return };
        // The usual head comes in one piece and is never copied.
        let partial = partial.take().map(|mut partial| {
            partial.bytes.extend_from_slice(bytes);
            partial
        });
        let (head, searched) = partial.as_ref().map_or((bytes, 0), |partial| (&partial.bytes[..], partial.searched));
        match parse_from(head, searched, limits) {
            Ok(Parsed::Complete { request, head_len }) => {
                let rest = head.get(head_len..).unwrap_or(&[]);
                self.receive_request(peer, &request, rest);
            }
            Ok(Parsed::Partial) => {
                let bytes = partial.map_or_else(|| bytes.to_vec(), |partial| partial.bytes);
                let searched = bytes.len();
                connection.phase = Phase::Handshake(Some(Box::new(PartialHead { bytes, searched })));
            }
            Err(refusal) => self.refuse(peer, &refusal),
        }
    }

    /// The peer ended its side in the middle of a head: it may still read why that is no request.
    pub(super) fn refuse_half_request(&mut self, peer: Peer) {
        self.refuse(peer, &Refusal::bad_request("the request ended before its blank line"));
    }

    fn refuse(&mut self, peer: Peer, refusal: &Refusal) {
        self.hub.refuse(peer, refusal, false, refusal.text().to_owned());
    }

    fn receive_request(&mut self, peer: Peer, request: &Request<'_>, rest: &[u8]) {
        if !self.find_client(peer, request) {
            return;
        }
        let verdict = match classify(request) {
            Ok(Kind::Upgrade(upgrade)) => self.judge_upgrade(request, &upgrade),
            Ok(Kind::Plain) if self.is_question(request) => self.judge_question(request),
            Ok(Kind::Plain) => self.judge_plain(request).map_err(|refusal| (refusal, None)),
            Err(refusal) => Err((refusal, None)),
        };
        match verdict {
            Ok(Verdict::Upgrade { wish, token, data, accept }) => {
                self.upgrade(peer, wish, token, data, &accept);
                if !rest.is_empty() {
                    self.take_messages(peer, &mut rest.to_vec());
                }
            }
            Ok(Verdict::Answer { response, detail }) => {
                self.hub.answer(peer, &response, request.method() == "HEAD", detail);
            }
            Err((refusal, detail)) => {
                let head_only = request.method() == "HEAD";
                let detail = detail.unwrap_or_else(|| refusal.text().to_owned());
                self.hub.refuse(peer, &refusal, head_only, detail);
            }
        }
    }

    fn judge_upgrade(&mut self, request: &Request<'_>, upgrade: &Upgrade<'_>) -> Judgement<Verdict<A::Data>> {
        let (room, token) = self.judge_entry(request, upgrade.origin, upgrade.host)?;
        let data = self.application.admit(request, &room).map_err(|refusal| (refusal, None))?;
        let protocol = select_protocol(&upgrade.protocols, A::PROTOCOLS);
        let wish = Wish { room: room.into(), protocol };
        Ok(Verdict::Upgrade { wish, token, data, accept: accept_key(upgrade.key) })
    }

    /// A program in a browser is not told why its WebSocket was refused. It may ask, with `OPTIONS`, where a room is.
    fn is_question(&self, request: &Request<'_>) -> bool {
        let is_nowhere = |refusal: Refusal| refusal.status() == Status::NotFound;
        request.method() == "OPTIONS" && !self.application.room_for(request.path()).is_err_and(is_nowhere)
    }

    /// The answer is what an upgrade would get. A token that may still come as the first message counts as missing.
    fn judge_question(&mut self, request: &Request<'_>) -> Judgement<Verdict<A::Data>> {
        let plain = |refusal| (refusal, None);
        let origin = request.single("Origin").map_err(plain)?;
        let (_, token) = self.judge_entry(request, origin, request.host().unwrap_or_default())?;
        if let Token::ToCome = token {
            return Err(plain(Gate::token_needed()));
        }
        let response = Response::line(Status::Ok, "a WebSocket would be welcome here");
        Ok(Verdict::Answer { response, detail: request.path().to_owned() })
    }

    /// Which room it is, and whether this request is let in there.
    fn judge_entry(&mut self, request: &Request<'_>, origin: Option<&str>, host: &str) -> Judgement<(String, Token)> {
        if let Some(ending) = self.farewell().filter(|ending| *ending != Ending::Restarting) {
            let text = ending.reason().into_owned();
            let refusal = self.try_later(Status::ServiceUnavailable, &text);
            return Err((refusal, None));
        }
        let plain = |refusal| (refusal, None);
        let room = self.application.room_for(request.path()).map_err(plain)?;
        self.gate.check_origin(origin, host).map_err(|(refusal, detail)| (refusal, Some(detail)))?;
        let token = self.gate.check_request(request, &room, self.hub.now).map_err(plain)?;
        if let Some((full, key)) = self.hub.no_seat(&room, None) {
            let text = full.reason();
            let refusal = self.try_later(Status::ServiceUnavailable, &text).because(key);
            return Err((refusal, Some(format!("{text} (limits.{key})"))));
        }
        Ok((room, token))
    }

    fn judge_plain(&self, request: &Request<'_>) -> Result<Verdict<A::Data>, Refusal> {
        if !matches!(request.method(), "GET" | "HEAD") {
            let text = "only GET and HEAD are answered here";
            return Err(Refusal::new(Status::MethodNotAllowed, text).allow("GET, HEAD"));
        }
        let detail = request.path().to_owned();
        let response = match request.path() {
            "/healthz" => Response::line(Status::Ok, "ok"),
            "/readyz" => self.readiness(),
            path => match self.application.page(request) {
                Some(page) => page,
                None => {
                    self.application.room_for(path)?;
                    let text = "this address speaks WebSocket: send an upgrade request";
                    return Err(Refusal::new(Status::UpgradeRequired, text));
                }
            },
        };
        Ok(Verdict::Answer { response, detail })
    }

    /// Whether a load balancer should send more clients.
    fn readiness(&self) -> Response {
        match self.unready() {
            Some(why) => Response::line(Status::ServiceUnavailable, why),
            None => Response::line(Status::Ok, "ready"),
        }
    }

    /// Why no more clients should be sent here, if they should not.
    pub fn unready(&self) -> Option<&'static str> {
        if self.drain.is_some() {
            return Some("shutting down");
        }
        // Whoever asks in the ordinary way has taken the last place; the next one is refused.
        (self.hub.occupied() >= self.hub.limits.connections as usize).then_some("full")
    }

    fn upgrade(&mut self, peer: Peer, wish: Wish, token: Token, data: A::Data, accept: &str) {
        let mut head = Vec::new();
        switching_protocols(accept, wish.protocol, &mut head);
        let farewell = self.farewell();
        let Some(connection) = self.hub.get_mut(peer) else { return };
        connection.data = data;
        // In the control lane it is never given up: whatever ends this connection, the client reads a 101 first.
        connection.outbox.get_or_insert_default().push_control(&head);
        if let Some(ending) = farewell {
            // It has a WebSocket, and is in no room.
            connection.phase = Phase::TokenCheck(Box::new(wish));
            self.hub.token_check += 1;
            self.hub.end(peer, ending);
            return;
        }
        self.hub.queue_flush(peer);
        match token {
            Token::Good(identity) => self.open_connection(peer, &wish.room, wish.protocol, identity, false),
            Token::ToCome => {
                if let Some(connection) = self.hub.get_mut(peer) {
                    connection.phase = Phase::TokenCheck(Box::new(wish));
                    self.hub.token_check += 1;
                }
            }
        }
    }
}
