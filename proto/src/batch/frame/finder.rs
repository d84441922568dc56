//! Finding in a row what a frame asks for: attributes by their keys (length and last byte first,
//! then the bytes), fields by their numbers. One walk over the fields of the row notes where they
//! lie; what nobody asked for is stepped over at a few instructions. What a field is judged by,
//! and what is unusual, is as in the scanner of attributes (`batch/scan.rs`).

use super::entries::{Entry, FIELD, OTHER, STAYS};
use crate::batch::{
    scan::{WINDOW, load2, load8, long_attribute, other_field},
    value::same_key,
};

const BUCKETS: usize = 256;

/// The keys that have a slot.
#[derive(Debug)]
pub(super) struct Finder {
    keys: Vec<Key>,
    /// One more than the slot of the last key in a bucket, 0 for none.
    buckets: Box<[u16; BUCKETS]>,
}

/// A key, and what of it can be compared at once.
#[derive(Debug)]
#[repr(align(64))]
struct Key {
    len: usize,
    /// Its first eight bytes, or all, and which bits those are.
    first: u64,
    mask: u64,
    /// Its last eight bytes, if it has as many.
    last: u64,
    /// Those behind the first eight and before the last, if it has at least sixteen.
    inner: [u64; 2],
    bytes: Box<[u8]>,
    /// As [`Finder::buckets`], the key added before.
    next: u16,
}

/// What is looked for in a row.
pub(super) struct Look {
    /// The number of the field that holds attributes, below 16.
    pub number: u32,
    /// Bit set of the numbers of fields.
    pub watched: u32,
    /// Attributes without a slot are noted if they take more bytes, key included.
    pub short: u64,
    /// Once so many entries were noted, the rest of the row is of no interest.
    pub enough: usize,
}

#[inline(always)]
fn bucket(len: usize, last: u8) -> usize {
    (len << 3 ^ usize::from(last)) % BUCKETS
}

/// The eight bytes at an offset, 0 where there are not as many.
fn word(bytes: &[u8], at: usize) -> u64 {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
    word.map_or(0, |word| u64::from_le_bytes(*word))
}

impl Key {
    #[inline(always)]
    fn is_at(&self, window: &[u8; WINDOW], at: usize, len: usize) -> bool {
        self.len == len
            && (self.first ^ load8(window, at)) & self.mask == 0
            && (len <= 8
                || load8(window, at + len - 8) == self.last
                    && (len <= 16
                        || load8(window, at + 8) == self.inner[0]
                            && load8(window, at + len - 16) == self.inner[1]
                            && (len <= 32 || window.get(at..at + len) == Some(&*self.bytes))))
    }
}

impl Finder {
    pub fn new(keys: &[&[u8]]) -> Finder {
        let mut finder = Finder {
            keys: Vec::with_capacity(keys.len()),
            buckets: Box::new([0; BUCKETS]),
        };
        for (slot, key) in keys.iter().enumerate() {
            let at = bucket(key.len(), key.last().copied().unwrap_or(0));
            let first = finder.buckets.get_mut(at);
            let before = first.map(|first| std::mem::replace(first, slot as u16 + 1));
            let mut start = [0; 8];
            start.iter_mut().zip(*key).for_each(|(to, of)| *to = *of);
            finder.keys.push(Key {
                len: key.len(),
                first: u64::from_le_bytes(start),
                mask: match key.len() {
                    len @ 0..=7 => (1 << (8 * len)) - 1,
                    _ => u64::MAX,
                },
                last: word(key, key.len().wrapping_sub(8)),
                inner: [word(key, 8), word(key, key.len().wrapping_sub(16))],
                bytes: (*key).into(),
                next: before.unwrap_or(0),
            });
        }
        finder
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn key(&self, slot: usize) -> Option<&[u8]> {
        self.keys.get(slot).map(|key| &*key.bytes)
    }

    /// The slot of a key.
    pub fn find(&self, key: &[u8]) -> Option<usize> {
        let at = bucket(key.len(), key.last().copied().unwrap_or(0));
        let mut candidate = self.buckets.get(at).copied().unwrap_or(0);
        while let Some(known) = self.keys.get(usize::from(candidate).wrapping_sub(1)) {
            if same_key(&known.bytes, key) {
                return Some(usize::from(candidate) - 1);
            }
            candidate = known.next;
        }
        None
    }

    /// Notes what is looked for between two offsets (with offsets for addresses), as far as fields can be judged by a few
    /// bytes of each: where the first begins that has to be looked at in the ordinary way, or
    /// the end of what is no field.
    // A function of its own so that nothing else competes for registers.
    #[inline(never)]
    pub fn scan(
        &self,
        buf: &[u8],
        (mut at, to): (usize, usize),
        look: &Look,
        found: &mut Vec<Entry>,
    ) -> usize {
        let tag = u64::from(look.number << 3 | 2);
        let short = 0x000a_0000 | tag;
        let watched = look.watched | 1 << look.number;
        let Some(mut rest) = buf.get(at..) else {
            return at;
        };
        // Bytes behind what is to be scanned, or behind which no field is judged.
        let behind = buf.len().saturating_sub(to).max(WINDOW - 1);
        while rest.len() > behind {
            let Some(window) = rest.first_chunk::<WINDOW>() else {
                break;
            };
            let word = load8(window, 0);
            let size = if word & 0x80ff_80ff == short {
                // A `KeyValue` of one byte's length that is a key and then a value only.
                let (len, key_len) = (word >> 8 & 0xff, (word >> 24 & 0x7f) as usize);
                let value = load2(window, 4 + key_len);
                if value != (len.wrapping_sub(key_len as u64 + 4) << 8 | 0x12) {
                    break;
                }
                let size = 2 + len as usize;
                let candidate = self.candidate(window, 2, key_len);
                if candidate != 0 || size as u64 > look.short {
                    at = buf.len() - rest.len();
                    let hit = (at, size, 2, key_len);
                    if at + size > to {
                        return at;
                    }
                    self.note(window, hit, candidate, look, found);
                    if found.len() >= look.enough {
                        return to;
                    }
                }
                size
            } else if word & 0xff != tag {
                let Some(size) = other_field(word) else {
                    break;
                };
                let two = word & 0x80 != 0;
                let number = match two {
                    false => word >> 3 & 0x1f,
                    true => word >> 3 & 0xf | word >> 4 & 0x7f0,
                };
                if number < 32 && watched >> number & 1 == 1 {
                    at = buf.len() - rest.len();
                    if number as u32 == look.number || at + size > to {
                        return at;
                    }
                    let body = match word & 7 {
                        2 if word & 0x8000 != 0 => at + 3,
                        2 => at + 2,
                        _ => at + 1 + usize::from(two),
                    };
                    found.push(Entry {
                        slot: FIELD | number as u32,
                        head: at as u32,
                        end: (at + size) as u32,
                        key: body as u32,
                        key_len: (word & 7) as u32,
                        value: body as u32,
                        edit: STAYS,
                    });
                }
                size
            } else if let Some((len, key_len)) = long_attribute(word, window) {
                let (size, key_len) = (3 + len, key_len as usize);
                let candidate = self.candidate(window, 3, key_len);
                if candidate != 0 || size as u64 > look.short {
                    at = buf.len() - rest.len();
                    let hit = (at, size, 3, key_len);
                    if at + size > to {
                        return at;
                    }
                    self.note(window, hit, candidate, look, found);
                    if found.len() >= look.enough {
                        return to;
                    }
                }
                size
            } else {
                break;
            };
            rest = match rest.get(size..) {
                Some(rest) => rest,
                // It ends where nothing is any more.
                None => return buf.len() + 1,
            };
        }
        buf.len() - rest.len()
    }

    /// What [`Finder::buckets`] has for the key of an attribute with a header of this length.
    #[inline(always)]
    fn candidate(&self, window: &[u8; WINDOW], header: usize, key_len: usize) -> u16 {
        let last = window.get(header + 1 + key_len).copied().unwrap_or(0);
        let bucket = bucket(key_len, last);
        self.buckets.get(bucket).copied().unwrap_or(0)
    }

    /// Notes an attribute (where it begins, its size, that of its header, and of its key), if it
    /// is looked for.
    #[inline(always)]
    fn note(
        &self,
        window: &[u8; WINDOW],
        (at, size, header, key_len): (usize, usize, usize, usize),
        candidate: u16,
        look: &Look,
        found: &mut Vec<Entry>,
    ) {
        let slot = self.slot_at(window, header + 2, key_len, candidate);
        if slot == OTHER && size as u64 <= look.short {
            return;
        }
        // The value's length takes two bytes where the whole is that long.
        let value = header + 4 + key_len;
        let long = header == 3 && size.wrapping_sub(value) >= 0x80;
        found.push(Entry {
            slot,
            head: at as u32,
            end: (at + size) as u32,
            key: (at + header + 2) as u32,
            key_len: key_len as u32,
            value: (at + value + usize::from(long)) as u32,
            edit: STAYS,
        });
    }

    /// The slot of the key that begins at `at`, or [`OTHER`]; `candidate` is what
    /// [`Finder::buckets`] has for it.
    #[inline(always)]
    fn slot_at(&self, window: &[u8; WINDOW], at: usize, len: usize, mut candidate: u16) -> u32 {
        while let Some(key) = self.keys.get(usize::from(candidate).wrapping_sub(1)) {
            if key.is_at(window, at, len) {
                return u32::from(candidate) - 1;
            }
            candidate = key.next;
        }
        OTHER
    }
}
