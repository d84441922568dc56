//! `group_by`: which file a resource's attribute leads to. Paths that try to
//! leave the folder stay in it, by the Collector's rules.

use std::{ffi::OsString, os::unix::ffi::OsStringExt, path::PathBuf};

use trunkline_proto::{
    Batch,
    batch::{Error, Level, Value},
};

/// The two halves of a path with a `*`, and the attribute that goes between.
pub struct GroupBy {
    prefix: Vec<u8>,
    suffix: Vec<u8>,
    attribute: Vec<u8>,
}

/// A request parted by files.
pub struct Grouped {
    /// For every file the part that goes there.
    pub parts: Vec<(PathBuf, Batch)>,
    /// Items of resources without the attribute.
    pub left_out: u64,
}

impl GroupBy {
    /// Of a path with one `*`.
    pub fn new(path: &str, attribute: &str) -> GroupBy {
        let (prefix, suffix) = path.split_once('*').unwrap_or((path, ""));
        let mut clean = clean(prefix.as_bytes());
        if prefix.ends_with('/') && !clean.ends_with(b"/") {
            clean.push(b'/');
        }
        GroupBy {
            prefix: clean,
            suffix: suffix.as_bytes().to_vec(),
            attribute: attribute.as_bytes().to_vec(),
        }
    }

    /// Parts a request; resources that lead to the same file stay together, in order.
    ///
    /// # Errors
    /// The request is not valid.
    pub fn part(&self, batch: &Batch) -> Result<Grouped, Error> {
        let items = batch.item_count();
        // The rows of what is read are the resources of what is parted.
        let mut batch = Batch::from_protobuf(batch.signal(), batch.to_protobuf())?;
        let data = batch.open()?;
        let column = data.attribute_column(Level::Resource, &self.attribute)?;
        let mut paths: Vec<PathBuf> = Vec::new();
        let mut known = std::collections::HashMap::new();
        let mut groups = Vec::with_capacity(column.len());
        for row in 0..column.len() as u32 {
            let Some(Value::String(segment)) = column.value(data, row) else {
                groups.push(None);
                continue;
            };
            let group = match known.get(segment) {
                Some(group) => *group,
                None => {
                    let path = self.path(segment);
                    // Different segments can lead to one file.
                    let group = match paths.iter().position(|p| *p == path) {
                        Some(found) => found,
                        None => {
                            paths.push(path);
                            paths.len() - 1
                        }
                    } as u32;
                    known.insert(segment.to_vec(), group);
                    group
                }
            };
            groups.push(Some(group));
        }
        let parts = batch.partition_resources(&groups, paths.len() as u32)?;
        let kept: usize = parts.iter().map(Batch::item_count).sum();
        Ok(Grouped {
            parts: paths.into_iter().zip(parts).collect(),
            left_out: items.saturating_sub(kept) as u64,
        })
    }

    /// The path of a segment.
    fn path(&self, segment: &[u8]) -> PathBuf {
        let segment = if segment.starts_with(b"./") {
            segment.get(1..).unwrap_or_default()
        } else if segment.starts_with(b"../") {
            segment.get(2..).unwrap_or_default()
        } else {
            segment
        };
        let mut path = clean(&[&self.prefix, segment, &self.suffix].concat());
        if !path.starts_with(&self.prefix) {
            // It would leave the folder: it is taken from the folder as from a root.
            let inside = clean(&[b"/", segment, self.suffix.as_slice()].concat());
            path = clean(&[self.prefix.as_slice(), b"/", &inside].concat());
        }
        PathBuf::from(OsString::from_vec(path))
    }
}

/// The shortest path that means the same, without looking at the file system (Go's
/// `path.Clean`).
fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match parts.last() {
                Some(&b"..") | None if !rooted => parts.push(part),
                _ => {
                    parts.pop();
                }
            },
            part => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::exporters::testing;

    #[test]
    fn a_segment_does_not_leave_the_folder() {
        // path, segment -> file
        for (path, segment, wanted) in [
            ("/data/*.json", "a", "/data/a.json"),
            ("/data/*.json", "a/b", "/data/a/b.json"),
            ("/data/*.json", "", "/data/.json"),
            ("/data/*.json", "./a", "/data/a.json"),
            ("/data/*.json", "../a", "/data/a.json"),
            ("/data/*.json", "../../../etc/a", "/data/etc/a.json"),
            ("/data/*.json", "a/../../../b", "/data/b.json"),
            ("/data/*", "..", "/data"),
            ("/data/out-*/x.json", "a", "/data/out-a/x.json"),
            ("/data/out-*/x.json", "/../a", "/data/out-/a/x.json"),
            ("./data/*.json", "a", "data/a.json"),
            ("data/../other/*.json", "a", "other/a.json"),
        ] {
            let group = GroupBy::new(path, "x");
            let found = group.path(segment.as_bytes());
            assert_eq!(found, PathBuf::from(wanted), "{path} {segment}");
        }
    }

    #[test]
    fn a_request_is_parted_by_the_files_its_resources_lead_to() {
        let group = GroupBy::new("/d/*", "fileexporter.path_segment");
        let batch = testing::logs(&[("a", 1), ("b", 2), ("", 4), ("./a", 8)]);
        let grouped = group.part(&batch).unwrap();
        let parts: Vec<_> = grouped
            .parts
            .iter()
            .map(|(path, part)| (path.to_str().unwrap(), part.item_count()))
            .collect();
        assert_eq!(parts, [("/d/a", 9), ("/d/b", 2)]);
        assert_eq!(grouped.left_out, 4);
    }
}
