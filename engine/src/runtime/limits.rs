//! What the kernel grants this process: open files, locked memory, io_uring,
//! processors and memory by affinity and cgroup.
//!
//! Safety: the raw calls here pass only integers, or pointers to locals that
//! outlive the call; file descriptors they return are closed before returning.
#![allow(unsafe_code)]

use std::{fs, io, path::PathBuf};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one; returns the limit now in force.
pub fn raise_open_files() -> u64 {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) if soft < hard => match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
            Ok(()) => hard,
            Err(_) => soft,
        },
        Ok((soft, _)) => soft,
        Err(_) => 1024,
    }
}

/// The soft limit of locked memory in bytes.
pub fn locked_memory() -> u64 {
    getrlimit(Resource::RLIMIT_MEMLOCK).map_or(u64::MAX, |(soft, _)| soft)
}

/// Asks the kernel for the smallest ring and gives it back.
///
/// # Errors
/// The kernel's answer, in words.
pub fn io_uring_permitted() -> Result<(), String> {
    // struct io_uring_params is 120 bytes of plain integers.
    let mut params = [0u8; 120];
    // SAFETY: the kernel writes at most the 120 bytes of `params`.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 2u32, params.as_mut_ptr()) };
    if fd >= 0 {
        // SAFETY: the descriptor was just returned to us and is used nowhere else.
        unsafe { libc::close(fd as i32) };
        return Ok(());
    }
    let error = io::Error::last_os_error();
    Err(match error.raw_os_error() {
        Some(libc::EPERM) => {
            "io_uring_setup is not permitted (a seccomp filter or kernel.io_uring_disabled)".into()
        }
        Some(libc::ENOSYS) => "this kernel has no io_uring".into(),
        Some(libc::ENOMEM) => "io_uring_setup: no locked memory left".into(),
        _ => format!("io_uring_setup: {error}"),
    })
}

/// The processors in this thread's affinity mask, ascending.
pub fn affinity() -> Vec<usize> {
    match nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0)) {
        Ok(set) => (0..nix::sched::CpuSet::count())
            .filter(|&cpu| set.is_set(cpu).unwrap_or(false))
            .collect(),
        Err(_) => vec![0],
    }
}

/// Pins this thread to one processor.
///
/// # Errors
/// The kernel's answer.
pub fn pin(cpu: usize) -> io::Result<()> {
    let mut set = nix::sched::CpuSet::new();
    set.set(cpu)?;
    nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set)?;
    Ok(())
}

/// Folders that hold this process's cgroup limits, innermost first.
fn cgroup_folders(controller: &str) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let table = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    for line in table.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let root = if controllers.is_empty() {
            PathBuf::from("/sys/fs/cgroup")
        } else if controllers.split(',').any(|c| c == controller) {
            PathBuf::from("/sys/fs/cgroup").join(controllers)
        } else {
            continue;
        };
        let mut folder = root.join(path.trim_start_matches('/'));
        // A limit set on any ancestor binds too.
        loop {
            folders.push(folder.clone());
            if folder == root || !folder.pop() {
                break;
            }
        }
        folders.push(root);
    }
    folders
}

/// Processors that the cgroup's quota allows (`cpu.max`, or cfs_quota of version 1), if it sets one.
pub fn cpu_quota() -> Option<f64> {
    let mut least: Option<f64> = None;
    for folder in cgroup_folders("cpu") {
        let quota = fs::read_to_string(folder.join("cpu.max"))
            .ok()
            .and_then(|text| parse_cpu_max(&text))
            .or_else(|| {
                let quota = number(&folder.join("cpu.cfs_quota_us"))?;
                let period = number(&folder.join("cpu.cfs_period_us"))?;
                (quota > 0.0 && period > 0.0).then(|| quota / period)
            });
        if let Some(quota) = quota {
            least = Some(least.map_or(quota, |l: f64| l.min(quota)));
        }
    }
    least
}

fn parse_cpu_max(text: &str) -> Option<f64> {
    let mut parts = text.split_whitespace();
    let quota: f64 = parts.next()?.parse().ok()?;
    let period: f64 = parts.next().map_or(Ok(100_000.0), str::parse).ok()?;
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

fn number(path: &std::path::Path) -> Option<f64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Bytes of memory that this process may use: the smallest cgroup limit, else the machine's.
pub fn memory() -> u64 {
    let mut least = machine_memory();
    for folder in cgroup_folders("memory") {
        for file in ["memory.max", "memory.limit_in_bytes"] {
            if let Some(limit) = number(&folder.join(file))
                && limit > 0.0
                && limit < least as f64
            {
                least = limit as u64;
            }
        }
    }
    least
}

fn machine_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|kib| kib.parse::<u64>().ok())
        .map_or(1 << 30, |kib| kib << 10)
}

#[cfg(test)]
mod tests {
    #[test]
    fn cpu_max_is_quota_over_period() {
        for (text, want) in [
            ("max 100000\n", None),
            ("150000 100000\n", Some(1.5)),
            ("50000\n", Some(0.5)),
            ("", None),
            ("0 100000", None),
        ] {
            assert_eq!(super::parse_cpu_max(text), want, "{text:?}");
        }
    }
}
