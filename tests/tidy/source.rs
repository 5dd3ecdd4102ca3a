//! One Rust file with everything a rule must not look at taken out, and the walk that finds the files.
//!
//! A rule that searches plain text fires on comments and strings, and soon nobody believes it. So comments, strings
//! and character literals are overwritten with blanks first. Offsets stay what they were, hence so do line numbers.

use std::fs;
use std::ops::Range;
use std::path::Path;

/// A Rust source file.
pub(crate) struct Source {
    /// Relative to the package, with forward slashes: `src/room/log.rs`.
    pub(crate) path: String,
    /// The file as it is written.
    pub(crate) text: String,
    /// `text` with comments and literals blanked.
    pub(crate) code: String,
    /// `code` with all `#[cfg(test)]` items blanked as well: what is in the daemon.
    pub(crate) shipped: String,
    tests: Vec<Range<usize>>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = without_literals(text);
        let tests = test_items(&code);
        let mut shipped = code.clone().into_bytes();
        for range in &tests {
            blank(&mut shipped, range.clone());
        }
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            shipped: String::from_utf8_lossy(&shipped).into_owned(),
            code,
            tests,
        }
    }

    /// The path below `src/`, or nothing for a file of the tests, the benches or the examples.
    pub(crate) fn below_src(&self) -> Option<&str> {
        self.path.strip_prefix("src/")
    }

    /// Lines of the file that are not inside `#[cfg(test)]` items.
    pub(crate) fn lines_without_tests(&self) -> usize {
        let of_tests = |range: &Range<usize>| newlines(self.text.get(range.clone()).unwrap_or("")) + 1;
        self.text.lines().count().saturating_sub(self.tests.iter().map(of_tests).sum())
    }

    /// A finding at a byte offset of the file, in the form that editors make clickable.
    pub(crate) fn finding(&self, offset: usize, what: &str) -> String {
        let line = newlines(self.text.get(..offset).unwrap_or("")) + 1;
        format!("{}:{line}: {what}", self.path)
    }
}

/// All files below `folder`, as path relative to `root` and content. Files that are not UTF-8 are no text and are left out.
pub(crate) fn text_files(root: &Path, folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(next) = folders.pop() {
        let entries = fs::read_dir(&next).map(|entries| entries.flatten().collect()).unwrap_or_else(|_| Vec::new());
        for path in entries.into_iter().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_symlink() || NOT_OURS.contains(&&*name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let relative = path.strip_prefix(root).unwrap_or(&path);
                found.push((relative.to_string_lossy().replace('\\', "/"), text));
            }
        }
    }
    found.sort();
    found
}

/// The Rust files below `folder`. A file that is declared as `#[cfg(test)] mod name;` is all test.
pub(crate) fn rust_files(root: &Path, folder: &str) -> Vec<Source> {
    let files = text_files(root, folder).into_iter().filter(|(path, _)| path.ends_with(".rs"));
    let mut sources: Vec<Source> = files.map(|(path, text)| Source::new(&path, &text)).collect();
    let of_tests: Vec<String> = sources.iter().flat_map(test_files).collect();
    for source in sources.iter_mut().filter(|source| of_tests.contains(&source.path)) {
        source.shipped.clear();
        source.tests.clear();
        source.tests.push(0..source.text.len());
    }
    sources
}

/// The paths of the test modules that `source` keeps in files of their own.
fn test_files(source: &Source) -> Vec<String> {
    let (parent, name) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let folder = match name {
        "mod.rs" | "lib.rs" | "main.rs" => parent.to_owned(),
        file => format!("{parent}/{}", file.trim_end_matches(".rs")),
    };
    let items = source.tests.iter().filter_map(|range| source.code.get(range.clone()));
    let modules = items.filter_map(|item| item.strip_suffix(';')?.rsplit_once("mod ").map(|(_, module)| module));
    modules.map(|module| format!("{folder}/{module}.rs")).collect()
}

/// The offset just after the item, statement or block that begins at `from`: its closing brace or its semicolon.
pub(crate) fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b';' if depth == 0 => return offset + 1,
            b')' | b']' | b'}' if depth == 0 => return offset,
            b'}' if depth == 1 => return offset + 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items: Vec<Range<usize>> = Vec::new();
    for (start, attribute) in code.match_indices("#[cfg(test)]") {
        let inside_the_last_one = items.last().is_some_and(|last| last.contains(&start));
        if !inside_the_last_one {
            items.push(start..item_end(code, start + attribute.len()));
        }
    }
    items
}

fn without_literals(text: &str) -> String {
    let mut code = text.as_bytes().to_vec();
    let mut at = 0;
    while let Some(rest) = text.as_bytes().get(at..).filter(|rest| !rest.is_empty()) {
        let length = literal_length(rest);
        blank(&mut code, at..at + length);
        at += length.max(1);
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// How many bytes of `rest` are one comment, string or character; 0 when it begins with none of them.
fn literal_length(rest: &[u8]) -> usize {
    match rest {
        [b'/', b'/', ..] => rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment_length(rest),
        [b'"', ..] => quoted_length(rest, b'"'),
        [b'r', ..] => raw_string_length(rest, 1),
        [b'b' | b'c', b'r', ..] => raw_string_length(rest, 2),
        [b'\'', b'\\', ..] => quoted_length(rest, b'\''),
        // One character and a quote is a character; anything else is a lifetime, which is code.
        [b'\'', ..] => (2..=5).find(|&end| is_one_character(rest.get(1..end))).map_or(0, |end| quote_at(rest, end)),
        _ => 0,
    }
}

fn is_one_character(bytes: Option<&[u8]>) -> bool {
    bytes.and_then(|bytes| str::from_utf8(bytes).ok()).is_some_and(|text| text.chars().count() == 1)
}

fn quote_at(rest: &[u8], end: usize) -> usize {
    if rest.get(end) == Some(&b'\'') { end + 1 } else { 0 }
}

fn quoted_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(&byte) = rest.get(at) {
        match byte {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string_length(rest: &[u8], prefix: usize) -> usize {
    let hashes = rest.iter().skip(prefix).take_while(|&&byte| byte == b'#').count();
    let opening = prefix + hashes;
    if rest.get(opening) != Some(&b'"') {
        return 0;
    }
    let closing = [&b"\""[..], &vec![b'#'; hashes]].concat();
    let body = rest.get(opening + 1..).unwrap_or_default();
    let found = body.windows(closing.len()).position(|window| window == closing);
    found.map_or(rest.len(), |at| opening + 1 + at + closing.len())
}

/// Block comments nest in Rust.
fn block_comment_length(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(pair) = rest.get(at..at + 2) {
        match pair {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn blank(code: &mut [u8], range: Range<usize>) {
    let end = range.end.min(code.len());
    for byte in code.get_mut(range.start..end).unwrap_or_default().iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
}

/// Folders without a line that somebody wrote by hand.
const NOT_OURS: &[&str] = &[".git", "target", "build", "node_modules", "corpus", "artifacts", "coverage"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_code_is_kept() {
        let table = [
            ("a // b", "a"),
            ("a /* b /* c */ d */ e", "a e"),
            (r#"f("x{\"}", y)"#, "f( , y)"),
            (r##"f(r#"{"#)"##, "f( )"),
            ("match '{' { '\\'' => 'é' }", "match { => }"),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
            ("r#type + b\"x\"", "r#type + b"),
        ];
        for (text, expected) in table {
            let code = without_literals(text);
            assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{text}");
            assert_eq!(code.len(), text.len(), "{text}");
        }
    }

    #[test]
    fn offsets_survive_so_that_lines_are_right() {
        let source = Source::new("src/a.rs", "// é\n\"é\n\"; here");
        let offset = source.code.find("here").unwrap();
        assert_eq!(source.finding(offset, "x"), "src/a.rs:3: x");
    }

    #[test]
    fn test_items_are_not_shipped() {
        let text =
            "fn a() {}\n#[cfg(test)]\nuse b::{c};\nfn d() {}\n#[cfg(test)]\nmod tests {\n    fn e() {}\n}\nfn f() {}\n";
        let source = Source::new("src/a.rs", text);
        let names: Vec<&str> = source.shipped.split_whitespace().filter(|word| word.ends_with("()")).collect();
        assert_eq!(names, ["a()", "d()", "f()"]);
        assert!(source.code.contains("fn e()"));
        assert_eq!(source.lines_without_tests(), 3);
    }
    #[test]
    fn a_test_module_may_be_a_file() {
        let declares =
            |path| test_files(&Source::new(path, "mod a;\n#[cfg(test)]\nmod keys;\n#[cfg(test)]\nmod tests {}\n"));
        assert_eq!(declares("src/auth/mod.rs"), ["src/auth/keys.rs"]);
        assert_eq!(declares("src/auth.rs"), ["src/auth/keys.rs"]);
    }
}
