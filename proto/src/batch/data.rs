//! What a batch is once something looks inside: rows by level over the payload, the bytes
//! that edits made (the arena), and for each row that was changed the list of pieces of which
//! it now consists. The edits themselves are in `attributes`, `fields` and `structure`.

use bytes::Bytes;
use smallvec::SmallVec;

use super::{Error, Level, MetricType, level::LEVELS};
use crate::{
    Signal,
    wire::{DecodeError, Field, Fields, WireType, put_tag, put_varint},
};

/// Marks an address as one in the arena; others are offsets into the payload.
pub(crate) const ARENA: u32 = 1 << 31;
/// No row, no patch.
pub(crate) const NONE: u32 = u32::MAX;

/// A part of a changed row: whole fields as they lie somewhere, or a row of a level below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The fields in these addresses.
    Run { start: u32, end: u32 },
    /// A row below. Holds only while `place` is the row's place: a row that moved leaves
    /// stale pieces behind, because searching for them would take quadratic time.
    Child { level: Level, row: u32, place: u32 },
}

/// The pieces of a changed row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patch {
    pub first: u32,
    pub len: u32,
    pub cap: u32,
    /// Bit per level below whose rows are pieces of their own.
    pub exploded: u16,
    /// Bit per level below of which a row was dropped or moved away.
    pub lost: u16,
}

/// The rows of one level, as structure of arrays.
#[derive(Clone, Default, Debug)]
pub(crate) struct Rows {
    /// The rows were looked for.
    pub ready: bool,
    /// Row of the level above.
    pub parent: Vec<u32>,
    /// Addresses: of the tag, of the first byte of the message, of the end.
    pub head: Vec<u32>,
    pub start: Vec<u32>,
    pub end: Vec<u32>,
    /// Field number in the parent.
    pub field: Vec<u8>,
    /// Index of the patch, or [`NONE`].
    pub patch: Vec<u32>,
    /// Which of the pieces that name the row is its place; [`NONE`] when dropped.
    pub place: Vec<u32>,
    /// By row of the level above: the rows found in its bytes, which are consecutive.
    pub first: Vec<u32>,
    pub count: Vec<u32>,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.start.len()
    }

    /// Appends where a row lies; [`Rows::fill`] adds the rest, for many rows at once.
    #[inline(always)]
    fn push(&mut self, field: &Found) {
        self.head.push(field.head);
        self.start.push(field.start);
        self.end.push(field.end);
    }

    /// The columns that are the same for all rows just appended.
    #[inline]
    fn fill(&mut self, parent: u32, number: u32) {
        let len = self.start.len();
        self.parent.resize(len, parent);
        self.field.resize(len, number as u8);
        self.patch.resize(len, NONE);
        self.place.resize(len, 0);
    }

    fn reserve(&mut self, more: usize) {
        self.head.reserve(more);
        self.start.reserve(more);
        self.end.reserve(more);
        self.parent.reserve(more);
        self.field.reserve(more);
        self.patch.reserve(more);
        self.place.reserve(more);
    }
}

/// A field found in a row; addresses instead of offsets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub number: u32,
    pub wire: WireType,
    pub head: u32,
    pub start: u32,
    pub end: u32,
}

impl Found {
    #[inline(always)]
    pub fn new(field: Field, base: u32) -> Found {
        Found {
            number: field.number,
            wire: field.wire,
            head: field.head as u32 | base,
            start: field.start as u32 | base,
            end: field.end as u32 | base,
        }
    }
}

/// A request taken apart: what can be read and changed. Had with
/// [`Batch::open`](super::Batch::open).
///
/// Rows are numbered by level in the order in which they came; rows added later follow. A row
/// keeps its number when it is changed, moved, or when others are dropped. Every read sees
/// every write before it.
#[derive(Clone, Debug)]
pub struct Data {
    pub(crate) signal: Signal,
    pub(crate) payload: Bytes,
    pub(crate) arena: Vec<u8>,
    pub(crate) rows: [Rows; LEVELS],
    pub(crate) patches: Vec<Patch>,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) places: u32,
    /// Lengths by patch, kept between encodings of single rows.
    pub(crate) lengths: Vec<usize>,
    pub(crate) edited: bool,
    /// Rows were dropped, added or moved.
    pub(crate) restructured: bool,
}

impl Data {
    pub(crate) fn new(signal: Signal, payload: Bytes, items: usize) -> Result<Data, Error> {
        let mut data = Data {
            signal,
            arena: Vec::new(),
            rows: Default::default(),
            patches: Vec::new(),
            pieces: Vec::new(),
            places: 0,
            lengths: Vec::new(),
            edited: false,
            restructured: false,
            payload,
        };
        let end = data.payload.len() as u32;
        let whole = Found {
            number: 0,
            wire: WireType::Len,
            head: 0,
            start: 0,
            end,
        };
        data.rows[Level::Request.index()].push(&whole);
        data.rows[Level::Request.index()].fill(NONE, 0);
        data.rows[Level::Item.index()].reserve(items);
        data.rows[Level::Request.index()].ready = true;
        for level in [Level::Resource, Level::Scope, Level::Item] {
            data.load(level)?;
        }
        Ok(data)
    }

    /// The signal.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    #[inline(always)]
    pub(crate) fn level(&self, level: Level) -> &Rows {
        &self.rows[level.index()]
    }

    #[inline(always)]
    pub(crate) fn level_mut(&mut self, level: Level) -> &mut Rows {
        &mut self.rows[level.index()]
    }

    /// Number of rows of a level, dropped ones included: row numbers are below it.
    ///
    /// # Errors
    /// [`Error::Decode`] when what is around such rows is not valid.
    pub fn row_count(&mut self, level: Level) -> Result<usize, Error> {
        self.load(level)?;
        Ok(self.level(level).len())
    }

    /// The row of the level above that holds this one; of a data point, its metric.
    pub fn parent(&self, level: Level, row: u32) -> Option<u32> {
        let parent = *self.level(level).parent.get(row as usize)?;
        match level {
            Level::Request => None,
            Level::DataPoint => self
                .level(Level::MetricData)
                .parent
                .get(parent as usize)
                .copied(),
            _ => Some(parent),
        }
    }

    /// The bytes between two addresses.
    #[inline(always)]
    pub(crate) fn bytes(&self, start: u32, end: u32) -> &[u8] {
        bytes_at(&self.payload, &self.arena, start, end)
    }

    /// The type of a metric, by row of [`Level::Item`]; `None` without data.
    ///
    /// # Errors
    /// [`Error::Decode`] when a metric is not valid.
    pub fn metric_type(&mut self, metric: u32) -> Result<Option<MetricType>, Error> {
        if self.signal != Signal::Metrics {
            return Ok(None);
        }
        let data = self.metric_data(metric)?;
        Ok(data.and_then(|row| self.type_of(Level::MetricData, row)))
    }

    /// The row of a metric's data.
    pub(crate) fn metric_data(&mut self, metric: u32) -> Result<Option<u32>, Error> {
        self.load(Level::MetricData)?;
        // Of several found in the bytes the last is the one that counts; no search through
        // the metric's pieces, which a sender can make many.
        let rows = self.level(Level::MetricData);
        let (first, count) = (
            rows.first.get(metric as usize),
            rows.count.get(metric as usize),
        );
        if let (Some(first), Some(count @ 1..)) = (first, count) {
            return Ok(Some(first + count - 1));
        }
        let mut found = None;
        self.for_children(Level::MetricData, metric, |row| found = Some(row));
        Ok(found)
    }

    /// The type of the metric around a row of this level, or that it is of.
    #[inline]
    pub(crate) fn type_of(&self, level: Level, row: u32) -> Option<MetricType> {
        let mut row = row as usize;
        let mut level = level;
        while level != Level::MetricData {
            if !matches!(level, Level::DataPoint | Level::Exemplar | Level::Quantile) {
                return None;
            }
            row = *self.level(level).parent.get(row)? as usize;
            level = level.parent();
        }
        MetricType::from_number(u32::from(*self.level(level).field.get(row)?))
    }

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

    /// Finds the rows of a level, and of those above it.
    pub(crate) fn load(&mut self, level: Level) -> Result<(), Error> {
        if self.level(level).ready {
            return Ok(());
        }
        if !level.exists(self.signal) {
            return Err(Error::NotApplicable(level));
        }
        let above = level.parent();
        self.load(above)?;
        let mut rows = std::mem::take(self.level_mut(level));
        let parents = self.level(above).len();
        for parent in 0..parents as u32 {
            if let Err(error) = self.find_children(level, parent, &mut rows) {
                *self.level_mut(level) = Rows::default();
                return Err(error.into());
            }
        }
        rows.ready = true;
        *self.level_mut(level) = rows;
        if level == Level::MetricData {
            for parent in 0..parents as u32 {
                self.merge_metric_data(parent)?;
            }
        }
        Ok(())
    }

    /// Appends the rows that lie in the bytes of `parent`.
    fn find_children(&self, level: Level, parent: u32, rows: &mut Rows) -> Result<(), DecodeError> {
        let kind = self.type_of(level.parent(), parent);
        let first = rows.len() as u32;
        let place = self.level(level.parent()).place.get(parent as usize);
        if place == Some(&NONE) {
            rows.first.push(first);
            rows.count.push(0);
            return Ok(());
        }
        self.for_fields(level.parent(), parent, |field| {
            if level.is_field(kind, field.number) {
                if field.wire != WireType::Len {
                    let kind = crate::wire::DecodeErrorKind::WireType {
                        field: field.number,
                        message: "the message around it",
                    };
                    return Err(DecodeError::new((field.head & !ARENA) as usize, kind));
                }
                rows.push(&field);
                // Members of the metric's oneof differ in their number.
                if level == Level::MetricData {
                    rows.fill(parent, field.number);
                }
            }
            Ok(())
        })?;
        rows.fill(parent, level.field(kind).unwrap_or(0));
        rows.first.push(first);
        rows.count.push(rows.len() as u32 - first);
        Ok(())
    }

    /// A metric with several members of its oneof: the last counts, and pieces of the same
    /// one are merged ("Last One Wins"). Leaves one row, of several pieces; the others are
    /// dropped. This alone does not make the batch an edited one.
    fn merge_metric_data(&mut self, metric: u32) -> Result<(), Error> {
        let rows = self.level(Level::MetricData);
        let (Some(&first), Some(&count)) = (
            rows.first.get(metric as usize),
            rows.count.get(metric as usize),
        ) else {
            return Ok(());
        };
        if count < 2 || !self.is_live(Level::Item, metric) {
            return Ok(());
        }
        let edited = self.edited;
        let last = first + count - 1;
        let member = rows.field.get(last as usize).copied();
        let begin = (first..=last)
            .rev()
            .take_while(|row| rows.field.get(*row as usize).copied() == member)
            .last()
            .unwrap_or(last);
        let merged: Vec<Piece> = (begin..=last)
            .filter_map(|row| {
                let row = row as usize;
                Some(Piece::Run {
                    start: *rows.start.get(row)?,
                    end: *rows.end.get(row)?,
                })
            })
            .collect();
        self.touch(Level::MetricData, last)?;
        self.set_pieces(Level::MetricData, last, &merged)?;
        for row in first..last {
            if let Some(place) = self
                .level_mut(Level::MetricData)
                .place
                .get_mut(row as usize)
            {
                *place = NONE;
            }
        }
        self.edited = edited;
        Ok(())
    }

    /// Calls `found` for the rows of `level` that `parent` (of the level above) holds now,
    /// in order. The level must be loaded.
    pub(crate) fn for_children(&self, level: Level, parent: u32, mut found: impl FnMut(u32)) {
        let above = self.level(level.parent());
        let rows = self.level(level);
        let patch = above.patch.get(parent as usize).copied().unwrap_or(NONE);
        let exploded = self
            .patches
            .get(patch as usize)
            .is_some_and(|patch| patch.exploded >> level.index() & 1 == 1);
        if exploded {
            for piece in self.patch_pieces(patch) {
                if let Piece::Child {
                    level: at,
                    row,
                    place,
                } = *piece
                    && at == level
                    && rows.place.get(row as usize) == Some(&place)
                {
                    found(row);
                }
            }
        } else if let (Some(&first), Some(&count)) = (
            rows.first.get(parent as usize),
            rows.count.get(parent as usize),
        ) {
            (first..first + count).for_each(found);
        }
    }

    /// The rows of a level that are in the request now, in the order in which they would be
    /// written.
    ///
    /// # Errors
    /// [`Error::Decode`] when what is around such rows is not valid.
    pub fn rows(&mut self, level: Level) -> Result<Vec<u32>, Error> {
        self.load(level)?;
        if !self.restructured {
            return Ok((0..self.level(level).len() as u32)
                .filter(|row| self.level(level).place.get(*row as usize) != Some(&NONE))
                .collect());
        }
        let mut path: SmallVec<[Level; 8]> = SmallVec::new();
        let mut at = level;
        while at != Level::Request {
            path.push(at);
            at = at.parent();
        }
        let mut rows = vec![0];
        for level in path.into_iter().rev() {
            let mut below = Vec::new();
            for row in rows {
                self.for_children(level, row, |child| below.push(child));
            }
            rows = below;
        }
        Ok(rows)
    }

    /// The rows of `level` that this row of the level above (for data points: this metric)
    /// holds, in order.
    ///
    /// # Errors
    /// [`Error::Decode`] when what is around such rows is not valid.
    pub fn children(&mut self, level: Level, parent: u32) -> Result<Vec<u32>, Error> {
        self.load(level)?;
        let mut parent = parent;
        if level == Level::DataPoint {
            match self.metric_data(parent)? {
                Some(data) => parent = data,
                None => return Ok(Vec::new()),
            }
        }
        let mut rows = Vec::new();
        self.for_children(level, parent, |row| rows.push(row));
        Ok(rows)
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
            exploded: 0,
            lost: 0,
        });
        if let Some(slot) = self.level_mut(level).patch.get_mut(at) {
            *slot = patch;
        }
        Ok(patch)
    }

    fn next_piece(&self) -> Result<u32, Error> {
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
        if let [Piece::Run { start, end }] = *self.patch_pieces(patch) {
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
        Ok(())
    }

    /// The pieces of a row that had none: what most edits do to most rows.
    #[inline]
    fn first_pieces(&mut self, level: Level, row: u32, pieces: &[Piece]) -> Result<(), Error> {
        let rows = self.level(level);
        let Some(&parent) = rows.parent.get(row as usize) else {
            return Err(Error::NoRow(level, row));
        };
        self.explode(level, parent)?;
        self.edited = true;
        let patch = self.patches.len() as u32;
        let (first, len) = (self.next_piece()?, pieces.len() as u32);
        self.pieces.extend_from_slice(pieces);
        self.patches.push(Patch {
            first,
            len,
            cap: len,
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
        }
        Ok(())
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

    /// Appends a row whose field lies at these addresses, and those of the loaded levels
    /// within it.
    pub(crate) fn new_row(
        &mut self,
        level: Level,
        parent: u32,
        field: Found,
    ) -> Result<u32, Error> {
        let row = self.level(level).len() as u32;
        self.level_mut(level).push(&field);
        self.level_mut(level).fill(parent, field.number);
        self.load_below(level, row)?;
        Ok(row)
    }

    /// Appends the rows of the loaded levels below a row that was just appended.
    fn load_below(&mut self, level: Level, row: u32) -> Result<(), Error> {
        for below in level.children(self.signal) {
            if !self.level(*below).ready {
                continue;
            }
            let mut rows = std::mem::take(self.level_mut(*below));
            let first = rows.len() as u32;
            let found = self.find_children(*below, row, &mut rows);
            let count = rows.len() as u32 - first;
            *self.level_mut(*below) = rows;
            found?;
            if *below == Level::MetricData {
                self.merge_metric_data(row)?;
            }
            for child in first..first + count {
                self.load_below(*below, child)?;
            }
        }
        Ok(())
    }
}

/// The bytes between two addresses.
#[inline(always)]
pub(crate) fn bytes_at<'a>(payload: &'a [u8], arena: &'a [u8], start: u32, end: u32) -> &'a [u8] {
    let buf = if start & ARENA == 0 { payload } else { arena };
    buf.get((start & !ARENA) as usize..(end & !ARENA) as usize)
        .unwrap_or_default()
}

/// Copies a run to the end of the arena, in which it may itself lie.
#[inline]
pub(crate) fn copy_run(payload: &[u8], arena: &mut Vec<u8>, start: u32, end: u32) {
    let range = (start & !ARENA) as usize..(end & !ARENA) as usize;
    if start & ARENA == 0 {
        arena.extend_from_slice(payload.get(range).unwrap_or_default());
    } else if range.end <= arena.len() {
        arena.extend_from_within(range);
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
