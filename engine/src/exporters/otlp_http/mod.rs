//! The exporter `otlp_http` (alias `otlphttp`): OTLP over HTTP, protobuf or JSON.

pub mod config;
