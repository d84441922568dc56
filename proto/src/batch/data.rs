//! What a batch is once something looks inside: rows by level over the payload, the bytes
//! that edits made (the arena), and for each row that was changed the list of pieces of which
//! it now consists. The edits themselves are in `attributes`, `fields` and `structure`.

use bytes::Bytes;

use super::{
    Error, Level,
    deferred::Deferred,
    dictionary::Dictionary,
    level::LEVELS,
    pieces::{Patch, Piece},
    rows::{Found, Rows},
};
use crate::{Signal, wire::WireType};

/// Marks an address as one in the arena; others are offsets into the payload.
pub(crate) const ARENA: u32 = 1 << 31;

/// No row, no patch.
pub(crate) const NONE: u32 = u32::MAX;

/// A request taken apart: what can be read and changed. Had with
/// [`Batch::open`](super::Batch::open).
///
/// Rows are numbered by level in the order in which they came; rows added later follow. A row
/// keeps its number when it is changed, moved, or when others are dropped. Every read sees
/// every write before it.
#[derive(Clone, Debug)]
pub struct Data {
    pub(crate) signal: Signal,
    pub(crate) payload: Bytes,
    pub(crate) arena: Vec<u8>,
    pub(crate) rows: [Rows; LEVELS],
    pub(crate) patches: Vec<Patch>,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) places: u32,
    /// Lengths by patch, kept between encodings of single rows.
    pub(crate) lengths: Vec<usize>,
    /// Edits of attributes that nobody has seen yet: done when they are read, or the request is
    /// written. While there are some there are no patches.
    pub(super) deferred: Option<Box<Deferred>>,
    /// What profiles share, once it was looked into.
    pub(super) dictionary: Option<Box<Dictionary>>,
    pub(crate) edited: bool,
    /// Rows were dropped, added or moved.
    pub(crate) restructured: bool,
}

impl Data {
    pub(crate) fn new(signal: Signal, payload: Bytes, items: usize) -> Result<Data, Error> {
        let mut data = Data {
            signal,
            arena: Vec::new(),
            rows: Default::default(),
            patches: Vec::new(),
            pieces: Vec::new(),
            places: 0,
            lengths: Vec::new(),
            deferred: None,
            dictionary: None,
            edited: false,
            restructured: false,
            payload,
        };
        let end = data.payload.len() as u32;
        let whole = Found {
            number: 0,
            wire: WireType::Len,
            head: 0,
            start: 0,
            end,
        };
        data.rows[Level::Request.index()].push(&whole);
        data.rows[Level::Request.index()].fill(NONE, 0);
        data.rows[Level::Item.index()].reserve(items);
        data.rows[Level::Request.index()].ready = true;
        for level in [Level::Resource, Level::Scope, Level::Item] {
            data.load(level)?;
        }
        Ok(data)
    }

    /// The signal.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    #[inline(always)]
    pub(crate) fn level(&self, level: Level) -> &Rows {
        &self.rows[level.index()]
    }

    #[inline(always)]
    pub(crate) fn level_mut(&mut self, level: Level) -> &mut Rows {
        &mut self.rows[level.index()]
    }
}
