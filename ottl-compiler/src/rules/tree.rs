//! Parts of the language's tree that rules are turned into.

use crate::syntax::{
    Span,
    ast::{Arg, ArgValue, Call, Expr, ExprKind, Key, Name, Path, Segment},
};

pub(super) fn named(text: &str, span: Span) -> Name {
    let text = text.to_owned();
    Name { text, span }
}

pub(super) fn value(expr: Expr) -> Arg {
    Arg {
        name: None,
        span: expr.span,
        value: ArgValue::Value(expr),
    }
}

pub(super) fn call(name: &str, args: Vec<Expr>, keys: Vec<Key>, span: Span) -> ExprKind {
    ExprKind::Call(Box::new(Call {
        name: named(name, span),
        args: args.into_iter().map(value).collect(),
        keys,
        span,
    }))
}

pub(super) fn text(value: &str, span: Span) -> Expr {
    let kind = ExprKind::String(value.as_bytes().to_vec());
    Expr { kind, span }
}

pub(super) fn path_of(names: &[&str], keys: Vec<Key>, span: Span) -> ExprKind {
    let mut segments: Vec<Segment> = names
        .iter()
        .map(|name| Segment {
            name: named(name, span),
            keys: Vec::new(),
        })
        .collect();
    if let Some(last) = segments.last_mut() {
        last.keys = keys;
    }
    ExprKind::Path(Path { segments })
}

/// The keys of `attributes["a"]["b"]` or of `attributes.a.b`; the latter is one key.
pub(super) fn attribute_keys(segments: Vec<Segment>) -> Vec<Key> {
    let mut rest = segments.into_iter();
    let Some(first) = rest.next() else {
        return Vec::new();
    };
    let rest: Vec<Segment> = rest.collect();
    let names: Vec<&str> = rest.iter().map(|s| s.name.text.as_str()).collect();
    let mut keys = first.keys;
    if let (Some(head), Some(last)) = (rest.first(), rest.last()) {
        let span = head.name.span.to(last.name.span);
        let expr = text(&names.join("."), span);
        keys.push(Key { expr, span });
    }
    keys.extend(rest.into_iter().flat_map(|segment| segment.keys));
    keys
}
