//! hollerd: a WebSocket chat and broadcast server on one thread and one poll loop.
//!
//! The layers, top to bottom; arrows between modules only point down, and a test holds them:
//!
//! - [`server`] knows sockets, the poll, the clock, signals and the log. One turn of its loop is seven steps.
//! - [`admin`] is what an administrator asks and is answered.
//! - [`chat`] is what the daemon is for: an [`Application`](engine::Application) like any other.
//! - [`engine`] has all peers, rooms and deadlines, but no socket of its own and no clock.
//! - [`connection`] is one peer over any stream; it does not know that others exist.
//! - [`room`] is a shared log of what was said, and who reads it.
//! - [`auth`], [`wire`], [`timer_wheel`], [`rate`], [`config`] and [`time`] are values and pure functions.
//!
//! # Your own application
//! Implement [`Application`](engine::Application) and run it on a [`Server`](server::Server); `examples/echo.rs` does so
//! in about twenty lines. Whoever comes from Go's melody finds here what it offers, without locks, because everything
//! happens on one thread:
//!
//! | melody | here |
//! | --- | --- |
//! | `HandleConnect`, `HandleDisconnect` | [`opened`](engine::Application::opened), [`closed`](engine::Application::closed): exactly once each |
//! | `HandleMessage`, `HandleMessageBinary` | [`message`](engine::Application::message), text or binary |
//! | `HandlePong` | [`pong`](engine::Application::pong) |
//! | `HandleSentMessage`, `HandleSentMessageBinary` | [`notify_when_flushed`](engine::Desk::notify_when_flushed) and [`flushed`](engine::Application::flushed): asked for where it matters, instead of once per delivery |
//! | `HandleClose`, `HandleError` | the [`Ending`](wire::close::Ending) that `closed` is given: code, text, who began |
//! | `HandleRequest`, `HandleRequestWithKeys`, `Session.Request` | [`admit`](engine::Application::admit) sees the request, refuses it or makes the connection's data |
//! | `Broadcast`, `BroadcastBinary` | [`broadcast_everywhere`](engine::Desk::broadcast_everywhere), or [`broadcast`](engine::Desk::broadcast) to one room |
//! | `BroadcastOthers`, `BroadcastBinaryOthers` | [`broadcast_others`](engine::Desk::broadcast_others) |
//! | `BroadcastFilter`, `BroadcastBinaryFilter` | [`broadcast_filter`](engine::Desk::broadcast_filter) |
//! | `BroadcastMultiple` | [`broadcast_to`](engine::Desk::broadcast_to) |
//! | `Sessions`, `Len`, `IsClosed` | [`peers`](engine::Desk::peers), [`peers_in`](engine::Desk::peers_in), [`len`](engine::Desk::len), [`is_open`](engine::Desk::is_open) |
//! | `Close`, `CloseWithMsg` (all) | [`close_all`](engine::Desk::close_all); for the whole server SIGTERM |
//! | `Session.Write`, `Session.WriteBinary` | [`send`](engine::Desk::send) |
//! | `Session.Close`, `Session.CloseWithMsg`, `FormatCloseMessage` | [`close`](engine::Desk::close) with a code and a text |
//! | `Session.Set`, `Get`, `MustGet`, `UnSet`, `Keys` | a type of your own, [`Application::Data`](engine::Application::Data), by [`data`](engine::Desk::data) and [`data_mut`](engine::Desk::data_mut) |
//! | `Session.RemoteAddr`, `LocalAddr` | [`remote`](engine::Desk::remote), [`Server::addresses`](server::Server::addresses) |
//! | `Config.WriteWait`, `MessageBufferSize` | `limits.unread`, `limits.unread_age`, `limits.outbox` |
//! | `Config.PongWait`, `PingPeriod`, `MaxMessageSize` | `heartbeat.ping_interval`, `heartbeat.pong_timeout`, `limits.message` |
//!
//! The raw connection (`Session.WebsocketConnection`) has no counterpart: the engine owns the stream.

pub mod admin;
pub mod auth;
pub mod chat;
pub mod cli;
pub mod config;
pub mod connection;
pub mod engine;
pub mod rate;
pub mod room;
pub mod server;
pub mod time;
pub mod timer_wheel;
pub mod wire;

/// README's example is compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
