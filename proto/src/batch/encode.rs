//! Writes a changed request: lengths bottom-up, once; then every run of bytes that nothing
//! changed in one copy, with what edits made between.

use super::{
    Data, Level,
    data::{ARENA, NONE},
    pieces::{BLOCK, Piece, append},
};
use crate::wire::{WireType, put_tag, put_varint, tag_len, varint_len};

/// The length of a row that is not written: its items were dropped and it has no other.
const GONE: usize = usize::MAX;
const NOTHING: Piece = Piece::Run {
    start: ARENA,
    end: ARENA,
};

/// Bytes of a tag and a length, as [`Patch::head`](super::pieces::Patch) has them.
pub(super) const HEADER: u32 = 3;

/// A run of so many bytes is better sent from where it is than copied.
pub(super) const LONG: u32 = if cfg!(any(test, feature = "fuzzing")) {
    64
} else {
    8192
};

/// A run of bytes that is not copied, and where in the output it belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Apart {
    pub at: usize,
    pub start: u32,
    pub end: u32,
}

/// Lengths of the messages of changed rows, by patch.
pub(crate) struct Lengths(Vec<usize>);

impl Data {
    /// The request encoded, at the end of `out`. Neighbouring unchanged rows are one copy.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match &self.deferred {
            Some(deferred) => self.encode_deferred(deferred, out),
            None => self.encode_now(out, None),
        }
    }

    /// As [`Data::encode`], but long runs stay where they are and are noted.
    pub(super) fn encode_apart(&self, out: &mut Vec<u8>, apart: &mut Vec<Apart>) {
        match &self.deferred {
            Some(deferred) => self.encode_deferred(deferred, out),
            None => self.encode_now(out, Some(apart)),
        }
    }

    fn encode_now(&self, out: &mut Vec<u8>, apart: Option<&mut Vec<Apart>>) {
        let mut lengths = Lengths(vec![0; self.patches.len()]);
        let total = self.measure(Level::Request, 0, &mut lengths);
        if total == GONE {
            return;
        }
        if apart.is_none() {
            out.reserve(total + BLOCK);
        }
        let mut writer = Writer {
            data: self,
            out,
            apart,
            start: 0,
            end: 0,
        };
        let mut own = [NOTHING];
        let pieces = self.pieces_of(Level::Request, 0, &mut own);
        writer.body(pieces, &lengths);
        writer.flush();
    }

    /// The message of one row encoded, at the end of `out`. `lengths` is space that can be
    /// used again from row to row.
    pub(crate) fn encode_row(
        &self,
        level: Level,
        row: u32,
        lengths: &mut Vec<usize>,
        out: &mut Vec<u8>,
    ) {
        lengths.resize(self.patches.len(), 0);
        let mut measured = Lengths(std::mem::take(lengths));
        // A row that lost its items is still a row: only what is in it can be left out.
        self.measure(level, row, &mut measured);
        let mut writer = Writer {
            data: self,
            out,
            apart: None,
            start: 0,
            end: 0,
        };
        let mut own = [NOTHING];
        writer.body(self.pieces_of(level, row, &mut own), &measured);
        writer.flush();
        *lengths = measured.0;
    }

    fn patch_of(&self, level: Level, row: u32) -> u32 {
        self.level(level)
            .patch
            .get(row as usize)
            .copied()
            .unwrap_or(NONE)
    }

    /// Whether a piece names the row where it is now.
    #[inline]
    fn holds(&self, level: Level, row: u32, place: u32) -> bool {
        place != NONE && self.level(level).place.get(row as usize) == Some(&place)
    }

    /// The length of a row's message; [`GONE`] for a resource or scope that lost its items.
    fn measure(&self, level: Level, row: u32, lengths: &mut Lengths) -> usize {
        let at = row as usize;
        let rows = self.level(level);
        let patch = self.patch_of(level, row);
        if patch == NONE {
            return match (rows.start.get(at), rows.end.get(at)) {
                (Some(start), Some(end)) => (end - start) as usize,
                _ => 0,
            };
        }
        if let Some(known) = self.patches.get(patch as usize)
            && known.bytes != NONE
        {
            return known.bytes as usize;
        }
        let (mut len, mut children, mut lost) = (0, 0usize, false);
        for piece in self.patch_pieces(patch) {
            match *piece {
                Piece::Run { start, end } => len += (end - start) as usize,
                Piece::Child { level, row, place } => {
                    if !self.holds(level, row, place) {
                        continue;
                    }
                    let rows = self.level(level);
                    let at = row as usize;
                    if self.patch_of(level, row) == NONE {
                        if let (Some(head), Some(end)) = (rows.head.get(at), rows.end.get(at)) {
                            len += (end - head) as usize;
                        }
                    } else {
                        let patch = self.patch_of(level, row) as usize;
                        let body = match self.patches.get(patch) {
                            Some(patch) if patch.bytes != NONE => patch.bytes as usize,
                            _ => self.measure(level, row, lengths),
                        };
                        if body == GONE {
                            lost = true;
                            continue;
                        }
                        let number = rows.field.get(at).copied().unwrap_or(0);
                        len += tag_len(number.into()) + varint_len(body as u64) + body;
                    }
                    children += 1;
                }
            }
        }
        if matches!(level, Level::Resource | Level::Scope) && children == 0 {
            let below = if level == Level::Scope {
                Level::Item
            } else {
                Level::Scope
            };
            if let Some(patch) = self.patches.get(patch as usize) {
                lost |= patch.lost >> below.index() & 1 == 1;
                // A row that was never taken apart still has what it had.
                if lost && patch.exploded >> below.index() & 1 == 1 {
                    len = GONE;
                }
            }
        }
        if let Some(slot) = lengths.0.get_mut(patch as usize) {
            *slot = len;
        }
        len
    }
}

struct Writer<'a> {
    data: &'a Data,
    out: &'a mut Vec<u8>,
    /// Where long runs are noted, if they are not to be copied.
    apart: Option<&'a mut Vec<Apart>>,
    /// The run that is to be copied next, as long as what follows adjoins it.
    start: u32,
    end: u32,
}

impl Writer<'_> {
    #[inline]
    fn run(&mut self, start: u32, end: u32) {
        if start == self.end {
            self.end = end;
        } else {
            self.flush();
            (self.start, self.end) = (start, end);
        }
    }

    #[inline]
    fn flush(&mut self) {
        if self.start == self.end {
            return;
        }
        if let Some(apart) = &mut self.apart
            && self.end - self.start >= LONG
        {
            apart.push(Apart {
                at: self.out.len(),
                start: self.start,
                end: self.end,
            });
            self.start = self.end;
            return;
        }
        let (from, to) = (self.start & !ARENA, self.end & !ARENA);
        let buf: &[u8] = if self.start & ARENA == 0 {
            &self.data.payload
        } else {
            &self.data.arena
        };
        append(self.out, buf, from as usize, to as usize);
        self.start = self.end;
    }

    #[inline(always)]
    fn header(&mut self, number: u8, len: usize) {
        if number < 16 && (0x80..0x4000).contains(&len) {
            // What items nearly always are.
            let header = [number << 3 | 2, len as u8 | 0x80, (len >> 7) as u8];
            self.out.extend_from_slice(&header);
        } else {
            put_tag(self.out, number.into(), WireType::Len);
            put_varint(self.out, len as u64);
        }
    }

    /// A message of runs only.
    #[inline(always)]
    fn leaf(&mut self, number: u8, len: usize, pieces: &[Piece]) {
        self.header(number, len);
        for piece in pieces {
            if let Piece::Run { start, end } = *piece {
                let (from, to) = ((start & !ARENA) as usize, (end & !ARENA) as usize);
                if start & ARENA == 0 {
                    append(self.out, &self.data.payload, from, to);
                } else {
                    append(self.out, &self.data.arena, from, to);
                }
            }
        }
    }

    fn body(&mut self, pieces: &[Piece], lengths: &Lengths) {
        let data = self.data;
        for piece in pieces {
            match *piece {
                Piece::Run { start, end } => self.run(start, end),
                Piece::Child { level, row, place } if data.holds(level, row, place) => {
                    let rows = data.level(level);
                    let at = row as usize;
                    let patch = data.patch_of(level, row);
                    if patch == NONE {
                        if let (Some(head), Some(end)) = (rows.head.get(at), rows.end.get(at)) {
                            self.run(*head, *end);
                        }
                        continue;
                    }
                    let number = rows.field.get(at).copied().unwrap_or(0);
                    if let Some(known) = data.patches.get(patch as usize)
                        && known.bytes != NONE
                    {
                        if known.head != NONE {
                            // Tag and length lie before it, and most often the next behind it.
                            self.run(known.head, known.head + HEADER + known.bytes);
                            continue;
                        }
                        self.flush();
                        self.leaf(number, known.bytes as usize, data.patch_pieces(patch));
                        continue;
                    }
                    let len = lengths.0.get(patch as usize).copied().unwrap_or(0);
                    if len == GONE {
                        continue;
                    }
                    self.flush();
                    self.header(number, len);
                    self.body(data.patch_pieces(patch), lengths);
                }
                Piece::Child { .. } => {}
            }
        }
    }
}
