//! The tables of one OTAP batch being filled, and finished as record batches. Which rows
//! they get is the business of `write`; what a column holds, of `model`.

use arrow_array::RecordBatch;
use arrow_array::builder::{
    BinaryBuilder, PrimitiveBuilder, StringBuilder, StringDictionaryBuilder,
};
use arrow_buffer::NullBufferBuilder;
use arrow_schema::ArrowError;

use super::column::{Builder, Cell, Columns, Sparse};
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
    /// By type: `str`, `int`, `double`, `bool`, `bytes`, `ser`.
    pub columns: [Sparse; 6],
    pub rows: usize,
    /// For the CBOR of nested values.
    pub scratch: Vec<u8>,
}

pub(super) fn ids(u16: bool) -> Builder {
    match u16 {
        true => Builder::U16(PrimitiveBuilder::with_capacity(0)),
        false => Builder::U32(PrimitiveBuilder::with_capacity(0)),
    }
}

pub(super) fn words() -> Builder {
    Builder::Words(StringDictionaryBuilder::with_capacity(0, 0, 0))
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
            types: Builder::U8(PrimitiveBuilder::with_capacity(0)),
            columns: [
                Builder::new(Kind::Text),
                Builder::new(Kind::Sfixed64),
                Builder::new(Kind::Double),
                Builder::new(Kind::Bool),
                Builder::Bytes(BinaryBuilder::with_capacity(0, 0)),
                Builder::Bytes(BinaryBuilder::with_capacity(0, 0)),
            ]
            .map(Sparse::new),
            rows: 0,
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
        let row = self.rows;
        self.rows += 1;
        let [texts, ints, doubles, bools, bytes, nested] = &mut self.columns;
        let code = match value {
            Value::Empty => types::EMPTY,
            Value::Str(start, end) => {
                let text = value::text(slice(*start, *end), losses);
                texts.set(row, Cell::Text(&text))?;
                types::STR
            }
            Value::Int(int) => {
                ints.set(row, Cell::Bits(*int as u64))?;
                types::INT
            }
            Value::Double(double) => {
                doubles.set(row, Cell::Bits(double.to_bits()))?;
                types::DOUBLE
            }
            Value::Bool(bool) => {
                bools.set(row, Cell::Bits(u64::from(*bool)))?;
                types::BOOL
            }
            Value::Bytes(start, end) => {
                bytes.set(row, Cell::Bytes(slice(*start, *end)))?;
                types::BYTES
            }
            Value::Slice(_) | Value::Map(_) => {
                self.scratch.clear();
                value::to_cbor(buf, value, losses, &mut self.scratch)?;
                nested.set(row, Cell::Bytes(&self.scratch))?;
                match value {
                    Value::Map(_) => types::MAP,
                    _ => types::SLICE,
                }
            }
        };
        self.types.append(Cell::Bits(u64::from(code)))?;
        Ok(())
    }

    pub fn finish(self, columns: &mut Columns) -> Result<(), ArrowError> {
        columns.push("type", self.types, false)?;
        let names = ["str", "int", "double", "bool", "bytes", "ser"];
        for (name, column) in names.into_iter().zip(self.columns) {
            if !column.is_empty() {
                columns.push(name, column.finish(self.rows), true)?;
            }
        }
        Ok(())
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
                _ => Builder::Text(StringBuilder::with_capacity(0, 0)),
            },
            metric_types: Builder::U8(PrimitiveBuilder::with_capacity(0)),
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
