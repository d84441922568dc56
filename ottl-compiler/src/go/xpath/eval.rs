//! Evaluation of compiled expressions: what each step finds, and what conditions come to.

use std::collections::HashSet;

use super::{Axis, Expr, Found, Operator, Pick, Start, Step, Test, XPath};
use crate::go::{
    text::{parse_double, plain_number, trim_space},
    xml_tree::{DEPTH, Kind, TOP, Tree},
};

/// The most nodes that may be looked at, over and over ones counted each time.
const MOST: usize = 4 << 20;

pub(super) enum Value {
    Nodes(Vec<Found>),
    Text(Vec<u8>),
    Number(f64),
    Bool(bool),
}

impl XPath {
    /// The nodes that are selected.
    ///
    /// # Errors
    /// Where values do not fit, and where there is no end to it.
    pub fn select(&self, tree: &Tree) -> Result<Vec<Found>, String> {
        let mut search = Search { tree, left: MOST };
        let top = Found {
            node: TOP,
            attribute: None,
        };
        match &self.root {
            expr if expr.is_nodes() => search.nodes(expr, top),
            _ => Ok(Vec::new()),
        }
    }
}

pub(super) struct Search<'t> {
    pub(super) tree: &'t Tree,
    pub(super) left: usize,
}

impl Search<'_> {
    pub(super) fn spend(&mut self, amount: usize) -> Result<(), String> {
        let left = self.left.checked_sub(amount.max(1));
        self.left = left.ok_or("the XPath finds too many nodes")?;
        Ok(())
    }

    pub(super) fn nodes(&mut self, expr: &Expr, here: Found) -> Result<Vec<Found>, String> {
        match self.value(expr, here, None)? {
            Value::Nodes(nodes) => Ok(nodes),
            _ => Err("expression must evaluate to a node-set".to_owned()),
        }
    }

    fn path(
        &mut self,
        start: &Start,
        pick: &Pick,
        steps: &[Step],
        here: Found,
    ) -> Result<Vec<Found>, String> {
        let mut nodes = match start {
            Start::Context => vec![here],
            Start::Root => vec![Found {
                node: TOP,
                attribute: None,
            }],
            Start::Group(inner) => self.nodes(inner, here)?,
        };
        let at = match pick {
            Pick::All => None,
            Pick::Nth(number) => Some((number.trunc() as usize).wrapping_sub(1)),
            Pick::Last => Some(nodes.len().wrapping_sub(1)),
        };
        if let Some(at) = at {
            nodes = nodes.get(at).copied().into_iter().collect();
        }
        for step in steps {
            let mut found = Vec::new();
            // Of all axes only those of ancestors remember what they found.
            let mut seen = HashSet::new();
            for node in nodes {
                if !step.is_once() {
                    seen.clear();
                }
                self.step(step, node, &mut found, &mut seen)?;
            }
            nodes = found;
        }
        Ok(nodes)
    }

    fn step(
        &mut self,
        step: &Step,
        from: Found,
        out: &mut Vec<Found>,
        seen: &mut HashSet<Found>,
    ) -> Result<(), String> {
        let begin = out.len();
        let whole = Found {
            attribute: None,
            ..from
        };
        match step.axis {
            Axis::Itself => self.keep(step, from, out)?,
            Axis::Parent if from.attribute.is_some() => self.keep(step, whole, out)?,
            Axis::Parent => {
                let parent = self.tree.node(from.node).and_then(|node| node.parent);
                if let Some(node) = parent {
                    self.keep(
                        step,
                        Found {
                            node,
                            attribute: None,
                        },
                        out,
                    )?;
                }
            }
            Axis::Ancestor | Axis::AncestorOrSelf => {
                if step.axis == Axis::AncestorOrSelf {
                    self.keep(step, from, out)?;
                }
                if from.attribute.is_some() {
                    self.keep(step, whole, out)?;
                }
                let mut next = self.tree.node(from.node).and_then(|node| node.parent);
                while let Some(node) = next {
                    let attribute = None;
                    self.keep(step, Found { node, attribute }, out)?;
                    next = self.tree.node(node).and_then(|node| node.parent);
                }
            }
            Axis::FollowingSibling | Axis::PrecedingSibling if from.attribute.is_some() => {}
            Axis::FollowingSibling | Axis::PrecedingSibling => {
                let tree = self.tree;
                let beside = |node: usize| match step.axis {
                    Axis::FollowingSibling => tree.next(node),
                    _ => tree.node(node).and_then(|node| node.previous),
                };
                let mut next = beside(from.node);
                while let Some(node) = next {
                    let attribute = None;
                    match self.is_blank(node) {
                        true => self.spend(1)?,
                        false => self.keep(step, Found { node, attribute }, out)?,
                    }
                    next = beside(node);
                }
            }
            Axis::Following | Axis::Preceding => self.around(step, from, out)?,
            Axis::Attribute => {
                let count = self
                    .tree
                    .node(from.node)
                    .map_or(0, |node| node.attributes.len());
                let first = from.attribute.map_or(0, |at| at + 1);
                for at in first..count {
                    self.keep(
                        step,
                        Found {
                            node: from.node,
                            attribute: Some(at),
                        },
                        out,
                    )?;
                }
            }
            Axis::Child | Axis::Descendant | Axis::DescendantOrSelf => {
                if step.axis == Axis::DescendantOrSelf {
                    self.keep(step, from, out)?;
                }
                if from.attribute.is_none() {
                    let depth = if step.axis == Axis::Child {
                        0
                    } else {
                        2 * DEPTH
                    };
                    self.below(step, from.node, depth, out)?;
                }
            }
        }
        if step.is_ancestors() {
            let fresh = out.split_off(begin).into_iter();
            out.extend(fresh.filter(|node| seen.insert(self.as_remembered(*node))));
        }
        for predicate in &step.predicates {
            let candidates = out.split_off(begin);
            for (at, node) in candidates.into_iter().enumerate() {
                let value = self.value(predicate, node, Some(step))?;
                let holds = match value {
                    Value::Number(number) => number.trunc() == (at + 1) as f64,
                    value => truth(&value),
                };
                if holds {
                    out.push(node);
                }
            }
        }
        Ok(())
    }

    /// The library cannot tell the declaration from the document.
    fn as_remembered(&self, found: Found) -> Found {
        let node = self.tree.node(found.node);
        match node.is_some_and(|node| node.kind == Kind::Declaration) {
            true => Found { node: TOP, ..found },
            false => found,
        }
    }

    /// What follows or precedes a node: its siblings and all that lies below them, then those of
    /// its parent, and so on. Attributes are where their elements are.
    fn around(&mut self, step: &Step, from: Found, out: &mut Vec<Found>) -> Result<(), String> {
        let tree = self.tree;
        let mut above = Some(from.node);
        while let Some(node) = above {
            let beside = |node: usize| match step.axis {
                Axis::Following => tree.next(node),
                _ => tree.node(node).and_then(|node| node.previous),
            };
            let mut next = beside(node);
            while let Some(node) = next {
                let attribute = None;
                match self.is_blank(node) {
                    true => self.spend(1)?,
                    false => {
                        self.keep(step, Found { node, attribute }, out)?;
                        self.below(step, node, 2 * DEPTH, out)?;
                    }
                }
                next = beside(node);
            }
            above = tree.node(node).and_then(|node| node.parent);
        }
        Ok(())
    }

    /// What lies below a node: the library passes over blank text that is not a first child.
    fn below(
        &mut self,
        step: &Step,
        node: usize,
        depth: usize,
        out: &mut Vec<Found>,
    ) -> Result<(), String> {
        let mut child = self.tree.first(node);
        while let Some(node) = child {
            self.keep(
                step,
                Found {
                    node,
                    attribute: None,
                },
                out,
            )?;
            if depth > 0 {
                self.below(step, node, depth - 1, out)?;
            }
            child = self.tree.next(node);
            while let Some(node) = child.filter(|node| self.is_blank(*node)) {
                self.spend(1)?;
                child = self.tree.next(node);
            }
        }
        Ok(())
    }

    pub(super) fn is_blank(&self, node: usize) -> bool {
        let node = self.tree.node(node);
        node.is_some_and(|node| node.kind == Kind::Text && trim_space(&node.data).is_empty())
    }

    fn keep(&mut self, step: &Step, node: Found, out: &mut Vec<Found>) -> Result<(), String> {
        self.spend(1)?;
        out.extend(self.fits(step, node).then_some(node));
        Ok(())
    }

    pub(super) fn fits(&self, step: &Step, found: Found) -> bool {
        let Some(node) = self.tree.node(found.node) else {
            return false;
        };
        let is_element = matches!(node.kind, Kind::Element | Kind::Instruction);
        match &step.test {
            Test::Node => true,
            Test::Text => matches!(node.kind, Kind::Text | Kind::CharData | Kind::Notation),
            Test::Comment => node.kind == Kind::Comment,
            Test::Name(name) => {
                let kind = match found.attribute {
                    Some(_) => step.axis == Axis::Attribute && node.kind == Kind::Element,
                    None => step.axis != Axis::Attribute && is_element,
                };
                let (prefix, local) = self.name(found);
                kind && name.as_ref().is_none_or(|(p, l)| p == prefix && l == local)
            }
        }
    }

    /// Prefix and local name; what has none has its content.
    pub(super) fn name(&self, found: Found) -> (&[u8], &[u8]) {
        let Some(node) = self.tree.node(found.node) else {
            return (b"", b"");
        };
        match found.attribute {
            Some(at) => match node.attributes.get(at) {
                Some(((prefix, local), _)) => (prefix, local),
                None => (b"", b""),
            },
            None if node.kind == Kind::Instruction => (b"", &node.data),
            None => (&node.prefix, &node.data),
        }
    }

    pub(super) fn text(&mut self, found: Found) -> Result<Vec<u8>, String> {
        let Some(node) = self.tree.node(found.node) else {
            return Ok(Vec::new());
        };
        let text = match (found.attribute, node.kind) {
            (Some(at), _) => {
                let attribute = node.attributes.get(at);
                attribute.map_or_else(Vec::new, |(_, value)| value.clone())
            }
            (None, Kind::Element) => {
                let mut text = Vec::new();
                self.tree.inner_text(found.node, &mut text, 2 * DEPTH);
                text
            }
            (None, Kind::Text | Kind::Comment) => node.data.clone(),
            _ => Vec::new(),
        };
        self.spend(text.len() / 16)?;
        Ok(text)
    }

    pub(super) fn value(
        &mut self,
        expr: &Expr,
        here: Found,
        step: Option<&Step>,
    ) -> Result<Value, String> {
        Ok(match expr {
            Expr::Text(text) => Value::Text(text.clone()),
            Expr::Number(number) => Value::Number(*number),
            Expr::Path(start, pick, steps) => Value::Nodes(self.path(start, pick, steps, here)?),
            Expr::Union(left, right) => {
                let mut nodes = self.nodes(left, here)?;
                nodes.extend(self.nodes(right, here)?);
                let mut seen = HashSet::new();
                nodes.retain(|node| seen.insert(self.as_remembered(*node)));
                Value::Nodes(nodes)
            }
            Expr::Binary(operator @ (Operator::Or | Operator::And), left, right) => {
                let left = truth(&self.value(left, here, step)?);
                Value::Bool(match left == (*operator == Operator::Or) {
                    true => left,
                    false => truth(&self.value(right, here, step)?),
                })
            }
            Expr::Binary(operator, left, right) => {
                let left = self.value(left, here, step)?;
                let right = self.value(right, here, step)?;
                if !operator.is_arithmetic() {
                    return self.compared(*operator, &left, &right).map(Value::Bool);
                }
                let (left, right) = (self.number(&left)?, self.number(&right)?);
                Value::Number(match operator {
                    Operator::Plus => left + right,
                    Operator::Minus => left - right,
                    Operator::Times => left * right,
                    Operator::Divided => left / right,
                    _ => left % right,
                })
            }
            Expr::Call(function, args) => self.call(*function, args, here, step)?,
        })
    }

    pub(super) fn number(&mut self, value: &Value) -> Result<f64, String> {
        Ok(match value {
            Value::Nodes(nodes) => match nodes.first() {
                Some(node) => number(&self.text(*node)?),
                None => f64::NAN,
            },
            Value::Text(text) => number(text),
            Value::Number(number) => *number,
            Value::Bool(value) => f64::from(u8::from(*value)),
        })
    }

    /// A comparison holds if it does of any of the nodes; of truth values none does.
    fn compared(
        &mut self,
        operator: Operator,
        left: &Value,
        right: &Value,
    ) -> Result<bool, String> {
        match (left, right) {
            (Value::Bool(_), Value::Bool(_)) => return Ok(false),
            (Value::Bool(_), _) | (_, Value::Bool(_)) => {
                return Err("a truth value cannot be compared".to_owned());
            }
            _ => {}
        }
        let numbers = matches!(left, Value::Number(_)) || matches!(right, Value::Number(_));
        let (left, right) = (self.operands(left)?, self.operands(right)?);
        for left in &left {
            for right in &right {
                self.spend(1)?;
                let holds = match operator {
                    Operator::Equal if !numbers => left == right,
                    Operator::NotEqual if !numbers => left != right,
                    _ => {
                        let (left, right) = (number(left), number(right));
                        match operator {
                            Operator::Equal => left == right,
                            Operator::NotEqual => left != right,
                            Operator::Less => left < right,
                            Operator::LessOrEqual => left <= right,
                            Operator::Greater => left > right,
                            _ => left >= right,
                        }
                    }
                };
                if holds {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    pub(super) fn operands(&mut self, value: &Value) -> Result<Vec<Vec<u8>>, String> {
        match value {
            Value::Nodes(nodes) => nodes.iter().map(|node| self.text(*node)).collect(),
            value => Ok(vec![self.string(value)?]),
        }
    }

    pub(super) fn string(&mut self, value: &Value) -> Result<Vec<u8>, String> {
        Ok(match value {
            Value::Nodes(nodes) => match nodes.first() {
                Some(node) => self.text(*node)?,
                None => Vec::new(),
            },
            Value::Text(text) => text.clone(),
            Value::Bool(value) => value.to_string().into_bytes(),
            Value::Number(number) if number.is_nan() => b"NaN".to_vec(),
            Value::Number(number) if number.is_infinite() => {
                let text: &[u8] = if *number > 0.0 {
                    b"Infinity"
                } else {
                    b"-Infinity"
                };
                text.to_vec()
            }
            Value::Number(number) if *number == 0.0 => b"0".to_vec(),
            Value::Number(number) => {
                let mut out = Vec::new();
                plain_number(*number, &mut out);
                out
            }
        })
    }
}

pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Nodes(nodes) => !nodes.is_empty(),
        Value::Text(text) => !text.is_empty(),
        Value::Number(number) => *number != 0.0,
        Value::Bool(value) => *value,
    }
}

fn number(text: &[u8]) -> f64 {
    parse_double(trim_space(text)).unwrap_or(f64::NAN)
}
