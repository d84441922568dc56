//! The servers over real connections on the loopback interface.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use ::http::Request;
use tokio::sync::watch;
use trunkline_proto::Signal;

use super::{
    http::{self as server, Handler, Server},
    metrics::MetricsEndpoint,
    *,
};
use crate::component::GoDuration;
use crate::net::compression::{Codec, Inflater};
use crate::net::{
    config::{Address, HttpServer},
    listen::Bound,
};
use crate::telemetry::{
    Destination, ExporterMetrics, Ledger, Level, ReceiverMetrics, Registry, metrics::Page,
};

/// A server on a port of its own until it is dropped.
struct Running {
    address: std::net::SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    fn new<H: Handler + Send>(handler: H) -> Running {
        Running::with(handler, HttpServer::default(), |server| server)
    }

    /// With other keys of the server, and a last hand on it.
    fn with<H: Handler + Send>(
        handler: H,
        keys: HttpServer,
        adjust: fn(Server) -> Server,
    ) -> Running {
        let (stop, stopped) = watch::channel(false);
        let (bound, address) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let keys = HttpServer {
                address: Address::tcp("localhost:0"),
                ..keys
            };
            on_this_thread(async {
                let server = Server::listen(&keys).unwrap().with_front(&keys).unwrap();
                bound.send(server.bound().clone()).unwrap();
                adjust(server).serve(Arc::new(handler), stopped).await;
            });
        });
        let Bound::Tcp(address) = address.recv().unwrap() else {
            panic!("not an address");
        };
        Running {
            address,
            stop,
            thread: Some(thread),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    /// Status line and headers, and the body, of one request on a connection of its own.
    fn ask(&self, request: &str) -> (String, Vec<u8>) {
        let mut stream = self.connect();
        write!(
            stream,
            "{request}\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer
            .windows(4)
            .position(|bytes| bytes == b"\r\n\r\n")
            .unwrap();
        let body = answer.split_off(end + 4);
        (String::from_utf8(answer).unwrap(), body)
    }

    fn text(&self, path: &str) -> (String, String) {
        let (head, body) = self.ask(&format!("GET {path} HTTP/1.1"));
        (head, String::from_utf8(body).unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// As on the control thread.
fn on_this_thread<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap()
        .block_on(future)
}

fn listen(address: &str) -> Result<Bound, String> {
    let keys = HttpServer {
        address: Address::tcp(address),
        ..HttpServer::default()
    };
    on_this_thread(async { Server::listen(&keys).map(|server| server.bound().clone()) })
}

fn counted() -> (Arc<Registry>, ReceiverMetrics) {
    let registry = Arc::new(Registry::new(Level::Normal));
    let receiver = ReceiverMetrics::new(&registry, 0, "otlp", "grpc");
    receiver.accepted(Signal::Traces, 5);
    (registry, receiver)
}

#[test]
fn metrics_are_served_on_one_path_in_one_format() {
    let (registry, _receiver) = counted();
    let running = Running::new(MetricsEndpoint::new(registry, Page::default()));
    let line = "otelcol_receiver_accepted_spans{receiver=\"otlp\",transport=\"grpc\"} 5\n";
    for request in [
        "GET /metrics HTTP/1.1",
        "POST /metrics HTTP/1.1\r\nContent-Length: 0",
        "GET /metrics?x=y HTTP/1.1\r\nAccept: application/openmetrics-text",
        "GET /metrics HTTP/1.1\r\nAccept-Encoding: gzip;q=0, br",
    ] {
        let (head, body) = running.ask(request);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(
            head.contains(
                "content-type: text/plain; version=0.0.4; charset=utf-8; escaping=underscores\r\n"
            ),
            "{head}"
        );
        assert!(String::from_utf8(body).unwrap().contains(line));
    }
    let (head, body) = running.text("/");
    assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{head}");
    assert!(
        head.contains("content-type: text/plain; charset=utf-8\r\n"),
        "{head}"
    );
    assert_eq!(body, "404 page not found\n");
    let (head, body) = running.ask("HEAD /metrics HTTP/1.1");
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && body.is_empty(),
        "{head}"
    );

    let (head, body) = running.ask("GET /metrics HTTP/1.1\r\nAccept-Encoding: deflate, GZIP;q=0.5");
    assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
    let mut plain = Vec::new();
    Inflater::new()
        .inflate(Codec::Gzip, &body, 1 << 20, &mut plain, |_| Ok(()))
        .unwrap();
    assert!(String::from_utf8(plain).unwrap().contains(line));
}

#[test]
fn connections_headers_and_waits_are_bounded() {
    let keys = HttpServer {
        read_header_timeout: GoDuration::millis(200),
        ..HttpServer::default()
    };
    let (registry, _receiver) = counted();
    let running = Running::with(
        MetricsEndpoint::new(registry, Page::default()),
        keys,
        |server| server.with_connections(2),
    );
    // Two that say nothing hold every place; they are sent away, and others are served.
    let silent = [running.connect(), running.connect()];
    let (head, _) = running.text("/metrics");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    for mut stream in silent {
        let mut rest = Vec::new();
        // A reset is as good as an end.
        let _ = stream.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }
    let mut stream = running.connect();
    let mut answer = Vec::new();
    // The server stops reading at its limit: a reset is as good as the status 431.
    let _ =
        stream.write_all(format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(1 << 20)).as_bytes());
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"));
}

#[test]
fn an_address_in_use_is_said_as_go_says_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = listen(&address.to_string()).unwrap_err();
    assert_eq!(
        error,
        format!("listen tcp {address}: bind: address already in use")
    );
}

#[test]
fn a_server_that_is_told_to_stop_lets_go_of_its_port() {
    let (registry, _receiver) = counted();
    let running = Running::new(MetricsEndpoint::new(registry, Page::default()));
    let address = running.address;
    let idle = running.connect();
    drop(running);
    assert_eq!(listen(&address.to_string()), Ok(Bound::Tcp(address)));
    drop(idle);
}

fn component(id: &str) -> ComponentRef {
    ComponentRef {
        id: id.to_owned(),
        connector: false,
    }
}

fn status() -> Status {
    Status {
        build: BuildInfo {
            command: "trunkline".to_owned(),
            description: "Trunkline".to_owned(),
            version: "0.1.0".to_owned(),
        },
        started: SystemTime::now() - Duration::from_secs(90),
        ready: true,
        runtime: "epoll".to_owned(),
        runtime_reason: "io_uring is not permitted".to_owned(),
        cores: vec![Core {
            index: 0,
            cpu: Some(2),
            cpu_seconds: 1.5,
        }],
        memory: Memory {
            used: 10,
            budget: 1000,
        },
        listeners: vec![Listener {
            component: "otlp".to_owned(),
            protocol: "gRPC".to_owned(),
            address: "127.0.0.1:4317".to_owned(),
        }],
        pipelines: vec![Pipeline {
            id: "traces/<b>".to_owned(),
            signal: "traces".to_owned(),
            receivers: vec![component("otlp")],
            processors: vec![component("memory_limiter"), component("batch")],
            exporters: vec![
                component("otlp_grpc"),
                ComponentRef {
                    id: "forward".to_owned(),
                    connector: true,
                },
            ],
        }],
        extensions: vec!["health_check".to_owned()],
        gates: vec![FeatureGate {
            id: "service.profilesSupport".to_owned(),
            enabled: false,
            stage: "Alpha".to_owned(),
            description: "profiles".to_owned(),
        }],
        data_dir: Some("./trunkline-data".to_owned()),
        config: vec!["file:gateway.yaml".to_owned()],
    }
}

#[test]
fn the_admin_page_shows_the_gateway_as_it_is() {
    let (registry, receiver) = counted();
    let exporter = ExporterMetrics::new(&registry, 0, "otlp_grpc", &Destination::default());
    exporter.sent(Signal::Traces, 3);
    let ledger = Ledger::new(registry.clone());
    let pipeline = ledger.pipeline(0, "traces/<b>");
    let held = pipeline.enter(5);
    pipeline.sent(3);
    pipeline.dropped("filter", 1);
    let running = Running::new(AdminPages::new(status, registry.clone()));

    let (head, page) = running.text("/");
    assert!(
        head.starts_with("HTTP/1.1 200") && head.contains("text/html; charset=utf-8"),
        "{head}"
    );
    assert!(
        head.contains("content-security-policy: default-src 'none'"),
        "{head}"
    );
    assert!(
        !page.contains("https://"),
        "the page loads nothing from elsewhere"
    );

    let (head, document) = running.text("/api/v1/status");
    assert!(head.contains("content-type: application/json"), "{head}");
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["ready"], true);
    assert_eq!(document["listeners"][0]["address"], "127.0.0.1:4317");
    assert_eq!(document["pipelines"][0]["processors"][1]["id"], "batch");
    assert_eq!(document["pipelines"][0]["exporters"][1]["connector"], true);
    assert_eq!(
        document["components"]["receiver"]["otlp"]["traces"]["accepted"],
        5.0
    );
    assert_eq!(
        document["components"]["exporter"]["otlp_grpc"]["traces"]["sent"],
        3.0
    );
    assert_eq!(
        document["ledger"]["traces/<b>"],
        serde_json::json!({"received": 5, "sent": 3, "refused": 0, "dropped": {"filter": 1}, "held": 5, "difference": -4})
    );
    assert!(document["memory"]["resident"].as_f64().unwrap() > 0.0);
    drop((held, receiver));
}

#[test]
fn the_zpages_are_where_the_collector_has_them() {
    let (registry, _receiver) = counted();
    let running = Running::new(AdminPages::new(status, registry));
    for (path, parts) in [
        (
            "/debug/servicez",
            &["Service trunkline", "Build Info", "0.1.0", "epoll"][..],
        ),
        (
            "/debug/pipelinez",
            &[
                "builtPipelines",
                "traces/&lt;b&gt;",
                "memory_limiter → batch",
                "otlp_grpc<br>forward (connector)",
            ],
        ),
        (
            "/debug/pipelinez?pipelinenamez=traces&componentnamez=a%2F%3Cb%3E&componentkindz=processor",
            &["<h4>processor: traces/a/&lt;b&gt;</h4>"],
        ),
        ("/debug/extensionz", &["Extensions", "health_check"]),
        (
            "/debug/featurez",
            &["Feature Gates", "service.profilesSupport", "Alpha", "false"],
        ),
    ] {
        let (head, page) = running.text(path);
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        for part in parts {
            assert!(page.contains(part), "{path}: {part} is not in\n{page}");
        }
    }
    for path in ["/debug/tracez", "/debug/expvarz", "/debug", "/favicon.ico"] {
        assert!(running.text(path).0.starts_with("HTTP/1.1 404"), "{path}");
    }
}

#[test]
fn one_connection_serves_request_after_request() {
    let (registry, _receiver) = counted();
    let running = Running::new(|request: &Request<()>| {
        server::page(
            ::http::StatusCode::OK,
            "text/plain",
            request.uri().path().to_owned(),
        )
    });
    let mut stream = running.connect();
    for n in 0..3 {
        write!(stream, "GET /{n} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(format!("\r\n\r\n/{n}").as_bytes()) {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
    }
    drop(registry);
}
