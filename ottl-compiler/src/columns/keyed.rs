//! Paths whose keys are computed: what is at a key that only the row knows. A key that cannot be
//! computed is no failure by itself, only where it is come to.

use smallvec::SmallVec;
use trunkline_proto::batch::{
    Level,
    frame::{Frame, Others, kind},
};

use super::{
    cells::{self, Cell},
    eval::{Exec, Op, above},
    expr::{Expr, Form},
    lower::Lower,
};
use crate::{
    contexts::Store,
    failure::Failure,
    program::{KeyNode, PathNode},
    value::{Value, index},
};

/// A key behind a path.
#[derive(Clone, Debug)]
pub(super) enum PathKey {
    Known(index::Key),
    Computed(Expr),
}

/// What keys lead into.
#[derive(Clone, Debug)]
pub(super) enum Within {
    /// The attributes of the row.
    Attributes,
    /// Those of what is around it.
    Around(Level),
    /// A value, be it a body, which must be a list or a map.
    Value { of: Box<Expr>, body: bool },
}

/// A path with keys of which some are computed.
#[derive(Clone, Debug)]
pub(super) struct Keyed {
    pub within: Within,
    pub keys: Vec<PathKey>,
}

/// Keys over rows.
pub(super) type Keys<'k> = SmallVec<[KeyOver<'k>; 2]>;

/// A key over rows: where it cannot be computed, why.
pub(super) enum KeyOver<'k> {
    Known(&'k index::Key),
    Computed(Op, Vec<(u16, Failure)>),
}

impl Keyed {
    /// The values that it asks.
    pub fn exprs_mut<'e>(&'e mut self, out: &mut Vec<&'e mut Expr>) {
        if let Within::Value { of, .. } = &mut self.within {
            out.push(of);
        }
        exprs_of(&mut self.keys, out);
    }
}

/// The values that keys are computed by.
pub(super) fn exprs_of<'e>(keys: &'e mut [PathKey], out: &mut Vec<&'e mut Expr>) {
    out.extend(keys.iter_mut().filter_map(|key| match key {
        PathKey::Computed(of) => Some(of),
        PathKey::Known(_) => None,
    }));
}

impl Lower {
    /// The keys of a path.
    pub fn path_keys(&mut self, path: &PathNode) -> Vec<PathKey> {
        let key = |key: &KeyNode| match key {
            KeyNode::Const(key) => PathKey::Known(key.clone()),
            KeyNode::Computed(node) => PathKey::Computed(self.expr(node)),
        };
        path.keys.iter().map(key).collect()
    }

    /// A path of which a key is computed, or the first one of attributes is no text.
    pub fn keyed(&mut self, path: &PathNode) -> Option<Expr> {
        let own = path.context == self.context;
        let value = |of| Within::Value {
            of: Box::new(of),
            body: path.def.store == Store::Body,
        };
        let mut behind = 0;
        let within = match (path.def.store, path.keys.first()?) {
            (Store::Attributes, KeyNode::Const(index::Key::Text(key))) if own => {
                behind = 1;
                value(Expr::Slot(self.slot(key), Form::Plain))
            }
            (Store::Attributes, _) if own => {
                self.others = Others::All;
                Within::Attributes
            }
            // Whether it is empty or not there decides what its keys give.
            (Store::Attributes, _) if path.keys.len() == 1 => Within::Around(path.context.level()?),
            (Store::Cache, _) if own => {
                self.use_cache();
                value(Expr::Cache)
            }
            (Store::Body, _) if own => {
                let slot = self.field_slot(Store::Body)?;
                value(Expr::Slot(slot, Form::Plain))
            }
            _ => return None,
        };
        let keys = self.path_keys(path).into_iter().skip(behind).collect();
        Some(Expr::Keyed(Box::new(Keyed { within, keys })))
    }
}

impl Exec<'_> {
    /// What is at computed keys.
    pub fn keyed(&mut self, keyed: &Keyed, selection: &mut Vec<u16>) -> Op {
        let of = match &keyed.within {
            Within::Value { of, .. } => Some(self.eval(of, selection)),
            _ => None,
        };
        let keys = self.keys_over(&keyed.keys, selection);
        self.each(selection, |exec, p| {
            let keys = exec.keys_at(&keys, p);
            match (&keyed.within, of) {
                (Within::Value { body, .. }, Some(of)) => exec.nested(of, p, &keys, *body),
                (Within::Around(level), _) => exec.at_key_around(*level, &keys, p),
                _ => exec.at_key(&keys, p),
            }
        })
    }

    /// The keys over the rows of a selection; rows that are given up leave it.
    pub fn keys_over<'k>(&mut self, keys: &'k [PathKey], selection: &mut Vec<u16>) -> Keys<'k> {
        let over = keys.iter().map(|key| match key {
            PathKey::Known(key) => KeyOver::Known(key),
            PathKey::Computed(of) => {
                let (op, failed) = self.caught(of, selection);
                KeyOver::Computed(op, failed)
            }
        });
        over.collect()
    }

    /// The value of an expression where it is asked for, and where and why it fails.
    pub fn caught(&mut self, expr: &Expr, selection: &mut Vec<u16>) -> (Op, Vec<(u16, Failure)>) {
        let before = self.state.failures.len();
        let mut here = self.state.copy(selection);
        let op = self.eval(expr, &mut here);
        self.state.give(here);
        if self.frame.any_odd() {
            selection.retain(|p| !self.frame.is_odd(*p));
        }
        (op, self.state.take_failures(before))
    }

    /// The keys at a position.
    pub fn keys_at(&self, keys: &Keys<'_>, p: u16) -> SmallVec<[index::Key; 2]> {
        let at = |key: &KeyOver<'_>| match key {
            KeyOver::Known(key) => (*key).clone(),
            KeyOver::Computed(op, failed) => {
                match failed.iter().find(|(position, _)| *position == p) {
                    Some((_, cause)) => index::Key::Wrong(Box::new(cause.clone())),
                    None => index::Key::of(self.value(self.view(*op).get(p))),
                }
            }
        };
        keys.iter().map(at).collect()
    }

    /// What is in an attribute of a row.
    pub fn at_key(&mut self, keys: &[index::Key], p: u16) -> Result<Cell, Failure> {
        let Some((first, rest)) = keys.split_first() else {
            return Ok((kind::NIL, 0));
        };
        let key = index::attribute(first)?;
        match self.frame.attribute(self.data, p, key) {
            None => Ok((kind::NIL, 0)),
            Some(cell) if rest.is_empty() => Ok(cell),
            Some(cell) => self.nested_in(cell, true, rest, false),
        }
    }

    /// The same of an attribute of what is around the row.
    fn at_key_around(
        &mut self,
        level: Level,
        keys: &[index::Key],
        p: u16,
    ) -> Result<Cell, Failure> {
        let Some(first) = keys.first() else {
            return Ok((kind::NIL, 0));
        };
        let key = index::attribute(first)?;
        let row = self.frame.rows().get(usize::from(p)).copied();
        let above = row.and_then(|row| above(self.data, self.frame.level(), row, level));
        let found = above.map(|above| Frame::attribute_of(self.data, level, above, key));
        match found {
            Some(Ok(cell)) => Ok(cell),
            _ => {
                self.frame.give_up(p);
                Ok((kind::NIL, 0))
            }
        }
    }

    /// Sets an attribute by its key.
    pub fn set_at_key(&mut self, key: &[u8], p: u16, cell: Cell) -> Result<(), Failure> {
        let key = self.frame.put(key).ok_or_else(cells::full)?;
        self.frame.set_attribute(self.data, p, key, cell);
        Ok(())
    }

    /// A cell of a value of telemetry in the frame's heap.
    pub fn put_value(&mut self, any: &[u8]) -> Result<Cell, Failure> {
        cells::cell(self.frame, &mut self.state.boxed, Value::decode(any)?)
    }
}
