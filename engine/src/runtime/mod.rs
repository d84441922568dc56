//! The per-core runtime: one executor a core, behind a small facade so that the
//! same engine runs on glommio (io_uring) or on an epoll reactor (tokio's
//! current-thread one) of the same shape.
//!
//! Only this folder names glommio or tokio's reactor. The facade is concrete
//! types of two variants; no type parameter runs through the engine. What is
//! here: [`spawn`], [`sleep`], [`Stream`], [`Listener`], the plan of cores, the
//! mesh between cores. What is not: protocols (`net`) and pipelines (`graph`).

pub mod cores;
pub mod limits;
mod listener;
mod low_water;
pub mod mesh;
mod mode;
mod stream;
mod timer;

use std::{cell::Cell, future::Future};

pub use listener::{Accepted, Listener, LoneSocket};
pub use mode::{Choice, Mode, choose, probe};
pub use stream::Stream;
pub use timer::{Elapsed, Sleep, sleep, sleep_until, timeout, timeout_at};

thread_local! {
    static MODE: Cell<Option<Mode>> = const { Cell::new(None) };
    static CORE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The reactor of the executor that runs on this thread; `None` on other threads.
pub fn current_mode() -> Option<Mode> {
    MODE.get()
}

/// The index of the core that runs on this thread; `None` on other threads.
pub fn current_core() -> Option<usize> {
    match CORE.get() {
        usize::MAX => None,
        core => Some(core),
    }
}

fn enter(mode: Mode, core: usize) {
    MODE.set(Some(mode));
    CORE.set(core);
}

/// Starts a task on this core's executor; it is not waited for and ends with the executor.
///
/// # Panics
/// On a thread without an executor: a mistake in the engine, never caused by input.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    match MODE.get() {
        Some(Mode::IoUring) => {
            glommio::spawn_local(future).detach();
        }
        _ => {
            tokio::task::spawn_local(future);
        }
    }
}

/// Runs a future to its end on this thread, with an executor of its own on which it can spawn and
/// wait: for what is tried out beside the engine.
///
/// # Errors
/// The kernel's answer.
pub fn alone<T>(future: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())?;
    Ok(runtime.block_on(future))
}

/// Lets other tasks of this core run once.
pub async fn yield_now() {
    futures_lite::future::yield_now().await;
}

/// Lets this core take in what has arrived: whatever could run has run, the sockets were asked
/// once more, and those who were woken by that had their turn.
pub async fn pass() {
    match MODE.get() {
        // glommio asks its rings when no task can run any more, and wakes timers after that.
        Some(Mode::IoUring) => timer::shortest().await,
        // tokio wakes who yields to it after it has asked the kernel.
        _ => tokio::task::yield_now().await,
    }
    // A connection that was woken wakes the requests whose bodies it has read.
    yield_now().await;
}
