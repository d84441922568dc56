//! Exporters, one file or folder each, named by their Collector id.

pub mod otlp_grpc;
//! Components that send telemetry out, one folder a component, named by its
//! configuration id.

pub mod debug;
pub mod file;
pub mod nop;
pub mod otlp_grpc;
pub mod otlp_http;
