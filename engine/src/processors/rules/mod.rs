//! The processor `rules`: keeps, drops and changes what passes, as its rules say. How they run is
//! in `ottl::rules`; here is how what they drop leaves the request.

pub mod config;

use std::rc::Rc;

use trunkline_ottl::run::Selected;
use trunkline_proto::{Batch, Signal, batch::Level};

use self::config::Config;
use super::editing::{Editing, Left};
use crate::{
    component::{ConsumeFuture, Consumer, CoreContext, Refusal, RequestContext},
    config::Gates,
    ottl::{
        Refused,
        emptied::drop_emptied,
        rules::{self, drop_rows, item_level},
    },
    telemetry::{PipelineLedger, ProcessorMetrics, metrics::Statements},
};

/// Applies rules to the batches that pass.
pub struct Rules {
    rules: rules::Rules,
    item: Level,
    editing: Editing,
}

/// Builds the processor `rules` with the id `id` for a pipeline of `signal`.
///
/// # Errors
/// What is wrong with the rules for this signal.
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
    let rules = config.compile(signal, gates)?;
    let mode = config.lists.error_mode.mode();
    Ok(Rc::new(Rules {
        rules: rules::Rules::new(rules, mode, false, &component),
        item: item_level(signal),
        editing: Editing::new(
            ProcessorMetrics::new(&core.registry, core.core, id, signal),
            core,
            ledger,
            next,
        ),
    }))
}

impl Rules {
    fn apply(&self, batch: &mut Batch, context: &RequestContext) -> Result<Left, Refused> {
        // A processor routes nothing.
        let fates = self.rules.run(batch, context, &mut |_, _| Ok(()))?;
        if fates.dropped.is_empty() {
            return Ok(Left::Some);
        }
        let data = batch.open()?;
        drop_rows(data, &fates, self.item, false)?;
        drop_rows(data, &fates, self.item, true)?;
        drop_emptied(data, self.item)?;
        let left = match data.rows(Level::Resource)?.is_empty() {
            true => Left::Nothing,
            false => Left::Some,
        };
        // Last: a request that is refused is not dropped as well.
        self.rules
            .account(&fates, &Selected::default(), &self.editing.ledger);
        Ok(left)
    }
}

impl Consumer for Rules {
    fn consume<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        match self.rules.is_empty() {
            true => self.editing.untouched(batch, context),
            false => self.editing.pass_left(batch, context, |batch| {
                self.apply(batch, context).map_err(Refusal::from)
            }),
        }
    }
}
