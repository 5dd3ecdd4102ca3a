//! The arrows between the layers: what ARCHITECTURE.md allows against what the files import.

use std::collections::{BTreeMap, BTreeSet};

use crate::paths::{NamedPath, paths};
use crate::source::Source;

/// The ```imports block: for every layer, the layers that it may name.
///
/// One rule a line: `room, chat -> wire time`, `wire -> nothing`, `main -> everything`, `server -> everything but chat`.
pub(crate) struct Arrows {
    rules: BTreeMap<String, Permission>,
}

struct Permission {
    everything: bool,
    /// The exceptions of `everything`, or else the list itself.
    listed: BTreeSet<String>,
}

impl Arrows {
    /// # Errors
    /// Says which line of the block cannot be read, or that there is no block.
    pub(crate) fn parse(architecture: &str) -> Result<Self, String> {
        let after = architecture.split_once("```imports\n").map(|(_, after)| after);
        let block = after.and_then(|after| after.split_once("```")).map(|(block, _)| block);
        let Some(block) = block else {
            return Err("ARCHITECTURE.md: has no fenced block that begins with ```imports; write one".to_owned());
        };
        let mut rules = BTreeMap::new();
        for line in block.lines().filter(|line| !line.trim().is_empty()) {
            let unreadable = || format!("ARCHITECTURE.md: `{line}` is no rule; write `layer, layer -> layer layer`");
            let (layers, targets) = line.split_once("->").ok_or_else(unreadable)?;
            for layer in layers.split(',').map(str::trim) {
                if rules.insert(layer.to_owned(), Permission::parse(targets).ok_or_else(unreadable)?).is_some() {
                    return Err(format!("ARCHITECTURE.md: `{layer}` has two rules in the imports block; keep one"));
                }
            }
        }
        Ok(Self { rules })
    }
}

impl Permission {
    fn parse(targets: &str) -> Option<Self> {
        let words: Vec<&str> = targets.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        let (everything, listed) = match words.as_slice() {
            [] | ["everything", "but"] => return None,
            ["nothing"] => (false, &[][..]),
            ["everything"] => (true, &[][..]),
            ["everything", "but", exceptions @ ..] => (true, exceptions),
            list => (false, list),
        };
        Some(Self { everything, listed: listed.iter().map(|&word| word.to_owned()).collect() })
    }

    fn allows(&self, layer: &str) -> bool {
        self.everything != self.listed.contains(layer)
    }
}

/// Everything in which the files and the block disagree.
pub(crate) fn broken_arrows(sources: &[Source], architecture: &str) -> Vec<String> {
    let arrows = match Arrows::parse(architecture) {
        Ok(arrows) => arrows,
        Err(error) => return vec![error],
    };
    let mut findings = declarations(&arrows, &layers(sources));
    let mut used = BTreeSet::new();
    let binary = binary_modules(sources);
    for source in sources {
        findings.extend(forbidden_uses(&arrows, source, &binary, &mut used));
    }
    findings.extend(dead_arrows(&arrows, &used));
    findings.extend(cycle(used));
    findings
}

/// Every module at the top of `src` has a rule, and every word of the block is such a module.
fn declarations(arrows: &Arrows, layers: &BTreeSet<&str>) -> Vec<String> {
    let mut findings = Vec::new();
    for layer in layers.iter().filter(|&&layer| !arrows.rules.contains_key(layer)) {
        findings.push(format!("ARCHITECTURE.md: layer `{layer}` of src has no rule in the imports block; add one"));
    }
    let named = arrows.rules.iter().flat_map(|(layer, permission)| permission.listed.iter().chain([layer]));
    for layer in named.collect::<BTreeSet<_>>().into_iter().filter(|layer| !layers.contains(layer.as_str())) {
        findings
            .push(format!("ARCHITECTURE.md: the imports block names `{layer}`, which src does not have; remove it"));
    }
    findings
}

fn forbidden_uses(
    arrows: &Arrows,
    source: &Source,
    binary: &BTreeSet<&str>,
    used: &mut BTreeSet<(String, String)>,
) -> Vec<String> {
    let mut findings = Vec::new();
    let Some(layer) = layer_of(source) else {
        return findings;
    };
    let permission = arrows.rules.get(layer);
    for path in paths(&source.shipped) {
        let Some(target) = layer_named_by(&path, source) else {
            continue;
        };
        if target == layer {
            continue;
        }
        if !arrows.rules.contains_key(target) {
            // Re-exports of the crate root would be a way around every arrow. The binary has a root of its own, and uses
            // the library as anybody else does.
            if !binary.contains(layer) {
                let what = format!("`crate::{target}` is no layer; name it by the layer that it lives in");
                findings.push(source.finding(path.offset, &what));
            }
        } else if permission.is_some_and(|permission| !permission.allows(target)) {
            let what = format!(
                "`{layer}` may not name `{target}`; pass in what it needs, or argue for the arrow in ARCHITECTURE.md"
            );
            findings.push(source.finding(path.offset, &what));
        }
        used.insert((layer.to_owned(), target.to_owned()));
    }
    findings
}

/// An arrow that nobody follows invites somebody to follow it.
fn dead_arrows(arrows: &Arrows, used: &BTreeSet<(String, String)>) -> Vec<String> {
    let mut findings = Vec::new();
    for (layer, permission) in arrows.rules.iter().filter(|(_, permission)| !permission.everything) {
        for target in permission.listed.iter().filter(|&target| !used.contains(&(layer.clone(), target.clone()))) {
            findings.push(format!("ARCHITECTURE.md: `{layer} -> {target}` is used by no file of `{layer}`; remove it"));
        }
    }
    findings
}

/// Takes away layers that name no other until nothing is left; what cannot be taken away stands in a circle or above one.
fn cycle(mut used: BTreeSet<(String, String)>) -> Option<String> {
    loop {
        let naming: BTreeSet<String> = used.iter().map(|(layer, _)| layer.clone()).collect();
        let before = used.len();
        used.retain(|(_, target)| naming.contains(target));
        if used.is_empty() {
            return None;
        }
        if used.len() == before {
            let names: Vec<String> = naming.into_iter().collect();
            return Some(format!("src: `{}` name each other in a circle; arrows only point down", names.join("`, `")));
        }
    }
}

fn layers(sources: &[Source]) -> BTreeSet<&str> {
    sources.iter().filter_map(layer_of).collect()
}

/// `main` and the modules that it declares: they belong to the binary, not to the library.
fn binary_modules(sources: &[Source]) -> BTreeSet<&str> {
    let main = sources.iter().find(|source| source.path == "src/main.rs");
    let declarations = main.map_or("", |main| &main.shipped).split(';');
    let names = declarations.filter_map(|item| item.trim_end().rsplit_once("mod ").map(|(_, name)| name));
    names.chain(["main"]).collect()
}

/// The top-level module that the file belongs to. `lib.rs` declares the layers and is none.
fn layer_of(source: &Source) -> Option<&str> {
    let below = source.below_src()?;
    let layer = below.split_once('/').map_or(below, |(folder, _)| folder);
    Some(layer.strip_suffix(".rs").unwrap_or(layer)).filter(|&layer| layer != "lib")
}

/// The layer that a path leads to from the root of the crate, by `crate::`, by enough `super::`, or by the crate's name.
fn layer_named_by<'a>(path: &NamedPath<'a>, source: &Source) -> Option<&'a str> {
    let supers = path.segments.iter().take_while(|&&segment| segment == "super").count();
    let to_root = match path.segments.first() {
        Some(&"crate" | &"hollerd") => 1,
        Some(&"super") if supers == depth(source) => supers,
        _ => return None,
    };
    path.segments.get(to_root).copied()
}

/// How many `super` lead from the file to the root of the crate.
fn depth(source: &Source) -> usize {
    let below = source.below_src().unwrap_or_default();
    let module = below.strip_suffix("/mod.rs").unwrap_or(below);
    module.split('/').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "text\n```imports\nwire, time -> nothing\nroom -> wire\nserver -> everything but chat\nchat -> wire\nmain -> everything\n```\n";

    fn tree(changed: &str, text: &str) -> Vec<Source> {
        let mut files = BTreeMap::from([
            ("src/lib.rs", "pub mod room; pub mod wire; pub use server::Server;"),
            ("src/main.rs", "use hollerd::Server;"),
            ("src/wire/mod.rs", "use super::wire::frame;"),
            ("src/time.rs", ""),
            ("src/room/mod.rs", "use crate::wire::Frame;"),
            ("src/server/mod.rs", "use crate::{room, wire::{self, Frame}};"),
            ("src/chat.rs", "use crate::wire; #[cfg(test)] mod tests { use crate::server; }"),
        ]);
        files.insert(changed, text);
        files.iter().map(|(path, text)| Source::new(path, text)).collect()
    }

    #[test]
    fn a_tree_that_keeps_its_arrows_is_clean() {
        assert_eq!(broken_arrows(&tree("src/lib.rs", ""), BLOCK), Vec::<String>::new());
    }

    #[test]
    fn every_way_to_break_an_arrow_is_found() {
        let table = [
            ("src/wire/frame.rs", "\nuse crate::room::Room;", "src/wire/frame.rs:2: `wire` may not name `room`"),
            ("src/wire/frame.rs", "use super::super::time::Tick;", "`wire` may not name `time`"),
            ("src/wire/frame.rs", "fn f() { crate::time::now() }", "`wire` may not name `time`"),
            ("src/time.rs", "use super::{chat};", "`time` may not name `chat`"),
            ("src/server/turn.rs", "use crate::{wire, chat::Chat};", "`server` may not name `chat`"),
            ("src/server/turn.rs", "use crate::Server;", "`crate::Server` is no layer"),
            ("src/server/turn.rs", "use crate::*;", "`crate::*` is no layer"),
            ("src/extra.rs", "", "layer `extra` of src has no rule"),
            ("src/room/mod.rs", "", "`room -> wire` is used by no file"),
            ("src/chat.rs", "// crate::wire\n", "`chat -> wire` is used by no file"),
        ];
        for (path, text, expected) in table {
            let findings = broken_arrows(&tree(path, text), BLOCK);
            assert!(findings.iter().any(|finding| finding.contains(expected)), "{path} {text}: {findings:?}");
        }
    }

    #[test]
    fn a_module_of_the_binary_names_the_root_of_the_binary() {
        let mut sources = tree("src/main.rs", "mod door;\n\nfn main() {}");
        sources.push(Source::new("src/door.rs", "use crate::Problems;"));
        let block = BLOCK.replace("main ->", "main, door ->");
        assert_eq!(broken_arrows(&sources, &block), Vec::<String>::new());
        sources.retain(|source| source.path != "src/main.rs");
        assert!(broken_arrows(&sources, &block).concat().contains("`crate::Problems` is no layer"));
    }

    #[test]
    fn the_block_itself_is_checked() {
        let table = [
            ("no block", "has no fenced block"),
            ("```imports\nwire\n```", "`wire` is no rule"),
            ("```imports\nwire ->\n```", "is no rule"),
            ("```imports\nwire -> nothing\nwire -> time\n```", "`wire` has two rules"),
            (&BLOCK.replace("but chat", "but gone"), "names `gone`, which src does not have"),
            (&BLOCK.replace("wire, time", "wire, time, gone"), "names `gone`, which src does not have"),
        ];
        for (block, expected) in table {
            let findings = broken_arrows(&tree("src/lib.rs", ""), block);
            assert!(findings.iter().any(|finding| finding.contains(expected)), "{block}: {findings:?}");
        }
    }

    #[test]
    fn a_circle_is_found_where_the_rules_would_allow_it() {
        let block = "```imports\nserver, main -> everything\n```";
        let sources =
            [Source::new("src/main.rs", "use crate::server;"), Source::new("src/server/mod.rs", "use crate::main;")];
        let findings = broken_arrows(&sources, block);
        assert!(findings.iter().any(|finding| finding.contains("in a circle")), "{findings:?}");
    }
}
