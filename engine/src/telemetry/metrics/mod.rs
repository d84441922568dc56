//! Metrics of the gateway itself. A component takes its instruments from the
//! [`Registry`] when it is built, one set for every core, and writes them without
//! locks; a scrape adds the cores up. Which metrics exist is in `descriptors`, how
//! they look on the page in `exposition`.

mod bundles;
mod cells;
mod descriptor;
pub mod descriptors;
mod exposition;
mod http_client_server;
pub mod instruments;
mod registry;
mod statements;
pub mod views;

pub use bundles::{
    BatchMetrics, Destination, ExporterMetrics, FilterMetrics, InFlight, InPipeline,
    MemoryLimiterMetrics, ProcessorMetrics, QueueMetrics, ReceiverMetrics,
};
pub use cells::{Counter, Gauge, Histogram};
pub use descriptors::{Across, Descriptor, Kind, Level, Unit};
pub use exposition::{CONTENT_TYPE, Page, format_value, write_page};
pub use http_client_server::{HttpCall, HttpMetrics, RpcMetrics};
pub use registry::{FamilySample, HistogramSample, Observer, Registry, SampleValue, SeriesSample};
pub use statements::{RuleFailures, StatementMetrics, Statements};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
