//! Attributes of entities: reading one, and changing them over many rows at once. Each row is
//! walked once for all edits of a call, and what an edit makes lies in the arena.
//!
//! Duplicate keys are legal input. Reading finds the first, as the Collector does. Removing a
//! key removes every occurrence and setting it leaves one, in the place of the first, so that
//! nothing that a transform removed or overwrote is in the output.

use smallvec::SmallVec;

use super::{
    Data, Error, Level,
    data::{ARENA, Found, NONE, Piece, copy_run, each_field},
    shape::{Hit, Shapes, WORTHWHILE},
    value::{KeyValue, Value, same_key},
};
use crate::wire::{
    DecodeError, MAX_DEPTH, WireType, peek, put_tag, put_varint, read_field, skip_plain, varint_len,
};

/// Which rows an edit is for.
#[derive(Clone, Copy, Debug)]
pub enum Selection<'a> {
    /// All rows that are in the request.
    All,
    /// These. A row that was dropped is passed over.
    Rows(&'a [u32]),
}

/// When an attribute is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// In any case (upsert).
    Always,
    /// If the entity does not have it (insert).
    Absent,
    /// If the entity has it (update).
    Present,
}

/// Where the value of an attribute comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// The same for all rows.
    Value(Value<'a>),
    /// The entity's attribute of that key; without it nothing is set.
    Attribute(&'a [u8]),
    /// One value a row; rows without one are left alone.
    Rows(&'a Values),
}

/// A change of the attributes of an entity.
#[derive(Clone, Copy, Debug)]
pub enum AttributeEdit<'a> {
    /// Sets one.
    Set {
        /// Its key.
        key: &'a [u8],
        /// Its value.
        value: Source<'a>,
        /// Under which condition.
        when: When,
    },
    /// Removes one.
    Remove {
        /// Its key.
        key: &'a [u8],
    },
}

/// Values by row, as a kernel makes them: encoded one behind the other.
#[derive(Clone, Debug, Default)]
pub struct Values {
    bytes: Vec<u8>,
    /// Per row where its value ends, and whether it has one.
    ends: Vec<(u32, bool)>,
}

impl Values {
    /// No values yet; the first one pushed is row 0's.
    pub fn new() -> Self {
        Values::default()
    }

    /// The next row's value.
    pub fn push(&mut self, value: Value<'_>) {
        value.write(&mut self.bytes);
        self.ends.push((self.bytes.len() as u32, true));
    }

    /// The next row has none.
    pub fn push_none(&mut self) {
        self.ends.push((self.bytes.len() as u32, false));
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// A row's encoded `AnyValue`.
    pub fn get(&self, row: u32) -> Option<&[u8]> {
        let row = row as usize;
        let (end, true) = *self.ends.get(row)? else {
            return None;
        };
        let start = row
            .checked_sub(1)
            .and_then(|row| self.ends.get(row))
            .map_or(0, |end| end.0);
        self.bytes.get(start as usize..end as usize)
    }
}

/// What the edits of one call do, sorted out once for all rows.
struct Program<'a> {
    /// The keys that are read or written.
    keys: SmallVec<[&'a [u8]; 8]>,
    /// Bit per length of a key; the last one for all longer ones.
    lengths: u64,
    steps: SmallVec<[Step<'a>; 8]>,
}

enum Step<'a> {
    Remove {
        slot: usize,
    },
    Set {
        slot: usize,
        when: When,
        value: StepValue<'a>,
        key_field: SmallVec<[u8; 32]>,
    },
}

enum StepValue<'a> {
    /// Encoded, and where it was written for which field number.
    Constant(Vec<u8>, Option<(u32, New)>),
    Slot(usize),
    Rows(&'a Values),
}

/// An attribute in the arena: its field.
#[derive(Clone, Copy)]
struct New {
    head: u32,
    start: u32,
    end: u32,
}

#[derive(Clone, Copy)]
enum State {
    Absent,
    Original { start: u32, end: u32 },
    New(New),
}

#[inline(always)]
fn length_bit(len: usize) -> u64 {
    1 << len.min(63)
}

impl<'a> Program<'a> {
    fn new(edits: &[AttributeEdit<'a>]) -> Program<'a> {
        let mut program = Program {
            keys: SmallVec::new(),
            lengths: 0,
            steps: SmallVec::new(),
        };
        for edit in edits {
            let step = match *edit {
                AttributeEdit::Remove { key } => Step::Remove {
                    slot: program.slot(key),
                },
                AttributeEdit::Set { key, value, when } => {
                    let mut encoded = Vec::with_capacity(key.len() + 6);
                    crate::wire::put_bytes(&mut encoded, 1, key);
                    Step::Set {
                        slot: program.slot(key),
                        when,
                        value: match value {
                            Source::Value(value) => {
                                let mut bytes = Vec::new();
                                value.write(&mut bytes);
                                StepValue::Constant(bytes, None)
                            }
                            Source::Attribute(key) => StepValue::Slot(program.slot(key)),
                            Source::Rows(values) => StepValue::Rows(values),
                        },
                        key_field: SmallVec::from_slice(&encoded),
                    }
                }
            };
            program.steps.push(step);
        }
        program
    }

    fn slot(&mut self, key: &'a [u8]) -> usize {
        self.lengths |= length_bit(key.len());
        match self.keys.iter().position(|known| *known == key) {
            Some(slot) => slot,
            None => {
                self.keys.push(key);
                self.keys.len() - 1
            }
        }
    }

    /// Which of the keys an attribute has.
    #[inline(always)]
    fn find(&self, key: &[u8]) -> Option<usize> {
        if self.lengths & length_bit(key.len()) == 0 {
            return None;
        }
        self.keys.iter().position(|known| same_key(known, key))
    }
}

/// An attribute of interest found in a row: which key, in which piece, where.
#[derive(Clone, Copy)]
struct Occurrence {
    slot: u16,
    piece: u32,
    head: u32,
    end: u32,
}

/// Space used again from row to row.
struct Scratch {
    found: Vec<Occurrence>,
    states: Vec<State>,
    /// Slots in the order in which steps set them.
    order: Vec<u16>,
    placed: Vec<bool>,
    out: Vec<Piece>,
    hits: Vec<Hit>,
    shapes: Shapes,
    /// There are so many rows that learning their shapes is worth it.
    many: bool,
}

impl Data {
    /// Applies edits to the attributes of many rows, in order, each seeing what those before
    /// it did. Attributes of resources and scopes are those of the `Resource` and
    /// `InstrumentationScope`; of metrics, `metadata`; of exemplars, `filtered_attributes`.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] for a level without attributes, [`Error::Decode`] when an
    /// entity is not valid.
    pub fn edit_attributes(
        &mut self,
        level: Level,
        rows: Selection<'_>,
        edits: &[AttributeEdit<'_>],
    ) -> Result<(), Error> {
        self.load(level)?;
        let mut program = Program::new(edits);
        let mut scratch = Scratch {
            found: Vec::new(),
            states: Vec::new(),
            order: Vec::new(),
            placed: Vec::new(),
            out: Vec::new(),
            hits: Vec::new(),
            shapes: Shapes::new(false),
            many: match rows {
                Selection::All => self.level(level).len() >= WORTHWHILE,
                Selection::Rows(rows) => rows.len() >= WORTHWHILE,
            },
        };
        self.for_selected(level, rows, |data, row| {
            data.edit_row(level, row, &mut program, &mut scratch)
        })
    }

    /// Calls `edit` for every selected row that is in the request.
    pub(crate) fn for_selected(
        &mut self,
        level: Level,
        rows: Selection<'_>,
        mut edit: impl FnMut(&mut Data, u32) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.load(level)?;
        match rows {
            Selection::Rows(rows) => {
                for row in rows {
                    if self.is_live(level, *row) {
                        edit(self, *row)?;
                    }
                }
            }
            Selection::All if !self.restructured => {
                for row in 0..self.level(level).len() as u32 {
                    if self.level(level).place.get(row as usize) != Some(&NONE) {
                        edit(self, row)?;
                    }
                }
            }
            Selection::All => {
                for row in self.rows(level)? {
                    edit(self, row)?;
                }
            }
        }
        Ok(())
    }

    /// Whether a row, and all it is in, is in the request.
    #[inline]
    pub(crate) fn is_live(&self, level: Level, row: u32) -> bool {
        let (mut level, mut row) = (level, row);
        loop {
            let rows = self.level(level);
            match rows.place.get(row as usize) {
                Some(&NONE) | None => return false,
                Some(_) if level == Level::Request || !self.restructured => return true,
                Some(_) => {}
            }
            row = rows.parent.get(row as usize).copied().unwrap_or(NONE);
            level = level.parent();
        }
    }

    fn edit_row(
        &mut self,
        level: Level,
        row: u32,
        program: &mut Program<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let kind = self.type_of(level, row);
        let Some((sub, number)) = level.attributes(self.signal, kind) else {
            return Err(Error::NotApplicable(level));
        };
        match sub {
            None => {
                let mut own = [Piece::Run { start: 0, end: 0 }];
                let rows = self.level(level);
                let at = row as usize;
                let patch = rows.patch.get(at).copied().unwrap_or(NONE);
                let changed = if patch == NONE {
                    if let (Some(&start), Some(&end)) = (rows.start.get(at), rows.end.get(at)) {
                        own = [Piece::Run { start, end }];
                    }
                    self.edit_pieces(&own, number, row, program, scratch)?
                } else {
                    // The pieces are read while the arena grows: take them out meanwhile.
                    let pieces: SmallVec<[Piece; 16]> =
                        SmallVec::from_slice(self.patch_pieces(patch));
                    self.edit_pieces(&pieces, number, row, program, scratch)?
                };
                if changed {
                    self.set_pieces(level, row, &scratch.out)?;
                }
            }
            Some(sub) => {
                let bodies = self.sub_message(level, row, sub)?;
                if self.edit_pieces(&bodies, number, row, program, scratch)? {
                    let out = std::mem::take(&mut scratch.out);
                    let (head, end) = self.make_message(sub, &out)?;
                    scratch.out = out;
                    self.replace_fields(level, row, 1 << sub, Some((head, end)))?;
                }
            }
        }
        Ok(())
    }

    /// Applies the program to attributes in these pieces; the pieces that come of it are in
    /// `scratch.out`. Returns whether anything changed.
    fn edit_pieces(
        &mut self,
        pieces: &[Piece],
        number: u32,
        row: u32,
        program: &mut Program<'_>,
        scratch: &mut Scratch,
    ) -> Result<bool, Error> {
        let Scratch {
            found,
            states,
            order,
            placed,
            out,
            hits,
            shapes,
            many,
        } = scratch;
        found.clear();
        states.clear();
        states.resize(program.keys.len(), State::Absent);
        for (at, piece) in pieces.iter().enumerate() {
            let Piece::Run { start, end } = *piece else {
                continue;
            };
            let base = start & ARENA;
            let buf: &[u8] = if base == 0 {
                &self.payload
            } else {
                &self.arena
            };
            let (mut pos, end) = ((start & !ARENA) as usize, (end & !ARENA) as usize);
            let Some(buf) = buf.get(..end) else { continue };
            if base == 0
                && pieces.len() == 1
                && *many
                && shapes.find(&self.payload, pos, end, number, &program.keys, hits)
            {
                for hit in hits.iter() {
                    if let Some(state @ State::Absent) = states.get_mut(usize::from(hit.slot)) {
                        *state = State::Original {
                            start: hit.start as u32,
                            end: hit.end as u32,
                        };
                    }
                    found.push(Occurrence {
                        slot: hit.slot,
                        piece: at as u32,
                        head: hit.head as u32,
                        end: hit.end as u32,
                    });
                }
                continue;
            }
            while let Some(field) = next_attribute(buf, &mut pos, end, number, program.lengths)? {
                let entry = field.read(buf)?;
                if let Some(slot) = program.find(entry.key) {
                    let (start, end) = (field.start as u32 | base, field.end as u32 | base);
                    if let Some(state @ State::Absent) = states.get_mut(slot) {
                        *state = State::Original { start, end };
                    }
                    found.push(Occurrence {
                        slot: slot as u16,
                        piece: at as u32,
                        head: field.head as u32 | base,
                        end,
                    });
                }
            }
        }

        order.clear();
        let mut changed = false;
        for step in &mut program.steps {
            match step {
                Step::Remove { slot } => {
                    if let Some(state) = states.get_mut(*slot)
                        && !matches!(state, State::Absent)
                    {
                        *state = State::Absent;
                        changed = true;
                    }
                }
                Step::Set {
                    slot,
                    when,
                    value,
                    key_field,
                } => {
                    let present = !matches!(states.get(*slot), Some(State::Absent) | None);
                    match when {
                        When::Absent if present => continue,
                        When::Present if !present => continue,
                        _ => {}
                    }
                    let new = match value {
                        StepValue::Constant(bytes, made) => match made {
                            Some((of, new)) if *of == number => Some(*new),
                            _ => {
                                let new =
                                    self.make_attribute(number, key_field, Some(bytes.as_slice()))?;
                                *made = Some((number, new));
                                Some(new)
                            }
                        },
                        StepValue::Slot(from) => match states.get(*from) {
                            Some(State::Original { start, end })
                            | Some(State::New(New { start, end, .. })) => {
                                Some(self.copy_attribute(number, key_field, *start, *end)?)
                            }
                            _ => None,
                        },
                        StepValue::Rows(values) => match values.get(row) {
                            Some(bytes) => {
                                Some(self.make_attribute(number, key_field, Some(bytes))?)
                            }
                            None => None,
                        },
                    };
                    if let (Some(new), Some(state)) = (new, states.get_mut(*slot)) {
                        *state = State::New(new);
                        order.push(*slot as u16);
                        changed = true;
                    }
                }
            }
        }
        if !changed {
            return Ok(false);
        }

        out.clear();
        placed.clear();
        placed.resize(program.keys.len(), false);
        let mut next = found.iter().peekable();
        for (at, piece) in pieces.iter().enumerate() {
            let Piece::Run { start, end } = *piece else {
                out.push(*piece);
                continue;
            };
            let mut from = start;
            while let Some(occurrence) = next.next_if(|found| found.piece == at as u32) {
                let slot = usize::from(occurrence.slot);
                let new = match states.get(slot) {
                    Some(State::Original { .. }) => continue,
                    Some(State::New(new)) if placed.get(slot) == Some(&false) => Some(*new),
                    _ => None,
                };
                if from < occurrence.head {
                    out.push(Piece::Run {
                        start: from,
                        end: occurrence.head,
                    });
                }
                if let Some(new) = new {
                    out.push(Piece::Run {
                        start: new.head,
                        end: new.end,
                    });
                    if let Some(placed) = placed.get_mut(slot) {
                        *placed = true;
                    }
                }
                from = occurrence.end;
            }
            if from < end {
                out.push(Piece::Run { start: from, end });
            }
        }
        for slot in order.iter() {
            let slot = usize::from(*slot);
            if let (Some(State::New(new)), Some(placed @ false)) =
                (states.get(slot), placed.get_mut(slot))
            {
                *placed = true;
                // What was made in a row lies in a row.
                match out.last_mut() {
                    Some(Piece::Run { end, .. }) if *end == new.head => *end = new.end,
                    _ => out.push(Piece::Run {
                        start: new.head,
                        end: new.end,
                    }),
                }
            }
        }
        Ok(true)
    }

    /// Writes an attribute into the arena.
    #[inline]
    fn make_attribute(
        &mut self,
        number: u32,
        key_field: &[u8],
        value: Option<&[u8]>,
    ) -> Result<New, Error> {
        let mut body = key_field.len();
        if let Some(value) = value {
            body += 1 + varint_len(value.len() as u64) + value.len();
        }
        let (head, end) = self.make(|out| {
            put_tag(out, number, WireType::Len);
            put_varint(out, body as u64);
            out.extend_from_slice(key_field);
            if let Some(value) = value {
                crate::wire::put_bytes(out, 2, value);
            }
        })?;
        Ok(New {
            head,
            start: end - body as u32,
            end,
        })
    }

    /// Writes an attribute into the arena with the value of the one at these addresses.
    #[inline]
    fn copy_attribute(
        &mut self,
        number: u32,
        key_field: &[u8],
        start: u32,
        end: u32,
    ) -> Result<New, Error> {
        let bytes = self.bytes(start, end);
        let entry = KeyValue::read(bytes)?;
        if entry.split {
            let value = KeyValue::merged_value(bytes)?;
            return self.make_attribute(number, key_field, Some(&value));
        }
        let Some(value) = entry.value else {
            return self.make_attribute(number, key_field, None);
        };
        let from = start + (value.as_ptr() as usize - bytes.as_ptr() as usize) as u32;
        let len = value.len();
        let body = key_field.len() + 1 + varint_len(len as u64) + len;
        if self.arena.len() + body + 16 >= ARENA as usize {
            return Err(Error::TooLarge);
        }
        let head = self.arena.len() as u32 | ARENA;
        self.arena.reserve(body + 16);
        if body < 0x80 && number < 16 {
            // All lengths take one byte.
            self.arena
                .extend_from_slice(&[(number << 3 | 2) as u8, body as u8]);
            self.arena.extend_from_slice(key_field);
            self.arena.extend_from_slice(&[0x12, len as u8]);
        } else {
            put_tag(&mut self.arena, number, WireType::Len);
            put_varint(&mut self.arena, body as u64);
            self.arena.extend_from_slice(key_field);
            put_tag(&mut self.arena, 2, WireType::Len);
            put_varint(&mut self.arena, len as u64);
        }
        copy_run(&self.payload, &mut self.arena, from, from + len as u32);
        let end = self.arena.len() as u32 | ARENA;
        Ok(New {
            head,
            start: end - body as u32,
            end,
        })
    }

    /// Replaces the fields of a row whose numbers are in the bit set by one of the arena,
    /// in the place of the first of them, else at the end.
    pub(crate) fn replace_fields(
        &mut self,
        level: Level,
        row: u32,
        numbers: u32,
        new: Option<(u32, u32)>,
    ) -> Result<(), Error> {
        let patch = self.touch(level, row)?;
        let mut out: SmallVec<[Piece; 16]> = SmallVec::new();
        let mut new = new.map(|(start, end)| Piece::Run { start, end });
        for piece in self.patch_pieces(patch) {
            let Piece::Run { start, end } = *piece else {
                out.push(*piece);
                continue;
            };
            let mut from = start;
            each_field(&self.payload, &self.arena, start, end, |field| {
                if field.number < 32 && numbers >> field.number & 1 == 1 {
                    if from < field.head {
                        out.push(Piece::Run {
                            start: from,
                            end: field.head,
                        });
                    }
                    out.extend(new.take());
                    from = field.end;
                }
                Ok(())
            })?;
            if from < end {
                out.push(Piece::Run { start: from, end });
            }
        }
        out.extend(new);
        self.set_pieces(level, row, &out)
    }

    /// The pieces in which the attributes of a row are, and their field's number.
    pub(crate) fn attribute_pieces(
        &self,
        level: Level,
        row: u32,
    ) -> Result<(SmallVec<[Piece; 2]>, u32), Error> {
        let kind = self.type_of(level, row);
        let Some((sub, number)) = level.attributes(self.signal, kind) else {
            return Err(Error::NotApplicable(level));
        };
        let pieces = match sub {
            Some(sub) => self.sub_message(level, row, sub)?,
            None => {
                let mut own = [Piece::Run { start: 0, end: 0 }];
                SmallVec::from_slice(self.pieces_of(level, row, &mut own))
            }
        };
        Ok((pieces, number))
    }

    /// Calls `found` with the `KeyValue`s of a row, in order.
    pub(crate) fn for_attributes(
        &self,
        level: Level,
        row: u32,
        mut found: impl FnMut(Found),
    ) -> Result<(), Error> {
        let (pieces, number) = self.attribute_pieces(level, row)?;
        for piece in &pieces {
            if let Piece::Run { start, end } = *piece {
                each_field(&self.payload, &self.arena, start, end, |field| {
                    if field.number == number && field.wire == WireType::Len {
                        found(field);
                    }
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// The first attribute of a row with this key. `Some(Value::Empty)` is one without a value.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] for a level without attributes, [`Error::Decode`] when the
    /// entity is not valid.
    pub fn attribute(
        &mut self,
        level: Level,
        row: u32,
        key: &[u8],
    ) -> Result<Option<Value<'_>>, Error> {
        self.load(level)?;
        if !self.is_live(level, row) {
            return Err(Error::NoRow(level, row));
        }
        match self.find_value(level, row, key)? {
            Some((start, end)) => Ok(Some(Value::read(self.bytes(start, end))?)),
            None => Ok(None),
        }
    }

    /// The attributes of a row, in order: keys and encoded `AnyValue`s, none for a key without
    /// one. Of a value in several pieces, the last.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] for a level without attributes, [`Error::NoRow`],
    /// [`Error::Decode`] when the entity is not valid.
    pub fn attributes(&mut self, level: Level, row: u32) -> Result<Vec<KeyValue<'_>>, Error> {
        self.check_live(level, row)?;
        let mut found = Vec::new();
        let mut spans: SmallVec<[(u32, u32); 32]> = SmallVec::new();
        self.for_attributes(level, row, |field| spans.push((field.start, field.end)))?;
        for (start, end) in spans {
            found.push(KeyValue::read(self.bytes(start, end))?);
        }
        Ok(found)
    }

    /// The address of the encoded value of the first attribute with this key. Pieces of one
    /// are put together in the arena.
    pub(crate) fn find_value(
        &mut self,
        level: Level,
        row: u32,
        key: &[u8],
    ) -> Result<Option<(u32, u32)>, Error> {
        let kind = self.type_of(level, row);
        let Some((sub, number)) = level.attributes(self.signal, kind) else {
            return Err(Error::NotApplicable(level));
        };
        let found = match sub {
            None => {
                let mut own = [Piece::Run { start: 0, end: 0 }];
                find_key(
                    &self.payload,
                    &self.arena,
                    self.pieces_of(level, row, &mut own),
                    number,
                    key,
                )?
            }
            Some(sub) => {
                let bodies = self.sub_message(level, row, sub)?;
                find_key(&self.payload, &self.arena, &bodies, number, key)?
            }
        };
        let Some((start, end)) = found else {
            return Ok(None);
        };
        let bytes = self.bytes(start, end);
        let entry = KeyValue::read(bytes)?;
        if entry.split {
            let value = KeyValue::merged_value(bytes)?;
            return self.make(|out| out.extend_from_slice(&value)).map(Some);
        }
        Ok(Some(match entry.value {
            Some(value) => {
                let start = start + (value.as_ptr() as usize - bytes.as_ptr() as usize) as u32;
                (start, start + value.len() as u32)
            }
            None => (end, end),
        }))
    }

    /// Keeps the attributes for which `keep(key, value)` holds; the value is an encoded
    /// `AnyValue` (its last piece, should it come in several).
    ///
    /// # Errors
    /// [`Error::NotApplicable`] for a level without attributes, [`Error::Decode`] when an
    /// entity is not valid.
    pub fn retain_attributes(
        &mut self,
        level: Level,
        rows: Selection<'_>,
        mut keep: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), Error> {
        let mut out: Vec<Piece> = Vec::new();
        self.for_selected(level, rows, |data, row| {
            let (pieces, number) = data.attribute_pieces(level, row)?;
            out.clear();
            let mut changed = false;
            for piece in &pieces {
                let Piece::Run { start, end } = *piece else {
                    out.push(*piece);
                    continue;
                };
                let mut from = start;
                each_field(&data.payload, &data.arena, start, end, |field| {
                    if field.number == number && field.wire == WireType::Len {
                        let entry = KeyValue::read(data.bytes(field.start, field.end))?;
                        if !keep(entry.key, entry.value.unwrap_or_default()) {
                            changed = true;
                            if from < field.head {
                                out.push(Piece::Run {
                                    start: from,
                                    end: field.head,
                                });
                            }
                            from = field.end;
                        }
                    }
                    Ok(())
                })?;
                if from < end {
                    out.push(Piece::Run { start: from, end });
                }
            }
            if changed {
                data.put_attribute_pieces(level, row, &out)
            } else {
                Ok(())
            }
        })
    }

    /// Replaces all attributes of a row by these, in order.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] for a level without attributes, [`Error::NoRow`] for a row
    /// that is not there, [`Error::Decode`] when the entity is not valid.
    pub fn set_attributes(
        &mut self,
        level: Level,
        row: u32,
        attributes: &[(&[u8], Value<'_>)],
    ) -> Result<(), Error> {
        self.load(level)?;
        if !self.is_live(level, row) {
            return Err(Error::NoRow(level, row));
        }
        let (pieces, number) = self.attribute_pieces(level, row)?;
        let (start, end) = self.make(|out| {
            for (key, value) in attributes {
                KeyValue::write(out, number, key, value);
            }
        })?;
        let mut out: SmallVec<[Piece; 16]> = SmallVec::new();
        for piece in &pieces {
            let Piece::Run { start, end } = *piece else {
                out.push(*piece);
                continue;
            };
            let mut from = start;
            each_field(&self.payload, &self.arena, start, end, |field| {
                if field.number == number {
                    if from < field.head {
                        out.push(Piece::Run {
                            start: from,
                            end: field.head,
                        });
                    }
                    from = field.end;
                }
                Ok(())
            })?;
            if from < end {
                out.push(Piece::Run { start: from, end });
            }
        }
        if start < end {
            out.push(Piece::Run { start, end });
        }
        self.put_attribute_pieces(level, row, &out)
    }

    /// Makes these the pieces of the message that has a row's attributes.
    fn put_attribute_pieces(
        &mut self,
        level: Level,
        row: u32,
        pieces: &[Piece],
    ) -> Result<(), Error> {
        let kind = self.type_of(level, row);
        match level.attributes(self.signal, kind) {
            Some((Some(sub), _)) => {
                let new = self.make_message(sub, pieces)?;
                self.replace_fields(level, row, 1 << sub, Some(new))
            }
            _ => self.set_pieces(level, row, pieces),
        }
    }
}

/// An attribute found: offsets of its tag, its `KeyValue` and its end.
#[derive(Clone, Copy)]
struct Attribute {
    head: usize,
    start: usize,
    end: usize,
}

impl Attribute {
    #[inline(always)]
    fn read<'a>(&self, buf: &'a [u8]) -> Result<KeyValue<'a>, DecodeError> {
        KeyValue::read(buf.get(self.start..self.end).unwrap_or_default()).map_err(|mut error| {
            error.offset += self.start;
            error
        })
    }
}

/// The next field `number` (below 16) at or after `pos` that can have a key of one of these
/// lengths (see [`length_bit`]): others are stepped over without a closer look.
#[inline(always)]
fn next_attribute(
    buf: &[u8],
    pos: &mut usize,
    end: usize,
    number: u32,
    lengths: u64,
) -> Result<Option<Attribute>, DecodeError> {
    let tag = number << 3 | 2;
    while *pos < end {
        let head = *pos;
        if let Some(peeked) = peek(buf, head) {
            // The tag, a length of one byte, the key's tag, its length of one byte.
            if peeked & 0x80ff_80ff == 0x000a_0000 | tag {
                let (len, key) = ((peeked >> 8 & 0xff) as usize, (peeked >> 24) as usize);
                let next = head + 2 + len;
                if lengths & length_bit(key) == 0 && next <= end {
                    // Where there is more than a key and a value, the key could be given again.
                    let after = head + 4 + key;
                    if let Some(value) = buf.get(after..).and_then(|rest| rest.first_chunk::<2>())
                        && value[0] == 0x12
                        && after + 2 + usize::from(value[1]) == next
                    {
                        *pos = next;
                        continue;
                    }
                }
            } else if peeked & 0xff != tag
                && let Some(next) = skip_plain(peeked, head)
                && next <= end
            {
                *pos = next;
                continue;
            }
        }
        let field = read_field(buf, head, MAX_DEPTH)?;
        *pos = field.end;
        if field.number == number && field.wire == WireType::Len {
            return Ok(Some(Attribute {
                head,
                start: field.start,
                end: field.end,
            }));
        }
    }
    Ok(None)
}

/// The address of the first `KeyValue` with this key in these pieces.
#[inline]
pub(crate) fn find_key(
    payload: &[u8],
    arena: &[u8],
    pieces: &[Piece],
    number: u32,
    key: &[u8],
) -> Result<Option<(u32, u32)>, Error> {
    for piece in pieces {
        let Piece::Run { start, end } = *piece else {
            continue;
        };
        let base = start & ARENA;
        let buf = if base == 0 { payload } else { arena };
        let (mut pos, end) = ((start & !ARENA) as usize, (end & !ARENA) as usize);
        let Some(buf) = buf.get(..end) else { continue };
        while let Some(field) = next_attribute(buf, &mut pos, end, number, length_bit(key.len()))? {
            if same_key(field.read(buf)?.key, key) {
                return Ok(Some((field.start as u32 | base, field.end as u32 | base)));
            }
        }
    }
    Ok(None)
}
