//! The protobuf wire form to OTLP/JSON, as the Collector's JSON marshaler writes it.
//!
//! A message's fields may stand in any order on the wire and have one order in JSON:
//! each message is scanned once to find where its fields are, and written from there.
//! Nothing is allocated but the output, except where a message field is split in
//! several (legal, and rare). One value's text is in `text`.

use std::fmt;

use super::MAX_DEPTH;
use super::schema::{self, Card, Field, Kind, MAX_FIELDS, Message};
use super::text;
use crate::Signal;

/// A request that is not protobuf, or not of its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError {
    what: &'static str,
    message: &'static str,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "proto: {} in {}", self.what, self.message)
    }
}

impl std::error::Error for WireError {}

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
/// [`WireError`] where the bytes are not protobuf, a field has another wire type than
/// its schema says, or messages nest deeper than [`MAX_DEPTH`]; what was written to
/// `out` so far is taken back.
pub fn from_protobuf(signal: Signal, request: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let start = out.len();
    message(schema::request(signal), request, out, MAX_DEPTH).inspect_err(|_| out.truncate(start))
}

/// What is known of one field after the scan.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// How many times it stands there.
    count: u32,
    /// Where its first tag starts, and its last value ends.
    first: usize,
    end: usize,
    /// The last value: where a length-delimited one starts, or the number's bits.
    value: u64,
}

/// One field as it stands on the wire.
struct Raw {
    number: u32,
    wire_type: u32,
    /// Where its tag starts.
    start: usize,
    /// Where its bytes start, or the number's bits.
    value: u64,
    /// Where it ends.
    end: usize,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

type Scan<T> = Result<T, &'static str>;

impl<'a> Reader<'a> {
    #[inline]
    fn varint(&mut self) -> Scan<u64> {
        if let Some(&byte) = self.bytes.get(self.at)
            && byte < 0x80
        {
            self.at += 1;
            return Ok(u64::from(byte));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Scan<u64> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let Some(&byte) = self.bytes.get(self.at) else {
                return Err("unexpected EOF");
            };
            self.at += 1;
            if shift == 63 && byte > 1 {
                return Err("integer overflow");
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("integer overflow")
    }

    fn fixed<const N: usize>(&mut self) -> Scan<[u8; N]> {
        let bytes = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.first_chunk());
        self.at += N;
        bytes.copied().ok_or("unexpected EOF")
    }

    /// The next field, or nothing at the end.
    #[inline]
    fn next(&mut self) -> Scan<Option<Raw>> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let start = self.at;
        let tag = self.varint()?;
        let (number, wire_type) = (tag >> 3, tag as u32 & 7);
        if number == 0 || number > 0x1fff_ffff {
            return Err("illegal tag");
        }
        let value = match wire_type {
            0 => self.varint()?,
            1 => u64::from_le_bytes(self.fixed()?),
            2 => {
                let length = self.varint()?;
                let at = self.at;
                if length > (self.bytes.len() - at) as u64 {
                    return Err("unexpected EOF");
                }
                self.at += length as usize;
                at as u64
            }
            3 => {
                self.skip_group(number)?;
                0
            }
            5 => u64::from(u32::from_le_bytes(self.fixed()?)),
            _ => return Err("illegal wireType"),
        };
        Ok(Some(Raw {
            number: number as u32,
            wire_type,
            start,
            value,
            end: self.at,
        }))
    }

    /// Skips an unknown field of the old group form, nested ones included.
    #[cold]
    fn skip_group(&mut self, number: u64) -> Scan<()> {
        let mut open = [0u64; 16];
        let mut depth = 1;
        open[0] = number;
        while depth > 0 {
            let tag = self.varint()?;
            match tag & 7 {
                0 => drop(self.varint()?),
                1 => drop(self.fixed::<8>()?),
                2 => {
                    let length = self.varint()?;
                    if length > (self.bytes.len() - self.at) as u64 {
                        return Err("unexpected EOF");
                    }
                    self.at += length as usize;
                }
                3 => {
                    *open.get_mut(depth).ok_or("groups nested too deep")? = tag >> 3;
                    depth += 1;
                }
                4 if open.get(depth - 1) == Some(&(tag >> 3)) => depth -= 1,
                5 => drop(self.fixed::<4>()?),
                _ => return Err("illegal wireType"),
            }
        }
        Ok(())
    }
}

/// The wire type that a kind has where it is not packed.
#[inline]
fn wire_type(kind: Kind) -> u32 {
    match kind {
        Kind::String | Kind::Bytes | Kind::Id(_) | Kind::Message(_) => 2,
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => 1,
        Kind::Fixed32 => 5,
        _ => 0,
    }
}

/// Writes one message as a JSON object.
fn message(
    schema: &'static Message,
    bytes: &[u8],
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), WireError> {
    // Attributes are most of every request, and have few fields.
    match schema.fields.len() {
        0..=4 => sized::<4>(schema, bytes, out, depth),
        5..=8 => sized::<8>(schema, bytes, out, depth),
        _ => sized::<MAX_FIELDS>(schema, bytes, out, depth),
    }
}

fn sized<const N: usize>(
    schema: &'static Message,
    bytes: &[u8],
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), WireError> {
    let wrong = |what| WireError {
        what,
        message: schema.name,
    };
    let Some(depth) = depth.checked_sub(1) else {
        return Err(wrong("exceeded max recursion depth"));
    };
    let mut slots = [Slot::default(); N];
    scan(schema, bytes, &mut slots).map_err(wrong)?;
    out.push(b'{');
    let mut comma = false;
    for (field, slot) in schema.fields.iter().zip(&slots) {
        if absent(field, slot, bytes) {
            continue;
        }
        let before = out.len();
        if comma {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(field.name.as_bytes());
        out.extend_from_slice(b"\":");
        match (field.card, field.kind) {
            (Card::Repeated, Kind::Message(inner)) => {
                list(inner, field.number, slot, bytes, out, depth)?;
            }
            (Card::Repeated, kind) => {
                // A packed list may be there and empty, which is the same as absent.
                if !plain_list(kind, field.number, slot, bytes, out).map_err(wrong)? {
                    out.truncate(before);
                    continue;
                }
            }
            // No message that stands here has single messages of its own.
            (_, Kind::Message(_)) if slot.count == 0 => out.extend_from_slice(b"{}"),
            (_, Kind::Message(inner)) if slot.count == 1 => {
                message(inner, range(bytes, slot.value, slot.end), out, depth)?;
            }
            (_, Kind::Message(inner)) => {
                let merged = merged(bytes, slot, field.number).map_err(wrong)?;
                message(inner, &merged, out, depth)?;
            }
            (_, kind) => value(kind, slot.value, slot.end, bytes, out),
        }
        comma = true;
    }
    out.push(b'}');
    Ok(())
}

#[inline]
fn range(bytes: &[u8], start: u64, end: usize) -> &[u8] {
    bytes.get(start as usize..end).unwrap_or_default()
}

/// Finds where the fields of a message are; the last of several values wins.
#[inline]
fn scan(schema: &'static Message, bytes: &[u8], slots: &mut [Slot]) -> Scan<()> {
    let mut reader = Reader { bytes, at: 0 };
    let mut member = usize::MAX;
    while let Some(raw) = reader.next()? {
        let Some(index) = schema.index_of(raw.number) else {
            continue;
        };
        let Some(field) = schema.fields.get(index) else {
            continue;
        };
        let packed = field.card == Card::Repeated && raw.wire_type == 2;
        if raw.wire_type != wire_type(field.kind) && !packed {
            return Err("wrong wireType");
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
                slot.first = raw.start;
            }
            slot.count = slot.count.saturating_add(1);
            slot.end = raw.end;
            slot.value = raw.value;
        }
    }
    Ok(())
}

/// Whether a field is left out of the JSON object.
#[inline]
fn absent(field: &Field, slot: &Slot, bytes: &[u8]) -> bool {
    match field.card {
        Card::Always => false,
        Card::Implicit => {
            slot.count == 0
                || match field.kind {
                    Kind::String | Kind::Bytes => slot.value as usize == slot.end,
                    Kind::Id(_) => range(bytes, slot.value, slot.end).iter().all(|b| *b == 0),
                    Kind::Double => f64::from_bits(slot.value) == 0.0,
                    Kind::Int32 | Kind::Sint32 | Kind::Uint32 | Kind::Enum(_) => {
                        slot.value as u32 == 0
                    }
                    _ => slot.value == 0,
                }
        }
        _ => slot.count == 0,
    }
}

/// Writes the messages of a list, which may stand between other fields.
fn list(
    schema: &'static Message,
    number: u32,
    slot: &Slot,
    bytes: &[u8],
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), WireError> {
    let wrong = |what| WireError {
        what,
        message: schema.name,
    };
    let mut reader = Reader {
        bytes,
        at: slot.first,
    };
    let mut before = b'[';
    while reader.at < slot.end {
        let Some(raw) = reader.next().map_err(wrong)? else {
            break;
        };
        if raw.number == number {
            out.push(before);
            message(schema, range(bytes, raw.value, raw.end), out, depth)?;
            before = b',';
        }
    }
    out.push(b']');
    Ok(())
}

/// Writes a list of strings or numbers; numbers may be packed or not, or both. Says
/// whether it had elements.
fn plain_list(kind: Kind, number: u32, slot: &Slot, bytes: &[u8], out: &mut Vec<u8>) -> Scan<bool> {
    let mut reader = Reader {
        bytes,
        at: slot.first,
    };
    let mut before = b'[';
    while reader.at < slot.end {
        let Some(raw) = reader.next()? else {
            break;
        };
        if raw.number != number {
            continue;
        }
        if raw.wire_type == wire_type(kind) {
            out.push(before);
            value(kind, raw.value, raw.end, bytes, out);
            before = b',';
            continue;
        }
        let mut packed = Reader {
            bytes: range(bytes, raw.value, raw.end),
            at: 0,
        };
        while packed.at < packed.bytes.len() {
            let bits = match wire_type(kind) {
                0 => packed.varint()?,
                1 => u64::from_le_bytes(packed.fixed()?),
                _ => u64::from(u32::from_le_bytes(packed.fixed()?)),
            };
            out.push(before);
            value(kind, bits, 0, bytes, out);
            before = b',';
        }
    }
    out.push(b']');
    Ok(before == b',')
}

/// The parts of a message field that is given several times, joined: on the wire, that
/// is their merger.
#[cold]
fn merged(bytes: &[u8], slot: &Slot, number: u32) -> Scan<Vec<u8>> {
    let mut joined = Vec::new();
    let mut reader = Reader {
        bytes,
        at: slot.first,
    };
    while reader.at < slot.end {
        let Some(raw) = reader.next()? else {
            break;
        };
        if raw.number == number {
            joined.extend_from_slice(range(bytes, raw.value, raw.end));
        }
    }
    Ok(joined)
}

/// Writes one value that is no message. `bits` is a number, or where text starts in
/// `bytes`; `end` is where text ends.
#[inline]
fn value(kind: Kind, bits: u64, end: usize, bytes: &[u8], out: &mut Vec<u8>) {
    match kind {
        Kind::String => text::string(range(bytes, bits, end), out),
        Kind::Bytes => text::base64(range(bytes, bits, end), out),
        Kind::Id(_) => text::id(range(bytes, bits, end), out),
        Kind::Bool => out.extend_from_slice(if bits != 0 { b"true" } else { b"false" }),
        Kind::Int32 | Kind::Enum(_) => text::integer(bits as i32, out),
        Kind::Sint32 => {
            let bits = bits as u32;
            text::integer((bits >> 1) as i32 ^ -((bits & 1) as i32), out);
        }
        Kind::Uint32 | Kind::Fixed32 => text::integer(bits as u32, out),
        Kind::Int64 | Kind::Sfixed64 => text::wide_integer(bits as i64, out),
        Kind::Uint64 | Kind::Fixed64 => text::wide_integer(bits, out),
        Kind::Double => text::double(f64::from_bits(bits), out),
        Kind::Message(_) => {}
    }
}
