//! What the processor and the connector `rules` have in common: their keys (`config`), how rules
//! run on the requests of a core, under which names drops are counted, and what becomes of
//! failures. What rules mean and decide is `trunkline_ottl`'s, where items go the connector's.

pub mod config;

use std::cell::RefCell;

use trunkline_ottl::{
    rules::{Decision, Fates, Progress, Rule, Runner},
    run::{ErrorMode, Request, RowFailure, Selected},
};
use trunkline_proto::{
    Batch, Signal,
    batch::{Data, Error, Level},
};

use super::{Kind, Refused, Warnings, emptied::retain, known, warn_of_experimental};
use crate::{
    component::RequestContext,
    telemetry::{
        PipelineLedger,
        metrics::{RuleFailures, StatementMetrics, Statements},
    },
};

/// The rules of a component for one signal, on one core.
pub struct Rules {
    /// Borrowed only while the rules run, in which nothing else of the core does.
    runner: RefCell<Runner>,
    /// Of each rule, what its drops are counted under.
    reasons: Vec<String>,
    /// Of failures, by rule.
    warnings: Warnings,
    mode: ErrorMode,
    signal: Signal,
    /// Some rule looks at the request.
    reads_request: bool,
    metrics: StatementMetrics,
    failures: RuleFailures,
}

/// The level of the items of a signal: what is kept, dropped and routed.
pub fn item_level(signal: Signal) -> Level {
    match signal {
        Signal::Metrics => Level::DataPoint,
        Signal::Profiles => Level::Sample,
        _ => Level::Item,
    }
}

/// What a rule's drops are counted under: the component, and the reason given or the rule's name.
fn reason(id: &str, rule: &Rule) -> String {
    let what = match &rule.decision {
        Some(Decision::Drop(Some(reason))) => reason,
        _ => &rule.name,
    };
    format!("{id}: {what}")
}

impl Rules {
    /// Of a component. `all_routes`: an item that one rule has routed is there for those after
    /// it, too.
    pub fn new(
        rules: Vec<Rule>,
        mode: ErrorMode,
        all_routes: bool,
        component: &Statements<'_>,
    ) -> Rules {
        warn_of_experimental(component, rules.iter().map(|rule| &*rule.program));
        let reasons = rules.iter();
        let reasons = reasons.map(|rule| reason(component.component(), rule));
        let names = rules.iter().map(|rule| rule.name.to_string());
        let named = rules
            .iter()
            .map(|rule| (rule.program.context.name(), &*rule.name, &*rule.source));
        let reasons = reasons.collect();
        let warnings = Warnings::new(rules.iter().map(|_| Kind::Rule));
        let (metrics, failures) = (
            component.named(named),
            RuleFailures::new(component, names.collect()),
        );
        let reads_request = rules.iter().any(|rule| rule.program.reads_request());
        let mut runner = Runner::new(component.signal(), rules, all_routes);
        runner.take_time(component.timed());
        Rules {
            runner: RefCell::new(runner),
            reasons,
            warnings,
            mode,
            signal: component.signal(),
            reads_request,
            metrics,
            failures,
        }
    }

    /// No rule is about the signal.
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Runs the rules on a request; nothing is dropped yet. `routed` is called where items were
    /// routed that later rules can still change, and takes the routes that it does something about.
    ///
    /// # Errors
    /// The request is not valid, or a rule failed and may not.
    pub fn run(
        &self,
        batch: &mut Batch,
        context: &RequestContext,
        routed: &mut dyn FnMut(&Batch, &mut Fates) -> Result<(), Refused>,
    ) -> Result<Fates, Refused> {
        let fates = self.run_all(batch, context, routed);
        self.warnings.settle();
        fates
    }

    fn run_all(
        &self,
        batch: &mut Batch,
        context: &RequestContext,
        routed: &mut dyn FnMut(&Batch, &mut Fates) -> Result<(), Refused>,
    ) -> Result<Fates, Refused> {
        let request = match self.reads_request {
            true => known(context),
            false => Request::default(),
        };
        let mut runner = self.runner.borrow_mut();
        let mut progress = Progress::default();
        let mut tell = |failure: RowFailure<'_>| self.tell(&failure);
        // Failures are counted by cause, which silent ones are not told for.
        let mode = match self.mode {
            ErrorMode::Silent => ErrorMode::Ignore,
            mode => mode,
        };
        loop {
            let data = batch.open()?;
            let done = runner.advance(&mut progress, data, &request, mode, &mut tell);
            match done {
                Ok(true) => break,
                Ok(false) => routed(batch, &mut progress.fates)?,
                Err(stopped) => {
                    self.metrics.add(&progress.counts);
                    let at = progress.counts.len().saturating_sub(1);
                    if !stopped.source.is_empty() {
                        self.failures.failed(at, &stopped.cause);
                    }
                    return Err(stopped.into());
                }
            }
        }
        self.metrics.add(&progress.counts);
        Ok(progress.fates)
    }

    /// Counts the items that rules dropped, but those `besides`, which went somewhere before; says
    /// how many these were.
    pub fn account(&self, fates: &Fates, besides: &Selected, ledger: &PipelineLedger) -> u64 {
        let mut all = 0;
        for (at, level, rows) in &fates.dropped {
            if let (true, Some(reason)) = (*level == item_level(self.signal), self.reasons.get(*at))
            {
                let mut rows = rows.clone();
                rows.remove_all(besides);
                if !rows.is_empty() {
                    ledger.dropped(reason, rows.len() as u64);
                }
                all += rows.len() as u64;
            }
        }
        all
    }

    /// Counts that a rule failed and logs it, unless the same was logged a moment ago.
    fn tell(&self, failure: &RowFailure<'_>) {
        let at = failure.statement.unwrap_or_default();
        self.failures.failed(at, failure.cause);
        if self.mode == ErrorMode::Silent {
            return;
        }
        self.warnings.tell(at, failure.source, failure.cause);
    }
}

/// Drops the rows of one kind that rules dropped: items, or what is no item (events, metrics
/// without points).
///
/// # Errors
/// [`Error::Decode`] when the request is not valid.
pub fn drop_rows(data: &mut Data, fates: &Fates, item: Level, items: bool) -> Result<(), Error> {
    for (_, level, rows) in &fates.dropped {
        if (*level == item) == items {
            retain(data, *level, |row| !rows.contains(row))?;
        }
    }
    Ok(())
}
