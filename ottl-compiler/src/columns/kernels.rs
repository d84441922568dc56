//! Which kernel an editor has, by what it does and what it writes; editors of one value are in
//! `editors`, those of all attributes without a kernel of their own here in `maps`.

use trunkline_proto::batch::{Field, frame::Others};

use super::{
    expr::{Action, KeepKeys, Take},
    lower::Lower,
    maps::MapAction,
    patterns::Pattern,
    plan::{Reason, wider},
};
use crate::{
    contexts::{Store, Write},
    functions::{self, Build},
    program::{Argument, Call, KeyNode, Node, PathNode},
    value::{Value, index},
};

impl Lower {
    /// An editor; why it has no kernel.
    pub fn editor(&mut self, call: &Call) -> Result<Action, Reason> {
        if let Build::Nothing = call.function.build {
            return Ok(Action::Nothing);
        }
        let target = call.target().ok_or(Reason::NoKernel)?;
        if target.context != self.context {
            return Err(Reason::NoKernel);
        }
        let action = self.action(call);
        let action = action.or_else(|| self.clear(call, target));
        let action = action.or_else(|| self.one_value(call));
        action.ok_or(Reason::NoKernel)
    }

    /// `clear` of a field, whose zero is known by its type.
    fn clear(&mut self, call: &Call, target: &PathNode) -> Option<Action> {
        if call.function.name != "clear" {
            return None;
        }
        let (slot, take) = self.target(target)?;
        let (take, zero) = match take {
            Take::Int(_) | Take::Nanos | Take::Elapsed | Take::Index => (take, Value::Int(0)),
            // Go's zero time, as nanoseconds.
            Take::Time => {
                let zero = functions::ZERO_TIME.unix_nanos();
                (Take::Nanos, Value::Int(zero))
            }
            Take::SpanId => (take, Value::SpanId([0; 8])),
            Take::TraceId => (take, Value::TraceId([0; 16])),
            Take::Text | Take::Dictionary | Take::Attribute | Take::Body => return None,
        };
        let value = self.constant_expr(&zero)?;
        Some(Action::Set { slot, take, value })
    }

    fn action(&mut self, call: &Call) -> Option<Action> {
        let target = call.target()?;
        let whole = target.def.store == Store::Attributes && target.keys.is_empty();
        match call.function.name {
            "set" => {
                let Some(Argument::Value { node, .. }) = call.args.get(1) else {
                    return None;
                };
                if whole {
                    self.others = Others::All;
                    return Some(Action::Map(MapAction::Set(self.expr(node))));
                }
                let (slot, take) = self.target(target)?;
                // A value that contains what is written.
                if node.contains(target) {
                    return None;
                }
                let value = self.expr(node);
                Some(Action::Set { slot, take, value })
            }
            _ if whole => self.keep(call).or_else(|| self.map_action(call)),
            "replace_pattern" | "replace_match" => {
                let (slot, take) = self.target(target)?;
                let known = matches!(call.args.get(1), Some(Argument::Regex(_)))
                    && matches!(
                        call.args.get(2).and_then(Argument::literal),
                        Some(Value::String(_))
                    )
                    && matches!(call.args.get(3), None | Some(Argument::Absent));
                if !known || !matches!(take, Take::Attribute | Take::Body | Take::Text) {
                    return None;
                }
                self.memos += 1;
                let whole = call.function.name == "replace_match";
                let pattern = match (call.args.get(1), call.args.get(2).map(Argument::literal)) {
                    (Some(Argument::Regex(regex)), Some(Some(Value::String(by))))
                        if !whole && !by.contains(&b'$') =>
                    {
                        Some(Pattern::new(regex))
                    }
                    _ => None,
                };
                Some(Action::Replace {
                    slot,
                    call: call.clone(),
                    whole,
                    pattern,
                    memo: self.memos - 1,
                })
            }
            _ => None,
        }
    }

    /// What leaves some of the attributes, or parts of them.
    fn keep(&mut self, call: &Call) -> Option<Action> {
        let action = match call.function.name {
            "delete_key" => match call.args.get(1).and_then(Argument::literal) {
                Some(Value::String(key)) => return Some(Action::Remove(self.slot(key))),
                _ => return None,
            },
            "keep_keys" => {
                let Some(Argument::Items { nodes, .. }) = call.args.get(1) else {
                    return None;
                };
                let keys = nodes.iter().map(|node| match node {
                    Node::Const(Value::String(key)) => Some(key.to_vec()),
                    _ => None,
                });
                KeepKeys::Only(keys.collect::<Option<Vec<_>>>()?)
            }
            "delete_matching_keys" | "keep_matching_keys" => {
                let Some(Argument::Regex(regex)) = call.args.get(1) else {
                    return None;
                };
                match call.function.name {
                    "keep_matching_keys" => KeepKeys::Matching(regex.clone()),
                    _ => KeepKeys::NotMatching(regex.clone()),
                }
            }
            "clear" => KeepKeys::Only(Vec::new()),
            "truncate_all" => return self.truncate(call),
            _ => return None,
        };
        self.others = Others::All;
        Some(Action::Keep(action))
    }

    fn truncate(&mut self, call: &Call) -> Option<Action> {
        let literal = |at: usize| call.args.get(at).and_then(Argument::literal);
        let Some(Value::Int(limit)) = literal(1) else {
            return None;
        };
        let safe = match (call.args.get(2), literal(2)) {
            (None | Some(Argument::Absent), _) => true,
            (_, Some(Value::Bool(safe))) => *safe,
            _ => return None,
        };
        let marker = match (call.args.get(3), literal(3)) {
            (None | Some(Argument::Absent), _) => Vec::new(),
            (_, Some(Value::String(marker))) => marker.to_vec(),
            _ => return None,
        };
        let limit = usize::try_from(*limit).unwrap_or(0);
        let most = u32::try_from(limit).unwrap_or(u32::MAX);
        self.others = wider(self.others, Others::Longer(most));
        Some(Action::Truncate {
            limit,
            safe,
            marker,
        })
    }

    /// The slot of a target, and what it takes.
    fn target(&mut self, path: &PathNode) -> Option<(usize, Take)> {
        if !matches!(path.def.write, Write::Types(_)) {
            return None;
        }
        match (path.def.store, path.keys.as_slice()) {
            (Store::Attributes, [KeyNode::Const(index::Key::Text(key))]) => {
                Some((self.slot(key), Take::Attribute))
            }
            (Store::Body, []) => Some((self.field(Field::Body)?, Take::Body)),
            (store, []) => {
                let (field, take) = match store {
                    Store::Text(field) => (field, Take::Text),
                    Store::TraceState => (Field::TraceState, Take::Text),
                    Store::Int(field, width) => (field, Take::Int(width)),
                    Store::UnixNano(field) => (field, Take::Nanos),
                    Store::Time(field) => (field, Take::Time),
                    Store::TraceId(field) => (field, Take::TraceId),
                    Store::SpanId(field) => (field, Take::SpanId),
                    Store::Nanos(field) => (field, Take::Elapsed),
                    Store::Index(field) => (field, Take::Index),
                    Store::DictionaryText(field) => (field, Take::Dictionary),
                    _ => return None,
                };
                Some((self.field(field)?, take))
            }
            _ => None,
        }
    }
}
