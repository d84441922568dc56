//! Editors of one value: of an attribute, of a body, of the scratch map, or of what is within one
//! of them. They are the functions that the evaluator by rows calls, on values taken from columns
//! and put back there. The scratch map is a column as well, of one map a row.

use trunkline_proto::batch::frame::{Others, kind};

use super::{
    calls::Operands,
    cells::{Cell, cell},
    eval::{Exec, Op},
    expr::{Action, Arg, Expr, Take},
    keyed::{PathKey, exprs_of},
    lower::Lower,
};
use crate::{
    contexts::{Context, Store},
    failure::Failure,
    functions::Build,
    program::{Argument, Call, KeyNode, PathNode},
    run::{self, Alone, Target},
    value::{
        Value, index,
        tree::{self, Tree},
    },
};

/// An encoded map without entries.
pub(super) const EMPTY_MAP: [u8; 2] = [0x32, 0x00];

/// What an editor of one value edits.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    of: Of,
    take: Take,
    /// Where within it; the first key of one of all attributes says which.
    keys: Vec<PathKey>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Slot(usize),
    Cache,
    /// The attribute whose key is computed.
    Attributes,
}

impl Spot {
    /// The values that it asks.
    pub fn exprs_mut<'e>(&'e mut self, out: &mut Vec<&'e mut Expr>) {
        exprs_of(&mut self.keys, out);
    }

    /// The values by which its keys are computed.
    pub fn computed(&self) -> impl Iterator<Item = &Expr> {
        self.keys.iter().filter_map(|key| match key {
            PathKey::Computed(of) => Some(of),
            PathKey::Known(_) => None,
        })
    }
}

impl Lower {
    /// An editor of one value that has no kernel of its own.
    pub fn one_value(&mut self, call: &Call) -> Option<Action> {
        let target = call.target()?;
        let spot = self.spot(target)?;
        if call.function.name == "set" {
            let Some(Argument::Value { node, .. }) = call.args.get(1) else {
                return None;
            };
            // A value that contains what is written.
            if node.contains(target) {
                return None;
            }
            let value = self.expr(node);
            return Some(Action::Assign { spot, value });
        }
        let (Build::Editor(_) | Build::EditorOfSome(_)) = call.function.build else {
            return None;
        };
        let args = self.args(call)?;
        let call = call.clone();
        Some(Action::Edit { spot, call, args })
    }

    fn spot(&mut self, target: &PathNode) -> Option<Spot> {
        let mut keys = self.path_keys(target);
        let (of, take) = match (target.def.store, target.keys.as_slice()) {
            (Store::Attributes, [KeyNode::Const(index::Key::Text(key)), ..]) => {
                keys.remove(0);
                (Of::Slot(self.slot(key)), Take::Attribute)
            }
            (Store::Attributes, [_, ..]) => {
                self.others = Others::All;
                (Of::Attributes, Take::Attribute)
            }
            (Store::Body, _) => (Of::Slot(self.field_slot(Store::Body)?), Take::Body),
            (store @ Store::Text(_), []) => (Of::Slot(self.field_slot(store)?), Take::Text),
            (Store::Cache, _) => {
                self.use_cache();
                (Of::Cache, Take::Attribute)
            }
            _ => return None,
        };
        Some(Spot { of, take, keys })
    }
}

impl Exec<'_> {
    /// Sets what is within a value, or in the scratch map.
    pub fn assign(&mut self, spot: &Spot, value: &Expr, selection: &mut Vec<u16>) {
        let value = self.eval(value, selection);
        let keys = self.keys_over(&spot.keys, selection);
        for p in selection.iter() {
            let value = self.value(self.view(value).get(*p));
            let keys = self.keys_at(&keys, *p);
            if let Err(cause) = self.put(spot, &keys, *p, value) {
                self.fail(*p, cause);
            }
        }
    }

    /// Runs an editor on values.
    pub fn edit(&mut self, spot: &Spot, call: &Call, args: &[Arg], selection: &mut Vec<u16>) {
        let keys = self.keys_over(&spot.keys, selection);
        let editor = match call.function.build {
            Build::Editor(editor) => editor,
            Build::EditorOfSome(editor) => {
                // Where there is nothing its arguments are not looked at.
                let all = std::mem::take(selection);
                for p in &all {
                    let keys = self.keys_at(&keys, *p);
                    match self.read(spot, &keys, *p) {
                        Ok((kind::NIL, _)) => {}
                        Ok(_) => selection.push(*p),
                        Err(cause) => self.fail(*p, cause),
                    }
                }
                self.state.give(all);
                editor
            }
            _ => return,
        };
        let Some(path) = call.target() else { return };
        let operands = self.operands_of(call, args, selection);
        for p in selection.iter() {
            let keys = self.keys_at(&keys, *p);
            let read = self.read(spot, &keys, *p);
            let read = read.map(|cell| self.value(cell));
            let result = match self.edited(editor, path, read, call, &operands, *p) {
                Ok(Some(value)) => self.put(spot, &keys, *p, value),
                Ok(None) => Ok(()),
                Err(cause) => Err(cause),
            };
            if let Err(cause) = result {
                self.fail(*p, cause);
            }
        }
    }

    /// What an editor writes in the place of what was read, if it writes anything.
    pub fn edited(
        &mut self,
        editor: crate::functions::Editor,
        path: &PathNode,
        read: Result<Value, Failure>,
        call: &Call,
        operands: &Operands,
        p: u16,
    ) -> Result<Option<Value>, Failure> {
        let args = self.args_at(call, operands, p)?;
        let mut alone = Alone::new(read);
        editor(&mut Target::alone(&mut alone, path), &args)?;
        Ok(alone.written())
    }

    fn spot_op(&self, of: Of) -> Op {
        match of {
            Of::Slot(slot) => Op::Slot(self.slot(slot)),
            Of::Cache | Of::Attributes => Op::Cache,
        }
    }

    fn read(&mut self, spot: &Spot, keys: &[index::Key], p: u16) -> Result<Cell, Failure> {
        if spot.of == Of::Attributes {
            return self.at_key(keys, p);
        }
        let op = self.spot_op(spot.of);
        match keys {
            [] => Ok(self.view(op).get(p)),
            keys => self.nested(op, p, keys, spot.take == Take::Body),
        }
    }

    /// Writes a value. What can be written of one that cannot be assigned is, and the failure
    /// told.
    fn put(
        &mut self,
        spot: &Spot,
        keys: &[index::Key],
        p: u16,
        value: Value,
    ) -> Result<(), Failure> {
        let (name, keys) = match (spot.of, keys.split_first()) {
            (Of::Attributes, Some((first, rest))) => (Some(index::attribute(first)?), rest),
            _ => (None, keys),
        };
        if keys.is_empty() && spot.of != Of::Cache {
            let cell = cell(self.frame, &mut self.state.boxed, value)?;
            let cell = self.taken(spot.take, p, cell)?;
            if !self.frame.is_odd(p) {
                self.put_cell(spot.of, name, p, cell)?;
            }
            return Ok(());
        }
        let (mut any, mut result) = (Vec::new(), Ok(()));
        if keys.is_empty() {
            any = run::whole_map(&value)?;
        } else {
            let mut tree = self.tree(spot, name, p)?;
            let (value, assigned) = tree::assigned(&value);
            // What was made on the way stays.
            let wrote = index::write(&mut tree, keys, value);
            // In attributes of the dictionary of profiles what fails changes nothing.
            let interned = matches!(self.context, Context::Profile | Context::ProfileSample);
            if interned && spot.of != Of::Cache {
                assigned.clone().and(wrote.clone())?;
            }
            tree.encode(&mut any);
            result = wrote.and(assigned);
        }
        if any.is_empty() && spot.of == Of::Cache {
            any.extend_from_slice(&EMPTY_MAP);
        }
        let cell = self.put_value(&any)?;
        self.put_cell(spot.of, name, p, cell)?;
        result
    }

    fn put_cell(&mut self, of: Of, name: Option<&[u8]>, p: u16, cell: Cell) -> Result<(), Failure> {
        match of {
            Of::Slot(slot) => self.frame.set(self.slot(slot), &[p], |_| cell),
            Of::Attributes => return self.set_at_key(name.unwrap_or_default(), p, cell),
            Of::Cache => {
                let (kinds, payloads) = self.state.cache.parts_mut();
                let at = usize::from(p);
                if let (Some(kind), Some(payload)) = (kinds.get_mut(at), payloads.get_mut(at)) {
                    (*kind, *payload) = cell;
                }
            }
        }
        Ok(())
    }

    /// The whole that a spot is within, to be changed.
    fn tree(&mut self, spot: &Spot, name: Option<&[u8]>, p: u16) -> Result<Tree, Failure> {
        let whole = match name {
            Some(name) => self.frame.attribute(self.data, p, name),
            None => Some(self.view(self.spot_op(spot.of)).get(p)),
        };
        let mut own = Vec::new();
        let any = match whole.unwrap_or((kind::NIL, 0)) {
            (kind::MAP | kind::LIST, bits) => self.bytes(bits),
            other => {
                self.value(other).encode(&mut own)?;
                &own
            }
        };
        if spot.take == Take::Body {
            run::check_body(any)?;
        }
        Tree::decode(any)
    }
}
