//! The connector `routing`, seen from outside: which pipeline gets what, what the sender is told,
//! and that nothing is lost unsaid.

use std::collections::BTreeMap;

use prost::Message;
use trunkline_tests::{
    Answer, Backend, Gateway, Launch, Port, Runtime, Signal, both_runtimes, eventually,
    grpc::{Call, Client, Reply},
    otlp,
    status::{self, ExportResponse, Status},
};

use crate::filter::{left, request};

const NAMES: [&str; 3] = ["a", "b", "d"];

/// A gateway with the pipelines `a`, `b` and `d` behind the connector, each with an exporter to
/// the backend of its name. `%` in the block stands for the signal.
pub async fn start(
    runtime: Runtime,
    signal: Signal,
    connector: &str,
    block: &str,
    backends: [&Backend; 3],
) -> (Gateway, Client) {
    let port = Port::free();
    let signal = signal.name();
    let mut exporters = Vec::new();
    let mut pipelines = vec![format!(
        "{signal}/in: {{receivers: [otlp], exporters: [{connector}]}}"
    )];
    for (name, backend) in NAMES.iter().zip(backends) {
        exporters.push(format!(
            "otlp_grpc/{name}: {{endpoint: '{}', tls: {{insecure: true}}, compression: none, headers: {{x-pipeline: {name}}}, \
             sending_queue: {{enabled: false}}, retry_on_failure: {{enabled: false}}}}",
            backend.address()
        ));
        pipelines.push(format!(
            "{signal}/{name}: {{receivers: [{connector}], exporters: [otlp_grpc/{name}]}}"
        ));
    }
    let yaml = format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '{}', include_metadata: true}}}}}}}}\n\
         connectors: {{{connector}: {}}}\nexporters: {{{}}}\nservice: {{pipelines: {{{}}}}}\n",
        port.address(),
        block.replace('%', signal),
        exporters.join(", "),
        pipelines.join(", ")
    );
    let launch = Launch::new(runtime, &yaml).arg("--feature-gates");
    let gateway = launch.arg("service.profilesSupport").start().await;
    let client = Client::connect(&port).await;
    (gateway, client)
}

pub async fn send(client: &Client, signal: Signal) -> Reply {
    let call = Call::export(signal, &request(signal)).with("x-tenant", "acme");
    client.call(&call).await
}

/// The terms of the connector in the ledger: received, sent, refused, dropped, held.
pub async fn terms(gateway: &Gateway, connector: &str) -> [f64; 5] {
    let page = gateway.metrics().await;
    ["received", "sent", "refused", "dropped", "held"].map(|term| {
        page.sum(
            &format!("trunkline_pipeline_{term}_items"),
            &[("pipeline", connector)],
        )
    })
}

both_runtimes! {
    // Tables, and what each pipeline gets of the same requests as in `filter`: `pipeline: what is left`.
    async fn each_pipeline_gets_what_its_routes_take(runtime: Runtime) {
        use Signal::{Logs, Metrics, Profiles, Traces};
        let (spans_a, spans_b) = ("a: health[noise,news] GET /[noise] poll", "b: alone");
        for (signal, block, expected) in [
            // A resource goes with all that is in it; the rest to the default.
            (Traces, r#"{default_pipelines: [%/d], table: [{condition: 'resource.attributes["service.name"] == "a"', pipelines: [%/a]}]}"#,
                vec![("a", spans_a), ("d", spans_b)]),
            // Without a default the rest is dropped.
            (Traces, r#"{table: [{condition: 'resource.attributes["service.name"] == "a"', pipelines: [%/a]}]}"#, vec![("a", spans_a)]),
            (Traces, r#"{table: [{condition: 'resource.attributes["service.name"] == "x"', pipelines: [%/a]}]}"#, vec![]),
            // A path without a context is one of resources, also where none is named.
            (Traces, r#"{table: [{condition: 'attributes["service.name"] == "b"', pipelines: [%/b]}, {context: resource, condition: 'attributes["service.name"] != nil', pipelines: [%/a]}]}"#,
                vec![("a", spans_a), ("b", spans_b)]),
            // Many on one attribute: the first that holds has the resource, whatever the others ask.
            (Traces, r#"{default_pipelines: [%/d], table: [{condition: 'resource.attributes["service.name"] == "x"', pipelines: [%/d]}, {condition: 'resource.attributes["service.name"] == "b" and resource.attributes["service.name"] == "x"', pipelines: [%/d]}, {condition: 'IsMatch(resource.attributes["service.name"], "^x")', pipelines: [%/d]}, {condition: 'resource.attributes["service.name"] == "a" or resource.attributes["service.name"] == "y"', pipelines: [%/a]}, {condition: 'resource.attributes["service.name"] != nil', pipelines: [%/b]}, {condition: '"b" == resource.attributes["service.name"]', pipelines: [%/a]}, {condition: 'resource.attributes["service.name"] == "a"', pipelines: [%/b]}]}"#,
                vec![("a", spans_a), ("b", spans_b)]),
            // What is asked of the request comes in its turn.
            (Traces, r#"{table: [{condition: 'resource.attributes["service.name"] == "b"', pipelines: [%/b]}, {context: request, condition: 'request["X-Tenant"] == "acme"', pipelines: [%/a]}, {condition: 'resource.attributes["service.name"] == "a"', pipelines: [%/d]}]}"#,
                vec![("a", spans_a), ("b", spans_b)]),
            // How many points a metric has depends on what earlier routes took of it.
            (Metrics, r#"{default_pipelines: [%/d], table: [{condition: 'datapoint.value_int == 0', pipelines: [%/a]}, {condition: 'datapoint.value_int != 0 and Len(metric.data_points) == 1', pipelines: [%/b]}]}"#,
                vec![("a", "a: up[a] down[a]"), ("b", "a: up[b]; b: alone[c]"), ("d", "a: bare")]),
            // What a route took later ones do not see.
            (Traces, r#"{table: [{condition: 'resource.attributes["service.name"] != nil', pipelines: [%/a]}, {condition: 'resource.attributes["service.name"] == "b"', pipelines: [%/b]}]}"#,
                vec![("a", "a: health[noise,news] GET /[noise] poll; b: alone")]),
            // Unless it took a copy; what only copies were taken of goes to the default as well.
            (Traces, r#"{default_pipelines: [%/d], table: [{condition: 'resource.attributes["service.name"] == "b"', pipelines: [%/a], action: copy}, {condition: 'resource.attributes["service.name"] == "b"', context: span, pipelines: [%/b]}]}"#,
                vec![("a", spans_b), ("b", spans_b), ("d", spans_a)]),
            (Traces, r#"{default_pipelines: [%/d], table: [{context: otelcol, condition: 'true == true', pipelines: [%/a], action: copy}]}"#,
                vec![("a", "a: health[noise,news] GET /[noise] poll; b: alone"), ("d", "a: health[noise,news] GET /[noise] poll; b: alone")]),
            // Several pipelines of a route each get it.
            (Traces, r#"{table: [{condition: 'resource.attributes["service.name"] == "b"', pipelines: [%/a, %/b]}]}"#, vec![("a", spans_b), ("b", spans_b)]),
            // A statement changes what it takes.
            (Traces, r#"{default_pipelines: [%/d], table: [{statement: 'delete_key(resource.attributes, "service.name") where resource.attributes["service.name"] == "b"', pipelines: [%/a]}]}"#,
                vec![("a", "-: alone"), ("d", spans_a)]),
            (Traces, r#"{table: [{statement: 'route() where resource.attributes["service.name"] == "b"', pipelines: [%/b]}]}"#, vec![("b", spans_b)]),
            // Items, and what is around them.
            (Traces, r#"{default_pipelines: [%/d], table: [{condition: 'span.kind == SPAN_KIND_SERVER', pipelines: [%/a]}, {context: span, condition: 'IsMatch(name, "o")', pipelines: [%/b]}]}"#,
                vec![("a", "a: health[noise,news] GET /[noise]"), ("b", "a: poll; b: alone")]),
            (Metrics, r#"{default_pipelines: [%/d], table: [{condition: 'metric.name == "up"', pipelines: [%/a]}]}"#,
                vec![("a", "a: up[a,b]"), ("d", "a: down[a] empty bare; b: alone[c]")]),
            (Metrics, r#"{default_pipelines: [%/d], table: [{condition: 'datapoint.value_int == 0', pipelines: [%/a]}]}"#,
                vec![("a", "a: up[a] down[a]"), ("d", "a: up[b] bare; b: alone[c]")]),
            (Logs, r#"{default_pipelines: [%/d], table: [{condition: 'log.severity_number < SEVERITY_NUMBER_INFO', pipelines: [%/a]}, {condition: 'resource.attributes["service.name"] == "a"', pipelines: [%/b]}]}"#,
                vec![("a", "a: noise map"), ("b", "a: news"), ("d", "b: alone")]),
            // Two routes to one pipeline are one request.
            (Logs, r#"{table: [{condition: 'log.body == "alone"', pipelines: [%/a]}, {condition: 'log.body == "news"', pipelines: [%/a]}]}"#, vec![("a", "b: alone; a: news")]),
            // What is known of the request.
            (Logs, r#"{table: [{context: request, condition: 'request["X-Tenant"] == "acme"', pipelines: [%/a]}]}"#, vec![("a", "a: noise news map; b: alone")]),
            (Logs, r#"{default_pipelines: [%/d], table: [{context: request, condition: 'request["X-Tenant"] != "acme"', pipelines: [%/a]}]}"#, vec![("d", "a: noise news map; b: alone")]),
            (Logs, r#"{table: [{condition: 'otelcol.client.metadata["x-tenant"][0] == "acme"', pipelines: [%/a]}]}"#, vec![("a", "a: noise news map; b: alone")]),
            // An item on which a condition fails is not taken.
            (Logs, r#"{error_mode: silent, default_pipelines: [%/d], table: [{condition: 'log.body["k"] == 1', pipelines: [%/a]}]}"#,
                vec![("a", "a: map"), ("d", "a: noise news; b: alone")]),
            // The same route twice is one.
            (Logs, r#"{default_pipelines: [%/d], table: [{condition: 'log.body == "news"', action: copy, pipelines: [%/a]}, {context: log, condition: 'log.body == "news"', pipelines: [%/b]}]}"#,
                vec![("a", "a: news"), ("d", "a: noise news map; b: alone")]),
            // Profiles and their samples, each part with what it needs of the dictionary. A profile without samples does not
            // go with those of others.
            (Profiles, r#"{default_pipelines: [%/d], table: [{condition: 'resource.attributes["service.name"] == "b"', pipelines: [%/a]}]}"#,
                vec![("a", "b: alone"), ("d", "a: cpu[k] alloc lock")]),
            (Profiles, r#"{default_pipelines: [%/d], table: [{condition: 'profile.attributes["k"] == "v"', pipelines: [%/a]}, {context: profile, condition: 'attributes["other"] != nil or attributes == {}', pipelines: [%/b]}]}"#,
                vec![("a", "a: alloc"), ("b", "a: cpu[k]"), ("d", "a: lock; b: alone")]),
            (Profiles, r#"{table: [{condition: 'profile.sample_type.type == "samples" and scope.name == "s1"', pipelines: [%/a]}]}"#,
                vec![("a", "a: cpu[k]")]),
            (Profiles, r#"{default_pipelines: [%/d], table: [{condition: 'profilesample.attributes["k"] == "v"', pipelines: [%/a]}]}"#,
                vec![("a", "a: cpu[k]"), ("d", "a: cpu alloc lock; b: alone")]),
            (Profiles, r#"{default_pipelines: [%/d], table: [{condition: 'profilesample.link_index == 0', pipelines: [%/a]}]}"#,
                vec![("a", "a: cpu[k] alloc; b: alone"), ("d", "a: lock")]),
            (Profiles, r#"{default_pipelines: [%/d], table: [{statement: 'delete_key(profilesample.attributes, "k") where profile.sample_type.type == "samples"', pipelines: [%/a]}]}"#,
                vec![("a", "a: cpu"), ("d", "a: alloc lock; b: alone")]),
            (Profiles, r#"{default_pipelines: [%/d], table: [{context: request, condition: 'request["X-Tenant"] == "acme"', action: copy, pipelines: [%/a]}, {condition: 'otelcol.client.metadata["x-tenant"][0] == "acme" and profile.original_payload_format == "alone"', pipelines: [%/b]}]}"#,
                vec![("a", "a: cpu[k] alloc lock; b: alone"), ("b", "b: alone"), ("d", "a: cpu[k] alloc lock")]),
            // Two routes to one pipeline are one request here, too, with one dictionary.
            (Profiles, r#"{default_pipelines: [%/d], table: [{condition: 'profile.original_payload_format == "alone"', pipelines: [%/a]}, {condition: 'profilesample.attributes["k"] == "v"', pipelines: [%/a]}, {statement: 'delete_key(profilesample.attributes, "k") where profile.sample_type.type == "samples"', pipelines: [%/a]}]}"#,
                vec![("a", "b: alone; a: cpu[k]; a: cpu"), ("d", "a: alloc lock")]),
            // A context of another signal takes nothing.
            (Profiles, r#"{default_pipelines: [%/d], table: [{condition: 'metric.name == "x"', pipelines: [%/a]}]}"#, vec![("d", "a: cpu[k] alloc lock; b: alone")]),
            (Logs, r#"{default_pipelines: [%/d], table: [{condition: 'span.name == "x"', pipelines: [%/a]}]}"#, vec![("d", "a: noise news map; b: alone")]),
        ] {
            let backend = Backend::grpc();
            let (gateway, client) = start(runtime, signal, "routing", block, [&backend; 3]).await;
            send(&client, signal).await.ok();
            let got: BTreeMap<String, String> = backend
                .recorded()
                .iter()
                .map(|request| (request.header("x-pipeline").unwrap().to_owned(), left(signal, &request.body)))
                .collect();
            let expected: BTreeMap<String, String> =
                expected.into_iter().map(|(name, left)| (name.to_owned(), left.to_owned())).collect();
            assert_eq!(got, expected, "{block}");
            assert_eq!(backend.count(), expected.len(), "{block}");
            let [received, sent, refused, dropped, held] = terms(&gateway, "routing").await;
            assert_eq!((received, refused, held), (4.0, 0.0, 0.0), "{block}");
            assert_eq!(sent + dropped, 4.0, "{block}");
            // What two pipelines got alike counts once.
            let parts: BTreeMap<_, _> =
                backend.recorded().iter().map(|request| (request.body.clone(), otlp::count(signal, &request.body))).collect();
            let expected = if block.contains("default") { 0 } else { 4 - parts.values().sum::<u64>() };
            assert_eq!(dropped, expected as f64, "{block}");
        }
    }

    // propagate refuses the request; ignore says what failed.
    async fn a_failing_route_does_what_the_error_mode_says(runtime: Runtime) {
        for (mode, refused, told) in [("propagate", true, false), ("ignore", false, true), ("Silent", false, false)] {
            let backend = Backend::grpc();
            let block = format!(r#"{{error_mode: {mode}, default_pipelines: [%/d], table: [{{condition: 'log.body["k"] == 1', pipelines: [%/a]}}]}}"#);
            let (gateway, client) = start(runtime, Signal::Logs, "routing", &block, [&backend; 3]).await;
            let reply = send(&client, Signal::Logs).await;
            assert_eq!(reply.code(), if refused { status::UNAVAILABLE } else { 0 });
            assert_eq!(backend.count(), if refused { 0 } else { 2 });
            assert_eq!(terms(&gateway, "routing").await, if refused { [4.0, 0.0, 4.0, 0.0, 0.0] } else { [4.0, 4.0, 0.0, 0.0, 0.0] });
            let log = gateway.stop().await.log;
            assert_eq!(log.contains("failed to eval condition"), told, "{mode}: {log}");
        }
    }

    // The sender is told the fate of its items: those refused for good are rejected, the others were taken; where asking
    // again can help it is to ask again.
    async fn the_answer_is_that_of_all_parts(runtime: Runtime) {
        let block = r#"{default_pipelines: [%/d], table: [{condition: 'resource.attributes["service.name"] == "b"', pipelines: [%/a]}]}"#;
        let never = || Answer::Status(Status::new(status::INVALID_ARGUMENT, "no"));
        let later = || Answer::Status(Status::new(status::UNAVAILABLE, "busy"));
        let partial = || Answer::Response(ExportResponse::partial(2, "old"));
        for (a, d, code, rejected, expected) in [
            (Answer::Ok, Answer::Ok, 0, 0, [4.0, 4.0, 0.0, 0.0, 0.0]),
            (never(), Answer::Ok, 0, 1, [4.0, 3.0, 0.0, 1.0, 0.0]),
            (never(), partial(), 0, 3, [4.0, 1.0, 0.0, 3.0, 0.0]),
            (Answer::Ok, later(), status::UNAVAILABLE, 0, [4.0, 0.0, 4.0, 0.0, 0.0]),
            (never(), later(), status::UNAVAILABLE, 0, [4.0, 0.0, 4.0, 0.0, 0.0]),
            (never(), never(), status::INVALID_ARGUMENT, 0, [4.0, 0.0, 4.0, 0.0, 0.0]),
        ] {
            let (behind_a, behind_d) = (Backend::grpc(), Backend::grpc());
            let (gateway, client) = start(runtime, Signal::Traces, "routing", block, [&behind_a, &behind_a, &behind_d]).await;
            behind_a.answer_next(a);
            behind_d.answer_next(d);
            let reply = send(&client, Signal::Traces).await;
            assert_eq!(reply.code(), code);
            if code == 0 {
                let response = ExportResponse::decode(reply.response()).unwrap();
                assert_eq!(response.partial_success.map_or(0, |partial| partial.rejected), rejected);
            }
            eventually("the terms of the connector", async || (terms(&gateway, "routing").await == expected).then_some(())).await;
        }
    }
}
