//! OTTL text to syntax tree: `lexer` (tokens), `literal` (what literal tokens mean),
//! `parser` and `terms` (tokens to [`ast`]). Nothing here knows a path, a function or an enum by name;
//! that is `check`'s.

pub mod ast;
pub(crate) mod input;
pub(crate) mod lexer;
mod literal;
pub(crate) mod parser;
mod terms;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::error::{Diagnostic, Kind};

/// How many levels an expression may nest. The reference has no limit and overflows its stack.
pub const MAX_NESTING: u32 = 100;

/// A range of bytes in a statement's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The range, to slice the text with.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// From the start of this one to the end of the other.
    pub fn to(self, other: Span) -> Span {
        Span {
            start: self.start,
            end: other.end,
        }
    }

    /// The text it covers.
    pub fn of(self, source: &str) -> &str {
        source.get(self.range()).unwrap_or_default()
    }
}

/// Parses `editor(…) [where …]`.
///
/// # Errors
/// One [`Diagnostic`]: parsing stops at the first thing that cannot be read.
pub fn parse_statement(source: &str) -> Result<ast::Statement, Diagnostic> {
    input::run(source, Kind::Statement, parser::statement)
}

/// Parses a condition.
///
/// # Errors
/// One [`Diagnostic`].
pub fn parse_condition(source: &str) -> Result<ast::Expr, Diagnostic> {
    input::run(source, Kind::Condition, parser::condition)
}

/// Parses a value expression.
///
/// # Errors
/// One [`Diagnostic`].
pub fn parse_value(source: &str) -> Result<ast::Expr, Diagnostic> {
    input::run(source, Kind::Expression, parser::value)
}
