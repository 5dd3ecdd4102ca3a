//! The files below `dist` that are made from the code: sample configuration, man pages, completions. They are committed,
//! so that packagers need no compiler to read them, and held against the code that they are made of.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use hollerd::cli::Cli;
use hollerd::config;

use crate::manual;

/// What rewrites all of them, for messages.
pub(crate) const REGENERATE: &str = "REGENERATE=1 cargo test --test tidy";

/// A path below the package, and what the file must say.
pub(crate) type Generated = (&'static str, String);

pub(crate) fn all() -> Vec<Generated> {
    vec![
        ("dist/hollerd.toml", config::sample()),
        ("dist/debian/hollerd.toml", packaged()),
        ("dist/man/hollerd.8", manual::daemon()),
        ("dist/man/hollerd.toml.5", manual::configuration()),
        ("dist/completions/hollerd.bash", completion(Shell::Bash)),
        ("dist/completions/_hollerd", completion(Shell::Zsh)),
        ("dist/completions/hollerd.fish", completion(Shell::Fish)),
    ]
}

/// One finding per file that is missing or says something else.
pub(crate) fn stale(root: &Path, files: &[Generated]) -> Vec<String> {
    let differs = |(path, text): &&Generated| fs::read_to_string(root.join(path)).ok().as_ref() != Some(text);
    let finding = |(path, _): &Generated| {
        format!("{path}: is not what the code would generate; write all generated files anew with: {REGENERATE}")
    };
    files.iter().filter(differs).map(finding).collect()
}

/// Writes them. A finding is a file that could not be written.
pub(crate) fn write(root: &Path, files: &[Generated]) -> Vec<String> {
    let written = |(path, text): &Generated| {
        let path = root.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, text)
    };
    files.iter().filter_map(|file| written(file).err().map(|error| format!("{}: {error}", file.0))).collect()
}

/// The configuration that a package installs: the sample, and the one thing that a service cannot do without, a key that
/// outlives it.
fn packaged() -> String {
    config::sample().replacen(
        "#jwt_keys = []",
        "# The package made this one, in /etc/hollerd/jwt.secret; the unit hands it over with LoadCredential=.\n\
         jwt_keys = [\"credential:jwt\"]",
        1,
    )
}

fn completion(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hollerd", &mut script);
    // Some lines of the generated scripts end with blanks, which no editor leaves alone.
    let lines =
        String::from_utf8_lossy(&script).lines().map(|line| format!("{}\n", line.trim_end())).collect::<String>();
    format!("{}\n", lines.trim_end())
}

#[cfg(test)]
mod tests {
    use hollerd::config::{Config, Overrides};

    use super::*;

    #[test]
    fn the_packaged_file_differs_in_the_key_alone() {
        let text = packaged();
        let file = Some((Path::new("hollerd.toml"), text.as_str()));
        let mut config = Config::load(file, std::iter::empty(), &Overrides::default()).unwrap();
        assert_eq!(config.auth.jwt_keys, [Path::new("credential:jwt")]);
        config.auth.jwt_keys.clear();
        assert_eq!(config, Config::default());
    }

    #[test]
    fn a_missing_and_a_changed_file_are_found_and_mended() {
        let root = std::env::temp_dir().join(format!("hollerd-generated-{}", std::process::id()));
        let files = [("a/one", "1\n".to_owned()), ("two", "2\n".to_owned())];
        assert_eq!(stale(&root, &files).len(), 2);
        assert_eq!(write(&root, &files), Vec::<String>::new());
        assert_eq!(stale(&root, &files), Vec::<String>::new());
        fs::write(root.join("two"), "3\n").unwrap();
        let findings = stale(&root, &files);
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings.concat().starts_with("two: is not") && findings.concat().contains(REGENERATE), "{findings:?}");
    }
}
