//! A TLS session without a stream below it: ciphertext in and out of its own two buffers, plaintext in and out as
//! arguments. rustls comes without buffers here, so an idle session keeps none: what has come is decrypted at once, and a
//! part of a record is all that stays.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{InvalidMessage, ServerConfig};

/// Plaintext of one record (RFC 8446 section 5.1).
pub(super) const RECORD_MAX: usize = 16 * 1024;
/// Header, nonce, content type and tag of a record, generously.
const OVERHEAD: usize = 64;
/// What a byte costs that is not plaintext. A record has at least 22 of them, whatever is in it, and takes about as long as
/// 200 bytes do.
const FRAMING_COST: usize = 10;
/// What a step of the handshake costs: it may be a signature. The engine's budget for everybody is 32 times this.
pub(super) const HANDSHAKE_COST: usize = 128 * 1024;

/// See the module's documentation.
pub(super) struct Session {
    connection: UnbufferedServerConnection,
    /// Received and not decrypted.
    pub(super) incoming: Vec<u8>,
    /// Decrypted and not taken: less than what is in `incoming` and one record more.
    pub(super) store: Vec<u8>,
    /// Encrypted and not sent.
    pub(super) outgoing: Vec<u8>,
    /// See [`Stream::read_cost`]; whoever reads sets it back.
    ///
    /// [`Stream::read_cost`]: crate::connection::stream::Stream::read_cost
    pub(super) cost: usize,
    /// The handshake is done.
    pub(super) established: bool,
    /// The peer has said that it says nothing more.
    pub(super) ended: bool,
    /// What is wrong, once something is. From then on nothing works but sending the alert that says so.
    failure: Option<Box<str>>,
}

impl fmt::Debug for Session {
    /// Without keys, and without what people say.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("established", &self.established).finish_non_exhaustive()
    }
}

/// What is to be said once the session can take it.
#[derive(Clone, Copy)]
enum Say<'a> {
    Nothing,
    Plain(&'a [u8]),
    CloseNotify,
}

/// Where the session stands.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// There is more to be done at once.
    Again,
    /// Nothing more can be done with what has come, and what was to be said is said.
    Said,
    /// Nothing more can be done with what has come, and nothing can be said.
    Mute,
}

impl Session {
    pub(super) fn new(config: Arc<ServerConfig>) -> io::Result<Self> {
        Ok(Self {
            connection: UnbufferedServerConnection::new(config).map_err(io::Error::other)?,
            incoming: Vec::new(),
            store: Vec::new(),
            outgoing: Vec::new(),
            cost: 0,
            established: false,
            ended: false,
            failure: None,
        })
    }

    /// Decrypts some of what has come into `store`; false if more has to come before there can be more.
    ///
    /// # Errors
    /// `InvalidData` with a text about what is wrong with the peer.
    pub(super) fn decrypt(&mut self) -> io::Result<bool> {
        Ok(self.step(Say::Nothing)? == Step::Again)
    }

    /// Encrypts into `outgoing`, in as few records as there can be.
    ///
    /// # Errors
    /// As for [`Session::decrypt`], and if the handshake is not done.
    pub(super) fn encrypt(&mut self, plain: &[u8]) -> io::Result<()> {
        plain.chunks(RECORD_MAX).try_for_each(|record| self.say(Say::Plain(record)))
    }

    /// Says that we say nothing more (RFC 8446 section 6.1).
    ///
    /// # Errors
    /// As for [`Session::encrypt`].
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.say(Say::CloseNotify)
    }

    /// Gives the session up, for a reason that it has not found itself.
    pub(super) fn fail(&mut self, text: &str) -> io::Error {
        self.failure = Some(text.into());
        io::Error::new(ErrorKind::InvalidData, text)
    }

    /// Something is wrong, and that was said to the caller.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    fn say(&mut self, say: Say<'_>) -> io::Result<()> {
        loop {
            match self.step(say)? {
                Step::Again => {}
                Step::Said => return Ok(()),
                Step::Mute => return Err(ErrorKind::BrokenPipe.into()),
            }
        }
    }

    /// Lets rustls take its next step with what has come, and say something if it is ready for that.
    fn step(&mut self, say: Say<'_>) -> io::Result<Step> {
        if let Some(failure) = &self.failure {
            return Err(io::Error::new(ErrorKind::InvalidData, failure.to_string()));
        }
        let stored = self.store.len();
        let UnbufferedStatus { mut discard, state } = self.connection.process_tls_records(&mut self.incoming);
        if !self.established && !matches!(state, Ok(ConnectionState::BlockedHandshake)) {
            self.cost = self.cost.max(HANDSHAKE_COST);
        }
        let step = match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while let Some(Ok(record)) = traffic.next_record() {
                    discard += record.discard;
                    self.store.extend_from_slice(record.payload);
                }
                Ok(Step::Again)
            }
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                append(&mut self.outgoing, OVERHEAD, |room| data.encode(room).map_err(|error| needed_to_encode(&error)))
                    .map(|()| Step::Again)
            }
            Ok(ConnectionState::TransmitTlsData(data)) => {
                // It is in `outgoing`, before all that comes later.
                data.done();
                Ok(Step::Again)
            }
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                self.established = true;
                let sealed = match say {
                    Say::Nothing => Ok(()),
                    Say::Plain(bytes) => append(&mut self.outgoing, bytes.len() + OVERHEAD, |room| {
                        traffic.encrypt(bytes, room).map_err(|error| needed_to_encrypt(&error))
                    }),
                    Say::CloseNotify => append(&mut self.outgoing, OVERHEAD, |room| {
                        traffic.queue_close_notify(room).map_err(|error| needed_to_encrypt(&error))
                    }),
                };
                sealed.map(|()| Step::Said)
            }
            Ok(ConnectionState::PeerClosed) => {
                self.ended = true;
                Ok(Step::Again)
            }
            Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => Ok(Step::Mute),
            Ok(_) => Err("a state that was not asked for".to_owned()),
            Err(error) => Err(words(&error)),
        };
        self.cost += FRAMING_COST * discard.saturating_sub(self.store.len() - stored);
        self.discard(discard);
        step.map_err(|what| self.accuse(&what))
    }

    /// rustls has found something wrong, and has an alert to give, if the mistake is not one that the peer told us of.
    fn accuse(&mut self, what: &str) -> io::Error {
        if let Ok(ConnectionState::EncodeTlsData(mut alert)) =
            self.connection.process_tls_records(&mut self.incoming).state
        {
            let encode = |room: &mut [u8]| alert.encode(room).map_err(|error| needed_to_encode(&error));
            let _ = append(&mut self.outgoing, OVERHEAD, encode);
        }
        let phase = if self.established { "TLS failed" } else { "TLS handshake failed" };
        self.fail(&format!("{phase}: {what}"))
    }

    fn discard(&mut self, count: usize) {
        if count >= self.incoming.len() {
            // Not only cleared: an idle session keeps nothing.
            self.incoming = Vec::new();
        } else {
            self.incoming.drain(..count);
        }
    }
}

/// Appends what `write` puts into the room it gets, at first `least` bytes, and then as many as it says that it needs.
fn append(
    to: &mut Vec<u8>,
    least: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> Result<(), String> {
    let before = to.len();
    let mut room = least;
    loop {
        to.resize(before + room, 0);
        match write(to.get_mut(before..).unwrap_or(&mut [])) {
            Ok(count) => {
                to.truncate(before + count.min(room));
                return Ok(());
            }
            Err(Some(needed)) if needed > room => room = needed,
            Err(_) => {
                to.truncate(before);
                return Err("nothing more can be encrypted".to_owned());
            }
        }
    }
}

fn needed_to_encode(error: &EncodeError) -> Option<usize> {
    match error {
        EncodeError::InsufficientSize(size) => Some(size.required_size),
        EncodeError::AlreadyEncoded => None,
    }
}

fn needed_to_encrypt(error: &EncryptError) -> Option<usize> {
    match error {
        EncryptError::InsufficientSize(size) => Some(size.required_size),
        EncryptError::EncryptExhausted => None,
    }
}

/// An error in a few words.
fn words(error: &rustls::Error) -> String {
    if matches!(error, rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) {
        return "this is not TLS".to_owned();
    }
    error.to_string()
}
