//! OTAP tables to a request: each row a message, with the rows that refer to it inside.

use arrow_array::Array;

use super::model::{self, Entity, METRIC_DATA};
use super::open::{Attributes, GroupColumns, Table, put_columns, put_text};
use super::reader::{Reader, problem};
use super::value::types;
use super::{OtapError, PayloadType, Tables};
use crate::Signal;
use crate::wire::{begin_message, end_message, put_bytes, put_uint};

/// Appends the request that one set of tables holds; see
/// [`crate::Batch::from_record_batches`].
pub(super) fn request(signal: Signal, tables: &Tables, out: &mut Vec<u8>) -> Result<(), OtapError> {
    let root = model::root(signal).ok_or(OtapError::Signal(signal))?;
    let mut set = Set::open(signal, root, tables)?;
    if let Some(opened) = GroupColumns::open(root, tables)? {
        set.groups(signal, root, &opened, out)?;
    }
    set.all_used()
}

/// The opened tables of a set.
struct Set<'t> {
    tables: Vec<Table<'t>>,
    attributes: Vec<Attributes>,
}

impl<'t> Set<'t> {
    fn open(signal: Signal, root: &'static Entity, tables: &'t Tables) -> Result<Self, OtapError> {
        let entities: Vec<&'static Entity> =
            std::iter::once(root).chain(model::below(signal)).collect();
        let mut set = Set {
            tables: Vec::new(),
            attributes: Vec::new(),
        };
        for (at, (payload, batch)) in tables.batches.iter().enumerate() {
            let twice = tables
                .batches
                .iter()
                .take(at)
                .any(|(other, _)| other == payload);
            let entity = entities.iter().find(|entity| entity.payload == *payload);
            let attributes = [PayloadType::ResourceAttrs, PayloadType::ScopeAttrs]
                .into_iter()
                .chain(entities.iter().map(|entity| entity.attributes.1))
                .any(|known| known == *payload);
            match entity {
                Some(entity) if !twice => {
                    let is_root = entity.payload == root.payload;
                    set.tables.push(Table::open(entity, batch, is_root)?);
                }
                None if attributes && !twice => {
                    set.attributes.push(Attributes::open(*payload, batch)?);
                }
                _ => return Err(OtapError::Table(*payload)),
            }
        }
        Ok(set)
    }

    /// Writes the rows of the root table, neighbours of one resource and scope together.
    fn groups(
        &mut self,
        signal: Signal,
        root: &'static Entity,
        columns: &GroupColumns,
        out: &mut Vec<u8>,
    ) -> Result<(), OtapError> {
        let mut row = 0;
        while row < columns.rows {
            let first = row;
            let resource_message = begin_message(out, 1);
            let resource = begin_message(out, 1);
            if let Some(id) = columns.resource_ids.as_ref().and_then(|ids| *ids.get(row)?) {
                self.attributes(PayloadType::ResourceAttrs, 1, id, out)?;
            }
            put_columns(model::RESOURCE, &columns.resource, row, out);
            end_message(out, resource);
            while row < columns.rows && columns.same_resource(first, row) {
                let first = row;
                let scope_message = begin_message(out, 2);
                let scope = begin_message(out, 1);
                put_columns(model::SCOPE, &columns.scope, row, out);
                if let Some(id) = columns.scope_ids.as_ref().and_then(|ids| *ids.get(row)?) {
                    self.attributes(PayloadType::ScopeAttrs, 3, id, out)?;
                }
                end_message(out, scope);
                while row < columns.rows
                    && columns.same_resource(first, row)
                    && columns.same_scope(first, row)
                {
                    let item = begin_message(out, 2);
                    self.row(root, row, out)?;
                    if signal == Signal::Metrics {
                        self.metric_data(root, columns, row, out)?;
                    }
                    end_message(out, item);
                    row += 1;
                }
                put_text(&columns.schema_urls, 3, first, out);
                end_message(out, scope_message);
            }
            put_text(&columns.resource_schema_urls, 3, first, out);
            end_message(out, resource_message);
        }
        Ok(())
    }

    /// Writes the attributes that refer to a parent, as field `number`.
    fn attributes(
        &mut self,
        payload: PayloadType,
        number: u32,
        parent: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), OtapError> {
        let Some(table) = self
            .attributes
            .iter_mut()
            .find(|table| table.payload == payload)
        else {
            return Ok(());
        };
        for place in table.children.of(parent) {
            let row = table.children.row(place);
            let attribute = begin_message(out, number);
            let key = table.keys.bytes(row).unwrap_or_default();
            if !key.is_empty() {
                put_bytes(out, 1, key);
            }
            let value = begin_message(out, 2);
            table.values.put(payload, row, out)?;
            end_message(out, value);
            end_message(out, attribute);
        }
        Ok(())
    }

    /// Writes the fields of a row's message, its attributes and children included.
    fn row(
        &mut self,
        entity: &'static Entity,
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), OtapError> {
        let Some(table) = self
            .tables
            .iter()
            .find(|t| t.entity.payload == entity.payload)
        else {
            return Ok(());
        };
        put_columns(entity.columns, &table.columns, row, out);
        for (part, opened) in entity.structs.iter().zip(&table.structs) {
            if let Some((array, columns)) = opened
                && array.is_valid(row)
            {
                let message = begin_message(out, part.field);
                put_columns(part.columns, columns, row, out);
                end_message(out, message);
            }
        }
        if let (Some(number), Some((array, values))) = (entity.body, &table.body)
            && array.is_valid(row)
            && values.code(row) != types::EMPTY
        {
            let message = begin_message(out, number);
            values.put(entity.payload, row, out)?;
            end_message(out, message);
        }
        let Some(id) = table.ids.as_ref().and_then(|ids| *ids.get(row)?) else {
            return Ok(());
        };
        self.attributes(entity.attributes.1, entity.attributes.0, id, out)?;
        for (number, child) in entity.children {
            self.children(*number, child, id, out)?;
        }
        Ok(())
    }

    /// Writes the rows of a table that refer to a parent, as field `number`.
    fn children(
        &mut self,
        number: u32,
        entity: &'static Entity,
        parent: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), OtapError> {
        let Some(at) = self
            .tables
            .iter()
            .position(|t| t.entity.payload == entity.payload)
        else {
            return Ok(());
        };
        let places = self
            .tables
            .get_mut(at)
            .map_or(0..0, |table| table.children.of(parent));
        for place in places {
            let row = self
                .tables
                .get(at)
                .map_or(0, |table| table.children.row(place));
            let message = begin_message(out, number);
            self.row(entity, row, out)?;
            end_message(out, message);
        }
        Ok(())
    }

    /// Writes the member of a metric's `data` that its type says, with its points.
    fn metric_data(
        &mut self,
        root: &'static Entity,
        columns: &GroupColumns,
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), OtapError> {
        let bits = |reader: &Option<Reader>| reader.as_ref().and_then(|r| r.bits(row)).unwrap_or(0);
        let code = bits(&columns.metric_types);
        let Some(data) = METRIC_DATA
            .iter()
            .find(|data| u64::from(data.metric_type) == code)
        else {
            return match code {
                0 => Ok(()),
                _ => Err(problem(
                    root.payload,
                    "",
                    "metric_type",
                    "has a number that is no type",
                )),
            };
        };
        let message = begin_message(out, data.field);
        let ids = self
            .tables
            .iter()
            .find(|table| table.entity.payload == root.payload);
        if let Some(id) = ids.and_then(|table| *table.ids.as_ref()?.get(row)?) {
            self.children(1, data.points, id, out)?;
        }
        let temporality = bits(&columns.temporalities);
        if data.temporality && temporality != 0 {
            put_uint(out, 2, temporality);
        }
        if data.monotonic && bits(&columns.monotonic) != 0 {
            put_uint(out, 3, 1);
        }
        end_message(out, message);
        Ok(())
    }

    /// Refuses tables with rows that nothing led to. Resources and scopes are not tables,
    /// and their attributes may be more than the rows use.
    fn all_used(&self) -> Result<(), OtapError> {
        let tables = self
            .tables
            .iter()
            .map(|table| (table.entity.payload, &table.children));
        let attributes = self
            .attributes
            .iter()
            .filter_map(|table| match table.payload {
                PayloadType::ResourceAttrs | PayloadType::ScopeAttrs => None,
                payload => Some((payload, &table.children)),
            });
        for (table, children) in tables.chain(attributes) {
            if let Some(place) = children.used.iter().position(|used| !used) {
                let row = children.row(place);
                return Err(OtapError::Orphan { table, row });
            }
        }
        Ok(())
    }
}
