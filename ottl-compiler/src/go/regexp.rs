//! Regular expressions as Go's `regexp` (RE2) reads them, on the crate `regex`.
//!
//! The crate differs in what a pattern means (`\d`, `\w`, `\s` and `\b` are
//! Unicode there and ASCII in Go), in what it accepts (Go has `\Q…\E`, octal
//! escapes and literal braces; the crate has set operations in classes, nested
//! classes and the flags `x`, `u` and `R`), and in its error texts. A pattern is
//! therefore rewritten item by item; what is left to the crate means the same in
//! both.

use std::{collections::HashSet, fmt::Write as _};

use regex::bytes::{Captures, Regex, RegexBuilder};

/// Compiles a pattern.
///
/// # Errors
/// Go's text, `error parsing regexp: …`.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    compile_within(pattern, Limits::default())
}

/// Bytes that a compiled pattern may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For its program.
    pub program: usize,
    /// For the states that it meets, in either direction.
    pub states: usize,
}

impl Default for Limits {
    /// Those of the crate.
    fn default() -> Limits {
        Limits {
            program: 10 << 20,
            states: 2 << 20,
        }
    }
}

impl Limits {
    pub(super) fn build(self, translated: &str) -> Result<Regex, regex::Error> {
        RegexBuilder::new(translated)
            .size_limit(self.program)
            .dfa_size_limit(self.states)
            .build()
    }
}

/// Compiles a pattern that may not take more than so much.
///
/// # Errors
/// As of [`compile`], and that it would take more.
pub fn compile_within(pattern: &str, limits: Limits) -> Result<Regex, String> {
    let translated = translate(pattern)?;
    limits.build(&translated).map_err(|e| {
        let text = e.to_string();
        let cause = text
            .lines()
            .last()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .trim();
        format!("error parsing regexp: {cause}: `{pattern}`")
    })
}

/// A pattern as the crate writes what it means in Go.
///
/// # Errors
/// Go's text, `error parsing regexp: …`.
pub fn translate(pattern: &str) -> Result<String, String> {
    let translated = Translator::new(pattern).run();
    translated.map_err(|e| format!("error parsing regexp: {e}"))
}

struct Translator<'a> {
    pattern: &'a str,
    rest: &'a str,
    out: String,
    open: usize,
    /// Names of groups so far: Go lets several have one.
    names: HashSet<&'a str>,
    /// Is there something before this point that `*` can repeat?
    item: bool,
    /// How often it may come through counted repetitions, one within the other.
    times: u32,
    /// The most of that in each open group, the whole pattern first.
    most: Vec<u32>,
}

impl<'a> Translator<'a> {
    fn new(pattern: &'a str) -> Self {
        Translator {
            pattern,
            rest: pattern,
            out: String::with_capacity(pattern.len() + 16),
            open: 0,
            names: HashSet::new(),
            item: false,
            times: 1,
            most: vec![1],
        }
    }

    fn run(mut self) -> Result<String, String> {
        while let Some(c) = self.rest.chars().next() {
            if !matches!(c, ')' | '*' | '+' | '?' | '{') {
                self.times = 1;
            }
            match c {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => {
                    self.group()?;
                    self.most.resize(self.open + 1, 1);
                }
                ')' => {
                    self.open = self
                        .open
                        .checked_sub(1)
                        .ok_or_else(|| format!("unexpected ): `{}`", self.pattern))?;
                    self.keep(1);
                    self.item = true;
                    self.times = self.most.pop().unwrap_or(1);
                    self.note_times();
                }
                '|' => {
                    self.keep(1);
                    self.item = false;
                }
                '*' | '+' | '?' => {
                    self.repeatable(1)?;
                    self.keep(1);
                    self.lazy_or_nested(c)?;
                }
                '{' => match repetition(self.rest) {
                    Some(len) => {
                        self.repeatable(len)?;
                        self.bounds(len)?;
                        self.keep(len);
                        self.lazy_or_nested('{')?;
                    }
                    None => {
                        self.literal('{', 1);
                        self.times = 1;
                    }
                },
                '.' | '^' | '$' => {
                    self.keep(1);
                    self.item = true;
                }
                c => self.literal(c, c.len_utf8()),
            }
        }
        if self.open > 0 {
            return Err(format!("missing closing ): `{}`", self.pattern));
        }
        Ok(self.out)
    }

    /// Takes bytes over as they are.
    fn keep(&mut self, len: usize) {
        let (kept, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.out.push_str(kept);
        self.rest = rest;
    }

    fn literal(&mut self, c: char, len: usize) {
        push_literal(&mut self.out, c);
        self.rest = self.rest.get(len..).unwrap_or_default();
        self.item = true;
    }

    fn repeatable(&self, len: usize) -> Result<(), String> {
        if self.item {
            return Ok(());
        }
        Err(format!(
            "missing argument to repetition operator: `{}`",
            self.rest.get(..len).unwrap_or_default()
        ))
    }

    /// After a repetition operator: `?` makes it lazy, a further operator is an error in Go.
    fn lazy_or_nested(&mut self, operator: char) -> Result<(), String> {
        if self.rest.starts_with('?') {
            self.keep(1);
        }
        let nested = self.rest.starts_with(['*', '+', '?']) || repetition(self.rest).is_some();
        if nested {
            let end = if self.rest.starts_with('{') {
                repetition(self.rest).unwrap_or(1)
            } else {
                1
            };
            let next = self.rest.get(..end).unwrap_or_default();
            return Err(format!(
                "invalid nested repetition operator: `{operator}{next}`"
            ));
        }
        Ok(())
    }

    /// Go repeats at most 1,000 times, those within one another multiplied.
    fn bounds(&mut self, len: usize) -> Result<(), String> {
        let text = self.rest.get(..len).unwrap_or_default();
        let error = || format!("invalid repeat count: `{text}`");
        let mut numbers = text.trim_matches(['{', '}']).split(',');
        let mut number = || -> Option<Option<u32>> {
            let text = numbers.next().filter(|text| !text.is_empty())?;
            Some(text.parse().ok().filter(|n| *n <= MOST))
        };
        let from = number().unwrap_or(Some(0)).ok_or_else(error)?;
        let to = number().map_or(Ok(None), |to| to.ok_or_else(error).map(Some))?;
        if to.is_some_and(|to| to < from) {
            return Err(error());
        }
        let exact = !text.contains(',');
        let count = if exact { from } else { to.unwrap_or(from) };
        // What comes never is not counted, nor what can be counted without.
        self.times = match count {
            0 if exact || to.is_some() => 1,
            count => self.times.saturating_mul(count.max(1)),
        };
        if count >= 2 && self.times > MOST {
            return Err(error());
        }
        self.note_times();
        Ok(())
    }

    fn note_times(&mut self) {
        if let Some(most) = self.most.last_mut() {
            *most = self.times.max(*most);
        }
    }

    fn group(&mut self) -> Result<(), String> {
        self.open += 1;
        self.item = false;
        let Some(inner) = self.rest.strip_prefix("(?") else {
            self.keep(1);
            return Ok(());
        };
        if inner.starts_with("P<") || inner.starts_with('<') {
            let end = inner
                .find('>')
                .ok_or_else(|| format!("invalid named capture: `{}`", self.rest))?;
            let name = inner
                .get(inner.find('<').map_or(0, |at| at + 1)..end)
                .unwrap_or_default();
            if name.is_empty() || !name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) {
                let shown = self.rest.get(..end + 3).unwrap_or_default();
                return Err(format!("invalid named capture: `{shown}`"));
            }
            let _ = match self.names.insert(name) {
                true => write!(self.out, "(?P<{}>", capture_name(name)),
                false => write!(self.out, "(?P<{AGAIN}{}__{name}>", self.out.len()),
            };
            self.rest = inner.get(end + 1..).unwrap_or_default();
            return Ok(());
        }
        // Flags: i, m, s, U, set or cleared, then `:` or `)`.
        let end = inner
            .find([':', ')'])
            .ok_or_else(|| format!("missing closing ): `{}`", self.pattern))?;
        let flags = inner.get(..end).unwrap_or_default();
        let valid = flags
            .chars()
            .all(|c| matches!(c, 'i' | 'm' | 's' | 'U' | '-'))
            && flags.matches('-').count() <= 1
            && !flags.ends_with('-');
        if !valid {
            let shown = self.rest.get(..end + 3).unwrap_or_default();
            return Err(format!("invalid or unsupported Perl syntax: `{shown}`"));
        }
        if inner.get(end..).is_some_and(|rest| rest.starts_with(')')) {
            self.open -= 1;
            if flags.is_empty() {
                // `(?)` is allowed in Go and does nothing.
                self.rest = inner.get(end + 1..).unwrap_or_default();
                return Ok(());
            }
        }
        self.keep(2 + end + 1);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        let mut chars = self.rest.chars();
        chars.next();
        let Some(c) = chars.next() else {
            return Err("trailing backslash at end of expression: ``".to_owned());
        };
        self.item = true;
        match c {
            'Q' => {
                let quoted = self.rest.get(2..).unwrap_or_default();
                let (text, rest) = quoted.split_once("\\E").unwrap_or((quoted, ""));
                text.chars().for_each(|c| push_literal(&mut self.out, c));
                self.rest = rest;
            }
            'E' => return Err("invalid escape sequence: `\\E`".to_owned()),
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => {
                self.out.push_str(perl_class(c));
                self.rest = self.rest.get(2..).unwrap_or_default();
            }
            'b' | 'B' => {
                let _ = write!(self.out, "(?-u:\\{c})");
                self.rest = self.rest.get(2..).unwrap_or_default();
            }
            'A' | 'z' => self.keep(2),
            'p' | 'P' => {
                let len = property(self.rest)?;
                self.keep(len);
            }
            _ => {
                let (c, len) = character(self.rest)?;
                self.literal(c, len);
            }
        }
        Ok(())
    }

    fn class(&mut self) -> Result<(), String> {
        let whole = self.rest;
        let unclosed = || format!("missing closing ]: `{whole}`");
        self.out.push('[');
        self.rest = self.rest.get(1..).unwrap_or_default();
        if self.rest.starts_with('^') {
            self.keep(1);
        }
        let mut first = true;
        loop {
            if self.rest.is_empty() {
                return Err(unclosed());
            }
            if self.rest.starts_with(']') && !first {
                self.keep(1);
                self.item = true;
                return Ok(());
            }
            first = false;
            if self.rest.starts_with("[:")
                && let Some(end) = self.rest.find(":]")
            {
                let name = self.rest.get(2..end).unwrap_or_default();
                if !CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
                    return Err(format!("invalid character class range: `[:{name}:]`"));
                }
                self.keep(end + 2);
                continue;
            }
            match self.rest.as_bytes() {
                [b'\\', class @ (b'd' | b'D' | b's' | b'S' | b'w' | b'W'), ..] => {
                    self.out.push_str(perl_class(char::from(*class)));
                    self.rest = self.rest.get(2..).unwrap_or_default();
                    continue;
                }
                [b'\\', b'p' | b'P', ..] => {
                    let len = property(self.rest)?;
                    self.keep(len);
                    continue;
                }
                _ => {}
            }
            let start = self.rest;
            let low = self.class_character().ok_or_else(unclosed)??;
            let is_range =
                self.rest.starts_with('-') && !self.rest.starts_with("-]") && self.rest.len() > 1;
            push_class_literal(&mut self.out, low);
            if is_range {
                self.rest = self.rest.get(1..).unwrap_or_default();
                let high = self.class_character().ok_or_else(unclosed)??;
                if high < low {
                    let len = start.len() - self.rest.len();
                    let shown = start.get(..len).unwrap_or_default();
                    return Err(format!("invalid character class range: `{shown}`"));
                }
                self.out.push('-');
                push_class_literal(&mut self.out, high);
            }
        }
    }

    /// The next character of a class; `None` at the end of the pattern.
    fn class_character(&mut self) -> Option<Result<char, String>> {
        let c = self.rest.chars().next()?;
        let (c, len) = if c == '\\' {
            match character(self.rest) {
                Ok(found) => found,
                Err(error) => return Some(Err(error)),
            }
        } else {
            (c, c.len_utf8())
        };
        self.rest = self.rest.get(len..).unwrap_or_default();
        Some(Ok(c))
    }
}

/// How often Go repeats.
const MOST: u32 = 1000;

/// The names of `[[:name:]]`.
const CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// A group's name as the crate takes it: it wants a letter or `_` first, Go does not.
fn capture_name(name: &str) -> String {
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("{DIGIT_NAME}{name}")
    } else {
        name.to_owned()
    }
}

/// Before a group's name that begins with a digit.
const DIGIT_NAME: &str = "__digit__";

/// Before a number, `__` and the name of a group, where another group has it already.
const AGAIN: &str = "__again";

/// The group names of a pattern as they were written; `None` is a group without one.
pub fn group_names(regex: &Regex) -> impl Iterator<Item = Option<&str>> {
    regex.capture_names().skip(1).map(|name| {
        name.map(|name| {
            let again = name
                .strip_prefix(AGAIN)
                .and_then(|name| name.split_once("__"));
            let name = again.map_or(name, |(_, name)| name);
            name.strip_prefix(DIGIT_NAME).unwrap_or(name)
        })
    })
}

fn perl_class(class: char) -> &'static str {
    match class {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => "[\\t\\n\\x0C\\r ]",
        'S' => "[^\\t\\n\\x0C\\r ]",
        'w' => "[0-9A-Za-z_]",
        _ => "[^0-9A-Za-z_]",
    }
}

fn push_literal(out: &mut String, c: char) {
    let mut buffer = [0; 4];
    out.push_str(&regex::escape(c.encode_utf8(&mut buffer)));
}

fn push_class_literal(out: &mut String, c: char) {
    // `\<` and `\>` are no characters in the crate, but bounds of words.
    if c.is_ascii_punctuation() && !matches!(c, '_' | '<' | '>') {
        out.push('\\');
    }
    out.push(c);
}

/// Length of `{n}`, `{n,}` or `{n,m}` at the start.
fn repetition(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('{')?;
    let end = inner.find('}')?;
    let (from, to) = match inner.get(..end)?.split_once(',') {
        Some((from, to)) => (from, to),
        None => (inner.get(..end)?, ""),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    (!from.is_empty() && digits(from) && digits(to)).then_some(end + 2)
}

/// Length of `\pN` or `\p{…}` at the start.
fn property(text: &str) -> Result<usize, String> {
    let mut chars = text.chars().skip(2);
    match chars.next() {
        Some('{') => match text.find('}') {
            Some(end) => Ok(end + 1),
            None => Err(format!("invalid character class range: `{text}`")),
        },
        Some(c) => Ok(2 + c.len_utf8()),
        None => Err(format!("invalid character class range: `{text}`")),
    }
}

/// The character that an escape at the start stands for, and the escape's length.
fn character(text: &str) -> Result<(char, usize), String> {
    let mut chars = text.chars();
    chars.next();
    let Some(c) = chars.next() else {
        return Err("trailing backslash at end of expression: ``".to_owned());
    };
    let invalid = || format!("invalid escape sequence: `\\{c}`");
    let digits = |from: usize, most: usize, radix: u32| {
        text.get(from..)
            .unwrap_or_default()
            .chars()
            .take(most)
            .take_while(|c| c.is_digit(radix))
            .count()
    };
    let number = |from: usize, len: usize, radix: u32| {
        let value = text
            .get(from..from + len)
            .and_then(|digits| u32::from_str_radix(digits, radix).ok());
        value.and_then(char::from_u32).ok_or_else(invalid)
    };
    Ok(match c {
        'a' => ('\x07', 2),
        'f' => ('\x0C', 2),
        'n' => ('\n', 2),
        'r' => ('\r', 2),
        't' => ('\t', 2),
        'v' => ('\x0B', 2),
        // A single digit other than 0 would be a back reference, which neither has.
        '0' => {
            let len = digits(1, 3, 8);
            (number(1, len, 8)?, 1 + len)
        }
        '1'..='7' if digits(1, 3, 8) > 1 => {
            let len = digits(1, 3, 8);
            (number(1, len, 8)?, 1 + len)
        }
        'x' if text.get(2..).is_some_and(|rest| rest.starts_with('{')) => {
            let len = digits(3, 8, 16);
            if len == 0
                || !text
                    .get(3 + len..)
                    .is_some_and(|rest| rest.starts_with('}'))
            {
                return Err(invalid());
            }
            (number(3, len, 16)?, 4 + len)
        }
        'x' if digits(2, 2, 16) == 2 => (number(2, 2, 16)?, 4),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => (c, 2),
        _ => return Err(invalid()),
    })
}

/// Appends a template with its `$1`, `$name` and `${name}` filled in, as Go's `Expand` does: a
/// name is as long as it can be, one that there is not is empty, and `$$` is a dollar.
pub fn expand(regex: &Regex, captures: &Captures<'_>, template: &[u8], out: &mut Vec<u8>) {
    let mut rest = template;
    while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        let after = after.get(1..).unwrap_or_default();
        if let [b'$', after @ ..] = after {
            out.push(b'$');
            rest = after;
            continue;
        }
        let Some((name, after)) = reference(after) else {
            out.push(b'$');
            rest = after;
            continue;
        };
        rest = after;
        let group = match name.parse::<usize>() {
            Ok(index) if name.bytes().all(|byte| byte.is_ascii_digit()) => captures.get(index),
            // Of several groups of a name, the first that took part.
            _ => group_names(regex)
                .enumerate()
                .filter(|(_, group)| *group == Some(name))
                .find_map(|(at, _)| captures.get(at + 1)),
        };
        if let Some(group) = group {
            out.extend_from_slice(group.as_bytes());
        }
    }
    out.extend_from_slice(rest);
}

/// The name after a dollar, and what is behind it.
fn reference(text: &[u8]) -> Option<(&str, &[u8])> {
    let braced = text.first() == Some(&b'{');
    let inner = if braced { text.get(1..)? } else { text };
    let valid = inner.utf8_chunks().next()?.valid();
    let len = valid
        .find(|c: char| c != '_' && !c.is_alphanumeric())
        .unwrap_or(valid.len());
    let name = valid.get(..len).filter(|name| !name.is_empty())?;
    let after = inner.get(len..)?;
    match braced {
        true => Some((name, after.strip_prefix(b"}")?)),
        false => Some((name, after)),
    }
}

#[cfg(test)]
mod tests;
