//! HTTP/2 as a client: connections of one core to the addresses of one
//! authority, chosen in turn, made when first needed and again when lost.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    net::SocketAddr,
    ops::{Deref, DerefMut},
    path::PathBuf,
    rc::Rc,
    sync::Arc,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes};
use h2::client::SendRequest;

use super::keepalive::{self, Activity, InUse, Keepalive};
use crate::{
    net::{resolve::resolve, transport::Transport},
    queue::encode::Body,
    runtime::{self, Stream},
};

/// A gRPC message as it is sent: prefix and body, not joined.
#[derive(Debug)]
pub struct Framed {
    prefix: [u8; 5],
    sent: usize,
    /// The body in pieces, of which those before `at` are sent.
    body: Body,
    at: usize,
    /// Bytes that are still to be sent, all in all.
    left: usize,
}

impl Framed {
    /// A message with its prefix (gRPC over HTTP2, Length-Prefixed-Message).
    ///
    /// # Errors
    /// A body of 4 GiB or more has no prefix.
    pub fn grpc(body: Body, compressed: bool) -> Result<Framed, std::num::TryFromIntError> {
        let len: usize = body.iter().map(Bytes::len).sum();
        let [a, b, c, d] = u32::try_from(len)?.to_be_bytes();
        let prefix = [u8::from(compressed), a, b, c, d];
        Ok(Framed {
            prefix,
            sent: 0,
            body,
            at: 0,
            left: prefix.len() + len,
        })
    }

    /// What is to be sent, in order; none is empty.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let prefix = self.prefix.get(self.sent..).unwrap_or(&[]);
        let body = self.body.get(self.at..).unwrap_or(&[]);
        std::iter::once(prefix)
            .chain(body.iter().map(|piece| &**piece))
            .filter(|piece| !piece.is_empty())
    }
}

impl Buf for Framed {
    fn remaining(&self) -> usize {
        self.left
    }

    fn chunk(&self) -> &[u8] {
        self.pieces().next().unwrap_or(&[])
    }

    fn chunks_vectored<'a>(&'a self, dst: &mut [io::IoSlice<'a>]) -> usize {
        let mut n = 0;
        for (slot, piece) in dst.iter_mut().zip(self.pieces()) {
            *slot = io::IoSlice::new(piece);
            n += 1;
        }
        n
    }

    fn advance(&mut self, mut count: usize) {
        self.left = self.left.saturating_sub(count);
        let prefix = count.min(self.prefix.len() - self.sent);
        self.sent += prefix;
        count -= prefix;
        while let Some(piece) = self.body.get_mut(self.at).filter(|_| count > 0) {
            let n = count.min(piece.len());
            piece.advance(n);
            count -= n;
            if piece.is_empty() {
                self.at += 1;
            }
        }
    }
}

/// Where a client connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// `host:port`.
    Tcp(String),
    /// A unix socket.
    Unix(PathBuf),
}

/// How addresses are chosen (`balancer_name`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balancer {
    /// Every address in turn.
    RoundRobin,
    /// The first that works.
    PickFirst,
}

impl Balancer {
    /// Which address a request tries first, counted round from 0; the others follow it.
    fn start(self, next: &Cell<usize>) -> usize {
        match self {
            Balancer::RoundRobin => next.replace(next.get().wrapping_add(1)),
            Balancer::PickFirst => 0,
        }
    }
}

/// What a client's connections are like.
#[derive(Clone)]
pub struct Settings {
    /// Where to connect.
    pub authority: Authority,
    /// How addresses are chosen.
    pub balancer: Balancer,
    /// TLS, and the name to verify.
    pub tls: Option<(
        Arc<rustls::ClientConfig>,
        rustls::pki_types::ServerName<'static>,
    )>,
    /// Whether a request waits for a connection that cannot be made now (`wait_for_ready`).
    pub wait_for_ready: bool,
    /// When to ping; `None`: never.
    pub keepalive: Option<Keepalive>,
}

/// The connections of one core.
pub struct Client {
    settings: Settings,
    targets: RefCell<Vec<Rc<Target>>>,
    next: Cell<usize>,
    resolved: Cell<Option<Instant>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

struct Target {
    address: Address,
    state: RefCell<State>,
}

/// A connection that was made.
#[derive(Clone)]
struct Connection {
    sender: SendRequest<Framed>,
    peer: Option<SocketAddr>,
    activity: Activity,
}

/// A connection that can take a request, which is under way until this is dropped.
pub struct Ready {
    sender: SendRequest<Framed>,
    /// The address it leads to; `None` for unix sockets.
    pub peer: Option<SocketAddr>,
    in_use: InUse,
}

impl Ready {
    /// The server answered: the connection is alive.
    pub fn heard(&self) {
        self.in_use.heard();
    }
}

impl Deref for Ready {
    type Target = SendRequest<Framed>;

    fn deref(&self) -> &Self::Target {
        &self.sender
    }
}

impl DerefMut for Ready {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.sender
    }
}

enum State {
    Idle,
    Connecting(Vec<Waker>),
    Ready(Connection),
    /// Do not try before the instant; the failures so far and the last error.
    Failed {
        until: Instant,
        failures: u32,
        error: Arc<io::Error>,
    },
}

/// First, factor and last of the waits between connection attempts (gRPC connection backoff).
const BACKOFF: (Duration, f64, Duration) = (Duration::from_secs(1), 1.6, Duration::from_secs(120));
/// Longest that one attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(20);
/// Addresses are looked up again after a failure, but not more often than this.
const RESOLVE_AGAIN: Duration = Duration::from_secs(30);
/// Bytes a response may bring before it must be read.
const WINDOW: u32 = 1 << 20;

impl Client {
    /// A client that has not connected yet.
    pub fn new(settings: Settings) -> Client {
        Client {
            settings,
            targets: RefCell::new(Vec::new()),
            next: Cell::new(0),
            resolved: Cell::new(None),
        }
    }

    async fn look_up(&self) -> io::Result<()> {
        let addresses: Vec<Address> = match &self.settings.authority {
            Authority::Unix(path) => vec![Address::Unix(path.clone())],
            Authority::Tcp(authority) => resolve(authority)
                .await?
                .into_iter()
                .map(Address::Tcp)
                .collect(),
        };
        self.resolved.set(Some(Instant::now()));
        let mut targets = self.targets.borrow_mut();
        let old = std::mem::take(&mut *targets);
        for address in addresses {
            if targets.iter().any(|t| t.address == address) {
                continue;
            }
            let known = old.iter().find(|t| t.address == address).cloned();
            targets.push(known.unwrap_or_else(|| {
                Rc::new(Target {
                    address,
                    state: RefCell::new(State::Idle),
                })
            }));
        }
        Ok(())
    }

    /// A connection that can take a request, until the deadline.
    ///
    /// # Errors
    /// The last error of those addresses that were tried.
    pub async fn ready(&self, deadline: Instant) -> io::Result<Ready> {
        let all_failed = {
            let targets = self.targets.borrow();
            targets
                .iter()
                .all(|t| matches!(&*t.state.borrow(), State::Failed { .. }))
        };
        let due = match self.resolved.get() {
            None => true,
            Some(at) => all_failed && at.elapsed() >= RESOLVE_AGAIN,
        };
        if due {
            self.look_up().await?;
        }
        let mut last: Option<Arc<io::Error>> = None;
        loop {
            let targets: Vec<Rc<Target>> = self.targets.borrow().clone();
            let start = self.settings.balancer.start(&self.next);
            let mut soonest: Option<Instant> = None;
            for k in 0..targets.len() {
                let Some(target) = targets.get((start.wrapping_add(k)) % targets.len()) else {
                    continue;
                };
                match self.connected(target).await {
                    Ok(sender) => return Ok(sender),
                    Err((error, until)) => {
                        last = Some(error);
                        soonest = Some(soonest.map_or(until, |s: Instant| s.min(until)));
                    }
                }
            }
            let error = last.clone().unwrap_or_else(|| {
                Arc::new(io::Error::new(io::ErrorKind::NotFound, "no addresses"))
            });
            match soonest {
                Some(until) if self.settings.wait_for_ready && until < deadline => {
                    runtime::sleep_until(until).await;
                }
                _ => return Err(io::Error::new(error.kind(), error)),
            }
        }
    }

    /// The connection of one target, made now if need be.
    async fn connected(&self, target: &Rc<Target>) -> Result<Ready, (Arc<io::Error>, Instant)> {
        loop {
            let ready = match &*target.state.borrow() {
                State::Ready(connection) => Some(connection.clone()),
                State::Failed { until, error, .. } if Instant::now() < *until => {
                    return Err((error.clone(), *until));
                }
                _ => None,
            };
            if let Some(Connection {
                sender,
                peer,
                activity,
            }) = ready
            {
                match sender.ready().await {
                    Ok(sender) => {
                        return Ok(Ready {
                            sender,
                            peer,
                            in_use: activity.request(),
                        });
                    }
                    Err(_) => {
                        // Lost since it was last used: make it anew.
                        let mut state = target.state.borrow_mut();
                        if matches!(&*state, State::Ready(_)) {
                            *state = State::Idle;
                        }
                        continue;
                    }
                }
            }
            let begin = {
                let mut state = target.state.borrow_mut();
                let failures = match &*state {
                    State::Connecting(_) => None,
                    State::Failed { failures, .. } => Some(*failures),
                    _ => Some(0),
                };
                if failures.is_some() {
                    *state = State::Connecting(Vec::new());
                }
                failures
            };
            // Not while the state is borrowed: a new task may run at once.
            if let Some(failures) = begin {
                self.connect(target.clone(), failures);
            }
            let mut registered = false;
            poll_fn(|cx| match &mut *target.state.borrow_mut() {
                State::Connecting(waiting) if !registered => {
                    registered = true;
                    waiting.push(cx.waker().clone());
                    Poll::Pending
                }
                State::Connecting(_) => Poll::Pending,
                _ => Poll::Ready(()),
            })
            .await;
        }
    }

    /// Connects in a task of its own, so that a caller who gives up takes nobody else with it.
    fn connect(&self, target: Rc<Target>, failures: u32) {
        let settings = self.settings.clone();
        runtime::spawn(async move {
            let attempt = runtime::timeout(CONNECT, connect(&settings, &target.address)).await;
            let state = match attempt {
                Ok(Ok(sender)) => State::Ready(sender),
                failed => {
                    let error = match failed {
                        Ok(Err(error)) => error,
                        _ => io::Error::new(io::ErrorKind::TimedOut, "connecting took too long"),
                    };
                    let wait = BACKOFF
                        .0
                        .mul_f64(
                            BACKOFF
                                .1
                                .powi(i32::try_from(failures.min(32)).unwrap_or(32)),
                        )
                        .min(BACKOFF.2);
                    State::Failed {
                        until: Instant::now() + wait,
                        failures: failures.saturating_add(1),
                        error: Arc::new(error),
                    }
                }
            };
            let before = target.state.replace(state);
            if let State::Connecting(waiting) = before {
                waiting.into_iter().for_each(Waker::wake);
            }
        });
    }
}

async fn connect(settings: &Settings, address: &Address) -> io::Result<Connection> {
    let stream = match address {
        Address::Tcp(address) => Stream::connect(*address).await?,
        Address::Unix(path) => Stream::connect_unix(path).await?,
    };
    let io = match &settings.tls {
        None => Transport::Plain(stream),
        Some((config, name)) => {
            let connector = tokio_rustls::TlsConnector::from(config.clone());
            Transport::TlsClient(Box::new(connector.connect(name.clone(), stream).await?))
        }
    };
    let (sender, mut connection) = h2::client::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(4 * WINDOW)
        .enable_push(false)
        .handshake::<_, Framed>(io)
        .await
        .map_err(io::Error::other)?;
    let keepalive = settings.keepalive;
    let activity = Activity::new(Instant::now());
    let of_connection = activity.clone();
    runtime::spawn(async move {
        let Some((keepalive, pings)) = keepalive.and_then(|k| Some((k, connection.ping_pong()?)))
        else {
            let _ = connection.await;
            return;
        };
        let pings = RefCell::new(pings);
        let ping = || poll_ping(&pings);
        let keep = keepalive::keep(keepalive, &of_connection, Instant::now, ping);
        let run = async {
            let _ = connection.await;
        };
        futures_lite::future::or(run, keep).await;
    });
    Ok(Connection {
        sender,
        peer: match address {
            Address::Tcp(address) => Some(*address),
            Address::Unix(_) => None,
        },
        activity,
    })
}

/// Sends a ping and waits for its answer; false where the connection is gone.
async fn poll_ping(pings: &RefCell<h2::PingPong>) -> bool {
    if pings.borrow_mut().send_ping(h2::Ping::opaque()).is_err() {
        return false;
    }
    poll_fn(|cx| pings.borrow_mut().poll_pong(cx)).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_take_turns_or_stay_with_the_first_address() {
        for (balancer, starts) in [
            (Balancer::RoundRobin, [0, 1, 2, 3]),
            (Balancer::PickFirst, [0, 0, 0, 0]),
        ] {
            let next = Cell::new(0);
            assert_eq!([(); 4].map(|()| balancer.start(&next)), starts);
        }
    }

    #[test]
    fn a_framed_message_is_prefix_and_body() {
        let body = ["abc", "", "de", "f"].map(|piece| Bytes::from_static(piece.as_bytes()));
        for step in 1..12 {
            let mut framed = Framed::grpc(body.iter().cloned().collect(), true).unwrap();
            let mut slices = [io::IoSlice::new(&[]); 5];
            assert_eq!(framed.chunks_vectored(&mut slices), 4);
            let (mut at_once, mut sent) = (Vec::new(), Vec::new());
            slices
                .iter()
                .for_each(|slice| at_once.extend_from_slice(slice));
            assert_eq!(at_once, b"\x01\0\0\0\x06abcdef");
            while framed.has_remaining() {
                assert_eq!(framed.remaining(), 11 - sent.len());
                let n = framed.chunk().len().min(step);
                sent.extend_from_slice(&framed.chunk()[..n]);
                framed.advance(n);
            }
            assert_eq!(sent, at_once);
            // Over the ends of pieces, too.
            let mut framed = Framed::grpc(body.iter().cloned().collect(), true).unwrap();
            framed.advance(step.min(10));
            assert_eq!(framed.chunk().first(), at_once.get(step.min(10)));
        }
    }
}
