//! Checks a whole request down to the last nested value: after this, every known field of
//! every message has a legal layout and lies within its message, so that reading and editing
//! need no error paths. Strings are not looked into: one that is not UTF-8 passes.

use super::{
    scan::{WINDOW, load8},
    schema::{Def, Message, Plain},
};
use crate::wire::{
    DecodeError, DecodeErrorKind, Field, MAX_DEPTH, WireType, read_field, read_varint,
};

/// Checks the message in all of `buf`.
pub(crate) fn validate(buf: &[u8], message: &'static Message) -> Result<(), DecodeError> {
    check(buf, 0, buf.len(), message, MAX_DEPTH)
}

fn check(
    buf: &[u8],
    start: usize,
    end: usize,
    message: &'static Message,
    depth: usize,
) -> Result<(), DecodeError> {
    // Looking ahead may go beyond the message, reading not.
    let whole = buf;
    let buf = buf.get(..end).unwrap_or(buf);
    let attribute = u64::from(message.attribute_tag) | 0x000a_0000;
    let mut pos = start;
    while pos < end {
        if let Some(rest) = whole.get(pos..)
            && let Some(window) = rest.first_chunk::<WINDOW>()
        {
            let word = load8(window, 0);
            let size = if word & 0x80ff_80ff == attribute {
                short_attribute(word, window)
            } else {
                other(word, window, message)
            };
            // No size is 0, which stands for what is not usual.
            if size.wrapping_sub(1) < end - pos {
                pos += size;
                continue;
            }
        }
        let field = read_field(buf, pos, depth)?;
        pos = field.end;
        let def = message.field(field.number);
        match (def, field.wire) {
            (Def::Many(inner) | Def::One(inner), WireType::Len) => {
                nested(whole, field, inner, depth)?
            }
            (Def::Unknown, _)
            | (Def::Bytes, WireType::Len)
            | (Def::Varint | Def::Varints, WireType::Varint)
            | (Def::Fixed64 | Def::Fixed64s, WireType::Fixed64)
            | (Def::Fixed32, WireType::Fixed32) => {}
            (Def::Fixed64s, WireType::Len) => {
                if (field.end - field.start) % 8 != 0 {
                    return Err(DecodeError::new(field.start, DecodeErrorKind::Packed));
                }
            }
            (Def::Varints, WireType::Len) => packed_varints(buf, field)?,
            _ => {
                let kind = DecodeErrorKind::WireType {
                    field: field.number,
                    message: message.name,
                };
                return Err(DecodeError::new(field.head, kind));
            }
        }
    }
    Ok(())
}

#[inline(never)]
fn nested(
    buf: &[u8],
    field: Field,
    message: &'static Message,
    depth: usize,
) -> Result<(), DecodeError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(DecodeError::new(field.head, DecodeErrorKind::Depth));
    };
    check(buf, field.start, field.end, message, depth)
}

fn packed_varints(buf: &[u8], field: Field) -> Result<(), DecodeError> {
    let buf = buf.get(..field.end).unwrap_or(buf);
    let mut pos = field.start;
    while pos < field.end {
        match read_varint(buf, pos) {
            Some((_, next)) => pos = next,
            None => return Err(DecodeError::new(pos, DecodeErrorKind::Packed)),
        }
    }
    Ok(())
}

/// The size of an attribute that begins with these bytes, whose length takes one byte and which
/// has a key of such a length first, if after that there is just a value that is a string, bytes,
/// a boolean, an integer or a double. 0 for anything else, which is for the general check to judge.
#[inline(always)]
fn short_attribute(word: u64, window: &[u8; WINDOW]) -> usize {
    let (len, key_len) = (word as u32 >> 8 & 0x7f, word as u32 >> 24);
    let value = load8(window, 4 + (key_len & 0x7f) as usize);
    // A string of at most 125 bytes: tag and length of the value, then of the string. Both
    // lengths are put in their places with one multiplication.
    let text = len.wrapping_sub(key_len + 6);
    let header = text.wrapping_mul(0x0100_0100).wrapping_add(0x000a_0212);
    if text < 0x7e && value as u32 == header {
        return 2 + len as usize;
    }
    let value_len = u64::from(text.wrapping_add(2));
    let legal = value & 0xffff == (value_len << 8 | 0x12) && is_scalar(value, value_len);
    if legal { 2 + len as usize } else { 0 }
}

/// As [`short_attribute`], the size of a field of any other usual kind: a number, a string, or an
/// attribute whose length takes two bytes.
#[inline(always)]
fn other(word: u64, window: &[u8; WINDOW], message: &'static Message) -> usize {
    let tag = word & 0xff;
    match message.plain.get(tag as usize) {
        Some(Plain::Len) if word & 0x8000 == 0 => 2 + (word >> 8 & 0x7f) as usize,
        Some(Plain::Fixed64) => 9,
        // The first byte that has no continuation bit ends the number.
        Some(Plain::Varint) => match !(word >> 8) & 0x0080_8080_8080_8080 {
            0 => 0,
            last => 2 + last.trailing_zeros() as usize / 8,
        },
        Some(Plain::Len) if word & 0x80_0000 == 0 => {
            3 + ((word >> 8 & 0x7f) + (word >> 9 & 0x3f80)) as usize
        }
        Some(Plain::Fixed32) => 5,
        Some(Plain::Attribute) if word & 0x80_ff80_8000 == 0x00_0a00_8000 => {
            long_text(word, window).unwrap_or(0)
        }
        // The flags of spans have a number beyond one byte.
        None if word & 0xffff == u64::from(message.wide_fixed32) => 6,
        _ => 0,
    }
}

/// Whether the field of a value of this length, which begins with these bytes, holds one legal
/// member other than a list or a map.
#[inline(always)]
fn is_scalar(value: u64, len: u64) -> bool {
    match value >> 16 & 0xff {
        // A string or bytes.
        0x0a | 0x3a => (value >> 24 & 0xff) + 2 == len,
        // A boolean or an integer of up to five bytes: all but the last go on.
        0x10 | 0x18 if (2..=6).contains(&len) => {
            let bytes = (1 << (8 * (len - 1))) - 1;
            let last = 0x80 << (8 * (len - 2));
            (value >> 24 ^ last) & bytes & 0x80_8080_8080 == bytes & 0x80_8080_8080
        }
        0x21 => len == 9,
        _ => false,
    }
}

/// The size of an attribute whose `KeyValue` takes two bytes for its length, if its value is a
/// string or bytes.
#[inline(always)]
fn long_text(word: u64, window: &[u8; WINDOW]) -> Option<usize> {
    let len = (word >> 8 & 0x7f) + (word >> 9 & 0x3f80);
    let key_len = word >> 32 & 0x7f;
    let value = load8(window, 5 + key_len as usize);
    // The value's length by what is around it, which is one byte more where that takes two.
    let one = len.wrapping_sub(key_len + 4);
    let (value_len, text) = if one < 0x80 {
        if value & 0xffff != (one << 8 | 0x12) {
            return None;
        }
        (one, value >> 16)
    } else {
        let two = one.wrapping_sub(1);
        if value & 0x80_80ff != 0x00_8012 || (value >> 8 & 0x7f) + (value >> 9 & 0x3f80) != two {
            return None;
        }
        (two, value >> 24)
    };
    let text_len = if text & 0x8000 == 0 {
        (text >> 8 & 0x7f) + 2
    } else if text & 0x80_0000 == 0 {
        (text >> 8 & 0x7f) + (text >> 9 & 0x3f80) + 3
    } else {
        return None;
    };
    let legal = matches!(text & 0xff, 0x0a | 0x3a) && text_len == value_len;
    legal.then_some(3 + len as usize)
}
