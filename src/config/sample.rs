//! The whole configuration as a file with every setting commented out at its default.

use super::settings::{Config, SECTIONS, SETTINGS};

/// Text of a configuration file that changes nothing. A line of prose starts with `# `, a setting
/// with `#` and its key, so that taking away one character switches it on.
pub fn sample() -> String {
    let mut text = HEADER.to_owned();
    settings_of("", &mut text);
    for section in SECTIONS {
        text.push('\n');
        prose(section.doc(), &mut text);
        text.push_str(&format!("[{}]\n", section.name));
        settings_of(section.name, &mut text);
    }
    text
}

/// The settings of one section; an empty line before each keeps prose and key together.
fn settings_of(section: &str, text: &mut String) {
    let defaults = Config::default();
    for setting in SETTINGS.iter().filter(|setting| setting.section() == section) {
        text.push('\n');
        prose(setting.doc(), text);
        text.extend(setting.bounds().map(|bounds| format!("# Range: {bounds}.\n")));
        text.push_str(&format!("#{} = {}\n", setting.key(), setting.show(&defaults)));
    }
}

fn prose(lines: impl Iterator<Item = &'static str>, text: &mut String) {
    text.extend(lines.map(|line| format!("# {line}\n")));
}

const HEADER: &str = r#"# hollerd.toml: all settings of hollerd, commented out at their defaults.
#
# Take away the # in front of a key to set it; "hollerd check -c FILE" then tries the file.
# Durations carry a unit: "200ms", "25s", "2m", "1h30m". Sizes are bytes: 16384 or "16KiB",
# "1MiB". Every setting can also come from the environment, which wins over this file: HOLLERD_,
# section, key, as in HOLLERD_LIMITS_MESSAGE=32KiB or HOLLERD_LISTEN=127.0.0.1:0,[::1]:0
# (lists with commas). Options of the command line win over both.
"#;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Overrides;
    use super::*;

    const REGENERATE: &str = "REGENERATE=1 cargo test --test tidy";
    const SHIPPED: &str = include_str!("../../dist/hollerd.toml");

    /// The sample with every setting switched on.
    fn uncommented(text: &str) -> String {
        let switch_on = |line: &str| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest.to_owned(),
            _ => line.to_owned(),
        };
        text.lines().map(switch_on).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_shipped_file_is_the_sample() {
        assert_eq!(
            SHIPPED,
            sample(),
            "dist/hollerd.toml is out of date; write all generated files anew with: {REGENERATE}"
        );
    }

    #[test]
    fn the_shipped_file_says_the_defaults() {
        for text in [SHIPPED.to_owned(), uncommented(SHIPPED)] {
            let file = Some((Path::new("hollerd.toml"), text.as_str()));
            let config = Config::load(file, std::iter::empty(), &Overrides::default());
            assert_eq!(config, Ok(Config::default()));
        }
        let document = uncommented(SHIPPED);
        let keys = document.lines().filter(|line| line.contains(" = ") && !line.starts_with('#'));
        assert_eq!(keys.count(), SETTINGS.len(), "every setting is switched on by the test");
    }

    #[test]
    fn every_setting_stands_below_one_to_four_lines_of_prose() {
        let mut prose = 0;
        for line in sample().lines() {
            assert!(line.chars().count() <= 100, "{line}");
            if line.starts_with("# ") {
                prose += 1;
            } else if line.starts_with('#') && line.len() > 1 {
                assert!((1..=4).contains(&prose), "{prose} lines above {line}");
                prose = 0;
            } else {
                prose = 0;
            }
        }
    }
}
