//! Common subexpressions: what several statements compute from the same places is computed once a
//! row, until a statement writes to one of those places. Which values are the same is decided when
//! the plan is made; a value that turned out to be needed once only is left as it was.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{
    eval::{Exec, Op},
    expr::{Action, Arg, Expr, Test},
    lower::is_pure,
};
use crate::{
    contexts::Store,
    program::{
        Argument, Call, Footprint, KeyNode, Node,
        footprint::{self, KeyPrint},
    },
    value::{Text, Value, index},
};

/// The values that the statements of a stage share.
#[derive(Debug, Default)]
pub(super) struct Shares {
    known: Vec<Share>,
    /// Which of them may be the same, by what they look like.
    alike: HashMap<u64, Vec<usize>>,
    /// What they read; many read the same.
    groups: Vec<Group>,
    /// The groups that read an entry of a map with this key, and those that read anything else:
    /// of those to which nothing was written yet.
    by_key: HashMap<Text, Vec<usize>>,
    others: Vec<usize>,
}

/// Values that read the same places.
#[derive(Debug)]
struct Group {
    reads: Vec<Footprint>,
    shares: Vec<usize>,
    /// Nothing was written yet to what they read.
    holds: bool,
}

/// The key of a place that overlaps with no other such place that has another key.
fn key_of(place: &Footprint) -> Option<&Text> {
    match (place.store, &place.key) {
        (Store::Attributes | Store::Cache | Store::Body, KeyPrint::Known(key)) => Some(key),
        _ => None,
    }
}

#[derive(Debug)]
struct Share {
    node: Node,
    /// Nothing was written yet to what it reads.
    holds: bool,
    uses: u32,
}

impl Shares {
    /// The value of a node, shared with others that are the same.
    pub fn share(&mut self, node: &Node, of: Expr) -> Expr {
        let costs = match (node, &of) {
            (_, Expr::Const(_) | Expr::IsRootSpan(_)) => false,
            (Node::Call(_) | Node::Index { .. }, _)
            | (_, Expr::Rows { .. } | Expr::Attributes | Expr::Keyed(_)) => true,
            _ => false,
        };
        if !costs || !is_pure(node) || has_local(node) {
            return of;
        }
        let alike = self.alike.entry(looks(node)).or_default();
        let is_it = |at: &&usize| {
            let share = self.known.get(**at);
            share.is_some_and(|share| share.holds && same(&share.node, node))
        };
        let at = match alike.iter().find(is_it).copied() {
            Some(at) => {
                if let Some(share) = self.known.get_mut(at) {
                    share.uses += 1;
                }
                at
            }
            None => {
                let at = self.known.len();
                alike.push(at);
                self.known.push(Share {
                    node: node.clone(),
                    holds: true,
                    uses: 1,
                });
                self.holds(footprint::of_node(node), at);
                at
            }
        };
        let of = Box::new(of);
        Expr::Shared { at, of }
    }

    /// A value reads these places.
    fn holds(&mut self, reads: Vec<Footprint>, share: usize) {
        let keys = reads.iter().map(key_of).collect::<Option<Vec<_>>>();
        let first = keys.as_ref().and_then(|keys| keys.first());
        let alike = match first {
            Some(key) => self.by_key.get(*key),
            None => Some(&self.others),
        };
        let is_it = |at: &&usize| {
            let group = self.groups.get(**at);
            group.is_some_and(|group| group.holds && group.reads == reads)
        };
        if let Some(at) = alike.and_then(|alike| alike.iter().find(is_it)) {
            if let Some(group) = self.groups.get_mut(*at) {
                group.shares.push(share);
            }
            return;
        }
        let at = self.groups.len();
        match keys.filter(|keys| !keys.is_empty()) {
            Some(keys) => {
                for key in keys {
                    self.by_key.entry(key.clone()).or_default().push(at);
                }
            }
            None => self.others.push(at),
        }
        self.groups.push(Group {
            reads,
            shares: vec![share],
            holds: true,
        });
    }

    /// A statement wrote to these places.
    pub fn wrote(&mut self, writes: &[Footprint]) {
        let (known, groups) = (&mut self.known, &mut self.groups);
        let mut still_holds = |at: &usize| {
            let Some(group) = groups.get_mut(*at).filter(|group| group.holds) else {
                return false;
            };
            let mut reads = group.reads.iter();
            group.holds = !reads.any(|read| writes.iter().any(|write| write.overlaps(read)));
            if !group.holds {
                for share in &group.shares {
                    if let Some(share) = known.get_mut(*share) {
                        share.holds = false;
                    }
                }
            }
            group.holds
        };
        self.others.retain(&mut still_holds);
        match writes.iter().map(key_of).collect::<Option<Vec<_>>>() {
            Some(keys) => {
                for key in keys {
                    if let Some(alike) = self.by_key.get_mut(key) {
                        alike.retain(&mut still_holds);
                    }
                }
            }
            None => {
                for alike in self.by_key.values_mut() {
                    alike.retain(&mut still_holds);
                }
            }
        }
    }

    /// Takes out what is used once, and numbers the others; how many they are.
    pub fn settle<'e>(&self, exprs: impl Iterator<Item = &'e mut Expr>) -> usize {
        let mut numbers: Vec<Option<usize>> = vec![None; self.known.len()];
        let mut count = 0;
        for (share, number) in self.known.iter().zip(&mut numbers) {
            if share.uses > 1 {
                *number = Some(count);
                count += 1;
            }
        }
        for expr in exprs {
            settle(expr, &numbers);
        }
        count
    }
}

fn settle(expr: &mut Expr, numbers: &[Option<usize>]) {
    while let Expr::Shared { at, of } = expr {
        if let Some(number) = numbers.get(*at).copied().flatten() {
            *at = number;
            settle(of, numbers);
            return;
        }
        let inner = std::mem::replace(&mut **of, Expr::Const((0, 0)));
        *expr = inner;
    }
    match expr {
        Expr::Nested { of, .. } | Expr::Negate(of) => settle(of, numbers),
        Expr::Keyed(keyed) => {
            let mut exprs = Vec::new();
            keyed.exprs_mut(&mut exprs);
            exprs.into_iter().for_each(|of| settle(of, numbers));
        }
        Expr::Math { first, rest } => {
            settle(first, numbers);
            rest.iter_mut().for_each(|(_, of)| settle(of, numbers));
        }
        Expr::Index { of, keys } => {
            settle(of, numbers);
            keys.iter_mut().for_each(|of| settle(of, numbers));
        }
        Expr::Map(entries) => entries.iter_mut().for_each(|(_, of)| settle(of, numbers)),
        Expr::List(parts) | Expr::Coalesce(parts) => {
            parts.iter_mut().for_each(|of| settle(of, numbers))
        }
        Expr::Call(call) => {
            for arg in &mut call.args {
                match arg {
                    Arg::Known => {}
                    Arg::Value(of) => settle(of, numbers),
                    Arg::Items(items) => items.iter_mut().for_each(|of| settle(of, numbers)),
                }
            }
        }
        _ => {}
    }
}

impl Test {
    /// The values that it asks.
    pub fn exprs_mut<'e>(&'e mut self, out: &mut Vec<&'e mut Expr>) {
        match self {
            Test::All(parts) | Test::Any(parts) => {
                parts.iter_mut().for_each(|part| part.exprs_mut(out));
            }
            Test::Not(inner) | Test::Lifted(inner) => inner.exprs_mut(out),
            Test::Compare { left, right, .. } => out.extend([left, right]),
            Test::Value(of) => out.push(of),
            Test::Const(_) | Test::Rows(_) => {}
        }
    }
}

impl Arg {
    /// The values that it is made of.
    pub fn exprs_mut<'e>(&'e mut self, out: &mut Vec<&'e mut Expr>) {
        match self {
            Arg::Known => {}
            Arg::Value(of) => out.push(of),
            Arg::Items(items) => out.extend(items),
        }
    }
}

impl Action {
    /// The values that it takes.
    pub fn exprs_mut<'e>(&'e mut self, out: &mut Vec<&'e mut Expr>) {
        match self {
            Action::Set { value, .. } => out.push(value),
            Action::Assign { spot, value } => {
                spot.exprs_mut(out);
                out.push(value);
            }
            Action::Edit { spot, args, .. } => {
                spot.exprs_mut(out);
                args.iter_mut().for_each(|arg| arg.exprs_mut(out));
            }
            Action::Map(map) => map.exprs_mut(out),
            _ => {}
        }
    }
}

/// Whether it has a parameter of a lambda that is around it.
fn has_local(node: &Node) -> bool {
    let argument = |argument: &Argument| match argument {
        Argument::Value { node, .. } => has_local(node),
        Argument::Items { nodes, .. } => nodes.iter().any(has_local),
        Argument::Lambda(_) => true,
        _ => false,
    };
    match node {
        Node::Local { .. } => true,
        Node::Const(_) => false,
        Node::Path(path) => path.keys.iter().any(|key| match key {
            KeyNode::Computed(node) => has_local(node),
            KeyNode::Const(_) => false,
        }),
        Node::Call(call) => call.args.iter().any(argument),
        Node::Index { of, keys } => has_local(of) || keys.iter().any(has_local),
        Node::Math { first, rest } => has_local(first) || rest.iter().any(|(_, of)| has_local(of)),
        Node::Negate(of) => has_local(of),
        Node::List(nodes) => nodes.iter().any(has_local),
        Node::Map(entries) => entries.iter().any(|(_, of)| has_local(of)),
    }
}

/// A number that is the same for nodes that are, and seldom for others.
fn looks(node: &Node) -> u64 {
    let mut hasher = DefaultHasher::new();
    look(node, &mut hasher);
    hasher.finish()
}

fn look(node: &Node, hasher: &mut DefaultHasher) {
    std::mem::discriminant(node).hash(hasher);
    match node {
        Node::Const(value) => format!("{value:?}").hash(hasher),
        // Spelled in another way it may be the same.
        Node::Path(path) => {
            path.keys.len().hash(hasher);
            for key in &path.keys {
                if let KeyNode::Const(index::Key::Text(key)) = key {
                    key.hash(hasher);
                }
            }
        }
        Node::Call(call) => {
            call.function.name.hash(hasher);
            for argument in &call.args {
                match argument {
                    Argument::Value { node, .. } => look(node, hasher),
                    Argument::Items { nodes, .. } => nodes.iter().for_each(|of| look(of, hasher)),
                    Argument::Literal(value) => format!("{value:?}").hash(hasher),
                    Argument::Regex(regex) => regex.as_str().hash(hasher),
                    _ => {}
                }
            }
        }
        Node::Index { of, keys } => {
            look(of, hasher);
            keys.iter().for_each(|of| look(of, hasher));
        }
        Node::Math { first, rest } => {
            look(first, hasher);
            rest.iter().for_each(|(_, of)| look(of, hasher));
        }
        Node::Negate(of) => look(of, hasher),
        Node::List(nodes) => nodes.iter().for_each(|of| look(of, hasher)),
        Node::Map(entries) => entries.iter().for_each(|(_, of)| look(of, hasher)),
        Node::Local { .. } => {}
    }
}

/// Whether both are computed alike.
fn same(a: &Node, b: &Node) -> bool {
    let all =
        |a: &[Node], b: &[Node]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b));
    match (a, b) {
        (Node::Const(a), Node::Const(b)) => same_value(a, b),
        (Node::Path(a), Node::Path(b)) => {
            let same_key = |keys: (&KeyNode, &KeyNode)| match keys {
                (KeyNode::Const(a), KeyNode::Const(b)) => a == b,
                (KeyNode::Computed(a), KeyNode::Computed(b)) => same(a, b),
                _ => false,
            };
            a.context == b.context
                && std::ptr::eq(a.def, b.def)
                && a.keys.len() == b.keys.len()
                && a.keys.iter().zip(&b.keys).all(same_key)
        }
        (Node::Call(a), Node::Call(b)) => same_call(a, b),
        (Node::Index { of: a, keys: k }, Node::Index { of: b, keys: l }) => same(a, b) && all(k, l),
        (Node::Math { first: a, rest: r }, Node::Math { first: b, rest: s }) => {
            let mut operands = r.iter().zip(s);
            same(a, b)
                && r.len() == s.len()
                && operands.all(|((op, a), (other, b))| op == other && same(a, b))
        }
        (Node::Negate(a), Node::Negate(b)) => same(a, b),
        (Node::List(a), Node::List(b)) => all(a, b),
        (Node::Map(a), Node::Map(b)) => {
            let mut entries = a.iter().zip(b);
            a.len() == b.len() && entries.all(|((k, a), (l, b))| k == l && same(a, b))
        }
        _ => false,
    }
}

/// Zeros of different sign are equal and not the same.
fn same_value(a: &Value, b: &Value) -> bool {
    a == b && format!("{a:?}") == format!("{b:?}")
}

fn same_call(a: &Call, b: &Call) -> bool {
    let argument = |arguments: (&Argument, &Argument)| match arguments {
        (Argument::Absent, Argument::Absent) => true,
        (Argument::Value { node: a, want: w }, Argument::Value { node: b, want: x }) => {
            w == x && same(a, b)
        }
        (Argument::Items { nodes: a, want: w }, Argument::Items { nodes: b, want: x }) => {
            let mut nodes = a.iter().zip(b);
            w == x && a.len() == b.len() && nodes.all(|(a, b)| same(a, b))
        }
        (Argument::Literal(a), Argument::Literal(b)) => same_value(a, b),
        (Argument::Regex(a), Argument::Regex(b)) => a.as_str() == b.as_str(),
        (Argument::Function(a), Argument::Function(b)) => std::ptr::eq(*a, *b),
        _ => false,
    };
    std::ptr::eq(a.function, b.function)
        && a.args.len() == b.args.len()
        && a.args.iter().zip(&b.args).all(argument)
}

impl Exec<'_> {
    /// A value that others share: computed where nobody has asked for it yet. Where it fails it is
    /// computed anew by whoever asks next, to fail again.
    pub fn shared(&mut self, at: usize, of: &Expr, selection: &mut Vec<u16>) -> Op {
        let rows = self.frame.rows().len();
        let mut todo = self.state.copy(&[]);
        if let Some(shared) = self.state.shared.get_mut(at) {
            shared.begin(rows);
            todo.extend(selection.iter().filter(|p| !shared.is_known(**p)));
        }
        if !todo.is_empty() {
            let before = self.state.failures.len();
            let value = self.eval(of, &mut todo);
            let mut shared = match self.state.shared.get_mut(at) {
                Some(shared) => std::mem::take(shared),
                None => return value,
            };
            let view = self.view(value);
            todo.iter().for_each(|p| shared.set(*p, view.get(*p)));
            if let Some(slot) = self.state.shared.get_mut(at) {
                *slot = shared;
            }
            self.state.drop_failed(selection, before);
            if self.frame.any_odd() {
                selection.retain(|p| !self.frame.is_odd(*p));
            }
        }
        self.state.give(todo);
        Op::Shared(at)
    }
}
