//! What is wrong with a configuration, or worth a warning: the Collector's
//! words first, then the place, the key path, the reason and the nearest valid
//! names. Everything found is collected, nothing stops at the first error.

use std::fmt::{self, Write};

use super::node::{Node, Position};

/// The line that the Collector puts between nested levels.
const NESTED: &str = "decoding failed due to the following error(s):";

/// One finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// The Collector's enclosing phrases, outermost first
    /// (`'exporters' error reading configuration for "debug":`).
    pub frames: Vec<String>,
    /// The Collector's phrase (`'timeout' time: unknown unit`).
    pub phrase: String,
    /// Where it was written.
    pub at: Option<Position>,
    /// Full key path, joined with `::`.
    pub key: String,
    /// What to do: nearest names, valid values, the reason.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A finding about a place that has no key.
    pub fn new(phrase: impl Into<String>) -> Self {
        Diagnostic {
            frames: Vec::new(),
            phrase: phrase.into(),
            at: None,
            key: String::new(),
            hint: None,
        }
    }

    /// Place, key and hint, as the second line of a message.
    pub fn place(&self) -> Option<String> {
        let mut out = String::new();
        if let Some(at) = &self.at {
            let _ = write!(out, "at {at}");
        }
        if !self.key.is_empty() {
            let comma = if out.is_empty() { "" } else { ", " };
            let _ = write!(out, "{comma}key {}", self.key);
        }
        if let Some(hint) = &self.hint {
            let semicolon = if out.is_empty() { "" } else { "; " };
            let _ = write!(out, "{semicolon}{hint}");
        }
        (!out.is_empty()).then_some(out)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.phrase)?;
        match self.place() {
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}

/// A key that was set and that changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct NoEffect {
    /// Full key path.
    pub key: String,
    /// Where it was set.
    pub at: Position,
    /// Why it changes nothing.
    pub why: &'static str,
}

/// Everything found so far.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    /// What makes the configuration unusable.
    pub errors: Vec<Diagnostic>,
    /// What does not.
    pub warnings: Vec<Diagnostic>,
    /// Keys set without effect.
    pub no_effect: Vec<NoEffect>,
}

/// Writes errors as the Collector nests them, each followed by its place.
pub fn render(errors: &[Diagnostic]) -> String {
    let mut out = String::new();
    let mut open: &[String] = &[];
    for error in errors {
        let shared = open
            .iter()
            .zip(&error.frames)
            .take_while(|(a, b)| a == b)
            .count();
        if !out.is_empty() {
            out.push('\n');
        }
        for frame in error.frames.iter().skip(shared) {
            let _ = write!(out, "{frame} {NESTED}\n\n");
        }
        open = &error.frames;
        out.push_str(&error.phrase);
        if let Some(place) = error.place() {
            let _ = write!(out, "\n    {place}");
        }
    }
    out
}

/// Walks a tree while it is turned into settings and notes what is found.
/// Three paths are kept: the full key path, the Collector's enclosing frames,
/// and the path since the innermost frame, which its phrases quote.
pub struct Decoder<'a> {
    /// Where findings go.
    pub found: &'a mut Diagnostics,
    path: Vec<String>,
    declared: Vec<String>,
    frames: Vec<String>,
    relative: Vec<String>,
    lenient: bool,
}

impl<'a> Decoder<'a> {
    /// Starts at a key path (`exporters`, `debug`) within the given frames.
    pub fn new(found: &'a mut Diagnostics, path: Vec<String>, frames: Vec<String>) -> Self {
        Decoder {
            found,
            declared: path.clone(),
            path,
            frames,
            relative: Vec::new(),
            lenient: false,
        }
    }

    /// The same, for a component: its keys are declared under its section and type,
    /// whatever its id.
    pub fn declared_as(mut self, section: &str, type_name: &str) -> Self {
        self.declared = vec![section.to_owned(), type_name.to_owned()];
        self
    }

    /// The path of declarations: without ids and indices.
    pub fn declared_path(&self) -> String {
        self.declared.join("::")
    }

    /// Runs `f` one key deeper.
    pub fn within<R>(&mut self, key: &str, f: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(key.to_owned());
        self.declared.push(key.to_owned());
        self.relative.push(key.to_owned());
        let result = f(self);
        self.relative.pop();
        self.declared.pop();
        self.path.pop();
        result
    }

    /// Runs `f` one list item deeper.
    pub fn at_index<R>(&mut self, index: usize, f: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(index.to_string());
        let last = self.relative.pop();
        let name = format!("{}[{index}]", last.as_deref().unwrap_or_default());
        self.relative.push(name);
        let result = f(self);
        self.relative.pop();
        self.relative.extend(last);
        self.path.pop();
        result
    }

    /// Runs `f` one map entry deeper, where the Collector writes `last[key]`.
    pub fn at_entry<R>(&mut self, key: &str, f: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(key.to_owned());
        let last = self.relative.pop();
        let name = format!("{}[{key}]", last.as_deref().unwrap_or_default());
        self.relative.push(name);
        let result = f(self);
        self.relative.pop();
        self.relative.extend(last);
        self.path.pop();
        result
    }

    /// Runs `f` as the Collector's nested decoding of the current key.
    pub fn nested<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        let name = self.relative_path();
        self.frames.push(format!("'{name}'"));
        let relative = std::mem::take(&mut self.relative);
        let result = f(self);
        self.relative = relative;
        self.frames.pop();
        result
    }

    /// Runs `f` with unknown keys passing (with a warning) or not.
    pub fn leniently<R>(&mut self, lenient: bool, f: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.lenient, lenient);
        let result = f(self);
        self.lenient = before;
        result
    }

    /// Do unknown keys pass here?
    pub fn lenient(&self) -> bool {
        self.lenient
    }

    /// The path since the innermost frame, as messages quote it.
    pub fn relative_path(&self) -> String {
        self.relative.join(".")
    }

    /// The full key path.
    pub fn key_path(&self) -> String {
        self.path.join("::")
    }

    fn finding(&self, phrase: String, at: &Position, hint: Option<String>) -> Diagnostic {
        Diagnostic {
            frames: self.frames.clone(),
            phrase,
            at: Some(at.clone()),
            key: self.key_path(),
            hint,
        }
    }

    /// An error about the current key: `'key' phrase`.
    pub fn error(&mut self, node: &Node, phrase: impl fmt::Display, hint: Option<String>) {
        let phrase = format!("'{}' {phrase}", self.relative_path());
        let finding = self.finding(phrase, &node.at, hint);
        self.found.errors.push(finding);
    }

    /// An error in words of its own.
    pub fn error_at(&mut self, at: &Position, phrase: impl Into<String>, hint: Option<String>) {
        let finding = self.finding(phrase.into(), at, hint);
        self.found.errors.push(finding);
    }

    /// A warning in words of its own.
    pub fn warning_at(&mut self, at: &Position, phrase: impl Into<String>, hint: Option<String>) {
        let finding = self.finding(phrase.into(), at, hint);
        self.found.warnings.push(finding);
    }

    /// The current key was set and changes nothing.
    pub fn no_effect(&mut self, at: &Position, why: &'static str) {
        self.found.no_effect.push(NoEffect {
            key: self.key_path(),
            at: at.clone(),
            why,
        });
    }

    /// Keys that the current struct (`name` in the Collector's words) does not have.
    pub fn unknown_keys(&mut self, name: &str, unknown: &[(&str, &Position)], valid: &[&str]) {
        let Some((first, at)) = unknown.first() else {
            return;
        };
        let names: Vec<&str> = unknown.iter().map(|(name, _)| *name).collect();
        let mut hints: Vec<String> = unknown
            .iter()
            .filter_map(|(name, at)| {
                let near = nearest(name, valid.iter().copied())?;
                Some(if unknown.len() == 1 {
                    format!("did you mean {near:?}?")
                } else {
                    format!("{name:?} at {at}: did you mean {near:?}?")
                })
            })
            .collect();
        if valid.is_empty() {
            hints.push("no keys are valid here".into());
        } else if hints.len() < unknown.len() {
            hints.push(format!("valid keys: {}", valid.join(", ")));
        }
        // A block that is no step of its own goes by its path, as there.
        let path = self.relative_path();
        let name = if path.is_empty() { name } else { &path };
        let phrase = format!("'{name}' has invalid keys: {}", names.join(", "));
        self.path.push((*first).to_owned());
        let finding = self.finding(phrase, at, Some(hints.join(" ")));
        self.path.pop();
        if self.lenient {
            self.found.warnings.push(finding);
        } else {
            self.found.errors.push(finding);
        }
    }
}

/// The candidate that `name` is most likely a slip for, if any is near.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_ascii_lowercase();
    let bare = |s: &str| s.to_ascii_lowercase().replace(['_', '-'], "");
    let limit = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let distance = if bare(candidate) == bare(name) {
                0
            } else {
                edit_distance(&lower, &candidate.to_ascii_lowercase())
            };
            (distance <= limit).then_some((distance, candidate))
        })
        .min_by_key(|(distance, candidate)| (*distance, *candidate))
        .map(|(_, candidate)| candidate)
}

/// Damerau-Levenshtein distance (adjacent transposition counts one), over at
/// most 64 characters; longer names are not slips.
fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(65).collect();
    let b: Vec<char> = b.chars().take(65).collect();
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut row = vec![i + 1; b.len() + 1];
        for (j, cb) in b.iter().enumerate() {
            let mut best = (last[j + 1] + 1)
                .min(row[j] + 1)
                .min(last[j] + usize::from(ca != cb));
            if i > 0 && j > 0 && a[i - 1] == *cb && b[j - 1] == *ca {
                best = best.min(before[j - 1] + 1);
            }
            row[j + 1] = best;
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_the_name_that_was_meant() {
        let keys = [
            "verbosity",
            "sampling_initial",
            "endpoint",
            "timeout",
            "tls",
        ];
        for (name, meant) in [
            ("verbosty", Some("verbosity")),
            ("Timeout", Some("timeout")),
            ("samplingInitial", Some("sampling_initial")),
            ("tiemout", Some("timeout")),
            ("tsl", Some("tls")),
            ("zzz", None),
        ] {
            assert_eq!(nearest(name, keys), meant, "{name}");
        }
    }
}
