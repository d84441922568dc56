//! A request as it came, and as columns.
//!
//! A [`Batch`] holds the bytes of one OTLP request (or of several joined). Until something
//! looks inside it stays that: counting, passing on, joining and fanning out touch no item.

mod walk;

use bytes::Bytes;
use smallvec::SmallVec;
use std::fmt;

use crate::{
    Signal,
    wire::{DecodeError, DecodeErrorKind},
};

/// The largest request that is read, in bytes: offsets are 31 bits wide.
pub const MAX_REQUEST: usize = (1 << 31) - 1;

/// One OTLP request, or several joined. Cheap to clone: clones share the bytes.
#[derive(Clone)]
pub struct Batch {
    signal: Signal,
    /// The encoded requests, in order; more than one after a join.
    parts: SmallVec<[Bytes; 1]>,
    items: usize,
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
        })
    }

    /// The signal.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Number of spans, data points, log records or profile samples.
    pub fn item_count(&self) -> usize {
        self.items
    }

    /// Bytes of the request as it came (of all of them, when joined).
    pub fn payload_len(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    /// Whether anything was changed since the bytes came.
    pub fn is_edited(&self) -> bool {
        false
    }

    /// The request encoded. Unedited: the very bytes that came, not copied.
    pub fn to_protobuf(&self) -> Bytes {
        if let [part] = self.parts.as_slice() {
            return part.clone();
        }
        let mut out = Vec::with_capacity(self.payload_len());
        self.write_protobuf(&mut out);
        out.into()
    }

    /// Appends the request, encoded, to `out`.
    pub fn write_protobuf(&self, out: &mut Vec<u8>) {
        for part in &self.parts {
            out.extend_from_slice(part);
        }
    }

    /// Joins requests into one, in order, without copying.
    ///
    /// # Errors
    /// [`JoinError`] for different signals, and for more than one of profiles, whose
    /// dictionaries would have to be merged.
    pub fn join(batches: Vec<Batch>) -> Result<Option<Batch>, JoinError> {
        let mut batches = batches.into_iter();
        let Some(mut joined) = batches.next() else {
            return Ok(None);
        };
        for batch in batches {
            if batch.signal != joined.signal {
                return Err(JoinError::DifferentSignals(joined.signal, batch.signal));
            }
            if batch.signal == Signal::Profiles {
                return Err(JoinError::Profiles);
            }
            joined.items += batch.items;
            joined.parts.extend(batch.parts);
        }
        Ok(Some(joined))
    }

    /// Cuts the request into ones of at most `max_items` items (at least 1), in order,
    /// repeating what is around the items. A metric is cut between its points; a profile
    /// never, so one of profiles can be larger.
    pub fn split(self, max_items: usize) -> Vec<Batch> {
        if self.items <= max_items.max(1) {
            return vec![self];
        }
        let signal = self.signal;
        walk::split(signal, &self.to_protobuf(), max_items)
            .into_iter()
            .map(|(bytes, items)| Batch {
                signal,
                parts: SmallVec::from_buf([bytes.into()]),
                items,
            })
            .collect()
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

/// Why requests cannot be joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinError {
    /// They are of different signals.
    DifferentSignals(Signal, Signal),
    /// Profiles of one request share a dictionary.
    Profiles,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::DifferentSignals(a, b) => {
                write!(f, "cannot join requests of {} and {}", a.name(), b.name())
            }
            JoinError::Profiles => write!(f, "requests of profiles cannot be joined"),
        }
    }
}

impl std::error::Error for JoinError {}
