//! Reads protobuf fields in place: where each starts, what it is, where its value lies.
//! Every length is checked before use; no input makes it panic or loop.

use super::{DecodeError, DecodeErrorKind};

/// How deeply messages (and groups) may nest: the limit prost has.
pub const MAX_DEPTH: usize = 100;

/// How a value is laid out on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireType {
    /// A base-128 integer.
    Varint = 0,
    /// Eight bytes, little-endian.
    Fixed64 = 1,
    /// A length and that many bytes.
    Len = 2,
    /// Fields up to the matching end tag (long deprecated; only ever unknown fields here).
    Group = 3,
    /// Four bytes, little-endian.
    Fixed32 = 5,
}

/// A field as found: offsets are positions in the buffer that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's number.
    pub number: u32,
    /// How its value is laid out.
    pub wire: WireType,
    /// Where its tag starts.
    pub head: usize,
    /// Where its value starts: the encoded number, or the first byte after the length.
    pub start: usize,
    /// Where it ends; for a group, after the end tag.
    pub end: usize,
}

impl Field {
    /// The value's bytes (see [`Field::start`]).
    #[inline]
    pub fn bytes<'a>(&self, buf: &'a [u8]) -> &'a [u8] {
        buf.get(self.start..self.end).unwrap_or_default()
    }

    /// The value of a varint, fixed32 or fixed64 field; 0 for others.
    #[inline]
    pub fn uint(&self, buf: &[u8]) -> u64 {
        match self.wire {
            WireType::Varint => read_varint(buf, self.start).map_or(0, |(value, _)| value),
            WireType::Fixed64 => self.bytes(buf).try_into().map_or(0, u64::from_le_bytes),
            WireType::Fixed32 => self
                .bytes(buf)
                .try_into()
                .map_or(0, |bytes| u64::from(u32::from_le_bytes(bytes))),
            _ => 0,
        }
    }
}

/// Reads a varint at `pos`: its value and where it ends. `None` when it is cut off or
/// does not fit 64 bits.
#[inline(always)]
pub fn read_varint(buf: &[u8], pos: usize) -> Option<(u64, usize)> {
    let first = *buf.get(pos)?;
    if first < 0x80 {
        return Some((u64::from(first), pos + 1));
    }
    let second = *buf.get(pos + 1)?;
    if second < 0x80 {
        return Some((u64::from(first & 0x7f) | u64::from(second) << 7, pos + 2));
    }
    read_long_varint(buf, pos)
}

#[inline(never)]
fn read_long_varint(buf: &[u8], pos: usize) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for i in 0..10 {
        let byte = *buf.get(pos + i)?;
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            // The tenth byte has room for one bit.
            return if i == 9 && byte > 1 {
                None
            } else {
                Some((value, pos + i + 1))
            };
        }
    }
    None
}

#[cold]
fn varint_error(buf: &[u8], pos: usize) -> DecodeError {
    let kind = match buf.get(pos..) {
        Some(rest) if rest.len() < 10 && rest.iter().all(|byte| *byte >= 0x80) => {
            DecodeErrorKind::Truncated
        }
        None => DecodeErrorKind::Truncated,
        _ => DecodeErrorKind::Varint,
    };
    DecodeError::new(pos, kind)
}

/// Reads the field at `pos` of a message that is all of `buf`; `depth` is how many
/// more levels groups may nest.
#[inline(always)]
pub fn read_field(buf: &[u8], pos: usize, depth: usize) -> Result<Field, DecodeError> {
    let (key, start) = read_varint(buf, pos).ok_or_else(|| varint_error(buf, pos))?;
    // prost and Go both refuse keys beyond 32 bits and the number 0.
    if !(8..=u64::from(u32::MAX)).contains(&key) {
        return Err(DecodeError::new(pos, DecodeErrorKind::Tag));
    }
    let number = (key >> 3) as u32;
    let (wire, start, end) = match key & 7 {
        2 => {
            let (len, start) = read_varint(buf, start).ok_or_else(|| varint_error(buf, start))?;
            if len > (buf.len() - start) as u64 {
                return Err(DecodeError::new(pos, DecodeErrorKind::Truncated));
            }
            return Ok(Field {
                number,
                wire: WireType::Len,
                head: pos,
                start,
                end: start + len as usize,
            });
        }
        0 => {
            let (_, end) = read_varint(buf, start).ok_or_else(|| varint_error(buf, start))?;
            (WireType::Varint, start, end)
        }
        1 => (WireType::Fixed64, start, start + 8),
        5 => (WireType::Fixed32, start, start + 4),
        3 => (
            WireType::Group,
            start,
            skip_group(buf, start, number, depth)?,
        ),
        4 => return Err(DecodeError::new(pos, DecodeErrorKind::Group)),
        _ => return Err(DecodeError::new(pos, DecodeErrorKind::Tag)),
    };
    if end > buf.len() {
        return Err(DecodeError::new(pos, DecodeErrorKind::Truncated));
    }
    Ok(Field {
        number,
        wire,
        head: pos,
        start,
        end,
    })
}

/// Where the group `number` whose contents start at `pos` ends.
#[cold]
fn skip_group(buf: &[u8], mut pos: usize, number: u32, depth: usize) -> Result<usize, DecodeError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(DecodeError::new(pos, DecodeErrorKind::Depth));
    };
    loop {
        if pos >= buf.len() {
            return Err(DecodeError::new(pos, DecodeErrorKind::Group));
        }
        if let Some((key, next)) = read_varint(buf, pos)
            && key & 7 == 4
        {
            return if key >> 3 == u64::from(number) {
                Ok(next)
            } else {
                Err(DecodeError::new(pos, DecodeErrorKind::Group))
            };
        }
        pos = read_field(buf, pos, depth)?.end;
    }
}

/// The fields of a message that occupies `buf[pos..end]`, in the order in which they come.
/// Ends after the first error.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    buf: &'a [u8],
    pos: usize,
}

impl<'a> Fields<'a> {
    /// The fields of the message in `buf[start..end]`; offsets stay those of `buf`.
    #[inline]
    pub fn new(buf: &'a [u8], start: usize, end: usize) -> Self {
        Fields {
            buf: buf.get(..end).unwrap_or(buf),
            pos: start,
        }
    }

    /// The fields of the message that is all of `buf`.
    #[inline]
    pub fn all(buf: &'a [u8]) -> Self {
        Fields { buf, pos: 0 }
    }
}

impl Iterator for Fields<'_> {
    type Item = Result<Field, DecodeError>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.pos >= self.buf.len() {
            return None;
        }
        let field = read_field(self.buf, self.pos, MAX_DEPTH);
        self.pos = match &field {
            Ok(field) => field.end,
            Err(_) => self.buf.len(),
        };
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_field_is_an_error_at_its_byte() {
        let cases: &[(&[u8], usize, DecodeErrorKind)] = &[
            (&[0x80], 0, DecodeErrorKind::Truncated),
            (&[0x00, 0x00], 0, DecodeErrorKind::Tag),
            (&[0x0f], 0, DecodeErrorKind::Tag),
            (&[0x0e], 0, DecodeErrorKind::Tag),
            (&[0x0a, 0x02, 0x01], 0, DecodeErrorKind::Truncated),
            (
                &[0x0a, 0x01, 0x00, 0x09, 0x00],
                3,
                DecodeErrorKind::Truncated,
            ),
            (&[0x0d, 0, 0, 0], 0, DecodeErrorKind::Truncated),
            (&[0x0b, 0x08, 0x01], 3, DecodeErrorKind::Group),
            (&[0x0b, 0x14], 1, DecodeErrorKind::Group),
            (&[0x0c], 0, DecodeErrorKind::Group),
            (
                &[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2],
                1,
                DecodeErrorKind::Varint,
            ),
            (
                &[0x0a, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
                0,
                DecodeErrorKind::Truncated,
            ),
        ];
        for (bytes, offset, kind) in cases {
            let error = Fields::all(bytes).find_map(Result::err);
            assert_eq!(error, Some(DecodeError::new(*offset, *kind)), "{bytes:?}");
        }
    }

    #[test]
    fn groups_are_skipped_up_to_the_nesting_limit() {
        let nested = |depth: usize| [vec![0x0b; depth], vec![0x0c; depth]].concat();
        let fields: Vec<_> = Fields::all(&nested(MAX_DEPTH)).collect();
        assert!(matches!(
            fields[..],
            [Ok(Field {
                wire: WireType::Group,
                end: 200,
                ..
            })]
        ));
        let error = Fields::all(&nested(MAX_DEPTH + 1))
            .find_map(Result::err)
            .map(|e| e.kind);
        assert_eq!(error, Some(DecodeErrorKind::Depth));
    }

    #[test]
    fn numbers_of_every_layout_are_read() {
        let cases: &[(&[u8], u64)] = &[
            (&[8, 1], 1),
            (&[8, 0x80, 1], 128),
            (
                &[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
                u64::MAX,
            ),
            (&[9, 1, 0, 0, 0, 0, 0, 0, 128], 1 << 63 | 1),
            (&[13, 1, 0, 0, 128], 1 << 31 | 1),
        ];
        for (bytes, value) in cases {
            let read = Fields::all(bytes).next().map(|f| f.map(|f| f.uint(bytes)));
            assert_eq!(read, Some(Ok(*value)), "{bytes:?}");
        }
    }
}
