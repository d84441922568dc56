//! The protobuf wire form to OTLP/JSON, as the Collector's JSON marshaler writes it.
//!
//! A message's fields may stand in any order on the wire and have one order in JSON:
//! each message is scanned once to find where its fields are, and written from there.
//! Nothing is allocated but the output, except where a message field is split in
//! several (legal, and rare). One value's text is in `text`.

use super::schema::{self, Card, Kind, MAX_FIELDS, Message};
use super::text;
use crate::Signal;
use crate::wire::{
    DecodeError, DecodeErrorKind, Field, Fields, MAX_DEPTH, WireType, read_field, read_varint,
};

/// Writes a request in its protobuf wire form as compact OTLP/JSON, at the end of `out`.
///
/// Fields come in the order of the OTLP `.proto` files, enums as integers, 64-bit
/// integers as strings, ids as hex, other bytes as base64; zero values, empty lists and
/// ids of zeros only are left out, while `resource`, `scope`, `status`, `body`, `value`
/// and other single messages are written as `{}` where they are absent: all as the
/// Collector does. Unknown fields have no JSON form and are left out. Strings that are
/// not UTF-8 get U+FFFD in the place of each wrong sequence.
///
/// # Errors
///
/// [`DecodeError`] where the bytes are not protobuf, a field has another wire type than
/// its schema says, or messages nest deeper than [`MAX_DEPTH`]; what was written to
/// `out` so far is taken back.
pub fn from_protobuf(signal: Signal, request: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let start = out.len();
    message(
        schema::request(signal),
        request,
        0,
        request.len(),
        out,
        MAX_DEPTH + 1,
    )
    .inspect_err(|_| out.truncate(start))
}

/// What is known of one field after the scan.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// How many times it stands there.
    count: u32,
    /// Where its first tag starts.
    first: usize,
    /// Where its last value starts and ends.
    start: usize,
    end: usize,
}

/// The wire type that a kind has where it is not packed.
#[inline]
fn wire_type(kind: Kind) -> WireType {
    match kind {
        Kind::String | Kind::Bytes | Kind::Id(_) | Kind::Message(_) => WireType::Len,
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => WireType::Fixed64,
        Kind::Fixed32 => WireType::Fixed32,
        _ => WireType::Varint,
    }
}

/// Writes the message in `buf[start..end]` as a JSON object.
fn message(
    schema: &'static Message,
    buf: &[u8],
    start: usize,
    end: usize,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), DecodeError> {
    // Attributes are most of every request.
    if std::ptr::eq(schema, &schema::KEY_VALUE) && key_value(buf, start, end, out, depth)? {
        return Ok(());
    }
    if std::ptr::eq(schema, &schema::ANY_VALUE) && plain_value(buf, start, end, out) {
        return Ok(());
    }
    match schema.fields.len() {
        0..=4 => sized::<4>(schema, buf, start, end, out, depth),
        5..=8 => sized::<8>(schema, buf, start, end, out, depth),
        _ => sized::<MAX_FIELDS>(schema, buf, start, end, out, depth),
    }
}

/// Writes a `KeyValue` that is as every sender writes it: a key, then a value, and
/// nothing else. Says whether it was, else nothing is written.
#[inline]
fn key_value(
    buf: &[u8],
    start: usize,
    end: usize,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<bool, DecodeError> {
    let buf = buf.get(..end).unwrap_or(buf);
    let Ok(key) = read_field(buf, start, 0) else {
        return Ok(false);
    };
    let Ok(value) = read_field(buf, key.end, 0) else {
        return Ok(false);
    };
    let plain = key.number == 1 && value.number == 2 && value.end == end;
    if !plain || key.wire != WireType::Len || value.wire != WireType::Len || key.start == key.end {
        return Ok(false);
    }
    let Some(depth) = depth.checked_sub(1) else {
        return Ok(false);
    };
    out.extend_from_slice(b"{\"key\":");
    text::string(key.bytes(buf), out);
    out.extend_from_slice(b",\"value\":");
    message(&schema::ANY_VALUE, buf, value.start, value.end, out, depth)?;
    out.push(b'}');
    Ok(true)
}

/// Writes an `AnyValue` that is one string or number and nothing else. Says whether it
/// was, else nothing is written.
#[inline]
fn plain_value(buf: &[u8], start: usize, end: usize, out: &mut Vec<u8>) -> bool {
    let buf = buf.get(..end).unwrap_or(buf);
    let Ok(found) = read_field(buf, start, 0) else {
        return false;
    };
    let Some(field) = schema::ANY_VALUE
        .index_of(found.number)
        .and_then(|index| schema::ANY_VALUE.fields.get(index))
    else {
        return false;
    };
    if found.end != end
        || found.wire != wire_type(field.kind)
        || matches!(field.kind, Kind::Message(_))
    {
        return false;
    }
    out.push(b'{');
    lead(field, false, out);
    value(field.kind, found.start, found.end, buf, out);
    out.push(b'}');
    true
}

fn sized<const N: usize>(
    schema: &'static Message,
    buf: &[u8],
    start: usize,
    end: usize,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), DecodeError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(DecodeError::new(start, DecodeErrorKind::Depth));
    };
    let mut slots = [Slot::default(); N];
    scan(schema, buf, start, end, &mut slots)?;
    out.push(b'{');
    let mut comma = false;
    for (field, slot) in schema.fields.iter().zip(&slots) {
        if absent(field, slot, buf) {
            continue;
        }
        let before = out.len();
        lead(field, comma, out);
        match (field.card, field.kind) {
            (Card::Repeated, Kind::Message(inner)) => {
                list(inner, field.number, slot, buf, out, depth)?;
            }
            (Card::Repeated, kind) => {
                // A packed list may be there and empty, which is the same as absent.
                if !plain_list(kind, field.number, slot, buf, out)? {
                    out.truncate(before);
                    continue;
                }
            }
            // No message that stands here has single messages of its own.
            (_, Kind::Message(_)) if slot.count == 0 => out.extend_from_slice(b"{}"),
            (_, Kind::Message(inner)) if slot.count == 1 => {
                message(inner, buf, slot.start, slot.end, out, depth)?;
            }
            (_, Kind::Message(inner)) => {
                let merged = merged(buf, slot, field.number)?;
                message(inner, &merged, 0, merged.len(), out, depth)?;
            }
            (_, kind) => value(kind, slot.start, slot.end, buf, out),
        }
        comma = true;
    }
    out.push(b'}');
    Ok(())
}

/// Writes a field's key, after a comma where fields stand before it.
#[inline]
fn lead(field: &schema::Field, comma: bool, out: &mut Vec<u8>) {
    let lead = field.lead.as_bytes();
    out.extend_from_slice(lead.get(usize::from(!comma)..).unwrap_or_default());
}

/// Finds where the fields of a message are; the last of several values wins.
#[inline]
fn scan(
    schema: &'static Message,
    buf: &[u8],
    start: usize,
    end: usize,
    slots: &mut [Slot],
) -> Result<(), DecodeError> {
    let mut member = usize::MAX;
    for found in Fields::new(buf, start, end) {
        let found = found?;
        let Some(index) = schema.index_of(found.number) else {
            continue;
        };
        let Some(field) = schema.fields.get(index) else {
            continue;
        };
        let packed = field.card == Card::Repeated && found.wire == WireType::Len;
        if found.wire != wire_type(field.kind) && !packed {
            let kind = DecodeErrorKind::WireType {
                field: found.number,
                message: schema.name,
            };
            return Err(DecodeError::new(found.head, kind));
        }
        if field.card == Card::Oneof && member != index {
            // Setting one member clears the one that was set.
            if let Some(other) = slots.get_mut(member) {
                other.count = 0;
            }
            member = index;
        }
        if let Some(slot) = slots.get_mut(index) {
            if slot.count == 0 {
                slot.first = found.head;
            }
            slot.count = slot.count.saturating_add(1);
            slot.start = found.start;
            slot.end = found.end;
        }
    }
    Ok(())
}

/// Whether a field is left out of the JSON object.
#[inline]
fn absent(field: &schema::Field, slot: &Slot, buf: &[u8]) -> bool {
    match field.card {
        Card::Always => false,
        Card::Implicit => {
            slot.count == 0
                || match field.kind {
                    Kind::String | Kind::Bytes => slot.start == slot.end,
                    Kind::Id(_) => text_of(buf, slot.start, slot.end).iter().all(|b| *b == 0),
                    Kind::Double => {
                        f64::from_bits(bits(field.kind, slot.start, slot.end, buf)) == 0.0
                    }
                    Kind::Int32 | Kind::Sint32 | Kind::Uint32 | Kind::Enum(_) => {
                        bits(field.kind, slot.start, slot.end, buf) as u32 == 0
                    }
                    kind => bits(kind, slot.start, slot.end, buf) == 0,
                }
        }
        _ => slot.count == 0,
    }
}

/// Every occurrence of field `number` that the scan has seen; other fields may stand
/// between.
fn occurrences<'a>(
    buf: &'a [u8],
    slot: &Slot,
    number: u32,
) -> impl Iterator<Item = Result<Field, DecodeError>> + use<'a> {
    Fields::new(buf, slot.first, slot.end)
        .filter(move |found| !matches!(found, Ok(found) if found.number != number))
}

/// Writes the messages of a list.
fn list(
    schema: &'static Message,
    number: u32,
    slot: &Slot,
    buf: &[u8],
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), DecodeError> {
    let mut before = b'[';
    for found in occurrences(buf, slot, number) {
        let found = found?;
        out.push(before);
        message(schema, buf, found.start, found.end, out, depth)?;
        before = b',';
    }
    out.push(b']');
    Ok(())
}

/// Writes a list of strings or numbers; numbers may be packed or not, or both. Says
/// whether it had elements.
fn plain_list(
    kind: Kind,
    number: u32,
    slot: &Slot,
    buf: &[u8],
    out: &mut Vec<u8>,
) -> Result<bool, DecodeError> {
    let mut before = b'[';
    for found in occurrences(buf, slot, number) {
        let found = found?;
        if found.wire == wire_type(kind) {
            out.push(before);
            value(kind, found.start, found.end, buf, out);
            before = b',';
            continue;
        }
        let packed = buf.get(..found.end).unwrap_or(buf);
        let mut at = found.start;
        while at < found.end {
            let end = match wire_type(kind) {
                WireType::Fixed64 => at + 8,
                WireType::Fixed32 => at + 4,
                _ => read_varint(packed, at).map_or(usize::MAX, |(_, end)| end),
            };
            if end > found.end {
                return Err(DecodeError::new(at, DecodeErrorKind::Packed));
            }
            out.push(before);
            value(kind, at, end, buf, out);
            before = b',';
            at = end;
        }
    }
    out.push(b']');
    Ok(before == b',')
}

/// The parts of a message field that is given several times, joined: on the wire, that
/// is their merger.
#[cold]
fn merged(buf: &[u8], slot: &Slot, number: u32) -> Result<Vec<u8>, DecodeError> {
    let mut joined = Vec::new();
    for found in occurrences(buf, slot, number) {
        joined.extend_from_slice(found?.bytes(buf));
    }
    Ok(joined)
}

#[inline]
fn text_of(buf: &[u8], start: usize, end: usize) -> &[u8] {
    buf.get(start..end).unwrap_or_default()
}

/// A number's bits, as they are on the wire.
#[inline]
fn bits(kind: Kind, start: usize, end: usize, buf: &[u8]) -> u64 {
    let field = Field {
        number: 0,
        wire: wire_type(kind),
        head: start,
        start,
        end,
    };
    field.uint(buf)
}

/// Writes one value that is no message, from where it lies in `buf`.
#[inline]
fn value(kind: Kind, start: usize, end: usize, buf: &[u8], out: &mut Vec<u8>) {
    let bits = || bits(kind, start, end, buf);
    match kind {
        Kind::String => text::string(text_of(buf, start, end), out),
        Kind::Bytes => text::base64(text_of(buf, start, end), out),
        Kind::Id(_) => text::id(text_of(buf, start, end), out),
        Kind::Bool => out.extend_from_slice(if bits() != 0 { b"true" } else { b"false" }),
        Kind::Int32 | Kind::Enum(_) => text::integer(bits() as i32, out),
        Kind::Sint32 => {
            let bits = bits() as u32;
            text::integer((bits >> 1) as i32 ^ -((bits & 1) as i32), out);
        }
        Kind::Uint32 | Kind::Fixed32 => text::integer(bits() as u32, out),
        Kind::Int64 | Kind::Sfixed64 => text::wide_integer(bits() as i64, out),
        Kind::Uint64 | Kind::Fixed64 => text::wide_integer(bits(), out),
        Kind::Double => text::double(f64::from_bits(bits()), out),
        Kind::Message(_) => {}
    }
}
