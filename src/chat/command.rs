//! temporary
pub(super) enum Command<'a> {
    Help,
    Who,
    Say(&'a str),
    Direct { to: String, text: &'a str },
    Rename(&'a str),
}
pub(super) const HELP: &str = "help";
pub(super) fn parse(line: &str) -> Result<Command<'_>, String> {
    Ok(match line {
        "/help" => Command::Help,
        "/who" => Command::Who,
        _ => match line.strip_prefix('/') {
            None => Command::Say(line),
            Some(rest) if rest.starts_with('/') => Command::Say(rest),
            Some(rest) => {
                if let Some(n) = rest.strip_prefix("name ") {
                    Command::Rename(n)
                } else if let Some((to, text)) = rest.strip_prefix("msg ").and_then(|m| m.split_once(' ')) {
                    Command::Direct { to: to.to_owned(), text }
                } else {
                    return Err("unknown command".into());
                }
            }
        },
    })
}
