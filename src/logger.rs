//! Where the log lines go: standard error, one line for each thing that is said, whatever is in it.
//!
//! Where standard error is the systemd journal, a line begins with its priority (`sd-daemon(3)`) instead of time and level,
//! because the journal keeps those itself.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use hollerd::config::{self, LogTime};
use hollerd::server::level_filter;
use log::{Level, LevelFilter, Log, Metadata, Record};
use simplelog::{ConfigBuilder, WriteLogger};

use crate::{Problems, one};

/// One line for each record, in front of a logger that writes what it is given.
struct Lines<L> {
    inner: L,
    /// For the journal.
    with_priority: bool,
}

/// Starts the log as it is configured.
pub(crate) fn start(settings: &config::Log) -> Result<(), Problems> {
    let with_priority = is_journal() && settings.time != LogTime::Always;
    let with_time = !with_priority && settings.time != LogTime::Never;
    let inner = WriteLogger::new(LevelFilter::Trace, layout(with_time, !with_priority), io::stderr());
    log::set_boxed_logger(Box::new(Lines { inner, with_priority })).map_err(one)?;
    // The level is not the logger's, because a reload can change it.
    log::set_max_level(level_filter(settings.level));
    Ok(())
}

/// What stands in front of the text.
fn layout(with_time: bool, with_level: bool) -> simplelog::Config {
    let shown = |wanted| if wanted { LevelFilter::Error } else { LevelFilter::Off };
    let mut lines = ConfigBuilder::new();
    lines
        .set_time_level(shown(with_time))
        .set_time_format_custom(time::macros::format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        ))
        .set_max_level(shown(with_level))
        .set_thread_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Off)
        // The frame decoder would log what people say to each other.
        .add_filter_allow_str("hollerd");
    lines.build()
}

/// True if standard error goes to the journal. The variable alone does not tell: it is handed on to children whose
/// standard error may be something else.
pub(crate) fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let stderr = io::stderr().as_fd().try_clone_to_owned().map(File::from);
    let metadata = stderr.and_then(|stderr| stderr.metadata());
    metadata.is_ok_and(|metadata| stream == format!("{}:{}", metadata.dev(), metadata.ino()))
}

/// A line for the journal about something that ends the daemon.
pub(crate) fn error_prefix() -> &'static str {
    if is_journal() { priority(Level::Error) } else { "" }
}

impl<L: Log> Log for Lines<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let text = record.args().to_string();
        let priority = if self.with_priority { priority(record.level()) } else { "" };
        let metadata = record.metadata().clone();
        self.inner
            .log(&Record::builder().metadata(metadata).args(format_args!("{priority}{}", one_line(&text))).build());
    }

    fn flush(&self) {
        self.inner.flush();
    }
}

fn priority(level: Level) -> &'static str {
    match level {
        Level::Error => "<3>",
        Level::Warn => "<4>",
        Level::Info => "<6>",
        Level::Debug | Level::Trace => "<7>",
    }
}

/// Line breaks become visible: what comes behind one must not look like a line of its own.
fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(['\n', '\r']) {
        return Cow::Owned(text.replace('\n', "\\n").replace('\r', "\\r"));
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_record_is_one_line_with_its_priority() {
        let written = Written::default();
        let inner = *WriteLogger::new(LevelFilter::Trace, layout(false, false), written.clone());
        let lines = Lines { inner, with_priority: true };
        let levels = [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace];
        for level in levels {
            lines.log(&Record::builder().level(level).target("hollerd").args(format_args!("a\n<0>b\r")).build());
        }
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let line = |priority| format!("<{priority}>a\\n<0>b\\r\n");
        assert_eq!(text, [3, 4, 6, 7, 7].map(line).concat());
    }
}
