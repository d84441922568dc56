//! The exporter `nop`: accepts everything and sends it nowhere.

pub mod config;

use std::rc::Rc;

use trunkline_proto::{Batch, Signal};

use crate::{
    component::{ComponentId, ConsumeFuture, Consumer, CoreContext, Outcome, RequestContext},
    telemetry::metrics::{Destination, ExporterMetrics},
};

/// The exporter on one core.
struct Nop {
    metrics: ExporterMetrics,
}

/// The exporter for one signal on one core.
///
/// # Errors
/// None.
pub fn build(
    id: &ComponentId,
    _: &config::Config,
    _: Signal,
    core: &CoreContext,
) -> Result<Rc<dyn Consumer>, String> {
    Ok(Rc::new(Nop {
        metrics: ExporterMetrics::new(
            &core.registry,
            core.core,
            &id.to_string(),
            &Destination::default(),
        ),
    }))
}

impl Consumer for Nop {
    fn consume<'a>(&'a self, batch: Batch, _: &'a RequestContext) -> ConsumeFuture<'a> {
        self.metrics.sent(batch.signal(), batch.item_count() as u64);
        Box::pin(std::future::ready(Outcome::Accepted))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::exporters::testing;

    #[test]
    fn everything_is_accepted_and_counted() {
        let core = testing::core();
        let nop = build(
            &testing::id("nop"),
            &config::Config::default(),
            Signal::Logs,
            &core,
        )
        .unwrap();
        let outcome = testing::run(async move {
            nop.consume(testing::logs(&[("a", 3)]), &testing::context())
                .await
        });
        assert_eq!(outcome, Outcome::Accepted);
        assert!(
            testing::scrape(&core)
                .contains("otelcol_exporter_sent_log_records_total{exporter=\"nop\"} 3")
        );
    }
}
