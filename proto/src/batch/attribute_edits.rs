//! Edits of attributes over many rows. Each row is walked once, what becomes of its keys is
//! looked up or worked out ([`super::edit_program`]), and its pieces are put together anew.
//! What an edit makes lies in the arena.

use smallvec::SmallVec;

use super::{
    AttributeEdit, Data, Error, Level, Selection, When,
    data::{ARENA, NONE},
    deferred::Deferred,
    edit_program::{From, MADE, Maker, New, Planned, Program, Step, StepValue, Template},
    pieces::{BLOCK, Patch, Piece, copy_run},
    scan::Hit,
    value::KeyValue,
};
use crate::{
    Signal,
    wire::{WireType, ask_for, put_tag, put_varint, varint_len},
};

#[derive(Clone, Copy)]
enum State {
    Absent,
    Original { start: u32, end: u32 },
    New(New),
}

/// Space used again from row to row.
struct Scratch {
    hits: Vec<Hit>,
    /// What was planned and is done when the request is written, as long as nothing stands
    /// against that.
    deferred: Option<Deferred>,
    /// Of the hits, how many were found up to the end of each piece.
    per_piece: Vec<usize>,
    states: Vec<State>,
    /// Slots in the order in which steps set them.
    order: Vec<usize>,
    out: Vec<Piece>,
    /// In which sub-message, and field, attributes are, where that is the same for all rows.
    attributes: Option<(Option<u32>, u32)>,
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
        let planned = program.can_be_planned() && self.signal != Signal::Profiles;
        let selected = match rows {
            Selection::All => self.level(level).len(),
            Selection::Rows(rows) => rows.len(),
        };
        let mut scratch = Scratch {
            hits: Vec::new(),
            // Of a request that nothing changed yet.
            deferred: (planned && self.patches.is_empty()).then(|| Deferred::new(level, selected)),
            per_piece: Vec::new(),
            states: Vec::new(),
            order: Vec::new(),
            out: Vec::new(),
            attributes: match level {
                // It is another one for each type of metric.
                Level::DataPoint | Level::Exemplar => None,
                // They are not in the row, or refer to what is not.
                _ if self.signal == Signal::Profiles => None,
                _ => level.attributes(self.signal, None),
            },
            planned,
            parent: NONE,
        };
        let outcome = self.for_selected(level, rows, |data, row| {
            data.edit_row(level, row, &mut program, &mut scratch)
        });
        // Also when a row is not valid: those before it are changed.
        if let Some(deferred) = scratch.deferred {
            self.defer(deferred, program.planned);
        }
        outcome
    }

    #[inline(always)]
    fn edit_row(
        &mut self,
        level: Level,
        row: u32,
        program: &mut Program<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        if self.signal == Signal::Profiles {
            let (pieces, number) = self.attribute_pieces(level, row)?;
            if self.edit_pieces(&pieces, number, row, program, scratch)? {
                let out = std::mem::take(&mut scratch.out);
                self.put_attribute_pieces(level, row, &out)?;
                scratch.out = out;
            }
            return Ok(());
        }
        let (sub, number) = match scratch.attributes {
            Some(known) => known,
            None => {
                let kind = self.type_of(level, row);
                let attributes = level.attributes(self.signal, kind);
                attributes.ok_or(Error::NotApplicable(level))?
            }
        };
        let rows = self.level(level);
        let at = row as usize;
        if sub.is_none()
            && scratch.planned
            && rows.patch.get(at) == Some(&NONE)
            && let (Some(&start), Some(&end)) = (rows.start.get(at), rows.end.get(at))
            && end & ARENA == 0
        {
            ask_for(&self.payload, end as usize);
            let (from, to) = (start as usize, end as usize);
            if let Some(deferred) = &mut scratch.deferred {
                if deferred.note(row, (start, end), number, &self.payload, program)? {
                    return Ok(());
                }
                // Something unusual: what was put off is done now, and the rest at once.
                if let Some(deferred) = scratch.deferred.take() {
                    self.settle_now(deferred, &mut program.planned)?;
                }
            }
            let hits = &mut scratch.hits;
            hits.clear();
            let scanner = &program.scanner;
            scanner.scan(&self.payload, from, to, number, false, hits)?;
            if let Some(plan) = program.plan(hits) {
                let at = (level, row, number);
                return self.edit_as_planned(
                    at,
                    &mut program.planned,
                    plan,
                    hits,
                    &mut scratch.parent,
                );
            }
        } else if let Some(deferred) = scratch.deferred.take() {
            self.settle_now(deferred, &mut program.planned)?;
        }
        self.edit_any_row(level, row, sub, number, program, scratch)
    }

    /// Edits a row that nothing changed yet and of which the plan says what to do. The rows of
    /// `parent` are pieces of their own already.
    #[inline(never)]
    pub(super) fn edit_as_planned(
        &mut self,
        (level, row, number): (Level, u32, u32),
        planned: &mut Planned,
        plan: usize,
        hits: &[Hit],
        parent: &mut u32,
    ) -> Result<(), Error> {
        let Planned { plans, makers } = planned;
        let Some(plan) = plans.get(plan) else {
            return Ok(());
        };
        if plan.changes_nothing() {
            return Ok(());
        }
        let mut made = [New::default(); MADE];
        for (at, make) in plan.makes.iter().enumerate() {
            let new = match make.from {
                From::Hit(hit) => {
                    let (Some(hit), Some(maker)) = (
                        hits.get(usize::from(hit)),
                        makers.get(usize::from(make.maker)),
                    ) else {
                        continue;
                    };
                    self.copy_value_field(number, &maker.template, hit.value, hit.end)?
                }
                From::Constant(value) if value == make.maker => {
                    match makers.get_mut(usize::from(value)) {
                        Some(maker) => self.make_constant(number, maker)?,
                        None => continue,
                    }
                }
                From::Constant(value) => {
                    let (Some(value), Some(maker)) = (
                        makers.get(usize::from(value)),
                        makers.get(usize::from(make.maker)),
                    ) else {
                        continue;
                    };
                    let field = value.constant.as_deref().unwrap_or_default();
                    self.make_with_field(number, &maker.template, field)?
                }
            };
            if let Some(made) = made.get_mut(at) {
                *made = new;
            }
        }

        let at = row as usize;
        let rows = self.level(level);
        let (Some(&above), Some(&start), Some(&end)) =
            (rows.parent.get(at), rows.start.get(at), rows.end.get(at))
        else {
            return Err(Error::NoRow(level, row));
        };
        if above != *parent {
            self.explode(level, above)?;
            *parent = above;
            self.edited = true;
        }
        let first = self.next_piece()?;
        let mut bytes = 0;
        let pieces = &mut self.pieces;
        let mut put = |start: u32, end: u32| {
            if start < end {
                bytes += end - start;
                pieces.push(Piece::Run { start, end });
            }
        };
        let mut from = start;
        for cut in &plan.cuts {
            let Some(hit) = hits.get(usize::from(cut.hit)) else {
                continue;
            };
            put(from, hit.head);
            if let Some(new) = cut.new.and_then(|new| made.get(usize::from(new))) {
                put(new.head, new.end);
            }
            from = hit.end;
        }
        put(from, end);
        // What was made in a row lies in a row.
        let mut last = New::default();
        for new in &plan.tail {
            let Some(new) = made.get(usize::from(*new)) else {
                continue;
            };
            if last.end != new.head {
                put(last.head, last.end);
                last.head = new.head;
            }
            last.end = new.end;
        }
        put(last.head, last.end);
        let len = self.pieces.len() as u32 - first;
        let patch = self.patches.len() as u32;
        self.patches.push(Patch {
            first,
            len,
            cap: len,
            bytes,
            head: NONE,
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
                program.scanner.scan(buf, from, to, number, false, hits)?;
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
        for step in &program.steps {
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
                    maker,
                } => {
                    let present = !matches!(states.get(*slot), Some(State::Absent) | None);
                    match when {
                        When::Absent if present => continue,
                        When::Present if !present => continue,
                        _ => {}
                    }
                    let Some(maker) = program.planned.makers.get_mut(*maker) else {
                        continue;
                    };
                    let template = &maker.template;
                    let new = match value {
                        StepValue::Constant => Some(self.make_constant(number, maker)?),
                        StepValue::Slot(from) => match states.get(*from) {
                            Some(State::Original { start, end })
                            | Some(State::New(New { start, end, .. })) => {
                                Some(self.copy_attribute(number, template, *start, *end)?)
                            }
                            _ => None,
                        },
                        StepValue::Rows(values) => match values.get(row) {
                            Some(bytes) => {
                                Some(self.make_attribute(number, template, Some(bytes))?)
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
    fn make_constant(&mut self, number: u32, maker: &mut Maker) -> Result<New, Error> {
        match maker.made {
            Some((of, new)) if of == number => Ok(new),
            _ => {
                let field = maker.constant.as_deref().unwrap_or_default();
                let new = self.make_with_field(number, &maker.template, field)?;
                maker.made = Some((number, new));
                Ok(new)
            }
        }
    }

    /// Writes an attribute with this field of a value into the arena.
    fn make_with_field(
        &mut self,
        number: u32,
        template: &Template,
        field: &[u8],
    ) -> Result<New, Error> {
        let (head, body) = self.begin_attribute(number, template, field.len())?;
        self.arena.extend_from_slice(field);
        let end = self.arena.len() as u32 | ARENA;
        Ok(New {
            head,
            start: end - body,
            end,
        })
    }

    /// Writes an attribute into the arena whose value's field, tag and length included, is at
    /// these addresses.
    #[inline(always)]
    fn copy_value_field(
        &mut self,
        number: u32,
        template: &Template,
        from: u32,
        to: u32,
    ) -> Result<New, Error> {
        let (head, body) = self.begin_attribute(number, template, (to - from) as usize)?;
        copy_run(&self.payload, &mut self.arena, from, to);
        let end = self.arena.len() as u32 | ARENA;
        Ok(New {
            head,
            start: end - body,
            end,
        })
    }

    /// Writes the beginning of an attribute into the arena, whose value's field takes `value`
    /// bytes; its address and the length of its `KeyValue`.
    #[inline(always)]
    fn begin_attribute(
        &mut self,
        number: u32,
        template: &Template,
        value: usize,
    ) -> Result<(u32, u32), Error> {
        let body = template.key_len() + value;
        if self.arena.len() + body + BLOCK >= ARENA as usize {
            return Err(Error::TooLarge);
        }
        let head = self.arena.len() as u32 | ARENA;
        self.arena.reserve(body + 2 * BLOCK);
        template.write(&mut self.arena, number, value);
        Ok((head, body as u32))
    }

    /// Writes an attribute into the arena.
    fn make_attribute(
        &mut self,
        number: u32,
        template: &Template,
        value: Option<&[u8]>,
    ) -> Result<New, Error> {
        let field = value.map_or(0, |v| 1 + varint_len(v.len() as u64) + v.len());
        let (head, body) = self.begin_attribute(number, template, field)?;
        if let Some(value) = value {
            crate::wire::put_bytes(&mut self.arena, 2, value);
        }
        let end = self.arena.len() as u32 | ARENA;
        Ok(New {
            head,
            start: end - body,
            end,
        })
    }

    /// Writes an attribute into the arena with the value of the one at these addresses.
    fn copy_attribute(
        &mut self,
        number: u32,
        template: &Template,
        start: u32,
        end: u32,
    ) -> Result<New, Error> {
        let bytes = self.bytes(start, end);
        let entry = KeyValue::read(bytes)?;
        if entry.split {
            let value = KeyValue::merged_value(bytes)?;
            return self.make_attribute(number, template, Some(&value));
        }
        let Some(value) = entry.value else {
            return self.make_attribute(number, template, None);
        };
        let from = start + (value.as_ptr() as usize - bytes.as_ptr() as usize) as u32;
        let len = value.len() as u32;
        let field = 1 + varint_len(len.into()) + value.len();
        let (head, body) = self.begin_attribute(number, template, field)?;
        put_tag(&mut self.arena, 2, WireType::Len);
        put_varint(&mut self.arena, len.into());
        copy_run(&self.payload, &mut self.arena, from, from + len);
        let end = self.arena.len() as u32 | ARENA;
        Ok(New {
            head,
            start: end - body,
            end,
        })
    }
}
