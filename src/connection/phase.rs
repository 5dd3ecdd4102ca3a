//! The phases of a connection, named by what is waited for. Each has exactly one deadline, `Connection::until`, so nobody
//! stays anywhere for ever. What lives as long as the peer (socket, outbox, address) stands beside the phase, not in it.

use crate::wire::close::Ending;

/// What a connection waits for.
#[derive(Debug)]
pub enum Phase {
    /// The end of the request head. Holds what has come of it when it did not come in one piece.
    Handshake(Option<Box<PartialHead>>),
    /// A first message that holds a token. Holds what the request asked for.
    TokenCheck(Box<Wish>),
    /// Messages, until the token expires.
    Open,
    /// Its last bytes to be sent, and then the peer's end of the connection.
    Closing(Box<Closing>),
}

/// Where a connection goes once its token is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The room's name.
    pub room: Box<str>,
    /// The subprotocol that was selected.
    pub protocol: Option<&'static str>,
}

/// The beginning of a request head.
#[derive(Debug, Default)]
pub struct PartialHead {
    /// What was received.
    pub bytes: Vec<u8>,
    /// How much of it was searched for the blank line already, so that a peer that sends single bytes costs O(n).
    pub searched: usize,
}

/// A connection on its way out.
#[derive(Debug)]
pub struct Closing {
    /// Why.
    pub ending: Ending,
    /// How far it is.
    pub stage: Stage,
    /// Bytes that were read and thrown away since the end was decided.
    pub discarded: usize,
}

/// The steps of an orderly end: our last bytes must not be eaten by a reset, which the kernel sends when a socket is
/// closed while received bytes are unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The last bytes are on their way.
    Sending,
    /// Our side is shut down; what the peer still sends is read and thrown away, until it ends its side.
    Discarding,
    /// Nothing is left to do: the connection is removed at the end of this turn.
    Over,
}

impl Phase {
    /// One word for logs and counters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Handshake(_) => "handshake",
            Self::TokenCheck(_) => "token check",
            Self::Open => "open",
            Self::Closing(_) => "closing",
        }
    }
}
