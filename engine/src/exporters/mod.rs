//! Exporters, one file or folder each, named by their Collector id.

pub mod debug;
pub mod file;
pub mod nop;
pub mod otlp_grpc;
pub mod otlp_http;
