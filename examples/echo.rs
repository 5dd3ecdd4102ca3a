//! An application of your own in about twenty lines: every message comes back unchanged, to whoever sent it. Conformance
//! suites for RFC 6455 are run against it, so its limits are as large as their largest cases.
//!
//! `cargo run --release --example echo -- --listen 127.0.0.1:9001`

use std::time::Duration;

use hollerd::cli::{Cli, Command};
use hollerd::config::Config;
use hollerd::connection::Peer;
use hollerd::engine::{Application, Arrival, Desk, Gate};
use hollerd::server::Server;
use hollerd::wire::{frame::Message, response::Refusal};

struct Echo;

impl Application for Echo {
    type Data = ();

    fn room_for(&self, _path: &str) -> Result<String, Refusal> {
        Ok("echo".to_owned())
    }

    fn opened(&mut self, _desk: &mut Desk<'_, ()>, _peer: Peer, _arrival: Arrival) {}

    fn message(&mut self, desk: &mut Desk<'_, ()>, peer: Peer, message: Message<'_>) {
        desk.send(peer, message);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::default();
    if let Command::Serve(serve) = Cli::parse_from(std::env::args_os())? {
        config.listen = serve.overrides.listen;
    }
    config.limits.message = 16 << 20;
    config.limits.fragments = 1 << 20;
    config.limits.outbox = 64 << 20;
    config.limits.messages_per_second = 0;
    // Suites send a message of 1 MiB in pieces of 64 bytes, on slow machines too.
    config.limits.message_timeout = Duration::from_secs(300);
    config.limits.unread_age = Duration::from_secs(300);
    let mut server = Server::bind(&config, Gate::open(), Echo)?;
    for address in server.addresses() {
        #[expect(clippy::print_stdout, reason = "whoever started it waits for this line")]
        {
            println!("echo listening on {address}");
        }
    }
    Ok(server.run()?)
}
