//! Words that say a thing is unfinished, may end the process, or makes a test unreliable.

use crate::paths::paths;
use crate::source::Source;

/// Notes to oneself, in code and in comments. They belong in the issue tracker, or better: done.
pub(crate) fn unfinished(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for word in UNFINISHED {
            for (offset, _) in
                source.text.match_indices(word).filter(|&(offset, _)| is_whole(&source.text, offset, word))
            {
                findings.push(source.finding(offset, &format!("`{word}`: do it now or leave it out")));
            }
        }
    }
    findings
}

/// Ways to end the process that a peer, a file or a forgotten case could set off. What the compiler itself evaluates,
/// the value of a `const`, can only end the build.
pub(crate) fn panics(sources: &[Source]) -> Vec<String> {
    let endings = [".unwrap()", "::unwrap", ".expect(", "panic!", "todo!", "unimplemented!"];
    let advice = "would end everybody's connection; return an error, or `let … else`";
    search(sources, without_constants, &endings, advice)
}

/// Tests that are switched off without a word, and tests that a wrong panic satisfies.
pub(crate) fn weak_tests(sources: &[Source]) -> Vec<String> {
    let ignored = search(sources, |source| source.code.clone(), &["#[ignore]"], "needs `= \"why\"`");
    let panicking =
        search(sources, |source| source.code.clone(), &["#[should_panic"], "passes on any panic; assert on a value");
    [ignored, panicking].concat()
}

/// Waiting for a time instead of for an event: too short on a loaded machine, too long on all others.
pub(crate) fn sleeps(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for path in paths(&source.code).iter().filter(|path| path.names("thread::sleep")) {
            let what = "sleeps; wait for the event with a deadline, or move a virtual clock";
            findings.push(source.finding(path.offset, what));
        }
    }
    findings
}

/// Paths of the machine that a file was written on.
pub(crate) fn machine_paths(files: &[(String, String)]) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in files {
        let temporary = path.starts_with("src/") || path.ends_with(".md");
        let words = MACHINE_PATHS.iter().chain(temporary.then_some(&TEMPORARY));
        for word in words {
            for (index, _) in text.lines().enumerate().filter(|(_, line)| line.contains(word)) {
                findings.push(format!("{path}:{}: names a path of one machine, {word}; leave it out", index + 1));
            }
        }
    }
    findings
}

/// The shipped code with the values of constants blanked, offsets kept.
fn without_constants(source: &Source) -> String {
    let blanked = |line: &str| {
        let item = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        let constant = item.starts_with("const ") && !item.starts_with("const fn ");
        if constant { " ".repeat(line.len()) } else { line.to_owned() }
    };
    source.shipped.split('\n').map(blanked).collect::<Vec<_>>().join("\n")
}

fn search(sources: &[Source], part: impl Fn(&Source) -> String, words: &[&str], advice: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let text = part(source);
        for word in words {
            let hits = text.match_indices(word);
            for (offset, _) in hits.filter(|&(offset, _)| is_whole(&text, offset, word)) {
                findings.push(source.finding(offset, &format!("`{word}` {advice}")));
            }
        }
    }
    findings
}

/// Whether the word at `offset` is not just a piece of a longer name.
fn is_whole(text: &str, offset: usize, word: &str) -> bool {
    let of_name = |char: char| char.is_alphanumeric() || char == '_';
    let before = text.get(..offset).is_some_and(|before| before.ends_with(of_name));
    let after = text.get(offset + word.len()..).is_some_and(|after| after.starts_with(of_name));
    !(before && word.starts_with(of_name) || after && word.ends_with(of_name))
}

// Written in two pieces, or this file would find itself.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/fa", "rm/"), concat!("/ro", "ot/")];
const TEMPORARY: &str = concat!("/t", "mp/");

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> [Source; 1] {
        [Source::new("src/a.rs", text)]
    }

    #[test]
    fn unfinished_notes_are_found_in_comments_too() {
        for word in UNFINISHED {
            let findings = unfinished(&source(&format!("\n// {word}: x")));
            assert!(findings.concat().starts_with("src/a.rs:2: "), "{word}: {findings:?}");
            assert!(unfinished(&source(&format!("// {word}S, {word}_x"))).is_empty(), "{word}");
        }
    }

    #[test]
    fn panics_are_found_outside_tests_only() {
        for code in [
            "x.unwrap()",
            "x.expect(\"y\")",
            "panic!(\"y\")",
            "todo!()",
            "const fn f() { x.unwrap() }",
            "unimplemented!()",
            "x.map(Option::unwrap)",
        ] {
            assert_eq!(panics(&source(code)).len(), 1, "{code}");
            assert!(panics(&source(&format!("#[cfg(test)] mod tests {{ fn f() {{ {code} }} }}"))).is_empty(), "{code}");
        }
        for code in
            ["x.unwrap_or(1)", "#[expect(dead_code)]", "// x.unwrap()", "\"panic!\"", "Option::unwrap_or_default"]
        {
            assert!(panics(&source(code)).is_empty(), "{code}");
        }
    }

    #[test]
    fn a_test_is_switched_off_only_with_a_reason() {
        assert_eq!(weak_tests(&source("#[ignore]\nfn a() {}\n#[should_panic(expected = \"x\")]\nfn b() {}")).len(), 2);
        assert!(weak_tests(&source("#[ignore = \"needs websocat\"]\nfn a() {}\n// #[should_panic]")).is_empty());
    }

    #[test]
    fn sleeping_is_found_however_it_is_imported() {
        for code in ["std::thread::sleep(d)", "thread::sleep(d)", "use std::thread::{sleep, spawn};"] {
            assert_eq!(sleeps(&source(code)).len(), 1, "{code}");
        }
        assert!(sleeps(&source("// thread::sleep\nself.sleep(d); thread::park_timeout(d)")).is_empty());
    }

    #[test]
    fn machine_paths_are_found() {
        let file = |path: &str, text: String| [(path.to_owned(), text)];
        for word in MACHINE_PATHS {
            let findings = machine_paths(&file("dist/a.service", format!("a\nb={word}c")));
            assert!(findings.concat().starts_with("dist/a.service:2: "), "{findings:?}");
        }
        assert_eq!(machine_paths(&file("README.md", format!("see {TEMPORARY}x"))).len(), 1);
        assert_eq!(machine_paths(&file("src/a.rs", format!("\"{TEMPORARY}x\""))).len(), 1);
        assert!(machine_paths(&file("bench/run", format!("cd {TEMPORARY}x; make framework/x"))).is_empty());
    }
}
