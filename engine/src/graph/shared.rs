//! What is made once for the whole process before the cores build: bound
//! addresses, TLS, file writers.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    component::ComponentId,
    config::Settings,
    exporters,
    net::{
        self,
        listen::{Bound, HTTP_ALPN, bind, server_tls},
    },
    receivers,
};

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
                let tls = server_tls(http.server.tls.get(), HTTP_ALPN).map_err(failed)?;
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
