//! Reading a body whole, within the cap and the core's budget: admitted at its
//! Content-Length, or as it grows where there is none. It is gathered once, into
//! a pooled buffer.

use std::{future::poll_fn, pin::Pin, sync::Arc};

use bytes::Bytes;
use h2::RecvStream;
use http_body::Body as _;
use hyper::body::Incoming;

use crate::net::{admission::Budget, buffers::Buffer};

/// The least that a body without a length takes at a time, bytes.
const STEP: usize = 16 << 10;

/// Where a body comes from.
pub(super) enum Stream {
    /// HTTP/1.1.
    Http1(Incoming),
    /// HTTP/2.
    Http2(RecvStream),
}

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is larger than the cap.
    TooLarge,
    /// The budget has no room for it.
    NoRoom,
    /// It took too long.
    Late,
    /// The caller broke it off, or its framing is wrong.
    Broken,
}

impl Stream {
    async fn next(&mut self) -> Option<Result<Bytes, Unread>> {
        match self {
            Stream::Http1(body) => loop {
                match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await? {
                    Ok(frame) => {
                        // Trailers say nothing here.
                        if let Ok(data) = frame.into_data() {
                            return Some(Ok(data));
                        }
                    }
                    Err(_) => return Some(Err(Unread::Broken)),
                }
            },
            Stream::Http2(stream) => match poll_fn(|cx| stream.poll_data(cx)).await? {
                Ok(data) => match stream.flow_control().release_capacity(data.len()) {
                    Ok(()) => Some(Ok(data)),
                    Err(_) => Some(Err(Unread::Broken)),
                },
                Err(_) => Some(Err(Unread::Broken)),
            },
        }
    }
}

/// The rules under which a body is read.
pub(super) struct Gathering<'a> {
    /// Bytes, at most.
    pub(super) limit: usize,
    /// What it is charged to.
    pub(super) budget: &'a Arc<Budget>,
}

impl Gathering<'_> {
    /// Reads the body, of `length` bytes where that was announced.
    ///
    /// # Errors
    /// See [`Unread`]; what was read is let go of at once.
    pub(super) async fn gather(
        &self,
        mut body: Stream,
        length: Option<u64>,
    ) -> Result<Buffer, Unread> {
        let announced = match length {
            Some(n) if n > self.limit as u64 => return Err(Unread::TooLarge),
            Some(n) => usize::try_from(n).map_err(|_| Unread::TooLarge)?,
            None => 0,
        };
        let mut charge = self.budget.charge(announced).ok_or(Unread::NoRoom)?;
        let mut room = announced;
        let mut buffer = Buffer::with_capacity(announced);
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            let needed = buffer.len() + chunk.len();
            if needed > self.limit {
                return Err(Unread::TooLarge);
            }
            if needed > room {
                // At least twice as much each time, so that what was read is copied once on
                // average; never beyond the cap.
                let to = needed.max(room * 2).max(STEP).min(self.limit);
                if !charge.grow(to - room) {
                    return Err(Unread::NoRoom);
                }
                room = to;
                buffer.grow(room - buffer.len());
            }
            buffer.extend_from_slice(&chunk);
        }
        Ok(buffer.charged(charge))
    }
}
