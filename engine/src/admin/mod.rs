//! The pages that people, scrapers and probes look at, served by a small HTTP/1.1
//! server on the control thread: metrics, health, the admin page and the Collector's
//! zpages. Nothing here runs on a core; what is shown is read from `telemetry` and
//! from a [`StatusSource`].

pub mod http;
pub mod metrics;
mod page;
mod status;
mod zpages;

pub use page::AdminPages;
pub use status::{
    BuildInfo, ComponentRef, Core, FeatureGate, Listener, Memory, Pipeline, Status, StatusSource,
};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
