//! XPath 1.0 over [`super::xml_tree`], the part of it that expressions in practice use, as the Go
//! library `xpath` evaluates it: nodes can be found more than once, and come in the order in
//! which they are found. What lies outside of this part is refused when it is compiled
//! (`parse`); evaluation is in `eval`, what functions make of texts and numbers in `functions`.

mod call;
mod eval;
mod functions;
mod parse;

use super::xml_tree::Id;

/// A node that was found: an element or the like, or which of its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    /// The node.
    pub node: Id,
    /// Which attribute.
    pub attribute: Option<usize>,
}

/// A compiled expression.
#[derive(Debug)]
pub struct XPath {
    root: Expr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    Child,
    Descendant,
    DescendantOrSelf,
    Attribute,
    Parent,
    Itself,
    Ancestor,
    AncestorOrSelf,
    FollowingSibling,
    PrecedingSibling,
    Following,
    Preceding,
}

/// What a step takes.
#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// Every node.
    Node,
    Text,
    Comment,
    /// Elements, or attributes, of this prefix and name; of any where there is none.
    Name(Option<(Vec<u8>, Vec<u8>)>),
}

#[derive(Clone, Debug, PartialEq)]
struct Step {
    axis: Axis,
    test: Test,
    predicates: Vec<Expr>,
}

/// Where a path begins.
#[derive(Clone, Debug, PartialEq)]
enum Start {
    Context,
    Root,
    Group(Box<Expr>),
}

/// What a number in brackets says of a group of nodes.
#[derive(Clone, Debug, PartialEq)]
enum Pick {
    All,
    Nth(f64),
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    Minus,
    Times,
    Divided,
    Modulo,
}

#[derive(Clone, Debug, PartialEq)]
enum Expr {
    Text(Vec<u8>),
    Number(f64),
    Path(Start, Pick, Vec<Step>),
    Union(Box<Expr>, Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    Call(Function, Vec<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Contains,
    StartsWith,
    EndsWith,
    Not,
    Count,
    Name,
    LocalName,
    Position,
    Last,
    True,
    False,
    StringLength,
    NormalizeSpace,
    String,
    Number,
    Boolean,
    Concat,
    Substring,
    SubstringBefore,
    SubstringAfter,
    Translate,
    Replace,
    Matches,
    LowerCase,
    StringJoin,
    Sum,
    Ceiling,
    Floor,
    Round,
}

impl Expr {
    /// Whether its value is a number.
    fn is_number(&self) -> bool {
        use Function::{Ceiling, Count, Floor, Last, Number, Position, Round, StringLength, Sum};
        match self {
            Expr::Number(_) => true,
            Expr::Binary(operator, ..) => operator.is_arithmetic(),
            Expr::Call(function, _) => {
                matches!(
                    function,
                    Count | Last | Number | Position | StringLength | Sum | Ceiling | Floor | Round
                )
            }
            _ => false,
        }
    }

    fn is_nodes(&self) -> bool {
        matches!(self, Expr::Path(..) | Expr::Union(..))
    }

    /// Whether this holds of the expression or of one that it is made of.
    fn any(&self, holds: &impl Fn(&Expr) -> bool) -> bool {
        holds(self)
            || match self {
                Expr::Text(_) | Expr::Number(_) => false,
                Expr::Path(start, _, steps) => {
                    let predicates = steps.iter().flat_map(|step| &step.predicates);
                    let start = matches!(start, Start::Group(inner) if inner.any(holds));
                    start || predicates.clone().any(|predicate| predicate.any(holds))
                }
                Expr::Union(left, right) | Expr::Binary(_, left, right) => {
                    left.any(holds) || right.any(holds)
                }
                Expr::Call(_, args) => args.iter().any(|arg| arg.any(holds)),
            }
    }

    fn has_path(&self) -> bool {
        self.any(&Expr::is_nodes)
    }

    fn has_predicate(&self) -> bool {
        self.any(&|expr| {
            matches!(expr, Expr::Path(_, pick, steps)
                if *pick != Pick::All || steps.iter().any(|step| !step.predicates.is_empty()))
        })
    }

    /// Whether the library takes it for a number where it is a predicate: every function may give
    /// one.
    fn may_be_number(&self) -> bool {
        matches!(self, Expr::Call(..)) || self.is_number() || self.has_position()
    }

    fn has_position(&self) -> bool {
        self.any(&|expr| matches!(expr, Expr::Call(Function::Position | Function::Last, _)))
    }
}

impl Step {
    fn is_ancestors(&self) -> bool {
        matches!(self.axis, Axis::Ancestor | Axis::AncestorOrSelf)
    }

    /// Whether it gives each node once, however many it is found from: ancestors do, unless there
    /// is one predicate and that may be a number.
    fn is_once(&self) -> bool {
        self.is_ancestors() && !matches!(self.predicates.as_slice(), [only] if only.may_be_number())
    }
}

impl Operator {
    fn is_arithmetic(self) -> bool {
        use Operator::{Divided, Minus, Modulo, Plus, Times};
        matches!(self, Plus | Minus | Times | Divided | Modulo)
    }
}
