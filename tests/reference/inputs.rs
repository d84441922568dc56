//! Random inputs: a log record, a span or a data point with attributes of every type, as OTLP/JSON.
//! The cases that run on them are made in `generate`.

use serde_json::{Value as Json, json};
use trunkline_ottl::{contexts::Context, types::Type};

use crate::{
    answers::Input,
    generate::{Generator, NAMES, TYPES},
    texts,
};

/// Contexts that inputs are of.
const CONTEXTS: [Context; 5] = [
    Context::Log,
    Context::Log,
    Context::Log,
    Context::Span,
    Context::DataPoint,
];

impl Generator {
    /// An input, and the context of the cases that follow.
    pub fn input(&mut self) -> Input {
        self.context = self.rng.pick(&CONTEXTS);
        let mut attributes = Vec::new();
        for (name, of) in NAMES {
            if self.rng.one_in(12) {
                continue;
            }
            let of = match self.rng.one_in(12) {
                true => self.rng.pick(&TYPES),
                false => of,
            };
            attributes.push(json!({"key": name, "value": self.any(of, 3)}));
        }
        let body = self.rng.pick(&TYPES);
        let body = self.any(body, 3);
        let around = json!({"attributes": [
            {"key": "host", "value": {"stringValue": "localhost"}}, {"key": "i", "value": {"intValue": "7"}}]});
        let text = self.text();
        let request = match self.context {
            Context::Span => json!({"resourceSpans": [{"resource": around, "scopeSpans": [{
                "scope": {"name": "scope", "version": "2"}, "spans": [{
                "traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0102030405060708",
                "parentSpanId": if self.rng.one_in(2) { "" } else { "1112131415161718" },
                "traceState": "a=1,b=2", "name": text, "kind": self.rng.below(6),
                "startTimeUnixNano": "1581452772000000321", "endTimeUnixNano": "1581452773000000321",
                "attributes": attributes, "status": {"code": 2, "message": "bad"}, "flags": 257,
                "events": [{"name": "first", "timeUnixNano": "7"}], "droppedLinksCount": 3}]}]}]}),
            Context::DataPoint => {
                let point = json!({"attributes": attributes, "timeUnixNano": "1581452773000000321",
                    "startTimeUnixNano": "1581452772000000321"});
                let metric = self.metric(point);
                json!({"resourceMetrics": [{"resource": around, "scopeMetrics": [{
                    "scope": {"name": "scope"}, "metrics": [metric]}]}]})
            }
            _ => json!({"resourceLogs": [{"resource": around, "schemaUrl": "https://schema",
                "scopeLogs": [{"scope": {"name": "scope"}, "logRecords": [{
                "timeUnixNano": "1581452772000000321", "observedTimeUnixNano": "1581452773000000321",
                "severityNumber": self.rng.below(25), "severityText": text, "flags": 1,
                "traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0102030405060708",
                "body": body, "attributes": attributes, "eventName": "event",
                "droppedAttributesCount": 5}]}]}]}),
        };
        Input {
            context: self.context,
            json: request.to_string(),
        }
    }

    fn metric(&mut self, mut point: Json) -> Json {
        let mut add = |fields: Json| {
            for (name, value) in fields.as_object().unwrap() {
                point[name] = value.clone();
            }
        };
        let (kind, extra) = match self.rng.below(5) {
            0 => {
                add(json!({"asDouble": 2.5}));
                ("gauge", json!({}))
            }
            1 => {
                add(json!({"asInt": "42"}));
                (
                    "sum",
                    json!({"aggregationTemporality": 2, "isMonotonic": true}),
                )
            }
            2 => {
                add(
                    json!({"count": "6", "sum": 22.5, "bucketCounts": ["1", "2", "3"],
                    "explicitBounds": [1.5, 10.0]}),
                );
                ("histogram", json!({"aggregationTemporality": 1}))
            }
            3 => {
                add(
                    json!({"count": "6", "sum": 22.5, "scale": 1, "zeroCount": "1",
                    "positive": {"offset": -1, "bucketCounts": ["1", "2"]},
                    "negative": {"offset": 2, "bucketCounts": ["2"]}}),
                );
                ("exponentialHistogram", json!({"aggregationTemporality": 2}))
            }
            _ => {
                add(json!({"count": "6", "sum": 22.5,
                    "quantileValues": [{"quantile": 0.5, "value": 3.5}]}));
                ("summary", json!({}))
            }
        };
        let mut data = extra;
        data["dataPoints"] = json!([point]);
        json!({"name": "metric", "unit": "By", "description": "d", kind: data,
            "metadata": [{"key": "s", "value": {"stringValue": "hello"}}]})
    }

    /// An `AnyValue`.
    fn any(&mut self, of: Type, depth: usize) -> Json {
        match of {
            Type::Bool => json!({"boolValue": self.rng.one_in(2)}),
            Type::Int => json!({"intValue": self.int().to_string()}),
            Type::Float => json!({"doubleValue": self.rng.pick(&texts::FLOATS)}),
            Type::String => json!({"stringValue": self.text()}),
            Type::Bytes => {
                json!({"bytesValue": self.rng.pick(&["", "3q0=", "AQIDBAUGBwg=", "aGVsbG8=", "/w=="])})
            }
            Type::List => {
                let len = if depth == 0 { 0 } else { self.rng.below(4) };
                let one = self.rng.pick(&TYPES);
                let mixed = self.rng.one_in(2);
                let values: Vec<Json> = (0..len)
                    .map(|_| {
                        let of = if mixed { self.rng.pick(&TYPES) } else { one };
                        self.any(of, depth - 1)
                    })
                    .collect();
                json!({"arrayValue": {"values": values}})
            }
            Type::Map => {
                let len = if depth == 0 { 0 } else { self.rng.below(4) };
                let mut keys = texts::KEYS.to_vec();
                let values: Vec<Json> = (0..len)
                    .map(|_| {
                        let key = keys.remove(self.rng.below(keys.len()));
                        let of = self.rng.pick(&TYPES);
                        json!({"key": key, "value": self.any(of, depth - 1)})
                    })
                    .collect();
                json!({"kvlistValue": {"values": values}})
            }
            _ => json!({}),
        }
    }
}
