//! The OTAP tables as static data: which column of which table holds which field of
//! which OTLP message. Transcribed from section 5 of `docs/otap-spec.md` in
//! open-telemetry/otel-arrow; `write` and `read` are both driven by it.

use super::PayloadType;
use crate::Signal;

/// What a column holds, and the protobuf type of its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `fixed64` nanoseconds since 1970, as a timestamp.
    Time,
    /// The span's `fixed64` end time, as a duration since its start.
    Duration,
    /// `int32` or an enum.
    Int32,
    /// `sint32`.
    Sint32,
    /// `uint32`.
    Uint32,
    /// `fixed32`, as an unsigned integer.
    Fixed32,
    /// `fixed64`, as an unsigned integer.
    Fixed64,
    /// `sfixed64`.
    Sfixed64,
    Double,
    Bool,
    /// UTF-8 text.
    Text,
    /// UTF-8 text for which the table permits a dictionary.
    Words,
    /// An id of that many bytes.
    Id(i32),
    /// `repeated double`.
    Doubles,
    /// `repeated fixed64`, as unsigned integers.
    Counts,
    /// `repeated uint64`.
    Varints,
    /// The quantiles of a summary: a list of two doubles each.
    Quantiles,
}

/// When a column has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// Always: the column is not nullable.
    Required,
    /// Where the field is not its type's zero.
    NonZero,
    /// Where the field is there.
    Explicit,
    /// As `Explicit`, and setting it clears the row's other members.
    Oneof,
}

/// A column and the field that it holds.
pub(super) struct Column {
    pub name: &'static str,
    pub field: u32,
    pub kind: Kind,
    pub presence: Presence,
}

/// A message field whose own fields are the columns of a struct.
pub(super) struct Struct {
    pub name: &'static str,
    pub field: u32,
    pub columns: &'static [Column],
}

/// A message with a table of its own.
pub(super) struct Entity {
    pub payload: PayloadType,
    pub columns: &'static [Column],
    pub structs: &'static [Struct],
    /// The field that is a log record's body.
    pub body: Option<u32>,
    /// The field of the attributes, and their table.
    pub attributes: (u32, PayloadType),
    /// Fields whose messages have tables of their own.
    pub children: &'static [(u32, &'static Entity)],
}

/// The most columns a table of the model has, structs apart.
pub(super) const MAX_COLUMNS: usize = 12;

macro_rules! columns {
    ($($name:literal $field:literal $kind:expr, $presence:ident;)*) => {
        &[$(Column { name: $name, field: $field, kind: $kind, presence: Presence::$presence }),*]
    };
}

use Kind::{
    Counts, Double, Doubles, Duration, Fixed32, Fixed64, Id, Int32, Quantiles, Sfixed64, Sint32,
    Text, Time, Uint32, Varints, Words,
};

static LOGS: Entity = Entity {
    payload: PayloadType::Logs,
    columns: columns! {
        "time_unix_nano" 1 Time, NonZero;
        "observed_time_unix_nano" 11 Time, NonZero;
        "trace_id" 9 Id(16), NonZero;
        "span_id" 10 Id(8), NonZero;
        "severity_number" 2 Int32, NonZero;
        "severity_text" 3 Words, NonZero;
        "event_name" 12 Words, NonZero;
        "dropped_attributes_count" 7 Uint32, NonZero;
        "flags" 8 Fixed32, NonZero;
    },
    structs: &[],
    body: Some(5),
    attributes: (6, PayloadType::LogAttrs),
    children: &[],
};

static SPANS: Entity = Entity {
    payload: PayloadType::Spans,
    columns: columns! {
        "start_time_unix_nano" 7 Time, Required;
        "duration_time_unix_nano" 8 Duration, Required;
        "trace_id" 1 Id(16), Required;
        "span_id" 2 Id(8), Required;
        "trace_state" 3 Text, NonZero;
        "parent_span_id" 4 Id(8), NonZero;
        "name" 5 Text, Required;
        "kind" 6 Int32, NonZero;
        "dropped_attributes_count" 10 Uint32, NonZero;
        "dropped_events_count" 12 Uint32, NonZero;
        "dropped_links_count" 14 Uint32, NonZero;
        "flags" 16 Fixed32, NonZero;
    },
    structs: &[Struct {
        name: "status",
        field: 15,
        columns: columns! {
            "code" 3 Int32, NonZero;
            "status_message" 2 Words, NonZero;
        },
    }],
    body: None,
    attributes: (9, PayloadType::SpanAttrs),
    children: &[(11, &SPAN_EVENTS), (13, &SPAN_LINKS)],
};

static SPAN_EVENTS: Entity = Entity {
    payload: PayloadType::SpanEvents,
    columns: columns! {
        "time_unix_nano" 1 Time, NonZero;
        "name" 2 Text, Required;
        "dropped_attributes_count" 4 Uint32, NonZero;
    },
    structs: &[],
    body: None,
    attributes: (3, PayloadType::SpanEventAttrs),
    children: &[],
};

static SPAN_LINKS: Entity = Entity {
    payload: PayloadType::SpanLinks,
    columns: columns! {
        "trace_id" 1 Id(16), Required;
        "span_id" 2 Id(8), Required;
        "trace_state" 3 Text, NonZero;
        "dropped_attributes_count" 5 Uint32, NonZero;
        "flags" 6 Fixed32, NonZero;
    },
    structs: &[],
    body: None,
    attributes: (4, PayloadType::SpanLinkAttrs),
    children: &[],
};

/// The columns of a metric's data stand in its own table; see [`METRIC_DATA`].
static METRICS: Entity = Entity {
    payload: PayloadType::UnivariateMetrics,
    columns: columns! {
        "name" 1 Text, Required;
        "description" 2 Text, NonZero;
        "unit" 3 Text, NonZero;
    },
    structs: &[],
    body: None,
    attributes: (12, PayloadType::MetricAttrs),
    children: &[],
};

/// A type of metric.
pub(super) struct MetricData {
    /// The member of the oneof `data`.
    pub field: u32,
    /// The number in the column `metric_type`; 0 is no data.
    pub metric_type: u8,
    /// The table of its points, which are field 1 of each type.
    pub points: &'static Entity,
    /// Whether it has `aggregation_temporality` (2) and `is_monotonic` (3).
    pub temporality: bool,
    pub monotonic: bool,
}

/// The types of metrics, by `metric_type`.
pub(super) static METRIC_DATA: [MetricData; 5] = [
    MetricData {
        field: 5,
        metric_type: 1,
        points: &NUMBER_DATA_POINTS,
        temporality: false,
        monotonic: false,
    },
    MetricData {
        field: 7,
        metric_type: 2,
        points: &NUMBER_DATA_POINTS,
        temporality: true,
        monotonic: true,
    },
    MetricData {
        field: 9,
        metric_type: 3,
        points: &HISTOGRAM_DATA_POINTS,
        temporality: true,
        monotonic: false,
    },
    MetricData {
        field: 10,
        metric_type: 4,
        points: &EXP_HISTOGRAM_DATA_POINTS,
        temporality: true,
        monotonic: false,
    },
    MetricData {
        field: 11,
        metric_type: 5,
        points: &SUMMARY_DATA_POINTS,
        temporality: false,
        monotonic: false,
    },
];

static NUMBER_DATA_POINTS: Entity = Entity {
    payload: PayloadType::NumberDataPoints,
    columns: columns! {
        "start_time_unix_nano" 2 Time, NonZero;
        "time_unix_nano" 3 Time, Required;
        "int_value" 6 Sfixed64, Oneof;
        "double_value" 4 Double, Oneof;
        "flags" 8 Uint32, NonZero;
    },
    structs: &[],
    body: None,
    attributes: (7, PayloadType::NumberDpAttrs),
    children: &[(5, &NUMBER_DP_EXEMPLARS)],
};

static SUMMARY_DATA_POINTS: Entity = Entity {
    payload: PayloadType::SummaryDataPoints,
    columns: columns! {
        "start_time_unix_nano" 2 Time, NonZero;
        "time_unix_nano" 3 Time, Required;
        "count" 4 Fixed64, NonZero;
        "sum" 5 Double, NonZero;
        "quantile" 6 Quantiles, NonZero;
        "flags" 8 Uint32, NonZero;
    },
    structs: &[],
    body: None,
    attributes: (7, PayloadType::SummaryDpAttrs),
    children: &[],
};

static HISTOGRAM_DATA_POINTS: Entity = Entity {
    payload: PayloadType::HistogramDataPoints,
    columns: columns! {
        "start_time_unix_nano" 2 Time, NonZero;
        "time_unix_nano" 3 Time, Required;
        "count" 4 Fixed64, NonZero;
        "sum" 5 Double, Explicit;
        "bucket_counts" 6 Counts, NonZero;
        "explicit_bounds" 7 Doubles, NonZero;
        "flags" 10 Uint32, NonZero;
        "min" 11 Double, Explicit;
        "max" 12 Double, Explicit;
    },
    structs: &[],
    body: None,
    attributes: (9, PayloadType::HistogramDpAttrs),
    children: &[(8, &HISTOGRAM_DP_EXEMPLARS)],
};

const BUCKETS: &[Column] = columns! {
    "offset" 1 Sint32, NonZero;
    "bucket_counts" 2 Varints, NonZero;
};

static EXP_HISTOGRAM_DATA_POINTS: Entity = Entity {
    payload: PayloadType::ExpHistogramDataPoints,
    columns: columns! {
        "start_time_unix_nano" 2 Time, NonZero;
        "time_unix_nano" 3 Time, Required;
        "count" 4 Fixed64, NonZero;
        "sum" 5 Double, Explicit;
        "scale" 6 Sint32, NonZero;
        "zero_count" 7 Fixed64, NonZero;
        "flags" 10 Uint32, NonZero;
        "min" 12 Double, Explicit;
        "max" 13 Double, Explicit;
        "zero_threshold" 14 Double, NonZero;
    },
    structs: &[
        Struct {
            name: "positive",
            field: 8,
            columns: BUCKETS,
        },
        Struct {
            name: "negative",
            field: 9,
            columns: BUCKETS,
        },
    ],
    body: None,
    attributes: (1, PayloadType::ExpHistogramDpAttrs),
    children: &[(11, &EXP_HISTOGRAM_DP_EXEMPLARS)],
};

const EXEMPLAR: &[Column] = columns! {
    "time_unix_nano" 2 Time, Required;
    "int_value" 6 Sfixed64, Oneof;
    "double_value" 3 Double, Oneof;
    "span_id" 4 Id(8), NonZero;
    "trace_id" 5 Id(16), NonZero;
};

static NUMBER_DP_EXEMPLARS: Entity = Entity {
    payload: PayloadType::NumberDpExemplars,
    columns: EXEMPLAR,
    structs: &[],
    body: None,
    attributes: (7, PayloadType::NumberDpExemplarAttrs),
    children: &[],
};

static HISTOGRAM_DP_EXEMPLARS: Entity = Entity {
    payload: PayloadType::HistogramDpExemplars,
    columns: EXEMPLAR,
    structs: &[],
    body: None,
    attributes: (7, PayloadType::HistogramDpExemplarAttrs),
    children: &[],
};

static EXP_HISTOGRAM_DP_EXEMPLARS: Entity = Entity {
    payload: PayloadType::ExpHistogramDpExemplars,
    columns: EXEMPLAR,
    structs: &[],
    body: None,
    attributes: (7, PayloadType::ExpHistogramDpExemplarAttrs),
    children: &[],
};

/// The columns of the struct `resource`, from `Resource`; `schema_url` is a field of the
/// message around it, and `id` is nobody's.
pub(super) const RESOURCE: &[Column] = columns! {
    "dropped_attributes_count" 2 Uint32, NonZero;
};

/// The columns of the struct `scope`, from `InstrumentationScope`.
pub(super) const SCOPE: &[Column] = columns! {
    "name" 1 Words, NonZero;
    "version" 2 Words, NonZero;
    "dropped_attributes_count" 4 Uint32, NonZero;
};

/// The root table of a signal; profiles have none.
pub(super) fn root(signal: Signal) -> Option<&'static Entity> {
    match signal {
        Signal::Logs => Some(&LOGS),
        Signal::Traces => Some(&SPANS),
        Signal::Metrics => Some(&METRICS),
        Signal::Profiles => None,
    }
}

/// The tables below the root, those of metrics' points included, parents first.
pub(super) fn below(signal: Signal) -> Vec<&'static Entity> {
    let mut tables: Vec<&'static Entity> = Vec::new();
    match signal {
        Signal::Metrics => {
            for data in &METRIC_DATA {
                if !tables
                    .iter()
                    .any(|table| table.payload == data.points.payload)
                {
                    tables.push(data.points);
                }
            }
        }
        _ => tables.extend(
            root(signal)
                .iter()
                .flat_map(|root| root.children)
                .map(|(_, e)| *e),
        ),
    }
    let inner: Vec<_> = tables
        .iter()
        .flat_map(|table| table.children)
        .map(|(_, e)| *e)
        .collect();
    tables.extend(inner);
    tables
}
