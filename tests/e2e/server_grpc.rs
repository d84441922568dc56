//! The otlp receiver over gRPC: what it answers to good and bad calls.
//! Rules: OTLP specification, "OTLP/gRPC"; gRPC over HTTP/2 protocol description.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use trunkline_tests::{
    Answer, Backend, Signal, both_runtimes, codec, eventually,
    grpc::{Call, framed},
    http, otlp,
    status::{self, Status},
    wait,
};

use trunkline_tests::config::Relay;

/// The default size cap, bytes (OTLP specification: servers should limit request size, suggested 64 MiB).
const CAP: usize = 64 << 20;

both_runtimes! {
    // OTLP/gRPC: unary Export of each signal's service. "On success the server response MUST be
    // an Export<signal>ServiceResponse"; full success: "MUST leave the partial_success field unset".
    async fn success_leaves_partial_success_unset_and_bytes_as_they_were(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let client = relay.client().await;
        for signal in Signal::ALL {
            let body = otlp::items(signal, 10);
            let reply = client.export(signal, &body).await;
            assert_eq!(reply.ok(), Bytes::new(), "{signal:?}: partial_success is set");
            let last = relay.backend.recorded().pop().unwrap();
            assert_eq!((last.signal(), &last.body), (signal, &body), "{signal:?}: bytes changed on the way");
        }
        assert_eq!(relay.gateway.stop().await.code(), 0);
    }

    // "The server MUST accept empty requests": an envelope without items is success and goes nowhere.
    async fn an_empty_request_is_success_and_goes_no_further(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let client = relay.client().await;
        for signal in Signal::ALL {
            assert_eq!(client.export(signal, b"").await.ok(), Bytes::new(), "{signal:?}");
            let hollow = otlp::items(signal, 0);
            assert_eq!(client.export(signal, &hollow).await.ok(), Bytes::new(), "{signal:?}: a resource without items");
        }
        assert_eq!(relay.backend.count(), 0);
    }

    // "Clients and servers MUST support ... gzip"; the Collector adds zstd and snappy. Names in any case, identity too.
    async fn every_encoding_is_accepted(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let client = relay.client().await;
        let body = otlp::items(Signal::Traces, 200);
        let mut calls = Vec::new();
        for encoding in codec::GRPC {
            calls.push((encoding, Call::compressed(Signal::Traces, encoding, &body)));
            let mut call = Call::compressed(Signal::Traces, encoding, &body);
            call.metadata = vec![("grpc-encoding".into(), encoding.to_ascii_uppercase())];
            calls.push(("upper case", call));
            // An encoding that is named and not used: the flag of the message decides.
            calls.push(("named only", Call::export(Signal::Traces, &body).with("grpc-encoding", encoding)));
        }
        calls.push(("identity", Call::export(Signal::Traces, &body).with("grpc-encoding", "identity")));
        for (what, call) in calls {
            let before = relay.backend.count();
            client.call(&call).await.ok();
            let recorded = relay.backend.recorded();
            assert_eq!(recorded.len(), before + 1, "{what}");
            assert_eq!(recorded[before].body, body, "{what}");
        }
    }

    // gRPC: "If a server does not support the encoding ... UNIMPLEMENTED" with what it does support in grpc-accept-encoding.
    async fn an_unknown_encoding_is_unimplemented(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let body = otlp::items(Signal::Traces, 1);
        let call = Call::export(Signal::Traces, &body).body(framed(&body, true)).with("grpc-encoding", "br");
        let reply = relay.client().await.call(&call).await;
        assert_eq!(reply.code(), status::UNIMPLEMENTED, "{}", reply.message());
        assert_eq!(relay.backend.count(), 0);
    }

    // "If the processing ... fails because of ... bad data the server MUST NOT retry": INVALID_ARGUMENT, with BadRequest.
    async fn bad_data_is_invalid_argument(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let client = relay.client().await;
        let mut truncated = otlp::items(Signal::Traces, 3).to_vec();
        truncated.pop();
        let cases: [(&str, Vec<u8>); 4] = [
            ("not protobuf", b"hello world".to_vec()),
            ("a length beyond the end", vec![0x0a, 0xff, 0x01, 0x00]),
            ("a cut message", truncated),
            ("wire type 7", vec![0x0f]),
        ];
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            for (what, body) in &cases {
                let reply = client.export(signal, body).await;
                assert_eq!(reply.code(), status::INVALID_ARGUMENT, "{signal:?}, {what}: {}", reply.message());
                assert_eq!(reply.status().retry_info(), None, "{signal:?}, {what}");
            }
        }
        for encoding in codec::GRPC {
            let body = framed(b"\x01\x02not what it says it is", true);
            let reply = client.call(&Call::export(Signal::Traces, b"").body(body).with("grpc-encoding", encoding)).await;
            assert!([status::INVALID_ARGUMENT, status::INTERNAL].contains(&reply.code()), "{encoding}: {reply:?}");
        }
        // The connection outlives all that.
        client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        assert_eq!(relay.backend.count(), 1);
    }

    // OTLP: "bad data ... the server MUST set ... BadRequest" (details of INVALID_ARGUMENT).
    async fn invalid_argument_carries_bad_request(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let reply = relay.client().await.export(Signal::Logs, b"hello world").await;
        assert!(reply.status().has_bad_request(), "{reply:?}");
    }

    // gRPC: an unknown service or method is UNIMPLEMENTED; so is a signal that no pipeline takes (collector.md 2.1).
    async fn what_no_pipeline_takes_is_unimplemented(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config.signals(&[Signal::Traces])).await;
        let client = relay.client().await;
        let body = otlp::items(Signal::Traces, 1);
        let export = |path: &str| Call::export(Signal::Traces, &body).path(path);
        for signal in [Signal::Metrics, Signal::Logs, Signal::Profiles] {
            let reply = client.export(signal, &otlp::items(signal, 1)).await;
            assert_eq!(reply.code(), status::UNIMPLEMENTED, "{signal:?}");
        }
        for path in [
            "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
            "/opentelemetry.proto.collector.trace.v2.TraceService/Export",
            "/Export",
        ] {
            assert_eq!(client.call(&export(path)).await.code(), status::UNIMPLEMENTED, "{path}");
        }
        client.export(Signal::Traces, &body).await.ok();
        assert_eq!(relay.backend.count(), 1);
    }

    // "Servers ... limit request size": RESOURCE_EXHAUSTED without RetryInfo, since sending it again cannot help.
    // The cap also holds while inflating.
    async fn oversize_is_resource_exhausted_without_retry_info(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config.grpc("max_recv_msg_size_mib: 1")).await;
        let client = relay.client().await;
        let fits = otlp::large(Signal::Traces, (1 << 20) - 4096);
        let large = otlp::large(Signal::Traces, (1 << 20) + 1);
        client.export(Signal::Traces, &fits).await.ok();
        let mut calls = vec![("plain", Call::export(Signal::Traces, &large))];
        for encoding in codec::GRPC {
            client.call(&Call::compressed(Signal::Traces, encoding, &fits)).await.ok();
            calls.push((encoding, Call::compressed(Signal::Traces, encoding, &large)));
        }
        // A bomb: 256 MiB of zeros in some hundred KiB.
        calls.push(("a bomb", Call::compressed(Signal::Traces, "gzip", &vec![0; 256 << 20])));
        let before = relay.backend.count();
        for (what, call) in calls {
            let reply = client.call(&call).await;
            assert_eq!(reply.code(), status::RESOURCE_EXHAUSTED, "{what}: {}", reply.message());
            assert_eq!(reply.status().retry_info(), None, "{what}");
        }
        assert_eq!(relay.backend.count(), before);
        client.export(Signal::Traces, &fits).await.ok();
    }

    // The cap is 64 MiB by default, and the length prefix alone suffices to refuse what exceeds it.
    async fn the_default_cap_is_64_mib(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let client = relay.client().await;
        let body = otlp::large(Signal::Traces, 40 << 20);
        client.export(Signal::Traces, &body).await.ok();
        assert_eq!(relay.backend.recorded()[0].body, body);
        let mut prefix = vec![0];
        prefix.extend_from_slice(&(CAP as u32 + 1).to_be_bytes());
        let mut call = Call::export(Signal::Traces, b"").body(prefix);
        call.end = false;
        let reply = client.call(&call).await;
        assert_eq!(reply.code(), status::RESOURCE_EXHAUSTED, "{}", reply.message());
        assert_eq!(reply.status().retry_info(), None);
    }

    // However a sender cuts a message into DATA frames (grpc-go: 16 KiB), the message is the same.
    async fn frames_of_any_size_make_the_same_message(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let client = relay.client().await;
        let body = otlp::items(Signal::Traces, 300);
        for (index, frame) in [1, 5, 1000, 16 << 10, 1 << 20].into_iter().enumerate() {
            let body = if frame == 1 { otlp::items(Signal::Traces, 2) } else { body.clone() };
            client.call(&Call::export(Signal::Traces, &body).frame(frame)).await.ok();
            assert_eq!(relay.backend.recorded()[index].body, body, "frames of {frame}");
        }
    }

    // gRPC: a stream that ends within a message is an error of that call alone.
    async fn a_cut_message_fails_its_call_only(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let client = relay.client().await;
        let body = otlp::items(Signal::Traces, 3);
        let whole = framed(&body, false);
        for cut in [1, 4, 5, whole.len() - 1] {
            let reply = client.call(&Call::export(Signal::Traces, &body).body(whole.slice(..cut))).await;
            assert!([status::INTERNAL, status::INVALID_ARGUMENT].contains(&reply.code()), "cut at {cut}: {reply:?}");
        }
        // No message at all.
        let reply = client.call(&Call::export(Signal::Traces, &body).body(Bytes::new())).await;
        assert_ne!(reply.code(), 0, "a call without a message");
        client.export(Signal::Traces, &body).await.ok();
        assert_eq!(relay.backend.count(), 1);
    }

    // gRPC: "If Content-Type does not begin with application/grpc, gRPC servers SHOULD respond with HTTP status of 415".
    async fn another_media_type_is_415(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let body = otlp::items(Signal::Traces, 1);
        let client = relay.client().await;
        let reply = client.call(&Call::export(Signal::Traces, &body).with("content-type", "text/plain")).await;
        assert_eq!(reply.http, 415);
        client.call(&Call::export(Signal::Traces, &body).with("content-type", "application/grpc+proto")).await.ok();
        assert_eq!(relay.backend.count(), 1);
    }

    // "The server ... SHOULD support concurrent Unary calls": calls on one connection do not wait for each other.
    async fn calls_on_one_connection_run_beside_each_other(runtime: Runtime) {
        const CALLS: usize = 16;
        let relay = Relay::start(runtime, |config| config).await;
        let client = relay.client().await;
        relay.backend.hold();
        let mut waiting = Vec::new();
        for number in 0..CALLS {
            let client = client.clone();
            let body = otlp::numbered(Signal::Traces, number as u64, 1);
            waiting.push(tokio::spawn(async move { client.export(Signal::Traces, &body).await.ok() }));
        }
        // Only possible when all of them are in flight at once.
        relay.backend.wait_for_waiting(CALLS).await;
        relay.backend.release();
        for call in waiting {
            call.await.unwrap();
        }
        let mut numbers: Vec<_> = relay.backend.recorded().iter().flat_map(|r| otlp::span_numbers(&r.body)).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..CALLS as u64).collect::<Vec<_>>());
    }

    // gRPC: after grpc-timeout the caller is told DEADLINE_EXCEEDED or has given up; nothing is sent for it any more.
    async fn the_callers_deadline_holds(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let client = relay.client().await;
        relay.backend.hold();
        let body = otlp::items(Signal::Traces, 1);
        let call = Call::export(Signal::Traces, &body).with("grpc-timeout", "300m");
        let reply = client.try_call(&call);
        match wait::within("an answer at the deadline", reply).await {
            Ok(reply) => assert!(
                [status::DEADLINE_EXCEEDED, status::UNAVAILABLE].contains(&reply.code()),
                "{}: {}", reply.code(), reply.message()
            ),
            Err(error) => assert_eq!(error.reason(), Some(h2::Reason::CANCEL), "{error}"),
        }
        // The attempt at the backend is given up too.
        eventually("the attempt's end", async || { (relay.backend.waiting() == 0).then_some(()) }).await;
        relay.backend.release();
        let before = relay.backend.count();
        client.export(Signal::Traces, &body).await.ok();
        assert_eq!(relay.backend.count(), before + 1, "an attempt after the deadline");
    }

    // OTLP/gRPC throttling: overload is UNAVAILABLE with RetryInfo, and refused at once.
    async fn shedding_is_unavailable_with_retry_info(runtime: Runtime) {
        const CALLS: usize = 64;
        let relay = Relay::start(runtime, |config| {
            config.processor("memory_limiter", "{check_interval: 10ms, limit_mib: 24, spike_limit_mib: 4}")
        })
        .await;
        relay.backend.hold();
        let client = relay.client().await;
        let body = otlp::large(Signal::Traces, 4 << 20);
        let mut calls = Vec::new();
        for _ in 0..CALLS {
            let (client, body) = (client.clone(), body.clone());
            let call = Call::export(Signal::Traces, &body).with("grpc-timeout", "25S");
            calls.push(tokio::spawn(async move { client.call(&call).await }));
        }
        // 256 MiB against a limit of 24: most are refused while the others still wait for the backend.
        eventually("a refusal", async || { calls.iter().any(|call| call.is_finished()).then_some(()) }).await;
        relay.backend.release();
        let mut accepted = 0;
        for call in calls {
            let reply = call.await.unwrap();
            if reply.code() == 0 {
                accepted += 1;
                continue;
            }
            assert_eq!(reply.code(), status::UNAVAILABLE, "{}", reply.message());
            let delay = reply.status().retry_info();
            assert!(delay.is_some_and(|delay| delay > Duration::ZERO), "no RetryInfo: {reply:?}");
        }
        assert!(accepted < CALLS, "nothing was refused");
        assert_eq!(relay.backend.count(), accepted);
        // And it recovers.
        eventually("an accepted request", async || {
            (client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.code() == 0).then_some(())
        })
        .await;
    }

    // A stream that its client resets takes nothing with it.
    async fn a_reset_call_leaves_the_connection_whole(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let client = relay.client().await;
        let body = otlp::items(Signal::Traces, 50);
        for _ in 0..20 {
            let mut call = Call::export(Signal::Traces, &body).body(framed(&body, false).slice(..100));
            call.end = false;
            // Given up before an answer can come.
            let given_up = tokio::time::timeout(Duration::from_millis(1), client.try_call(&call)).await;
            assert!(given_up.is_err(), "an answer to half a request");
        }
        client.export(Signal::Traces, &body).await.ok();
        assert_eq!(relay.backend.count(), 1);
    }

    // keepalive.server_parameters: an old connection is told to go (GOAWAY), what is in flight on it is finished first.
    async fn connections_age_and_calls_in_flight_are_finished(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| {
            config.grpc("keepalive: {server_parameters: {max_connection_age: 300ms, max_connection_age_grace: 20s}}")
        })
        .await;
        relay.backend.hold();
        let client = relay.client().await;
        let body = otlp::items(Signal::Traces, 1);
        let in_flight = {
            let (client, body) = (client.clone(), body.clone());
            tokio::spawn(async move { client.export(Signal::Traces, &body).await.ok() })
        };
        relay.backend.wait_for_waiting(1).await;
        // Told to go: no further call is taken on it.
        eventually("GOAWAY", async || {
            let call = Call::export(Signal::Traces, &body).with("grpc-timeout", "100m");
            client.try_call(&call).await.err().filter(|error| !error.is_reset()).map(|_| ())
        })
        .await;
        relay.backend.release();
        in_flight.await.unwrap();
        relay.client().await.export(Signal::Traces, &body).await.ok();
    }

    // max_concurrent_streams is announced.
    async fn the_limit_of_streams_is_announced(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config.grpc("max_concurrent_streams: 3")).await;
        let client = relay.client().await;
        client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        assert_eq!(client.streams_permitted(), 3);
    }

    // "Keep responses at most 4 MiB: shorten error_message": a caller with small limits still learns the status.
    async fn long_error_messages_are_shortened(runtime: Runtime) {
        let behind = Backend::http();
        let relay = Relay::with(runtime, behind, |config, backend| config.http_to(backend, &[])).await;
        let text = "x".repeat(1 << 20);
        let answer = Status::new(status::INVALID_ARGUMENT, &text);
        relay.backend.answer_next(Answer::Http(
            400,
            vec![("Content-Type".into(), http::PROTOBUF.into())],
            answer.encode_to_vec().into(),
        ));
        let reply = relay.client().await.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await;
        assert_eq!(reply.code(), status::INVALID_ARGUMENT);
        // Trailers beyond some 8 KiB are refused by the usual clients.
        assert!(reply.message().len() <= 8 << 10, "{} bytes", reply.message().len());
    }

    // Many connections at once are served.
    async fn many_connections_are_served(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let mut clients = Vec::new();
        for number in 0..300 {
            let client = relay.client().await;
            client.export(Signal::Traces, &otlp::numbered(Signal::Traces, number, 1)).await.ok();
            clients.push(client);
        }
        for client in &clients {
            client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        }
        assert_eq!(relay.backend.count(), 600);
    }
}
