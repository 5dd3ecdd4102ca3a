//! Why a token was refused, in words that may be sent to whoever showed it.
//!
//! No variant carries anything out of the token or the keys: the text goes to strangers and into
//! logs.

use std::fmt;

/// A refused token. `Display` is one line for the client: what is wrong and, where something helps,
/// what to do. It fits into the reason of a close frame (RFC 6455 section 5.5: 123 bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// There was no token in the place where one belongs.
    Empty,
    /// The token has more bytes than the limit.
    TooLong {
        /// The limit in bytes.
        max: usize,
    },
    /// It is not shaped like a token of this kind.
    Malformed(&'static str),
    /// No key here goes with the algorithm the token names; `alg: none` ends here too.
    AlgorithmNotAllowed,
    /// The algorithm fits, but none of the keys made this signature.
    BadSignature,
    /// This access key is not in the list.
    UnknownKey,
    /// `exp` has been reached.
    Expired {
        /// How long ago, in seconds.
        ago_s: u64,
    },
    /// `nbf` has not been reached.
    NotYetValid {
        /// How long from now, in seconds.
        in_s: u64,
    },
    /// The signature is good, but a claim cannot be used.
    BadClaims(&'static str),
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("token is missing; send one"),
            Self::TooLong { max } => {
                write!(f, "token is longer than {max} bytes; put less into it")
            }
            Self::Malformed(why) => write!(f, "token cannot be read: {why}"),
            Self::AlgorithmNotAllowed => {
                f.write_str("token has an algorithm (alg) that is not accepted here; sign it another way")
            }
            Self::BadSignature => f.write_str("token has a signature of no key known here; get a new one"),
            Self::UnknownKey => f.write_str("access key is not known; check it or get a new one"),
            Self::Expired { ago_s } => {
                write!(f, "token expired {} ago; get a new one", Span(*ago_s))
            }
            Self::NotYetValid { in_s } => {
                let wait = Span(*in_s);
                write!(f, "token is not valid for another {wait}; wait, or check the clock")
            }
            Self::BadClaims(why) => write!(f, "token has a bad claim: {why}"),
        }
    }
}

impl std::error::Error for Denial {}

/// A number of seconds in the largest unit of which there are at least two.
struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit_s, unit) = match self.0 {
            0..120 => (1, "s"),
            120..7_200 => (60, "min"),
            7_200..172_800 => (3_600, "h"),
            _ => (86_400, "days"),
        };
        write!(f, "{} {unit}", self.0 / unit_s)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{NameProblem, PatternProblem};
    use super::*;

    #[test]
    fn times_are_told_in_the_unit_a_person_would_use() {
        for (ago_s, words) in [
            (0, "0 s"),
            (12, "12 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (7_200, "2 h"),
            (172_800, "2 days"),
            (u64::MAX, "213503982334601 days"),
        ] {
            assert_eq!(Denial::Expired { ago_s }.to_string(), format!("token expired {words} ago; get a new one"));
        }
    }

    #[test]
    fn every_denial_is_one_line_that_fits_into_a_close_frame() {
        let names = [NameProblem::Empty, NameProblem::TooLong, NameProblem::ControlCharacter, NameProblem::OuterSpace];
        let patterns = [PatternProblem::TooLong, PatternProblem::StarInside, PatternProblem::NotARoomName];
        let denials = [
            Denial::Empty,
            Denial::TooLong { max: usize::MAX },
            Denial::AlgorithmNotAllowed,
            Denial::BadSignature,
            Denial::UnknownKey,
            Denial::Expired { ago_s: u64::MAX },
            Denial::NotYetValid { in_s: u64::MAX },
        ];
        let denials = denials.into_iter();
        let denials = denials.chain(names.map(|problem| Denial::BadClaims(problem.as_str())));
        let denials = denials.chain(patterns.map(|problem| Denial::BadClaims(problem.as_str())));
        for text in denials.map(|denial| denial.to_string()) {
            assert!(text.is_ascii() && !text.contains('\n'), "{text}");
            assert!(text.len() <= 123, "{} bytes: {text}", text.len());
        }
    }
}
