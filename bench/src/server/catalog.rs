//! Every server that can be asked, and how each is started.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Ours, the two floors, and the others.
pub(crate) const NAMES: [&str; 8] =
    ["hollerd", "floor", "batch-floor", "ws", "tokio-tungstenite", "fastwebsockets", "gorilla", "nchan"];

/// What a server is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The chat. Ours checks a token, the others know none.
    Chat,
    /// The chat, without a token even at ours.
    OpenChat,
    /// Every message comes back.
    Echo,
}

/// Limits that a benchmark on one machine would run into without meaning to.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("HOLLERD_LIMITS_PENDING_PER_ADDRESS", "0"),
    ("HOLLERD_LIMITS_PENDING", "19000"),
    ("HOLLERD_LIMITS_MESSAGES_PER_SECOND", "0"),
    ("HOLLERD_LOG_LEVEL", "warn"),
    ("HOLLERD_CHAT_NAME_TIMEOUT", "10m"),
];

/// The command line for a server.
pub(super) fn command(name: &str, role: Role, extra: &[(&str, &str)]) -> Result<Command, String> {
    let mut command = if name == "hollerd" { ours(role)? } else { peer(name, role)? };
    command.args(["--listen", "127.0.0.1:0"]);
    command.envs(extra.iter().copied());
    Ok(command)
}

/// The same command with strace beside it. `-D` leaves the server our own child. With `--seccomp-bpf` only its polls stop
/// it, not each of its writes; that is not possible for a server that runs already. The signals are those that end it,
/// because without them the file would not say that it has ended.
pub(super) fn traced(command: &Command, file: &Path) -> Command {
    let mut traced = Command::new("strace");
    traced.args(["-D", "-f", "--seccomp-bpf", "-ttt", "-T", "-e", "signal=TERM,KILL", "-e", "verbose=none"]);
    traced.args(["-e", "trace=epoll_wait,epoll_pwait,epoll_pwait2", "-o"]).arg(file).arg("--");
    traced.arg(command.get_program()).args(command.get_args());
    traced.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    traced
}

/// The configuration file of hollerd with every key at its default.
pub(crate) fn defaults() -> Result<String, String> {
    let output = Command::new(binary("hollerd")?).arg("config").output().map_err(|error| error.to_string())?;
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

fn binary(name: &str) -> Result<PathBuf, String> {
    let folder = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned));
    let path = folder.ok_or("cannot tell where the binaries are")?.join(name);
    if path.is_file() { Ok(path) } else { Err(format!("{} is not built", path.display())) }
}

fn ours(role: Role) -> Result<Command, String> {
    let mut command = Command::new(binary(if role == Role::Echo { "examples/echo" } else { "hollerd" })?);
    if role != Role::Echo {
        command.envs(ENVIRONMENT);
    }
    if role == Role::OpenChat {
        command.args(["--auth", "none"]);
    }
    Ok(command)
}

fn peer(name: &str, role: Role) -> Result<Command, String> {
    let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/run");
    if !script.is_file() {
        return Err("bench/peers/run is not there".to_owned());
    }
    let mut command = Command::new(script);
    command.arg(name);
    if role == Role::Echo {
        command.arg("--echo");
    }
    Ok(command)
}

/// Builds our binaries as they are shipped, so that nobody measures yesterday's.
pub(crate) fn build() -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    command.args(["build", "--release", "--locked", "--package", "hollerd", "--bin", "hollerd", "--example", "echo"]);
    let status = command.status().map_err(|error| format!("cargo cannot be started: {error}"))?;
    if status.success() { Ok(()) } else { Err("hollerd does not build".to_owned()) }
}
