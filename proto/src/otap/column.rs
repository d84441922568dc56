//! Arrow columns being filled, of the types that OTAP has; and columns of any encoding
//! that it permits being read. What they hold is the business of `write` and `read`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, FixedSizeBinaryBuilder, PrimitiveBuilder,
    StringBuilder, StringDictionaryBuilder,
};
use arrow_array::types::{
    ArrowPrimitiveType, DurationNanosecondType, Float64Type, Int32Type, Int64Type,
    TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch, StructArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema};

use super::model::Kind;

/// One value for a column.
#[derive(Clone, Copy)]
pub(super) enum Cell<'a> {
    Null,
    /// A number's bits, as on the wire and zigzag undone.
    Bits(u64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// A column being filled.
pub(super) enum Builder {
    U8(PrimitiveBuilder<UInt8Type>),
    U16(PrimitiveBuilder<UInt16Type>),
    U32(PrimitiveBuilder<UInt32Type>),
    U64(PrimitiveBuilder<UInt64Type>),
    I32(PrimitiveBuilder<Int32Type>),
    I64(PrimitiveBuilder<Int64Type>),
    F64(PrimitiveBuilder<Float64Type>),
    Time(PrimitiveBuilder<TimestampNanosecondType>),
    Duration(PrimitiveBuilder<DurationNanosecondType>),
    Bool(BooleanBuilder),
    Text(StringBuilder),
    /// A dictionary, until it has more words than its keys number.
    Words(StringDictionaryBuilder<UInt16Type>),
    Bytes(BinaryBuilder),
    Id(FixedSizeBinaryBuilder),
    List(Box<List>),
}

/// A list column being filled: elements are appended as they are found, then the row is
/// closed.
pub(super) struct List {
    elements: Elements,
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

enum Elements {
    Doubles(PrimitiveBuilder<Float64Type>),
    Counts(PrimitiveBuilder<UInt64Type>),
    /// Quantile and value.
    Quantiles(PrimitiveBuilder<Float64Type>, PrimitiveBuilder<Float64Type>),
}

impl List {
    fn builder(elements: Elements) -> Builder {
        Builder::List(Box::new(List {
            elements,
            offsets: vec![0],
            nulls: NullBufferBuilder::new(0),
        }))
    }

    fn len(&self) -> usize {
        match &self.elements {
            Elements::Doubles(values) => values.len(),
            Elements::Counts(values) => values.len(),
            Elements::Quantiles(values, _) => values.len(),
        }
    }

    /// Appends an element to the row that is being filled; of a quantile, both doubles.
    pub fn element(&mut self, bits: u64, value: u64) {
        match &mut self.elements {
            Elements::Doubles(values) => values.append_value(f64::from_bits(bits)),
            Elements::Counts(values) => values.append_value(bits),
            Elements::Quantiles(quantiles, values) => {
                quantiles.append_value(f64::from_bits(bits));
                values.append_value(f64::from_bits(value));
            }
        }
    }

    /// Ends the row; without elements it is null.
    fn close(&mut self) {
        let end = self.len() as i32;
        self.nulls.append(self.offsets.last() != Some(&end));
        self.offsets.push(end);
    }

    fn finish(mut self) -> Result<ArrayRef, ArrowError> {
        let nullable = |name: &str, data_type| Arc::new(Field::new(name, data_type, true));
        let (field, values): (_, ArrayRef) = match &mut self.elements {
            Elements::Doubles(values) => (
                nullable("item", DataType::Float64),
                Arc::new(values.finish()),
            ),
            Elements::Counts(values) => (
                nullable("item", DataType::UInt64),
                Arc::new(values.finish()),
            ),
            Elements::Quantiles(quantiles, values) => {
                let fields = vec![
                    nullable("quantile", DataType::Float64),
                    nullable("value", DataType::Float64),
                ];
                let columns: Vec<ArrayRef> =
                    vec![Arc::new(quantiles.finish()), Arc::new(values.finish())];
                let values = StructArray::try_new(fields.into(), columns, None)?;
                (
                    nullable("item", values.data_type().clone()),
                    Arc::new(values),
                )
            }
        };
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let list = ListArray::try_new(field, offsets, values, self.nulls.finish())?;
        Ok(Arc::new(list))
    }
}

impl Builder {
    pub fn new(kind: Kind) -> Builder {
        match kind {
            Kind::Time => Builder::Time(PrimitiveBuilder::with_capacity(0)),
            Kind::Duration => Builder::Duration(PrimitiveBuilder::with_capacity(0)),
            Kind::Int32 | Kind::Sint32 => Builder::I32(PrimitiveBuilder::with_capacity(0)),
            Kind::Uint32 | Kind::Fixed32 => Builder::U32(PrimitiveBuilder::with_capacity(0)),
            Kind::Fixed64 => Builder::U64(PrimitiveBuilder::with_capacity(0)),
            Kind::Sfixed64 => Builder::I64(PrimitiveBuilder::with_capacity(0)),
            Kind::Double => Builder::F64(PrimitiveBuilder::with_capacity(0)),
            Kind::Bool => Builder::Bool(BooleanBuilder::with_capacity(0)),
            Kind::Text => Builder::Text(StringBuilder::with_capacity(0, 0)),
            Kind::Words => Builder::Words(StringDictionaryBuilder::with_capacity(0, 0, 0)),
            Kind::Id(size) => Builder::Id(FixedSizeBinaryBuilder::with_capacity(0, size)),
            Kind::Doubles => List::builder(Elements::Doubles(PrimitiveBuilder::with_capacity(0))),
            Kind::Counts | Kind::Varints => {
                List::builder(Elements::Counts(PrimitiveBuilder::with_capacity(0)))
            }
            Kind::Quantiles => List::builder(Elements::Quantiles(
                PrimitiveBuilder::with_capacity(0),
                PrimitiveBuilder::with_capacity(0),
            )),
        }
    }

    /// Appends one value; for a list, ends its row.
    pub fn append(&mut self, cell: Cell<'_>) -> Result<(), ArrowError> {
        match (&mut *self, cell) {
            (Builder::U8(b), cell) => number(b, cell, |bits| bits as u8),
            (Builder::U16(b), cell) => number(b, cell, |bits| bits as u16),
            (Builder::U32(b), cell) => number(b, cell, |bits| bits as u32),
            (Builder::U64(b), cell) => number(b, cell, |bits| bits),
            (Builder::I32(b), cell) => number(b, cell, |bits| bits as i32),
            (Builder::I64(b), cell) => number(b, cell, |bits| bits as i64),
            (Builder::F64(b), cell) => number(b, cell, f64::from_bits),
            (Builder::Time(b), cell) => number(b, cell, |bits| bits as i64),
            (Builder::Duration(b), cell) => number(b, cell, |bits| bits as i64),
            (Builder::Bool(b), Cell::Bits(bits)) => b.append_value(bits != 0),
            (Builder::Bool(b), _) => b.append_null(),
            (Builder::Text(b), Cell::Text(text)) => b.append_value(text),
            (Builder::Text(b), _) => b.append_null(),
            (Builder::Words(b), Cell::Text(text)) => {
                if b.append(text).is_err() {
                    self.give_up_dictionary()?;
                    return self.append(cell);
                }
            }
            (Builder::Words(b), _) => b.append_null(),
            (Builder::Bytes(b), Cell::Bytes(bytes)) => b.append_value(bytes),
            (Builder::Bytes(b), _) => b.append_null(),
            (Builder::Id(b), Cell::Bytes(bytes)) => b.append_value(bytes)?,
            (Builder::Id(b), _) => b.append_null(),
            (Builder::List(list), _) => list.close(),
        }
        Ok(())
    }

    /// Appends nulls.
    pub fn nulls(&mut self, n: usize) {
        match self {
            Builder::U8(b) => b.append_nulls(n),
            Builder::U16(b) => b.append_nulls(n),
            Builder::U32(b) => b.append_nulls(n),
            Builder::U64(b) => b.append_nulls(n),
            Builder::I32(b) => b.append_nulls(n),
            Builder::I64(b) => b.append_nulls(n),
            Builder::F64(b) => b.append_nulls(n),
            Builder::Time(b) => b.append_nulls(n),
            Builder::Duration(b) => b.append_nulls(n),
            Builder::Bool(b) => b.append_nulls(n),
            Builder::Text(b) => b.append_nulls(n),
            Builder::Words(b) => b.append_nulls(n),
            Builder::Bytes(b) => b.append_nulls(n),
            Builder::Id(b) => b.append_nulls(n),
            Builder::List(list) => (0..n).for_each(|_| list.close()),
        }
    }

    /// Goes on as plain text: there are more than 65,536 words.
    #[cold]
    fn give_up_dictionary(&mut self) -> Result<(), ArrowError> {
        if let Builder::Words(words) = self {
            let dictionary = words.finish();
            let mut text = StringBuilder::with_capacity(0, 0);
            if let Some(dictionary) = dictionary.downcast_dict::<arrow_array::StringArray>() {
                for word in dictionary {
                    text.append_option(word);
                }
            }
            *self = Builder::Text(text);
        }
        Ok(())
    }

    /// The list, to append elements to.
    pub fn list(&mut self) -> Option<&mut List> {
        match self {
            Builder::List(list) => Some(list),
            _ => None,
        }
    }

    pub fn finish(self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Builder::U8(mut b) => Arc::new(b.finish()),
            Builder::U16(mut b) => Arc::new(b.finish()),
            Builder::U32(mut b) => Arc::new(b.finish()),
            Builder::U64(mut b) => Arc::new(b.finish()),
            Builder::I32(mut b) => Arc::new(b.finish()),
            Builder::I64(mut b) => Arc::new(b.finish()),
            Builder::F64(mut b) => Arc::new(b.finish()),
            Builder::Time(mut b) => Arc::new(b.finish()),
            Builder::Duration(mut b) => Arc::new(b.finish()),
            Builder::Bool(mut b) => Arc::new(b.finish()),
            Builder::Text(mut b) => Arc::new(b.finish()),
            Builder::Words(mut b) => Arc::new(b.finish()),
            Builder::Bytes(mut b) => Arc::new(b.finish()),
            Builder::Id(mut b) => Arc::new(b.finish()),
            Builder::List(list) => list.finish()?,
        })
    }
}

fn number<T: ArrowPrimitiveType>(
    builder: &mut PrimitiveBuilder<T>,
    cell: Cell<'_>,
    value: impl Fn(u64) -> T::Native,
) {
    match cell {
        Cell::Bits(bits) => builder.append_value(value(bits)),
        _ => builder.append_null(),
    }
}

/// A column with a value in few rows: its nulls are appended when a value comes.
pub(super) struct Sparse {
    builder: Builder,
    rows: usize,
}

impl Sparse {
    pub fn new(builder: Builder) -> Self {
        Sparse { builder, rows: 0 }
    }

    /// Sets the value of a row, which comes after all rows that have one.
    pub fn set(&mut self, row: usize, cell: Cell<'_>) -> Result<(), ArrowError> {
        if row > self.rows {
            self.builder.nulls(row - self.rows);
        }
        self.rows = row + 1;
        self.builder.append(cell)
    }

    /// The column of so many rows.
    pub fn finish(mut self, rows: usize) -> Builder {
        self.builder.nulls(rows.saturating_sub(self.rows));
        self.builder
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }
}

/// The columns of a table or struct as they are finished, without those that are
/// optional and have no value in any row (specification 4.2).
#[derive(Default)]
pub(super) struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl Columns {
    pub fn push(&mut self, name: &str, builder: Builder, nullable: bool) -> Result<(), ArrowError> {
        self.push_array(name, builder.finish()?, nullable);
        Ok(())
    }

    pub fn push_array(&mut self, name: &str, array: ArrayRef, nullable: bool) {
        if nullable && array.null_count() == array.len() {
            return;
        }
        let field = Field::new(name, array.data_type().clone(), nullable);
        self.fields.push(field);
        self.arrays.push(array);
    }

    /// An id column, marked as holding the ids themselves (specification 6.4).
    pub fn push_ids(
        &mut self,
        name: &str,
        builder: Builder,
        nullable: bool,
    ) -> Result<(), ArrowError> {
        self.push(name, builder, nullable)?;
        if let Some(field) = self.fields.pop() {
            let metadata = HashMap::from([("encoding".to_owned(), "plain".to_owned())]);
            self.fields.push(field.with_metadata(metadata));
        }
        Ok(())
    }

    /// These columns as a struct column of another table.
    pub fn into_struct(
        self,
        nulls: Option<arrow_buffer::NullBuffer>,
    ) -> Result<Option<ArrayRef>, ArrowError> {
        if self.arrays.is_empty() {
            return Ok(None);
        }
        let array = StructArray::try_new(self.fields.into(), self.arrays, nulls)?;
        Ok(Some(Arc::new(array)))
    }

    pub fn into_batch(self) -> Result<RecordBatch, ArrowError> {
        RecordBatch::try_new(Arc::new(Schema::new(self.fields)), self.arrays)
    }
}
