//! How many cores the engine uses, on which processors, and the threads that run them.

use std::{future::Future, io, thread};

use glommio::{LocalExecutorBuilder, Placement};

use super::{
    Mode, enter, limits,
    mode::{IO_MEMORY, RING_DEPTH},
};

/// The cores that the engine will run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Number of executors.
    pub count: usize,
    /// The processor of each executor, where they are pinned.
    pub pinned: Option<Vec<usize>>,
    /// Why so many, and why pinned or not: for the log.
    pub reason: String,
}

/// Decides on the cores: the smaller of the affinity mask and the cgroup's quota rounded up,
/// unless `requested` (`--cores`) says otherwise. Executors are pinned only where the mask is no
/// larger than their number: else every pod of a machine would sit on the same first processors.
pub fn plan(requested: Option<usize>) -> Plan {
    plan_for(requested, &limits::affinity(), limits::cpu_quota())
}

fn plan_for(requested: Option<usize>, mask: &[usize], quota: Option<f64>) -> Plan {
    let allowed = mask.len().max(1);
    let (count, why) = match (requested, quota) {
        (Some(n), _) => (n.max(1), format!("--cores {n}")),
        (None, Some(quota)) if (quota.ceil() as usize) < allowed => (
            (quota.ceil() as usize).max(1),
            format!("cgroup quota of {quota} processors"),
        ),
        (None, _) => (allowed, format!("affinity mask of {allowed} processors")),
    };
    if mask.len() <= count && count <= allowed {
        Plan {
            count,
            pinned: Some(mask.to_vec()),
            reason: format!("{why}; pinned, one to a processor"),
        }
    } else {
        Plan {
            count,
            pinned: None,
            reason: format!("{why}; not pinned: the mask allows {allowed} processors"),
        }
    }
}

impl Plan {
    /// The processor that a core is pinned to.
    pub fn processor(&self, core: usize) -> Option<usize> {
        self.pinned.as_ref()?.get(core).copied()
    }
}

/// A running core.
pub struct Core {
    thread: thread::JoinHandle<io::Result<()>>,
}

impl Core {
    /// Waits until the core has ended.
    ///
    /// # Errors
    /// The executor did not start, or panicked.
    pub fn join(self) -> io::Result<()> {
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("a core panicked; see the log above")))
    }
}

/// Starts a thread with an executor for one core and runs the future that `make` returns on it.
///
/// # Errors
/// The thread cannot be started.
pub fn start<M, F>(mode: Mode, plan: &Plan, core: usize, make: M) -> io::Result<Core>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    let cpu = plan.processor(core);
    let thread = thread::Builder::new()
        .name(format!("core-{core}"))
        .spawn(move || match mode {
            Mode::IoUring => {
                let executor =
                    LocalExecutorBuilder::new(cpu.map_or(Placement::Unbound, Placement::Fixed))
                        .name(&format!("core-{core}"))
                        .ring_depth(RING_DEPTH)
                        .io_memory(IO_MEMORY)
                        .make()
                        .map_err(|e| io::Error::other(e.to_string()))?;
                enter(mode, core);
                executor.run(make());
                Ok(())
            }
            Mode::Epoll => {
                if let Some(cpu) = cpu {
                    limits::pin(cpu)?;
                }
                // Not a LocalSet on a plain runtime: its wakes go through an eventfd, one write each.
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_io()
                    .enable_time()
                    .build_local(tokio::runtime::LocalOptions::default())?;
                enter(mode, core);
                runtime.block_on(async move {
                    match tokio::task::spawn_local(make()).await {
                        Ok(()) => Ok(()),
                        Err(panicked) => Err(io::Error::other(panicked)),
                    }
                })?;
                Ok(())
            }
        })?;
    Ok(Core { thread })
}

#[cfg(test)]
mod tests {
    use super::plan_for;

    #[test]
    fn cores_follow_mask_quota_and_request() {
        // requested, mask, quota -> count, pinned
        type Case<'a> = (
            Option<usize>,
            &'a [usize],
            Option<f64>,
            usize,
            Option<&'a [usize]>,
        );
        let cases: &[Case<'_>] = &[
            (None, &[0, 1], None, 2, Some(&[0, 1])),
            (None, &[2, 3], Some(8.0), 2, Some(&[2, 3])),
            (None, &[0, 1, 2, 3], Some(1.5), 2, None),
            (None, &[0, 1, 2, 3], Some(0.5), 1, None),
            (Some(1), &[0, 1], None, 1, None),
            (Some(2), &[0, 1], Some(1.0), 2, Some(&[0, 1])),
            (Some(4), &[0, 1], None, 4, None),
            (Some(1), &[5], None, 1, Some(&[5])),
        ];
        for (requested, mask, quota, count, pinned) in cases {
            let plan = plan_for(*requested, mask, *quota);
            assert_eq!(plan.count, *count, "{plan:?}");
            assert_eq!(plan.pinned.as_deref(), *pinned, "{plan:?}");
        }
    }
}
