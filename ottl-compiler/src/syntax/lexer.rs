//! Text to tokens: the ordered rules of the language's lexer, of which the first that matches
//! wins. Tokens are ranges of the text; what a literal means is in `literal`.

use nom::{
    AsChar, IResult, Parser,
    branch::alt,
    bytes::complete::{tag, take_while, take_while1},
    character::complete::{anychar, char, digit0, digit1, none_of, one_of, satisfy},
    combinator::{not, opt, peek, recognize, value},
    multi::many0_count,
    sequence::{pair, preceded, terminated},
};

use super::Span;
use crate::{
    error::{Diagnostic, Kind, Problem},
    ops::{CompareOp, MathOp},
};

/// A token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: TokenKind,
    pub span: Span,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    Bytes,
    Float,
    Int,
    String,
    Nil,
    Not,
    Or,
    And,
    Compare(CompareOp),
    Arrow,
    Math(MathOp),
    Bool(bool),
    Equal,
    LParen,
    RParen,
    LBrace,
    RBrace,
    Colon,
    Comma,
    Dot,
    LBracket,
    RBracket,
    Upper,
    Lower,
    Underscore,
}

type Found<'a, T> = IResult<&'a str, T>;

/// The tokens of a text.
///
/// # Errors
/// A [`Diagnostic`] at the first character that begins no token.
pub fn tokens(source: &str, kind: Kind) -> Result<Vec<Token>, Diagnostic> {
    let at = |rest: &str| (source.len() - rest.len()) as u32;
    let mut tokens = Vec::new();
    let rules = kind == Kind::Rule;
    let skip = if rules { skip_comments } else { skip_space };
    let token = if rules { rule_token } else { token };
    let mut rest = skip(source);
    while !rest.is_empty() {
        match token(rest) {
            Ok((after, token)) => {
                tokens.push(Token {
                    kind: token,
                    span: Span {
                        start: at(rest),
                        end: at(after),
                    },
                });
                rest = skip(after);
            }
            Err(_) => {
                let quote = rest.starts_with('"') || rules && rest.starts_with('\'');
                let problem = if quote {
                    Problem::UnclosedString
                } else {
                    Problem::NoToken(rest.chars().next().unwrap_or_default())
                };
                let len = match problem {
                    Problem::NoToken(c) => c.len_utf8(),
                    _ => rest.len(),
                };
                let start = at(rest);
                let end = start + len as u32;
                return Err(Diagnostic::new(kind, source, Span { start, end }, problem));
            }
        }
    }
    Ok(tokens)
}

fn skip_space(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\r', '\x0c'])
}

/// In rules, `#` begins a comment, to the end of the line.
fn skip_comments(text: &str) -> &str {
    let mut rest = skip_space(text);
    while rest.starts_with('#') {
        let end = rest.find('\n').unwrap_or(rest.len());
        rest = skip_space(rest.get(end..).unwrap_or_default());
    }
    rest
}

/// What rules have beside the tokens of the language.
fn rule_token(input: &str) -> Found<'_, TokenKind> {
    use TokenKind::*;
    alt((
        value(String, |input| quoted(input, '\'', "\\'")),
        value(And, tag("&&")),
        value(Or, tag("||")),
        value(Not, terminated(char('!'), not(peek(char('='))))),
        token,
    ))
    .parse(input)
}

fn token(input: &str) -> Found<'_, TokenKind> {
    use TokenKind::*;
    alt((
        alt((
            value(Bytes, pair(tag("0x"), take_while1(AsChar::is_hex_digit))),
            value(Float, float),
            value(Int, digit1),
            value(String, string),
            value(Nil, word("nil")),
            value(Not, word("not")),
            value(Or, word("or")),
            value(And, word("and")),
        )),
        alt((
            value(Compare(CompareOp::Eq), tag("==")),
            value(Compare(CompareOp::Ne), tag("!=")),
            value(Compare(CompareOp::Ge), tag(">=")),
            value(Compare(CompareOp::Le), tag("<=")),
            value(Compare(CompareOp::Gt), tag(">")),
            value(Compare(CompareOp::Lt), tag("<")),
            value(Arrow, tag("=>")),
            value(Math(MathOp::Add), char('+')),
            value(Math(MathOp::Sub), char('-')),
            value(Math(MathOp::Mul), char('*')),
            value(Math(MathOp::Div), char('/')),
            value(Bool(true), word("true")),
            value(Bool(false), word("false")),
            value(Equal, char('=')),
        )),
        alt((
            value(LParen, char('(')),
            value(RParen, char(')')),
            value(LBrace, char('{')),
            value(RBrace, char('}')),
            value(Colon, char(':')),
            value(Comma, char(',')),
            value(Dot, char('.')),
            value(LBracket, char('[')),
            value(RBracket, char(']')),
            value(Upper, name(|c| c.is_ascii_uppercase())),
            value(Lower, name(|c| c.is_ascii_lowercase())),
            value(Underscore, char('_')),
        )),
    ))
    .parse(input)
}

/// A word of the language: what follows may not be part of a name.
fn word<'a>(
    text: &'static str,
) -> impl Parser<&'a str, Output = &'a str, Error = nom::error::Error<&'a str>> {
    terminated(
        tag(text),
        not(peek(satisfy(|c| c.is_ascii_alphanumeric() || c == '_'))),
    )
}

/// A letter of one case, then such letters, digits and `_`.
fn name<'a>(
    letter: fn(char) -> bool,
) -> impl Parser<&'a str, Output = &'a str, Error = nom::error::Error<&'a str>> {
    recognize(pair(
        satisfy(letter),
        take_while(move |c: char| letter(c) || c.is_ascii_digit() || c == '_'),
    ))
}

fn float(input: &str) -> Found<'_, &str> {
    let exponent = || opt((one_of("eE"), opt(one_of("+-")), digit1));
    alt((
        recognize((digit1, char('.'), digit0, exponent())),
        recognize((char('.'), digit1, exponent())),
    ))
    .parse(input)
}

fn string(input: &str) -> Found<'_, &str> {
    quoted(input, '"', "\\\"")
}

/// `special`: the quote and the backslash.
fn quoted<'a>(input: &'a str, quote: char, special: &'static str) -> Found<'a, &'a str> {
    recognize((
        char(quote),
        many0_count(alt((
            none_of(special),
            // A backslash takes the next character with it, but no line's end.
            preceded(char('\\'), preceded(not(peek(char('\n'))), anychar)),
        ))),
        char(quote),
    ))
    .parse(input)
}
