//! The keys that the configuration names become the way in.

use std::path::Path;

use hollerd::auth::{AccessKeys, Auth, Claims, JwtKeys, mint};
use hollerd::config::{Admin, Auth as Settings, AuthMode};
use hollerd::server::unix_now;

use crate::files::Files;
use crate::{Problems, one};

/// How long the token lives that is printed at the start, in seconds: a long day.
const FRESH_TOKEN_S: u64 = 24 * 3600;

/// Opens the door, at the start and at each reload.
#[derive(Default)]
pub(crate) struct Doorkeeper {
    /// Made when it was needed first, and kept: the tokens that were signed with it are good until the server ends.
    secret: Option<[u8; mint::SECRET_BYTES]>,
}

impl Doorkeeper {
    /// Reads the keys. All of them are looked at, so that all mistakes are found at once.
    pub(crate) fn open(&mut self, settings: &Settings, files: Files) -> Result<Auth, Problems> {
        match settings.mode {
            AuthMode::None => Ok(Auth::None),
            AuthMode::Keys => {
                let path = settings.keys_file.as_ref().ok_or_else(|| one("auth.keys_file is not set"))?;
                Ok(Auth::Keys(read_keys(path, files)?))
            }
            AuthMode::Jwt if settings.jwt_keys.is_empty() => {
                let secret = match self.secret {
                    Some(secret) => secret,
                    None => *self.secret.insert(mint::secret().map_err(one)?),
                };
                let mut keys = JwtKeys::default();
                keys.add_secret("the secret of this run", &secret).map_err(one)?;
                Ok(Auth::Jwt(keys))
            }
            AuthMode::Jwt => {
                let mut keys = JwtKeys::default();
                let mut problems = Problems::new();
                for path in &settings.jwt_keys {
                    let name = path.display().to_string();
                    let added = files.read(path).and_then(|content| keys.add_key(&name, &content).map_err(one));
                    problems.extend(added.err().unwrap_or_default());
                }
                if problems.is_empty() { Ok(Auth::Jwt(keys)) } else { Err(problems) }
            }
        }
    }

    /// A token for whoever started the server. Only with a secret of its own: other keys belong to somebody else.
    pub(crate) fn fresh_token(&self) -> Result<Option<String>, Problems> {
        let Some(secret) = &self.secret else { return Ok(None) };
        let claims = Claims { exp: Some(unix_now().saturating_add(FRESH_TOKEN_S)), ..Claims::default() };
        mint::jwt(secret, &claims).map(Some).map_err(one)
    }
}

/// Reads the keys of administrators; `None` if none are needed.
pub(crate) fn admin_keys(settings: &Admin, files: Files) -> Result<Option<AccessKeys>, Problems> {
    settings.keys_file.as_deref().map(|path| read_keys(path, files)).transpose()
}

fn read_keys(path: &Path, files: Files) -> Result<AccessKeys, Problems> {
    AccessKeys::parse(&files.read_text(path)?)
        .map_err(|error| one(format!("{}:{}: {}", path.display(), error.line, error.why)))
}
