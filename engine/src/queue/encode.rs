//! A request as it leaves: the body that an exporter sends, in the form that its
//! configuration asks for. Its memory is charged to the core's budget. Framing and
//! headers are the exporters' own.

use bytes::Bytes;
use smallvec::{SmallVec, smallvec};
use tonic::Code;
use trunkline_proto::{Batch, json};

use crate::{
    component::{CoreContext, Refusal},
    net::{buffers::Buffer, compression::Codec},
};

/// How bodies are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// OTLP/JSON; else protobuf.
    pub json: bool,
    /// How they are compressed.
    pub codec: Codec,
    /// The codec's level; 0 is its default.
    pub level: i32,
}

/// A body: pieces of memory, one behind the other.
pub type Body = SmallVec<[Bytes; 1]>;

impl Form {
    /// Writes a request, like [`Form::encode`], but leaves requests that were joined, and long
    /// runs of bytes of those that were changed, where they are. Of what was changed throughout
    /// only what it became stays in memory.
    ///
    /// # Errors
    /// Those of [`Form::encode`].
    pub fn encode_in_place(self, batch: Batch, core: &CoreContext) -> Result<Body, Refusal> {
        match batch.parts() {
            Some(parts) if !self.json && self.codec == Codec::Identity => {
                Ok(parts.iter().cloned().collect())
            }
            None if !self.json && self.codec == Codec::Identity && batch.has_long_runs() => {
                // Headers, and what lies in small pieces.
                let expected = batch.payload_len() / 64;
                let Some(mut charge) = core.budget.charge(expected) else {
                    return Err(Refusal::no_room());
                };
                let mut out = Buffer::with_capacity(expected);
                // What came, with its charge, is let go of once what was made is charged itself.
                let pieces = match core.budget.charge_if_free(batch.made_len()) {
                    Some(made) => {
                        let (pieces, is_alone) = batch.into_pieces(&mut out);
                        if is_alone {
                            charge.join(made);
                        }
                        pieces
                    }
                    None => batch.write_around(&mut out),
                };
                if !charge.grow(out.len().saturating_sub(expected)) {
                    return Err(Refusal::no_room());
                }
                let (between, mut at) = (out.charged(charge).freeze(), 0);
                let each = pieces.into_iter().map(|(len, piece)| {
                    piece.unwrap_or_else(|| {
                        at += len;
                        between.slice(at - len..at)
                    })
                });
                Ok(each.collect())
            }
            _ => Ok(smallvec![self.encode(&batch, core)?]),
        }
    }

    /// Writes a request. What nothing changed leaves as it came, compressed with the codec that
    /// it came with.
    ///
    /// # Errors
    /// The core's budget has no room for it, or it cannot be written in this form.
    pub fn encode(self, batch: &Batch, core: &CoreContext) -> Result<Bytes, Refusal> {
        if let Some(packed) = batch.packed().filter(|_| !self.json && self.level == 0)
            && packed.coding == self.codec.content_encoding()
        {
            return Ok(packed.bytes.clone());
        }
        let plain = if self.json {
            let payload = batch.to_protobuf();
            // JSON is some twice the size of what it says.
            let mut out = room(core, payload.len().saturating_mul(5) / 2)?;
            json::from_protobuf(batch.signal(), &payload, &mut out)
                .map_err(|e| Refusal::permanent(Code::InvalidArgument, e.to_string()))?;
            out.freeze()
        } else if batch.is_edited() {
            let mut out = room(core, batch.payload_len() + batch.payload_len() / 8)?;
            batch.write_protobuf(&mut out);
            out.freeze()
        } else {
            batch.to_protobuf()
        };
        if self.codec == Codec::Identity {
            return Ok(plain);
        }
        let mut out = room(core, plain.len() / 4)?;
        core.deflater
            .borrow_mut()
            .deflate(self.codec, self.level, &plain, &mut out)
            .map_err(|e| Refusal::permanent(Code::Internal, e.to_string()))?;
        Ok(out.freeze())
    }
}

/// A buffer that is charged to the core's budget.
///
/// # Errors
/// There is no room for it now.
pub fn room(core: &CoreContext, bytes: usize) -> Result<Buffer, Refusal> {
    match core.budget.charge(bytes) {
        Some(charge) => Ok(Buffer::with_capacity(bytes).charged(charge)),
        None => Err(Refusal::no_room()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::exporters::testing;
    use trunkline_proto::{
        Signal,
        batch::{
            AttributeEdit, Level, Packed, Selection,
            frame::{Frame, MAX_ROWS, Others, kind},
        },
    };

    fn form(json: bool, codec: Codec, level: i32) -> Form {
        Form { json, codec, level }
    }

    #[test]
    fn what_nothing_changed_leaves_as_it_came() {
        let core = testing::core();
        let came = Bytes::from_static(b"as it came");
        let batch = || {
            testing::logs(&[("a", 3)]).packed_as(Packed {
                coding: Codec::Gzip.content_encoding(),
                bytes: came.clone(),
            })
        };
        for (form, as_it_came) in [
            (form(false, Codec::Gzip, 0), true),
            // Another codec, another form, or a level that somebody asked for.
            (form(false, Codec::Zstd, 0), false),
            (form(false, Codec::Identity, 0), false),
            (form(false, Codec::Gzip, 9), false),
            (form(true, Codec::Gzip, 0), false),
        ] {
            let body = form.encode(&batch(), &core).unwrap();
            assert_eq!(body == came, as_it_came, "{form:?}");
        }
    }

    #[test]
    fn what_was_joined_is_not_copied_to_leave() {
        let core = testing::core();
        let batches = vec![testing::logs(&[("a", 3)]), testing::logs(&[("b", 3)])];
        let each: Vec<Bytes> = batches.iter().map(Batch::to_protobuf).collect();
        let joined = Batch::join(batches).unwrap().unwrap();
        let plain = form(false, Codec::Identity, 0);
        let body = plain.encode_in_place(joined.clone(), &core).unwrap();
        assert_eq!(body.to_vec(), each);
        assert_eq!(body[1].as_ptr(), each[1].as_ptr());
        let packed = form(false, Codec::Gzip, 0);
        let body = packed.encode_in_place(joined.clone(), &core).unwrap();
        assert_eq!(body.to_vec(), [packed.encode(&joined, &core).unwrap()]);
    }

    #[test]
    fn what_is_written_is_charged_until_it_is_sent() {
        for form in [
            form(true, Codec::Identity, 0),
            form(false, Codec::Gzip, 0),
            form(true, Codec::Zstd, 0),
        ] {
            let core = testing::core();
            let body = form.encode(&testing::logs(&[("a", 300)]), &core).unwrap();
            assert!(core.budget.used() > 0, "{form:?}");
            drop(body);
            assert_eq!(core.budget.used(), 0, "{form:?}");
            core.budget.set_limit(10);
            let refused = form.encode(&testing::logs(&[("a", 300)]), &core);
            assert_eq!(refused.err(), Some(Refusal::no_room()), "{form:?}");
        }
    }

    #[test]
    fn of_what_was_changed_long_runs_are_not_copied_to_leave() {
        let core = testing::core();
        let mut batch = testing::logs(&[("a", 2000), ("b", 2000)]);
        let data = batch.open().unwrap();
        let edit = AttributeEdit::Remove {
            key: b"fileexporter.path_segment",
        };
        let edited = data.edit_attributes(Level::Resource, Selection::Rows(&[0]), &[edit]);
        edited.unwrap();
        // What is put off has no runs yet.
        data.rows(Level::Item).unwrap();
        assert!(batch.has_long_runs());
        let plain = form(false, Codec::Identity, 0);
        let body = plain.encode_in_place(batch.clone(), &core).unwrap();
        let whole = plain.encode(&batch, &core).unwrap();
        assert_eq!(body.concat(), whole);
        assert!(body.len() > 1);
        let json = form(true, Codec::Identity, 0);
        let body = json.encode_in_place(batch.clone(), &core).unwrap();
        assert_eq!(body.to_vec(), [json.encode(&batch, &core).unwrap()]);
    }

    /// What came, and whether anybody still holds it.
    struct Came(Vec<u8>, #[allow(dead_code)] std::sync::Arc<()>);

    impl AsRef<[u8]> for Came {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    #[test]
    fn of_what_was_changed_throughout_only_what_it_became_stays() {
        // Whether there is room for it beside what came, and whether somebody else has it too.
        for (has_room, is_shared) in [(true, false), (false, false), (true, true)] {
            let is_alone = has_room && !is_shared;
            let core = testing::core();
            let held = std::sync::Arc::new(());
            let came = testing::logs(&[("a", 2000), ("b", 2000)]);
            let came = Came(came.to_protobuf().to_vec(), held.clone());
            let mut batch = Batch::from_protobuf(Signal::Logs, Bytes::from_owner(came)).unwrap();
            let data = batch.open().unwrap();
            let mut rows = Vec::new();
            data.rows_into(Level::Item, &mut rows).unwrap();
            let keys = [&b"key"[..]];
            let mut frame =
                Frame::new(Signal::Logs, Level::Item, &keys, &[], Others::None).unwrap();
            for rows in rows.chunks(MAX_ROWS) {
                frame.load(data, rows).unwrap();
                let all: Vec<u16> = (0..rows.len() as u16).collect();
                let text = frame.put(&[b'x'; 200]).unwrap();
                frame.set(0, &all, |_| (kind::STRING, text));
                frame.commit(data).unwrap();
            }
            let made = batch.made_len();
            let plain = form(false, Codec::Identity, 0);
            let whole = plain.encode(&batch, &core).unwrap();
            let written = whole.to_vec();
            drop(whole);
            if !has_room {
                core.budget.set_limit(made);
            }
            let other = is_shared.then(|| batch.clone());
            let body = plain.encode_in_place(batch, &core).unwrap();
            assert_eq!(body.concat(), written);
            drop(other);
            let holders = std::sync::Arc::strong_count(&held);
            assert_eq!(holders, if is_alone { 1 } else { 2 });
            assert_eq!(core.budget.used() >= made, is_alone);
            drop(body);
            assert_eq!(
                (core.budget.used(), std::sync::Arc::strong_count(&held)),
                (0, 1)
            );
        }
    }
}
