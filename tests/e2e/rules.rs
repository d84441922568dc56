//! The processor `rules`, seen from outside: what rules drop, keep and change on each signal,
//! where drops are counted, and what failing rules do.

use trunkline_tests::{Runtime, Signal, both_runtimes, config::Relay, eventually, otlp, status};

use crate::filter::{left, request};

const SIGNALS: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

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
}
