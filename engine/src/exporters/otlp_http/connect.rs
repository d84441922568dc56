//! Making a connection: TCP, through a proxy's tunnel where there is one, TLS, and
//! the protocol that both sides agree on.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::url::Url;
use crate::{
    net::{self, hyper_io::HyperIo, transport::Transport},
    runtime::{self, Stream},
    telemetry::logs::os_error,
};

/// Longest that connecting may take, and the handshake after it (Go's default transport).
const DIAL: Duration = Duration::from_secs(30);
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Longest head of a proxy's answer, in bytes.
const PROXY_HEAD: usize = 8 << 10;

/// A connection that takes requests.
pub enum Connection {
    /// HTTP/1.1: one at a time.
    One(hyper::client::conn::http1::SendRequest<Full<Bytes>>),
    /// HTTP/2: many.
    Two(h2::client::SendRequest<Bytes>),
}

/// How connections are made.
pub struct Connector {
    tls: Arc<net::tls::SharedClient>,
    /// Ping after so long without anything, and close when it is not answered for so long.
    keepalive: Option<(Duration, Duration)>,
}

impl Connector {
    /// With these settings.
    pub fn new(
        tls: Arc<net::tls::SharedClient>,
        keepalive: Option<(Duration, Duration)>,
    ) -> Connector {
        Connector { tls, keepalive }
    }

    /// Connects to an address, to speak to the server of `url`; the address is that of `proxy`
    /// where there is one.
    ///
    /// # Errors
    /// The system's, the proxy's or TLS's, in Go's words where there are any.
    pub async fn connect(
        &self,
        address: SocketAddr,
        url: &Url,
        proxy: Option<&Url>,
    ) -> io::Result<Connection> {
        let mut stream = match runtime::timeout(DIAL, Stream::connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(e)) => {
                let text = format!("dial tcp {address}: connect: {}", os_error(&e));
                return Err(io::Error::new(e.kind(), text));
            }
            Err(runtime::Elapsed) => {
                let text = format!("dial tcp {address}: i/o timeout");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
        };
        if !url.https {
            return self.http1(Transport::Plain(stream)).await;
        }
        if let Some(proxy) = proxy {
            tunnel(&mut stream, url, proxy).await?;
        }
        let tls = self.tls.get().map_err(io::Error::other)?;
        let name = tls
            .server_name(&url.host)
            .map_err(|e| io::Error::other(e.to_string()))?;
        let connector = tokio_rustls::TlsConnector::from(tls.config.clone());
        let stream = runtime::timeout(HANDSHAKE, connector.connect(name, stream))
            .await
            .map_err(|_| io::Error::other("net/http: TLS handshake timeout"))??;
        let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let transport = Transport::TlsClient(Box::new(stream));
        if two {
            self.http2(transport).await
        } else {
            self.http1(transport).await
        }
    }

    async fn http1(&self, transport: Transport) -> io::Result<Connection> {
        let (sender, connection) =
            hyper::client::conn::http1::handshake::<_, Full<Bytes>>(HyperIo(transport))
                .await
                .map_err(io::Error::other)?;
        runtime::spawn(async move {
            // Who waits for an answer is told; nobody else wants to know.
            let _ = connection.await;
        });
        Ok(Connection::One(sender))
    }

    async fn http2(&self, transport: Transport) -> io::Result<Connection> {
        let (sender, mut connection) = h2::client::Builder::new()
            .enable_push(false)
            .handshake::<_, Bytes>(transport)
            .await
            .map_err(io::Error::other)?;
        let pings = self
            .keepalive
            .and_then(|keepalive| Some((keepalive, connection.ping_pong()?)));
        runtime::spawn(async move {
            let run = async {
                let _ = connection.await;
            };
            let Some(((every, timeout), mut pings)) = pings else {
                return run.await;
            };
            let keep = async {
                loop {
                    runtime::sleep(every).await;
                    let pong = pings.ping(h2::Ping::opaque());
                    if runtime::timeout(timeout, pong).await.is_err() {
                        break;
                    }
                }
            };
            futures_lite::future::or(run, keep).await;
        });
        Ok(Connection::Two(sender))
    }
}

/// Asks a proxy for a tunnel (RFC 9110 §9.3.6).
async fn tunnel(stream: &mut Stream, url: &Url, proxy: &Url) -> io::Result<()> {
    let address = url.address();
    let mut head = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n").into_bytes();
    if let Some(basic) = proxy.basic() {
        head.extend_from_slice(b"Proxy-Authorization: ");
        head.extend_from_slice(basic.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    let exchange = async {
        stream.write_all(&head).await?;
        let mut answer = Vec::new();
        // By the byte: what follows the head belongs to the tunnel.
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() >= PROXY_HEAD {
                return Err(io::Error::other("the proxy's answer is too long"));
            }
            answer.push(stream.read_u8().await?);
        }
        Ok(answer)
    };
    let answer = runtime::timeout(DIAL, exchange)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the proxy does not answer"))??;
    let line = answer.split(|b| *b == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    match line.split_once(' ') {
        Some((_, status)) if status.starts_with("200") => Ok(()),
        Some((_, status)) => Err(io::Error::other(format!(
            "the proxy refused: {}",
            status.escape_default()
        ))),
        None => Err(io::Error::other("malformed HTTP response from the proxy")),
    }
}
