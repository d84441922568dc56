//! Where servers listen: from an address of the configuration to a bound one, with
//! Go's error texts, and a server's TLS from its block. Accepting connections is
//! `runtime::Listener`'s.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    sync::Arc,
};

use super::config::{self, Address, Transport};
use crate::runtime::{Listener, LoneSocket};

/// What an HTTP server offers by ALPN, preferred first.
pub const HTTP_ALPN: &[&[u8]] = &[b"h2", b"http/1.1"];

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A TCP address, on every core.
    Tcp(SocketAddr),
    /// A unix socket; one core accepts and hands on.
    Unix {
        /// Its path.
        path: PathBuf,
        /// This process listens there already, and stops once it is taken over.
        again: bool,
    },
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Bound::Tcp(address) => address.fmt(f),
            Bound::Unix { path, .. } => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Binds an address for a moment, so that a port in use is an error at start; unless this process
/// itself listens there (`held`). The cores then listen on it together.
///
/// # Errors
/// Go's text, `listen tcp 127.0.0.1:4317: bind: address already in use`.
pub fn bind(address: &Address, held: &[&Bound]) -> Result<Bound, String> {
    match place(address)? {
        Bound::Unix { path, .. } => {
            let again = held
                .iter()
                .any(|held| matches!(held, Bound::Unix { path: held, .. } if *held == path));
            Ok(Bound::Unix { path, again })
        }
        known if held.contains(&&known) => Ok(known),
        Bound::Tcp(chosen) => Listener::check(chosen)
            .map(Bound::Tcp)
            .map_err(|error| failed("tcp", &chosen.to_string(), &error)),
    }
}

/// An address that this process alone listens on, for one server and the next: a clone is the
/// same socket.
#[derive(Clone)]
pub struct Alone {
    /// Where it is.
    pub bound: Bound,
    socket: Arc<LoneSocket>,
}

impl Alone {
    /// Binds an address, to be listened on.
    ///
    /// # Errors
    /// As [`bind`].
    pub fn bind(address: &Address) -> Result<Alone, String> {
        match place(address)? {
            Bound::Tcp(chosen) => LoneSocket::tcp(chosen)
                .map(|(bound, socket)| Alone {
                    bound: Bound::Tcp(bound),
                    socket: Arc::new(socket),
                })
                .map_err(|error| failed("tcp", &chosen.to_string(), &error)),
            Bound::Unix { path, again } => match LoneSocket::unix(&path) {
                Ok(socket) => Ok(Alone {
                    bound: Bound::Unix { path, again },
                    socket: Arc::new(socket),
                }),
                Err(error) => Err(failed("unix", &path.display().to_string(), &error)),
            },
        }
    }

    /// Listens, on the executor of this thread.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn listen(&self) -> io::Result<Listener> {
        self.socket.listener()
    }
}

fn failed(network: &str, at: &str, error: &io::Error) -> String {
    format!("listen {network} {at}: {}", go_error("bind", error))
}

/// Names are resolved here; the call may wait for a name server.
fn place(address: &Address) -> Result<Bound, String> {
    if address.transport == Transport::Unix {
        return Ok(Bound::Unix {
            path: PathBuf::from(&address.endpoint),
            again: false,
        });
    }
    let endpoint = &address.endpoint;
    // ":4317" listens on every address, as in Go.
    let full = match endpoint.strip_prefix(':') {
        Some(port) => format!("[::]:{port}"),
        None => endpoint.clone(),
    };
    let candidates: Vec<SocketAddr> = full
        .to_socket_addrs()
        .map_err(|error| format!("listen tcp: lookup {endpoint}: {error}"))?
        .filter(|a| match address.transport {
            Transport::Tcp4 => a.is_ipv4(),
            Transport::Tcp6 => a.is_ipv6(),
            _ => true,
        })
        .collect();
    // Go listens on the IPv4 address of a name that has both.
    candidates
        .iter()
        .find(|a| a.is_ipv4())
        .or_else(|| candidates.first())
        .copied()
        .map(Bound::Tcp)
        .ok_or_else(|| format!("listen tcp: lookup {endpoint}: no such host"))
}

/// An operating system's error as Go writes it: the call and the text in lower case.
fn go_error(call: &str, error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EADDRINUSE) => format!("{call}: address already in use"),
        Some(libc::EACCES) => format!("{call}: permission denied"),
        Some(libc::EADDRNOTAVAIL) => format!("{call}: cannot assign requested address"),
        None if error.kind() == io::ErrorKind::AddrInUse => {
            format!("{call}: address already in use")
        }
        _ => format!("{call}: {error}"),
    }
}

/// Loads a server's TLS from its block, and logs what was asked for and is not to be had.
/// `alpn` are the protocols offered, preferred first.
///
/// # Errors
/// The Collector's texts; see [`super::tls::server`].
pub fn server_tls(
    block: Option<&config::ServerTls>,
    alpn: &[&[u8]],
) -> Result<Option<super::tls::ServerTls>, String> {
    let Some(block) = block else {
        return Ok(None);
    };
    let settings = super::tls::Server {
        tls: tls_settings(&block.config),
        client_ca_file: block.client_ca_file.clone(),
        client_ca_file_reload: block.client_ca_file_reload,
    };
    let tls = super::tls::server(&settings, alpn).map_err(|error| error.to_string())?;
    for warning in &tls.warnings {
        tracing::warn!("{warning}");
    }
    Ok(Some(tls))
}

/// The declared keys of a client as the loader takes them.
pub fn client_tls(config: &config::ClientTls) -> super::tls::Client {
    super::tls::Client {
        tls: tls_settings(&config.config),
        insecure: config.insecure,
        insecure_skip_verify: config.insecure_skip_verify,
        server_name_override: config.server_name_override.clone(),
    }
}

fn tls_settings(config: &config::Tls) -> super::tls::Tls {
    super::tls::Tls {
        ca_file: config.ca_file.clone(),
        ca_pem: config.ca_pem.reveal().to_owned(),
        cert_file: config.cert_file.clone(),
        cert_pem: config.cert_pem.reveal().to_owned(),
        key_file: config.key_file.clone(),
        key_pem: config.key_pem.reveal().to_owned(),
        min_version: config.min_version.clone(),
        max_version: config.max_version.clone(),
        cipher_suites: config.cipher_suites.clone(),
        curve_preferences: config.curve_preferences.clone(),
        reload_interval: config.reload_interval.get(),
        include_system_ca_certs_pool: config.include_system_ca_certs_pool,
    }
}
