//! What a case is: a script of writes and exact replies, and how the connection must end.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use crate::support::{Client, Echo, Frame, Received, close_payload, opcode};

/// One numbered case.
pub(crate) struct Case {
    pub(crate) number: String,
    /// What is tried, in a few words, for whoever reads a failure.
    what: &'static str,
    script: Vec<Step>,
    ending: Ending,
}

enum Step {
    /// Bytes to write: at once, or in chops of this many.
    Write(Vec<u8>, Option<usize>),
    /// The one frame that must come next.
    Receive(Frame),
    Echoes(Bulk),
}

/// A message too large to keep in a table, made when its case is played, and how it travels.
#[derive(Clone)]
pub(crate) struct Bulk {
    pub(crate) opcode: u8,
    /// Repeated until the payload has its `length`.
    pub(crate) pattern: &'static [u8],
    pub(crate) length: usize,
    /// Payload bytes per frame.
    pub(crate) fragment: usize,
    /// Bytes per write.
    pub(crate) chop: usize,
    /// How often it is sent; each time the echo is awaited.
    pub(crate) rounds: usize,
}

enum Ending {
    /// All was lawful: we close with 1000 and get it back.
    Clean,
    /// The server fails the connection with this code (RFC 6455 section 7.1.7).
    Refused(u16),
    /// The script has sent a close frame; the server answers with one of these, `None` being a close without a code.
    Answered(Vec<Option<u16>>),
    /// The RFC leaves it open; the server just has to end the connection.
    Somehow,
}

impl Case {
    pub(crate) fn new(number: impl Into<String>, what: &'static str) -> Self {
        Self { number: number.into(), what, script: Vec::new(), ending: Ending::Clean }
    }

    /// Writes each frame by itself.
    pub(crate) fn sends(mut self, frames: impl AsRef<[Frame]>) -> Self {
        let frames = frames.as_ref();
        self.script.extend(frames.iter().map(|frame| Step::Write(frame.encode(), None)));
        self
    }

    /// Writes all frames in one go, so that the server has the later ones before it can react to the earlier ones.
    pub(crate) fn sends_together(mut self, frames: impl AsRef<[Frame]>) -> Self {
        self.script.push(Step::Write(encode(frames.as_ref()), None));
        self
    }

    /// Writes all frames in chops of `size` bytes.
    pub(crate) fn sends_chopped(mut self, frames: impl AsRef<[Frame]>, size: usize) -> Self {
        self.script.push(Step::Write(encode(frames.as_ref()), Some(size)));
        self
    }

    /// Writes part of a frame or anything else.
    pub(crate) fn sends_bytes(mut self, bytes: &[u8]) -> Self {
        self.script.push(Step::Write(bytes.to_vec(), None));
        self
    }

    /// Exactly this frame comes next, whole and unmasked.
    pub(crate) fn receives(mut self, frame: Frame) -> Self {
        self.script.push(Step::Receive(frame.unmasked()));
        self
    }

    pub(crate) fn echoes(mut self, bulk: Bulk) -> Self {
        self.script.push(Step::Echoes(bulk));
        self
    }

    pub(crate) fn refused(mut self, code: u16) -> Self {
        self.ending = Ending::Refused(code);
        self
    }

    pub(crate) fn answered(mut self, codes: impl Into<Vec<Option<u16>>>) -> Self {
        self.ending = Ending::Answered(codes.into());
        self
    }

    pub(crate) fn ends_somehow(mut self) -> Self {
        self.ending = Ending::Somehow;
        self
    }

    /// Plays the case on a connection of its own.
    ///
    /// # Errors
    /// What differed from the script, and where.
    pub(crate) fn play(&self, server: SocketAddr, patience: Duration) -> Result<(), String> {
        let mut client = Client::connect(server);
        client.set_patience(patience);
        let response = client.upgrade(Echo::PATH, &[]);
        if response.status != 101 {
            return Err(format!("not upgraded: {response:?}"));
        }
        for (index, step) in self.script.iter().enumerate() {
            step.play(&mut client).map_err(|why| format!("step {}: {why}", index + 1))?;
        }
        self.ending.play(&mut client).map_err(|why| format!("ending: {why}"))
    }
}

impl Step {
    fn play(&self, client: &mut Client) -> Result<(), String> {
        match self {
            // A server that has refused already need not take the rest; what it says about it is read later.
            Self::Write(bytes, None) => client.try_send_raw(bytes).or(Ok(())),
            Self::Write(bytes, Some(size)) => client.try_send_chopped(bytes, *size).or(Ok(())),
            Self::Receive(expected) => receive(client, expected),
            Self::Echoes(bulk) => bulk.play(client),
        }
    }
}

impl Bulk {
    fn play(&self, client: &mut Client) -> Result<(), String> {
        let mut payload = self.pattern.repeat(self.length.div_ceil(self.pattern.len()));
        payload.truncate(self.length);
        let bytes = encode(&Frame::fragments(self.opcode, &payload, self.fragment));
        let echo = Frame::new(self.opcode, payload).unmasked();
        for round in 0..self.rounds {
            let sent = if self.chop < bytes.len() {
                client.try_send_chopped(&bytes, self.chop)
            } else {
                client.try_send_raw(&bytes)
            };
            let received = receive(client, &echo);
            received.map_err(|why| format!("round {}: {why} (sending: {sent:?})", round + 1))?;
        }
        Ok(())
    }
}

impl Ending {
    fn play(&self, client: &mut Client) -> Result<(), String> {
        match self {
            Self::Clean => {
                client.try_send_raw(&Frame::close(1000, "").encode()).map_err(|error| format!("{error:?}"))?;
                receive_close(client, &[Some(1000)])
            }
            Self::Refused(code) => receive_close(client, &[Some(*code)]).inspect(|()| {
                // Section 5.5.1 asks for an answer, section 7.1.7 lets the server go without it.
                let _answered = client.try_send_raw(&Frame::close(*code, "").encode());
            }),
            Self::Answered(codes) => receive_close(client, codes),
            Self::Somehow => return receive_any_end(client),
        }?;
        // Section 7.1.1: the server closes the TCP connection first. Section 5.5.1: nothing follows a close frame.
        match client.read_frame() {
            Received::Eof => Ok(()),
            other => Err(format!("after the close frame the stream must end, got {other:?}")),
        }
    }
}

/// Plays a table against an echo server of its own and fails with all that went wrong, by number.
pub(crate) fn play_all(cases: &[Case], patience: Duration) {
    let mut echo = Echo::start();
    let mut report = String::new();
    let mut failures = 0;
    for case in cases {
        if let Err(why) = case.play(echo.address(), patience) {
            let _written = write!(report, "\n  {} ({}): {why}", case.number, case.what);
            failures += 1;
        }
        // A server that hangs would cost its patience in every single case.
        if failures == FAILURES_MAX {
            report.push_str("\n  … and no further ones were played");
            break;
        }
    }
    echo.assert_healthy();
    assert!(failures == 0, "{failures} of {} cases failed:{report}", cases.len());
}

fn receive(client: &mut Client, expected: &Frame) -> Result<(), String> {
    match client.read_frame() {
        Received::Frame(frame) if frame == *expected => Ok(()),
        other => Err(format!("wanted {expected:?}, got {other:?}")),
    }
}

fn receive_close(client: &mut Client, codes: &[Option<u16>]) -> Result<(), String> {
    let received = client.read_frame();
    let Received::Frame(frame) = &received else {
        return Err(format!("wanted close {codes:?}, got {received:?}"));
    };
    if frame.opcode != opcode::CLOSE || !frame.fin || frame.rsv != 0 || frame.payload.len() > 125 {
        return Err(format!("wanted a whole close frame {codes:?}, got {frame:?}"));
    }
    let code = close_payload(&frame.payload)?.map(|(code, _)| code);
    if codes.contains(&code) { Ok(()) } else { Err(format!("wanted close {codes:?}, got {frame:?}")) }
}

fn receive_any_end(client: &mut Client) -> Result<(), String> {
    match client.read_frame() {
        Received::Eof | Received::Reset => Ok(()),
        Received::Frame(frame) if frame.opcode == opcode::CLOSE => match client.read_frame() {
            Received::Eof | Received::Reset => Ok(()),
            other => Err(format!("after the close frame came {other:?}")),
        },
        other => Err(format!("wanted any end of the connection, got {other:?}")),
    }
}

fn encode(frames: &[Frame]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        frame.encode_into(&mut bytes);
    }
    bytes
}

const FAILURES_MAX: usize = 8;
