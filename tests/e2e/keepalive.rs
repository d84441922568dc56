//! Pings and idle connections of gRPC, seen frame by frame on a bare socket, and
//! what an exporter does while its backend is not there.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use trunkline_tests::{
    Backend, Port, Signal,
    backend::Protocol,
    both_runtimes,
    config::Relay,
    grpc::Call,
    io::{BoxStream, Target},
    otlp, status,
    wait::within,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// Frame types (RFC 9113, section 6).
const PING: u8 = 6;
const GOAWAY: u8 = 7;

/// The types of the frames in what a peer sent, acknowledgements left out.
fn frames(mut bytes: &[u8]) -> Vec<u8> {
    let mut types = Vec::new();
    while let [a, b, c, kind, flags, _, _, _, _, rest @ ..] = bytes {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        if !(*kind == PING && flags & 1 == 1) {
            types.push(*kind);
        }
        bytes = rest.get(length..).unwrap_or_default();
    }
    types
}

/// Reads until the peer closes, answering nothing.
async fn to_the_end(mut stream: BoxStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset ends it as well as an end does.
    let _ = within("the end of the connection", stream.read_to_end(&mut bytes)).await;
    bytes
}

async fn silent_client(relay: &Relay) -> BoxStream {
    let mut stream = Target::from(&relay.grpc).connect().await.unwrap();
    stream
        .write_all(&[PREFACE, &SETTINGS].concat())
        .await
        .unwrap();
    stream
}

both_runtimes! {
    // server_parameters::max_connection_idle: a connection without requests is told to go and closed, also when it
    // does not answer the ping that goes with a farewell (RFC 9113, 6.8).
    async fn an_idle_connection_is_told_to_go(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| {
            config.grpc("keepalive: {server_parameters: {max_connection_idle: 200ms}}")
        })
        .await;
        let types = frames(&to_the_end(silent_client(&relay).await).await);
        assert!(types.contains(&GOAWAY), "{types:?}");
    }

    // server_parameters::time and ::timeout: a client that does not answer a ping is gone.
    async fn a_client_that_answers_no_ping_is_let_go(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| {
            config.grpc("keepalive: {server_parameters: {time: 1s, timeout: 1s}}")
        })
        .await;
        let types = frames(&to_the_end(silent_client(&relay).await).await);
        assert!(types.contains(&PING), "{types:?}");
    }

    // enforcement_policy: pings that come too often end the connection with ENHANCE_YOUR_CALM and the text that
    // clients look for; without a policy grpc-go's holds. The fourth is the third that came too early.
    async fn a_client_that_pings_too_often_is_sent_away(runtime: Runtime) {
        const CALM: &[u8] = b"\0\0\0\x0btoo_many_pings";
        let freely = "keepalive: {enforcement_policy: {min_time: 1ns, permit_without_stream: true}}";
        for (keys, allowed) in [
            ("max_concurrent_streams: 100", false),
            ("keepalive: {enforcement_policy: {min_time: 1ns}}", false),
            ("keepalive: {enforcement_policy: {permit_without_stream: true}}", false),
            (freely, true),
        ] {
            let relay = Relay::start(runtime, |config| config.grpc(keys)).await;
            let mut stream = silent_client(&relay).await;
            let mut answer = Vec::new();
            for n in 1..=20u8 {
                let ping = [0, 0, 8, PING, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n];
                stream.write_all(&ping).await.unwrap();
                if n == 4 && !allowed {
                    break;
                }
                let acknowledged = |bytes: &[u8]| bytes.windows(17).any(|frame| frame[3..5] == [PING, 1] && frame[16] == n);
                while !acknowledged(&answer) {
                    let mut more = [0; 512];
                    let n = within("the answer to a ping", stream.read(&mut more)).await.unwrap();
                    assert_ne!(n, 0, "{keys}: the connection ended");
                    answer.extend_from_slice(&more[..n]);
                }
            }
            assert!(!frames(&answer).contains(&GOAWAY), "{keys}");
            if !allowed {
                let rest = to_the_end(stream).await;
                assert!(rest.ends_with(CALM), "{keys}: {rest:?}");
            }
        }
    }

    // read_timeout of HTTP: a body that does not come.
    async fn a_request_that_never_ends_is_given_up(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config.http("read_timeout: 300ms")).await;
        let mut stream = Target::from(&relay.http).connect().await.unwrap();
        let head = "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\nContent-Length: 10\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let reply = to_the_end(stream).await;
        assert!(!reply.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&reply));
        assert_eq!(relay.backend.count(), 0);
    }

    // write_timeout of HTTP: an answer that does not come.
    async fn an_answer_that_is_too_late_is_given_up(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config.http("write_timeout: 300ms")).await;
        relay.backend.hold();
        let mut stream = Target::from(&relay.http).connect().await.unwrap();
        let body = otlp::items(Signal::Traces, 1);
        let head = format!("POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
        let reply = to_the_end(stream).await;
        assert!(!reply.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&reply));
        relay.backend.release();
    }

    // keepalive of the exporter (times below 10 s are 10 s, as grpc-go has it): so is a backend.
    async fn a_backend_that_answers_no_ping_is_let_go(runtime: Runtime) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("endpoint: '{}'", listener.local_addr().unwrap());
        let relay = Relay::with(runtime, Backend::grpc(), |config, backend| {
            config.grpc_to(backend, &[&endpoint, "keepalive: {time: 1s, timeout: 1s}", "timeout: 25s"])
        })
        .await;
        let client = relay.client().await;
        let call = Call::export(Signal::Traces, &otlp::items(Signal::Traces, 1)).with("grpc-timeout", "25S");
        let waiting = tokio::spawn(async move { client.try_call(&call).await.map(|reply| reply.code()) });
        let (mut stream, _) = within("the exporter's connection", listener.accept()).await.unwrap();
        stream.write_all(&SETTINGS).await.unwrap();
        let bytes = to_the_end(Box::pin(stream)).await;
        assert!(bytes.starts_with(PREFACE));
        let types = frames(&bytes[PREFACE.len()..]);
        assert!(types.contains(&PING), "{types:?}");
        waiting.abort();
    }

    // wait_for_ready: a request waits for a backend that is not there yet; without it, it fails at once.
    async fn a_request_waits_for_its_backend_when_told_to(runtime: Runtime) {
        for waits in [false, true] {
            let port = Port::free();
            let endpoint = format!("endpoint: '127.0.0.1:{port}'");
            let wait = format!("wait_for_ready: {waits}");
            let relay = Relay::with(runtime, Backend::grpc(), |config, backend| {
                config.grpc_to(backend, &[&endpoint, &wait, "retry_on_failure: {enabled: false}", "timeout: 25s"])
            })
            .await;
            let body = otlp::items(Signal::Traces, 1);
            let call = Call::export(Signal::Traces, &body).with("grpc-timeout", "25S");
            let client = relay.client().await;
            if !waits {
                assert_eq!(client.call(&call).await.code(), status::UNAVAILABLE);
                continue;
            }
            let early = tokio::spawn(async move { client.call(&call).await });
            let late = Backend::start(Protocol::Grpc, Some(&port), None);
            early.await.unwrap().ok();
            assert_eq!(late.count(), 1);
        }
    }
}
