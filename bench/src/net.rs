//! Sockets: runtime, listeners, connections, signals, the big read buffer under `h2`, and the
//! HTTP/2 settings that relay, sink and load share.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, tcp::OwnedReadHalf};

use crate::error::Error;

/// The window of one stream: no body of the benchmarks waits for a WINDOW_UPDATE.
pub const STREAM_WINDOW: u32 = 32 << 20;
/// The window of a connection.
pub const CONNECTION_WINDOW: u32 = 1 << 30;
/// What `h2` may hold per stream before it is written.
pub const SEND_BUFFER: usize = 64 << 20;
/// Requests at once on a connection.
pub const MAX_STREAMS: u32 = 10_000;
/// The header list is small in all that is sent here.
const READ_BUFFER: usize = 512 << 10;

/// Runs `main` on a current-thread reactor (epoll), with local tasks.
pub fn block_on<T>(main: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("starting the reactor"))?;
    tokio::task::LocalSet::new().block_on(&runtime, main)
}

/// A listener, printed with its port so that a caller who asked for port 0 learns it.
pub async fn listen(address: SocketAddr, what: &str) -> Result<TcpListener, Error> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(Error::io(format!("binding {address} for {what}")))?;
    let local = listener
        .local_addr()
        .map_err(Error::io("asking for the bound address"))?;
    println!("{what} listens on {local}");
    Ok(listener)
}

/// A connection without Nagle's delay.
pub async fn connect(address: SocketAddr) -> Result<TcpStream, Error> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(Error::io(format!("connecting to {address}")))?;
    stream
        .set_nodelay(true)
        .map_err(Error::io("setting TCP_NODELAY"))?;
    Ok(stream)
}

/// The next connection. Running out of descriptors is an error of the run, not of a peer.
pub async fn accept(listener: &TcpListener) -> Result<TcpStream, Error> {
    let (stream, _) = listener
        .accept()
        .await
        .map_err(Error::io("accepting a connection"))?;
    stream
        .set_nodelay(true)
        .map_err(Error::io("setting TCP_NODELAY"))?;
    Ok(stream)
}

/// Raises the soft limit of open files to the hard one.
pub fn raise_open_files() -> Result<(), Error> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let what = "raising the limit of open files";
    let (_, hard) =
        getrlimit(Resource::RLIMIT_NOFILE).map_err(|e| Error::Io(what.into(), e.into()))?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(|e| Error::Io(what.into(), e.into()))
}

/// Resolves at SIGTERM or SIGINT.
pub async fn terminated() -> Result<(), Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate()).map_err(Error::io("handling SIGTERM"))?;
    let mut int = signal(SignalKind::interrupt()).map_err(Error::io("handling SIGINT"))?;
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}

/// `h2`'s server side with the windows of the benchmarks.
pub fn server(max_frame_size: u32) -> h2::server::Builder {
    let mut b = h2::server::Builder::new();
    b.max_frame_size(max_frame_size)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MAX_STREAMS)
        .max_send_buffer_size(SEND_BUFFER);
    b
}

/// `h2`'s client side with the windows of the benchmarks.
pub fn client() -> h2::client::Builder {
    let mut b = h2::client::Builder::new();
    b.max_frame_size(1 << 20)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_reset_streams(0)
        .enable_push(false)
        .max_send_buffer_size(SEND_BUFFER);
    b
}

/// A stream that is read in large pieces whatever the caller asks for. `h2` reads a frame at a
/// time; where frames are 16 KiB, that is a system call for each, and this is one for thirty.
pub fn read_big(stream: TcpStream) -> impl AsyncRead + AsyncWrite + Unpin + 'static {
    let (read, write) = stream.into_split();
    tokio::io::join(BigRead::new(read), write)
}

struct BigRead {
    stream: OwnedReadHalf,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl BigRead {
    fn new(stream: OwnedReadHalf) -> Self {
        BigRead {
            stream,
            buffer: vec![0; READ_BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }
}

impl AsyncRead for BigRead {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.start == this.end {
            // A caller with room for more than the buffer reads straight into its own memory.
            if out.remaining() >= this.buffer.len() {
                return Pin::new(&mut this.stream).poll_read(cx, out);
            }
            let mut into = ReadBuf::new(&mut this.buffer);
            std::task::ready!(Pin::new(&mut this.stream).poll_read(cx, &mut into))?;
            this.start = 0;
            this.end = into.filled().len();
        }
        let n = out.remaining().min(this.end - this.start);
        if let Some(bytes) = this.buffer.get(this.start..this.start + n) {
            out.put_slice(bytes);
            this.start += n;
        }
        Poll::Ready(Ok(()))
    }
}
