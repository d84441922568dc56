//! The messages of OTLP 1.10 as tables: which field numbers there are and how each is laid
//! out. Drives checking, merging of split messages, and the names of fields elsewhere.
//! Source: the .proto files of opentelemetry-proto (see `build.rs`).

/// How a known field is laid out.
#[derive(Clone, Copy)]
pub(crate) enum Def {
    /// Not known: any layout is legal, and kept.
    Unknown,
    /// A varint of any type.
    Varint,
    /// Four bytes.
    Fixed32,
    /// Eight bytes.
    Fixed64,
    /// A string or bytes, once or repeated.
    Bytes,
    /// Repeated varints, packed or not.
    Varints,
    /// Repeated eight-byte numbers, packed or not.
    Fixed64s,
    /// A message; given several times, the pieces are merged.
    One(&'static Message),
    /// Repeated messages.
    Many(&'static Message),
    /// Repeated `KeyValue`.
    Attributes,
}

/// A message type.
pub(crate) struct Message {
    /// Its name, for errors.
    pub name: &'static str,
    /// Layout by field number.
    fields: [Def; FIELDS],
    /// The tag of its attributes, a byte; [`NO_TAG`] without.
    pub attribute_tag: u32,
    /// By tag of one byte: what a field of usual layout with it looks like.
    pub plain: [Plain; 128],
    /// The two bytes of the tag of a four-byte field beyond number 15; 0 without.
    pub wide_fixed32: u16,
}

const FIELDS: usize = 17;

/// No byte is equal to it.
const NO_TAG: u32 = 0x100;

/// What a field with some tag of one byte looks like, if it can be judged by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Plain {
    /// It cannot: unknown, a message, or with another layout than it should have.
    No,
    Varint,
    Fixed64,
    /// A string or bytes.
    Len,
    Fixed32,
    /// An attribute.
    Attribute,
}

impl Message {
    const fn new(name: &'static str, defs: &[(usize, Def)]) -> Message {
        let mut fields = [Def::Unknown; FIELDS];
        let (mut attribute_tag, mut plain, mut wide_fixed32) = (NO_TAG, [Plain::No; 128], 0);
        let mut i = 0;
        while i < defs.len() {
            let (number, def) = defs[i];
            fields[number] = def;
            let (wire, kind) = match def {
                Def::Varint | Def::Varints => (0, Plain::Varint),
                Def::Fixed64 | Def::Fixed64s => (1, Plain::Fixed64),
                Def::Bytes => (2, Plain::Len),
                Def::Fixed32 => (5, Plain::Fixed32),
                Def::Attributes => {
                    attribute_tag = (number as u32) << 3 | 2;
                    (2, Plain::Attribute)
                }
                Def::Unknown | Def::One(_) | Def::Many(_) => (2, Plain::No),
            };
            if wire == 5 && number >= 16 {
                wide_fixed32 = (number as u16 & 15) << 3 | 0x85 | (number as u16 >> 4) << 8;
            } else if number < 16 {
                plain[number << 3 | wire] = kind;
            }
            i += 1;
        }
        Message {
            name,
            fields,
            attribute_tag,
            plain,
            wide_fixed32,
        }
    }

    /// The layout of field `number`.
    #[inline(always)]
    pub fn field(&self, number: u32) -> Def {
        match self.fields.get(number as usize) {
            Some(Def::Attributes) => Def::Many(&KEY_VALUE),
            Some(def) => *def,
            None => Def::Unknown,
        }
    }
}

use Def::{Attributes, Bytes, Fixed32, Fixed64, Fixed64s, Many, One, Varint, Varints};

macro_rules! messages {
    ($($id:ident $name:literal { $($number:literal $def:expr),* $(,)? })*) => {
        $(pub(crate) static $id: Message = Message::new($name, &[$(($number, $def)),*]);)*
    };
}

messages! {
    TRACES "ExportTraceServiceRequest" { 1 Many(&RESOURCE_SPANS) }
    RESOURCE_SPANS "ResourceSpans" { 1 One(&RESOURCE), 2 Many(&SCOPE_SPANS), 3 Bytes }
    SCOPE_SPANS "ScopeSpans" { 1 One(&SCOPE), 2 Many(&SPAN), 3 Bytes }
    SPAN "Span" {
        1 Bytes, 2 Bytes, 3 Bytes, 4 Bytes, 5 Bytes, 6 Varint, 7 Fixed64, 8 Fixed64,
        9 Attributes, 10 Varint, 11 Many(&EVENT), 12 Varint, 13 Many(&LINK), 14 Varint,
        15 One(&STATUS), 16 Fixed32,
    }
    EVENT "Span.Event" { 1 Fixed64, 2 Bytes, 3 Attributes, 4 Varint }
    LINK "Span.Link" { 1 Bytes, 2 Bytes, 3 Bytes, 4 Attributes, 5 Varint, 6 Fixed32 }
    STATUS "Status" { 2 Bytes, 3 Varint }

    METRICS "ExportMetricsServiceRequest" { 1 Many(&RESOURCE_METRICS) }
    RESOURCE_METRICS "ResourceMetrics" { 1 One(&RESOURCE), 2 Many(&SCOPE_METRICS), 3 Bytes }
    SCOPE_METRICS "ScopeMetrics" { 1 One(&SCOPE), 2 Many(&METRIC), 3 Bytes }
    METRIC "Metric" {
        1 Bytes, 2 Bytes, 3 Bytes, 5 One(&GAUGE), 7 One(&SUM), 9 One(&HISTOGRAM),
        10 One(&EXPONENTIAL_HISTOGRAM), 11 One(&SUMMARY), 12 Attributes,
    }
    GAUGE "Gauge" { 1 Many(&NUMBER_POINT) }
    SUM "Sum" { 1 Many(&NUMBER_POINT), 2 Varint, 3 Varint }
    HISTOGRAM "Histogram" { 1 Many(&HISTOGRAM_POINT), 2 Varint }
    EXPONENTIAL_HISTOGRAM "ExponentialHistogram" { 1 Many(&EXPONENTIAL_POINT), 2 Varint }
    SUMMARY "Summary" { 1 Many(&SUMMARY_POINT) }
    NUMBER_POINT "NumberDataPoint" {
        2 Fixed64, 3 Fixed64, 4 Fixed64, 5 Many(&EXEMPLAR), 6 Fixed64, 7 Attributes, 8 Varint,
    }
    HISTOGRAM_POINT "HistogramDataPoint" {
        2 Fixed64, 3 Fixed64, 4 Fixed64, 5 Fixed64, 6 Fixed64s, 7 Fixed64s, 8 Many(&EXEMPLAR),
        9 Attributes, 10 Varint, 11 Fixed64, 12 Fixed64,
    }
    EXPONENTIAL_POINT "ExponentialHistogramDataPoint" {
        1 Attributes, 2 Fixed64, 3 Fixed64, 4 Fixed64, 5 Fixed64, 6 Varint, 7 Fixed64,
        8 One(&BUCKETS), 9 One(&BUCKETS), 10 Varint, 11 Many(&EXEMPLAR), 12 Fixed64, 13 Fixed64,
        14 Fixed64,
    }
    BUCKETS "Buckets" { 1 Varint, 2 Varints }
    SUMMARY_POINT "SummaryDataPoint" {
        2 Fixed64, 3 Fixed64, 4 Fixed64, 5 Fixed64, 6 Many(&QUANTILE), 7 Attributes, 8 Varint,
    }
    QUANTILE "ValueAtQuantile" { 1 Fixed64, 2 Fixed64 }
    EXEMPLAR "Exemplar" {
        2 Fixed64, 3 Fixed64, 4 Bytes, 5 Bytes, 6 Fixed64, 7 Attributes,
    }

    LOGS "ExportLogsServiceRequest" { 1 Many(&RESOURCE_LOGS) }
    RESOURCE_LOGS "ResourceLogs" { 1 One(&RESOURCE), 2 Many(&SCOPE_LOGS), 3 Bytes }
    SCOPE_LOGS "ScopeLogs" { 1 One(&SCOPE), 2 Many(&LOG_RECORD), 3 Bytes }
    LOG_RECORD "LogRecord" {
        1 Fixed64, 2 Varint, 3 Bytes, 5 One(&ANY_VALUE), 6 Attributes, 7 Varint, 8 Fixed32,
        9 Bytes, 10 Bytes, 11 Fixed64, 12 Bytes,
    }

    PROFILES "ExportProfilesServiceRequest" { 1 Many(&RESOURCE_PROFILES), 2 One(&DICTIONARY) }
    RESOURCE_PROFILES "ResourceProfiles" { 1 One(&RESOURCE), 2 Many(&SCOPE_PROFILES), 3 Bytes }
    SCOPE_PROFILES "ScopeProfiles" { 1 One(&SCOPE), 2 Many(&PROFILE), 3 Bytes }
    PROFILE "Profile" {
        1 One(&VALUE_TYPE), 2 Many(&SAMPLE), 3 Fixed64, 4 Varint, 5 One(&VALUE_TYPE), 6 Varint,
        7 Bytes, 8 Varint, 9 Bytes, 10 Bytes, 11 Varints,
    }
    VALUE_TYPE "ValueType" { 1 Varint, 2 Varint }
    SAMPLE "Sample" { 1 Varint, 2 Varints, 3 Varint, 4 Varints, 5 Fixed64s }
    DICTIONARY "ProfilesDictionary" {
        1 Many(&MAPPING), 2 Many(&LOCATION), 3 Many(&FUNCTION), 4 Many(&PROFILE_LINK), 5 Bytes,
        6 Many(&KEY_VALUE_AND_UNIT), 7 Many(&STACK),
    }
    MAPPING "Mapping" { 1 Varint, 2 Varint, 3 Varint, 4 Varint, 5 Varints }
    LOCATION "Location" { 1 Varint, 2 Varint, 3 Many(&LINE), 4 Varints }
    LINE "Line" { 1 Varint, 2 Varint, 3 Varint }
    FUNCTION "Function" { 1 Varint, 2 Varint, 3 Varint, 4 Varint }
    PROFILE_LINK "Link" { 1 Bytes, 2 Bytes }
    KEY_VALUE_AND_UNIT "KeyValueAndUnit" { 1 Varint, 2 One(&ANY_VALUE), 3 Varint }
    STACK "Stack" { 1 Varints }

    RESOURCE "Resource" { 1 Attributes, 2 Varint, 3 Many(&ENTITY_REF) }
    ENTITY_REF "EntityRef" { 1 Bytes, 2 Bytes, 3 Bytes, 4 Bytes }
    SCOPE "InstrumentationScope" { 1 Bytes, 2 Bytes, 3 Attributes, 4 Varint }
    KEY_VALUE "KeyValue" { 1 Bytes, 2 One(&ANY_VALUE), 3 Varint }
    ANY_VALUE "AnyValue" {
        1 Bytes, 2 Varint, 3 Varint, 4 Fixed64, 5 One(&ARRAY), 6 One(&KEY_VALUES), 7 Bytes, 8 Varint,
    }
    ARRAY "ArrayValue" { 1 Many(&ANY_VALUE) }
    KEY_VALUES "KeyValueList" { 1 Attributes }
}

/// The request message of a signal.
pub(crate) const fn request(signal: crate::Signal) -> &'static Message {
    match signal {
        crate::Signal::Traces => &TRACES,
        crate::Signal::Metrics => &METRICS,
        crate::Signal::Logs => &LOGS,
        crate::Signal::Profiles => &PROFILES,
    }
}
