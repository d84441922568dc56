//! The functions that the rule form has beside those of the language: values cut and replaced,
//! sampling by trace id, the number of a data point, elements of a span or metric by their
//! index, and `limit` with its laxer arguments. OTTL itself has none of them.

use trunkline_proto::batch::{Field, FieldValue, Level};

use super::{
    Build, Function,
    ParamKind::*,
    Place, TargetKind, editors,
    lists::items_of,
    replace,
    table::{converter, editor, opt, req},
};
use crate::{
    contexts::Context,
    failure::Failure,
    program::Args,
    run::{Row, Target},
    types::{Type, TypeSet},
    value::Value,
};

/// What the rule form has, ahead of functions of the same name.
#[rustfmt::skip]
pub(super) static TABLE: &[Function] = &[
    editor("limit", &[req("target", Target(TargetKind::Any)), req("limit", Int), opt("priority_keys", LiteralStrings)], Build::Editor(limit)).check(editors::check_limit).only(Place::Rules),
    converter("Truncate", &[req("target", String), req("limit", Int), opt("suffix", String)], TypeSet::one(Type::String), Build::Scalar(truncate)).only(Place::Rules),
    converter("ReplacePattern", &[req("target", String), req("regex_pattern", Regex), req("replacement", String)], TypeSet::one(Type::String), Build::Scalar(replace_pattern)).only(Place::Rules),
    converter("TraceIDRatioBasedSampler", &[req("trace_id", Any), req("ratio", FloatLike)], TypeSet::one(Type::Bool), Build::Scalar(sampled)).only(Place::Rules),
    converter("FirstOf", &[req("first", Any), req("second", Any)], TypeSet::ANY, Build::Scalar(first_of)).only(Place::Rules),
    converter("PointValue", &[], TypeSet::ANY, Build::RowScalar(point_value)).only(Place::RulesPoint),
    converter("PointValueAt", &[req("index", Int)], TypeSet::ANY, Build::RowScalar(point_value_at)).only(Place::RulesMetric),
    converter("PointAttributeAt", &[req("index", Int), req("key", String)], TypeSet::ANY, Build::RowScalar(point_attribute_at)).only(Place::RulesMetric),
    converter("EventNameAt", &[req("index", Int)], TypeSet::ANY, Build::RowScalar(event_name_at)).only(Place::RulesSpan),
    converter("EventAttributeAt", &[req("index", Int), req("key", String)], TypeSet::ANY, Build::RowScalar(event_attribute_at)).only(Place::RulesSpan),
];

/// `limit(target, limit, priority_keys?)`: of a map as in OTTL; a list is cut.
fn limit(target: &mut Target<'_, '_>, args: &Args<'_>) -> Result<(), Failure> {
    let limit = usize::try_from(args.int(1)?).unwrap_or(0);
    let value = target.read()?;
    let Some(mut items) = items_of(&value)? else {
        if args.has(2) {
            return editors::limit(target, args);
        }
        let mut left = limit;
        return target.retain(|_, _| {
            let keep = left > 0;
            left = left.saturating_sub(1);
            keep
        });
    };
    if items.len() <= limit {
        return Ok(());
    }
    items.truncate(limit);
    target.write(&Value::List(items))
}

/// `truncate(s, n, suffix?)`: at most `n` bytes, cut before the character that would not fit,
/// then the suffix when something was cut.
fn truncate(args: &Args<'_>) -> Result<Value, Failure> {
    let text = args.text(0)?;
    let limit = usize::try_from(args.int(1)?).unwrap_or(0);
    let suffix = args.text_or_none(2)?.unwrap_or_default();
    if text.len() <= limit {
        return Ok(Value::text(text));
    }
    let mut cut = limit;
    while cut > 0 && text.get(cut).is_some_and(|byte| byte & 0xc0 == 0x80) {
        cut -= 1;
    }
    let kept = text.get(..cut).unwrap_or_default();
    Ok(Value::text([kept, suffix].concat()))
}

/// `replace_pattern(s, regex, replacement)` as a value.
fn replace_pattern(args: &Args<'_>) -> Result<Value, Failure> {
    let text = args.text(0)?;
    let mut out = Vec::with_capacity(text.len());
    let changed = replace::replaced(args, false, 1, text, &mut out)?;
    Ok(Value::text(if changed { out.as_slice() } else { text }))
}

/// Whether the last 8 bytes of a trace id, big endian, are below `ratio` × 2⁶⁴.
fn sampled(args: &Args<'_>) -> Result<Value, Failure> {
    let id: &[u8] = match args.value(0) {
        Value::Bytes(bytes) | Value::String(bytes) => bytes,
        Value::TraceId(id) => id,
        other => {
            return Err(Failure::Type {
                wanted: "TraceID",
                got: other.type_name(),
            });
        }
    };
    let ratio = match args.value(1) {
        Value::Float(ratio) => *ratio,
        Value::Int(ratio) => *ratio as f64,
        other => {
            return Err(Failure::Type {
                wanted: "float64",
                got: other.type_name(),
            });
        }
    };
    let Some(last) = id.last_chunk::<8>().filter(|_| id.len() == 16) else {
        let text = format!("a trace id has 16 bytes, not {}", id.len());
        return Err(Failure::Function(text));
    };
    // 2⁶⁴ itself saturates, so that a ratio of 1 is told apart.
    let below = ratio >= 1.0 || u64::from_be_bytes(*last) < (ratio * 2f64.powi(64)) as u64;
    Ok(Value::Bool(below))
}

/// The first of two values that is not nil.
fn first_of(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(match args.value(0) {
        Value::Nil => args.value(1).clone(),
        first => first.clone(),
    })
}

/// The number of the data point; nil for one that has none.
fn point_value(row: &mut Row<'_>, _: &Args<'_>) -> Result<Value, Failure> {
    let (_, point) = row.place(Context::DataPoint)?;
    number(row, point)
}

fn point_value_at(row: &mut Row<'_>, args: &Args<'_>) -> Result<Value, Failure> {
    match nth(row, args, Context::Metric, Level::DataPoint)? {
        Some(point) => number(row, point),
        None => Ok(Value::Nil),
    }
}

fn point_attribute_at(row: &mut Row<'_>, args: &Args<'_>) -> Result<Value, Failure> {
    attribute_at(row, args, Context::Metric, Level::DataPoint)
}

fn event_attribute_at(row: &mut Row<'_>, args: &Args<'_>) -> Result<Value, Failure> {
    attribute_at(row, args, Context::Span, Level::Event)
}

fn event_name_at(row: &mut Row<'_>, args: &Args<'_>) -> Result<Value, Failure> {
    let Some(event) = nth(row, args, Context::Span, Level::Event)? else {
        return Ok(Value::Nil);
    };
    Ok(match row.data().field(Level::Event, event, Field::Name)? {
        Some(FieldValue::Bytes(name)) => Value::text(name),
        _ => Value::text(b""),
    })
}

/// The element of this number in the row of `around`; none where there are not as many.
fn nth(
    row: &mut Row<'_>,
    args: &Args<'_>,
    around: Context,
    level: Level,
) -> Result<Option<u32>, Failure> {
    let (_, parent) = row.place(around)?;
    let children = row.data().children(level, parent)?;
    let index = usize::try_from(args.int(0)?).ok();
    Ok(index.and_then(|index| children.get(index).copied()))
}

/// An attribute of an element; nil where there is none.
fn attribute_at(
    row: &mut Row<'_>,
    args: &Args<'_>,
    around: Context,
    level: Level,
) -> Result<Value, Failure> {
    let Some(element) = nth(row, args, around, level)? else {
        return Ok(Value::Nil);
    };
    let key = args.text(1)?;
    let attributes = row.data().attributes(level, element)?;
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value) {
        Some(any) => Value::decode(any),
        None => Ok(Value::Nil),
    }
}

fn number(row: &mut Row<'_>, point: u32) -> Result<Value, Failure> {
    let data = row.data();
    for field in [Field::ValueInt, Field::ValueDouble] {
        match data.field(Level::DataPoint, point, field) {
            Ok(Some(FieldValue::Int(value))) => return Ok(Value::Int(value)),
            Ok(Some(FieldValue::Double(value))) => return Ok(Value::Float(value)),
            // A histogram has no such field.
            Ok(_) | Err(trunkline_proto::batch::Error::NotApplicable(..)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Value::Nil)
}
