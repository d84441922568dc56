//! The fields of entities: which there are, where each is encoded and how. Reading and writing
//! them is in `field_access`, columns of them in `field_columns`.

use super::{Level, MetricType};
use crate::Signal;

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
    /// Of a log record, event, data point, exemplar, profile: nanoseconds since 1970.
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
    /// Of a profile: nanoseconds.
    Duration,
    /// Of a profile: 16 bytes.
    ProfileId,
    /// Of a profile: `sample_type.type_strindex`.
    SampleType,
    /// Of a profile: `sample_type.unit_strindex`.
    SampleUnit,
    /// Of a profile: `period_type.type_strindex`.
    PeriodType,
    /// Of a profile: `period_type.unit_strindex`.
    PeriodUnit,
    /// Of a profile: the time between two samples, in units of [`Field::PeriodUnit`].
    Period,
    /// Of a profile.
    OriginalPayloadFormat,
    /// Of a profile.
    OriginalPayload,
    /// Of a profile, sample: varints. What they stand for is read as attributes.
    AttributeIndices,
    /// Of a sample.
    StackIndex,
    /// Of a sample.
    LinkIndex,
    /// Of a sample: varints.
    SampleValues,
    /// Of a sample: nanoseconds since 1970, eight bytes each, little-endian.
    Timestamps,
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
    /// 32 bits with sign: an enum, an index.
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
    /// A varint without sign.
    Uint64,
    /// A varint with sign.
    Int64,
}

/// Where a field is encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// In the metric's data instead of the metric.
    pub in_data: bool,
    /// In this message of the entity instead of the entity.
    pub sub: Option<u32>,
    pub number: u32,
    pub layout: Layout,
    /// Bit set of the members of its oneof.
    pub oneof: u32,
}

impl Field {
    /// Every field.
    pub const ALL: [Field; 58] = {
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
            Duration,
            ProfileId,
            SampleType,
            SampleUnit,
            PeriodType,
            PeriodUnit,
            Period,
            OriginalPayloadFormat,
            OriginalPayload,
            AttributeIndices,
            StackIndex,
            LinkIndex,
            SampleValues,
            Timestamps,
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
            (Level::Item, Signal::Profiles) => match self {
                Field::SampleType => sub(1, 1, Enum),
                Field::SampleUnit => sub(1, 2, Enum),
                Field::Time => own(3, Fixed64),
                Field::Duration => own(4, Uint64),
                Field::PeriodType => sub(5, 1, Enum),
                Field::PeriodUnit => sub(5, 2, Enum),
                Field::Period => own(6, Int64),
                Field::ProfileId => own(7, Id(16)),
                Field::DroppedAttributesCount => own(8, Uint32),
                Field::OriginalPayloadFormat => own(9, Bytes),
                Field::OriginalPayload => own(10, Bytes),
                Field::AttributeIndices => own(11, Varints),
                _ => None,
            },
            (Level::Sample, _) => match self {
                Field::StackIndex => own(1, Enum),
                Field::AttributeIndices => own(2, Varints),
                Field::LinkIndex => own(3, Enum),
                Field::SampleValues => own(4, Varints),
                Field::Timestamps => own(5, Fixed64s),
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
