//! TLS and mTLS on both sides, certificates that change, and unix sockets.

use std::sync::Arc;

use rustls::ClientConfig;
use trunkline_tests::{
    Backend, Port, Signal,
    backend::Protocol,
    both_runtimes, eventually,
    grpc::{self, Call},
    http::{self, Request},
    io::Target,
    otlp, status,
    tls::Certificates,
};

use trunkline_tests::config::{Config, Relay};

fn server_keys(certificates: &Certificates, more: &str) -> String {
    let file = |name: &str| certificates.file(name).display().to_string();
    format!(
        "tls: {{cert_file: '{}', key_file: '{}'{more}}}",
        file("server.pem"),
        file("server.key")
    )
}

fn at(port: &Port, config: Arc<ClientConfig>) -> Target {
    Target::Tls(port.address(), config)
}

async fn export_http(target: Target) -> std::io::Result<u16> {
    let mut stream = target.connect().await?;
    // The handshake of TLS 1.3 ends for the client before the server has judged its certificate;
    // only an answer shows that it was accepted.
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let request = http::encode(
        &Request::export(Signal::Traces, otlp::items(Signal::Traces, 1))
            .with("Connection", "close"),
    );
    stream.write_all(&request).await?;
    stream.flush().await?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await?;
    let text = String::from_utf8_lossy(&reply);
    text.get(9..12)
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| std::io::Error::other("no reply"))
}

both_runtimes! {
    // receivers.otlp tls: gRPC over h2, HTTP/1.1 and h2 by ALPN; plain text is not served.
    async fn the_receiver_serves_tls(runtime: Runtime) {
        let certificates = Certificates::new();
        let keys = server_keys(&certificates, "");
        let relay = Relay::start(runtime, |config| config.grpc(&keys).http(&keys)).await;
        let body = otlp::items(Signal::Traces, 4);
        let client = grpc::Client::connect(at(&relay.grpc, certificates.client(false, &["h2"]))).await;
        client.export(Signal::Traces, &body).await.ok();
        assert_eq!(export_http(at(&relay.http, certificates.client(false, &["http/1.1"]))).await.unwrap(), 200);
        let over_h2 = grpc::Client::connect(at(&relay.http, certificates.client(false, &["h2"]))).await;
        let call = Call::export(Signal::Traces, b"").path("/v1/traces").body(body.clone()).with("content-type", http::PROTOBUF);
        assert_eq!(over_h2.call(&call).await.http, 200);
        assert_eq!(relay.backend.count(), 3);
        assert!(export_http(Target::from(&relay.http)).await.map_or(true, |status| status >= 400));
        let plain = grpc::Client::try_connect(&relay.grpc).await;
        if let Ok(client) = plain {
            assert!(client.try_call(&Call::export(Signal::Traces, &body)).await.is_err());
        }
        assert_eq!(relay.backend.count(), 3);
    }

    // client_ca_file: only clients with a certificate of that authority.
    async fn the_receiver_asks_for_the_clients_certificate(runtime: Runtime) {
        let (certificates, strangers) = (Certificates::new(), Certificates::new());
        let keys = server_keys(&certificates, &format!(", client_ca_file: '{}'", certificates.file("ca.pem").display()));
        let relay = Relay::start(runtime, |config| config.grpc(&keys).http(&keys)).await;
        let known = grpc::Client::connect(at(&relay.grpc, certificates.client(true, &["h2"]))).await;
        known.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        assert_eq!(export_http(at(&relay.http, certificates.client(true, &["http/1.1"]))).await.unwrap(), 200);
        assert_eq!(relay.backend.count(), 2);
        assert!(export_http(at(&relay.http, certificates.client(false, &["http/1.1"]))).await.is_err());
        assert!(export_http(at(&relay.http, strangers.client(true, &["http/1.1"]))).await.is_err());
        if let Ok(nobody) = grpc::Client::try_connect(at(&relay.grpc, certificates.client(false, &["h2"]))).await {
            assert!(nobody.try_call(&Call::export(Signal::Traces, b"")).await.is_err());
        }
        assert_eq!(relay.backend.count(), 2);
    }

    // reload_interval: a certificate that changed on disk is served without a restart.
    async fn a_renewed_certificate_is_served(runtime: Runtime) {
        let certificates = Certificates::new();
        let keys = server_keys(&certificates, ", reload_interval: 100ms");
        let relay = Relay::start(runtime, |config| config.grpc(&keys)).await;
        let config = certificates.client(false, &["h2"]);
        let served = || trunkline_tests::tls::served_certificate(&relay.grpc, config.clone());
        assert_eq!(&served().await, certificates.server_certificate());
        let renewed = certificates.renew_server();
        eventually("the renewed certificate", async || { (served().await == renewed).then_some(()) }).await;
        let client = grpc::Client::connect(at(&relay.grpc, config.clone())).await;
        client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
    }

    // exporters tls: the server is verified against ca_file, by the name or server_name_override, and the client shows its own.
    async fn the_exporters_speak_tls(runtime: Runtime) {
        let certificates = Certificates::new();
        let file = |name: &str| certificates.file(name).display().to_string();
        let client = format!(
            "tls: {{ca_file: '{}', cert_file: '{}', key_file: '{}', server_name_override: localhost}}",
            file("ca.pem"), file("client.pem"), file("client.key")
        );
        let grpc = Backend::start(Protocol::Grpc, None, Some(certificates.server(true, &["h2"])));
        let http = Backend::start(Protocol::Http, None, Some(certificates.server(true, &["http/1.1"])));
        let endpoint = format!("endpoint: 'https://localhost:{}'", http.port());
        let relay = Relay::with(runtime, grpc, |config, backend| {
            config.grpc_to(backend, &[&client]).http_to(&http, &[&client, &endpoint])
        })
        .await;
        let body = otlp::items(Signal::Traces, 4);
        relay.client().await.export(Signal::Traces, &body).await.ok();
        assert_eq!((&relay.backend.recorded()[0].body, &http.recorded()[0].body), (&body, &body));
    }

    // What cannot be loaded is an error at start, in the Collector's words; plain endpoints load nothing.
    async fn authorities_that_are_not_there_are_an_error_at_start(runtime: Runtime) {
        const TLS: &str = "tls: {ca_file: /nope.pem}";
        for (id, endpoint, started) in [
            ("otlp_grpc", "localhost:1", false),
            ("otlp_grpc", "http://localhost:1", true),
            ("otlp_http", "https://localhost:1", false),
            ("otlp_http", "http://localhost:1", true),
        ] {
            let config = Config::new(&Port::free(), &Port::free())
                .exporter(id, &format!("{{endpoint: '{endpoint}', {TLS}}}"))
                .signals(&[Signal::Traces]);
            if started {
                assert_eq!(config.launch(runtime).start().await.stop().await.code(), 0, "{id} {endpoint}");
                continue;
            }
            let finished = config.launch(runtime).run().await;
            let text = format!(
                "cannot start pipelines: failed to start \"{id}\" exporter: failed to load TLS config: failed to load CA CertPool \
                 File: failed to load cert /nope.pem: open /nope.pem: no such file or directory"
            );
            assert_eq!(finished.code(), 1, "{id} {endpoint}");
            assert!(finished.log.contains(&text), "{}", finished.log);
        }
    }

    // A server that nobody vouches for gets nothing, unless insecure_skip_verify says so.
    async fn an_unknown_server_gets_nothing(runtime: Runtime) {
        let certificates = Certificates::new();
        let call = Call::export(Signal::Traces, &otlp::items(Signal::Traces, 1)).with("grpc-timeout", "2S");
        for (tls, served) in [("tls: {}", false), ("tls: {insecure_skip_verify: true}", true)] {
            let backend = Backend::start(Protocol::Grpc, None, Some(certificates.server(false, &["h2"])));
            let relay = Relay::with(runtime, backend, |config, backend| config.grpc_to(backend, &[tls])).await;
            let reply = relay.client().await.try_call(&call).await;
            let code = reply.map_or(status::DEADLINE_EXCEEDED, |reply| reply.code());
            assert_eq!((code == 0, relay.backend.count()), (served, usize::from(served)), "{tls}");
        }
    }

    // transport: unix, for both protocols; the socket is left behind by no one.
    async fn unix_sockets_are_served(runtime: Runtime) {
        let folder = tempfile::tempdir().unwrap();
        let (grpc_socket, http_socket) = (folder.path().join("grpc.sock"), folder.path().join("http.sock"));
        let relay = Relay::start(runtime, |config| {
            let at = |path: &std::path::Path| format!("endpoint: '{}', transport: unix", path.display());
            config.protocols(&at(&grpc_socket), &at(&http_socket))
        })
        .await;
        let body = otlp::items(Signal::Traces, 4);
        for _ in 0..4 {
            grpc::Client::connect(Target::Unix(grpc_socket.clone())).await.export(Signal::Traces, &body).await.ok();
            let reply = http::send(Target::Unix(http_socket.clone()), &Request::export(Signal::Traces, body.clone())).await;
            assert_eq!(reply.status, 200);
        }
        assert_eq!(relay.backend.count(), 8);
        assert_eq!(relay.gateway.stop().await.code(), 0);
    }
}
