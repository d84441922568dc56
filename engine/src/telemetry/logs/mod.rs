//! Structured logs in the Collector's two formats, `console` and `json`, with its
//! keys (`service::telemetry::logs`). Code logs with `tracing`'s macros, dotted field
//! names included; [`log_component!`](crate::log_component) adds the fields that say
//! which component speaks. Lines are written by a thread of their own: a slow
//! terminal or disk costs lines, which are counted, and never a core's time.

mod encode;
mod layer;
mod sampler;
mod writer;

use std::{fmt, sync::Arc, time::Duration};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

use super::metrics::{Observer, Registry, descriptors::LOG_LINES_LOST};
use super::push::logs::Queue;
pub use layer::LogLayer;
pub(crate) use sampler::Sampler;
pub use writer::Output;
pub(crate) use writer::os_error;

/// Events with this target are written without their place in the source, as the
/// Collector's `debug` exporter writes.
pub const NO_CALLER: &str = "trunkline::plain";

/// The settings under `service::telemetry::logs`, and the resource of the process.
#[derive(Clone, Debug)]
pub struct LogsConfig {
    /// The least level that is written.
    pub level: LogLevel,
    /// How a line looks.
    pub encoding: Encoding,
    /// Lines do not name their place in the source.
    pub disable_caller: bool,
    /// How many lines of one text are written; `None` writes all.
    pub sampling: Option<Sampling>,
    /// Where lines go: `stderr`, `stdout`, paths, `file:` URLs.
    pub output_paths: Vec<String>,
    /// Where failures to write lines go, spelled the same way.
    pub error_output_paths: Vec<String>,
    /// Fields that every line has, in the order of their names.
    pub initial_fields: serde_json::Map<String, serde_json::Value>,
    /// Attributes of the resource, which every line has as `resource`; empty for
    /// `disable_zap_resource`.
    pub resource: Vec<(String, String)>,
    /// Where lines that are written go as records, too.
    pub queues: Vec<Arc<Queue>>,
}

impl Default for LogsConfig {
    fn default() -> Self {
        LogsConfig {
            level: LogLevel::Info,
            encoding: Encoding::Console,
            disable_caller: false,
            sampling: Some(Sampling::default()),
            output_paths: vec!["stderr".to_owned()],
            error_output_paths: vec!["stderr".to_owned()],
            initial_fields: serde_json::Map::new(),
            resource: Vec::new(),
            queues: Vec::new(),
        }
    }
}

/// Levels as configuration knows them. Nothing is logged above `error`, so the last
/// three silence everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// The default.
    Info,
    /// What somebody should look at.
    Warn,
    /// What failed.
    Error,
    /// `dpanic`, `panic`, `fatal`.
    Silent,
}

impl LogLevel {
    /// Reads a level in any case; the error text is the Collector's.
    pub fn parse(text: &str) -> Result<LogLevel, LogsError> {
        match text.to_ascii_lowercase().as_str() {
            "debug" => Ok(LogLevel::Debug),
            "info" | "" => Ok(LogLevel::Info),
            "warn" | "warning" => Ok(LogLevel::Warn),
            "error" => Ok(LogLevel::Error),
            "dpanic" | "panic" | "fatal" => Ok(LogLevel::Silent),
            _ => Err(LogsError::Level(text.to_owned())),
        }
    }

    fn filter(self) -> LevelFilter {
        match self {
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Silent => LevelFilter::OFF,
        }
    }
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Tab-separated: time, level, caller, message, fields as a JSON object.
    Console,
    /// One JSON object a line.
    Json,
}

impl Encoding {
    /// Reads the name of an encoding; the error text is the Collector's.
    pub fn parse(text: &str) -> Result<Encoding, LogsError> {
        match text {
            "console" => Ok(Encoding::Console),
            "json" => Ok(Encoding::Json),
            _ => Err(LogsError::Encoding(text.to_owned())),
        }
    }
}

/// Of each level and text: the first `initial` lines in every `tick`, then every
/// `thereafter`-th (none with 0).
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// How long a count lasts.
    pub tick: Duration,
    /// Lines written before anything is left out.
    pub initial: u64,
    /// Of those after, each how-many-th is written.
    pub thereafter: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling {
            tick: Duration::from_secs(10),
            initial: 10,
            thereafter: 100,
        }
    }
}

/// Why no logger could be made. Texts are the Collector's.
#[derive(Debug)]
pub enum LogsError {
    /// Unknown level.
    Level(String),
    /// Unknown encoding.
    Encoding(String),
    /// An output that cannot be opened, and why.
    Open(String, String),
    /// The thread that writes cannot be started.
    Thread(std::io::Error),
    /// Another logger is installed in this process.
    Installed,
}

impl fmt::Display for LogsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogsError::Level(text) => write!(f, "unrecognized level: {text:?}"),
            LogsError::Encoding(text) => {
                write!(
                    f,
                    "failed to create logger: no encoder registered for name {text:?}"
                )
            }
            LogsError::Open(path, why) => {
                write!(f, "failed to create logger: open sink {path:?}: {why}")
            }
            LogsError::Thread(error) => write!(f, "failed to create logger: {error}"),
            LogsError::Installed => {
                f.write_str("failed to create logger: another logger is installed already")
            }
        }
    }
}

impl std::error::Error for LogsError {}

/// Makes the logger of this process. The handle changes it, flushes it, and must
/// live as long as lines should be written.
pub fn init(config: &LogsConfig) -> Result<LogHandle, LogsError> {
    let (layer, handle) = LogLayer::new(config)?;
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogsError::Installed)?;
    Ok(handle)
}

/// The way to a logger that runs.
#[derive(Clone, Debug)]
pub struct LogHandle {
    shared: Arc<layer::Shared>,
}

impl LogHandle {
    /// Goes over to another configuration; on an error the old one stays in force.
    pub fn reload(&self, config: &LogsConfig) -> Result<(), LogsError> {
        self.shared.replace(config)?;
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    }

    /// Waits until what was logged so far is written, at most `limit`.
    pub fn flush(&self, limit: Duration) {
        self.shared.flush(limit);
    }

    /// Lines lost so far because their output was too slow.
    pub fn lost(&self) -> u64 {
        self.shared.lost()
    }

    /// Shows the number of lost lines among the metrics of `registry`.
    pub fn observe(&self, registry: &Registry) -> Observer {
        let shared = self.shared.clone();
        registry.observe(&LOG_LINES_LOST, &[], move || Some(shared.lost() as f64))
    }
}

/// Which component speaks: the fields that the Collector's loggers of components
/// have, in its order.
#[derive(Clone, Debug)]
pub struct ComponentFields {
    /// `otelcol.component.id`.
    pub id: String,
    /// `otelcol.component.kind`: receiver, processor, exporter, connector, extension.
    pub kind: &'static str,
    /// `otelcol.pipeline.id`, of processors.
    pub pipeline: Option<String>,
    /// `otelcol.signal`, where the component serves one.
    pub signal: Option<&'static str>,
}

/// Logs with the fields of a component: `log_component!(info, fields, endpoint = %address,
/// "Starting GRPC server")`. The first argument is `debug`, `info`, `warn` or `error`,
/// the second a [`ComponentFields`], the rest as in `tracing`'s macros.
#[macro_export]
macro_rules! log_component {
    ($level:ident, $component:expr, $($rest:tt)+) => {{
        let component: &$crate::telemetry::logs::ComponentFields = &$component;
        ::tracing::$level!(
            otelcol.component.id = component.id.as_str(),
            otelcol.component.kind = component.kind,
            otelcol.pipeline.id = component.pipeline.as_deref(),
            otelcol.signal = component.signal,
            $($rest)+
        )
    }};
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
