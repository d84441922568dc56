//! Requests through OTAP tables and back: the same but for what the model has no place
//! for, which is named.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt8Type, UInt16Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, RecordBatch, StringArray, UInt8Array, UInt16Array,
    UInt32Array,
};
use arrow_schema::{DataType, Field, Schema};
use proptest::prelude::*;
use prost::Message;

use super::{Losses, OtapError, PayloadType, Tables};
use crate::json::{complete, property::random_request};
use crate::otlp::common::v1::{AnyValue, KeyValue, any_value::Value};
use crate::otlp::metrics::v1::{Exemplar, metric::Data};
use crate::otlp::{
    ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest,
};
use crate::{Batch, Signal};

const SIGNALS: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

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
fn carried(signal: Signal, bytes: &[u8]) -> Vec<u8> {
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

fn show(signal: Signal, bytes: &[u8]) -> String {
    match signal {
        Signal::Traces => format!("{:?}", ExportTraceServiceRequest::decode(bytes).unwrap()),
        Signal::Logs => format!("{:?}", ExportLogsServiceRequest::decode(bytes).unwrap()),
        _ => format!("{:?}", ExportMetricsServiceRequest::decode(bytes).unwrap()),
    }
}

fn tables(signal: Signal, request: Vec<u8>) -> (Vec<Tables>, Losses) {
    let batch = Batch::from_protobuf(signal, request.into()).unwrap();
    batch.record_batches().unwrap()
}

fn back(signal: Signal, tables: &[Tables]) -> Vec<u8> {
    let batch = Batch::from_record_batches(signal, tables).unwrap();
    carried(signal, &batch.to_protobuf())
}

fn complete(signal: Signal) -> Vec<u8> {
    match signal {
        Signal::Traces => complete::traces().encode_to_vec(),
        Signal::Metrics => complete::metrics().encode_to_vec(),
        _ => complete::logs().encode_to_vec(),
    }
}

#[test]
fn every_field_that_has_a_column_comes_back() {
    for signal in SIGNALS {
        let request = complete(signal);
        let (tables, losses) = tables(signal, request.clone());
        assert_eq!(tables.len(), 1);
        let (before, after) = (carried(signal, &request), back(signal, &tables));
        assert_eq!(
            after,
            before,
            "{}\n{}",
            show(signal, &after),
            show(signal, &before)
        );
        assert_eq!(losses.entity_refs, 1);
        assert!(losses.string_references > 0);
        let rest = Losses {
            entity_refs: 0,
            string_references: 0,
            ..losses
        };
        assert!(rest.is_empty(), "{rest}");
    }
}

proptest! {
    #[test]
    fn a_request_comes_back_but_for_what_otap_cannot_carry(
        signal in prop::sample::select(SIGNALS.to_vec()),
        bytes in prop::collection::vec(any::<u8>(), 0..1500),
    ) {
        let request = random_request(signal, &bytes);
        let (tables, _) = tables(signal, request.clone());
        let (before, after) = (carried(signal, &request), back(signal, &tables));
        prop_assert_eq!(&after, &before, "{}\n{}", show(signal, &before), show(signal, &after));
        for tables in &tables {
            check(tables);
        }
    }
}

/// The rules of the specification that every table obeys.
fn check(tables: &Tables) {
    for (payload, batch) in &tables.batches {
        assert!(batch.num_rows() > 0, "{payload:?}");
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let name = field.name();
            assert!(
                field.is_nullable() || column.null_count() == 0,
                "{payload:?}.{name}"
            );
            assert!(
                column.null_count() < column.len(),
                "{payload:?}.{name} is all null"
            );
            if ["id", "parent_id"].contains(&name.as_str()) {
                assert_eq!(field.metadata()["encoding"], "plain", "{payload:?}.{name}");
            }
        }
    }
}

/// The columns of complete requests: names, types and which are required are those of
/// section 5 of the specification.
#[test]
fn tables_have_the_columns_of_the_specification() {
    let attributes = |id: &str| {
        format!(
            "parent_id:{id}! key:Dic<U16,Str>! type:U8! str:Str int:I64 double:F64 bool:Bol bytes:Bin ser:Bin"
        )
    };
    let exemplars = "id:U32 parent_id:U32! time_unix_nano:Tns! int_value:I64 double_value:F64 span_id:FSB<8> trace_id:FSB<16>";
    let group = "resource:{id:U16 schema_url:Dic<U16,Str> dropped_attributes_count:U32} \
                 scope:{id:U16 name:Dic<U16,Str> version:Dic<U16,Str> dropped_attributes_count:U32}";
    let expected = |payload: PayloadType| {
        match payload {
        PayloadType::Logs => format!(
            "id:U16 {group} schema_url:Dic<U16,Str> time_unix_nano:Tns observed_time_unix_nano:Tns \
             trace_id:FSB<16> span_id:FSB<8> severity_number:I32 severity_text:Dic<U16,Str> \
             event_name:Dic<U16,Str> dropped_attributes_count:U32 flags:U32 body:{{type:U8! str:Str}}"
        ),
        PayloadType::Spans => format!(
            "id:U16 {group} schema_url:Str start_time_unix_nano:Tns! duration_time_unix_nano:Dur! \
             trace_id:FSB<16>! span_id:FSB<8>! trace_state:Str parent_span_id:FSB<8> name:Str! kind:I32 \
             dropped_attributes_count:U32 dropped_events_count:U32 dropped_links_count:U32 flags:U32 \
             status:{{code:I32 status_message:Dic<U16,Str>}}"
        ),
        PayloadType::SpanEvents => {
            "id:U32 parent_id:U16! time_unix_nano:Tns name:Str! dropped_attributes_count:U32".into()
        }
        PayloadType::SpanLinks => "id:U32 parent_id:U16! trace_id:FSB<16>! span_id:FSB<8>! trace_state:Str \
                                   dropped_attributes_count:U32 flags:U32"
            .into(),
        PayloadType::UnivariateMetrics => format!(
            "id:U16! {group} schema_url:Str metric_type:U8! aggregation_temporality:I32 is_monotonic:Bol \
             name:Str! description:Str unit:Str"
        ),
        PayloadType::NumberDataPoints => "id:U32 parent_id:U16! start_time_unix_nano:Tns time_unix_nano:Tns! \
                                          int_value:I64 double_value:F64 flags:U32"
            .into(),
        PayloadType::SummaryDataPoints => "id:U32 parent_id:U16! start_time_unix_nano:Tns time_unix_nano:Tns! \
                                           count:U64 sum:F64 quantile:[{quantile:F64 value:F64}] flags:U32"
            .into(),
        PayloadType::HistogramDataPoints => "id:U32 parent_id:U16! start_time_unix_nano:Tns time_unix_nano:Tns! \
                                             count:U64 sum:F64 bucket_counts:[U64] explicit_bounds:[F64] flags:U32 \
                                             min:F64 max:F64"
            .into(),
        PayloadType::ExpHistogramDataPoints => {
            "id:U32 parent_id:U16! start_time_unix_nano:Tns time_unix_nano:Tns! count:U64 sum:F64 scale:I32 \
             zero_count:U64 flags:U32 min:F64 max:F64 zero_threshold:F64 \
             positive:{offset:I32 bucket_counts:[U64]} negative:{offset:I32 bucket_counts:[U64]}"
                .into()
        }
        PayloadType::NumberDpExemplars
        | PayloadType::HistogramDpExemplars
        | PayloadType::ExpHistogramDpExemplars => exemplars.to_owned(),
        PayloadType::ResourceAttrs
        | PayloadType::ScopeAttrs
        | PayloadType::LogAttrs
        | PayloadType::SpanAttrs
        | PayloadType::MetricAttrs => attributes("U16"),
        _ => attributes("U32"),
    }
    };
    let mut seen = Vec::new();
    for signal in SIGNALS {
        for (payload, batch) in &tables(signal, complete(signal)).0[0].batches {
            let columns: Vec<_> = batch
                .schema()
                .fields()
                .iter()
                .map(|f| describe(f))
                .collect();
            assert_eq!(columns.join(" "), expected(*payload), "{payload:?}");
            seen.push(*payload);
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen, PayloadType::ALL);
}

fn describe(field: &Field) -> String {
    fn kind(data_type: &DataType) -> String {
        match data_type {
            DataType::UInt8 => "U8".into(),
            DataType::UInt16 => "U16".into(),
            DataType::UInt32 => "U32".into(),
            DataType::UInt64 => "U64".into(),
            DataType::Int32 => "I32".into(),
            DataType::Int64 => "I64".into(),
            DataType::Float64 => "F64".into(),
            DataType::Boolean => "Bol".into(),
            DataType::Utf8 => "Str".into(),
            DataType::Binary => "Bin".into(),
            DataType::FixedSizeBinary(n) => format!("FSB<{n}>"),
            DataType::Timestamp(_, None) => "Tns".into(),
            DataType::Duration(_) => "Dur".into(),
            DataType::Dictionary(key, value) => format!("Dic<{},{}>", kind(key), kind(value)),
            DataType::List(item) => format!("[{}]", kind(item.data_type())),
            DataType::Struct(fields) => {
                let fields: Vec<_> = fields.iter().map(|f| describe(f)).collect();
                format!("{{{}}}", fields.join(" "))
            }
            other => panic!("{other}"),
        }
    }
    let required = if field.is_nullable() { "" } else { "!" };
    format!("{}:{}{required}", field.name(), kind(field.data_type()))
}

/// A log request with so many records, every one of them its own.
fn many_logs(records: usize) -> ExportLogsServiceRequest {
    let mut request = complete::logs();
    let scope = &mut request.resource_logs[0].scope_logs[0];
    let record = scope.log_records[0].clone();
    scope.log_records = (0..records)
        .map(|i| {
            let mut record = record.clone();
            record.time_unix_nano = i as u64 + 1;
            record.attributes.truncate(1);
            record.attributes[0].key = format!("key {i}");
            record
        })
        .collect();
    request
}

#[test]
fn a_request_with_more_rows_than_ids_is_several_sets() {
    let request = many_logs(70_000);
    let (sets, _) = tables(Signal::Logs, request.encode_to_vec());
    let rows: Vec<_> = sets
        .iter()
        .map(|set| set.get(PayloadType::Logs).unwrap().num_rows())
        .collect();
    assert_eq!(rows, [65_536, 4_464]);
    // Each set is whole in itself.
    for set in &sets {
        assert_eq!(set.get(PayloadType::ResourceAttrs).unwrap().num_rows(), 8);
        let read = back(Signal::Logs, std::slice::from_ref(set));
        let read = ExportLogsServiceRequest::decode(&read[..]).unwrap();
        assert_eq!(read.resource_logs.len(), 1);
        assert_eq!(
            read.resource_logs[0]
                .resource
                .as_ref()
                .unwrap()
                .attributes
                .len(),
            8
        );
    }
    let read = ExportLogsServiceRequest::decode(&back(Signal::Logs, &sets)[..]).unwrap();
    let records: Vec<_> = read
        .resource_logs
        .iter()
        .flat_map(|group| &group.scope_logs)
        .flat_map(|group| &group.log_records)
        .map(|record| (record.time_unix_nano, record.attributes[0].key.clone()))
        .collect();
    let expected: Vec<_> = (0..70_000).map(|i| (i + 1, format!("key {i}"))).collect();
    assert_eq!(records, expected);
}

#[test]
fn more_keys_than_a_dictionary_numbers_are_plain_text() {
    let mut request = many_logs(2);
    let records = &mut request.resource_logs[0].scope_logs[0].log_records;
    let attribute = records[0].attributes[0].clone();
    for (at, record) in records.iter_mut().enumerate() {
        record.attributes = (0..40_000)
            .map(|i| KeyValue {
                key: format!("{at} {i}"),
                ..attribute.clone()
            })
            .collect();
    }
    let request = request.encode_to_vec();
    let (sets, _) = tables(Signal::Logs, request.clone());
    let keys = sets[0]
        .get(PayloadType::LogAttrs)
        .unwrap()
        .column_by_name("key")
        .unwrap();
    assert_eq!(keys.data_type(), &DataType::Utf8);
    assert_eq!(back(Signal::Logs, &sets), carried(Signal::Logs, &request));
}

#[test]
fn what_cannot_be_carried_is_counted() {
    // An unknown field, a name that is not UTF-8 (also in nested values), a trace id of
    // three bytes; a resource without spans.
    let span = b"\x2a\x02a\xff\x0a\x03abc\xa0\x06\x01\x4a\x0e\x0a\x01k\x12\x09\x2a\x07\x0a\x05\x0a\x03b\xffc";
    let mut wire = vec![
        0x0a,
        span.len() as u8 + 4,
        0x12,
        span.len() as u8 + 2,
        0x12,
        span.len() as u8,
    ];
    wire.extend_from_slice(span);
    wire.extend_from_slice(b"\x0a\x02\x12\x00");
    let (sets, losses) = tables(Signal::Traces, wire);
    let expected = Losses {
        unknown_fields: 1,
        invalid_utf8: 2,
        malformed_ids: 1,
        entity_refs: 0,
        string_references: 0,
        empty_groups: 2,
    };
    assert_eq!(losses, expected);
    assert_eq!(
        losses.to_string(),
        "1 unknown fields, 2 strings that are not UTF-8, 1 ids of a wrong length, \
         2 resources or scopes without items"
    );
    let read = ExportTraceServiceRequest::decode(&back(Signal::Traces, &sets)[..]).unwrap();
    let span = &read.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((span.name.as_str(), span.trace_id.len()), ("a\u{fffd}", 0));
}

/// The same table with one column replaced.
fn replaced(
    batch: &RecordBatch,
    name: &str,
    array: ArrayRef,
    metadata: &[(&str, &str)],
) -> RecordBatch {
    let schema = batch.schema();
    let at = schema.index_of(name).unwrap();
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    let metadata: std::collections::HashMap<_, _> = metadata
        .iter()
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect();
    let field = Field::new(name, array.data_type().clone(), fields[at].is_nullable());
    fields[at] = Arc::new(field.with_metadata(metadata));
    let mut columns = batch.columns().to_vec();
    columns[at] = array;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn table(set: &mut Tables, payload: PayloadType) -> &mut RecordBatch {
    set.batches
        .iter_mut()
        .find(|(found, _)| *found == payload)
        .map(|(_, batch)| batch)
        .unwrap()
}

#[test]
fn ids_in_delta_and_quasi_delta_encoding_are_read() {
    let mut request = many_logs(5);
    for (i, record) in request.resource_logs[0].scope_logs[0]
        .log_records
        .iter_mut()
        .enumerate()
    {
        record.attributes[0].key = "k".into();
        let value = if i < 3 { "same" } else { "other" };
        record.attributes[0].value = Some(complete::any(Value::StringValue(value.into())));
    }
    let request = request.encode_to_vec();
    let (mut sets, _) = tables(Signal::Logs, request.clone());
    // Rows 0 to 2 have the same value, 3 and 4 another; ids count up from 0.
    for encoding in [&[][..], &[("encoding", "quasidelta")]] {
        let attributes = table(&mut sets[0], PayloadType::LogAttrs);
        let deltas = Arc::new(UInt16Array::from(vec![0, 1, 1, 3, 1]));
        *attributes = replaced(attributes, "parent_id", deltas, encoding);
        assert_eq!(back(Signal::Logs, &sets), carried(Signal::Logs, &request));
    }
    for encoding in [&[][..], &[("encoding", "delta")]] {
        let logs = table(&mut sets[0], PayloadType::Logs);
        let deltas = Arc::new(UInt16Array::from(vec![0, 1, 1, 1, 1]));
        *logs = replaced(logs, "id", deltas, encoding);
        assert_eq!(back(Signal::Logs, &sets), carried(Signal::Logs, &request));
    }
    let logs = table(&mut sets[0], PayloadType::Logs);
    let ids = Arc::new(UInt16Array::from(vec![0, 1, 2, 3, 4]));
    *logs = replaced(logs, "id", ids, &[("encoding", "zigzag")]);
    let error = Batch::from_record_batches(Signal::Logs, &sets).unwrap_err();
    assert_eq!(
        error.to_string(),
        "OTAP: column id of LOGS has an unknown encoding"
    );
}

#[test]
fn native_and_dictionary_columns_are_read_alike() {
    let request = complete(Signal::Traces);
    let (mut sets, _) = tables(Signal::Traces, request.clone());
    for payload in [PayloadType::SpanAttrs, PayloadType::SpanEventAttrs] {
        let attributes = table(&mut sets[0], payload);
        let keys = attributes
            .column_by_name("key")
            .unwrap()
            .as_dictionary::<UInt16Type>();
        let words: Vec<String> = keys
            .downcast_dict::<StringArray>()
            .unwrap()
            .into_iter()
            .map(|word| word.unwrap().to_owned())
            .collect();
        let rows = words.len();
        let plain: ArrayRef = Arc::new(StringArray::from(words.clone()));
        *attributes = replaced(attributes, "key", plain.clone(), &[]);
        assert_eq!(
            back(Signal::Traces, &sets),
            carried(Signal::Traces, &request)
        );
        let attributes = table(&mut sets[0], payload);
        let keys = UInt8Array::from_iter_values(0..rows as u8);
        let small = DictionaryArray::<UInt8Type>::new(keys, plain);
        *attributes = replaced(attributes, "key", Arc::new(small), &[]);
        assert_eq!(
            back(Signal::Traces, &sets),
            carried(Signal::Traces, &request)
        );
    }
    let attributes = table(&mut sets[0], PayloadType::SpanEventAttrs);
    let parents = attributes
        .column_by_name("parent_id")
        .unwrap()
        .as_primitive::<UInt32Type>()
        .clone();
    let keys = UInt8Array::from(vec![0; parents.len()]);
    let parents = DictionaryArray::<UInt8Type>::new(keys, Arc::new(UInt32Array::from(vec![0])));
    *attributes = replaced(
        attributes,
        "parent_id",
        Arc::new(parents),
        &[("encoding", "plain")],
    );
    assert_eq!(
        back(Signal::Traces, &sets),
        carried(Signal::Traces, &request)
    );
}

#[test]
fn tables_that_are_not_the_models_are_refused() {
    let error = |signal, sets: &[Tables]| {
        Batch::from_record_batches(signal, sets)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let (sets, _) = tables(Signal::Logs, complete(Signal::Logs));
    assert_eq!(
        error(Signal::Traces, &sets),
        "OTAP: unexpected or missing table LOGS"
    );
    assert_eq!(
        error(Signal::Profiles, &sets),
        "OTAP has no tables for profiles"
    );

    let mut twice = sets.clone();
    let again = twice[0].batches[0].clone();
    twice[0].batches.push(again);
    assert_eq!(
        error(Signal::Logs, &twice),
        "OTAP: unexpected or missing table LOGS"
    );

    let mut orphans = sets.clone();
    let attributes = table(&mut orphans[0], PayloadType::LogAttrs);
    let mut parents = vec![0; attributes.num_rows()];
    parents[3] = 7;
    let parents = Arc::new(UInt16Array::from(parents));
    *attributes = replaced(attributes, "parent_id", parents, &[("encoding", "plain")]);
    assert_eq!(
        error(Signal::Logs, &orphans),
        "OTAP: row 3 of LOG_ATTRS has no parent"
    );

    let mut rootless = sets.clone();
    rootless[0]
        .batches
        .retain(|(payload, _)| *payload != PayloadType::Logs);
    assert_eq!(
        error(Signal::Logs, &rootless),
        "OTAP: row 0 of LOG_ATTRS has no parent"
    );

    let mut typed = sets.clone();
    let logs = table(&mut typed[0], PayloadType::Logs);
    *logs = replaced(logs, "trace_id", Arc::new(UInt32Array::from(vec![1])), &[]);
    assert_eq!(
        error(Signal::Logs, &typed),
        "OTAP: column trace_id of LOGS is of a type that it may not have"
    );

    let mut broken = sets.clone();
    let attributes = table(&mut broken[0], PayloadType::LogAttrs);
    let rows = attributes.num_rows();
    let cbor = arrow_array::BinaryArray::from_iter_values(vec![b"\xff"; rows]);
    *attributes = replaced(attributes, "ser", Arc::new(cbor), &[]);
    assert_eq!(
        error(Signal::Logs, &broken),
        "OTAP: row 6 of LOG_ATTRS holds no valid CBOR"
    );

    let batch = Batch::from_protobuf(Signal::Profiles, Default::default()).unwrap();
    assert!(matches!(
        batch.record_batches(),
        Err(OtapError::Signal(Signal::Profiles))
    ));
}

/// The examples of RFC 8949, appendix A, that are of types OTLP has, in every length form.
#[test]
fn cbor_of_every_form_is_read() {
    let int = |value| Some(Value::IntValue(value));
    let text = |value: &str| Some(Value::StringValue(value.into()));
    let list = |values: Vec<Option<Value>>| {
        let values = values.into_iter().map(|value| AnyValue { value }).collect();
        Some(Value::ArrayValue(crate::otlp::common::v1::ArrayValue {
            values,
        }))
    };
    for (hex, expected) in [
        ("00", int(0)),
        ("1818", int(24)),
        ("1b000000e8d4a51000", int(1_000_000_000_000)),
        ("3903e7", int(-1000)),
        ("f93e00", Some(Value::DoubleValue(1.5))),
        ("fa47c35000", Some(Value::DoubleValue(100_000.0))),
        ("fb3ff199999999999a", Some(Value::DoubleValue(1.1))),
        ("f97c00", Some(Value::DoubleValue(f64::INFINITY))),
        ("f5", Some(Value::BoolValue(true))),
        ("f6", None),
        ("f7", None),
        ("4401020304", Some(Value::BytesValue(vec![1, 2, 3, 4]))),
        (
            "5f42010243030405ff",
            Some(Value::BytesValue(vec![1, 2, 3, 4, 5])),
        ),
        ("7f657374726561646d696e67ff", text("streaming")),
        ("80", list(vec![])),
        ("83010203", list(vec![int(1), int(2), int(3)])),
        (
            "9f018202039f0405ffff",
            list(vec![
                int(1),
                list(vec![int(2), int(3)]),
                list(vec![int(4), int(5)]),
            ]),
        ),
    ] {
        let mut out = Vec::new();
        super::value::from_cbor(&hex::decode(hex).unwrap(), &mut out).unwrap();
        assert_eq!(AnyValue::decode(&out[..]).unwrap().value, expected, "{hex}");
    }
    let mut out = Vec::new();
    super::value::from_cbor(&hex::decode("bf6346756ef563416d7421ff").unwrap(), &mut out).unwrap();
    let Some(Value::KvlistValue(map)) = AnyValue::decode(&out[..]).unwrap().value else {
        panic!("no map");
    };
    let entries: Vec<_> = map
        .values
        .iter()
        .map(|kv| (kv.key.as_str(), kv.value.clone().unwrap().value))
        .collect();
    assert_eq!(
        entries,
        [("Fun", Some(Value::BoolValue(true))), ("Amt", int(-2))]
    );
    // Integers over 64 bits, tags, simple values, keys that are no text, what is cut or
    // goes on, and depth.
    let deep = "81".repeat(200) + "00";
    for hex in [
        "1bffffffffffffffff",
        "c074",
        "f0",
        "a10101",
        "8301",
        "0000",
        "9f01",
        "",
        &deep,
    ] {
        let bytes = hex::decode(hex).unwrap();
        assert!(
            super::value::from_cbor(&bytes, &mut Vec::new()).is_none(),
            "{hex}"
        );
    }
}
