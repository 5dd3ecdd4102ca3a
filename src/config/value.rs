//! How each type of setting is read and written.
//!
//! A value comes from the file, where TOML has already given it a type, or from the environment,
//! where it is bare text and the setting decides what it means. [`Raw`] is both; [`Value`] is what
//! a type must be able to do to appear in the table of settings.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::{DeInteger, DeValue};

use super::error::Fault;
use super::quantity::{duration_without_unit, parse_duration, parse_size, show_duration, show_size};
use crate::wire::network::Network;

/// A value that has not been understood yet.
pub(super) enum Raw<'a> {
    /// Text without a type, from the environment. Lists are separated by commas.
    Bare(&'a str),
    /// A value of the configuration file.
    Toml(&'a DeValue<'a>),
}

/// A type that a setting can have.
pub(super) trait Value: Sized {
    /// What is wanted, for messages: `a duration`.
    const WHAT: &'static str;

    /// One value, spelled as in the file: `"25s"`.
    fn example() -> String;

    /// Understands one value; bounds are the caller's concern.
    fn read(raw: &Raw<'_>) -> Result<Self, Fault>;

    /// Writes the value as TOML that [`Value::read`] understands.
    fn show(&self) -> String;
}

impl<'a> Raw<'a> {
    /// The text of a string.
    pub(super) fn text(&self) -> Option<&'a str> {
        match self {
            Self::Bare(text) => Some(text),
            Self::Toml(value) => value.as_str(),
        }
    }

    /// An integer of the file that is not negative.
    fn integer(&self) -> Option<&'a DeInteger<'a>> {
        match self {
            Self::Bare(_) => None,
            Self::Toml(value) => value.as_integer().filter(|n| !n.as_str().starts_with('-')),
        }
    }

    /// The members of a list; an empty text is an empty list.
    fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::Bare("") => Some(Vec::new()),
            Self::Bare(text) => Some(text.split(',').map(|item| Raw::Bare(item.trim())).collect()),
            Self::Toml(value) => {
                let items = value.as_array()?.iter();
                Some(items.map(|item| Raw::Toml(item.get_ref())).collect())
            }
        }
    }

    /// The value in messages: short, and on one line whatever it contains.
    pub(super) fn describe(&self) -> String {
        let value = match self {
            Self::Bare(text) => return quote(text),
            Self::Toml(value) => value,
        };
        match value {
            DeValue::String(text) => quote(text),
            DeValue::Integer(number) => shorten(&number.to_string()),
            DeValue::Float(number) => shorten(&number.to_string()),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Datetime(date) => date.to_string(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }
}

impl Value for Duration {
    const WHAT: &'static str = "a duration";

    fn example() -> String {
        quote("25s")
    }

    fn read(raw: &Raw<'_>) -> Result<Self, Fault> {
        // Seconds or milliseconds? Nobody can tell, so a number alone is never a duration.
        if let Some(number) = raw.integer() {
            return Err(duration_without_unit(&shorten(&number.to_string())));
        }
        parse_duration(raw.text().ok_or_else(|| wrong::<Self>(raw))?)
    }

    fn show(&self) -> String {
        quote(&show_duration(*self))
    }
}

/// Sizes in bytes: no setting uses `usize` for anything else.
impl Value for usize {
    const WHAT: &'static str = "a size in bytes";

    fn example() -> String {
        quote("16KiB")
    }

    fn read(raw: &Raw<'_>) -> Result<Self, Fault> {
        if let Some(number) = raw.integer() {
            return Ok(Self::from_str_radix(number.as_str(), number.radix()).unwrap_or(Self::MAX));
        }
        parse_size(raw.text().ok_or_else(|| wrong::<Self>(raw))?)
    }

    fn show(&self) -> String {
        let text = show_size(*self);
        if text.ends_with('B') { quote(&text) } else { text }
    }
}

/// Counts: no setting uses `u32` for anything else.
impl Value for u32 {
    const WHAT: &'static str = "a whole number";

    fn example() -> String {
        "64".to_owned()
    }

    fn read(raw: &Raw<'_>) -> Result<Self, Fault> {
        // Digits that do not fit stand for the greatest number, which the bounds refuse.
        if let Some(number) = raw.integer() {
            return Ok(Self::from_str_radix(number.as_str(), number.radix()).unwrap_or(Self::MAX));
        }
        match raw {
            Raw::Bare(text) if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) => {
                Ok(text.parse().unwrap_or(Self::MAX))
            }
            Raw::Bare(_) | Raw::Toml(_) => Err(wrong::<Self>(raw)),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for bool {
    const WHAT: &'static str = "true or false,";

    fn example() -> String {
        "true".to_owned()
    }

    fn read(raw: &Raw<'_>) -> Result<Self, Fault> {
        let flag = match raw {
            // The two words of TOML and no others, so that file and environment read alike.
            Raw::Bare(text) => text.parse().ok(),
            Raw::Toml(value) => value.as_bool(),
        };
        flag.ok_or_else(|| wrong::<Self>(raw))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    const WHAT: &'static str = "a text";

    fn example() -> String {
        quote("lobby")
    }

    fn read(raw: &Raw<'_>) -> Result<Self, Fault> {
        raw.text().map(str::to_owned).ok_or_else(|| wrong::<Self>(raw))
    }

    fn show(&self) -> String {
        quote_all(self)
    }
}

impl Value for PathBuf {
    const WHAT: &'static str = "a path";

    fn example() -> String {
        quote("/etc/hollerd/key.pem")
    }

    /// No file has an empty name.
    fn read(raw: &Raw<'_>) -> Result<Self, Fault> {
        let text = raw.text().filter(|text| !text.is_empty());
        text.map(Self::from).ok_or_else(|| wrong::<Self>(raw))
    }

    fn show(&self) -> String {
        quote_all(&self.to_string_lossy())
    }
}

/// A path that may be missing; TOML has no null, so that is the empty text.
impl Value for Option<PathBuf> {
    const WHAT: &'static str = PathBuf::WHAT;

    fn example() -> String {
        PathBuf::example()
    }

    fn read(raw: &Raw<'_>) -> Result<Self, Fault> {
        if raw.text() == Some("") { Ok(None) } else { PathBuf::read(raw).map(Some) }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| quote(""), Value::show)
    }
}

impl Value for Network {
    const WHAT: &'static str = "an address or a network";

    fn example() -> String {
        quote("10.0.0.0/8")
    }

    fn read(raw: &Raw<'_>) -> Result<Self, Fault> {
        raw.text().and_then(|text| text.parse().ok()).ok_or_else(|| wrong::<Self>(raw))
    }

    fn show(&self) -> String {
        quote(&self.to_string())
    }
}

impl<T: Value> Value for Vec<T> {
    const WHAT: &'static str = "a list";

    fn example() -> String {
        format!("[{}]", T::example())
    }

    fn read(raw: &Raw<'_>) -> Result<Self, Fault> {
        let items = raw.items().ok_or_else(|| wrong::<Self>(raw))?;
        items.iter().map(T::read).collect()
    }

    fn show(&self) -> String {
        let items: Vec<String> = self.iter().map(Value::show).collect();
        format!("[{}]", items.join(", "))
    }
}

/// The fault of a value that is not of the type `T`.
pub(super) fn wrong<T: Value>(raw: &Raw<'_>) -> Fault {
    Fault::Wrong { want: format!("{} such as {}", T::WHAT, T::example()), found: raw.describe() }
}

/// A text in quotes for a message: one line, and cut where it would fill the screen.
pub(super) fn quote(text: &str) -> String {
    quote_all(&shorten(text))
}

/// A text as a TOML basic string, whole.
pub(super) fn quote_all(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// At most `SHOWN_MAX` characters, with dots in place of what is left out.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
    }
}

const SHOWN_MAX: usize = 60;

#[cfg(test)]
mod tests {
    use super::super::listen::ListenAddress;
    use super::*;

    fn toml<T: Value>(text: &str) -> Result<T, String> {
        let value = DeValue::parse(text).unwrap();
        T::read(&Raw::Toml(value.get_ref())).map_err(|fault| fault.to_string())
    }

    fn bare<T: Value>(text: &str) -> Result<T, String> {
        T::read(&Raw::Bare(text)).map_err(|fault| fault.to_string())
    }

    #[test]
    fn counts() {
        assert_eq!(toml::<u32>("1_000"), Ok(1000));
        assert_eq!(toml::<u32>("+7"), Ok(7));
        assert_eq!(toml::<u32>("0x10"), Ok(16));
        assert_eq!(toml::<u32>("99999999999999999999999999"), Ok(u32::MAX));
        assert_eq!(bare::<u32>("64"), Ok(64));
        let want = "wants a whole number such as 64, found";
        for text in ["-5", "1.5", "true", "[1]", "1979-05-27", "\"64\""] {
            let message = toml::<u32>(text).unwrap_err();
            assert!(message.starts_with(want), "{message}");
        }
        for text in ["", "-5", "+5", "1.5", "0x10", "6 4"] {
            assert_eq!(bare::<u32>(text), Err(format!("{want} \"{text}\"")));
        }
    }

    #[test]
    fn sizes_and_durations() {
        assert_eq!(toml::<usize>("16384"), Ok(16_384));
        assert_eq!(toml::<usize>("\"16KiB\""), Ok(16_384));
        assert_eq!(bare::<usize>("16KiB"), Ok(16_384));
        assert!(toml::<usize>("-1").unwrap_err().contains("found -1"));
        assert!(toml::<usize>("1.5").unwrap_err().contains("found 1.5"));
        assert_eq!(toml::<Duration>("\"1h30m\""), Ok(Duration::from_secs(5400)));
        assert!(toml::<Duration>("25").unwrap_err().contains("no unit; write \"25s\""));
        assert!(toml::<Duration>("[]").unwrap_err().contains("found a list"));
    }

    #[test]
    fn lists() {
        let two = vec!["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()];
        assert_eq!(bare::<Vec<ListenAddress>>("127.0.0.1:0, [::1]:0"), Ok(two.clone()));
        assert_eq!(toml::<Vec<ListenAddress>>("[\"127.0.0.1:0\", \"[::1]:0\"]"), Ok(two));
        assert_eq!(bare::<Vec<String>>(""), Ok(vec![]));
        assert_eq!(
            toml::<Vec<ListenAddress>>("\"127.0.0.1:0\"").unwrap_err(),
            "wants a list such as [\"127.0.0.1:8080\"], found \"127.0.0.1:0\""
        );
        assert_eq!(
            toml::<Vec<ListenAddress>>("[\"127.0.0.1:0\", \"localhost:0\"]").unwrap_err(),
            "wants an address with a port, tls:// before it if you like, or unix:PATH (at most 107 bytes), such as \"127.0.0.1:8080\", \
             found \"localhost:0\""
        );
    }

    #[test]
    fn paths_and_flags() {
        assert_eq!(toml::<Option<PathBuf>>("\"\""), Ok(None));
        assert_eq!(toml::<Option<PathBuf>>("\"a\""), Ok(Some(PathBuf::from("a"))));
        assert!(toml::<Vec<PathBuf>>("[\"\"]").is_err(), "no file has an empty name");
        assert_eq!(bare::<bool>("true"), Ok(true));
        assert!(bare::<bool>("yes").unwrap_err().starts_with("wants true or false,"));
        assert!(toml::<bool>("1").is_err());
    }

    #[test]
    fn what_is_shown_can_be_read_again_and_fits_a_line() {
        let odd = "a\"b\\c\nd\u{7f}".to_owned();
        assert_eq!(toml::<String>(&odd.show()), Ok(odd.clone()));
        let long = format!("{odd}{}", "x".repeat(500));
        assert_eq!(toml::<String>(&long.show()), Ok(long.clone()));
        let shown = Raw::Bare(&long).describe();
        assert!(!shown.contains('\n') && shown.len() < 100, "{shown}");
    }
}
