//! The processor `memory_limiter`: its limits are the budget that requests are
//! admitted by; beyond it they are refused, to be retried.
//!
//! Refusing happens where a request's length is known and before it is read
//! (`net::admission`). What is left for the processor is to set the limit, to
//! refuse what came in under a larger one, to count, and to say in the log when
//! memory gets short and when it is back.

pub mod config;
#[cfg(test)]
mod tests;

use std::{future::ready, rc::Rc, sync::Arc, time::Duration};

use trunkline_proto::{Batch, Signal};

use self::config::Config;
use crate::{
    component::{ConsumeFuture, Consumer, CoreContext, Outcome, Refusal, RequestContext},
    net::{admission::Budget, drain::Drain},
    runtime::{self, limits},
    telemetry::{MemoryLimiterMetrics, PipelineLedger},
};

/// Lets requests pass while the budget holds.
struct MemoryLimiter {
    budget: Arc<Budget>,
    metrics: MemoryLimiterMetrics,
    ledger: Rc<PipelineLedger>,
    next: Rc<dyn Consumer>,
}

/// Bytes that requests may hold, of all cores together: the Collector's soft limit, above which
/// it refuses. The hard one less the spike; in per cent of `total` bytes of memory where no MiB
/// are given, and a spike of 20 % of the limit where none is given (collector.md §2.8).
pub fn budget_bytes(config: &Config, total: u64) -> u64 {
    const MIB: u64 = 1 << 20;
    let share = |percentage: u32| {
        u64::try_from(u128::from(total) * u128::from(percentage) / 100).unwrap_or(u64::MAX)
    };
    let (limit, spike) = if config.limit_mib != 0 {
        (
            u64::from(config.limit_mib) * MIB,
            u64::from(config.spike_limit_mib) * MIB,
        )
    } else {
        (
            share(config.limit_percentage),
            share(config.spike_limit_percentage),
        )
    };
    let spike = if spike == 0 { limit / 5 } else { spike };
    limit.saturating_sub(spike)
}

/// Builds the processor `memory_limiter` with the id `id` for a pipeline of `signal`, and gives
/// the core its part of the limit.
pub fn build(
    config: &Config,
    id: &str,
    signal: Signal,
    core: &CoreContext,
    ledger: &Rc<PipelineLedger>,
    next: Rc<dyn Consumer>,
) -> Rc<dyn Consumer> {
    let bytes = budget_bytes(config, limits::memory()) / core.cores.max(1) as u64;
    if core
        .budget
        .configure(usize::try_from(bytes).unwrap_or(usize::MAX))
    {
        runtime::spawn(watch(
            core.budget.clone(),
            core.drain.clone(),
            config.check_interval.get(),
            id.to_owned(),
            core.core,
        ));
    }
    Rc::new(MemoryLimiter {
        budget: core.budget.clone(),
        metrics: MemoryLimiterMetrics::new(&core.registry, core.core, id, signal),
        ledger: ledger.clone(),
        next,
    })
}

impl Consumer for MemoryLimiter {
    fn consume<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        let items = batch.item_count() as u64;
        if self.budget.exceeded() {
            self.metrics.refused(items);
            self.ledger.refused(items);
            let refusal = Refusal::no_room();
            return Box::pin(ready(Outcome::Refused(refusal)));
        }
        self.metrics.accepted(items);
        self.next.consume(batch, context)
    }
}

/// Says when memory gets short on a core, and when it is back; looks at every `interval`.
async fn watch(budget: Arc<Budget>, drain: Drain, interval: Duration, id: String, core: usize) {
    let word = drain.watch();
    let mut state = State {
        refused: budget.refused(),
        short: false,
    };
    loop {
        let stop = async {
            word.begun().await;
            true
        };
        let tick = async {
            runtime::sleep(interval).await;
            false
        };
        if futures_lite::future::or(stop, tick).await {
            return;
        }
        let refused = state.refused;
        let change = state.look(budget.refused(), budget.exceeded());
        let (used, limit) = (budget.used() >> 20, budget.limit() >> 20);
        match change {
            None => {}
            Some(Change::Short) => tracing::warn!(
                otelcol.component.id = %id,
                otelcol.component.kind = "processor",
                core,
                cur_mem_mib = used,
                limit_mib = limit,
                refused_requests = budget.refused() - refused,
                "Memory usage is above soft limit. Refusing data."
            ),
            Some(Change::Back) => tracing::info!(
                otelcol.component.id = %id,
                otelcol.component.kind = "processor",
                core,
                cur_mem_mib = used,
                limit_mib = limit,
                "Memory usage back within limits. Resuming normal operation."
            ),
        }
    }
}

/// What was seen at the last look.
struct State {
    refused: u64,
    short: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Short,
    Back,
}

impl State {
    /// Memory is short while requests are refused for it.
    fn look(&mut self, refused: u64, exceeded: bool) -> Option<Change> {
        let short = exceeded || refused != self.refused;
        self.refused = refused;
        let before = std::mem::replace(&mut self.short, short);
        match (before, short) {
            (false, true) => Some(Change::Short),
            (true, false) => Some(Change::Back),
            _ => None,
        }
    }
}
