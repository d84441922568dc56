//! The attributes of an entity as a whole: keeping some of them, and replacing them all. Edits
//! by key are in [`super::attribute_edits`].

use super::{
    Data, Error, Level, Selection, Value,
    pieces::{Piece, Pieces},
    rows::Found,
    value::KeyValue,
};
use crate::{Signal, wire::WireType};

impl Data {
    /// Keeps the attributes for which `keep(key, value)` holds; the value is an encoded
    /// `AnyValue` (its last piece, should it come in several).
    ///
    /// # Errors
    /// [`Error::NotApplicable`] for a level without attributes, [`Error::Decode`] when an
    /// entity is not valid.
    pub fn retain_attributes(
        &mut self,
        level: Level,
        rows: Selection<'_>,
        mut keep: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), Error> {
        let mut out = Pieces::new();
        self.for_selected(level, rows, |data, row| {
            let (pieces, number) = data.attribute_pieces(level, row)?;
            out.clear();
            let goes = |field: &Found| {
                if field.number != number || field.wire != WireType::Len {
                    return Ok(false);
                }
                let entry = KeyValue::read(data.bytes(field.start, field.end))?;
                Ok(!keep(entry.key, entry.value.unwrap_or_default()))
            };
            match data.without(&pieces, goes, &mut out)? {
                Some(_) => data.put_attribute_pieces(level, row, &out),
                None => Ok(()),
            }
        })
    }

    /// Replaces all attributes of a row by these, in order.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] for a level without attributes, [`Error::NoRow`] for a row
    /// that is not there, [`Error::Decode`] when the entity is not valid.
    pub fn set_attributes(
        &mut self,
        level: Level,
        row: u32,
        attributes: &[(&[u8], Value<'_>)],
    ) -> Result<(), Error> {
        self.load(level)?;
        if !self.is_live(level, row) {
            return Err(Error::NoRow(level, row));
        }
        if self.is_interned(level) {
            return self.set_interned(level, row, attributes);
        }
        let (pieces, number) = self.attribute_pieces(level, row)?;
        let (start, end) = self.make(|out| {
            for (key, value) in attributes {
                KeyValue::write(out, number, key, value);
            }
        })?;
        let mut out = Pieces::new();
        self.without(&pieces, |field| Ok(field.number == number), &mut out)?;
        if start < end {
            out.push(Piece::Run { start, end });
        }
        self.put_attribute_pieces(level, row, &out)
    }

    /// Makes these the pieces of the message that has a row's attributes.
    pub(super) fn put_attribute_pieces(
        &mut self,
        level: Level,
        row: u32,
        pieces: &[Piece],
    ) -> Result<(), Error> {
        if self.signal == Signal::Profiles {
            return self.put_plain_attributes(level, row, pieces);
        }
        let kind = self.type_of(level, row);
        match level.attributes(self.signal, kind) {
            Some((Some(sub), _)) => {
                let new = self.make_message(sub, pieces)?;
                self.replace_fields(level, row, 1 << sub, Some(new))
            }
            _ => self.set_pieces(level, row, pieces),
        }
    }
}
