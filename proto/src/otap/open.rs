//! The tables of one OTAP batch being opened: columns by their names, ids decoded, rows
//! by their parents. What is made of them is the business of `read`.

use arrow_array::cast::AsArray;
use arrow_array::{RecordBatch, StructArray};
use std::ops::Range;

use super::model::{self, Column, Entity, Kind, METRIC_DATA, Presence};
use super::reader::{Encoding, Reader, Source, Want, ids, optional, problem, required};
use super::value::{self, types};
use super::{OtapError, PayloadType, Tables};
use crate::wire::{
    begin_message, end_message, put_bytes, put_double, put_fixed32, put_fixed64, put_sint,
    put_uint, put_varint,
};

/// Which rows refer to which parent.
pub(super) struct Children {
    /// Row numbers, by parent; in their order where the parent is the same.
    pub rows: Vec<u32>,
    /// The parent of each of them.
    pub parents: Vec<u32>,
    pub used: Vec<bool>,
}

/// A table of items, events, links, data points or exemplars.
pub(super) struct Table<'t> {
    pub entity: &'static Entity,
    pub ids: Option<Vec<Option<u32>>>,
    pub columns: Vec<Option<Reader>>,
    pub structs: Vec<Option<OpenStruct<'t>>>,
    pub body: Option<(&'t StructArray, Values)>,
    pub children: Children,
}

/// A struct column, and the columns in it.
pub(super) type OpenStruct<'t> = (&'t StructArray, Vec<Option<Reader>>);

/// A table of attributes.
pub(super) struct Attributes {
    pub payload: PayloadType,
    pub keys: Reader,
    pub values: Values,
    pub children: Children,
}

/// The columns of a value of any type.
pub(super) struct Values {
    pub types: Reader,
    pub text: Option<Reader>,
    pub ints: Option<Reader>,
    pub doubles: Option<Reader>,
    pub bools: Option<Reader>,
    pub bytes: Option<Reader>,
    pub nested: Option<Reader>,
}

impl Children {
    /// `parents` is the parent of each row.
    pub fn new(parents: Vec<u32>) -> Self {
        let mut rows: Vec<u32> = (0..parents.len() as u32).collect();
        let parent = |row: &u32| parents.get(*row as usize).copied().unwrap_or_default();
        // Mostly in order already, which the sort finds in one pass.
        rows.sort_by_key(parent);
        let parents = rows.iter().map(parent).collect::<Vec<_>>();
        Children {
            used: vec![false; rows.len()],
            rows,
            parents,
        }
    }

    /// The places in `rows` of what refers to a parent, now taken for used.
    pub fn of(&mut self, parent: u32) -> Range<usize> {
        let start = self.parents.partition_point(|found| *found < parent);
        let rest = self.parents.get(start..).unwrap_or_default();
        let end = start + rest.iter().take_while(|found| **found == parent).count();
        if let Some(used) = self.used.get_mut(start..end) {
            used.fill(true);
        }
        start..end
    }

    pub fn row(&self, place: usize) -> usize {
        self.rows.get(place).map_or(0, |row| *row as usize)
    }
}

impl Values {
    pub fn open(source: &dyn Source, table: PayloadType, prefix: &str) -> Result<Self, OtapError> {
        let open = |name, want| optional(source, table, prefix, name, want);
        Ok(Values {
            types: required(source, table, prefix, "type", Want::Code)?,
            text: open("str", Want::Kind(Kind::Text))?,
            ints: open("int", Want::Kind(Kind::Sfixed64))?,
            doubles: open("double", Want::Kind(Kind::Double))?,
            bools: open("bool", Want::Kind(Kind::Bool))?,
            bytes: open("bytes", Want::Bytes)?,
            nested: open("ser", Want::Bytes)?,
        })
    }

    /// The column that holds the values of this type.
    fn active(&self, code: u8) -> Option<&Reader> {
        match code {
            types::STR => self.text.as_ref(),
            types::INT => self.ints.as_ref(),
            types::DOUBLE => self.doubles.as_ref(),
            types::BOOL => self.bools.as_ref(),
            types::BYTES => self.bytes.as_ref(),
            types::MAP | types::SLICE => self.nested.as_ref(),
            _ => None,
        }
    }

    pub fn code(&self, row: usize) -> u8 {
        self.types.bits(row).unwrap_or_default() as u8
    }

    /// Writes the fields of the `AnyValue` of a row. A value that is not there is empty.
    pub fn put(&self, table: PayloadType, row: usize, out: &mut Vec<u8>) -> Result<(), OtapError> {
        let code = self.code(row);
        if code > types::BYTES {
            return Err(problem(table, "", "type", "has a number that is no type"));
        }
        let Some(column) = self.active(code) else {
            return Ok(());
        };
        match (code, column.bits(row), column.bytes(row)) {
            (types::STR, _, Some(text)) => put_bytes(out, 1, text),
            (types::BYTES, _, Some(bytes)) => put_bytes(out, 7, bytes),
            (types::INT, Some(bits), _) => put_uint(out, 3, bits),
            (types::DOUBLE, Some(bits), _) => put_double(out, 4, f64::from_bits(bits)),
            (types::BOOL, Some(bits), _) => put_uint(out, 2, bits),
            (types::MAP | types::SLICE, _, Some(cbor)) => {
                value::from_cbor(cbor, out).ok_or(OtapError::Cbor { table, row })?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether a row's parent is a delta to that of the row before (specification
    /// 6.4.3): type, key and value are the same, and of a type that is compared.
    fn follows(&self, keys: &Reader, row: usize) -> bool {
        let code = self.code(row);
        let same = |column: &Reader| column.same(row - 1, row);
        let compared = !matches!(code, types::EMPTY | types::MAP | types::SLICE);
        let filled = |column: &&Reader| column.bits(row).is_some() || column.bytes(row).is_some();
        compared
            && same(&self.types)
            && same(keys)
            && self.active(code).filter(filled).is_some_and(same)
    }
}

impl<'t> Table<'t> {
    pub fn open(
        entity: &'static Entity,
        batch: &'t RecordBatch,
        is_root: bool,
    ) -> Result<Self, OtapError> {
        let table = entity.payload;
        let columns = open_columns(batch, table, "", entity.columns)?;
        let mut structs = Vec::new();
        for part in entity.structs {
            structs.push(match structure(batch, table, part.name)? {
                Some(array) => {
                    let prefix = format!("{}.", part.name);
                    Some((array, open_columns(array, table, &prefix, part.columns)?))
                }
                None => None,
            });
        }
        let body = match entity.body {
            Some(_) => match structure(batch, table, "body")? {
                Some(array) => Some((array, Values::open(array, table, "body.")?)),
                None => None,
            },
            None => None,
        };
        let parents = if is_root {
            Vec::new()
        } else {
            // What a row is compared by in quasi-delta encoding; data points, sorted by
            // their metrics, are plain deltas.
            let equal: &[&str] = match table {
                PayloadType::SpanEvents => &["name"],
                PayloadType::SpanLinks => &["trace_id"],
                _ => &["int_value", "double_value"],
            };
            let compared: Vec<&Reader> = entity
                .columns
                .iter()
                .zip(&columns)
                .filter(|(column, _)| equal.contains(&column.name))
                .filter_map(|(_, reader)| reader.as_ref())
                .collect();
            let default = match METRIC_DATA.iter().any(|data| data.points.payload == table) {
                true => Encoding::Delta,
                false => Encoding::QuasiDelta,
            };
            let follows = |row: usize| compared.iter().all(|column| column.same(row - 1, row));
            parents(ids(batch, table, "", "parent_id", default, follows)?, table)?
        };
        Ok(Table {
            entity,
            ids: ids(batch, table, "", "id", Encoding::Delta, |_| true)?,
            columns,
            structs,
            body,
            children: Children::new(parents),
        })
    }
}

impl Attributes {
    pub fn open(payload: PayloadType, batch: &RecordBatch) -> Result<Self, OtapError> {
        let keys = required(batch, payload, "", "key", Want::Kind(Kind::Words))?;
        let values = Values::open(batch, payload, "")?;
        let follows = |row| values.follows(&keys, row);
        let found = ids(
            batch,
            payload,
            "",
            "parent_id",
            Encoding::QuasiDelta,
            follows,
        )?;
        Ok(Attributes {
            payload,
            children: Children::new(parents(found, payload)?),
            keys,
            values,
        })
    }
}

/// A `parent_id` column, which has to be there and knows no null.
pub(super) fn parents(
    ids: Option<Vec<Option<u32>>>,
    table: PayloadType,
) -> Result<Vec<u32>, OtapError> {
    ids.and_then(|ids| ids.into_iter().collect())
        .ok_or_else(|| problem(table, "", "parent_id", "is missing or null"))
}

pub(super) fn structure<'t>(
    batch: &'t RecordBatch,
    table: PayloadType,
    name: &str,
) -> Result<Option<&'t StructArray>, OtapError> {
    match batch.column_by_name(name) {
        None => Ok(None),
        Some(array) => match array.as_struct_opt() {
            Some(array) => Ok(Some(array)),
            None => Err(problem(
                table,
                "",
                name,
                "is of a type that it may not have",
            )),
        },
    }
}

pub(super) fn open_columns(
    source: &dyn Source,
    table: PayloadType,
    prefix: &str,
    columns: &[Column],
) -> Result<Vec<Option<Reader>>, OtapError> {
    columns
        .iter()
        .map(|column| match column.presence {
            Presence::Required => {
                required(source, table, prefix, column.name, Want::Kind(column.kind)).map(Some)
            }
            _ => optional(source, table, prefix, column.name, Want::Kind(column.kind)),
        })
        .collect()
}

/// The columns of a root table that say which resource and scope a row has, and those
/// of metrics that depend on their type.
pub(super) struct GroupColumns {
    pub rows: usize,
    pub resource_ids: Option<Vec<Option<u32>>>,
    pub resource_schema_urls: Option<Reader>,
    pub resource: Vec<Option<Reader>>,
    pub scope_ids: Option<Vec<Option<u32>>>,
    pub scope: Vec<Option<Reader>>,
    pub schema_urls: Option<Reader>,
    pub metric_types: Option<Reader>,
    pub temporalities: Option<Reader>,
    pub monotonic: Option<Reader>,
}

impl GroupColumns {
    /// Nothing where there is no root table; then no other may have rows.
    pub fn open(root: &'static Entity, tables: &Tables) -> Result<Option<Self>, OtapError> {
        let table = root.payload;
        let Some(batch) = tables.get(table) else {
            return Ok(None);
        };
        let empty = StructArray::new_empty_fields(batch.num_rows(), None);
        let resource = structure(batch, table, "resource")?.unwrap_or(&empty);
        let scope = structure(batch, table, "scope")?.unwrap_or(&empty);
        let words =
            |source, prefix, name| optional(source, table, prefix, name, Want::Kind(Kind::Words));
        let is_metrics = table == PayloadType::UnivariateMetrics;
        let metric = |name, want| match is_metrics {
            true => optional(batch, table, "", name, want),
            false => Ok(None),
        };
        Ok(Some(GroupColumns {
            rows: batch.num_rows(),
            resource_ids: ids(resource, table, "resource.", "id", Encoding::Delta, |_| {
                true
            })?,
            resource_schema_urls: words(resource, "resource.", "schema_url")?,
            resource: open_columns(resource, table, "resource.", model::RESOURCE)?,
            scope_ids: ids(scope, table, "scope.", "id", Encoding::Delta, |_| true)?,
            scope: open_columns(scope, table, "scope.", model::SCOPE)?,
            schema_urls: words(batch, "", "schema_url")?,
            metric_types: match is_metrics {
                true => Some(required(batch, table, "", "metric_type", Want::Code)?),
                false => None,
            },
            temporalities: metric("aggregation_temporality", Want::Kind(Kind::Int32))?,
            monotonic: metric("is_monotonic", Want::Kind(Kind::Bool))?,
        }))
    }

    pub fn same_resource(&self, a: usize, b: usize) -> bool {
        same_ids(&self.resource_ids, a, b)
            && same(&self.resource_schema_urls, a, b)
            && self.resource.iter().all(|column| same(column, a, b))
    }

    pub fn same_scope(&self, a: usize, b: usize) -> bool {
        same_ids(&self.scope_ids, a, b)
            && same(&self.schema_urls, a, b)
            && self.scope.iter().all(|column| same(column, a, b))
    }
}

pub(super) fn same_ids(ids: &Option<Vec<Option<u32>>>, a: usize, b: usize) -> bool {
    ids.as_ref().is_none_or(|ids| ids.get(a) == ids.get(b))
}

pub(super) fn same(column: &Option<Reader>, a: usize, b: usize) -> bool {
    column.as_ref().is_none_or(|column| column.same(a, b))
}

pub(super) fn put_text(column: &Option<Reader>, number: u32, row: usize, out: &mut Vec<u8>) {
    if let Some(text) = column.as_ref().and_then(|column| column.bytes(row))
        && !text.is_empty()
    {
        put_bytes(out, number, text);
    }
}

/// Writes the fields that the columns of a row hold.
pub(super) fn put_columns(
    columns: &[Column],
    readers: &[Option<Reader>],
    row: usize,
    out: &mut Vec<u8>,
) {
    let mut start = 0;
    let mut member = false;
    for (column, reader) in columns.iter().zip(readers) {
        let Some(reader) = reader else {
            continue;
        };
        let number = column.field;
        match column.kind {
            Kind::Text | Kind::Words | Kind::Id(_) => {
                let bytes = reader.bytes(row).unwrap_or_default();
                let none = match column.kind {
                    Kind::Id(_) => bytes.iter().all(|byte| *byte == 0),
                    _ => bytes.is_empty(),
                };
                if !none {
                    put_bytes(out, number, bytes);
                }
                continue;
            }
            Kind::Doubles | Kind::Counts | Kind::Varints => {
                let before = out.len();
                let list = begin_message(out, number);
                for (bits, _) in reader.elements(row) {
                    match column.kind {
                        Kind::Varints => put_varint(out, bits),
                        _ => out.extend_from_slice(&bits.to_le_bytes()),
                    }
                }
                match out.len() == list {
                    true => out.truncate(before),
                    false => end_message(out, list),
                }
                continue;
            }
            Kind::Quantiles => {
                for (quantile, value) in reader.elements(row) {
                    let message = begin_message(out, number);
                    for (number, bits) in [(1, quantile), (2, value)] {
                        if bits != 0 {
                            put_fixed64(out, number, bits);
                        }
                    }
                    end_message(out, message);
                }
                continue;
            }
            _ => {}
        }
        let Some(mut bits) = reader.bits(row) else {
            continue;
        };
        match column.kind {
            Kind::Duration => bits = bits.wrapping_add(start),
            Kind::Time if column.name == "start_time_unix_nano" => start = bits,
            _ => {}
        }
        match column.presence {
            Presence::Required | Presence::NonZero if bits == 0 => continue,
            // A row with two values has the first.
            Presence::Oneof if member => continue,
            Presence::Oneof => member = true,
            _ => {}
        }
        match column.kind {
            Kind::Int32 | Kind::Uint32 | Kind::Bool => put_uint(out, number, bits),
            Kind::Sint32 => put_sint(out, number, bits as i64),
            Kind::Fixed32 => put_fixed32(out, number, bits as u32),
            _ => put_fixed64(out, number, bits),
        }
    }
}
