//! Computes values and conditions on a row. Literals are borrowed from the program.

use std::borrow::Cow;

use smallvec::SmallVec;
use trunkline_proto::batch::{Field, FieldValue};

use super::{Row, Target};
use crate::{
    contexts::{Context, Store},
    failure::{Failure, built_up},
    functions::{self, Build},
    program::{Args, Argument, Body, Call, Condition, KeyNode, Lambda, Node, PathNode},
    value::{
        self, Value,
        coerce::{self, Want},
        compare, index, math,
    },
};

impl Row<'_> {
    /// Whether a condition holds. An operand that fails makes all of it fail.
    ///
    /// # Errors
    /// What evaluating an operand gives.
    pub fn holds(&mut self, condition: &Condition) -> Result<bool, Failure> {
        match condition {
            Condition::Const(value) => Ok(*value),
            Condition::All(parts) => {
                for part in parts {
                    if !self.holds(part)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Any(parts) => {
                for part in parts {
                    if self.holds(part)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Not(inner) => self.holds(inner).map(|holds| !holds),
            Condition::Compare { op, left, right } => {
                let left = self.value(left)?;
                let right = self.value(right)?;
                compare::compare(*op, &left, &right)
            }
            Condition::Converter(node) => match &*self.value(node)? {
                Value::Bool(value) => Ok(*value),
                other => Err(Failure::NotBool(other.type_name())),
            },
        }
    }

    /// The value of an expression.
    ///
    /// # Errors
    /// What reading, calculating or a function gives.
    pub fn value<'p>(&mut self, node: &'p Node) -> Result<Cow<'p, Value>, Failure> {
        let owned = |value| Ok(Cow::Owned(value));
        match node {
            Node::Const(value) => Ok(Cow::Borrowed(value)),
            Node::Path(path) => self.read(path).map(Cow::Owned),
            Node::Call(call) => self.convert(call),
            Node::Index { of, keys } => {
                let mut value = self.value(of)?.into_owned();
                for key in keys {
                    let key = self.value(key)?;
                    value = index::converter(&value, &key).map_err(|cause| match &**of {
                        Node::Local { name, .. } => Failure::Index(format!(
                            "cannot index local identifier {name:?}: {cause}"
                        )),
                        _ => cause,
                    })?;
                }
                owned(value)
            }
            Node::Local { at, name } => match self.locals.get(*at) {
                Some(value) => owned(value.clone()),
                None => Err(Failure::Function(format!(
                    "missing value for local identifier {name:?}"
                ))),
            },
            Node::Math { first, rest } => {
                let mut value = self.value(first)?;
                for (op, operand) in rest {
                    let operand = self.value(operand)?;
                    value = Cow::Owned(math::calculate(*op, &value, &operand)?);
                }
                Ok(value)
            }
            Node::Negate(operand) => {
                let operand = self.value(operand)?;
                owned(math::negate(&operand)?)
            }
            Node::List(nodes) => {
                let mut items = Vec::with_capacity(nodes.len());
                for node in nodes {
                    items.push(self.value(node)?.into_owned());
                }
                owned(Value::List(items))
            }
            Node::Map(nodes) => {
                let mut entries = Vec::with_capacity(nodes.len());
                for (key, node) in nodes {
                    entries.push((key, self.value(node)?));
                }
                let entries = entries.iter().map(|(key, value)| (*key, &**value));
                owned(value::map_literal(entries)?)
            }
        }
    }

    fn convert<'p>(&mut self, call: &'p Call) -> Result<Cow<'p, Value>, Failure> {
        match call.function.build {
            Build::Coalesce => {
                for node in call.choices().unwrap_or_default() {
                    let value = self.value(node)?;
                    if !matches!(*value, Value::Nil) {
                        return Ok(value);
                    }
                }
                Ok(Cow::Owned(Value::Nil))
            }
            Build::IsRootSpan => {
                let (level, row) = self.place(Context::Span)?;
                let parent = self.data.field(level, row, Field::ParentSpanId)?;
                let is_root = match parent {
                    Some(FieldValue::Bytes(id)) => id.iter().all(|byte| *byte == 0),
                    _ => true,
                };
                Ok(Cow::Owned(Value::Bool(is_root)))
            }
            Build::When => {
                let Some(Argument::Lambda(condition)) = call.args.first() else {
                    return Ok(Cow::Owned(Value::Nil));
                };
                let told = |cause: Failure| {
                    let text = format!("error while evaluating lambda function: {cause}");
                    Failure::Function(text)
                };
                let chosen = match self.lambda(condition, []).map_err(told)? {
                    Value::Bool(true) => call.args.get(1),
                    Value::Bool(false) => call.args.get(2),
                    other => return Err(told(functions::wrong_result("bool", &other))),
                };
                match chosen {
                    Some(Argument::Value { node, .. }) => self.value(node),
                    _ => Ok(Cow::Owned(Value::Nil)),
                }
            }
            Build::RowScalar(scalar) => {
                let args = self.args(call)?;
                scalar(self, &args).map(Cow::Owned)
            }
            _ => {
                let Some(scalar) = call.scalar() else {
                    let name = call.function.name;
                    return Err(Failure::Function(format!("{name} gives no value")));
                };
                let args = self.args(call)?;
                scalar(&args).map(Cow::Owned)
            }
        }
    }

    /// What a lambda gives for these arguments.
    pub(crate) fn lambda<const N: usize>(
        &mut self,
        lambda: &Lambda,
        args: [Value; N],
    ) -> Result<Value, Failure> {
        let known = self.locals.len();
        self.locals.extend(args);
        let result = match &lambda.body {
            Body::Value(node) => self.value(node).map(Cow::into_owned),
            Body::Condition(condition) => self.holds(condition).map(Value::Bool),
        };
        self.locals.truncate(known);
        result
    }

    /// The arguments of a call, evaluated from left to right.
    pub(super) fn args<'p>(&mut self, call: &'p Call) -> Result<Args<'p>, Failure> {
        if call.function.by_need {
            return Ok(self.args_by_need(call));
        }
        let mut values = SmallVec::with_capacity(call.args.len());
        for argument in &call.args {
            values.push(self.argument(argument)?);
        }
        Ok(Args {
            arguments: &call.args,
            prepared: call.prepared.as_ref(),
            values,
            failed: Vec::new(),
        })
    }

    /// The arguments of a call of which one that fails need not matter; of a list what is before
    /// the element that fails.
    fn args_by_need<'p>(&mut self, call: &'p Call) -> Args<'p> {
        let mut failed = Vec::new();
        let mut values = SmallVec::with_capacity(call.args.len());
        for (at, argument) in call.args.iter().enumerate() {
            let mut items = Vec::new();
            let result = match argument {
                Argument::Items { nodes, want } => self
                    .items(nodes, *want, &mut items)
                    .map(|()| Cow::Borrowed(&Value::Nil)),
                argument => self.argument(argument),
            };
            let value = result.unwrap_or_else(|failure| {
                failed.push((at, failure));
                Cow::Borrowed(&Value::Nil)
            });
            values.push(match argument {
                Argument::Items { .. } => Cow::Owned(Value::List(items)),
                _ => value,
            });
        }
        Args {
            arguments: &call.args,
            prepared: call.prepared.as_ref(),
            values,
            failed,
        }
    }

    fn argument<'p>(&mut self, argument: &'p Argument) -> Result<Cow<'p, Value>, Failure> {
        Ok(match argument {
            Argument::Value { node, want } => {
                let value = self.value(node)?;
                match node {
                    // Has been made what is wanted.
                    Node::Const(_) => value,
                    _ => coerce::coerce(value, *want)?,
                }
            }
            Argument::Items { nodes, want } => {
                let mut items = Vec::with_capacity(nodes.len());
                self.items(nodes, *want, &mut items)?;
                Cow::Owned(Value::List(items))
            }
            Argument::Literal(value) => Cow::Borrowed(value),
            Argument::Absent
            | Argument::Regex(_)
            | Argument::Target(_)
            | Argument::Function(_)
            | Argument::Lambda(_) => Cow::Owned(Value::Nil),
        })
    }

    fn items(&mut self, nodes: &[Node], want: Want, out: &mut Vec<Value>) -> Result<(), Failure> {
        for node in nodes {
            let value = self.value(node)?;
            out.push(coerce::coerce(value, want)?.into_owned());
        }
        Ok(())
    }

    /// Runs an editor.
    ///
    /// # Errors
    /// What evaluating its arguments or writing gives.
    pub fn edit(&mut self, call: &Call) -> Result<(), Failure> {
        match (call.function.build, call.target()) {
            (Build::Set, Some(path)) => {
                let args = self.args(call)?;
                let value = args.value(1);
                match call.args.get(1) {
                    Some(Argument::Value { node, .. }) if node.contains(path) => {
                        self.write_around(path, node, value.clone())
                    }
                    _ => self.write(path, value),
                }
            }
            (Build::EditorOfSome(editor), Some(path)) => {
                if let Value::Nil = self.read(path)? {
                    return Ok(());
                }
                let args = self.args(call)?;
                editor(&mut Target::of_row(self, path), &args)
            }
            (Build::Editor(editor), Some(path)) => {
                let args = self.args(call)?;
                editor(&mut Target::of_row(self, path), &args)
            }
            (Build::RowEditor(editor), _) => {
                let args = self.args(call)?;
                editor(self, &args)
            }
            (Build::Nothing, _) => Ok(()),
            _ => {
                let name = call.function.name;
                Err(Failure::Function(format!("{name} is no editor")))
            }
        }
    }

    /// Writes a value that contains what is written: it is read after that has been made empty,
    /// unless it is of that kind already. Attributes that are kept in a dictionary are read and
    /// written as copies.
    fn write_around(
        &mut self,
        path: &PathNode,
        node: &Node,
        mut value: Value,
    ) -> Result<(), Failure> {
        let interned = path.def.store == Store::Attributes
            && matches!(path.context, Context::Profile | Context::ProfileSample);
        match self.chosen(node)? {
            _ if interned => {}
            Node::Path(source) => {
                if let Some(empty) = value.empty_of_kind()
                    && !self.read(path).is_ok_and(|old| old.of() == value.of())
                {
                    self.write(path, &empty)?;
                    value = self.read(source)?;
                }
            }
            node => self.refill(path, node, &mut value, &mut |value| value)?,
        }
        self.write(path, &value)
    }

    /// What a choice comes to; anything else is itself.
    fn chosen<'n>(&mut self, mut node: &'n Node) -> Result<&'n Node, Failure> {
        'again: while let Node::Call(call) = node
            && let Some(choices) = call.choices()
        {
            for choice in choices {
                if !matches!(*self.value(choice)?, Value::Nil) {
                    node = choice;
                    continue 'again;
                }
            }
            break;
        }
        Ok(node)
    }

    /// The elements of a list that contain what is written are read one after the other, each
    /// when those before it and an empty one for itself are there. `whole` makes what is written
    /// then of what is within this list.
    fn refill(
        &mut self,
        path: &PathNode,
        node: &Node,
        value: &mut Value,
        whole: &mut dyn FnMut(Value) -> Value,
    ) -> Result<(), Failure> {
        let (Node::List(nodes), Value::List(values)) = (node, value) else {
            return Ok(());
        };
        for (at, node) in nodes.iter().enumerate() {
            let (before, rest) = values.split_at_mut_checked(at).unwrap_or_default();
            let Some(value) = rest.first_mut().filter(|_| node.contains(path)) else {
                continue;
            };
            let mut around = |value: Value| {
                let mut list = before.to_vec();
                list.push(value);
                whole(Value::List(list))
            };
            match (self.chosen(node)?, value.empty_of_kind()) {
                (Node::Path(source), Some(empty)) => {
                    match self.write(path, &around(empty)) {
                        // What lists cannot hold is told of in the end.
                        Ok(()) | Err(Failure::NotAssignable(_)) => {}
                        failed => return failed,
                    }
                    *value = self.read(source)?;
                    if let Value::Map(any) | Value::Slice(any) = &*value {
                        built_up(any.len())?;
                    }
                }
                (node, _) => self.refill(path, node, value, &mut around)?,
            }
        }
        Ok(())
    }

    /// The keys of a path, computed; what a map or list takes, and nothing like it.
    pub(super) fn keys(&mut self, path: &PathNode) -> SmallVec<[index::Key; 2]> {
        let mut keys = SmallVec::with_capacity(path.keys.len());
        for key in &path.keys {
            keys.push(match key {
                KeyNode::Const(key) => key.clone(),
                KeyNode::Computed(node) => match self.value(node).map(Cow::into_owned) {
                    Ok(value) => index::Key::of(value),
                    Err(failure) => index::Key::Wrong(Box::new(failure)),
                },
            });
        }
        keys
    }
}
