//! The otlp receiver over HTTP where limits bind: time, memory, versions, and the
//! end of the gateway. What a request is answered with otherwise: `server_http`.

use bytes::Bytes;
use nix::sys::signal::Signal as Kill;
use trunkline_tests::{
    Answer, Backend, Signal, both_runtimes,
    http::{self, Body, Connection, JSON, PROTOBUF, Request},
    otlp,
    status::{self, ExportResponse},
    wait,
};

use trunkline_tests::config::Relay;

fn export() -> Request {
    Request::export(Signal::Traces, otlp::items(Signal::Traces, 1))
}

both_runtimes! {
    // read_timeout bounds the whole request: the caller is told, and may try again.
    async fn a_body_that_does_not_come_is_answered_in_time(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config.http("read_timeout: 300ms")).await;
        let mut slow = Connection::open(&relay.http).await;
        slow.write(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
            .await
            .unwrap();
        let reply = slow.reply().await.unwrap();
        assert_eq!((reply.status, reply.header("content-type")), (503, Some(JSON)), "{reply:?}");
        assert_eq!(reply.error().code as u32, status::UNAVAILABLE);
        assert_eq!(reply.header("connection"), Some("close"));
        assert!(slow.closed().await);
        assert_eq!(http::send(&relay.http, &export()).await.status, 200);
    }

    // write_timeout counts from the end of the head; the connection ends.
    async fn an_answer_that_takes_too_long_ends_the_connection(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config.http("write_timeout: 300ms")).await;
        relay.backend.hold();
        let mut connection = Connection::open(&relay.http).await;
        connection.write(&http::encode(&export())).await.unwrap();
        assert!(connection.closed().await);
        relay.backend.release();
        assert_eq!(http::send(&relay.http, &export()).await.status, 200);
    }

    // Memory is bounded at all times: a body of unknown length is refused as it grows, one of known length at once;
    // both with Retry-After (OTLP/HTTP throttling), and nothing stays charged.
    async fn a_body_that_does_not_fit_is_refused_as_it_grows(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| {
            config.processor("memory_limiter", "{check_interval: 10ms, limit_mib: 10, spike_limit_mib: 2}")
        })
        .await;
        let large = otlp::large(Signal::Traces, 12 << 20);
        let chunks: Vec<Bytes> = large.chunks(1 << 16).map(Bytes::copy_from_slice).collect();
        let base = Request::export(Signal::Traces, Bytes::new());
        for (what, request) in [
            ("announced", base.clone().body(Body::Announced(12 << 20))),
            ("chunked, whole", base.clone().body(Body::Chunked(chunks.clone(), true))),
            ("chunked, without an end", base.clone().body(Body::Chunked(chunks, false))),
        ] {
            let reply = http::send(&relay.http, &request).await;
            assert_eq!((reply.status, reply.header("content-type")), (503, Some(PROTOBUF)), "{what}: {}", reply.text());
            assert_eq!(reply.error().code as u32, status::UNAVAILABLE, "{what}");
            assert_eq!(reply.error().message, "data refused due to high memory usage", "{what}");
            assert!(reply.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok()), "{what}: {reply:?}");
        }
        let fits = Request::export(Signal::Traces, otlp::large(Signal::Traces, 2 << 20));
        for _ in 0..8 {
            assert_eq!(http::send(&relay.http, &fits).await.status, 200);
        }
    }

    // Many callers that announce and do not send hold no more than the budget, and others are still served once they go.
    async fn what_was_announced_is_given_back_with_its_connection(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| {
            config.processor("memory_limiter", "{check_interval: 10ms, limit_mib: 10, spike_limit_mib: 2}")
        })
        .await;
        let half = format!(
            "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTOBUF}\r\nContent-Length: {}\r\n\r\n",
            3 << 20
        );
        let mut open = Vec::new();
        for _ in 0..16 {
            let mut connection = Connection::open(&relay.http).await;
            connection.write(half.as_bytes()).await.unwrap();
            open.push(connection);
        }
        drop(open);
        let fits = Request::export(Signal::Traces, otlp::large(Signal::Traces, 3 << 20));
        wait::eventually("room for a request", async || {
            (http::send(&relay.http, &fits).await.status == 200).then_some(())
        })
        .await;
    }

    // collector.md 2.1: the version header of profiles; absent counts as 1.
    async fn profiles_of_another_version_are_refused(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let profiles = Request::export(Signal::Profiles, otlp::items(Signal::Profiles, 1));
        let version = "otlp-profiles-development-version";
        assert_eq!(http::send(&relay.http, &profiles.clone().with(version, "1")).await.status, 200);
        for (values, text) in [
            (&["2"][..], "invalid or unsupported otlp-profiles-development-version: supported version is 1"),
            (&["1", "1"], "otlp-profiles-development-version must contain exactly one value"),
        ] {
            let request = values.iter().fold(profiles.clone(), |request, value| request.with(version, value));
            let reply = http::send(&relay.http, &request).await;
            assert_eq!((reply.status, reply.error().code as u32), (400, status::INVALID_ARGUMENT), "{reply:?}");
            assert_eq!(reply.error().message, text);
        }
        // Other signals do not have it.
        assert_eq!(http::send(&relay.http, &export().with(version, "2")).await.status, 200);
    }

    // OTLP, partial success: 200, the count and the message in the request's encoding.
    async fn partial_success_is_passed_on_in_the_requests_encoding(runtime: Runtime) {
        let relay = Relay::with(runtime, Backend::grpc(), |config, backend| config.grpc_to(backend, &[])).await;
        let partial = || Answer::Response(ExportResponse::partial(2, "two were bad"));
        relay.backend.answer_next(partial());
        let request = Request::export(Signal::Traces, otlp::items(Signal::Traces, 5));
        let reply = http::send(&relay.http, &request).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(PROTOBUF)));
        assert_eq!(&*reply.body, b"\x0a\x10\x08\x02\x12\x0ctwo were bad");
        relay.backend.answer_next(partial());
        let reply = http::send(&relay.http, &Request::json(Signal::Traces, crate::server_http::json_of(Signal::Traces))).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(JSON)));
        assert_eq!(reply.text(), r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"two were bad"}}"#);
    }

    // SIGTERM: connections that wait for a request are closed while what was accepted is still being finished.
    async fn idle_connections_end_before_the_requests_in_hand(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let mut fresh = Connection::open(&relay.http).await;
        let mut used = Connection::open(&relay.http).await;
        assert_eq!(used.send(&export()).await.status, 200);
        let mut begun = Connection::open(&relay.http).await;
        begun.write(b"PRI").await.unwrap();
        relay.backend.hold();
        let mut busy = Connection::open(&relay.http).await;
        busy.write(&http::encode(&export())).await.unwrap();
        relay.backend.wait_for_waiting(1).await;
        relay.gateway.signal(Kill::SIGTERM);
        assert!(fresh.closed().await && used.closed().await && begun.closed().await);
        relay.backend.release();
        let reply = busy.reply().await.unwrap();
        assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
        assert_eq!(relay.gateway.exited().await.code(), 0);
    }
}
