//! One connection to the admin listener: a request comes in, bit by bit if need be, and its answer goes out the same way.

use std::io::{ErrorKind, Read, Write};

use super::socket::Plain;
use crate::admin::{Problem, Task};
use crate::connection::remote::Remote;
use crate::connection::stream::Stream;
use crate::time::Time;
use crate::wire::request::{HeadLimits, Parsed, Request, parse_from};

/// One visitor gets so many reads in a turn.
const READS_MAX: usize = 8;
const READ_BYTES: usize = 8 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Visitor {
    socket: Plain,
    pub(super) remote: Remote,
    pub(super) stage: Stage,
    /// When the stage has to be over.
    pub(super) until: Time,
    readable: bool,
    writable: bool,
}

/// What a visitor is waited for.
#[derive(Debug)]
pub(super) enum Stage {
    /// The end of the request's head.
    Head { bytes: Vec<u8>, searched: usize },
    /// The rest of its body.
    Body { task: Box<Task>, bytes: Vec<u8> },
    /// To take the answer.
    Answer { bytes: Vec<u8>, sent: usize },
    /// To end its half, so that no reset eats the answer; so many bytes may still come.
    Discard { left: usize },
    /// Nothing more.
    Over,
}

/// A request that has come whole, or what is wrong with it.
pub(super) type Whole = Result<(Box<Task>, Vec<u8>), Problem>;

impl Visitor {
    pub(super) fn new(socket: Plain, remote: Remote, until: Time) -> Self {
        let stage = Stage::Head { bytes: Vec::new(), searched: 0 };
        Self { socket, remote, stage, until, readable: false, writable: true }
    }

    pub(super) fn socket_mut(&mut self) -> &mut Plain {
        &mut self.socket
    }

    /// What an event told.
    pub(super) fn ready(&mut self, readable: bool, writable: bool) {
        self.readable |= readable;
        self.writable |= writable;
    }

    /// True when there is more to read, and this turn's share is used up.
    pub(super) fn has_more(&self) -> bool {
        self.readable && !matches!(self.stage, Stage::Answer { .. } | Stage::Over)
    }

    /// Reads on until the request is whole. `judge` decides about its head.
    pub(super) fn hear(
        &mut self,
        limits: HeadLimits,
        judge: impl Fn(&Request<'_>) -> Result<Task, Problem>,
    ) -> Option<Whole> {
        let mut buffer = [0; READ_BYTES];
        for _ in 0..READS_MAX {
            if !matches!(self.stage, Stage::Head { .. } | Stage::Body { .. }) {
                return None;
            }
            let read = self.read(&mut buffer)?;
            let whole = self.take(buffer.get(..read).unwrap_or(&[]), limits, &judge);
            if whole.is_some() {
                return whole;
            }
        }
        None
    }

    /// Takes the next bytes of the request.
    fn take(
        &mut self,
        bytes: &[u8],
        limits: HeadLimits,
        judge: impl Fn(&Request<'_>) -> Result<Task, Problem>,
    ) -> Option<Whole> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Head { bytes: mut head, searched } => {
                head.extend_from_slice(bytes);
                let judged = match parse_from(&head, searched, limits) {
                    Ok(Parsed::Partial) => {
                        self.stage = Stage::Head { searched: head.len(), bytes: head };
                        return None;
                    }
                    Ok(Parsed::Complete { request, head_len }) => judge(&request).map(|task| (task, head_len)),
                    Err(refusal) => Err(refusal.into()),
                };
                match judged {
                    Ok((task, head_len)) => self.take_body(Box::new(task), head.split_off(head_len)),
                    Err(problem) => Some(Err(problem)),
                }
            }
            Stage::Body { task, bytes: mut body } => {
                body.extend_from_slice(bytes);
                self.take_body(task, body)
            }
            other @ (Stage::Answer { .. } | Stage::Discard { .. } | Stage::Over) => {
                self.stage = other;
                None
            }
        }
    }

    fn take_body(&mut self, task: Box<Task>, mut body: Vec<u8>) -> Option<Whole> {
        if body.len() < task.body_len {
            self.stage = Stage::Body { task, bytes: body };
            return None;
        }
        // What comes behind the body is not answered.
        body.truncate(task.body_len);
        Some(Ok((task, body)))
    }

    /// Lets the visitor have an answer by `until`.
    pub(super) fn answer(&mut self, bytes: Vec<u8>, until: Time) {
        self.stage = Stage::Answer { bytes, sent: 0 };
        self.until = until;
    }

    /// Writes as much of the answer as the socket takes. True when that was the rest of it.
    pub(super) fn speak(&mut self) -> bool {
        let Stage::Answer { bytes, sent } = &mut self.stage else { return false };
        while let Some(rest) = bytes.get(*sent..).filter(|rest| !rest.is_empty() && self.writable) {
            match self.socket.write(rest) {
                Ok(written) => *sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.stage = Stage::Over;
                    return false;
                }
            }
        }
        *sent == bytes.len()
    }

    /// Nothing more is said; up to `most` bytes are still taken until the visitor ends its half, by `until`.
    pub(super) fn hang_up(&mut self, most: usize, until: Time) {
        self.stage = if self.socket.shutdown_write().is_ok() { Stage::Discard { left: most } } else { Stage::Over };
        self.until = until;
    }

    /// Throws away what still comes.
    pub(super) fn discard(&mut self) {
        let mut buffer = [0; READ_BYTES];
        for _ in 0..READS_MAX {
            let Stage::Discard { left } = self.stage else { return };
            let Some(read) = self.read(&mut buffer) else { return };
            self.stage = left.checked_sub(read).map_or(Stage::Over, |left| Stage::Discard { left });
        }
    }

    /// Reads once. `None` if there is nothing at the moment, or never again.
    fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        while self.readable {
            match self.socket.read(buffer) {
                Ok(read) if read > 0 => return Some(read),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => {
                    self.stage = Stage::Over;
                    return None;
                }
            }
        }
        None
    }
}
