//! The processor `filter`: drops what conditions hold on. Which rows these are, `trunkline_ottl`
//! says (`plan`) or the older matching by properties (`matching`); here is how they leave the
//! request, and what becomes of failures and of requests of which nothing is left.

pub mod config;
mod matching;
mod plan;

use std::rc::Rc;

use trunkline_ottl::run::{Request, Selected, Stopped};
use trunkline_proto::{
    Batch, Signal,
    batch::{Data, Level},
};

use self::{
    config::Config,
    plan::{Plan, Step},
};
use super::editing::{Editing, Left};
use crate::{
    component::{ConsumeFuture, Consumer, CoreContext, Refusal, RequestContext},
    config::Gates,
    ottl::{Refused, emptied::drop_emptied, known},
    telemetry::{FilterMetrics, PipelineLedger, ProcessorMetrics, metrics::Statements},
};

/// Drops rows of the batches that pass.
pub struct Filter {
    plan: Plan,
    /// Some condition looks at the request.
    reads_request: bool,
    /// The reason in the ledger: the processor's id.
    id: String,
    metrics: FilterMetrics,
    editing: Editing,
}

/// Builds the processor `filter` with the id `id` for a pipeline of `signal`.
///
/// # Errors
/// What is wrong with the conditions for this signal.
pub fn build(
    config: &Config,
    id: &str,
    signal: Signal,
    gates: &Gates,
    core: &CoreContext,
    ledger: &Rc<PipelineLedger>,
    next: Rc<dyn Consumer>,
) -> Result<Rc<dyn Consumer>, String> {
    let component = Statements::new(core, "processor", id, signal);
    let plan = config.plan(signal, gates)?.counted(&component);
    Ok(Rc::new(Filter {
        reads_request: plan.reads_request(),
        plan,
        id: id.to_owned(),
        metrics: FilterMetrics::new(&core.registry, core.core, id, signal),
        editing: Editing::new(
            ProcessorMetrics::new(&core.registry, core.core, id, signal),
            core,
            ledger,
            next,
        ),
    }))
}

impl Filter {
    fn apply(&self, batch: &mut Batch, context: &RequestContext) -> Result<Left, Refused> {
        let data = batch.open()?;
        let request = match self.reads_request {
            true => known(context),
            false => Request::default(),
        };
        let mut stopped = None;
        for pass in &self.plan.passes {
            for step in &pass.steps {
                let drops = self.ask(step, data, &request, &mut stopped)?;
                if !drops.is_empty() {
                    data.retain_rows(step.level(), |row| !drops.contains(row))?;
                }
            }
            drop_emptied(data, pass.deepest)?;
        }
        if data.rows(Level::Resource)?.is_empty() {
            return Ok(Left::Nothing);
        }
        // The other rows were filtered all the same: of a request that is gone nothing can fail.
        stopped.map_or(Ok(Left::Some), |stopped| Err(Refused::Stopped(stopped)))
    }

    /// Drops from a request, and counts what was dropped: in the metrics also where the request
    /// is refused, as in the Collector.
    fn filter(&self, batch: &mut Batch, context: &RequestContext) -> Result<Left, Refusal> {
        let items = batch.item_count() as u64;
        let applied = self.apply(batch, context);
        let left = match applied {
            Ok(Left::Nothing) => 0,
            _ => batch.item_count() as u64,
        };
        let dropped = items.saturating_sub(left);
        self.metrics.filtered(dropped);
        let left = applied?;
        if dropped > 0 {
            self.editing.ledger.dropped(&self.id, dropped);
        }
        Ok(left)
    }

    /// The rows that a step drops.
    fn ask(
        &self,
        step: &Step,
        data: &mut Data,
        request: &Request,
        stopped: &mut Option<Stopped>,
    ) -> Result<Selected, Refused> {
        match step {
            Step::Matching(matching) => Ok(matching.drops(data)?),
            Step::Conditions(conditions) => {
                let verdict = conditions.ask(data, None, request)?;
                if stopped.is_none() {
                    *stopped = verdict.stopped;
                }
                Ok(verdict.selected)
            }
        }
    }
}

impl Consumer for Filter {
    fn consume<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        match self.plan.passes.is_empty() {
            true => self.editing.untouched(batch, context),
            false => self
                .editing
                .pass_left(batch, context, |batch| self.filter(batch, context)),
        }
    }
}
