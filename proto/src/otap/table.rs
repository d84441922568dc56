//! The tables of one OTAP batch being filled, and finished as record batches. Which rows
//! they get is the business of `write`; what a column holds, of `model`.

use arrow_array::RecordBatch;
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, PrimitiveBuilder, StringBuilder, StringDictionaryBuilder,
};
use arrow_buffer::NullBufferBuilder;
use arrow_schema::ArrowError;

use super::column::{Builder, Cell, Columns};
use super::model::{self, Column, Entity, Kind, Presence};
use super::value::{self, Value, types};
use super::{Losses, OtapError, PayloadType, Tables};
use crate::Signal;

/// The tables being filled.
pub(super) struct Set {
    pub root: Root,
    pub tables: Vec<Table>,
    pub attributes: Vec<Attributes>,
}

/// The columns that only root tables have.
pub(super) struct Root {
    pub resource_ids: Builder,
    pub resource_schema_urls: Builder,
    pub resource: Vec<Builder>,
    pub scope_ids: Builder,
    pub scope: Vec<Builder>,
    pub schema_urls: Builder,
    pub metric_types: Builder,
    pub temporalities: Builder,
    pub monotonic: Builder,
    pub resources: usize,
    pub scopes: usize,
}

/// A table of items, events, links, data points or exemplars.
pub(super) struct Table {
    pub entity: &'static Entity,
    pub ids: Builder,
    pub parents: Option<Builder>,
    pub columns: Vec<Builder>,
    pub structs: Vec<(Vec<Builder>, NullBufferBuilder)>,
    pub body: Option<Values>,
    pub rows: usize,
}

/// A table of attributes.
pub(super) struct Attributes {
    pub payload: PayloadType,
    pub parents: Builder,
    pub keys: Builder,
    pub values: Values,
    pub rows: usize,
}

/// The columns of a value of any type.
pub(super) struct Values {
    pub types: Builder,
    pub text: Builder,
    pub ints: Builder,
    pub doubles: Builder,
    pub bools: Builder,
    pub bytes: Builder,
    pub nested: Builder,
    /// For the CBOR of nested values.
    pub scratch: Vec<u8>,
}

pub(super) fn ids(u16: bool) -> Builder {
    match u16 {
        true => Builder::U16(PrimitiveBuilder::new()),
        false => Builder::U32(PrimitiveBuilder::new()),
    }
}

pub(super) fn words() -> Builder {
    Builder::Words(StringDictionaryBuilder::new())
}

pub(super) fn builders(columns: &[Column]) -> Vec<Builder> {
    columns
        .iter()
        .map(|column| Builder::new(column.kind))
        .collect()
}

impl Values {
    pub fn new() -> Self {
        Values {
            types: Builder::U8(PrimitiveBuilder::new()),
            text: Builder::Text(StringBuilder::new()),
            ints: Builder::I64(PrimitiveBuilder::new()),
            doubles: Builder::F64(PrimitiveBuilder::new()),
            bools: Builder::Bool(BooleanBuilder::new()),
            bytes: Builder::Bytes(BinaryBuilder::new()),
            nested: Builder::Bytes(BinaryBuilder::new()),
            scratch: Vec::new(),
        }
    }

    pub fn append(
        &mut self,
        buf: &[u8],
        value: &Value,
        losses: &mut Losses,
    ) -> Result<(), OtapError> {
        let slice = |start: usize, end: usize| buf.get(start..end).unwrap_or_default();
        let mut cells = [Cell::Null; 6];
        let text;
        let (code, cell, at) = match value {
            Value::Empty => (types::EMPTY, Cell::Null, 0),
            Value::Str(start, end) => {
                text = value::text(slice(*start, *end), losses);
                (types::STR, Cell::Text(&text), 0)
            }
            Value::Int(int) => (types::INT, Cell::Bits(*int as u64), 1),
            Value::Double(double) => (types::DOUBLE, Cell::Bits(double.to_bits()), 2),
            Value::Bool(bool) => (types::BOOL, Cell::Bits(u64::from(*bool)), 3),
            Value::Bytes(start, end) => (types::BYTES, Cell::Bytes(slice(*start, *end)), 4),
            Value::Slice(_) | Value::Map(_) => {
                self.scratch.clear();
                value::to_cbor(buf, value, losses, &mut self.scratch)?;
                let code = match value {
                    Value::Map(_) => types::MAP,
                    _ => types::SLICE,
                };
                (code, Cell::Bytes(&self.scratch), 5)
            }
        };
        if let Some(slot) = cells.get_mut(at) {
            *slot = cell;
        }
        let [text, int, double, bool, bytes, nested] = cells;
        self.types.append(Cell::Bits(u64::from(code)))?;
        self.text.append(text)?;
        self.ints.append(int)?;
        self.doubles.append(double)?;
        self.bools.append(bool)?;
        self.bytes.append(bytes)?;
        self.nested.append(nested)?;
        Ok(())
    }

    pub fn finish(self, columns: &mut Columns) -> Result<(), ArrowError> {
        columns.push("type", self.types, false)?;
        columns.push("str", self.text, true)?;
        columns.push("int", self.ints, true)?;
        columns.push("double", self.doubles, true)?;
        columns.push("bool", self.bools, true)?;
        columns.push("bytes", self.bytes, true)?;
        columns.push("ser", self.nested, true)
    }
}

impl Set {
    pub fn new(signal: Signal, root: &'static Entity) -> Self {
        let root_columns = Root {
            resource_ids: ids(true),
            resource_schema_urls: words(),
            resource: builders(model::RESOURCE),
            scope_ids: ids(true),
            scope: builders(model::SCOPE),
            // Only logs permit a dictionary here.
            schema_urls: match signal {
                Signal::Logs => words(),
                _ => Builder::Text(StringBuilder::new()),
            },
            metric_types: Builder::U8(PrimitiveBuilder::new()),
            temporalities: Builder::new(Kind::Int32),
            monotonic: Builder::new(Kind::Bool),
            resources: 0,
            scopes: 0,
        };
        let entities: Vec<&'static Entity> =
            std::iter::once(root).chain(model::below(signal)).collect();
        let attributes = [PayloadType::ResourceAttrs, PayloadType::ScopeAttrs]
            .into_iter()
            .chain(entities.iter().map(|entity| entity.attributes.1))
            .map(|payload| Attributes {
                payload,
                parents: ids(payload.parents_are_u16()),
                keys: words(),
                values: Values::new(),
                rows: 0,
            })
            .collect();
        let tables = entities
            .into_iter()
            .map(|entity| {
                let is_root = entity.payload == root.payload;
                Table {
                    entity,
                    ids: ids(is_root),
                    parents: (!is_root).then(|| ids(entity.payload.parents_are_u16())),
                    columns: builders(entity.columns),
                    structs: entity
                        .structs
                        .iter()
                        .map(|part| (builders(part.columns), NullBufferBuilder::new(0)))
                        .collect(),
                    body: entity.body.map(|_| Values::new()),
                    rows: 0,
                }
            })
            .collect();
        Set {
            root: root_columns,
            tables,
            attributes,
        }
    }

    pub fn rows(&self) -> usize {
        self.tables.first().map_or(0, |root| root.rows)
    }

    pub fn finish(self, signal: Signal) -> Result<Tables, OtapError> {
        let mut batches = Vec::new();
        let mut root = Some(self.root);
        for table in self.tables {
            let root = root.take();
            if table.rows == 0 {
                continue;
            }
            batches.push((table.entity.payload, table.finish(root, signal)?));
        }
        for table in self.attributes {
            if table.rows == 0 {
                continue;
            }
            let mut columns = Columns::default();
            columns.push_ids("parent_id", table.parents, false)?;
            columns.push("key", table.keys, false)?;
            table.values.finish(&mut columns)?;
            batches.push((table.payload, columns.into_batch()?));
        }
        Ok(Tables { signal, batches })
    }
}

impl Root {
    pub fn finish(self, columns: &mut Columns, signal: Signal) -> Result<(), ArrowError> {
        let mut resource = Columns::default();
        resource.push_ids("id", self.resource_ids, true)?;
        resource.push("schema_url", self.resource_schema_urls, true)?;
        for (column, builder) in model::RESOURCE.iter().zip(self.resource) {
            resource.push(column.name, builder, true)?;
        }
        let mut scope = Columns::default();
        scope.push_ids("id", self.scope_ids, true)?;
        for (column, builder) in model::SCOPE.iter().zip(self.scope) {
            scope.push(column.name, builder, true)?;
        }
        for (name, part) in [("resource", resource), ("scope", scope)] {
            if let Some(array) = part.into_struct(None)? {
                columns.push_array(name, array, true);
            }
        }
        columns.push("schema_url", self.schema_urls, true)?;
        if signal == Signal::Metrics {
            columns.push("metric_type", self.metric_types, false)?;
            columns.push("aggregation_temporality", self.temporalities, true)?;
            columns.push("is_monotonic", self.monotonic, true)?;
        }
        Ok(())
    }
}

impl Table {
    pub fn finish(self, root: Option<Root>, signal: Signal) -> Result<RecordBatch, ArrowError> {
        let mut columns = Columns::default();
        let nullable = self.entity.payload != PayloadType::UnivariateMetrics;
        columns.push_ids("id", self.ids, nullable)?;
        if let Some(parents) = self.parents {
            columns.push_ids("parent_id", parents, false)?;
        }
        if let Some(root) = root {
            root.finish(&mut columns, signal)?;
        }
        for (column, builder) in self.entity.columns.iter().zip(self.columns) {
            columns.push(column.name, builder, column.presence != Presence::Required)?;
        }
        for (part, (builders, mut nulls)) in self.entity.structs.iter().zip(self.structs) {
            let mut inner = Columns::default();
            for (column, builder) in part.columns.iter().zip(builders) {
                inner.push(column.name, builder, true)?;
            }
            if let Some(array) = inner.into_struct(nulls.finish())? {
                columns.push_array(part.name, array, true);
            }
        }
        if let Some(body) = self.body {
            let mut inner = Columns::default();
            body.finish(&mut inner)?;
            if let Some(array) = inner.into_struct(None)? {
                columns.push_array("body", array, true);
            }
        }
        columns.into_batch()
    }
}
