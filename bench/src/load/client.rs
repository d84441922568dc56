//! One request over gRPC or HTTP/1, on connections that are made again when they break.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use tokio::sync::Mutex;
use trunkline_proto::Signal;

use super::Protocol;
use crate::error::Error;
use crate::generate::{Compression, Encoding, Shape};
use crate::sink::HyperIo;
use crate::{net, wire};

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Taken, but for this many items (`partial_success`).
    Accepted {
        /// Items that were not taken.
        rejected: u64,
    },
    /// Refused; `grpc 14`, `http 503`.
    Refused(String),
    /// The connection broke: nobody knows.
    Broken(String),
}

enum Sender {
    Grpc(SendRequest<Bytes>),
    Http(http1::SendRequest<Full<Bytes>>),
}

/// A connection to the gateway.
pub struct Connection {
    to: SocketAddr,
    protocol: Protocol,
    head: Request<()>,
    frame_size: Option<usize>,
    grpc: RefCell<Option<SendRequest<Bytes>>>,
    /// HTTP/1 carries one request at a time, so callers queue here.
    http: Mutex<Option<http1::SendRequest<Full<Bytes>>>>,
    connecting: Mutex<()>,
    /// Counts the times it was made, so that one break is repaired once.
    made: Cell<u64>,
}

fn head(to: SocketAddr, protocol: Protocol, shape: &Shape) -> Result<Request<()>, Error> {
    let path = match (protocol, shape.signal) {
        (Protocol::Http, Signal::Traces) => "/v1/traces",
        (Protocol::Http, Signal::Metrics) => "/v1/metrics",
        (Protocol::Http, Signal::Logs) => "/v1/logs",
        (Protocol::Http, Signal::Profiles) => "/v1development/profiles",
        (_, Signal::Traces) => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        (_, Signal::Metrics) => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        (_, Signal::Logs) => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        (_, Signal::Profiles) => {
            "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
        }
    };
    let uri = match protocol {
        Protocol::Http => Uri::builder().path_and_query(path).build(),
        _ => Uri::builder()
            .scheme("http")
            .authority(to.to_string())
            .path_and_query(path)
            .build(),
    };
    let mut b = Request::builder()
        .method(Method::POST)
        .uri(uri.map_err(|e| Error::Usage(format!("no URI for {to}: {e}")))?)
        .header(
            "user-agent",
            concat!("trunkline-bench/", env!("CARGO_PKG_VERSION")),
        );
    let compressed = shape.compression != Compression::None;
    if protocol == Protocol::Http {
        b = b.header("host", to.to_string()).header(
            "content-type",
            match shape.encoding {
                Encoding::Json => "application/json",
                Encoding::Protobuf => "application/x-protobuf",
            },
        );
        if compressed {
            b = b.header("content-encoding", shape.compression.name());
        }
    } else {
        b = b
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if compressed {
            b = b.header("grpc-encoding", shape.compression.name());
        }
    }
    b.body(())
        .map_err(|e| Error::Usage(format!("no request to {to}: {e}")))
}

impl Connection {
    /// Prepares a connection; it is made by the first request.
    pub fn new(
        to: SocketAddr,
        protocol: Protocol,
        shape: &Shape,
        frame_size: Option<usize>,
    ) -> Result<Self, Error> {
        Ok(Connection {
            to,
            protocol,
            head: head(to, protocol, shape)?,
            frame_size,
            grpc: RefCell::new(None),
            http: Mutex::new(None),
            connecting: Mutex::new(()),
            made: Cell::new(0),
        })
    }

    /// Connects, trying again until `timeout`.
    pub async fn ready(&self, timeout: Duration) -> Result<(), Error> {
        let since = Instant::now();
        loop {
            let last = match self.make().await {
                Ok(Sender::Grpc(sender)) => {
                    *self.grpc.borrow_mut() = Some(sender);
                    return Ok(());
                }
                Ok(Sender::Http(sender)) => {
                    *self.http.lock().await = Some(sender);
                    return Ok(());
                }
                Err(e) => e,
            };
            if since.elapsed() >= timeout {
                return Err(last);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn make(&self) -> Result<Sender, Error> {
        let stream = net::connect(self.to).await?;
        self.made.set(self.made.get() + 1);
        if self.protocol == Protocol::Http {
            let (sender, connection) = http1::handshake(HyperIo::new(stream))
                .await
                .map_err(|e| Error::Http1(format!("greeting {}", self.to), e))?;
            // What breaks the connection also fails the request on it.
            tokio::task::spawn_local(async move { drop(connection.await) });
            return Ok(Sender::Http(sender));
        }
        let (sender, connection) = net::client()
            .handshake::<_, Bytes>(stream)
            .await
            .map_err(Error::http2(format!("greeting {}", self.to)))?;
        tokio::task::spawn_local(async move { drop(connection.await) });
        Ok(Sender::Grpc(sender))
    }

    /// Sends one body and waits for its answer.
    pub async fn send(&self, body: Bytes) -> Outcome {
        let end = match self.protocol {
            Protocol::Http => self.http(body).await,
            Protocol::Grpc | Protocol::Raw => self.grpc(body).await,
        };
        end.unwrap_or_else(|e| Outcome::Broken(e.to_string()))
    }

    async fn http(&self, body: Bytes) -> Result<Outcome, Error> {
        let mut slot = self.http.lock().await;
        if slot.is_none()
            && let Sender::Http(sender) = self.make().await?
        {
            *slot = Some(sender);
        }
        let Some(sender) = slot.as_mut() else {
            return Err(Error::Measure("no connection".to_owned()));
        };
        let (head, ()) = self.head.clone().into_parts();
        let sending = async {
            sender.ready().await?;
            let response = sender
                .send_request(Request::from_parts(head, Full::new(body)))
                .await?;
            let status = response.status();
            let message = response.into_body().collect().await?.to_bytes();
            Ok((status, message))
        };
        match sending.await {
            Ok((status, message)) if status.is_success() => Ok(Outcome::Accepted {
                rejected: if message.first() == Some(&b'{') {
                    crate::json::rejected(&message)
                } else {
                    wire::rejected(&message)
                },
            }),
            Ok((status, _)) => Ok(Outcome::Refused(format!("http {}", status.as_u16()))),
            Err(e) => {
                *slot = None;
                Err(Error::Http1(format!("the gateway at {}", self.to), e))
            }
        }
    }

    async fn grpc(&self, body: Bytes) -> Result<Outcome, Error> {
        let broken = || Error::http2(format!("the gateway at {}", self.to));
        let sender = self.grpc.borrow().clone();
        let sender = match sender {
            Some(sender) => sender,
            None => self.grpc_again().await?,
        };
        let made = self.made.get();
        let end = self.grpc_on(sender, body).await;
        if end.as_ref().is_err_and(|e| !e.is_reset() || e.is_go_away()) && made == self.made.get() {
            *self.grpc.borrow_mut() = None;
        }
        end.map_err(broken())
    }

    async fn grpc_again(&self) -> Result<SendRequest<Bytes>, Error> {
        let _one = self.connecting.lock().await;
        let there = self.grpc.borrow().clone();
        match there {
            Some(sender) => Ok(sender),
            None => match self.make().await? {
                Sender::Grpc(sender) => {
                    *self.grpc.borrow_mut() = Some(sender.clone());
                    Ok(sender)
                }
                Sender::Http(_) => Err(Error::Measure("no connection".to_owned())),
            },
        }
    }

    async fn grpc_on(
        &self,
        sender: SendRequest<Bytes>,
        mut body: Bytes,
    ) -> Result<Outcome, h2::Error> {
        let (answer, mut stream) = sender
            .ready()
            .await
            .and_then(|mut sender| sender.send_request(self.head.clone(), false))?;
        let frame = self.frame_size.unwrap_or(usize::MAX);
        while body.len() > frame {
            stream.send_data(body.split_to(frame), false)?;
        }
        stream.send_data(body, true)?;
        let (head, mut body) = answer.await?.into_parts();
        let mut message = Vec::new();
        while let Some(piece) = body.data().await {
            let piece = piece?;
            let _ = body.flow_control().release_capacity(piece.len());
            message.extend_from_slice(&piece);
        }
        let trailers = body.trailers().await?;
        let code = |h: &HeaderMap| Some(h.get("grpc-status")?.to_str().ok()?.to_owned());
        Ok(match code(&head.headers).or_else(|| code(&trailers?)) {
            Some(code) if code == "0" => Outcome::Accepted {
                rejected: wire::rejected(message.get(5..).unwrap_or_default()),
            },
            Some(code) => Outcome::Refused(format!("grpc {code}")),
            None => Outcome::Refused(format!("http {}", head.status.as_u16())),
        })
    }
}
