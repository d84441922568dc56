//! Edits of attributes that are put off until the request is written. As long as nobody looks
//! at what was edited, what each row will be need not lie anywhere: it is enough to know where
//! the attributes in question are and which plan says what becomes of them. The request is then
//! written in one go, from the payload straight to its destination. Whoever does look, or edits
//! once more, has it done first ([`Data::settle`]).

use super::{
    AttributeEdit, Data, Error, Level,
    data::{ARENA, NONE},
    edit_program::{Act, From, Make, Plan, Planned, Program},
    pieces::{BLOCK, append},
    rows::Rows,
    scan::Hit,
};
use crate::{
    Signal,
    wire::{WireType, ask_for, put_tag, put_varint, tag_len, varint_len},
};

/// Edits that are put off: of rows of one level of a request that nothing else has changed.
#[derive(Clone, Debug)]
pub(super) struct Deferred {
    level: Level,
    planned: Planned,
    /// What was found in all rows, in order.
    hits: Vec<Hit>,
    rows: Vec<Row>,
    /// Bytes of what is to be made, all in all.
    made: usize,
}

/// A row that changes.
#[derive(Clone, Copy, Debug)]
struct Row {
    row: u32,
    /// Where in [`Deferred::hits`] its own begin.
    hits: u32,
    /// The length that its message will have.
    len: u32,
    plan: u8,
    /// The number of its attributes' field.
    number: u8,
}

impl Deferred {
    /// None yet, and room for so many rows.
    pub fn new(level: Level, rows: usize) -> Deferred {
        Deferred {
            level,
            planned: Planned::default(),
            hits: Vec::with_capacity(rows.min(4096) * 4),
            rows: Vec::with_capacity(rows.min(4096)),
            made: 0,
        }
    }

    /// Puts off what the program does to a row whose message is at `start..end` of the payload.
    /// False: that cannot be put off.
    ///
    /// # Errors
    /// [`Error::Decode`] when the row is not valid, [`Error::TooLarge`] when all that is made
    /// would be.
    #[inline(always)]
    pub fn note(
        &mut self,
        row: u32,
        (start, end): (u32, u32),
        number: u32,
        payload: &[u8],
        program: &mut Program<'_>,
    ) -> Result<bool, Error> {
        // Rows are written in the order in which they lie.
        if self.rows.last().is_some_and(|last| last.row >= row) {
            return Ok(false);
        }
        let first = self.hits.len();
        let (from, to) = (start as usize, end as usize);
        let scanned = program
            .scanner
            .scan(payload, from, to, number, false, &mut self.hits);
        let hits = self.hits.get(first..).unwrap_or_default();
        let plan = scanned.map(|()| program.plan(hits));
        let (Ok(Some(at)), Ok(short)) = (&plan, u8::try_from(number)) else {
            self.hits.truncate(first);
            plan?;
            return Ok(false);
        };
        let Some(plan) = program.planned.plans.get(*at) else {
            return Ok(false);
        };
        if plan.changes_nothing() {
            self.hits.truncate(first);
            return Ok(true);
        }
        let (mut made, mut cut) = (0, 0);
        for act in &plan.acts {
            match act {
                Act::Cut(hit) => cut += hits.get(usize::from(*hit)).map_or(0, Hit::len),
                Act::Make(make) => made += make.len(number, hits, &program.planned),
                Act::Rest => {}
            }
        }
        self.made += made;
        if self.made >= ARENA as usize {
            return Err(Error::TooLarge);
        }
        self.rows.push(Row {
            row,
            hits: first as u32,
            len: end - start - cut + made as u32,
            plan: *at as u8,
            number: short,
        });
        Ok(true)
    }

    /// What becomes of a row: the plan, and what was found.
    #[inline(always)]
    fn of(&self, row: &Row) -> Option<(&Plan, &[Hit])> {
        let plan = self.planned.plans.get(usize::from(row.plan))?;
        let first = row.hits as usize;
        Some((plan, self.hits.get(first..first + plan.hits)?))
    }
}

impl Hit {
    /// Bytes of the whole attribute.
    #[inline(always)]
    fn len(&self) -> u32 {
        self.end - self.head
    }
}

impl Make {
    /// Bytes of the value's field: those of the payload, or of the maker.
    #[inline(always)]
    fn value<'a>(&self, hits: &[Hit], planned: &'a Planned) -> Result<&'a [u8], (u32, u32)> {
        match self.from {
            From::Hit(hit) => Err(hits
                .get(usize::from(hit))
                .map_or((0, 0), |hit| (hit.value, hit.end))),
            From::Constant(maker) => {
                let maker = planned.makers.get(usize::from(maker));
                Ok(maker
                    .and_then(|m| m.constant.as_deref())
                    .unwrap_or_default())
            }
        }
    }

    #[inline(always)]
    fn len(&self, number: u32, hits: &[Hit], planned: &Planned) -> usize {
        let value = match self.value(hits, planned) {
            Ok(bytes) => bytes.len(),
            Err((from, to)) => (to - from) as usize,
        };
        let maker = planned.makers.get(usize::from(self.maker));
        maker.map_or(0, |maker| maker.template.attribute_len(number, value))
    }

    #[inline(always)]
    fn write(
        &self,
        number: u32,
        hits: &[Hit],
        planned: &Planned,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) {
        let Some(maker) = planned.makers.get(usize::from(self.maker)) else {
            return;
        };
        match self.value(hits, planned) {
            Ok(bytes) => {
                maker.template.write(out, number, bytes.len());
                out.extend_from_slice(bytes);
            }
            Err((from, to)) => {
                maker.template.write(out, number, (to - from) as usize);
                append(out, payload, from as usize, to as usize);
            }
        }
    }
}

impl Data {
    /// Whether edits wait to be done.
    pub fn has_put_off(&self) -> bool {
        self.deferred.is_some()
    }

    /// As [`Data::edit_attributes`] on rows of which each has every key once at most: what is done
    /// to all of them is put off until somebody looks, or the request is written. False, and
    /// nothing is done: a row is not like that, or was changed before, or is not valid, or the
    /// level is one whose attributes are not in its rows.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] for a level that the signal does not have, [`Error::Decode`] when
    /// what is around the rows is not valid, [`Error::TooLarge`] when what is made is.
    pub fn put_off_edits(
        &mut self,
        level: Level,
        rows: &[u32],
        edits: &[AttributeEdit<'_>],
    ) -> Result<bool, Error> {
        self.load(level)?;
        let mut program = Program::new(edits);
        let possible = program.can_be_planned() && self.signal != Signal::Profiles;
        if !possible || !self.patches.is_empty() || self.restructured {
            return Ok(false);
        }
        let mut deferred = Deferred::new(level, rows.len());
        let known = match level {
            Level::DataPoint | Level::Exemplar => None,
            _ => level.attributes(self.signal, None),
        };
        let of = self.level(level);
        for row in rows {
            let at = *row as usize;
            let attributes = match known {
                Some(known) => Some(known),
                None => level.attributes(self.signal, self.type_of(level, *row)),
            };
            let (Some((None, number)), Some(&NONE), Some(&start), Some(&end)) = (
                attributes,
                of.patch.get(at),
                of.start.get(at),
                of.end.get(at),
            ) else {
                return Ok(false);
            };
            if end & ARENA != 0 {
                return Ok(false);
            }
            ask_for(&self.payload, end as usize);
            let noted = deferred.note(*row, (start, end), number, &self.payload, &mut program);
            match noted {
                Ok(true) => {}
                Err(Error::TooLarge) => return Err(Error::TooLarge),
                Ok(false) | Err(_) => return Ok(false),
            }
        }
        if program.planned.plans.iter().any(|plan| plan.twice) {
            return Ok(false);
        }
        self.defer(deferred, program.planned);
        Ok(true)
    }

    /// Keeps what was put off, if anything was.
    pub(super) fn defer(&mut self, mut deferred: Deferred, planned: Planned) {
        if !deferred.rows.is_empty() {
            deferred.planned = planned;
            self.deferred = Some(Box::new(deferred));
            self.edited = true;
        }
    }

    /// Does what was put off.
    #[cold]
    #[inline(never)]
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        match self.deferred.take() {
            Some(mut deferred) => {
                let mut planned = std::mem::take(&mut deferred.planned);
                self.settle_now(*deferred, &mut planned)
            }
            None => Ok(()),
        }
    }

    /// Does what was put off by these plans.
    #[cold]
    #[inline(never)]
    pub(super) fn settle_now(
        &mut self,
        deferred: Deferred,
        planned: &mut Planned,
    ) -> Result<(), Error> {
        self.patches.reserve(deferred.rows.len());
        self.pieces.reserve(deferred.rows.len() * 6);
        self.arena.reserve(deferred.made);
        let mut parent = NONE;
        for row in &deferred.rows {
            let plan = usize::from(row.plan);
            let found = planned.plans.get(plan).map_or(0, |plan| plan.hits);
            let first = row.hits as usize;
            let hits = deferred.hits.get(first..first + found).unwrap_or_default();
            let at = (deferred.level, row.row, row.number.into());
            self.edit_as_planned(at, planned, plan, hits, &mut parent)?;
        }
        Ok(())
    }

    /// The request encoded, at the end of `out`, with what was put off.
    pub(super) fn encode_deferred(&self, deferred: &Deferred, out: &mut Vec<u8>) {
        let around = self.measure_around(deferred);
        let mut total = self.payload.len();
        if let Some((_, lens)) = around.first() {
            let rows = self.level(Level::Resource);
            for (at, new) in (0..).zip(lens).filter(|(_, new)| **new != NONE) {
                if let Some(place) = Place::of(rows, at) {
                    total = total + place.whole_len(*new) - (place.end - place.head) as usize;
                }
            }
        }
        out.reserve(total + BLOCK);

        let mut writer = Writer {
            payload: &self.payload,
            out,
            at: 0,
        };
        let rows = self.level(deferred.level);
        let mut last = NONE;
        for row in &deferred.rows {
            let (Some(place), Some((plan, hits))) = (Place::of(rows, row.row), deferred.of(row))
            else {
                continue;
            };
            if place.parent != last {
                last = place.parent;
                self.begin_around(&around, last, &mut writer);
            }
            writer.header(place, row.len);
            let (number, planned) = (row.number.into(), &deferred.planned);
            for act in &plan.acts {
                match act {
                    Act::Cut(hit) => {
                        if let Some(hit) = hits.get(usize::from(*hit)) {
                            writer.up_to(hit.head);
                            writer.at = hit.end;
                        }
                    }
                    Act::Make(make) => {
                        make.write(number, hits, planned, &self.payload, writer.out);
                    }
                    Act::Rest => writer.up_to(place.end),
                }
            }
        }
        writer.up_to(self.payload.len() as u32);
    }

    /// The lengths that the messages around the rows will have, by level from the outside in and
    /// by row; [`NONE`] for those that keep theirs.
    fn measure_around(&self, deferred: &Deferred) -> Vec<(Level, Vec<u32>)> {
        let mut level = deferred.level;
        let mut around = Vec::new();
        // The rows of the level below that change, and their lengths.
        let mut below: Vec<(u32, u32)> = deferred.rows.iter().map(|r| (r.row, r.len)).collect();
        while level != Level::Resource {
            let above = level.parent();
            let (rows, parents) = (self.level(level), self.level(above));
            let mut grown = vec![0i64; parents.len()];
            for (row, new) in &below {
                let Some(place) = Place::of(rows, *row) else {
                    continue;
                };
                if let Some(grown) = grown.get_mut(place.parent as usize) {
                    *grown += place.whole_len(*new) as i64 - i64::from(place.end - place.head);
                }
            }
            let mut lens = vec![NONE; parents.len()];
            below.clear();
            for (at, grown) in grown.into_iter().enumerate() {
                let (Some(start), Some(end), Some(len)) =
                    (parents.start.get(at), parents.end.get(at), lens.get_mut(at))
                else {
                    continue;
                };
                if grown != 0 {
                    *len = (i64::from(end - start) + grown) as u32;
                    below.push((at as u32, *len));
                }
            }
            around.insert(0, (above, lens));
            level = above;
        }
        around
    }

    /// Writes the headers of `parent`, which is of the last level, and of what is around it, where
    /// they change and were not written yet.
    fn begin_around(&self, around: &[(Level, Vec<u32>)], parent: u32, writer: &mut Writer<'_>) {
        let Some(((level, lens), further)) = around.split_last() else {
            return;
        };
        let Some(place) = Place::of(self.level(*level), parent) else {
            return;
        };
        self.begin_around(further, place.parent, writer);
        // One that was begun already lies behind.
        if let Some(&len) = lens.get(parent as usize)
            && len != NONE
            && writer.at <= place.head
        {
            writer.header(place, len);
        }
    }
}

/// Where a row lies in the payload, and what holds it.
#[derive(Clone, Copy)]
struct Place {
    head: u32,
    start: u32,
    end: u32,
    parent: u32,
    field: u8,
}

impl Place {
    #[inline(always)]
    fn of(rows: &Rows, row: u32) -> Option<Place> {
        let at = row as usize;
        Some(Place {
            head: *rows.head.get(at)?,
            start: *rows.start.get(at)?,
            end: *rows.end.get(at)?,
            parent: *rows.parent.get(at)?,
            field: *rows.field.get(at)?,
        })
    }

    /// Bytes that it has with tag and length, its message being so long; one whose length stays
    /// keeps the header it has.
    #[inline(always)]
    fn whole_len(self, len: u32) -> usize {
        if len == self.end - self.start {
            return (self.end - self.head) as usize;
        }
        tag_len(self.field.into()) + varint_len(len.into()) + len as usize
    }
}

struct Writer<'a> {
    payload: &'a [u8],
    out: &'a mut Vec<u8>,
    /// What comes next of the payload.
    at: u32,
}

impl Writer<'_> {
    /// Copies the payload up to here.
    #[inline(always)]
    fn up_to(&mut self, end: u32) {
        if self.at < end {
            append(self.out, self.payload, self.at as usize, end as usize);
            self.at = end;
        }
    }

    /// Begins a message that will have this length.
    #[inline(always)]
    fn header(&mut self, place: Place, len: u32) {
        let number = place.field;
        if len == place.end - place.start {
            return self.up_to(place.start);
        }
        self.up_to(place.head);
        self.at = place.start;
        if number < 16 && (0x80..0x4000).contains(&len) {
            // What items nearly always are.
            let header = [number << 3 | 2, len as u8 | 0x80, (len >> 7) as u8];
            self.out.extend_from_slice(&header);
        } else {
            put_tag(self.out, number.into(), WireType::Len);
            put_varint(self.out, len.into());
        }
    }
}
