//! What connectors that take requests apart have in common: the parts and where they go, what
//! copies of a request cost, the answer for all parts together, and the terms of the ledger,
//! which such a connector has under its own id. Which rows go where is each connector's.

use std::{future::ready, rc::Rc, sync::Arc};

use futures_util::future::join_all;
use trunkline_proto::{
    Batch,
    batch::{Error, Level},
};

use crate::{
    component::{ConsumeFuture, Consumer, Outcome, Refusal, RequestContext},
    net::admission::{Budget, Charge, ROW},
    ottl::{
        Refused,
        emptied::{drop_emptied, retain},
    },
    telemetry::PipelineLedger,
};

/// The ledger's reason for items that nothing took, where there is no default.
const UNMATCHED: &str = "no_route";

/// A request, split.
#[derive(Debug, Default)]
pub struct Split {
    /// Destinations, and what goes there.
    pub parts: Vec<(usize, Batch)>,
    /// Items that nothing took, and for which there is no default.
    pub unmatched: u64,
    /// Items that were dropped for a reason, under which the connector has counted them.
    pub dropped: u64,
    /// The memory that copies of the request need.
    pub charges: Vec<Charge>,
}

impl Split {
    /// All of a request goes one way, or none.
    pub fn whole(batch: Batch, destination: Option<usize>) -> Split {
        let mut split = Split::default();
        match destination {
            Some(destination) => split.parts.push((destination, batch)),
            None => split.unmatched = batch.item_count() as u64,
        }
        split
    }

    /// Each resource of a request goes to a destination, or nowhere; `groups` has one element a
    /// row of resources, `destinations` is the number of all destinations. Nothing is copied.
    ///
    /// # Errors
    /// [`Error::Decode`] when the request is not valid.
    pub fn resources(
        batch: Batch,
        groups: &[Option<u32>],
        destinations: usize,
    ) -> Result<Split, Error> {
        let first = groups.first().copied().flatten();
        if groups.iter().all(|group| *group == first) {
            return Ok(Split::whole(batch, first.map(|first| first as usize)));
        }
        let items = batch.item_count() as u64;
        let named: Vec<bool> = (0..destinations as u32)
            .map(|group| groups.contains(&Some(group)))
            .collect();
        let parts = batch.partition_resources(groups, destinations as u32)?;
        let parts: Vec<(usize, Batch)> = parts
            .into_iter()
            .enumerate()
            .filter(|(group, _)| named.get(*group) == Some(&true))
            .collect();
        let routed: u64 = parts.iter().map(|(_, part)| part.item_count() as u64).sum();
        Ok(Split {
            parts,
            unmatched: items.saturating_sub(routed),
            ..Split::default()
        })
    }

    /// What was taken of a request by row, and what is left of it, for the default. What goes to
    /// one destination is one request.
    ///
    /// # Errors
    /// [`Error::Decode`] when a part is not valid.
    pub fn rows(
        mut taken: Vec<(usize, Batch)>,
        rest: Option<Batch>,
        default: Option<usize>,
        charges: Vec<Charge>,
    ) -> Result<Split, Error> {
        let mut split = Split {
            charges,
            ..Split::default()
        };
        if let Some(mut rest) = rest {
            let is_empty = rest.open()?.rows(Level::Resource)?.is_empty();
            match default {
                _ if is_empty => {}
                Some(default) => taken.push((default, rest)),
                None => split.unmatched = rest.item_count() as u64,
            }
        }
        while let Some((destination, _)) = taken.first() {
            let destination = *destination;
            let (mut here, others): (Vec<_>, Vec<_>) =
                taken.into_iter().partition(|(of, _)| *of == destination);
            taken = others;
            match here.len() {
                1 => split.parts.append(&mut here),
                _ => {
                    let batches = here.into_iter().map(|(_, batch)| batch).collect();
                    let joined = Batch::join(batches)?;
                    split
                        .parts
                        .extend(joined.map(|joined| (destination, joined)));
                }
            }
        }
        Ok(split)
    }
}

/// Charges what a copy of the tables of a request taken apart needs.
pub fn copy(batch: &Batch, budget: &Arc<Budget>) -> Result<Charge, Refused> {
    let rows = batch.item_count().saturating_mul(ROW);
    budget.charge(rows).ok_or(Refused::NoRoom)
}

/// Leaves some rows of a level in a request, and what is around them.
///
/// # Errors
/// [`Error::Decode`] when the request is not valid.
pub fn keep(
    batch: &mut Batch,
    level: Level,
    mut keep: impl FnMut(u32) -> bool,
) -> Result<(), Error> {
    let data = batch.open()?;
    retain(data, level, &mut keep)?;
    drop_emptied(data, level)
}

/// Sends parts of requests to where they go.
pub struct Sending {
    destinations: Vec<Rc<dyn Consumer>>,
    ledger: PipelineLedger,
}

impl Sending {
    /// To these destinations, by number; the terms go into this ledger.
    pub fn new(destinations: Vec<Rc<dyn Consumer>>, ledger: PipelineLedger) -> Sending {
        Sending {
            destinations,
            ledger,
        }
    }

    /// The connector's part of the ledger.
    pub fn ledger(&self) -> &PipelineLedger {
        &self.ledger
    }

    /// Has `split` take a request apart, and gives each destination its part, all at once.
    pub fn consume<'a>(
        &'a self,
        batch: Batch,
        context: &'a RequestContext,
        split: impl FnOnce(Batch) -> Result<Split, Refused>,
    ) -> ConsumeFuture<'a> {
        let items = batch.item_count() as u64;
        let held = self.ledger.enter(items);
        let split = match split(batch) {
            Ok(split) => split,
            Err(refused) => {
                self.ledger.refused(items);
                return Box::pin(ready(Outcome::Refused(refused.into())));
            }
        };
        if split.unmatched > 0 {
            self.ledger.dropped(UNMATCHED, split.unmatched);
        }
        Box::pin(async move {
            let gone = split.unmatched.saturating_add(split.dropped);
            let leaving = self.ledger.leave(items.saturating_sub(gone));
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
