//! Runs the gateway: chooses the reactor, starts the cores, serves health, metrics
//! and the admin page from the control thread, and ends everything in order.

use std::{
    cell::RefCell,
    io::Write as _,
    rc::Rc,
    sync::{Arc, mpsc},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::{oneshot, watch};

use crate::{
    admin,
    cli::{RunOptions, RuntimeChoice},
    component::CoreContext,
    config::{
        Settings,
        gates::{GATES, Stage as GateStage},
        level::Level as ConfigLevel,
        telemetry::LogLevel as ConfigLogLevel,
    },
    extensions,
    graph::{Bound, CoreGraph, Message, Shared},
    net::{admission::Budget, compression, drain::Drain, in_hand::InHand},
    runtime::{self, Choice, cores, limits, mesh::Mesh},
    telemetry::{
        Level, Registry,
        logs::{self, LogsConfig},
        metrics,
        process::{CoreThreads, ProcessMetrics},
    },
};

/// Time for everything that was accepted to be finished after SIGTERM.
const DRAIN: Duration = Duration::from_secs(20);
/// Messages that may wait for a core.
const MESH_DEPTH: usize = 256;
/// Time for a core to build its graph.
const BUILD: Duration = Duration::from_secs(60);

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// The text after `Error: `: what could not be built or started.
pub fn run(settings: Settings, options: RunOptions) -> Result<(), String> {
    let instance = uuid();
    let resource = vec![
        ("service.instance.id".to_owned(), instance),
        ("service.name".to_owned(), "trunkline".to_owned()),
        (
            "service.version".to_owned(),
            env!("CARGO_PKG_VERSION").to_owned(),
        ),
    ];
    let log = logs::init(&logs_config(&settings, &resource)).map_err(|e| e.to_string())?;
    let result = Gateway::start(settings, options, resource).and_then(Gateway::serve);
    log.flush(Duration::from_secs(1));
    result
}

struct Gateway {
    settings: Settings,
    options: RunOptions,
    resource: Vec<(String, String)>,
    registry: Arc<Registry>,
    _process: ProcessMetrics,
    threads: Arc<CoreThreads>,
    budgets: Vec<Arc<Budget>>,
    mode: (runtime::Mode, String),
    plan: cores::Plan,
    mesh: Mesh<Message>,
    running: Vec<cores::Core>,
    undelivered: mpsc::Receiver<usize>,
    shared: Shared,
    started: SystemTime,
}

impl Gateway {
    fn start(
        settings: Settings,
        options: RunOptions,
        resource: Vec<(String, String)>,
    ) -> Result<Gateway, String> {
        let files = limits::raise_open_files();
        let choice = match options.runtime {
            RuntimeChoice::Auto => Choice::Auto,
            RuntimeChoice::IoUring => Choice::IoUring,
            RuntimeChoice::Epoll => Choice::Epoll,
        };
        let plan = cores::plan(options.cores);
        for warning in &settings.warnings {
            tracing::warn!("{}", warning_text(warning));
        }
        for key in &settings.no_effect {
            tracing::warn!(key = key.key, place = %key.at, "Key has no effect: {}", key.why);
        }
        let (mode, why) = runtime::choose(choice)?;
        tracing::info!(
            Version = env!("CARGO_PKG_VERSION"),
            NumCPU = limits::affinity().len(),
            "Starting trunkline..."
        );
        tracing::info!(
            runtime = %mode,
            reason = why,
            cores = plan.count,
            placement = plan.reason,
            open_files = files,
            "Runtime chosen"
        );
        let level = match settings.service.telemetry.metrics.level {
            ConfigLevel::None => Level::None,
            ConfigLevel::Basic => Level::Basic,
            ConfigLevel::Normal => Level::Normal,
            ConfigLevel::Detailed => Level::Detailed,
        };
        let registry = Arc::new(Registry::new(level));
        let process = ProcessMetrics::new(&registry);
        let threads = Arc::new(CoreThreads::default());
        let shared = Shared::prepare(&settings)?;
        // A quarter of what this process may use, in equal parts.
        let share = usize::try_from(limits::memory() / 4).unwrap_or(usize::MAX) / plan.count;
        let budgets: Vec<_> = (0..plan.count).map(|_| Budget::new(share)).collect();
        let mesh = Mesh::new(plan.count, MESH_DEPTH);

        let (built, graphs) = mpsc::channel::<Result<(), String>>();
        let (undelivered_tx, undelivered) = mpsc::channel();
        let mut running = Vec::new();
        for (core, budget) in budgets.iter().enumerate() {
            let (settings, shared, mesh) = (settings.clone(), shared.clone(), mesh.clone());
            let (registry, budget, threads) = (registry.clone(), budget.clone(), threads.clone());
            let (built, undelivered) = (built.clone(), undelivered_tx.clone());
            let started = cores::start(mode, &plan, core, move || async move {
                threads.register_current(core);
                let context = CoreContext {
                    core,
                    registry,
                    budget,
                    drain: Drain::default(),
                    in_hand: InHand::default(),
                    inflater: Rc::new(RefCell::new(compression::Inflater::new())),
                    deflater: Rc::new(RefCell::new(compression::Deflater::new())),
                };
                run_core(&settings, &shared, &context, &mesh, &built, &undelivered).await;
            })
            .map_err(|error| format!("cannot start core {core}: {error}"))?;
            running.push(started);
        }
        drop((built, undelivered_tx));
        let gateway = Gateway {
            settings,
            options,
            resource,
            registry,
            _process: process,
            threads,
            budgets,
            mode: (mode, why),
            plan,
            mesh,
            running,
            undelivered,
            shared,
            started: SystemTime::now(),
        };
        for _ in 0..gateway.plan.count {
            let outcome = graphs
                .recv_timeout(BUILD)
                .unwrap_or_else(|_| Err("a core did not start; see the log above".into()));
            if let Err(text) = outcome {
                gateway.stop();
                return Err(text);
            }
        }
        Ok(gateway)
    }

    /// Tells every core to finish and waits for them.
    fn stop(self) {
        for core in 0..self.mesh.cores() {
            // A full queue is drained by its core; the word must get through.
            let begun = Instant::now();
            while self.mesh.send(core, Message::Drain).is_err() && begun.elapsed() < DRAIN {
                std::thread::yield_now();
            }
        }
        for core in self.running {
            if let Err(error) = core.join() {
                tracing::error!(error = %error, "A core ended badly");
            }
        }
        let left: usize = self.undelivered.try_iter().sum();
        if left > 0 {
            tracing::error!(
                requests = left,
                "Not delivered within the deadline; their senders were not answered"
            );
        }
    }

    fn serve(self) -> Result<(), String> {
        let control = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("cannot start the control thread: {error}"))?;
        control.block_on(self.control())
    }

    async fn control(self) -> Result<(), String> {
        let (stop, stopped) = watch::channel(false);
        let mut servers = Vec::new();
        let mut listeners = Vec::new();
        let failed =
            |what: &str, error: admin::http::BindError| format!("failed to start {what}: {error}");
        let mut health = None;
        let mut zpages = Vec::new();
        tracing::info!("Starting extensions...");
        for id in &self.settings.service.extensions {
            let Some(component) = self.settings.extensions.get(id) else {
                continue;
            };
            if let Some(config) = component.config::<extensions::health_check::config::Config>() {
                let server = &config.config;
                let state = Arc::new(extensions::health_check::server::HealthState::new(
                    &id.to_string(),
                ));
                let endpoint = &server.server.address.endpoint;
                let listener = admin::http::bind(endpoint)
                    .map_err(|e| failed(&format!("extension \"{id}\""), e))?;
                listeners.push(status_listener(&id.to_string(), "http", endpoint));
                let body = server.response_body.as_ref().map(|body| {
                    extensions::health_check::server::ResponseBody {
                        healthy: body.healthy.clone(),
                        unhealthy: body.unhealthy.clone(),
                    }
                });
                let handler = Arc::new(extensions::health_check::server::HealthEndpoint::new(
                    state.clone(),
                    server.path.clone(),
                    body,
                ));
                servers.push(tokio::spawn(admin::http::serve(
                    listener,
                    handler,
                    admin::http::Limits::default(),
                    stopped.clone(),
                )));
                health = Some(state);
            } else if let Some(config) = component.config::<extensions::zpages::config::Config>() {
                let endpoint = config.server.address.endpoint.clone();
                let listener = admin::http::bind(&endpoint)
                    .map_err(|e| failed(&format!("extension \"{id}\""), e))?;
                listeners.push(status_listener(&id.to_string(), "http", &endpoint));
                zpages.push(listener);
            } else if component
                .config::<extensions::pprof::config::Config>()
                .is_some()
            {
                tracing::warn!(
                    extension = %id,
                    "Go's profiler is accepted and serves nothing; use perf on this process"
                );
            }
        }
        for reader in self.settings.service.telemetry.metrics.endpoints() {
            let host = reader.host.as_deref().unwrap_or("localhost");
            let endpoint = format!("{host}:{}", reader.port.unwrap_or(8888));
            let listener =
                admin::http::bind(&endpoint).map_err(|e| failed("the metrics endpoint", e))?;
            listeners.push(status_listener("metrics", "http", &endpoint));
            let page = metrics::Page {
                without_scope_info: reader.without_scope_info,
                without_units: reader.without_units,
                without_type_suffix: reader.without_type_suffix,
                resource: self.resource.clone(),
            };
            servers.push(tokio::spawn(admin::http::serve(
                listener,
                Arc::new(admin::metrics::MetricsEndpoint::new(
                    self.registry.clone(),
                    page,
                )),
                admin::http::Limits::default(),
                stopped.clone(),
            )));
        }
        for (id, otlp) in self.shared.otlp.iter() {
            for (protocol, server) in [("grpc", &otlp.grpc), ("http", &otlp.http)] {
                if let Some((bound, _)) = server {
                    let address = match bound {
                        Bound::Tcp(address) => address.to_string(),
                        Bound::Unix(path) => format!("unix:{}", path.display()),
                    };
                    tracing::info!(
                        otelcol.component.id = %id,
                        otelcol.component.kind = "receiver",
                        endpoint = address,
                        "Starting {} server",
                        if protocol == "grpc" { "GRPC" } else { "HTTP" }
                    );
                    listeners.push(status_listener(&id.to_string(), protocol, &address));
                }
            }
        }
        let ready = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let source = StatusOf {
            status: self.status(listeners),
            threads: self.threads.clone(),
            budgets: self.budgets.clone(),
            ready: ready.clone(),
        };
        let pages = Arc::new(admin::AdminPages::new(source, self.registry.clone()));
        for listener in zpages {
            servers.push(tokio::spawn(admin::http::serve(
                listener,
                pages.clone(),
                admin::http::Limits::default(),
                stopped.clone(),
            )));
        }
        if let Some(health) = &health {
            health.ready();
        }
        if self.options.embedded {
            self.greet();
        }
        tracing::info!("Everything is ready. Begin running and processing data.");

        let signal = wait_for_signal().await?;
        tracing::info!(signal, "Received signal from OS");
        tracing::info!("Starting shutdown...");
        ready.store(false, std::sync::atomic::Ordering::Relaxed);
        if let Some(health) = &health {
            health.not_ready();
        }
        // The pages stay up while the cores finish.
        let (done, finished) = oneshot::channel();
        let stopper = std::thread::Builder::new()
            .name("stop".into())
            .spawn(move || {
                self.stop();
                let _ = done.send(());
            })
            .map_err(|error| format!("cannot stop: {error}"))?;
        let _ = finished.await;
        let _ = stopper.join();
        tracing::info!("Stopping extensions...");
        let _ = stop.send(true);
        for server in servers {
            let _ = server.await;
        }
        tracing::info!("Shutdown complete.");
        Ok(())
    }

    fn status(&self, listeners: Vec<admin::Listener>) -> admin::Status {
        let reference = |id: &crate::component::ComponentId| admin::ComponentRef {
            id: id.to_string(),
            connector: self.settings.connectors.contains_key(id),
        };
        admin::Status {
            build: admin::BuildInfo {
                command: "trunkline".into(),
                description: "The gateway tier for OpenTelemetry".into(),
                version: env!("CARGO_PKG_VERSION").into(),
            },
            started: self.started,
            ready: true,
            runtime: self.mode.0.to_string(),
            runtime_reason: self.mode.1.clone(),
            cores: Vec::new(),
            memory: admin::Memory::default(),
            listeners,
            pipelines: self
                .settings
                .service
                .pipelines
                .iter()
                .map(|(id, p)| admin::Pipeline {
                    id: id.to_string(),
                    signal: id.signal.name().into(),
                    receivers: p.receivers.iter().map(reference).collect(),
                    processors: p.processors.iter().map(reference).collect(),
                    exporters: p.exporters.iter().map(reference).collect(),
                })
                .collect(),
            extensions: self
                .settings
                .service
                .extensions
                .iter()
                .map(ToString::to_string)
                .collect(),
            gates: GATES
                .iter()
                .map(|gate| admin::FeatureGate {
                    id: gate.id.into(),
                    enabled: self.settings.gates.is_on(gate.id),
                    stage: match gate.stage {
                        GateStage::Alpha => "Alpha",
                        GateStage::Beta => "Beta",
                    }
                    .into(),
                    description: gate.description.into(),
                })
                .collect(),
            data_dir: self
                .options
                .embedded
                .then(|| self.options.data_dir.display().to_string()),
            config: self.settings.sources.clone(),
        }
    }

    /// What a newcomer needs to know, in a few lines.
    fn greet(&self) {
        let mut out = std::io::stderr().lock();
        let _ = writeln!(
            out,
            "\n  Trunkline {} runs with its embedded configuration (see `trunkline print-config`).\n\
             \n    OTLP/gRPC     localhost:4317\n    OTLP/HTTP     http://localhost:4318  (protobuf and JSON)\n    \
             data          {}\n    admin page    http://localhost:55679\n    health        http://localhost:13133\n    \
             own metrics   http://localhost:8888/metrics\n\
             \n  Send something:\n\n    curl -H 'Content-Type: application/json' http://localhost:4318/v1/logs \\\n      \
             -d '{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{{\"body\":{{\"stringValue\":\"hello\"}}}}]}}]}}]}}'\n",
            env!("CARGO_PKG_VERSION"),
            self.options.data_dir.display(),
        );
    }
}

/// One core, from its graph to its end.
async fn run_core(
    settings: &Settings,
    shared: &Shared,
    context: &CoreContext,
    mesh: &Mesh<Message>,
    built: &mpsc::Sender<Result<(), String>>,
    undelivered: &mpsc::Sender<usize>,
) {
    let graph = match CoreGraph::build(settings, shared, context, mesh) {
        Ok(graph) => graph,
        Err(text) => {
            let _ = built.send(Err(text));
            return;
        }
    };
    let endpoints: Vec<_> = graph.endpoints.into_iter().map(Rc::new).collect();
    for (place, endpoint) in endpoints.iter().enumerate() {
        if let Err(error) = endpoint.listen(place, context, mesh) {
            let _ = built.send(Err(format!(
                "cannot start pipelines: failed to start \"{}\" receiver: {error}",
                endpoint.receiver
            )));
            return;
        }
    }
    let _ = built.send(Ok(()));
    while let Some(message) = mesh.receive(context.core).await {
        match message {
            Message::Request(moved) => {
                if let Some(ingest) = graph.ingests.get(moved.receiver).cloned() {
                    let hold = context.drain.hold();
                    let in_hand = context.in_hand.enter();
                    runtime::spawn(async move {
                        let _ = moved.reply.send(ingest.here(moved.incoming).await);
                        drop((in_hand, hold));
                    });
                }
            }
            Message::Connection(place, accepted) => {
                if let Some(endpoint) = endpoints.get(place) {
                    endpoint.serve(accepted, context);
                }
            }
            Message::Drain => break,
        }
    }
    context.drain.begin();
    let _ = runtime::timeout(DRAIN, context.drain.finished()).await;
    let _ = undelivered.send(context.in_hand.requests());
}

struct StatusOf {
    status: admin::Status,
    threads: Arc<CoreThreads>,
    budgets: Vec<Arc<Budget>>,
    ready: Arc<std::sync::atomic::AtomicBool>,
}

impl admin::StatusSource for StatusOf {
    fn status(&self) -> admin::Status {
        let mut status = self.status.clone();
        status.ready = self.ready.load(std::sync::atomic::Ordering::Relaxed);
        status.cores = self
            .threads
            .cpu_seconds()
            .into_iter()
            .map(|(index, cpu_seconds)| admin::Core {
                index,
                cpu: None,
                cpu_seconds,
            })
            .collect();
        status.memory = admin::Memory {
            used: self.budgets.iter().map(|b| b.used() as u64).sum(),
            budget: self.budgets.iter().map(|b| b.limit() as u64).sum(),
        };
        status
    }
}

fn status_listener(component: &str, protocol: &str, address: &str) -> admin::Listener {
    admin::Listener {
        component: component.to_owned(),
        protocol: protocol.to_owned(),
        address: address.to_owned(),
    }
}

async fn wait_for_signal() -> Result<&'static str, String> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
    let (mut terminate, mut interrupt) = (
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
    );
    let mut hangup = listen(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok("terminated"),
            _ = interrupt.recv() => return Ok("interrupt"),
            _ = hangup.recv() => {
                tracing::warn!("SIGHUP: the configuration is not reloaded while running yet; restart the gateway");
            }
        }
    }
}

fn warning_text(warning: &crate::config::Diagnostic) -> String {
    let mut text = warning.to_string();
    if let Some(place) = warning.place() {
        if !text.contains(&place) {
            text = format!("{text} ({place})");
        }
    }
    text
}

fn logs_config(settings: &Settings, resource: &[(String, String)]) -> LogsConfig {
    let logs = &settings.service.telemetry.logs;
    LogsConfig {
        level: match logs.level {
            ConfigLogLevel::Debug => logs::LogLevel::Debug,
            ConfigLogLevel::Info => logs::LogLevel::Info,
            ConfigLogLevel::Warn => logs::LogLevel::Warn,
            ConfigLogLevel::Error => logs::LogLevel::Error,
            _ => logs::LogLevel::Silent,
        },
        encoding: if logs.encoding == "json" {
            logs::Encoding::Json
        } else {
            logs::Encoding::Console
        },
        disable_caller: logs.disable_caller,
        sampling: logs.sampling.enabled.then(|| logs::Sampling {
            tick: logs.sampling.tick.get(),
            initial: u64::try_from(logs.sampling.initial).unwrap_or(0),
            thereafter: u64::try_from(logs.sampling.thereafter).unwrap_or(0),
        }),
        output_paths: logs.output_paths.clone(),
        error_output_paths: logs.error_output_paths.clone(),
        initial_fields: serde_json::Map::new(),
        resource: if logs.disable_zap_resource {
            Vec::new()
        } else {
            resource.to_vec()
        },
    }
}

/// A random identifier (RFC 9562, version 4).
fn uuid() -> String {
    use std::hash::{BuildHasher, RandomState};
    let high = RandomState::new().hash_one(1u8) & 0xffff_ffff_ffff_0fff | 0x4000;
    let low = RandomState::new().hash_one(2u8) & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}
