//! Reads payload straight into its body, and what is guessed to follow into the
//! bodies it is guessed to be of: many DATA frames, of several streams, with one
//! call to the kernel. What the guess is made from, how it is confirmed, and what
//! happens where it was wrong.

use std::{
    io,
    mem::MaybeUninit,
    task::{Context, Poll},
};

use smallvec::SmallVec;
use socket2::MaybeUninitSlice;

use super::{
    Divert, Recv,
    bodies::{Bodies, Body},
    frame::{DATA, END_STREAM, Frame, HEADER, PADDED},
    raw::RAW,
    read::Payload,
};
use crate::net::buffers::Buffer;

/// Frames that are guessed ahead, at most.
const MAX_GUESS: usize = 64;

/// What is known of how a sender cuts and mixes its bodies.
pub(super) struct Foresight {
    /// How many frames to guess ahead.
    ahead: usize,
    /// The length of a full frame.
    pub(super) length: usize,
    /// The diverted stream whose DATA came last.
    last: u32,
}

impl Default for Foresight {
    fn default() -> Foresight {
        Foresight {
            ahead: 1,
            length: 0,
            last: 0,
        }
    }
}

impl Foresight {
    /// DATA of this stream came after that of the last one.
    pub(super) fn saw(&mut self, bodies: &Bodies, stream: u32) {
        let last = std::mem::replace(&mut self.last, stream);
        bodies.with(last, |body, _| body.follower = stream);
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
        while plan.len() < self.ahead && self.length > 0 && idle <= all.len() {
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
            let length = self.length.min(body.want.saturating_sub(*filled));
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
}

/// A DATA frame that is expected: whose, where in its body, how long.
struct Guess {
    body: usize,
    start: usize,
    length: usize,
}

impl<T: Recv> Divert<T> {
    /// Reads payload of the frame at hand into its body, and behind it as far as is guessed; how
    /// many bytes were read, 0 at the end of the stream.
    pub(super) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        frame: Payload,
    ) -> Poll<io::Result<usize>> {
        let mut all = self.bodies.all().borrow_mut();
        let direct = all
            .iter()
            .position(|b| b.stream == frame.stream && b.missing().is_some_and(|m| m >= frame.left));
        let Some(first) = direct else {
            drop(all);
            return self.raw.poll_fill(&mut self.io, cx);
        };
        let plan = self.foresight.plan(&all, first, frame.left);
        let mut headers = [MaybeUninit::<[u8; HEADER]>::uninit(); MAX_GUESS];
        let raw = self.raw.buffer();
        let read = {
            let mut spare: SmallVec<[&mut [MaybeUninit<u8>]; 16]> = all
                .iter_mut()
                .map(|b| b.buffer.as_mut().map(Buffer::spare).unwrap_or_default())
                .collect();
            let mut slices: SmallVec<[MaybeUninitSlice<'_>; 2 * MAX_GUESS + 2]> = SmallVec::new();
            slices.push(MaybeUninitSlice::new(cut(&mut spare, first, frame.left)));
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
                self.raw.give_back();
                return Poll::Pending;
            }
            end_or_error => return end_or_error,
        };

        // What was read, frame by frame, as far as the guesses hold.
        let mut frames: SmallVec<[(u32, usize, bool); MAX_GUESS]> = SmallVec::new();
        let mut n = received;
        let taken = n.min(frame.left);
        advance(&mut all, first, taken);
        n -= taken;
        frames.push((frame.stream, taken, frame.end));
        let mut current = Payload {
            left: frame.left - taken,
            ..frame
        };
        let mut right = 0;
        let mut spill: Option<Vec<u8>> = None;
        for (k, (guess, header)) in plan.iter().zip(headers.iter()).enumerate() {
            if n == 0 {
                break;
            }
            let have = n.min(HEADER);
            let next = Frame::parse(&scratch::initialised(header, have));
            let holds = have == HEADER
                && next.kind == DATA
                && next.stream == all.get(guess.body).map_or(0, |b| b.stream)
                && next.flags & PADDED == 0
                && next.length == guess.length;
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
            if current.end {
                self.ends.push(current.stream);
            }
            let taken = n.min(guess.length);
            advance(&mut all, guess.body, taken);
            n -= taken;
            current = Payload {
                stream: next.stream,
                left: guess.length - taken,
                padding: 0,
                end: next.flags & END_STREAM != 0,
            };
            frames.push((current.stream, taken, current.end));
        }
        drop(all);
        // The rest lies in the raw buffer.
        raw.advance(n);
        if let Some(mut bytes) = spill {
            // A guess that was wrong costs a copy: risk less.
            self.foresight.ahead = (self.foresight.ahead / 2).max(right).max(1);
            bytes.extend_from_slice(raw);
            let mut longer = Buffer::with_capacity(bytes.len().max(RAW));
            longer.extend_from_slice(&bytes);
            self.raw.replace(longer);
        } else if right == plan.len() {
            self.foresight.ahead = (self.foresight.ahead * 2).min(MAX_GUESS);
        }
        for (stream, n, end) in frames {
            self.credit.count(&self.bodies, stream, n, !end);
        }
        self.foresight.last = current.stream;
        self.begin(current);
        Poll::Ready(Ok(received))
    }
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
/// the first of these guesses on; `n` is how many bytes of what was read are not accounted for yet.
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
        if let Some(buffer) = bodies.get_mut(guess.body).and_then(|b| b.buffer.as_mut()) {
            let offset = guess.start - buffer.len();
            scratch::peek(buffer, offset, have, &mut bytes);
        }
        *n -= have;
    }
    bytes
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
