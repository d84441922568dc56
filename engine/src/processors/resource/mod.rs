//! The processor `resource`: the actions of `attributes` on resource attributes.

pub mod config;
