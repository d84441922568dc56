//! What parameters make of values: strict ones refuse any other type, "like" ones convert.

use std::borrow::Cow;

use super::{Text, Value, json};
use crate::{
    failure::Failure,
    go::text,
    types::{Type, TypeSet},
};

/// What a parameter wants of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Anything, as it is.
    Any,
    /// Exactly this type; lists of one Go type are lists.
    Exactly(Type),
    /// Text: nil stays nil.
    StringLike,
    /// An integer: nil stays nil.
    IntLike,
    /// A double: nil stays nil.
    FloatLike,
    /// A bool: nil stays nil.
    BoolLike,
    /// Bytes: nil stays nil.
    BytesLike,
}

impl Want {
    /// The types that come out.
    pub fn types(self) -> TypeSet {
        match self {
            Want::Any => TypeSet::ANY,
            Want::Exactly(Type::List) => TypeSet::of(&[Type::List, Type::Typed]),
            Want::Exactly(of) => TypeSet::one(of),
            Want::StringLike => TypeSet::of(&[Type::String, Type::Nil]),
            Want::IntLike => TypeSet::of(&[Type::Int, Type::Nil]),
            Want::FloatLike => TypeSet::of(&[Type::Float, Type::Nil]),
            Want::BoolLike => TypeSet::of(&[Type::Bool, Type::Nil]),
            Want::BytesLike => TypeSet::of(&[Type::Bytes, Type::Nil]),
        }
    }
}

/// Turns a value into what is wanted.
///
/// # Errors
/// [`Failure::Type`] for a type that does not do, [`Failure::Parse`] for a text that is no
/// number or bool.
pub fn coerce(value: Cow<'_, Value>, want: Want) -> Result<Cow<'_, Value>, Failure> {
    match want {
        Want::Any => Ok(value),
        Want::Exactly(Type::List) => strict_list(value),
        Want::Exactly(Type::Map) => strict_map(value),
        Want::Exactly(of) if value.of() == of && !matches!(*value, Value::GoInt(_)) => Ok(value),
        Want::Exactly(of) => Err(mismatch(of.name(), &value)),
        _ if matches!(*value, Value::Nil) => Ok(value),
        Want::StringLike if matches!(*value, Value::String(_)) => Ok(value),
        Want::IntLike if matches!(*value, Value::Int(_)) => Ok(value),
        Want::FloatLike if matches!(*value, Value::Float(_)) => Ok(value),
        Want::BoolLike if matches!(*value, Value::Bool(_)) => Ok(value),
        Want::BytesLike if matches!(*value, Value::Bytes(_)) => Ok(value),
        Want::StringLike => string(&value).map(Cow::Owned),
        Want::IntLike => int(&value).map(Cow::Owned),
        Want::FloatLike => float(&value).map(Cow::Owned),
        Want::BoolLike => bool(&value).map(Cow::Owned),
        Want::BytesLike => bytes(&value).map(Cow::Owned),
    }
}

fn mismatch(wanted: &'static str, value: &Value) -> Failure {
    let got = value.type_name();
    Failure::Type { wanted, got }
}

fn unsupported(value: &Value) -> Failure {
    Failure::Function(format!("unsupported type: {}", value.type_name()))
}

/// A list literal becomes a list of telemetry on the way, which cannot hold everything.
fn strict_list(value: Cow<'_, Value>) -> Result<Cow<'_, Value>, Failure> {
    match &*value {
        Value::Slice(_) | Value::Typed(_) => Ok(value),
        Value::List(items) => {
            for item in items {
                if !storable(item) {
                    return Err(Failure::NotAssignable(format!(
                        "<Invalid value type {}>",
                        item.type_name()
                    )));
                }
            }
            Ok(value)
        }
        other => Err(mismatch(Type::List.name(), other)),
    }
}

/// A Go map becomes a map of telemetry on the way, in which Go's `int` is an integer.
fn strict_map(value: Cow<'_, Value>) -> Result<Cow<'_, Value>, Failure> {
    let is_int = |(_, value): &(Text, Value)| matches!(value, Value::GoInt(_));
    match &*value {
        Value::RawMap(entries) if entries.iter().any(is_int) => {
            let entries = entries.iter().map(|(key, value)| match value {
                Value::GoInt(value) => (key.clone(), Value::Int(*value)),
                value => (key.clone(), value.clone()),
            });
            Ok(Cow::Owned(Value::RawMap(entries.collect())))
        }
        Value::Map(_) | Value::RawMap(_) => Ok(value),
        other => Err(mismatch(Type::Map.name(), other)),
    }
}

/// Whether a list or map of telemetry takes it when a Go list or map becomes one.
pub(crate) fn storable(value: &Value) -> bool {
    match value {
        Value::Nil
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::String(_)
        | Value::Bytes(_) => true,
        Value::List(items) => items.iter().all(storable),
        Value::RawMap(entries) => entries
            .iter()
            .all(|(_, value)| matches!(value, Value::GoInt(_)) || storable(value)),
        _ => false,
    }
}

fn string(value: &Value) -> Result<Value, Failure> {
    if let Value::Bytes(bytes) = value {
        return Ok(Value::text(hex::encode(bytes)));
    }
    let mut out = Vec::new();
    json::write(value, &mut out)?;
    Ok(Value::text(out))
}

fn int(value: &Value) -> Result<Value, Failure> {
    Ok(Value::Int(match value {
        Value::Float(value) => text::truncate(*value),
        Value::Bool(value) => i64::from(*value),
        Value::String(text) => {
            text::parse_int(text).ok_or_else(|| unparsable("strconv.ParseInt", text))?
        }
        other => return Err(unsupported(other)),
    }))
}

fn float(value: &Value) -> Result<Value, Failure> {
    Ok(Value::Float(match value {
        Value::Int(value) => *value as f64,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::String(text) => {
            text::parse_double(text).ok_or_else(|| unparsable("strconv.ParseFloat", text))?
        }
        other => return Err(unsupported(other)),
    }))
}

fn bool(value: &Value) -> Result<Value, Failure> {
    Ok(Value::Bool(match value {
        Value::Int(value) => *value != 0,
        Value::Float(value) => *value != 0.0,
        Value::String(text) => match &**text {
            b"1" | b"t" | b"T" | b"TRUE" | b"true" | b"True" => true,
            b"0" | b"f" | b"F" | b"FALSE" | b"false" | b"False" => false,
            text => return Err(unparsable("strconv.ParseBool", text)),
        },
        other => return Err(unsupported(other)),
    }))
}

fn bytes(value: &Value) -> Result<Value, Failure> {
    Ok(Value::Bytes(match value {
        Value::String(text) => text.clone(),
        Value::Int(value) => Text::from_slice(&value.to_be_bytes()),
        Value::Float(value) => Text::from_slice(&value.to_bits().to_be_bytes()),
        Value::Bool(value) => Text::from_slice(&[u8::from(*value)]),
        other => return Err(unsupported(other)),
    }))
}

fn unparsable(function: &str, text: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(text);
    Failure::Parse(format!("{function}: parsing {text:?}: invalid syntax"))
}
