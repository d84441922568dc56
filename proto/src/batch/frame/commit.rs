//! Writing the changed rows of a frame: of each the runs of bytes that stay, and between them
//! what was changed, made in the arena once. Values that follow each other and are the same are
//! made once for all.

use super::{
    FieldSlot, Frame,
    column::state,
    entries::{FIELD, GOES, OTHER, STAYS, bytes},
    holders::is_holder,
    kind, span,
};
use crate::{
    batch::{
        Data, Error, Level,
        data::{ARENA, NONE},
        fields::Layout,
        pieces::{BLOCK, Patch, Piece, append},
    },
    wire::{
        Fields, WireType, put_bytes, put_fixed32, put_fixed64, put_tag, put_uint, put_varint,
        varint_len, zigzag,
    },
};

/// Space used again from commit to commit.
#[derive(Debug)]
pub(super) struct Scratch {
    /// By slot, the key as a field.
    keys: Vec<Box<[u8]>>,
    /// By slot, what was made last.
    made: Vec<Made>,
    /// By position, one more than its first birth, and by birth the next.
    first: Vec<u32>,
    next: Vec<u32>,
    out: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Made {
    kind: u8,
    number: u8,
    bits: u64,
    /// Addresses; 0 and 0 where nothing was made.
    start: u32,
    end: u32,
}

impl Scratch {
    pub fn new(keys: &[&[u8]]) -> Scratch {
        let field = |key: &&[u8]| {
            let mut out = Vec::with_capacity(key.len() + 6);
            put_bytes(&mut out, 1, key);
            out.into()
        };
        Scratch {
            keys: keys.iter().map(field).collect(),
            made: Vec::new(),
            first: Vec::new(),
            next: Vec::new(),
            out: Vec::new(),
        }
    }
}

impl Frame {
    /// Writes what was changed since the frame was loaded, odd rows excepted. The frame has to
    /// be loaded again before it is used for anything else.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when there is no room; rows before are written.
    pub fn commit(&mut self, data: &mut Data) -> Result<(), Error> {
        if is_holder(self.level) {
            return self.commit_holders(data);
        }
        let rows = std::mem::take(&mut self.rows);
        let mut scratch = std::mem::replace(&mut self.scratch, Scratch::new(&[]));
        let result = self.write_rows(data, &rows, &mut scratch);
        self.scratch = scratch;
        self.rows = rows;
        result
    }

    fn write_rows(
        &mut self,
        data: &mut Data,
        rows: &[u32],
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        scratch.made.clear();
        scratch.made.resize(self.columns.len(), Made::default());
        scratch.first.clear();
        scratch.first.resize(rows.len(), 0);
        scratch.next.clear();
        scratch.next.resize(self.births.len(), 0);
        for (at, (position, _)) in self.births.iter().enumerate().rev() {
            if let (Some(first), Some(next)) = (
                scratch.first.get_mut(usize::from(*position)),
                scratch.next.get_mut(at),
            ) {
                *next = std::mem::replace(first, at as u32 + 1);
            }
        }
        let changed = self
            .touched
            .iter()
            .zip(&self.odd)
            .filter(|(t, o)| **t && !**o);
        let changed = changed.count();
        // What is to be expected of a row that is changed.
        data.patches.reserve(changed);
        data.pieces.reserve(changed * 6);
        data.arena.reserve(changed * 64);
        let (mut from, mut parent) = (0, NONE);
        for (position, row) in rows.iter().enumerate() {
            let to = self.ends.get(position).copied().unwrap_or(from);
            if self.touched.get(position) == Some(&true) && self.odd.get(position) == Some(&false) {
                self.pieces(data, position, *row, (from as usize, to as usize), scratch)?;
                self.put_row(data, *row, &scratch.out, &mut parent)?;
            }
            from = to;
        }
        Ok(())
    }

    /// Makes a row of these pieces.
    fn put_row(
        &self,
        data: &mut Data,
        row: u32,
        out: &[Piece],
        parent: &mut u32,
    ) -> Result<(), Error> {
        let level = self.level;
        let at = row as usize;
        if data.level(level).patch.get(at) != Some(&NONE) {
            return data.set_pieces(level, row, out);
        }
        let Some(&above) = data.level(level).parent.get(at) else {
            return Err(Error::NoRow(level, row));
        };
        if above != *parent {
            data.explode(level, above)?;
            *parent = above;
            data.edited = true;
        }
        let first = data.next_piece()?;
        let mut length = 0;
        for piece in out {
            if let Piece::Run { start, end } = piece {
                length += end - start;
            }
        }
        data.pieces.extend_from_slice(out);
        let len = out.len() as u32;
        let patch = data.patches.len() as u32;
        data.patches.push(Patch {
            first,
            len,
            cap: len,
            bytes: length,
            exploded: 0,
            lost: 0,
        });
        if let Some(slot) = data.level_mut(level).patch.get_mut(at) {
            *slot = patch;
        }
        Ok(())
    }

    /// The pieces of a row as it is now, in the scratch space.
    fn pieces(
        &self,
        data: &mut Data,
        position: usize,
        row: u32,
        (from, to): (usize, usize),
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let mut out = std::mem::take(&mut scratch.out);
        out.clear();
        let number = match self.level {
            Level::DataPoint => {
                let kind = data.type_of(self.level, row);
                self.level.attributes(self.signal, kind)
            }
            _ => self.level.attributes(self.signal, None),
        };
        let number = number.map_or(0, |(_, number)| number);
        let entries = self.entries.get(from..to).unwrap_or_default();
        let mut next = entries.iter().peekable();
        let mut piece = 0;
        loop {
            // The pieces are read while the arena and they themselves may grow.
            let mut own = [Piece::Run { start: 0, end: 0 }];
            let Some(run) = data
                .pieces_of(self.level, row, &mut own)
                .get(piece)
                .copied()
            else {
                break;
            };
            piece += 1;
            let Piece::Run { start, end } = run else {
                out.push(run);
                continue;
            };
            let mut kept = start;
            while let Some(entry) = next.next_if(|entry| (start..end).contains(&entry.head)) {
                let new = if entry.slot == OTHER {
                    match entry.edit {
                        STAYS => continue,
                        GOES => None,
                        edit => {
                            let made = self.replacements.get(edit as usize - 2);
                            let key = (entry.key, entry.key_len);
                            Some(self.make_other(data, number, key, made)?)
                        }
                    }
                } else if entry.slot & FIELD != 0 {
                    let number = entry.slot & !FIELD;
                    if self.changed >> number & 1 == 0 {
                        continue;
                    }
                    match self.make_changed(data, number, position, Some(entry), scratch)? {
                        None => continue,
                        made => made,
                    }
                } else {
                    let slot = entry.slot as usize;
                    match self.column(slot).state(position) {
                        state::REPLACED => {
                            Some(self.make_attribute(data, number, slot, position, scratch)?)
                        }
                        state::GONE | state::MOVED => None,
                        _ => continue,
                    }
                };
                put(&mut out, kept, entry.head);
                if let Some((start, end)) = new {
                    put(&mut out, start, end);
                }
                kept = entry.end;
            }
            put(&mut out, kept, end);
        }
        let attributes = self.finder.len();
        let mut birth = scratch.first.get(position).copied().unwrap_or(0);
        while let Some(at) = (birth as usize).checked_sub(1) {
            birth = scratch.next.get(at).copied().unwrap_or(0);
            let Some((_, slot)) = self.births.get(at) else {
                break;
            };
            let slot = usize::from(*slot);
            let column = self.column(slot);
            let of = column.state(position);
            if !matches!(of, state::NEW | state::MOVED)
                || column.births.get(position) != Some(&(at as u32))
            {
                continue;
            }
            let made = if slot < attributes {
                Some(self.make_attribute(data, number, slot, position, scratch)?)
            } else {
                self.make_born(data, slot - attributes, position, entries, scratch)?
            };
            if let Some((start, end)) = made {
                put(&mut out, start, end);
            }
        }
        scratch.out = out;
        Ok(())
    }

    /// An attribute with a slot, in the arena.
    fn make_attribute(
        &self,
        data: &mut Data,
        number: u32,
        slot: usize,
        position: usize,
        scratch: &mut Scratch,
    ) -> Result<(u32, u32), Error> {
        let (kind, bits) = self.column(slot).get(position);
        let made = Made {
            kind,
            number: number as u8,
            bits,
            ..Made::default()
        };
        let last = scratch.made.get_mut(slot);
        if let Some(last) = &last
            && (last.kind, last.bits, last.number) == (kind, bits, made.number)
            && last.end != 0
        {
            return Ok((last.start, last.end));
        }
        let key = scratch.keys.get(slot).map_or(&[][..], |key| key);
        let (start, end) = self.make(data, number, key, kind, bits)?;
        if let Some(last) = last {
            *last = Made { start, end, ..made };
        }
        Ok((start, end))
    }

    /// An attribute without a slot, with the key that it has, in the arena.
    fn make_other(
        &self,
        data: &mut Data,
        number: u32,
        (key, len): (u32, u32),
        made: Option<&(u8, u64)>,
    ) -> Result<(u32, u32), Error> {
        let (kind, bits) = made.copied().unwrap_or((kind::NIL, 0));
        let mut field = Vec::with_capacity(len as usize + 6);
        put_bytes(&mut field, 1, data.bytes(key, key + len));
        self.make(data, number, &field, kind, bits)
    }

    /// An attribute in the arena; `key` is the key as a field.
    fn make(
        &self,
        data: &mut Data,
        number: u32,
        key: &[u8],
        of: u8,
        bits: u64,
    ) -> Result<(u32, u32), Error> {
        let text = match of {
            kind::STRING | kind::BYTES | kind::MAP | kind::LIST => span::len(bits),
            _ => 0,
        };
        let value = match of {
            kind::BOOL => 2,
            kind::INT => 1 + varint_len(bits),
            kind::DOUBLE => 9,
            kind::STRING | kind::BYTES => 1 + varint_len(text as u64) + text,
            kind::MAP | kind::LIST => text,
            _ => 0,
        };
        let body = key.len() + 1 + varint_len(value as u64) + value;
        if data.arena.len() + body + 2 * BLOCK >= ARENA as usize {
            return Err(Error::TooLarge);
        }
        let start = data.arena.len() as u32 | ARENA;
        let out = &mut data.arena;
        out.reserve(body + 2 * BLOCK);
        put_tag(out, number, WireType::Len);
        put_varint(out, body as u64);
        out.extend_from_slice(key);
        put_tag(out, 2, WireType::Len);
        put_varint(out, value as u64);
        match of {
            kind::BOOL => out.extend_from_slice(&[0x10, u8::from(bits != 0)]),
            kind::INT => {
                out.push(0x18);
                put_varint(out, bits);
            }
            kind::DOUBLE => {
                out.push(0x21);
                out.extend_from_slice(&bits.to_le_bytes());
            }
            kind::STRING | kind::BYTES => {
                out.push(if of == kind::STRING { 0x0a } else { 0x3a });
                put_varint(out, text as u64);
                self.copy(data, bits);
            }
            kind::MAP | kind::LIST => self.copy(data, bits),
            _ => {}
        }
        Ok((start, data.arena.len() as u32 | ARENA))
    }

    /// Appends the bytes of a span to the arena.
    #[inline]
    fn copy(&self, data: &mut Data, bits: u64) {
        let (from, len) = (span::start(bits), span::len(bits));
        if span::is_heap(bits) {
            append(
                &mut data.arena,
                &self.heap,
                from as usize,
                from as usize + len,
            );
        } else {
            crate::batch::pieces::copy_run(&data.payload, &mut data.arena, from, from + len as u32);
        }
    }

    /// What stands in the place of the field `number` of a row, if one of the fields there was
    /// changed.
    fn make_changed(
        &self,
        data: &mut Data,
        number: u32,
        position: usize,
        entry: Option<&super::Entry>,
        scratch: &mut Scratch,
    ) -> Result<Option<(u32, u32)>, Error> {
        let mut of = self.fields.iter().filter(|field| field.number == number);
        let changed = |field: &FieldSlot| {
            let state = self.column(field.slot.into()).state(position);
            matches!(state, state::REPLACED | state::NEW)
        };
        let Some(first) = of.find(|field| changed(field)) else {
            return Ok(None);
        };
        if first.within.is_none() {
            return self
                .make_field(data, first, number, position, scratch)
                .map(Some);
        }
        // The other fields of the message, then those that are in the frame and changed.
        let mut body = Vec::new();
        let numbers = |number: u32| {
            let mut fields = self.fields.iter();
            fields.find(|field| field.number == first.number && field.within == Some(number))
        };
        if let Some(entry) = entry {
            let old = data.bytes(entry.key, entry.end);
            for field in Fields::all(old) {
                let field = field?;
                if !numbers(field.number).is_some_and(changed) {
                    body.extend_from_slice(old.get(field.head..field.end).unwrap_or_default());
                }
            }
        }
        for field in self.fields.iter().filter(|field| field.number == number) {
            if changed(field)
                && let Some(within) = field.within
            {
                let (kind, bits) = self.column(field.slot.into()).get(position);
                let text = match kind {
                    kind::STRING | kind::BYTES => bytes(&self.heap, data, bits),
                    _ => &[],
                };
                put_field(&mut body, field.layout, within, kind, bits, text);
            }
        }
        data.make(|out| put_bytes(out, number, &body)).map(Some)
    }

    /// A field that the row did not have; of several of one message, the first makes it.
    fn make_born(
        &self,
        data: &mut Data,
        field: usize,
        position: usize,
        entries: &[super::Entry],
        scratch: &mut Scratch,
    ) -> Result<Option<(u32, u32)>, Error> {
        let Some(field) = self.fields.get(field) else {
            return Ok(None);
        };
        let number = field.number;
        // It went into the message that there is.
        if entries.iter().any(|entry| entry.slot == FIELD | number) {
            return Ok(None);
        }
        let birth = |field: &FieldSlot| {
            let column = self.column(field.slot.into());
            let born = column.state(position) == state::NEW;
            born.then(|| column.births.get(position).copied()).flatten()
        };
        let same = self.fields.iter().filter(|field| field.number == number);
        if same.filter_map(birth).min() < birth(field) {
            return Ok(None);
        }
        self.make_changed(data, number, position, None, scratch)
    }

    /// A field of the entity itself, in the arena.
    fn make_field(
        &self,
        data: &mut Data,
        field: &FieldSlot,
        number: u32,
        position: usize,
        scratch: &mut Scratch,
    ) -> Result<(u32, u32), Error> {
        let slot = usize::from(field.slot);
        let (kind, bits) = self.column(slot).get(position);
        let last = scratch.made.get_mut(slot);
        if let Some(last) = &last
            && (last.kind, last.bits) == (kind, bits)
            && last.end != 0
        {
            return Ok((last.start, last.end));
        }
        let len = match kind {
            kind::STRING | kind::BYTES | kind::MAP | kind::LIST => span::len(bits),
            _ => 0,
        };
        if data.arena.len() + len + 2 * BLOCK >= ARENA as usize {
            return Err(Error::TooLarge);
        }
        let start = data.arena.len();
        match (field.layout, kind) {
            (Layout::Message, _) => {
                // A value, as attributes have it, without a key.
                let mut any = Vec::new();
                match kind {
                    kind::STRING | kind::BYTES => {
                        let number = if kind == kind::STRING { 1 } else { 7 };
                        put_bytes(&mut any, number, bytes(&self.heap, data, bits));
                    }
                    kind::MAP | kind::LIST => {
                        any.extend_from_slice(bytes(&self.heap, data, bits));
                    }
                    kind::BOOL => put_uint(&mut any, 2, bits),
                    kind::INT => put_uint(&mut any, 3, bits),
                    kind::DOUBLE => put_fixed64(&mut any, 4, bits),
                    _ => {}
                }
                put_bytes(&mut data.arena, number, &any);
            }
            (_, kind::STRING | kind::BYTES) => {
                data.arena.reserve(len + 2 * BLOCK);
                put_tag(&mut data.arena, number, WireType::Len);
                put_varint(&mut data.arena, len as u64);
                self.copy(data, bits);
            }
            (layout, _) => put_field(&mut data.arena, layout, number, kind, bits, &[]),
        }
        let (start, end) = (start as u32 | ARENA, data.arena.len() as u32 | ARENA);
        if let Some(last) = last {
            *last = Made {
                kind,
                number: number as u8,
                bits,
                start,
                end,
            };
        }
        Ok((start, end))
    }
}

/// Appends a run, to the one before where they adjoin.
#[inline(always)]
fn put(out: &mut Vec<Piece>, start: u32, end: u32) {
    if start >= end {
        return;
    }
    match out.last_mut() {
        Some(Piece::Run { end: last, .. }) if *last == start => *last = end,
        _ => out.push(Piece::Run { start, end }),
    }
}

/// Appends a field that is no message.
pub(super) fn put_field(
    out: &mut Vec<u8>,
    layout: Layout,
    number: u32,
    kind: u8,
    bits: u64,
    text: &[u8],
) {
    match layout {
        Layout::Uint32 | Layout::Enum | Layout::Bool => put_uint(out, number, bits),
        Layout::Sint32 => put_uint(out, number, zigzag(bits as i64)),
        Layout::Fixed32 => put_fixed32(out, number, bits as u32),
        Layout::Fixed64 | Layout::Sfixed64 | Layout::Double => put_fixed64(out, number, bits),
        // An id that is not set is none.
        Layout::Id(_) if kind == kind::NIL => {}
        _ => put_bytes(out, number, text),
    }
}
