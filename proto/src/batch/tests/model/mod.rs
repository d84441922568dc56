//! The model: the same edits on the decoded message. Entities are named by their position in
//! the order in which the tree is written.

mod profiles;
mod slots;

use std::any::Any;

pub use profiles::{attributes, put_attributes};
pub use slots::{Owned, Slot};

use super::generate::Request;
use crate::{
    batch::{Field, Level, MetricType},
    otlp::{
        common::v1::{AnyValue, KeyValue, any_value::Value},
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
        metrics::v1::{
            Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
            HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
            Summary, SummaryDataPoint, metric::Data, summary_data_point::ValueAtQuantile,
        },
        profiles::v1development::{Profile, ResourceProfiles, Sample, ScopeProfiles},
        trace::v1::{
            ResourceSpans, ScopeSpans, Span,
            span::{Event, Link},
        },
    },
};

/// Children of one parent, whatever their type.
pub trait List {
    fn count(&self) -> usize;
    fn remove(&mut self, at: usize) -> Box<dyn Any>;
    fn copy(&self, at: usize) -> Box<dyn Any>;
    /// False when it is of another type.
    fn push(&mut self, entity: Box<dyn Any>) -> bool;
    /// Puts these first, in this order.
    fn order(&mut self, order: &[usize]);
}

impl<T: Clone + 'static> List for Vec<T> {
    fn count(&self) -> usize {
        Vec::len(self)
    }
    fn remove(&mut self, at: usize) -> Box<dyn Any> {
        Box::new(Vec::remove(self, at))
    }
    fn copy(&self, at: usize) -> Box<dyn Any> {
        Box::new(self[at].clone())
    }
    fn push(&mut self, entity: Box<dyn Any>) -> bool {
        entity
            .downcast::<T>()
            .map(|entity| Vec::push(self, *entity))
            .is_ok()
    }
    fn order(&mut self, order: &[usize]) {
        let mut ordered: Vec<T> = order.iter().map(|at| self[*at].clone()).collect();
        ordered.extend(
            (0..self.len())
                .filter(|at| !order.contains(at))
                .map(|at| self[at].clone()),
        );
        *self = ordered;
    }
}

/// An entity of the model.
pub enum Entity<'a> {
    ResourceSpans(&'a mut ResourceSpans),
    ResourceLogs(&'a mut ResourceLogs),
    ResourceMetrics(&'a mut ResourceMetrics),
    ResourceProfiles(&'a mut ResourceProfiles),
    ScopeSpans(&'a mut ScopeSpans),
    ScopeLogs(&'a mut ScopeLogs),
    ScopeMetrics(&'a mut ScopeMetrics),
    ScopeProfiles(&'a mut ScopeProfiles),
    Span(&'a mut Span),
    Event(&'a mut Event),
    Link(&'a mut Link),
    LogRecord(&'a mut LogRecord),
    Metric(&'a mut Metric),
    Profile(&'a mut Profile),
    Sample(&'a mut Sample),
    Number(&'a mut NumberDataPoint),
    Histogram(&'a mut HistogramDataPoint),
    Exponential(&'a mut ExponentialHistogramDataPoint),
    Summary(&'a mut SummaryDataPoint),
    Exemplar(&'a mut Exemplar),
    Quantile(&'a mut ValueAtQuantile),
}

/// All entities of a level, in order.
pub fn entities(request: &mut Request, level: Level) -> Vec<Entity<'_>> {
    let mut found: Vec<Entity<'_>> = Vec::new();
    macro_rules! walk {
        ($resources:expr, $Resource:ident, $scopes:ident, $Scope:ident, $items:ident, $item:ident => $each:expr) => {
            for resource in $resources {
                if level == Level::Resource {
                    found.push(Entity::$Resource(resource));
                    continue;
                }
                for scope in &mut resource.$scopes {
                    if level == Level::Scope {
                        found.push(Entity::$Scope(scope));
                        continue;
                    }
                    for $item in &mut scope.$items {
                        $each
                    }
                }
            }
        };
    }
    match request {
        Request::Traces(request) => {
            walk!(&mut request.resource_spans, ResourceSpans, scope_spans, ScopeSpans, spans, span => match level {
                Level::Event => found.extend(span.events.iter_mut().map(Entity::Event)),
                Level::Link => found.extend(span.links.iter_mut().map(Entity::Link)),
                _ => found.push(Entity::Span(span)),
            })
        }
        Request::Logs(request) => {
            walk!(&mut request.resource_logs, ResourceLogs, scope_logs, ScopeLogs, log_records, record => found.push(Entity::LogRecord(record)))
        }
        Request::Profiles(request) => {
            walk!(&mut request.resource_profiles, ResourceProfiles, scope_profiles, ScopeProfiles, profiles, profile => match level {
                Level::Sample => found.extend(profile.samples.iter_mut().map(Entity::Sample)),
                _ => found.push(Entity::Profile(profile)),
            })
        }
        Request::Metrics(request) => {
            walk!(&mut request.resource_metrics, ResourceMetrics, scope_metrics, ScopeMetrics, metrics, metric => {
                if level == Level::Item {
                    found.push(Entity::Metric(metric));
                    continue;
                }
                match &mut metric.data {
                    None => {}
                    Some(Data::Gauge(Gauge { data_points })) => numbers(level, data_points, &mut found),
                    Some(Data::Sum(Sum { data_points, .. })) => numbers(level, data_points, &mut found),
                    Some(Data::Histogram(data)) => for point in &mut data.data_points {
                        match level {
                            Level::DataPoint => found.push(Entity::Histogram(point)),
                            Level::Exemplar => found.extend(point.exemplars.iter_mut().map(Entity::Exemplar)),
                            _ => {}
                        }
                    },
                    Some(Data::ExponentialHistogram(data)) => for point in &mut data.data_points {
                        match level {
                            Level::DataPoint => found.push(Entity::Exponential(point)),
                            Level::Exemplar => found.extend(point.exemplars.iter_mut().map(Entity::Exemplar)),
                            _ => {}
                        }
                    },
                    Some(Data::Summary(data)) => for point in &mut data.data_points {
                        match level {
                            Level::DataPoint => found.push(Entity::Summary(point)),
                            Level::Quantile => found.extend(point.quantile_values.iter_mut().map(Entity::Quantile)),
                            _ => {}
                        }
                    },
                }
            })
        }
    }
    found
}

fn numbers<'a>(level: Level, points: &'a mut [NumberDataPoint], found: &mut Vec<Entity<'a>>) {
    for point in points {
        match level {
            Level::DataPoint => found.push(Entity::Number(point)),
            Level::Exemplar => found.extend(point.exemplars.iter_mut().map(Entity::Exemplar)),
            _ => {}
        }
    }
}

/// The children of a level, by parent in order; `None` for a parent that cannot have any.
pub fn lists(request: &mut Request, level: Level) -> Vec<Option<&mut dyn List>> {
    let parents = match level {
        Level::Resource => {
            return vec![Some(match request {
                Request::Traces(request) => &mut request.resource_spans as &mut dyn List,
                Request::Metrics(request) => &mut request.resource_metrics,
                Request::Logs(request) => &mut request.resource_logs,
                Request::Profiles(request) => &mut request.resource_profiles,
            })];
        }
        Level::Scope => Level::Resource,
        Level::Item => Level::Scope,
        Level::Event | Level::Link | Level::DataPoint | Level::Sample => Level::Item,
        _ => Level::DataPoint,
    };
    entities(request, parents)
        .into_iter()
        .map(|entity| -> Option<&mut dyn List> {
            Some(match (entity, level) {
                (Entity::ResourceSpans(resource), _) => &mut resource.scope_spans,
                (Entity::ResourceLogs(resource), _) => &mut resource.scope_logs,
                (Entity::ResourceMetrics(resource), _) => &mut resource.scope_metrics,
                (Entity::ResourceProfiles(resource), _) => &mut resource.scope_profiles,
                (Entity::ScopeSpans(scope), _) => &mut scope.spans,
                (Entity::ScopeLogs(scope), _) => &mut scope.log_records,
                (Entity::ScopeMetrics(scope), _) => &mut scope.metrics,
                (Entity::ScopeProfiles(scope), _) => &mut scope.profiles,
                (Entity::Profile(profile), _) => &mut profile.samples,
                (Entity::Span(span), Level::Event) => &mut span.events,
                (Entity::Span(span), _) => &mut span.links,
                (Entity::Metric(metric), _) => match &mut metric.data {
                    None => return None,
                    Some(Data::Gauge(data)) => &mut data.data_points,
                    Some(Data::Sum(data)) => &mut data.data_points,
                    Some(Data::Histogram(data)) => &mut data.data_points,
                    Some(Data::ExponentialHistogram(data)) => &mut data.data_points,
                    Some(Data::Summary(data)) => &mut data.data_points,
                },
                (Entity::Number(point), Level::Exemplar) => &mut point.exemplars,
                (Entity::Histogram(point), Level::Exemplar) => &mut point.exemplars,
                (Entity::Exponential(point), Level::Exemplar) => &mut point.exemplars,
                (Entity::Summary(point), Level::Quantile) => &mut point.quantile_values,
                _ => return None,
            })
        })
        .collect()
}

/// Lets profiles and samples refer to the first of attributes that are the same, of which a
/// dictionary may have several; one without a value is one with an empty value.
pub fn refer_to_first(request: &mut Request) {
    let Request::Profiles(request) = request else {
        return;
    };
    let Some(dictionary) = &mut request.dictionary else {
        return;
    };
    let table = &mut dictionary.attribute_table;
    for attribute in table.iter_mut() {
        attribute.value.get_or_insert_default();
    }
    let first = |index: &mut i32| {
        let of = usize::try_from(*index).ok().and_then(|at| table.get(at));
        if let Some(at) = of.and_then(|of| table.iter().position(|other| other == of)) {
            *index = at as i32;
        }
    };
    for of in &mut request.resource_profiles {
        for of in &mut of.scope_profiles {
            for profile in &mut of.profiles {
                profile.attribute_indices.iter_mut().for_each(first);
                for sample in &mut profile.samples {
                    sample.attribute_indices.iter_mut().for_each(first);
                }
            }
        }
    }
}

/// Drops scopes and resources that have nothing in them.
pub fn prune(request: &mut Request) {
    macro_rules! prune {
        ($resources:expr, $scopes:ident, $items:ident) => {{
            for resource in &mut $resources {
                resource.$scopes.retain(|scope| !scope.$items.is_empty());
            }
            $resources.retain(|resource| !resource.$scopes.is_empty());
        }};
    }
    match request {
        Request::Traces(request) => prune!(request.resource_spans, scope_spans, spans),
        Request::Logs(request) => prune!(request.resource_logs, scope_logs, log_records),
        Request::Metrics(request) => prune!(request.resource_metrics, scope_metrics, metrics),
        Request::Profiles(request) => prune!(request.resource_profiles, scope_profiles, profiles),
    }
}

/// What a copy of a resource leaves out: scopes that lost their items. `lost` says for each
/// scope whether it lost one; one that always was empty stays.
pub fn prune_copy(entity: &mut Box<dyn Any>, lost: &[bool]) {
    let mut lost = lost.iter();
    let mut stays = |empty: bool| !(lost.next() == Some(&true) && empty);
    if let Some(resource) = entity.downcast_mut::<ResourceSpans>() {
        resource
            .scope_spans
            .retain(|scope| stays(scope.spans.is_empty()));
    } else if let Some(resource) = entity.downcast_mut::<ResourceLogs>() {
        resource
            .scope_logs
            .retain(|scope| stays(scope.log_records.is_empty()));
    } else if let Some(resource) = entity.downcast_mut::<ResourceMetrics>() {
        resource
            .scope_metrics
            .retain(|scope| stays(scope.metrics.is_empty()));
    } else if let Some(resource) = entity.downcast_mut::<ResourceProfiles>() {
        resource
            .scope_profiles
            .retain(|scope| stays(scope.profiles.is_empty()));
    }
}

impl<'a> Entity<'a> {
    /// Its attributes; made if `make`.
    pub fn attributes(self, make: bool) -> Option<&'a mut Vec<KeyValue>> {
        macro_rules! sub {
            ($parent:expr, $field:ident) => {{
                if make {
                    $parent.$field.get_or_insert_default();
                }
                $parent.$field.as_mut().map(|sub| &mut sub.attributes)
            }};
        }
        match self {
            Entity::ResourceSpans(parent) => sub!(parent, resource),
            Entity::ResourceLogs(parent) => sub!(parent, resource),
            Entity::ResourceMetrics(parent) => sub!(parent, resource),
            Entity::ResourceProfiles(parent) => sub!(parent, resource),
            Entity::ScopeSpans(parent) => sub!(parent, scope),
            Entity::ScopeLogs(parent) => sub!(parent, scope),
            Entity::ScopeMetrics(parent) => sub!(parent, scope),
            Entity::ScopeProfiles(parent) => sub!(parent, scope),
            Entity::Span(entity) => Some(&mut entity.attributes),
            Entity::Event(entity) => Some(&mut entity.attributes),
            Entity::Link(entity) => Some(&mut entity.attributes),
            Entity::LogRecord(entity) => Some(&mut entity.attributes),
            Entity::Metric(entity) => Some(&mut entity.metadata),
            Entity::Number(entity) => Some(&mut entity.attributes),
            Entity::Histogram(entity) => Some(&mut entity.attributes),
            Entity::Exponential(entity) => Some(&mut entity.attributes),
            Entity::Summary(entity) => Some(&mut entity.attributes),
            Entity::Exemplar(entity) => Some(&mut entity.filtered_attributes),
            Entity::Profile(_) | Entity::Sample(_) | Entity::Quantile(_) => None,
        }
    }

    /// One of its fields; messages on the way to it are made if `make`.
    pub fn slot(self, field: Field, make: bool) -> Slot<'a> {
        use Slot::*;
        macro_rules! sub {
            ($option:expr) => {{
                if make {
                    $option.get_or_insert_default();
                }
                match &mut $option {
                    Some(sub) => sub,
                    None => return Missing,
                }
            }};
        }
        macro_rules! resource {
            ($parent:expr) => {
                match field {
                    Field::SchemaUrl => Text(&mut $parent.schema_url),
                    Field::DroppedAttributesCount => {
                        U32(&mut sub!($parent.resource).dropped_attributes_count)
                    }
                    Field::EntityRefs => Refs(&mut sub!($parent.resource).entity_refs),
                    _ => NotThere,
                }
            };
        }
        macro_rules! scope {
            ($parent:expr) => {
                match field {
                    Field::SchemaUrl => Text(&mut $parent.schema_url),
                    Field::Name => Text(&mut sub!($parent.scope).name),
                    Field::Version => Text(&mut sub!($parent.scope).version),
                    Field::DroppedAttributesCount => {
                        U32(&mut sub!($parent.scope).dropped_attributes_count)
                    }
                    _ => NotThere,
                }
            };
        }
        match self {
            Entity::ResourceSpans(parent) => resource!(parent),
            Entity::ResourceLogs(parent) => resource!(parent),
            Entity::ResourceMetrics(parent) => resource!(parent),
            Entity::ResourceProfiles(parent) => resource!(parent),
            Entity::ScopeSpans(parent) => scope!(parent),
            Entity::ScopeLogs(parent) => scope!(parent),
            Entity::ScopeMetrics(parent) => scope!(parent),
            Entity::ScopeProfiles(parent) => scope!(parent),
            Entity::Span(span) => match field {
                Field::TraceId => Bytes(&mut span.trace_id),
                Field::SpanId => Bytes(&mut span.span_id),
                Field::TraceState => Text(&mut span.trace_state),
                Field::ParentSpanId => Bytes(&mut span.parent_span_id),
                Field::Name => Text(&mut span.name),
                Field::Kind => I32(&mut span.kind),
                Field::StartTime => U64(&mut span.start_time_unix_nano),
                Field::EndTime => U64(&mut span.end_time_unix_nano),
                Field::DroppedAttributesCount => U32(&mut span.dropped_attributes_count),
                Field::DroppedEventsCount => U32(&mut span.dropped_events_count),
                Field::DroppedLinksCount => U32(&mut span.dropped_links_count),
                Field::StatusCode => I32(&mut sub!(span.status).code),
                Field::StatusMessage => Text(&mut sub!(span.status).message),
                Field::Flags => U32(&mut span.flags),
                _ => NotThere,
            },
            Entity::Event(event) => match field {
                Field::Time => U64(&mut event.time_unix_nano),
                Field::Name => Text(&mut event.name),
                Field::DroppedAttributesCount => U32(&mut event.dropped_attributes_count),
                _ => NotThere,
            },
            Entity::Link(link) => match field {
                Field::TraceId => Bytes(&mut link.trace_id),
                Field::SpanId => Bytes(&mut link.span_id),
                Field::TraceState => Text(&mut link.trace_state),
                Field::DroppedAttributesCount => U32(&mut link.dropped_attributes_count),
                Field::Flags => U32(&mut link.flags),
                _ => NotThere,
            },
            Entity::LogRecord(record) => match field {
                Field::Time => U64(&mut record.time_unix_nano),
                Field::ObservedTime => U64(&mut record.observed_time_unix_nano),
                Field::SeverityNumber => I32(&mut record.severity_number),
                Field::SeverityText => Text(&mut record.severity_text),
                Field::Body => Any(&mut record.body),
                Field::DroppedAttributesCount => U32(&mut record.dropped_attributes_count),
                Field::Flags => U32(&mut record.flags),
                Field::TraceId => Bytes(&mut record.trace_id),
                Field::SpanId => Bytes(&mut record.span_id),
                Field::EventName => Text(&mut record.event_name),
                _ => NotThere,
            },
            Entity::Metric(metric) => match (field, &mut metric.data) {
                (Field::Name, _) => Text(&mut metric.name),
                (Field::Description, _) => Text(&mut metric.description),
                (Field::Unit, _) => Text(&mut metric.unit),
                (Field::AggregationTemporality, Some(Data::Sum(data))) => {
                    I32(&mut data.aggregation_temporality)
                }
                (Field::AggregationTemporality, Some(Data::Histogram(data))) => {
                    I32(&mut data.aggregation_temporality)
                }
                (Field::AggregationTemporality, Some(Data::ExponentialHistogram(data))) => {
                    I32(&mut data.aggregation_temporality)
                }
                (Field::IsMonotonic, Some(Data::Sum(data))) => Bool(&mut data.is_monotonic),
                _ => NotThere,
            },
            Entity::Number(point) => match field {
                Field::StartTime => U64(&mut point.start_time_unix_nano),
                Field::Time => U64(&mut point.time_unix_nano),
                Field::Flags => U32(&mut point.flags),
                Field::ValueInt => NumberInt(&mut point.value),
                Field::ValueDouble => NumberDouble(&mut point.value),
                _ => NotThere,
            },
            Entity::Histogram(point) => match field {
                Field::StartTime => U64(&mut point.start_time_unix_nano),
                Field::Time => U64(&mut point.time_unix_nano),
                Field::Flags => U32(&mut point.flags),
                Field::Count => U64(&mut point.count),
                Field::Sum => OptF64(&mut point.sum),
                Field::Min => OptF64(&mut point.min),
                Field::Max => OptF64(&mut point.max),
                Field::BucketCounts => Fixed64s(&mut point.bucket_counts),
                Field::ExplicitBounds => Doubles(&mut point.explicit_bounds),
                _ => NotThere,
            },
            Entity::Exponential(point) => match field {
                Field::StartTime => U64(&mut point.start_time_unix_nano),
                Field::Time => U64(&mut point.time_unix_nano),
                Field::Flags => U32(&mut point.flags),
                Field::Count => U64(&mut point.count),
                Field::Sum => OptF64(&mut point.sum),
                Field::Min => OptF64(&mut point.min),
                Field::Max => OptF64(&mut point.max),
                Field::Scale => I32(&mut point.scale),
                Field::ZeroCount => U64(&mut point.zero_count),
                Field::ZeroThreshold => F64(&mut point.zero_threshold),
                Field::PositiveOffset => I32(&mut sub!(point.positive).offset),
                Field::PositiveBucketCounts => Varints(&mut sub!(point.positive).bucket_counts),
                Field::NegativeOffset => I32(&mut sub!(point.negative).offset),
                Field::NegativeBucketCounts => Varints(&mut sub!(point.negative).bucket_counts),
                _ => NotThere,
            },
            Entity::Summary(point) => match field {
                Field::StartTime => U64(&mut point.start_time_unix_nano),
                Field::Time => U64(&mut point.time_unix_nano),
                Field::Flags => U32(&mut point.flags),
                Field::Count => U64(&mut point.count),
                Field::Sum => F64(&mut point.sum),
                _ => NotThere,
            },
            Entity::Exemplar(exemplar) => match field {
                Field::Time => U64(&mut exemplar.time_unix_nano),
                Field::SpanId => Bytes(&mut exemplar.span_id),
                Field::TraceId => Bytes(&mut exemplar.trace_id),
                Field::ValueInt => ExemplarInt(&mut exemplar.value),
                Field::ValueDouble => ExemplarDouble(&mut exemplar.value),
                _ => NotThere,
            },
            Entity::Quantile(quantile) => match field {
                Field::Quantile => F64(&mut quantile.quantile),
                Field::QuantileValue => F64(&mut quantile.value),
                _ => NotThere,
            },
            Entity::Profile(profile) => match field {
                Field::SampleType => I32(&mut sub!(profile.sample_type).type_strindex),
                Field::SampleUnit => I32(&mut sub!(profile.sample_type).unit_strindex),
                Field::Time => U64(&mut profile.time_unix_nano),
                Field::Duration => U64(&mut profile.duration_nano),
                Field::PeriodType => I32(&mut sub!(profile.period_type).type_strindex),
                Field::PeriodUnit => I32(&mut sub!(profile.period_type).unit_strindex),
                Field::Period => I64(&mut profile.period),
                Field::ProfileId => Bytes(&mut profile.profile_id),
                Field::DroppedAttributesCount => U32(&mut profile.dropped_attributes_count),
                Field::OriginalPayloadFormat => Text(&mut profile.original_payload_format),
                Field::OriginalPayload => Bytes(&mut profile.original_payload),
                Field::AttributeIndices => Indices(&mut profile.attribute_indices),
                _ => NotThere,
            },
            Entity::Sample(sample) => match field {
                Field::StackIndex => I32(&mut sample.stack_index),
                Field::AttributeIndices => Indices(&mut sample.attribute_indices),
                Field::LinkIndex => I32(&mut sample.link_index),
                Field::SampleValues => Int64s(&mut sample.values),
                Field::Timestamps => Fixed64s(&mut sample.timestamps_unix_nano),
                _ => NotThere,
            },
        }
    }
}

/// Upsert: in the place of the first of that key, of which only one is left.
pub fn put(attributes: &mut Vec<KeyValue>, key: &str, value: Option<AnyValue>) {
    let new = KeyValue {
        key: key.into(),
        value,
        ..Default::default()
    };
    match attributes.iter().position(|entry| entry.key == key) {
        Some(first) => {
            attributes[first] = new;
            let mut at = 0;
            attributes.retain(|entry| {
                at += 1;
                at - 1 <= first || entry.key != key
            });
        }
        None => attributes.push(new),
    }
}

/// Changes the type of a metric as `Data::set_metric_type` says.
pub fn set_type(metric: &mut Metric, to: MetricType) {
    let temporality = match &metric.data {
        Some(Data::Sum(data)) => data.aggregation_temporality,
        Some(Data::Histogram(data)) => data.aggregation_temporality,
        Some(Data::ExponentialHistogram(data)) => data.aggregation_temporality,
        _ => 0,
    };
    let (points, monotonic) = match &metric.data {
        Some(Data::Gauge(data)) => (data.data_points.clone(), false),
        Some(Data::Sum(data)) => (data.data_points.clone(), data.is_monotonic),
        _ => (Vec::new(), false),
    };
    let same = matches!(
        (&metric.data, to),
        (Some(Data::Histogram(_)), MetricType::Histogram)
            | (
                Some(Data::ExponentialHistogram(_)),
                MetricType::ExponentialHistogram
            )
            | (Some(Data::Summary(_)), MetricType::Summary)
    );
    if same {
        return;
    }
    metric.data = Some(match to {
        MetricType::Gauge => Data::Gauge(Gauge {
            data_points: points,
        }),
        MetricType::Sum => Data::Sum(Sum {
            data_points: points,
            aggregation_temporality: temporality,
            is_monotonic: monotonic,
        }),
        MetricType::Histogram => Data::Histogram(Histogram {
            data_points: Vec::new(),
            aggregation_temporality: temporality,
        }),
        MetricType::ExponentialHistogram => Data::ExponentialHistogram(ExponentialHistogram {
            data_points: Vec::new(),
            aggregation_temporality: temporality,
        }),
        MetricType::Summary => Data::Summary(Summary {
            data_points: Vec::new(),
        }),
    });
}

/// A value as the batch reads it, to compare with: nested ones by their encoding.
pub fn same_value(read: crate::batch::Value<'_>, value: &Option<AnyValue>) -> bool {
    use crate::batch::Value as V;
    use prost::Message;
    let decoded = |bytes: &[u8]| AnyValue::decode(bytes).unwrap();
    match (read, value.as_ref().and_then(|value| value.value.as_ref())) {
        (V::Empty, None) => true,
        (V::String(a), Some(Value::StringValue(b))) => a == b.as_bytes(),
        (V::Bool(a), Some(Value::BoolValue(b))) => a == *b,
        (V::Int(a), Some(Value::IntValue(b))) => a == *b,
        (V::Double(a), Some(Value::DoubleValue(b))) => a == *b,
        (V::Bytes(a), Some(Value::BytesValue(b))) => a == b,
        (V::List(a), Some(Value::ArrayValue(_))) | (V::Map(a), Some(Value::KvlistValue(_))) => {
            Some(decoded(a)) == *value
        }
        _ => false,
    }
}
