//! The exporter against small servers: what goes out, and what comes of what
//! comes back.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use trunkline_proto::json;

use super::*;
use crate::{exporters::testing, net::config::Compression};

/// A request as a server saw it.
#[derive(Clone, Debug)]
struct Seen {
    /// Number of the connection.
    connection: usize,
    /// Request line and headers.
    head: String,
    body: Vec<u8>,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

#[derive(Default)]
struct Script {
    answers: VecDeque<String>,
    seen: Vec<Seen>,
    connections: usize,
}

/// A server that answers with what it is told, in order, and then with success. An empty answer
/// closes the connection. It ends with the process.
#[derive(Clone)]
struct Server {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

impl Server {
    fn start(answers: &[&str]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            address: listener.local_addr().unwrap(),
            script: Arc::new(Mutex::new(Script {
                answers: answers.iter().map(|a| (*a).to_owned()).collect(),
                ..Script::default()
            })),
        };
        let of_thread = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let server = of_thread.clone();
                std::thread::spawn(move || server.serve(stream.unwrap()));
            }
        });
        server
    }

    fn serve(&self, stream: TcpStream) {
        let connection = {
            let mut script = self.script.lock().unwrap();
            script.connections += 1;
            script.connections
        };
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut stream = stream;
        loop {
            let mut head = String::new();
            loop {
                let before = head.len();
                if reader.read_line(&mut head).unwrap_or(0) == 0 {
                    return;
                }
                if &head[before..] == "\r\n" {
                    break;
                }
            }
            let mut seen = Seen {
                connection,
                head,
                body: Vec::new(),
            };
            let length = seen
                .header("content-length")
                .map_or(0, |n| n.parse().unwrap());
            seen.body.resize(length, 0);
            reader.read_exact(&mut seen.body).unwrap();
            let answer = {
                let mut script = self.script.lock().unwrap();
                script.seen.push(seen);
                script.answers.pop_front()
            };
            let answer = answer.unwrap_or_else(|| reply(200, "", ""));
            if answer.is_empty() || stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn seen(&self) -> Vec<Seen> {
        self.script.lock().unwrap().seen.clone()
    }
}

fn reply(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn config(endpoint: String, change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    config.client.endpoint = endpoint;
    config.client.compression = Compression::None;
    config.retry_on_failure.initial_interval = crate::component::GoDuration::millis(1);
    change(&mut config);
    config
}

/// The exporter as the graph builds it.
fn built(core: &CoreContext, config: &Config, signal: Signal) -> Result<Rc<dyn Consumer>, String> {
    let tls = prepare(config)?;
    build(&testing::id("otlp_http"), config, signal, core, &tls)
}

/// Exports one request after the other.
fn export(config: &Config, batches: Vec<Batch>) -> (Vec<Outcome>, CoreContext) {
    let core = testing::core();
    let outcomes = testing::run(async {
        let exporter = built(&core, config, Signal::Logs).unwrap();
        let context = testing::context();
        let mut outcomes = Vec::new();
        for batch in batches {
            outcomes.push(exporter.consume(batch, &context).await);
        }
        outcomes
    });
    (outcomes, core)
}

fn one(config: &Config) -> Outcome {
    export(config, vec![testing::logs(&[("a", 1)])]).0.remove(0)
}

fn refusal(outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

/// collector.md §3.3: POST, the path of the signal, the type of the encoding; §2.4: headers.
#[test]
fn a_request_is_posted_in_either_encoding() {
    let batch = testing::logs(&[("a", 1)]);
    let mut text = Vec::new();
    json::from_protobuf(Signal::Logs, &batch.to_protobuf(), &mut text).unwrap();
    for (encoding, kind, body) in [
        (
            Encoding::Proto,
            "application/x-protobuf",
            batch.to_protobuf().to_vec(),
        ),
        (Encoding::Json, "application/json", text),
    ] {
        let server = Server::start(&[]);
        let config = config(format!("http://u:p@{}/base/", server.address), |config| {
            config.encoding = encoding;
        });
        assert_eq!(one(&config), Outcome::Accepted);
        let seen = server.seen().remove(0);
        assert!(
            seen.head.starts_with("POST /base/v1/logs HTTP/1.1\r\n"),
            "{}",
            seen.head
        );
        assert_eq!(seen.header("content-type"), Some(kind));
        assert_eq!(seen.header("content-encoding"), None);
        assert_eq!(
            seen.header("host"),
            Some(server.address.to_string().as_str())
        );
        assert_eq!(seen.header("authorization"), Some("Basic dTpw"));
        assert!(seen.header("user-agent").unwrap().starts_with("trunkline/"));
        assert_eq!(seen.body, body);
    }
}

#[test]
fn bodies_are_compressed_as_configured() {
    let batch = testing::logs(&[("a", 50)]);
    for (compression, name) in [
        (Compression::Gzip, "gzip"),
        (Compression::Zstd, "zstd"),
        (Compression::Deflate, "deflate"),
        (Compression::Snappy, "snappy"),
        (Compression::Lz4, "lz4"),
    ] {
        let server = Server::start(&[]);
        let config = config(format!("http://{}", server.address), |config| {
            config.client.compression = compression;
        });
        let (outcomes, core) = export(&config, vec![batch.clone()]);
        assert_eq!(outcomes, [Outcome::Accepted]);
        let seen = server.seen().remove(0);
        assert_eq!(seen.header("content-encoding"), Some(name));
        let mut inflated = Vec::new();
        core.inflater
            .borrow_mut()
            .inflate(
                Codec::from_config(name).unwrap(),
                &seen.body,
                1 << 20,
                &mut inflated,
                |_| Ok(()),
            )
            .unwrap();
        assert_eq!(inflated, batch.to_protobuf());
        let page = testing::scrape(&core);
        assert!(
            page.contains("otelcol_exporter_sent_log_records_total{"),
            "{page}"
        );
        assert!(page.contains("url_path=\"/v1/logs\"} 50"), "{page}");
    }
}

#[test]
fn an_endpoint_of_its_own_is_used_as_it_is() {
    let server = Server::start(&[]);
    let config = config(String::new(), |config| {
        config.logs_endpoint = format!("http://{}/x?y=z", server.address);
    });
    assert_eq!(one(&config), Outcome::Accepted);
    assert!(
        server.seen()[0]
            .head
            .starts_with("POST /x?y=z HTTP/1.1\r\n")
    );
    let core = testing::core();
    let error = built(&core, &config, Signal::Traces).err();
    assert_eq!(
        error.as_deref(),
        Some("either endpoint or traces_endpoint must be specified")
    );
}

/// collector.md §2.4 and §3.3: 429, 502, 503 and 504 are tried again, others are not; a connection
/// that is closed is tried again.
#[test]
fn what_can_be_cured_is_tried_again() {
    let full = reply(429, "Retry-After: 0\r\n", "");
    let server = Server::start(&[&full, &reply(502, "", ""), "", &reply(504, "", "")]);
    let config = config(format!("http://{}", server.address), |_| {});
    assert_eq!(one(&config), Outcome::Accepted);
    assert_eq!(server.seen().len(), 5);

    let server = Server::start(&[
        &reply(500, "", ""),
        &reply(503, "Retry-After: 3600\r\n", ""),
    ]);
    let config = self::config(format!("http://{}", server.address), |_| {});
    let (outcomes, core) = export(&config, vec![testing::logs(&[("a", 2)]); 2]);
    let refusals: Vec<Refusal> = outcomes.into_iter().map(refusal).collect();
    assert_eq!(
        refusals[0].message,
        format!(
            "error exporting items, request to http://{}/v1/logs responded with HTTP Status Code 500, Message=, Details=[]",
            server.address
        )
    );
    assert!(!refusals[0].retryable);
    // The hint is beyond what the caller waits.
    assert!(refusals[1].retryable);
    assert_eq!(refusals[1].retry_after, Some(Duration::from_secs(3600)));
    assert_eq!(server.seen().len(), 2);
    assert!(testing::scrape(&core).contains("error_type=\"Unknown\""));
}

#[test]
fn nobody_listening_is_said_as_go_says_it() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let config = config(format!("http://u:secret@{address}"), |config| {
        config.retry_on_failure.enabled = false;
    });
    let refusal = refusal(one(&config));
    assert_eq!(
        refusal.message,
        format!(
            "failed to make an HTTP request: Post \"http://u:xxxxx@{address}/v1/logs\": dial tcp {address}: connect: connection refused"
        )
    );
    assert_eq!((refusal.code, refusal.retryable), (Code::Unavailable, true));
}

/// collector.md §2.4: redirects are followed; method and body stay with 307 and 308.
#[test]
fn redirects_are_followed_with_the_body() {
    let other = Server::start(&[]);
    let there = format!("Location: http://{}/there\r\n", other.address);
    let here = reply(308, "Location: /here\r\n", "");
    let server = Server::start(&[&here, &reply(307, &there, "")]);
    let config = config(format!("http://u:p@{}", server.address), |_| {});
    assert_eq!(one(&config), Outcome::Accepted);
    assert!(server.seen()[1].head.starts_with("POST /here "));
    let seen = other.seen().remove(0);
    assert!(seen.head.starts_with("POST /there "));
    assert_eq!(seen.body, testing::logs(&[("a", 1)]).to_protobuf());
    assert_eq!(seen.header("authorization"), None);

    let round = reply(307, "Location: /\r\n", "");
    let server = Server::start(&[round.as_str(); 20]);
    let config = self::config(format!("http://{}", server.address), |config| {
        config.retry_on_failure.enabled = false;
    });
    assert!(
        refusal(one(&config))
            .message
            .ends_with("stopped after 10 redirects")
    );
    let server = Server::start(&[&reply(302, "Location: /\r\n", "")]);
    let config = self::config(format!("http://{}", server.address), |_| {});
    assert!(
        refusal(one(&config))
            .message
            .ends_with("HTTP Status Code 302")
    );
}

#[test]
fn connections_are_used_again_and_replaced_when_the_server_closed_them() {
    let close = reply(200, "connection: close\r\n", "");
    let server = Server::start(&[&reply(200, "", ""), &reply(200, "", ""), &close]);
    let config = config(format!("http://{}", server.address), |config| {
        config.retry_on_failure.enabled = false;
    });
    let (outcomes, _) = export(&config, vec![testing::logs(&[("a", 1)]); 5]);
    assert_eq!(outcomes, vec![Outcome::Accepted; 5]);
    let connections: Vec<_> = server.seen().iter().map(|s| s.connection).collect();
    assert_eq!(connections, [1, 1, 1, 2, 2]);

    // Closed while idle, and not said before: noticed, and sent once more.
    let server = Server::start(&[&reply(200, "", ""), ""]);
    let config = self::config(format!("http://{}", server.address), |config| {
        config.retry_on_failure.enabled = false;
    });
    let (outcomes, _) = export(&config, vec![testing::logs(&[("a", 1)]); 2]);
    assert_eq!(outcomes, vec![Outcome::Accepted; 2]);
    let connections: Vec<_> = server.seen().iter().map(|s| s.connection).collect();
    assert_eq!(connections, [1, 1, 2]);
}

#[test]
fn no_more_connections_are_made_than_allowed() {
    let server = Server::start(&[]);
    let config = config(format!("http://{}", server.address), |config| {
        config.client.max_conns_per_host = 2;
    });
    let core = testing::core();
    testing::run(async {
        let exporter = built(&core, &config, Signal::Logs).unwrap();
        let context = testing::context();
        let requests = (0..20).map(|_| exporter.consume(testing::logs(&[("a", 1)]), &context));
        for outcome in futures_util::future::join_all(requests).await {
            assert_eq!(outcome, Outcome::Accepted);
        }
    });
    let connections = server.seen().iter().map(|s| s.connection).max();
    assert!(connections <= Some(2), "{connections:?}");
    assert_eq!(server.seen().len(), 20);
}

#[test]
fn an_answer_that_does_not_come_ends_with_the_timeout() {
    // Accepts, by the kernel's queue, and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = config(
        format!("http://{}", listener.local_addr().unwrap()),
        |config| {
            config.client.timeout = crate::component::GoDuration::millis(50);
            config.retry_on_failure.enabled = false;
        },
    );
    let refusal = refusal(one(&config));
    assert!(refusal.message.ends_with("context deadline exceeded"));
    assert_eq!(
        (refusal.code, refusal.retryable),
        (Code::DeadlineExceeded, true)
    );
}

#[test]
fn a_proxy_gets_the_whole_url() {
    let proxy = Server::start(&[]);
    let config = config("http://collector.invalid:4318".to_owned(), |config| {
        config.client.proxy_url = format!("http://a:b@{}", proxy.address);
    });
    assert_eq!(one(&config), Outcome::Accepted);
    let seen = proxy.seen().remove(0);
    assert!(
        seen.head
            .starts_with("POST http://collector.invalid:4318/v1/logs HTTP/1.1\r\n"),
        "{}",
        seen.head
    );
    assert_eq!(seen.header("host"), Some("collector.invalid:4318"));
    assert_eq!(seen.header("proxy-authorization"), Some("Basic YTpi"));

    // Over TLS it is asked for a tunnel.
    let proxy = Server::start(&[&reply(407, "", "")]);
    let config = self::config("https://collector.invalid".to_owned(), |config| {
        config.client.proxy_url = format!("http://{}", proxy.address);
        config.client.tls.insecure_skip_verify = true;
        config.retry_on_failure.enabled = false;
    });
    assert!(
        refusal(one(&config))
            .message
            .ends_with("the proxy refused: 407 X")
    );
    assert!(
        proxy.seen()[0]
            .head
            .starts_with("CONNECT collector.invalid:443 HTTP/1.1\r\n")
    );
}

#[test]
fn partial_success_is_counted() {
    let body = r#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"x"}}"#;
    let server = Server::start(&[&reply(200, "content-type: application/json\r\n", body)]);
    let config = config(format!("http://{}", server.address), |_| {});
    let (outcomes, core) = export(&config, vec![testing::logs(&[("a", 5)])]);
    assert_eq!(
        outcomes,
        [Outcome::Partial {
            rejected: 2,
            message: "x".into()
        }]
    );
    let page = testing::scrape(&core);
    assert!(page.contains("url_path=\"/v1/logs\"} 3"), "{page}");
}

/// A server over TLS that speaks HTTP/2 where it is asked for, else HTTP/1.1.
#[test]
fn tls_carries_http2_where_both_sides_can() {
    for (force, version) in [(true, "h2"), (false, "http/1.1")] {
        let server = Server::start(&[]);
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let mut tls = rustls::ServerConfig::builder_with_provider(
            rustls::crypto::ring::default_provider().into(),
        )
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certified.cert.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der())
                .unwrap(),
        )
        .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
        let core = testing::core();
        let (outcomes, spoken) = testing::run(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let spoken = Rc::new(std::cell::RefCell::new(Vec::new()));
            let of_server = spoken.clone();
            let behind = server.address;
            tokio::task::spawn_local(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let mut stream = acceptor.accept(stream).await.unwrap();
                    let protocol = stream.get_ref().1.alpn_protocol().unwrap().to_vec();
                    of_server
                        .borrow_mut()
                        .push(String::from_utf8(protocol.clone()).unwrap());
                    if protocol != b"h2" {
                        let mut plain = tokio::net::TcpStream::connect(behind).await.unwrap();
                        tokio::task::spawn_local(async move {
                            let _ = tokio::io::copy_bidirectional(&mut stream, &mut plain).await;
                        });
                        continue;
                    }
                    tokio::task::spawn_local(async move {
                        let mut connection = h2::server::handshake(stream).await.unwrap();
                        while let Some(request) = connection.accept().await {
                            let (request, mut respond) = request.unwrap();
                            tokio::task::spawn_local(async move {
                                assert_eq!(request.uri().path(), "/v1/logs");
                                let mut body = request.into_body();
                                while let Some(data) = body.data().await {
                                    let n = data.unwrap().len();
                                    body.flow_control().release_capacity(n).unwrap();
                                }
                                respond
                                    .send_response(http::Response::new(()), true)
                                    .unwrap();
                            });
                        }
                    });
                }
            });
            let config = config(format!("https://localhost:{port}"), |config| {
                config.client.tls.config.ca_pem =
                    crate::component::Opaque::new(certified.cert.pem());
                config.client.force_attempt_http2 = force;
            });
            let exporter = built(&core, &config, Signal::Logs).unwrap();
            let mut outcomes = Vec::new();
            for _ in 0..3 {
                let batch = testing::logs(&[("a", 3000)]);
                outcomes.push(exporter.consume(batch, &testing::context()).await);
            }
            let spoken = spoken.borrow().clone();
            (outcomes, spoken)
        });
        assert_eq!(outcomes, vec![Outcome::Accepted; 3]);
        assert_eq!(spoken, [version]);
    }
}
