//! Which values of a type a setting may have.
//!
//! Numbers that do not fit their type are read as the greatest one, so every numeric setting must
//! have an upper bound below that; a test in `layers` holds it.

use std::ops::RangeInclusive;

use super::error::Fault;
use super::value::{Raw, Value};

/// The allowed values of one setting.
pub(super) enum Bounds<T> {
    /// Whatever the type can say.
    Any,
    /// From the first to the second, both included.
    Within(RangeInclusive<T>),
    /// The same, or the zero that switches the setting off.
    ZeroOr(T, RangeInclusive<T>),
}

pub(super) fn any<T>() -> Bounds<T> {
    Bounds::Any
}

pub(super) fn within<T>(least: T, most: T) -> Bounds<T> {
    Bounds::Within(least..=most)
}

pub(super) fn zero_or<T: Default>(least: T, most: T) -> Bounds<T> {
    Bounds::ZeroOr(T::default(), least..=most)
}

/// Reads one value and holds it against its bounds.
pub(super) fn read<T: Value + PartialOrd>(raw: &Raw<'_>, bounds: &Bounds<T>) -> Result<T, Fault> {
    let value = T::read(raw)?;
    if bounds.allow(&value) {
        return Ok(value);
    }
    let bounds = bounds.describe().unwrap_or_default();
    Err(Fault::OutOfBounds { found: raw.describe(), bounds })
}

impl<T: Value + PartialOrd> Bounds<T> {
    fn allow(&self, value: &T) -> bool {
        match self {
            Self::Any => true,
            Self::Within(range) => range.contains(value),
            Self::ZeroOr(zero, range) => value == zero || range.contains(value),
        }
    }

    /// `8 to 256`, in the spelling of the configuration file.
    pub(super) fn describe(&self) -> Option<String> {
        let span = |range: &RangeInclusive<T>| format!("{} to {}", range.start().show(), range.end().show());
        match self {
            Self::Any => None,
            Self::Within(range) => Some(span(range)),
            Self::ZeroOr(zero, range) => Some(format!("{} or {}", zero.show(), span(range))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_and_the_zero_are_allowed() {
        let range = within(8_u32, 256);
        let table = [(7, false), (8, true), (256, true), (257, false), (0, false)];
        for (value, expected) in table {
            assert_eq!(range.allow(&value), expected, "{value}");
        }
        let with_zero = zero_or(4096_usize, 65_536);
        let table = [(0, true), (1, false), (4095, false), (4096, true), (65_537, false)];
        for (value, expected) in table {
            assert_eq!(with_zero.allow(&value), expected, "{value}");
        }
        assert_eq!(with_zero.describe().unwrap(), "0 or \"4KiB\" to \"64KiB\"");
        assert!(any::<u32>().allow(&u32::MAX));
    }
}
