//! What a statement computes with: [`Value`], and the rules by which values are compared
//! (`compare`), calculated with (`math`), turned into what a function wants (`coerce`), indexed
//! (`index`) and shown as text (`json`). Each is a free function over values that knows nothing
//! of batches or programs.

pub mod coerce;
pub mod compare;
pub mod index;
pub mod json;
pub mod math;
pub(crate) mod tree;

use smallvec::SmallVec;
use trunkline_proto::{
    batch::{self, KeyValue, ValueType},
    wire::{begin_message, end_message},
};

use crate::{contexts::Part, failure::Failure, go::time::Time, types::Type};

/// How deep lists and maps may nest where something walks through them. Requests are not
/// nested deeper: protobuf's own limit is this.
pub const MAX_DEPTH: usize = trunkline_proto::wire::MAX_DEPTH;

/// Bytes of strings and encoded values; short ones lie in place.
pub type Text = SmallVec<[u8; 32]>;

/// A value. Lists and maps of telemetry stay as they are encoded until something looks into
/// them; those that literals and functions make are Go values, which behave differently here
/// and there (what can be assigned, what equals what).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: a missing key, an empty value.
    Nil,
    /// A bool.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double.
    Float(f64),
    /// A string, not necessarily UTF-8.
    String(Text),
    /// Bytes.
    Bytes(Text),
    /// A point in time.
    Time(Time),
    /// A duration, in nanoseconds.
    Duration(i64),
    /// A map of telemetry or a map literal: the encoded `AnyValue` that holds it.
    Map(Text),
    /// A list of telemetry: the encoded `AnyValue` that holds it.
    Slice(Text),
    /// A list literal or what a function made of one.
    List(Vec<Value>),
    /// A map that a function made.
    RawMap(Vec<(Text, Value)>),
    /// A list of one Go type.
    Typed(Typed),
    /// 16 bytes.
    TraceId([u8; 16]),
    /// 8 bytes.
    SpanId([u8; 8]),
    /// 16 bytes.
    ProfileId([u8; 16]),
    /// Part of a row, encoded: only to be copied.
    Part(Part, Vec<u8>),
    /// Go's `int`: no integer of the language, equal to none and not assignable.
    GoInt(i64),
}

/// A list whose elements have one Go type.
#[derive(Clone, Debug, PartialEq)]
pub enum Typed {
    /// `[]string`
    Strings(Vec<Text>),
    /// `[]int64`
    Ints(Vec<i64>),
    /// `[]float64`
    Floats(Vec<f64>),
    /// `[]bool`
    Bools(Vec<bool>),
    /// `[]uint64`
    Uints(Vec<u64>),
    /// `[]time.Time`
    Times(Vec<Time>),
}

impl Typed {
    /// Go's name of it.
    pub fn name(&self) -> &'static str {
        match self {
            Typed::Strings(_) => "[]string",
            Typed::Ints(_) => "[]int64",
            Typed::Floats(_) => "[]float64",
            Typed::Bools(_) => "[]bool",
            Typed::Uints(_) => "[]uint64",
            Typed::Times(_) => "[]time.Time",
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Typed::Strings(items) => items.len(),
            Typed::Ints(items) => items.len(),
            Typed::Floats(items) => items.len(),
            Typed::Bools(items) => items.len(),
            Typed::Uints(items) => items.len(),
            Typed::Times(items) => items.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as values; numbers without sign that are too large wrap.
    pub fn values(&self) -> Vec<Value> {
        match self {
            Typed::Strings(items) => items.iter().cloned().map(Value::String).collect(),
            Typed::Ints(items) => items.iter().copied().map(Value::Int).collect(),
            Typed::Floats(items) => items.iter().copied().map(Value::Float).collect(),
            Typed::Bools(items) => items.iter().copied().map(Value::Bool).collect(),
            Typed::Uints(items) => items.iter().map(|item| Value::Int(*item as i64)).collect(),
            Typed::Times(items) => items.iter().copied().map(Value::Time).collect(),
        }
    }
}

impl Value {
    /// A string.
    pub fn text(text: impl AsRef<[u8]>) -> Value {
        Value::String(Text::from_slice(text.as_ref()))
    }

    /// Number of rows of a part that is a list of messages, and that functions take for one.
    pub fn rows(&self) -> Option<usize> {
        match self {
            // The reference does not know samples as a list.
            Value::Part(
                Part::Status
                | Part::Positive
                | Part::Negative
                | Part::Samples
                | Part::SampleType
                | Part::PeriodType,
                _,
            ) => None,
            Value::Part(_, bytes) => Some(bytes.len() / 4),
            _ => None,
        }
    }

    /// The empty list or map, of a list or map of telemetry.
    pub(crate) fn empty_of_kind(&self) -> Option<Value> {
        match self {
            Value::Map(_) => Some(Value::RawMap(Vec::new())),
            Value::Slice(_) => Some(Value::List(Vec::new())),
            _ => None,
        }
    }

    /// Its type.
    pub fn of(&self) -> Type {
        match self {
            Value::Nil => Type::Nil,
            Value::Bool(_) => Type::Bool,
            Value::Int(_) | Value::GoInt(_) => Type::Int,
            Value::Float(_) => Type::Float,
            Value::String(_) => Type::String,
            Value::Bytes(_) => Type::Bytes,
            Value::Time(_) => Type::Time,
            Value::Duration(_) => Type::Duration,
            Value::Map(_) | Value::RawMap(_) => Type::Map,
            Value::Slice(_) | Value::List(_) => Type::List,
            Value::Typed(_) => Type::Typed,
            Value::TraceId(_) => Type::TraceId,
            Value::SpanId(_) => Type::SpanId,
            Value::ProfileId(_) => Type::ProfileId,
            Value::Part(..) => Type::Opaque,
        }
    }

    /// The name of its type in errors.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::List(_) => "[]any",
            Value::RawMap(_) => "map[string]any",
            Value::Typed(items) => items.name(),
            Value::GoInt(_) => "int",
            value => value.of().name(),
        }
    }

    /// A value of telemetry, as it is read.
    pub fn from_any(value: batch::Value<'_>) -> Value {
        match value {
            batch::Value::Empty | batch::Value::StringIndex(_) => Value::Nil,
            batch::Value::String(text) => Value::text(text),
            batch::Value::Bool(value) => Value::Bool(value),
            batch::Value::Int(value) => Value::Int(value),
            batch::Value::Double(value) => Value::Float(value),
            batch::Value::Bytes(bytes) => Value::Bytes(Text::from_slice(bytes)),
            batch::Value::List(any) => Value::Slice(Text::from_slice(any)),
            batch::Value::Map(any) => Value::Map(Text::from_slice(any)),
        }
    }

    /// An encoded `AnyValue`, as it is read.
    ///
    /// # Errors
    /// When it is not valid.
    pub fn decode(any: &[u8]) -> Result<Value, Failure> {
        Ok(Value::from_any(batch::Value::read(any)?))
    }

    /// Appends the encoded `AnyValue` that an attribute or body holds when this is assigned.
    ///
    /// # Errors
    /// [`Failure::NotAssignable`]: times, ids, parts of rows and Go's `int` cannot be. What was
    /// appended is then an empty value, or the list with the elements that could be: as in the
    /// reference, an element that cannot be is empty and counts as an error only at the end.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match self {
            Value::Nil => {}
            Value::Bool(value) => batch::Value::Bool(*value).write(out),
            Value::Int(value) => batch::Value::Int(*value).write(out),
            Value::Float(value) => batch::Value::Double(*value).write(out),
            Value::String(text) => batch::Value::String(text).write(out),
            Value::Bytes(bytes) => batch::Value::Bytes(bytes).write(out),
            Value::Map(any) | Value::Slice(any) => out.extend_from_slice(any),
            Value::List(items) => return encode_list(items, out),
            Value::Typed(items @ (Typed::Uints(_) | Typed::Times(_))) => {
                let text = format!("unsupported type {}", items.name());
                return Err(Failure::NotAssignable(text));
            }
            Value::Typed(items) => return encode_list(&items.values(), out),
            Value::RawMap(entries) => {
                let begin = begin_message(out, ValueType::Map as u32);
                for (key, value) in entries {
                    let value = match value {
                        Value::GoInt(value) => &Value::Int(*value),
                        value => value,
                    };
                    put_entry(out, key, |out| value.encode(out))?;
                }
                end_message(out, begin);
            }
            value => {
                return Err(Failure::NotAssignable(format!(
                    "unsupported type {} for set operation",
                    value.type_name()
                )));
            }
        }
        Ok(())
    }
}

fn encode_list(items: &[Value], out: &mut Vec<u8>) -> Result<(), Failure> {
    let mut last = Ok(());
    let list = begin_message(out, ValueType::List as u32);
    for item in items {
        let any = begin_message(out, 1);
        last = item.encode(out);
        end_message(out, any);
    }
    end_message(out, list);
    last
}

/// Appends an entry of a map, its value encoded by `value`.
pub(crate) fn put_entry<E>(
    out: &mut Vec<u8>,
    key: &[u8],
    value: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let entry = begin_message(out, 1);
    trunkline_proto::wire::put_bytes(out, 1, key);
    let any = begin_message(out, 2);
    let result = value(out);
    end_message(out, any);
    end_message(out, entry);
    result
}

/// An encoded map with these entries, whose values are encoded.
pub(crate) fn encode_map<'a>(entries: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Vec<u8> {
    let mut out = Vec::new();
    let begin = begin_message(&mut out, ValueType::Map as u32);
    for (key, any) in entries {
        let Ok(()) = put_entry(&mut out, key, |out| {
            out.extend_from_slice(any);
            Ok::<(), std::convert::Infallible>(())
        });
    }
    end_message(&mut out, begin);
    out
}

/// An entry of a map: its key and its encoded value.
pub(crate) type Entry<'a> = (&'a [u8], std::borrow::Cow<'a, [u8]>);

/// The entries of an encoded map: keys and encoded values, in order.
///
/// # Errors
/// When it is not valid.
pub(crate) fn entries(any: &[u8]) -> Result<Vec<Entry<'_>>, Failure> {
    let mut entries = Vec::new();
    for entry in batch::Value::Map(any).map() {
        let pair = KeyValue::read(entry)?;
        let value = if pair.split {
            KeyValue::merged_value(entry)?.into()
        } else {
            pair.value.unwrap_or_default().into()
        };
        entries.push((pair.key, value));
    }
    Ok(entries)
}

/// The elements of an encoded list, each encoded.
pub(crate) fn elements(any: &[u8]) -> impl Iterator<Item = &[u8]> {
    batch::Value::List(any).list()
}

/// A map literal: no list path, list of one Go type, time or the like can be in one.
///
/// # Errors
/// [`Failure::NotAssignable`].
pub(crate) fn map_literal<'a>(
    entries: impl IntoIterator<Item = (&'a Text, &'a Value)>,
) -> Result<Value, Failure> {
    let mut out = Vec::new();
    let begin = begin_message(&mut out, ValueType::Map as u32);
    for (key, value) in entries {
        if !storable(value) {
            let name = value.type_name();
            let text = format!("<Invalid value type {name}>");
            return Err(Failure::NotAssignable(text));
        }
        put_entry(&mut out, key, |out| value.encode(out))?;
    }
    end_message(&mut out, begin);
    Ok(Value::Map(Text::from_vec(out)))
}

/// What a map literal takes: map literals and paths too, as they are or in a list.
fn storable(value: &Value) -> bool {
    match value {
        Value::Map(_) => true,
        Value::List(items) => items
            .iter()
            .all(|item| matches!(item, Value::Map(_)) || coerce::storable(item)),
        value => coerce::storable(value),
    }
}
