//! End-to-end tests on the real binary, each on both runtimes. A module a
//! matter; every test that pins a rule of OTLP cites it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client_grpc;
mod client_http;
mod destinations;
mod filter;
mod json;
mod keepalive;
mod ledger;
mod lifecycle;
mod memory;
mod own_telemetry;
mod pages;
mod processors;
mod reload;
mod routing;
mod rules;
mod runtimes;
mod security;
mod server_grpc;
mod server_http;
mod server_http_limits;
mod transform;
