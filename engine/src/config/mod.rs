//! Configuration: URIs are fetched (`source`), read with the place of every value
//! (`yaml`, `node`), merged (`merge`), their references filled in (`expand`), and
//! turned into typed settings by what the components declare
//! (`component::declaration`). [`Settings::load`] does all of it; errors
//! (`diagnostics`) keep the Collector's words and add file, line, key and a hint.

pub mod diagnostics;
pub mod expand;
pub mod gates;
pub mod known;
pub mod level;
pub mod merge;
pub mod node;
pub mod pending;
pub mod reference;
pub mod rules;
pub mod schema;
pub mod service;
mod settings;
pub mod source;
pub mod telemetry;
#[cfg(test)]
mod tests;
pub mod yaml;

pub use diagnostics::{Diagnostic, NoEffect};
pub use gates::Gates;
pub use service::{Pipeline, Service};
pub use settings::{Component, ConfigErrors, Load, Settings, Stage};
pub use telemetry::Telemetry;
