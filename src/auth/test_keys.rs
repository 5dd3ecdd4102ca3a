//! Signers, keys and a mutator for the tests of this layer.

use std::sync::OnceLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};

/// The time of the tests.
pub(super) const NOW: u64 = 1_700_000_000;

/// An HMAC secret of the least length.
pub(super) const SECRET: &[u8] = b"thirty-two bytes are just enough";

/// Somebody who issues tokens, and the file with which their tokens are checked.
pub(super) struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
    /// The public key as SubjectPublicKeyInfo; empty for HMAC.
    spki: Vec<u8>,
    /// The public key as PKCS#1; empty for all but RSA.
    pkcs1: Vec<u8>,
}

impl Signer {
    pub(super) fn hmac() -> Self {
        Self::hmac_with(SECRET)
    }

    pub(super) fn hmac_with(secret: &[u8]) -> Self {
        Self { algorithm: Algorithm::HS256, key: EncodingKey::from_secret(secret), spki: vec![], pkcs1: vec![] }
    }

    pub(super) fn ed25519() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let pkcs8 = pair.to_pkcs8().unwrap();
        let spki = pair.public_key().as_der().unwrap().as_ref().to_vec();
        Self { algorithm: Algorithm::EdDSA, key: EncodingKey::from_ed_der(pkcs8.as_ref()), spki, pkcs1: vec![] }
    }

    pub(super) fn p256() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let pkcs8 = pair.to_pkcs8v1().unwrap();
        let spki = pair.public_key().as_der().unwrap().as_ref().to_vec();
        Self { algorithm: Algorithm::ES256, key: EncodingKey::from_ec_der(pkcs8.as_ref()), spki, pkcs1: vec![] }
    }

    /// The one RSA key of a test run: making one takes long.
    pub(super) fn rsa() -> Self {
        static PAIR: OnceLock<RsaKeyPair> = OnceLock::new();
        let pair = PAIR.get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
        let pkcs8 = pair.as_der().unwrap();
        // PKCS#8 wraps the PKCS#1 key, which is what the signing library reads, in 26 bytes.
        let private = pkcs8.as_ref().split_at(26).1;
        let spki = pair.public_key().as_der().unwrap().as_ref().to_vec();
        let pkcs1 = pair.public_key().as_ref().to_vec();
        Self { algorithm: Algorithm::RS256, key: EncodingKey::from_rsa_der(private), spki, pkcs1 }
    }

    /// What the operator would put into the key file.
    pub(super) fn key_file(&self) -> String {
        if self.spki.is_empty() {
            return format!("{}\n", String::from_utf8(self.key.as_bytes().to_vec()).unwrap());
        }
        pem("PUBLIC KEY", &self.spki)
    }

    pub(super) fn public_der(&self) -> &[u8] {
        &self.spki
    }

    pub(super) fn pkcs1_der(&self) -> &[u8] {
        &self.pkcs1
    }

    /// A token with these claims (JSON text, valid or not) and the usual header.
    pub(super) fn sign(&self, claims: &str) -> String {
        self.sign_with_header(&format!(r#"{{"alg":"{:?}","typ":"JWT"}}"#, self.algorithm), claims)
    }

    /// A token with any header, signed all the same by this key's own algorithm.
    pub(super) fn sign_with_header(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }
}

/// PEM text in lines of 64 characters (RFC 7468).
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines: Vec<&str> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Damages tokens, the same way in every run.
pub(super) struct Mutator(u64);

impl Mutator {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound` (SplitMix64).
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound.max(1) as u64).unwrap()
    }

    /// One to three characters replaced, removed, doubled, swapped or cut off behind.
    pub(super) fn mutate(&mut self, good: &str) -> String {
        const ALPHABET: &[char] = &['A', 'Q', 'e', 'w', '0', '9', '-', '_', '.', '=', '+', '\0', ' ', '"', 'é', '🦀'];
        let mut text: Vec<char> = good.chars().collect();
        for _ in 0..=self.below(3) {
            let (at, other) = (self.below(text.len()), self.below(text.len()));
            let replacement = ALPHABET[self.below(ALPHABET.len())];
            match self.below(6) {
                _ if text.is_empty() => text.push(replacement),
                0 | 1 => text[at] = replacement,
                2 => drop(text.remove(at)),
                3 => text.insert(at, replacement),
                4 => text.swap(at, other),
                _ => text.truncate(at),
            }
        }
        text.into_iter().collect()
    }
}

/// A public key on another curve (made for this test; its private half was thrown away).
pub(super) const P384_PUBLIC_PEM: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAER/NI9fx3wxORotxWtOsE9hqUBldrdcxL
6mVY0tVj2IaBc8iqZVhJ93BH3Wc94Cn+NvNYMRJx/Plp0IrhdMZ4JOt9NbNlNU7Y
dOXfiFUCOmkKeDE+tc9YnlyuRqsXtklt
-----END PUBLIC KEY-----
";

/// Another curve whose points have the same length as those of P-256.
pub(super) const SECP256K1_PUBLIC_PEM: &str = "-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEK/8phnTNtZrkNlr/0kjTEuhJZZZnwhBi
Xf6aOBnt0R2hrpCaV793925YKn2bCU6NmifQi9m0D3lh0TRZhYbbZg==
-----END PUBLIC KEY-----
";

/// An RSA key too short to be trusted.
pub(super) const RSA_1024_PUBLIC_PEM: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDTyEKcHEHQwXjg+kPppUTkcmsc
DAu4+1U1lyXSKzYZjT8SiG2IcDN/pS3ga+QyVkG2HQx8Sac6moGB/1TxqBY6IbKX
bG1xPzym2GqsMA+Lh3cnXeoUrHtfNgiYl+Zd/3KOb0S0ef17DuLRz1fIQoqRJsO4
flGqWmaIqCZgvbnEewIDAQAB
-----END PUBLIC KEY-----
";
