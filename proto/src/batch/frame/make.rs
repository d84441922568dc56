//! What a frame writes in the place of what was changed: attributes and fields, appended to the
//! arena. Values that follow each other in a column and are the same are made once and copied.

use super::{
    FieldSlot, Frame,
    column::state,
    entries::{Entry, FIELD, bytes},
    kind, span,
};
use crate::{
    batch::{
        Data, Error,
        data::ARENA,
        edit_program::Template,
        fields::Layout,
        pieces::{BLOCK, Piece, append, append_within, copy_run},
    },
    wire::{
        Fields, WireType, put_bytes, put_fixed32, put_fixed64, put_tag, put_uint, put_varint,
        varint_len, zigzag,
    },
};

/// Space used again from commit to commit.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// By slot, how its attributes begin.
    templates: Vec<Template>,
    /// By slot, what was made last.
    made: Vec<Made>,
    /// Of a row, what came to be: when, and the slot.
    pub born: Vec<(u32, u16)>,
    pub out: Vec<Piece>,
    /// Where rows are put together that are one piece.
    pub room: Vec<u8>,
    /// Messages that are put together.
    body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Made {
    kind: u8,
    number: u8,
    bits: u64,
    /// Offsets in the arena; 0 and 0 where nothing was made.
    start: usize,
    end: usize,
}

impl Scratch {
    pub fn new(keys: &[&[u8]]) -> Scratch {
        Scratch {
            templates: keys.iter().map(|key| Template::new(key)).collect(),
            ..Scratch::default()
        }
    }

    /// Begins a commit.
    pub fn begin(&mut self, slots: usize) {
        self.made.clear();
        self.made.resize(slots, Made::default());
    }

    /// What was made last for a slot, if it was this: it is made by copying.
    #[inline(always)]
    fn again(&self, data: &mut Data, slot: usize, (kind, bits, number): (u8, u64, u8)) -> bool {
        let Some(made) = self.made.get(slot) else {
            return false;
        };
        if made.bits != bits || (made.kind, made.number) != (kind, number) || made.end == 0 {
            return false;
        }
        append_within(&mut data.arena, made.start, made.end);
        true
    }

    /// Where in the arena that lies which was made last for a slot, if it was this.
    #[inline(always)]
    pub fn known(
        &self,
        slot: usize,
        (kind, bits, number): (u8, u64, u8),
    ) -> Option<(usize, usize)> {
        let made = self.made.get(slot)?;
        let same = made.bits == bits && (made.kind, made.number) == (kind, number);
        (same && made.end != 0).then_some((made.start, made.end))
    }

    #[inline(always)]
    fn made(&mut self, data: &Data, slot: usize, of: (u8, u64, u8), at: usize) {
        self.note(slot, of, at, data.arena.len());
    }

    /// Notes where what was made of a slot lies in the arena, or will.
    #[inline(always)]
    pub fn note(
        &mut self,
        slot: usize,
        (kind, bits, number): (u8, u64, u8),
        start: usize,
        end: usize,
    ) {
        if let Some(made) = self.made.get_mut(slot) {
            *made = Made {
                kind,
                number,
                bits,
                start,
                end,
            };
        }
    }

    #[inline(always)]
    pub fn template(&self, slot: usize) -> Option<&Template> {
        self.templates.get(slot)
    }
}

/// Bytes that the text of a value takes.
#[inline(always)]
pub(super) fn text_len(of: u8, bits: u64) -> usize {
    match of {
        kind::STRING | kind::BYTES | kind::MAP | kind::LIST => span::len(bits),
        _ => 0,
    }
}

/// Bytes that a value takes, within its field.
#[inline(always)]
pub(super) fn value_len(of: u8, bits: u64) -> usize {
    let text = text_len(of, bits);
    match of {
        kind::BOOL => 2,
        kind::INT => 1 + varint_len(bits),
        kind::DOUBLE => 9,
        kind::STRING | kind::BYTES => 1 + varint_len(text as u64) + text,
        kind::MAP | kind::LIST => text,
        _ => 0,
    }
}

/// Whether so much can be appended to the arena.
#[inline(always)]
fn check_room(data: &Data, len: usize) -> Result<(), Error> {
    match data.arena.len() + len + 3 * BLOCK >= ARENA as usize {
        true => Err(Error::TooLarge),
        false => Ok(()),
    }
}

impl Frame {
    /// Appends an attribute with a slot.
    #[inline(always)]
    pub(super) fn put_attribute(
        &self,
        data: &mut Data,
        number: u32,
        slot: usize,
        position: usize,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let (kind, bits) = self.column(slot).get(position);
        let of = (kind, bits, number as u8);
        if scratch.again(data, slot, of) {
            return Ok(());
        }
        self.put_new_attribute(data, slot, of, scratch)
    }

    /// As [`Frame::put_attribute`], what is not the same as the last one of the slot: kind and
    /// payload of the value, and the number of the field.
    #[inline(never)]
    fn put_new_attribute(
        &self,
        data: &mut Data,
        slot: usize,
        of: (u8, u64, u8),
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let (kind, bits, number) = (of.0, of.1, u32::from(of.2));
        let Some(template) = scratch.templates.get(slot) else {
            return Ok(());
        };
        let at = data.arena.len();
        let value = value_len(kind, bits);
        check_room(data, template.key_len() + value)?;
        template.write(
            &mut data.arena,
            number,
            1 + varint_len(value as u64) + value,
        );
        self.put_value(data, 2, kind, bits, value);
        scratch.made(data, slot, of, at);
        Ok(())
    }

    /// Appends an attribute without a slot, with the key at a span.
    pub(super) fn put_other(
        &self,
        data: &mut Data,
        number: u32,
        key: u64,
        (kind, bits): (u8, u64),
    ) -> Result<(), Error> {
        let len = span::len(key);
        let value = value_len(kind, bits);
        check_room(data, len + value)?;
        let of_key = 1 + varint_len(len as u64) + len;
        let of_value = 1 + varint_len(value as u64) + value;
        put_tag(&mut data.arena, number, WireType::Len);
        put_varint(&mut data.arena, (of_key + of_value) as u64);
        put_tag(&mut data.arena, 1, WireType::Len);
        put_varint(&mut data.arena, len as u64);
        self.copy(data, key);
        self.put_value(data, 2, kind, bits, value);
        Ok(())
    }

    /// Appends a value as the field `number`; it takes so many bytes within that.
    #[inline(always)]
    fn put_value(&self, data: &mut Data, number: u32, of: u8, bits: u64, value: usize) {
        let out = &mut data.arena;
        if of == kind::STRING && value < 0x80 && number < 16 {
            let tag = (number << 3 | 2) as u8;
            out.extend_from_slice(&[tag, value as u8, 0x0a, (value - 2) as u8]);
            return self.copy(data, bits);
        }
        put_tag(out, number, WireType::Len);
        put_varint(out, value as u64);
        match of {
            kind::BOOL => out.extend_from_slice(&[0x10, u8::from(bits != 0)]),
            kind::INT => {
                out.push(0x18);
                put_varint(out, bits);
            }
            kind::DOUBLE => {
                out.push(0x21);
                out.extend_from_slice(&bits.to_le_bytes());
            }
            kind::STRING | kind::BYTES => {
                out.push(if of == kind::STRING { 0x0a } else { 0x3a });
                put_varint(out, span::len(bits) as u64);
                self.copy(data, bits);
            }
            kind::MAP | kind::LIST => self.copy(data, bits),
            _ => {}
        }
    }

    /// Appends the bytes of a span.
    #[inline(always)]
    fn copy(&self, data: &mut Data, bits: u64) {
        let (from, len) = (span::start(bits), span::len(bits));
        if span::is_heap(bits) {
            let from = from as usize;
            append(&mut data.arena, &self.heap, from, from + len);
        } else {
            copy_run(&data.payload, &mut data.arena, from, from + len as u32);
        }
    }

    #[inline(always)]
    pub(super) fn was_changed(&self, field: &FieldSlot, position: usize) -> bool {
        let state = self.column(field.slot.into()).state(position);
        matches!(state, state::REPLACED | state::NEW)
    }

    /// The field with a number, if it is the only one and lies in no message.
    #[inline(always)]
    pub(super) fn simple(&self, number: u32) -> Option<&FieldSlot> {
        let at = self.simple.get(number as usize)?;
        self.fields.get(usize::from(*at))
    }

    /// Whether a field in the message that is a row's field was changed.
    #[inline]
    pub(super) fn is_changed(&self, number: u32, position: usize) -> bool {
        let mut of = self.fields.iter().filter(|field| field.number == number);
        of.any(|field| self.was_changed(field, position))
    }

    /// Appends what stands in the place of the field `number` of a row, of which something was
    /// changed.
    pub(super) fn put_changed(
        &self,
        data: &mut Data,
        number: u32,
        position: usize,
        entry: Option<&Entry>,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let changed = |field: &FieldSlot| self.was_changed(field, position);
        let mut of = self.fields.iter().filter(|field| field.number == number);
        let Some(first) = of.find(|field| changed(field)) else {
            return Ok(());
        };
        if first.within.is_none() {
            return self.put_field(data, first, position, scratch);
        }
        // The other fields of the message, then those that are in the frame and changed.
        let mut body = std::mem::take(&mut scratch.body);
        body.clear();
        let numbers = |number: u32| {
            let mut fields = self.fields.iter();
            fields.find(|field| field.number == first.number && field.within == Some(number))
        };
        if let Some(entry) = entry {
            let old = data.bytes(entry.key, entry.end);
            for field in Fields::all(old) {
                let field = field?;
                if !numbers(field.number).is_some_and(changed) {
                    body.extend_from_slice(old.get(field.head..field.end).unwrap_or_default());
                }
            }
        }
        for field in self.fields.iter().filter(|field| field.number == number) {
            if changed(field)
                && let Some(within) = field.within
            {
                let (kind, bits) = self.column(field.slot.into()).get(position);
                let text = match kind {
                    kind::STRING | kind::BYTES => bytes(&self.heap, data, bits),
                    _ => &[],
                };
                put_layout(&mut body, field.layout, within, kind, bits, text);
            }
        }
        check_room(data, body.len())?;
        put_bytes(&mut data.arena, number, &body);
        scratch.body = body;
        Ok(())
    }

    /// Appends a field that the row did not have; of several of one message, the first makes it.
    pub(super) fn put_born(
        &self,
        data: &mut Data,
        field: usize,
        position: usize,
        entries: &[Entry],
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let Some(field) = self.fields.get(field) else {
            return Ok(());
        };
        let number = field.number;
        // It went into the message that there is.
        if entries.iter().any(|entry| entry.slot == FIELD | number) {
            return Ok(());
        }
        let birth = |field: &FieldSlot| {
            let column = self.column(field.slot.into());
            let born = column.state(position) == state::NEW;
            born.then(|| column.births.get(position).copied()).flatten()
        };
        let same = self.fields.iter().filter(|field| field.number == number);
        if same.filter_map(birth).min() < birth(field) {
            return Ok(());
        }
        self.put_changed(data, number, position, None, scratch)
    }

    /// Appends a field of the entity itself.
    pub(super) fn put_field(
        &self,
        data: &mut Data,
        field: &FieldSlot,
        position: usize,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let (slot, number) = (usize::from(field.slot), field.number);
        let (kind, bits) = self.column(slot).get(position);
        let of = (kind, bits, number as u8);
        if scratch.again(data, slot, of) {
            return Ok(());
        }
        check_room(data, text_len(kind, bits))?;
        let at = data.arena.len();
        match (field.layout, kind) {
            // A value, as attributes have it, without a key.
            (Layout::Message, _) => {
                self.put_value(data, number, kind, bits, value_len(kind, bits));
            }
            (_, kind::STRING | kind::BYTES) => {
                put_tag(&mut data.arena, number, WireType::Len);
                put_varint(&mut data.arena, span::len(bits) as u64);
                self.copy(data, bits);
            }
            (layout, _) => put_layout(&mut data.arena, layout, number, kind, bits, &[]),
        }
        scratch.made(data, slot, of, at);
        Ok(())
    }
}

/// Appends a field that is no message.
pub(super) fn put_layout(
    out: &mut Vec<u8>,
    layout: Layout,
    number: u32,
    kind: u8,
    bits: u64,
    text: &[u8],
) {
    match layout {
        Layout::Uint32 | Layout::Uint64 | Layout::Int64 | Layout::Enum | Layout::Bool => {
            put_uint(out, number, bits)
        }
        Layout::Sint32 => put_uint(out, number, zigzag(bits as i64)),
        Layout::Fixed32 => put_fixed32(out, number, bits as u32),
        Layout::Fixed64 | Layout::Sfixed64 | Layout::Double => put_fixed64(out, number, bits),
        // An id that is not set is none.
        Layout::Id(_) if kind == kind::NIL => {}
        _ => put_bytes(out, number, text),
    }
}
