//! Checks a whole request down to the last nested value: after this, every known field of
//! every message has a legal layout and lies within its message, so that reading and editing
//! need no error paths. Strings are not looked into: one that is not UTF-8 passes.

use super::schema::{Def, Message};
use crate::wire::{
    DecodeError, DecodeErrorKind, Field, MAX_DEPTH, WireType, peek, read_field, read_varint,
    skip_plain,
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
    let buf = buf.get(..end).unwrap_or(buf);
    let mut pos = start;
    while pos < end {
        if let Some(next) = plain(buf, pos, message).filter(|next| *next <= end) {
            pos = next;
            continue;
        }
        let field = read_field(buf, pos, depth)?;
        pos = field.end;
        let def = message.field(field.number);
        match (def, field.wire) {
            (Def::Many(inner) | Def::One(inner), WireType::Len) => {
                nested(buf, field, inner, depth)?
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

/// Where the field at `pos` ends, if it is what nearly every field is: a number, a short
/// string, or an attribute with a key and a value that is a string, bytes, a boolean, a small
/// integer or a double. Anything else is for the general check to judge.
#[inline(always)]
fn plain(buf: &[u8], pos: usize, message: &'static Message) -> Option<usize> {
    let peeked = peek(buf, pos)?;
    let tag = peeked & 0xff;
    if tag == message.attribute_tag {
        if peeked & 0x80ff_8000 != 0x000a_0000 {
            return None;
        }
        let (len, key) = ((peeked >> 8 & 0xff) as usize, (peeked >> 24) as usize);
        let next = pos + 2 + len;
        let value = peek(buf, pos + 4 + key)?;
        let value_len = (value >> 8 & 0xff) as usize;
        // A string, say: the value's tag and length, the string's tag and length.
        if value & 0xff != 0x12 || key + 4 + value_len != len {
            return None;
        }
        let inner = value >> 24;
        let legal = match value >> 16 & 0xff {
            0x0a | 0x3a => inner as usize + 2 == value_len,
            0x10 | 0x18 => is_varint(buf.get(pos + key + 7..next)?),
            0x21 => value_len == 9,
            _ => false,
        };
        return legal.then_some(next);
    }
    if tag < 0x80 && message.plain >> tag & 1 == 1 {
        skip_plain(peeked, pos)
    } else {
        None
    }
}

/// Whether the bytes are one varint of at most nine bytes.
#[inline(always)]
fn is_varint(bytes: &[u8]) -> bool {
    match bytes {
        [rest @ .., last] => {
            *last < 0x80 && rest.len() < 9 && rest.iter().all(|byte| *byte >= 0x80)
        }
        [] => false,
    }
}
