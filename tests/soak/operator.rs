//! Somebody who changes the configuration while everybody talks. Every third time the file has a mistake in it, and
//! nothing may change.

use crate::CONFIG;
use crate::support::{Daemon, Issuer, TempFile};

use rustix::process::Signal;

pub(crate) struct Operator {
    file: TempFile,
    issuer: Issuer,
    reloads: usize,
}

/// What is wrong with the bad file, as the daemon will say it.
const MISTAKE: &str = "mesage";

impl Operator {
    /// The configuration to start with.
    pub(crate) fn new() -> Self {
        let issuer = Issuer::hmac();
        let file = TempFile::new("toml", configuration(&issuer, 0));
        Self { file, issuer, reloads: 0 }
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
        let good = configuration(&self.issuer, self.reloads);
        let text = if is_bad(self.reloads) { good.replace("message =", "mesage =") } else { good };
        std::fs::write(self.file.path(), text).expect("a file in the target directory");
        daemon.signal(Signal::HUP);
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
        println!("{} reloads, {bad} of them of a bad file", self.reloads);
    }
}

fn is_bad(number: usize) -> bool {
    number.is_multiple_of(3)
}

/// Limits that differ from one reload to the next, all of them wide enough for those who behave.
fn configuration(issuer: &Issuer, number: usize) -> String {
    let (more, kib) = (number % 2, 16 + number % 5);
    format!(
        "{}[heartbeat]\nping_interval = \"{}ms\"\npong_timeout = \"5s\"\n{CONFIG}message = \"{kib}KiB\"\nunread = \"{}KiB\"\n",
        issuer.config(),
        500 + 200 * more,
        256 + 64 * more,
    )
}
