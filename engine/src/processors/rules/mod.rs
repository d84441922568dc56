//! The processor `rules`: keeps, drops and changes what passes, as its rules say. What rules mean
//! and decide is `trunkline_ottl`'s; here is how what they drop leaves the request, under which
//! name it is counted, and what becomes of failures.

pub mod config;

use std::{cell::RefCell, rc::Rc};

use tonic::Code;
use trunkline_ottl::{
    rules::{Decision, Rule, Runner},
    run::{Counts, ErrorMode, Request, RowFailure},
};
use trunkline_proto::{
    Batch, Signal,
    batch::{Error, Level},
};

use self::config::Config;
use super::editing::{Editing, Left};
use crate::{
    component::{ConsumeFuture, Consumer, CoreContext, Refusal, RequestContext},
    config::Gates,
    ottl::{Said, emptied::drop_emptied, known},
    telemetry::{PipelineLedger, ProcessorMetrics},
};

/// Applies rules to the batches that pass.
pub struct Rules {
    /// Borrowed only while the rules run, in which nothing else of the core does.
    running: RefCell<Running>,
    /// Of each rule: what its drops are counted under, and what was said of its failures.
    told: Vec<(String, Said)>,
    mode: ErrorMode,
    signal: Signal,
    /// Some rule looks at the request.
    reads_request: bool,
    editing: Editing,
}

struct Running {
    runner: Runner,
    counts: Vec<Counts>,
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
    let rules = config.compile(signal, gates)?;
    let told = rules.iter().map(|rule| (reason(id, rule), Said::default()));
    Ok(Rc::new(Rules {
        told: told.collect(),
        mode: config.error_mode.mode(),
        signal,
        reads_request: rules.iter().any(|rule| rule.program.reads_request()),
        running: RefCell::new(Running {
            runner: Runner::new(signal, rules),
            counts: Vec::new(),
        }),
        editing: Editing::new(
            ProcessorMetrics::new(&core.registry, core.core, id, signal),
            core,
            ledger,
            next,
        ),
    }))
}

/// What a rule's drops are counted under: the processor, and the reason given or the rule's name.
fn reason(id: &str, rule: &Rule) -> String {
    let what = match &rule.decision {
        Some(Decision::Drop(Some(reason))) => reason,
        _ => &rule.name,
    };
    format!("{id}: {what}")
}

impl Rules {
    fn apply(&self, batch: &mut Batch, context: &RequestContext) -> Result<Left, Refusal> {
        if self.told.is_empty() {
            return Ok(Left::Some);
        }
        let invalid = |error: Error| Refusal::permanent(Code::InvalidArgument, error.to_string());
        let data = batch.open().map_err(invalid)?;
        let request = match self.reads_request {
            true => known(context),
            false => Request::default(),
        };
        let Running { runner, counts } = &mut *self.running.borrow_mut();
        let mut tell = |failure: RowFailure<'_>| self.tell(&failure);
        // An error that is not marked permanent: the Collector lets callers try again.
        let fates = runner
            .run(data, &request, self.mode, counts, &mut tell)
            .map_err(|stopped| Refusal::retry(stopped.to_string(), None))?;
        if fates.dropped.is_empty() {
            return Ok(Left::Some);
        }
        let item = match self.signal {
            Signal::Metrics => Level::DataPoint,
            _ => Level::Item,
        };
        for (_, level, rows) in &fates.dropped {
            data.retain_rows(*level, |row| !rows.contains(row))
                .map_err(invalid)?;
        }
        drop_emptied(data, item).map_err(invalid)?;
        let left = match data.rows(Level::Resource).map_err(invalid)?.is_empty() {
            true => Left::Nothing,
            false => Left::Some,
        };
        // Last: a request that is refused is not dropped as well.
        for (at, level, rows) in &fates.dropped {
            if let (true, Some((reason, _))) = (*level == item, self.told.get(*at)) {
                self.editing.ledger.dropped(reason, rows.len() as u64);
            }
        }
        Ok(left)
    }

    /// Logs that a rule failed, unless the same was logged a moment ago.
    fn tell(&self, failure: &RowFailure<'_>) {
        let told = self.told.get(failure.statement.unwrap_or_default());
        let Some(held_back) = told.and_then(|(_, said)| said.again()) else {
            return;
        };
        tracing::warn!(
            rule = failure.source,
            error = %failure.cause,
            held_back,
            "failed to apply rule"
        );
    }
}

impl Consumer for Rules {
    fn consume<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        self.editing
            .pass_left(batch, context, |batch| self.apply(batch, context))
    }
}
