//! One HTTP/2 connection as a server: accepts streams, hands each to the
//! service, ages, and ends in order.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::request::Parts;

use super::{
    divert::{BodyError, Divert, Expected, Message, Windows},
    pings::{Police, Policy},
};
use crate::{
    net::{admission::Budget, buffers::Buffer, drain::Drain, transport::Transport},
    runtime::{self, Sleep},
};

/// What a connection allows, from the receiver's configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Frame size and windows advertised.
    pub windows: Windows,
    /// Streams that one connection may have open.
    pub max_concurrent_streams: Option<u32>,
    /// Bytes of request headers, at most.
    pub max_header_list: u32,
    /// Bytes of a gRPC message, at most.
    pub max_message: usize,
    /// A connection without streams is closed after this.
    pub max_idle: Option<Duration>,
    /// A connection is closed after this, give or take a tenth.
    pub max_age: Option<Duration>,
    /// Streams still open so long after that are cut.
    pub max_age_grace: Option<Duration>,
    /// A ping is sent after so long without a frame …
    pub ping_after: Option<Duration>,
    /// … and the connection closed when the answer takes longer than this.
    pub ping_timeout: Duration,
    /// How often clients may ping; `None`: as they like.
    pub pings: Option<Policy>,
}

/// Where a request's body comes from.
pub enum Body {
    /// One gRPC message, read beside `h2`.
    Message(MessageBody),
    /// The stream as `h2` gives it.
    Stream(RecvStream),
}

/// A gRPC message on its way.
pub struct MessageBody {
    expected: Expected,
    stream: RecvStream,
}

impl MessageBody {
    /// Waits for the whole message and the end of the stream, or for the reason to refuse it.
    ///
    /// # Errors
    /// See [`BodyError`].
    pub async fn message(mut self) -> Result<Message, BodyError> {
        poll_fn(|cx| {
            if let Poll::Ready(error) = self.expected.poll_refused(cx) {
                return Poll::Ready(Err(error));
            }
            loop {
                match self.stream.poll_data(cx) {
                    Poll::Ready(Some(Ok(data))) => {
                        // Only the empty frame that stands for the end comes this way.
                        let _ = self.stream.flow_control().release_capacity(data.len());
                    }
                    Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(BodyError::Gone)),
                    Poll::Ready(None) => return Poll::Ready(Ok(())),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await?;
        self.expected.finish()
    }
}

/// Gathers one gRPC message from a stream that is not diverted.
///
/// # Errors
/// See [`BodyError`].
pub async fn gather_message(
    mut stream: RecvStream,
    limit: usize,
    budget: &Arc<Budget>,
) -> Result<Message, BodyError> {
    let mut prefix = [0u8; 5];
    let mut have = 0;
    let mut message: Option<(usize, Buffer)> = None;
    while let Some(data) = stream.data().await {
        let data = data.map_err(|_| BodyError::Gone)?;
        let _ = stream.flow_control().release_capacity(data.len());
        let mut rest = data.as_ref();
        if message.is_none() {
            let n = rest.len().min(prefix.len() - have);
            let (head, tail) = rest.split_at(n);
            if let Some(slot) = prefix.get_mut(have..have + n) {
                slot.copy_from_slice(head);
            }
            have += n;
            rest = tail;
            if have == prefix.len() {
                let [_, a, b, c, d] = prefix;
                let length = u32::from_be_bytes([a, b, c, d]) as usize;
                if length > limit {
                    return Err(BodyError::TooLarge { length, limit });
                }
                let charge = budget.charge(length).ok_or(BodyError::NoRoom)?;
                message = Some((length, Buffer::with_capacity(length).charged(charge)));
            }
        }
        if let Some((length, bytes)) = &mut message {
            if bytes.len() + rest.len() > *length {
                return Err(BodyError::Trailing);
            }
            bytes.extend_from_slice(rest);
        }
    }
    match message {
        Some((length, bytes)) if bytes.len() == length => Ok(Message {
            compressed: prefix[0] & 1 == 1,
            bytes,
        }),
        Some((_, bytes)) => Err(BodyError::Truncated {
            received: prefix.len() + bytes.len(),
        }),
        None => Err(BodyError::Truncated { received: have }),
    }
}

/// A request and the way to answer it.
pub struct Call {
    /// Method, path and headers.
    pub head: Parts,
    /// The body.
    pub body: Body,
    /// The way to answer.
    pub respond: SendResponse<Bytes>,
    /// The caller's address.
    pub peer: Option<SocketAddr>,
}

/// What answers the requests of a connection.
pub trait Service: 'static {
    /// Whether the request's body is one gRPC message to be read beside `h2`.
    fn takes_message(&self, head: &Parts) -> bool;
    /// Whether whoever waits for a large message works on it before the next one is read.
    fn one_by_one(&self) -> bool {
        false
    }
    /// Answers a request; runs as a task of its own.
    fn call(self: Rc<Self>, call: Call) -> impl Future<Output = ()> + 'static;
}

enum Event {
    Accepted(Box<(http::Request<RecvStream>, SendResponse<Bytes>)>),
    Drain,
    Aged,
    GraceOver,
    Idle,
    Ping,
    Closed(Option<h2::Error>),
}

/// Serves one connection until it ends.
///
/// # Errors
/// What `h2` says of the peer or the socket.
pub async fn serve<S: Service>(
    io: Transport,
    peer: Option<SocketAddr>,
    settings: &Settings,
    budget: Arc<Budget>,
    drain: &Drain,
    service: Rc<S>,
) -> Result<(), h2::Error> {
    let (divert, bodies) = Divert::new(io, settings.windows.clone(), settings.max_message, budget);
    let police = settings.pings.map(Police::new);
    let divert = divert
        .policed(police.clone())
        .one_by_one(service.one_by_one());
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(settings.windows.stream)
        .initial_connection_window_size(settings.windows.connection)
        .max_frame_size(settings.windows.frame)
        .max_header_list_size(settings.max_header_list);
    if let Some(streams) = settings.max_concurrent_streams {
        builder.max_concurrent_streams(streams);
    }
    let mut connection = builder.handshake::<_, Bytes>(divert).await?;
    let mut ping_pong = settings.ping_after.and_then(|_| connection.ping_pong());

    let open = Rc::new(std::cell::Cell::new(0usize));
    let watch = drain.watch();
    let mut draining = false;
    let mut age = settings.max_age.map(|age| runtime::sleep(jitter(age)));
    let mut grace: Option<Sleep> = None;
    let mut idle = settings.max_idle.map(runtime::sleep);
    let mut ping = settings.ping_after.map(runtime::sleep);
    let mut pong_wanted = false;
    let mut told_to_go = false;

    loop {
        let event = poll_fn(|cx| {
            if !draining && watch.poll(cx).is_ready() {
                return Poll::Ready(Event::Drain);
            }
            match connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    return Poll::Ready(Event::Accepted(Box::new((request, respond))));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Event::Closed(Some(error))),
                Poll::Ready(None) => return Poll::Ready(Event::Closed(None)),
                Poll::Pending => {}
            }
            if let Some(pings) = &mut ping_pong {
                match pings.poll_pong(cx) {
                    Poll::Ready(Ok(_)) => {
                        pong_wanted = false;
                        ping = settings.ping_after.map(runtime::sleep);
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Event::Closed(Some(error))),
                    Poll::Pending => {}
                }
            }
            for (timer, event) in [
                (&mut age, Event::Aged),
                (&mut grace, Event::GraceOver),
                (&mut idle, Event::Idle),
                (&mut ping, Event::Ping),
            ] {
                if let Some(sleep) = timer
                    && Pin::new(sleep).poll(cx).is_ready()
                {
                    *timer = None;
                    return Poll::Ready(event);
                }
            }
            Poll::Pending
        })
        .await;
        match event {
            Event::Accepted(accepted) => {
                let (request, respond) = *accepted;
                let (head, stream) = request.into_parts();
                let body = if service.takes_message(&head) {
                    let expected = bodies.expect(stream.stream_id().as_u32());
                    Body::Message(MessageBody { expected, stream })
                } else {
                    Body::Stream(stream)
                };
                open.set(open.get() + 1);
                idle = None;
                let call = service.clone().call(Call {
                    head,
                    body,
                    respond,
                    peer,
                });
                let (open, hold, police) = (open.clone(), drain.hold(), police.clone());
                runtime::spawn(async move {
                    call.await;
                    open.set(open.get() - 1);
                    if let Some(police) = police {
                        police.ended();
                    }
                    drop(hold);
                });
            }
            Event::Drain => {
                draining = true;
                connection.graceful_shutdown();
            }
            Event::Aged => {
                connection.graceful_shutdown();
                grace = settings.max_age_grace.map(runtime::sleep);
            }
            Event::Idle => {
                if open.get() == 0 {
                    // The farewell waits for the client's pong. One that has not sent it by
                    // the next time is not there any more.
                    if told_to_go {
                        return Ok(());
                    }
                    told_to_go = true;
                    connection.graceful_shutdown();
                } else {
                    idle = settings.max_idle.map(runtime::sleep);
                }
            }
            Event::Ping if pong_wanted => return Ok(()),
            Event::Ping => {
                if let Some(pings) = &mut ping_pong
                    && pings.send_ping(h2::Ping::opaque()).is_ok()
                {
                    pong_wanted = true;
                    ping = Some(runtime::sleep(settings.ping_timeout));
                }
            }
            Event::GraceOver => return Ok(()),
            Event::Closed(None) => return Ok(()),
            Event::Closed(Some(error)) => return Err(error),
        }
        if idle.is_none() && open.get() == 0 {
            idle = settings.max_idle.map(runtime::sleep);
        }
    }
}

/// A tenth more or less, so that connections made together do not end together.
fn jitter(age: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(0u8) % 2001;
    age.mul_f64(0.9 + random as f64 / 10_000.0)
}
