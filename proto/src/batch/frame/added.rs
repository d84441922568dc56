//! Attributes by keys that nobody named when the frame was made: looking one up, setting one, and
//! making all attributes of a row those of a map. What had no slot and comes to be is kept here,
//! row by row. The frame must have been made with [`Others::All`](super::Others::All).

use smallvec::SmallVec;

use super::{
    Frame,
    entries::{Entry, GOES, OTHER, bytes},
    kind, span,
};
use crate::batch::{Data, KeyValue, Value, data::NONE};

/// Attributes that may come to be in the rows of a frame. A row that needs more is given up.
const MOST: usize = 1 << 20;

/// An attribute that came to be and has no slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Added {
    /// The span of its key.
    pub key: u64,
    pub kind: u8,
    pub bits: u64,
    /// When it came to be, among the turns of the frame.
    pub turn: u32,
    gone: bool,
    /// The next of the row.
    next: u32,
}

/// The first and the last attribute that was added to a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfRow {
    first: u32,
    last: u32,
}

const NO_ROW: OfRow = OfRow {
    first: NONE,
    last: NONE,
};

/// Where an attribute of a row is.
#[derive(Clone, Copy, Debug)]
enum Place {
    Slot(usize),
    Entry(usize),
    Added(usize),
}

/// An attribute that came to be, with or without a slot.
#[derive(Clone, Copy, Debug)]
pub(super) enum Born {
    Slot(usize),
    Added(usize),
}

/// An entry of a map: the span of its key, kind and payload of its value.
pub type Pair = (u64, u8, u64);

impl Frame {
    /// Forgets what was added.
    pub(super) fn forget_added(&mut self) {
        self.added.clear();
        self.added_of.clear();
    }

    /// What was added to a row and is still there, in the order in which that was.
    #[inline]
    pub(super) fn added_at(&self, position: usize) -> impl Iterator<Item = (usize, &Added)> {
        let mut next = self.added_of.get(position).map_or(NONE, |of| of.first);
        std::iter::from_fn(move || {
            loop {
                let at = next as usize;
                let added = self.added.get(at)?;
                next = added.next;
                if !added.gone {
                    return Some((at, added));
                }
            }
        })
    }

    /// All that came to be of a row's attributes, in that order.
    pub(super) fn born_and_added(&self, position: usize) -> SmallVec<[(u32, Born); 16]> {
        let born = self.born_attributes(position).into_iter().map(|slot| {
            let turn = self.column(slot).births.get(position).copied();
            (turn.unwrap_or(0), Born::Slot(slot))
        });
        let mut all: SmallVec<[(u32, Born); 16]> = born.collect();
        let added = self.added_at(position);
        all.extend(added.map(|(at, of)| (of.turn, Born::Added(at))));
        all.sort_by_key(|(turn, _)| *turn);
        all
    }

    /// The numbers of a row's entries.
    fn entries_of(&self, position: usize) -> std::ops::Range<usize> {
        let from = position.checked_sub(1).and_then(|p| self.ends.get(p));
        let from = from.copied().unwrap_or(0) as usize;
        from..self.ends.get(position).copied().unwrap_or(0) as usize
    }

    fn place_of(&self, data: &Data, position: usize, key: &[u8]) -> Option<Place> {
        if let Some(slot) = self.finder.find(key) {
            let there = self.column(slot).is_there(position);
            return there.then_some(Place::Slot(slot));
        }
        let mut entries = self.entries_of(position);
        let found = entries.find(|at| self.is_again(data, *at..at + 1, key));
        found.map(Place::Entry).or_else(|| {
            let mut added = self.added_at(position);
            let found = added.find(|(_, of)| bytes(&self.heap, data, of.key) == key);
            found.map(|(at, _)| Place::Added(at))
        })
    }

    fn at_place(&self, data: &Data, position: usize, place: Place) -> (u8, u64) {
        let cell = match place {
            Place::Slot(slot) => Some(self.column(slot).get(position)),
            Place::Added(at) => self.added.get(at).map(|of| (of.kind, of.bits)),
            Place::Entry(at) => {
                self.entries
                    .get(at)
                    .and_then(|entry| match entry.edit.checked_sub(2) {
                        Some(at) => self.replacements.get(at as usize).copied(),
                        None => super::load::value(data, entry.value, entry.end),
                    })
            }
        };
        cell.unwrap_or((kind::NIL, 0))
    }

    fn put_at(&mut self, position: u16, place: Place, (kind, bits): (u8, u64)) {
        match place {
            Place::Slot(slot) => self.set(slot, &[position], |_| (kind, bits)),
            Place::Added(at) => {
                if let Some(added) = self.added.get_mut(at) {
                    (added.kind, added.bits) = (kind, bits);
                }
            }
            Place::Entry(at) => {
                self.replacements.push((kind, bits));
                if let Some(entry) = self.entries.get_mut(at) {
                    entry.edit = self.replacements.len() as u32 + 1;
                }
            }
        }
        self.touch(position);
    }

    fn remove_at(&mut self, position: u16, place: Place) {
        match place {
            Place::Slot(slot) => self.remove(slot, &[position]),
            Place::Added(at) => {
                if let Some(added) = self.added.get_mut(at) {
                    added.gone = true;
                }
            }
            Place::Entry(at) => {
                if let Some(entry) = self.entries.get_mut(at) {
                    entry.edit = GOES;
                }
            }
        }
        self.touch(position);
    }

    /// The one that was added to the same row after this one.
    pub(super) fn added_after(&self, at: usize) -> Option<usize> {
        let mut next = self.added.get(at)?.next;
        loop {
            let added = self.added.get(next as usize)?;
            if !added.gone {
                return Some(next as usize);
            }
            next = added.next;
        }
    }

    /// Changes the value of what was added under this number.
    pub(super) fn change_one(&mut self, position: u16, at: usize, value: (u8, u64)) {
        self.put_at(position, Place::Added(at), value);
    }

    /// Takes away what was added under this number.
    pub(super) fn remove_added(&mut self, position: u16, at: usize) {
        self.remove_at(position, Place::Added(at));
    }

    fn touch(&mut self, position: u16) {
        if let Some(touched) = self.touched.get_mut(usize::from(position)) {
            *touched = true;
        }
    }

    /// Kind and payload of a row's attribute with this key, if there is one.
    pub fn attribute(&self, data: &Data, position: u16, key: &[u8]) -> Option<(u8, u64)> {
        let p = usize::from(position);
        let place = self.place_of(data, p, key)?;
        Some(self.at_place(data, p, place))
    }

    /// Sets the attribute whose key is these bytes. The row is given up, and false comes back,
    /// when it is there twice or too much was added.
    pub fn set_attribute(
        &mut self,
        data: &Data,
        position: u16,
        key: u64,
        value: (u8, u64),
    ) -> bool {
        let name = bytes(&self.heap, data, key);
        let p = usize::from(position);
        match self.place_of(data, p, name) {
            Some(Place::Entry(at)) if self.is_again(data, at + 1..self.entries_of(p).end, name) => {
                self.give_up(position);
                false
            }
            Some(place) => {
                self.put_at(position, place, value);
                true
            }
            None => self.add(data, position, key, value),
        }
    }

    /// Whether one of these entries, without a slot, has this key.
    fn is_again(&self, data: &Data, mut among: std::ops::Range<usize>, key: &[u8]) -> bool {
        among.any(|at| {
            self.entries.get(at).is_some_and(|entry| {
                entry.slot == OTHER
                    && entry.edit != GOES
                    && data.bytes(entry.key, entry.key + entry.key_len) == key
            })
        })
    }

    /// Adds an attribute that is not there.
    fn add(&mut self, data: &Data, position: u16, key: u64, (kind, bits): (u8, u64)) -> bool {
        if let Some(slot) = self.finder.find(bytes(&self.heap, data, key)) {
            self.set(slot, &[position], |_| (kind, bits));
            return true;
        }
        if self.added.len() >= MOST {
            self.give_up(position);
            return false;
        }
        self.turns += 1;
        let (at, turn) = (self.added.len() as u32, self.turns);
        self.added.push(Added {
            key,
            kind,
            bits,
            turn,
            gone: false,
            next: NONE,
        });
        if self.added_of.len() < self.rows.len() {
            self.added_of.resize(self.rows.len(), NO_ROW);
        }
        let Some(of) = self.added_of.get_mut(usize::from(position)) else {
            return false;
        };
        let last = std::mem::replace(&mut of.last, at);
        match self.added.get_mut(last as usize) {
            Some(last) => last.next = at,
            None => of.first = at,
        }
        self.any_others = true;
        self.touch(position);
        true
    }

    /// The entries of an encoded map, in order; `None` when one is not valid or comes in pieces.
    pub fn pairs(&self, data: &Data, map: u64) -> Option<Vec<Pair>> {
        let buf = bytes(&self.heap, data, map);
        // Where a part of the map is, by where it lies in memory.
        let part = |part: &[u8]| match part.is_empty() {
            true => span::slice(map, 0, 0),
            false => {
                let from = (part.as_ptr() as usize).wrapping_sub(buf.as_ptr() as usize);
                span::slice(map, from, part.len())
            }
        };
        let mut out = Vec::new();
        for entry in Value::Map(buf).map() {
            let pair = KeyValue::read(entry).ok()?;
            if pair.split {
                return None;
            }
            let value = pair.value.unwrap_or_default();
            let (of, bits) = match Value::read(value).ok()? {
                Value::Empty | Value::StringIndex(_) => (kind::NIL, 0),
                Value::String(text) => (kind::STRING, part(text)),
                Value::Bool(value) => (kind::BOOL, value.into()),
                Value::Int(value) => (kind::INT, value as u64),
                Value::Double(value) => (kind::DOUBLE, value.to_bits()),
                Value::Bytes(bytes) => (kind::BYTES, part(bytes)),
                Value::List(any) => (kind::LIST, part(any)),
                Value::Map(any) => (kind::MAP, part(any)),
            };
            out.push((part(pair.key), of, bits));
        }
        Some(out)
    }

    /// Makes the entries of an encoded map all attributes of a row. Those that are there already,
    /// in the same order, stay where they are. The row is given up, and false comes back, when
    /// the map is not valid, has a key twice or too much was added.
    pub fn set_attributes(&mut self, data: &Data, position: u16, map: u64) -> bool {
        let done = self.try_set_attributes(data, position, map).is_some();
        if !done {
            self.give_up(position);
        }
        done
    }

    fn try_set_attributes(&mut self, data: &Data, position: u16, map: u64) -> Option<()> {
        let p = usize::from(position);
        let pairs = self.pairs(data, map)?;
        let key_of = |of: &Pair| bytes(&self.heap, data, of.0);
        let mut keys: Vec<&[u8]> = pairs.iter().map(key_of).collect();
        keys.sort_unstable();
        if !keys.is_sorted_by(|a, b| a < b) {
            return None;
        }
        let mut rest = pairs.as_slice();
        let mut one = |frame: &mut Frame, place: Place| {
            let key = frame.key_at(data, place);
            match rest.split_first() {
                Some((&(name, of, bits), behind)) if bytes(&frame.heap, data, name) == key => {
                    rest = behind;
                    let old = frame.at_place(data, p, place);
                    if !frame.is_same(data, old, (of, bits)) {
                        frame.put_at(position, place, (of, bits));
                    }
                }
                _ => frame.remove_at(position, place),
            }
        };
        for at in self.entries_of(p) {
            let Some(entry) = self.entries.get(at).copied() else {
                continue;
            };
            if self.is_kept(&entry, p) {
                let place = match entry.slot {
                    OTHER => Place::Entry(at),
                    slot => Place::Slot(slot as usize),
                };
                one(self, place);
            }
        }
        for (_, born) in self.born_and_added(p) {
            let place = match born {
                Born::Slot(slot) => Place::Slot(slot),
                Born::Added(at) => Place::Added(at),
            };
            one(self, place);
        }
        for &(key, of, bits) in rest {
            if !self.add(data, position, key, (of, bits)) {
                return None;
            }
        }
        Some(())
    }

    fn key_at<'a>(&'a self, data: &'a Data, place: Place) -> &'a [u8] {
        match place {
            Place::Slot(slot) => self.finder.key(slot).unwrap_or_default(),
            Place::Added(at) => {
                let added = self.added.get(at);
                added.map_or(&[], |of| bytes(&self.heap, data, of.key))
            }
            Place::Entry(at) => self.entries.get(at).map_or(&[], |entry| {
                data.bytes(entry.key, entry.key + entry.key_len)
            }),
        }
    }

    /// Whether both are the same to the last bit.
    fn is_same(&self, data: &Data, a: (u8, u64), b: (u8, u64)) -> bool {
        match (a.0, b.0) {
            (x, y) if x != y => false,
            (kind::NIL, _) => true,
            (kind::STRING | kind::BYTES | kind::MAP | kind::LIST, _) => {
                bytes(&self.heap, data, a.1) == bytes(&self.heap, data, b.1)
            }
            _ => a.1 == b.1,
        }
    }

    /// Whether any attribute of a row is a list or a map, or a key is there twice.
    pub fn any_nested(&self, data: &Data, position: u16) -> bool {
        let p = usize::from(position);
        let nested = |place| {
            let (of, _) = self.at_place(data, p, place);
            matches!(of, kind::MAP | kind::LIST)
        };
        let others = self
            .entries
            .get(self.entries_of(p))
            .unwrap_or_default()
            .iter();
        let others = others.filter(|entry| entry.slot == OTHER && entry.edit != GOES);
        let key = |entry: &Entry| data.bytes(entry.key, entry.key + entry.key_len);
        let mut keys: SmallVec<[&[u8]; 32]> = others.map(key).collect();
        keys.sort_unstable();
        if !keys.is_sorted_by(|a, b| a < b) {
            return true;
        }
        let mut entries = self.entries_of(p);
        let loaded = entries.any(|at| {
            self.entries.get(at).is_some_and(|entry| {
                self.is_kept(entry, p)
                    && match entry.slot {
                        OTHER => nested(Place::Entry(at)),
                        slot => nested(Place::Slot(slot as usize)),
                    }
            })
        });
        loaded
            || self
                .born_attributes(p)
                .into_iter()
                .any(|slot| nested(Place::Slot(slot)))
            || self.added_at(p).any(|(at, _)| nested(Place::Added(at)))
    }
}
