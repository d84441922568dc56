//! The gateway: configuration, per-core runtime, components, telemetry of itself.
//!
//! A configuration becomes typed [`Settings`](config::Settings), read and checked with the
//! place of every value (`config`, `component`). [`run`] starts a core's executor for each
//! processor that may be used (`runtime`: glommio, or epoll where io_uring is forbidden);
//! each core builds its own graph of pipelines from the settings (`graph`), in which
//! receivers, processors, connectors and exporters pass on a
//! [`Batch`](trunkline_proto::Batch) and return what became of it
//! ([`Consumer`](component::Consumer), [`Outcome`](component::Outcome)). What receivers and
//! exporters share is in `net`, what the gateway says of itself in `telemetry` and `admin`.
//!
//! ```
//! use trunkline::config::{Load, Settings};
//!
//! let yaml = "yaml:{receivers: {otlp: {protocols: {grpc: }}}, exporters: {nop: }, \
//!     service: {pipelines: {traces: {receivers: [otlp], exporters: [nop]}}}}";
//! let load = Load { configs: vec![yaml.to_owned()], ..Load::default() };
//! let settings = Settings::load(&load).map_err(|errors| errors.text(true))?;
//! assert_eq!(settings.service.pipelines.len(), 1);
//!
//! let load = Load { sets: vec!["exporters.nop.speed=fast".to_owned()], ..load };
//! let text = Settings::load(&load).unwrap_err().text(true);
//! assert!(text.contains("has invalid keys: speed"), "{text}");
//! # Ok::<(), String>(())
//! ```

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
pub mod ottl;
pub mod processors;
pub mod queue;
pub mod receivers;
pub mod run;
pub mod runtime;
pub mod telemetry;
