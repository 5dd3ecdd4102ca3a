//! `hollerd token new`, `key` and `check`.

use std::path::Path;

use hollerd::auth::{Auth, Claims, Denial, JwtKeys, RoomGrant, describe, hmac_secret, mint};
use hollerd::cli::{CheckToken, NewKey, NewToken, Token};
use hollerd::config::Overrides;
use hollerd::server::unix_now;

use crate::door::Doorkeeper;
use crate::files::Files;
use crate::{Problems, greeting, load, one};

pub(crate) fn run(command: Token) -> Result<(), Problems> {
    match command {
        Token::New(new) => make_token(&new),
        Token::Key(new) => make_key(&new),
        Token::Check(check) => check_token(&check),
    }
}

fn make_token(new: &NewToken) -> Result<(), Problems> {
    let now = unix_now();
    let claims = Claims {
        sub: new.sub.clone(),
        rooms: grant(&new.rooms)?,
        exp: Some(now.saturating_add(new.ttl.as_secs())),
        iat: Some(now),
        ..Claims::default()
    };
    let secret = secret(new.secret_file.as_deref())?;
    greeting::say(&mint::jwt(&secret, &claims).map_err(one)?);
    Ok(())
}

/// The secret from a file. Without one there is nothing to sign with: the secret of a running daemon is only in its
/// memory.
fn secret(file: Option<&Path>) -> Result<Vec<u8>, Problems> {
    let advice = "no secret to sign with: make one with `head -c 48 /dev/urandom | base64 > secret`, give it to the daemon \
                  as [auth] jwt_keys = [\"secret\"], and pass --secret-file secret";
    let path = file.ok_or_else(|| one(advice))?;
    let content = Files::First.read(path)?;
    hmac_secret(&path.display().to_string(), &content).map(<[u8]>::to_vec).map_err(one)
}

fn make_key(new: &NewKey) -> Result<(), Problems> {
    let claims = Claims {
        sub: new.sub.clone(),
        rooms: grant(&new.rooms)?,
        exp: new.ttl.map(|ttl| unix_now().saturating_add(ttl.as_secs())),
        ..Claims::default()
    };
    let (key, line) = mint::access_key(&claims).map_err(one)?;
    greeting::say(&format!("{key}\n\nfor the keys file (auth.keys_file):\n{line}"));
    Ok(())
}

/// No `--rooms` means every room.
fn grant(rooms: &[String]) -> Result<RoomGrant, Problems> {
    if rooms.is_empty() {
        return Ok(RoomGrant::All);
    }
    RoomGrant::from_patterns(rooms.iter().map(String::as_str)).map_err(|problem| one(problem.as_str()))
}

fn check_token(check: &CheckToken) -> Result<(), Problems> {
    let config = load(check.config.as_deref(), &Overrides::default())?;
    if let Ok(description) = describe(&check.token) {
        greeting::say(&description.to_string());
    }
    let auth = match &check.secret_file {
        Some(path) => {
            let mut keys = JwtKeys::default();
            keys.add_key(&path.display().to_string(), &Files::First.read(path)?).map_err(one)?;
            Auth::Jwt(keys)
        }
        None => {
            let nothing = config.auth.mode == hollerd::config::AuthMode::Jwt && config.auth.jwt_keys.is_empty();
            if nothing {
                return Err(one("no key to check with: pass --secret-file FILE, or -c FILE with auth.jwt_keys"));
            }
            Doorkeeper::default().open(&config.auth, Files::First)?
        }
    };
    let verdict = auth.check(&check.token, config.auth.token_max, unix_now());
    match verdict {
        Ok(identity) => {
            let name = identity.name.map_or("under any name".to_owned(), |name| format!("as \"{name}\""));
            greeting::say(&format!("would be let in {name}, rooms: {}", identity.rooms));
            Ok(())
        }
        Err(denial) => Err(refused(denial)),
    }
}

fn refused(denial: Denial) -> Problems {
    one(format!("would be refused: {denial}"))
}
