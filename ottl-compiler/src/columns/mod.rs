//! Programs over columns: each statement over all rows at once, where rows do not depend on each
//! other. [`Executor`] has a program, its plan and the buffers it works with; one is kept for
//! each core and program. What a statement means is what the evaluator by rows ([`crate::run`])
//! does with it, to which everything is left that has no kernel, and which every run is tested
//! against.
//!
//! A run takes the rows in chunks. Of each chunk what the statements name is loaded into a
//! [`Frame`], the statements run one after the other, and
//! what they changed is written at the end, once a row. So nothing has happened yet when
//! something turns up that only rows can do: rows that are odd are given up and run by rows, and
//! in [`ErrorMode::Propagate`] the whole chunk when anything fails in it.
//!
//! `plan` says what runs how, `lower` makes expressions (`expr`) of the program's nodes, `eval`,
//! `calls`, `conditions` and `actions` run them, `cells` is what columns hold, `state` what is
//! kept, and `describe` tells people of the plan.

mod actions;
mod calls;
mod cells;
mod conditions;
mod describe;
mod eval;
mod expr;
mod lower;
mod plan;
mod state;
#[cfg(test)]
mod tests;

use std::{ops::Range, sync::Arc};

use trunkline_proto::batch::{
    Data,
    frame::{Frame, MAX_ROWS},
};

pub use self::{
    describe::{Described, Mark},
    plan::Reason,
};
use self::{
    eval::Exec,
    plan::{Part, Plan, Stage},
    state::State,
};
use crate::{
    failure::Failure,
    program::Program,
    run::{self, Counts, ErrorMode, Request, RowFailure, Selected, Stopped, Verdict},
};

/// A program, ready to run over columns.
#[derive(Debug)]
pub struct Executor {
    program: Arc<Program>,
    plan: Plan,
    buffers: Buffers,
}

/// What is kept from run to run.
#[derive(Debug, Default)]
struct Buffers {
    state: State,
    rows: Vec<u32>,
    chosen: Vec<u32>,
    selection: Vec<u16>,
}

/// What every part of a run needs.
struct Call<'a, 't> {
    program: &'a Program,
    request: &'a Request,
    mode: ErrorMode,
    counts: &'a mut [Counts],
    tell: &'a mut (dyn FnMut(RowFailure<'_>) + 't),
}

impl Executor {
    /// Plans a program.
    pub fn new(program: Arc<Program>) -> Executor {
        Executor {
            plan: Plan::new(&program),
            program,
            buffers: Buffers::default(),
        }
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
        let program = &*self.program;
        let statements = program.statements.len();
        counts.resize(statements.max(counts.len()), Counts::default());
        let (Plan::Parts { gate, parts }, Some(level)) = (&mut self.plan, program.context.level())
        else {
            return run::run(program, data, request, mode, shared_cache, counts, tell);
        };
        // Rows after the first that fails must be as they were.
        if mode == ErrorMode::Propagate && parts.len() > 1 {
            return run::run(program, data, request, mode, shared_cache, counts, tell);
        }
        let Buffers {
            state,
            rows,
            chosen,
            selection,
        } = &mut self.buffers;
        data.rows_into(level, rows)
            .map_err(|error| broken(error.into()))?;
        let mut call = Call {
            program,
            request,
            mode,
            counts,
            tell,
        };
        if let Some(gate) = gate {
            if !call.gate(gate, data, state, rows, chosen, selection)? {
                return call.pass(|pass| rows.iter().try_for_each(|row| pass.row(data, *row)));
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
        let program = &*self.program;
        let (
            Plan::Parts {
                gate: Some(gate), ..
            },
            Some(level),
        ) = (&mut self.plan, program.context.level())
        else {
            return run::conditions(program, data, among, request, mode, tell);
        };
        let Buffers {
            state,
            rows,
            chosen,
            selection,
        } = &mut self.buffers;
        data.rows_into(level, rows)?;
        if let Some(among) = among {
            rows.retain(|row| among.contains(*row));
        }
        let mut failed = 0;
        let mut count = |failure: RowFailure<'_>| {
            failed += 1;
            if mode == ErrorMode::Ignore {
                let mut conditions = program.conditions.iter();
                // The same text may stand there twice.
                let at = conditions.position(|of| std::ptr::eq(&*of.source, failure.source));
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
            tell: &mut count,
        };
        let asked = call.gate(gate, data, state, rows, chosen, selection);
        if !asked.map_err(|stopped| stopped.cause)? {
            return run::conditions(program, data, among, request, mode, tell);
        }
        let mut selected = Selected::with_capacity(data.row_count(level)?);
        chosen.iter().for_each(|row| selected.insert(*row));
        Ok(Verdict {
            selected,
            failed,
            stopped: None,
        })
    }
}

fn broken(cause: Failure) -> Stopped {
    Stopped {
        source: String::new(),
        condition: false,
        row: 0,
        cause,
    }
}

/// Cells of all columns of a chunk together, at most.
const CELLS: usize = 32_768;

fn chunk_size(frame: &Frame) -> usize {
    (CELLS / frame.slots().max(1)).clamp(64, MAX_ROWS)
}

impl Call<'_, '_> {
    fn pass<T>(
        &mut self,
        run: impl FnOnce(&mut run::Pass<'_>) -> Result<T, Stopped>,
    ) -> Result<T, Stopped> {
        let mut own = Vec::new();
        run(&mut run::Pass {
            program: self.program,
            request: self.request,
            mode: self.mode,
            cache: &mut own,
            is_shared: false,
            counts: self.counts,
            tell: self.tell,
            room: usize::MAX,
        })
    }

    /// Runs statements by rows.
    fn rows(
        &mut self,
        data: &mut Data,
        rows: &[u32],
        statements: Range<usize>,
    ) -> Result<(), Stopped> {
        self.pass(|pass| {
            for row in rows {
                pass.cache.clear();
                pass.statements(data, *row, statements.clone())?;
            }
            Ok(())
        })
    }

    fn applies(&mut self, data: &mut Data, row: u32) -> Result<bool, Stopped> {
        self.pass(|pass| pass.applies(data, row))
    }

    /// The rows that the conditions of the group let pass. False, and nothing told, when in
    /// [`ErrorMode::Propagate`] one fails or has to be asked by rows.
    fn gate(
        &mut self,
        stage: &mut Stage,
        data: &mut Data,
        state: &mut State,
        rows: &[u32],
        out: &mut Vec<u32>,
        selection: &mut Vec<u16>,
    ) -> Result<bool, Stopped> {
        out.clear();
        let Stage {
            steps,
            frame,
            arounds,
            memos,
            keys,
            ..
        } = stage;
        for chunk in rows.chunks(chunk_size(frame)) {
            frame
                .load(data, chunk)
                .map_err(|error| broken(error.into()))?;
            state.begin(chunk.len(), arounds.len(), *memos);
            positions(frame, selection);
            let mut exec = Exec {
                context: self.program.context,
                request: self.request,
                data,
                frame,
                arounds,
                keys: *keys,
                state,
                step: 0,
            };
            let mut passed = exec.state.copy(&[]);
            for (step, of) in steps.iter().enumerate() {
                exec.step = step;
                exec.state.next_statement();
                let mut holds = exec.state.copy(selection);
                exec.filter(&of.test, &mut holds);
                passed.extend_from_slice(&holds);
                exec.without(selection, &holds);
                exec.state.give(holds);
                if selection.is_empty() {
                    break;
                }
            }
            passed.sort_unstable();
            let Exec {
                frame, state, data, ..
            } = exec;
            let failed = !state.failures.is_empty() || frame.any_odd();
            if self.mode == ErrorMode::Propagate && failed {
                return Ok(false);
            }
            if self.mode == ErrorMode::Ignore {
                for failed in &state.failures {
                    if !frame.is_odd(failed.position)
                        && let Some(condition) = self.program.conditions.get(failed.step)
                        && let Some(row) = chunk.get(usize::from(failed.position))
                    {
                        (self.tell)(RowFailure {
                            source: &condition.source,
                            statement: None,
                            row: *row,
                            cause: &failed.cause,
                        });
                    }
                }
            }
            let mut next = passed.iter().peekable();
            for (position, row) in (0u16..).zip(chunk) {
                let passes = next.next_if(|p| **p == position).is_some();
                let passes = match frame.is_odd(position) {
                    true => self.applies(data, *row)?,
                    false => passes,
                };
                if passes {
                    out.push(*row);
                }
            }
            state.give(passed);
        }
        Ok(true)
    }

    /// Runs the statements of a stage.
    fn stage(
        &mut self,
        stage: &mut Stage,
        data: &mut Data,
        state: &mut State,
        rows: &[u32],
        selection: &mut Vec<u16>,
    ) -> Result<(), Stopped> {
        let Stage {
            statements,
            steps,
            frame,
            arounds,
            memos,
            keys,
        } = stage;
        for chunk in rows.chunks(chunk_size(frame)) {
            frame
                .load(data, chunk)
                .map_err(|error| broken(error.into()))?;
            state.begin(chunk.len(), arounds.len(), *memos);
            positions(frame, selection);
            let mut exec = Exec {
                context: self.program.context,
                request: self.request,
                data,
                frame,
                arounds,
                keys: *keys,
                state,
                step: 0,
            };
            for (step, of) in steps.iter().enumerate() {
                exec.step = step;
                exec.state.next_statement();
                // What was given up must not answer for the rows around it.
                if exec.frame.any_odd() {
                    selection.retain(|p| !exec.frame.is_odd(*p));
                }
                let mut chosen = exec.state.copy(selection);
                exec.filter(&of.test, &mut chosen);
                exec.state.matched.extend_from_slice(&chosen);
                let end = exec.state.matched.len();
                exec.state.matched_ends.push(end);
                if !chosen.is_empty() {
                    exec.act(&of.action, &mut chosen);
                }
                exec.state.give(chosen);
            }
            let Exec {
                frame, state, data, ..
            } = exec;
            let failed = !state.failures.is_empty() || frame.any_odd();
            if self.mode == ErrorMode::Propagate && failed {
                self.rows(data, chunk, statements.clone())?;
                continue;
            }
            frame.commit(data).map_err(|error| broken(error.into()))?;
            self.count(statements, frame, state, chunk);
            if frame.any_odd() {
                for (position, row) in (0u16..).zip(chunk) {
                    if frame.is_odd(position) {
                        self.rows(data, &[*row], statements.clone())?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Counts and tells what happened, odd rows aside.
    fn count(&mut self, statements: &Range<usize>, frame: &Frame, state: &State, chunk: &[u32]) {
        let mut from = 0;
        for (at, end) in statements.clone().zip(&state.matched_ends) {
            let matched = state.matched.get(from..*end).unwrap_or_default();
            from = *end;
            let matched = match frame.any_odd() {
                true => matched.iter().filter(|p| !frame.is_odd(**p)).count(),
                false => matched.len(),
            };
            if let Some(counts) = self.counts.get_mut(at) {
                counts.matched += matched as u64;
            }
        }
        for failed in &state.failures {
            if frame.is_odd(failed.position) {
                continue;
            }
            let at = statements.start + failed.step;
            if let Some(counts) = self.counts.get_mut(at) {
                counts.failed += 1;
            }
            if self.mode == ErrorMode::Ignore
                && let Some(statement) = self.program.statements.get(at)
                && let Some(row) = chunk.get(usize::from(failed.position))
            {
                (self.tell)(RowFailure {
                    source: &statement.source,
                    statement: Some(at),
                    row: *row,
                    cause: &failed.cause,
                });
            }
        }
    }
}

/// The positions that are not odd become the selection.
fn positions(frame: &Frame, selection: &mut Vec<u16>) {
    selection.clear();
    selection.extend(0..frame.rows().len() as u16);
    if frame.any_odd() {
        selection.retain(|p| !frame.is_odd(*p));
    }
}
