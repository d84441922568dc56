//! Leaves out lines that repeat: counts each level and text within a tick, in a
//! table of fixed size. Texts that share a place in it share a count.

use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::Sampling;

const PLACES: usize = 1024;

#[derive(Debug)]
pub(crate) struct Sampler {
    sampling: Sampling,
    places: Box<[Place]>,
}

#[derive(Debug, Default)]
struct Place {
    /// End of the tick, nanoseconds on the caller's clock.
    ends: AtomicU64,
    count: AtomicU64,
}

impl Sampler {
    pub(crate) fn new(sampling: Sampling) -> Self {
        Sampler {
            sampling,
            places: (0..PLACES).map(|_| Place::default()).collect(),
        }
    }

    /// Whether to write a line of this level and text at `now` (a clock that only
    /// goes forward, from any point).
    pub(crate) fn admits(&self, level: tracing::Level, message: &str, now: Duration) -> bool {
        let hash = BuildHasherDefault::<DefaultHasher>::new().hash_one((level, message));
        let Some(place) = self.places.get(hash as usize % PLACES) else {
            return true;
        };
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let now = nanos(now);
        let ends = place.ends.load(Relaxed);
        let count = if now >= ends {
            // Two threads at once may both begin the tick; a line more is written then.
            place
                .ends
                .store(now.saturating_add(nanos(self.sampling.tick)), Relaxed);
            place.count.store(1, Relaxed);
            1
        } else {
            place.count.fetch_add(1, Relaxed) + 1
        };
        let Sampling {
            initial,
            thereafter,
            ..
        } = self.sampling;
        count <= initial || thereafter > 0 && (count - initial).is_multiple_of(thereafter)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_and_then_every_nth_are_written() {
        let sampling = Sampling {
            tick: Duration::from_secs(10),
            initial: 3,
            thereafter: 4,
        };
        let sampler = Sampler::new(sampling);
        let level = tracing::Level::INFO;
        let admitted = |at: u64, n: usize| {
            let at = Duration::from_secs(at);
            (0..n).filter(|_| sampler.admits(level, "text", at)).count()
        };
        assert_eq!(admitted(1, 3), 3);
        assert_eq!(admitted(2, 3), 0);
        assert_eq!(admitted(2, 1), 1);
        assert_eq!(admitted(10, 8), 2);
        assert!(sampler.admits(level, "another text", Duration::from_secs(10)));
        assert!(sampler.admits(tracing::Level::WARN, "text", Duration::from_secs(10)));
        assert_eq!(admitted(11, 4), 3, "a new tick");
    }

    #[test]
    fn nothing_is_written_after_the_first_lines_when_thereafter_is_zero() {
        let sampler = Sampler::new(Sampling {
            tick: Duration::from_secs(1),
            initial: 1,
            thereafter: 0,
        });
        let admits = || sampler.admits(tracing::Level::INFO, "text", Duration::ZERO);
        assert!(admits());
        assert!((0..100).all(|_| !admits()));
    }
}
