//! Exporters, one file or folder each, named by their Collector id.

pub mod debug;
pub mod file;
pub mod nop;
pub mod otlp_grpc;
pub mod otlp_http;

use trunkline_proto::Signal;

use crate::{component::Outcome, telemetry::metrics::ExporterMetrics};

/// Counts what became of a request of so many items.
pub(crate) fn count(metrics: &ExporterMetrics, signal: Signal, items: u64, outcome: &Outcome) {
    match outcome {
        Outcome::Accepted => metrics.sent(signal, items),
        Outcome::Partial { rejected, .. } => {
            let rejected = (*rejected).min(items);
            metrics.sent(signal, items - rejected);
            if rejected > 0 {
                metrics.send_failed(signal, rejected, "InvalidArgument", true);
            }
        }
        Outcome::Refused(refusal) => {
            let code = format!("{:?}", refusal.code);
            metrics.send_failed(signal, items, &code, !refusal.retryable);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod testing;
