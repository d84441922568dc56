//! The connections of one core: kept between requests, spread over the addresses
//! of a host in turn, limited in number.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    future::poll_fn,
    io,
    net::SocketAddr,
    rc::{Rc, Weak},
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;

use super::{
    connect::{Connection, Connector},
    proxy::Proxies,
    url::Url,
};
use crate::{net::resolve::resolve, runtime};

/// Addresses are looked up again after so long.
const RESOLVE_AGAIN: Duration = Duration::from_secs(30);
/// An address that could not be connected to is passed over for so long while others work.
const PASS_OVER: Duration = Duration::from_secs(5);
/// Hosts that are remembered: redirects may lead to new ones without end.
const MAX_HOSTS: usize = 32;

/// How many connections there may be, on this core.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// To one host; 0 is no limit.
    pub per_host: usize,
    /// Idle ones in all; 0 is no limit.
    pub idle: usize,
    /// Idle ones to one address of a host.
    pub idle_per_host: usize,
    /// How long one stays idle; `None` is for ever.
    pub idle_for: Option<Duration>,
}

/// See the module.
pub struct Pool {
    pub connector: Connector,
    proxies: Proxies,
    limits: Limits,
    hosts: RefCell<HashMap<Key, Rc<Host>>>,
}

/// What connections have to share to be exchangeable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    https: bool,
    address: String,
    proxy: Option<String>,
}

struct Host {
    /// What is connected to: the server or its proxy.
    address: String,
    targets: RefCell<Vec<Rc<Target>>>,
    next: Cell<usize>,
    resolved: Cell<Option<Instant>>,
    looking: Cell<bool>,
    /// HTTP/1.1 connections, idle ones included.
    open: Cell<usize>,
    waiting: RefCell<Vec<Waker>>,
}

struct Target {
    address: SocketAddr,
    idle: RefCell<Vec<Idle>>,
    shared: RefCell<Option<h2::client::SendRequest<Bytes>>>,
    pass_over: Cell<Option<Instant>>,
}

struct Idle {
    sender: hyper::client::conn::http1::SendRequest<Full<Bytes>>,
    since: Instant,
    counted: Counted,
}

/// A connection among those of its host, until it is dropped.
struct Counted(Rc<Host>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get().saturating_sub(1));
        self.0.wake();
    }
}

/// A connection for one request.
pub struct Lease {
    /// To send with.
    pub connection: Connection,
    /// Requests went over it before.
    pub reused: bool,
    /// Requests are written with the whole URL: the other side is a proxy.
    pub absolute: bool,
    target: Rc<Target>,
    counted: Option<Counted>,
}

impl Pool {
    /// A pool without connections.
    pub fn new(connector: Connector, proxies: Proxies, limits: Limits) -> Pool {
        Pool {
            connector,
            proxies,
            limits,
            hosts: RefCell::default(),
        }
    }

    /// The proxy's credentials for requests that are sent to it, not through it.
    pub fn proxy_authorization(&self, url: &Url) -> Option<http::HeaderValue> {
        if url.https {
            return None;
        }
        self.proxies.choose(url)?.basic()
    }

    /// A connection to the server of a URL; with `fresh` one that nothing went over yet.
    ///
    /// # Errors
    /// The last error of the addresses tried, or the look-up's.
    pub async fn lease(&self, url: &Url, fresh: bool) -> io::Result<Lease> {
        let proxy = self.proxies.choose(url);
        let host = self.host(url, proxy);
        self.look_up(&host).await?;
        let lease = |connection, target, reused, counted| Lease {
            connection,
            reused,
            absolute: proxy.is_some() && !url.https,
            target,
            counted,
        };
        loop {
            let targets = host.in_turn();
            if !fresh {
                // The first in turn has it; at the limit whoever has one.
                let full = self.limits.per_host > 0 && host.open.get() >= self.limits.per_host;
                let reach = if full { targets.len() } else { 1 };
                for target in targets.iter().take(reach) {
                    if let Some((sender, counted)) = self.idle(target).await {
                        let connection = Connection::One(sender);
                        return Ok(lease(connection, target.clone(), true, Some(counted)));
                    }
                    let shared = target.shared.borrow().clone();
                    if let Some(shared) = shared {
                        match shared.ready().await {
                            Ok(sender) => {
                                let connection = Connection::Two(sender);
                                return Ok(lease(connection, target.clone(), true, None));
                            }
                            Err(_) => *target.shared.borrow_mut() = None,
                        }
                    }
                }
            }
            if self.limits.per_host > 0 && host.open.get() >= self.limits.per_host {
                if fresh {
                    host.close_idle();
                }
                if host.open.get() >= self.limits.per_host {
                    host.changed().await;
                    continue;
                }
            }
            host.open.set(host.open.get() + 1);
            let counted = Counted(host.clone());
            let mut last = None;
            for target in targets {
                match self.connector.connect(target.address, url, proxy).await {
                    Ok(Connection::Two(sender)) => {
                        target.pass_over.set(None);
                        *target.shared.borrow_mut() = Some(sender.clone());
                        // Many requests share it: it is none of those that are counted.
                        drop(counted);
                        return Ok(lease(Connection::Two(sender), target, false, None));
                    }
                    Ok(connection) => {
                        target.pass_over.set(None);
                        return Ok(lease(connection, target, false, Some(counted)));
                    }
                    Err(error) => {
                        target.pass_over.set(Some(Instant::now() + PASS_OVER));
                        last = Some(error);
                    }
                }
            }
            // Perhaps it has moved.
            host.resolved.set(None);
            return Err(
                last.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such host"))
            );
        }
    }

    /// Keeps a connection for the next request, if there is room for it.
    pub fn give_back(&self, lease: Lease) {
        let (Connection::One(sender), Some(counted)) = (lease.connection, lease.counted) else {
            return;
        };
        if sender.is_closed() {
            return;
        }
        let host = counted.0.clone();
        let wanted = !host.waiting.borrow().is_empty();
        let many = lease.target.idle.borrow().len() >= self.limits.idle_per_host
            || self.limits.idle > 0 && self.idle_count() >= self.limits.idle;
        if many && !wanted {
            return;
        }
        lease.target.idle.borrow_mut().push(Idle {
            sender,
            since: Instant::now(),
            counted,
        });
        host.wake();
    }

    fn idle_count(&self) -> usize {
        let hosts = self.hosts.borrow();
        let targets = hosts.values().map(|host| {
            let targets = host.targets.borrow();
            targets.iter().map(|t| t.idle.borrow().len()).sum::<usize>()
        });
        targets.sum()
    }

    /// An idle connection that still works; the one used last.
    async fn idle(
        &self,
        target: &Target,
    ) -> Option<(
        hyper::client::conn::http1::SendRequest<Full<Bytes>>,
        Counted,
    )> {
        loop {
            // Not while it is borrowed: waiting lets others run.
            let mut idle = target.idle.borrow_mut().pop()?;
            let old = self
                .limits
                .idle_for
                .is_some_and(|limit| idle.since.elapsed() >= limit);
            if !old && idle.sender.ready().await.is_ok() {
                return Some((idle.sender, idle.counted));
            }
        }
    }

    fn host(&self, url: &Url, proxy: Option<&Url>) -> Rc<Host> {
        let key = Key {
            https: url.https,
            // Requests to a proxy share connections, tunnels do not.
            address: match proxy {
                Some(proxy) if !url.https => proxy.address(),
                _ => url.address(),
            },
            proxy: proxy.map(Url::address),
        };
        let mut hosts = self.hosts.borrow_mut();
        if let Some(host) = hosts.get(&key) {
            return host.clone();
        }
        if hosts.len() >= MAX_HOSTS {
            hosts.clear();
        }
        let host = Rc::new(Host {
            address: proxy.unwrap_or(url).address(),
            targets: RefCell::default(),
            next: Cell::new(0),
            resolved: Cell::new(None),
            looking: Cell::new(false),
            open: Cell::new(0),
            waiting: RefCell::default(),
        });
        hosts.insert(key, host.clone());
        if let Some(limit) = self.limits.idle_for {
            runtime::spawn(close_old(Rc::downgrade(&host), limit));
        }
        host
    }

    /// Looks the host's addresses up: now if none are known, beside the requests when it was long
    /// ago.
    async fn look_up(&self, host: &Rc<Host>) -> io::Result<()> {
        let known = !host.targets.borrow().is_empty();
        match host.resolved.get() {
            Some(at) if known && at.elapsed() < RESOLVE_AGAIN => Ok(()),
            Some(_) if known => {
                if !host.looking.replace(true) {
                    let host = host.clone();
                    runtime::spawn(async move {
                        // What fails leaves what is known as it is.
                        let _ = host.resolve().await;
                        host.looking.set(false);
                    });
                }
                Ok(())
            }
            _ => host.resolve().await,
        }
    }
}

impl Host {
    async fn resolve(&self) -> io::Result<()> {
        let addresses = resolve(&self.address).await.map_err(|e| {
            let text = format!("dial tcp: lookup {}: {e}", self.address);
            io::Error::new(e.kind(), text)
        })?;
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
                    idle: RefCell::default(),
                    shared: RefCell::default(),
                    pass_over: Cell::new(None),
                })
            }));
        }
        Ok(())
    }

    /// The addresses, beginning with the next in turn; those that failed just now come last.
    fn in_turn(&self) -> Vec<Rc<Target>> {
        let mut targets = self.targets.borrow().clone();
        if targets.is_empty() {
            return targets;
        }
        let next = self.next.get();
        self.next.set(next.wrapping_add(1));
        let middle = next % targets.len();
        targets.rotate_left(middle);
        let now = Instant::now();
        targets.sort_by_key(|t| t.pass_over.get().is_some_and(|until| now < until));
        targets
    }

    fn close_idle(&self) {
        let targets = self.targets.borrow().clone();
        for target in targets {
            // Dropped after the borrow: it wakes others.
            let closed = std::mem::take(&mut *target.idle.borrow_mut());
            drop(closed);
        }
    }

    /// Wakes all who wait: one alone might have given up.
    fn wake(&self) {
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits until a connection was given back or closed.
    async fn changed(&self) {
        let mut registered = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut registered, true) {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Closes connections that were idle for too long, as long as there is the host.
async fn close_old(host: Weak<Host>, limit: Duration) {
    loop {
        runtime::sleep((limit / 4).max(Duration::from_millis(100))).await;
        let Some(host) = host.upgrade() else { return };
        let targets = host.targets.borrow().clone();
        for target in targets {
            let mut idle = target.idle.borrow_mut();
            let (old, kept) = std::mem::take(&mut *idle)
                .into_iter()
                .partition(|idle| idle.since.elapsed() >= limit);
            *idle = kept;
            drop(idle);
            let closed: Vec<Idle> = old;
            drop(closed);
        }
    }
}
