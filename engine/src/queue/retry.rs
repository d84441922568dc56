//! Retry: exponential backoff with jitter within the caller's deadline
//! (`retry_on_failure`).

use std::{
    future::Future,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use crate::{
    component::{Outcome, Refusal},
    runtime,
};

/// The settings of `retry_on_failure`.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Whether to retry at all.
    pub enabled: bool,
    /// Wait before the first retry.
    pub initial_interval: Duration,
    /// Share by which a wait varies, 0 to 1.
    pub randomization_factor: f64,
    /// Factor from one wait to the next.
    pub multiplier: f64,
    /// Longest wait.
    pub max_interval: Duration,
    /// Give up after this; zero is never.
    pub max_elapsed_time: Duration,
}

impl Default for Retry {
    /// The Collector's defaults.
    fn default() -> Self {
        Retry {
            enabled: true,
            initial_interval: Duration::from_secs(5),
            randomization_factor: 0.5,
            multiplier: 1.5,
            max_interval: Duration::from_secs(30),
            max_elapsed_time: Duration::from_secs(300),
        }
    }
}

/// How one attempt went.
pub enum Attempt {
    /// It is decided.
    Done(Outcome),
    /// It failed; the refusal says whether another may succeed.
    Failed(Refusal),
}

impl Retry {
    /// Attempts until one is decided, or the next could not begin before the deadline. Then the
    /// caller gets the last failure, and may retry on its side.
    pub async fn run<F, A>(&self, deadline: Instant, mut attempt: F) -> Outcome
    where
        F: FnMut() -> A,
        A: Future<Output = Attempt>,
    {
        let begun = Instant::now();
        let mut interval = self.initial_interval;
        loop {
            let refusal = match attempt().await {
                Attempt::Done(outcome) => return outcome,
                Attempt::Failed(refusal) => refusal,
            };
            if !self.enabled || !refusal.retryable {
                return Outcome::Refused(refusal);
            }
            // collector.md §2.5: the larger of the backoff and the receiver's hint.
            let wait = self
                .vary(interval)
                .max(refusal.retry_after.unwrap_or_default());
            interval = interval
                .mul_f64(self.multiplier.max(0.0))
                .min(self.max_interval);
            let now = Instant::now();
            let over =
                !self.max_elapsed_time.is_zero() && now + wait > begun + self.max_elapsed_time;
            if over || now + wait >= deadline {
                return Outcome::Refused(refusal);
            }
            tracing::info!(
                error = refusal.message,
                interval = ?wait,
                "Exporting failed. Will retry the request after interval."
            );
            runtime::sleep(wait).await;
        }
    }

    fn vary(&self, interval: Duration) -> Duration {
        let random = (RandomState::new().hash_one(0u8) >> 11) as f64 / (1u64 << 53) as f64;
        let factor = 1.0 + self.randomization_factor.clamp(0.0, 1.0) * (2.0 * random - 1.0);
        interval.mul_f64(factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    fn run(
        retry: &Retry,
        deadline: Duration,
        failures: usize,
        refusal: Refusal,
    ) -> (usize, Outcome) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let mut tries = 0;
        let outcome = runtime.block_on(retry.run(Instant::now() + deadline, || {
            tries += 1;
            let result = if tries > failures {
                Attempt::Done(Outcome::Accepted)
            } else {
                Attempt::Failed(refusal.clone())
            };
            async move { result }
        }));
        (tries, outcome)
    }

    #[test]
    fn retries_what_may_be_retried_and_stops_at_the_deadline() {
        let retry = Retry {
            initial_interval: Duration::from_millis(1),
            ..Retry::default()
        };
        let busy = Refusal::retry("busy", None);
        assert_eq!(
            run(&retry, Duration::from_secs(60), 3, busy.clone()),
            (4, Outcome::Accepted)
        );
        let never = Refusal::permanent(Code::InvalidArgument, "bad");
        assert_eq!(
            run(&retry, Duration::from_secs(60), 3, never.clone()),
            (1, Outcome::Refused(never))
        );
        // The hint is longer than the caller waits.
        let later = Refusal::retry("later", Some(Duration::from_secs(3600)));
        assert_eq!(
            run(&retry, Duration::from_secs(60), 3, later.clone()),
            (1, Outcome::Refused(later))
        );
        let off = Retry {
            enabled: false,
            ..retry
        };
        assert_eq!(
            run(&off, Duration::from_secs(60), 3, busy.clone()),
            (1, Outcome::Refused(busy))
        );
    }
}
