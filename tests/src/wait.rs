//! Waiting for something to become true, without guessing how long it takes.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// How long anything that must happen may take before a test gives up. Far
/// more than needed, so that a busy machine does not fail a test.
pub const PATIENCE: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(5);

/// Asks `probe` until it answers with something, and gives that back.
///
/// # Panics
/// When nothing came within [`PATIENCE`]; `what` says what was waited for.
pub async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "waited {PATIENCE:?} in vain for {what}"
        );
        tokio::time::sleep(POLL).await;
    }
}

/// The same for code that has no reactor.
///
/// # Panics
/// As [`eventually`].
pub fn eventually_blocking<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "waited {PATIENCE:?} in vain for {what}"
        );
        std::thread::sleep(POLL);
    }
}

/// `future`, or a panic that says what did not come.
///
/// # Panics
/// When `future` is not done within [`PATIENCE`].
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(done) => done,
        Err(_) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}
