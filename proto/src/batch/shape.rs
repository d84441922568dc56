//! Finding attributes by the shape of the entities before. Spans of one kind have the same
//! fields in the same order, and the same keys; only values and their lengths differ. A shape
//! is what one entity looked like, as masks and sums; following it over another entity proves
//! that this one looks the same, field by field to its very end, at a few instructions a field.
//! A length that was the same so far is part of the mask: where the next field starts is then
//! known before this one has arrived from memory. What does not follow is scanned in the
//! ordinary way.

use smallvec::SmallVec;

use super::value::same_key;
use crate::wire::{MAX_DEPTH, WireType, read_field};

/// An attribute of interest: which of the keys, and the offsets of its field, its `KeyValue`
/// and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub slot: u16,
    pub head: usize,
    pub start: usize,
    pub end: usize,
}

/// One field of a shape.
#[derive(Clone, Copy)]
struct Step {
    /// Its length was the same in every entity so far; `mask` and `value_mask` cover it.
    same: bool,
    /// Bytes of the whole field, if so.
    size: u32,
    /// Which bits of its first eight bytes are always the same, and what they are: the tag,
    /// how many bytes its length or number takes, and of an attribute the key's tag and length.
    mask: u64,
    want: u64,
    /// Bits of the length: of its first byte, and of its second where there is one.
    low: u64,
    high: u64,
    /// Bytes of the field besides those that the length counts.
    base: u32,
    /// Of an attribute: from its head to the tag of its value; else 0.
    value_at: u32,
    /// The same for the first four bytes of the value field.
    value_mask: u32,
    value_want: u32,
    value_high: u32,
    /// Bytes of the `KeyValue` besides those of the value.
    around: u32,
    /// Bytes of the tag and length.
    header: u32,
    watch: Watch,
}

/// What is to be done about the key of an attribute.
#[derive(Clone, Copy)]
enum Watch {
    /// It is of a length that none of the keys has.
    No,
    /// It must be this key.
    Slot(u16),
    /// It must be this one, which is none of the keys but as long as one: where it was seen.
    Other(u32),
}

struct Shape {
    number: u32,
    steps: Vec<Step>,
}

/// The shapes seen last.
pub(crate) struct Shapes {
    shapes: SmallVec<[Shape; SHAPES]>,
    /// The one that was followed last.
    last: usize,
    replace: usize,
    /// Entities in a row that followed none: after some, learning is not worth it any more.
    misses: u32,
    /// Only the first attribute is wanted: a shape ends with it.
    first_only: bool,
}

const SHAPES: usize = 4;
/// Fewer entities than this are not worth learning a shape from.
pub(crate) const WORTHWHILE: usize = 16;

impl Shapes {
    pub fn new(first_only: bool) -> Shapes {
        Shapes {
            shapes: SmallVec::new(),
            last: 0,
            replace: 0,
            misses: 0,
            first_only,
        }
    }

    /// The attributes of interest of the entity in `buf[start..end]`, or `None` if it follows
    /// no shape. `buf` is the payload; `keys` must be the same in every call.
    #[inline]
    pub fn find(
        &mut self,
        buf: &[u8],
        start: usize,
        end: usize,
        number: u32,
        keys: &[&[u8]],
        hits: &mut Vec<Hit>,
    ) -> bool {
        let count = self.shapes.len();
        for turn in 0..count {
            let at = if self.last + turn < count {
                self.last + turn
            } else {
                self.last + turn - count
            };
            if let Some(shape) = self.shapes.get_mut(at)
                && shape.number == number
            {
                hits.clear();
                if shape.follow(buf, start, end, keys, self.first_only, hits) {
                    self.last = at;
                    self.misses = 0;
                    return true;
                }
            }
        }
        self.miss(buf, start, end, number, keys);
        false
    }

    #[cold]
    fn miss(&mut self, buf: &[u8], start: usize, end: usize, number: u32, keys: &[&[u8]]) {
        self.misses += 1;
        // Data without recurring shapes is tried again now and then, at little cost.
        if self.misses > 16 && !self.misses.is_multiple_of(64) {
            return;
        }
        let Some(shape) = Shape::learn(buf, start, end, number, keys, self.first_only) else {
            return;
        };
        if self.shapes.len() < SHAPES {
            self.last = self.shapes.len();
            self.shapes.push(shape);
        } else if let Some(slot) = self.shapes.get_mut(self.replace) {
            *slot = shape;
            self.last = self.replace;
            self.replace = (self.replace + 1) % SHAPES;
        }
    }
}

#[inline(always)]
fn load8(buf: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*buf.get(at..)?.first_chunk::<8>()?))
}

#[inline(always)]
fn load4(buf: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*buf.get(at..)?.first_chunk::<4>()?))
}

impl Shape {
    #[inline(always)]
    fn follow(
        &mut self,
        buf: &[u8],
        start: usize,
        end: usize,
        keys: &[&[u8]],
        first_only: bool,
        hits: &mut Vec<Hit>,
    ) -> bool {
        let mut pos = start;
        for step in &mut self.steps {
            let next = if step.same && step.is_here(buf, pos) {
                pos + step.size as usize
            } else {
                match step.any_length(buf, pos) {
                    Some(next) => next,
                    None => return false,
                }
            };
            if !matches!(step.watch, Watch::No) {
                let key_at = pos + step.header as usize + 2;
                let Some(key) = buf.get(key_at..pos + step.value_at as usize) else {
                    return false;
                };
                match step.watch {
                    Watch::Slot(slot) => {
                        if !keys
                            .get(usize::from(slot))
                            .is_some_and(|known| same_key(known, key))
                        {
                            return false;
                        }
                        hits.push(Hit {
                            slot,
                            head: pos,
                            start: pos + step.header as usize,
                            end: next,
                        });
                        if first_only {
                            return next <= end;
                        }
                    }
                    Watch::Other(seen) => {
                        let seen = seen as usize;
                        if !buf
                            .get(seen..seen + key.len())
                            .is_some_and(|seen| same_key(seen, key))
                        {
                            return false;
                        }
                    }
                    Watch::No => {}
                }
            }
            pos = next;
        }
        pos == end
    }

    /// What the entity in `buf[start..end]` looks like; `None` when it has something that a
    /// step cannot say.
    fn learn(
        buf: &[u8],
        start: usize,
        end: usize,
        number: u32,
        keys: &[&[u8]],
        first_only: bool,
    ) -> Option<Shape> {
        let mut steps = Vec::with_capacity(32);
        let mut pos = start;
        while pos < end {
            if steps.len() >= 256 {
                return None;
            }
            let field = read_field(buf.get(..end)?, pos, MAX_DEPTH).ok()?;
            let tag_len = if *buf.get(pos)? < 0x80 { 1 } else { 2 };
            let mut step = Step {
                same: true,
                size: (field.end - pos) as u32,
                mask: if tag_len == 1 { 0xff } else { 0xffff },
                want: 0,
                low: 0,
                high: 0,
                base: (field.end - pos) as u32,
                value_at: 0,
                value_mask: 0,
                value_want: 0,
                value_high: 0,
                around: 0,
                header: (field.start - pos) as u32,
                watch: Watch::No,
            };
            match field.wire {
                WireType::Fixed64 | WireType::Fixed32 => {}
                WireType::Varint => {
                    // The number of its bytes is part of the shape.
                    let bytes = field.end - field.start;
                    if tag_len + bytes > 8 {
                        return None;
                    }
                    for byte in 0..bytes {
                        step.mask |= 0x80 << (8 * (tag_len + byte));
                    }
                }
                WireType::Len => {
                    let len_bytes = field.start - pos - tag_len;
                    if tag_len != 1 || len_bytes > 2 {
                        return None;
                    }
                    step.low = 0x7f;
                    step.high = if len_bytes == 2 { 0x3f80 } else { 0 };
                    step.mask |= if len_bytes == 2 { 0x80_8000 } else { 0x8000 };
                    step.base = step.header;
                    if field.number == number {
                        step.attribute(buf, pos, field.start, field.end, keys)?;
                    }
                }
                WireType::Group => return None,
            }
            step.want = load8(buf, pos)? & step.mask;
            step.assume_same(buf, pos)?;
            steps.push(step);
            if first_only && matches!(step.watch, Watch::Slot(_)) {
                break;
            }
            pos = field.end;
        }
        Some(Shape { number, steps })
    }
}

impl Step {
    /// Makes the length a part of the masks.
    fn assume_same(&mut self, buf: &[u8], pos: usize) -> Option<()> {
        self.mask |= self.low << 8 | self.high << 9;
        self.want = load8(buf, pos)? & self.mask;
        if self.value_at != 0 {
            self.value_mask |= 0x7f << 8 | self.value_high << 9;
            self.value_want = load4(buf, pos + self.value_at as usize)? & self.value_mask;
        }
        Some(())
    }

    /// Whether the field at `pos` has the length it always had.
    #[inline(always)]
    fn is_here(&self, buf: &[u8], pos: usize) -> bool {
        let Some(word) = load8(buf, pos) else {
            return false;
        };
        if word & self.mask != self.want {
            return false;
        }
        if self.value_at == 0 {
            return true;
        }
        load4(buf, pos + self.value_at as usize)
            .is_some_and(|value| value & self.value_mask == self.value_want)
    }

    /// Where the field at `pos` ends, whatever its length.
    #[inline(always)]
    fn any_length(&mut self, buf: &[u8], pos: usize) -> Option<usize> {
        if self.same {
            self.other_length(buf, pos)
        } else {
            self.end_at(buf, pos)
        }
    }

    #[inline(always)]
    fn end_at(&self, buf: &[u8], pos: usize) -> Option<usize> {
        let word = load8(buf, pos)?;
        if word & self.mask != self.want {
            return None;
        }
        let len = (word >> 8 & self.low) + (word >> 9 & self.high);
        if self.value_at != 0 {
            let value = load4(buf, pos + self.value_at as usize)?;
            let value_len = (value >> 8 & 0x7f) + (value >> 9 & self.value_high);
            if value & self.value_mask != self.value_want
                || u64::from(value_len + self.around) != len
            {
                return None;
            }
        }
        Some(pos + self.base as usize + len as usize)
    }

    /// The field at `pos` has not the length that was the same so far. If that is all, the
    /// length is whatever it is from now on.
    #[cold]
    fn other_length(&mut self, buf: &[u8], pos: usize) -> Option<usize> {
        let mut step = *self;
        step.same = false;
        step.mask &= !(step.low << 8 | step.high << 9);
        step.want &= step.mask;
        step.value_mask &= !(0x7f << 8 | step.value_high << 9);
        step.value_want &= step.value_mask;
        let end = step.end_at(buf, pos)?;
        *self = step;
        Some(end)
    }

    /// Adds what a `KeyValue` in `buf[start..end]` looks like: a key, then a value, no more.
    fn attribute(
        &mut self,
        buf: &[u8],
        head: usize,
        start: usize,
        end: usize,
        keys: &[&[u8]],
    ) -> Option<()> {
        let [0x0a, key_len @ 0..=0x7f] = *buf.get(start..end)?.first_chunk::<2>()? else {
            return None;
        };
        let key_start = start + 2;
        let value_at = key_start + usize::from(key_len);
        let value = read_field(buf.get(..end)?, value_at, MAX_DEPTH).ok()?;
        let value_header = value.start - value_at;
        if value.number != 2 || value.wire != WireType::Len || value.end != end || value_header > 3
        {
            return None;
        }
        let key_tag = start - head;
        self.mask |= 0x80ff << (8 * key_tag) | 0xff << (8 * (key_tag + 1));
        self.value_at = (value_at - head) as u32;
        self.value_mask = if value_header == 3 { 0x80_80ff } else { 0x80ff };
        self.value_want = load4(buf, value_at)? & self.value_mask;
        self.value_high = if value_header == 3 { 0x3f80 } else { 0 };
        self.around = (value.start - start) as u32;
        let key = buf.get(key_start..value_at)?;
        if keys.iter().any(|known| known.len() == key.len()) {
            self.watch = match keys.iter().position(|known| same_key(known, key)) {
                Some(slot) => Watch::Slot(slot as u16),
                None => Watch::Other(key_start as u32),
            };
        }
        Some(())
    }
}
