//! The attributes of a row one by one, as map editors look at them: those with a slot and those
//! without, in order.

use super::{Frame, kind, span};
use crate::batch::{
    Data,
    data::ARENA,
    pieces::{append, append_within},
};

/// What stands for the slot of an entry that has none.
pub(super) const OTHER: u32 = u32::MAX;
/// Marks a field of the entity that is no attribute.
pub(super) const FIELD: u32 = 1 << 31;
/// An entry that stays, and one that goes.
pub(super) const STAYS: u32 = 0;
pub(super) const GOES: u32 = 1;
/// An entry with a slot, or of a field, whose value is in its column.
pub(super) const FILLED: u32 = 2;

/// An attribute, or a field that is watched, where a row was loaded with it.
// Aligned to a power of two, which is what an index is multiplied by.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub struct Entry {
    pub(super) slot: u32,
    /// Address of its tag.
    pub(super) head: u32,
    pub(super) end: u32,
    /// Of one without a slot: address and length of its key, address of its encoded value. Of a
    /// field: where it begins behind its tag and length, its wire type, and where it begins.
    pub(super) key: u32,
    pub(super) key_len: u32,
    pub(super) value: u32,
    /// [`STAYS`], [`GOES`], or two more than the index of what stands in its place; of one with a
    /// slot, or of a field, [`FILLED`] once that is so.
    pub(super) edit: u32,
}

impl Frame {
    /// The bytes of a span.
    #[inline(always)]
    pub fn bytes<'a>(&'a self, data: &'a Data, at: u64) -> &'a [u8] {
        bytes(&self.heap, data, at)
    }

    /// Calls `change` for every attribute of a row that is there and has no slot, with its key
    /// and value (kind and payload); what it gives becomes of it.
    pub fn change_others(
        &mut self,
        data: &Data,
        position: u16,
        mut change: impl FnMut(&mut Vec<u8>, &[u8], u8, u64) -> Change,
    ) {
        let p = position as usize;
        let from = p.checked_sub(1).and_then(|p| self.ends.get(p)).copied();
        let to = self.ends.get(p).copied().unwrap_or(0) as usize;
        let Some(entries) = self.entries.get_mut(from.unwrap_or(0) as usize..to) else {
            return;
        };
        for entry in entries {
            if entry.slot != OTHER || entry.edit == GOES {
                continue;
            }
            let (kind, bits) = match entry.edit.checked_sub(2) {
                Some(at) => self.replacements.get(at as usize).copied(),
                None => super::load::value(data, entry.value, entry.end),
            }
            .unwrap_or((kind::NIL, 0));
            let key = data.bytes(entry.key, entry.key + entry.key_len);
            entry.edit = match change(&mut self.heap, key, kind, bits) {
                Change::None => continue,
                Change::Remove => GOES,
                Change::Set(kind, bits) => {
                    self.replacements.push((kind, bits));
                    self.replacements.len() as u32 + 1
                }
            };
            if let Some(touched) = self.touched.get_mut(p) {
                *touched = true;
            }
        }
        self.change_added(data, position, change);
    }

    /// The same for those that came to be.
    fn change_added(
        &mut self,
        data: &Data,
        position: u16,
        mut change: impl FnMut(&mut Vec<u8>, &[u8], u8, u64) -> Change,
    ) {
        let mut next = self.added_at(position.into()).next().map(|(at, _)| at);
        while let Some(at) = next {
            next = self.added_after(at);
            let Some(added) = self.added.get(at).copied() else {
                break;
            };
            // The heap grows while the key is looked at.
            let key = bytes(&self.heap, data, added.key).to_vec();
            match change(&mut self.heap, &key, added.kind, added.bits) {
                Change::None => {}
                Change::Remove => self.remove_added(position, at),
                Change::Set(kind, bits) => self.change_one(position, at, (kind, bits)),
            }
        }
    }
}

/// What becomes of an attribute.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// Nothing.
    None,
    /// It goes.
    Remove,
    /// This kind and payload are its value.
    Set(u8, u64),
}

#[inline(always)]
pub(super) fn bytes<'a>(heap: &'a [u8], data: &'a Data, at: u64) -> &'a [u8] {
    let (from, len) = (span::start(at) as usize, span::len(at));
    let (buf, from): (&[u8], usize) = if span::is_heap(at) {
        (heap, from)
    } else if at & u64::from(ARENA) == 0 {
        (&data.payload, from)
    } else {
        (&data.arena, from & !(ARENA as usize))
    };
    buf.get(from..from + len).unwrap_or_default()
}

/// The bytes of a span, with the heap apart from the frame.
#[inline(always)]
pub fn bytes_of<'a>(heap: &'a [u8], data: &'a Data, at: u64) -> &'a [u8] {
    bytes(heap, data, at)
}

impl Frame {
    /// Appends the bytes of a span to the heap.
    #[inline]
    pub fn copy_to_heap(&mut self, data: &Data, at: u64) {
        let (from, len) = (span::start(at) as usize, span::len(at));
        if span::is_heap(at) {
            append_within(&mut self.heap, from, from + len);
            return;
        }
        let (buf, from): (&[u8], usize) = match at & u64::from(ARENA) {
            0 => (&data.payload, from),
            _ => (&data.arena, from & !(ARENA as usize)),
        };
        append(&mut self.heap, buf, from, from + len);
    }

    /// Appends bytes to the heap, a single one faster than most.
    #[inline(always)]
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        match bytes {
            [byte] => self.heap.push(*byte),
            bytes => self.heap.extend_from_slice(bytes),
        }
    }

    /// The key of an attribute's slot; `None` for a field's.
    pub fn key(&self, slot: usize) -> Option<&[u8]> {
        self.finder.key(slot)
    }
}
