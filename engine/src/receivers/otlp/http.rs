//! OTLP/HTTP: what a request is answered with. Its order of checks, statuses and
//! texts are here; reading a body is in `body`, the replies in `reply`. The
//! connection beneath is HTTP/1.1 (`net::http1`) or HTTP/2 (`net::http2`).

mod body;
mod reply;

use std::{
    io,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST},
    request::Parts,
};
use http_body_util::Full;
use hyper::body::Incoming as H1Body;
use tonic::Code;
use trunkline_proto::Signal;

use self::{
    body::{Gathering, Stream, Unread},
    reply::Reply,
};
use super::{
    config::Http,
    grpc::metadata,
    ingest::{Encoding, Incoming, Ingest, TOO_LARGE, Transport as Over},
    profiles,
};
use crate::{
    component::{Outcome, Refusal, RequestContext},
    net::{
        compression::Codec,
        cors::Cors,
        http1,
        http2::server::{self as http2, Body, Call},
        transport::Transport,
    },
    telemetry::metrics::HttpMetrics,
};

/// How long a caller is taken to wait: HTTP has no header for it.
const DEADLINE: Duration = Duration::from_secs(10);
/// Longest time to read a body where `read_timeout` sets none: it holds memory meanwhile.
const BODY: Duration = Duration::from_secs(60);

/// The HTTP side of the receiver on one core.
pub struct HttpService {
    ingest: Rc<Ingest>,
    /// By [`Signal::index`].
    paths: [String; 4],
    max_body: usize,
    body_time: Duration,
    include_metadata: bool,
    codecs: Vec<Codec>,
    cors: Option<Cors>,
    response_headers: Vec<(HeaderName, HeaderValue)>,
    metrics: HttpMetrics,
}

/// What connections of the HTTP side allow.
#[derive(Clone)]
pub struct HttpSettings {
    /// Over HTTP/1.1.
    pub http1: http1::Limits,
    /// Over HTTP/2.
    pub http2: http2::Settings,
}

impl HttpService {
    /// The HTTP side in front of `ingest`.
    ///
    /// # Errors
    /// A configured header that cannot be sent.
    pub fn new(config: &Http, max_body: usize, ingest: &Rc<Ingest>) -> Result<Self, String> {
        let server = &config.server;
        let listed = &server.compression_algorithms;
        // An empty list is all of them; `""` in a list is a body that is not compressed.
        let codecs = std::iter::once(Codec::Identity)
            .chain(Codec::ALL)
            .filter(|codec| {
                listed.is_empty()
                    || listed
                        .iter()
                        .any(|name| Codec::from_config(name) == Some(*codec))
            })
            .collect();
        let mut response_headers = Vec::new();
        for (name, value) in server.response_headers.iter() {
            let invalid = |_| format!("response_headers: {name:?} is not a valid header");
            response_headers.push((
                HeaderName::from_bytes(name.as_bytes()).map_err(|e| invalid(e.to_string()))?,
                HeaderValue::from_str(value).map_err(|e| invalid(e.to_string()))?,
            ));
        }
        let core = ingest.core();
        let (host, port) = crate::net::config::split_host_port(&server.address.endpoint)
            .unwrap_or((&server.address.endpoint, ""));
        Ok(HttpService {
            ingest: ingest.clone(),
            paths: Signal::ALL.map(|signal| {
                match signal {
                    Signal::Traces => config.traces_url_path.as_str(),
                    Signal::Metrics => config.metrics_url_path.as_str(),
                    Signal::Logs => config.logs_url_path.as_str(),
                    Signal::Profiles => "/v1development/profiles",
                }
                .to_owned()
            }),
            max_body,
            body_time: server.read_timeout.positive().unwrap_or(BODY),
            include_metadata: server.include_metadata,
            codecs,
            cors: match server.cors.get() {
                Some(cors) => Cors::new(cors)?,
                None => None,
            },
            response_headers,
            metrics: HttpMetrics::new(
                &core.registry,
                core.core,
                true,
                host,
                port,
                server.tls.is_on(),
            ),
        })
    }

    /// Answers a request, whatever protocol brought it.
    async fn answer(&self, head: &Parts, body: Stream, peer: Option<SocketAddr>) -> Reply {
        let begun = self.metrics.is_enabled().then(Instant::now);
        let mut received = 0;
        let mut reply = match &self.cors {
            Some(cors) if Cors::is_preflight(&head.method, &head.headers) => {
                let mut reply = Reply::empty(StatusCode::NO_CONTENT);
                cors.preflight(&head.headers, &mut reply.headers);
                reply
            }
            cors => {
                let mut reply = match self.export(head, body, peer, &mut received).await {
                    Ok(reply) | Err(reply) => reply,
                };
                if let Some(cors) = cors {
                    cors.actual(&head.headers, &mut reply.headers);
                }
                reply
            }
        };
        for (name, value) in &self.response_headers {
            reply.headers.entry(name).or_insert_with(|| value.clone());
        }
        if let (Some(begun), Some(signal)) = (begun, self.signal(head.uri.path())) {
            self.metrics.request(
                self.path(signal),
                reply.status.as_u16(),
                begun.elapsed(),
                received,
                reply.body.len() as u64,
            );
        }
        reply
    }

    fn path(&self, signal: Signal) -> &str {
        self.paths.get(signal.index()).map_or("", String::as_str)
    }

    /// A path exists only for signals that a pipeline takes (collector.md §2.1).
    fn signal(&self, path: &str) -> Option<Signal> {
        Signal::ALL
            .into_iter()
            .find(|&signal| self.path(signal) == path && self.ingest.takes(signal))
    }

    async fn export(
        &self,
        head: &Parts,
        body: Stream,
        peer: Option<SocketAddr>,
        received: &mut u64,
    ) -> Result<Reply, Reply> {
        let kind = encoding(&head.headers);
        // The encoding is looked at first, and answered for any path (collector_observed.md §4).
        let codec = self.codec(&head.headers).map_err(|name| {
            let text = format!("unsupported Content-Encoding: {name}");
            Reply::error(kind.unwrap_or(Encoding::Json), Code::InvalidArgument, &text)
        })?;
        let signal = self.signal(head.uri.path()).ok_or_else(reply::not_found)?;
        if head.method != Method::POST {
            return Err(reply::wrong_method());
        }
        let kind = kind.ok_or_else(reply::wrong_type)?;
        if signal == Signal::Profiles {
            profiles::check_version(&head.headers)
                .map_err(|text| Reply::error(kind, Code::InvalidArgument, &text))?;
        }
        let length = content_length(&head.headers);
        let gathering = Gathering {
            limit: self.max_body,
            budget: &self.ingest.core().budget,
        };
        let bytes = crate::runtime::timeout(self.body_time, gathering.gather(body, length))
            .await
            .unwrap_or(Err(Unread::Late))
            .map_err(|why| refuse(kind, why))?;
        *received = bytes.len() as u64;
        // In hand from its last byte on: a body on its way holds back no batch.
        let _in_hand = self.ingest.core().in_hand.enter();
        let incoming = Incoming {
            signal,
            transport: Over::Http,
            body: bytes,
            codec,
            encoding: kind,
            max_size: self.max_body,
            context: RequestContext {
                deadline: Instant::now() + DEADLINE,
                metadata: self.include_metadata.then(|| metadata(&with_host(head))),
                client: peer,
            },
        };
        Ok(match self.ingest.ingest(incoming).await {
            Outcome::Accepted => Reply::accepted(kind, signal, None),
            Outcome::Partial { rejected, message } => {
                Reply::accepted(kind, signal, Some((rejected, &message)))
            }
            Outcome::Refused(refusal) => Reply::refusal(kind, &refusal),
        })
    }

    /// The codec of the body, or the name that is not accepted.
    fn codec<'h>(&self, headers: &'h HeaderMap) -> Result<Codec, &'h str> {
        let name = match headers.get(CONTENT_ENCODING) {
            Some(value) => value.to_str().unwrap_or("?"),
            None => "",
        };
        Codec::from_content_encoding(name)
            .filter(|codec| self.codecs.contains(codec))
            .ok_or(name)
    }
}

/// How a body that could not be read whole is answered. The rest of it is not waited for.
fn refuse(kind: Encoding, why: Unread) -> Reply {
    match why {
        Unread::TooLarge => Reply::refusal(
            kind,
            &Refusal::permanent(Code::ResourceExhausted, TOO_LARGE),
        ),
        Unread::NoRoom => Reply::refusal(kind, &Refusal::no_room()),
        Unread::Late => Reply::refusal(
            kind,
            &Refusal::retry("the request's body did not arrive in time", None),
        ),
        Unread::Broken => Reply::error(kind, Code::InvalidArgument, "unexpected EOF"),
    }
    .closing()
}

/// The encoding that the media type names: case and parameters do not matter (RFC 9110 §8.3.1).
fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let kind = value.split(';').next().unwrap_or("").trim();
    if kind.eq_ignore_ascii_case(reply::PROTOBUF) {
        Some(Encoding::Protobuf)
    } else if kind.eq_ignore_ascii_case(reply::JSON) {
        Some(Encoding::Json)
    } else {
        None
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The headers, with HTTP/2's authority as the host.
fn with_host(head: &Parts) -> std::borrow::Cow<'_, HeaderMap> {
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    match authority.and_then(|a| HeaderValue::from_str(a).ok()) {
        Some(host) if !head.headers.contains_key(HOST) => {
            let mut headers = head.headers.clone();
            headers.insert(HOST, host);
            std::borrow::Cow::Owned(headers)
        }
        _ => std::borrow::Cow::Borrowed(&head.headers),
    }
}

impl http1::Service for HttpService {
    async fn call(
        self: Rc<Self>,
        request: Request<H1Body>,
        peer: Option<SocketAddr>,
    ) -> Response<Full<Bytes>> {
        let _hold = self.ingest.core().drain.hold();
        let (head, body) = request.into_parts();
        self.answer(&head, Stream::Http1(body), peer)
            .await
            .into_http1()
    }
}

impl http2::Service for HttpService {
    fn takes_message(&self, _head: &Parts) -> bool {
        false
    }

    async fn call(self: Rc<Self>, call: Call) {
        let Call {
            head,
            body,
            mut respond,
            peer,
        } = call;
        let Body::Stream(stream) = body else {
            return;
        };
        self.answer(&head, Stream::Http2(stream), peer)
            .await
            .send(&mut respond);
    }
}

/// Serves one connection of the HTTP side until it ends.
///
/// # Errors
/// What the peer or the socket did wrong.
pub async fn serve(
    io: Transport,
    peer: Option<SocketAddr>,
    settings: &HttpSettings,
    service: &Rc<HttpService>,
) -> io::Result<()> {
    let core = service.ingest.core();
    let limits = &settings.http1;
    let first = limits.header.or(limits.idle);
    match http1::negotiate(io, first, &core.drain).await? {
        None => Ok(()),
        Some((http1::Version::Http1, io)) => {
            http1::serve(io, peer, limits, &core.drain, service.clone())
                .await
                .map_err(io::Error::other)
        }
        Some((http1::Version::Http2, io)) => http2::serve(
            io,
            peer,
            &settings.http2,
            core.budget.clone(),
            &core.drain,
            service.clone(),
        )
        .await
        .map_err(io::Error::other),
    }
}
