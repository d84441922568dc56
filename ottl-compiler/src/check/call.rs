//! Calls: the function a name means here, arguments bound to parameters, each of the kind that
//! is declared. A function that is not built yet is refused after its call has been checked.

use std::borrow::Cow;

use crate::{
    contexts::{Context, Store},
    error::{Problem, nearest},
    functions::{self, Build, Function, Item, Param, ParamKind},
    go::{glob, regexp},
    program::{Argument, Call, Node},
    syntax::{
        Span,
        ast::{self, Arg, ArgValue, Expr, ExprKind},
    },
    value::{Value, coerce},
};

use super::{Checker, Frame, expr::literal, path::keys_text};

impl Checker<'_> {
    pub(super) fn editor(&mut self, call: &ast::Call) -> Option<Call> {
        let name = &call.name.text;
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            let name = name.clone();
            return self.report(call.name.span, Problem::EditorName { name });
        }
        if let Some(key) = call.keys.first() {
            let shown = format!("{name}{}", keys_text(&call.keys));
            return self.report(key.span, Problem::IndexedEditor { shown });
        }
        self.call(call)
    }

    pub(super) fn converter(&mut self, call: &ast::Call) -> Option<Node> {
        let name = &call.name.text;
        if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
            let name = name.clone();
            return self.report(call.name.span, Problem::ConverterName { name });
        }
        let node = self.call(call).map(|call| Node::Call(Box::new(call)));
        let keys: Vec<_> = call.keys.iter().map(|key| self.value(&key.expr)).collect();
        let keys: Option<Vec<_>> = keys.into_iter().collect();
        let (node, keys) = (node?, keys?);
        if keys.is_empty() {
            return Some(node);
        }
        let of = Box::new(node);
        Some(Node::Index { of, keys })
    }

    fn call(&mut self, call: &ast::Call) -> Option<Call> {
        let name = &call.name;
        let Some(function) = functions::find(&name.text, self.host, self.context) else {
            let mut others = Context::ALL.into_iter();
            let elsewhere =
                others.find(|context| functions::find(&name.text, self.host, *context).is_some());
            let problem = Problem::UndefinedFunction {
                elsewhere: elsewhere.map(Context::name),
                nearest: self.nearest_function(&name.text),
                name: name.text.clone(),
            };
            return self.report(name.span, problem);
        };
        if let Some(gate) = function.gate()
            && !self.lambdas
        {
            let name = name.text.clone();
            return self.report(call.name.span, Problem::Gated { name, gate });
        }
        let bound = self.bind(function, call)?;
        let args: Vec<Option<Argument>> = function
            .params
            .iter()
            .zip(bound)
            .map(|(param, bound)| match bound {
                None => Some(Argument::Absent),
                Some((at, arg)) => {
                    let frame = Frame::Argument {
                        function: function.name.to_owned(),
                        at,
                        signature: function.signature(),
                    };
                    self.within(frame, |checker| checker.argument(function, param, arg))
                }
            })
            .collect();
        let args: Vec<Argument> = args.into_iter().collect::<Option<_>>()?;
        if let Build::Pending = function.build {
            let name = name.text.clone();
            return self.report(call.name.span, Problem::NotBuilt { name });
        }
        if let Some(check) = function.check
            && let Err(cause) = check(&args)
        {
            return self.report(call.span, Problem::Create { cause });
        }
        let prepared = match function.prepare.map(|prepare| prepare(&args)) {
            None => None,
            Some(Ok(prepared)) => prepared,
            Some(Err(cause)) => return self.report(call.span, Problem::Create { cause }),
        };
        Some(Call {
            function,
            args,
            prepared,
        })
    }

    fn nearest_function(&self, name: &str) -> Option<String> {
        let (host, context) = (self.host, self.context);
        let lower = |name: &str| name.starts_with(|c: char| c.is_ascii_lowercase());
        let offered = functions::all().filter(|function| {
            function.offered(host, context) && lower(function.name) == lower(name)
        });
        nearest(name, offered.map(|function| function.name)).map(str::to_owned)
    }

    /// For each parameter the argument passed for it, and its position.
    fn bind<'t>(
        &mut self,
        function: &'static Function,
        call: &'t ast::Call,
    ) -> Option<Vec<Option<(usize, &'t Arg)>>> {
        let given = call.args.len();
        let (least, most) = (function.required(), function.params.len());
        if given < least || given > most {
            let problem = Problem::Count {
                least,
                most,
                given,
                signature: function.signature(),
            };
            return self.report(call.span, problem);
        }
        let mut bound: Vec<Option<(usize, &Arg)>> = vec![None; most];
        let mut twice: Option<(&str, Span)> = None;
        let (mut named, mut failed) = (false, false);
        for (at, arg) in call.args.iter().enumerate() {
            let slot = match &arg.name {
                None if named => {
                    self.report::<()>(arg.span, Problem::PositionalAfterNamed);
                    return None;
                }
                None => Some(at),
                Some(name) => {
                    named = true;
                    let camelled = functions::camel(&name.text);
                    let mut params = function.params.iter();
                    params.position(|param| functions::camel(param.name) == camelled)
                }
            };
            match (slot.and_then(|slot| bound.get_mut(slot)), &arg.name) {
                (Some(slot), name) => {
                    if let (Some(_), Some(name)) = (&slot, name) {
                        twice = Some((&name.text, name.span));
                    }
                    *slot = Some((at, arg));
                }
                (None, Some(name)) => {
                    let params = function.params.iter().map(|param| param.name);
                    let problem = Problem::NoParameter {
                        nearest: nearest(&name.text, params).map(str::to_owned),
                        name: name.text.clone(),
                    };
                    self.report::<()>(name.span, problem);
                    failed = true;
                }
                (None, None) => failed = true,
            }
        }
        if failed {
            return None;
        }
        let missing = function
            .params
            .iter()
            .zip(&bound)
            .find(|(param, bound)| !param.optional && bound.is_none());
        if let Some((param, _)) = missing {
            if let Some((name, span)) = twice {
                let name = name.to_owned();
                self.report::<()>(span, Problem::GivenTwice { name });
            }
            let problem = Problem::Missing {
                name: param.name.to_owned(),
                signature: function.signature(),
            };
            return self.report(call.span, problem);
        }
        Some(bound)
    }

    fn argument(
        &mut self,
        function: &'static Function,
        param: &'static Param,
        arg: &Arg,
    ) -> Option<Argument> {
        let expr = match &arg.value {
            ArgValue::Value(expr) => expr,
            ArgValue::Function(name) => {
                if param.kind != ParamKind::Function {
                    let name = name.text.clone();
                    return self.report(arg.span, Problem::FunctionAsValue { name });
                }
                return self.reference(function, &name.text, name.span);
            }
        };
        if let Some(want) = param.kind.want() {
            return self.value_argument(param, expr, want);
        }
        match param.kind {
            ParamKind::Target(_) => self.target(expr),
            ParamKind::Items(item, dynamic) => self.items(expr, item, dynamic),
            ParamKind::Function => match &expr.kind {
                ExprKind::Enum(name) => self.reference(function, name, expr.span),
                _ => self.must_be("the name of a function", expr),
            },
            ParamKind::Lambda(wanted) => match &expr.kind {
                ExprKind::Lambda(lambda) => self.lambda(function, param, wanted, lambda, expr.span),
                _ => self.must_be("a lambda expression", expr),
            },
            kind => self.literal_argument(kind, expr),
        }
    }

    fn must_be<T>(&mut self, what: &str, expr: &Expr) -> Option<T> {
        let problem = Problem::MustBe {
            what: what.to_owned(),
            got: expr.kind.describe().to_owned(),
        };
        self.report(expr.span, problem)
    }

    fn value_argument(
        &mut self,
        param: &'static Param,
        expr: &Expr,
        want: coerce::Want,
    ) -> Option<Argument> {
        let node = self.value(expr)?;
        let Some(value) = literal(&node) else {
            return Some(Argument::Value { node, want });
        };
        let value = match coerce::coerce(Cow::Owned(value), want) {
            Ok(value) => value.into_owned(),
            Err(failure) => {
                let cause = failure.to_string();
                return self.report(expr.span, Problem::Fold { cause });
            }
        };
        let compile = match param.kind {
            ParamKind::Regex => Some(regexp::compile as fn(&str) -> _),
            ParamKind::Glob => Some(glob::compile as fn(&str) -> _),
            _ => None,
        };
        if let (Some(compile), Value::String(pattern)) = (compile, &value) {
            let pattern = String::from_utf8_lossy(pattern);
            return match compile(&pattern) {
                Ok(regex) => Some(Argument::Regex(regex)),
                Err(cause) => self.report(expr.span, Problem::Create { cause }),
            };
        }
        let node = Node::Const(value);
        Some(Argument::Value { node, want })
    }

    fn target(&mut self, expr: &Expr) -> Option<Argument> {
        match &expr.kind {
            ExprKind::Path(path) => {
                let path = self.path(path, expr.span)?;
                Some(Argument::Target(Box::new(path)))
            }
            _ => self.must_be("a path", expr),
        }
    }

    fn items(&mut self, expr: &Expr, item: Item, dynamic: bool) -> Option<Argument> {
        let want = item.want();
        match &expr.kind {
            ExprKind::List(items) => {
                let nodes = self.elements(items)?;
                let mut coerced = Vec::with_capacity(nodes.len());
                for (at, (node, item)) in nodes.into_iter().zip(items).enumerate() {
                    let Some(value) = literal(&node) else {
                        coerced.push(node);
                        continue;
                    };
                    match coerce::coerce(Cow::Owned(value), want) {
                        Ok(value) => coerced.push(Node::Const(value.into_owned())),
                        Err(failure) => {
                            let cause = failure.to_string();
                            let frame = Frame::Element { at };
                            return self.within(frame, |checker| {
                                checker.report(item.span, Problem::Fold { cause })
                            });
                        }
                    }
                }
                let nodes = coerced;
                Some(Argument::Items { nodes, want })
            }
            ExprKind::Nil if dynamic && item == Item::StringLike => {
                let node = Node::Const(Value::Nil);
                let want = coerce::Want::Any;
                Some(Argument::Value { node, want })
            }
            // Bytes are a list of numbers, which no strict string is.
            ExprKind::Bytes(_) if item == Item::String => {
                self.must_be("a list, or a path or converter that gives one", expr)
            }
            ExprKind::Path(_)
            | ExprKind::Call(_)
            | ExprKind::Bytes(_)
            | ExprKind::Math { .. }
            | ExprKind::Group(_)
                if dynamic =>
            {
                let node = self.value(expr)?;
                let want = coerce::Want::Any;
                Some(Argument::Value { node, want })
            }
            // No list, which is an error only where it is evaluated.
            ExprKind::Map(_) if dynamic => {
                let node = self.value(expr)?;
                if literal(&node).is_some() {
                    return self.must_be("a list, or a path or converter that gives one", expr);
                }
                let want = coerce::Want::Any;
                Some(Argument::Value { node, want })
            }
            _ if dynamic => self.must_be("a list, or a path or converter that gives one", expr),
            _ => self.must_be("a list", expr),
        }
    }

    /// A literal that Go's own types take: no path, no sign, no conversion.
    fn literal_argument(&mut self, kind: ParamKind, expr: &Expr) -> Option<Argument> {
        let value = match (kind, &expr.kind) {
            (ParamKind::LiteralString, ExprKind::String(text)) => Value::text(text),
            (ParamKind::LiteralInt, ExprKind::Int(value)) => Value::Int(*value),
            (ParamKind::LiteralFloat, ExprKind::Float(value)) => Value::Float(*value),
            (ParamKind::LiteralBool, ExprKind::Bool(value)) => Value::Bool(*value),
            (ParamKind::LiteralStrings | ParamKind::LiteralFloats, ExprKind::List(items)) => {
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    values.push(match (kind, &item.kind) {
                        (ParamKind::LiteralStrings, ExprKind::String(text)) => Value::text(text),
                        (ParamKind::LiteralFloats, ExprKind::Float(value)) => Value::Float(*value),
                        (ParamKind::LiteralStrings, _) => {
                            return self.must_be("a list of type string", item);
                        }
                        _ => return self.must_be("a list of type float", item),
                    });
                }
                Value::List(values)
            }
            (kind, _) => {
                let what = match kind {
                    ParamKind::LiteralString => "a string",
                    ParamKind::LiteralInt => "an int",
                    ParamKind::LiteralFloat => "a float",
                    ParamKind::LiteralBool => "a bool",
                    ParamKind::LiteralStrings => "a list of type string",
                    _ => "a list of type float",
                };
                return self.must_be(what, expr);
            }
        };
        Some(Argument::Literal(value))
    }

    /// A function passed by its name: it must take one string, or more parameters, in which
    /// case calling it fails as in the reference.
    fn reference(&mut self, into: &'static Function, name: &str, span: Span) -> Option<Argument> {
        let Some(function) = functions::find(name, self.host, self.context) else {
            let problem = Problem::UndefinedReference {
                nearest: self.nearest_function(name),
                name: name.to_owned(),
            };
            return self.report(span, problem);
        };
        let one_string = match function.params {
            [] => false,
            [param] => param.kind == ParamKind::String && !param.optional,
            _ => true,
        };
        if !one_string {
            let problem = Problem::BadReference {
                name: name.to_owned(),
                into: into.name.to_owned(),
            };
            return self.report(span, problem);
        }
        if let Build::Pending = function.build {
            let name = name.to_owned();
            return self.report(span, Problem::NotBuilt { name });
        }
        Some(Argument::Function(function))
    }
}

/// Whether a path is one of the lists that only `set` can empty.
pub(crate) fn is_message_list(store: Store) -> bool {
    use crate::contexts::Part::{DataPoints, Events, Exemplars, Links, QuantileValues, Samples};
    matches!(
        store,
        Store::Part(DataPoints | Events | Exemplars | Links | QuantileValues | Samples)
    )
}
