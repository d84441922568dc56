//! Everything there is to read and edit in a request, and the request as it is written in pieces; no
//! model beside either.

use super::edits::TYPES;
use crate::{
    Batch,
    batch::{AttributeEdit, Field, Level, Selection, Source, When},
};

/// Reads and edits everything there is to read and edit.
pub fn use_all(batch: &mut Batch) -> Result<(), crate::batch::Error> {
    let signal = batch.signal();
    let data = batch.open()?;
    for level in Level::of(signal) {
        let rows = data.rows(*level)?;
        let fields: Vec<Field> = Field::ALL
            .into_iter()
            .filter(|f| {
                TYPES
                    .iter()
                    .map(|t| Some(*t))
                    .chain([None])
                    .any(|t| f.exists(signal, *level, t))
            })
            .collect();
        data.field_columns(*level, &fields)?;
        for row in rows {
            for field in &fields {
                match data.field(*level, row, *field) {
                    Err(crate::batch::Error::NotApplicable(_)) | Ok(_) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if !TYPES
            .iter()
            .map(|t| Some(*t))
            .chain([None])
            .any(|t| level.has_attributes(signal, t))
        {
            continue;
        }
        data.attribute_table(*level)?;
        data.attribute_column(*level, b"a")?;
        let set = AttributeEdit::Set {
            key: b"c",
            value: Source::Attribute(b"a"),
            when: When::Always,
        };
        data.edit_attributes(
            *level,
            Selection::All,
            &[set, AttributeEdit::Remove { key: b"bb" }],
        )?;
        data.retain_attributes(*level, Selection::All, |key, _| key != b"x.y")?;
    }
    Ok(())
}

/// The request as it is written in pieces of memory, put together.
pub fn written_around(batch: &Batch) -> Vec<u8> {
    let mut between = Vec::new();
    let pieces = batch.write_around(&mut between);
    put_together(pieces, &between)
}

/// Pieces of memory put together; those of `None` are the next so many bytes of what is between.
pub fn put_together(pieces: Vec<(usize, Option<bytes::Bytes>)>, between: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    for (len, piece) in pieces {
        match piece {
            Some(piece) => out.extend_from_slice(&piece),
            None => {
                out.extend_from_slice(&between[at..at + len]);
                at += len;
            }
        }
    }
    out
}
