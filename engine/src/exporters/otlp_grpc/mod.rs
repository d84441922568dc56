//! Exporter `otlp_grpc` (once `otlp`): OTLP over gRPC.

pub mod config;

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use trunkline_proto::{Batch, Signal};

use crate::{
    component::{ConsumeFuture, Consumer, Outcome, Refusal, RequestContext},
    net::{
        http2::client::{Client, Framed},
        partial_success,
    },
    queue::retry::{Attempt, Retry},
    runtime,
};

/// Longest response that is read (OTLP specification: 4 MiB).
const MAX_RESPONSE: usize = 4 << 20;

/// The exporter on one core.
pub struct OtlpGrpc {
    client: Client,
    uris: [Uri; 4],
    headers: HeaderMap,
    timeout: Option<Duration>,
    retry: Retry,
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

impl OtlpGrpc {
    /// An exporter over a client.
    ///
    /// # Errors
    /// `authority` makes no URI.
    pub fn new(
        client: Client,
        authority: &str,
        tls: bool,
        extra: HeaderMap,
        timeout: Option<Duration>,
        retry: Retry,
    ) -> Result<Rc<OtlpGrpc>, http::Error> {
        let scheme = if tls { "https" } else { "http" };
        let uri = |signal| {
            Uri::builder()
                .scheme(scheme)
                .authority(authority)
                .path_and_query(path_of(signal))
                .build()
        };
        let [a, b, c, d] = Signal::ALL;
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/grpc"),
        );
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("trunkline/", env!("CARGO_PKG_VERSION"))),
        );
        headers.extend(extra);
        Ok(Rc::new(OtlpGrpc {
            client,
            uris: [uri(a)?, uri(b)?, uri(c)?, uri(d)?],
            headers,
            timeout,
            retry,
        }))
    }

    /// One attempt, with its time limit.
    async fn attempt(&self, signal: Signal, body: Bytes, deadline: Instant) -> Attempt {
        let deadline = match self.timeout {
            Some(timeout) => deadline.min(Instant::now() + timeout),
            None => deadline,
        };
        match runtime::timeout_at(deadline, self.send(signal, body, deadline)).await {
            Ok(attempt) => attempt,
            Err(runtime::Elapsed) => Attempt::Failed(Refusal {
                code: Code::DeadlineExceeded,
                message: "context deadline exceeded".into(),
                retryable: true,
                retry_after: None,
            }),
        }
    }

    async fn send(&self, signal: Signal, body: Bytes, deadline: Instant) -> Attempt {
        let mut sender = match self.client.ready(deadline).await {
            Ok(sender) => sender,
            Err(error) => {
                return failed(Status::unavailable(format!("connection error: {error}")));
            }
        };
        let Some(uri) = self.uris.get(signal.index()) else {
            return failed(Status::internal("no such signal"));
        };
        let Ok(framed) = Framed::grpc(body, false) else {
            return failed(Status::resource_exhausted(
                "trying to send message larger than max",
            ));
        };
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
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
                    if message.len() + data.len() > MAX_RESPONSE + 5 {
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
        finished(
            status.unwrap_or_else(|| Status::internal("the response has no grpc-status")),
            message.get(5..).unwrap_or(&[]),
        )
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
            let signal = batch.signal();
            let body = batch.to_protobuf();
            drop(batch);
            self.retry
                .run(context.deadline, || {
                    self.attempt(signal, body.clone(), context.deadline)
                })
                .await
        })
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
