//! Telemetry from a seed: requests that look like what a fleet of services sends, in protobuf or
//! JSON, made before the clock starts so that sending them costs next to nothing.
//!
//! `model` is what is generated, `spans`, `logs` and `metrics` fill it, `protobuf` and `json`
//! write it. Compression and gRPC framing are `pool`'s.

mod json;
mod logs;
mod metrics;
mod model;
mod pool;
mod protobuf;
mod random;
mod spans;
#[cfg(test)]
mod tests;
pub mod words;

pub use pool::{Compression, Encoding, Pool, Shape};
pub use random::Random;

/// The first eight bytes of a trace id that carries a sequence number in its last eight. Chosen
/// so that neither a protobuf tag nor JSON punctuation can imitate it by accident.
pub const MARK: [u8; 8] = [0xb5, 0x1f, 0xe2, 0x9c, 0xd7, 0x3a, 0x8e, 0xf1];
/// `MARK` as JSON and string attributes carry it.
pub const MARK_HEX: &[u8; 16] = b"b51fe29cd73a8ef1";
