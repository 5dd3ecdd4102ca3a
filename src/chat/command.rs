//! The commands of the text protocol: lines that begin with a slash.

use std::borrow::Cow;

use crate::wire::frame::printable;

/// The answer to `/help`, a message a line.
pub(super) const HELP: &str = "\
/who: who is here
/msg NAME TEXT: say TEXT to NAME alone; a name with spaces goes in quotes: /msg \"kim lee\" hi
/name NEW: be called NEW from now on
/help: this list
//TEXT: say /TEXT to everybody";

/// The longest part of a wrong command that an error text repeats, in bytes.
const SHOWN_MAX: usize = 32;
const MSG_FORM: &str = "write /msg NAME TEXT, or /msg \"NAME WITH SPACES\" TEXT";

/// What a line of somebody who has a name asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// The list of commands.
    Help,
    /// Who is there.
    Who,
    /// Say this to everybody.
    Say(&'a str),
    /// Say this to one user.
    Direct { to: Cow<'a, str>, text: &'a str },
    /// Be called this.
    Rename(Cow<'a, str>),
}

/// Reads one line. Only one that begins with a slash is a command; telephones begin a line with a capital letter, so `/Who`
/// is one too.
///
/// # Errors
/// What is wrong, as a sentence for whoever typed it.
pub(super) fn parse(line: &str) -> Result<Command<'_>, String> {
    let Some(rest) = line.strip_prefix('/') else { return Ok(Command::Say(line)) };
    if rest.starts_with('/') {
        return Ok(Command::Say(rest));
    }
    let (word, arguments) = split_word(rest);
    match word.to_ascii_lowercase().as_str() {
        "help" => Ok(Command::Help),
        "who" if arguments.is_empty() => Ok(Command::Who),
        "who" => Err("write /who alone, it lists everybody here".to_owned()),
        "msg" => message(arguments),
        "name" => rename(arguments),
        _ => {
            let word = printable(word, SHOWN_MAX);
            Err(format!(
                "there is no command /{word}; /help lists them, and //{word} says a line that begins with a slash"
            ))
        }
    }
}

fn message(arguments: &str) -> Result<Command<'_>, String> {
    let (to, text) = match quoted(arguments)? {
        Some((to, text)) => (to, text),
        None => {
            let (to, text) = split_word(arguments);
            (Cow::Borrowed(to), text)
        }
    };
    if to.is_empty() {
        return Err(format!("nobody is named; {MSG_FORM}"));
    }
    if text.trim_end().is_empty() {
        return Err(format!("nothing is said; {MSG_FORM}"));
    }
    Ok(Command::Direct { to, text })
}

/// A name may have spaces here without quotes, as nothing follows it.
fn rename(arguments: &str) -> Result<Command<'_>, String> {
    const FORM: &str = "write /name NEW";
    let name = match quoted(arguments)? {
        Some((name, "")) => name,
        Some(_) => return Err(format!("something follows the name; {FORM}")),
        None => Cow::Borrowed(arguments.trim_end()),
    };
    if name.is_empty() { Err(format!("there is no name; {FORM}")) } else { Ok(Command::Rename(name)) }
}

/// The first word, and what follows the white space behind it.
fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

/// If `text` begins with a quotation mark: what is in quotes, where `\"` and `\\` stand for `"` and `\`, and what follows the
/// white space behind it.
fn quoted(text: &str) -> Result<Option<(Cow<'_, str>, &str)>, String> {
    let Some(inner) = text.strip_prefix('"') else { return Ok(None) };
    let mut name = Cow::Borrowed("");
    let mut characters = inner.char_indices();
    while let Some((at, char)) = characters.next() {
        match char {
            '"' => {
                let rest = inner.get(at + 1..).unwrap_or_default();
                if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
                    return Err("a space is missing behind the closing quotation mark".to_owned());
                }
                return Ok(Some((name, rest.trim_start())));
            }
            '\\' => match characters.next() {
                Some((_, escaped @ ('"' | '\\'))) => name.to_mut().push(escaped),
                _ => return Err("in quotes, a backslash stands only before \" and \\".to_owned()),
            },
            _ => match &mut name {
                Cow::Owned(name) => name.push(char),
                // Nothing has been escaped so far, so the name is what stands there.
                Cow::Borrowed(name) => *name = inner.get(..at + char.len_utf8()).unwrap_or_default(),
            },
        }
    }
    Err("the closing quotation mark is missing".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct<'a>(to: &'a str, text: &'a str) -> Command<'a> {
        Command::Direct { to: to.into(), text }
    }

    #[test]
    fn lines_are_said_and_commands_are_done() {
        for (line, command) in [
            ("", Command::Say("")),
            ("good morning", Command::Say("good morning")),
            (" /who", Command::Say(" /who")),
            ("or /who?", Command::Say("or /who?")),
            ("//who", Command::Say("/who")),
            ("//", Command::Say("/")),
            ("///x", Command::Say("//x")),
            ("// x", Command::Say("/ x")),
            ("/who", Command::Who),
            ("/Who", Command::Who),
            ("/WHO \t", Command::Who),
            ("/who\r\n", Command::Who),
            ("/help", Command::Help),
            ("/help me", Command::Help),
            ("/msg kim hi", direct("kim", "hi")),
            ("/Msg  kim \t hi there ", direct("kim", "hi there ")),
            ("/msg kim one\ntwo", direct("kim", "one\ntwo")),
            ("/msg kim /who", direct("kim", "/who")),
            ("/msg kim \"hi\"", direct("kim", "\"hi\"")),
            ("/msg k\"im hi", direct("k\"im", "hi")),
            ("/msg 李明 早安", direct("李明", "早安")),
            ("/msg \"kim lee\" hi", direct("kim lee", "hi")),
            ("/msg \"kim\"  hi \"x\"", direct("kim", "hi \"x\"")),
            (r#"/msg "a \"b\" \\ c" hi"#, direct(r#"a "b" \ c"#, "hi")),
            (r#"/msg "\"" hi"#, direct("\"", "hi")),
            ("/msg \"李 明\"\u{3000}早安", direct("李 明", "早安")),
            ("/msg kim\\ hi", direct("kim\\", "hi")),
            ("/name kim", Command::Rename("kim".into())),
            ("/name  kim lee \r\n", Command::Rename("kim lee".into())),
            ("/name \"kim lee\" ", Command::Rename("kim lee".into())),
            ("/name kim \"k\" lee", Command::Rename("kim \"k\" lee".into())),
        ] {
            assert_eq!(parse(line).as_ref(), Ok(&command), "{line:?}");
        }
    }

    #[test]
    fn mistakes_are_told_in_words() {
        let no_command = |word: &str| {
            format!("there is no command /{word}; /help lists them, and //{word} says a line that begins with a slash")
        };
        for (line, problem) in [
            ("/", no_command("")),
            ("/ who", no_command("")),
            ("/etc/passwd is a file", no_command("etc/passwd")),
            ("/whois kim", no_command("whois")),
            ("/\u{7}", no_command("\\u{7}")),
            (&format!("/{}", "x".repeat(1000)), no_command(&"x".repeat(SHOWN_MAX))),
            ("/who kim", "write /who alone, it lists everybody here".to_owned()),
            ("/msg", format!("nobody is named; {MSG_FORM}")),
            ("/msg \"\" hi", format!("nobody is named; {MSG_FORM}")),
            ("/msg kim", format!("nothing is said; {MSG_FORM}")),
            ("/msg kim \t ", format!("nothing is said; {MSG_FORM}")),
            ("/msg \"kim lee\"", format!("nothing is said; {MSG_FORM}")),
            ("/msg \"kim lee hi", "the closing quotation mark is missing".to_owned()),
            ("/msg \"", "the closing quotation mark is missing".to_owned()),
            ("/msg \"kim\\\"", "the closing quotation mark is missing".to_owned()),
            ("/msg \"kim\"hi", "a space is missing behind the closing quotation mark".to_owned()),
            ("/msg \"a\\b\" hi", "in quotes, a backslash stands only before \" and \\".to_owned()),
            ("/msg \"a\\", "in quotes, a backslash stands only before \" and \\".to_owned()),
            ("/name", "there is no name; write /name NEW".to_owned()),
            ("/name \"\"", "there is no name; write /name NEW".to_owned()),
            ("/name \"kim\" lee", "something follows the name; write /name NEW".to_owned()),
        ] {
            assert_eq!(parse(line), Err(problem), "{line:?}");
        }
    }

    #[test]
    fn a_name_without_escapes_is_not_copied() {
        for line in ["/msg kim hi", "/msg \"kim lee\" hi"] {
            assert!(matches!(parse(line), Ok(Command::Direct { to: Cow::Borrowed(_), .. })), "{line}");
        }
    }

    #[test]
    fn the_help_lists_every_command() {
        for line in HELP.lines() {
            let (form, _) = line.split_once(": ").unwrap();
            assert!(parse(&form.to_lowercase()).is_ok(), "{form}");
        }
    }
}
