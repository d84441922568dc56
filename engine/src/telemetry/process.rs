//! What the operating system says about this process: memory, CPU time, and CPU
//! time by core thread. Read from `/proc` when somebody asks, never in between.

use std::{
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use super::metrics::{Observer, Registry, descriptors as desc};

/// The process's own figures, for as long as this is held in a registry.
#[derive(Debug)]
pub struct ProcessMetrics {
    _observers: Vec<Observer>,
}

impl ProcessMetrics {
    /// Registers `otelcol_process_*`. A Rust process has no Go heap; what stands in its
    /// place is said in `docs/telemetry.md`: heap_alloc is the resident anonymous
    /// memory, total_alloc the memory newly faulted in (minor faults × page size),
    /// total_sys the private writable mappings.
    pub fn new(registry: &Registry) -> Self {
        let started = Instant::now();
        let observers = vec![
            registry.observe(&desc::PROCESS_UPTIME, &[], move || {
                Some(started.elapsed().as_secs_f64())
            }),
            registry.observe(&desc::PROCESS_CPU_SECONDS, &[], cpu_seconds),
            registry.observe(&desc::PROCESS_MEMORY_RSS, &[], || status_bytes("VmRSS:")),
            registry.observe(&desc::PROCESS_HEAP_ALLOC, &[], || status_bytes("RssAnon:")),
            registry.observe(&desc::PROCESS_TOTAL_ALLOC, &[], faulted_bytes),
            registry.observe(&desc::PROCESS_TOTAL_SYS, &[], || status_bytes("VmData:")),
        ];
        ProcessMetrics {
            _observers: observers,
        }
    }
}

/// A field of `/proc/self/status` that is given in kB, in bytes.
fn status_bytes(field: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0)
}

fn usage() -> Option<nix::sys::resource::Usage> {
    nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).ok()
}

/// CPU time of the process so far, user and system, seconds.
pub fn cpu_seconds() -> Option<f64> {
    let usage = usage()?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Some(seconds(usage.user_time()) + seconds(usage.system_time()))
}

fn faulted_bytes() -> Option<f64> {
    Some(usage()?.minor_page_faults() as f64 * page_size())
}

fn page_size() -> f64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .map_or(4096.0, |bytes| bytes as f64)
}

/// Resident memory of the process, bytes.
pub fn resident_bytes() -> Option<f64> {
    status_bytes("VmRSS:")
}

/// Which thread runs which core, so that the CPU time of each can be read.
#[derive(Debug, Default)]
pub struct CoreThreads {
    threads: Mutex<Vec<(usize, i32)>>,
}

impl CoreThreads {
    /// Called once on the thread of core number `core`.
    pub fn register_current(&self, core: usize) {
        let thread = nix::unistd::gettid().as_raw();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|(of, _)| *of != core);
        threads.push((core, thread));
        threads.sort_unstable();
    }

    /// CPU time of each core's thread so far, user and system, seconds; by core.
    pub fn cpu_seconds(&self) -> Vec<(usize, f64)> {
        let threads = self
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let seconds = |(core, thread)| Some((core, thread_cpu_seconds(thread)?));
        threads.into_iter().filter_map(seconds).collect()
    }
}

/// Registers `trunkline_core_cpu_seconds` for cores 0 to `cores` − 1, shown for those
/// whose thread `threads` knows, for as long as the result is held.
pub fn observe_cores(
    registry: &Registry,
    threads: &Arc<CoreThreads>,
    cores: usize,
) -> Vec<Observer> {
    let observe = |core: usize| {
        let threads = threads.clone();
        registry.observe(
            &desc::CORE_CPU_SECONDS,
            &[("core", &core.to_string())],
            move || {
                let of_core = |(of, seconds): (usize, f64)| (of == core).then_some(seconds);
                threads.cpu_seconds().into_iter().find_map(of_core)
            },
        )
    };
    (0..cores).map(observe).collect()
}

fn thread_cpu_seconds(thread: i32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/self/task/{thread}/stat")).ok()?;
    // proc(5): the name in parentheses may contain anything; utime and stime are the
    // 14th and 15th fields, the 12th and 13th after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)
        .ok()
        .flatten()?;
    Some((user + system) / ticks as f64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::telemetry::Level;

    #[test]
    fn the_process_shows_memory_and_time() {
        let registry = Registry::new(Level::Basic);
        let held = ProcessMetrics::new(&registry);
        let names: Vec<_> = registry
            .sample()
            .iter()
            .map(|f| f.descriptor.name)
            .collect();
        assert_eq!(names.len(), 6, "{names:?}");
        assert!(resident_bytes().is_some_and(|bytes| bytes > 100_000.0));
        drop(held);
        registry.retire();
        assert!(registry.sample().is_empty());
    }

    #[test]
    fn a_core_is_as_busy_as_its_thread() {
        let threads = CoreThreads::default();
        threads.register_current(3);
        threads.register_current(3);
        let seconds = threads.cpu_seconds();
        assert_eq!(seconds.len(), 1);
        assert!(
            seconds
                .first()
                .is_some_and(|(core, seconds)| *core == 3 && *seconds >= 0.0)
        );

        let registry = Registry::new(Level::Basic);
        let _held = observe_cores(&registry, &Arc::new(threads), 4);
        let families = registry.sample();
        let series = families.iter().flat_map(|family| &family.series);
        let labels: Vec<_> = series.map(|series| series.labels.clone()).collect();
        assert_eq!(labels, [[("core", "3".to_owned())]]);
    }
}
