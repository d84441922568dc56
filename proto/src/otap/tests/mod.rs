//! Requests through OTAP tables and back: the same but for what the model has no place
//! for, which is named.

mod carried;
mod forms;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt8Type, UInt16Type, UInt32Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use proptest::prelude::*;
use prost::Message;

use self::carried::carried;
use super::{Losses, OtapError, PayloadType, Tables};
use crate::json::{complete, property::random_request};
use crate::otlp::common::v1::{AnyValue, KeyValue, any_value::Value};
use crate::otlp::{
    ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest,
};
use crate::{Batch, Signal};

const SIGNALS: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

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
