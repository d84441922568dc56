//! The requests that a core has in hand: arrived whole and not answered. Whoever
//! gathers requests (the `batch` processor) parks those it holds, and learns
//! when no other is on its way: waiting longer could then gather nothing more.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// Counts of one core. Cheap to clone; stays on its core.
#[derive(Clone, Default)]
pub struct InHand(Rc<Inner>);

#[derive(Default)]
struct Inner {
    requests: Cell<usize>,
    arrived: Cell<u64>,
    parked: Cell<usize>,
    waiting: RefCell<Vec<Waker>>,
}

impl InHand {
    /// A request has arrived; it is in hand until the guard is dropped.
    pub fn enter(&self) -> Request {
        self.0.requests.set(self.0.requests.get() + 1);
        self.0.arrived.set(self.0.arrived.get() + 1);
        Request(self.clone())
    }

    /// A request waits for others until the guard is dropped.
    pub fn park(&self) -> Parked {
        self.0.parked.set(self.0.parked.get() + 1);
        self.settle();
        Parked(self.clone())
    }

    /// Requests in hand.
    pub fn requests(&self) -> usize {
        self.0.requests.get()
    }

    /// Requests that have arrived since the start: whether some came between two looks.
    pub fn arrived(&self) -> u64 {
        self.0.arrived.get()
    }

    /// Whether every request in hand is parked.
    pub fn all_parked(&self) -> bool {
        self.0.requests.get() <= self.0.parked.get()
    }

    /// Ready while every request in hand is parked.
    pub fn poll_all_parked(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.all_parked() {
            return Poll::Ready(());
        }
        let mut waiting = self.0.waiting.borrow_mut();
        if !waiting.iter().any(|w| w.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn settle(&self) {
        if self.all_parked() {
            let waiting = std::mem::take(&mut *self.0.waiting.borrow_mut());
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

/// See [`InHand::enter`].
pub struct Request(InHand);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.0.requests.set(self.0.0.requests.get() - 1);
        self.0.settle();
    }
}

/// See [`InHand::park`].
pub struct Parked(InHand);

impl Drop for Parked {
    fn drop(&mut self) {
        self.0.0.parked.set(self.0.0.parked.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::InHand;

    #[test]
    fn all_are_parked_when_no_other_is_on_its_way() {
        let in_hand = InHand::default();
        let (a, b) = (in_hand.enter(), in_hand.enter());
        let parked = in_hand.park();
        assert!(!in_hand.all_parked());
        drop(b);
        assert!(in_hand.all_parked());
        drop(parked);
        assert!(!in_hand.all_parked());
        drop(a);
        assert!(in_hand.all_parked());
        assert_eq!((in_hand.requests(), in_hand.arrived()), (0, 2));
    }
}
