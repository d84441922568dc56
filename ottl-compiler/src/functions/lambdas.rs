//! Converters that apply a lambda to the elements of a list or the entries of a map. `When` is the
//! evaluator's own.

use trunkline_proto::{
    batch::{self, ValueType},
    wire::{begin_message, end_message, put_bytes},
};

use crate::{
    failure::{Failure, built_up},
    go::text::as_text,
    program::{Args, Lambda},
    run::{Row, owned_entries},
    value::{
        MAX_DEPTH, Text, Typed, Value,
        coerce::{self, Want},
        elements, encode_map,
        tree::Tree,
    },
};

/// What lambdas are applied to, each value encoded.
enum Source {
    List(Vec<Vec<u8>>),
    Map(Vec<(Text, Vec<u8>)>),
}

impl Source {
    /// Of a list or map; literals and what functions make become such of telemetry.
    fn of(value: &Value) -> Result<Source, Failure> {
        let mut any = Vec::new();
        match value {
            Value::Map(_) | Value::RawMap(_) => {
                value.encode(&mut any)?;
                Ok(Source::Map(owned_entries(&any)?))
            }
            Value::Slice(_) | Value::List(_) | Value::Typed(_) => {
                let want = Want::Exactly(crate::types::Type::List);
                coerce::coerce(std::borrow::Cow::Borrowed(value), want)?.encode(&mut any)?;
                Ok(Source::List(elements(&any).map(<[u8]>::to_vec).collect()))
            }
            other => Err(Failure::Function(format!(
                "unsupported type provided: {}",
                other.type_name()
            ))),
        }
    }

    /// Calls `each` with position and key, value, and the value encoded, until it says to stop.
    fn for_each(
        self,
        what: &str,
        mut each: impl FnMut(Value, Value, Item) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let told = |kind: &str, key: &dyn std::fmt::Display, any: &[u8], cause: Failure| {
            let mut shown = Vec::new();
            if let Ok(value) = batch::Value::read(any) {
                as_text(&value, &mut shown);
            }
            Failure::Function(format!(
                "error while evaluating {what} on {kind} item ({key}, {}): {cause}",
                String::from_utf8_lossy(&shown)
            ))
        };
        match self {
            Source::List(items) => {
                for (at, any) in items.into_iter().enumerate() {
                    let value = Value::decode(&any)?;
                    let item = Item {
                        key: Text::new(),
                        any: any.clone(),
                    };
                    let result = each(Value::Int(at as i64), value, item);
                    if !result.map_err(|cause| told("slice", &at, &any, cause))? {
                        break;
                    }
                }
            }
            Source::Map(entries) => {
                for (key, any) in entries {
                    let value = Value::decode(&any)?;
                    let item = Item {
                        key: key.clone(),
                        any: any.clone(),
                    };
                    let result = each(Value::String(key.clone()), value, item);
                    let shown = String::from_utf8_lossy(&key);
                    if !result.map_err(|cause| told("map", &shown, &any, cause))? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

/// An element or entry, its value encoded.
struct Item {
    key: Text,
    any: Vec<u8>,
}

const LAMBDA: &str = "lambda function";

/// A lambda's result is not of the type that is wanted.
pub(crate) fn wrong_result(wanted: &str, got: &Value) -> Failure {
    let got = match got {
        Value::Nil => "<nil>",
        other => other.type_name(),
    };
    Failure::Function(format!(
        "lambda expression must return a value of type {wanted}, got {got}"
    ))
}

fn lambda<'a>(args: &Args<'a>, at: usize) -> Result<&'a Lambda, Failure> {
    let missing = || Failure::Function("must be a lambda expression".to_owned());
    args.lambda(at).ok_or_else(missing)
}

/// What a lambda gives; that is never nil.
fn apply<const N: usize>(
    row: &mut Row<'_>,
    lambda: &Lambda,
    args: [Value; N],
) -> Result<Value, Failure> {
    match row.lambda(lambda, args)? {
        Value::Nil => Err(wrong_result("<nil>", &Value::Nil)),
        value => Ok(value),
    }
}

fn test(row: &mut Row<'_>, lambda: &Lambda, key: Value, value: Value) -> Result<bool, Failure> {
    match row.lambda(lambda, [key, value])? {
        Value::Bool(holds) => Ok(holds),
        other => Err(wrong_result("bool", &other)),
    }
}

/// `All(source, predicate)`
pub(super) fn all(row: &mut Row<'_>, args: &Args<'_>) -> Result<Value, Failure> {
    let predicate = lambda(args, 1)?;
    let mut all = true;
    Source::of(args.value(0))?.for_each(LAMBDA, |key, value, _| {
        all = test(row, predicate, key, value)?;
        Ok(all)
    })?;
    Ok(Value::Bool(all))
}

/// `Any(source, predicate)`
pub(super) fn any(row: &mut Row<'_>, args: &Args<'_>) -> Result<Value, Failure> {
    let predicate = lambda(args, 1)?;
    let mut any = false;
    Source::of(args.value(0))?.for_each(LAMBDA, |key, value, _| {
        any = test(row, predicate, key, value)?;
        Ok(!any)
    })?;
    Ok(Value::Bool(any))
}

/// What is made of a source: a list or map of telemetry, as it is.
struct Built {
    is_map: bool,
    items: Vec<Item>,
}

impl Built {
    fn like(source: &Source) -> Built {
        Built {
            is_map: matches!(source, Source::Map(_)),
            items: Vec::new(),
        }
    }

    fn value(self) -> Value {
        if self.is_map {
            let entries = self.items.iter().map(|item| (&*item.key, &*item.any));
            return Value::Map(Text::from_vec(encode_map(entries)));
        }
        let mut out = Vec::new();
        let list = begin_message(&mut out, ValueType::List as u32);
        for item in &self.items {
            put_bytes(&mut out, 1, &item.any);
        }
        end_message(&mut out, list);
        Value::Slice(Text::from_vec(out))
    }
}

/// `Filter(source, predicate)`
pub(super) fn filter(row: &mut Row<'_>, args: &Args<'_>) -> Result<Value, Failure> {
    let predicate = lambda(args, 1)?;
    let source = Source::of(args.value(0))?;
    let mut kept = Built::like(&source);
    source.for_each(LAMBDA, |key, value, item| {
        if test(row, predicate, key, value)? {
            kept.items.push(item);
        }
        Ok(true)
    })?;
    Ok(kept.value())
}

/// `Find(source, predicate, mapper?)`: nil where there is none.
pub(super) fn find(row: &mut Row<'_>, args: &Args<'_>) -> Result<Value, Failure> {
    let predicate = lambda(args, 1)?;
    let mut found = None;
    Source::of(args.value(0))?.for_each(LAMBDA, |key, value, _| {
        if test(row, predicate, key.clone(), value.clone())? {
            found = Some((key, value));
        }
        Ok(found.is_none())
    })?;
    match (found, args.lambda(2)) {
        (None, _) => Ok(Value::Nil),
        (Some((_, value)), None) => Ok(value),
        (Some((key, value)), Some(mapper)) => apply(row, mapper, [key, value]).map_err(|cause| {
            Failure::Function(format!(
                "error while evaluating mapper lambda function: {cause}"
            ))
        }),
    }
}

/// `MapEach(source, mapper)`
pub(super) fn map_each(row: &mut Row<'_>, args: &Args<'_>) -> Result<Value, Failure> {
    let mapper = lambda(args, 1)?;
    let source = Source::of(args.value(0))?;
    let mut mapped = Built::like(&source);
    source.for_each(LAMBDA, |key, value, mut item| {
        let value = apply(row, mapper, [key, value])?;
        if !is_element(&value) {
            return Err(Failure::NotAssignable(format!(
                "<Invalid value type {}>",
                value.type_name()
            )));
        }
        item.any.clear();
        value.encode(&mut item.any)?;
        mapped.items.push(item);
        Ok(true)
    })?;
    Ok(mapped.value())
}

/// Whether a list or map of telemetry takes it.
fn is_element(value: &Value) -> bool {
    match value {
        Value::Map(_) | Value::Slice(_) => true,
        Value::Typed(items) => !matches!(items, Typed::Uints(_) | Typed::Times(_)),
        value => coerce::storable(value),
    }
}

/// `MapKeys(source, key_mapper)`: of entries that get one key, the last value in the first place.
pub(super) fn map_keys(row: &mut Row<'_>, args: &Args<'_>) -> Result<Value, Failure> {
    let mapper = lambda(args, 1)?;
    let source = Source::of(args.value(0))?;
    let mut mapped = Built::like(&source);
    let mut known = std::collections::HashMap::new();
    source.for_each(LAMBDA, |key, value, mut item| {
        item.key = match row.lambda(mapper, [key, value])? {
            Value::String(key) => key,
            other => return Err(wrong_result("string", &other)),
        };
        let at = *known.entry(item.key.clone()).or_insert(mapped.items.len());
        match mapped.items.get_mut(at) {
            Some(old) => old.any = item.any,
            None => mapped.items.push(item),
        }
        Ok(true)
    })?;
    Ok(mapped.value())
}

/// `Reduce(source, seed, accumulator)`
pub(super) fn reduce(row: &mut Row<'_>, args: &Args<'_>) -> Result<Value, Failure> {
    let accumulator = lambda(args, 2)?;
    let mut sum = args.value(1).clone();
    Source::of(args.value(0))?.for_each("accumulator function", |key, value, _| {
        let before = std::mem::replace(&mut sum, Value::Nil);
        sum = apply(row, accumulator, [before, key, value])?;
        built_up(size(&sum, MAX_DEPTH)?)?;
        Ok(true)
    })?;
    Ok(sum)
}

/// The size of a value, in bytes, about.
fn size(value: &Value, depth: usize) -> Result<usize, Failure> {
    let below = depth.checked_sub(1).ok_or(Failure::TooDeep)?;
    let own = std::mem::size_of::<Value>();
    Ok(match value {
        Value::List(items) => {
            let mut sum = own;
            for item in items {
                sum = sum.saturating_add(size(item, below)?);
            }
            sum
        }
        Value::RawMap(entries) => {
            let mut sum = own;
            for (key, value) in entries {
                sum = sum.saturating_add(own + key.len() + size(value, below)?);
            }
            sum
        }
        Value::Map(any) | Value::Slice(any) => {
            // What is nested too deeply is told when it is taken apart.
            Tree::decode(any)?;
            own + any.len()
        }
        Value::String(text) | Value::Bytes(text) => own + text.len(),
        Value::Typed(items) => own + items.len() * own,
        Value::Part(_, bytes) => own + bytes.len(),
        _ => own,
    })
}
