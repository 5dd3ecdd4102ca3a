//! Percent-encoded text: parts of a path, and the parameters behind the question mark.

use super::problem::Problem;

/// The parameters of a request, each at most once.
#[derive(Debug, Default)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads `name=value&…`.
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // Here, but not in a path, a plus sign is a space: so browsers and most libraries write one.
            let (name, value) = (decode(&name.replace('+', " "))?, decode(&value.replace('+', " "))?);
            if pairs.iter().any(|(other, _)| *other == name) {
                return Err(Problem::bad(format!("the parameter {name} is there twice")));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// Takes the value of a parameter out.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.pairs.iter().position(|(other, _)| other == name)?;
        Some(self.pairs.swap_remove(at).1)
    }

    /// As [`Query::take`], for a number.
    pub(super) fn take_number(&mut self, name: &str) -> Result<Option<u32>, Problem> {
        let Some(text) = self.take(name) else { return Ok(None) };
        // `u32::from_str` would take a leading plus sign.
        let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        number.map(Some).ok_or_else(|| Problem::bad(format!("the parameter {name} must be a whole number")))
    }

    /// To be called when all that have a meaning are taken out.
    pub(super) fn finish(self, known: &'static str) -> Result<(), Problem> {
        match self.pairs.first() {
            Some((name, _)) => {
                Err(Problem::bad(format!("there is no parameter {} here; there is {known}", name.escape_debug())))
            }
            None => Ok(()),
        }
    }
}

/// Decodes `%XX` (RFC 3986 section 2.1).
pub(super) fn decode(text: &str) -> Result<String, Problem> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let byte = part.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = byte.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or_else(|| Problem::bad("a % in the address must have two hex digits behind it"))?);
        bytes.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| Problem::bad("the address must be UTF-8, percent-encoded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_bad_ones_refused() {
        for (text, decoded) in [("", ""), ("yuan", "yuan"), ("a%20b+c%2f", "a b+c/"), ("%e5%9c%86", "圆")] {
            assert_eq!(decode(text).unwrap(), decoded, "{text}");
        }
        for text in ["%", "a%4", "%zz", "%+4", "%ff", "%e5%9c", "%é"] {
            assert!(decode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parameters_are_taken_one_by_one() {
        let mut query = Query::parse(Some("after=7&&name=a+b%2B&flag")).unwrap();
        assert_eq!(query.take_number("after").unwrap(), Some(7));
        assert_eq!(query.take_number("after").unwrap(), None);
        assert_eq!(query.take("name").as_deref(), Some("a b+"));
        assert!(query.finish("after").unwrap_err().text().contains("flag"));
        assert!(Query::parse(None).unwrap().finish("nothing").is_ok());
        assert!(Query::parse(Some("a=1&a=2")).is_err());
        for number in ["", "x", "-1", "+1", "4294967296"] {
            let mut query = Query::parse(Some(&format!("n={}", number.replace('+', "%2B")))).unwrap();
            assert!(query.take_number("n").is_err(), "{number}");
        }
    }
}
