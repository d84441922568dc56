//! `google.rpc.Status` and its details, as OTLP uses them (OTLP 1.11, "Failures"):
//! written out here so that the tests do not share a type with the gateway.

use prost::Message;
use prost_types::{Any, Duration as ProtoDuration};
pub use trunkline_proto::status::NAMES;

/// OK.
pub const OK: u32 = 0;
/// INVALID_ARGUMENT.
pub const INVALID_ARGUMENT: u32 = 3;
/// DEADLINE_EXCEEDED.
pub const DEADLINE_EXCEEDED: u32 = 4;
/// PERMISSION_DENIED.
pub const PERMISSION_DENIED: u32 = 7;
/// RESOURCE_EXHAUSTED.
pub const RESOURCE_EXHAUSTED: u32 = 8;
/// UNIMPLEMENTED.
pub const UNIMPLEMENTED: u32 = 12;
/// INTERNAL.
pub const INTERNAL: u32 = 13;
/// UNAVAILABLE.
pub const UNAVAILABLE: u32 = 14;

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub struct Status {
    /// gRPC code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// For the developer.
    #[prost(string, tag = "2")]
    pub message: String,
    /// RetryInfo, BadRequest, ….
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<ProtoDuration>,
}

impl Status {
    /// A status without details.
    pub fn new(code: u32, message: &str) -> Status {
        Status {
            code: code as i32,
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// The same with a RetryInfo detail.
    pub fn with_retry_info(mut self, delay: std::time::Duration) -> Status {
        let delay = ProtoDuration {
            seconds: delay.as_secs() as i64,
            nanos: delay.subsec_nanos() as i32,
        };
        let info = RetryInfo {
            retry_delay: Some(delay),
        };
        self.details.push(Any {
            type_url: RETRY_INFO.into(),
            value: info.encode_to_vec(),
        });
        self
    }

    /// The delay of its RetryInfo detail, if it has one.
    pub fn retry_info(&self) -> Option<std::time::Duration> {
        let detail = self
            .details
            .iter()
            .find(|detail| detail.type_url == RETRY_INFO)?;
        let delay = RetryInfo::decode(&*detail.value)
            .expect("RetryInfo")
            .retry_delay
            .unwrap_or_default();
        Some(std::time::Duration::new(
            delay.seconds as u64,
            delay.nanos as u32,
        ))
    }

    /// Whether a BadRequest detail is there.
    pub fn has_bad_request(&self) -> bool {
        self.details
            .iter()
            .any(|detail| detail.type_url == BAD_REQUEST)
    }

    /// Reads the JSON form (proto3 JSON; details are ignored).
    ///
    /// # Panics
    /// When `body` is not a JSON object of that form.
    pub fn from_json(body: &[u8]) -> Status {
        let text = String::from_utf8_lossy(body);
        let value: serde_json::Value = serde_json::from_slice(body)
            .unwrap_or_else(|error| panic!("not a Status in JSON ({error}): {text:?}"));
        let object = value
            .as_object()
            .unwrap_or_else(|| panic!("not a Status in JSON: {text:?}"));
        for key in object.keys() {
            assert!(
                ["code", "message", "details"].contains(&key.as_str()),
                "not a Status in JSON: {text:?}"
            );
        }
        Status {
            code: object
                .get("code")
                .and_then(serde_json::Value::as_i64)
                .unwrap_or_default() as i32,
            message: object
                .get("message")
                .and_then(|m| m.as_str())
                .unwrap_or_default()
                .into(),
            details: Vec::new(),
        }
    }
}

/// `Export*PartialSuccess`; the same shape for all signals.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PartialSuccess {
    /// `rejected_spans` and its siblings.
    #[prost(int64, tag = "1")]
    pub rejected: i64,
    /// For the developer.
    #[prost(string, tag = "2")]
    pub error_message: String,
}

/// `Export*ServiceResponse`; the same shape for all signals.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ExportResponse {
    /// Unset on full success.
    #[prost(message, optional, tag = "1")]
    pub partial_success: Option<PartialSuccess>,
}

impl ExportResponse {
    /// A response that says so many items were rejected.
    pub fn partial(rejected: i64, error_message: &str) -> ExportResponse {
        let partial = PartialSuccess {
            rejected,
            error_message: error_message.into(),
        };
        ExportResponse {
            partial_success: Some(partial),
        }
    }
}
