//! A token becomes an [`Identity`] or a [`Denial`].
//!
//! This layer knows tokens, keys, claims and room patterns. It refuses to know where a token
//! travelled (header, subprotocol, cookie, first message), what time it is, and where keys are
//! stored: those are arguments.
//!
//! Read `check` below first, then `jwt`, `claims`, `access_key`; `mint` is the same road in the
//! other direction.

mod access_key;
mod claims;
mod denial;
mod identity;
mod jwt;
mod key_file;
pub mod mint;
mod rooms;
mod session;
#[cfg(test)]
mod test_keys;

pub use access_key::{AccessKeys, KeysFileError, KeysFileProblem};
pub use claims::Claims;
pub use denial::Denial;
pub use identity::{Identity, NAME_MAX_CHARS, NameProblem, PRIVATE_MARK, check_name};
pub use jwt::{Description, JwtKeys, describe};
pub use key_file::{KeyError, KeyProblem, SECRET_MIN_BYTES, hmac_secret};
pub use rooms::{PatternProblem, ROOM_NAME_MAX_BYTES, RoomGrant, RoomPattern};
pub use session::SessionKey;

/// How the door is kept. One value per daemon, replaced as a whole when keys are reloaded.
#[derive(Debug)]
pub enum Auth {
    /// Anybody may come in, under any name, into every room.
    None,
    /// Tokens are JSON Web Tokens (RFC 7519) signed by one of these keys.
    Jwt(JwtKeys),
    /// Tokens are opaque access keys out of this list.
    Keys(AccessKeys),
}

impl Auth {
    /// Whether a client has to show a token at all.
    pub fn required(&self) -> bool {
        match self {
            Self::None => false,
            Self::Jwt(_) | Self::Keys(_) => true,
        }
    }

    /// Decides about `token` at `unix_now` (seconds). A token longer than `token_max` bytes is
    /// refused unread, so that the work a stranger can cause is bounded by a number the operator
    /// chose.
    pub fn check(&self, token: &str, token_max: usize, unix_now: u64) -> Result<Identity, Denial> {
        if matches!(self, Self::None) {
            return Ok(Identity::anonymous());
        }
        if token.is_empty() {
            return Err(Denial::Empty);
        }
        if token.len() > token_max {
            return Err(Denial::TooLong { max: token_max });
        }
        match self {
            Self::None => Ok(Identity::anonymous()),
            Self::Jwt(keys) => keys.check(token, unix_now),
            Self::Keys(keys) => keys.check(token, unix_now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::test_keys::{Mutator, NOW, SECRET, Signer};
    use super::*;

    const TOKEN_MAX: usize = 4096;

    fn jwt_auth(signers: &[&Signer]) -> Auth {
        let mut keys = JwtKeys::default();
        for signer in signers {
            keys.add_key("test.pem", signer.key_file().as_bytes()).unwrap();
        }
        Auth::Jwt(keys)
    }

    #[test]
    fn an_open_door_needs_no_token_and_names_nobody() {
        assert!(!Auth::None.required());
        assert_eq!(Auth::None.check("", 0, NOW), Ok(Identity::anonymous()));
        assert_eq!(Auth::None.check("whatever", 0, NOW), Ok(Identity::anonymous()));
    }

    #[test]
    fn empty_and_oversized_tokens_are_refused_before_they_are_read() {
        let hmac = Signer::hmac();
        let token = hmac.sign(r#"{"sub":"yuan"}"#);
        for auth in [jwt_auth(&[&hmac]), Auth::Keys(AccessKeys::default())] {
            assert!(auth.required());
            assert_eq!(auth.check("", TOKEN_MAX, NOW), Err(Denial::Empty));
            let max = token.len() - 1;
            assert_eq!(auth.check(&token, max, NOW), Err(Denial::TooLong { max }));
        }
        assert!(jwt_auth(&[&hmac]).check(&token, token.len(), NOW).is_ok());
    }

    #[test]
    fn a_jwt_is_no_access_key_and_the_other_way_round() {
        let (key, line) = mint::access_key(&Claims::default()).unwrap();
        let token = mint::jwt(SECRET, &Claims::default()).unwrap();
        let jwt = jwt_auth(&[&Signer::hmac()]);
        let keys = Auth::Keys(AccessKeys::parse(&line).unwrap());
        assert!(jwt.check(&token, TOKEN_MAX, NOW).is_ok());
        assert!(keys.check(&key, TOKEN_MAX, NOW).is_ok());
        assert!(matches!(jwt.check(&key, TOKEN_MAX, NOW), Err(Denial::Malformed(_))));
        assert_eq!(keys.check(&token, TOKEN_MAX, NOW), Err(Denial::UnknownKey));
    }

    #[test]
    fn no_mutation_of_a_good_token_gets_in_or_panics() {
        let signers = [Signer::hmac(), Signer::ed25519(), Signer::p256(), Signer::rsa()];
        let (key, line) = mint::access_key(&Claims::default()).unwrap();
        let jwt = jwt_auth(&signers.each_ref());
        let keys = Auth::Keys(AccessKeys::parse(&line).unwrap());

        // Public-key signatures cost some 50 times as much as HMAC does, so they get fewer turns.
        let unit = if cfg!(debug_assertions) { 500 } else { 10_000 };
        let mut cases = vec![(&keys, key, unit * 4)];
        for (signer, rounds) in signers.iter().zip([unit * 13, unit, unit, unit]) {
            let claims = r#"{"sub":"yuan","rooms":["lobby"],"exp":4102444800}"#;
            cases.push((&jwt, signer.sign(claims), rounds));
        }
        let mut mutator = Mutator::new(0x5eed);
        for (auth, good, rounds) in cases {
            assert!(auth.check(&good, TOKEN_MAX, NOW).is_ok());
            for _ in 0..rounds {
                let bad = mutator.mutate(&good);
                match auth.check(&bad, TOKEN_MAX, NOW) {
                    Ok(_) => assert_eq!(bad, good, "accepted a token that nobody made"),
                    Err(denial) => assert!(denial.to_string().len() <= 123, "{denial}"),
                }
                // What nobody signed may still be looked at by `hollerd token check`.
                let _ = describe(&bad).map(|description| description.to_string());
            }
        }
    }
}
