//! What an editor changes: a path of a row, read and written as a whole or, where it is a map,
//! by its entries.

use super::{Row, write::owned_entries};
use crate::{
    contexts::Store,
    failure::Failure,
    program::PathNode,
    types::Type,
    value::{Text, Value, encode_map},
};

/// A path of a row.
pub struct Target<'r, 'd> {
    pub(super) row: &'r mut Row<'d>,
    pub(super) path: &'r PathNode,
}

/// The entries of a map: keys and encoded values, in order.
pub type Entries = Vec<(Text, Vec<u8>)>;

impl Target<'_, '_> {
    /// What it holds.
    ///
    /// # Errors
    /// Those of reading the path.
    pub fn read(&mut self) -> Result<Value, Failure> {
        self.row.read(self.path)
    }

    /// Writes it.
    ///
    /// # Errors
    /// Those of writing the path.
    pub fn write(&mut self, value: &Value) -> Result<(), Failure> {
        self.row.write(self.path, value)
    }

    /// The entries of the map that it holds.
    ///
    /// # Errors
    /// [`Failure::Type`] when it holds none, and those of reading the path.
    pub fn entries(&mut self) -> Result<Entries, Failure> {
        match self.read()? {
            Value::Map(any) => owned_entries(&any),
            other => Err(Failure::Type {
                wanted: Type::Map.name(),
                got: other.type_name(),
            }),
        }
    }

    /// Makes these the entries of the map.
    ///
    /// # Errors
    /// Those of writing the path.
    pub fn put_entries(&mut self, entries: &Entries) -> Result<(), Failure> {
        let any = encode_map(
            entries
                .iter()
                .map(|(key, value)| (&**key, value.as_slice())),
        );
        match self.attributes() {
            Some((level, row)) => self.row.put_attributes(level, row, &any),
            None => self.write(&Value::Map(Text::from_vec(any))),
        }
    }

    /// Removes a key of the map, all its occurrences.
    ///
    /// # Errors
    /// [`Failure::Type`] when it holds no map, and those of reading and writing the path.
    pub fn remove(&mut self, key: &[u8]) -> Result<(), Failure> {
        if let Some((level, row)) = self.attributes() {
            return self.row.remove_attribute(level, row, key);
        }
        self.retain(|name, _| name != key)
    }

    /// Keeps the entries for which `keep(key, encoded value)` holds.
    ///
    /// # Errors
    /// [`Failure::Type`] when it holds no map, and those of reading and writing the path.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) -> Result<(), Failure> {
        let mut entries = self.entries()?;
        let before = entries.len();
        entries.retain(|(key, value)| keep(key, value));
        if entries.len() == before {
            return Ok(());
        }
        self.put_entries(&entries)
    }

    /// The row whose attributes it is.
    fn attributes(&self) -> Option<(trunkline_proto::batch::Level, u32)> {
        let whole = self.path.def.store == Store::Attributes && self.path.keys.is_empty();
        whole.then(|| self.row.place(self.path.context).ok())?
    }

    /// The path, to name it in an error.
    pub fn path(&self) -> &PathNode {
        self.path
    }
}
