//! The one field of an Export…ServiceResponse that is ever set: `partial_success`
//! (field 1), with the rejected count (1) and the error message (2). It is the
//! same for all four signals.

use bytes::Bytes;
use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// Longest message that is passed on, in bytes: a response stays far below 4 MiB
/// (OTLP specification: keep responses small).
const MESSAGE: usize = 64 << 10;

/// A message as far as it is passed on.
pub fn shortened(message: &str) -> &str {
    let mut end = message.len().min(MESSAGE);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.get(..end).unwrap_or("")
}

/// The protobuf form.
pub fn protobuf(rejected: u64, message: &str) -> Vec<u8> {
    Response {
        partial_success: Some(PartialSuccess {
            rejected: i64::try_from(rejected).unwrap_or(i64::MAX),
            error_message: shortened(message).to_owned(),
        }),
    }
    .encode_to_vec()
}

/// The protobuf form behind a gRPC message prefix.
pub fn grpc_frame(rejected: u64, message: &str) -> Bytes {
    let body = protobuf(rejected, message);
    let mut frame = Vec::with_capacity(5 + body.len());
    frame.push(0);
    frame.extend_from_slice(&u32::try_from(body.len()).unwrap_or(0).to_be_bytes());
    frame.extend_from_slice(&body);
    frame.into()
}

/// What a receiver's response says was rejected: count and message.
///
/// # Errors
/// The body is no such response.
pub fn parse(body: &[u8]) -> Result<Option<(u64, String)>, prost::DecodeError> {
    Ok(Response::decode(body)?
        .partial_success
        .filter(|p| p.rejected != 0 || !p.error_message.is_empty())
        .map(|p| (u64::try_from(p.rejected).unwrap_or(0), p.error_message)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_written_is_read() {
        assert_eq!(
            super::parse(&super::protobuf(3, "no")).unwrap(),
            Some((3, "no".into()))
        );
        assert_eq!(super::parse(&[]).unwrap(), None);
        assert_eq!(super::parse(&[0x0a, 0]).unwrap(), None);
        let long = "é".repeat(super::MESSAGE);
        assert!(super::protobuf(1, &long).len() < super::MESSAGE + 32);
    }
}
