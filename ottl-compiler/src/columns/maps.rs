//! Editors of all attributes of a row, and what is asked of them as a whole.

use std::borrow::Cow;

use trunkline_proto::batch::{
    Data,
    frame::{Change, Others, bytes_of, kind, span},
};

use super::{
    cells::{self, Cell},
    eval::{Exec, Op},
    expr::{Action, Arg, Expr},
    lower::Lower,
};
use crate::{
    failure::Failure,
    functions::{self, Build},
    go::text,
    program::{Args, Argument, Call, Node},
    run,
    types::Type,
    value::{
        Value,
        coerce::{Want, coerce},
        entries,
    },
};

/// An editor of all attributes.
#[derive(Clone, Debug)]
pub(super) enum MapAction {
    /// Leaves so many: these first.
    Limit { most: usize, first: Vec<Vec<u8>> },
    /// Replaces in strings what a pattern matches; `at` is the pattern's place among the
    /// arguments.
    Replace { call: Call, whole: bool, at: usize },
    /// Makes texts of all values.
    Stringify,
    /// Sets attributes that are not there (insert), or are (update).
    Merge {
        entries: Vec<(usize, Cell)>,
        insert: bool,
        update: bool,
    },
    /// The same with the entries of a map that is computed.
    MergeAll {
        source: Expr,
        want: Want,
        insert: bool,
        update: bool,
    },
    /// Puts a map in the place of all.
    Set(Expr),
    /// Edits them by the editor's function; `nested` says that it changes nothing where no
    /// attribute is a list or a map.
    Edit {
        call: Call,
        args: Vec<Arg>,
        nested: bool,
    },
}

impl MapAction {
    /// The values that it takes.
    pub fn exprs_mut<'e>(&'e mut self, out: &mut Vec<&'e mut Expr>) {
        match self {
            MapAction::MergeAll { source: of, .. } | MapAction::Set(of) => out.push(of),
            MapAction::Edit { args, .. } => args.iter_mut().for_each(|arg| arg.exprs_mut(out)),
            _ => {}
        }
    }
}

impl Lower {
    /// An editor of all attributes.
    pub fn map_action(&mut self, call: &Call) -> Option<Action> {
        self.map_kernel(call).or_else(|| self.map_editor(call))
    }

    /// One that has no kernel of its own.
    fn map_editor(&mut self, call: &Call) -> Option<Action> {
        let (Build::Editor(_) | Build::EditorOfSome(_)) = call.function.build else {
            return None;
        };
        self.others = Others::All;
        let args = self.args(call)?;
        let known = args.iter().all(|arg| matches!(arg, Arg::Known));
        let prefix = call.args.get(1).and_then(Argument::literal);
        let no_prefix = match call.args.get(1) {
            None | Some(Argument::Absent) => true,
            _ => matches!(prefix, Some(Value::String(prefix)) if prefix.is_empty()),
        };
        let nested = call.function.name == "flatten" && known && no_prefix;
        let call = call.clone();
        Some(Action::Map(MapAction::Edit { call, args, nested }))
    }

    /// One that has.
    fn map_kernel(&mut self, call: &Call) -> Option<Action> {
        let literal = |at: usize| call.args.get(at).and_then(Argument::literal);
        let absent = |at: usize| matches!(call.args.get(at), None | Some(Argument::Absent));
        let action = match call.function.name {
            "limit" => {
                let Some(Value::Int(most)) = literal(1) else {
                    return None;
                };
                let first = strings(call.args.get(2)?)?;
                self.others = Others::All;
                let most = usize::try_from(*most).unwrap_or(0);
                MapAction::Limit { most, first }
            }
            "replace_all_matches" | "replace_all_patterns" => {
                let whole = call.function.name == "replace_all_matches";
                let at = if whole { 1 } else { 2 };
                let values =
                    whole || matches!(literal(1), Some(Value::String(of)) if **of == *b"value");
                let known = matches!(call.args.get(at), Some(Argument::Regex(_)))
                    && matches!(literal(at + 1), Some(Value::String(_)))
                    && absent(at + 2);
                if !known || !values {
                    return None;
                }
                self.others = Others::All;
                let call = call.clone();
                MapAction::Replace { call, whole, at }
            }
            "stringify_all" => {
                self.others = Others::All;
                MapAction::Stringify
            }
            "merge_maps" => {
                let Argument::Value { node, want } = call.args.get(1)? else {
                    return None;
                };
                let Some(Value::String(strategy)) = literal(2) else {
                    return None;
                };
                let (insert, update) = (**strategy != *b"update", **strategy != *b"insert");
                let Some(source) = constant_map(node) else {
                    // A map that is put where it comes from is another matter.
                    let target = call.target()?;
                    if matches!(node, Node::Path(source) if source.is_same(target)) {
                        return None;
                    }
                    self.others = Others::All;
                    return Some(Action::Map(MapAction::MergeAll {
                        source: self.expr(node),
                        want: *want,
                        insert,
                        update,
                    }));
                };
                let mut entries = Vec::with_capacity(source.len());
                for (key, value) in source {
                    let cell = self.constant(&value)?;
                    entries.push((self.slot(&key), cell));
                }
                MapAction::Merge {
                    entries,
                    insert,
                    update,
                }
            }
            _ => return None,
        };
        Some(Action::Map(action))
    }
}

fn strings(argument: &Argument) -> Option<Vec<Vec<u8>>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.to_vec()),
        _ => None,
    };
    match argument {
        Argument::Literal(Value::List(items)) => items.iter().map(text).collect(),
        Argument::Items { nodes, .. } => {
            let texts = nodes.iter().map(|node| match node {
                Node::Const(value) => text(value),
                _ => None,
            });
            texts.collect()
        }
        _ => None,
    }
}

/// The entries of a map that is known.
fn constant_map(node: &Node) -> Option<Vec<(Vec<u8>, Value)>> {
    let of = |key: &[u8], value: &Value| {
        let mut any = Vec::new();
        value.encode(&mut any).ok()?;
        Some((key.to_vec(), Value::decode(&any).ok()?))
    };
    match node {
        Node::Const(Value::Map(any)) => {
            let all = entries(any).ok()?.into_iter();
            all.map(|(key, any)| Some((key.to_vec(), Value::decode(&any).ok()?)))
                .collect()
        }
        Node::Const(Value::RawMap(entries)) => {
            entries.iter().map(|(key, value)| of(key, value)).collect()
        }
        Node::Map(entries) => {
            let all = entries.iter().map(|(key, node)| match node {
                Node::Const(value) => of(key, value),
                _ => None,
            });
            all.collect()
        }
        _ => None,
    }
}

impl Exec<'_> {
    pub fn edit_map(&mut self, action: &MapAction, selection: &mut Vec<u16>) {
        match action {
            MapAction::MergeAll {
                source,
                want,
                insert,
                update,
            } => {
                let source = self.eval(source, selection);
                for p in selection.iter() {
                    if let Err(cause) = self.merge(source, *want, (*insert, *update), *p) {
                        self.fail(*p, cause);
                    }
                }
            }
            MapAction::Set(value) => {
                let value = self.eval(value, selection);
                for p in selection.iter() {
                    let value = self.value(self.view(value).get(*p));
                    let set = run::whole_map(&value).and_then(|any| self.put_map(&any, *p));
                    if let Err(cause) = set {
                        self.fail(*p, cause);
                    }
                }
            }
            MapAction::Edit { call, args, nested } => {
                self.edit_all(call, args, *nested, selection);
            }
            MapAction::Limit { most, first } => {
                for p in selection.iter() {
                    self.limit(*most, first, *p);
                }
            }
            MapAction::Replace { call, whole, at } => {
                self.replace_all(call, *whole, *at, selection)
            }
            MapAction::Stringify => self.stringify_all(selection),
            MapAction::Merge {
                entries,
                insert,
                update,
            } => {
                for (slot, cell) in entries {
                    let mut here = self.state.copy(selection);
                    let column = self.frame.column(*slot);
                    here.retain(|p| match column.is_there(usize::from(*p)) {
                        true => *update,
                        false => *insert,
                    });
                    self.frame.set(*slot, &here, |_| *cell);
                    self.state.give(here);
                }
            }
        }
    }

    /// Puts the entries of a map among the attributes: those that are not there (insert), or
    /// are (update).
    fn merge(
        &mut self,
        source: Op,
        want: Want,
        (insert, update): (bool, bool),
        p: u16,
    ) -> Result<(), Failure> {
        let map = match self.view(source).get(p) {
            (kind::MAP, bits) => bits,
            other => {
                let value = coerce(Cow::Owned(self.value(other)), want)?.into_owned();
                let (Value::Map(_) | Value::RawMap(_)) = value else {
                    return Err(Failure::Type {
                        wanted: Type::Map.name(),
                        got: value.type_name(),
                    });
                };
                let mut any = Vec::new();
                value.encode(&mut any)?;
                self.frame.put(&any).ok_or_else(cells::full)?
            }
        };
        let Some(pairs) = self.frame.pairs(self.data, map) else {
            self.frame.give_up(p);
            return Ok(());
        };
        for (key, of, bits) in pairs {
            let name = self.frame.bytes(self.data, key);
            let there = self.frame.attribute(self.data, p, name).is_some();
            if if there { update } else { insert } {
                self.frame.set_attribute(self.data, p, key, (of, bits));
            }
        }
        Ok(())
    }

    /// Makes the entries of an encoded map all attributes of a row.
    fn put_map(&mut self, any: &[u8], p: u16) -> Result<(), Failure> {
        let map = self.frame.put(any).ok_or_else(cells::full)?;
        self.frame.set_attributes(self.data, p, map);
        Ok(())
    }

    fn edit_all(&mut self, call: &Call, args: &[Arg], nested: bool, selection: &mut Vec<u16>) {
        let (Build::Editor(editor) | Build::EditorOfSome(editor)) = call.function.build else {
            return;
        };
        let Some(path) = call.target() else { return };
        let operands = self.operands_of(call, args, selection);
        for p in selection.iter() {
            if nested && !self.frame.any_nested(self.data, *p) {
                continue;
            }
            let read = match self.frame.put_attributes(self.data, *p) {
                Some(bits) => Ok(self.value((kind::MAP, bits))),
                None => Err(cells::full()),
            };
            let edited = self.edited(editor, path, read, call, &operands, *p);
            let result = edited.and_then(|written| match written {
                Some(value) => run::whole_map(&value).and_then(|any| self.put_map(&any, *p)),
                None => Ok(()),
            });
            if let Err(cause) = result {
                self.fail(*p, cause);
            }
        }
    }

    fn limit(&mut self, most: usize, first: &[Vec<u8>], p: u16) {
        if self.frame.attribute_count(p) <= most {
            return;
        }
        let is_first = |key: &[u8]| first.iter().any(|of| of == key);
        let mut reserved = 0;
        self.frame.retain(self.data, p, |key| {
            reserved += usize::from(is_first(key));
            true
        });
        let mut others = most.saturating_sub(reserved);
        self.frame.retain(self.data, p, |key| {
            if is_first(key) {
                return true;
            }
            let stays = others > 0;
            others = others.saturating_sub(1);
            stays
        });
    }

    fn replace_all(&mut self, call: &Call, whole: bool, at: usize, selection: &[u16]) {
        let args = Args::of_literals(call);
        // Neither the pattern nor the replacement can fail: both are known.
        self.change_all(selection, |heap, data, (of, bits), out| {
            let text = bytes_of(heap, data, bits);
            of == kind::STRING && functions::replaced(&args, whole, at, text, out) == Ok(true)
        });
    }

    fn stringify_all(&mut self, selection: &[u16]) {
        let none = Vec::new();
        self.change_all(selection, |heap, data, (of, bits), out| {
            let mut any = Vec::new();
            let value = cells::value(heap, data, &none, (of, bits));
            if of == kind::STRING || value.encode(&mut any).is_err() {
                return false;
            }
            let read = trunkline_proto::batch::Value::read(&any);
            read.map(|value| text::as_text(&value, out)).is_ok()
        });
    }

    /// Makes texts of values of all attributes, where `change` puts one into its last argument
    /// and says so.
    fn change_all(
        &mut self,
        selection: &[u16],
        change: impl Fn(&[u8], &Data, Cell, &mut Vec<u8>) -> bool,
    ) {
        let (mut out, mut full) = (Vec::new(), false);
        for slot in 0..self.keys {
            for p in selection {
                let column = self.frame.column(slot);
                let cell = column.get(usize::from(*p));
                out.clear();
                if !column.is_there(usize::from(*p))
                    || !change(self.frame.heap(), self.data, cell, &mut out)
                {
                    continue;
                }
                match self.frame.put(&out) {
                    Some(bits) => self.frame.set(slot, &[*p], |_| (kind::STRING, bits)),
                    None => full = true,
                }
            }
        }
        let data = &*self.data;
        for p in selection {
            self.frame.change_others(data, *p, |heap, _, of, bits| {
                out.clear();
                if !change(heap, data, (of, bits), &mut out) {
                    return Change::None;
                }
                let from = heap.len();
                if from + out.len() > span::MOST {
                    full = true;
                    return Change::None;
                }
                heap.extend_from_slice(&out);
                Change::Set(kind::STRING, span::heap(from, out.len()))
            });
        }
        if full {
            // Cannot be told from row to row any more: let all of them be done by rows.
            selection.iter().for_each(|p| self.frame.give_up(*p));
        }
    }

    /// All attributes as a map.
    pub fn attributes(&mut self, selection: &mut Vec<u16>) -> Op {
        self.each(selection, |exec, p| {
            let bits = exec.frame.put_attributes(exec.data, p);
            Ok((kind::MAP, bits.ok_or_else(cells::full)?))
        })
    }

    /// How many attributes there are.
    pub fn attribute_count(&mut self, selection: &mut Vec<u16>) -> Op {
        self.each(selection, |exec, p| {
            Ok((kind::INT, exec.frame.attribute_count(p) as u64))
        })
    }
}
