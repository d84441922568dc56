//! Which reactor the cores run on, and how that is decided at start.

use std::fmt;

use glommio::{LocalExecutorBuilder, Placement};

/// A reactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// glommio over io_uring.
    IoUring,
    /// tokio's current-thread reactor over epoll.
    Epoll,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::IoUring => "io_uring",
            Mode::Epoll => "epoll",
        })
    }
}

/// What `--runtime` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// io_uring where a probe shows that it works, else epoll.
    #[default]
    Auto,
    /// io_uring or an error.
    IoUring,
    /// epoll.
    Epoll,
}

impl std::str::FromStr for Choice {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "auto" => Ok(Choice::Auto),
            "io_uring" => Ok(Choice::IoUring),
            "epoll" => Ok(Choice::Epoll),
            other => Err(format!(
                "invalid argument \"{other}\" for \"--runtime\" flag: must be one of auto, io_uring, epoll"
            )),
        }
    }
}

/// Ring entries an executor asks for, at the probe and in earnest alike.
pub(super) const RING_DEPTH: usize = 256;
/// Registered memory an executor asks for; file I/O does not go through it, so the least that works.
pub(super) const IO_MEMORY: usize = 64 << 10;

/// Locked memory that glommio asks of `RLIMIT_MEMLOCK`, in bytes.
const MEMLOCK_WANTED: u64 = 512 << 10;

/// Starts and stops one io_uring executor on a thread of its own.
///
/// # Errors
/// Why io_uring cannot be used by this process, in words for the log.
pub fn probe() -> Result<(), String> {
    let limit = super::limits::locked_memory();
    if limit < MEMLOCK_WANTED {
        return Err(format!(
            "RLIMIT_MEMLOCK is {limit} bytes, io_uring executors need {MEMLOCK_WANTED}"
        ));
    }
    // glommio panics deep inside where a ring cannot be made; asking the kernel
    // first turns the common case (a seccomp filter) into a plain error.
    super::limits::io_uring_permitted()?;
    let spawned = LocalExecutorBuilder::new(Placement::Unbound)
        .name("probe")
        .ring_depth(RING_DEPTH)
        .io_memory(IO_MEMORY)
        .spawn(|| async move { glommio::timer::sleep(std::time::Duration::from_micros(1)).await });
    match spawned {
        Err(error) => Err(format!("an io_uring executor does not start: {error}")),
        Ok(handle) => handle
            .join()
            .map_err(|error| format!("an io_uring executor does not run: {error}")),
    }
}

/// Turns what was asked for into a reactor and the reason for the log.
///
/// # Errors
/// io_uring was asked for by name and does not work here.
pub fn choose(choice: Choice) -> Result<(Mode, String), String> {
    match choice {
        Choice::Epoll => Ok((Mode::Epoll, "asked for by --runtime".into())),
        Choice::IoUring => match probe() {
            Ok(()) => Ok((Mode::IoUring, "asked for by --runtime".into())),
            Err(why) => Err(format!(
                "--runtime io_uring: {why}; use --runtime auto or epoll"
            )),
        },
        Choice::Auto => match probe() {
            Ok(()) => Ok((Mode::IoUring, "a probe executor ran".into())),
            Err(why) => Ok((Mode::Epoll, why)),
        },
    }
}
