//! Timers of the core that makes them.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::{Mode, current_mode};

/// A future that is ready once its time has come. It belongs to the core that made it.
pub struct Sleep(Inner);

enum Inner {
    IoUring(glommio::timer::Timer),
    Epoll(Pin<Box<tokio::time::Sleep>>),
    /// Longer than anybody waits: never ready.
    Never,
}

/// Waits for a duration.
pub fn sleep(duration: Duration) -> Sleep {
    // Both reactors add the duration to an Instant, which could overflow.
    if duration > Duration::from_secs(30 * 365 * 86_400) {
        return Sleep(Inner::Never);
    }
    Sleep(match current_mode() {
        Some(Mode::IoUring) => Inner::IoUring(glommio::timer::Timer::new(duration)),
        _ => Inner::Epoll(Box::pin(tokio::time::sleep(duration))),
    })
}

/// Waits until an instant.
pub fn sleep_until(instant: Instant) -> Sleep {
    sleep(instant.saturating_duration_since(Instant::now()))
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Inner::IoUring(timer) => Pin::new(timer).poll(cx).map(drop),
            Inner::Epoll(sleep) => sleep.as_mut().poll(cx),
            Inner::Never => Poll::Pending,
        }
    }
}

/// Waits for the shortest time that is a wait: the reactor was asked at least once.
pub(super) async fn shortest() {
    let mut waited = false;
    while !waited {
        let mut sleep = sleep(Duration::from_micros(1));
        // One that is due at its first poll has not been to the reactor.
        std::future::poll_fn(|cx| {
            let polled = Pin::new(&mut sleep).poll(cx);
            waited |= polled.is_pending();
            polled
        })
        .await;
    }
}

/// The time given to [`timeout`] ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

/// Runs a future for at most a duration.
///
/// # Errors
/// [`Elapsed`] when the time ran out first; the future is dropped.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = std::pin::pin!(future);
    let mut sleep: Option<Sleep> = None;
    std::future::poll_fn(move |cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        // The timer is made only once the future has shown that it has to wait.
        let sleep = sleep.get_or_insert_with(|| self::sleep(duration));
        Pin::new(sleep).poll(cx).map(|()| Err(Elapsed))
    })
    .await
}

/// Runs a future until an instant at the latest.
///
/// # Errors
/// [`Elapsed`] when the time came first.
pub async fn timeout_at<F: Future>(deadline: Instant, future: F) -> Result<F::Output, Elapsed> {
    timeout(deadline.saturating_duration_since(Instant::now()), future).await
}
