//! A request as it came, and as columns.
//!
//! A [`Batch`] holds the bytes of one OTLP request (or of several joined). Until something
//! looks inside it stays that: counting, passing on, joining and fanning out touch no item.
//! [`Batch::open`] takes it apart into [`Data`].
//!
//! # Rows
//!
//! An entity is a row of a [`Level`]. Rows are numbered in the order in which they came and
//! keep their number; rows added later follow. [`Data::rows`] lists those that are in the
//! request, [`Data::children`] and [`Data::parent`] say how they hang together.
//!
//! # Reading
//!
//! - one row: [`Data::attribute`], [`Data::attributes`], [`Data::field`], [`Data::metric_type`],
//!   [`Data::row_message`];
//! - all rows of a level: [`Data::attribute_column`], [`Data::attribute_table`],
//!   [`Data::field_columns`].
//!
//! Every read sees every write before it. Columns are over the payload, not copied; what edits
//! made is copied into them.
//!
//! # Changing
//!
//! - attributes, of many rows at once: [`Data::edit_attributes`], [`Data::retain_attributes`],
//!   [`Data::set_attributes`];
//! - fields: [`Data::set_field`], [`Data::set_fields`];
//! - the tree: [`Data::drop_row`], [`Data::retain_rows`], [`Data::add_row`], [`Data::copy_row`],
//!   [`Data::move_row`], [`Data::reorder_rows`], [`Data::set_metric_type`].
//!
//! # What is checked when
//!
//! At the door every message down to the items is known to lie within the one around it
//! ([`Batch::from_protobuf`]). What is inside items is checked where it is read: reading and
//! changing report an [`Error::Decode`] that names the byte. [`Batch::validate`] checks
//! everything at once, for whoever must know before passing a request on.
//!
//! Legal input of every form is read as decoders read it: fields in any order, messages in
//! pieces (merged), several members of a oneof (the last counts), packed and unpacked lists,
//! duplicate keys (the first is found), strings that are not UTF-8, unknown fields (kept).

mod attribute_edits;
mod attribute_lists;
mod attributes;
mod columns;
mod data;
mod deferred;
mod dictionary;
mod edit_program;
mod encode;
mod error;
mod field_access;
mod field_columns;
mod fields;
pub mod frame;
mod interned;
mod join;
mod level;
mod messages;
mod partition;
mod pieces;
mod references;
mod rows;
mod scan;
mod schema;
mod structure;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod tests;
mod validate;
mod value;
mod walk;

use bytes::Bytes;
use smallvec::SmallVec;
use std::{fmt, sync::Arc};

use crate::{
    Signal,
    wire::{DecodeError, DecodeErrorKind},
};

use data::ARENA;

pub use attributes::{AttributeEdit, Selection, Source, Values, When};
pub use columns::{AttributeColumn, AttributeTable};
pub use data::Data;
pub use error::{Error, Table};
pub use fields::{Field, FieldValue};
pub use level::{Level, MetricType};
pub use value::{KeyValue, Value, ValueType};

/// The largest request that is read, in bytes: offsets are 31 bits wide.
pub const MAX_REQUEST: usize = (1 << 31) - 1;

/// One OTLP request, or several joined. Cheap to clone: clones share the bytes.
#[derive(Clone)]
pub struct Batch {
    signal: Signal,
    /// The encoded requests, in order; more than one after a join.
    parts: SmallVec<[Bytes; 1]>,
    items: usize,
    /// The request taken apart, once something looked inside.
    data: Option<Arc<Data>>,
    /// The request compressed, as it came.
    packed: Option<Packed>,
}

/// A request as it came over the wire, compressed.
#[derive(Clone, Debug)]
pub struct Packed {
    /// The content coding, by its registered name: `gzip`, `zstd`, …
    pub coding: &'static str,
    /// The compressed request.
    pub bytes: Bytes,
}

impl Batch {
    /// Takes an `Export…ServiceRequest` as it came, having walked its structure: every
    /// message down to the items must lie within the one that holds it.
    ///
    /// # Errors
    /// A [`DecodeError`] naming the byte when the structure is not valid protobuf.
    pub fn from_protobuf(signal: Signal, payload: Bytes) -> Result<Batch, DecodeError> {
        if payload.len() > MAX_REQUEST {
            return Err(DecodeError::new(MAX_REQUEST, DecodeErrorKind::TooLarge));
        }
        let items = walk::count(signal, &payload)?;
        Ok(Batch {
            signal,
            parts: SmallVec::from_buf([payload]),
            items,
            data: None,
            packed: None,
        })
    }

    /// Remembers the compressed form that the request came in, so that it can leave as it came
    /// when nothing has changed it.
    pub fn packed_as(mut self, packed: Packed) -> Batch {
        self.packed = Some(packed);
        self
    }

    /// The compressed form that the request came in; `None` once anything was changed, joined
    /// or split.
    pub fn packed(&self) -> Option<&Packed> {
        self.packed.as_ref().filter(|_| !self.is_edited())
    }

    /// Checks the whole request, down to the last nested value.
    ///
    /// # Errors
    /// A [`DecodeError`] naming the byte.
    pub fn validate(&self) -> Result<(), DecodeError> {
        for part in &self.parts {
            validate::validate(part, schema::request(self.signal))?;
        }
        Ok(())
    }

    /// The signal.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Number of spans, data points, log records or profile samples.
    pub fn item_count(&self) -> usize {
        match &self.data {
            Some(data) if data.restructured => data.item_count(),
            _ => self.items,
        }
    }

    /// Bytes of the request as it came (of all of them, when joined).
    pub fn payload_len(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    /// Whether anything was changed since the bytes came.
    pub fn is_edited(&self) -> bool {
        self.data.as_ref().is_some_and(|data| data.edited)
    }

    /// Takes the request apart, to read and change it. Clones that share it copy the tables
    /// and the edits first (not the payload).
    ///
    /// # Errors
    /// [`Error::TooLarge`] for joined requests beyond [`MAX_REQUEST`].
    pub fn open(&mut self) -> Result<&mut Data, Error> {
        if self.data.is_none() {
            if self.payload_len() > MAX_REQUEST {
                return Err(Error::TooLarge);
            }
            let payload = self.to_protobuf();
            self.data = Some(Arc::new(Data::new(
                self.signal,
                payload.clone(),
                self.items,
            )?));
            self.parts = SmallVec::from_buf([payload]);
        }
        match &mut self.data {
            Some(data) => Ok(Arc::make_mut(data)),
            None => Err(Error::TooLarge),
        }
    }

    /// The request encoded, as pieces of memory to be put one behind the other; nothing is copied.
    /// `None` when something was changed: then it has to be written.
    pub fn parts(&self) -> Option<&[Bytes]> {
        (!self.is_edited()).then_some(&*self.parts)
    }

    /// The request encoded. Unedited: the very bytes that came, not copied.
    pub fn to_protobuf(&self) -> Bytes {
        if let [part] = self.parts.as_slice()
            && !self.is_edited()
        {
            return part.clone();
        }
        let mut out = Vec::with_capacity(self.payload_len());
        self.write_protobuf(&mut out);
        out.into()
    }

    /// Appends the request, encoded, to `out`.
    pub fn write_protobuf(&self, out: &mut Vec<u8>) {
        if let Some(data) = &self.data
            && data.edited
        {
            return data.encode(out);
        }
        for part in &self.parts {
            out.extend_from_slice(part);
        }
    }

    /// Whether much of a changed request lies in long runs of bytes, so that
    /// [`Batch::write_around`] spares copying them.
    pub fn has_long_runs(&self) -> bool {
        let data = self.data.as_ref().filter(|data| data.edited);
        data.is_some_and(|data| {
            let scopes = data.level(Level::Scope).len().max(1);
            data.deferred.is_none() && data.payload.len() / scopes >= 2 * encode::LONG as usize
        })
    }

    /// The request encoded, as [`Batch::write_protobuf`] writes it, in pieces to be put one
    /// behind the other: long runs of bytes stay where they are, and only what is between them is
    /// put into `out`. A piece of `None` is the next so many bytes of that.
    pub fn write_around(&self, out: &mut Vec<u8>) -> Vec<(usize, Option<Bytes>)> {
        let Some(data) = self.data.as_ref().filter(|data| data.edited) else {
            let parts = self.parts.iter();
            return parts.map(|part| (part.len(), Some(part.clone()))).collect();
        };
        let (from, mut runs) = (out.len(), Vec::new());
        data.encode_apart(out, &mut runs);
        let made = Bytes::from_owner(Arena(data.clone()));
        pieces(&runs, &data.payload, &made, from..out.len())
    }

    /// As [`Batch::write_around`], for whoever sends the request and has no further use for it:
    /// what came is let go of where nothing of it is left in long runs and nobody else holds it,
    /// and only what was made of it stays. Whether that is so.
    pub fn into_pieces(mut self, out: &mut Vec<u8>) -> (Vec<(usize, Option<Bytes>)>, bool) {
        let Some(data) = self.data.as_mut().filter(|data| data.edited) else {
            return (self.write_around(out), false);
        };
        let (from, mut runs) = (out.len(), Vec::new());
        data.encode_apart(out, &mut runs);
        let is_made = runs.iter().all(|run| run.start & ARENA != 0);
        let alone = Arc::get_mut(data).filter(|_| is_made);
        let alone = alone.map(|data| Bytes::from(std::mem::take(&mut data.arena)));
        let is_alone = alone.is_some();
        let made = alone.unwrap_or_else(|| Bytes::from_owner(Arena(data.clone())));
        (
            pieces(&runs, &data.payload, &made, from..out.len()),
            is_alone,
        )
    }

    /// Bytes that edits made.
    pub fn made_len(&self) -> usize {
        self.data.as_ref().map_or(0, |data| data.arena.len())
    }

    /// Cuts the request into ones of at most `max_items` items (at least 1), in order,
    /// repeating what is around the items. A metric is cut between its points; a profile
    /// never, so one of profiles can be larger.
    pub fn split(self, max_items: usize) -> Vec<Batch> {
        if self.item_count() <= max_items.max(1) {
            return vec![self];
        }
        let signal = self.signal;
        walk::split(signal, &self.to_protobuf(), max_items)
            .into_iter()
            .map(|(bytes, items)| Batch {
                signal,
                parts: SmallVec::from_buf([bytes.into()]),
                items,
                data: None,
                packed: None,
            })
            .collect()
    }
}

/// The pieces of what was encoded: the runs, in what came or was made, and what is between them.
fn pieces(
    runs: &[encode::Apart],
    payload: &Bytes,
    made: &Bytes,
    between: std::ops::Range<usize>,
) -> Vec<(usize, Option<Bytes>)> {
    let (mut pieces, mut at) = (Vec::with_capacity(2 * runs.len() + 1), between.start);
    for run in runs {
        if run.at > at {
            pieces.push((run.at - at, None));
            at = run.at;
        }
        let range = (run.start & !ARENA) as usize..(run.end & !ARENA) as usize;
        let of = match run.start & ARENA {
            0 => payload,
            _ => made,
        };
        let piece = of.get(range.clone()).map(|_| of.slice(range));
        pieces.push(((run.end - run.start) as usize, piece));
    }
    if between.end > at {
        pieces.push((between.end - at, None));
    }
    pieces
}

/// What edits made of a request, to be sent from where it is.
struct Arena(Arc<Data>);

impl AsRef<[u8]> for Arena {
    fn as_ref(&self) -> &[u8] {
        &self.0.arena
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("signal", &self.signal)
            .field("items", &self.items)
            .field("bytes", &self.payload_len())
            .field("edited", &self.is_edited())
            .finish()
    }
}
