//! Connectors, one folder each, named by their id; `parts` and `pipelines` are what those share
//! that take requests apart.

pub mod forward;
mod parts;
mod pipelines;
pub mod routing;
pub mod rules;

pub use pipelines::{Join, missing};
