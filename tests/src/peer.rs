//! The real peers: installed by the scripts in `tests/peers` into `target/peers`
//! on first use, and a reason to skip, loudly, where they cannot be had.

use std::{
    collections::BTreeMap,
    fs::File,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::Mutex,
};

use nix::fcntl::{Flock, FlockArg};

use crate::{Launch, binary, skip::skip};

/// A peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// The Go Collector; `TRUNKLINE_OTELCOL` names one that is already built.
    Otelcol,
    /// The reference's OTTL library, answering line by line.
    Ottl,
    /// telemetrygen.
    Telemetrygen,
    /// The sender on the Go SDK.
    GoSdk,
    /// The Python of a virtual environment with the SDK.
    Python,
    /// curl, as it is installed.
    Curl,
}

impl Peer {
    /// Its name in `tests/skips`, and its script's in `tests/peers`.
    pub const fn name(self) -> &'static str {
        match self {
            Peer::Otelcol => "otelcol",
            Peer::Ottl => "ottl",
            Peer::Telemetrygen => "telemetrygen",
            Peer::GoSdk => "gosdk",
            Peer::Python => "python",
            Peer::Curl => "curl",
        }
    }

    /// Its program, installed if need be. Without it, `test` is skipped.
    pub fn get(self, test: &str) -> Option<PathBuf> {
        match self.find() {
            Ok(program) => Some(program),
            Err(why) => {
                skip(test, self.name(), &why);
                None
            }
        }
    }

    /// Tried once in a process; the next test need not wait for the same failure.
    fn find(self) -> Result<PathBuf, String> {
        static FOUND: Mutex<BTreeMap<Peer, Result<PathBuf, String>>> = Mutex::new(BTreeMap::new());
        FOUND
            .lock()
            .unwrap()
            .entry(self)
            .or_insert_with(|| self.install())
            .clone()
    }

    fn install(self) -> Result<PathBuf, String> {
        let folder = binary::target().join("peers");
        let program = match self {
            Peer::Otelcol => match std::env::var_os("TRUNKLINE_OTELCOL") {
                Some(given) => return Ok(given.into()),
                None => folder.join("otelcol"),
            },
            Peer::Curl => {
                let found = Command::new("curl")
                    .arg("--version")
                    .stdout(Stdio::null())
                    .status();
                return found
                    .map(|_| "curl".into())
                    .map_err(|error| error.to_string());
            }
            Peer::Python => folder.join("python/bin/python"),
            other => folder.join(other.name()),
        };
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        // Two test processes must not install into one folder at a time.
        let lock = File::create(folder.join("lock")).map_err(|error| error.to_string())?;
        let _lock =
            Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error.to_string())?;
        let script = binary::workspace().join(format!("tests/peers/{}.sh", self.name()));
        let output = Command::new("bash")
            .arg(script)
            .env("P", &folder)
            .current_dir(binary::workspace())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(program)
        } else {
            Err(said(&output))
        }
    }
}

/// What a process wrote to both streams.
pub fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A Go Collector with this configuration, or a skip of `test`.
pub fn collector(test: &str, yaml: &str) -> Option<Launch> {
    let program = Peer::Otelcol.get(test)?;
    Some(Launch::configured(program, yaml))
}

/// Runs a peer to its end beside the test's own reactor.
///
/// # Panics
/// With what it said, when it failed.
pub async fn run(command: Command) {
    let mut command = command;
    command.stdin(Stdio::null());
    let name = format!("{command:?}");
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    assert!(
        output.status.success(),
        "{name} failed ({}):\n{}",
        output.status,
        said(&output)
    );
}
