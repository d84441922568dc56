//! The ledger: for every pipeline, received = sent + refused + dropped(reason) +
//! held. Each term is counted where it happens, and none is computed from the
//! others, so that an item that a component loses without saying so shows as a
//! difference. How the terms are defined is in `docs/ledger.md`.

use std::{cell::RefCell, collections::BTreeMap, marker::PhantomData, sync::Arc};

use super::metrics::{Counter, Gauge, Registry, SampleValue, descriptors as desc};

/// Reasons kept apart in one pipeline on one core; what comes later counts as `other`.
const MAX_REASONS: usize = 64;

/// The ledger of all pipelines: makes each pipeline's part, reads the balance.
#[derive(Clone, Debug)]
pub struct Ledger {
    registry: Arc<Registry>,
}

impl Ledger {
    /// The ledger whose terms `registry` keeps and exports.
    pub fn new(registry: Arc<Registry>) -> Self {
        Ledger { registry }
    }

    /// The part of pipeline `pipeline` (its id, `traces/a`) on core number `core`.
    pub fn pipeline(&self, core: usize, pipeline: &str) -> PipelineLedger {
        let labels = [("pipeline", pipeline)];
        let counter = |descriptor| {
            let counter = self.registry.counter(core, descriptor, &labels);
            counter.add(0);
            counter
        };
        let held = self.registry.gauge(core, &desc::PIPELINE_HELD, &labels);
        held.add(0);
        PipelineLedger {
            received: counter(&desc::PIPELINE_RECEIVED),
            sent: counter(&desc::PIPELINE_SENT),
            refused: counter(&desc::PIPELINE_REFUSED),
            held,
            dropped: RefCell::default(),
            registry: self.registry.clone(),
            core,
            pipeline: pipeline.to_owned(),
        }
    }

    /// The terms of every pipeline now, all cores together, by pipeline id. Terms are
    /// read while cores write: a difference that stays in two readings with nothing
    /// held is a fault, one that does not is a request on its way.
    pub fn balance(&self) -> BTreeMap<String, LedgerBalance> {
        let mut pipelines: BTreeMap<String, LedgerBalance> = BTreeMap::new();
        for family in self.registry.sample() {
            let name = family.descriptor.name;
            if family.descriptor.scope != desc::PIPELINE_RECEIVED.scope {
                continue;
            }
            for series in family.series {
                let label = |wanted| {
                    let found = series.labels.iter().find(|(name, _)| *name == wanted);
                    found.map(|(_, value)| value.clone())
                };
                let (Some(pipeline), SampleValue::Number(value)) =
                    (label("pipeline"), series.value)
                else {
                    continue;
                };
                let balance = pipelines.entry(pipeline).or_default();
                let value = value as i64;
                if name == desc::PIPELINE_RECEIVED.name {
                    balance.received = value;
                } else if name == desc::PIPELINE_SENT.name {
                    balance.sent = value;
                } else if name == desc::PIPELINE_REFUSED.name {
                    balance.refused = value;
                } else if name == desc::PIPELINE_HELD.name {
                    balance.held = value;
                } else if name == desc::PIPELINE_DROPPED.name {
                    balance
                        .dropped
                        .insert(label("reason").unwrap_or_default(), value);
                }
            }
        }
        pipelines
    }
}

/// The terms of one pipeline, items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerBalance {
    /// Entered the pipeline.
    pub received: i64,
    /// Taken by its exporters.
    pub sent: i64,
    /// Not taken, and the sender was told.
    pub refused: i64,
    /// Dropped, by reason.
    pub dropped: BTreeMap<String, i64>,
    /// On their way.
    pub held: i64,
}

impl LedgerBalance {
    /// received − sent − refused − dropped − held; 0 when every item is accounted for.
    pub fn difference(&self) -> i64 {
        self.received - self.sent - self.refused - self.dropped.values().sum::<i64>() - self.held
    }
}

/// One pipeline's part of the ledger on one core.
#[derive(Debug)]
pub struct PipelineLedger {
    received: Counter,
    sent: Counter,
    refused: Counter,
    held: Gauge,
    dropped: RefCell<Vec<(String, Counter)>>,
    registry: Arc<Registry>,
    core: usize,
    pipeline: String,
}

impl PipelineLedger {
    /// `n` items enter the pipeline. They are held until the guard is dropped, which is
    /// when the pipeline's outcome is known and the terms that follow from it are counted.
    #[inline]
    pub fn enter(&self, n: u64) -> Held {
        self.received.add(n);
        let items = i64::try_from(n).unwrap_or(i64::MAX);
        self.held.add(items);
        Held {
            held: self.held.clone(),
            items,
            stays_on_core: PhantomData,
        }
    }

    /// `n` items are at the pipeline's end: they are given to its exporters, and the
    /// guard is told what became of them. Dropped without a word (the sender went away
    /// or its time was over) they count as refused: the sender has no answer, and so
    /// still has them.
    #[inline]
    pub fn leave(&self, n: u64) -> Leaving<'_> {
        Leaving {
            ledger: self,
            items: n,
        }
    }

    /// `n` items were taken by every exporter they had to go to.
    #[inline]
    pub fn sent(&self, n: u64) {
        self.sent.add(n);
    }

    /// `n` items were not taken, and the answer to the sender says so.
    #[inline]
    pub fn refused(&self, n: u64) {
        self.refused.add(n);
    }

    /// `n` items end here though the sender is told that they were taken. The first
    /// drop for a reason makes its series; later ones only count.
    pub fn dropped(&self, reason: &str, n: u64) {
        let mut known = self.dropped.borrow_mut();
        let find = |reason: &str| known.iter().find(|(of, _)| of == reason);
        if let Some((_, counter)) = find(reason) {
            return counter.add(n);
        }
        let reason = if known.len() < MAX_REASONS {
            reason
        } else {
            "other"
        };
        if let Some((_, counter)) = find(reason) {
            return counter.add(n);
        }
        let labels = [("pipeline", self.pipeline.as_str()), ("reason", reason)];
        let counter = self
            .registry
            .counter(self.core, &desc::PIPELINE_DROPPED, &labels);
        counter.add(n);
        known.push((reason.to_owned(), counter));
    }
}

/// Items in a pipeline, until dropped. Stays on the core on which they entered: it
/// is a guard of that core's gauge.
#[derive(Debug)]
#[must_use = "items are held only as long as the guard lives"]
pub struct Held {
    held: Gauge,
    items: i64,
    stays_on_core: PhantomData<*const ()>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.held.add(-self.items);
    }
}

/// Items at the end of a pipeline, their outcome not known yet.
#[derive(Debug)]
#[must_use = "dropped at once, the items count as refused"]
pub struct Leaving<'a> {
    ledger: &'a PipelineLedger,
    items: u64,
}

impl Leaving<'_> {
    /// All of them were taken by every exporter.
    #[inline]
    pub fn sent(mut self) {
        self.ledger.sent(std::mem::take(&mut self.items));
    }

    /// All but `rejected` were taken; these end here, because a sender does not try the rest
    /// of a partial success again.
    pub fn partly_sent(mut self, rejected: u64) {
        let items = std::mem::take(&mut self.items);
        // A destination may claim to have rejected more than it was given.
        let rejected = rejected.min(items);
        if rejected > 0 {
            self.ledger.dropped("partial_success", rejected);
        }
        self.ledger.sent(items - rejected);
    }

    /// None was taken, and the sender will be told.
    #[inline]
    pub fn refused(self) {
        drop(self);
    }

    /// None was taken, and what becomes of them is yet to be decided by who sent them here.
    pub fn stay(mut self) {
        self.items = 0;
    }

    /// None was taken, though the sender was told otherwise: they end here, for `reason`.
    pub fn dropped(mut self, reason: &str) {
        self.ledger.dropped(reason, std::mem::take(&mut self.items));
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if self.items > 0 {
            self.ledger.refused(self.items);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::telemetry::Level;

    fn of(ledger: &Ledger, pipeline: &str) -> LedgerBalance {
        ledger.balance().remove(pipeline).unwrap_or_default()
    }

    #[test]
    fn every_item_is_in_exactly_one_term() {
        let ledger = Ledger::new(Arc::new(Registry::new(Level::Normal)));
        let core_0 = ledger.pipeline(0, "traces");
        let core_1 = ledger.pipeline(1, "traces");
        assert_eq!(of(&ledger, "traces"), LedgerBalance::default());

        let first = core_0.enter(10);
        let second = core_1.enter(5);
        assert_eq!(
            (
                of(&ledger, "traces").held,
                of(&ledger, "traces").difference()
            ),
            (15, 0)
        );

        core_0.sent(7);
        core_0.dropped("filter", 2);
        core_0.dropped("filter", 1);
        drop(first);
        core_1.refused(5);
        drop(second);
        let balance = of(&ledger, "traces");
        assert_eq!(balance.difference(), 0);
        assert_eq!(
            (
                balance.received,
                balance.sent,
                balance.refused,
                balance.held
            ),
            (15, 7, 5, 0)
        );
        assert_eq!(balance.dropped, BTreeMap::from([("filter".to_owned(), 3)]));
    }

    #[test]
    fn an_item_lost_without_a_word_is_a_difference() {
        let ledger = Ledger::new(Arc::new(Registry::new(Level::Normal)));
        let pipeline = ledger.pipeline(0, "logs/a");
        let held = pipeline.enter(10);
        pipeline.sent(9);
        drop(held);
        assert_eq!(of(&ledger, "logs/a").difference(), 1);
    }

    #[test]
    fn the_number_of_reasons_is_bounded_and_no_item_is_lost_by_that() {
        let ledger = Ledger::new(Arc::new(Registry::new(Level::Normal)));
        let pipeline = ledger.pipeline(0, "logs");
        let held = pipeline.enter(200);
        for n in 0..200 {
            pipeline.dropped(&format!("rule {n}"), 1);
        }
        drop(held);
        let balance = of(&ledger, "logs");
        assert_eq!(balance.difference(), 0);
        assert_eq!(balance.dropped.len(), MAX_REASONS + 1);
        assert_eq!(balance.dropped.get("other"), Some(&136));
    }

    #[test]
    fn what_leaves_a_pipeline_is_counted_once_whatever_becomes_of_it() {
        let ledger = Ledger::new(Arc::new(Registry::new(Level::Normal)));
        let pipeline = ledger.pipeline(0, "traces");
        let held = pipeline.enter(55);
        pipeline.leave(10).sent();
        pipeline.leave(10).partly_sent(3);
        pipeline.leave(10).partly_sent(11);
        pipeline.leave(10).refused();
        pipeline.leave(10).dropped("queue full");
        drop(pipeline.leave(5));
        drop(held);
        let balance = of(&ledger, "traces");
        assert_eq!(balance.difference(), 0);
        assert_eq!((balance.sent, balance.refused), (17, 15));
        assert_eq!(
            balance.dropped,
            BTreeMap::from([
                ("partial_success".to_owned(), 13),
                ("queue full".to_owned(), 10)
            ])
        );
    }
}
