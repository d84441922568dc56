//! The configurations that the tests share: one otlp receiver, one pipeline a
//! signal, exporters that answer the caller and do not pause long.

use std::fmt::Write;

use crate::{Backend, Gateway, Launch, Port, Runtime, Signal, grpc};

/// A configuration in the making; every block is YAML in flow style.
pub struct Config {
    grpc: String,
    http: String,
    processors: Vec<(String, String)>,
    exporters: Vec<(String, String)>,
    signals: Vec<Signal>,
    rest: String,
    extensions: Vec<String>,
    telemetry: String,
}

impl Config {
    /// Receives on these ports, all signals.
    pub fn new(grpc: &Port, http: &Port) -> Config {
        Config {
            grpc: format!("endpoint: '127.0.0.1:{grpc}'"),
            http: format!("endpoint: '127.0.0.1:{http}'"),
            processors: Vec::new(),
            exporters: Vec::new(),
            signals: Signal::ALL.to_vec(),
            rest: String::new(),
            extensions: Vec::new(),
            telemetry: String::new(),
        }
    }

    /// More keys of `protocols.grpc`.
    pub fn grpc(mut self, keys: &str) -> Config {
        self.grpc = format!("{}, {keys}", self.grpc);
        self
    }

    /// More keys of `protocols.http`.
    pub fn http(mut self, keys: &str) -> Config {
        self.http = format!("{}, {keys}", self.http);
        self
    }

    /// Other keys of both protocols.
    pub fn protocols(mut self, grpc: &str, http: &str) -> Config {
        self.grpc = grpc.into();
        self.http = http.into();
        self
    }

    /// A processor, after those before it, in every pipeline.
    pub fn processor(mut self, id: &str, block: &str) -> Config {
        self.processors.push((id.into(), block.into()));
        self
    }

    /// An exporter, in every pipeline.
    pub fn exporter(mut self, id: &str, block: &str) -> Config {
        self.exporters.push((id.into(), block.into()));
        self
    }

    /// An extension.
    pub fn extension(mut self, id: &str, block: &str) -> Config {
        self.rest += &format!("extensions: {{{id}: {block}}}\n");
        self.extensions.push(id.into());
        self
    }

    /// The block `service::telemetry`; its readers are replaced by the launch's.
    pub fn telemetry(mut self, block: &str) -> Config {
        self.telemetry = block.into();
        self
    }

    /// Pipelines for these signals only.
    pub fn signals(mut self, signals: &[Signal]) -> Config {
        self.signals = signals.to_vec();
        self
    }

    /// `otlp_grpc` to a backend; `keys` come before the ones that every test wants, and win.
    pub fn grpc_to(self, backend: &Backend, keys: &[&str]) -> Config {
        let block = block(
            keys,
            &[
                &format!("endpoint: '{}'", backend.address()),
                "tls: {insecure: true}",
                "compression: none",
                "sending_queue: {enabled: false}",
                "retry_on_failure: {initial_interval: 10ms, max_interval: 50ms}",
            ],
        );
        self.exporter("otlp_grpc", &block)
    }

    /// `otlp_http` to a backend, as [`Config::grpc_to`].
    pub fn http_to(self, backend: &Backend, keys: &[&str]) -> Config {
        let block = block(
            keys,
            &[
                &format!("endpoint: 'http://{}'", backend.address()),
                "compression: none",
                "sending_queue: {enabled: false}",
                "retry_on_failure: {initial_interval: 10ms, max_interval: 50ms}",
            ],
        );
        self.exporter("otlp_http", &block)
    }

    /// The YAML text.
    pub fn yaml(&self) -> String {
        let ids = |blocks: &[(String, String)]| {
            blocks
                .iter()
                .map(|(id, _)| id.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let list = |blocks: &[(String, String)]| {
            blocks
                .iter()
                .map(|(id, block)| format!("{id}: {block}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let mut protocols = Vec::new();
        if !self.grpc.is_empty() {
            protocols.push(format!("grpc: {{{}}}", self.grpc));
        }
        if !self.http.is_empty() {
            protocols.push(format!("http: {{{}}}", self.http));
        }
        let mut out = format!(
            "receivers: {{otlp: {{protocols: {{{}}}}}}}\n",
            protocols.join(", ")
        );
        if !self.processors.is_empty() {
            writeln!(out, "processors: {{{}}}", list(&self.processors)).unwrap();
        }
        writeln!(out, "exporters: {{{}}}", list(&self.exporters)).unwrap();
        out += &self.rest;
        writeln!(
            out,
            "service:\n  extensions: [{}]\n  pipelines:",
            self.extensions.join(", ")
        )
        .unwrap();
        for signal in &self.signals {
            writeln!(
                out,
                "    {}: {{receivers: [otlp], processors: [{}], exporters: [{}]}}",
                signal.name(),
                ids(&self.processors),
                ids(&self.exporters)
            )
            .unwrap();
        }
        if !self.telemetry.is_empty() {
            writeln!(out, "  telemetry: {}", self.telemetry).unwrap();
        }
        out
    }

    /// The launch of a gateway with it.
    pub fn launch(&self, runtime: Runtime) -> Launch {
        // Profiles are behind this gate, in the Collector as here.
        Launch::new(runtime, &self.yaml())
            .arg("--feature-gates")
            .arg("service.profilesSupport")
    }
}

/// A flow mapping of `keys`, and those of `defaults` whose key is not among them.
fn block(keys: &[&str], defaults: &[&str]) -> String {
    let name = |entry: &str| entry.split(':').next().unwrap_or_default().to_owned();
    let mut all: Vec<String> = keys.iter().map(|&entry| entry.to_owned()).collect();
    for entry in defaults {
        if keys.iter().all(|given| name(given) != name(entry)) {
            all.push((*entry).to_owned());
        }
    }
    format!("{{{}}}", all.join(", "))
}

/// A gateway between two ports and a backend.
pub struct Relay {
    /// The gateway.
    pub gateway: Gateway,
    /// What it exports to.
    pub backend: Backend,
    /// Where it listens for gRPC.
    pub grpc: Port,
    /// Where it listens for HTTP.
    pub http: Port,
}

impl Relay {
    /// Starts one that exports over gRPC, its configuration changed by `change`.
    pub async fn start(runtime: Runtime, change: impl FnOnce(Config) -> Config) -> Relay {
        Relay::with(runtime, Backend::grpc(), |config, backend| {
            change(config.grpc_to(backend, &[]))
        })
        .await
    }

    /// Starts one with a backend and a configuration that leads there.
    pub async fn with(
        runtime: Runtime,
        backend: Backend,
        make: impl FnOnce(Config, &Backend) -> Config,
    ) -> Relay {
        let (grpc, http) = (Port::free(), Port::free());
        let config = make(Config::new(&grpc, &http), &backend);
        let gateway = config.launch(runtime).start().await;
        Relay {
            gateway,
            backend,
            grpc,
            http,
        }
    }

    /// A new connection to its gRPC port.
    pub async fn client(&self) -> grpc::Client {
        grpc::Client::connect(&self.grpc).await
    }
}
