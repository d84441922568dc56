//! OTLP/gRPC: one unary method a signal.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header::CONTENT_TYPE, request::Parts};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use trunkline_proto::Signal;

use super::{
    ingest::{Encoding, Incoming, Ingest, Transport},
    profiles,
};
use crate::{
    component::{HIGH_MEMORY, Outcome, RequestContext},
    net::compression::Codec,
    net::http2::{
        divert::BodyError,
        server::{Body, Call, Service, gather_message},
    },
    runtime,
    telemetry::metrics::RpcMetrics,
};

/// How long a caller is taken to wait that sent no `grpc-timeout`.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

/// Longest that a message may take to arrive from a caller that sent no `grpc-timeout`; the same as
/// over HTTP.
const BODY_TIME: Duration = Duration::from_secs(60);

/// The gRPC services of the receiver on one core.
pub struct GrpcService {
    /// Where requests go.
    pub ingest: Rc<Ingest>,
    /// Bytes of a message, at most, compressed or not.
    pub max_message: usize,
    /// Keep the callers' headers (`include_metadata`).
    pub include_metadata: bool,
    /// Its calls, measured.
    pub metrics: RpcMetrics,
}

/// The signal of a gRPC path (OTLP specification, OTLP/gRPC).
pub fn signal_of(path: &str) -> Option<Signal> {
    Some(match path {
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Signal::Traces,
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Signal::Metrics,
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Signal::Logs,
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export" => {
            Signal::Profiles
        }
        _ => return None,
    })
}

impl Service for GrpcService {
    fn takes_message(&self, head: &Parts) -> bool {
        // `h2` checks a content-length against the DATA frames it sees; such bodies stay with it.
        is_grpc(&head.headers) && !head.headers.contains_key(http::header::CONTENT_LENGTH)
    }

    fn one_by_one(&self) -> bool {
        self.ingest.looks_inside_here()
    }

    async fn call(self: Rc<Self>, call: Call) {
        let Call {
            head,
            body,
            mut respond,
            peer,
        } = call;
        if !is_grpc(&head.headers) {
            answer_plain(&mut respond, StatusCode::UNSUPPORTED_MEDIA_TYPE);
            return;
        }
        let begun = self.metrics.is_enabled().then(Instant::now);
        // Methods that are not served are not measured, as in the Collector.
        let method = begun
            .and(signal_of(head.uri.path()))
            .filter(|&signal| self.ingest.takes(signal))
            .map(|_| head.uri.path().trim_start_matches('/').to_owned());
        let result = self.export(head, body, peer).await;
        if let (Some(begun), Some(method)) = (begun, method) {
            let code = match &result {
                Ok(Outcome::Refused(refusal)) => refusal.code,
                Ok(_) => Code::Ok,
                Err(status) => status.code(),
            };
            self.metrics.call(&method, code, None, begun.elapsed());
        }
        match result {
            Ok(outcome) => answer(&mut respond, outcome),
            Err(status) => answer_status(&mut respond, &status),
        }
    }
}

impl GrpcService {
    async fn export(
        &self,
        head: Parts,
        body: Body,
        peer: Option<std::net::SocketAddr>,
    ) -> Result<Outcome, Status> {
        let path = head.uri.path();
        let signal = signal_of(path)
            .filter(|&signal| self.ingest.takes(signal))
            .ok_or_else(|| {
                let service = path
                    .trim_start_matches('/')
                    .rsplit_once('/')
                    .map_or("", |(s, _)| s);
                Status::unimplemented(format!("unknown service {service}"))
            })?;
        if signal == Signal::Profiles {
            profiles::check_version(&head.headers).map_err(Status::invalid_argument)?;
        }
        let (begun, timeout) = (Instant::now(), grpc_timeout(&head.headers));
        let budget = &self.ingest.core().budget;
        let arriving = async {
            match body {
                Body::Message(body) => body.message().await,
                Body::Stream(stream) => gather_message(stream, self.max_message, budget).await,
            }
        };
        // It holds memory meanwhile.
        let arrived = runtime::timeout(timeout.unwrap_or(BODY_TIME), arriving)
            .await
            .map_err(|runtime::Elapsed| {
                Status::deadline_exceeded("the message did not arrive in time")
            })?;
        let message = arrived.map_err(|error| match error {
            BodyError::TooLarge { length, limit } => Status::resource_exhausted(format!(
                "grpc: received message larger than max ({length} vs. {limit})"
            )),
            BodyError::NoRoom => unavailable(HIGH_MEMORY, Some(Duration::from_secs(1))),
            BodyError::Truncated { received } => Status::internal(format!(
                "the request ended after {received} bytes, within its message"
            )),
            BodyError::Trailing => Status::internal("the request has bytes after its one message"),
            BodyError::Gone => Status::cancelled("the caller is gone"),
        })?;
        // In hand from its last byte on: a body on its way holds back no batch.
        let _in_hand = self.ingest.core().in_hand.enter();
        let codec = if message.compressed {
            encoding(&head.headers)?
        } else {
            Codec::Identity
        };
        let context = RequestContext {
            deadline: timeout.map_or_else(|| Instant::now() + DEFAULT_DEADLINE, |t| begun + t),
            metadata: self.include_metadata.then(|| metadata(&head.headers)),
            client: peer,
            unchecked: false,
        };
        let incoming = Incoming {
            signal,
            transport: Transport::Grpc,
            body: message.bytes,
            codec,
            encoding: Encoding::Protobuf,
            max_size: self.max_message,
            context,
        };
        Ok(self.ingest.ingest(incoming).await)
    }
}

/// The codec of compressed messages (gRPC compression: UNIMPLEMENTED where it is not known).
fn encoding(headers: &HeaderMap) -> Result<Codec, Status> {
    let name = headers
        .get("grpc-encoding")
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    if name.is_empty() || name.eq_ignore_ascii_case("identity") {
        return Err(Status::internal(
            "grpc: compressed flag set with identity or empty encoding",
        ));
    }
    Codec::from_grpc_encoding(name).ok_or_else(|| {
        Status::unimplemented(format!(
            "grpc: Decompressor is not installed for grpc-encoding {name:?}"
        ))
    })
}

/// Headers as the pipeline sees them; binary values stay as they were sent, in base64.
pub fn metadata(headers: &HeaderMap) -> Arc<Vec<(String, String)>> {
    Arc::new(
        headers
            .iter()
            .filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            })
            .collect(),
    )
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes();
        value.starts_with(b"application/grpc") && matches!(value.get(16), None | Some(b'+' | b';'))
    })
}

/// UNAVAILABLE with google.rpc.RetryInfo.
pub fn unavailable(message: &str, after: Option<Duration>) -> Status {
    match after {
        Some(after) => Status::with_error_details(
            Code::Unavailable,
            message,
            ErrorDetails::with_retry_info(Some(after)),
        ),
        None => Status::unavailable(message),
    }
}

/// The time a caller gives (`grpc-timeout`, gRPC over HTTP2: at most eight digits and a unit).
pub fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(n * 3600),
        "M" => Duration::from_secs(n * 60),
        "S" => Duration::from_secs(n),
        "m" => Duration::from_millis(n),
        "u" => Duration::from_micros(n),
        "n" => Duration::from_nanos(n),
        _ => return None,
    })
}

fn answer(respond: &mut SendResponse<Bytes>, outcome: Outcome) {
    match outcome {
        Outcome::Accepted => answer_ok(respond, Bytes::from_static(&[0; 5])),
        Outcome::Partial { rejected, message } => {
            answer_ok(
                respond,
                crate::net::partial_success::grpc_frame(rejected, &message),
            );
        }
        Outcome::Refused(refusal) => {
            let status = match refusal.retry_after {
                Some(after) if refusal.retryable => Status::with_error_details(
                    refusal.code,
                    refusal.message,
                    ErrorDetails::with_retry_info(Some(after)),
                ),
                // Bad data is described in the details too (OTLP specification, Failures).
                _ if refusal.code == Code::InvalidArgument => Status::with_error_details(
                    refusal.code,
                    refusal.message.clone(),
                    ErrorDetails::with_bad_request_violation("", refusal.message),
                ),
                _ => Status::new(refusal.code, refusal.message),
            };
            answer_status(respond, &status);
        }
    }
}

fn answer_ok(respond: &mut SendResponse<Bytes>, message: Bytes) {
    let mut response = Response::new(());
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    // The caller may be gone by now; there is nobody to tell then.
    let Ok(mut stream) = respond.send_response(response, false) else {
        return;
    };
    if stream.send_data(message, false).is_err() {
        return;
    }
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let _ = stream.send_trailers(trailers);
}

fn answer_status(respond: &mut SendResponse<Bytes>, status: &Status) {
    let mut response = Response::new(());
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    if status.add_header(response.headers_mut()).is_err() {
        response
            .headers_mut()
            .insert("grpc-status", HeaderValue::from(status.code() as i32));
    }
    let _ = respond.send_response(response, true);
}

fn answer_plain(respond: &mut SendResponse<Bytes>, status: StatusCode) {
    let mut response = Response::new(());
    *response.status_mut() = status;
    let _ = respond.send_response(response, true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_timeout_is_digits_and_a_unit() {
        for (text, want) in [
            ("10S", Some(Duration::from_secs(10))),
            ("250m", Some(Duration::from_millis(250))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("1u", Some(Duration::from_micros(1))),
            ("7n", Some(Duration::from_nanos(7))),
            ("123456789S", None),
            ("S", None),
            ("", None),
            ("-1S", None),
            ("1s", None),
            ("1é", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(
                "grpc-timeout",
                HeaderValue::from_bytes(text.as_bytes()).unwrap(),
            );
            assert_eq!(grpc_timeout(&headers), want, "{text:?}");
        }
    }
}
