//! References to strings of a dictionary within attributes (`key_strindex`,
//! `string_value_strindex`): whether there are some, and the same value without them. Which
//! strings there are is in [`super::dictionary`].

use super::{
    Error,
    value::{KeyValue, Value},
};
use crate::wire::{
    DecodeError, DecodeErrorKind, Fields, MAX_DEPTH, WireType, begin_message, end_message,
    put_bytes,
};

/// What references are replaced with.
pub(super) struct Strings<'s> {
    /// Looks a string up by its index.
    pub find: &'s dyn Fn(i32) -> Result<&'s [u8], Error>,
    /// Bytes that a value may have in the end: a reference takes few and can stand for many.
    pub most: usize,
}

fn deeper(depth: usize) -> Result<usize, DecodeError> {
    depth
        .checked_sub(1)
        .ok_or_else(|| DecodeError::new(0, DecodeErrorKind::Depth))
}

/// The index of the string that is the key of a `KeyValue`; 0 if it has its key itself.
fn key_reference(key_value: &[u8]) -> Result<i32, DecodeError> {
    let mut index = 0;
    for field in Fields::all(key_value) {
        let field = field?;
        if (field.number, field.wire) == (3, WireType::Varint) {
            index = field.uint(key_value) as i32;
        }
    }
    Ok(index)
}

/// Whether an encoded `AnyValue` refers to strings, itself or in what it holds.
pub(super) fn has_reference(any: &[u8]) -> Result<bool, DecodeError> {
    refers(any, MAX_DEPTH)
}

fn refers(any: &[u8], depth: usize) -> Result<bool, DecodeError> {
    let depth = deeper(depth)?;
    let value = Value::read(any)?;
    if let Value::StringIndex(_) = value {
        return Ok(true);
    }
    for item in value.list() {
        if refers(item, depth)? {
            return Ok(true);
        }
    }
    for entry in value.map() {
        let inner = KeyValue::read(entry)?;
        if key_reference(entry)? != 0 || refers(inner.value.unwrap_or_default(), depth)? {
            return Ok(true);
        }
        if inner.split && refers(&KeyValue::merged_value(entry)?, depth)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Appends an `AnyValue` that means the same, without references and always in the same form.
pub(super) fn canonical(any: &[u8], strings: &Strings<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    resolve(any, strings, out, MAX_DEPTH)
}

fn resolve(
    any: &[u8],
    strings: &Strings<'_>,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), Error> {
    let depth = deeper(depth)?;
    let value = Value::read(any)?;
    match value {
        Value::StringIndex(index) => Value::String((strings.find)(index)?).write(out),
        Value::List(_) => {
            let list = begin_message(out, 5);
            for item in value.list() {
                let any = begin_message(out, 1);
                resolve(item, strings, out, depth)?;
                end_message(out, any);
            }
            end_message(out, list);
        }
        Value::Map(_) => {
            let map = begin_message(out, 6);
            for entry in value.map() {
                let pair = begin_message(out, 1);
                resolve_pair(entry, strings, out, depth)?;
                end_message(out, pair);
            }
            end_message(out, map);
        }
        scalar => scalar.write(out),
    }
    match out.len() > strings.most {
        true => Err(Error::TooLarge),
        false => Ok(()),
    }
}

fn resolve_pair(
    entry: &[u8],
    strings: &Strings<'_>,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), Error> {
    let inner = KeyValue::read(entry)?;
    let key = match key_reference(entry)? {
        0 => inner.key,
        index => (strings.find)(index)?,
    };
    put_bytes(out, 1, key);
    if inner.value.is_some() {
        let any = begin_message(out, 2);
        resolve(&KeyValue::merged_value(entry)?, strings, out, depth)?;
        end_message(out, any);
    }
    Ok(())
}

/// Whether a `KeyValue` refers to strings: with its key, its value or what that holds.
fn key_value_refers(key_value: &[u8]) -> Result<bool, DecodeError> {
    let inner = KeyValue::read(key_value)?;
    Ok(key_reference(key_value)? != 0
        || match inner.split {
            true => has_reference(&KeyValue::merged_value(key_value)?)?,
            false => has_reference(inner.value.unwrap_or_default())?,
        })
}

/// Appends the body of a `KeyValue` without references that means the same as this one. False,
/// and nothing appended: it has none.
pub(super) fn plain_key_value(
    key_value: &[u8],
    strings: &Strings<'_>,
    out: &mut Vec<u8>,
) -> Result<bool, Error> {
    let refers = key_value_refers(key_value)?;
    if refers {
        resolve_pair(key_value, strings, out, MAX_DEPTH)?;
    }
    Ok(refers)
}
