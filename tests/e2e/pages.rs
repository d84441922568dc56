//! The servers of `health_check` and `zpages`: TLS, unix sockets, time limits, and
//! what stands in front of a page. What the pages say: `lifecycle`.

use trunkline_tests::{
    Gateway, Launch, Port, Runtime, both_runtimes, eventually,
    grpc::{self, Call},
    http::{self, Body, Connection, Reply, Request},
    io::Target,
    tls::Certificates,
    wait,
};

fn get(path: &str) -> Request {
    Request::post(path).method("GET").body(Body::None)
}

/// The two servers, and a path that each of them has.
const SERVERS: [(&str, &str); 2] = [("health_check", "/"), ("zpages", "/debug/servicez")];

/// A gateway with one extension for each id and its keys, and their ports.
async fn start(runtime: Runtime, extensions: &[(&str, &str)]) -> (Gateway, Vec<Port>) {
    let ports: Vec<Port> = extensions.iter().map(|_| Port::free()).collect();
    let blocks = extensions
        .iter()
        .zip(&ports)
        .map(|((id, keys), port)| format!("{id}: {{endpoint: '127.0.0.1:{port}', {keys}}}"));
    (gateway(runtime, blocks.collect()).await, ports)
}

async fn gateway(runtime: Runtime, blocks: Vec<String>) -> Gateway {
    let ids: Vec<&str> = blocks
        .iter()
        .filter_map(|block| block.split(": ").next())
        .collect();
    let yaml = format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{}'}}}}}}}}\nexporters: {{nop: }}\n\
         extensions: {{{}}}\nservice: {{extensions: [{}], pipelines: {{traces: {{receivers: [otlp], exporters: [nop]}}}}}}",
        Port::free(),
        blocks.join(", "),
        ids.join(", ")
    );
    Launch::new(runtime, &yaml).start().await
}

/// An answer over TLS, or what kept it away.
async fn over_tls(
    port: &Port,
    config: std::sync::Arc<rustls::ClientConfig>,
    path: &str,
) -> std::io::Result<Reply> {
    // A handshake that fails is an error of `open`; one that the server refuses afterwards, of the reply.
    let stream = Target::Tls(port.address(), config).connect().await?;
    let mut connection = Connection::over(stream);
    connection.write(&http::encode(&get(path))).await?;
    connection.reply().await
}

both_runtimes! {
    // tls: both versions of HTTP by ALPN, nothing in plain text; client_ca_file asks for a certificate; a renewed one is served.
    async fn pages_are_served_under_tls(runtime: Runtime) {
        for (id, path) in SERVERS {
            let certificates = Certificates::new();
            let file = |name: &str| certificates.file(name).display().to_string();
            let keys = format!(
                "tls: {{cert_file: '{}', key_file: '{}', client_ca_file: '{}', reload_interval: 100ms}}",
                file("server.pem"), file("server.key"), file("ca.pem")
            );
            let (_gateway, ports) = start(runtime, &[(id, &keys)]).await;
            let port = &ports[0];
            let config = certificates.client(true, &["http/1.1"]);
            assert_eq!(over_tls(port, config.clone(), path).await.unwrap().status, 200, "{id}");
            let over_h2 = grpc::Client::connect(Target::Tls(port.address(), certificates.client(true, &["h2"]))).await;
            assert_eq!(over_h2.call(&Call::export(trunkline_tests::Signal::Traces, b"").path(path)).await.http, 200, "{id}");
            assert!(over_tls(port, certificates.client(false, &["http/1.1"]), path).await.is_err(), "{id}");
            let mut plain = Connection::open(port).await;
            plain.write(&http::encode(&get(path))).await.unwrap();
            assert!(plain.reply().await.is_err(), "{id}");
            let renewed = certificates.renew_server();
            eventually("the renewed certificate", async || {
                (trunkline_tests::tls::served_certificate(port, config.clone()).await == renewed).then_some(())
            })
            .await;
        }
    }

    // transport: unix; the socket goes with the gateway.
    async fn pages_are_served_on_unix_sockets(runtime: Runtime) {
        for (id, path) in SERVERS {
            let folder = tempfile::tempdir().unwrap();
            let socket = folder.path().join("page.sock");
            let block = format!("{id}: {{endpoint: '{}', transport: unix}}", socket.display());
            let gateway = gateway(runtime, vec![block]).await;
            assert_eq!(http::send(Target::Unix(socket.clone()), &get(path)).await.status, 200, "{id}");
            assert_eq!(gateway.stop().await.code(), 0);
            assert!(!socket.exists(), "{id}");
        }
    }

    // read_header_timeout, read_timeout, keepalive: connections that ask nothing, or not to the end, are closed.
    async fn pages_close_connections_that_wait(runtime: Runtime) {
        let half = "GET / HTTP/1.1\r\nHo";
        let cases = [
            ("health_check/silent", "read_header_timeout: 200ms", None, ""),
            ("health_check/head", "read_header_timeout: 200ms", None, half),
            ("health_check/read", "read_header_timeout: 0s, read_timeout: 200ms", None, half),
            ("health_check/idle", "keepalive: {idle_timeout: 200ms}", Some("/"), ""),
            ("health_check/old", "idle_timeout: 200ms", Some("/"), ""),
            ("health_check/off", "keepalive: {enabled: false}", Some("/"), ""),
            ("zpages/silent", "read_header_timeout: 200ms", None, ""),
            ("zpages/read", "read_header_timeout: 0s, read_timeout: 200ms", None, half),
            ("zpages/idle", "keepalive: {idle_timeout: 200ms}", Some("/debug/servicez"), ""),
        ];
        let (_gateway, ports) = start(runtime, &cases.map(|(id, keys, ..)| (id, keys))).await;
        for ((id, _, used, begun), port) in cases.iter().zip(&ports) {
            let mut connection = Connection::open(port).await;
            if let Some(path) = used {
                assert_eq!(connection.send(&get(path)).await.status, 200, "{id}");
            }
            connection.write(begun.as_bytes()).await.unwrap();
            assert!(connection.closed().await, "{id}");
        }
    }

    // write_timeout: a caller that reads nothing holds its connection no longer than that.
    async fn a_page_that_nobody_reads_is_given_up(runtime: Runtime) {
        let long = format!("write_timeout: 200ms, response_body: {{healthy: '{}'}}", "x".repeat(100_000));
        let (_gateway, ports) = start(runtime, &[("health_check", &long), ("zpages", "write_timeout: 200ms")]).await;
        for (port, path) in ports.iter().zip(["/", "/"]) {
            let mut connection = Connection::open(port).await;
            // More answers than the sockets' buffers take.
            let many = http::encode(&get(path)).repeat(2_000);
            let ended = async { while connection.write(&many).await.is_ok() {} };
            wait::within("the end of the connection", ended).await;
        }
    }

    // zpages: content codings, cross-origin requests and headers as for any server of the Collector's;
    // health_check puts its own handler in their place, and so they do nothing there.
    async fn what_stands_before_a_page_is_the_collectors(runtime: Runtime) {
        for (id, path) in SERVERS {
            let keys = "cors: {allowed_origins: ['http://a.example'], max_age: 60}, \
                        response_headers: {x-a: b, content-type: none}, compression_algorithms: ['', gzip]";
            let (_gateway, ports) = start(runtime, &[(id, keys)]).await;
            let port = &ports[0];
            let acts = id == "zpages";
            let plain = http::send(port, &get(path)).await;
            assert_eq!((plain.status, plain.header("x-a")), (200, acts.then_some("b")), "{id}");
            assert_ne!(plain.header("content-type"), Some("none"), "{id}");
            let origin = get(path).with("Origin", "http://a.example");
            let allowed = http::send(port, &origin).await;
            let allow = "access-control-allow-origin";
            assert_eq!(allowed.header(allow), acts.then_some("http://a.example"), "{id}");
            let preflight = origin.method("OPTIONS").with("Access-Control-Request-Method", "GET");
            let leave = http::send(port, &preflight).await;
            assert_eq!(leave.status, if acts { 204 } else { 200 }, "{id}");
            assert_eq!(leave.header("access-control-max-age"), acts.then_some("60"), "{id}");
            let coded = http::send(port, &get(path).with("Content-Encoding", "zstd")).await;
            if acts {
                assert_eq!((coded.status, coded.text().as_str()), (400, "unsupported Content-Encoding: zstd\n"));
                assert_eq!((coded.header("x-a"), coded.header("x-content-type-options")), (Some("b"), Some("nosniff")));
            } else {
                assert_eq!(coded.status, 200);
            }
        }
    }

    // Several health_check extensions are ready together.
    async fn every_health_check_is_answered(runtime: Runtime) {
        let (gateway, ports) = start(runtime, &[("health_check", ""), ("health_check/two", "")]).await;
        for port in &ports {
            assert_eq!(http::send(port, &get("/")).await.status, 200);
        }
        assert_eq!(gateway.stop().await.code(), 0);
    }
}
