//! Connectors, one folder each, named by their Collector id.

pub mod forward;
pub mod routing;
