//! libdeflate's compressor and decompressor behind safe types. The crate
//! `libdeflater` wraps the same library, but says neither how much input was
//! read (several gzip members in one body) nor writes to uninitialised memory.
//!
//! Unsafe here: calls into C. Invariants: the pointer of a context is not null,
//! owned by its value alone and freed once on drop; slices are passed with their
//! own lengths, input is only read, and output is only written, up to the count
//! that libdeflate returns.
#![allow(unsafe_code)]

use std::{mem::MaybeUninit, ptr::NonNull};

use libdeflate_sys as sys;

use super::out::Written;

/// The wrapping around a deflate stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Gzip,
    Zlib,
    Raw,
}

/// What one attempt to decompress came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// One stream (member) was read to its end and its checksum holds.
    Done { read: usize, written: Written },
    /// The output needs more room.
    Short,
    /// Not such a stream, damaged, or cut off.
    Corrupt,
}

pub(super) struct Decompressor(NonNull<sys::libdeflate_decompressor>);

impl Decompressor {
    /// `None` when there is no memory for it.
    pub(super) fn new() -> Option<Decompressor> {
        // SAFETY: no preconditions.
        NonNull::new(unsafe { sys::libdeflate_alloc_decompressor() }).map(Decompressor)
    }

    pub(super) fn decompress(
        &mut self,
        format: Format,
        input: &[u8],
        out: &mut [MaybeUninit<u8>],
    ) -> Attempt {
        let decompress = match format {
            Format::Gzip => sys::libdeflate_gzip_decompress_ex,
            Format::Zlib => sys::libdeflate_zlib_decompress_ex,
            Format::Raw => sys::libdeflate_deflate_decompress_ex,
        };
        let (mut read, mut written) = (0, 0);
        // SAFETY: see the module's invariants.
        let result = unsafe {
            decompress(
                self.0.as_ptr(),
                input.as_ptr().cast(),
                input.len(),
                out.as_mut_ptr().cast(),
                out.len(),
                &mut read,
                &mut written,
            )
        };
        match result {
            sys::libdeflate_result_LIBDEFLATE_SUCCESS => {
                // SAFETY: the count is libdeflate's own, of `out`.
                Attempt::Done {
                    read,
                    written: unsafe { Written::new(written) },
                }
            }
            sys::libdeflate_result_LIBDEFLATE_INSUFFICIENT_SPACE => Attempt::Short,
            _ => Attempt::Corrupt,
        }
    }
}

impl Drop for Decompressor {
    fn drop(&mut self) {
        // SAFETY: allocated by `new`, freed only here.
        unsafe { sys::libdeflate_free_decompressor(self.0.as_ptr()) }
    }
}

pub(super) struct Compressor(NonNull<sys::libdeflate_compressor>);

impl Compressor {
    /// `level` is 0 to 12; `None` for others and when there is no memory for it.
    pub(super) fn new(level: i32) -> Option<Compressor> {
        // SAFETY: no preconditions; null for a level out of range.
        NonNull::new(unsafe { sys::libdeflate_alloc_compressor(level) }).map(Compressor)
    }

    /// The most bytes that `input` bytes can become.
    pub(super) fn bound(&mut self, format: Format, input: usize) -> usize {
        let bound = match format {
            Format::Gzip => sys::libdeflate_gzip_compress_bound,
            Format::Zlib => sys::libdeflate_zlib_compress_bound,
            Format::Raw => sys::libdeflate_deflate_compress_bound,
        };
        // SAFETY: see the module's invariants.
        unsafe { bound(self.0.as_ptr(), input) }
    }

    /// How many bytes were written at the start of `out`; `None` when it was too small, which
    /// [`Compressor::bound`] bytes never are.
    pub(super) fn compress(
        &mut self,
        format: Format,
        input: &[u8],
        out: &mut [MaybeUninit<u8>],
    ) -> Option<Written> {
        let compress = match format {
            Format::Gzip => sys::libdeflate_gzip_compress,
            Format::Zlib => sys::libdeflate_zlib_compress,
            Format::Raw => sys::libdeflate_deflate_compress,
        };
        // SAFETY: see the module's invariants.
        let written = unsafe {
            compress(
                self.0.as_ptr(),
                input.as_ptr().cast(),
                input.len(),
                out.as_mut_ptr().cast(),
                out.len(),
            )
        };
        // SAFETY: the count is libdeflate's own, of `out`; 0 means that it did not fit.
        (written != 0).then(|| unsafe { Written::new(written) })
    }
}

impl Drop for Compressor {
    fn drop(&mut self) {
        // SAFETY: allocated by `new`, freed only here.
        unsafe { sys::libdeflate_free_compressor(self.0.as_ptr()) }
    }
}
