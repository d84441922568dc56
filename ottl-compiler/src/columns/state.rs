//! What an execution works with and keeps from batch to batch: columns to compute into,
//! selections, what failed, and results by distinct value.

use trunkline_proto::batch::{
    Data,
    frame::{Column, bytes_of},
};

use super::cells::{Boxed, Cell};
use crate::{failure::Failure, value::Value};

/// Buffers, used again from chunk to chunk and from batch to batch.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Columns that hold what is computed; those below the depth are in use.
    pub temps: Vec<Column>,
    pub depth: usize,
    pub boxed: Boxed,
    /// Somewhere to write a text.
    pub text: Vec<u8>,
    /// The text that came into the dictionary of profiles last, and its index.
    pub interned: Option<(u64, u64)>,
    /// Columns over what is around the rows, and whether they are loaded.
    pub around: Vec<(bool, Column)>,
    /// By position, the first position in the same entity.
    pub leaders: Vec<u16>,
    pub memos: Vec<Memo>,
    /// The scratch map of each row.
    pub cache: Column,
    /// Columns that statements share.
    pub shared: Vec<Shared>,
    /// Selections to be used again.
    pool: Vec<Vec<u16>>,
    /// By position, when a statement failed there last.
    failed: Vec<u32>,
    /// The number of the statement that runs, counted from the beginning of time.
    pub now: u32,
    pub failures: Vec<Failed>,
    /// Marks by position, all false between uses.
    pub marks: Vec<bool>,
    /// Positions on which conditions held, one step behind the other, and where each ends.
    pub matched: Vec<u16>,
    pub matched_ends: Vec<usize>,
}

/// A failure of a step at a position.
#[derive(Debug)]
pub(super) struct Failed {
    pub step: usize,
    pub position: u16,
    pub cause: Failure,
}

impl State {
    /// Begins a chunk of so many rows.
    pub fn begin(&mut self, rows: usize, arounds: usize, memos: usize, shared: usize) {
        self.depth = 0;
        self.boxed.clear();
        self.interned = None;
        if self.around.len() < arounds {
            self.around.resize_with(arounds, Default::default);
        }
        self.around
            .iter_mut()
            .for_each(|(loaded, _)| *loaded = false);
        self.leaders.clear();
        if self.memos.len() < memos {
            self.memos.resize_with(memos, Memo::default);
        }
        self.memos.iter_mut().for_each(Memo::begin);
        if self.shared.len() < shared {
            self.shared.resize_with(shared, Shared::default);
        }
        self.shared.iter_mut().for_each(|of| of.begun = false);
        self.failed.resize(self.failed.len().max(rows), 0);
        self.marks.resize(self.marks.len().max(rows), false);
        self.failures.clear();
        self.matched.clear();
        self.matched_ends.clear();
    }

    /// A column to compute into.
    pub fn temp(&mut self, rows: usize) -> usize {
        if self.temps.len() == self.depth {
            self.temps.push(Column::default());
        }
        if let Some(column) = self.temps.get_mut(self.depth) {
            column.resize(rows);
        }
        self.depth += 1;
        self.depth - 1
    }

    /// A selection like this one.
    pub fn copy(&mut self, selection: &[u16]) -> Vec<u16> {
        let mut copy = self.pool.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(selection);
        copy
    }

    /// Takes a selection back.
    pub fn give(&mut self, selection: Vec<u16>) {
        self.pool.push(selection);
    }

    /// Notes that the step fails at a position.
    pub fn fail(&mut self, step: usize, position: u16, cause: Failure) {
        if let Some(failed) = self.failed.get_mut(usize::from(position)) {
            *failed = self.now;
        }
        self.failures.push(Failed {
            step,
            position,
            cause,
        });
    }

    /// Takes back the failures from this one on, as if they had not been.
    pub fn take_failures(&mut self, from: usize) -> Vec<(u16, Failure)> {
        let taken = self.failures.drain(from.min(self.failures.len())..);
        let failed = &mut self.failed;
        let forget = |of: Failed| {
            if let Some(failed) = failed.get_mut(usize::from(of.position)) {
                *failed = 0;
            }
            (of.position, of.cause)
        };
        taken.map(forget).collect()
    }

    /// Whether the statement that runs failed at a position.
    #[inline(always)]
    pub fn has_failed(&self, position: u16) -> bool {
        self.failed.get(usize::from(position)) == Some(&self.now)
    }

    /// Leaves in a selection where nothing failed, if there are more failures than there were.
    pub fn drop_failed(&self, selection: &mut Vec<u16>, before: usize) {
        if self.failures.len() > before {
            selection.retain(|p| !self.has_failed(*p));
        }
    }

    /// Begins the next statement, or condition.
    pub fn next_statement(&mut self) {
        self.depth = 0;
        self.now = self.now.wrapping_add(1);
        if self.now == 0 {
            self.failed.fill(0);
            self.now = 1;
        }
    }

    pub fn boxed_value(&self, index: u64) -> Option<&Value> {
        self.boxed.get(index as usize)
    }
}

/// A column of what statements share, and where it was computed.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub column: Column,
    known: Vec<bool>,
    /// It is of this chunk.
    begun: bool,
}

impl Shared {
    /// Forgets what was computed for another chunk.
    pub fn begin(&mut self, rows: usize) {
        if !std::mem::replace(&mut self.begun, true) {
            self.column.resize(rows);
            self.known.clear();
            self.known.resize(rows, false);
        }
    }

    pub fn is_known(&self, position: u16) -> bool {
        self.known.get(usize::from(position)) == Some(&true)
    }

    pub fn set(&mut self, position: u16, cell: Cell) {
        let p = usize::from(position);
        let (kinds, bits) = self.column.parts_mut();
        if let (Some(kind), Some(payload), Some(known)) =
            (kinds.get_mut(p), bits.get_mut(p), self.known.get_mut(p))
        {
            (*kind, *payload) = cell;
            *known = true;
        }
    }
}

/// Results by distinct string, in one chunk. Bounded: what does not fit is computed anew, and
/// where strings turn out to be distinct they are not looked up any more.
#[derive(Debug, Default)]
pub(super) struct Memo {
    slots: Vec<Slot>,
    epoch: u32,
    looked: u32,
    missed: u32,
    last: Option<(u64, Cell)>,
    /// Chunks for which strings are not looked up, and how many it was the last time.
    pause: u32,
    pauses: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    epoch: u32,
    hash: u32,
    key: u64,
    cell: Cell,
}

/// Strings that a memo holds at most.
const SLOTS: usize = 512;
/// How far from its place a string is looked for.
const PROBES: usize = 4;
/// After so many strings it is known whether they repeat.
const TRIAL: u32 = 64;

/// Chunks that are passed over at most.
const MOST_PAUSES: u32 = 32;

/// What a memo knows of a string.
pub(super) enum Known {
    /// The result.
    Cell(Cell),
    /// Nothing yet; where the result goes.
    Not(Option<(usize, u32)>),
}

impl Memo {
    fn begin(&mut self) {
        // What was distinct in the chunks before will be so again, most likely.
        if self.is_hopeless() {
            self.pauses = (self.pauses * 2).clamp(1, MOST_PAUSES);
            self.pause = self.pauses + 1;
        } else if self.looked >= TRIAL {
            self.pauses = 0;
        }
        self.pause = self.pause.saturating_sub(1);
        (self.looked, self.missed, self.last) = (0, 0, None);
        self.epoch = self.epoch.wrapping_add(1);
        if self.epoch == 0 {
            self.slots.fill(Slot::default());
            self.epoch = 1;
        }
    }

    fn is_hopeless(&self) -> bool {
        self.looked >= TRIAL && self.missed * 4 > self.looked * 3
    }

    /// Looks a string up by its span.
    #[inline]
    pub fn find(&mut self, heap: &[u8], data: &Data, span: u64) -> Known {
        if let Some((last, cell)) = self.last
            && last == span
        {
            return Known::Cell(cell);
        }
        if self.pause > 0 || self.is_hopeless() {
            return Known::Not(None);
        }
        self.looked += 1;
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, Slot::default());
        }
        let text = bytes_of(heap, data, span);
        let hash = hash(text);
        let mut free = None;
        for probe in 0..PROBES {
            let at = (hash as usize).wrapping_add(probe) % SLOTS;
            let Some(slot) = self.slots.get(at) else {
                break;
            };
            if slot.epoch != self.epoch {
                free = Some((at, hash));
                break;
            }
            if slot.hash == hash && bytes_of(heap, data, slot.key) == text {
                self.last = Some((span, slot.cell));
                return Known::Cell(slot.cell);
            }
        }
        self.missed += 1;
        Known::Not(free)
    }

    /// Keeps a result.
    pub fn keep(&mut self, free: Option<(usize, u32)>, key: u64, cell: Cell) {
        self.last = Some((key, cell));
        if let Some((at, hash)) = free
            && let Some(slot) = self.slots.get_mut(at)
        {
            *slot = Slot {
                epoch: self.epoch,
                hash,
                key,
                cell,
            };
        }
    }
}

#[inline]
fn hash(text: &[u8]) -> u32 {
    const K: u64 = 0x517c_c1b7_2722_0a95;
    let (words, rest) = text.as_chunks::<8>();
    let mut hash = text.len() as u64;
    for word in words {
        hash = (hash.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(K);
    }
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    hash = (hash.rotate_left(5) ^ u64::from_le_bytes(last)).wrapping_mul(K);
    (hash >> 32) as u32
}
