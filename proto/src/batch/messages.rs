//! What an entity is made of, as bytes: its whole message, and its attributes as fields of
//! another message. For those who make new entities of old ones; they are put in with
//! [`Data::add_row`].

use smallvec::SmallVec;

use super::{Data, Error, Level};
use crate::wire::put_bytes;

impl Data {
    /// The message of an entity as it is now, encoded, with all that is in it.
    ///
    /// # Errors
    /// [`Error::NoRow`] when it is not there, [`Error::Decode`] when what is around such rows is
    /// not valid.
    pub fn row_message(&mut self, level: Level, row: u32) -> Result<Vec<u8>, Error> {
        self.check_live(level, row)?;
        let mut message = Vec::new();
        let mut lengths = std::mem::take(&mut self.lengths);
        self.encode_row(level, row, &mut lengths, &mut message);
        self.lengths = lengths;
        Ok(message)
    }

    /// Appends the attributes of an entity to `out`, each `KeyValue` as it lies, as field
    /// `number` of whatever message `out` holds.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] for a level without attributes, [`Error::NoRow`],
    /// [`Error::Decode`] when the entity is not valid.
    pub fn attribute_fields(
        &mut self,
        level: Level,
        row: u32,
        number: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.check_live(level, row)?;
        let mut found: SmallVec<[(u32, u32); 32]> = SmallVec::new();
        self.for_attributes(level, row, |field| found.push((field.start, field.end)))?;
        for (start, end) in found {
            put_bytes(out, number, self.bytes(start, end));
        }
        Ok(())
    }

    /// Bytes of the request as it came.
    pub fn payload_len(&self) -> usize {
        self.payload.len()
    }
}
