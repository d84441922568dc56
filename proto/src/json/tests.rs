//! OTLP/JSON against what the Collector 0.164 does with the same bodies (recorded in
//! `tests/data/otlp-json/`), and against itself.

use super::*;
use crate::Signal;
use crate::wire::{DecodeErrorKind, MAX_DEPTH};

pub(super) fn wire(signal: Signal, json: &str) -> Result<Vec<u8>, JsonError> {
    to_protobuf(signal, &mut json.as_bytes().to_vec()).map(|bytes| bytes.to_vec())
}

pub(super) fn json(signal: Signal, wire: &[u8]) -> String {
    let mut out = Vec::new();
    from_protobuf(signal, wire, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn data(name: &str) -> String {
    let path = format!(
        "{}/../tests/data/otlp-json/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn logs(record: &str) -> String {
    format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}"#)
}

fn body(value: &str) -> String {
    logs(&format!(r#"{{"body":{value}}}"#))
}

fn written(body: &str) -> String {
    let record = format!(r#"{{"body":{body}}}"#);
    format!(
        r#"{{"resourceLogs":[{{"resource":{{}},"scopeLogs":[{{"scope":{{}},"logRecords":[{record}]}}]}}]}}"#
    )
}

#[test]
fn the_published_examples_come_out_as_from_the_collector() {
    for (signal, name) in [
        (Signal::Traces, "trace"),
        (Signal::Metrics, "metrics"),
        (Signal::Logs, "logs"),
        (Signal::Logs, "events"),
    ] {
        let read = wire(signal, &data(&format!("{name}.json"))).unwrap();
        let expected = data(&format!("{name}.collector.json"));
        assert_eq!(json(signal, &read), expected.trim_end());
    }
}

/// Where the outcome is meant to be another than the Collector's: what is written,
/// or nothing where the body is refused. Each has its line in `docs/differences.md`.
fn differs(name: &str) -> Option<Option<String>> {
    let record = |fields: &str| {
        Some(format!(
            r#"{{"resourceLogs":[{{"resource":{{}},"scopeLogs":[{{"scope":{{}},"logRecords":[{fields}]}}]}}]}}"#
        ))
    };
    let value = |text: &str| Some(written(text));
    Some(match name {
        // `null` is absence, for every field, as proto3 JSON says.
        "severity null" | "uint64 null" => record(r#"{"body":{}}"#),
        "int64 null" | "double null" | "bool null" | "bytes null" | "string null"
        | "null array value" => value("{}"),
        "trace id null" => Some(
            r#"{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[{"status":{}}]}]}]}"#.into(),
        ),
        "duplicate after null" => Some(
            r#"{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[{"name":"a","status":{}}]}]}]}"#.into(),
        ),
        // proto3 JSON: whole numbers in any notation, base64 of either alphabet.
        "uint64 whole fraction" => record(r#"{"timeUnixNano":"1","body":{}}"#),
        "uint64 exponent" | "uint64 exponent string" => {
            record(r#"{"timeUnixNano":"1000","body":{}}"#)
        }
        "uint64 plus" => record(r#"{"timeUnixNano":"5","body":{}}"#),
        "int64 whole fraction" => value(r#"{"intValue":"3"}"#),
        "bytes url" | "bytes no padding" | "bytes url no padding" => {
            value(r#"{"bytesValue":"+/+/AQ=="}"#)
        }
        "severity TRACE by name" => record(r#"{"severityNumber":1,"body":{}}"#),
        // The second half of a pair is not lost to the lone one before it.
        "string two highs" => value("{\"stringValue\":\"\u{fffd}\u{10000}\"}"),
        // Written `-0.0`, so that readers do not take it for the integer.
        "double negative zero point" => value(r#"{"doubleValue":-0.0}"#),
        "double negative zero" => value(r#"{"doubleValue":0}"#),
        _ => return None,
    })
}

#[test]
fn bodies_are_read_and_written_as_by_the_collector() {
    let cases: serde_json::Value = serde_json::from_str(&data("collector.json")).unwrap();
    let mut wrong = Vec::new();
    let mut different = 0;
    for case in cases.as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let signal = *Signal::ALL
            .iter()
            .find(|signal| signal.name() == case["signal"])
            .unwrap();
        let read = wire(signal, case["body"].as_str().unwrap());
        let ours = read.as_ref().ok().map(|wire| json(signal, wire));
        let meant = match differs(name) {
            Some(meant) => {
                different += 1;
                meant
            }
            None if case["error"].is_string() => None,
            // Accepted, and nothing written since there is no item in it.
            None if case["json"].is_null() => ours.clone().or(Some("accepted".into())),
            None => case["json"].as_str().map(str::to_owned),
        };
        if ours != meant {
            wrong.push(format!(
                "{name}: {read:?}\n  ours {ours:?}\n  not  {meant:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(different, 22);
}

#[test]
fn errors_keep_the_key_phrase_and_name_the_place() {
    let span = |fields: &str| {
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{}},{{{fields}}}]}}]}}]}}"#)
    };
    for (signal, text, expected, near) in [
        (
            Signal::Logs,
            String::new(),
            "ReadObject: expect { or n, but the body is empty",
            None,
        ),
        (
            Signal::Logs,
            "  hello".into(),
            "ReadObject: expect { or n, but found h",
            Some("hello"),
        ),
        (
            Signal::Traces,
            span(r#""traceId":"5b8e""#),
            "ID.UnmarshalJSONIter: length mismatch, expect 32 hex digits, but found 4, \
             at resourceSpans[0].scopeSpans[0].spans[1].traceId",
            Some("5b8e"),
        ),
        (
            Signal::Traces,
            span(
                r#""attributes":[{},{"key":"k","value":{"arrayValue":{"values":[{},{"intValue":true}]}}}]"#,
            ),
            "unsupported value type: expect a number, but found a boolean, \
             at resourceSpans[0].scopeSpans[0].spans[1].attributes[1].value.arrayValue.values[1].intValue",
            Some("intValue"),
        ),
        (
            Signal::Logs,
            logs(r#"{"severityNumber":"LOUD"}"#),
            "ReadEnumValue: unknown string value, \
             at resourceLogs[0].scopeLogs[0].logRecords[0].severityNumber",
            Some("LOUD"),
        ),
        (
            Signal::Logs,
            body(r#"{"bytesValue":"*"}"#),
            "base64.Decode: illegal base64 data, \
             at resourceLogs[0].scopeLogs[0].logRecords[0].body.bytesValue",
            Some("*"),
        ),
        (
            Signal::Logs,
            r#"{"resourceLogs" 1}"#.into(),
            "ReadObject: expect : after object field",
            Some("1}"),
        ),
    ] {
        let error = wire(signal, &text).unwrap_err();
        let offset = near.map(|near| text.find(near).unwrap());
        let place = offset.map_or(String::new(), |at| format!(", error found in #{at} byte"));
        assert_eq!(error.offset(), offset, "{text}: {error}");
        assert_eq!(error.to_string(), format!("{expected}{place}"));
    }
}

#[test]
fn nesting_is_followed_to_the_limit_and_refused_beyond() {
    let nested = |levels: usize| {
        body(&format!(
            "{}{{}}{}",
            r#"{"arrayValue":{"values":["#.repeat(levels),
            "]}}".repeat(levels)
        ))
    };
    // The resource, scope, record and body are four messages; each level of a list adds
    // two.
    let deepest = (MAX_DEPTH - 4) / 2;
    let read = wire(Signal::Logs, &nested(deepest)).unwrap();
    assert_eq!(
        wire(Signal::Logs, &json(Signal::Logs, &read)).unwrap(),
        with_empty_parents(&read)
    );
    for levels in [deepest + 1, 100, 1_000, 100_000] {
        let error = wire(Signal::Logs, &nested(levels)).unwrap_err();
        assert_eq!(error.kind(), &JsonErrorKind::TooDeep, "{levels}");
    }
    let mut open = "[".repeat(1_000_000);
    open.insert_str(0, r#"{"x":"#);
    assert_eq!(
        wire(Signal::Logs, &open).unwrap_err().kind(),
        &JsonErrorKind::TooDeep
    );

    // On the wire, a level deeper than may be.
    let mut value = Vec::new();
    for _ in 0..MAX_DEPTH {
        for tag in [0x0a, 0x2a] {
            let mut outer = vec![tag];
            prost::encoding::encode_varint(value.len() as u64, &mut outer);
            outer.append(&mut value);
            value = outer;
        }
    }
    for tag in [0x2a, 0x12, 0x12, 0x0a] {
        let mut outer = vec![tag];
        prost::encoding::encode_varint(value.len() as u64, &mut outer);
        outer.append(&mut value);
        value = outer;
    }
    let mut out = b"kept".to_vec();
    let error = from_protobuf(Signal::Logs, &value, &mut out).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::Depth);
    assert_eq!(out, b"kept");
}

/// A log request again, with the resource and scope that JSON states as `{}`.
fn with_empty_parents(wire: &[u8]) -> Vec<u8> {
    let inner = |bytes: &[u8]| {
        let mut rest = &bytes[1..];
        let length = prost::encoding::decode_varint(&mut rest).unwrap() as usize;
        rest[..length].to_vec()
    };
    let mut value = inner(&inner(wire));
    for tag in [0x12, 0x0a] {
        let mut outer = vec![0x0a, 0x00];
        outer.extend_from_slice(&value);
        value = vec![tag];
        prost::encoding::encode_varint(outer.len() as u64, &mut value);
        value.extend_from_slice(&outer);
    }
    value
}

#[test]
fn wire_fields_in_any_order_split_packed_or_not_are_written_once() {
    /// A length-delimited field of that number.
    fn part(number: u8, inner: &[u8]) -> Vec<u8> {
        let mut part = vec![number << 3 | 2, inner.len() as u8];
        part.extend_from_slice(inner);
        part
    }
    let item = |bytes: &[u8]| part(1, &part(2, &part(2, bytes)));
    for (signal, wire, expected) in [
        // A span whose status comes first, split in two, its name twice, an unknown
        // field, an unknown group.
        (
            Signal::Traces,
            item(b"\x7a\x02\x18\x02\x2a\x01a\x7a\x03\x12\x01m\x2a\x01b\xa0\x06\x07\xab\x06\x08\x01\xac\x06"),
            r#"{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[{"name":"b","status":{"message":"m","code":2}}]}]}]}"#,
        ),
        // A resource between the parts of a list, after an unknown field.
        (
            Signal::Logs,
            part(1, &[&b"\xc0\x3e\x01"[..], &part(2, b"\x1a\x01a"), &part(1, b"\x10\x96\x01"), &part(2, b"")].concat()),
            r#"{"resourceLogs":[{"resource":{"droppedAttributesCount":150},"scopeLogs":[{"scope":{},"schemaUrl":"a"},{"scope":{}}]}]}"#,
        ),
        // A gauge, then a sum, then a gauge in two parts: the first gauge is gone.
        (
            Signal::Metrics,
            item(&[part(5, b"\x0a\x00"), part(7, b"\x18\x01"), part(5, b"\x0a\x02\x40\x01"), part(5, b"\x0a\x00")].concat()),
            r#"{"resourceMetrics":[{"resource":{},"scopeMetrics":[{"scope":{},"metrics":[{"gauge":{"dataPoints":[{"flags":1},{}]}}]}]}]}"#,
        ),
        // Indices packed, then not, then packed and empty.
        (
            Signal::Profiles,
            part(2, &part(7, b"\x0a\x02\x01\x02\x08\x03\x0a\x00")),
            r#"{"dictionary":{"stackTable":[{"locationIndices":[1,2,3]}]}}"#,
        ),
        (
            Signal::Profiles,
            part(2, &part(7, b"\x0a\x00")),
            r#"{"dictionary":{"stackTable":[{}]}}"#,
        ),
    ] {
        assert_eq!(json(signal, &wire), expected);
    }
}

#[test]
fn bytes_that_are_not_the_schemas_are_refused() {
    let wrong_type = DecodeErrorKind::WireType {
        field: 2,
        message: "ResourceLogs",
    };
    for (wire, offset, kind) in [
        (&b"\x0a\x05"[..], 0, DecodeErrorKind::Truncated),
        (b"\x0a\x02\x10\x01", 2, wrong_type),
        (b"\x0a\x00\x0f", 2, DecodeErrorKind::Tag),
        (b"\x0a\x00\x0b\x08\x01", 5, DecodeErrorKind::Group),
        (b"\x0a\x02\x0a\x7f", 2, DecodeErrorKind::Truncated),
    ] {
        let error = from_protobuf(Signal::Logs, wire, &mut Vec::new()).unwrap_err();
        assert_eq!((error.offset, error.kind), (offset, kind), "{wire:x?}");
    }
    let cut = b"\x0a\x0d\x12\x0b\x12\x09\x4a\x07\x0a\x05\x32\x03\x01\x02\x03";
    let error = from_protobuf(Signal::Metrics, cut, &mut Vec::new()).unwrap_err();
    assert_eq!((error.offset, error.kind), (12, DecodeErrorKind::Packed));
}

#[test]
fn the_schema_is_sound() {
    for message in schema::ALL {
        assert!(message.fields.len() <= schema::MAX_FIELDS);
        let always = |message: &schema::Message| {
            message
                .fields
                .iter()
                .any(|field| field.card == schema::Card::Always)
        };
        for (at, field) in message.fields.iter().enumerate() {
            assert_eq!(message.index_of(field.number), Some(at), "{}", message.name);
            assert_eq!(message.find(field.name, at), Some(at));
            assert_eq!(message.find(field.snake, 0), Some(at));
            let camel = field.snake.split('_').enumerate().map(|(i, word)| match i {
                0 => word.to_owned(),
                _ => word[..1].to_uppercase() + &word[1..],
            });
            assert_eq!(camel.collect::<String>(), field.name);
            // What is absent is written as `{}`, which must be all there is to write.
            if let (schema::Card::Always, schema::Kind::Message(inner)) = (field.card, field.kind) {
                assert!(!always(inner), "{}.{}", message.name, field.name);
            }
        }
    }
}

#[test]
fn memory_needed_bounds_what_simd_json_takes() {
    for text in [
        data("metrics.json"),
        r#"{"a":["#.to_owned() + &"1,".repeat(10_000) + "1]}",
        r#"{"a":["#.to_owned() + &"[],".repeat(10_000) + "[]]}",
        r#"{"a":["#.to_owned() + &r#""","#.repeat(10_000) + "{}]}",
    ] {
        let mut body = text.clone().into_bytes();
        let bound = memory_needed(&body);
        let mut buffers = simd_json::Buffers::default();
        let tape = simd_json::to_tape_with_buffers(&mut body, &mut buffers).unwrap();
        let taken = tape.0.capacity() * size_of::<simd_json::Node<'_>>()
            + size_of_val(buffers.structural_indexes());
        assert!(taken <= bound, "{taken} > {bound}");
    }
}
