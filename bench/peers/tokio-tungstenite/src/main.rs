//! The chat on tokio-tungstenite, after the examples `server.rs` and `echo-server.rs` of its repository: a map of
//! unbounded channels, and one task per connection that forwards its channel to its socket.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use futures_util::{SinkExt, StreamExt, TryStreamExt, future, pin_mut};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

const MESSAGE_MAX: usize = 16 << 20;
/// The default of 128 KiB is there, filled with zeros, from the first moment of each connection.
const READ_BUFFER: usize = 4 << 10;
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

type Peers = Arc<Mutex<HashMap<SocketAddr, UnboundedSender<Message>>>>;

#[tokio::main]
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
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX))
        .read_buffer_size(READ_BUFFER);
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Ok(socket) = accept_hdr_async_with_config(stream, only_ws, Some(config)).await else { return };
    // How a connection ends is not reported: load generators hang up.
    let _ = if is_echo { echo(socket).await } else { chat(socket, address, &peers).await };
    peers.lock().unwrap_or_else(PoisonError::into_inner).remove(&address);
}

#[expect(clippy::result_large_err, reason = "the signature of a callback of tungstenite")]
fn only_ws(request: &Request, response: Response) -> Result<Response, ErrorResponse> {
    if request.uri().path() == "/ws" {
        return Ok(response);
    }
    let mut refusal = ErrorResponse::new(None);
    *refusal.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::NOT_FOUND;
    Err(refusal)
}

async fn echo(socket: WebSocketStream<TcpStream>) -> Result<(), Error> {
    let (write, read) = socket.split();
    read.try_filter(|message| future::ready(message.is_text() || message.is_binary())).forward(write).await
}

async fn chat(mut socket: WebSocketStream<TcpStream>, address: SocketAddr, peers: &Peers) -> Result<(), Error> {
    let name = loop {
        match socket.next().await.transpose()? {
            Some(Message::Text(name)) => break name,
            Some(_) => {}
            None => return Ok(()),
        }
    };
    socket.send(Message::text(format!("hello {name}"))).await?;

    let (sender, receiver) = unbounded_channel();
    peers.lock().unwrap_or_else(PoisonError::into_inner).insert(address, sender);
    let (write, read) = socket.split();
    let broadcast = read.try_for_each(|message| {
        if let Message::Text(text) = message {
            let message = Message::text(format!("{name}: {text}"));
            let peers = peers.lock().unwrap_or_else(PoisonError::into_inner);
            for (_, sender) in peers.iter().filter(|(peer, _)| **peer != address) {
                // It fails if the other one has just left.
                let _ = sender.send(message.clone());
            }
        }
        future::ok(())
    });
    let receive = UnboundedReceiverStream::new(receiver).map(Ok).forward(write);
    pin_mut!(broadcast, receive);
    future::select(broadcast, receive).await.factor_first().0
}
