//! Turns the rows of `settings` into code: one struct per section, the defaults, and a static list
//! of [`Setting`]s that knows how to name, show and assign each field.
//!
//! A macro, because a struct field, its default and its key must not be able to drift apart, and
//! fields stay plain typed data that the rest of the daemon reads without a look-up.

use std::fmt;

use super::error::Fault;
use super::settings::Config;
use super::value::Raw;

/// One key of the configuration: everything known about it except its Rust type.
pub struct Setting {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    pub(super) doc: &'static [&'static str],
    pub(super) bounds: fn() -> Option<String>,
    pub(super) show: fn(&Config) -> String,
    pub(super) assign: fn(&mut Config, &Raw<'_>) -> Result<(), Fault>,
}

/// A `[section]` of the file with the sentences that stand above it in the sample.
pub struct Section {
    /// Name without brackets.
    pub name: &'static str,
    pub(super) doc: &'static [&'static str],
}

impl Setting {
    /// Section without brackets; empty for the keys at the top of the file.
    pub fn section(&self) -> &'static str {
        self.section
    }

    /// Key within its section.
    pub fn key(&self) -> &'static str {
        self.key
    }

    /// What the setting is for, in lines of at most 96 characters.
    pub fn doc(&self) -> impl Iterator<Item = &'static str> {
        self.doc.iter().map(|line| line.trim())
    }

    /// What numbers are allowed, as in `8 to 256`; `None` where every value of the type is.
    pub fn bounds(&self) -> Option<String> {
        (self.bounds)()
    }

    /// The value in `config`, written as TOML.
    pub fn show(&self, config: &Config) -> String {
        (self.show)(config)
    }

    /// Name of the environment variable that sets it, such as `HOLLERD_LIMITS_MESSAGE`.
    pub fn env_name(&self) -> String {
        let section = self.section.to_ascii_uppercase();
        let separator = if section.is_empty() { "" } else { "_" };
        format!("{ENV_PREFIX}{section}{separator}{}", self.key.to_ascii_uppercase())
    }

    /// How messages name it: `[limits] message`, or `listen` at the top.
    pub fn label(&self) -> String {
        label(self.section, self.key)
    }

    pub(super) fn assign(&self, config: &mut Config, raw: &Raw<'_>) -> Result<(), Fault> {
        (self.assign)(config, raw)
    }

    /// The row for a key, if there is one. `section` is empty for the top of the file.
    pub(super) fn find(section: &str, key: &str) -> Option<&'static Self> {
        super::settings::SETTINGS.iter().find(|s| s.section == section && s.key == key)
    }
}

/// Section and key name a setting, so they are what makes two of them the same.
impl PartialEq for Setting {
    fn eq(&self, other: &Self) -> bool {
        (self.section, self.key) == (other.section, other.key)
    }
}

impl Eq for Setting {}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Setting({})", self.label())
    }
}

impl Section {
    /// What the section is about, line by line.
    pub fn doc(&self) -> impl Iterator<Item = &'static str> {
        self.doc.iter().map(|line| line.trim())
    }
}

/// `[section] key`, or the bare key at the top of the file.
pub(super) fn label(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("[{section}] {key}") }
}

/// Every environment variable that starts with this is taken for a setting.
pub(super) const ENV_PREFIX: &str = "HOLLERD_";

macro_rules! settings {
    (
        $(#[doc = $root_doc:literal])+
        $root:ident { $(
            $(#[doc = $top_doc:literal])+
            $top:ident: $top_type:ty = $top_default:expr, $top_bounds:expr;
        )+ }
        $(
            $(#[doc = $section_doc:literal])+
            $section:ident: $name:ident { $(
                $(#[doc = $doc:literal])+
                $key:ident: $type:ty = $default:expr, $bounds:expr;
            )+ }
        )+
    ) => {
        $(#[doc = $root_doc])+
        #[allow(rustdoc::bare_urls, reason = "the same lines are prose in the sample file")]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $root {
            $( $(#[doc = $top_doc])+ pub $top: $top_type, )+
            $( $(#[doc = $section_doc])+ pub $section: $name, )+
        }

        impl Default for $root {
            fn default() -> Self {
                Self { $( $top: $top_default, )+ $( $section: $name::default(), )+ }
            }
        }

        $(
            $(#[doc = $section_doc])+
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct $name {
                $( $(#[doc = $doc])+ pub $key: $type, )+
            }

            impl Default for $name {
                fn default() -> Self {
                    Self { $( $key: $default, )+ }
                }
            }
        )+

        /// All settings in the order of the sample file.
        pub static SETTINGS: &[$crate::config::Setting] = &[
            $( $crate::config::table::row! {
                "", $top, [$($top_doc),+], $top_type, $top_bounds, $top
            }, )+
            $( $( $crate::config::table::row! {
                stringify!($section), $key, [$($doc),+], $type, $bounds, $section.$key
            }, )+ )+
        ];

        /// All sections in the order of the sample file.
        pub static SECTIONS: &[$crate::config::Section] = &[
            $( $crate::config::Section { name: stringify!($section), doc: &[$($section_doc),+] }, )+
        ];
    };
}

/// One entry of `SETTINGS`; the last tokens are the path from the configuration to the field.
macro_rules! row {
    (
        $section:expr, $key:ident, [$($doc:literal),+], $type:ty, $bounds:expr, $($field:tt)+
    ) => {
        $crate::config::Setting {
            section: $section,
            key: stringify!($key),
            doc: &[$($doc),+],
            bounds: || $crate::config::bounds::Bounds::<$type>::describe(&$bounds),
            show: |config| $crate::config::value::Value::show(&config.$($field)+),
            assign: |config, raw| {
                config.$($field)+ = $crate::config::bounds::read(raw, &$bounds)?;
                Ok(())
            },
        }
    };
}

pub(super) use {row, settings};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_key() {
        let table = [
            ("", "listen", "listen", "HOLLERD_LISTEN"),
            ("", "allowed_origins", "allowed_origins", "HOLLERD_ALLOWED_ORIGINS"),
            ("limits", "message", "[limits] message", "HOLLERD_LIMITS_MESSAGE"),
            ("auth", "jwt_keys", "[auth] jwt_keys", "HOLLERD_AUTH_JWT_KEYS"),
        ];
        for (section, key, label, env_name) in table {
            let setting = Setting::find(section, key).unwrap();
            assert_eq!((setting.label().as_str(), setting.env_name().as_str()), (label, env_name));
        }
        assert!(Setting::find("limits", "listen").is_none());
    }
}
