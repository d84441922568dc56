//! `ParseELF`: blocks of lines in the W3C's Extended Log Format.

use super::lists::string_map;
use crate::{
    failure::Failure,
    go::text::{equal_fold, fields, trim_space},
    program::Args,
    value::{Text, Value, map_literal},
};

/// The most bytes that the entries may take: lines that lack fields get them, so that they can be
/// far more than the text.
const MAX_BYTES: usize = 16 << 20;

/// Directives that become an entry of the map.
const KEPT: [(&str, &str); 6] = [
    ("version", "elf.version"),
    ("software", "elf.software"),
    ("date", "elf.date"),
    ("start-date", "elf.start_date"),
    ("end-date", "elf.end_date"),
    ("remark", "elf.remark"),
];

/// `ParseELF(target)`
pub(super) fn parse_elf(args: &Args<'_>) -> Result<Value, Failure> {
    let fail = |text: &str| Failure::Function(text.to_owned());
    let block = args.text(0)?;
    if block.is_empty() {
        return Err(fail("cannot parse empty ELF message"));
    }
    let mut kept: [Option<&[u8]>; KEPT.len()] = [None; KEPT.len()];
    let mut order = Vec::with_capacity(KEPT.len());
    let mut names: Vec<&[u8]> = Vec::new();
    let mut lines = Vec::new();
    let mut size = 0;
    for line in block.split(|byte| matches!(byte, b'\n' | b'\r')) {
        match trim_space(line) {
            [] => {}
            [b'#', directive @ ..] => {
                let Some(colon) = directive.iter().position(|byte| *byte == b':') else {
                    let name = trim_space(directive).get(..6).unwrap_or_default();
                    if equal_fold(name, "fields") {
                        return Err(fail("invalid ELF: malformed #Fields directive"));
                    }
                    continue;
                };
                let name = trim_space(directive.get(..colon).unwrap_or_default());
                let value = trim_space(directive.get(colon + 1..).unwrap_or_default());
                if equal_fold(name, "fields") {
                    names = fields(value);
                }
                let known = KEPT.iter().position(|(known, _)| equal_fold(name, known));
                if let Some((at, place)) = known.and_then(|at| Some((at, kept.get_mut(at)?))) {
                    if place.is_none() {
                        order.push(at);
                    }
                    *place = Some(value);
                }
            }
            _ if names.is_empty() => {
                return Err(fail(
                    "invalid ELF: data entry found before #Fields directive",
                ));
            }
            line => {
                let given = values(line)?;
                let missing = Text::from_slice(b"-");
                let mut pairs = Vec::with_capacity(names.len());
                for (at, name) in names.iter().enumerate() {
                    let value = given.get(at).unwrap_or(&missing);
                    size += name.len() + value.len() + 8;
                    if size > MAX_BYTES {
                        return Err(fail("invalid ELF: the entries are too large"));
                    }
                    pairs.push((Text::from_slice(name), value.clone()));
                }
                lines.push(string_map(pairs)?);
            }
        }
    }
    if kept.first().copied().flatten().is_none() {
        return Err(fail("invalid ELF: missing #Version directive"));
    }
    let mut entries: Vec<(Text, Value)> = Vec::with_capacity(KEPT.len() + 2);
    entries.push((Text::from_slice(b"elf.entries"), Value::List(lines)));
    for at in order {
        if let (Some((_, key)), Some(Some(value))) = (KEPT.get(at), kept.get(at)) {
            entries.push((Text::from_slice(key.as_bytes()), Value::text(value)));
        }
    }
    let names = names.into_iter().map(Value::text).collect();
    entries.push((Text::from_slice(b"elf.fields"), Value::List(names)));
    map_literal(entries.iter().map(|(key, value)| (key, value)))
}

/// The values of a line. A quote within quotes is written twice.
fn values(line: &[u8]) -> Result<Vec<Text>, Failure> {
    let mut out = Vec::new();
    let mut rest = line;
    loop {
        rest = match rest {
            [] => return Ok(out),
            [b' ' | b'\t', after @ ..] => after,
            [b'"', after @ ..] => {
                let mut value = Text::new();
                let mut within = after;
                loop {
                    within = match within {
                        [b'"', b'"', after @ ..] => {
                            value.push(b'"');
                            after
                        }
                        [b'"', after @ ..] => {
                            out.push(value);
                            break after;
                        }
                        [byte, after @ ..] => {
                            value.push(*byte);
                            after
                        }
                        [] => {
                            return Err(Failure::Function(format!(
                                "invalid ELF: unterminated quoted value in data line: {:?}",
                                String::from_utf8_lossy(line)
                            )));
                        }
                    };
                }
            }
            _ => {
                let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
                let end = rest.iter().position(is_space).unwrap_or(rest.len());
                let (value, after) = rest.split_at(end);
                out.push(Text::from_slice(value));
                after
            }
        };
    }
}
