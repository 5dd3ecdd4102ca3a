//! A chat client that loses nothing: when its connection breaks it comes back, gets what it missed, and says again what was
//! not acknowledged. Lines of the standard input are said.
//!
//! `cargo run --example client -- ws://127.0.0.1:8080/ws yuan [TOKEN]`

#![allow(clippy::print_stdout, reason = "it talks to a person")]

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Error, Message, WebSocket, connect};

type Socket = WebSocket<MaybeTlsStream<TcpStream>>;

/// How long we listen before we look at the input again.
const GLANCE: Duration = Duration::from_millis(50);
/// So many of them without a word, 20 s, and we ask whether the server is still there; after 60 s it is not.
const SILENCE: u32 = 400;
const NOT_AGAIN: [u16; 7] = [1002, 1003, 1007, 1009, 4401, 4403, 4409];

struct Chat {
    name: String,
    epoch: Option<Value>,
    session: Value,
    /// The newest sequence that we know of.
    seen: u64,
    /// What has been said and not acknowledged.
    waiting: VecDeque<Value>,
    /// Ids must be new, also when this program starts again.
    prefix: u64,
    said: u64,
    /// The input has ended.
    ended: bool,
    greeted: bool,
    /// Glances since we heard anything.
    silent: u32,
}

/// Why a connection is over.
enum Over {
    /// Everything has been said.
    Done,
    /// It broke, and we come back.
    Broken(String),
    /// There is no use in coming back.
    ForGood(String),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(name)) = (arguments.next(), arguments.next()) else {
        return Err("usage: client URL NAME [TOKEN]".to_owned());
    };
    let token = arguments.next();
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut chat = Chat {
        name,
        epoch: None,
        session: Value::Null,
        seen: 0,
        waiting: VecDeque::new(),
        prefix: fastrand::u64(..),
        said: 0,
        ended: false,
        greeted: false,
        silent: 0,
    };
    let mut failures = 0;
    loop {
        let over = match open(&url, token.as_deref()) {
            Ok(mut socket) => chat.converse(&mut socket, &lines),
            Err(over) => over,
        };
        let why = match over {
            Over::Done => return Ok(()),
            Over::ForGood(why) => return Err(why),
            Over::Broken(why) => why,
        };
        failures = if chat.greeted { 0 } else { failures + 1 };
        chat.greeted = false;
        // Half a second, doubled each time, and not the same for all who were thrown out together.
        let seconds = (0.5 * 2_f64.powi(failures)).min(30.0) * (0.5 + fastrand::f64() / 2.0);
        println!("* not connected ({why}), again in {seconds:.1} s");
        // What is typed meanwhile is said when we are back.
        thread::sleep(Duration::from_secs_f64(seconds));
    }
}

fn open(url: &str, token: Option<&str>) -> Result<Socket, Over> {
    let for_good = |error: &dyn std::fmt::Display| Over::ForGood(error.to_string());
    let mut request = url.into_client_request().map_err(|error| for_good(&error))?;
    let mut header = |name, value: String| -> Result<(), Over> {
        request.headers_mut().insert(name, value.parse().map_err(|error| for_good(&error))?);
        Ok(())
    };
    header("Sec-WebSocket-Protocol", "hollerd.json".to_owned())?;
    if let Some(token) = token {
        header("Authorization", format!("Bearer {token}"))?;
    }
    match connect(request) {
        Ok((socket, _)) => {
            if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
                stream.set_read_timeout(Some(GLANCE)).map_err(|error| for_good(&error))?;
            }
            Ok(socket)
        }
        Err(Error::Http(refused)) if matches!(refused.status().as_u16(), 401 | 403 | 404) => {
            let body = refused.into_body().unwrap_or_default();
            Err(Over::ForGood(format!("refused: {}", String::from_utf8_lossy(&body).trim_end())))
        }
        Err(error) => Err(Over::Broken(error.to_string())),
    }
}

impl Chat {
    fn converse(&mut self, socket: &mut Socket, lines: &Receiver<String>) -> Over {
        self.try_converse(socket, lines).unwrap_or_else(|error| Over::Broken(error.to_string()))
    }

    fn try_converse(&mut self, socket: &mut Socket, lines: &Receiver<String>) -> Result<Over, Error> {
        let first = match &self.epoch {
            Some(epoch) => json!({
                "type": "resume", "name": self.name, "epoch": epoch, "last": self.seen, "session": self.session,
            }),
            None => json!({"type": "name", "name": self.name, "history": 20}),
        };
        send(socket, &first)?;
        self.silent = 0;
        loop {
            if let Some(over) = self.listen(socket)? {
                return Ok(over);
            }
            if self.silent == 3 * SILENCE {
                return Ok(Over::Broken("silence".to_owned()));
            }
            loop {
                match lines.try_recv() {
                    Ok(line) => {
                        let say = self.say(&line);
                        if self.greeted {
                            send(socket, &say)?;
                        }
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => {
                        self.ended = true;
                        break;
                    }
                }
            }
            if self.ended && self.greeted && self.waiting.is_empty() {
                socket.close(None)?;
                return Ok(Over::Done);
            }
        }
    }

    /// Hears one message, or nothing for a glance.
    fn listen(&mut self, socket: &mut Socket) -> Result<Option<Over>, Error> {
        self.silent += 1;
        match socket.read() {
            Ok(Message::Text(text)) => match serde_json::from_str(&text) {
                Ok(object) => self.hear(socket, &object),
                Err(error) => Ok(Some(Over::ForGood(error.to_string()))),
            },
            Ok(Message::Close(Some(frame))) => {
                let (code, reason) = (u16::from(frame.code), &frame.reason);
                let why = format!("{code} {reason}");
                Ok(Some(if NOT_AGAIN.contains(&code) {
                    Over::ForGood(format!("closed: {why}"))
                } else {
                    Over::Broken(why)
                }))
            }
            Ok(_) => Ok(None),
            Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if self.silent.is_multiple_of(SILENCE) {
                    send(socket, &json!({"type": "ping"}))?;
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn hear(&mut self, socket: &mut Socket, object: &Value) -> Result<Option<Over>, Error> {
        self.silent = 0;
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let number = |field: &str| object[field].as_u64().unwrap_or_default();
        match text("type") {
            "hello" => {
                self.greeted = true;
                (self.epoch, self.session) = (Some(object["epoch"].clone()), object["session"].clone());
                // From here on it comes without a gap.
                self.seen = number("from") - 1;
                println!("* hello {}, {} here", text("name"), number("users"));
                // The server knows what it has heard before.
                for say in &self.waiting {
                    send(socket, say)?;
                }
            }
            "resumed" if object["whole"] == false => println!("* some messages are missing"),
            "message" => {
                self.seen = number("sequence");
                println!("{}: {}", text("from"), text("text"));
            }
            "direct" => println!("{} (private): {}", text("from"), text("text")),
            "ack" => {
                self.seen = self.seen.max(number("sequence"));
                self.waiting.retain(|say| say["id"] != object["id"]);
                println!("* said as {}", number("sequence"));
            }
            "error" => {
                self.waiting.retain(|say| say["id"] != object["id"]);
                if text("code").starts_with("name_") || text("code") == "bad_name" {
                    return Ok(Some(Over::ForGood(text("text").to_owned())));
                }
                println!("* error: {}", text("text"));
            }
            _ => {}
        }
        Ok(None)
    }

    fn say(&mut self, text: &str) -> Value {
        self.said += 1;
        let say = json!({"type": "say", "text": text, "id": format!("{:x}-{}", self.prefix, self.said)});
        self.waiting.push_back(say.clone());
        say
    }
}

fn send(socket: &mut Socket, object: &Value) -> Result<(), Error> {
    socket.send(Message::text(object.to_string()))
}
