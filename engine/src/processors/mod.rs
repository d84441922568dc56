//! Processors, one folder each, named by their Collector id.

pub mod attributes;
pub mod batch;
mod editing;
pub mod filter;
pub mod memory_limiter;
pub mod resource;
pub mod rules;
pub mod transform;
