//! Carries lines to their outputs on a thread of its own. The queue is bounded in
//! lines and bytes; what does not fit is lost and counted, so a core never waits.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use super::LogsError;
use crate::telemetry::clock;

/// Lines that may wait.
const MAX_LINES: usize = 4096;
/// Bytes that may wait.
const MAX_BYTES: usize = 4 << 20;
/// At most this often is a failing output mentioned.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// A place where lines go.
#[derive(Clone, Debug)]
pub enum Output {
    /// The process's standard output.
    Stdout,
    /// The process's standard error.
    Stderr,
    /// A file, appended to.
    File(Arc<File>),
    /// Memory.
    Memory(Arc<Mutex<Vec<u8>>>),
}

impl Output {
    /// Opens `stdout`, `stderr`, a path or a `file:` URL; files are created and
    /// appended to.
    pub fn open(path: &str) -> Result<Output, LogsError> {
        let name = match path {
            "stdout" => return Ok(Output::Stdout),
            "stderr" => return Ok(Output::Stderr),
            _ => match scheme(path) {
                None => path,
                Some(("file", rest)) => rest
                    .strip_prefix("//localhost")
                    .or(rest.strip_prefix("//"))
                    .unwrap_or(rest),
                Some((scheme, _)) => {
                    let why = format!("no sink found for scheme {scheme:?}");
                    return Err(LogsError::Open(path.to_owned(), why));
                }
            },
        };
        let file = OpenOptions::new().create(true).append(true).open(name);
        let file = file.map_err(|error| {
            LogsError::Open(
                path.to_owned(),
                format!("open {name}: {}", os_error(&error)),
            )
        })?;
        Ok(Output::File(Arc::new(file)))
    }

    pub(super) fn open_all(paths: &[String]) -> Result<Vec<Output>, LogsError> {
        paths.iter().map(|path| Output::open(path)).collect()
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Output::Stdout => io::stdout()
                .lock()
                .write_all(bytes)
                .and_then(|()| io::stdout().flush()),
            Output::Stderr => io::stderr().lock().write_all(bytes),
            Output::File(file) => (&**file).write_all(bytes),
            Output::Memory(memory) => {
                memory
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend_from_slice(bytes);
                Ok(())
            }
        }
    }
}

/// The scheme of a URL and what follows it; a path has none.
fn scheme(path: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = path.split_once(':')?;
    let letters = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let is_scheme =
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(letters);
    is_scheme.then_some((scheme, rest))
}

/// The text of an error of the operating system as Go spells it.
pub(crate) fn os_error(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => {
            let text = nix::errno::Errno::from_raw(code).desc();
            let mut letters = text.chars();
            let first = letters.next().map(|c| c.to_ascii_lowercase());
            first.into_iter().chain(letters).collect()
        }
        None => error.to_string(),
    }
}

enum Message {
    Line(String),
    Flush(SyncSender<()>),
}

/// The queue to the writing thread, which ends when the queue goes.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<SyncSender<Message>>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Counts {
    bytes_waiting: AtomicUsize,
    lost: AtomicU64,
}

impl Writer {
    pub(super) fn start(outputs: Vec<Output>, errors: Vec<Output>) -> Result<Writer, LogsError> {
        let (queue, lines) = sync_channel(MAX_LINES);
        let counts = Arc::new(Counts::default());
        let of_thread = counts.clone();
        let thread = std::thread::Builder::new()
            .name("logs".to_owned())
            .stack_size(256 << 10)
            .spawn(move || run(&lines, &outputs, &errors, &of_thread))
            .map_err(LogsError::Thread)?;
        Ok(Writer {
            queue: Some(queue),
            counts,
            thread: Some(thread),
        })
    }

    /// Queues a line, or counts it as lost.
    pub(super) fn write(&self, line: String) {
        let Some(queue) = &self.queue else { return };
        let bytes = line.len();
        let waiting = self.counts.bytes_waiting.fetch_add(bytes, Relaxed);
        // A line larger than the limit goes when nothing else waits.
        let fits = waiting == 0 || waiting.saturating_add(bytes) <= MAX_BYTES;
        if !fits || queue.try_send(Message::Line(line)).is_err() {
            self.counts.bytes_waiting.fetch_sub(bytes, Relaxed);
            self.counts.lost.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn flush(&self, limit: Duration) {
        let Some(queue) = &self.queue else { return };
        let deadline = Instant::now() + limit;
        let (done, wait) = sync_channel(1);
        let mut message = Message::Flush(done);
        // The queue may be full of lines: try again while there is time.
        while let Err(TrySendError::Full(back)) = queue.try_send(message) {
            if Instant::now() >= deadline {
                return;
            }
            message = back;
            std::thread::sleep(Duration::from_millis(1));
        }
        // An error says that the time is over or the thread is gone: nothing to wait for.
        let _ = wait.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }

    pub(super) fn lost(&self) -> u64 {
        self.counts.lost.load(Relaxed)
    }

    /// Goes on counting from what a predecessor lost.
    pub(super) fn carry_lost(&self, lost: u64) {
        self.counts.lost.fetch_add(lost, Relaxed);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed by its hook.
            let _ = thread.join();
        }
    }
}

fn run(lines: &Receiver<Message>, outputs: &[Output], errors: &[Output], counts: &Counts) {
    let mut told_lost = counts.lost.load(Relaxed);
    let mut complained: Option<Instant> = None;
    while let Ok(message) = lines.recv() {
        let line = match message {
            Message::Line(line) => line,
            Message::Flush(done) => {
                // Who asked may have stopped waiting.
                let _ = done.send(());
                continue;
            }
        };
        for output in outputs {
            let Err(error) = output.write(line.as_bytes()) else {
                continue;
            };
            if complained.is_none_or(|at| at.elapsed() > COMPLAIN_EVERY) {
                complained = Some(Instant::now());
                complain(errors, &format!("write error: {}", os_error(&error)));
            }
        }
        counts.bytes_waiting.fetch_sub(line.len(), Relaxed);
        let lost = counts.lost.load(Relaxed);
        if lost > told_lost && complained.is_none_or(|at| at.elapsed() > COMPLAIN_EVERY) {
            complained = Some(Instant::now());
            complain(
                errors,
                &format!(
                    "{} log lines were lost: the output is too slow",
                    lost - told_lost
                ),
            );
            told_lost = lost;
        }
    }
}

fn complain(errors: &[Output], text: &str) {
    let mut line = String::new();
    clock::write_millis(&mut line, SystemTime::now());
    line.push(' ');
    line.push_str(text);
    line.push('\n');
    for output in errors {
        // There is nobody left to tell.
        let _ = output.write(line.as_bytes());
    }
}
