//! Values of the entities around the rows of a frame, which it reads and does not change.

use super::{Frame, kind, load};
use crate::batch::{Data, Error, Field, Level, pieces::Piece};
use smallvec::SmallVec;

impl Frame {
    /// The first attribute of a row with this key, as kind and payload.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] for a level without attributes, [`Error::Decode`] when the
    /// entity is not valid.
    pub fn attribute_of(
        data: &mut Data,
        level: Level,
        row: u32,
        key: &[u8],
    ) -> Result<(u8, u64), Error> {
        data.check_live(level, row)?;
        match data.find_value(level, row, key)? {
            Some((start, end)) => match load::value(data, start, end) {
                Some(value) => Ok(value),
                // Say what is wrong with it.
                None => {
                    crate::batch::Value::read(data.bytes(start, end))?;
                    Ok((kind::NIL, 0))
                }
            },
            None => Ok((kind::NIL, 0)),
        }
    }

    /// A field of a row, as kind and payload; of one that is not set, what it then counts as.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] when such entities do not have it, [`Error::Decode`] when the
    /// entity is not valid.
    pub fn field_of(
        data: &mut Data,
        level: Level,
        row: u32,
        field: Field,
    ) -> Result<(u8, u64), Error> {
        data.check_live(level, row)?;
        let (place, level, row) = data.locate(level, row, field)?;
        let pieces: SmallVec<[Piece; 16]> = match place.sub {
            Some(sub) => SmallVec::from_slice(&data.sub_message(level, row, sub)?),
            None => {
                let mut own = [Piece::Run { start: 0, end: 0 }];
                SmallVec::from_slice(data.pieces_of(level, row, &mut own))
            }
        };
        let Some((start, end, wire)) = data.read_place(&pieces, &place)? else {
            return Ok(load::unset(place.layout));
        };
        match load::field_value(data, place.layout, wire, start, end) {
            Some(value) => Ok(value),
            None => {
                data.value_at(&place, start, end, wire)?;
                Err(Error::NotApplicable(level))
            }
        }
    }
}
