//! Lambda expressions as arguments: the names they introduce, how many there must be, and what
//! their bodies are. Names stand for values by their place among those of all lambdas around.

use crate::{
    error::Problem,
    functions::{Function, Param},
    program::{Argument, Body, Lambda, Node},
    syntax::{
        Span,
        ast::{self, ExprKind, Path},
    },
};

use super::{Checker, path::path_text};

impl Checker<'_> {
    /// A lambda passed for a parameter that wants one of so many parameters.
    pub(super) fn lambda(
        &mut self,
        function: &'static Function,
        param: &'static Param,
        wanted: u8,
        lambda: &ast::Lambda,
        span: Span,
    ) -> Option<Argument> {
        let known = self.locals.len();
        for name in &lambda.params {
            let own = self.locals.get(known..).unwrap_or_default();
            if name.text != "_" && own.contains(&name.text) {
                self.locals.truncate(known);
                let name = (name.text.clone(), name.span);
                return self.report(name.1, Problem::DuplicateLocal { name: name.0 });
            }
            self.locals.push(name.text.clone());
        }
        let body = match is_boolean(&lambda.body.kind) {
            true => self.condition(&lambda.body).map(Body::Condition),
            false => self.value(&lambda.body).map(Body::Value),
        };
        self.locals.truncate(known);
        let body = body?;
        let given = lambda.params.len();
        if given != usize::from(wanted) {
            let which = match function.name {
                "Find" => format!("invalid {}: ", param.name),
                _ => String::new(),
            };
            let cause = format!(
                "{which}lambda should be defined with exactly {wanted} formal(s), but has {given}"
            );
            return self.report(span, Problem::Create { cause });
        }
        Some(Argument::Lambda(Box::new(Lambda {
            params: wanted,
            body,
        })))
    }

    /// What a path means that begins with the name of a lambda's parameter; nothing for others.
    pub(super) fn local(&mut self, path: &Path, span: Span) -> Option<Option<Node>> {
        let head = path.segments.first()?;
        let at = self
            .locals
            .iter()
            .rposition(|name| *name == head.name.text && name != "_")?;
        if path.segments.len() > 1 {
            let path = path_text(path);
            return Some(self.report(span, Problem::DottedLocal { path }));
        }
        let name = head.name.text.as_str().into();
        let local = Node::Local { at, name };
        if head.keys.is_empty() {
            return Some(Some(local));
        }
        let keys: Vec<Option<Node>> = head.keys.iter().map(|key| self.value(&key.expr)).collect();
        let keys: Option<Vec<Node>> = keys.into_iter().collect();
        let of = Box::new(local);
        Some(keys.map(|keys| Node::Index { of, keys }))
    }
}

/// Whether it is a condition and nothing that could be a value of another type.
fn is_boolean(kind: &ExprKind) -> bool {
    match kind {
        ExprKind::Compare { .. } | ExprKind::Not(_) | ExprKind::And(_) | ExprKind::Or(_) => true,
        ExprKind::Group(inner) => is_boolean(&inner.kind),
        _ => false,
    }
}
