//! The processor `batch`: joins requests, and splits those that are too large.
//! Each caller is answered with the fate of its own items.
//!
//! Since callers wait for the answer, a batch leaves as soon as no other request
//! on its core could still join it, those included that only have to be read from
//! their sockets; `timeout` is only the upper bound. One that is broken inside does not take
//! others with it: requests are checked to the last byte before they are joined, or, where they
//! go to one destination that reads all of them, after that has refused the joined one.
//! What waits and how it is cut is in `pending`; here is when it leaves, and to whom it goes.

pub mod config;
mod pending;
#[cfg(test)]
mod tests;

use std::{
    cell::RefCell,
    collections::HashMap,
    future::poll_fn,
    pin::Pin,
    rc::{Rc, Weak},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use tonic::Code;
use trunkline_proto::{Batch, Signal};

use self::{
    config::Config,
    pending::{Pending, Ready, Ticket},
};
use crate::{
    component::{ConsumeFuture, Consumer, CoreContext, Outcome, Refusal, RequestContext},
    net::{drain::Drain, in_hand::InHand},
    runtime::{self, Sleep},
    telemetry::{BatchMetrics, PipelineLedger},
};

/// Pieces of one batch that are sent at a time.
const PIECES: usize = 8;

/// The values of the configured metadata keys, in their order.
type Values = Vec<Vec<String>>;

/// Joins the requests of one pipeline on one core.
struct Batcher {
    inner: Rc<Inner>,
    /// Lower-case names.
    keys: Vec<String>,
    /// Combinations of values, at most; 0: any number.
    limit: usize,
    shards: RefCell<HashMap<Values, Rc<Shard>>>,
}

struct Inner {
    size: usize,
    max: usize,
    timeout: Duration,
    next: Rc<dyn Consumer>,
    in_hand: InHand,
    drain: Drain,
    metrics: BatchMetrics,
    ledger: Rc<PipelineLedger>,
}

/// The requests that may be joined with each other.
struct Shard {
    metadata: Option<Arc<Vec<(String, String)>>>,
    pending: RefCell<Pending>,
}

/// Builds the processor `batch` with the id `id` for a pipeline of `signal`.
///
/// # Errors
/// The Collector's text for a signal that it does not batch.
pub fn build(
    config: &Config,
    id: &str,
    signal: Signal,
    core: &CoreContext,
    ledger: &Rc<PipelineLedger>,
    next: Rc<dyn Consumer>,
) -> Result<Rc<dyn Consumer>, String> {
    if signal == Signal::Profiles {
        return Err("telemetry type is not supported".to_owned());
    }
    let batcher = Batcher {
        inner: Rc::new(Inner {
            size: config.send_batch_size as usize,
            max: config.send_batch_max_size as usize,
            timeout: config.timeout.get(),
            next,
            in_hand: core.in_hand.clone(),
            drain: core.drain.clone(),
            metrics: BatchMetrics::new(&core.registry, core.core, id),
            ledger: ledger.clone(),
        }),
        keys: config
            .metadata_keys
            .iter()
            .map(|key| key.to_lowercase())
            .collect(),
        limit: config.metadata_cardinality_limit as usize,
        shards: RefCell::default(),
    };
    if batcher.keys.is_empty() {
        // The one that all requests share; counted like any other (bundles.rs).
        let _ = batcher.shard(Vec::new());
    }
    Ok(Rc::new(batcher))
}

impl Batcher {
    /// The values that decide with whom a request may be joined.
    fn values(&self, context: &RequestContext) -> Values {
        let metadata = context.metadata.as_deref().map_or(&[][..], Vec::as_slice);
        self.keys
            .iter()
            .map(|key| {
                metadata
                    .iter()
                    .filter(|(name, _)| name.eq_ignore_ascii_case(key))
                    .map(|(_, value)| value.clone())
                    .collect()
            })
            .collect()
    }

    /// Where requests with these values wait; `None` when there are too many combinations.
    fn shard(&self, values: Values) -> Option<Rc<Shard>> {
        let mut shards = self.shards.borrow_mut();
        if let Some(shard) = shards.get(&values) {
            return Some(shard.clone());
        }
        if self.limit == 0 {
            // Nothing limits how many combinations come: those that wait for nothing go.
            let before = shards.len();
            shards.retain(|_, shard| Rc::strong_count(shard) > 1 || !shard.is_empty());
            self.forget(before - shards.len());
        } else if !self.keys.is_empty() && shards.len() >= self.limit {
            return None;
        }
        let metadata = (!self.keys.is_empty()).then(|| {
            let pairs = self.keys.iter().zip(&values);
            let pairs = pairs.flat_map(|(key, values)| {
                values.iter().map(move |value| (key.clone(), value.clone()))
            });
            Arc::new(pairs.collect())
        });
        let shard = Rc::new(Shard {
            metadata,
            pending: RefCell::default(),
        });
        shards.insert(values, shard.clone());
        self.inner.metrics.cardinality().add(1);
        Some(shard)
    }

    fn forget(&self, shards: usize) {
        let gone = i64::try_from(shards).unwrap_or(i64::MAX);
        self.inner.metrics.cardinality().add(-gone);
    }
}

impl Consumer for Batcher {
    fn consume<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        Box::pin(async move {
            let items = batch.item_count();
            let Some(shard) = self.shard(self.values(context)) else {
                self.inner.ledger.refused(items as u64);
                return Outcome::Refused(Refusal::permanent(
                    Code::Internal,
                    "too many batcher metadata-value combinations",
                ));
            };
            // From here to its answer this request holds no other back.
            let _parked = self.inner.in_hand.park();
            let ticket = Ticket::new(items);
            shard
                .pending
                .borrow_mut()
                .push(batch, &ticket, context.deadline);
            // Now, while its bytes are near; alone, it need not be checked.
            self.inner.check_early(&shard);
            if self.inner.timeout.is_zero() || shard.items() >= self.inner.size {
                // Without a timeout or a size nothing waits (collector.md §2.7).
                let at_once = self.inner.timeout.is_zero() || self.inner.size == 0;
                self.inner.send_full(&shard, at_once);
            }
            if shard.pending.borrow_mut().watch() {
                runtime::spawn(flush(self.inner.clone(), Rc::downgrade(&shard)));
            }
            poll_fn(|cx| ticket.poll(cx)).await
        })
    }
}

impl Drop for Batcher {
    fn drop(&mut self) {
        self.forget(self.shards.borrow().len());
    }
}

impl Shard {
    fn items(&self) -> usize {
        self.pending.borrow().items()
    }

    fn is_empty(&self) -> bool {
        self.pending.borrow().is_empty()
    }
}

/// Waits until what a shard holds has to leave, and sends it. One runs a shard that holds
/// something.
async fn flush(inner: Rc<Inner>, shard: Weak<Shard>) {
    // What waits must leave before the core ends, also when its callers are gone.
    let hold = inner.drain.hold();
    let Some(shard) = shard.upgrade() else { return };
    let mut timer: Option<(Instant, Sleep)> = None;
    while poll_fn(|cx| inner.poll_left_alone(&shard, &mut timer, cx)).await {
        // What the sockets hold already has arrived for the sender: it is taken in first.
        let arrived = inner.in_hand.arrived();
        runtime::pass().await;
        if inner.in_hand.arrived() == arrived && inner.in_hand.all_parked() {
            break;
        }
    }
    inner.check_early(&shard);
    let ready = shard.pending.borrow_mut().take_all(inner.max);
    shard.pending.borrow_mut().unwatch();
    inner.send_all(&shard, ready, false).await;
    drop(hold);
}

impl Inner {
    /// Ready with `true` when no request in hand could join what a shard holds, with `false` when
    /// that has to leave at once.
    fn poll_left_alone(
        &self,
        shard: &Shard,
        timer: &mut Option<(Instant, Sleep)>,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        // A full batch may have left meanwhile, and another begun.
        let Some(since) = shard.pending.borrow().since() else {
            return Poll::Ready(false);
        };
        let due = since + self.timeout;
        if Instant::now() >= due {
            return Poll::Ready(false);
        }
        if self.in_hand.poll_all_parked(cx).is_ready() {
            return Poll::Ready(true);
        }
        loop {
            match timer {
                Some((at, sleep)) if *at <= due => {
                    if Pin::new(sleep).poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    *timer = None;
                    if Instant::now() >= due {
                        return Poll::Ready(false);
                    }
                }
                _ => *timer = Some((due, runtime::sleep_until(due))),
            }
        }
    }

    /// Turns away what must not be joined with the rest, unless that can be found out later. What
    /// is cut has to be checked: its parts are no requests of anybody's.
    fn check_early(&self, shard: &Shard) {
        if self.next.judges() && (self.max == 0 || shard.items() <= self.max) {
            return;
        }
        let refused = shard.pending.borrow_mut().check();
        self.ledger.refused(refused as u64);
    }

    /// Sends what is full; `all`: what is not full, too.
    fn send_full(self: &Rc<Self>, shard: &Rc<Shard>, all: bool) {
        self.check_early(shard);
        let ready = if all {
            shard.pending.borrow_mut().take_all(self.max)
        } else {
            shard.pending.borrow_mut().take_full(self.size, self.max)
        };
        let (this, shard) = (self.clone(), shard.clone());
        let hold = self.drain.hold();
        // In a task of its own: what was joined is sent also when this caller goes away.
        runtime::spawn(async move {
            this.send_all(&shard, ready, true).await;
            drop(hold);
        });
    }

    async fn send_all(&self, shard: &Shard, ready: Vec<Ready>, full: bool) {
        stream::iter(ready)
            .for_each_concurrent(PIECES, |piece| self.send(shard, piece, full))
            .await;
    }

    async fn send(&self, shard: &Shard, piece: Ready, full: bool) {
        let Ready {
            batch,
            shares,
            unchecked,
            deadline,
        } = piece;
        let (items, bytes) = (batch.item_count() as u64, batch.payload_len() as u64);
        if full {
            self.metrics.sent_by_size(items, bytes);
        } else {
            self.metrics.sent_by_timeout(items, bytes);
        }
        let mut context = RequestContext {
            deadline,
            metadata: shard.metadata.clone(),
            client: None,
            unchecked,
        };
        let kept = unchecked.then(|| batch.clone());
        let outcome = self.next.consume(batch, &context).await;
        let (Some(batch), Outcome::Refused(refusal)) = (kept, &outcome) else {
            return pending::settle(&shares, &outcome);
        };
        if refusal.retryable {
            return pending::settle(&shares, &outcome);
        }
        let refused = Ready {
            batch,
            shares,
            unchecked,
            deadline,
        };
        let (again, refused) = refused.tell_apart(refusal);
        self.ledger.refused(refused as u64);
        if let Some(Ready { batch, shares, .. }) = again {
            context.unchecked = false;
            let outcome = self.next.consume(batch, &context).await;
            pending::settle(&shares, &outcome);
        }
    }
}
