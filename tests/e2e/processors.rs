//! Processors and connectors in a pipeline, seen from outside: what changes in
//! the data, whose fate each caller is told.

use std::collections::BTreeSet;

use prost::Message;
use trunkline_proto::otlp::{
    ExportTraceServiceRequest, common::v1::any_value::Value, trace::v1::Span,
};
use trunkline_tests::{
    Answer, Backend, Launch, Port, Recorded, Signal, both_runtimes,
    config::{Config, Relay},
    frames::{Connection, END_STREAM, Frame, SETTINGS},
    grpc,
    http::{self, Request},
    otlp,
    status::{self, Status},
};

fn spans(recorded: &Recorded) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(recorded.body.clone()).unwrap();
    let scopes = request
        .resource_spans
        .into_iter()
        .flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|pair| pair.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        other => Some(format!("{other:?}")),
    }
}

both_runtimes! {
    // attributes: actions in order, on every span; what they do not name stays, unknown fields too.
    async fn attributes_are_changed_as_told(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| {
            config.signals(&[Signal::Traces]).processor(
                "attributes",
                "{actions: [{key: copy, from_attribute: url.path, action: insert}, {key: url.path, action: delete}, \
                 {key: http.request.method, value: POST, action: update}, {key: absent, value: x, action: update}, \
                 {key: region, value: eu, action: upsert}]}",
            )
        })
        .await;
        let body = otlp::items(Signal::Traces, 20);
        relay.client().await.export(Signal::Traces, &body).await.ok();
        let recorded = &relay.backend.recorded()[0];
        let changed = spans(recorded);
        assert_eq!(changed.len(), 20);
        for span in &changed {
            assert_eq!(attribute(span, "copy").as_deref(), Some("/cart"));
            assert_eq!(attribute(span, "url.path"), None);
            assert_eq!(attribute(span, "http.request.method").as_deref(), Some("POST"));
            assert_eq!(attribute(span, "absent"), None);
            assert_eq!(attribute(span, "region").as_deref(), Some("eu"));
            assert_eq!(span.name, "GET /cart");
        }
        for (before, after) in otlp::entities(&body).into_iter().zip(otlp::entities(&recorded.body)) {
            assert_eq!(otlp::fields(after, otlp::UNKNOWN), otlp::fields(before, otlp::UNKNOWN));
            assert_eq!(otlp::fields(after, 15), otlp::fields(before, 15));
        }
        // What was deleted is gone from the bytes too.
        assert!(!recorded.body.windows(8).any(|window| window == b"url.path"));
    }

    // include_metadata: headers of the caller become attributes (from_context) over either protocol; without it they are
    // not there. The value of a header that comes more than once is joined (collector.md 2.8).
    async fn headers_become_attributes(runtime: Runtime) {
        for included in [true, false] {
            let relay = Relay::start(runtime, |config| {
                let key = format!("include_metadata: {included}");
                config.grpc(&key).http(&key).signals(&[Signal::Traces]).processor(
                    "attributes",
                    "{actions: [{key: tenant, from_context: metadata.x-tenant, action: upsert}, \
                     {key: client, from_context: client.address, action: upsert}, \
                     {key: missing, from_context: metadata.x-missing, action: upsert}]}",
                )
            })
            .await;
            let body = otlp::items(Signal::Traces, 3);
            let call = grpc::Call::export(Signal::Traces, &body).with("X-Tenant", "acme");
            relay.client().await.call(&call.with("x-tenant", "emca")).await.ok();
            for request in [Request::export(Signal::Traces, body.clone()), Request::json(Signal::Traces, crate::server_http::json_of(Signal::Traces))] {
                let request = request.with("X-Tenant", "acme").with("X-Tenant", "emca");
                assert_eq!(http::send(&relay.http, &request).await.status, 200);
            }
            let recorded = relay.backend.recorded();
            assert_eq!(recorded.len(), 3);
            for request in &recorded {
                for span in spans(request) {
                    let tenant = attribute(&span, "tenant");
                    assert_eq!(tenant.as_deref(), included.then_some("acme;emca"), "{included}");
                    assert_eq!(attribute(&span, "client").as_deref(), Some("127.0.0.1"));
                    assert_eq!(attribute(&span, "missing"), None);
                }
            }
        }
    }

    // resource: the same actions on the resource, for every signal.
    async fn resources_are_changed_as_told(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| {
            config.signals(&[Signal::Traces, Signal::Metrics, Signal::Logs]).processor(
                "resource",
                "{attributes: [{key: service.name, value: till, action: upsert}, {key: host.name, action: delete}]}",
            )
        })
        .await;
        let client = relay.client().await;
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            client.export(signal, &otlp::items(signal, 3)).await.ok();
            let body = relay.backend.recorded().pop().unwrap().body;
            let contains = |text: &[u8]| body.windows(text.len()).any(|window| window == text);
            assert!(contains(b"till") && !contains(b"checkout") && !contains(b"host.name"), "{signal:?}");
            assert_eq!(otlp::count(signal, &body), 3);
        }
    }

    // batch: requests that come together leave together, each caller is told the fate of its own items, and one alone
    // does not wait for the timeout.
    async fn a_batch_joins_requests_and_answers_each_caller(runtime: Runtime) {
        const CALLS: u64 = 24;
        let relay = Relay::start(runtime, |config| {
            config.signals(&[Signal::Traces]).processor("batch", "{timeout: 25s, send_batch_size: 100000}")
        })
        .await;
        let client = relay.client().await;
        // Far less than the timeout, or the client's patience ends first.
        client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        let mut calls = Vec::new();
        for number in 0..CALLS {
            let (client, body) = (client.clone(), otlp::numbered(Signal::Traces, 10 * number, 10));
            calls.push(tokio::spawn(async move { client.export(Signal::Traces, &body).await.code() }));
        }
        for call in calls {
            assert_eq!(call.await.unwrap(), 0);
        }
        let mut numbers: Vec<u64> =
            relay.backend.recorded()[1..].iter().flat_map(|request| otlp::span_numbers(&request.body)).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..10 * CALLS).collect::<Vec<_>>());
        relay.backend.answer_next(Answer::Status(Status::new(status::INVALID_ARGUMENT, "no")));
        let reply = client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await;
        assert_eq!(reply.code(), status::INVALID_ARGUMENT, "{}", reply.message());
    }

    // batch: small requests that one agent wrote in one go leave as few. More cores share them out, each joins its own.
    async fn requests_of_one_agent_leave_joined(runtime: Runtime) {
        const CALLS: u32 = 10;
        for (cores, at_most) in [("1", 1), ("2", 6)] {
            let (backend, grpc, http) = (Backend::grpc(), Port::free(), Port::free());
            let config = Config::new(&grpc, &http)
                .grpc_to(&backend, &[])
                .signals(&[Signal::Traces])
                .processor("batch", "{timeout: 25s, send_batch_size: 100000}");
            let _gateway = config.launch(runtime).arg("--cores").arg(cores).start().await;
            let mut agent = Connection::open(&grpc).await;
            // Settings are exchanged before it begins.
            agent.read_until(|frame| frame.kind == SETTINGS && frame.flags & END_STREAM != 0).await;
            for round in 0..3 {
                let before = backend.count();
                let streams: Vec<u32> = (0..CALLS).map(|n| 2 * (round * CALLS + n) + 1).collect();
                let frames = streams.iter().flat_map(|&stream| {
                    let body = otlp::numbered(Signal::Traces, u64::from(stream) * 10, 10);
                    [Frame::call(stream, Signal::Traces), Frame::data(stream, grpc::framed(&body, false), true)]
                });
                agent.write(&frames.collect::<Vec<_>>()).await;
                let mut open = streams.clone();
                while !open.is_empty() {
                    let ended = agent.read_until(Frame::ends).await.stream;
                    open.retain(|&stream| stream != ended);
                }
                let joined = &backend.recorded()[before..];
                let numbers: BTreeSet<u64> = joined.iter().flat_map(|request| otlp::span_numbers(&request.body)).collect();
                assert_eq!(numbers.len(), 10 * streams.len());
                assert!(joined.len() <= at_most, "{cores} cores, round {round}: {} requests", joined.len());
            }
        }
    }

    // batch: one request of several that was broken inside is refused, all others arrive, each item is counted once.
    async fn a_broken_request_takes_no_other_of_its_batch_down(runtime: Runtime) {
        const CALLS: u32 = 10;
        let (backend, grpc, http) = (Backend::grpc(), Port::free(), Port::free());
        let config = Config::new(&grpc, &http)
            .grpc_to(&backend, &[])
            .signals(&[Signal::Traces])
            .processor("batch", "{timeout: 25s, send_batch_size: 100000}");
        let gateway = config.launch(runtime).arg("--cores").arg("1").start().await;
        let mut agent = Connection::open(&grpc).await;
        agent.read_until(|frame| frame.kind == SETTINGS && frame.flags & END_STREAM != 0).await;
        // What a destination says that reads everything.
        backend.answer_next(Answer::Status(Status::new(status::INTERNAL, "error unmarshalling request")));
        let mut open: Vec<u32> = (0..CALLS).map(|n| 2 * n + 1).collect();
        let frames = open.iter().flat_map(|&stream| {
            // In the fourth the name of the span would end beyond it.
            let body = match stream {
                7 => bytes::Bytes::from_static(&[0x0a, 6, 0x12, 4, 0x12, 2, 0x2a, 5]),
                _ => otlp::numbered(Signal::Traces, u64::from(stream) * 10, 10),
            };
            [Frame::call(stream, Signal::Traces), Frame::data(stream, grpc::framed(&body, false), true)]
        });
        agent.write(&frames.collect::<Vec<_>>()).await;
        while !open.is_empty() {
            let ended = agent.read_until(Frame::ends).await.stream;
            open.retain(|&stream| stream != ended);
        }
        let recorded = backend.recorded();
        let [refused, taken] = recorded.as_slice() else { panic!("{} requests", recorded.len()) };
        let numbers = otlp::span_numbers(&taken.body);
        assert_eq!(numbers.len(), 90);
        assert_eq!(refused.body.len(), taken.body.len() + 8);
        let page = gateway.metrics().await;
        let term = |name: &str| page.sum(&format!("trunkline_pipeline_{name}_items"), &[("pipeline", "traces")]);
        assert_eq!((term("received"), term("sent"), term("refused"), term("held")), (91.0, 90.0, 1.0, 0.0));
    }

    // batch: send_batch_max_size splits at item boundaries; nothing is lost or doubled.
    async fn a_batch_splits_what_is_too_large(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| {
            config.signals(&[Signal::Traces, Signal::Metrics, Signal::Logs]).processor("batch", "{send_batch_size: 10, send_batch_max_size: 10}")
        })
        .await;
        let client = relay.client().await;
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            let before = relay.backend.count();
            client.export(signal, &otlp::items(signal, 35)).await.ok();
            let recorded = relay.backend.recorded();
            let counts: Vec<u64> = recorded[before..].iter().map(|request| otlp::count(signal, &request.body)).collect();
            assert_eq!((counts.iter().sum::<u64>(), counts.iter().max()), (35, Some(&10)), "{signal:?}: {counts:?}");
        }
    }

    // forward: one pipeline into another, with the outcome of the second.
    async fn forward_joins_two_pipelines(runtime: Runtime) {
        let (backend, grpc) = (Backend::grpc(), Port::free());
        let yaml = format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{grpc}'}}}}}}}}
processors: {{attributes: {{actions: [{{key: region, value: eu, action: insert}}]}}}}
connectors: {{forward: {{}}}}
exporters: {{otlp_grpc: {{endpoint: '{}', tls: {{insecure: true}}, compression: none, sending_queue: {{enabled: false}}}}}}
service:
  pipelines:
    traces/in: {{receivers: [otlp], exporters: [forward]}}
    traces/out: {{receivers: [forward], processors: [attributes], exporters: [otlp_grpc]}}
",
            backend.address()
        );
        let gateway = Launch::new(runtime, &yaml).start().await;
        let client = grpc::Client::connect(&grpc).await;
        client.export(Signal::Traces, &otlp::items(Signal::Traces, 3)).await.ok();
        assert!(spans(&backend.recorded()[0]).iter().all(|span| attribute(span, "region").as_deref() == Some("eu")));
        backend.answer_next(Answer::Status(Status::new(status::PERMISSION_DENIED, "no")));
        let reply = client.export(Signal::Traces, &otlp::items(Signal::Traces, 3)).await;
        assert_eq!(reply.code(), status::PERMISSION_DENIED, "{}", reply.message());
        assert_eq!(gateway.stop().await.code(), 0);
    }
}
