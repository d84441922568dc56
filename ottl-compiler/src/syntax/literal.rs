//! What literal tokens mean: Go's rules for quoted strings and for integers of any base, hex
//! bytes. Errors say what Go says, with a hint where people commonly stumble.

use super::Span;
use crate::error::Problem;

/// An integer as Go's `ParseInt(text, 0, 64)` reads it; a leading 0 means octal.
///
/// # Errors
/// Not octal, or beyond 63 bits.
pub fn int(text: &str) -> Result<i64, Problem> {
    let (digits, radix) = match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => (octal, 8),
        _ => (text, 10),
    };
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(Problem::IntSyntax {
            text: text.to_owned(),
        });
    }
    i64::from_str_radix(digits, radix).map_err(|_| Problem::IntRange {
        text: text.to_owned(),
    })
}

/// A number with a point. One that is too large is infinite in Rust and an error in Go.
///
/// # Errors
/// Beyond what a double holds.
pub fn float(text: &str) -> Result<f64, Problem> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(Problem::FloatRange {
            text: text.to_owned(),
        }),
    }
}

/// `0x` and pairs of hex digits.
///
/// # Errors
/// An odd number of digits.
pub fn bytes(text: &str) -> Result<Vec<u8>, Problem> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    hex::decode(digits).map_err(|_| Problem::OddBytes {
        text: text.to_owned(),
    })
}

/// A quoted string with the escapes of Go's `strconv.Unquote`.
///
/// # Errors
/// [`Problem::Escape`] or [`Problem::RawNewline`], and where in the token it is.
pub fn string(text: &str) -> Result<Vec<u8>, (Problem, Span)> {
    // Single quotes are of rules alone; the lexer of the language lets none through.
    let quote = if text.starts_with('\'') { '\'' } else { '"' };
    let body = text
        .strip_prefix(quote)
        .and_then(|text| text.strip_suffix(quote))
        .unwrap_or_default();
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    let here = |rest: &str| (1 + body.len() - rest.len()) as u32;
    loop {
        let plain = rest.find(['\\', '\n']).unwrap_or(rest.len());
        let (before, after) = rest.split_at(plain);
        out.extend_from_slice(before.as_bytes());
        rest = after;
        match rest.as_bytes() {
            [] => return Ok(out),
            [b'\\', ..] => {
                let Some(len) = escape(rest, quote, &mut out) else {
                    let shown: String = rest.chars().take(2).collect();
                    let start = here(rest);
                    let end = start + shown.len() as u32;
                    let quoted = text.to_owned();
                    return Err((Problem::Escape { shown, quoted }, Span { start, end }));
                };
                rest = rest.get(len..).unwrap_or_default();
            }
            _ => {
                let start = here(rest);
                let end = start + 1;
                return Err((Problem::RawNewline, Span { start, end }));
            }
        }
    }
}

/// Appends what the escape at the start stands for; returns its length.
fn escape(text: &str, quote: char, out: &mut Vec<u8>) -> Option<usize> {
    let bytes = text.as_bytes();
    let single = match bytes.get(1)? {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'\\' => b'\\',
        b'"' => b'"',
        b'\'' if quote == '\'' => b'\'',
        b'x' => {
            push_character(number(text, 2, 2, 16)? as u8, out);
            return Some(4);
        }
        b'0'..=b'7' => {
            push_character(u8::try_from(number(text, 1, 3, 8)?).ok()?, out);
            return Some(4);
        }
        b'u' => return unicode(text, 4, out),
        b'U' => return unicode(text, 8, out),
        _ => return None,
    };
    out.push(single);
    Some(2)
}

/// Unlike in Go, a number is a character here and not a byte: the reference's parser has it so.
fn push_character(number: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(char::from(number).encode_utf8(&mut [0; 4]).as_bytes());
}

fn unicode(text: &str, digits: usize, out: &mut Vec<u8>) -> Option<usize> {
    let c = char::from_u32(number(text, 2, digits, 16)?)?;
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Some(2 + digits)
}

fn number(text: &str, from: usize, len: usize, radix: u32) -> Option<u32> {
    let digits = text.get(from..from + len)?;
    // `from_str_radix` would take a sign.
    digits
        .chars()
        .all(|c| c.is_digit(radix))
        .then(|| u32::from_str_radix(digits, radix).ok())?
}
