//! Operands: literals, names with what follows them (calls, paths, keys), and what stands in
//! brackets of any kind.

use nom::{
    Err, Parser,
    branch::alt,
    combinator::{map, opt},
};

use super::{
    MAX_NESTING, Span,
    ast::{Arg, ArgValue, Call, Expr, ExprKind, Key, Lambda, Name, Path, Segment},
    input::{Fault, Input, Parsed, committed, fail, name, name_length, token},
    lexer::{Token, TokenKind},
    literal,
    parser::{Level, climb, plain_value, want_operand, want_value},
};
use crate::error::Problem;

pub(super) fn primary(input: Input<'_>) -> Parsed<'_, Expr> {
    let Some(first) = input.tokens.first().copied() else {
        return input.refuse("a value");
    };
    let span = first.span;
    let text = span.of(input.source);
    let at = |problem| {
        let problem = Box::new(problem);
        Err::Failure(Fault { span, problem })
    };
    let kind = match first.kind {
        TokenKind::Nil => ExprKind::Nil,
        TokenKind::Bool(value) => ExprKind::Bool(value),
        TokenKind::Int => ExprKind::Int(literal::int(text).map_err(at)?),
        TokenKind::Float => ExprKind::Float(literal::float(text).map_err(at)?),
        TokenKind::Bytes => ExprKind::Bytes(literal::bytes(text).map_err(at)?),
        TokenKind::String => ExprKind::String(string(first, input)?),
        TokenKind::Upper | TokenKind::Lower => return named(input),
        TokenKind::LParen => return nested(input, alt((lambda, group))),
        TokenKind::LBracket => return nested(input, list),
        TokenKind::LBrace => return nested(input, map_literal),
        _ => return input.refuse("a value"),
    };
    Ok((input.advance(1), Expr { kind, span }))
}

fn string(token: Token, input: Input<'_>) -> Result<Vec<u8>, Err<Fault>> {
    literal::string(token.span.of(input.source)).or_else(|(problem, within)| {
        let start = token.span.start + within.start;
        let end = token.span.start + within.end;
        fail(Span { start, end }, problem)
    })
}

/// Parses one level further down, if that is not too deep.
fn nested<'a>(
    input: Input<'a>,
    mut parse: impl Parser<Input<'a>, Output = Expr, Error = Fault>,
) -> Parsed<'a, Expr> {
    if input.depth >= MAX_NESTING {
        return fail(input.here(), Problem::TooDeep);
    }
    let deeper = Input {
        depth: input.depth + 1,
        ..input
    };
    let (rest, expr) = parse.parse(deeper)?;
    Ok((
        Input {
            depth: input.depth,
            ..rest
        },
        expr,
    ))
}

/// A call, an enum symbol or a path.
fn named(input: Input<'_>) -> Parsed<'_, Expr> {
    let len = name_length(input).unwrap_or(1);
    if input.kind_at(len) == Some(TokenKind::LParen) {
        return map(call, |mut call| {
            if input.rules
                && let Some((_, name)) = RULE_VALUES.iter().find(|(own, _)| *own == call.name.text)
            {
                call.name.text = (*name).to_owned();
            }
            Expr {
                span: call.span,
                kind: ExprKind::Call(Box::new(call)),
            }
        })
        .parse(input);
    }
    if input.rules && input.kind() == Some(TokenKind::Upper) {
        return symbol(input, len);
    }
    match (input.kind(), len) {
        (Some(TokenKind::Upper), 1) => {
            let (rest, name) = name(input, 1);
            let (span, kind) = (name.span, ExprKind::Enum(name.text));
            Ok((rest, Expr { kind, span }))
        }
        (Some(TokenKind::Lower), 1) => path(input),
        (Some(TokenKind::Lower), _) if input.kind_at(1) == Some(TokenKind::Lower) => path(input),
        _ => input.advance(len).refuse("`(` after the function's name"),
    }
}

/// Values that rules name in lower case, and the converters they are.
const RULE_VALUES: [(&str, &str); 5] = [
    ("len", "Len"),
    ("matches", "IsMatch"),
    ("duration", "Duration"),
    ("truncate", "Truncate"),
    ("replace_pattern", "ReplacePattern"),
];

/// In rules: an enum symbol by its own name, by that of its type (`StatusCode::Error`), or alone.
fn symbol(input: Input<'_>, len: usize) -> Parsed<'_, Expr> {
    let (rest, mut found) = name(input, len);
    let of_type = rest.kind() == Some(TokenKind::Colon) && rest.kind_at(1) == rest.kind();
    if !of_type {
        let (span, kind) = (found.span, ExprKind::Enum(found.text));
        return Ok((rest, Expr { kind, span }));
    }
    let rest = rest.advance(2);
    let Some(len) = name_length(rest) else {
        return rest.refuse("the name of a value, such as `Error`");
    };
    let (rest, value) = name(rest, len);
    found.text = format!("{}_{}", screaming(&found.text), screaming(&value.text));
    let (span, kind) = (found.span.to(value.span), ExprKind::Enum(found.text));
    Ok((rest, Expr { kind, span }))
}

/// `StatusCode` as enum symbols spell it: `STATUS_CODE`.
fn screaming(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut lower = false;
    for c in text.chars() {
        if lower && c.is_ascii_uppercase() {
            out.push('_');
        }
        lower = c.is_ascii_lowercase();
        out.push(c.to_ascii_uppercase());
    }
    out
}

fn path(input: Input<'_>) -> Parsed<'_, Expr> {
    let start = input.here();
    let (mut input, first) = segment(input)?;
    let mut segments = vec![first];
    while input.kind() == Some(TokenKind::Dot) {
        let (rest, next) = committed(segment)(input.advance(1))?;
        input = rest;
        segments.push(next);
    }
    let last = segments.last().map_or(start, Segment::span);
    let kind = ExprKind::Path(Path { segments });
    let span = start.to(last);
    Ok((input, Expr { kind, span }))
}

impl Segment {
    /// Name and keys.
    pub(crate) fn span(&self) -> Span {
        self.name
            .span
            .to(self.keys.last().map_or(self.name.span, |key| key.span))
    }
}

fn segment(input: Input<'_>) -> Parsed<'_, Segment> {
    let expected = "a path segment (lower-case letters, digits and `_`)";
    token(TokenKind::Lower, expected)(input)?;
    let (input, name) = name(input, 1);
    let (input, keys) = keys(input)?;
    Ok((input, Segment { name, keys }))
}

fn keys<'a>(mut input: Input<'a>) -> Parsed<'a, Vec<Key>> {
    let mut keys = Vec::new();
    while input.kind() == Some(TokenKind::LBracket) {
        let start = input.here();
        let (rest, expr) = nested(input, |input: Input<'a>| committed(key)(input.advance(1)))?;
        let close = token(TokenKind::RBracket, "`]` after the key");
        let (rest, end) = committed(close)(rest)?;
        keys.push(Key {
            expr,
            span: start.to(end),
        });
        input = rest;
    }
    Ok((input, keys))
}

/// A key that starts with a string or an int is only that.
fn key(input: Input<'_>) -> Parsed<'_, Expr> {
    if matches!(input.kind(), Some(TokenKind::String | TokenKind::Int)) {
        return primary(input);
    }
    let (rest, expr) = climb(input, Level::Sum)?;
    if !expr.kind.is_operand() {
        let what = expr.kind.describe();
        return fail(expr.span, Problem::NotAKey { what });
    }
    Ok((rest, expr))
}

fn group(input: Input<'_>) -> Parsed<'_, Expr> {
    let start = input.here();
    let (input, inner) = committed(|input| climb(input, Level::Or))(input.advance(1))?;
    let close = "an operator or `)`";
    let (input, end) = committed(token(TokenKind::RParen, close))(input)?;
    if !inner.kind.is_condition() {
        want_operand(&inner)?;
    }
    let kind = ExprKind::Group(Box::new(inner));
    let span = start.to(end);
    Ok((input, Expr { kind, span }))
}

/// `(a, _) => …`; nothing read when that is not what stands here.
fn lambda(input: Input<'_>) -> Parsed<'_, Expr> {
    let param = |kind| matches!(kind, Some(TokenKind::Lower | TokenKind::Underscore));
    let mut at = 1;
    if param(input.kind_at(at)) {
        at += 1;
        while input.kind_at(at) == Some(TokenKind::Comma) && param(input.kind_at(at + 1)) {
            at += 2;
        }
    }
    if input.kind_at(at) != Some(TokenKind::RParen)
        || input.kind_at(at + 1) != Some(TokenKind::Arrow)
    {
        return Err(Err::Error(input.fault("a value")));
    }
    let params = input
        .tokens
        .iter()
        .take(at)
        .filter(|token| param(Some(token.kind)))
        .map(|token| Name {
            text: token.span.of(input.source).to_owned(),
            span: token.span,
        })
        .collect();
    let start = input.here();
    let (input, body) = committed(|input| climb(input, Level::Or))(input.advance(at + 2))?;
    if let ExprKind::Lambda(_) = body.kind {
        return fail(body.span, Problem::LambdaBody);
    }
    if !body.kind.is_condition() {
        want_value(&body)?;
    }
    let span = start.to(body.span);
    let kind = ExprKind::Lambda(Box::new(Lambda { params, body }));
    Ok((input, Expr { kind, span }))
}

fn list(input: Input<'_>) -> Parsed<'_, Expr> {
    let start = input.here();
    let close = (TokenKind::RBracket, "`,` or `]`");
    let (input, (items, end)) = separated(input.advance(1), plain_value, close)?;
    let kind = ExprKind::List(items);
    let span = start.to(end);
    Ok((input, Expr { kind, span }))
}

/// Items with commas between them, to the closing token.
fn separated<'a, T>(
    mut input: Input<'a>,
    mut item: impl FnMut(Input<'a>) -> Parsed<'a, T>,
    (close, expected): (TokenKind, &'static str),
) -> Parsed<'a, (Vec<T>, Span)> {
    let mut items = Vec::new();
    if let Ok((rest, end)) = token(close, expected)(input) {
        return Ok((rest, (items, end)));
    }
    loop {
        let (rest, next) = committed(&mut item)(input)?;
        items.push(next);
        input = rest;
        if input.kind() == Some(TokenKind::Comma) {
            input = input.advance(1);
            continue;
        }
        let (rest, end) = committed(token(close, expected))(input)?;
        return Ok((rest, (items, end)));
    }
}

fn map_literal(input: Input<'_>) -> Parsed<'_, Expr> {
    let start = input.here();
    let mut input = input.advance(1);
    let mut entries = Vec::new();
    while let Some(first) = input.tokens.first().copied()
        && first.kind == TokenKind::String
    {
        let key = string(first, input)?;
        let colon = token(TokenKind::Colon, "`:` after the key");
        let (rest, _) = committed(colon)(input.advance(1))?;
        let (rest, value) = committed(plain_value)(rest)?;
        entries.push((key, value));
        (input, _) = opt(token(TokenKind::Comma, "`,`")).parse(rest)?;
    }
    let close = token(TokenKind::RBrace, "a string as key, or `}`");
    let (input, end) = committed(close)(input)?;
    let kind = ExprKind::Map(entries);
    let span = start.to(end);
    Ok((input, Expr { kind, span }))
}

/// `name(args)[keys]`.
pub(super) fn call(input: Input<'_>) -> Parsed<'_, Call> {
    let start = input.here();
    let (input, name) = name(input, name_length(input).unwrap_or(1));
    if input.kind() != Some(TokenKind::LParen) {
        return input.refuse("`(` after the function's name");
    }
    if input.depth >= MAX_NESTING {
        return fail(start, Problem::TooDeep);
    }
    let depth = input.depth;
    let inner = Input {
        depth: depth + 1,
        ..input.advance(1)
    };
    let close = (TokenKind::RParen, "`,`, an operator or `)`");
    let (rest, (args, end)) = separated(inner, arg, close)?;
    let (rest, keys) = keys(Input { depth, ..rest })?;
    let end = keys.last().map_or(end, |key| key.span);
    let span = start.to(end);
    let call = Call {
        name,
        args,
        keys,
        span,
    };
    Ok((rest, call))
}

fn arg(input: Input<'_>) -> Parsed<'_, Arg> {
    let start = input.here();
    let mut input = input;
    let mut label = None;
    if input.kind() == Some(TokenKind::Lower)
        && let Some(len) = name_length(input)
        && input.kind_at(len) == Some(TokenKind::Equal)
    {
        let (rest, found) = name(input, len);
        label = Some(found);
        input = rest.advance(1);
    }
    let value = input.rules
        && name_length(input).is_some_and(|len| {
            let word = name(input, len).1.text;
            input.kind_at(len) == Some(TokenKind::Colon)
                || matches!(word.as_str(), "Error" | "Ok" | "Unset")
        });
    let function = !value
        && input.kind() == Some(TokenKind::Upper)
        && name_length(input)
            .is_some_and(|len| len > 1 && input.kind_at(len) != Some(TokenKind::LParen));
    if function {
        let (rest, found) = name(input, name_length(input).unwrap_or(1));
        let span = start.to(found.span);
        let arg = Arg {
            name: label,
            value: ArgValue::Function(found),
            span,
        };
        return Ok((rest, arg));
    }
    let (rest, value) = plain_value(input)?;
    let span = start.to(value.span);
    let arg = Arg {
        name: label,
        value: ArgValue::Value(value),
        span,
    };
    Ok((rest, arg))
}
