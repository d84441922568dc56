//! What is generated is valid OTLP, read by prost from the protocol's own definitions.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use prost::Message;
use trunkline_proto::otlp::metrics::v1::metric::Data;
use trunkline_proto::otlp::{
    ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest,
};
use trunkline_proto::{Signal, json};

use super::*;

const SIGNALS: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

fn shape(signal: Signal, batch: usize, per_resource: usize) -> Shape {
    Shape {
        signal,
        batch,
        per_resource,
        bodies: 2,
        seed: 7,
        encoding: Encoding::Protobuf,
        compression: Compression::None,
        verify: false,
        grpc: false,
    }
}

fn body(shape: Shape) -> Vec<u8> {
    Pool::new(shape).unwrap().take().unwrap().0.to_vec()
}

#[test]
fn requests_hold_as_many_items_and_resources_as_asked() {
    for signal in SIGNALS {
        for (batch, per_resource) in [(1, 1), (512, 512), (512, 64), (100, 1), (10, 3)] {
            let bytes = body(shape(signal, batch, per_resource));
            let resources = match signal {
                Signal::Traces => ExportTraceServiceRequest::decode(&bytes[..])
                    .unwrap()
                    .resource_spans
                    .len(),
                Signal::Metrics => ExportMetricsServiceRequest::decode(&bytes[..])
                    .unwrap()
                    .resource_metrics
                    .len(),
                _ => ExportLogsServiceRequest::decode(&bytes[..])
                    .unwrap()
                    .resource_logs
                    .len(),
            };
            assert_eq!(
                resources,
                batch.div_ceil(per_resource),
                "{signal:?} {batch} {per_resource}"
            );
            assert_eq!(
                crate::wire::count_items(signal, &bytes),
                Ok(batch as u64),
                "{signal:?}"
            );
        }
    }
}

#[test]
fn spans_are_of_the_size_and_shape_that_the_comparison_speaks_of() {
    let bytes = body(shape(Signal::Traces, 512, 64));
    assert!(
        (650..760).contains(&(bytes.len() / 512)),
        "{} bytes a span",
        bytes.len() / 512
    );
    let request = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
    let mut orders = BTreeSet::new();
    for group in &request.resource_spans {
        assert_eq!(group.resource.as_ref().unwrap().attributes.len(), 8);
        for span in &group.scope_spans[0].spans {
            assert_eq!(span.attributes.len(), 14);
            assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
            assert!(span.start_time_unix_nano < span.end_time_unix_nano);
            orders.insert(
                span.attributes
                    .iter()
                    .map(|a| a.key.clone())
                    .collect::<Vec<_>>(),
            );
        }
    }
    assert_eq!(orders.len(), 1, "keys come in one order");
    // What the comparison's `attributes` actions touch is there.
    for key in ["http.route", "client.address", "enduser.id"] {
        assert!(orders.first().unwrap().iter().any(|k| k == key), "{key}");
    }
}

#[test]
fn log_records_are_of_about_the_size_of_spans() {
    let bytes = body(shape(Signal::Logs, 512, 64));
    assert!(
        (550..760).contains(&(bytes.len() / 512)),
        "{} bytes a record",
        bytes.len() / 512
    );
    let request = ExportLogsServiceRequest::decode(&bytes[..]).unwrap();
    for record in &request.resource_logs[0].scope_logs[0].log_records {
        assert!(record.body.is_some() && record.attributes.len() == 10);
        for key in ["http.route", "client.address", "enduser.id"] {
            assert!(record.attributes.iter().any(|a| a.key == key), "{key}");
        }
    }
}

#[test]
fn metrics_are_of_all_five_types() {
    let bytes = body(shape(Signal::Metrics, 100, 100));
    let request = ExportMetricsServiceRequest::decode(&bytes[..]).unwrap();
    let mut types = BTreeSet::new();
    let mut exemplars = 0;
    for metric in &request.resource_metrics[0].scope_metrics[0].metrics {
        types.insert(match metric.data.as_ref().unwrap() {
            Data::Gauge(_) => "gauge",
            Data::Sum(d) => {
                assert!(d.is_monotonic && d.aggregation_temporality == 2);
                "sum"
            }
            Data::Histogram(d) => {
                for p in &d.data_points {
                    assert_eq!(p.bucket_counts.len(), p.explicit_bounds.len() + 1);
                    assert_eq!(p.count, p.bucket_counts.iter().sum::<u64>());
                    exemplars += p.exemplars.len();
                }
                "histogram"
            }
            Data::ExponentialHistogram(d) => {
                for p in &d.data_points {
                    let positive = p.positive.as_ref().unwrap();
                    assert_eq!((p.scale, positive.offset), (3, -40));
                    assert_eq!(
                        p.count,
                        p.zero_count + positive.bucket_counts.iter().sum::<u64>()
                    );
                }
                "exponential histogram"
            }
            Data::Summary(d) => {
                assert_eq!(d.data_points[0].quantile_values.len(), 3);
                "summary"
            }
        });
    }
    assert_eq!(types.len(), 5, "{types:?}");
    assert!(exemplars > 0);
}

/// Both forms are written from one model by two writers; that they mean the same says that
/// neither is wrong alone.
#[test]
fn json_and_protobuf_mean_the_same() {
    for signal in SIGNALS {
        let plain = body(shape(signal, 60, 7));
        let mut text = body(Shape {
            encoding: Encoding::Json,
            ..shape(signal, 60, 7)
        });
        let from_json = json::to_protobuf(signal, &mut text).unwrap();
        match signal {
            Signal::Traces => same::<ExportTraceServiceRequest>(&plain, &from_json),
            Signal::Metrics => same::<ExportMetricsServiceRequest>(&plain, &from_json),
            _ => same::<ExportLogsServiceRequest>(&plain, &from_json),
        }
    }
}

fn same<M: Message + Default + PartialEq + std::fmt::Debug>(a: &[u8], b: &[u8]) {
    assert_eq!(M::decode(a).unwrap(), M::decode(b).unwrap());
}

#[test]
fn a_seed_gives_the_same_bytes_and_another_gives_others() {
    for signal in SIGNALS {
        let one = body(shape(signal, 20, 5));
        assert_eq!(one, body(shape(signal, 20, 5)));
        assert_ne!(
            one,
            body(Shape {
                seed: 8,
                ..shape(signal, 20, 5)
            })
        );
    }
}

#[test]
fn compressed_bodies_inflate_to_the_plain_ones() {
    let plain = body(shape(Signal::Traces, 50, 10));
    let gzip = body(Shape {
        compression: Compression::Gzip,
        ..shape(Signal::Traces, 50, 10)
    });
    let mut inflated = Vec::new();
    crate::relay::Inflater::new()
        .gunzip(&gzip, &mut inflated)
        .unwrap();
    assert_eq!(inflated, plain);
    let zstd = body(Shape {
        compression: Compression::Zstd,
        ..shape(Signal::Traces, 50, 10)
    });
    assert_eq!(zstd::bulk::decompress(&zstd, plain.len()).unwrap(), plain);
}

#[test]
fn a_grpc_body_says_its_length_and_whether_it_is_compressed() {
    for (compression, flag) in [(Compression::None, 0), (Compression::Gzip, 1)] {
        let framed = body(Shape {
            compression,
            grpc: true,
            ..shape(Signal::Logs, 5, 5)
        });
        assert_eq!(framed[0], flag);
        let length = u32::from_be_bytes(framed[1..5].try_into().unwrap());
        assert_eq!(length as usize, framed.len() - 5);
    }
}

#[test]
fn sequence_numbers_run_on_from_body_to_body() {
    let pool = Pool::new(Shape {
        verify: true,
        ..shape(Signal::Traces, 3, 2)
    })
    .unwrap();
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let (bytes, _, _) = pool.take().unwrap();
        let request = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
        for group in request.resource_spans {
            for span in &group.scope_spans[0].spans {
                assert_eq!(span.trace_id[..8], MARK);
                numbers.push(u64::from_be_bytes(span.trace_id[8..].try_into().unwrap()));
            }
        }
    }
    assert_eq!(numbers, (0..9).collect::<Vec<_>>());
}

#[test]
fn shapes_with_nothing_in_them_are_refused() {
    for (batch, per_resource, bodies) in [(0, 1, 1), (1, 0, 1), (1, 1, 0)] {
        let shape = Shape {
            bodies,
            ..shape(Signal::Traces, batch, per_resource)
        };
        assert!(Pool::new(shape).is_err());
    }
}
