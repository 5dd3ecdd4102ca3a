//! The man pages `hollerd.8` and `hollerd.toml.5`. Commands, options and examples come from what `--help` shows, settings
//! from the table of all settings, close codes from the table of endings; the rest is prose and stands here.
//!
//! In prose, `` `bold` `` is what is typed as it stands, and `{italic}` what stands for something else.

use clap::{Arg, ArgAction, Command, CommandFactory};
use hollerd::cli::Cli;
use hollerd::config::{Config, SECTIONS, SETTINGS};
use roff::{Inline, Roff, bold, italic, roman};

use crate::endings;

/// `hollerd.8`.
pub(crate) fn daemon() -> String {
    let mut command = Cli::command();
    command.build();
    let mut page = Roff::new();
    heading(&mut page, "NAME");
    page.text([roman(format!("hollerd - {}", about(&command)))]);
    heading(&mut page, "SYNOPSIS");
    for (index, (name, leaf)) in leaves(&command).into_iter().enumerate() {
        if index > 0 {
            page.control("br", []);
        }
        page.text(synopsis(&name, leaf));
    }
    heading(&mut page, "DESCRIPTION");
    paragraphs(&mut page, DESCRIPTION);
    heading(&mut page, "COMMANDS");
    for (name, leaf) in leaves(&command) {
        describe(&mut page, &name, leaf);
    }
    for (title, terms) in TERMS {
        heading(&mut page, title);
        for (term, text) in *terms {
            definition(&mut page, inline(term), text);
        }
    }
    heading(&mut page, "CLOSE CODES");
    paragraphs(&mut page, CLOSE_CODES);
    let mut rows: Vec<endings::Row> = endings::all().iter().filter_map(endings::row).collect();
    rows.sort_by_key(|(code, ..)| *code);
    for (code, text, back) in rows {
        definition(
            &mut page,
            vec![bold(code.to_string()), roman(format!(" {text}"))],
            &format!("Connect again: {back}."),
        );
    }
    heading(&mut page, "EXAMPLES");
    page.control("nf", []);
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let examples = help.split("\n\n").next().unwrap_or_default();
    for line in examples.lines().skip(1) {
        page.text([roman(line.trim_start())]);
    }
    page.control("fi", []);
    heading(&mut page, "SEE ALSO");
    page.text(inline(SEE_ALSO));
    titled("HOLLERD", 8, &page)
}

/// `hollerd.toml.5`.
pub(crate) fn configuration() -> String {
    let mut page = Roff::new();
    heading(&mut page, "NAME");
    page.text([roman("hollerd.toml - configuration file of hollerd")]);
    heading(&mut page, "DESCRIPTION");
    paragraphs(&mut page, FORMAT);
    heading(&mut page, "TOP OF THE FILE");
    settings(&mut page, "");
    for section in SECTIONS {
        heading(&mut page, &format!("SECTION [{}]", section.name));
        page.text([roman(joined(section.doc()))]);
        settings(&mut page, section.name);
    }
    heading(&mut page, "SEE ALSO");
    page.text(inline("`hollerd`(8)"));
    titled("HOLLERD.TOML", 5, &page)
}

/// The page with its first line. It has a version and no date, which somebody would have to keep.
fn titled(name: &str, section: u8, page: &Roff) -> String {
    format!(".TH {name} {section} \"\" \"hollerd {}\" hollerd\n{}", env!("CARGO_PKG_VERSION"), page.render())
}

fn heading(page: &mut Roff, title: &str) {
    page.control("SH", [title]);
}

fn paragraphs(page: &mut Roff, texts: &[&str]) {
    for (index, text) in texts.iter().enumerate() {
        // A heading begins a paragraph of its own.
        if index > 0 {
            page.control("PP", []);
        }
        page.text(inline(text));
    }
}

fn definition(page: &mut Roff, term: Vec<Inline>, text: &str) {
    page.control("TP", []);
    page.text(term);
    page.text(inline(text));
}

/// Every setting of one section, with default, range and variable.
fn settings(page: &mut Roff, section: &str) {
    let defaults = Config::default();
    for setting in SETTINGS.iter().filter(|setting| setting.section() == section) {
        page.control("TP", []);
        page.text([bold(setting.key()), roman(format!(" = {}", setting.show(&defaults)))]);
        page.text([roman(joined(setting.doc()))]);
        let bounds = setting.bounds().map(|bounds| format!("Range: {bounds}. ")).unwrap_or_default();
        page.control("br", []);
        page.text([roman(format!("{bounds}Environment: ")), bold(setting.env_name())]);
    }
}

/// The commands that do something, each with its whole name. `serve` goes by the name of the program alone.
fn leaves(command: &Command) -> Vec<(String, &Command)> {
    let mut found = Vec::new();
    for sub in command.get_subcommands() {
        let name = format!("{} {}", command.get_bin_name().unwrap_or("hollerd"), sub.get_name());
        if sub.has_subcommands() { found.extend(leaves(sub)) } else { found.push((name, sub)) }
    }
    found
}

fn synopsis(name: &str, command: &Command) -> Vec<Inline> {
    let mut line = match name.strip_suffix(" serve") {
        Some(program) => vec![bold(program), roman(" ["), bold("serve"), roman("]")],
        None => vec![bold(name)],
    };
    for arg in options(command) {
        line.push(roman(if arg.is_required_set() { " " } else { " [" }));
        line.extend(flags(arg, true));
        line.extend((!arg.is_required_set()).then(|| roman("]")));
        line.extend(repeats(arg).then(|| roman("...")));
    }
    line
}

/// What the command does, and its options.
fn describe(page: &mut Roff, name: &str, command: &Command) {
    page.control("SS", [name]);
    page.text([roman(format!("{}.", about(command)))]);
    for arg in options(command) {
        let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default() + ".";
        let words: Vec<String> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        if !words.is_empty() && arg.get_action().takes_values() {
            text.push_str(&format!(" One of {}.", words.join(", ")));
        }
        for value in arg.get_default_values() {
            text.push_str(&format!(" Default: {}.", value.to_string_lossy()));
        }
        page.control("TP", []);
        page.text(flags(arg, false));
        page.text([roman(text)]);
    }
}

/// What can be given, without the options that every command has.
fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version"))
}

/// `-c, --config FILE`, or only the longer form.
fn flags(arg: &Arg, brief: bool) -> Vec<Inline> {
    let mut parts = Vec::new();
    if let Some(short) = arg.get_short().filter(|_| !brief) {
        parts.extend([bold(format!("-{short}")), roman(", ")]);
    }
    if let Some(long) = arg.get_long() {
        parts.push(bold(format!("--{long}")));
    }
    if arg.get_action().takes_values() {
        let value = arg.get_value_names().and_then(<[_]>::first).map(ToString::to_string).unwrap_or_default();
        parts.extend((!parts.is_empty()).then(|| roman(" ")));
        parts.push(italic(value));
    }
    parts
}

fn repeats(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn joined(lines: impl Iterator<Item = &'static str>) -> String {
    lines.collect::<Vec<_>>().join(" ")
}

/// Prose with its marks, cut into pieces.
fn inline(text: &str) -> Vec<Inline> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(['`', '{']) {
        let (before, marked) = rest.split_at(start);
        let (end, piece): (char, fn(String) -> Inline) =
            if marked.starts_with('`') { ('`', bold) } else { ('}', italic) };
        let Some((inside, after)) = marked.get(1..).and_then(|inside| inside.split_once(end)) else { break };
        pieces.extend((!before.is_empty()).then(|| roman(before)));
        pieces.push(piece(inside.to_owned()));
        rest = after;
    }
    pieces.extend((!rest.is_empty()).then(|| roman(rest)));
    pieces
}

const DESCRIPTION: &[&str] = &[
    "`hollerd` holds many WebSocket connections, most of them idle, and lets those in one room hear each other: the first \
     message of a client is its name, every later one goes to all others in the room. Clients connect to {/ws} or \
     {/ws/ROOM} and need a token: a signed one (JWT), or an access key from a file.",
    "Without a configuration it listens on 127.0.0.1:8080, makes a secret that ends with the run, and prints a token to \
     begin with. Settings come from a file, from the environment and from options; options win over the environment, the \
     environment over the file, and the file over the defaults. They are described in `hollerd.toml`(5).",
];

const CLOSE_CODES: &[&str] = &[
    "The code and text of the close frame by which a client learns why its connection ends, with \
     the limits of an empty configuration, and whether it should connect again. An ellipsis stands for what is different \
     each time.",
];

const FORMAT: &[&str] = &[
    "A TOML file. Every key has a default; a file needs only what differs, and `hollerd check -c` {FILE} says what is wrong \
     with one. `hollerd config` prints a file with everything in this page, commented out.",
    "Durations carry a unit: \"200ms\", \"25s\", \"2m\", \"1h30m\". Sizes are bytes: 16384 or \"16KiB\", \"1MiB\". Every setting \
     can also come from the environment, which wins over the file; lists have commas there.",
];

/// Sections that explain words.
const TERMS: &[(&str, &[(&str, &str)])] = &[
    (
        "SIGNALS",
        &[
            (
                "`SIGHUP`",
                "Read the configuration and the keys anew. Everybody stays connected. If anything is wrong with them, everything \
                 stays as it was, and the log says what is wrong and where. It also says what needs a restart, such as \
                 {listen}.",
            ),
            (
                "`SIGTERM`, `SIGINT`",
                "Stop: close the listeners, tell everybody 1001 in batches ({shutdown.batch}, {shutdown.interval}), and exit \
                 when all have gone or {shutdown.timeout} has passed. A second one ends at once.",
            ),
        ],
    ),
    (
        "FILES",
        &[
            ("{/etc/hollerd/hollerd.toml}", "The configuration of the service."),
            (
                "{/etc/hollerd/jwt.secret}",
                "The secret that verifies tokens, and makes them: `hollerd token new --secret-file`. The package makes it once, \
                 for root alone, and removes it when it is purged.",
            ),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            (
                "`HOLLERD_`{SECTION}`_`{KEY}",
                "Any setting, such as `HOLLERD_LIMITS_MESSAGE=32KiB`; `hollerd.toml`(5) names the variable of each. Lists have \
                 commas. A variable of this form that is no setting is an error.",
            ),
            (
                "`JOURNAL_STREAM`",
                "Set by `systemd`(1) where the journal stamps each line; with {log.time} at its default, lines then carry no \
                 time of their own.",
            ),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            ("`0`", "Stopped as asked, or the command did what it should."),
            ("`1`", "Something is wrong with the configuration, a key or an address; standard error says what."),
            ("`2`", "The command line is wrong."),
        ],
    ),
];

const SEE_ALSO: &str = "`hollerd.toml`(5), `systemd.service`(5), `systemd.socket`(5), `journalctl`(1)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_become_fonts() {
        let text = |parts: Vec<Inline>| Roff::new().text(parts).to_roff();
        assert_eq!(text(inline("a `b-c` {d} e")).trim_end(), r"a \fBb\-c\fR \fId\fR e");
        assert_eq!(text(inline("`whole`")).trim_end(), r"\fBwhole\fR");
        assert_eq!(text(inline("an `open mark")).trim_end(), "an `open mark");
    }

    #[test]
    fn every_option_and_command_has_its_place() {
        let page = daemon();
        for part in [
            "hollerd token new",
            r"\fB\-\-listen\fR \fIADDR\fR",
            r"\fB\-c\fR, \fB\-\-config\fR \fIFILE\fR",
            "One of jwt, keys, none.",
            "Default: 1h.",
            r"\fITOKEN\fR",
            ".SH SIGNALS",
            r"\fB1013\fR too slow",
            "hollerd config > hollerd.toml",
        ] {
            assert!(page.contains(part), "{part} is missing in\n{page}");
        }
    }

    #[test]
    #[ignore = "needs mandoc and man-db"]
    fn the_pages_are_well_formed() {
        for page in ["dist/man/hollerd.8", "dist/man/hollerd.toml.5"] {
            let lint =
                std::process::Command::new("mandoc").args(["-T", "lint", "-W", "warning", page]).output().unwrap();
            let said = String::from_utf8(lint.stdout).unwrap();
            let findings: Vec<&str> = said.lines().filter(|line| !line.contains("missing date")).collect();
            assert!(findings.is_empty(), "{findings:#?}");
            let shown = std::process::Command::new("man").args(["--warnings", "-l", page]).output().unwrap();
            assert!(shown.status.success() && shown.stderr.is_empty(), "{shown:?}");
            assert!(String::from_utf8_lossy(&shown.stdout).contains("DESCRIPTION"), "{shown:?}");
        }
    }

    #[test]
    fn every_setting_is_described() {
        let page = configuration();
        for setting in SETTINGS {
            let term = Roff::new().text([bold(setting.key()), roman(" = ")]).to_roff();
            assert!(page.contains(term.trim_end()), "{}", setting.label());
        }
        assert_eq!(page.matches("Environment: ").count(), SETTINGS.len());
    }
}
