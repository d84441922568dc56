//! Filling the columns: one walk over each row, in which every field is stepped over, or found
//! to be an attribute or a field that somebody asked for.

use super::{
    Column, Entry, FieldSlot, Frame, NOT_SIMPLE, Others,
    entries::{FIELD, FILLED, OTHER, STAYS},
    finder::{Classes, Fill, Finder, Look, short_varint},
    holders::is_holder,
    kind, span,
};
use crate::{
    Signal,
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
        self.longest = 0;
        self.changed = 0;
        self.touched.clear();
        self.touched.resize(rows.len(), false);
        self.entries.clear();
        self.ends.clear();
        self.born.clear();
        self.in_order = true;
        self.turns = 0;
        self.any_others = false;
        self.forget_added();
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
        let interned = data.is_interned(self.level);
        let referring = data.signal == Signal::Profiles && is_holder(self.level);
        if interned {
            self.table.begin();
        }
        if interned || referring {
            // Values lie in the dictionary.
            self.longest = u32::MAX;
        }
        for (position, row) in rows.iter().enumerate() {
            let number = match plain {
                _ if interned => Some(0),
                Some(number) => Some(number),
                None => {
                    let kind = data.type_of(self.level, *row);
                    let found = self.level.attributes(self.signal, kind);
                    found.map(|(_, number)| number)
                }
            };
            let walked = match number {
                Some(_) if interned => self.walk_interned(data, position, *row),
                Some(number) if referring => self.walk_referring(data, position, *row, number),
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

    pub(super) fn walk(
        &mut self,
        data: &Data,
        position: usize,
        row: u32,
        number: u32,
    ) -> Result<(), Odd> {
        if is_holder(self.level) {
            return self.walk_holder(data, position, row, number);
        }
        let rows = data.level(self.level);
        let (at, mut seen) = (row as usize, 0);
        if rows.patch.get(at) == Some(&NONE) {
            let (Some(&start), Some(&end)) = (rows.start.get(at), rows.end.get(at)) else {
                return Err(Odd);
            };
            if end & ARENA == 0 {
                ask_for(&data.payload, end as usize);
            }
            return self.walk_run(data, position, (start, end), number, &mut seen);
        }
        if !data.is_live(self.level, row) {
            return Err(Odd);
        }
        let mut own = [Piece::Run { start: 0, end: 0 }];
        for piece in data.pieces_of(self.level, row, &mut own) {
            if let Piece::Run { start, end } = *piece {
                self.walk_run(data, position, (start, end), number, &mut seen)?;
            }
        }
        Ok(())
    }

    /// Walks over the fields between two addresses, and takes those that somebody asked for.
    /// `seen` are the fields of the row so far, by number.
    #[inline]
    pub(super) fn walk_run(
        &mut self,
        data: &Data,
        position: usize,
        (start, end): (u32, u32),
        number: u32,
        seen: &mut u32,
    ) -> Result<(), Odd> {
        let base = start & ARENA;
        let buf: &[u8] = if base == 0 {
            &data.payload
        } else {
            &data.arena
        };
        let (mut at, to) = ((start & !ARENA) as usize, (end & !ARENA) as usize);
        self.longest = self.longest.max(end.wrapping_sub(start));
        if (self.classes.number, self.classes.watched) != (number, self.watched) {
            self.classes = Classes::new(number, self.watched);
        }
        let look = Look {
            number,
            watched: self.watched,
            classes: &self.classes,
            short: match self.others {
                Others::None => u64::MAX,
                Others::Longer(most) => most.into(),
                Others::All => 0,
            },
            enough: match self.reads_only && self.watched == 0 && self.others == Others::None {
                true if self.finder.len() == 0 => 0,
                true => self.finder.len() + self.ends.last().map_or(0, |end| *end as usize),
                false => usize::MAX,
            },
        };
        // Nobody asks for anything.
        if look.enough == 0 {
            return Ok(());
        }
        let from = self.entries.len();
        let mut fill = Fill {
            columns: &mut self.columns,
            fixed: &self.fixed64,
            texts: &self.texts,
            position,
            base,
        };
        loop {
            let entries = &mut self.entries;
            at = self.finder.scan(buf, (at, to), &look, entries, &mut fill);
            if at >= to {
                break;
            }
            at = ordinary(&self.finder, buf, (at, to), &look, entries)?;
        }
        if at != to {
            return Err(Odd);
        }
        let found = self.entries.get(from..).unwrap_or_default();
        let rest = found.iter().any(|entry| entry.edit != FILLED);
        if base != 0 {
            for entry in self.entries.get_mut(from..).unwrap_or_default() {
                entry.head |= base;
                entry.end |= base;
                entry.key |= base;
                entry.value |= base;
            }
        }
        match rest {
            true => self.fill(data, buf, base, position, from, seen),
            false => Ok(()),
        }
    }

    /// Puts what was found in a run, whose addresses are like `base`, into the columns.
    fn fill(
        &mut self,
        data: &Data,
        buf: &[u8],
        base: u32,
        position: usize,
        from: usize,
        seen: &mut u32,
    ) -> Result<(), Odd> {
        let Frame {
            fields,
            simple,
            columns,
            entries,
            any_others,
            ..
        } = self;
        for entry in entries.get(from..).unwrap_or_default() {
            if entry.edit == FILLED {
                continue;
            }
            if entry.slot & FIELD == 0 {
                let at = (entry.value & !ARENA) as usize;
                let (kind, bits) = value_at(buf, base, at, entry.end & !ARENA).ok_or(Odd)?;
                let column = columns.get_mut(entry.slot as usize).ok_or(Odd)?;
                if !column.load(position, kind, bits) {
                    return Err(Odd);
                }
                continue;
            }
            if entry.slot == OTHER {
                // What cannot be read must not be found out later.
                value(data, entry.value, entry.end).ok_or(Odd)?;
                *any_others = true;
                continue;
            }
            let number = entry.slot & !FIELD;
            // A message that comes in two pieces would have to be merged.
            if *seen >> number & 1 == 1 {
                return Err(Odd);
            }
            *seen |= 1 << number;
            let (start, end) = (entry.key, entry.end);
            let one = simple.get(number as usize).copied().unwrap_or(NOT_SIMPLE);
            if let Some(slot) = fields.get(usize::from(one)) {
                let column = columns.get_mut(usize::from(slot.slot)).ok_or(Odd)?;
                let at = (start & !ARENA) as usize;
                let (kind, bits) = match (slot.layout, entry.key_len) {
                    (Layout::Fixed64, FIXED64) => (kind::INT, load8(buf, at)),
                    (Layout::Bytes, LEN) => (kind::STRING, span::between(start, end)),
                    (layout, wire) => {
                        let wire = wire_of(wire)?;
                        field_value(data, layout, wire, start, end).ok_or(Odd)?
                    }
                };
                if !column.load(position, kind, bits) {
                    return Err(Odd);
                }
                continue;
            }
            let wire = wire_of(entry.key_len)?;
            for slot in fields.iter().filter(|field| field.number == number) {
                let column = columns.get_mut(usize::from(slot.slot)).ok_or(Odd)?;
                let Some(within) = slot.within else {
                    let value = field_value(data, slot.layout, wire, start, end);
                    let (kind, bits) = value.ok_or(Odd)?;
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
        }
        Ok(())
    }
}

/// Looks at the field at `at` in the ordinary way; where it ends.
#[inline(never)]
fn ordinary(
    finder: &Finder,
    buf: &[u8],
    (at, to): (usize, usize),
    look: &Look<'_>,
    entries: &mut Vec<Entry>,
) -> Result<usize, Odd> {
    let within = buf.get(..to).unwrap_or_default();
    let field = read_field(within, at, MAX_DEPTH).map_err(|_| Odd)?;
    let mut found = Entry {
        slot: OTHER,
        head: at as u32,
        end: field.end as u32,
        key: field.start as u32,
        key_len: 0,
        value: field.start as u32,
        edit: STAYS,
    };
    if field.number == look.number {
        if field.wire != WireType::Len {
            return Err(Odd);
        }
        let (key, len, value) = entry(buf, field.start, field.end)?;
        let bytes = buf.get(key..key + len).ok_or(Odd)?;
        match finder.find(bytes) {
            Some(slot) => found.slot = slot as u32,
            None if (field.end - at) as u64 <= look.short => return Ok(field.end),
            None => {}
        }
        found.key = key as u32;
        found.key_len = len as u32;
        found.value = value as u32;
        entries.push(found);
        if entries.len() >= look.enough {
            return Ok(to);
        }
    } else if field.number < 32 && look.watched >> field.number & 1 == 1 {
        found.slot = FIELD | field.number;
        found.key_len = field.wire as u32;
        entries.push(found);
    }
    Ok(field.end)
}

const FIXED64: u32 = WireType::Fixed64 as u32;
const LEN: u32 = WireType::Len as u32;

/// The wire type with a number.
fn wire_of(number: u32) -> Result<WireType, Odd> {
    Ok(match number {
        0 => WireType::Varint,
        FIXED64 => WireType::Fixed64,
        LEN => WireType::Len,
        5 => WireType::Fixed32,
        _ => return Err(Odd),
    })
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
        (Layout::Uint64 | Layout::Int64, WireType::Varint) => (kind::INT, varint()?),
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

/// An attribute in the ordinary way: where its key is and how long, where its value begins.
/// Anything but a key and then a value is odd.
#[inline(never)]
pub(super) fn entry(buf: &[u8], body: usize, next: usize) -> Result<(usize, usize, usize), Odd> {
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
    if word & 0x80_80ff == 0x00_800a {
        // A string of up to 16,383 bytes.
        let long = (word >> 8 & 0x7f | word >> 9 & 0x3f80) as usize;
        if long + 3 == len {
            let start = (at + 3) as u32 | base;
            return Some((kind::STRING, span::between(start, end as u32 | base)));
        }
    }
    if word & 0xff == 0x18 && (2..=8).contains(&len) {
        // A varint of up to seven bytes.
        if let Some(value) = short_varint(word >> 8, len - 1) {
            return Some((kind::INT, value));
        }
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
