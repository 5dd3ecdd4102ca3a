//! Any text as a token, and any bytes as the claims of one that is signed well.
#![no_main]

use std::sync::LazyLock;

use hollerd::auth::{Auth, Claims, JwtKeys, describe};
use libfuzzer_sys::fuzz_target;

const NOW: u64 = 1_700_000_000;
const TOKEN_MAX: usize = 1024;
/// The secret that the seeds are signed with.
const SECRET: &[u8] = b"a secret for the seeds of the fuzzer only";

static AUTH: LazyLock<Auth> = LazyLock::new(|| {
    let mut keys = JwtKeys::default();
    keys.add_key("seeds", SECRET).expect("the secret is long enough");
    Auth::Jwt(keys)
});

fuzz_target!(|token: &str| {
    let claims = Claims::from_json(token.as_bytes()).and_then(|claims| claims.admit(NOW));
    let checked = AUTH.check(token, TOKEN_MAX, NOW);
    assert!(checked.is_err() || describe(token).is_ok(), "accepted, but not readable");
    for identity in [claims, checked].into_iter().flatten() {
        assert!(identity.expires.is_none_or(|expires| expires > NOW), "accepted after its end");
        assert!(identity.name.is_none_or(|name| (1..=32).contains(&name.chars().count())), "accepted with a bad name");
    }
});
