//! Fields on the wire to cells of columns: numbers, text, ids, lists and the structs made
//! of them.

use arrow_schema::ArrowError;

use super::column::{Builder, Cell, List};
use super::model::{Column, Entity, Kind, MAX_COLUMNS, Presence};
use super::value::{self, Parts, fields, wrong_type};
use super::{Losses, OtapError};
use crate::wire::{DecodeError, DecodeErrorKind, Field, WireType, read_varint};

pub(super) fn schema_url(
    buf: &[u8],
    (start, end): (usize, usize),
    builder: &mut Builder,
    losses: &mut Losses,
) -> Result<(), OtapError> {
    let bytes = buf.get(start..end).unwrap_or_default();
    if bytes.is_empty() {
        builder.append(Cell::Null)?;
    } else {
        builder.append(Cell::Text(&value::text(bytes, losses)))?;
    }
    Ok(())
}

/// The wire type of a field.
fn wire_type(kind: Kind) -> WireType {
    match kind {
        Kind::Time
        | Kind::Duration
        | Kind::Fixed64
        | Kind::Sfixed64
        | Kind::Double
        | Kind::Doubles
        | Kind::Counts => WireType::Fixed64,
        Kind::Fixed32 => WireType::Fixed32,
        Kind::Int32 | Kind::Sint32 | Kind::Uint32 | Kind::Bool | Kind::Varints => WireType::Varint,
        Kind::Text | Kind::Words | Kind::Id(_) | Kind::Quantiles => WireType::Len,
    }
}

/// Notes the field of a column, or appends an element to a list.
pub(super) fn column(
    buf: &[u8],
    field: &Field,
    index: usize,
    entity: &'static Entity,
    found: &mut [Option<Field>],
    builders: &mut [Builder],
    losses: &mut Losses,
) -> Result<(), OtapError> {
    let Some(column) = entity.columns.get(index) else {
        return Ok(());
    };
    if let Some(list) = builders.get_mut(index).and_then(Builder::list) {
        return Ok(elements(
            buf,
            field,
            column.kind,
            list,
            entity.payload.name(),
            losses,
        )?);
    }
    if field.wire != wire_type(column.kind) {
        return Err(wrong_type(field, entity.payload.name()).into());
    }
    if column.presence == Presence::Oneof {
        for (other, slot) in entity.columns.iter().zip(found.iter_mut()) {
            if other.presence == Presence::Oneof {
                *slot = None;
            }
        }
    }
    if let Some(slot) = found.get_mut(index) {
        *slot = Some(*field);
    }
    Ok(())
}

/// Appends the elements of one occurrence of a list, packed or not.
fn elements(
    buf: &[u8],
    field: &Field,
    kind: Kind,
    list: &mut List,
    message: &'static str,
    losses: &mut Losses,
) -> Result<(), DecodeError> {
    if kind == Kind::Quantiles {
        if field.wire != WireType::Len {
            return Err(wrong_type(field, message));
        }
        let (mut quantile, mut value) = (0, 0);
        for field in fields(buf, &[(field.start, field.end)]) {
            let field = field?;
            match (field.number, field.wire) {
                (1, WireType::Fixed64) => quantile = field.uint(buf),
                (2, WireType::Fixed64) => value = field.uint(buf),
                (1 | 2, _) => return Err(wrong_type(&field, "ValueAtQuantile")),
                _ => losses.unknown_fields += 1,
            }
        }
        list.element(quantile, value);
        return Ok(());
    }
    if field.wire == wire_type(kind) {
        list.element(field.uint(buf), 0);
        return Ok(());
    }
    if field.wire != WireType::Len {
        return Err(wrong_type(field, message));
    }
    let packed = buf.get(..field.end).unwrap_or(buf);
    let mut at = field.start;
    while at < field.end {
        let (bits, end) = match kind {
            Kind::Varints => read_varint(packed, at),
            _ => packed
                .get(at..)
                .and_then(|rest| rest.first_chunk())
                .map(|bytes| (u64::from_le_bytes(*bytes), at + 8)),
        }
        .ok_or_else(|| DecodeError::new(at, DecodeErrorKind::Packed))?;
        list.element(bits, 0);
        at = end;
    }
    Ok(())
}

/// Appends the fields of a message to the columns of a struct; each column gets a value.
pub(super) fn scalars(
    buf: &[u8],
    parts: &Parts,
    columns: &[Column],
    builders: &mut [Builder],
    losses: &mut Losses,
) -> Result<(), OtapError> {
    let mut found = [None; MAX_COLUMNS];
    for field in fields(buf, parts) {
        let field = field?;
        let Some(index) = columns
            .iter()
            .position(|column| column.field == field.number)
        else {
            // The rest of a resource or scope is looked at with its attributes.
            continue;
        };
        let Some(column) = columns.get(index) else {
            continue;
        };
        if let Some(list) = builders.get_mut(index).and_then(Builder::list) {
            elements(buf, &field, column.kind, list, column.name, losses)?;
        } else if field.wire != wire_type(column.kind) {
            return Err(wrong_type(&field, column.name).into());
        } else if let Some(slot) = found.get_mut(index) {
            *slot = Some(field);
        }
    }
    for ((column, builder), found) in columns.iter().zip(builders).zip(&found) {
        append(buf, column, found.as_ref(), builder, losses)?;
    }
    Ok(())
}

/// Appends a field's value to its column, or what the column has without it.
pub(super) fn append(
    buf: &[u8],
    column: &Column,
    found: Option<&Field>,
    builder: &mut Builder,
    losses: &mut Losses,
) -> Result<(), ArrowError> {
    let required = column.presence == Presence::Required;
    let bytes = found.map_or(&[][..], |field| field.bytes(buf));
    match column.kind {
        Kind::Doubles | Kind::Counts | Kind::Varints | Kind::Quantiles => {
            builder.append(Cell::Null)
        }
        Kind::Text | Kind::Words if bytes.is_empty() && !required => builder.append(Cell::Null),
        Kind::Text | Kind::Words => builder.append(Cell::Text(&value::text(bytes, losses))),
        Kind::Id(size) => {
            let zeros = [0; 16];
            let none = zeros.get(..size as usize).unwrap_or_default();
            let fits = bytes.len() == none.len();
            if !fits && !bytes.is_empty() {
                losses.malformed_ids += 1;
            }
            match fits && bytes != none {
                true => builder.append(Cell::Bytes(bytes)),
                false if required => builder.append(Cell::Bytes(none)),
                false => builder.append(Cell::Null),
            }
        }
        kind => {
            let bits = found.map_or(0, |field| field.uint(buf));
            let bits = match kind {
                Kind::Sint32 => {
                    let bits = bits as u32;
                    u64::from((bits >> 1) ^ (bits & 1).wrapping_neg())
                }
                Kind::Int32 | Kind::Uint32 | Kind::Fixed32 => u64::from(bits as u32),
                _ => bits,
            };
            let present = match column.presence {
                Presence::Required => true,
                Presence::NonZero => bits != 0,
                Presence::Explicit | Presence::Oneof => found.is_some(),
            };
            builder.append(if present {
                Cell::Bits(bits)
            } else {
                Cell::Null
            })
        }
    }
}
