//! Memory under senders that mean no good: bodies that are announced and never
//! come, from hundreds of connections. What a single request is refused with is
//! in `server_grpc` and `server_http_limits`.

use bytes::{BufMut, BytesMut};
use trunkline_tests::{
    Gateway, Port, Signal, both_runtimes, eventually,
    frames::{Connection, Frame, SETTINGS, WINDOW_UPDATE},
    grpc::{self, Call, Reply},
    http::{self, PROTOBUF, Request},
    otlp, status, wait,
};

use trunkline_tests::config::Relay;

/// Connections of the flood, and what each announces, bytes: together 1.2 GiB.
const FLOOD: usize = 300;
const ANNOUNCED: usize = 4 << 20;
/// 48 MiB for requests in hand, on all cores together.
const LIMITER: &str = "{check_interval: 10ms, limit_mib: 64, spike_limit_mib: 16}";
const BUDGET: usize = 48 << 20;

/// Resident memory, bytes.
fn resident(gateway: &Gateway) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .next()
        .unwrap()
        .parse::<usize>()
        .unwrap()
        << 10
}

/// A call that announces a message and sends little of it.
fn half_sent() -> Call {
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(ANNOUNCED as u32);
    body.put_bytes(0, 1000);
    let mut call = Call::export(Signal::Traces, b"").body(body);
    call.end = false;
    call.with("grpc-timeout", "10S")
}

/// Small requests go through over either protocol while the flood lasts.
async fn serves(relay: &Relay) {
    let before = relay.backend.count();
    for _ in 0..20 {
        relay
            .client()
            .await
            .export(Signal::Traces, &otlp::items(Signal::Traces, 50))
            .await
            .ok();
        let request = Request::export(Signal::Traces, otlp::items(Signal::Traces, 50));
        assert_eq!(http::send(&relay.http, &request).await.status, 200);
    }
    assert_eq!(relay.backend.count(), before + 40);
}

/// What the gateway says it holds of its budget, bytes.
async fn held(gateway: &Gateway) -> f64 {
    gateway
        .metrics()
        .await
        .sum("trunkline_memory_used_bytes", &[])
}

both_runtimes! {
    // Admission at the gRPC length prefix: what does not fit is refused at once, with RetryInfo; resident memory stays
    // near the budget; others are served; and when the flood's time is over what it held is given back.
    async fn half_sent_messages_hold_no_more_than_the_budget(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config.processor("memory_limiter", LIMITER)).await;
        serves(&relay).await;
        let before = resident(&relay.gateway);
        let mut calls = Vec::new();
        for _ in 0..FLOOD {
            let client = relay.client().await;
            calls.push(tokio::spawn(async move { client.try_call(&half_sent()).await }));
        }
        let most = BUDGET / ANNOUNCED;
        // Those that are not refused wait; nothing else ends a call before its 10 s.
        let refused = wait::eventually("refusals", async || {
            let ended = calls.iter().filter(|call| call.is_finished()).count();
            (ended >= FLOOD - most).then_some(ended)
        })
        .await;
        assert!(refused < FLOOD, "none was admitted");
        assert!(held(&relay.gateway).await <= BUDGET as f64);
        serves(&relay).await;
        let grown = resident(&relay.gateway).saturating_sub(before);
        // 128 KiB a connection for what a debug build and two TCP buffers' worth of frames take.
        assert!(grown < BUDGET + FLOOD * (128 << 10), "{} MiB more", grown >> 20);
        let mut late = 0;
        for call in calls {
            let reply: Reply = wait::within("the end of a call", call).await.unwrap().unwrap();
            if reply.code() == status::DEADLINE_EXCEEDED {
                late += 1;
                continue;
            }
            assert_eq!(reply.code(), status::UNAVAILABLE, "{}", reply.message());
            assert_eq!(reply.message(), "data refused due to high memory usage");
            assert!(reply.status().retry_info().is_some_and(|delay| !delay.is_zero()), "{reply:?}");
        }
        assert!(late > 0 && late <= most, "{late} were admitted");
        eventually("what was held", async || (held(&relay.gateway).await == 0.0).then_some(())).await;
    }

    // The same at Content-Length over HTTP/1.1, with Retry-After, and read_timeout ends it.
    async fn half_sent_bodies_hold_no_more_than_the_budget(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| {
            config.processor("memory_limiter", LIMITER).http("read_timeout: 8s")
        })
        .await;
        serves(&relay).await;
        let before = resident(&relay.gateway);
        let mut half = format!(
            "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTOBUF}\r\nContent-Length: {ANNOUNCED}\r\n\r\n"
        )
        .into_bytes();
        half.resize(half.len() + 1000, 0);
        let mut replies = Vec::new();
        for _ in 0..FLOOD {
            let mut connection = http::Connection::open(&relay.http).await;
            connection.write(&half).await.unwrap();
            replies.push(tokio::spawn(async move { connection.reply().await }));
        }
        let most = BUDGET / ANNOUNCED;
        wait::eventually("refusals", async || {
            let ended = replies.iter().filter(|reply| reply.is_finished()).count();
            (ended >= FLOOD - most).then_some(())
        })
        .await;
        assert!(held(&relay.gateway).await <= BUDGET as f64);
        serves(&relay).await;
        let grown = resident(&relay.gateway).saturating_sub(before);
        assert!(grown < BUDGET + FLOOD * (128 << 10), "{} MiB more", grown >> 20);
        let mut late = 0;
        for reply in replies {
            let reply = wait::within("a reply", reply).await.unwrap().unwrap();
            assert_eq!(reply.status, 503, "{}", reply.text());
            match reply.header("retry-after") {
                Some(after) => assert!(after.parse::<u32>().is_ok_and(|after| after > 0), "{reply:?}"),
                None => late += 1,
            }
        }
        assert!(late > 0 && late <= most, "{late} were admitted");
        eventually("what was held", async || (held(&relay.gateway).await == 0.0).then_some(())).await;
    }

    // connections × (frame + window) are bounded: what the server advertises shrinks as connections grow, and is as
    // large as before when they are gone.
    async fn windows_and_frames_shrink_as_connections_grow(runtime: Runtime) {
        const CONNECTIONS: usize = 500;
        let (backend, grpc, http) = (trunkline_tests::Backend::grpc(), Port::free(), Port::free());
        let config = trunkline_tests::config::Config::new(&grpc, &http)
            .grpc_to(&backend, &[])
            .processor("memory_limiter", "{check_interval: 10ms, limit_mib: 320, spike_limit_mib: 64}");
        let _gateway = config.launch(runtime).arg("--cores").arg("1").start().await;
        let mut open = Vec::new();
        let mut advertised = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut connection = Connection::open(&grpc).await;
            advertised.push(windows(&mut connection).await);
            open.push(connection);
        }
        let (first, last) = (advertised[0], advertised[CONNECTIONS - 1]);
        assert!(last.frame <= first.frame / 8 && last.stream <= first.stream / 8, "{first:?} {last:?}");
        assert!(last.connection <= first.connection / 8, "{first:?} {last:?}");
        assert!(advertised.is_sorted_by(|a, b| a.connection >= b.connection), "{advertised:?}");
        // A quarter of the budget, and the least that each has beyond.
        let all: u64 = advertised.iter().map(|windows| u64::from(windows.connection)).sum();
        let least = u64::from(last.connection) * CONNECTIONS as u64;
        assert!(all <= (64 << 20) + least, "{} MiB", all >> 20);
        // Small windows carry large messages, too.
        let body = otlp::large(Signal::Traces, 3 << 20);
        grpc::Client::connect(&grpc).await.export(Signal::Traces, &body).await.ok();
        assert_eq!(backend.recorded()[0].body, body);
        drop(open);
        eventually("large windows", async || {
            let mut connection = Connection::open(&grpc).await;
            (windows(&mut connection).await == first).then_some(())
        })
        .await;
    }
}

/// What a server advertises on a connection, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Windows {
    frame: u32,
    stream: u32,
    connection: u32,
}

/// Reads SETTINGS and the WINDOW_UPDATE of the connection that follows where its window is not the default one
/// (RFC 9113 §6.9.2: 65,535 bytes).
async fn windows(connection: &mut Connection) -> Windows {
    let settings = connection.read().await.unwrap();
    assert_eq!(settings.kind, SETTINGS);
    let value = |wanted| {
        let settings = settings.settings();
        settings
            .iter()
            .find(|(id, _)| *id == wanted)
            .map(|(_, value)| *value)
    };
    let more: Frame = connection
        .read_until(|frame| frame.kind == WINDOW_UPDATE && frame.stream == 0)
        .await;
    Windows {
        frame: value(5).unwrap_or(16 << 10),
        stream: value(4).unwrap_or(65_535),
        connection: 65_535 + more.increment(),
    }
}
