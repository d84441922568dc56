//! A connected socket on this core's executor.
//!
//! Reads and writes go straight to the descriptor, vectored and as large as the
//! caller's buffers, before anything is waited for; only the waiting goes
//! through the reactor.
//!
//! Safety: a stream's descriptor is owned by the reactor's stream inside it and
//! is borrowed for single calls only.
#![allow(unsafe_code)]

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, RawFd},
    path::Path,
    pin::Pin,
    task::{Context, Poll},
};

use futures_lite::{AsyncRead as _, AsyncWrite as _};
use socket2::{Domain, MaybeUninitSlice, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Mode, current_mode, low_water::LowWater};

/// A connected TCP or unix socket.
pub struct Stream {
    fd: RawFd,
    inner: Inner,
    low_water: LowWater,
    /// Whether everything that had come was read, so that the next read waits.
    waiting: bool,
}

enum Inner {
    /// For unix sockets too: glommio's stream does nothing here that only TCP could do.
    IoUring(glommio::net::TcpStream),
    EpollTcp(tokio::net::TcpStream),
    EpollUnix(tokio::net::UnixStream),
}

impl Stream {
    pub(super) fn from_socket(socket: Socket, unix: bool) -> io::Result<Stream> {
        socket.set_nonblocking(true)?;
        let fd = socket.as_raw_fd();
        // SAFETY: `socket` gives its descriptor up and glommio's stream owns it from here on.
        let inner = unsafe {
            match (current_mode(), unix) {
                (Some(Mode::IoUring), _) => {
                    Inner::IoUring(glommio::net::TcpStream::from_raw_fd(socket.into_raw_fd()))
                }
                (_, false) => Inner::EpollTcp(tokio::net::TcpStream::from_std(socket.into())?),
                (_, true) => Inner::EpollUnix(tokio::net::UnixStream::from_std(socket.into())?),
            }
        };
        Ok(Stream {
            fd,
            inner,
            low_water: LowWater::default(),
            waiting: false,
        })
    }

    /// Connects to a TCP address.
    ///
    /// # Errors
    /// The kernel's answer.
    pub async fn connect(address: SocketAddr) -> io::Result<Stream> {
        let domain = if address.is_ipv6() {
            Domain::IPV6
        } else {
            Domain::IPV4
        };
        let socket = Socket::new(
            domain,
            Type::STREAM.cloexec().nonblocking(),
            Some(Protocol::TCP),
        )?;
        socket.set_tcp_nodelay(true)?;
        Self::connecting(socket, &address.into(), false).await
    }

    /// Connects to a unix socket.
    ///
    /// # Errors
    /// The kernel's answer.
    pub async fn connect_unix(path: &Path) -> io::Result<Stream> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM.cloexec().nonblocking(), None)?;
        Self::connecting(socket, &socket2::SockAddr::unix(path)?, true).await
    }

    async fn connecting(
        socket: Socket,
        address: &socket2::SockAddr,
        unix: bool,
    ) -> io::Result<Stream> {
        let pending = match socket.connect(address) {
            Ok(()) => false,
            Err(e) if e.raw_os_error() == Some(libc::EINPROGRESS) => true,
            Err(e) => return Err(e),
        };
        let mut stream = Self::from_socket(socket, unix)?;
        if pending {
            std::future::poll_fn(|cx| stream.poll_connected(cx)).await?;
        }
        Ok(stream)
    }

    /// A socket is connected once it is writable and holds no error.
    fn poll_connected(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let fd = self.borrowed();
        let socket = SockRef::from(&fd);
        if let Some(error) = socket.take_error()? {
            return Poll::Ready(Err(error));
        }
        if socket.peer_addr().is_ok() {
            return Poll::Ready(Ok(()));
        }
        match self.poll_writable(cx)? {
            Poll::Ready(()) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn borrowed(&self) -> BorrowedFd<'_> {
        // SAFETY: as above.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            // An empty send is how glommio's stream is made to wait for writability: it fails
            // with EAGAIN or ENOTCONN's absence while connecting, and then registers the waiter.
            Inner::IoUring(s) => Pin::new(s).poll_write(cx, &[]).map_ok(drop),
            Inner::EpollTcp(s) => s.poll_write_ready(cx),
            Inner::EpollUnix(s) => s.poll_write_ready(cx),
        }
    }

    /// Tells that at least so many bytes are to come, unless the peer gives up: the next wait
    /// need not end for each few of them.
    pub fn coming(&mut self, bytes: usize) {
        self.low_water.coming(bytes);
    }

    /// Reads into several buffers with one call to the kernel; 0 is the end of the stream.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [MaybeUninitSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            if self.waiting {
                match self.poll_readable(cx)? {
                    Poll::Pending if !self.low_water.is_over(cx) => return Poll::Pending,
                    _ => self.waiting = false,
                }
            }
            match recv(self.fd, buffers) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.waiting = self.wait(cx)?.is_pending();
                    if self.waiting {
                        return Poll::Pending;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Ok(n) if n > 0 && n < buffers.iter().map(|b| b.len()).sum() => {
                    // All that was there. What the peer is writing at this moment is better read
                    // together with what it writes next, so the next read waits first.
                    self.low_water.came(n);
                    self.waiting = self.wait(cx)?.is_pending();
                    return Poll::Ready(Ok(n));
                }
                other => {
                    self.low_water.came(other.as_ref().map_or(0, |n| *n));
                    return Poll::Ready(other);
                }
            }
        }
    }

    /// Waits from now on, as everything that had come was read; ready if there is something.
    fn wait(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
        self.low_water.wait(self.fd, cx);
        // The kernel said that there is no more: tell the reactor so, or it never wakes us.
        let none = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
        match &mut self.inner {
            Inner::IoUring(_) => {}
            Inner::EpollTcp(s) => drop(s.try_io(tokio::io::Interest::READABLE, none)),
            Inner::EpollUnix(s) => drop(s.try_io(tokio::io::Interest::READABLE, none)),
        }
        self.poll_readable(cx)
    }

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
        let ready = match &mut self.inner {
            // A read of nothing is how glommio's stream is made to wait: while there is nothing
            // to read it fails with EAGAIN, and then registers the waiter.
            Inner::IoUring(s) => Pin::new(s).poll_read(cx, &mut []).map_ok(drop),
            Inner::EpollTcp(s) => s.poll_read_ready(cx),
            Inner::EpollUnix(s) => s.poll_read_ready(cx),
        };
        match ready {
            Poll::Ready(ready) => ready.map(Poll::Ready),
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    /// Writes several buffers with one call to the kernel.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            match send(self.fd, buffers) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => return Poll::Ready(other),
            }
            match &mut self.inner {
                Inner::IoUring(s) => return Pin::new(s).poll_write(cx, first(buffers)),
                Inner::EpollTcp(s) => match s.poll_write_ready(cx)? {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) => {
                        match s.try_io(tokio::io::Interest::WRITABLE, || send(self.fd, buffers)) {
                            Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
                            other => return Poll::Ready(other),
                        }
                    }
                },
                Inner::EpollUnix(s) => match s.poll_write_ready(cx)? {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) => {
                        match s.try_io(tokio::io::Interest::WRITABLE, || send(self.fd, buffers)) {
                            Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
                            other => return Poll::Ready(other),
                        }
                    }
                },
            }
        }
    }

    /// Shuts the sending side down.
    ///
    /// # Errors
    /// The kernel's answer; a connection that is gone already is no error.
    pub fn finish(&self) -> io::Result<()> {
        let fd = self.borrowed();
        match SockRef::from(&fd).shutdown(std::net::Shutdown::Write) {
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(()),
            other => other,
        }
    }
}

fn first<'a>(buffers: &'a [IoSlice<'_>]) -> &'a [u8] {
    buffers.iter().find(|b| !b.is_empty()).map_or(&[], |b| b)
}

fn recv(fd: RawFd, buffers: &mut [MaybeUninitSlice<'_>]) -> io::Result<usize> {
    // SAFETY: the caller's stream owns the descriptor for longer than this call.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    SockRef::from(&fd).recv_vectored(buffers).map(|(n, _)| n)
}

fn send(fd: RawFd, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    // SAFETY: as in `recv`.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    SockRef::from(&fd).send_vectored_with_flags(buffers, libc::MSG_NOSIGNAL)
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // SAFETY: only initialised bytes are counted by `assume_init` below: the kernel wrote them.
        let n = {
            let spare = unsafe { buf.unfilled_mut() };
            match self.poll_recv(cx, &mut [MaybeUninitSlice::new(spare)]) {
                Poll::Ready(Ok(n)) => n,
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => return Poll::Pending,
            }
        };
        // SAFETY: the kernel wrote `n` bytes from the start of the unfilled part.
        unsafe { buf.assume_init(n) };
        buf.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.finish())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::{io::Write as _, mem::MaybeUninit, net::TcpListener, sync::mpsc};

    use super::*;

    /// Reads from a peer that writes `pieces` bytes at a time and goes on only when they were
    /// read; `coming` is what the reader is told to expect before each read.
    fn read_all(pieces: &[usize], coming: usize) -> io::Result<usize> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut peer = std::net::TcpStream::connect(listener.local_addr()?)?;
        let (socket, _) = listener.accept()?;
        let (read, go_on) = mpsc::channel();
        let reactor = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for piece in pieces {
                    peer.write_all(&vec![7; *piece]).unwrap();
                    go_on.recv().unwrap();
                }
            });
            reactor.block_on(async {
                let mut stream = Stream::from_socket(socket.into(), false)?;
                let mut room = vec![MaybeUninit::uninit(); 1 << 20];
                let mut total = 0;
                for piece in pieces {
                    let mut left = *piece;
                    while left > 0 {
                        stream.coming(coming);
                        let n = std::future::poll_fn(|cx| {
                            stream.poll_recv(cx, &mut [MaybeUninitSlice::new(&mut room)])
                        })
                        .await?;
                        assert!((1..=left).contains(&n), "{n} of {left}");
                        left -= n;
                        total += n;
                    }
                    read.send(()).unwrap();
                }
                Ok(total)
            })
        })
    }

    #[test]
    fn what_came_is_read_though_less_than_was_expected_comes() {
        let pieces = [1, 20_000, 700_000, 3, 300_000, 16_393, 1_000_000, 9];
        for coming in [0, 10 << 10, 512 << 10, usize::MAX] {
            let total = read_all(&pieces, coming).unwrap();
            assert_eq!(total, pieces.iter().sum::<usize>(), "{coming}");
        }
    }
}
