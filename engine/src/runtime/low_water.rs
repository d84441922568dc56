//! How much must have come before it is worth waking for: while large bodies are
//! under way a reader that wakes for every few frames spends more on waking than
//! on reading. The kernel holds the wake-up back (`SO_RCVLOWAT`, socket(7)) until
//! there is enough, and a timer ends a wait in which the peer has paused.
//!
//! Safety: the descriptor is borrowed for one call that only sets an option.
#![allow(unsafe_code)]

use std::{future::Future, os::fd::RawFd, pin::Pin, task::Context, time::Duration};

use super::Sleep;

/// Bytes worth waking for. The kernel wakes earlier where the receive buffer is too small.
const ENOUGH: usize = 256 << 10;
/// How long a wait for so much may take.
const LONGEST: Duration = Duration::from_millis(1);
/// So many waits are for any byte after one in which enough did not come in time.
const SOBERED: u32 = 64;

/// The low-water mark of a socket's receive buffer.
#[derive(Default)]
pub(super) struct LowWater {
    /// Bytes that the caller knows to be on their way.
    coming: usize,
    /// Whether the mark stands at [`ENOUGH`]; else it is at 1, where the kernel has it.
    raised: bool,
    /// Ends the wait at hand.
    limit: Option<Sleep>,
    /// Waits that are for any byte.
    sober: u32,
}

impl LowWater {
    /// The caller knows that at least so many bytes are to come.
    pub(super) fn coming(&mut self, bytes: usize) {
        self.coming = bytes;
    }

    /// So many bytes were read: the wait is over.
    pub(super) fn came(&mut self, bytes: usize) {
        self.coming = self.coming.saturating_sub(bytes);
        self.limit = None;
    }

    /// Whether the wait at hand is for so much that it took too long.
    pub(super) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let over = self
            .limit
            .as_mut()
            .is_some_and(|limit| Pin::new(limit).poll(cx).is_ready());
        if over {
            self.limit = None;
            self.sober = SOBERED;
        }
        over
    }

    /// To be called before waiting, when all that had come was read.
    pub(super) fn wait(&mut self, fd: RawFd, cx: &mut Context<'_>) {
        self.limit = None;
        let raise = self.coming >= ENOUGH && self.sober == 0;
        self.sober = self.sober.saturating_sub(1);
        if raise != self.raised {
            let set = set(fd, if raise { ENOUGH } else { 1 });
            self.raised = raise && set;
        }
        if self.raised {
            let mut limit = super::sleep(LONGEST);
            // Polled once so that it wakes this task.
            if Pin::new(&mut limit).poll(cx).is_pending() {
                self.limit = Some(limit);
            }
        }
    }
}

/// Sets the mark; whether the kernel took it.
fn set(fd: RawFd, bytes: usize) -> bool {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(1);
    // SAFETY: the option's value is a `c_int` that lives through the call.
    let answer = unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            (&raw const bytes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    answer == 0
}
