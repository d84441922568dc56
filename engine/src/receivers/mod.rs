//! Receivers, one folder each, named by their Collector id.

pub mod nop;
pub mod otlp;
