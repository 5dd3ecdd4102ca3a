//! Files and functions that can still be read in one go.

use crate::source::{Source, item_end};

/// Files with more lines than `lines_max`, their tests not counted.
pub(crate) fn long_files(sources: &[Source], lines_max: usize) -> Vec<String> {
    let long = sources.iter().filter(|source| source.lines_without_tests() > lines_max);
    long.map(|source| {
        let lines = source.lines_without_tests();
        source.finding(
            0,
            &format!("has {lines} lines without its tests, {lines_max} are the limit; find the second noun in it"),
        )
    })
    .collect()
}

/// Functions with more lines than `lines_max` from `fn` to the closing brace, comments included.
pub(crate) fn long_functions(sources: &[Source], lines_max: usize) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for (name, start) in functions(&source.shipped) {
            let body = source.shipped.get(start..item_end(&source.shipped, start)).unwrap_or_default();
            let lines = body.lines().count();
            if lines > lines_max {
                let what = format!("fn {name} has {lines} lines, {lines_max} are the limit; give its steps names");
                findings.push(source.finding(start, &what));
            }
        }
    }
    findings
}

/// Name and offset of every function. A function pointer type has no name and is none.
fn functions(code: &str) -> impl Iterator<Item = (&str, usize)> {
    code.match_indices("fn ").filter_map(|(start, keyword)| {
        let stands_alone = !code.get(..start)?.ends_with(|char: char| char.is_alphanumeric() || char == '_');
        let rest = code.get(start + keyword.len()..)?;
        let length = rest.find(|char: char| !char.is_alphanumeric() && char != '_')?;
        rest.get(..length).filter(|name| !name.is_empty() && stands_alone).map(|name| (name, start))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_measured_without_its_tests() {
        let text = "fn a() {}\nfn b() {}\n#[cfg(test)]\nmod tests {\n    fn c() {}\n}\n";
        let source = [Source::new("src/a.rs", text)];
        assert!(long_files(&source, 2).is_empty());
        let findings = long_files(&source, 1);
        assert!(findings.concat().starts_with("src/a.rs:1: has 2 lines"), "{findings:?}");
    }

    #[test]
    fn a_function_is_measured_from_its_keyword_to_its_brace() {
        let text = "trait T {\n    fn a(x: [u8; 4]);\n\n\n\n}\n/// fn no(\nfn b(\n    f: fn (u8),\n) {\n    \"}\";\n    { 1 }\n}\n";
        let source = [Source::new("src/a.rs", text)];
        assert!(long_functions(&source, 6).is_empty());
        let findings = long_functions(&source, 5);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings.concat().starts_with("src/a.rs:8: fn b has 6 lines"), "{findings:?}");
    }

    #[test]
    fn functions_of_the_tests_are_not_measured() {
        let source = [Source::new("src/a.rs", "#[cfg(test)]\nmod tests {\n    fn a() {\n\n\n    }\n}\n")];
        assert!(long_functions(&source, 1).is_empty());
    }
}
