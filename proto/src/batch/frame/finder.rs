//! Finding in a row what a frame asks for: attributes by their keys (length and last byte first,
//! then the bytes), fields by their numbers. One walk over the fields of the row notes where they
//! lie; what nobody asked for is stepped over at a few instructions. What a field is judged by,
//! and what is unusual, is as in the scanner of attributes (`batch/scan.rs`).

use super::{
    Column, NOT_SIMPLE,
    entries::{Entry, FIELD, FILLED, OTHER, STAYS},
    kind, span,
};
use crate::batch::{
    scan::{WINDOW, load2, load8, long_attribute, other_field},
    value::same_key,
};

/// By length and last byte: keys that are different in these are in different ones, most likely.
const BUCKETS: usize = 2048;

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
pub(super) struct Look<'l> {
    /// The number of the field that holds attributes, below 16.
    pub number: u32,
    /// Bit set of the numbers of fields.
    pub watched: u32,
    pub classes: &'l Classes,
    /// Attributes without a slot are noted if they take more bytes, key included.
    pub short: u64,
    /// Once so many entries were noted, the rest of the row is of no interest.
    pub enough: usize,
}

/// What becomes of a field that is no attribute, by its tag of one byte.
#[derive(Debug)]
pub(super) struct Classes {
    of: [u8; 128],
    /// The number of the field of attributes, and the fields, for which this is so.
    pub number: u32,
    pub watched: u32,
}

/// It has to be looked at in the ordinary way.
const UNUSUAL: u8 = 0;
const VARINT: u8 = 1;
const FIXED64: u8 = 2;
const LEN: u8 = 3;
const FIXED32: u8 = 4;
/// Added: somebody asked for it.
const WATCHED: u8 = 8;

impl Classes {
    pub fn new(number: u32, watched: u32) -> Classes {
        let mut of = [UNUSUAL; 128];
        for (tag, class) in (0u32..).zip(&mut of) {
            let field = tag >> 3;
            let kind = match tag & 7 {
                0 => VARINT,
                1 => FIXED64,
                2 => LEN,
                5 => FIXED32,
                _ => continue,
            };
            if field != 0 && field != number {
                *class = kind + WATCHED * (watched >> field & 1) as u8;
            }
        }
        Classes {
            of,
            number,
            watched,
        }
    }
}

/// Where values go that can be read with a few bytes of them.
pub(super) struct Fill<'f> {
    pub columns: &'f mut [Column],
    /// By number, the slot of a field that is read as it is, or [`NOT_SIMPLE`].
    pub fixed: &'f [u16; 32],
    pub texts: &'f [u16; 32],
    pub position: usize,
    /// What is added to offsets to make addresses of them.
    pub base: u32,
}

#[inline(always)]
fn bucket(len: usize, last: u8) -> usize {
    (len << 5 ^ usize::from(last)) % BUCKETS
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

impl Fill<'_> {
    /// Puts a value into the column of a slot; false where that has one already, or there is no
    /// such column.
    #[inline(always)]
    fn put(&mut self, slot: usize, (kind, bits): (u8, u64)) -> bool {
        let column = self.columns.get_mut(slot);
        column.is_some_and(|column| column.fill(self.position, kind, bits))
    }
}

static NONE_SIMPLE: [u16; 32] = [NOT_SIMPLE; 32];

/// The value encoded from `from` to `to` in a window that lies at the offset `at`; `None` where
/// that has to be found out in the ordinary way.
#[inline(always)]
fn quick_value(
    window: &[u8; WINDOW],
    (at, from, to): (usize, usize, usize),
    base: u32,
) -> Option<(u8, u64)> {
    let word = load8(window, from);
    let len = to.wrapping_sub(from);
    let text = |header: usize| {
        let start = (at + from + header) as u32 | base;
        Some((kind::STRING, span::between(start, (at + to) as u32 | base)))
    };
    if word & 0x80ff == 0x0a && (word >> 8 & 0xff) as usize + 2 == len {
        return text(2);
    }
    if word & 0xff == 0x18 && (2..=8).contains(&len) {
        return short_varint(word >> 8, len - 1).map(|value| (kind::INT, value));
    }
    // A string of up to 16,383 bytes.
    if word & 0x80_80ff == 0x00_800a && (word >> 8 & 0x7f | word >> 9 & 0x3f80) as usize + 3 == len
    {
        return text(3);
    }
    None
}

/// The varint in the first `len` bytes, 1 to 7, of a word, if it ends with them: all but the last
/// say that there are more.
#[inline(always)]
pub(super) fn short_varint(word: u64, len: usize) -> Option<u64> {
    const CONTINUES: u64 = 0x8080_8080_8080_8080;
    let bytes = word & (u64::MAX >> (8 * (8 - len)));
    (bytes & CONTINUES == CONTINUES >> (8 * (8 - len)) >> 8).then(|| packed(bytes & !CONTINUES))
}

/// Eight groups of seven bits, one in each byte, put together.
#[inline(always)]
fn packed(groups: u64) -> u64 {
    let x = groups & 0x007f_007f_007f_007f | (groups & 0x7f00_7f00_7f00_7f00) >> 1;
    let x = x & 0x0000_3fff_0000_3fff | (x & 0x3fff_0000_3fff_0000) >> 2;
    x & 0x0fff_ffff | (x & 0x0fff_ffff_0000_0000) >> 4
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

    /// Notes what is looked for between two offsets (with offsets for addresses), as far as fields
    /// can be judged by a few bytes of each, and fills in values as far as these can be: where the
    /// first field begins that has to be looked at in the ordinary way, or the end of what is no
    /// field.
    // A function of its own so that nothing else competes for registers.
    #[inline(never)]
    pub fn scan(
        &self,
        buf: &[u8],
        (mut at, to): (usize, usize),
        look: &Look<'_>,
        found: &mut Vec<Entry>,
        fill: &mut Fill<'_>,
    ) -> usize {
        let tag = u64::from(look.number << 3 | 2);
        let short = 0x000a_0000 | tag;
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
                    self.note(window, hit, candidate, look, found, fill);
                    if found.len() >= look.enough {
                        return to;
                    }
                }
                size
            } else if word & 0x80 == 0 && word & 0xff != tag {
                let class = look.classes.of.get(word as usize & 0x7f);
                let class = class.copied().unwrap_or(UNUSUAL);
                // Branches, which are foreseen, let the next field be read before this one has
                // arrived.
                let mut body = 1;
                let size = match class % WATCHED {
                    LEN if word & 0x8000 == 0 => {
                        body = 2;
                        2 + (word >> 8 & 0x7f) as usize
                    }
                    FIXED64 => 9,
                    VARINT => {
                        // The first byte that has no continuation bit ends the number.
                        let last = !(word >> 8) & 0x0080_8080_8080_8080;
                        if last == 0 {
                            break;
                        }
                        2 + last.trailing_zeros() as usize / 8
                    }
                    LEN if word & 0x80_0000 == 0 => {
                        body = 3;
                        3 + ((word >> 8 & 0x7f) + (word >> 9 & 0x3f80)) as usize
                    }
                    FIXED32 => 5,
                    _ => break,
                };
                if class >= WATCHED {
                    at = buf.len() - rest.len();
                    if at + size > to {
                        return at;
                    }
                    let number = (word >> 3 & 0xf) as usize;
                    let (slots, value) = match class % WATCHED {
                        FIXED64 => (fill.fixed, (kind::INT, load8(window, 1))),
                        LEN => {
                            let start = (at + body) as u32 | fill.base;
                            let text = span::between(start, (at + size) as u32 | fill.base);
                            (fill.texts, (kind::STRING, text))
                        }
                        _ => (&NONE_SIMPLE, (kind::NIL, 0)),
                    };
                    let slot = slots.get(number).copied().unwrap_or(NOT_SIMPLE);
                    let filled = fill.put(slot.into(), value);
                    found.push(Entry {
                        slot: FIELD | number as u32,
                        head: at as u32,
                        end: (at + size) as u32,
                        key: (at + body) as u32,
                        key_len: (word & 7) as u32,
                        value: (at + body) as u32,
                        edit: if filled { FILLED } else { STAYS },
                    });
                }
                size
            } else if word & 0x80 != 0 {
                let Some(size) = other_field(word) else {
                    break;
                };
                let number = word >> 3 & 0xf | word >> 4 & 0x7f0;
                if number < 32 && look.watched >> number & 1 == 1 {
                    at = buf.len() - rest.len();
                    if at + size > to {
                        return at;
                    }
                    found.push(Entry {
                        slot: FIELD | number as u32,
                        head: at as u32,
                        end: (at + size) as u32,
                        key: at as u32 + 2,
                        key_len: (word & 7) as u32,
                        value: at as u32 + 2,
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
                    self.note(window, hit, candidate, look, found, fill);
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
        look: &Look<'_>,
        found: &mut Vec<Entry>,
        fill: &mut Fill<'_>,
    ) {
        let slot = self.slot_at(window, header + 2, key_len, candidate);
        if slot == OTHER && size as u64 <= look.short {
            return;
        }
        // The value's length takes two bytes where the whole is that long.
        let value = header + 4 + key_len;
        let long = header == 3 && size.wrapping_sub(value) >= 0x80;
        let value = value + usize::from(long);
        let filled = match quick_value(window, (at, value, size), fill.base) {
            Some(value) if slot != OTHER => fill.put(slot as usize, value),
            _ => false,
        };
        found.push(Entry {
            slot,
            head: at as u32,
            end: (at + size) as u32,
            key: (at + header + 2) as u32,
            key_len: key_len as u32,
            value: (at + value) as u32,
            edit: if filled { FILLED } else { STAYS },
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
