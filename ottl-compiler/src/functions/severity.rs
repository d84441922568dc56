//! `ParseSeverity`.

use std::sync::Arc;

use super::{Prepared, dates::unprepared};
use crate::{
    failure::Failure,
    program::{Args, Argument},
    value::{Text, Value, elements, entries},
};

/// Levels and what means them, in the order they are written; or what is wrong with the mapping,
/// which a row is told.
type Mapping = Result<Vec<(Text, Vec<Criterion>)>, String>;

/// What means a level: one of some texts, or a number within a range.
#[derive(Default)]
struct Criterion {
    equals: Vec<Text>,
    range: Option<(i64, i64)>,
}

/// The mapping, if it is a literal.
pub(super) fn prepare(args: &[Argument]) -> Result<Option<Prepared>, String> {
    let mapping: Mapping = match args.get(1).and_then(Argument::literal) {
        Some(Value::Map(any)) => levels(any),
        _ => Err("severity mapping must be a literal PMap".to_owned()),
    };
    Ok(Some(Arc::new(mapping)))
}

/// `ParseSeverity(target, mapping)`
pub(super) fn parse_severity(args: &Args<'_>) -> Result<Value, Failure> {
    let mapping = args.prepared::<Mapping>().ok_or_else(unprepared)?;
    let mapping = mapping.as_ref().map_err(|e| Failure::Function(e.clone()))?;
    let value = args.value(0);
    for (level, criteria) in mapping {
        for criterion in criteria {
            let matches = match value {
                Value::String(text) => criterion.equals.contains(text),
                Value::Int(value) => criterion
                    .range
                    .is_some_and(|(min, max)| (min..=max).contains(value)),
                other => {
                    return Err(Failure::Function(format!(
                        "could not map log level: unsupported value type: {}",
                        other.type_name()
                    )));
                }
            };
            if matches {
                return Ok(Value::String(level.clone()));
            }
        }
    }
    Err(Failure::Function(
        "could not map log level: no matching log level found".to_owned(),
    ))
}

fn levels(any: &[u8]) -> Mapping {
    let mut levels: Vec<(Text, Vec<Criterion>)> = Vec::new();
    for (level, value) in map(any)? {
        let Ok(Value::Slice(list)) = Value::decode(&value) else {
            return Err("severity mapping criteria must be []any".to_owned());
        };
        let criteria = elements(&list).map(criterion);
        let criteria = criteria.collect::<Result<Vec<_>, String>>()?;
        match levels.iter_mut().find(|(known, _)| **known == *level) {
            Some((_, old)) => *old = criteria,
            None => levels.push((level, criteria)),
        }
    }
    Ok(levels)
}

fn criterion(any: &[u8]) -> Result<Criterion, String> {
    let Ok(Value::Map(any)) = Value::decode(any) else {
        return Err("severity mapping criteria items must be map[string]any".to_owned());
    };
    let invalid = |text: &str| format!("invalid severity mapping criteria: {text}");
    let mut criterion = Criterion::default();
    for (key, value) in map(&any)? {
        match (&*key, Value::decode(&value)) {
            (b"equals", Ok(Value::Slice(list))) => {
                criterion.equals = elements(&list)
                    .map(|item| match Value::decode(item) {
                        Ok(Value::String(text)) => Ok(text),
                        _ => Err(invalid("equals values must be strings")),
                    })
                    .collect::<Result<_, _>>()?;
            }
            (b"equals", _) => return Err(invalid("equals must be a list")),
            (b"range", Ok(Value::String(text))) => {
                criterion.range = Some(match &*text {
                    b"2xx" => (200, 299),
                    b"3xx" => (300, 399),
                    b"4xx" => (400, 499),
                    b"5xx" => (500, 599),
                    _ => return Err(invalid("unknown range placeholder")),
                });
            }
            (b"range", Ok(Value::Map(range))) => {
                let range = map(&range)?;
                let bound = |name: &str| {
                    let found = range
                        .iter()
                        .rev()
                        .find(|(key, _)| **key == *name.as_bytes());
                    let (_, any) =
                        found.ok_or_else(|| invalid(&format!("range must have a {name} value")))?;
                    match Value::decode(any) {
                        Ok(Value::Int(value)) => Ok(value),
                        _ => Err(invalid(&format!("{name} must be an int64"))),
                    }
                };
                criterion.range = Some((bound("min")?, bound("max")?));
            }
            (b"range", _) => {
                return Err(invalid("range must be a map or a known placeholder string"));
            }
            _ => {}
        }
    }
    Ok(criterion)
}

/// The entries of a map.
fn map(any: &[u8]) -> Result<Vec<(Text, Vec<u8>)>, String> {
    let entries = entries(any).map_err(|failure| failure.to_string())?;
    let owned = entries
        .into_iter()
        .map(|(key, value)| (Text::from_slice(key), value.into_owned()));
    Ok(owned.collect())
}
