//! Runs what a plan has over columns on rows, chunk by chunk: the conditions of a group (the
//! gate) and stages of statements. Both load a chunk the same way ([`Columns::begin`]); rows that
//! turn out to be odd are done by rows.

use std::{ops::Range, time::Instant};

use trunkline_proto::batch::{
    Data,
    frame::{Frame, MAX_ROWS},
};

use super::{
    eval::Exec,
    gate::Gate,
    plan::{Columns, Stage},
    state::State,
};
use crate::{
    failure::Failure,
    program::Program,
    run::{self, Counts, ErrorMode, Request, RowFailure, Stopped},
};

/// What every part of a run needs.
pub(super) struct Call<'a, 't> {
    pub program: &'a Program,
    pub request: &'a Request,
    pub mode: ErrorMode,
    /// By statement.
    pub counts: &'a mut [Counts],
    /// By condition: the time that they took.
    pub asked: &'a mut [Counts],
    /// Take the time.
    pub timed: bool,
    pub tell: &'a mut (dyn FnMut(RowFailure<'_>) + 't),
}

/// Stands for the number of a condition: none holds.
pub(super) const NO_CONDITION: u32 = u32::MAX;

pub(super) fn broken(cause: Failure) -> Stopped {
    Stopped {
        source: String::new(),
        condition: false,
        row: 0,
        cause,
    }
}

/// Adds the time since the last lap.
pub(super) fn take_lap(lap: &mut Instant, counts: Option<&mut Counts>) {
    let now = Instant::now();
    if let Some(counts) = counts {
        counts.nanos += now.duration_since(*lap).as_nanos() as u64;
    }
    *lap = now;
}

/// Cells of all columns of a chunk together, at most.
const CELLS: usize = 32_768;

/// Rows of a chunk, where there are few statements: what is noted of the rows, and they
/// themselves, stay near from when they are loaded to when they are written.
const NEAR: usize = 64;
/// Statements that are few: what each costs for a chunk, whatever its rows, is little then.
const FEW: usize = 24;

impl Columns {
    fn chunk_size(&self, steps: usize) -> usize {
        let most = if steps <= FEW { NEAR } else { MAX_ROWS };
        (CELLS / self.frame.slots().max(1)).clamp(64, most)
    }

    /// Loads a chunk of rows; the positions that are not odd become the selection.
    fn begin<'e>(
        &'e mut self,
        call: &Call<'e, '_>,
        data: &'e mut Data,
        state: &'e mut State,
        chunk: &[u32],
        selection: &mut Vec<u16>,
    ) -> Result<Exec<'e>, Stopped> {
        self.frame
            .load(data, chunk)
            .map_err(|error| broken(error.into()))?;
        state.begin(chunk.len(), self.arounds.len(), self.memos, self.shared);
        if let Some(empty) = self.cache {
            state.cache.resize(chunk.len());
            let (kinds, bits) = state.cache.parts_mut();
            kinds.fill(empty.0);
            bits.fill(empty.1);
        }
        selection.clear();
        selection.extend(0..chunk.len() as u16);
        if self.frame.any_odd() {
            selection.retain(|p| !self.frame.is_odd(*p));
        }
        Ok(Exec {
            context: call.program.context,
            request: call.request,
            data,
            frame: &mut self.frame,
            arounds: &self.arounds,
            keys: self.keys,
            state,
            step: 0,
        })
    }
}

impl<'a> Call<'a, '_> {
    pub fn pass<T>(
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
            weight: 0,
        })
    }

    /// Runs the whole program by rows.
    pub fn whole(&mut self, data: &mut Data, rows: &[u32]) -> Result<(), Stopped> {
        let timed = self.timed;
        self.pass(|pass| {
            for (i, row) in rows.iter().enumerate() {
                pass.weight = run::weight(timed, i, rows.len());
                pass.row(data, *row)?;
            }
            Ok(())
        })
    }

    /// Runs statements by rows.
    pub fn rows(
        &mut self,
        data: &mut Data,
        rows: &[u32],
        statements: Range<usize>,
    ) -> Result<(), Stopped> {
        let timed = self.timed;
        self.pass(|pass| {
            for (i, row) in rows.iter().enumerate() {
                pass.weight = run::weight(timed, i, rows.len());
                pass.cache.clear();
                pass.statements(data, *row, statements.clone())?;
            }
            Ok(())
        })
    }

    /// The rows on which a condition of the group holds, each with the number of the first that
    /// does. False, and nothing told, when in [`ErrorMode::Propagate`] one fails or has to be
    /// asked by rows.
    pub fn gate(
        &mut self,
        gate: &mut Gate,
        data: &mut Data,
        state: &mut State,
        rows: &[u32],
        selection: &mut Vec<u16>,
        mut out: impl FnMut(u32, u32),
    ) -> Result<bool, Stopped> {
        let Gate { columns, of } = gate;
        let size = columns.chunk_size(of.tests.len());
        let mut found = Vec::new();
        for chunk in rows.chunks(size) {
            let mut exec = columns.begin(self, data, state, chunk, selection)?;
            let times = self.timed.then_some(&mut *self.asked);
            exec.first(of, selection, &mut found, times);
            let Exec {
                frame, state, data, ..
            } = exec;
            let failed = !state.failures.is_empty() || frame.any_odd();
            if self.mode == ErrorMode::Propagate && failed {
                return Ok(false);
            }
            for failed in &state.failures {
                if !frame.is_odd(failed.position)
                    && let Some(row) = chunk.get(usize::from(failed.position))
                {
                    self.tell_condition(failed.step, *row, &failed.cause);
                }
            }
            for ((position, row), found) in (0u16..).zip(chunk).zip(&found) {
                let first = match frame.is_odd(position) {
                    true => self.pass(|pass| pass.first(data, *row))?,
                    false => Some(*found).filter(|found| *found != NO_CONDITION),
                };
                if let Some(first) = first {
                    out(*row, first);
                }
            }
        }
        Ok(true)
    }

    fn tell_condition(&mut self, at: usize, row: u32, cause: &Failure) {
        if self.mode == ErrorMode::Ignore
            && let Some(condition) = self.program.conditions.get(at)
        {
            (self.tell)(RowFailure {
                source: &condition.source,
                statement: None,
                row,
                cause,
            });
        }
    }

    /// Runs the statements of a stage.
    pub fn stage(
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
            columns,
            constant,
        } = stage;
        if let Some(constant) = constant {
            let begun = self.timed.then(Instant::now);
            if constant.put_off(data, rows)? {
                let nanos = begun.map_or(0, |begun| begun.elapsed().as_nanos() as u64);
                for at in statements.clone() {
                    if let Some(counts) = self.counts.get_mut(at) {
                        counts.matched += rows.len() as u64;
                        counts.nanos += nanos / steps.len() as u64;
                    }
                }
                return Ok(());
            }
        }
        for chunk in rows.chunks(columns.chunk_size(steps.len())) {
            let mut exec = columns.begin(self, data, state, chunk, selection)?;
            let mut lap = self.timed.then(Instant::now);
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
                if let Some(lap) = &mut lap {
                    take_lap(lap, self.counts.get_mut(statements.start + step));
                }
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
