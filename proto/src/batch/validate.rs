//! Checks a whole request down to the last nested value: after this, every known field of
//! every message has a legal layout and lies within its message, so that reading and editing
//! need no error paths. Strings are not looked into: one that is not UTF-8 passes.

use super::schema::{Def, KEY_VALUE, Message};
use crate::wire::{
    DecodeError, DecodeErrorKind, Field, MAX_DEPTH, WireType, read_field, read_varint,
};

/// Checks the message in all of `buf`. Returns whether it is regular: no singular message
/// given in several pieces, and no oneof with more than one member.
pub(crate) fn validate(buf: &[u8], message: &'static Message) -> Result<bool, DecodeError> {
    let mut regular = true;
    check(buf, 0, buf.len(), message, MAX_DEPTH, &mut regular)?;
    Ok(regular)
}

fn check(
    buf: &[u8],
    start: usize,
    end: usize,
    message: &'static Message,
    depth: usize,
    regular: &mut bool,
) -> Result<(), DecodeError> {
    let buf = buf.get(..end).unwrap_or(buf);
    let mut pos = start;
    // Bit per singular message seen; the members of a oneof share bit 0.
    let mut seen = 0u32;
    while pos < end {
        let field = read_field(buf, pos, depth)?;
        pos = field.end;
        let def = message.field(field.number);
        if field.number < 32 && message.oneof >> field.number & 1 == 1 {
            *regular &= seen & 1 == 0;
            seen |= 1;
        }
        match (def, field.wire) {
            (Def::Many(inner), WireType::Len) => {
                if std::ptr::eq(inner, &KEY_VALUE) && plain_attribute(buf, field.start, field.end) {
                    continue;
                }
                nested(buf, field, inner, depth, regular)?;
            }
            (Def::One(inner), WireType::Len) => {
                let bit = 1 << (field.number & 31);
                *regular &= seen & bit == 0;
                seen |= bit;
                nested(buf, field, inner, depth, regular)?;
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
    regular: &mut bool,
) -> Result<(), DecodeError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(DecodeError::new(field.head, DecodeErrorKind::Depth));
    };
    check(buf, field.start, field.end, message, depth, regular)
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

/// Whether `buf[start..end]` is the attribute nearly every attribute is: a key, then a value
/// that is a string, bytes, a boolean, a small integer or a double, all lengths one byte.
/// Anything else is for the general check to judge.
#[inline(always)]
fn plain_attribute(buf: &[u8], start: usize, end: usize) -> bool {
    let Some(b) = buf.get(start..end) else {
        return false;
    };
    let [0x0a, key, rest @ ..] = b else {
        return false;
    };
    let Some([0x12, len, value @ ..]) = rest.get(usize::from(*key)..) else {
        return false;
    };
    if *key >= 0x80 || *len >= 0x80 || usize::from(*len) != value.len() {
        return false;
    }
    match value {
        [0x0a | 0x3a, len, text @ ..] => *len < 0x80 && text.len() == usize::from(*len),
        [0x10 | 0x18, number] => *number < 0x80,
        [0x18, low, high] => *low >= 0x80 && *high < 0x80,
        [0x21, double @ ..] => double.len() == 8,
        _ => false,
    }
}
