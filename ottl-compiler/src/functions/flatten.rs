//! The editor `flatten`: what is nested becomes entries of its own, with keys that say where it
//! was. What it does with lists within lists, and with keys that meet, is what the reference was
//! seen to do.

use trunkline_proto::batch;

use crate::{
    failure::Failure,
    program::{Args, Argument},
    run::{Entries, Target},
    value::{MAX_DEPTH, Text, Value, elements, entries},
};

/// `flatten(target, prefix?, depth?, resolve_conflicts?)`
pub(super) fn flatten(target: &mut Target<'_, '_>, args: &Args<'_>) -> Result<(), Failure> {
    let prefix = args.text_or_none(1)?.unwrap_or_default();
    let mut flat = Flat {
        depth: usize::try_from(args.int_or(2, i64::MAX)?).unwrap_or(usize::MAX),
        resolve: args.bool_or(3, false)?,
        out: Entries::new(),
        met: Vec::new(),
    };
    for (key, any) in target.entries()? {
        flat.entry(joined(prefix, &key), &any, 0)?;
    }
    target.put_entries(&flat.out)
}

/// The depth must be at least 1.
pub(super) fn check_depth(args: &[Argument]) -> Result<(), String> {
    match args.get(2).and_then(Argument::literal) {
        Some(Value::Int(depth)) if *depth < 1 => Err(format!(
            "invalid depth for flatten function, {depth} must be greater than 0"
        )),
        _ => Ok(()),
    }
}

/// A key within what an entry of this key holds.
fn joined(outer: &[u8], inner: &[u8]) -> Vec<u8> {
    match outer.is_empty() {
        true => inner.to_vec(),
        false => [outer, b".", inner].concat(),
    }
}

struct Flat {
    depth: usize,
    resolve: bool,
    out: Entries,
    /// Keys that met one another, and how often.
    met: Vec<(Text, usize)>,
}

impl Flat {
    /// An entry of a map at a level.
    fn entry(&mut self, key: Vec<u8>, any: &[u8], level: usize) -> Result<(), Failure> {
        if level > MAX_DEPTH {
            return Err(Failure::TooDeep);
        }
        match batch::Value::read(any)? {
            batch::Value::Map(map) if level < self.depth => {
                for (inner, any) in entries(map)? {
                    self.entry(joined(&key, inner), &any, level + 1)?;
                }
            }
            batch::Value::List(list) if level < self.depth => {
                for (at, any) in elements(list).enumerate() {
                    self.element(&key, at, any, level + 1)?;
                }
            }
            _ => self.put(&key, any),
        }
        Ok(())
    }

    /// An element of a list at a level. Lists within it are entered as if their numbers were
    /// keys, without a dot before them, and cost a level more.
    fn element(&mut self, list: &[u8], at: usize, any: &[u8], level: usize) -> Result<(), Failure> {
        let numbered = [list, b".", at.to_string().as_bytes()].concat();
        match batch::Value::read(any)? {
            batch::Value::Map(map) if level < self.depth => {
                for (inner, any) in entries(map)? {
                    self.entry([&numbered[..], b".", inner].concat(), &any, level + 1)?;
                }
            }
            batch::Value::List(inner) if level < self.depth => {
                for (at, any) in elements(inner).enumerate() {
                    let key = [&numbered[..], at.to_string().as_bytes()].concat();
                    self.entry(key, any, level + 2)?;
                }
            }
            _ if self.resolve => self.put(list, any),
            _ => self.put(&numbered, any),
        }
        Ok(())
    }

    /// A key that is there is overwritten, or gets a number behind it that is not looked for.
    fn put(&mut self, key: &[u8], any: &[u8]) {
        let mut key = Text::from_slice(key);
        if self.resolve && self.out.iter().any(|(known, _)| *known == key) {
            let number = match self.met.iter_mut().find(|(known, _)| *known == key) {
                Some((_, number)) => {
                    *number += 1;
                    *number
                }
                None => {
                    self.met.push((key.clone(), 0));
                    0
                }
            };
            key.extend_from_slice(format!(".{number}").as_bytes());
        }
        match self.out.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = any.to_vec(),
            None => self.out.push((key, any.to_vec())),
        }
    }
}
