//! A raw, blocking WebSocket client over one connection.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use socket2::{Domain, Socket, Type};

use super::{Frame, PATIENCE, Response, Wire, close_payload, now, opcode};

/// One connection and the bytes of it not yet looked at.
pub(crate) struct Client {
    stream: Wire,
    /// What it says in `Host`.
    host: String,
    unread: Vec<u8>,
    patience: Duration,
}

/// What came next from the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Frame(Frame),
    /// An orderly end of the TCP stream between two frames.
    Eof,
    /// The connection was reset.
    Reset,
    /// Nothing whole within the client's patience.
    Timeout,
    /// Bytes that no server may send; the text says why.
    Malformed(String),
}

/// The server no longer takes bytes: reset, closed, or not reading for longer than the client's patience.
#[derive(Debug)]
pub(crate) struct WriteError(pub(crate) ErrorKind);

impl Client {
    /// Connects, nothing more; `TCP_NODELAY` is set so that each write leaves by itself.
    pub(crate) fn connect(server: SocketAddr) -> Self {
        Self::connect_with(server, None, None)
    }

    /// Connects from this address of our own, for a server that counts clients by address.
    pub(crate) fn connect_from(server: SocketAddr, own: IpAddr) -> Self {
        Self::connect_with(server, Some(own), None)
    }

    /// Connects where it may be that nobody listens any more.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub(crate) fn try_connect(server: SocketAddr) -> io::Result<Self> {
        Self::try_connect_with(server, None, None)
    }

    /// Connects with a receive buffer of about `bytes`, for a peer whose backlog is to show early. It must be set
    /// before the connection exists, else the window has already been offered.
    pub(crate) fn connect_with_receive_buffer(server: SocketAddr, bytes: usize) -> Self {
        Self::connect_with(server, None, Some(bytes))
    }

    fn connect_with(server: SocketAddr, own: Option<IpAddr>, receive_buffer: Option<usize>) -> Self {
        match Self::try_connect_with(server, own, receive_buffer) {
            Ok(client) => client,
            Err(error) => panic!("no connection to {server}: {error}"),
        }
    }

    fn try_connect_with(server: SocketAddr, own: Option<IpAddr>, receive_buffer: Option<usize>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(own) = own {
            socket.bind(&SocketAddr::new(own, 0).into())?;
        }
        socket.connect_timeout(&server.into(), PATIENCE)?;
        socket.set_tcp_nodelay(true)?;
        Ok(Self::over(Wire::Tcp(socket.into()), server.to_string()))
    }

    /// Connects to a Unix socket.
    pub(crate) fn connect_unix(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap_or_else(|error| panic!("no connection to {path:?}: {error}"));
        Self::over(Wire::Unix(stream), "localhost".to_owned())
    }

    /// A client over a stream that is connected.
    pub(crate) fn over(stream: Wire, host: String) -> Self {
        let mut client = Self { stream, host, unread: Vec::new(), patience: PATIENCE };
        client.set_patience(PATIENCE);
        client
    }

    /// Connects and upgrades; fails the test unless the server agrees.
    pub(crate) fn open(server: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut client = Self::connect(server);
        let response = client.upgrade(path, headers);
        assert_eq!(response.status, 101, "GET {path} was not upgraded: {response:?}");
        client
    }

    /// From now on, how long a read waits for something whole, and a write for room.
    pub(crate) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
        self.stream.set_write_timeout(patience).expect("a write timeout");
    }

    pub(crate) fn local_address(&self) -> SocketAddr {
        self.stream.local_address().expect("a connected socket has an address")
    }

    /// Sends an opening handshake and reads the answer. A header given here replaces the usual one of its name. When
    /// the answer is a 101, everything section 4.1 tells a client to verify is verified.
    pub(crate) fn upgrade(&mut self, path: &str, headers: &[(&str, &str)]) -> Response {
        let key = BASE64.encode(fastrand::u128(..).to_ne_bytes());
        let usual = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", key.as_str()),
            ("Sec-WebSocket-Version", "13"),
        ];
        let kept = usual.iter().filter(|(name, _)| !headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)));
        let all: Vec<(&str, &str)> = kept.chain(headers).copied().collect();
        let response = self.request("GET", path, &all);
        if response.status == 101 {
            let key = all.iter().find(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Key"));
            response.verify_upgrade(key.map_or("", |(_, key)| key));
        }
        response
    }

    /// Reads a refusal and holds it to what every refusal has to be, up to the orderly end of the stream behind it.
    pub(crate) fn expect_refusal(&mut self, status: u16) -> Response {
        let response = self.read_http_response();
        response.verify_refusal(status);
        self.expect_eof();
        response
    }

    /// Sends a request with these headers and `Host`, unless the headers bring their own, and reads the answer.
    pub(crate) fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Host")) {
            head.push_str(&format!("Host: {}\r\n", self.host));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.send_raw(head.as_bytes());
        self.read_http_response()
    }

    /// Reads one HTTP answer: a 101 ends at its head, anything else has `Content-Length` bytes of body, or, without
    /// that header, all bytes up to the end of the stream.
    pub(crate) fn read_http_response(&mut self) -> Response {
        let mut response = self.read_head();
        if response.status != 101 {
            self.read_rest(&mut response);
        }
        response
    }

    /// Reads the head of an HTTP answer, which is all of it where `HEAD` was asked.
    pub(crate) fn read_head(&mut self) -> Response {
        let deadline = now() + self.patience;
        loop {
            match Response::parse_head(&self.unread) {
                Ok(Some((response, length))) => {
                    self.unread.drain(..length);
                    return response;
                }
                Ok(None) => {}
                Err(why) => panic!("not an HTTP answer: {why}"),
            }
            if let Err(end) = self.fill(deadline) {
                panic!("no HTTP answer but {end:?} after {:?}", self.unread.escape_ascii().to_string());
            }
        }
    }

    /// Reads the body that belongs to a head.
    pub(crate) fn read_rest(&mut self, response: &mut Response) {
        response.body = self.read_body(response, now() + self.patience);
    }

    fn read_body(&mut self, response: &Response, deadline: Instant) -> Vec<u8> {
        let Some(length) = response.header("Content-Length") else {
            while self.fill(deadline).is_ok() {}
            return std::mem::take(&mut self.unread);
        };
        let length: usize = length.parse().expect("Content-Length is a number");
        while self.unread.len() < length {
            if let Err(end) = self.fill(deadline) {
                panic!("{length} bytes of body were announced, {} came, then {end:?}", self.unread.len());
            }
        }
        self.unread.drain(..length).collect()
    }

    pub(crate) fn send_frame(&mut self, frame: &Frame) {
        self.send_raw(&frame.encode());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.send_frame(&Frame::text(text));
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        if let Err(error) = self.try_send_raw(bytes) {
            panic!("{} bytes could not be sent: {error:?}", bytes.len());
        }
    }

    /// Sends without failing the test, for peers that may have been hung up on already.
    ///
    /// # Errors
    /// The connection is gone, or the server does not read.
    pub(crate) fn try_send_raw(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.stream.write_all(bytes).map_err(|error| WriteError(error.kind()))
    }

    /// Sends in writes of at most `size` bytes and lets the server run in between, so that it meets most of them one
    /// by one.
    ///
    /// # Errors
    /// As for [`Client::try_send_raw`].
    pub(crate) fn try_send_chopped(&mut self, bytes: &[u8], size: usize) -> Result<(), WriteError> {
        for chop in bytes.chunks(size) {
            self.try_send_raw(chop)?;
            std::thread::yield_now();
        }
        Ok(())
    }

    /// The next frame, or how the connection ended. A masked frame is malformed: section 5.1 forbids servers to mask.
    pub(crate) fn read_frame(&mut self) -> Received {
        let deadline = now() + self.patience;
        loop {
            match Frame::decode(&self.unread) {
                Ok(Some((frame, length))) => {
                    self.unread.drain(..length);
                    if frame.masked {
                        return Received::Malformed(format!("the server masked {frame:?}"));
                    }
                    return Received::Frame(frame);
                }
                Ok(None) => {}
                Err(why) => return Received::Malformed(why),
            }
            match self.fill(deadline) {
                Ok(()) => {}
                Err(Received::Eof) if !self.unread.is_empty() => {
                    let length = self.unread.len();
                    return Received::Malformed(format!("the stream ended {length} bytes into a frame"));
                }
                Err(end) => return end,
            }
        }
    }

    pub(crate) fn expect_frame(&mut self, expected: &Frame) {
        let received = self.read_frame();
        assert!(
            matches!(&received, Received::Frame(frame) if frame == expected),
            "wanted {expected:?}, got {received:?}"
        );
    }

    /// The next frame is this text, whole and unfragmented.
    pub(crate) fn expect_text(&mut self, text: &str) {
        self.expect_frame(&Frame::text(text).unmasked());
    }

    /// The next frame is some text, whole and unfragmented.
    pub(crate) fn read_text(&mut self) -> String {
        match self.read_frame() {
            Received::Frame(frame) if frame == Frame::text(frame.payload.as_slice()).unmasked() => {
                String::from_utf8(frame.payload).expect("a text frame holds UTF-8")
            }
            other => panic!("wanted a text, got {other:?}"),
        }
    }

    /// The next frame closes with this code, and after it the stream ends in good order: not a byte more, no reset.
    /// Returns the reason.
    pub(crate) fn expect_close(&mut self, code: u16) -> String {
        let reason = match self.read_frame() {
            Received::Frame(frame) if frame.opcode == opcode::CLOSE => match close_payload(&frame.payload) {
                Ok(Some((given, reason))) if given == code => reason,
                other => panic!("wanted close {code}, got close {other:?}"),
            },
            other => panic!("wanted close {code}, got {other:?}"),
        };
        // Section 5.5.1: whoever receives a close frame answers it. The server may have stopped listening by now.
        let _answered = self.try_send_raw(&Frame::close(code, "").encode());
        self.expect_eof();
        reason
    }

    pub(crate) fn expect_eof(&mut self) {
        assert_eq!(self.read_frame(), Received::Eof, "wanted the stream to end");
    }

    /// Whether something has come from the server or comes within this time; nothing is consumed.
    pub(crate) fn has_bytes_within(&mut self, time: Duration) -> bool {
        !self.unread.is_empty() || self.fill(now() + time).is_ok()
    }

    /// Nothing is under way to this client. Asked with a ping, so it waits for no time to pass: whatever the server
    /// had queued before would arrive before the pong.
    pub(crate) fn expect_quiet(&mut self) {
        let mark = format!("quiet? {:016x}", fastrand::u64(..));
        self.send_frame(&Frame::ping(mark.as_str()));
        self.expect_frame(&Frame::pong(mark).unmasked());
    }

    /// The clean end: sends 1000, and fails the test unless the server answers 1000 and closes the stream.
    pub(crate) fn close(mut self) {
        self.send_frame(&Frame::close(1000, ""));
        let _reason = self.expect_close(1000);
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.stream
    }

    /// Sends FIN and goes on reading.
    pub(crate) fn half_close(&mut self) {
        self.stream.half_close().expect("a connection to half close");
    }

    /// Ends the connection with an RST, as a crashed peer's kernel does.
    pub(crate) fn reset(self) {
        self.stream.reset();
    }

    /// Reads once more, at least one byte; else says how the stream ended.
    fn fill(&mut self, deadline: Instant) -> Result<(), Received> {
        let left = deadline.saturating_duration_since(now());
        if left.is_zero() {
            return Err(Received::Timeout);
        }
        self.stream.set_read_timeout(left).expect("a read timeout");
        let mut chunk = [0; READ_BYTES];
        match self.stream.read(&mut chunk) {
            Ok(0) => Err(Received::Eof),
            Ok(length) => {
                self.unread.extend_from_slice(&chunk[..length]);
                Ok(())
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Err(Received::Timeout),
                ErrorKind::Interrupted => Ok(()),
                ErrorKind::ConnectionReset => Err(Received::Reset),
                _ => Err(Received::Malformed(format!("reading failed: {error}"))),
            },
        }
    }
}

const READ_BYTES: usize = 64 * 1024;
