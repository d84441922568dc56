//! What receivers and exporters share: listeners, HTTP/1 and 2, gRPC framing,
//! TLS, compression, admission.

pub mod admission;
pub mod buffers;
pub mod compression;
pub mod config;
pub mod cors;
pub mod drain;
pub mod http1;
pub mod http2;
pub mod http_server;
pub mod hyper_io;
pub mod in_hand;
pub mod listen;
pub mod partial_success;
pub mod resolve;
pub mod shares;
pub mod tls;
pub mod transport;
