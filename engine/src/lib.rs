//! The gateway: configuration, per-core runtime, components, telemetry of itself.

// What a test cannot go on without may end it.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod admin;
pub mod cli;
pub mod component;
pub mod config;
pub mod connectors;
pub mod exporters;
pub mod extensions;
pub mod graph;
pub mod net;
pub mod processors;
pub mod queue;
pub mod receivers;
pub mod run;
pub mod runtime;
pub mod telemetry;
