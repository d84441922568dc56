//! What is wrong with a statement, and how it is told: the reference's line first (`L:C: KIND
//! failed to parse near …`), then the statement with a caret under the place, then what would
//! help. What can be wrong is in [`Problem`].

mod nearest;
mod problem;

pub use nearest::nearest;
pub use problem::Problem;

use std::{fmt, sync::Arc};

use crate::syntax::Span;

/// What a text was read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `editor(…) [where …]`.
    Statement,
    /// A condition.
    Condition,
    /// A value expression.
    Expression,
    /// A text of rules: `condition > action`, `action where condition`.
    Rule,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Statement => "statement",
            Kind::Condition => "condition",
            Kind::Expression => "expression",
            Kind::Rule => "rule",
        }
    }

    fn long_name(self) -> &'static str {
        match self {
            Kind::Expression => "value expression",
            kind => kind.name(),
        }
    }
}

/// One thing that is wrong with one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    kind: Kind,
    source: Arc<str>,
    span: Span,
    problem: Box<Problem>,
}

impl Diagnostic {
    pub(crate) fn new(kind: Kind, source: &str, span: Span, problem: Problem) -> Diagnostic {
        Diagnostic {
            kind,
            source: source.into(),
            span,
            problem: Box::new(problem),
        }
    }

    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The bytes of the text that it is about.
    pub fn span(&self) -> Span {
        self.span
    }

    /// The whole text.
    pub fn source_text(&self) -> &str {
        &self.source
    }

    /// Line and column, from 1, the column in characters.
    pub fn position(&self) -> (usize, usize) {
        let before = self.source.get(..self.span.start as usize);
        let before = before.unwrap_or(&self.source);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(start..).unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// The reference's one line: position, what was read, what is wrong.
    pub fn line(&self) -> String {
        let (line, column) = self.position();
        let kind = self.kind.name();
        let problem = &self.problem;
        if let Problem::NoContext { .. } = **problem {
            return problem.to_string();
        }
        if self.kind == Kind::Expression && !problem.is_syntax() {
            return format!("{line}:{column}: {problem}");
        }
        let near = self.near();
        let verb = if problem.is_syntax() {
            "has invalid syntax"
        } else {
            "failed to parse"
        };
        format!("{line}:{column}: {kind} {verb}{near}: {problem}")
    }

    /// The first bytes from the place on.
    fn near(&self) -> String {
        let rest = self.source.get(self.span.start as usize..);
        let rest = rest.unwrap_or_default();
        let mut len = rest.len().min(10);
        while !rest.is_char_boundary(len) {
            len -= 1;
        }
        match rest.get(..len).unwrap_or_default().trim() {
            "" => String::new(),
            near => format!(" near `{near}`"),
        }
    }

    /// The line of the text that has the place, and a line with carets beneath it.
    pub fn excerpt(&self) -> String {
        let start = self.span.start as usize;
        let begin = self.source.get(..start).unwrap_or_default();
        let begin = begin.rfind('\n').map_or(0, |at| at + 1);
        let line = self.source.get(begin..).unwrap_or_default();
        let line = line.lines().next().unwrap_or_default();
        let indent: String = line
            .get(..start - begin)
            .unwrap_or(line)
            .chars()
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let end = (self.span.end as usize).min(begin + line.len());
        let under = self.source.get(start..end).unwrap_or_default();
        let carets = "^".repeat(under.chars().count().max(1));
        format!("    {line}\n    {indent}{carets}")
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.long_name();
        let source = &self.source;
        let line = self.line();
        write!(f, "unable to parse OTTL {kind} {source:?}: {line}")?;
        write!(f, "\n{}", self.excerpt())?;
        if let Some(help) = self.problem.help() {
            write!(f, "\n    {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

/// Everything that is wrong with a list of statements, in their order.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, diagnostic) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
