//! One request of each signal with every field of the protocol set, in struct literals
//! that the compiler holds to be complete: a field that the schema lacks is lost on the
//! way through JSON, and found here.

use prost::Message as _;

use super::tests::{json, wire};
use crate::Signal;
use crate::otlp::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use crate::otlp::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use crate::otlp::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, exponential_histogram_data_point::Buckets, metric::Data,
    number_data_point, summary_data_point::ValueAtQuantile,
};
use crate::otlp::profiles::v1development::{
    Function, KeyValueAndUnit, Line, Link as ProfileLink, Location, Mapping, Profile,
    ProfilesDictionary, ResourceProfiles, Sample, ScopeProfiles, Stack, ValueType,
};
use crate::otlp::resource::v1::Resource;
use crate::otlp::trace::v1::{
    ResourceSpans, ScopeSpans, Span, Status,
    span::{Event, Link},
};
use crate::otlp::{
    ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportProfilesServiceRequest,
    ExportTraceServiceRequest,
};

pub(crate) fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(any(value)),
        key_strindex: 4,
    }
}

/// An attribute of every type.
fn attributes() -> Vec<KeyValue> {
    let list = Value::ArrayValue(ArrayValue {
        values: vec![any(Value::IntValue(-7)), AnyValue { value: None }],
    });
    vec![
        attribute("s", Value::StringValue("é\"\n".into())),
        attribute("b", Value::BoolValue(false)),
        attribute("i", Value::IntValue(i64::MIN)),
        attribute("d", Value::DoubleValue(-0.1)),
        attribute("y", Value::BytesValue(vec![0, 255, 1, 2])),
        attribute("x", Value::StringValueStrindex(3)),
        attribute("l", list.clone()),
        attribute(
            "m",
            Value::KvlistValue(KeyValueList {
                values: vec![attribute("in", list)],
            }),
        ),
    ]
}

fn resource() -> Option<Resource> {
    Some(Resource {
        attributes: attributes(),
        dropped_attributes_count: 1,
        entity_refs: vec![EntityRef {
            schema_url: "url".into(),
            r#type: "host".into(),
            id_keys: vec!["a".into(), "b".into()],
            description_keys: vec!["c".into()],
        }],
    })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "scope".into(),
        version: "v1".into(),
        attributes: attributes(),
        dropped_attributes_count: 2,
    })
}

fn trace_id() -> Vec<u8> {
    (1..=16).collect()
}

fn span_id() -> Vec<u8> {
    (241..=248).collect()
}

pub(crate) fn traces() -> ExportTraceServiceRequest {
    let span = Span {
        trace_id: trace_id(),
        span_id: span_id(),
        trace_state: "a=b".into(),
        parent_span_id: span_id(),
        flags: 0x301,
        name: "name".into(),
        kind: 3,
        start_time_unix_nano: 1,
        end_time_unix_nano: u64::MAX,
        attributes: attributes(),
        dropped_attributes_count: 3,
        events: vec![Event {
            time_unix_nano: 4,
            name: "event".into(),
            attributes: attributes(),
            dropped_attributes_count: 5,
        }],
        dropped_events_count: 6,
        links: vec![Link {
            trace_id: trace_id(),
            span_id: span_id(),
            trace_state: "c=d".into(),
            attributes: attributes(),
            dropped_attributes_count: 7,
            flags: 8,
        }],
        dropped_links_count: 9,
        status: Some(Status {
            message: "message".into(),
            code: 2,
        }),
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: resource(),
            scope_spans: vec![ScopeSpans {
                scope: scope(),
                spans: vec![span],
                schema_url: "scope url".into(),
            }],
            schema_url: "resource url".into(),
        }],
    }
}

pub(crate) fn logs() -> ExportLogsServiceRequest {
    let record = LogRecord {
        time_unix_nano: 1,
        observed_time_unix_nano: 2,
        severity_number: 9,
        severity_text: "INFO".into(),
        body: Some(any(Value::StringValue("body".into()))),
        attributes: attributes(),
        dropped_attributes_count: 3,
        flags: 4,
        trace_id: trace_id(),
        span_id: span_id(),
        event_name: "event".into(),
    };
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: resource(),
            scope_logs: vec![ScopeLogs {
                scope: scope(),
                log_records: vec![record],
                schema_url: "scope url".into(),
            }],
            schema_url: "resource url".into(),
        }],
    }
}

fn exemplars() -> Vec<Exemplar> {
    [exemplar::Value::AsInt(-1), exemplar::Value::AsDouble(0.0)]
        .map(|value| Exemplar {
            filtered_attributes: attributes(),
            time_unix_nano: 1,
            span_id: span_id(),
            trace_id: trace_id(),
            value: Some(value),
        })
        .into()
}

fn number_points() -> Vec<NumberDataPoint> {
    [
        number_data_point::Value::AsInt(-1),
        number_data_point::Value::AsDouble(0.0),
    ]
    .map(|value| NumberDataPoint {
        attributes: attributes(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        exemplars: exemplars(),
        flags: 1,
        value: Some(value),
    })
    .into()
}

pub(crate) fn metrics() -> ExportMetricsServiceRequest {
    let data = [
        Data::Gauge(Gauge {
            data_points: number_points(),
        }),
        Data::Sum(Sum {
            data_points: number_points(),
            aggregation_temporality: 2,
            is_monotonic: true,
        }),
        Data::Histogram(Histogram {
            data_points: vec![HistogramDataPoint {
                attributes: attributes(),
                start_time_unix_nano: 1,
                time_unix_nano: 2,
                count: 3,
                sum: Some(0.0),
                bucket_counts: vec![1, 0, 2],
                explicit_bounds: vec![0.5, 1.5],
                exemplars: exemplars(),
                flags: 1,
                min: Some(0.0),
                max: Some(2.5),
            }],
            aggregation_temporality: 1,
        }),
        Data::ExponentialHistogram(ExponentialHistogram {
            data_points: vec![ExponentialHistogramDataPoint {
                attributes: attributes(),
                start_time_unix_nano: 1,
                time_unix_nano: 2,
                count: 3,
                sum: Some(1.0),
                scale: -4,
                zero_count: 5,
                positive: Some(Buckets {
                    offset: -6,
                    bucket_counts: vec![1, 2],
                }),
                negative: Some(Buckets {
                    offset: 7,
                    bucket_counts: vec![300],
                }),
                flags: 1,
                exemplars: exemplars(),
                min: Some(-1.0),
                max: Some(1e300),
                zero_threshold: 0.25,
            }],
            aggregation_temporality: 2,
        }),
        Data::Summary(Summary {
            data_points: vec![SummaryDataPoint {
                attributes: attributes(),
                start_time_unix_nano: 1,
                time_unix_nano: 2,
                count: 3,
                sum: 4.5,
                quantile_values: vec![ValueAtQuantile {
                    quantile: 0.99,
                    value: 12.0,
                }],
                flags: 1,
            }],
        }),
    ];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: resource(),
            scope_metrics: vec![ScopeMetrics {
                scope: scope(),
                metrics: data
                    .map(|data| Metric {
                        name: "name".into(),
                        description: "description".into(),
                        unit: "unit".into(),
                        metadata: attributes(),
                        data: Some(data),
                    })
                    .into(),
                schema_url: "scope url".into(),
            }],
            schema_url: "resource url".into(),
        }],
    }
}

fn profiles() -> ExportProfilesServiceRequest {
    let kind = Some(ValueType {
        type_strindex: 1,
        unit_strindex: 2,
    });
    let profile = Profile {
        sample_type: kind,
        samples: vec![Sample {
            stack_index: 1,
            values: vec![2, -3],
            attribute_indices: vec![4, 5],
            link_index: 6,
            timestamps_unix_nano: vec![7, 8],
        }],
        time_unix_nano: 1,
        duration_nano: 2,
        period_type: kind,
        period: 3,
        profile_id: trace_id(),
        dropped_attributes_count: 4,
        original_payload_format: "pprof".into(),
        original_payload: vec![1, 2, 3],
        attribute_indices: vec![5],
    };
    ExportProfilesServiceRequest {
        resource_profiles: vec![ResourceProfiles {
            resource: resource(),
            scope_profiles: vec![ScopeProfiles {
                scope: scope(),
                profiles: vec![profile],
                schema_url: "scope url".into(),
            }],
            schema_url: "resource url".into(),
        }],
        dictionary: Some(ProfilesDictionary {
            mapping_table: vec![Mapping {
                memory_start: 1,
                memory_limit: 2,
                file_offset: 3,
                filename_strindex: 4,
                attribute_indices: vec![5],
            }],
            location_table: vec![Location {
                mapping_index: 1,
                address: 2,
                lines: vec![Line {
                    function_index: 3,
                    line: 4,
                    column: 5,
                }],
                attribute_indices: vec![6],
            }],
            function_table: vec![Function {
                name_strindex: 1,
                system_name_strindex: 2,
                filename_strindex: 3,
                start_line: 4,
            }],
            link_table: vec![ProfileLink {
                trace_id: trace_id(),
                span_id: span_id(),
            }],
            string_table: vec![String::new(), "a".into()],
            attribute_table: vec![KeyValueAndUnit {
                key_strindex: 1,
                value: Some(any(Value::StringValue("v".into()))),
                unit_strindex: 2,
            }],
            stack_table: vec![Stack {
                location_indices: vec![1, 2],
            }],
        }),
    }
}

#[test]
fn every_field_of_the_protocol_goes_through_json() {
    for (signal, request) in [
        (Signal::Traces, traces().encode_to_vec()),
        (Signal::Metrics, metrics().encode_to_vec()),
        (Signal::Logs, logs().encode_to_vec()),
        (Signal::Profiles, profiles().encode_to_vec()),
    ] {
        let text = json(signal, &request);
        let back = wire(signal, &text).unwrap();
        macro_rules! same {
            ($message:ty) => {
                assert_eq!(
                    <$message>::decode(&back[..]).unwrap(),
                    <$message>::decode(&request[..]).unwrap(),
                    "{text}"
                )
            };
        }
        match signal {
            Signal::Traces => same!(ExportTraceServiceRequest),
            Signal::Metrics => same!(ExportMetricsServiceRequest),
            Signal::Logs => same!(ExportLogsServiceRequest),
            Signal::Profiles => same!(ExportProfilesServiceRequest),
        }
    }
}
