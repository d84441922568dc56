//! `ParseCEF`: messages in ArcSight's Common Event Format.

use super::lists::string_map;
use crate::{
    failure::Failure,
    program::Args,
    value::{Text, Value, map_literal},
};

/// What the fields of the header become, in order.
const HEADER: [&str; 7] = [
    "cef.version",
    "cef.device_vendor",
    "cef.device_product",
    "cef.device_version",
    "cef.device_event_class_id",
    "cef.name",
    "cef.severity",
];

/// `ParseCEF(target)`
pub(super) fn parse_cef(args: &Args<'_>) -> Result<Value, Failure> {
    let fail = |text: &str| Err(Failure::Function(text.to_owned()));
    let message = args.text(0)?;
    if message.is_empty() {
        return fail("cannot parse empty CEF message");
    }
    let Some(at) = message.windows(4).position(|window| window == b"CEF:") else {
        return fail("invalid CEF message: 'CEF:' not found");
    };
    let (fields, extension) = header(message.get(at + 4..).unwrap_or_default());
    if fields.len() < HEADER.len() {
        return Err(Failure::Function(format!(
            "invalid CEF header: expected at least 7 pipe-delimited fields (CEF:Version, Device \
             Vendor, Device Product, Device Version, Device Event Class ID, Name, Severity), got {}",
            fields.len()
        )));
    }
    if fields.first().is_none_or(Vec::is_empty) {
        return fail("invalid CEF message: missing version");
    }
    let mut entries: Vec<(Text, Value)> = Vec::with_capacity(HEADER.len() + 1);
    for (at, (key, field)) in HEADER.iter().zip(fields).enumerate() {
        // The version keeps its backslashes.
        let field = match at {
            0 => field,
            _ => unescaped(&field, |c| matches!(c, b'|' | b'\\').then_some(c)),
        };
        let key = Text::from_slice(key.as_bytes());
        entries.push((key, Value::String(Text::from_vec(field))));
    }
    let key = Text::from_slice(b"cef.extensions");
    entries.push((key, string_map(extensions(extension))?));
    map_literal(entries.iter().map(|(key, value)| (key, value)))
}

/// The fields of the header between pipes that no backslash stands before, as they are written;
/// and what comes after the seventh pipe.
fn header(message: &[u8]) -> (Vec<Vec<u8>>, &[u8]) {
    let mut fields = Vec::with_capacity(HEADER.len());
    let mut field = Vec::new();
    let mut rest = message;
    loop {
        rest = match rest {
            [] => {
                fields.push(field);
                return (fields, b"");
            }
            [b'\\', escaped @ (b'|' | b'\\'), after @ ..] => {
                field.extend_from_slice(&[b'\\', *escaped]);
                after
            }
            [b'|', after @ ..] => {
                fields.push(std::mem::take(&mut field));
                if fields.len() == HEADER.len() {
                    return (fields, after);
                }
                after
            }
            [byte, after @ ..] => {
                field.push(*byte);
                after
            }
        };
    }
}

/// What stands behind each key, up to the next one.
fn extensions(extension: &[u8]) -> Vec<(Text, Text)> {
    let mut out = Vec::new();
    // A key, and where its value begins.
    let mut open: Option<(&[u8], usize)> = None;
    let mut close = |open: Option<(&[u8], usize)>, end: usize| {
        let Some((key, begin)) = open else { return };
        let mut value = extension.get(begin..end).unwrap_or_default();
        while let [before @ .., b' '] = value {
            value = before;
        }
        let value = unescaped(value, |c| match c {
            b'\\' | b'=' => Some(c),
            b'n' => Some(b'\n'),
            b'r' => Some(b'\r'),
            _ => None,
        });
        out.push((Text::from_slice(key), Text::from_vec(value)));
    };
    let mut at = 0;
    while at < extension.len() {
        let before = at.checked_sub(1).and_then(|before| extension.get(before));
        let found = match before {
            None | Some(b' ') => key(extension.get(at..).unwrap_or_default()),
            Some(_) => None,
        };
        match found {
            Some(key) => {
                close(open, at);
                at += key.len() + 1;
                open = Some((key, at));
            }
            None => at += 1,
        }
    }
    close(open, extension.len());
    out
}

/// The key that a text begins with, its `=` behind it.
fn key(text: &[u8]) -> Option<&[u8]> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let len = text.iter().position(|byte| !is_part(byte))?;
    let key = text.get(..len).filter(|key| !key.is_empty())?;
    (text.get(len) == Some(&b'=')).then_some(key)
}

/// A text, each backslash and what follows it being what `escape` says; others stay.
fn unescaped(text: &[u8], escape: impl Fn(u8) -> Option<u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        if let (b'\\', [next, behind @ ..]) = (*byte, after)
            && let Some(meant) = escape(*next)
        {
            out.push(meant);
            rest = behind;
            continue;
        }
        out.push(*byte);
    }
    out
}
