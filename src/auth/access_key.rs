//! Opaque access keys: a file lists the SHA-256 of each key and what it opens.
//!
//! One key a line: `sha256:<64 hex digits> [name=yuan] [rooms=lobby,dev-*] [expires=<unix
//! seconds>]`. The file holds no secret: a key has 256 random bits, so its hash needs neither salt
//! nor a slow function to be of no use to a thief.

use std::collections::HashMap;
use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};

use super::claims::Claims;
use super::denial::Denial;
use super::identity::{Identity, NameProblem, check_name};
use super::rooms::{PatternProblem, RoomGrant};

/// The keys of one keys file.
#[derive(Default)]
pub struct AccessKeys {
    entries: Vec<Entry>,
}

impl AccessKeys {
    /// Reads the text of a keys file. Blank lines are skipped, and so is everything from a word
    /// that begins with `#`.
    pub fn parse(text: &str) -> Result<Self, KeysFileError> {
        let mut entries = Vec::new();
        let mut lines = HashMap::new();
        // Some editors put a byte order mark in front, which would otherwise spoil the first line.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (n, text) in text.lines().enumerate() {
            let line = n + 1;
            let Some(entry) = Entry::parse(text).map_err(|why| KeysFileError { line, why })? else {
                continue;
            };
            if let Some(first_line) = lines.insert(entry.digest, line) {
                return Err(KeysFileError { line, why: KeysFileProblem::Duplicate { first_line } });
            }
            entries.push(entry);
        }
        Ok(Self { entries })
    }

    /// How many keys there are. With none, nobody gets in.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Decides about `key` at `unix_now` (seconds).
    pub fn check(&self, key: &str, unix_now: u64) -> Result<Identity, Denial> {
        let presented = key_digest(key);
        let mut found = None;
        // Every entry is compared, and in constant time, so that the answer's delay says nothing
        // about the file.
        for entry in &self.entries {
            if verify_slices_are_equal(&entry.digest, &presented).is_ok() {
                found = Some(entry);
            }
        }
        found.ok_or(Denial::UnknownKey)?.claims.clone().admit(unix_now)
    }
}

impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKeys").field("keys", &self.entries.len()).finish_non_exhaustive()
    }
}

/// The SHA-256 of a key, by which it is known.
pub(super) fn key_digest(key: &str) -> [u8; DIGEST_BYTES] {
    let mut bytes = [0; DIGEST_BYTES];
    for (byte, from) in bytes.iter_mut().zip(digest(&SHA256, key.as_bytes()).as_ref()) {
        *byte = *from;
    }
    bytes
}

/// One line of the file.
struct Entry {
    digest: [u8; DIGEST_BYTES],
    claims: Claims,
}

impl Entry {
    /// Reads a line; `None` if there is nothing on it but a comment.
    fn parse(text: &str) -> Result<Option<Self>, KeysFileProblem> {
        let mut words = text.split_whitespace().take_while(|word| !word.starts_with('#'));
        let Some(word) = words.next() else {
            return Ok(None);
        };
        let digest = word.strip_prefix(DIGEST_PREFIX).and_then(digest_from_hex).ok_or(KeysFileProblem::NotADigest)?;
        let mut fields = Fields::default();
        for word in words {
            fields.read(word)?;
        }
        let Fields { name, rooms, expires } = fields;
        let claims = Claims { sub: name, rooms: rooms.unwrap_or_default(), exp: expires, ..Claims::default() };
        Ok(Some(Self { digest, claims }))
    }
}

/// The `name=value` words of a line, each at most once.
#[derive(Default)]
struct Fields {
    name: Option<String>,
    rooms: Option<RoomGrant>,
    expires: Option<u64>,
}

impl Fields {
    fn read(&mut self, word: &str) -> Result<(), KeysFileProblem> {
        let (field, value) = word.split_once('=').ok_or(KeysFileProblem::UnknownField)?;
        let repeated = match field {
            "name" => {
                check_name(value).map_err(KeysFileProblem::Name)?;
                self.name.replace(value.to_owned()).is_some()
            }
            "rooms" => self.rooms.replace(RoomGrant::parse(value).map_err(KeysFileProblem::Rooms)?).is_some(),
            "expires" => self.expires.replace(value.parse().map_err(|_| KeysFileProblem::Expires)?).is_some(),
            _ => return Err(KeysFileProblem::UnknownField),
        };
        if repeated { Err(KeysFileProblem::RepeatedField) } else { Ok(()) }
    }
}

/// Reads exactly 64 hex digits. (`u8::from_str_radix` will not do: it takes `+f` for a number.)
fn digest_from_hex(hex: &str) -> Option<[u8; DIGEST_BYTES]> {
    let digits = hex.chars().map(|digit| digit.to_digit(16)).collect::<Option<Vec<u32>>>()?;
    let bytes = digits.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(high << 4 | low).ok(),
        _ => None,
    });
    bytes.collect::<Option<Vec<u8>>>()?.try_into().ok()
}

/// A line of a keys file that cannot be used. The line itself is not quoted: it may be a key in the
/// wrong place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeysFileError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: KeysFileProblem,
}

impl fmt::Display for KeysFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for KeysFileError {}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysFileProblem {
    /// It does not begin with `sha256:` and 64 hex digits.
    NotADigest,
    /// A word that is not `name=`, `rooms=` or `expires=`.
    UnknownField,
    /// The same field twice.
    RepeatedField,
    /// The name cannot be used.
    Name(NameProblem),
    /// The rooms cannot be used.
    Rooms(PatternProblem),
    /// The time is not a number of seconds.
    Expires,
    /// The key is already on another line.
    Duplicate {
        /// That line, counted from 1.
        first_line: usize,
    },
}

impl fmt::Display for KeysFileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotADigest => f.write_str(
                "must begin with sha256: and 64 hex digits, the hash of the key, not the key; \
                 `hollerd token key` prints such a line",
            ),
            Self::UnknownField => f.write_str("only name=, rooms= and expires= may follow the hash, without spaces"),
            Self::RepeatedField => f.write_str("a field is given twice; keep one"),
            Self::Name(problem) => problem.fmt(f),
            Self::Rooms(problem) => problem.fmt(f),
            Self::Expires => f.write_str("expires= needs whole seconds since 1970, as `date +%s` prints them"),
            Self::Duplicate { first_line } => {
                write!(f, "the same key is already on line {first_line}; remove one")
            }
        }
    }
}

impl std::error::Error for KeysFileProblem {}

/// What the first word of a line begins with.
pub(super) const DIGEST_PREFIX: &str = "sha256:";

/// The length of a SHA-256.
const DIGEST_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    /// The SHA-256 of `abc`, from FIPS 180-2 appendix B.1.
    const ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    /// The SHA-256 of the empty string.
    const NOTHING: &str = "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";

    #[test]
    fn a_key_opens_what_its_line_says() {
        let line = format!("{ABC} rooms=lobby,dev-* name=媛 expires=100 # Yuan");
        let text = format!("\u{feff}# who is in\r\n\r\n{line}\n  {NOTHING}\n");
        let keys = AccessKeys::parse(&text).unwrap();
        assert_eq!(keys.len(), 2);
        let yuan = keys.check("abc", 99).unwrap();
        assert_eq!((yuan.name.as_deref(), yuan.expires), (Some("媛"), Some(100)));
        assert!(yuan.may_enter("dev-1") && !yuan.may_enter("ops"));
        assert_eq!(keys.check("abc", 100), Err(Denial::Expired { ago_s: 0 }));
        assert_eq!(keys.check("", 0), Ok(Identity::anonymous()));
        for wrong in ["abd", "ab", "abc\n", "ABC", ABC] {
            assert_eq!(keys.check(wrong, 0), Err(Denial::UnknownKey), "{wrong:?}");
        }
    }

    #[test]
    fn an_empty_file_lets_nobody_in() {
        for text in ["", "\n\n", "# nothing\n   # here"] {
            let keys = AccessKeys::parse(text).unwrap();
            assert!(keys.is_empty());
            assert_eq!(keys.check("abc", 0), Err(Denial::UnknownKey));
        }
        let shut = AccessKeys::parse(&format!("{ABC} rooms=")).unwrap();
        assert!(!shut.check("abc", 0).unwrap().may_enter("lobby"));
    }

    #[test]
    fn a_bad_line_is_named() {
        let one_digit_short = ABC.strip_suffix('d').unwrap();
        let signed = ABC.replace("ba78", "+a+8");
        let cases = [
            ("hk_secret".to_owned(), KeysFileProblem::NotADigest),
            (format!("name=x {ABC}"), KeysFileProblem::NotADigest),
            (one_digit_short.to_owned(), KeysFileProblem::NotADigest),
            (format!("{one_digit_short}é"), KeysFileProblem::NotADigest),
            (format!("{ABC}00"), KeysFileProblem::NotADigest),
            ("sha256:".to_owned(), KeysFileProblem::NotADigest),
            (signed, KeysFileProblem::NotADigest),
            (format!("{ABC} yuan"), KeysFileProblem::UnknownField),
            (format!("{ABC} room=x"), KeysFileProblem::UnknownField),
            (format!("{ABC} name=a name=a"), KeysFileProblem::RepeatedField),
            (format!("{ABC} name="), KeysFileProblem::Name(NameProblem::Empty)),
            (format!("{ABC} rooms=a*b"), KeysFileProblem::Rooms(PatternProblem::StarInside)),
            (format!("{ABC} expires=tomorrow"), KeysFileProblem::Expires),
            (format!("{ABC} expires=-1"), KeysFileProblem::Expires),
        ];
        for (line, why) in cases {
            let error = AccessKeys::parse(&format!("\n{line}\n")).unwrap_err();
            assert_eq!(error, KeysFileError { line: 2, why }, "{line}");
            assert!(!error.to_string().contains("hk_secret"));
        }
    }

    #[test]
    fn a_duplicate_names_both_lines() {
        let error = AccessKeys::parse(&format!("{ABC}\n\n{} name=x", ABC.replace("ba", "BA"))).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("line 3") && text.contains("line 1"), "{text}");
    }

    #[test]
    fn debug_output_holds_no_hash() {
        let debug = format!("{:?}", AccessKeys::parse(ABC).unwrap());
        assert!(debug.contains("keys: 1") && !debug.contains("ba78") && !debug.contains("186"), "{debug}");
    }
}
