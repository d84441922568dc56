//! What a plan is, for people: a tree of what is computed, each node with how.

use super::{
    Executor,
    expr::{Action, Arg, CallExpr, Expr, Kernel, Test},
    gate::How,
    keyed::{PathKey, Within},
    maps::MapAction,
    plan::{Part, Plan, Stage},
};
use crate::program::Program;

/// How something is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Over all rows at once.
    Kernel,
    /// Once for each distinct string among the rows.
    PerDistinctValue,
    /// Once for all rows in the same entity.
    Lifted,
    /// Row by row, and why.
    Rows(&'static str),
}

impl Mark {
    /// As the plan shows it.
    pub fn name(self) -> &'static str {
        match self {
            Mark::Kernel => "kernel",
            Mark::PerDistinctValue => "per distinct value",
            Mark::Lifted => "lifted",
            Mark::Rows(_) => "rows",
        }
    }
}

/// A node of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// What it is: a statement as the user wrote it, a function by its name, ….
    pub text: String,
    /// How it is computed.
    pub mark: Mark,
    /// What it is computed from.
    pub of: Vec<Described>,
}

const ONE_BY_ONE: &str = "the function is called on one value after the other";
const NO_KERNEL: &str = "there is no kernel for this value";

fn node(text: impl Into<String>, mark: Mark, of: Vec<Described>) -> Described {
    let text = text.into();
    Described { text, mark, of }
}

impl Executor {
    /// The plan: the conditions of the group, then the statements, in order.
    pub fn describe(&self) -> Vec<Described> {
        let program = &*self.program;
        let (gate, parts) = match &self.plan {
            Plan::Rows(reason) => {
                let conditions = program.conditions.iter().map(|of| &of.source);
                let statements = program.statements.iter().map(|of| &of.source);
                let all = conditions.chain(statements);
                let rows = |source: &std::sync::Arc<str>| {
                    node(&**source, Mark::Rows(reason.text()), Vec::new())
                };
                return all.map(rows).collect();
            }
            Plan::Parts { gate, parts } => (gate, parts),
        };
        let mut out = Vec::new();
        if let Some(gate) = gate {
            let sources = program.conditions.iter().map(|of| &*of.source);
            for ((of, how), source) in gate.of.tests.iter().zip(sources) {
                let mark = match how {
                    How::Rest => Mark::Kernel,
                    How::Found | How::Known => Mark::PerDistinctValue,
                };
                out.push(node(source, mark, vec![test(of)]));
            }
        }
        for part in parts {
            match part {
                Part::Columns(stage) => out.extend(statements(stage, program)),
                Part::Rows(range, reason) => {
                    for statement in program.statements.get(range.clone()).unwrap_or_default() {
                        let mark = Mark::Rows(reason.text());
                        out.push(node(&*statement.source, mark, Vec::new()));
                    }
                }
            }
        }
        out
    }
}

fn statements<'a>(
    stage: &'a Stage,
    program: &'a Program,
) -> impl Iterator<Item = Described> + use<'a> {
    let statements = program.statements.get(stage.statements.clone());
    let of = stage.steps.iter().zip(statements.unwrap_or_default());
    of.map(|(step, statement)| {
        // Without a condition there is none to show.
        let mut of = match &step.test {
            Test::Const(true) => Vec::new(),
            condition => vec![test(condition)],
        };
        let mark = match &step.action {
            Action::Set { value, .. } => {
                of.push(expr(value));
                Mark::Kernel
            }
            Action::Replace { .. } => Mark::PerDistinctValue,
            Action::Assign { spot, value } => {
                of.extend(spot.computed().map(expr));
                of.push(expr(value));
                Mark::Kernel
            }
            Action::Edit { spot, args, .. } => {
                of.extend(spot.computed().map(expr));
                of.extend(arguments(args).map(expr));
                Mark::Rows(ONE_BY_ONE)
            }
            Action::Map(MapAction::MergeAll { source: value, .. } | MapAction::Set(value)) => {
                of.push(expr(value));
                Mark::Kernel
            }
            Action::Map(MapAction::Edit { args, .. }) => {
                of.extend(arguments(args).map(expr));
                Mark::Rows(ONE_BY_ONE)
            }
            _ => Mark::Kernel,
        };
        node(&*statement.source, mark, of)
    })
}

fn test(of: &Test) -> Described {
    let all = |tests: &[Test]| tests.iter().map(test).collect();
    match of {
        Test::Const(value) => node(value.to_string(), Mark::Kernel, Vec::new()),
        Test::All(parts) => node("and", Mark::Kernel, all(parts)),
        Test::Any(parts) => node("or", Mark::Kernel, all(parts)),
        Test::Not(inner) => node("not", Mark::Kernel, vec![test(inner)]),
        Test::Compare { op, left, right } => {
            node(op.to_string(), Mark::Kernel, vec![expr(left), expr(right)])
        }
        Test::Value(value) => expr(value),
        Test::Lifted(inner) => Described {
            mark: Mark::Lifted,
            ..test(inner)
        },
        Test::Rows(_) => node("condition", Mark::Rows(NO_KERNEL), Vec::new()),
    }
}

fn expr(of: &Expr) -> Described {
    let leaf = |text: &str| node(text, Mark::Kernel, Vec::new());
    match of {
        Expr::Const(_) => leaf("constant"),
        Expr::Slot(..) => leaf("column"),
        Expr::Around(..) => node("column of what is around", Mark::Lifted, Vec::new()),
        Expr::Nested { of, .. } => node("keys", Mark::Kernel, vec![expr(of)]),
        Expr::Keyed(keyed) => {
            let of = match &keyed.within {
                Within::Value { of, .. } => Some(expr(of)),
                _ => None,
            };
            let computed = keyed.keys.iter().filter_map(|key| match key {
                PathKey::Computed(of) => Some(expr(of)),
                PathKey::Known(_) => None,
            });
            let of = of.into_iter().chain(computed);
            node("computed keys", Mark::Kernel, of.collect())
        }
        Expr::Math { first, rest } => {
            let operands = std::iter::once(&**first).chain(rest.iter().map(|(_, of)| of));
            node("math", Mark::Kernel, operands.map(expr).collect())
        }
        Expr::Negate(operand) => node("-", Mark::Kernel, vec![expr(operand)]),
        Expr::IsRootSpan(_) => leaf("IsRootSpan"),
        Expr::Coalesce(parts) => node("Coalesce", Mark::Kernel, parts.iter().map(expr).collect()),
        Expr::Call(call) => converter(call),
        Expr::Index { of, keys } => {
            let of = std::iter::once(&**of).chain(keys);
            node("index", Mark::Kernel, of.map(expr).collect())
        }
        Expr::List(items) => node("list", Mark::Kernel, items.iter().map(expr).collect()),
        Expr::Map(entries) => {
            let values = entries.iter().map(|(_, of)| expr(of));
            node("map", Mark::Kernel, values.collect())
        }
        Expr::Attributes => leaf("all attributes"),
        Expr::AttributeCount => leaf("number of attributes"),
        Expr::Cache => leaf("scratch map"),
        Expr::Shared { at, of } => node(format!("shared {at}"), Mark::Kernel, vec![expr(of)]),
        Expr::Rows { lifted: true, .. } => node("value", Mark::Lifted, Vec::new()),
        Expr::Rows { .. } => node("value", Mark::Rows(NO_KERNEL), Vec::new()),
    }
}

fn converter(call: &CallExpr) -> Described {
    let args = arguments(&call.args);
    let mark = match (call.memo, call.kernel) {
        (Some(_), _) => Mark::PerDistinctValue,
        (None, Kernel::Scalar) => Mark::Rows(ONE_BY_ONE),
        _ => Mark::Kernel,
    };
    node(call.call.function.name, mark, args.map(expr).collect())
}

fn arguments(args: &[Arg]) -> impl Iterator<Item = &Expr> {
    args.iter().flat_map(|arg| match arg {
        Arg::Known => &[][..],
        Arg::Value(value) => std::slice::from_ref(value),
        Arg::Items(items) => items,
    })
}
