//! How many connections the open-file limit allows.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::StartError;
use crate::config::{Admin, Limits};

/// Descriptors that are not for connections: listeners, the poll, signals, the log, a spare one, and those who are told
/// that the server is full.
pub(super) const RESERVE: u64 = 64;

/// Where the system states no limit, or an absurd one, this is taken for the number of connections.
const CONNECTIONS_MAX: u32 = 1 << 20;
/// The least share of places for those who are not admitted yet.
const PENDING_MIN: u32 = 64;
const PENDING_SHARE: u32 = 8;

/// Raises the open-file limit to what the system allows and fills in the limits that depend on it. `admin` is absent where
/// there is no admin listener.
///
/// # Errors
/// If the configuration asks for more connections than the hard limit can hold.
pub(super) fn settle_limits(limits: &Limits, admin: Option<&Admin>) -> Result<Limits, StartError> {
    let files = raise_file_limit();
    // Its listener, those whom it serves, and one that is told that there are too many.
    let admin = admin.map_or(0, |admin| u64::from(admin.connections) + 2);
    let reserve = RESERVE + admin;
    let most = u32::try_from(files.saturating_sub(reserve)).unwrap_or(u32::MAX);
    let mut settled = limits.clone();
    if limits.connections > most || most == 0 {
        return Err(StartError::TooFewFiles { wanted: limits.connections, files, reserve });
    }
    if settled.connections == 0 {
        settled.connections = most.min(CONNECTIONS_MAX);
    }
    if settled.pending == 0 {
        settled.pending = PENDING_MIN.max(settled.connections / PENDING_SHARE);
    }
    Ok(settled)
}

/// Sets the soft limit to the hard limit and returns what is in force.
fn raise_file_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum.unwrap_or(u64::MAX),
        Err(_) => current.unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_depend_on_the_system_are_filled_in() {
        let settled = settle_limits(&Limits::default(), None).unwrap();
        assert!(settled.connections > 0);
        assert_eq!(settled.pending, PENDING_MIN.max(settled.connections / PENDING_SHARE));
    }

    #[test]
    fn a_limit_that_cannot_be_met_is_an_error_that_says_what_to_do() {
        let limits = Limits { connections: 1 << 24, ..Limits::default() };
        let error = settle_limits(&limits, None).unwrap_err().to_string();
        assert!(error.contains("limits.connections = 16777216") && error.contains("LimitNOFILE"), "{error}");
    }
}
