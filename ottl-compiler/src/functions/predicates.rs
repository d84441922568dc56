//! Converters that give a bool.

use crate::{
    failure::Failure,
    go::time::Time,
    ops::CompareOp,
    program::{Args, Argument},
    types::Type,
    value::{Typed, Value, compare::compare, elements, entries},
};

/// `IsMatch(target, pattern)`
pub(super) fn is_match(args: &Args<'_>) -> Result<Value, Failure> {
    let regex = args.regex(1)?;
    Ok(Value::Bool(match args.text_or_none(0)? {
        Some(text) => regex.is_match(text),
        None => false,
    }))
}

fn is(args: &Args<'_>, of: Type) -> Result<Value, Failure> {
    let value = args.value(0);
    Ok(Value::Bool(
        value.of() == of && !matches!(value, Value::GoInt(_)),
    ))
}

/// `IsString(target)`
pub(super) fn is_string(args: &Args<'_>) -> Result<Value, Failure> {
    is(args, Type::String)
}

/// `IsInt(target)`
pub(super) fn is_int(args: &Args<'_>) -> Result<Value, Failure> {
    is(args, Type::Int)
}

/// `IsDouble(target)`
pub(super) fn is_double(args: &Args<'_>) -> Result<Value, Failure> {
    is(args, Type::Float)
}

/// `IsBool(target)`
pub(super) fn is_bool(args: &Args<'_>) -> Result<Value, Failure> {
    is(args, Type::Bool)
}

/// `IsMap(target)`
pub(super) fn is_map(args: &Args<'_>) -> Result<Value, Failure> {
    is(args, Type::Map)
}

/// A literal of another type is refused when the statement is compiled.
fn literal(args: &[Argument], of: Type) -> Result<(), String> {
    match args.first().and_then(Argument::literal) {
        Some(value) if value.of() != of => Err(format!(
            "expected {} but got {}",
            of.name(),
            value.type_name()
        )),
        _ => Ok(()),
    }
}

pub(super) fn literal_string(args: &[Argument]) -> Result<(), String> {
    literal(args, Type::String)
}

pub(super) fn literal_int(args: &[Argument]) -> Result<(), String> {
    literal(args, Type::Int)
}

pub(super) fn literal_double(args: &[Argument]) -> Result<(), String> {
    literal(args, Type::Float)
}

pub(super) fn literal_bool(args: &[Argument]) -> Result<(), String> {
    literal(args, Type::Bool)
}

pub(super) fn literal_map(args: &[Argument]) -> Result<(), String> {
    literal(args, Type::Map)
}

/// A list literal must have elements.
pub(super) fn not_empty(args: &[Argument]) -> Result<(), String> {
    match args.first() {
        Some(Argument::Items { nodes, .. }) if nodes.is_empty() => {
            Err("at least one value is required".to_owned())
        }
        _ => Ok(()),
    }
}

/// `IsList(target)`
pub(super) fn is_list(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Bool(match args.value(0) {
        Value::Slice(_) | Value::List(_) => true,
        Value::Typed(items) => !matches!(items, Typed::Uints(_) | Typed::Times(_)),
        value => value.rows().is_some(),
    }))
}

/// `IsEmpty(target)`: nothing, or the zero of its type.
pub(super) fn is_empty(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Bool(match args.value(0) {
        Value::Nil => true,
        Value::Bool(value) => !value,
        Value::Int(value) | Value::GoInt(value) | Value::Duration(value) => *value == 0,
        Value::Float(value) => *value == 0.0,
        Value::String(text) | Value::Bytes(text) => text.is_empty(),
        Value::Time(time) => *time == Time::unix(-62_135_596_800, 0),
        Value::Map(any) => entries(any)?.is_empty(),
        Value::RawMap(entries) => entries.is_empty(),
        Value::Slice(any) => elements(any).next().is_none(),
        Value::List(items) => items.is_empty(),
        Value::Typed(items) => items.is_empty(),
        Value::TraceId(id) | Value::ProfileId(id) => *id == [0; 16],
        Value::SpanId(id) => *id == [0; 8],
        // Only to be copied, and nobody looks into it.
        Value::Part(..) => false,
    }))
}

/// `HasPrefix(target, prefix)`
pub(super) fn has_prefix(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Bool(args.text(0)?.starts_with(args.text(1)?)))
}

/// `HasSuffix(target, suffix)`
pub(super) fn has_suffix(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Bool(args.text(0)?.ends_with(args.text(1)?)))
}

/// `ContainsValue(target, item)`
pub(super) fn contains_value(args: &Args<'_>) -> Result<Value, Failure> {
    let item = args.value(1);
    let items = match args.value(0) {
        Value::Slice(any) => elements(any)
            .map(Value::decode)
            .collect::<Result<Vec<_>, _>>()?,
        Value::List(items) => items.clone(),
        Value::Typed(items) => items.values(),
        other => {
            return Err(Failure::Type {
                wanted: Type::List.name(),
                got: other.type_name(),
            });
        }
    };
    for candidate in &items {
        if compare(CompareOp::Eq, candidate, item)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}
