//! The checked program: names resolved, arguments bound to parameters, literals folded, types
//! known as far as they can be. It says what is to be done and not how: the evaluator by rows
//! (`run`) and whatever works on columns run the same program. What a statement reads and
//! writes is in `footprint`.

mod args;
pub mod footprint;
pub mod patterns;

use std::sync::Arc;

use regex::bytes::Regex;

pub use args::Args;
pub use footprint::Footprint;

use crate::{
    contexts::{Context, PathDef, Store},
    functions::{Build, Function, Prepared, Scalar},
    ops::{CompareOp, MathOp},
    types::{Type, TypeSet},
    value::{Text, Value, coerce::Want, index},
};

/// Statements of one context, run in order on each row.
#[derive(Clone, Debug)]
pub struct Program {
    /// What the rows are.
    pub context: Context,
    /// Any of them must hold for the statements to run on a row; none: they always do.
    pub conditions: Vec<ConditionOf>,
    /// The statements.
    pub statements: Vec<Statement>,
}

impl Program {
    /// Whether it looks at the request and its sender (`otelcol.…`).
    pub fn reads_request(&self) -> bool {
        let of_request = |read: &Footprint| read.context == Context::OtelCol;
        let mut conditions = self.conditions.iter();
        let mut statements = self.statements.iter();
        conditions.any(|of| footprint::reads(&of.condition).iter().any(of_request))
            || statements.any(|statement| statement.reads.iter().any(of_request))
    }

    /// Whether statements use the scratch map.
    pub fn uses_cache(&self) -> bool {
        let of_cache = |print: &Footprint| print.store == Store::Cache;
        let mut statements = self.statements.iter();
        statements.any(|of| of.reads.iter().chain(&of.writes).any(of_cache))
    }

    /// The experimental functions that it uses, each once, by name.
    pub fn experimental(&self) -> Vec<&'static str> {
        footprint::experimental(self)
    }

    /// Whether a statement may add metrics, which then are rows of this program as well.
    pub fn adds_rows(&self) -> bool {
        let metrics = matches!(self.context, Context::Metric | Context::DataPoint);
        let mut builds = self.statements.iter().map(|of| of.editor.function.build);
        metrics && builds.any(|build| matches!(build, Build::RowEditor(_)))
    }
}

/// A condition and its text.
#[derive(Clone, Debug)]
pub struct ConditionOf {
    /// As the user wrote it.
    pub source: Arc<str>,
    /// What it says.
    pub condition: Condition,
}

/// A value expression and its text.
#[derive(Clone, Debug)]
pub struct ValueOf {
    /// What the rows are.
    pub context: Context,
    /// As the user wrote it.
    pub source: Arc<str>,
    /// What it says.
    pub node: Node,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Statement {
    /// As the user wrote it.
    pub source: Arc<str>,
    /// When it runs.
    pub condition: Condition,
    /// What it does.
    pub editor: Call,
    /// What it reads.
    pub reads: Vec<Footprint>,
    /// What it may write.
    pub writes: Vec<Footprint>,
}

/// A condition.
#[derive(Clone, Debug)]
pub enum Condition {
    /// Known.
    Const(bool),
    /// Every one holds; evaluated from left to right until one does not.
    All(Vec<Condition>),
    /// One holds; evaluated from left to right until one does.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A comparison.
    Compare {
        /// Which.
        op: CompareOp,
        /// The left operand.
        left: Node,
        /// The right operand.
        right: Node,
    },
    /// A converter, whose value must be a bool.
    Converter(Node),
}

/// A value to be computed.
#[derive(Clone, Debug)]
pub enum Node {
    /// A literal.
    Const(Value),
    /// What a path holds.
    Path(Box<PathNode>),
    /// What a converter gives.
    Call(Box<Call>),
    /// A part of what a converter gives.
    Index {
        /// Of what.
        of: Box<Node>,
        /// The keys, from the outside in.
        keys: Vec<Node>,
    },
    /// Operations of one precedence, from left to right.
    Math {
        /// The first operand.
        first: Box<Node>,
        /// The others.
        rest: Vec<(MathOp, Node)>,
    },
    /// The negative.
    Negate(Box<Node>),
    /// A parameter of a lambda.
    Local {
        /// Its place among those of all lambdas around, from the outside in.
        at: usize,
        /// Its name.
        name: Arc<str>,
    },
    /// A list.
    List(Vec<Node>),
    /// A map.
    Map(Vec<(Text, Node)>),
}

/// A path, resolved.
#[derive(Clone, Debug)]
pub struct PathNode {
    /// The context it belongs to: that of the statement, or one around it.
    pub context: Context,
    /// Its declaration.
    pub def: &'static PathDef,
    /// The keys behind it.
    pub keys: Vec<KeyNode>,
    /// As the user wrote it, its context in front.
    pub text: Arc<str>,
}

/// A key of a path.
#[derive(Clone, Debug)]
pub enum KeyNode {
    /// Known.
    Const(index::Key),
    /// To be computed.
    Computed(Node),
}

/// A call, its arguments in the order of the parameters.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is called.
    pub function: &'static Function,
    /// One for each parameter.
    pub args: Vec<Argument>,
    /// What the function made of those that are literal.
    pub prepared: Option<Prepared>,
}

/// An argument.
#[derive(Clone, Debug)]
pub enum Argument {
    /// Left out.
    Absent,
    /// A value, and what is wanted of it. A literal has been made that already.
    Value {
        /// What computes it.
        node: Node,
        /// What the parameter wants.
        want: Want,
    },
    /// The elements of a list literal, and what is wanted of each.
    Items {
        /// What computes them.
        nodes: Vec<Node>,
        /// What the parameter wants of each.
        want: Want,
    },
    /// What must be there literally.
    Literal(Value),
    /// A regular expression, or glob, that is known.
    Regex(Regex),
    /// A path that is written.
    Target(Box<PathNode>),
    /// A function of one string.
    Function(&'static Function),
    /// A function written where it is used.
    Lambda(Box<Lambda>),
}

/// A lambda expression.
#[derive(Clone, Debug)]
pub struct Lambda {
    /// Number of parameters.
    pub params: u8,
    /// What it gives.
    pub body: Body,
}

/// What a lambda expression gives.
#[derive(Clone, Debug)]
pub enum Body {
    /// A value.
    Value(Node),
    /// A bool.
    Condition(Condition),
}

impl Argument {
    /// The value, if it is a literal.
    pub fn literal(&self) -> Option<&Value> {
        match self {
            Argument::Literal(value)
            | Argument::Value {
                node: Node::Const(value),
                ..
            } => Some(value),
            _ => None,
        }
    }
}

impl Node {
    /// What it can give, so far as is known before it runs.
    pub fn types(&self) -> TypeSet {
        match self {
            Node::Const(value) => TypeSet::one(value.of()),
            Node::Path(path) if path.keys.is_empty() => path.def.types,
            Node::Path(_) | Node::Index { .. } | Node::Local { .. } => TypeSet::ANY,
            Node::Call(call) => match call.function.build {
                Build::Coalesce | Build::When => TypeSet::ANY,
                _ => call.function.result,
            },
            Node::Math { first, rest } => {
                let operands = rest
                    .iter()
                    .fold(first.types(), |types, (_, node)| types.or(node.types()));
                let numbers = TypeSet::of(&[Type::Int, Type::Float]);
                match operands.single() {
                    Some(Type::Int) => TypeSet::one(Type::Int),
                    Some(Type::Float) => TypeSet::one(Type::Float),
                    _ if operands.and(numbers) == operands => numbers,
                    _ => numbers.or(TypeSet::of(&[Type::Time, Type::Duration])),
                }
            }
            Node::Negate(operand) => operand.types().and(TypeSet::of(&[Type::Int, Type::Float])),
            Node::List(_) => TypeSet::one(Type::List),
            Node::Map(_) => TypeSet::one(Type::Map),
        }
    }

    /// Whether it is a path that contains this one, or a list or choice of such.
    pub(crate) fn contains(&self, path: &PathNode) -> bool {
        match self {
            Node::Path(source) => source.contains(path),
            Node::List(nodes) => nodes.iter().any(|node| node.contains(path)),
            Node::Call(call) => call
                .choices()
                .is_some_and(|nodes| nodes.iter().any(|node| node.contains(path))),
            _ => false,
        }
    }
}

impl PathNode {
    /// Whether both are the same place, by keys that are known.
    pub fn is_same(&self, other: &PathNode) -> bool {
        self.keys.len() == other.keys.len() && self.begins(other)
    }

    /// Whether the other is within this one, by keys that are known.
    pub fn contains(&self, other: &PathNode) -> bool {
        self.keys.len() < other.keys.len() && self.begins(other)
    }

    fn begins(&self, other: &PathNode) -> bool {
        self.context == other.context
            && self.def.store == other.def.store
            && self.keys.iter().zip(&other.keys).all(|keys| match keys {
                (KeyNode::Const(a), KeyNode::Const(b)) => a == b,
                _ => false,
            })
    }
}

impl Call {
    /// What `Coalesce` has to choose from.
    pub(crate) fn choices(&self) -> Option<&[Node]> {
        match (self.function.build, self.args.first()) {
            (Build::Coalesce, Some(Argument::Items { nodes, .. })) => Some(nodes),
            _ => None,
        }
    }

    /// The converter's function of values.
    pub(crate) fn scalar(&self) -> Option<Scalar> {
        match self.function.build {
            Build::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// Whether it may come to its end although an argument fails: only row by row it is seen
    /// which it gets to.
    pub(crate) fn may_skip(&self) -> bool {
        self.function.by_need
            && self.args.iter().any(|argument| match argument {
                Argument::Items { nodes, .. } => {
                    nodes.iter().any(|node| !matches!(node, Node::Const(_)))
                }
                _ => false,
            })
    }

    /// The path that an editor writes: its first argument.
    pub fn target(&self) -> Option<&PathNode> {
        match self.args.first() {
            Some(Argument::Target(path)) => Some(path),
            _ => None,
        }
    }
}
