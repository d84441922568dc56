//! Converters between times and texts, by formats of strptime.

use std::sync::Arc;

use super::Prepared;
use crate::{
    failure::Failure,
    go::{
        layout::Layout,
        strptime::{self, Parser},
    },
    program::{Args, Argument},
    value::Value,
};

/// The format, location and locale of `Time`.
pub(super) fn prepare_time(args: &[Argument]) -> Result<Option<Prepared>, String> {
    let text = |at| literal(args, at);
    let parser = Parser::new(
        &text(1).unwrap_or_default(),
        text(2).as_deref(),
        text(3).as_deref(),
    )?;
    Ok(Some(Arc::new(parser)))
}

/// `Time(time, format, location?, locale?)`
pub(super) fn time(args: &Args<'_>) -> Result<Value, Failure> {
    let text = args.text(0)?;
    if text.is_empty() {
        return Err(Failure::Function("time cannot be nil".to_owned()));
    }
    let parser = args.prepared::<Parser>().ok_or_else(unprepared)?;
    parser.parse(text).map(Value::Time).map_err(Failure::Parse)
}

/// The format of `FormatTime`.
pub(super) fn prepare_format(args: &[Argument]) -> Result<Option<Prepared>, String> {
    let layout = strptime::layout(&literal(args, 1).unwrap_or_default())?;
    Ok(Some(Arc::new(layout)))
}

/// `FormatTime(time, format)`
pub(super) fn format_time(args: &Args<'_>) -> Result<Value, Failure> {
    let time = args.time(0)?;
    let layout = args.prepared::<Layout>().ok_or_else(unprepared)?;
    let mut out = Vec::with_capacity(32);
    layout.format(time, &mut out);
    Ok(Value::text(out))
}

/// A literal string.
pub(super) fn literal(args: &[Argument], at: usize) -> Option<String> {
    match args.get(at)?.literal()? {
        Value::String(text) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    }
}

/// Functions that are passed by name are called without preparation.
pub(super) fn unprepared() -> Failure {
    Failure::Function("the function cannot be called by its name alone".to_owned())
}
