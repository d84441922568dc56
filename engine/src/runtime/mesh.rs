//! What crosses cores: whole things over one bounded queue a core, with a waker.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Poll,
};

use crossbeam_queue::ArrayQueue;
use crossbeam_utils::CachePadded;
use futures_util::task::AtomicWaker;

/// Queues between the cores of one engine.
pub struct Mesh<T> {
    inboxes: Arc<[CachePadded<Inbox<T>>]>,
}

impl<T> Clone for Mesh<T> {
    fn clone(&self) -> Self {
        Mesh {
            inboxes: self.inboxes.clone(),
        }
    }
}

struct Inbox<T> {
    queue: ArrayQueue<T>,
    waker: AtomicWaker,
    load: AtomicUsize,
}

impl<T: Send> Mesh<T> {
    /// A mesh of `cores` cores, each with room for `depth` waiting messages.
    pub fn new(cores: usize, depth: usize) -> Self {
        Mesh {
            inboxes: (0..cores)
                .map(|_| {
                    CachePadded::new(Inbox {
                        queue: ArrayQueue::new(depth.max(1)),
                        waker: AtomicWaker::new(),
                        load: AtomicUsize::new(0),
                    })
                })
                .collect(),
        }
    }

    /// Number of cores.
    pub fn cores(&self) -> usize {
        self.inboxes.len()
    }

    /// Hands a message to a core.
    ///
    /// # Errors
    /// The message itself, where the core's queue is full.
    pub fn send(&self, core: usize, message: T) -> Result<(), T> {
        let Some(inbox) = self.inboxes.get(core) else {
            return Err(message);
        };
        inbox.queue.push(message)?;
        inbox.waker.wake();
        Ok(())
    }

    /// Waits for the next message to a core. One task a core may wait.
    pub async fn receive(&self, core: usize) -> Option<T> {
        let inbox = self.inboxes.get(core)?;
        poll_fn(|cx| {
            if let Some(message) = inbox.queue.pop() {
                return Poll::Ready(Some(message));
            }
            inbox.waker.register(cx.waker());
            // A message may have come between the look and the registration.
            match inbox.queue.pop() {
                Some(message) => Poll::Ready(Some(message)),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Tells the other cores how many requests this one has in hand.
    pub fn publish_load(&self, core: usize, requests: usize) {
        if let Some(inbox) = self.inboxes.get(core) {
            inbox.load.store(requests, Relaxed);
        }
    }

    /// Requests that a core has in hand or waiting.
    pub fn load(&self, core: usize) -> usize {
        self.inboxes.get(core).map_or(usize::MAX, |inbox| {
            inbox.load.load(Relaxed) + inbox.queue.len()
        })
    }

    /// The core other than `me` that has least to do, with its load.
    pub fn least_loaded_other(&self, me: usize) -> Option<(usize, usize)> {
        (0..self.cores())
            .filter(|&core| core != me)
            .map(|core| (core, self.load(core)))
            .min_by_key(|&(_, load)| load)
    }
}

#[cfg(test)]
mod tests {
    use super::Mesh;

    #[test]
    fn a_full_inbox_gives_the_message_back() {
        let mesh = Mesh::new(2, 1);
        assert_eq!(mesh.send(1, "a"), Ok(()));
        assert_eq!(mesh.send(1, "b"), Err("b"));
        assert_eq!(mesh.send(7, "c"), Err("c"));
        assert_eq!(mesh.least_loaded_other(1), Some((0, 0)));
        assert_eq!(mesh.least_loaded_other(0), Some((1, 1)));
        assert_eq!(futures_lite::future::block_on(mesh.receive(1)), Some("a"));
    }
}
