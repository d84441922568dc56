//! The bytes of a connection: a plain stream or one inside TLS.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use socket2::MaybeUninitSlice;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::runtime::Stream;

/// A connection's bytes, after TLS where there is TLS.
pub enum Transport {
    /// As they come.
    Plain(Stream),
    /// A server's side of TLS.
    TlsServer(Box<tokio_rustls::server::TlsStream<Stream>>),
    /// A client's side of TLS.
    TlsClient(Box<tokio_rustls::client::TlsStream<Stream>>),
    /// One of the above whose first bytes were read already.
    Prefixed(Box<Prefixed>),
}

/// Bytes that were read to find out what follows them, and the connection they came from.
pub struct Prefixed {
    prefix: Bytes,
    inner: Transport,
}

impl Prefixed {
    /// Copies what is left of the bytes read before; `None` when nothing is.
    fn take(&mut self, space: usize) -> Option<Bytes> {
        let n = self.prefix.len().min(space);
        (n > 0).then(|| self.prefix.split_to(n))
    }
}

impl Transport {
    /// The same connection with bytes in front that were read already.
    pub fn with_prefix(self, prefix: Bytes) -> Transport {
        Transport::Prefixed(Box::new(Prefixed {
            prefix,
            inner: self,
        }))
    }

    /// Whether bytes that were read already are still to be delivered.
    pub fn has_prefix(&self) -> bool {
        matches!(self, Transport::Prefixed(p) if !p.prefix.is_empty())
    }

    /// The protocol that TLS agreed on (RFC 7301).
    pub fn alpn(&self) -> Option<&[u8]> {
        match self {
            Transport::Plain(_) => None,
            Transport::TlsServer(s) => s.get_ref().1.alpn_protocol(),
            Transport::TlsClient(s) => s.get_ref().1.alpn_protocol(),
            Transport::Prefixed(p) => p.inner.alpn(),
        }
    }

    /// Tells that at least so many bytes are to come. Within TLS some of them may be read already,
    /// so that it says nothing there of the socket.
    pub fn coming(&mut self, bytes: usize) {
        match self {
            Transport::Plain(stream) => stream.coming(bytes),
            Transport::Prefixed(p) if p.prefix.is_empty() => p.inner.coming(bytes),
            Transport::Prefixed(_) | Transport::TlsServer(_) | Transport::TlsClient(_) => {}
        }
    }

    /// Reads into several buffers, with one call to the kernel where the stream is plain.
    ///
    /// # Errors
    /// The kernel's or TLS's.
    pub fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [MaybeUninitSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Transport::Plain(stream) = self {
            return stream.poll_recv(cx, buffers);
        }
        if let Transport::Prefixed(p) = self
            && p.prefix.is_empty()
        {
            return p.inner.poll_recv(cx, buffers);
        }
        let Some(first) = buffers.iter_mut().find(|b| !b.is_empty()) else {
            return Poll::Ready(Ok(0));
        };
        let mut buf = ReadBuf::uninit(first);
        match Pin::new(self).poll_read(cx, &mut buf) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(buf.filled().len())),
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Transport::TlsServer(s) => Pin::new(s).poll_read(cx, buf),
            Transport::TlsClient(s) => Pin::new(s).poll_read(cx, buf),
            Transport::Prefixed(p) => match p.take(buf.remaining()) {
                Some(bytes) => {
                    buf.put_slice(&bytes);
                    Poll::Ready(Ok(()))
                }
                None => Pin::new(&mut p.inner).poll_read(cx, buf),
            },
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Transport::TlsServer(s) => Pin::new(s).poll_write(cx, buf),
            Transport::TlsClient(s) => Pin::new(s).poll_write(cx, buf),
            Transport::Prefixed(p) => Pin::new(&mut p.inner).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(s) => Pin::new(s).poll_write_vectored(cx, bufs),
            Transport::TlsServer(s) => Pin::new(s).poll_write_vectored(cx, bufs),
            Transport::TlsClient(s) => Pin::new(s).poll_write_vectored(cx, bufs),
            Transport::Prefixed(p) => Pin::new(&mut p.inner).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Transport::Plain(s) => s.is_write_vectored(),
            Transport::TlsServer(s) => s.is_write_vectored(),
            Transport::TlsClient(s) => s.is_write_vectored(),
            Transport::Prefixed(p) => p.inner.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(s) => Pin::new(s).poll_flush(cx),
            Transport::TlsServer(s) => Pin::new(s).poll_flush(cx),
            Transport::TlsClient(s) => Pin::new(s).poll_flush(cx),
            Transport::Prefixed(p) => Pin::new(&mut p.inner).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Transport::TlsServer(s) => Pin::new(s).poll_shutdown(cx),
            Transport::TlsClient(s) => Pin::new(s).poll_shutdown(cx),
            Transport::Prefixed(p) => Pin::new(&mut p.inner).poll_shutdown(cx),
        }
    }
}
