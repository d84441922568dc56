//! Names of rotated files: `<base>-<time>-size.<ext>`, with the time as
//! `2006-01-02T15-04-05.000` in UTC or local time (collector.md §2.18). What is
//! here: making them, finding the old ones, and giving files of the form that
//! older Collectors wrote, `<base>-<time>.<ext>`, the name of today.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::local_time::{self, Civil};

/// Most variants of a name that are tried.
const MAX_VARIANTS: u32 = 1000;

/// The parts of a file's name around the time of rotation.
pub struct Names {
    folder: PathBuf,
    /// The name before its extension, and a dash.
    prefix: Vec<u8>,
    /// With its dot; empty without one.
    extension: Vec<u8>,
    local: bool,
}

impl Names {
    /// Of the files that `path` becomes.
    pub fn new(path: &Path, local: bool) -> Names {
        let name = path.file_name().unwrap_or_default().as_bytes();
        let dot = name.iter().rposition(|b| *b == b'.').unwrap_or(name.len());
        let (base, extension) = name.split_at(dot);
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Names {
            folder,
            prefix: [base, b"-"].concat(),
            extension: extension.to_owned(),
            local,
        }
    }

    fn name(&self, middle: &str) -> PathBuf {
        let name = [&self.prefix, middle.as_bytes(), &self.extension].concat();
        self.folder.join(OsString::from_vec(name))
    }

    /// A name that no file has yet, for one that is rotated at `now`.
    ///
    /// # Errors
    /// All variants are taken.
    pub fn fresh(&self, now: SystemTime) -> io::Result<PathBuf> {
        let time = self.format(now);
        let taken = |path: &Path| {
            let with = |suffix: &str| {
                let mut other = path.as_os_str().to_owned();
                other.push(suffix);
                PathBuf::from(other)
            };
            // Compressed afterwards, by whomever, a file still has its name.
            [path.to_owned(), with(".gz"), with(".zst")]
                .iter()
                .any(|path| path.symlink_metadata().is_ok())
        };
        let first = std::iter::once(format!("{time}-size"));
        let variants = (1..=MAX_VARIANTS).map(|n| format!("{time}-size_{n}"));
        first
            .chain(variants)
            .map(|middle| self.name(&middle))
            .find(|path| !taken(path))
            .ok_or_else(|| io::Error::other("can't find a unique backup name"))
    }

    fn format(&self, time: SystemTime) -> String {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(0);
        let c = local_time::civil(seconds, self.local).unwrap_or(Civil {
            year: 1970,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
        });
        format!(
            "{:04}-{:02}-{:02}T{:02}-{:02}-{:02}.{:03}",
            c.year,
            c.month,
            c.day,
            c.hour,
            c.minute,
            c.second,
            since.subsec_millis()
        )
    }

    fn parse(&self, text: &str) -> Option<SystemTime> {
        // A digit for each 0, everything else as it is.
        const FORM: &[u8] = b"0000-00-00T00-00-00.000";
        let bytes = text.as_bytes();
        let fits = bytes.len() == FORM.len()
            && bytes.iter().zip(FORM).all(|(b, form)| match form {
                b'0' => b.is_ascii_digit(),
                form => b == form,
            });
        if !fits {
            return None;
        }
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<i32>().ok();
        let reading = Civil {
            year: number(0, 4)?,
            month: number(5, 7)?,
            day: number(8, 10)?,
            hour: number(11, 13)?,
            minute: number(14, 16)?,
            second: number(17, 19)?,
        };
        let seconds = u64::try_from(local_time::seconds(reading, self.local)?).ok()?;
        let millis = u64::try_from(number(20, 23)?).ok()?;
        Some(UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(millis))
    }

    /// What stands between prefix and extension in a name, if it has both.
    fn middle<'a>(&self, name: &'a [u8], suffix: &str) -> Option<&'a str> {
        let rest = name
            .strip_prefix(self.prefix.as_slice())?
            .strip_suffix(suffix.as_bytes())?
            .strip_suffix(self.extension.as_slice())?;
        std::str::from_utf8(rest).ok()
    }

    /// The files rotated so far, newest first, with the time in their names; those that were
    /// compressed afterwards included.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn rotated(&self) -> io::Result<Vec<(SystemTime, PathBuf)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                continue;
            }
            let name = entry.file_name();
            let time = ["", ".gz", ".zst"].iter().find_map(|suffix| {
                let (time, _) = self.middle(name.as_bytes(), suffix)?.rsplit_once('-')?;
                self.parse(time)
            });
            if let Some(time) = time {
                found.push((time, entry.path()));
            }
        }
        found.sort_by(|a, b| b.cmp(a));
        Ok(found)
    }

    /// Removes the oldest rotated files: beyond `max_backups` times of rotation, and those older
    /// than `max_days`; 0 is no limit.
    ///
    /// # Errors
    /// The folder cannot be read. A file that cannot be removed is only logged.
    pub fn remove_old(&self, max_backups: u64, max_days: u64, now: SystemTime) -> io::Result<()> {
        if max_backups == 0 && max_days == 0 {
            return Ok(());
        }
        let oldest = (max_days > 0)
            .then(|| now.checked_sub(Duration::from_secs(max_days.saturating_mul(86_400))))
            .flatten();
        let (mut times, mut last) = (0, None);
        for (time, path) in self.rotated()? {
            if last != Some(time) {
                times += 1;
                last = Some(time);
            }
            let too_many = max_backups > 0 && times > max_backups;
            if !too_many && oldest.is_none_or(|oldest| time >= oldest) {
                continue;
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "Failed to remove an old file");
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Renames files that older Collectors rotated, so that they are counted and removed as
    /// others are.
    ///
    /// # Errors
    /// The folder cannot be read. A file that cannot be renamed is only logged.
    pub fn migrate(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                continue;
            }
            let name = entry.file_name();
            let Some(time) = self
                .middle(name.as_bytes(), "")
                .filter(|middle| self.parse(middle).is_some())
            else {
                continue;
            };
            let target = self.name(&format!("{time}-size"));
            let done = if target.symlink_metadata().is_ok() {
                // Left over from a run that was interrupted.
                fs::remove_file(entry.path())
            } else {
                fs::rename(entry.path(), &target)
            };
            if let Err(error) = done {
                tracing::warn!(
                    source = %entry.path().display(),
                    target = %target.display(),
                    %error,
                    "Failed to rename legacy backup file"
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn list(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// collector.md §2.18: `<base>-<UTC time>-size.<ext>`.
    #[test]
    fn a_rotated_name_has_the_time_and_is_not_taken_yet() {
        let folder = tempfile::tempdir().unwrap();
        let names = Names::new(&folder.path().join("data.json"), false);
        let now = UNIX_EPOCH + Duration::from_millis(1_772_323_199_042);
        for wanted in [
            "data-2026-02-28T23-59-59.042-size.json",
            "data-2026-02-28T23-59-59.042-size_1.json",
            "data-2026-02-28T23-59-59.042-size_2.json",
        ] {
            let fresh = names.fresh(now).unwrap();
            assert_eq!(fresh.file_name().unwrap(), wanted);
            // The second was compressed by somebody.
            fs::write(fresh.with_extension("json.gz"), "").unwrap();
        }
        let bare = Names::new(Path::new("data"), false);
        assert_eq!(
            bare.fresh(now).unwrap(),
            Path::new("./data-2026-02-28T23-59-59.042-size")
        );
    }

    #[test]
    fn old_files_are_removed_by_number_and_by_age() {
        let names = |folder: &Path| Names::new(&folder.join("a.json"), false);
        let day = Duration::from_secs(86_400);
        let now = UNIX_EPOCH + 20_000 * day;
        // backups, days -> how many days old the remaining ones are
        for (backups, days, remaining) in [
            (0, 0, vec![1, 2, 3, 4]),
            (2, 0, vec![1, 2]),
            (0, 3, vec![1, 2, 3]),
            (3, 1, vec![1]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let names = names(folder.path());
            let mut all = Vec::new();
            for age in 1..=4u32 {
                let path = names.fresh(now - age * day).unwrap();
                fs::write(&path, "").unwrap();
                all.push((age, path));
            }
            let other = folder.path().join("a-other-size.json");
            fs::write(&other, "").unwrap();
            names.remove_old(backups, days, now).unwrap();
            let left: Vec<u32> = all
                .iter()
                .filter(|(_, path)| path.exists())
                .map(|(age, _)| *age)
                .collect();
            assert_eq!(left, remaining, "{backups} {days}");
            assert!(other.exists());
        }
    }

    /// collector.md §2.18: files with older rotated names are renamed at start.
    #[test]
    fn names_of_older_collectors_become_those_of_today() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "a-2025-01-02T15-04-05.000.json",
            "a-2025-01-02T15-04-06.000.json",
            "a-2025-01-02T15-04-06.000-size.json",
            "a-2025-13-02T15-04-05.000.json",
            "a-2025-01-02T15-04-05.000.txt",
            "a.json",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names = Names::new(&folder.path().join("a.json"), false);
        names.migrate().unwrap();
        assert_eq!(
            list(folder.path()),
            [
                "a-2025-01-02T15-04-05.000-size.json",
                "a-2025-01-02T15-04-05.000.txt",
                "a-2025-01-02T15-04-06.000-size.json",
                "a-2025-13-02T15-04-05.000.json",
                "a.json",
            ]
        );
    }
}
