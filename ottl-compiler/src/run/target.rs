//! What an editor changes: a path of a row, read and written as a whole or, where it is a map,
//! by its entries.

use trunkline_proto::batch::Level;

use super::{Row, write::owned_entries};
use crate::{
    contexts::Store,
    failure::Failure,
    program::PathNode,
    types::Type,
    value::{Text, Value, encode_map},
};

/// A path of a row, or a value that stands for what one holds.
pub struct Target<'r, 'd> {
    of: Of<'r, 'd>,
    path: &'r PathNode,
}

enum Of<'r, 'd> {
    Row(&'r mut Row<'d>),
    Alone(&'r mut Alone),
}

/// What a path holds, apart from its row: where it cannot be read, why; and what was written.
pub(crate) struct Alone {
    read: Result<Value, Failure>,
    written: bool,
}

impl Alone {
    /// Nothing was written yet.
    pub fn new(read: Result<Value, Failure>) -> Alone {
        Alone {
            read,
            written: false,
        }
    }

    /// What was written, if anything was.
    pub fn written(self) -> Option<Value> {
        self.read.ok().filter(|_| self.written)
    }
}

/// The entries of a map: keys and encoded values, in order.
pub type Entries = Vec<(Text, Vec<u8>)>;

impl<'r, 'd> Target<'r, 'd> {
    pub(super) fn of_row(row: &'r mut Row<'d>, path: &'r PathNode) -> Target<'r, 'd> {
        let of = Of::Row(row);
        Target { of, path }
    }

    /// A value that is not in a row.
    pub(crate) fn alone(alone: &'r mut Alone, path: &'r PathNode) -> Target<'r, 'd> {
        let of = Of::Alone(alone);
        Target { of, path }
    }
}

impl<'d> Target<'_, 'd> {
    /// What it holds.
    ///
    /// # Errors
    /// Those of reading the path.
    pub fn read(&mut self) -> Result<Value, Failure> {
        match &mut self.of {
            Of::Row(row) => row.read(self.path),
            Of::Alone(alone) => alone.read.clone(),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// Those of writing the path.
    pub fn write(&mut self, value: &Value) -> Result<(), Failure> {
        match &mut self.of {
            Of::Row(row) => row.write(self.path, value),
            Of::Alone(alone) => {
                (alone.read, alone.written) = (Ok(value.clone()), true);
                Ok(())
            }
        }
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
            Some((row, level, at)) => row.put_attributes(level, at, &any),
            None => self.write(&Value::Map(Text::from_vec(any))),
        }
    }

    /// Removes a key of the map, all its occurrences.
    ///
    /// # Errors
    /// [`Failure::Type`] when it holds no map, and those of reading and writing the path.
    pub fn remove(&mut self, key: &[u8]) -> Result<(), Failure> {
        if let Some((row, level, at)) = self.attributes() {
            return row.remove_attribute(level, at, key);
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
    fn attributes(&mut self) -> Option<(&mut Row<'d>, Level, u32)> {
        let Of::Row(row) = &mut self.of else {
            return None;
        };
        if self.path.def.store != Store::Attributes || !self.path.keys.is_empty() {
            return None;
        }
        let (level, at) = row.place(self.path.context).ok()?;
        Some((row, level, at))
    }

    /// The path, to name it in an error.
    pub fn path(&self) -> &PathNode {
        self.path
    }
}
