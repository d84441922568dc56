//! The processor and the connector `rules`, seen from outside: what rules drop, keep and change on
//! each signal, where they send it, where drops are counted, and what failing rules do.

use std::collections::BTreeMap;

use trunkline_tests::{
    Backend, Runtime, Signal, both_runtimes, config::Relay, eventually, otlp, status,
};

use crate::{
    filter::{left, request},
    routing,
};

const SIGNALS: [Signal; 4] = [
    Signal::Traces,
    Signal::Metrics,
    Signal::Logs,
    Signal::Profiles,
];

/// What is left of the request of a signal, and how many items each reason took.
async fn apply(runtime: Runtime, signal: Signal, block: &str, reasons: &[(&str, f64)]) -> String {
    let relay = Relay::start(runtime, |config| {
        config.signals(&SIGNALS).processor("rules/x", block)
    })
    .await;
    let body = request(signal);
    let items = otlp::count(signal, &body) as f64;
    relay.client().await.export(signal, &body).await.ok();
    let recorded = relay.backend.recorded();
    let (found, rest) = match recorded.first() {
        Some(request) => (
            left(signal, &request.body),
            otlp::count(signal, &request.body) as f64,
        ),
        None => (String::new(), 0.0),
    };
    eventually("the ledger to balance", async || {
        let page = relay.gateway.metrics().await;
        let sum = |name: &str, more: &[(&str, &str)]| {
            let own = [("pipeline", signal.name())];
            let labels: Vec<_> = own.iter().chain(more).copied().collect();
            page.sum(&format!("trunkline_pipeline_{name}_items"), &labels)
        };
        let told = reasons
            .iter()
            .all(|(reason, n)| sum("dropped", &[("reason", *reason)]) == *n);
        let terms = (sum("received", &[]), sum("sent", &[]), sum("dropped", &[]));
        (told && terms == (items, rest, items - rest) && sum("held", &[]) == 0.0).then_some(())
    })
    .await;
    found
}

/// A configuration of the connector, what each pipeline gets of the request of a signal, and how
/// many items each reason took.
type Case<'a> = (
    Signal,
    &'a str,
    &'a [(&'a str, &'a str)],
    &'a [(&'a str, f64)],
);

async fn route(runtime: Runtime, cases: &[Case<'_>]) {
    for (signal, block, expected, reasons) in cases {
        let backend = Backend::grpc();
        let (gateway, client) =
            routing::start(runtime, *signal, "rules", block, [&backend; 3]).await;
        routing::send(&client, *signal).await.ok();
        let recorded = backend.recorded();
        let got: BTreeMap<&str, String> = recorded
            .iter()
            .map(|request| {
                (
                    request.header("x-pipeline").unwrap(),
                    left(*signal, &request.body),
                )
            })
            .collect();
        let expected: BTreeMap<&str, String> = expected
            .iter()
            .map(|(name, left)| (*name, (*left).to_owned()))
            .collect();
        assert_eq!(got, expected, "{block}");
        assert_eq!(recorded.len(), expected.len(), "{block}");
        let [received, sent, refused, dropped, held] = routing::terms(&gateway, "rules").await;
        assert_eq!((received, refused, held), (4.0, 0.0, 0.0), "{block}");
        assert_eq!(sent + dropped, 4.0, "{block}");
        let page = gateway.metrics().await;
        let by_reason = reasons.iter().map(|(reason, items)| {
            let labels = [("pipeline", "rules"), ("reason", *reason)];
            let told = page.sum("trunkline_pipeline_dropped_items", &labels);
            assert_eq!(told, *items, "{block}: {reason}");
            told
        });
        assert_eq!(by_reason.sum::<f64>(), dropped, "{block}");
    }
}

both_runtimes! {
    // What is kept, later rules do not see; what is dropped is counted under rule or reason; what holds nothing any more goes.
    async fn rules_decide_and_change_in_order(runtime: Runtime) {
        let block = r#"{rules: "name == 'health' > keep()\nspanevent.name == 'noise' > drop()\nspan.kind in [2, 3] > drop('calls')\n\nset(span.name, 'a')"}"#;
        let found = apply(runtime, Signal::Traces, block, &[("rules/x: calls", 2.0)]).await;
        assert_eq!(found, "a: health[noise,news]; b: a");
        let block = r#"{rules: ["metric.name == 'down' > drop()", "env == 'none' > drop()"], metrics: ["value == 1 > drop()", "metric.name == 'empty' > drop()"], logs: "true > drop()"}"#;
        let found = apply(runtime, Signal::Metrics, block, &[("rules/x: 1", 1.0), ("rules/x: 3", 1.0)]).await;
        assert_eq!(found, "a: up[a] bare; b: alone[c]");
        let found = apply(runtime, Signal::Logs, block, &[("rules/x: 3", 4.0)]).await;
        assert_eq!(found, "");
        let found = apply(runtime, Signal::Traces, block, &[]).await;
        assert_eq!(found, "a: health[noise,news] GET /[noise] poll; b: alone");
        // Samples are what is counted; those of a profile that is dropped, too.
        let block = r#"{rules: ["resource.attr.service.name == 'b' > drop('b')", "span.name == 'x' > drop()"], profiles: ["profilesample.attr.k == 'v' > drop('noise')", "profile.attributes == {} and profile.original_payload_format != 'cpu' > drop()", "profile.attr.k == 'v' > set(profile.original_payload_format, profile.attr.k)"]}"#;
        let found = apply(runtime, Signal::Profiles, block, &[("rules/x: b", 1.0), ("rules/x: noise", 1.0)]).await;
        assert_eq!(found, "a: cpu v lock");
        let block = r#"{profiles: "k == 'v' > drop()\nprofile.original_payload_format == 'lock' > drop()"}"#;
        let found = apply(runtime, Signal::Profiles, block, &[("rules/x: 1", 2.0), ("rules/x: 2", 0.0)]).await;
        assert_eq!(found, "a: cpu; b: alone");
    }
    // Of rules in parts the one of higher priority comes first, whatever the order.
    async fn rules_in_parts_go_by_priority(runtime: Runtime) {
        let block = r#"{rules: [
          {name: rest, action: "drop()"},
          {name: loud, condition: "log.severity >= SeverityNumber::Error", action: "keep()", priority: 1}]}"#;
        let found = apply(runtime, Signal::Logs, block, &[("rules/x: rest", 3.0)]).await;
        assert_eq!(found, "b: alone");
    }
    // A rule that fails on an item does not match it; `propagate` refuses the request.
    async fn a_failing_rule_does_what_the_error_mode_says(runtime: Runtime) {
        for mode in ["ignore", "silent"] {
            let block = format!(r#"{{error_mode: {mode}, rules: "len(span.kind) > 0 > drop()"}}"#);
            let found = apply(runtime, Signal::Traces, &block, &[]).await;
            assert_eq!(found, "a: health[noise,news] GET /[noise] poll; b: alone");
        }
        let relay = Relay::start(runtime, |config| {
            let block = r#"{error_mode: propagate, rules: "len(span.kind) > 0 > drop()"}"#;
            config.signals(&SIGNALS).processor("rules/x", block)
        })
        .await;
        let answer = relay.client().await.export(Signal::Traces, &request(Signal::Traces)).await;
        assert_eq!(answer.code(), status::UNAVAILABLE);
        assert!(relay.backend.recorded().is_empty());
    }

    // What each of the pipelines `a`, `b` and `d` gets of the requests of `filter`; reasons and how many items each took.
    async fn items_go_where_rules_lead(runtime: Runtime) {
        use Signal::{Logs, Metrics, Profiles, Traces};
        route(runtime, &[
            // Whole resources; the rest to the default, what is kept, too; without one it is dropped.
            (Traces, r#"{rules: "resource.attr.service.name == 'a' > route('a')\nname == 'alone' > keep()", default_pipelines: [%/d]}"#,
                &[("a", "a: health[noise,news] GET /[noise] poll"), ("d", "b: alone")], &[]),
            (Traces, r#"{traces: "resource.attr.service.name == 'a' > route('a')\nname == 'alone' > keep()"}"#,
                &[("a", "a: health[noise,news] GET /[noise] poll")], &[("no_route", 1.0)]),
            // Items, by the first rule that decides; what is dropped is counted by rule.
            (Traces, r#"{rules: "kind == 3 > drop('calls')\nname == 'health' > route('a')\nspanevent.name == 'noise' > drop()\nkind == 2 > route('b')", default_pipelines: [%/d]}"#,
                &[("a", "a: health[noise,news]"), ("b", "a: GET /"), ("d", "b: alone")], &[("rules: calls", 1.0)]),
            (Metrics, r#"{metrics: "value == 0 > route('a')\nvalue == 7 > drop()", default_pipelines: [%/d]}"#,
                &[("a", "a: up[a] down[a]"), ("d", "a: up[b] bare")], &[("rules: 2", 1.0)]),
            (Metrics, r#"{rules: "resource.attr.service.name == 'b' > route('b')", default_pipelines: [%/d]}"#,
                &[("b", "b: alone[c]"), ("d", "a: up[a,b] down[a] bare")], &[]),
            (Logs, r#"{logs: "log.severity < SeverityNumber::Info > route('a')\nresource.attr.service.name == 'a' > set(body, 'changed'), route('b')", default_pipelines: [%/d]}"#,
                &[("a", "a: noise map"), ("b", "a: changed"), ("d", "b: alone")], &[]),
            (Profiles, r#"{rules: "resource.attr.service.name == 'b' > route('b')\nprofile.attr.k == 'v' > keep()", default_pipelines: [%/d]}"#,
                &[("b", "b: alone"), ("d", "a: cpu[k] alloc lock")], &[]),
            (Profiles, r#"{profiles: "profilesample.attr.k == 'v' > drop('noise')\nsample_type.type == 'samples' > route('b')\nk == 'v' > route('a')"}"#,
                &[("b", "a: cpu"), ("a", "a: alloc")], &[("rules: noise", 1.0), ("no_route", 1.0)]),
            (Profiles, r#"{profiles: "profilesample.attr.k == 'v' > set(profilesample.attr.late, profile.sample_type.type), route(exporter.a)", default_pipelines: [%/d]}"#,
                &[("a", "a: cpu[k,late]"), ("d", "a: cpu alloc lock; b: alone")], &[]),
            // All to one pipeline, or to an exporter, leaves as it came.
            (Logs, r#"{rules: "true > route('b')"}"#, &[("b", "a: noise news map; b: alone")], &[]),
            (Logs, r#"{rules: "body == 'alone' > route(exporter.b)", default_pipelines: [%/d]}"#,
                &[("b", "b: alone"), ("d", "a: noise news map")], &[]),
            // No rule for the signal.
            (Logs, r#"{traces: "true > route('a')", default_pipelines: [%/d]}"#, &[("d", "a: noise news map; b: alone")], &[]),
        ])
        .await;
    }

    // `match: all`: every route gets the item once, as it was then; what was routed is not dropped, nor the default's.
    async fn an_item_takes_the_first_route_or_all(runtime: Runtime) {
        let rules = r#"rules: "kind == 2 > route('a')\nname == 'health' > route('b')\ntrue > route('a')\nname == 'poll' > drop()""#;
        let all = "a: health[noise,news] GET /[noise] poll; b: alone";
        let first = format!("{{{rules}, default_pipelines: [%/d]}}");
        let every = format!("{{match: all, {rules}, default_pipelines: [%/d]}}");
        let edited = r#"{match: all, rules: "kind == 2 > route('a')\nresource.attr.service.name == 'a' > set(span.name, 'x')\nname == 'x' > route('b')\ntrue > drop()"}"#;
        route(runtime, &[
            (Signal::Traces, &first, &[("a", all)], &[]),
            (Signal::Traces, &every, &[("a", all), ("b", "a: health[noise,news]")], &[]),
            (Signal::Traces, edited,
                &[("a", "a: health[noise,news] GET /[noise]"), ("b", "a: x[noise,news] x[noise] x")], &[("rules: 4", 1.0)]),
        ])
        .await;
    }

    async fn a_failing_rule_of_the_connector_refuses_or_passes_over(runtime: Runtime) {
        for (mode, refused, told) in [("propagate", true, false), ("ignore", false, true), ("silent", false, false)] {
            let backend = Backend::grpc();
            let block = format!(r#"{{error_mode: {mode}, rules: "len(span.kind) > 0 > drop()\ntrue > route('a')"}}"#);
            let (gateway, client) = routing::start(runtime, Signal::Traces, "rules", &block, [&backend; 3]).await;
            let reply = routing::send(&client, Signal::Traces).await;
            assert_eq!(reply.code(), if refused { status::UNAVAILABLE } else { 0 });
            assert_eq!(backend.count(), usize::from(!refused));
            let terms = if refused { [4.0, 0.0, 4.0, 0.0, 0.0] } else { [4.0, 4.0, 0.0, 0.0, 0.0] };
            assert_eq!(routing::terms(&gateway, "rules").await, terms);
            let page = gateway.metrics().await;
            let failed = page.sum("trunkline_rule_failures", &[("rule", "1"), ("cause", "function"), ("otelcol_component_kind", "connector")]);
            assert_eq!(failed, if refused { 1.0 } else { 4.0 });
            let log = gateway.stop().await.log;
            assert_eq!(log.contains("failed to apply rule"), told, "{mode}: {log}");
        }
    }
}
