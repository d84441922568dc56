//! The gateway: configuration, per-core runtime, components, telemetry of itself.

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
