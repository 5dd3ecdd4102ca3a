//! Tokens and key files as somebody else would make them: nothing of the daemon's own code is used, so that signer and
//! verifier cannot share a mistake.

use std::time::SystemTime;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::TempFile;

/// Somebody who signs tokens.
pub(crate) struct Issuer {
    signer: Signer,
    file: TempFile,
}

enum Signer {
    Secret(String),
    Ed25519(Box<Ed25519KeyPair>),
}

impl Issuer {
    /// Signs with HS256 and a secret of its own.
    pub(crate) fn hmac() -> Self {
        let secret: String = std::iter::repeat_with(fastrand::alphanumeric).take(48).collect();
        let file = TempFile::new("secret", format!("{secret}\n"));
        Self { signer: Signer::Secret(secret), file }
    }

    /// Signs with EdDSA and a key pair of its own.
    pub(crate) fn ed25519() -> Self {
        let pair = Ed25519KeyPair::generate().expect("a key pair");
        let public = pair.public_key().as_der().expect("a public key");
        let body = STANDARD.encode(public.as_ref());
        let file = TempFile::new("pem", format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"));
        Self { signer: Signer::Ed25519(Box::new(pair)), file }
    }

    /// The file that an operator lists in `auth.jwt_keys`.
    pub(crate) fn key_file(&self) -> &str {
        self.file.name()
    }

    /// Lines of a configuration in which this issuer's tokens, and no others, are good.
    pub(crate) fn config(&self) -> String {
        format!("[auth]\njwt_keys = [\"{}\"]\n", self.key_file())
    }

    /// A token with these claims, given as JSON.
    pub(crate) fn sign(&self, claims: &str) -> String {
        let alg = match self.signer {
            Signer::Secret(_) => "HS256",
            Signer::Ed25519(_) => "EdDSA",
        };
        self.sign_with_header(&format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#), claims)
    }

    /// A token with any header, signed all the same by this issuer's own algorithm.
    pub(crate) fn sign_with_header(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = match &self.signer {
            Signer::Secret(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
                URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()))
            }
            Signer::Ed25519(pair) => URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes())),
        };
        format!("{message}.{signature}")
    }

    /// A token without a signature, which names `none` as its algorithm.
    pub(crate) fn unsigned(claims: &str) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        format!("{header}.{}.", URL_SAFE_NO_PAD.encode(claims))
    }
}

/// Seconds since 1970-01-01 UTC, for claims.
#[expect(clippy::disallowed_methods, reason = "a token for a real daemon is held against its real clock")]
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock that is set").as_secs()
}
