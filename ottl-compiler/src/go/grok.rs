//! Grok: patterns made of named patterns (`%{IP:client.address}`), as the library that the
//! reference uses reads them. The named ones are in `data/grok.txt`.

use std::{collections::HashMap, sync::OnceLock};

use regex::Regex;

const PATTERNS: &str = include_str!("../../data/grok.txt");

/// Names refer to others at most so often, as in the library.
const MAX_ROUNDS: usize = 1_000;

/// Bytes of a pattern with all names replaced; patterns can double with each.
const MAX_LEN: usize = 256 << 10;

/// A dot in the name of a group.
const DOT: &str = "___";

/// A pattern with all names replaced.
#[derive(Debug)]
pub struct Expanded {
    /// The regular expression.
    pub regex: String,
    /// The type that the text of a group is to have.
    pub hints: HashMap<String, String>,
}

/// Named patterns on top of those that there are.
pub type Definitions = HashMap<String, String>;

fn builtin() -> &'static HashMap<&'static str, &'static str> {
    static BUILTIN: OnceLock<HashMap<&str, &str>> = OnceLock::new();
    BUILTIN.get_or_init(|| {
        let lines = PATTERNS.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.split_once('\t')).collect()
    })
}

/// `%{NAME}`, `%{NAME:key}` or `%{NAME:key:type}`.
fn reference() -> Option<&'static Regex> {
    static REFERENCE: OnceLock<Option<Regex>> = OnceLock::new();
    let word = "[0-9A-Za-z_]+";
    let compile = || {
        Regex::new(&format!(
            r"%\{{({word}(?::[0-9A-Za-z_+.]+(?::{word})?)?)\}}"
        ))
        .ok()
    };
    REFERENCE.get_or_init(compile).as_ref()
}

/// Replaces names by what they stand for, until there are none.
///
/// # Errors
/// A name that there is not; names that refer to each other without an end.
pub fn expand(
    pattern: &str,
    definitions: &Definitions,
    named_only: bool,
) -> Result<Expanded, String> {
    let mut regex = pattern.to_owned();
    let mut hints = HashMap::new();
    let too_long = || "pattern definitions nest too deeply".to_owned();
    for _ in 0..MAX_ROUNDS {
        let names: Vec<(String, String)> = reference()
            .into_iter()
            .flat_map(|reference| reference.captures_iter(&regex))
            .filter_map(|found| {
                let text = |at| found.get(at).map(|group| group.as_str().to_owned());
                Some((text(0)?, text(1)?))
            })
            .collect();
        if names.is_empty() {
            return Ok(Expanded { regex, hints });
        }
        for (whole, inner) in names {
            let mut parts = inner.split(':');
            let name = parts.next().unwrap_or_default();
            let key = parts.next();
            let group = key.unwrap_or(name).replace('.', DOT);
            if let Some(hint) = parts.next() {
                hints.insert(group.clone(), hint.to_owned());
            }
            let known = definitions.get(name).map(String::as_str);
            let Some(known) = known.or_else(|| builtin().get(name).copied()) else {
                return Err(format!(
                    "pattern definition {name:?} unknown: parsing failed"
                ));
            };
            let group = match key {
                None if named_only => format!("({known})"),
                _ => format!("(?P<{group}>{known})"),
            };
            let growth = regex.matches(&whole).count() * group.len();
            if regex.len() + growth > MAX_LEN {
                return Err(too_long());
            }
            regex = regex.replace(&whole, &group);
        }
    }
    Err(too_long())
}

/// The key that a group's text is given under.
pub fn key(group: &str) -> String {
    group.replace(DOT, ".")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::go::regexp;

    #[test]
    fn patterns_that_come_along_compile() {
        let none = Definitions::new();
        let fails = |name: &&&str| {
            let expanded = expand(&format!("%{{{name}}}"), &none, false).unwrap();
            regexp::compile(&expanded.regex).is_err()
        };
        let failing: Vec<_> = builtin().keys().filter(fails).collect();
        // It names a key `[cisco.asa.burst.object`, and is an error in the library too.
        assert_eq!(failing, [&"CISCOFW733100"]);
    }

    #[test]
    fn definitions_that_grow_without_end_are_errors() {
        for definition in ["%{A}", "%{A}%{A}", "x"] {
            let definitions = Definitions::from([("A".to_owned(), definition.to_owned())]);
            let expanded = expand("%{A}", &definitions, false);
            assert_eq!(expanded.is_ok(), definition == "x", "{definition}");
        }
    }
}
