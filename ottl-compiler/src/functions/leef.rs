//! `ParseLEEF`: messages in QRadar's Log Event Extended Format, versions 1.0 and 2.0.

use super::lists::string_map;
use crate::{
    failure::Failure,
    program::Args,
    value::{Text, Value, map_literal},
};

/// What the fields of the header become, in order.
const HEADER: [&str; 4] = [
    "leef.vendor",
    "leef.product.name",
    "leef.product.version",
    "leef.event.id",
];

/// `ParseLEEF(target)`
pub(super) fn parse_leef(args: &Args<'_>) -> Result<Value, Failure> {
    let fail = |text: String| Err(Failure::Function(text));
    let message = args.text(0)?;
    if message.is_empty() {
        return fail("cannot parse empty LEEF message".to_owned());
    }
    let Some(at) = message.windows(5).position(|window| window == b"LEEF:") else {
        return fail("invalid LEEF message: 'LEEF:' not found".to_owned());
    };
    let message = message.get(at + 5..).unwrap_or_default();
    let Some((version, rest)) = cut(message, b'|') else {
        return fail("invalid LEEF message: missing pipe delimiter in header".to_owned());
    };
    if !matches!(version, b"1.0" | b"2.0") {
        return fail(format!(
            "unsupported LEEF version: {} (supported: 1.0, 2.0)",
            String::from_utf8_lossy(version)
        ));
    }
    let fields: Vec<&[u8]> = rest.splitn(5, |byte| *byte == b'|').collect();
    if fields.len() < HEADER.len() {
        return fail(format!(
            "invalid LEEF {} header: expected at least 4 fields (vendor, product, version, \
             eventID), got {}",
            String::from_utf8_lossy(version),
            fields.len()
        ));
    }
    let behind = fields.get(4).copied().unwrap_or_default();
    let (delimiter, attributes) = match version {
        b"1.0" => (b'\t', behind),
        _ => {
            let (spec, attributes) = cut(behind, b'|').unwrap_or((behind, b""));
            // Where the delimiter is left out, the first attribute stands in its place.
            match spec.contains(&b'=') {
                true => (b'\t', behind),
                false => (delimiter(spec)?, attributes),
            }
        }
    };
    let pairs = attributes
        .split(|byte| *byte == delimiter)
        .filter_map(|pair| cut(pair, b'='))
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, value)| (Text::from_slice(key), Text::from_slice(value)));
    let attributes = string_map(pairs.collect())?;
    let mut entries: Vec<(Text, Value)> = Vec::with_capacity(HEADER.len() + 2);
    entries.push((Text::from_slice(b"leef.version"), Value::text(version)));
    for (key, field) in HEADER.iter().zip(fields) {
        entries.push((Text::from_slice(key.as_bytes()), Value::text(field)));
    }
    entries.push((Text::from_slice(b"leef.attributes"), attributes));
    map_literal(entries.iter().map(|(key, value)| (key, value)))
}

/// The byte that a delimiter means: itself, its number behind `0x`, or a tab.
fn delimiter(spec: &[u8]) -> Result<u8, Failure> {
    let fail = |text: String| {
        Err(Failure::Function(format!(
            "invalid LEEF 2.0 delimiter: {text}"
        )))
    };
    let shown = String::from_utf8_lossy(spec);
    match spec {
        [] => Ok(b'\t'),
        [b'0', b'x' | b'X'] => fail("empty hex value".to_owned()),
        [b'0', b'x' | b'X', digits @ ..] => match hex::decode(digits).as_deref() {
            Ok([byte]) => Ok(*byte),
            Ok(bytes) => fail(format!(
                "hex delimiter must decode to a single byte, got {} bytes",
                bytes.len()
            )),
            Err(_) => fail(format!("invalid hex delimiter {shown:?}")),
        },
        [byte] => Ok(*byte),
        _ => fail(format!(
            "delimiter must be a single character or 0x-prefixed hex value, got {shown:?}"
        )),
    }
}

/// What stands before the first such byte, and after it.
fn cut(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().position(|byte| *byte == at)?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}
