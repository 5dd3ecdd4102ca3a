//! The keys that the configuration names become the way in.

use hollerd::auth::{AccessKeys, Auth, Claims, JwtKeys, mint};
use hollerd::config::{Auth as Settings, AuthMode};
use hollerd::server::unix_now;

use crate::{Problems, one, read, read_text};

/// How long the token lives that is printed at the start, in seconds: a long day.
const FRESH_TOKEN_S: u64 = 24 * 3600;

/// How tokens are checked, and one to begin with.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) auth: Auth,
    /// A token for whoever started the server. Only with a secret of its own: other keys belong to somebody else.
    pub(crate) fresh_token: Option<String>,
}

/// Reads the keys.
pub(crate) fn open(settings: &Settings) -> Result<Door, Problems> {
    let mut fresh_token = None;
    let auth = match settings.mode {
        AuthMode::None => Auth::None,
        AuthMode::Keys => {
            let path = settings.keys_file.as_ref().ok_or_else(|| one("auth.keys_file is not set"))?;
            let keys =
                AccessKeys::parse(&read_text(path)?).map_err(|error| one(format!("{}: {error}", path.display())))?;
            Auth::Keys(keys)
        }
        AuthMode::Jwt => {
            let mut keys = JwtKeys::default();
            for path in &settings.jwt_keys {
                keys.add_key(&path.display().to_string(), &read(path)?).map_err(one)?;
            }
            if settings.jwt_keys.is_empty() {
                let secret = mint::secret().map_err(one)?;
                keys.add_secret("the secret of this run", &secret).map_err(one)?;
                let claims = Claims { exp: Some(unix_now().saturating_add(FRESH_TOKEN_S)), ..Claims::default() };
                fresh_token = Some(mint::jwt(&secret, &claims).map_err(one)?);
            }
            Auth::Jwt(keys)
        }
    };
    Ok(Door { auth, fresh_token })
}
