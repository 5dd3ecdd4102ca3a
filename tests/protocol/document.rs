//! `PROTOCOL.md`, taken apart.

use serde_json::Value;

use crate::support::Side;

pub(crate) struct Document {
    text: &'static str,
}

impl Document {
    pub(crate) fn read() -> Self {
        Self { text: include_str!("../../PROTOCOL.md") }
    }

    /// The objects of the code blocks that one side sends, each with its type.
    pub(crate) fn examples(&self, side: Side) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        let mut in_block = false;
        for line in self.text.lines() {
            if line.starts_with("```") {
                in_block = line == "```json";
            } else if in_block {
                lines.push(line);
            }
        }
        let (own, other) = match side {
            Side::Client => ("→ ", "← "),
            Side::Server => ("← ", "→ "),
        };
        let mut examples = Vec::new();
        for line in lines {
            match line.strip_prefix(own) {
                Some(message) => {
                    let value: Value = serde_json::from_str(message).unwrap_or_else(|error| panic!("{line}: {error}"));
                    examples.push((message.to_owned(), value["type"].as_str().expect("a type").to_owned()));
                }
                None => assert!(line.starts_with(other), "PROTOCOL.md: `{line}` begins with no arrow"),
            }
        }
        assert!(!examples.is_empty(), "PROTOCOL.md has no examples");
        examples
    }

    /// The rows of the table under a heading: the words in backticks in the first cell, and those in all others.
    pub(crate) fn table(&self, heading: &str) -> Vec<(Vec<String>, Vec<String>)> {
        let section = self.text.split("\n### ").find(|section| section.starts_with(heading));
        let section = section.unwrap_or_else(|| panic!("PROTOCOL.md has no section {heading}"));
        let rows = section.lines().filter(|line| line.starts_with("| `"));
        rows.map(|row| {
            let (first, others) = row.trim_start_matches("| ").split_once(" | ").expect("two cells");
            (quoted(first), quoted(others))
        })
        .collect()
    }
}

/// The words between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
