//! Settings that are one word out of a few.

use super::error::Fault;
use super::suggest::nearest;
use super::value::{Raw, Value, quote};

/// Makes an enum with its words in one place: configuration file, environment and command line
/// all spell them alike.
macro_rules! choices {
    ($( $(#[doc = $doc:literal])+ $name:ident { $(
        $(#[doc = $variant_doc:literal])+ $variant:ident = $word:literal,
    )+ } )+) => { $(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $( $(#[doc = $variant_doc])+ $variant, )+ }

        impl $name {
            /// The words, in the order of the variants.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word for this value.
            pub fn word(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = Fault;

            fn from_str(text: &str) -> Result<Self, Fault> {
                match text {
                    $( $word => Ok(Self::$variant), )+
                    _ => Err(not_a_choice(text, Self::WORDS)),
                }
            }
        }

        impl Value for $name {
            const WHAT: &'static str = "a word";

            fn example() -> String {
                Self::WORDS.first().map(|word| quote(word)).unwrap_or_default()
            }

            fn read(raw: &Raw<'_>) -> Result<Self, Fault> {
                raw.text().ok_or_else(|| not_a_choice_at_all(raw, Self::WORDS))?.parse()
            }

            fn show(&self) -> String {
                quote(self.word())
            }
        }
    )+ };
}

choices! {
    /// Least important kind of log line that is written.
    LogLevel {
        /// What an operator must look at.
        Error = "error",
        /// What is odd but handled.
        Warn = "warn",
        /// Starts, stops, and one line per connection that ended.
        Info = "info",
        /// Also resets and refusals by peers.
        Debug = "debug",
        /// Also single frames.
        Trace = "trace",
        /// Nothing.
        Off = "off",
    }

    /// In which header trusted proxies tell the client's address.
    ForwardedHeader {
        /// `X-Forwarded-For`.
        XForwardedFor = "x-forwarded-for",
        /// `Forwarded` (RFC 7239).
        Forwarded = "forwarded",
        /// In none.
        None = "none",
    }

    /// Whether log lines start with the time.
    LogTime {
        /// Unless the systemd journal stamps them already.
        Auto = "auto",
        /// In every case.
        Always = "always",
        /// In no case.
        Never = "never",
    }

    /// What lets a client in.
    AuthMode {
        /// A signed token (RFC 7519).
        Jwt = "jwt",
        /// An access key that is listed, hashed, in a file.
        Keys = "keys",
        /// Nothing is asked.
        None = "none",
    }

    /// Whether clients of a TLS listener show a certificate.
    ClientAuth {
        /// None is asked for.
        None = "none",
        /// One that is shown has to be good.
        Optional = "optional",
        /// Nobody gets in without a good one.
        Required = "required",
    }

    /// What happens to a binary message in chat.
    BinaryPolicy {
        /// The connection is closed with 1003 (RFC 6455 section 7.4.1).
        Refuse = "refuse",
        /// It goes unchanged to all others of the room.
        Relay = "relay",
    }
}

fn not_a_choice(text: &str, words: &'static [&'static str]) -> Fault {
    let nearest = nearest(text, words.iter().copied());
    Fault::NotAChoice { found: quote(text), words, nearest }
}

fn not_a_choice_at_all(raw: &Raw<'_>, words: &'static [&'static str]) -> Fault {
    Fault::NotAChoice { found: raw.describe(), words, nearest: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_their_values() {
        for word in LogLevel::WORDS {
            assert_eq!(word.parse::<LogLevel>().unwrap().word(), *word);
        }
        assert_eq!("none".parse::<AuthMode>().unwrap(), AuthMode::None);
        assert!("Info".parse::<LogLevel>().is_err(), "case counts, as it does for keys");
    }

    #[test]
    fn a_near_miss_is_named() {
        let error = "warning".parse::<LogLevel>().unwrap_err();
        assert_eq!(error.to_string(), "wants one of error, warn, info, debug, trace, off, found \"warning\"");
        let error = "refused".parse::<BinaryPolicy>().unwrap_err();
        assert_eq!(error.to_string(), "wants one of refuse, relay, found \"refused\"; did you mean \"refuse\"?");
    }
}
