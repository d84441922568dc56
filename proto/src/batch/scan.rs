//! Finding attributes by key in the bytes of an entity. One walk over its fields finds all
//! keys that are asked for; what is neither an attribute nor of interest is stepped over at a
//! few instructions, whatever the order of fields and keys. What is unusual (long lengths,
//! groups, attributes with other fields than a key and a value) is read in the ordinary way.

use super::value::{KeyValue, same_key};
use crate::wire::{DecodeError, Fields, MAX_DEPTH, WireType, read_field};

/// An attribute found: which of the keys, and offsets of its field, its `KeyValue`, the field
/// of its value within that, and its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hit {
    pub slot: u32,
    pub head: u32,
    pub start: u32,
    /// 0 where the `KeyValue` is not just a key and then a value.
    pub value: u32,
    pub end: u32,
}

/// The keys that are looked for.
#[derive(Clone, Debug)]
pub(crate) struct Scanner<'k> {
    keys: Vec<Key<'k>>,
    /// By [`bucket`]: one more than the slot of the last key that is in it, 0 for none.
    buckets: [u32; BUCKETS],
}

const BUCKETS: usize = 64;

/// Where keys of this length and last byte (or of none) are looked for.
#[inline(always)]
fn bucket(len: u64, last: u8) -> usize {
    (len ^ u64::from(last)) as usize % BUCKETS
}

/// A key, and what of it can be compared at once.
#[derive(Clone, Copy, Debug)]
struct Key<'k> {
    len: u64,
    /// Its first eight bytes, or all, and which bits those are.
    first: u64,
    mask: u64,
    /// Its last eight bytes, if it has as many.
    last: u64,
    key: &'k [u8],
    /// As [`Scanner::buckets`], among those added before.
    next: u32,
}

/// A field is judged by this many bytes at its start, so that one check of bounds is enough:
/// tag and length, a key of up to 127 bytes, tag and length of the value. Fields nearer to the
/// end of the buffer take the ordinary way.
pub(super) const WINDOW: usize = 144;

#[inline(always)]
pub(super) fn load2(window: &[u8; WINDOW], at: usize) -> u64 {
    match window.get(at..).and_then(|rest| rest.first_chunk::<2>()) {
        Some(bytes) => u16::from_le_bytes(*bytes).into(),
        None => 0,
    }
}

#[inline(always)]
pub(super) fn load8(window: &[u8; WINDOW], at: usize) -> u64 {
    match window.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => 0,
    }
}

impl<'k> Key<'k> {
    fn new(key: &'k [u8]) -> Key<'k> {
        let mut first = [0; 8];
        for (to, from) in first.iter_mut().zip(key) {
            *to = *from;
        }
        Key {
            len: key.len() as u64,
            first: u64::from_le_bytes(first),
            mask: match key.len() {
                len @ 0..=7 => (1 << (8 * len)) - 1,
                _ => u64::MAX,
            },
            last: key.last_chunk::<8>().map_or(0, |b| u64::from_le_bytes(*b)),
            key,
            next: 0,
        }
    }

    /// Whether the key that begins at `at` and has this length is this one.
    #[inline(always)]
    fn is_at(&self, window: &[u8; WINDOW], at: usize, len: u64) -> bool {
        self.len == len
            && (self.first ^ load8(window, at)) & self.mask == 0
            && (len <= 8
                || load8(window, at + len as usize - 8) == self.last
                    && (len <= 16 || window.get(at..at + len as usize) == Some(self.key)))
    }
}

impl<'k> Scanner<'k> {
    /// Looks for nothing yet.
    pub fn new() -> Scanner<'k> {
        Scanner {
            keys: Vec::new(),
            buckets: [0; BUCKETS],
        }
    }

    /// Looks for this key too; its slot.
    pub fn add(&mut self, key: &'k [u8]) -> usize {
        if let Some(slot) = self.keys.iter().position(|known| known.key == key) {
            return slot;
        }
        let slot = self.keys.len();
        let mut key = Key::new(key);
        // Before an empty key is its length, which is 0.
        let last = key.key.last().copied().unwrap_or(0);
        if let Some(first) = self.buckets.get_mut(bucket(key.len, last)) {
            key.next = std::mem::replace(first, slot as u32 + 1);
        }
        self.keys.push(key);
        slot
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Appends to `hits` the attributes (field `number`, below 16) in `buf[start..end]` that
    /// have one of the keys, in order; if `first_only`, no more than one.
    ///
    /// # Errors
    /// A field that is not valid, with its offset in `buf`; some may have been found before.
    // A function of its own so that nothing else competes for registers.
    #[inline(never)]
    pub fn scan(
        &self,
        buf: &[u8],
        start: usize,
        end: usize,
        number: u32,
        first_only: bool,
        hits: &mut Vec<Hit>,
    ) -> Result<(), DecodeError> {
        let tag = u64::from(number << 3 | 2);
        let enough = if first_only { hits.len() } else { usize::MAX };
        let last_window = buf.len().checked_sub(WINDOW);
        let mut pos = start;
        while pos < end {
            let window = match last_window {
                Some(last) if pos <= last => buf.get(pos..pos + WINDOW),
                _ => None,
            };
            let Some(window) = window.and_then(|window| window.first_chunk::<WINDOW>()) else {
                pos = self.ordinary(buf, pos, end, number, hits)?;
                if hits.len() > enough {
                    return Ok(());
                }
                continue;
            };
            let word = load8(window, 0);
            let (next, header, key_len, candidate) = if word & 0x80ff_80ff == 0x000a_0000 | tag {
                // A `KeyValue` of one byte's length that begins with a key, after which only
                // a value must follow: otherwise the key could be given again.
                let (len, key_len) = (word >> 8 & 0xff, word >> 24 & 0x7f);
                let value = load2(window, 4 + key_len as usize);
                if value != (len.wrapping_sub(key_len + 4) << 8 | 0x12) {
                    pos = self.ordinary(buf, pos, end, number, hits)?;
                    if hits.len() > enough {
                        return Ok(());
                    }
                    continue;
                }
                let next = pos + 2 + len as usize;
                let candidate = self.candidate(window, 2, key_len);
                if candidate == 0 {
                    pos = next;
                    continue;
                }
                (next, 2, key_len, candidate)
            } else if word & 0xff != tag {
                match other_field(word) {
                    Some(size) => pos += size,
                    None => pos = self.ordinary(buf, pos, end, number, hits)?,
                }
                continue;
            } else if let Some((len, key_len)) = long_attribute(word, window) {
                (
                    pos + 3 + len,
                    3,
                    key_len,
                    self.candidate(window, 3, key_len),
                )
            } else {
                pos = self.ordinary(buf, pos, end, number, hits)?;
                if hits.len() > enough {
                    return Ok(());
                }
                continue;
            };
            if let Some(slot) = self.slot_at(window, header + 2, key_len, candidate)
                && next <= end
            {
                hits.push(Hit {
                    slot,
                    head: pos as u32,
                    start: (pos + header) as u32,
                    value: (pos + header + 2 + key_len as usize) as u32,
                    end: next as u32,
                });
                if hits.len() > enough {
                    return Ok(());
                }
            }
            pos = next;
        }
        if pos > end {
            // Some field goes beyond the end: say which.
            for field in Fields::new(buf, start, end) {
                field?;
            }
        }
        Ok(())
    }

    /// What [`Scanner::buckets`] has for the key of a `KeyValue` with a header of this length.
    #[inline(always)]
    fn candidate(&self, window: &[u8; WINDOW], header: usize, key_len: u64) -> u32 {
        let last = window.get(header + 1 + key_len as usize);
        let bucket = bucket(key_len, last.copied().unwrap_or(0));
        self.buckets.get(bucket).copied().unwrap_or(0)
    }

    /// The slot of the key that begins at `at`; `candidate` is what [`Scanner::buckets`] has
    /// for it.
    #[inline(always)]
    fn slot_at(
        &self,
        window: &[u8; WINDOW],
        at: usize,
        len: u64,
        mut candidate: u32,
    ) -> Option<u32> {
        while let Some(key) = self.keys.get((candidate as usize).wrapping_sub(1)) {
            if key.is_at(window, at, len) {
                return Some(candidate - 1);
            }
            candidate = key.next;
        }
        None
    }

    /// Looks at the field at `pos` in the ordinary way; where it ends.
    #[cold]
    #[inline(never)]
    fn ordinary(
        &self,
        buf: &[u8],
        pos: usize,
        end: usize,
        number: u32,
        hits: &mut Vec<Hit>,
    ) -> Result<usize, DecodeError> {
        let field = read_field(buf.get(..end).unwrap_or_default(), pos, MAX_DEPTH)?;
        if field.number == number && field.wire == WireType::Len {
            let entry = KeyValue::read(field.bytes(buf)).map_err(|mut error| {
                error.offset += field.start;
                error
            })?;
            let known = |key: &Key<'_>| same_key(key.key, entry.key);
            if let Some(slot) = self.keys.iter().position(known) {
                hits.push(Hit {
                    slot: slot as u32,
                    head: pos as u32,
                    start: field.start as u32,
                    value: 0,
                    end: field.end as u32,
                });
            }
        }
        Ok(field.end)
    }
}

/// The lengths of a `KeyValue`, which takes two bytes, and of its key, if what begins with
/// these bytes is one with a key and then a value only.
#[inline(always)]
pub(super) fn long_attribute(word: u64, window: &[u8; WINDOW]) -> Option<(usize, u64)> {
    if word & 0x80_ff80_8000 != 0x00_0a00_8000 {
        return None;
    }
    let len = (word >> 8 & 0x7f) + (word >> 9 & 0x3f80);
    let key_len = word >> 32 & 0x7f;
    let value = load8(window, 5 + key_len as usize);
    let short = len.wrapping_sub(key_len + 4);
    let is_value = if short < 0x80 {
        value & 0xffff == (short << 8 | 0x12)
    } else {
        value & 0x80_80ff == 0x00_8012
            && (value >> 8 & 0x7f) + (value >> 9 & 0x3f80) == short.wrapping_sub(1)
    };
    is_value.then_some((len as usize, key_len))
}

/// The size of a field that begins with these bytes, if it is of a usual kind.
#[inline(always)]
pub(super) fn other_field(word: u64) -> Option<usize> {
    let tag = word & 0xff;
    if !(8..0x80).contains(&tag) {
        // A number from 16 to 2047; of these only fixed sizes are common.
        let two = tag >= 0x80 && word & 0x8000 == 0 && word & 0x7f00 != 0;
        return match tag & 7 {
            5 if two => Some(6),
            1 if two => Some(10),
            _ => None,
        };
    }
    // Branches, which are foreseen, let the next field be read before this one has arrived.
    let kind = tag & 7;
    if kind == 2 {
        let len = word >> 8 & 0xff;
        if len < 0x80 {
            return Some(2 + len as usize);
        }
        let long = (word >> 8 & 0x7f) + (word >> 9 & 0x3f80);
        return (word & 0x80_0000 == 0).then_some(3 + long as usize);
    }
    if kind == 1 {
        return Some(9);
    }
    if kind == 0 {
        // The first byte that has no continuation bit ends the number.
        let last = !(word >> 8) & 0x0080_8080_8080_8080;
        return (last != 0).then(|| 2 + last.trailing_zeros() as usize / 8);
    }
    (kind == 5).then_some(5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        batch::tests::generate::Rng,
        wire::{put_bytes, put_fixed32, put_fixed64, put_tag, put_uint, put_varint},
    };

    const KEYS: [&[u8]; 7] = [
        b"",
        b"k",
        b"key",
        b"same.len",
        b"some.len",
        b"http.request.method",
        &[b'x'; 140],
    ];

    /// A field with a length or number that may take more bytes than it needs.
    fn field(out: &mut Vec<u8>, r: &mut Rng, number: u32, bytes: &[u8]) {
        put_tag(out, number, WireType::Len);
        put_varint(out, bytes.len() as u64);
        if r.one_in(20)
            && let Some(last) = out.last_mut()
        {
            *last |= 0x80;
            out.push(0);
        }
        out.extend_from_slice(bytes);
    }

    fn attribute(r: &mut Rng) -> Vec<u8> {
        let key = KEYS[r.below(KEYS.len())];
        let other = vec![b'o'; [1, 3, 8, 9, 19, 127, 128, 140][r.below(8)]];
        let key = if r.one_in(2) { key } else { &other };
        let text = vec![b'v'; [0, 1, 100, 118, 119, 120, 126, 127, 128, 300, 17_000][r.below(11)]];
        let mut value = Vec::new();
        put_bytes(&mut value, 1, &text);
        let mut out = Vec::new();
        match r.below(12) {
            0 => field(&mut out, r, 2, &value),
            1 => field(&mut out, r, 1, key),
            2 => {
                field(&mut out, r, 2, &value);
                field(&mut out, r, 1, key);
            }
            // A second key, which is the one that counts.
            3 => {
                field(&mut out, r, 1, key);
                field(&mut out, r, 2, &value);
                field(&mut out, r, 1, KEYS[2]);
            }
            4 => {
                field(&mut out, r, 1, key);
                put_uint(&mut out, 9, 7);
                field(&mut out, r, 2, &value);
            }
            5 => {
                field(&mut out, r, 1, key);
                field(&mut out, r, 2, &value);
                field(&mut out, r, 2, &value);
            }
            _ => {
                field(&mut out, r, 1, key);
                field(&mut out, r, 2, &value);
            }
        }
        out
    }

    fn entity(r: &mut Rng) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..r.below(30) {
            match r.below(12) {
                0 => put_fixed64(&mut out, 7, r.draw()),
                1 => put_fixed32(&mut out, 16 + r.below(3000) as u32, r.draw() as u32),
                2 => put_uint(&mut out, 1 + r.below(40) as u32, r.draw() >> r.below(64)),
                3 => put_fixed64(&mut out, 20, r.draw()),
                4 => {
                    let bytes = vec![0x4a; [0, 1, 127, 128, 300, 20_000][r.below(6)]];
                    field(&mut out, r, 3, &bytes);
                }
                // Of the attributes' number, but none.
                5 => put_uint(&mut out, 9, r.draw()),
                _ => {
                    let attribute = attribute(r);
                    field(&mut out, r, 9, &attribute);
                }
            }
        }
        out
    }

    fn one_by_one(buf: &[u8], start: usize, end: usize) -> Result<Vec<(u32, u32, u32)>, ()> {
        let mut found = Vec::new();
        for field in Fields::new(buf, start, end) {
            let field = field.map_err(drop)?;
            if field.number == 9 && field.wire == WireType::Len {
                let entry = KeyValue::read(field.bytes(buf)).map_err(drop)?;
                if let Some(slot) = KEYS.iter().position(|key| *key == entry.key) {
                    found.push((slot as u32, field.head as u32, field.end as u32));
                }
            }
        }
        Ok(found)
    }

    #[test]
    fn finds_what_reading_field_by_field_finds() {
        let mut scanner = Scanner::new();
        for (slot, key) in KEYS.iter().enumerate() {
            assert_eq!(scanner.add(key), slot);
        }
        let (mut found, mut refused, mut plain) = (0, 0, 0);
        for seed in 1..4000 {
            let r = &mut Rng::new(seed);
            let mut buf = vec![0xff; r.below(9)];
            let start = buf.len();
            buf.extend(entity(r));
            let end = buf.len();
            // Behind the entity may be less than a window, and what looks like one more field.
            buf.extend(vec![0x4a; r.below(2 * WINDOW)]);
            if r.one_in(4) && start < end {
                let at = start + r.below(end - start);
                buf[at] = r.draw() as u8;
            }
            let mut hits = Vec::new();
            let scanned = scanner.scan(&buf, start, end, 9, false, &mut hits);
            let expected = one_by_one(&buf, start, end);
            assert_eq!(scanned.is_ok(), expected.is_ok(), "{seed}");
            let Ok(expected) = expected else {
                refused += 1;
                continue;
            };
            let seen: Vec<_> = hits.iter().map(|h| (h.slot, h.head, h.end)).collect();
            assert_eq!(seen, expected, "{seed}");
            for hit in &hits {
                let bytes = &buf[hit.start as usize..hit.end as usize];
                let entry = KeyValue::read(bytes).unwrap();
                assert_eq!(KEYS[hit.slot as usize], entry.key);
                if hit.value != 0 {
                    plain += 1;
                    let value = read_field(&buf, hit.value as usize, 1).unwrap();
                    assert_eq!((value.number, value.end), (2, hit.end as usize));
                    assert_eq!(Some(value.bytes(&buf)), entry.value);
                    assert!(!entry.split);
                }
            }
            let mut first = Vec::new();
            let _ = scanner.scan(&buf, start, end, 9, true, &mut first);
            assert_eq!(first.first(), hits.first());
            found += hits.len();
        }
        assert!(
            found > 10_000 && refused > 30 && plain > 4_000,
            "{found} {refused} {plain}"
        );
    }
}
