//! Tokens to syntax tree: recursive descent over nom's results, with precedence climbing for
//! operators, so that no text is read twice. The grammar of the reference is one of ordered
//! choice; what it refuses because a choice is not reconsidered is refused here by looking at
//! what kind of expression was read (`ExprKind::is_value` and its neighbours).

use nom::{Err, Parser, combinator::opt, sequence::preceded};

use super::{
    Span,
    ast::{Arg, ArgValue, Call, CompareOp, Expr, ExprKind, Name, Statement},
    input::{Fault, Input, Parsed, committed, fail, name_length, token},
    lexer::TokenKind,
    terms::{call, primary},
};
use crate::{error::Problem, ops::MathOp};

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

/// In rules: calls with commas or nothing but the end of a line between them.
pub fn actions(mut input: Input<'_>) -> Parsed<'_, Vec<Call>> {
    let mut actions = Vec::new();
    loop {
        if name_length(input).is_none() {
            return input.refuse("an action, such as `set(…)` or `drop()`");
        }
        let (rest, action) = call(input)?;
        actions.push(action);
        input = rest;
        match input.kind() {
            None => return Ok((input, actions)),
            Some(TokenKind::Comma) => input = input.advance(1),
            Some(_) if name_length(input).is_some() => {}
            Some(_) => return input.refuse("`,`, `where` or the end of the rule"),
        }
    }
}

fn end<'a>(input: Input<'a>, expected: &'static str) -> Parsed<'a, ()> {
    match input.tokens {
        [] => Ok((input, ())),
        _ => input.refuse(expected),
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
pub(super) fn plain_value(input: Input<'_>) -> Parsed<'_, Expr> {
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

pub(super) fn want_value(expr: &Expr) -> Result<(), Err<Fault>> {
    if expr.kind.is_value() {
        return Ok(());
    }
    let what = expr.kind.describe();
    fail(expr.span, Problem::NotAValue { what })
}

pub(super) fn want_operand(expr: &Expr) -> Result<(), Err<Fault>> {
    if expr.kind.is_operand() {
        return Ok(());
    }
    let what = expr.kind.describe();
    fail(expr.span, Problem::NotAnOperand { what })
}

/// How tightly an operator binds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
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
pub(super) fn climb(input: Input<'_>, least: Level) -> Parsed<'_, Expr> {
    let (mut input, mut left) = prefix(input, least)?;
    if input.rules && least <= Level::Compare {
        // What binds tighter than `in`, first.
        if let Some(TokenKind::Math(_)) = input.kind() {
            (input, left) = operators(input, left, Level::Sum)?;
        }
        (input, left) = membership(input, left)?;
    }
    operators(input, left, least)
}

/// In rules: `[not] in [list]`, as comparisons with each; `[not] in list` by ContainsValue.
fn membership(input: Input<'_>, left: Expr) -> Parsed<'_, Expr> {
    let word = |at: usize| {
        let token = input.tokens.get(at);
        token.is_some_and(|token| token.span.of(input.source) == "in")
    };
    let negated = input.kind() == Some(TokenKind::Not) && word(1);
    if !negated && !word(0) {
        return Ok((input, left));
    }
    want_value(&left)?;
    let after = input.advance(1 + usize::from(negated));
    let (rest, list) = committed(|input| climb(input, Level::Sum))(after)?;
    let span = left.span.to(list.span);
    let kind = match list.kind {
        ExprKind::List(items) => {
            let mut parts: Vec<Expr> = items
                .into_iter()
                .map(|item| Expr {
                    span: item.span,
                    kind: ExprKind::Compare {
                        op: CompareOp::Eq,
                        left: Box::new(left.clone()),
                        right: Box::new(item),
                    },
                })
                .collect();
            match (parts.len(), parts.pop()) {
                (_, None) => ExprKind::Bool(false),
                (1, Some(only)) => only.kind,
                (_, Some(last)) => {
                    parts.push(last);
                    ExprKind::Or(parts)
                }
            }
        }
        _ => {
            want_value(&list)?;
            let arg = |value: Expr| Arg {
                name: None,
                span: value.span,
                value: ArgValue::Value(value),
            };
            ExprKind::Call(Box::new(Call {
                name: Name {
                    text: "ContainsValue".to_owned(),
                    span,
                },
                args: vec![arg(list), arg(left)],
                keys: Vec::new(),
                span,
            }))
        }
    };
    let group = Expr {
        kind: ExprKind::Group(Box::new(Expr { kind, span })),
        span,
    };
    let kind = match negated {
        true => ExprKind::Not(Box::new(group)),
        false => group.kind,
    };
    Ok((rest, Expr { kind, span }))
}

/// The operators behind an operand.
fn operators(mut input: Input<'_>, mut left: Expr, least: Level) -> Parsed<'_, Expr> {
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
