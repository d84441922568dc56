//! Times the parts of a request's way through a batch, by hand:
//! `cargo run -p trunkline-proto --profile fast --example time`.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use prost::Message;
use std::{hint::black_box, time::Instant};
use trunkline_proto::{
    Batch, Signal,
    batch::{AttributeEdit, Level, Selection, Source, When},
    otlp::{
        ExportTraceServiceRequest,
        common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
        resource::v1::Resource,
        trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
    },
};

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

/// 512 spans of some 700 bytes with 14 attributes, 64 a resource.
fn request(seed: u64) -> ExportTraceServiceRequest {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut span = |_| {
        let (a, b, c) = (next(), next(), next());
        let len = |x: u64| (x % 12) as usize;
        Span {
            trace_id: [a.to_le_bytes(), b.to_le_bytes()].concat(),
            span_id: c.to_le_bytes().to_vec(),
            parent_span_id: (a ^ b).to_le_bytes().to_vec(),
            name: format!("GET /api/v1/{}", "x".repeat(len(a >> 8))),
            kind: 2,
            start_time_unix_nano: 1_700_000_000_000_000_000 + a % 1_000_000,
            end_time_unix_nano: 1_700_000_000_100_000_000 + b % 1_000_000,
            attributes: vec![
                text("http.request.method", "GET"),
                text("url.path", format!("/api/v1/items/{}", "p".repeat(len(a)))),
                attribute("http.response.status_code", Value::IntValue(200)),
                text("server.address", "shop.example.com"),
                attribute("server.port", Value::IntValue(443)),
                text("client.address", format!("10.0.{}.{}", a % 256, b % 256)),
                text(
                    "user_agent.original",
                    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
                ),
                text("network.protocol.version", "1.1"),
                text("http.route", "/api/v1/items/{id}"),
                text("enduser.id", format!("user-{}", a % 100_000)),
                text("session.id", format!("{b:016x}")),
                attribute("app.cache.hit", Value::BoolValue(a & 1 == 1)),
                attribute("app.duration_ms", Value::DoubleValue(a as f64 / 1e17)),
                text("deployment.ring", "canary"),
            ],
            status: Some(Status {
                code: 1,
                ..Default::default()
            }),
            flags: 257,
            ..Default::default()
        }
    };
    let resource_spans = (0..8)
        .map(|i| ResourceSpans {
            resource: Some(Resource {
                attributes: vec![
                    text("service.name", format!("shop-{i}")),
                    text("host.name", format!("node-{i}")),
                    text("k8s.pod.name", format!("shop-{i}-5c7fdbb8d4-x2v9p")),
                ],
                ..Default::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "http".into(),
                    ..Default::default()
                }),
                spans: (0..64).map(&mut span).collect(),
                ..Default::default()
            }],
            ..Default::default()
        })
        .collect();
    ExportTraceServiceRequest { resource_spans }
}

/// Best and median of many rounds, in ns a span, over requests too many for the caches
/// to remember one.
fn time(name: &str, requests: &[bytes::Bytes], mut f: impl FnMut(&bytes::Bytes)) {
    let mut rounds: Vec<f64> = (0..60)
        .map(|_| {
            let start = Instant::now();
            for request in requests {
                f(request);
            }
            start.elapsed().as_nanos() as f64 / (requests.len() * 512) as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!(
        "{name:50} {:6.1} ns a span (median {:.1})",
        rounds[0], rounds[30]
    );
}

fn main() {
    let requests: Vec<bytes::Bytes> = (0..8)
        .map(|seed| request(seed * 7919 + 1).encode_to_vec().into())
        .collect();
    println!("{} bytes a span", requests[0].len() / 512);
    let batch = |bytes: &bytes::Bytes| Batch::from_protobuf(Signal::Traces, bytes.clone()).unwrap();
    let mut out = Vec::with_capacity(1 << 20);
    time("copy", &requests, |bytes| {
        out.clear();
        out.extend_from_slice(bytes);
        black_box(&out);
    });
    time("walk", &requests, |bytes| {
        black_box(batch(bytes).item_count());
    });
    time("walk, validate", &requests, |bytes| {
        black_box(batch(bytes).validate().unwrap());
    });
    time("walk, open", &requests, |bytes| {
        black_box(batch(bytes).open().unwrap());
    });
    for (name, key) in [
        ("first", "http.request.method"),
        ("last", "deployment.ring"),
        ("absent", "no"),
    ] {
        time(
            &format!("walk, open, one attribute as a column ({name})"),
            &requests,
            |bytes| {
                let mut batch = batch(bytes);
                let data = batch.open().unwrap();
                black_box(data.attribute_column(Level::Item, key.as_bytes()).unwrap());
            },
        );
    }
    let edits = [
        AttributeEdit::Set {
            key: b"copy",
            value: Source::Attribute(b"enduser.id"),
            when: When::Absent,
        },
        AttributeEdit::Remove {
            key: b"user_agent.original",
        },
        AttributeEdit::Remove { key: b"session.id" },
    ];
    time(
        "walk, open, insert from another, delete two",
        &requests,
        |bytes| {
            let mut batch = batch(bytes);
            batch
                .open()
                .unwrap()
                .edit_attributes(Level::Item, Selection::All, &edits)
                .unwrap();
            black_box(batch);
        },
    );
    time(
        "walk, open, insert from another, delete two, splice",
        &requests,
        |bytes| {
            let mut batch = batch(bytes);
            batch
                .open()
                .unwrap()
                .edit_attributes(Level::Item, Selection::All, &edits)
                .unwrap();
            out.clear();
            batch.write_protobuf(&mut out);
            black_box(&out);
        },
    );
}
