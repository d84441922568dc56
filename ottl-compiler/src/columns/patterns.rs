//! Patterns of statements, made ready for many short texts. Most begin with a literal or at the
//! start of the text: then it is known where a match can begin, and its end is found from there,
//! by comparing where the pattern is literals and runs of characters (`simple`), else by an
//! automaton that is built in full. Every other pattern is left to the crate `regex`.

use std::sync::OnceLock;

use memchr::memmem;
use regex::bytes::Regex;
use regex_automata::{
    Anchored, Input, MatchKind,
    dfa::{Automaton, StartKind, dense},
    nfa::thompson,
    util::syntax,
};
use regex_syntax::{
    ParserBuilder,
    hir::{Look, literal},
};

use super::simple::Simple;

/// Bytes that an automaton, and building it, may take.
const MAX_BYTES: usize = 64 << 10;
/// Places at which the literal stands and no match begins, after which a search is left to the
/// crate, whose time is linear.
const MAX_TRIES: usize = 16;

/// A pattern of a statement.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    regex: Regex,
    /// Built when it is used first.
    quick: Box<OnceLock<Option<Quick>>>,
}

/// A pattern whose matches are not empty, and begin with a literal or where the text does.
#[derive(Clone, Debug)]
struct Quick {
    /// What they begin with; none for those that begin where the text does.
    literal: Option<memmem::Finder<'static>>,
    end: End,
}

/// What finds the end of a match.
#[derive(Clone, Debug)]
enum End {
    Simple(Simple),
    Automaton(Box<dense::DFA<Vec<u32>>>),
}

/// A search that is left to the crate.
struct Left;

impl Pattern {
    pub fn new(regex: &Regex) -> Pattern {
        Pattern {
            regex: regex.clone(),
            quick: Box::default(),
        }
    }

    fn quick(&self) -> Option<&Quick> {
        let quick = self.quick.get_or_init(|| Quick::new(self.regex.as_str()));
        quick.as_ref()
    }

    /// Whether a search takes so little that it is not worth while to remember results.
    pub fn is_quick(&self) -> bool {
        self.quick().is_some()
    }

    /// Whether it matches anywhere in a text.
    #[inline]
    pub fn is_match(&self, text: &[u8]) -> bool {
        match self.quick().map(|quick| quick.find_at(text, 0, true)) {
            Some(Ok(found)) => found.is_some(),
            _ => self.regex.is_match(text),
        }
    }

    /// The first match that begins at `from` or behind: where it begins and ends.
    #[inline]
    fn find_at(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        match self.quick().map(|quick| quick.find_at(text, from, false)) {
            Some(Ok(found)) => found,
            _ => {
                let found = self.regex.find_at(text, from)?;
                Some((found.start(), found.end()))
            }
        }
    }

    /// Appends the text with every match replaced; whether there is one. False, too, and nothing
    /// appended, when it has matches that are empty: `None`.
    pub fn replace(&self, text: &[u8], by: &[u8], out: &mut Vec<u8>) -> Option<bool> {
        let (mut last, mut any) = (0, false);
        let from = out.len();
        while let Some((start, end)) = self.find_at(text, last) {
            if start == end {
                // Where to go on from there is another matter.
                out.truncate(from);
                return None;
            }
            any = true;
            out.extend_from_slice(text.get(last..start).unwrap_or_default());
            out.extend_from_slice(by);
            last = end;
        }
        if any {
            out.extend_from_slice(text.get(last..).unwrap_or_default());
        }
        Some(any)
    }
}

impl Quick {
    fn new(pattern: &str) -> Option<Quick> {
        let hir = ParserBuilder::new().utf8(false).build().parse(pattern);
        let hir = hir.ok()?;
        let about = hir.properties();
        if about.minimum_len().unwrap_or(0) == 0 {
            return None;
        }
        let literal = match about.look_set_prefix().contains(Look::Start) {
            true => None,
            false => {
                let prefixes = literal::Extractor::new().extract(&hir);
                let literal = prefixes.longest_common_prefix()?;
                if literal.is_empty() {
                    return None;
                }
                Some(memmem::Finder::new(literal).into_owned())
            }
        };
        if let Some(mut simple) = Simple::new(&hir) {
            if let Some(literal) = &literal {
                simple = simple.behind(literal.needle());
            }
            return Some(Quick {
                literal,
                end: End::Simple(simple),
            });
        }
        let dfa = dense::Builder::new()
            .syntax(syntax::Config::new().utf8(false))
            .thompson(thompson::Config::new().utf8(false))
            .configure(
                dense::Config::new()
                    .start_kind(StartKind::Anchored)
                    .match_kind(MatchKind::LeftmostFirst)
                    .dfa_size_limit(Some(MAX_BYTES))
                    .determinize_size_limit(Some(MAX_BYTES)),
            )
            .build(pattern);
        Some(Quick {
            literal,
            end: End::Automaton(Box::new(dfa.ok()?)),
        })
    }

    /// The first match from `from` on; where it ends is of no matter if it is the `earliest` end
    /// that is asked for.
    #[inline]
    fn find_at(
        &self,
        text: &[u8],
        from: usize,
        earliest: bool,
    ) -> Result<Option<(usize, usize)>, Left> {
        let end_of = |at: usize| match &self.end {
            End::Simple(simple) => Ok(simple.end(text, at).map(|end| (at, end))),
            End::Automaton(dfa) => run(dfa, text, at, earliest),
        };
        let Some(literal) = &self.literal else {
            return match from {
                0 => end_of(0),
                _ => Ok(None),
            };
        };
        let mut at = from;
        for _ in 0..MAX_TRIES {
            let Some(next) = text.get(at..).and_then(|rest| literal.find(rest)) else {
                return Ok(None);
            };
            at += next;
            if let Some(found) = end_of(at)? {
                return Ok(Some(found));
            }
            at += 1;
        }
        Err(Left)
    }
}

/// The match that begins at `at`.
// Apart from what is shorter, and wants less room.
#[inline(never)]
fn run(
    dfa: &dense::DFA<Vec<u32>>,
    text: &[u8],
    at: usize,
    earliest: bool,
) -> Result<Option<(usize, usize)>, Left> {
    let input = Input::new(text)
        .span(at..text.len())
        .anchored(Anchored::Yes)
        .earliest(earliest);
    let found = dfa.try_search_fwd(&input).map_err(|_| Left)?;
    Ok(found.map(|end| (at, end.offset())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::go::regexp;

    const PATTERNS: [&str; 26] = [
        "a[bc]+",
        "^a[0-9]*b$",
        "ab[ab]+c",
        "a[bc]{2}",
        "a[bc]{1,2}",
        "a[bc]{1,2}a",
        "=[^a]+",
        "(a)(b+)c?",
        "a\\d+/",
        "(?i)^ab+",
        "session=[0-9a-f]+",
        "^/api/v[0-9]+/",
        "^a",
        "a",
        "ab|ac",
        "a.*b|a",
        "(?i)ab",
        "a+?b",
        "aa",
        "ab*$",
        "a(b|c)*",
        r"ab\b",
        r"\Aa.",
        "(?m)^ab",
        "a[^b]{2}c",
        "[ab]c",
    ];

    proptest! {
        #[test]
        fn matches_are_those_of_the_crate(
            text in "[abc \n/=é0]{0,40}|a{0,40}|(/api/v[0-9]{1,3}/|session=[0-9g]{1,3}|ab){0,5}"
        ) {
            let text = text.as_bytes();
            for pattern in PATTERNS {
                let regex = regexp::compile(pattern).unwrap();
                let quick = Pattern::new(&regex);
                prop_assert_eq!(quick.is_match(text), regex.is_match(text), "{}", pattern);
                let mut out = b"before".to_vec();
                let replaced = quick.replace(text, b"<>", &mut out);
                let expected = regex.replace_all(text, regex::bytes::NoExpand(b"<>"));
                prop_assert_eq!(replaced, Some(regex.is_match(text)), "{}", pattern);
                match replaced {
                    Some(true) => prop_assert_eq!(&out[6..], &*expected, "{}", pattern),
                    _ => prop_assert_eq!(&out[..], b"before"),
                }
            }
        }
    }

    #[test]
    fn what_begins_with_a_literal_or_at_the_start_is_quick() {
        let quick = |pattern: &str| Pattern::new(&regexp::compile(pattern).unwrap()).is_quick();
        for pattern in ["session=[0-9a-f]+", "^/api/v[0-9]+/", "ab|ac", "a.*b"] {
            assert!(quick(pattern), "{pattern}");
        }
        for pattern in ["[0-9]+", "a*", "", "^", "ab|cd", "^\\pL{200}"] {
            assert!(!quick(pattern), "{pattern}");
        }
    }

    #[test]
    fn empty_matches_are_somebody_elses() {
        let pattern = Pattern::new(&regexp::compile("a*").unwrap());
        let mut out = Vec::new();
        assert_eq!(pattern.replace(b"aab", b"x", &mut out), None);
        assert!(out.is_empty());
    }
}
