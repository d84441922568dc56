//! The two runtimes of the gateway, and how every end-to-end test runs on both.

use std::{fmt, future::Future};

/// What `--runtime` selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// glommio on io_uring.
    IoUring,
    /// The epoll reactor.
    Epoll,
}

impl Runtime {
    /// The value of `--runtime`.
    pub const fn flag(self) -> &'static str {
        match self {
            Runtime::IoUring => "io_uring",
            Runtime::Epoll => "epoll",
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.flag())
    }
}

/// Whether this kernel lets this process have an io_uring. Where it does, the
/// io_uring half of the suite must run; where it does not, it is skipped, and
/// the skip must be listed.
pub fn io_uring_permitted() -> bool {
    crate::sandbox::io_uring_setup_works()
}

/// Runs a test body on its own reactor; what [`both_runtimes!`](crate::both_runtimes) expands to.
pub fn run<F: Future<Output = ()>>(name: &str, runtime: Runtime, body: impl FnOnce(Runtime) -> F) {
    if runtime == Runtime::IoUring && !io_uring_permitted() {
        crate::skip::skip(name, "io_uring", "the kernel does not permit io_uring here");
        return;
    }
    block_on(body(runtime));
}

/// Runs a future on a reactor of its own.
pub fn block_on(body: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(body);
}

/// Turns each `async fn name(runtime: Runtime)` into two tests, `name::io_uring` and `name::epoll`.
#[macro_export]
macro_rules! both_runtimes {
    ($($(#[$meta:meta])* async fn $name:ident($runtime:ident: Runtime) $body:block)*) => {$(
        $(#[$meta])*
        async fn $name($runtime: $crate::Runtime) $body

        mod $name {
            #[test]
            fn io_uring() {
                $crate::runtime::run(stringify!($name), $crate::Runtime::IoUring, super::$name);
            }

            #[test]
            fn epoll() {
                $crate::runtime::run(stringify!($name), $crate::Runtime::Epoll, super::$name);
            }
        }
    )*};
}
