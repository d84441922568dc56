//! Exporters, one file or folder each, named by their Collector id.

pub mod otlp_grpc;
