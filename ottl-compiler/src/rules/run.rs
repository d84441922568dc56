//! Runs rules, one after the other, on the rows that no earlier one has decided about. What
//! becomes of the rows is told (`Fates`) and done by the caller.

use std::{sync::Arc, time::Instant};

use trunkline_proto::{
    Signal,
    batch::{Data, Level},
};

use super::{Decision, Rule};
use crate::{
    columns::Executor,
    contexts::Context,
    failure::Failure,
    program::Program,
    run::{Counts, ErrorMode, Request, Row, RowFailure, Selected, Stopped},
};

/// Rules for one signal, ready to run.
#[derive(Debug)]
pub struct Runner {
    signal: Signal,
    rules: Vec<(Rule, Way)>,
    /// Items that are routed are there for later rules, too.
    all_routes: bool,
    /// The last rule that changes something.
    last_edit: Option<usize>,
    timed: bool,
}

/// How a rule is run.
#[derive(Debug)]
enum Way {
    /// The condition over all rows, then each edit over those that are left: what fails is out.
    Columns {
        condition: Option<Executor>,
        edits: Vec<Executor>,
    },
    /// Row by row; what only changes something may have parts that are not, as long as nothing
    /// is decided.
    Rows(Option<Executor>),
}

/// How far a request has come through the rules.
#[derive(Debug, Default)]
pub struct Progress {
    /// What was decided so far.
    pub fates: Fates,
    /// What each rule did, in order.
    pub counts: Vec<Counts>,
    /// Events that were dropped.
    gone: Selected,
    /// The rule that is next.
    next: usize,
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
    /// Of the failures, in [`ErrorMode::Propagate`], that on the first row.
    first: Option<Stopped>,
}

impl Telling<'_, '_> {
    fn failed(&mut self, source: &str, condition: bool, row: u32, cause: &Failure) {
        self.counts.failed += 1;
        match self.mode {
            ErrorMode::Silent => {}
            ErrorMode::Ignore => (self.tell)(RowFailure {
                source,
                statement: Some(self.at),
                row,
                cause,
            }),
            ErrorMode::Propagate => {
                if self.first.as_ref().is_none_or(|first| row < first.row) {
                    self.first = Some(Stopped {
                        source: source.to_owned(),
                        condition,
                        row,
                        cause: cause.clone(),
                    });
                }
            }
        }
    }
}

/// The way in which a rule can be run so that the result is that of going row by row.
fn way(rule: &Rule) -> Way {
    let whole = Executor::new(Arc::clone(&rule.program));
    // What is run apart shares no scratch map.
    if !whole.is_all_columns() || rule.program.uses_cache() {
        // With several edits, one that fails ends the rule on that row: rows do that.
        let plain = rule.decision.is_none() && rule.program.statements.len() == 1;
        return Way::Rows(plain.then_some(whole));
    }
    let part = |conditions, statements| {
        Executor::new(Arc::new(Program {
            context: rule.program.context,
            conditions,
            statements,
        }))
    };
    let conditions = &rule.program.conditions;
    let condition = (!conditions.is_empty()).then(|| part(conditions.clone(), Vec::new()));
    let edits = rule.program.statements.iter();
    Way::Columns {
        condition,
        edits: edits
            .map(|edit| part(Vec::new(), vec![edit.clone()]))
            .collect(),
    }
}

impl Runner {
    /// For rules of one signal. `all_routes`: an item that one rule has routed is there for those
    /// after it, too.
    pub fn new(signal: Signal, rules: Vec<Rule>, all_routes: bool) -> Runner {
        // A rule that drops events changes items.
        let edits = |rule: &Rule| {
            !rule.program.statements.is_empty() || rule.program.context == Context::SpanEvent
        };
        Runner {
            signal,
            all_routes,
            last_edit: rules.iter().rposition(edits),
            timed: false,
            rules: rules
                .into_iter()
                .map(|rule| {
                    let way = way(&rule);
                    (rule, way)
                })
                .collect(),
        }
    }

    /// The same, row by row: what running over columns is held against.
    #[cfg(test)]
    pub fn row_by_row(mut self) -> Runner {
        let ways = self.rules.iter_mut().map(|(_, way)| way);
        ways.for_each(|way| *way = Way::Rows(None));
        self
    }

    /// How many rules run over columns.
    #[cfg(test)]
    pub fn over_columns(&self) -> usize {
        let ways = self.rules.iter().map(|(_, way)| way);
        ways.filter(|way| matches!(way, Way::Columns { .. }))
            .count()
    }

    /// The rules, in order.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.rules.iter().map(|(rule, _)| rule)
    }

    /// Whether to take the time of each rule, for [`Counts::nanos`].
    pub fn take_time(&mut self, timed: bool) {
        self.timed = timed;
    }

    /// Runs the rules on a request. `tell` hears of failures in [`ErrorMode::Ignore`], the rule's
    /// number in place of the statement's.
    ///
    /// # Errors
    /// The first failure of a rule, in [`ErrorMode::Propagate`]; edits were made. A request that
    /// cannot be taken apart stops the run in every mode.
    pub fn run(
        &mut self,
        data: &mut Data,
        request: &Request,
        mode: ErrorMode,
        tell: &mut dyn FnMut(RowFailure<'_>),
    ) -> Result<Progress, Stopped> {
        let mut progress = Progress::default();
        while !self.advance(&mut progress, data, request, mode, tell)? {}
        Ok(progress)
    }

    /// Goes on with the rules of a request: to their end, which is told by `true`, or to behind a
    /// rule that has routed items which later ones can still change.
    ///
    /// # Errors
    /// Those of [`run`](Runner::run).
    pub fn advance(
        &mut self,
        progress: &mut Progress,
        data: &mut Data,
        request: &Request,
        mode: ErrorMode,
        tell: &mut dyn FnMut(RowFailure<'_>),
    ) -> Result<bool, Stopped> {
        let item = match self.signal {
            Signal::Metrics => Level::DataPoint,
            Signal::Profiles => Level::Sample,
            _ => Level::Item,
        };
        while let Some((rule, way)) = self.rules.get_mut(progress.next) {
            let at = progress.next;
            progress.next += 1;
            let started = self.timed.then(Instant::now);
            let mut telling = Telling {
                mode,
                counts: Counts::default(),
                at,
                tell: &mut *tell,
                first: None,
            };
            let Some(level) = rule.program.context.level() else {
                progress.counts.push(Counts::default());
                continue;
            };
            let fates = &mut progress.fates;
            let open = match fates.decided.is_empty() && progress.gone.is_empty() {
                true => None,
                false => Some(
                    open_rows(
                        data,
                        self.signal,
                        level,
                        (item, &fates.decided),
                        &progress.gone,
                    )
                    .map_err(|error| broken(error.into()))?,
                ),
            };
            let matched = match (way, &open) {
                (Way::Columns { condition, edits }, open) => {
                    let parts = (condition.as_mut(), edits.as_mut_slice());
                    over_columns(parts, level, data, open.as_ref(), request, &mut telling)?
                }
                (Way::Rows(Some(executor)), None) => {
                    over_parts(executor, data, request, &mut telling)?;
                    Selected::default()
                }
                (Way::Rows(_), open) => {
                    let program = &rule.program;
                    by_rows(program, level, data, open.as_ref(), request, &mut telling)?
                }
            };
            if let Some(started) = started {
                telling.counts.nanos = started.elapsed().as_nanos() as u64;
            }
            let Telling { counts, first, .. } = telling;
            progress.counts.push(counts);
            if let Some(first) = first {
                return Err(first);
            }
            let Some(decision) = &rule.decision else {
                continue;
            };
            let routes = matches!(decision, Decision::Route(_) | Decision::RouteToExporter(_));
            let stays = routes && self.all_routes;
            let items = decide(
                data,
                self.signal,
                (item, level),
                &matched,
                (at, decision),
                fates,
                &mut progress.gone,
            )
            .map_err(|error| broken(error.into()))?;
            if stays {
                fates.decided.remove_all(&items);
                if !items.is_empty() && self.last_edit.is_some_and(|last| last > at) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// Runs one rule over columns on the rows that are open, and selects those on which it applied.
fn over_columns(
    (condition, edits): (Option<&mut Executor>, &mut [Executor]),
    level: Level,
    data: &mut Data,
    open: Option<&Selected>,
    request: &Request,
    telling: &mut Telling<'_, '_>,
) -> Result<Selected, Stopped> {
    // Failures are noted in every mode: their rows are out.
    let noting = ErrorMode::Ignore;
    let mut matched = match (condition, open) {
        (Some(condition), open) => {
            let mut note = |failure: RowFailure<'_>| {
                telling.failed(failure.source, true, failure.row, failure.cause);
            };
            let asked = condition.select(data, open, request, noting, &mut note);
            asked.map_err(broken)?.selected
        }
        (None, Some(open)) => open.clone(),
        (None, None) => {
            let mut all = Selected::default();
            let rows = data.rows(level).map_err(|error| broken(error.into()))?;
            rows.into_iter().for_each(|row| all.insert(row));
            all
        }
    };
    for edit in edits {
        if matched.is_empty() {
            break;
        }
        let mut failed = Selected::default();
        let mut note = |failure: RowFailure<'_>| {
            failed.insert(failure.row);
            telling.failed(failure.source, false, failure.row, failure.cause);
        };
        let mut counts = Vec::new();
        edit.run_among(
            data,
            Some(&matched),
            request,
            noting,
            &mut counts,
            &mut note,
        )?;
        matched.remove_all(&failed);
    }
    telling.counts.matched += matched.len() as u64;
    Ok(matched)
}

/// Runs a rule that only changes something, with one edit, on all rows.
fn over_parts(
    executor: &mut Executor,
    data: &mut Data,
    request: &Request,
    telling: &mut Telling<'_, '_>,
) -> Result<(), Stopped> {
    let mut own = Vec::new();
    let (at, mode) = (telling.at, telling.mode);
    let mut tell = |failure: RowFailure<'_>| {
        (telling.tell)(RowFailure {
            statement: Some(at),
            ..failure
        });
    };
    let ran = executor.run(data, request, mode, None, &mut own, &mut tell);
    let counts = own.first().copied().unwrap_or_default();
    telling.counts.matched += counts.matched;
    telling.counts.failed += counts.failed;
    match ran {
        // Not the rule's: the request cannot be taken apart.
        Err(stopped) if stopped.source.is_empty() => Err(stopped),
        ran => {
            telling.first = ran.err();
            Ok(())
        }
    }
}

/// Runs one rule row by row on the rows that are open, and selects those on which it applied.
fn by_rows(
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
                telling.failed(source, condition, number, &cause);
                if telling.mode == ErrorMode::Propagate {
                    break;
                }
            }
        }
    }
    Ok(matched)
}

/// The levels of a signal, from the inside out.
fn levels(signal: Signal) -> &'static [Level] {
    use Level::{DataPoint, Event, Exemplar, Item, Resource, Sample, Scope};
    match signal {
        Signal::Metrics => &[Exemplar, DataPoint, Item, Scope, Resource],
        Signal::Logs => &[Item, Scope, Resource],
        Signal::Profiles => &[Sample, Item, Scope, Resource],
        Signal::Traces => &[Event, Item, Scope, Resource],
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

/// Notes what becomes of the items of the rows on which a rule applied, and says which these are.
fn decide(
    data: &mut Data,
    signal: Signal,
    (item, level): (Level, Level),
    matched: &Selected,
    (at, decision): (usize, &Decision),
    fates: &mut Fates,
    gone: &mut Selected,
) -> Result<Selected, trunkline_proto::batch::Error> {
    if matched.is_empty() {
        return Ok(Selected::default());
    }
    if !encloses(signal, level, item) {
        for number in data.rows(level)? {
            if matched.contains(number) {
                gone.insert(number);
            }
        }
        fates.dropped.push((at, level, matched.clone()));
        return Ok(Selected::default());
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
            // A metric without points has no item that could go in its place, nor has a profile
            // without samples.
            if item != Level::Item && level == Level::Item {
                let mut bare = matched.clone();
                for inner in data.rows(item)? {
                    if let Some(around) = data.parent(item, inner) {
                        bare.remove(around);
                    }
                }
                if !bare.is_empty() {
                    fates.dropped.push((at, Level::Item, bare));
                }
            }
            fates.dropped.push((at, item, items.clone()));
        }
        Decision::Route(_) | Decision::RouteToExporter(_) => fates.routed.push((at, items.clone())),
    }
    Ok(items)
}

fn broken(cause: Failure) -> Stopped {
    Stopped {
        source: String::new(),
        condition: true,
        row: 0,
        cause,
    }
}
