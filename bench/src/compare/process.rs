//! Starts and stops what a comparison needs, each on its cores.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::peers::Peer;
use crate::error::Error;
use crate::{net, proc};

/// Those that run, so that they end with this program when it is told to end.
static STARTED: Mutex<Vec<u32>> = Mutex::new(Vec::new());

fn started() -> MutexGuard<'static, Vec<u32>> {
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on SIGTERM and SIGINT end what was started before they end this program. Caught, not
/// blocked: a blocked signal stays blocked in what is started.
pub fn end_together() {
    std::thread::spawn(|| {
        let told = net::block_on(net::terminated());
        for pid in started().iter() {
            let _ = kill(Pid::from_raw(*pid as i32), Signal::SIGTERM);
        }
        if let Err(e) = told {
            eprintln!("trunkline-bench: {e}");
        }
        std::process::exit(130);
    });
}

/// How long a process may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(10);

/// A process that ends with this value.
pub struct Running {
    child: Child,
    name: String,
    log: PathBuf,
    /// Where it takes requests.
    pub listen: SocketAddr,
}

/// A free port on the loopback interface.
pub fn free_address() -> Result<SocketAddr, Error> {
    let what = "looking for a free port";
    TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .map_err(Error::io(what))
}

/// Starts a program on `cores`, its output going to a file in `dir`.
pub fn start(
    name: &str,
    command: &[String],
    cores: &[usize],
    dir: &Path,
    listen: SocketAddr,
) -> Result<Running, Error> {
    let log = dir.join(format!("{name}.log"));
    let file = File::create(&log).map_err(Error::io(format!("creating {}", log.display())))?;
    let copy = file.try_clone().map_err(Error::io("sharing a log file"))?;
    let Some((program, rest)) = command.split_first() else {
        return Err(Error::Usage(format!("{name} has no command")));
    };
    // A child inherits the cores of the thread that starts it, so that even its first threads
    // and the number of cores it counts are right.
    let own = proc::cores_of(std::process::id())?;
    proc::pin_self(cores)?;
    let mut running = started();
    let spawned = Command::new(program)
        .args(rest)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(copy)
        .spawn()
        .map_err(Error::io(format!("starting {program}")));
    proc::pin_self(&own)?;
    let child = spawned?;
    running.push(child.id());
    Ok(Running {
        child,
        name: name.to_owned(),
        log,
        listen,
    })
}

/// Writes a peer's configuration and starts it.
pub fn start_peer(
    peer: &Peer,
    sink: SocketAddr,
    raw_sink: SocketAddr,
    cores: &[usize],
    dir: &Path,
) -> Result<Running, Error> {
    let dir = dir.join(&peer.name);
    fs::create_dir_all(&dir).map_err(Error::io(format!("creating {}", dir.display())))?;
    let (listen, http, metrics, health) = (
        free_address()?,
        free_address()?,
        free_address()?,
        free_address()?,
    );
    let config = dir.join("config.yaml");
    let fill = |text: &str| {
        text.replace("{listen}", &listen.to_string())
            .replace("{listen_port}", &listen.port().to_string())
            .replace("{sink}", &sink.to_string())
            .replace("{sink_port}", &sink.port().to_string())
            .replace("{raw_sink}", &raw_sink.to_string())
            .replace("{http}", &http.to_string())
            .replace("{metrics_port}", &metrics.port().to_string())
            .replace("{health}", &health.to_string())
            .replace("{dir}", &dir.display().to_string())
            .replace("{config}", &config.display().to_string())
    };
    if let Some(text) = &peer.config {
        fs::write(&config, fill(text))
            .map_err(Error::io(format!("writing {}", config.display())))?;
    }
    let command: Vec<String> = peer.command.iter().map(|w| fill(w)).collect();
    start(&peer.name, &command, cores, &dir, listen)
}

impl Running {
    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Why it is of no use any more, with the end of what it printed; `None` while it runs.
    pub fn ended(&mut self) -> Option<String> {
        let mut running = started();
        let status = self.child.try_wait().ok()??;
        running.retain(|pid| *pid != self.child.id());
        drop(running);
        Some(format!(
            "{} ended with {status}: {}",
            self.name,
            self.last_words()
        ))
    }

    /// The end of what it printed.
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines
            .get(lines.len().saturating_sub(8)..)
            .unwrap_or_default()
            .join("\n")
    }

    /// Asks it to end, and waits.
    pub fn stop(mut self) -> Result<(), Error> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Error> {
        let failed = |e| Error::Io(format!("stopping {}", self.name), e);
        // Before it is waited for: from then on the number may be another's.
        started().retain(|pid| *pid != self.child.id());
        if self.child.try_wait().map_err(failed)?.is_some() {
            return Ok(());
        }
        // The pid is a child's that has not been waited for, so it is still its own.
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if self.child.try_wait().map_err(failed)?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.child.kill().map_err(failed)?;
        self.child.wait().map_err(failed)?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(e) = self.end() {
            eprintln!("trunkline-bench: {e}");
        }
    }
}
