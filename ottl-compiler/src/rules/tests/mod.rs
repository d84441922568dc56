//! The examples of the rule form, each on data; what is refused; what rules decide.
#![allow(clippy::unwrap_used, clippy::panic)]

mod columns;
mod profiles;

use trunkline_proto::{Batch, Signal, batch::Data, json};

use super::*;
use crate::run::{ErrorMode, Request};

/// One item of each signal: `R` stands for attributes of the resource, `A` for those of the item.
fn batch(signal: Signal, resource: &str, attributes: &str, rest: &str) -> Batch {
    let text = match signal {
        Signal::Metrics => format!(
            r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{resource}]}},"scopeMetrics":[{{"metrics":[{{
            "name":"http.server.duration","gauge":{{"dataPoints":[{{"attributes":[{attributes}]{rest}}}]}}}}]}}]}}]}}"#
        ),
        Signal::Logs => format!(
            r#"{{"resourceLogs":[{{"resource":{{"attributes":[{resource}]}},"scopeLogs":[{{"logRecords":[{{
            "attributes":[{attributes}]{rest}}}]}}]}}]}}"#
        ),
        _ => format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{resource}]}},"scopeSpans":[{{"spans":[{{
            "name":"GET /cart","attributes":[{attributes}]{rest}}}]}}]}}]}}"#
        ),
    };
    let mut bytes = text.into_bytes();
    Batch::from_protobuf(signal, json::to_protobuf(signal, &mut bytes).unwrap()).unwrap()
}

/// `key=value` pairs as attributes; digits are an int.
fn attributes(text: &str) -> String {
    let pairs = text.split(' ').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let (key, value) = pair.split_once('=').unwrap();
        match value.parse::<i64>() {
            Ok(value) => format!(r#"{{"key":"{key}","value":{{"intValue":"{value}"}}}}"#),
            Err(_) => format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#),
        }
    });
    pairs.collect::<Vec<_>>().join(",")
}

fn compiled(text: &str) -> Result<Rules, Diagnostics> {
    let entry = Entry {
        text: text.to_owned(),
        ..Entry::default()
    };
    compile(&[entry], &Signal::ALL, false, 0)
}

/// Runs rules and says what was decided of the item, and what a value expression gives then.
fn outcome(rules: &Rules, signal: Signal, data: &mut Data, probe: &str) -> String {
    let rules = rules.of(signal);
    assert!(!rules.is_empty(), "no rule for {signal:?}");
    let mut runner = Runner::new(signal, rules, false);
    let (request, mut failed) = (Request::default(), String::new());
    let progress = runner.run(data, &request, ErrorMode::Ignore, &mut |failure| {
        failed = failure.cause.to_string();
    });
    let fates = progress.unwrap().fates;
    if !failed.is_empty() {
        return format!("failed: {failed}");
    }
    let rule = |at: usize| runner.rules().nth(at).unwrap().decision.clone();
    if let Some((at, _)) = fates.routed.iter().find(|(_, rows)| !rows.is_empty()) {
        return match rule(*at) {
            Some(Decision::Route(to)) => format!("route {to}"),
            Some(Decision::RouteToExporter(to)) => format!("route exporter.{to}"),
            other => panic!("{other:?}"),
        };
    }
    if !fates.dropped.is_empty() {
        return "drop".to_owned();
    }
    if !fates.decided.is_empty() {
        return "keep".to_owned();
    }
    if probe.is_empty() {
        return "on".to_owned();
    }
    let context = resolve::item(signal);
    let compiler = Compiler::new(Host::Library, contexts(signal)).in_context(context);
    let probe = compiler
        .condition(probe)
        .unwrap_or_else(|error| panic!("{error}"));
    let mut cache = Vec::new();
    let mut row = crate::run::Row::new(data, context, 0, &mut cache, &request).unwrap();
    row.holds(&probe.1.condition).unwrap().to_string()
}

/// Rule; signal; resource; attributes; other fields; what comes of it, or what holds then.
type Case<'a> = (&'a str, Signal, &'a str, &'a str, &'a str, &'a str);

#[test]
fn every_example_does_what_it_says() {
    use Signal::{Logs, Metrics, Traces};
    let hash = "d648b243a3e817eaa3309e00e183483f2867baadf522099f0c2121770536b25a";
    let url = format!("http.url={}é{}", "u".repeat(99), "v".repeat(9));
    let (hashed, cut) = (
        format!("resource.attributes[\"user.email\"] == \"{hash}\""),
        format!("span.attributes[\"http.url\"] == \"{}...\"", "u".repeat(99)),
    );
    let hashed_body = format!("log.body == \"{hash}\"");
    let hashed_card = format!("span.attributes[\"credit_card\"] == \"{hash}\"");
    let low_id = r#","traceId":"ffffffffffffffff0000000000000001""#;
    let high_id = r#","traceId":"0000000000000000ffffffffffffffff""#;
    let slow = r#","startTimeUnixNano":"1","endTimeUnixNano":"3000000002","status":{"code":2}"#;
    let quick = r#","startTimeUnixNano":"1","endTimeUnixNano":"3000000001","status":{"code":2}"#;
    let error = r#","status":{"code":2}"#;
    let event = r#","events":[{"name":"e","attributes":[{"key":"error.message","value":{"stringValue":"no"}}]}]"#;
    let seconds =
        "span.duration > duration(\"3s\") and span.status.code == StatusCode::Error > keep()";
    let health = "span.name in [\"GET /health\", \"GET /metrics\"] or span.attributes[\"http.target\"] == \"/ready\" > drop()";
    let email = "resource.attributes[\"user.email\"] != nil > set(\n    resource.attributes[\"user.email\"],\n    SHA256(resource.attributes[\"user.email\"])\n)";
    let long = "len(span.attributes[\"http.url\"]) > 100 > set(span.attributes[\"http.url\"], truncate(span.attributes[\"http.url\"], 100, \"...\"))";
    let card = r#"matches(span.attributes["body"], "\\d{4}-\\d{4}-\\d{4}-\\d{4}") > set(span.attributes["body"], replace_pattern(span.attributes["body"], "\\d{4}-\\d{4}-\\d{4}-\\d{4}", "****-****-****-****"))"#;
    let slo = "set(span.status.code, ERROR)\nset(span.status.message, \"SLO_BREACH\")\nwhere duration > 3000  # > 3s";
    let alert = "set(metric.attributes[\"alert\"], \"high_cpu\")\nwhere metric.name == \"http.server.duration\"\n  and value > 90.0";
    let first = "span.events[0].attributes[\"error.message\"] != nil > set(span.attributes[\"first_error\"], span.events[0].attributes[\"error.message\"])";
    let sampler = "TraceIDRatioBasedSampler(trace_id.trace_id, 0.1) > route(\"sampled_exporter\")";
    let kept_keys =
        "metric.name == 'http.server.duration' > keep_keys(metric.attributes, ['cluster', 'node'])";
    let cases: &[Case<'_>] = &[
        (
            "span.status.code == StatusCode::Error > keep()",
            Traces,
            "",
            "",
            error,
            "keep",
        ),
        (
            "span.status.code == StatusCode::Error > keep()",
            Traces,
            "",
            "",
            "",
            "on",
        ),
        (
            "span.status == Error > keep()",
            Traces,
            "",
            "",
            error,
            "keep",
        ),
        (
            "resource.attributes[\"deployment.environment\"] == \"test\" > drop()",
            Traces,
            "deployment.environment=test",
            "",
            "",
            "drop",
        ),
        (
            "resource.attributes[\"deployment.environment\"] == \"test\" > drop()",
            Metrics,
            "deployment.environment=test",
            "",
            "",
            "drop",
        ),
        (
            "resource.attributes[\"deployment.environment\"] == \"test\" > drop()",
            Logs,
            "deployment.environment=prod",
            "",
            "",
            "on",
        ),
        (seconds, Traces, "", "", slow, "keep"),
        (seconds, Traces, "", "", quick, "on"),
        (health, Traces, "", "http.target=/ready", "", "drop"),
        (health, Traces, "", "http.target=/", "", "on"),
        (
            "true > set(span.attributes[\"service.name\"], \"new-service-name\")",
            Traces,
            "",
            "",
            "",
            "span.attributes[\"service.name\"] == \"new-service-name\"",
        ),
        (
            "true > delete_key(span.attributes, \"internal.debug.info\")",
            Traces,
            "",
            "internal.debug.info=1",
            "",
            "span.attributes[\"internal.debug.info\"] == nil",
        ),
        (
            "true > set(span.attributes[\"http.status_code\"], span.attributes[\"http.response.status_code\"])",
            Traces,
            "",
            "http.response.status_code=503",
            "",
            "span.attributes[\"http.status_code\"] == 503",
        ),
        (
            "span.attributes[\"http.status_code\"] >= 500 > set(span.status.code, StatusCode::Error)",
            Traces,
            "",
            "http.status_code=500",
            "",
            "span.status.code == 2",
        ),
        (
            "span.attributes[\"http.status_code\"] >= 500 > set(span.status.code, StatusCode::Error)",
            Traces,
            "",
            "http.status_code=499",
            "",
            "span.status.code == 0",
        ),
        (email, Traces, "user.email=a@b.c", "", "", &hashed),
        (long, Traces, "", &url, "", &cut),
        (
            card,
            Traces,
            "",
            "body=x1234-1234-1234-1234y",
            "",
            "span.attributes[\"body\"] == \"x****-****-****-****y\"",
        ),
        (
            "resource.attributes[\"deployment.environment\"] == \"prod\" > route(\"prod_exporter\")",
            Logs,
            "deployment.environment=prod",
            "",
            "",
            "route prod_exporter",
        ),
        (
            "env == \"prod\" > route(\"prod_queue\")",
            Logs,
            "env=prod",
            "",
            "",
            "route prod_queue",
        ),
        (
            "env == \"prod\" > route(\"prod_queue\")",
            Metrics,
            "env=test",
            "env=prod",
            "",
            "route prod_queue",
        ),
        (
            "env == \"prod\" > route(\"prod_queue\")",
            Traces,
            "env=prod",
            "env=test",
            "",
            "on",
        ),
        (
            "span.attributes[\"service.name\"] in [\"payment\", \"billing\"] > route(\"financial_queue\")",
            Traces,
            "",
            "service.name=billing",
            "",
            "route financial_queue",
        ),
        (sampler, Traces, "", "", low_id, "route sampled_exporter"),
        (sampler, Traces, "", "", high_id, "on"),
        (
            "resource.attributes['tenant'] == 'A' > route('kafka-topic-a')",
            Metrics,
            "tenant=A",
            "",
            "",
            "route kafka-topic-a",
        ),
        (
            kept_keys,
            Metrics,
            "",
            "cluster=a node=b pod=c",
            "",
            "datapoint.attributes[\"pod\"] == nil and datapoint.attributes[\"node\"] == \"b\"",
        ),
        (
            "set(body, SHA256(body)) where resource.attributes[\"env\"] == \"prod\"",
            Logs,
            "env=prod",
            "",
            ",\"body\":{\"stringValue\":\"a@b.c\"}",
            &hashed_body,
        ),
        (
            "set(span.attributes[\"credit_card\"], SHA256(span.attributes[\"credit_card\"]))\nwhere resource.attributes[\"env\"] == \"prod\"",
            Traces,
            "env=prod",
            "credit_card=a@b.c",
            "",
            &hashed_card,
        ),
        (
            slo,
            Traces,
            "",
            "",
            slow,
            "span.status.message == \"SLO_BREACH\" and span.status.code == 2",
        ),
        (slo, Traces, "", "", quick, "span.status.message == \"\""),
        (
            "route(exporter.kafka_tenant_a)\nwhere resource.attributes[\"tenant\"] == \"A\"",
            Traces,
            "tenant=A",
            "",
            "",
            "route exporter.kafka_tenant_a",
        ),
        (
            "keep_keys(metric.attributes, [\"cluster\", \"node\", \"namespace\"])",
            Metrics,
            "",
            "node=b pod=c",
            "",
            "datapoint.attributes[\"pod\"] == nil and datapoint.attributes[\"node\"] == \"b\"",
        ),
        (
            alert,
            Metrics,
            "",
            "",
            ",\"asInt\":\"91\"",
            "datapoint.attributes[\"alert\"] == \"high_cpu\"",
        ),
        (
            alert,
            Metrics,
            "",
            "",
            ",\"asDouble\":90.0",
            "datapoint.attributes[\"alert\"] == nil",
        ),
        (
            first,
            Traces,
            "",
            "",
            event,
            "span.attributes[\"first_error\"] == \"no\"",
        ),
        (
            first,
            Traces,
            "",
            "",
            "",
            "span.attributes[\"first_error\"] == nil",
        ),
        // What the examples leave out.
        (
            "resource.attributes.service.name == 'a' && !(name == 'x') > drop()",
            Traces,
            "service.name=a",
            "",
            "",
            "drop",
        ),
        (
            "resource.attr.env not in ['a', 'b'] > drop()",
            Logs,
            "env=a",
            "",
            "",
            "on",
        ),
        (
            "log.severity == 'WARN' || severity >= SeverityNumber::Error > drop()",
            Logs,
            "",
            "",
            ",\"severityNumber\":17",
            "drop",
        ),
        (
            "true > convert(span.attributes['n'], 'string')",
            Traces,
            "",
            "n=5",
            "",
            "span.attributes[\"n\"] == \"5\"",
        ),
        (
            "true > delete(span.attributes.n)",
            Traces,
            "",
            "n=5",
            "",
            "span.attributes[\"n\"] == nil",
        ),
        (
            "true > limit(attributes, 1, ['b'])",
            Traces,
            "",
            "a=1 b=2",
            "",
            "span.attributes[\"a\"] == nil and span.attributes[\"b\"] == 2",
        ),
        (
            "limit(attributes, 1)",
            Logs,
            "",
            "a=1 b=2",
            "",
            "log.attributes[\"b\"] == nil and log.attributes[\"a\"] == 1",
        ),
        (
            "metric.data_points[0].value == 4 > set(metric.unit, 'four')",
            Metrics,
            "",
            "",
            ",\"asInt\":\"4\"",
            "metric.unit == \"four\"",
        ),
        (
            "spanevent.name == 'e' > drop('noise')",
            Traces,
            "",
            "",
            event,
            "drop",
        ),
        (
            "set(span.name, 'a') where false",
            Traces,
            "",
            "",
            "",
            "span.name == \"GET /cart\"",
        ),
        (
            "name == 'GET /cart' > keep()\n# no more\ntrue > drop()",
            Traces,
            "",
            "",
            "",
            "keep",
        ),
        (
            "set(attributes['a'], 1)\n\nset(attributes['b'], 2) where false",
            Logs,
            "",
            "",
            "",
            "log.attributes[\"a\"] == 1 and log.attributes[\"b\"] == nil",
        ),
        (
            "set(span.attributes['a'], 1), set(span.attributes['b'], 2) where false",
            Traces,
            "",
            "",
            "",
            "span.attributes[\"a\"] == nil",
        ),
        (
            "'>' == \"a > drop()\"\n  or env == 'it\\'s' > drop()",
            Traces,
            "",
            "env=it's",
            "",
            "drop",
        ),
    ];
    for (rule, signal, resource, items, rest, wanted) in cases {
        let rules = compiled(rule).unwrap_or_else(|error| panic!("{rule}\n{error}"));
        let mut batch = batch(*signal, &attributes(resource), &attributes(items), rest);
        let data = batch.open().unwrap();
        let decides = wanted.split(' ').next().unwrap();
        let got = match decides {
            "keep" | "drop" | "route" | "on" => outcome(&rules, *signal, data, ""),
            probe if probe.contains('.') => match outcome(&rules, *signal, data, wanted).as_str() {
                "true" => (*wanted).to_owned(),
                other => other.to_owned(),
            },
            other => panic!("{other}"),
        };
        assert_eq!(got, *wanted, "{rule}");
        Batch::from_protobuf(*signal, batch.to_protobuf())
            .unwrap()
            .validate()
            .unwrap();
    }
}

#[test]
fn what_is_wrong_is_refused_with_its_reason() {
    let cases = [
        (
            "metric.value > 3 * stddev(metric.value) > set(metric.attributes['alert'], 'anomaly')",
            "\"stddev\" looks at a window",
        ),
        (
            "name == 'a' > set(span.name, 'b') where kind == 1",
            "can be read in two ways",
        ),
        (
            "set(span.name, 'b') where duration > drop()",
            "can be read in two ways",
        ),
        ("true > dorp()", "did you mean `drop`?"),
        ("true > len(name)", "(expected"),
        ("span.nme == 'a' > drop()", "did you mean `span.name`?"),
        (
            "span.status.code == StatusCode::Eror > drop()",
            "STATUS_CODE_ERROR",
        ),
        (
            "span.name == 'a' > keep(), drop()",
            "keep() has decided already",
        ),
        (
            "spanevent.name == 'a' > keep()",
            "does not apply to rows of the context \"spanevent\"",
        ),
        ("body == 'a' > set(duration, 1)", "there is no signal"),
        (
            "span.name == 'a' and log.body == 'b' > drop()",
            "there is no signal",
        ),
        ("span.name == 'a > drop()", "the string is not closed"),
        (
            "true > convert(span.name, 'text')",
            "convert takes a path and",
        ),
        ("true > route(5)", "route takes the name"),
        ("span.name == 'a'", "unexpected"),
    ];
    for (rule, wanted) in cases {
        let error = compiled(rule).unwrap_err().to_string();
        assert!(error.contains(wanted), "{rule}\n{error}");
        assert!(error.contains('^'), "{rule}\n{error}");
    }
}

#[test]
fn entries_run_by_priority_and_keep_their_names() {
    let entry = |name: &str, priority, condition: Option<&str>, text: &str| Entry {
        name: (!name.is_empty()).then(|| name.to_owned()),
        condition: condition.map(str::to_owned),
        text: text.to_owned(),
        priority,
    };
    let entries = [
        entry("", 0, None, "true > drop()"),
        entry("kept", 5, Some("name == 'GET /cart' or false"), "keep()"),
        entry(
            "last",
            -1,
            None,
            "set(span.name, 'a')\n\nset(span.name, 'b')",
        ),
    ];
    let rules = compile(&entries, &[Signal::Traces], false, 0).unwrap();
    let names: Vec<String> = rules
        .of(Signal::Traces)
        .iter()
        .map(|rule| rule.name.to_string())
        .collect();
    assert_eq!(names, ["kept", "1", "last 1", "last 2"]);
    let mut batch = batch(Signal::Traces, "", "", "");
    let data = batch.open().unwrap();
    assert_eq!(outcome(&rules, Signal::Traces, data, ""), "keep");
    // A condition cannot reach into its action.
    let entries = [entry("x", 0, Some("name == 'a' > drop()"), "keep()")];
    assert!(compile(&entries, &[Signal::Traces], false, 0).is_err());
}
