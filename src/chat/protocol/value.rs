//! Single values: a piece of valid JSON becomes a text or a whole number, or the name of what it is instead.

use std::borrow::Cow;

use super::client::NUMBER_MAX;

/// The text that a piece of valid JSON stands for.
pub(super) fn decode(json: &str) -> Result<Cow<'_, str>, &'static str> {
    let Some(inner) = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Err(Found::of(json).as_str());
    };
    if !inner.as_bytes().contains(&b'\\') {
        return Ok(Cow::Borrowed(inner));
    }
    // All that can still be wrong are escaped surrogates that are no pair (RFC 8259 section 8.2).
    serde_json::from_str(json).map(Cow::Owned).map_err(|_| "one with half a surrogate pair")
}

/// The whole number that a piece of valid JSON stands for, however it is written: 20, 20.0 and 2e1 are the same.
pub(super) fn whole_number(json: &str) -> Result<u64, &'static str> {
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
    const MAX: f64 = NUMBER_MAX as f64;
    if let Ok(number) = json.parse::<u64>()
        && number <= NUMBER_MAX
    {
        return Ok(number);
    }
    match (Found::of(json), json.parse::<f64>()) {
        (Found::Number, Ok(number)) if number < 0.0 => Err("a negative number"),
        (Found::Number, Ok(number)) if number > MAX => Err("a larger one"),
        (Found::Number, Ok(number)) if number.fract() != 0.0 => Err("a fraction"),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and within the range")]
        (Found::Number, Ok(number)) => Ok(number as u64),
        (found, _) => Err(found.as_str()),
    }
}

/// The kinds of JSON values (RFC 8259 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Null,
    Boolean,
    Number,
    Text,
    Array,
    Object,
}

impl Found {
    /// The kind of a valid piece of JSON; its first byte says it.
    pub(super) fn of(json: &str) -> Self {
        match json.bytes().next() {
            Some(b'"') => Self::Text,
            Some(b'{') => Self::Object,
            Some(b'[') => Self::Array,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'-' | b'0'..=b'9') => Self::Number,
            _ => Self::Null,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "true or false",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}
