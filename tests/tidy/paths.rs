//! Every path a file names (`crate::room::Room`, `log::info`), with the groups of `use` taken apart.

/// One path and where it stands.
#[derive(Debug, PartialEq)]
pub(crate) struct NamedPath<'a> {
    pub(crate) offset: usize,
    pub(crate) segments: Vec<&'a str>,
    /// Whether it comes from a `use`; a single name elsewhere is mostly a variable.
    pub(crate) imported: bool,
}

impl NamedPath<'_> {
    /// Whether the path names `pattern`: anywhere in it, or, for a pattern that begins with `::`, from its root.
    pub(crate) fn names(&self, pattern: &str) -> bool {
        let Some(from_root) = pattern.strip_prefix("::") else {
            let wanted: Vec<&str> = pattern.split("::").collect();
            return self.segments.windows(wanted.len()).any(|window| window == wanted);
        };
        let wanted: Vec<&str> = from_root.split("::").collect();
        self.segments.starts_with(&wanted) && (self.imported || self.segments.len() > 1)
    }
}

/// The paths of `code`, which is blanked of comments and literals, in the order of the file.
pub(crate) fn paths(code: &str) -> Vec<NamedPath<'_>> {
    let mut reader = Reader { code, at: 0, found: Vec::new() };
    while reader.at < code.len() {
        let start = reader.at;
        match reader.name() {
            Some("use") => reader.tree(&[]),
            Some(first) => reader.path(start, first),
            None => reader.step(),
        }
    }
    reader.found
}

struct Reader<'a> {
    code: &'a str,
    at: usize,
    found: Vec<NamedPath<'a>>,
}

impl<'a> Reader<'a> {
    /// One branch of a `use`: `a::b`, `a::{b, c}`, `a as b`, `*`.
    fn tree(&mut self, prefix: &[&'a str]) {
        self.blanks();
        self.eat("::");
        let start = self.at;
        if self.eat("{") {
            return self.group(prefix);
        }
        let Some(name) = self.name().or_else(|| self.eat("*").then_some("*")) else {
            return;
        };
        let path = [prefix, &[name]].concat();
        if self.eat("::") {
            return self.tree(&path);
        }
        // `use a::{self}` names `a`.
        let segments = if name == "self" && !prefix.is_empty() { prefix.to_vec() } else { path };
        self.found.push(NamedPath { offset: start, segments, imported: true });
        self.blanks();
        if self.eat("as ") {
            self.name();
        }
    }

    fn group(&mut self, prefix: &[&'a str]) {
        while self.at < self.code.len() && !self.eat("}") {
            let before = self.at;
            self.tree(prefix);
            self.blanks();
            // Whatever is neither a branch nor a comma is stepped over, so that broken code cannot hold us up.
            if !self.eat(",") && self.at == before {
                self.step();
            }
        }
    }

    fn path(&mut self, offset: usize, first: &'a str) {
        let mut segments = vec![first];
        while self.eat("::") {
            match self.name() {
                Some(name) => segments.push(name),
                None => break,
            }
        }
        // `crate::{…}` outside of a `use` does not exist, so nothing is lost by stopping at the brace.
        self.found.push(NamedPath { offset, segments, imported: false });
    }

    fn name(&mut self) -> Option<&'a str> {
        let rest = self.code.get(self.at..)?;
        let length = rest.find(|char: char| !is_of_name(char)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).filter(|name| !name.is_empty())
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.code.get(self.at..).is_some_and(|rest| rest.starts_with(token));
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn blanks(&mut self) {
        while self.code.get(self.at..).is_some_and(|rest| rest.starts_with(char::is_whitespace)) {
            self.step();
        }
    }

    fn step(&mut self) {
        let next = self.code.get(self.at..).and_then(|rest| rest.chars().next());
        self.at += next.map_or(1, char::len_utf8);
    }
}

fn is_of_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(code: &str) -> Vec<String> {
        paths(code).iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn use_groups_are_taken_apart() {
        let code = "pub use a::{b, c::{self, d as e}, *};\nuse ::f::g;";
        assert_eq!(joined(code), ["pub", "a::b", "a::c", "a::c::d", "a::*", "f::g"]);
    }

    #[test]
    fn paths_in_expressions_are_found_with_their_offset() {
        let found = paths("let x = log::info!(1);");
        let last = found.iter().find(|path| path.segments.len() == 2).unwrap();
        assert_eq!((last.offset, last.segments.clone()), (8, vec!["log", "info"]));
    }

    #[test]
    fn broken_code_ends() {
        for code in ["use", "use a::{", "use {{;", "use a::{b c};", "a::", "use é::{;"] {
            joined(code);
        }
    }

    #[test]
    fn a_pattern_matches_whole_segments_only() {
        let table = [
            ("use mio::Poll;", "::mio", true),
            ("use mio;", "::mio", true),
            ("mio.len()", "::mio", false),
            ("my::mio::x()", "::mio", false),
            ("miometer::x()", "::mio", false),
            ("std::time::Instant::now()", "Instant::now", true),
            ("Instant::nowhere()", "Instant::now", false),
            ("use std::{env, io};", "::std::env", true),
            ("std::io::stdin()", "::std::env", false),
        ];
        for (code, pattern, expected) in table {
            let found = paths(code).iter().any(|path| path.names(pattern));
            assert_eq!(found, expected, "{code} names {pattern}");
        }
    }
}
