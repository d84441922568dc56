//! Exporter `otlp_grpc` (once `otlp`): OTLP over gRPC.

pub mod config;
mod response;

use std::{
    cell::Cell,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use trunkline_proto::{Batch, Signal};

use crate::{
    component::{ConsumeFuture, Consumer, CoreContext, Outcome, Refusal, RequestContext},
    graph::client_tls,
    net::{
        compression::Codec,
        http2::{
            client::{Authority, Balancer, Client, Framed, Settings},
            keepalive::Keepalive,
        },
        partial_success,
        tls::SharedClient,
    },
    queue::{
        encode::{Body, Form},
        retry::{Attempt, Retry},
    },
    runtime,
    telemetry::{
        ExporterMetrics,
        logs::ComponentFields,
        metrics::{Destination, RpcMetrics},
    },
};

/// Longest response that is read (OTLP specification: 4 MiB).
const MAX_RESPONSE: usize = 4 << 20;

/// The exporter of one signal on one core.
pub struct OtlpGrpc {
    fields: ComponentFields,
    signal: Signal,
    client: Client,
    uri: Uri,
    headers: HeaderMap,
    timeout: Option<Duration>,
    retry: Retry,
    form: Form,
    core: CoreContext,
    metrics: ExporterMetrics,
    calls: RpcMetrics,
}

/// The path of a signal's Export method.
pub fn path_of(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal::Profiles => {
            "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
        }
    }
}

/// What all cores and signals share: TLS, loaded now where the connections are not in plain text.
///
/// # Errors
/// The Collector's text for what cannot be loaded.
pub fn prepare(config: &config::Config) -> Result<Arc<SharedClient>, String> {
    let client = &config.client;
    let tls = SharedClient::new(client_tls(&client.tls), &[b"h2"]);
    if !is_plain(client.endpoint.as_str(), &tls) {
        tls.get().map_err(|error| error.to_string())?;
    }
    Ok(tls)
}

/// collector.md §2.3: `http://` is plain text, `https://` forces TLS.
fn is_plain(endpoint: &str, tls: &SharedClient) -> bool {
    !endpoint.starts_with("https://") && (endpoint.starts_with("http://") || tls.is_plain())
}

/// Builds the exporter of a signal on a core.
///
/// # Errors
/// The Collector's text for what cannot be used.
pub fn build(
    id: &str,
    config: &config::Config,
    signal: Signal,
    core: &CoreContext,
    tls: &SharedClient,
) -> Result<Rc<OtlpGrpc>, String> {
    let client = &config.client;
    let endpoint = client.endpoint.as_str();
    let unix = endpoint
        .strip_prefix("unix://")
        .or_else(|| endpoint.strip_prefix("unix:"));
    let bare = client.bare_endpoint();
    let host = bare.rsplit_once(':').map_or(bare, |(host, _)| host);
    let plain = is_plain(endpoint, tls);
    let tls = if plain {
        None
    } else {
        let tls = tls.get().map_err(|e| e.to_string())?;
        let name = tls
            .server_name(if unix.is_some() { "localhost" } else { host })
            .map_err(|e| e.to_string())?;
        Some((tls.config.clone(), name))
    };
    let name = client.compression.word();
    let codec = Codec::from_config(name)
        .and_then(Codec::for_grpc)
        .map(|(codec, _)| codec)
        .or((name == "none" || name.is_empty()).then_some(Codec::Identity))
        .ok_or_else(|| format!("unsupported compression type \"{name}\""))?;
    let authority = if !client.authority.is_empty() {
        client.authority.as_str()
    } else if unix.is_some() {
        "localhost"
    } else {
        bare
    };
    let uri = Uri::builder()
        .scheme(if plain { "http" } else { "https" })
        .authority(authority)
        .path_and_query(path_of(signal))
        .build()
        .map_err(|error| format!("invalid endpoint {endpoint:?}: {error}"))?;
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    let agent = if client.user_agent.is_empty() {
        concat!("trunkline/", env!("CARGO_PKG_VERSION"))
    } else {
        &client.user_agent
    };
    headers.insert(header::USER_AGENT, value("user_agent", agent)?);
    if codec != Codec::Identity
        && let Some((_, name)) = codec.for_grpc()
    {
        headers.insert("grpc-encoding", HeaderValue::from_static(name));
    }
    for (name, text) in client.headers.iter() {
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("headers: {name:?} is not a header name"))?;
        headers.append(key, value(name, text)?);
    }
    if signal == Signal::Profiles {
        // collector.md §2.1: always sent, once, over any configured header.
        headers.insert(
            "otlp-profiles-development-version",
            HeaderValue::from_static("1"),
        );
    }
    let retry = &config.retry_on_failure;
    let destination = Destination {
        server_address: unix.is_none().then(|| host.to_owned()),
        server_port: unix.is_none().then(|| {
            bare.rsplit_once(':')
                .map_or("", |(_, port)| port)
                .to_owned()
        }),
        url_path: None,
    };
    let keepalive = client.keepalive.get();
    Ok(Rc::new(OtlpGrpc {
        fields: ComponentFields {
            id: id.to_owned(),
            kind: "exporter",
            pipeline: None,
            signal: Some(signal.name()),
        },
        signal,
        client: Client::new(Settings {
            authority: match unix {
                Some(path) => Authority::Unix(path.into()),
                None => Authority::Tcp(bare.to_owned()),
            },
            balancer: match client.balancer_name.as_str() {
                "pick_first" => Balancer::PickFirst,
                _ => Balancer::RoundRobin,
            },
            tls,
            wait_for_ready: client.wait_for_ready,
            keepalive: keepalive.and_then(|k| {
                let timeout = k.timeout.positive().unwrap_or(Duration::from_secs(20));
                // grpc-go raises anything below 10 s to that.
                Some(Keepalive {
                    time: k.time.positive()?.max(Duration::from_secs(10)),
                    timeout,
                    permit_without_stream: k.permit_without_stream,
                })
            }),
        }),
        uri,
        headers,
        timeout: config.timeout.timeout.positive(),
        retry: Retry {
            enabled: retry.enabled,
            initial_interval: retry.initial_interval.get(),
            randomization_factor: retry.randomization_factor,
            multiplier: retry.multiplier,
            max_interval: retry.max_interval.get(),
            max_elapsed_time: retry.max_elapsed_time.get(),
        },
        form: Form {
            json: false,
            codec,
            level: 0,
        },
        core: core.clone(),
        metrics: ExporterMetrics::new(&core.registry, core.core, id, &destination),
        calls: RpcMetrics::client(&core.registry, core.core),
    }))
}

fn value(key: &str, text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text).map_err(|_| format!("{key}: not a header value"))
}

impl OtlpGrpc {
    /// One attempt, with its time limit.
    async fn attempt(&self, body: Body, deadline: Instant) -> Attempt {
        let deadline = match self.timeout {
            Some(timeout) => deadline.min(Instant::now() + timeout),
            None => deadline,
        };
        let begun = self.calls.is_enabled().then(Instant::now);
        let peer = Cell::new(None);
        let attempt = match runtime::timeout_at(deadline, self.send(body, deadline, &peer)).await {
            Ok(attempt) => attempt,
            Err(runtime::Elapsed) => Attempt::Failed(Refusal {
                code: Code::DeadlineExceeded,
                message: "context deadline exceeded".into(),
                retryable: true,
                retry_after: None,
            }),
        };
        if let Some(begun) = begun {
            let code = match &attempt {
                Attempt::Done(Outcome::Refused(refusal)) | Attempt::Failed(refusal) => refusal.code,
                Attempt::Done(_) => Code::Ok,
            };
            let peer = peer
                .get()
                .map(|peer| (peer.ip().to_string(), peer.port().to_string()));
            let peer = peer.as_ref().map(|(ip, port)| (ip.as_str(), port.as_str()));
            let method = path_of(self.signal).trim_start_matches('/');
            self.calls.call(method, code, peer, begun.elapsed());
        }
        attempt
    }

    async fn send(
        &self,
        body: Body,
        deadline: Instant,
        peer: &Cell<Option<SocketAddr>>,
    ) -> Attempt {
        let mut sender = match self.client.ready(deadline).await {
            Ok(sender) => {
                peer.set(sender.peer);
                sender
            }
            Err(error) => {
                return failed(Status::unavailable(format!("connection error: {error}")));
            }
        };
        let Ok(framed) = Framed::grpc(body, self.form.codec != Codec::Identity) else {
            return failed(Status::resource_exhausted(
                "trying to send message larger than max",
            ));
        };
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(
            "grpc-timeout",
            timeout_header(deadline.saturating_duration_since(Instant::now())),
        );
        let (response, mut stream) = match sender.send_request(request, false) {
            Ok(sent) => sent,
            Err(error) => return failed(lost(&error)),
        };
        if let Err(error) = stream.send_data(framed, true) {
            return failed(lost(&error));
        }
        let response = match response.await {
            Ok(response) => response,
            Err(error) => return failed(lost(&error)),
        };
        sender.heard();
        let (head, mut body) = response.into_parts();
        if head.status != http::StatusCode::OK {
            return failed(from_http(head.status));
        }
        if let Some(status) = Status::from_header_map(&head.headers) {
            return finished(status, &[]);
        }
        let mut message = Vec::new();
        while let Some(data) = body.data().await {
            match data {
                Ok(data) => {
                    let _ = body.flow_control().release_capacity(data.len());
                    if message.len() + data.len() > MAX_RESPONSE + response::PREFIX {
                        return failed(Status::resource_exhausted(format!(
                            "grpc: received message larger than max ({} vs. {MAX_RESPONSE})",
                            message.len() + data.len()
                        )));
                    }
                    message.extend_from_slice(&data);
                }
                Err(error) => return failed(lost(&error)),
            }
        }
        let status = match body.trailers().await {
            Ok(Some(trailers)) => Status::from_header_map(&trailers),
            Ok(None) => None,
            Err(error) => return failed(lost(&error)),
        };
        let status = status.unwrap_or_else(|| Status::internal("the response has no grpc-status"));
        if status.code() != Code::Ok {
            return failed(status);
        }
        let encoding = head.headers.get("grpc-encoding");
        let message = response::message(
            &message,
            encoding.and_then(|name| name.to_str().ok()),
            MAX_RESPONSE,
            &mut self.core.inflater.borrow_mut(),
        );
        match message {
            Ok(message) => finished(status, &message),
            Err(status) => failed(status),
        }
    }
}

/// The time that is left, as gRPC writes it: at most eight digits and a unit.
fn timeout_header(left: Duration) -> HeaderValue {
    let micros = left.as_micros();
    let text = if micros < 100_000_000 {
        format!("{micros}u")
    } else if left.as_millis() < 100_000_000 {
        format!("{}m", left.as_millis())
    } else {
        format!("{}S", left.as_secs().min(99_999_999))
    };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("10S"))
}

/// The answer to a connection that broke: the request may or may not have arrived.
fn lost(error: &h2::Error) -> Status {
    Status::unavailable(format!("error reading from server: {error}"))
}

/// HTTP statuses where a gRPC one was expected (gRPC, HTTP to gRPC status code mapping).
fn from_http(status: http::StatusCode) -> Status {
    let code = match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(
        code,
        format!("unexpected HTTP status code received from server: {status}"),
    )
}

fn finished(status: Status, body: &[u8]) -> Attempt {
    if status.code() != Code::Ok {
        return failed(status);
    }
    match partial_success::parse(body) {
        Ok(None) => Attempt::Done(Outcome::Accepted),
        Ok(Some((rejected, message))) => Attempt::Done(Outcome::Partial { rejected, message }),
        Err(error) => failed(Status::internal(format!(
            "the response is malformed: {error}"
        ))),
    }
}

/// Whether to try again (OTLP specification, OTLP/gRPC response): the codes that say so, and
/// RESOURCE_EXHAUSTED only with RetryInfo.
fn failed(status: Status) -> Attempt {
    let after = status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay);
    let retryable = match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => true,
        Code::ResourceExhausted => after.is_some(),
        _ => false,
    };
    Attempt::Failed(Refusal {
        code: status.code(),
        message: status.message().to_owned(),
        retryable,
        retry_after: after,
    })
}

impl Consumer for OtlpGrpc {
    fn consume<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        Box::pin(async move {
            let items = batch.item_count() as u64;
            let _in_flight = self.metrics.in_flight(self.signal);
            let outcome = match self.form.encode_in_place(batch, &self.core) {
                Err(refusal) => Outcome::Refused(refusal),
                Ok(body) => {
                    let deadline = context.deadline;
                    self.retry
                        .run(deadline, || self.attempt(body.clone(), deadline))
                        .await
                }
            };
            super::ended(&self.metrics, &self.fields, self.signal, items, &outcome);
            outcome
        })
    }

    fn judges(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_that_may_be_retried() {
        // collector.md §3.2: code, RetryInfo, may be retried.
        for (code, info, retry) in [
            (Code::Cancelled, false, true),
            (Code::DeadlineExceeded, false, true),
            (Code::Aborted, false, true),
            (Code::OutOfRange, false, true),
            (Code::Unavailable, false, true),
            (Code::DataLoss, false, true),
            (Code::ResourceExhausted, false, false),
            (Code::ResourceExhausted, true, true),
            (Code::InvalidArgument, false, false),
            (Code::NotFound, false, false),
            (Code::AlreadyExists, false, false),
            (Code::PermissionDenied, false, false),
            (Code::Unauthenticated, false, false),
            (Code::FailedPrecondition, false, false),
            (Code::Unimplemented, false, false),
            (Code::Internal, false, false),
            (Code::Unknown, false, false),
        ] {
            let status = if info {
                Status::with_error_details(
                    code,
                    "x",
                    tonic_types::ErrorDetails::with_retry_info(Some(Duration::from_secs(3))),
                )
            } else {
                Status::new(code, "x")
            };
            let Attempt::Failed(refusal) = failed(status) else {
                panic!("{code:?}")
            };
            assert_eq!(refusal.retryable, retry, "{code:?}");
            assert_eq!(refusal.retry_after, info.then_some(Duration::from_secs(3)));
        }
    }

    #[test]
    fn the_timeout_has_at_most_eight_digits() {
        for (left, text) in [
            (Duration::from_millis(5), "5000u"),
            (Duration::from_secs(5), "5000000u"),
            (Duration::from_secs(500), "500000m"),
            (Duration::from_secs(1_000_000), "1000000S"),
        ] {
            assert_eq!(timeout_header(left), text);
        }
    }
}
