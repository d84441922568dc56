//! Edits of attributes over many rows. A call's edits are sorted out once; then each row is
//! walked once, what becomes of its keys is worked out, and its pieces are put together anew.
//! What an edit makes lies in the arena. Whole lists of attributes are replaced here too.

use smallvec::SmallVec;

use super::{
    AttributeEdit, Data, Error, Level, Selection, Source, Values, When,
    attributes::{length_bit, next_attribute},
    data::{ARENA, NONE},
    pieces::{Piece, copy_run, each_field},
    shape::{Hit, Shapes, WORTHWHILE},
    value::{KeyValue, Value, same_key},
};
use crate::wire::{WireType, put_tag, put_varint, varint_len};

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
        let selected = match rows {
            Selection::All => self.level(level).len(),
            Selection::Rows(rows) => rows.len(),
        };
        // A patch of some pieces for nearly every row is what is to be expected.
        self.patches.reserve(selected.min(4096));
        self.pieces.reserve(selected.min(4096) * 6);
        self.for_selected(level, rows, |data, row| {
            data.edit_row(level, row, &mut program, &mut scratch)
        })
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
