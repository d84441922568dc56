//! A request to OTAP tables: its messages walked on the wire, each item a row.

use smallvec::smallvec;

use super::column::Cell;
use super::field::{append, column, scalars, schema_url};
use super::model::{self, Entity, Kind, MAX_COLUMNS, METRIC_DATA};
use super::table::Set;
use super::value::{self, Parts, fields, wrong_type};
use super::{Losses, MAX_REQUEST, OtapError, PayloadType, Tables, too_large};
use crate::Signal;
use crate::wire::{Field, Fields, WireType};

/// How many rows an id of 16 bits numbers.
const MAX_ROWS: usize = 1 << 16;

/// Converts a request; see [`crate::Batch::record_batches`].
pub(super) fn tables(signal: Signal, buf: &[u8]) -> Result<(Vec<Tables>, Losses), OtapError> {
    let root = model::root(signal).ok_or(OtapError::Signal(signal))?;
    if buf.len() > MAX_REQUEST {
        return Err(too_large());
    }
    let mut writer = Writer {
        buf,
        signal,
        set: Set::new(signal, root),
        sets: Vec::new(),
        losses: Losses::default(),
        repeated: 0,
    };
    for field in fields(buf, &[(0, buf.len())]) {
        let field = field?;
        match (field.number, field.wire) {
            (1, WireType::Len) => writer.resource(field.start, field.end)?,
            (1, _) => return Err(wrong_type(&field, "the request").into()),
            _ => writer.losses.unknown_fields += 1,
        }
    }
    writer.flush()?;
    Ok((writer.sets, writer.losses))
}

/// A resource or scope, and its id in the current set once an item of it has a row.
#[derive(Default)]
struct Group {
    parts: Parts,
    schema_url: (usize, usize),
    id: Option<u32>,
}

struct Writer<'a> {
    buf: &'a [u8],
    signal: Signal,
    set: Set,
    sets: Vec<Tables>,
    losses: Losses,
    /// Bytes written that are repeated for each row or set, which a small request could
    /// otherwise make many of.
    repeated: usize,
}

impl Writer<'_> {
    /// A `ResourceSpans`, `ResourceLogs` or `ResourceMetrics`.
    fn resource(&mut self, start: usize, end: usize) -> Result<(), OtapError> {
        let parts = [(start, end)];
        let mut resource = self.group(&parts)?;
        let mut empty = true;
        for field in fields(self.buf, &parts) {
            let field = field?;
            if field.number == 2 {
                empty &= self.scope(&mut resource, field.start, field.end)?;
            }
        }
        self.losses.empty_groups += usize::from(empty);
        Ok(())
    }

    /// What a `ResourceX` or `ScopeX` has beside its list: field 1, the resource or
    /// scope, and field 3, the schema's URL.
    fn group(&mut self, parts: &[(usize, usize)]) -> Result<Group, OtapError> {
        let mut group = Group::default();
        for field in fields(self.buf, parts) {
            let field = field?;
            match (field.number, field.wire) {
                (1, WireType::Len) => group.parts.push((field.start, field.end)),
                (2, WireType::Len) => {}
                (3, WireType::Len) => group.schema_url = (field.start, field.end),
                (1..=3, _) => return Err(wrong_type(&field, "a resource's or scope's list").into()),
                _ => self.losses.unknown_fields += 1,
            }
        }
        Ok(group)
    }

    /// A `ScopeSpans`, `ScopeLogs` or `ScopeMetrics`; says whether it has no items.
    fn scope(&mut self, resource: &mut Group, start: usize, end: usize) -> Result<bool, OtapError> {
        let parts = [(start, end)];
        let mut scope = self.group(&parts)?;
        let mut empty = true;
        for field in fields(self.buf, &parts) {
            let field = field?;
            if field.number == 2 {
                empty = false;
                self.item(resource, &mut scope, field.start, field.end)?;
            }
        }
        self.losses.empty_groups += usize::from(empty);
        Ok(empty)
    }

    /// A span, log record or metric: a row of the root table.
    fn item(
        &mut self,
        resource: &mut Group,
        scope: &mut Group,
        start: usize,
        end: usize,
    ) -> Result<(), OtapError> {
        let root = &self.set.root;
        if self.set.rows() == MAX_ROWS
            || (resource.id.is_none() && root.resources == MAX_ROWS)
            || (scope.id.is_none() && root.scopes == MAX_ROWS)
        {
            self.flush()?;
            resource.id = None;
            scope.id = None;
        }
        let resource_id = match resource.id {
            Some(id) => id,
            None => {
                let id = self.set.root.resources as u32;
                self.set.root.resources += 1;
                self.group_attributes(&resource.parts, 1, PayloadType::ResourceAttrs, id)?;
                *resource.id.insert(id)
            }
        };
        let scope_id = match scope.id {
            Some(id) => id,
            None => {
                let id = self.set.root.scopes as u32;
                self.set.root.scopes += 1;
                self.group_attributes(&scope.parts, 3, PayloadType::ScopeAttrs, id)?;
                *scope.id.insert(id)
            }
        };
        let (buf, losses) = (self.buf, &mut self.losses);
        let root = &mut self.set.root;
        root.resource_ids
            .append(Cell::Bits(u64::from(resource_id)))?;
        schema_url(
            buf,
            resource.schema_url,
            &mut root.resource_schema_urls,
            losses,
        )?;
        scalars(
            buf,
            &resource.parts,
            model::RESOURCE,
            &mut root.resource,
            losses,
        )?;
        root.scope_ids.append(Cell::Bits(u64::from(scope_id)))?;
        scalars(buf, &scope.parts, model::SCOPE, &mut root.scope, losses)?;
        schema_url(buf, scope.schema_url, &mut root.schema_urls, losses)?;
        self.repeat(scope.schema_url.1 - scope.schema_url.0)?;
        let entity = model::root(self.signal).ok_or(OtapError::Signal(self.signal))?;
        self.row(entity, &[(start, end)], None)
    }

    /// Charges bytes that are written again and again.
    fn repeat(&mut self, bytes: usize) -> Result<(), OtapError> {
        self.repeated += bytes;
        if self.repeated > MAX_REQUEST {
            return Err(too_large());
        }
        Ok(())
    }

    /// Writes the attributes of a resource or scope, once a set.
    fn group_attributes(
        &mut self,
        parts: &Parts,
        number: u32,
        payload: PayloadType,
        id: u32,
    ) -> Result<(), OtapError> {
        let known: &[u32] = match payload {
            PayloadType::ResourceAttrs => &[2],
            _ => &[1, 2, 4],
        };
        for field in fields(self.buf, parts) {
            let field = field?;
            if field.number == number {
                self.attribute(payload, id, &field)?;
                self.repeat(field.end - field.start)?;
            } else if payload == PayloadType::ResourceAttrs && field.number == 3 {
                self.losses.entity_refs += 1;
            } else if !known.contains(&field.number) {
                self.losses.unknown_fields += 1;
            }
        }
        Ok(())
    }

    fn attribute(
        &mut self,
        payload: PayloadType,
        parent: u32,
        field: &Field,
    ) -> Result<(), OtapError> {
        if field.wire != WireType::Len {
            return Err(wrong_type(field, "a list of attributes").into());
        }
        let buf = self.buf;
        let losses = &mut self.losses;
        let ((start, end), parts) = value::key_value(buf, &[(field.start, field.end)], losses)?;
        let found = value::any(buf, &parts, losses)?;
        if let Some(table) = self
            .set
            .attributes
            .iter_mut()
            .find(|table| table.payload == payload)
        {
            table.rows += 1;
            table.parents.append(Cell::Bits(u64::from(parent)))?;
            let key = value::text(buf.get(start..end).unwrap_or_default(), losses);
            table.keys.append(Cell::Text(&key))?;
            table.values.append(buf, &found, losses)?;
        }
        Ok(())
    }

    /// A row of a table, and the rows of what it holds.
    fn row(
        &mut self,
        entity: &'static Entity,
        parts: &[(usize, usize)],
        parent: Option<u32>,
    ) -> Result<(), OtapError> {
        let buf = self.buf;
        let Some(at) = self
            .set
            .tables
            .iter()
            .position(|t| t.entity.payload == entity.payload)
        else {
            return Ok(());
        };
        let Some(table) = self.set.tables.get_mut(at) else {
            return Ok(());
        };
        let id = table.rows as u32;
        table.rows += 1;
        let mut found = [None; MAX_COLUMNS];
        let mut structs = [Parts::new(), Parts::new()];
        let mut body = Parts::new();
        let mut data: (u32, Parts) = (0, Parts::new());
        for &(start, end) in parts {
            for field in Fields::new(buf, start, end) {
                let field = field?;
                let part = (field.start, field.end);
                let number = field.number;
                if let Some(index) = entity
                    .columns
                    .iter()
                    .position(|column| column.field == number)
                {
                    let columns = self
                        .set
                        .tables
                        .get_mut(at)
                        .map(|table| table.columns.as_mut_slice());
                    column(
                        buf,
                        &field,
                        index,
                        entity,
                        &mut found,
                        columns.unwrap_or_default(),
                        &mut self.losses,
                    )?;
                    continue;
                }
                let is_data = entity.payload == PayloadType::UnivariateMetrics
                    && METRIC_DATA.iter().any(|data| data.field == number);
                let structure = entity.structs.iter().position(|part| part.field == number);
                let child = entity.children.iter().find(|(field, _)| *field == number);
                let known = is_data
                    || structure.is_some()
                    || child.is_some()
                    || entity.body == Some(number)
                    || entity.attributes.0 == number;
                if known && field.wire != WireType::Len {
                    return Err(wrong_type(&field, entity.payload.name()).into());
                }
                if entity.attributes.0 == number {
                    self.attribute(entity.attributes.1, id, &field)?;
                } else if let Some((_, child)) = child {
                    self.row(child, &[part], Some(id))?;
                } else if let Some(parts) = structure.and_then(|index| structs.get_mut(index)) {
                    parts.push(part);
                } else if entity.body == Some(number) {
                    body.push(part);
                } else if !is_data {
                    self.losses.unknown_fields += 1;
                } else if data.0 == number {
                    data.1.push(part);
                } else {
                    data = (number, smallvec![part]);
                }
            }
        }
        let Some(table) = self.set.tables.get_mut(at) else {
            return Ok(());
        };
        let losses = &mut self.losses;
        table.ids.append(Cell::Bits(u64::from(id)))?;
        if let (Some(parents), Some(parent)) = (&mut table.parents, parent) {
            parents.append(Cell::Bits(u64::from(parent)))?;
        }
        let mut start = 0;
        for ((column, builder), found) in entity.columns.iter().zip(&mut table.columns).zip(&found)
        {
            if column.kind == Kind::Duration {
                // Back from the duration comes the same end, also where it lies before
                // the start.
                let end = found.map_or(0, |field: Field| field.uint(buf));
                builder.append(Cell::Bits(end.wrapping_sub(start)))?;
                continue;
            }
            if column.name == "start_time_unix_nano" {
                start = found.map_or(0, |field: Field| field.uint(buf));
            }
            append(buf, column, found.as_ref(), builder, losses)?;
        }
        for ((part, (builders, nulls)), parts) in
            entity.structs.iter().zip(&mut table.structs).zip(&structs)
        {
            nulls.append(!parts.is_empty());
            scalars(buf, parts, part.columns, builders, losses)?;
        }
        if let Some(values) = &mut table.body {
            let value = value::any(buf, &body, losses)?;
            values.append(buf, &value, losses)?;
        }
        if entity.payload == PayloadType::UnivariateMetrics {
            self.metric_data(data.0, &data.1, id)?;
        }
        Ok(())
    }

    /// The columns of a metric that depend on its type, and its points.
    fn metric_data(&mut self, number: u32, parts: &Parts, id: u32) -> Result<(), OtapError> {
        let buf = self.buf;
        let (mut temporality, mut monotonic) = (0, 0);
        let data = METRIC_DATA.iter().find(|data| data.field == number);
        for field in fields(buf, parts) {
            let field = field?;
            match (field.number, data) {
                (1, Some(data)) if field.wire == WireType::Len => {
                    self.row(data.points, &[(field.start, field.end)], Some(id))?;
                }
                (2, Some(data)) if data.temporality && field.wire == WireType::Varint => {
                    temporality = u64::from(field.uint(buf) as u32);
                }
                (3, Some(data)) if data.monotonic && field.wire == WireType::Varint => {
                    monotonic = field.uint(buf);
                }
                (1, _) => return Err(wrong_type(&field, "a metric's points").into()),
                (2, Some(data)) if data.temporality => {
                    return Err(wrong_type(&field, "a metric's data").into());
                }
                (3, Some(data)) if data.monotonic => return Err(wrong_type(&field, "Sum").into()),
                _ => self.losses.unknown_fields += 1,
            }
        }
        let root = &mut self.set.root;
        let code = data.map_or(0, |data| data.metric_type);
        root.metric_types.append(Cell::Bits(u64::from(code)))?;
        let non_zero = |bits| {
            if bits == 0 {
                Cell::Null
            } else {
                Cell::Bits(bits)
            }
        };
        root.temporalities.append(non_zero(temporality))?;
        root.monotonic.append(non_zero(monotonic))?;
        Ok(())
    }

    /// Ends the current set, if it has rows.
    fn flush(&mut self) -> Result<(), OtapError> {
        let root = model::root(self.signal).ok_or(OtapError::Signal(self.signal))?;
        let set = std::mem::replace(&mut self.set, Set::new(self.signal, root));
        if set.rows() > 0 {
            self.sets.push(set.finish(self.signal)?);
        }
        Ok(())
    }
}
