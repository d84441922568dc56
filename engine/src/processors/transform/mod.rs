//! The processor `transform`: runs OTTL statements on the batches that pass. What statements
//! mean and do is `trunkline_ottl`'s; here is when they run, what becomes of failures, and what
//! of the request they may see.

pub mod config;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use trunkline_ottl::{
    Program,
    columns::Executor,
    run::{Counts, ErrorMode, Request, RowFailure},
};
use trunkline_proto::{Batch, Signal};

use self::config::Config;
use super::editing::Editing;
use crate::{
    component::{ConsumeFuture, Consumer, CoreContext, RequestContext},
    config::Gates,
    ottl::{self, Kind, Refused, Warnings, known, warn_of_experimental},
    telemetry::{
        PipelineLedger, ProcessorMetrics,
        metrics::{StatementMetrics, Statements},
    },
};

/// Runs statements on the batches that pass.
pub struct Transform {
    groups: Vec<Group>,
    /// Some statement looks at the request.
    reads_request: bool,
    editing: Editing,
}

/// A compiled group.
struct Group {
    /// Borrowed only while the group runs, in which nothing else of the core does.
    executor: RefCell<Executor>,
    context: &'static str,
    mode: ErrorMode,
    shared_cache: bool,
    /// Of failures: those of its conditions, then those of its statements.
    warnings: Warnings,
    metrics: StatementMetrics,
}

/// Builds the processor `transform` with the id `id` for a pipeline of `signal`.
///
/// # Errors
/// What is wrong with the statements for this signal.
pub fn build(
    config: &Config,
    id: &str,
    signal: Signal,
    gates: &Gates,
    core: &CoreContext,
    ledger: &Rc<PipelineLedger>,
    next: Rc<dyn Consumer>,
) -> Result<Rc<dyn Consumer>, String> {
    let compiled = config
        .compile(signal, gates)
        .map_err(|faults| ottl::joined(faults, "\n"))?;
    let reads_request = compiled.iter().any(|group| group.program.reads_request());
    let component = Statements::new(core, "processor", id, signal);
    let groups = compiled.into_iter().map(|compiled| {
        warn_of_experimental(&component, [&compiled.program]);
        let context = compiled.program.context.name();
        let statements = compiled.program.statements.iter();
        let metrics = component.of(context, statements.map(|statement| &*statement.source));
        let conditions = compiled.program.conditions.iter().map(|_| Kind::Condition);
        let statements = compiled.program.statements.iter().map(|_| Kind::Statement);
        let warnings = Warnings::new(conditions.chain(statements));
        let mut executor = Executor::new(Arc::new(compiled.program));
        executor.take_time(component.timed());
        Group {
            context,
            warnings,
            metrics,
            mode: compiled.mode,
            shared_cache: compiled.shared_cache,
            executor: RefCell::new(executor),
        }
    });
    Ok(Rc::new(Transform {
        groups: groups.collect(),
        reads_request,
        editing: Editing::new(
            ProcessorMetrics::new(&core.registry, core.core, id, signal),
            core,
            ledger,
            next,
        ),
    }))
}

impl Transform {
    fn apply(&self, batch: &mut Batch, context: &RequestContext) -> Result<(), Refused> {
        let data = batch.open()?;
        let request = match self.reads_request {
            true => known(context),
            false => Request::default(),
        };
        let mut caches: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        let mut counts: Vec<Counts> = Vec::new();
        for group in &self.groups {
            let shared = match group.shared_cache {
                true => Some(caches.entry(group.context).or_default()),
                false => None,
            };
            counts.clear();
            let mut executor = group.executor.borrow_mut();
            let program = executor.program().clone();
            let mut tell = |failure: RowFailure<'_>| group.tell(&program, &failure);
            let ran = executor.run(data, &request, group.mode, shared, &mut counts, &mut tell);
            drop(executor);
            group.metrics.add(&counts);
            group.warnings.settle();
            ran?;
        }
        Ok(())
    }
}

impl Group {
    /// Logs a failure, unless one of the same statement was logged a moment ago.
    fn tell(&self, program: &Program, failure: &RowFailure<'_>) {
        let conditions = &program.conditions;
        let at = match failure.statement {
            Some(at) => conditions.len() + at,
            None => {
                let mut all = conditions.iter();
                // The same text may stand there twice.
                let at = all.position(|of| std::ptr::eq(&*of.source, failure.source));
                at.unwrap_or_default()
            }
        };
        self.warnings.tell(at, failure.source, failure.cause);
    }
}

impl Consumer for Transform {
    fn consume<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        match self.groups.is_empty() {
            true => self.editing.untouched(batch, context),
            false => self.editing.pass(batch, context, |batch| {
                self.apply(batch, context).map_err(Into::into)
            }),
        }
    }
}
