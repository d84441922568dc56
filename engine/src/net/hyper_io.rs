//! A connection as hyper reads and writes it.
//!
//! Safety: hyper's read cursor takes uninitialised memory; what is counted as
//! read was written by [`Transport::poll_recv`], which reports only that.
#![allow(unsafe_code)]

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use socket2::MaybeUninitSlice;
use tokio::io::AsyncWrite;

use super::transport::Transport;

/// A [`Transport`] with hyper's traits; reads go from the kernel into hyper's buffer.
pub struct HyperIo(pub Transport);

impl HyperIo {
    /// As [`Read::poll_read`], and says how many bytes came; 0 is the end.
    ///
    /// # Errors
    /// The transport's.
    pub fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<usize>> {
        // SAFETY: nothing is read from it, and only written bytes are counted below.
        let spare = unsafe { buf.as_mut() };
        let n = ready!(self.0.poll_recv(cx, &mut [MaybeUninitSlice::new(spare)]))?;
        // SAFETY: `n` bytes were written from the start of the spare part.
        unsafe { buf.advance(n) };
        Poll::Ready(Ok(n))
    }
}

impl Read for HyperIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_fill(cx, &mut buf).map_ok(drop)
    }
}

impl Write for HyperIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
