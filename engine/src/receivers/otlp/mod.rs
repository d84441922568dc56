//! Receiver `otlp`: OTLP over gRPC and HTTP.

pub mod config;
pub mod grpc;
pub mod ingest;
