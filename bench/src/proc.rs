//! What a process costs: CPU of it and its children, resident memory, and the cores processes
//! are pinned to. All from `/proc`, so Linux only.

use std::fs;
use std::path::Path;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::{Pid, SysconfVar, sysconf};

use crate::error::Error;

/// CPU and memory of a process tree at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// User time in seconds since the processes started.
    pub user_s: f64,
    /// System time in seconds since the processes started.
    pub system_s: f64,
    /// Resident memory in bytes, summed over the processes.
    pub resident: u64,
    /// Threads, summed over the processes.
    pub threads: u64,
}

impl Usage {
    /// User and system time in seconds.
    pub fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}

/// The usage of `pid` and its living descendants; what dead children took is counted with their
/// parents (`cutime`, `cstime`).
pub fn usage(pid: u32) -> Result<Usage, Error> {
    let tick = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100) as f64;
    let page = sysconf(SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .unwrap_or(4096) as u64;
    let mut total = Usage::default();
    let mut waiting = vec![pid];
    let mut first = true;
    while let Some(pid) = waiting.pop() {
        let base = format!("/proc/{pid}");
        let stat = match fs::read_to_string(format!("{base}/stat")) {
            Ok(s) => s,
            Err(e) if first => {
                return Err(Error::Io(
                    format!("reading the CPU time of process {pid}"),
                    e,
                ));
            }
            Err(_) => continue, // a child that ended meanwhile: its parent's cutime has it
        };
        first = false;
        if let Some(t) = parse_stat(&stat) {
            total.user_s += t.user as f64 / tick;
            total.system_s += t.system as f64 / tick;
            total.resident += t.resident_pages * page;
            total.threads += t.threads;
        }
        waiting.extend(children(Path::new(&base)));
    }
    Ok(total)
}

struct Stat {
    user: u64,
    system: u64,
    threads: u64,
    resident_pages: u64,
}

/// Fields of `/proc/PID/stat` (proc_pid_stat(5)); the name in brackets may hold anything.
fn parse_stat(stat: &str) -> Option<Stat> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // `fields[0]` is field 3 of the manual page.
    let at = |n: usize| fields.get(n - 3)?.parse::<u64>().ok();
    Some(Stat {
        user: at(14)? + at(16)?,
        system: at(15)? + at(17)?,
        threads: at(20)?,
        resident_pages: at(24)?,
    })
}

/// Direct children, as each thread of the process lists its own.
fn children(base: &Path) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(base.join("task")) else {
        return Vec::new();
    };
    tasks
        .flatten()
        .filter_map(|t| fs::read_to_string(t.path().join("children")).ok())
        .flat_map(|list| {
            list.split_ascii_whitespace()
                .filter_map(|n| n.parse().ok())
                .collect::<Vec<u32>>()
        })
        .collect()
}

/// The highest resident memory a process has had, in bytes.
pub fn peak_resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// The cores that a process may run on.
pub fn cores_of(pid: u32) -> Result<Vec<usize>, Error> {
    let set = sched_getaffinity(Pid::from_raw(pid as i32))
        .map_err(|e| Error::Io(format!("reading the cores of process {pid}"), e.into()))?;
    Ok((0..CpuSet::count())
        .filter(|&c| set.is_set(c).unwrap_or(false))
        .collect())
}

/// Pins the calling thread, and whatever it starts from now on, to `cores`.
pub fn pin_self(cores: &[usize]) -> Result<(), Error> {
    let what = || format!("pinning to cores {cores:?}");
    let mut set = CpuSet::new();
    for &c in cores {
        set.set(c).map_err(|e| Error::Io(what(), e.into()))?;
    }
    sched_setaffinity(Pid::from_raw(0), &set).map_err(|e| Error::Io(what(), e.into()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_behind_any_process_name() {
        let stat = "42 (a) b ) c) S 1 42 42 0 -1 4194560 1 2 3 4 500 60 7 8 20 0 9 0 100 1000000 321 18446744073709551615";
        let s = parse_stat(stat).unwrap();
        assert_eq!(
            (s.user, s.system, s.threads, s.resident_pages),
            (507, 68, 9, 321)
        );
    }

    #[test]
    fn this_process_has_memory_threads_and_cores() {
        let u = usage(std::process::id()).unwrap();
        assert!(u.resident > 0 && u.threads > 0);
        assert!(!cores_of(std::process::id()).unwrap().is_empty());
        assert!(peak_resident(std::process::id()).unwrap() > 0);
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(usage(u32::MAX / 2).is_err());
    }
}
