//! ARCHITECTURE.md and README.md against the tree that they describe.

use std::collections::BTreeSet;

use crate::source::Source;

/// Files of src that the document does not name by their path below src.
pub(crate) fn unnamed_files(sources: &[Source], architecture: &str) -> Vec<String> {
    let named: BTreeSet<&str> = words(architecture).map(|(_, word)| below_src(word)).collect();
    let unnamed = sources.iter().filter(|source| source.below_src().is_some_and(|below| !named.contains(below)));
    unnamed.map(|source| source.finding(0, "is not named in ARCHITECTURE.md; add its line to the code map")).collect()
}

/// Paths such as `room/log.rs` in the document that `exists`, given a path relative to the package, does not find.
pub(crate) fn ghost_files(document: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let paths = words(text).filter(|(_, word)| word.contains('/') && word.ends_with(".rs"));
    let ghosts = paths.filter(|(_, path)| !exists(path) && !exists(&format!("src/{path}")));
    ghosts.map(|(line, path)| format!("{document}:{line}: names {path}, which does not exist; correct it")).collect()
}

/// Citations of the form `file.rs:12` or `file.rs#L12`.
pub(crate) fn line_citations(document: &str, text: &str) -> Vec<String> {
    let cites = |line: &str| {
        let mut rests = [".rs:", ".rs#L"].into_iter().flat_map(|mark| line.split(mark).skip(1));
        rests.any(|rest| rest.starts_with(|char: char| char.is_ascii_digit()))
    };
    let lines = text.lines().enumerate().filter(|(_, line)| cites(line));
    let finding =
        |index| format!("{document}:{}: cites a line number, which rots; name the function instead", index + 1);
    lines.map(|(index, _)| finding(index)).collect()
}

/// Names of tests that the document cites and no file declares: words in backticks with at least three underscores.
pub(crate) fn ghost_tests(document: &str, text: &str, sources: &[Source]) -> Vec<String> {
    let of_name = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let quoted = line.split('`').skip(1).step_by(2);
        for name in quoted.filter(|word| word.chars().all(of_name) && word.matches('_').count() >= 3) {
            let declaration = format!("fn {name}(");
            if !sources.iter().any(|source| source.code.contains(&declaration)) {
                findings.push(format!("{document}:{}: cites {name}, which no file declares; correct it", index + 1));
            }
        }
    }
    findings
}

/// Dependencies of the package for which ARCHITECTURE.md gives no reason.
pub(crate) fn unexplained_dependencies(manifest: &str, architecture: &str) -> Vec<String> {
    let section = manifest.split("\n[").find_map(|section| section.strip_prefix("dependencies]\n")).unwrap_or_default();
    let names = section.lines().filter_map(|line| line.split_once(['=', '.']).map(|(name, _)| name.trim()));
    let unexplained = names.filter(|name| !name.starts_with('#') && !architecture.contains(&format!("`{name}`")));
    unexplained.map(|name| format!("Cargo.toml: ARCHITECTURE.md does not say why {name} is needed; add it")).collect()
}

/// A document that has become too long to be read by everyone.
pub(crate) fn overlong(document: &str, text: &str, lines_max: usize) -> Option<String> {
    let lines = text.lines().count();
    (lines > lines_max).then(|| format!("{document}:{lines}: {lines_max} lines are the limit; cut what seldom helps"))
}

/// The words that could be paths, each with its line number.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let of_path = |char: char| char.is_alphanumeric() || "_-./".contains(char);
    let numbered = text.lines().enumerate();
    numbered.flat_map(move |(index, line)| {
        let words =
            line.split(move |char| !of_path(char)).map(|word| word.trim_end_matches('.').trim_start_matches("./"));
        words.filter(|word| !word.is_empty()).map(move |word| (index + 1, word))
    })
}

fn below_src(path: &str) -> &str {
    path.strip_prefix("src/").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_its_whole_path() {
        let sources = [Source::new("src/room/log.rs", ""), Source::new("src/cli.rs", "")];
        for complete in ["room/log.rs, and cli.rs.", "| `src/room/log.rs` | `cli.rs` |"] {
            assert!(unnamed_files(&sources, complete).is_empty(), "{complete}");
        }
        let findings = unnamed_files(&sources, "log.rs cli.rs old/room/log.rs");
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings.concat().starts_with("src/room/log.rs:1: is not named"), "{findings:?}");
    }

    #[test]
    fn a_named_file_exists_below_src_or_below_the_package() {
        let exists = |path: &str| ["src/room/log.rs", "tests/tidy/main.rs"].contains(&path);
        assert!(ghost_files("A.md", "`room/log.rs` src/room/log.rs tests/tidy/main.rs. cli.rs a/b", exists).is_empty());
        let findings = ghost_files("A.md", "x\nroom/gone.rs", exists);
        assert!(findings.concat().starts_with("A.md:2: names room/gone.rs"), "{findings:?}");
    }

    #[test]
    fn line_numbers_are_no_citations() {
        assert!(line_citations("A.md", "room/log.rs: appends. 127.0.0.1:8080, cli.rs").is_empty());
        let findings = line_citations("A.md", "a\nsee room/log.rs:12\nand log.rs#L7");
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings.concat().starts_with("A.md:2: cites"), "{findings:?}");
    }

    #[test]
    fn a_cited_test_is_declared_somewhere() {
        let sources = [Source::new("src/a.rs", "#[cfg(test)]\nmod tests {\n    fn what_is_said_is_heard() {}\n}\n")];
        assert!(ghost_tests("A.md", "`what_is_said_is_heard`, `limits.unread_age`, `turn_read`", &sources).is_empty());
        let findings = ghost_tests("A.md", "x\n`what_is_not_said_is_heard`", &sources);
        assert!(findings.concat().starts_with("A.md:2: cites what_is_not_said_is_heard"), "{findings:?}");
    }

    #[test]
    fn every_dependency_has_its_reason() {
        let manifest =
            "[package]\nname = \"x\"\n\n[dependencies]\nmio = \"1\"\nslab.version = \"0.4\"\n\n[lints]\nunused = 1\n";
        assert!(unexplained_dependencies(manifest, "| `mio`, `slab` | the poll |").is_empty());
        let findings = unexplained_dependencies(manifest, "`mio` slab");
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings.concat().contains("why slab is needed"), "{findings:?}");
    }

    #[test]
    fn a_document_has_a_limit() {
        assert_eq!(overlong("A.md", "a\nb\n", 2), None);
        assert!(overlong("A.md", "a\nb\nc", 2).is_some());
    }
}
