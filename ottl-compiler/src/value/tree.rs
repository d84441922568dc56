//! Lists and maps taken apart, for what has to look at all of them: deep comparison, writing
//! into nested values. Never deeper than [`super::MAX_DEPTH`].

use trunkline_proto::{
    batch::{self, ValueType},
    wire::{begin_message, end_message},
};

use super::{MAX_DEPTH, Text, Value, elements, entries, put_entry};
use crate::failure::Failure;

/// A value of telemetry taken apart.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// Empty.
    Empty,
    /// A scalar, encoded as [`Value`] has it; bytes can be empty here.
    Leaf(Value),
    /// A list.
    List(Vec<Tree>),
    /// A map, in order; keys can be duplicate.
    Map(Vec<(Text, Tree)>),
    /// What no attribute can hold, or a list of one Go type: equal to nothing else.
    Foreign(Value),
}

impl Tree {
    /// Takes an encoded `AnyValue` apart.
    ///
    /// # Errors
    /// When it is not valid, or too deep.
    pub fn decode(any: &[u8]) -> Result<Tree, Failure> {
        decode(any, MAX_DEPTH)
    }

    /// A value taken apart.
    ///
    /// # Errors
    /// When an encoded one is not valid, or too deep.
    pub fn of(value: &Value) -> Result<Tree, Failure> {
        of(value, MAX_DEPTH)
    }

    /// Appends the encoded `AnyValue`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Tree::Empty | Tree::Foreign(_) => {}
            // A scalar always has an encoding.
            Tree::Leaf(value) => value.encode(out).unwrap_or_default(),
            Tree::List(items) => {
                let list = begin_message(out, ValueType::List as u32);
                for item in items {
                    let any = begin_message(out, 1);
                    item.encode(out);
                    end_message(out, any);
                }
                end_message(out, list);
            }
            Tree::Map(entries) => {
                let map = begin_message(out, ValueType::Map as u32);
                for (key, value) in entries {
                    let Ok(()) = put_entry(out, key, |out| {
                        value.encode(out);
                        Ok::<(), std::convert::Infallible>(())
                    });
                }
                end_message(out, map);
            }
        }
    }

    /// pdata's name of its type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Tree::Empty | Tree::Foreign(_) => "Empty",
            Tree::List(_) => "Slice",
            Tree::Map(_) => "Map",
            Tree::Leaf(Value::Bool(_)) => "Bool",
            Tree::Leaf(Value::Int(_)) => "Int",
            Tree::Leaf(Value::Float(_)) => "Double",
            Tree::Leaf(Value::Bytes(_)) => "Bytes",
            Tree::Leaf(_) => "Str",
        }
    }

    /// Whether both are the same: scalars by type and value, a NaN like nothing.
    pub fn same(&self, other: &Tree) -> bool {
        match (self, other) {
            (Tree::Empty, Tree::Empty) => true,
            (Tree::Leaf(a), Tree::Leaf(b)) => a == b,
            (Tree::List(a), Tree::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
            }
            (Tree::Map(a), Tree::Map(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(key, value)| {
                        let found = b.iter().find(|(other, _)| other == key);
                        found.is_some_and(|(_, other)| value.same(other))
                    })
            }
            (Tree::Foreign(a), Tree::Foreign(b)) => a == b,
            _ => false,
        }
    }
}

fn decode(any: &[u8], depth: usize) -> Result<Tree, Failure> {
    let depth = depth.checked_sub(1).ok_or(Failure::TooDeep)?;
    Ok(match batch::Value::read(any)? {
        batch::Value::Empty | batch::Value::StringIndex(_) => Tree::Empty,
        batch::Value::List(any) => Tree::List(
            elements(any)
                .map(|item| decode(item, depth))
                .collect::<Result<_, _>>()?,
        ),
        batch::Value::Map(any) => Tree::Map(
            entries(any)?
                .into_iter()
                .map(|(key, value)| Ok((Text::from_slice(key), decode(&value, depth)?)))
                .collect::<Result<_, Failure>>()?,
        ),
        batch::Value::Bytes(bytes) => Tree::Leaf(Value::Bytes(Text::from_slice(bytes))),
        value => Tree::Leaf(Value::from_any(value)),
    })
}

fn of(value: &Value, depth: usize) -> Result<Tree, Failure> {
    let below = depth.checked_sub(1).ok_or(Failure::TooDeep)?;
    Ok(match value {
        Value::Nil => Tree::Empty,
        Value::Map(any) | Value::Slice(any) => decode(any, depth)?,
        Value::List(items) => Tree::List(
            items
                .iter()
                .map(|item| of(item, below))
                .collect::<Result<_, _>>()?,
        ),
        Value::RawMap(entries) => Tree::Map(
            entries
                .iter()
                .map(|(key, value)| match value {
                    // In a map Go's `int` becomes an integer.
                    Value::GoInt(value) => Ok((key.clone(), Tree::Leaf(Value::Int(*value)))),
                    value => Ok((key.clone(), of(value, below)?)),
                })
                .collect::<Result<_, Failure>>()?,
        ),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) | Value::Bytes(_) => {
            Tree::Leaf(value.clone())
        }
        value => Tree::Foreign(value.clone()),
    })
}

/// What an assignment makes of a value: times and the like become empty within lists; by
/// themselves nothing is assigned, and a key that there was not is left empty.
///
/// # Errors
/// [`Failure::NotAssignable`], and what is assigned nevertheless.
pub fn assigned(value: &Value) -> (Option<Tree>, Result<(), Failure>) {
    let mut any = Vec::new();
    let result = value.encode(&mut any);
    let is_list = matches!(value, Value::List(_));
    match (Tree::decode(&any), result) {
        (Err(failure), _) => (None, Err(failure)),
        (Ok(_), Err(failure)) if !is_list => (None, Err(failure)),
        (Ok(tree), result) => (Some(tree), result),
    }
}
