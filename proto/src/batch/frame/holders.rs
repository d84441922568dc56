//! Frames of resources and scopes. What is read and changed of them lies in one message within
//! the row, the `Resource` or `InstrumentationScope`; the rows they hold stay where they are.
//! There are few of them beside the items, so a changed message is written anew as a whole.

use super::{
    Frame,
    added::Added,
    column::state,
    entries::{FIELD, GOES, OTHER, STAYS, bytes},
    kind,
    load::Odd,
    make::put_layout,
};
use crate::{
    batch::{Data, Error, Level, pieces::Piece},
    wire::put_bytes,
};

/// The field of a row that is its resource or scope.
pub(super) const MESSAGE: u32 = 1;

/// Whether rows of a level hold their attributes in a message of their own.
pub(super) fn is_holder(level: Level) -> bool {
    matches!(level, Level::Resource | Level::Scope)
}

impl Frame {
    /// Loads the message of a row. One that came in several pieces is odd. Such as may refer to
    /// the strings of a dictionary are in `interned`.
    pub(super) fn walk_holder(
        &mut self,
        data: &Data,
        position: usize,
        row: u32,
        number: u32,
    ) -> Result<(), Odd> {
        if !data.is_live(self.level, row) {
            return Err(Odd);
        }
        let found = data.sub_message(self.level, row, MESSAGE);
        match found.map_err(|_| Odd)?.as_slice() {
            [] => Ok(()),
            [Piece::Run { start, end }] => {
                self.walk_run(data, position, (*start, *end), number, &mut 0)
            }
            _ => Err(Odd),
        }
    }

    /// Writes the messages that were changed.
    pub(super) fn commit_holders(&self, data: &mut Data) -> Result<(), Error> {
        let (mut from, mut born) = (0, Vec::new());
        for (position, row) in self.rows.iter().enumerate() {
            let to = self.ends.get(position).copied().unwrap_or(from);
            if self.touched.get(position) == Some(&true) && self.odd.get(position) == Some(&false) {
                self.born_at(position, &mut born);
                let body = self.message(data, position, *row, (from, to), &born)?;
                let (start, end) = data.make(|out| put_bytes(out, MESSAGE, &body))?;
                data.replace_fields(self.level, *row, 1 << MESSAGE, Some((start, end)))?;
            }
            from = to;
        }
        Ok(())
    }

    /// The message of a row as it is now.
    fn message(
        &self,
        data: &Data,
        position: usize,
        row: u32,
        (from, to): (u32, u32),
        born: &[(u32, u16)],
    ) -> Result<Vec<u8>, Error> {
        let number = self.level.attributes(self.signal, None);
        let number = number.map_or(0, |(_, number)| number);
        let mut out = Vec::new();
        let old = data.sub_message(self.level, row, MESSAGE)?;
        if let Some(Piece::Run { start, end }) = old.first() {
            let mut kept = *start;
            let entries = self.entries.get(from as usize..to as usize);
            for entry in entries.unwrap_or_default() {
                let slot = match entry.slot {
                    OTHER if entry.edit == STAYS => continue,
                    OTHER => None,
                    slot if slot & FIELD != 0 => self.slot_of(slot & !FIELD),
                    slot => Some(slot as usize),
                };
                let of = slot.map(|slot| self.column(slot).state(position));
                if of == Some(state::ORIGINAL) {
                    continue;
                }
                out.extend_from_slice(data.bytes(kept, entry.head));
                kept = entry.end;
                match (slot, of) {
                    (Some(slot), Some(state::REPLACED)) => {
                        self.put_slot(data, &mut out, number, slot, position);
                    }
                    (None, _) if entry.edit != GOES => {
                        let key = data.bytes(entry.key, entry.key + entry.key_len);
                        let made = self.replacements.get(entry.edit as usize - 2);
                        let (kind, bits) = made.copied().unwrap_or((kind::NIL, 0));
                        self.add_attribute(data, &mut out, number, key, kind, bits);
                    }
                    _ => {}
                }
            }
            out.extend_from_slice(data.bytes(kept, *end));
        }
        let mut added = self.added_at(position).map(|(_, added)| added).peekable();
        let put = |out: &mut Vec<u8>, added: &Added| {
            let key = bytes(&self.heap, data, added.key);
            self.add_attribute(data, out, number, key, added.kind, added.bits);
        };
        for (turn, slot) in born {
            while let Some(added) = added.next_if(|added| added.turn < *turn) {
                put(&mut out, added);
            }
            self.put_slot(data, &mut out, number, (*slot).into(), position);
        }
        added.for_each(|added| put(&mut out, added));
        Ok(out)
    }

    /// The slot of the field with a number.
    fn slot_of(&self, number: u32) -> Option<usize> {
        let mut fields = self.fields.iter();
        let field = fields.find(|field| field.number == number)?;
        Some(field.slot.into())
    }

    /// Appends what a column has for a row: an attribute or a field.
    fn put_slot(&self, data: &Data, out: &mut Vec<u8>, number: u32, slot: usize, position: usize) {
        let (of, bits) = self.column(slot).get(position);
        if let Some(key) = self.finder.key(slot) {
            return self.add_attribute(data, out, number, key, of, bits);
        }
        let field = slot.checked_sub(self.finder.len());
        if let Some(field) = field.and_then(|at| self.fields.get(at)) {
            let text = match of {
                kind::STRING | kind::BYTES => bytes(&self.heap, data, bits),
                _ => &[],
            };
            put_layout(out, field.layout, field.number, of, bits, text);
        }
    }

    fn add_attribute(
        &self,
        data: &Data,
        out: &mut Vec<u8>,
        number: u32,
        key: &[u8],
        of: u8,
        bits: u64,
    ) {
        let mut any = Vec::new();
        self.put_any(data, &mut any, of, bits);
        let mut entry = Vec::with_capacity(key.len() + any.len() + 12);
        put_bytes(&mut entry, 1, key);
        put_bytes(&mut entry, 2, &any);
        put_bytes(out, number, &entry);
    }
}
