//! Loopback ports that no other test takes while this one runs.
//!
//! The ports lie below the range from which the kernel serves outgoing
//! connections, and a lock file holds each for as long as its [`Port`] lives;
//! so between choosing a port and the gateway binding it nobody can slip in.

use std::{
    fmt,
    fs::File,
    net::TcpListener,
    sync::atomic::{AtomicU16, Ordering},
};

use nix::fcntl::{Flock, FlockArg};

const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// A TCP port on 127.0.0.1, reserved until dropped. Displays as its number.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: Flock<File>,
}

impl Port {
    /// Reserves a free port.
    ///
    /// # Panics
    /// When no port of the range is free.
    pub fn free() -> Port {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let folder = std::env::temp_dir().join("trunkline-test-ports");
        std::fs::create_dir_all(&folder).unwrap();
        let start = (std::process::id() % u32::from(COUNT)) as u16;
        for _ in 0..COUNT {
            let offset = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
            let number = FIRST + offset;
            let file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(folder.join(number.to_string()))
                .unwrap();
            let Ok(lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else {
                continue;
            };
            if TcpListener::bind(("127.0.0.1", number)).is_ok() {
                return Port {
                    number,
                    _lock: lock,
                };
            }
        }
        panic!("no free port in {FIRST}..{}", FIRST + COUNT);
    }

    /// The number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// `127.0.0.1:<number>`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}
