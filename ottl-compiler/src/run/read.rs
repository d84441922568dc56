//! Reads paths. What is not set is the type's zero, as in pdata; what the metric or point does
//! not have is nil.

use trunkline_proto::{
    batch::{self, Field, FieldValue, Level},
    wire::{put_bytes, put_uint},
};

use super::{
    Row,
    paths::{
        DEPRECATED_KINDS, KINDS, applicable, pack_rows, rows_of, type_fields, type_number,
        unpack_fixed, unpack_varints,
    },
};
use crate::{
    contexts::{Part, RequestPart, Store},
    failure::Failure,
    go::{text, time::Time},
    program::{KeyNode, PathNode},
    value::{Text, Typed, Value, encode_map, index},
};

impl Row<'_> {
    /// What a path holds.
    ///
    /// # Errors
    /// [`Failure::Index`] for keys that do not fit, [`Failure::Batch`] for data that is not
    /// valid.
    pub fn read(&mut self, path: &PathNode) -> Result<Value, Failure> {
        let store = path.def.store;
        match store {
            Store::Cache => {
                let keys = self.keys(path);
                if keys.is_empty() {
                    return Ok(Value::Map(Text::from_slice(self.cached())));
                }
                return index::path(Some(self.cached()), &keys);
            }
            Store::Request(part) => return self.request_part(part, path),
            Store::Attributes => return self.read_attributes(path),
            Store::Body => return self.read_body(path),
            Store::TraceState if !path.keys.is_empty() => return self.read_trace_state(path),
            Store::EventIndex => {
                let text = "no 'event_index' property has been set";
                return Err(Failure::Function(text.to_owned()));
            }
            _ => {}
        }
        let (level, row) = self.place(path.context)?;
        Ok(match store {
            Store::Text(field) => self
                .text(level, row, field)?
                .map_or(Value::Nil, Value::String),
            Store::TraceState => Value::String(
                self.text(level, row, Field::TraceState)?
                    .unwrap_or_default(),
            ),
            Store::Int(field, _)
            | Store::UnixNano(field)
            | Store::Nanos(field)
            | Store::Index(field) => self.int(level, row, field)?.map_or(Value::Nil, Value::Int),
            Store::Time(field) => match self.int(level, row, field)? {
                Some(nanos) => Value::Time(Time::from_nanos(nanos)),
                None => Value::Nil,
            },
            Store::Float(field) => match applicable(self.data.field(level, row, field))? {
                Some(Some(FieldValue::Double(value))) => Value::Float(value),
                Some(_) => Value::Float(0.0),
                None => Value::Nil,
            },
            Store::Bool(field) => match applicable(self.data.field(level, row, field))? {
                Some(Some(FieldValue::Bool(value))) => Value::Bool(value),
                Some(_) => Value::Bool(false),
                None => Value::Nil,
            },
            Store::TraceId(field) => Value::TraceId(self.id(level, row, field)?),
            Store::SpanId(field) => Value::SpanId(self.id(level, row, field)?),
            Store::TraceIdText(field) => {
                Value::text(hex::encode(self.id::<16>(level, row, field)?))
            }
            Store::SpanIdText(field) => Value::text(hex::encode(self.id::<8>(level, row, field)?)),
            Store::KindText | Store::KindDeprecatedText => {
                let names = if store == Store::KindText {
                    KINDS
                } else {
                    DEPRECATED_KINDS
                };
                let kind = self.int(level, row, Field::Kind)?.unwrap_or(0);
                let kind = usize::try_from(kind).ok();
                Value::text(
                    kind.and_then(|kind| names.get(kind))
                        .copied()
                        .unwrap_or_default(),
                )
            }
            Store::BodyText => {
                let mut out = Vec::new();
                if let Some(FieldValue::Message(any)) = self.data.field(level, row, Field::Body)? {
                    text::as_text(&batch::Value::read(any)?, &mut out);
                }
                Value::text(out)
            }
            Store::MetricType => Value::Int(type_number(self.data.metric_type(row)?)),
            Store::Uints(field) => match applicable(self.data.field(level, row, field))? {
                Some(Some(FieldValue::Packed(bytes))) => Value::Typed(Typed::Uints(match field {
                    Field::BucketCounts => unpack_fixed(bytes),
                    _ => unpack_varints(bytes),
                })),
                Some(_) => Value::Typed(Typed::Uints(Vec::new())),
                None => Value::Nil,
            },
            Store::Floats(field) => match applicable(self.data.field(level, row, field))? {
                Some(Some(FieldValue::Packed(bytes))) => {
                    let values = unpack_fixed(bytes).into_iter().map(f64::from_bits);
                    Value::Typed(Typed::Floats(values.collect()))
                }
                Some(_) => Value::Typed(Typed::Floats(Vec::new())),
                None => Value::Nil,
            },
            Store::Ints(field) => match self.data.field(level, row, field)? {
                Some(FieldValue::Packed(bytes)) => Value::Typed(Typed::Ints(ints(field, bytes))),
                _ => Value::Typed(Typed::Ints(Vec::new())),
            },
            Store::Times(field) => match self.data.field(level, row, field)? {
                Some(FieldValue::Packed(bytes)) => {
                    let times = ints(field, bytes).into_iter().map(Time::from_nanos);
                    Value::Typed(Typed::Times(times.collect()))
                }
                _ => Value::Typed(Typed::Times(Vec::new())),
            },
            Store::Bytes(field) => Value::Bytes(self.text(level, row, field)?.unwrap_or_default()),
            Store::ProfileId(field) => Value::ProfileId(self.id(level, row, field)?),
            Store::ProfileIdText(field) => {
                Value::text(hex::encode(self.id::<16>(level, row, field)?))
            }
            Store::DictionaryText(field) => {
                let index = self.int(level, row, field)?.unwrap_or(0) as i32;
                match self.data.dictionary_string(index) {
                    Err(batch::Error::Index { .. }) => {
                        return Err(Failure::Function(format!(
                            "path {:?} with strindex {index} is out of range",
                            path.text
                        )));
                    }
                    text => Value::text(text?),
                }
            }
            Store::Part(part) => self.read_part(part, level, row)?,
            Store::Attributes
            | Store::Body
            | Store::Cache
            | Store::Request(_)
            | Store::EventIndex => Value::Nil,
        })
    }

    /// The scratch map, encoded.
    pub(super) fn cached(&self) -> &[u8] {
        // An empty map is its member without entries.
        if self.cache.is_empty() {
            &[0x32, 0x00]
        } else {
            self.cache
        }
    }

    fn text(&mut self, level: Level, row: u32, field: Field) -> Result<Option<Text>, Failure> {
        Ok(match applicable(self.data.field(level, row, field))? {
            Some(Some(FieldValue::Bytes(text))) => Some(Text::from_slice(text)),
            Some(_) => Some(Text::new()),
            None => None,
        })
    }

    /// A number of any width; without sign, it wraps.
    fn int(&mut self, level: Level, row: u32, field: Field) -> Result<Option<i64>, Failure> {
        Ok(match applicable(self.data.field(level, row, field))? {
            Some(Some(FieldValue::Int(value))) => Some(value),
            Some(Some(FieldValue::Uint(value))) => Some(value as i64),
            Some(_) => Some(0),
            None => None,
        })
    }

    /// An id; one that is not set, or of another length, is all zero.
    fn id<const N: usize>(
        &mut self,
        level: Level,
        row: u32,
        field: Field,
    ) -> Result<[u8; N], Failure> {
        Ok(match self.data.field(level, row, field)? {
            Some(FieldValue::Bytes(id)) => id.try_into().unwrap_or([0; N]),
            _ => [0; N],
        })
    }

    fn read_attributes(&mut self, path: &PathNode) -> Result<Value, Failure> {
        let (level, row) = self.place(path.context)?;
        let keys = self.keys(path);
        match keys.split_first() {
            None => self
                .all_attributes(level, row)
                .map(|any| Value::Map(Text::from_vec(any))),
            Some((first, rest)) => {
                match self.data.attribute(level, row, index::attribute(first)?)? {
                    Some(value) if rest.is_empty() => Ok(Value::from_any(value)),
                    Some(batch::Value::Map(any) | batch::Value::List(any)) => {
                        index::path(Some(any), rest)
                    }
                    Some(value) => {
                        let mut any = Vec::new();
                        value.write(&mut any);
                        index::path(Some(&any), rest)
                    }
                    None => Ok(Value::Nil),
                }
            }
        }
    }

    /// The attributes of a row as an encoded map.
    pub(super) fn all_attributes(&mut self, level: Level, row: u32) -> Result<Vec<u8>, Failure> {
        let attributes = self.data.attributes(level, row)?;
        let entries = attributes
            .iter()
            .map(|entry| (entry.key, entry.value.unwrap_or_default()));
        Ok(encode_map(entries))
    }

    fn read_body(&mut self, path: &PathNode) -> Result<Value, Failure> {
        let (level, row) = self.place(path.context)?;
        let keys = self.keys(path);
        let body = match self.data.field(level, row, Field::Body)? {
            Some(FieldValue::Message(any)) => any,
            _ => &[],
        };
        if !keys.is_empty() {
            check_body(body)?;
        }
        index::path(Some(body), &keys)
    }

    fn read_trace_state(&mut self, path: &PathNode) -> Result<Value, Failure> {
        let (level, row) = self.place(path.context)?;
        let state = self
            .text(level, row, Field::TraceState)?
            .unwrap_or_default();
        let Some(KeyNode::Const(index::Key::Text(key))) = path.keys.first() else {
            let text = "trace_state indexing type must be a string";
            return Err(Failure::Index(text.to_owned()));
        };
        let Some(members) = super::write::trace_state(&state) else {
            return Ok(Value::Nil);
        };
        let found = members.into_iter().find(|(name, _)| *name == &**key);
        Ok(Value::text(found.map_or(&b""[..], |(_, value)| value)))
    }

    /// Whether such a row can have these rows: summaries have no exemplars, and nothing else has
    /// quantiles.
    pub(super) fn has_part(&mut self, part: Part, level: Level, row: u32) -> Result<bool, Failure> {
        let wanted = match part {
            Part::Exemplars => false,
            Part::QuantileValues => true,
            _ => return Ok(true),
        };
        let summary = self.has(level, row, Field::Count)?
            && !self.has(level, row, Field::Scale)?
            && !self.has(level, row, Field::BucketCounts)?;
        Ok(summary == wanted)
    }

    fn read_part(&mut self, part: Part, level: Level, row: u32) -> Result<Value, Failure> {
        if part == Part::DataPoints && self.data.metric_type(row)?.is_none() {
            return Ok(Value::Nil);
        }
        if let Some(below) = rows_of(part) {
            if !self.has_part(part, level, row)? {
                return Ok(Value::Nil);
            }
            let rows = self.data.children(below, row)?;
            return Ok(Value::Part(part, pack_rows(&rows)));
        }
        let mut out = Vec::new();
        let (offset, counts) = match part {
            Part::Status => {
                let message = self
                    .text(level, row, Field::StatusMessage)?
                    .unwrap_or_default();
                let code = self.int(level, row, Field::StatusCode)?.unwrap_or(0);
                if !message.is_empty() {
                    put_bytes(&mut out, 2, &message);
                }
                if code != 0 {
                    put_uint(&mut out, 3, code as u64);
                }
                return Ok(Value::Part(part, out));
            }
            Part::SampleType | Part::PeriodType => {
                for field in type_fields(part) {
                    let index = self.int(level, row, field)?.unwrap_or(0) as i32;
                    out.extend_from_slice(&index.to_le_bytes());
                }
                return Ok(Value::Part(part, out));
            }
            Part::Positive => (Field::PositiveOffset, Field::PositiveBucketCounts),
            _ => (Field::NegativeOffset, Field::NegativeBucketCounts),
        };
        let Some(offset) = self.int(level, row, offset)? else {
            return Ok(Value::Nil);
        };
        out.extend_from_slice(&(offset as i32).to_le_bytes());
        if let Some(FieldValue::Packed(bytes)) = self.data.field(level, row, counts)? {
            out.extend_from_slice(bytes);
        }
        Ok(Value::Part(part, out))
    }

    fn has(&mut self, level: Level, row: u32, field: Field) -> Result<bool, Failure> {
        Ok(applicable(self.data.field(level, row, field))?.is_some())
    }

    fn request_part(&mut self, part: RequestPart, path: &PathNode) -> Result<Value, Failure> {
        let lists = |entries: &[(String, Vec<String>)]| {
            let entries = entries.iter().map(|(key, values)| {
                let values = values.iter().map(Value::text).collect();
                (Text::from_slice(key.as_bytes()), Value::List(values))
            });
            Value::RawMap(entries.collect())
        };
        let value = match part {
            RequestPart::Address => match &self.request.address {
                Some(address) => Value::text(address),
                None => Value::Nil,
            },
            RequestPart::Metadata => lists(&self.request.metadata),
            RequestPart::Grpc => lists(&self.request.grpc),
            RequestPart::Auth => {
                let entries = self.request.auth.iter();
                let entries = entries.map(|(k, v)| (Text::from_slice(k.as_bytes()), v.clone()));
                Value::RawMap(entries.collect())
            }
        };
        let mut any = Vec::new();
        value.encode(&mut any)?;
        let keys = self.keys(path);
        index::path(Some(&any), &keys)
    }
}

/// The numbers of a packed list.
fn ints(field: Field, bytes: &[u8]) -> Vec<i64> {
    let values = match field {
        Field::Timestamps => unpack_fixed(bytes),
        _ => unpack_varints(bytes),
    };
    let narrow = field == Field::AttributeIndices;
    let values = values.into_iter().map(|value| match narrow {
        true => i64::from(value as i32),
        false => value as i64,
    });
    values.collect()
}

/// Only a body that is a map or a list takes keys.
pub(crate) fn check_body(any: &[u8]) -> Result<(), Failure> {
    let name = match batch::Value::read(any)? {
        batch::Value::Map(_) | batch::Value::List(_) => return Ok(()),
        batch::Value::Empty | batch::Value::StringIndex(_) => "Empty",
        batch::Value::String(_) => "Str",
        batch::Value::Bool(_) => "Bool",
        batch::Value::Int(_) => "Int",
        batch::Value::Double(_) => "Double",
        batch::Value::Bytes(_) => "Bytes",
    };
    let text = format!("log bodies of type {name} cannot be indexed");
    Err(Failure::Index(text))
}
