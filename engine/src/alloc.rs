//! The process's allocator: mimalloc, told to keep its pages mapped. A large body
//! must land in memory that is warm; giving pages back after every body would cost
//! more than moving it.
//!
//! Safety: one call into mimalloc, which is linked in as the global allocator; it
//! passes two integers and may be made at any time.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_long};

/// `mi_option_purge_delay` in mimalloc's list of options.
const PURGE_DELAY: c_int = 15;
/// Milliseconds that freed pages stay mapped: through any pause of a busy gateway, not for ever
/// after a peak.
const KEEP: c_long = 10_000;

unsafe extern "C" {
    fn mi_option_set(option: c_int, value: c_long);
}

/// Keeps freed pages for ten seconds, unless `MIMALLOC_PURGE_DELAY` says otherwise.
pub fn keep_pages_mapped() {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: see the module.
        unsafe { mi_option_set(PURGE_DELAY, KEEP) }
    }
}
