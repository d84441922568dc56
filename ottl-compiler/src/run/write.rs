//! Writes paths. Fields take exactly their type; attributes, bodies and the scratch map take
//! whatever a value of telemetry can be.

use trunkline_proto::{
    Signal,
    batch::{self, AttributeEdit, Field, FieldValue, KeyValue, Level, Selection, Source, When},
    wire::Fields,
};

use super::{
    Row,
    paths::{DEPRECATED_KINDS, KINDS, rows_of, type_fields, unpack_rows},
    read::check_body,
};
use crate::{
    contexts::{Part, Store, Width, Write},
    failure::Failure,
    program::{KeyNode, PathNode},
    types::Type,
    value::{
        Text, Value, entries, index,
        tree::{self, Tree},
    },
};

/// What is wrong with a duration below zero, and with an index of more than 31 bits.
pub(crate) const NEGATIVE_DURATION: &str = "duration_unix_nano must be non-negative";
pub(crate) const INDEX_TOO_LARGE: &str = "exceeded max value";

impl Row<'_> {
    /// Writes a value to a path.
    ///
    /// # Errors
    /// [`Failure::Setter`], [`Failure::SetNil`], [`Failure::NotAssignable`] (the key then exists
    /// and is empty), [`Failure::ReadOnly`], [`Failure::Index`], [`Failure::Batch`].
    pub fn write(&mut self, path: &PathNode, value: &Value) -> Result<(), Failure> {
        let store = path.def.store;
        match path.def.write {
            Write::Never => return Err(Failure::ReadOnly(path.text.to_string())),
            Write::Ignored => return Ok(()),
            Write::Types(_) => {}
        }
        match store {
            Store::Cache => return self.write_cache(path, value),
            Store::Attributes => return self.write_attributes(path, value),
            Store::Body => return self.write_body(path, value),
            Store::TraceState if !path.keys.is_empty() => {
                return self.write_trace_state(path, value);
            }
            Store::Part(part) => return self.write_part(part, path, value),
            Store::Uints(field) => return self.write_uints(field, path, value),
            Store::Ints(field) | Store::Times(field) => {
                return self.write_ints(field, path, value);
            }
            Store::Floats(field) => return self.write_floats(field, path, value),
            _ => {}
        }
        if let Value::Nil = value {
            return Err(Failure::SetNil);
        }
        let (level, row) = self.place(path.context)?;
        let wrong = |wanted| Failure::Setter {
            wanted,
            got: value.type_name(),
        };
        match store {
            Store::Text(field) => {
                let text = text(value)?;
                self.put(level, row, field, Some(FieldValue::Bytes(text)))
            }
            Store::TraceState => {
                let text = text(value)?;
                self.put(level, row, Field::TraceState, Some(FieldValue::Bytes(text)))
            }
            Store::Int(field, width) => {
                let Value::Int(value) = *value else {
                    return Err(wrong("int64"));
                };
                let value = match width {
                    Width::I32 => FieldValue::Int(i64::from(value as i32)),
                    Width::U32 => FieldValue::Uint(u64::from(value as u32)),
                    Width::U32Checked => match u32::try_from(value) {
                        Ok(value) => FieldValue::Uint(value.into()),
                        Err(_) => {
                            return Err(Failure::Function(format!(
                                "{value} is not between 0 and {}",
                                u32::MAX
                            )));
                        }
                    },
                    Width::U64 => FieldValue::Uint(value as u64),
                    Width::I64 => FieldValue::Int(value),
                };
                self.put_typed(path, level, row, field, value)
            }
            Store::UnixNano(field) => match *value {
                Value::Int(nanos) => {
                    self.put(level, row, field, Some(FieldValue::Uint(nanos as u64)))
                }
                _ => Err(wrong("int64")),
            },
            Store::Time(field) => match value {
                Value::Time(time) => {
                    let nanos = time.unix_nanos() as u64;
                    self.put(level, row, field, Some(FieldValue::Uint(nanos)))
                }
                _ => Err(wrong(Type::Time.name())),
            },
            Store::Float(field) => match *value {
                Value::Float(value) => {
                    self.put_typed(path, level, row, field, FieldValue::Double(value))
                }
                _ => Err(wrong("float64")),
            },
            Store::Bool(field) => match *value {
                Value::Bool(value) => {
                    self.put_typed(path, level, row, field, FieldValue::Bool(value))
                }
                _ => Err(wrong("bool")),
            },
            Store::TraceId(field) => match value {
                Value::TraceId(id) => self.put_id(level, row, field, id),
                _ => Err(wrong(Type::TraceId.name())),
            },
            Store::SpanId(field) => match value {
                Value::SpanId(id) => self.put_id(level, row, field, id),
                _ => Err(wrong(Type::SpanId.name())),
            },
            Store::TraceIdText(field) => {
                let id: [u8; 16] = id_of(text(value)?, "trace ids must be 32 hex characters")?;
                self.put_id(level, row, field, &id)
            }
            Store::SpanIdText(field) => {
                let id: [u8; 8] = id_of(text(value)?, "span ids must be 16 hex characters")?;
                self.put_id(level, row, field, &id)
            }
            Store::Nanos(field) => match *value {
                Value::Int(value) => match u64::try_from(value) {
                    Ok(value) => self.put(level, row, field, Some(FieldValue::Uint(value))),
                    Err(_) => Err(Failure::Function(NEGATIVE_DURATION.to_owned())),
                },
                _ => Err(wrong("int64")),
            },
            Store::Index(field) => match *value {
                Value::Int(value) if value < i64::from(i32::MAX) => {
                    let index = FieldValue::Int(i64::from(value as i32));
                    self.put(level, row, field, Some(index))
                }
                Value::Int(_) => Err(Failure::Function(INDEX_TOO_LARGE.to_owned())),
                _ => Err(wrong("int64")),
            },
            Store::ProfileId(field) => match value {
                Value::ProfileId(id) => self.put_profile_id(level, row, field, id),
                _ => Err(wrong(Type::ProfileId.name())),
            },
            Store::ProfileIdText(field) => {
                let id: [u8; 16] = id_of(text(value)?, "profile ids must be 32 hex characters")?;
                self.put_profile_id(level, row, field, &id)
            }
            Store::Bytes(field) => match value {
                Value::Bytes(bytes) => self.put(level, row, field, Some(FieldValue::Bytes(bytes))),
                _ => Err(wrong(Type::Bytes.name())),
            },
            Store::DictionaryText(field) => {
                let index = self.data.intern_string(text(value)?)?;
                let index = FieldValue::Int(index.into());
                self.put(level, row, field, Some(index))
            }
            Store::KindText | Store::KindDeprecatedText => {
                let names = if store == Store::KindText {
                    KINDS
                } else {
                    DEPRECATED_KINDS
                };
                let text = text(value)?;
                let kind = names.iter().position(|name| name.as_bytes() == text);
                match kind {
                    Some(kind) => {
                        let kind = FieldValue::Int(kind as i64);
                        self.put(level, row, Field::Kind, Some(kind))
                    }
                    None => Err(Failure::Function(format!(
                        "unknown span kind {:?}",
                        String::from_utf8_lossy(text)
                    ))),
                }
            }
            Store::BodyText => {
                let mut any = Vec::new();
                batch::Value::String(text(value)?).write(&mut any);
                self.put(level, row, Field::Body, Some(FieldValue::Message(&any)))
            }
            _ => Err(Failure::ReadOnly(path.text.to_string())),
        }
    }

    pub(super) fn put(
        &mut self,
        level: Level,
        row: u32,
        field: Field,
        value: Option<FieldValue<'_>>,
    ) -> Result<(), Failure> {
        Ok(self.data.set_field(level, row, field, value)?)
    }

    /// A field that only metrics or points of some types have: of a metric, others let it pass;
    /// of a point, it is an error.
    pub(super) fn put_typed(
        &mut self,
        path: &PathNode,
        level: Level,
        row: u32,
        field: Field,
        value: FieldValue<'_>,
    ) -> Result<(), Failure> {
        match self.data.set_field(level, row, field, Some(value)) {
            Err(batch::Error::NotApplicable(_)) if level == Level::Item => Ok(()),
            Err(batch::Error::NotApplicable(_)) => Err(not_of_this_type(path)),
            result => Ok(result?),
        }
    }

    /// An id that is all zero is none.
    fn put_id(&mut self, level: Level, row: u32, field: Field, id: &[u8]) -> Result<(), Failure> {
        let value = id
            .iter()
            .any(|byte| *byte != 0)
            .then_some(FieldValue::Bytes(id));
        self.put(level, row, field, value)
    }

    fn put_profile_id(
        &mut self,
        level: Level,
        row: u32,
        field: Field,
        id: &[u8; 16],
    ) -> Result<(), Failure> {
        if *id == [0; 16] {
            let text = "profile ids must not be empty".to_owned();
            return Err(Failure::Function(text));
        }
        self.put(level, row, field, Some(FieldValue::Bytes(id)))
    }

    fn write_attributes(&mut self, path: &PathNode, value: &Value) -> Result<(), Failure> {
        let (level, row) = self.place(path.context)?;
        let keys = self.keys(path);
        match keys.split_first() {
            None => {
                let any = whole_map(value)?;
                self.put_attributes(level, row, &any)
            }
            Some((index::Key::Text(key), [])) => {
                let mut any = Vec::new();
                let result = value.encode(&mut any);
                if result.is_err() && self.is_interned(level) {
                    return result;
                }
                // What cannot be assigned leaves what there is, or an empty new one.
                let nothing = result.is_err() && !matches!(value, Value::List(_));
                if !nothing || self.data.attribute(level, row, key)?.is_none() {
                    self.put_attribute(level, row, key, &any)?;
                }
                result
            }
            Some((index::Key::Text(key), rest)) => {
                let mut tree = match self.data.attribute(level, row, key)? {
                    Some(batch::Value::Map(any) | batch::Value::List(any)) => Tree::decode(any)?,
                    Some(value) => {
                        let mut any = Vec::new();
                        value.write(&mut any);
                        Tree::decode(&any)?
                    }
                    None => Tree::Empty,
                };
                let (value, result) = tree::assigned(value);
                if result.is_err() && self.is_interned(level) {
                    return result;
                }
                let wrote = index::write(&mut tree, rest, value);
                if wrote.is_err() && self.is_interned(level) {
                    return wrote;
                }
                let mut any = Vec::new();
                tree.encode(&mut any);
                self.put_attribute(level, row, key, &any)?;
                wrote.and(result)
            }
            Some((wrong, _)) => index::attribute(wrong).map(|_| ()),
        }
    }

    /// Whether attributes of a level are kept in a dictionary: there what cannot be assigned
    /// changes nothing.
    fn is_interned(&self, level: Level) -> bool {
        self.data.signal() == Signal::Profiles && matches!(level, Level::Item | Level::Sample)
    }

    fn put_attribute(
        &mut self,
        level: Level,
        row: u32,
        key: &[u8],
        any: &[u8],
    ) -> Result<(), Failure> {
        let edit = AttributeEdit::Set {
            key,
            value: Source::Value(batch::Value::read(any)?),
            when: When::Always,
        };
        Ok(self
            .data
            .edit_attributes(level, Selection::Rows(&[row]), &[edit])?)
    }

    /// Replaces the attributes of a row by the entries of an encoded map.
    pub(super) fn put_attributes(
        &mut self,
        level: Level,
        row: u32,
        any: &[u8],
    ) -> Result<(), Failure> {
        let entries = entries(any)?;
        let mut attributes = Vec::with_capacity(entries.len());
        for (key, value) in &entries {
            attributes.push((*key, batch::Value::read(value)?));
        }
        Ok(self.data.set_attributes(level, row, &attributes)?)
    }

    /// Removes an attribute of a row.
    pub(super) fn remove_attribute(
        &mut self,
        level: Level,
        row: u32,
        key: &[u8],
    ) -> Result<(), Failure> {
        let edit = AttributeEdit::Remove { key };
        Ok(self
            .data
            .edit_attributes(level, Selection::Rows(&[row]), &[edit])?)
    }

    fn write_body(&mut self, path: &PathNode, value: &Value) -> Result<(), Failure> {
        let (level, row) = self.place(path.context)?;
        let keys = self.keys(path);
        let mut any = Vec::new();
        let result = if keys.is_empty() {
            let result = value.encode(&mut any);
            if result.is_err() && !matches!(value, Value::List(_)) {
                return result;
            }
            result
        } else {
            let body = match self.data.field(level, row, Field::Body)? {
                Some(FieldValue::Message(any)) => any,
                _ => &[],
            };
            check_body(body)?;
            let mut tree = Tree::decode(body)?;
            let (value, result) = tree::assigned(value);
            let wrote = index::write(&mut tree, &keys, value);
            tree.encode(&mut any);
            wrote.and(result)
        };
        self.put(level, row, Field::Body, Some(FieldValue::Message(&any)))?;
        result
    }

    fn write_cache(&mut self, path: &PathNode, value: &Value) -> Result<(), Failure> {
        let keys = self.keys(path);
        if keys.is_empty() {
            *self.cache = whole_map(value)?;
            return Ok(());
        }
        let mut tree = Tree::decode(self.cached())?;
        let (value, result) = tree::assigned(value);
        let wrote = index::write(&mut tree, &keys, value);
        self.cache.clear();
        tree.encode(self.cache);
        wrote.and(result)
    }

    fn write_trace_state(&mut self, path: &PathNode, value: &Value) -> Result<(), Failure> {
        let (level, row) = self.place(path.context)?;
        let (Some(KeyNode::Const(index::Key::Text(key))), value) =
            (path.keys.first(), text(value)?)
        else {
            let text = "trace_state indexing type must be a string";
            return Err(Failure::Index(text.to_owned()));
        };
        let state = match self.data.field(level, row, Field::TraceState)? {
            Some(FieldValue::Bytes(text)) => text.to_vec(),
            _ => Vec::new(),
        };
        // What cannot be read or would not be valid is left as it is.
        let Some(members) = trace_state(&state) else {
            return Ok(());
        };
        if !is_member(key, value)
            || members.len() >= 32 && !members.iter().any(|(name, _)| *name == &**key)
        {
            return Ok(());
        }
        let mut out = [key, &b"="[..], value].concat();
        for (name, value) in members.iter().filter(|(name, _)| *name != &**key) {
            out.extend_from_slice(&[b",", *name, b"=", *value].concat());
        }
        self.put(level, row, Field::TraceState, Some(FieldValue::Bytes(&out)))
    }

    fn write_part(&mut self, part: Part, path: &PathNode, value: &Value) -> Result<(), Failure> {
        let (level, row) = self.place(path.context)?;
        if !self.has_part(part, level, row)? {
            return Err(not_of_this_type(path));
        }
        let bytes = match value {
            Value::Part(of, bytes) if *of == part || both_types(*of, part) => bytes.as_slice(),
            Value::Nil if rows_of(part).is_some() => &[],
            Value::Nil => return Err(Failure::SetNil),
            other => {
                return Err(Failure::Setter {
                    wanted: Type::Opaque.name(),
                    got: other.type_name(),
                });
            }
        };
        if let Some(below) = rows_of(part) {
            let old = self.data.children(below, row)?;
            for source in unpack_rows(bytes) {
                self.data.copy_row(below, source, row)?;
            }
            for row in old {
                self.data.drop_row(below, row)?;
            }
            return Ok(());
        }
        let (offset, counts) = match part {
            Part::Status => {
                let (mut code, mut message) = (0, &[][..]);
                for field in Fields::all(bytes) {
                    let field = field?;
                    match field.number {
                        2 => message = field.bytes(bytes),
                        3 => code = field.uint(bytes) as i64,
                        _ => {}
                    }
                }
                self.put(
                    level,
                    row,
                    Field::StatusMessage,
                    Some(FieldValue::Bytes(message)),
                )?;
                return self.put(level, row, Field::StatusCode, Some(FieldValue::Int(code)));
            }
            Part::SampleType | Part::PeriodType => {
                let (indices, _) = bytes.as_chunks::<4>();
                for (field, index) in type_fields(part).into_iter().zip(indices) {
                    let index = FieldValue::Int(i32::from_le_bytes(*index).into());
                    self.put(level, row, field, Some(index))?;
                }
                return Ok(());
            }
            Part::Positive => (Field::PositiveOffset, Field::PositiveBucketCounts),
            _ => (Field::NegativeOffset, Field::NegativeBucketCounts),
        };
        let Some((head, rest)) = bytes.split_first_chunk::<4>() else {
            return Ok(());
        };
        let value = FieldValue::Int(i32::from_le_bytes(*head).into());
        self.put_typed(path, level, row, offset, value)?;
        self.put_typed(path, level, row, counts, FieldValue::Packed(rest))
    }
}

/// Whether both parts say of what type values are, so that one can be set to the other.
fn both_types(a: Part, b: Part) -> bool {
    let is = |part| matches!(part, Part::SampleType | Part::PeriodType);
    is(a) && is(b)
}

fn text(value: &Value) -> Result<&[u8], Failure> {
    match value {
        Value::String(text) => Ok(text),
        Value::Nil => Err(Failure::SetNil),
        other => Err(Failure::Setter {
            wanted: "string",
            got: other.type_name(),
        }),
    }
}

/// An id from its hex digits, of which there must be exactly enough.
fn id_of<const N: usize>(text: &[u8], wanted: &str) -> Result<[u8; N], Failure> {
    let mut id = [0; N];
    match hex::decode_to_slice(text, &mut id) {
        Ok(()) => Ok(id),
        Err(_) => Err(Failure::Function(wanted.to_owned())),
    }
}

/// The encoded map that replaces a whole one; nil empties it.
pub(crate) fn whole_map(value: &Value) -> Result<Vec<u8>, Failure> {
    match value {
        Value::Map(any) => Ok(any.to_vec()),
        Value::RawMap(_) => {
            let mut any = Vec::new();
            value.encode(&mut any)?;
            Ok(any)
        }
        Value::Nil => Ok(Vec::new()),
        other => Err(Failure::Setter {
            wanted: Type::Map.name(),
            got: other.type_name(),
        }),
    }
}

/// The members of a W3C trace state; `None` if it is not one.
pub(super) fn trace_state(text: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut members = Vec::new();
    for member in text.split(|byte| *byte == b',') {
        let member = member.trim_ascii();
        if member.is_empty() {
            continue;
        }
        let equals = member.iter().position(|byte| *byte == b'=')?;
        let (key, value) = (member.get(..equals)?, member.get(equals + 1..)?);
        if !is_member(key, value) || members.iter().any(|(known, _)| *known == key) {
            return None;
        }
        members.push((key, value));
    }
    (members.len() <= 32).then_some(members)
}

/// W3C Trace Context, section 3.3.1.3: what keys and values may consist of.
fn is_member(key: &[u8], value: &[u8]) -> bool {
    let letter = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let rest = |b: &u8| letter(b) || matches!(b, b'_' | b'-' | b'*' | b'/');
    let simple = |key: &[u8], most: usize, first: fn(&u8) -> bool| match key.split_first() {
        Some((head, tail)) => key.len() <= most && first(head) && tail.iter().all(rest),
        None => false,
    };
    let key = match key.iter().position(|byte| *byte == b'@') {
        Some(at) => {
            let (tenant, system) = key.split_at(at);
            let system = system.get(1..).unwrap_or_default();
            simple(tenant, 241, |b| {
                b.is_ascii_lowercase() || b.is_ascii_digit()
            }) && simple(system, 14, u8::is_ascii_lowercase)
        }
        None => simple(key, 256, u8::is_ascii_lowercase),
    };
    let value_ok = value.len() <= 256
        && value.last().is_some_and(|last| *last != b' ')
        && value
            .iter()
            .all(|b| matches!(b, 0x20..=0x7e) && !matches!(b, b',' | b'='));
    key && value_ok
}

/// Entries of a map as they are encoded.
pub(crate) fn owned_entries(any: &[u8]) -> Result<Vec<(Text, Vec<u8>)>, Failure> {
    let mut out = Vec::new();
    for entry in batch::Value::Map(any).map() {
        let pair = KeyValue::read(entry)?;
        let value = match pair.split {
            true => KeyValue::merged_value(entry)?,
            false => pair.value.unwrap_or_default().to_vec(),
        };
        out.push((Text::from_slice(pair.key), value));
    }
    Ok(out)
}

fn not_of_this_type(path: &PathNode) -> Failure {
    Failure::Function(format!(
        "{} cannot be set on a data point of this type",
        path.text
    ))
}
