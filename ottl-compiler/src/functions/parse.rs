//! Converters that take texts apart.

use super::lists::string_map;
use crate::{
    failure::Failure,
    go::regexp,
    program::{Args, Argument},
    value::{Text, Value},
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
