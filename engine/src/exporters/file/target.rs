//! One file that is written to: opened, cut back after a write that failed half
//! way, and rotated. Names of rotated files are `names`'s business.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, IoSlice, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::names::Names;

/// The mode of new files (collector.md §2.18).
const MODE: u32 = 0o644;

/// When and how a file is rotated.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// Size in bytes that a file does not exceed.
    pub max_bytes: u64,
    /// Old files that are kept; 0 is all.
    pub max_backups: u64,
    /// Days that old files are kept; 0 is for ever.
    pub max_days: u64,
    /// Local time in names.
    pub local: bool,
}

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is emptied.
    Truncate,
    /// It is written on.
    Append,
    /// Written on when it was changed at this time or later, else emptied.
    AppendSince(SystemTime),
}

/// A file that messages are written to, whole or not at all.
pub struct Target {
    path: PathBuf,
    existing: Existing,
    rotation: Option<(Rotation, Names)>,
    open: Option<Open>,
    /// Counts rotations: a length noted before one says nothing after it.
    turn: u64,
}

struct Open {
    file: File,
    /// Bytes of whole messages. What a device or pipe has is not known.
    size: Option<u64>,
    /// The last write failed, and what it left behind is still there.
    torn: bool,
}

/// A place in a file, to come back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    turn: u64,
    size: Option<u64>,
}

impl Target {
    /// A file at `path`, not opened yet.
    pub fn new(path: PathBuf, existing: Existing, rotation: Option<Rotation>) -> Target {
        let rotation = rotation.map(|r| (r, Names::new(&path, r.local)));
        Target {
            path,
            existing,
            rotation,
            open: None,
            turn: 0,
        }
    }

    /// A file that is open already; `name` is for messages.
    ///
    /// # Errors
    /// The system's.
    pub fn opened(name: PathBuf, file: File) -> io::Result<Target> {
        let mut target = Target::new(name, Existing::Append, None);
        let metadata = file.metadata()?;
        target.open = Some(Open {
            size: metadata.is_file().then_some(metadata.len()),
            file,
            torn: false,
        });
        Ok(target)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file, if it is not.
    ///
    /// # Errors
    /// The system's.
    pub fn open(&mut self) -> io::Result<()> {
        if self.open.is_some() {
            return Ok(());
        }
        let append = match self.existing {
            _ if self.rotation.is_some() => true,
            Existing::Append => true,
            Existing::Truncate => false,
            Existing::AppendSince(since) => {
                fs::metadata(&self.path).is_ok_and(|m| m.modified().is_ok_and(|m| m >= since))
            }
        };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(!append)
            // Where a write ends is where the next begins, also after cutting back.
            .custom_flags(libc::O_APPEND)
            .mode(MODE)
            .open(&self.path)?;
        let metadata = file.metadata()?;
        self.open = Some(Open {
            size: metadata.is_file().then_some(metadata.len()),
            file,
            torn: false,
        });
        Ok(())
    }

    /// Writes one message, given in pieces, and has it reach the kernel.
    ///
    /// # Errors
    /// The system's; nothing of the message is in the file then, or the next write begins with
    /// removing it.
    pub fn write(&mut self, pieces: &[&[u8]]) -> io::Result<Mark> {
        let len = pieces.iter().map(|p| p.len() as u64).sum::<u64>();
        if let Some((rotation, _)) = &self.rotation {
            let max = rotation.max_bytes;
            if len > max {
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    format!("write length {len} exceeds maximum file size {max}"),
                ));
            }
            match &self.open {
                None => {
                    // As there: a file found at start is not filled to the last byte.
                    let found = fs::metadata(&self.path).map_or(0, |m| m.len());
                    if found > 0 && found + len >= max {
                        self.rotate()?;
                    }
                }
                Some(open) if open.size.is_some_and(|size| size + len > max) => self.rotate()?,
                Some(_) => {}
            }
        }
        self.open()?;
        let mark = self.mark();
        let Some(open) = &mut self.open else {
            return Ok(mark);
        };
        open.repair()?;
        match write_all(&mut open.file, pieces) {
            Ok(()) => {
                open.size = open.size.map(|size| size + len);
                Ok(mark)
            }
            Err((written, error)) => {
                open.torn = written > 0 && open.size.is_some();
                // What fails here is tried again before the next write.
                let _ = open.repair();
                Err(error)
            }
        }
    }

    /// Where the file ends now.
    fn mark(&self) -> Mark {
        Mark {
            turn: self.turn,
            size: self.open.as_ref().and_then(|open| open.size),
        }
    }

    /// Takes back what was written since `mark`, unless the file was rotated since.
    pub fn take_back(&mut self, mark: Mark) {
        if mark.turn != self.turn {
            return;
        }
        if let (Some(open), Some(size)) = (&mut self.open, mark.size) {
            open.size = Some(size);
            open.torn = true;
            let _ = open.repair();
        }
    }

    /// Renames the file and begins a new one with its owner.
    fn rotate(&mut self) -> io::Result<()> {
        let Some((rotation, names)) = &self.rotation else {
            return Ok(());
        };
        self.open = None;
        self.turn += 1;
        let now = SystemTime::now();
        let old = fs::metadata(&self.path).ok();
        let backup = names.fresh(now)?;
        if old.is_some() {
            fs::rename(&self.path, &backup)?;
        }
        let created = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .custom_flags(libc::O_APPEND)
            .mode(MODE)
            .open(&self.path);
        let file = match created {
            Ok(file) => file,
            Err(error) => {
                if old.is_some() {
                    let _ = fs::rename(&backup, &self.path);
                }
                return Err(error);
            }
        };
        // The umask took bits that the Collector sets.
        file.set_permissions(Permissions::from_mode(MODE))?;
        if let Some(old) = old {
            let new = file.metadata()?;
            if (old.uid(), old.gid()) != (new.uid(), new.gid())
                && let Err(error) =
                    std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()))
            {
                tracing::warn!(path = %self.path.display(), %error, "failed to chown the new file");
            }
        }
        self.open = Some(Open {
            file,
            size: Some(0),
            torn: false,
        });
        if let Err(error) = names.remove_old(rotation.max_backups, rotation.max_days, now) {
            tracing::warn!(path = %self.path.display(), %error, "Failed to remove old files");
        }
        Ok(())
    }
}

impl Open {
    /// Removes what a failed write left behind.
    fn repair(&mut self) -> io::Result<()> {
        if let (true, Some(size)) = (self.torn, self.size) {
            self.file.set_len(size)?;
            self.torn = false;
        }
        Ok(())
    }
}

/// Writes all pieces; an error comes with the number of bytes written before.
fn write_all(file: &mut File, pieces: &[&[u8]]) -> Result<(), (u64, io::Error)> {
    let mut slices: smallvec::SmallVec<[IoSlice<'_>; 3]> =
        pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut slices = slices.as_mut_slice();
    let mut written = 0;
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
            Ok(n) => {
                written += n as u64;
                IoSlice::advance_slices(&mut slices, n);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((written, error)),
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rotation(max_bytes: u64) -> Rotation {
        Rotation {
            max_bytes,
            max_backups: 100,
            max_days: 0,
            local: false,
        }
    }

    #[test]
    fn a_file_that_is_there_is_emptied_or_written_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let hour = std::time::Duration::from_secs(3600);
        let now = SystemTime::now();
        for (existing, rotation, wanted) in [
            (Existing::Truncate, None, "new"),
            (Existing::Append, None, "oldnew"),
            (Existing::AppendSince(now - hour), None, "oldnew"),
            (Existing::AppendSince(now + hour), None, "new"),
            (Existing::Truncate, Some(rotation(100)), "oldnew"),
        ] {
            fs::write(&path, "old").unwrap();
            let mut target = Target::new(path.clone(), existing, rotation);
            target.write(&[b"n", b"", b"ew"]).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), wanted, "{existing:?}");
        }
    }

    /// collector.md §2.18: rotation is by size; mode 0644.
    #[test]
    fn a_file_is_rotated_before_it_grows_too_large() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        // What is found at start counts, and is not filled to the last byte.
        fs::write(&path, "123").unwrap();
        let mut target = Target::new(path.clone(), Existing::Truncate, Some(rotation(5)));
        for message in ["45", "6", "78901", "2"] {
            target.write(&[message.as_bytes()]).unwrap();
        }
        let error = target.write(&[b"123456"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "write length 6 exceeds maximum file size 5"
        );
        let names = Names::new(&path, false);
        let contents: Vec<String> = names
            .rotated()
            .unwrap()
            .into_iter()
            .map(|(_, path)| fs::read_to_string(path).unwrap())
            .collect();
        let mut sorted = contents.clone();
        sorted.sort();
        assert_eq!(sorted, ["123", "456", "78901"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "2");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
    }

    #[test]
    fn a_mark_is_good_until_the_file_is_rotated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let mut target = Target::new(path.clone(), Existing::Truncate, Some(rotation(5)));
        target.write(&[b"12"]).unwrap();
        let mark = target.write(&[b"34"]).unwrap();
        target.take_back(mark);
        assert_eq!(fs::read_to_string(&path).unwrap(), "12");
        let mark = target.write(&[b"345"]).unwrap();
        target.write(&[b"6"]).unwrap();
        target.take_back(mark);
        assert_eq!(fs::read_to_string(&path).unwrap(), "6");
    }

    #[test]
    fn a_full_disk_is_said_as_the_system_says_it() {
        let mut target = Target::new("/dev/full".into(), Existing::Truncate, None);
        let error = target.write(&[b"x"]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    }

    /// A write that fails half way: the file system takes the first bytes of the message only.
    #[test]
    fn half_a_message_is_cut_off_again() {
        use nix::sys::{
            resource::{Resource, getrlimit, setrlimit},
            signal::{SigSet, Signal},
        };
        // Beyond what any other test of this process writes.
        const FAR: u64 = 1 << 40;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        if File::create(&path).unwrap().set_len(FAR).is_err() {
            // The file system has no sparse files of this size; rotation tests cover the rest.
            return;
        }
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGXFSZ);
        signals.thread_block().unwrap();
        let (soft, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
        setrlimit(Resource::RLIMIT_FSIZE, FAR + 10, hard).unwrap();
        let mut target = Target::new(path.clone(), Existing::Append, None);
        let first = target.write(&[b"12345"]).is_ok();
        let second = target.write(&[b"6789", b"01234567"]);
        let third = target.write(&[b"abc"]).is_ok();
        setrlimit(Resource::RLIMIT_FSIZE, soft, hard).unwrap();
        assert!(first && third);
        assert_eq!(second.unwrap_err().raw_os_error(), Some(libc::EFBIG));
        let file = File::open(&path).unwrap();
        assert_eq!(file.metadata().unwrap().len(), FAR + 8);
        let mut tail = [0; 8];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut tail, FAR).unwrap();
        assert_eq!(&tail, b"12345abc");
    }
}
