//! Keys and defaults of the exporter `file`.

use crate::{
    component::{ExtensionRef, GoDuration, Optional, Problems, declare},
    config::{
        diagnostics::Decoder,
        node::{Mapping, Position},
    },
    net::config::{Compression, CompressionParams, check_compression},
};

declare! {
    /// Writes requests to a file.
    pub struct Config as "fileexporter.Config", check Config::rules, decoded Config::decoded {
        /// The file. With `group_by` it holds one `*`, which stands for the attribute's value.
        path: String = String::new();
        /// `json`: one line a request. `proto`: four bytes of length, big-endian, then the request.
        format: String = "json".to_owned();
        /// Id of an encoding extension that writes instead of `format`. There is none yet: the start fails.
        encoding: ExtensionRef = ExtensionRef::default();
        /// Write to the end of what is there instead of starting anew. Excludes `rotation`.
        append: bool = false;
        /// Empty or `zstd`: each request is compressed, then framed by its length.
        compression: String = String::new();
        /// How hard; acts only with the gate exporter.file.nativeCompression.
        compression_params: CompressionParams = CompressionParams::default(), no_effect "the Collector heeds it only with a feature gate that does not act here";
        /// Written data reaches the file after so long at the latest. 0: 1s.
        flush_interval: GoDuration = GoDuration::secs(1), no_effect "requests are answered after they were written; nothing waits for a flush";
        /// Make the file's directories.
        create_directory: bool = false;
        /// Their permissions as an octal text; only with `create_directory`. Empty: `0755`.
        directory_permissions: String = String::new();
        /// Start a new file when this one is large enough. On when the key is written.
        rotation: Optional<Rotation> = Optional::off(Rotation::default()).without_switch();
        /// One file per value of a resource attribute.
        group_by: GroupBy = GroupBy::default();
    }
}

declare! {
    /// When a new file is started, and what becomes of old ones.
    pub struct Rotation as "fileexporter.Rotation" {
        /// Size in MiB. 0: 100.
        max_megabytes: i64 = 0;
        /// Old files are removed after so many days. 0: never.
        max_days: i64 = 0;
        /// At most so many old files are kept. 0: all.
        max_backups: i64 = 100;
        /// Rotated names carry local time instead of UTC.
        localtime: bool = false;
    }
}

declare! {
    /// One file per value of a resource attribute; directories are always made.
    pub struct GroupBy as "fileexporter.GroupBy" {
        /// Do it.
        enabled: bool = false;
        /// The attribute whose value takes the place of `*` in `path`.
        resource_attribute: String = "fileexporter.path_segment".to_owned();
        /// Most files open at a time; the one unused longest is closed.
        max_open_files: i64 = 100;
    }
}

impl Config {
    fn decoded(&mut self, _: &Mapping, _: &Position, _: &mut Decoder<'_>) {
        if self.flush_interval == GoDuration::ZERO {
            self.flush_interval = GoDuration::secs(1);
        }
    }

    /// Permissions of directories, `0o755` unless given.
    ///
    /// # Errors
    /// The Collector's text when it is no octal number.
    pub fn permissions(&self) -> Result<u32, String> {
        if self.directory_permissions.is_empty() {
            return Ok(0o755);
        }
        match u32::from_str_radix(&self.directory_permissions, 8) {
            Ok(mode) if mode & 0o777 == mode => Ok(mode),
            Ok(_) => Err("directory_permissions contain invalid bits for file access".into()),
            Err(_) => {
                Err("directory_permissions value must be a valid octal representation".into())
            }
        }
    }

    /// The rules stop at the first that is broken, as there.
    fn rules(&self, problems: &mut Problems) {
        if let Err(text) = self.first_problem() {
            problems.push(text);
        }
    }

    fn first_problem(&self) -> Result<(), String> {
        let fail = |text: &str| Err(text.to_owned());
        if self.path.is_empty() {
            return fail("path must be non-empty");
        }
        if self.append && self.rotation.is_on() {
            return fail("append and rotation enabled at the same time is not supported");
        }
        if let Some(rotation) = self.rotation.get()
            && [
                rotation.max_megabytes,
                rotation.max_days,
                rotation.max_backups,
            ]
            .iter()
            .any(|value| *value < 0)
        {
            return fail("rotation max_megabytes, max_days and max_backups must not be negative");
        }
        if !matches!(self.format.as_str(), "json" | "proto") {
            return fail("format type is not supported");
        }
        match self.compression.as_str() {
            "" => {}
            "zstd" => check_compression(Compression::Zstd, &self.compression_params)
                .map_err(|e| format!("invalid compression_params: {e}"))?,
            _ => return fail("compression is not supported"),
        }
        if self.flush_interval < GoDuration::ZERO {
            return fail("flush_interval must be larger than zero");
        }
        if self.group_by.enabled {
            if self.path.matches('*').count() != 1 {
                return fail("path must contain exactly one * when group_by is enabled");
            }
            if self.path.starts_with('*') {
                return fail("path must not start with * when group_by is enabled");
            }
            if self.group_by.resource_attribute.is_empty() {
                return fail("resource_attribute must not be empty when group_by is enabled");
            }
            if self.group_by.max_open_files <= 0 {
                return fail("max_open_files must be positive when group_by is enabled");
            }
        }
        if self.create_directory {
            self.permissions()?;
        } else if !self.directory_permissions.is_empty() {
            return fail("directory_permissions requires create_directory to be true");
        }
        Ok(())
    }
}
