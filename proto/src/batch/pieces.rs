//! Of what a changed row consists: pieces, which are runs of fields in the payload or the arena,
//! and rows below. Made when a row is first changed; what is unchanged has none.

use smallvec::SmallVec;

use super::{
    Data, Error, Level,
    data::{ARENA, NONE},
    rows::Found,
};
use crate::wire::{DecodeError, Fields, WireType, put_tag, put_varint};

/// A part of a changed row: whole fields as they lie somewhere, or a row of a level below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The fields in these addresses.
    Run { start: u32, end: u32 },
    /// A row below. Holds only while `place` is the row's place: a row that moved leaves
    /// stale pieces behind, because searching for them would take quadratic time.
    Child { level: Level, row: u32, place: u32 },
}

/// Pieces that are being put together.
pub(crate) type Pieces = SmallVec<[Piece; 16]>;

/// The pieces of a changed row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patch {
    pub first: u32,
    pub len: u32,
    pub cap: u32,
    /// The length of the message, where that is known and no row below can change it, else
    /// [`NONE`].
    pub bytes: u32,
    /// Where that is known and the message lies in the arena in one piece, behind its tag and its
    /// length of two bytes: the address of the tag, else [`NONE`].
    pub head: u32,
    /// Bit per level below whose rows are pieces of their own.
    pub exploded: u16,
    /// Bit per level below of which a row was dropped or moved away.
    pub lost: u16,
}

impl Data {
    /// The pieces of a row: one run as long as it is unchanged.
    #[inline(always)]
    pub(crate) fn pieces_of<'a>(
        &'a self,
        level: Level,
        row: u32,
        own: &'a mut [Piece; 1],
    ) -> &'a [Piece] {
        let rows = self.level(level);
        let at = row as usize;
        match rows.patch.get(at) {
            Some(&NONE) => {
                if let (Some(&start), Some(&end)) = (rows.start.get(at), rows.end.get(at)) {
                    *own = [Piece::Run { start, end }];
                }
                own
            }
            Some(&patch) => self.patch_pieces(patch),
            None => &[],
        }
    }

    #[inline]
    pub(crate) fn patch_pieces(&self, patch: u32) -> &[Piece] {
        let Some(patch) = self.patches.get(patch as usize) else {
            return &[];
        };
        let first = patch.first as usize;
        self.pieces
            .get(first..first + patch.len as usize)
            .unwrap_or_default()
    }

    /// Calls `found` for the fields of a row that are not rows of their own, in order.
    #[inline]
    pub(crate) fn for_fields(
        &self,
        level: Level,
        row: u32,
        mut found: impl FnMut(Found) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut own = [Piece::Run { start: 0, end: 0 }];
        for piece in self.pieces_of(level, row, &mut own) {
            if let Piece::Run { start, end } = *piece {
                each_field(&self.payload, &self.arena, start, end, &mut found)?;
            }
        }
        Ok(())
    }

    /// The bodies of the message `number` within a row: the pieces in which it was given.
    pub(crate) fn sub_message(
        &self,
        level: Level,
        row: u32,
        number: u32,
    ) -> Result<SmallVec<[Piece; 2]>, DecodeError> {
        let mut bodies = SmallVec::new();
        self.for_fields(level, row, |field| {
            if field.number == number && field.wire == WireType::Len {
                bodies.push(Piece::Run {
                    start: field.start,
                    end: field.end,
                });
            }
            Ok(())
        })?;
        Ok(bodies)
    }

    /// Makes sure that a row is there and not dropped, and that it has a patch, as do the
    /// rows above it.
    #[inline]
    pub(crate) fn touch(&mut self, level: Level, row: u32) -> Result<u32, Error> {
        let at = row as usize;
        let rows = self.level(level);
        let (Some(&patch), Some(&place)) = (rows.patch.get(at), rows.place.get(at)) else {
            return Err(Error::NoRow(level, row));
        };
        if place == NONE {
            return Err(Error::NoRow(level, row));
        }
        self.edited = true;
        if patch != NONE {
            return Ok(patch);
        }
        self.touch_new(level, row)
    }

    fn touch_new(&mut self, level: Level, row: u32) -> Result<u32, Error> {
        let at = row as usize;
        let rows = self.level(level);
        let (Some(&parent), Some(&start), Some(&end)) =
            (rows.parent.get(at), rows.start.get(at), rows.end.get(at))
        else {
            return Err(Error::NoRow(level, row));
        };
        if level != Level::Request {
            self.explode(level, parent)?;
        }
        let patch = self.patches.len() as u32;
        let first = self.next_piece()?;
        self.pieces.push(Piece::Run { start, end });
        self.patches.push(Patch {
            first,
            len: 1,
            cap: 1,
            bytes: NONE,
            head: NONE,
            exploded: 0,
            lost: 0,
        });
        if let Some(slot) = self.level_mut(level).patch.get_mut(at) {
            *slot = patch;
        }
        Ok(patch)
    }

    pub(super) fn next_piece(&self) -> Result<u32, Error> {
        u32::try_from(self.pieces.len())
            .ok()
            .filter(|at| *at < ARENA)
            .ok_or(Error::TooLarge)
    }

    /// Makes the rows of `level` in `parent` pieces of their own.
    #[inline]
    pub(crate) fn explode(&mut self, level: Level, parent: u32) -> Result<u32, Error> {
        let above = level.parent();
        let patch = self.touch(above, parent)?;
        match self.patches.get(patch as usize) {
            Some(known) if known.exploded >> level.index() & 1 == 1 => Ok(patch),
            _ => self.explode_new(level, parent, patch),
        }
    }

    fn explode_new(&mut self, level: Level, parent: u32, patch: u32) -> Result<u32, Error> {
        let above = level.parent();
        let kind = self.type_of(above, parent);
        let rows = self.level(level);
        let mut next = rows.first.get(parent as usize).copied().unwrap_or(0);
        let count = rows.count.get(parent as usize).copied().unwrap_or(0) as usize;
        let mut out = Vec::with_capacity(count * 2 + 4);
        let own = self.level(above).start.get(parent as usize).copied();
        if let [Piece::Run { start, end }] = *self.patch_pieces(patch)
            && own == Some(start)
        {
            // Nothing was changed yet: the rows lie between where they were found.
            let (from, to) = (next as usize, next as usize + count);
            let mut at = start;
            if let (Some(heads), Some(ends), Some(places)) = (
                rows.head.get(from..to),
                rows.end.get(from..to),
                rows.place.get(from..to),
            ) {
                for ((head, end), place) in heads.iter().zip(ends).zip(places) {
                    if at < *head {
                        out.push(Piece::Run {
                            start: at,
                            end: *head,
                        });
                    }
                    out.push(Piece::Child {
                        level,
                        row: next,
                        place: *place,
                    });
                    next += 1;
                    at = *end;
                }
            }
            if at < end {
                out.push(Piece::Run { start: at, end });
            }
            return self.exploded(level, parent, patch, &out);
        }
        for piece in self.patch_pieces(patch) {
            let Piece::Run { start, end } = *piece else {
                out.push(*piece);
                continue;
            };
            let mut from = start;
            each_field(&self.payload, &self.arena, start, end, |field| {
                if level.is_field(kind, field.number) {
                    if from < field.head {
                        out.push(Piece::Run {
                            start: from,
                            end: field.head,
                        });
                    }
                    let place = rows.place.get(next as usize).copied().unwrap_or(NONE);
                    out.push(Piece::Child {
                        level,
                        row: next,
                        place,
                    });
                    next += 1;
                    from = field.end;
                }
                Ok(())
            })?;
            if from < end {
                out.push(Piece::Run { start: from, end });
            }
        }
        self.exploded(level, parent, patch, &out)
    }

    fn exploded(
        &mut self,
        level: Level,
        parent: u32,
        patch: u32,
        out: &[Piece],
    ) -> Result<u32, Error> {
        // This forgets the length, too: rows below may change it.
        self.set_pieces(level.parent(), parent, out)?;
        if let Some(patch) = self.patches.get_mut(patch as usize) {
            patch.exploded |= 1 << level.index();
        }
        Ok(patch)
    }

    /// Replaces the pieces of a row.
    #[inline]
    pub(crate) fn set_pieces(
        &mut self,
        level: Level,
        row: u32,
        pieces: &[Piece],
    ) -> Result<(), Error> {
        if self.level(level).patch.get(row as usize) == Some(&NONE) && level != Level::Request {
            return self.first_pieces(level, row, pieces);
        }
        let patch = self.touch(level, row)? as usize;
        let next = self.next_piece()?;
        let Some(patch) = self.patches.get_mut(patch) else {
            return Err(Error::NoRow(level, row));
        };
        if pieces.len() > patch.cap as usize {
            // A row that is patched again and again must not fill the pool with copies.
            let cap = if patch.cap <= 1 {
                pieces.len()
            } else {
                pieces.len() * 2
            };
            patch.first = next;
            patch.cap = cap as u32;
            self.pieces.extend_from_slice(pieces);
            let filler = Piece::Run { start: 0, end: 0 };
            self.pieces.resize(next as usize + cap, filler);
        } else if let Some(slots) = self
            .pieces
            .get_mut(patch.first as usize..patch.first as usize + pieces.len())
        {
            slots.copy_from_slice(pieces);
        }
        patch.len = pieces.len() as u32;
        patch.bytes = NONE;
        Ok(())
    }

    /// The pieces of a row that had none: what most edits do to most rows.
    #[inline]
    fn first_pieces(&mut self, level: Level, row: u32, pieces: &[Piece]) -> Result<(), Error> {
        let rows = self.level(level);
        let Some(&parent) = rows.parent.get(row as usize) else {
            return Err(Error::NoRow(level, row));
        };
        let above = self
            .level(level.parent())
            .patch
            .get(parent as usize)
            .copied()
            .unwrap_or(NONE);
        let bit = 1 << level.index();
        let known = self.patches.get(above as usize);
        if known.is_none_or(|above| above.exploded & bit == 0) {
            self.explode(level, parent)?;
        }
        self.edited = true;
        let patch = self.patches.len() as u32;
        let (first, len) = (self.next_piece()?, pieces.len() as u32);
        self.pieces.extend_from_slice(pieces);
        self.patches.push(Patch {
            first,
            len,
            cap: len,
            bytes: NONE,
            head: NONE,
            exploded: 0,
            lost: 0,
        });
        if let Some(slot) = self.level_mut(level).patch.get_mut(row as usize) {
            *slot = patch;
        }
        Ok(())
    }

    /// Adds a piece at the end of a row that was touched.
    pub(crate) fn push_piece(&mut self, level: Level, row: u32, piece: Piece) -> Result<(), Error> {
        let patch = self.touch(level, row)?;
        let Some(known) = self.patches.get(patch as usize).copied() else {
            return Err(Error::NoRow(level, row));
        };
        if known.len < known.cap {
            if let Some(slot) = self.pieces.get_mut((known.first + known.len) as usize) {
                *slot = piece;
            }
        } else {
            let next = self.next_piece()?;
            let (first, len) = (known.first as usize, known.len as usize);
            self.pieces.extend_from_within(first..first + len);
            self.pieces.push(piece);
            let cap = (len + 1) * 2;
            self.pieces
                .resize(next as usize + cap, Piece::Run { start: 0, end: 0 });
            if let Some(patch) = self.patches.get_mut(patch as usize) {
                (patch.first, patch.cap) = (next, cap as u32);
            }
        }
        if let Some(patch) = self.patches.get_mut(patch as usize) {
            patch.len += 1;
            patch.bytes = NONE;
        }
        Ok(())
    }

    /// Replaces the fields of a row whose numbers are in the bit set by one of the arena,
    /// in the place of the first of them, else at the end.
    pub(crate) fn replace_fields(
        &mut self,
        level: Level,
        row: u32,
        numbers: u32,
        new: Option<(u32, u32)>,
    ) -> Result<(), Error> {
        let patch = self.touch(level, row)?;
        let mut out = Pieces::new();
        let goes = |field: &Found| Ok(field.number < 32 && numbers >> field.number & 1 == 1);
        let first = self.without(self.patch_pieces(patch), goes, &mut out)?;
        if let Some((start, end)) = new {
            out.insert(first.unwrap_or(out.len()), Piece::Run { start, end });
        }
        self.set_pieces(level, row, &out)
    }

    /// Appends to `out` these pieces less the fields for which `goes` holds; where in `out` the
    /// first of them would be.
    pub(crate) fn without(
        &self,
        pieces: &[Piece],
        mut goes: impl FnMut(&Found) -> Result<bool, DecodeError>,
        out: &mut Pieces,
    ) -> Result<Option<usize>, DecodeError> {
        let mut first = None;
        for piece in pieces {
            let Piece::Run { start, end } = *piece else {
                out.push(*piece);
                continue;
            };
            let mut from = start;
            each_field(&self.payload, &self.arena, start, end, |field| {
                if goes(&field)? {
                    if from < field.head {
                        out.push(Piece::Run {
                            start: from,
                            end: field.head,
                        });
                    }
                    first.get_or_insert(out.len());
                    from = field.end;
                }
                Ok(())
            })?;
            if from < end {
                out.push(Piece::Run { start: from, end });
            }
        }
        Ok(first)
    }

    /// Lets `write` append to the arena; the addresses of what it wrote.
    #[inline]
    pub(crate) fn make(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(u32, u32), Error> {
        let start = self.arena.len();
        write(&mut self.arena);
        if self.arena.len() >= ARENA as usize {
            self.arena.truncate(start);
            return Err(Error::TooLarge);
        }
        Ok((start as u32 | ARENA, self.arena.len() as u32 | ARENA))
    }

    /// A message field of the arena whose body is copied from these runs.
    pub(crate) fn make_message(
        &mut self,
        number: u32,
        body: &[Piece],
    ) -> Result<(u32, u32), Error> {
        let len: usize = body
            .iter()
            .map(|piece| match piece {
                Piece::Run { start, end } => (end - start) as usize,
                Piece::Child { .. } => 0,
            })
            .sum();
        if self.arena.len() + len + 16 >= ARENA as usize {
            return Err(Error::TooLarge);
        }
        let begin = self.arena.len();
        put_tag(&mut self.arena, number, WireType::Len);
        put_varint(&mut self.arena, len as u64);
        for piece in body {
            if let Piece::Run { start, end } = *piece {
                copy_run(&self.payload, &mut self.arena, start, end);
            }
        }
        Ok((begin as u32 | ARENA, self.arena.len() as u32 | ARENA))
    }

    /// A place that no piece names yet.
    pub(crate) fn new_place(&mut self) -> u32 {
        self.places += 1;
        self.places
    }

    /// The bytes between two addresses.
    #[inline(always)]
    pub(crate) fn bytes(&self, start: u32, end: u32) -> &[u8] {
        bytes_at(&self.payload, &self.arena, start, end)
    }
}

/// The bytes between two addresses.
#[inline(always)]
pub(crate) fn bytes_at<'a>(payload: &'a [u8], arena: &'a [u8], start: u32, end: u32) -> &'a [u8] {
    let buf = if start & ARENA == 0 { payload } else { arena };
    buf.get((start & !ARENA) as usize..(end & !ARENA) as usize)
        .unwrap_or_default()
}

/// What [`append`] writes at once: room for that much should be reserved behind the end.
pub(crate) const BLOCK: usize = 64;

/// Appends `buf[from..to]`. Most runs are short: a block of fixed size of which what is too
/// much is taken back takes fewer instructions than a copy that has to ask for its length.
#[inline(always)]
pub(crate) fn append(out: &mut Vec<u8>, buf: &[u8], from: usize, to: usize) {
    let len = to.wrapping_sub(from);
    if len <= BLOCK
        && let Some(block) = buf.get(from..).and_then(|rest| rest.first_chunk::<BLOCK>())
    {
        let end = out.len() + len;
        out.extend_from_slice(block);
        out.truncate(end);
    } else {
        out.extend_from_slice(buf.get(from..to).unwrap_or_default());
    }
}

/// Copies a run to the end of the arena, in which it may itself lie.
#[inline(always)]
pub(crate) fn copy_run(payload: &[u8], arena: &mut Vec<u8>, start: u32, end: u32) {
    let range = (start & !ARENA) as usize..(end & !ARENA) as usize;
    if start & ARENA == 0 {
        append(arena, payload, range.start, range.end);
    } else {
        append_within(arena, range.start, range.end);
    }
}

/// Copies what lies between two offsets of a buffer to its end.
#[inline(always)]
pub(super) fn append_within(out: &mut Vec<u8>, from: usize, to: usize) {
    let (len, end) = (to.wrapping_sub(from), out.len());
    if len <= BLOCK
        && let Some(block) = out.get(from..).and_then(|rest| rest.first_chunk::<BLOCK>())
    {
        let block = *block;
        out.extend_from_slice(&block);
        out.truncate(end + len);
    } else if from <= to && to <= end {
        out.extend_from_within(from..to);
    }
}

/// Calls `found` for the fields between two addresses.
#[inline(always)]
pub(crate) fn each_field(
    payload: &[u8],
    arena: &[u8],
    start: u32,
    end: u32,
    mut found: impl FnMut(Found) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let base = start & ARENA;
    let buf = if base == 0 { payload } else { arena };
    for field in Fields::new(buf, (start & !ARENA) as usize, (end & !ARENA) as usize) {
        found(Found::new(field?, base))?;
    }
    Ok(())
}
