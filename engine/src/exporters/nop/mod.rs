//! The exporter `nop`: accepts everything and sends it nowhere. Like the Collector's
//! it has no metrics of its own; the ledger counts what it took.

pub mod config;

use std::rc::Rc;

use trunkline_proto::{Batch, Signal};

use crate::component::{
    ComponentId, ConsumeFuture, Consumer, CoreContext, Outcome, RequestContext,
};

/// The exporter on one core.
struct Nop;

/// The exporter for one signal on one core.
///
/// # Errors
/// None.
pub fn build(
    _: &ComponentId,
    _: &config::Config,
    _: Signal,
    _: &CoreContext,
) -> Result<Rc<dyn Consumer>, String> {
    Ok(Rc::new(Nop))
}

impl Consumer for Nop {
    fn consume<'a>(&'a self, _: Batch, _: &'a RequestContext) -> ConsumeFuture<'a> {
        Box::pin(std::future::ready(Outcome::Accepted))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::exporters::testing;

    #[test]
    fn everything_is_accepted_and_shown_in_no_metric() {
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
        assert!(!testing::scrape(&core).contains("exporter"));
    }
}
