//! Editors that replace what a pattern matches.

use std::borrow::Cow;

use regex::bytes::Regex;
use trunkline_proto::batch;

use super::editors::one_of;
use crate::{
    failure::Failure,
    go::regexp::expand,
    program::{Args, Argument},
    run::Target,
    value::Value,
};

/// What a match is replaced by.
struct Replacement<'a, 'p> {
    args: &'a Args<'p>,
    /// Where among the arguments the replacement is; function and format follow.
    at: usize,
    template: &'a [u8],
}

impl<'a, 'p> Replacement<'a, 'p> {
    fn new(args: &'a Args<'p>, at: usize) -> Result<Replacement<'a, 'p>, Failure> {
        Ok(Replacement {
            args,
            at,
            template: args.text(at)?,
        })
    }

    /// What a text that matches as a whole is replaced by: the replacement, or what the
    /// function makes of it.
    fn whole(&self) -> Result<Vec<u8>, Failure> {
        if !self.args.has_function(self.at + 1) {
            return Ok(self.template.to_vec());
        }
        let mut out = Vec::new();
        self.put_call(self.template, &mut out)?;
        Ok(out)
    }

    /// Appends what the function makes of a text. The format is asked for only here: whatever
    /// it is does not matter where nothing is replaced.
    fn put_call(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        let Value::String(text) = self.args.call(self.at + 1, text)? else {
            let text = "the replacement value must be a string";
            return Err(Failure::Function(text.to_owned()));
        };
        if !self.args.has(self.at + 2) {
            out.extend_from_slice(&text);
            return Ok(());
        }
        let format = self.args.text(self.at + 2)?;
        check_format(format)?;
        put_formatted(format, &text, out);
        Ok(())
    }

    /// Appends the text with every match replaced by the template, in which nothing is to be
    /// filled in; whether there is a match.
    fn plain(&self, regex: &Regex, text: &[u8], out: &mut Vec<u8>) -> bool {
        let (from, mut last, mut any) = (out.len(), 0, false);
        for found in regex.find_iter(text) {
            any = true;
            let within = text
                .get(found.start())
                .is_some_and(|byte| byte & 0xc0 == 0x80);
            if found.is_empty() && within {
                continue;
            }
            out.extend_from_slice(text.get(last..found.start()).unwrap_or_default());
            out.extend_from_slice(self.template);
            last = found.end();
        }
        match any {
            true => out.extend_from_slice(text.get(last..).unwrap_or_default()),
            false => out.truncate(from),
        }
        any
    }

    /// The text with every match replaced; as it was when there is none.
    fn all<'t>(&self, regex: &Regex, text: &'t [u8]) -> Result<Cow<'t, [u8]>, Failure> {
        let mut out = Vec::new();
        let mut last = 0;
        for captures in regex.captures_iter(text) {
            let Some(whole) = captures.get(0) else {
                continue;
            };
            // Between the bytes of a character there is nothing to match.
            let within = text
                .get(whole.start())
                .is_some_and(|byte| byte & 0xc0 == 0x80);
            if whole.is_empty() && within {
                continue;
            }
            out.extend_from_slice(text.get(last..whole.start()).unwrap_or_default());
            last = whole.end();
            if !self.args.has_function(self.at + 1) {
                expand(regex, &captures, self.template, &mut out);
                continue;
            }
            let mut expanded = Vec::new();
            expand(regex, &captures, self.template, &mut expanded);
            self.put_call(&expanded, &mut out)?;
        }
        if last == 0 && out.is_empty() && !regex.is_match(text) {
            return Ok(Cow::Borrowed(text));
        }
        out.extend_from_slice(text.get(last..).unwrap_or_default());
        Ok(Cow::Owned(out))
    }
}

/// What `replace_pattern`, or if `whole` `replace_match`, makes of a text, at the end of `out`;
/// whether it makes anything of it. The pattern is argument `at`, the replacement the next.
///
/// # Errors
/// What the arguments, or the function among them, give.
pub(crate) fn replaced(
    args: &Args<'_>,
    whole: bool,
    at: usize,
    text: &[u8],
    out: &mut Vec<u8>,
) -> Result<bool, Failure> {
    if whole {
        let glob = args.glob(at)?;
        let replacement = Replacement::new(args, at + 1)?.whole()?;
        let matches = glob.is_match(text);
        if matches {
            out.extend_from_slice(&replacement);
        }
        return Ok(matches);
    }
    let regex = args.regex(at)?;
    let replacement = Replacement::new(args, at + 1)?;
    if !args.has_function(at + 2) && !replacement.template.contains(&b'$') {
        return Ok(replacement.plain(&regex, text, out));
    }
    match replacement.all(&regex, text)? {
        Cow::Borrowed(_) => Ok(false),
        Cow::Owned(text) => {
            out.extend_from_slice(&text);
            Ok(true)
        }
    }
}

/// `replace_pattern(target, regex_pattern, replacement, function?, replacement_format?)`
pub(super) fn replace_pattern(target: &mut Target<'_, '_>, args: &Args<'_>) -> Result<(), Failure> {
    let replacement = Replacement::new(args, 2)?;
    let Value::String(text) = target.read()? else {
        return Ok(());
    };
    let regex = args.regex(1)?;
    match replacement.all(&regex, &text)? {
        Cow::Borrowed(_) => Ok(()),
        Cow::Owned(text) => target.write(&Value::text(text)),
    }
}

/// `replace_match(target, pattern, replacement, function?, replacement_format?)`
pub(super) fn replace_match(target: &mut Target<'_, '_>, args: &Args<'_>) -> Result<(), Failure> {
    let glob = args.glob(1)?;
    let replacement = Replacement::new(args, 2)?.whole()?;
    match target.read()? {
        Value::String(text) if glob.is_match(&text) => target.write(&Value::text(replacement)),
        _ => Ok(()),
    }
}

/// `replace_all_matches(target, pattern, replacement, function?, replacement_format?)`
pub(super) fn replace_all_matches(
    target: &mut Target<'_, '_>,
    args: &Args<'_>,
) -> Result<(), Failure> {
    let glob = args.glob(1)?;
    let replacement = Replacement::new(args, 2)?.whole()?;
    let mut entries = target.entries()?;
    let mut changed = false;
    for (_, any) in &mut entries {
        if let batch::Value::String(text) = batch::Value::read(any)?
            && glob.is_match(text)
        {
            any.clear();
            batch::Value::String(&replacement).write(any);
            changed = true;
        }
    }
    if changed {
        target.put_entries(&entries)?;
    }
    Ok(())
}

/// `replace_all_patterns(target, mode, regex_pattern, replacement, function?, …)`
pub(super) fn replace_all_patterns(
    target: &mut Target<'_, '_>,
    args: &Args<'_>,
) -> Result<(), Failure> {
    let by_key = args.text(1)? == b"key";
    let regex = args.regex(2)?;
    let replacement = Replacement::new(args, 3)?;
    let mut entries = target.entries()?;
    let mut changed = false;
    if by_key {
        let mut renamed: crate::run::Entries = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let key = match replacement.all(&regex, &key) {
                Ok(Cow::Borrowed(_)) => key,
                Ok(Cow::Owned(new)) => {
                    changed = true;
                    new.into()
                }
                // The entry goes.
                Err(_) => {
                    changed = true;
                    continue;
                }
            };
            match renamed.iter_mut().find(|(known, _)| *known == key) {
                Some((_, old)) => *old = value,
                None => renamed.push((key, value)),
            }
        }
        entries = renamed;
    } else {
        for (_, any) in &mut entries {
            let batch::Value::String(text) = batch::Value::read(any)? else {
                continue;
            };
            // A function that fails leaves the value as it is.
            if let Ok(Cow::Owned(text)) = replacement.all(&regex, text) {
                any.clear();
                batch::Value::String(&text).write(any);
                changed = true;
            }
        }
    }
    if changed {
        target.put_entries(&entries)?;
    }
    Ok(())
}

/// The mode must be one that there is.
pub(super) fn check_mode(args: &[Argument]) -> Result<(), String> {
    one_of(args.get(1), "mode", &["key", "value"])
}

/// A format has `%s`, and no `%` before anything else.
fn check_format(format: &[u8]) -> Result<(), Failure> {
    let has = format.windows(2).any(|pair| pair == b"%s");
    let other = format
        .windows(2)
        .any(|pair| matches!(pair, [b'%', next] if *next != b's'));
    if !has || other || format.contains(&b'\n') {
        return Err(Failure::Function(
            "replacementFormat must be format string containing a single %s and no other format \
             specifiers"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Go's `Sprintf(format, text)` of such a format.
fn put_formatted(format: &[u8], text: &[u8], out: &mut Vec<u8>) {
    let mut used = false;
    let mut rest = format;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        match after.get(1) {
            None => out.extend_from_slice(b"%!(NOVERB)"),
            Some(_) if used => out.extend_from_slice(b"%!s(MISSING)"),
            Some(_) => out.extend_from_slice(text),
        }
        used = true;
        rest = after.get(2..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}
