//! The processor `resource`: the actions of `attributes` on resource attributes.

pub mod config;

use std::rc::Rc;

use trunkline_proto::Signal;

use self::config::Config;
use super::{
    attributes::{Attributes, actions::Actions},
    editing::Editing,
};
use crate::{
    component::{Consumer, CoreContext},
    telemetry::{PipelineLedger, ProcessorMetrics},
};

/// Builds the processor `resource` with the id `id` for a pipeline of `signal`.
///
/// # Errors
/// The Collector's texts, as it puts them behind `failed to create "…" processor`.
pub fn build(
    config: &Config,
    id: &str,
    signal: Signal,
    core: &CoreContext,
    ledger: &Rc<PipelineLedger>,
    next: Rc<dyn Consumer>,
) -> Result<Rc<dyn Consumer>, String> {
    let actions = Actions::compile(&config.attributes)?;
    let metrics = ProcessorMetrics::new(&core.registry, core.core, id, signal);
    Ok(Rc::new(Attributes::of_resources(
        actions,
        Editing::new(metrics, core, ledger, next),
    )))
}
