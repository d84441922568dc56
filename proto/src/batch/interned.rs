//! Attributes of profiles and samples, which are indices into the dictionary of the request, and
//! those of the resources and scopes around them, which can refer to it. They are read and
//! edited in their plain form, like any other attributes; what an edit leaves alone goes back to
//! what it came from, and what it made is interned. The tables are in [`super::dictionary`].

use smallvec::SmallVec;
use std::collections::HashMap;

use super::{
    Data, Error, Field, Level,
    dictionary::{Origin, PLAIN},
    pieces::{Piece, each_field},
    rows::Found,
    value::{KeyValue, Value},
};
use crate::{
    Signal,
    wire::{Fields, WireType, put_bytes, put_varint, read_varint},
};

impl Data {
    /// Whether rows of a level have attributes by their indices in a dictionary.
    pub(super) fn is_interned(&self, level: Level) -> bool {
        self.signal == Signal::Profiles && matches!(level, Level::Item | Level::Sample)
    }

    /// The indices of a row's attributes, in order.
    fn attribute_indices(&self, level: Level, row: u32) -> Result<SmallVec<[i32; 16]>, Error> {
        let place = Field::AttributeIndices.place(self.signal, level, None);
        let number = place.ok_or(Error::NotApplicable(level))?.number;
        let mut indices = SmallVec::new();
        self.for_fields(level, row, |field| {
            if field.number == number && matches!(field.wire, WireType::Len | WireType::Varint) {
                let bytes = self.bytes(field.start, field.end);
                let mut at = 0;
                while let Some((index, next)) = read_varint(bytes, at) {
                    indices.push(index as i32);
                    at = next;
                }
            }
            Ok(())
        })?;
        Ok(indices)
    }

    /// The attributes of a row in their plain form: pieces, and the number of their field.
    pub(super) fn plain_attributes(
        &mut self,
        level: Level,
        row: u32,
    ) -> Result<(SmallVec<[Piece; 2]>, u32), Error> {
        let mut pieces = SmallVec::new();
        if self.is_interned(level) {
            // A value that many indices name must not be read without end.
            let most = self.most();
            let mut total = 0;
            for index in self.attribute_indices(level, row)? {
                let (start, end) = self.plain_entry(index)?;
                total += (end - start) as usize;
                if total > most {
                    return Err(Error::TooLarge);
                }
                pieces.push(Piece::Run { start, end });
            }
            return Ok((pieces, PLAIN));
        }
        let Some((Some(sub), number)) = level.attributes(self.signal, None) else {
            return Err(Error::NotApplicable(level));
        };
        let mut fields: SmallVec<[Found; 16]> = SmallVec::new();
        for piece in self.sub_message(level, row, sub)? {
            if let Piece::Run { start, end } = piece {
                each_field(&self.payload, &self.arena, start, end, |field| {
                    fields.push(field);
                    Ok(())
                })?;
            }
        }
        for field in fields {
            let (start, end) = match field.number == number && field.wire == WireType::Len {
                true => self.plain_key_value(field)?,
                false => (field.head, field.end),
            };
            push_run(&mut pieces, start, end);
        }
        Ok((pieces, number))
    }

    /// Replaces all attributes of a row by these, in order. One that the row has already stays
    /// what it is, its unit included.
    pub(super) fn set_interned(
        &mut self,
        level: Level,
        row: u32,
        attributes: &[(&[u8], Value<'_>)],
    ) -> Result<(), Error> {
        let (old, _) = self.plain_attributes(level, row)?;
        let mut known: HashMap<Vec<u8>, Piece> = HashMap::with_capacity(old.len());
        for piece in old {
            if let Piece::Run { start, end } = piece {
                let same = self.canonical_field(start, end)?;
                known.entry(same).or_insert(piece);
            }
        }
        let mut out: SmallVec<[Piece; 16]> = SmallVec::new();
        for (key, value) in attributes {
            let (start, end) = self.make(|out| KeyValue::write(out, PLAIN, key, value))?;
            let same = self.canonical_field(start, end)?;
            let new = Piece::Run { start, end };
            out.push(known.get(&same).copied().unwrap_or(new));
        }
        self.put_plain_attributes(level, row, &out)
    }

    /// What two attributes in their plain form, which are whole fields, have in common that are
    /// the same.
    fn canonical_field(&self, start: u32, end: u32) -> Result<Vec<u8>, Error> {
        let whole = self.bytes(start, end);
        let mut out = Vec::with_capacity(whole.len());
        for field in Fields::all(whole) {
            let entry = field?;
            let pair = KeyValue::read(entry.bytes(whole))?;
            out.extend_from_slice(&(pair.key.len() as u64).to_le_bytes());
            out.extend_from_slice(pair.key);
            let value = match pair.split {
                true => KeyValue::merged_value(entry.bytes(whole))?,
                false => pair.value.unwrap_or_default().to_vec(),
            };
            self.canonical_value(&value, &mut out)?;
        }
        Ok(out)
    }

    /// Makes these the attributes of a row, or the message that has them: what is in its plain
    /// form goes back to what it came from.
    pub(super) fn put_plain_attributes(
        &mut self,
        level: Level,
        row: u32,
        pieces: &[Piece],
    ) -> Result<(), Error> {
        let mut fields: SmallVec<[Found; 16]> = SmallVec::new();
        for piece in pieces {
            if let Piece::Run { start, end } = *piece {
                each_field(&self.payload, &self.arena, start, end, |field| {
                    fields.push(field);
                    Ok(())
                })?;
            }
        }
        if !self.is_interned(level) {
            let Some((Some(sub), _)) = level.attributes(self.signal, None) else {
                return Err(Error::NotApplicable(level));
            };
            let mut out: SmallVec<[Piece; 16]> = SmallVec::new();
            for field in fields {
                match self.dictionary()?.origin(field.head) {
                    Some(Origin::Field(start, end)) => push_run(&mut out, start, end),
                    _ => push_run(&mut out, field.head, field.end),
                }
            }
            let new = self.make_message(sub, &out)?;
            return self.replace_fields(level, row, 1 << sub, Some(new));
        }
        let place = Field::AttributeIndices.place(self.signal, level, None);
        let number = place.ok_or(Error::NotApplicable(level))?.number;
        let mut packed: SmallVec<[u8; 64]> = SmallVec::new();
        let mut varint = Vec::with_capacity(10);
        for field in fields {
            let index = match self.dictionary()?.origin(field.head) {
                Some(Origin::Index(index)) => index,
                _ => self.intern_attribute(field)?,
            };
            varint.clear();
            put_varint(&mut varint, index.into());
            packed.extend_from_slice(&varint);
        }
        let new = match packed.is_empty() {
            true => None,
            false => Some(self.make(|out| put_bytes(out, number, &packed))?),
        };
        self.replace_fields(level, row, 1 << number, new)
    }
}

/// Adds a run, to the last one if it adjoins it.
fn push_run<const N: usize>(pieces: &mut SmallVec<[Piece; N]>, start: u32, end: u32)
where
    [Piece; N]: smallvec::Array<Item = Piece>,
{
    match pieces.last_mut() {
        Some(Piece::Run { end: last, .. }) if *last == start => *last = end,
        _ => pieces.push(Piece::Run { start, end }),
    }
}
