//! Receiver `otlp`: OTLP over gRPC and HTTP.

pub mod grpc;
pub mod ingest;
//! The receiver `otlp`: OTLP over gRPC and over HTTP (protobuf and JSON), all signals.

pub mod config;
