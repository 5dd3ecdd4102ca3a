//! The daemon: arguments, configuration, keys, logger, and the server. All that can go wrong before it listens is said on
//! standard error, and the exit code is 1 (2 for a wrong command line).

use std::path::Path;
use std::process::ExitCode;

use hollerd::auth::{AccessKeys, Auth, SessionKey, mint};
use hollerd::chat::Chat;
use hollerd::cli::{Cli, Command, Serve};
use hollerd::config::{self, Config, Overrides};
use hollerd::engine::Gate;
use hollerd::server::{Fresh, Server, TlsConfig};

use door::Doorkeeper;
use files::Files;

mod door;
mod files;
mod greeting;
mod logger;
mod token;

/// One line for standard error per thing that is wrong.
type Problems = Vec<String>;

fn main() -> ExitCode {
    let command = match Cli::parse_from(std::env::args_os()) {
        Ok(command) => command,
        Err(error) => error.exit(),
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            for problem in problems {
                eprintln!("{}hollerd: {problem}", logger::error_prefix());
            }
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Problems> {
    match command {
        Command::Serve(serve) => run_server(&serve),
        Command::Check(check) => {
            let config = load(check.config.as_deref(), &Overrides::default())?;
            Doorkeeper::default().open(&config.auth, Files::First)?;
            door::admin_keys(&config.admin, Files::First)?;
            read_tls(&config, Files::First)?;
            greeting::say("configuration is good");
            Ok(())
        }
        Command::Config => {
            greeting::say_raw(&config::sample());
            Ok(())
        }
        Command::Token(command) => token::run(command),
    }
}

fn run_server(serve: &Serve) -> Result<(), Problems> {
    let config = load(serve.config.as_deref(), &serve.overrides)?;
    logger::start(&config.log)?;
    let mut doorkeeper = Doorkeeper::default();
    let gate = gate(&config, doorkeeper.open(&config.auth, Files::First)?);
    let sessions = SessionKey::new(&mint::secret().map_err(one)?);
    let chat = Chat::new(&config.chat, &config.history, sessions);
    let tls = read_tls(&config, Files::First)?;
    let mut server = Server::bind_tls(&config, tls, gate, chat).map_err(one)?;
    let admin = server.administer(&config.admin, admin_keys(&config, Files::First)?).map_err(one)?;
    greeting::print(&server.addresses(), admin.as_ref(), config.auth.mode, doorkeeper.fresh_token()?.as_deref());
    server.run_reloading(&mut || reload(serve, &mut doorkeeper)).map_err(one)?;
    log::info!("bye");
    Ok(())
}

/// Reads everything again that was read at the start.
fn reload(serve: &Serve, doorkeeper: &mut Doorkeeper) -> Result<Fresh, Problems> {
    if let Some(path) = &serve.config {
        Files::Again.check(path)?;
    }
    let config = load(serve.config.as_deref(), &serve.overrides)?;
    let auth = doorkeeper.open(&config.auth, Files::Again)?;
    let tls = read_tls(&config, Files::Again)?;
    let admin_keys = admin_keys(&config, Files::Again)?;
    name_credentials(&config);
    Ok(Fresh { gate: gate(&config, auth), config, tls, admin_keys })
}

/// Whoever has replaced the file behind a credential takes the line about keys that were read anew for its success.
fn name_credentials(config: &Config) {
    let (auth, tls) = (&config.auth, &config.tls);
    let others = [&auth.keys_file, &config.admin.keys_file, &tls.certificate, &tls.key, &tls.client_ca];
    let paths = auth.jwt_keys.iter().chain(others.into_iter().flatten());
    for path in paths.filter(|path| files::is_credential(path)) {
        log::info!("{} is as it was handed over at the start; restart to change it", path.display());
    }
}

fn read_tls(config: &Config, files: Files) -> Result<Option<TlsConfig>, Problems> {
    TlsConfig::load(&config.tls, &mut |path| files.read(path))
}

fn admin_keys(config: &Config, files: Files) -> Result<Option<AccessKeys>, Problems> {
    let keys = door::admin_keys(&config.admin, files)?;
    if keys.as_ref().is_some_and(AccessKeys::is_empty) {
        log::warn!("admin.keys_file holds no keys: nobody can administer");
    }
    Ok(keys)
}

fn gate(config: &Config, auth: Auth) -> Gate {
    if let Auth::Keys(keys) = &auth
        && keys.is_empty()
    {
        log::warn!("auth.keys_file holds no keys: nobody can come in");
    }
    Gate {
        auth,
        token_max: config.auth.token_max,
        allowed_origins: config.allowed_origins.clone(),
        cookie: config.auth.cookie.clone(),
        query: config.auth.query,
        first_message: config.auth.first_message,
    }
}

/// Flags over environment over file over defaults.
fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Config, Problems> {
    let text = match file {
        Some(path) => Some((path, config::read_file(path).map_err(one)?)),
        None => None,
    };
    // A variable that is not text cannot be one of ours.
    let environment =
        std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    let file = text.as_ref().map(|(path, text)| (*path, text.as_str()));
    Config::load(file, environment, overrides).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn one(error: impl ToString) -> Problems {
    vec![error.to_string()]
}
