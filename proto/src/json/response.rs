//! The small JSON bodies of OTLP/HTTP answers: `Export*ServiceResponse` and
//! `google.rpc.Status`, written by a server and read by a client.

use bytes::Bytes;

use super::decode::Decoder;
use super::error::JsonError;
use super::{schema, text};
use crate::Signal;

/// Writes an `Export*ServiceResponse`.
///
/// `partial` is what was rejected (items) and why; without it `partial_success` is left
/// unset, as the specification wants for full success, and the body is `{}`. Rejecting
/// nothing with a message is a warning.
pub fn export_response(signal: Signal, partial: Option<(i64, &str)>, out: &mut Vec<u8>) {
    let Some((rejected, message)) = partial else {
        out.extend_from_slice(b"{}");
        return;
    };
    out.extend_from_slice(b"{\"partialSuccess\":{");
    if rejected != 0 {
        out.extend_from_slice(match signal {
            Signal::Traces => b"\"rejectedSpans\":".as_slice(),
            Signal::Metrics => b"\"rejectedDataPoints\":",
            Signal::Logs => b"\"rejectedLogRecords\":",
            Signal::Profiles => b"\"rejectedProfiles\":",
        });
        text::wide_integer(rejected, out);
    }
    if !message.is_empty() {
        if rejected != 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"\"errorMessage\":");
        text::string(message.as_bytes(), out);
    }
    out.extend_from_slice(b"}}");
}

/// Writes a `google.rpc.Status` of code (a gRPC status code) and message.
pub fn status(code: i32, message: &str, out: &mut Vec<u8>) {
    out.push(b'{');
    if code != 0 {
        out.extend_from_slice(b"\"code\":");
        text::integer(code, out);
    }
    if !message.is_empty() {
        if code != 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"\"message\":");
        text::string(message.as_bytes(), out);
    }
    out.push(b'}');
}

/// Reads an `Export*ServiceResponse` that a server sent in JSON into its protobuf form.
///
/// # Errors
///
/// As [`super::to_protobuf`].
pub fn export_response_to_protobuf(signal: Signal, body: &mut [u8]) -> Result<Bytes, JsonError> {
    Decoder::new().message(schema::response(signal), body)
}

/// Reads a `google.rpc.Status` that a server sent in JSON into its protobuf form; its
/// details are left out.
///
/// # Errors
///
/// As [`super::to_protobuf`].
pub fn status_to_protobuf(body: &mut [u8]) -> Result<Bytes, JsonError> {
    Decoder::new().message(&schema::RPC_STATUS, body)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_collectors_form() {
        let mut out = Vec::new();
        for (write, expected) in [
            (
                &(|out: &mut Vec<u8>| export_response(Signal::Traces, None, out))
                    as &dyn Fn(&mut Vec<u8>),
                "{}",
            ),
            (
                &|out| export_response(Signal::Traces, Some((3, "no")), out),
                r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}"#,
            ),
            (
                &|out| export_response(Signal::Metrics, Some((3, "")), out),
                r#"{"partialSuccess":{"rejectedDataPoints":"3"}}"#,
            ),
            (
                &|out| export_response(Signal::Logs, Some((0, "a \"remark\"")), out),
                r#"{"partialSuccess":{"errorMessage":"a \"remark\""}}"#,
            ),
            (
                &|out| export_response(Signal::Profiles, Some((1, "")), out),
                r#"{"partialSuccess":{"rejectedProfiles":"1"}}"#,
            ),
            (
                &|out| status(3, "bad", out),
                r#"{"code":3,"message":"bad"}"#,
            ),
            (&|out| status(14, "", out), r#"{"code":14}"#),
            (&|out| status(0, "x", out), r#"{"message":"x"}"#),
            (&|out| status(0, "", out), "{}"),
        ] {
            out.clear();
            write(&mut out);
            assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
        }
    }

    #[test]
    fn answers_are_read_back() {
        let mut body = br#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}"#.to_vec();
        let read = export_response_to_protobuf(Signal::Traces, &mut body).unwrap();
        assert_eq!(&read[..], b"\x0a\x06\x08\x03\x12\x02no");
        let mut body = br#"{"code":8,"message":"full","details":[{"@type":"x","a":1}]}"#.to_vec();
        assert_eq!(
            &status_to_protobuf(&mut body).unwrap()[..],
            b"\x08\x08\x12\x04full"
        );
        let mut body = b"{}".to_vec();
        assert!(
            export_response_to_protobuf(Signal::Logs, &mut body)
                .unwrap()
                .is_empty()
        );
    }
}
