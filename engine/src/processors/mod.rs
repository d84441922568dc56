//! Processors, one folder each, named by their Collector id.

pub mod attributes;
pub mod batch;
mod go_regexp;
pub mod memory_limiter;
pub mod resource;
