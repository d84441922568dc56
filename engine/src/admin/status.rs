//! What the pages need to know about the gateway that no metric says: what was
//! built, what listens, how pipelines are put together. Filled by whoever starts the
//! gateway; the pages only read it.

use std::time::SystemTime;

/// Gives the present state. Called on the control thread for every page.
pub trait StatusSource: Send + Sync + 'static {
    /// The state now.
    fn status(&self) -> Status;
}

impl<F: Fn() -> Status + Send + Sync + 'static> StatusSource for F {
    fn status(&self) -> Status {
        self()
    }
}

/// The gateway at one moment.
#[derive(Clone, Debug)]
pub struct Status {
    /// What runs.
    pub build: BuildInfo,
    /// When the process started.
    pub started: SystemTime,
    /// Whether data is taken.
    pub ready: bool,
    /// `io_uring` or `epoll`.
    pub runtime: String,
    /// Why that one.
    pub runtime_reason: String,
    /// The cores that are used.
    pub cores: Vec<Core>,
    /// Memory that requests hold.
    pub memory: Memory,
    /// What listens where.
    pub listeners: Vec<Listener>,
    /// The pipelines, in the order in which they should be drawn.
    pub pipelines: Vec<Pipeline>,
    /// Ids of the extensions, in order of their start.
    pub extensions: Vec<String>,
    /// Feature gates.
    pub gates: Vec<FeatureGate>,
    /// Where data is written, when the embedded default configuration runs or a
    /// component was given a folder.
    pub data_dir: Option<String>,
    /// Where the configuration came from, one URI a source.
    pub config: Vec<String>,
}

/// What runs.
#[derive(Clone, Debug)]
pub struct BuildInfo {
    /// The command, `trunkline`.
    pub command: String,
    /// One line about it.
    pub description: String,
    /// Its version.
    pub version: String,
}

/// One core.
#[derive(Clone, Copy, Debug)]
pub struct Core {
    /// Its number within the gateway, as in `Registry::counter`.
    pub index: usize,
    /// The CPU it is pinned to.
    pub cpu: Option<usize>,
    /// CPU time that its thread has used so far, seconds.
    pub cpu_seconds: f64,
}

/// Memory that requests in hand occupy, bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Now.
    pub used: u64,
    /// At most.
    pub budget: u64,
}

/// Something that accepts connections.
#[derive(Clone, Debug)]
pub struct Listener {
    /// The component, by id (`otlp`, `zpages`), or `telemetry` for own metrics.
    pub component: String,
    /// What it speaks: `gRPC`, `HTTP`.
    pub protocol: String,
    /// Where.
    pub address: String,
}

/// A pipeline.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Its id, `traces/a`.
    pub id: String,
    /// The signal's name.
    pub signal: String,
    /// What feeds it.
    pub receivers: Vec<ComponentRef>,
    /// What data goes through, in order.
    pub processors: Vec<ComponentRef>,
    /// Where data goes.
    pub exporters: Vec<ComponentRef>,
}

/// A component in a pipeline.
#[derive(Clone, Debug)]
pub struct ComponentRef {
    /// Its id.
    pub id: String,
    /// Whether it is a connector, between two pipelines.
    pub connector: bool,
}

/// A feature gate.
#[derive(Clone, Debug)]
pub struct FeatureGate {
    /// Its id.
    pub id: String,
    /// Whether it is on.
    pub enabled: bool,
    /// `Alpha`, `Beta`, `Stable`, `Deprecated`.
    pub stage: String,
    /// What it does.
    pub description: String,
}
