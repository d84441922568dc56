//! OTLP/HTTP: what a request is answered with. Its order of checks, statuses and
//! texts are here; reading a body is in `body`, the replies in `reply`. What comes
//! before any handler, and the connection beneath, is in `net::http_server`.

mod body;
mod reply;

use std::{
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HOST},
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
        http_server::Front,
        http1,
        http2::server::{self as http2, Body, Call},
    },
    telemetry::metrics::{HttpCall, HttpMetrics},
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
    front: Front,
    metrics: HttpMetrics,
}

impl HttpService {
    /// The HTTP side in front of `ingest`.
    ///
    /// # Errors
    /// A configured header that cannot be sent.
    pub fn new(config: &Http, max_body: usize, ingest: &Rc<Ingest>) -> Result<Self, String> {
        let server = &config.server;
        let core = ingest.core();
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
            front: Front::new(server)?,
            metrics: HttpMetrics::new(&core.registry, core.core, true, server.tls.is_on()),
        })
    }

    /// Answers a request, whatever protocol brought it.
    async fn answer(&self, head: &Parts, body: Stream, peer: Option<SocketAddr>) -> Reply {
        let begun = self.metrics.is_enabled().then(Instant::now);
        let mut received = 0;
        let reply = match self.front.preflight(&head.method, &head.headers) {
            Some(headers) => {
                let mut reply = Reply::empty(StatusCode::NO_CONTENT);
                reply.headers = headers;
                reply
            }
            None => {
                let mut reply = match self.export(head, body, peer, &mut received).await {
                    Ok(reply) | Err(reply) => reply,
                };
                self.front.finish(&head.headers, &mut reply.headers);
                reply
            }
        };
        if let Some(begun) = begun {
            self.metrics.request(&HttpCall {
                method: &head.method,
                version: head.version,
                authority: authority(head),
                route: self.route(head),
                outcome: Ok(reply.status.as_u16()),
                duration: begun.elapsed(),
                request: received,
                response: reply.body.len() as u64,
            });
        }
        reply
    }

    /// The path that a request was handled under; what is answered before paths are looked at
    /// (preflights, codings that are not accepted) has none, as in the Collector.
    fn route(&self, head: &Parts) -> Option<&str> {
        let before = self.front.is_preflight(&head.method, &head.headers)
            || self.front.codec(&head.headers).is_err();
        let signal = self.signal(head.uri.path()).filter(|_| !before)?;
        Some(self.path(signal))
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
        let codec = self.front.codec(&head.headers).map_err(|name| {
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
                unchecked: false,
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

/// Whom the caller asked for: HTTP/2's authority, else the host.
fn authority(head: &Parts) -> &str {
    match head.uri.authority() {
        Some(authority) => authority.as_str(),
        None => head
            .headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or(""),
    }
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
