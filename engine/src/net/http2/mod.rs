//! HTTP/2 as a server: `h2` keeps the protocol (header compression, streams,
//! settings, resets); the bodies of gRPC requests pass beside it ([`divert`]).

pub mod client;
pub mod divert;
pub mod keepalive;
pub mod pings;
pub mod server;
