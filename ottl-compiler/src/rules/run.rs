//! Runs rules, one after the other, on the rows that no earlier one has decided about. What
//! becomes of the rows is told (`Fates`) and done by the caller.

use std::sync::Arc;

use trunkline_proto::{
    Signal,
    batch::{Data, Level},
};

use super::{Decision, Rule};
use crate::{
    columns::Executor,
    failure::Failure,
    program::Program,
    run::{Counts, ErrorMode, Request, Row, RowFailure, Selected, Stopped},
};

/// Rules for one signal, ready to run.
#[derive(Debug)]
pub struct Runner {
    signal: Signal,
    rules: Vec<(Rule, Option<Executor>)>,
}

/// What rules decided about the rows of a request.
#[derive(Debug, Default)]
pub struct Fates {
    /// Rows to drop, each time with the number of the rule and the level of the rows. Items that
    /// are dropped because of something around them are listed themselves.
    pub dropped: Vec<(usize, Level, Selected)>,
    /// Items that go elsewhere, with the number of the rule.
    pub routed: Vec<(usize, Selected)>,
    /// All items about which something was decided.
    pub decided: Selected,
}

/// How failures are told, and counted.
struct Telling<'a, 't> {
    mode: ErrorMode,
    counts: Counts,
    /// The rule's number.
    at: usize,
    tell: &'a mut (dyn FnMut(RowFailure<'_>) + 't),
}

impl Runner {
    /// For rules of one signal.
    pub fn new(signal: Signal, rules: Vec<Rule>) -> Runner {
        let rules = rules.into_iter().map(|rule| {
            // With several edits, one that fails ends the rule on that row: rows do that.
            let plain = rule.decision.is_none() && rule.program.statements.len() == 1;
            let executor = plain.then(|| Executor::new(Arc::clone(&rule.program)));
            (rule, executor)
        });
        let rules = rules.collect();
        Runner { signal, rules }
    }

    /// The rules, in order.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.rules.iter().map(|(rule, _)| rule)
    }

    /// Runs the rules on a request. `counts` gets one entry a rule, in order; `tell` hears of
    /// failures in [`ErrorMode::Ignore`], the rule's number in place of the statement's.
    ///
    /// # Errors
    /// The first failure, in [`ErrorMode::Propagate`]; edits before it were made. A request that
    /// cannot be taken apart stops the run in every mode.
    pub fn run(
        &mut self,
        data: &mut Data,
        request: &Request,
        mode: ErrorMode,
        counts: &mut Vec<Counts>,
        tell: &mut dyn FnMut(RowFailure<'_>),
    ) -> Result<Fates, Stopped> {
        let item = match self.signal {
            Signal::Metrics => Level::DataPoint,
            _ => Level::Item,
        };
        let mut fates = Fates::default();
        let mut gone = Selected::default();
        counts.clear();
        for (at, (rule, executor)) in self.rules.iter_mut().enumerate() {
            let nothing_decided = fates.decided.is_empty() && gone.is_empty();
            if let (Some(executor), true) = (executor, nothing_decided) {
                let mut own = Vec::new();
                let mut tell = |failure: RowFailure<'_>| {
                    tell(RowFailure {
                        statement: Some(at),
                        ..failure
                    });
                };
                executor.run(data, request, mode, None, &mut own, &mut tell)?;
                counts.push(own.first().copied().unwrap_or_default());
                continue;
            }
            let Some(level) = rule.program.context.level() else {
                counts.push(Counts::default());
                continue;
            };
            let mut telling = Telling {
                mode,
                counts: Counts::default(),
                at,
                tell: &mut *tell,
            };
            let open = match nothing_decided {
                true => None,
                false => Some(
                    open_rows(data, self.signal, level, (item, &fates.decided), &gone)
                        .map_err(|error| broken(error.into()))?,
                ),
            };
            let matched = apply(
                &rule.program,
                level,
                data,
                open.as_ref(),
                request,
                &mut telling,
            )?;
            counts.push(telling.counts);
            if let Some(decision) = &rule.decision {
                decide(
                    data,
                    self.signal,
                    (item, level),
                    &matched,
                    (at, decision),
                    &mut fates,
                    &mut gone,
                )
                .map_err(|error| broken(error.into()))?;
            }
        }
        Ok(fates)
    }
}

/// Runs one rule on the rows that are open, and selects those on which it applied.
fn apply(
    program: &Program,
    level: Level,
    data: &mut Data,
    open: Option<&Selected>,
    request: &Request,
    telling: &mut Telling<'_, '_>,
) -> Result<Selected, Stopped> {
    let mut matched = Selected::default();
    let mut cache = Vec::new();
    for number in data.rows(level).map_err(|error| broken(error.into()))? {
        if open.is_some_and(|open| !open.contains(number)) {
            continue;
        }
        cache.clear();
        let mut row =
            Row::new(data, program.context, number, &mut cache, request).map_err(broken)?;
        let holds = match program.conditions.first() {
            None => Ok(true),
            Some(of) => row
                .holds(&of.condition)
                .map_err(|cause| (&*of.source, true, cause)),
        };
        let result = holds.and_then(|holds| {
            if !holds {
                return Ok(false);
            }
            for statement in &program.statements {
                row.edit(&statement.editor)
                    .map_err(|cause| (&*statement.source, false, cause))?;
            }
            Ok(true)
        });
        match result {
            Ok(false) => {}
            Ok(true) => {
                telling.counts.matched += 1;
                matched.insert(number);
            }
            Err((source, condition, cause)) => {
                telling.counts.failed += 1;
                match telling.mode {
                    ErrorMode::Silent => {}
                    ErrorMode::Ignore => (telling.tell)(RowFailure {
                        source,
                        statement: Some(telling.at),
                        row: number,
                        cause: &cause,
                    }),
                    ErrorMode::Propagate => {
                        return Err(Stopped {
                            source: source.to_owned(),
                            condition,
                            row: number,
                            cause,
                        });
                    }
                }
            }
        }
    }
    Ok(matched)
}

/// The levels of a signal, from the inside out.
fn levels(signal: Signal) -> &'static [Level] {
    use Level::{DataPoint, Event, Exemplar, Item, Resource, Scope};
    match signal {
        Signal::Metrics => &[Exemplar, DataPoint, Item, Scope, Resource],
        Signal::Logs => &[Item, Scope, Resource],
        _ => &[Event, Item, Scope, Resource],
    }
}

/// What a row is in, at a level further out, or itself.
fn ancestor(data: &Data, signal: Signal, (from, row): (Level, u32), to: Level) -> Option<u32> {
    let mut row = row;
    for level in levels(signal).iter().skip_while(|level| **level != from) {
        if *level == to {
            return Some(row);
        }
        row = data.parent(*level, row)?;
    }
    None
}

/// Whether a level is around another, or the same.
fn encloses(signal: Signal, outer: Level, inner: Level) -> bool {
    let place = |wanted: Level| levels(signal).iter().position(|level| *level == wanted);
    place(outer) >= place(inner)
}

/// The rows of a level about which nothing is decided: those that hold an undecided item, or are
/// in one; and those that hold no items at all.
fn open_rows(
    data: &mut Data,
    signal: Signal,
    level: Level,
    (item, decided): (Level, &Selected),
    gone: &Selected,
) -> Result<Selected, trunkline_proto::batch::Error> {
    let mut open = Selected::default();
    if encloses(signal, level, item) {
        let (mut held, items) = (Selected::default(), data.rows(item)?);
        for number in items {
            let Some(around) = ancestor(data, signal, (item, number), level) else {
                continue;
            };
            held.insert(around);
            if !decided.contains(number) {
                open.insert(around);
            }
        }
        for number in data.rows(level)? {
            if !held.contains(number) {
                open.insert(number);
            }
        }
        return Ok(open);
    }
    for number in data.rows(level)? {
        let within = ancestor(data, signal, (level, number), item);
        if within.is_some_and(|within| !decided.contains(within))
            && !(level == Level::Event && gone.contains(number))
        {
            open.insert(number);
        }
    }
    Ok(open)
}

/// Notes what becomes of the items of the rows on which a rule applied.
fn decide(
    data: &mut Data,
    signal: Signal,
    (item, level): (Level, Level),
    matched: &Selected,
    (at, decision): (usize, &Decision),
    fates: &mut Fates,
    gone: &mut Selected,
) -> Result<(), trunkline_proto::batch::Error> {
    if matched.is_empty() {
        return Ok(());
    }
    if !encloses(signal, level, item) {
        for number in data.rows(level)? {
            if matched.contains(number) {
                gone.insert(number);
            }
        }
        fates.dropped.push((at, level, matched.clone()));
        return Ok(());
    }
    let mut items = Selected::default();
    for number in data.rows(item)? {
        let around = ancestor(data, signal, (item, number), level);
        if around.is_some_and(|around| matched.contains(around)) && !fates.decided.contains(number)
        {
            fates.decided.insert(number);
            items.insert(number);
        }
    }
    match decision {
        Decision::Keep => {}
        Decision::Drop(_) => {
            // A metric without points has no item that could go in its place.
            if signal == Signal::Metrics && level == Level::Item {
                let mut bare = matched.clone();
                for point in data.rows(Level::DataPoint)? {
                    if let Some(metric) = data.parent(Level::DataPoint, point) {
                        bare.remove(metric);
                    }
                }
                if !bare.is_empty() {
                    fates.dropped.push((at, Level::Item, bare));
                }
            }
            fates.dropped.push((at, item, items));
        }
        Decision::Route(_) | Decision::RouteToExporter(_) => fates.routed.push((at, items)),
    }
    Ok(())
}

fn broken(cause: Failure) -> Stopped {
    Stopped {
        source: String::new(),
        condition: true,
        row: 0,
        cause,
    }
}
