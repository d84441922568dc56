//! Attributes of entities: reading one, and changing them over many rows at once. Each row is
//! walked once for all edits of a call, and what an edit makes lies in the arena.
//!
//! Duplicate keys are legal input. Reading finds the first, as the Collector does. Removing a
//! key removes every occurrence and setting it leaves one, in the place of the first, so that
//! nothing that a transform removed or overwrote is in the output.

use smallvec::SmallVec;

use super::{
    Data, Error, Level,
    data::ARENA,
    pieces::{Piece, each_field},
    rows::Found,
    scan::{Hit, Scanner},
    value::{KeyValue, Value},
};
use crate::{Signal, wire::WireType};

/// Which rows an edit is for.
#[derive(Clone, Copy, Debug)]
pub enum Selection<'a> {
    /// All rows that are in the request.
    All,
    /// These. A row that was dropped is passed over.
    Rows(&'a [u32]),
}

/// When an attribute is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// In any case (upsert).
    Always,
    /// If the entity does not have it (insert).
    Absent,
    /// If the entity has it (update).
    Present,
}

/// Where the value of an attribute comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// The same for all rows.
    Value(Value<'a>),
    /// The entity's attribute of that key; without it nothing is set.
    Attribute(&'a [u8]),
    /// One value a row; rows without one are left alone.
    Rows(&'a Values),
}

/// A change of the attributes of an entity.
#[derive(Clone, Copy, Debug)]
pub enum AttributeEdit<'a> {
    /// Sets one.
    Set {
        /// Its key.
        key: &'a [u8],
        /// Its value.
        value: Source<'a>,
        /// Under which condition.
        when: When,
    },
    /// Removes one.
    Remove {
        /// Its key.
        key: &'a [u8],
    },
}

/// Values by row, as a kernel makes them: encoded one behind the other.
#[derive(Clone, Debug, Default)]
pub struct Values {
    bytes: Vec<u8>,
    /// Per row where its value ends, and whether it has one.
    ends: Vec<(u32, bool)>,
}

impl Values {
    /// No values yet; the first one pushed is row 0's.
    pub fn new() -> Self {
        Values::default()
    }

    /// The next row's value.
    pub fn push(&mut self, value: Value<'_>) {
        value.write(&mut self.bytes);
        self.ends.push((self.bytes.len() as u32, true));
    }

    /// The next row has none.
    pub fn push_none(&mut self) {
        self.ends.push((self.bytes.len() as u32, false));
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// A row's encoded `AnyValue`.
    pub fn get(&self, row: u32) -> Option<&[u8]> {
        let row = row as usize;
        let (end, true) = *self.ends.get(row)? else {
            return None;
        };
        let start = row
            .checked_sub(1)
            .and_then(|row| self.ends.get(row))
            .map_or(0, |end| end.0);
        self.bytes.get(start as usize..end as usize)
    }
}

impl Data {
    /// The first attribute of a row with this key. `Some(Value::Empty)` is one without a value.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] for a level without attributes, [`Error::Decode`] when the
    /// entity is not valid.
    pub fn attribute(
        &mut self,
        level: Level,
        row: u32,
        key: &[u8],
    ) -> Result<Option<Value<'_>>, Error> {
        self.load(level)?;
        if !self.is_live(level, row) {
            return Err(Error::NoRow(level, row));
        }
        match self.find_value(level, row, key)? {
            Some((start, end)) => Ok(Some(Value::read(self.bytes(start, end))?)),
            None => Ok(None),
        }
    }

    /// The attributes of a row, in order: keys and encoded `AnyValue`s, none for a key without
    /// one. Of a value in several pieces, the last.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] for a level without attributes, [`Error::NoRow`],
    /// [`Error::Decode`] when the entity is not valid.
    pub fn attributes(&mut self, level: Level, row: u32) -> Result<Vec<KeyValue<'_>>, Error> {
        self.check_live(level, row)?;
        let mut found = Vec::new();
        let mut spans: SmallVec<[(u32, u32); 32]> = SmallVec::new();
        self.for_attributes(level, row, |field| spans.push((field.start, field.end)))?;
        for (start, end) in spans {
            found.push(KeyValue::read(self.bytes(start, end))?);
        }
        Ok(found)
    }

    /// The address of the encoded value of the first attribute with this key. Pieces of one
    /// are put together in the arena.
    pub(crate) fn find_value(
        &mut self,
        level: Level,
        row: u32,
        key: &[u8],
    ) -> Result<Option<(u32, u32)>, Error> {
        let mut scanner = Scanner::new();
        scanner.add(key);
        let hits = &mut Vec::new();
        let kind = self.type_of(level, row);
        let found = match level.attributes(self.signal, kind) {
            _ if self.signal == Signal::Profiles => {
                let (pieces, number) = self.plain_attributes(level, row)?;
                find_first(&self.payload, &self.arena, &pieces, number, &scanner, hits)?
            }
            None => return Err(Error::NotApplicable(level)),
            Some((None, number)) => {
                let mut own = [Piece::Run { start: 0, end: 0 }];
                let pieces = self.pieces_of(level, row, &mut own);
                find_first(&self.payload, &self.arena, pieces, number, &scanner, hits)?
            }
            Some((Some(sub), number)) => {
                let bodies = self.sub_message(level, row, sub)?;
                find_first(&self.payload, &self.arena, &bodies, number, &scanner, hits)?
            }
        };
        let Some((start, end)) = found else {
            return Ok(None);
        };
        let bytes = self.bytes(start, end);
        let entry = KeyValue::read(bytes)?;
        if entry.split {
            let value = KeyValue::merged_value(bytes)?;
            return self.make(|out| out.extend_from_slice(&value)).map(Some);
        }
        Ok(Some(match entry.value {
            Some(value) => {
                let start = start + (value.as_ptr() as usize - bytes.as_ptr() as usize) as u32;
                (start, start + value.len() as u32)
            }
            None => (end, end),
        }))
    }

    /// The pieces in which the attributes of a row are, and their field's number. Those of
    /// profiles are in their plain form.
    pub(crate) fn attribute_pieces(
        &mut self,
        level: Level,
        row: u32,
    ) -> Result<(SmallVec<[Piece; 2]>, u32), Error> {
        if self.signal == Signal::Profiles {
            return self.plain_attributes(level, row);
        }
        let kind = self.type_of(level, row);
        let Some((sub, number)) = level.attributes(self.signal, kind) else {
            return Err(Error::NotApplicable(level));
        };
        let pieces = match sub {
            Some(sub) => self.sub_message(level, row, sub)?,
            None => {
                let mut own = [Piece::Run { start: 0, end: 0 }];
                SmallVec::from_slice(self.pieces_of(level, row, &mut own))
            }
        };
        Ok((pieces, number))
    }

    /// Calls `found` with the `KeyValue`s of a row, in order.
    pub(crate) fn for_attributes(
        &mut self,
        level: Level,
        row: u32,
        mut found: impl FnMut(Found),
    ) -> Result<(), Error> {
        let (pieces, number) = self.attribute_pieces(level, row)?;
        for piece in &pieces {
            if let Piece::Run { start, end } = *piece {
                each_field(&self.payload, &self.arena, start, end, |field| {
                    if field.number == number && field.wire == WireType::Len {
                        found(field);
                    }
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

/// The address of the first `KeyValue` with the scanner's key in these pieces. `hits` is space
/// that can be used again.
#[inline]
pub(crate) fn find_first(
    payload: &[u8],
    arena: &[u8],
    pieces: &[Piece],
    number: u32,
    scanner: &Scanner<'_>,
    hits: &mut Vec<Hit>,
) -> Result<Option<(u32, u32)>, Error> {
    hits.clear();
    for piece in pieces {
        let Piece::Run { start, end } = *piece else {
            continue;
        };
        let base = start & ARENA;
        let buf = if base == 0 { payload } else { arena };
        let (from, to) = ((start & !ARENA) as usize, (end & !ARENA) as usize);
        scanner.scan(buf, from, to, number, true, hits)?;
        if let Some(hit) = hits.first() {
            return Ok(Some((hit.start | base, hit.end | base)));
        }
    }
    Ok(None)
}
