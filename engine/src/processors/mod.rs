//! Components that change telemetry inside a pipeline, one folder a component,
//! named by its configuration id.

pub mod attributes;
pub mod batch;
pub mod memory_limiter;
pub mod resource;
