//! Finding attributes by key in the bytes of an entity. One walk over its fields finds all
//! keys that are asked for; what is neither an attribute nor of interest is stepped over at a
//! few instructions, whatever the order of fields and keys. What is unusual (long lengths,
//! groups, attributes with other fields than a key and a value) is read in the ordinary way.

use smallvec::SmallVec;

use super::value::{KeyValue, same_key};
use crate::wire::{DecodeError, Fields, MAX_DEPTH, WireType, read_field};

/// An attribute found: which of the keys, and offsets of its field, its `KeyValue`, the field
/// of its value within that, and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub slot: u32,
    pub head: u32,
    pub start: u32,
    /// 0 where the `KeyValue` is not just a key and then a value.
    pub value: u32,
    pub end: u32,
}

/// The keys that are looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scanner<'k> {
    keys: SmallVec<[&'k [u8]; 8]>,
    /// Bit per [`mark`] of a key: what has none of these bits is none of the keys.
    marks: u64,
}

/// A field is judged by this many bytes at its start, so that one check of bounds is enough:
/// tag and length, a key of up to 127 bytes, tag and length of the value. Fields nearer to the
/// end of the buffer take the ordinary way.
const WINDOW: usize = 144;

/// Which bit of [`Scanner::marks`] stands for keys of this length and last byte.
#[inline(always)]
fn mark(len: u64, last: u64) -> u64 {
    1 << ((len << 2 ^ last) & 63)
}

#[inline(always)]
fn load4(window: &[u8; WINDOW], at: usize) -> u64 {
    match window.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        Some(bytes) => u32::from_le_bytes(*bytes).into(),
        None => 0,
    }
}

impl<'k> Scanner<'k> {
    /// Looks for this key too; its slot.
    pub fn add(&mut self, key: &'k [u8]) -> usize {
        if let Some(slot) = self.keys.iter().position(|known| *known == key) {
            return slot;
        }
        let last = key.last().copied().unwrap_or(0);
        self.marks |= mark(key.len() as u64, last.into());
        self.keys.push(key);
        self.keys.len() - 1
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    #[inline(always)]
    fn slot(&self, key: &[u8]) -> Option<u32> {
        let slot = self.keys.iter().position(|known| same_key(known, key))?;
        Some(slot as u32)
    }

    /// Calls `found` for each attribute (field `number`, below 16) in `buf[start..end]` that
    /// has one of the keys, in order, until it returns false.
    ///
    /// # Errors
    /// A field that is not valid, with its offset in `buf`; some may have been found before.
    #[inline(always)]
    pub fn scan(
        &self,
        buf: &[u8],
        start: usize,
        end: usize,
        number: u32,
        mut found: impl FnMut(Hit) -> bool,
    ) -> Result<(), DecodeError> {
        let tag = u64::from(number << 3 | 2);
        // A `KeyValue` of one byte's length that begins with a key of one byte's length.
        let short = 0x000a_0000 | tag;
        // The same with a length of two bytes.
        let long = 0x00_0a00_8000 | tag;
        let mut pos = start;
        while pos < end {
            let window = buf.get(pos..).and_then(|rest| rest.first_chunk::<WINDOW>());
            let Some(window) = window else {
                match self.ordinary(buf, pos, end, number, &mut found)? {
                    Some(next) => pos = next,
                    None => return Ok(()),
                }
                continue;
            };
            let word = load4(window, 0) | load4(window, 4) << 32;
            if word & 0x80ff_80ff == short {
                let (len, key_len) = (word >> 8 & 0xff, word >> 24 & 0x7f);
                let next = pos + 2 + len as usize;
                // The key's last byte, then the value's tag and length.
                let tail = load4(window, 3 + key_len as usize);
                if tail >> 8 & 0xffff == (0x12 | len.wrapping_sub(key_len + 4) << 8) {
                    if self.marks & mark(key_len, tail & 0xff) != 0 {
                        let value = pos + 4 + key_len as usize;
                        if let Some(slot) = self.slot(buf.get(pos + 4..value).unwrap_or_default())
                            && next <= end
                            && !found(Hit {
                                slot,
                                head: pos as u32,
                                start: pos as u32 + 2,
                                value: value as u32,
                                end: next as u32,
                            })
                        {
                            return Ok(());
                        }
                    }
                    pos = next;
                    continue;
                }
            } else if word & 0x80_ff80_80ff == long {
                let len = (word >> 8 & 0x7f) + (word >> 9 & 0x3f80);
                let key_len = word >> 32 & 0x7f;
                let next = pos + 3 + len as usize;
                let tail = load4(window, 4 + key_len as usize);
                let more = tail >> 23 & 1;
                let value_len = (tail >> 16 & 0x7f) + (tail >> 17 & (0x3f80 * more));
                if tail >> 8 & 0xff == 0x12
                    && tail >> 31 & more == 0
                    && key_len + 4 + more + value_len == len
                {
                    if self.marks & mark(key_len, tail & 0xff) != 0 {
                        let value = pos + 5 + key_len as usize;
                        if let Some(slot) = self.slot(buf.get(pos + 5..value).unwrap_or_default())
                            && next <= end
                            && !found(Hit {
                                slot,
                                head: pos as u32,
                                start: pos as u32 + 3,
                                value: value as u32,
                                end: next as u32,
                            })
                        {
                            return Ok(());
                        }
                    }
                    pos = next;
                    continue;
                }
            } else if word & 0xff != tag
                && let Some(size) = other_field(word)
            {
                pos += size;
                continue;
            }
            match self.ordinary(buf, pos, end, number, &mut found)? {
                Some(next) => pos = next,
                None => return Ok(()),
            }
        }
        if pos > end {
            // Some field goes beyond the end: say which.
            for field in Fields::new(buf, start, end) {
                field?;
            }
        }
        Ok(())
    }

    /// The field at `pos`, read in the ordinary way; where it ends, or `None` when `found`
    /// wants no more.
    #[inline(never)]
    fn ordinary(
        &self,
        buf: &[u8],
        pos: usize,
        end: usize,
        number: u32,
        found: &mut impl FnMut(Hit) -> bool,
    ) -> Result<Option<usize>, DecodeError> {
        let field = read_field(buf.get(..end).unwrap_or_default(), pos, MAX_DEPTH)?;
        if field.number == number && field.wire == WireType::Len {
            let entry = KeyValue::read(field.bytes(buf)).map_err(|mut error| {
                error.offset += field.start;
                error
            })?;
            if let Some(slot) = self.slot(entry.key)
                && !found(Hit {
                    slot,
                    head: pos as u32,
                    start: field.start as u32,
                    value: 0,
                    end: field.end as u32,
                })
            {
                return Ok(None);
            }
        }
        Ok(Some(field.end))
    }
}

/// The size of a field that begins with these bytes, if it is of a usual kind.
#[inline(always)]
fn other_field(word: u64) -> Option<usize> {
    let tag = word & 0xff;
    if tag >= 0x80 {
        // A number from 16 to 2047; of these only fixed sizes are common.
        let usual = word >> 8 & 0x80 == 0 && word >> 8 & 0x7f != 0;
        return match tag & 7 {
            5 if usual => Some(6),
            1 if usual => Some(10),
            _ => None,
        };
    }
    if tag < 8 {
        return None;
    }
    match tag & 7 {
        2 => {
            let more = word >> 15 & 1;
            if word >> 23 & more != 0 {
                return None;
            }
            let len = (word >> 8 & 0x7f) + (word >> 9 & (0x3f80 * more));
            Some((2 + more + len) as usize)
        }
        0 => {
            // The first byte that has no continuation bit ends the number.
            let last = !(word >> 8) & 0x0080_8080_8080_8080;
            (last != 0).then(|| 2 + last.trailing_zeros() as usize / 8)
        }
        1 => Some(9),
        5 => Some(5),
        _ => None,
    }
}
