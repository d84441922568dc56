//! Keys: reading into lists and maps, by the two sets of rules that the language has (paths are
//! lenient where converters are strict), and writing into nested values of telemetry.

use super::{Text, Value, elements, entries, tree::Tree};
use crate::failure::Failure;

/// The most empty elements that writing to an index of a list that does not exist may create.
pub const MAX_PADDING: i64 = 10_000;

/// A key whose value is known.
#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    /// Of a map.
    Text(Text),
    /// Of a list.
    Index(i64),
    /// One that cannot be worked out, or is neither: an error where it is reached.
    Wrong(Box<Failure>),
}

impl Key {
    /// The key that a value is.
    pub fn of(value: Value) -> Key {
        match value {
            Value::String(text) => Key::Text(text),
            Value::Int(index) => Key::Index(index),
            other => Key::Wrong(Box::new(Failure::Index(format!(
                "could not resolve key for map/slice, expecting 'string' or 'int64' but got '{}'",
                other.type_name()
            )))),
        }
    }
}

/// The key of an attribute.
///
/// # Errors
/// [`Failure::Index`] for an index, and what is wrong with one that could not be worked out.
pub fn attribute(key: &Key) -> Result<&[u8], Failure> {
    match key {
        Key::Text(key) => Ok(key),
        Key::Wrong(failure) => Err((**failure).clone()),
        Key::Index(_) => Err(Failure::Index(
            "unable to resolve a string index in map: invalid key type".to_owned(),
        )),
    }
}

/// Reads on into the encoded value of a path: a missing key of a map is nothing, at any depth.
///
/// # Errors
/// [`Failure::Index`] for a key of the wrong kind, a scalar, or an index out of range.
pub fn path(any: Option<&[u8]>, keys: &[Key]) -> Result<Value, Failure> {
    let Some(any) = any else {
        return Ok(Value::Nil);
    };
    let Some((key, rest)) = keys.split_first() else {
        return Value::decode(any);
    };
    match (Value::decode(any)?, key) {
        (Value::Map(map), Key::Text(key)) => {
            let entries = entries(&map)?;
            let found = entries.iter().find(|(name, _)| *name == &**key);
            path(found.map(|(_, any)| &**any), rest)
        }
        (Value::Slice(list), Key::Index(index)) => {
            let found = usize::try_from(*index)
                .ok()
                .and_then(|index| elements(&list).nth(index));
            match found {
                Some(any) => path(Some(any), rest),
                None => Err(out_of_bounds(*index)),
            }
        }
        (Value::Map(_) | Value::Slice(_), Key::Wrong(failure)) => Err((**failure).clone()),
        (Value::Map(_), Key::Index(_)) => Err(Failure::Index(
            "unable to resolve a string index in map: invalid key type".to_owned(),
        )),
        (Value::Slice(_), Key::Text(_)) => Err(Failure::Index(
            "unable to resolve an integer index in slice: invalid key type".to_owned(),
        )),
        (_, key) => Err(scalar(Tree::decode(any)?.type_name(), key)),
    }
}

fn scalar(type_name: &str, key: &Key) -> Failure {
    let kind = match key {
        Key::Text(_) | Key::Wrong(_) => "string",
        Key::Index(_) => "int",
    };
    Failure::Index(format!("type {type_name} does not support {kind} indexing"))
}

fn out_of_bounds(index: i64) -> Failure {
    Failure::Index(format!("index {index} out of bounds"))
}

/// Reads into what a converter gave, or a lambda's parameter: what is not there is an error.
///
/// # Errors
/// [`Failure::Index`].
pub fn converter(value: &Value, key: &Value) -> Result<Value, Failure> {
    let missing = || Failure::Index("key not found in map".to_owned());
    match key {
        Value::String(key) => match value {
            Value::Map(any) => {
                let entries = entries(any)?;
                let found = entries.iter().find(|(name, _)| *name == &**key);
                found.map_or_else(|| Err(missing()), |(_, any)| Value::decode(any))
            }
            Value::RawMap(entries) => entries
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value.clone())
                .ok_or_else(missing),
            other => Err(Failure::Index(format!(
                "type {} does not support string indexing",
                other.type_name()
            ))),
        },
        Value::Int(index) => {
            let at = usize::try_from(*index).ok();
            let found = match value {
                Value::Slice(any) => match at.and_then(|at| elements(any).nth(at)) {
                    Some(any) => Some(Value::decode(any)?),
                    None => None,
                },
                Value::List(items) => at.and_then(|at| items.get(at).cloned()),
                Value::Typed(items) => at.and_then(|at| items.values().get(at).cloned()),
                // A byte is no integer of the language.
                Value::Bytes(bytes) => {
                    at.and_then(|at| bytes.get(at).map(|byte| Value::GoInt(i64::from(*byte))))
                }
                other => {
                    return Err(Failure::Index(format!(
                        "type {} does not support int indexing",
                        other.type_name()
                    )));
                }
            };
            found.ok_or_else(|| out_of_bounds(*index))
        }
        other => Err(Failure::Index(format!(
            "key expression must evaluate to string or int, got {}",
            other.type_name()
        ))),
    }
}

/// Writes into a value, or leaves it as it is where there is nothing to write, creating what is
/// missing: a map for a string, a padded list for an
/// index (a negative one counts as 0).
///
/// # Errors
/// [`Failure::Index`] when a key leads through a scalar or beyond a list, and
/// [`Failure::TooLong`]; what was created on the way stays.
pub fn write(into: &mut Tree, keys: &[Key], value: Option<Tree>) -> Result<(), Failure> {
    let Some((key, rest)) = keys.split_first() else {
        if let Some(value) = value {
            *into = value;
        }
        return Ok(());
    };
    if let Tree::Empty = into {
        *into = match key {
            Key::Text(_) => Tree::Map(Vec::new()),
            Key::Wrong(failure) => return Err((**failure).clone()),
            Key::Index(index) if *index > MAX_PADDING => return Err(Failure::TooLong(*index)),
            Key::Index(index) => {
                let last = usize::try_from(*index).unwrap_or(0);
                let mut items = vec![Tree::Empty; last + 1];
                let result = match items.get_mut(last) {
                    Some(item) => write(item, rest, value),
                    None => Ok(()),
                };
                *into = Tree::List(items);
                return result;
            }
        };
    }
    match (into, key) {
        (Tree::Map(entries), Key::Text(key)) => {
            let at = match entries.iter().position(|(name, _)| name == key) {
                Some(at) => at,
                None => {
                    entries.push((key.clone(), Tree::Empty));
                    entries.len() - 1
                }
            };
            match entries.get_mut(at) {
                Some((_, entry)) => write(entry, rest, value),
                None => Ok(()),
            }
        }
        (Tree::List(items), Key::Index(index)) => {
            let item = usize::try_from(*index)
                .ok()
                .and_then(|index| items.get_mut(index));
            match item {
                Some(item) => write(item, rest, value),
                None => Err(out_of_bounds(*index)),
            }
        }
        (Tree::Map(_) | Tree::List(_), Key::Wrong(failure)) => Err((**failure).clone()),
        (Tree::Map(_), Key::Index(_)) => Err(Failure::Index(
            "unable to resolve a string index in map: invalid key type".to_owned(),
        )),
        (Tree::List(_), Key::Text(_)) => Err(Failure::Index(
            "unable to resolve an integer index in slice: invalid key type".to_owned(),
        )),
        (other, key) => Err(scalar(other.type_name(), key)),
    }
}
