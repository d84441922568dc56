//! What connections could make a core hold together: frames half read, windows
//! that were advertised. Each new connection gets a part of what is left of a
//! quarter of the budget, so that windows and frames shrink as connections grow
//! and the sum stays bounded.

use std::{cell::Cell, rc::Rc};

use super::{admission::Budget, http2::divert::Windows};

/// A connection's windows together, at most and at least, bytes. More gains nothing; with less a
/// body would wait for the round trip of every second frame.
const MOST: usize = 16 << 20;
const LEAST: usize = 128 << 10;
/// The part of what is left that the next connection gets.
const PART: usize = 8;

/// The shares of one core. Cheap to clone; stays on its core.
#[derive(Clone, Default)]
pub struct Shares(Rc<Cell<usize>>);

/// What one connection may make the core hold; given back when dropped.
pub struct Share {
    of: Shares,
    bytes: usize,
}

impl Shares {
    /// The share of one more connection.
    pub fn take(&self, budget: &Budget) -> Share {
        let left = (budget.limit() / 4).saturating_sub(self.0.get());
        let bytes = (left / PART).clamp(LEAST, MOST);
        self.0.set(self.0.get() + bytes);
        Share {
            of: self.clone(),
            bytes,
        }
    }
}

impl Share {
    /// Frame and windows of an HTTP/2 connection.
    pub fn windows(&self) -> Windows {
        let n = |bytes: usize| u32::try_from(bytes).unwrap_or(1 << 20);
        let stream = (self.bytes / 2).min(4 << 20);
        Windows {
            frame: n(stream.clamp(16 << 10, 1 << 20)),
            stream: n(stream),
            connection: n(self.bytes),
        }
    }

    /// Bytes that an HTTP/1.1 connection may read at a time. More than a quarter MiB gains
    /// nothing: it would no longer fit the cache.
    pub fn read_buffer(&self) -> usize {
        self.bytes.clamp(16 << 10, 256 << 10)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.0.set(self.of.0.get().saturating_sub(self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_stays_bounded_however_many_connections_there_are() {
        for (limit, first) in [
            (64 << 30, MOST),
            (1 << 30, MOST),
            (128 << 20, 4 << 20),
            (1, LEAST),
        ] {
            let (budget, shares) = (Budget::new(limit), Shares::default());
            let all: Vec<Share> = (0..2000).map(|_| shares.take(&budget)).collect();
            let bytes: Vec<usize> = all.iter().map(|share| share.bytes).collect();
            assert_eq!(bytes.first(), Some(&first), "{limit}");
            assert!(bytes.is_sorted_by(|a, b| a >= b), "{limit}");
            let large: usize = bytes.iter().filter(|&&bytes| bytes > LEAST).sum();
            assert!(large <= limit / 4, "{limit}: {large}");
            for share in &all {
                let Windows {
                    frame,
                    stream,
                    connection,
                } = share.windows();
                // RFC 9113 §6.5.2: frames of 16 KiB at least.
                assert!(frame >= 16 << 10 && stream >= frame && connection >= stream);
                assert!(share.read_buffer() <= share.bytes);
            }
            drop(all);
            assert_eq!(shares.take(&budget).bytes, first, "{limit}");
        }
    }
}
