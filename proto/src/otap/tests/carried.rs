//! What is left of a request after OTAP, worked out on the decoded message.

use prost::Message;

use crate::Signal;
use crate::otlp::common::v1::{AnyValue, KeyValue, any_value::Value};
use crate::otlp::metrics::v1::{Exemplar, metric::Data};
use crate::otlp::{
    ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest,
};

/// What is left of a message after OTAP: what has no column is gone, and an absent
/// message is the same as an empty one.
trait Carried {
    fn carried(&mut self);
}

impl<T: Carried> Carried for [T] {
    fn carried(&mut self) {
        self.iter_mut().for_each(T::carried);
    }
}

impl Carried for AnyValue {
    fn carried(&mut self) {
        match &mut self.value {
            Some(Value::StringValueStrindex(_)) => self.value = None,
            Some(Value::ArrayValue(list)) => list.values.carried(),
            Some(Value::KvlistValue(map)) => map.values.carried(),
            _ => {}
        }
    }
}

impl Carried for KeyValue {
    fn carried(&mut self) {
        self.key_strindex = 0;
        self.value.get_or_insert_default().carried();
    }
}

impl Carried for Exemplar {
    fn carried(&mut self) {
        self.filtered_attributes.carried();
    }
}

macro_rules! carried_groups {
    ($request:ident, $resources:ident, $scopes:ident, $items:ident) => {
        $request.$resources.iter_mut().for_each(|group| {
            let resource = group.resource.get_or_insert_default();
            resource.entity_refs.clear();
            resource.attributes.carried();
            group.$scopes.retain(|scope| !scope.$items.is_empty());
            for group in &mut group.$scopes {
                group.scope.get_or_insert_default().attributes.carried();
            }
        });
        $request
            .$resources
            .retain(|group| !group.$scopes.is_empty());
    };
}

/// The request as OTAP carries it, encoded by prost.
pub fn carried(signal: Signal, bytes: &[u8]) -> Vec<u8> {
    match signal {
        Signal::Traces => {
            let mut request = ExportTraceServiceRequest::decode(bytes).unwrap();
            carried_groups!(request, resource_spans, scope_spans, spans);
            for group in &mut request.resource_spans {
                for span in group
                    .scope_spans
                    .iter_mut()
                    .flat_map(|group| &mut group.spans)
                {
                    span.attributes.carried();
                    span.status.get_or_insert_default();
                    span.events
                        .iter_mut()
                        .for_each(|event| event.attributes.carried());
                    span.links
                        .iter_mut()
                        .for_each(|link| link.attributes.carried());
                }
            }
            request.encode_to_vec()
        }
        Signal::Logs => {
            let mut request = ExportLogsServiceRequest::decode(bytes).unwrap();
            carried_groups!(request, resource_logs, scope_logs, log_records);
            for group in &mut request.resource_logs {
                for record in group
                    .scope_logs
                    .iter_mut()
                    .flat_map(|group| &mut group.log_records)
                {
                    record.attributes.carried();
                    record.body.get_or_insert_default().carried();
                }
            }
            request.encode_to_vec()
        }
        Signal::Metrics => {
            let mut request = ExportMetricsServiceRequest::decode(bytes).unwrap();
            carried_groups!(request, resource_metrics, scope_metrics, metrics);
            for group in &mut request.resource_metrics {
                for metric in group
                    .scope_metrics
                    .iter_mut()
                    .flat_map(|group| &mut group.metrics)
                {
                    metric.metadata.carried();
                    match &mut metric.data {
                        Some(Data::Gauge(gauge)) => carried_numbers(&mut gauge.data_points),
                        Some(Data::Sum(sum)) => carried_numbers(&mut sum.data_points),
                        Some(Data::Histogram(histogram)) => {
                            for point in &mut histogram.data_points {
                                point.attributes.carried();
                                point.exemplars.carried();
                            }
                        }
                        Some(Data::ExponentialHistogram(histogram)) => {
                            for point in &mut histogram.data_points {
                                point.attributes.carried();
                                point.exemplars.carried();
                                point.positive.get_or_insert_default();
                                point.negative.get_or_insert_default();
                            }
                        }
                        Some(Data::Summary(summary)) => {
                            for point in &mut summary.data_points {
                                point.attributes.carried();
                            }
                        }
                        None => {}
                    }
                }
            }
            request.encode_to_vec()
        }
        Signal::Profiles => unreachable!(),
    }
}

fn carried_numbers(points: &mut [crate::otlp::metrics::v1::NumberDataPoint]) {
    for point in points {
        point.attributes.carried();
        point.exemplars.carried();
    }
}
