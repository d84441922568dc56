//! The extension `health_check`: one HTTP endpoint that says whether the gateway is ready.

pub mod config;
pub mod server;
