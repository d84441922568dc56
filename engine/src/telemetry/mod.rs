//! What the gateway says about itself: metrics under the Collector's names, the
//! ledger of every item, and structured logs. The pages that show them to people
//! and scrapers are in `admin`; what is counted lives with the component that counts.

pub mod clock;
pub mod ledger;
pub mod logs;
pub mod metrics;
pub mod process;
pub mod push;
pub mod resource;
pub mod setup;

pub use ledger::{Held, Leaving, Ledger, LedgerBalance, PipelineLedger};
pub use metrics::{
    BatchMetrics, Counter, Destination, ExporterMetrics, FilterMetrics, Gauge, Histogram, Level,
    MemoryLimiterMetrics, ProcessorMetrics, QueueMetrics, ReceiverMetrics, Registry,
};
