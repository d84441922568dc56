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

use std::rc::Rc;

use tonic::Code;
use trunkline_proto::{
    Batch, Signal,
    batch::{Error, Level},
};

use self::{actions::Actions, config::Config, matching::Filter};
use super::editing::Editing;
use crate::{
    component::{ConsumeFuture, Consumer, CoreContext, Refusal, RequestContext},
    telemetry::{PipelineLedger, ProcessorMetrics},
};

/// Applies actions to the batches that pass.
pub struct Attributes {
    actions: Actions,
    level: Level,
    /// `None`: all rows.
    filter: Option<Filter>,
    editing: Editing,
}

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
        editing: Editing::new(metrics, core, ledger, next),
    }))
}

impl Attributes {
    /// The same actions on the attributes of resources.
    pub(super) fn of_resources(actions: Actions, editing: Editing) -> Attributes {
        Attributes {
            actions,
            level: Level::Resource,
            filter: None,
            editing,
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
    fn consume<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        self.editing.pass(batch, context, |batch| {
            let applied = self.apply(batch, context);
            applied.map_err(|error| Refusal::permanent(Code::InvalidArgument, error.to_string()))
        })
    }
}
