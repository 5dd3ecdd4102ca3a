//! A piece of network between a client and the daemon that a test can cut.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Forwards each connection to its address on to the daemon. Its threads end with its connections.
pub(crate) struct Cable {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: Mutex<SocketAddr>,
    /// The client's end of each connection, and the server's.
    open: Mutex<Vec<(TcpStream, TcpStream)>>,
    /// What the server says is thrown away.
    deaf: AtomicBool,
    over: AtomicBool,
}

impl Cable {
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            server: Mutex::new(server),
            open: Mutex::default(),
            deaf: AtomicBool::new(false),
            over: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.over.load(Ordering::SeqCst) {
                    return;
                }
                connect(&accepting, client);
            }
        });
        Self { address, shared }
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From the next connection on, this is the daemon.
    pub(crate) fn lead_to(&self, server: SocketAddr) {
        *lock(&self.shared.server) = server;
    }

    /// From now on nothing that the server says arrives, until the cable is cut. What clients say does.
    pub(crate) fn go_deaf(&self) {
        self.shared.deaf.store(true, Ordering::SeqCst);
    }

    /// Ends the clients' side of every connection. The server hears nothing of it; its side stays as it is until the cable
    /// is gone.
    pub(crate) fn cut(&self) {
        for (client, _) in &*lock(&self.shared.open) {
            // It may have ended by itself.
            let _gone = client.shutdown(Shutdown::Both);
        }
        self.shared.deaf.store(false, Ordering::SeqCst);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        for (client, server) in lock(&self.shared.open).drain(..) {
            for end in [client, server] {
                let _gone = end.shutdown(Shutdown::Both);
            }
        }
        // Wakes the one who accepts.
        let _woken = TcpStream::connect(self.address);
    }
}

fn connect(shared: &Arc<Shared>, client: TcpStream) {
    // Where the daemon is not there, the client's end is dropped: it is closed.
    let Ok(server) = TcpStream::connect(*lock(&shared.server)) else { return };
    let copy = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("TCP_NODELAY");
    }
    let (up, down) = ((copy(&client), copy(&server)), (copy(&server), copy(&client)));
    lock(&shared.open).push((client, server));
    thread::spawn(move || forward(up.0, up.1, None));
    let shared = Arc::clone(shared);
    thread::spawn(move || forward(down.0, down.1, Some(&shared.deaf)));
}

fn forward(mut from: TcpStream, mut to: TcpStream, deaf: Option<&AtomicBool>) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if deaf.is_some_and(|deaf| deaf.load(Ordering::SeqCst)) {
            continue;
        }
        if to.write_all(&bytes[..length]).is_err() {
            return;
        }
    }
    // The end goes from the server to the client only: the server must not notice that the cable was cut.
    if deaf.is_some() {
        let _gone = to.shutdown(Shutdown::Both);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
