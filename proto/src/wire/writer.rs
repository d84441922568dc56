//! Writes protobuf fields at the end of a buffer. What the value means is the caller's
//! business; a field with its default value is written like any other.

use super::WireType;

/// Bytes that `value` takes as a varint: 1 to 10.
#[inline]
pub const fn varint_len(value: u64) -> usize {
    // 9/64 approximates 1/7 exactly enough for every number of bits up to 64.
    ((63 - (value | 1).leading_zeros() as usize) * 9 + 73) / 64
}

/// Bytes that a tag with this field number takes: 1 to 5.
#[inline]
pub const fn tag_len(number: u32) -> usize {
    varint_len((number as u64) << 3)
}

/// A signed number as `sint32`/`sint64` fields have it.
#[inline]
pub const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Appends a varint.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a tag.
#[inline]
pub fn put_tag(out: &mut Vec<u8>, number: u32, wire: WireType) {
    put_varint(out, u64::from(number) << 3 | wire as u64);
}

/// Appends a varint field: `uint`, `int` (as two's complement), `bool` and enum fields.
#[inline]
pub fn put_uint(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, WireType::Varint);
    put_varint(out, value);
}

/// Appends a `sint32` or `sint64` field.
#[inline]
pub fn put_sint(out: &mut Vec<u8>, number: u32, value: i64) {
    put_uint(out, number, zigzag(value));
}

/// Appends a `fixed64` or `sfixed64` field.
#[inline]
pub fn put_fixed64(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, WireType::Fixed64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a `double` field.
#[inline]
pub fn put_double(out: &mut Vec<u8>, number: u32, value: f64) {
    put_fixed64(out, number, value.to_bits());
}

/// Appends a `fixed32` field.
#[inline]
pub fn put_fixed32(out: &mut Vec<u8>, number: u32, value: u32) {
    put_tag(out, number, WireType::Fixed32);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a field of bytes: a string, bytes, a packed list or a message already encoded.
#[inline]
pub fn put_bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    put_tag(out, number, WireType::Len);
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Starts a message field whose length is not known yet; [`end_message`] takes what it
/// returns. Messages may nest.
#[inline]
pub fn begin_message(out: &mut Vec<u8>, number: u32) -> usize {
    put_tag(out, number, WireType::Len);
    out.push(0);
    out.len()
}

/// Ends the message that `begin_message` started: writes its length, moving the contents
/// where that takes more than the one byte kept for it.
#[inline]
pub fn end_message(out: &mut Vec<u8>, begin: usize) {
    let len = out.len().saturating_sub(begin);
    if len < 0x80 {
        if let Some(slot) = begin.checked_sub(1).and_then(|at| out.get_mut(at)) {
            *slot = len as u8;
        }
        return;
    }
    let more = varint_len(len as u64) - 1;
    let end = out.len();
    out.resize(end + more, 0);
    out.copy_within(begin..end, begin + more);
    let mut value = len as u64;
    if let Some(slots) = out.get_mut(begin - 1..begin + more) {
        for (i, slot) in slots.iter_mut().enumerate() {
            *slot = value as u8 & 0x7f | if i < more { 0x80 } else { 0 };
            value >>= 7;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Fields;

    #[test]
    fn a_varint_takes_the_bytes_that_are_promised() {
        for bits in 0..64u32 {
            for value in [(1u64 << bits) - 1, 1 << bits, u64::MAX >> (63 - bits)] {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value), "{value}");
                assert_eq!(crate::wire::read_varint(&out, 0), Some((value, out.len())));
            }
        }
    }

    #[test]
    fn a_nested_message_gets_the_shortest_length() {
        for len in [0usize, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            let mut out = vec![8, 1];
            let outer = begin_message(&mut out, 2);
            let inner = begin_message(&mut out, 3);
            out.resize(out.len() + len, 7);
            end_message(&mut out, inner);
            end_message(&mut out, outer);
            let fields: Vec<_> = Fields::all(&out).flatten().collect();
            assert_eq!(fields.len(), 2);
            let body = fields[1].bytes(&out);
            let inner: Vec<_> = Fields::all(body).flatten().collect();
            assert_eq!(inner.len(), 1);
            assert_eq!(inner[0].bytes(body), vec![7; len]);
            assert_eq!(body.len(), 1 + varint_len(len as u64) + len);
        }
    }
}
