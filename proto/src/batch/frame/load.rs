//! Filling the columns: one walk over each row, in which every field is stepped over, or found
//! to be an attribute or a field that somebody asked for.

use super::{
    Column, Entry, FieldSlot, Finder, Frame, Others,
    entries::{FIELD, OTHER, STAYS},
    holders::is_holder,
    kind, span,
};
use crate::{
    batch::{
        Data, Error, Level, Value,
        data::{ARENA, NONE},
        fields::Layout,
        pieces::Piece,
    },
    wire::{Fields, MAX_DEPTH, WireType, ask_for, read_field, read_varint},
};

/// What is found in a row that the frame leaves alone.
pub(super) struct Odd;

impl Frame {
    /// Loads rows, at most [`super::MAX_ROWS`]; more are passed over. What was in the frame
    /// before is forgotten.
    ///
    /// # Errors
    /// [`Error::Decode`] when what is around such rows is not valid.
    pub fn load(&mut self, data: &mut Data, rows: &[u32]) -> Result<(), Error> {
        data.load(self.level)?;
        let rows = rows.get(..super::MAX_ROWS).unwrap_or(rows);
        self.rows.clear();
        self.rows.extend_from_slice(rows);
        self.odd.clear();
        self.odd.resize(rows.len(), false);
        self.any_odd = false;
        self.changed = 0;
        self.touched.clear();
        self.touched.resize(rows.len(), false);
        self.entries.clear();
        self.ends.clear();
        self.births.clear();
        self.replacements.clear();
        self.heap.truncate(self.fixed);
        let attributes = self.finder.len();
        for (slot, column) in self.columns.iter_mut().enumerate() {
            let field = slot.checked_sub(attributes);
            let field = field.and_then(|at| self.fields.get(at));
            let (kind, bits) = field.map_or((kind::NIL, 0), |field| unset(field.layout));
            column.reset(rows.len(), kind, bits);
        }
        let number = self.level.attributes(self.signal, None);
        let plain = number.map(|(_, number)| number);
        for (position, row) in rows.iter().enumerate() {
            let number = match plain {
                Some(number) => Some(number),
                None => {
                    let kind = data.type_of(self.level, *row);
                    let found = self.level.attributes(self.signal, kind);
                    found.map(|(_, number)| number)
                }
            };
            let walked = match number {
                Some(number) => self.walk(data, position, *row, number),
                None => Err(Odd),
            };
            if walked.is_err() {
                self.give_up(position as u16);
            }
            self.ends.push(self.entries.len() as u32);
        }
        Ok(())
    }

    fn walk(&mut self, data: &Data, position: usize, row: u32, number: u32) -> Result<(), Odd> {
        if is_holder(self.level) {
            return self.walk_holder(data, position, row, number);
        }
        let rows = data.level(self.level);
        let at = row as usize;
        if rows.patch.get(at) == Some(&NONE) {
            let (Some(&start), Some(&end)) = (rows.start.get(at), rows.end.get(at)) else {
                return Err(Odd);
            };
            if end & ARENA == 0 {
                ask_for(&data.payload, end as usize);
            }
            return self.walk_run(data, position, start, end, number);
        }
        if !data.is_live(self.level, row) {
            return Err(Odd);
        }
        let mut own = [Piece::Run { start: 0, end: 0 }];
        for piece in data.pieces_of(self.level, row, &mut own) {
            if let Piece::Run { start, end } = *piece {
                self.walk_run(data, position, start, end, number)?;
            }
        }
        Ok(())
    }

    /// Walks over the fields between two addresses.
    pub(super) fn walk_run(
        &mut self,
        data: &Data,
        position: usize,
        start: u32,
        end: u32,
        number: u32,
    ) -> Result<(), Odd> {
        let base = start & ARENA;
        let buf: &[u8] = if base == 0 {
            &data.payload
        } else {
            &data.arena
        };
        let (mut at, to) = ((start & !ARENA) as usize, (end & !ARENA) as usize);
        let tag = u64::from(number << 3 | 2);
        let short = match self.others {
            Others::None => u64::MAX,
            Others::Longer(most) => most.into(),
            Others::All => 0,
        };
        loop {
            at = skim(&self.finder, buf, at, to, tag, self.watched, short);
            if at >= to {
                break;
            }
            let word = load8(buf, at);
            if word & 0xff == tag {
                let (body, len) = length(word, at).ok_or(()).or_else(|()| long(buf, at))?;
                let next = body + len;
                if next > to {
                    return Err(Odd);
                }
                self.attribute(data, buf, base, position, at, body, next)?;
                at = next;
                continue;
            }
            let field_number = (word & 0xff) >> 3;
            let step = match word & 0x87 {
                2 => length(word, at).map(|(body, len)| (body, body + len)),
                1 => Some((at + 1, at + 9)),
                5 => Some((at + 1, at + 5)),
                0 if word & 0x8000 == 0 => Some((at + 1, at + 2)),
                _ => None,
            };
            let (field_number, wire, body, next) = match step {
                Some((body, next)) if field_number != 0 => {
                    let wire = match word & 7 {
                        0 => WireType::Varint,
                        1 => WireType::Fixed64,
                        5 => WireType::Fixed32,
                        _ => WireType::Len,
                    };
                    (field_number as u32, wire, body, next)
                }
                _ => {
                    let within = buf.get(..to).unwrap_or_default();
                    let field = read_field(within, at, MAX_DEPTH).map_err(|_| Odd)?;
                    (field.number, field.wire, field.start, field.end)
                }
            };
            if next > to || field_number == number {
                return Err(Odd);
            }
            if field_number < 32 && self.watched >> field_number & 1 == 1 {
                let (body, next) = (body as u32 | base, next as u32 | base);
                self.field(data, position, field_number, wire, body, next)?;
                self.entries.push(Entry {
                    slot: FIELD | field_number,
                    head: at as u32 | base,
                    end: next,
                    key: body,
                    key_len: 0,
                    value: 0,
                    edit: STAYS,
                });
            }
            at = next;
        }
        match at == to {
            true => Ok(()),
            false => Err(Odd),
        }
    }

    /// An attribute in `buf[body..next]`, its tag at `head`.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn attribute(
        &mut self,
        data: &Data,
        buf: &[u8],
        base: u32,
        position: usize,
        head: usize,
        body: usize,
        next: usize,
    ) -> Result<(), Odd> {
        let word = load8(buf, body);
        let key_len = (word >> 8 & 0xff) as usize;
        let behind = load8(buf, body + 2 + key_len);
        let (key, key_len, value) = if word & 0x80ff == 0x0a
            && behind & 0x80ff == 0x12
            && body + 4 + key_len + (behind >> 8 & 0x7f) as usize == next
        {
            (body + 2, key_len, body + 4 + key_len)
        } else {
            entry(buf, body, next)?
        };
        let key_bytes = buf.get(key..key + key_len).ok_or(Odd)?;
        let (head, next) = (head as u32 | base, next as u32 | base);
        let mut entry = Entry {
            slot: OTHER,
            head,
            end: next,
            key: key as u32 | base,
            key_len: key_len as u32,
            value: value as u32 | base,
            edit: STAYS,
        };
        match self.finder.find(key_bytes) {
            Some(slot) => {
                let (kind, bits) = value_at(buf, base, value, next & !ARENA).ok_or(Odd)?;
                if !self
                    .columns
                    .get_mut(slot)
                    .is_some_and(|column| column.load(position, kind, bits))
                {
                    return Err(Odd);
                }
                entry.slot = slot as u32;
            }
            None => match self.others {
                Others::None => return Ok(()),
                Others::Longer(most) if next - head <= most => return Ok(()),
                _ => {
                    // What cannot be read must not be found out later.
                    self::value(data, entry.value, entry.end).ok_or(Odd)?;
                }
            },
        }
        self.entries.push(entry);
        Ok(())
    }

    /// A field that is watched, at these addresses.
    fn field(
        &mut self,
        data: &Data,
        position: usize,
        number: u32,
        wire: WireType,
        start: u32,
        end: u32,
    ) -> Result<(), Odd> {
        let Frame {
            fields, columns, ..
        } = self;
        for slot in fields.iter().filter(|field| field.number == number) {
            let column = columns.get_mut(usize::from(slot.slot)).ok_or(Odd)?;
            let Some(within) = slot.within else {
                let (kind, bits) = field_value(data, slot.layout, wire, start, end).ok_or(Odd)?;
                if !column.load(position, kind, bits) {
                    return Err(Odd);
                }
                continue;
            };
            if wire != WireType::Len {
                return Err(Odd);
            }
            sub_field(data, column, position, slot, within, start, end)?;
        }
        // A message that comes in two pieces would have to be merged.
        let from = self.ends.last().copied().unwrap_or(0) as usize;
        let twice = self.entries.get(from..).unwrap_or_default();
        match twice.iter().any(|entry| entry.slot == FIELD | number) {
            true => Err(Odd),
            false => Ok(()),
        }
    }
}

/// Bytes by which a field is judged: tag and length, a key of up to 127 bytes, tag and length of
/// the value, so that one check of bounds is enough.
const WINDOW: usize = 144;

#[inline(always)]
fn load2(window: &[u8; WINDOW], at: usize) -> u64 {
    match window.get(at..).and_then(|rest| rest.first_chunk::<2>()) {
        Some(bytes) => u16::from_le_bytes(*bytes).into(),
        None => 0,
    }
}

/// Steps over what nobody asked for, as far as that can be seen by a few bytes of each field:
/// where the first field begins that has to be looked at, or the end of what is no field. A
/// function of its own so that nothing else competes for registers.
#[inline(never)]
fn skim(
    finder: &Finder,
    buf: &[u8],
    mut at: usize,
    to: usize,
    tag: u64,
    watched: u32,
    short: u64,
) -> usize {
    while at < to {
        let window = buf.get(at..).and_then(|rest| rest.first_chunk::<WINDOW>());
        let Some(window) = window else {
            return at;
        };
        let word = match window.first_chunk::<8>() {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => return at,
        };
        let (len, key_len) = (word >> 8 & 0xff, word >> 24 & 0x7f);
        if word & 0x80ff_80ff == 0x000a_0000 | tag {
            let last = window.get(3 + key_len as usize).copied().unwrap_or(0);
            let value = load2(window, 4 + key_len as usize);
            if value != (len.wrapping_sub(key_len + 4) << 8 | 0x12)
                || len + 2 > short
                || finder.may_have(key_len as usize, last)
            {
                return at;
            }
            at += 2 + len as usize;
            continue;
        }
        let first = word & 0xff;
        if first == tag || !(8..0x80).contains(&first) || watched >> (first >> 3) & 1 == 1 {
            return at;
        }
        at += match first & 7 {
            2 if len < 0x80 => 2 + len as usize,
            2 if word & 0x80_0000 == 0 => 3 + ((word >> 8 & 0x7f) + (word >> 9 & 0x3f80)) as usize,
            1 => 9,
            5 => 5,
            0 if word & 0x8000 == 0 => 2,
            _ => return at,
        };
    }
    at
}

fn sub_field(
    data: &Data,
    column: &mut Column,
    position: usize,
    slot: &FieldSlot,
    within: u32,
    start: u32,
    end: u32,
) -> Result<(), Odd> {
    let body = data.bytes(start, end);
    for field in Fields::all(body) {
        let field = field.map_err(|_| Odd)?;
        if field.number == within {
            let (from, to) = (start + field.start as u32, start + field.end as u32);
            let (kind, bits) = field_value(data, slot.layout, field.wire, from, to).ok_or(Odd)?;
            if !column.load(position, kind, bits) {
                return Err(Odd);
            }
        }
    }
    Ok(())
}

/// What a field is that is not set.
pub(super) fn unset(layout: Layout) -> (u8, u64) {
    match layout {
        Layout::Double => (kind::DOUBLE, 0),
        Layout::Bool => (kind::BOOL, 0),
        Layout::Bytes => (kind::STRING, span::heap(0, 0)),
        Layout::Id(_) => (kind::BYTES, span::heap(0, 0)),
        Layout::Message => (kind::NIL, 0),
        _ => (kind::INT, 0),
    }
}

/// The value of a field at these addresses; `None` when it is not of the field's wire type.
pub(super) fn field_value(
    data: &Data,
    layout: Layout,
    wire: WireType,
    start: u32,
    end: u32,
) -> Option<(u8, u64)> {
    let bytes = data.bytes(start, end);
    let varint = || read_varint(bytes, 0).map(|(value, _)| value);
    let fixed = || bytes.first_chunk::<8>().map(|b| u64::from_le_bytes(*b));
    Some(match (layout, wire) {
        (Layout::Uint32, WireType::Varint) => (kind::INT, u64::from(varint()? as u32)),
        (Layout::Enum, WireType::Varint) => (kind::INT, i64::from(varint()? as i32) as u64),
        (Layout::Sint32, WireType::Varint) => {
            let coded = varint()? as u32;
            let value = (coded >> 1) as i32 ^ -((coded & 1) as i32);
            (kind::INT, i64::from(value) as u64)
        }
        (Layout::Bool, WireType::Varint) => (kind::BOOL, u64::from(varint()? != 0)),
        (Layout::Fixed32, WireType::Fixed32) => {
            let bytes = bytes.first_chunk::<4>()?;
            (kind::INT, u64::from(u32::from_le_bytes(*bytes)))
        }
        (Layout::Fixed64 | Layout::Sfixed64, WireType::Fixed64) => (kind::INT, fixed()?),
        (Layout::Double, WireType::Fixed64) => (kind::DOUBLE, fixed()?),
        (Layout::Bytes, WireType::Len) => (kind::STRING, span::between(start, end)),
        (Layout::Id(_), WireType::Len) => (kind::BYTES, span::between(start, end)),
        (Layout::Message, WireType::Len) => return value(data, start, end),
        _ => return None,
    })
}

/// The eight bytes at `at`, little-endian; zeros behind the end.
#[inline(always)]
pub(super) fn load8(buf: &[u8], at: usize) -> u64 {
    match buf.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => load_last(buf, at),
    }
}

#[cold]
fn load_last(buf: &[u8], at: usize) -> u64 {
    let rest = buf.get(at..).unwrap_or_default();
    rest.iter()
        .take(8)
        .rev()
        .fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Where the body of a field with a length of one or two bytes begins, and the length.
#[inline(always)]
fn length(word: u64, at: usize) -> Option<(usize, usize)> {
    let len = (word >> 8 & 0xff) as usize;
    if len < 0x80 {
        return Some((at + 2, len));
    }
    let long = (word >> 8 & 0x7f) + (word >> 9 & 0x3f80);
    (word & 0x80_0000 == 0).then_some((at + 3, long as usize))
}

/// As [`length`], of any length.
#[cold]
fn long(buf: &[u8], at: usize) -> Result<(usize, usize), Odd> {
    let (len, body) = read_varint(buf, at + 1).ok_or(Odd)?;
    let len = usize::try_from(len).map_err(|_| Odd)?;
    (len <= buf.len()).then_some((body, len)).ok_or(Odd)
}

/// An entry that is longer than most: where its key is and how long, where its value begins.
/// Anything but a key and then a value is odd.
#[inline(never)]
fn entry(buf: &[u8], body: usize, next: usize) -> Result<(usize, usize, usize), Odd> {
    let mut fields = Fields::new(buf, body, next);
    let mut field = |number| match fields.next() {
        Some(Ok(field)) if field.number == number && field.wire == WireType::Len => Ok(field),
        _ => Err(Odd),
    };
    let (key, value) = (field(1)?, field(2)?);
    if fields.next().is_some() {
        return Err(Odd);
    }
    Ok((key.start, key.end - key.start, value.start))
}

/// The value encoded in `buf[at..end]`; `None` when it is not valid.
#[inline(always)]
fn value_at(buf: &[u8], base: u32, at: usize, end: u32) -> Option<(u8, u64)> {
    let end = end as usize;
    let word = load8(buf, at);
    let len = end.wrapping_sub(at);
    let short = (word >> 8 & 0xff) as usize;
    if word & 0x80ff == 0x0a && short + 2 == len {
        let start = (at + 2) as u32 | base;
        return Some((kind::STRING, span::between(start, end as u32 | base)));
    }
    if word & 0xff == 0x18 && (len == 2 && short < 0x80 || len == 3 && word & 0x80_8000 == 0x8000) {
        let value = if len == 2 {
            short as u64
        } else {
            (word >> 8 & 0x7f) | (word >> 9 & 0x3f80)
        };
        return Some((kind::INT, value));
    }
    any_value(buf, base, at, end)
}

#[inline(never)]
fn any_value(buf: &[u8], base: u32, at: usize, end: usize) -> Option<(u8, u64)> {
    let bytes = buf.get(at..end)?;
    let address = |part: &[u8]| {
        let from = (part.as_ptr() as usize).wrapping_sub(bytes.as_ptr() as usize);
        let start = at + if part.is_empty() { 0 } else { from };
        span::between(start as u32 | base, (start + part.len()) as u32 | base)
    };
    Some(match Value::read(bytes).ok()? {
        Value::Empty | Value::StringIndex(_) => (kind::NIL, 0),
        Value::String(text) => (kind::STRING, address(text)),
        Value::Bool(value) => (kind::BOOL, value.into()),
        Value::Int(value) => (kind::INT, value as u64),
        Value::Double(value) => (kind::DOUBLE, value.to_bits()),
        Value::Bytes(bytes) => (kind::BYTES, address(bytes)),
        Value::List(any) => (kind::LIST, address(any)),
        Value::Map(any) => (kind::MAP, address(any)),
    })
}

/// The value encoded between two addresses.
pub(super) fn value(data: &Data, start: u32, end: u32) -> Option<(u8, u64)> {
    let base = start & ARENA;
    let buf: &[u8] = if base == 0 {
        &data.payload
    } else {
        &data.arena
    };
    value_at(buf, base, (start & !ARENA) as usize, end & !ARENA)
}

impl Data {
    /// The rows of a level that are in the request, in the order in which they would be written,
    /// put into `out` instead of what it held.
    ///
    /// # Errors
    /// [`Error::Decode`] when what is around such rows is not valid.
    pub fn rows_into(&mut self, level: Level, out: &mut Vec<u32>) -> Result<(), Error> {
        out.clear();
        if self.restructured {
            *out = self.rows(level)?;
            return Ok(());
        }
        self.load(level)?;
        let places = self.level(level).place.iter();
        out.extend(
            (0u32..)
                .zip(places)
                .filter_map(|(row, place)| (*place != NONE).then_some(row)),
        );
        Ok(())
    }
}
