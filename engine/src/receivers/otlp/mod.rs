//! Receiver `otlp`: OTLP over gRPC and HTTP.

pub mod grpc;
pub mod ingest;
