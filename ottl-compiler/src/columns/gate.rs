//! The conditions of a group, or of a table of routes: which of them holds first on a row.
//!
//! Those that compare one attribute with texts are not asked one after the other: the text that a
//! row has says at once which of them can hold. Such a comparison cannot fail and changes nothing,
//! so when it is made does not matter; the others are asked in order, on the rows on which none
//! before them holds.

use std::{collections::HashMap, time::Instant};

use smallvec::SmallVec;
use trunkline_proto::batch::frame::kind;

use super::{
    chunks::{NO_CONDITION, take_lap},
    eval::{Exec, Op},
    expr::{Expr, Form, Test},
    lower::Lower,
    plan::Columns,
};
use crate::{ops::CompareOp, run::Counts};

/// Conditions over the same columns.
#[derive(Debug)]
pub(super) struct Gate {
    pub columns: Columns,
    pub of: Conditions,
}

/// Conditions, in order.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    pub tests: Vec<(Test, How)>,
    lookups: Vec<Lookup>,
}

/// On which rows a condition is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Where none before it holds.
    Rest,
    /// Where a lookup says that it can hold, and none before it does.
    Found,
    /// Nowhere: where it holds is what lookups find.
    Known,
}

/// Conditions by the text of a column.
#[derive(Debug)]
struct Lookup {
    column: Column,
    by_text: HashMap<Box<[u8]>, SmallVec<[Entry; 1]>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Slot(usize),
    Around(usize),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    condition: u32,
    /// It holds, or there is more to ask.
    holds: bool,
}

/// Fewer conditions on one column are compared one by one.
const LEAST: usize = 4;

/// What comparisons that a condition begins with ask: whether a column is one of these texts.
struct Begins {
    column: Column,
    texts: Vec<Vec<u8>>,
    /// That is all it asks.
    whole: bool,
}

impl Conditions {
    /// Looks for what can be looked up in these conditions.
    pub fn new(tests: Vec<Test>, lower: &Lower) -> Conditions {
        let begins: Vec<Option<Begins>> = tests.iter().map(|test| begins(test, lower)).collect();
        let mut lookups: Vec<Lookup> = Vec::new();
        let mut tests: Vec<(Test, How)> = tests.into_iter().map(|test| (test, How::Rest)).collect();
        for begun in begins.iter().flatten() {
            let column = begun.column;
            let known = lookups.iter().any(|lookup| lookup.column == column);
            let here = |of: &&Begins| of.column == column;
            if known || begins.iter().flatten().filter(here).count() < LEAST {
                continue;
            }
            let mut by_text: HashMap<Box<[u8]>, SmallVec<[Entry; 1]>> = HashMap::new();
            for (at, (begun, (_, how))) in begins.iter().zip(&mut tests).enumerate() {
                let Some(begun) = begun.as_ref().filter(here) else {
                    continue;
                };
                *how = if begun.whole { How::Known } else { How::Found };
                for text in &begun.texts {
                    let entries = by_text.entry(text.as_slice().into()).or_default();
                    // What comes behind one that holds is never asked.
                    if entries.last().is_none_or(|last| !last.holds) {
                        entries.push(Entry {
                            condition: at as u32,
                            holds: begun.whole,
                        });
                    }
                }
            }
            lookups.push(Lookup { column, by_text });
        }
        Conditions { tests, lookups }
    }
}

fn begins(test: &Test, lower: &Lower) -> Option<Begins> {
    match test {
        Test::Compare {
            op: CompareOp::Eq,
            left,
            right: Expr::Const((kind::STRING, bits)),
        } => {
            let column = match left {
                Expr::Slot(slot, Form::Plain) => Column::Slot(*slot),
                Expr::Around(at, Form::Plain) => Column::Around(*at),
                _ => return None,
            };
            Some(Begins {
                column,
                texts: vec![lower.text(*bits)?.to_vec()],
                whole: true,
            })
        }
        Test::Any(parts) => {
            let mut parts = parts.iter().map(|part| begins(part, lower));
            let mut first = parts.next()??;
            for part in parts {
                let part = part.filter(|part| part.whole && part.column == first.column)?;
                first.texts.extend(part.texts);
            }
            // A text that is named twice is one.
            first.texts.sort();
            first.texts.dedup();
            first.whole.then_some(first)
        }
        Test::All(parts) => {
            let first = begins(parts.first()?, lower)?;
            let whole = first.whole && parts.len() == 1;
            Some(Begins { whole, ..first })
        }
        Test::Lifted(inner) => begins(inner, lower),
        _ => None,
    }
}

impl Exec<'_> {
    /// Puts into `found`, by position, the number of the first condition that holds there, or
    /// [`NO_CONDITION`]. `times` gets the time that each took which was asked.
    pub fn first(
        &mut self,
        of: &Conditions,
        selection: &mut Vec<u16>,
        found: &mut Vec<u32>,
        mut times: Option<&mut [Counts]>,
    ) {
        found.clear();
        found.resize(self.frame.rows().len(), NO_CONDITION);
        let first = |found: &[u32], p: u16| found.get(usize::from(p)).copied().unwrap_or(0);
        let mut candidates = Vec::new();
        for lookup in &of.lookups {
            self.look_up(lookup, selection, found, &mut candidates);
        }
        candidates.sort_unstable();
        let mut candidates = candidates.as_slice();
        let mut lap = times.is_some().then(Instant::now);
        for (step, (test, how)) in of.tests.iter().enumerate() {
            let number = step as u32;
            let mut holds = match how {
                How::Known => continue,
                How::Found => {
                    let end = candidates.partition_point(|(condition, _)| *condition <= number);
                    let (here, rest) = candidates.split_at(end);
                    candidates = rest;
                    let mut holds = self.state.copy(&[]);
                    holds.extend(here.iter().map(|(_, p)| *p));
                    holds.retain(|p| first(found, *p) > number);
                    holds
                }
                How::Rest => {
                    selection.retain(|p| first(found, *p) > number);
                    self.state.copy(selection)
                }
            };
            if !holds.is_empty() {
                self.step = step;
                self.state.next_statement();
                self.filter(test, &mut holds);
            }
            for p in &holds {
                if let Some(found) = found.get_mut(usize::from(*p)) {
                    *found = number;
                }
            }
            self.state.give(holds);
            if let (Some(lap), Some(times)) = (&mut lap, &mut times) {
                take_lap(lap, times.get_mut(step));
            }
        }
    }

    /// What the texts of a column say: conditions that hold, and such as have to be asked.
    fn look_up(
        &mut self,
        lookup: &Lookup,
        selection: &mut Vec<u16>,
        found: &mut [u32],
        candidates: &mut Vec<(u32, u16)>,
    ) {
        let op = match lookup.column {
            Column::Slot(slot) => Op::Slot(self.slot(slot)),
            Column::Around(at) => {
                self.load_around(at);
                if self.frame.any_odd() {
                    selection.retain(|p| !self.frame.is_odd(*p));
                }
                Op::Around(at)
            }
        };
        let view = self.view(op);
        // Rows in the same entity, and not only they, have the very same text.
        let mut last: (u64, Option<&SmallVec<[Entry; 1]>>) = (0, None);
        for p in selection.iter() {
            let (of, bits) = view.get(*p);
            if of != kind::STRING {
                continue;
            }
            if last.1.is_none() || last.0 != bits {
                last = (bits, lookup.by_text.get(self.bytes(bits)));
            }
            for entry in last.1.into_iter().flatten() {
                match (entry.holds, found.get_mut(usize::from(*p))) {
                    (true, Some(found)) => *found = entry.condition.min(*found),
                    _ => candidates.push((entry.condition, *p)),
                }
            }
        }
    }
}
