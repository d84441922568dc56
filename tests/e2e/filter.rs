//! The processor `filter`, seen from outside: what conditions and matching drop, what becomes of
//! what was around it, and where it is counted.

use serde_json::{Value, json};
use trunkline_tests::{Signal, both_runtimes, config::Relay, eventually, otlp, status};

const SIGNALS: [Signal; 4] = [
    Signal::Traces,
    Signal::Metrics,
    Signal::Logs,
    Signal::Profiles,
];

fn attributes(pairs: &[(&str, &str)]) -> Value {
    pairs
        .iter()
        .map(|(key, value)| json!({"key": key, "value": {"stringValue": value}}))
        .collect()
}

/// Two resources; the second has a single item in a scope of its own.
pub fn request(signal: Signal) -> Vec<u8> {
    let point = |value: u64, key: &str| json!({"asInt": value.to_string(), "attributes": attributes(&[("k", key)])});
    let (items, last) = match signal {
        Signal::Traces => (
            json!([
                {"name": "health", "kind": 2, "events": [{"name": "noise"}, {"name": "news"}]},
                {"name": "GET /", "kind": 2, "attributes": attributes(&[("k", "v")]), "events": [{"name": "noise"}]},
                {"name": "poll", "kind": 3}
            ]),
            json!([{"name": "alone", "kind": 1}]),
        ),
        Signal::Metrics => (
            json!([
                {"name": "up", "gauge": {"dataPoints": [point(0, "a"), point(1, "b")]}},
                {"name": "down", "sum": {"aggregationTemporality": 2, "dataPoints": [point(0, "a")]}},
                {"name": "empty", "gauge": {}},
                {"name": "bare"}
            ]),
            json!([{"name": "alone", "gauge": {"dataPoints": [point(7, "c")]}}]),
        ),
        // What a profile is called is in its payload's format here.
        Signal::Profiles => (
            json!([
                {"originalPayloadFormat": "cpu", "sampleType": {"typeStrindex": 1}, "samples": [{"stackIndex": 0}, {"stackIndex": 0, "attributeIndices": [1]}]},
                {"originalPayloadFormat": "alloc", "attributeIndices": [1], "samples": [{"stackIndex": 0}]},
                {"originalPayloadFormat": "lock", "attributeIndices": [2]}
            ]),
            json!([{"originalPayloadFormat": "alone", "samples": [{"stackIndex": 0}], "attributeIndices": [2]}]),
        ),
        Signal::Logs => (
            json!([
                {"body": {"stringValue": "noise"}, "severityNumber": 5, "severityText": "debug"},
                {"body": {"stringValue": "news"}, "severityNumber": 9, "attributes": attributes(&[("k", "v")])},
                {"body": {"kvlistValue": {"values": [{"key": "k", "value": {"intValue": "1"}}]}}}
            ]),
            json!([{"body": {"stringValue": "alone"}, "severityNumber": 17}]),
        ),
    };
    let (resources, scopes, list) = match signal {
        Signal::Traces => ("resourceSpans", "scopeSpans", "spans"),
        Signal::Metrics => ("resourceMetrics", "scopeMetrics", "metrics"),
        Signal::Logs => ("resourceLogs", "scopeLogs", "logRecords"),
        Signal::Profiles => ("resourceProfiles", "scopeProfiles", "profiles"),
    };
    let dictionary = match signal {
        Signal::Profiles => json!({
            "stringTable": ["", "samples", "k", "v", "other"],
            "attributeTable": [{}, {"keyStrindex": 2, "value": {"stringValue": "v"}}, {"keyStrindex": 4}]
        }),
        _ => Value::Null,
    };
    let mut bytes = json!({"dictionary": dictionary, resources: [
        {"resource": {"attributes": attributes(&[("service.name", "a")])}, scopes: [{"scope": {"name": "s1"}, list: items}]},
        {"resource": {"attributes": attributes(&[("service.name", "b")])}, scopes: [{"scope": {"name": "s2"}, list: last}]}
    ]})
    .to_string()
    .into_bytes();
    trunkline_proto::json::to_protobuf(signal, &mut bytes)
        .unwrap()
        .to_vec()
}

/// What is left, by name or body: `service: item[inner, …] item …; …`. Within profiles these are
/// the keys of what samples have, looked up in the dictionary.
pub fn left(signal: Signal, body: &[u8]) -> String {
    let mut text = Vec::new();
    trunkline_proto::json::from_protobuf(signal, body, &mut text).unwrap();
    let request: Value = serde_json::from_slice(&text).unwrap();
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let (resources, scopes, items) = match signal {
        Signal::Traces => ("resourceSpans", "scopeSpans", "spans"),
        Signal::Metrics => ("resourceMetrics", "scopeMetrics", "metrics"),
        Signal::Logs => ("resourceLogs", "scopeLogs", "logRecords"),
        Signal::Profiles => ("resourceProfiles", "scopeProfiles", "profiles"),
    };
    let item = |item: &Value| {
        let inner: Vec<String> = match signal {
            Signal::Traces => list(item, "events")
                .iter()
                .map(|event| event["name"].as_str().unwrap().to_owned())
                .collect(),
            Signal::Metrics => ["gauge", "sum"]
                .iter()
                .flat_map(|kind| list(&item[*kind], "dataPoints"))
                .map(|point| {
                    point["attributes"][0]["value"]["stringValue"]
                        .as_str()
                        .unwrap()
                        .to_owned()
                })
                .collect(),
            Signal::Profiles => list(item, "samples")
                .iter()
                .flat_map(|sample| list(sample, "attributeIndices"))
                .map(|index| {
                    let number = |value: &Value| value.as_u64().unwrap() as usize;
                    let attribute = &request["dictionary"]["attributeTable"][number(&index)];
                    let key =
                        &request["dictionary"]["stringTable"][number(&attribute["keyStrindex"])];
                    key.as_str().unwrap().to_owned()
                })
                .collect(),
            Signal::Logs => Vec::new(),
        };
        let name = item["name"]
            .as_str()
            .or(item["body"]["stringValue"].as_str())
            .or(item["originalPayloadFormat"].as_str())
            .unwrap_or("map");
        match inner.is_empty() {
            true => name.to_owned(),
            false => format!("{name}[{}]", inner.join(",")),
        }
    };
    let resources: Vec<String> = list(&request, resources)
        .iter()
        .map(|resource| {
            let service = resource["resource"]["attributes"][0]["value"]["stringValue"]
                .as_str()
                .unwrap_or("-");
            let names: Vec<String> = list(resource, scopes)
                .iter()
                .flat_map(|scope| list(scope, items))
                .map(|value| item(&value))
                .collect();
            format!("{service}: {}", names.join(" "))
        })
        .collect();
    resources.join("; ")
}

/// Runs configurations, each with what is left of the request of a signal; nothing: it went nowhere.
async fn cases(runtime: trunkline_tests::Runtime, cases: &[(Signal, &str, &str)]) {
    for (signal, block, expected) in cases {
        let relay = Relay::start(runtime, |config| {
            config.signals(&SIGNALS).processor("filter/x", block)
        })
        .await;
        let body = request(*signal);
        let items = otlp::count(*signal, &body) as f64;
        relay.client().await.export(*signal, &body).await.ok();
        let recorded = relay.backend.recorded();
        let (found, rest) = match recorded.first() {
            Some(request) => (
                left(*signal, &request.body),
                otlp::count(*signal, &request.body) as f64,
            ),
            None => (String::new(), 0.0),
        };
        assert_eq!(found, *expected, "{block}");
        let page = relay.gateway.metrics().await;
        let word = match signal {
            Signal::Traces => "spans",
            Signal::Metrics => "datapoints",
            Signal::Logs => "logs",
            Signal::Profiles => "profiles",
        };
        let filtered = page.sum(
            &format!("otelcol_processor_filter_{word}_filtered"),
            &[("filter", "filter/x")],
        );
        assert_eq!(filtered, items - rest, "{block}");
        eventually("the ledger to balance", async || {
            let page = relay.gateway.metrics().await;
            let term = |name: &str, more: &[(&str, &str)]| {
                let labels: Vec<(&str, &str)> = [("pipeline", signal.name())]
                    .iter()
                    .chain(more)
                    .copied()
                    .collect();
                page.sum(&format!("trunkline_pipeline_{name}_items"), &labels)
            };
            let terms = (
                term("received", &[]),
                term("sent", &[]),
                term("dropped", &[("reason", "filter/x")]),
                term("held", &[]),
            );
            (terms == (items, rest, items - rest, 0.0)).then_some(())
        })
        .await;
    }
}

both_runtimes! {
    // Conditions by signal: inferred one by one, groups with a context; what is emptied goes, a span without events stays.
    async fn conditions_drop_what_they_hold_on(runtime: Runtime) {
        cases(runtime, &[
            (Signal::Traces, r#"{trace_conditions: ['span.name == "health"', 'spanevent.name == "noise"']}"#, "a: GET / poll; b: alone"),
            (Signal::Traces, r#"{trace_conditions: ['spanevent.name == "noise"']}"#, "a: health[news] GET / poll; b: alone"),
            (Signal::Traces, r#"{trace_conditions: ['resource.attributes["service.name"] == "a"', 'scope.name == "s2"']}"#, ""),
            (Signal::Traces, r#"{trace_conditions: [{context: Span, conditions: ['kind == SPAN_KIND_SERVER', 'IsMatch(name, "^a")']}]}"#, "a: poll"),
            (Signal::Traces, r#"{trace_conditions: [{conditions: ['span.kind == 2', 'span.kind == 3']}, {conditions: ['scope.name == "s1"']}]}"#, "b: alone"),
            (Signal::Metrics, r#"{metric_conditions: ['metric.name == "up"']}"#, "a: down[a] empty bare; b: alone[c]"),
            (Signal::Metrics, r#"{metric_conditions: ['datapoint.value_int == 0']}"#, "a: up[b] bare; b: alone[c]"),
            (Signal::Metrics, r#"{metric_conditions: [{context: datapoint, conditions: ['metric.name == "alone"']}]}"#, "a: up[a,b] down[a] bare"),
            (Signal::Logs, r#"{log_conditions: ['log.severity_number < SEVERITY_NUMBER_INFO', 'log.body == "alone"']}"#, "a: news"),
            (Signal::Logs, r#"{log_conditions: ['resource.attributes["service.name"] == "b"']}"#, "a: noise news map"),
            (Signal::Logs, r#"{log_conditions: ['log.flags == 0']}"#, ""),
            (Signal::Profiles, r#"{profile_conditions: ['profile.attributes["k"] == "v"']}"#, "a: cpu[k] lock; b: alone"),
            (Signal::Profiles, r#"{profile_conditions: ['profile.sample_type.type == "samples"', 'scope.name == "s2"']}"#, "a: alloc lock"),
            (Signal::Profiles, r#"{profile_conditions: [{context: profile, conditions: ['attributes["other"] != nil or attributes == {}']}]}"#, "a: alloc lock; b: alone"),
            (Signal::Profiles, r#"{profile_conditions: ['resource.attributes["service.name"] == "a"', 'profile.duration == 0']}"#, ""),
            (Signal::Logs, r#"{trace_conditions: ['span.name == "x"']}"#, "a: noise news map; b: alone"),
        ])
        .await;
    }

    // The older lists by context, in which paths need not say theirs.
    async fn lists_by_context_still_drop(runtime: Runtime) {
        cases(runtime, &[
            (Signal::Traces, r#"{traces: {span: ['name == "health"', 'resource.attributes["service.name"] == "b"'], spanevent: ['name == "noise"']}}"#, "a: GET / poll"),
            (Signal::Traces, r#"{traces: {resource: ['attributes["service.name"] == "b"']}}"#, "a: health[noise,news] GET /[noise] poll"),
            (Signal::Metrics, r#"{metrics: {metric: ['name == "up"'], datapoint: ['value_int == 0'], resource: ['attributes["service.name"] == "x"']}}"#, "a: bare; b: alone[c]"),
            (Signal::Profiles, r#"{profiles: {profile: ['attributes["k"] == "v"'], resource: ['attributes["service.name"] == "b"']}}"#, "a: cpu[k] lock"),
            (Signal::Logs, r#"{logs: {log_record: ['body == "noise"', 'IsMap(body)'], resource: ['attributes["service.name"] == "b"']}}"#, "a: news"),
        ])
        .await;
    }

    // The oldest form.
    async fn include_and_exclude_still_match(runtime: Runtime) {
        cases(runtime, &[
            (Signal::Traces, "{spans: {include: {match_type: strict, services: [a]}, exclude: {match_type: regexp, span_names: ['^h']}}}", "a: GET /[noise] poll"),
            (Signal::Traces, "{spans: {exclude: {match_type: strict, span_kinds: [SPAN_KIND_SERVER], attributes: [{key: k, value: v}]}}}", "a: health[noise,news] poll; b: alone"),
            (Signal::Metrics, "{metrics: {include: {match_type: regexp, metric_names: ['^(up|alone)$']}, exclude: {match_type: strict, resource_attributes: [{key: service.name, value: b}]}}}", "a: up[a,b]"),
            (Signal::Metrics, "{metrics: {exclude: {match_type: strict, metric_names: [up, empty]}}}", "a: down[a] bare; b: alone[c]"),
            (Signal::Metrics, "{metrics: {include: {match_type: strict, resource_attributes: [{key: service.name, value: b}]}}}", "b: alone[c]"),
            (Signal::Logs, "{logs: {include: {match_type: strict, severity_number: {min: info, match_undefined: true}}, exclude: {match_type: regexp, bodies: ['lon']}}}", "a: news map"),
            (Signal::Logs, "{logs: {exclude: {match_type: strict, severity_texts: [debug]}, include: {match_type: strict, resource_attributes: [{key: service.name, value: a}]}}}", "a: news map"),
            (Signal::Logs, "{logs: {include: {match_type: strict, record_attributes: [{key: k, value: v}]}}}", "a: news"),
        ])
        .await;
    }

    // ignore and silent keep the item, the first says so; propagate refuses the request; a group's own mode wins.
    async fn a_failing_condition_does_what_the_error_mode_says(runtime: Runtime) {
        for (mode, own, refused, told) in [
            ("ignore", "", false, true),
            ("Silent", "", false, false),
            ("propagate", "", true, false),
            ("propagate", "error_mode: ignore, ", false, true),
        ] {
            let block = format!(r#"{{error_mode: {mode}, log_conditions: [{{{own}conditions: ['log.body["k"] == 1']}}]}}"#);
            let relay = Relay::start(runtime, |config| config.signals(&SIGNALS).processor("filter", &block)).await;
            let reply = relay.client().await.export(Signal::Logs, &request(Signal::Logs)).await;
            if refused {
                assert_eq!(reply.code(), status::UNAVAILABLE);
                let text = "failed to eval condition: log.body[\"k\"] == 1, log bodies of type Str cannot be indexed";
                assert!(reply.message().contains(text), "{}", reply.message());
                assert_eq!(relay.backend.count(), 0);
            } else {
                reply.ok();
                assert_eq!(left(Signal::Logs, &relay.backend.recorded()[0].body), "a: noise news; b: alone");
            }
            let logs = relay.gateway.stop().await.log;
            assert_eq!(logs.contains("failed to eval condition"), told, "{mode} {own}: {logs}");
        }
    }

    // What loses nothing leaves byte for byte, unknown fields and all.
    async fn a_request_that_loses_nothing_leaves_as_it_came(runtime: Runtime) {
        let block = r#"{trace_conditions: ['span.name == "no"', 'spanevent.name == "no"'], metric_conditions: ['datapoint.flags == 77'], log_conditions: ['log.body == "no"'], profile_conditions: ['profile.period == 5']}"#;
        let relay = Relay::start(runtime, |config| config.signals(&SIGNALS).processor("filter", block)).await;
        let client = relay.client().await;
        for signal in SIGNALS {
            let body = otlp::items(signal, 50);
            client.export(signal, &body).await.ok();
            assert_eq!(relay.backend.recorded().pop().unwrap().body, body, "{signal:?}");
        }
    }
}
