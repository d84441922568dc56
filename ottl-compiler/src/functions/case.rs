//! Converters of letter case, word by word. The rules are those of the Go library `strcase`,
//! which works on ASCII bytes.

use super::strings;
use crate::{
    failure::Failure,
    go::text::trim_space,
    program::{Args, Argument},
    value::Value,
};

/// `ToSnakeCase(target)`
pub(super) fn to_snake(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::text(snake(args.text(0)?)))
}

/// `ToCamelCase(target)`
pub(super) fn to_camel(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::text(camel(args.text(0)?)))
}

/// `ConvertCase(target, to_case)`
pub(super) fn convert(args: &Args<'_>) -> Result<Value, Failure> {
    match args.text(1)? {
        b"lower" => strings::to_lower(args),
        b"upper" => strings::to_upper(args),
        b"snake" => to_snake(args),
        _ => to_camel(args),
    }
}

/// The case must be one that there is.
pub(super) fn check_case(args: &[Argument]) -> Result<(), String> {
    let allowed = ["lower", "upper", "snake", "camel"];
    super::editors::one_of(args.get(1), "case", &allowed)
}

fn separates(byte: u8) -> bool {
    matches!(byte, b' ' | b'_' | b'-' | b'.')
}

/// A delimiter goes where the kind of letter changes: capital, small, digit. Of several
/// capitals before a small letter the last begins the word.
fn snake(text: &[u8]) -> Vec<u8> {
    let text = trim_space(text);
    let mut out = Vec::with_capacity(text.len() + 4);
    for (at, byte) in text.iter().copied().enumerate() {
        let lower = byte.to_ascii_lowercase();
        let (cap, low, num) = kinds(byte);
        let next = text.get(at + 1).copied().map(kinds);
        let changes = next.is_some_and(|(next_cap, next_low, next_num)| {
            (cap && (next_low || next_num))
                || (low && (next_cap || next_num))
                || (num && (next_cap || next_low))
        });
        if !changes {
            out.push(if separates(byte) { b'_' } else { lower });
            continue;
        }
        let (_, next_low, next_num) = next.unwrap_or_default();
        let before = at.checked_sub(1).and_then(|at| text.get(at));
        if cap && next_low && before.is_some_and(u8::is_ascii_uppercase) {
            out.push(b'_');
        }
        out.push(lower);
        if low || num || next_num {
            out.push(b'_');
        }
    }
    out
}

fn kinds(byte: u8) -> (bool, bool, bool) {
    (
        byte.is_ascii_uppercase(),
        byte.is_ascii_lowercase(),
        byte.is_ascii_digit(),
    )
}

/// Letters after a separator or digit become capitals, capitals after capitals small; what is
/// neither letter nor digit goes.
fn camel(text: &[u8]) -> Vec<u8> {
    let text = trim_space(text);
    // The one acronym that the library knows by itself.
    let text = if text == b"ID" { b"id" } else { text };
    let mut out = Vec::with_capacity(text.len());
    let (mut capital, mut after_capital) = (true, false);
    for byte in text.iter().copied() {
        let is_capital = byte.is_ascii_uppercase();
        let follows = std::mem::replace(&mut after_capital, is_capital);
        if byte.is_ascii_alphabetic() {
            out.push(match capital {
                true => byte.to_ascii_uppercase(),
                false if follows => byte.to_ascii_lowercase(),
                false => byte,
            });
            capital = false;
        } else if byte.is_ascii_digit() {
            out.push(byte);
            capital = true;
        } else {
            capital = separates(byte);
        }
    }
    out
}
