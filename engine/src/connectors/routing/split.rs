//! A request taken apart along the table: what each route takes, in order, and what is left. What
//! goes to one destination is one request. Where only whole resources go somewhere nothing is
//! copied.

use std::sync::Arc;

use trunkline_ottl::{
    contexts::Context,
    run::{self, ErrorMode, Request, RowFailure, Selected, Verdict},
};
use trunkline_proto::{
    Batch, Signal,
    batch::{Data, Level},
};

use super::{
    super::parts::{Split, copy, keep},
    config::{Action, Question},
};
use crate::{
    component::RequestContext,
    net::admission::Budget,
    ottl::{Refused, Said, emptied::holders},
    telemetry::metrics::StatementMetrics,
};

/// A route of the table, compiled.
#[derive(Debug)]
pub struct Route {
    /// What it asks.
    pub question: Question,
    /// What becomes of what it took.
    pub action: Action,
    /// The number of its destination.
    pub destination: usize,
    /// What was said of failures of a statement.
    pub said: Said,
    /// The counters of a statement.
    pub metrics: Option<StatementMetrics>,
}

/// The table, compiled.
#[derive(Debug)]
pub struct Table {
    /// In order.
    pub routes: Vec<Route>,
    /// Where the rest goes.
    pub default: Option<usize>,
    /// Number of destinations.
    pub destinations: usize,
    /// What happens when a condition fails.
    pub mode: ErrorMode,
}

impl Table {
    /// Whether some route looks at the request.
    pub fn reads_request(&self) -> bool {
        self.routes.iter().any(|route| match &route.question {
            Question::Header(_) => false,
            Question::Condition(conditions) => conditions.reads_request(),
            Question::Statement(program) => program.reads_request(),
        })
    }

    /// Whether routes take whole resources or requests only, and change and copy nothing.
    fn moves_resources(&self) -> bool {
        self.routes.iter().all(|route| {
            let whole = matches!(route.question, Question::Header(_) | Question::Condition(_))
                && matches!(
                    route.question.context(),
                    None | Some(Context::OtelCol | Context::Resource)
                );
            whole && route.action == Action::Move
        })
    }

    /// Splits a request.
    ///
    /// # Errors
    /// It is not valid, or a condition failed and may not.
    pub fn split(
        &self,
        batch: Batch,
        request: &Request,
        context: &RequestContext,
        budget: &Arc<Budget>,
    ) -> Result<Split, Refused> {
        let charge = copy(&batch, budget)?;
        let mut split = match self.moves_resources() {
            true => self.by_resource(batch, request, context)?,
            false => self.by_row(batch, request, context, budget)?,
        };
        split.charges.push(charge);
        Ok(split)
    }

    /// Every resource has one destination, or none.
    fn by_resource(
        &self,
        mut batch: Batch,
        request: &Request,
        context: &RequestContext,
    ) -> Result<Split, Refused> {
        let data = batch.open()?;
        let rows = data.rows(Level::Resource)?;
        if rows.is_empty() {
            return Ok(Split::default());
        }
        let mut left = Selected::with_capacity(rows.len());
        rows.iter().for_each(|row| left.insert(*row));
        let mut groups = vec![self.default.map(|default| default as u32); rows.len()];
        for route in &self.routes {
            if left.is_empty() {
                break;
            }
            let verdict = self.ask(route, data, Some(&left), request, context)?;
            let whole = route.question.context() != Some(Context::Resource);
            for (row, group) in rows.iter().zip(&mut groups) {
                let asked = if whole { 0 } else { *row };
                if left.contains(*row) && verdict.selected.contains(asked) {
                    left.remove(*row);
                    *group = Some(route.destination as u32);
                }
            }
        }
        Ok(Split::resources(batch, &groups, self.destinations)?)
    }

    /// What a route says of a request.
    fn ask(
        &self,
        route: &Route,
        data: &mut Data,
        among: Option<&Selected>,
        request: &Request,
        context: &RequestContext,
    ) -> Result<Verdict, Refused> {
        let verdict = match &route.question {
            Question::Header(header) => {
                let headers = context.metadata.iter().flat_map(|all| all.iter());
                all_or_nothing(header.matches(headers))
            }
            Question::Condition(conditions) => conditions.ask(data, among, request)?,
            Question::Statement(program) => {
                let mut tell = |failure: RowFailure<'_>| tell(&route.said, &failure);
                run::matches(program, data, request, self.mode, &mut tell)?
            }
        };
        if let Some(metrics) = &route.metrics {
            metrics.add(&verdict.counts);
        }
        match verdict.stopped {
            Some(stopped) => Err(Refused::Stopped(stopped)),
            None => Ok(verdict),
        }
    }

    /// Routes take rows of any level: each has a copy of the request in which only its rows are.
    fn by_row(
        &self,
        mut rest: Batch,
        request: &Request,
        context: &RequestContext,
        budget: &Arc<Budget>,
    ) -> Result<Split, Refused> {
        let mut taken: Vec<(usize, Batch)> = Vec::new();
        let mut charges = Vec::new();
        for route in &self.routes {
            let data = rest.open()?;
            if data.rows(Level::Resource)?.is_empty() {
                break;
            }
            let verdict = self.ask(route, data, None, request, context)?;
            let selected = verdict.selected;
            if selected.is_empty() {
                continue;
            }
            let level = route.question.context().and_then(Context::level);
            let all = match level {
                None => true,
                Some(level) => data.rows(level)?.iter().all(|row| selected.contains(*row)),
            };
            // A metric without points is not taken with the points of others.
            if all && level != Some(Level::DataPoint) {
                match route.action {
                    Action::Copy => taken.push((route.destination, rest.clone())),
                    Action::Move => {
                        taken.push((route.destination, rest));
                        return Ok(Split::rows(taken, None, None, charges)?);
                    }
                }
                continue;
            }
            let Some(level) = level else { continue };
            charges.push(copy(&rest, budget)?);
            let mut part = rest.clone();
            keep(&mut part, level, |row| selected.contains(row))?;
            if level == Level::DataPoint {
                // Not even metrics of no type go with the points of others.
                let data = part.open()?;
                let held = holders(data, level)?;
                keep(&mut part, Level::Item, |row| held.contains(row))?;
            }
            taken.push((route.destination, part));
            if route.action == Action::Move {
                keep(&mut rest, level, |row| !selected.contains(row))?;
            }
        }
        Ok(Split::rows(taken, Some(rest), self.default, charges)?)
    }
}

/// A verdict on the request as a whole.
fn all_or_nothing(holds: bool) -> Verdict {
    let mut verdict = Verdict::default();
    if holds {
        verdict.selected.insert(0);
    }
    verdict
}

/// Logs that a statement failed, unless the same was logged a moment ago.
fn tell(said: &Said, failure: &RowFailure<'_>) {
    if let Some(held_back) = said.again() {
        tracing::warn!(
            statement = failure.source,
            error = %failure.cause,
            held_back,
            "failed to execute statement"
        );
    }
}

/// Whether rows of a context are to be found in requests of a signal.
pub fn fits(context: Context, signal: Signal) -> bool {
    match context {
        Context::Span => signal == Signal::Traces,
        Context::Metric | Context::DataPoint => signal == Signal::Metrics,
        Context::Log => signal == Signal::Logs,
        _ => true,
    }
}
