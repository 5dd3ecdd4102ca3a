//! The real `hollerd` binary on real sockets: every promise that a user, an operator or a stranger on the network can put
//! to the test. Each test has a daemon of its own on a free port, so they run in any order and side by side.
//!
//! Nothing waits for time to pass. Timeouts that have to strike are configured short, and what they cause is awaited.
//! A test that is new belongs into the first file that fits:
//!
//! | file | what is tested |
//! | --- | --- |
//! | `handshake.rs` | the request that becomes a WebSocket, and all the ways in which it does not |
//! | `origin.rs` | which web pages may connect, and the log line that helps to let one in |
//! | `token.rs` | which tokens are good, and where they may travel |
//! | `grants.rs` | what a token lets its bearer do: name, rooms, until when; access keys |
//! | `frames.rs` | frames against the rules, floods of lawful ones, ends of the TCP connection |
//! | `names.rs` | the first message: a name, taken, wrong or missing |
//! | `rooms.rs` | paths to rooms, and walls between them |
//! | `broadcast.rs` | who hears what, and in which order; binary messages |
//! | `commands.rs` | the commands of the text protocol |
//! | `json.rs` | the JSON protocol: every type, field and error |
//! | `resume.rs` | coming back after a broken connection |
//! | `slow_reader.rs` | peers that do not read, and that nobody else notices them |
//! | `ping.rs` | the heartbeat |
//! | `listen.rs` | where it listens: Unix sockets, several daemons on one port |
//! | `tls.rs` | certificates of both sides, both versions, handshakes that go wrong, ends |
//! | `limits.rs` | numbers of connections, messages and fragments |
//! | `floods.rs` | more than the limits allow, and that those who are in are served |
//! | `descriptors.rs` | running out of file descriptors; many comings and goings leave nothing behind |
//! | `proxy.rs`, `real_proxies.rs` | who is the client behind a proxy; nginx, HAProxy and Caddy |
//! | `reload.rs` | SIGHUP: what is read anew, and what a mistake in it does |
//! | `systemd.rs` | what a service manager is told |
//! | `socket_activation.rs` | sockets that somebody else has opened, and keeps |
//! | `shutdown.rs` | SIGTERM, SIGINT, a second signal, and what everybody is told |
//! | `config.rs` | file, environment and flags; how mistakes are reported |
//! | `cli.rs` | subcommands, exit codes, what is printed at the start |
//! | `health.rs` | `/healthz`, `/readyz` and other plain requests |
//! | `admin.rs` | the admin listener: numbers, lists, deeds, and who may ask |
//! | `dashboard.rs` | what Prometheus and Grafana make of the numbers |
//! | `log.rs` | one line per ending, and no secrets in it |
//! | `page.rs` | the chat page and a browser's way in |
//! | `browser.rs` | the chat page in a real browser |
//! | `websocat.rs` | a client that somebody else wrote |

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this crate is nothing but tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "whatever a test did not want fails it, now and later")]

mod admin;
mod broadcast;
mod browser;
mod cli;
mod commands;
mod config;
mod dashboard;
mod descriptors;
mod floods;
mod frames;
mod grants;
mod handshake;
mod health;
mod json;
mod limits;
mod listen;
mod log;
mod names;
mod origin;
mod page;
mod ping;
mod proxy;
mod real_proxies;
mod reload;
mod resume;
mod rooms;
mod shutdown;
mod slow_reader;
mod socket_activation;
#[path = "../support/mod.rs"]
mod support;
mod systemd;
mod tls;
mod token;
mod websocat;
