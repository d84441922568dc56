//! A small HTTP/1.1 server for pages: it answers from memory, ignores request
//! bodies, and bounds connections, header size and every wait. It knows nothing of
//! what the pages show. Not for telemetry, which `net` and the receivers take in.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, rt::ReadBufCursor, server::conn::http1, service::service_fn};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{Semaphore, watch},
    time::{Sleep, sleep, timeout},
};

use crate::telemetry::logs::os_error;

/// An answer: always complete in memory.
pub type Page = Response<Full<Bytes>>;

/// What answers requests. Called on the control thread; must not block for long.
pub trait Handler: Send + Sync + 'static {
    /// The answer to a request, whose body is not looked at.
    fn answer(&self, request: &Request<()>) -> Page;
}

impl<F: Fn(&Request<()>) -> Page + Send + Sync + 'static> Handler for F {
    fn answer(&self, request: &Request<()>) -> Page {
        self(request)
    }
}

/// Bounds of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections served at once; further ones wait in the listener's backlog.
    pub connections: usize,
    /// Time for a request's head, idle time before it included.
    pub read_header: Duration,
    /// Time without any progress in reading or writing before the connection is closed.
    pub stalled: Duration,
    /// Bytes of a request's head.
    pub header_bytes: usize,
}

impl Default for Limits {
    /// The `health_check` extension's: a minute for heads, half a minute for writes.
    fn default() -> Self {
        Limits {
            connections: 128,
            read_header: Duration::from_secs(60),
            stalled: Duration::from_secs(30),
            header_bytes: 64 << 10,
        }
    }
}

/// Why an address cannot be listened on.
#[derive(Debug)]
pub struct BindError {
    /// The address as it was resolved, or as it was given when it could not be.
    pub address: String,
    /// What the system said.
    pub error: io::Error,
}

impl std::fmt::Display for BindError {
    /// As Go writes it: `listen tcp 127.0.0.1:8888: bind: address already in use`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let step = if self.error.raw_os_error().is_some() {
            "bind: "
        } else {
            ""
        };
        write!(
            f,
            "listen tcp {}: {step}{}",
            self.address,
            os_error(&self.error)
        )
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Listens on `endpoint` (`host:port`; no host means every address). Names are
/// resolved here, IPv4 first, as Go does; the call may wait for a name server.
pub fn bind(endpoint: &str) -> Result<TcpListener, BindError> {
    let failed = |address: &str, error| BindError {
        address: address.to_owned(),
        error,
    };
    let named = match endpoint.strip_prefix(':') {
        Some(port) => format!("[::]:{port}"),
        None => endpoint.to_owned(),
    };
    let mut addresses: Vec<SocketAddr> = named
        .to_socket_addrs()
        .map_err(|error| failed(endpoint, error))?
        .collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let Some(address) = addresses.first() else {
        return Err(failed(
            endpoint,
            io::Error::new(io::ErrorKind::NotFound, "no such host"),
        ));
    };
    let listener =
        TcpListener::bind(address).map_err(|error| failed(&address.to_string(), error))?;
    listener
        .set_nonblocking(true)
        .map_err(|error| failed(&address.to_string(), error))?;
    Ok(listener)
}

/// Serves `handler` on `listener` (non-blocking, as [`bind`] gives it) until `stop`
/// changes or its sender is gone; answers being written are finished, at most one
/// second longer. Needs a tokio runtime with I/O and time. Errors are logged, not
/// returned: a page does not end the gateway.
pub async fn serve<H: Handler>(
    listener: TcpListener,
    handler: Arc<H>,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(error = %os_error(&error), "Page server cannot listen");
            return;
        }
    };
    let room = Arc::new(Semaphore::new(limits.connections));
    loop {
        let accepted = tokio::select! {
            // An error says that nobody is left to say stop: the same as stop.
            _ = stop.changed() => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let (stream, permit) = accepted;
        let handler = handler.clone();
        let stop = stop.clone();
        tokio::spawn(async move {
            connection(stream, handler, limits, stop).await;
            drop(permit);
        });
    }
    // Connections close themselves when they see `stop`.
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    // Beyond the second they are cut off with the runtime.
    let _ = timeout(Duration::from_secs(1), room.acquire_many(all)).await;
}

async fn accept(
    listener: &tokio::net::TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, tokio::sync::OwnedSemaphorePermit) {
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else {
            // The semaphore is never closed.
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => {
                // Out of descriptors, or the peer gave up: try again, not at once.
                tracing::warn!(error = %os_error(&error), "Page server could not accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection<H: Handler>(
    stream: TcpStream,
    handler: Arc<H>,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    // Without it small answers wait for an acknowledgement; if it fails they just do.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let handler = handler.clone();
        async move {
            let (head, _body) = request.into_parts();
            let request = Request::from_parts(head, ());
            Ok::<_, std::convert::Infallible>(handler.answer(&request))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer)
        .header_read_timeout(limits.read_header)
        .max_buf_size(limits.header_bytes)
        .serve_connection(
            Watched::new(stream, limits.stalled.max(limits.read_header)),
            service,
        );
    tokio::pin!(connection);
    // What a broken peer did to its connection concerns nobody else.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stop.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(Duration::from_secs(1), connection).await;
        }
    }
}

/// A stream that fails when nothing moves for a while.
struct Watched {
    stream: TcpStream,
    limit: Duration,
    alarm: Pin<Box<Sleep>>,
}

impl Watched {
    fn new(stream: TcpStream, limit: Duration) -> Self {
        Watched {
            stream,
            limit,
            alarm: Box::pin(sleep(limit)),
        }
    }

    /// Passes `poll` on, and fails where it is pending for too long.
    fn watch<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.alarm
                .as_mut()
                .reset(tokio::time::Instant::now() + self.limit);
            return poll;
        }
        ready!(self.alarm.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl hyper::rt::Read for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut out: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // Heads are small: a copy through the stack spares uninitialised memory.
        let mut space = [0; 4096];
        let room = space.len().min(out.remaining());
        let Some(space) = space.get_mut(..room) else {
            return Poll::Pending;
        };
        let mut buffer = ReadBuf::new(space);
        let poll = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
        ready!(self.watch(cx, poll))?;
        out.put_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[derive(Clone, Debug)]
struct TokioTimer;

struct TokioSleep(Pin<Box<Sleep>>);

impl Future for TokioSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl hyper::rt::Sleep for TokioSleep {}

impl hyper::rt::Timer for TokioTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(TokioSleep(Box::pin(sleep(duration))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(TokioSleep(Box::pin(tokio::time::sleep_until(
            deadline.into(),
        ))))
    }
}

/// An answer of `body` as `content_type`.
pub fn page(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Page {
    let mut page = Response::new(Full::new(body.into()));
    *page.status_mut() = status;
    page.headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    page
}

/// What Go's HTTP server says of a path that it does not have.
pub fn not_found() -> Page {
    let mut page = page(
        StatusCode::NOT_FOUND,
        "text/plain; charset=utf-8",
        "404 page not found\n",
    );
    page.headers_mut().insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    page
}
