//! Reading and writing one field of one entity.

use smallvec::SmallVec;

use super::{
    Data, Error, Field, FieldValue, Level, Selection,
    data::ARENA,
    fields::{Layout, Place},
    pieces::{Piece, each_field},
    rows::Found,
};
use crate::{
    Signal,
    wire::{
        DecodeError, DecodeErrorKind, WireType, put_bytes, put_fixed32, put_fixed64, put_uint,
        read_varint, zigzag,
    },
};

/// The fields of one message, the last of each number.
pub(crate) struct Scan {
    seen: u32,
    at: [(u32, u32); 32],
    wires: [WireType; 32],
    /// The oneof member that came last, of those in the bit set.
    last: u32,
    again: u32,
}

impl Scan {
    pub fn new() -> Scan {
        Scan {
            seen: 0,
            at: [(0, 0); 32],
            wires: [WireType::Len; 32],
            last: 0,
            again: 0,
        }
    }

    #[inline(always)]
    pub fn add(&mut self, field: &Found, oneof: u32) {
        if let (Some(at), Some(wire)) = (
            self.at.get_mut(field.number as usize),
            self.wires.get_mut(field.number as usize),
        ) {
            let bit = 1 << field.number;
            *at = (field.start, field.end);
            *wire = field.wire;
            self.again |= self.seen & bit;
            self.seen |= bit;
            if oneof & bit != 0 {
                self.last = field.number;
            }
        }
    }

    /// Where the value of a scalar or bytes field lies.
    pub fn get(&self, place: &Place) -> Option<(u32, u32, WireType)> {
        if self.seen >> place.number & 1 == 0 || place.oneof != 0 && self.last != place.number {
            return None;
        }
        let (start, end) = *self.at.get(place.number as usize)?;
        Some((start, end, *self.wires.get(place.number as usize)?))
    }
}

impl Data {
    /// The place of a field, and the row (of the metric's data, say) that has it.
    pub(crate) fn locate(
        &mut self,
        level: Level,
        row: u32,
        field: Field,
    ) -> Result<(Place, Level, u32), Error> {
        let kind = match (level, self.signal) {
            (Level::Item, Signal::Metrics)
                if matches!(field, Field::AggregationTemporality | Field::IsMonotonic) =>
            {
                self.metric_type(row)?
            }
            _ => self.type_of(level, row),
        };
        let place = field
            .place(self.signal, level, kind)
            .ok_or(Error::NotApplicable(level))?;
        if place.in_data {
            let data = self.metric_data(row)?.ok_or(Error::NotApplicable(level))?;
            return Ok((place, Level::MetricData, data));
        }
        Ok((place, level, row))
    }

    /// The value of a field of a row; `None` when it is not set (a proto3 field without
    /// presence then has its default value).
    ///
    /// # Errors
    /// [`Error::NotApplicable`] when such entities do not have it, [`Error::NoRow`],
    /// [`Error::Decode`] when the entity is not valid.
    pub fn field(
        &mut self,
        level: Level,
        row: u32,
        field: Field,
    ) -> Result<Option<FieldValue<'_>>, Error> {
        self.check_live(level, row)?;
        let (place, level, row) = self.locate(level, row, field)?;
        let pieces: SmallVec<[Piece; 16]> = match place.sub {
            Some(sub) => SmallVec::from_slice(&self.sub_message(level, row, sub)?),
            None => {
                let mut own = [Piece::Run { start: 0, end: 0 }];
                SmallVec::from_slice(self.pieces_of(level, row, &mut own))
            }
        };
        let Some((start, end, wire)) = self.read_place(&pieces, &place)? else {
            return Ok(None);
        };
        self.value_at(&place, start, end, wire).map(Some)
    }

    /// Where the value is; lists and messages in several pieces are put together in the arena.
    pub(crate) fn read_place(
        &mut self,
        pieces: &[Piece],
        place: &Place,
    ) -> Result<Option<(u32, u32, WireType)>, Error> {
        let mut found: SmallVec<[Found; 4]> = SmallVec::new();
        let mut scan = Scan::new();
        let repeated = matches!(
            place.layout,
            Layout::Message | Layout::Messages | Layout::Fixed64s | Layout::Varints
        );
        for piece in pieces {
            if let Piece::Run { start, end } = *piece {
                each_field(&self.payload, &self.arena, start, end, |field| {
                    scan.add(&field, place.oneof);
                    if repeated && field.number == place.number {
                        found.push(field);
                    }
                    Ok(())
                })?;
            }
        }
        if !repeated {
            return Ok(scan.get(place));
        }
        match found.as_slice() {
            [] => Ok(None),
            [one] if one.wire == WireType::Len && place.layout != Layout::Messages => {
                Ok(Some((one.start, one.end, WireType::Len)))
            }
            [one] if place.layout == Layout::Messages => {
                Ok(Some((one.head, one.end, WireType::Len)))
            }
            many => {
                let mut bytes = Vec::new();
                for field in many {
                    let from = if place.layout == Layout::Messages {
                        field.head
                    } else {
                        field.start
                    };
                    bytes.extend_from_slice(self.bytes(from, field.end));
                }
                let (start, end) = self.make(|out| out.extend_from_slice(&bytes))?;
                Ok(Some((start, end, WireType::Len)))
            }
        }
    }

    pub(crate) fn value_at(
        &self,
        place: &Place,
        start: u32,
        end: u32,
        wire: WireType,
    ) -> Result<FieldValue<'_>, Error> {
        let bytes = self.bytes(start, end);
        let number = || raw_number(bytes, wire);
        let wrong = || {
            let offset = (start & !ARENA) as usize;
            let kind = DecodeErrorKind::WireType {
                field: place.number,
                message: "the entity",
            };
            Error::Decode(DecodeError::new(offset, kind))
        };
        let wants = match place.layout {
            Layout::Uint32
            | Layout::Uint64
            | Layout::Int64
            | Layout::Enum
            | Layout::Sint32
            | Layout::Bool => WireType::Varint,
            Layout::Fixed32 => WireType::Fixed32,
            Layout::Fixed64 | Layout::Sfixed64 | Layout::Double => WireType::Fixed64,
            _ => WireType::Len,
        };
        if wire != wants {
            return Err(wrong());
        }
        Ok(match place.layout {
            Layout::Uint32 => FieldValue::Uint(u64::from(number() as u32)),
            Layout::Fixed32 | Layout::Fixed64 | Layout::Uint64 => FieldValue::Uint(number()),
            Layout::Enum => FieldValue::Int(i64::from(number() as i32)),
            Layout::Sint32 => {
                let coded = number() as u32;
                FieldValue::Int(i64::from((coded >> 1) as i32 ^ -((coded & 1) as i32)))
            }
            Layout::Sfixed64 | Layout::Int64 => FieldValue::Int(number() as i64),
            Layout::Double => FieldValue::Double(f64::from_bits(number())),
            Layout::Bool => FieldValue::Bool(number() != 0),
            Layout::Bytes | Layout::Id(_) => FieldValue::Bytes(bytes),
            Layout::Message => FieldValue::Message(bytes),
            Layout::Fixed64s | Layout::Varints => FieldValue::Packed(bytes),
            Layout::Messages => FieldValue::Fields(bytes),
        })
    }

    /// Sets a field of a row, or clears it. Setting a member of a oneof clears the others.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] when such entities do not have the field or `value` is not of
    /// its type, [`Error::NoRow`], [`Error::Decode`] when the entity is not valid.
    pub fn set_field(
        &mut self,
        level: Level,
        row: u32,
        field: Field,
        value: Option<FieldValue<'_>>,
    ) -> Result<(), Error> {
        self.check_live(level, row)?;
        let (place, level, row) = self.locate(level, row, field)?;
        let new = match value {
            Some(value) => Some(self.make_field(level, &place, value)?),
            None => None,
        };
        let numbers = place.oneof | 1 << place.number;
        match place.sub {
            // Clearing one member must not clear another.
            None if new.is_none() => self.replace_fields(level, row, 1 << place.number, None),
            None => self.replace_fields(level, row, numbers, new),
            Some(sub) => {
                let bodies = self.sub_message(level, row, sub)?;
                if bodies.is_empty() && new.is_none() {
                    return Ok(());
                }
                let mut out: SmallVec<[Piece; 16]> = SmallVec::new();
                for piece in &bodies {
                    let Piece::Run { start, end } = *piece else {
                        continue;
                    };
                    each_field(&self.payload, &self.arena, start, end, |field| {
                        if field.number != place.number {
                            match out.last_mut() {
                                Some(Piece::Run { end, .. }) if *end == field.head => {
                                    *end = field.end
                                }
                                _ => out.push(Piece::Run {
                                    start: field.head,
                                    end: field.end,
                                }),
                            }
                        }
                        Ok(())
                    })?;
                }
                out.extend(new.map(|(start, end)| Piece::Run { start, end }));
                let message = self.make_message(sub, &out)?;
                self.replace_fields(level, row, 1 << sub, Some(message))
            }
        }
    }

    /// Sets a field of many rows: `value` says for each what it becomes; `None` clears it.
    ///
    /// # Errors
    /// Those of [`Data::set_field`].
    pub fn set_fields<'v>(
        &mut self,
        level: Level,
        rows: Selection<'_>,
        field: Field,
        mut value: impl FnMut(u32) -> Option<FieldValue<'v>>,
    ) -> Result<(), Error> {
        self.for_selected(level, rows, |data, row| {
            data.set_field(level, row, field, value(row))
        })
    }

    fn make_field(
        &mut self,
        level: Level,
        place: &Place,
        value: FieldValue<'_>,
    ) -> Result<(u32, u32), Error> {
        let number = place.number;
        let refused = Err(Error::NotApplicable(level));
        match (place.layout, value) {
            (Layout::Uint32, FieldValue::Uint(value)) if value <= u64::from(u32::MAX) => {
                self.make(|out| put_uint(out, number, value))
            }
            (Layout::Uint64, FieldValue::Uint(value)) => {
                self.make(|out| put_uint(out, number, value))
            }
            (Layout::Int64, FieldValue::Int(value)) => {
                self.make(|out| put_uint(out, number, value as u64))
            }
            (Layout::Enum, FieldValue::Int(value)) if i32::try_from(value).is_ok() => {
                self.make(|out| put_uint(out, number, value as u64))
            }
            (Layout::Sint32, FieldValue::Int(value)) if i32::try_from(value).is_ok() => {
                self.make(|out| put_uint(out, number, zigzag(value)))
            }
            (Layout::Fixed32, FieldValue::Uint(value)) => match u32::try_from(value) {
                Ok(value) => self.make(|out| put_fixed32(out, number, value)),
                Err(_) => refused,
            },
            (Layout::Fixed64, FieldValue::Uint(value)) => {
                self.make(|out| put_fixed64(out, number, value))
            }
            (Layout::Sfixed64, FieldValue::Int(value)) => {
                self.make(|out| put_fixed64(out, number, value as u64))
            }
            (Layout::Double, FieldValue::Double(value)) => {
                self.make(|out| put_fixed64(out, number, value.to_bits()))
            }
            (Layout::Bool, FieldValue::Bool(value)) => {
                self.make(|out| put_uint(out, number, value.into()))
            }
            (Layout::Bytes | Layout::Id(_), FieldValue::Bytes(value))
            | (Layout::Message, FieldValue::Message(value)) => {
                self.make(|out| put_bytes(out, number, value))
            }
            (Layout::Fixed64s, FieldValue::Packed(value)) if value.len() % 8 == 0 => {
                self.make(|out| put_bytes(out, number, value))
            }
            (Layout::Varints, FieldValue::Packed(value)) if is_varints(value) => {
                self.make(|out| put_bytes(out, number, value))
            }
            (Layout::Messages, FieldValue::Fields(value))
                if crate::wire::Fields::all(value).all(|field| {
                    field.is_ok_and(|f| f.number == number && f.wire == WireType::Len)
                }) =>
            {
                self.make(|out| out.extend_from_slice(value))
            }
            _ => refused,
        }
    }
}

fn is_varints(bytes: &[u8]) -> bool {
    let mut pos = 0;
    while pos < bytes.len() {
        match read_varint(bytes, pos) {
            Some((_, next)) => pos = next,
            None => return false,
        }
    }
    true
}

pub(crate) fn raw_number(bytes: &[u8], wire: WireType) -> u64 {
    match wire {
        WireType::Varint => read_varint(bytes, 0).map_or(0, |(value, _)| value),
        WireType::Fixed64 => bytes.try_into().map_or(0, u64::from_le_bytes),
        WireType::Fixed32 => bytes
            .try_into()
            .map_or(0, |bytes| u32::from_le_bytes(bytes).into()),
        _ => 0,
    }
}
