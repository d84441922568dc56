//! Starting, stopping, dying: exit codes, error texts, what is finished and what
//! is said about the rest. Texts and codes: collector_observed, "Commands, exit codes, error texts".

use std::time::Duration;

use bytes::Bytes;
use nix::sys::signal::Signal as Kill;
use trunkline_tests::{
    Backend, Gateway, Launch, Port, Signal, binary, both_runtimes, eventually,
    grpc::{self, Call},
    http::{self, Body, Request},
    otlp, status,
};

use trunkline_tests::config::{Config, Relay};

fn get(path: &str) -> Request {
    Request::post(path).method("GET").body(Body::None)
}

/// The default configuration on free ports.
struct Default {
    gateway: Gateway,
    data: tempfile::TempDir,
    ports: [Port; 5],
}

async fn start_default(runtime: trunkline_tests::Runtime) -> Default {
    let data = tempfile::tempdir().unwrap();
    let ports = [(); 5].map(|()| Port::free());
    let [grpc, http, health, admin, own] = &ports;
    let mut launch = Launch::of(binary::trunkline())
        .arg("--runtime")
        .arg(runtime.flag())
        .arg("--data-dir")
        .arg(data.path());
    for (key, port) in [
        ("receivers.otlp.protocols.grpc.endpoint", grpc),
        ("receivers.otlp.protocols.http.endpoint", http),
        ("extensions.health_check.endpoint", health),
        ("extensions.zpages.endpoint", admin),
    ] {
        launch = launch.arg("--set").arg(format!("{key}=127.0.0.1:{port}"));
    }
    let readers =
        format!("[{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {own}}}}}}}}}]");
    let gateway = launch
        .arg("--set")
        .arg(format!("service.telemetry.metrics.readers={readers}"))
        .start()
        .await;
    Default {
        gateway,
        data,
        ports,
    }
}

both_runtimes! {
    // Without --config: all signals into files under the data directory, health, own metrics, the admin page.
    async fn the_default_configuration_takes_every_signal_into_files(runtime: Runtime) {
        let Default { gateway, data, ports: [grpc, http, health, admin, own] } = start_default(runtime).await;
        let client = grpc::Client::connect(&grpc).await;
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            client.export(signal, &otlp::items(signal, 3)).await.ok();
            let reply = http::send(&http, &Request::json(signal, crate::server_http::json_of(signal))).await;
            assert_eq!((reply.status, reply.text().trim()), (200, "{}"), "{signal:?}");
        }
        let healthy = http::send(&health, &get("/")).await;
        let value: serde_json::Value = serde_json::from_slice(&healthy.body).unwrap();
        assert_eq!((healthy.status, &value["status"]), (200, &"Server available".into()));
        assert!(value["upSince"].is_string() && value["uptime"].is_string(), "{value}");
        let page = http::send(&admin, &get("/")).await;
        assert!(page.status == 200 && page.text().contains("<html"), "{page:?}");
        // What the page shows comes from here.
        let status = http::send(&admin, &get("/api/v1/status")).await;
        for word in ["traces", "metrics", "logs", "otlp", &grpc.to_string(), &http.to_string()] {
            assert!(status.text().contains(word), "the admin page does not mention {word}: {}", status.text());
        }
        let metrics = trunkline_tests::metrics::Page::read(&own).await;
        assert_eq!(metrics.sum("otelcol_receiver_accepted_spans", &[]), 4.0);
        // What it says at start: what listens where, where data goes, a command to try.
        let said = gateway.log() + &gateway.out();
        for word in [grpc.to_string(), http.to_string(), data.path().display().to_string(), "curl".into()] {
            assert!(said.contains(&word), "start-up does not mention {word}:\n{said}");
        }
        assert_eq!(gateway.stop().await.code(), 0);
        let mut written = String::new();
        let mut folders = vec![data.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    written += &String::from_utf8_lossy(&std::fs::read(path).unwrap());
                }
            }
        }
        for word in ["resourceSpans", "resourceMetrics", "resourceLogs"] {
            assert_eq!(written.matches(word).count(), 2, "{word} in the files");
        }
    }

    // SIGTERM and SIGINT: exit 0 after an orderly stop, with the Collector's last words.
    async fn a_signal_to_stop_is_exit_code_0(runtime: Runtime) {
        for signal in [Kill::SIGTERM, Kill::SIGINT] {
            let relay = Relay::start(runtime, |config| config).await;
            relay.client().await.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
            relay.gateway.signal(signal);
            let finished = relay.gateway.exited().await;
            assert_eq!(finished.code(), 0, "{signal}:\n{}", finished.log);
            assert!(finished.log.contains("Shutdown complete."), "{signal}:\n{}", finished.log);
        }
    }

    // SIGTERM: what was accepted is finished and answered, new connections are refused meanwhile.
    async fn what_was_accepted_is_finished_before_the_end(runtime: Runtime) {
        let mut relay = Relay::start(runtime, |config| config).await;
        relay.backend.hold();
        let client = relay.client().await;
        let over_grpc = tokio::spawn(async move { client.export(Signal::Traces, &otlp::items(Signal::Traces, 3)).await.ok() });
        let target = trunkline_tests::io::Target::from(&relay.http);
        let over_http = tokio::spawn(async move { http::send(target, &Request::export(Signal::Logs, otlp::items(Signal::Logs, 3))).await });
        relay.backend.wait_for_waiting(2).await;
        relay.gateway.signal(Kill::SIGTERM);
        relay.gateway.wait_for_log("Starting shutdown...").await;
        eventually("closed listeners", async || {
            let open = tokio::net::TcpStream::connect(relay.grpc.address()).await.is_ok();
            (!open).then_some(())
        })
        .await;
        relay.backend.release();
        over_grpc.await.unwrap();
        assert_eq!(over_http.await.unwrap().status, 200);
        let finished = relay.gateway.exited().await;
        assert_eq!(finished.code(), 0, "{}", finished.log);
        assert_eq!(relay.backend.count(), 2);
    }

    // A backend that never answers does not keep the gateway: within its deadline it gives up and says what was lost.
    async fn what_cannot_be_delivered_is_said_at_the_end(runtime: Runtime) {
        let mut relay = Relay::start(runtime, |config| config).await;
        relay.backend.hold();
        let client = relay.client().await;
        let call = tokio::spawn(async move {
            client.try_call(&Call::export(Signal::Traces, &otlp::items(Signal::Traces, 13)).with("grpc-timeout", "3S")).await
        });
        relay.backend.wait_for_waiting(1).await;
        relay.gateway.signal(Kill::SIGTERM);
        relay.gateway.wait_for_log("Starting shutdown...").await;
        let finished = relay.gateway.exited().await;
        assert_eq!(finished.code(), 0, "{}", finished.log);
        if let Ok(reply) = call.await.unwrap() {
            assert!([status::UNAVAILABLE, status::DEADLINE_EXCEEDED].contains(&reply.code()), "{reply:?}");
        }
        assert!(finished.log.contains("13"), "the items that were not delivered are not mentioned:\n{}", finished.log);
    }

    // SIGKILL: the ports are free at once, and a new process serves on them. Nothing that was answered was lost.
    async fn a_killed_gateway_starts_again(runtime: Runtime) {
        let (backend, grpc, http) = (Backend::grpc(), Port::free(), Port::free());
        let config = Config::new(&grpc, &http).grpc_to(&backend, &[]);
        for round in 1..=3 {
            let gateway = config.launch(runtime).start().await;
            let client = grpc::Client::connect(&grpc).await;
            client.export(Signal::Traces, &otlp::items(Signal::Traces, 2)).await.ok();
            assert_eq!(backend.count(), round);
            assert!(gateway.kill().await.status.code().is_none());
        }
    }

    // A port in use is the Collector's error and exit code, not a silent second instance.
    async fn a_port_in_use_is_exit_code_1(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let (free, backend) = (Port::free(), Backend::grpc());
        for config in [
            Config::new(&relay.grpc, &free).grpc_to(&backend, &[]),
            Config::new(&free, &relay.http).grpc_to(&backend, &[]),
        ] {
            let finished = config.launch(runtime).run().await;
            assert_eq!(finished.code(), 1, "{}", finished.log);
            for text in [
                "Error: ",
                "cannot start pipelines: failed to start \"otlp\" receiver: listen tcp 127.0.0.1:",
                ": bind: address already in use",
            ] {
                assert!(finished.log.contains(text), "no {text:?} in\n{}", finished.log);
            }
        }
        // The first one serves on.
        relay.client().await.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        assert_eq!(relay.backend.count(), 1);
    }

    // A configuration with a mistake ends the start with exit code 1 and the Collector's phrase.
    async fn a_wrong_configuration_is_exit_code_1(runtime: Runtime) {
        let whole = Config::new(&Port::free(), &Port::free()).exporter("debug", "{}").yaml();
        let cases = [
            (whole.replace("debug: {}", "debug: {verbosty: basic}"), "has invalid keys: verbosty"),
            (whole.replace("debug: {}", "dbug: {}"), "unknown type: \"dbug\""),
            (whole.replace("[debug]", "[otlp_grpc]"), "references exporter \"otlp_grpc\" which is not configured"),
            (whole.replace("receivers: [otlp]", "receivers: []"), "must have at least one receiver"),
            (whole.replace("debug: {}", "debug: {verbosity: loud}"), "loud"),
        ];
        for (yaml, phrase) in cases {
            let finished = Launch::new(runtime, &yaml).arg("--feature-gates").arg("service.profilesSupport").run().await;
            assert_eq!(finished.code(), 1, "{phrase}:\n{}", finished.log);
            assert!(finished.log.contains("Error: "), "{}", finished.log);
            assert!(finished.log.contains(phrase), "no {phrase:?} in\n{}", finished.log);
        }
    }

    // health_check: 200 and the Collector's object on every path and method; a text of one's own where configured.
    async fn health_is_answered(runtime: Runtime) {
        for (keys, expected) in [("", None), (", response_body: {healthy: fine, unhealthy: ill}", Some("fine"))] {
            let health = Port::free();
            let block = format!("{{endpoint: '127.0.0.1:{health}'{keys}}}");
            let relay = Relay::start(runtime, |config| config.extension("health_check", &block)).await;
            for request in [get("/"), get("/any/path"), Request::post("/")] {
                let reply = http::send(&health, &request).await;
                assert_eq!(reply.status, 200, "{keys}");
                match expected {
                    Some(text) => assert_eq!(reply.text(), text),
                    None => {
                        let value: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
                        assert_eq!(value["status"], "Server available");
                    }
                }
            }
            assert_eq!(relay.gateway.stop().await.code(), 0);
        }
    }

    // A client that trickles its request in does not hold up others, nor the stop.
    async fn a_slow_client_holds_up_nobody(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let mut slow = Vec::new();
        for _ in 0..50 {
            let mut connection = http::Connection::open(&relay.http).await;
            connection.write(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 100\r\n\r\n\n").await.unwrap();
            slow.push(connection);
        }
        let client = relay.client().await;
        for _ in 0..20 {
            client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        }
        let begun = std::time::Instant::now();
        let finished = relay.gateway.stop().await;
        assert_eq!(finished.code(), 0, "{}", finished.log);
        // Within the drain's deadline (20 s), with room for a busy machine.
        assert!(begun.elapsed() < Duration::from_secs(28));
    }

    // The file exporter: what was answered with success is in the file when the process has ended.
    async fn files_hold_what_was_accepted(runtime: Runtime) {
        let (grpc, http, folder) = (Port::free(), Port::free(), tempfile::tempdir().unwrap());
        let path = folder.path().join("out.json");
        let config = Config::new(&grpc, &http).signals(&[Signal::Traces]).exporter("file", &format!("{{path: '{}'}}", path.display()));
        let gateway = config.launch(runtime).start().await;
        let client = grpc::Client::connect(&grpc).await;
        for number in 1..=20 {
            client.export(Signal::Traces, &otlp::numbered(Signal::Traces, number, 1)).await.ok();
        }
        assert_eq!(gateway.stop().await.code(), 0);
        let text = std::fs::read_to_string(path).unwrap();
        let ids: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|value| value["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["spanId"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids, (1..=20).map(|number: u64| format!("{number:016x}")).collect::<Vec<_>>());
    }

    // The exporters that lead nowhere accept everything.
    async fn nop_and_debug_accept_everything(runtime: Runtime) {
        let (grpc, http) = (Port::free(), Port::free());
        let gateway = Config::new(&grpc, &http).exporter("nop", "{}").exporter("debug", "{verbosity: detailed}").launch(runtime).start().await;
        let client = grpc::Client::connect(&grpc).await;
        for signal in Signal::ALL {
            assert_eq!(client.export(signal, &otlp::items(signal, 2)).await.ok(), Bytes::new());
        }
        let finished = gateway.stop().await;
        assert_eq!(finished.code(), 0);
        assert!((finished.log + &finished.out).contains("checkout"), "debug shows no attribute");
    }
}

// The commands beside `run`: exit codes and what they print.
#[test]
fn commands_answer_as_the_collectors_do() {
    trunkline_tests::runtime::block_on(async {
        let file = tempfile::NamedTempFile::new().unwrap();
        let yaml = Config::new(&Port::free(), &Port::free())
            .signals(&[Signal::Traces])
            .exporter("debug", "{}")
            .yaml();
        std::fs::write(file.path(), yaml).unwrap();
        let bare = |arguments: &[&str]| {
            arguments
                .iter()
                .fold(Launch::of(binary::trunkline()), |launch, argument| {
                    launch.arg(*argument)
                })
        };
        let path = file.path().display().to_string();
        let valid = bare(&["validate", "--config", &path]).run().await;
        assert_eq!((valid.code(), valid.out.as_str()), (0, ""), "{}", valid.log);
        let invalid = bare(&[
            "validate",
            "--config",
            &path,
            "--set",
            "exporters.debug.verbosty=basic",
        ])
        .run()
        .await;
        assert_eq!(invalid.code(), 1);
        assert!(
            invalid.log.contains("has invalid keys: verbosty"),
            "{}",
            invalid.log
        );
        let version = bare(&["--version"]).run().await;
        assert_eq!(version.code(), 0);
        assert!(version.out.contains("version"), "{}", version.out);
        let components = bare(&["components"]).run().await;
        assert_eq!(components.code(), 0);
        for name in [
            "otlp",
            "otlp_grpc",
            "otlp_http",
            "file",
            "debug",
            "nop",
            "attributes",
            "resource",
            "batch",
            "memory_limiter",
            "forward",
            "health_check",
        ] {
            assert!(
                components.out.contains(&format!("name: {name}")),
                "{name} is not among\n{}",
                components.out
            );
        }
        for (arguments, phrase) in [
            (&["--zork"][..], "unknown flag: --zork"),
            (&["zork"], "unknown command \"zork\""),
            (
                &["--feature-gates", "+zork", "--config", &path],
                "no such feature gate \"zork\"",
            ),
            (
                &["--config", "file:/does/not/exist.yaml"],
                "no such file or directory",
            ),
            (&["--runtime", "zork"], "zork"),
        ] {
            let finished = bare(arguments).run().await;
            assert_eq!(finished.code(), 1, "{arguments:?}: {}", finished.log);
            assert!(
                finished.log.contains("Error: ") && finished.log.contains(phrase),
                "{arguments:?}: {}",
                finished.log
            );
        }
    });
}
