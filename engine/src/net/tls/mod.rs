//! TLS of servers and clients, as the Collector's `configtls` has it: files or
//! PEM text in, rustls configurations out, re-read while the gateway runs.
//!
//! Keys, defaults and their rules are declared in `net/config`; handshakes run
//! in tokio-rustls, over any stream. What lives here: [`server`] and [`client`],
//! which load everything once (`load`), map Go's names for versions, cipher
//! suites and curves (`choices`), and install certificate resolvers and
//! verifiers that follow the files (`reload`). A loaded configuration is
//! shared by all cores.

mod choices;
mod load;
mod reload;
#[cfg(test)]
mod tests;
mod verify;

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustls::pki_types::ServerName;

/// What servers and clients have in common (`collector.md` §2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Path of the certificates (PEM) that the other side is checked against.
    pub ca_file: String,
    /// The same as text.
    pub ca_pem: String,
    /// Path of this side's certificate chain (PEM).
    pub cert_file: String,
    /// The same as text.
    pub cert_pem: String,
    /// Path of the private key (PEM).
    pub key_file: String,
    /// The same as text.
    pub key_pem: String,
    /// `1.0` to `1.3`; empty is `1.2`, and so is what is older.
    pub min_version: String,
    /// `1.2` or `1.3`; empty is `1.3`.
    pub max_version: String,
    /// Go's names; empty is all. TLS 1.3 always has its three.
    pub cipher_suites: Vec<String>,
    /// Go's names; empty is all.
    pub curve_preferences: Vec<String>,
    /// How old a loaded certificate may be when a handshake begins; zero is for ever.
    pub reload_interval: Duration,
    /// Add the system's authorities to those of `ca_file` or `ca_pem`.
    pub include_system_ca_certs_pool: bool,
}

/// TLS of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// What it has in common with a client. Certificate and key are required.
    pub tls: Tls,
    /// Path of the authorities (PEM) of clients' certificates; given, every client needs one.
    pub client_ca_file: String,
    /// Look at `client_ca_file` again, at most once a second.
    pub client_ca_file_reload: bool,
}

/// TLS of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// What it has in common with a server.
    pub tls: Tls,
    /// Plain text, unless an authority is given or the endpoint says `https://`.
    pub insecure: bool,
    /// Encrypt, but do not check who the server is.
    pub insecure_skip_verify: bool,
    /// The name to ask for and to check instead of the endpoint's host.
    pub server_name_override: String,
}

impl Client {
    /// Is the connection in plain text, as far as these settings say? (The Collector's rule:
    /// `insecure`, and no authority given.)
    pub fn is_plain(&self) -> bool {
        self.insecure && self.tls.ca_file.is_empty() && self.tls.ca_pem.is_empty()
    }
}

/// The TLS of one component as a client, loaded at most once for all cores and signals.
#[derive(Debug)]
pub struct SharedClient {
    settings: Client,
    alpn: &'static [&'static [u8]],
    loaded: OnceLock<Result<ClientTls, TlsError>>,
}

impl SharedClient {
    /// With these settings; nothing is loaded yet. `alpn` are the protocols offered, preferred
    /// first.
    pub fn new(settings: Client, alpn: &'static [&'static [u8]]) -> Arc<SharedClient> {
        Arc::new(SharedClient {
            settings,
            alpn,
            loaded: OnceLock::new(),
        })
    }

    /// See [`Client::is_plain`].
    pub fn is_plain(&self) -> bool {
        self.settings.is_plain()
    }

    /// TLS, loaded when it is asked for first; what is not to be had of it is logged then.
    ///
    /// # Errors
    /// See [`client`].
    pub fn get(&self) -> Result<&ClientTls, TlsError> {
        let load = || {
            let loaded = client(&self.settings, self.alpn)?;
            for warning in &loaded.warnings {
                tracing::warn!("{warning}");
            }
            Ok(loaded)
        };
        self.loaded
            .get_or_init(load)
            .as_ref()
            .map_err(TlsError::clone)
    }
}

/// A server's TLS, loaded.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// For `tokio_rustls::TlsAcceptor`.
    pub config: Arc<rustls::ServerConfig>,
    /// What was asked for and is not to be had, one sentence each, for the log.
    pub warnings: Vec<String>,
    files: reload::Files,
}

/// A client's TLS, loaded.
#[derive(Clone, Debug)]
pub struct ClientTls {
    /// For `tokio_rustls::TlsConnector`.
    pub config: Arc<rustls::ClientConfig>,
    /// What was asked for and is not to be had, one sentence each, for the log.
    pub warnings: Vec<String>,
    name: Option<ServerName<'static>>,
    files: reload::Files,
}

impl ServerTls {
    /// Reads the files again now. Handshakes do the same by themselves when `reload_interval`
    /// has passed.
    ///
    /// # Errors
    /// What does not load stays as it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.files.reload()
    }
}

impl ClientTls {
    /// The name to ask for and to check: the override, else `host` (a name or an address).
    ///
    /// # Errors
    /// `host` is neither.
    pub fn server_name(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        match &self.name {
            Some(name) => Ok(name.clone()),
            None => server_name(host),
        }
    }

    /// Reads the files of the client's certificate again now; see [`ServerTls::reload`].
    ///
    /// # Errors
    /// What does not load stays as it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.files.reload()
    }
}

fn server_name(host: &str) -> Result<ServerName<'static>, TlsError> {
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    ServerName::try_from(host.to_owned()).map_err(|_| {
        TlsError(format!(
            "tls: {host:?} is neither a host name nor an address"
        ))
    })
}

/// Loads a server's TLS. `alpn` are the protocols offered, preferred first.
///
/// # Errors
/// The Collector's texts, `failed to load TLS config: …` and
/// `failed to load client CA CertPool: …`.
pub fn server(settings: &Server, alpn: &[&[u8]]) -> Result<ServerTls, TlsError> {
    let mut warnings = Vec::new();
    let base = |e: TlsError| e.within("failed to load TLS config");
    let chosen = choices::choose(&settings.tls, &mut warnings).map_err(base)?;
    let certificate = reload::Certificate::load(&settings.tls)
        .map_err(base)?
        .ok_or_else(|| {
            TlsError(
                "TLS configuration must include both certificate and key for server connections"
                    .to_owned(),
            )
        })?;
    let builder = rustls::ServerConfig::builder_with_provider(chosen.provider.clone())
        .with_protocol_versions(&chosen.versions)
        .map_err(|e| base(e.into()))?;
    let mut clients = None;
    let builder = if settings.client_ca_file.is_empty() {
        builder.with_no_client_auth()
    } else {
        let verifier = Arc::new(verify::Clients::load(settings, chosen.provider)?);
        clients = settings.client_ca_file_reload.then(|| verifier.clone());
        builder.with_client_cert_verifier(verifier)
    };
    let mut config = builder.with_cert_resolver(certificate.clone());
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    if clients.is_some() {
        // A resumed session would keep out of the check against the authorities of now.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(ServerTls {
        config: Arc::new(config),
        warnings,
        files: reload::Files {
            certificate: Some(certificate),
            clients,
        },
    })
}

/// Loads a client's TLS, whatever [`Client::is_plain`] says. `alpn` are the protocols offered,
/// preferred first. Reads the system's authorities where none are given, so components go through
/// [`SharedClient`].
///
/// # Errors
/// The Collector's texts, `failed to load TLS config: …`.
pub fn client(settings: &Client, alpn: &[&[u8]]) -> Result<ClientTls, TlsError> {
    load_client(settings, alpn).map_err(|e| e.within("failed to load TLS config"))
}

fn load_client(settings: &Client, alpn: &[&[u8]]) -> Result<ClientTls, TlsError> {
    let mut warnings = Vec::new();
    let roots = load::server_roots(&settings.tls)?;
    let certificate = reload::Certificate::load(&settings.tls)?;
    let chosen = choices::choose(&settings.tls, &mut warnings)?;
    let builder = rustls::ClientConfig::builder_with_provider(chosen.provider.clone())
        .with_protocol_versions(&chosen.versions)?
        .dangerous()
        .with_custom_certificate_verifier(if settings.insecure_skip_verify {
            Arc::new(verify::Anyone::new(chosen.provider))
        } else {
            Arc::new(verify::Servers::new(roots, chosen.provider)?)
        });
    let mut config = match &certificate {
        Some(certificate) => builder.with_client_cert_resolver(certificate.clone()),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let name = match settings.server_name_override.as_str() {
        "" => None,
        name => Some(server_name(name)?),
    };
    Ok(ClientTls {
        config: Arc::new(config),
        warnings,
        name,
        files: reload::Files {
            certificate,
            clients: None,
        },
    })
}

/// Why TLS could not be loaded: what was being loaded, from where, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError(String);

impl TlsError {
    fn within(self, what: &str) -> TlsError {
        TlsError(format!("{what}: {}", self.0))
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> TlsError {
        TlsError(format!("tls: {error}"))
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}
