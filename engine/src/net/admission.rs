//! Admission: memory for a request is charged to its core's budget before it is
//! taken. A request that does not fit is refused at once; none waits while it
//! holds a part.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
};

/// Bytes that a row of a request taken apart needs beside its payload, at most: places, pieces and
/// edits.
pub const ROW: usize = 160;

/// A charge leaves as much free as it takes, up to this part of the budget: large bodies that were
/// announced and do not come must not keep out small ones, nor what was admitted already from
/// being inflated and written.
const FREE: usize = 8;

/// Memory that one core may use for requests in hand.
#[derive(Debug)]
pub struct Budget {
    limit: AtomicUsize,
    used: AtomicUsize,
    refused: AtomicU64,
    configured: AtomicBool,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Arc<Budget> {
        Arc::new(Budget {
            limit: AtomicUsize::new(limit),
            used: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            configured: AtomicBool::new(false),
        })
    }

    /// Charges `bytes`, if they fit.
    pub fn charge(self: &Arc<Self>, bytes: usize) -> Option<Charge> {
        let charge = self.charge_if_free(bytes);
        self.count(charge.is_some());
        charge
    }

    /// As [`Budget::charge`], for what is as well left undone: it is not refused then.
    pub fn charge_if_free(self: &Arc<Self>, bytes: usize) -> Option<Charge> {
        self.add(bytes).then(|| Charge {
            budget: self.clone(),
            bytes,
        })
    }

    fn add(&self, bytes: usize) -> bool {
        let before = self.used.fetch_add(bytes, Relaxed);
        let limit = self.limit.load(Relaxed);
        let free = bytes.min(limit / FREE);
        let fits = before.saturating_add(bytes).saturating_add(free) <= limit;
        if !fits {
            self.used.fetch_sub(bytes, Relaxed);
        }
        fits
    }

    fn count(&self, fits: bool) {
        if !fits {
            self.refused.fetch_add(1, Relaxed);
        }
    }

    /// Bytes charged now.
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// Bytes that may be charged in all.
    pub fn limit(&self) -> usize {
        self.limit.load(Relaxed)
    }

    /// Sets the limit, in bytes; what is charged already stays.
    pub fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes, Relaxed);
    }

    /// Sets the limit that a configuration asks for, in bytes; of several the smallest counts.
    /// Says whether it was the first: the one that takes the place of the default.
    pub fn configure(&self, bytes: usize) -> bool {
        let first = !self.configured.swap(true, Relaxed);
        if first || bytes < self.limit() {
            self.set_limit(bytes);
        }
        first
    }

    /// Whether more is charged than the limit allows: it was lowered meanwhile.
    pub fn exceeded(&self) -> bool {
        self.used() > self.limit()
    }

    /// Charges that did not fit, since the start.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }
}

/// A part of a [`Budget`] in use; given back when dropped, on any core.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Charge {
    /// Charges more; `false` where it does not fit, and the charge is as before.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let fits = self.budget.add(bytes);
        self.budget.count(fits);
        if fits {
            self.bytes += bytes;
        }
        fits
    }

    /// Makes another charge to the same budget a part of this one.
    pub fn join(&mut self, mut other: Charge) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_and_leaves_no_trace() {
        let budget = Budget::new(100);
        let mut first = budget.charge(60).unwrap();
        assert!(budget.charge(41).is_none());
        assert!(budget.charge(usize::MAX).is_none());
        assert!(first.grow(28));
        assert!(!first.grow(12));
        assert_eq!((budget.used(), budget.refused()), (88, 3));
        drop(first);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn large_charges_leave_room_for_small_ones() {
        let budget = Budget::new(800);
        let large: Vec<_> = std::iter::from_fn(|| budget.charge(150)).collect();
        assert_eq!(large.len(), 4);
        assert!(budget.charge(101).is_none());
        // What is left is halved by each, and never wholly taken but by the smallest.
        let small: Vec<_> = [100, 50, 25, 12]
            .map(|bytes| budget.charge(bytes))
            .into_iter()
            .flatten()
            .collect();
        assert_eq!((small.len(), budget.used()), (4, 787));
        assert!(budget.charge(7).is_none() && budget.charge(6).is_some());
    }

    #[test]
    fn the_smallest_configured_limit_takes_the_place_of_the_default() {
        let budget = Budget::new(100);
        let charge = budget.charge(85).unwrap();
        assert!(budget.configure(300) && !budget.exceeded());
        assert!(!budget.configure(80) && budget.exceeded());
        assert!(!budget.configure(200));
        assert_eq!(budget.limit(), 80);
        drop(charge);
        assert!(!budget.exceeded());
    }
}
