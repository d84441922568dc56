//! The syntax tree. Every node knows the bytes of the text that it came from. Chains of one
//! precedence (`a + b + c`, `a and b and c`) are one node with a list, so that how deep a tree
//! is depends on brackets alone.

use super::Span;
pub use crate::ops::{CompareOp, MathOp};

/// `editor(…) [where condition]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The editor called.
    pub editor: Call,
    /// What follows `where`.
    pub condition: Option<Expr>,
}

/// A value or a condition. Where which of them is wanted, the parser has seen to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it is written.
    pub span: Span,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `nil`.
    Nil,
    /// `true`, `false`.
    Bool(bool),
    /// Digits.
    Int(i64),
    /// Digits with a point.
    Float(f64),
    /// A string, its escapes resolved; these need not be UTF-8 (`"\xff"`).
    String(Vec<u8>),
    /// `0x…`.
    Bytes(Vec<u8>),
    /// A word in capitals: an enum symbol, or a reference to a function of such a name.
    Enum(String),
    /// `a.b["c"]`.
    Path(Path),
    /// `Name(…)["key"]`.
    Call(Box<Call>),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `{"a": b}`; keys as written, duplicates included.
    Map(Vec<(Vec<u8>, Expr)>),
    /// `-a`.
    Negate(Box<Expr>),
    /// `+a`.
    Plus(Box<Expr>),
    /// `a + b - c`: one precedence, from left to right.
    Math {
        /// The first operand.
        first: Box<Expr>,
        /// The others.
        rest: Vec<(MathOp, Expr)>,
    },
    /// `(a)`.
    Group(Box<Expr>),
    /// `a == b`.
    Compare {
        /// The operator.
        op: CompareOp,
        /// What stands on its left.
        left: Box<Expr>,
        /// What stands on its right.
        right: Box<Expr>,
    },
    /// `not a`.
    Not(Box<Expr>),
    /// `a and b`, at least two.
    And(Vec<Expr>),
    /// `a or b`, at least two.
    Or(Vec<Expr>),
    /// `(a, b) => c`.
    Lambda(Box<Lambda>),
}

/// `(a, _) => body`.
#[derive(Clone, Debug, PartialEq)]
pub struct Lambda {
    /// The names of its parameters, `_` among them.
    pub params: Vec<Name>,
    /// A value or a condition.
    pub body: Expr,
}

/// A path: at least one segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// What the dots separate.
    pub segments: Vec<Segment>,
}

/// A segment of a path.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Its name.
    pub name: Name,
    /// The keys behind it.
    pub keys: Vec<Key>,
}

/// `["key"]`, `[0]`, `[expression]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// What is between the brackets.
    pub expr: Expr,
    /// With the brackets.
    pub span: Span,
}

/// A name and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name; spaces within (which the language allows) are left out.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// A call of an editor or a converter.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The function's name.
    pub name: Name,
    /// The arguments, in order.
    pub args: Vec<Arg>,
    /// The keys behind the call.
    pub keys: Vec<Key>,
    /// All of it, keys included.
    pub span: Span,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// `name =`.
    pub name: Option<Name>,
    /// The argument itself.
    pub value: ArgValue,
    /// Both.
    pub span: Span,
}

/// What is passed.
#[derive(Clone, Debug, PartialEq)]
pub enum ArgValue {
    /// A value. A word in capitals is one too, and may mean a function.
    Value(Expr),
    /// The name of a function.
    Function(Name),
}

impl ExprKind {
    /// Whether it can stand where a condition is wanted.
    pub(crate) fn is_condition(&self) -> bool {
        match self {
            ExprKind::Bool(_)
            | ExprKind::Compare { .. }
            | ExprKind::Not(_)
            | ExprKind::And(_)
            | ExprKind::Or(_) => true,
            ExprKind::Call(call) => call.name.text.starts_with(|c: char| c.is_ascii_uppercase()),
            ExprKind::Group(inner) => inner.kind.is_condition(),
            _ => false,
        }
    }

    /// Whether it can be an operand of math.
    pub(crate) fn is_operand(&self) -> bool {
        match self {
            ExprKind::Call(_)
            | ExprKind::Path(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Math { .. }
            | ExprKind::Negate(_)
            | ExprKind::Plus(_) => true,
            ExprKind::Group(inner) => inner.kind.is_operand(),
            _ => false,
        }
    }

    /// Whether it can stand where a value is wanted.
    pub(crate) fn is_value(&self) -> bool {
        match self {
            ExprKind::Compare { .. } | ExprKind::Not(_) | ExprKind::And(_) | ExprKind::Or(_) => {
                false
            }
            ExprKind::Group(_) => self.is_operand(),
            _ => true,
        }
    }

    /// What to call it in an error.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            ExprKind::Nil => "nil",
            ExprKind::Bool(_) => "a bool",
            ExprKind::Int(_) => "an int",
            ExprKind::Float(_) => "a float",
            ExprKind::String(_) => "a string",
            ExprKind::Bytes(_) => "bytes",
            ExprKind::Enum(_) => "an enum symbol",
            ExprKind::Path(_) => "a path",
            ExprKind::Call(_) => "a function call",
            ExprKind::List(_) => "a list",
            ExprKind::Map(_) => "a map",
            ExprKind::Negate(_) | ExprKind::Plus(_) | ExprKind::Math { .. } => "math",
            ExprKind::Group(_) => "an expression in brackets",
            ExprKind::Compare { .. } => "a comparison",
            ExprKind::Not(_) | ExprKind::And(_) | ExprKind::Or(_) => "a condition",
            ExprKind::Lambda(_) => "a lambda expression",
        }
    }
}
