//! The gateway under test as a process: started with a configuration on
//! loopback ports, watched through its log, stopped by signal, and killed by
//! its process id when a test ends early.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{Port, Runtime, binary, metrics::Page, sandbox::Sandbox, wait};

/// The Collector's line when all listeners are open; tooling waits for it, and so do the tests.
pub const READY: &str = "Everything is ready. Begin running and processing data.";

/// How to start a gateway.
pub struct Launch {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    sandbox: Option<Sandbox>,
    folder: tempfile::TempDir,
    metrics: Port,
}

impl Launch {
    /// A gateway on one of the runtimes, with `yaml` as its configuration. Its
    /// own metrics are on a port of their own; see [`Gateway::metrics`].
    pub fn new(runtime: Runtime, yaml: &str) -> Launch {
        Launch::bare(yaml).arg("--runtime").arg(runtime.flag())
    }

    /// The same without `--runtime`.
    pub fn bare(yaml: &str) -> Launch {
        Launch::configured(binary::trunkline(), yaml)
    }

    /// Any program that takes a Collector's arguments, with `yaml` as its configuration.
    pub fn configured(program: impl Into<PathBuf>, yaml: &str) -> Launch {
        let launch = Launch::of(program);
        let file = launch.folder.path().join("config.yaml");
        std::fs::write(&file, yaml).unwrap();
        let own = format!(
            "yaml:service: {{telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: \
             {{host: 127.0.0.1, port: {}}}}}}}}}]}}}}}}",
            launch.metrics
        );
        launch.arg("--config").arg(file).arg("--config").arg(own)
    }

    /// A process of `program` without any argument.
    pub fn of(program: impl Into<PathBuf>) -> Launch {
        Launch {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            sandbox: None,
            folder: tempfile::tempdir().unwrap(),
            metrics: Port::free(),
        }
    }

    /// With one more argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Launch {
        self.arguments.push(argument.into());
        self
    }

    /// With an environment variable.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Launch {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Without something that containers take away.
    pub fn sandbox(mut self, sandbox: Sandbox) -> Launch {
        self.sandbox = Some(sandbox);
        self
    }

    /// Starts it, and returns when it is ready.
    ///
    /// # Panics
    /// With the log, when it ends or does not get ready.
    pub async fn start(self) -> Gateway {
        let mut gateway = self.spawn();
        gateway.wait_for_log(READY).await;
        gateway
    }

    /// Starts it, and returns at once.
    pub fn spawn(self) -> Gateway {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .envs(self.environment)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(sandbox) = self.sandbox {
            sandbox.apply(&mut command);
        }
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let log = Arc::new(Mutex::new(String::new()));
        let out = Arc::new(Mutex::new(String::new()));
        let readers = vec![
            collect(child.stderr.take().unwrap(), log.clone()),
            collect(child.stdout.take().unwrap(), out.clone()),
        ];
        Gateway {
            child,
            log,
            out,
            readers,
            folder: self.folder,
            metrics: self.metrics,
        }
    }

    /// Runs it to its own end.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn run(self) -> Finished {
        self.spawn().exited().await
    }
}

fn collect(
    stream: impl Read + Send + 'static,
    into: Arc<Mutex<String>>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            into.lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}

/// How a process ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// Everything on standard error.
    pub log: String,
    /// Everything on standard output.
    pub out: String,
}

impl Finished {
    /// The exit code.
    ///
    /// # Panics
    /// When a signal ended it.
    pub fn code(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| panic!("ended by {:?}:\n{}", self.status, self.log))
    }
}

/// A running gateway.
pub struct Gateway {
    child: Child,
    log: Arc<Mutex<String>>,
    out: Arc<Mutex<String>>,
    readers: Vec<std::thread::JoinHandle<()>>,
    folder: tempfile::TempDir,
    metrics: Port,
}

impl Gateway {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its working folder.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// What it has written to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// What it has written to standard output so far.
    pub fn out(&self) -> String {
        self.out.lock().unwrap().clone()
    }

    /// Reads its own metrics.
    pub async fn metrics(&self) -> Page {
        Page::read(&self.metrics).await
    }

    /// The port of its own metrics.
    pub fn metrics_port(&self) -> &Port {
        &self.metrics
    }

    /// Waits until `text` stands in the log or on standard output.
    ///
    /// # Panics
    /// With the log, when the process ends first or the text does not come.
    pub async fn wait_for_log(&mut self, text: &str) {
        let begun = std::time::Instant::now();
        loop {
            // Asked before reading, so that the last lines of a process that ended still count.
            let ended = self.child.try_wait().unwrap();
            if ended.is_some() {
                self.readers
                    .drain(..)
                    .for_each(|reader| reader.join().unwrap());
            }
            if self.log.lock().unwrap().contains(text) || self.out.lock().unwrap().contains(text) {
                return;
            }
            if let Some(status) = ended {
                panic!(
                    "the gateway ended ({status}) before it said {text:?}:\n{}",
                    self.log()
                );
            }
            assert!(
                begun.elapsed() < wait::PATIENCE,
                "the gateway did not say {text:?}:\n{}",
                self.log()
            );
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// SIGTERM, and its end.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn stop(self) -> Finished {
        self.signal(Signal::SIGTERM);
        self.exited().await
    }

    /// SIGKILL, and its end.
    pub async fn kill(self) -> Finished {
        self.signal(Signal::SIGKILL);
        self.exited().await
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// With the log, when it does not end.
    pub async fn exited(mut self) -> Finished {
        let begun = std::time::Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => {
                    assert!(
                        begun.elapsed() < wait::PATIENCE,
                        "the gateway does not end:\n{}",
                        self.log()
                    );
                    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
                }
            }
        };
        self.readers
            .drain(..)
            .for_each(|reader| reader.join().unwrap());
        Finished {
            status,
            log: self.log(),
            out: self.out(),
        }
    }

    /// What its open descriptors link to, such as `anon_inode:[io_uring]`.
    pub fn descriptors(&self) -> Vec<String> {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid()))
            .unwrap()
            // One may be closed between listing and reading.
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
            .map(|link| link.to_string_lossy().into_owned())
            .collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Ours, not yet reaped, so the id cannot be another process's.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() && !self.readers.is_empty() {
            eprintln!("--- the gateway's log ---\n{}", self.log());
        }
    }
}
