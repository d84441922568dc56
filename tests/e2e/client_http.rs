//! The `otlp_http` exporter as a client. Rules: OTLP specification, "OTLP/HTTP".

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use prost::Message;
use trunkline_tests::{
    Answer, Backend, Signal, both_runtimes, codec,
    grpc::Call,
    http::{self, JSON, PROTOBUF, Request},
    otlp,
    status::{self, ExportResponse, Status},
};

use trunkline_tests::config::Relay;

/// Statuses that a client tries again (OTLP/HTTP, "Failures").
const RETRYABLE: [u16; 4] = [429, 502, 503, 504];

fn answer(status: u16, headers: &[(&str, &str)]) -> Answer {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Answer::Http(status, headers, Bytes::new())
}

async fn relay(runtime: trunkline_tests::Runtime, keys: &[&str]) -> Relay {
    Relay::with(runtime, Backend::http(), |config, backend| {
        config.http_to(backend, keys)
    })
    .await
}

both_runtimes! {
    // POST to the base URL and the signal's path, protobuf by default, the bytes as they came.
    async fn requests_go_to_the_paths_of_their_signals(runtime: Runtime) {
        let relay = relay(runtime, &["headers: {X-Tenant: acme}"]).await;
        let client = relay.client().await;
        for signal in Signal::ALL {
            let body = otlp::items(signal, 3);
            client.export(signal, &body).await.ok();
            let last = relay.backend.recorded().pop().unwrap();
            assert_eq!((last.path.as_str(), &last.body), (http::path(signal), &body));
            assert_eq!(last.header("content-type"), Some(PROTOBUF));
            assert_eq!(last.header("x-tenant"), Some("acme"));
        }
    }

    // A URL of one's own for a signal is used as it is.
    async fn an_endpoint_of_a_signal_is_used_as_it_is(runtime: Runtime) {
        let other = Backend::http();
        let endpoint = format!("logs_endpoint: 'http://{}/intake/here'", other.address());
        let relay = relay(runtime, &[&endpoint]).await;
        let client = relay.client().await;
        client.export(Signal::Logs, &otlp::items(Signal::Logs, 1)).await.ok();
        client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        assert_eq!(other.recorded()[0].path, "/intake/here");
        assert_eq!((other.count(), relay.backend.count()), (1, 1));
    }

    // 429, 502, 503 and 504 are tried again; all others are not.
    async fn retryable_statuses_are_tried_again_and_no_others(runtime: Runtime) {
        let relay = relay(runtime, &[]).await;
        let client = relay.client().await;
        let body = otlp::items(Signal::Traces, 1);
        for status in [400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 500, 501, 502, 503, 504, 505] {
            let before = relay.backend.count();
            relay.backend.answer_next(answer(status, &[]));
            let reply = client.export(Signal::Traces, &body).await;
            let attempts = relay.backend.count() - before;
            if RETRYABLE.contains(&status) {
                assert_eq!((reply.code(), attempts), (0, 2), "{status}: {}", reply.message());
            } else {
                assert_eq!((reply.code() == 0, attempts), (false, 1), "{status}");
                let retryable = [1, 4, 10, 11, 14, 15].contains(&reply.code()) || reply.status().retry_info().is_some();
                assert!(!retryable, "{status} became {}", status::NAMES[reply.code() as usize]);
            }
        }
    }

    // What the backend says about a refusal reaches the caller: its code and message.
    async fn a_status_body_is_carried_through(runtime: Runtime) {
        let relay = relay(runtime, &[]).await;
        let body = Status::new(status::INVALID_ARGUMENT, "span 3 has no name").encode_to_vec();
        relay.backend.answer_next(Answer::Http(400, vec![("Content-Type".into(), PROTOBUF.into())], body.into()));
        let reply = http::send(&relay.http, &Request::export(Signal::Traces, otlp::items(Signal::Traces, 1))).await;
        assert_eq!((reply.status, reply.error().code as u32), (400, status::INVALID_ARGUMENT));
        assert!(reply.error().message.contains("span 3 has no name"), "{}", reply.error().message);
    }

    // "Retry-After ... the client SHOULD ... wait": seconds or a date, never earlier.
    async fn retry_after_is_waited_for(runtime: Runtime) {
        let relay = relay(runtime, &[]).await;
        let client = relay.client().await;
        let body = otlp::items(Signal::Traces, 1);
        relay.backend.answer_next(answer(503, &[("Retry-After", "1")]));
        client.export(Signal::Traces, &body).await.ok();
        let recorded = relay.backend.recorded();
        assert_eq!(recorded.len(), 2);
        assert!(recorded[1].at - recorded[0].at >= Duration::from_secs(1));

        // A date has whole seconds; two from now is at least one away.
        let date = SystemTime::now() + Duration::from_secs(2);
        relay.backend.answer_next(answer(429, &[("Retry-After", &http_date(date))]));
        client.export(Signal::Traces, &body).await.ok();
        let recorded = relay.backend.recorded();
        assert_eq!(recorded.len(), 4);
        assert!(recorded[3].at - recorded[2].at >= Duration::from_millis(900), "{:?}", recorded[3].at - recorded[2].at);
    }

    // A partial success is never tried again, and is passed on.
    async fn a_partial_success_is_passed_on_and_never_tried_again(runtime: Runtime) {
        for encoding in ["encoding: proto", "encoding: json"] {
            let relay = relay(runtime, &[encoding]).await;
            relay.backend.answer_next(Answer::Response(ExportResponse::partial(3, "three are too old")));
            let request = Request::export(Signal::Traces, otlp::items(Signal::Traces, 10));
            let reply = http::send(&relay.http, &request).await;
            assert_eq!((reply.status, relay.backend.count()), (200, 1), "{encoding}");
            let partial = ExportResponse::decode(reply.body).unwrap().partial_success.unwrap();
            assert_eq!(partial.rejected, 3, "{encoding}");
            assert!(partial.error_message.contains("three are too old"), "{encoding}: {partial:?}");
        }
    }

    // Closed without a response: tried again.
    async fn a_lost_connection_is_tried_again(runtime: Runtime) {
        let relay = relay(runtime, &[]).await;
        let client = relay.client().await;
        client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        relay.backend.answer_next(Answer::Disconnect);
        client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        assert_eq!(relay.backend.count(), 3);
    }

    // `timeout` bounds one attempt.
    async fn an_attempt_without_an_answer_is_given_up_and_tried_again(runtime: Runtime) {
        let relay = relay(runtime, &["timeout: 200ms"]).await;
        relay.backend.answer_next(Answer::Never);
        relay.client().await.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        assert_eq!(relay.backend.count(), 2);
    }

    // Responses over 4 MiB are a failure for good.
    async fn a_response_over_4_mib_is_a_failure_for_good(runtime: Runtime) {
        let relay = relay(runtime, &[]).await;
        relay.backend.answer_next(Answer::HugeResponse(5 << 20));
        let reply = relay.client().await.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await;
        assert!(![0, 1, 4, 10, 11, 14, 15].contains(&reply.code()), "{} {}", reply.code(), reply.message());
        assert_eq!(relay.backend.count(), 1);
    }

    // collector.md 2.4: 64 KiB of a failure's body are read; the status counts, the rest is not waited for.
    async fn the_rest_of_a_long_failure_is_not_waited_for(runtime: Runtime) {
        let relay = relay(runtime, &[]).await;
        let client = relay.client().await;
        let body = otlp::items(Signal::Traces, 1);
        let long = || bytes::Bytes::from(vec![b'x'; 8 << 20]);
        relay.backend.answer_next(Answer::Http(503, Vec::new(), long()));
        client.export(Signal::Traces, &body).await.ok();
        assert_eq!(relay.backend.count(), 2);
        relay.backend.answer_next(Answer::Http(400, Vec::new(), long()));
        let reply = client.export(Signal::Traces, &body).await;
        assert_eq!((reply.code(), relay.backend.count()), (status::INVALID_ARGUMENT, 3));
        assert!(reply.message().len() < 64 << 10, "{} bytes", reply.message().len());
        client.export(Signal::Traces, &body).await.ok();
    }

    // The exporter's `compression`, gzip by default.
    async fn requests_leave_in_the_configured_encoding(runtime: Runtime) {
        let body = otlp::items(Signal::Logs, 100);
        for encoding in codec::HTTP {
            let compression = format!("compression: {encoding}");
            let relay = relay(runtime, &[&compression]).await;
            relay.client().await.export(Signal::Logs, &body).await.ok();
            let recorded = &relay.backend.recorded()[0];
            assert_eq!((recorded.encoding.as_str(), &recorded.body), (encoding, &body));
            assert!(recorded.wire.len() < body.len(), "{encoding}");
        }
        let relay = Relay::with(runtime, Backend::http(), |config, backend| {
            config.exporter("otlp_http", &format!("{{endpoint: 'http://{}', sending_queue: {{enabled: false}}}}", backend.address()))
        })
        .await;
        relay.client().await.export(Signal::Logs, &body).await.ok();
        assert_eq!(relay.backend.recorded()[0].encoding, "gzip", "the default");
    }

    // Unchanged and in the encoding that is wanted: the very bytes that came.
    async fn an_unchanged_body_leaves_compressed_as_it_came(runtime: Runtime) {
        let relay = relay(runtime, &["compression: gzip"]).await;
        let packed = codec::compress_http("gzip", &otlp::items(Signal::Traces, 100));
        let request = Request::export(Signal::Traces, packed.clone()).with("Content-Encoding", "gzip");
        assert_eq!(http::send(&relay.http, &request).await.status, 200);
        assert_eq!(relay.backend.recorded()[0].wire, packed);
    }

    // encoding: json. The mapping: hex ids, 64-bit integers as strings, integer enums, lowerCamelCase.
    async fn json_leaves_as_the_mapping_says(runtime: Runtime) {
        let relay = relay(runtime, &["encoding: json"]).await;
        relay.client().await.export(Signal::Traces, &otlp::numbered(Signal::Traces, 5, 2)).await.ok();
        let recorded = &relay.backend.recorded()[0];
        assert_eq!(recorded.header("content-type"), Some(JSON));
        let value: serde_json::Value = serde_json::from_slice(&recorded.body).unwrap();
        let resource = &value["resourceSpans"][0];
        assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "checkout");
        let span = &resource["scopeSpans"][0]["spans"][0];
        assert_eq!(span["traceId"], "07070707070707070000000000000005");
        assert_eq!(span["spanId"], "0000000000000005");
        assert_eq!(span["kind"], 2);
        assert_eq!(span["startTimeUnixNano"], "1700000000000000000");
        assert_eq!(span["status"]["code"], 1);
        assert_eq!(resource["scopeSpans"][0]["spans"].as_array().map(Vec::len), Some(2));
    }

    // "The client SHOULD keep the connection alive between requests."
    async fn connections_are_kept(runtime: Runtime) {
        let relay = relay(runtime, &[]).await;
        let client = relay.client().await;
        for _ in 0..50 {
            client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        }
        let cores = std::thread::available_parallelism().unwrap().get();
        assert!(relay.backend.connections() <= cores, "{} connections", relay.backend.connections());
    }

    // "Clients ... concurrent requests": several are in flight to one backend.
    async fn requests_are_sent_beside_each_other(runtime: Runtime) {
        const CALLS: usize = 8;
        let relay = relay(runtime, &[]).await;
        relay.backend.hold();
        let client = relay.client().await;
        let calls: Vec<_> = (0..CALLS)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.call(&Call::export(Signal::Traces, &otlp::items(Signal::Traces, 1))).await.ok() })
            })
            .collect();
        relay.backend.wait_for_waiting(CALLS).await;
        relay.backend.release();
        for call in calls {
            call.await.unwrap();
        }
    }
}

/// An IMF-fixdate (RFC 9110, 5.6.7).
fn http_date(time: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let seconds = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let weekday = DAYS[(days % 7) as usize];
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [
        31,
        28 + u64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!(
        "{weekday}, {:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT",
        days + 1,
        MONTHS[month]
    )
}
