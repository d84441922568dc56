//! Editors of one value: of an attribute, of a body, of the scratch map, or of what is within one
//! of them. They are the functions that the evaluator by rows calls, on values taken from columns
//! and put back there. The scratch map is a column as well, of one map a row.

use trunkline_proto::batch::frame::kind;

use super::{
    calls::Operand,
    cells::{Cell, cell},
    eval::{Exec, Op},
    expr::{Action, Arg, Expr, Take},
    lower::Lower,
};
use crate::{
    contexts::Store,
    failure::Failure,
    functions::Build,
    program::{Args, Argument, Call, KeyNode, Node, PathNode},
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
    /// The column; none for the scratch map.
    slot: Option<usize>,
    take: Take,
    /// Where within it.
    keys: Vec<index::Key>,
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
            if matches!(node, Node::Path(source) if source.contains(target)) {
                return None;
            }
            let value = self.expr(node);
            return Some(Action::Assign { spot, value });
        }
        let (Build::Editor(_) | Build::EditorOfSome(_)) = call.function.build else {
            return None;
        };
        // What it asks for, and when, is seen row by row.
        let varies = |argument: &Argument| match argument {
            Argument::Value { node, .. } => !matches!(node, Node::Const(_)),
            Argument::Items { .. } => true,
            _ => false,
        };
        if call.function.by_need && call.args.iter().any(varies) {
            return None;
        }
        let args = self.args(call)?;
        let call = call.clone();
        Some(Action::Edit { spot, call, args })
    }

    fn spot(&mut self, target: &PathNode) -> Option<Spot> {
        let mut keys = Vec::with_capacity(target.keys.len());
        for key in &target.keys {
            match key {
                KeyNode::Const(key) => keys.push(key.clone()),
                KeyNode::Computed(_) => return None,
            }
        }
        let (slot, take) = match (target.def.store, keys.as_slice()) {
            (Store::Attributes, [index::Key::Text(key), ..]) => {
                let slot = self.slot(key);
                keys.remove(0);
                (Some(slot), Take::Attribute)
            }
            (Store::Body, _) => (Some(self.field_slot(Store::Body)?), Take::Body),
            (store @ Store::Text(_), []) => (Some(self.field_slot(store)?), Take::Text),
            (Store::Cache, _) => {
                self.use_cache();
                (None, Take::Attribute)
            }
            _ => return None,
        };
        Some(Spot { slot, take, keys })
    }
}

impl Exec<'_> {
    /// Sets what is within a value, or in the scratch map.
    pub fn assign(&mut self, spot: &Spot, value: &Expr, selection: &mut Vec<u16>) {
        let value = self.eval(value, selection);
        for p in selection.iter() {
            let value = self.value(self.view(value).get(*p));
            if let Err(cause) = self.put(spot, *p, value) {
                self.fail(*p, cause);
            }
        }
    }

    /// Runs an editor on values.
    pub fn edit(&mut self, spot: &Spot, call: &Call, args: &[Arg], selection: &mut Vec<u16>) {
        let editor = match call.function.build {
            Build::Editor(editor) => editor,
            Build::EditorOfSome(editor) => {
                // Where there is nothing its arguments are not looked at.
                let all = std::mem::take(selection);
                for p in &all {
                    match self.read(spot, *p) {
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
        let operands = self.operands(call, args, selection);
        for p in selection.iter() {
            let result = self.edited(editor, path, spot, call, &operands, *p);
            let result = match result {
                Ok(Some(value)) => self.put(spot, *p, value),
                Ok(None) => Ok(()),
                Err(cause) => Err(cause),
            };
            if let Err(cause) = result {
                self.fail(*p, cause);
            }
        }
    }

    /// What an editor writes, if it writes anything.
    fn edited(
        &mut self,
        editor: crate::functions::Editor,
        path: &PathNode,
        spot: &Spot,
        call: &Call,
        operands: &[Operand],
        p: u16,
    ) -> Result<Option<Value>, Failure> {
        let args = Args {
            arguments: &call.args,
            prepared: call.prepared.as_ref(),
            values: self.arguments(call, operands, p)?,
            failed: Vec::new(),
        };
        let read = self.read(spot, p).map(|cell| self.value(cell));
        let mut alone = Alone::new(read);
        editor(&mut Target::alone(&mut alone, path), &args)?;
        Ok(alone.written())
    }

    fn spot_op(&self, spot: &Spot) -> Op {
        match spot.slot {
            Some(slot) => Op::Slot(self.slot(slot)),
            None => Op::Cache,
        }
    }

    fn read(&mut self, spot: &Spot, p: u16) -> Result<Cell, Failure> {
        let op = self.spot_op(spot);
        match spot.keys.as_slice() {
            [] => Ok(self.view(op).get(p)),
            keys => self.nested(op, p, keys, spot.take == Take::Body),
        }
    }

    /// Writes a value. What can be written of one that cannot be assigned is, and the failure
    /// told.
    fn put(&mut self, spot: &Spot, p: u16, value: Value) -> Result<(), Failure> {
        if let ([], Some(slot)) = (spot.keys.as_slice(), spot.slot) {
            let cell = cell(self.frame, &mut self.state.boxed, value)?;
            let cell = self.taken(spot.take, p, cell)?;
            if !self.frame.is_odd(p) {
                self.frame.set(self.slot(slot), &[p], |_| cell);
            }
            return Ok(());
        }
        let (mut any, mut result) = (Vec::new(), Ok(()));
        if spot.keys.is_empty() {
            any = run::whole_map(&value)?;
        } else {
            let mut tree = self.tree(spot, p)?;
            let (value, assigned) = tree::assigned(&value);
            // What was made on the way stays.
            let wrote = index::write(&mut tree, &spot.keys, value);
            tree.encode(&mut any);
            result = wrote.and(assigned);
        }
        if any.is_empty() && spot.slot.is_none() {
            any.extend_from_slice(&EMPTY_MAP);
        }
        let value = Value::decode(&any)?;
        let (of, bits) = cell(self.frame, &mut self.state.boxed, value)?;
        match spot.slot {
            Some(slot) => self.frame.set(self.slot(slot), &[p], |_| (of, bits)),
            None => {
                let (kinds, payloads) = self.state.cache.parts_mut();
                let at = usize::from(p);
                if let (Some(kind), Some(payload)) = (kinds.get_mut(at), payloads.get_mut(at)) {
                    (*kind, *payload) = (of, bits);
                }
            }
        }
        result
    }

    /// The whole that a spot is within, to be changed.
    fn tree(&mut self, spot: &Spot, p: u16) -> Result<Tree, Failure> {
        let op = self.spot_op(spot);
        let mut own = Vec::new();
        let any = match self.view(op).get(p) {
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
