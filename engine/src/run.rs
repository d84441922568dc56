//! Runs the gateway: chooses the reactor, starts the cores, serves health, metrics
//! and the admin page from the control thread, and ends everything in order. What
//! happens between two configurations is in `reload`, what the pages show in `status`.

mod reload;
mod status;

use std::{
    cell::RefCell,
    io::Write as _,
    path::PathBuf,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    time::{Duration, Instant, SystemTime},
};

use self::{
    reload::{Next, Pages},
    status::listener as status_listener,
};
use crate::{
    admin,
    cli::{RunOptions, RuntimeChoice},
    component::CoreContext,
    config::Settings,
    extensions,
    graph::{CoreGraph, Message, Shared},
    net::{
        admission::Budget,
        compression,
        config::{Address, HttpServer},
        drain::Drain,
        in_hand::InHand,
    },
    runtime::{self, Choice, cores, limits, mesh::Mesh},
    telemetry::{
        Registry,
        logs::{self, LogHandle},
        metrics::{Observer, descriptors},
        process::{CoreThreads, ProcessMetrics, observe_cores},
        push::{MetricPusher, Origin, logs::LogPusher},
        setup,
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
    let telemetry = &settings.service.telemetry;
    let resource = setup::resource(telemetry);
    let pushers = setup::log_pushers(telemetry)?;
    let config = setup::logs(telemetry, &resource, &pushers);
    let log = logs::init(&config).map_err(|e| e.to_string())?;
    let result = reload::serve(settings, &options, pushers, &log);
    log.flush(Duration::from_secs(1));
    result
}

struct Gateway {
    settings: Settings,
    embedded: Option<PathBuf>,
    origin: Origin,
    log_pushers: Vec<LogPusher>,
    registry: Arc<Registry>,
    _process: ProcessMetrics,
    _observers: Vec<Observer>,
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
        next: Next,
        options: &RunOptions,
        before: Option<&Shared>,
        log: &LogHandle,
    ) -> Result<Gateway, String> {
        let Next {
            settings,
            resource,
            mut shared,
            log_pushers,
            ..
        } = next;
        let open_files = limits::raise_open_files();
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
        for gate in settings.gates.without_effect() {
            tracing::warn!(gate = gate.id, "Feature gate has no effect");
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
            open_files,
            "Runtime chosen"
        );
        let registry = Arc::new(setup::registry(&settings.service.telemetry)?);
        let origin = setup::origin(&settings.service.telemetry, &resource);
        let process = ProcessMetrics::new(&registry);
        let threads = Arc::new(CoreThreads::default());
        shared.open_files(&settings, before)?;
        // A quarter of what this process may use, in equal parts.
        let share = usize::try_from(limits::memory() / 4).unwrap_or(usize::MAX) / plan.count;
        let budgets: Vec<_> = (0..plan.count).map(|_| Budget::new(share)).collect();
        let mut observers = observe_cores(&registry, &threads, plan.count);
        observers.extend(observe_memory(&registry, &budgets));
        observers.push(log.observe(&registry));
        let mesh = Mesh::new(plan.count, MESH_DEPTH);

        let (built, graphs) = mpsc::channel::<Result<(), String>>();
        let (undelivered_tx, undelivered) = mpsc::channel();
        let mut running = Vec::new();
        for (core, budget) in budgets.iter().enumerate() {
            let (settings, shared, mesh) = (settings.clone(), shared.clone(), mesh.clone());
            let (registry, budget, threads) = (registry.clone(), budget.clone(), threads.clone());
            let (built, undelivered) = (built.clone(), undelivered_tx.clone());
            let cores = plan.count;
            let started = cores::start(mode, &plan, core, move || async move {
                threads.register_current(core);
                let context = CoreContext {
                    core,
                    cores,
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
            embedded: options.embedded.then(|| options.data_dir.clone()),
            origin,
            log_pushers,
            registry,
            _process: process,
            _observers: observers,
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
        let tell = |word: fn() -> Message| {
            for core in 0..self.mesh.cores() {
                // A full queue is emptied by its core; the word must get through.
                let begun = Instant::now();
                while self.mesh.send(core, word()).is_err() && begun.elapsed() < DRAIN {
                    std::thread::yield_now();
                }
            }
        };
        tell(|| Message::Drain);
        // A core that has finished may still be handed requests by one that has not: all end
        // together. Each keeps the deadline itself.
        let deadline = Instant::now() + DRAIN + Duration::from_secs(1);
        let mut left = 0;
        for _ in 0..self.running.len() {
            let wait = deadline.saturating_duration_since(Instant::now());
            match self.undelivered.recv_timeout(wait) {
                Ok(requests) => left += requests,
                Err(_) => break,
            }
        }
        tell(|| Message::End);
        for core in self.running {
            if let Err(error) = core.join() {
                tracing::error!(error = %error, "A core ended badly");
            }
        }
        if left > 0 {
            tracing::error!(
                requests = left,
                "Not delivered within the deadline; their senders were not answered"
            );
        }
    }

    /// Starts the extensions and the pages.
    fn open(&self, pages: &mut Pages) -> Result<Health, String> {
        let Pages {
            addresses,
            servers,
            stopped,
            ..
        } = pages;
        let mut listeners = Vec::new();
        let failed = |endpoint: &str, error: String| {
            format!("failed to start extensions: failed to bind to address {endpoint}: {error}")
        };
        let mut healths = Vec::new();
        let mut zpages = Vec::new();
        tracing::info!("Starting extensions...");
        for id in &self.settings.service.extensions {
            let Some(component) = self.settings.extensions.get(id) else {
                continue;
            };
            if let Some(config) = component.config::<extensions::health_check::config::Config>() {
                let config = &config.config;
                let state = Arc::new(extensions::health_check::server::HealthState::new(
                    &id.to_string(),
                ));
                let server = addresses
                    .listen(&config.server)
                    .map_err(|e| failed(&config.server.address.endpoint, e))?;
                listeners.push(status_listener(
                    &id.to_string(),
                    "http",
                    &server.bound().to_string(),
                ));
                let body = config.response_body.as_ref().map(|body| {
                    extensions::health_check::server::ResponseBody {
                        healthy: body.healthy.clone(),
                        unhealthy: body.unhealthy.clone(),
                    }
                });
                let handler = Arc::new(extensions::health_check::server::HealthEndpoint::new(
                    state.clone(),
                    config.path.clone(),
                    body,
                ));
                servers.push(tokio::task::spawn_local(
                    server.serve(handler, stopped.clone()),
                ));
                healths.push(state);
            } else if let Some(config) = component.config::<extensions::zpages::config::Config>() {
                let server = addresses
                    .listen(&config.server)
                    .and_then(|server| server.with_front(&config.server))
                    .map_err(|e| failed(&config.server.address.endpoint, e))?;
                listeners.push(status_listener(
                    &id.to_string(),
                    "http",
                    &server.bound().to_string(),
                ));
                zpages.push(server);
            } else if component
                .config::<extensions::pprof::config::Config>()
                .is_some()
            {
                extensions::pprof::start(&id.to_string());
            }
        }
        for reader in self.settings.service.telemetry.metrics.endpoints() {
            let host = reader.host.as_deref().unwrap_or("localhost");
            let endpoint = format!("{host}:{}", reader.port.unwrap_or(8888));
            let config = HttpServer {
                address: Address::tcp(&endpoint),
                ..HttpServer::default()
            };
            let server = addresses.listen(&config).map_err(|error| {
                format!(
                    "failed to create meter provider: binding address {endpoint} for Prometheus exporter: {error}"
                )
            })?;
            listeners.push(status_listener(
                "metrics",
                "http",
                &server.bound().to_string(),
            ));
            let page = setup::page(reader, &self.origin.resource)
                .map_err(|error| format!("failed to create meter provider: {error}"))?;
            let handler = Arc::new(admin::metrics::MetricsEndpoint::new(
                self.registry.clone(),
                page,
            ));
            servers.push(tokio::task::spawn_local(
                server.serve(handler, stopped.clone()),
            ));
        }
        servers.extend(self.pushers(stopped)?);
        for (id, otlp) in self.shared.otlp.iter() {
            for (protocol, server) in [("grpc", &otlp.grpc), ("http", &otlp.http)] {
                if let Some((bound, _)) = server {
                    let address = bound.to_string();
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
        let ready = Arc::new(AtomicBool::new(true));
        let source = self.status_source(listeners, &ready);
        let pages = Arc::new(admin::AdminPages::new(source, self.registry.clone()));
        for server in zpages {
            servers.push(tokio::task::spawn_local(
                server.serve(pages.clone(), stopped.clone()),
            ));
        }
        Ok(Health {
            checks: healths,
            pages: ready,
        })
    }

    /// Starts to send own telemetry.
    fn pushers(
        &self,
        stopped: &tokio::sync::watch::Receiver<bool>,
    ) -> Result<Vec<tokio::task::JoinHandle<()>>, String> {
        let mut tasks = Vec::new();
        for pusher in &self.log_pushers {
            let sender = pusher
                .sender()
                .map_err(|error| format!("failed to create logger: {error}"))?;
            let sending = pusher
                .clone()
                .run(sender, self.origin.clone(), stopped.clone());
            tasks.push(tokio::task::spawn_local(sending));
        }
        for reader in self.settings.service.telemetry.metrics.periodic() {
            let pusher = MetricPusher::new(reader, self.registry.clone(), self.origin.clone())
                .map_err(|error| format!("failed to create meter provider: {error}"))?;
            if let Some(pusher) = pusher {
                tasks.push(tokio::task::spawn_local(pusher.run(stopped.clone())));
            }
        }
        Ok(tasks)
    }

    /// What a newcomer needs to know, in a few lines.
    fn greet(&self, options: &RunOptions) {
        if !options.embedded {
            return;
        }
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
            options.data_dir.display(),
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
            let _ = undelivered.send(0);
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
            let _ = undelivered.send(0);
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
            Message::Drain => {
                context.drain.begin();
                let (context, undelivered) = (context.clone(), undelivered.clone());
                runtime::spawn(async move {
                    let _ = runtime::timeout(DRAIN, context.drain.finished()).await;
                    let _ = undelivered.send(context.in_hand.requests());
                });
            }
            Message::End => return,
        }
    }
}

/// Who is told when the gateway takes data and when it does so no more.
struct Health {
    checks: Vec<Arc<extensions::health_check::server::HealthState>>,
    pages: Arc<AtomicBool>,
}

impl Health {
    fn ready(&self) {
        for check in &self.checks {
            check.ready();
        }
        tracing::info!("Everything is ready. Begin running and processing data.");
    }

    fn not_ready(&self) {
        self.pages.store(false, Relaxed);
        for check in &self.checks {
            check.not_ready();
        }
    }
}

/// What requests in hand occupy, and may occupy, on each core.
fn observe_memory(registry: &Registry, budgets: &[Arc<Budget>]) -> Vec<Observer> {
    let mut observers = Vec::new();
    for (core, budget) in budgets.iter().enumerate() {
        let (core, of_used, of_limit) = (core.to_string(), budget.clone(), budget.clone());
        let labels = [("core", core.as_str())];
        let used = move || Some(of_used.used() as f64);
        observers.push(registry.observe(&descriptors::MEMORY_USED, &labels, used));
        let limit = move || Some(of_limit.limit() as f64);
        observers.push(registry.observe(&descriptors::MEMORY_BUDGET, &labels, limit));
    }
    observers
}

fn warning_text(warning: &crate::config::Diagnostic) -> String {
    let mut text = warning.to_string();
    if let Some(place) = warning.place()
        && !text.contains(&place)
    {
        text = format!("{text} ({place})");
    }
    text
}
