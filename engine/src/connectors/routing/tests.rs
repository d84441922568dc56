//! Tables that are refused, and why. What tables do is tested on the binary (`tests/e2e/routing`).
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::config::{Load, Settings};

/// What loading says of a table of one signal; nothing: it is taken.
fn told(routing: &str) -> String {
    let yaml = format!(
        "yaml:{{receivers: {{otlp: {{protocols: {{grpc: }}}}}}, exporters: {{nop: }}, \
         connectors: {{routing: {routing}}}, service: {{pipelines: {{\
         logs/in: {{receivers: [otlp], exporters: [routing]}}, \
         logs/a: {{receivers: [routing], exporters: [nop]}}, \
         traces/x: {{receivers: [otlp], exporters: [nop]}}}}}}}}"
    );
    let load = Load {
        configs: vec![yaml],
        ..Load::default()
    };
    match Settings::load(&load) {
        Ok(_) => String::new(),
        Err(errors) => errors.text(true),
    }
}

#[test]
fn tables_that_cannot_be_are_refused() {
    for (routing, expected) in [
        ("{}", "invalid routing table: the routing table is empty"),
        (
            "{table: [{pipelines: [logs/a]}]}",
            "invalid route: no condition or statement provided",
        ),
        (
            "{table: [{condition: 'true == true', statement: 'route()', pipelines: [logs/a]}]}",
            "invalid route: both condition and statement provided",
        ),
        (
            "{table: [{condition: 'attributes[\"a\"] == 1'}]}",
            "invalid route: no pipelines defined",
        ),
        (
            "{table: [{context: scope, condition: 'name == \"a\"', pipelines: [logs/a]}]}",
            "invalid context: scope",
        ),
        (
            "{table: [{context: request, statement: 'route()', pipelines: [logs/a]}]}",
            "\"request\" context requires a 'condition'",
        ),
        (
            "{table: [{context: request, condition: 'request[\"a\"] > \"b\"', pipelines: [logs/a]}]}",
            "condition does not contain a valid comparator",
        ),
        (
            "{table: [{condition: 'log.nothing == 1', pipelines: [logs/a]}]}",
            "segment \"nothing\" from path \"log.nothing\" is not a valid path",
        ),
        (
            "{table: [{statement: 'set(log.body, 1)', pipelines: [logs/a]}]}",
            "undefined function \"set\"",
        ),
        (
            "{table: [{condition: 'attributes[\"a\"] == 1', action: drop, pipelines: [logs/a]}]}",
            "invalid action: drop",
        ),
        (
            "{table: [{condition: 'attributes[\"a\"] == 1', pipelines: [logs/b]}]}",
            "pipeline not found: missing consumer: \"logs/b\"",
        ),
        (
            "{default_pipelines: [traces/x], table: [{condition: 'attributes[\"a\"] == 1', pipelines: [logs/a]}]}",
            "pipeline not found: missing consumer: \"traces/x\"",
        ),
        (
            "{table: [{condition: 'attributes[\"a\"] == 1', pipelines: [nosignal]}]}",
            "unknown pipeline signal",
        ),
        (
            "{table: [{condition: 'attributes[\"a\"] == 1', pipelines: [logs/a]}]}",
            "",
        ),
        (
            "{table: [{condition: 'IsMatch(log.body, \"x\")', action: copy, pipelines: [logs/a]}]}",
            "",
        ),
    ] {
        let told = told(routing);
        assert_eq!(told.is_empty(), expected.is_empty(), "{routing}: {told}");
        assert!(told.contains(expected), "{routing}: {told}");
    }
}
