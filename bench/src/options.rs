//! The command line.

use crate::server::catalog;

/// How to call it.
pub(crate) const USAGE: &str = "\
usage: hollerd-bench QUESTION [--server NAME[,NAME…]|all] [--quick] [--one-core] [--no-build] [--results DIR]
                     [--connections N[,N…]]

questions: connections fanout storm handshake slow beside echo footprint syscalls memory instructions, or all
servers:   hollerd floor batch-floor ws tokio-tungstenite fastwebsockets gorilla nchan (default: hollerd)

  --quick      smaller and shorter, under 15 s per question; results are named QUESTION.quick
  --one-core   server and generator share one core
  --no-build   take the hollerd binaries as they are
  --results    where CSV and SVG go (default: bench/results)
  --connections  how many the question connections holds (default: 1000,10000,100000,1000000)
";

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) question: String,
    pub(crate) servers: Vec<String>,
    pub(crate) quick: bool,
    pub(crate) one_core: bool,
    pub(crate) build: bool,
    pub(crate) results: String,
    /// How many connections to hold, one case after the other; nothing if the question may choose.
    pub(crate) connections: Vec<usize>,
}

impl Options {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            question: String::new(),
            servers: vec!["hollerd".to_owned()],
            quick: false,
            one_core: false,
            build: true,
            results: concat!(env!("CARGO_MANIFEST_DIR"), "/results").to_owned(),
            connections: Vec::new(),
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--server" => options.servers = servers(&value()?)?,
                "--results" => options.results = value()?,
                "--connections" => options.connections = counts(&value()?)?,
                "--quick" => options.quick = true,
                "--one-core" => options.one_core = true,
                "--no-build" => options.build = false,
                flag if flag.starts_with('-') => return Err(format!("{flag} is not known")),
                question if options.question.is_empty() => question.clone_into(&mut options.question),
                more => return Err(format!("one question at a time, not {more} too")),
            }
        }
        if options.question.is_empty() {
            return Err("which question?".to_owned());
        }
        Ok(options)
    }
}

fn counts(list: &str) -> Result<Vec<usize>, String> {
    let count = |text: &str| {
        let number = text.parse().ok().filter(|&count| count > 8);
        number.ok_or_else(|| format!("{text} is no number of connections above 8"))
    };
    list.split(',').map(count).collect()
}

fn servers(list: &str) -> Result<Vec<String>, String> {
    if list == "all" {
        return Ok(catalog::NAMES.map(str::to_owned).to_vec());
    }
    let known = |name: &str| match catalog::NAMES.contains(&name) {
        true => Ok(name.to_owned()),
        false => Err(format!("no server is called {name}; there are {}", catalog::NAMES.join(", "))),
    };
    list.split(',').map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn flags_stand_before_and_behind_the_question() {
        let options = parse("--quick fanout --server floor,hollerd --one-core").unwrap();
        assert_eq!(options.question, "fanout");
        assert_eq!(options.servers, ["floor", "hollerd"]);
        assert!(options.quick && options.one_core && options.build);
        assert_eq!(parse("echo --server all").unwrap().servers, catalog::NAMES);
        assert_eq!(parse("connections --connections 9,1000000").unwrap().connections, [9, 1_000_000]);
    }

    #[test]
    fn a_wrong_line_is_told_what_is_wrong() {
        for (line, word) in [
            ("", "which"),
            ("a b", "one question"),
            ("a --fast", "--fast"),
            ("a --server x", "x"),
            ("a --server", "value"),
            ("a --connections 1000,8", "8 is no"),
            ("a --connections many", "many is no"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(word), "{line}: {error}");
        }
    }
}
