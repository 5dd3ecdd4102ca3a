//! Where to listen, and what may be done with a socket that is a file.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use super::error::Fault;
use super::value::{Raw, Value, quote, quote_all, wrong};

/// Where to listen, and what is spoken there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListenAddress {
    /// TCP: `127.0.0.1:8080`.
    Tcp(SocketAddr),
    /// TLS over TCP: `tls://0.0.0.0:8443`.
    Tls(SocketAddr),
    /// A socket that is a file: `unix:/run/hollerd/hollerd.sock`.
    Unix(PathBuf),
}

/// The permissions of a file, as `chmod` takes them: `0660`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileMode(u32);

const UNIX: &str = "unix:";
const TLS: &str = "tls://";
/// The kernel's `sockaddr_un` has 108 bytes for the path, of which one ends it.
const UNIX_PATH_MAX: usize = 107;

impl ListenAddress {
    /// The address of a socket that has one.
    pub fn inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) | Self::Tls(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Tls(address) => write!(f, "{TLS}{address}"),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        Self::read(&Raw::Bare(text))
    }
}

impl Value for ListenAddress {
    const WHAT: &'static str =
        "an address with a port, tls:// before it if you like, or unix:PATH (at most 107 bytes),";

    fn example() -> String {
        quote("127.0.0.1:8080")
    }

    fn read(raw: &Raw<'_>) -> Result<Self, Fault> {
        let text = raw.text().ok_or_else(|| wrong::<Self>(raw))?;
        let address = match text.strip_prefix(UNIX) {
            Some(path) => {
                let fits = (1..=UNIX_PATH_MAX).contains(&path.len()) && !path.contains('\0');
                fits.then(|| Self::Unix(PathBuf::from(path)))
            }
            None => match text.strip_prefix(TLS) {
                Some(address) => address.parse().ok().map(Self::Tls),
                None => text.parse().ok().map(Self::Tcp),
            },
        };
        address.ok_or_else(|| wrong::<Self>(raw))
    }

    fn show(&self) -> String {
        quote_all(&self.to_string())
    }
}

impl Value for Option<ListenAddress> {
    const WHAT: &'static str = ListenAddress::WHAT;

    fn example() -> String {
        ListenAddress::example()
    }

    fn read(raw: &Raw<'_>) -> Result<Self, Fault> {
        if raw.text() == Some("") { Ok(None) } else { ListenAddress::read(raw).map(Some) }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| quote(""), Value::show)
    }
}

impl FileMode {
    /// The bits: owner, group and others, three each.
    pub fn bits(self) -> u32 {
        self.0
    }

    pub(super) const fn new(bits: u32) -> Self {
        Self(bits)
    }
}

impl Value for FileMode {
    const WHAT: &'static str = "the permissions of a file in octal";

    fn example() -> String {
        quote("0660")
    }

    /// A number alone is not taken: TOML would read it as a decimal one, and that would open other doors.
    fn read(raw: &Raw<'_>) -> Result<Self, Fault> {
        let digits = raw.text().filter(|text| (3..=4).contains(&text.len()));
        let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let bits = digits.and_then(|digits| u32::from_str_radix(digits, 8).ok());
        bits.filter(|bits| *bits <= 0o777).map(Self).ok_or_else(|| wrong::<Self>(raw))
    }

    fn show(&self) -> String {
        quote(&format!("{:04o}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_address_is_read_and_shown_as_it_was() {
        for text in [
            "127.0.0.1:8080",
            "[::1]:0",
            "tls://127.0.0.1:8443",
            "tls://[::1]:0",
            "unix:/run/hollerd/hollerd.sock",
            "unix:hollerd.sock",
        ] {
            let address: ListenAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address.inet().is_some(), !text.starts_with("unix:"), "{text}");
        }
        let long = format!("unix:/{}", "x".repeat(UNIX_PATH_MAX));
        for text in [
            "",
            "localhost:80",
            "127.0.0.1",
            "unix:",
            "unix",
            "http://127.0.0.1:80",
            "tls:127.0.0.1:1",
            "tls://a:1",
            "unix:a\0b",
            &long,
        ] {
            let error = text.parse::<ListenAddress>().unwrap_err().to_string();
            assert!(error.starts_with("wants an address with a port, tls://"), "{error}");
        }
    }

    #[test]
    fn permissions_are_octal_texts() {
        for (text, bits) in [("0660", 0o660), ("777", 0o777), ("0000", 0)] {
            assert_eq!(FileMode::read(&Raw::Bare(text)).unwrap().bits(), bits, "{text}");
        }
        for text in ["", "66", "00660", "0o660", "0668", "1777", "rw-", "+660"] {
            assert!(FileMode::read(&Raw::Bare(text)).is_err(), "{text}");
        }
        let number = toml::de::DeValue::parse("0o660").unwrap();
        assert!(FileMode::read(&Raw::Toml(number.get_ref())).is_err());
        assert_eq!(FileMode::new(0o60).show(), "\"0060\"");
    }
}
