//! The extension `pprof`: Go's profiler. Accepted, because nearly every
//! deployment lists it; it serves nothing here.

pub mod config;

use crate::{log_component, telemetry::logs::ComponentFields};

/// Says once, when the extension starts, that nothing listens on its endpoint.
pub fn start(id: &str) {
    let component = ComponentFields {
        id: id.to_owned(),
        kind: "extension",
        pipeline: None,
        signal: None,
    };
    log_component!(
        warn,
        component,
        "The pprof extension serves nothing: there is no Go runtime to profile. Nothing listens on its endpoint."
    );
}
