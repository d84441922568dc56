//! The cells that instruments write: one cell a series and core, written by that
//! core alone and read by whoever scrapes. A write is a relaxed load and a relaxed
//! store, which is enough with a single writer and costs no bus lock.

use std::{
    cell::Cell,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use crossbeam_utils::CachePadded;

/// Makes a handle `Send` but not `Sync`: it may be built on one thread and used on
/// another, never on two at once.
type OneThread = PhantomData<Cell<()>>;

/// A number that only grows. Belongs to one core: clones may be kept by several
/// parts of that core, but two threads adding to one counter lose counts.
#[derive(Clone, Debug)]
pub struct Counter {
    pub(super) cell: Arc<CounterCell>,
    one_thread: OneThread,
}

/// Zero means "never written": the series does not appear. Else the count plus one.
#[derive(Debug, Default)]
pub(super) struct CounterCell(CachePadded<AtomicU64>);

impl CounterCell {
    /// The count, or `None` as long as nothing was added, not even zero.
    pub(super) fn get(&self) -> Option<u64> {
        self.0.load(Relaxed).checked_sub(1)
    }
}

impl Counter {
    pub(super) fn new(cell: Arc<CounterCell>) -> Self {
        Counter {
            cell,
            one_thread: PhantomData,
        }
    }

    /// Adds `n`. Adding zero makes the series appear.
    #[inline]
    pub fn add(&self, n: u64) {
        let value = self.cell.0.load(Relaxed).max(1);
        self.cell.0.store(value.wrapping_add(n), Relaxed);
    }

    /// This core's count so far.
    pub fn get(&self) -> u64 {
        self.cell.get().unwrap_or(0)
    }
}

/// A number that goes up and down. Belongs to one core, as [`Counter`] does.
#[derive(Clone, Debug)]
pub struct Gauge {
    pub(super) cell: Arc<GaugeCell>,
    one_thread: OneThread,
}

const UNWRITTEN: i64 = i64::MIN;

#[derive(Debug)]
pub(super) struct GaugeCell(CachePadded<AtomicI64>);

impl Default for GaugeCell {
    fn default() -> Self {
        GaugeCell(CachePadded::new(AtomicI64::new(UNWRITTEN)))
    }
}

impl GaugeCell {
    /// The value, or `None` as long as none was written.
    pub(super) fn get(&self) -> Option<i64> {
        Some(self.0.load(Relaxed)).filter(|value| *value != UNWRITTEN)
    }
}

impl Gauge {
    pub(super) fn new(cell: Arc<GaugeCell>) -> Self {
        Gauge {
            cell,
            one_thread: PhantomData,
        }
    }

    /// Adds `n`, which may be negative. Adding zero makes the series appear.
    #[inline]
    pub fn add(&self, n: i64) {
        let value = self.get();
        self.cell.0.store(value.wrapping_add(n), Relaxed);
    }

    /// Writes `value` in place of what was there.
    #[inline]
    pub fn set(&self, value: i64) {
        self.cell.0.store(value, Relaxed);
    }

    /// This core's value, 0 before the first write.
    #[inline]
    pub fn get(&self) -> i64 {
        self.cell.get().unwrap_or(0)
    }
}

/// A distribution over fixed bounds. Belongs to one core, as [`Counter`] does. One
/// whose metric the configured level hides records nothing.
#[derive(Clone, Debug)]
pub struct Histogram {
    pub(super) cell: Option<Arc<HistogramCell>>,
    one_thread: OneThread,
}

#[derive(Debug)]
pub(super) struct HistogramCell {
    bounds: Arc<[f64]>,
    /// One more than bounds: the last is what exceeds them all.
    buckets: Box<[AtomicU64]>,
    /// Bits of an `f64`.
    sum: AtomicU64,
}

impl HistogramCell {
    pub(super) fn new(bounds: Arc<[f64]>) -> Self {
        HistogramCell {
            buckets: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            bounds,
            sum: AtomicU64::new(0f64.to_bits()),
        }
    }

    /// The bounds of the buckets.
    pub(super) fn bounds(&self) -> &Arc<[f64]> {
        &self.bounds
    }

    /// Counts by bucket (not cumulative, the last one unbounded) and the sum.
    pub(super) fn get(&self) -> (Vec<u64>, f64) {
        let counts = self.buckets.iter().map(|b| b.load(Relaxed)).collect();
        (counts, f64::from_bits(self.sum.load(Relaxed)))
    }
}

impl Histogram {
    pub(super) fn new(cell: Option<Arc<HistogramCell>>) -> Self {
        Histogram {
            cell,
            one_thread: PhantomData,
        }
    }

    /// Whether a recorded value goes anywhere: ask before computing a costly one.
    pub fn is_enabled(&self) -> bool {
        self.cell.is_some()
    }

    /// Counts `value` in the first bucket whose bound is not below it.
    pub fn record(&self, value: f64) {
        let Some(cell) = &self.cell else { return };
        let place = cell.bounds.partition_point(|bound| *bound < value);
        if let Some(bucket) = cell.buckets.get(place) {
            bucket.store(bucket.load(Relaxed).wrapping_add(1), Relaxed);
        }
        let sum = f64::from_bits(cell.sum.load(Relaxed)) + value;
        cell.sum.store(sum.to_bits(), Relaxed);
    }
}
