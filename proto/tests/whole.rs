//! Whole requests: counted, passed on, joined and split without a look inside the items.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use prost::Message;
use trunkline_proto::{
    Batch, Signal,
    batch::Error,
    otlp::{
        ExportMetricsServiceRequest, ExportProfilesServiceRequest, ExportTraceServiceRequest,
        common::v1::{InstrumentationScope, KeyValue},
        metrics::v1::{
            Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
        },
        profiles::v1development::{ProfilesDictionary, ResourceProfiles},
        resource::v1::Resource,
        trace::v1::{ResourceSpans, ScopeSpans, Span},
    },
};

fn resource(name: &str) -> Option<Resource> {
    let attributes = vec![KeyValue {
        key: name.into(),
        ..Default::default()
    }];
    Some(Resource {
        attributes,
        ..Default::default()
    })
}

fn scope(name: &str) -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: name.into(),
        ..Default::default()
    })
}

/// Resources, each with scopes, each with so many spans.
fn traces(shape: &[&[usize]]) -> ExportTraceServiceRequest {
    let mut number = 0u64;
    let resource_spans = shape
        .iter()
        .enumerate()
        .map(|(r, scopes)| ResourceSpans {
            resource: resource(&format!("r{r}")),
            scope_spans: scopes
                .iter()
                .enumerate()
                .map(|(s, spans)| ScopeSpans {
                    scope: scope(&format!("s{s}")),
                    spans: (0..*spans)
                        .map(|_| {
                            number += 1;
                            Span {
                                start_time_unix_nano: number,
                                name: "x".repeat(200),
                                ..Default::default()
                            }
                        })
                        .collect(),
                    schema_url: "u".into(),
                })
                .collect(),
            schema_url: "v".into(),
        })
        .collect();
    ExportTraceServiceRequest { resource_spans }
}

fn metrics(points: &[usize]) -> ExportMetricsServiceRequest {
    let metrics = points
        .iter()
        .map(|points| Metric {
            name: "m".into(),
            data: Some(Data::Gauge(Gauge {
                data_points: (0..*points)
                    .map(|i| NumberDataPoint {
                        time_unix_nano: i as u64,
                        ..Default::default()
                    })
                    .collect(),
            })),
            ..Default::default()
        })
        .collect();
    let scope_metrics = vec![ScopeMetrics {
        scope: scope("s"),
        metrics,
        ..Default::default()
    }];
    let resource_metrics = vec![ResourceMetrics {
        resource: resource("r"),
        scope_metrics,
        ..Default::default()
    }];
    ExportMetricsServiceRequest { resource_metrics }
}

#[test]
fn split_cuts_at_items_and_repeats_what_is_around_them() {
    let request = traces(&[&[3, 0, 2], &[], &[4], &[1, 1]]);
    let batch = Batch::from_protobuf(Signal::Traces, request.encode_to_vec().into()).unwrap();
    assert_eq!(batch.item_count(), 11);
    for max in [1, 2, 3, 10, 11, 100] {
        let parts = batch.clone().split(max);
        assert_eq!(parts.len(), 11usize.div_ceil(max), "{max}");
        let mut seen = Vec::new();
        for part in parts {
            assert!(part.item_count() <= max && part.item_count() > 0);
            let bytes = part.to_protobuf();
            assert_eq!(
                Batch::from_protobuf(Signal::Traces, bytes.clone())
                    .unwrap()
                    .item_count(),
                part.item_count()
            );
            for resource in ExportTraceServiceRequest::decode(bytes)
                .unwrap()
                .resource_spans
            {
                assert_eq!(resource.schema_url, "v");
                let name = resource.resource.unwrap().attributes[0].key.clone();
                for scope in resource.scope_spans {
                    assert_eq!(scope.schema_url, "u");
                    let scope_name = scope.scope.unwrap().name;
                    seen.extend(
                        scope
                            .spans
                            .into_iter()
                            .map(|s| (name.clone(), scope_name.clone(), s)),
                    );
                }
            }
        }
        let whole: Vec<_> = request
            .resource_spans
            .iter()
            .flat_map(|resource| {
                let name = resource.resource.as_ref().unwrap().attributes[0]
                    .key
                    .clone();
                resource.scope_spans.iter().flat_map(move |scope| {
                    let (name, scope_name) =
                        (name.clone(), scope.scope.as_ref().unwrap().name.clone());
                    scope
                        .spans
                        .iter()
                        .map(move |s| (name.clone(), scope_name.clone(), s.clone()))
                })
            })
            .collect();
        assert_eq!(seen, whole, "{max}");
    }
}

#[test]
fn split_cuts_metrics_between_their_points() {
    let request = metrics(&[5, 0, 1, 7]);
    let batch = Batch::from_protobuf(Signal::Metrics, request.encode_to_vec().into()).unwrap();
    assert_eq!(batch.item_count(), 13);
    for max in [1, 2, 4, 6, 12] {
        let mut total = 0;
        for part in batch.clone().split(max) {
            assert!(part.item_count() <= max);
            total += part.item_count();
            let decoded = ExportMetricsServiceRequest::decode(part.to_protobuf()).unwrap();
            for metric in &decoded.resource_metrics[0].scope_metrics[0].metrics {
                assert_eq!(metric.name, "m");
            }
        }
        assert_eq!(total, 13, "{max}");
    }
}

#[test]
fn joined_requests_are_one_request() {
    let (a, b) = (traces(&[&[2]]), traces(&[&[1], &[3]]));
    let batch = |request: &ExportTraceServiceRequest| {
        Batch::from_protobuf(Signal::Traces, request.encode_to_vec().into()).unwrap()
    };
    let joined = Batch::join(vec![batch(&a), batch(&b)]).unwrap().unwrap();
    assert_eq!(joined.item_count(), 6);
    let decoded = ExportTraceServiceRequest::decode(joined.to_protobuf()).unwrap();
    let both = [a.resource_spans.clone(), b.resource_spans].concat();
    assert_eq!(decoded.resource_spans, both);
    assert!(Batch::join(Vec::new()).unwrap().is_none());
    let logs = Batch::from_protobuf(Signal::Logs, Default::default()).unwrap();
    assert_eq!(
        Batch::join(vec![batch(&a), logs]).unwrap_err(),
        Error::DifferentSignals(Signal::Traces, Signal::Logs)
    );
}

#[test]
fn profiles_are_joined_where_one_dictionary_continues_the_others() {
    let request = |strings: &[&str], url: &str| {
        let request = ExportProfilesServiceRequest {
            resource_profiles: vec![ResourceProfiles {
                schema_url: url.into(),
                ..ResourceProfiles::default()
            }],
            dictionary: (!strings.is_empty()).then(|| ProfilesDictionary {
                string_table: strings.iter().map(|text| (*text).into()).collect(),
                ..ProfilesDictionary::default()
            }),
        };
        Batch::from_protobuf(Signal::Profiles, request.encode_to_vec().into()).unwrap()
    };
    let grown = |mut batch: Batch, text: &str| {
        batch
            .open()
            .unwrap()
            .intern_string(text.as_bytes())
            .unwrap();
        batch
    };
    let (a, b) = (request(&["", "x"], "a"), request(&["", "x"], "b"));
    let cases: [(Vec<Batch>, Option<&[&str]>); 8] = [
        (vec![a.clone(), b.clone()], Some(&["", "x"])),
        (
            vec![grown(a.clone(), "y"), b.clone()],
            Some(&["", "x", "y"]),
        ),
        (
            vec![a.clone(), grown(b.clone(), "y")],
            Some(&["", "x", "y"]),
        ),
        (vec![request(&[], "a"), b.clone()], Some(&["", "x"])),
        (
            vec![request(&[], "a"), grown(request(&[], "b"), "y")],
            Some(&["", "y"]),
        ),
        (vec![request(&[], "a"), request(&[], "b")], Some(&[])),
        (vec![grown(a.clone(), "y"), grown(b.clone(), "z")], None),
        (vec![a.clone(), request(&["", "z"], "b")], None),
    ];
    for (batches, strings) in cases {
        let told = format!("{strings:?}");
        let joined = Batch::join(batches);
        let Some(strings) = strings else {
            assert_eq!(joined.unwrap_err(), Error::Dictionaries, "{told}");
            continue;
        };
        let joined = joined.unwrap().unwrap();
        let found = ExportProfilesServiceRequest::decode(joined.to_protobuf()).unwrap();
        let urls = found.resource_profiles.iter().map(|of| &*of.schema_url);
        assert_eq!(urls.collect::<Vec<_>>(), ["a", "b"], "{told}");
        let dictionary = found.dictionary.unwrap_or_default();
        assert_eq!(dictionary.string_table, strings, "{told}");
    }
}

#[test]
fn an_untouched_request_leaves_as_the_bytes_it_came() {
    let bytes = bytes::Bytes::from(traces(&[&[2, 1]]).encode_to_vec());
    let batch = Batch::from_protobuf(Signal::Traces, bytes.clone()).unwrap();
    let out = batch.to_protobuf();
    assert_eq!((out.as_ptr(), out.len()), (bytes.as_ptr(), bytes.len()));
}
