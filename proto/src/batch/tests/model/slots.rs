//! A field of an entity of the model: reading it as what a read of a batch gives, and setting
//! it as an edit does. Which entity has which field is in [`super`].

use crate::{
    batch::{FieldValue, tests::generate},
    otlp::{
        common::v1::{AnyValue, EntityRef},
        metrics::v1::{exemplar, number_data_point},
    },
};

/// A field of an entity of the model.
pub enum Slot<'a> {
    /// Such entities do not have it.
    NotThere,
    /// The message that would have it is not set.
    Missing,
    U32(&'a mut u32),
    U64(&'a mut u64),
    I32(&'a mut i32),
    I64(&'a mut i64),
    F64(&'a mut f64),
    Bool(&'a mut bool),
    Text(&'a mut String),
    Bytes(&'a mut Vec<u8>),
    OptF64(&'a mut Option<f64>),
    Fixed64s(&'a mut Vec<u64>),
    Doubles(&'a mut Vec<f64>),
    Varints(&'a mut Vec<u64>),
    Int64s(&'a mut Vec<i64>),
    /// Of attributes of the dictionary.
    Indices(&'a mut Vec<i32>),
    Any(&'a mut Option<AnyValue>),
    Refs(&'a mut Vec<EntityRef>),
    NumberInt(&'a mut Option<number_data_point::Value>),
    NumberDouble(&'a mut Option<number_data_point::Value>),
    ExemplarInt(&'a mut Option<exemplar::Value>),
    ExemplarDouble(&'a mut Option<exemplar::Value>),
}

/// A [`FieldValue`] that owns its bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Owned {
    Uint(u64),
    Int(i64),
    Double(f64),
    Bool(bool),
    Bytes(Vec<u8>),
    Message(Vec<u8>),
    Packed(Vec<u8>),
    Fields(Vec<u8>),
}

impl Owned {
    pub fn of(value: FieldValue<'_>) -> Owned {
        match value {
            FieldValue::Uint(value) => Owned::Uint(value),
            FieldValue::Int(value) => Owned::Int(value),
            FieldValue::Double(value) => Owned::Double(value),
            FieldValue::Bool(value) => Owned::Bool(value),
            FieldValue::Bytes(value) => Owned::Bytes(value.to_vec()),
            FieldValue::Message(value) => Owned::Message(value.to_vec()),
            FieldValue::Packed(value) => Owned::Packed(value.to_vec()),
            FieldValue::Fields(value) => Owned::Fields(value.to_vec()),
        }
    }
    pub fn value(&self) -> FieldValue<'_> {
        match self {
            Owned::Uint(value) => FieldValue::Uint(*value),
            Owned::Int(value) => FieldValue::Int(*value),
            Owned::Double(value) => FieldValue::Double(*value),
            Owned::Bool(value) => FieldValue::Bool(*value),
            Owned::Bytes(value) => FieldValue::Bytes(value),
            Owned::Message(value) => FieldValue::Message(value),
            Owned::Packed(value) => FieldValue::Packed(value),
            Owned::Fields(value) => FieldValue::Fields(value),
        }
    }
    /// Nothing for what a field without presence has when it is not set.
    pub fn unless_default(self) -> Option<Owned> {
        let default = match &self {
            Owned::Uint(value) => *value == 0,
            Owned::Int(value) => *value == 0,
            Owned::Double(value) => *value == 0.0,
            Owned::Bool(value) => !value,
            Owned::Bytes(value) | Owned::Packed(value) | Owned::Fields(value) => value.is_empty(),
            Owned::Message(_) => false,
        };
        (!default).then_some(self)
    }
}

impl Slot<'_> {
    pub fn get(&self) -> Option<Owned> {
        use prost::Message;
        Some(match self {
            Slot::NotThere | Slot::Missing => return None,
            Slot::U32(value) => Owned::Uint((**value).into()),
            Slot::U64(value) => Owned::Uint(**value),
            Slot::I32(value) => Owned::Int((**value).into()),
            Slot::I64(value) => Owned::Int(**value),
            Slot::Int64s(value) => packed(value.iter().copied()),
            Slot::Indices(value) => packed(value.iter().map(|index| i64::from(*index))),
            Slot::F64(value) => Owned::Double(**value),
            Slot::Bool(value) => Owned::Bool(**value),
            Slot::Text(value) => Owned::Bytes(value.as_bytes().to_vec()),
            Slot::Bytes(value) => Owned::Bytes(value.to_vec()),
            Slot::OptF64(value) => Owned::Double((**value)?),
            Slot::Fixed64s(value) => {
                Owned::Packed(value.iter().flat_map(|n| n.to_le_bytes()).collect())
            }
            Slot::Doubles(value) => {
                Owned::Packed(value.iter().flat_map(|n| n.to_le_bytes()).collect())
            }
            Slot::Varints(value) => {
                let mut out = Vec::new();
                value
                    .iter()
                    .for_each(|n| crate::wire::put_varint(&mut out, *n));
                Owned::Packed(out)
            }
            Slot::Any(value) => Owned::Message(value.as_ref()?.encode_to_vec()),
            Slot::Refs(value) => {
                let mut out = Vec::new();
                value
                    .iter()
                    .for_each(|value| crate::wire::put_bytes(&mut out, 3, &value.encode_to_vec()));
                Owned::Fields(out)
            }
            Slot::NumberInt(value) => match value {
                Some(number_data_point::Value::AsInt(value)) => Owned::Int(*value),
                _ => return None,
            },
            Slot::NumberDouble(value) => match value {
                Some(number_data_point::Value::AsDouble(value)) => Owned::Double(*value),
                _ => return None,
            },
            Slot::ExemplarInt(value) => match value {
                Some(exemplar::Value::AsInt(value)) => Owned::Int(*value),
                _ => return None,
            },
            Slot::ExemplarDouble(value) => match value {
                Some(exemplar::Value::AsDouble(value)) => Owned::Double(*value),
                _ => return None,
            },
        })
    }

    /// Sets it to something random, and says to what.
    pub fn randomise(self, r: &mut generate::Rng) -> Owned {
        let number = if r.one_in(4) {
            0
        } else {
            r.draw() >> r.below(64)
        };
        match self {
            Slot::NotThere | Slot::Missing => panic!("nothing to set"),
            Slot::U32(value) => {
                *value = number as u32;
                return Owned::Uint((number as u32).into());
            }
            Slot::U64(value) => *value = number,
            Slot::I32(value) => {
                *value = number as i32;
                return Owned::Int((number as i32).into());
            }
            Slot::I64(value) => {
                *value = number as i64;
                return Owned::Int(number as i64);
            }
            Slot::Int64s(value) => {
                *value = (0..r.below(4))
                    .map(|_| r.draw() as i64 >> r.below(64))
                    .collect();
                return Slot::Int64s(value).get().unwrap();
            }
            Slot::Indices(value) => {
                *value = (0..r.below(4))
                    .map(|_| r.below(generate::TABLE) as i32)
                    .collect();
                return Slot::Indices(value).get().unwrap();
            }
            Slot::F64(value) => {
                *value = number as f64;
                return Owned::Double(number as f64);
            }
            Slot::Bool(value) => {
                *value = number & 1 == 1;
                return Owned::Bool(number & 1 == 1);
            }
            Slot::Text(value) => {
                *value = generate::text(r);
                return Owned::Bytes(value.clone().into_bytes());
            }
            Slot::Bytes(value) => {
                *value = number.to_le_bytes().to_vec();
                return Owned::Bytes(value.clone());
            }
            Slot::OptF64(value) => {
                *value = Some(number as f64);
                return Owned::Double(number as f64);
            }
            Slot::Fixed64s(value) => {
                *value = (0..r.below(4)).map(|_| r.draw()).collect();
                return Slot::Fixed64s(value).get().unwrap();
            }
            Slot::Doubles(value) => {
                *value = (0..r.below(4)).map(|_| r.below(9) as f64).collect();
                return Slot::Doubles(value).get().unwrap();
            }
            Slot::Varints(value) => {
                *value = (0..r.below(4)).map(|_| r.draw() >> r.below(64)).collect();
                return Slot::Varints(value).get().unwrap();
            }
            Slot::Any(value) => {
                *value = Some(generate::any_value(r, 0));
                return Slot::Any(value).get().unwrap();
            }
            Slot::Refs(value) => {
                *value = (0..r.below(3))
                    .map(|_| EntityRef {
                        r#type: generate::text(r),
                        ..Default::default()
                    })
                    .collect();
                return Slot::Refs(value).get().unwrap();
            }
            Slot::NumberInt(value) => {
                *value = Some(number_data_point::Value::AsInt(number as i64));
                return Owned::Int(number as i64);
            }
            Slot::NumberDouble(value) => {
                *value = Some(number_data_point::Value::AsDouble(number as f64));
                return Owned::Double(number as f64);
            }
            Slot::ExemplarInt(value) => {
                *value = Some(exemplar::Value::AsInt(number as i64));
                return Owned::Int(number as i64);
            }
            Slot::ExemplarDouble(value) => {
                *value = Some(exemplar::Value::AsDouble(number as f64));
                return Owned::Double(number as f64);
            }
        }
        Owned::Uint(number)
    }

    pub fn clear(self) {
        match self {
            Slot::NotThere | Slot::Missing => {}
            Slot::U32(value) => *value = 0,
            Slot::U64(value) => *value = 0,
            Slot::I32(value) => *value = 0,
            Slot::I64(value) => *value = 0,
            Slot::Int64s(value) => value.clear(),
            Slot::Indices(value) => value.clear(),
            Slot::F64(value) => *value = 0.0,
            Slot::Bool(value) => *value = false,
            Slot::Text(value) => value.clear(),
            Slot::Bytes(value) => value.clear(),
            Slot::OptF64(value) => *value = None,
            Slot::Fixed64s(value) | Slot::Varints(value) => value.clear(),
            Slot::Doubles(value) => value.clear(),
            Slot::Any(value) => *value = None,
            Slot::Refs(value) => value.clear(),
            Slot::NumberInt(value) => {
                if matches!(value, Some(number_data_point::Value::AsInt(_))) {
                    *value = None;
                }
            }
            Slot::NumberDouble(value) => {
                if matches!(value, Some(number_data_point::Value::AsDouble(_))) {
                    *value = None;
                }
            }
            Slot::ExemplarInt(value) => {
                if matches!(value, Some(exemplar::Value::AsInt(_))) {
                    *value = None;
                }
            }
            Slot::ExemplarDouble(value) => {
                if matches!(value, Some(exemplar::Value::AsDouble(_))) {
                    *value = None;
                }
            }
        }
    }
}

fn packed(numbers: impl Iterator<Item = i64>) -> Owned {
    let mut out = Vec::new();
    numbers.for_each(|number| crate::wire::put_varint(&mut out, number as u64));
    Owned::Packed(out)
}
