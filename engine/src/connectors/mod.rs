//! Connectors, one folder each, named by their id; `parts` and `pipelines` are what those share
//! that take requests apart.

pub mod forward;
mod parts;
mod pipelines;
pub mod routing;
pub mod rules;

pub use pipelines::{Join, missing};

/// What loading says of a configuration that receives OTLP; nothing: it is taken.
#[cfg(test)]
fn told(rest: &str) -> String {
    let yaml = format!("yaml:{{receivers: {{otlp: {{protocols: {{grpc: }}}}}}, {rest}}}");
    let load = crate::config::Load {
        configs: vec![yaml],
        ..Default::default()
    };
    match crate::config::Settings::load(&load) {
        Ok(_) => String::new(),
        Err(errors) => errors.text(true),
    }
}
