//! Fields as Arrow columns over all rows of a level, several in one walk over each row.

use arrow_array::{
    ArrayRef,
    builder::{
        BooleanBuilder, FixedSizeBinaryBuilder, Float64Builder, Int32Builder, Int64Builder,
        UInt32Builder, UInt64Builder,
    },
};
use smallvec::SmallVec;
use std::sync::Arc;

use super::{
    Data, Error, Field, Level, MetricType,
    columns::Views,
    field_access::{Scan, raw_number},
    fields::Layout,
    pieces::Piece,
};
use crate::{Signal, wire::WireType};

impl Data {
    /// Several fields over all rows of a level, in one walk over each row. Rows where a field
    /// is not set, or that are not in the request, are null.
    ///
    /// Times are `UInt64`, counts and flags `UInt32`, enums `Int32`, ids `FixedSizeBinary`
    /// (null when not of their length), strings and messages `BinaryView` over the payload.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] when such entities do not have a field, [`Error::Decode`]
    /// when one is not valid.
    pub fn field_columns(
        &mut self,
        level: Level,
        fields: &[Field],
    ) -> Result<Vec<ArrayRef>, Error> {
        self.load(level)?;
        if self.signal == Signal::Metrics {
            self.load(Level::MetricData)?;
        }
        let rows = self.level(level).len();
        let mut builders: Vec<Builder> = Vec::with_capacity(fields.len());
        for field in fields {
            let layout =
                layout_of(self.signal, level, *field).ok_or(Error::NotApplicable(level))?;
            builders.push(Builder::new(layout, rows));
        }
        for row in 0..rows as u32 {
            let live = self.is_live(level, row);
            // One walk finds every plain field of the row.
            let mut scan = Scan::new();
            let kind = self.type_of(level, row);
            if live {
                let oneof = Field::ValueInt
                    .place(self.signal, level, kind)
                    .map_or(0, |place| place.oneof);
                self.for_fields(level, row, |field| {
                    scan.add(&field, oneof);
                    Ok(())
                })?;
            }
            for (field, builder) in fields.iter().zip(&mut builders) {
                if !live {
                    builder.push(self, None);
                    continue;
                }
                match field.place(self.signal, level, kind) {
                    Some(place) if place.sub.is_none() && !builder.repeated() => {
                        match scan.get(&place) {
                            Some((start, end, wire)) => {
                                self.value_at(&place, start, end, wire)?;
                                builder.push(self, Some((start, end, wire)));
                            }
                            None => builder.push(self, None),
                        }
                    }
                    _ => {
                        let found = match self.locate(level, row, *field) {
                            Ok((place, at, row)) => {
                                let pieces: SmallVec<[Piece; 16]> = match place.sub {
                                    Some(sub) => {
                                        SmallVec::from_slice(&self.sub_message(at, row, sub)?)
                                    }
                                    None => {
                                        let mut own = [Piece::Run { start: 0, end: 0 }];
                                        SmallVec::from_slice(self.pieces_of(at, row, &mut own))
                                    }
                                };
                                let found = self.read_place(&pieces, &place)?;
                                if let Some((start, end, wire)) = found {
                                    self.value_at(&place, start, end, wire)?;
                                }
                                found
                            }
                            Err(Error::NotApplicable(_)) => None,
                            Err(error) => return Err(error),
                        };
                        builder.push(self, found);
                    }
                }
            }
        }
        Ok(builders
            .into_iter()
            .map(|builder| builder.finish(self))
            .collect())
    }
}

/// The layout of a field at a level, whatever the type of the metric around.
fn layout_of(signal: Signal, level: Level, field: Field) -> Option<Layout> {
    [
        None,
        Some(MetricType::Sum),
        Some(MetricType::Histogram),
        Some(MetricType::ExponentialHistogram),
        Some(MetricType::Summary),
    ]
    .into_iter()
    .find_map(|kind| field.place(signal, level, kind))
    .map(|place| place.layout)
}

/// Builds the column of one field.
enum Builder {
    Uint32(UInt32Builder),
    Int32(Int32Builder, bool),
    Uint64(UInt64Builder),
    Int64(Int64Builder),
    Double(Float64Builder),
    Bool(BooleanBuilder),
    Id(FixedSizeBinaryBuilder, usize),
    Views(Views, bool),
}

impl Builder {
    fn new(layout: Layout, rows: usize) -> Builder {
        match layout {
            Layout::Uint32 | Layout::Fixed32 => Builder::Uint32(UInt32Builder::with_capacity(rows)),
            Layout::Enum => Builder::Int32(Int32Builder::with_capacity(rows), false),
            Layout::Sint32 => Builder::Int32(Int32Builder::with_capacity(rows), true),
            Layout::Fixed64 | Layout::Uint64 => Builder::Uint64(UInt64Builder::with_capacity(rows)),
            Layout::Sfixed64 | Layout::Int64 => Builder::Int64(Int64Builder::with_capacity(rows)),
            Layout::Double => Builder::Double(Float64Builder::with_capacity(rows)),
            Layout::Bool => Builder::Bool(BooleanBuilder::with_capacity(rows)),
            Layout::Id(len) => Builder::Id(
                FixedSizeBinaryBuilder::with_capacity(rows, i32::from(len)),
                usize::from(len),
            ),
            Layout::Bytes => Builder::Views(Views::new(rows), false),
            Layout::Message | Layout::Fixed64s | Layout::Varints | Layout::Messages => {
                Builder::Views(Views::new(rows), true)
            }
        }
    }

    fn repeated(&self) -> bool {
        matches!(self, Builder::Views(_, true))
    }

    fn push(&mut self, data: &Data, found: Option<(u32, u32, WireType)>) {
        let number = found.map(|(start, end, wire)| raw_number(data.bytes(start, end), wire));
        match self {
            Builder::Uint32(builder) => builder.append_option(number.map(|n| n as u32)),
            Builder::Int32(builder, false) => builder.append_option(number.map(|n| n as i32)),
            Builder::Int32(builder, true) => {
                builder.append_option(number.map(|n| ((n as u32) >> 1) as i32 ^ -((n & 1) as i32)))
            }
            Builder::Uint64(builder) => builder.append_option(number),
            Builder::Int64(builder) => builder.append_option(number.map(|n| n as i64)),
            Builder::Double(builder) => builder.append_option(number.map(f64::from_bits)),
            Builder::Bool(builder) => builder.append_option(number.map(|n| n != 0)),
            Builder::Id(builder, len) => {
                let id = found.map(|(start, end, _)| data.bytes(start, end));
                match id {
                    Some(id) if id.len() == *len && builder.append_value(id).is_ok() => {}
                    _ => builder.append_null(),
                }
            }
            Builder::Views(views, _) => match found {
                Some((start, end, _)) => views.push(data, start, end),
                None => views.push_null(),
            },
        }
    }

    fn finish(self, data: &Data) -> ArrayRef {
        match self {
            Builder::Uint32(mut builder) => Arc::new(builder.finish()),
            Builder::Int32(mut builder, _) => Arc::new(builder.finish()),
            Builder::Uint64(mut builder) => Arc::new(builder.finish()),
            Builder::Int64(mut builder) => Arc::new(builder.finish()),
            Builder::Double(mut builder) => Arc::new(builder.finish()),
            Builder::Bool(mut builder) => Arc::new(builder.finish()),
            Builder::Id(mut builder, _) => Arc::new(builder.finish()),
            Builder::Views(views, _) => Arc::new(views.finish(data)),
        }
    }
}
