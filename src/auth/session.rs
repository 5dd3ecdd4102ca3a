//! Proves to the server that a user who comes back is the one whose connection broke. Nothing is stored for it: the proof
//! names the former connection and is signed with a key that nobody else has.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Signs what sessions are known by. When it is gone, with the process, so are they.
pub struct SessionKey(hmac::Key);

impl SessionKey {
    /// A key made of a secret, which is best a new one for each run.
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The proof for whoever has connection `index` of `generation`: 32 characters of base64url.
    pub fn sign(&self, index: u32, generation: u32) -> String {
        let mut bytes = [0; NAME_BYTES + TAG_BYTES];
        let (name, tag) = bytes.split_at_mut(NAME_BYTES);
        name.copy_from_slice(&(u64::from(index) << 32 | u64::from(generation)).to_be_bytes());
        // RFC 2104 section 5: half of the output is enough, and no fewer bytes than that are.
        for (byte, from) in tag.iter_mut().zip(hmac::sign(&self.0, name).as_ref()) {
            *byte = *from;
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The index and generation that a proof is for; `None` if this key has not signed it.
    pub fn verify(&self, proof: &str) -> Option<(u32, u32)> {
        // Longer ones are not decoded at all.
        let bytes = URL_SAFE_NO_PAD.decode(proof.get(..PROOF_CHARS).filter(|_| proof.len() == PROOF_CHARS)?).ok()?;
        let (name, tag) = bytes.split_first_chunk::<NAME_BYTES>()?;
        let expected = hmac::sign(&self.0, name);
        verify_slices_are_equal(expected.as_ref().get(..TAG_BYTES)?, tag).ok()?;
        let name = u64::from_be_bytes(*name);
        Some((u32::try_from(name >> 32).ok()?, u32::try_from(name & u64::from(u32::MAX)).ok()?))
    }
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

const NAME_BYTES: usize = 8;
const TAG_BYTES: usize = 16;
/// What 24 bytes are in base64url without padding.
const PROOF_CHARS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_signed_is_believed() {
        let key = SessionKey::new(b"a secret of this run");
        let proof = key.sign(7, u32::MAX);
        assert_eq!(proof.len(), PROOF_CHARS);
        assert_eq!(key.verify(&proof), Some((7, u32::MAX)));
        assert_eq!(SessionKey::new(b"the secret of another run").verify(&proof), None);
        for wrong in ["", "x", &proof[1..], &format!("{proof}A"), &"é".repeat(16), &"A".repeat(1_000_000)] {
            assert_eq!(key.verify(wrong), None, "{wrong:.40}");
        }
        for place in 0..proof.len() {
            let mut forged = proof.clone().into_bytes();
            forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(key.verify(std::str::from_utf8(&forged).unwrap()), None, "{place}");
        }
        assert_eq!(format!("{key:?}"), "SessionKey(…)");
    }
}
