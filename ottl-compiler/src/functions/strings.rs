//! Converters of strings.

use crate::{
    failure::Failure,
    go::text::{as_text, lower_char, one_char},
    ops::CompareOp,
    program::Args,
    types::Type,
    value::{
        Text, Typed, Value,
        coerce::{Want, coerce},
        compare::compare,
        elements, entries,
    },
};
use std::borrow::Cow;
use trunkline_proto::batch;

/// `Concat(vals, delimiter)`
pub(super) fn concat(args: &Args<'_>) -> Result<Value, Failure> {
    let delimiter = args.text(1)?;
    let mut out: Vec<u8> = Vec::new();
    let mut first = true;
    let mut separate = |out: &mut Vec<u8>| {
        if !std::mem::take(&mut first) {
            out.extend_from_slice(delimiter);
        }
    };
    let mut push = |value: &Value| {
        separate(&mut out);
        match &*coerce(Cow::Borrowed(value), Want::StringLike)? {
            Value::String(text) => out.extend_from_slice(text),
            _ => out.extend_from_slice(b"<nil>"),
        }
        Ok::<(), Failure>(())
    };
    match args.value(0) {
        Value::Nil => {}
        Value::List(items) => items.iter().try_for_each(&mut push)?,
        Value::Slice(any) => {
            // As values of telemetry are shown: what is empty is no text, bytes are base64.
            for any in elements(any) {
                separate(&mut out);
                as_text(&batch::Value::read(any)?, &mut out);
            }
        }
        Value::Typed(items) => items.values().iter().try_for_each(&mut push)?,
        // Bytes are a list of numbers to the reference.
        Value::Bytes(bytes) => bytes
            .iter()
            .try_for_each(|byte| push(&Value::Int(i64::from(*byte))))?,
        other => {
            return Err(Failure::Function(format!(
                "expected a slice, got {}",
                other.type_name()
            )));
        }
    }
    Ok(Value::text(out))
}

/// `Split(target, delimiter)`
pub(super) fn split(args: &Args<'_>) -> Result<Value, Failure> {
    let (text, delimiter) = (args.text(0)?, args.text(1)?);
    let mut parts: Vec<Text> = Vec::new();
    if delimiter.is_empty() {
        for chunk in text.utf8_chunks() {
            let valid = chunk.valid().chars();
            parts.extend(valid.map(|c| Text::from_slice(c.encode_utf8(&mut [0; 4]).as_bytes())));
            parts.extend(
                chunk
                    .invalid()
                    .iter()
                    .map(|byte| Text::from_slice(&[*byte])),
            );
        }
        return Ok(Value::Typed(Typed::Strings(parts)));
    }
    let mut rest = text;
    while let Some(at) = find(rest, delimiter) {
        parts.push(Text::from_slice(rest.get(..at).unwrap_or_default()));
        rest = rest.get(at + delimiter.len()..).unwrap_or_default();
    }
    parts.push(Text::from_slice(rest));
    Ok(Value::Typed(Typed::Strings(parts)))
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    text.windows(part.len()).position(|window| window == part)
}

/// `Substring(target, start, length, utf8_safe?)`
pub(super) fn substring(args: &Args<'_>) -> Result<Value, Failure> {
    let text = args.text(0)?;
    let (start, length) = (args.int(1)?, args.int(2)?);
    let safe = args.bool_or(3, false)?;
    if start < 0 {
        return Err(Failure::Function(format!(
            "invalid start for substring function, {start} cannot be negative"
        )));
    }
    if length <= 0 {
        return Err(Failure::Function(format!(
            "invalid length for substring function, {length} cannot be negative or zero"
        )));
    }
    let range = start.checked_add(length).and_then(|end| {
        let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
        (end <= text.len()).then_some((start, end))
    });
    let Some((mut start, mut end)) = range else {
        return Err(Failure::Function(format!(
            "invalid range for substring function, {start} cannot be greater than the length of \
             target string({})",
            text.len()
        )));
    };
    let within = |at: usize| text.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    if safe {
        while start < end && within(start) {
            start += 1;
        }
        while end > start && within(end) {
            end -= 1;
        }
    }
    Ok(Value::text(text.get(start..end).unwrap_or_default()))
}

/// `Trim(target, replacement?)`: the characters of a set, from both ends.
pub(super) fn trim(args: &Args<'_>) -> Result<Value, Failure> {
    let text = String::from_utf8_lossy(args.text(0)?).into_owned();
    let set = match args.has(1) {
        true => String::from_utf8_lossy(args.text(1)?).into_owned(),
        false => " ".to_owned(),
    };
    Ok(Value::text(text.trim_matches(|c| set.contains(c))))
}

/// `TrimPrefix(target, prefix)`
pub(super) fn trim_prefix(args: &Args<'_>) -> Result<Value, Failure> {
    let text = args.text(0)?;
    Ok(Value::text(
        text.strip_prefix(args.text(1)?).unwrap_or(text),
    ))
}

/// `TrimSuffix(target, suffix)`
pub(super) fn trim_suffix(args: &Args<'_>) -> Result<Value, Failure> {
    let text = args.text(0)?;
    Ok(Value::text(
        text.strip_suffix(args.text(1)?).unwrap_or(text),
    ))
}

/// `ToLowerCase(target)`
pub(super) fn to_lower(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::text(map_chars(args.text(0)?, lower_char)))
}

/// `ToUpperCase(target)`
pub(super) fn to_upper(args: &Args<'_>) -> Result<Value, Failure> {
    let one = |c: char| one_char(c.to_uppercase(), c);
    Ok(Value::text(map_chars(args.text(0)?, one)))
}

fn map_chars(text: &[u8], map: impl Fn(char) -> char) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            out.extend_from_slice(map(c).encode_utf8(&mut [0; 4]).as_bytes());
        }
        for _ in chunk.invalid() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out
}

/// `Len(target)`
pub(super) fn len(args: &Args<'_>) -> Result<Value, Failure> {
    let len = match args.value(0) {
        Value::String(text) | Value::Bytes(text) => text.len(),
        Value::Map(any) => entries(any)?.len(),
        Value::RawMap(entries) => entries.len(),
        Value::Slice(any) => elements(any).count(),
        Value::List(items) => items.len(),
        Value::Typed(items) => items.len(),
        value => match value.rows() {
            Some(rows) => rows,
            None => {
                return Err(Failure::Function(format!(
                    "unsupported type provided to Len function: {}",
                    value.type_name()
                )));
            }
        },
    };
    Ok(Value::Int(len as i64))
}

/// `Index(target, value)`: where it is first found, or -1.
pub(super) fn index(args: &Args<'_>) -> Result<Value, Failure> {
    let item = args.value(1);
    if let Value::String(text) = args.value(0) {
        let at = find(text, args.text(1)?);
        return Ok(Value::Int(at.map_or(-1, |at| at as i64)));
    }
    // A list literal must be one that telemetry can hold.
    let list = coerce(Cow::Borrowed(args.value(0)), Want::Exactly(Type::List))?;
    let items = match &*list {
        Value::Slice(any) => elements(any)
            .map(Value::decode)
            .collect::<Result<Vec<_>, _>>()?,
        Value::List(items) => items.clone(),
        Value::Typed(items) => items.values(),
        other => {
            return Err(Failure::Function(format!(
                "source must be string or slice, but got {}",
                other.type_name()
            )));
        }
    };
    for (at, candidate) in items.iter().enumerate() {
        if compare(CompareOp::Eq, candidate, item)? {
            return Ok(Value::Int(at as i64));
        }
    }
    Ok(Value::Int(-1))
}
