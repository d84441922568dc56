//! What a statement reads and writes, by meaning and not by spelling: `start_time` and
//! `start_time_unix_nano` are one place, a map holds all its keys, a computed key may be any.

use super::{Argument, Body, Call, Condition, KeyNode, Node, PathNode, Program};
use crate::{
    contexts::{Context, Part, Store},
    functions::{Build, Function},
    value::{Text, index},
};
use trunkline_proto::batch::Field;

/// A place that a statement reads or writes.
#[derive(Clone, Debug, PartialEq)]
pub struct Footprint {
    /// The context whose rows have it.
    pub context: Context,
    /// Where it is kept.
    pub store: Store,
    /// The first key, which tells attributes apart.
    pub key: KeyPrint,
}

/// The first key behind a path.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyPrint {
    /// None: all of it.
    Whole,
    /// This one.
    Known(Text),
    /// Any.
    Unknown,
}

impl std::fmt::Display for Footprint {
    /// The path by which a statement would name it; a key that is not known is `*`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut paths = self.context.paths().iter();
        let name = paths.find(|def| def.store == self.store);
        write!(f, "{}.{}", self.context, name.map_or("?", |def| def.name))?;
        match &self.key {
            KeyPrint::Whole => Ok(()),
            KeyPrint::Known(key) => write!(f, "[{:?}]", String::from_utf8_lossy(key)),
            KeyPrint::Unknown => write!(f, "[*]"),
        }
    }
}

impl Footprint {
    fn of(path: &PathNode) -> Footprint {
        let key = match path.keys.first() {
            None => KeyPrint::Whole,
            Some(KeyNode::Const(index::Key::Text(key))) => KeyPrint::Known(key.clone()),
            Some(_) => KeyPrint::Unknown,
        };
        Footprint {
            context: path.context,
            store: path.def.store,
            key,
        }
    }

    /// Whether writing one can change what reading the other gives.
    pub fn overlaps(&self, other: &Footprint) -> bool {
        if self.context != other.context {
            return self.holds(other) || other.holds(self);
        }
        if !same_store(self.store, other.store) {
            return self.holds(other) || other.holds(self);
        }
        match (&self.key, &other.key) {
            (KeyPrint::Known(a), KeyPrint::Known(b)) => a == b,
            _ => true,
        }
    }

    /// Whether the other is kept within this one.
    fn holds(&self, other: &Footprint) -> bool {
        let part = match self.store {
            Store::Part(part) => part,
            // Attributes are what the indices stand for.
            Store::Attributes => {
                return self.context == other.context
                    && place(other.store) == Some(Field::AttributeIndices);
            }
            _ => return false,
        };
        match part {
            Part::Events => other.context == Context::SpanEvent,
            Part::DataPoints => matches!(other.context, Context::DataPoint | Context::Exemplar),
            Part::Exemplars => other.context == Context::Exemplar,
            Part::Samples => other.context == Context::ProfileSample,
            Part::Links | Part::QuantileValues => false,
            Part::Status
            | Part::Positive
            | Part::Negative
            | Part::SampleType
            | Part::PeriodType => {
                self.context == other.context
                    && place(other.store).is_some_and(|field| match part {
                        Part::Status => matches!(field, Field::StatusCode | Field::StatusMessage),
                        Part::SampleType => {
                            matches!(field, Field::SampleType | Field::SampleUnit)
                        }
                        Part::PeriodType => {
                            matches!(field, Field::PeriodType | Field::PeriodUnit)
                        }
                        Part::Positive => {
                            matches!(field, Field::PositiveOffset | Field::PositiveBucketCounts)
                        }
                        _ => matches!(field, Field::NegativeOffset | Field::NegativeBucketCounts),
                    })
            }
        }
    }
}

/// The field that a path shows, members of one oneof being one.
fn place(store: Store) -> Option<Field> {
    Some(match store {
        Store::Text(field)
        | Store::Int(field, _)
        | Store::UnixNano(field)
        | Store::Time(field)
        | Store::Float(field)
        | Store::Bool(field)
        | Store::TraceId(field)
        | Store::SpanId(field)
        | Store::TraceIdText(field)
        | Store::SpanIdText(field)
        | Store::Nanos(field)
        | Store::Index(field)
        | Store::Bytes(field)
        | Store::ProfileId(field)
        | Store::ProfileIdText(field)
        | Store::DictionaryText(field)
        | Store::Uints(field)
        | Store::Ints(field)
        | Store::Times(field)
        | Store::Floats(field) => match field {
            Field::ValueDouble => Field::ValueInt,
            field => field,
        },
        Store::KindText | Store::KindDeprecatedText => Field::Kind,
        Store::TraceState => Field::TraceState,
        Store::Body | Store::BodyText => Field::Body,
        _ => return None,
    })
}

fn same_store(a: Store, b: Store) -> bool {
    match (place(a), place(b)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a == b,
        _ => false,
    }
}

/// What a condition and an editor read and write, and the experimental functions they use.
#[derive(Default)]
pub(super) struct Walk {
    pub reads: Vec<Footprint>,
    pub writes: Vec<Footprint>,
    experimental: Vec<&'static str>,
}

/// The experimental functions that a program uses, each once, by name.
pub(super) fn experimental(program: &Program) -> Vec<&'static str> {
    let mut walk = Walk::default();
    for of in &program.conditions {
        walk.condition(&of.condition);
    }
    for statement in &program.statements {
        walk.condition(&statement.condition);
        walk.call(&statement.editor);
    }
    walk.experimental.sort_unstable();
    walk.experimental.dedup();
    walk.experimental
}

/// The footprints of a statement: reads, writes.
pub fn of(condition: &Condition, editor: &Call) -> (Vec<Footprint>, Vec<Footprint>) {
    let mut walk = Walk::default();
    walk.condition(condition);
    walk.call(editor);
    (walk.reads, walk.writes)
}

/// What a value reads.
pub fn of_node(node: &Node) -> Vec<Footprint> {
    let mut walk = Walk::default();
    walk.node(node);
    walk.reads
}

/// What a condition reads.
pub fn reads(condition: &Condition) -> Vec<Footprint> {
    let mut walk = Walk::default();
    walk.condition(condition);
    walk.reads
}

impl Walk {
    fn read(&mut self, path: &PathNode) {
        for key in &path.keys {
            if let KeyNode::Computed(node) = key {
                self.node(node);
            }
        }
        push(&mut self.reads, Footprint::of(path));
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Const(_) => {}
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().for_each(|part| self.condition(part));
            }
            Condition::Not(inner) => self.condition(inner),
            Condition::Compare { left, right, .. } => {
                self.node(left);
                self.node(right);
            }
            Condition::Converter(node) => self.node(node),
        }
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Const(_) | Node::Local { .. } => {}
            Node::Path(path) => self.read(path),
            Node::Call(call) => self.call(call),
            Node::Index { of, keys } => {
                self.node(of);
                keys.iter().for_each(|key| self.node(key));
            }
            Node::Math { first, rest } => {
                self.node(first);
                rest.iter().for_each(|(_, node)| self.node(node));
            }
            Node::Negate(inner) => self.node(inner),
            Node::List(nodes) => nodes.iter().for_each(|node| self.node(node)),
            Node::Map(entries) => entries.iter().for_each(|(_, node)| self.node(node)),
        }
    }

    fn function(&mut self, function: &Function) {
        if function.gate().is_some() {
            self.experimental.push(function.name);
        }
    }

    fn call(&mut self, call: &Call) {
        self.function(call.function);
        for argument in &call.args {
            match argument {
                Argument::Value { node, .. } => self.node(node),
                Argument::Items { nodes, .. } => nodes.iter().for_each(|node| self.node(node)),
                Argument::Target(path) => {
                    // All editors but `set` look at what they change; a key within a value too.
                    if call.function.name != "set" || path.keys.len() > 1 {
                        self.read(path);
                    }
                    push(&mut self.writes, Footprint::of(path));
                }
                Argument::Lambda(lambda) => match &lambda.body {
                    Body::Value(node) => self.node(node),
                    Body::Condition(condition) => self.condition(condition),
                },
                Argument::Function(function) => self.function(function),
                Argument::Absent | Argument::Literal(_) | Argument::Regex(_) => {}
            }
        }
        // What these look at and change is told by contexts, as a whole.
        match call.function.build {
            Build::RowScalar(_) => push_all(&mut self.reads, call.function.contexts()),
            Build::RowEditor(_) => {
                let contexts = call.function.contexts();
                push_all(&mut self.reads, contexts);
                push_all(&mut self.writes, contexts);
            }
            _ => {}
        }
        if call.function.name == "IsRootSpan" {
            let (context, store) = (Context::Span, Store::SpanId(Field::ParentSpanId));
            let key = KeyPrint::Whole;
            push(
                &mut self.reads,
                Footprint {
                    context,
                    store,
                    key,
                },
            );
        }
    }
}

fn push(prints: &mut Vec<Footprint>, print: Footprint) {
    if !prints.contains(&print) {
        prints.push(print);
    }
}

/// All paths of these contexts.
fn push_all(prints: &mut Vec<Footprint>, contexts: &[Context]) {
    for context in contexts {
        for def in context.paths() {
            let (context, store, key) = (*context, def.store, KeyPrint::Whole);
            push(
                prints,
                Footprint {
                    context,
                    store,
                    key,
                },
            );
        }
    }
}
