//! Values as JSON text, the way string-like parameters want them: sorted keys, `<>&` escaped,
//! doubles with a two-digit exponent, ids as lists of numbers.

use std::io::Write as _;

use super::{MAX_DEPTH, Value, elements, entries};
use crate::{failure::Failure, go::text};

/// Appends a value as JSON.
///
/// # Errors
/// [`Failure::Function`] for what JSON cannot say (a NaN, a year beyond 9999, a part of a row),
/// [`Failure::TooDeep`].
pub fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), Failure> {
    put(value, MAX_DEPTH, out)
}

fn put(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    let depth = depth.checked_sub(1).ok_or(Failure::TooDeep)?;
    match value {
        Value::Nil => out.extend_from_slice(b"null"),
        Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Int(value) | Value::GoInt(value) | Value::Duration(value) => {
            let _ = write!(out, "{value}");
        }
        Value::Float(value) => float(*value, out)?,
        Value::String(text) => text::json_string(text, true, out),
        Value::Bytes(bytes) if bytes.is_empty() => out.extend_from_slice(b"null"),
        Value::Bytes(bytes) => {
            out.push(b'"');
            text::base64(bytes, out);
            out.push(b'"');
        }
        Value::Time(time) => {
            let text = time.rfc3339().ok_or_else(|| {
                Failure::Function("Time.MarshalJSON: year outside of range [0,9999]".to_owned())
            })?;
            let _ = write!(out, "\"{text}\"");
        }
        Value::TraceId(id) | Value::ProfileId(id) => numbers(id, out),
        Value::SpanId(id) => numbers(id, out),
        Value::List(items) => list(items, depth, out)?,
        Value::Typed(items) => match items {
            super::Typed::Uints(items) => {
                let texts: Vec<String> = items.iter().map(u64::to_string).collect();
                let _ = write!(out, "[{}]", texts.join(","));
            }
            items => list(&items.values(), depth, out)?,
        },
        Value::RawMap(entries) => {
            let mut entries: Vec<_> = entries.iter().map(|(key, value)| (key, value)).collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            out.push(b'{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                separate(at, out);
                text::json_string(key, true, out);
                out.push(b':');
                put(value, depth, out)?;
            }
            out.push(b'}');
        }
        Value::Slice(any) => {
            out.push(b'[');
            for (at, item) in elements(any).enumerate() {
                separate(at, out);
                put(&Value::decode(item)?, depth, out)?;
            }
            out.push(b']');
        }
        Value::Map(any) => {
            let mut entries = entries(any)?;
            // Of duplicate keys the last counts.
            entries.reverse();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            entries.dedup_by(|a, b| a.0 == b.0);
            out.push(b'{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                separate(at, out);
                text::json_string(key, true, out);
                out.push(b':');
                put(&Value::decode(&value)?, depth, out)?;
            }
            out.push(b'}');
        }
        // What Go's structures keep to themselves.
        Value::Part(..) => out.extend_from_slice(b"{}"),
    }
    Ok(())
}

fn separate(at: usize, out: &mut Vec<u8>) {
    if at > 0 {
        out.push(b',');
    }
}

fn list(items: &[Value], depth: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        separate(at, out);
        put(item, depth, out)?;
    }
    out.push(b']');
    Ok(())
}

fn numbers(bytes: &[u8], out: &mut Vec<u8>) {
    let texts: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let _ = write!(out, "[{}]", texts.join(","));
}

fn float(value: f64, out: &mut Vec<u8>) -> Result<(), Failure> {
    if !value.is_finite() {
        let text = format!("json: unsupported value: {value}");
        return Err(Failure::Function(text));
    }
    let size = value.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        let _ = write!(out, "{value}");
        return Ok(());
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    let _ = write!(out, "{digits}e{sign}{exponent:0>2}");
    Ok(())
}
