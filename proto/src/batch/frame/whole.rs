//! Putting a changed row together whole, in a small buffer that stays in the nearest cache, as
//! one piece with its header before it. That is the usual case, and it is written so that nothing
//! but a cursor moves. Whatever is not usual (attributes without a slot that change, messages of
//! which only a part does, runs that are better left where they are) is left to the general way
//! in `commit`; both write the same bytes.

use smallvec::SmallVec;

use super::{
    FieldSlot, Frame,
    column::state,
    commit::{COPIED, header_of},
    entries::{Entry, FIELD, OTHER, STAYS},
    kind,
    make::{Scratch, text_len, value_len},
    span,
};
use crate::{
    batch::{Data, data::ARENA, encode::HEADER, fields::Layout, pieces::BLOCK},
    wire::{WireType, varint_len, zigzag},
};

/// Bytes of a row, header included, at most.
pub(super) const ROOM: usize = 8192;

/// The buffer, and how much of it is written.
struct Out<'o> {
    room: &'o mut [u8; ROOM],
    at: usize,
}

impl Out<'_> {
    /// Appends the first `len` bytes of a block.
    #[inline(always)]
    fn block(&mut self, block: &[u8; BLOCK], len: usize) -> Option<()> {
        let room = self.room.get_mut(self.at..)?;
        *room.first_chunk_mut::<BLOCK>()? = *block;
        self.at += len;
        Some(())
    }

    /// Appends `buf[from..to]`.
    #[inline(always)]
    fn copy(&mut self, buf: &[u8], from: usize, to: usize) -> Option<()> {
        if from >= to {
            return Some(());
        }
        let len = to - from;
        if len <= BLOCK
            && let Some(block) = buf.get(from..).and_then(|rest| rest.first_chunk::<BLOCK>())
        {
            return self.block(block, len);
        }
        copy_long(self.room, self.at, buf, from, to)?;
        self.at += len;
        Some(())
    }

    #[inline(always)]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) -> Option<()> {
        let room = self.room.get_mut(self.at..)?;
        *room.first_chunk_mut::<N>()? = bytes;
        self.at += N;
        Some(())
    }

    #[inline(always)]
    fn varint(&mut self, mut value: u64) -> Option<()> {
        if value < 0x80 {
            return self.put([value as u8]);
        }
        if value < 1 << 56 {
            // All bytes at once, of which what is too much is taken back.
            let len = varint_len(value);
            let more = CONTINUES >> (8 * (8 - len)) >> 8;
            self.put((spread(value) | more).to_le_bytes())?;
            self.at -= 8 - len;
            return Some(());
        }
        while value >= 0x80 {
            self.put([value as u8 | 0x80])?;
            value >>= 7;
        }
        self.put([value as u8])
    }

    /// The tag of a field below 16.
    #[inline(always)]
    fn tag(&mut self, number: u32, wire: WireType) -> Option<()> {
        match number {
            0..16 => self.put([(number << 3) as u8 | wire as u8]),
            _ => self.varint(u64::from(number << 3 | wire as u32)),
        }
    }
}

const CONTINUES: u64 = 0x8080_8080_8080_8080;

/// Eight groups of seven bits, each in a byte of its own.
#[inline(always)]
fn spread(x: u64) -> u64 {
    let x = x & 0x0fff_ffff | (x & 0x00ff_ffff_f000_0000) << 4;
    let x = x & 0x0000_3fff_0000_3fff | (x & 0x0fff_c000_0fff_c000) << 2;
    x & 0x007f_007f_007f_007f | (x & 0x3f80_3f80_3f80_3f80) << 1
}

/// Copies `buf[from..to]` to `at`.
// Apart from short copies, which would else become the same call of a function that asks for
// their length.
#[inline(never)]
fn copy_long(room: &mut [u8; ROOM], at: usize, buf: &[u8], from: usize, to: usize) -> Option<()> {
    let bytes = buf.get(from..to)?;
    let room = room.get_mut(at..)?.get_mut(..bytes.len())?;
    room.copy_from_slice(bytes);
    Some(())
}

/// A column, as far as writing needs it.
#[derive(Clone, Copy)]
struct Cells<'c> {
    kinds: &'c [u8],
    bits: &'c [u64],
    states: &'c [u8],
    /// Whether anything of it is not as it was loaded.
    changed: bool,
}

/// Writes rows of a frame.
pub(super) struct Whole<'w> {
    frame: &'w Frame,
    cells: SmallVec<[Cells<'w>; 32]>,
    attributes: usize,
}

/// Where the bytes of spans are.
#[derive(Clone, Copy)]
struct Sources<'s> {
    payload: &'s [u8],
    arena: &'s [u8],
    heap: &'s [u8],
}

impl<'w> Whole<'w> {
    /// `None` when the frame's rows have to be written in the general way.
    pub fn new(frame: &'w Frame) -> Option<Whole<'w>> {
        if !frame.in_order || !frame.added.is_empty() {
            return None;
        }
        let cells = frame.columns.iter().map(|column| Cells {
            kinds: &column.kinds,
            bits: &column.bits,
            states: &column.states,
            // All are compared, so that many are at once.
            changed: column.states.iter().fold(0, |all, of| all | of) > state::ORIGINAL,
        });
        Some(Whole {
            frame,
            cells: cells.collect(),
            attributes: frame.finder.len(),
        })
    }

    /// Puts a row that lies between two addresses together, with its header, or zeros where that
    /// takes another number of bytes: how many bytes it all is, and whether the header is there.
    /// They are to be appended to the arena where it ends now. `None` when the row has to be
    /// written in the general way, or there is no room; what `scratch` knows is not so then.
    /// `field` is the number of the rows' field, `number` that of their attributes.
    // A function of its own so that nothing else competes for registers.
    #[inline(never)]
    #[allow(clippy::too_many_arguments)]
    pub fn write(
        &self,
        data: &Data,
        room: &mut [u8; ROOM],
        scratch: &mut Scratch,
        position: usize,
        (field, number): (u8, u32),
        (start, end): (u32, u32),
        entries: &[Entry],
    ) -> Option<(usize, bool)> {
        let from = Sources {
            payload: &data.payload,
            arena: &data.arena,
            heap: &self.frame.heap,
        };
        let buf = match start & ARENA {
            0 => from.payload,
            _ => from.arena,
        };
        let mut out = Out {
            room,
            at: HEADER as usize,
        };
        let offset = |address: u32| (address & !ARENA) as usize;
        let mut kept = offset(start);
        let keep = |out: &mut Out<'_>, kept: usize, to: usize| {
            if to.wrapping_sub(kept) > COPIED as usize && to > kept {
                return None;
            }
            out.copy(buf, kept, to)
        };
        for entry in entries {
            if entry.slot & FIELD == 0 {
                let slot = entry.slot as usize;
                let cells = self.cells.get(slot)?;
                if !cells.changed {
                    continue;
                }
                match *cells.states.get(position)? {
                    state::REPLACED => {
                        keep(&mut out, kept, offset(entry.head))?;
                        let value = (*cells.kinds.get(position)?, *cells.bits.get(position)?);
                        attribute(&mut out, from, scratch, (slot, number), value)?;
                    }
                    state::GONE | state::MOVED => keep(&mut out, kept, offset(entry.head))?,
                    _ => continue,
                }
            } else if entry.slot == OTHER {
                match entry.edit {
                    STAYS => continue,
                    _ => return None,
                }
            } else {
                let number = entry.slot & !FIELD;
                if self.frame.changed >> number & 1 == 0 {
                    continue;
                }
                let of = self.frame.simple(number)?;
                let cells = self.cells.get(usize::from(of.slot))?;
                if !matches!(cells.states.get(position)?, &state::REPLACED | &state::NEW) {
                    continue;
                }
                keep(&mut out, kept, offset(entry.head))?;
                let value = (*cells.kinds.get(position)?, *cells.bits.get(position)?);
                simple_field(&mut out, from, scratch, of, value)?;
            }
            kept = offset(entry.end);
        }
        keep(&mut out, kept, offset(end))?;
        for slot in self.frame.born.iter().map(|slot| usize::from(*slot)) {
            let cells = self.cells.get(slot)?;
            if !matches!(cells.states.get(position)?, &state::NEW | &state::MOVED) {
                continue;
            }
            let value = (*cells.kinds.get(position)?, *cells.bits.get(position)?);
            match slot.checked_sub(self.attributes) {
                None => attribute(&mut out, from, scratch, (slot, number), value)?,
                Some(at) => {
                    let of = self.frame.fields.get(at)?;
                    self.frame.simple(of.number)?;
                    simple_field(&mut out, from, scratch, of, value)?;
                }
            }
        }
        let length = (out.at - HEADER as usize) as u32;
        if length == 0 {
            return None;
        }
        let has_header = field < 16 && (0x80..0x4000).contains(&length);
        *out.room.first_chunk_mut()? = match has_header {
            true => header_of(field, length),
            false => Default::default(),
        };
        Some((out.at, has_header))
    }
}

/// Appends an attribute with a slot.
#[inline(always)]
fn attribute(
    out: &mut Out<'_>,
    from: Sources<'_>,
    scratch: &mut Scratch,
    (slot, number): (usize, u32),
    (of, bits): (u8, u64),
) -> Option<()> {
    let key = (of, bits, number as u8);
    if let Some((start, end)) = scratch.known(slot, key) {
        return out.copy(from.arena, start, end);
    }
    let at = out.at;
    let template = scratch.template(slot)?;
    let (block, len) = template.block()?;
    let bytes = span::len(bits);
    // Tag and length of the value's field and of the text in it: four bytes.
    if of == kind::STRING && len - 2 + 4 + bytes < 0x80 && number < 16 {
        out.block(block, len)?;
        let header = out.room.get_mut(at..)?.first_chunk_mut()?;
        *header = [(number << 3 | 2) as u8, (len + 2 + bytes) as u8];
        out.put([0x12, bytes as u8 + 2, 0x0a, bytes as u8])?;
        text(out, from, bits)?;
        scratch.note(slot, key, from.arena.len() + at, from.arena.len() + out.at);
        return Some(());
    }
    let value = value_len(of, bits);
    // Behind the tag and length of one byte each that are in the block.
    let body = len - 2 + value + if value < 0x80 { 2 } else { 3 };
    if number >= 16 || value >= 0x4000 {
        return None;
    }
    let tag = (number << 3 | 2) as u8;
    if body < 0x80 {
        out.block(block, len)?;
        *out.room.get_mut(at..)?.first_chunk_mut()? = [tag, body as u8];
    } else {
        if body >= 0x4000 {
            return None;
        }
        // The key, and what is before it in the block, one byte further on.
        out.at += 1;
        out.block(block, len)?;
        *out.room.get_mut(at..)?.first_chunk_mut()? = [tag, body as u8 | 0x80, (body >> 7) as u8];
    }
    put_value(out, from, 2, (of, bits), value)?;
    scratch.note(slot, key, from.arena.len() + at, from.arena.len() + out.at);
    Some(())
}

/// Appends a value as the field `number`; it takes so many bytes within that.
#[inline(always)]
fn put_value(
    out: &mut Out<'_>,
    from: Sources<'_>,
    number: u32,
    (of, bits): (u8, u64),
    value: usize,
) -> Option<()> {
    if of == kind::STRING && value < 0x80 && number < 16 {
        let tag = (number << 3 | 2) as u8;
        out.put([tag, value as u8, 0x0a, (value - 2) as u8])?;
        return text(out, from, bits);
    }
    out.tag(number, WireType::Len)?;
    out.varint(value as u64)?;
    match of {
        kind::BOOL => out.put([0x10, u8::from(bits != 0)]),
        kind::INT => {
            out.put([0x18])?;
            out.varint(bits)
        }
        kind::DOUBLE => {
            out.put([0x21])?;
            out.put(bits.to_le_bytes())
        }
        kind::STRING | kind::BYTES => {
            out.put([if of == kind::STRING { 0x0a } else { 0x3a }])?;
            out.varint(span::len(bits) as u64)?;
            text(out, from, bits)
        }
        kind::MAP | kind::LIST => text(out, from, bits),
        _ => Some(()),
    }
}

/// Appends the bytes of a span.
#[inline(always)]
fn text(out: &mut Out<'_>, from: Sources<'_>, bits: u64) -> Option<()> {
    let (start, len) = (span::start(bits), span::len(bits));
    let (buf, start) = if span::is_heap(bits) {
        (from.heap, start as usize)
    } else if start & ARENA == 0 {
        (from.payload, start as usize)
    } else {
        (from.arena, (start & !ARENA) as usize)
    };
    out.copy(buf, start, start + len)
}

/// Appends a field of the entity itself.
#[inline(always)]
fn simple_field(
    out: &mut Out<'_>,
    from: Sources<'_>,
    scratch: &mut Scratch,
    field: &FieldSlot,
    (of, bits): (u8, u64),
) -> Option<()> {
    let (slot, number) = (usize::from(field.slot), field.number);
    let key = (of, bits, number as u8);
    if let Some((start, end)) = scratch.known(slot, key) {
        return out.copy(from.arena, start, end);
    }
    let at = out.at;
    match (field.layout, of) {
        (Layout::Message, _) => put_value(out, from, number, (of, bits), value_len(of, bits))?,
        (_, kind::STRING | kind::BYTES) => {
            out.tag(number, WireType::Len)?;
            out.varint(text_len(of, bits) as u64)?;
            text(out, from, bits)?;
        }
        (Layout::Uint32 | Layout::Uint64 | Layout::Int64 | Layout::Enum | Layout::Bool, _) => {
            out.tag(number, WireType::Varint)?;
            out.varint(bits)?;
        }
        (Layout::Sint32, _) => {
            out.tag(number, WireType::Varint)?;
            out.varint(zigzag(bits as i64))?;
        }
        (Layout::Fixed32, _) => {
            out.tag(number, WireType::Fixed32)?;
            out.put((bits as u32).to_le_bytes())?;
        }
        (Layout::Fixed64 | Layout::Sfixed64 | Layout::Double, _) => {
            out.tag(number, WireType::Fixed64)?;
            out.put(bits.to_le_bytes())?;
        }
        _ => return None,
    }
    scratch.note(slot, key, from.arena.len() + at, from.arena.len() + out.at);
    Some(())
}
