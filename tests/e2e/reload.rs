//! SIGHUP: the configuration is read again while the gateway runs.

use nix::sys::signal::Signal as Kill;
use trunkline_tests::{
    Backend, Gateway, Port, Runtime, Signal, both_runtimes,
    config::Config,
    eventually,
    gateway::READY,
    grpc::{Call, Client},
    http::{self, Body, Request},
    io::Target,
    otlp,
    tls::Certificates,
};

/// A gateway whose configuration can be written anew.
struct Reloading {
    gateway: Gateway,
    backend: Backend,
    grpc: Port,
    http: Port,
}

impl Reloading {
    async fn start(runtime: Runtime) -> Reloading {
        let (backend, grpc, http) = (Backend::grpc(), Port::free(), Port::free());
        let config = Config::new(&grpc, &http)
            .signals(&[Signal::Traces])
            .grpc_to(&backend, &[]);
        let gateway = config.launch(runtime).start().await;
        Reloading {
            gateway,
            backend,
            grpc,
            http,
        }
    }

    fn config(&self) -> Config {
        Config::new(&self.grpc, &self.http)
            .signals(&[Signal::Traces])
            .grpc_to(&self.backend, &[])
    }

    /// Puts another configuration in the place of the one it was started with, and says so.
    fn reload(&self, yaml: &str) {
        std::fs::write(self.gateway.folder().join("config.yaml"), yaml).unwrap();
        self.gateway.signal(Kill::SIGHUP);
    }

    /// Waits until so many configurations have taken the place of the one before.
    async fn replaced(&self, times: usize) {
        self.said(READY, times + 1).await;
        self.said("The former configuration has finished", times)
            .await;
    }

    /// Waits until the log has so many lines with a text.
    async fn said(&self, text: &str, times: usize) {
        eventually(text, async || {
            (self.gateway.log().matches(text).count() >= times).then_some(())
        })
        .await;
    }

    async fn exports(&self) {
        let before = self.backend.count();
        Client::connect(&self.grpc)
            .await
            .export(Signal::Traces, &otlp::items(Signal::Traces, 2))
            .await
            .ok();
        assert_eq!(self.backend.count(), before + 1);
    }
}

both_runtimes! {
    // Other components, other addresses: what is new acts, what is gone does not; the process stays.
    async fn a_new_configuration_is_taken_over(runtime: Runtime) {
        let running = Reloading::start(runtime).await;
        running.exports().await;
        let (elsewhere, admin) = (Port::free(), Port::free());
        let other = Backend::grpc();
        let config = Config::new(&running.grpc, &elsewhere)
            .signals(&[Signal::Traces, Signal::Logs])
            .processor("attributes", "{actions: [{key: generation, value: second, action: insert}]}")
            .extension("zpages", &format!("{{endpoint: '{}'}}", admin.address()))
            .grpc_to(&other, &[]);
        running.reload(&config.yaml());
        running.replaced(1).await;
        let client = Client::connect(&running.grpc).await;
        for signal in [Signal::Traces, Signal::Logs] {
            client.export(signal, &otlp::items(signal, 2)).await.ok();
        }
        assert_eq!(http::send(&elsewhere, &Request::export(Signal::Traces, otlp::items(Signal::Traces, 1))).await.status, 200);
        let recorded = other.recorded();
        assert_eq!((recorded.len(), running.backend.count()), (3, 1));
        assert!(recorded.iter().all(|request| request.body.windows(6).any(|bytes| bytes == b"second")));
        let page = Request::post("/api/v1/status").method("GET").body(Body::None);
        let status: serde_json::Value = serde_json::from_str(&http::send(&admin, &page).await.text()).unwrap();
        assert_eq!(status["pipelines"].as_array().unwrap().len(), 2);
        // The old address is free, and the metrics are those of the new configuration.
        drop(std::net::TcpListener::bind(running.http.address()).unwrap());
        let metrics = running.gateway.metrics().await;
        assert_eq!(metrics.sum("otelcol_receiver_accepted_spans", &[]), 3.0);
        // And back again, several times.
        for generation in 3..6 {
            running.reload(&running.config().yaml());
            running.replaced(generation - 1).await;
            running.exports().await;
        }
        let finished = running.gateway.stop().await;
        assert_eq!(finished.code(), 0);
    }

    // A bad configuration changes nothing: the error is in the log, the old one goes on, connections and requests too.
    async fn a_bad_configuration_changes_nothing(runtime: Runtime) {
        let running = Reloading::start(runtime).await;
        let client = Client::connect(&running.grpc).await;
        let certificates = Certificates::new();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let good = running.config().yaml();
        let cases = [
            ("receivers: [".to_owned(), "config.yaml:"),
            (good.replace("grpc:", "gprc:"), "gprc"),
            (good.replace("exporters: [otlp_grpc]", "exporters: [nope]"), "nope"),
            (good.replace("tls: {insecure: true}", "tls: {ca_file: /nope.pem}"), "open /nope.pem"),
            (
                good.replace(&running.http.address(), &taken.local_addr().unwrap().to_string()),
                "bind: address already in use",
            ),
            (
                running
                    .config()
                    .grpc(&format!("tls: {{cert_file: '{}'}}", certificates.file("server.pem").display()))
                    .yaml(),
                "must include both certificate and key",
            ),
            (format!("{good}  telemetry: {{logs: {{output_paths: [/nope/log]}}}}\n"), "/nope/log"),
        ];
        for (times, (yaml, error)) in cases.iter().enumerate() {
            assert_ne!(*yaml, good);
            running.backend.hold();
            let body = otlp::items(Signal::Traces, 1);
            let waiting = tokio::spawn({
                let client = client.clone();
                async move { client.export(Signal::Traces, &body).await.ok() }
            });
            running.backend.wait_for_waiting(1).await;
            running.reload(yaml);
            running.said("The new configuration is not taken over", times + 1).await;
            running.backend.release();
            waiting.await.unwrap();
            let log = running.gateway.log();
            let line = log.lines().rfind(|line| line.contains("is not taken over")).unwrap();
            assert!(line.contains("\terror\t") && line.contains(error), "{error}: {line}");
        }
        assert_eq!(running.backend.count(), cases.len());
        assert!(!running.gateway.log().contains("Starting shutdown"), "{}", running.gateway.log());
        running.exports().await;
        assert_eq!(running.gateway.stop().await.code(), 0);
    }

    // What only shows when it starts, a port of the pages that is taken: nothing changes either.
    async fn what_does_not_start_changes_nothing(runtime: Runtime) {
        let running = Reloading::start(runtime).await;
        let client = Client::connect(&running.grpc).await;
        client.export(Signal::Traces, &otlp::items(Signal::Traces, 2)).await.ok();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        running.reload(&running.config().extension("zpages", &format!("{{endpoint: '{address}'}}")).yaml());
        running.said("The new configuration is not taken over", 1).await;
        // The same connection, and the counters go on.
        client.export(Signal::Traces, &otlp::items(Signal::Traces, 2)).await.ok();
        assert_eq!(running.gateway.metrics().await.sum("otelcol_receiver_accepted_spans", &[]), 4.0);
        // Once the port is free, the same works.
        drop(taken);
        running.gateway.signal(Kill::SIGHUP);
        running.replaced(1).await;
        running.exports().await;
        let page = Request::post("/debug/servicez").method("GET").body(Body::None);
        assert_eq!(http::send(Target::Tcp(address), &page).await.status, 200);
        assert_eq!(running.gateway.stop().await.code(), 0);
    }

    // Requests in hand are finished by the configuration that accepted them, while the new one takes what comes: however
    // long that lasts, health and metrics are there. SIGTERM finishes both.
    async fn requests_in_hand_are_finished_beside_the_new_configuration(runtime: Runtime) {
        let running = Reloading::start(runtime).await;
        running.backend.hold();
        let client = Client::connect(&running.grpc).await;
        // However slow the machine is, what is held stays held.
        let export = |number| {
            let call = Call::export(Signal::Traces, &otlp::numbered(Signal::Traces, number, 1)).with("grpc-timeout", "5M");
            let client = client.clone();
            tokio::spawn(async move { client.call(&call).await.ok() })
        };
        let calls: Vec<_> = (0..8).map(export).collect();
        running.backend.wait_for_waiting(8).await;
        let (other, health) = (Backend::grpc(), Port::free());
        let config = Config::new(&running.grpc, &running.http)
            .signals(&[Signal::Traces])
            .extension("health_check", &format!("{{endpoint: '{}'}}", health.address()))
            .grpc_to(&other, &[]);
        running.reload(&config.yaml());
        running.said(READY, 2).await;
        // New connections come to the new one, each of them, once the old one has left its addresses with every core;
        // until then some reach the old one, or are reset with its queue.
        let mut in_a_row = 0;
        eventually("the old one's farewell", async || {
            let before = other.count();
            if let Ok(fresh) = Client::try_connect(&running.grpc).await {
                let call = Call::export(Signal::Traces, &otlp::items(Signal::Traces, 1)).with("grpc-timeout", "300m");
                let _ = fresh.try_call(&call).await;
            }
            in_a_row = if other.count() > before { in_a_row + 1 } else { 0 };
            (in_a_row == 20).then_some(())
        })
        .await;
        let probe = Request::post("/").method("GET").body(Body::None);
        assert_eq!(http::send(&health, &probe).await.status, 200);
        assert!(running.gateway.metrics().await.sum("otelcol_receiver_accepted_spans", &[]) >= 10.0);
        running.gateway.signal(Kill::SIGTERM);
        running.said("Starting shutdown", 1).await;
        running.backend.release();
        for call in calls {
            call.await.unwrap();
        }
        assert!(running.backend.count() >= 8);
        let finished = running.gateway.exited().await;
        assert_eq!(finished.code(), 0, "{}", finished.log);
    }

    // A unix socket goes from one to the other without a moment in which nobody answers, and its file with it.
    async fn unix_sockets_are_taken_over(runtime: Runtime) {
        let running = Reloading::start(runtime).await;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| format!("endpoint: '{}', transport: unix", folder.path().join(name).display());
        let socket = Target::Unix(folder.path().join("grpc.sock"));
        for generation in 2..5 {
            let config = running.config().protocols(&at("grpc.sock"), &at(&format!("http-{generation}.sock")));
            running.reload(&config.yaml());
            running.replaced(generation - 1).await;
            for _ in 0..4 {
                Client::connect(socket.clone()).await.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
            }
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "the sockets of this configuration alone");
        }
        assert_eq!(running.backend.count(), 12);
        assert_eq!(running.gateway.stop().await.code(), 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    // A file that both configurations write is written on, whatever else of it changed; it is not emptied.
    async fn files_that_stay_are_written_on(runtime: Runtime) {
        let running = Reloading::start(runtime).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("spans.json");
        let block = |more: &str| format!("{{path: '{}'{more}}}", file.display());
        let lines = || std::fs::read_to_string(&file).unwrap().lines().count();
        for (generation, more) in [(2, ""), (3, ""), (4, ", flush_interval: 2s")] {
            running.reload(&running.config().exporter("file", &block(more)).processor("batch", &format!("{{timeout: {generation}s}}")).yaml());
            running.replaced(generation - 1).await;
            running.exports().await;
            assert_eq!(lines(), generation - 1);
        }
        assert_eq!(running.gateway.stop().await.code(), 0);
        assert_eq!(lines(), 3);
    }
}
