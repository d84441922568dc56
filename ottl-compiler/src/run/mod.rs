//! The evaluator by rows: runs a checked program on one row after the other, exactly as the
//! reference does. What works on columns falls back to it where rows depend on each other, and
//! is tested against it. Reading and writing paths is in `paths`, values in `eval`, error modes
//! and counts in `sequence`, the choice of rows in `conditions`.

mod conditions;
mod eval;
mod numbers;
mod paths;
mod read;
mod sequence;
mod target;
#[cfg(test)]
pub(crate) mod tests;
mod write;

use smallvec::SmallVec;
use trunkline_proto::batch::{Data, Level};

pub use conditions::{Choice, Selected, Verdict, choose, conditions, matches};
pub(crate) use conditions::{choose_timed, conditions_timed};
pub(crate) use paths::{DEPRECATED_KINDS, KINDS};
pub(crate) use paths::{pack_fixed, pack_varints, unpack_fixed, unpack_varints};
pub(crate) use read::check_body;
pub use sequence::{Counts, ErrorMode, RowFailure, Stopped, run};
pub(crate) use sequence::{Pass, run_timed, weight};
pub(crate) use target::Alone;
pub use target::{Entries, Target};
pub(crate) use write::{INDEX_TOO_LARGE, NEGATIVE_DURATION, owned_entries, whole_map};

use crate::{contexts::Context, failure::Failure, value::Value};

/// What is known of a request and its sender, for the paths `otelcol.…`.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The sender's address.
    pub address: Option<String>,
    /// The headers that receivers kept: lists of strings by key.
    pub metadata: Vec<(String, Vec<String>)>,
    /// What an authenticator found out.
    pub auth: Vec<(String, Value)>,
    /// The gRPC headers.
    pub grpc: Vec<(String, Vec<String>)>,
}

/// A row, what it is in, and its scratch map: what a statement can see.
pub struct Row<'d> {
    data: &'d mut Data,
    /// The row itself and those around it, by context.
    at: SmallVec<[(Context, Level, u32); 5]>,
    /// The encoded map.
    cache: &'d mut Vec<u8>,
    request: &'d Request,
    /// The arguments of the lambdas being evaluated, from the outside in.
    locals: Vec<Value>,
    /// Bytes that statements may still add to the scope.
    room: usize,
}

impl<'d> Row<'d> {
    /// A row of a context. `cache` is an encoded map; empty, it has no entries.
    ///
    /// # Errors
    /// When a context has no rows in a batch, or there is no such row.
    pub fn new(
        data: &'d mut Data,
        context: Context,
        row: u32,
        cache: &'d mut Vec<u8>,
        request: &'d Request,
    ) -> Result<Row<'d>, Failure> {
        let mut at = SmallVec::new();
        let mut next = row;
        for (depth, around) in context.visible().iter().enumerate() {
            let Some(level) = around.level() else {
                continue;
            };
            if depth > 0 {
                let below = at.last().map_or(level, |(_, level, _)| *level);
                let missing = trunkline_proto::batch::Error::NoRow(below, next);
                next = data.parent(below, next).ok_or(missing)?;
            }
            at.push((*around, level, next));
        }
        Ok(Row {
            data,
            at,
            cache,
            request,
            locals: Vec::new(),
            room: usize::MAX,
        })
    }

    /// The request that the row is in.
    pub(crate) fn data(&mut self) -> &mut Data {
        self.data
    }

    /// Adds a metric behind the others of the scope. `function` is told in the error.
    ///
    /// # Errors
    /// When more would be added to one scope by one group of statements than is allowed: a
    /// statement that matches what it added would never end.
    pub(crate) fn add_metric(&mut self, function: &str, message: &[u8]) -> Result<(), Failure> {
        let cost = message.len().saturating_add(sequence::ROW);
        let Some(room) = self.room.checked_sub(cost) else {
            return Err(Failure::Function(format!(
                "{function}: the statement keeps matching its own copies; exclude them in the \
                 where clause"
            )));
        };
        self.room = room;
        let (_, scope) = self.place(Context::Scope)?;
        self.data.add_row(Level::Item, scope, message)?;
        Ok(())
    }

    /// Where the entity of a context around this row is.
    pub(crate) fn place(&self, context: Context) -> Result<(Level, u32), Failure> {
        let found = self.at.iter().find(|(of, _, _)| *of == context);
        found
            .map(|(_, level, row)| (*level, *row))
            .ok_or_else(|| Failure::Function(format!("the context {context} cannot be read here")))
    }
}
