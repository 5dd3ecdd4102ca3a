//! Makes what the rest of this layer checks: signed tokens, access keys, and secrets to sign with.
//!
//! Everything made here is a `token` of RFC 7230 section 3.2.6 (base64url, dots, `_`), so that it
//! can travel in a subprotocol, where a browser has to put it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use super::access_key::{DIGEST_PREFIX, key_digest};
use super::claims::Claims;
use super::identity::{NameProblem, check_name};
use super::key_file::{KeyProblem, too_short};

/// Signs `claims` with HS256. `secret` is taken byte for byte; one out of a file goes through
/// [`super::hmac_secret`] first.
pub fn jwt(secret: &[u8], claims: &Claims) -> Result<String, MintError> {
    if let Some(problem) = too_short(secret) {
        return Err(MintError::Secret(problem));
    }
    check_claims(claims)?;
    let header = Header::new(Algorithm::HS256);
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).map_err(|_| MintError::Signing)
}

/// A fresh secret for HS256, as raw bytes.
pub fn secret() -> Result<[u8; SECRET_BYTES], MintError> {
    let mut secret = [0; SECRET_BYTES];
    // Not from aws-lc, whose generator first gathers entropy of its own for 50 ms or more: that was all of the start-up.
    getrandom::fill(&mut secret).map_err(|_| MintError::Randomness)?;
    Ok(secret)
}

/// Makes an access key. Returns the key, which is shown once to its owner, and the line for the
/// keys file, which says who it is for and from which the key cannot be found. A line has room for
/// `sub`, `rooms` and `exp` only, and for a name only if it is a single word.
pub fn access_key(claims: &Claims) -> Result<(String, String), MintError> {
    check_claims(claims)?;
    if claims.nbf.is_some() {
        return Err(MintError::NotBefore);
    }
    let key = format!("{ACCESS_KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(secret()?));
    let mut line = DIGEST_PREFIX.to_owned();
    for byte in key_digest(&key) {
        line.push_str(&format!("{byte:02x}"));
    }
    if let Some(name) = &claims.sub {
        if name.contains(char::is_whitespace) {
            return Err(MintError::NameOfSeveralWords);
        }
        line.push_str(&format!(" name={name}"));
    }
    if !claims.rooms.is_all() {
        line.push_str(&format!(" rooms={}", claims.rooms));
    }
    if let Some(expires) = claims.exp {
        line.push_str(&format!(" expires={expires}"));
    }
    Ok((key, line))
}

/// Refuses at the making what would be refused at the door.
fn check_claims(claims: &Claims) -> Result<(), MintError> {
    claims.sub.as_deref().map_or(Ok(()), check_name).map_err(MintError::Name)
}

/// Why nothing was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MintError {
    /// The secret must not be used.
    Secret(KeyProblem),
    /// The name cannot be pinned.
    Name(NameProblem),
    /// A line of a keys file cannot hold a name with white space in it.
    NameOfSeveralWords,
    /// A line of a keys file cannot say `nbf`.
    NotBefore,
    /// The operating system gave no random bytes.
    Randomness,
    /// The cryptographic library could not sign.
    Signing,
}

impl fmt::Display for MintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(problem) => problem.fmt(f),
            Self::Name(problem) => problem.fmt(f),
            Self::NameOfSeveralWords => {
                f.write_str("the name of an access key must be one word; use a JWT for other names")
            }
            Self::NotBefore => f.write_str("an access key is good at once; use a JWT for a later beginning"),
            Self::Randomness => f.write_str("the operating system gave no random bytes; try again"),
            Self::Signing => f.write_str("signing failed inside the cryptographic library; try again"),
        }
    }
}

impl std::error::Error for MintError {}

/// What every access key begins with, so that people and secret scanners can tell what it is.
pub const ACCESS_KEY_PREFIX: &str = "hk_";

/// The random bytes in a secret and in an access key.
pub const SECRET_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::super::test_keys::SECRET;
    use super::super::{AccessKeys, Denial, JwtKeys, RoomGrant, describe};
    use super::*;

    fn is_rfc7230_token(text: &str) -> bool {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    }

    fn claims() -> Claims {
        let rooms = RoomGrant::parse("lobby,dev-*").unwrap();
        Claims { sub: Some("媛".to_owned()), rooms, exp: Some(200), nbf: None, iat: Some(100) }
    }

    #[test]
    fn a_minted_jwt_is_accepted_and_says_what_was_put_in() {
        let mut keys = JwtKeys::default();
        keys.add_secret("test", SECRET).unwrap();
        for claims in [Claims::default(), claims(), Claims { rooms: RoomGrant::parse("").unwrap(), ..claims() }] {
            let token = jwt(SECRET, &claims).unwrap();
            assert!(is_rfc7230_token(&token), "{token}");
            let identity = keys.check(&token, 150).unwrap();
            assert_eq!(identity.name, claims.sub);
            assert_eq!(identity.rooms, claims.rooms);
            assert_eq!(identity.expires, claims.exp);
            assert_eq!(describe(&token).unwrap().claims, claims);
        }
    }

    #[test]
    fn a_minted_access_key_is_accepted_and_its_line_does_not_hold_it() {
        for claims in [Claims::default(), claims()] {
            let (key, line) = access_key(&claims).unwrap();
            assert!(is_rfc7230_token(&key) && key.starts_with("hk_") && key.len() == 46, "{key}");
            assert!(!line.contains(&key));
            let keys = AccessKeys::parse(&line).unwrap();
            let identity = keys.check(&key, 150).unwrap();
            assert_eq!((identity.name, identity.rooms, identity.expires), (claims.sub, claims.rooms, claims.exp));
            assert_eq!(keys.check(&access_key(&Claims::default()).unwrap().0, 150), Err(Denial::UnknownKey));
        }
        assert_ne!(secret(), secret());
    }

    #[test]
    fn a_fresh_secret_signs_and_verifies_whatever_its_last_byte_is() {
        let mut secret = secret().unwrap();
        secret[SECRET_BYTES - 1] = b'\n';
        let mut keys = JwtKeys::default();
        keys.add_secret("this run", &secret).unwrap();
        assert!(keys.check(&jwt(&secret, &claims()).unwrap(), 0).is_ok());
    }

    #[test]
    fn what_would_be_refused_is_not_made() {
        let named = |name: &str| Claims { sub: Some(name.to_owned()), ..Claims::default() };
        assert_eq!(jwt(&SECRET[1..], &claims()), Err(MintError::Secret(KeyProblem::SecretTooShort { bytes: 31 })));
        assert_eq!(jwt(SECRET, &named("")), Err(MintError::Name(NameProblem::Empty)));
        assert!(jwt(SECRET, &named("Yuan Li")).is_ok());
        assert_eq!(access_key(&named("Yuan Li")), Err(MintError::NameOfSeveralWords));
        assert_eq!(access_key(&Claims { nbf: Some(1), ..Claims::default() }), Err(MintError::NotBefore));
    }
}
