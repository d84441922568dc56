//! What goes out: `h2`'s frames gathered into large writes, and between two of
//! them the window that was used up beside `h2` and is given back.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use super::{
    Recv, Windows,
    bodies::Bodies,
    frame::{Frame, HEADER, window_update},
};
use crate::net::http2::pings::Police;

/// Bytes of `h2`'s output gathered before they are sent on, at most.
const OUT: usize = 64 << 10;
/// A buffer larger than this is not kept between writes.
const KEPT: usize = 4 << 10;

/// Bytes on their way out, and where in `h2`'s output the next frame begins.
#[derive(Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    start: usize,
    /// The header of the frame at hand, as far as it has come.
    header: [u8; HEADER],
    header_len: usize,
    /// Payload of the frame at hand that is still to come.
    payload: usize,
    /// Who judges the client's pings.
    pub(super) police: Option<Police>,
}

impl Output {
    /// Whether as much is gathered as is allowed.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() - self.start >= OUT
    }

    /// Takes bytes of `h2`'s; how many.
    pub(super) fn gather(&mut self, bufs: &[IoSlice<'_>]) -> usize {
        let mut written = 0;
        for buf in bufs {
            let n = buf.len().min(OUT - written);
            let part = buf.get(..n).unwrap_or(&[]);
            self.bytes.extend_from_slice(part);
            self.follow(part);
            written += n;
            if written == OUT {
                break;
            }
        }
        written
    }

    /// Writes what is gathered.
    ///
    /// # Errors
    /// The connection's.
    pub(super) fn poll_drain<T: Recv>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = self.bytes.get(self.start..).filter(|r| !r.is_empty()) {
            match Pin::new(&mut *io).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => self.start += n,
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.bytes.clear();
        self.start = 0;
        if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Gathers the farewell of a client that pinged too often, once; within a frame nothing can
    /// be said any more.
    pub(super) fn bid_farewell(&mut self, police: &Police) {
        if self.is_between_frames() {
            self.bytes.extend_from_slice(&police.farewell());
            self.payload = usize::MAX;
        }
    }

    fn is_between_frames(&self) -> bool {
        self.payload == 0 && self.header_len == 0
    }

    /// Follows the frames in `h2`'s output.
    fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.payload > 0 {
                let n = bytes.len().min(self.payload);
                self.payload -= n;
                bytes = bytes.get(n..).unwrap_or(&[]);
                continue;
            }
            let n = bytes.len().min(HEADER - self.header_len);
            let (head, rest) = bytes.split_at(n);
            if let Some(slot) = self.header.get_mut(self.header_len..self.header_len + n) {
                slot.copy_from_slice(head);
            }
            self.header_len += n;
            bytes = rest;
            if self.header_len == HEADER {
                self.header_len = 0;
                let frame = Frame::parse(&self.header);
                self.payload = frame.length;
                if let Some(police) = &self.police {
                    police.went(frame.kind);
                }
            }
        }
    }
}

/// Window that diverted payload has used up and that is to be given back (RFC 9113 §6.9).
pub(super) struct Credit {
    windows: Windows,
    /// Payload whose connection window was not given back yet.
    connection: u32,
    /// Streams whose window is to be given back, and how much of it.
    streams: Vec<(u32, u32)>,
}

impl Credit {
    pub(super) fn new(windows: Windows) -> Credit {
        Credit {
            windows,
            connection: 0,
            streams: Vec::new(),
        }
    }

    /// `SETTINGS_MAX_FRAME_SIZE` advertised, in bytes.
    pub(super) fn max_frame(&self) -> usize {
        self.windows.frame as usize
    }

    /// What a sender can always send, however little window was given back lately, in bytes.
    pub(super) fn share(&self) -> usize {
        self.windows.stream as usize / 4
    }

    /// Payload of which the connection does not know yet that it was taken.
    #[cfg(test)]
    pub(super) fn withheld(&self) -> u32 {
        self.connection
    }

    /// Counts diverted payload; `more` says whether more of its stream is to come.
    pub(super) fn count(&mut self, bodies: &Bodies, stream: u32, n: usize, more: bool) {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        self.connection = self.connection.saturating_add(n);
        let half = self.windows.stream / 2;
        let due = bodies.with(stream, |body, _| {
            body.unacknowledged = body.unacknowledged.saturating_add(n);
            if more && body.unacknowledged >= half {
                std::mem::take(&mut body.unacknowledged)
            } else {
                0
            }
        });
        if let Some(due @ 1..) = due {
            self.streams.push((stream, due));
        }
    }

    /// Whether so much is owed that it should be given back now.
    pub(super) fn is_due(&self) -> bool {
        !self.streams.is_empty() || self.connection_is_due()
    }

    fn connection_is_due(&self) -> bool {
        self.connection >= self.windows.connection / 4
    }

    /// Gives back what is due, if `h2`'s output stands between two frames.
    pub(super) fn give(&mut self, out: &mut Output) {
        if !out.is_between_frames() {
            return;
        }
        if self.connection_is_due() {
            window_update(&mut out.bytes, 0, std::mem::take(&mut self.connection));
        }
        for (stream, n) in self.streams.drain(..) {
            window_update(&mut out.bytes, stream, n);
        }
    }
}
