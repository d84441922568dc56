//! The processor `filter`: drops what conditions hold on. Which rows these are, `trunkline_ottl`
//! says (`plan`) or the older matching by properties (`matching`); here is how they leave the
//! request, and what becomes of failures and of requests of which nothing is left.

pub mod config;
mod matching;
mod plan;

use std::{future::ready, rc::Rc, sync::Arc};

use tonic::Code;
use trunkline_ottl::{
    failure::Failure,
    run::{Request, RowFailure, Selected, Stopped},
};
use trunkline_proto::{
    Batch, Signal,
    batch::{Data, Error, Level},
};

use self::{
    config::Config,
    plan::{Plan, Step},
};
use crate::{
    component::{ConsumeFuture, Consumer, CoreContext, Outcome, Refusal, RequestContext},
    config::Gates,
    net::admission::{Budget, ROW},
    ottl::{Said, emptied::drop_emptied, known},
    telemetry::{FilterMetrics, PipelineLedger},
};

/// Drops rows of the batches that pass.
pub struct Filter {
    plan: Plan,
    /// Some condition looks at the request.
    reads_request: bool,
    /// The reason in the ledger: the processor's id.
    id: String,
    metrics: FilterMetrics,
    ledger: Rc<PipelineLedger>,
    budget: Arc<Budget>,
    next: Rc<dyn Consumer>,
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
    let plan = config.plan(signal, gates)?;
    Ok(Rc::new(Filter {
        reads_request: plan.reads_request(),
        plan,
        id: id.to_owned(),
        metrics: FilterMetrics::new(&core.registry, core.core, id, signal),
        ledger: ledger.clone(),
        budget: core.budget.clone(),
        next,
    }))
}

/// What is left of a request.
enum Left {
    /// Something.
    Some,
    /// Nothing at all: it goes nowhere.
    Nothing,
}

/// Why a batch does not go on.
enum Refused {
    /// It is not valid.
    Invalid(Error),
    /// Conditions failed, and the error mode is `propagate`.
    Stopped(Stopped),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused::Invalid(error)
    }
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
            Step::Conditions {
                executor,
                mode,
                said,
            } => {
                let mut tell = |failure: RowFailure<'_>| tell(said, &failure);
                let mut executor = executor.borrow_mut();
                let verdict = executor.select(data, None, request, *mode, &mut tell);
                let verdict = verdict.map_err(|failure| match failure {
                    Failure::Batch(error) => Refused::Invalid(error),
                    cause => Refused::Stopped(Stopped {
                        source: String::new(),
                        condition: true,
                        row: 0,
                        cause,
                    }),
                })?;
                if stopped.is_none() {
                    *stopped = verdict.stopped;
                }
                Ok(verdict.selected)
            }
        }
    }
}

/// Logs that a condition failed, unless the same was logged a moment ago.
fn tell(said: &[Said], failure: &RowFailure<'_>) {
    let said = said.get(failure.statement.unwrap_or_default());
    let Some(held_back) = said.and_then(Said::again) else {
        return;
    };
    tracing::warn!(
        condition = failure.source,
        error = %failure.cause,
        held_back,
        "failed to eval condition"
    );
}

impl Consumer for Filter {
    fn consume<'a>(&'a self, mut batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        if self.plan.passes.is_empty() {
            let items = batch.item_count() as u64;
            self.metrics.processor().processed(items, items);
            return self.next.consume(batch, context);
        }
        let items = batch.item_count() as u64;
        let metrics = self.metrics.processor();
        // Taking a request apart takes memory of its own: charged before it is taken.
        let Some(charge) = self.budget.charge(batch.item_count().saturating_mul(ROW)) else {
            metrics.processed(items, 0);
            self.ledger.refused(items);
            return Box::pin(ready(Outcome::Refused(Refusal::no_room())));
        };
        let applied = metrics.timed(|| self.apply(&mut batch, context));
        let left = match applied {
            Ok(Left::Nothing) => 0,
            _ => batch.item_count() as u64,
        };
        self.metrics.filtered(items.saturating_sub(left));
        let refusal = match applied {
            Ok(fate) => {
                metrics.processed(items, left);
                if items > left {
                    self.ledger.dropped(&self.id, items - left);
                }
                return match fate {
                    Left::Nothing => Box::pin(ready(Outcome::Accepted)),
                    Left::Some => {
                        let next = self.next.consume(batch, context);
                        Box::pin(async move {
                            let outcome = next.await;
                            drop(charge);
                            outcome
                        })
                    }
                };
            }
            Err(Refused::Invalid(error)) => {
                Refusal::permanent(Code::InvalidArgument, error.to_string())
            }
            // An error that is not marked permanent: the Collector lets callers try again.
            Err(Refused::Stopped(stopped)) => Refusal::retry(stopped.to_string(), None),
        };
        metrics.processed(items, 0);
        self.ledger.refused(items);
        Box::pin(ready(Outcome::Refused(refusal)))
    }
}
