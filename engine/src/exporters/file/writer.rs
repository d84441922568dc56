//! The thread that writes an exporter's files, one for all cores. Cores hand it
//! whole encoded requests over a bounded queue and are answered once the kernel
//! has them, so that no core waits for a disk.

use std::{
    collections::HashMap,
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use nix::sys::signal::{SigSet, Signal};
use smallvec::SmallVec;
use tokio::sync::{mpsc, oneshot};

use super::{
    config::Config,
    names::Names,
    target::{Existing, Mark, Rotation, Target},
};
use crate::telemetry::logs::os_error;

/// Requests that may wait for the thread; further ones wait on their cores.
const WAITING: usize = 256;
/// How much a file's time of change may lie behind the clock.
const COARSE: Duration = Duration::from_millis(20);

/// One message and where it goes.
pub struct Message {
    /// The file; `None` is those that are always open.
    pub path: Option<PathBuf>,
    /// Written before the body.
    pub length: Option<[u8; 4]>,
    /// The message, with its end where it has one.
    pub body: Bytes,
}

/// Why messages were not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the system said about which file.
    pub message: String,
    /// Whether the same may work later.
    pub retryable: bool,
}

struct Job {
    messages: SmallVec<[Message; 1]>,
    answer: oneshot::Sender<Result<(), Failure>>,
}

/// The way to the thread. The thread ends when this is dropped.
pub struct Writer {
    path: String,
    /// The settings it was opened with, as text.
    opened_with: String,
    queue: Option<mpsc::Sender<Job>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Whether it writes what these settings ask for.
    pub fn serves(&self, config: &Config) -> bool {
        self.opened_with == format!("{config:?}")
    }

    /// The file, or the pattern of the many, as configured.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Opens the file, as far as it is known, and starts the thread. `shared`: another writer has
    /// it open; nothing is emptied.
    ///
    /// # Errors
    /// The Collector's texts for directories and files that cannot be made.
    pub fn start(config: &Config, shared: bool) -> Result<Writer, String> {
        let append = config.append || shared;
        let grouped = config.group_by.enabled;
        let path = PathBuf::from(&config.path);
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mode = config.permissions()?;
        if config.create_directory && !grouped {
            make_folder(folder, mode)
                .map_err(|e| format!("mkdir {}: {}", folder.display(), os_error(&e)))?;
        }
        let rotation = config.rotation.get().map(|rotation| {
            let number = |n: i64| u64::try_from(n).unwrap_or(0);
            let megabytes = match number(rotation.max_megabytes) {
                0 => 100,
                n => n,
            };
            Rotation {
                max_bytes: megabytes.saturating_mul(1 << 20),
                max_backups: number(rotation.max_backups),
                max_days: number(rotation.max_days),
                local: rotation.localtime,
            }
        });
        let mut files = Files {
            max_open: usize::try_from(config.group_by.max_open_files)
                .unwrap_or(1)
                .max(1),
            mode,
            existing: if append {
                Existing::Append
            } else {
                let now = SystemTime::now();
                Existing::AppendSince(now.checked_sub(COARSE).unwrap_or(now))
            },
            rotation,
            ..Files::default()
        };
        if !grouped {
            if let Some(rotation) = rotation {
                Names::new(&path, rotation.local).migrate().map_err(|e| {
                    format!(
                        "migrating legacy backups: reading directory {0}: open {0}: {1}",
                        folder.display(),
                        os_error(&e)
                    )
                })?;
            }
            let existing = if append {
                Existing::Append
            } else {
                Existing::Truncate
            };
            let mut only = Target::new(path, existing, rotation);
            // A file that is rotated is made with its first message.
            if rotation.is_none() {
                only.open()
                    .map_err(|e| format!("open {}: {}", only.path().display(), os_error(&e)))?;
            }
            files.fixed.push(only);
        }
        let mut writer = Writer::over(files)?;
        writer.path.clone_from(&config.path);
        writer.opened_with = format!("{config:?}");
        Ok(writer)
    }

    /// A writer that appends every message to each of the targets.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn to_all(targets: Vec<Target>) -> Result<Writer, String> {
        Writer::over(Files {
            fixed: targets,
            ..Files::default()
        })
    }

    fn over(files: Files) -> Result<Writer, String> {
        let (queue, jobs) = mpsc::channel(WAITING);
        let thread = std::thread::Builder::new()
            .name("file".to_owned())
            .spawn(move || run(files, jobs))
            .map_err(|e| format!("starting the writing thread: {}", os_error(&e)))?;
        Ok(Writer {
            path: String::new(),
            opened_with: String::new(),
            queue: Some(queue),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Writes all of the messages, or as good as none: when one fails, those before it are taken
    /// back. Returns when the kernel has them.
    ///
    /// # Errors
    /// See `Failure`.
    pub async fn write(&self, messages: SmallVec<[Message; 1]>) -> Result<(), Failure> {
        let gone = || Failure {
            message: "the writing thread has ended".to_owned(),
            retryable: true,
        };
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        let job = Job { messages, answer };
        queue.send(job).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        let thread = self
            .thread
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // A panic of the thread has been printed by its hook.
            let _ = thread.join();
        }
    }
}

fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path)
}

fn run(mut files: Files, mut jobs: mpsc::Receiver<Job>) {
    // At a limit of file size the error is wanted, not the signal.
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    let _ = signals.thread_block();
    while let Some(job) = jobs.blocking_recv() {
        let written = files.write(&job.messages);
        // Who asked may have given up.
        let _ = job.answer.send(written);
    }
}

/// One of the files.
#[derive(Clone, Copy)]
enum Place<'a> {
    Fixed(usize),
    Path(&'a Path),
}

/// The files of an exporter: those that are always open, or those that are open of the many.
struct Files {
    /// Each gets every message without a path.
    fixed: Vec<Target>,
    /// With the number of the use that was the last.
    open: HashMap<PathBuf, (u64, Target)>,
    max_open: usize,
    uses: u64,
    mode: u32,
    /// For files of the many: one that was closed because too many were open is written on.
    existing: Existing,
    rotation: Option<Rotation>,
}

impl Default for Files {
    fn default() -> Self {
        Files {
            fixed: Vec::new(),
            open: HashMap::new(),
            max_open: 1,
            uses: 0,
            mode: 0o755,
            existing: Existing::Append,
            rotation: None,
        }
    }
}

impl Files {
    fn write(&mut self, messages: &[Message]) -> Result<(), Failure> {
        let mut done: SmallVec<[(Place<'_>, Mark); 1]> = SmallVec::new();
        for message in messages {
            let places: SmallVec<[Place<'_>; 1]> = match &message.path {
                Some(path) => SmallVec::from_buf([Place::Path(path)]),
                None => (0..self.fixed.len()).map(Place::Fixed).collect(),
            };
            for place in places {
                match self.write_one(place, message) {
                    Ok(mark) => done.push((place, mark)),
                    Err(failure) => {
                        for (place, mark) in done.iter().rev() {
                            self.take_back(*place, *mark);
                        }
                        return Err(failure);
                    }
                }
            }
        }
        Ok(())
    }

    fn take_back(&mut self, place: Place<'_>, mark: Mark) {
        let target = match place {
            Place::Fixed(at) => self.fixed.get_mut(at),
            Place::Path(path) => self.open.get_mut(path).map(|(_, target)| target),
        };
        // One that was closed in between keeps what it has.
        if let Some(target) = target {
            target.take_back(mark);
        }
    }

    fn write_one(&mut self, place: Place<'_>, message: &Message) -> Result<Mark, Failure> {
        let target = match place {
            Place::Fixed(at) => self.fixed.get_mut(at),
            Place::Path(path) => Some(
                self.find(path)
                    .map_err(|e| failure(&format!("open {}", path.display()), &e))?,
            ),
        };
        let Some(target) = target else {
            return Err(Failure {
                message: "no file to write to".to_owned(),
                retryable: false,
            });
        };
        let prefix = message.length.as_ref().map_or(&[][..], |length| length);
        target
            .write(&[prefix, &message.body])
            .map_err(|e| failure(&format!("write {}", target.path().display()), &e))
    }

    /// One of the many, opened if it is not; the one unused longest is closed for it.
    fn find(&mut self, path: &Path) -> io::Result<&mut Target> {
        self.uses += 1;
        let uses = self.uses;
        if !self.open.contains_key(path) {
            if let Some(parent) = path.parent() {
                make_folder(parent, self.mode)?;
            }
            let mut target = Target::new(path.to_owned(), self.existing, self.rotation);
            if self.rotation.is_none() {
                target.open()?;
            }
            if self.open.len() >= self.max_open {
                let oldest = self
                    .open
                    .iter()
                    .min_by_key(|(_, (used, _))| *used)
                    .map(|(path, _)| path.clone());
                if let Some(oldest) = oldest {
                    self.open.remove(&oldest);
                }
            }
            self.open.insert(path.to_owned(), (uses, target));
        }
        match self.open.get_mut(path) {
            Some((used, target)) => {
                *used = uses;
                Ok(target)
            }
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

fn failure(what: &str, error: &io::Error) -> Failure {
    use io::ErrorKind as Kind;
    // What depends on the request alone fails every time.
    let never = matches!(
        error.kind(),
        Kind::InvalidInput | Kind::InvalidFilename | Kind::IsADirectory | Kind::NotADirectory
    );
    if error.kind() == Kind::FileTooLarge && error.raw_os_error().is_none() {
        return Failure {
            message: error.to_string(),
            retryable: false,
        };
    }
    Failure {
        message: format!("{what}: {}", os_error(error)),
        retryable: !never,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    fn message(path: &Path, body: &'static str) -> Message {
        Message {
            path: Some(path.to_owned()),
            length: None,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    fn files(max_open: usize) -> Files {
        Files {
            max_open,
            existing: Existing::AppendSince(SystemTime::now() - COARSE),
            ..Files::default()
        }
    }

    #[test]
    fn the_file_unused_longest_is_closed_and_written_on_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).join("x");
        let (a, b, c) = (path("a"), path("b"), path("c"));
        let mut files = files(2);
        for (path, body) in [(&a, "1"), (&b, "1"), (&a, "2"), (&c, "1")] {
            files.write(&[message(path, body)]).unwrap();
        }
        assert!(files.open.contains_key(&a) && !files.open.contains_key(&b));
        files.write(&[message(&b, "2")]).unwrap();
        assert_eq!(files.open.len(), 2);
        assert_eq!(fs::read_to_string(&a).unwrap(), "12");
        assert_eq!(fs::read_to_string(&b).unwrap(), "12");
    }

    #[test]
    fn a_request_is_in_all_of_its_files_or_in_none() {
        let folder = tempfile::tempdir().unwrap();
        let a = folder.path().join("a");
        let mut files = files(10);
        files.write(&[message(&a, "kept")]).unwrap();
        let failed = files.write(&[message(&a, "lost"), message(folder.path(), "x")]);
        assert_eq!(
            failed,
            Err(Failure {
                message: format!("open {}: is a directory", folder.path().display()),
                retryable: false
            })
        );
        assert_eq!(fs::read_to_string(&a).unwrap(), "kept");
    }
}
