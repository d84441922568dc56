//! Drain: the word that a core is to stop, and the count of what still runs.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// Shared by everything on a core that must end in order: connections watch for the word, and
/// hold the drain open while they have work.
#[derive(Clone, Default)]
pub struct Drain(Rc<Inner>);

#[derive(Default)]
struct Inner {
    begun: Cell<bool>,
    watchers: RefCell<Vec<Option<Waker>>>,
    free: RefCell<Vec<usize>>,
    held: Cell<usize>,
    finished: RefCell<Option<Waker>>,
}

impl Drain {
    /// Says the word.
    pub fn begin(&self) {
        self.0.begun.set(true);
        for waker in self.0.watchers.borrow_mut().iter_mut() {
            if let Some(waker) = waker.take() {
                waker.wake();
            }
        }
    }

    /// Whether the word was said.
    pub fn begun(&self) -> bool {
        self.0.begun.get()
    }

    /// Watches for the word.
    pub fn watch(&self) -> Watch {
        let slot = self.0.free.borrow_mut().pop().unwrap_or_else(|| {
            let mut watchers = self.0.watchers.borrow_mut();
            watchers.push(None);
            watchers.len() - 1
        });
        Watch {
            drain: self.clone(),
            slot,
        }
    }

    /// Counts something that must end before the drain is finished.
    pub fn hold(&self) -> Hold {
        self.0.held.set(self.0.held.get() + 1);
        Hold(self.clone())
    }

    /// How many holds there are.
    pub fn held(&self) -> usize {
        self.0.held.get()
    }

    /// Waits until nothing is held. One task may wait.
    pub async fn finished(&self) {
        poll_fn(|cx| {
            if self.0.held.get() == 0 {
                return Poll::Ready(());
            }
            *self.0.finished.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// See [`Drain::watch`].
pub struct Watch {
    drain: Drain,
    slot: usize,
}

impl Watch {
    /// Ready once the word was said.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.drain.0.begun.get() {
            return Poll::Ready(());
        }
        if let Some(slot) = self.drain.0.watchers.borrow_mut().get_mut(self.slot) {
            match slot {
                Some(waker) if waker.will_wake(cx.waker()) => {}
                _ => *slot = Some(cx.waker().clone()),
            }
        }
        Poll::Pending
    }

    /// Waits for the word.
    pub async fn begun(&self) {
        poll_fn(|cx| self.poll(cx)).await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(slot) = self.drain.0.watchers.borrow_mut().get_mut(self.slot) {
            *slot = None;
        }
        self.drain.0.free.borrow_mut().push(self.slot);
    }
}

/// See [`Drain::hold`].
pub struct Hold(Drain);

impl Drop for Hold {
    fn drop(&mut self) {
        let held = self.0.0.held.get() - 1;
        self.0.0.held.set(held);
        if held == 0
            && let Some(waker) = self.0.0.finished.borrow_mut().take()
        {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Drain;

    #[test]
    fn a_drain_ends_when_the_last_hold_is_dropped() {
        let drain = Drain::default();
        let (a, b) = (drain.hold(), drain.hold());
        let watch = drain.watch();
        let mut finished = std::pin::pin!(drain.finished());
        let mut begun = std::pin::pin!(watch.begun());
        let poll = |f: std::pin::Pin<&mut dyn Future<Output = ()>>| {
            f.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
                .is_ready()
        };
        assert!(!poll(begun.as_mut()) && !poll(finished.as_mut()));
        drain.begin();
        assert!(poll(begun.as_mut()));
        drop(a);
        assert!(!poll(finished.as_mut()));
        drop(b);
        assert!(poll(finished.as_mut()));
    }
}
