//! Runs the statements of a program on rows, in order, and does with failures what the error
//! mode says.

use std::{ops::Range, str::FromStr, time::Instant};

use trunkline_proto::batch::{self, Data, Level};

use super::{Request, Row};
use crate::{failure::Failure, program::Program};

/// What happens when a statement fails on a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ErrorMode {
    /// The statement is passed over, and the failure told.
    #[default]
    Ignore,
    /// The statement is passed over.
    Silent,
    /// Nothing more is run.
    Propagate,
}

impl FromStr for ErrorMode {
    type Err = String;

    /// Upper and lower case are the same.
    fn from_str(text: &str) -> Result<ErrorMode, String> {
        match text.to_ascii_lowercase().as_str() {
            "ignore" => Ok(ErrorMode::Ignore),
            "silent" => Ok(ErrorMode::Silent),
            "propagate" => Ok(ErrorMode::Propagate),
            _ => Err(format!("unknown error mode {text}")),
        }
    }
}

/// How often a statement did what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// Rows on which its condition held.
    pub matched: u64,
    /// Rows on which its condition or its editor failed.
    pub failed: u64,
    /// Time that it took, nanoseconds, where time is taken. By rows it is taken on one row of
    /// some, which stand for all.
    pub nanos: u64,
}

/// A failure, to be told in [`ErrorMode::Ignore`].
#[derive(Debug)]
pub struct RowFailure<'a> {
    /// The statement or condition.
    pub source: &'a str,
    /// Which of the program's statements, or of its conditions where these alone are asked; none
    /// for a condition of a group.
    pub statement: Option<usize>,
    /// The row.
    pub row: u32,
    /// Why.
    pub cause: &'a Failure,
}

/// What stopped a run in [`ErrorMode::Propagate`].
#[derive(Clone, Debug, PartialEq)]
pub struct Stopped {
    /// The statement or condition.
    pub source: String,
    /// Whether it was a condition of the group.
    pub condition: bool,
    /// The row.
    pub row: u32,
    /// Why.
    pub cause: Failure,
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.condition {
            true => "failed to eval condition",
            false => "failed to execute statement",
        };
        write!(f, "{what}: {}, {}", self.source, self.cause)
    }
}

impl std::error::Error for Stopped {}

/// Runs a program on all rows of its context: each row through all statements before the next.
/// `shared_cache` is the scratch map of all rows, an encoded map; without it each row has its
/// own, empty at first. `counts` has one entry a statement and grows as needed; `tell` hears of failures in
/// [`ErrorMode::Ignore`].
///
/// # Errors
/// The first failure, in [`ErrorMode::Propagate`]; earlier rows and statements have done their
/// work. A request that cannot be taken apart at all stops the run in every mode.
pub fn run(
    program: &Program,
    data: &mut Data,
    request: &Request,
    mode: ErrorMode,
    shared_cache: Option<&mut Vec<u8>>,
    counts: &mut Vec<Counts>,
    tell: &mut dyn FnMut(RowFailure<'_>),
) -> Result<(), Stopped> {
    let how = (mode, false);
    run_timed(program, data, request, how, shared_cache, counts, tell)
}

/// Like [`run`]; the second part of `how` says whether time is taken.
///
/// # Errors
/// Those of [`run`].
pub(crate) fn run_timed(
    program: &Program,
    data: &mut Data,
    request: &Request,
    (mode, timed): (ErrorMode, bool),
    shared_cache: Option<&mut Vec<u8>>,
    counts: &mut Vec<Counts>,
    tell: &mut dyn FnMut(RowFailure<'_>),
) -> Result<(), Stopped> {
    counts.resize(
        program.statements.len().max(counts.len()),
        Counts::default(),
    );
    let Some(level) = program.context.level() else {
        return Ok(());
    };
    let mut own = Vec::new();
    let is_shared = shared_cache.is_some();
    let mut pass = Pass {
        program,
        request,
        mode,
        is_shared,
        cache: shared_cache.unwrap_or(&mut own),
        counts,
        tell,
        room: usize::MAX,
        weight: 0,
    };
    if !program.adds_rows() {
        let rows = data.rows(level).map_err(broken)?;
        for (i, row) in rows.iter().enumerate() {
            pass.weight = weight(timed, i, rows.len());
            pass.row(data, *row)?;
        }
        return Ok(());
    }
    // Few are, and nobody knows how many there will be.
    pass.weight = u64::from(timed);
    // The reference goes through a list that may grow: what is added to a scope is visited
    // behind the other metrics of that scope.
    let room = LEAST_ROOM.saturating_add(data.payload_len().saturating_mul(ROOM_BY_PAYLOAD));
    for scope in data.rows(Level::Scope).map_err(broken)? {
        pass.room = room;
        let mut metrics = data.children(Level::Item, scope).map_err(broken)?;
        let mut at = 0;
        while let Some(&metric) = metrics.get(at) {
            let known = data.row_count(Level::Item).map_err(broken)?;
            if level == Level::Item {
                pass.row(data, metric)?;
            } else {
                for point in data.children(level, metric).map_err(broken)? {
                    pass.row(data, point)?;
                }
            }
            let now = data.row_count(Level::Item).map_err(broken)?;
            metrics.extend(known as u32..now as u32);
            at += 1;
        }
    }
    Ok(())
}

/// Bytes that a row needs beside its message, about.
pub(super) const ROW: usize = 256;

/// Bytes that a group of statements may add to a scope, whatever the size of the request, and how
/// many more for each of the request's.
const LEAST_ROOM: usize = 16 << 20;
const ROOM_BY_PAYLOAD: usize = 16;

/// Of so many rows one is timed.
const TIMED: usize = 16;

/// For how many rows the time of one stands, the `i`th of `rows`; 0: it is not taken.
pub(crate) fn weight(timed: bool, i: usize, rows: usize) -> u64 {
    match timed && i.is_multiple_of(TIMED) {
        true => rows.saturating_sub(i).min(TIMED) as u64,
        false => 0,
    }
}

/// A request that cannot be taken apart.
fn broken(error: batch::Error) -> Stopped {
    Stopped {
        source: String::new(),
        condition: false,
        row: 0,
        cause: error.into(),
    }
}

/// One run of a program over rows of a request.
pub(crate) struct Pass<'a> {
    pub program: &'a Program,
    pub request: &'a Request,
    pub mode: ErrorMode,
    pub is_shared: bool,
    pub cache: &'a mut Vec<u8>,
    pub counts: &'a mut [Counts],
    pub tell: &'a mut dyn FnMut(RowFailure<'_>),
    /// Bytes that may still be added to the scope.
    pub room: usize,
    /// For how many rows the time of the present one stands; 0: it is not taken.
    pub weight: u64,
}

impl Pass<'_> {
    /// Runs the statements on one row, if the conditions let it.
    ///
    /// # Errors
    /// As [`run`].
    pub fn row(&mut self, data: &mut Data, number: u32) -> Result<(), Stopped> {
        if !self.is_shared {
            self.cache.clear();
        }
        if self.first(data, number)?.is_none() && !self.program.conditions.is_empty() {
            return Ok(());
        }
        self.statements(data, number, 0..self.program.statements.len())
    }

    /// The number of the first condition of the group that holds on a row.
    ///
    /// # Errors
    /// As [`run`].
    pub fn first(&mut self, data: &mut Data, number: u32) -> Result<Option<u32>, Stopped> {
        let program = self.program;
        let row = Row::new(data, program.context, number, self.cache, self.request);
        let mut row = row.map_err(|cause| stopped("", false, number, cause))?;
        for (at, condition) in (0..).zip(&program.conditions) {
            let cause = match row.holds(&condition.condition) {
                Ok(true) => return Ok(Some(at)),
                Ok(false) => continue,
                Err(cause) => cause,
            };
            match self.mode {
                ErrorMode::Propagate => {
                    return Err(stopped(&condition.source, true, number, cause));
                }
                ErrorMode::Silent => {}
                ErrorMode::Ignore => (self.tell)(RowFailure {
                    source: &condition.source,
                    statement: None,
                    row: number,
                    cause: &cause,
                }),
            }
        }
        Ok(None)
    }

    /// Runs some of the statements on one row.
    ///
    /// # Errors
    /// As [`run`].
    pub fn statements(
        &mut self,
        data: &mut Data,
        number: u32,
        statements: Range<usize>,
    ) -> Result<(), Stopped> {
        let program = self.program;
        let row = Row::new(data, program.context, number, self.cache, self.request);
        let mut row = row.map_err(|cause| stopped("", false, number, cause))?;
        row.room = self.room;
        for at in statements {
            let (Some(statement), Some(counts)) =
                (program.statements.get(at), self.counts.get_mut(at))
            else {
                continue;
            };
            let started = (self.weight > 0).then(Instant::now);
            let result = match row.holds(&statement.condition) {
                Ok(false) => Ok(()),
                Ok(true) => {
                    counts.matched += 1;
                    row.edit(&statement.editor)
                }
                Err(cause) => Err(cause),
            };
            if let Some(started) = started {
                let nanos = started.elapsed().as_nanos() as u64;
                counts.nanos += nanos.saturating_mul(self.weight);
            }
            let Err(cause) = result else { continue };
            counts.failed += 1;
            match self.mode {
                ErrorMode::Propagate => {
                    return Err(stopped(&statement.source, false, number, cause));
                }
                ErrorMode::Silent => {}
                ErrorMode::Ignore => (self.tell)(RowFailure {
                    source: &statement.source,
                    statement: Some(at),
                    row: number,
                    cause: &cause,
                }),
            }
        }
        self.room = row.room;
        Ok(())
    }
}

fn stopped(source: &str, condition: bool, row: u32, cause: Failure) -> Stopped {
    Stopped {
        source: source.to_owned(),
        condition,
        row,
        cause,
    }
}
