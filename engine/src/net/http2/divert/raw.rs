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
const RAW: usize = 16 << 10;
/// Bytes of bodies read at once, at most, in frames that are not known yet.
const BODIES: usize = 256 << 10;

/// How many bytes to read behind what is known to come, given how many are missing of the bodies
/// then: all that may be there. A call that takes bytes also has the sender woken to send more,
/// so that a few large reads cost less than many small ones that need no copy.
pub(super) fn behind(missing: usize) -> usize {
    RAW + missing.min(BODIES)
}

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
            // A large one goes back to the pool, for whoever reads bodies next.
            self.buffer = self.buffer.take().filter(|b| b.capacity() <= 2 * RAW);
            if let Some(buffer) = &mut self.buffer {
                buffer.clear();
            }
        }
    }

    /// The buffer, with room for so many bytes behind those that are there.
    pub(super) fn buffer(&mut self, room: usize) -> &mut Buffer {
        let buffer = self
            .buffer
            .get_or_insert_with(|| Buffer::with_capacity(room));
        buffer.grow(room);
        buffer
    }

    /// An idle connection holds no buffer.
    pub(super) fn give_back(&mut self) {
        if self.buffer.as_ref().is_some_and(|b| b.is_empty()) {
            self.buffer = None;
        }
    }

    /// Reads at most `most` bytes behind those that are there (fewer than a frame header); 0 is the
    /// end.
    ///
    /// # Errors
    /// The connection's.
    pub(super) fn poll_fill<T: Recv>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        if self.start > 0 {
            let start = std::mem::take(&mut self.start);
            if let Some(buffer) = &mut self.buffer {
                buffer.drain(..start);
            }
        }
        let buffer = self.buffer(most);
        let room = buffer.spare();
        let most = most.min(room.len());
        let room = room.get_mut(..most).unwrap_or_default();
        let read = io.poll_recv(cx, &mut [MaybeUninitSlice::new(room)]);
        match read {
            Poll::Ready(Ok(n)) => buffer.advance(n),
            Poll::Pending => self.give_back(),
            Poll::Ready(Err(_)) => {}
        }
        read
    }
}
