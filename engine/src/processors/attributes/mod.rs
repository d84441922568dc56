//! The processor `attributes`: inserts, updates, deletes, hashes, extracts and
//! converts attributes of spans, log records and data points.
//!
//! [`Attributes`] is the consumer, for the processor `resource` too; what it does
//! to a batch is in [`actions`], which rows it does it to in [`matching`]. Data is
//! reached through `Batch` only.

pub mod actions;
pub mod config;
pub mod matching;
mod raw;

use std::{future::ready, rc::Rc, sync::Arc};

use tonic::Code;
use trunkline_proto::{
    Batch, Signal,
    batch::{Error, Level},
};

use self::{actions::Actions, config::Config, matching::Filter};
use crate::{
    component::{ConsumeFuture, Consumer, CoreContext, Outcome, Refusal, RequestContext},
    net::admission::Budget,
    telemetry::{PipelineLedger, ProcessorMetrics},
};

/// Applies actions to the batches that pass.
pub struct Attributes {
    actions: Actions,
    level: Level,
    /// `None`: all rows.
    filter: Option<Filter>,
    metrics: ProcessorMetrics,
    ledger: Rc<PipelineLedger>,
    budget: Arc<Budget>,
    next: Rc<dyn Consumer>,
}

/// Bytes that a row of a request taken apart needs beside its payload, at most: places, pieces and
/// edits.
const ROW: usize = 160;

/// Builds the processor `attributes` with the id `id` for a pipeline of `signal`.
///
/// # Errors
/// The Collector's texts, as it puts them behind `failed to create "…" processor`.
pub fn build(
    config: &Config,
    id: &str,
    signal: Signal,
    core: &CoreContext,
    ledger: &Rc<PipelineLedger>,
    next: Rc<dyn Consumer>,
) -> Result<Rc<dyn Consumer>, String> {
    let level = match signal {
        Signal::Traces | Signal::Logs => Level::Item,
        Signal::Metrics => Level::DataPoint,
        Signal::Profiles => return Err("telemetry type is not supported".to_owned()),
    };
    let actions = Actions::compile(&config.actions)?;
    let filter = Filter::compile(signal, config.include.as_ref(), config.exclude.as_ref())?;
    let metrics = ProcessorMetrics::new(&core.registry, core.core, id, signal);
    Ok(Rc::new(Attributes {
        actions,
        level,
        filter: Some(filter),
        metrics,
        ledger: ledger.clone(),
        budget: core.budget.clone(),
        next,
    }))
}

impl Attributes {
    /// The same actions on the attributes of resources.
    pub(super) fn of_resources(
        actions: Actions,
        metrics: ProcessorMetrics,
        ledger: Rc<PipelineLedger>,
        budget: Arc<Budget>,
        next: Rc<dyn Consumer>,
    ) -> Attributes {
        Attributes {
            actions,
            level: Level::Resource,
            filter: None,
            metrics,
            ledger,
            budget,
            next,
        }
    }

    fn apply(&self, batch: &mut Batch, context: &RequestContext) -> Result<(), Error> {
        let data = batch.open()?;
        let rows = match &self.filter {
            Some(filter) => filter.rows(data)?,
            None => actions::Rows::All,
        };
        self.actions.apply(data, self.level, &rows, context)
    }
}

impl Consumer for Attributes {
    fn consume<'a>(&'a self, mut batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        // The work needs no waiting, so it is done at once and the next one's future is ours.
        let items = batch.item_count() as u64;
        // Taking a request apart takes memory of its own: charged before it is taken.
        let Some(charge) = self.budget.charge(batch.item_count().saturating_mul(ROW)) else {
            self.metrics.processed(items, 0);
            self.ledger.refused(items);
            return Box::pin(ready(Outcome::Refused(Refusal::no_room())));
        };
        match self.metrics.timed(|| self.apply(&mut batch, context)) {
            Ok(()) => {
                self.metrics.processed(items, items);
                let next = self.next.consume(batch, context);
                Box::pin(async move {
                    let outcome = next.await;
                    drop(charge);
                    outcome
                })
            }
            Err(error) => {
                self.metrics.processed(items, 0);
                self.ledger.refused(items);
                let refusal = Refusal::permanent(Code::InvalidArgument, error.to_string());
                Box::pin(ready(Outcome::Refused(refusal)))
            }
        }
    }
}
