//! Frames of profiles and samples, whose attributes are indices into the dictionary that the
//! profiles of a request share. An attribute of the dictionary is looked at once a load, however
//! many rows have it: which slot its key has and what its value is. What was changed goes back to
//! indices; what stays keeps the one that it had, its unit included. Plain forms and the way back
//! are in [`crate::batch::interned`].

use super::{
    Frame, Others,
    added::Added,
    column::state,
    entries::{Entry, FIELD, GOES, OTHER, STAYS},
    load::{Odd, entry, value},
    make::Scratch,
    span,
};
use crate::{
    Signal,
    batch::{Data, Error, Level, data::ARENA, dictionary::PLAIN, pieces::Piece},
    wire::{Fields, read_varint},
};

/// The number of no field: where rows are walked over in which attributes do not lie.
const NOWHERE: u32 = 0;

/// Attributes of the dictionary, as far as they were looked at in a load.
#[derive(Debug, Default)]
pub(super) struct Table {
    known: Vec<Known>,
    /// By index, where among those known it is, if it is there: nothing is taken out.
    places: Vec<u32>,
}

/// Indices for which places are kept from load to load, at most.
const KEPT: usize = 1 << 16;

/// Attributes that a row may have: an index takes a byte, and what is noted of it many.
const MOST: usize = 4096;

/// What a frame needs to know of an attribute of the dictionary.
#[derive(Clone, Copy, Debug)]
struct Known {
    index: i32,
    /// Where its plain form lies.
    entry: Entry,
    kind: u8,
    bits: u64,
}

impl Table {
    /// Begins a load, of a request that may be another one.
    pub fn begin(&mut self) {
        self.known.clear();
        if self.places.len() > KEPT {
            self.places = Vec::new();
        }
    }

    fn get(&self, index: i32) -> Option<Known> {
        let place = self.places.get(usize::try_from(index).ok()?)?;
        let known = self.known.get(*place as usize)?;
        (known.index == index).then_some(*known)
    }

    /// Adds what is not there, of an index that the dictionary has.
    fn add(&mut self, known: Known) {
        let at = known.index as usize;
        if self.places.len() <= at {
            self.places.resize(at + 1, 0);
        }
        if let Some(place) = self.places.get_mut(at) {
            *place = self.known.len() as u32;
            self.known.push(known);
        }
    }
}

impl Frame {
    /// Loads a profile or a sample.
    pub(super) fn walk_interned(
        &mut self,
        data: &mut Data,
        position: usize,
        row: u32,
    ) -> Result<(), Odd> {
        if self.watched == 0 {
            return Ok(());
        }
        let from = self.entries.len();
        self.walk(data, position, row, NOWHERE)?;
        let found = self.entries.get(from..).unwrap_or_default();
        if found.iter().any(|entry| !is_field(entry)) {
            return Err(Odd);
        }
        let mut found = found.iter();
        let indices = found.find(|entry| entry.slot == FIELD | self.indices);
        let Some(&Entry { key, end, .. }) = indices.filter(|_| self.indices != 0) else {
            return Ok(());
        };
        let short = match self.others {
            Others::None => u32::MAX,
            Others::Longer(most) => most,
            Others::All => 0,
        };
        // More text than a row may refer to is an error, as it is by rows.
        let (most, mut total) = (data.most(), 0);
        let (mut at, mut count) = (0, 0);
        while let Some((index, next)) = read_varint(data.bytes(key, end), at) {
            at = next;
            count += 1;
            let known = self.resolve(data, index as i32)?;
            let len = known.entry.end - known.entry.head;
            total += len as usize;
            if total > most || count > MOST {
                return Err(Odd);
            }
            if known.entry.slot != OTHER {
                let column = self.columns.get_mut(known.entry.slot as usize);
                if !column.ok_or(Odd)?.load(position, known.kind, known.bits) {
                    return Err(Odd);
                }
            } else if len > short {
                self.any_others = true;
            } else if self.reads_only {
                continue;
            }
            // All are noted of a row that can be changed: its indices are written anew.
            self.entries.push(known.entry);
        }
        Ok(())
    }

    /// What the attribute of the dictionary with this index is.
    fn resolve(&mut self, data: &mut Data, index: i32) -> Result<Known, Odd> {
        if let Some(known) = self.table.get(index) {
            return Ok(known);
        }
        let (head, end) = data.plain_entry(index).map_err(|_| Odd)?;
        let whole = data.bytes(head, end);
        let body = match Fields::all(whole).next() {
            Some(Ok(field)) => field,
            _ => return Err(Odd),
        };
        let (key, key_len, from) = entry(whole, body.start, body.end)?;
        let text = whole.get(key..key + key_len).ok_or(Odd)?;
        let slot = self.finder.find(text).map_or(OTHER, |slot| slot as u32);
        let from = head + from as u32;
        let (kind, bits) = value(data, from, end).ok_or(Odd)?;
        let known = Known {
            index,
            entry: Entry {
                slot,
                head,
                end,
                key: head + key as u32,
                key_len: key_len as u32,
                value: from,
                edit: STAYS,
            },
            kind,
            bits,
        };
        self.table.add(known);
        Ok(known)
    }

    /// Loads the message of a resource or scope around profiles, in which attributes may refer to
    /// the dictionary. Such ones are read in their plain form; who changes something leaves the
    /// row alone.
    pub(super) fn walk_referring(
        &mut self,
        data: &mut Data,
        position: usize,
        row: u32,
        number: u32,
    ) -> Result<(), Odd> {
        if !data.is_live(self.level, row) {
            return Err(Odd);
        }
        let (plain, _) = data.plain_attributes(self.level, row).map_err(|_| Odd)?;
        let message = data.sub_message(self.level, row, super::holders::MESSAGE);
        let message = message.map_err(|_| Odd)?;
        let same = match (plain.as_slice(), message.as_slice()) {
            ([], []) => true,
            (
                [Piece::Run { start, end }],
                [
                    Piece::Run {
                        start: from,
                        end: to,
                    },
                ],
            ) => (start, end) == (from, to),
            // Of an empty message there is nothing to be read.
            ([], [Piece::Run { start, end }]) => start == end,
            _ => false,
        };
        if !same && (!self.reads_only || message.len() > 1) {
            return Err(Odd);
        }
        let mut seen = 0;
        for piece in plain {
            if let Piece::Run { start, end } = piece {
                self.walk_run(data, position, (start, end), number, &mut seen)?;
            }
        }
        Ok(())
    }

    /// Writes the profiles or samples that were changed.
    pub(super) fn commit_interned(&mut self, data: &mut Data) -> Result<(), Error> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.begin(self.columns.len());
        let (mut from, mut result) = (0, Ok(()));
        for (position, row) in self.rows.iter().enumerate() {
            let to = self.ends.get(position).copied().unwrap_or(from);
            let entries = self.entries.get(from as usize..to as usize);
            from = to;
            if self.touched.get(position) == Some(&true) && self.odd.get(position) == Some(&false) {
                let entries = entries.unwrap_or_default();
                result = self.write_interned(data, position, *row, entries, &mut scratch);
                if result.is_err() {
                    break;
                }
            }
        }
        self.scratch = scratch;
        result
    }

    fn write_interned(
        &self,
        data: &mut Data,
        position: usize,
        row: u32,
        entries: &[Entry],
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let mut out = std::mem::take(&mut scratch.out);
        out.clear();
        let mut changed = false;
        for entry in entries.iter().filter(|entry| !is_field(entry)) {
            let (start, end) = (entry.head, entry.end);
            let stays = Piece::Run { start, end };
            let made = match entry.slot {
                OTHER if entry.edit == STAYS => stays,
                OTHER if entry.edit == GOES => {
                    changed = true;
                    continue;
                }
                OTHER => {
                    let begin = data.arena.len();
                    let made = self.replacements.get(entry.edit as usize - 2).copied();
                    let key = span::between(entry.key, entry.key + entry.key_len);
                    self.put_other(data, PLAIN, key, made.unwrap_or_default())?;
                    changed = true;
                    run(begin, data.arena.len())
                }
                slot => match self.column(slot as usize).state(position) {
                    state::REPLACED => {
                        changed = true;
                        self.put_plain(data, slot as usize, position, scratch)?
                    }
                    state::GONE | state::MOVED => {
                        changed = true;
                        continue;
                    }
                    _ => stays,
                },
            };
            out.push(made);
        }
        let mut born = std::mem::take(&mut scratch.born);
        self.born_at(position, &mut born);
        let mut added = self.added_at(position).map(|(_, added)| added).peekable();
        for (turn, slot) in &born {
            while let Some(added) = added.next_if(|added| added.turn < *turn) {
                out.push(self.put_added(data, added)?);
                changed = true;
            }
            if usize::from(*slot) < self.finder.len() {
                out.push(self.put_plain(data, (*slot).into(), position, scratch)?);
                changed = true;
            }
        }
        for added in added {
            out.push(self.put_added(data, added)?);
            changed = true;
        }
        scratch.born = born;
        if changed {
            data.put_plain_attributes(self.level, row, &out)?;
        }
        scratch.out = out;
        self.write_fields(data, position, row, entries, scratch)
    }

    /// An attribute with a slot in its plain form. One that is like that of the row before is the
    /// same one, whose index is known.
    fn put_plain(
        &self,
        data: &mut Data,
        slot: usize,
        position: usize,
        scratch: &mut Scratch,
    ) -> Result<Piece, Error> {
        let (kind, bits) = self.column(slot).get(position);
        let (start, end) = match scratch.known(slot, (kind, bits, PLAIN as u8)) {
            Some(known) => known,
            None => {
                let begin = data.arena.len();
                self.put_attribute(data, PLAIN, slot, position, scratch)?;
                (begin, data.arena.len())
            }
        };
        Ok(run(start, end))
    }

    /// An attribute without a slot that came to be, in its plain form.
    fn put_added(&self, data: &mut Data, added: &Added) -> Result<Piece, Error> {
        let begin = data.arena.len();
        self.put_other(data, PLAIN, added.key, (added.kind, added.bits))?;
        Ok(run(begin, data.arena.len()))
    }

    fn write_fields(
        &self,
        data: &mut Data,
        position: usize,
        row: u32,
        entries: &[Entry],
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        for number in 0..u32::BITS {
            if self.changed >> number & 1 == 0 || !self.is_changed(number, position) {
                continue;
            }
            let entry = entries.iter().find(|entry| entry.slot == FIELD | number);
            let begin = data.arena.len() as u32;
            self.put_changed(data, number, position, entry, scratch)?;
            let end = data.arena.len() as u32;
            let new = (begin < end).then_some((begin | ARENA, end | ARENA));
            data.replace_fields(self.level, row, 1 << number, new)?;
        }
        Ok(())
    }

    /// A string of the dictionary, as kind and payload.
    ///
    /// # Errors
    /// Those of [`Data::dictionary_string`].
    pub fn dictionary_text(data: &mut Data, index: i32) -> Result<(u8, u64), Error> {
        let (start, end) = data.dictionary_address(index)?;
        Ok((super::kind::STRING, span::between(start, end)))
    }
}

/// Whether rows have their attributes in the dictionary.
pub(super) fn is_interned(signal: Signal, level: Level) -> bool {
    signal == Signal::Profiles && matches!(level, Level::Item | Level::Sample)
}

fn is_field(entry: &Entry) -> bool {
    entry.slot & FIELD != 0 && entry.slot != OTHER
}

fn run(begin: usize, end: usize) -> Piece {
    Piece::Run {
        start: begin as u32 | ARENA,
        end: end as u32 | ARENA,
    }
}
