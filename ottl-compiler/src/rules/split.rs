//! A text of rules to their trees: where each begins and ends, which of its two forms it has,
//! and where the condition meets the actions. What stands on either side is read by the parser
//! of the language; what it means is `resolve`'s.

use crate::{
    error::{Diagnostic, Kind, Problem},
    ops::CompareOp,
    syntax::{
        Span,
        ast::{Call, Expr},
        input::run_part,
        lexer::{self, Token, TokenKind},
        parser,
    },
};

/// A rule as it is written.
#[derive(Debug)]
pub struct Tree {
    /// When; always, without one.
    pub condition: Option<Expr>,
    /// What, at least one.
    pub actions: Vec<Call>,
    /// All of it.
    pub span: Span,
}

/// What stands between two breaks of lines that end something.
struct Line<'t> {
    tokens: &'t [Token],
    /// An empty line is above it.
    apart: bool,
}

/// The rules of a text, in order, and what is wrong with the others.
pub fn rules(source: &str) -> (Vec<Tree>, Vec<Diagnostic>) {
    let tokens = match lexer::tokens(source, Kind::Rule) {
        Ok(tokens) => tokens,
        Err(problem) => return (Vec::new(), vec![problem]),
    };
    let (mut trees, mut problems) = (Vec::new(), Vec::new());
    let mut pending: Option<(usize, usize)> = None;
    let mut at = 0;
    let mut note = |result: Result<Tree, Diagnostic>| match result {
        Ok(tree) => trees.push(tree),
        Err(problem) => problems.push(problem),
    };
    let slice = |(from, to): (usize, usize)| tokens.get(from..to).unwrap_or_default();
    for line in lines(source, &tokens) {
        let range = (at, at + line.tokens.len());
        at = range.1;
        let first_form = separator(source, line.tokens).is_some();
        let done = pending.is_some_and(|pending| word(source, slice(pending), "where").is_some());
        if let Some(before) = pending
            && (first_form || line.apart || done)
        {
            note(second(source, slice(before)));
            pending = None;
        }
        match first_form {
            true => note(first(source, line.tokens)),
            false => pending = Some((pending.map_or(range.0, |(from, _)| from), range.1)),
        }
    }
    if let Some(rest) = pending {
        note(second(source, slice(rest)));
    }
    (trees, problems)
}

/// A condition by itself.
pub fn condition(source: &str) -> Result<Expr, Diagnostic> {
    let tokens = lexer::tokens(source, Kind::Rule)?;
    run_part(source, &tokens, source.len() as u32, parser::condition)
}

/// Actions by themselves.
pub fn actions(source: &str) -> Result<Vec<Call>, Diagnostic> {
    let tokens = lexer::tokens(source, Kind::Rule)?;
    run_part(source, &tokens, source.len() as u32, parser::actions)
}

/// Lines with those that go on over brackets, operators and commas put together.
fn lines<'t>(source: &str, tokens: &'t [Token]) -> Vec<Line<'t>> {
    let mut lines = Vec::new();
    let (mut start, mut depth, mut apart) = (0, 0_usize, false);
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        if let Some(before) = before
            && depth == 0
            && !joins(before.kind)
            && !joins(token.kind)
            && token.span.of(source) != "where"
        {
            let gap = source.get(before.span.end as usize..token.span.start as usize);
            let gap: Vec<&str> = gap.unwrap_or_default().split('\n').collect();
            if gap.len() > 1 {
                let tokens = tokens.get(start..at).unwrap_or_default();
                lines.push(Line { tokens, apart });
                start = at;
                let between = gap.get(1..gap.len() - 1).unwrap_or_default();
                apart = between.iter().any(|line| line.trim().is_empty());
            }
        }
        depth = nested(depth, token.kind);
    }
    let tokens = tokens.get(start..).unwrap_or_default();
    if !tokens.is_empty() {
        lines.push(Line { tokens, apart });
    }
    lines
}

/// Whether something stands on both sides of it.
fn joins(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::And
            | TokenKind::Or
            | TokenKind::Comma
            | TokenKind::Compare(_)
            | TokenKind::Math(_)
            | TokenKind::Dot
    )
}

fn nested(depth: usize, kind: TokenKind) -> usize {
    match kind {
        TokenKind::LParen | TokenKind::LBracket | TokenKind::LBrace => depth + 1,
        TokenKind::RParen | TokenKind::RBracket | TokenKind::RBrace => depth.saturating_sub(1),
        _ => depth,
    }
}

/// Places of tokens outside brackets.
fn outside(tokens: &[Token]) -> impl Iterator<Item = (usize, &Token)> {
    let mut depth = 0;
    tokens.iter().enumerate().filter(move |(_, token)| {
        let here = depth;
        depth = nested(depth, token.kind);
        here == 0
    })
}

fn word(source: &str, tokens: &[Token], wanted: &str) -> Option<usize> {
    outside(tokens)
        .find(|(_, token)| token.kind == TokenKind::Lower && token.span.of(source) == wanted)
        .map(|(at, _)| at)
}

/// The last `>` behind which nothing but calls follows, outside brackets.
fn separator(source: &str, tokens: &[Token]) -> Option<usize> {
    let last = outside(tokens).filter(|(_, token)| token.kind == TokenKind::Compare(CompareOp::Gt));
    let (at, _) = last.last()?;
    calls(source, tokens.get(at + 1..)?).then_some(at)
}

/// Calls in lower case that are values and no actions.
const VALUES: [&str; 4] = ["len", "matches", "duration", "truncate"];

/// Whether these are calls of actions, with commas or line ends between them. A `where` behind
/// them counts as well, so that it can be told.
fn calls(source: &str, tokens: &[Token]) -> bool {
    let mut outer = outside(tokens).map(|(_, token)| token).peekable();
    let mut any = false;
    while let Some(name) = outer.next() {
        let text = name.span.of(source);
        if any && text == "where" {
            return true;
        }
        let opens = outer.next_if(|token| token.kind == TokenKind::LParen);
        if name.kind != TokenKind::Lower || opens.is_none() || VALUES.contains(&text) {
            return false;
        }
        any = true;
        let _ = outer.next_if(|token| token.kind == TokenKind::Comma);
    }
    any
}

fn whole(tokens: &[Token]) -> Span {
    match tokens {
        [first, .., last] => first.span.to(last.span),
        [only] => only.span,
        [] => Span::default(),
    }
}

/// `condition > action, …`.
fn first(source: &str, tokens: &[Token]) -> Result<Tree, Diagnostic> {
    let span = whole(tokens);
    let at = separator(source, tokens).unwrap_or_default();
    let (before, after) = tokens.split_at(at);
    let after = after.get(1..).unwrap_or_default();
    if let Some(at) = word(source, tokens, "where") {
        let of = |tokens: &[Token]| format!("`{}`", whole(tokens).of(source));
        let (left, right) = tokens.split_at(at);
        let shown = |what: &[Token], when: &[Token]| format!("{} when {}", of(what), of(when));
        let problem = Problem::TwoReadings {
            first: shown(after, before),
            second: shown(left, right.get(1..).unwrap_or_default()),
        };
        return Err(Diagnostic::new(Kind::Rule, source, span, problem));
    }
    let end = whole(before).end;
    let condition = run_part(source, before, end, parser::condition)?;
    let actions = run_part(source, after, span.end, parser::actions)?;
    Ok(Tree {
        condition: Some(condition),
        actions,
        span,
    })
}

/// `action, … [where condition]`.
fn second(source: &str, tokens: &[Token]) -> Result<Tree, Diagnostic> {
    let span = whole(tokens);
    let at = word(source, tokens, "where");
    let (actions, condition) = tokens.split_at(at.unwrap_or(tokens.len()));
    let actions = run_part(source, actions, whole(actions).end, parser::actions)?;
    let condition = match at {
        None => None,
        Some(_) => {
            let condition = condition.get(1..).unwrap_or_default();
            Some(run_part(source, condition, span.end, parser::condition)?)
        }
    };
    Ok(Tree {
        condition,
        actions,
        span,
    })
}
