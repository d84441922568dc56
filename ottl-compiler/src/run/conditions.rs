//! Conditions over all rows of a context at once: which rows one of them holds on. For whoever
//! chooses rows (filter, routing, sampling) instead of changing them; statements that choose by
//! what they do are here too. What is done with the rows is the caller's.

use std::time::Instant;

use trunkline_proto::batch::Data;

use super::sequence::weight;
use super::{Counts, ErrorMode, Request, Row, RowFailure, Stopped};
use crate::{
    failure::Failure,
    program::{ConditionOf, Program},
};

/// A set of rows of one level, by row number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    bits: Vec<u64>,
    len: usize,
}

impl Selected {
    /// An empty set for row numbers below `rows`; it grows when it must.
    pub fn with_capacity(rows: usize) -> Selected {
        Selected {
            bits: vec![0; rows.div_ceil(64)],
            len: 0,
        }
    }

    /// Adds a row.
    #[inline]
    pub fn insert(&mut self, row: u32) {
        let (word, bit) = (row as usize / 64, 1 << (row % 64));
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        if let Some(word) = self.bits.get_mut(word) {
            self.len += usize::from(*word & bit == 0);
            *word |= bit;
        }
    }

    /// Whether a row is in it.
    #[inline]
    pub fn contains(&self, row: u32) -> bool {
        let word = self.bits.get(row as usize / 64);
        word.is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Takes a row out.
    #[inline]
    pub fn remove(&mut self, row: u32) {
        let bit = 1 << (row % 64);
        if let Some(word) = self.bits.get_mut(row as usize / 64) {
            self.len -= usize::from(*word & bit != 0);
            *word &= !bit;
        }
    }

    /// Adds what is in another set.
    pub fn insert_all(&mut self, other: &Selected) {
        if self.bits.len() < other.bits.len() {
            self.bits.resize(other.bits.len(), 0);
        }
        for (word, other) in self.bits.iter_mut().zip(&other.bits) {
            self.len += (!*word & other).count_ones() as usize;
            *word |= other;
        }
    }

    /// Takes out what is in another set.
    pub fn remove_all(&mut self, other: &Selected) {
        for (word, other) in self.bits.iter_mut().zip(&other.bits) {
            self.len -= (*word & other).count_ones() as usize;
            *word &= !other;
        }
    }

    /// How many rows are in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// No row is in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// What conditions say of the rows of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// The rows on which one of the conditions holds. In a context without rows (`otelcol`) the
    /// request as a whole is row 0.
    pub selected: Selected,
    /// How many evaluations failed; in [`ErrorMode::Propagate`] one a row at most.
    pub failed: u64,
    /// By condition (or statement) on how many rows it held and on how many it failed, of those
    /// on which it was evaluated.
    pub counts: Vec<Counts>,
    /// The first failure, in [`ErrorMode::Propagate`].
    pub stopped: Option<Stopped>,
}

/// Evaluates the conditions of a program on the rows of its context, on all or on those `among`:
/// from left to right on each row, until one holds. A condition that fails on a row is passed over
/// there, and `tell` hears of it in [`ErrorMode::Ignore`]; in [`ErrorMode::Propagate`] the row is
/// not selected, and the others are evaluated all the same. Each row has a scratch map of its own.
///
/// # Errors
/// [`Failure::Batch`] when the request cannot be taken apart.
pub fn conditions(
    program: &Program,
    data: &mut Data,
    among: Option<&Selected>,
    request: &Request,
    mode: ErrorMode,
    tell: &mut dyn FnMut(RowFailure<'_>),
) -> Result<Verdict, Failure> {
    conditions_timed(program, data, among, request, (mode, false), tell)
}

/// Like [`conditions`]; the second part of `how` says whether time is taken.
///
/// # Errors
/// Those of [`conditions`].
pub(crate) fn conditions_timed(
    program: &Program,
    data: &mut Data,
    among: Option<&Selected>,
    request: &Request,
    (mode, timed): (ErrorMode, bool),
    tell: &mut dyn FnMut(RowFailure<'_>),
) -> Result<Verdict, Failure> {
    let entries = (program.conditions.len(), timed);
    let mut failures = Failures::new(mode, tell);
    let mut verdict = each_row(program, data, among, request, entries, |row, judged| {
        for (at, condition) in program.conditions.iter().enumerate() {
            let Some(counts) = judged.counts.get_mut(at) else {
                continue;
            };
            match ask(row, condition, judged.weight, counts) {
                Ok(true) => return true,
                Ok(false) => {}
                Err(cause) => {
                    let goes_on = failures.add(&condition.source, true, at, judged.row, cause);
                    if !goes_on {
                        return false;
                    }
                }
            }
        }
        false
    })?;
    (verdict.failed, verdict.stopped) = (failures.count, failures.stopped);
    Ok(verdict)
}

/// Whether a condition holds on a row, counted.
fn ask(
    row: &mut Row<'_>,
    condition: &ConditionOf,
    weight: u64,
    counts: &mut Counts,
) -> Result<bool, Failure> {
    let started = (weight > 0).then(Instant::now);
    let holds = row.holds(&condition.condition);
    if let Some(started) = started {
        let nanos = started.elapsed().as_nanos() as u64;
        counts.nanos += nanos.saturating_mul(weight);
    }
    match &holds {
        Ok(holds) => counts.matched += u64::from(*holds),
        Err(_) => counts.failed += 1,
    }
    holds
}

/// What becomes of failures.
struct Failures<'a, 't> {
    mode: ErrorMode,
    tell: &'a mut (dyn FnMut(RowFailure<'_>) + 't),
    /// How many there were.
    count: u64,
    /// The first, in [`ErrorMode::Propagate`].
    stopped: Option<Stopped>,
}

impl<'a, 't> Failures<'a, 't> {
    fn new(mode: ErrorMode, tell: &'a mut (dyn FnMut(RowFailure<'_>) + 't)) -> Failures<'a, 't> {
        Failures {
            mode,
            tell,
            count: 0,
            stopped: None,
        }
    }

    /// Another one; whether the row goes on.
    fn add(&mut self, source: &str, condition: bool, at: usize, row: u32, cause: Failure) -> bool {
        self.count += 1;
        match self.mode {
            ErrorMode::Silent => true,
            ErrorMode::Ignore => {
                (self.tell)(RowFailure {
                    source,
                    statement: Some(at),
                    row,
                    cause: &cause,
                });
                true
            }
            ErrorMode::Propagate => {
                self.stopped.get_or_insert_with(|| Stopped {
                    source: source.to_owned(),
                    condition,
                    row,
                    cause,
                });
                false
            }
        }
    }
}

/// Which conditions hold first on which rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// Rows, in order, and the number of the condition; rows on which none holds are left out.
    pub chosen: Vec<(u32, u32)>,
    /// How many evaluations failed.
    pub failed: u64,
    /// By condition on how many rows it was the first to hold, and on how many it failed.
    pub counts: Vec<Counts>,
    /// The first failure, in [`ErrorMode::Propagate`].
    pub stopped: Option<Stopped>,
}

/// Which of the conditions of a program holds first on each row of its context, on all or on
/// those `among`. They are asked one after the other, each on the rows on which none before it
/// holds, as a table of routes is. Failures go as in [`conditions`], except that in
/// [`ErrorMode::Propagate`] the first ends it all.
///
/// # Errors
/// [`Failure::Batch`] when the request cannot be taken apart.
pub fn choose(
    program: &Program,
    data: &mut Data,
    among: Option<&Selected>,
    request: &Request,
    mode: ErrorMode,
    tell: &mut dyn FnMut(RowFailure<'_>),
) -> Result<Choice, Failure> {
    choose_timed(program, data, among, request, (mode, false), tell)
}

/// Like [`choose`]; the second part of `how` says whether time is taken.
///
/// # Errors
/// Those of [`choose`].
pub(crate) fn choose_timed(
    program: &Program,
    data: &mut Data,
    among: Option<&Selected>,
    request: &Request,
    (mode, timed): (ErrorMode, bool),
    tell: &mut dyn FnMut(RowFailure<'_>),
) -> Result<Choice, Failure> {
    let mut choice = Choice::default();
    let (mut left, mut order) = (Selected::default(), Vec::new());
    let mut failures = Failures::new(mode, tell);
    each_row(program, data, among, request, (0, false), |_, judged| {
        left.insert(judged.row);
        order.push((judged.row, None));
        false
    })?;
    for (at, condition) in (0..).zip(&program.conditions) {
        let mut counts = Counts::default();
        let how = (0, timed);
        let holds = each_row(
            program,
            data,
            Some(&left),
            request,
            how,
            |row, judged| match ask(row, condition, judged.weight, &mut counts) {
                Ok(holds) => holds,
                Err(cause) => {
                    failures.add(&condition.source, true, at as usize, judged.row, cause);
                    false
                }
            },
        )?;
        choice.counts.push(counts);
        if failures.stopped.is_some() {
            (choice.failed, choice.stopped) = (failures.count, failures.stopped);
            return Ok(choice);
        }
        for (row, first) in &mut order {
            if first.is_none() && holds.selected.contains(*row) {
                *first = Some(at);
                left.remove(*row);
            }
        }
    }
    choice.failed = failures.count;
    let chosen = order.into_iter();
    choice.chosen = chosen.filter_map(|(row, at)| Some((row, at?))).collect();
    Ok(choice)
}

/// Runs the statements of a program on all rows of its context, each row through all of them, and
/// selects those on which the condition of one held and its editor worked. Failures go as in
/// [`conditions`].
///
/// # Errors
/// [`Failure::Batch`] when the request cannot be taken apart.
pub fn matches(
    program: &Program,
    data: &mut Data,
    request: &Request,
    mode: ErrorMode,
    tell: &mut dyn FnMut(RowFailure<'_>),
) -> Result<Verdict, Failure> {
    let entries = (program.statements.len(), false);
    let mut failures = Failures::new(mode, tell);
    let mut verdict = each_row(program, data, None, request, entries, |row, judged| {
        let mut matched = false;
        for (at, statement) in program.statements.iter().enumerate() {
            let Some(counts) = judged.counts.get_mut(at) else {
                continue;
            };
            let result = match row.holds(&statement.condition) {
                Ok(false) => continue,
                Ok(true) => {
                    counts.matched += 1;
                    row.edit(&statement.editor)
                }
                Err(cause) => Err(cause),
            };
            let Err(cause) = result else {
                matched = true;
                continue;
            };
            counts.failed += 1;
            if !failures.add(&statement.source, false, at, judged.row, cause) {
                return false;
            }
        }
        matched
    })?;
    (verdict.failed, verdict.stopped) = (failures.count, failures.stopped);
    Ok(verdict)
}

/// A row that is judged.
struct Judged<'v> {
    row: u32,
    /// For how many rows the time that it takes stands; 0: none is taken.
    weight: u64,
    counts: &'v mut [Counts],
}

/// Calls `judge` for the rows of the program's context, all or those `among`, and selects those it
/// says yes to. The verdict has so many counts at first, and time is taken or not.
fn each_row(
    program: &Program,
    data: &mut Data,
    among: Option<&Selected>,
    request: &Request,
    (entries, timed): (usize, bool),
    mut judge: impl FnMut(&mut Row<'_>, &mut Judged<'_>) -> bool,
) -> Result<Verdict, Failure> {
    let (rows, count) = match program.context.level() {
        Some(level) => (data.rows(level)?, data.row_count(level)?),
        None => (vec![0], 1),
    };
    let mut verdict = Verdict {
        selected: Selected::with_capacity(count),
        counts: vec![Counts::default(); entries],
        ..Verdict::default()
    };
    let mut cache = Vec::new();
    let asked = rows
        .iter()
        .filter(|row| among.is_none_or(|among| among.contains(**row)));
    let total = among.map_or(rows.len(), Selected::len);
    for (i, number) in asked.copied().enumerate() {
        cache.clear();
        let mut row = Row::new(data, program.context, number, &mut cache, request)?;
        let mut judged = Judged {
            row: number,
            weight: weight(timed, i, total),
            counts: &mut verdict.counts,
        };
        if judge(&mut row, &mut judged) {
            verdict.selected.insert(number);
        }
    }
    Ok(verdict)
}
