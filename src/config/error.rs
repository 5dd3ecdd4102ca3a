//! What can be wrong with a configuration, and how it is said: where, what, and what to do.
//!
//! Every message is one line, whatever the file contains, because it ends up in a log.

use std::fmt;
use std::path::PathBuf;

use super::rules::Rule;
use super::table::{Setting, label};

/// One mistake in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where the value stands that has to change.
    pub place: Place,
    /// What is wrong with it.
    pub problem: Problem,
}

/// Where a value comes from. The order is that of the layers, the later wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Nobody has set it.
    Default,
    /// The configuration file.
    File {
        /// Path as it was given.
        path: PathBuf,
        /// Line, counted from 1; `None` if it is about the whole file.
        line: Option<usize>,
    },
    /// The environment variable of this name.
    Environment(String),
    /// The command line option of this name, dashes included.
    Flag(&'static str),
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The file cannot be read; the text says why.
    Unreadable(String),
    /// The file is not TOML; the text says what was expected.
    Syntax(String),
    /// A key or section stands in the file a second time.
    Twice(String),
    /// The section has no such key.
    UnknownKey {
        /// Section without brackets, empty at the top of the file.
        section: &'static str,
        /// Key as it was written.
        key: String,
        /// What was probably meant.
        hint: Hint,
    },
    /// There is no such section; the second is one that was probably meant.
    UnknownSection(String, Option<&'static str>),
    /// The name of a section is used as a key.
    NotASection(&'static str),
    /// No setting belongs to this environment variable; the text is one that was probably meant.
    UnknownVariable(Option<String>),
    /// A value cannot be used.
    Value {
        /// The setting it is for.
        setting: &'static Setting,
        /// What is wrong with the value.
        fault: Fault,
    },
    /// Values that are fine alone do not go together.
    Rule(Rule),
}

/// What an unknown key was probably meant to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// A key of the same section.
    Key(&'static str),
    /// The same key, but in this section; empty for the top of the file.
    Section(&'static str),
    /// No idea.
    None,
}

/// What is wrong with a single value. Reads as the end of a sentence that began with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Another type is wanted, or the text does not have the form of that type.
    Wrong {
        /// What is wanted, with an example.
        want: String,
        /// What is there.
        found: String,
    },
    /// A number without the unit it needs.
    NoUnit {
        /// The number with a unit.
        example: String,
        /// The units there are.
        units: &'static str,
    },
    /// A unit that does not exist or stands in the wrong place.
    BadUnit {
        /// What was written.
        unit: String,
        /// The units there are.
        units: &'static str,
        /// A value with a unit.
        example: &'static str,
    },
    /// Below the least or above the greatest value.
    OutOfBounds {
        /// What is there.
        found: String,
        /// What is allowed.
        bounds: String,
    },
    /// A word that is none of those to choose from.
    NotAChoice {
        /// What is there.
        found: String,
        /// The words to choose from.
        words: &'static [&'static str],
        /// The one that was probably meant.
        nearest: Option<&'static str>,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An unknown variable is itself the subject of the sentence.
        let is_subject = matches!(self.problem, Problem::UnknownVariable(_));
        let separator = if is_subject { "" } else { ":" };
        write!(f, "{}{separator} {}", self.place, self.problem)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("defaults"),
            Self::File { path, line: Some(line) } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "{}", name.escape_debug()),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(reason) => write!(f, "cannot be read: {reason}"),
            Self::Syntax(message) => write!(f, "this is not TOML: {message}"),
            Self::Twice(name) => write!(f, "{name} is given twice; keep one of them"),
            Self::UnknownKey { section, key, hint } => {
                write!(f, "{} is not a key{hint}", label(section, key))
            }
            Self::UnknownSection(name, None) => {
                write!(f, "[{name}] is not a section; \"hollerd config\" prints all there are")
            }
            Self::UnknownSection(name, Some(nearest)) => {
                write!(f, "[{name}] is not a section; did you mean [{nearest}]?")
            }
            Self::NotASection(name) => {
                write!(f, "{name} is a section; write [{name}] on a line of its own")
            }
            Self::UnknownVariable(None) => {
                f.write_str("is not a setting; \"hollerd config\" says how variables are named")
            }
            Self::UnknownVariable(Some(nearest)) => {
                write!(f, "is not a setting; did you mean {nearest}?")
            }
            Self::Value { setting, fault } => write!(f, "{} {fault}", setting.label()),
            Self::Rule(rule) => rule.fmt(f),
        }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "; did you mean \"{key}\"?"),
            Self::Section("") => f.write_str("; it belongs at the top, before the first section"),
            Self::Section(section) => write!(f, "; it belongs in [{section}]"),
            Self::None => f.write_str("; \"hollerd config\" prints all there are"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong { want, found } => write!(f, "wants {want}, found {found}"),
            Self::NoUnit { example, units } => {
                write!(f, "has no unit; write {example} (units are {units})")
            }
            Self::BadUnit { unit, units, example } => {
                write!(f, "has an unknown unit {unit}; write for example {example} (units are {units})")
            }
            Self::OutOfBounds { found, bounds } => write!(f, "must be {bounds}, found {found}"),
            Self::NotAChoice { found, words, nearest } => {
                write!(f, "wants one of {}, found {found}", words.join(", "))?;
                nearest.map_or(Ok(()), |nearest| write!(f, "; did you mean \"{nearest}\"?"))
            }
        }
    }
}

impl std::error::Error for ConfigError {}

impl std::error::Error for Fault {}
