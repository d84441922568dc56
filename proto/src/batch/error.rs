//! Why a batch cannot be read or changed as asked.

use std::fmt;

use super::Level;
use crate::{Signal, wire::DecodeError};

/// Why a batch cannot be read, changed or joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes are not a valid message.
    Decode(DecodeError),
    /// There is no such row at this level (any more).
    NoRow(Level, u32),
    /// Entities of this level have no such thing.
    NotApplicable(Level),
    /// A data point of one kind cannot be in a metric of another.
    PointType,
    /// More edits than 31-bit offsets reach.
    TooLarge,
    /// Requests of different signals cannot be joined.
    DifferentSignals(Signal, Signal),
    /// Requests of profiles cannot be joined: none of their dictionaries holds the others.
    Dictionaries,
    /// The dictionary of a request of profiles has no such entry.
    Index {
        /// Which of its tables.
        table: Table,
        /// The index that something has.
        index: i32,
        /// The length of the table.
        len: usize,
    },
}

/// A table of the dictionary of profiles, and what its index is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Attributes.
    Attributes,
    /// Strings, for keys of attributes.
    Keys,
    /// Strings.
    Strings,
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Error::Decode(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Decode(error) => error.fmt(f),
            Error::NoRow(level, row) => write!(f, "there is no row {row} at level {level:?}"),
            Error::NotApplicable(level) => {
                write!(f, "entities of level {level:?} have no such thing")
            }
            Error::PointType => write!(f, "the metric has another type of data points"),
            Error::TooLarge => write!(f, "the edits of the request are too large"),
            Error::DifferentSignals(a, b) => {
                write!(f, "cannot join requests of {} and {}", a.name(), b.name())
            }
            Error::Dictionaries => {
                write!(f, "profiles of different dictionaries cannot be joined")
            }
            Error::Index { table, index, len } => {
                let table = match table {
                    Table::Attributes => "attribute",
                    Table::Keys => "key string",
                    Table::Strings => "string",
                };
                write!(f, "{table} index {index} out of bounds [0, {len})")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Decode(error) => Some(error),
            _ => None,
        }
    }
}
