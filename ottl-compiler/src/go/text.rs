//! Values as the Collector turns them into text and numbers: `Value.AsString`
//! of pdata, and Go's number syntax.

use std::{collections::BTreeMap, io::Write, sync::OnceLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use trunkline_proto::batch::{KeyValue, Value};

/// Whether Go takes a character for one that can be shown: letters, marks, numbers,
/// punctuation, symbols, and the blank of ASCII.
pub fn is_printable(c: char) -> bool {
    static PRINTABLE: OnceLock<Option<regex::Regex>> = OnceLock::new();
    if c.is_ascii() {
        return matches!(c, ' '..='~');
    }
    let compiled = PRINTABLE.get_or_init(|| regex::Regex::new(r"^[\pL\pM\pN\pP\pS]$").ok());
    let mut buffer = [0; 4];
    let text = c.encode_utf8(&mut buffer);
    compiled.as_ref().is_some_and(|regex| regex.is_match(text))
}

/// Deeper values than this are not written; requests are never nested so deep.
const DEPTH: usize = 200;

/// Appends `Value.AsString()`: strings as they are, numbers as JSON has them, bytes in base64,
/// lists and maps as JSON with sorted keys. What JSON cannot say (a NaN within) is no text at all.
pub fn as_text(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Empty | Value::StringIndex(_) => {}
        Value::String(text) => out.extend_from_slice(text),
        Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Int(value) => out.extend_from_slice(itoa::Buffer::new().format(*value).as_bytes()),
        Value::Double(value) if value.is_nan() => out.extend_from_slice(b"NaN"),
        Value::Double(value) if value.is_infinite() => {
            out.extend_from_slice(if *value > 0.0 {
                b"Infinity"
            } else {
                b"-Infinity"
            });
        }
        Value::Double(value) => json_number(*value, out),
        Value::Bytes(bytes) => out.extend_from_slice(STANDARD.encode(bytes).as_bytes()),
        Value::List(_) | Value::Map(_) => {
            let start = out.len();
            if json(value, DEPTH, out).is_none() {
                out.truncate(start);
            }
        }
    }
}

/// Appends bytes in base64.
pub(crate) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
}

/// Go's `encoding/json` of a finite number: plain between 1e-6 and 1e21, else with an exponent.
fn json_number(value: f64, out: &mut Vec<u8>) {
    let size = value.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        let _ = write!(out, "{value}");
        return;
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => {
            let _ = write!(out, "{digits}e+{exponent}");
        }
        _ => out.extend_from_slice(text.as_bytes()),
    }
}

fn json(value: &Value<'_>, depth: usize, out: &mut Vec<u8>) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::Empty | Value::StringIndex(_) => out.extend_from_slice(b"null"),
        Value::String(text) => json_string(text, false, out),
        Value::Double(value) if !value.is_finite() => return None,
        Value::Bytes([]) => out.extend_from_slice(b"null"),
        Value::Bytes(_) => {
            out.push(b'"');
            as_text(value, out);
            out.push(b'"');
        }
        Value::List(_) => {
            out.push(b'[');
            for (i, element) in value.list().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                json(&Value::read(element).ok()?, depth, out)?;
            }
            out.push(b']');
        }
        Value::Map(_) => {
            out.push(b'{');
            for (i, (key, element)) in entries(value)?.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                json_string(key, false, out);
                out.push(b':');
                json(&Value::read(&element).ok()?, depth, out)?;
            }
            out.push(b'}');
        }
        _ => as_text(value, out),
    }
    Some(())
}

/// The entries of a map by key, the last of those with the same key.
fn entries<'a>(map: &Value<'a>) -> Option<BTreeMap<&'a [u8], Vec<u8>>> {
    let mut entries = BTreeMap::new();
    for entry in map.map() {
        let pair = KeyValue::read(entry).ok()?;
        let value = if pair.split {
            KeyValue::merged_value(entry).ok()?
        } else {
            pair.value.unwrap_or_default().to_vec()
        };
        entries.insert(pair.key, value);
    }
    Some(entries)
}

/// A string as `encoding/json` writes it, with or without escaping `<`, `>` and `&` for HTML.
pub(crate) fn json_string(text: &[u8], html: bool, out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\u{8}' => out.extend_from_slice(b"\\b"),
                '\u{c}' => out.extend_from_slice(b"\\f"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                '<' | '>' | '&' if html => {
                    let _ = write!(out, "\\u{:04x}", u32::from(c));
                }
                '\0'..='\x1f' | '\u{2028}' | '\u{2029}' => {
                    let _ = write!(out, "\\u{:04x}", u32::from(c));
                }
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        // Go writes one replacement a byte that is not part of a character.
        chunk
            .invalid()
            .iter()
            .for_each(|_| out.extend_from_slice(b"\\ufffd"));
    }
    out.push(b'"');
}

/// `strconv.FormatFloat(value, 'f', -1, 64)`.
pub fn plain_number(value: f64, out: &mut Vec<u8>) {
    if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else {
        let _ = write!(out, "{value}");
    }
}

/// `strings.TrimSpace`: without the spaces of Unicode at both ends.
pub fn trim_space(text: &[u8]) -> &[u8] {
    let before = text.utf8_chunks().next().map_or(0, |chunk| {
        chunk.valid().len() - chunk.valid().trim_start().len()
    });
    let text = text.get(before..).unwrap_or_default();
    let behind = match text.utf8_chunks().last() {
        Some(chunk) if chunk.invalid().is_empty() => {
            chunk.valid().len() - chunk.valid().trim_end().len()
        }
        _ => 0,
    };
    text.get(..text.len() - behind).unwrap_or_default()
}

/// `unicode.ToLower`: Go maps each character to one, so İ loses its dot.
pub fn lower_char(c: char) -> char {
    match c {
        'İ' => 'i',
        c => one_char(c.to_lowercase(), c),
    }
}

/// The one character that another becomes; itself where it would be several.
pub(crate) fn one_char(mut mapped: impl Iterator<Item = char>, c: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(mapped), None) => mapped,
        _ => c,
    }
}

/// `strings.Fields`: what stands between spaces of Unicode.
pub fn fields(text: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    let (mut begin, mut at) = (0, 0);
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_whitespace() {
                out.extend(text.get(begin..at).filter(|field| !field.is_empty()));
                begin = at + c.len_utf8();
            }
            at += c.len_utf8();
        }
        at += chunk.invalid().len();
    }
    out.extend(text.get(begin..).filter(|field| !field.is_empty()));
    out
}

/// `strings.EqualFold` of a text and one of ASCII.
pub fn equal_fold(text: &[u8], ascii: &str) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let folded = text.chars().map(|c| match c {
        // The two that letters of ASCII fold to outside of it.
        'ſ' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    });
    folded.eq(ascii.chars().map(|c| c.to_ascii_lowercase()))
}

/// `strconv.ParseInt(text, 10, 64)`.
pub fn parse_int(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `strconv.ParseFloat(text, 64)`: decimal and hexadecimal, with `_` between digits, `inf`,
/// `infinity` and `nan` in any case. What is too large is no number.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let sign = |value: f64| if negative { -value } else { value };
    if ["inf", "infinity"]
        .iter()
        .any(|name| unsigned.eq_ignore_ascii_case(name))
    {
        return Some(sign(f64::INFINITY));
    }
    if text.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    if !unsigned.bytes().all(|b| {
        b.is_ascii_hexdigit() || matches!(b, b'.' | b'_' | b'+' | b'-' | b'x' | b'X' | b'p' | b'P')
    }) {
        return None;
    }
    let hexadecimal = unsigned
        .get(..2)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case("0x"));
    let digits = without_underscores(unsigned, hexadecimal)?;
    let value = if hexadecimal {
        parse_hexadecimal(digits.get(2..)?)?
    } else {
        // Rust's syntax is Go's, but for the names and signs dealt with above.
        digits
            .starts_with(|c: char| c == '.' || c.is_ascii_digit())
            .then(|| digits.parse::<f64>().ok())??
    };
    value.is_finite().then(|| sign(value))
}

/// Go's `underscoreOK`: each between two digits, or between the prefix and a digit.
fn without_underscores(text: &str, hexadecimal: bool) -> Option<String> {
    if !text.contains('_') {
        return Some(text.to_owned());
    }
    let digit = |b: Option<&u8>| {
        b.is_some_and(|b| {
            if hexadecimal {
                b.is_ascii_hexdigit()
            } else {
                b.is_ascii_digit()
            }
        })
    };
    let bytes = text.as_bytes();
    let valid = bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'_')
        .all(|(at, _)| {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            (digit(before) || (hexadecimal && at == 2)) && digit(bytes.get(at + 1))
        });
    valid.then(|| text.replace('_', ""))
}

/// What follows `0x`: hexadecimal digits with a point, `p` and a decimal exponent of two.
fn parse_hexadecimal(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once(['p', 'P'])?;
    if exponent.trim_start_matches(['+', '-']).is_empty() || exponent.len() > 6 {
        return None;
    }
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // 64 bits of the digits, the last of which remembers that there were more.
    let (mut mantissa, mut scale) = (0u64, 0i32);
    for (at, c) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(c.to_digit(16)?);
        let is_fraction = at >= whole.len();
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | digit;
            scale -= if is_fraction { 4 } else { 0 };
        } else {
            mantissa |= u64::from(digit != 0);
            scale += if is_fraction { 0 } else { 4 };
        }
    }
    if mantissa == 0 {
        return Some(0.0);
    }
    // Scaled in steps that are exact, so that only the last one rounds.
    let mut exponent = exponent.saturating_add(scale);
    let shift = mantissa.leading_zeros() as i32;
    exponent -= shift;
    let sticky = (mantissa << shift) & 0x7ff;
    let mut rounded = (mantissa << shift) >> 11;
    let power = exponent + 11;
    if power >= -1074 {
        // Normal numbers: 53 bits, ties to even.
        if sticky > 0x400 || (sticky == 0x400 && rounded & 1 == 1) {
            rounded += 1;
        }
        return Some(rounded as f64 * pow2(power));
    }
    // Subnormal: fewer bits are left, and 0x7ff holds only a part of what is lost.
    let lost = u32::try_from(-1074 - power).ok()?;
    if lost > 53 {
        return Some(0.0);
    }
    let all = rounded << 11 | sticky;
    let drop = lost + 11;
    let (kept, gone) = if drop >= 64 {
        (0, all)
    } else {
        (all >> drop, all & ((1 << drop) - 1))
    };
    let half = 1u64 << (drop - 1).min(63);
    let up = gone > half || (gone == half && kept & 1 == 1);
    Some(f64::from_bits(kept + u64::from(up)))
}

/// 2 to the power of `exponent`, from -1074 on; infinite when too large.
fn pow2(exponent: i32) -> f64 {
    match exponent {
        1024.. => f64::INFINITY,
        -1022..=1023 => f64::from_bits(((exponent + 1023) as u64) << 52),
        _ => f64::from_bits(1u64 << (exponent + 1074).clamp(0, 51)),
    }
}

/// `math.Ldexp(fraction, exponent)` for a fraction between 0.5 and 1.
pub(crate) fn ldexp(fraction: f64, exponent: i64) -> f64 {
    match i32::try_from(exponent) {
        Ok(exponent @ -1074..) => fraction * pow2(exponent),
        Err(_) if exponent > 0 => f64::INFINITY,
        _ => 0.0,
    }
}

/// `int64(value)` of Go on amd64: what does not fit is the least integer.
pub fn truncate(value: f64) -> i64 {
    // -2^63 is exact; 2^63 no longer fits.
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value) {
        value as i64
    } else {
        i64::MIN
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("1_000", Some(1000.0)),
            ("1_23.50_0_0e+1_2", Some(1.235e14)),
            ("-_123.5e+12", None),
            ("0x1p-2", Some(0.25)),
            ("0x_1p4", Some(16.0)),
            ("0x1.fffffffffffffp1023", Some(f64::MAX)),
            ("0x1p1024", None),
            ("0x1p-1074", Some(5e-324)),
            ("0x1.8p-1074", Some(1e-323)),
            ("0x1p-1075", Some(0.0)),
            ("0x1", None),
            ("Inf", Some(f64::INFINITY)),
            ("-infinity", Some(f64::NEG_INFINITY)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("1e400", None),
            ("1e-400", Some(0.0)),
            ("", None),
            ("+", None),
            ("+-1", None),
            ("1e", None),
            (" 1", None),
            ("e5", None),
            (".", None),
        ] {
            assert_eq!(parse_double(text.as_bytes()), expected, "{text:?}");
        }
        assert!(parse_double(b"nAn").unwrap().is_nan());
        assert_eq!(parse_double(b"-nan"), None);
        for (text, expected) in [
            ("+5", Some(5)),
            ("-0", Some(0)),
            ("1_0", None),
            ("-", None),
            ("9223372036854775808", None),
            ("", None),
        ] {
            assert_eq!(parse_int(text.as_bytes()), expected, "{text:?}");
        }
        for (value, expected) in [
            (1e300, i64::MIN),
            (f64::NAN, i64::MIN),
            (-1.9, -1),
            (9.2e18, 9_200_000_000_000_000_000),
        ] {
            assert_eq!(truncate(value), expected);
        }
    }

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        for (value, expected) in [
            (0.1, "0.1"),
            (1.0, "1"),
            (-0.0, "-0"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-7"),
            (1e-6, "0.000001"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            let mut out = Vec::new();
            as_text(&Value::Double(value), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
