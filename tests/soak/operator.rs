//! Somebody who changes the configuration while everybody talks. Every third time the file has a mistake in it, and
//! nothing may change; every fourth time there is another certificate.

use std::net::SocketAddr;
use std::sync::Arc;

use rustix::process::Signal;
use rustls::ClientConfig;
use rustls::version::TLS13;

use crate::CONFIG;
use crate::support::tls::{self, Authority, Certified};
use crate::support::{Daemon, Issuer, PATIENCE, TempFile, now};

pub(crate) struct Operator {
    file: TempFile,
    issuer: Issuer,
    authority: Authority,
    /// The files that the configuration names. What is in them changes.
    certified: Certified,
    reloads: usize,
    /// Certificates that new connections were seen to get.
    certificates: usize,
}

/// What is wrong with the bad file, as the daemon will say it.
const MISTAKE: &str = "mesage";

impl Operator {
    /// The configuration to start with.
    pub(crate) fn new() -> Self {
        let (issuer, authority) = (Issuer::hmac(), Authority::new());
        let certified = authority.certify("localhost");
        let file = TempFile::new("toml", configuration(&issuer, &certified, 0));
        Self { file, issuer, authority, certified, reloads: 0, certificates: 0 }
    }

    /// What a client needs that believes every certificate of the daemon.
    pub(crate) fn trust(&self) -> Arc<ClientConfig> {
        self.authority.trust(&TLS13, None)
    }

    pub(crate) fn file(&self) -> &str {
        self.file.name()
    }

    /// A token that is good whatever is reloaded.
    pub(crate) fn token(&self) -> String {
        self.issuer.sign("{}")
    }

    pub(crate) fn reload(&mut self, daemon: &Daemon) {
        self.reloads += 1;
        if self.reloads.is_multiple_of(4) {
            self.certified.replace_by(&self.authority.certify("localhost"));
        }
        let good = configuration(&self.issuer, &self.certified, self.reloads);
        let text = if is_bad(self.reloads) { good.replace("message =", "mesage =") } else { good };
        std::fs::write(self.file.path(), text).expect("a file in the target directory");
        daemon.signal(Signal::HUP);
    }

    /// To be called when the last reload has had its time: whoever comes now gets the newest certificate that a good file
    /// named. Over the old ones people talk on.
    pub(crate) fn look_at_certificate(&mut self, address: SocketAddr, trust: &Arc<ClientConfig>) {
        if is_bad(self.reloads) {
            return;
        }
        let deadline = now() + PATIENCE;
        while tls::certificate_at(address, trust) != self.certified.der {
            assert!(now() < deadline, "an old certificate after reload {}", self.reloads);
        }
        self.certificates += usize::from(self.reloads.is_multiple_of(4));
    }

    /// Each reload has been answered in the log, and nothing else in it is an error.
    pub(crate) fn verify(&self, log: &str) {
        let bad = (1..=self.reloads).filter(|&number| is_bad(number)).count();
        assert_eq!(log.matches("nothing was reloaded").count(), bad);
        assert_eq!(log.matches("[INFO] reloaded: ").count(), self.reloads - bad);
        let errors = log.lines().filter(|line| line.contains("[ERROR]") || line.contains("panicked"));
        let unexpected: Vec<&str> =
            errors.filter(|line| !line.contains(MISTAKE) && !line.contains("nothing was reloaded")).collect();
        assert!(unexpected.is_empty(), "{unexpected:#?}");
        let Self { reloads, certificates, .. } = self;
        println!("{reloads} reloads, {bad} of them of a bad file, {certificates} with another certificate");
        assert!(*certificates > 0, "no certificate was changed");
    }
}

fn is_bad(number: usize) -> bool {
    number.is_multiple_of(3)
}

/// Limits that differ from one reload to the next, all of them wide enough for those who behave.
fn configuration(issuer: &Issuer, certified: &Certified, number: usize) -> String {
    let (more, kib) = (number % 2, 16 + number % 5);
    format!(
        "{}{}[heartbeat]\nping_interval = \"{}ms\"\npong_timeout = \"5s\"\n{CONFIG}message = \"{kib}KiB\"\nunread = \"{}KiB\"\n",
        issuer.config(),
        certified.settings(),
        500 + 200 * more,
        256 + 64 * more,
    )
}
