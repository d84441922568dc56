//! OTLP/JSON as it is read: every rule of the mapping, shown at a backend that
//! gets protobuf. Rules: OTLP specification, "JSON Protobuf Encoding"; the
//! Collector's laxer forms are accepted as well.

use prost::Message;
use trunkline_proto::otlp::{
    ExportTraceServiceRequest, common::v1::any_value::Value, trace::v1::Span,
};
use trunkline_tests::{
    Signal, both_runtimes,
    http::{self, Request},
    otlp,
};

use trunkline_tests::config::Relay;

/// What arrives at the backend for one span written as `members`.
async fn span(relay: &Relay, members: &str) -> Span {
    let text = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{members}}}]}}]}}]}}"#);
    let reply = http::send(&relay.http, &Request::json(Signal::Traces, text)).await;
    assert_eq!(reply.status, 200, "{members}: {}", reply.text());
    let body = relay.backend.recorded().pop().unwrap().body;
    let mut request = ExportTraceServiceRequest::decode(body).unwrap();
    request
        .resource_spans
        .remove(0)
        .scope_spans
        .remove(0)
        .spans
        .remove(0)
}

both_runtimes! {
    // "traceId and spanId byte arrays are represented as case-insensitive hex-encoded strings", not base64.
    async fn ids_are_hex_in_either_case(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        for text in ["5b8efff798038103d269b633813fc60c", "5B8EFFF798038103D269B633813FC60C"] {
            let ids = format!(r#""traceId":"{text}","spanId":"eee19b7ec3c1b174","parentSpanId":"EEE19B7EC3C1B173""#);
            let read = span(&relay, &ids).await;
            assert_eq!(read.trace_id, 0x5b8e_fff7_9803_8103_d269_b633_813f_c60c_u128.to_be_bytes());
            assert_eq!(read.span_id, 0xeee1_9b7e_c3c1_b174_u64.to_be_bytes());
            assert_eq!(read.parent_span_id, 0xeee1_9b7e_c3c1_b173_u64.to_be_bytes());
        }
        let linked = span(&relay, r#""links":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}]"#).await;
        assert_eq!(linked.links[0].span_id, 0xeee1_9b7e_c3c1_b174_u64.to_be_bytes());
    }

    // "Values of enum fields MUST be encoded as integer values"; names are accepted as the Collector does.
    async fn enums_are_integers_or_names(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        for text in [r#""kind":3"#, r#""kind":"SPAN_KIND_CLIENT""#] {
            assert_eq!(span(&relay, text).await.kind, 3, "{text}");
        }
        for text in [r#""status":{"code":2}"#, r#""status":{"code":"STATUS_CODE_ERROR"}"#] {
            assert_eq!(span(&relay, text).await.status.unwrap().code, 2, "{text}");
        }
    }

    // proto3 JSON: 64-bit integers as decimal strings, read from numbers too.
    async fn wide_integers_are_strings_or_numbers(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        for text in [
            r#""startTimeUnixNano":"1544712660300000001""#,
            r#""startTimeUnixNano":1544712660300000001"#,
            r#""start_time_unix_nano":"1544712660300000001""#,
        ] {
            assert_eq!(span(&relay, text).await.start_time_unix_nano, 1_544_712_660_300_000_001, "{text}");
        }
        for text in [r#""intValue":"-9007199254740993""#, r#""intValue":-9007199254740993"#, r#""int_value":"-9007199254740993""#] {
            let read = span(&relay, &format!(r#""attributes":[{{"key":"a","value":{{{text}}}}}]"#)).await;
            let value = read.attributes[0].value.as_ref().unwrap().value.as_ref().unwrap();
            assert_eq!(value, &Value::IntValue(-9_007_199_254_740_993), "{text}");
        }
    }

    // proto3 JSON: bytes in base64, doubles as numbers or NaN and Infinity as strings, escapes, nested values.
    async fn attribute_values_of_every_kind_arrive(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let cases: [(&str, Value); 8] = [
            (r#""bytesValue":"aGk=""#, Value::BytesValue(b"hi".to_vec())),
            (r#""doubleValue":2.5"#, Value::DoubleValue(2.5)),
            (r#""doubleValue":3"#, Value::DoubleValue(3.0)),
            (r#""doubleValue":"Infinity""#, Value::DoubleValue(f64::INFINITY)),
            (r#""doubleValue":"-Infinity""#, Value::DoubleValue(f64::NEG_INFINITY)),
            (r#""boolValue":true"#, Value::BoolValue(true)),
            (r#""stringValue":"\u00e9\n\ud83d\ude00""#, Value::StringValue("é\n😀".into())),
            (r#""stringValue":"""#, Value::StringValue(String::new())),
        ];
        for (text, expected) in cases {
            let read = span(&relay, &format!(r#""attributes":[{{"key":"a","value":{{{text}}}}}]"#)).await;
            assert_eq!(read.attributes[0].value.as_ref().unwrap().value.as_ref(), Some(&expected), "{text}");
        }
        let read = span(&relay, r#""attributes":[{"value":{"doubleValue":"NaN"},"key":"a"}]"#).await;
        let Some(Value::DoubleValue(number)) = read.attributes[0].value.as_ref().unwrap().value else { panic!("{read:?}") };
        assert!(number.is_nan());
        let nested = r#""attributes":[{"key":"a","value":{"kvlistValue":{"values":[{"key":"b","value":{"arrayValue":{"values":[{"intValue":"1"},{"stringValue":"x"}]}}}]}}}]"#;
        let read = span(&relay, nested).await;
        let Some(Value::KvlistValue(list)) = &read.attributes[0].value.as_ref().unwrap().value else { panic!("{read:?}") };
        let Some(Value::ArrayValue(array)) = &list.values[0].value.as_ref().unwrap().value else { panic!("{read:?}") };
        assert_eq!(array.values.len(), 2);
    }

    // "Keys are lowerCamelCase", unknown ones are ignored, their order is free; snake_case is accepted as the Collector does.
    async fn keys_in_any_order_and_unknown_ones_are_accepted(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let read = span(
            &relay,
            r#""spanId":"eee19b7ec3c1b174","novel":{"deep":[1,{"x":null}]},"name":"n","trace_id":"5b8efff798038103d269b633813fc60c","traceState":"a=b","flags":257,"droppedAttributesCount":3"#,
        )
        .await;
        assert_eq!((read.name.as_str(), read.trace_state.as_str(), read.flags), ("n", "a=b", 257));
        assert_eq!((read.trace_id.len(), read.span_id.len(), read.dropped_attributes_count), (16, 8, 3));
        let text = r#"{"novel":1,"resource_spans":[{"schemaUrl":"s","scope_spans":[{"scope":{"version":"2","name":"l"},"spans":[{}]}],"resource":{"attributes":[]}}]}"#;
        let reply = http::send(&relay.http, &Request::json(Signal::Traces, text)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(otlp::count(Signal::Traces, &relay.backend.recorded().pop().unwrap().body), 1);
    }

    // null stands for a field that is not set (proto3 JSON).
    async fn null_is_the_default(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let read = span(&relay, r#""name":null,"attributes":null,"status":null,"kind":1"#).await;
        assert_eq!((read.name.as_str(), read.attributes.len(), read.status, read.kind), ("", 0, None, 1));
    }

    // The examples published with the protocol.
    async fn the_published_examples_arrive(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let folder = trunkline_tests::binary::workspace().join("tests/data/otlp-json");
        for (file, signal, items) in
            [("trace", Signal::Traces, 1), ("metrics", Signal::Metrics, 4), ("logs", Signal::Logs, 1), ("events", Signal::Logs, 1)]
        {
            let text = std::fs::read(folder.join(format!("{file}.json"))).unwrap();
            let reply = http::send(&relay.http, &Request::json(signal, text)).await;
            assert_eq!((reply.status, reply.text().trim()), (200, "{}"), "{file}");
            let last = relay.backend.recorded().pop().unwrap();
            assert_eq!((last.signal(), otlp::count(signal, &last.body)), (signal, items), "{file}");
        }
    }
}
