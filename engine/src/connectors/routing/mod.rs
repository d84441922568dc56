//! The connector `routing`: sends telemetry to the pipelines that a table says. The table is in
//! `table`, how a request is taken apart along it in `split`; here the table is made ready for a
//! signal.

pub mod config;
mod request;
mod split;
mod table;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use trunkline_ottl::run::Request;
use trunkline_proto::{Batch, Signal};

use self::{
    config::{Config, Question},
    table::{Route, Table, fits},
};
use super::{
    parts::Sending,
    pipelines::{Destinations, Join, Pipeline},
};
use crate::{
    component::{ConsumeFuture, Consumer, CoreContext, PipelineId, RequestContext},
    net::admission::Budget,
    ottl::{joined, known},
    telemetry::{PipelineLedger, metrics::Statements},
};

/// Sends the batches that come to where its table says.
pub struct Routing {
    table: Table,
    /// Some route looks at the request.
    reads_request: bool,
    sending: Sending,
    budget: Arc<Budget>,
}

/// Builds the connector `routing` with the id `id` for pipelines of `signal`. `pipelines` are
/// those that it feeds; `join` makes one consumer of several.
///
/// # Errors
/// A pipeline that it does not feed, a condition that is none.
pub fn build(
    config: &Config,
    id: &str,
    signal: Signal,
    core: &CoreContext,
    ledger: PipelineLedger,
    pipelines: &BTreeMap<PipelineId, Rc<dyn Consumer>>,
    join: &Join,
) -> Result<Rc<dyn Consumer>, String> {
    let component = Statements::new(core, "connector", id, signal);
    let mode = config.error_mode.mode();
    let mut destinations = Destinations::new(pipelines, join);
    let ids = |list: &[Pipeline]| list.iter().filter_map(Pipeline::id).cloned().collect();
    let default = destinations.pipelines(ids(&config.default_pipelines))?;
    let mut routes: Vec<(Question, Route)> = Vec::new();
    let mut seen: Vec<(String, &str)> = Vec::new();
    for item in &config.table {
        let question = item.question();
        let question = question.map_err(|faults| joined(faults, "; "))?;
        let text = match item.statement.text.as_str() {
            "" => item.condition.text.as_str(),
            text => text,
        };
        let context = question.context();
        let name = context.map_or("request", |context| context.name());
        let key = (name.to_owned(), text);
        if seen.contains(&key) {
            tracing::warn!(
                statement = text,
                "it already exists in the routing table, this route will be ignored"
            );
            continue;
        }
        seen.push(key);
        let Some(destination) = destinations.pipelines(ids(&item.pipelines))? else {
            continue;
        };
        if context.is_some_and(|context| !fits(context, signal)) {
            tracing::warn!(
                statement = text,
                signal = signal.name(),
                "the route takes nothing: its context is not one of the signal"
            );
            continue;
        }
        let route = Route {
            action: item.action,
            destination,
        };
        routes.push((question, route));
    }
    let table = Table::new(routes, default, destinations.len(), mode, &component);
    Ok(Rc::new(Routing {
        reads_request: table.reads_request(),
        table,
        sending: destinations.sending(ledger),
        budget: core.budget.clone(),
    }))
}

impl Consumer for Routing {
    fn consume<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        self.sending.consume(batch, context, |batch| {
            let request = match self.reads_request {
                true => known(context),
                false => Request::default(),
            };
            self.table.split(batch, &request, context, &self.budget)
        })
    }
}
