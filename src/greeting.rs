//! What the daemon prints on standard output once it listens: the real address, and lines to paste.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hollerd::config::{AuthMode, ListenAddress};

/// One block per listener; whoever starts the daemon from a script can wait for its first line.
pub(crate) fn print(
    addresses: &[ListenAddress],
    admin: Option<&ListenAddress>,
    mode: AuthMode,
    fresh_token: Option<&str>,
) {
    let mut text = String::new();
    for address in addresses {
        text.push_str(&format!("hollerd {} listening on {address}\n", env!("CARGO_PKG_VERSION")));
        let (fragment, header) = match (mode, fresh_token) {
            (AuthMode::None, _) => (String::new(), String::new()),
            (_, Some(token)) => (format!("#token={token}"), format!(" -H 'Authorization: Bearer {token}'")),
            (AuthMode::Jwt | AuthMode::Keys, None) => {
                ("#token=YOUR-TOKEN".to_owned(), " -H 'Authorization: Bearer YOUR-TOKEN'".to_owned())
            }
        };
        match address {
            ListenAddress::Tcp(at) | ListenAddress::Tls(at) => {
                let host = reachable(*at);
                let s = if matches!(address, ListenAddress::Tls(_)) { "s" } else { "" };
                text.push_str(&format!("  open   http{s}://{host}/{fragment}\n"));
                text.push_str(&format!("  try    websocat 'ws{s}://{host}/ws'{header}\n"));
            }
            // A browser cannot get there.
            ListenAddress::Unix(path) => {
                let path = path.display();
                text.push_str(&format!(
                    "  try    websocat -t - 'ws-c:unix:{path}' --ws-c-uri ws://localhost/ws{header}\n"
                ));
            }
        }
    }
    match admin {
        Some(ListenAddress::Unix(path)) => {
            text.push_str(&format!("  admin  curl --unix-socket {} http://localhost/metrics\n", path.display()));
        }
        Some(address) => text.push_str(&format!("  admin  http://{address}/metrics\n")),
        None => {}
    }
    say_raw(&text);
}

/// An address that a client on this machine can use: nobody can connect to "all addresses".
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Prints a line.
pub(crate) fn say(line: &str) {
    say_raw(&format!("{line}\n"));
}

/// Prints text as it is. A reader that has gone away is no reason to stop serving.
pub(crate) fn say_raw(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
