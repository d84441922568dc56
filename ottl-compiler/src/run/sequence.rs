//! Runs the statements of a program on rows, in order, and does with failures what the error
//! mode says.

use std::str::FromStr;

use trunkline_proto::batch::Data;

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
    counts.resize(
        program.statements.len().max(counts.len()),
        Counts::default(),
    );
    let Some(level) = program.context.level() else {
        return Ok(());
    };
    let stopped = |source: &str, condition, row, cause| Stopped {
        source: source.to_owned(),
        condition,
        row,
        cause,
    };
    let rows = match data.rows(level) {
        Ok(rows) => rows,
        Err(error) => return Err(stopped("", false, 0, error.into())),
    };
    let mut own = Vec::new();
    let is_shared = shared_cache.is_some();
    let cache = shared_cache.unwrap_or(&mut own);
    for number in rows {
        if !is_shared {
            cache.clear();
        }
        let mut row = match Row::new(data, program.context, number, cache, request) {
            Ok(row) => row,
            Err(cause) => return Err(stopped("", false, number, cause)),
        };
        let mut applies = program.conditions.is_empty();
        for condition in &program.conditions {
            match row.holds(&condition.condition) {
                Ok(true) => applies = true,
                Ok(false) => continue,
                Err(cause) => match mode {
                    ErrorMode::Propagate => {
                        return Err(stopped(&condition.source, true, number, cause));
                    }
                    ErrorMode::Silent => continue,
                    ErrorMode::Ignore => {
                        tell(RowFailure {
                            source: &condition.source,
                            statement: None,
                            row: number,
                            cause: &cause,
                        });
                        continue;
                    }
                },
            }
            break;
        }
        if !applies {
            continue;
        }
        for (at, (statement, counts)) in program.statements.iter().zip(&mut *counts).enumerate() {
            let result = match row.holds(&statement.condition) {
                Ok(false) => continue,
                Ok(true) => {
                    counts.matched += 1;
                    row.edit(&statement.editor)
                }
                Err(cause) => Err(cause),
            };
            let Err(cause) = result else { continue };
            counts.failed += 1;
            match mode {
                ErrorMode::Propagate => {
                    return Err(stopped(&statement.source, false, number, cause));
                }
                ErrorMode::Silent => {}
                ErrorMode::Ignore => tell(RowFailure {
                    source: &statement.source,
                    statement: Some(at),
                    row: number,
                    cause: &cause,
                }),
            }
        }
    }
    Ok(())
}
