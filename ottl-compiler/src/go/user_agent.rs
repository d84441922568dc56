//! Which browser and operating system a user agent names: the patterns of uap-core
//! (`data/user_agents.txt`), tried in their order as the reference's library does it. A filter
//! over all of them leaves the few whose words a text has.

use std::sync::OnceLock;

use regex::Captures;
use regex_filtered::{Builder, Regexes};

use super::regexp;

const PATTERNS: &str = include_str!("../../data/user_agents.txt");

/// A name and a version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Its name; `Other` where it is not known.
    pub name: String,
    /// Parts of the version, those that are known, with dots between.
    pub version: String,
}

/// All patterns.
pub struct Patterns {
    browsers: Kind,
    systems: Kind,
}

/// The patterns of browsers, or of operating systems, and what is made of each.
struct Kind {
    regexes: Regexes,
    templates: Vec<Vec<Template>>,
}

/// Texts, and groups between them.
type Template = Vec<Piece>;

enum Piece {
    Text(&'static str),
    Group(usize),
}

impl Patterns {
    /// The patterns, compiled at first use.
    pub fn get() -> Option<&'static Patterns> {
        static COMPILED: OnceLock<Option<Patterns>> = OnceLock::new();
        let compile = || {
            Some(Patterns {
                browsers: Kind::compile("browser")?,
                systems: Kind::compile("os")?,
            })
        };
        COMPILED.get_or_init(compile).as_ref()
    }

    /// The browser.
    pub fn browser(&self, text: &str) -> Found {
        self.browsers.find(text)
    }

    /// The operating system.
    pub fn system(&self, text: &str) -> Found {
        self.systems.find(text)
    }
}

impl Kind {
    fn compile(kind: &str) -> Option<Kind> {
        let mut builder = Builder::new_atom_len(3);
        let mut templates = Vec::new();
        for line in PATTERNS.lines() {
            let mut fields = line.split('\t');
            if fields.next() != Some(kind) {
                continue;
            }
            let regex = regexp::translate(fields.next()?).ok()?;
            builder = builder.push(&regex).ok()?;
            templates.push(fields.map(template).collect());
        }
        Some(Kind {
            regexes: builder.build().ok()?,
            templates,
        })
    }

    /// What the first pattern that gives a name makes of a text.
    fn find(&self, text: &str) -> Found {
        let mut matching: Vec<_> = self.regexes.matching(text).collect();
        matching.sort_by_key(|(at, _)| *at);
        // One that matches and gives no name leaves its version behind where none does.
        let mut version = String::new();
        for (at, regex) in matching {
            let (Some(captures), Some(templates)) = (regex.captures(text), self.templates.get(at))
            else {
                continue;
            };
            let mut filled = templates.iter().map(|template| fill(template, &captures));
            let name = filled.next().unwrap_or_default();
            version = filled
                .enumerate()
                .fold(String::new(), |version, (at, part)| match part.is_empty() {
                    true => version,
                    false if at == 0 => part,
                    false => version + "." + &part,
                });
            if !name.is_empty() {
                return Found { name, version };
            }
        }
        let name = "Other".to_owned();
        Found { name, version }
    }
}

fn template(text: &'static str) -> Template {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        pieces.push(Piece::Text(before));
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = after.split_at(digits);
        pieces.extend(number.parse().map(Piece::Group));
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces
}

fn fill(template: &Template, captures: &Captures<'_>) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => *text,
        Piece::Group(at) => captures.get(*at).map_or("", |group| group.as_str()),
    };
    // The pieces borrow from different places, so each is taken as it comes.
    template.iter().fold(String::new(), |mut out, next| {
        out.push_str(piece(next));
        out
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn browsers_and_systems_are_told_by_their_names() {
        let patterns = Patterns::get().unwrap();
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                      Gecko) Chrome/120.0.6099.71 Safari/537.36";
        let found = |name: &str, version: &str| Found {
            name: name.to_owned(),
            version: version.to_owned(),
        };
        assert_eq!(patterns.browser(chrome), found("Chrome", "120.0.6099"));
        assert_eq!(patterns.system(chrome), found("Windows", "10"));
        assert_eq!(patterns.browser(""), found("Other", ""));
    }
}
