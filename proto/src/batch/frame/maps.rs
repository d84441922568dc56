//! All attributes of a row as one map: how many there are, what they are as a value, and which of
//! them stay. The frame must have been made with [`Others::All`](super::Others::All).

use smallvec::SmallVec;

use super::{
    Frame,
    added::Born,
    column::state,
    entries::{Entry, FIELD, GOES, OTHER, STAYS, bytes},
    kind,
};
use crate::{
    batch::Data,
    wire::{put_bytes, put_fixed64, put_uint},
};

/// The member of `AnyValue` that is a map.
const MAP: u32 = 6;

impl Frame {
    /// The attributes with which a row was loaded, in order.
    fn loaded(&self, position: usize) -> &[Entry] {
        let from = position.checked_sub(1).and_then(|p| self.ends.get(p));
        let from = from.copied().unwrap_or(0) as usize;
        let to = self.ends.get(position).copied().unwrap_or(0) as usize;
        self.entries.get(from..to).unwrap_or_default()
    }

    /// Whether an entry is an attribute that stands where it stood.
    pub(super) fn is_kept(&self, entry: &Entry, position: usize) -> bool {
        match entry.slot {
            OTHER => entry.edit != GOES,
            slot if slot & FIELD != 0 => false,
            slot => matches!(
                self.column(slot as usize).state(position),
                state::ORIGINAL | state::REPLACED
            ),
        }
    }

    /// Slots of attributes that came to be in a row, in the order in which that was.
    pub(super) fn born_attributes(&self, position: usize) -> SmallVec<[usize; 16]> {
        let is_born = |slot: &usize| {
            let of = self.column(*slot).state(position);
            matches!(of, state::NEW | state::MOVED)
        };
        let mut slots: SmallVec<[usize; 16]> = (0..self.finder.len()).filter(is_born).collect();
        slots.sort_by_key(|slot| self.column(*slot).births.get(position).copied());
        slots
    }

    /// Number of attributes of a row.
    pub fn attribute_count(&self, position: u16) -> usize {
        let p = usize::from(position);
        let kept = self.loaded(p).iter();
        kept.filter(|entry| self.is_kept(entry, p)).count()
            + self.born_attributes(p).len()
            + self.added_at(p).count()
    }

    /// The attributes of a row as an encoded `AnyValue` in the heap; its span, `None` when the
    /// heap is full.
    pub fn put_attributes(&mut self, data: &Data, position: u16) -> Option<u64> {
        let p = usize::from(position);
        let mut list = Vec::new();
        let mut any = Vec::new();
        let mut put = |key: &[u8], any: &[u8]| {
            let mut entry = Vec::with_capacity(key.len() + any.len() + 12);
            put_bytes(&mut entry, 1, key);
            put_bytes(&mut entry, 2, any);
            put_bytes(&mut list, 1, &entry);
        };
        let slot_key = |slot: usize| self.finder.key(slot).unwrap_or_default();
        for entry in self.loaded(p) {
            if !self.is_kept(entry, p) {
                continue;
            }
            let other = entry.slot == OTHER;
            let key = match other {
                true => data.bytes(entry.key, entry.key + entry.key_len),
                false => slot_key(entry.slot as usize),
            };
            let column = self.column(entry.slot as usize);
            let same = match other {
                true => entry.edit == STAYS,
                false => column.state(p) == state::ORIGINAL,
            };
            if same {
                put(key, data.bytes(entry.value, entry.end));
                continue;
            }
            let (of, bits) = match other {
                true => self.replacements.get(entry.edit as usize - 2).copied(),
                false => Some(column.get(p)),
            }
            .unwrap_or((kind::NIL, 0));
            any.clear();
            self.put_any(data, &mut any, of, bits);
            put(key, &any);
        }
        for (_, born) in self.born_and_added(p) {
            let (key, (of, bits)) = match born {
                Born::Slot(slot) => (slot_key(slot), self.column(slot).get(p)),
                Born::Added(at) => match self.added.get(at) {
                    Some(added) => {
                        let key = bytes(&self.heap, data, added.key);
                        (key, (added.kind, added.bits))
                    }
                    None => continue,
                },
            };
            any.clear();
            self.put_any(data, &mut any, of, bits);
            put(key, &any);
        }
        let from = self.heap.len();
        put_bytes(&mut self.heap, MAP, &list);
        self.span_from(from)
    }

    /// Leaves of a row's attributes, in order, those for whose key `keep` holds.
    pub fn retain(&mut self, data: &Data, position: u16, mut keep: impl FnMut(&[u8]) -> bool) {
        let p = usize::from(position);
        let count = self.loaded(p).len();
        let to = self.ends.get(p).copied().unwrap_or(0) as usize;
        for at in to - count..to {
            let Some(entry) = self.entries.get(at).copied() else {
                continue;
            };
            if !self.is_kept(&entry, p) {
                continue;
            }
            if entry.slot != OTHER {
                self.retain_slot(entry.slot as usize, position, &mut keep);
            } else if !keep(data.bytes(entry.key, entry.key + entry.key_len)) {
                if let Some(entry) = self.entries.get_mut(at) {
                    entry.edit = GOES;
                }
                if let Some(touched) = self.touched.get_mut(p) {
                    *touched = true;
                }
            }
        }
        for (_, born) in self.born_and_added(p) {
            match born {
                Born::Slot(slot) => self.retain_slot(slot, position, &mut keep),
                Born::Added(at) => {
                    let key = self.added.get(at).map_or(0, |added| added.key);
                    if !keep(bytes(&self.heap, data, key)) {
                        self.remove_added(position, at);
                    }
                }
            }
        }
    }

    fn retain_slot(&mut self, slot: usize, position: u16, keep: &mut impl FnMut(&[u8]) -> bool) {
        if self.finder.key(slot).is_some_and(|key| !keep(key)) {
            self.remove(slot, &[position]);
        }
    }

    /// Appends a value as an encoded `AnyValue`.
    pub(super) fn put_any(&self, data: &Data, out: &mut Vec<u8>, of: u8, bits: u64) {
        match of {
            kind::BOOL => put_uint(out, 2, bits),
            kind::INT => put_uint(out, 3, bits),
            kind::DOUBLE => put_fixed64(out, 4, bits),
            kind::STRING => put_bytes(out, 1, bytes(&self.heap, data, bits)),
            kind::BYTES => put_bytes(out, 7, bytes(&self.heap, data, bits)),
            kind::MAP | kind::LIST => out.extend_from_slice(bytes(&self.heap, data, bits)),
            _ => {}
        }
    }
}
