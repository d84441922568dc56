//! Goes through the frames as they come: which are `h2`'s and which are DATA of
//! a body, and where in a frame the connection stands between two polls.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use socket2::MaybeUninitSlice;
use tokio::io::{AsyncRead, ReadBuf};

use super::{
    Divert, Recv,
    frame::{DATA, END_STREAM, Frame, HEADER, PADDED, end_of_stream},
    raw::behind,
};
use crate::net::http2::pings::Police;

/// A body of so many bytes takes up a good part of the cache of a core.
const LARGE: usize = 128 << 10;

/// Where in the stream of frames the next byte stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    /// The next bytes are a frame header.
    Header,
    /// So many bytes go to `h2` as they are.
    Forward(usize),
    /// Payload of a DATA frame of a diverted stream.
    Body(Payload),
    /// The pad length of a padded DATA frame comes next; `left` bytes with it.
    PadLength { stream: u32, left: usize, end: bool },
}

/// What is still to come of a DATA frame of a diverted stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payload {
    pub(super) stream: u32,
    /// Bytes of data.
    pub(super) left: usize,
    /// Bytes of padding after the data.
    pub(super) padding: usize,
    /// Whether the frame ends its stream.
    pub(super) end: bool,
}

impl State {
    /// The client's connection preface (RFC 9113 §3.4) is no frame.
    pub(super) const PREFACE: State = State::Forward(24);
}

/// Empty DATA frames for `h2` that end streams, and how much of them is delivered.
#[derive(Default)]
pub(super) struct Ends {
    bytes: Vec<u8>,
    sent: usize,
}

impl Ends {
    /// A diverted stream has ended; `h2` must know.
    pub(super) fn push(&mut self, stream: u32) {
        end_of_stream(&mut self.bytes, stream);
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn deliver(&mut self, dst: &mut ReadBuf<'_>) {
        let rest = self.bytes.get(self.sent..).unwrap_or(&[]);
        let n = rest.len().min(dst.remaining());
        dst.put_slice(rest.get(..n).unwrap_or(rest));
        self.sent += n;
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        }
    }
}

/// What a step through the bytes led to.
enum Step {
    /// Go on.
    On,
    /// No more without reading from the connection.
    Read(What),
    /// The request that the next frame belongs to must be accepted first.
    Hold(u32),
}

/// What is to be read.
enum What {
    /// Whatever comes.
    Raw,
    /// The data of this frame, straight into its body, and what follows it.
    Body(Payload),
}

impl<T: Recv> AsyncRead for Divert<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        dst: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = dst.filled().len();
        loop {
            if dst.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if !this.ends.is_empty() {
                this.ends.deliver(dst);
                continue;
            }
            if let Some(police) = this.output.police.clone().filter(Police::broken) {
                return this.poll_farewell(cx, &police).map(Err);
            }
            if this.credit.is_due() {
                this.credit.give(&mut this.output);
                if let Poll::Ready(Err(e)) = this.output.poll_drain(&mut this.io, cx) {
                    return Poll::Ready(Err(e));
                }
            }
            let step = match this.step(dst) {
                Ok(step) => step,
                Err(e) => return Poll::Ready(Err(e)),
            };
            if matches!(step, Step::On) {
                continue;
            }
            // What `h2` has got it should look at before more is waited for.
            if dst.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            // Who waited for a large body works on it while it is near, before the next one comes.
            if let Some(stream) = this.large_came {
                if this.bodies.is_waited_for(stream, cx) {
                    return Poll::Pending;
                }
                this.large_came = None;
            }
            let missing = this.bodies.missing();
            this.io.coming(missing.min(this.credit.share()));
            let read = match step {
                Step::On => continue,
                Step::Hold(stream) => {
                    this.held_back = stream;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Step::Read(What::Raw) => this.raw.poll_fill(&mut this.io, cx, behind(missing)),
                Step::Read(What::Body(payload)) => this.poll_body(cx, payload, missing),
            };
            match read {
                Poll::Ready(Ok(0)) => {
                    let n = this.raw.bytes().len();
                    if n == 0 {
                        return Poll::Ready(Ok(()));
                    }
                    // The end within a header: a piece of one is for `h2` to complain about.
                    this.state = State::Forward(n);
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<T: Recv> Divert<T> {
    /// Deals with the next of the bytes that are there.
    fn step(&mut self, dst: &mut ReadBuf<'_>) -> io::Result<Step> {
        match self.state {
            State::Header => Ok(self.header()),
            State::Forward(left) => {
                let raw = self.raw.bytes();
                if raw.is_empty() {
                    return Ok(Step::Read(What::Raw));
                }
                let n = raw.len().min(left).min(dst.remaining());
                dst.put_slice(raw.get(..n).unwrap_or(raw));
                self.raw.consume(n);
                self.state = if n == left {
                    State::Header
                } else {
                    State::Forward(left - n)
                };
                Ok(Step::On)
            }
            State::PadLength { stream, left, end } => self.pad_length(stream, left, end),
            State::Body(payload) => Ok(self.payload(payload)),
        }
    }

    fn header(&mut self) -> Step {
        let Some(header) = self.raw.bytes().first_chunk::<HEADER>() else {
            return Step::Read(What::Raw);
        };
        let frame = Frame::parse(header);
        let stream = frame.stream;
        if let Some(police) = &self.output.police {
            police.came(frame.kind, frame.flags, stream);
        }
        if frame.kind != DATA || frame.length > self.credit.max_frame() {
            self.state = State::Forward(HEADER + frame.length);
            return Step::On;
        }
        if self.bodies.with(stream, |_, _| ()).is_none() {
            if stream > self.held_back {
                return Step::Hold(stream);
            }
            self.state = State::Forward(HEADER + frame.length);
            return Step::On;
        }
        self.raw.consume(HEADER);
        let end = frame.flags & END_STREAM != 0;
        if frame.flags & PADDED != 0 {
            self.state = State::PadLength {
                stream,
                left: frame.length,
                end,
            };
            return Step::On;
        }
        self.begin(Payload {
            stream,
            left: frame.length,
            padding: 0,
            end,
        });
        Step::On
    }

    fn pad_length(&mut self, stream: u32, left: usize, end: bool) -> io::Result<Step> {
        let Some(&pad) = self.raw.bytes().first() else {
            return Ok(Step::Read(What::Raw));
        };
        let padding = usize::from(pad);
        // RFC 9113 §6.1: padding as long as the payload is a connection error.
        let Some(data) = left.checked_sub(1 + padding) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "DATA frame with more padding than payload",
            ));
        };
        self.raw.consume(1);
        self.credit.count(&self.bodies, stream, 1, !end);
        self.begin(Payload {
            stream,
            left: data,
            padding,
            end,
        });
        Ok(Step::On)
    }

    /// Payload that lies in the raw bytes is copied; where there is none it is read.
    fn payload(&mut self, mut payload: Payload) -> Step {
        let available = self.raw.bytes().len();
        if available == 0 {
            return Step::Read(if payload.left > 0 && payload.padding == 0 {
                What::Body(payload)
            } else {
                What::Raw
            });
        }
        let n;
        if payload.left > 0 {
            n = available.min(payload.left);
            let bytes = self.raw.bytes().get(..n).unwrap_or(&[]);
            self.bodies
                .with(payload.stream, |body, limits| body.take(bytes, limits));
            payload.left -= n;
        } else {
            n = available.min(payload.padding);
            payload.padding -= n;
        }
        self.raw.consume(n);
        self.credit
            .count(&self.bodies, payload.stream, n, !payload.end);
        self.begin(payload);
        Step::On
    }

    /// Reads payload straight into its body, and behind it what is there; how many bytes, 0 at the
    /// end of the stream.
    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        mut payload: Payload,
        missing: usize,
    ) -> Poll<io::Result<usize>> {
        let mut all = self.bodies.all().borrow_mut();
        let body = all
            .iter_mut()
            .find(|b| b.stream == payload.stream)
            .filter(|b| b.missing().is_some_and(|missing| missing >= payload.left))
            .and_then(|b| b.buffer.as_mut());
        let Some(body) = body else {
            drop(all);
            return self.raw.poll_fill(&mut self.io, cx, behind(missing));
        };
        let behind = behind(missing.saturating_sub(payload.left));
        let raw = self.raw.buffer(behind);
        let received = {
            let straight = body.spare().get_mut(..payload.left).unwrap_or_default();
            let rest = raw.spare().get_mut(..behind).unwrap_or_default();
            let mut slices = [MaybeUninitSlice::new(straight), MaybeUninitSlice::new(rest)];
            match self.io.poll_recv(cx, &mut slices) {
                Poll::Ready(Ok(n @ 1..)) => n,
                Poll::Pending => {
                    self.raw.give_back();
                    return Poll::Pending;
                }
                end_or_error => return end_or_error,
            }
        };
        let taken = received.min(payload.left);
        body.advance(taken);
        raw.advance(received - taken);
        drop(all);
        payload.left -= taken;
        self.credit
            .count(&self.bodies, payload.stream, taken, !payload.end);
        self.begin(payload);
        Poll::Ready(Ok(received))
    }

    /// Goes on with the rest of a DATA frame, or behind it if nothing is left of it.
    pub(super) fn begin(&mut self, payload: Payload) {
        if payload.left > 0 || payload.padding > 0 {
            self.state = State::Body(payload);
            return;
        }
        if payload.end {
            self.ends.push(payload.stream);
            if self.one_by_one {
                let len = self.bodies.with(payload.stream, |body, _| body.len());
                if len.is_some_and(|bytes| bytes >= LARGE) {
                    self.large_came = Some(payload.stream);
                }
            }
        }
        self.state = State::Header;
    }
}
