//! What listens on a core: accept loops, TLS handshakes, and the protocol's server
//! behind each connection.

use std::{cell::Cell, io, pin::pin, rc::Rc, time::Duration};

use futures_lite::future::poll_once;

use super::{Bound, Message, shared::OtlpServers};
use crate::{
    component::{ComponentId, CoreContext},
    net::{
        self,
        config::KeepaliveEnforcement,
        http_server::{self, HttpSettings},
        http2::{
            pings::Policy,
            server::{self, Settings},
        },
        shares::Shares,
        transport::Transport,
    },
    receivers::otlp::{config::Config, grpc::GrpcService, http::HttpService, ingest::Ingest},
    runtime::{self, Accepted, Listener, mesh::Mesh},
    telemetry::metrics::RpcMetrics,
};

/// Longest TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Wait after an accept that failed for want of something (files, memory).
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
/// Longest that the kernel takes to say that a socket listens no more.
const LAST_ACCEPT: Duration = Duration::from_secs(1);
/// OTLP specification: requests of up to 64 MiB.
pub(crate) const MAX_REQUEST: usize = 64 << 20;

/// A server of a receiver on this core.
pub struct Endpoint {
    /// Where it listens.
    pub bound: Bound,
    /// The receiver's id.
    pub receiver: ComponentId,
    protocol: Protocol,
    tls: Option<net::tls::ServerTls>,
    shares: Shares,
}

enum Protocol {
    Grpc {
        settings: Settings,
        service: Rc<GrpcService>,
    },
    Http {
        settings: HttpSettings,
        service: Rc<HttpService>,
    },
}

impl Endpoint {
    /// The servers of an `otlp` receiver.
    pub(super) fn of(
        id: &ComponentId,
        config: &Config,
        servers: &OtlpServers,
        ingest: &Rc<Ingest>,
    ) -> Result<Vec<Endpoint>, String> {
        let shares = Shares::default();
        let windows = shares.take(&ingest.core().budget).windows();
        let mut endpoints = Vec::new();
        if let (Some(grpc), Some((bound, tls))) = (config.protocols.grpc.get(), &servers.grpc) {
            let keepalive = grpc.keepalive.get();
            let parameters = keepalive.and_then(|k| k.server_parameters.get());
            let max_message = match usize::try_from(grpc.max_recv_msg_size_mib) {
                Ok(mib @ 1..) => mib.saturating_mul(1 << 20),
                _ => MAX_REQUEST,
            };
            let settings = Settings {
                windows: windows.clone(),
                max_concurrent_streams: match grpc.max_concurrent_streams {
                    0 => None,
                    n => Some(n),
                },
                max_header_list: 16 << 10,
                max_message,
                max_idle: parameters.and_then(|p| p.max_connection_idle.positive()),
                max_age: parameters.and_then(|p| p.max_connection_age.positive()),
                max_age_grace: parameters.and_then(|p| p.max_connection_age_grace.positive()),
                // collector.md §2.1: 0 is grpc-go's default of 2 h, and 20 s for the answer.
                ping_after: Some(
                    parameters
                        .and_then(|p| p.time.positive())
                        .unwrap_or(Duration::from_secs(7200)),
                ),
                ping_timeout: parameters
                    .and_then(|p| p.timeout.positive())
                    .unwrap_or(Duration::from_secs(20)),
                pings: Some(ping_policy(
                    keepalive.and_then(|k| k.enforcement_policy.get()),
                )),
            };
            endpoints.push(Endpoint {
                bound: bound.clone(),
                receiver: id.clone(),
                protocol: Protocol::Grpc {
                    settings,
                    service: Rc::new(GrpcService {
                        ingest: ingest.clone(),
                        max_message,
                        include_metadata: grpc.include_metadata,
                        metrics: RpcMetrics::server(&ingest.core().registry, ingest.core().core),
                    }),
                },
                tls: tls.clone(),
                shares: shares.clone(),
            });
        }
        if let (Some(http), Some((bound, tls))) = (config.protocols.http.get(), &servers.http) {
            let server = &http.server;
            let max_body = match usize::try_from(server.max_request_body_size) {
                Ok(bytes @ 1..) => bytes,
                _ => MAX_REQUEST,
            };
            let settings = HttpSettings::new(server, windows, max_body);
            endpoints.push(Endpoint {
                bound: bound.clone(),
                receiver: id.clone(),
                protocol: Protocol::Http {
                    settings,
                    service: Rc::new(HttpService::new(http, max_body, ingest)?),
                },
                tls: tls.clone(),
                shares: shares.clone(),
            });
        }
        Ok(endpoints)
    }

    /// Begins to listen; on a unix socket only the first core does. Accepting ends with the drain.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn listen(
        self: &Rc<Self>,
        place: usize,
        core: &CoreContext,
        mesh: &Mesh<Message>,
    ) -> io::Result<()> {
        let (listener, distribute) = match &self.bound {
            Bound::Tcp(address) => (Listener::tcp(*address)?, false),
            Bound::Unix { .. } if core.core != 0 => return Ok(()),
            Bound::Unix { path, again } => (Listener::unix(path, *again)?, true),
        };
        let next = Cell::new(0usize);
        let (this, core, mesh) = (self.clone(), core.clone(), mesh.clone());
        let take = move |accepted: Accepted, core: &CoreContext| {
            if !distribute || mesh.cores() == 1 {
                return this.serve(accepted, core);
            }
            let target = next.replace(next.get().wrapping_add(1)) % mesh.cores();
            if target == core.core {
                this.serve(accepted, core);
            } else if let Err(Message::Connection(_, accepted)) =
                mesh.send(target, Message::Connection(place, accepted))
            {
                this.serve(accepted, core);
            }
        };
        runtime::spawn(async move {
            // The core waits for the last connections, and for the socket's file to go.
            let (watch, _hold) = (core.drain.watch(), core.drain.hold());
            loop {
                let mut accept = pin!(listener.accept());
                let accepted = futures_lite::future::or(
                    async {
                        watch.begun().await;
                        None
                    },
                    async { Some(accept.as_mut().await) },
                )
                .await;
                match accepted {
                    Some(Ok(accepted)) => take(accepted, &core),
                    Some(Err(error)) => {
                        tracing::warn!(error = %error, "Accepting a connection failed");
                        runtime::sleep(ACCEPT_AGAIN).await;
                    }
                    None => {
                        // Who has connected already is served. What waits is not dropped: it may
                        // have a connection by now.
                        let mut wait = distribute && listener.shut();
                        let mut asked = false;
                        loop {
                            match poll_once(accept.as_mut()).await {
                                Some(Ok(accepted)) => take(accepted, &core),
                                Some(Err(_)) => return,
                                None if asked => break,
                                None => {
                                    runtime::pass().await;
                                    asked = true;
                                    continue;
                                }
                            }
                            accept.set(listener.accept());
                            asked = false;
                        }
                        wait |= !distribute && listener.shut();
                        if wait
                            && let Ok(Ok(accepted)) = runtime::timeout(LAST_ACCEPT, accept).await
                        {
                            take(accepted, &core);
                        }
                        return;
                    }
                }
            }
        });
        Ok(())
    }

    /// Serves a connection, in a task of its own.
    pub fn serve(self: &Rc<Self>, accepted: Accepted, core: &CoreContext) {
        let (this, core) = (self.clone(), core.clone());
        let hold = core.drain.hold();
        runtime::spawn(async move {
            if let Err(error) = this.connection(accepted, &core).await {
                tracing::debug!(receiver = %this.receiver, error = %error, "Connection ended");
            }
            drop(hold);
        });
    }

    async fn connection(&self, accepted: Accepted, core: &CoreContext) -> io::Result<()> {
        let peer = accepted.peer;
        let stream = accepted.into_stream()?;
        let io = match &self.tls {
            None => Transport::Plain(stream),
            Some(tls) => {
                let acceptor = tokio_rustls::TlsAcceptor::from(tls.config.clone());
                match runtime::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                    Ok(stream) => Transport::TlsServer(Box::new(stream?)),
                    Err(runtime::Elapsed) => return Err(io::ErrorKind::TimedOut.into()),
                }
            }
        };
        let share = self.shares.take(&core.budget);
        match &self.protocol {
            Protocol::Grpc { settings, service } => {
                let mut settings = settings.clone();
                settings.windows = share.windows();
                server::serve(
                    io,
                    peer,
                    &settings,
                    core.budget.clone(),
                    &core.drain,
                    service.clone(),
                )
                .await
                .map_err(io::Error::other)
            }
            Protocol::Http { settings, service } => {
                let mut settings = settings.clone();
                settings.http2.windows = share.windows();
                settings.http1.buffer = share.read_buffer();
                http_server::serve(
                    io,
                    peer,
                    &settings,
                    core.budget.clone(),
                    &core.drain,
                    service,
                )
                .await
            }
        }
    }
}

/// grpc-go polices pings also where nothing is configured.
fn ping_policy(config: Option<&KeepaliveEnforcement>) -> Policy {
    let default = Policy::default();
    match config {
        None => default,
        Some(config) => Policy {
            min_time: config.min_time.positive().unwrap_or(default.min_time),
            permit_without_stream: config.permit_without_stream,
        },
    }
}
