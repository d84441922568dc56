//! Bytes that were read from the connection and not looked at yet: frame
//! headers, frames for `h2`, and payload where it could not be read straight
//! into a body.

use std::{
    io,
    task::{Context, Poll},
};

use socket2::MaybeUninitSlice;

use super::Recv;
use crate::net::buffers::Buffer;

/// Bytes read at once where no body is expected.
pub(super) const RAW: usize = 16 << 10;

/// What was read and not taken, in its order.
#[derive(Default)]
pub(super) struct Raw {
    buffer: Option<Buffer>,
    start: usize,
}

impl Raw {
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer
            .as_ref()
            .and_then(|buffer| buffer.get(self.start..))
            .unwrap_or(&[])
    }

    /// The first `n` bytes are dealt with.
    pub(super) fn consume(&mut self, n: usize) {
        self.start += n;
        if self.bytes().is_empty() {
            self.start = 0;
            if let Some(buffer) = &mut self.buffer {
                buffer.clear();
            }
        }
    }

    /// The buffer behind whose bytes more can be read.
    pub(super) fn buffer(&mut self) -> &mut Buffer {
        self.buffer
            .get_or_insert_with(|| Buffer::with_capacity(RAW))
    }

    /// Puts other bytes in the place of all there are.
    pub(super) fn replace(&mut self, buffer: Buffer) {
        self.buffer = Some(buffer);
        self.start = 0;
    }

    /// An idle connection holds no buffer.
    pub(super) fn give_back(&mut self) {
        if self.buffer.as_ref().is_some_and(|b| b.is_empty()) {
            self.buffer = None;
        }
    }

    /// Reads more behind those that are there (fewer than a frame header); 0 is the end.
    ///
    /// # Errors
    /// The connection's.
    pub(super) fn poll_fill<T: Recv>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.start > 0 {
            let start = std::mem::take(&mut self.start);
            if let Some(buffer) = &mut self.buffer {
                buffer.drain(..start);
            }
        }
        let buffer = self.buffer();
        let read = io.poll_recv(cx, &mut [MaybeUninitSlice::new(buffer.spare())]);
        match read {
            Poll::Ready(Ok(n)) => buffer.advance(n),
            Poll::Pending => self.give_back(),
            Poll::Ready(Err(_)) => {}
        }
        read
    }
}
