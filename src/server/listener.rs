//! Listening sockets: opened with the options that connections inherit, and accepted from in a bounded way.
//!
//! The poll is edge-triggered: a listener that is not emptied gets no second edge. So it remembers that somebody may be
//! waiting, and is tried again when there is room, a descriptor, or budget.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockRef, TcpKeepalive, Type};

use super::inherited::{self, Inherited};
use super::socket::Plain;
use super::socket_file::SocketFile;
use crate::config::{Config, ListenAddress};
use crate::connection::remote::Remote;
use crate::time::Time;
use crate::wire::response::{Refusal, Status};

/// Whoever is refused without being waited for is read from so many times, 2 KiB each.
const DISCARDS_MAX: usize = 32;
/// How long accepting pauses when there are no descriptors left, if nobody leaves before.
const PAUSE: Duration = Duration::from_millis(250);
/// Connections that the kernel completes while we are busy; `net.core.somaxconn`, by default 4,096, cuts it.
const BACKLOG: i32 = 65_535;

/// The kernel counts `TCP_KEEPIDLE` in whole seconds from 1 to 32,767; whoever pings more often than every second does not
/// want dead peers cut sooner than that.
pub(super) const USER_TIMEOUT_MIN: Duration = Duration::from_secs(1);
pub(super) const USER_TIMEOUT_MAX: Duration = Duration::from_secs(32_767);

/// How listeners are made, and what connections inherit from them.
#[derive(Debug, Clone, Copy)]
pub(super) struct SocketOptions {
    /// `SO_SNDBUF` in bytes; 0 leaves it to the kernel.
    pub(super) send_buffer: usize,
    /// `TCP_USER_TIMEOUT`: how long sent bytes may stay unacknowledged.
    pub(super) user_timeout: Duration,
    /// `SO_REUSEPORT`: others may listen there as well.
    pub(super) reuse_port: bool,
    /// Permissions of the file of a Unix socket.
    pub(super) unix_mode: u32,
}

impl SocketOptions {
    pub(super) fn new(config: &Config) -> Self {
        let user_timeout = config.heartbeat.ping_interval + config.heartbeat.pong_timeout;
        Self {
            send_buffer: config.limits.send_buffer,
            user_timeout: user_timeout.clamp(USER_TIMEOUT_MIN, USER_TIMEOUT_MAX),
            reuse_port: config.sockets.reuse_port,
            unix_mode: config.sockets.unix_mode.bits(),
        }
    }

    /// All of these are inherited by accepted TCP sockets on Linux, so they cost nothing per connection.
    fn apply(self, socket: &SockRef<'_>) -> io::Result<()> {
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_user_timeout(Some(self.user_timeout))?;
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(self.user_timeout))?;
        if self.send_buffer > 0 {
            // The kernel doubles what it is asked for, to have room for its own bookkeeping.
            socket.set_send_buffer_size(self.send_buffer)?;
        }
        Ok(())
    }
}

/// One listening socket.
#[derive(Debug)]
pub(super) struct Listener {
    socket: Listening,
    /// With the real port, where the system has chosen one.
    pub(super) address: ListenAddress,
    /// `SO_SNDBUF` for connections that do not inherit it; 0 leaves it to the kernel.
    send_buffer: usize,
    /// Somebody may be waiting.
    waiting: bool,
}

#[derive(Debug)]
enum Listening {
    Tcp(TcpListener),
    /// With its file, if it is ours: then it goes when the listener goes.
    Unix(UnixListener, #[expect(dead_code, reason = "it is there to be dropped")] Option<SocketFile>),
}

/// What an attempt to accept came to.
#[derive(Debug)]
pub(super) enum Accepted {
    /// Somebody came.
    Connection(Plain, Remote),
    /// Nobody is waiting.
    Nobody,
    /// This one failed; there may be others.
    Failed,
    /// There are no descriptors (or no memory) for another connection.
    Exhausted(io::Error),
}

impl Listener {
    pub(super) fn open(address: &ListenAddress, options: SocketOptions) -> io::Result<Self> {
        match address {
            ListenAddress::Tcp(at) => Self::open_tcp(*at, ListenAddress::Tcp, options),
            ListenAddress::Tls(at) => Self::open_tcp(*at, ListenAddress::Tls, options),
            ListenAddress::Unix(path) => {
                let (socket, file) = SocketFile::listen(path, options.unix_mode, BACKLOG)?;
                let socket = Listening::Unix(UnixListener::from_std(socket.into()), Some(file));
                Ok(Self { socket, address: address.clone(), send_buffer: options.send_buffer, waiting: true })
            }
        }
    }

    /// A socket that listens already.
    pub(super) fn adopt(inherited: Inherited, options: SocketOptions) -> io::Result<Self> {
        let Inherited { socket, address } = inherited;
        let socket = match socket {
            inherited::Socket::Tcp(socket) => Listening::Tcp(socket),
            inherited::Socket::Unix(socket) => Listening::Unix(socket, None),
        };
        let mut listener = Self { socket, address, send_buffer: 0, waiting: true };
        listener.set_options(options)?;
        Ok(listener)
    }

    fn open_tcp(
        address: SocketAddr,
        kind: fn(SocketAddr) -> ListenAddress,
        options: SocketOptions,
    ) -> io::Result<Self> {
        let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(options.reuse_port)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        options.apply(&SockRef::from(&socket))?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from_std(socket.into());
        let address = kind(socket.local_addr()?);
        Ok(Self { socket: Listening::Tcp(socket), address, send_buffer: 0, waiting: true })
    }

    /// Connections that are accepted from now on get these.
    pub(super) fn set_options(&mut self, options: SocketOptions) -> io::Result<()> {
        match &self.socket {
            Listening::Tcp(socket) => options.apply(&SockRef::from(socket)),
            Listening::Unix(..) => {
                self.send_buffer = options.send_buffer;
                Ok(())
            }
        }
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match &mut self.socket {
            Listening::Tcp(socket) => registry.register(socket, token, Interest::READABLE),
            Listening::Unix(socket, _) => registry.register(socket, token, Interest::READABLE),
        }
    }

    pub(super) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match &mut self.socket {
            Listening::Tcp(socket) => registry.deregister(socket),
            Listening::Unix(socket, _) => registry.deregister(socket),
        }
    }

    /// An event said that somebody is waiting.
    pub(super) fn wake(&mut self) {
        self.waiting = true;
    }

    /// TLS is spoken here.
    pub(super) fn is_tls(&self) -> bool {
        matches!(self.address, ListenAddress::Tls(_))
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.waiting
    }

    pub(super) fn accept(&mut self) -> Accepted {
        let accepted = match &self.socket {
            Listening::Tcp(socket) => socket.accept().map(|(stream, remote)| (Plain::Tcp(stream), remote.into())),
            Listening::Unix(socket, _) => socket.accept().map(|(stream, _)| (Plain::Unix(stream), Remote::Unix)),
        };
        match accepted {
            Ok((socket, remote)) => {
                self.limit_buffer(&socket);
                Accepted::Connection(socket, remote)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.waiting = false;
                Accepted::Nobody
            }
            Err(error) if is_exhaustion(&error) => Accepted::Exhausted(error),
            // ECONNABORTED, EPROTO and their like: that one is gone, the listener is fine.
            Err(_) => Accepted::Failed,
        }
    }

    /// A Unix socket inherits nothing from its listener.
    fn limit_buffer(&self, socket: &Plain) {
        if let Plain::Unix(stream) = socket
            && self.send_buffer > 0
        {
            // It works without, at the price of more memory for those who do not read.
            let _ = SockRef::from(stream).set_send_buffer_size(self.send_buffer);
        }
    }
}

/// EMFILE, ENFILE, ENOBUFS, ENOMEM: it is us, and trying again at once would only spin.
fn is_exhaustion(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    matches!(
        code,
        Some(
            rustix::io::Errno::MFILE | rustix::io::Errno::NFILE | rustix::io::Errno::NOBUFS | rustix::io::Errno::NOMEM
        )
    )
}

/// What is done when descriptors run out: one is kept back, to tell those who wait that the server is full, and accepting
/// pauses until somebody leaves or a little time has passed.
#[derive(Debug)]
pub(super) struct Spare {
    file: Option<File>,
    /// Until then nothing is accepted.
    pub(super) paused_until: Option<Time>,
}

impl Spare {
    pub(super) fn new() -> Self {
        Self { file: File::open("/dev/null").ok(), paused_until: None }
    }

    /// Answers the one who waits longest with 503, by means of the spare descriptor, and pauses.
    pub(super) fn refuse_one(&mut self, listener: &mut Listener, now: Time) {
        self.paused_until = Some(now + PAUSE);
        self.file = None;
        if let Accepted::Connection(socket, _) = listener.accept() {
            // Over TLS there is nothing short to say.
            if !listener.is_tls() {
                let text = "the server is out of file descriptors, try again later";
                refuse(socket, &Refusal::new(Status::ServiceUnavailable, text).retry_after(5).render());
            }
        }
        self.file = File::open("/dev/null").ok();
    }

    /// True when accepting may go on.
    pub(super) fn may_accept(&mut self, now: Time) -> bool {
        if self.paused_until.is_some_and(|until| until > now) {
            return false;
        }
        self.paused_until = None;
        if self.file.is_none() {
            // It could not be opened again at once because somebody else took the last descriptor.
            self.file = File::open("/dev/null").ok();
        }
        if self.file.is_none() {
            self.paused_until = Some(now + PAUSE);
        }
        self.file.is_some()
    }

    /// Somebody left, so there is a descriptor again.
    pub(super) fn resume(&mut self) {
        self.paused_until = None;
    }
}

/// A whole answer for somebody for whom there is no place at all. A new socket's send buffer takes it in one piece.
pub(super) fn refuse(socket: Plain, answer: &[u8]) {
    let socket = socket.into_raw();
    let _ = socket.send(answer);
    let _ = socket.shutdown(std::net::Shutdown::Write);
    // What the client has sent so far is read, because unread bytes would turn the close into a reset that eats the
    // answer. Nobody can be waited for here.
    let mut discarded = [std::mem::MaybeUninit::uninit(); 2048];
    for _ in 0..DISCARDS_MAX {
        if !matches!(socket.recv(&mut discarded), Ok(1..)) {
            return;
        }
    }
}
