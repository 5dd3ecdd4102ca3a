//! The chat on fastwebsockets, after the examples `echo_server.rs` and `echo_server_split.rs` of its repository: hyper
//! for the upgrade, the runtime with one thread, and for the chat a map of channels, one per connection.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use fastwebsockets::upgrade::{UpgradeFut, is_upgrade_request, upgrade};
use fastwebsockets::{FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// fastwebsockets wants messages to be smaller than this.
const MESSAGE_LIMIT: usize = (16 << 20) + 1;
/// For thousands who come at once; tokio's default is 1,024.
const BACKLOG: u32 = 4096;

#[derive(Parser)]
struct Options {
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    #[arg(long)]
    echo: bool,
    #[arg(long)]
    token: Option<String>,
}

enum Outgoing {
    /// One allocation for all who get it.
    Text(Arc<[u8]>),
    /// An answer to a ping or a close.
    Control(Frame<'static>),
}

type Peers = Arc<Mutex<HashMap<SocketAddr, UnboundedSender<Outgoing>>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let options = Options::parse();
    let peers = Peers::default();
    let socket = if options.listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(options.listen)?;
    let listener = socket.listen(BACKLOG)?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let Ok((stream, address)) = listener.accept().await else {
            // Most likely out of file descriptors; axum waits as long.
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        tokio::spawn(serve(stream, address, options.echo, peers.clone()));
    }
}

async fn serve(stream: TcpStream, address: SocketAddr, is_echo: bool, peers: Peers) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(|mut request: Request<Incoming>| {
        let peers = peers.clone();
        async move { Ok::<_, Infallible>(answer(&mut request, address, is_echo, peers)) }
    });
    // How a connection ends is not reported: load generators hang up.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

fn answer(request: &mut Request<Incoming>, address: SocketAddr, is_echo: bool, peers: Peers) -> Response<Empty<Bytes>> {
    let mut refusal = Response::new(Empty::new());
    *refusal.status_mut() = StatusCode::NOT_FOUND;
    if request.uri().path() != "/ws" || !is_upgrade_request(request) {
        return refusal;
    }
    let Ok((response, socket)) = upgrade(request) else { return refusal };
    tokio::spawn(tokio::task::unconstrained(async move {
        let _ = if is_echo { echo(socket).await } else { chat(socket, address, &peers).await };
        peers.lock().unwrap_or_else(PoisonError::into_inner).remove(&address);
    }));
    response
}

async fn echo(socket: UpgradeFut) -> Result<(), WebSocketError> {
    let mut socket = socket.await?;
    socket.set_max_message_size(MESSAGE_LIMIT);
    let mut socket = FragmentCollector::new(socket);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}

async fn chat(socket: UpgradeFut, address: SocketAddr, peers: &Peers) -> Result<(), WebSocketError> {
    let mut socket = socket.await?;
    socket.set_max_message_size(MESSAGE_LIMIT);
    let (read, mut write) = socket.split(tokio::io::split);
    let mut read = FragmentCollectorRead::new(read);
    let (sender, mut receiver) = unbounded_channel();

    let listen = async {
        let mut name: Option<Vec<u8>> = None;
        loop {
            let mut oblige = |frame| {
                let _ = sender.send(Outgoing::Control(frame));
                std::future::ready(Ok::<_, WebSocketError>(()))
            };
            let frame = read.read_frame(&mut oblige).await?;
            match (frame.opcode, &name) {
                (OpCode::Text, None) => {
                    let _ = sender.send(Outgoing::Text([b"hello ", &*frame.payload].concat().into()));
                    peers.lock().unwrap_or_else(PoisonError::into_inner).insert(address, sender.clone());
                    name = Some(frame.payload.to_vec());
                }
                (OpCode::Text, Some(name)) => {
                    let message: Arc<[u8]> = [name, &b": "[..], &frame.payload].concat().into();
                    let peers = peers.lock().unwrap_or_else(PoisonError::into_inner);
                    for (_, sender) in peers.iter().filter(|(peer, _)| **peer != address) {
                        // It fails if the other one has just left.
                        let _ = sender.send(Outgoing::Text(message.clone()));
                    }
                }
                _ => {}
            }
        }
    };
    let speak = async {
        while let Some(outgoing) = receiver.recv().await {
            match outgoing {
                Outgoing::Text(text) => write.write_frame(Frame::text(Payload::Borrowed(&text))).await?,
                Outgoing::Control(frame) => {
                    let is_close = frame.opcode == OpCode::Close;
                    write.write_frame(frame).await?;
                    if is_close {
                        break;
                    }
                }
            }
        }
        Ok(())
    };
    tokio::select! {
        end = listen => end,
        end = speak => end,
    }
}
