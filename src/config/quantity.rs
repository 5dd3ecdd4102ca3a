//! Durations and sizes as people write them: `25s`, `1h30m`, `16KiB`.
//!
//! Only binary units for sizes, because a buffer of `16KB` leaves open which of two numbers is
//! meant. A number too great for its type is read as the greatest one; the bounds of the setting
//! then refuse it.

use std::time::Duration;

use super::error::Fault;
use super::value::quote;

/// Reads a duration: numbers with the units `h`, `m`, `s`, `ms`, the greater unit first.
///
/// # Errors
/// [`Fault::NoUnit`] for a bare number, [`Fault::BadUnit`] for a unit that is none of these or out
/// of order, [`Fault::Wrong`] for anything else.
pub fn parse_duration(text: &str) -> Result<Duration, Fault> {
    let mut millis = 0_u64;
    let mut rest = text.trim();
    let mut units = DURATION_UNITS;
    loop {
        let (number, unit, tail) = split_number(rest)
            .ok_or_else(|| Fault::Wrong { want: "a duration such as \"25s\"".to_owned(), found: quote(text) })?;
        if unit.is_empty() {
            return Err(duration_without_unit(number));
        }
        // Looking only among the smaller units refuses "5m5m", which is a slip and not ten minutes.
        let position = units.iter().position(|(name, _)| *name == unit);
        let Some((size, smaller)) = position.and_then(|at| units.get(at..)?.split_first()) else {
            return Err(Fault::BadUnit {
                unit: quote(unit),
                units: "h, m, s, ms, each once and in this order",
                example: "\"1h30m\"",
            });
        };
        millis = millis.saturating_add(saturating(number).saturating_mul(size.1));
        units = smaller;
        rest = tail;
        if rest.is_empty() {
            return Ok(Duration::from_millis(millis));
        }
    }
}

/// Reads a size in bytes: a number alone, or with `B`, `KiB`, `MiB` or `GiB`.
///
/// # Errors
/// [`Fault::BadUnit`] for any other unit, [`Fault::Wrong`] for what is no number.
pub fn parse_size(text: &str) -> Result<usize, Fault> {
    let wrong = || Fault::Wrong { want: "a size in bytes such as \"16KiB\"".to_owned(), found: quote(text) };
    let (number, unit, tail) = split_number(text.trim()).ok_or_else(wrong)?;
    if !tail.is_empty() {
        return Err(wrong());
    }
    let units = SIZE_UNITS.iter().find(|(name, _)| *name == unit || unit.is_empty());
    let (_, size) =
        units.ok_or_else(|| Fault::BadUnit { unit: quote(unit), units: "B, KiB, MiB, GiB", example: "\"16KiB\"" })?;
    let bytes = saturating(number).saturating_mul(*size);
    Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// Writes a duration the way [`parse_duration`] reads it; below a millisecond it is cut off.
pub fn show_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, size) in DURATION_UNITS {
        if let Some(count) = rest.checked_div(*size).filter(|count| *count > 0) {
            text.push_str(&format!("{count}{unit}"));
            rest = rest.saturating_sub(count.saturating_mul(*size));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Writes a size with the greatest unit that leaves no remainder, such as `16KiB`; a number
/// alone where that is bytes.
pub fn show_size(bytes: usize) -> String {
    let whole = |size: u64| bytes > 0 && (bytes as u64).is_multiple_of(size);
    let best = SIZE_UNITS.iter().rev().find(|(_, size)| *size > 1 && whole(*size));
    best.map_or_else(|| bytes.to_string(), |(unit, size)| format!("{}{unit}", bytes as u64 / size))
}

/// The fault of a number that stands where a duration is wanted.
pub(super) fn duration_without_unit(number: &str) -> Fault {
    Fault::NoUnit { example: quote(&format!("{number}s")), units: "h, m, s, ms" }
}

/// Cuts a text into its leading digits, what stands before the next digit, and the rest.
fn split_number(text: &str) -> Option<(&str, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, tail) = rest.split_at(end);
    (!number.is_empty()).then_some((number, unit.trim(), tail))
}

/// Digits that do not fit stand for the greatest number.
fn saturating(digits: &str) -> u64 {
    digits.parse().unwrap_or(u64::MAX)
}

/// Units with their milliseconds, the greatest first.
const DURATION_UNITS: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Units with their bytes, the smallest first.
const SIZE_UNITS: &[(&str, u64)] = &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_back() {
        let table = [
            ("25s", 25_000, "25s"),
            ("200ms", 200, "200ms"),
            ("1h", 3_600_000, "1h"),
            ("2m", 120_000, "2m"),
            ("1h30m", 5_400_000, "1h30m"),
            ("90s", 90_000, "1m30s"),
            ("1 h 30 m", 5_400_000, "1h30m"),
            ("1500ms", 1_500, "1s500ms"),
            ("0s", 0, "0s"),
            ("0h", 0, "0s"),
        ];
        for (text, millis, shown) in table {
            let duration = parse_duration(text).unwrap();
            assert_eq!(duration, Duration::from_millis(millis), "{text}");
            assert_eq!(show_duration(duration), shown);
            assert_eq!(parse_duration(shown).unwrap(), duration);
        }
    }

    #[test]
    fn durations_that_are_none() {
        let bad_unit = "; write for example \"1h30m\" (units are h, m, s, ms, each once and in this \
                        order)";
        let table = [
            ("25", "has no unit; write \"25s\" (units are h, m, s, ms)".to_owned()),
            ("1h30", "has no unit; write \"30s\" (units are h, m, s, ms)".to_owned()),
            ("25x", format!("has an unknown unit \"x\"{bad_unit}")),
            ("5m5m", format!("has an unknown unit \"m\"{bad_unit}")),
            ("1.5s", format!("has an unknown unit \".\"{bad_unit}")),
            ("", "wants a duration such as \"25s\", found \"\"".to_owned()),
            ("soon", "wants a duration such as \"25s\", found \"soon\"".to_owned()),
            ("-5s", "wants a duration such as \"25s\", found \"-5s\"".to_owned()),
        ];
        for (text, message) in table {
            assert_eq!(parse_duration(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_and_written_back() {
        let table = [
            ("16KiB", 16_384, "16KiB"),
            ("1MiB", 1_048_576, "1MiB"),
            ("1024 KiB", 1_048_576, "1MiB"),
            ("1GiB", 1 << 30, "1GiB"),
            ("16384", 16_384, "16KiB"),
            ("1000", 1_000, "1000"),
            ("12B", 12, "12"),
            ("0", 0, "0"),
        ];
        for (text, bytes, shown) in table {
            assert_eq!(parse_size(text).unwrap(), bytes, "{text}");
            assert_eq!(show_size(bytes), shown);
        }
    }

    #[test]
    fn sizes_that_are_none() {
        let units = "; write for example \"16KiB\" (units are B, KiB, MiB, GiB)";
        let want = "wants a size in bytes such as \"16KiB\", found";
        let table = [
            ("16KB", format!("has an unknown unit \"KB\"{units}")),
            ("16k", format!("has an unknown unit \"k\"{units}")),
            ("big", format!("{want} \"big\"")),
            ("-1", format!("{want} \"-1\"")),
            ("1MiB1", format!("{want} \"1MiB1\"")),
        ];
        for (text, message) in table {
            assert_eq!(parse_size(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn numbers_beyond_their_type_are_the_greatest() {
        let endless = "9".repeat(400);
        assert_eq!(parse_size(&format!("{endless}GiB")).unwrap(), usize::MAX);
        let longest = parse_duration(&format!("{endless}h{endless}s")).unwrap();
        assert_eq!(longest, Duration::from_millis(u64::MAX));
        assert!(!show_duration(Duration::MAX).is_empty());
    }
}
