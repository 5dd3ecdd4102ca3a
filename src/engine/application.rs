//! The trait that an application implements. The chat is one application, the echo server in `examples/` another.

use super::desk::Desk;
use super::rooms::RoomId;
use crate::auth::Identity;
use crate::config::Config;
use crate::connection::Peer;
use crate::room::Encoding;
use crate::wire::close::Ending;
use crate::wire::frame::Message;
use crate::wire::request::Request;
use crate::wire::response::{Refusal, Response};

/// What happens on a server is told to its application, one event after the other, on the one thread there is. It answers
/// by what it says on the [`Desk`]; that is collected and goes out at the end of the turn. No method may block.
///
/// Every peer gets exactly one [`opened`](Application::opened) and exactly one [`closed`](Application::closed), and all
/// its other events lie between the two.
pub trait Application {
    /// The application's own data of each connection.
    type Data: Default;

    /// The subprotocols it speaks (RFC 6455 section 1.9); the first offered one that is in here is selected.
    const PROTOCOLS: &'static [&'static str] = &[];

    /// The encoding that is kept as a room's history, if the configuration wants one; see [`Desk::replay`].
    const HISTORY: Option<Encoding> = None;

    /// Which encoding those read who selected `protocol`.
    fn encoding(_protocol: Option<&str>) -> Encoding {
        Encoding(0)
    }

    /// How somebody is told that the token in its first message is good.
    fn token_accepted(_protocol: Option<&str>) -> &'static str {
        "ok"
    }

    /// Which room a path leads to.
    ///
    /// # Errors
    /// The answer for a path that leads nowhere, usually 404.
    fn room_for(&self, path: &str) -> Result<String, Refusal>;

    /// A look at an upgrade request whose token and origin are good, or whose token is still to come. The application can
    /// refuse it, or keep of the request what it needs.
    ///
    /// # Errors
    /// The answer to a request that the application does not want.
    fn admit(&mut self, _request: &Request<'_>, _room: &str) -> Result<Self::Data, Refusal> {
        Ok(Self::Data::default())
    }

    /// A page for a request that is not an upgrade. `None` is answered with 404, or with 426 where a room is.
    fn page(&self, _request: &Request<'_>) -> Option<Response> {
        None
    }

    /// Somebody is in.
    fn opened(&mut self, desk: &mut Desk<'_, Self::Data>, peer: Peer, arrival: Arrival);

    /// Somebody said something.
    fn message(&mut self, desk: &mut Desk<'_, Self::Data>, peer: Peer, message: Message<'_>);

    /// A pong came, asked for or not.
    fn pong(&mut self, _desk: &mut Desk<'_, Self::Data>, _peer: Peer, _payload: &[u8]) {}

    /// Everything that was said to this peer before [`Desk::notify_when_flushed`] is with the kernel.
    fn flushed(&mut self, _desk: &mut Desk<'_, Self::Data>, _peer: Peer) {}

    /// The deadline set with [`Desk::set_deadline`] has passed.
    fn overdue(&mut self, _desk: &mut Desk<'_, Self::Data>, _peer: Peer) {}

    /// Somebody is gone: nothing can be said to this peer any more, and it is no longer counted.
    fn closed(&mut self, _desk: &mut Desk<'_, Self::Data>, _peer: Peer, _ending: &Ending) {}

    /// Says something in a room for somebody who is not a peer: a back end, with or without a name. Returns the number of
    /// the message.
    fn speak(&mut self, desk: &mut Desk<'_, Self::Data>, room: RoomId, from: Option<&str>, text: &str) -> u64 {
        match from {
            Some(name) => desk.broadcast(room, Message::Text(&format!("{name}: {text}"))),
            None => desk.broadcast(room, Message::Text(text)),
        }
        desk.number(room)
    }

    /// Who in a room is called `label`, for an administrator who asks for somebody by name. May be asked often and with any
    /// text, so it should not look at everybody.
    fn find(&self, _desk: &Desk<'_, Self::Data>, _room: RoomId, _label: &str) -> Option<Peer> {
        None
    }

    /// The configuration was read anew and is in force. Those who are in stay in.
    fn reconfigure(&mut self, _desk: &mut Desk<'_, Self::Data>, _config: &Config) {}

    /// What to call a peer in the log line of its ending; never anything secret.
    fn label<'d>(&self, _data: &'d Self::Data) -> Option<&'d str> {
        None
    }
}

/// Who has just come in, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// What the token says about the peer.
    pub identity: Identity,
    /// The room it is in.
    pub room: RoomId,
    /// The selected subprotocol.
    pub protocol: Option<&'static str>,
}
