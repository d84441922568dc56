//! Compression of whole bodies into one buffer, with contexts kept per level.

use std::{fmt, io::Write};

use zstd::zstd_safe;

use super::{
    Codec, OutBuf,
    libdeflate::{Attempt, Compressor, Format},
    out::{Appender, Room, append_attempt, append_zeroed},
};

/// Compresses bodies on one core; its contexts are reused.
pub struct Deflater {
    /// By libdeflate level; a configuration rarely has more than one.
    deflate: Vec<(i32, Compressor)>,
    zstd: Option<zstd_safe::CCtx<'static>>,
    snappy: snap::raw::Encoder,
}

/// Why a body was not compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeflateError {
    /// No memory for the codec's context.
    NoMemory,
    /// The codec refused; it should not.
    Codec(String),
}

impl fmt::Display for DeflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeflateError::NoMemory => f.write_str("no memory left to compress the body"),
            DeflateError::Codec(text) => write!(f, "compressing the body failed: {text}"),
        }
    }
}

impl std::error::Error for DeflateError {}

/// The level for `level: 0`, "the codec's default". The fastest, as measured in
/// docs/performance.md: its output is within 1.1 of what the Collector's default makes.
const FASTEST: i32 = 1;

impl Default for Deflater {
    fn default() -> Self {
        Deflater::new()
    }
}

impl Deflater {
    /// Contexts are made when a body first needs them.
    pub fn new() -> Deflater {
        Deflater {
            deflate: Vec::new(),
            zstd: None,
            snappy: snap::raw::Encoder::new(),
        }
    }

    /// Appends `input`, compressed, to `out`.
    ///
    /// `level` is `compression_params.level`: 0 and -1 are the default, 1 to 9 are gzip's and
    /// zlib's, -2 (Huffman codes only) is their fastest here; 1 to 22 are zstd's, as zstd means
    /// them. Snappy and LZ4 have none.
    ///
    /// # Errors
    /// See [`DeflateError`]; `out` may then hold part of the compressed body.
    pub fn deflate<B: OutBuf>(
        &mut self,
        codec: Codec,
        level: i32,
        input: &[u8],
        out: &mut B,
    ) -> Result<(), DeflateError> {
        match codec {
            Codec::Identity => out.append(input),
            Codec::Gzip => self.libdeflate(Format::Gzip, level, input, out)?,
            Codec::Zlib | Codec::Deflate => self.libdeflate(Format::Zlib, level, input, out)?,
            Codec::Zstd => self.zstd(level, input, out)?,
            Codec::Snappy => {
                // The encoder would take no more than 4 GiB and say 0 here.
                let bound = snap::raw::max_compress_len(input.len());
                append_zeroed(out, bound, |space| self.snappy.compress(input, space))
                    .map_err(codec_error)?;
            }
            Codec::XSnappyFramed => {
                let mut encoder = snap::write::FrameEncoder::new(Appender(out));
                encoder.write_all(input).map_err(codec_error)?;
                // Not into_inner: its error carries the whole encoder.
                encoder.flush().map_err(codec_error)?;
            }
            Codec::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Appender(out));
                encoder.write_all(input).map_err(codec_error)?;
                encoder.finish().map_err(codec_error)?;
            }
        }
        Ok(())
    }

    fn libdeflate<B: OutBuf>(
        &mut self,
        format: Format,
        level: i32,
        input: &[u8],
        out: &mut B,
    ) -> Result<(), DeflateError> {
        let level = if level <= 0 { FASTEST } else { level.min(9) };
        let at = match self.deflate.iter().position(|(made, _)| *made == level) {
            Some(at) => at,
            None => {
                self.deflate
                    .push((level, Compressor::new(level).ok_or(DeflateError::NoMemory)?));
                self.deflate.len() - 1
            }
        };
        let Some((_, compressor)) = self.deflate.get_mut(at) else {
            return Err(DeflateError::NoMemory);
        };
        let bound = compressor.bound(format, input.len());
        let attempt = append_attempt(out, bound, |space| {
            match compressor.compress(format, input, space) {
                Some(written) => Attempt::Done {
                    read: input.len(),
                    written,
                },
                None => Attempt::Short,
            }
        });
        match attempt {
            Attempt::Done { .. } => Ok(()),
            Attempt::Short | Attempt::Corrupt => {
                Err(codec_error("libdeflate went over its own bound"))
            }
        }
    }

    fn zstd<B: OutBuf>(
        &mut self,
        level: i32,
        input: &[u8],
        out: &mut B,
    ) -> Result<(), DeflateError> {
        if self.zstd.is_none() {
            self.zstd = zstd_safe::CCtx::try_create();
        }
        let context = self.zstd.as_mut().ok_or(DeflateError::NoMemory)?;
        let level = if level <= 0 {
            FASTEST
        } else {
            level.min(zstd_safe::max_c_level())
        };
        let mut code = 0;
        let attempt = append_attempt(out, zstd_safe::compress_bound(input.len()), |space| {
            let mut space = Room::new(space);
            match context.compress(&mut space, input, level) {
                Ok(_) => Attempt::Done {
                    read: input.len(),
                    written: space.written(),
                },
                Err(e) => {
                    code = e;
                    Attempt::Corrupt
                }
            }
        });
        match attempt {
            Attempt::Done { .. } => Ok(()),
            Attempt::Short | Attempt::Corrupt => Err(codec_error(zstd_safe::get_error_name(code))),
        }
    }
}

fn codec_error(error: impl fmt::Display) -> DeflateError {
    DeflateError::Codec(error.to_string())
}
