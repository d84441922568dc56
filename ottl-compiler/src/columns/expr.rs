//! Expressions, conditions and editors as they run over columns: what the plan makes of the
//! program's. Each node says by itself how it is computed.

use regex::bytes::Regex;
use trunkline_proto::batch::{Field, Level};

use super::{cells::Cell, editors::Spot, keyed::Keyed, maps::MapAction, patterns::Pattern};
use crate::{
    contexts::Width,
    ops::{CompareOp, MathOp},
    program::{Call, Condition, Node},
    value::{Text, index},
};

/// A value over rows.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    /// The same for all rows.
    Const(Cell),
    /// A column of the frame, in another form.
    Slot(usize, Form),
    /// A column over the entities around the rows, by its index in the stage.
    Around(usize, Form),
    /// A part of a value of telemetry.
    Nested {
        of: Box<Expr>,
        keys: Vec<index::Key>,
        /// Of a body, which must be a list or a map.
        body: bool,
    },
    /// The same by keys that are computed.
    Keyed(Box<Keyed>),
    Math {
        first: Box<Expr>,
        rest: Vec<(MathOp, Expr)>,
    },
    Negate(Box<Expr>),
    /// Whether this column, a span id's, is all zero.
    IsRootSpan(usize),
    Coalesce(Vec<Expr>),
    /// A part of what a converter gives.
    Index {
        of: Box<Expr>,
        keys: Vec<Expr>,
    },
    List(Vec<Expr>),
    Map(Vec<(Text, Expr)>),
    /// All attributes, and how many there are.
    Attributes,
    AttributeCount,
    /// The scratch map.
    Cache,
    /// What others compute as well, by its number among such.
    Shared {
        at: usize,
        of: Box<Expr>,
    },
    Call(Box<CallExpr>),
    /// Computed by the evaluator by rows; of each group of rows in the same entity once, if it
    /// reads nothing but what is around the rows.
    Rows {
        node: Node,
        lifted: bool,
    },
}

/// In what form a column is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Plain,
    /// Nanoseconds as a time.
    Time,
    /// Bytes as an id.
    SpanId,
    TraceId,
    /// Bytes as the hex digits of an id of so many bytes.
    IdText(usize),
    /// A kind of span by its name: as it is called now, or was.
    KindText,
    DeprecatedKindText,
    /// Any value as text.
    Text,
    /// The index of a string of the dictionary that profiles share, as that string.
    Dictionary,
}

/// A converter's call.
#[derive(Clone, Debug)]
pub(super) struct CallExpr {
    pub call: Call,
    pub args: Vec<Arg>,
    pub kernel: Kernel,
    /// The memo that it has, if it is computed once per distinct value of its one argument that
    /// is not constant.
    pub memo: Option<(usize, usize)>,
    /// The pattern that it matches, if that is all it does.
    pub pattern: Option<Pattern>,
}

/// An argument of a call.
#[derive(Clone, Debug)]
pub(super) enum Arg {
    /// It is in the call.
    Known,
    /// To be computed.
    Value(Expr),
    /// A list, of which each element is to be computed.
    Items(Vec<Expr>),
}

/// How a converter is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    /// Its function, on one value after the other.
    Scalar,
    /// A pattern that is known.
    IsMatch,
    /// Texts put behind one another, with a delimiter that is known.
    Concat,
    /// A hash in hex.
    Hash,
}

/// A condition over rows.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Const(bool),
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    Compare {
        op: CompareOp,
        left: Expr,
        right: Expr,
    },
    Value(Expr),
    /// Computed once for each group of rows in the same entity.
    Lifted(Box<Test>),
    /// By the evaluator by rows.
    Rows(Condition),
}

/// What an editor does, over rows.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Nothing,
    /// Sets a column of the frame.
    Set {
        slot: usize,
        take: Take,
        value: Expr,
    },
    /// Removes attributes with slots.
    Remove(usize),
    /// Keeps the attributes whose keys are like that.
    Keep(KeepKeys),
    /// Cuts the strings among the attributes.
    Truncate {
        limit: usize,
        safe: bool,
        marker: Vec<u8>,
    },
    /// Edits all attributes.
    Map(MapAction),
    /// Sets what is within a value, or in the scratch map.
    Assign {
        spot: Spot,
        value: Expr,
    },
    /// Edits a value by the editor's function.
    Edit {
        spot: Spot,
        call: Call,
        args: Vec<Arg>,
    },
    /// Replaces in a string column what a pattern matches.
    Replace {
        slot: usize,
        /// The whole call, whose arguments the replacement is made of.
        call: Call,
        /// The whole text instead of the matches.
        whole: bool,
        /// Where matches are replaced by a text in which nothing is filled in: the pattern.
        pattern: Option<Pattern>,
        memo: usize,
    },
}

/// What a target takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Take {
    /// Whatever an attribute can be.
    Attribute,
    /// The same, of a body.
    Body,
    Text,
    Int(Width),
    /// An integer that is nanoseconds.
    Nanos,
    Time,
    SpanId,
    TraceId,
    /// How long something takes, in nanoseconds.
    Elapsed,
    /// The index of something in the dictionary that profiles share.
    Index,
    /// A string, of which that dictionary has the index.
    Dictionary,
}

/// Which attributes stay.
#[derive(Clone, Debug)]
pub(super) enum KeepKeys {
    Matching(Regex),
    NotMatching(Regex),
    Only(Vec<Vec<u8>>),
}

/// A column over entities around the rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Around {
    pub level: Level,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    Attribute(Vec<u8>),
    Field(Field),
}
