//! Tokens to syntax tree: recursive descent over nom's results, with precedence climbing for
//! operators, so that no text is read twice. The grammar of the reference is one of ordered
//! choice; what it refuses because a choice is not reconsidered is refused here by looking at
//! what kind of expression was read (`ExprKind::is_value` and its neighbours).

use nom::{
    Err, IResult, Parser,
    branch::alt,
    combinator::{map, opt},
    error::{ErrorKind, ParseError},
    sequence::preceded,
};

use super::{
    MAX_NESTING, Span,
    ast::{Arg, ArgValue, Call, Expr, ExprKind, Key, Lambda, Name, Path, Segment, Statement},
    lexer::{self, Token, TokenKind},
    literal,
};
use crate::{
    error::{Diagnostic, Kind, Problem},
    ops::MathOp,
};

/// What is left to read.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    source: &'a str,
    tokens: &'a [Token],
    depth: u32,
}

/// Why it cannot be read, and where.
pub struct Fault {
    span: Span,
    problem: Box<Problem>,
}

impl ParseError<Input<'_>> for Fault {
    fn from_error_kind(input: Input<'_>, _: ErrorKind) -> Self {
        input.fault("something else")
    }

    fn append(_: Input<'_>, _: ErrorKind, other: Self) -> Self {
        other
    }

    /// Of two alternatives that fail, the one that came further knows better.
    fn or(self, other: Self) -> Self {
        if self.span.start > other.span.start {
            self
        } else {
            other
        }
    }
}

type Parsed<'a, T> = IResult<Input<'a>, T, Fault>;

impl<'a> Input<'a> {
    fn kind(&self) -> Option<TokenKind> {
        self.tokens.first().map(|token| token.kind)
    }

    fn kind_at(&self, at: usize) -> Option<TokenKind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    /// Where the next token is, or the end.
    fn here(&self) -> Span {
        let end = self.source.len() as u32;
        self.tokens
            .first()
            .map_or(Span { start: end, end }, |token| token.span)
    }

    fn advance(&self, by: usize) -> Input<'a> {
        Input {
            tokens: self.tokens.get(by..).unwrap_or_default(),
            ..*self
        }
    }

    fn fault(&self, expected: &'static str) -> Fault {
        let span = self.here();
        let found = span.of(self.source).to_owned();
        let problem = Box::new(Problem::Unexpected { expected, found });
        Fault { span, problem }
    }

    /// Nothing else can stand here.
    fn refuse<T>(&self, expected: &'static str) -> Parsed<'a, T> {
        Err(Err::Failure(self.fault(expected)))
    }
}

fn fail<T>(span: Span, problem: Problem) -> Result<T, Err<Fault>> {
    let problem = Box::new(problem);
    Err(Err::Failure(Fault { span, problem }))
}

/// Lexes and parses all of a text.
pub fn run<'a, T>(
    source: &'a str,
    kind: Kind,
    mut parse: impl FnMut(Input<'_>) -> Parsed<'_, T>,
) -> Result<T, Diagnostic> {
    let tokens = lexer::tokens(source, kind)?;
    let input = Input {
        source,
        tokens: &tokens,
        depth: 0,
    };
    match parse(input) {
        Ok((_, parsed)) => Ok(parsed),
        Err(Err::Error(fault) | Err::Failure(fault)) => {
            Err(Diagnostic::new(kind, source, fault.span, *fault.problem))
        }
        Err(Err::Incomplete(_)) => {
            let fault = input.fault("something else");
            Err(Diagnostic::new(kind, source, fault.span, *fault.problem))
        }
    }
}

/// `editor(…) [where condition]` and nothing behind.
pub fn statement(input: Input<'_>) -> Parsed<'_, Statement> {
    let (input, editor) = match name_length(input) {
        Some(_) => call(input)?,
        None => return input.refuse("the name of an editor, such as `set`"),
    };
    let (input, condition) = opt(preceded(word_where, committed(truth))).parse(input)?;
    let expected = match condition {
        Some(_) => "`and`, `or` or the end of the statement",
        None => "`where` or the end of the statement",
    };
    end(input, expected)?;
    Ok((input, Statement { editor, condition }))
}

/// A condition and nothing behind.
pub fn condition(input: Input<'_>) -> Parsed<'_, Expr> {
    let (input, condition) = truth(input)?;
    end(input, "`and`, `or` or the end of the condition")?;
    Ok((input, condition))
}

/// A value and nothing behind.
pub fn value(input: Input<'_>) -> Parsed<'_, Expr> {
    let (input, value) = plain_value(input)?;
    end(input, "an operator or the end of the expression")?;
    Ok((input, value))
}

fn end<'a>(input: Input<'a>, expected: &'static str) -> Parsed<'a, ()> {
    match input.tokens {
        [] => Ok((input, ())),
        _ => input.refuse(expected),
    }
}

/// What fails here fails for good.
fn committed<'a, T>(
    mut parse: impl FnMut(Input<'a>) -> Parsed<'a, T>,
) -> impl FnMut(Input<'a>) -> Parsed<'a, T> {
    move |input| {
        parse(input).map_err(|error| match error {
            Err::Error(fault) => Err::Failure(fault),
            error => error,
        })
    }
}

fn token<'a>(
    kind: TokenKind,
    expected: &'static str,
) -> impl Fn(Input<'a>) -> Parsed<'a, Span> + Copy {
    move |input| match input.tokens.split_first() {
        Some((token, tokens)) if token.kind == kind => Ok((Input { tokens, ..input }, token.span)),
        _ => Err(Err::Error(input.fault(expected))),
    }
}

fn word_where(input: Input<'_>) -> Parsed<'_, Span> {
    let (rest, span) = token(TokenKind::Lower, "`where`")(input)?;
    if span.of(input.source) == "where" {
        Ok((rest, span))
    } else {
        Err(Err::Error(input.fault("`where`")))
    }
}

/// How many tokens make up the name at the front: `IsMatch` is four.
fn name_length(input: Input<'_>) -> Option<usize> {
    let len = input
        .tokens
        .iter()
        .take_while(|token| matches!(token.kind, TokenKind::Lower | TokenKind::Upper))
        .count();
    (len > 0).then_some(len)
}

fn name(input: Input<'_>, len: usize) -> (Input<'_>, Name) {
    let tokens = input.tokens.get(..len).unwrap_or_default();
    let text = tokens
        .iter()
        .map(|token| token.span.of(input.source))
        .collect();
    let span = match tokens {
        [first, .., last] => first.span.to(last.span),
        _ => input.here(),
    };
    (input.advance(len), Name { text, span })
}

/// A condition, of which nothing is known to follow.
fn truth(input: Input<'_>) -> Parsed<'_, Expr> {
    let (rest, expr) = climb(input, Level::Or)?;
    if rest.kind() == Some(TokenKind::Equal) {
        return rest.refuse("an operator that compares, such as `==`");
    }
    want_condition(&expr)?;
    Ok((rest, expr))
}

/// A value where no condition may stand.
fn plain_value(input: Input<'_>) -> Parsed<'_, Expr> {
    let (rest, expr) = climb(input, Level::Or)?;
    want_value(&expr)?;
    Ok((rest, expr))
}

fn want_condition(expr: &Expr) -> Result<(), Err<Fault>> {
    if expr.kind.is_condition() {
        return Ok(());
    }
    let what = expr.kind.describe();
    fail(expr.span, Problem::NotACondition { what })
}

fn want_value(expr: &Expr) -> Result<(), Err<Fault>> {
    if expr.kind.is_value() {
        return Ok(());
    }
    let what = expr.kind.describe();
    fail(expr.span, Problem::NotAValue { what })
}

fn want_operand(expr: &Expr) -> Result<(), Err<Fault>> {
    if expr.kind.is_operand() {
        return Ok(());
    }
    let what = expr.kind.describe();
    fail(expr.span, Problem::NotAnOperand { what })
}

/// How tightly an operator binds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Or,
    And,
    Not,
    Compare,
    Sum,
    Product,
}

fn level(kind: TokenKind) -> Option<Level> {
    Some(match kind {
        TokenKind::Or => Level::Or,
        TokenKind::And => Level::And,
        TokenKind::Compare(_) => Level::Compare,
        TokenKind::Math(op) => math_level(op),
        _ => return None,
    })
}

fn math_level(op: MathOp) -> Level {
    match op {
        MathOp::Add | MathOp::Sub => Level::Sum,
        MathOp::Mul | MathOp::Div => Level::Product,
    }
}

/// An operand and the operators behind it that bind at least as tightly as `least`.
fn climb(input: Input<'_>, least: Level) -> Parsed<'_, Expr> {
    let (mut input, mut left) = prefix(input, least)?;
    while let Some(kind) = input.kind()
        && let Some(found) = level(kind)
        && found >= least
    {
        let after = input.advance(1);
        let right = |tighter| committed(move |input| climb(input, tighter))(after);
        (input, left) = match kind {
            TokenKind::Or => {
                let (rest, right) = right(Level::And)?;
                (rest, chain(left, right, Level::Or)?)
            }
            TokenKind::And => {
                let (rest, right) = right(Level::Not)?;
                (rest, chain(left, right, Level::And)?)
            }
            TokenKind::Compare(op) => {
                if matches!(left.kind, ExprKind::Compare { .. } | ExprKind::Not(_)) {
                    return fail(input.here(), Problem::ChainedComparison);
                }
                let (rest, right) = right(Level::Sum)?;
                want_value(&left)?;
                want_value(&right)?;
                let span = left.span.to(right.span);
                let (left, right) = (Box::new(left), Box::new(right));
                let kind = ExprKind::Compare { op, left, right };
                (rest, Expr { kind, span })
            }
            TokenKind::Math(op) => {
                let tighter = match found {
                    Level::Sum => Level::Product,
                    // Tighter than any operator: an operand alone.
                    _ => {
                        let (rest, right) =
                            committed(|input| prefix(input, Level::Product))(after)?;
                        (input, left) = (rest, math(left, op, right)?);
                        continue;
                    }
                };
                let (rest, right) = right(tighter)?;
                (rest, math(left, op, right)?)
            }
            _ => break,
        };
    }
    Ok((input, left))
}

fn chain(left: Expr, right: Expr, level: Level) -> Result<Expr, Err<Fault>> {
    want_condition(&left)?;
    want_condition(&right)?;
    let span = left.span.to(right.span);
    let kind = match (level, left.kind) {
        (Level::Or, ExprKind::Or(mut all)) => {
            all.push(right);
            ExprKind::Or(all)
        }
        (Level::And, ExprKind::And(mut all)) => {
            all.push(right);
            ExprKind::And(all)
        }
        (level, kind) => {
            let span = left.span;
            let all = vec![Expr { kind, span }, right];
            match level {
                Level::Or => ExprKind::Or(all),
                _ => ExprKind::And(all),
            }
        }
    };
    Ok(Expr { kind, span })
}

fn math(left: Expr, op: MathOp, right: Expr) -> Result<Expr, Err<Fault>> {
    want_operand(&left)?;
    want_operand(&right)?;
    let span = left.span.to(right.span);
    let kind = match left.kind {
        ExprKind::Math { first, mut rest }
            if rest
                .last()
                .is_some_and(|(last, _)| math_level(*last) == math_level(op)) =>
        {
            rest.push((op, right));
            ExprKind::Math { first, rest }
        }
        kind => ExprKind::Math {
            first: Box::new(Expr {
                kind,
                span: left.span,
            }),
            rest: vec![(op, right)],
        },
    };
    Ok(Expr { kind, span })
}

/// `not`, a sign, or nothing before an operand.
fn prefix(input: Input<'_>, least: Level) -> Parsed<'_, Expr> {
    let start = input.here();
    let after = input.advance(1);
    match input.kind() {
        Some(TokenKind::Not) if least <= Level::Not => {
            let (rest, operand) = committed(|input| climb(input, Level::Compare))(after)?;
            want_condition(&operand)?;
            let span = start.to(operand.span);
            let kind = ExprKind::Not(Box::new(operand));
            Ok((rest, Expr { kind, span }))
        }
        Some(TokenKind::Math(op @ (MathOp::Add | MathOp::Sub))) => {
            let (rest, operand) = committed(primary)(after)?;
            want_operand(&operand)?;
            let span = start.to(operand.span);
            let operand = Box::new(operand);
            let kind = match op {
                MathOp::Add => ExprKind::Plus(operand),
                _ => ExprKind::Negate(operand),
            };
            Ok((rest, Expr { kind, span }))
        }
        _ => primary(input),
    }
}

fn primary(input: Input<'_>) -> Parsed<'_, Expr> {
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
        return map(call, |call| Expr {
            span: call.span,
            kind: ExprKind::Call(Box::new(call)),
        })
        .parse(input);
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
fn call(input: Input<'_>) -> Parsed<'_, Call> {
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
    let function = input.kind() == Some(TokenKind::Upper)
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
