//! `ExtractGrokPatterns`.

use std::{collections::HashMap, ops::Deref, sync::Arc};

use regex::bytes::Regex;

use super::{
    Prepared,
    dates::{literal, unprepared},
};
use crate::{
    failure::Failure,
    go::{
        grok::{self, Definitions, Expanded},
        regexp, text,
    },
    program::{
        Args, Argument,
        patterns::{self, Kind},
    },
    value::{Text, Value, map_literal},
};

/// The pattern, if it is a literal; what one that is not is made with.
struct Grok {
    definitions: Definitions,
    named_only: bool,
    known: Option<(Regex, HashMap<String, String>)>,
}

const NO_GROUP: &str = "at least 1 named capture group must be supplied in the given regex";

/// The definitions, and the pattern if it is a literal.
pub(super) fn prepare(args: &[Argument]) -> Result<Option<Prepared>, String> {
    let named_only = matches!(
        args.get(2).and_then(Argument::literal),
        Some(Value::Bool(true))
    );
    let mut definitions = Definitions::new();
    if let Some(Value::List(items)) = args.get(3).and_then(Argument::literal) {
        for (at, item) in items.iter().enumerate() {
            let Value::String(text) = item else { continue };
            let text = String::from_utf8_lossy(text);
            let Some((name, pattern)) = text.split_once('=') else {
                return Err(format!(
                    "pattern {text:?} supplied to ExtractGrokPatterns at index {at} has incorrect \
                     format, expecting PATTERNNAME=pattern definition"
                ));
            };
            if name.contains(':') {
                return Err(format!("pattern ID {name:?} should not contain ':'"));
            }
            definitions.insert(name.to_owned(), pattern.to_owned());
        }
    }
    let known = match literal(args, 1) {
        None => None,
        Some(pattern) => {
            let invalid = |cause| {
                format!(
                    "the regex pattern supplied to ExtractGrokPatterns '{pattern}' is not a valid \
                     pattern: {cause}"
                )
            };
            let expanded = grok::expand(&pattern, &definitions, named_only).map_err(invalid)?;
            let regex = regexp::compile(&expanded.regex).map_err(invalid)?;
            if named_only && !has_group(&regex) {
                return Err(NO_GROUP.to_owned());
            }
            Some((regex, expanded.hints))
        }
    };
    Ok(Some(Arc::new(Grok {
        definitions,
        named_only,
        known,
    })))
}

/// `ExtractGrokPatterns(target, pattern, named_captures_only?, pattern_definitions?)`
pub(super) fn extract(args: &Args<'_>) -> Result<Value, Failure> {
    let text = args.text(0)?;
    let grok = args.prepared::<Grok>().ok_or_else(unprepared)?;
    if let Some((regex, hints)) = &grok.known {
        return captured(regex, hints, text);
    }
    let pattern = String::from_utf8_lossy(args.text(1)?);
    let Expanded { regex, hints } =
        grok::expand(&pattern, &grok.definitions, grok.named_only).map_err(Failure::Parse)?;
    let regex = patterns::compiled(Kind::Regex, regex.as_bytes())?;
    if grok.named_only && !has_group(&regex) {
        return Err(Failure::Function(NO_GROUP.to_owned()));
    }
    captured(regex.deref(), &hints, text)
}

fn has_group(regex: &Regex) -> bool {
    regexp::group_names(regex).any(|name| name.is_some())
}

/// What the named groups hold that are not empty; of several of one name the last.
fn captured(regex: &Regex, hints: &HashMap<String, String>, text: &[u8]) -> Result<Value, Failure> {
    let mut entries: Vec<(Text, Value)> = Vec::new();
    if let Some(captures) = regex.captures(text) {
        for (at, name) in regexp::group_names(regex).enumerate() {
            let (Some(name), Some(group)) = (name, captures.get(at + 1)) else {
                continue;
            };
            if group.is_empty() {
                continue;
            }
            let value = typed(group.as_bytes(), hints.get(name).map(String::as_str))
                .map_err(|cause| Failure::Parse(format!("{name}: {cause}")))?;
            let key = Text::from_vec(grok::key(name).into_bytes());
            match entries.iter_mut().find(|(known, _)| *known == key) {
                Some((_, old)) => *old = value,
                None => entries.push((key, value)),
            }
        }
    }
    map_literal(entries.iter().map(|(key, value)| (key, value)))
}

/// A text as the type that a pattern wants.
fn typed(found: &[u8], hint: Option<&str>) -> Result<Value, String> {
    let shown = || String::from_utf8_lossy(found).into_owned();
    Ok(match hint {
        None | Some("string") => Value::text(found),
        Some("double" | "float") => Value::Float(
            text::parse_double(found)
                .ok_or_else(|| format!("strconv.ParseFloat: parsing {:?}", shown()))?,
        ),
        Some("int" | "long") => Value::Int(
            text::parse_int(found).ok_or_else(|| format!("strconv.Atoi: parsing {:?}", shown()))?,
        ),
        Some("bool" | "boolean") => match found {
            b"1" | b"t" | b"T" | b"TRUE" | b"true" | b"True" => Value::Bool(true),
            b"0" | b"f" | b"F" | b"FALSE" | b"false" | b"False" => Value::Bool(false),
            _ => return Err(format!("strconv.ParseBool: parsing {:?}", shown())),
        },
        Some(hint) => return Err(format!("invalid type {hint:?}: type not specified")),
    })
}
