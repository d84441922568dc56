//! What an answer over HTTP means (collector.md §3.3): success, partial success,
//! or a failure that may be tried again.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};
use prost::Message;
use tonic::Code;
use trunkline_proto::{Signal, json};

use super::url::Url;
use crate::{
    component::{Outcome, Refusal},
    net::partial_success,
    queue::retry::Attempt,
};

/// Longest body of a success that is read, in bytes (OTLP specification: 4 MiB).
pub const MAX_SUCCESS: usize = 4 << 20;
/// Longest body of a failure that is read, in bytes (collector.md §2.4).
pub const MAX_FAILURE: usize = 64 << 10;

/// An answer that was read.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, cut off at the limit.
    pub body: Vec<u8>,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

/// The gRPC code for an HTTP status, as the Collector maps them.
fn code(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 => Code::ResourceExhausted,
        502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

impl Answer {
    /// The type of the body, without parameters.
    fn content_type(&self) -> String {
        let value = self.headers.get(header::CONTENT_TYPE);
        let text = value.and_then(|v| v.to_str().ok()).unwrap_or_default();
        let bare = text.split(';').next().unwrap_or_default();
        bare.trim().to_ascii_lowercase()
    }

    /// What the answer of the server at `url` means.
    pub fn judge(mut self, signal: Signal, url: &Url, now: SystemTime) -> Attempt {
        if self.status.is_success() {
            return match self.partial_success(signal) {
                Ok(None) => Attempt::Done(Outcome::Accepted),
                Ok(Some((rejected, message))) => {
                    Attempt::Done(Outcome::Partial { rejected, message })
                }
                Err(text) => Attempt::Failed(Refusal::permanent(Code::Internal, text)),
            };
        }
        let mut message = format!(
            "error exporting items, request to {} responded with HTTP Status Code {}",
            url.redacted(),
            self.status.as_u16()
        );
        if let Some(status) = self.rpc_status() {
            let details: Vec<String> = status
                .details
                .iter()
                .map(|any| format!("type_url:{:?}", any.type_url))
                .collect();
            message.push_str(&format!(
                ", Message={}, Details=[{}]",
                status.message,
                details.join(" ")
            ));
        }
        let retryable = matches!(self.status.as_u16(), 429 | 502 | 503 | 504);
        Attempt::Failed(Refusal {
            code: code(self.status),
            message,
            retryable,
            retry_after: match self.status.as_u16() {
                429 | 503 => self.retry_after(now),
                _ => None,
            },
        })
    }

    fn partial_success(&mut self, signal: Signal) -> Result<Option<(u64, String)>, String> {
        if self.body.is_empty() {
            return Ok(None);
        }
        match self.content_type().as_str() {
            "application/x-protobuf" => partial_success::parse(&self.body)
                .map_err(|e| format!("error parsing protobuf response: {e}")),
            "application/json" => {
                let bytes = json::export_response_to_protobuf(signal, &mut self.body)
                    .map_err(|e| format!("error parsing json response: {e}"))?;
                partial_success::parse(&bytes)
                    .map_err(|e| format!("error parsing json response: {e}"))
            }
            _ => Ok(None),
        }
    }

    /// The status in a failure's body, in the type it says, else as protobuf.
    fn rpc_status(&mut self) -> Option<Status> {
        if !self.status.is_client_error() && !self.status.is_server_error() {
            return None;
        }
        if self.content_type() == "application/json" {
            let bytes = json::status_to_protobuf(&mut self.body).ok()?;
            return Status::decode(&bytes[..]).ok();
        }
        Status::decode(&self.body[..]).ok()
    }

    /// `Retry-After`: seconds or a date.
    fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        let text = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = httpdate::parse_http_date(text).ok()?;
        Some(date.duration_since(now).unwrap_or_default())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: map,
            body: body.to_vec(),
        }
    }

    fn url() -> Url {
        Url::parse("http://u:p@h:1/v1/logs").unwrap()
    }

    fn failed(answer: Answer) -> Refusal {
        match answer.judge(Signal::Logs, &url(), SystemTime::UNIX_EPOCH) {
            Attempt::Failed(refusal) => refusal,
            Attempt::Done(outcome) => panic!("{outcome:?}"),
        }
    }

    /// collector.md §3.3, statuses; §2.4: retries only 429, 502, 503, 504.
    #[test]
    fn statuses_that_may_be_tried_again() {
        for (status, code, retryable) in [
            (400, Code::InvalidArgument, false),
            (401, Code::Unauthenticated, false),
            (403, Code::PermissionDenied, false),
            (404, Code::Unimplemented, false),
            (408, Code::Unknown, false),
            (413, Code::Unknown, false),
            (429, Code::ResourceExhausted, true),
            (500, Code::Unknown, false),
            (501, Code::Unknown, false),
            (502, Code::Unavailable, true),
            (503, Code::Unavailable, true),
            (504, Code::Unavailable, true),
            (302, Code::Unknown, false),
        ] {
            let refusal = failed(answer(status, &[], b"\xff"));
            assert_eq!((refusal.code, refusal.retryable), (code, retryable));
            assert_eq!(
                refusal.message,
                format!(
                    "error exporting items, request to http://u:xxxxx@h:1/v1/logs responded with HTTP Status Code {status}"
                )
            );
        }
    }

    /// collector.md §2.4: Retry-After honoured on 429 and 503, seconds or date.
    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let minute = Some(Duration::from_secs(60));
        for (status, text, wait) in [
            (429, "60", minute),
            (503, "Thu, 01 Jan 1970 00:01:00 GMT", minute),
            (503, "soon", None),
            (503, "-1", None),
            (502, "60", None),
        ] {
            let refusal = failed(answer(status, &[("retry-after", text)], b""));
            assert_eq!(refusal.retry_after, wait, "{status} {text}");
        }
    }

    /// collector.md §3.3: the body of a failure is a Status, in the type of the request.
    #[test]
    fn the_message_of_a_failure_is_shown() {
        let status = Status {
            code: 3,
            message: "no".into(),
            details: vec![],
        };
        for (kind, body) in [
            ("application/x-protobuf", status.encode_to_vec()),
            ("text/plain", status.encode_to_vec()),
            (
                "application/json; charset=utf-8",
                br#"{"code":3,"message":"no"}"#.to_vec(),
            ),
        ] {
            let refusal = failed(answer(400, &[("content-type", kind)], &body));
            assert!(
                refusal
                    .message
                    .ends_with("Code 400, Message=no, Details=[]"),
                "{}",
                refusal.message
            );
        }
    }

    /// collector.md §3.3: partial success is a success that is not tried again.
    #[test]
    fn partial_success_is_read_in_either_type() {
        let proto = partial_success::protobuf(3, "x");
        let json = br#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"x"}}"#;
        for (kind, body, rejected) in [
            ("application/x-protobuf", &proto[..], Some(3)),
            ("application/json", &json[..], Some(3)),
            ("text/html", &b"<html>"[..], None),
            ("application/x-protobuf", &b""[..], None),
            ("application/json", &br#"{"partialSuccess":{}}"#[..], None),
        ] {
            let answer = answer(200, &[("content-type", kind)], body);
            let wanted = match rejected {
                Some(rejected) => Outcome::Partial {
                    rejected,
                    message: "x".into(),
                },
                None => Outcome::Accepted,
            };
            match answer.judge(Signal::Logs, &url(), SystemTime::UNIX_EPOCH) {
                Attempt::Done(outcome) => assert_eq!(outcome, wanted, "{kind}"),
                Attempt::Failed(refusal) => panic!("{refusal:?}"),
            }
        }
        let refusal = failed(answer(200, &[("content-type", "application/json")], b"{"));
        assert!(refusal.message.starts_with("error parsing json response: "));
        assert!(!refusal.retryable);
    }
}
