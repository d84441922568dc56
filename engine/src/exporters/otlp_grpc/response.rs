//! The message in a gRPC response: unframed, and inflated where the server
//! compressed it. grpc-go answers with the codec of the request, so with the default
//! `compression: gzip` every answer of a Collector comes compressed.

use tonic::Status;

use crate::net::compression::{Codec, InflateError, Inflater};

/// The 5 bytes before a message: whether it is compressed, and its length
/// (gRPC over HTTP/2, Length-Prefixed-Message).
pub(super) const PREFIX: usize = 5;

/// The message in `body`, all that came as DATA, of at most `max` bytes. `encoding` is
/// the response's `grpc-encoding`. No DATA at all counts as an empty message.
///
/// # Errors
/// What grpc-go's client says of such a response.
pub(super) fn message(
    body: &[u8],
    encoding: Option<&str>,
    max: usize,
    inflater: &mut Inflater,
) -> Result<Vec<u8>, Status> {
    let Some((&[compressed, a, b, c, d], rest)) = body.split_first_chunk::<PREFIX>() else {
        return match body.is_empty() {
            true => Ok(Vec::new()),
            false => Err(Status::internal("unexpected EOF")),
        };
    };
    let length = u32::from_be_bytes([a, b, c, d]);
    if usize::try_from(length).ok() != Some(rest.len()) {
        return Err(Status::internal(format!(
            "the response announces a message of {length} bytes and has {}",
            rest.len()
        )));
    }
    match compressed {
        0 => return Ok(rest.to_vec()),
        1 => {}
        flag => {
            let text = format!("grpc: received unexpected payload format {flag}");
            return Err(Status::internal(text));
        }
    }
    let name = encoding.unwrap_or("");
    let codec = match Codec::from_grpc_encoding(name) {
        Some(Codec::Identity) => {
            let text = "grpc: compressed flag set with identity or empty encoding";
            return Err(Status::internal(text));
        }
        Some(codec) => codec,
        None => {
            let text = format!("grpc: Decompressor is not installed for grpc-encoding {name:?}");
            return Err(Status::unimplemented(text));
        }
    };
    let mut message = Vec::new();
    let inflated = inflater.inflate(codec, rest, max, &mut message, |_| Ok(()));
    inflated.map_err(|error| match error {
        InflateError::TooLarge => Status::resource_exhausted(format!(
            "grpc: received message after decompression larger than max {max}"
        )),
        error => Status::internal(format!("grpc: failed to decompress the message: {error}")),
    })?;
    Ok(message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::net::compression::Deflater;

    fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[flag][..], &length, message].concat()
    }

    fn packed(codec: Codec, message: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Deflater::new()
            .deflate(codec, 0, message, &mut out)
            .unwrap();
        out
    }

    #[test]
    fn a_message_is_read_plain_and_in_every_codec_of_grpc() {
        let answer = b"\x0a\x04\x08\x03\x12\x00";
        for (body, encoding) in [
            (framed(0, answer), None),
            (framed(0, answer), Some("gzip")),
            (framed(1, &packed(Codec::Gzip, answer)), Some("gzip")),
            (framed(1, &packed(Codec::Zstd, answer)), Some("zstd")),
            (
                framed(1, &packed(Codec::XSnappyFramed, answer)),
                Some("snappy"),
            ),
        ] {
            let read = message(&body, encoding, 100, &mut Inflater::new());
            assert_eq!(read.unwrap(), answer, "{encoding:?}");
        }
        // As grpc-go sends a message of no bytes with gzip.
        let empty = framed(1, &packed(Codec::Gzip, b""));
        for body in [framed(0, b""), empty, Vec::new()] {
            let read = message(&body, Some("gzip"), 100, &mut Inflater::new());
            assert_eq!(read.unwrap(), b"");
        }
    }

    #[test]
    fn a_response_that_is_not_a_message_is_an_error() {
        let gzip = packed(Codec::Gzip, &[7; 200]);
        for (body, encoding, code) in [
            (vec![0, 0, 0], None, Code::Internal),
            (vec![0, 0, 0, 0, 9, 1], None, Code::Internal),
            (framed(2, b"x"), None, Code::Internal),
            (framed(1, &gzip), None, Code::Internal),
            (framed(1, &gzip), Some("identity"), Code::Internal),
            (framed(1, &gzip), Some("br"), Code::Unimplemented),
            (framed(1, b"damaged"), Some("gzip"), Code::Internal),
            (framed(1, &gzip), Some("gzip"), Code::ResourceExhausted),
        ] {
            let error = message(&body, encoding, 100, &mut Inflater::new()).unwrap_err();
            assert_eq!(error.code(), code, "{body:?} {encoding:?}: {error}");
        }
    }
}
