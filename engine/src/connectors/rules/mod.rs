//! The connector `rules`: does what the processor of the name does, and sends items to the
//! pipelines and exporters that rules route them to. How rules run is in `ottl::rules`, how a
//! request is taken apart in `split`; here the rules are made ready for a signal.

pub mod config;
mod split;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use trunkline_ottl::rules::Decision;
use trunkline_proto::{Batch, Signal};

use self::{
    config::{Config, Match, pipeline_id},
    split::Routes,
};
use super::{
    parts::Sending,
    pipelines::{Destinations, Join, Pipeline},
};
use crate::{
    component::{ConsumeFuture, Consumer, CoreContext, PipelineId, RequestContext},
    config::Gates,
    net::admission::Budget,
    ottl::{
        joined,
        rules::{Rules, item_level},
    },
    telemetry::{PipelineLedger, metrics::Statements},
};

/// Applies rules to the batches that come, and sends them to where they lead.
pub struct Connector {
    rules: Rules,
    routes: Routes,
    sending: Sending,
    budget: Arc<Budget>,
}

/// Where a connector's rules can lead.
pub struct Ways<'a> {
    /// The pipelines that it feeds.
    pub pipelines: &'a BTreeMap<PipelineId, Rc<dyn Consumer>>,
    /// Exporters, by the names that rules have for them.
    pub exporters: BTreeMap<Arc<str>, Rc<dyn Consumer>>,
    /// Makes one consumer of several.
    pub join: &'a Join,
}

/// Builds the connector `rules` with the id `id` for pipelines of `signal`.
///
/// # Errors
/// What is wrong with the rules for this signal; a destination that it does not have.
pub fn build(
    config: &Config,
    id: &str,
    signal: Signal,
    gates: &Gates,
    core: &CoreContext,
    ledger: PipelineLedger,
    ways: &Ways<'_>,
) -> Result<Rc<dyn Consumer>, String> {
    let component = Statements::new(core, "connector", id, signal);
    let rules = config
        .compile(signal, gates)
        .map_err(|faults| joined(faults, "; "))?;
    let mut destinations = Destinations::new(ways.pipelines, ways.join);
    let defaults = config.default_pipelines.iter().filter_map(Pipeline::id);
    let defaults = defaults.filter(|id| id.signal == signal).cloned();
    let default = destinations.pipelines(defaults.collect())?;
    let mut by_exporter: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
    let mut by_rule = Vec::new();
    for rule in &rules {
        by_rule.push(match &rule.decision {
            Some(Decision::Route(name)) => {
                destinations.pipelines(vec![pipeline_id(signal, name)?])?
            }
            Some(Decision::RouteToExporter(name)) => match by_exporter.get(name) {
                Some(known) => Some(*known),
                None => {
                    let exporter = ways.exporters.get(name).cloned();
                    let missing = || format!("there is no exporter {name:?}");
                    let at = destinations.other(exporter.ok_or_else(missing)?);
                    by_exporter.insert(name, at);
                    Some(at)
                }
            },
            _ => None,
        });
    }
    let mode = config.lists.error_mode.mode();
    let all_routes = config.r#match == Match::All;
    Ok(Rc::new(Connector {
        routes: Routes {
            by_rule,
            default,
            destinations: destinations.len(),
            item: item_level(signal),
        },
        rules: Rules::new(rules, mode, all_routes, &component),
        sending: destinations.sending(ledger),
        budget: core.budget.clone(),
    }))
}

impl Consumer for Connector {
    fn consume<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        self.sending.consume(batch, context, |batch| {
            let ledger = self.sending.ledger();
            self.routes
                .split(&self.rules, batch, context, &self.budget, ledger)
        })
    }
}
