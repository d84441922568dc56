//! Connectors, one folder each, named by their Collector id.

pub mod forward;
mod parts;
pub mod routing;

pub use parts::{Join, missing};
