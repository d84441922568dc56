//! The connector `routing`: sends telemetry to the pipelines that a table says. How a request is
//! taken apart is in `split`; here are its destinations, what the sender is told, and the terms
//! of the ledger, which the connector has under its own id.

pub mod config;
mod request;
mod split;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, future::ready, rc::Rc, sync::Arc};

use futures_util::future::join_all;
use tonic::Code;
use trunkline_ottl::run::Request;
use trunkline_proto::{Batch, Signal};

use self::{
    config::{Config, Pipeline},
    split::{Refused, Route, Split, Table, fits},
};
use crate::{
    component::{
        ConsumeFuture, Consumer, CoreContext, Outcome, PipelineId, Refusal, RequestContext,
    },
    net::admission::Budget,
    ottl::{Said, known},
    telemetry::PipelineLedger,
};

/// Sends the batches that come to where its table says.
pub struct Routing {
    table: Table,
    /// Some route looks at the request.
    reads_request: bool,
    destinations: Vec<Rc<dyn Consumer>>,
    ledger: PipelineLedger,
    budget: Arc<Budget>,
}

/// Makes one consumer of several; of none, none.
pub type Join = dyn Fn(Vec<Rc<dyn Consumer>>) -> Option<Rc<dyn Consumer>>;

/// The ledger's reason for items that no route took, where there is no default.
const UNMATCHED: &str = "no_route";

/// Builds the connector `routing` for pipelines of `signal`. `pipelines` are those that it feeds;
/// `join` makes one consumer of several.
///
/// # Errors
/// A pipeline that it does not feed, a condition that is none.
pub fn build(
    config: &Config,
    signal: Signal,
    core: &CoreContext,
    ledger: PipelineLedger,
    pipelines: &BTreeMap<PipelineId, Rc<dyn Consumer>>,
    join: &Join,
) -> Result<Rc<dyn Consumer>, String> {
    let mut lists: Vec<Vec<&PipelineId>> = Vec::new();
    let mut destinations = Vec::new();
    let mut destination = |list: &'_ [Pipeline]| -> Result<Option<usize>, String> {
        let ids: Vec<PipelineId> = list.iter().filter_map(Pipeline::id).cloned().collect();
        if let Some(at) = lists
            .iter()
            .position(|known| known.iter().copied().eq(&ids))
        {
            return Ok(Some(at));
        }
        let (mut keys, mut consumers) = (Vec::new(), Vec::new());
        for id in &ids {
            let (key, consumer) = pipelines.get_key_value(id).ok_or_else(|| missing(id))?;
            keys.push(key);
            consumers.push(consumer.clone());
        }
        let Some(joined) = join(consumers) else {
            return Ok(None);
        };
        lists.push(keys);
        destinations.push(joined);
        Ok(Some(destinations.len() - 1))
    };
    let default = destination(&config.default_pipelines)?;
    let mut routes: Vec<Route> = Vec::new();
    let mut seen: Vec<(String, &str)> = Vec::new();
    for item in &config.table {
        let question = item.question().map_err(|faults| {
            let texts: Vec<String> = faults.into_iter().map(|(_, text)| text).collect();
            texts.join("; ")
        })?;
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
        let Some(destination) = destination(&item.pipelines)? else {
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
        routes.push(Route {
            question,
            action: item.action,
            destination,
            said: Said::default(),
        });
    }
    let table = Table {
        routes,
        default,
        destinations: destinations.len(),
        mode: config.error_mode.mode(),
    };
    Ok(Rc::new(Routing {
        reads_request: table.reads_request(),
        table,
        destinations,
        ledger,
        budget: core.budget.clone(),
    }))
}

/// The Collector's text for a pipeline that the connector does not feed.
pub fn missing(id: &PipelineId) -> String {
    format!("pipeline not found: missing consumer: \"{id}\"")
}

impl Routing {
    fn split(&self, batch: Batch, context: &RequestContext) -> Result<Split, Refused> {
        let request = match self.reads_request {
            true => known(context),
            false => Request::default(),
        };
        self.table.split(batch, &request, context, &self.budget)
    }
}

/// The answer for parts of one request: of those refused for good the items are rejected, where
/// others were taken. Where one can be cured by asking again the answer is to ask again.
fn combine(parts: Vec<(u64, Outcome)>, items: u64) -> Outcome {
    let (mut accepted, mut rejected) = (0, 0);
    let mut messages: Vec<String> = Vec::new();
    let mut refused: Option<Refusal> = None;
    for (count, outcome) in parts {
        match outcome {
            Outcome::Accepted => accepted += count,
            Outcome::Partial {
                rejected: some,
                message,
            } => {
                accepted += count.saturating_sub(some);
                rejected += some;
                messages.push(message);
            }
            Outcome::Refused(next) => {
                rejected += count;
                messages.push(next.message.clone());
                refused = Some(match refused {
                    Some(known) if known.retryable || !next.retryable => Refusal {
                        retry_after: known.retry_after.max(next.retry_after),
                        ..known
                    },
                    _ => next,
                });
            }
        }
    }
    let message = messages.join("; ");
    match refused {
        Some(refusal) if refusal.retryable || accepted == 0 => {
            Outcome::Refused(Refusal { message, ..refusal })
        }
        // A copied item can be rejected twice.
        _ if rejected > 0 => Outcome::Partial {
            rejected: rejected.min(items),
            message,
        },
        _ => Outcome::Accepted,
    }
}

impl Consumer for Routing {
    fn consume<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        let items = batch.item_count() as u64;
        let held = self.ledger.enter(items);
        let refuse = |refusal| -> ConsumeFuture<'a> {
            self.ledger.refused(items);
            Box::pin(ready(Outcome::Refused(refusal)))
        };
        let split = match self.split(batch, context) {
            Ok(split) => split,
            Err(Refused::Invalid(error)) => {
                let text = error.to_string();
                return refuse(Refusal::permanent(Code::InvalidArgument, text));
            }
            Err(Refused::NoRoom) => return refuse(Refusal::no_room()),
            // An error that is not marked permanent: the Collector lets callers try again.
            Err(Refused::Stopped(stopped)) => {
                return refuse(Refusal::retry(stopped.to_string(), None));
            }
        };
        if split.dropped > 0 {
            self.ledger.dropped(UNMATCHED, split.dropped);
        }
        Box::pin(async move {
            let leaving = self.ledger.leave(items.saturating_sub(split.dropped));
            let parts = split.parts.into_iter().filter_map(|(destination, part)| {
                let count = part.item_count() as u64;
                let consumer = self.destinations.get(destination)?;
                Some(async move { (count, consumer.consume(part, context).await) })
            });
            let outcome = combine(join_all(parts).await, items);
            match &outcome {
                Outcome::Accepted => leaving.sent(),
                Outcome::Partial { rejected, .. } => leaving.partly_sent(*rejected),
                Outcome::Refused(_) => leaving.refused(),
            }
            drop((split.charges, held));
            outcome
        })
    }
}
