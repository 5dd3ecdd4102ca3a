//! Puts defaults, file, environment and flags on top of each other, the later one winning, and
//! collects every mistake on the way instead of stopping at the first.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::choice::{AuthMode, LogLevel};
use super::error::{ConfigError, Hint, Place, Problem};
use super::listen::ListenAddress;
use super::rules::Rule;
use super::settings::{Config, SECTIONS, SETTINGS};
use super::suggest::nearest;
use super::table::{ENV_PREFIX, Setting};
use super::value::{Raw, quote, shorten};

/// What the command line sets; `None` and an empty list leave the other layers alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--listen`, replacing the whole list.
    pub listen: Vec<ListenAddress>,
    /// `--auth`.
    pub auth: Option<AuthMode>,
    /// `--log-level`.
    pub log_level: Option<LogLevel>,
}

impl Config {
    /// Builds the configuration from the path and text of a file, the environment (of which only
    /// names that start with `HOLLERD_` are looked at) and the command line.
    ///
    /// # Errors
    /// All mistakes of all layers, in the order of the layers and of the lines. A file that is not
    /// TOML contributes only its syntax errors, because what its keys are is then a guess.
    pub fn load(
        file: Option<(&Path, &str)>,
        env: impl Iterator<Item = (String, String)>,
        flags: &Overrides,
    ) -> Result<Self, Vec<ConfigError>> {
        let mut layers = Layers::default();
        if let Some((path, text)) = file {
            layers.file(path, text);
        }
        layers.environment(env);
        layers.flags(flags);
        layers.finish()
    }
}

/// A configuration in the making.
#[derive(Default)]
struct Layers {
    config: Config,
    errors: Vec<ConfigError>,
    /// Who set a setting last, for the rules: the message must lead to the line to change.
    origins: Vec<(&'static Setting, Place)>,
    /// Settings without a usable value. Rules about them would only repeat the mistake.
    faulty: Vec<&'static Setting>,
}

/// The file in hand, to turn byte offsets into places.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
    /// Offset of every line break, so that a file of nothing but mistakes is not slow.
    breaks: Vec<usize>,
}

impl<'a> Source<'a> {
    fn new(path: &'a Path, text: &'a str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at).collect();
        Self { path, text, breaks }
    }

    /// The place of a byte offset; lines are counted from 1.
    fn place(&self, offset: usize) -> Place {
        let before = self.breaks.partition_point(|at| *at < offset);
        Place::File { path: self.path.to_owned(), line: Some(before.saturating_add(1)) }
    }

    /// Advice for the commonest slip, a text without quotes, which the parser takes for a number
    /// or a date gone wrong. `offset` is where it stumbled.
    fn missing_quotes(&self, offset: usize) -> Option<String> {
        let (before, after) = self.text.split_at_checked(offset)?;
        let start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let end = after.find('\n').map_or(self.text.len(), |at| offset.saturating_add(at));
        let (key, value) = self.text.get(start..end)?.split_once('=')?;
        let (key, word) = (key.trim(), value.split('#').next()?.trim());
        let in_key = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let plain = key.chars().all(in_key)
            && word.chars().all(|c| in_key(c) || "/:".contains(c))
            && !word.chars().all(|c| c.is_ascii_digit() || c == '_');
        plain.then(|| format!("; a text needs quotes, as in {} = {}", printable(key), quote(word)))
    }
}

impl Layers {
    /// A table at the top with an unknown name is taken for a section and its keys are not judged:
    /// one slip in a header should not be repeated for every line below it.
    fn file(&mut self, path: &Path, text: &str) {
        let source = &Source::new(path, text);
        let (document, mistakes) = DeTable::parse_recoverable(text);
        if self.syntax(source, &mistakes) {
            return;
        }
        for (key, value) in document.get_ref() {
            let name: &str = key.get_ref();
            let place = source.place(key.span().start);
            match SECTIONS.iter().find(|section| section.name == name) {
                Some(section) => self.section(source, section.name, place, value.get_ref()),
                None if value.get_ref().is_table() && Setting::find("", name).is_none() => {
                    let nearest = nearest(name, SECTIONS.iter().map(|section| section.name));
                    self.error(place, Problem::UnknownSection(printable(name), nearest));
                }
                None => self.key(place, "", name, value),
            }
        }
    }

    /// Reports what the parser refused, and returns whether the rest of the file is worth reading:
    /// a key given twice leaves it in order, anything else makes it a guess.
    fn syntax(&mut self, source: &Source<'_>, mistakes: &[toml::de::Error]) -> bool {
        let mut broken = false;
        for mistake in mistakes {
            let span = mistake.span().unwrap_or_default();
            let place = source.place(span.start);
            // The parser goes on after a mistake; on the same line it is still stumbling over it.
            if broken && self.errors.last().is_some_and(|last| last.place == place) {
                continue;
            }
            if mistake.message() == DUPLICATE_KEY {
                let name = source.text.get(span).unwrap_or_default();
                self.error(place, Problem::Twice(printable(name)));
            } else {
                broken = true;
                let mut message = mistake.message().to_owned();
                message.extend(source.missing_quotes(span.start));
                self.error(place, Problem::Syntax(message));
            }
        }
        broken
    }

    fn section(&mut self, source: &Source<'_>, section: &'static str, at: Place, value: &DeValue<'_>) {
        let Some(table) = value.as_table() else {
            return self.error(at, Problem::NotASection(section));
        };
        for (key, value) in table {
            self.key(source.place(key.span().start), section, key.get_ref(), value);
        }
    }

    fn key(&mut self, place: Place, section: &'static str, key: &str, value: &Spanned<DeValue<'_>>) {
        match Setting::find(section, key) {
            Some(setting) => self.assign(setting, place, &Raw::Toml(value.get_ref())),
            None => {
                let hint = hint(section, key);
                self.error(place, Problem::UnknownKey { section, key: printable(key), hint });
            }
        }
    }

    /// Names with our prefix that mean nothing are mistakes: a misspelt limit would otherwise be a
    /// limit that is silently not there.
    fn environment(&mut self, env: impl Iterator<Item = (String, String)>) {
        let names: Vec<String> = SETTINGS.iter().map(Setting::env_name).collect();
        for (name, text) in env.filter(|(name, _)| name.starts_with(ENV_PREFIX)) {
            let known = names.iter().position(|known| *known == name);
            match known.and_then(|at| SETTINGS.get(at)) {
                Some(setting) => {
                    self.assign(setting, Place::Environment(name), &Raw::Bare(text.trim()));
                }
                None => {
                    let nearest = nearest(&name, names.iter().map(String::as_str));
                    let problem = Problem::UnknownVariable(nearest.map(str::to_owned));
                    self.error(Place::Environment(shorten(&name)), problem);
                }
            }
        }
    }

    /// Values are typed already, but who set them matters to the rules.
    fn flags(&mut self, flags: &Overrides) {
        if !flags.listen.is_empty() {
            self.config.listen.clone_from(&flags.listen);
            self.set_by("", "listen", Place::Flag("--listen"));
        }
        if let Some(mode) = flags.auth {
            self.config.auth.mode = mode;
            self.set_by("auth", "mode", Place::Flag("--auth"));
        }
        if let Some(level) = flags.log_level {
            self.config.log.level = level;
            self.set_by("log", "level", Place::Flag("--log-level"));
        }
    }

    /// Rules come last, because they compare what is left after all layers.
    fn finish(mut self) -> Result<Config, Vec<ConfigError>> {
        for rule in Rule::broken(&self.config) {
            let is_about = |setting: &Setting| rule.settings().contains(&(setting.section(), setting.key()));
            if !self.faulty.iter().any(|setting| is_about(setting)) {
                let place = self.place_of(&rule);
                self.error(place, Problem::Rule(rule));
            }
        }
        if self.errors.is_empty() {
            return Ok(self.config);
        }
        self.errors.sort_by(|a, b| a.place.cmp(&b.place));
        Err(self.errors)
    }

    /// A faulty value leaves the one of the layer below in place, so that the rest can be judged.
    fn assign(&mut self, setting: &'static Setting, place: Place, raw: &Raw<'_>) {
        match setting.assign(&mut self.config, raw) {
            Ok(()) => self.origins.push((setting, place)),
            Err(fault) => {
                self.faulty.push(setting);
                self.error(place, Problem::Value { setting, fault });
            }
        }
    }

    fn set_by(&mut self, section: &str, key: &str, place: Place) {
        self.origins.extend(Setting::find(section, key).map(|setting| (setting, place)));
    }

    /// The place of the first setting of a rule that somebody has set, as it counts in the end.
    fn place_of(&self, rule: &Rule) -> Place {
        let origin = |(section, key): &(&str, &str)| {
            let mut last_first = self.origins.iter().rev();
            last_first.find(|(s, _)| (s.section(), s.key()) == (*section, *key))
        };
        let found = rule.settings().iter().find_map(origin);
        found.map_or(Place::Default, |(_, place)| place.clone())
    }

    fn error(&mut self, place: Place, problem: Problem) {
        self.errors.push(ConfigError { place, problem });
    }
}

/// What an unknown key may have been meant to be. The same key in another section comes first: it
/// is the commoner slip, made by uncommenting a line and not its section.
fn hint(section: &str, key: &str) -> Hint {
    if let Some(setting) = SETTINGS.iter().find(|setting| setting.key() == key) {
        return Hint::Section(setting.section());
    }
    let keys = SETTINGS.iter().filter(|setting| setting.section() == section).map(Setting::key);
    nearest(key, keys).map_or(Hint::None, Hint::Key)
}

/// A name out of the file for a message: short and on one line. Quotes stay as they are; what
/// escaping is for is line breaks and invisible characters.
fn printable(name: &str) -> String {
    if name.is_empty() {
        return quote(name);
    }
    let escape = |c: char| {
        if "\"'\\".contains(c) { c.to_string() } else { c.escape_debug().collect() }
    };
    shorten(name).chars().map(escape).collect()
}

/// How the parser words a key or table that is already there.
const DUPLICATE_KEY: &str = "duplicate key";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::sample;
    use super::*;

    const NAME: &str = "hollerd.toml";

    fn load(file: &str, env: &[(&str, &str)], flags: &Overrides) -> Result<Config, Vec<String>> {
        let env = env.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Config::load(Some((Path::new(NAME), file)), env, flags)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    fn file_errors(file: &str) -> Vec<String> {
        load(file, &[], &Overrides::default()).expect_err(file)
    }

    /// A value other than the default that a setting can have, as TOML.
    fn another(setting: &Setting) -> String {
        let default = setting.show(&Config::default());
        let by_name = match setting.label().as_str() {
            "listen" => "[\"127.0.0.1:9\", \"[::1]:9\"]",
            "allowed_origins" => "[\"https://example.org\"]",
            "[tls] certificate" | "[tls] key" | "[tls] client_ca" => "\"a.pem\"",
            "[tls] client_auth" => "\"optional\"",
            "[sockets] unix_mode" => "\"0600\"",
            "[log] level" => "\"trace\"",
            "[log] time" => "\"never\"",
            "[auth] mode" => "\"none\"",
            "[auth] jwt_keys" => "[\"a.pem\", \"b.pem\"]",
            "[auth] keys_file" => "\"keys\"",
            "[auth] token_max" => "\"2KiB\"",
            "[auth] cookie" => "\"door\"",
            "[proxy] trusted" => "[\"10.0.0.0/8\", \"unix\"]",
            "[proxy] header" => "\"forwarded\"",
            "[chat] default_room" => "\"hall\"",
            "[chat] binary" => "\"relay\"",
            "[limits] unread" => "\"512KiB\"",
            "[history] age" => "\"11m\"",
            "[admin] listen" => "\"unix:admin.sock\"",
            "[admin] keys_file" => "\"keys\"",
            "[admin] unix_mode" => "\"0660\"",
            _ => "",
        };
        if !by_name.is_empty() {
            return by_name.to_owned();
        }
        match default.as_str() {
            "false" => "true".to_owned(),
            "true" => "false".to_owned(),
            text if text.ends_with("s\"") => "\"777ms\"".to_owned(),
            text if text.ends_with("KiB\"") => "\"32KiB\"".to_owned(),
            text if text.ends_with("MiB\"") => "\"5MiB\"".to_owned(),
            _ => "77".to_owned(),
        }
    }

    #[test]
    fn the_later_layer_wins() {
        let file = "listen = [\"127.0.0.1:1\"]\n[log]\nlevel = \"warn\"\n[auth]\nmode = \"none\"\n\
                    [limits]\nmessage = \"1KiB\"\nfragments = 7\n";
        let env = [
            ("PATH", "/bin"),
            ("HOLLERD_LISTEN", "127.0.0.1:2,[::1]:2"),
            ("HOLLERD_LOG_LEVEL", "debug"),
            ("HOLLERD_LIMITS_MESSAGE", "2KiB"),
        ];
        let flags = Overrides {
            listen: vec!["127.0.0.1:3".parse().unwrap()],
            auth: Some(AuthMode::Jwt),
            log_level: Some(LogLevel::Off),
        };
        let none = Overrides::default();
        // Layers, then what they make of the ports, log.level, auth.mode, message, fragments.
        let table = [
            (load("", &[], &none), (vec![8080], "info", "jwt", 16_384, 64)),
            (load(file, &[], &none), (vec![1], "warn", "none", 1024, 7)),
            (load(file, &env, &none), (vec![2, 2], "debug", "none", 2048, 7)),
            (load(file, &env, &flags), (vec![3], "off", "jwt", 2048, 7)),
            (load("", &env, &flags), (vec![3], "off", "jwt", 2048, 64)),
            (load("", &[], &flags), (vec![3], "off", "jwt", 16_384, 64)),
        ];
        for (config, expected) in table {
            let config = config.unwrap();
            let found = (
                config.listen.iter().filter_map(|address| Some(address.inet()?.port())).collect::<Vec<_>>(),
                config.log.level.word(),
                config.auth.mode.word(),
                config.limits.message,
                config.limits.fragments,
            );
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn every_key_can_be_set_in_the_file_and_in_the_environment() {
        for setting in SETTINGS {
            let value = another(setting);
            let section = match setting.section() {
                "" => String::new(),
                section => format!("[{section}]\n"),
            };
            let file = format!("{section}{} = {value}\n", setting.key());
            let from_file = load(&file, &[], &Overrides::default()).unwrap();
            assert_eq!(setting.show(&from_file), value);
            // Nothing else has changed: with the default put back it is the default again.
            let mut restored = from_file.clone();
            let default = setting.show(&Config::default());
            let default = DeValue::parse(&default).unwrap();
            setting.assign(&mut restored, &Raw::Toml(default.get_ref())).unwrap();
            assert_eq!(restored, Config::default(), "{file}");

            let bare = value.replace(['"', '[', ']'], "").replace("::1:9", "[::1]:9");
            let env = [(setting.env_name(), bare)];
            let env = env.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect::<Vec<_>>();
            assert_eq!(load("", &env, &Overrides::default()).unwrap(), from_file);
        }
    }

    #[test]
    fn numbers_that_fit_no_type_are_out_of_bounds() {
        for setting in SETTINGS.iter().filter(|setting| setting.bounds().is_some()) {
            let endless = "9".repeat(40);
            let shown = setting.show(&Config::default());
            let is_duration = ["s\"", "m\"", "h\""].iter().any(|unit| shown.ends_with(unit));
            let text = if is_duration { format!("{endless}h") } else { endless };
            let env = [(setting.env_name(), text)];
            let env = env.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect::<Vec<_>>();
            let errors = load("", &env, &Overrides::default()).expect_err("out of bounds");
            assert!(errors.iter().any(|error| error.contains(" must be ")), "{errors:?}");
        }
        let numeric = |setting: &&Setting| {
            let shown = setting.show(&Config::default());
            // Permissions have no more digits than they need.
            setting.key() != "unix_mode" && shown.trim_matches('"').starts_with(|c: char| c.is_ascii_digit())
        };
        let unbounded = SETTINGS.iter().filter(numeric).find(|s| s.bounds().is_none());
        assert_eq!(unbounded.map(Setting::label), None, "needs an upper bound");
    }

    /// Files with one mistake, and what is said about it.
    const MISTAKES: &[(&str, &str)] = &[
        ("\n[limits]\nmesage = 1\n", "hollerd.toml:3: [limits] mesage is not a key; did you mean \"message\"?"),
        ("lisen = []", "hollerd.toml:1: lisen is not a key; did you mean \"listen\"?"),
        ("colour = 1", "hollerd.toml:1: colour is not a key; \"hollerd config\" prints all there are"),
        ("# a\nmessage = 1", "hollerd.toml:2: message is not a key; it belongs in [limits]"),
        (
            "[log]\nlisten = []",
            "hollerd.toml:2: [log] listen is not a key; it belongs at the top, before the \
                 first section",
        ),
        ("[log]\n[limit]\nx = 1", "hollerd.toml:2: [limit] is not a section; did you mean [limits]?"),
        ("[\"a\\nb\"]", "hollerd.toml:1: [a\\nb] is not a section; \"hollerd config\" prints all there are"),
        ("log = 1", "hollerd.toml:1: log is a section; write [log] on a line of its own"),
        ("[[log]]", "hollerd.toml:1: log is a section; write [log] on a line of its own"),
        ("[listen]", "hollerd.toml:1: listen wants a list such as [\"127.0.0.1:8080\"], found a table"),
        (
            "[limits]\n\n\nfragments = \"many\"",
            "hollerd.toml:4: [limits] fragments wants a whole number such as 64, found \"many\"",
        ),
        ("[limits]\nrequest_headers = 300", "hollerd.toml:2: [limits] request_headers must be 8 to 256, found 300"),
        ("[limits]\nrequest_headers = 7", "hollerd.toml:2: [limits] request_headers must be 8 to 256, found 7"),
        (
            "[limits]\nmessage = \"16KB\"",
            "hollerd.toml:2: [limits] message has an unknown unit \"KB\"; write for example \
                 \"16KiB\" (units are B, KiB, MiB, GiB)",
        ),
        (
            "[heartbeat]\nping_interval = 25",
            "hollerd.toml:2: [heartbeat] ping_interval has no unit; write \"25s\" (units are \
                 h, m, s, ms)",
        ),
        (
            "[heartbeat]\nping_interval = \"1ms\"",
            "hollerd.toml:2: [heartbeat] ping_interval must be \"0s\" or \"10ms\" to \"24h\", \
                 found \"1ms\"",
        ),
        (
            "[log]\nlevel = \"inof\"",
            "hollerd.toml:2: [log] level wants one of error, warn, info, debug, trace, off, \
                 found \"inof\"; did you mean \"info\"?",
        ),
        ("[log]\nlevel = \"info\"\nlevel = \"warn\"", "hollerd.toml:3: level is given twice; keep one of them"),
        ("[log]\n[auth]\n[log]", "hollerd.toml:3: log is given twice; keep one of them"),
        (
            "\n[limits]\nunread = \"4MiB\"",
            "hollerd.toml:3: [limits] room_log (4MiB) must be at least twice unread (4MiB); \
                 raise it or lower unread",
        ),
        (
            "[auth]\nmode = \"keys\"",
            "hollerd.toml:2: [auth] mode = \"keys\" needs keys_file; \"hollerd token key\" \
                 makes its first line",
        ),
    ];

    #[test]
    fn each_kind_of_mistake_has_its_words_and_its_line() {
        for (file, message) in MISTAKES {
            assert_eq!(file_errors(file), [*message], "{file}");
        }
        let unquoted = [
            ("level = info", "level = \"info\""),
            ("message = 16KiB # more", "message = \"16KiB\""),
            ("keys_file = /etc/keys", "keys_file = \"/etc/keys\""),
        ];
        for (file, advice) in unquoted {
            let errors = file_errors(file);
            let [error] = errors.as_slice() else { panic!("{file}: {errors:?}") };
            let advice = format!("; a text needs quotes, as in {advice}");
            assert!(error.ends_with(&advice), "{error}");
        }
        for file in ["a\n", "listen = \n", "[log\n", "listen = [\"x\n"] {
            let errors = file_errors(&format!("\n# one\r\n{file}"));
            let [error] = errors.as_slice() else { panic!("{file}: {errors:?}") };
            assert!(error.starts_with("hollerd.toml:3: this is not TOML: "), "{error}");
        }
    }

    #[test]
    fn mistakes_outside_the_file() {
        let env = [
            ("HOLLERD_LIMITS_MESAGE", "1"),
            ("HOLLERD_PORT", "1"),
            ("HOLLERD_LISTEN", "8080"),
            ("HOLLERD_HEARTBEAT_PONG_TIMEOUT", "0s"),
        ];
        let flags = Overrides { auth: Some(AuthMode::Keys), ..Overrides::default() };
        assert_eq!(
            load("", &env, &flags).unwrap_err(),
            [
                "HOLLERD_HEARTBEAT_PONG_TIMEOUT: [heartbeat] pong_timeout must be above \"0s\" \
                 while pings are on; ping_interval = \"0s\" turns them off",
                "HOLLERD_LIMITS_MESAGE is not a setting; did you mean HOLLERD_LIMITS_MESSAGE?",
                "HOLLERD_LISTEN: listen wants an address with a port, tls:// before it if you like, or unix:PATH (at most 107 bytes), \
                 such as \"127.0.0.1:8080\", \
                 found \"8080\"",
                "HOLLERD_PORT is not a setting; \"hollerd config\" says how variables are named",
                "--auth: [auth] mode = \"keys\" needs keys_file; \"hollerd token key\" makes its \
                 first line",
            ]
        );
    }

    #[test]
    fn all_mistakes_are_reported_in_the_order_of_the_lines() {
        let file = "lisen = []\n[log]\nlevel = 1\ncolour = 1\n[limits]\nunread = \"1x\"\n\
                    room_log = \"2KiB\"\nmessage_burst = 0\nfragments = 0\nfragments = 1\n[chta]\n";
        let errors = file_errors(file);
        let lines: Vec<&str> = errors.iter().filter_map(|error| error.split(':').nth(1)).collect();
        // Line 7 is silent: how room_log compares with unread nobody knows while line 6 is wrong.
        assert_eq!(lines, ["1", "3", "4", "6", "8", "9", "10", "11"], "{errors:#?}");
    }

    #[test]
    fn dotted_and_inline_tables_are_sections_too() {
        let none = Overrides::default();
        let config = load("log.level = \"off\"\nlimits = { fragments = 3 }\n", &[], &none).unwrap();
        assert_eq!((config.log.level, config.limits.fragments), (LogLevel::Off, 3));
        let config = load("\u{feff}[shutdown]\r\ntimeout = '1m'\r\n", &[], &none).unwrap();
        assert_eq!(config.shutdown.timeout, Duration::from_secs(60));
    }

    /// The next number of a small generator (xorshift), below `n`.
    fn random(state: &mut u64, n: usize) -> usize {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        usize::try_from(*state % n as u64).unwrap()
    }

    /// A piece of `text` cut out, replaced, inserted or everything behind it lost, a few times.
    fn mutate(text: &str, seed: &mut u64) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=random(seed, 4) {
            let start = random(seed, bytes.len());
            let end = (start + random(seed, 12)).min(bytes.len());
            let piece = PIECES[random(seed, PIECES.len())].bytes();
            match random(seed, 4) {
                0 => drop(bytes.drain(start..end)),
                1 => drop(bytes.splice(start..end, piece)),
                2 => drop(bytes.splice(start..start, piece)),
                _ => bytes.truncate(bytes.len() - random(seed, 40)),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What means something to a TOML parser, to an integer, or to a terminal.
    #[rustfmt::skip]
    const PIECES: &[&str] = &[
        "\"", "'", "\"\"\"", "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "#", "\n", "\r", "\0",
        "\\", "\\u", "é", "\u{202e}", "-", "+", "_", "0x", "1e999", "inf", "nan",
        "9999999999999999999999", "1979-05-27T07:32:00Z", "[limits]", "log.", "listen", "true",
        "\"1h\"", "KiB",
    ];

    #[test]
    fn no_file_can_make_it_panic() {
        let mut seed = 0x9e37_79b9_7f4a_7c15;
        let whole: String = sample()
            .lines()
            .filter(|line| !line.starts_with("# "))
            .map(|line| format!("{}\n", line.trim_start_matches('#')))
            .collect();
        let mut refused = 0;
        for _ in 0..2_000 {
            let text = mutate(&whole, &mut seed);
            let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
            let file = Some((Path::new(NAME), text.as_str()));
            let result = Config::load(file, std::iter::empty(), &Overrides::default());
            for error in result.err().into_iter().flatten() {
                refused += 1;
                let message = error.to_string();
                assert!(!message.chars().any(char::is_control), "{message:?}");
                let Place::File { line: Some(line), .. } = error.place else { panic!("{message} has no line") };
                assert!((1..=lines).contains(&line), "{message}");
            }
        }
        assert!(refused > 1_000, "the mutations hit something: {refused}");
    }

    #[test]
    fn deep_nesting_and_long_names_are_only_mistakes() {
        for file in [
            format!("a = {}", "[".repeat(100_000)),
            format!("a = {}1{}", "[".repeat(10_000), "]".repeat(10_000)),
            format!("{}b = 1", "a.".repeat(20_000)),
            format!("{} = 1", "m".repeat(500_000)),
            format!("[log]\nlevel = \"{}\"", "i".repeat(500_000)),
        ] {
            let errors = file_errors(&file);
            assert!(errors.iter().all(|error| error.len() < 300), "{:?}", errors.first());
        }
    }
}
