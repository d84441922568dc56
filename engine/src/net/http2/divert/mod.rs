//! Bodies beside `h2`.
//!
//! A gRPC request is one message whose length is known after five bytes, and
//! most senders (all that use grpc-go) cut it into DATA frames of 16 KiB. Taken
//! through `h2`, each frame is a read, an allocation and a queue entry, and the
//! pieces must be gathered afterwards. [`Divert`] sits between the socket and
//! `h2` and takes the payload of DATA frames out of the stream of bytes, for
//! the streams whose handler asked for it ([`Bodies::expect`]), into one buffer of
//! the right size: the payload of the frame at hand straight from the kernel, that
//! of the frames behind it, which are read with the same call, with one copy.
//!
//! `h2` sees everything else: every frame that is not DATA, DATA of streams that
//! nobody asked for, and an empty DATA frame in the place of each end of stream.
//! As it does not see the diverted bytes it cannot give back their flow-control
//! window; `Divert` does, with WINDOW_UPDATE frames between `h2`'s own frames.
//!
//! `bodies` is the face to the handlers, `read` goes through the frames as they
//! come, `raw` keeps what was read and not looked at, `output` is the way out,
//! `frame` the format.

mod bodies;
mod frame;
mod output;
mod raw;
mod read;

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use socket2::MaybeUninitSlice;
use tokio::io::AsyncWrite;

pub use self::bodies::{Bodies, BodyError, Expected, Message};
use self::{
    output::{Credit, Output},
    raw::Raw,
    read::{Ends, State},
};
use super::pings::Police;
use crate::net::{admission::Budget, transport::Transport};

/// What [`Divert`] reads from: a connection that can fill several buffers at once.
pub trait Recv: AsyncWrite + Unpin {
    /// Reads into several buffers, in their order; 0 is the end of the stream.
    ///
    /// # Errors
    /// The connection's.
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [MaybeUninitSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Tells that at least so many bytes are to come, unless the peer gives up: a wait need not
    /// end for each few of them.
    fn coming(&mut self, bytes: usize) {
        let _ = bytes;
    }
}

impl Recv for Transport {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [MaybeUninitSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Transport::poll_recv(self, cx, buffers)
    }

    fn coming(&mut self, bytes: usize) {
        Transport::coming(self, bytes);
    }
}

/// Limits of the connection that both `h2` and [`Divert`] know.
#[derive(Clone, Debug)]
pub struct Windows {
    /// `SETTINGS_MAX_FRAME_SIZE` advertised, in bytes.
    pub frame: u32,
    /// Initial window of a stream, in bytes.
    pub stream: u32,
    /// Window of the connection, in bytes.
    pub connection: u32,
}

/// The stream of bytes that `h2` reads and writes, less the bodies.
pub struct Divert<T = Transport> {
    io: T,
    bodies: Bodies,
    raw: Raw,
    state: State,
    /// The stream whose DATA was held back once so that its request could be accepted.
    held_back: u32,
    /// After a large body nothing is read until whoever waited for it had its turn.
    one_by_one: bool,
    /// The stream whose large body came to its end, as long as nothing was read since.
    large_came: Option<u32>,
    ends: Ends,
    credit: Credit,
    output: Output,
}

impl<T: Recv> Divert<T> {
    /// Wraps a server connection at its very beginning.
    pub fn new(
        io: T,
        windows: Windows,
        max_message: usize,
        budget: Arc<Budget>,
    ) -> (Divert<T>, Bodies) {
        let bodies = Bodies::new(max_message, budget);
        let divert = Divert {
            io,
            bodies: bodies.clone(),
            raw: Raw::default(),
            state: State::PREFACE,
            held_back: 0,
            one_by_one: false,
            large_came: None,
            ends: Ends::default(),
            credit: Credit::new(windows),
            output: Output::default(),
        };
        (divert, bodies)
    }

    /// Ends the connection when the client pings too often.
    pub fn policed(mut self, police: Option<Police>) -> Self {
        self.output.police = police;
        self
    }

    /// After a large body, lets whoever waited for it work on it, while it is in the cache, before
    /// the next one is read.
    pub fn one_by_one(mut self, one_by_one: bool) -> Self {
        self.one_by_one = one_by_one;
        self
    }

    /// Sends the farewell of a client that pinged too often, and ends the connection.
    fn poll_farewell(&mut self, cx: &mut Context<'_>, police: &Police) -> Poll<io::Error> {
        self.output.bid_farewell(police);
        match self.output.poll_drain(&mut self.io, cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) => {
                if Pin::new(&mut self.io).poll_shutdown(cx).is_pending() {
                    return Poll::Pending;
                }
            }
            Poll::Ready(Err(_)) => {}
        }
        Poll::Ready(io::Error::other("got too many pings from the client"))
    }
}

impl<T: Recv> AsyncWrite for Divert<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.output.is_full() {
            match this.output.poll_drain(&mut this.io, cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(this.output.gather(bufs)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.credit.give(&mut this.output);
        match this.output.poll_drain(&mut this.io, cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut this.io).poll_flush(cx),
            other => other,
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.output.poll_drain(&mut this.io, cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut this.io).poll_shutdown(cx),
            other => other,
        }
    }
}

impl<T> Drop for Divert<T> {
    fn drop(&mut self) {
        self.bodies.end();
    }
}

#[cfg(test)]
mod tests;
