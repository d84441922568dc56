//! Editors of maps and of whatever a path holds. `set` is the evaluator's own; those that
//! replace text are in `replace`.

use trunkline_proto::batch;

use crate::{
    check::is_message_list,
    failure::Failure,
    go::{text, time::Time},
    program::{Args, Argument},
    run::Target,
    value::{Text, Typed, Value, elements},
};

/// Go's zero: the first of January of the year 1.
pub(crate) const ZERO_TIME: Time = Time::unix(-62_135_596_800, 0);

/// `delete_key(target, key)`
pub(super) fn delete_key(target: &mut Target<'_, '_>, args: &Args<'_>) -> Result<(), Failure> {
    target.remove(args.text(1)?)
}

/// `delete_matching_keys(target, pattern)`
pub(super) fn delete_matching_keys(
    target: &mut Target<'_, '_>,
    args: &Args<'_>,
) -> Result<(), Failure> {
    let regex = args.regex(1)?;
    target.retain(|key, _| !regex.is_match(key))
}

/// `keep_matching_keys(target, pattern)`
pub(super) fn keep_matching_keys(
    target: &mut Target<'_, '_>,
    args: &Args<'_>,
) -> Result<(), Failure> {
    let regex = args.regex(1)?;
    target.retain(|key, _| regex.is_match(key))
}

/// `keep_keys(target, keys)`
pub(super) fn keep_keys(target: &mut Target<'_, '_>, args: &Args<'_>) -> Result<(), Failure> {
    let keys = strings(args.value(1))?;
    target.retain(|key, _| keys.iter().any(|kept| **kept == *key))
}

/// A list of which every element must be a string.
pub(super) fn strings(list: &Value) -> Result<Vec<Text>, Failure> {
    let strict = |value: Value| match value {
        Value::String(text) => Ok(text),
        other => Err(Failure::Type {
            wanted: "string",
            got: other.type_name(),
        }),
    };
    match list {
        Value::Nil => Err(Failure::Function("keys cannot be nil".to_owned())),
        Value::List(items) => items.iter().cloned().map(strict).collect(),
        Value::Slice(any) => elements(any)
            .map(|any| strict(Value::decode(any)?))
            .collect(),
        Value::Typed(Typed::Strings(items)) => Ok(items.clone()),
        Value::Typed(items) => items.values().into_iter().map(strict).collect(),
        other => Err(Failure::Function(format!(
            "expected a slice, got {}",
            other.type_name()
        ))),
    }
}

/// `limit(target, limit, priority_keys)`: the priority keys that there are, then the others in
/// their order.
pub(super) fn limit(target: &mut Target<'_, '_>, args: &Args<'_>) -> Result<(), Failure> {
    let limit = usize::try_from(args.int(1)?).unwrap_or(0);
    let priority = strings(args.value(2))?;
    let entries = target.entries()?;
    if entries.len() <= limit {
        return Ok(());
    }
    let first = |key: &[u8]| priority.iter().any(|kept| **kept == *key);
    let reserved = entries.iter().filter(|(key, _)| first(key)).count();
    let mut others = limit.saturating_sub(reserved);
    target.retain(|key, _| {
        if first(key) {
            return true;
        }
        let kept = others > 0;
        others = others.saturating_sub(1);
        kept
    })
}

/// The limit must leave room for the priority keys.
pub(super) fn check_limit(args: &[Argument]) -> Result<(), String> {
    let (limit, keys) = match (args.get(1), args.get(2)) {
        (
            Some(Argument::Literal(Value::Int(limit))),
            Some(Argument::Literal(Value::List(keys))),
        ) => (*limit, keys.len()),
        _ => return Ok(()),
    };
    if usize::try_from(limit).is_ok_and(|limit| limit < keys) {
        return Err(format!(
            "invalid limit for limit function, {limit} cannot be less than number of priority \
             attributes {keys}"
        ));
    }
    Ok(())
}

/// `merge_maps(target, source, strategy)`
pub(super) fn merge_maps(target: &mut Target<'_, '_>, args: &Args<'_>) -> Result<(), Failure> {
    let source = match args.value(1) {
        Value::Map(any) => crate::run::owned_entries(any)?,
        Value::RawMap(entries) => {
            let mut source = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let mut any = Vec::new();
                value.encode(&mut any)?;
                source.push((key.clone(), any));
            }
            source
        }
        other => {
            return Err(Failure::Type {
                wanted: "pcommon.Map",
                got: other.type_name(),
            });
        }
    };
    let strategy = args.text(2)?;
    let (insert, update) = (strategy != b"update", strategy != b"insert");
    // A value that is put where it comes from is emptied before it is read.
    let same = matches!(args.arguments.get(1), Some(Argument::Value { node: crate::program::Node::Path(path), .. }) if path.is_same(target.path()));
    let mut entries = target.entries()?;
    for (key, value) in source {
        let value = if same { Vec::new() } else { value };
        match entries.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) if update => *old = value,
            None if insert => entries.push((key, value)),
            _ => {}
        }
    }
    target.put_entries(&entries)
}

/// The strategy must be one that there is.
pub(super) fn check_merge(args: &[Argument]) -> Result<(), String> {
    one_of(args.get(2), "strategy", &["insert", "update", "upsert"])
}

/// A literal string must be one of these.
pub(super) fn one_of(
    argument: Option<&Argument>,
    what: &str,
    allowed: &[&str],
) -> Result<(), String> {
    let Some(Value::String(text)) = argument.and_then(Argument::literal) else {
        return Ok(());
    };
    if allowed.iter().any(|allowed| allowed.as_bytes() == &**text) {
        return Ok(());
    }
    Err(format!(
        "invalid value for {what}, {}, must be one of {}",
        String::from_utf8_lossy(text),
        allowed.join(", ")
    ))
}

/// `truncate_all(target, limit, utf8_safe?, truncation_marker?)`
pub(super) fn truncate_all(target: &mut Target<'_, '_>, args: &Args<'_>) -> Result<(), Failure> {
    let limit = usize::try_from(args.int(1)?).unwrap_or(0);
    let safe = args.bool_or(2, true)?;
    let marker = args.text_or_none(3)?.unwrap_or_default();
    let mut entries = target.entries()?;
    let mut changed = false;
    for (_, any) in &mut entries {
        let batch::Value::String(text) = batch::Value::read(any)? else {
            continue;
        };
        if text.len() <= limit {
            continue;
        }
        let mut cut = limit.saturating_sub(marker.len());
        while safe && cut > 0 && text.get(cut).is_some_and(|byte| byte & 0xc0 == 0x80) {
            cut -= 1;
        }
        let short = [text.get(..cut).unwrap_or_default(), marker].concat();
        any.clear();
        batch::Value::String(&short).write(any);
        changed = true;
    }
    if changed {
        target.put_entries(&entries)?;
    }
    Ok(())
}

/// The marker must fit into the limit.
pub(super) fn check_truncate(args: &[Argument]) -> Result<(), String> {
    if let (Some(Value::Int(limit)), Some(Value::String(marker))) = (
        args.get(1).and_then(Argument::literal),
        args.get(3).and_then(Argument::literal),
    ) && usize::try_from(*limit).is_ok_and(|limit| limit < marker.len())
    {
        return Err(format!(
            "truncation marker of {} bytes is longer than the limit of {limit}",
            marker.len()
        ));
    }
    Ok(())
}

/// `stringify_all(target)`
pub(super) fn stringify_all(target: &mut Target<'_, '_>, _: &Args<'_>) -> Result<(), Failure> {
    let mut entries = target.entries()?;
    let mut changed = false;
    for (_, any) in &mut entries {
        let mut shown = Vec::new();
        match batch::Value::read(any)? {
            batch::Value::String(_) => continue,
            value => text::as_text(&value, &mut shown),
        }
        any.clear();
        batch::Value::String(&shown).write(any);
        changed = true;
    }
    if changed {
        target.put_entries(&entries)?;
    }
    Ok(())
}

/// `clear(target)`: the zero of what it holds.
pub(super) fn clear(target: &mut Target<'_, '_>, _: &Args<'_>) -> Result<(), Failure> {
    let zero = match target.read()? {
        Value::Nil => Value::Nil,
        Value::Bool(_) => Value::Bool(false),
        Value::Int(_) | Value::GoInt(_) => Value::Int(0),
        Value::Float(_) => Value::Float(0.0),
        Value::String(_) => Value::String(Text::new()),
        Value::Bytes(_) => Value::Bytes(Text::new()),
        Value::Time(_) => Value::Time(ZERO_TIME),
        Value::Duration(_) => Value::Duration(0),
        Value::Map(_) | Value::RawMap(_) => Value::RawMap(Vec::new()),
        Value::Slice(_) | Value::List(_) => Value::List(Vec::new()),
        Value::Typed(Typed::Strings(_)) => Value::Typed(Typed::Strings(Vec::new())),
        Value::Typed(Typed::Ints(_)) => Value::Typed(Typed::Ints(Vec::new())),
        Value::Typed(Typed::Floats(_)) => Value::Typed(Typed::Floats(Vec::new())),
        Value::Typed(Typed::Bools(_)) => Value::Typed(Typed::Bools(Vec::new())),
        Value::Typed(Typed::Uints(_)) => Value::Typed(Typed::Uints(Vec::new())),
        Value::Typed(Typed::Times(_)) => Value::Typed(Typed::Times(Vec::new())),
        Value::TraceId(_) => Value::TraceId([0; 16]),
        Value::SpanId(_) => Value::SpanId([0; 8]),
        Value::ProfileId(_) => Value::ProfileId([0; 16]),
        // A part that is no list is cleared in a copy, which is then thrown away.
        Value::Part(..) => return Ok(()),
    };
    target.write(&zero)
}

/// The reference panics when it clears lists of messages.
pub(super) fn check_clear(args: &[Argument]) -> Result<(), String> {
    match args.first() {
        Some(Argument::Target(path)) if is_message_list(path.def.store) => Err(format!(
            "clear does not support {path}; use set({path}, nil)",
            path = path.text
        )),
        _ => Ok(()),
    }
}
