//! Receivers, one folder each, named by their Collector id.

//! Components that take telemetry in, one folder a component, named by its
//! configuration id.

pub mod nop;
pub mod otlp;
