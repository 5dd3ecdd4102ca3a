//! What the operator put into a JWT key file: the PEM text of a public key, or else an HMAC secret.
//!
//! The dangerous mistake is to take a public key for a secret: everybody knows it, so everybody
//! could sign with it. So whatever looks like a key in any other notation is refused instead of
//! being used as a string of bytes.

use std::fmt;

use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, RsaParameters, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey};

/// Reads the content of a key file: the one algorithm the key is good for, and the key. `name` is
/// only for the error.
pub(super) fn read(name: &str, content: &[u8]) -> Result<(Algorithm, DecodingKey), KeyError> {
    if contains(content, BEGIN) {
        return public_key(content).map_err(|why| KeyError { name: name.to_owned(), why });
    }
    hmac_secret(name, content).map(|secret| (Algorithm::HS256, DecodingKey::from_secret(secret)))
}

/// The HMAC secret in a key file: its bytes as they are, without one newline at the end, which
/// editors and `echo` add. Whoever signs with a file must read it with this function too.
pub fn hmac_secret<'a>(name: &str, content: &'a [u8]) -> Result<&'a [u8], KeyError> {
    let line = content.strip_suffix(b"\n").unwrap_or(content);
    let secret = line.strip_suffix(b"\r").filter(|_| line.len() < content.len()).unwrap_or(line);
    match mistaken_for_secret(content).or_else(|| too_short(secret)) {
        Some(why) => Err(KeyError { name: name.to_owned(), why }),
        None => Ok(secret),
    }
}

/// Whether this is a key in a notation we do not read, rather than a secret.
fn mistaken_for_secret(content: &[u8]) -> Option<KeyProblem> {
    let text = content.trim_ascii();
    let ssh = text.starts_with(b"ssh-") || text.starts_with(b"ecdsa-sha2-");
    let jwk = text.starts_with(b"{") && contains(text, b"\"kty\"");
    if contains(text, BEGIN) {
        Some(KeyProblem::NotASecret)
    } else if looks_like_der(content) {
        Some(KeyProblem::Der)
    } else {
        (ssh || jwk).then_some(KeyProblem::OtherNotation)
    }
}

/// Whether this is one ASN.1 SEQUENCE from the first byte to the last that begins with another
/// SEQUENCE or an INTEGER, as public keys, private keys and certificates all do. One random secret
/// in eight million looks like that.
fn looks_like_der(content: &[u8]) -> bool {
    let (length, body) = match content {
        [0x30, 0x82, high, low, body @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), body),
        [0x30, 0x81, length, body @ ..] | [0x30, length, body @ ..] => (usize::from(*length), body),
        _ => return false,
    };
    body.len() == length && matches!(body.first(), Some(0x30 | 0x02))
}

/// RFC 7518 section 3.2: an HS256 key must be as long as the hash, or longer.
pub(super) fn too_short(secret: &[u8]) -> Option<KeyProblem> {
    (secret.len() < SECRET_MIN_BYTES).then_some(KeyProblem::SecretTooShort { bytes: secret.len() })
}

/// Reads PEM text (RFC 7468) that must hold one public key.
fn public_key(content: &[u8]) -> Result<(Algorithm, DecodingKey), KeyProblem> {
    let text = std::str::from_utf8(content).map_err(|_| KeyProblem::BrokenPem)?;
    let (_, rest) = text.split_once("-----BEGIN ").ok_or(KeyProblem::BrokenPem)?;
    let (label, rest) = rest.split_once("-----").ok_or(KeyProblem::BrokenPem)?;
    if label.ends_with("PRIVATE KEY") {
        return Err(KeyProblem::PrivateKey);
    }
    if label != "PUBLIC KEY" && label != "RSA PUBLIC KEY" {
        return Err(KeyProblem::OtherNotation);
    }
    let (body, rest) = rest.split_once("-----END ").ok_or(KeyProblem::BrokenPem)?;
    if contains(rest.as_bytes(), BEGIN) {
        return Err(KeyProblem::SeveralKeys);
    }
    if !rest.strip_prefix(label).is_some_and(|rest| rest.starts_with("-----")) {
        return Err(KeyProblem::BrokenPem);
    }
    let base64: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(base64).map_err(|_| KeyProblem::BrokenPem)?;
    match classify(&der).ok_or(KeyProblem::UnknownKind)? {
        PublicKey::Rsa { bits } if bits < RSA_MIN_BITS => Err(KeyProblem::RsaTooSmall { bits }),
        PublicKey::Rsa { bits } if bits > RSA_MAX_BITS => Err(KeyProblem::RsaTooBig { bits }),
        PublicKey::Rsa { .. } => Ok((Algorithm::RS256, DecodingKey::from_rsa_der(&der))),
        PublicKey::P256 => Ok((Algorithm::ES256, DecodingKey::from_ec_der(&der))),
        PublicKey::Ed25519 => Ok((Algorithm::EdDSA, DecodingKey::from_ed_der(&der))),
    }
}

/// A public key by what can be verified with it.
enum PublicKey {
    Rsa { bits: u32 },
    P256,
    Ed25519,
}

/// What kind of public key this DER is. The cryptographic library reads SubjectPublicKeyInfo (RFC
/// 5280) itself and checks that the point is on the curve, so there is no ASN.1 reader here.
fn classify(der: &[u8]) -> Option<PublicKey> {
    // Bare curve points are accepted by the library as well; PEM text never holds one.
    if !looks_like_der(der) {
        return None;
    }
    if let Ok(key) = rsa::PublicKey::from_der(der) {
        let bits = RsaParameters::public_modulus_len(key.as_ref()).ok()?;
        return Some(PublicKey::Rsa { bits });
    }
    if UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der).parse().is_ok() {
        return Some(PublicKey::P256);
    }
    UnparsedPublicKey::new(&ED25519, der).parse().is_ok().then_some(PublicKey::Ed25519)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// A key that cannot be used, and whose file it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyError {
    /// What the caller called the key: the path of its file.
    pub name: String,
    /// What is wrong.
    pub why: KeyProblem,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}: {}", self.name, self.why)
    }
}

impl std::error::Error for KeyError {}

/// What is wrong with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyProblem {
    /// An HMAC secret shorter than [`SECRET_MIN_BYTES`].
    SecretTooShort {
        /// Its length without the newline.
        bytes: usize,
    },
    /// A secret was asked for and the content is PEM text.
    NotASecret,
    /// A private key where the public half is enough.
    PrivateKey,
    /// A certificate, a JWK, an OpenSSH key or anything else that is a key but not in our notation.
    OtherNotation,
    /// A key in binary DER.
    Der,
    /// PEM text that is cut off, not base64, or not UTF-8.
    BrokenPem,
    /// A second key behind the first.
    SeveralKeys,
    /// A public key, but of no kind we verify with.
    UnknownKind,
    /// An RSA key that is too weak.
    RsaTooSmall {
        /// Length of the modulus.
        bits: u32,
    },
    /// An RSA key so long that every check would be slow.
    RsaTooBig {
        /// Length of the modulus.
        bits: u32,
    },
}

impl fmt::Display for KeyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let advice = match self {
            Self::SecretTooShort { bytes } => {
                return write!(
                    f,
                    "this secret has {bytes} bytes, HS256 needs at least {SECRET_MIN_BYTES}; \
                     make one with: openssl rand -base64 48"
                );
            }
            Self::RsaTooSmall { bits } | Self::RsaTooBig { bits } => {
                return write!(f, "this RSA key has {bits} bits; make one of {RSA_MIN_BITS} to {RSA_MAX_BITS}");
            }
            Self::NotASecret => "this is a PEM file; tokens are signed here with an HMAC secret only, give me that",
            Self::PrivateKey => {
                "this is a private key; give me the public key: \
                 openssl pkey -in PRIVATE.pem -pubout"
            }
            Self::OtherNotation => {
                "this is a certificate, JWK or SSH key; give me the public key as PEM, with \
                 -----BEGIN PUBLIC KEY----- (of a certificate: openssl x509 -pubkey -noout)"
            }
            Self::Der => {
                "this is a key in binary (DER); give me the public key as PEM: \
                 openssl pkey -pubin -in KEY.der -pubout"
            }
            Self::BrokenPem => "this PEM text is damaged; it must run from -----BEGIN to -----END, base64 inside",
            Self::SeveralKeys => "there is more than one key in this file; put each into a file of its own",
            Self::UnknownKind => "this is no valid RSA, P-256 or Ed25519 public key; no other kind is supported",
        };
        f.write_str(advice)
    }
}

impl std::error::Error for KeyProblem {}

/// The shortest HMAC secret: the 256 bits of the hash (RFC 7518 section 3.2).
pub const SECRET_MIN_BYTES: usize = 32;

/// RFC 7518 section 3.3 asks for this much.
const RSA_MIN_BITS: u32 = 2048;

/// What the cryptographic library verifies with at most.
const RSA_MAX_BITS: u32 = 8192;

const BEGIN: &[u8] = b"-----BEGIN";

#[cfg(test)]
mod tests {
    use super::super::test_keys::{P384_PUBLIC_PEM, RSA_1024_PUBLIC_PEM, SECP256K1_PUBLIC_PEM, Signer, pem};
    use super::*;

    fn algorithm(content: &[u8]) -> Result<Algorithm, KeyProblem> {
        read("k", content).map(|(algorithm, _)| algorithm).map_err(|error| error.why)
    }

    #[test]
    fn the_kind_of_key_decides_the_algorithm() {
        for (signer, expected) in [
            (Signer::hmac(), Algorithm::HS256),
            (Signer::ed25519(), Algorithm::EdDSA),
            (Signer::p256(), Algorithm::ES256),
            (Signer::rsa(), Algorithm::RS256),
        ] {
            let content = signer.key_file();
            assert_eq!(algorithm(content.as_bytes()), Ok(expected));
            assert_eq!(algorithm(content.replace('\n', "\r\n").as_bytes()), Ok(expected), "with CRLF");
        }
    }

    #[test]
    fn text_before_a_public_key_does_not_make_it_a_secret() {
        let pem = Signer::p256().key_file();
        for prefix in ["\n", "\u{feff}", "# our key, see the wiki\n", "subject=CN = hollerd\n"] {
            assert_eq!(algorithm(format!("{prefix}{pem}").as_bytes()), Ok(Algorithm::ES256), "{prefix:?}");
        }
    }

    #[test]
    fn keys_in_other_notations_are_never_taken_for_secrets() {
        let (p256, ed25519, rsa) = (Signer::p256(), Signer::ed25519(), Signer::rsa());
        let cases: &[(&[u8], KeyProblem)] = &[
            (p256.public_der(), KeyProblem::Der),
            (ed25519.public_der(), KeyProblem::Der),
            (rsa.public_der(), KeyProblem::Der),
            (rsa.pkcs1_der(), KeyProblem::Der),
            (b"-----BEGIN PRIVATE KEY-----\nAAAA\n", KeyProblem::PrivateKey),
            (b"-----BEGIN EC PRIVATE KEY-----\nAAAA\n", KeyProblem::PrivateKey),
            (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", KeyProblem::PrivateKey),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n", KeyProblem::OtherNotation),
            (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4mZ0m3 yuan@host", KeyProblem::OtherNotation),
            (b" {\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"x\": \"11qYA\"}", KeyProblem::OtherNotation),
        ];
        for (content, problem) in cases {
            assert_eq!(algorithm(content), Err(*problem), "{:?}", String::from_utf8_lossy(content));
        }
        let pem = p256.key_file();
        assert_eq!(hmac_secret("k", pem.as_bytes()).unwrap_err().why, KeyProblem::NotASecret);
    }

    #[test]
    fn pem_text_must_hold_one_whole_key_of_a_kind_we_verify_with() {
        let body = |body: &str| format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
        for (content, problem) in [
            ("-----BEGIN", KeyProblem::BrokenPem),
            ("-----BEGIN PUBLIC KEY-----\nAAAA", KeyProblem::BrokenPem),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----", KeyProblem::BrokenPem),
            (&body("!!!!"), KeyProblem::BrokenPem),
            (&body("AAAA"), KeyProblem::UnknownKind),
            (&body(""), KeyProblem::UnknownKind),
            (&Signer::p256().key_file().repeat(2), KeyProblem::SeveralKeys),
            (P384_PUBLIC_PEM, KeyProblem::UnknownKind),
            (SECP256K1_PUBLIC_PEM, KeyProblem::UnknownKind),
            (RSA_1024_PUBLIC_PEM, KeyProblem::RsaTooSmall { bits: 1024 }),
        ] {
            assert_eq!(algorithm(content.as_bytes()), Err(problem), "{content}");
        }
        assert_eq!(algorithm(b"-----BEGIN \xff"), Err(KeyProblem::BrokenPem));
    }

    #[test]
    fn a_secret_is_its_bytes_without_the_last_newline() {
        let secret = [b'x'; SECRET_MIN_BYTES];
        let with = |tail: &[u8]| [&secret[..], tail].concat();
        for (content, length) in [
            (with(b""), Ok(32)),
            (with(b"\n"), Ok(32)),
            (with(b"\r\n"), Ok(32)),
            (with(b"\n\n"), Ok(33)),
            (with(b"\r"), Ok(33)),
            (secret[1..].to_vec(), Err(KeyProblem::SecretTooShort { bytes: 31 })),
            (b"\n".to_vec(), Err(KeyProblem::SecretTooShort { bytes: 0 })),
            (vec![], Err(KeyProblem::SecretTooShort { bytes: 0 })),
        ] {
            assert_eq!(hmac_secret("k", &content).map(<[u8]>::len).map_err(|error| error.why), length, "{content:?}");
        }
        let binary: Vec<u8> = (0..32).map(|n| n ^ 0x30).collect();
        assert!(hmac_secret("k", &binary).is_ok(), "a random secret may begin like DER");
    }

    #[test]
    fn a_pkcs1_rsa_key_is_read_too_and_errors_say_what_to_do() {
        let rsa = Signer::rsa();
        let pkcs1 = pem("RSA PUBLIC KEY", rsa.pkcs1_der());
        assert_eq!(algorithm(pkcs1.as_bytes()), Ok(Algorithm::RS256));
        let error = read("/etc/hollerd/jwt.pem", b"short").unwrap_err().to_string();
        assert!(error.contains("/etc/hollerd/jwt.pem") && error.contains("5 bytes") && error.contains("32"), "{error}");
        let error = read("k", b"-----BEGIN PRIVATE KEY-----\n").unwrap_err().to_string();
        assert!(error.contains("give me the public key"), "{error}");
    }
}
