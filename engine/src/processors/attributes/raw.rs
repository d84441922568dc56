//! Values from the configuration as attribute values: pdata's `Value.FromRaw`.

use trunkline_proto::{
    batch::{KeyValue, Value, ValueType},
    wire::{begin_message, end_message},
};

use crate::config::node::{self, Node};

/// The encoded `AnyValue` of a configured value. Numbers beyond 63 bits wrap around, as Go's
/// conversion does.
pub fn encode(node: &Node) -> Vec<u8> {
    let mut out = Vec::new();
    write(node, &mut out);
    out
}

fn write(node: &Node, out: &mut Vec<u8>) {
    match &node.value {
        node::Value::Null => {}
        node::Value::Bool(value) => Value::Bool(*value).write(out),
        node::Value::Integer(value) => Value::Int(*value as i64).write(out),
        node::Value::Float(value) => Value::Double(*value).write(out),
        node::Value::Text(text) => Value::String(text.as_bytes()).write(out),
        node::Value::Sequence(elements) => {
            let list = begin_message(out, ValueType::List as u32);
            for element in elements {
                let any = begin_message(out, 1);
                write(element, out);
                end_message(out, any);
            }
            end_message(out, list);
        }
        node::Value::Mapping(entries) => {
            let map = begin_message(out, ValueType::Map as u32);
            let mut value = Vec::new();
            for (key, entry) in entries {
                value.clear();
                write(&entry.node, &mut value);
                // Just written, so it reads back.
                let read = Value::read(&value).unwrap_or(Value::Empty);
                KeyValue::write(out, 1, key.as_bytes(), &read);
            }
            end_message(out, map);
        }
    }
}

/// pdata's name of a configured value's type.
pub fn type_name(node: &Node) -> &'static str {
    match node.value {
        node::Value::Null => "Empty",
        node::Value::Bool(_) => "Bool",
        node::Value::Integer(_) => "Int",
        node::Value::Float(_) => "Double",
        node::Value::Text(_) => "Str",
        node::Value::Sequence(_) => "Slice",
        node::Value::Mapping(_) => "Map",
    }
}

/// Are two values the same? Scalars by type and value (a NaN is like nothing), maps whatever
/// the order of their keys.
pub fn same(a: &Value<'_>, b: &Value<'_>) -> bool {
    same_within(a, b, 200)
}

fn same_within(a: &Value<'_>, b: &Value<'_>, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    let read = |bytes| Value::read(bytes).unwrap_or(Value::Empty);
    match (a, b) {
        (Value::List(_), Value::List(_)) => {
            let (mut a, mut b) = (a.list(), b.list());
            loop {
                match (a.next(), b.next()) {
                    (None, None) => return true,
                    (Some(a), Some(b)) if same_within(&read(a), &read(b), depth) => {}
                    _ => return false,
                }
            }
        }
        (Value::Map(_), Value::Map(_)) => {
            let entries = |map: &Value<'_>| {
                let mut entries: Vec<(Vec<u8>, Vec<u8>)> = map
                    .map()
                    .filter_map(|entry| {
                        let value = KeyValue::merged_value(entry).ok()?;
                        Some((KeyValue::read(entry).ok()?.key.to_vec(), value))
                    })
                    .collect();
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                entries
            };
            let (a, b) = (entries(a), entries(b));
            a.len() == b.len()
                && a.iter()
                    .zip(&b)
                    .all(|(a, b)| a.0 == b.0 && same_within(&read(&a.1), &read(&b.1), depth))
        }
        (a, b) => a == b,
    }
}
