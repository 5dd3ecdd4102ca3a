//! The rendered picture of ARCHITECTURE.md: its source names files that exist, and the svg was rendered from this source.
//!
//! Graphviz is not run, because whoever builds hollerd need not have it. It writes the name of every node, edge and
//! cluster into a `<title>` and every line of a label into a `<text>`, and those are compared in both directions.

use std::collections::BTreeSet;

/// What a picture shows, as far as both the source and the svg say it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Picture {
    /// Nodes, `from->to` for edges, clusters, and the graph itself.
    titles: BTreeSet<String>,
    /// The lines of all labels.
    texts: BTreeSet<String>,
}

impl Picture {
    /// Reads the source, which has one statement a line and every name in quotes.
    pub(crate) fn of_dot(dot: &str) -> Self {
        let mut picture = Self::default();
        for line in dot.lines().map(str::trim).filter(|line| !line.starts_with("//") && !line.starts_with("{ rank=")) {
            let statement = line.split_once(" [").map_or(line, |(names, _)| names);
            let names: Vec<&str> = statement.split('"').skip(1).step_by(2).collect();
            let is_label = statement.starts_with("label=");
            match names.as_slice() {
                [name] if !is_label && names_something(statement) => picture.titles.insert((*name).to_owned()),
                [from, to] if statement.contains("->") => picture.titles.insert(format!("{from}->{to}")),
                _ => false,
            };
            let drawn = !line.contains("style=invis");
            let label = line.split_once("label=\"").and_then(|(_, rest)| rest.split_once('"'));
            if let Some((label, _)) = label.filter(|_| drawn) {
                picture.texts.extend(label.split("\\n").map(squeezed));
            }
            if !drawn {
                // Graphviz leaves out what only keeps order; the same edge may be drawn by another statement.
                picture.hide(&names);
            }
        }
        picture.label_bare_nodes(dot);
        picture
    }

    /// Reads what graphviz wrote.
    pub(crate) fn of_svg(svg: &str) -> Self {
        let between = |open: &str, close: &str| -> BTreeSet<String> {
            let parts = svg.split(open).skip(1).filter_map(|part| part.split_once(close));
            parts
                .map(|(inside, _)| squeezed(&plain(inside.rsplit_once('>').map_or(inside, |(_, text)| text))))
                .collect()
        };
        Self { titles: between("<title>", "</title>"), texts: between("<text", "</text>") }
    }

    /// Nodes that are files or folders below `src` by their name but not in truth.
    pub(crate) fn ghosts(&self, exists: impl Fn(&str) -> bool) -> Vec<String> {
        let nodes = self.titles.iter().filter(|title| !title.contains("->"));
        let paths = nodes.filter(|node| node.ends_with(".rs") || node.contains('/'));
        let ghosts = paths.filter(|path| !exists(&format!("src/{path}")));
        ghosts.map(|path| format!("ARCHITECTURE.dot: draws {path}, which does not exist; correct it")).collect()
    }

    /// Everything in which the svg differs from its source.
    pub(crate) fn differences(&self, rendered: &Self) -> Vec<String> {
        let advice = "run dot -Tsvg ARCHITECTURE.dot -o ARCHITECTURE.svg";
        let mut findings = Vec::new();
        for (source, svg) in [(&self.titles, &rendered.titles), (&self.texts, &rendered.texts)] {
            findings.extend(source.difference(svg).map(|lost| format!("ARCHITECTURE.svg: lacks `{lost}`; {advice}")));
            findings.extend(svg.difference(source).map(|old| format!("ARCHITECTURE.svg: still has `{old}`; {advice}")));
        }
        findings
    }

    fn hide(&mut self, names: &[&str]) {
        if let [from, to] = names {
            self.titles.remove(&format!("{from}->{to}"));
        }
    }

    /// A node without a label is labelled with its name.
    fn label_bare_nodes(&mut self, dot: &str) {
        let labelled = |node: &str| dot.lines().any(|line| line.trim().starts_with(&format!("\"{node}\" [label=")));
        let bare = self.titles.iter().filter(|title| !title.contains("->") && !title.starts_with("cluster_"));
        let bare: Vec<String> = bare.filter(|node| *node != "hollerd" && !labelled(node)).cloned().collect();
        self.texts.extend(bare);
    }
}

fn names_something(statement: &str) -> bool {
    statement.starts_with('"') || statement.starts_with("subgraph") || statement.starts_with("digraph")
}

/// Text as it reads, without the entities of XML.
fn plain(text: &str) -> String {
    let entities = [("&#45;", "-"), ("&#160;", " "), ("&gt;", ">"), ("&lt;", "<"), ("&quot;", "\""), ("&#39;", "'")];
    let plain = entities.iter().fold(text.to_owned(), |text, (entity, char)| text.replace(entity, char));
    plain.replace("&amp;", "&")
}

/// Graphviz keeps runs of blanks only by entities; how many there are is nobody's concern.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOT: &str = "// \"comment\"\ndigraph \"hollerd\" {\n    node [shape=box]\n    subgraph \"cluster_room\" {\n        label=\"room/ : who\"\n        \"room/log.rs\" [label=\"log.rs\\nonce  only\"]\n    }\n    \"peers\"\n    \"room/log.rs\" -> \"peers\" [label=\"all\"]\n    \"peers\" -> \"room/log.rs\" [style=invis]\n    { rank=same; \"peers\"; \"room/log.rs\" }\n}\n";
    const SVG: &str = "<title>hollerd</title><title>cluster_room</title><text x=\"1\">room/ : who</text><title>room/log.rs</title><text x=\"1\">log.rs</text><text>once &#160;only</text><title>peers</title><text>peers</text><title>room/log.rs&#45;&gt;peers</title><text>all</text>";

    #[test]
    fn a_rendered_picture_is_that_of_its_source() {
        assert_eq!(Picture::of_dot(DOT), Picture::of_svg(SVG));
        assert!(Picture::of_dot(DOT).differences(&Picture::of_svg(SVG)).is_empty());
    }

    #[test]
    fn every_change_of_one_without_the_other_is_found() {
        for (from, to) in [("peers", "clients"), ("once", "twice"), ("all", "none"), ("cluster_room", "cluster_rooms")]
        {
            let findings = Picture::of_dot(&DOT.replace(from, to)).differences(&Picture::of_svg(SVG));
            assert!(findings.len() >= 2, "{from}: {findings:?}");
            let findings = Picture::of_dot(DOT).differences(&Picture::of_svg(&SVG.replace(from, to)));
            assert!(findings.len() >= 2, "{from}: {findings:?}");
        }
    }

    #[test]
    fn a_node_that_is_no_file_any_more_is_found() {
        assert!(Picture::of_dot(DOT).ghosts(|path| path == "src/room/log.rs").is_empty());
        let findings = Picture::of_dot(DOT).ghosts(|_| false);
        assert_eq!(findings, ["ARCHITECTURE.dot: draws room/log.rs, which does not exist; correct it"]);
    }
}
