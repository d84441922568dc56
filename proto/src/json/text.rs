//! JSON text written to a byte buffer: strings, numbers, hex, base64, as the Collector
//! writes them.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Writes a string with its quotes. `bytes` should be UTF-8; each sequence that is not
/// becomes U+FFFD, since JSON text is UTF-8.
pub(super) fn string(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    match plain(bytes) {
        Plain::Ascii => out.extend_from_slice(bytes),
        Plain::Utf8 if simdutf8::basic::from_utf8(bytes).is_ok() => escape(bytes, out),
        Plain::Utf8 => {
            for chunk in bytes.utf8_chunks() {
                escape(chunk.valid().as_bytes(), out);
                if !chunk.invalid().is_empty() {
                    out.extend_from_slice("\u{fffd}".as_bytes());
                }
            }
        }
        Plain::Escapes => escape(bytes, out),
    }
    out.push(b'"');
}

enum Plain {
    /// ASCII with nothing to escape.
    Ascii,
    /// ASCII with something to escape.
    Escapes,
    /// Not only ASCII.
    Utf8,
}

/// Looks at all bytes at once, without leaving early, so that it runs in SIMD.
#[inline]
fn plain(bytes: &[u8]) -> Plain {
    let mut high = 0u8;
    let mut special = false;
    for &byte in bytes {
        high |= byte;
        special |= byte < 0x20 || byte == b'"' || byte == b'\\';
    }
    match (high >= 0x80, special) {
        (true, _) => Plain::Utf8,
        (false, true) => Plain::Escapes,
        (false, false) => Plain::Ascii,
    }
}

/// Copies text, escaping what the Collector's writer escapes, in its way.
fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(at) = rest
        .iter()
        .position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\')
    {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        let Some((&byte, after)) = after.split_first() else {
            return;
        };
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                hex_digits(&[byte], out);
            }
        }
        rest = after;
    }
    out.extend_from_slice(rest);
}

fn hex_digits(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(
        bytes
            .iter()
            .flat_map(|byte| [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
    );
}

/// Writes an id as hex, with its quotes.
pub(super) fn id(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    hex_digits(bytes, out);
    out.push(b'"');
}

/// Writes bytes as padded base64, with its quotes.
pub(super) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The slot is exactly as long as the digits, so this does not fail.
    let written = match out.get_mut(start..) {
        Some(slot) => STANDARD.encode_slice(bytes, slot).unwrap_or(0),
        None => 0,
    };
    out.truncate(start + written);
    out.push(b'"');
}

pub(super) fn integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A 64-bit integer: a decimal string.
pub(super) fn wide_integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.push(b'"');
    integer(value, out);
    out.push(b'"');
}

/// Writes a double: the shortest digits that read back the same, an exponent of at
/// least two digits below 1e-6 and from 1e21 on, strings for what is not a number.
pub(super) fn double(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        return out.extend_from_slice(b"\"NaN\"");
    }
    if value.is_infinite() {
        return out.extend_from_slice(match value > 0.0 {
            true => b"\"Infinity\"".as_slice(),
            false => b"\"-Infinity\"",
        });
    }
    // Small whole numbers are most of what counters and buckets hold.
    if value.trunc() == value && value.abs() < 1e15 && (value != 0.0 || value.is_sign_positive()) {
        return integer(value as i64, out);
    }
    if value == 0.0 {
        // The Collector writes `-0`, which many readers (and simd-json) take for the
        // integer.
        return out.extend_from_slice(b"-0.0");
    }
    let start = out.len();
    let magnitude = value.abs();
    // Writing to a `Vec` does not fail.
    if (1e-6..1e21).contains(&magnitude) {
        let _ = write!(out, "{value}");
        return;
    }
    let _ = write!(out, "{value:e}");
    let Some(exponent) = out
        .get(start..)
        .and_then(|text| memchr::memchr(b'e', text))
        .map(|at| start + at + 1)
    else {
        return;
    };
    let (sign, digits_at) = match out.get(exponent) {
        Some(b'-') => (None, exponent + 1),
        _ => (Some(b'+'), exponent),
    };
    if out.len() - digits_at == 1 {
        out.insert(digits_at, b'0');
    }
    if let Some(sign) = sign {
        out.insert(exponent, sign);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// Texts are those of Go's `strconv.AppendFloat` with the Collector's format rule.
    #[test]
    fn doubles_are_written_as_the_collector_writes_them() {
        for (value, text) in [
            (0.0, "0"),
            (5.0, "5"),
            (-5.0, "-5"),
            (0.1, "0.1"),
            (1e-6, "0.000001"),
            (9.5e-7, "9.5e-07"),
            (1e-7, "1e-07"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e300, "-1.5e+300"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (123456.789, "123456.789"),
            (1e15, "1000000000000000"),
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"Infinity\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            assert_eq!(written(|out| double(value, out)), text);
        }
    }

    #[test]
    fn strings_are_escaped_and_made_valid() {
        for (bytes, text) in [
            (&b""[..], r#""""#),
            (b"plain", r#""plain""#),
            (b"a\"b\\c", r#""a\"b\\c""#),
            (b"\n\r\t\x00\x1f\x7f", "\"\\n\\r\\t\\u0000\\u001f\x7f\""),
            ("é\u{2028}<&>\n".as_bytes(), "\"é\u{2028}<&>\\n\""),
            (b"a\xffb\xe2\x82\"", "\"a\u{fffd}b\u{fffd}\\\"\""),
        ] {
            assert_eq!(written(|out| string(bytes, out)), text);
        }
    }
}
