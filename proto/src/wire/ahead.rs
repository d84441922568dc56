//! Asking for memory before it is needed. The walk over a request touches one line in ten,
//! each where the one before says, and the kernel has just pushed them out of the nearest cache:
//! messages that follow each other are about equally long, so where the next but one begins can
//! be guessed and asked for while the next is still on its way.
//!
//! Safety: a prefetch never faults and changes nothing that a program can see, whatever the
//! address; no reference is made from it.
#![allow(unsafe_code)]

/// Bytes of a cache line.
const LINE: usize = 64;
/// Bytes that [`ask_for`] asks for: most spans and log records.
const SPAN: usize = 768;

/// Asks for the bytes around offset `at` of `buf`, which may be beyond its end.
#[inline(always)]
pub(crate) fn ask_around(buf: &[u8], at: usize) {
    let middle = buf.as_ptr().wrapping_add(at);
    for near in [middle, middle.wrapping_sub(LINE), middle.wrapping_add(LINE)] {
        ask(near);
    }
}

/// Asks for the [`SPAN`] bytes from offset `at` of `buf`, which may be beyond its end.
#[inline(always)]
pub(crate) fn ask_for(buf: &[u8], at: usize) {
    let first = buf.as_ptr().wrapping_add(at);
    for line in 0..SPAN / LINE {
        ask(first.wrapping_add(line * LINE));
    }
}

#[inline(always)]
fn ask(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: see above.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: see above.
    unsafe {
        core::arch::asm!("prfm pldl1keep, [{0}]", in(reg) at, options(nostack, readonly, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = at;
}
