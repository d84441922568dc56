//! The otlp receiver over HTTP: what it answers to good and bad requests.
//! Rules: OTLP specification, "OTLP/HTTP"; where the Collector is laxer, both are accepted.

use std::time::Duration;

use bytes::Bytes;
use trunkline_tests::{
    Answer, Backend, Signal, both_runtimes, codec, eventually,
    grpc::Client,
    http::{self, Body, Connection, JSON, PROTOBUF, Reply, Request},
    otlp,
    status::{self, Status},
};

use trunkline_tests::config::Relay;

/// A request in JSON with one item of the signal.
pub(crate) fn json_of(signal: Signal) -> Bytes {
    let text = match signal {
        Signal::Traces => {
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"a","kind":2,"startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000"}]}]}]}"#
        }
        Signal::Metrics => {
            r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","gauge":{"dataPoints":[{"asInt":"3","timeUnixNano":"1544712660000000000"}]}}]}]}]}"#
        }
        Signal::Logs => {
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1544712660000000000","body":{"stringValue":"a"}}]}]}]}"#
        }
        Signal::Profiles => {
            r#"{"resourceProfiles":[{"scopeProfiles":[{"profiles":[{"samples":[{"stackIndex":0}]}]}]}],"dictionary":{"mappingTable":[{}],"locationTable":[{}],"functionTable":[{}],"linkTable":[{}],"stringTable":[""],"attributeTable":[{}],"stackTable":[{}]}}"#
        }
    };
    Bytes::from_static(text.as_bytes())
}

fn media_type(reply: &Reply) -> &str {
    reply.header("content-type").unwrap_or_default()
}

both_runtimes! {
    // "The server MUST respond with HTTP 200 OK. The response body MUST be a ... Export<signal>ServiceResponse",
    // in the request's media type, partial_success unset; protobuf and JSON on one port.
    async fn success_is_200_in_the_requests_media_type(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let mut connection = Connection::open(&relay.http).await;
        for signal in Signal::ALL {
            let body = otlp::items(signal, 5);
            let reply = connection.send(&Request::export(signal, body.clone())).await;
            assert_eq!((reply.status, media_type(&reply), &*reply.body), (200, PROTOBUF, &b""[..]), "{signal:?}");
            let last = relay.backend.recorded().pop().unwrap();
            assert_eq!((last.signal(), &last.body), (signal, &body), "{signal:?}: bytes changed on the way");

            let reply = connection.send(&Request::json(signal, json_of(signal))).await;
            assert_eq!((reply.status, media_type(&reply), reply.text().trim()), (200, JSON, "{}"), "{signal:?}");
            let last = relay.backend.recorded().pop().unwrap();
            assert_eq!((last.signal(), otlp::count(signal, &last.body)), (signal, 1), "{signal:?} from JSON");
        }
        assert_eq!(relay.backend.count(), 8);
        assert_eq!(relay.gateway.stop().await.code(), 0);
    }

    // Media types are matched case-insensitively, parameters ignored (RFC 9110, 8.3.1).
    async fn media_types_match_in_any_case_and_with_parameters(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        for (kind, json) in [
            ("Application/X-Protobuf", false),
            ("application/x-protobuf; charset=utf-8", false),
            ("APPLICATION/JSON", true),
            ("application/json;charset=utf-8", true),
        ] {
            let body = if json { json_of(Signal::Logs) } else { otlp::items(Signal::Logs, 1) };
            let request = Request::post("/v1/logs").with("Content-Type", kind).body(Body::Sized(body));
            let reply = http::send(&relay.http, &request).await;
            assert_eq!(reply.status, 200, "{kind}: {}", reply.text());
            let expected = if json { JSON } else { PROTOBUF };
            assert!(media_type(&reply).to_ascii_lowercase().starts_with(expected), "{kind}: {reply:?}");
        }
    }

    // 405, 415, 404: the error statuses of HTTP; the connection lives on.
    async fn wrong_methods_types_and_paths_have_their_statuses(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config.signals(&[Signal::Traces])).await;
        let good = Request::export(Signal::Traces, otlp::items(Signal::Traces, 1));
        let cases = [
            ("GET", 405, good.clone().method("GET").body(Body::None)),
            ("PUT", 405, good.clone().method("PUT")),
            ("DELETE", 405, good.clone().method("DELETE").body(Body::None)),
            ("OPTIONS without CORS", 405, good.clone().method("OPTIONS").body(Body::None)),
            ("no media type", 415, Request::post("/v1/traces").body(good.body.clone())),
            ("text", 415, Request::post("/v1/traces").with("Content-Type", "text/plain").body(good.body.clone())),
            ("root", 404, Request { path: "/".into(), ..good.clone() }),
            ("unknown path", 404, Request { path: "/v1/spans".into(), ..good.clone() }),
            ("trailing slash", 404, Request { path: "/v1/traces/".into(), ..good.clone() }),
            ("a signal without a pipeline", 404, Request::export(Signal::Logs, otlp::items(Signal::Logs, 1))),
        ];
        for (what, status, request) in cases {
            let mut connection = Connection::open(&relay.http).await;
            let reply = connection.send(&request).await;
            assert_eq!(reply.status, status, "{what}: {}", reply.text());
            assert!(!reply.body.is_empty(), "{what}: no explanation");
            assert_eq!(connection.send(&good).await.status, 200, "after {what}");
        }
        let head = http::send(&relay.http, &good.clone().method("HEAD").body(Body::None)).await;
        assert_eq!(head.status, 405);
    }

    // "If the request fails ... the response body MUST be a Protobuf-encoded Status message", in the request's media
    // type; 400 for data that cannot be decoded, and "the client MUST NOT retry".
    async fn bad_data_is_400_with_a_status_in_the_requests_media_type(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let json = |text: &'static str| Request::json(Signal::Traces, text);
        let proto = |bytes: &'static [u8]| Request::export(Signal::Traces, bytes);
        let cases = [
            ("not protobuf", PROTOBUF, proto(b"hello world")),
            ("wire type 7", PROTOBUF, proto(b"\x0f")),
            ("a cut message", PROTOBUF, proto(b"\x0a\x7f\x00")),
            ("not JSON", JSON, json("hello")),
            ("cut JSON", JSON, json(r#"{"resourceSpans":[{"#)),
            ("an array", JSON, json("[]")),
            ("empty JSON body", JSON, json("")),
            ("an id of the wrong length", JSON,
                json(r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8e"}]}]}]}"#)),
            ("an id that is not hex", JSON,
                json(r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz8efff798038103d269b633813fc60c"}]}]}]}"#)),
            ("a number where an object belongs", JSON, json(r#"{"resourceSpans":[3]}"#)),
        ];
        for (what, kind, request) in cases {
            let reply = http::send(&relay.http, &request).await;
            assert_eq!((reply.status, media_type(&reply)), (400, kind), "{what}: {}", reply.text());
            let error = reply.error();
            assert_eq!(error.code as u32, status::INVALID_ARGUMENT, "{what}");
            assert!(!error.message.is_empty(), "{what}");
            // "The Status.details field SHOULD contain a BadRequest"; read where the form is protobuf.
            assert!(error.has_bad_request() || kind == JSON, "{what}");
            assert_eq!(reply.header("retry-after"), None, "{what}");
        }
        assert_eq!(relay.backend.count(), 0);
    }

    // "The server MUST accept empty requests."
    async fn an_empty_request_is_success_and_goes_no_further(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        for signal in Signal::ALL {
            for request in [
                Request::export(signal, Bytes::new()),
                Request::export(signal, otlp::items(signal, 0)),
                Request::json(signal, "{}"),
            ] {
                let reply = http::send(&relay.http, &request).await;
                assert_eq!(reply.status, 200, "{signal:?}: {}", reply.text());
            }
        }
        assert_eq!(relay.backend.count(), 0);
    }

    // Content-Encoding: gzip by the specification, the others as the Collector has them; names in any case (RFC 9110,
    // 8.4.1), and identity.
    async fn every_content_encoding_is_accepted(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let body = otlp::items(Signal::Traces, 200);
        let mut connection = Connection::open(&relay.http).await;
        let encodings = codec::HTTP.into_iter().chain(["identity"]);
        for encoding in encodings.flat_map(|name| [name.to_owned(), name.to_ascii_uppercase()]) {
            let before = relay.backend.count();
            let packed = codec::compress_http(&encoding.to_ascii_lowercase(), &body);
            for request in [
                Request::export(Signal::Traces, packed.clone()),
                Request::export(Signal::Traces, Bytes::new())
                    .body(Body::Chunked(packed.chunks(100).map(Bytes::copy_from_slice).collect(), true)),
            ] {
                let reply = connection.send(&request.with("Content-Encoding", &encoding)).await;
                assert_eq!(reply.status, 200, "{encoding}: {}", reply.text());
            }
            let recorded = relay.backend.recorded();
            assert_eq!(recorded.len(), before + 2, "{encoding}");
            assert!(recorded[before..].iter().all(|request| request.body == body), "{encoding}: bytes changed");
        }
        let json = codec::compress_http("gzip", &json_of(Signal::Logs));
        let reply = connection.send(&Request::json(Signal::Logs, json).with("Content-Encoding", "gzip")).await;
        assert_eq!((reply.status, media_type(&reply)), (200, JSON));
    }

    // What cannot be inflated is bad data; an encoding that nobody knows is answered before the body is looked at.
    async fn broken_and_unknown_encodings_are_400(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let body = otlp::items(Signal::Traces, 100);
        for encoding in codec::HTTP {
            let packed = codec::compress_http(encoding, &body);
            for (what, broken) in
                [("garbage", Bytes::from_static(b"\xff\xfeno such thing")), ("cut", packed.slice(..packed.len() / 2))]
            {
                let request = Request::export(Signal::Traces, broken).with("Content-Encoding", encoding);
                let reply = http::send(&relay.http, &request).await;
                assert_eq!(reply.status, 400, "{encoding}, {what}: {}", reply.text());
                assert!(!reply.error().message.is_empty(), "{encoding}, {what}");
            }
        }
        let reply = http::send(&relay.http, &Request::export(Signal::Traces, body).with("Content-Encoding", "br")).await;
        assert_eq!(reply.status, 400);
        assert!(reply.error().message.contains("unsupported Content-Encoding: br"), "{reply:?}");
        assert_eq!(relay.backend.count(), 0);
    }

    // "Servers ... limit request size": 413, by Content-Length before the body is there, by growth, and while inflating.
    async fn oversize_is_413(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config.http("max_request_body_size: 1048576")).await;
        let fits = otlp::large(Signal::Traces, (1 << 20) - 4096);
        let large = otlp::large(Signal::Traces, (1 << 20) + 1);
        assert_eq!(http::send(&relay.http, &Request::export(Signal::Traces, fits)).await.status, 200);
        let chunks: Vec<Bytes> = large.chunks(1 << 16).map(Bytes::copy_from_slice).collect();
        let mut cases = vec![
            ("announced", Request::export(Signal::Traces, Bytes::new()).body(Body::Announced((1 << 20) + 1))),
            ("chunked, without an end", Request::export(Signal::Traces, Bytes::new()).body(Body::Chunked(chunks, false))),
        ];
        for encoding in codec::HTTP {
            let packed = codec::compress_http(encoding, &large);
            // Otherwise it is not the inflating that is tested.
            assert!(packed.len() < 1 << 20, "{encoding}");
            cases.push((encoding, Request::export(Signal::Traces, packed).with("Content-Encoding", encoding)));
        }
        let bomb = codec::compress_http("gzip", &vec![0; 256 << 20]);
        cases.push(("a bomb", Request::export(Signal::Traces, bomb).with("Content-Encoding", "gzip")));
        for (what, request) in cases {
            let reply = http::send(&relay.http, &request).await;
            assert_eq!((reply.status, media_type(&reply)), (413, PROTOBUF), "{what}: {}", reply.text());
            assert!(!reply.error().message.is_empty(), "{what}");
            assert_eq!(reply.header("retry-after"), None, "{what}: sending it again cannot help");
        }
        assert_eq!(relay.backend.count(), 1);
    }

    // The cap is 64 MiB by default.
    async fn the_default_cap_is_64_mib(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let body = otlp::large(Signal::Traces, 40 << 20);
        let reply = http::send(&relay.http, &Request::export(Signal::Traces, body.clone())).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(relay.backend.recorded()[0].body, body);
        let announced = Request::export(Signal::Traces, Bytes::new()).body(Body::Announced((64 << 20) + 1));
        assert_eq!(http::send(&relay.http, &announced).await.status, 413);
    }

    // OTLP/HTTP: HTTP/1.1 or HTTP/2; here with prior knowledge on the same port.
    async fn http2_with_prior_knowledge_is_served(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let client = Client::connect(&relay.http).await;
        let body = otlp::items(Signal::Traces, 7);
        for (kind, payload, expected) in
            [(PROTOBUF, body.clone(), &b""[..]), (JSON, json_of(Signal::Traces), &b"{}"[..])]
        {
            let call = trunkline_tests::grpc::Call::export(Signal::Traces, b"")
                .path("/v1/traces")
                .body(payload)
                .with("content-type", kind);
            let reply = client.call(&call).await;
            assert_eq!((reply.http, &*reply.body), (200, expected), "{kind}");
            assert_eq!(reply.headers["content-type"], kind);
        }
        assert_eq!(relay.backend.recorded()[0].body, body);
        assert_eq!(relay.backend.count(), 2);
        let call = trunkline_tests::grpc::Call::export(Signal::Traces, b"").path("/nowhere").with("content-type", JSON);
        assert_eq!(client.call(&call).await.http, 404);
    }

    // CORS (the Collector's block): preflight and the headers of the answer, origins with wildcards.
    async fn cors_is_answered_as_configured(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| {
            config.http(
                "cors: {allowed_origins: ['https://*.shop.example'], allowed_headers: [X-Tenant], \
                 exposed_headers: [X-Seen], max_age: 600}",
            )
        })
        .await;
        let preflight = |origin: &str| {
            Request::post("/v1/traces")
                .method("OPTIONS")
                .body(Body::None)
                .with("Origin", origin)
                .with("Access-Control-Request-Method", "POST")
                .with("Access-Control-Request-Headers", "x-tenant")
        };
        let reply = http::send(&relay.http, &preflight("https://web.shop.example")).await;
        assert!([200, 204].contains(&reply.status), "{reply:?}");
        assert_eq!(reply.header("access-control-allow-origin"), Some("https://web.shop.example"));
        assert_eq!(reply.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(reply.header("access-control-max-age"), Some("600"));
        assert!(reply.header("access-control-allow-methods").is_some_and(|methods| methods.contains("POST")));
        let headers = reply.header("access-control-allow-headers").unwrap_or_default().to_ascii_lowercase();
        assert!(headers.contains("x-tenant"), "{reply:?}");

        let reply = http::send(&relay.http, &preflight("https://elsewhere.example")).await;
        assert_eq!(reply.header("access-control-allow-origin"), None, "{reply:?}");

        let export = Request::export(Signal::Traces, otlp::items(Signal::Traces, 1));
        let reply = http::send(&relay.http, &export.clone().with("Origin", "https://web.shop.example")).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("access-control-allow-origin"), Some("https://web.shop.example"));
        assert!(reply.header("access-control-expose-headers").is_some_and(|names| names.eq_ignore_ascii_case("x-seen")));
        // Without an Origin it is no matter of CORS, and a foreign one is served without the headers.
        for request in [export.clone(), export.with("Origin", "https://elsewhere.example")] {
            let reply = http::send(&relay.http, &request).await;
            assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, None));
        }
    }

    // Keys of the HTTP side: paths of one's own, headers in every answer.
    async fn url_paths_and_response_headers_are_the_configured_ones(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| {
            config.http("traces_url_path: /intake, logs_url_path: in/logs, response_headers: {X-Gateway: here}")
        })
        .await;
        for (path, signal, status) in [
            ("/intake", Signal::Traces, 200),
            ("/in/logs", Signal::Logs, 200),
            ("/v1/metrics", Signal::Metrics, 200),
            ("/v1/traces", Signal::Traces, 404),
            ("/v1/logs", Signal::Logs, 404),
        ] {
            let request = Request { path: path.into(), ..Request::export(signal, otlp::items(signal, 1)) };
            let reply = http::send(&relay.http, &request).await;
            assert_eq!(reply.status, status, "{path}");
            if status == 200 {
                assert_eq!(reply.header("x-gateway"), Some("here"), "{path}");
            }
        }
    }

    // HTTP/1.1 as it is spoken: keep-alive, pipelining, Expect, Connection: close, replies not compressed.
    async fn http_1_1_is_spoken_whole(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let export = Request::export(Signal::Traces, otlp::items(Signal::Traces, 2));
        let mut connection = Connection::open(&relay.http).await;
        let two = [http::encode(&export), http::encode(&export)].concat();
        connection.write(&two).await.unwrap();
        for _ in 0..2 {
            assert_eq!(connection.reply().await.unwrap().status, 200);
        }
        let reply = connection.send(&export.clone().with("Expect", "100-continue")).await;
        assert_eq!(reply.status, 200);
        let reply = connection.send(&export.clone().with("Accept-Encoding", "gzip")).await;
        assert_eq!((reply.status, reply.header("content-encoding")), (200, None));
        assert_eq!(connection.send(&export.clone().with("Connection", "close")).await.status, 200);
        assert!(connection.closed().await);
        assert_eq!(relay.backend.count(), 5);
        // What is not HTTP is answered or dropped, and nothing else suffers.
        let mut broken = Connection::open(&relay.http).await;
        broken.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not http\r\n\r\n").await.unwrap();
        assert!(!matches!(broken.reply().await, Ok(reply) if reply.status < 400));
        assert_eq!(http::send(&relay.http, &export).await.status, 200);
    }

    // Failures behind the gateway: the code is carried through, HTTP statuses follow from it (collector.md 2.1).
    async fn the_fate_of_a_request_decides_the_status(runtime: Runtime) {
        let relay = Relay::with(runtime, Backend::grpc(), |config, backend| {
            config.grpc_to(backend, &["retry_on_failure: {enabled: false}"])
        })
        .await;
        let request = Request::export(Signal::Traces, otlp::items(Signal::Traces, 1));
        for (code, expected) in [
            (1, 503), (2, 500), (3, 400), (4, 503), (5, 500), (6, 500), (7, 403), (8, 429), (9, 500), (10, 503),
            (11, 503), (12, 404), (13, 500), (14, 503), (15, 503), (16, 401),
        ] {
            let name = status::NAMES[code as usize];
            relay.backend.answer_next(Answer::Status(Status::new(code, "told to")));
            let reply = http::send(&relay.http, &request).await;
            assert_eq!(reply.status, expected, "{name}: {}", reply.text());
            let error = reply.error();
            assert_eq!(error.code as u32, code, "{name}");
            assert!(error.message.contains("told to"), "{name}: {}", error.message);
        }
    }

    // "Retry-After" when the one behind said how long; whole seconds, rounded up.
    async fn a_delay_is_passed_on_as_retry_after(runtime: Runtime) {
        let relay = Relay::with(runtime, Backend::grpc(), |config, backend| {
            config.grpc_to(backend, &["retry_on_failure: {enabled: false}"])
        })
        .await;
        let busy = Status::new(status::UNAVAILABLE, "busy").with_retry_info(Duration::from_millis(6500));
        relay.backend.answer_next(Answer::Status(busy));
        let reply = http::send(&relay.http, &Request::export(Signal::Traces, otlp::items(Signal::Traces, 1))).await;
        assert_eq!((reply.status, reply.header("retry-after")), (503, Some("7")), "{reply:?}");
    }

    // OTLP/HTTP throttling: 429 or 503 with Retry-After, refused at once.
    async fn shedding_is_503_with_retry_after(runtime: Runtime) {
        const CALLS: usize = 64;
        let relay = Relay::start(runtime, |config| {
            config.processor("memory_limiter", "{check_interval: 10ms, limit_mib: 24, spike_limit_mib: 4}")
        })
        .await;
        relay.backend.hold();
        let request = Request::export(Signal::Traces, otlp::large(Signal::Traces, 4 << 20));
        let target = trunkline_tests::io::Target::from(&relay.http);
        let mut calls = Vec::new();
        for _ in 0..CALLS {
            let (target, request) = (target.clone(), request.clone());
            calls.push(tokio::spawn(async move { http::send(target, &request).await }));
        }
        eventually("a refusal", async || calls.iter().any(|call| call.is_finished()).then_some(())).await;
        relay.backend.release();
        let mut refused = 0;
        for call in calls {
            let reply = call.await.unwrap();
            if reply.status != 200 {
                refused += 1;
                assert!([429, 503].contains(&reply.status), "{}", reply.text());
                assert!(reply.header("retry-after").is_some_and(|delay| delay.parse::<u32>().is_ok()), "{reply:?}");
                assert_eq!(reply.error().code as u32, status::UNAVAILABLE);
            }
        }
        assert!(refused > 0);
    }

    // Time limits and keep-alive of the HTTP side.
    async fn idle_and_unfinished_connections_are_closed(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| {
            config.http("read_header_timeout: 300ms, keepalive: {idle_timeout: 300ms}")
        })
        .await;
        let mut unfinished = Connection::open(&relay.http).await;
        unfinished.write(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        assert!(unfinished.closed().await);
        let mut idle = Connection::open(&relay.http).await;
        let request = Request::export(Signal::Traces, otlp::items(Signal::Traces, 1));
        assert_eq!(idle.send(&request).await.status, 200);
        assert!(idle.closed().await);

        let relay = Relay::start(runtime, |config| config.http("keepalive: {enabled: false}")).await;
        let mut once = Connection::open(&relay.http).await;
        let reply = once.send(&request).await;
        assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
        assert!(once.closed().await);
    }

    // compression_algorithms: only those listed.
    async fn only_listed_encodings_are_accepted(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config.http("compression_algorithms: ['', gzip]")).await;
        let body = otlp::items(Signal::Traces, 5);
        for (encoding, status) in [("gzip", 200), ("zstd", 400), ("snappy", 400)] {
            let request = Request::export(Signal::Traces, codec::compress_http(encoding, &body)).with("Content-Encoding", encoding);
            assert_eq!(http::send(&relay.http, &request).await.status, status, "{encoding}");
        }
        assert_eq!(http::send(&relay.http, &Request::export(Signal::Traces, body)).await.status, 200);
    }
}
