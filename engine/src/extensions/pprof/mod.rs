//! The extension `pprof`: Go's profiler. Accepted, because nearly every
//! deployment lists it; it serves nothing here.

pub mod config;
