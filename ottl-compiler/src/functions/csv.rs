//! `ParseCSV`.

use std::sync::Arc;

use super::{
    Prepared,
    dates::{literal, unprepared},
    lists::string_map,
};
use crate::{
    failure::Failure,
    go::csv,
    program::{Args, Argument},
    value::{Text, Value},
};

/// How a text is read.
struct Reading {
    delimiter: char,
    header_delimiter: char,
    mode: Mode,
}

enum Mode {
    Strict,
    LazyQuotes,
    IgnoreQuotes,
}

/// The delimiters and the mode.
pub(super) fn prepare(args: &[Argument]) -> Result<Option<Prepared>, String> {
    let single = |at, name: &str| match literal(args, at) {
        None => Ok(None),
        Some(text) => {
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => Ok(Some(c)),
                _ => Err(format!(
                    "invalid arguments: {name} must be a single character"
                )),
            }
        }
    };
    let delimiter = single(2, "delimiter")?.unwrap_or(',');
    let header_delimiter = single(3, "header_delimiter")?.unwrap_or(delimiter);
    let mode = match literal(args, 4).as_deref() {
        None | Some("strict") => Mode::Strict,
        Some("lazyQuotes") => Mode::LazyQuotes,
        Some("ignoreQuotes") => Mode::IgnoreQuotes,
        Some(mode) => return Err(format!("unknown mode: {mode}")),
    };
    Ok(Some(Arc::new(Reading {
        delimiter,
        header_delimiter,
        mode,
    })))
}

/// `ParseCSV(target, header, delimiter?, header_delimiter?, mode?)`
pub(super) fn parse_csv(args: &Args<'_>) -> Result<Value, Failure> {
    let (text, header) = (args.text(0)?, args.text(1)?);
    let reading = args.prepared::<Reading>().ok_or_else(unprepared)?;
    if header.is_empty() {
        let text = "headers must not be an empty string";
        return Err(Failure::Function(text.to_owned()));
    }
    let headers = split(header, reading.header_delimiter);
    let fields = match reading.mode {
        Mode::IgnoreQuotes => split(text, reading.delimiter),
        _ => {
            let lazy_quotes = matches!(reading.mode, Mode::LazyQuotes);
            csv::read(text, reading.delimiter, lazy_quotes).map_err(Failure::Parse)?
        }
    };
    if headers.len() != fields.len() {
        return Err(Failure::Function(format!(
            "map csv headers: wrong number of fields: expected {}, found {}",
            headers.len(),
            fields.len()
        )));
    }
    let pairs = headers.into_iter().zip(fields);
    string_map(
        pairs
            .map(|(header, field)| (Text::from_vec(header), Text::from_vec(field)))
            .collect(),
    )
}

fn split(text: &[u8], delimiter: char) -> Vec<Vec<u8>> {
    let mut buffer = [0; 4];
    let delimiter = delimiter.encode_utf8(&mut buffer).as_bytes();
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(delimiter.len()).position(|w| w == delimiter) {
        out.push(rest.get(..at).unwrap_or_default().to_vec());
        rest = rest.get(at + delimiter.len()..).unwrap_or_default();
    }
    out.push(rest.to_vec());
    out
}
