//! Any bytes as a PROXY header: what comes out must not depend on how the network cut them, and is never longer than what
//! has come.
#![no_main]

use hollerd::wire::proxy_protocol::{HEADER_MAX, Parsed, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = parse(bytes);
    if let Ok(Parsed::Whole { len, source }) = whole {
        assert!(len <= bytes.len() && len <= HEADER_MAX);
        assert!(source.is_none_or(|source| source.ip() == source.ip().to_canonical()));
        // What stands behind it changes nothing, and without its last byte it is not whole.
        assert_eq!(parse(&bytes[..len]), whole);
        assert_eq!(parse(&bytes[..len - 1]), Ok(Parsed::Partial));
    }
    assert!(whole != Ok(Parsed::Partial) || bytes.len() < HEADER_MAX);
    for end in 0..bytes.len() {
        match parse(&bytes[..end]) {
            Ok(Parsed::Partial) => {}
            decided => {
                assert_eq!(decided, whole, "decided after {end} bytes");
                break;
            }
        }
    }
});
