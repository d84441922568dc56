//! Random requests, and random ways of writing the same request: fields in any order,
//! unknown fields between, messages in pieces, lists unpacked.

use prost::Message as _;

use crate::{
    Signal,
    batch::schema::{self, Def, Message},
    otlp::{
        ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportProfilesServiceRequest,
        ExportTraceServiceRequest,
        common::v1::{
            AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
            any_value::Value,
        },
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
        metrics::v1::{
            Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
            HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
            Summary, SummaryDataPoint, exemplar, exponential_histogram_data_point::Buckets,
            metric::Data, number_data_point, summary_data_point::ValueAtQuantile,
        },
        profiles::v1development::{ResourceProfiles, ScopeProfiles},
        resource::v1::Resource,
        trace::v1::{
            ResourceSpans, ScopeSpans, Span, Status,
            span::{Event, Link},
        },
    },
    wire::{Fields, WireType, put_bytes, put_fixed32, put_fixed64, put_tag, put_uint},
};

/// Choices: taken from given bytes while there are any, then such as only the seed decides
/// (xorshift).
pub struct Rng {
    state: u64,
    bytes: std::vec::IntoIter<u8>,
}

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng::from_bytes(seed, Vec::new())
    }
    /// Every byte is one choice, so that a change of a byte is a change of one choice.
    pub fn from_bytes(seed: u64, bytes: Vec<u8>) -> Rng {
        Rng {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            bytes: bytes.into_iter(),
        }
    }
    pub fn draw(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }
    pub fn below(&mut self, n: usize) -> usize {
        match self.bytes.next() {
            Some(byte) => usize::from(byte) % n.max(1),
            None => (self.draw() >> 11) as usize % n.max(1),
        }
    }
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
    pub fn many<T>(
        &mut self,
        from: usize,
        to: usize,
        mut make: impl FnMut(&mut Rng) -> T,
    ) -> Vec<T> {
        (0..from + self.below(to - from + 1))
            .map(|_| make(self))
            .collect()
    }
}

pub use super::generate_profiles::{TABLE, dictionary, profile, referring, sample};

pub const KEYS: [&str; 6] = ["a", "bb", "service.name", "k8s.pod.name", "", "x.y"];

pub fn text(r: &mut Rng) -> String {
    match r.below(5) {
        0 => String::new(),
        1 => "é".repeat(r.below(100)),
        _ => format!("t{}", r.draw() % 1000),
    }
}

pub fn any_value(r: &mut Rng, depth: usize) -> AnyValue {
    let value = match r.below(if depth > 2 { 7 } else { 9 }) {
        0 => None,
        1 | 2 => Some(Value::StringValue(text(r))),
        3 => Some(Value::BoolValue(r.one_in(2))),
        4 => Some(Value::IntValue(r.draw() as i64 >> r.below(64))),
        5 => Some(Value::DoubleValue(r.below(1000) as f64 / 7.0)),
        6 => Some(Value::BytesValue(vec![255; r.below(20)])),
        7 => Some(Value::ArrayValue(ArrayValue {
            values: r.many(0, 3, |r| any_value(r, depth + 1)),
        })),
        _ => Some(Value::KvlistValue(KeyValueList {
            values: r.many(0, 3, |r| key_value(r, depth + 1)),
        })),
    };
    AnyValue { value }
}

pub fn key_value(r: &mut Rng, depth: usize) -> KeyValue {
    let value = if r.one_in(12) {
        None
    } else {
        Some(any_value(r, depth))
    };
    KeyValue {
        key: KEYS[r.below(KEYS.len())].into(),
        value,
        ..Default::default()
    }
}

pub fn attributes(r: &mut Rng) -> Vec<KeyValue> {
    r.many(0, 6, |r| key_value(r, 0))
}

pub fn id(r: &mut Rng, len: usize) -> Vec<u8> {
    (0..len).map(|_| r.draw() as u8).collect()
}

fn resource(r: &mut Rng) -> Option<Resource> {
    (!r.one_in(5)).then(|| Resource {
        attributes: attributes(r),
        dropped_attributes_count: r.below(3) as u32,
        entity_refs: r.many(0, 2, |r| EntityRef {
            r#type: text(r),
            ..Default::default()
        }),
    })
}

fn scope(r: &mut Rng) -> Option<InstrumentationScope> {
    (!r.one_in(5)).then(|| InstrumentationScope {
        name: text(r),
        version: text(r),
        attributes: attributes(r),
        dropped_attributes_count: r.below(3) as u32,
    })
}

pub fn event(r: &mut Rng) -> Event {
    Event {
        time_unix_nano: r.draw() >> 40,
        name: text(r),
        attributes: attributes(r),
        dropped_attributes_count: r.below(2) as u32,
    }
}

pub fn link(r: &mut Rng) -> Link {
    Link {
        trace_id: id(r, 16),
        span_id: id(r, 8),
        trace_state: text(r),
        attributes: attributes(r),
        flags: r.below(300) as u32,
        ..Default::default()
    }
}

pub fn span(r: &mut Rng) -> Span {
    Span {
        trace_id: id(r, 16),
        span_id: id(r, 8),
        parent_span_id: if r.one_in(2) { id(r, 8) } else { Vec::new() },
        name: text(r),
        kind: r.below(6) as i32,
        start_time_unix_nano: r.draw(),
        end_time_unix_nano: r.draw() >> 60,
        attributes: attributes(r),
        events: r.many(0, 3, event),
        links: r.many(0, 3, link),
        status: (!r.one_in(3)).then(|| Status {
            code: r.below(3) as i32,
            message: text(r),
        }),
        flags: r.below(300) as u32,
        ..Default::default()
    }
}

pub fn log_record(r: &mut Rng) -> LogRecord {
    LogRecord {
        time_unix_nano: r.draw(),
        severity_number: r.below(25) as i32,
        severity_text: text(r),
        body: (!r.one_in(4)).then(|| any_value(r, 0)),
        attributes: attributes(r),
        trace_id: id(r, 16),
        event_name: text(r),
        ..Default::default()
    }
}

pub fn exemplar(r: &mut Rng) -> Exemplar {
    Exemplar {
        filtered_attributes: attributes(r),
        time_unix_nano: r.draw(),
        span_id: id(r, 8),
        trace_id: id(r, 16),
        value: match r.below(3) {
            0 => None,
            1 => Some(exemplar::Value::AsInt(r.draw() as i64)),
            _ => Some(exemplar::Value::AsDouble(0.5)),
        },
    }
}

pub fn number_point(r: &mut Rng) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(r),
        time_unix_nano: r.draw(),
        exemplars: r.many(0, 2, exemplar),
        value: match r.below(3) {
            0 => None,
            1 => Some(number_data_point::Value::AsInt(r.draw() as i64)),
            _ => Some(number_data_point::Value::AsDouble(0.25)),
        },
        ..Default::default()
    }
}

pub fn histogram_point(r: &mut Rng) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: attributes(r),
        count: r.draw() >> 50,
        sum: r.one_in(2).then_some(1.5),
        bucket_counts: r.many(0, 5, |r| r.draw() >> 50),
        explicit_bounds: r.many(0, 5, |r| r.below(100) as f64),
        exemplars: r.many(0, 2, exemplar),
        min: r.one_in(2).then_some(0.0),
        ..Default::default()
    }
}

pub fn exponential_point(r: &mut Rng) -> ExponentialHistogramDataPoint {
    let buckets = |r: &mut Rng| {
        r.one_in(2).then(|| Buckets {
            offset: r.below(9) as i32 - 4,
            bucket_counts: r.many(0, 5, |r| r.draw() >> r.below(64)),
        })
    };
    ExponentialHistogramDataPoint {
        attributes: attributes(r),
        scale: r.below(9) as i32 - 4,
        positive: buckets(r),
        negative: buckets(r),
        exemplars: r.many(0, 2, exemplar),
        zero_threshold: 0.1,
        ..Default::default()
    }
}

pub fn quantile(r: &mut Rng) -> ValueAtQuantile {
    ValueAtQuantile {
        quantile: r.below(100) as f64 / 100.0,
        value: r.below(9) as f64,
    }
}

pub fn summary_point(r: &mut Rng) -> SummaryDataPoint {
    SummaryDataPoint {
        attributes: attributes(r),
        count: r.draw(),
        sum: 3.0,
        quantile_values: r.many(0, 3, quantile),
        ..Default::default()
    }
}

pub fn metric(r: &mut Rng) -> Metric {
    let temporality = r.below(3) as i32;
    let data = match r.below(11) {
        0 => None,
        1 | 2 => Some(Data::Gauge(Gauge {
            data_points: r.many(0, 3, number_point),
        })),
        3 | 4 => Some(Data::Sum(Sum {
            data_points: r.many(0, 3, number_point),
            aggregation_temporality: temporality,
            is_monotonic: r.one_in(2),
        })),
        5 | 6 => Some(Data::Histogram(Histogram {
            data_points: r.many(0, 3, histogram_point),
            aggregation_temporality: temporality,
        })),
        7 | 8 => Some(Data::ExponentialHistogram(ExponentialHistogram {
            data_points: r.many(0, 3, exponential_point),
            aggregation_temporality: temporality,
        })),
        _ => Some(Data::Summary(Summary {
            data_points: r.many(0, 3, summary_point),
        })),
    };
    Metric {
        name: text(r),
        description: text(r),
        unit: text(r),
        metadata: attributes(r),
        data,
    }
}

macro_rules! shell {
    ($scope_name:ident, $resource_name:ident, $scope_type:ident, $resource_type:ident, $items:ident, $scopes:ident, $item:ident) => {
        pub fn $scope_name(r: &mut Rng) -> $scope_type {
            $scope_type {
                scope: scope(r),
                $items: r.many(1, 4, $item),
                schema_url: text(r),
            }
        }
        pub fn $resource_name(r: &mut Rng) -> $resource_type {
            $resource_type {
                resource: resource(r),
                $scopes: r.many(1, 3, $scope_name),
                schema_url: text(r),
            }
        }
    };
}
shell!(
    scope_spans,
    resource_spans,
    ScopeSpans,
    ResourceSpans,
    spans,
    scope_spans,
    span
);
shell!(
    scope_logs,
    resource_logs,
    ScopeLogs,
    ResourceLogs,
    log_records,
    scope_logs,
    log_record
);
shell!(
    scope_metrics,
    resource_metrics,
    ScopeMetrics,
    ResourceMetrics,
    metrics,
    scope_metrics,
    metric
);
shell!(
    scope_profiles,
    resource_profiles,
    ScopeProfiles,
    ResourceProfiles,
    profiles,
    scope_profiles,
    profile
);

/// A decoded request.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    Traces(ExportTraceServiceRequest),
    Metrics(ExportMetricsServiceRequest),
    Logs(ExportLogsServiceRequest),
    Profiles(ExportProfilesServiceRequest),
}

impl Request {
    /// The same with every resource and scope there, be it empty: an edit that changes nothing
    /// may leave one.
    pub fn with_holders(mut self) -> Request {
        macro_rules! fill {
            ($of:expr, $scopes:ident) => {
                for of in $of {
                    of.resource.get_or_insert_default();
                    for of in &mut of.$scopes {
                        of.scope.get_or_insert_default();
                    }
                }
            };
        }
        match &mut self {
            Request::Traces(of) => fill!(&mut of.resource_spans, scope_spans),
            Request::Metrics(of) => fill!(&mut of.resource_metrics, scope_metrics),
            Request::Logs(of) => fill!(&mut of.resource_logs, scope_logs),
            Request::Profiles(of) => fill!(&mut of.resource_profiles, scope_profiles),
        }
        self
    }

    pub fn random(signal: Signal, r: &mut Rng) -> Request {
        match signal {
            Signal::Traces => Request::Traces(ExportTraceServiceRequest {
                resource_spans: r.many(1, 3, resource_spans),
            }),
            Signal::Metrics => Request::Metrics(ExportMetricsServiceRequest {
                resource_metrics: r.many(1, 3, resource_metrics),
            }),
            Signal::Logs => Request::Logs(ExportLogsServiceRequest {
                resource_logs: r.many(1, 3, resource_logs),
            }),
            Signal::Profiles => Request::Profiles(ExportProfilesServiceRequest {
                resource_profiles: r.many(1, 3, |r| {
                    let resource = resource_profiles(r);
                    referring(resource, r)
                }),
                dictionary: Some(dictionary(r)),
            }),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        match self {
            Request::Traces(request) => request.encode_to_vec(),
            Request::Metrics(request) => request.encode_to_vec(),
            Request::Logs(request) => request.encode_to_vec(),
            Request::Profiles(request) => request.encode_to_vec(),
        }
    }

    pub fn decode(signal: Signal, bytes: &[u8]) -> Result<Request, prost::DecodeError> {
        Ok(match signal {
            Signal::Traces => Request::Traces(ExportTraceServiceRequest::decode(bytes)?),
            Signal::Metrics => Request::Metrics(ExportMetricsServiceRequest::decode(bytes)?),
            Signal::Logs => Request::Logs(ExportLogsServiceRequest::decode(bytes)?),
            Signal::Profiles => Request::Profiles(ExportProfilesServiceRequest::decode(bytes)?),
        })
    }
}

/// Writes an encoded request differently, without changing what it means. Returns the
/// unknown fields that were put into messages that are entities or parts of them.
pub fn rewrite(signal: Signal, bytes: &[u8], r: &mut Rng) -> (Vec<u8>, Vec<u64>) {
    let mut marks = Vec::new();
    let bytes = rewrite_message(schema::request(signal), bytes, r, &mut marks, true);
    (bytes, marks)
}

fn rewrite_message(
    message: &'static Message,
    body: &[u8],
    r: &mut Rng,
    marks: &mut Vec<u64>,
    entity: bool,
) -> Vec<u8> {
    let mut fields: Vec<(u32, Vec<u8>)> = Vec::new();
    for field in Fields::all(body).map(Result::unwrap) {
        let value = field.bytes(body);
        let mut out = Vec::new();
        match (message.field(field.number), field.wire) {
            (Def::Many(inner), _) => {
                let replaced = [&schema::KEY_VALUE, &schema::ENTITY_REF];
                let entity = entity && !replaced.iter().any(|other| std::ptr::eq(*other, inner));
                put_bytes(
                    &mut out,
                    field.number,
                    &rewrite_message(inner, value, r, marks, entity),
                );
            }
            (Def::One(inner), _) => {
                let entity = entity && !std::ptr::eq(inner, &schema::ANY_VALUE);
                let value = rewrite_message(inner, value, r, marks, entity);
                let cuts: Vec<usize> = Fields::all(&value)
                    .map(|field| field.unwrap().end)
                    .collect();
                if r.one_in(4) && !cuts.is_empty() {
                    let cut = cuts[r.below(cuts.len())];
                    let mut first = Vec::new();
                    put_bytes(&mut first, field.number, &value[..cut]);
                    fields.push((field.number, first));
                    put_bytes(&mut out, field.number, &value[cut..]);
                } else {
                    put_bytes(&mut out, field.number, &value);
                }
            }
            (Def::Fixed64s, WireType::Len) if r.one_in(3) => {
                for number in value.chunks(8) {
                    put_tag(&mut out, field.number, WireType::Fixed64);
                    out.extend_from_slice(number);
                }
            }
            (Def::Varints, WireType::Len) if r.one_in(3) => {
                let mut pos = 0;
                while let Some((number, next)) = crate::wire::read_varint(value, pos) {
                    put_uint(&mut out, field.number, number);
                    pos = next;
                }
            }
            _ => {
                if r.one_in(8)
                    && field.wire == WireType::Varint
                    && !std::ptr::eq(message, &schema::ANY_VALUE)
                {
                    let mut stale = Vec::new();
                    put_uint(&mut stale, field.number, 1);
                    fields.push((field.number, stale));
                }
                out.extend_from_slice(&body[field.head..field.end]);
            }
        }
        fields.push((field.number, out));
    }
    if r.one_in(3) {
        // Any order; fields of one number keep theirs.
        let mut order: Vec<(usize, u32)> = fields
            .iter()
            .map(|(number, _)| (r.below(1000), *number))
            .collect();
        order.sort_unstable();
        let mut by_number: std::collections::HashMap<u32, std::collections::VecDeque<Vec<u8>>> =
            Default::default();
        for (number, bytes) in fields {
            by_number.entry(number).or_default().push_back(bytes);
        }
        fields = order
            .into_iter()
            .map(|(_, number)| {
                (
                    number,
                    by_number.get_mut(&number).unwrap().pop_front().unwrap(),
                )
            })
            .collect();
    }
    let mut out = Vec::new();
    for (_, bytes) in &fields {
        unknown(&mut out, r, marks, entity);
        out.extend_from_slice(bytes);
    }
    unknown(&mut out, r, marks, entity);
    out
}

fn unknown(out: &mut Vec<u8>, r: &mut Rng, marks: &mut Vec<u64>, entity: bool) {
    if !r.one_in(10) {
        return;
    }
    let mark = r.draw();
    let number = [17, 31, 32, 100, 1000, 536_870_911][r.below(6)];
    match r.below(5) {
        0 => put_fixed64(out, number, mark),
        1 => put_bytes(out, number, &mark.to_le_bytes()),
        2 => {
            put_tag(out, number, WireType::Group);
            put_fixed64(out, 1, mark);
            out.extend(group_end(number));
        }
        3 => return put_uint(out, number, mark),
        _ => return put_fixed32(out, number, mark as u32),
    }
    if entity {
        marks.push(mark);
    }
}

fn group_end(number: u32) -> Vec<u8> {
    let mut out = Vec::new();
    crate::wire::put_varint(&mut out, u64::from(number) << 3 | 4);
    out
}
