//! The rows of the levels: found in the bytes when they are first asked for, appended when
//! entities are added, and how they hang together.

use smallvec::SmallVec;

use super::{
    Data, Error, Level, MetricType, Selection,
    data::{ARENA, NONE},
    pieces::Piece,
};
use crate::{
    Signal,
    wire::{DecodeError, DecodeErrorKind, Field, WireType},
};

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
    pub fn push(&mut self, field: &Found) {
        self.head.push(field.head);
        self.start.push(field.start);
        self.end.push(field.end);
    }

    /// The columns that are the same for all rows just appended.
    #[inline]
    pub fn fill(&mut self, parent: u32, number: u32) {
        let len = self.start.len();
        self.parent.resize(len, parent);
        self.field.resize(len, number as u8);
        self.patch.resize(len, NONE);
        self.place.resize(len, 0);
    }

    pub fn reserve(&mut self, more: usize) {
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

impl Data {
    /// Finds the rows of a level, and of those above it, and does what edits have put off:
    /// whatever looks at a row, or changes one, begins here.
    #[inline]
    pub(crate) fn load(&mut self, level: Level) -> Result<(), Error> {
        if self.deferred.is_some() {
            self.settle()?;
        }
        if self.level(level).ready {
            return Ok(());
        }
        self.load_new(level)
    }

    fn load_new(&mut self, level: Level) -> Result<(), Error> {
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
                    let kind = DecodeErrorKind::WireType {
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

    /// Whether a row, and all it is in, is in the request.
    #[inline]
    pub(crate) fn is_live(&self, level: Level, row: u32) -> bool {
        let (mut level, mut row) = (level, row);
        loop {
            let rows = self.level(level);
            match rows.place.get(row as usize) {
                Some(&NONE) | None => return false,
                Some(_) if level == Level::Request || !self.restructured => return true,
                Some(_) => {}
            }
            row = rows.parent.get(row as usize).copied().unwrap_or(NONE);
            level = level.parent();
        }
    }

    /// Calls `edit` for every selected row that is in the request.
    pub(crate) fn for_selected(
        &mut self,
        level: Level,
        rows: Selection<'_>,
        mut edit: impl FnMut(&mut Data, u32) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.load(level)?;
        match rows {
            Selection::Rows(rows) => {
                for row in rows {
                    if self.is_live(level, *row) {
                        edit(self, *row)?;
                    }
                }
            }
            Selection::All if !self.restructured => {
                for row in 0..self.level(level).len() as u32 {
                    if self.level(level).place.get(row as usize) != Some(&NONE) {
                        edit(self, row)?;
                    }
                }
            }
            Selection::All => {
                for row in self.rows(level)? {
                    edit(self, row)?;
                }
            }
        }
        Ok(())
    }
}
