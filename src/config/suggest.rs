//! Which known word somebody may have meant.

/// The candidate nearest to `word`, but only if it is near enough to be a slip of the finger: one
/// edit, or one edit per three letters. A far-fetched suggestion is worse than none.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The distance costs the product of both lengths, and no name of ours is nearly this long.
    if word.len() > WORD_MAX {
        return None;
    }
    let tolerance = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

const WORD_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slips_are_corrected() {
        let names = ["message", "message_burst", "unread", "log"];
        let table = [
            ("mesage", Some("message")),
            ("messgae", Some("message")),
            ("message_brust", Some("message_burst")),
            ("unred", Some("unread")),
            ("lgo", Some("log")),
            ("colour", None),
            ("", None),
        ];
        for (word, expected) in table {
            assert_eq!(nearest(word, names), expected, "{word}");
        }
        assert_eq!(nearest(&"m".repeat(1_000_000), names), None);
    }
}
