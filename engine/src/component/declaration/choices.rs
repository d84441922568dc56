//! Sets of words: the `choice!` macro, and how a word is read and printed.

use super::{Printed, Shape};
use crate::config::{
    diagnostics::{Decoder, nearest},
    node::{Node, Value, quoted},
};

/// What `choice!` declares about a set of words.
#[derive(Debug)]
pub struct ChoiceMeta {
    /// The Go type's name.
    pub name: &'static str,
    /// Numbers are words too, counted from -1.
    pub numbered: bool,
    /// The Collector's message for another word; `%q` is the word quoted, `%s` as it is.
    pub message: &'static str,
    /// The word that Go's zero value stands for, where there is one.
    pub zero: Option<&'static str>,
    /// Letters of any case do.
    pub any_case: bool,
    /// `print-config` writes the word with a capital.
    pub title: bool,
    /// Every spelling, with the index of what it means; the first spelling of a
    /// meaning is the one printed.
    pub words: &'static [(&'static str, usize)],
}

impl ChoiceMeta {
    /// What a word means.
    pub fn index(&self, word: &str) -> Option<usize> {
        self.words
            .iter()
            .find(|(w, _)| *w == word || (self.any_case && w.eq_ignore_ascii_case(word)))
            .map(|(_, index)| *index)
    }

    /// The word for a meaning.
    pub fn word(&self, index: usize) -> &'static str {
        self.words
            .iter()
            .find(|(_, i)| *i == index)
            .map_or("", |(word, _)| *word)
    }

    /// Reads a word or reports it.
    pub fn decode(&self, node: &Node, cx: &mut Decoder<'_>) -> Option<usize> {
        let text = match (&node.value, &node.original) {
            // Go counts these types from -1.
            (Value::Integer(number), _) if self.numbered => {
                let last = self.words.iter().map(|(_, index)| *index).max()?;
                return usize::try_from((*number).clamp(-1, last as i128 - 1) + 1).ok();
            }
            (_, Some(original)) => original,
            (Value::Text(text), None) => text,
            (Value::Null, None) => return None,
            _ => {
                let phrase = format!(
                    "expected type '{}', got unconvertible type '{}'",
                    self.name,
                    node.go_type()
                );
                cx.error(node, phrase, Some(self.valid()));
                return None;
            }
        };
        // An unset variable as the whole value is Go's zero value where the type
        // is a number there; an empty text where it is a text.
        if node.is_null() && self.index(text).is_none() {
            return self.zero.and_then(|zero| self.index(zero));
        }
        let found = self.index(text);
        if found.is_none() {
            let phrase = self
                .message
                .replace("%q", &quoted(text))
                .replace("%s", text);
            let near = nearest(text, self.words.iter().map(|(word, _)| *word));
            let hint = match near {
                Some(near) => format!("did you mean {near:?}? {}", self.valid()),
                None => self.valid(),
            };
            cx.error(node, phrase, Some(hint));
        }
        found
    }

    fn valid(&self) -> String {
        let words: Vec<&str> = self
            .words
            .iter()
            .map(|(word, _)| *word)
            .filter(|word| !word.is_empty())
            .collect();
        format!("valid values: {}", words.join(", "))
    }

    /// The word for a meaning, as `print-config` writes it.
    pub fn print(&self, index: usize) -> Printed {
        let word = self.word(index);
        let mut text = word.to_owned();
        if self.title
            && let Some(first) = text.get_mut(..1)
        {
            first.make_ascii_uppercase();
        }
        Printed::Text(text)
    }

    /// Its type.
    pub fn shape(&self) -> Shape {
        Shape::Choice {
            words: self.words.iter().map(|(word, _)| *word).collect(),
            any_case: self.any_case,
        }
    }
}

/// Declares a set of words as an enum. `message` is the Collector's text for a
/// word that is none of them, with `%q` or `%s` in the word's place; `zero` and the
/// word of Go's zero value, `any_case`, `title` and `numbered` may follow.
macro_rules! choice {
    ($(#[doc = $doc:literal])* $vis:vis enum $name:ident as $go:literal, message $message:literal $(zero $zero:literal)? $(, $flag:ident)* {
        $( $(#[doc = $vdoc:literal])* $variant:ident = $first:literal $(| $other:literal)* ; )*
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name {
            $( $(#[doc = $vdoc])* $variant, )*
        }

        impl $name {
            const META: $crate::component::ChoiceMeta = $crate::component::ChoiceMeta {
                name: $go,
                message: $message,
                numbered: $crate::component::declaration::has_flag(&[$(stringify!($flag)),*], "numbered"),
                zero: [$(Some($zero),)? None][0],
                any_case: $crate::component::declaration::has_flag(&[$(stringify!($flag)),*], "any_case"),
                title: $crate::component::declaration::has_flag(&[$(stringify!($flag)),*], "title"),
                words: &[$( ($first, $name::$variant as usize), $( ($other, $name::$variant as usize), )* )*],
            };

            /// The word in a configuration.
            pub fn word(self) -> &'static str {
                Self::META.word(self as usize)
            }

            /// What a word means, if it is one.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::at(Self::META.index(word)?)
            }

            fn at(index: usize) -> Option<Self> {
                [$($name::$variant),*].get(index).copied()
            }
        }

        impl $crate::component::Setting for $name {
            fn decode(&mut self, node: &$crate::config::node::Node, cx: &mut $crate::config::diagnostics::Decoder<'_>) {
                if let Some(value) = Self::META.decode(node, cx).and_then(Self::at) {
                    *self = value;
                }
            }
            fn clear(&mut self) {
                if let Some(value) = Self::META.zero.and_then(Self::from_word) {
                    *self = value;
                }
            }
            fn print(&self) -> $crate::component::Printed {
                Self::META.print(*self as usize)
            }
            fn zero(&self) -> $crate::component::Printed {
                let zero = Self::META.zero.and_then(Self::from_word);
                zero.map_or($crate::component::Printed::Text(String::new()), |zero| zero.print())
            }
            fn shape(&self) -> $crate::component::Shape {
                Self::META.shape()
            }
        }
    };
}
pub(crate) use choice;

/// Is `flag` among the flags of a `choice!`?
pub const fn has_flag(flags: &[&str], flag: &str) -> bool {
    let mut i = 0;
    while i < flags.len() {
        if equal(flags[i].as_bytes(), flag.as_bytes()) {
            return true;
        }
        i += 1;
    }
    false
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}
