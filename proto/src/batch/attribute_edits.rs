//! Edits of attributes over many rows. Each row is walked once, what becomes of its keys is
//! looked up or worked out ([`super::edit_program`]), and its pieces are put together anew.
//! What an edit makes lies in the arena. Whole lists of attributes are replaced here too.

use smallvec::SmallVec;

use super::{
    AttributeEdit, Data, Error, Level, Selection, Value, When,
    data::{ARENA, NONE},
    edit_program::{From, New, Program, Step, StepValue},
    pieces::{Patch, Piece, copy_run, each_field},
    scan::Hit,
    value::KeyValue,
};
use crate::wire::{WireType, put_tag, put_varint, varint_len};

#[derive(Clone, Copy)]
enum State {
    Absent,
    Original { start: u32, end: u32 },
    New(New),
}

/// Space used again from row to row.
struct Scratch {
    hits: Vec<Hit>,
    /// Of the hits, how many were found up to the end of each piece.
    per_piece: Vec<usize>,
    made: Vec<New>,
    states: Vec<State>,
    /// Slots in the order in which steps set them.
    order: Vec<usize>,
    out: Vec<Piece>,
    /// The program can be planned.
    planned: bool,
    /// The rows of this parent are pieces of their own.
    parent: u32,
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
            hits: Vec::new(),
            per_piece: Vec::new(),
            made: Vec::new(),
            states: Vec::new(),
            order: Vec::new(),
            out: Vec::new(),
            planned: program.can_be_planned(),
            parent: NONE,
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

    #[inline(always)]
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
        let rows = self.level(level);
        let at = row as usize;
        if sub.is_none()
            && scratch.planned
            && rows.patch.get(at) == Some(&NONE)
            && let (Some(&start), Some(&end)) = (rows.start.get(at), rows.end.get(at))
            && end & ARENA == 0
        {
            scratch.hits.clear();
            let (from, to) = (start as usize, end as usize);
            program.find(&self.payload, from, to, number, &mut scratch.hits)?;
            if let Some(plan) = program.plan(&scratch.hits) {
                return self.edit_as_planned(level, row, number, program, plan, scratch);
            }
        }
        self.edit_any_row(level, row, sub, number, program, scratch)
    }

    /// Edits a row that nothing changed yet and of which the plan says what to do.
    #[inline(always)]
    fn edit_as_planned(
        &mut self,
        level: Level,
        row: u32,
        number: u32,
        program: &mut Program<'_>,
        index: usize,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let hits = scratch.hits.as_slice();
        // Constants are written first: the plan is read while the arena grows.
        scratch.made.clear();
        for make in 0..program.plan_at(index).map_or(0, |plan| plan.makes.len()) {
            let Some(make) = program
                .plan_at(index)
                .and_then(|plan| plan.makes.get(make).copied())
            else {
                break;
            };
            let Some(Step::Set {
                value, key_field, ..
            }) = program.steps.get_mut(usize::from(make.step))
            else {
                break;
            };
            let new = match make.from {
                From::Constant => match value {
                    StepValue::Constant(bytes, made) => {
                        self.make_constant(number, key_field, bytes, made)?
                    }
                    _ => break,
                },
                From::Hit(hit) => match hits.get(usize::from(hit)) {
                    Some(hit) => self.copy_value_field(number, key_field, hit.value, hit.end)?,
                    None => break,
                },
                From::Made(new) => match scratch.made.get(usize::from(new)).copied() {
                    Some(New {
                        value: 0,
                        start,
                        end,
                        ..
                    }) => self.copy_attribute(number, key_field, start, end)?,
                    Some(New { value, end, .. }) => {
                        self.copy_value_field(number, key_field, value, end)?
                    }
                    None => break,
                },
            };
            scratch.made.push(new);
        }
        let Some(plan) = program
            .plan_at(index)
            .filter(|plan| !plan.changes_nothing())
        else {
            return Ok(());
        };

        let at = row as usize;
        let rows = self.level(level);
        let (Some(&parent), Some(&start), Some(&end)) =
            (rows.parent.get(at), rows.start.get(at), rows.end.get(at))
        else {
            return Err(Error::NoRow(level, row));
        };
        if parent != scratch.parent {
            self.explode(level, parent)?;
            scratch.parent = parent;
        }
        self.edited = true;
        let first = self.next_piece()?;
        let mut from = start;
        for cut in &plan.cuts {
            let Some(hit) = hits.get(usize::from(cut.hit)) else {
                continue;
            };
            if from < hit.head {
                self.pieces.push(Piece::Run {
                    start: from,
                    end: hit.head,
                });
            }
            if let Some(new) = cut.new.and_then(|new| scratch.made.get(usize::from(new))) {
                self.pieces.push(Piece::Run {
                    start: new.head,
                    end: new.end,
                });
            }
            from = hit.end;
        }
        if from < end {
            self.pieces.push(Piece::Run { start: from, end });
        }
        // What was made in a row lies in a row.
        let mut last = (0, 0);
        for new in &plan.tail {
            let Some(new) = scratch.made.get(usize::from(*new)) else {
                continue;
            };
            if last.1 != new.head {
                if last.0 != last.1 {
                    let (start, end) = last;
                    self.pieces.push(Piece::Run { start, end });
                }
                last.0 = new.head;
            }
            last.1 = new.end;
        }
        if last.0 != last.1 {
            let (start, end) = last;
            self.pieces.push(Piece::Run { start, end });
        }
        let len = self.pieces.len() as u32 - first;
        let patch = self.patches.len() as u32;
        self.patches.push(Patch {
            first,
            len,
            cap: len,
            exploded: 0,
            lost: 0,
        });
        if let Some(slot) = self.level_mut(level).patch.get_mut(at) {
            *slot = patch;
        }
        Ok(())
    }

    /// Edits a row that may have been changed before, or has its attributes in a message of
    /// their own.
    fn edit_any_row(
        &mut self,
        level: Level,
        row: u32,
        sub: Option<u32>,
        number: u32,
        program: &mut Program<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        match sub {
            None => {
                // The pieces are read while the arena grows: take them out meanwhile.
                let mut own = [Piece::Run { start: 0, end: 0 }];
                let pieces: SmallVec<[Piece; 16]> =
                    SmallVec::from_slice(self.pieces_of(level, row, &mut own));
                if self.edit_pieces(&pieces, number, row, program, scratch)? {
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
            hits,
            per_piece,
            states,
            order,
            out,
            ..
        } = scratch;
        hits.clear();
        per_piece.clear();
        states.clear();
        states.resize(program.scanner.len(), State::Absent);
        for piece in pieces {
            if let Piece::Run { start, end } = *piece {
                let base = start & ARENA;
                let buf: &[u8] = if base == 0 {
                    &self.payload
                } else {
                    &self.arena
                };
                let known = hits.len();
                let (from, to) = ((start & !ARENA) as usize, (end & !ARENA) as usize);
                program.find(buf, from, to, number, hits)?;
                for hit in hits.iter_mut().skip(known) {
                    hit.head |= base;
                    hit.start |= base;
                    hit.end |= base;
                    if let Some(state @ State::Absent) = states.get_mut(hit.slot as usize) {
                        let (start, end) = (hit.start, hit.end);
                        *state = State::Original { start, end };
                    }
                }
            }
            per_piece.push(hits.len());
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
                        StepValue::Constant(bytes, made) => {
                            Some(self.make_constant(number, key_field, bytes, made)?)
                        }
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
                        order.push(*slot);
                        changed = true;
                    }
                }
            }
        }
        if !changed {
            return Ok(false);
        }

        out.clear();
        let mut next = 0;
        for (piece, up_to) in pieces.iter().zip(per_piece.iter()) {
            let Piece::Run { start, end } = *piece else {
                out.push(*piece);
                continue;
            };
            let mut from = start;
            for hit in hits.get(next..*up_to).unwrap_or_default() {
                let Some(state) = states.get_mut(hit.slot as usize) else {
                    continue;
                };
                let new = match *state {
                    State::Original { .. } => continue,
                    // What stands there now has its place, and further occurrences have none.
                    State::New(new) => {
                        *state = State::Absent;
                        Some(new)
                    }
                    State::Absent => None,
                };
                if from < hit.head {
                    out.push(Piece::Run {
                        start: from,
                        end: hit.head,
                    });
                }
                if let Some(new) = new {
                    out.push(Piece::Run {
                        start: new.head,
                        end: new.end,
                    });
                }
                from = hit.end;
            }
            next = *up_to;
            if from < end {
                out.push(Piece::Run { start: from, end });
            }
        }
        for slot in order.iter() {
            if let Some(state) = states.get_mut(*slot)
                && let State::New(new) = *state
            {
                *state = State::Absent;
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

    /// The attribute with this value, written into the arena once for all rows.
    #[inline]
    fn make_constant(
        &mut self,
        number: u32,
        key_field: &[u8],
        value: &[u8],
        made: &mut Option<(u32, New)>,
    ) -> Result<New, Error> {
        match made {
            Some((of, new)) if *of == number => Ok(*new),
            _ => {
                let new = self.make_attribute(number, key_field, Some(value))?;
                *made = Some((number, new));
                Ok(new)
            }
        }
    }

    /// Writes an attribute into the arena whose value's field, tag and length included, is at
    /// these addresses.
    #[inline(always)]
    fn copy_value_field(
        &mut self,
        number: u32,
        key_field: &[u8],
        from: u32,
        to: u32,
    ) -> Result<New, Error> {
        let body = key_field.len() + (to - from) as usize;
        if self.arena.len() + body + 16 >= ARENA as usize {
            return Err(Error::TooLarge);
        }
        let head = self.arena.len() as u32 | ARENA;
        self.arena.reserve(body + 16);
        if body < 0x80 && number < 16 {
            self.arena
                .extend_from_slice(&[(number << 3 | 2) as u8, body as u8]);
        } else {
            put_tag(&mut self.arena, number, WireType::Len);
            put_varint(&mut self.arena, body as u64);
        }
        self.arena.extend_from_slice(key_field);
        copy_run(&self.payload, &mut self.arena, from, to);
        let end = self.arena.len() as u32 | ARENA;
        Ok(New {
            head,
            start: end - body as u32,
            value: end - (to - from),
            end,
        })
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
            value: 0,
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
        // The value's field has its tag and its length before it, of whatever length those are.
        let from = start + (value.as_ptr() as usize - bytes.as_ptr() as usize) as u32;
        let len = value.len() as u32;
        let body = key_field.len() + 1 + varint_len(len.into()) + value.len();
        if self.arena.len() + body + 16 >= ARENA as usize {
            return Err(Error::TooLarge);
        }
        let head = self.arena.len() as u32 | ARENA;
        put_tag(&mut self.arena, number, WireType::Len);
        put_varint(&mut self.arena, body as u64);
        self.arena.extend_from_slice(key_field);
        put_tag(&mut self.arena, 2, WireType::Len);
        put_varint(&mut self.arena, len.into());
        copy_run(&self.payload, &mut self.arena, from, from + len);
        let end = self.arena.len() as u32 | ARENA;
        Ok(New {
            head,
            start: end - body as u32,
            value: 0,
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
