//! The bodies that handlers wait for: the face that [`super::Divert`] shows to
//! them ([`Bodies`], [`Expected`], [`Message`]), and a gRPC message as it fills.
//! Where its bytes are read from the socket is not decided here.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::net::{admission::Budget, buffers::Buffer};

/// Length of a gRPC message prefix: compressed flag and length.
const PREFIX: usize = 5;

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

/// A message as far as it has come.
pub(super) struct Body {
    pub(super) stream: u32,
    prefix: [u8; PREFIX],
    prefix_len: usize,
    /// Bytes of the message, once the prefix is there.
    want: usize,
    pub(super) buffer: Option<Buffer>,
    error: Option<BodyError>,
    /// Payload bytes whose stream window was not given back yet.
    pub(super) unacknowledged: u32,
    waker: Option<Waker>,
}

impl Body {
    /// Bytes of the message still to come; `None` while its length is not known.
    pub(super) fn missing(&self) -> Option<usize> {
        if self.prefix_len < PREFIX || self.error.is_some() {
            return None;
        }
        Some(self.want - self.buffer.as_ref().map_or(0, |b| b.len()))
    }

    /// Bytes of the message that have come.
    pub(super) fn len(&self) -> usize {
        self.buffer.as_ref().map_or(0, |buffer| buffer.len())
    }

    fn fail(&mut self, error: BodyError) {
        self.buffer = None;
        self.error.get_or_insert(error);
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Takes payload that was read elsewhere.
    pub(super) fn take(&mut self, mut payload: &[u8], limits: &Limits) {
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

/// What every message of a connection must keep to.
pub(super) struct Limits {
    /// Bytes a message may have.
    message: usize,
    budget: Arc<Budget>,
}

struct Shared {
    bodies: RefCell<Vec<Body>>,
    limits: Limits,
    gone: Cell<bool>,
    /// The connection, while it waits for a handler to take its body.
    turn: Cell<Option<Waker>>,
}

/// The bodies that handlers of one connection wait for.
#[derive(Clone)]
pub struct Bodies(Rc<Shared>);

impl Bodies {
    pub(super) fn new(max_message: usize, budget: Arc<Budget>) -> Bodies {
        Bodies(Rc::new(Shared {
            bodies: RefCell::new(Vec::new()),
            limits: Limits {
                message: max_message,
                budget,
            },
            gone: Cell::new(false),
            turn: Cell::new(None),
        }))
    }

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
            waker: None,
        });
        Expected {
            bodies: self.clone(),
            stream,
        }
    }

    /// All of them, in no order.
    pub(super) fn all(&self) -> &RefCell<Vec<Body>> {
        &self.0.bodies
    }

    /// How many bytes are still to come of all whose length is known.
    pub(super) fn missing(&self) -> usize {
        self.0
            .bodies
            .borrow()
            .iter()
            .filter_map(Body::missing)
            .sum()
    }

    /// The body of a stream, if a handler waits for it.
    pub(super) fn with<R>(
        &self,
        stream: u32,
        f: impl FnOnce(&mut Body, &Limits) -> R,
    ) -> Option<R> {
        let mut bodies = self.0.bodies.borrow_mut();
        // Few streams are open at a time and the newest are asked for most.
        let body = bodies.iter_mut().rev().find(|b| b.stream == stream)?;
        Some(f(body, &self.0.limits))
    }

    /// Whether a handler waits for the body of a stream; then the connection is woken when it
    /// takes it, or gives it up.
    pub(super) fn is_waited_for(&self, stream: u32, cx: &mut Context<'_>) -> bool {
        let waits = self.with(stream, |_, _| ()).is_some();
        self.0.turn.set(waits.then(|| cx.waker().clone()));
        waits
    }

    fn remove(&self, stream: u32) {
        if let Some(connection) = self.0.turn.take() {
            connection.wake();
        }
        let mut bodies = self.0.bodies.borrow_mut();
        if let Some(at) = bodies.iter().rposition(|b| b.stream == stream) {
            let body = bodies.swap_remove(at);
            // What goes with it may wake others that ask for their bodies.
            drop(bodies);
            drop(body);
        }
    }

    /// The connection has ended: nothing comes any more.
    pub(super) fn end(&self) {
        self.0.gone.set(true);
        for body in self.0.bodies.borrow_mut().iter_mut() {
            body.wake();
        }
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
        self.bodies.remove(self.stream);
    }
}
