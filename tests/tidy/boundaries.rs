//! What only some files may name: sockets, the clock, the log, the file system; and what no file may.

use crate::paths::paths;
use crate::source::Source;

/// Names that are kept to a few places.
pub(crate) struct Boundary {
    /// Patterns for `NamedPath::names`.
    names: &'static [&'static str],
    /// Layers (`server`) or single files below src (`server/clock.rs`) that may name them; none at all when empty.
    only: &'static [&'static str],
    /// What to do instead.
    advice: &'static str,
}

pub(crate) const SOCKETS: Boundary = Boundary {
    names: &[
        "::mio",
        "::socket2",
        "TcpStream",
        "TcpListener",
        "UnixStream",
        "UnixListener",
        "UnixDatagram",
        "UdpSocket",
    ],
    only: &["server", "main.rs"],
    advice: "take the stream as `impl Read + Write`, or the bytes, as an argument",
};

pub(crate) const SLAB: Boundary = Boundary {
    names: &["::slab"],
    only: &["server", "engine"],
    advice: "take a key as an argument; who owns the slab is the only one to look into it",
};

pub(crate) const CLOCK: Boundary = Boundary {
    names: &["Instant::now", "SystemTime::now", "Instant::elapsed", "SystemTime::elapsed"],
    only: &["server/clock.rs", "main.rs"],
    advice: "take the time as an argument; the server reads the clock once per turn",
};

pub(crate) const LOG: Boundary = Boundary {
    names: &["::log::error", "::log::warn", "::log::info", "::log::debug", "::log::trace", "::log::log", "::log::*"],
    only: &["server", "main.rs", "logger.rs"],
    advice: "return what happened; the server writes the one line about it",
};

pub(crate) const ENVIRONMENT: Boundary = Boundary {
    names: &["::std::env", "::std::fs"],
    only: &["server", "main.rs", "files.rs", "logger.rs", "config/mod.rs"],
    advice: "take the content, or a function that reads it, as an argument",
};

pub(crate) const SHARED_STATE: Boundary = Boundary {
    names: &["Mutex", "RwLock", "thread_local", "thread::spawn"],
    only: &[],
    advice: "one thread owns everything and lends it as an argument; there is nothing to lock",
};

/// Where a file that the boundary does not let in names one of its names.
pub(crate) fn crossings(sources: &[Source], boundary: &Boundary) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| !boundary.lets_in(source)) {
        for path in paths(&source.shipped).iter().filter(|path| boundary.names.iter().any(|name| path.names(name))) {
            let name = path.segments.join("::");
            let what = format!("names `{name}`, {}; {}", boundary.who(), boundary.advice);
            findings.push(source.finding(path.offset, &what));
        }
    }
    findings
}

/// Shared ownership with run-time borrowing and futures, which are no paths and are searched for as text.
pub(crate) fn foreign_styles(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for style in ["Rc<RefCell", "async fn", "async move", "static mut"] {
            for (offset, _) in source.shipped.match_indices(style) {
                let what = format!("`{style}` is not how this code is written; one owner lends, one loop drives");
                findings.push(source.finding(offset, &what));
            }
        }
    }
    findings
}

impl Boundary {
    fn lets_in(&self, source: &Source) -> bool {
        let below = source.below_src().unwrap_or_default();
        let top = below.split_once('/').map_or(below, |(layer, _)| layer);
        self.only.iter().any(|&place| below == place || top == place || top.strip_suffix(".rs") == Some(place))
    }

    fn who(&self) -> String {
        match self.only {
            [] => "which no file may".to_owned(),
            places => format!("which only {} may", places.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crosses(boundary: &Boundary, path: &str, code: &str) -> bool {
        !crossings(&[Source::new(path, code)], boundary).is_empty()
    }

    #[test]
    fn each_boundary_holds_and_lets_its_own_in() {
        let table: [(&Boundary, &str, &str); 12] = [
            (&SOCKETS, "use mio::Poll;", "server/mod.rs"),
            (&SOCKETS, "fn f(s: socket2::Socket) {}", "server/listener.rs"),
            (&SOCKETS, "use std::net::{IpAddr, TcpStream};", "server/accept.rs"),
            (&SOCKETS, "fn f(s: std::os::unix::net::UnixStream) {}", "main.rs"),
            (&SLAB, "use slab::Slab;", "engine.rs"),
            (&CLOCK, "let t = Instant::now();", "server/clock.rs"),
            (&CLOCK, "let t = std::time::SystemTime::now();", "main.rs"),
            (&LOG, "log::info!(\"x\");", "server/roster.rs"),
            (&LOG, "use log::{debug, warn};", "main.rs"),
            (&ENVIRONMENT, "use std::{env, io};", "main.rs"),
            (&ENVIRONMENT, "let x = std::fs::read(p);", "config/mod.rs"),
            (&ENVIRONMENT, "use std::fs::File;", "server/reload.rs"),
        ];
        for (boundary, code, home) in table {
            assert!(crosses(boundary, "src/room/log.rs", code), "{code} passes everywhere");
            assert!(!crosses(boundary, &format!("src/{home}"), code), "{code} does not pass in {home}");
        }
        for code in ["let m = Mutex::new(1);", "use std::sync::RwLock;", "thread_local! {}", "std::thread::spawn(f);"] {
            assert!(crosses(&SHARED_STATE, "src/server/mod.rs", code), "{code}");
        }
        assert!(crosses(&CLOCK, "src/server/mod.rs", "Instant::now()"));
    }

    #[test]
    fn names_that_only_look_alike_pass() {
        let table: [(&Boundary, &str); 7] = [
            (&SOCKETS, "use std::net::{IpAddr, SocketAddr}; // TcpStream"),
            (&SLAB, "let slab = 1; slab.len();"),
            (&CLOCK, "fn f(now: Instant) { now.checked_add(d) }"),
            (&LOG, "mod log; use self::log::Log; log::Log::new(); log::LevelFilter::Info"),
            (&ENVIRONMENT, "let version = env!(\"CARGO_PKG_VERSION\");"),
            (&SHARED_STATE, "// a Mutex would do\n#[cfg(test)] mod tests { use std::sync::Mutex; }"),
            (&SOCKETS, "#[cfg(test)] mod tests { use std::net::TcpStream; }"),
        ];
        for (boundary, code) in table {
            assert_eq!(crossings(&[Source::new("src/room/mod.rs", code)], boundary), Vec::<String>::new(), "{code}");
        }
    }

    #[test]
    fn foreign_styles_are_found_in_code_and_not_in_comments() {
        let source = |code| [Source::new("src/server/mod.rs", code)];
        assert_eq!(foreign_styles(&source("\nasync fn f(x: Rc<RefCell<u8>>) {}")).len(), 2);
        assert!(foreign_styles(&source("// no async fn, no Rc<RefCell\nfn f() {}")).is_empty());
    }
}
