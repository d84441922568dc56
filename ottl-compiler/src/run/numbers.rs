//! Writes the paths that hold lists of numbers or of times.

use trunkline_proto::batch::{Field, FieldValue};

use super::{
    Row,
    paths::{pack_fixed, pack_varints},
};
use crate::{
    contexts::Store,
    failure::Failure,
    program::PathNode,
    value::{Typed, Value},
};

impl Row<'_> {
    pub(super) fn write_uints(
        &mut self,
        field: Field,
        path: &PathNode,
        value: &Value,
    ) -> Result<(), Failure> {
        let (level, row) = self.place(path.context)?;
        let values = match value {
            Value::Typed(Typed::Uints(values)) => values.clone(),
            other => numbers(other, "[]uint64", |value| match value {
                Value::Int(value) => Some(*value as u64),
                _ => None,
            })?,
        };
        let bytes = match field {
            Field::BucketCounts => pack_fixed(values),
            _ => pack_varints(&values),
        };
        self.put_typed(path, level, row, field, FieldValue::Packed(&bytes))
    }

    pub(super) fn write_ints(
        &mut self,
        field: Field,
        path: &PathNode,
        value: &Value,
    ) -> Result<(), Failure> {
        let (level, row) = self.place(path.context)?;
        let times = matches!(path.def.store, Store::Times(_));
        let values = match value {
            Value::Nil => Vec::new(),
            Value::Typed(Typed::Times(items)) if times => {
                items.iter().map(|time| time.unix_nanos() as u64).collect()
            }
            Value::Typed(Typed::Ints(items)) if !times => {
                items.iter().map(|item| *item as u64).collect()
            }
            Value::List(_) | Value::Slice(_) if !times => {
                numbers(value, "[]int64", |value| match value {
                    Value::Int(value) => Some(*value as u64),
                    _ => None,
                })?
            }
            other => {
                return Err(Failure::Setter {
                    wanted: if times { "[]time.Time" } else { "[]int64" },
                    got: other.type_name(),
                });
            }
        };
        let bytes = match field {
            Field::Timestamps => pack_fixed(values),
            // Indices have 32 bits; what does not fit is cut off.
            Field::AttributeIndices => {
                let cut = values.iter().map(|value| i64::from(*value as i32) as u64);
                pack_varints(&cut.collect::<Vec<_>>())
            }
            _ => pack_varints(&values),
        };
        let bytes = (!bytes.is_empty()).then_some(FieldValue::Packed(&bytes));
        self.put(level, row, field, bytes)
    }

    pub(super) fn write_floats(
        &mut self,
        field: Field,
        path: &PathNode,
        value: &Value,
    ) -> Result<(), Failure> {
        let (level, row) = self.place(path.context)?;
        let bits = match value {
            Value::Typed(Typed::Floats(values)) => {
                values.iter().map(|value| value.to_bits()).collect()
            }
            other => numbers(other, "[]float64", |value| match value {
                Value::Float(value) => Some(value.to_bits()),
                _ => None,
            })?,
        };
        let bytes = pack_fixed(bits);
        self.put_typed(path, level, row, field, FieldValue::Packed(&bytes))
    }
}

/// A list of numbers of one type, as they are encoded; nil has none.
fn numbers(
    value: &Value,
    wanted: &'static str,
    number: impl Fn(&Value) -> Option<u64>,
) -> Result<Vec<u64>, Failure> {
    let got = value.type_name();
    let wrong = || Failure::Setter { wanted, got };
    let items = match value {
        Value::Nil => Vec::new(),
        Value::List(items) => items.clone(),
        Value::Slice(any) => crate::value::elements(any)
            .map(Value::decode)
            .collect::<Result<_, _>>()?,
        Value::Typed(items) => items.values(),
        _ => return Err(wrong()),
    };
    items
        .iter()
        .map(|item| number(item).ok_or_else(wrong))
        .collect()
}
