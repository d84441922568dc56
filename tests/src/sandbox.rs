//! What a container takes away: io_uring by a seccomp filter, locked memory by
//! a limit. Put on a child between fork and exec, so that the tests themselves
//! keep both. Also the question whether this process may have an io_uring.
//!
//! Unsafe, because these are system calls without a safe wrapper. Invariants:
//! between fork and exec only async-signal-safe calls are made and nothing is
//! allocated; the structures handed to the kernel outlive the calls and have
//! the sizes that the kernel reads.
#![allow(unsafe_code)]

use std::{io, os::unix::process::CommandExt, process::Command};

use nix::sys::resource::{Resource, getrlimit};

/// glommio refuses to start with less locked memory than this, bytes.
const GLOMMIO_MEMLOCK: u64 = 512 * 1024;

/// Something that a child process must do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sandbox {
    /// The io_uring system calls answer EPERM, as container runtimes have it.
    NoIoUring,
    /// `RLIMIT_MEMLOCK` (soft and hard), bytes.
    Memlock(u64),
}

impl Sandbox {
    /// Puts `command`'s process into it.
    pub fn apply(self, command: &mut Command) {
        // SAFETY: both functions make system calls only; see the module's invariants.
        unsafe {
            command.pre_exec(move || match self {
                Sandbox::NoIoUring => forbid_io_uring(),
                Sandbox::Memlock(bytes) => limit_memlock(bytes),
            });
        }
    }
}

fn limit_memlock(bytes: u64) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    // SAFETY: `limit` is a valid rlimit for the time of the call.
    check(unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit) })
}

/// A classic BPF program over `seccomp_data`, whose first word is the number of the system call:
/// the three io_uring calls (425 to 427 on every architecture) give EPERM, all others pass.
fn forbid_io_uring() -> io::Result<()> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const BELOW: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
    const ABOVE: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let mut program = [
        libc::sock_filter {
            code: LOAD,
            jt: 0,
            jf: 0,
            k: 0,
        },
        libc::sock_filter {
            code: BELOW,
            jt: 0,
            jf: 2,
            k: libc::SYS_io_uring_setup as u32,
        },
        libc::sock_filter {
            code: ABOVE,
            jt: 1,
            jf: 0,
            k: libc::SYS_io_uring_register as u32,
        },
        libc::sock_filter {
            code: RETURN,
            jt: 0,
            jf: 0,
            k: libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
        },
        libc::sock_filter {
            code: RETURN,
            jt: 0,
            jf: 0,
            k: libc::SECCOMP_RET_ALLOW,
        },
    ];
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: `filter` points at `program`, and both live to the end of this function.
    unsafe {
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        check(libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &filter,
        ))
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whether `io_uring_setup` succeeds here and the limit on locked memory is one that glommio accepts.
pub fn io_uring_setup_works() -> bool {
    const PARAMS: usize = 120;
    let mut params = [0u64; PARAMS / 8];
    // SAFETY: `params` is a zeroed io_uring_params (120 bytes, align 4 or less than u64's) that the kernel fills in.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1u32, params.as_mut_ptr()) };
    if ring < 0 {
        return false;
    }
    // SAFETY: the descriptor was just opened and nobody else knows it.
    unsafe { libc::close(ring as libc::c_int) };
    getrlimit(Resource::RLIMIT_MEMLOCK).is_ok_and(|(soft, _)| soft >= GLOMMIO_MEMLOCK)
}
