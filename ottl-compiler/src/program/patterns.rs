//! Regular expressions and globs that rows bring along: compiled once for as long as they are in
//! use. Each core has its own, so that there is no lock; entries and bytes are bounded, and what
//! was used longest ago goes first. Patterns that are literals are compiled with their statement
//! and are not here.

use std::{cell::RefCell, collections::HashMap, ops::Deref, rc::Rc};

use regex::bytes::Regex;

use crate::{
    failure::Failure,
    go::{
        glob,
        regexp::{self, Limits},
    },
};

/// Patterns kept at a time.
const MAX_ENTRIES: usize = 128;

/// Bytes that they may take together, at most: what the library may use for each is counted.
const MAX_BYTES: usize = 64 << 20;

/// The longest pattern that a row may bring along.
const MAX_LEN: usize = 64 << 10;

/// What a compiled pattern may take, in steps: most patterns are small.
const LIMITS: [Limits; 3] = [
    Limits {
        program: 64 << 10,
        states: 128 << 10,
    },
    Limits {
        program: 1 << 20,
        states: 512 << 10,
    },
    Limits {
        program: 10 << 20,
        states: 2 << 20,
    },
];

/// How a pattern is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A regular expression.
    Regex,
    /// A glob.
    Glob,
}

/// A compiled pattern: that of a statement, or one that is kept here.
#[derive(Debug)]
pub enum Pattern<'a> {
    /// Compiled with its statement.
    Known(&'a Regex),
    /// Kept.
    Kept(Rc<Regex>),
}

impl Deref for Pattern<'_> {
    type Target = Regex;

    fn deref(&self) -> &Regex {
        match self {
            Pattern::Known(regex) => regex,
            Pattern::Kept(regex) => regex,
        }
    }
}

thread_local! {
    static KEPT: RefCell<Patterns> = RefCell::default();
}

/// A pattern of a row, compiled now or before.
///
/// # Errors
/// What is wrong with it; that it is too long.
pub(crate) fn compiled(kind: Kind, pattern: &[u8]) -> Result<Rc<Regex>, Failure> {
    KEPT.with_borrow_mut(|kept| kept.get(kind, pattern))
        .map_err(Failure::Parse)
}

#[derive(Default)]
struct Patterns {
    entries: HashMap<Box<[u8]>, [Option<Entry>; 2]>,
    count: usize,
    bytes: usize,
    /// Counts uses.
    clock: u64,
}

struct Entry {
    compiled: Result<Rc<Regex>, String>,
    bytes: usize,
    used: u64,
}

impl Patterns {
    fn get(&mut self, kind: Kind, pattern: &[u8]) -> Result<Rc<Regex>, String> {
        self.clock += 1;
        let clock = self.clock;
        if let Some(entry) = self.find(kind, pattern) {
            entry.used = clock;
            return entry.compiled.clone();
        }
        if pattern.len() > MAX_LEN {
            return Err(format!("a pattern has at most {MAX_LEN} bytes"));
        }
        let (compiled, bytes) = compile(kind, pattern);
        let entry = Entry {
            compiled: compiled.clone(),
            bytes,
            used: clock,
        };
        self.keep(kind, pattern, entry);
        compiled
    }

    fn find(&mut self, kind: Kind, pattern: &[u8]) -> Option<&mut Entry> {
        self.entries
            .get_mut(pattern)?
            .get_mut(kind as usize)?
            .as_mut()
    }

    /// Keeps a pattern, and lets go of others for it.
    fn keep(&mut self, kind: Kind, pattern: &[u8], entry: Entry) {
        while self.count >= MAX_ENTRIES || self.count > 0 && self.bytes + entry.bytes > MAX_BYTES {
            self.forget_oldest();
        }
        self.bytes += entry.bytes;
        self.count += 1;
        let kinds = self.entries.entry(pattern.into()).or_default();
        if let Some(place) = kinds.get_mut(kind as usize) {
            *place = Some(entry);
        }
    }

    fn forget_oldest(&mut self) {
        let all = self.entries.iter().flat_map(|(pattern, kinds)| {
            let kinds = kinds.iter().enumerate();
            kinds.filter_map(move |(kind, entry)| Some((entry.as_ref()?.used, kind, pattern)))
        });
        let Some((_, kind, pattern)) = all.min_by_key(|(used, ..)| *used) else {
            self.count = 0;
            self.bytes = 0;
            return;
        };
        let pattern = pattern.clone();
        if let Some(kinds) = self.entries.get_mut(&pattern) {
            if let Some(entry) = kinds.get_mut(kind).and_then(Option::take) {
                self.bytes -= entry.bytes;
                self.count -= 1;
            }
            if kinds.iter().all(Option::is_none) {
                self.entries.remove(&pattern);
            }
        }
    }
}

/// Compiles a pattern within the smallest limits that do, and tells what it takes at most.
fn compile(kind: Kind, pattern: &[u8]) -> (Result<Rc<Regex>, String>, usize) {
    let text = String::from_utf8_lossy(pattern);
    let mut result = Err(String::new());
    for limits in LIMITS {
        result = match kind {
            Kind::Regex => regexp::compile_within(&text, limits),
            Kind::Glob => glob::compile_within(&text, limits),
        };
        if let Ok(regex) = result {
            // States are kept for either direction.
            let bytes = pattern.len() * 2 + limits.program + 2 * limits.states;
            return (Ok(Rc::new(regex)), bytes);
        }
    }
    let cause = result.err().unwrap_or_default();
    let bytes = pattern.len() + cause.len();
    (Err(cause), bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn patterns_are_compiled_once_and_kept_within_bounds() {
        let mut kept = Patterns::default();
        let first = kept.get(Kind::Regex, b"a+").unwrap();
        assert!(Rc::ptr_eq(&first, &kept.get(Kind::Regex, b"a+").unwrap()));
        // The same text is another pattern as a glob.
        assert!(!kept.get(Kind::Glob, b"a+").unwrap().is_match(b"aa"));
        assert!(kept.get(Kind::Regex, b"a(").is_err());
        assert!(kept.get(Kind::Regex, b"a(").is_err());
        assert_eq!(kept.count, 3);
        for at in 0..1_000 {
            kept.get(Kind::Regex, format!("^x{at}$").as_bytes())
                .unwrap();
            // One that is in use stays.
            assert!(Rc::ptr_eq(&first, &kept.get(Kind::Regex, b"a+").unwrap()));
            assert!(kept.count <= MAX_ENTRIES && kept.bytes <= MAX_BYTES);
        }
        let total: usize = kept
            .entries
            .values()
            .flatten()
            .flatten()
            .map(|e| e.bytes)
            .sum();
        let count = kept.entries.values().flatten().flatten().count();
        assert_eq!((total, count), (kept.bytes, kept.count));
    }

    #[test]
    fn large_patterns_push_others_out_and_too_large_ones_are_errors() {
        let mut kept = Patterns::default();
        for at in 0..8 {
            let large = format!("(?:{}){{200}}", "[a-zé]".repeat(40 + at));
            let _ = kept.get(Kind::Regex, large.as_bytes());
            assert!(kept.bytes <= MAX_BYTES);
        }
        assert!(
            kept.get(Kind::Regex, b"(?:(?:\\pL{1000}){1000}){1000}")
                .is_err()
        );
        assert!(kept.get(Kind::Regex, &vec![b'a'; MAX_LEN + 1]).is_err());
    }
}
