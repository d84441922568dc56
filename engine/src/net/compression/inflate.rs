//! Decompression of whole bodies under a size cap that holds while inflating:
//! the output never takes more room than the cap, and asks before it takes it.
//!
//! libdeflate, zstd and snappy write straight into the output. Where the size
//! is not known beforehand they start with a guess and begin again in four times
//! the room, so a body is decompressed at most 1.4 times in all. A size that the
//! sender claims is a first guess at most, and never more than 64 times the input.

use std::{
    fmt,
    io::{self, Read},
    mem::MaybeUninit,
};

use zstd::zstd_safe;

use super::{
    Codec, OutBuf,
    libdeflate::{Attempt, Decompressor, Format},
    out::{Room, append_attempt, append_zeroed},
};

/// Decompresses bodies on one core; its contexts are reused.
pub struct Inflater {
    deflate: Option<Decompressor>,
    zstd: Option<zstd_safe::DCtx<'static>>,
    snappy: snap::raw::Decoder,
}

/// There is no room for the output just now; a later request can fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// Why a body was not decompressed. What was appended to the output is not to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InflateError {
    /// The body is larger than the cap.
    TooLarge,
    /// The memory it needs was refused.
    NoRoom,
    /// The body is damaged, cut off or not of this format; the Collector's text for it first.
    Corrupt(String),
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InflateError::TooLarge => f.write_str("http: request body too large"),
            InflateError::NoRoom => f.write_str("no memory left for the decompressed body"),
            InflateError::Corrupt(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for InflateError {}

fn corrupt(text: &str) -> InflateError {
    InflateError::Corrupt(text.to_owned())
}

/// The most that a first guess may exceed the input; OTLP compresses 5 to 30 times.
const GUESS: usize = 64;
/// The least room to begin with, bytes.
const LEAST: usize = 4096;
/// The first bytes of every stream in snappy's framing format.
const SNAPPY_FRAMING_HEADER: &[u8] = b"\xff\x06\x00\x00sNaPpY";

impl Default for Inflater {
    fn default() -> Self {
        Inflater::new()
    }
}

impl Inflater {
    /// Contexts are made when a body first needs them.
    pub fn new() -> Inflater {
        Inflater {
            deflate: None,
            zstd: None,
            snappy: snap::raw::Decoder::new(),
        }
    }

    /// Appends `input`, decompressed, to `out`, or fails.
    ///
    /// At most `cap` bytes are appended; a body of more is [`InflateError::TooLarge`]. `room` is
    /// asked for every increase of the space to be taken, in bytes, before it is taken; the sum
    /// of what it granted is at least the appended length and at most `cap`. LZ4 and framed
    /// snappy hold up to 9 MiB of scratch memory beside that while they run.
    ///
    /// # Errors
    /// See [`InflateError`]; `out` then holds part of the body, or nothing of it.
    pub fn inflate<B: OutBuf>(
        &mut self,
        codec: Codec,
        input: &[u8],
        cap: usize,
        out: &mut B,
        mut room: impl FnMut(usize) -> Result<(), NoRoom>,
    ) -> Result<(), InflateError> {
        let mut budget = Budget {
            taken: 0,
            cap,
            room: &mut room,
        };
        match codec {
            Codec::Identity => {
                if input.len() > cap {
                    return Err(InflateError::TooLarge);
                }
                budget.take_to(input.len())?;
                out.append(input);
                Ok(())
            }
            Codec::Gzip => self.gzip(input, out, &mut budget),
            Codec::Zlib | Codec::Deflate => self.zlib(codec, input, out, &mut budget),
            Codec::Zstd => self.zstd(input, out, &mut budget),
            Codec::Snappy if !input.starts_with(SNAPPY_FRAMING_HEADER) => {
                self.snappy_block(input, out, &mut budget)
            }
            Codec::Snappy | Codec::XSnappyFramed => {
                let mut left = input;
                let mut decoder = snap::read::FrameDecoder::new(&mut left);
                read_all(out, &mut budget, 0, |buffer| decoder.read(buffer))
                    .map_err(|e| e.or("snappy: corrupt input"))?;
                Ok(())
            }
            Codec::Lz4 => lz4(input, out, &mut budget),
        }
    }

    fn deflate(&mut self) -> Result<&mut Decompressor, InflateError> {
        if self.deflate.is_none() {
            self.deflate = Decompressor::new();
        }
        self.deflate.as_mut().ok_or(InflateError::NoRoom)
    }

    /// RFC 1952. As in Go, members follow one another until the end of the body, and anything
    /// else after a member is an error.
    fn gzip<B: OutBuf>(
        &mut self,
        input: &[u8],
        out: &mut B,
        budget: &mut Budget<'_>,
    ) -> Result<(), InflateError> {
        // The last four bytes are the size of the last member modulo 2^32, if the sender is honest.
        let claimed = match input {
            [.., a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]) as usize,
            _ => 0,
        };
        let decompressor = self.deflate()?;
        let mut guess = first_guess(claimed, input.len());
        let mut written = 0;
        let mut left = input;
        loop {
            match left {
                [] if written == 0 && input.is_empty() => return Err(corrupt("EOF")),
                [] => return Ok(()),
                [0x1f, 0x8b, 8, ..] => {}
                [0x1f, 0x8b] | [0x1f] => {
                    return Err(corrupt("unexpected EOF: gzip header cut off"));
                }
                _ => return Err(corrupt("gzip: invalid header")),
            }
            let (read, grown) = attempts(out, budget, written, guess, |space| {
                decompressor.decompress(Format::Gzip, left, space)
            })?
            .ok_or_else(|| corrupt("unexpected EOF: gzip body is cut off or damaged"))?;
            left = left.get(read..).unwrap_or_default();
            written += grown;
            guess = 0;
        }
    }

    /// RFC 1950, and for [`Codec::Deflate`] RFC 1951. As in Go, what follows the stream is
    /// not read.
    fn zlib<B: OutBuf>(
        &mut self,
        codec: Codec,
        input: &[u8],
        out: &mut B,
        budget: &mut Budget<'_>,
    ) -> Result<(), InflateError> {
        // RFC 1950 §2.2: method 8, and the first two bytes a multiple of 31.
        let header = match input {
            [] => return Err(corrupt("EOF")),
            [first, second, ..] => {
                first & 0x0f == 8
                    && first >> 4 <= 7
                    && u16::from_be_bytes([*first, *second]).is_multiple_of(31)
            }
            _ => false,
        };
        let (format, text) = match (codec, header) {
            (_, true) => (
                Format::Zlib,
                "unexpected EOF: zlib body is cut off or damaged",
            ),
            (Codec::Deflate, false) => (Format::Raw, "zlib: invalid header"),
            (_, false) => return Err(corrupt("zlib: invalid header")),
        };
        let decompressor = self.deflate()?;
        attempts(
            out,
            budget,
            0,
            first_guess(input.len().saturating_mul(8), input.len()),
            |space| decompressor.decompress(format, input, space),
        )?
        .ok_or_else(|| corrupt(text))?;
        Ok(())
    }

    /// RFC 8878; frames follow one another, and anything else after a frame is an error.
    fn zstd<B: OutBuf>(
        &mut self,
        input: &[u8],
        out: &mut B,
        budget: &mut Budget<'_>,
    ) -> Result<(), InflateError> {
        if input.is_empty() {
            return Ok(());
        }
        // Frame or skippable frame; told here because the library calls a short body cut off.
        if !matches!(
            input,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]
        ) {
            return Err(corrupt("invalid input: magic number mismatch"));
        }
        if self.zstd.is_none() {
            self.zstd = zstd_safe::DCtx::try_create();
        }
        let context = self.zstd.as_mut().ok_or(InflateError::NoRoom)?;
        let claimed = match zstd_safe::get_frame_content_size(input) {
            Ok(Some(size)) => usize::try_from(size).unwrap_or(usize::MAX),
            Ok(None) => input.len().saturating_mul(8),
            Err(_) => 0,
        };
        let mut code = 0;
        let done = attempts(out, budget, 0, first_guess(claimed, input.len()), |space| {
            let mut space = Room::new(space);
            match context.decompress(&mut space, input) {
                Ok(_) => Attempt::Done {
                    read: input.len(),
                    written: space.written(),
                },
                Err(e) if e.wrapping_neg() == zstd_error::DESTINATION_TOO_SMALL => Attempt::Short,
                Err(e) => {
                    code = e;
                    Attempt::Corrupt
                }
            }
        })?;
        if done.is_some() {
            return Ok(());
        }
        Err(match code.wrapping_neg() {
            zstd_error::PREFIX_UNKNOWN => corrupt("invalid input: magic number mismatch"),
            zstd_error::SOURCE_WRONG => corrupt("unexpected EOF: zstd body is cut off"),
            _ => InflateError::Corrupt(format!("zstd: {}", zstd_safe::get_error_name(code))),
        })
    }

    fn snappy_block<B: OutBuf>(
        &mut self,
        input: &[u8],
        out: &mut B,
        budget: &mut Budget<'_>,
    ) -> Result<(), InflateError> {
        let claimed =
            snap::raw::decompress_len(input).map_err(|_| corrupt("snappy: corrupt input"))?;
        // A copy of 64 bytes takes at least three, so nothing true claims more than this.
        if claimed > input.len().saturating_mul(22) {
            return Err(corrupt("snappy: corrupt input"));
        }
        if claimed > budget.cap {
            return Err(InflateError::TooLarge);
        }
        budget.take_to(claimed)?;
        append_zeroed(out, claimed, |space| self.snappy.decompress(input, space))
            .map_err(|_| corrupt("snappy: corrupt input"))?;
        Ok(())
    }
}

/// The `ZSTD_ErrorCode`s told apart here (zstd_errors.h, stable numbers).
mod zstd_error {
    pub(super) const PREFIX_UNKNOWN: usize = 10;
    pub(super) const DESTINATION_TOO_SMALL: usize = 70;
    pub(super) const SOURCE_WRONG: usize = 72;
}

fn first_guess(claimed: usize, input: usize) -> usize {
    claimed.min(input.saturating_mul(GUESS)).max(LEAST)
}

/// The space taken so far and how it may grow.
struct Budget<'a> {
    taken: usize,
    cap: usize,
    room: &'a mut dyn FnMut(usize) -> Result<(), NoRoom>,
}

impl Budget<'_> {
    /// Raises what is taken to `total`, which is within the cap.
    fn take_to(&mut self, total: usize) -> Result<(), InflateError> {
        if let Some(more) = total.checked_sub(self.taken).filter(|more| *more > 0) {
            (self.room)(more).map_err(|NoRoom| InflateError::NoRoom)?;
            self.taken = total;
        }
        Ok(())
    }
}

/// Tries to decompress into more and more room; `written` bytes are there already. `None` is
/// damaged input, else how much was read and appended.
fn attempts<B: OutBuf>(
    out: &mut B,
    budget: &mut Budget<'_>,
    written: usize,
    guess: usize,
    mut attempt: impl FnMut(&mut [MaybeUninit<u8>]) -> Attempt,
) -> Result<Option<(usize, usize)>, InflateError> {
    let mut total = written
        .saturating_add(guess)
        .max(budget.taken)
        .min(budget.cap);
    loop {
        budget.take_to(total)?;
        match append_attempt(out, total - written, &mut attempt) {
            Attempt::Done { read, written } => return Ok(Some((read, written.bytes()))),
            Attempt::Corrupt => return Ok(None),
            Attempt::Short if total >= budget.cap => return Err(InflateError::TooLarge),
            Attempt::Short => total = total.saturating_mul(4).min(budget.cap),
        }
    }
}

/// Appends everything that `read` gives, zeroing room for it piece by piece. `written` bytes are
/// there already; returned with what was added.
fn read_all<B: OutBuf>(
    out: &mut B,
    budget: &mut Budget<'_>,
    mut written: usize,
    mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
) -> Result<usize, ReadError> {
    loop {
        if written == budget.taken {
            if written == budget.cap {
                // Full: the body ends here or is too large.
                return match read(&mut [0]).map_err(ReadError::Codec)? {
                    0 => Ok(written),
                    _ => Err(ReadError::Budget(InflateError::TooLarge)),
                };
            }
            let total = written
                .saturating_mul(2)
                .max(written.saturating_add(PIECE))
                .min(budget.cap);
            budget.take_to(total).map_err(ReadError::Budget)?;
        }
        let piece = (budget.taken - written).min(PIECE);
        match append_zeroed(out, piece, &mut read).map_err(ReadError::Codec)? {
            0 => return Ok(written),
            n => written += n,
        }
    }
}

/// Room given to a streaming decoder at a time, bytes.
const PIECE: usize = 64 << 10;

enum ReadError {
    Budget(InflateError),
    Codec(io::Error),
}

impl ReadError {
    /// The error to answer; the Collector's text for damaged input of this codec is `text`.
    fn or(self, text: &str) -> InflateError {
        match self {
            ReadError::Budget(error) => error,
            ReadError::Codec(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                InflateError::Corrupt(format!("unexpected EOF: {text}"))
            }
            ReadError::Codec(_) => corrupt(text),
        }
    }
}

/// LZ4 frames, one after another. The decoder takes an end of input between two blocks for
/// the end of the frame; here it is an error, since only the end mark ends a frame.
fn lz4<B: OutBuf>(input: &[u8], out: &mut B, budget: &mut Budget<'_>) -> Result<(), InflateError> {
    let mut left = input;
    // Every frame has a decoder of its own (its buffers are sized by the frame), so many tiny
    // frames would cost far more than their bytes.
    const FRAMES: usize = 1024;
    let mut written = 0;
    for _ in 0..FRAMES {
        if left.is_empty() {
            return Ok(());
        }
        if !left.starts_with(&0x184D_2204_u32.to_le_bytes()) {
            return Err(corrupt("lz4: bad magic number"));
        }
        let mut decoder = lz4_flex::frame::FrameDecoder::new(ToTheEnd(left));
        written = read_all(out, budget, written, |buffer| decoder.read(buffer))
            .map_err(|e| e.or("lz4: invalid frame"))?;
        left = decoder.into_inner().0;
    }
    Err(corrupt("lz4: too many frames"))
}

/// A reader for which reading past the end is an error.
struct ToTheEnd<'a>(&'a [u8]);

impl Read for ToTheEnd<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "unexpected EOF"));
        }
        self.0.read(buffer)
    }
}
