//! The content encodings of OTLP over HTTP and gRPC, as their names are written
//! on the wire. `deflate` and `zlib` both mean the zlib format, `snappy` is the
//! block format over HTTP and the framed one over gRPC, as the Collector has it.

use std::io::{Read, Write};

use bytes::Bytes;

/// Content-Encoding values of the otlp receiver's HTTP server.
pub const HTTP: [&str; 7] = [
    "gzip",
    "zstd",
    "zlib",
    "deflate",
    "snappy",
    "x-snappy-framed",
    "lz4",
];

/// grpc-encoding values.
pub const GRPC: [&str; 3] = ["gzip", "zstd", "snappy"];

/// Compresses for HTTP. The empty name and `identity` give `plain` back.
///
/// # Panics
/// On a name that is not in [`HTTP`].
pub fn compress_http(encoding: &str, plain: &[u8]) -> Bytes {
    match encoding {
        "snappy" => snap::raw::Encoder::new()
            .compress_vec(plain)
            .unwrap()
            .into(),
        "x-snappy-framed" => framed_snappy(plain),
        other => common(other, plain),
    }
}

/// Compresses for gRPC.
///
/// # Panics
/// On a name that is not in [`GRPC`].
pub fn compress_grpc(encoding: &str, plain: &[u8]) -> Bytes {
    match encoding {
        "snappy" => framed_snappy(plain),
        other => common(other, plain),
    }
}

fn common(encoding: &str, plain: &[u8]) -> Bytes {
    match encoding {
        "" | "identity" => Bytes::copy_from_slice(plain),
        "gzip" => {
            let mut codec =
                libdeflater::Compressor::new(libdeflater::CompressionLvl::new(1).unwrap());
            let mut out = vec![0; codec.gzip_compress_bound(plain.len())];
            let length = codec.gzip_compress(plain, &mut out).unwrap();
            out.truncate(length);
            out.into()
        }
        "zlib" | "deflate" => {
            let mut codec =
                libdeflater::Compressor::new(libdeflater::CompressionLvl::new(1).unwrap());
            let mut out = vec![0; codec.zlib_compress_bound(plain.len())];
            let length = codec.zlib_compress(plain, &mut out).unwrap();
            out.truncate(length);
            out.into()
        }
        "zstd" => zstd::encode_all(plain, 1).unwrap().into(),
        "lz4" => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap().into()
        }
        other => panic!("no such encoding: {other}"),
    }
}

fn framed_snappy(plain: &[u8]) -> Bytes {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(plain).unwrap();
    encoder.into_inner().unwrap().into()
}

/// Inflates what came over HTTP.
///
/// # Panics
/// When it is not what `encoding` says.
pub fn inflate_http(encoding: &str, body: &[u8]) -> Bytes {
    match encoding {
        "snappy" => snap::raw::Decoder::new()
            .decompress_vec(body)
            .unwrap()
            .into(),
        "x-snappy-framed" => read_all(snap::read::FrameDecoder::new(body)),
        other => inflate_common(other, body),
    }
}

/// Inflates what came over gRPC.
///
/// # Panics
/// When it is not what `encoding` says.
pub fn inflate_grpc(encoding: &str, body: &[u8]) -> Bytes {
    match encoding {
        "snappy" => read_all(snap::read::FrameDecoder::new(body)),
        other => inflate_common(other, body),
    }
}

fn inflate_common(encoding: &str, body: &[u8]) -> Bytes {
    match encoding {
        "" | "identity" => Bytes::copy_from_slice(body),
        "gzip" => grow(|codec, out| codec.gzip_decompress(body, out)),
        "zlib" | "deflate" => grow(|codec, out| codec.zlib_decompress(body, out)),
        "zstd" => zstd::decode_all(body).unwrap().into(),
        "lz4" => read_all(lz4_flex::frame::FrameDecoder::new(body)),
        other => panic!("no such encoding: {other}"),
    }
}

fn grow(
    mut attempt: impl FnMut(
        &mut libdeflater::Decompressor,
        &mut [u8],
    ) -> Result<usize, libdeflater::DecompressionError>,
) -> Bytes {
    let mut codec = libdeflater::Decompressor::new();
    let mut out = vec![0; 1 << 16];
    loop {
        match attempt(&mut codec, &mut out) {
            Ok(length) => {
                out.truncate(length);
                return out.into();
            }
            Err(libdeflater::DecompressionError::InsufficientSpace) => out.resize(out.len() * 4, 0),
            Err(error) => panic!("broken body: {error}"),
        }
    }
}

fn read_all(mut reader: impl Read) -> Bytes {
    let mut out = Vec::new();
    reader.read_to_end(&mut out).unwrap();
    out.into()
}
