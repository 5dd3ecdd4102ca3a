//! The table of endings: every way in which a connection ends, with its close code (RFC 6455 section 7.4), the text for
//! the peer, whether the peer should come back, and how loudly it is logged. README shows the same table.

use std::borrow::Cow;
use std::time::Duration;

/// Why a connection ended. One value per connection, decided once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The client sent a close frame; it is answered with the same code.
    ClosedByPeer {
        /// Its code, absent when its close frame was empty.
        code: Option<u16>,
        /// Its text, possibly empty.
        reason: String,
    },
    /// The client's side of the TCP connection ended without a close frame.
    Gone,
    /// The TCP connection broke.
    Reset,
    /// What carries the bytes failed above TCP, such as a TLS handshake; the text says how.
    Transport(String),
    /// The request was answered with this HTTP status instead of an upgrade.
    Answered {
        /// The HTTP status code.
        status: u16,
        /// For the log: what was wrong, and what an operator can do about it.
        detail: String,
    },
    /// Against the protocol; the text says how.
    Protocol(&'static str),
    /// A binary message where only text is taken.
    BinaryRefused,
    /// A text message that is not UTF-8.
    NotUtf8,
    /// More messages per second than the limit.
    TooManyMessages {
        /// The limit.
        per_second: u32,
    },
    /// More fragments in one message than the limit.
    TooManyFragments {
        /// The limit.
        most: u32,
    },
    /// A message was begun and not finished in time.
    MessageTimeout(Duration),
    /// Larger than the limit.
    TooBig {
        /// The limit in bytes.
        most: usize,
    },
    /// No answer to a ping.
    NoPong(Duration),
    /// A bug of ours.
    Fault(&'static str),
    /// More unread bytes than the limit.
    TooFarBehind {
        /// The limit in bytes.
        most: usize,
    },
    /// More private messages waiting than the limit.
    OutboxFull {
        /// The limit in bytes.
        most: usize,
    },
    /// The oldest unread message is older than the limit.
    TooLongBehind(Duration),
    /// The room has as many users as the limit.
    RoomFull {
        /// The limit.
        most: u32,
    },
    /// The room does not exist, and there are as many others as the limit.
    TooManyRooms {
        /// The limit.
        most: u32,
    },
    /// The token in the first message is no good; the text says why.
    TokenRefused(String),
    /// The token has expired while its bearer was connected.
    TokenExpired,
    /// The token does not open this room.
    RoomForbidden,
    /// No token within the time to send one.
    NoTokenInTime(Duration),
    /// No name within the time to send one.
    NoNameInTime(Duration),
    /// The same user has come back on another connection.
    Replaced,
    /// The server stops.
    ShuttingDown,
    /// The server stops and comes back at once.
    Restarting,
    /// The application asked for it.
    Application {
        /// Its code.
        code: u16,
        /// Its text.
        reason: String,
    },
}

/// What a client should do after a close code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComeBack {
    /// It asked for the end itself.
    AsItLikes,
    /// Not without a change on its side.
    No,
    /// After a random pause, so that not everybody comes at once.
    WithJitter,
    /// After a while.
    AfterAPause,
    /// At once.
    Yes,
    /// With a new token.
    WithNewToken,
}

/// How loudly an ending is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Happens all the time on a network: resets, port scans.
    Debug,
    /// An ordinary ending.
    Info,
    /// Somebody should look: our fault.
    Error,
}

impl Ending {
    /// The close code for the peer; `None` when no close frame is sent, because there is nobody to read it or because the
    /// connection never was a WebSocket.
    pub fn code(&self) -> Option<u16> {
        let code = match self {
            Self::ClosedByPeer { code, .. } => return *code,
            Self::Gone | Self::Reset | Self::Transport(_) | Self::Answered { .. } => return None,
            Self::Protocol(_) => 1002,
            Self::BinaryRefused => 1003,
            Self::NotUtf8 => 1007,
            Self::TooManyMessages { .. }
            | Self::TooManyFragments { .. }
            | Self::MessageTimeout(_)
            | Self::NoPong(_) => 1008,
            Self::TooBig { .. } => 1009,
            Self::Fault(_) => 1011,
            Self::Restarting => 1012,
            Self::TooFarBehind { .. } | Self::OutboxFull { .. } | Self::TooLongBehind(_) => 1013,
            Self::RoomFull { .. } | Self::TooManyRooms { .. } => 1013,
            Self::ShuttingDown => 1001,
            Self::TokenRefused(_) | Self::TokenExpired => 4401,
            Self::RoomForbidden => 4403,
            Self::NoTokenInTime(_) | Self::NoNameInTime(_) => 4408,
            Self::Replaced => 4409,
            Self::Application { code, .. } => *code,
        };
        Some(code)
    }

    /// One word for counters and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ClosedByPeer { .. } => "closed_by_peer",
            Self::Gone => "gone",
            Self::Reset => "reset",
            Self::Transport(_) => "transport",
            Self::Answered { .. } => "answered",
            Self::Protocol(_) => "protocol",
            Self::BinaryRefused => "binary_refused",
            Self::NotUtf8 => "not_utf8",
            Self::TooManyMessages { .. } => "too_many_messages",
            Self::TooManyFragments { .. } => "too_many_fragments",
            Self::MessageTimeout(_) => "message_timeout",
            Self::TooBig { .. } => "too_big",
            Self::NoPong(_) => "no_pong",
            Self::Fault(_) => "fault",
            Self::TooFarBehind { .. } => "too_far_behind",
            Self::OutboxFull { .. } => "outbox_full",
            Self::TooLongBehind(_) => "too_long_behind",
            Self::RoomFull { .. } => "room_full",
            Self::TooManyRooms { .. } => "too_many_rooms",
            Self::TokenRefused(_) => "token_refused",
            Self::TokenExpired => "token_expired",
            Self::RoomForbidden => "room_forbidden",
            Self::NoTokenInTime(_) => "no_token_in_time",
            Self::NoNameInTime(_) => "no_name_in_time",
            Self::Replaced => "replaced",
            Self::ShuttingDown => "shutting_down",
            Self::Restarting => "restarting",
            Self::Application { .. } => "application",
        }
    }

    /// The text in the close frame, or for endings without one the text of the log line.
    pub fn reason(&self) -> Cow<'_, str> {
        match self {
            Self::ClosedByPeer { reason, .. } | Self::Application { reason, .. } => reason.into(),
            Self::Gone => "went away without a close frame".into(),
            Self::Reset => "connection reset".into(),
            Self::Transport(what) => what.into(),
            Self::Answered { status, detail } => format!("answered {status}: {detail}").into(),
            Self::Protocol(what) => format!("protocol error: {what}").into(),
            Self::BinaryRefused => "binary messages are not taken here, send text".into(),
            Self::NotUtf8 => "a text message must be UTF-8".into(),
            Self::TooManyMessages { per_second } => {
                format!("too many messages: {per_second} per second are allowed").into()
            }
            Self::TooManyFragments { most } => format!("too many fragments: {most} per message are allowed").into(),
            Self::MessageTimeout(limit) => format!("message not finished within {limit:?}").into(),
            Self::TooBig { most } => format!("message too big: {most} bytes are allowed").into(),
            Self::NoPong(limit) => format!("no answer to a ping within {limit:?}").into(),
            Self::Fault(what) => format!("our fault: {what}").into(),
            Self::TooFarBehind { most } => format!("too slow: more than {most} bytes unread").into(),
            Self::OutboxFull { most } => format!("too slow: more than {most} bytes of private messages unread").into(),
            Self::TooLongBehind(limit) => format!("too slow: unread for more than {limit:?}").into(),
            Self::RoomFull { most } => format!("the room is full: {most} users are allowed").into(),
            Self::TooManyRooms { most } => format!("too many rooms: {most} are allowed").into(),
            Self::TokenRefused(why) => why.into(),
            Self::TokenExpired => "token expired, get a new one".into(),
            Self::RoomForbidden => "your token does not open this room".into(),
            Self::NoTokenInTime(limit) => format!("no token within {limit:?}").into(),
            Self::NoNameInTime(limit) => format!("no name within {limit:?}").into(),
            Self::Replaced => "you have come back on another connection".into(),
            Self::ShuttingDown => "server is shutting down".into(),
            Self::Restarting => "server is restarting".into(),
        }
    }

    /// Should the peer connect again?
    pub fn come_back(&self) -> ComeBack {
        match self {
            Self::ClosedByPeer { .. } | Self::Application { .. } => ComeBack::AsItLikes,
            Self::Gone | Self::Reset | Self::Fault(_) => ComeBack::Yes,
            Self::TooFarBehind { .. } | Self::OutboxFull { .. } | Self::TooLongBehind(_) => ComeBack::Yes,
            Self::NoTokenInTime(_) | Self::NoNameInTime(_) => ComeBack::Yes,
            Self::Answered { .. } | Self::Protocol(_) | Self::BinaryRefused | Self::NotUtf8 => ComeBack::No,
            Self::Transport(_) | Self::TooBig { .. } | Self::RoomForbidden | Self::Replaced => ComeBack::No,
            Self::TooManyMessages { .. } | Self::TooManyFragments { .. } => ComeBack::AfterAPause,
            Self::MessageTimeout(_) | Self::NoPong(_) => ComeBack::AfterAPause,
            Self::RoomFull { .. } | Self::TooManyRooms { .. } => ComeBack::AfterAPause,
            Self::TokenRefused(_) | Self::TokenExpired => ComeBack::WithNewToken,
            Self::ShuttingDown | Self::Restarting => ComeBack::WithJitter,
        }
    }

    /// How loudly to log it.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Gone | Self::Reset => Severity::Debug,
            // A health check asks every few seconds and is nobody's news.
            Self::Answered { status: 200..400, .. } => Severity::Debug,
            Self::Fault(_) => Severity::Error,
            Self::ClosedByPeer { .. } | Self::Answered { .. } | Self::Protocol(_) | Self::BinaryRefused => {
                Severity::Info
            }
            Self::NotUtf8 | Self::TooManyMessages { .. } | Self::TooManyFragments { .. } => Severity::Info,
            Self::Transport(_) => Severity::Info,
            Self::MessageTimeout(_) | Self::TooBig { .. } | Self::NoPong(_) => Severity::Info,
            Self::TooFarBehind { .. } | Self::OutboxFull { .. } | Self::TooLongBehind(_) | Self::TokenRefused(_) => {
                Severity::Info
            }
            Self::RoomFull { .. } | Self::TooManyRooms { .. } => Severity::Info,
            Self::TokenExpired | Self::RoomForbidden | Self::NoTokenInTime(_) => Severity::Info,
            Self::NoNameInTime(_) | Self::Replaced | Self::ShuttingDown | Self::Restarting => Severity::Info,
            Self::Application { .. } => Severity::Info,
        }
    }

    /// True when the peer does not read fast enough, so that waiting for it to take more is of no use.
    pub fn is_too_slow(&self) -> bool {
        matches!(self, Self::TooFarBehind { .. } | Self::OutboxFull { .. } | Self::TooLongBehind(_))
    }

    /// True when it was the peer that ended it, or the network between, and not the server.
    pub fn is_by_peer(&self) -> bool {
        self.is_broken() || matches!(self, Self::ClosedByPeer { .. } | Self::Gone)
    }

    /// True when nothing can be sent any more.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Reset | Self::Transport(_))
    }

    /// True when what is still unread is given up: the peer broke the rules or does not read, so it gets the close
    /// frame at the next frame boundary. Otherwise it first gets everything that was said before.
    pub fn gives_up_unread(&self) -> bool {
        self.is_too_slow() || self.is_broken() || matches!(self, Self::NoPong(_) | Self::Fault(_))
    }
}

/// May this code stand in a close frame? RFC 6455 section 7.4.1 keeps 1004–1006 and 1015 off the wire, and nothing below
/// 1000 or above 4999 has a meaning; 1012–1014 were registered later.
pub fn is_sendable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_ending() -> Vec<Ending> {
        let second = Duration::from_secs(1);
        vec![
            Ending::ClosedByPeer { code: Some(1000), reason: "bye".into() },
            Ending::Gone,
            Ending::Reset,
            Ending::Transport("TLS handshake failed".into()),
            Ending::Answered { status: 401, detail: "no token".into() },
            Ending::Protocol("unmasked frame"),
            Ending::BinaryRefused,
            Ending::NotUtf8,
            Ending::TooManyMessages { per_second: 20 },
            Ending::TooManyFragments { most: 64 },
            Ending::MessageTimeout(second),
            Ending::TooBig { most: 16384 },
            Ending::NoPong(second),
            Ending::Fault("test"),
            Ending::TooFarBehind { most: 1 << 20 },
            Ending::OutboxFull { most: 1 << 16 },
            Ending::TooLongBehind(second),
            Ending::RoomFull { most: 1000 },
            Ending::TooManyRooms { most: 65_536 },
            Ending::TokenRefused("token expired".into()),
            Ending::TokenExpired,
            Ending::RoomForbidden,
            Ending::NoTokenInTime(second),
            Ending::NoNameInTime(second),
            Ending::Replaced,
            Ending::ShuttingDown,
            Ending::Restarting,
            Ending::Application { code: 4000, reason: "asked".into() },
        ]
    }

    /// RFC 6455 section 7.4.1: 1005, 1006 and 1015 must not be on the wire; codes below 1000 are unused.
    #[test]
    fn every_code_may_be_sent() {
        for ending in every_ending() {
            let Some(code) = ending.code() else { continue };
            assert!(is_sendable(code), "{ending:?} has code {code}");
            assert!(!ending.reason().is_empty());
            assert!(ending.reason().len() <= 123, "{ending:?}: the reason must fit into a control frame");
        }
    }
}
