//! The real binary with real peers on both sides: SDKs, telemetrygen and curl as
//! senders, the Go Collector as sender and receiver. Each on both runtimes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod collector;
mod senders;
