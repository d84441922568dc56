//! How texts and numbers look under flags, a width and a precision.

use super::quoted;
use crate::go::text::is_printable;

/// What stands between `%` and the verb.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    pub width: Option<usize>,
    pub precision: Option<usize>,
    pub minus: bool,
    pub plus: bool,
    pub sharp: bool,
    pub space: bool,
    pub zero: bool,
    /// `%+v`
    pub plus_v: bool,
    /// `%#v`
    pub sharp_v: bool,
}

impl Flags {
    /// A text, padded to the width in characters.
    pub fn pad(&self, text: impl AsRef<[u8]>, out: &mut Vec<u8>) {
        let text = text.as_ref();
        let missing = self.width.unwrap_or(0).saturating_sub(count(text));
        let with = if self.zero && !self.minus { b'0' } else { b' ' };
        let padding = std::iter::repeat_n(with, missing);
        if self.minus {
            out.extend_from_slice(text);
            out.extend(padding);
        } else {
            out.extend(padding);
            out.extend_from_slice(text);
        }
    }

    fn pad_with_spaces(mut self, text: impl AsRef<[u8]>, out: &mut Vec<u8>) {
        self.zero = false;
        self.pad(text, out);
    }

    /// A text, cut to the precision in characters.
    pub fn string(&self, text: &[u8], out: &mut Vec<u8>) {
        self.pad(self.cut(text), out);
    }

    fn cut<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let Some(precision) = self.precision else {
            return text;
        };
        let mut left = precision;
        let mut end = 0;
        for chunk in text.utf8_chunks() {
            for c in chunk.valid().chars() {
                if left == 0 {
                    return text.get(..end).unwrap_or_default();
                }
                left -= 1;
                end += c.len_utf8();
            }
            for _ in chunk.invalid() {
                if left == 0 {
                    return text.get(..end).unwrap_or_default();
                }
                left -= 1;
                end += 1;
            }
        }
        text
    }

    /// A text under a verb; whether that is one for texts.
    pub fn text(&self, text: &[u8], verb: char, out: &mut Vec<u8>) -> bool {
        match verb {
            'v' if self.sharp_v => self.quote(text, out),
            'v' | 's' => self.string(text, out),
            'x' => self.hex(text, b"0123456789abcdef", b'x', out),
            'X' => self.hex(text, b"0123456789ABCDEF", b'X', out),
            'q' => self.quote(text, out),
            _ => return false,
        }
        true
    }

    fn quote(&self, text: &[u8], out: &mut Vec<u8>) {
        let text = self.cut(text);
        let plain = std::str::from_utf8(text).is_ok_and(|text| {
            text.chars()
                .all(|c| c != '`' && c != '\u{feff}' && c != '\x7f' && (c == '\t' || c >= ' '))
        });
        if self.sharp && plain {
            let mut raw = vec![b'`'];
            raw.extend_from_slice(text);
            raw.push(b'`');
            self.pad(raw, out);
        } else {
            self.pad(quoted(text, '"', self.plus), out);
        }
    }

    fn hex(&self, text: &[u8], digits: &[u8; 16], x: u8, out: &mut Vec<u8>) {
        let kept = self.precision.unwrap_or(usize::MAX).min(text.len());
        let text = text.get(..kept).unwrap_or_default();
        let mut hex = Vec::with_capacity(text.len() * 2);
        for (at, byte) in text.iter().enumerate() {
            if self.space && at > 0 {
                hex.push(b' ');
            }
            if self.sharp && (self.space || at == 0) {
                hex.extend([b'0', x]);
            }
            let digit = |value: u8| digits.get(usize::from(value)).copied().unwrap_or_default();
            hex.extend([digit(byte >> 4), digit(byte & 15)]);
        }
        self.pad(hex, out);
    }

    /// An integer under a verb; whether that is one for integers.
    pub fn integer(&self, negative: bool, bits: u64, verb: char, out: &mut Vec<u8>) -> bool {
        let digits = match verb {
            'v' | 'd' => bits.to_string(),
            'b' => format!("{bits:b}"),
            'o' | 'O' => format!("{bits:o}"),
            'x' => format!("{bits:x}"),
            'X' => format!("{bits:X}"),
            'c' | 'q' | 'U' => {
                let whole = if negative { bits.wrapping_neg() } else { bits };
                self.character(whole, verb, out);
                return true;
            }
            _ => return false,
        };
        if self.precision == Some(0) && bits == 0 {
            self.pad_with_spaces("", out);
            return true;
        }
        let signed = usize::from(negative || self.plus || self.space);
        let least = match self.precision {
            Some(precision) => precision,
            None if self.zero && !self.minus => self.width.unwrap_or(0).saturating_sub(signed),
            None => 0,
        };
        let zeros = "0".repeat(least.saturating_sub(digits.len()));
        let starts_with_zero = !zeros.is_empty() || digits.starts_with('0');
        let prefix = match verb {
            'O' if self.sharp && !starts_with_zero => "0o0",
            'O' => "0o",
            'b' if self.sharp => "0b",
            'o' if self.sharp && !starts_with_zero => "0",
            'x' if self.sharp => "0x",
            'X' if self.sharp => "0X",
            _ => "",
        };
        let sign = match negative {
            true => "-",
            false if self.plus => "+",
            false if self.space => " ",
            false => "",
        };
        self.pad_with_spaces(format!("{sign}{prefix}{zeros}{digits}"), out);
        true
    }

    /// A number as the character that it is.
    fn character(&self, number: u64, verb: char, out: &mut Vec<u8>) {
        let known = u32::try_from(number).ok().and_then(char::from_u32);
        let c = known.unwrap_or(char::REPLACEMENT_CHARACTER);
        let mut buffer = [0; 4];
        let text = c.encode_utf8(&mut buffer);
        match verb {
            'c' => self.pad(text, out),
            'q' => self.pad(quoted(text.as_bytes(), '\'', self.plus), out),
            _ => {
                let least = self.precision.unwrap_or(4).max(4);
                let digits = format!("{number:X}");
                let zeros = "0".repeat(least.saturating_sub(digits.len()));
                let mut shown = format!("U+{zeros}{digits}");
                if let Some(c) = known.filter(|c| self.sharp && is_printable(*c)) {
                    shown.push_str(&format!(" '{c}'"));
                }
                self.pad_with_spaces(shown, out);
            }
        }
    }

    /// A double under a verb; whether that is one for doubles.
    pub fn float(&self, value: f64, verb: char, out: &mut Vec<u8>) -> bool {
        let precision = match verb {
            'v' | 'g' | 'G' | 'b' | 'x' | 'X' => self.precision,
            'e' | 'E' | 'f' | 'F' => Some(self.precision.unwrap_or(6)),
            _ => return false,
        };
        let sign = match (
            value.is_sign_negative() && !value.is_nan(),
            self.plus,
            self.space,
        ) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        if !value.is_finite() {
            let (name, sign) = match (value.is_nan(), self.plus, self.space) {
                (true, false, false) => ("NaN", ""),
                (true, true, _) => ("NaN", "+"),
                (true, ..) => ("NaN", " "),
                // Infinity has its sign only when it is asked for, or less.
                (false, ..) => ("Inf", if sign.is_empty() { "+" } else { sign }),
            };
            self.pad_with_spaces(format!("{sign}{name}"), out);
            return true;
        }
        let mut number = match verb {
            'f' | 'F' => {
                let (kept, zeros) = places(precision.unwrap_or(6));
                format!("{:.kept$}{zeros}", value.abs())
            }
            'e' | 'E' => exponential(value.abs(), precision),
            'b' => binary(value.abs()),
            'x' | 'X' => hexadecimal(value.abs(), precision),
            _ => general(value.abs(), precision),
        };
        if matches!(verb, 'G' | 'E' | 'X') {
            number = number.to_uppercase();
        }
        if self.sharp && verb != 'b' {
            number = with_point(&number, verb, self.precision);
        }
        let width = self.width.unwrap_or(0);
        if self.zero && !self.minus && !sign.is_empty() {
            let zeros = "0".repeat(width.saturating_sub(number.len() + sign.len()));
            out.extend_from_slice(format!("{sign}{zeros}{number}").as_bytes());
        } else {
            self.pad(format!("{sign}{number}"), out);
        }
        true
    }
}

/// Characters of a text; each byte that belongs to none is one.
fn count(text: &[u8]) -> usize {
    text.utf8_chunks()
        .map(|chunk| chunk.valid().chars().count() + chunk.invalid().len())
        .sum()
}

/// Places that a double can fill, and zeros for the others.
fn places(precision: usize) -> (usize, String) {
    let kept = precision.min(1_100);
    (kept, "0".repeat(precision - kept))
}

/// Digits and the exponent, which has at least two.
fn exponential(value: f64, precision: Option<usize>) -> String {
    let (text, zeros) = match precision.map(places) {
        Some((kept, zeros)) => (format!("{value:.kept$e}"), zeros),
        None => (format!("{value:e}"), String::new()),
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}{zeros}e{sign}{exponent:0>2}")
}

/// As many digits as are needed, or so many, with an exponent where it is far from 0: from six
/// places on, or where the digits do not reach the point.
fn general(value: f64, precision: Option<usize>) -> String {
    let digits = precision.map(|precision| precision.max(1));
    let text = exponential(value, digits.map(|digits| digits - 1));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mantissa = match mantissa.contains('.') {
        true => mantissa.trim_end_matches('0').trim_end_matches('.'),
        false => mantissa,
    };
    let large = match digits {
        None => 6,
        Some(digits) => digits.min(i32::MAX as usize) as i32,
    };
    if exponent < -4 || exponent >= large {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let all: String = mantissa.chars().filter(|c| *c != '.').collect();
    if exponent < 0 {
        let zeros = "0".repeat((-exponent - 1) as usize);
        return format!("0.{zeros}{all}");
    }
    let whole = exponent as usize + 1;
    match all.split_at_checked(whole) {
        Some((whole, "")) => whole.to_owned(),
        Some((whole, rest)) => format!("{whole}.{rest}"),
        None => format!("{all:0<whole$}"),
    }
}

/// The mantissa and the exponent of two as they are stored.
fn parts(value: f64) -> (u64, i64) {
    let bits = value.to_bits();
    let (exponent, mantissa) = ((bits >> 52 & 0x7ff) as i64, bits & ((1 << 52) - 1));
    match exponent {
        0 => (mantissa, -1_074),
        _ => (mantissa | 1 << 52, exponent - 1_075),
    }
}

fn binary(value: f64) -> String {
    let (mantissa, exponent) = parts(value);
    format!("{mantissa}p{exponent:+}")
}

fn hexadecimal(value: f64, precision: Option<usize>) -> String {
    let (mut mantissa, mut exponent) = parts(value);
    if mantissa == 0 {
        exponent = 0;
    } else {
        // One bit before the point, and 60 behind it.
        exponent += 52;
        while mantissa & 1 << 60 == 0 {
            mantissa <<= 1;
            if mantissa >= 1 << 53 {
                continue;
            }
            exponent -= 1;
        }
    }
    if let Some(precision) = precision.filter(|precision| *precision < 15) {
        let shift = 60 - 4 * precision as u32;
        let extra = mantissa & ((1 << shift) - 1);
        mantissa >>= shift;
        if extra | (mantissa & 1) > 1 << (shift - 1) {
            mantissa += 1;
        }
        mantissa <<= shift;
        if mantissa & 1 << 61 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let fraction = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let fraction = match precision {
        None => fraction.trim_end_matches('0').to_owned(),
        Some(precision) => {
            let kept = fraction.get(..precision.min(fraction.len()));
            let zeros = "0".repeat(precision.saturating_sub(fraction.len()));
            kept.unwrap_or_default().to_owned() + &zeros
        }
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!(
        "0x{}{point}{fraction}p{sign}{:02}",
        mantissa >> 60,
        exponent.abs()
    )
}

/// A number with a point, and with the zeros that `%g` leaves out.
fn with_point(number: &str, verb: char, precision: Option<usize>) -> String {
    let mut missing = match verb {
        'v' | 'g' | 'G' | 'x' => precision.map_or(6, |precision| precision as i64),
        _ => 0,
    };
    let in_hex = matches!(verb, 'x' | 'X');
    let is_tail = |c: char| matches!(c, 'p' | 'P') || !in_hex && matches!(c, 'e' | 'E');
    let (digits, tail) = number.split_at(number.find(is_tail).unwrap_or(number.len()));
    let mut seen = false;
    for c in digits.chars().filter(|c| *c != '.') {
        seen |= c != '0';
        missing -= i64::from(seen);
    }
    let mut out = digits.to_owned();
    if !digits.contains('.') {
        missing -= i64::from(digits == "0");
        out.push('.');
    }
    out.extend(std::iter::repeat_n(
        '0',
        usize::try_from(missing).unwrap_or(0),
    ));
    out + tail
}
