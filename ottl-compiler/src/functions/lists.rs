//! Editors and converters of lists.

use std::{cmp::Ordering, collections::HashMap};

use trunkline_proto::batch;

use super::convert::as_slice;
use crate::{
    failure::Failure,
    go::text,
    program::{Args, Argument},
    run::Target,
    types::Type,
    value::{Text, Typed, Value, coerce::storable, elements, entries, map_literal},
};

/// The elements of anything that is a list.
pub(super) fn items_of(list: &Value) -> Result<Option<Vec<Value>>, Failure> {
    Ok(match list {
        Value::Slice(any) => Some(elements(any).map(Value::decode).collect::<Result<_, _>>()?),
        Value::List(items) => Some(items.clone()),
        Value::Typed(items) => Some(items.values()),
        _ => None,
    })
}

fn invalid(value: &Value) -> Failure {
    Failure::NotAssignable(format!("<Invalid value type {}>", value.type_name()))
}

/// `append(target, value?, values?)`
pub(super) fn append(target: &mut Target<'_, '_>, args: &Args<'_>) -> Result<(), Failure> {
    let mut items = match target.read()? {
        Value::Nil => Vec::new(),
        Value::Map(any) => return Err(invalid(&Value::Map(any))),
        value => match items_of(&value)? {
            Some(items) => items,
            None if storable(&value) => vec![value],
            None => return Err(invalid(&value)),
        },
    };
    let single = args.has(1).then(|| args.value(1));
    let several = if args.has(2) { args.items(2)? } else { &[] };
    for value in single.into_iter().chain(several) {
        if !storable(value) {
            return Err(invalid(value));
        }
        items.push(value.clone());
    }
    target.write(&Value::List(items))
}

/// Something must be appended.
pub(super) fn check_append(args: &[Argument]) -> Result<(), String> {
    let absent = |at: usize| matches!(args.get(at), None | Some(Argument::Absent));
    if absent(1) && absent(2) {
        return Err(
            "at least one of the optional arguments ('value' or 'values') must be provided"
                .to_owned(),
        );
    }
    Ok(())
}

/// `delete_index(target, start_index, end_index?)`
pub(super) fn delete_index(target: &mut Target<'_, '_>, args: &Args<'_>) -> Result<(), Failure> {
    let value = target.read()?;
    let Some(mut items) = items_of(&value)? else {
        return Err(Failure::Type {
            wanted: Type::List.name(),
            got: value.type_name(),
        });
    };
    let start = args.int(1)?;
    let end = args.int_or(2, start.saturating_add(1))?;
    if start == 0 && usize::try_from(end) == Ok(items.len()) {
        return target.write(&Value::List(Vec::new()));
    }
    let (from, to) = match (usize::try_from(start), usize::try_from(end)) {
        (Ok(from), Ok(to)) if from < items.len() && from <= to && to <= items.len() => (from, to),
        _ => {
            return Err(Failure::Function(format!(
                "indices {start} to {end} are not within a list of length {}",
                items.len()
            )));
        }
    };
    if from == to {
        return Ok(());
    }
    items.drain(from..to);
    target.write(&Value::List(items))
}

/// How `Sort` compares: as numbers when all are, else as text.
enum Order {
    Numbers,
    Texts,
    /// There is what has no order.
    None,
}

/// `Sort(target, order?)`
pub(super) fn sort(args: &Args<'_>) -> Result<Value, Failure> {
    let list = args.value(0);
    let Some(mut items) = items_of(list)? else {
        return Err(Failure::Function(format!(
            "sort with unsupported type: '{}'",
            list.type_name()
        )));
    };
    if let Value::List(items) = list
        && let Some(item) = items.iter().find(|item| !storable(item))
    {
        return Err(invalid(item));
    }
    let descending = args.text_or_none(1)? == Some(b"desc");
    let order = items
        .iter()
        .fold(Order::Numbers, |order, item| match (order, item) {
            (Order::None, _) => Order::None,
            (order, Value::Int(_) | Value::Float(_)) => order,
            (_, Value::Nil | Value::Bool(_) | Value::String(_)) => Order::Texts,
            _ => Order::None,
        });
    let compare = |a: &Value, b: &Value| match order {
        Order::Numbers => number(a, b),
        _ => shown(a).cmp(&shown(b)),
    };
    if items.is_empty() || matches!(order, Order::None) {
        return match list {
            Value::List(items) => as_slice(items.clone()),
            list => Ok(list.clone()),
        };
    }
    items.sort_by(|a, b| match descending {
        true => compare(b, a),
        false => compare(a, b),
    });
    Ok(match list {
        Value::Typed(Typed::Strings(_)) => Value::Typed(Typed::Strings(
            items
                .into_iter()
                .filter_map(|item| match item {
                    Value::String(text) => Some(text),
                    _ => None,
                })
                .collect(),
        )),
        _ => Value::List(items),
    })
}

fn number(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (a, b) => as_float(a).total_cmp(&as_float(b)),
    }
}

fn as_float(value: &Value) -> f64 {
    match value {
        Value::Int(value) => *value as f64,
        Value::Float(value) => *value,
        _ => 0.0,
    }
}

/// The text of a scalar, as pdata has it; nil has none.
fn shown(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let scalar = match value {
        Value::Bool(value) => batch::Value::Bool(*value),
        Value::Int(value) => batch::Value::Int(*value),
        Value::Float(value) => batch::Value::Double(*value),
        Value::String(text) => batch::Value::String(text),
        _ => batch::Value::Empty,
    };
    text::as_text(&scalar, &mut out);
    out
}

/// The order must be one that there is.
pub(super) fn check_order(args: &[Argument]) -> Result<(), String> {
    super::editors::one_of(args.get(1), "order", &["asc", "desc"])
}

/// `SliceToMap(target, key_path?, value_path?)`
pub(super) fn slice_to_map(args: &Args<'_>) -> Result<Value, Failure> {
    let items = items_of(args.value(0))?.unwrap_or_default();
    let mut out: Vec<(Text, Value)> = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        if (args.has(1) || args.has(2)) && item.of() != Type::Map {
            return Err(Failure::Function(format!(
                "slice elements must be maps when using `key_path` or `value_path`, but got {}",
                item.type_name()
            )));
        }
        let key = match args.has(1) {
            false => Text::from_slice(at.to_string().as_bytes()),
            true => match follow(&item, args.items(1)?)? {
                Value::String(key) => key,
                other => {
                    return Err(Failure::Function(format!(
                        "extracted key attribute is not of type string, got {}",
                        other.type_name()
                    )));
                }
            },
        };
        let value = match args.has(2) {
            false => item,
            true => follow(&item, args.items(2)?)?,
        };
        match out.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => out.push((key, value)),
        }
    }
    // Elements of telemetry can be in a map of telemetry, whatever they are.
    let mut encoded = Vec::with_capacity(out.len());
    for (key, value) in &out {
        let mut any = Vec::new();
        value.encode(&mut any)?;
        encoded.push((&**key, any));
    }
    let entries = encoded.iter().map(|(key, any)| (*key, any.as_slice()));
    Ok(Value::Map(Text::from_vec(crate::value::encode_map(
        entries,
    ))))
}

/// What a path of keys leads to within a map.
fn follow(item: &Value, path: &[Value]) -> Result<Value, Failure> {
    if path.is_empty() {
        let text = "must provide at least one path item";
        return Err(Failure::Function(text.to_owned()));
    }
    let mut here = item.clone();
    for key in path {
        let (Value::Map(any), Value::String(key)) = (&here, key) else {
            return Err(Failure::Function(format!(
                "could not extract value from an element of type {}",
                here.type_name()
            )));
        };
        let entries = entries(any)?;
        let found = entries.iter().find(|(name, _)| *name == &**key);
        let missing = || {
            let key = String::from_utf8_lossy(key);
            Failure::Function(format!("provided object does not contain the path {key}"))
        };
        let (_, any) = found.ok_or_else(missing)?;
        here = Value::decode(any)?;
    }
    Ok(here)
}

/// A map of strings.
pub(super) fn string_map(entries: Vec<(Text, Text)>) -> Result<Value, Failure> {
    let mut unique: Vec<(Text, Value)> = Vec::with_capacity(entries.len());
    let mut places: HashMap<Text, usize> = HashMap::with_capacity(entries.len());
    for (key, value) in entries {
        let value = Value::String(value);
        let place = *places.entry(key).or_insert(unique.len());
        match unique.get_mut(place) {
            Some((_, old)) => *old = value,
            None => unique.push((Text::new(), value)),
        }
    }
    for (key, place) in places {
        if let Some((name, _)) = unique.get_mut(place) {
            *name = key;
        }
    }
    map_literal(unique.iter().map(|(key, value)| (key, value)))
}
