//! The command line: what can be asked for, and nothing of how it is done.
//!
//! `serve` is what happens without a subcommand, so its options stand at the top as well.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use crate::config::{AuthMode, Fault, ListenAddress, LogLevel, Overrides, parse_duration};

/// What the daemon was asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Serve until told to stop.
    Serve(Serve),
    /// Try a configuration and say what is wrong with it.
    Check(Check),
    /// Print every setting with its default.
    Config,
    /// Make or look at what lets clients in.
    Token(Token),
}

/// What to serve with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Serve {
    /// Configuration file; `None` means defaults and environment only.
    pub config: Option<PathBuf>,
    /// Settings from the command line.
    pub overrides: Overrides,
}

/// Which configuration to try.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Check {
    /// Configuration file; without it only the environment is checked
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What to do about tokens and access keys.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Token {
    /// Print a signed token (HS256)
    #[command(after_help = "Example: hollerd token new --sub yuan --rooms lobby --ttl 12h --secret-file secret")]
    New(NewToken),
    /// Print an access key, and the line for the keys file that lets it in
    #[command(after_help = "The key is shown once; the keys file holds only its hash.\n\n\
        Example: hollerd token key --sub yuan --rooms 'team-*'")]
    Key(NewKey),
    /// Say what is in a token and whether it would be let in
    #[command(after_help = "Example: hollerd token check eyJhbGciOi... -c /etc/hollerd.toml")]
    Check(CheckToken),
}

/// A token to make.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct NewToken {
    /// Name its bearer must use; without it any name will do
    #[arg(long, value_name = "NAME")]
    pub sub: Option<String>,
    /// Rooms it opens, exact or as prefix*, separated by commas
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub rooms: Vec<String>,
    /// Time until it expires
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = lifetime)]
    pub ttl: Duration,
    /// File with the secret that signs it
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
}

/// An access key to make.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct NewKey {
    /// Name its bearer must use; without it any name will do
    #[arg(long, value_name = "NAME")]
    pub sub: Option<String>,
    /// Rooms it opens, exact or as prefix*, separated by commas
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub rooms: Vec<String>,
    /// Time until it expires; without it the key is good until its line is removed
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub ttl: Option<Duration>,
}

/// A token to look at.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct CheckToken {
    /// The token
    pub token: String,
    /// Configuration file that says which keys verify it
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// File with the secret that verifies it
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
}

/// WebSocket chat and broadcast daemon
#[derive(Debug, Parser)]
#[command(
    name = "hollerd",
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = EXAMPLES
)]
pub struct Cli {
    #[command(flatten)]
    serve: ServeArgs,
    #[command(subcommand)]
    command: Option<Subcommands>,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Serve until told to stop; also what happens without a command
    Serve(ServeArgs),
    /// Try a configuration and say what is wrong with it
    Check(Check),
    /// Print a configuration file with every setting at its default
    Config,
    /// Make or look at tokens and access keys
    #[command(subcommand)]
    Token(Token),
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// Configuration file ("hollerd config" prints one to start from)
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen: 127.0.0.1:8080 or unix:PATH; may be given several times
    #[arg(long, value_name = "ADDR")]
    listen: Vec<ListenAddress>,
    /// What lets a client in
    #[arg(long, value_name = "MODE", value_parser = words::<AuthMode>(AuthMode::WORDS))]
    auth: Option<AuthMode>,
    /// Least important kind of log line that is written
    #[arg(long, value_name = "LEVEL", value_parser = words::<LogLevel>(LogLevel::WORDS))]
    log_level: Option<LogLevel>,
}

impl Cli {
    /// Reads a command line, the program's own name first.
    ///
    /// # Errors
    /// What clap wants printed: a mistake, or the text of `--help` and `--version`. The caller
    /// decides where it goes; `clap::Error::exit` does the usual thing.
    pub fn parse_from<I, T>(args: I) -> Result<Command, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let cli = <Self as Parser>::try_parse_from(args)?;
        Ok(match cli.command {
            None => Command::Serve(cli.serve.into()),
            Some(Subcommands::Serve(serve)) => Command::Serve(serve.into()),
            Some(Subcommands::Check(check)) => Command::Check(check),
            Some(Subcommands::Config) => Command::Config,
            Some(Subcommands::Token(token)) => Command::Token(token),
        })
    }
}

impl From<ServeArgs> for Serve {
    fn from(args: ServeArgs) -> Self {
        let ServeArgs { config, listen, auth, log_level } = args;
        Self { config, overrides: Overrides { listen, auth, log_level } }
    }
}

/// A parser for one word of a few; clap lists the words in the help and suggests the nearest.
fn words<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: std::str::FromStr<Err = Fault> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse::<T>())
}

/// A time for which something is good. Bounded, because it is added to the time of day.
fn lifetime(text: &str) -> Result<Duration, Fault> {
    let ttl = parse_duration(text)?;
    if (LIFETIME_MIN..=LIFETIME_MAX).contains(&ttl) {
        return Ok(ttl);
    }
    Err(Fault::OutOfBounds { found: text.to_owned(), bounds: "1s to 87600h".to_owned() })
}

const LIFETIME_MIN: Duration = Duration::from_secs(1);

/// Ten years.
const LIFETIME_MAX: Duration = Duration::from_secs(87_600 * 3_600);

const EXAMPLES: &str = "\
Examples:
  hollerd                                  serve on 127.0.0.1:8080 with a secret for this run
  hollerd --listen 127.0.0.1:0 --auth none try it out on a free port, with the door open
  hollerd config > hollerd.toml            start a configuration file
  hollerd check -c hollerd.toml            try it before a restart
  hollerd serve -c /etc/hollerd.toml       serve with it
  hollerd token new --sub yuan --ttl 12h --secret-file secret

Every setting can also come from the environment, as in HOLLERD_LIMITS_MESSAGE=32KiB.
Options win over the environment, the environment over the file, the file over the defaults.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::parse_from(std::iter::once("hollerd").chain(line.split_whitespace()))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_with_and_without_its_name() {
        let full = Serve {
            config: Some(PathBuf::from("a.toml")),
            overrides: Overrides {
                listen: vec!["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()],
                auth: Some(AuthMode::None),
                log_level: Some(LogLevel::Debug),
            },
        };
        let table = [
            ("", Serve::default()),
            ("-c a.toml --listen 127.0.0.1:0 --listen [::1]:0 --auth none --log-level debug", full),
            ("--config=a.toml", Serve { config: Some(PathBuf::from("a.toml")), ..Serve::default() }),
        ];
        for (line, serve) in table {
            assert_eq!(parse(line).unwrap(), Command::Serve(serve.clone()), "{line}");
            assert_eq!(parse(&format!("serve {line}")).unwrap(), Command::Serve(serve), "{line}");
        }
    }

    #[test]
    fn the_other_commands() {
        let path = |text: &str| Some(PathBuf::from(text));
        let rooms = vec!["lobby".to_owned(), "team-*".to_owned()];
        let hour = Duration::from_secs(3600);
        let nobody = NewToken { sub: None, rooms: vec![], ttl: hour, secret_file: None };
        let yuan =
            NewToken { sub: Some("yuan".to_owned()), rooms: rooms.clone(), ttl: hour / 2, secret_file: path("s") };
        let key = NewKey { sub: Some("yuan".to_owned()), rooms, ttl: None };
        let look = CheckToken { token: "ey.a.b".to_owned(), config: path("f"), secret_file: path("s") };
        let table = [
            ("check -c f", Command::Check(Check { config: path("f") })),
            ("check", Command::Check(Check { config: None })),
            ("config", Command::Config),
            ("token new", Command::Token(Token::New(nobody))),
            ("token new --sub yuan --rooms lobby,team-* --ttl 30m --secret-file s", Command::Token(Token::New(yuan))),
            ("token key --sub yuan --rooms lobby,team-*", Command::Token(Token::Key(key))),
            (
                "token key --ttl 24h",
                Command::Token(Token::Key(NewKey { sub: None, rooms: vec![], ttl: Some(hour * 24) })),
            ),
            ("token check ey.a.b -c f --secret-file s", Command::Token(Token::Check(look))),
        ];
        for (line, command) in table {
            assert_eq!(parse(line).unwrap(), command, "{line}");
        }
    }

    #[test]
    fn what_is_refused() {
        let table = [
            ("--auth maybe", ErrorKind::InvalidValue, "[possible values: jwt, keys, none]"),
            ("--log-level inf", ErrorKind::InvalidValue, "info"),
            ("--listen localhost", ErrorKind::ValueValidation, "--listen"),
            ("--lisen 127.0.0.1:0", ErrorKind::UnknownArgument, "--listen"),
            ("--auth none config", ErrorKind::ArgumentConflict, "config"),
            ("sevre", ErrorKind::InvalidSubcommand, "serve"),
            ("token", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, "token"),
            ("token check", ErrorKind::MissingRequiredArgument, "TOKEN"),
            ("token new --ttl 5", ErrorKind::ValueValidation, "write \"5s\""),
            ("token new --ttl 0s", ErrorKind::ValueValidation, "must be 1s to 87600h"),
            ("token new --ttl 99999999h", ErrorKind::ValueValidation, "must be 1s to 87600h"),
        ];
        for (line, kind, part) in table {
            let error = parse(line).expect_err(line);
            assert_eq!(error.kind(), kind, "{line}: {error}");
            assert!(error.to_string().contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn help_and_version() {
        assert_eq!(parse("--version").unwrap_err().kind(), ErrorKind::DisplayVersion);
        for line in ["--help", "-h"] {
            let help = parse(line).unwrap_err();
            assert_eq!(help.kind(), ErrorKind::DisplayHelp);
            let text = help.to_string();
            for part in ["Examples:", "--listen <ADDR>", "possible values: jwt", "HOLLERD_"] {
                assert!(text.contains(part), "{part} is missing in {text}");
            }
        }
        for line in ["serve --help", "check --help", "config --help", "token new --help"] {
            assert_eq!(parse(line).unwrap_err().kind(), ErrorKind::DisplayHelp, "{line}");
        }
    }
}
