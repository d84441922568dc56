//! Writing the changed rows of a frame. Each is put together once, at the end of the arena, from
//! what stays of it and what was changed, and behind a header of its own: rows that follow each
//! other are then one piece of memory, which is all that is left to be copied when the request is
//! written. What values are made of is in `make`.

use super::{
    Frame,
    column::state,
    entries::{Entry, FIELD, GOES, OTHER, STAYS},
    holders::is_holder,
    make::Scratch,
    span,
    whole::{ROOM, Whole},
};
use crate::batch::{
    Data, Error, Level,
    data::{ARENA, NONE},
    encode::HEADER,
    pieces::{BLOCK, Patch, Piece, copy_run},
};
use crate::wire::ask_for;

/// A run of bytes that stay is copied if it is no longer; longer ones stay where they are.
pub(super) const COPIED: u32 = 4096;

/// What follows the last row of what is around it is copied if it is no longer.
const TAIL: u32 = 1024;

/// How far behind the beginning of a row the end of the next one lies, most likely.
const NEXT: usize = 1024;

/// A row that is put together.
struct Row<'s> {
    /// Its pieces so far.
    out: &'s mut Vec<Piece>,
    /// Where in the arena what is no piece yet begins.
    from: usize,
    /// Runs of bytes that are copied, at most.
    copied: u32,
}

impl Row<'_> {
    /// What was appended to the arena becomes a piece.
    #[inline]
    fn flush(&mut self, data: &Data) {
        put(
            self.out,
            self.from as u32 | ARENA,
            data.arena.len() as u32 | ARENA,
        );
        self.from = data.arena.len();
    }

    /// Bytes of the row that stay.
    #[inline(always)]
    fn keep(&mut self, data: &mut Data, start: u32, end: u32) -> Result<(), Error> {
        if start >= end {
            return Ok(());
        }
        if end - start > self.copied {
            self.flush(data);
            put(self.out, start, end);
            return Ok(());
        }
        if data.arena.len() + COPIED as usize + BLOCK >= ARENA as usize {
            return Err(Error::TooLarge);
        }
        copy_run(&data.payload, &mut data.arena, start, end);
        Ok(())
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
        if data.is_interned(self.level) {
            return self.commit_interned(data);
        }
        let rows = std::mem::take(&mut self.rows);
        let mut scratch = std::mem::take(&mut self.scratch);
        let result = self.write_rows(data, &rows, &mut scratch);
        self.scratch = scratch;
        self.rows = rows;
        result
    }

    fn write_rows(
        &self,
        data: &mut Data,
        rows: &[u32],
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let changed = self.touched.iter().zip(&self.odd);
        let changed = changed.map(|(touched, odd)| usize::from(*touched & !*odd));
        let changed: usize = changed.sum();
        if changed == 0 {
            return Ok(());
        }
        // Rows that are written again and again must not fill the arena with copies.
        let full = data.arena.len() / 4 > data.payload.len() + (1 << 18);
        let copied = if full { 0 } else { COPIED };
        // Where few rows stay as they are, these are copied along, so that what was changed is one
        // run of bytes and not one between every two of them.
        let along = !full && changed < rows.len() && changed * 4 >= rows.len() * 3;
        scratch.begin(self.columns.len());
        let count = data.level(self.level).len().max(1);
        let written = if along { rows.len() } else { changed };
        let usual = (data.payload.len() / count).min(COPIED as usize) + 2 * BLOCK;
        if data.arena.capacity() - data.arena.len() < written * usual {
            // The rows of the level are as these are, most likely: room that grows is copied.
            let times = count / rows.len() + 1;
            let most = (2 * data.payload.len()).max(written * usual);
            data.arena.reserve((written * usual * times).min(most));
            data.patches.reserve(changed * times);
            data.pieces.reserve(changed * times);
        }
        let plain = self.level.attributes(self.signal, None);
        let plain = plain.filter(|_| self.level != Level::DataPoint);
        let mut out = std::mem::take(&mut scratch.out);
        let mut room = std::mem::take(&mut scratch.room);
        room.resize(ROOM, 0);
        let whole = if full { None } else { Whole::new(self) };
        let (mut from, mut parent) = (0, NONE);
        let mut result = Ok(());
        for (position, row) in rows.iter().enumerate() {
            let to = self.ends.get(position).copied().unwrap_or(from);
            let odd = self.odd.get(position) != Some(&false);
            let touched = self.touched.get(position) == Some(&true);
            if !odd && (touched || along && self.is_plain(data, *row)) {
                let begin = data.arena.len();
                let number = plain.or_else(|| {
                    let kind = data.type_of(self.level, *row);
                    self.level.attributes(self.signal, kind)
                });
                let number = number.map_or(0, |(_, number)| number);
                let entries = (from as usize, to as usize);
                // One that was changed before is pieces.
                let is_one = data.level(self.level).patch.get(*row as usize) == Some(&NONE);
                if let Some(whole) = whole.as_ref().filter(|_| is_one)
                    && let Some(room) = room.first_chunk_mut()
                {
                    let of = (position, *row, number);
                    match self.put_whole(data, whole, room, scratch, of, entries, &mut parent) {
                        Ok(true) => {
                            self.put_tails(data, *row);
                            from = to;
                            continue;
                        }
                        // What it noted was not written.
                        Ok(false) => scratch.begin(self.columns.len()),
                        Err(error) => {
                            result = Err(error);
                            break;
                        }
                    }
                }
                // Where the next row will be written.
                ask_for(&data.arena, begin + NEXT);
                data.arena.extend_from_slice(&[0; HEADER as usize]);
                out.clear();
                let to_write = Row {
                    out: &mut out,
                    from: begin + HEADER as usize,
                    copied,
                };
                result = self
                    .write_row(data, position, (*row, number), entries, scratch, to_write)
                    .and_then(|()| self.put_row(data, *row, &out, begin, &mut parent));
                if result.is_ok() {
                    self.put_tails(data, *row);
                }
                if result.is_err() {
                    data.arena.truncate(begin);
                    break;
                }
            }
            from = to;
        }
        (scratch.out, scratch.room) = (out, room);
        result
    }

    /// Writes a row in one piece; false when it has to be written in the general way. The row is
    /// its position, its number and that of its attributes' field.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn put_whole(
        &self,
        data: &mut Data,
        whole: &Whole<'_>,
        room: &mut [u8; ROOM],
        scratch: &mut Scratch,
        (position, row, number): (usize, u32, u32),
        (from, to): (usize, usize),
        parent: &mut u32,
    ) -> Result<bool, Error> {
        let (rows, at) = (data.level(self.level), row as usize);
        let (Some(&start), Some(&end), Some(&field)) =
            (rows.start.get(at), rows.end.get(at), rows.field.get(at))
        else {
            return Ok(false);
        };
        let entries = self.entries.get(from..to).unwrap_or_default();
        let (numbers, run) = ((field, number), (start, end));
        let written = whole.write(data, room, scratch, position, numbers, run, entries);
        let begin = data.arena.len();
        let written = written.and_then(|(len, has)| Some((room.get(..len)?, has)));
        let Some((bytes, has_header)) = written else {
            return Ok(false);
        };
        if begin + bytes.len() + BLOCK >= ARENA as usize {
            return Ok(false);
        }
        data.arena.extend_from_slice(bytes);
        let start = begin as u32 | ARENA;
        let piece = Piece::Run {
            start: start + HEADER,
            end: start + bytes.len() as u32,
        };
        let head = if has_header { start } else { NONE };
        let length = bytes.len() as u32 - HEADER;
        self.put_patch(data, row, &[piece], (length, head), parent)?;
        Ok(true)
    }

    /// Whether a row lies in the payload as it came, with the header that [`Frame::put_row`] would
    /// write: then a copy of it is the same to the last bit.
    fn is_plain(&self, data: &Data, row: u32) -> bool {
        let (rows, at) = (data.level(self.level), row as usize);
        let (Some(NONE), Some(&start), Some(&end)) = (
            rows.patch.get(at).copied(),
            rows.start.get(at),
            rows.end.get(at),
        ) else {
            return false;
        };
        let length = end.wrapping_sub(start);
        let Some(number @ 0..16) = rows.field.get(at).copied() else {
            return false;
        };
        let header = (start as usize)
            .checked_sub(HEADER as usize)
            .and_then(|head| data.payload.get(head..start as usize));
        (0x80..0x4000).contains(&length) && header == Some(&header_of(number, length))
    }

    /// Makes a row of these pieces, for whose header there is room in the arena at `begin`.
    #[inline]
    fn put_row(
        &self,
        data: &mut Data,
        row: u32,
        out: &[Piece],
        begin: usize,
        parent: &mut u32,
    ) -> Result<(), Error> {
        let level = self.level;
        let at = row as usize;
        let (mut length, mut runs) = (0, true);
        for piece in out {
            match piece {
                Piece::Run { start, end } => length += end - start,
                Piece::Child { .. } => runs = false,
            }
        }
        let bytes = if runs { length } else { NONE };
        let body = (begin as u32 | ARENA) + HEADER;
        let mut head = NONE;
        if let [Piece::Run { start, .. }] = out
            && *start == body
            && (0x80..0x4000).contains(&length)
            && let Some(number @ 0..16) = data.level(level).field.get(at).copied()
            && let Some(room) = data.arena.get_mut(begin..begin + HEADER as usize)
        {
            room.copy_from_slice(&header_of(number, length));
            head = begin as u32 | ARENA;
        }
        let known = data.level(level).patch.get(at).copied();
        if known != Some(NONE) {
            data.set_pieces(level, row, out)?;
            if let Some(patch) = data.patches.get_mut(known.unwrap_or(NONE) as usize) {
                (patch.bytes, patch.head) = (bytes, head);
            }
            return Ok(());
        }
        self.put_patch(data, row, out, (bytes, head), parent)
    }

    /// Makes a row that was not changed before of these pieces, with what is known of them.
    #[inline(always)]
    fn put_patch(
        &self,
        data: &mut Data,
        row: u32,
        out: &[Piece],
        (bytes, head): (u32, u32),
        parent: &mut u32,
    ) -> Result<(), Error> {
        let (level, at) = (self.level, row as usize);
        let Some(&above) = data.level(level).parent.get(at) else {
            return Err(Error::NoRow(level, row));
        };
        if above != *parent {
            data.explode(level, above)?;
            *parent = above;
            data.edited = true;
        }
        let first = data.next_piece()?;
        match out {
            [piece] => data.pieces.push(*piece),
            pieces => data.pieces.extend_from_slice(pieces),
        }
        let len = out.len() as u32;
        let patch = data.patches.len() as u32;
        data.patches.push(Patch {
            first,
            len,
            cap: len,
            bytes,
            head,
            exploded: 0,
            lost: 0,
        });
        if let Some(slot) = data.level_mut(level).patch.get_mut(at) {
            *slot = patch;
        }
        Ok(())
    }

    /// Where a row is the last one of what is around it, copies what follows it there behind it:
    /// a few bytes, such as the URL of a schema, which would be a piece of their own.
    fn put_tails(&self, data: &mut Data, row: u32) {
        let (mut level, mut row) = (self.level, row);
        while level != Level::Resource {
            let above = level.parent();
            let rows = data.level(level);
            let Some(&parent) = rows.parent.get(row as usize) else {
                return;
            };
            if rows.parent.get(row as usize + 1) == Some(&parent) {
                return;
            }
            let patch = data.level(above).patch.get(parent as usize).copied();
            let Some(patch) = data.patches.get(patch.unwrap_or(NONE) as usize) else {
                return;
            };
            let last = (patch.first + patch.len).wrapping_sub(1) as usize;
            match data.pieces.get(last) {
                Some(&Piece::Run { start, end })
                    if start & ARENA == 0
                        && end - start <= TAIL
                        && data.arena.len() + BLOCK + (TAIL as usize) < ARENA as usize =>
                {
                    let at = data.arena.len() as u32 | ARENA;
                    copy_run(&data.payload, &mut data.arena, start, end);
                    if let Some(piece) = data.pieces.get_mut(last) {
                        *piece = Piece::Run {
                            start: at,
                            end: at + (end - start),
                        };
                    }
                }
                Some(Piece::Child { .. }) => {}
                _ => return,
            }
            (level, row) = (above, parent);
        }
    }

    /// Writes a row as it is now; `number` is that of its attributes' field.
    fn write_row(
        &self,
        data: &mut Data,
        position: usize,
        (row, number): (u32, u32),
        (from, to): (usize, usize),
        scratch: &mut Scratch,
        mut of: Row<'_>,
    ) -> Result<(), Error> {
        let entries = self.entries.get(from..to).unwrap_or_default();
        let rows = data.level(self.level);
        let at = row as usize;
        if rows.patch.get(at) == Some(&NONE)
            && let (Some(&start), Some(&end)) = (rows.start.get(at), rows.end.get(at))
        {
            self.write_run(
                data,
                number,
                position,
                (start, end),
                entries,
                scratch,
                &mut of,
            )?;
        } else {
            let (mut piece, mut rest) = (0, entries);
            // The pieces are read while the arena and they themselves may grow.
            let mut own = [Piece::Run { start: 0, end: 0 }];
            while let Some(&run) = data.pieces_of(self.level, row, &mut own).get(piece) {
                piece += 1;
                let Piece::Run { start, end } = run else {
                    of.flush(data);
                    of.out.push(run);
                    continue;
                };
                let within = |entry: &&Entry| (start..end).contains(&entry.head);
                let (now, behind) = rest.split_at(rest.iter().take_while(within).count());
                rest = behind;
                self.write_run(data, number, position, (start, end), now, scratch, &mut of)?;
            }
        }
        self.write_born(data, number, position, entries, scratch)?;
        of.flush(data);
        Ok(())
    }

    /// Writes the fields between two addresses, of which these entries lie there.
    #[inline]
    #[allow(clippy::too_many_arguments)]
    fn write_run(
        &self,
        data: &mut Data,
        number: u32,
        position: usize,
        (start, end): (u32, u32),
        entries: &[Entry],
        scratch: &mut Scratch,
        of: &mut Row<'_>,
    ) -> Result<(), Error> {
        let mut kept = start;
        for entry in entries {
            if entry.slot & FIELD == 0 {
                let slot = entry.slot as usize;
                match self.column(slot).state(position) {
                    state::REPLACED => {
                        of.keep(data, kept, entry.head)?;
                        self.put_attribute(data, number, slot, position, scratch)?;
                    }
                    state::GONE | state::MOVED => of.keep(data, kept, entry.head)?,
                    _ => continue,
                }
            } else if entry.slot == OTHER {
                match entry.edit {
                    STAYS => continue,
                    GOES => of.keep(data, kept, entry.head)?,
                    edit => {
                        of.keep(data, kept, entry.head)?;
                        let made = self.replacements.get(edit as usize - 2).copied();
                        let key = span::between(entry.key, entry.key + entry.key_len);
                        self.put_other(data, number, key, made.unwrap_or_default())?;
                    }
                }
            } else {
                let number = entry.slot & !FIELD;
                if self.changed >> number & 1 == 0 {
                    continue;
                }
                if let Some(field) = self.simple(number) {
                    if !self.was_changed(field, position) {
                        continue;
                    }
                    of.keep(data, kept, entry.head)?;
                    self.put_field(data, field, position, scratch)?;
                } else if self.is_changed(number, position) {
                    of.keep(data, kept, entry.head)?;
                    self.put_changed(data, number, position, Some(entry), scratch)?;
                } else {
                    continue;
                }
            }
            kept = entry.end;
        }
        of.keep(data, kept, end)
    }

    /// Writes what came to be, in the order in which it did.
    #[inline]
    fn write_born(
        &self,
        data: &mut Data,
        number: u32,
        position: usize,
        entries: &[Entry],
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let attributes = self.finder.len();
        if self.in_order && self.added.is_empty() {
            for slot in self.born.iter().map(|slot| usize::from(*slot)) {
                if !matches!(self.column(slot).state(position), state::NEW | state::MOVED) {
                    continue;
                }
                match slot.checked_sub(attributes) {
                    None => self.put_attribute(data, number, slot, position, scratch)?,
                    Some(field) => self.put_born(data, field, position, entries, scratch)?,
                }
            }
            return Ok(());
        }
        let mut born = std::mem::take(&mut scratch.born);
        self.born_at(position, &mut born);
        let mut added = self.added_at(position).map(|(_, added)| added).peekable();
        for (turn, slot) in &born {
            while let Some(added) = added.next_if(|added| added.turn < *turn) {
                self.put_other(data, number, added.key, (added.kind, added.bits))?;
            }
            let slot = usize::from(*slot);
            match slot.checked_sub(attributes) {
                None => self.put_attribute(data, number, slot, position, scratch)?,
                Some(field) => self.put_born(data, field, position, entries, scratch)?,
            }
        }
        for added in added {
            self.put_other(data, number, added.key, (added.kind, added.bits))?;
        }
        scratch.born = born;
        Ok(())
    }

    /// What came to be of a row, in order: the turn and the slot.
    #[inline(always)]
    pub(super) fn born_at(&self, position: usize, born: &mut Vec<(u32, u16)>) {
        born.clear();
        let (mut last, mut ordered) = (0, true);
        for slot in &self.born {
            let column = self.column(usize::from(*slot));
            if matches!(column.state(position), state::NEW | state::MOVED) {
                let turn = column.births.get(position).copied().unwrap_or(0);
                ordered &= turn >= last;
                last = turn;
                born.push((turn, *slot));
            }
        }
        if !ordered {
            born.sort_unstable();
        }
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

/// The header of a field of this number, below 16, and length, from 128 to 16,383.
pub(super) fn header_of(number: u8, length: u32) -> [u8; HEADER as usize] {
    [number << 3 | 2, length as u8 | 0x80, (length >> 7) as u8]
}
