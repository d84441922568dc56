//! What a run covered: which cells there are, in which error modes each was taken by both or
//! refused by both, and which are empty.

use std::{collections::BTreeMap, fmt};

use crate::cases::MODES;

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

/// A cell: the error modes that it needs, and those in which it was taken.
#[derive(Default)]
struct Cell {
    needs: [bool; 3],
    taken: [bool; 3],
    refused: bool,
}

impl Cell {
    fn is_empty(&self) -> bool {
        !self.refused
            && self
                .needs
                .iter()
                .zip(self.taken)
                .any(|(needs, taken)| *needs && !taken)
    }

    /// Letters of the error modes; `x` where both refuse it whatever the mode is, `?` for each
    /// mode in which it should have been tried.
    fn letters(&self) -> String {
        if self.refused {
            return "x".to_owned();
        }
        let modes = MODES.iter().zip(self.needs.iter().zip(self.taken));
        let letters = modes.filter_map(|(mode, (needs, taken))| match (needs, taken) {
            (_, true) => mode.chars().next(),
            (true, false) => Some('?'),
            (false, false) => None,
        });
        letters.collect()
    }
}

/// Cells and cases counted.
#[derive(Default)]
pub struct Matrix {
    cells: BTreeMap<(String, &'static str), Cell>,
    /// Cases of which both gave the same.
    pub same: usize,
    silent: usize,
    refused: usize,
    missing: BTreeMap<String, usize>,
    different: usize,
}

impl Matrix {
    /// There is a cell of this row and column, in these error modes.
    pub fn expect(&mut self, row: &str, column: &'static str, modes: &[&str]) {
        let cell = self.cells.entry((row.to_owned(), column)).or_default();
        for (known, needs) in MODES.iter().zip(&mut cell.needs) {
            *needs |= modes.contains(known);
        }
    }

    /// What became of the cell in an error mode; what both refuse they refuse in every mode.
    pub fn see(&mut self, row: &str, column: &'static str, mode: &str, fate: &Fate) {
        let cell = self.cells.entry((row.to_owned(), column)).or_default();
        match fate {
            Fate::Refused => cell.refused = true,
            Fate::Same | Fate::Silent => {
                for (known, taken) in MODES.iter().zip(&mut cell.taken) {
                    *taken |= *known == mode;
                }
            }
            // Nothing is known of it.
            Fate::Missing | Fate::Different(_) => {}
        }
    }

    /// Counts a case.
    pub fn count(&mut self, about: &str, fate: &Fate) {
        match fate {
            Fate::Same => self.same += 1,
            Fate::Silent => self.silent += 1,
            Fate::Refused => self.refused += 1,
            Fate::Missing => *self.missing.entry(about.to_owned()).or_default() += 1,
            Fate::Different(_) => self.different += 1,
        }
    }

    /// Cells that should have been taken in some mode and were not, but for those of these rows
    /// and columns.
    pub fn empty(&self) -> Vec<String> {
        let empty = self.cells.iter().filter(|(_, cell)| cell.is_empty());
        empty
            .map(|((row, column), cell)| format!("{row}, {column}: {}", cell.letters()))
            .collect()
    }

    /// Functions that neither takes in any way: a matrix of refusals says nothing.
    pub fn never_taken<'n>(&self, names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
        let taken = |name: &str| {
            self.cells.iter().any(|((row, _), cell)| {
                row.split(' ').next() == Some(name) && cell.taken.contains(&true)
            })
        };
        names.filter(|name| !taken(name)).collect()
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
        writeln!(
            f,
            "{} cells; of each the error modes (i, s, p) in which both took it; x: both refuse it",
            self.cells.len()
        )?;
        // Rows of one kind have the same columns; a line tells which they are.
        let mut columns: Vec<&str> = Vec::new();
        let mut rows: BTreeMap<&str, BTreeMap<&str, &Cell>> = BTreeMap::new();
        for ((row, column), cell) in &self.cells {
            rows.entry(row).or_default().insert(column, cell);
        }
        for (row, cells) in rows {
            let new: Vec<&str> = cells.keys().copied().collect();
            if new.iter().any(|column| !columns.contains(column)) || columns.len() > new.len() + 6 {
                columns = new;
                write!(f, "{:46}", "")?;
                columns
                    .iter()
                    .try_for_each(|column| write!(f, " {column:>8}"))?;
                writeln!(f)?;
            }
            write!(f, "{row:46}")?;
            for column in &columns {
                let letters = cells
                    .get(column)
                    .map_or(String::new(), |cell| cell.letters());
                write!(f, " {letters:>8}")?;
            }
            writeln!(f)?;
        }
        if !self.missing.is_empty() {
            writeln!(f, "not there yet: {:?}", self.missing)?;
        }
        Ok(())
    }
}
