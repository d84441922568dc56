//! A client's pings on a connection of its own (gRPC, "Keepalive User Guide"): after so
//! long without anything heard, and only while a request is under way unless told
//! otherwise. What a server makes of pings is in `pings`.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    rc::Rc,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use crate::runtime;

/// When to ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// After so long without an answer to anything.
    pub time: Duration,
    /// The connection is lost when a ping was not answered for so long.
    pub timeout: Duration,
    /// While no request is under way, too.
    pub permit_without_stream: bool,
}

/// What a connection is used for.
#[derive(Clone, Debug)]
pub struct Activity(Rc<State>);

#[derive(Debug)]
struct State {
    requests: Cell<usize>,
    heard: Cell<Instant>,
    waiting: RefCell<Option<Waker>>,
}

/// A request under way.
#[derive(Debug)]
pub struct InUse(Activity);

impl Activity {
    /// A connection that was made just now.
    pub fn new(now: Instant) -> Activity {
        Activity(Rc::new(State {
            requests: Cell::new(0),
            heard: Cell::new(now),
            waiting: RefCell::default(),
        }))
    }

    /// Counts a request until what is returned is dropped.
    pub fn request(&self) -> InUse {
        self.0.requests.set(self.0.requests.get() + 1);
        if let Some(waker) = self.0.waiting.borrow_mut().take() {
            waker.wake();
        }
        InUse(self.clone())
    }

    /// Waits for a request where none is under way. One task may wait.
    async fn used(&self) {
        poll_fn(|cx| {
            if self.0.requests.get() > 0 {
                return Poll::Ready(());
            }
            *self.0.waiting.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl InUse {
    /// The server answered.
    pub fn heard(&self) {
        self.0.0.heard.set(Instant::now());
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.0.requests.set(self.0.0.requests.get() - 1);
    }
}

/// Pings as long as answers come; returns when one does not. `ping` is ready with the answer,
/// or with false where the connection is gone. `now` is the time.
pub async fn keep<F: Future<Output = bool>>(
    keepalive: Keepalive,
    activity: &Activity,
    now: impl Fn() -> Instant,
    mut ping: impl FnMut() -> F,
) {
    loop {
        let quiet = now().saturating_duration_since(activity.0.heard.get());
        if let Some(left) = keepalive.time.checked_sub(quiet).filter(|l| !l.is_zero()) {
            runtime::sleep(left).await;
            continue;
        }
        if !keepalive.permit_without_stream {
            activity.used().await;
        }
        match runtime::timeout(keepalive.timeout, ping()).await {
            Ok(true) => activity.0.heard.set(now()),
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens after so many seconds.
    enum Step {
        Begin,
        Heard,
        End,
    }

    /// At which seconds pings were sent, and when the connection was given up.
    async fn pings(
        permit: bool,
        answers: usize,
        steps: &[(u64, Step)],
        until: u64,
    ) -> (Vec<u64>, Option<u64>) {
        let begun = tokio::time::Instant::now();
        let now = || tokio::time::Instant::now().into_std();
        let activity = Activity::new(now());
        let keepalive = Keepalive {
            time: Duration::from_secs(10),
            timeout: Duration::from_secs(3),
            permit_without_stream: permit,
        };
        let sent = RefCell::new(Vec::new());
        let keeping = async {
            let ping = || {
                sent.borrow_mut().push(begun.elapsed().as_secs());
                let answered = sent.borrow().len() <= answers;
                async move {
                    if !answered {
                        std::future::pending::<()>().await;
                    }
                    true
                }
            };
            keep(keepalive, &activity, now, ping).await;
            Some(begun.elapsed().as_secs())
        };
        let script = async {
            let mut requests = Vec::new();
            for (at, step) in steps {
                tokio::time::sleep_until(begun + Duration::from_secs(*at)).await;
                match step {
                    Step::Begin => requests.push(activity.request()),
                    Step::Heard => activity.0.heard.set(now()),
                    Step::End => drop(requests.pop()),
                }
            }
            tokio::time::sleep_until(begun + Duration::from_secs(until)).await;
            None
        };
        let ended = futures_lite::future::or(keeping, script).await;
        (sent.into_inner(), ended)
    }

    #[tokio::test(start_paused = true)]
    async fn pings_follow_requests_and_silence() {
        use Step::{Begin, End, Heard};
        for (permit, answers, steps, until, sent, ended) in [
            (true, 9, &[][..], 35, &[10, 20, 30][..], None),
            (false, 9, &[], 100, &[], None),
            (false, 9, &[(5, Begin)], 35, &[10, 20, 30], None),
            (false, 9, &[(25, Begin)], 40, &[25, 35], None),
            (false, 9, &[(5, Begin), (15, End)], 100, &[10], None),
            (true, 9, &[(7, Heard), (15, Heard)], 30, &[25], None),
            (true, 1, &[], 100, &[10, 20], Some(23)),
        ] {
            assert_eq!(
                pings(permit, answers, steps, until).await,
                (sent.to_vec(), ended),
                "permitted {permit}, until {until}"
            );
        }
    }
}
