//! What processors that edit requests have in common: taking a request apart is charged to the
//! core's budget, what they do is timed and counted, and what they refuse is accounted for.

use std::{future::ready, rc::Rc, sync::Arc};

use trunkline_proto::Batch;

use crate::{
    component::{ConsumeFuture, Consumer, CoreContext, Outcome, Refusal, RequestContext},
    net::admission::{Budget, ROW},
    telemetry::{PipelineLedger, ProcessorMetrics},
};

/// The place of a processor in a pipeline.
pub(super) struct Editing {
    pub metrics: ProcessorMetrics,
    pub ledger: Rc<PipelineLedger>,
    pub budget: Arc<Budget>,
    pub next: Rc<dyn Consumer>,
}

/// What is left of a request.
pub(super) enum Left {
    /// Something.
    Some,
    /// Nothing at all: it goes nowhere.
    Nothing,
}

impl Editing {
    pub fn new(
        metrics: ProcessorMetrics,
        core: &CoreContext,
        ledger: &Rc<PipelineLedger>,
        next: Rc<dyn Consumer>,
    ) -> Editing {
        Editing {
            metrics,
            ledger: ledger.clone(),
            budget: core.budget.clone(),
            next,
        }
    }

    /// Passes a request on in which there is nothing to do.
    pub fn untouched<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        let items = batch.item_count() as u64;
        self.metrics.processed(items, items);
        self.next.consume(batch, context)
    }

    /// Has `edit` change a request, and passes it on. The work needs no waiting, so it is done at
    /// once and the next one's future is ours.
    pub fn pass<'a>(
        &'a self,
        batch: Batch,
        context: &'a RequestContext,
        edit: impl FnOnce(&mut Batch) -> Result<(), Refusal>,
    ) -> ConsumeFuture<'a> {
        self.pass_left(batch, context, |batch| edit(batch).map(|()| Left::Some))
    }

    /// Like [`pass`](Editing::pass), where `edit` also drops: what it drops, it accounts for.
    pub fn pass_left<'a>(
        &'a self,
        mut batch: Batch,
        context: &'a RequestContext,
        edit: impl FnOnce(&mut Batch) -> Result<Left, Refusal>,
    ) -> ConsumeFuture<'a> {
        let items = batch.item_count() as u64;
        // Taking a request apart takes memory of its own: charged before it is taken.
        let charge = self.budget.charge(batch.item_count().saturating_mul(ROW));
        let edited = match &charge {
            Some(_) => self.metrics.timed(|| edit(&mut batch)),
            None => Err(Refusal::no_room()),
        };
        match edited {
            Ok(Left::Some) => {}
            Ok(Left::Nothing) => {
                self.metrics.processed(items, 0);
                return Box::pin(ready(Outcome::Accepted));
            }
            Err(refusal) => {
                self.metrics.processed(items, 0);
                self.ledger.refused(items);
                return Box::pin(ready(Outcome::Refused(refusal)));
            }
        }
        self.metrics.processed(items, batch.item_count() as u64);
        let next = self.next.consume(batch, context);
        Box::pin(async move {
            let outcome = next.await;
            drop(charge);
            outcome
        })
    }
}
