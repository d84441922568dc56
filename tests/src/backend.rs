//! The backend behind the gateway: a server on a thread of its own that keeps
//! every request byte for byte and answers as it was told to. What HTTP/2 and
//! HTTP/1.1 need is in `backend/`.

mod grpc;
mod http;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Instant,
};

use ::http::HeaderMap;
use bytes::Bytes;
use tokio::{
    net::{TcpListener, TcpStream, UnixListener},
    sync::{oneshot, watch},
};

use crate::{
    Port, Signal,
    io::BoxStream,
    status::{ExportResponse, Status},
    wait,
};

/// How to answer one request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Success, partial_success unset.
    Ok,
    /// Success with this response message.
    Response(ExportResponse),
    /// Success with a response message of this many bytes (an unknown field).
    HugeResponse(usize),
    /// gRPC: this status, details included.
    Status(Status),
    /// HTTP: this status, these headers, this body.
    Http(u16, Vec<(String, String)>, Bytes),
    /// The connection goes away without an answer.
    Disconnect,
    /// No answer, ever.
    Never,
}

/// A request as the backend got it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// When its last byte was there.
    pub at: Instant,
    /// Number of the connection that it came on, from 0.
    pub connection: usize,
    /// The request's path.
    pub path: String,
    /// The request's headers.
    pub headers: HeaderMap,
    /// The encoding that it names; empty for none.
    pub encoding: String,
    /// The message as it came over the wire (without gRPC's prefix).
    pub wire: Bytes,
    /// The message, inflated.
    pub body: Bytes,
}

impl Recorded {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The signal, by the path.
    ///
    /// # Panics
    /// When the path belongs to none.
    pub fn signal(&self) -> Signal {
        let of = |signal: &Signal| {
            [crate::grpc::path(*signal), crate::http::path(*signal)].contains(&&*self.path)
        };
        Signal::ALL
            .into_iter()
            .find(of)
            .unwrap_or_else(|| panic!("not an OTLP path: {}", self.path))
    }
}

/// What a backend speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP over HTTP/1.1.
    Http,
}

/// What the connections of one backend share.
struct Shared {
    recorded: Mutex<Vec<Recorded>>,
    next: Mutex<VecDeque<Answer>>,
    otherwise: Mutex<Answer>,
    held: watch::Sender<bool>,
    waiting: AtomicUsize,
    most_waiting: AtomicUsize,
    connections: AtomicUsize,
}

impl Shared {
    /// Keeps a request, waits while the backend is held, and says how to answer.
    async fn take(&self, request: Recorded) -> Answer {
        self.recorded.lock().unwrap().push(request);
        let waiting = self.waiting.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_waiting.fetch_max(waiting, Ordering::SeqCst);
        let counted = Counted(&self.waiting);
        // The sender lives as long as the backend, so this ends with `false`.
        let _ = self.held.subscribe().wait_for(|held| !held).await;
        drop(counted);
        self.next
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or_else(|| self.otherwise.lock().unwrap().clone())
    }
}

enum Listener {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A recording backend; stops when dropped.
pub struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Backend {
    /// An OTLP/gRPC backend on a port of its own.
    pub fn grpc() -> Backend {
        Backend::start(Protocol::Grpc, None, None)
    }

    /// An OTLP/HTTP backend on a port of its own.
    pub fn http() -> Backend {
        Backend::start(Protocol::Http, None, None)
    }

    /// A backend of either protocol, on a given port or its own, plain or under TLS.
    ///
    /// # Panics
    /// When the port is taken.
    pub fn start(
        protocol: Protocol,
        port: Option<&Port>,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Backend {
        let address = SocketAddr::from(([127, 0, 0, 1], port.map_or(0, Port::number)));
        Backend::at(protocol, address, tls)
    }

    /// A backend on a given address.
    ///
    /// # Panics
    /// When it is taken.
    pub fn at(
        protocol: Protocol,
        address: SocketAddr,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Backend {
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        Backend::serve(protocol, Listener::Tcp(listener), address, tls)
    }

    /// An OTLP/gRPC backend on a unix socket, in plain text.
    ///
    /// # Panics
    /// When there is something at the path.
    pub fn unix(path: &Path) -> Backend {
        let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Backend::serve(Protocol::Grpc, Listener::Unix(listener), nowhere, None)
    }

    fn serve(
        protocol: Protocol,
        listener: Listener,
        address: SocketAddr,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Backend {
        let shared = Arc::new(Shared {
            recorded: Mutex::default(),
            next: Mutex::default(),
            otherwise: Mutex::new(Answer::Ok),
            held: watch::channel(false).0,
            waiting: AtomicUsize::new(0),
            most_waiting: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let serving = shared.clone();
        let thread = std::thread::spawn(move || {
            let reactor = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            reactor.block_on(async {
                let accept = async {
                    match listener {
                        Listener::Tcp(listener) => {
                            let listener = TcpListener::from_std(listener).unwrap();
                            accept(listener, protocol, tls, serving).await;
                        }
                        Listener::Unix(listener) => {
                            let listener = UnixListener::from_std(listener).unwrap();
                            accept_unix(listener, serving).await;
                        }
                    }
                };
                tokio::select! {
                    () = accept => {}
                    _ = stopped => {}
                }
            });
        });
        Backend {
            address,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// `127.0.0.1:<port>`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Answers the next request that has no answer yet with `answer`; several queue up.
    pub fn answer_next(&self, answer: Answer) {
        self.shared.next.lock().unwrap().push_back(answer);
    }

    /// Answers every request for which nothing is queued with `answer`.
    pub fn answer_always(&self, answer: Answer) {
        *self.shared.otherwise.lock().unwrap() = answer;
    }

    /// Answers nobody until [`Backend::release`].
    pub fn hold(&self) {
        self.shared.held.send_replace(true);
    }

    /// Answers those who wait, and everyone after them.
    pub fn release(&self) {
        self.shared.held.send_replace(false);
    }

    /// Every request so far, in the order of their last bytes.
    pub fn recorded(&self) -> Vec<Recorded> {
        self.shared.recorded.lock().unwrap().clone()
    }

    /// Number of requests so far.
    pub fn count(&self) -> usize {
        self.shared.recorded.lock().unwrap().len()
    }

    /// Number of connections accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The largest number of requests that waited for their answer at one time.
    pub fn most_waiting(&self) -> usize {
        self.shared.most_waiting.load(Ordering::SeqCst)
    }

    /// Number of requests that wait for their answer now.
    pub fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::SeqCst)
    }

    /// Waits until `count` requests came, and gives them.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn wait_for(&self, count: usize) -> Vec<Recorded> {
        wait::eventually("requests at the backend", async || {
            (self.count() >= count).then(|| self.recorded())
        })
        .await
    }

    /// Waits until `count` requests wait for their answer.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn wait_for_waiting(&self, count: usize) {
        wait::eventually("requests that wait at the backend", async || {
            (self.waiting() >= count).then_some(())
        })
        .await;
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.release();
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(
    listener: TcpListener,
    protocol: Protocol,
    tls: Option<Arc<rustls::ServerConfig>>,
    shared: Arc<Shared>,
) {
    let tls = tls.map(tokio_rustls::TlsAcceptor::from);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let number = shared.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(serve(stream, number, protocol, tls.clone(), shared.clone()));
    }
}

async fn accept_unix(listener: UnixListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let number = shared.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(grpc::serve(Box::pin(stream), number, shared.clone()));
    }
}

async fn serve(
    stream: TcpStream,
    number: usize,
    protocol: Protocol,
    tls: Option<tokio_rustls::TlsAcceptor>,
    shared: Arc<Shared>,
) {
    let _ = stream.set_nodelay(true);
    let stream: BoxStream = match tls {
        None => Box::pin(stream),
        // A client that the TLS settings refuse is that client's test, not an error here.
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => Box::pin(stream),
            Err(_) => return,
        },
    };
    match protocol {
        Protocol::Grpc => grpc::serve(stream, number, shared).await,
        Protocol::Http => http::serve(stream, number, shared).await,
    }
}

/// An export response of about `bytes`, padded with a field that OTLP does not know.
fn huge(bytes: usize) -> Bytes {
    let mut out = Vec::with_capacity(bytes + 16);
    prost::encoding::bytes::encode(crate::otlp::UNKNOWN, &vec![0u8; bytes], &mut out);
    out.into()
}
