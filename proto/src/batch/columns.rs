//! Columns over the rows of a level, as Arrow arrays. Strings and bytes are views whose buffer
//! is the payload itself; only what edits made is copied, into a second buffer.

use arrow_array::{BinaryViewArray, BooleanArray, Float64Array, Int64Array, UInt32Array};
use arrow_buffer::{Buffer, NullBufferBuilder, ScalarBuffer};
use arrow_data::ByteView;
use std::collections::HashMap;

use super::{
    Data, Error, Level,
    attributes::find_first,
    data::ARENA,
    pieces::Piece,
    scan::Scanner,
    value::{KeyValue, Value},
};

/// Builds an array of views; the first buffer is the payload.
pub(crate) struct Views {
    views: Vec<u128>,
    nulls: NullBufferBuilder,
    made: Vec<u8>,
}

impl Views {
    pub fn new(rows: usize) -> Views {
        Views {
            views: Vec::with_capacity(rows),
            nulls: NullBufferBuilder::new(rows),
            made: Vec::new(),
        }
    }

    /// The next value, which lies at this address.
    #[inline]
    pub fn push(&mut self, data: &Data, start: u32, end: u32) {
        let bytes = data.bytes(start, end);
        self.nulls.append_non_null();
        let (buffer, offset) = if start & ARENA == 0 || bytes.len() <= 12 {
            (0, start & !ARENA)
        } else {
            let offset = self.made.len() as u32;
            self.made.extend_from_slice(bytes);
            (1, offset)
        };
        self.views.push(view(bytes, buffer, offset));
    }

    #[inline]
    pub fn push_null(&mut self) {
        self.nulls.append_null();
        self.views.push(0);
    }

    pub fn finish(mut self, data: &Data) -> BinaryViewArray {
        let payload = Buffer::from(data.payload.clone());
        let buffers = [payload, Buffer::from_vec(self.made)];
        // Every view is made by `view` from bytes that lie where it says, so this cannot
        // fail; if it did, the column would be empty rather than wrong.
        BinaryViewArray::try_new(
            ScalarBuffer::from(self.views),
            buffers.into_iter().collect::<Vec<_>>(),
            self.nulls.finish(),
        )
        .unwrap_or_else(|_| BinaryViewArray::new_null(0))
    }
}

/// An Arrow view: short values inline, others by prefix, buffer and offset.
#[inline]
fn view(bytes: &[u8], buffer: u32, offset: u32) -> u128 {
    let len = bytes.len() as u32;
    if len <= 12 {
        let mut view = [0u8; 16];
        view[..4].copy_from_slice(&len.to_le_bytes());
        if let Some(slot) = view.get_mut(4..4 + bytes.len()) {
            slot.copy_from_slice(bytes);
        }
        return u128::from_le_bytes(view);
    }
    let prefix = bytes
        .get(..4)
        .and_then(|prefix| prefix.try_into().ok())
        .unwrap_or([0; 4]);
    ByteView {
        length: len,
        prefix: u32::from_le_bytes(prefix),
        buffer_index: buffer,
        offset,
    }
    .into()
}

/// One attribute over all rows of a level: a type and a value a row. Rows that do not have
/// it, and rows that are not in the request, have no type.
#[derive(Clone, Debug)]
pub struct AttributeColumn {
    /// Type by row, [`AttributeColumn::ABSENT`] without one.
    types: Vec<u8>,
    /// Addresses of the encoded values.
    spans: Vec<(u32, u32)>,
}

impl AttributeColumn {
    /// What stands for the type of a row that does not have the attribute.
    pub const ABSENT: u8 = u8::MAX;

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// The types, a [`ValueType`](super::ValueType) or [`AttributeColumn::ABSENT`] a row.
    pub fn types(&self) -> &[u8] {
        &self.types
    }

    /// A row's value. Only for the [`Data`] it was read from, before the next change.
    #[inline]
    pub fn value<'a>(&self, data: &'a Data, row: u32) -> Option<Value<'a>> {
        let (start, end) = *self.spans.get(row as usize)?;
        if self.types.get(row as usize) == Some(&Self::ABSENT) {
            return None;
        }
        Value::read(data.bytes(start, end)).ok()
    }

    /// The values that are strings; other rows are null.
    pub fn strings(&self, data: &Data) -> BinaryViewArray {
        self.views(data, |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    /// The values that are bytes; other rows are null.
    pub fn bytes(&self, data: &Data) -> BinaryViewArray {
        self.views(data, |value| match value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        })
    }

    /// The values that are lists or maps, as encoded `AnyValue`s; other rows are null.
    pub fn nested(&self, data: &Data) -> BinaryViewArray {
        self.views(data, |value| match value {
            Value::List(value) | Value::Map(value) => Some(value),
            _ => None,
        })
    }

    /// The values that are integers; other rows are null.
    pub fn ints(&self, data: &Data) -> Int64Array {
        (0..self.len() as u32)
            .map(|row| match self.value(data, row) {
                Some(Value::Int(value)) => Some(value),
                _ => None,
            })
            .collect()
    }

    /// The values that are doubles; other rows are null.
    pub fn doubles(&self, data: &Data) -> Float64Array {
        (0..self.len() as u32)
            .map(|row| match self.value(data, row) {
                Some(Value::Double(value)) => Some(value),
                _ => None,
            })
            .collect()
    }

    /// The values that are booleans; other rows are null.
    pub fn bools(&self, data: &Data) -> BooleanArray {
        (0..self.len() as u32)
            .map(|row| match self.value(data, row) {
                Some(Value::Bool(value)) => Some(value),
                _ => None,
            })
            .collect()
    }

    fn views<'a>(
        &self,
        data: &'a Data,
        pick: impl Fn(Value<'a>) -> Option<&'a [u8]>,
    ) -> BinaryViewArray {
        let mut views = Views::new(self.len());
        for (row, (start, end)) in self.spans.iter().enumerate() {
            match self.value(data, row as u32).and_then(&pick) {
                Some(bytes) => {
                    let whole = data.bytes(*start, *end);
                    let offset =
                        (bytes.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize) as u32;
                    views.push(data, start + offset, start + offset + bytes.len() as u32);
                }
                None => views.push_null(),
            }
        }
        views.finish(data)
    }
}

/// All attributes of a level as one table, in the order of the rows and within a row.
#[derive(Clone, Debug)]
pub struct AttributeTable {
    /// The row that has the attribute.
    pub owner: UInt32Array,
    /// Index of its key in `dictionary`.
    pub key: UInt32Array,
    /// The keys, each once.
    pub dictionary: BinaryViewArray,
    /// The [`ValueType`](super::ValueType) of each.
    pub types: Vec<u8>,
    /// The encoded `AnyValue` of each.
    pub value: BinaryViewArray,
}

impl Data {
    /// One attribute over all rows of a level.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] for a level without attributes, [`Error::Decode`] when an
    /// entity is not valid.
    pub fn attribute_column(&mut self, level: Level, key: &[u8]) -> Result<AttributeColumn, Error> {
        self.load(level)?;
        let rows = self.level(level).len();
        let mut column = AttributeColumn {
            types: vec![AttributeColumn::ABSENT; rows],
            spans: vec![(0, 0); rows],
        };
        let plain = level
            .attributes(self.signal, None)
            .filter(|(sub, _)| sub.is_none());
        let mut scanner = Scanner::new();
        scanner.add(key);
        let mut hits = Vec::new();
        for row in 0..rows as u32 {
            let at = row as usize;
            if !self.is_live(level, row) {
                continue;
            }
            let found = match plain {
                // Where the attributes are is the same for all rows.
                Some((_, number)) => {
                    let mut own = [Piece::Run { start: 0, end: 0 }];
                    let pieces = self.pieces_of(level, row, &mut own);
                    let (payload, arena, hits) = (&self.payload, &self.arena, &mut hits);
                    match find_first(payload, arena, pieces, number, &scanner, hits)? {
                        Some((start, end)) => {
                            let bytes = self.bytes(start, end);
                            let entry = KeyValue::read(bytes)?;
                            match entry.value {
                                Some(value) if !entry.split => {
                                    let start = start
                                        + (value.as_ptr() as usize - bytes.as_ptr() as usize)
                                            as u32;
                                    Some((start, start + value.len() as u32))
                                }
                                _ => self.find_value(level, row, key)?,
                            }
                        }
                        None => None,
                    }
                }
                None => self.find_value(level, row, key)?,
            };
            if let Some((start, end)) = found
                && let (Some(types), Some(spans)) =
                    (column.types.get_mut(at), column.spans.get_mut(at))
            {
                let bytes = super::pieces::bytes_at(&self.payload, &self.arena, start, end);
                *types = Value::read(bytes)?.value_type() as u8;
                *spans = (start, end);
            }
        }
        Ok(column)
    }

    /// All attributes of the rows of a level that are in the request.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] for a level without attributes, [`Error::Decode`] when an
    /// entity is not valid.
    pub fn attribute_table(&mut self, level: Level) -> Result<AttributeTable, Error> {
        let rows = self.rows(level)?;
        let guess = rows.len() * 8;
        let (mut owner, mut key, mut types) = (
            Vec::with_capacity(guess),
            Vec::with_capacity(guess),
            Vec::with_capacity(guess),
        );
        let (mut values, mut dictionary) = (Views::new(guess), Views::new(16));
        let mut known: HashMap<Vec<u8>, u32> = HashMap::new();
        // Keys come in the same order from entity to entity: by position, the key that was
        // there last, where it lies and its index.
        let mut last: Vec<(u32, u32, u32)> = Vec::new();
        let mut entries: Vec<(u32, u32)> = Vec::new();
        for row in rows {
            entries.clear();
            self.for_attributes(level, row, |field| entries.push((field.start, field.end)))?;
            for (position, (start, end)) in entries.iter().copied().enumerate() {
                let bytes = self.bytes(start, end);
                let entry = KeyValue::read(bytes)?;
                let at = |part: &[u8]| {
                    let from = start
                        + (part.as_ptr() as usize).wrapping_sub(bytes.as_ptr() as usize) as u32;
                    (from, from + part.len() as u32)
                };
                let guessed = last
                    .get(position)
                    .filter(|(start, end, index)| {
                        *index != u32::MAX && self.bytes(*start, *end) == entry.key
                    })
                    .map(|(_, _, index)| *index);
                let index = match guessed {
                    Some(index) => index,
                    None => {
                        let next = known.len() as u32;
                        let (from, to) = if entry.key.is_empty() {
                            (0, 0)
                        } else {
                            at(entry.key)
                        };
                        let index = *known.entry(entry.key.to_vec()).or_insert_with(|| {
                            dictionary.push(self, from, to);
                            next
                        });
                        if last.len() <= position {
                            last.resize(position + 1, (0, 0, u32::MAX));
                        }
                        if let Some(slot) = last.get_mut(position) {
                            *slot = (from, to, index);
                        }
                        index
                    }
                };
                owner.push(row);
                key.push(index);
                if entry.split {
                    let merged = KeyValue::merged_value(bytes)?;
                    types.push(Value::read(&merged)?.value_type() as u8);
                    let (from, to) = self.make(|out| out.extend_from_slice(&merged))?;
                    values.push(self, from, to);
                    continue;
                }
                let value = entry.value.unwrap_or_default();
                types.push(Value::read(value)?.value_type() as u8);
                let (from, to) = if value.is_empty() { (0, 0) } else { at(value) };
                values.push(self, from, to);
            }
        }
        Ok(AttributeTable {
            owner: owner.into(),
            key: key.into(),
            dictionary: dictionary.finish(self),
            types,
            value: values.finish(self),
        })
    }
}
