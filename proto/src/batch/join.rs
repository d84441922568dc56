//! Requests joined into one and taken apart again, without copying: a request is only a list of
//! resources. Profiles have a dictionary beside it, which all resources of a request share.

use std::borrow::Cow;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{Batch, Error, Level};
use crate::{
    Signal,
    wire::{DecodeError, Field, Fields, WireType},
};

impl Batch {
    /// Joins requests into one, in order, without copying. Requests of profiles are joined where
    /// they have one dictionary, or what one has continues what the others have, as it is with
    /// parts of one request: all indices stay what they are.
    ///
    /// # Errors
    /// [`Error::DifferentSignals`], and [`Error::Dictionaries`] for profiles whose dictionaries
    /// would have to be merged.
    pub fn join(batches: Vec<Batch>) -> Result<Option<Batch>, Error> {
        if batches.len() < 2 {
            return Ok(batches.into_iter().next());
        }
        let mut batches: Vec<Batch> = batches.into_iter().map(Batch::closed).collect();
        let signal = batches.first().map(|first| first.signal);
        let other = batches.iter().find(|batch| Some(batch.signal) != signal);
        if let (Some(signal), Some(other)) = (signal, other) {
            return Err(Error::DifferentSignals(signal, other.signal));
        }
        if signal == Some(Signal::Profiles) {
            share_dictionary(&mut batches)?;
        }
        Ok(batches.into_iter().reduce(|mut joined, batch| {
            joined.items += batch.items;
            joined.parts.extend(batch.parts);
            joined
        }))
    }

    /// The requests that were [joined](Batch::join) into this one, in their order: those given
    /// there, where nobody has opened or cut it since. Profiles stay one request, for they share
    /// their dictionary.
    ///
    /// # Errors
    /// None that a request had not when it was first taken in.
    pub fn unjoin(self) -> Result<Vec<Batch>, DecodeError> {
        let signal = self.signal;
        if self.is_edited() || self.parts.len() < 2 || signal == Signal::Profiles {
            return Ok(vec![self]);
        }
        let parts = self.parts.into_iter();
        parts
            .map(|part| Batch::from_protobuf(signal, part))
            .collect()
    }

    /// The same request as bytes alone.
    fn closed(mut self) -> Batch {
        if self.is_edited() {
            self.items = self.item_count();
            self.parts = SmallVec::from_buf([self.to_protobuf()]);
        }
        self.data = None;
        self.packed = None;
        self
    }

    /// The body of the dictionary, whose pieces are merged. Every part is whole fields.
    fn dictionary_body(&self) -> Result<Cow<'_, [u8]>, DecodeError> {
        let mut body: Cow<'_, [u8]> = Cow::default();
        for part in &self.parts {
            for field in Fields::all(part) {
                let field = field?;
                if !is_dictionary(&field) {
                    continue;
                }
                let piece = part.get(field.start..field.end).unwrap_or_default();
                match body.is_empty() {
                    true => body = Cow::Borrowed(piece),
                    false => body.to_mut().extend_from_slice(piece),
                }
            }
        }
        Ok(body)
    }

    /// The parts without the dictionary.
    fn without_dictionary(&self) -> Result<SmallVec<[Bytes; 1]>, DecodeError> {
        let mut out = SmallVec::new();
        for part in &self.parts {
            let mut from = 0;
            for field in Fields::all(part) {
                let field = field?;
                if !is_dictionary(&field) {
                    continue;
                }
                if from < field.head {
                    out.push(part.slice(from..field.head));
                }
                from = field.end;
            }
            if from < part.len() {
                out.push(part.slice(from..));
            }
        }
        Ok(out)
    }
}

/// Leaves requests of profiles one dictionary: the longest, in which the others must be all there
/// is up to some entry.
fn share_dictionary(batches: &mut [Batch]) -> Result<(), Error> {
    let bodies: Result<Vec<_>, _> = batches.iter().map(Batch::dictionary_body).collect();
    let bodies = bodies?;
    let longest = bodies.iter().enumerate().max_by_key(|(_, body)| body.len());
    let Some((holder, longest)) = longest else {
        return Ok(());
    };
    if !bodies.iter().all(|body| longest.starts_with(body)) {
        return Err(Error::Dictionaries);
    }
    drop(bodies);
    for (at, batch) in batches.iter_mut().enumerate() {
        if at != holder {
            batch.parts = batch.without_dictionary()?;
        }
    }
    Ok(())
}

/// Whether a field of a request of profiles is their dictionary, or a piece of it.
fn is_dictionary(field: &Field) -> bool {
    field.wire == WireType::Len && Some(field.number) == Level::Dictionary.field(None)
}
