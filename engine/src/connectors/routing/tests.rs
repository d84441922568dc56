//! Tables that are refused, and why. What tables do is tested on the binary (`tests/e2e/routing`).
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use trunkline_ottl::run::{ErrorMode, Request};
use trunkline_proto::Signal;

use super::{
    config::{Action, Question},
    request::Header,
    table::{Route, Table},
};
use crate::{
    component::RequestContext,
    exporters::testing::{context, core, logs, scrape},
    telemetry::metrics::Statements,
};

/// What loading says of a table of one signal; nothing: it is taken.
fn told(routing: &str) -> String {
    super::super::told(&format!(
        "connectors: {{routing: {routing}}}, exporters: {{nop: }}, service: {{pipelines: {{\
         logs/in: {{receivers: [otlp], exporters: [routing]}}, \
         logs/a: {{receivers: [routing], exporters: [nop]}}, \
         traces/x: {{receivers: [otlp], exporters: [nop]}}}}}}"
    ))
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

#[test]
fn routes_by_headers_are_counted_as_others_are() {
    let core = core();
    let routes = ["acme", "other"].map(|name| {
        let header = Header::parse(&format!("request[\"x-tenant\"] == \"{name}\"")).unwrap();
        let (action, destination) = (Action::Move, 0);
        (
            Question::Header(header),
            Route {
                action,
                destination,
            },
        )
    });
    let component = Statements::new(&core, "connector", "routing", Signal::Logs);
    let table = Table::new(routes.into(), None, 1, ErrorMode::Ignore, &component);
    let headers = vec![("x-tenant".to_owned(), "acme".to_owned())];
    let context = RequestContext {
        metadata: Some(Arc::new(headers)),
        ..context()
    };
    for _ in 0..2 {
        for step in &table.steps {
            let mut batch = logs(&[("", 3)]);
            let data = batch.open().unwrap();
            let asked = table.ask(step, data, None, &Request::default(), &context);
            assert!(asked.is_ok());
        }
    }
    let page = scrape(&core);
    for (name, statement, value) in [
        ("matched_rows", 1, Some("2")),
        ("matched_rows", 2, Some("0")),
        ("failed_rows", 1, Some("0")),
        ("info", 2, Some("1")),
    ] {
        let of = format!("statement=\"{statement}\"");
        let line = page.lines().find(|line| {
            line.starts_with(&format!("trunkline_statement_{name}"))
                && line.contains("context=\"request\"")
                && line.contains(&of)
        });
        let line = line.unwrap_or_else(|| panic!("{name}: {page}"));
        assert_eq!(line.rsplit(' ').next(), value, "{line}");
    }
}
