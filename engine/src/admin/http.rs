//! A small server for pages, on the control thread: it answers from memory, ignores
//! request bodies, and bounds connections, header size and every wait. The protocols,
//! TLS and the keys of the configuration are `net`'s, as the otlp receiver has them;
//! what the pages show is not known here.

use std::{net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::sync::{Semaphore, watch};

use crate::{
    net::{
        admission::Budget,
        config::HttpServer,
        drain::Drain,
        http_server::{self, Front, HttpSettings},
        http1,
        http2::{
            divert::Windows,
            server::{self as http2, Call},
        },
        listen::{self, Alone, Bound},
        tls::ServerTls,
        transport::Transport,
    },
    runtime::{self, Accepted, Listener},
    telemetry::logs::os_error,
};

/// Connections served at once; further ones wait in the listener's backlog.
const CONNECTIONS: usize = 128;
/// Bytes of a request's head.
const HEAD: usize = 64 << 10;
/// Longest TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Wait after an accept that failed for want of something (files, memory).
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// How long answers may still be written when the server stops.
const ENDING: Duration = Duration::from_secs(1);
/// What HTTP/2 connections together may hold of bodies that nobody reads, bytes.
const BODIES: usize = 1 << 20;
/// Frames and windows as small as HTTP/2 has them: pages take no bodies.
const WINDOWS: Windows = Windows {
    frame: 16 << 10,
    stream: 64 << 10,
    connection: 128 << 10,
};

/// An answer: always complete in memory.
pub type Page = Response<Full<Bytes>>;

/// What answers requests. Called on the control thread; must not block for long.
pub trait Handler: 'static {
    /// The answer to a request, whose body is not looked at.
    fn answer(&self, request: &Request<()>) -> Page;
}

impl<F: Fn(&Request<()>) -> Page + 'static> Handler for F {
    fn answer(&self, request: &Request<()>) -> Page {
        self(request)
    }
}

/// A server that listens and does not serve yet.
pub struct Server {
    bound: Bound,
    listener: Listener,
    tls: Option<ServerTls>,
    settings: HttpSettings,
    connections: usize,
    front: Option<Front>,
}

impl Server {
    /// Listens as configured, on the executor of this thread. Names are resolved here; the
    /// call may wait for a name server.
    ///
    /// # Errors
    /// Why not: Go's text for an address, the Collector's for TLS.
    pub fn listen(config: &HttpServer) -> Result<Server, String> {
        Server::on(&Alone::bind(&config.address)?, config)
    }

    /// The same on an address that is bound already.
    ///
    /// # Errors
    /// As [`Server::listen`].
    pub fn on(address: &Alone, config: &HttpServer) -> Result<Server, String> {
        let tls = listen::server_tls(config.tls.get(), listen::HTTP_ALPN)?;
        let bound = address.bound.clone();
        let listener = address
            .listen()
            .map_err(|error| format!("listen {bound}: {}", os_error(&error)))?;
        let mut settings = HttpSettings::new(config, WINDOWS, BODIES);
        settings.http1.buffer = HEAD;
        Ok(Server {
            bound,
            listener,
            tls,
            settings,
            connections: CONNECTIONS,
            front: None,
        })
    }

    /// Where it listens.
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// Serves so many connections at once.
    #[cfg(test)]
    pub(super) fn with_connections(mut self, connections: usize) -> Server {
        self.connections = connections;
        self
    }

    /// Puts in front of the handler what the configuration says: content codings, cross-origin
    /// requests, headers of every answer.
    ///
    /// # Errors
    /// A configured header that cannot be sent.
    pub fn with_front(mut self, config: &HttpServer) -> Result<Server, String> {
        self.front = Some(Front::new(config)?);
        Ok(self)
    }

    /// Serves `handler` until `stop` changes or its sender is gone; answers being written are
    /// finished, at most one second longer. Errors are logged, not returned: a page does not
    /// end the gateway.
    pub async fn serve<H: Handler>(self, handler: Arc<H>, mut stop: watch::Receiver<bool>) {
        let Server {
            listener,
            tls,
            settings,
            connections,
            front,
            ..
        } = self;
        let connection = Rc::new(Connection {
            tls,
            settings,
            budget: Budget::new(BODIES),
            drain: Drain::default(),
            service: Rc::new(Pages { handler, front }),
        });
        let room = Arc::new(Semaphore::new(connections));
        loop {
            let accepted = tokio::select! {
                // An error says that nobody is left to say stop: the same as stop.
                _ = stop.changed() => break,
                accepted = accept(&listener, &room) => accepted,
            };
            let (accepted, permit) = accepted;
            let (connection, hold) = (connection.clone(), connection.drain.hold());
            runtime::spawn(async move {
                if let Err(error) = connection.serve(accepted).await {
                    tracing::debug!(error = %error, "Connection to a page ended");
                }
                drop((permit, hold));
            });
        }
        // Connections close themselves when they see it; beyond that they are cut off with the
        // runtime.
        connection.drain.begin();
        let _ = runtime::timeout(ENDING, connection.drain.finished()).await;
    }
}

async fn accept(
    listener: &Listener,
    room: &Arc<Semaphore>,
) -> (Accepted, tokio::sync::OwnedSemaphorePermit) {
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else {
            // The semaphore is never closed.
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok(accepted) => return (accepted, permit),
            Err(error) => {
                tracing::warn!(error = %os_error(&error), "Page server could not accept a connection");
                runtime::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// What the connections of a server share.
struct Connection<H> {
    tls: Option<ServerTls>,
    settings: HttpSettings,
    budget: Arc<Budget>,
    drain: Drain,
    service: Rc<Pages<H>>,
}

impl<H: Handler> Connection<H> {
    async fn serve(&self, accepted: Accepted) -> std::io::Result<()> {
        let peer = accepted.peer;
        let stream = accepted.into_stream()?;
        let io = match &self.tls {
            None => Transport::Plain(stream),
            Some(tls) => {
                let acceptor = tokio_rustls::TlsAcceptor::from(tls.config.clone());
                match runtime::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                    Ok(stream) => Transport::TlsServer(Box::new(stream?)),
                    Err(runtime::Elapsed) => return Err(std::io::ErrorKind::TimedOut.into()),
                }
            }
        };
        http_server::serve(
            io,
            peer,
            &self.settings,
            self.budget.clone(),
            &self.drain,
            &self.service,
        )
        .await
    }
}

/// The handler with what stands in front of it.
struct Pages<H> {
    handler: Arc<H>,
    front: Option<Front>,
}

impl<H: Handler> Pages<H> {
    fn answer(&self, head: Parts) -> Page {
        let request = Request::from_parts(head, ());
        let Some(front) = &self.front else {
            return self.handler.answer(&request);
        };
        if let Some(headers) = front.preflight(request.method(), request.headers()) {
            let mut answer = Response::new(Full::default());
            *answer.status_mut() = StatusCode::NO_CONTENT;
            *answer.headers_mut() = headers;
            return answer;
        }
        let mut answer = match front.codec(request.headers()) {
            Ok(_) => self.handler.answer(&request),
            Err(name) => go_error(
                StatusCode::BAD_REQUEST,
                format!("unsupported Content-Encoding: {name}\n"),
            ),
        };
        front.finish(request.headers(), answer.headers_mut());
        answer
    }
}

impl<H: Handler> http1::Service for Pages<H> {
    async fn call(self: Rc<Self>, request: Request<Incoming>, _peer: Option<SocketAddr>) -> Page {
        self.answer(request.into_parts().0)
    }
}

impl<H: Handler> http2::Service for Pages<H> {
    fn takes_message(&self, _head: &Parts) -> bool {
        false
    }

    async fn call(self: Rc<Self>, mut call: Call) {
        let wants_body = call.head.method != Method::HEAD;
        let (head, body) = self.answer(call.head).into_parts();
        // It is in memory: this neither waits nor fails.
        let bytes = body.collect().await.unwrap_or_default().to_bytes();
        let mut answer = Response::from_parts(head, ());
        if answer.status() != StatusCode::NO_CONTENT {
            answer
                .headers_mut()
                .insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        }
        let ends = !wants_body || bytes.is_empty();
        // A caller that is gone is not told.
        if let Ok(mut stream) = call.respond.send_response(answer, ends)
            && !ends
        {
            let _ = stream.send_data(bytes, true);
        }
    }
}

/// An answer of `body` as `content_type`.
pub fn page(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Page {
    let mut page = Response::new(Full::new(body.into()));
    *page.status_mut() = status;
    page.headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    page
}

/// What Go's HTTP server says of a path that it does not have.
pub fn not_found() -> Page {
    go_error(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// An error as Go's HTTP server words it.
fn go_error(status: StatusCode, text: impl Into<Bytes>) -> Page {
    let mut page = page(status, "text/plain; charset=utf-8", text);
    page.headers_mut().insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    page
}
