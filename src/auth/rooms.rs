//! Which rooms a token opens: exact names and `prefix*` patterns.

use std::fmt;

use serde::{Serialize, Serializer};

/// The rooms somebody may enter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RoomGrant {
    /// Every room; this is what a token says that does not mention rooms.
    #[default]
    All,
    /// The rooms that one of these patterns covers; an empty list covers none.
    Only(Box<[RoomPattern]>),
}

impl RoomGrant {
    /// Reads a comma-separated list such as `lobby, dev-*`. White space around an entry and empty
    /// entries are ignored, so that the empty string grants no room.
    pub fn parse(list: &str) -> Result<Self, PatternProblem> {
        Self::from_patterns(list.split(','))
    }

    /// Reads one pattern per item, by the same rules as [`RoomGrant::parse`].
    pub fn from_patterns<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, PatternProblem> {
        let patterns = patterns.into_iter().map(str::trim).filter(|pattern| !pattern.is_empty());
        patterns.map(RoomPattern::parse).collect::<Result<_, _>>().map(Self::Only)
    }

    /// Whether `room` may be entered.
    pub fn covers(&self, room: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(patterns) => patterns.iter().any(|pattern| pattern.covers(room)),
        }
    }

    /// Whether this is [`RoomGrant::All`], which is written down by writing nothing.
    pub fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }
}

/// A comma-separated list that [`RoomGrant::parse`] reads back; for people, `All` is "every room".
impl fmt::Display for RoomGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("every room"),
            Self::Only(patterns) => {
                for (n, pattern) in patterns.iter().enumerate() {
                    let separator = if n == 0 { "" } else { "," };
                    write!(f, "{separator}{pattern}")?;
                }
                Ok(())
            }
        }
    }
}

/// The claim `rooms` as a JSON array of strings. `All` has no such form: the claim is left out
/// instead.
impl Serialize for RoomGrant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_none(),
            Self::Only(patterns) => serializer.collect_seq(patterns.iter().map(ToString::to_string)),
        }
    }
}

/// One entry of a room list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomPattern {
    /// The room of exactly this name.
    Exact(Box<str>),
    /// Every room whose name begins like this (also the room named exactly this); empty for `*`,
    /// every room.
    Prefix(Box<str>),
}

impl RoomPattern {
    /// Reads `name` or `prefix*`.
    pub fn parse(pattern: &str) -> Result<Self, PatternProblem> {
        let (stem, is_prefix) = match pattern.strip_suffix('*') {
            Some(stem) => (stem, true),
            None => (pattern, false),
        };
        if stem.len() > ROOM_NAME_MAX_BYTES {
            return Err(PatternProblem::TooLong);
        }
        if stem.contains('*') {
            return Err(PatternProblem::StarInside);
        }
        // A pattern outside the alphabet of room names can match nothing; whoever wrote it meant
        // something else.
        let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if stem.starts_with('.') || !stem.bytes().all(in_alphabet) || (stem.is_empty() && !is_prefix) {
            return Err(PatternProblem::NotARoomName);
        }
        Ok(if is_prefix { Self::Prefix(stem.into()) } else { Self::Exact(stem.into()) })
    }

    /// Whether this entry opens `room`.
    pub fn covers(&self, room: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *room,
            Self::Prefix(prefix) => room.starts_with(&**prefix),
        }
    }
}

impl fmt::Display for RoomPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

/// Why an entry of a room list cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatternProblem {
    /// More than [`ROOM_NAME_MAX_BYTES`] before the star.
    TooLong,
    /// A star that is not the last character.
    StarInside,
    /// A character that no room name has.
    NotARoomName,
}

impl PatternProblem {
    /// The rule that was broken.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "a room name has at most 64 characters",
            Self::StarInside => "in rooms, * may only be the last character, as in dev-*",
            Self::NotARoomName => "rooms holds names of A-Z a-z 0-9 . _ - that do not begin with a dot, or prefix*",
        }
    }
}

impl fmt::Display for PatternProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for PatternProblem {}

/// The longest room name, in bytes (room names are ASCII).
pub const ROOM_NAME_MAX_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_covers_exact_names_and_prefixes_and_nothing_else() {
        // (list, rooms that are open, rooms that are not)
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("lobby", &["lobby"], &["Lobby", "lobby2", "lobb", ""]),
            ("dev-*", &["dev-", "dev-rust"], &["dev", "ops-dev-rust", ""]),
            (" lobby , dev-*,", &["lobby", "dev-1"], &["dev", "other"]),
            ("*", &["lobby", "x"], &[]),
            ("", &[], &["lobby", ""]),
            (" , ,", &[], &["lobby", ""]),
        ];
        for (list, open, shut) in cases {
            let grant = RoomGrant::parse(list).unwrap();
            for room in *open {
                assert!(grant.covers(room), "{list:?} should open {room:?}");
            }
            for room in *shut {
                assert!(!grant.covers(room), "{list:?} should not open {room:?}");
            }
        }
        assert!(RoomGrant::All.covers("anything"));
    }

    #[test]
    fn what_cannot_be_a_room_is_refused() {
        let long = "x".repeat(ROOM_NAME_MAX_BYTES + 1);
        let longest = format!("{}*", "x".repeat(ROOM_NAME_MAX_BYTES));
        assert!(RoomGrant::parse(&longest).is_ok());
        for (list, problem) in [
            ("dev-*-x", PatternProblem::StarInside),
            ("**", PatternProblem::StarInside),
            ("two words", PatternProblem::NotARoomName),
            (".hidden", PatternProblem::NotARoomName),
            ("a/b", PatternProblem::NotARoomName),
            ("zimmer-grün", PatternProblem::NotARoomName),
            (long.as_str(), PatternProblem::TooLong),
        ] {
            assert_eq!(RoomGrant::parse(list), Err(problem), "{list}");
        }
        assert!(PatternProblem::TooLong.as_str().contains(&ROOM_NAME_MAX_BYTES.to_string()));
    }

    #[test]
    fn a_list_reads_back_as_written() {
        let grant = RoomGrant::parse("lobby, dev-*, *").unwrap();
        assert_eq!(grant.to_string(), "lobby,dev-*,*");
        assert_eq!(RoomGrant::parse(&grant.to_string()), Ok(grant));
    }
}
