//! Where codecs write: the uninitialised tail of a growable buffer, so that a
//! body is neither zeroed first nor copied after.
//!
//! Unsafe here: [`OutBuf::commit`] makes bytes readable. Invariant: only the
//! codecs of this folder call it, with a count of bytes that the codec reports
//! to have written at the start of the slice last returned by [`OutBuf::spare`].
#![allow(unsafe_code)]

use std::{io, mem::MaybeUninit};

use bytes::{BufMut, BytesMut};
use zstd::zstd_safe::WriteBuf;

use super::libdeflate::Attempt;
use crate::net::buffers::Buffer;

/// A growable byte buffer that codecs append to.
pub trait OutBuf {
    /// Makes room for `additional` bytes after those already there, and gives exactly that room.
    fn spare(&mut self, additional: usize) -> &mut [MaybeUninit<u8>];

    /// Appends the first `written` bytes of the last [`OutBuf::spare`].
    ///
    /// # Safety
    /// Those bytes have been written, and nothing was appended since.
    unsafe fn commit(&mut self, written: usize);

    /// Appends a copy of `bytes`.
    fn append(&mut self, bytes: &[u8]);
}

impl OutBuf for Vec<u8> {
    fn spare(&mut self, additional: usize) -> &mut [MaybeUninit<u8>] {
        self.reserve_exact(additional);
        let spare = self.spare_capacity_mut();
        let room = additional.min(spare.len());
        &mut spare[..room]
    }

    unsafe fn commit(&mut self, written: usize) {
        debug_assert!(written <= self.capacity() - self.len());
        // SAFETY: the caller has written these bytes within the capacity.
        unsafe { self.set_len(self.len() + written) }
    }

    fn append(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl OutBuf for Buffer {
    fn spare(&mut self, additional: usize) -> &mut [MaybeUninit<u8>] {
        self.grow(additional);
        let spare = Buffer::spare(self);
        let room = additional.min(spare.len());
        &mut spare[..room]
    }

    unsafe fn commit(&mut self, written: usize) {
        self.advance(written);
    }

    fn append(&mut self, bytes: &[u8]) {
        self.grow(bytes.len());
        self.extend_from_slice(bytes);
    }
}

impl OutBuf for BytesMut {
    fn spare(&mut self, additional: usize) -> &mut [MaybeUninit<u8>] {
        self.reserve(additional);
        let spare = self.spare_capacity_mut();
        let room = additional.min(spare.len());
        &mut spare[..room]
    }

    unsafe fn commit(&mut self, written: usize) {
        // SAFETY: the caller has written these bytes within the capacity.
        unsafe { self.advance_mut(written) }
    }

    fn append(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Zeroes `spare` for codecs that can write only into initialised memory.
pub(super) fn zeroed(spare: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    spare.fill(MaybeUninit::new(0));
    // SAFETY: every byte was just written; MaybeUninit<u8> has the layout of u8.
    unsafe { &mut *(std::ptr::from_mut(spare) as *mut [u8]) }
}

/// Appends what `write` says it wrote into `additional` bytes of room.
pub(super) fn append_zeroed<E>(
    out: &mut impl OutBuf,
    additional: usize,
    write: impl FnOnce(&mut [u8]) -> Result<usize, E>,
) -> Result<usize, E> {
    let room = zeroed(out.spare(additional));
    let len = room.len();
    let written = write(room)?.min(len);
    // SAFETY: the whole room is initialised, and `written` is within it.
    unsafe { out.commit(written) };
    Ok(written)
}

/// A number of bytes that a codec has written at the start of the room it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written(usize);

impl Written {
    /// # Safety
    /// So many bytes have been written at the start of the room that is passed back next to
    /// [`append_attempt`].
    pub(super) unsafe fn new(bytes: usize) -> Written {
        Written(bytes)
    }

    pub(super) fn bytes(self) -> usize {
        self.0
    }
}

/// Gives `write` room for `space` bytes and appends what it wrote there.
pub(super) fn append_attempt(
    out: &mut impl OutBuf,
    space: usize,
    write: impl FnOnce(&mut [MaybeUninit<u8>]) -> Attempt,
) -> Attempt {
    let room = out.spare(space);
    let len = room.len();
    let attempt = write(room);
    if let Attempt::Done { written, .. } = attempt {
        let written = written.bytes().min(len);
        // SAFETY: by the contract of `Written::new`.
        unsafe { out.commit(written) };
    }
    attempt
}

/// Room that zstd writes to, and how much of it is filled.
pub(super) struct Room<'a>(&'a mut [MaybeUninit<u8>], usize);

impl<'a> Room<'a> {
    pub(super) fn new(room: &'a mut [MaybeUninit<u8>]) -> Room<'a> {
        Room(room, 0)
    }

    pub(super) fn written(&self) -> Written {
        Written(self.1)
    }
}

// SAFETY: pointer and capacity are those of one slice; `as_slice` covers only
// what `filled_until` was told, by zstd, to be written.
unsafe impl WriteBuf for Room<'_> {
    fn as_slice(&self) -> &[u8] {
        let filled = &self.0[..self.1];
        // SAFETY: the first self.1 bytes have been written.
        unsafe { &*(std::ptr::from_ref(filled) as *const [u8]) }
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }

    fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr().cast()
    }

    unsafe fn filled_until(&mut self, n: usize) {
        self.1 = n;
    }
}

/// An [`OutBuf`] for the encoders that want a writer.
pub(super) struct Appender<'a, B>(pub &'a mut B);

impl<B: OutBuf> io::Write for Appender<'_, B> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
