//! What is made once for the whole process before the cores build: bound
//! addresses, TLS, file writers.

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    sync::Arc,
};

use crate::{
    component::ComponentId, config::Settings, exporters, net, net::config::Transport, receivers,
    runtime::Listener,
};

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

/// The servers of one `otlp` receiver.
#[derive(Clone, Debug)]
pub struct OtlpServers {
    /// gRPC, if on.
    pub grpc: Option<(Bound, Option<net::tls::ServerTls>)>,
    /// HTTP, if on.
    pub http: Option<(Bound, Option<net::tls::ServerTls>)>,
}

/// See the module.
#[derive(Clone, Default)]
pub struct Shared {
    /// The `otlp` receivers that pipelines use, in the order of their ids.
    pub otlp: Arc<BTreeMap<ComponentId, OtlpServers>>,
    /// The files of `file` exporters.
    pub files: Arc<BTreeMap<ComponentId, Arc<exporters::file::Writer>>>,
    /// The outputs of `debug` exporters.
    pub consoles: Arc<BTreeMap<ComponentId, Arc<exporters::debug::Console>>>,
    /// TLS of the exporters that connect.
    pub tls: Arc<BTreeMap<ComponentId, Arc<net::tls::SharedClient>>>,
}

impl Shared {
    /// Loads what the settings name, and binds its addresses but those that `running` has.
    /// Nothing of this disturbs what runs; files are opened later ([`Shared::open_files`]).
    ///
    /// # Errors
    /// The Collector's text for what failed to start.
    pub fn prepare(settings: &Settings, running: Option<&Shared>) -> Result<Shared, String> {
        let held: Vec<&Bound> = running.iter().flat_map(|shared| shared.bound()).collect();
        let mut otlp = BTreeMap::new();
        for (id, component) in settings.receivers.iter().filter(|(_, c)| c.used) {
            let Some(config) = component.config::<receivers::otlp::config::Config>() else {
                continue;
            };
            let failed = |text: String| {
                format!("cannot start pipelines: failed to start \"{id}\" receiver: {text}")
            };
            let mut servers = OtlpServers {
                grpc: None,
                http: None,
            };
            if let Some(grpc) = config.protocols.grpc.get() {
                let bound = bind(&grpc.address, &held).map_err(failed)?;
                let tls = server_tls(grpc.tls.get(), &[b"h2"]).map_err(failed)?;
                servers.grpc = Some((bound, tls));
            }
            if let Some(http) = config.protocols.http.get() {
                let bound = bind(&http.server.address, &held).map_err(failed)?;
                let tls =
                    server_tls(http.server.tls.get(), &[b"h2", b"http/1.1"]).map_err(failed)?;
                servers.http = Some((bound, tls));
            }
            otlp.insert(id.clone(), servers);
        }
        let mut consoles = BTreeMap::new();
        let mut tls = BTreeMap::new();
        for (id, component) in settings.exporters.iter().filter(|(_, c)| c.used) {
            let failed = |text: String| {
                format!("cannot start pipelines: failed to start \"{id}\" exporter: {text}")
            };
            if let Some(config) = component.config::<exporters::debug::config::Config>() {
                consoles.insert(id.clone(), exporters::debug::open(config).map_err(failed)?);
            } else if let Some(config) = component.config::<exporters::otlp_grpc::config::Config>()
            {
                tls.insert(
                    id.clone(),
                    exporters::otlp_grpc::prepare(config).map_err(failed)?,
                );
            } else if let Some(config) = component.config::<exporters::otlp_http::config::Config>()
            {
                tls.insert(
                    id.clone(),
                    exporters::otlp_http::prepare(config).map_err(failed)?,
                );
            }
        }
        Ok(Shared {
            otlp: Arc::new(otlp),
            files: Arc::default(),
            consoles: Arc::new(consoles),
            tls: Arc::new(tls),
        })
    }

    /// Opens the files that the settings name. Where `running` has them open with the same
    /// settings it goes on being written through the same writer; otherwise they are appended to.
    ///
    /// # Errors
    /// The Collector's text for what failed to start.
    pub fn open_files(
        &mut self,
        settings: &Settings,
        running: Option<&Shared>,
    ) -> Result<(), String> {
        let mut files = BTreeMap::new();
        for (id, component) in settings.exporters.iter().filter(|(_, c)| c.used) {
            let Some(config) = component.config::<exporters::file::config::Config>() else {
                continue;
            };
            let open = running.iter().flat_map(|shared| shared.files.values());
            let writer = match open.clone().find(|writer| writer.serves(config)) {
                Some(writer) => writer.clone(),
                None => exporters::file::open(config, open).map_err(|text| {
                    format!("cannot start pipelines: failed to start \"{id}\" exporter: {text}")
                })?,
            };
            files.insert(id.clone(), writer);
        }
        self.files = Arc::new(files);
        Ok(())
    }

    fn bound(&self) -> impl Iterator<Item = &Bound> {
        let servers = self.otlp.values();
        servers
            .flat_map(|otlp| [&otlp.grpc, &otlp.http])
            .flatten()
            .map(|(bound, _)| bound)
    }
}

/// Binds an address for a moment, so that a port in use is an error at start; unless this process
/// itself listens there.
fn bind(address: &net::config::Address, held: &[&Bound]) -> Result<Bound, String> {
    if address.transport == Transport::Unix {
        let path = PathBuf::from(&address.endpoint);
        let again = held
            .iter()
            .any(|held| matches!(held, Bound::Unix { path: held, .. } if *held == path));
        return Ok(Bound::Unix { path, again });
    }
    let endpoint = &address.endpoint;
    let listening =
        |at: &str, error: io::Error| format!("listen tcp {at}: {}", go_error("bind", &error));
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
    let chosen = candidates
        .iter()
        .find(|a| a.is_ipv4())
        .or_else(|| candidates.first())
        .copied()
        .ok_or_else(|| format!("listen tcp: lookup {endpoint}: no such host"))?;
    if held.contains(&&Bound::Tcp(chosen)) {
        return Ok(Bound::Tcp(chosen));
    }
    let bound = Listener::check(chosen).map_err(|error| listening(&chosen.to_string(), error))?;
    Ok(Bound::Tcp(bound))
}

/// An operating system's error as Go writes it: the call and the text in lower case.
fn go_error(call: &str, error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EADDRINUSE) => format!("{call}: address already in use"),
        Some(libc::EACCES) => format!("{call}: permission denied"),
        Some(libc::EADDRNOTAVAIL) => format!("{call}: cannot assign requested address"),
        _ => format!("{call}: {error}"),
    }
}

fn server_tls(
    config: Option<&net::config::ServerTls>,
    alpn: &[&[u8]],
) -> Result<Option<net::tls::ServerTls>, String> {
    let Some(config) = config else {
        return Ok(None);
    };
    let settings = net::tls::Server {
        tls: tls_settings(&config.config),
        client_ca_file: config.client_ca_file.clone(),
        client_ca_file_reload: config.client_ca_file_reload,
    };
    let tls = net::tls::server(&settings, alpn).map_err(|error| error.to_string())?;
    for warning in &tls.warnings {
        tracing::warn!("{warning}");
    }
    Ok(Some(tls))
}

/// The declared keys of a client as the loader takes them.
pub(crate) fn client_tls(config: &net::config::ClientTls) -> net::tls::Client {
    net::tls::Client {
        tls: tls_settings(&config.config),
        insecure: config.insecure,
        insecure_skip_verify: config.insecure_skip_verify,
        server_name_override: config.server_name_override.clone(),
    }
}

fn tls_settings(config: &net::config::Tls) -> net::tls::Tls {
    net::tls::Tls {
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
