//! What the parser reads from, how it fails, and the smallest parsers: one token, one name.

use nom::{
    Err, IResult,
    error::{ErrorKind, ParseError},
};

use super::{
    Span,
    ast::Name,
    lexer::{self, Token, TokenKind},
};
use crate::error::{Diagnostic, Kind, Problem};

/// What is left to read.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    pub(super) source: &'a str,
    pub(super) tokens: &'a [Token],
    pub(super) depth: u32,
    /// Read as a rule: `in`, values named in lower case, `StatusCode::Error`.
    pub(super) rules: bool,
}

/// Why it cannot be read, and where.
pub struct Fault {
    pub(super) span: Span,
    pub(super) problem: Box<Problem>,
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

pub(super) type Parsed<'a, T> = IResult<Input<'a>, T, Fault>;

impl<'a> Input<'a> {
    pub(super) fn kind(&self) -> Option<TokenKind> {
        self.tokens.first().map(|token| token.kind)
    }

    pub(super) fn kind_at(&self, at: usize) -> Option<TokenKind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    /// Where the next token is, or the end.
    pub(super) fn here(&self) -> Span {
        let end = self.source.len() as u32;
        self.tokens
            .first()
            .map_or(Span { start: end, end }, |token| token.span)
    }

    pub(super) fn advance(&self, by: usize) -> Input<'a> {
        Input {
            tokens: self.tokens.get(by..).unwrap_or_default(),
            ..*self
        }
    }

    pub(super) fn fault(&self, expected: &'static str) -> Fault {
        let span = self.here();
        let found = span.of(self.source).to_owned();
        let problem = Box::new(Problem::Unexpected { expected, found });
        Fault { span, problem }
    }

    /// Nothing else can stand here.
    pub(super) fn refuse<T>(&self, expected: &'static str) -> Parsed<'a, T> {
        Err(Err::Failure(self.fault(expected)))
    }
}

pub(super) fn fail<T>(span: Span, problem: Problem) -> Result<T, Err<Fault>> {
    let problem = Box::new(problem);
    Err(Err::Failure(Fault { span, problem }))
}

/// Lexes and parses all of a text.
pub fn run<T>(
    source: &str,
    kind: Kind,
    parse: impl FnMut(Input<'_>) -> Parsed<'_, T>,
) -> Result<T, Diagnostic> {
    let tokens = lexer::tokens(source, kind)?;
    let input = Input {
        source,
        tokens: &tokens,
        depth: 0,
        rules: false,
    };
    read(source, kind, input, parse)
}

/// Parses some tokens of a text of rules, of which `end` is the end for errors to point at.
pub fn run_part<T>(
    source: &str,
    tokens: &[Token],
    end: u32,
    parse: impl FnMut(Input<'_>) -> Parsed<'_, T>,
) -> Result<T, Diagnostic> {
    let input = Input {
        source: source.get(..end as usize).unwrap_or(source),
        tokens,
        depth: 0,
        rules: true,
    };
    read(source, Kind::Rule, input, parse)
}

fn read<'a, T>(
    source: &str,
    kind: Kind,
    input: Input<'a>,
    mut parse: impl FnMut(Input<'a>) -> Parsed<'a, T>,
) -> Result<T, Diagnostic> {
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

/// What fails here fails for good.
pub(super) fn committed<'a, T>(
    mut parse: impl FnMut(Input<'a>) -> Parsed<'a, T>,
) -> impl FnMut(Input<'a>) -> Parsed<'a, T> {
    move |input| {
        parse(input).map_err(|error| match error {
            Err::Error(fault) => Err::Failure(fault),
            error => error,
        })
    }
}

pub(super) fn token<'a>(
    kind: TokenKind,
    expected: &'static str,
) -> impl Fn(Input<'a>) -> Parsed<'a, Span> + Copy {
    move |input| match input.tokens.split_first() {
        Some((token, tokens)) if token.kind == kind => Ok((Input { tokens, ..input }, token.span)),
        _ => Err(Err::Error(input.fault(expected))),
    }
}

/// How many tokens make up the name at the front: `IsMatch` is four.
pub(super) fn name_length(input: Input<'_>) -> Option<usize> {
    let len = input
        .tokens
        .iter()
        .take_while(|token| matches!(token.kind, TokenKind::Lower | TokenKind::Upper))
        .count();
    (len > 0).then_some(len)
}

pub(super) fn name(input: Input<'_>, len: usize) -> (Input<'_>, Name) {
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
