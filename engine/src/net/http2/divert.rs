//! Bodies beside `h2`.
//!
//! A gRPC request is one message whose length is known after five bytes, and
//! most senders (all that use grpc-go) cut it into DATA frames of 16 KiB. Taken
//! through `h2`, each frame is a read, an allocation and a queue entry, and the
//! pieces must be gathered afterwards. [`Divert`] sits between the socket and
//! `h2` and takes the payload of DATA frames out of the stream of bytes, for
//! the streams whose handler asked for it ([`Bodies::expect`]): the payload is
//! read by the kernel straight into one buffer of the right size, the frame
//! headers between the pieces into a scratch array, with one `recvmsg` for many
//! frames. Where the next header will stand is guessed from the frames before
//! and confirmed afterwards; a wrong guess costs a copy.
//!
//! `h2` sees everything else: every frame that is not DATA, DATA of streams that
//! nobody asked for, and an empty DATA frame in the place of each end of stream.
//! As it does not see the diverted bytes it cannot give back their flow-control
//! window; `Divert` does, with WINDOW_UPDATE frames between `h2`'s own frames.

use std::{
    cell::{Cell, RefCell},
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use smallvec::SmallVec;
use socket2::MaybeUninitSlice;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::{admission::Budget, buffers::Buffer, transport::Transport};

/// Length of an HTTP/2 frame header (RFC 9113 §4.1).
const HEADER: usize = 9;
/// Length of a gRPC message prefix: compressed flag and length.
const PREFIX: usize = 5;
/// Bytes read at once where no body is expected.
const RAW: usize = 16 << 10;
/// Frames that are guessed ahead, at most.
const MAX_GUESS: usize = 64;
/// Bytes of `h2`'s output gathered before they are sent on, at most.
const OUT: usize = 64 << 10;

const DATA: u8 = 0;
const END_STREAM: u8 = 1;
const PADDED: u8 = 8;

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
}

impl Recv for Transport {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [MaybeUninitSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Transport::poll_recv(self, cx, buffers)
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

/// Why a message could not be taken.
#[derive(Debug)]
pub enum BodyError {
    /// The length prefix says more than the limit allows.
    TooLarge {
        /// Bytes the message would have.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The core's memory budget has no room for the message.
    NoRoom,
    /// The stream ended before the message did, after this many of its bytes.
    Truncated {
        /// Bytes of the message that arrived.
        received: usize,
    },
    /// More bytes than one message.
    Trailing,
    /// The caller or the connection is gone.
    Gone,
}

/// One gRPC message as it arrived.
#[derive(Debug)]
pub struct Message {
    /// The compressed flag of the prefix.
    pub compressed: bool,
    /// The message, as sent.
    pub bytes: Buffer,
}

struct Body {
    stream: u32,
    prefix: [u8; PREFIX],
    prefix_len: usize,
    want: usize,
    buffer: Option<Buffer>,
    error: Option<BodyError>,
    /// Payload bytes whose stream window was not given back yet.
    unacknowledged: u32,
    /// The stream whose DATA lately came after this one's: senders go round their streams.
    follower: u32,
    waker: Option<Waker>,
}

impl Body {
    /// Bytes of the message still to come; `None` while its length is not known.
    fn missing(&self) -> Option<usize> {
        if self.prefix_len < PREFIX || self.error.is_some() {
            return None;
        }
        Some(self.want - self.buffer.as_ref().map_or(0, |b| b.len()))
    }

    fn fail(&mut self, error: BodyError) {
        self.buffer = None;
        self.error.get_or_insert(error);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Takes payload that was read elsewhere.
    fn take(&mut self, mut payload: &[u8], limits: &Limits) {
        if self.error.is_some() {
            return;
        }
        if self.prefix_len < PREFIX {
            let n = payload.len().min(PREFIX - self.prefix_len);
            let (head, rest) = payload.split_at(n);
            if let Some(slot) = self.prefix.get_mut(self.prefix_len..self.prefix_len + n) {
                slot.copy_from_slice(head);
            }
            self.prefix_len += n;
            payload = rest;
            if self.prefix_len < PREFIX {
                return;
            }
            self.admit(limits);
            if self.error.is_some() {
                return;
            }
        }
        if payload.len() > self.missing().unwrap_or(0) {
            self.fail(BodyError::Trailing);
        } else if let Some(buffer) = &mut self.buffer {
            buffer.extend_from_slice(payload);
        }
    }

    /// The length is known: the place where the request is let in or refused.
    fn admit(&mut self, limits: &Limits) {
        let [_, a, b, c, d] = self.prefix;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > limits.message {
            self.fail(BodyError::TooLarge {
                length,
                limit: limits.message,
            });
            return;
        }
        match limits.budget.charge(length) {
            None => self.fail(BodyError::NoRoom),
            Some(charge) => {
                self.want = length;
                self.buffer = Some(Buffer::with_capacity(length).charged(charge));
            }
        }
    }
}

struct Limits {
    message: usize,
    budget: Arc<Budget>,
}

struct Shared {
    bodies: RefCell<Vec<Body>>,
    limits: Limits,
    gone: Cell<bool>,
}

/// The bodies that handlers of one connection wait for.
#[derive(Clone)]
pub struct Bodies(Rc<Shared>);

impl Bodies {
    /// Asks for the body of a stream to be diverted. To be called before the connection is
    /// polled again after the request was accepted.
    pub fn expect(&self, stream: u32) -> Expected {
        self.0.bodies.borrow_mut().push(Body {
            stream,
            prefix: [0; PREFIX],
            prefix_len: 0,
            want: 0,
            buffer: None,
            error: None,
            unacknowledged: 0,
            follower: stream,
            waker: None,
        });
        Expected {
            bodies: self.clone(),
            stream,
        }
    }

    fn with<R>(&self, stream: u32, f: impl FnOnce(&mut Body, &Limits) -> R) -> Option<R> {
        let mut bodies = self.0.bodies.borrow_mut();
        // Few streams are open at a time and the newest are asked for most.
        let body = bodies.iter_mut().rev().find(|b| b.stream == stream)?;
        Some(f(body, &self.0.limits))
    }
}

/// A body that was asked for; dropping it gives the body up.
pub struct Expected {
    bodies: Bodies,
    stream: u32,
}

impl Expected {
    /// Ready with an error as soon as the message cannot be taken.
    pub fn poll_refused(&self, cx: &mut Context<'_>) -> Poll<BodyError> {
        if self.bodies.0.gone.get() {
            return Poll::Ready(BodyError::Gone);
        }
        self.bodies
            .with(self.stream, |body, _| match body.error.take() {
                Some(error) => {
                    // The rest of the body is still to be thrown away.
                    body.error = Some(BodyError::Gone);
                    Poll::Ready(error)
                }
                None => {
                    body.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            })
            .unwrap_or(Poll::Ready(BodyError::Gone))
    }

    /// The message, once `h2` has seen the end of the stream.
    ///
    /// # Errors
    /// The message was refused or is not whole.
    pub fn finish(self) -> Result<Message, BodyError> {
        self.bodies
            .with(self.stream, |body, _| {
                if let Some(error) = body.error.take() {
                    return Err(error);
                }
                match (body.missing(), body.buffer.take()) {
                    (Some(0), Some(bytes)) => Ok(Message {
                        compressed: body.prefix[0] & 1 == 1,
                        bytes,
                    }),
                    (_, buffer) => Err(BodyError::Truncated {
                        received: buffer.map_or(body.prefix_len, |b| PREFIX + b.len()),
                    }),
                }
            })
            .unwrap_or(Err(BodyError::Gone))
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        let mut bodies = self.bodies.0.bodies.borrow_mut();
        if let Some(at) = bodies.iter().rposition(|b| b.stream == self.stream) {
            bodies.swap_remove(at);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The next bytes are a frame header.
    Header,
    /// So many bytes go to `h2` as they are.
    Forward(usize),
    /// Payload of a DATA frame of a diverted stream.
    Body {
        stream: u32,
        /// Data still to come in this frame.
        left: usize,
        /// Padding after the data.
        padding: usize,
        end: bool,
    },
    /// The pad length of a padded DATA frame comes next; `left` bytes with it.
    PadLength { stream: u32, left: usize, end: bool },
}

/// The stream of bytes that `h2` reads and writes, less the bodies.
pub struct Divert<T = Transport> {
    io: T,
    bodies: Bodies,
    windows: Windows,
    raw: Option<Buffer>,
    raw_start: usize,
    state: State,
    /// The stream whose DATA was held back once so that its request could be accepted.
    held_back: u32,
    /// Empty DATA frames for `h2` that end streams, and how much of them is delivered.
    ends: Vec<u8>,
    ends_sent: usize,
    /// How many frames to guess ahead, and the length of a full frame.
    guess: usize,
    guess_len: usize,
    /// The diverted stream whose DATA came last.
    last: u32,
    /// Payload whose connection window was not given back yet.
    unacknowledged: u32,
    stream_credits: Vec<(u32, u32)>,
    out: Vec<u8>,
    out_start: usize,
    /// Where in `h2`'s output the next frame begins: its header so far, its payload to come.
    out_header: [u8; HEADER],
    out_header_len: usize,
    out_payload: usize,
}

impl<T: Recv> Divert<T> {
    /// Wraps a server connection at its very beginning.
    pub fn new(
        io: T,
        windows: Windows,
        max_message: usize,
        budget: Arc<Budget>,
    ) -> (Divert<T>, Bodies) {
        let bodies = Bodies(Rc::new(Shared {
            bodies: RefCell::new(Vec::new()),
            limits: Limits {
                message: max_message,
                budget,
            },
            gone: Cell::new(false),
        }));
        let divert = Divert {
            io,
            bodies: bodies.clone(),
            windows,
            raw: None,
            raw_start: 0,
            // The client's connection preface (RFC 9113 §3.4) is no frame.
            state: State::Forward(24),
            held_back: 0,
            ends: Vec::new(),
            ends_sent: 0,
            guess: 1,
            guess_len: 0,
            last: 0,
            unacknowledged: 0,
            stream_credits: Vec::new(),
            out: Vec::new(),
            out_start: 0,
            out_header: [0; HEADER],
            out_header_len: 0,
            out_payload: 0,
        };
        (divert, bodies)
    }

    fn raw(&self) -> &[u8] {
        self.raw
            .as_ref()
            .and_then(|raw| raw.get(self.raw_start..))
            .unwrap_or(&[])
    }

    fn consume(&mut self, n: usize) {
        self.raw_start += n;
        if self.raw().is_empty() {
            self.raw_start = 0;
            if let Some(raw) = &mut self.raw {
                raw.clear();
            }
        }
    }

    /// Reads more raw bytes behind those that are there (fewer than a frame header).
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.raw_start > 0 {
            let start = self.raw_start;
            if let Some(raw) = &mut self.raw {
                raw.drain(..start);
            }
            self.raw_start = 0;
        }
        let raw = self.raw.get_or_insert_with(|| Buffer::with_capacity(RAW));
        let read = self
            .io
            .poll_recv(cx, &mut [MaybeUninitSlice::new(raw.spare())]);
        match read {
            Poll::Ready(Ok(n)) => {
                raw.advance(n);
                Poll::Ready(Ok(n))
            }
            Poll::Pending => {
                // An idle connection holds no buffer.
                if raw.is_empty() {
                    self.raw = None;
                }
                Poll::Pending
            }
            error => error,
        }
    }

    /// Counts diverted payload for flow control.
    fn count(&mut self, stream: u32, n: usize, more: bool) {
        let n32 = u32::try_from(n).unwrap_or(u32::MAX);
        self.unacknowledged = self.unacknowledged.saturating_add(n32);
        let half = self.windows.stream / 2;
        let due = self.bodies.with(stream, |body, _| {
            body.unacknowledged = body.unacknowledged.saturating_add(n32);
            if more && body.unacknowledged >= half {
                std::mem::take(&mut body.unacknowledged)
            } else {
                0
            }
        });
        if let Some(due @ 1..) = due {
            self.stream_credits.push((stream, due));
        }
    }

    /// The data of the frame at hand is all there: what comes next.
    fn end_of_data(&mut self, stream: u32, padding: usize, end: bool) {
        if padding > 0 {
            self.state = State::Body {
                stream,
                left: 0,
                padding,
                end,
            };
            return;
        }
        self.ended(stream, end);
        self.state = State::Header;
    }

    /// Reads payload straight into its body, and what is guessed to follow into the bodies it is
    /// guessed to be of.
    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        stream: u32,
        left: usize,
        end: bool,
    ) -> Poll<io::Result<usize>> {
        let bodies = self.bodies.clone();
        let mut all = bodies.0.bodies.borrow_mut();
        let direct = all
            .iter()
            .position(|b| b.stream == stream && b.missing().is_some_and(|m| m >= left));
        let Some(first) = direct else {
            drop(all);
            return self.poll_fill(cx);
        };
        let plan = self.plan(&all, first, left);
        let raw = self.raw.get_or_insert_with(|| Buffer::with_capacity(RAW));

        let mut headers = [MaybeUninit::<[u8; HEADER]>::uninit(); MAX_GUESS];
        let read = {
            let mut spare: SmallVec<[&mut [MaybeUninit<u8>]; 16]> = all
                .iter_mut()
                .map(|b| b.buffer.as_mut().map(Buffer::spare).unwrap_or_default())
                .collect();
            let mut slices: SmallVec<[MaybeUninitSlice<'_>; 2 * MAX_GUESS + 2]> = SmallVec::new();
            slices.push(MaybeUninitSlice::new(cut(&mut spare, first, left)));
            for (guess, header) in plan.iter().zip(headers.iter_mut()) {
                slices.push(MaybeUninitSlice::new(scratch::as_bytes(header)));
                slices.push(MaybeUninitSlice::new(cut(
                    &mut spare,
                    guess.body,
                    guess.length,
                )));
            }
            slices.push(MaybeUninitSlice::new(raw.spare()));
            self.io.poll_recv(cx, &mut slices)
        };
        let received = match read {
            Poll::Ready(Ok(n @ 1..)) => n,
            Poll::Pending => {
                if raw.is_empty() {
                    self.raw = None;
                }
                return Poll::Pending;
            }
            end_or_error => return end_or_error,
        };

        // What was read, frame by frame, as far as the guesses hold.
        let mut counts: SmallVec<[(u32, usize, bool); MAX_GUESS]> = SmallVec::new();
        let mut n = received;
        let taken = n.min(left);
        advance(&mut all, first, taken);
        n -= taken;
        counts.push((stream, taken, !end));
        let mut current = (stream, left - taken, end);
        let mut ends: SmallVec<[u32; 8]> = SmallVec::new();
        let mut right = 0;
        let mut spill: Option<Vec<u8>> = None;
        for (k, (guess, header)) in plan.iter().zip(headers.iter()).enumerate() {
            if n == 0 {
                break;
            }
            let have = n.min(HEADER);
            let frame = Frame::parse(&scratch::initialised(header, have));
            let holds = have == HEADER
                && frame.kind == DATA
                && frame.stream == all.get(guess.body).map_or(0, |b| b.stream)
                && frame.flags & PADDED == 0
                && frame.length == guess.length;
            if !holds {
                let rest = (
                    plan.get(k..).unwrap_or(&[]),
                    headers.get(k..).unwrap_or(&[]),
                );
                spill = Some(collect(&mut all, rest.0, rest.1, &mut n));
                break;
            }
            right += 1;
            n -= HEADER;
            if current.2 {
                ends.push(current.0);
            }
            let taken = n.min(guess.length);
            advance(&mut all, guess.body, taken);
            n -= taken;
            let end = frame.flags & END_STREAM != 0;
            counts.push((frame.stream, taken, !end));
            current = (frame.stream, guess.length - taken, end);
        }
        // The rest lies in the raw buffer.
        raw.advance(n);
        if let Some(mut bytes) = spill {
            // A guess that was wrong costs a copy: risk less.
            self.guess = (self.guess / 2).max(right).max(1);
            bytes.extend_from_slice(raw);
            let mut longer = Buffer::with_capacity(bytes.len().max(RAW));
            longer.extend_from_slice(&bytes);
            self.raw = Some(longer);
            self.raw_start = 0;
        } else if right == plan.len() {
            self.guess = (self.guess * 2).min(MAX_GUESS);
        }
        drop(all);
        for stream in ends {
            self.ended(stream, true);
        }
        for (stream, n, more) in counts {
            self.count(stream, n, more);
        }
        let (stream, left, end) = current;
        self.last = stream;
        self.state = State::Body {
            stream,
            left,
            padding: 0,
            end,
        };
        if left == 0 {
            self.end_of_data(stream, 0, end);
        }
        Poll::Ready(Ok(received))
    }

    /// Which DATA frames are expected to follow, whose they are and where they go.
    fn plan(&self, all: &[Body], first: usize, left: usize) -> SmallVec<[Guess; MAX_GUESS]> {
        let mut plan = SmallVec::new();
        let mut filled: SmallVec<[usize; 16]> = all
            .iter()
            .map(|b| b.buffer.as_ref().map_or(0, |b| b.len()))
            .collect();
        if let Some(filled) = filled.get_mut(first) {
            *filled += left;
        }
        let mut at = first;
        let mut idle = 0;
        while plan.len() < self.guess && self.guess_len > 0 && idle <= all.len() {
            let next = all.get(at).map_or(0, |b| b.follower);
            let Some(found) = all.iter().position(|b| b.stream == next) else {
                break;
            };
            at = found;
            let (Some(body), Some(filled)) = (all.get(at), filled.get_mut(at)) else {
                break;
            };
            if body.missing().is_none() {
                break;
            }
            let length = self.guess_len.min(body.want.saturating_sub(*filled));
            if length == 0 {
                // Complete by then; the round goes on without it.
                idle += 1;
                continue;
            }
            idle = 0;
            plan.push(Guess {
                body: at,
                start: *filled,
                length,
            });
            *filled += length;
        }
        plan
    }

    /// A diverted stream has ended; `h2` must know.
    fn ended(&mut self, stream: u32, end: bool) {
        if end {
            let id = stream.to_be_bytes();
            self.ends
                .extend_from_slice(&[0, 0, 0, DATA, END_STREAM, id[0], id[1], id[2], id[3]]);
        }
    }

    /// Hands window back where it is due, if `h2`'s output stands between two frames.
    fn credit(&mut self) {
        if self.out_payload > 0 || self.out_header_len > 0 {
            return;
        }
        if self.unacknowledged >= self.windows.connection / 4 {
            let n = std::mem::take(&mut self.unacknowledged);
            window_update(&mut self.out, 0, n);
        }
        for (stream, n) in self.stream_credits.drain(..) {
            window_update(&mut self.out, stream, n);
        }
    }

    fn credit_due(&self) -> bool {
        !self.stream_credits.is_empty() || self.unacknowledged >= self.windows.connection / 4
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.out.get(self.out_start..).filter(|r| !r.is_empty()) {
            match Pin::new(&mut self.io).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => self.out_start += n,
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.out.clear();
        self.out_start = 0;
        if self.out.capacity() > 4 << 10 {
            self.out = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Follows the frames in `h2`'s output.
    fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.out_payload > 0 {
                let n = bytes.len().min(self.out_payload);
                self.out_payload -= n;
                bytes = bytes.get(n..).unwrap_or(&[]);
                continue;
            }
            let n = bytes.len().min(HEADER - self.out_header_len);
            let (head, rest) = bytes.split_at(n);
            if let Some(slot) = self
                .out_header
                .get_mut(self.out_header_len..self.out_header_len + n)
            {
                slot.copy_from_slice(head);
            }
            self.out_header_len += n;
            bytes = rest;
            if self.out_header_len == HEADER {
                self.out_header_len = 0;
                self.out_payload = Frame::parse(&self.out_header).length;
            }
        }
    }
}

/// A DATA frame that is expected: whose, where in its body, how long.
struct Guess {
    body: usize,
    start: usize,
    length: usize,
}

/// Takes the next `n` bytes of a body's room.
fn cut<'a>(
    spare: &mut [&'a mut [MaybeUninit<u8>]],
    body: usize,
    n: usize,
) -> &'a mut [MaybeUninit<u8>] {
    let Some(room) = spare.get_mut(body) else {
        return &mut [];
    };
    let (taken, rest) = std::mem::take(room)
        .split_at_mut_checked(n)
        .unwrap_or_default();
    *room = rest;
    taken
}

fn advance(bodies: &mut [Body], body: usize, n: usize) {
    if let Some(buffer) = bodies.get_mut(body).and_then(|b| b.buffer.as_mut()) {
        buffer.advance(n);
    }
}

/// Puts bytes in order that the kernel wrote where wrong guesses had put them, from the header of
/// guess `k` on; `n` is how many bytes of what was read are not accounted for yet.
fn collect(
    bodies: &mut [Body],
    guesses: &[Guess],
    headers: &[MaybeUninit<[u8; HEADER]>],
    n: &mut usize,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(*n);
    for (guess, header) in guesses.iter().zip(headers) {
        let have = (*n).min(HEADER);
        bytes.extend_from_slice(
            scratch::initialised(header, have)
                .get(..have)
                .unwrap_or(&[]),
        );
        *n -= have;
        let have = (*n).min(guess.length);
        if let Some(buffer) = bodies_buffer(bodies, guess.body) {
            let offset = guess.start - buffer.len();
            scratch::peek(buffer, offset, have, &mut bytes);
        }
        *n -= have;
    }
    bytes
}

fn bodies_buffer(bodies: &mut [Body], body: usize) -> Option<&mut Buffer> {
    bodies.get_mut(body)?.buffer.as_mut()
}

mod scratch {
    //! Safety: each function reads only bytes that the caller was told by the kernel were
    //! written; the frame headers' array and the buffer's spare room are plain bytes.
    #![allow(unsafe_code)]

    use std::mem::MaybeUninit;

    use super::{Buffer, HEADER};

    pub(super) fn as_bytes(header: &mut MaybeUninit<[u8; HEADER]>) -> &mut [MaybeUninit<u8>] {
        // SAFETY: an array of bytes and an array of maybe-uninitialised bytes are laid out alike.
        unsafe { &mut *std::ptr::from_mut(header).cast::<[MaybeUninit<u8>; HEADER]>() }
    }

    pub(super) fn initialised(header: &MaybeUninit<[u8; HEADER]>, n: usize) -> [u8; HEADER] {
        let mut out = [0u8; HEADER];
        // SAFETY: the kernel wrote the first `n` bytes, n ≤ 9.
        unsafe {
            std::ptr::copy_nonoverlapping(
                header.as_ptr().cast::<u8>(),
                out.as_mut_ptr(),
                n.min(HEADER),
            );
        }
        out
    }

    pub(super) fn peek(buffer: &mut Buffer, offset: usize, n: usize, out: &mut Vec<u8>) {
        let Some(bytes) = buffer.spare().get(offset..offset + n) else {
            return;
        };
        // SAFETY: the kernel wrote these `n` bytes; they are read as plain bytes.
        let bytes = unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast::<u8>(), n) };
        out.extend_from_slice(bytes);
    }
}

struct Frame {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Frame {
    fn parse(header: &[u8; HEADER]) -> Frame {
        let [a, b, c, kind, flags, s0, s1, s2, s3] = *header;
        Frame {
            length: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([s0, s1, s2, s3]) & 0x7fff_ffff,
        }
    }
}

fn window_update(out: &mut Vec<u8>, stream: u32, n: u32) {
    out.extend_from_slice(&[0, 0, 4, 8, 0]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(&n.to_be_bytes());
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
            let progress = dst.filled().len() > before;
            if dst.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if this.ends_sent < this.ends.len() {
                let rest = this.ends.get(this.ends_sent..).unwrap_or(&[]);
                let n = rest.len().min(dst.remaining());
                dst.put_slice(rest.get(..n).unwrap_or(rest));
                this.ends_sent += n;
                if this.ends_sent == this.ends.len() {
                    this.ends.clear();
                    this.ends_sent = 0;
                }
                continue;
            }
            if this.credit_due() {
                this.credit();
                if let Poll::Ready(Err(e)) = this.poll_drain(cx) {
                    return Poll::Ready(Err(e));
                }
            }
            match this.state {
                State::Forward(left) => {
                    let raw = this.raw();
                    if raw.is_empty() {
                        if progress {
                            return Poll::Ready(Ok(()));
                        }
                        match this.poll_fill(cx) {
                            Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                            Poll::Ready(Ok(_)) => continue,
                            Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                            Poll::Pending => return Poll::Pending,
                        }
                    }
                    let n = raw.len().min(left).min(dst.remaining());
                    dst.put_slice(raw.get(..n).unwrap_or(raw));
                    this.consume(n);
                    this.state = if n == left {
                        State::Header
                    } else {
                        State::Forward(left - n)
                    };
                }
                State::Header => {
                    let Some(header) = this.raw().first_chunk::<HEADER>() else {
                        if progress {
                            return Poll::Ready(Ok(()));
                        }
                        match this.poll_fill(cx) {
                            // The end; a piece of a header is for `h2` to complain about.
                            Poll::Ready(Ok(0)) => {
                                let n = this.raw().len();
                                if n == 0 {
                                    return Poll::Ready(Ok(()));
                                }
                                this.state = State::Forward(n);
                                continue;
                            }
                            Poll::Ready(Ok(_)) => continue,
                            Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                            Poll::Pending => return Poll::Pending,
                        }
                    };
                    let frame = Frame::parse(header);
                    if frame.kind != DATA || frame.length > this.windows.frame as usize {
                        this.state = State::Forward(HEADER + frame.length);
                        continue;
                    }
                    if this.bodies.with(frame.stream, |_, _| ()).is_none() {
                        if frame.stream > this.held_back {
                            // Let the request that this belongs to be accepted first.
                            if progress {
                                return Poll::Ready(Ok(()));
                            }
                            this.held_back = frame.stream;
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                        this.state = State::Forward(HEADER + frame.length);
                        continue;
                    }
                    this.consume(HEADER);
                    let end = frame.flags & END_STREAM != 0;
                    let stream = frame.stream;
                    let last = std::mem::replace(&mut this.last, stream);
                    this.bodies.with(last, |body, _| body.follower = stream);
                    if frame.flags & PADDED != 0 {
                        this.state = State::PadLength {
                            stream,
                            left: frame.length,
                            end,
                        };
                        continue;
                    }
                    if !end {
                        this.guess_len = frame.length;
                    }
                    this.state = State::Body {
                        stream,
                        left: frame.length,
                        padding: 0,
                        end,
                    };
                    if frame.length == 0 {
                        this.end_of_data(stream, 0, end);
                    }
                }
                State::PadLength { stream, left, end } => {
                    let Some(&pad) = this.raw().first() else {
                        if progress {
                            return Poll::Ready(Ok(()));
                        }
                        match this.poll_fill(cx) {
                            Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                            Poll::Ready(Ok(_)) => continue,
                            Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                            Poll::Pending => return Poll::Pending,
                        }
                    };
                    let padding = usize::from(pad);
                    // RFC 9113 §6.1: padding as long as the payload is a connection error.
                    let Some(data) = left.checked_sub(1 + padding) else {
                        return Poll::Ready(Err(io::Error::new(
                            io::ErrorKind::InvalidData,
                            "DATA frame with more padding than payload",
                        )));
                    };
                    this.consume(1);
                    this.count(stream, 1, !end);
                    this.state = State::Body {
                        stream,
                        left: data,
                        padding,
                        end,
                    };
                    if data == 0 && padding == 0 {
                        this.end_of_data(stream, 0, end);
                    }
                }
                State::Body {
                    stream,
                    left,
                    padding,
                    end,
                } => {
                    let available = this.raw().len();
                    if available == 0 {
                        if progress {
                            return Poll::Ready(Ok(()));
                        }
                        let read = if left > 0 && padding == 0 {
                            this.poll_body(cx, stream, left, end)
                        } else {
                            this.poll_fill(cx)
                        };
                        match read {
                            Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                            Poll::Ready(Ok(_)) => continue,
                            Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                            Poll::Pending => return Poll::Pending,
                        }
                    }
                    if left > 0 {
                        let n = available.min(left);
                        let bodies = this.bodies.clone();
                        let payload = this.raw().get(..n).unwrap_or(&[]);
                        bodies.with(stream, |body, limits| body.take(payload, limits));
                        this.consume(n);
                        this.count(stream, n, !end);
                        this.state = State::Body {
                            stream,
                            left: left - n,
                            padding,
                            end,
                        };
                        if left == n {
                            this.end_of_data(stream, padding, end);
                        }
                    } else {
                        let n = available.min(padding);
                        this.consume(n);
                        this.count(stream, n, !end);
                        this.end_of_data(stream, padding - n, end);
                    }
                }
            }
        }
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
        if this.out.len() - this.out_start >= OUT {
            match this.poll_drain(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => return Poll::Pending,
            }
        }
        let mut written = 0;
        for buf in bufs {
            let n = buf.len().min(OUT - written);
            let part = buf.get(..n).unwrap_or(&[]);
            this.out.extend_from_slice(part);
            this.follow(part);
            written += n;
            if written == OUT {
                break;
            }
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.credit();
        match this.poll_drain(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut this.io).poll_flush(cx),
            other => other,
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.poll_drain(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut this.io).poll_shutdown(cx),
            other => other,
        }
    }
}

impl<T> Drop for Divert<T> {
    fn drop(&mut self) {
        self.bodies.0.gone.set(true);
        for body in self.bodies.0.bodies.borrow_mut().iter_mut() {
            if let Some(waker) = body.waker.take() {
                waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests;
