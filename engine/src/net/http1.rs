//! One HTTP/1.1 connection as a server, and the choice between HTTP/1.1 and
//! HTTP/2 on a port that speaks both. hyper reads and writes; time limits, drain
//! and the close are here, because hyper's timers would have to be `Send`.

use std::{
    cell::Cell,
    convert::Infallible,
    future::{Future, poll_fn},
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, rt::ReadBufCursor, server::conn::http1, service::service_fn};
use socket2::MaybeUninitSlice;
use tokio::io::AsyncWrite;

use super::{buffers::Buffer, drain::Drain, drain::Watch, hyper_io::HyperIo, transport::Transport};
use crate::runtime::{self, Sleep};

/// How long what a caller still sends is read and thrown away after the last answer: closing
/// with unread bytes would reset the connection, and the answer could be lost with it.
const LINGER: Duration = Duration::from_secs(2);
/// Read at a time while lingering, bytes.
const SCRATCH: usize = 64 << 10;
/// What an HTTP/2 client sends first (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection allows.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From a request's first byte to the end of its head.
    pub header: Option<Duration>,
    /// From the end of a request's head to the end of its answer.
    pub write: Option<Duration>,
    /// Between requests, and before the first.
    pub idle: Option<Duration>,
    /// Several requests on a connection; otherwise it is closed after the first.
    pub keep_alive: bool,
    /// Bytes read at a time, at most, and the largest head; at least 8 KiB.
    pub buffer: usize,
}

/// What answers the requests of a connection, one at a time.
pub trait Service: 'static {
    /// Answers a request. Dropped when the caller is gone.
    fn call(
        self: Rc<Self>,
        request: Request<Incoming>,
        peer: Option<SocketAddr>,
    ) -> impl Future<Output = Response<Full<Bytes>>> + 'static;
}

/// The protocol that a caller chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1 or 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Finds out which protocol the caller speaks, by TLS (ALPN) or by its first bytes.
/// `None` where the connection ended, or the drain began, before that.
///
/// # Errors
/// The socket's; `TimedOut` after `limit` without enough bytes to tell.
pub async fn negotiate(
    io: Transport,
    limit: Option<Duration>,
    drain: &Drain,
) -> io::Result<Option<(Version, Transport)>> {
    match io.alpn() {
        Some(b"h2") => return Ok(Some((Version::Http2, io))),
        Some(_) => return Ok(Some((Version::Http1, io))),
        None => {}
    }
    let watch = drain.watch();
    match limit {
        None => first_bytes(io, &watch).await,
        Some(limit) => runtime::timeout(limit, first_bytes(io, &watch))
            .await
            .unwrap_or_else(|runtime::Elapsed| Err(io::ErrorKind::TimedOut.into())),
    }
}

async fn first_bytes(mut io: Transport, watch: &Watch) -> io::Result<Option<(Version, Transport)>> {
    let mut seen = BytesMut::with_capacity(PREFACE.len());
    loop {
        let n = poll_fn(|cx| {
            if watch.poll(cx).is_ready() {
                return Poll::Ready(Ok(0));
            }
            let mut chunk = [std::mem::MaybeUninit::uninit(); PREFACE.len()];
            let want = PREFACE.len() - seen.len();
            let Some(space) = chunk.get_mut(..want) else {
                return Poll::Ready(Ok(0));
            };
            let mut buf = tokio::io::ReadBuf::uninit(space);
            ready!(tokio::io::AsyncRead::poll_read(
                Pin::new(&mut io),
                cx,
                &mut buf
            ))?;
            seen.extend_from_slice(buf.filled());
            Poll::Ready(io::Result::Ok(buf.filled().len()))
        })
        .await?;
        if n == 0 {
            return Ok(None);
        }
        if !PREFACE.starts_with(&seen) {
            return Ok(Some((Version::Http1, io.with_prefix(seen.freeze()))));
        }
        if seen.len() == PREFACE.len() {
            return Ok(Some((Version::Http2, io.with_prefix(seen.freeze()))));
        }
    }
}

/// Where a connection is, and since when.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Waits for a request.
    Idle,
    /// A request's head is arriving.
    Head,
    /// A request is read and worked on.
    Busy,
    /// Its answer is being written.
    Answering,
}

struct Clock {
    phase: Cell<Phase>,
    since: Cell<Instant>,
    ended: Cell<bool>,
}

impl Clock {
    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(Instant::now());
    }

    fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let limit = match self.phase.get() {
            Phase::Idle => limits.idle,
            Phase::Head => limits.header,
            Phase::Busy | Phase::Answering => limits.write,
        }?;
        self.since.get().checked_add(limit)
    }
}

/// The connection's bytes; what passes moves the clock.
struct Watched {
    io: HyperIo,
    clock: Rc<Clock>,
}

impl hyper::rt::Read for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let n = ready!(self.io.poll_fill(cx, &mut buf))?;
        if n == 0 {
            self.clock.ended.set(true);
        } else if let Phase::Idle = self.clock.phase.get() {
            self.clock.enter(Phase::Head);
        }
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        if let Phase::Answering = self.clock.phase.get() {
            self.clock.enter(Phase::Idle);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Serves one connection until it ends.
///
/// # Errors
/// What hyper says of the peer or the socket; a time limit that ran out is none.
pub async fn serve<S: Service>(
    io: Transport,
    peer: Option<SocketAddr>,
    limits: &Limits,
    drain: &Drain,
    service: Rc<S>,
) -> Result<(), hyper::Error> {
    let clock = Rc::new(Clock {
        // Bytes that told the protocol are a head that has begun.
        phase: Cell::new(if io.has_prefix() {
            Phase::Head
        } else {
            Phase::Idle
        }),
        since: Cell::new(Instant::now()),
        ended: Cell::new(false),
    });
    let answer = service_fn(|request| {
        clock.enter(Phase::Busy);
        let (clock, service) = (clock.clone(), service.clone());
        // hyper gives the socket back, for the close below, only from what it may move.
        Box::pin(async move {
            let response = service.call(request, peer).await;
            clock.phase.set(Phase::Answering);
            Ok::<_, Infallible>(response)
        })
    });
    let watched = Watched {
        io: HyperIo(io),
        clock: clock.clone(),
    };
    let mut connection = http1::Builder::new()
        .keep_alive(limits.keep_alive)
        .header_read_timeout(None)
        .max_buf_size(limits.buffer.max(8 << 10))
        .serve_connection(watched, answer);
    let watch = drain.watch();
    let mut draining = false;
    let mut timer: Option<(Instant, Sleep)> = None;
    let ended = poll_fn(|cx| {
        if !draining && watch.poll(cx).is_ready() {
            draining = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.poll_without_shutdown(cx) {
            return Poll::Ready(Some(result));
        }
        // One timer at a time, set anew only when it fires or comes too late.
        while let Some(deadline) = clock.deadline(limits) {
            match &mut timer {
                Some((at, sleep)) if *at <= deadline => {
                    if Pin::new(sleep).poll(cx).is_pending() {
                        break;
                    }
                    timer = None;
                    if Instant::now() >= deadline {
                        return Poll::Ready(None);
                    }
                }
                _ => timer = Some((deadline, runtime::sleep_until(deadline))),
            }
        }
        Poll::Pending
    })
    .await;
    let idle = matches!(clock.phase.get(), Phase::Idle);
    match ended {
        Some(Ok(())) => {}
        // hyper has answered what it could not read (400, 431); the caller shall see that.
        Some(Err(error)) if error.is_parse() => {
            close(connection.into_parts().io.io.0, &clock).await;
            return Err(error);
        }
        Some(Err(error)) => return Err(error),
        None if idle => {}
        None => return Ok(()),
    }
    close(connection.into_parts().io.io.0, &clock).await;
    Ok(())
}

/// Ends the sending side, and lets the caller read the answer before the rest goes.
async fn close(mut io: Transport, clock: &Clock) {
    let ending = async {
        let _ = poll_fn(|cx| Pin::new(&mut io).poll_shutdown(cx)).await;
        if clock.ended.get() {
            return;
        }
        let mut scratch = Buffer::with_capacity(SCRATCH);
        while let Ok(1..) =
            poll_fn(|cx| io.poll_recv(cx, &mut [MaybeUninitSlice::new(scratch.spare())])).await
        {
        }
    };
    let _ = runtime::timeout(LINGER, ending).await;
}
