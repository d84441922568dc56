//! Edits of the tree: entities dropped, added, copied, moved to another parent, reordered,
//! and metrics that change their type.

use super::{Data, Error, Level, MetricType, data::NONE, pieces::Piece, rows::Found, walk};
use crate::{
    Signal,
    wire::{Fields, WireType, put_bytes},
};

impl Data {
    /// Number of spans, data points, log records or profile samples now in the request.
    pub fn item_count(&self) -> usize {
        let mut items = 0;
        let mut rows = vec![0];
        for level in [Level::Resource, Level::Scope, Level::Item] {
            let mut below = Vec::with_capacity(rows.len());
            for row in rows {
                self.for_children(level, row, |child| below.push(child));
            }
            rows = below;
        }
        match self.signal {
            Signal::Traces | Signal::Logs => items += rows.len(),
            Signal::Metrics if self.level(Level::DataPoint).ready => {
                for metric in rows {
                    self.for_children(Level::MetricData, metric, |data| {
                        self.for_children(Level::DataPoint, data, |_| items += 1);
                    });
                }
            }
            Signal::Profiles if self.level(Level::Sample).ready => {
                for profile in rows {
                    self.for_children(Level::Sample, profile, |_| items += 1);
                }
            }
            Signal::Metrics | Signal::Profiles => {
                let (mut bytes, mut lengths) = (Vec::new(), Vec::new());
                for item in rows {
                    bytes.clear();
                    self.encode_row(Level::Item, item, &mut lengths, &mut bytes);
                    items += walk::weight(self.signal, &bytes);
                }
            }
        }
        items
    }

    /// Drops an entity with all that is in it. Resources and scopes that lose their last item
    /// this way are not written.
    ///
    /// # Errors
    /// [`Error::NoRow`] when it is not there (any more).
    pub fn drop_row(&mut self, level: Level, row: u32) -> Result<(), Error> {
        self.check_live(level, row)?;
        let parent = self
            .level(level)
            .parent
            .get(row as usize)
            .copied()
            .unwrap_or(NONE);
        self.explode(level, parent)?;
        self.lose(level, parent);
        self.put_place(level, row, NONE);
        self.restructured = true;
        Ok(())
    }

    /// Drops every selected entity for which `keep` is false, by row.
    ///
    /// # Errors
    /// [`Error::Decode`] when what is around such rows is not valid.
    pub fn retain_rows(
        &mut self,
        level: Level,
        mut keep: impl FnMut(u32) -> bool,
    ) -> Result<(), Error> {
        let mut last = NONE;
        for row in self.rows(level)? {
            if keep(row) {
                continue;
            }
            // Rows that follow each other are in one entity most often.
            let parent = self.level(level).parent.get(row as usize).copied();
            let parent = parent.unwrap_or(NONE);
            if parent != last {
                self.explode(level, parent)?;
                self.lose(level, parent);
                last = parent;
            }
            self.put_place(level, row, NONE);
            self.restructured = true;
        }
        Ok(())
    }

    /// Adds an entity at the end of a parent (of a data point: the metric; of a resource:
    /// row 0). `message` is the encoded message, with all that is in it.
    ///
    /// # Errors
    /// [`Error::NoRow`] without such a parent, [`Error::NotApplicable`] when it cannot hold
    /// such entities (a data point wants a metric with a type), [`Error::Decode`] when
    /// `message` is not valid.
    pub fn add_row(&mut self, level: Level, parent: u32, message: &[u8]) -> Result<u32, Error> {
        for field in Fields::all(message) {
            field?;
        }
        let (parent, number) = self.place_below(level, parent)?;
        let (head, end) = self.make(|out| put_bytes(out, number, message))?;
        self.attach(level, parent, number, head, end - message.len() as u32, end)
    }

    /// Adds a copy of an entity, as it is now, at the end of a parent.
    ///
    /// # Errors
    /// Those of [`Data::add_row`], and [`Error::NoRow`] when the entity is not there.
    pub fn copy_row(&mut self, level: Level, row: u32, parent: u32) -> Result<u32, Error> {
        self.check_live(level, row)?;
        self.check_points(level, row, parent)?;
        let mut message = Vec::new();
        let mut lengths = std::mem::take(&mut self.lengths);
        self.encode_row(level, row, &mut lengths, &mut message);
        self.lengths = lengths;
        self.add_row(level, parent, &message)
    }

    /// Moves an entity to the end of a parent, which can be the one it has.
    ///
    /// # Errors
    /// Those of [`Data::add_row`], [`Error::NoRow`] when the entity is not there,
    /// [`Error::PointType`] for a data point and a metric with other points.
    pub fn move_row(&mut self, level: Level, row: u32, parent: u32) -> Result<(), Error> {
        self.check_live(level, row)?;
        self.check_points(level, row, parent)?;
        let (parent, number) = self.place_below(level, parent)?;
        let old = self
            .level(level)
            .parent
            .get(row as usize)
            .copied()
            .unwrap_or(NONE);
        self.explode(level, old)?;
        if old != parent {
            self.lose(level, old);
            self.explode(level, parent)?;
        }
        let place = self.new_place();
        if self.level(level).field.get(row as usize) != Some(&(number as u8)) {
            // Its tag is another one there: it has to be written anew.
            self.touch(level, row)?;
            if let Some(field) = self.level_mut(level).field.get_mut(row as usize) {
                *field = number as u8;
            }
        }
        if let Some(slot) = self.level_mut(level).parent.get_mut(row as usize) {
            *slot = parent;
        }
        self.put_place(level, row, place);
        self.restructured = true;
        self.push_child(level, parent, row, place)
    }

    /// Puts the rows of `level` in a parent (of data points: the metric) into this order.
    /// Rows that `order` leaves out follow behind, in the order they have.
    ///
    /// # Errors
    /// [`Error::NoRow`] for a row that the parent does not hold, or that is named twice.
    pub fn reorder_rows(&mut self, level: Level, parent: u32, order: &[u32]) -> Result<(), Error> {
        let (parent, _) = self.place_below(level, parent)?;
        let patch = self.explode(level, parent)?;
        let place = self.new_place();
        let mut held = Vec::new();
        self.for_children(level, parent, |row| held.push(row));
        let mut before = Vec::with_capacity(order.len());
        for row in order {
            let at = *row as usize;
            let here = self.level(level).parent.get(at) == Some(&parent);
            let known = self.level(level).place.get(at).copied().unwrap_or(NONE);
            if !here || known == NONE || known == place {
                for (row, place) in before {
                    self.put_place(level, row, place);
                }
                return Err(Error::NoRow(level, *row));
            }
            before.push((*row, known));
            self.put_place(level, *row, place);
        }
        let mut children = order.to_vec();
        for row in held {
            if self.level(level).place.get(row as usize) != Some(&place) {
                self.put_place(level, row, place);
                children.push(row);
            }
        }
        let mut children = Some(
            children
                .into_iter()
                .map(|row| Piece::Child { level, row, place }),
        );
        let mut out = Vec::new();
        for piece in self.patch_pieces(patch) {
            match piece {
                Piece::Child { level: at, .. } if *at == level => {
                    out.extend(children.take().into_iter().flatten());
                }
                piece => out.push(*piece),
            }
        }
        self.restructured = true;
        self.set_pieces(level.parent(), parent, &out)
    }

    /// Changes the type of a metric, or gives it one. Data points stay as they are where both
    /// types have the same kind (gauge and sum), and are dropped otherwise; fields that the
    /// new type does not have go.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] for other signals, [`Error::NoRow`] when the metric is not
    /// there, [`Error::Decode`] when it is not valid.
    pub fn set_metric_type(&mut self, metric: u32, to: MetricType) -> Result<(), Error> {
        if self.signal != Signal::Metrics {
            return Err(Error::NotApplicable(Level::Item));
        }
        self.load(Level::DataPoint)?;
        self.check_live(Level::Item, metric)?;
        let Some(row) = self.metric_data(metric)? else {
            self.explode(Level::MetricData, metric)?;
            let number = to as u32;
            let (head, end) = self.make(|out| put_bytes(out, number, &[]))?;
            self.attach(Level::MetricData, metric, number, head, end, end)?;
            return Ok(());
        };
        let Some(from) = self.type_of(Level::MetricData, row) else {
            return Err(Error::NoRow(Level::Item, metric));
        };
        if from == to {
            return Ok(());
        }
        if !from.same_points(to) {
            for point in self.children(Level::DataPoint, metric)? {
                self.drop_row(Level::DataPoint, point)?;
            }
        }
        let drop = match to {
            MetricType::Gauge | MetricType::Summary => 0b1100,
            MetricType::Histogram | MetricType::ExponentialHistogram => 0b1000,
            MetricType::Sum => 0,
        };
        self.replace_fields(Level::MetricData, row, drop, None)?;
        if let Some(field) = self
            .level_mut(Level::MetricData)
            .field
            .get_mut(row as usize)
        {
            *field = to as u8;
        }
        Ok(())
    }

    pub(crate) fn check_live(&mut self, level: Level, row: u32) -> Result<(), Error> {
        self.load(level)?;
        if level == Level::Request || !self.is_live(level, row) {
            return Err(Error::NoRow(level, row));
        }
        Ok(())
    }

    /// Data points move only between metrics that have the same kind of them.
    fn check_points(&mut self, level: Level, row: u32, metric: u32) -> Result<(), Error> {
        if level != Level::DataPoint {
            return Ok(());
        }
        match (self.type_of(level, row), self.metric_type(metric)?) {
            (Some(a), Some(b)) if a.same_points(b) => Ok(()),
            _ => Err(Error::PointType),
        }
    }

    /// The row in which a new row of `level` would be, and its field number there.
    fn place_below(&mut self, level: Level, parent: u32) -> Result<(u32, u32), Error> {
        self.load(level)?;
        let mut parent = parent;
        if level == Level::DataPoint {
            self.check_live(Level::Item, parent)?;
            parent = self
                .metric_data(parent)?
                .ok_or(Error::NotApplicable(level))?;
        }
        let above = level.parent();
        if above != Level::Request {
            self.check_live(above, parent)?;
        } else if parent != 0 {
            return Err(Error::NoRow(above, parent));
        }
        let kind = self.type_of(above, parent);
        let number = level.field(kind).ok_or(Error::NotApplicable(level))?;
        Ok((parent, number))
    }

    fn attach(
        &mut self,
        level: Level,
        parent: u32,
        number: u32,
        head: u32,
        start: u32,
        end: u32,
    ) -> Result<u32, Error> {
        self.explode(level, parent)?;
        let place = self.new_place();
        let row = self.new_row(
            level,
            parent,
            Found {
                number,
                wire: WireType::Len,
                head,
                start,
                end,
            },
        )?;
        self.put_place(level, row, place);
        self.restructured = true;
        self.push_child(level, parent, row, place)?;
        Ok(row)
    }

    /// Adds a row behind the others of its level.
    fn push_child(&mut self, level: Level, parent: u32, row: u32, place: u32) -> Result<(), Error> {
        self.push_piece(level.parent(), parent, Piece::Child { level, row, place })
    }

    fn put_place(&mut self, level: Level, row: u32, place: u32) {
        if let Some(slot) = self.level_mut(level).place.get_mut(row as usize) {
            *slot = place;
        }
    }

    /// Notes that a parent lost a row of this level.
    fn lose(&mut self, level: Level, parent: u32) {
        let patch = self
            .level(level.parent())
            .patch
            .get(parent as usize)
            .copied()
            .unwrap_or(NONE);
        if let Some(patch) = self.patches.get_mut(patch as usize) {
            patch.lost |= 1 << level.index();
        }
    }
}
