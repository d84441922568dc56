//! Replies of OTLP/HTTP: statuses, headers and bodies, in the request's encoding
//! (OTLP specification, OTLP/HTTP Response; collector_observed.md §4).

use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
};
use http_body_util::Full;
use prost::Message as _;
use tonic::Code;
use trunkline_proto::{Signal, json};

use super::super::ingest::{Encoding, TOO_LARGE};
use crate::{component::Refusal, net::partial_success};

/// The media type of protobuf bodies.
pub(super) const PROTOBUF: &str = "application/x-protobuf";
/// The media type of JSON bodies.
pub(super) const JSON: &str = "application/json";

/// A reply, whatever protocol takes it.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    /// Its status.
    pub(super) status: StatusCode,
    /// Its headers.
    pub(super) headers: HeaderMap,
    /// Its body.
    pub(super) body: Bytes,
    close: bool,
}

impl Reply {
    /// A reply without a body.
    pub(super) fn empty(status: StatusCode) -> Reply {
        Reply {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            close: false,
        }
    }

    fn with(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Reply {
        let mut reply = Reply::empty(status);
        reply
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        reply.body = body.into();
        reply
    }

    fn encoded(status: StatusCode, encoding: Encoding, body: Vec<u8>) -> Reply {
        let kind = match encoding {
            Encoding::Protobuf => PROTOBUF,
            Encoding::Json => JSON,
        };
        Reply::with(status, kind, body)
    }

    /// The connection ends after this reply: the request was not read to its end.
    pub(super) fn closing(mut self) -> Reply {
        self.close = true;
        self
    }

    /// Success; `partial_success` is set only where there is something to say (OTLP
    /// specification: on full success the server MUST leave it unset).
    pub(super) fn accepted(
        encoding: Encoding,
        signal: Signal,
        partial: Option<(u64, &str)>,
    ) -> Reply {
        let body = match (encoding, partial) {
            (Encoding::Protobuf, None) => Vec::new(),
            (Encoding::Protobuf, Some((rejected, message))) => {
                partial_success::protobuf(rejected, message)
            }
            (Encoding::Json, partial) => {
                let mut out = Vec::new();
                let partial = partial.map(|(rejected, message)| {
                    (
                        i64::try_from(rejected).unwrap_or(i64::MAX),
                        partial_success::shortened(message),
                    )
                });
                json::export_response(signal, partial, &mut out);
                out
            }
        };
        Reply::encoded(StatusCode::OK, encoding, body)
    }

    /// A `google.rpc.Status` under the status that belongs to its code.
    pub(super) fn error(encoding: Encoding, code: Code, message: &str) -> Reply {
        Reply::refusal(encoding, &Refusal::permanent(code, message))
    }

    /// A refusal, with the delay that it asks for.
    pub(super) fn refusal(encoding: Encoding, refusal: &Refusal) -> Reply {
        let status = if refusal.code == Code::ResourceExhausted && refusal.message == TOO_LARGE {
            StatusCode::PAYLOAD_TOO_LARGE
        } else {
            status_of(refusal.code)
        };
        let message = partial_success::shortened(&refusal.message);
        let body = match encoding {
            Encoding::Protobuf => tonic_types::pb::Status {
                code: refusal.code as i32,
                message: message.to_owned(),
                details: match refusal.code {
                    Code::InvalidArgument => vec![bad_request(message)],
                    _ => Vec::new(),
                },
            }
            .encode_to_vec(),
            Encoding::Json => {
                let mut out = Vec::new();
                json::status(refusal.code as i32, message, &mut out);
                out
            }
        };
        let mut reply = Reply::encoded(status, encoding, body);
        if let Some(after) = refusal.retry_after.filter(|_| refusal.retryable) {
            reply
                .headers
                .insert(RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
        }
        reply
    }

    /// As HTTP/1.1 sends it.
    pub(super) fn into_http1(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if self.close {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Sends it over HTTP/2. A caller that is gone is not told.
    pub(super) fn send(self, respond: &mut SendResponse<Bytes>) {
        let mut response = Response::new(());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if self.status != StatusCode::NO_CONTENT {
            response
                .headers_mut()
                .insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        }
        let Ok(mut stream) = respond.send_response(response, self.body.is_empty()) else {
            return;
        };
        if !self.body.is_empty() {
            let _ = stream.send_data(self.body, true);
        }
    }
}

/// The detail that describes bad data (OTLP specification, "Bad Data").
fn bad_request(description: &str) -> prost_types::Any {
    let violation = tonic_types::pb::bad_request::FieldViolation {
        description: description.to_owned(),
        ..Default::default()
    };
    let detail = tonic_types::pb::BadRequest {
        field_violations: vec![violation],
    };
    prost_types::Any {
        type_url: "type.googleapis.com/google.rpc.BadRequest".to_owned(),
        value: detail.encode_to_vec(),
    }
}

/// HTTP's status for a code (collector.md §2.1, server error mapping).
fn status_of(code: Code) -> StatusCode {
    match code {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => StatusCode::SERVICE_UNAVAILABLE,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unimplemented => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Retry-After counts whole seconds; never less than what was asked for (RFC 9110 §10.2.3).
fn whole_seconds(after: Duration) -> u64 {
    (after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1)
}

/// 404, as Go's server words it.
pub(super) fn not_found() -> Reply {
    let mut reply = Reply::with(
        StatusCode::NOT_FOUND,
        "text/plain; charset=utf-8",
        Bytes::from_static(b"404 page not found\n"),
    );
    reply
        .headers
        .insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

/// 405.
pub(super) fn wrong_method() -> Reply {
    Reply::with(
        StatusCode::METHOD_NOT_ALLOWED,
        "text/plain",
        Bytes::from_static(b"405 method not allowed, supported: [POST]"),
    )
}

/// 415.
pub(super) fn wrong_type() -> Reply {
    Reply::with(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "text/plain",
        Bytes::from_static(
            b"415 unsupported media type, supported: [application/json, application/x-protobuf]",
        ),
    )
}
