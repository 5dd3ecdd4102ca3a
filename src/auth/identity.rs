//! Who somebody is once the token is good: what the rest of the daemon may rely on.

use std::fmt;

use super::rooms::RoomGrant;

/// What a good token entitles its bearer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The only name this user may take (claim `sub`, RFC 7519 section 4.1.2); `None` leaves the
    /// choice to the user.
    pub name: Option<String>,
    /// The rooms this user may enter.
    pub rooms: RoomGrant,
    /// The first Unix second at which this identity is void, also while connected. May be as large
    /// as `u64::MAX`, so subtract the present from it rather than adding to it.
    pub expires: Option<u64>,
}

impl Identity {
    /// Somebody without a token, where none is asked for: any name, every room, for ever.
    pub fn anonymous() -> Self {
        Self { name: None, rooms: RoomGrant::All, expires: None }
    }

    /// Whether `room` is open to this user. Room names are compared byte for byte.
    pub fn may_enter(&self, room: &str) -> bool {
        self.rooms.covers(room)
    }
}

/// Checks a name that a token pins on its bearer: 1 to [`NAME_MAX_CHARS`] characters, none of them
/// a control character or one that is not seen, no white space at either end. And none ends with
/// ` (private)`, because lines of the text protocol mark private messages so.
pub fn check_name(name: &str) -> Result<(), NameProblem> {
    if name.is_empty() {
        return Err(NameProblem::Empty);
    }
    if name.chars().count() > NAME_MAX_CHARS {
        return Err(NameProblem::TooLong);
    }
    if name.chars().any(char::is_control) {
        return Err(NameProblem::ControlCharacter);
    }
    if name.chars().any(is_hidden) || name.chars().all(joins) {
        return Err(NameProblem::HiddenCharacter);
    }
    if name.ends_with(PRIVATE_MARK) {
        return Err(NameProblem::PrivateMark);
    }
    // Names that users send are trimmed, so nobody could ever answer to a pinned name that is not.
    if name.trim().len() != name.len() {
        return Err(NameProblem::OuterSpace);
    }
    Ok(())
}

/// What stands behind the name of whoever says something to one user alone, in the text protocol.
pub const PRIVATE_MARK: &str = " (private)";

/// Characters that show nothing, or turn what stands beside them (Unicode: most of
/// `Default_Ignorable_Code_Point`, and `Bidi_Control`). With them a name could look like another
/// one, or like none.
fn is_hidden(char: char) -> bool {
    matches!(
        u32::from(char),
        0x00AD | 0x034F | 0x061C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x200B | 0x200E..=0x200F
            | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB | 0x1D173..=0x1D17A
            | 0xE0000..=0xE001F
    )
}

/// Characters that mean something only between others: emoji and Indic scripts need them.
fn joins(char: char) -> bool {
    matches!(u32::from(char), 0x200C..=0x200D | 0xFE00..=0xFE0F | 0xE0020..=0xE0FFF) || char.is_whitespace()
}

/// Why a name cannot be pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameProblem {
    /// No character at all.
    Empty,
    /// More than [`NAME_MAX_CHARS`] characters.
    TooLong,
    /// A character of Unicode category Cc.
    ControlCharacter,
    /// A character that is not seen, or nothing but such ones.
    HiddenCharacter,
    /// It ends as the text protocol marks private messages.
    PrivateMark,
    /// White space at the beginning or the end.
    OuterSpace,
}

impl NameProblem {
    /// The rule that was broken, as a clause about "the name".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "the name (sub) must not be empty; leave it out to let the user choose",
            Self::TooLong => "the name (sub) must not be longer than 32 characters",
            Self::ControlCharacter => "the name (sub) must not contain control characters",
            Self::HiddenCharacter => "the name (sub) must not contain characters that are not seen",
            Self::PrivateMark => "the name (sub) must not end with \" (private)\"",
            Self::OuterSpace => "the name (sub) must not begin or end with white space",
        }
    }
}

impl fmt::Display for NameProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for NameProblem {}

/// The longest name, in characters (Unicode scalar values, not bytes).
pub const NAME_MAX_CHARS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_measured_in_characters_and_kept_printable() {
        let longest = "媛".repeat(NAME_MAX_CHARS);
        let too_long = "媛".repeat(NAME_MAX_CHARS + 1);
        let cases: &[(&str, Result<(), NameProblem>)] = &[
            ("yuan", Ok(())),
            ("Yuan Li", Ok(())),
            ("Ωμέγα 🦀", Ok(())),
            (&longest, Ok(())),
            (&too_long, Err(NameProblem::TooLong)),
            ("", Err(NameProblem::Empty)),
            ("yu\nan", Err(NameProblem::ControlCharacter)),
            ("yu\u{85}an", Err(NameProblem::ControlCharacter)),
            (" yuan", Err(NameProblem::OuterSpace)),
            ("yuan\u{3000}", Err(NameProblem::OuterSpace)),
            ("yuan\u{200b}", Err(NameProblem::HiddenCharacter)),
            ("\u{202e}nauy", Err(NameProblem::HiddenCharacter)),
            ("\u{feff}", Err(NameProblem::HiddenCharacter)),
            ("\u{3164}", Err(NameProblem::HiddenCharacter)),
            ("\u{200d}\u{fe0f}", Err(NameProblem::HiddenCharacter)),
            ("👩\u{200d}💻", Ok(())),
            ("❤\u{fe0f}", Ok(())),
            ("क्\u{200d}ष", Ok(())),
            ("alex (private)", Err(NameProblem::PrivateMark)),
        ];
        for (name, expected) in cases {
            assert_eq!(check_name(name), *expected, "{name:?}");
        }
        assert!(NameProblem::TooLong.as_str().contains(&NAME_MAX_CHARS.to_string()));
    }

    #[test]
    fn an_anonymous_user_may_go_anywhere() {
        let identity = Identity::anonymous();
        assert!(identity.may_enter("lobby") && identity.name.is_none() && identity.expires.is_none());
    }
}
