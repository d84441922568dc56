//! A value of any type (`AnyValue`): found in its message, as a row of the columns
//! `type`, `str`, `int`, …, and nested ones as CBOR, as OTAP has them.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use smallvec::{SmallVec, smallvec};

use super::Losses;
use crate::wire::{
    DecodeError, DecodeErrorKind, Field, Fields, MAX_DEPTH, WireType, begin_message, end_message,
    put_bytes, put_double, put_uint,
};

/// Where a message lies in the request: several ranges where it is given in parts.
pub(super) type Parts = SmallVec<[(usize, usize); 1]>;

/// The fields of a message given in parts.
pub(super) fn fields<'a>(
    buf: &'a [u8],
    parts: &'a [(usize, usize)],
) -> impl Iterator<Item = Result<Field, DecodeError>> + 'a {
    parts
        .iter()
        .flat_map(move |(start, end)| Fields::new(buf, *start, *end))
}

/// The number of a value's type, as the column `type` has it (specification 5.5.1).
pub(super) mod types {
    pub const EMPTY: u8 = 0;
    pub const STR: u8 = 1;
    pub const INT: u8 = 2;
    pub const DOUBLE: u8 = 3;
    pub const BOOL: u8 = 4;
    pub const MAP: u8 = 5;
    pub const SLICE: u8 = 6;
    pub const BYTES: u8 = 7;
}

/// A value as found in the request.
pub(super) enum Value {
    Empty,
    Str(usize, usize),
    Int(i64),
    Double(f64),
    Bool(bool),
    Bytes(usize, usize),
    Slice(Parts),
    Map(Parts),
}

/// A field with another wire type than it has in the protocol.
pub(super) fn wrong_type(field: &Field, message: &'static str) -> DecodeError {
    DecodeError::new(
        field.head,
        DecodeErrorKind::WireType {
            field: field.number,
            message,
        },
    )
}

/// Reads an `AnyValue`; of several members the last counts.
pub(super) fn any(
    buf: &[u8],
    parts: &[(usize, usize)],
    losses: &mut Losses,
) -> Result<Value, DecodeError> {
    let mut value = Value::Empty;
    for &(start, end) in parts {
        for field in Fields::new(buf, start, end) {
            let field = field?;
            let expected = match field.number {
                1 | 5 | 6 | 7 => WireType::Len,
                2 | 3 | 8 => WireType::Varint,
                4 => WireType::Fixed64,
                _ => {
                    losses.unknown_fields += 1;
                    continue;
                }
            };
            if field.wire != expected {
                return Err(wrong_type(&field, "AnyValue"));
            }
            let part = (field.start, field.end);
            value = match (field.number, value) {
                (1, _) => Value::Str(field.start, field.end),
                (2, _) => Value::Bool(field.uint(buf) != 0),
                (3, _) => Value::Int(field.uint(buf) as i64),
                (4, _) => Value::Double(f64::from_bits(field.uint(buf))),
                (5, Value::Slice(mut parts)) => {
                    parts.push(part);
                    Value::Slice(parts)
                }
                (5, _) => Value::Slice(smallvec![part]),
                (6, Value::Map(mut parts)) => {
                    parts.push(part);
                    Value::Map(parts)
                }
                (6, _) => Value::Map(smallvec![part]),
                (7, _) => Value::Bytes(field.start, field.end),
                _ => {
                    losses.string_references += 1;
                    Value::Empty
                }
            };
        }
    }
    Ok(value)
}

/// A `KeyValue`: its key and its value.
pub(super) fn key_value(
    buf: &[u8],
    parts: &[(usize, usize)],
    losses: &mut Losses,
) -> Result<((usize, usize), Parts), DecodeError> {
    let mut key = (0, 0);
    let mut value = Parts::new();
    for &(start, end) in parts {
        for field in Fields::new(buf, start, end) {
            let field = field?;
            match (field.number, field.wire) {
                (1, WireType::Len) => key = (field.start, field.end),
                (2, WireType::Len) => value.push((field.start, field.end)),
                (3, WireType::Varint) => {
                    losses.string_references += usize::from(field.uint(buf) != 0);
                }
                (1..=3, _) => return Err(wrong_type(&field, "KeyValue")),
                _ => losses.unknown_fields += 1,
            }
        }
    }
    Ok((key, value))
}

/// Text as UTF-8: the bytes themselves, or with U+FFFD for what is not.
pub(super) fn text<'a>(bytes: &'a [u8], losses: &mut Losses) -> std::borrow::Cow<'a, str> {
    match simdutf8::basic::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => {
            losses.invalid_utf8 += 1;
            String::from_utf8_lossy(bytes)
        }
    }
}

/// Writes a list or map as CBOR (RFC 8949): null for an empty value, text keys in their
/// order, twice where they are there twice.
pub(super) fn to_cbor(
    buf: &[u8],
    value: &Value,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    nested_to_cbor(buf, value, losses, out, MAX_DEPTH)
}

/// Writing to a `Vec` does not fail, so results of the encoder are not looked at.
fn nested_to_cbor(
    buf: &[u8],
    value: &Value,
    losses: &mut Losses,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), DecodeError> {
    // How many messages a list (2) or a map (3) puts around its elements.
    let deeper = |parts: &Parts, levels: usize| {
        let at = parts.first().map_or(0, |part| part.0);
        depth
            .checked_sub(levels)
            .ok_or_else(|| DecodeError::new(at, DecodeErrorKind::Depth))
    };
    match value {
        Value::Empty => {
            let _ = Encoder::new(out).null();
        }
        Value::Str(start, end) => {
            let text = text(buf.get(*start..*end).unwrap_or_default(), losses);
            let _ = Encoder::new(out).str(&text);
        }
        Value::Int(value) => {
            let _ = Encoder::new(out).i64(*value);
        }
        Value::Double(value) => {
            let _ = Encoder::new(out).f64(*value);
        }
        Value::Bool(value) => {
            let _ = Encoder::new(out).bool(*value);
        }
        Value::Bytes(start, end) => {
            let _ = Encoder::new(out).bytes(buf.get(*start..*end).unwrap_or_default());
        }
        Value::Slice(parts) => {
            let depth = deeper(parts, 2)?;
            let elements = elements(buf, parts, "ArrayValue", losses)?;
            let _ = Encoder::new(&mut *out).array(elements.len() as u64);
            for element in elements {
                let value = any(buf, &[element], losses)?;
                nested_to_cbor(buf, &value, losses, out, depth)?;
            }
        }
        Value::Map(parts) => {
            let depth = deeper(parts, 3)?;
            let entries = elements(buf, parts, "KeyValueList", losses)?;
            let _ = Encoder::new(&mut *out).map(entries.len() as u64);
            for entry in entries {
                let ((start, end), value) = key_value(buf, &[entry], losses)?;
                let key = text(buf.get(start..end).unwrap_or_default(), losses);
                let _ = Encoder::new(&mut *out).str(&key);
                let value = any(buf, &value, losses)?;
                nested_to_cbor(buf, &value, losses, out, depth)?;
            }
        }
    }
    Ok(())
}

/// The messages of field 1, which is all that a list or map has.
fn elements(
    buf: &[u8],
    parts: &Parts,
    message: &'static str,
    losses: &mut Losses,
) -> Result<SmallVec<[(usize, usize); 8]>, DecodeError> {
    let mut elements = SmallVec::new();
    for field in fields(buf, parts) {
        let field = field?;
        match (field.number, field.wire) {
            (1, WireType::Len) => elements.push((field.start, field.end)),
            (1, _) => return Err(wrong_type(&field, message)),
            _ => losses.unknown_fields += 1,
        }
    }
    Ok(elements)
}

/// Writes the fields of the `AnyValue` that the CBOR holds; `None` where it holds
/// something that no value of OTLP is, or more than one.
pub(super) fn from_cbor(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut decoder = Decoder::new(bytes);
    nested_from_cbor(&mut decoder, out, MAX_DEPTH)?;
    (decoder.position() == bytes.len()).then_some(())
}

fn nested_from_cbor(decoder: &mut Decoder<'_>, out: &mut Vec<u8>, depth: usize) -> Option<()> {
    match decoder.datatype().ok()? {
        Type::Null => decoder.null().ok()?,
        Type::Undefined => decoder.undefined().ok()?,
        Type::Bool => put_uint(out, 2, u64::from(decoder.bool().ok()?)),
        Type::U8
        | Type::U16
        | Type::U32
        | Type::U64
        | Type::I8
        | Type::I16
        | Type::I32
        | Type::I64
        | Type::Int => put_uint(out, 3, decoder.i64().ok()? as u64),
        Type::F16 | Type::F32 | Type::F64 => put_double(out, 4, decoder.f64().ok()?),
        Type::String | Type::StringIndef => {
            let mut text = String::new();
            for part in decoder.str_iter().ok()? {
                text.push_str(part.ok()?);
            }
            put_bytes(out, 1, text.as_bytes());
        }
        Type::Bytes | Type::BytesIndef => {
            let mut bytes = Vec::new();
            for part in decoder.bytes_iter().ok()? {
                bytes.extend_from_slice(part.ok()?);
            }
            put_bytes(out, 7, &bytes);
        }
        Type::Array | Type::ArrayIndef => {
            let depth = depth.checked_sub(2)?;
            let length = decoder.array().ok()?;
            let list = begin_message(out, 5);
            let mut count = 0;
            while more(decoder, length, &mut count)? {
                let element = begin_message(out, 1);
                nested_from_cbor(decoder, out, depth)?;
                end_message(out, element);
            }
            end_message(out, list);
        }
        Type::Map | Type::MapIndef => {
            let depth = depth.checked_sub(3)?;
            let length = decoder.map().ok()?;
            let map = begin_message(out, 6);
            let mut count = 0;
            while more(decoder, length, &mut count)? {
                let entry = begin_message(out, 1);
                let mut key = String::new();
                for part in decoder.str_iter().ok()? {
                    key.push_str(part.ok()?);
                }
                put_bytes(out, 1, key.as_bytes());
                let value = begin_message(out, 2);
                nested_from_cbor(decoder, out, depth)?;
                end_message(out, value);
                end_message(out, entry);
            }
            end_message(out, map);
        }
        // Tags and simple values are of no kind that OTLP has.
        _ => return None,
    }
    Some(())
}

/// Whether a list or map has another element; one of unknown length ends with a break.
fn more(decoder: &mut Decoder<'_>, length: Option<u64>, count: &mut u64) -> Option<bool> {
    match length {
        Some(length) => {
            *count += 1;
            Some(*count <= length)
        }
        None if decoder.datatype().ok()? == Type::Break => {
            decoder.set_position(decoder.position() + 1);
            Some(false)
        }
        None => Some(true),
    }
}
