//! What a run covered: functions by kinds of argument, the error modes in each cell.

use std::{collections::BTreeMap, fmt};

use crate::cases::{Case, KINDS, MODES};

/// What became of a case.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// Both gave the same.
    Same,
    /// Nothing came out of either.
    Silent,
    /// Both refused it at start.
    Refused,
    /// The gateway refuses it by name: not there yet.
    Missing,
    /// They differ; how.
    Different(String),
}

/// Cases counted.
#[derive(Default)]
pub struct Matrix {
    cells: BTreeMap<(String, &'static str), [bool; 3]>,
    /// Cases of which both gave the same.
    pub same: usize,
    silent: usize,
    refused: usize,
    missing: BTreeMap<String, usize>,
    different: usize,
}

impl Matrix {
    /// Counts a case; cells are what both took.
    pub fn add(&mut self, case: &Case, fate: &Fate) {
        match fate {
            Fate::Same => self.same += 1,
            Fate::Silent => self.silent += 1,
            Fate::Refused => {
                self.refused += 1;
                return;
            }
            Fate::Missing => return *self.missing.entry(case.about.clone()).or_default() += 1,
            Fate::Different(_) => self.different += 1,
        }
        let cell = self
            .cells
            .entry((case.about.clone(), case.kind))
            .or_default();
        for (mode, seen) in MODES.iter().zip(cell) {
            *seen |= *mode == case.mode;
        }
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing: usize = self.missing.values().sum();
        writeln!(
            f,
            "{} the same, {} of which nothing came out of either, {} refused by both, {missing} not there yet, {} different",
            self.same, self.silent, self.refused, self.different
        )?;
        write!(f, "{:24}", "error modes taken")?;
        KINDS.iter().try_for_each(|kind| write!(f, " {kind:>6}"))?;
        let mut row = "";
        for (about, _) in self.cells.keys() {
            if about == row {
                continue;
            }
            row = about;
            write!(f, "\n{about:24}")?;
            for kind in KINDS {
                let cell = self.cells.get(&(about.clone(), kind));
                let letters: String = match cell {
                    None => ".".to_owned(),
                    Some(seen) => {
                        let seen = seen.iter().zip(MODES).filter(|(seen, _)| **seen);
                        seen.filter_map(|(_, mode)| mode.chars().next()).collect()
                    }
                };
                write!(f, " {letters:>6}")?;
            }
        }
        writeln!(f)?;
        if !self.missing.is_empty() {
            writeln!(f, "not there yet: {:?}", self.missing)?;
        }
        Ok(())
    }
}
