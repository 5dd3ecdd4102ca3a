//! The objects of the subprotocol `hollerd.json`: what clients send is parsed, what the server says is rendered. Nothing in
//! here knows peers, rooms or names that are taken; `PROTOCOL.md` is the contract, `dist/protocol.schema.json` its form for
//! machines.

pub mod client;
mod fields;
mod salvage;
pub mod server;
mod value;

use serde::Serialize;

/// What was wrong with an object or with what it asked for: the `code` of an `error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The message is no JSON object (RFC 8259), or is nested too deeply.
    NotJson,
    /// A field that the type needs is not there.
    MissingField,
    /// A field is there twice.
    DuplicateField,
    /// A field holds something else than it should.
    WrongType,
    /// A field is longer than allowed.
    TooLong,
    /// The type is none that a client can send.
    UnknownType,
    /// Something was asked before `name` or `resume`.
    NotNamed,
    /// `name` or `resume` came again.
    AlreadyNamed,
    /// No such name is possible.
    BadName,
    /// Somebody else in the room has the name.
    NameInUse,
    /// The token is for another name.
    NamePinned,
    /// Nobody in the room has the name.
    NoSuchUser,
    /// Too much waits already for whoever it is for.
    Busy,
}
