//! From the program's nodes to those over columns: which slot a path has, which kernel a call.
//! What has none is left to the evaluator by rows, node by node.

use std::collections::HashMap;

use trunkline_proto::batch::{
    Field, Level,
    frame::{Frame, Others, ZEROS, kind, span},
};

use super::{
    cells::{Cell, DURATION, SPAN_ID, TIME, TRACE_ID, nanos},
    editors::EMPTY_MAP,
    expr::{Arg, Around, CallExpr, Expr, Form, Kernel, Test, What},
    patterns::Pattern,
    plan::signal_of,
    share::Shares,
};
use crate::{
    contexts::{Context, Store},
    functions::Build,
    ops::CompareOp,
    program::{Argument, Call, Condition, Footprint, KeyNode, Node, PathNode, footprint},
    value::{Text, Value, coerce::Want, index},
};

/// Marks a slot as that of a field, before it is known how many attributes have one.
pub(super) const FIELDS: usize = 1 << 20;

/// What the statements of a stage need.
pub(super) struct Lower {
    pub context: Context,
    pub keys: Vec<Vec<u8>>,
    /// The slot of each.
    slots: HashMap<Vec<u8>, usize>,
    pub fields: Vec<Field>,
    pub others: Others,
    pub arounds: Vec<Around>,
    /// The bytes of constants, one behind the other; in the heap they are behind its zeros.
    pub constants: Vec<u8>,
    pub memos: usize,
    /// What nodes read that are left to the evaluator by rows.
    pub row_reads: Vec<Footprint>,
    pub shares: Shares,
    /// The empty scratch map, if there is one.
    pub cache: Option<Cell>,
}

impl Lower {
    pub fn new(context: Context) -> Lower {
        Lower {
            context,
            keys: Vec::new(),
            slots: HashMap::new(),
            fields: Vec::new(),
            others: Others::None,
            arounds: Vec::new(),
            constants: Vec::new(),
            memos: 0,
            row_reads: Vec::new(),
            shares: Shares::default(),
            cache: None,
        }
    }

    fn level(&self) -> Level {
        self.context.level().unwrap_or(Level::Item)
    }

    pub fn slot(&mut self, key: &[u8]) -> usize {
        if let Some(slot) = self.slots.get(key) {
            return *slot;
        }
        let slot = self.keys.len();
        self.keys.push(key.to_vec());
        self.slots.insert(key.to_vec(), slot);
        slot
    }

    pub fn field(&mut self, field: Field) -> Option<usize> {
        let signal = signal_of(self.context)?;
        if !Frame::can_have(signal, self.level(), field) {
            return None;
        }
        let at = match self.fields.iter().position(|known| *known == field) {
            Some(at) => at,
            None => {
                self.fields.push(field);
                self.fields.len() - 1
            }
        };
        Some(FIELDS + at)
    }

    pub fn constant(&mut self, value: &Value) -> Option<Cell> {
        let mut text = |of, bytes: &[u8]| {
            let at = ZEROS + self.constants.len();
            self.constants.extend_from_slice(bytes);
            (of, span::heap(at, bytes.len()))
        };
        Some(match value {
            Value::Nil => (kind::NIL, 0),
            Value::Bool(value) => (kind::BOOL, u64::from(*value)),
            Value::Int(value) => (kind::INT, *value as u64),
            Value::Float(value) => (kind::DOUBLE, value.to_bits()),
            Value::String(bytes) => text(kind::STRING, bytes),
            Value::Bytes(bytes) => text(kind::BYTES, bytes),
            Value::Map(any) => text(kind::MAP, any),
            Value::Slice(any) => text(kind::LIST, any),
            Value::Duration(nanos) => (DURATION, *nanos as u64),
            Value::Time(time) => (TIME, nanos(*time)? as u64),
            Value::SpanId(id) => (SPAN_ID, u64::from_le_bytes(*id)),
            Value::TraceId(id) => text(TRACE_ID, id),
            _ => return None,
        })
    }

    /// The text of a constant.
    pub fn text(&self, bits: u64) -> Option<&[u8]> {
        let len = span::len(bits);
        let at = (bits ^ span::heap(0, len)) as usize;
        let from = at.checked_sub(ZEROS)?;
        self.constants.get(from..from + len)
    }

    /// Whether an argument is all attributes of the row.
    fn is_whole(&self, argument: Option<&Argument>) -> bool {
        matches!(argument, Some(Argument::Value { node: Node::Path(path), .. })
            if path.context == self.context
                && path.def.store == Store::Attributes
                && path.keys.is_empty())
    }

    /// There is a scratch map, empty at first.
    pub fn use_cache(&mut self) {
        if self.cache.is_none() {
            self.cache = self.constant(&Value::Map(Text::from_slice(&EMPTY_MAP)));
        }
    }

    /// The slot of the field that a path shows as it is.
    pub fn field_slot(&mut self, store: Store) -> Option<usize> {
        match store {
            Store::Body => self.field(Field::Body),
            Store::Text(field) => self.field(field),
            _ => None,
        }
    }

    pub fn constant_expr(&mut self, value: &Value) -> Option<Expr> {
        let cell = self.constant(value)?;
        Some(Expr::Const(cell))
    }

    /// A node that is left to the evaluator by rows.
    fn rows(&mut self, node: &Node) -> Expr {
        let reads = footprint::of_node(node);
        let lifted = reads.iter().all(|read| read.context != self.context) && is_pure(node);
        self.row_reads.extend(reads);
        Expr::Rows {
            node: node.clone(),
            lifted,
        }
    }

    pub fn condition(&mut self, condition: &Condition) -> Test {
        let test = self.test(condition);
        // Once for all rows in one entity, where that saves more than it costs.
        let around = |read: &Footprint| read.context != self.context;
        let reads = footprint::reads(condition);
        match test {
            Test::Const(_) | Test::Lifted(_) => test,
            test if !reads.is_empty() && reads.iter().all(around) && is_pure_test(condition) => {
                Test::Lifted(Box::new(test))
            }
            test => test,
        }
    }

    fn test(&mut self, condition: &Condition) -> Test {
        match condition {
            Condition::Const(value) => Test::Const(*value),
            Condition::All(parts) => Test::All(parts.iter().map(|p| self.condition(p)).collect()),
            Condition::Any(parts) => Test::Any(parts.iter().map(|p| self.condition(p)).collect()),
            Condition::Not(inner) => Test::Not(Box::new(self.condition(inner))),
            Condition::Compare { op, left, right } => {
                let (left, right) = (self.expr(left), self.expr(right));
                match (&left, &right) {
                    (Expr::Const(_), Expr::Const(_)) => Test::Rows(condition.clone()),
                    // They are always there.
                    (Expr::Attributes, Expr::Const((kind::NIL, _)))
                    | (Expr::Const((kind::NIL, _)), Expr::Attributes)
                        if matches!(op, CompareOp::Eq | CompareOp::Ne) =>
                    {
                        Test::Const(*op == CompareOp::Ne)
                    }
                    (Expr::Const(_), _) => Test::Compare {
                        op: flipped(*op),
                        left: right,
                        right: left,
                    },
                    _ => Test::Compare {
                        op: *op,
                        left,
                        right,
                    },
                }
            }
            Condition::Converter(node) => Test::Value(self.expr(node)),
        }
    }

    pub fn expr(&mut self, node: &Node) -> Expr {
        let of = self.kernel(node).unwrap_or_else(|| self.rows(node));
        self.shares.share(node, of)
    }

    fn kernel(&mut self, node: &Node) -> Option<Expr> {
        match node {
            Node::Const(value) => self.constant_expr(value),
            Node::Path(path) => self.path(path),
            Node::Math { first, rest } => {
                let first = Box::new(self.expr(first));
                let rest = rest.iter().map(|(op, node)| (*op, self.expr(node)));
                Some(Expr::Math {
                    first,
                    rest: rest.collect(),
                })
            }
            Node::Negate(operand) => Some(Expr::Negate(Box::new(self.expr(operand)))),
            Node::Call(call) => self.call(call),
            Node::Index { of, keys } => {
                let of = Box::new(self.expr(of));
                let keys = keys.iter().map(|key| self.expr(key)).collect();
                Some(Expr::Index { of, keys })
            }
            Node::List(nodes) => Some(Expr::List(nodes.iter().map(|n| self.expr(n)).collect())),
            Node::Map(entries) => {
                let entries = entries.iter();
                let entries = entries.map(|(key, node)| (key.clone(), self.expr(node)));
                Some(Expr::Map(entries.collect()))
            }
            // Lambdas are for the evaluator by rows.
            Node::Local { .. } => None,
        }
    }

    fn call(&mut self, call: &Call) -> Option<Expr> {
        match call.function.build {
            Build::IsRootSpan if self.context == Context::Span => {
                return Some(Expr::IsRootSpan(self.field(Field::ParentSpanId)?));
            }
            Build::Coalesce => {
                let Some(Argument::Items { nodes, .. }) = call.args.first() else {
                    return None;
                };
                return Some(Expr::Coalesce(nodes.iter().map(|n| self.expr(n)).collect()));
            }
            Build::Scalar(_) if call.function.name == "Len" && self.is_whole(call.args.first()) => {
                self.others = Others::All;
                return Some(Expr::AttributeCount);
            }
            Build::Scalar(_) if !call.may_skip() => {}
            _ => return None,
        }
        let args = self.args(call)?;
        let kernel = match (call.function.name, call.args.as_slice()) {
            ("IsMatch", [Argument::Value { .. }, Argument::Regex(_)]) => Kernel::IsMatch,
            (
                "Concat",
                [
                    Argument::Items {
                        want: Want::StringLike,
                        ..
                    },
                    delimiter,
                ],
            ) if matches!(delimiter.literal(), Some(Value::String(_))) => Kernel::Concat,
            ("SHA256" | "SHA1" | "MD5" | "SHA512", _) => Kernel::Hash,
            _ => Kernel::Scalar,
        };
        let mut varying = args
            .iter()
            .enumerate()
            .filter(|(_, arg)| !matches!(arg, Arg::Known));
        let memo = match (varying.next(), varying.next()) {
            (Some((at, Arg::Value(_))), None) if call.function.pure => {
                self.memos += 1;
                Some((self.memos - 1, at))
            }
            _ => None,
        };
        let pattern = match (kernel, call.args.get(1)) {
            (Kernel::IsMatch, Some(Argument::Regex(regex))) => Some(Pattern::new(regex)),
            _ => None,
        };
        Some(Expr::Call(Box::new(CallExpr {
            call: call.clone(),
            args,
            kernel,
            memo,
            pattern,
        })))
    }

    /// The arguments of a call.
    pub fn args(&mut self, call: &Call) -> Option<Vec<Arg>> {
        let mut args = Vec::with_capacity(call.args.len());
        for argument in &call.args {
            args.push(match argument {
                Argument::Value {
                    node: Node::Const(_),
                    ..
                } => Arg::Known,
                Argument::Value { node, .. } => Arg::Value(self.expr(node)),
                Argument::Items { nodes, .. } => {
                    Arg::Items(nodes.iter().map(|node| self.expr(node)).collect())
                }
                Argument::Lambda(_) => return None,
                _ => Arg::Known,
            });
        }
        Some(args)
    }

    fn path(&mut self, path: &PathNode) -> Option<Expr> {
        let keys: Option<Vec<index::Key>> = path
            .keys
            .iter()
            .map(|key| match key {
                KeyNode::Const(key) => Some(key.clone()),
                KeyNode::Computed(_) => None,
            })
            .collect();
        let Some(keys) = keys else {
            return self.keyed(path);
        };
        let own = path.context == self.context;
        let nested = |of, keys: &[index::Key], body| {
            if keys.is_empty() {
                return of;
            }
            Expr::Nested {
                of: Box::new(of),
                keys: keys.to_vec(),
                body,
            }
        };
        match (path.def.store, keys.split_first()) {
            (Store::Attributes, Some((index::Key::Text(key), rest))) => {
                // Whether it is empty or not there decides what its keys give.
                if !own && !rest.is_empty() {
                    return None;
                }
                let of = match own {
                    true => Expr::Slot(self.slot(key), Form::Plain),
                    false => {
                        self.around(path.context, What::Attribute(key.to_vec()), Form::Plain)?
                    }
                };
                Some(nested(of, rest, false))
            }
            (Store::Attributes, Some(_)) => self.keyed(path),
            (Store::Attributes, None) if own => {
                self.others = Others::All;
                Some(Expr::Attributes)
            }
            (Store::Cache, _) if own => {
                self.use_cache();
                Some(nested(Expr::Cache, &keys, false))
            }
            (Store::Body, _) => {
                let of = Expr::Slot(self.field(Field::Body).filter(|_| own)?, Form::Plain);
                Some(nested(of, &keys, true))
            }
            (store, None) => {
                let (field, form) = form_of(store)?;
                match own {
                    true => Some(Expr::Slot(self.field(field)?, form)),
                    false => self.around(path.context, What::Field(field), form),
                }
            }
            _ => None,
        }
    }

    fn around(&mut self, context: Context, what: What, form: Form) -> Option<Expr> {
        let level = context.level()?;
        // Ids and what only some metrics have are left to the evaluator by rows.
        let simple = match &what {
            What::Attribute(_) => true,
            What::Field(field) => {
                let signal = signal_of(self.context)?;
                !matches!(
                    field,
                    Field::AggregationTemporality | Field::IsMonotonic | Field::Body
                ) && (level != Level::Item || Frame::can_have(signal, level, *field))
            }
        };
        if !simple {
            return None;
        }
        let around = Around { level, what };
        let at = match self.arounds.iter().position(|known| *known == around) {
            Some(at) => at,
            None => {
                self.arounds.push(around);
                self.arounds.len() - 1
            }
        };
        Some(Expr::Around(at, form))
    }
}

/// The field that a path shows, and in what form.
fn form_of(store: Store) -> Option<(Field, Form)> {
    Some(match store {
        Store::Text(field)
        | Store::Int(field, _)
        | Store::UnixNano(field)
        | Store::Nanos(field)
        | Store::Index(field) => (field, Form::Plain),
        Store::DictionaryText(field) => (field, Form::Dictionary),
        Store::TraceState => (Field::TraceState, Form::Plain),
        Store::Time(field) => (field, Form::Time),
        Store::SpanId(field) => (field, Form::SpanId),
        Store::TraceId(field) => (field, Form::TraceId),
        Store::SpanIdText(field) => (field, Form::IdText(8)),
        Store::TraceIdText(field) => (field, Form::IdText(16)),
        Store::KindText => (Field::Kind, Form::KindText),
        Store::KindDeprecatedText => (Field::Kind, Form::DeprecatedKindText),
        Store::BodyText => (Field::Body, Form::Text),
        _ => return None,
    })
}

/// Whether a value is the same every time that what it reads is.
pub(super) fn is_pure(node: &Node) -> bool {
    match node {
        Node::Const(_) | Node::Local { .. } => true,
        Node::Path(path) => path.keys.iter().all(|key| match key {
            KeyNode::Const(_) => true,
            KeyNode::Computed(node) => is_pure(node),
        }),
        Node::Call(call) => {
            call.function.pure
                && call.args.iter().all(|argument| match argument {
                    Argument::Value { node, .. } => is_pure(node),
                    Argument::Items { nodes, .. } => nodes.iter().all(is_pure),
                    Argument::Function(function) => function.pure,
                    Argument::Lambda(_) => false,
                    _ => true,
                })
        }
        Node::Index { of, keys } => is_pure(of) && keys.iter().all(is_pure),
        Node::Math { first, rest } => is_pure(first) && rest.iter().all(|(_, node)| is_pure(node)),
        Node::Negate(inner) => is_pure(inner),
        Node::List(nodes) => nodes.iter().all(is_pure),
        Node::Map(entries) => entries.iter().all(|(_, node)| is_pure(node)),
    }
}

fn is_pure_test(condition: &Condition) -> bool {
    match condition {
        Condition::Const(_) => true,
        Condition::All(parts) | Condition::Any(parts) => parts.iter().all(is_pure_test),
        Condition::Not(inner) => is_pure_test(inner),
        Condition::Compare { left, right, .. } => is_pure(left) && is_pure(right),
        Condition::Converter(node) => is_pure(node),
    }
}

fn flipped(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Ge => CompareOp::Le,
        same => same,
    }
}
