//! The allocator's one setting. Large bodies must land in memory that stays mapped: with pages
//! given back after every body a relay spends two thirds of its time in page faults.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_long};

/// `mi_option_purge_delay` in mimalloc's `mi_option_t` (2.x and 3.x agree on it).
const PURGE_DELAY: c_int = 15;

unsafe extern "C" {
    fn mi_option_set(option: c_int, value: c_long);
}

/// Tells mimalloc never to give freed pages back, unless `MIMALLOC_PURGE_DELAY` says otherwise.
pub fn keep_pages_mapped() {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: mimalloc is this process's allocator and linked in; setting an option takes
        // two integers and is allowed at any time.
        unsafe { mi_option_set(PURGE_DELAY, -1) }
    }
}
