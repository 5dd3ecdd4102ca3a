//! SIGHUP: the configuration, and all that it names, is read anew while everybody stays connected.
//!
//! Everything is read before anything is changed. If any of it is no good, all of it stays as it was, and the log says
//! what is wrong.

use super::listener::SocketOptions;
use super::{Server, StartError, TlsConfig, descriptors, journal};
use crate::auth::AccessKeys;
use crate::config::{Config, SETTINGS, Setting};
use crate::engine::{Application, Gate, Settings};

/// Settings that are only looked at when the server starts: section and key.
const AT_START: [(&str, &str); 6] = [
    ("", "listen"),
    ("sockets", "reuse_port"),
    ("sockets", "unix_mode"),
    ("log", "time"),
    ("admin", "listen"),
    ("admin", "unix_mode"),
];

/// What was read anew.
pub struct Fresh {
    /// The configuration, with everything on top that lay on it at the start.
    pub config: Config,
    /// Keys and origins.
    pub gate: Gate,
    /// The keys of administrators, if there are any.
    pub admin_keys: Option<AccessKeys>,
    /// Certificates, if the configuration names some.
    pub tls: Option<TlsConfig>,
}

/// Reads everything anew and changes nothing; or says, one line for each, what is wrong.
pub type Load<'a> = dyn FnMut() -> Result<Fresh, Vec<String>> + 'a;

impl<A: Application> Server<A> {
    pub(super) fn reload(&mut self, load: &mut Load<'_>) {
        if self.terminations_seen > 0 {
            log::info!("SIGHUP while shutting down: nothing is read anew");
            return;
        }
        self.manager.reloading(self.now.time);
        let outcome = load().and_then(|fresh| self.adopt(fresh));
        self.manager.reloaded(outcome.is_ok(), self.engine.connections(), self.now.time);
        for problem in outcome.as_ref().err().into_iter().flatten() {
            log::error!("{problem}");
        }
        if outcome.is_err() {
            log::error!("nothing was reloaded: everything stays as it was");
        }
    }

    fn adopt(&mut self, fresh: Fresh) -> Result<(), Vec<String>> {
        let Fresh { config, gate, admin_keys, tls } = fresh;
        let limits = descriptors::settle_limits(&config.limits, self.admin.as_ref().map(|_| &config.admin))
            .map_err(|error| vec![error.to_string()])?;
        let keeps_tls = tls.is_none() && self.listeners.speak_tls();
        if keeps_tls && self.listeners.are_inherited() {
            return Err(vec![StartError::NoCertificate.to_string()]);
        }
        let options = SocketOptions::new(&config);
        let settings = Settings::new(&config, limits);
        log::set_max_level(journal::level_filter(config.log.level));
        if let Err(error) = self.listeners.set_options(options) {
            log::warn!("new connections keep the socket options of before: {error}");
        }
        if let Some(admin) = &mut self.admin {
            admin.reconfigure(&config.admin, admin_keys);
        }
        if let Some(tls) = tls {
            self.listeners.set_tls(tls);
        }
        self.engine.reconfigure(settings, gate, self.now);
        let (application, mut desk) = self.engine.application_mut(self.now);
        application.reconfigure(&mut desk, &config);
        let before = std::mem::replace(&mut self.config, config);
        let (later, now): (Vec<_>, Vec<_>) = changes(&before, &self.config).into_iter().partition(|setting| {
            // Without a certificate the listener that is to go has the old one until the restart.
            is_at_start(setting, &self.config) || (keeps_tls && setting.section() == "tls")
        });
        match &now[..] {
            [] => log::info!("reloaded: keys were read anew, settings are the same"),
            changed => log::info!("reloaded: keys were read anew, these settings have changed: {}", labels(changed)),
        }
        if !later.is_empty() {
            log::warn!("these settings have changed as well, but need a restart: {}", labels(&later));
        }
        // Until the restart they are what they were, and the next reload must say so again.
        self.config.listen = before.listen;
        self.config.sockets = before.sockets;
        self.config.log.time = before.log.time;
        if keeps_tls {
            self.config.tls = before.tls;
        }
        self.config.admin.listen = before.admin.listen;
        self.config.admin.unix_mode = before.admin.unix_mode;
        if self.config.limits.send_buffer == 0 {
            self.config.limits.send_buffer = before.limits.send_buffer;
        }
        Ok(())
    }
}

fn changes(before: &Config, after: &Config) -> Vec<&'static Setting> {
    SETTINGS.iter().filter(|setting| setting.show(before) != setting.show(after)).collect()
}

fn is_at_start(setting: &Setting, after: &Config) -> bool {
    let name = (setting.section(), setting.key());
    // A size that was set cannot be left to the kernel again.
    AT_START.contains(&name) || (name == ("limits", "send_buffer") && after.limits.send_buffer == 0)
}

fn labels(settings: &[&Setting]) -> String {
    settings.iter().map(|setting| setting.label()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_restart_is_told_apart() {
        let before = Config::default();
        let mut after = before.clone();
        after.listen.clear();
        after.limits.message += 1;
        after.limits.send_buffer = 0;
        let changed = changes(&before, &after);
        assert_eq!(labels(&changed), "listen, [limits] message, [limits] send_buffer");
        let at_start: Vec<_> = changed.into_iter().filter(|setting| is_at_start(setting, &after)).collect();
        assert_eq!(labels(&at_start), "listen, [limits] send_buffer");
        assert!(changes(&before, &before).is_empty());
    }

    #[test]
    fn the_settings_that_need_a_restart_exist() {
        for name in AT_START {
            assert!(SETTINGS.iter().any(|setting| (setting.section(), setting.key()) == name), "{name:?}");
        }
    }
}
