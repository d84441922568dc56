//! Rows of one level as columns that can be read and changed: the attributes and fields that a
//! program names, gathered in one walk over each row, and every change of them kept in the
//! columns until [`Frame::commit`] writes each changed row anew, once. What a kernel makes of
//! them lies in the frame's heap until then. Finding is in `load`, writing in `commit`, `whole`
//! and `make`; what is different for resources and scopes in `holders`, for profiles and samples
//! in `interned`.
//!
//! A row in which something is unusual (a key given twice, a value in pieces, a field of the
//! wrong type, bytes that are not valid) is [odd](Frame::is_odd): the frame neither reads nor
//! changes it, and whoever works with the frame has to do that row by itself.

mod added;
mod column;
mod commit;
mod entries;
mod finder;
mod holders;
mod interned;
mod load;
mod make;
mod maps;
mod parents;
#[cfg(test)]
mod tests;
mod whole;

use super::{Field, Level, MetricType, fields::Layout};
use crate::Signal;

pub use added::Pair;
pub use column::{Column, kind, span};
pub use entries::{Change, Entry, bytes_of};

use finder::{Classes, Finder};

/// Rows that a frame holds at once, at most: positions are 16 bits wide, and what a kernel works
/// on should stay in the cache.
pub const MAX_ROWS: usize = 1024;

/// Which attributes besides the named ones a frame has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// None.
    None,
    /// Those that take more than so many bytes, key included; shorter ones may be missing.
    Longer(u32),
    /// All.
    All,
}

/// Columns over some rows of a level. Kept and used again from batch to batch.
#[derive(Debug)]
pub struct Frame {
    signal: Signal,
    level: Level,
    finder: Finder,
    /// By number, the fields that are read; slots follow those of the attributes.
    fields: Vec<FieldSlot>,
    /// By number, which of `fields` it is, if that is the only one and lies in no message.
    simple: [u16; 32],
    /// By number, the slots of those that have eight bytes, and of texts.
    fixed64: [u16; 32],
    texts: [u16; 32],
    /// Bit set of their numbers, and of those of which something was changed.
    watched: u32,
    classes: Classes,
    changed: u32,
    /// Where attributes are indices and anyone asks for some: the number of these, else 0.
    indices: u32,
    others: Others,
    reads_only: bool,
    rows: Vec<u32>,
    odd: Vec<bool>,
    any_odd: bool,
    /// Bytes of the longest run that was walked over.
    longest: u32,
    touched: Vec<bool>,
    columns: Vec<Column>,
    entries: Vec<Entry>,
    /// By position, where its entries end.
    ends: Vec<u32>,
    /// Whether any entry has no slot.
    any_others: bool,
    /// Attributes without a slot that came to be, and which of them each row has; empty where
    /// there is none.
    added: Vec<added::Added>,
    added_of: Vec<added::OfRow>,
    /// Slots of which anything came to be, in that order, and the number of times so far that
    /// something was set.
    born: Vec<u16>,
    /// Each of them in one turn: its order is that of every row.
    in_order: bool,
    turns: u32,
    heap: Vec<u8>,
    /// Bytes at the start of the heap that stay.
    fixed: usize,
    /// New values of entries without a slot.
    replacements: Vec<(u8, u64)>,
    scratch: make::Scratch,
    /// Attributes of the dictionary of profiles.
    table: interned::Table,
}

/// A field that is read.
#[derive(Clone, Copy, Debug)]
struct FieldSlot {
    slot: u16,
    /// The number in the entity.
    number: u32,
    /// The number within the message that is there, if the field is in one.
    within: Option<u32>,
    layout: Layout,
}

/// For a number that several fields have, or fields in a message, or none.
const NOT_SIMPLE: u16 = u16::MAX;

/// Bytes of zeros at the start of every heap.
pub const ZEROS: usize = 16;

impl Frame {
    /// A frame for attributes with these keys, whose slots are 0, 1, …, and these fields, whose
    /// slots follow. Every key and field once, at most 60,000 of them. `None` when such a frame
    /// cannot have one of the fields, or the level has no attributes of its own.
    pub fn new(
        signal: Signal,
        level: Level,
        keys: &[&[u8]],
        fields: &[Field],
        others: Others,
    ) -> Option<Frame> {
        if !Frame::exists(signal, level) || keys.len() + fields.len() > 60_000 {
            return None;
        }
        let mut frame = Frame {
            signal,
            level,
            finder: Finder::new(keys),
            fields: Vec::new(),
            simple: [NOT_SIMPLE; 32],
            fixed64: [NOT_SIMPLE; 32],
            texts: [NOT_SIMPLE; 32],
            watched: 0,
            classes: Classes::new(0, 0),
            changed: 0,
            indices: 0,
            others,
            reads_only: false,
            rows: Vec::new(),
            odd: Vec::new(),
            any_odd: false,
            longest: 0,
            touched: Vec::new(),
            columns: Vec::new(),
            entries: Vec::new(),
            ends: Vec::new(),
            any_others: false,
            added: Vec::new(),
            added_of: Vec::new(),
            born: Vec::new(),
            in_order: true,
            turns: 0,
            heap: vec![0; ZEROS],
            fixed: ZEROS,
            replacements: Vec::new(),
            scratch: make::Scratch::new(keys),
            table: interned::Table::default(),
        };
        for (at, field) in fields.iter().enumerate() {
            let slot = (keys.len() + at) as u16;
            let (number, within, layout) = place(signal, level, *field)?;
            let again = frame.watched >> number & 1 == 1;
            frame.watched |= 1 << number;
            if let Some(simple) = frame.simple.get_mut(number as usize) {
                *simple = match within {
                    None if !again => at as u16,
                    _ => NOT_SIMPLE,
                };
            }
            frame.fields.push(FieldSlot {
                slot,
                number,
                within,
                layout,
            });
        }
        for field in &frame.fields {
            let at = field.number as usize;
            let slots = match field.layout {
                Layout::Fixed64 => &mut frame.fixed64,
                Layout::Bytes => &mut frame.texts,
                _ => continue,
            };
            if let Some(slot) = slots.get_mut(at)
                && frame.simple.get(at) != Some(&NOT_SIMPLE)
            {
                *slot = field.slot;
            }
        }
        if interned::is_interned(signal, level) && (!keys.is_empty() || others != Others::None) {
            let indices = Field::AttributeIndices.place(signal, level, None)?;
            frame.indices = indices.number;
            frame.watched |= 1 << indices.number;
        }
        frame
            .columns
            .resize_with(keys.len() + fields.len(), Column::default);
        Some(frame)
    }

    /// The same frame, for whoever changes nothing: of a row no more is looked at than it takes
    /// to find every key once.
    pub fn reading(mut self) -> Frame {
        self.reads_only = true;
        self
    }

    /// Whether there are frames of such rows.
    pub fn exists(signal: Signal, level: Level) -> bool {
        if holders::is_holder(level) {
            return true;
        }
        let levels = match signal {
            Signal::Traces => &[Level::Item, Level::Event][..],
            Signal::Metrics => &[Level::Item, Level::DataPoint],
            Signal::Logs => &[Level::Item],
            Signal::Profiles => &[Level::Item, Level::Sample],
        };
        levels.contains(&level)
    }

    /// Whether a frame of such rows can have a field.
    pub fn can_have(signal: Signal, level: Level, field: Field) -> bool {
        Frame::exists(signal, level) && place(signal, level, field).is_some()
    }

    /// The level of its rows.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Number of slots.
    pub fn slots(&self) -> usize {
        self.columns.len()
    }

    /// The rows, by position.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// A column by slot.
    #[inline]
    pub fn column(&self, slot: usize) -> &Column {
        self.columns.get(slot).unwrap_or(&column::EMPTY)
    }

    /// Whether the frame leaves the row at this position alone.
    pub fn is_odd(&self, position: u16) -> bool {
        self.odd.get(position as usize) != Some(&false)
    }

    /// Whether any row has an attribute without a slot that the frame sees.
    pub fn any_others(&self) -> bool {
        self.any_others
    }

    /// Whether no string of a slot has more bytes.
    pub fn is_shorter(&self, slot: usize, limit: usize) -> bool {
        let column = self.column(slot);
        // What was only loaded is no longer than where it was found.
        !column.written && self.longest as usize <= limit || column.longest() <= limit
    }

    /// Whether any row is odd.
    pub fn any_odd(&self) -> bool {
        self.any_odd
    }

    /// Gives up a row: what was changed of it is forgotten.
    pub fn give_up(&mut self, position: u16) {
        if let Some(odd) = self.odd.get_mut(position as usize) {
            *odd = true;
            self.any_odd = true;
        }
    }

    /// Puts bytes into the heap that stay there from batch to batch; their span.
    pub fn put_constant(&mut self, bytes: &[u8]) -> u64 {
        self.heap.truncate(self.fixed);
        let at = self.heap.len();
        self.heap.extend_from_slice(bytes);
        self.fixed = self.heap.len();
        span::heap(at, bytes.len())
    }

    /// Bytes that kernels made. They last until the next load.
    pub fn heap(&self) -> &[u8] {
        &self.heap
    }

    /// The heap, to append to.
    pub fn heap_mut(&mut self) -> &mut Vec<u8> {
        &mut self.heap
    }

    /// Puts bytes into the heap; their span, `None` when it is full.
    pub fn put(&mut self, bytes: &[u8]) -> Option<u64> {
        let at = self.heap.len();
        self.heap.extend_from_slice(bytes);
        self.span_from(at)
    }

    /// The span of what was appended to the heap since it had this length; `None`, and taken
    /// back, when the heap is full.
    pub fn span_from(&mut self, at: usize) -> Option<u64> {
        if self.heap.len() > span::MOST {
            self.heap.truncate(at);
            return None;
        }
        Some(span::heap(at, self.heap.len() - at))
    }

    /// Sets attributes or fields: the value at each of these positions, which ascend, is what
    /// `value` gives.
    #[inline]
    pub fn set(&mut self, slot: usize, at: &[u16], value: impl Fn(u16) -> (u8, u64)) {
        if let Some(field) = slot.checked_sub(self.finder.len())
            && let Some(field) = self.fields.get(field)
        {
            self.changed |= 1 << field.number;
        }
        let Some(column) = self.columns.get_mut(slot) else {
            return;
        };
        self.turns += 1;
        column.written = true;
        if column.put(at, value, self.turns) {
            match std::mem::replace(&mut column.born, true) {
                true => self.in_order = false,
                false => self.born.push(slot as u16),
            }
        }
        if at.len() == self.touched.len() {
            self.touched.fill(true);
            return;
        }
        for position in at {
            if let Some(touched) = self.touched.get_mut(usize::from(*position)) {
                *touched = true;
            }
        }
    }

    /// As [`Frame::set`], with the values of another column of the frame.
    pub fn set_from(&mut self, slot: usize, at: &[u16], from: usize) {
        if slot == from {
            // A value that is written as it is becomes a new one all the same.
            let column = std::mem::take(&mut self.columns[slot]);
            let cells: Vec<(u16, (u8, u64))> =
                at.iter().map(|p| (*p, column.get(*p as usize))).collect();
            self.columns[slot] = column;
            for (p, cell) in cells {
                self.set(slot, &[p], |_| cell);
            }
            return;
        }
        let Some(source) = self.columns.get_mut(from) else {
            return;
        };
        let source = std::mem::take(source);
        self.set(slot, at, |p| source.get(p as usize));
        self.columns[from] = source;
    }

    /// Removes attributes.
    pub fn remove(&mut self, slot: usize, at: &[u16]) {
        let Some(column) = self.columns.get_mut(slot) else {
            return;
        };
        for position in at {
            let p = *position as usize;
            if column.take(p)
                && let Some(touched) = self.touched.get_mut(p)
            {
                *touched = true;
            }
        }
    }
}

/// The field's number in the entity, the number within the message that is there, how it is
/// encoded; `None` for fields that frames do not have.
fn place(signal: Signal, level: Level, field: Field) -> Option<(u32, Option<u32>, Layout)> {
    let kind = match level {
        // These are the same for all types of points.
        Level::DataPoint if matches!(field, Field::StartTime | Field::Time) => {
            Some(MetricType::Sum)
        }
        _ => None,
    };
    let place = field.place(signal, level, kind)?;
    let simple = !matches!(
        place.layout,
        Layout::Fixed64s | Layout::Varints | Layout::Messages
    );
    if place.in_data || place.oneof != 0 || !simple {
        return None;
    }
    if holders::is_holder(level) {
        // Only what is in the message of the resource or scope.
        return place.sub.map(|_| (place.number, None, place.layout));
    }
    match place.sub {
        Some(sub) if place.layout != Layout::Message => {
            Some((sub, Some(place.number), place.layout))
        }
        Some(_) => None,
        None => Some((place.number, None, place.layout)),
    }
}
