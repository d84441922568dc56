//! OTLP over HTTP/1, as far as counting needs it, and the bridge from the reactor to `hyper`.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use trunkline_proto::Signal;

use super::receive::{Form, Receiver, Verdict};
use crate::error::Error;
use crate::net;

/// Serves every connection until the sink ends.
pub async fn serve(listener: TcpListener, receiver: Rc<Receiver>) -> Result<(), Error> {
    loop {
        let stream = net::accept(&listener).await?;
        receiver.connected();
        let receiver = receiver.clone();
        tokio::task::spawn_local(async move {
            let service = service_fn(|request| answer(request, receiver.clone()));
            // Errors are those of a sender that went away.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(HyperIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    receiver: Rc<Receiver>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|v| v.to_str().ok());
    let form = match header("content-type") {
        Some(t) if t.starts_with("application/json") => Form::Json,
        _ => Form::Protobuf,
    };
    let signal = match head.uri.path() {
        "/v1/traces" => Some(Signal::Traces),
        "/v1/metrics" => Some(Signal::Metrics),
        "/v1/logs" => Some(Signal::Logs),
        "/v1development/profiles" => Some(Signal::Profiles),
        _ => None,
    };
    let status = match (signal, body.collect().await) {
        (None, _) => StatusCode::NOT_FOUND,
        (_, Err(_)) => StatusCode::BAD_REQUEST,
        (Some(signal), Ok(body)) => {
            match receiver.take(signal, form, header("content-encoding"), &body.to_bytes()) {
                Verdict::Accepted => StatusCode::OK,
                Verdict::Refused(code) => {
                    StatusCode::from_u16(code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
                }
                Verdict::Malformed => StatusCode::BAD_REQUEST,
            }
        }
    };
    if !receiver.options.delay.is_zero() {
        tokio::time::sleep(receiver.options.delay).await;
    }
    let (mime, empty) = match form {
        Form::Json => ("application/json", &b"{}"[..]),
        Form::Protobuf => ("application/x-protobuf", &b""[..]),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(empty)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(mime));
    if let (false, Some(s)) = (status.is_success(), receiver.options.retry_after) {
        headers.insert("retry-after", HeaderValue::from(s));
    }
    Ok(response)
}

/// A stream of the reactor as `hyper` wants it. Reads go through a buffer of its own: handing
/// out `hyper`'s uninitialised memory takes `unsafe`, which the benchmarks can do without.
pub struct HyperIo {
    stream: TcpStream,
    buffer: Box<[u8]>,
}

impl HyperIo {
    /// Takes over the stream.
    pub fn new(stream: TcpStream) -> Self {
        HyperIo {
            stream,
            buffer: vec![0; 256 << 10].into_boxed_slice(),
        }
    }
}

impl hyper::rt::Read for HyperIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut out: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let n = out.remaining().min(this.buffer.len());
        let mut into = ReadBuf::new(this.buffer.get_mut(..n).unwrap_or_default());
        std::task::ready!(Pin::new(&mut this.stream).poll_read(cx, &mut into))?;
        out.put_slice(into.filled());
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for HyperIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
