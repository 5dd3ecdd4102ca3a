//! Any bytes as a request: what comes out must not depend on how the network cut them.
#![no_main]

use std::net::IpAddr;

use hollerd::wire::credential::{TokenSources, credentials};
use hollerd::wire::forwarded::{forwarded, x_forwarded_for};
use hollerd::wire::request::{HeadLimits, Parsed, parse, parse_from};
use hollerd::wire::upgrade::classify;
use libfuzzer_sys::fuzz_target;

const LIMITS: HeadLimits = HeadLimits { bytes: 1024, headers: 16 };

fuzz_target!(|bytes: &[u8]| {
    let whole = outcome(parse(bytes, LIMITS));
    // The pieces are of one to 61 bytes; the length decides, so that a seed stays readable.
    let step = bytes.len() % 61 + 1;
    let ends = (step..bytes.len()).step_by(step).chain([bytes.len()]);
    let mut searched = 0;
    for end in ends {
        let piecewise = outcome(parse_from(&bytes[..end], searched, LIMITS));
        if piecewise.is_some() || end == bytes.len() {
            assert_eq!(piecewise, whole, "in pieces of {step} bytes");
            return;
        }
        searched = end;
    }
});

/// The length of the head or the status that refuses it; nothing while the end has not come.
fn outcome(parsed: Result<Parsed<'_>, hollerd::wire::response::Refusal>) -> Option<Result<usize, u16>> {
    match parsed {
        Ok(Parsed::Partial) => None,
        Ok(Parsed::Complete { request, head_len }) => {
            let sources = TokenSources { cookie: Some("hollerd_token"), query: true };
            assert!(credentials(&request, &sources).is_none_or(|credential| !credential.token.is_empty()));
            // Who trusts nobody believes the last one only, and who trusts everybody the first one.
            let nodes = [x_forwarded_for(&request, |_| false), forwarded(&request, |_| false)];
            assert_eq!(
                nodes.map(|node| node.is_some()),
                [x_forwarded_for(&request, |_| true).is_some(), forwarded(&request, |_| true).is_some()]
            );
            let half = x_forwarded_for(&request, |ip| matches!(ip, IpAddr::V4(_)));
            assert!(half.is_none_or(|(ip, _)| ip == ip.to_canonical()));
            let refused = classify(&request).err();
            assert!(refused.is_none_or(|refusal| refusal.render().starts_with(b"HTTP/1.1 4")));
            Some(Ok(head_len))
        }
        Err(refusal) => Some(Err(refusal.status().code())),
    }
}
