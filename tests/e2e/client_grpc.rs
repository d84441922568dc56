//! The `otlp_grpc` exporter as a client: what it sends, what it tries again, and
//! what the gateway's own caller is told. Rules: OTLP specification, "OTLP/gRPC".

use std::time::Duration;

use prost::Message;
use trunkline_tests::{
    Answer, Backend, Port, Signal, both_runtimes, codec,
    grpc::Call,
    otlp,
    status::{self, ExportResponse, PartialSuccess, Status},
};

use trunkline_tests::config::Relay;

/// The codes that a client may try again (OTLP/gRPC, "Failures"); RESOURCE_EXHAUSTED needs RetryInfo.
const RETRYABLE: [u32; 6] = [1, 4, 10, 11, 14, 15];

both_runtimes! {
    // The table of retryable codes: those are tried again, all others are not, and are carried to the caller.
    async fn retryable_codes_are_tried_again_and_no_others(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let client = relay.client().await;
        let body = otlp::items(Signal::Traces, 1);
        for code in 1..=16 {
            let name = status::NAMES[code as usize];
            let before = relay.backend.count();
            relay.backend.answer_next(Answer::Status(Status::new(code, "told to")));
            let reply = client.export(Signal::Traces, &body).await;
            let attempts = relay.backend.count() - before;
            if RETRYABLE.contains(&code) {
                assert_eq!((reply.code(), attempts), (0, 2), "{name}: {}", reply.message());
            } else {
                assert_eq!((reply.code(), attempts), (code, 1), "{name}: {}", reply.message());
                assert!(reply.message().contains("told to"), "{name}: {}", reply.message());
            }
        }
    }

    // "The client SHOULD interpret RESOURCE_EXHAUSTED ... as retryable only if the server signals ... RetryInfo".
    async fn resource_exhausted_is_tried_again_only_with_retry_info(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let client = relay.client().await;
        let body = otlp::items(Signal::Traces, 1);
        let exhausted = Status::new(status::RESOURCE_EXHAUSTED, "busy");
        relay.backend.answer_next(Answer::Status(exhausted.clone().with_retry_info(Duration::from_millis(1))));
        client.export(Signal::Traces, &body).await.ok();
        assert_eq!(relay.backend.count(), 2);
        relay.backend.answer_next(Answer::Status(exhausted));
        let reply = client.export(Signal::Traces, &body).await;
        assert_eq!((reply.code(), relay.backend.count()), (status::RESOURCE_EXHAUSTED, 3));
    }

    // "The client SHOULD ... wait at least retry_delay": never earlier than the server said.
    async fn retry_info_is_waited_for(runtime: Runtime) {
        const DELAY: Duration = Duration::from_millis(700);
        let relay = Relay::start(runtime, |config| config).await;
        let busy = Status::new(status::UNAVAILABLE, "busy").with_retry_info(DELAY);
        relay.backend.answer_next(Answer::Status(busy));
        relay.client().await.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        let recorded = relay.backend.recorded();
        assert_eq!(recorded.len(), 2);
        assert!(recorded[1].at - recorded[0].at >= DELAY);
    }

    // "The client MUST NOT retry the request when it receives a partial success"; what was rejected is passed on.
    async fn a_partial_success_is_passed_on_and_never_tried_again(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let client = relay.client().await;
        for signal in Signal::ALL {
            let before = relay.backend.count();
            relay.backend.answer_next(Answer::Response(ExportResponse::partial(3, "three are too old")));
            let reply = client.export(signal, &otlp::items(signal, 10)).await;
            let partial = ExportResponse::decode(reply.ok()).unwrap().partial_success;
            let PartialSuccess { rejected, error_message } = partial.unwrap_or_else(|| panic!("{signal:?}: not passed on"));
            assert_eq!(rejected, 3, "{signal:?}");
            assert!(error_message.contains("three are too old"), "{signal:?}: {error_message}");
            assert_eq!(relay.backend.count(), before + 1, "{signal:?}");
        }
    }

    // rejected = 0 with a message is a warning about a full success.
    async fn a_warning_is_a_success(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        relay.backend.answer_next(Answer::Response(ExportResponse::partial(0, "use the new endpoint")));
        relay.client().await.export(Signal::Traces, &otlp::items(Signal::Traces, 2)).await.ok();
        assert_eq!(relay.backend.count(), 1);
        let page = relay.gateway.metrics().await;
        assert_eq!(page.sum("otelcol_exporter_sent_spans", &[]), 2.0);
    }

    // "If the client ... connection is lost before a response, SHOULD retry": at least once, never lost.
    async fn a_lost_connection_is_tried_again(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let client = relay.client().await;
        client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        relay.backend.answer_next(Answer::Disconnect);
        client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        assert_eq!(relay.backend.count(), 3);
    }

    // A backend that is not there yet: within the caller's deadline the request is tried until it is.
    async fn a_backend_that_comes_late_gets_the_request(runtime: Runtime) {
        let port = Port::free();
        let endpoint = format!("endpoint: '127.0.0.1:{port}'");
        let relay = Relay::with(runtime, Backend::grpc(), |config, backend| config.grpc_to(backend, &[&endpoint])).await;
        let client = relay.client().await;
        let body = otlp::items(Signal::Traces, 1);
        let call = Call::export(Signal::Traces, &body).with("grpc-timeout", "20S");
        let early = tokio::spawn(async move { client.call(&call).await });
        // The second caller's deadline has passed: the exporter has tried in vain by now.
        let impatient = Call::export(Signal::Traces, &body).with("grpc-timeout", "200m");
        if let Ok(reply) = relay.client().await.try_call(&impatient).await {
            assert!([status::UNAVAILABLE, status::DEADLINE_EXCEEDED].contains(&reply.code()), "{reply:?}");
        }
        let late = Backend::start(trunkline_tests::backend::Protocol::Grpc, Some(&port), None);
        early.await.unwrap().ok();
        assert!(late.recorded().iter().any(|request| request.body == body));
    }

    // Retries end with the caller's deadline, and the caller is told that it may try again.
    async fn retries_end_at_the_callers_deadline(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        relay.backend.answer_always(Answer::Status(Status::new(status::UNAVAILABLE, "down")));
        let call = Call::export(Signal::Traces, &otlp::items(Signal::Traces, 1)).with("grpc-timeout", "1S");
        match relay.client().await.try_call(&call).await {
            Ok(reply) => assert!([status::UNAVAILABLE, status::DEADLINE_EXCEEDED].contains(&reply.code()), "{reply:?}"),
            Err(error) => assert_eq!(error.reason(), Some(h2::Reason::CANCEL), "{error}"),
        }
        assert!(relay.backend.count() >= 2, "tried {} times within a second", relay.backend.count());
    }

    // retry_on_failure off: one attempt, and the caller is told to come again.
    async fn without_retries_the_caller_is_told_at_once(runtime: Runtime) {
        let backend = Backend::grpc();
        let relay = Relay::with(runtime, backend, |config, backend| {
            config.grpc_to(backend, &["retry_on_failure: {enabled: false}"])
        })
        .await;
        relay.backend.answer_always(Answer::Status(Status::new(status::UNAVAILABLE, "down")));
        let reply = relay.client().await.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await;
        assert_eq!((reply.code(), relay.backend.count()), (status::UNAVAILABLE, 1), "{}", reply.message());
    }

    // `timeout` bounds one attempt; an attempt without an answer is tried again.
    async fn an_attempt_without_an_answer_is_given_up_and_tried_again(runtime: Runtime) {
        let relay = Relay::with(runtime, Backend::grpc(), |config, backend| config.grpc_to(backend, &["timeout: 200ms"])).await;
        relay.backend.answer_next(Answer::Never);
        relay.client().await.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        let recorded = relay.backend.recorded();
        assert_eq!(recorded.len(), 2);
        assert!(recorded[0].header("grpc-timeout").is_some(), "the backend is not told how long the attempt may take");
    }

    // "Clients ... treat responses larger than 4 MiB as a non-retryable failure."
    async fn a_response_over_4_mib_is_a_failure_for_good(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        relay.backend.answer_next(Answer::HugeResponse(5 << 20));
        let reply = relay.client().await.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await;
        assert_ne!(reply.code(), 0, "a response that was not read is no success");
        assert!(!RETRYABLE.contains(&reply.code()), "{}", reply.message());
        assert_eq!(relay.backend.count(), 1);
    }

    // The exporter's `compression`, gzip by default.
    async fn requests_leave_in_the_configured_encoding(runtime: Runtime) {
        let body = otlp::items(Signal::Logs, 100);
        for (key, encoding) in [("gzip", "gzip"), ("zstd", "zstd"), ("snappy", "snappy"), ("none", ""), ("", "gzip")] {
            let relay = Relay::with(runtime, Backend::grpc(), |config, backend| {
                let compression = format!("compression: {}", if key.is_empty() { "gzip" } else { key });
                let block = format!(
                    "{{endpoint: '{}', tls: {{insecure: true}}, sending_queue: {{enabled: false}}{}}}",
                    backend.address(),
                    if key.is_empty() { String::new() } else { format!(", {compression}") }
                );
                config.exporter("otlp_grpc", &block)
            })
            .await;
            relay.client().await.export(Signal::Logs, &body).await.ok();
            let recorded = &relay.backend.recorded()[0];
            assert_eq!((recorded.encoding.as_str(), &recorded.body), (encoding, &body), "compression: {key}");
            assert!(encoding.is_empty() || recorded.wire.len() < body.len());
        }
    }

    // A body that nothing changed leaves compressed as it came.
    async fn an_unchanged_body_leaves_compressed_as_it_came(runtime: Runtime) {
        for encoding in codec::GRPC {
            let compression = format!("compression: {encoding}");
            let relay = Relay::with(runtime, Backend::grpc(), |config, backend| config.grpc_to(backend, &[&compression])).await;
            let body = otlp::items(Signal::Traces, 100);
            let call = Call::compressed(Signal::Traces, encoding, &body);
            relay.client().await.call(&call).await.ok();
            let recorded = &relay.backend.recorded()[0];
            assert_eq!((&recorded.body, &recorded.wire), (&body, &call.body.slice(5..)), "{encoding}");
        }
    }

    // "The client SHOULD keep the connection alive between requests": one a core at most.
    async fn connections_are_kept(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let client = relay.client().await;
        for _ in 0..50 {
            client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        }
        let cores = std::thread::available_parallelism().unwrap().get();
        assert!(relay.backend.connections() <= cores, "{} connections", relay.backend.connections());
    }

    // Headers, user agent and what gRPC itself wants.
    async fn configured_headers_are_sent(runtime: Runtime) {
        let relay = Relay::with(runtime, Backend::grpc(), |config, backend| {
            config.grpc_to(backend, &["headers: {X-Tenant: acme}", "user_agent: agent/7", "authority: backend.example"])
        })
        .await;
        relay.client().await.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        let recorded = &relay.backend.recorded()[0];
        assert_eq!(recorded.header("x-tenant"), Some("acme"));
        assert!(recorded.header("user-agent").is_some_and(|agent| agent.contains("agent/7")), "{recorded:?}");
        assert_eq!(recorded.header("te"), Some("trailers"));
        assert!(recorded.header("content-type").is_some_and(|kind| kind.starts_with("application/grpc")));
    }

    // Profiles carry the version of their development (collector.md 2.1): exactly one on the way out;
    // anything but 1 is refused before decoding on the way in.
    async fn the_version_of_profiles_is_checked_and_sent(runtime: Runtime) {
        const HEADER: &str = "otlp-profiles-development-version";
        let relay = Relay::with(runtime, Backend::grpc(), |config, backend| {
            config.grpc_to(backend, &["headers: {otlp-profiles-development-version: '7'}"])
        })
        .await;
        let client = relay.client().await;
        let call = || Call::export(Signal::Profiles, &otlp::items(Signal::Profiles, 1));
        client.call(&call()).await.ok();
        client.call(&call().with(HEADER, "1")).await.ok();
        for bad in [call().with(HEADER, "2"), call().with(HEADER, "one"), call().with(HEADER, "1").with(HEADER, "1")] {
            assert_eq!(client.call(&bad).await.code(), status::INVALID_ARGUMENT);
        }
        let recorded = relay.backend.recorded();
        assert_eq!(recorded.len(), 2);
        for request in recorded {
            let versions: Vec<_> = request.headers.get_all(HEADER).iter().collect();
            assert_eq!(versions, ["1"]);
        }
    }

    // Fan-out: every exporter of a pipeline gets the same bytes, and the caller is answered for all of them.
    async fn every_exporter_gets_the_same_bytes(runtime: Runtime) {
        let second = Backend::http();
        let relay = Relay::start(runtime, |config| config.http_to(&second, &[])).await;
        let client = relay.client().await;
        let body = otlp::items(Signal::Traces, 20);
        client.export(Signal::Traces, &body).await.ok();
        assert_eq!((&relay.backend.recorded()[0].body, &second.recorded()[0].body), (&body, &body));
        second.answer_always(Answer::Http(400, Vec::new(), bytes::Bytes::new()));
        let reply = client.export(Signal::Traces, &body).await;
        assert_eq!(reply.code(), status::INVALID_ARGUMENT, "{}", reply.message());
        assert_eq!(relay.backend.count(), 2);
    }
}
