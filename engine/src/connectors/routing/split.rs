//! A request taken apart along the table: what each route takes, in order, and what is left. What
//! goes to one destination is one request. Where only whole resources go somewhere nothing is
//! copied.

use std::sync::Arc;

use trunkline_ottl::{
    contexts::Context,
    failure::Failure,
    run::{self, ErrorMode, Request, RowFailure, Selected, Stopped, Verdict},
};
use trunkline_proto::{
    Batch, Signal,
    batch::{Error, Level},
};

use super::config::{Action, Question};
use crate::{
    component::RequestContext,
    net::admission::{Budget, Charge, ROW},
    ottl::{
        Said,
        emptied::{drop_emptied, holders},
    },
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
    /// What was said of failures.
    pub said: Said,
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

/// A request, split.
#[derive(Debug, Default)]
pub struct Split {
    /// Destinations, and what goes there.
    pub parts: Vec<(usize, Batch)>,
    /// Items that no route took, and for which there is no default.
    pub dropped: u64,
    /// The memory that copies of the request need.
    pub charges: Vec<Charge>,
}

/// Why a request goes nowhere.
#[derive(Debug)]
pub enum Refused {
    /// It is not valid.
    Invalid(Error),
    /// A condition failed, and the error mode is `propagate`.
    Stopped(Stopped),
    /// There is no memory to take it apart.
    NoRoom,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused::Invalid(error)
    }
}

impl Table {
    /// Whether some route looks at the request.
    pub fn reads_request(&self) -> bool {
        self.routes.iter().any(|route| match &route.question {
            Question::Header(_) => false,
            Question::Condition(executor) => executor.borrow().program().reads_request(),
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
        let nowhere = u32::MAX;
        let mut groups = vec![nowhere; rows.len()];
        for route in &self.routes {
            if left.is_empty() {
                break;
            }
            let verdict = match &route.question {
                Question::Header(header) => {
                    let headers = context.metadata.iter().flat_map(|all| all.iter());
                    all_or_nothing(header.matches(headers))
                }
                Question::Condition(executor) => {
                    let mut executor = executor.borrow_mut();
                    let among = executor.program().context.level().map(|_| &left);
                    let mut tell = |failure: RowFailure<'_>| tell(&route.said, &failure);
                    let asked = executor.select(data, among, request, self.mode, &mut tell);
                    asked.map_err(refused)?
                }
                // Statements never move whole resources.
                Question::Statement(_) => Verdict::default(),
            };
            if let Some(stopped) = verdict.stopped {
                return Err(Refused::Stopped(stopped));
            }
            let whole = route.question.context() != Some(Context::Resource);
            for (row, group) in rows.iter().zip(&mut groups) {
                let asked = if whole { 0 } else { *row };
                if left.contains(*row) && verdict.selected.contains(asked) {
                    left.remove(*row);
                    *group = route.destination as u32;
                }
            }
        }
        let default = self.default.map_or(nowhere, |default| default as u32);
        for group in groups.iter_mut().filter(|group| **group == nowhere) {
            *group = default;
        }
        let items = batch.item_count() as u64;
        let first = groups.first().copied().unwrap_or(default);
        if groups.iter().all(|group| *group == first) {
            // All goes one way: as it came.
            return Ok(match first == nowhere {
                true => Split {
                    dropped: items,
                    ..Split::default()
                },
                false => Split {
                    parts: vec![(first as usize, batch)],
                    ..Split::default()
                },
            });
        }
        let groups: Vec<Option<u32>> = groups
            .into_iter()
            .map(|group| (group != nowhere).then_some(group))
            .collect();
        let named: Vec<bool> = (0..self.destinations as u32)
            .map(|group| groups.contains(&Some(group)))
            .collect();
        let parts = batch.partition_resources(&groups, self.destinations as u32)?;
        let parts: Vec<(usize, Batch)> = parts
            .into_iter()
            .enumerate()
            .filter(|(group, _)| named.get(*group) == Some(&true))
            .collect();
        let routed: u64 = parts.iter().map(|(_, part)| part.item_count() as u64).sum();
        Ok(Split {
            parts,
            dropped: items.saturating_sub(routed),
            charges: Vec::new(),
        })
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
            let mut tell = |failure: RowFailure<'_>| tell(&route.said, &failure);
            let verdict = match &route.question {
                Question::Header(header) => {
                    let headers = context.metadata.iter().flat_map(|all| all.iter());
                    all_or_nothing(header.matches(headers))
                }
                Question::Condition(executor) => {
                    let mut executor = executor.borrow_mut();
                    let asked = executor.select(data, None, request, self.mode, &mut tell);
                    asked.map_err(refused)?
                }
                Question::Statement(program) => {
                    run::matches(program, data, request, self.mode, &mut tell).map_err(refused)?
                }
            };
            if let Some(stopped) = verdict.stopped {
                return Err(Refused::Stopped(stopped));
            }
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
                        return finish(taken, None, None, charges);
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
        finish(taken, Some(rest), self.default, charges)
    }
}

/// Charges what a copy of the tables of a request taken apart needs.
fn copy(batch: &Batch, budget: &Arc<Budget>) -> Result<Charge, Refused> {
    let rows = batch.item_count().saturating_mul(ROW);
    budget.charge(rows).ok_or(Refused::NoRoom)
}

/// A verdict on the request as a whole.
fn all_or_nothing(holds: bool) -> Verdict {
    let mut verdict = Verdict::default();
    if holds {
        verdict.selected.insert(0);
    }
    verdict
}

fn refused(failure: Failure) -> Refused {
    match failure {
        Failure::Batch(error) => Refused::Invalid(error),
        cause => Refused::Stopped(Stopped {
            source: String::new(),
            condition: true,
            row: 0,
            cause,
        }),
    }
}

/// Leaves some rows of a level in a request, and what is around them.
fn keep(batch: &mut Batch, level: Level, mut keep: impl FnMut(u32) -> bool) -> Result<(), Error> {
    let data = batch.open()?;
    data.retain_rows(level, &mut keep)?;
    drop_emptied(data, level)
}

/// Joins what goes to one destination, and gives the rest to the default.
fn finish(
    mut taken: Vec<(usize, Batch)>,
    rest: Option<Batch>,
    default: Option<usize>,
    charges: Vec<Charge>,
) -> Result<Split, Refused> {
    let mut split = Split {
        charges,
        ..Split::default()
    };
    if let Some(mut rest) = rest {
        let is_empty = rest.open()?.rows(Level::Resource)?.is_empty();
        match default {
            _ if is_empty => {}
            Some(default) => taken.push((default, rest)),
            None => split.dropped = rest.item_count() as u64,
        }
    }
    while let Some((destination, _)) = taken.first() {
        let destination = *destination;
        let (mut here, others): (Vec<_>, Vec<_>) =
            taken.into_iter().partition(|(of, _)| *of == destination);
        taken = others;
        match here.len() {
            1 => split.parts.append(&mut here),
            _ => {
                let batches = here.into_iter().map(|(_, batch)| batch).collect();
                let joined = Batch::join(batches)?;
                split
                    .parts
                    .extend(joined.map(|joined| (destination, joined)));
            }
        }
    }
    Ok(split)
}

/// Logs that a condition failed, unless the same was logged a moment ago.
fn tell(said: &Said, failure: &RowFailure<'_>) {
    if let Some(held_back) = said.again() {
        tracing::warn!(
            condition = failure.source,
            error = %failure.cause,
            held_back,
            "failed to eval condition"
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
