//! Own metrics and logs as OTLP requests. Prost types serve for writing these few
//! messages; telemetry that passes through the gateway never takes this form.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use prost::Message;
use trunkline_proto::otlp::{
    ExportLogsServiceRequest, ExportMetricsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point,
    },
    resource::v1::Resource,
};

use super::{Origin, Temporality, logs::Record};
use crate::telemetry::metrics::{
    FamilySample, SampleValue, Unit,
    instruments::{self, Instrument, Typed},
};

/// The scope of the log, as the Collector names it.
const LOG_SCOPE: &str = "go.opentelemetry.io/collector/service";

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// An attribute.
pub(super) fn attribute(name: &str, value: Value) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn resource(origin: &Origin) -> Option<Resource> {
    let attributes = origin
        .resource
        .iter()
        .map(|(name, value)| attribute(name, Value::StringValue(value.clone())))
        .collect();
    Some(Resource {
        attributes,
        ..Resource::default()
    })
}

/// A request with these streams. `last` is when the interval of those began that are sent as
/// changes.
pub(super) fn metrics(
    families: &[FamilySample],
    origin: &Origin,
    temporality: Temporality,
    last: SystemTime,
    now: SystemTime,
) -> Vec<u8> {
    let mut scopes: BTreeMap<&'static str, Vec<Metric>> = BTreeMap::new();
    for family in families {
        let delta = temporality.is_delta(Instrument::of(family.descriptor));
        let begun = if delta { last } else { origin.started };
        let metric = metric(family, delta, nanos(begun), nanos(now));
        scopes
            .entry(family.descriptor.scope)
            .or_default()
            .push(metric);
    }
    let scope_metrics = scopes
        .into_iter()
        .map(|(name, metrics)| ScopeMetrics {
            scope: Some(InstrumentationScope {
                name: name.to_owned(),
                ..InstrumentationScope::default()
            }),
            metrics,
            ..ScopeMetrics::default()
        })
        .collect();
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: resource(origin),
            scope_metrics,
            schema_url: origin.schema_url.clone(),
        }],
    }
    .encode_to_vec()
}

fn metric(family: &FamilySample, delta: bool, begun: u64, now: u64) -> Metric {
    let instrument = Instrument::of(family.descriptor);
    let aggregation_temporality = if delta {
        AggregationTemporality::Delta
    } else {
        AggregationTemporality::Cumulative
    } as i32;
    let mut numbers = Vec::new();
    let mut histograms = Vec::new();
    let whole = family.descriptor.unit != Unit::Seconds && instrument != Instrument::Histogram;
    for series in &family.series {
        let attributes = series
            .labels
            .iter()
            .map(|(label, value)| label_attribute(label, value))
            .collect();
        match &series.value {
            SampleValue::Number(value) => numbers.push(NumberDataPoint {
                attributes,
                start_time_unix_nano: begun,
                time_unix_nano: now,
                value: Some(if whole {
                    number_data_point::Value::AsInt(*value as i64)
                } else {
                    number_data_point::Value::AsDouble(*value)
                }),
                ..NumberDataPoint::default()
            }),
            SampleValue::Histogram(histogram) => histograms.push(HistogramDataPoint {
                attributes,
                start_time_unix_nano: begun,
                time_unix_nano: now,
                count: histogram.counts.iter().sum(),
                sum: Some(histogram.sum),
                bucket_counts: histogram.counts.clone(),
                explicit_bounds: histogram.bounds.to_vec(),
                ..HistogramDataPoint::default()
            }),
        }
    }
    let data = if !histograms.is_empty() {
        Data::Histogram(Histogram {
            data_points: histograms,
            aggregation_temporality,
        })
    } else if instrument == Instrument::ObservableGauge {
        Data::Gauge(Gauge {
            data_points: numbers,
        })
    } else {
        Data::Sum(Sum {
            data_points: numbers,
            aggregation_temporality,
            is_monotonic: !matches!(
                instrument,
                Instrument::UpDownCounter | Instrument::ObservableUpDownCounter
            ),
        })
    };
    Metric {
        name: match &family.name {
            std::borrow::Cow::Borrowed(_) => instruments::name(family.descriptor),
            std::borrow::Cow::Owned(name) => name.clone(),
        },
        description: family.help.clone().into_owned(),
        unit: instruments::unit(family.descriptor).to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn label_attribute(label: &'static str, text: &str) -> KeyValue {
    let (name, typed) = instruments::attribute(label);
    let as_text = || Value::StringValue(text.to_owned());
    let value = match typed {
        Typed::Text => as_text(),
        Typed::Integer => text.parse().map_or_else(|_| as_text(), Value::IntValue),
        Typed::Bool => text.parse().map_or_else(|_| as_text(), Value::BoolValue),
    };
    attribute(name, value)
}

/// A request with these records, those of a component in a scope of their own.
pub(super) fn logs(records: Vec<Record>, origin: &Origin) -> Vec<u8> {
    let mut scopes: Vec<(Vec<KeyValue>, Vec<LogRecord>)> = Vec::new();
    for record in records {
        let log_record = LogRecord {
            time_unix_nano: nanos(record.time),
            observed_time_unix_nano: nanos(record.time),
            severity_number: record.severity,
            severity_text: record.level.to_owned(),
            body: Some(AnyValue {
                value: Some(Value::StringValue(record.body)),
            }),
            attributes: record.attributes,
            ..LogRecord::default()
        };
        match scopes.iter_mut().find(|(scope, _)| *scope == record.scope) {
            Some((_, known)) => known.push(log_record),
            None => scopes.push((record.scope, vec![log_record])),
        }
    }
    let scope_logs = scopes
        .into_iter()
        .map(|(attributes, log_records)| ScopeLogs {
            scope: Some(InstrumentationScope {
                name: LOG_SCOPE.to_owned(),
                attributes,
                ..InstrumentationScope::default()
            }),
            log_records,
            ..ScopeLogs::default()
        })
        .collect();
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: resource(origin),
            scope_logs,
            schema_url: origin.schema_url.clone(),
        }],
    }
    .encode_to_vec()
}
