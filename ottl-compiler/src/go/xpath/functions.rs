//! What functions of XPath make of texts and numbers, as the Go library does it: by bytes where it
//! counts bytes. What they do with nodes is in `call`.

use super::eval::Value;
use crate::go::{
    regexp,
    text::{lower_char, parse_double},
};

/// `sum()` of what is not nodes.
pub(super) fn sum(value: &Value) -> Result<f64, String> {
    match value {
        Value::Number(number) => Ok(*number),
        Value::Text(text) => parse_double(text)
            .ok_or_else(|| "sum() function argument type must be a node-set or number".to_owned()),
        _ => Ok(0.0),
    }
}

/// Halves go up; zero keeps its sign.
pub(super) fn round(number: f64) -> f64 {
    if !number.is_finite() {
        return number;
    }
    if (-0.5..0.5).contains(&number) {
        return number * 0.0;
    }
    let floor = number.floor();
    match number - floor >= 0.5 {
        true => floor + 1.0,
        false => floor,
    }
}

/// In small letters.
pub(super) fn lower(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    text.chars()
        .map(lower_char)
        .collect::<String>()
        .into_bytes()
}

/// Each character of `from` becomes the byte of `to` at its place in bytes, or goes.
pub(super) fn translate(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (text, from) = (String::from_utf8_lossy(text), String::from_utf8_lossy(from));
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match from.char_indices().find(|(_, known)| *known == c) {
            Some((at, _)) => out.extend(to.get(at).map(|byte| char::from(*byte))),
            None => out.push(c),
        }
    }
    out.into_bytes()
}

/// Whether a pattern is found in a text.
pub(super) fn matches(text: &[u8], pattern: &[u8]) -> Result<bool, String> {
    let regex = regexp::compile(&String::from_utf8_lossy(pattern))?;
    Ok(regex.is_match(text))
}

/// Every match of a pattern replaced; `$1` is a group whatever follows.
pub(super) fn replace(text: &[u8], pattern: &[u8], to: &[u8]) -> Result<Vec<u8>, String> {
    let regex = regexp::compile(&String::from_utf8_lossy(pattern))?;
    let mut to = String::from_utf8_lossy(to).into_owned();
    for group in (1..regex.captures_len()).rev() {
        to = to.replace(&format!("${group}"), &format!("${{{group}}}"));
    }
    let (mut out, mut last) = (Vec::new(), 0);
    for captures in regex.captures_iter(text) {
        let Some(whole) = captures.get(0) else {
            continue;
        };
        // Between the bytes of a character there is nothing to match.
        let byte = text.get(whole.start());
        if whole.is_empty() && byte.is_some_and(|byte| byte & 0xc0 == 0x80) {
            continue;
        }
        out.extend_from_slice(text.get(last..whole.start()).unwrap_or_default());
        regexp::expand(&regex, &captures, to.as_bytes(), &mut out);
        last = whole.end();
    }
    out.extend_from_slice(text.get(last..).unwrap_or_default());
    Ok(out)
}

/// Bytes from a place (from 1) on, as many as are wanted.
///
/// # Errors
/// Where the library reaches beyond the text.
pub(super) fn substring(text: &[u8], start: f64, len: Option<f64>) -> Result<Vec<u8>, String> {
    let beyond = || "substring() reaches beyond its text".to_owned();
    let part = |from: f64, to: f64| -> Result<Vec<u8>, String> {
        if !(from >= 0.0 && from <= to && to <= text.len() as f64) {
            return Err(beyond());
        }
        let part = text.get(from as usize..to as usize);
        part.map(<[u8]>::to_vec).ok_or_else(beyond)
    };
    let (start, whole) = (start.round(), text.len() as f64);
    if start > whole {
        return Ok(Vec::new());
    }
    let Some(len) = len else {
        return match start <= 0.0 {
            true => Ok(text.to_vec()),
            false => part(start - 1.0, whole),
        };
    };
    let len = len.round();
    if len <= 0.0 {
        return Ok(Vec::new());
    }
    let len = if len > whole { whole } else { len };
    if start < 0.0 {
        let len = len - start.abs();
        return match len <= 1.0 {
            true => Ok(Vec::new()),
            false => part(0.0, len - 1.0),
        };
    }
    match start == 0.0 {
        true => part(0.0, len - 1.0),
        false => part(start - 1.0, len + start - 1.0),
    }
}
