//! Golden results: what expressions give and what statements do to a log record, a span and a
//! data point. Sources: the reference's observed results and its tables of comparison,
//! coercion and math, as collected in the project's fact sheet. `@x` stands for
//! `log.attributes["x"]`.
#![allow(clippy::unwrap_used, clippy::panic)]

mod conditions;
mod contexts;
mod expressions;
mod flatten;
mod golden;
mod lambdas;
mod metrics;
mod modes;
mod profiles;
pub(crate) mod property;
mod selection;
mod statements;
mod transform;

use trunkline_proto::{Batch, Signal, batch::Data, json};

use super::{ErrorMode, Request, Row, run};
use crate::{
    check::Compiler,
    contexts::Context,
    failure::Failure,
    functions::Host,
    go::{sprintf::quoted, text::as_text, zone::Zone},
    value::{Value, json as value_json},
};

pub(crate) const LOG: &str = r#"{"resourceLogs":[{
  "resource":{"attributes":[{"key":"host","value":{"stringValue":"localhost"}}],
    "droppedAttributesCount":3},
  "schemaUrl":"https://schema",
  "scopeLogs":[{
    "scope":{"name":"scope","version":"2","attributes":[{"key":"sa","value":{"intValue":"7"}}]},
    "logRecords":[{
      "timeUnixNano":"1581452772000000321","observedTimeUnixNano":"1581452773000000321",
      "severityNumber":1,"severityText":"blue screen","flags":1,"droppedAttributesCount":1,
      "traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708",
      "eventName":"event","body":{"stringValue":"operationA"},
      "attributes":[
        {"key":"s","value":{"stringValue":"hello"}},
        {"key":"i","value":{"intValue":"1"}},
        {"key":"d","value":{"doubleValue":1}},
        {"key":"t","value":{"boolValue":true}},
        {"key":"l","value":{"arrayValue":{"values":[
          {"stringValue":"v1"},{"intValue":"42"},{"boolValue":true}]}}},
        {"key":"ll","value":{"arrayValue":{"values":[
          {"arrayValue":{"values":[{"intValue":"1"},{"intValue":"2"}]}}]}}},
        {"key":"m","value":{"kvlistValue":{"values":[
          {"key":"x","value":{"stringValue":"<a>&"}},
          {"key":"a","value":{"intValue":"2"}},
          {"key":"n","value":{"kvlistValue":{"values":[
            {"key":"y","value":{"stringValue":"z"}}]}}}]}}},
        {"key":"by","value":{"bytesValue":"3q0="}},
        {"key":"eb","value":{"bytesValue":""}},
        {"key":"none","value":{}},
        {"key":"jp","value":{"stringValue":"日本語"}}
      ]}]}]}]}"#;

const SPANS: &str = r#"{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[{
  "traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","name":"GET /cart",
  "kind":2,"startTimeUnixNano":"1000","endTimeUnixNano":"2501000","traceState":"a=1,b=2",
  "status":{"code":2,"message":"bad"},
  "events":[{"name":"first","timeUnixNano":"7"},{"name":"second"}],
  "links":[{"spanId":"0102030405060708"}],
  "attributes":[{"key":"k","value":{"stringValue":"v"}}]}]}]}]}"#;

const METRICS: &str = r#"{"resourceMetrics":[{"resource":{},"scopeMetrics":[{"scope":{},"metrics":[
  {"name":"sum","unit":"By","sum":{"aggregationTemporality":2,"isMonotonic":true,
    "dataPoints":[{"asInt":"5","timeUnixNano":"9"},{"asDouble":1.5,"attributes":[
      {"key":"k","value":{"stringValue":"v"}}]}]}},
  {"name":"hist","histogram":{"aggregationTemporality":1,"dataPoints":[
    {"count":"3","sum":4.5,"bucketCounts":["1","2"],"explicitBounds":[10]}]}}]}]}]}"#;

pub(crate) fn batch(signal: Signal, text: &str) -> Batch {
    let mut bytes = text.as_bytes().to_vec();
    Batch::from_protobuf(signal, json::to_protobuf(signal, &mut bytes).unwrap()).unwrap()
}

fn fixture(context: Context) -> Batch {
    match context {
        Context::Metric | Context::DataPoint => batch(Signal::Metrics, METRICS),
        Context::Span | Context::SpanEvent => batch(Signal::Traces, SPANS),
        _ => batch(Signal::Logs, LOG),
    }
}

/// A value as text that tells types apart.
fn show(value: &Value) -> String {
    match value {
        Value::String(text) => String::from_utf8(quoted(text, '"', false)).unwrap(),
        Value::Bytes(bytes) => format!("0x{}", hex::encode(bytes)),
        Value::Float(value) => format!("{value:?}"),
        Value::Duration(nanos) => format!("{nanos}ns"),
        Value::Time(time) => time.told_in(Zone::Utc).rfc3339().unwrap_or_default(),
        Value::TraceId(id) => format!("trace:{}", hex::encode(id)),
        Value::SpanId(id) => format!("span:{}", hex::encode(id)),
        Value::Nil => "nil".to_owned(),
        Value::Typed(items) => {
            let mut out = items.name().as_bytes().to_vec();
            value_json::write(&Value::Typed(items.clone()), &mut out).unwrap();
            String::from_utf8(out).unwrap()
        }
        Value::Map(any) | Value::Slice(any) => {
            let mut out = Vec::new();
            as_text(&trunkline_proto::batch::Value::read(any).unwrap(), &mut out);
            String::from_utf8(out).unwrap()
        }
        // As the value of an expression, a Go map becomes one of telemetry.
        Value::RawMap(_) => {
            let mut any = Vec::new();
            value.encode(&mut any).unwrap();
            show(&Value::Map(any.into()))
        }
        value => {
            let mut out = Vec::new();
            value_json::write(value, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        }
    }
}

pub(crate) fn names(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('@') {
        let len = after
            .find(|c: char| !c.is_ascii_lowercase())
            .unwrap_or(after.len());
        let (name, after) = after.split_at(len);
        out += &format!("{before}log.attributes[\"{name}\"]");
        rest = after;
    }
    out + rest
}

const CONTEXTS: [Context; 7] = [
    Context::Log,
    Context::Resource,
    Context::Scope,
    Context::Span,
    Context::SpanEvent,
    Context::Metric,
    Context::DataPoint,
];

pub(crate) fn compiler(context: Context) -> Compiler {
    Compiler::new(Host::Transform, &CONTEXTS).in_context(context)
}

fn evaluate(data: &mut Data, context: Context, row: u32, text: &str) -> Result<Value, Failure> {
    let program = match compiler(context).value(text) {
        Ok(program) => program,
        Err(error) => panic!("{error}"),
    };
    let (mut cache, request) = (Vec::new(), Request::default());
    let mut row = Row::new(data, context, row, &mut cache, &request).unwrap();
    row.value(&program.node).map(|value| value.into_owned())
}

fn told(result: Result<Value, Failure>) -> String {
    match result {
        Ok(value) => show(&value),
        Err(failure) => format!("error: {failure}"),
    }
}

fn condition(data: &mut Data, text: &str) -> Result<bool, Failure> {
    let condition = match compiler(Context::Log).condition(text) {
        Ok((_, condition)) => condition,
        Err(error) => panic!("{error}"),
    };
    let (mut cache, request) = (Vec::new(), Request::default());
    let mut row = Row::new(data, Context::Log, 0, &mut cache, &request).unwrap();
    row.holds(&condition.condition)
}

/// Runs statements on all rows, failures noted.
fn execute(batch: &mut Batch, context: Context, statements: &[&str]) -> Vec<String> {
    let program = match compiler(context).statements(statements, &[]) {
        Ok(program) => program,
        Err(error) => panic!("{error}"),
    };
    let mut failures = Vec::new();
    let mut counts = Vec::new();
    let data = batch.open().unwrap();
    run(
        &program,
        data,
        &Request::default(),
        ErrorMode::Ignore,
        None,
        &mut counts,
        &mut |failure| {
            failures.push(failure.cause.to_string());
        },
    )
    .unwrap();
    // What was written is legal.
    Batch::from_protobuf(batch.signal(), batch.to_protobuf())
        .unwrap()
        .validate()
        .unwrap();
    failures
}
