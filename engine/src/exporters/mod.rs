//! Exporters, one file or folder each, named by their Collector id.

pub mod debug;
pub mod file;
pub mod nop;
pub mod otlp_grpc;
pub mod otlp_http;

use trunkline_proto::Signal;

use crate::{
    component::Outcome,
    log_component,
    telemetry::{logs::ComponentFields, metrics::ExporterMetrics},
};

/// Counts what became of a request of so many items.
pub(crate) fn count(metrics: &ExporterMetrics, signal: Signal, items: u64, outcome: &Outcome) {
    match outcome {
        Outcome::Accepted => metrics.sent(signal, items),
        Outcome::Partial { rejected, .. } => {
            let rejected = (*rejected).min(items);
            metrics.sent(signal, items - rejected);
            if rejected > 0 {
                metrics.send_failed(signal, rejected, "PartialSuccess", true);
            }
        }
        Outcome::Refused(refusal) => {
            let code = format!("{:?}", refusal.code);
            metrics.send_failed(signal, items, &code, !refusal.retryable);
        }
    }
}

/// [Counts](count) what became of a request, and logs what was not taken.
pub(crate) fn ended(
    metrics: &ExporterMetrics,
    fields: &ComponentFields,
    signal: Signal,
    items: u64,
    outcome: &Outcome,
) {
    count(metrics, signal, items, outcome);
    match outcome {
        Outcome::Accepted => {}
        Outcome::Partial { rejected, message } => log_component!(
            warn,
            fields,
            message = message.as_str(),
            dropped_items = rejected,
            "Partial success response"
        ),
        Outcome::Refused(refusal) => log_component!(
            error,
            fields,
            error = refusal.message.as_str(),
            rejected_items = items,
            "Exporting failed. Rejecting data."
        ),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod testing;
