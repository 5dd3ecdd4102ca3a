//! Any text as a configuration file: an answer, never a panic, and every complaint can be shown.
#![no_main]

use std::path::Path;

use hollerd::config::{Config, Overrides};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let file = Some((Path::new("hollerd.toml"), text));
    match Config::load(file, std::iter::empty(), &Overrides::default()) {
        Ok(config) => assert!(config.limits.room_log >= config.limits.unread, "a rule was not applied"),
        Err(errors) => assert!(!errors.is_empty() && errors.iter().all(|error| !error.to_string().is_empty())),
    }
});
