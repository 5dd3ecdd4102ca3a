//! Every setting of the daemon: its name, type, default, bounds and reason, from one table.
//!
//! This layer knows texts and values. It does not know what a setting does, and apart from
//! [`read_file`] it opens nothing and asks nobody: file text, environment and flags are arguments.
//!
//! In reading order: `settings` is the table, `table` makes code of it, `value` and `quantity`
//! read single values, `layers` puts file, environment and flags on top of each other, `rules`
//! says what must hold between values, `error` words what is wrong, `sample` prints it all.

mod bounds;
mod choice;
mod error;
mod layers;
mod listen;
mod quantity;
mod rules;
mod sample;
mod settings;
mod suggest;
mod table;
mod value;

use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use choice::{AuthMode, BinaryPolicy, ClientAuth, ForwardedHeader, LogLevel, LogTime};
pub use error::{ConfigError, Fault, Hint, Place, Problem};
pub use layers::Overrides;
pub use listen::{FileMode, ListenAddress};
pub use quantity::{parse_duration, parse_size, show_duration, show_size};
pub use rules::Rule;
pub use sample::sample;
pub use settings::{
    Admin, Auth, Chat, Config, Heartbeat, History, Limits, Log, Proxy, SECTIONS, SETTINGS, Shutdown, Sockets, Tls,
};
pub use table::{Section, Setting};

/// Reads a configuration file for [`Config::load`].
///
/// # Errors
/// [`Problem::Unreadable`] if it cannot be opened or read, is not UTF-8, or is longer than 1 MiB,
/// which no configuration is: `/dev/zero` must not fill the memory.
pub fn read_file(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |reason: String| ConfigError {
        place: Place::File { path: path.to_owned(), line: None },
        problem: Problem::Unreadable(reason),
    };
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut text = String::new();
    let read = file.take(FILE_MAX + 1).read_to_string(&mut text);
    let bytes = read.map_err(|error| unreadable(error.to_string()))?;
    if bytes as u64 > FILE_MAX {
        return Err(unreadable("it is longer than 1 MiB, so it is no configuration".to_owned()));
    }
    Ok(text)
}

const FILE_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named() {
        let error = read_file(Path::new("does/not/exist.toml")).unwrap_err().to_string();
        assert!(error.starts_with("does/not/exist.toml: cannot be read: "), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn an_endless_file_is_given_up() {
        let error = read_file(Path::new("/dev/zero")).unwrap_err().to_string();
        assert_eq!(error, "/dev/zero: cannot be read: it is longer than 1 MiB, so it is no configuration");
    }
}
