//! JSON Web Tokens (RFC 7519): which keys there are, and whether one of them signed this token.
//!
//! `jsonwebtoken` does the cryptography. Taking the token apart and judging its claims happens
//! here, because its own road reads the system clock and reads claims once per key; here they are
//! read once, after a signature was found good.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Deserialize;
use serde_json::Value;

use super::claims::{Claims, json_object, present};
use super::denial::Denial;
use super::identity::Identity;
use super::key_file::{self, KeyError};

/// The keys that may have signed a token. Several at once make rotation possible: add the new one,
/// let old tokens run out, remove the old one.
#[derive(Debug, Default)]
pub struct JwtKeys {
    keys: Vec<JwtKey>,
}

impl JwtKeys {
    /// Adds the key in a key file: PEM text of an RSA, P-256 or Ed25519 public key, otherwise an
    /// HMAC secret with or without a newline at the end. `name` (the path) is for error texts.
    pub fn add_key(&mut self, name: &str, content: &[u8]) -> Result<(), KeyError> {
        let (algorithm, key) = key_file::read(name, content)?;
        self.keys.push(JwtKey { name: name.to_owned(), algorithm, key });
        Ok(())
    }

    /// Adds an HMAC secret that did not come out of a file, such as [`super::mint::secret`]: every
    /// byte counts, also a last one that happens to be a newline.
    pub fn add_secret(&mut self, name: &str, secret: &[u8]) -> Result<(), KeyError> {
        if let Some(why) = key_file::too_short(secret) {
            return Err(KeyError { name: name.to_owned(), why });
        }
        let key = DecodingKey::from_secret(secret);
        self.keys.push(JwtKey { name: name.to_owned(), algorithm: Algorithm::HS256, key });
        Ok(())
    }

    /// How many keys there are. With none, nobody gets in.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Decides about `token` at `unix_now` (seconds).
    pub fn check(&self, token: &str, unix_now: u64) -> Result<Identity, Denial> {
        let token = Parts::split(token)?;
        let header = token.header()?;
        // RFC 7515 section 4.1.11: an extension that must be understood and is not makes the token
        // invalid.
        if header.crit.is_some() {
            return Err(Denial::Malformed("its header demands an extension (crit), and none is supported"));
        }
        // The keys say which algorithms there are; the token only picks among them (RFC 8725
        // section 3.1). A public key is bound to its own algorithm, so naming HS256 cannot turn it
        // into a secret.
        let mut fitting = self.keys.iter().filter(|key| key.goes_with(&header.alg)).peekable();
        if fitting.peek().is_none() {
            return Err(Denial::AlgorithmNotAllowed);
        }
        if !fitting.any(|key| key.signed(&token)) {
            return Err(Denial::BadSignature);
        }
        token.claims()?.admit(unix_now)
    }
}

/// One key, the only algorithm it is used with, and what the operator calls it.
struct JwtKey {
    name: String,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl JwtKey {
    fn goes_with(&self, alg: &str) -> bool {
        // RFC 9864 gives EdDSA with Ed25519 a name of its own and deprecates the old one; both are
        // in use.
        self.algorithm == Algorithm::EdDSA && alg == "Ed25519" || alg.parse() == Ok(self.algorithm)
    }

    /// Whether this key made the signature. HMAC values are compared in constant time by the
    /// library.
    fn signed(&self, token: &Parts<'_>) -> bool {
        crypto::verify(token.signature, token.signed.as_bytes(), &self.key, self.algorithm).unwrap_or(false)
    }
}

impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtKey").field("name", &self.name).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// A token in the compact form of RFC 7515 section 3.1, still in base64url.
struct Parts<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    /// Header, dot and payload: what the signature is about.
    signed: &'a str,
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Result<Self, Denial> {
        const SHAPE: Denial = Denial::Malformed("a JWT has three parts with a dot between them");
        let (signed, signature) = token.rsplit_once('.').ok_or(SHAPE)?;
        let (header, payload) = signed.split_once('.').ok_or(SHAPE)?;
        if payload.contains('.') {
            return Err(SHAPE);
        }
        Ok(Self { header, payload, signature, signed })
    }

    fn header(&self) -> Result<Header, Denial> {
        let json = URL_SAFE_NO_PAD.decode(self.header).map_err(|_| Denial::Malformed("its header is not base64url"))?;
        json_object(&json).ok_or(Denial::Malformed("its header is not a JSON object with an alg"))
    }

    fn claims(&self) -> Result<Claims, Denial> {
        let json =
            URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| Denial::Malformed("its claims are not base64url"))?;
        Claims::from_json(&json)
    }
}

/// What matters of the header (RFC 7515 section 4.1). Fields that offer a key or say where to get
/// one (`jwk`, `jku`, `x5c`) are not even read.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<Value>,
}

/// Shows what a JWT says, without any key: nothing in it has been proven. For its owner, on a
/// terminal.
pub fn describe(token: &str) -> Result<Description, Denial> {
    if token.is_empty() {
        return Err(Denial::Empty);
    }
    let token = Parts::split(token)?;
    let header = token.header()?;
    Ok(Description { algorithm: header.alg, key_id: header.kid, claims: token.claims()? })
}

/// What [`describe`] found. `Display` is one `name value` line for each thing that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The header's `alg`, whatever it says.
    pub algorithm: String,
    /// The header's `kid`.
    pub key_id: Option<String>,
    /// The claims, valid in form but not held against a clock.
    pub claims: Claims,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text goes to a terminal and nobody vouches for it, so control characters are escaped.
        write!(f, "alg    {}", self.algorithm.escape_debug())?;
        if let Some(key_id) = &self.key_id {
            write!(f, "\nkid    {}", key_id.escape_debug())?;
        }
        match &self.claims.sub {
            Some(sub) => write!(f, "\nsub    {}", sub.escape_debug())?,
            None => f.write_str("\nsub    any name")?,
        }
        let rooms = self.claims.rooms.to_string();
        write!(f, "\nrooms  {}", if rooms.is_empty() { "no room" } else { &rooms })?;
        for (name, time) in [("exp", self.claims.exp), ("nbf", self.claims.nbf), ("iat", self.claims.iat)] {
            if let Some(seconds) = time {
                write!(f, "\n{name}    {seconds}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_keys::{NOW, SECRET, Signer};
    use super::*;

    const YUAN: &str = r#"{"sub":"yuan"}"#;

    fn keys_of(signers: &[&Signer]) -> JwtKeys {
        let mut keys = JwtKeys::default();
        for signer in signers {
            keys.add_key("test.pem", signer.key_file().as_bytes()).unwrap();
        }
        keys
    }

    fn all_signers() -> [Signer; 4] {
        [Signer::hmac(), Signer::ed25519(), Signer::p256(), Signer::rsa()]
    }

    #[test]
    fn every_algorithm_is_accepted_with_its_key_and_only_with_it() {
        let signers = all_signers();
        for (n, signer) in signers.iter().enumerate() {
            let token = signer.sign(YUAN);
            for (m, other) in signers.iter().enumerate() {
                let expected = if n == m { Ok(Some("yuan".to_owned())) } else { Err(Denial::AlgorithmNotAllowed) };
                assert_eq!(keys_of(&[other]).check(&token, NOW).map(|identity| identity.name), expected, "{n} {m}");
            }
            assert!(keys_of(&signers.each_ref()).check(&token, NOW).is_ok(), "all keys at once");
            assert_eq!(JwtKeys::default().check(&token, NOW), Err(Denial::AlgorithmNotAllowed));
        }
        let ed25519 = &signers[1];
        let token = ed25519.sign_with_header(r#"{"alg":"Ed25519"}"#, YUAN);
        assert!(keys_of(&[ed25519]).check(&token, NOW).is_ok(), "the name of RFC 9864");
    }

    #[test]
    fn the_example_of_rfc_7515_appendix_a_1_is_read() {
        let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0i\
            PS4hcgUuTwjAzZr1Z9CAow";
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
            eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl\
            LmNvbS9pc19yb290Ijp0cnVlfQ.\
            dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let mut keys = JwtKeys::default();
        keys.add_secret("example", &URL_SAFE_NO_PAD.decode(secret).unwrap()).unwrap();
        assert_eq!(keys.check(token, 1_300_819_379).unwrap().expires, Some(1_300_819_380));
        assert_eq!(keys.check(token, 1_300_819_380), Err(Denial::Expired { ago_s: 0 }));
    }

    #[test]
    fn alg_none_and_algorithms_nobody_has_a_key_for_are_refused() {
        let signers = all_signers();
        let keys = keys_of(&signers.each_ref());
        let payload = URL_SAFE_NO_PAD.encode(YUAN);
        for alg in ["none", "None", "NONE", "nOnE", "", "HS384", "HS512", "RS384", "PS256", "ES384", "hs256", "HS256 "]
        {
            let header = format!(r#"{{"alg":"{alg}"}}"#);
            let unsigned = format!("{}.{payload}.", URL_SAFE_NO_PAD.encode(&header));
            assert_eq!(keys.check(&unsigned, NOW), Err(Denial::AlgorithmNotAllowed), "{alg}");
            for signer in &signers {
                let signed = signer.sign_with_header(&header, YUAN);
                assert_eq!(keys.check(&signed, NOW), Err(Denial::AlgorithmNotAllowed), "{alg}");
            }
        }
    }

    #[test]
    fn a_public_key_is_not_a_secret() {
        for victim in [Signer::rsa(), Signer::p256(), Signer::ed25519()] {
            let pem = victim.key_file();
            // The server has an HMAC key too, so that HS256 as such is allowed.
            let keys = keys_of(&[&victim, &Signer::hmac()]);
            let pretended: [&[u8]; 4] =
                [pem.as_bytes(), pem.trim_end().as_bytes(), victim.public_der(), victim.pkcs1_der()];
            for secret in pretended {
                let forged = Signer::hmac_with(secret).sign(YUAN);
                assert_eq!(keys.check(&forged, NOW), Err(Denial::BadSignature));
                assert_eq!(keys_of(&[&victim]).check(&forged, NOW), Err(Denial::AlgorithmNotAllowed));
            }
        }
    }

    #[test]
    fn two_keys_of_one_kind_are_both_tried() {
        let other = |signer: &Signer| match signer.key_file().starts_with("-----") {
            true if signer.public_der().len() < 60 => Signer::ed25519(),
            true => Signer::p256(),
            false => Signer::hmac_with(b"another secret that is long enough"),
        };
        for new in [Signer::hmac(), Signer::ed25519(), Signer::p256()] {
            let old = other(&new);
            let (new_token, old_token) = (new.sign(YUAN), old.sign(YUAN));
            for keys in [keys_of(&[&old, &new]), keys_of(&[&new, &old])] {
                assert!(keys.check(&new_token, NOW).is_ok() && keys.check(&old_token, NOW).is_ok());
            }
            assert_eq!(keys_of(&[&new]).check(&old_token, NOW), Err(Denial::BadSignature), "after the old key is gone");
        }
    }

    #[test]
    fn the_signature_is_about_these_very_claims() {
        for signer in all_signers() {
            let keys = keys_of(&[&signer]);
            let token = signer.sign(YUAN);
            let (signed, signature) = token.rsplit_once('.').unwrap();
            let (header, _) = signed.split_once('.').unwrap();
            let root = URL_SAFE_NO_PAD.encode(r#"{"sub":"root"}"#);
            for forged in [
                format!("{header}.{root}.{signature}"),
                format!("{signed}."),
                format!("{signed}.{root}"),
                format!("{token}="),
            ] {
                assert_eq!(keys.check(&forged, NOW), Err(Denial::BadSignature), "{forged}");
            }
        }
    }

    #[test]
    fn the_clock_and_the_claims_are_asked_after_the_signature() {
        let signer = Signer::hmac();
        let keys = keys_of(&[&signer]);
        let (past, future) = (NOW - 12, NOW + 12);
        for (claims, expected) in [
            (format!(r#"{{"exp":{past}}}"#), Denial::Expired { ago_s: 12 }),
            (format!(r#"{{"exp":{NOW}}}"#), Denial::Expired { ago_s: 0 }),
            (format!(r#"{{"exp":{past}.5}}"#), Denial::Expired { ago_s: 11 }),
            (format!(r#"{{"nbf":{future}}}"#), Denial::NotYetValid { in_s: 12 }),
            (
                r#"{"sub":""}"#.to_owned(),
                Denial::BadClaims("the name (sub) must not be empty; leave it out to let the user choose"),
            ),
            (r#"{"exp":"soon"}"#.to_owned(), Denial::BadClaims("exp must be a number of seconds since 1970")),
        ] {
            assert_eq!(keys.check(&signer.sign(&claims), NOW), Err(expected), "{claims}");
            let stranger = Signer::hmac_with(b"a stranger's secret of some length");
            assert_eq!(keys.check(&stranger.sign(&claims), NOW), Err(Denial::BadSignature), "strangers learn nothing");
        }
        assert!(matches!(keys.check(&signer.sign("[]"), NOW), Err(Denial::BadClaims(_))));
        let claims = format!(r#"{{"sub":"Ωμέγα 🦀","rooms":"dev-*","exp":{future}.5,"nbf":{NOW},"aud":"x"}}"#);
        let identity = keys.check(&signer.sign(&claims), NOW).unwrap();
        assert_eq!((identity.name.as_deref(), identity.expires), (Some("Ωμέγα 🦀"), Some(future + 1)));
        assert!(identity.may_enter("dev-1") && !identity.may_enter("lobby"));
    }

    #[test]
    fn what_is_not_a_jwt_is_malformed() {
        let signer = Signer::hmac();
        let keys = keys_of(&[&signer]);
        let token = signer.sign(YUAN);
        let crit = signer.sign_with_header(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, YUAN);
        let array = signer.sign_with_header(r#"["HS256"]"#, YUAN);
        let deep = signer.sign_with_header(&format!(r#"{{"x":{}"#, "[".repeat(100_000)), YUAN);
        let four_parts = format!("{token}.x");
        for bad in [
            "x",
            ".",
            "..",
            "...",
            "a.b",
            "🦀.🦀.🦀",
            "e30.e30.",
            &crit,
            &array,
            &deep,
            &four_parts,
            &format!(" {token}"),
        ] {
            assert!(matches!(keys.check(bad, NOW), Err(Denial::Malformed(_))), "{bad:.60}");
            assert!(matches!(describe(bad), Err(Denial::Malformed(_))) || *bad == *crit, "{bad:.60}");
        }
    }

    #[test]
    fn describe_shows_without_believing() {
        let token = Signer::hmac().sign_with_header(
            r#"{"alg":"none","kid":"k\u001b[31m"}"#,
            r#"{"sub":"yuan","rooms":[],"exp":12,"nbf":3.5}"#,
        );
        let text = describe(&token).unwrap().to_string();
        assert_eq!(text, "alg    none\nkid    k\\u{1b}[31m\nsub    yuan\nrooms  no room\nexp    12\nnbf    4");
        assert_eq!(describe(""), Err(Denial::Empty));
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let debug = format!("{:?}", keys_of(&[&Signer::hmac()]));
        assert!(debug.contains("test.pem") && debug.contains("HS256"), "{debug}");
        assert!(!debug.contains("thirty-two") && !debug.contains(&format!("{SECRET:?}")), "{debug}");
        assert!(keys_of(&[]).is_empty());
    }
}
