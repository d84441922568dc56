//! The OTLP messages as a static table: field number, JSON name, kind, cardinality.
//!
//! Transcribed from opentelemetry-proto (traces, metrics and logs v1, profiles
//! v1development); fields stand in the order in which the `.proto` files declare them,
//! which is the order in which the Collector writes them to JSON. Nothing here reads
//! or writes; `decode` and `encode` walk these tables.

use crate::{
    Signal,
    symbols::{SEVERITY_NUMBER, SPAN_KIND, STATUS_CODE, Symbols, TEMPORALITY},
};

/// The most fields one message of the table has.
pub(super) const MAX_FIELDS: usize = 16;

/// What a field holds, and so how it is written on either side.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// UTF-8 text.
    String,
    /// Bytes, base64 in JSON.
    Bytes,
    /// An id of that many bytes, hex in JSON.
    Id(usize),
    Bool,
    /// `int32`: a sign-extended varint.
    Int32,
    /// `uint32`.
    Uint32,
    /// `sint32`: a zigzag varint.
    Sint32,
    Int64,
    Uint64,
    Fixed32,
    Fixed64,
    Sfixed64,
    Double,
    /// An enum: an integer in JSON, its names accepted too.
    Enum(Symbols),
    Message(&'static Message),
}

/// How often a field stands in its message, and whether its zero value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Card {
    /// A proto3 scalar: its zero value is the same as absence.
    Implicit,
    /// `optional`: absence and zero differ.
    Optional,
    /// A member of the message's only `oneof`.
    Oneof,
    /// A single message, written to JSON where it is present.
    Single,
    /// A single message that the Collector writes to JSON (as `{}`) also where it is
    /// absent, since its model does not know absence.
    Always,
    /// A list; scalars are packed on the wire.
    Repeated,
}

/// A field of a message.
pub(super) struct Field {
    pub number: u32,
    /// The lowerCamelCase key, the only one the specification knows.
    pub name: &'static str,
    /// `,"name":`, as it is written.
    pub lead: &'static str,
    /// The snake_case key, which the Collector accepts too.
    pub snake: &'static str,
    pub kind: Kind,
    pub card: Card,
}

/// A message: its fields in JSON order.
pub(super) struct Message {
    pub name: &'static str,
    pub fields: &'static [Field],
    /// Field number to index into `fields`; [`NONE`] where there is none.
    by_number: [u8; 20],
}

/// No field of that number.
const NONE: u8 = u8::MAX;

impl Message {
    /// The index of the field with that number.
    #[inline]
    pub fn index_of(&self, number: u32) -> Option<usize> {
        match self.by_number.get(number as usize) {
            Some(&index) if index != NONE => Some(index as usize),
            _ => None,
        }
    }

    /// The index of the field with that JSON key, looked for from `hint` on, since
    /// senders write keys in the order of the schema.
    #[inline]
    pub fn find(&self, key: &str, hint: usize) -> Option<usize> {
        let count = self.fields.len();
        let hint = hint.min(count);
        let (before, after) = self.fields.split_at(hint);
        if let Some(at) = after.iter().position(|field| field.name == key) {
            return Some(hint + at);
        }
        if let Some(at) = before.iter().position(|field| field.name == key) {
            return Some(at);
        }
        self.fields.iter().position(|field| field.snake == key)
    }
}

const fn index(fields: &[Field]) -> [u8; 20] {
    let mut table = [NONE; 20];
    let mut at = 0;
    while at < fields.len() {
        table[fields[at].number as usize] = at as u8;
        at += 1;
    }
    table
}

macro_rules! messages {
    ($( $(#[$doc:meta])* $name:ident $fields:ident $text:literal { $( $number:literal $json:literal $snake:literal $kind:expr, $card:ident; )* } )*) => {
        $(
            static $fields: &[Field] = &[$(
                Field { number: $number, name: $json, lead: concat!(",\"", $json, "\":"), snake: $snake, kind: $kind, card: Card::$card },
            )*];
            $(#[$doc])*
            pub(super) static $name: Message = Message {
                name: $text,
                fields: $fields,
                by_number: index($fields),
            };
        )*
        /// Every message of the table, for tests that walk it.
        #[cfg(test)]
        pub(super) static ALL: &[&Message] = &[$(&$name),*];
    };
}

use Kind::{
    Bool, Bytes, Double, Enum, Fixed32, Fixed64, Id, Int32, Int64, Message as Sub, Sfixed64,
    Sint32, String as Text, Uint32, Uint64,
};

messages! {
    TRACES TRACES_FIELDS "ExportTraceServiceRequest" {
        1 "resourceSpans" "resource_spans" Sub(&RESOURCE_SPANS), Repeated;
    }
    RESOURCE_SPANS RESOURCE_SPANS_FIELDS "ResourceSpans" {
        1 "resource" "resource" Sub(&RESOURCE), Always;
        2 "scopeSpans" "scope_spans" Sub(&SCOPE_SPANS), Repeated;
        3 "schemaUrl" "schema_url" Text, Implicit;
    }
    SCOPE_SPANS SCOPE_SPANS_FIELDS "ScopeSpans" {
        1 "scope" "scope" Sub(&SCOPE), Always;
        2 "spans" "spans" Sub(&SPAN), Repeated;
        3 "schemaUrl" "schema_url" Text, Implicit;
    }
    SPAN SPAN_FIELDS "Span" {
        1 "traceId" "trace_id" Id(16), Implicit;
        2 "spanId" "span_id" Id(8), Implicit;
        3 "traceState" "trace_state" Text, Implicit;
        4 "parentSpanId" "parent_span_id" Id(8), Implicit;
        16 "flags" "flags" Fixed32, Implicit;
        5 "name" "name" Text, Implicit;
        6 "kind" "kind" Enum(SPAN_KIND), Implicit;
        7 "startTimeUnixNano" "start_time_unix_nano" Fixed64, Implicit;
        8 "endTimeUnixNano" "end_time_unix_nano" Fixed64, Implicit;
        9 "attributes" "attributes" Sub(&KEY_VALUE), Repeated;
        10 "droppedAttributesCount" "dropped_attributes_count" Uint32, Implicit;
        11 "events" "events" Sub(&SPAN_EVENT), Repeated;
        12 "droppedEventsCount" "dropped_events_count" Uint32, Implicit;
        13 "links" "links" Sub(&SPAN_LINK), Repeated;
        14 "droppedLinksCount" "dropped_links_count" Uint32, Implicit;
        15 "status" "status" Sub(&SPAN_STATUS), Always;
    }
    SPAN_EVENT SPAN_EVENT_FIELDS "Event" {
        1 "timeUnixNano" "time_unix_nano" Fixed64, Implicit;
        2 "name" "name" Text, Implicit;
        3 "attributes" "attributes" Sub(&KEY_VALUE), Repeated;
        4 "droppedAttributesCount" "dropped_attributes_count" Uint32, Implicit;
    }
    SPAN_LINK SPAN_LINK_FIELDS "Link" {
        1 "traceId" "trace_id" Id(16), Implicit;
        2 "spanId" "span_id" Id(8), Implicit;
        3 "traceState" "trace_state" Text, Implicit;
        4 "attributes" "attributes" Sub(&KEY_VALUE), Repeated;
        5 "droppedAttributesCount" "dropped_attributes_count" Uint32, Implicit;
        6 "flags" "flags" Fixed32, Implicit;
    }
    SPAN_STATUS SPAN_STATUS_FIELDS "Status" {
        2 "message" "message" Text, Implicit;
        3 "code" "code" Enum(STATUS_CODE), Implicit;
    }

    METRICS METRICS_FIELDS "ExportMetricsServiceRequest" {
        1 "resourceMetrics" "resource_metrics" Sub(&RESOURCE_METRICS), Repeated;
    }
    RESOURCE_METRICS RESOURCE_METRICS_FIELDS "ResourceMetrics" {
        1 "resource" "resource" Sub(&RESOURCE), Always;
        2 "scopeMetrics" "scope_metrics" Sub(&SCOPE_METRICS), Repeated;
        3 "schemaUrl" "schema_url" Text, Implicit;
    }
    SCOPE_METRICS SCOPE_METRICS_FIELDS "ScopeMetrics" {
        1 "scope" "scope" Sub(&SCOPE), Always;
        2 "metrics" "metrics" Sub(&METRIC), Repeated;
        3 "schemaUrl" "schema_url" Text, Implicit;
    }
    METRIC METRIC_FIELDS "Metric" {
        1 "name" "name" Text, Implicit;
        2 "description" "description" Text, Implicit;
        3 "unit" "unit" Text, Implicit;
        5 "gauge" "gauge" Sub(&GAUGE), Oneof;
        7 "sum" "sum" Sub(&SUM), Oneof;
        9 "histogram" "histogram" Sub(&HISTOGRAM), Oneof;
        10 "exponentialHistogram" "exponential_histogram" Sub(&EXPONENTIAL_HISTOGRAM), Oneof;
        11 "summary" "summary" Sub(&SUMMARY), Oneof;
        12 "metadata" "metadata" Sub(&KEY_VALUE), Repeated;
    }
    GAUGE GAUGE_FIELDS "Gauge" {
        1 "dataPoints" "data_points" Sub(&NUMBER_DATA_POINT), Repeated;
    }
    SUM SUM_FIELDS "Sum" {
        1 "dataPoints" "data_points" Sub(&NUMBER_DATA_POINT), Repeated;
        2 "aggregationTemporality" "aggregation_temporality" Enum(TEMPORALITY), Implicit;
        3 "isMonotonic" "is_monotonic" Bool, Implicit;
    }
    HISTOGRAM HISTOGRAM_FIELDS "Histogram" {
        1 "dataPoints" "data_points" Sub(&HISTOGRAM_DATA_POINT), Repeated;
        2 "aggregationTemporality" "aggregation_temporality" Enum(TEMPORALITY), Implicit;
    }
    EXPONENTIAL_HISTOGRAM EXPONENTIAL_HISTOGRAM_FIELDS "ExponentialHistogram" {
        1 "dataPoints" "data_points" Sub(&EXPONENTIAL_DATA_POINT), Repeated;
        2 "aggregationTemporality" "aggregation_temporality" Enum(TEMPORALITY), Implicit;
    }
    SUMMARY SUMMARY_FIELDS "Summary" {
        1 "dataPoints" "data_points" Sub(&SUMMARY_DATA_POINT), Repeated;
    }
    NUMBER_DATA_POINT NUMBER_DATA_POINT_FIELDS "NumberDataPoint" {
        7 "attributes" "attributes" Sub(&KEY_VALUE), Repeated;
        2 "startTimeUnixNano" "start_time_unix_nano" Fixed64, Implicit;
        3 "timeUnixNano" "time_unix_nano" Fixed64, Implicit;
        4 "asDouble" "as_double" Double, Oneof;
        6 "asInt" "as_int" Sfixed64, Oneof;
        5 "exemplars" "exemplars" Sub(&EXEMPLAR), Repeated;
        8 "flags" "flags" Uint32, Implicit;
    }
    HISTOGRAM_DATA_POINT HISTOGRAM_DATA_POINT_FIELDS "HistogramDataPoint" {
        9 "attributes" "attributes" Sub(&KEY_VALUE), Repeated;
        2 "startTimeUnixNano" "start_time_unix_nano" Fixed64, Implicit;
        3 "timeUnixNano" "time_unix_nano" Fixed64, Implicit;
        4 "count" "count" Fixed64, Implicit;
        5 "sum" "sum" Double, Optional;
        6 "bucketCounts" "bucket_counts" Fixed64, Repeated;
        7 "explicitBounds" "explicit_bounds" Double, Repeated;
        8 "exemplars" "exemplars" Sub(&EXEMPLAR), Repeated;
        10 "flags" "flags" Uint32, Implicit;
        11 "min" "min" Double, Optional;
        12 "max" "max" Double, Optional;
    }
    EXPONENTIAL_DATA_POINT EXPONENTIAL_DATA_POINT_FIELDS "ExponentialHistogramDataPoint" {
        1 "attributes" "attributes" Sub(&KEY_VALUE), Repeated;
        2 "startTimeUnixNano" "start_time_unix_nano" Fixed64, Implicit;
        3 "timeUnixNano" "time_unix_nano" Fixed64, Implicit;
        4 "count" "count" Fixed64, Implicit;
        5 "sum" "sum" Double, Optional;
        6 "scale" "scale" Sint32, Implicit;
        7 "zeroCount" "zero_count" Fixed64, Implicit;
        8 "positive" "positive" Sub(&BUCKETS), Always;
        9 "negative" "negative" Sub(&BUCKETS), Always;
        10 "flags" "flags" Uint32, Implicit;
        11 "exemplars" "exemplars" Sub(&EXEMPLAR), Repeated;
        12 "min" "min" Double, Optional;
        13 "max" "max" Double, Optional;
        14 "zeroThreshold" "zero_threshold" Double, Implicit;
    }
    BUCKETS BUCKETS_FIELDS "Buckets" {
        1 "offset" "offset" Sint32, Implicit;
        2 "bucketCounts" "bucket_counts" Uint64, Repeated;
    }
    SUMMARY_DATA_POINT SUMMARY_DATA_POINT_FIELDS "SummaryDataPoint" {
        7 "attributes" "attributes" Sub(&KEY_VALUE), Repeated;
        2 "startTimeUnixNano" "start_time_unix_nano" Fixed64, Implicit;
        3 "timeUnixNano" "time_unix_nano" Fixed64, Implicit;
        4 "count" "count" Fixed64, Implicit;
        5 "sum" "sum" Double, Implicit;
        6 "quantileValues" "quantile_values" Sub(&QUANTILE), Repeated;
        8 "flags" "flags" Uint32, Implicit;
    }
    QUANTILE QUANTILE_FIELDS "ValueAtQuantile" {
        1 "quantile" "quantile" Double, Implicit;
        2 "value" "value" Double, Implicit;
    }
    EXEMPLAR EXEMPLAR_FIELDS "Exemplar" {
        7 "filteredAttributes" "filtered_attributes" Sub(&KEY_VALUE), Repeated;
        2 "timeUnixNano" "time_unix_nano" Fixed64, Implicit;
        3 "asDouble" "as_double" Double, Oneof;
        6 "asInt" "as_int" Sfixed64, Oneof;
        5 "traceId" "trace_id" Id(16), Implicit;
        4 "spanId" "span_id" Id(8), Implicit;
    }

    LOGS LOGS_FIELDS "ExportLogsServiceRequest" {
        1 "resourceLogs" "resource_logs" Sub(&RESOURCE_LOGS), Repeated;
    }
    RESOURCE_LOGS RESOURCE_LOGS_FIELDS "ResourceLogs" {
        1 "resource" "resource" Sub(&RESOURCE), Always;
        2 "scopeLogs" "scope_logs" Sub(&SCOPE_LOGS), Repeated;
        3 "schemaUrl" "schema_url" Text, Implicit;
    }
    SCOPE_LOGS SCOPE_LOGS_FIELDS "ScopeLogs" {
        1 "scope" "scope" Sub(&SCOPE), Always;
        2 "logRecords" "log_records" Sub(&LOG_RECORD), Repeated;
        3 "schemaUrl" "schema_url" Text, Implicit;
    }
    LOG_RECORD LOG_RECORD_FIELDS "LogRecord" {
        1 "timeUnixNano" "time_unix_nano" Fixed64, Implicit;
        11 "observedTimeUnixNano" "observed_time_unix_nano" Fixed64, Implicit;
        2 "severityNumber" "severity_number" Enum(SEVERITY_NUMBER), Implicit;
        3 "severityText" "severity_text" Text, Implicit;
        5 "body" "body" Sub(&ANY_VALUE), Always;
        6 "attributes" "attributes" Sub(&KEY_VALUE), Repeated;
        7 "droppedAttributesCount" "dropped_attributes_count" Uint32, Implicit;
        8 "flags" "flags" Fixed32, Implicit;
        9 "traceId" "trace_id" Id(16), Implicit;
        10 "spanId" "span_id" Id(8), Implicit;
        12 "eventName" "event_name" Text, Implicit;
    }

    PROFILES PROFILES_FIELDS "ExportProfilesServiceRequest" {
        1 "resourceProfiles" "resource_profiles" Sub(&RESOURCE_PROFILES), Repeated;
        2 "dictionary" "dictionary" Sub(&PROFILES_DICTIONARY), Always;
    }
    PROFILES_DICTIONARY PROFILES_DICTIONARY_FIELDS "ProfilesDictionary" {
        1 "mappingTable" "mapping_table" Sub(&MAPPING), Repeated;
        2 "locationTable" "location_table" Sub(&LOCATION), Repeated;
        3 "functionTable" "function_table" Sub(&FUNCTION), Repeated;
        4 "linkTable" "link_table" Sub(&PROFILE_LINK), Repeated;
        5 "stringTable" "string_table" Text, Repeated;
        6 "attributeTable" "attribute_table" Sub(&KEY_VALUE_AND_UNIT), Repeated;
        7 "stackTable" "stack_table" Sub(&STACK), Repeated;
    }
    RESOURCE_PROFILES RESOURCE_PROFILES_FIELDS "ResourceProfiles" {
        1 "resource" "resource" Sub(&RESOURCE), Always;
        2 "scopeProfiles" "scope_profiles" Sub(&SCOPE_PROFILES), Repeated;
        3 "schemaUrl" "schema_url" Text, Implicit;
    }
    SCOPE_PROFILES SCOPE_PROFILES_FIELDS "ScopeProfiles" {
        1 "scope" "scope" Sub(&SCOPE), Always;
        2 "profiles" "profiles" Sub(&PROFILE), Repeated;
        3 "schemaUrl" "schema_url" Text, Implicit;
    }
    PROFILE PROFILE_FIELDS "Profile" {
        1 "sampleType" "sample_type" Sub(&VALUE_TYPE), Always;
        2 "samples" "samples" Sub(&SAMPLE), Repeated;
        3 "timeUnixNano" "time_unix_nano" Fixed64, Implicit;
        4 "durationNano" "duration_nano" Uint64, Implicit;
        5 "periodType" "period_type" Sub(&VALUE_TYPE), Always;
        6 "period" "period" Int64, Implicit;
        7 "profileId" "profile_id" Id(16), Implicit;
        8 "droppedAttributesCount" "dropped_attributes_count" Uint32, Implicit;
        9 "originalPayloadFormat" "original_payload_format" Text, Implicit;
        10 "originalPayload" "original_payload" Bytes, Implicit;
        11 "attributeIndices" "attribute_indices" Int32, Repeated;
    }
    PROFILE_LINK PROFILE_LINK_FIELDS "Link" {
        1 "traceId" "trace_id" Id(16), Implicit;
        2 "spanId" "span_id" Id(8), Implicit;
    }
    VALUE_TYPE VALUE_TYPE_FIELDS "ValueType" {
        1 "typeStrindex" "type_strindex" Int32, Implicit;
        2 "unitStrindex" "unit_strindex" Int32, Implicit;
    }
    SAMPLE SAMPLE_FIELDS "Sample" {
        1 "stackIndex" "stack_index" Int32, Implicit;
        2 "attributeIndices" "attribute_indices" Int32, Repeated;
        3 "linkIndex" "link_index" Int32, Implicit;
        4 "values" "values" Int64, Repeated;
        5 "timestampsUnixNano" "timestamps_unix_nano" Fixed64, Repeated;
    }
    MAPPING MAPPING_FIELDS "Mapping" {
        1 "memoryStart" "memory_start" Uint64, Implicit;
        2 "memoryLimit" "memory_limit" Uint64, Implicit;
        3 "fileOffset" "file_offset" Uint64, Implicit;
        4 "filenameStrindex" "filename_strindex" Int32, Implicit;
        5 "attributeIndices" "attribute_indices" Int32, Repeated;
    }
    STACK STACK_FIELDS "Stack" {
        1 "locationIndices" "location_indices" Int32, Repeated;
    }
    LOCATION LOCATION_FIELDS "Location" {
        1 "mappingIndex" "mapping_index" Int32, Implicit;
        2 "address" "address" Uint64, Implicit;
        3 "lines" "lines" Sub(&LINE), Repeated;
        4 "attributeIndices" "attribute_indices" Int32, Repeated;
    }
    LINE LINE_FIELDS "Line" {
        1 "functionIndex" "function_index" Int32, Implicit;
        2 "line" "line" Int64, Implicit;
        3 "column" "column" Int64, Implicit;
    }
    FUNCTION FUNCTION_FIELDS "Function" {
        1 "nameStrindex" "name_strindex" Int32, Implicit;
        2 "systemNameStrindex" "system_name_strindex" Int32, Implicit;
        3 "filenameStrindex" "filename_strindex" Int32, Implicit;
        4 "startLine" "start_line" Int64, Implicit;
    }
    KEY_VALUE_AND_UNIT KEY_VALUE_AND_UNIT_FIELDS "KeyValueAndUnit" {
        1 "keyStrindex" "key_strindex" Int32, Implicit;
        2 "value" "value" Sub(&ANY_VALUE), Always;
        3 "unitStrindex" "unit_strindex" Int32, Implicit;
    }

    RESOURCE RESOURCE_FIELDS "Resource" {
        1 "attributes" "attributes" Sub(&KEY_VALUE), Repeated;
        2 "droppedAttributesCount" "dropped_attributes_count" Uint32, Implicit;
        3 "entityRefs" "entity_refs" Sub(&ENTITY_REF), Repeated;
    }
    ENTITY_REF ENTITY_REF_FIELDS "EntityRef" {
        1 "schemaUrl" "schema_url" Text, Implicit;
        2 "type" "type" Text, Implicit;
        3 "idKeys" "id_keys" Text, Repeated;
        4 "descriptionKeys" "description_keys" Text, Repeated;
    }
    SCOPE SCOPE_FIELDS "InstrumentationScope" {
        1 "name" "name" Text, Implicit;
        2 "version" "version" Text, Implicit;
        3 "attributes" "attributes" Sub(&KEY_VALUE), Repeated;
        4 "droppedAttributesCount" "dropped_attributes_count" Uint32, Implicit;
    }
    KEY_VALUE KEY_VALUE_FIELDS "KeyValue" {
        1 "key" "key" Text, Implicit;
        2 "value" "value" Sub(&ANY_VALUE), Always;
        3 "keyStrindex" "key_strindex" Int32, Implicit;
    }
    ANY_VALUE ANY_VALUE_FIELDS "AnyValue" {
        1 "stringValue" "string_value" Text, Oneof;
        2 "boolValue" "bool_value" Bool, Oneof;
        3 "intValue" "int_value" Int64, Oneof;
        4 "doubleValue" "double_value" Double, Oneof;
        5 "arrayValue" "array_value" Sub(&ARRAY_VALUE), Oneof;
        6 "kvlistValue" "kvlist_value" Sub(&KEY_VALUE_LIST), Oneof;
        7 "bytesValue" "bytes_value" Bytes, Oneof;
        8 "stringValueStrindex" "string_value_strindex" Int32, Oneof;
    }
    ARRAY_VALUE ARRAY_VALUE_FIELDS "ArrayValue" {
        1 "values" "values" Sub(&ANY_VALUE), Repeated;
    }
    KEY_VALUE_LIST KEY_VALUE_LIST_FIELDS "KeyValueList" {
        1 "values" "values" Sub(&KEY_VALUE), Repeated;
    }

    TRACES_RESPONSE TRACES_RESPONSE_FIELDS "ExportTraceServiceResponse" {
        1 "partialSuccess" "partial_success" Sub(&TRACES_PARTIAL), Single;
    }
    TRACES_PARTIAL TRACES_PARTIAL_FIELDS "ExportTracePartialSuccess" {
        1 "rejectedSpans" "rejected_spans" Int64, Implicit;
        2 "errorMessage" "error_message" Text, Implicit;
    }
    METRICS_RESPONSE METRICS_RESPONSE_FIELDS "ExportMetricsServiceResponse" {
        1 "partialSuccess" "partial_success" Sub(&METRICS_PARTIAL), Single;
    }
    METRICS_PARTIAL METRICS_PARTIAL_FIELDS "ExportMetricsPartialSuccess" {
        1 "rejectedDataPoints" "rejected_data_points" Int64, Implicit;
        2 "errorMessage" "error_message" Text, Implicit;
    }
    LOGS_RESPONSE LOGS_RESPONSE_FIELDS "ExportLogsServiceResponse" {
        1 "partialSuccess" "partial_success" Sub(&LOGS_PARTIAL), Single;
    }
    LOGS_PARTIAL LOGS_PARTIAL_FIELDS "ExportLogsPartialSuccess" {
        1 "rejectedLogRecords" "rejected_log_records" Int64, Implicit;
        2 "errorMessage" "error_message" Text, Implicit;
    }
    PROFILES_RESPONSE PROFILES_RESPONSE_FIELDS "ExportProfilesServiceResponse" {
        1 "partialSuccess" "partial_success" Sub(&PROFILES_PARTIAL), Single;
    }
    PROFILES_PARTIAL PROFILES_PARTIAL_FIELDS "ExportProfilesPartialSuccess" {
        1 "rejectedProfiles" "rejected_profiles" Int64, Implicit;
        2 "errorMessage" "error_message" Text, Implicit;
    }
    /// `google.rpc.Status`; its details are not read from JSON.
    RPC_STATUS RPC_STATUS_FIELDS "google.rpc.Status" {
        1 "code" "code" Int32, Implicit;
        2 "message" "message" Text, Implicit;
    }
}

/// The request message of a signal.
pub(super) fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &TRACES,
        Signal::Metrics => &METRICS,
        Signal::Logs => &LOGS,
        Signal::Profiles => &PROFILES,
    }
}

/// The response message of a signal.
pub(super) fn response(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &TRACES_RESPONSE,
        Signal::Metrics => &METRICS_RESPONSE,
        Signal::Logs => &LOGS_RESPONSE,
        Signal::Profiles => &PROFILES_RESPONSE,
    }
}
