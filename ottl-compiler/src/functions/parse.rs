//! Converters that take texts apart.

use trunkline_proto::{
    batch::{self, ValueType},
    wire::{begin_message, end_message},
};

use super::lists::string_map;
use crate::{
    failure::Failure,
    go::{regexp, text},
    program::{Args, Argument},
    value::{Text, Value, entries, put_entry},
};

/// `ExtractPatterns(target, pattern)`: the named groups of the first match.
pub(super) fn extract_patterns(args: &Args<'_>) -> Result<Value, Failure> {
    let text = args.text(0)?;
    let regex = args.regex(1)?;
    let mut named = regexp::group_names(&regex)
        .enumerate()
        .filter_map(|(at, name)| Some((at + 1, name?)))
        .peekable();
    if named.peek().is_none() {
        return Err(Failure::Function(
            "at least 1 named capture group must be supplied in the given regex".to_owned(),
        ));
    }
    let Some(captures) = regex.captures(text) else {
        return string_map(Vec::new());
    };
    let groups = named.map(|(at, name)| {
        let value = captures.get(at).map_or(&b""[..], |group| group.as_bytes());
        (Text::from_slice(name.as_bytes()), Text::from_slice(value))
    });
    string_map(groups.collect())
}

/// `ParseKeyValue(target, delimiter?, pair_delimiter?)`
pub(super) fn parse_key_value(args: &Args<'_>) -> Result<Value, Failure> {
    let text = args.text(0)?;
    let delimiter = if args.has(1) { args.text(1)? } else { b"=" };
    let between = if args.has(2) { args.text(2)? } else { b" " };
    if text.is_empty() {
        return Err(Failure::Function(
            "cannot parse from empty target".to_owned(),
        ));
    }
    let mut entries = Vec::new();
    for pair in pairs(text, between)? {
        let found = pair
            .windows(delimiter.len())
            .position(|window| window == delimiter);
        let Some(at) = found else {
            return Err(Failure::Function(format!(
                "cannot split {:?} into 2 items, got 1 item(s)",
                String::from_utf8_lossy(&pair)
            )));
        };
        let key = pair.get(..at).unwrap_or_default().trim_ascii();
        let value = pair
            .get(at + delimiter.len()..)
            .unwrap_or_default()
            .trim_ascii();
        entries.push((Text::from_slice(key), Text::from_slice(value)));
    }
    string_map(entries)
}

/// `ToKeyValueString(target, delimiter?, pair_delimiter?, sort_output?)`
pub(super) fn to_key_value_string(args: &Args<'_>) -> Result<Value, Failure> {
    let delimiter = if args.has(1) { args.text(1)? } else { b"=" };
    let between = if args.has(2) { args.text(2)? } else { b" " };
    let mut any = Vec::new();
    args.value(0).encode(&mut any)?;
    let mut entries = entries(&any)?;
    if args.bool_or(3, false)? {
        entries.sort_by(|a, b| a.0.cmp(b.0));
    }
    let contains = |text: &[u8], part: &[u8]| text.windows(part.len().max(1)).any(|w| w == part);
    let put = |text: &[u8], out: &mut Vec<u8>| {
        let quoted = contains(text, delimiter) || contains(text, between);
        out.extend(quoted.then_some(b'"'));
        for byte in text {
            out.extend((*byte == b'"').then_some(b'\\'));
            out.push(*byte);
        }
        out.extend(quoted.then_some(b'"'));
    };
    let mut out = Vec::new();
    for (at, (key, any)) in entries.iter().enumerate() {
        if at > 0 {
            out.extend_from_slice(between);
        }
        put(key, &mut out);
        out.extend_from_slice(delimiter);
        let mut shown = Vec::new();
        text::as_text(&batch::Value::read(any)?, &mut shown);
        put(&shown, &mut out);
    }
    Ok(Value::text(out))
}

/// How deep JSON may nest: messages nest up to 100 in a request, a list being two and a map
/// three of them, and what holds the value some.
const JSON_DEPTH: usize = 90;

/// `ParseJSON(target)`: an object or a list; every number is a double.
pub(super) fn parse_json(args: &Args<'_>) -> Result<Value, Failure> {
    let text = String::from_utf8_lossy(args.text(0)?);
    let parsed: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| Failure::Parse(error.to_string()))?;
    let mut any = Vec::new();
    encode(&parsed, JSON_DEPTH, &mut any)?;
    match parsed {
        serde_json::Value::Object(_) => Ok(Value::Map(Text::from_vec(any))),
        serde_json::Value::Array(_) => Ok(Value::Slice(Text::from_vec(any))),
        _ => Err(Failure::Parse(
            "the JSON text is neither an object nor a list".to_owned(),
        )),
    }
}

/// Appends a JSON value as an encoded `AnyValue`.
fn encode(value: &serde_json::Value, depth: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    match value {
        serde_json::Value::Null => {}
        serde_json::Value::Bool(value) => batch::Value::Bool(*value).write(out),
        serde_json::Value::Number(number) => {
            batch::Value::Double(number.as_f64().unwrap_or(0.0)).write(out);
        }
        serde_json::Value::String(text) => batch::Value::String(text.as_bytes()).write(out),
        serde_json::Value::Array(items) => {
            let depth = depth.checked_sub(2).ok_or(Failure::TooDeep)?;
            let list = begin_message(out, ValueType::List as u32);
            for item in items {
                let any = begin_message(out, 1);
                encode(item, depth, out)?;
                end_message(out, any);
            }
            end_message(out, list);
        }
        serde_json::Value::Object(entries) => {
            let depth = depth.checked_sub(3).ok_or(Failure::TooDeep)?;
            let map = begin_message(out, ValueType::Map as u32);
            for (key, value) in entries {
                put_entry(out, key.as_bytes(), |out| encode(value, depth, out))?;
            }
            end_message(out, map);
        }
    }
    Ok(())
}

/// The delimiters must be two, and not empty.
pub(super) fn check_delimiters(args: &[Argument]) -> Result<(), String> {
    let text = |at: usize, default: &[u8]| match args.get(at).and_then(Argument::literal) {
        Some(Value::String(text)) => text.to_vec(),
        _ => default.to_vec(),
    };
    let (delimiter, between) = (text(1, b"="), text(2, b" "));
    if delimiter.is_empty() {
        return Err("delimiter cannot be set to an empty string".to_owned());
    }
    if between.is_empty() {
        return Err("pair delimiter cannot be set to an empty string".to_owned());
    }
    if delimiter == between {
        return Err(format!(
            "pair delimiter {:?} cannot be equal to delimiter {:?}",
            String::from_utf8_lossy(&between),
            String::from_utf8_lossy(&delimiter)
        ));
    }
    Ok(())
}

/// What pair delimiters separate. A quote begins or ends quoted text wherever it stands, and
/// goes; one behind a backslash stays, with the backslash.
fn pairs(text: &[u8], between: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
    let mut out = Vec::new();
    let mut pair = Vec::new();
    let mut quote = None;
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        if let [b'\\', next @ (b'"' | b'\''), after @ ..] = rest {
            pair.extend_from_slice(&[b'\\', *next]);
            rest = after;
            continue;
        }
        match (quote, first) {
            (None, b'"' | b'\'') => quote = Some(*first),
            (Some(open), byte) if open == *byte => quote = None,
            (None, _) if rest.starts_with(between) => {
                if !pair.is_empty() {
                    out.push(std::mem::take(&mut pair));
                }
                rest = rest.get(between.len()..).unwrap_or_default();
                continue;
            }
            _ => pair.push(*first),
        }
        rest = after;
    }
    if quote.is_some() {
        return Err(Failure::Function(
            "never reached the end of a quoted value".to_owned(),
        ));
    }
    if !pair.is_empty() {
        out.push(pair);
    }
    Ok(out)
}

/// `IsValidLuhn(target)`
pub(super) fn is_valid_luhn(args: &Args<'_>) -> Result<Value, Failure> {
    let Some(text) = args.text_or_none(0)? else {
        return Err(Failure::Function("invalid input: <nil>".to_owned()));
    };
    let digits: Vec<u8> = text.iter().copied().filter(|byte| *byte != b' ').collect();
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Failure::Function(format!(
            "invalid input: {}",
            String::from_utf8_lossy(text)
        )));
    }
    let sum: u64 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let digit = u64::from(byte - b'0');
            match (at % 2, digit) {
                (0, digit) => digit,
                (_, digit @ 0..=4) => 2 * digit,
                (_, digit) => 2 * digit - 9,
            }
        })
        .sum();
    Ok(Value::Bool(!digits.is_empty() && sum.is_multiple_of(10)))
}
