//! The dictionary that the profiles of one request share: its strings and attributes by index,
//! found in the bytes once, and what edits add to it. Attributes of the dictionary, and those of
//! resources and scopes that refer to it, are given the plain form (`KeyValue` without
//! references) in the arena when they are first read. Which attributes a row has is in
//! [`super::interned`].

use smallvec::SmallVec;
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use super::{
    Data, Error, Level,
    data::NONE,
    error::Table,
    pieces::{Piece, bytes_at},
    references::{Strings, canonical, has_reference, plain_key_value},
    rows::Found,
    value::KeyValue,
};
use crate::wire::{Fields, WireType, put_bytes, put_uint};

/// The field of `ExportProfilesServiceRequest` that is the dictionary, and those of
/// `ProfilesDictionary` that are strings and attributes.
const STRINGS: u32 = 5;
const ATTRIBUTES: u32 = 6;

/// The field's number that attributes of the dictionary have in their plain form.
pub(super) const PLAIN: u32 = 1;

/// References can make little input large: the plain forms of a request may take so many times
/// the bytes of the request, and a little more.
const GROWTH: usize = 16;
const LEAST_GROWTH: usize = 1 << 20;

/// Where a plain form comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// The attribute of the dictionary with this index.
    Index(u32),
    /// The field at these addresses.
    Field(u32, u32),
}

/// The tables of the dictionary that are looked into, as addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dictionary {
    strings: Vec<(u32, u32)>,
    /// Encoded `KeyValueAndUnit`s.
    attributes: Vec<(u32, u32)>,
    /// Plain forms as whole fields, by the address of what they are forms of.
    plain: HashMap<u32, (u32, u32)>,
    /// By the address of a plain form.
    origins: HashMap<u32, Origin>,
    /// Bytes of all plain forms.
    made: usize,
    lookup: Option<Lookup>,
}

/// Indices by hash of what they stand for. The hash is keyed: nobody can aim at one slot.
#[derive(Clone, Debug, Default)]
struct Lookup {
    hasher: RandomState,
    strings: HashMap<u64, SmallVec<[u32; 1]>>,
    attributes: HashMap<u64, SmallVec<[u32; 1]>>,
}

/// An attribute of the dictionary taken apart.
#[derive(Default)]
struct Entry {
    key: i32,
    unit: i32,
    /// The pieces of the value.
    value: SmallVec<[(u32, u32); 1]>,
}

impl Dictionary {
    /// Where a plain form comes from.
    pub fn origin(&self, head: u32) -> Option<Origin> {
        self.origins.get(&head).copied()
    }
}

fn address(table: &[(u32, u32)], of: Table, index: i32) -> Result<(u32, u32), Error> {
    let found = usize::try_from(index).ok().and_then(|at| table.get(at));
    found.copied().ok_or(Error::Index {
        table: of,
        index,
        len: table.len(),
    })
}

impl Data {
    /// A string of the dictionary that the profiles of a request share. It need not be UTF-8.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] for other signals, [`Error::Index`] when there is no such
    /// string, [`Error::Decode`] when the dictionary is not valid.
    pub fn dictionary_string(&mut self, index: i32) -> Result<&[u8], Error> {
        let (start, end) = self.dictionary_address(index)?;
        Ok(self.bytes(start, end))
    }

    /// The address of a string of the dictionary.
    pub(super) fn dictionary_address(&mut self, index: i32) -> Result<(u32, u32), Error> {
        address(&self.dictionary()?.strings, Table::Strings, index)
    }

    /// The index of a string in the dictionary, to which it is added if it is not there.
    ///
    /// # Errors
    /// [`Error::NotApplicable`] for other signals, [`Error::TooLarge`], [`Error::Decode`] when
    /// the dictionary is not valid.
    pub fn intern_string(&mut self, text: &[u8]) -> Result<i32, Error> {
        self.load_lookup()?;
        let (payload, arena) = (&self.payload, &self.arena);
        let Some(dictionary) = &self.dictionary else {
            return Err(Error::NotApplicable(Level::Dictionary));
        };
        let strings = &dictionary.strings;
        if let Some(lookup) = &dictionary.lookup {
            let hash = lookup.hasher.hash_one(text);
            let candidates = lookup.strings.get(&hash).into_iter().flatten();
            for index in candidates {
                if let Some((start, end)) = strings.get(*index as usize)
                    && bytes_at(payload, arena, *start, *end) == text
                {
                    return Ok(*index as i32);
                }
            }
        }
        if strings.is_empty() && !text.is_empty() {
            // The first string must be the empty one.
            self.add_string(&[])?;
        }
        self.add_string(text)
    }

    fn add_string(&mut self, text: &[u8]) -> Result<i32, Error> {
        let (head, end) = self.make(|out| put_bytes(out, STRINGS, text))?;
        self.add_to_dictionary(head, end)?;
        let Some(dictionary) = &mut self.dictionary else {
            return Err(Error::NotApplicable(Level::Dictionary));
        };
        let index = new_index(dictionary.strings.len())?;
        dictionary.strings.push((end - text.len() as u32, end));
        if let Some(lookup) = &mut dictionary.lookup {
            let hash = lookup.hasher.hash_one(text);
            lookup.strings.entry(hash).or_default().push(index);
        }
        Ok(index as i32)
    }

    /// The index of the attribute of the dictionary, without a unit, that has the key and value
    /// of this `KeyValue` (a field at `found`); it is added if it is not there.
    pub(super) fn intern_attribute(&mut self, found: Found) -> Result<u32, Error> {
        let bytes = self.bytes(found.start, found.end);
        let entry = KeyValue::read(bytes)?;
        let key = entry.key.to_vec();
        let value = match (entry.value, entry.split) {
            (None, _) => None,
            (Some(value), false) => Some(value.to_vec()),
            (Some(_), true) => Some(KeyValue::merged_value(bytes)?),
        };
        let key = self.intern_string(&key)?;
        let same = self.canonical_entry(key, 0, value.as_deref().unwrap_or_default())?;
        if let Some(index) = self.find_entry(&same)? {
            self.keep_origin(found.head, index);
            return Ok(index);
        }
        if self.dictionary()?.attributes.is_empty() && (key != 0 || value.is_some()) {
            // The first attribute must be the one that is all zero.
            let zero = self.canonical_entry(0, 0, &[])?;
            self.add_entry(zero, 0, None)?;
        }
        let index = self.add_entry(same, key, value.as_deref())?;
        if let Some(dictionary) = &mut self.dictionary
            && let Some((start, _)) = dictionary.attributes.get(index as usize)
        {
            // It has its plain form already.
            dictionary.plain.insert(*start, (found.head, found.end));
        }
        self.keep_origin(found.head, index);
        Ok(index)
    }

    fn keep_origin(&mut self, head: u32, index: u32) {
        if let Some(dictionary) = &mut self.dictionary {
            dictionary.origins.insert(head, Origin::Index(index));
        }
    }

    fn add_entry(&mut self, same: Vec<u8>, key: i32, value: Option<&[u8]>) -> Result<u32, Error> {
        let mut entry = Vec::new();
        if key != 0 {
            put_uint(&mut entry, 1, key as u64);
        }
        if let Some(value) = value {
            put_bytes(&mut entry, 2, value);
        }
        let (head, end) = self.make(|out| put_bytes(out, ATTRIBUTES, &entry))?;
        self.add_to_dictionary(head, end)?;
        let Some(dictionary) = &mut self.dictionary else {
            return Err(Error::NotApplicable(Level::Dictionary));
        };
        let index = new_index(dictionary.attributes.len())?;
        dictionary.attributes.push((end - entry.len() as u32, end));
        if let Some(lookup) = &mut dictionary.lookup {
            let hash = lookup.hasher.hash_one(&same);
            lookup.attributes.entry(hash).or_default().push(index);
        }
        Ok(index)
    }

    /// The index of the attribute with this canonical form.
    fn find_entry(&mut self, same: &[u8]) -> Result<Option<u32>, Error> {
        let candidates = match self.dictionary.as_ref().and_then(|of| of.lookup.as_ref()) {
            Some(lookup) => lookup.attributes.get(&lookup.hasher.hash_one(same)),
            None => None,
        };
        for index in candidates.cloned().unwrap_or_default() {
            if self.canonical_index(index)?.as_deref() == Some(same) {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// The canonical form of the attribute with this index; none where its value refers to
    /// strings that there are not.
    fn canonical_index(&mut self, index: u32) -> Result<Option<Vec<u8>>, Error> {
        let entry = self.entry(index as i32)?;
        let mut value = Vec::new();
        for (start, end) in &entry.value {
            value.extend_from_slice(self.bytes(*start, *end));
        }
        match self.canonical_entry(entry.key, entry.unit, &value) {
            Ok(same) => Ok(Some(same)),
            Err(Error::Index { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Appends the one form of a value, without references.
    pub(super) fn canonical_value(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let strings = |index| self.string(index);
        canonical(value, &self.strings(&strings), out)
    }

    /// What two attributes have in common that are the same.
    fn canonical_entry(&self, key: i32, unit: i32, value: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = Vec::with_capacity(value.len() + 8);
        out.extend_from_slice(&key.to_le_bytes());
        out.extend_from_slice(&unit.to_le_bytes());
        self.canonical_value(value, &mut out)?;
        Ok(out)
    }

    /// Bytes that the plain forms of a request may have; those of a row, too.
    pub(super) fn most(&self) -> usize {
        self.payload.len().saturating_mul(GROWTH) + LEAST_GROWTH
    }

    fn strings<'s>(&self, find: &'s dyn Fn(i32) -> Result<&'s [u8], Error>) -> Strings<'s> {
        Strings {
            find,
            most: self.most(),
        }
    }

    /// A string of the dictionary, which was loaded.
    fn string(&self, index: i32) -> Result<&[u8], Error> {
        let strings = self.dictionary.as_ref().map(|of| of.strings.as_slice());
        let (start, end) = address(strings.unwrap_or_default(), Table::Strings, index)?;
        Ok(self.bytes(start, end))
    }

    /// An attribute of the dictionary taken apart.
    fn entry(&mut self, index: i32) -> Result<Entry, Error> {
        let (start, end) = address(&self.dictionary()?.attributes, Table::Attributes, index)?;
        let bytes = self.bytes(start, end);
        let mut entry = Entry::default();
        for field in Fields::all(bytes) {
            let field = field?;
            match (field.number, field.wire) {
                (1, WireType::Varint) => entry.key = field.uint(bytes) as i32,
                (2, WireType::Len) => {
                    let at = (start + field.start as u32, start + field.end as u32);
                    entry.value.push(at);
                }
                (3, WireType::Varint) => entry.unit = field.uint(bytes) as i32,
                _ => {}
            }
        }
        Ok(entry)
    }

    /// The attribute of the dictionary with this index as a `KeyValue`: the addresses of a field
    /// with the number [`PLAIN`].
    pub(super) fn plain_entry(&mut self, index: i32) -> Result<(u32, u32), Error> {
        let dictionary = self.dictionary()?;
        let (start, _) = address(&dictionary.attributes, Table::Attributes, index)?;
        if let Some(known) = dictionary.plain.get(&start) {
            return Ok(*known);
        }
        let entry = self.entry(index)?;
        let mut value = Vec::new();
        for (start, end) in &entry.value {
            value.extend_from_slice(self.bytes(*start, *end));
        }
        if has_reference(&value)? {
            let mut resolved = Vec::new();
            let strings = |index| self.string(index);
            canonical(&value, &self.strings(&strings), &mut resolved)?;
            value = resolved;
        }
        let key = match self.string(entry.key) {
            Err(Error::Index { index, len, .. }) => {
                let table = Table::Keys;
                return Err(Error::Index { table, index, len });
            }
            key => key?,
        };
        let mut form = Vec::with_capacity(key.len() + value.len() + 8);
        put_bytes(&mut form, 1, key);
        if !entry.value.is_empty() {
            put_bytes(&mut form, 2, &value);
        }
        self.keep_plain(start, PLAIN, &form, Origin::Index(index as u32))
    }

    /// A `KeyValue` without references that means the same: the addresses of a field with the
    /// same number, which is the field itself where nothing refers to the dictionary.
    pub(super) fn plain_key_value(&mut self, field: Found) -> Result<(u32, u32), Error> {
        let dictionary = self.dictionary()?;
        if let Some(known) = dictionary.plain.get(&field.start) {
            return Ok(*known);
        }
        let mut form = Vec::new();
        let bytes = self.bytes(field.start, field.end);
        let strings = |index| self.string(index);
        if !plain_key_value(bytes, &self.strings(&strings), &mut form)? {
            return Ok((field.head, field.end));
        }
        let origin = Origin::Field(field.head, field.end);
        self.keep_plain(field.start, field.number, &form, origin)
    }

    fn keep_plain(
        &mut self,
        of: u32,
        number: u32,
        form: &[u8],
        origin: Origin,
    ) -> Result<(u32, u32), Error> {
        let most = self.most();
        let (head, end) = self.make(|out| put_bytes(out, number, form))?;
        let Some(dictionary) = &mut self.dictionary else {
            return Err(Error::NotApplicable(Level::Dictionary));
        };
        dictionary.made += form.len();
        if dictionary.made > most {
            return Err(Error::TooLarge);
        }
        dictionary.plain.insert(of, (head, end));
        dictionary.origins.insert(head, origin);
        Ok((head, end))
    }

    /// The dictionary, which is loaded if it was not.
    pub(super) fn dictionary(&mut self) -> Result<&Dictionary, Error> {
        if self.dictionary.is_none() {
            self.load(Level::Dictionary)?;
            let mut found = Dictionary::default();
            for row in 0..self.level(Level::Dictionary).len() as u32 {
                self.for_fields(Level::Dictionary, row, |field| {
                    match (field.number, field.wire) {
                        (STRINGS, WireType::Len) => found.strings.push((field.start, field.end)),
                        (ATTRIBUTES, WireType::Len) => {
                            found.attributes.push((field.start, field.end));
                        }
                        _ => {}
                    }
                    Ok(())
                })?;
            }
            self.dictionary = Some(Box::new(found));
        }
        match &self.dictionary {
            Some(dictionary) => Ok(dictionary),
            None => Err(Error::NotApplicable(Level::Dictionary)),
        }
    }

    /// Makes ready what is needed to find strings and attributes by what they are.
    fn load_lookup(&mut self) -> Result<(), Error> {
        if self.dictionary()?.lookup.is_some() {
            return Ok(());
        }
        let mut lookup = Lookup::default();
        let dictionary = self.dictionary()?;
        let (strings, attributes) = (dictionary.strings.clone(), dictionary.attributes.len());
        for (index, (start, end)) in strings.into_iter().enumerate() {
            let hash = lookup.hasher.hash_one(self.bytes(start, end));
            let slot = lookup.strings.entry(hash).or_default();
            // Of equal ones the first counts; the others need not be looked at.
            let known = |known: &u32| self.same_string(*known, start, end);
            if !slot.iter().any(known) {
                slot.push(index as u32);
            }
        }
        let mut walked = 0;
        for index in 0..attributes as u32 {
            let Some(same) = self.canonical_index(index)? else {
                continue;
            };
            walked += same.len();
            if walked > self.most() {
                return Err(Error::TooLarge);
            }
            let hash = lookup.hasher.hash_one(&same);
            let slot = lookup.attributes.entry(hash).or_default();
            let mut known = false;
            for other in slot.iter() {
                known |= self.canonical_index(*other)?.as_ref() == Some(&same);
            }
            if !known {
                slot.push(index);
            }
        }
        if let Some(dictionary) = &mut self.dictionary {
            dictionary.lookup = Some(lookup);
        }
        Ok(())
    }

    fn same_string(&self, known: u32, start: u32, end: u32) -> bool {
        self.string(known as i32) == Ok(self.bytes(start, end))
    }

    /// Adds a field, which is in the arena, at the end of the dictionary. A request without one
    /// is given one.
    fn add_to_dictionary(&mut self, head: u32, end: u32) -> Result<(), Error> {
        self.load(Level::Dictionary)?;
        let row = match self.level(Level::Dictionary).len() {
            0 => self.new_dictionary()?,
            rows => rows as u32 - 1,
        };
        let piece = Piece::Run { start: head, end };
        self.push_piece(Level::Dictionary, row, piece)
    }

    fn new_dictionary(&mut self) -> Result<u32, Error> {
        let level = Level::Dictionary;
        let number = level.field(None).ok_or(Error::NotApplicable(level))?;
        let (head, end) = self.make(|out| put_bytes(out, number, &[]))?;
        self.explode(level, 0)?;
        let found = Found {
            number,
            wire: WireType::Len,
            head,
            start: end,
            end,
        };
        let row = self.new_row(level, 0, found)?;
        let place = self.level(level).place.get(row as usize);
        let place = place.copied().unwrap_or(NONE);
        self.push_piece(Level::Request, 0, Piece::Child { level, row, place })?;
        Ok(row)
    }
}

/// The index that the next entry of a table of this length has.
fn new_index(len: usize) -> Result<u32, Error> {
    match i32::try_from(len) {
        Ok(index) => Ok(index as u32),
        Err(_) => Err(Error::TooLarge),
    }
}
