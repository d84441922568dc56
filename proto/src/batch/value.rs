//! Attribute values: `AnyValue` as it lies in the bytes, read without decoding what is nested.

use crate::wire::{
    DecodeError, Fields, WireType, begin_message, end_message, put_bytes, put_double, put_uint,
};

/// A value of an attribute or a log body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Set, but to nothing.
    Empty,
    /// A string; it need not be UTF-8.
    String(&'a [u8]),
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A list: the encoded `AnyValue` that holds it.
    List(&'a [u8]),
    /// A map: the encoded `AnyValue` that holds it.
    Map(&'a [u8]),
    /// An index into a string table (profiles only).
    StringIndex(i32),
}

/// The type of a [`Value`]. The numbers are those of the field in `AnyValue`; 0 is an empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum ValueType {
    Empty = 0,
    String = 1,
    Bool = 2,
    Int = 3,
    Double = 4,
    List = 5,
    Map = 6,
    Bytes = 7,
    StringIndex = 8,
}

impl<'a> Value<'a> {
    /// Reads an encoded `AnyValue`: the last member counts, as with every oneof.
    ///
    /// # Errors
    /// [`DecodeError`] with offsets from the start of `any_value`.
    #[inline]
    pub fn read(any_value: &'a [u8]) -> Result<Value<'a>, DecodeError> {
        // What nearly every value is.
        if let [0x0a, len, text @ ..] = any_value
            && *len < 0x80
            && text.len() == usize::from(*len)
        {
            return Ok(Value::String(text));
        }
        Value::read_any(any_value)
    }

    fn read_any(any_value: &'a [u8]) -> Result<Value<'a>, DecodeError> {
        let mut value = Value::Empty;
        for field in Fields::all(any_value) {
            let field = field?;
            value = match (field.number, field.wire) {
                (1, WireType::Len) => Value::String(field.bytes(any_value)),
                (2, WireType::Varint) => Value::Bool(field.uint(any_value) != 0),
                (3, WireType::Varint) => Value::Int(field.uint(any_value) as i64),
                (4, WireType::Fixed64) => Value::Double(f64::from_bits(field.uint(any_value))),
                (5, WireType::Len) => Value::List(any_value),
                (6, WireType::Len) => Value::Map(any_value),
                (7, WireType::Len) => Value::Bytes(field.bytes(any_value)),
                (8, WireType::Varint) => Value::StringIndex(field.uint(any_value) as i32),
                _ => value,
            };
        }
        Ok(value)
    }

    /// Its type.
    pub fn value_type(&self) -> ValueType {
        match self {
            Value::Empty => ValueType::Empty,
            Value::String(_) => ValueType::String,
            Value::Bool(_) => ValueType::Bool,
            Value::Int(_) => ValueType::Int,
            Value::Double(_) => ValueType::Double,
            Value::Bytes(_) => ValueType::Bytes,
            Value::List(_) => ValueType::List,
            Value::Map(_) => ValueType::Map,
            Value::StringIndex(_) => ValueType::StringIndex,
        }
    }

    /// Appends the encoded `AnyValue`.
    pub fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Value::Empty => {}
            Value::String(text) => put_bytes(out, 1, text),
            Value::Bool(value) => put_uint(out, 2, value.into()),
            Value::Int(value) => put_uint(out, 3, value as u64),
            Value::Double(value) => put_double(out, 4, value),
            Value::Bytes(bytes) => put_bytes(out, 7, bytes),
            Value::List(any_value) | Value::Map(any_value) => out.extend_from_slice(any_value),
            Value::StringIndex(index) => put_uint(out, 8, index as u64),
        }
    }

    /// The elements of a list, in order, each an encoded `AnyValue`; none for other values.
    pub fn list(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let any_value = if let Value::List(any_value) = self {
            *any_value
        } else {
            &[]
        };
        nested(any_value, 5)
    }

    /// The entries of a map, in order, each an encoded `KeyValue`; none for other values.
    pub fn map(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let any_value = if let Value::Map(any_value) = self {
            *any_value
        } else {
            &[]
        };
        nested(any_value, 6)
    }
}

/// Field 1 of every piece of member `number`: pieces of one member are merged, and another
/// member between starts afresh.
fn nested(any_value: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    for field in Fields::all(any_value).flatten() {
        if matches!(field.number, 1..=8) && field.number != number {
            start = field.end;
        }
    }
    Fields::new(any_value, start, any_value.len())
        .flatten()
        .filter(move |field| field.number == number && field.wire == WireType::Len)
        .flat_map(move |piece| Fields::new(any_value, piece.start, piece.end).flatten())
        .filter(|field| field.number == 1 && field.wire == WireType::Len)
        .map(move |field| field.bytes(any_value))
}

/// An encoded `KeyValue` taken apart.
#[derive(Clone, Copy, Debug)]
pub struct KeyValue<'a> {
    /// The key; it need not be UTF-8.
    pub key: &'a [u8],
    /// The encoded `AnyValue`; the last piece of it, should it come in several.
    pub value: Option<&'a [u8]>,
    /// The value was given in several pieces, which [`KeyValue::merged_value`] puts together.
    pub split: bool,
}

impl<'a> KeyValue<'a> {
    /// Takes an encoded `KeyValue` apart.
    ///
    /// # Errors
    /// [`DecodeError`] with offsets from the start of `bytes`.
    #[inline(always)]
    pub fn read(bytes: &'a [u8]) -> Result<KeyValue<'a>, DecodeError> {
        if let [0x0a, key_len, rest @ ..] = bytes
            && *key_len < 0x80
            && let Some((key, [0x12, len, value @ ..])) =
                rest.split_at_checked(usize::from(*key_len))
            && *len < 0x80
            && value.len() == usize::from(*len)
        {
            return Ok(KeyValue {
                key,
                value: Some(value),
                split: false,
            });
        }
        KeyValue::read_any(bytes)
    }

    #[inline(never)]
    fn read_any(bytes: &'a [u8]) -> Result<KeyValue<'a>, DecodeError> {
        let mut found = KeyValue {
            key: &[],
            value: None,
            split: false,
        };
        for field in Fields::all(bytes) {
            let field = field?;
            match (field.number, field.wire) {
                (1, WireType::Len) => found.key = field.bytes(bytes),
                (2, WireType::Len) => {
                    found.split = found.value.is_some();
                    found.value = Some(field.bytes(bytes));
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// The whole value of an encoded `KeyValue` in one piece: protobuf merges pieces by
    /// putting them behind one another.
    ///
    /// # Errors
    /// [`DecodeError`] with offsets from the start of `bytes`.
    pub fn merged_value(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let mut value = Vec::new();
        for field in Fields::all(bytes) {
            let field = field?;
            if field.number == 2 && field.wire == WireType::Len {
                value.extend_from_slice(field.bytes(bytes));
            }
        }
        Ok(value)
    }

    /// Appends an encoded `KeyValue` as field `number`.
    pub fn write(out: &mut Vec<u8>, number: u32, key: &[u8], value: &Value<'_>) {
        let begin = begin_message(out, number);
        put_bytes(out, 1, key);
        let inner = begin_message(out, 2);
        value.write(out);
        end_message(out, inner);
        end_message(out, begin);
    }
}

/// Whether two keys are the same. Keys are short: two overlapping loads settle most, where
/// a call of `memcmp` would cost more than the comparison.
#[inline(always)]
pub(crate) fn same_key(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if let (Some(a_first), Some(b_first), Some(a_last), Some(b_last)) = (
        a.first_chunk::<8>(),
        b.first_chunk::<8>(),
        a.last_chunk::<8>(),
        b.last_chunk::<8>(),
    ) {
        let same = (u64::from_le_bytes(*a_first) ^ u64::from_le_bytes(*b_first))
            | (u64::from_le_bytes(*a_last) ^ u64::from_le_bytes(*b_last));
        return same == 0 && (a.len() <= 16 || a == b);
    }
    if let (Some(a_first), Some(b_first), Some(a_last), Some(b_last)) = (
        a.first_chunk::<4>(),
        b.first_chunk::<4>(),
        a.last_chunk::<4>(),
        b.last_chunk::<4>(),
    ) {
        let same = (u32::from_le_bytes(*a_first) ^ u32::from_le_bytes(*b_first))
            | (u32::from_le_bytes(*a_last) ^ u32::from_le_bytes(*b_last));
        return same == 0;
    }
    a.iter().zip(b).all(|(a, b)| a == b)
}
