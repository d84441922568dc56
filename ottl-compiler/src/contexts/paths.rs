//! The paths of every context, by row: name, where it is kept; types, keys and what can be
//! written follow from that.

use trunkline_proto::batch::Field;

use super::{Context, Keys, Part, PathDef, RequestPart, Store, Width, Write};
use crate::types::{Type, TypeSet};

pub(super) fn of(context: Context) -> &'static [PathDef] {
    match context {
        Context::Resource => RESOURCE,
        Context::Scope => SCOPE,
        Context::Span => SPAN,
        Context::SpanEvent => SPAN_EVENT,
        Context::Metric => METRIC,
        Context::DataPoint => DATA_POINT,
        Context::Exemplar => EXEMPLAR,
        Context::Log => LOG,
        Context::Profile => PROFILE,
        Context::ProfileSample => PROFILE_SAMPLE,
        Context::OtelCol => OTELCOL,
    }
}

const fn path(name: &'static str, store: Store) -> PathDef {
    let keys = match store {
        Store::Attributes | Store::Cache => Keys::Map,
        Store::Body => Keys::Value,
        Store::TraceState => Keys::OneString,
        Store::Request(RequestPart::Address) => Keys::None,
        Store::Request(_) => Keys::Map,
        _ => Keys::None,
    };
    let one = match store {
        Store::Text(_)
        | Store::TraceIdText(_)
        | Store::SpanIdText(_)
        | Store::KindText
        | Store::KindDeprecatedText
        | Store::TraceState
        | Store::ProfileIdText(_)
        | Store::DictionaryText(_)
        | Store::BodyText => Type::String,
        Store::Int(..)
        | Store::UnixNano(_)
        | Store::Nanos(_)
        | Store::Index(_)
        | Store::MetricType
        | Store::EventIndex => Type::Int,
        Store::Time(_) => Type::Time,
        Store::Float(_) => Type::Float,
        Store::Bool(_) => Type::Bool,
        Store::TraceId(_) => Type::TraceId,
        Store::SpanId(_) => Type::SpanId,
        Store::ProfileId(_) => Type::ProfileId,
        Store::Bytes(_) => Type::Bytes,
        Store::Attributes | Store::Cache | Store::Request(_) => Type::Map,
        Store::Uints(_) | Store::Ints(_) | Store::Times(_) | Store::Floats(_) => Type::Typed,
        Store::Part(_) | Store::Body => Type::Opaque,
    };
    let types = match store {
        Store::Body => TypeSet::ATTRIBUTE,
        Store::Request(RequestPart::Address) => TypeSet::of(&[Type::String, Type::Nil]),
        _ => TypeSet::one(one),
    };
    let write = match store {
        Store::MetricType => Write::Ignored,
        Store::EventIndex | Store::Request(_) => Write::Never,
        Store::Uints(_) | Store::Ints(_) | Store::Floats(_) => {
            Write::Types(TypeSet::of(&[Type::Typed, Type::List]))
        }
        Store::Body => Write::Types(TypeSet::ATTRIBUTE.or(TypeSet::one(Type::Typed))),
        _ => Write::Types(types),
    };
    PathDef {
        name,
        types,
        write,
        keys,
        store,
    }
}

/// Nil on the metrics, or points, that do not have it.
const fn some(name: &'static str, store: Store) -> PathDef {
    let mut path = path(name, store);
    path.types = path.types.or(TypeSet::one(Type::Nil));
    path
}

const fn text(name: &'static str, field: Field) -> PathDef {
    path(name, Store::Text(field))
}

const fn int(name: &'static str, field: Field, width: Width) -> PathDef {
    path(name, Store::Int(field, width))
}

const fn nano(name: &'static str, field: Field) -> PathDef {
    path(name, Store::UnixNano(field))
}

const fn time(name: &'static str, field: Field) -> PathDef {
    path(name, Store::Time(field))
}

const DROPPED: PathDef = int(
    "dropped_attributes_count",
    Field::DroppedAttributesCount,
    Width::U32,
);
const ATTRIBUTES: PathDef = path("attributes", Store::Attributes);
const CACHE: PathDef = path("cache", Store::Cache);

const RESOURCE: &[PathDef] = &[
    ATTRIBUTES,
    DROPPED,
    text("schema_url", Field::SchemaUrl),
    CACHE,
];

const SCOPE: &[PathDef] = &[
    text("name", Field::Name),
    text("version", Field::Version),
    ATTRIBUTES,
    DROPPED,
    text("schema_url", Field::SchemaUrl),
    CACHE,
];

const SPAN: &[PathDef] = &[
    path("trace_id", Store::TraceId(Field::TraceId)),
    path("trace_id.string", Store::TraceIdText(Field::TraceId)),
    path("span_id", Store::SpanId(Field::SpanId)),
    path("span_id.string", Store::SpanIdText(Field::SpanId)),
    path("parent_span_id", Store::SpanId(Field::ParentSpanId)),
    path(
        "parent_span_id.string",
        Store::SpanIdText(Field::ParentSpanId),
    ),
    some("trace_state", Store::TraceState),
    text("name", Field::Name),
    int("kind", Field::Kind, Width::I32),
    path("kind.string", Store::KindText),
    path("kind.deprecated_string", Store::KindDeprecatedText),
    nano("start_time_unix_nano", Field::StartTime),
    nano("end_time_unix_nano", Field::EndTime),
    time("start_time", Field::StartTime),
    time("end_time", Field::EndTime),
    ATTRIBUTES,
    DROPPED,
    path("events", Store::Part(Part::Events)),
    path("links", Store::Part(Part::Links)),
    int(
        "dropped_events_count",
        Field::DroppedEventsCount,
        Width::U32,
    ),
    int("dropped_links_count", Field::DroppedLinksCount, Width::U32),
    path("status", Store::Part(Part::Status)),
    int("status.code", Field::StatusCode, Width::I32),
    text("status.message", Field::StatusMessage),
    int("flags", Field::Flags, Width::U32Checked),
    CACHE,
];

const SPAN_EVENT: &[PathDef] = &[
    text("name", Field::Name),
    time("time", Field::Time),
    nano("time_unix_nano", Field::Time),
    ATTRIBUTES,
    DROPPED,
    path("event_index", Store::EventIndex),
    CACHE,
];

const METRIC: &[PathDef] = &[
    text("name", Field::Name),
    text("description", Field::Description),
    text("unit", Field::Unit),
    path("type", Store::MetricType),
    some(
        "aggregation_temporality",
        Store::Int(Field::AggregationTemporality, Width::I32),
    ),
    some("is_monotonic", Store::Bool(Field::IsMonotonic)),
    some("data_points", Store::Part(Part::DataPoints)),
    path("metadata", Store::Attributes),
    CACHE,
];

const DATA_POINT: &[PathDef] = &[
    ATTRIBUTES,
    nano("start_time_unix_nano", Field::StartTime),
    nano("time_unix_nano", Field::Time),
    time("start_time", Field::StartTime),
    time("time", Field::Time),
    int("flags", Field::Flags, Width::U32),
    some("value_double", Store::Float(Field::ValueDouble)),
    some("value_int", Store::Int(Field::ValueInt, Width::I64)),
    some("exemplars", Store::Part(Part::Exemplars)),
    some("count", Store::Int(Field::Count, Width::U64)),
    some("sum", Store::Float(Field::Sum)),
    some("bucket_counts", Store::Uints(Field::BucketCounts)),
    some("explicit_bounds", Store::Floats(Field::ExplicitBounds)),
    some("scale", Store::Int(Field::Scale, Width::I32)),
    some("zero_count", Store::Int(Field::ZeroCount, Width::U64)),
    some("positive", Store::Part(Part::Positive)),
    some(
        "positive.offset",
        Store::Int(Field::PositiveOffset, Width::I32),
    ),
    some(
        "positive.bucket_counts",
        Store::Uints(Field::PositiveBucketCounts),
    ),
    some("negative", Store::Part(Part::Negative)),
    some(
        "negative.offset",
        Store::Int(Field::NegativeOffset, Width::I32),
    ),
    some(
        "negative.bucket_counts",
        Store::Uints(Field::NegativeBucketCounts),
    ),
    some("quantile_values", Store::Part(Part::QuantileValues)),
    CACHE,
];

const EXEMPLAR: &[PathDef] = &[
    nano("time_unix_nano", Field::Time),
    time("time", Field::Time),
    path("double_value", Store::Float(Field::ValueDouble)),
    int("int_value", Field::ValueInt, Width::I64),
    path("trace_id", Store::TraceId(Field::TraceId)),
    path("trace_id.string", Store::TraceIdText(Field::TraceId)),
    path("span_id", Store::SpanId(Field::SpanId)),
    path("span_id.string", Store::SpanIdText(Field::SpanId)),
    path("filtered_attributes", Store::Attributes),
    CACHE,
];

const LOG: &[PathDef] = &[
    nano("time_unix_nano", Field::Time),
    nano("observed_time_unix_nano", Field::ObservedTime),
    time("time", Field::Time),
    time("observed_time", Field::ObservedTime),
    int("severity_number", Field::SeverityNumber, Width::I32),
    text("severity_text", Field::SeverityText),
    path("body", Store::Body),
    path("body.string", Store::BodyText),
    ATTRIBUTES,
    DROPPED,
    int("flags", Field::Flags, Width::U32),
    path("trace_id", Store::TraceId(Field::TraceId)),
    path("trace_id.string", Store::TraceIdText(Field::TraceId)),
    path("span_id", Store::SpanId(Field::SpanId)),
    path("span_id.string", Store::SpanIdText(Field::SpanId)),
    text("event_name", Field::EventName),
    CACHE,
];

const PROFILE: &[PathDef] = &[
    path("sample_type", Store::Part(Part::SampleType)),
    path("sample_type.type", Store::DictionaryText(Field::SampleType)),
    path("sample_type.unit", Store::DictionaryText(Field::SampleUnit)),
    path("sample", Store::Part(Part::Samples)),
    nano("time_unix_nano", Field::Time),
    time("time", Field::Time),
    path("duration_unix_nano", Store::Nanos(Field::Duration)),
    path("duration", Store::Nanos(Field::Duration)),
    path("period_type", Store::Part(Part::PeriodType)),
    path("period_type.type", Store::DictionaryText(Field::PeriodType)),
    path("period_type.unit", Store::DictionaryText(Field::PeriodUnit)),
    int("period", Field::Period, Width::I64),
    path("profile_id", Store::ProfileId(Field::ProfileId)),
    path("profile_id.string", Store::ProfileIdText(Field::ProfileId)),
    path("attribute_indices", Store::Ints(Field::AttributeIndices)),
    DROPPED,
    text("original_payload_format", Field::OriginalPayloadFormat),
    path("original_payload", Store::Bytes(Field::OriginalPayload)),
    ATTRIBUTES,
    CACHE,
];

const PROFILE_SAMPLE: &[PathDef] = &[
    ATTRIBUTES,
    path("values", Store::Ints(Field::SampleValues)),
    path("link_index", Store::Index(Field::LinkIndex)),
    path("timestamps_unix_nano", Store::Ints(Field::Timestamps)),
    path("timestamps", Store::Times(Field::Timestamps)),
    path("attribute_indices", Store::Ints(Field::AttributeIndices)),
    CACHE,
];

const OTELCOL: &[PathDef] = &[
    path("client.addr", Store::Request(RequestPart::Address)),
    path("client.metadata", Store::Request(RequestPart::Metadata)),
    path("client.auth.attributes", Store::Request(RequestPart::Auth)),
    path("grpc.metadata", Store::Request(RequestPart::Grpc)),
];
