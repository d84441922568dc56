//! Requests in OTLP/JSON: ids in hexadecimal, 64-bit integers as strings, enumerations as
//! numbers, keys in lowerCamelCase (OTLP specification, "JSON Protobuf Encoding").

use serde_json::{Map, Value as Json, json};

use super::model::{
    Attributes, Data, Exemplar, Group, LogRecord, Metric, Number, Point, Request, Span, Value,
};
use super::pool::hex;

/// The bytes of an `Export…ServiceRequest`.
pub fn encode(request: &Request) -> Vec<u8> {
    match request {
        Request::Traces(all) => groups("resourceSpans", "scopeSpans", "spans", all, span),
        Request::Metrics(all) => groups("resourceMetrics", "scopeMetrics", "metrics", all, metric),
        Request::Logs(all) => groups("resourceLogs", "scopeLogs", "logRecords", all, log_record),
    }
    .to_string()
    .into_bytes()
}

fn groups<T>(top: &str, middle: &str, items: &str, all: &[Group<T>], item: fn(&T) -> Json) -> Json {
    let groups: Vec<Json> = all
        .iter()
        .map(|group| {
            let scope = object([
                (
                    "scope",
                    json!({"name": group.scope.0, "version": group.scope.1}),
                ),
                (items, group.items.iter().map(item).collect()),
            ]);
            object([
                (
                    "resource",
                    json!({"attributes": attributes(&group.resource)}),
                ),
                (middle, json!([scope])),
                (
                    "schemaUrl",
                    json!("https://opentelemetry.io/schemas/1.27.0"),
                ),
            ])
        })
        .collect();
    object([(top, Json::Array(groups))])
}

fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
    Json::Object(
        fields
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect::<Map<_, _>>(),
    )
}

fn attributes(all: &Attributes) -> Json {
    all.iter()
        .map(|(key, v)| json!({"key": key, "value": value(v)}))
        .collect()
}

fn value(v: &Value) -> Json {
    match v {
        Value::Str(v) => json!({"stringValue": v}),
        Value::Bool(v) => json!({"boolValue": v}),
        Value::Int(v) => json!({"intValue": v.to_string()}),
        Value::Double(v) => json!({"doubleValue": v}),
        Value::List(all) => {
            json!({"arrayValue": {"values": all.iter().map(value).collect::<Vec<_>>()}})
        }
    }
}

fn span(one: &Span) -> Json {
    let events: Vec<Json> = one
        .events
        .iter()
        .map(|e| {
            json!({
                "timeUnixNano": e.time.to_string(),
                "name": e.name,
                "attributes": attributes(&e.attributes),
            })
        })
        .collect();
    json!({
        "traceId": hex(&one.trace_id),
        "spanId": hex(&one.span_id),
        "parentSpanId": one.parent_span_id.map_or(String::new(), |id| hex(&id)),
        "flags": one.flags,
        "name": one.name,
        "kind": one.kind,
        "startTimeUnixNano": one.start.to_string(),
        "endTimeUnixNano": one.end.to_string(),
        "attributes": attributes(&one.attributes),
        "events": events,
        "status": {"code": one.status.0, "message": one.status.1},
    })
}

fn log_record(one: &LogRecord) -> Json {
    json!({
        "timeUnixNano": one.time.to_string(),
        "observedTimeUnixNano": one.observed.to_string(),
        "severityNumber": one.severity.0,
        "severityText": one.severity.1,
        "body": value(&one.body),
        "attributes": attributes(&one.attributes),
        "flags": one.flags,
        "traceId": hex(&one.trace_id),
        "spanId": hex(&one.span_id),
    })
}

fn metric(one: &Metric) -> Json {
    let (name, data) = match &one.data {
        Data::Gauge(points) => ("gauge", json!({"dataPoints": all(points, number)})),
        Data::Sum(points) => (
            "sum",
            json!({"dataPoints": all(points, number), "aggregationTemporality": 2, "isMonotonic": true}),
        ),
        Data::Histogram(points) => (
            "histogram",
            json!({
                "aggregationTemporality": 2,
                "dataPoints": all(points, |h| object([
                    ("count", json!(h.counts.iter().sum::<u64>().to_string())),
                    ("sum", json!(h.sum)),
                    ("min", json!(h.min)),
                    ("max", json!(h.max)),
                    ("bucketCounts", strings(&h.counts)),
                    ("explicitBounds", json!(h.bounds)),
                ])),
            }),
        ),
        Data::Exponential(points) => (
            "exponentialHistogram",
            json!({
                "aggregationTemporality": 2,
                "dataPoints": all(points, |h| object([
                    ("count", json!((h.zero_count + h.counts.iter().sum::<u64>()).to_string())),
                    ("sum", json!(h.sum)),
                    ("scale", json!(h.scale)),
                    ("zeroCount", json!(h.zero_count.to_string())),
                    ("positive", json!({"offset": h.offset, "bucketCounts": strings(&h.counts)})),
                ])),
            }),
        ),
        Data::Summary(points) => (
            "summary",
            json!({
                "dataPoints": all(points, |v| object([
                    ("count", json!(v.count.to_string())),
                    ("sum", json!(v.sum)),
                    ("quantileValues", v.quantiles.iter()
                        .map(|(q, v)| json!({"quantile": q, "value": v})).collect()),
                ])),
            }),
        ),
    };
    object([
        ("name", json!(one.name)),
        ("description", json!(one.description)),
        ("unit", json!(one.unit)),
        (name, data),
    ])
}

fn strings(all: &[u64]) -> Json {
    all.iter().map(|n| Json::String(n.to_string())).collect()
}

/// Data points: what every type has, then what `own` adds.
fn all<V>(points: &[Point<V>], own: impl Fn(&V) -> Json) -> Vec<Json> {
    points
        .iter()
        .map(|p| {
            let mut point = object([
                ("attributes", attributes(&p.attributes)),
                ("startTimeUnixNano", json!(p.start.to_string())),
                ("timeUnixNano", json!(p.time.to_string())),
            ]);
            if !p.exemplars.is_empty() {
                point["exemplars"] = p.exemplars.iter().map(exemplar).collect();
            }
            if let (Json::Object(point), Json::Object(own)) = (&mut point, own(&p.value)) {
                point.extend(own);
            }
            point
        })
        .collect()
}

fn number(v: &Number) -> Json {
    match v {
        Number::Int(v) => json!({"asInt": v.to_string()}),
        Number::Double(v) => json!({"asDouble": v}),
    }
}

fn exemplar(e: &Exemplar) -> Json {
    json!({
        "timeUnixNano": e.time.to_string(),
        "asDouble": e.value,
        "traceId": hex(&e.trace_id),
        "spanId": hex(&e.span_id),
        "filteredAttributes": attributes(&e.attributes),
    })
}
