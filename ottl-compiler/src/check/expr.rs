//! Values and conditions. What is known before anything runs is folded here, by the reference's
//! rules: comparisons of two literals, connectives over literals in whatever order, lists and
//! maps of literals; math is not.

use crate::{
    contexts::Context,
    error::{Problem, nearest},
    functions,
    program::{Condition, Node},
    syntax::{
        Span,
        ast::{Expr, ExprKind},
    },
    value::{self, Text, Value, compare, math},
};

use super::{Checker, Frame};

impl Checker<'_> {
    pub(super) fn condition(&mut self, expr: &Expr) -> Option<Condition> {
        match &expr.kind {
            ExprKind::Bool(value) => Some(Condition::Const(*value)),
            ExprKind::Group(inner) => self.condition(inner),
            ExprKind::Not(inner) => Some(match self.condition(inner)? {
                Condition::Const(value) => Condition::Const(!value),
                inner => Condition::Not(Box::new(inner)),
            }),
            ExprKind::And(parts) => self.connect(parts, false),
            ExprKind::Or(parts) => self.connect(parts, true),
            ExprKind::Compare { op, left, right } => {
                let (left, right) = (self.value(left), self.value(right));
                let (left, right) = (left?, right?);
                if let (Node::Const(a), Node::Const(b)) = (&left, &right)
                    && let Ok(known) = compare::compare(*op, a, b)
                {
                    return Some(Condition::Const(known));
                }
                Some(Condition::Compare {
                    op: *op,
                    left,
                    right,
                })
            }
            _ => self.value(expr).map(Condition::Converter),
        }
    }

    /// `and`, whose outcome one false decides, or `or`, for which one true does.
    fn connect(&mut self, parts: &[Expr], decides: bool) -> Option<Condition> {
        let mut open = Vec::with_capacity(parts.len());
        let (mut failed, mut decided) = (false, false);
        for part in parts {
            match self.condition(part) {
                None => failed = true,
                Some(Condition::Const(value)) => decided |= value == decides,
                Some(part) => open.push(part),
            }
        }
        if failed {
            return None;
        }
        if decided {
            return Some(Condition::Const(decides));
        }
        if open.len() < 2 {
            return Some(open.pop().unwrap_or(Condition::Const(!decides)));
        }
        Some(match decides {
            true => Condition::Any(open),
            false => Condition::All(open),
        })
    }

    pub(super) fn value(&mut self, expr: &Expr) -> Option<Node> {
        let constant = |value| Some(Node::Const(value));
        match &expr.kind {
            ExprKind::Nil => constant(Value::Nil),
            ExprKind::Bool(value) => constant(Value::Bool(*value)),
            ExprKind::Int(value) => constant(Value::Int(*value)),
            ExprKind::Float(value) => constant(Value::Float(*value)),
            ExprKind::String(text) => constant(Value::text(text)),
            ExprKind::Bytes(bytes) => constant(Value::Bytes(Text::from_slice(bytes))),
            ExprKind::Enum(symbol) => match self.context.enum_value(symbol) {
                Some(value) => constant(Value::Int(value)),
                None => self.undefined_enum(expr, symbol),
            },
            ExprKind::Path(path) => {
                if let Some(local) = self.local(path, expr.span) {
                    return local;
                }
                let path = self.path(path, expr.span)?;
                Some(Node::Path(Box::new(path)))
            }
            ExprKind::Call(call) => self.converter(call),
            ExprKind::Group(inner) | ExprKind::Plus(inner) => self.value(inner),
            ExprKind::Negate(inner) => {
                let node = self.value(inner)?;
                if let (ExprKind::Int(_) | ExprKind::Float(_), Node::Const(value)) =
                    (&inner.kind, &node)
                    && let Ok(value) = math::negate(value)
                {
                    return constant(value);
                }
                Some(Node::Negate(Box::new(node)))
            }
            ExprKind::Math { first, rest } => {
                let first = self.value(first);
                let rest: Vec<_> = rest
                    .iter()
                    .map(|(op, operand)| Some((*op, self.value(operand)?)))
                    .collect();
                let rest: Option<Vec<_>> = rest.into_iter().collect();
                Some(Node::Math {
                    first: Box::new(first?),
                    rest: rest?,
                })
            }
            ExprKind::List(items) => {
                let items = self.elements(items)?;
                let literals: Option<Vec<Value>> = items.iter().map(literal).collect();
                match literals {
                    Some(values) => constant(Value::List(values)),
                    None => Some(Node::List(items)),
                }
            }
            ExprKind::Map(entries) => self.map(entries, expr.span),
            ExprKind::Lambda(_) => self.report(expr.span, Problem::StrayLambda),
            ExprKind::Compare { .. } | ExprKind::Not(_) | ExprKind::And(_) | ExprKind::Or(_) => {
                // The parser lets none through.
                let what = expr.kind.describe();
                self.report(expr.span, Problem::NotAValue { what })
            }
        }
    }

    /// All of them, so that everything wrong with any is found.
    pub(super) fn elements(&mut self, items: &[Expr]) -> Option<Vec<Node>> {
        let nodes: Vec<Option<Node>> = items
            .iter()
            .enumerate()
            .map(|(at, item)| self.within(Frame::Element { at }, |checker| checker.value(item)))
            .collect();
        nodes.into_iter().collect()
    }

    fn map(&mut self, entries: &[(Vec<u8>, Expr)], span: Span) -> Option<Node> {
        let nodes: Vec<_> = entries
            .iter()
            .map(|(key, value)| Some((Text::from_slice(key), self.value(value)?)))
            .collect();
        let nodes: Option<Vec<_>> = nodes.into_iter().collect();
        let mut unique: Vec<(Text, Node)> = Vec::new();
        for (key, node) in nodes? {
            // Of duplicate keys the last counts.
            match unique.iter_mut().find(|(known, _)| *known == key) {
                Some((_, known)) => *known = node,
                None => unique.push((key, node)),
            }
        }
        let all_known = unique.iter().all(|(_, node)| literal(node).is_some());
        if all_known {
            let entries = unique
                .iter()
                .filter_map(|(key, node)| Some((key, literal(node)?)));
            let entries: Vec<_> = entries.collect();
            let entries = entries.iter().map(|(key, value)| (*key, value));
            return match value::map_literal(entries) {
                Ok(map) => Some(Node::Const(map)),
                Err(failure) => {
                    let cause = failure.to_string();
                    self.report(span, Problem::Fold { cause })
                }
            };
        }
        Some(Node::Map(unique))
    }

    fn undefined_enum<T>(&mut self, expr: &Expr, symbol: &str) -> Option<T> {
        if functions::find(symbol, self.host, self.context).is_some() {
            let name = symbol.to_owned();
            return self.report(expr.span, Problem::FunctionAsValue { name });
        }
        let mut others = Context::ALL.into_iter();
        let elsewhere = others.find(|context| context.enum_value(symbol).is_some());
        let problem = Problem::UndefinedEnum {
            elsewhere: elsewhere.map(Context::name),
            name: symbol.to_owned(),
            nearest: nearest(symbol, self.context.enums().map(|(name, _)| name)).map(str::to_owned),
        };
        self.report(expr.span, problem)
    }
}

/// The value of a literal.
pub(super) fn literal(node: &Node) -> Option<Value> {
    match node {
        Node::Const(value) => Some(value.clone()),
        _ => None,
    }
}
