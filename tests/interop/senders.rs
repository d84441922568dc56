//! Senders that others wrote: what they send arrives, item for item, and they
//! are content with the answers.

use std::{path::Path, process::Command};

use trunkline_tests::{
    Backend, Signal, both_runtimes,
    config::Relay,
    otlp,
    peer::{self, Peer},
};

const ITEMS: u64 = 40;

/// Items of a signal that the backend got.
fn arrived(backend: &Backend, signal: Signal) -> u64 {
    let recorded = backend.recorded();
    recorded
        .iter()
        .filter(|request| request.signal() == signal)
        .map(|request| otlp::count(signal, &request.body))
        .sum()
}

fn all_arrived(backend: &Backend, what: &str) {
    for signal in [Signal::Traces, Signal::Logs, Signal::Metrics] {
        assert_eq!(arrived(backend, signal), ITEMS, "{signal:?} from {what}");
    }
}

/// Runs a sender once a protocol: `<program> [first] grpc|http <endpoint> <items>`.
async fn sdk(
    runtime: trunkline_tests::Runtime,
    program: &Path,
    first: Option<&Path>,
    scheme: &str,
) {
    for protocol in ["grpc", "http"] {
        let relay = Relay::start(runtime, |config| config).await;
        let port = if protocol == "grpc" {
            &relay.grpc
        } else {
            &relay.http
        };
        let mut command = Command::new(program);
        command
            .args(first)
            .arg(protocol)
            .arg(format!("{scheme}{}", port.address()))
            .arg(ITEMS.to_string());
        peer::run(command).await;
        all_arrived(&relay.backend, protocol);
        assert_eq!(relay.gateway.stop().await.code(), 0);
    }
}

both_runtimes! {
    async fn the_go_sdk_sends_all_signals(runtime: Runtime) {
        let Some(program) = Peer::GoSdk.get("the_go_sdk_sends_all_signals") else { return };
        sdk(runtime, &program, None, "").await;
    }

    async fn the_python_sdk_sends_all_signals(runtime: Runtime) {
        let Some(python) = Peer::Python.get("the_python_sdk_sends_all_signals") else { return };
        let script = trunkline_tests::binary::workspace().join("tests/peers/python/send.py");
        sdk(runtime, &python, Some(&script), "http://").await;
    }

    async fn telemetrygen_sends_all_signals(runtime: Runtime) {
        let Some(program) = Peer::Telemetrygen.get("telemetrygen_sends_all_signals") else { return };
        for over_http in [false, true] {
            let relay = Relay::start(runtime, |config| config).await;
            // A trace has a parent and a child.
            for (signal, count) in [("traces", ITEMS / 2), ("logs", ITEMS), ("metrics", ITEMS)] {
                let mut command = Command::new(&program);
                let port = if over_http { &relay.http } else { &relay.grpc };
                command
                    .args([signal, "--otlp-insecure", "--rate", "0", "--workers", "1"])
                    .arg(format!("--{signal}"))
                    .arg(count.to_string())
                    .arg("--otlp-endpoint")
                    .arg(port.address());
                if over_http {
                    command.arg("--otlp-http");
                }
                peer::run(command).await;
            }
            all_arrived(&relay.backend, if over_http { "http" } else { "grpc" });
        }
    }

    // The examples published with the protocol, as a reader of its documentation would send them.
    async fn curl_sends_the_published_examples(runtime: Runtime) {
        let Some(curl) = Peer::Curl.get("curl_sends_the_published_examples") else { return };
        let relay = Relay::start(runtime, |config| config).await;
        let folder = trunkline_tests::binary::workspace().join("tests/data/otlp-json");
        let examples =
            [("trace", Signal::Traces, 1), ("metrics", Signal::Metrics, 4), ("logs", Signal::Logs, 1), ("events", Signal::Logs, 1)];
        for (file, signal, items) in examples {
            for more in [&["--http1.1"][..], &["--http2-prior-knowledge"], &["-H", "Expect: 100-continue"]] {
                let before = arrived(&relay.backend, signal);
                let mut command = Command::new(&curl);
                command
                    .args(["--silent", "--show-error", "--fail-with-body", "-H", "Content-Type: application/json"])
                    .args(more)
                    .arg("--data-binary")
                    .arg(format!("@{}", folder.join(format!("{file}.json")).display()))
                    .arg(format!("http://{}{}", relay.http.address(), trunkline_tests::http::path(signal)));
                peer::run(command).await;
                assert_eq!(arrived(&relay.backend, signal) - before, items, "{file} {more:?}");
            }
        }
    }
}
