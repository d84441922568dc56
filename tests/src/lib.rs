//! What the tests on the real binary share: a [`Gateway`] under test, the
//! clients that speak to it byte by byte ([`grpc`], [`http`]), the recording
//! [`Backend`] behind it, a reader of its metrics page, and the requests to
//! send. No test lives here; they are in `e2e/` (the gateway against these
//! clients and backends) and `interop/` (against real peers).
//!
//! Nothing here shares code with the engine: a rule of the protocol is
//! implemented a second time, so that one mistake cannot hide in both.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod backend;
pub mod binary;
pub mod codec;
pub mod config;
pub mod frames;
pub mod gateway;
pub mod grpc;
pub mod http;
pub mod io;
pub mod metrics;
pub mod otlp;
pub mod peer;
pub mod port;
pub mod runtime;
pub mod sandbox;
pub mod skip;
pub mod status;
pub mod tls;
pub mod wait;

pub use backend::{Answer, Backend, Recorded};
pub use gateway::{Finished, Gateway, Launch};
pub use port::Port;
pub use runtime::Runtime;
pub use trunkline_proto::Signal;
pub use wait::eventually;
