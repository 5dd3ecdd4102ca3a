//! The file of a listening Unix socket: made where nobody listens, and removed when we stop.
//!
//! A process that was killed leaves its file behind, and the kernel lets nobody bind to a file that exists. So a file
//! where nobody answers is replaced. Two daemons that start in the same moment can both find it stale; the later one wins
//! then, and the earlier one is reached by nobody: one path is for one daemon.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use mio::net::UnixStream;
use socket2::{Domain, SockAddr, Socket, Type};

/// Removes the file when it is dropped, unless somebody else has put another one there.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and number of the file that we made.
    identity: (u64, u64),
}

impl SocketFile {
    /// A socket that is bound to `path` and listens, with these permissions.
    pub(super) fn listen(path: &Path, mode: u32, backlog: i32) -> io::Result<(Socket, Self)> {
        make_way(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::unix(path)?)?;
        let file = Self { path: path.to_owned(), identity: identity(path)? };
        // Until it listens nobody gets in, so nobody gets in before it has these permissions.
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        socket.listen(backlog)?;
        Ok((socket, file))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// True if nobody but its owner and its group can connect to the socket with this file. One without a file (its path is not
/// absolute) can be reached by everybody.
pub(super) fn is_closed_to_others(path: &Path) -> bool {
    path.is_absolute() && fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o007 == 0)
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

/// Removes a socket where nobody listens any more. Everything else that is in the way stays and is an error.
fn make_way(path: &Path) -> io::Result<()> {
    let file = match fs::symlink_metadata(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !file.file_type().is_socket() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "there is a file of this name, and it is no socket"));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        // One whose queue is full is busy, but it is there.
        Ok(_) => Err(io::Error::new(ErrorKind::AddrInUse, "somebody listens on it already")),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            Err(io::Error::new(ErrorKind::AddrInUse, "somebody listens on it already"))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("hollerd-{}-{name}", std::process::id()))
    }

    #[test]
    fn a_file_is_made_with_its_permissions_and_removed() {
        let path = scratch("made.sock");
        let (socket, file) = SocketFile::listen(&path, 0o600, 1).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = SocketFile::listen(&path, 0o600, 1).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AddrInUse, "{refused}");
        assert!(path.exists(), "who was refused has removed the file of another");
        drop((socket, file));
        assert!(!path.exists());
    }

    #[test]
    fn what_was_left_behind_is_replaced_and_what_is_no_socket_stays() {
        let path = scratch("stale.sock");
        let stale = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        stale.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        drop(stale);
        let (socket, file) = SocketFile::listen(&path, 0o600, 1).unwrap();
        // Somebody else takes the path over: then the file is not ours to remove.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "kept").unwrap();
        drop((socket, file));
        let refused = SocketFile::listen(&path, 0o600, 1).unwrap_err();
        assert_eq!((refused.kind(), fs::read_to_string(&path).unwrap().as_str()), (ErrorKind::AlreadyExists, "kept"));
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_listener_whose_queue_is_full_is_still_alive() {
        let path = scratch("full.sock");
        let (socket, file) = SocketFile::listen(&path, 0o600, 0).unwrap();
        let waiting: Vec<UnixStream> = std::iter::from_fn(|| UnixStream::connect(&path).ok()).take(100).collect();
        assert!(waiting.len() < 100);
        assert_eq!(SocketFile::listen(&path, 0o600, 1).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop((socket, file));
    }
}
