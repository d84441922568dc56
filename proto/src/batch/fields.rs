//! The fields of entities: which there are, where each is encoded and how; reading and
//! writing one, and reading several as columns.

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
    Data, Error, Level, MetricType, Selection,
    columns::Views,
    data::{Found, Piece, each_field},
};
use crate::{
    Signal,
    wire::{
        DecodeError, DecodeErrorKind, WireType, put_bytes, put_fixed32, put_fixed64, put_uint,
        read_varint, zigzag,
    },
};

/// A field of an entity, named as in OTLP. What has it is in the name or said here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// Of a resource's or scope's list: `schema_url`.
    SchemaUrl,
    /// Of everything with attributes except metrics, data points and exemplars.
    DroppedAttributesCount,
    /// Of a resource: `entity_refs`, a list of messages.
    EntityRefs,
    /// Of a scope, span, event, metric.
    Name,
    /// Of a scope.
    Version,
    /// Of a span, link, log record, exemplar: 16 bytes.
    TraceId,
    /// Of a span, link, log record, exemplar: 8 bytes.
    SpanId,
    /// Of a span, link.
    TraceState,
    /// Of a span: 8 bytes.
    ParentSpanId,
    /// Of a span, link, log record, data point.
    Flags,
    /// Of a span: `SpanKind`.
    Kind,
    /// Of a span, data point: nanoseconds since 1970.
    StartTime,
    /// Of a span: nanoseconds since 1970.
    EndTime,
    /// Of a span.
    DroppedEventsCount,
    /// Of a span.
    DroppedLinksCount,
    /// Of a span: `status.code`.
    StatusCode,
    /// Of a span: `status.message`.
    StatusMessage,
    /// Of a log record, event, data point, exemplar: nanoseconds since 1970.
    Time,
    /// Of a log record: nanoseconds since 1970.
    ObservedTime,
    /// Of a log record: `SeverityNumber`.
    SeverityNumber,
    /// Of a log record.
    SeverityText,
    /// Of a log record: an encoded `AnyValue`.
    Body,
    /// Of a log record.
    EventName,
    /// Of a metric.
    Description,
    /// Of a metric.
    Unit,
    /// Of a metric that is a sum or histogram: `AggregationTemporality`.
    AggregationTemporality,
    /// Of a metric that is a sum.
    IsMonotonic,
    /// Of a number data point, exemplar; writing it clears [`Field::ValueInt`].
    ValueDouble,
    /// Of a number data point, exemplar; writing it clears [`Field::ValueDouble`].
    ValueInt,
    /// Of a histogram or summary data point.
    Count,
    /// Of a histogram or summary data point.
    Sum,
    /// Of a histogram data point.
    Min,
    /// Of a histogram data point.
    Max,
    /// Of an (explicit) histogram data point: eight bytes each, little-endian.
    BucketCounts,
    /// Of an (explicit) histogram data point: doubles, eight bytes each, little-endian.
    ExplicitBounds,
    /// Of an exponential histogram data point.
    Scale,
    /// Of an exponential histogram data point.
    ZeroCount,
    /// Of an exponential histogram data point.
    ZeroThreshold,
    /// Of an exponential histogram data point: `positive.offset`.
    PositiveOffset,
    /// Of an exponential histogram data point: `positive.bucket_counts`, varints.
    PositiveBucketCounts,
    /// Of an exponential histogram data point: `negative.offset`.
    NegativeOffset,
    /// Of an exponential histogram data point: `negative.bucket_counts`, varints.
    NegativeBucketCounts,
    /// Of a quantile: which one, 0 to 1.
    Quantile,
    /// Of a quantile: its value.
    QuantileValue,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FieldValue<'a> {
    /// An unsigned number: counts, times, flags.
    Uint(u64),
    /// A signed number: enums, integers.
    Int(i64),
    /// A double.
    Double(f64),
    /// A boolean.
    Bool(bool),
    /// A string (it need not be UTF-8) or bytes.
    Bytes(&'a [u8]),
    /// A nested message, encoded.
    Message(&'a [u8]),
    /// A list of numbers, packed as the field says.
    Packed(&'a [u8]),
    /// A list of messages: fields of the right number, encoded with their tags.
    Fields(&'a [u8]),
}

/// How a field is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Uint32,
    Enum,
    Sint32,
    Fixed32,
    Fixed64,
    Sfixed64,
    Double,
    Bool,
    Bytes,
    /// An id of so many bytes.
    Id(u8),
    Message,
    /// Repeated eight-byte numbers.
    Fixed64s,
    /// Repeated varints.
    Varints,
    Messages,
}

/// Where a field is encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// In the metric's data instead of the metric.
    in_data: bool,
    /// In this message of the entity instead of the entity.
    sub: Option<u32>,
    pub number: u32,
    pub layout: Layout,
    /// Bit set of the members of its oneof.
    oneof: u32,
}

impl Field {
    /// Every field.
    pub const ALL: [Field; 44] = {
        use Field::*;
        [
            SchemaUrl,
            DroppedAttributesCount,
            EntityRefs,
            Name,
            Version,
            TraceId,
            SpanId,
            TraceState,
            ParentSpanId,
            Flags,
            Kind,
            StartTime,
            EndTime,
            DroppedEventsCount,
            DroppedLinksCount,
            StatusCode,
            StatusMessage,
            Time,
            ObservedTime,
            SeverityNumber,
            SeverityText,
            Body,
            EventName,
            Description,
            Unit,
            AggregationTemporality,
            IsMonotonic,
            ValueDouble,
            ValueInt,
            Count,
            Sum,
            Min,
            Max,
            BucketCounts,
            ExplicitBounds,
            Scale,
            ZeroCount,
            ZeroThreshold,
            PositiveOffset,
            PositiveBucketCounts,
            NegativeOffset,
            NegativeBucketCounts,
            Quantile,
            QuantileValue,
        ]
    };

    /// Whether such an entity has this field. `kind` is the type of the metric, for metrics
    /// and what is in them.
    pub fn exists(self, signal: Signal, level: Level, kind: Option<MetricType>) -> bool {
        self.place(signal, level, kind).is_some()
    }

    pub(crate) fn place(
        self,
        signal: Signal,
        level: Level,
        kind: Option<MetricType>,
    ) -> Option<Place> {
        use Layout::*;
        let own = |number, layout| {
            Some(Place {
                in_data: false,
                sub: None,
                number,
                layout,
                oneof: 0,
            })
        };
        let sub = |sub, number, layout| {
            Some(Place {
                in_data: false,
                sub: Some(sub),
                number,
                layout,
                oneof: 0,
            })
        };
        let data = |number, layout| {
            Some(Place {
                in_data: true,
                sub: None,
                number,
                layout,
                oneof: 0,
            })
        };
        let one = |number, layout, oneof| {
            Some(Place {
                in_data: false,
                sub: None,
                number,
                layout,
                oneof,
            })
        };
        match (level, signal) {
            (Level::Resource, _) => match self {
                Field::SchemaUrl => own(3, Bytes),
                Field::DroppedAttributesCount => sub(1, 2, Uint32),
                Field::EntityRefs => sub(1, 3, Messages),
                _ => None,
            },
            (Level::Scope, _) => match self {
                Field::SchemaUrl => own(3, Bytes),
                Field::Name => sub(1, 1, Bytes),
                Field::Version => sub(1, 2, Bytes),
                Field::DroppedAttributesCount => sub(1, 4, Uint32),
                _ => None,
            },
            (Level::Item, Signal::Traces) => match self {
                Field::TraceId => own(1, Id(16)),
                Field::SpanId => own(2, Id(8)),
                Field::TraceState => own(3, Bytes),
                Field::ParentSpanId => own(4, Id(8)),
                Field::Name => own(5, Bytes),
                Field::Kind => own(6, Enum),
                Field::StartTime => own(7, Fixed64),
                Field::EndTime => own(8, Fixed64),
                Field::DroppedAttributesCount => own(10, Uint32),
                Field::DroppedEventsCount => own(12, Uint32),
                Field::DroppedLinksCount => own(14, Uint32),
                Field::StatusMessage => sub(15, 2, Bytes),
                Field::StatusCode => sub(15, 3, Enum),
                Field::Flags => own(16, Fixed32),
                _ => None,
            },
            (Level::Item, Signal::Logs) => match self {
                Field::Time => own(1, Fixed64),
                Field::SeverityNumber => own(2, Enum),
                Field::SeverityText => own(3, Bytes),
                Field::Body => own(5, Message),
                Field::DroppedAttributesCount => own(7, Uint32),
                Field::Flags => own(8, Fixed32),
                Field::TraceId => own(9, Id(16)),
                Field::SpanId => own(10, Id(8)),
                Field::ObservedTime => own(11, Fixed64),
                Field::EventName => own(12, Bytes),
                _ => None,
            },
            (Level::Item, Signal::Metrics) => match (self, kind) {
                (Field::Name, _) => own(1, Bytes),
                (Field::Description, _) => own(2, Bytes),
                (Field::Unit, _) => own(3, Bytes),
                (
                    Field::AggregationTemporality,
                    Some(
                        MetricType::Sum | MetricType::Histogram | MetricType::ExponentialHistogram,
                    ),
                ) => data(2, Enum),
                (Field::IsMonotonic, Some(MetricType::Sum)) => data(3, Bool),
                _ => None,
            },
            (Level::Event, _) => match self {
                Field::Time => own(1, Fixed64),
                Field::Name => own(2, Bytes),
                Field::DroppedAttributesCount => own(4, Uint32),
                _ => None,
            },
            (Level::Link, _) => match self {
                Field::TraceId => own(1, Id(16)),
                Field::SpanId => own(2, Id(8)),
                Field::TraceState => own(3, Bytes),
                Field::DroppedAttributesCount => own(5, Uint32),
                Field::Flags => own(6, Fixed32),
                _ => None,
            },
            (Level::DataPoint, _) => match (self, kind?) {
                (Field::StartTime, _) => own(2, Fixed64),
                (Field::Time, _) => own(3, Fixed64),
                (Field::ValueDouble, MetricType::Gauge | MetricType::Sum) => one(4, Double, 0x50),
                (Field::ValueInt, MetricType::Gauge | MetricType::Sum) => one(6, Sfixed64, 0x50),
                (_, MetricType::Gauge | MetricType::Sum) if self != Field::Flags => None,
                (Field::Flags, MetricType::Histogram | MetricType::ExponentialHistogram) => {
                    own(10, Uint32)
                }
                (Field::Flags, _) => own(8, Uint32),
                (Field::Count, _) => own(4, Fixed64),
                (Field::Sum, _) => own(5, Double),
                (Field::BucketCounts, MetricType::Histogram) => own(6, Fixed64s),
                (Field::ExplicitBounds, MetricType::Histogram) => own(7, Fixed64s),
                (Field::Min, MetricType::Histogram) => own(11, Double),
                (Field::Max, MetricType::Histogram) => own(12, Double),
                (Field::Scale, MetricType::ExponentialHistogram) => own(6, Sint32),
                (Field::ZeroCount, MetricType::ExponentialHistogram) => own(7, Fixed64),
                (Field::Min, MetricType::ExponentialHistogram) => own(12, Double),
                (Field::Max, MetricType::ExponentialHistogram) => own(13, Double),
                (Field::ZeroThreshold, MetricType::ExponentialHistogram) => own(14, Double),
                (Field::PositiveOffset, MetricType::ExponentialHistogram) => sub(8, 1, Sint32),
                (Field::PositiveBucketCounts, MetricType::ExponentialHistogram) => {
                    sub(8, 2, Varints)
                }
                (Field::NegativeOffset, MetricType::ExponentialHistogram) => sub(9, 1, Sint32),
                (Field::NegativeBucketCounts, MetricType::ExponentialHistogram) => {
                    sub(9, 2, Varints)
                }
                _ => None,
            },
            (Level::Exemplar, _) => match self {
                Field::Time => own(2, Fixed64),
                Field::ValueDouble => one(3, Double, 0x48),
                Field::SpanId => own(4, Id(8)),
                Field::TraceId => own(5, Id(16)),
                Field::ValueInt => one(6, Sfixed64, 0x48),
                _ => None,
            },
            (Level::Quantile, _) => match self {
                Field::Quantile => own(1, Double),
                Field::QuantileValue => own(2, Double),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The fields of one message, the last of each number.
struct Scan {
    seen: u32,
    at: [(u32, u32); 32],
    wires: [WireType; 32],
    /// The oneof member that came last, of those in the bit set.
    last: u32,
    again: u32,
}

impl Scan {
    fn new() -> Scan {
        Scan {
            seen: 0,
            at: [(0, 0); 32],
            wires: [WireType::Len; 32],
            last: 0,
            again: 0,
        }
    }

    #[inline(always)]
    fn add(&mut self, field: &Found, oneof: u32) {
        if let (Some(at), Some(wire)) = (
            self.at.get_mut(field.number as usize),
            self.wires.get_mut(field.number as usize),
        ) {
            let bit = 1 << field.number;
            *at = (field.start, field.end);
            *wire = field.wire;
            self.again |= self.seen & bit;
            self.seen |= bit;
            if oneof & bit != 0 {
                self.last = field.number;
            }
        }
    }

    /// Where the value of a scalar or bytes field lies.
    fn get(&self, place: &Place) -> Option<(u32, u32, WireType)> {
        if self.seen >> place.number & 1 == 0 || place.oneof != 0 && self.last != place.number {
            return None;
        }
        let (start, end) = *self.at.get(place.number as usize)?;
        Some((start, end, *self.wires.get(place.number as usize)?))
    }
}

impl Data {
    /// The place of a field, and the row (of the metric's data, say) that has it.
    fn locate(
        &mut self,
        level: Level,
        row: u32,
        field: Field,
    ) -> Result<(Place, Level, u32), Error> {
        let kind = match (level, self.signal) {
            (Level::Item, Signal::Metrics)
                if matches!(field, Field::AggregationTemporality | Field::IsMonotonic) =>
            {
                self.metric_type(row)?
            }
            _ => self.type_of(level, row),
        };
        let place = field
            .place(self.signal, level, kind)
            .ok_or(Error::NotApplicable(level))?;
        if place.in_data {
            let data = self.metric_data(row)?.ok_or(Error::NotApplicable(level))?;
            return Ok((place, Level::MetricData, data));
        }
        Ok((place, level, row))
    }

    /// The value of a field of a row; `None` when it is not set (a proto3 field without
    /// presence then has its default value).
    ///
    /// # Errors
    /// [`Error::NotApplicable`] when such entities do not have it, [`Error::NoRow`],
    /// [`Error::Decode`] when the entity is not valid.
    pub fn field(
        &mut self,
        level: Level,
        row: u32,
        field: Field,
    ) -> Result<Option<FieldValue<'_>>, Error> {
        self.check_live(level, row)?;
        let (place, level, row) = self.locate(level, row, field)?;
        let pieces: SmallVec<[Piece; 16]> = match place.sub {
            Some(sub) => SmallVec::from_slice(&self.sub_message(level, row, sub)?),
            None => {
                let mut own = [Piece::Run { start: 0, end: 0 }];
                SmallVec::from_slice(self.pieces_of(level, row, &mut own))
            }
        };
        let Some((start, end, wire)) = self.read_place(&pieces, &place)? else {
            return Ok(None);
        };
        self.value_at(&place, start, end, wire).map(Some)
    }

    /// Where the value is; lists and messages in several pieces are put together in the arena.
    fn read_place(
        &mut self,
        pieces: &[Piece],
        place: &Place,
    ) -> Result<Option<(u32, u32, WireType)>, Error> {
        let mut found: SmallVec<[Found; 4]> = SmallVec::new();
        let mut scan = Scan::new();
        let repeated = matches!(
            place.layout,
            Layout::Message | Layout::Messages | Layout::Fixed64s | Layout::Varints
        );
        for piece in pieces {
            if let Piece::Run { start, end } = *piece {
                each_field(&self.payload, &self.arena, start, end, |field| {
                    scan.add(&field, place.oneof);
                    if repeated && field.number == place.number {
                        found.push(field);
                    }
                    Ok(())
                })?;
            }
        }
        if !repeated {
            return Ok(scan.get(place));
        }
        match found.as_slice() {
            [] => Ok(None),
            [one] if one.wire == WireType::Len && place.layout != Layout::Messages => {
                Ok(Some((one.start, one.end, WireType::Len)))
            }
            [one] if place.layout == Layout::Messages => {
                Ok(Some((one.head, one.end, WireType::Len)))
            }
            many => {
                let mut bytes = Vec::new();
                for field in many {
                    let from = if place.layout == Layout::Messages {
                        field.head
                    } else {
                        field.start
                    };
                    bytes.extend_from_slice(self.bytes(from, field.end));
                }
                let (start, end) = self.make(|out| out.extend_from_slice(&bytes))?;
                Ok(Some((start, end, WireType::Len)))
            }
        }
    }

    fn value_at(
        &self,
        place: &Place,
        start: u32,
        end: u32,
        wire: WireType,
    ) -> Result<FieldValue<'_>, Error> {
        let bytes = self.bytes(start, end);
        let number = || raw_number(bytes, wire);
        let wrong = || {
            let offset = (start & !super::data::ARENA) as usize;
            let kind = DecodeErrorKind::WireType {
                field: place.number,
                message: "the entity",
            };
            Error::Decode(DecodeError::new(offset, kind))
        };
        let wants = match place.layout {
            Layout::Uint32 | Layout::Enum | Layout::Sint32 | Layout::Bool => WireType::Varint,
            Layout::Fixed32 => WireType::Fixed32,
            Layout::Fixed64 | Layout::Sfixed64 | Layout::Double => WireType::Fixed64,
            _ => WireType::Len,
        };
        if wire != wants {
            return Err(wrong());
        }
        Ok(match place.layout {
            Layout::Uint32 => FieldValue::Uint(u64::from(number() as u32)),
            Layout::Fixed32 | Layout::Fixed64 => FieldValue::Uint(number()),
            Layout::Enum => FieldValue::Int(i64::from(number() as i32)),
            Layout::Sint32 => {
                let coded = number() as u32;
                FieldValue::Int(i64::from((coded >> 1) as i32 ^ -((coded & 1) as i32)))
            }
            Layout::Sfixed64 => FieldValue::Int(number() as i64),
            Layout::Double => FieldValue::Double(f64::from_bits(number())),
            Layout::Bool => FieldValue::Bool(number() != 0),
            Layout::Bytes | Layout::Id(_) => FieldValue::Bytes(bytes),
            Layout::Message => FieldValue::Message(bytes),
            Layout::Fixed64s | Layout::Varints => FieldValue::Packed(bytes),
            Layout::Messages => FieldValue::Fields(bytes),
        })
    }

    /// Sets a field of a row, or clears it. Setting a member of a oneof clears the others.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] when such entities do not have the field or `value` is not of
    /// its type, [`Error::NoRow`], [`Error::Decode`] when the entity is not valid.
    pub fn set_field(
        &mut self,
        level: Level,
        row: u32,
        field: Field,
        value: Option<FieldValue<'_>>,
    ) -> Result<(), Error> {
        self.check_live(level, row)?;
        let (place, level, row) = self.locate(level, row, field)?;
        let new = match value {
            Some(value) => Some(self.make_field(level, &place, value)?),
            None => None,
        };
        let numbers = place.oneof | 1 << place.number;
        match place.sub {
            // Clearing one member must not clear another.
            None if new.is_none() => self.replace_fields(level, row, 1 << place.number, None),
            None => self.replace_fields(level, row, numbers, new),
            Some(sub) => {
                let bodies = self.sub_message(level, row, sub)?;
                if bodies.is_empty() && new.is_none() {
                    return Ok(());
                }
                let mut out: SmallVec<[Piece; 16]> = SmallVec::new();
                for piece in &bodies {
                    let Piece::Run { start, end } = *piece else {
                        continue;
                    };
                    each_field(&self.payload, &self.arena, start, end, |field| {
                        if field.number != place.number {
                            match out.last_mut() {
                                Some(Piece::Run { end, .. }) if *end == field.head => {
                                    *end = field.end
                                }
                                _ => out.push(Piece::Run {
                                    start: field.head,
                                    end: field.end,
                                }),
                            }
                        }
                        Ok(())
                    })?;
                }
                out.extend(new.map(|(start, end)| Piece::Run { start, end }));
                let message = self.make_message(sub, &out)?;
                self.replace_fields(level, row, 1 << sub, Some(message))
            }
        }
    }

    /// Sets a field of many rows: `value` says for each what it becomes; `None` clears it.
    ///
    /// # Errors
    /// Those of [`Data::set_field`].
    pub fn set_fields<'v>(
        &mut self,
        level: Level,
        rows: Selection<'_>,
        field: Field,
        mut value: impl FnMut(u32) -> Option<FieldValue<'v>>,
    ) -> Result<(), Error> {
        self.for_selected(level, rows, |data, row| {
            data.set_field(level, row, field, value(row))
        })
    }

    fn make_field(
        &mut self,
        level: Level,
        place: &Place,
        value: FieldValue<'_>,
    ) -> Result<(u32, u32), Error> {
        let number = place.number;
        let refused = Err(Error::NotApplicable(level));
        match (place.layout, value) {
            (Layout::Uint32, FieldValue::Uint(value)) if value <= u64::from(u32::MAX) => {
                self.make(|out| put_uint(out, number, value))
            }
            (Layout::Enum, FieldValue::Int(value)) if i32::try_from(value).is_ok() => {
                self.make(|out| put_uint(out, number, value as u64))
            }
            (Layout::Sint32, FieldValue::Int(value)) if i32::try_from(value).is_ok() => {
                self.make(|out| put_uint(out, number, zigzag(value)))
            }
            (Layout::Fixed32, FieldValue::Uint(value)) => match u32::try_from(value) {
                Ok(value) => self.make(|out| put_fixed32(out, number, value)),
                Err(_) => refused,
            },
            (Layout::Fixed64, FieldValue::Uint(value)) => {
                self.make(|out| put_fixed64(out, number, value))
            }
            (Layout::Sfixed64, FieldValue::Int(value)) => {
                self.make(|out| put_fixed64(out, number, value as u64))
            }
            (Layout::Double, FieldValue::Double(value)) => {
                self.make(|out| put_fixed64(out, number, value.to_bits()))
            }
            (Layout::Bool, FieldValue::Bool(value)) => {
                self.make(|out| put_uint(out, number, value.into()))
            }
            (Layout::Bytes | Layout::Id(_), FieldValue::Bytes(value))
            | (Layout::Message, FieldValue::Message(value)) => {
                self.make(|out| put_bytes(out, number, value))
            }
            (Layout::Fixed64s, FieldValue::Packed(value)) if value.len() % 8 == 0 => {
                self.make(|out| put_bytes(out, number, value))
            }
            (Layout::Varints, FieldValue::Packed(value)) if is_varints(value) => {
                self.make(|out| put_bytes(out, number, value))
            }
            (Layout::Messages, FieldValue::Fields(value))
                if crate::wire::Fields::all(value).all(|field| {
                    field.is_ok_and(|f| f.number == number && f.wire == WireType::Len)
                }) =>
            {
                self.make(|out| out.extend_from_slice(value))
            }
            _ => refused,
        }
    }

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

fn is_varints(bytes: &[u8]) -> bool {
    let mut pos = 0;
    while pos < bytes.len() {
        match read_varint(bytes, pos) {
            Some((_, next)) => pos = next,
            None => return false,
        }
    }
    true
}

fn raw_number(bytes: &[u8], wire: WireType) -> u64 {
    match wire {
        WireType::Varint => read_varint(bytes, 0).map_or(0, |(value, _)| value),
        WireType::Fixed64 => bytes.try_into().map_or(0, u64::from_le_bytes),
        WireType::Fixed32 => bytes
            .try_into()
            .map_or(0, |bytes| u32::from_le_bytes(bytes).into()),
        _ => 0,
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
            Layout::Fixed64 => Builder::Uint64(UInt64Builder::with_capacity(rows)),
            Layout::Sfixed64 => Builder::Int64(Int64Builder::with_capacity(rows)),
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
