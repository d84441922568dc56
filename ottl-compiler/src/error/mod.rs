//! What is wrong with a statement, and how it is told: the reference's line first (`L:C: KIND
//! failed to parse near …`), then the statement with a caret under the place, then what would
//! help. What can be wrong is in [`Problem`].

mod nearest;
mod problem;

pub use nearest::nearest;
pub use problem::Problem;

use std::{borrow::Cow, fmt, sync::Arc};

use crate::syntax::Span;

/// Characters at the beginning and at the end of a text that are shown of one that is longer than
/// both.
const HEAD: usize = 700;
const TAIL: usize = 300;
/// Characters of a line that are shown before and behind a place in it, at most.
const AROUND: usize = 120;

/// A text without what is in the middle of it, if it is long.
fn shown(text: &str) -> Cow<'_, str> {
    let head = text.char_indices().nth(HEAD);
    let tail = text.char_indices().rev().nth(TAIL - 1);
    match (head, tail) {
        (Some((from, _)), Some((to, _))) if from < to => {
            let (head, tail) = (text.get(..from), text.get(to..));
            let (head, tail) = (head.unwrap_or_default(), tail.unwrap_or_default());
            format!("{head}… ({} more bytes) …{tail}", to - from).into()
        }
        _ => text.into(),
    }
}

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
        let text = self.problem.to_string();
        let (problem, is_syntax) = (shown(&text), self.problem.is_syntax());
        if let Problem::NoContext { .. } = *self.problem {
            return problem.into_owned();
        }
        if self.kind == Kind::Expression && !is_syntax {
            return format!("{line}:{column}: {problem}");
        }
        let near = self.near();
        let verb = if is_syntax {
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
        let before = line.get(..start - begin).unwrap_or(line);
        let behind = line.get(before.len()..).unwrap_or_default();
        // Of a long line what is near the place.
        let skipped = before.char_indices().rev().nth(AROUND);
        let (cut, before) = match skipped {
            Some((at, of)) => ("…", before.get(at + of.len_utf8()..).unwrap_or_default()),
            None => ("", before),
        };
        let (behind, rest) = match behind.char_indices().nth(AROUND) {
            Some((at, _)) => (behind.get(..at).unwrap_or_default(), "…"),
            None => (behind, ""),
        };
        let blank = |c: char| if c == '\t' { '\t' } else { ' ' };
        let indent: String = cut.chars().chain(before.chars()).map(blank).collect();
        let len = (self.span.end as usize).saturating_sub(start);
        let under = behind.get(..len).unwrap_or(behind);
        let carets = "^".repeat(under.chars().count().max(1));
        format!("    {cut}{before}{behind}{rest}\n    {indent}{carets}")
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.long_name();
        let source = shown(&self.source);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_long_texts_what_is_near_the_place_is_shown() {
        let long = format!(
            "set(log.body, \"{}\") wher x{}",
            "ä".repeat(1 << 20),
            "y".repeat(999)
        );
        let start = long.find("wher").unwrap_or_default() as u32;
        let span = Span {
            start,
            end: start + 4,
        };
        let of = Diagnostic::new(Kind::Statement, &long, span, Problem::LambdaBody);
        let told = of.to_string();
        assert!(told.len() < 4_000, "{}", told.len());
        let excerpt = of.excerpt();
        let (line, carets) = excerpt.split_once('\n').unwrap_or_default();
        let at = carets.chars().position(|c| c == '^').unwrap_or_default();
        let shown: String = line.chars().skip(at).take(4).collect();
        assert_eq!((shown.as_str(), carets.trim()), ("wher", "^^^^"));
        assert!(line.trim_start().starts_with('…') && line.ends_with('…'));
    }
}
