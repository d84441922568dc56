//! Which context a list of statements has: the one of highest priority among the contexts that
//! their paths name, or one within it that also has the functions and enum symbols they use.

use super::Context;
use crate::{
    functions::{self, Host},
    syntax::ast::{ArgValue, Call, Expr, ExprKind, Key, Path, Statement},
};

/// What decides: gathered over all statements and conditions of one list.
#[derive(Default)]
pub(crate) struct Hints {
    /// Contexts that paths name.
    contexts: Vec<Context>,
    /// Names before a first dot that are no context; these never decide, only disappoint.
    unknown: Vec<String>,
    functions: Vec<String>,
    symbols: Vec<String>,
    /// Names that lambdas introduce.
    locals: Vec<String>,
}

/// Why no context will do.
pub(crate) struct NoContext {
    pub cause: String,
    /// The one that paths name, if it is to be had and only functions or symbols are missing.
    pub nearest: Option<Context>,
}

impl Hints {
    pub fn statement(&mut self, statement: &Statement) {
        self.call(&statement.editor);
        if let Some(condition) = &statement.condition {
            self.expr(condition);
        }
    }

    pub fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Path(path) => self.path(path),
            ExprKind::Call(call) => self.call(call),
            ExprKind::Enum(symbol) => self.symbols.push(symbol.clone()),
            ExprKind::List(items) | ExprKind::And(items) | ExprKind::Or(items) => {
                items.iter().for_each(|item| self.expr(item));
            }
            ExprKind::Map(entries) => entries.iter().for_each(|(_, value)| self.expr(value)),
            ExprKind::Negate(inner)
            | ExprKind::Plus(inner)
            | ExprKind::Group(inner)
            | ExprKind::Not(inner) => self.expr(inner),
            ExprKind::Math { first, rest } => {
                self.expr(first);
                rest.iter().for_each(|(_, operand)| self.expr(operand));
            }
            ExprKind::Compare { left, right, .. } => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Lambda(lambda) => {
                let known = self.locals.len();
                let params = lambda.params.iter().map(|param| param.text.clone());
                self.locals.extend(params);
                self.expr(&lambda.body);
                self.locals.truncate(known);
            }
            ExprKind::Nil
            | ExprKind::Bool(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::String(_)
            | ExprKind::Bytes(_) => {}
        }
    }

    fn path(&mut self, path: &Path) {
        for segment in &path.segments {
            self.keys(&segment.keys);
        }
        let Some(head) = path.segments.first() else {
            return;
        };
        if self.locals.contains(&head.name.text) {
            return;
        }
        if path.segments.len() > 1 && head.keys.is_empty() {
            match Context::named(&head.name.text) {
                Some(context) => self.contexts.push(context),
                None => self.unknown.push(head.name.text.clone()),
            }
        }
    }

    fn keys(&mut self, keys: &[Key]) {
        keys.iter().for_each(|key| self.expr(&key.expr));
    }

    pub fn call(&mut self, call: &Call) {
        self.functions.push(call.name.text.clone());
        self.keys(&call.keys);
        for arg in &call.args {
            match &arg.value {
                ArgValue::Value(expr) => self.expr(expr),
                ArgValue::Function(name) => self.functions.push(name.text.clone()),
            }
        }
    }

    /// The contexts that paths name.
    pub fn contexts(&self) -> &[Context] {
        &self.contexts
    }

    /// Works out the context.
    ///
    /// # Errors
    /// Why none of those supported will do, and which comes nearest.
    pub fn infer(&self, supported: &[Context], host: Host) -> Result<Context, NoContext> {
        let first = Context::ALL
            .into_iter()
            .find(|context| self.contexts.contains(context));
        let Some(first) = first else {
            let cause = match self.unknown.first() {
                Some(name) => format!("inferred context {name:?} is not a valid candidate"),
                None => "no context is named: write paths with their context, or give the \
                         context explicitly"
                    .to_owned(),
            };
            let nearest = None;
            return Err(NoContext { cause, nearest });
        };
        if !supported.contains(&first) {
            let cause = format!("inferred context \"{first}\" is not a valid candidate");
            let nearest = None;
            return Err(NoContext { cause, nearest });
        }
        let mut why = match self.lacks(first, host) {
            None => return Ok(first),
            Some(why) => why,
        };
        let lower = Context::ALL.into_iter().filter(|context| {
            *context != first && supported.contains(context) && context.sees(first)
        });
        for context in lower {
            match self.lacks(context, host) {
                None => return Ok(context),
                Some(other) => why = other,
            }
        }
        Err(NoContext {
            cause: why,
            nearest: Some(first),
        })
    }

    /// The first thing that a context does not have.
    pub fn lacks(&self, context: Context, host: Host) -> Option<String> {
        let known = |name: &str| functions::find(name, host, context).is_some();
        for name in &self.functions {
            // A name that exists nowhere is told later, with the nearest one.
            if !known(name) && functions::declared(name) {
                return Some(format!(
                    "inferred context \"{context}\" does not support the function {name:?}"
                ));
            }
        }
        for symbol in &self.symbols {
            if context.enum_value(symbol).is_none() && !known(symbol) {
                return Some(format!(
                    "inferred context \"{context}\" does not support the enum symbol {symbol:?}"
                ));
            }
        }
        None
    }
}
