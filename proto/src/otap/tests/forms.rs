//! The forms in which others may write the tables: encodings of ids, dictionaries or none,
//! CBOR; and tables that are not the model's.

use std::sync::Arc;

use arrow_array::{ArrayRef, DictionaryArray, StringArray, UInt8Array, UInt16Array, UInt32Array};
use prost::Message;

use super::*;

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
        crate::otap::value::from_cbor(&hex::decode(hex).unwrap(), &mut out).unwrap();
        assert_eq!(AnyValue::decode(&out[..]).unwrap().value, expected, "{hex}");
    }
    let mut out = Vec::new();
    crate::otap::value::from_cbor(&hex::decode("bf6346756ef563416d7421ff").unwrap(), &mut out)
        .unwrap();
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
            crate::otap::value::from_cbor(&bytes, &mut Vec::new()).is_none(),
            "{hex}"
        );
    }
}
