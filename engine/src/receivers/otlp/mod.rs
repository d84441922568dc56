//! Receiver `otlp`: OTLP over gRPC and HTTP.

pub mod config;
pub mod grpc;
pub mod http;
pub mod ingest;
pub mod profiles;
