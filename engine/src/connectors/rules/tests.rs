//! Every example of the rule form through the connector, and those that route nothing through the
//! processor as well; routes that cannot be. How requests are split is tested on the binary
//! (`tests/e2e/rules`), what rules mean in `trunkline_ottl`.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use trunkline_proto::{Batch, Signal, json};

use super::{Ways, build};
use crate::{
    component::{ConsumeFuture, Consumer, Outcome, RequestContext},
    config::Gates,
    exporters::testing::{context, core, run},
    processors,
    telemetry::Ledger,
};

/// Where things go, and what came: by destination.
type Seen = Rc<RefCell<Vec<(String, String)>>>;

struct Sink(&'static str, Seen);

impl Consumer for Sink {
    fn consume<'a>(&'a self, batch: Batch, _: &'a RequestContext) -> ConsumeFuture<'a> {
        let mut text = Vec::new();
        json::from_protobuf(batch.signal(), &batch.to_protobuf(), &mut text).unwrap();
        let came = (self.0.to_owned(), String::from_utf8(text).unwrap());
        self.1.borrow_mut().push(came);
        Box::pin(std::future::ready(Outcome::Accepted))
    }
}

/// `key=value` pairs as attributes; digits are an int.
fn attributes(text: &str) -> String {
    let pairs = text.split(' ').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let (key, value) = pair.split_once('=').unwrap();
        let kind = match value.parse::<i64>() {
            Ok(_) => "intValue",
            Err(_) => "stringValue",
        };
        format!(r#"{{"key":"{key}","value":{{"{kind}":"{value}"}}}}"#)
    });
    pairs.collect::<Vec<_>>().join(",")
}

fn batch(signal: Signal, resource: &str, own: &str, rest: &str) -> Batch {
    let (resource, own) = (attributes(resource), attributes(own));
    let resource = format!(r#""resource":{{"attributes":[{resource}]}}"#);
    let mut text = match signal {
        Signal::Metrics => format!(
            r#"{{"resourceMetrics":[{{{resource},"scopeMetrics":[{{"metrics":[{{{rest},"gauge":{{"dataPoints":[{{"attributes":[{own}],"asDouble":95.5}}]}}}}]}}]}}]}}"#
        ),
        Signal::Logs => format!(
            r#"{{"resourceLogs":[{{{resource},"scopeLogs":[{{"logRecords":[{{"attributes":[{own}],{rest}}}]}}]}}]}}"#
        ),
        _ => format!(
            r#"{{"resourceSpans":[{{{resource},"scopeSpans":[{{"spans":[{{"attributes":[{own}],{rest}}}]}}]}}]}}"#
        ),
    }
    .into_bytes();
    Batch::from_protobuf(signal, json::to_protobuf(signal, &mut text).unwrap()).unwrap()
}

const PIPELINES: [&str; 6] = [
    "prod_exporter",
    "prod_queue",
    "financial_queue",
    "sampled_exporter",
    "kafka-topic-a",
    "default",
];

/// A configuration with one block of rules.
fn yaml<T: crate::component::Setting + Default>(block: &str) -> T {
    let node = crate::config::yaml::parse(block, &Arc::from("test")).unwrap();
    let mut found = Default::default();
    let mut cx = crate::config::diagnostics::Decoder::new(&mut found, Vec::new(), Vec::new());
    let mut config = T::default();
    config.decode(&node, &mut cx);
    assert!(found.errors.is_empty(), "{block}: {:?}", found.errors);
    config
}

/// Where the item of a request goes by a rule, and as what; dropped: nowhere.
fn through(rule: &str, signal: Signal, batch: Batch, as_processor: bool) -> Vec<(String, String)> {
    let seen = Seen::default();
    let (core, gates) = (core(), Gates::default());
    let ledger = Ledger::new(core.registry.clone()).pipeline(0, "rules");
    let sink = |name| -> Rc<dyn Consumer> { Rc::new(Sink(name, seen.clone())) };
    let text = serde_json::to_string(rule).unwrap();
    let consumer = if as_processor {
        let config = yaml::<processors::rules::config::Config>(&format!("{{rules: {text}}}"));
        let ledger = Rc::new(ledger);
        let next = sink("default");
        processors::rules::build(&config, "rules", signal, &gates, &core, &ledger, next)
    } else {
        let block = format!(
            "{{rules: {text}, default_pipelines: [{}/default]}}",
            signal.name()
        );
        let ways = Ways {
            pipelines: &PIPELINES
                .into_iter()
                .map(|name| {
                    let id = format!("{}/{name}", signal.name());
                    (id.parse().unwrap(), sink(name))
                })
                .collect(),
            exporters: BTreeMap::from([(
                Arc::from("kafka_tenant_a"),
                sink("exporter.kafka_tenant_a"),
            )]),
            join: &|mut all| all.pop(),
        };
        build(&yaml(&block), "rules", signal, &gates, &core, ledger, &ways)
    };
    let consumer = consumer.unwrap_or_else(|text| panic!("{rule}: {text}"));
    let outcome = run(async { consumer.consume(batch, &context()).await });
    assert!(matches!(outcome, Outcome::Accepted), "{rule}: {outcome:?}");
    seen.take()
}

#[test]
fn every_example_does_what_it_says() {
    use Signal::{Logs, Metrics, Traces};
    let hash = "d648b243a3e817eaa3309e00e183483f2867baadf522099f0c2121770536b25a";
    let span = r#""name":"GET /cart""#;
    let error = r#""name":"x","status":{"code":2}"#;
    let slow =
        r#""name":"x","startTimeUnixNano":"1","endTimeUnixNano":"3000000002","status":{"code":2}"#;
    let low_id = r#""name":"x","traceId":"ffffffffffffffff0000000000000001""#;
    let high_id = r#""name":"x","traceId":"0000000000000000ffffffffffffffff""#;
    let event = r#""events":[{"name":"e","attributes":[{"key":"error.message","value":{"stringValue":"no"}}]}]"#;
    let duration = r#""name":"http.server.duration""#;
    let cpu = r#""name":"system.cpu.utilization""#;
    let body = r#""body":{"stringValue":"a@b.c"}"#;
    let long = format!("http.url={}", "u".repeat(120));
    let cut = format!("{}...", "u".repeat(100));
    let health = r#"span.name in ["GET /health", "GET /metrics"] or span.attributes["http.target"] == "/ready" > drop()"#;
    let test = r#"resource.attributes["deployment.environment"] == "test" > drop()"#;
    let card = r#"matches(span.attributes["body"], "\\d{4}-\\d{4}-\\d{4}-\\d{4}") > set(span.attributes["body"], replace_pattern(span.attributes["body"], "\\d{4}-\\d{4}-\\d{4}-\\d{4}", "****-****-****-****"))"#;
    let sampler = r#"TraceIDRatioBasedSampler(trace_id.trace_id, 0.1) > route("sampled_exporter")"#;
    let email = "resource.attributes[\"user.email\"] != nil > set(\n    resource.attributes[\"user.email\"],\n    SHA256(resource.attributes[\"user.email\"])\n)";
    let queue = r#"env == "prod" > route("prod_queue")"#;
    let exporter = "route(exporter.kafka_tenant_a)\nwhere resource.attributes[\"tenant\"] == \"A\"";
    let alert = "set(metric.attributes[\"alert\"], \"high_cpu\")\nwhere metric.name == \"system.cpu.utilization\"\n  and value > 90.0";
    let slo = "set(span.status.code, ERROR)\nset(span.status.message, \"SLO_BREACH\")\nwhere duration > 3000  # > 3s";
    // Rule; signal; attributes of the resource and of the item; its other fields; where it goes,
    // and what is in it (or, behind a `!`, is not).
    #[rustfmt::skip]
    let cases: &[(&str, Signal, &str, &str, &str, &str, &str)] = &[
        ("span.status.code == StatusCode::Ok > keep()", Traces, "", "", span, "default", "GET /cart"),
        ("span.status == Error > keep()", Traces, "", "", error, "default", "x"),
        (test, Traces, "deployment.environment=test", "", span, "", ""),
        (test, Metrics, "deployment.environment=test", "", cpu, "", ""),
        (test, Logs, "deployment.environment=prod", "", body, "default", "a@b.c"),
        (r#"span.duration > duration("3s") and span.status.code == StatusCode::Error > keep()"#, Traces, "", "", slow, "default", "x"),
        (health, Traces, "", "http.target=/ready", span, "", ""),
        (health, Traces, "", "", r#""name":"GET /metrics""#, "", ""),
        (health, Traces, "", "", span, "default", "GET /cart"),
        (r#"true > set(span.attributes["service.name"], "new-service-name")"#, Traces, "", "", span, "default", "new-service-name"),
        (r#"true > delete_key(span.attributes, "internal.debug.info")"#, Traces, "", "internal.debug.info=1", span, "default", "!internal.debug"),
        (r#"true > set(span.attributes["http.status_code"], span.attributes["http.response.status_code"])"#, Traces, "", "http.response.status_code=503", span, "default", r#""http.status_code","value":{"intValue":"503"}"#),
        (r#"span.attributes["http.status_code"] >= 500 > set(span.status.code, StatusCode::Error)"#, Traces, "", "http.status_code=500", span, "default", r#""code":2"#),
        (email, Traces, "user.email=a@b.c", "", span, "default", hash),
        (r#"len(span.attributes["http.url"]) > 100 > set(span.attributes["http.url"], truncate(span.attributes["http.url"], 100, "..."))"#, Traces, "", &long, span, "default", &cut),
        (card, Traces, "", "body=x1234-1234-1234-1234y", span, "default", "x****-****-****-****y"),
        (r#"resource.attributes["deployment.environment"] == "prod" > route("prod_exporter")"#, Logs, "deployment.environment=prod", "", body, "prod_exporter", "a@b.c"),
        (queue, Logs, "env=prod", "", body, "prod_queue", "a@b.c"),
        (queue, Metrics, "env=test", "env=prod", cpu, "prod_queue", "cpu"),
        (queue, Traces, "env=prod", "env=test", span, "default", "GET /cart"),
        (r#"span.attributes["service.name"] in ["payment", "billing"] > route("financial_queue")"#, Traces, "", "service.name=billing", span, "financial_queue", "billing"),
        (sampler, Traces, "", "", low_id, "sampled_exporter", "x"),
        (sampler, Traces, "", "", high_id, "default", "x"),
        ("resource.attributes['tenant'] == 'A' > route('kafka-topic-a')", Metrics, "tenant=A", "", cpu, "kafka-topic-a", "cpu"),
        ("metric.name == 'http.server.duration' > keep_keys(metric.attributes, ['cluster', 'node'])", Metrics, "", "cluster=a pod=c", duration, "default", "!pod"),
        (r#"set(body, SHA256(body)) where resource.attributes["env"] == "prod""#, Logs, "env=prod", "", body, "default", hash),
        ("set(span.attributes[\"credit_card\"], SHA256(span.attributes[\"credit_card\"]))\nwhere resource.attributes[\"env\"] == \"prod\"", Traces, "env=prod", "credit_card=a@b.c", span, "default", hash),
        (slo, Traces, "", "", slow, "default", "SLO_BREACH"),
        (slo, Traces, "", "", span, "default", "!SLO_BREACH"),
        (exporter, Traces, "tenant=A", "", span, "exporter.kafka_tenant_a", "GET /cart"),
        (exporter, Logs, "tenant=B", "", body, "default", "a@b.c"),
        (r#"keep_keys(metric.attributes, ["cluster", "node", "namespace"])"#, Metrics, "", "node=b pod=c", cpu, "default", "!pod"),
        (alert, Metrics, "", "", cpu, "default", "high_cpu"),
        (alert, Metrics, "", "", duration, "default", "!high_cpu"),
        (r#"span.events[0].attributes["error.message"] != nil > set(span.attributes["first_error"], span.events[0].attributes["error.message"])"#, Traces, "", "", event, "default", "first_error"),
    ];
    for (rule, signal, resource, own, rest, to, part) in cases {
        for as_processor in [false, true] {
            if as_processor && rule.contains("route(") {
                continue;
            }
            let request = batch(*signal, resource, own, rest);
            let seen = through(rule, *signal, request, as_processor);
            let went: Vec<&str> = seen.iter().map(|(to, _)| to.as_str()).collect();
            let expected: &[&str] = if to.is_empty() { &[] } else { &[to] };
            assert_eq!(went, expected, "{rule}");
            for (_, text) in &seen {
                match part.strip_prefix('!') {
                    Some(part) => assert!(!text.contains(part), "{rule}: {text}"),
                    None => assert!(text.contains(part), "{rule}: {text}"),
                }
            }
        }
    }
}

/// What loading says of a connector between `logs/in` and `logs/a`; nothing: it is taken.
fn told(block: &str) -> String {
    super::super::told(&format!(
        "connectors: {{rules: {block}}}, exporters: {{nop: , nop/kafka: , debug/kafka: , \
         nop/lake: }}, service: {{pipelines: {{\
         logs/in: {{receivers: [otlp], exporters: [rules]}}, \
         logs/archive: {{receivers: [rules], exporters: [nop]}}, \
         logs/other: {{receivers: [otlp], exporters: [nop]}}}}}}"
    ))
}

#[test]
fn routes_that_cannot_be_are_refused() {
    for (block, expected) in [
        (r#"{rules: "true > route('archive')"}"#, ""),
        (r#"{rules: "true > route(exporter.lake)", match: all}"#, ""),
        (
            r#"{rules: "true > route('archiv')"}"#,
            "rule \"1\": there is no pipeline \"logs/archiv\"; did you mean \"archive\"?",
        ),
        (
            r#"{rules: [{name: far, action: "route('other')"}]}"#,
            "rule \"far\": the pipeline \"logs/other\" does not have the connector among its receivers",
        ),
        (
            r#"{logs: "true > route(exporter.lak)"}"#,
            "rule \"1\": there is no exporter \"lak\"; did you mean \"lake\"?",
        ),
        (
            r#"{rules: "true > route(exporter.kafka)"}"#,
            "several exporters are called \"kafka\": debug/kafka, nop/kafka",
        ),
        (
            r#"{default_pipelines: [logs/other]}"#,
            "pipeline not found: missing consumer: \"logs/other\"",
        ),
        (r#"{match: some}"#, "unknown match: some"),
        (r#"{rules: "true > dorp()"}"#, "did you mean `drop`?"),
    ] {
        let told = told(block);
        assert_eq!(told.is_empty(), expected.is_empty(), "{block}: {told}");
        assert!(told.contains(expected), "{block}: {told}");
    }
}
