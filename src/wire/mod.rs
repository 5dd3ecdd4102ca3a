//! Bytes and their meaning: pure functions and values. Nothing in here keeps a connection's state beyond a position in its
//! bytes, reads a clock, or knows who the peer is.
//!
//! Before the upgrade: `request` reads a head, `upgrade` judges it, `path`, `origin`, `authority` and `credential` look at
//! its parts, `forwarded` finds the client behind proxies that `network` trusts, `response` makes the answer. After it: `whole` takes the usual message out of received bytes, `boundary` finds
//! the ends of all other frames, `frame` makes frames to send, `close` is the table of endings.

pub mod authority;
pub mod boundary;
pub mod close;
pub mod credential;
pub mod forwarded;
pub mod frame;
pub mod network;
pub mod origin;
pub mod path;
pub mod proxy_protocol;
pub mod request;
pub mod response;
pub mod upgrade;
pub mod whole;
