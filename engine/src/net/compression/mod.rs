//! Compression of request and response bodies: the codecs a Collector knows,
//! their names on the wire, and one [`Inflater`] and [`Deflater`] a core whose
//! contexts are reused from body to body. Which header is read and which status
//! answers a bad body is the receivers' affair, not this module's.
//!
//! Both work on whole bodies: a gateway holds a body complete before it looks
//! inside, and whole-buffer codecs are measurably faster than streaming ones
//! (`docs/performance.md`).

mod deflate;
mod inflate;
mod libdeflate;
mod out;
#[cfg(test)]
mod tests;

use std::fmt;

pub use deflate::{DeflateError, Deflater};
pub use inflate::{InflateError, Inflater, NoRoom};
pub use out::OutBuf;

/// A way to compress a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Not compressed.
    Identity,
    /// RFC 1952, several members allowed.
    Gzip,
    /// RFC 1950, named `zlib`.
    Zlib,
    /// RFC 1950 under the name `deflate` (RFC 9110 §8.4.1.2). A body without the zlib
    /// header is read as bare RFC 1951, which some senders mean by this name.
    Deflate,
    /// RFC 8878.
    Zstd,
    /// Snappy's block format; a body in the framing format is recognised when read.
    Snappy,
    /// Snappy's framing format. What gRPC calls `snappy`.
    XSnappyFramed,
    /// LZ4's frame format.
    Lz4,
}

impl Codec {
    /// Every codec that compresses, in the Collector's order of
    /// `compression_algorithms`.
    pub const ALL: [Codec; 7] = [
        Codec::Gzip,
        Codec::Zstd,
        Codec::Zlib,
        Codec::Snappy,
        Codec::Deflate,
        Codec::Lz4,
        Codec::XSnappyFramed,
    ];

    /// The codec that a `Content-Encoding` header names, in any case. Absent, empty and
    /// `identity` are [`Codec::Identity`]; `None` is a name nobody knows here, to be
    /// answered `unsupported Content-Encoding: <name>`.
    pub fn from_content_encoding(name: &str) -> Option<Codec> {
        let name = name.trim();
        if name.is_empty() || name.eq_ignore_ascii_case("identity") {
            return Some(Codec::Identity);
        }
        Codec::ALL
            .into_iter()
            .find(|codec| name.eq_ignore_ascii_case(codec.content_encoding()))
    }

    /// The codec that a `grpc-encoding` header names, in any case. gRPC's `snappy` is the
    /// framing format, as the Collector sends and reads it. `None` is answered UNIMPLEMENTED
    /// (gRPC's compression specification).
    pub fn from_grpc_encoding(name: &str) -> Option<Codec> {
        match Codec::from_content_encoding(name)? {
            Codec::Snappy => Some(Codec::XSnappyFramed),
            codec => Some(codec),
        }
    }

    /// The codec that an exporter's `compression` key names: the Collector's names, in
    /// lower case only; empty and `none` are [`Codec::Identity`].
    pub fn from_config(name: &str) -> Option<Codec> {
        match name {
            "" | "none" => Some(Codec::Identity),
            _ => Codec::ALL
                .into_iter()
                .find(|codec| name == codec.content_encoding()),
        }
    }

    /// The name in a `Content-Encoding` header.
    pub fn content_encoding(self) -> &'static str {
        match self {
            Codec::Identity => "identity",
            Codec::Gzip => "gzip",
            Codec::Zlib => "zlib",
            Codec::Deflate => "deflate",
            Codec::Zstd => "zstd",
            Codec::Snappy => "snappy",
            Codec::XSnappyFramed => "x-snappy-framed",
            Codec::Lz4 => "lz4",
        }
    }

    /// The codec and name of this one in a `grpc-encoding` header, for the codecs that the
    /// Collector's gRPC exporter can send; the others are its start-up error
    /// `unsupported compression type "<name>"`.
    pub fn for_grpc(self) -> Option<(Codec, &'static str)> {
        match self {
            Codec::Identity => Some((Codec::Identity, "identity")),
            Codec::Gzip => Some((Codec::Gzip, "gzip")),
            Codec::Zstd => Some((Codec::Zstd, "zstd")),
            Codec::Snappy | Codec::XSnappyFramed => Some((Codec::XSnappyFramed, "snappy")),
            Codec::Zlib | Codec::Deflate | Codec::Lz4 => None,
        }
    }
}

/// The value of a `grpc-accept-encoding` header: everything [`Codec::from_grpc_encoding`] reads
/// that has a name of its own there.
pub const GRPC_ACCEPT_ENCODING: &str = "identity,gzip,zstd,snappy,deflate";

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.content_encoding())
    }
}
