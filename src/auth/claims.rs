//! What a token says about its bearer: the claims of RFC 7519 that this daemon acts on, and
//! `rooms`.
//!
//! Every claim is optional, and one that is present but unusable refuses the token: reading `"exp":
//! null` as "no expiry" or `"rooms": null` as "every room" would turn an issuer's mistake into a
//! wider door.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::denial::Denial;
use super::identity::{Identity, check_name};
use super::rooms::{PatternProblem, RoomGrant};

/// The claims of a token, read or about to be written. Times are Unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// The name the bearer must take; see [`check_name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The rooms the bearer may enter.
    #[serde(skip_serializing_if = "RoomGrant::is_all")]
    pub rooms: RoomGrant,
    /// The first second at which the token is void.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<u64>,
    /// The first second at which the token is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// When the token was made. Only shown, never acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
}

impl Claims {
    /// Reads a JWT claims set, the JSON text between the dots. Claims that are not ours are
    /// ignored, as RFC 7519 section 4 asks for; claims that appear twice are refused, as it allows.
    pub fn from_json(json: &[u8]) -> Result<Self, Denial> {
        let raw: RawClaims = json_object(json).ok_or(Denial::BadClaims(NOT_AN_OBJECT))?;
        Ok(Self {
            sub: raw.sub.map(|value| name(&value)).transpose()?,
            rooms: raw.rooms.map_or(Ok(RoomGrant::All), |value| room_grant(&value))?,
            exp: raw.exp.map(|value| numeric_date(&value, "exp must be a number of seconds since 1970")).transpose()?,
            nbf: raw.nbf.map(|value| numeric_date(&value, "nbf must be a number of seconds since 1970")).transpose()?,
            iat: raw.iat.map(|value| numeric_date(&value, "iat must be a number of seconds since 1970")).transpose()?,
        })
    }

    /// Holds the claims against the clock. There is no leeway: both ends are told what time the
    /// other one means.
    pub fn admit(self, unix_now: u64) -> Result<Identity, Denial> {
        // RFC 7519 section 4.1.4: "on or after" exp the token must not be accepted, so equality is
        // too late.
        if let Some(exp) = self.exp
            && unix_now >= exp
        {
            return Err(Denial::Expired { ago_s: unix_now - exp });
        }
        // RFC 7519 section 4.1.5: only "before" nbf is too early.
        if let Some(nbf) = self.nbf
            && unix_now < nbf
        {
            return Err(Denial::NotYetValid { in_s: nbf - unix_now });
        }
        Ok(Identity { name: self.sub, rooms: self.rooms, expires: self.exp })
    }
}

/// Reads one JSON object. `None` for anything else: serde would take an array for a struct, field
/// by field.
pub(super) fn json_object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    json.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(json).ok()).flatten()
}

/// Keeps an explicit `null` apart from an absent field.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The claims as they stand in the JSON, before anybody has said what type they must have.
#[derive(Deserialize)]
struct RawClaims {
    #[serde(default, deserialize_with = "present")]
    sub: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    rooms: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    exp: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    iat: Option<Value>,
}

fn name(value: &Value) -> Result<String, Denial> {
    let name = value.as_str().ok_or(Denial::BadClaims("sub must be a string"))?;
    check_name(name).map_err(|problem| Denial::BadClaims(problem.as_str()))?;
    Ok(name.to_owned())
}

fn room_grant(value: &Value) -> Result<RoomGrant, Denial> {
    const SHAPE: Denial = Denial::BadClaims("rooms must be an array of strings or one comma-separated string");
    let bad_pattern = |problem: PatternProblem| Denial::BadClaims(problem.as_str());
    if let Some(list) = value.as_str() {
        return RoomGrant::parse(list).map_err(bad_pattern);
    }
    let items = value.as_array().ok_or(SHAPE)?;
    let items = items.iter().map(Value::as_str).collect::<Option<Vec<&str>>>().ok_or(SHAPE)?;
    RoomGrant::from_patterns(items).map_err(bad_pattern)
}

/// A NumericDate (RFC 7519 section 2) may have a fraction. Rounding up is exact for a clock that
/// counts whole seconds: the first whole second not before 10.5 is 11. Before 1970 becomes 0,
/// beyond the range of `u64` becomes its end.
fn numeric_date(value: &Value, otherwise: &'static str) -> Result<u64, Denial> {
    if let Some(seconds) = value.as_u64() {
        return Ok(seconds);
    }
    let seconds = value.as_f64().filter(|seconds| seconds.is_finite()).ok_or(Denial::BadClaims(otherwise))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float cast saturates, as described above"
    )]
    Ok(seconds.ceil() as u64)
}

const NOT_AN_OBJECT: &str = "the claims must be one JSON object that names each claim once, with numbers in range";

#[cfg(test)]
mod tests {
    use super::*;

    fn exp_of(number: &str) -> Result<Option<u64>, Denial> {
        Claims::from_json(format!(r#"{{"exp":{number}}}"#).as_bytes()).map(|claims| claims.exp)
    }

    #[test]
    fn numeric_dates_are_whole_fractional_tiny_or_huge() {
        for (number, seconds) in [
            ("0", 0),
            ("1700000000", 1_700_000_000),
            ("1700000000.0", 1_700_000_000),
            ("1700000000.25", 1_700_000_001),
            ("1.7e9", 1_700_000_000),
            ("-1", 0),
            ("-0.5", 0),
            ("-1e300", 0),
            ("18446744073709551615", u64::MAX),
            ("18446744073709551616", u64::MAX),
            ("1e300", u64::MAX),
        ] {
            assert_eq!(exp_of(number), Ok(Some(seconds)), "{number}");
        }
        for number in
            ["null", "\"1700000000\"", "true", "[]", "{}", "1e999", "NaN", "Infinity", "-Infinity", "0x10", ""]
        {
            assert!(matches!(exp_of(number), Err(Denial::BadClaims(_))), "{number}");
        }
    }

    #[test]
    fn rooms_are_an_array_or_a_list_and_absence_is_not_emptiness() {
        for (json, open, shut) in [
            (r#"{}"#, Some("anything"), None),
            (r#"{"rooms":["lobby","dev-*"]}"#, Some("dev-x"), Some("dev")),
            (r#"{"rooms":"lobby, dev-*"}"#, Some("lobby"), Some("ops")),
            (r#"{"rooms":[]}"#, None, Some("lobby")),
            (r#"{"rooms":""}"#, None, Some("lobby")),
            (r#"{"rooms":[""]}"#, None, Some("")),
            (r#"{"rooms":"*"}"#, Some("lobby"), None),
        ] {
            let rooms = Claims::from_json(json.as_bytes()).unwrap().rooms;
            assert!(open.is_none_or(|room| rooms.covers(room)), "{json}");
            assert!(shut.is_none_or(|room| !rooms.covers(room)), "{json}");
        }
        for json in
            [r#"{"rooms":null}"#, r#"{"rooms":7}"#, r#"{"rooms":["a",7]}"#, r#"{"rooms":{}}"#, r#"{"rooms":"a*b"}"#]
        {
            assert!(matches!(Claims::from_json(json.as_bytes()), Err(Denial::BadClaims(_))), "{json}");
        }
    }

    #[test]
    fn a_name_is_pinned_only_if_somebody_can_bear_it() {
        let yuan = Claims::from_json(r#"{"sub":"媛","aud":"elsewhere","iss":{"x":[1]}}"#.as_bytes()).unwrap();
        assert_eq!(yuan.sub.as_deref(), Some("媛"));
        let long = format!(r#"{{"sub":"{}"}}"#, "x".repeat(33));
        for json in
            [r#"{"sub":""}"#, r#"{"sub":7}"#, r#"{"sub":null}"#, r#"{"sub":"a\u0007"}"#, r#"{"sub":" a"}"#, &long]
        {
            assert!(matches!(Claims::from_json(json.as_bytes()), Err(Denial::BadClaims(_))), "{json}");
        }
    }

    #[test]
    fn only_one_object_without_repetitions_is_a_claims_set() {
        let deep = format!(r#"{{"sub":{}}}"#, "[".repeat(100_000));
        for json in ["", "null", "[]", r#"["yuan"]"#, r#"{"sub":"a","sub":"b"}"#, "{} {}", "{\"sub\":\"\u{0}\"}", &deep]
        {
            assert!(matches!(Claims::from_json(json.as_bytes()), Err(Denial::BadClaims(_))));
        }
        assert!(Claims::from_json(b"{\"sub\":\"\xff\"}").is_err(), "not UTF-8");
        assert_eq!(Claims::from_json(b" \r\n{}"), Ok(Claims::default()));
    }

    #[test]
    fn the_clock_decides_without_leeway() {
        let claims = Claims { exp: Some(100), nbf: Some(50), ..Claims::default() };
        for (now, expected) in [
            (0, Err(Denial::NotYetValid { in_s: 50 })),
            (49, Err(Denial::NotYetValid { in_s: 1 })),
            (50, Ok(Some(100))),
            (99, Ok(Some(100))),
            (100, Err(Denial::Expired { ago_s: 0 })),
            (112, Err(Denial::Expired { ago_s: 12 })),
            (u64::MAX, Err(Denial::Expired { ago_s: u64::MAX - 100 })),
        ] {
            assert_eq!(claims.clone().admit(now).map(|identity| identity.expires), expected, "at {now}");
        }
    }
}
