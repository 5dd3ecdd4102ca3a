//! The `id` of a message that is no JSON object: who waits for an answer to it should learn that none will come.

use super::client::ID_MAX_CHARS;
use super::value::decode;

/// RFC 8259 section 2.
pub(super) const WHITE_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// Looks for `"id": "…"` at the top of what may have been meant as an object. It goes from text to text and from bracket to
/// bracket, and takes no offence at what is between them.
pub(super) fn id(text: &str) -> Option<String> {
    let mut rest = text.trim_start_matches(WHITE_SPACE).trim_start_matches('\u{feff}').strip_prefix('{')?;
    let mut depth = 1_usize;
    while depth > 0 {
        let (_, from) = rest.split_at_checked(rest.find(['"', '{', '[', '}', ']'])?)?;
        let length = match from.as_bytes().first()? {
            b'"' => literal(from)?.len(),
            b'{' | b'[' => {
                depth = depth.saturating_add(1);
                1
            }
            _ => {
                depth = depth.saturating_sub(1);
                1
            }
        };
        let (token, after) = from.split_at_checked(length)?;
        rest = after;
        if depth == 1
            && token == "\"id\""
            && let Some(value) = after.trim_start_matches(WHITE_SPACE).strip_prefix(':')
        {
            let id = decode(literal(value.trim_start_matches(WHITE_SPACE))?).ok()?;
            return (1..=ID_MAX_CHARS).contains(&id.chars().count()).then(|| id.into_owned());
        }
    }
    None
}

/// The text literal that `json` begins with, its quotation marks included.
fn literal(json: &str) -> Option<&str> {
    let mut escaped = false;
    let inner = json.strip_prefix('"')?;
    let closing = inner.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })?;
    json.get(..closing + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_wherever_the_object_is_broken() {
        for message in [
            r#"{"id":"m1""#,
            r#"{"id":"m1",}"#,
            r#"{"type":"say","text":nonsense,"id":"m1"}"#,
            r#"{'type':'say',"id":"m1"}"#,
            r#"{"type":"say","text":"a\"b\\","id" : "m\u0031"} and more"#,
            r#"{"new":{"id":"m2","a":["id"]},"text":"\"id\":\"m3\"","id":"m1"]"#,
            "{\"text\":\"a\nb\",\r\n\"id\":\t\"m1\"}",
            "\u{feff}{\"id\":\"m1\"}",
            r#"{"type":"id","id":"m1",,}"#,
        ] {
            assert_eq!(id(message).as_deref(), Some("m1"), "{message}");
        }
    }

    #[test]
    fn what_is_no_id_is_not_taken_for_one() {
        let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(65));
        for message in [
            "",
            "id",
            r#""id":"m1""#,
            r#"["id":"m1"]"#,
            r#"{"id"}"#,
            r#"{"id":"#,
            r#"{"id":"m1"#,
            r#"{"id":"m1\"#,
            r#"{"id":7,"x":"m1"}"#,
            r#"{"id":""}"#,
            r#"{"id":"\ud800"}"#,
            r#"{"a":[{"id":"m1"}]"#,
            r#"{"a":"id":}"#,
            r#"{}{"id":"m1"}"#,
            r#"}{"id":"m1"}"#,
            long.as_str(),
        ] {
            assert_eq!(id(message), None, "{message}");
        }
    }

    #[test]
    fn megabytes_of_junk_are_read_once() {
        for junk in ["{", "}", "\"", "\\", "{\"id\":", "{\"id\"", "\"id\":\"", "id", "\u{feff}"] {
            let junk = junk.repeat(1 << 18);
            assert_eq!(id(&junk), None);
            let _either = id(&format!("{{{junk}"));
        }
    }
}
