//! Programs over columns: each statement over all rows at once, where rows do not depend on each
//! other. [`Executor`] has a program, its plan and the buffers it works with; one is kept for
//! each core and program. What a statement means is what the evaluator by rows ([`crate::run`])
//! does with it, to which everything is left that has no kernel, and which every run is tested
//! against.
//!
//! A run takes the rows in chunks. Of each chunk what the statements name is loaded into a
//! [`Frame`](trunkline_proto::batch::frame::Frame), the statements run one after the other, and
//! what they changed is written at the end, once a row. So nothing has happened yet when
//! something turns up that only rows can do: rows that are odd are given up and run by rows, and
//! in [`ErrorMode::Propagate`] the whole chunk when anything fails in it.
//!
//! - the plan: `plan` says what runs how, `lower` makes expressions (`expr`) of the program's nodes,
//!   `kernels` finds what editors have, `share` what statements have in common; `describe` tells
//!   people of it;
//! - running it: `chunks` goes through the rows, `gate` asks the conditions of a group, `eval`,
//!   `calls`, `conditions`, `keyed` (computed keys) and `actions` run expressions, with `patterns`
//!   and `simple` for patterns, `editors` and `maps` edit single values and whole maps; `constant`
//!   has what needs no column at all;
//! - `cells` is what columns hold, `state` what is kept.

mod actions;
mod calls;
mod cells;
mod chunks;
mod conditions;
mod constant;
mod describe;
mod editors;
mod eval;
mod expr;
mod gate;
mod hash;
mod kernels;
mod keyed;
mod lower;
mod maps;
mod patterns;
mod plan;
mod share;
mod simple;
mod state;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use trunkline_proto::batch::Data;

use self::{
    chunks::{Call, broken},
    plan::{Part, Plan},
    state::State,
};
pub use self::{
    describe::{Described, Mark},
    plan::Reason,
};
use crate::{
    failure::Failure,
    program::Program,
    run::{self, Choice, Counts, ErrorMode, Request, RowFailure, Selected, Stopped, Verdict},
};

/// A program, ready to run over columns.
#[derive(Debug)]
pub struct Executor {
    program: Arc<Program>,
    plan: Plan,
    buffers: Buffers,
    /// Take the time of statements and conditions.
    timed: bool,
}

/// What is kept from run to run.
#[derive(Debug, Default)]
struct Buffers {
    state: State,
    rows: Vec<u32>,
    chosen: Vec<u32>,
    selection: Vec<u16>,
}

impl Executor {
    /// Plans a program.
    pub fn new(program: Arc<Program>) -> Executor {
        Executor {
            plan: Plan::new(&program),
            program,
            buffers: Buffers::default(),
            timed: false,
        }
    }

    /// Whether to take the time of each statement and condition, for [`Counts::nanos`]: twice a
    /// chunk of rows. Conditions that are looked up by a text take none of their own.
    pub fn take_time(&mut self, timed: bool) {
        self.timed = timed;
    }

    /// The program.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Whether any of it runs over columns.
    pub fn has_columns(&self) -> bool {
        let Plan::Parts { gate, parts } = &self.plan else {
            return false;
        };
        gate.is_some() || parts.iter().any(|part| matches!(part, Part::Columns(_)))
    }

    /// Whether all of it runs over columns, each statement over all rows before the next one.
    pub fn is_all_columns(&self) -> bool {
        let Plan::Parts { gate, parts } = &self.plan else {
            return false;
        };
        gate.is_some() != self.program.conditions.is_empty()
            && parts.iter().all(|part| matches!(part, Part::Columns(_)))
    }

    /// Runs the program on all rows of its context, as [`run::run`] does.
    ///
    /// # Errors
    /// Those of [`run::run`].
    pub fn run(
        &mut self,
        data: &mut Data,
        request: &Request,
        mode: ErrorMode,
        shared_cache: Option<&mut Vec<u8>>,
        counts: &mut Vec<Counts>,
        tell: &mut dyn FnMut(RowFailure<'_>),
    ) -> Result<(), Stopped> {
        // A scratch map that all rows share.
        let shares = shared_cache.is_some() && self.program.uses_cache();
        if matches!(self.plan, Plan::Rows(_)) || self.must_stop(mode) || shares {
            let (program, how) = (&self.program, (mode, self.timed));
            return run::run_timed(program, data, request, how, shared_cache, counts, tell);
        }
        self.run_among(data, None, request, mode, counts, tell)
    }

    /// Whether rows after the first that fails must be as they were, which parts that run one
    /// after the other cannot promise.
    fn must_stop(&self, mode: ErrorMode) -> bool {
        let Plan::Parts { parts, .. } = &self.plan else {
            return false;
        };
        mode == ErrorMode::Propagate && parts.len() > 1
    }

    /// Runs the program on rows of its context, all or those `among`; rows that it adds are not
    /// among them. Rows share no scratch map.
    ///
    /// # Errors
    /// Those of [`run::run`].
    pub fn run_among(
        &mut self,
        data: &mut Data,
        among: Option<&Selected>,
        request: &Request,
        mode: ErrorMode,
        counts: &mut Vec<Counts>,
        tell: &mut dyn FnMut(RowFailure<'_>),
    ) -> Result<(), Stopped> {
        let must_stop = self.must_stop(mode);
        let program = &*self.program;
        let statements = program.statements.len();
        counts.resize(statements.max(counts.len()), Counts::default());
        let Some(level) = program.context.level() else {
            return Ok(());
        };
        let Buffers {
            state,
            rows,
            chosen,
            selection,
        } = &mut self.buffers;
        data.rows_into(level, rows)
            .map_err(|error| broken(error.into()))?;
        if let Some(among) = among {
            rows.retain(|row| among.contains(*row));
        }
        let mut call = Call {
            program,
            request,
            mode,
            counts,
            asked: &mut [],
            timed: self.timed,
            tell,
        };
        let Plan::Parts { gate, parts } = &mut self.plan else {
            return call.whole(data, rows);
        };
        if must_stop {
            return call.whole(data, rows);
        }
        if let Some(gate) = gate {
            chosen.clear();
            let choose = |row, _| chosen.push(row);
            if !call.gate(gate, data, state, rows, selection, choose)? {
                return call.whole(data, rows);
            }
            std::mem::swap(rows, chosen);
        }
        for part in parts {
            match part {
                Part::Columns(stage) => call.stage(stage, data, state, rows, selection)?,
                Part::Rows(range, _) => call.rows(data, rows, range.clone())?,
            }
        }
        Ok(())
    }

    /// What the program's conditions say of the rows of its context, on all or on those `among`,
    /// as [`run::conditions`] does.
    ///
    /// # Errors
    /// Those of [`run::conditions`].
    pub fn select(
        &mut self,
        data: &mut Data,
        among: Option<&Selected>,
        request: &Request,
        mode: ErrorMode,
        tell: &mut dyn FnMut(RowFailure<'_>),
    ) -> Result<Verdict, Failure> {
        let mut selected = Selected::default();
        if let Some(level) = self.program.context.level() {
            selected = Selected::with_capacity(data.row_count(level)?);
        }
        let mut choose = |row, _| selected.insert(row);
        match self.ask(data, among, request, mode, tell, &mut choose)? {
            Some((counts, failed)) => Ok(Verdict {
                selected,
                failed,
                counts,
                stopped: None,
            }),
            None => {
                let (program, how) = (&self.program, (mode, self.timed));
                run::conditions_timed(program, data, among, request, how, tell)
            }
        }
    }

    /// Which of the program's conditions holds first on each row of its context, on all or on
    /// those `among`, as [`run::choose`] says.
    ///
    /// # Errors
    /// Those of [`run::choose`].
    pub fn choose(
        &mut self,
        data: &mut Data,
        among: Option<&Selected>,
        request: &Request,
        mode: ErrorMode,
        tell: &mut dyn FnMut(RowFailure<'_>),
    ) -> Result<Choice, Failure> {
        let mut chosen = Vec::new();
        let mut choose = |row, condition| chosen.push((row, condition));
        match self.ask(data, among, request, mode, tell, &mut choose)? {
            Some((counts, failed)) => Ok(Choice {
                chosen,
                failed,
                counts,
                stopped: None,
            }),
            None => {
                let (program, how) = (&self.program, (mode, self.timed));
                run::choose_timed(program, data, among, request, how, tell)
            }
        }
    }

    /// Asks the conditions over columns; what each did, and how often one failed. Nothing when that
    /// has to be done by rows; then nothing was told.
    fn ask(
        &mut self,
        data: &mut Data,
        among: Option<&Selected>,
        request: &Request,
        mode: ErrorMode,
        tell: &mut dyn FnMut(RowFailure<'_>),
        choose: &mut dyn FnMut(u32, u32),
    ) -> Result<Option<(Vec<Counts>, u64)>, Failure> {
        let program = &*self.program;
        let (
            Plan::Parts {
                gate: Some(gate), ..
            },
            Some(level),
        ) = (&mut self.plan, program.context.level())
        else {
            return Ok(None);
        };
        let Buffers {
            state,
            rows,
            selection,
            ..
        } = &mut self.buffers;
        data.rows_into(level, rows)?;
        if let Some(among) = among {
            rows.retain(|row| among.contains(*row));
        }
        let none = || vec![Counts::default(); program.conditions.len()];
        let (mut held, mut failed, mut times) = (none(), none(), none());
        let mut count = |failure: RowFailure<'_>| {
            let mut conditions = program.conditions.iter();
            // The same text may stand there twice.
            let at = conditions.position(|of| std::ptr::eq(&*of.source, failure.source));
            if let Some(counts) = at.and_then(|at| failed.get_mut(at)) {
                counts.failed += 1;
            }
            if mode == ErrorMode::Ignore {
                tell(RowFailure {
                    statement: at,
                    ..failure
                });
            }
        };
        let mut call = Call {
            program,
            request,
            // Failures are counted in every mode, which silent ones are not told for.
            mode: match mode {
                ErrorMode::Propagate => ErrorMode::Propagate,
                _ => ErrorMode::Ignore,
            },
            counts: &mut [],
            asked: &mut times,
            timed: self.timed,
            tell: &mut count,
        };
        let holds = |row, condition: u32| {
            if let Some(counts) = held.get_mut(condition as usize) {
                counts.matched += 1;
            }
            choose(row, condition);
        };
        let asked = call.gate(gate, data, state, rows, selection, holds);
        let asked = asked.map_err(|stopped| stopped.cause)?;
        for ((counts, failed), time) in held.iter_mut().zip(&failed).zip(&times) {
            counts.failed = failed.failed;
            counts.nanos = time.nanos;
        }
        let failed = held.iter().map(|counts| counts.failed).sum();
        Ok(asked.then_some((held, failed)))
    }
}
