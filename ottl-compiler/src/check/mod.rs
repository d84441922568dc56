//! Syntax tree to checked program: which context a list of statements has, what its names mean
//! (`path`), whether calls fit declarations (`call`), what is known already (`expr`). Everything
//! that is wrong with a list is found in one go.

mod call;
mod expr;
mod lambda;
mod path;
#[cfg(test)]
mod tests;

pub(crate) use call::is_message_list;

use std::sync::Arc;

use crate::{
    contexts::{
        Context,
        infer::{Hints, NoContext},
    },
    error::{Diagnostic, Diagnostics, Kind, Problem},
    functions::Host,
    program::{ConditionOf, Program, Statement, ValueOf, footprint},
    syntax::{self, Span, ast},
};

/// Compiles the statements of one component for one signal.
#[derive(Clone, Debug)]
pub struct Compiler {
    host: Host,
    contexts: Vec<Context>,
    explicit: Option<Context>,
    lambdas: bool,
}

impl Compiler {
    /// For a component that offers these contexts.
    pub fn new(host: Host, contexts: &[Context]) -> Compiler {
        Compiler {
            host,
            contexts: contexts.to_vec(),
            explicit: None,
            lambdas: false,
        }
    }

    /// With the context given by the user: paths need not begin with one then.
    pub fn in_context(mut self, context: Context) -> Compiler {
        self.explicit = Some(context);
        self
    }

    /// With the gate `ottl.functions.enableLambda` enabled.
    pub fn with_lambdas(mut self, enabled: bool) -> Compiler {
        self.lambdas = enabled;
        self
    }

    /// Compiles statements, and the conditions of which one must hold for them to run.
    /// Conditions have the functions of the filter processor.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn statements(
        &self,
        statements: &[&str],
        conditions: &[&str],
    ) -> Result<Program, Diagnostics> {
        let mut problems = Vec::new();
        let mut hints = Hints::default();
        let mut trees = Vec::new();
        for source in statements {
            match syntax::parse_statement(source) {
                Ok(tree) => {
                    hints.statement(&tree);
                    trees.push((*source, tree));
                }
                Err(problem) => problems.push(problem),
            }
        }
        let mut condition_trees = Vec::new();
        for source in conditions {
            match syntax::parse_condition(source) {
                Ok(tree) => {
                    hints.expr(&tree);
                    condition_trees.push((*source, tree));
                }
                Err(problem) => problems.push(problem),
            }
        }
        // What a context that comes near lacks is told where it is used.
        let (context, unfit) = match self.context(&hints) {
            Ok(context) => (context, None),
            Err(NoContext {
                nearest: Some(context),
                cause,
            }) => (context, Some(cause)),
            // Whatever is missing may be in what could not be read.
            Err(_) if !problems.is_empty() => return Err(Diagnostics(problems)),
            Err(NoContext { cause, .. }) => {
                let source = statements.first().or(conditions.first());
                let kind = Kind::Statement;
                return Err(self.no_context(kind, source, statements, conditions, cause));
            }
        };
        let mut program = Program {
            context,
            conditions: Vec::new(),
            statements: Vec::new(),
        };
        for (source, tree) in &condition_trees {
            let host = match self.host {
                Host::Transform => Host::Filter,
                host => host,
            };
            let mut checker = self.checker(host, context, source, Kind::Condition);
            if let Some(condition) = checker.condition(tree) {
                program.conditions.push(ConditionOf {
                    source: (*source).into(),
                    condition,
                });
            }
            problems.append(&mut checker.problems);
        }
        for (source, tree) in &trees {
            let mut checker = self.checker(self.host, context, source, Kind::Statement);
            program.statements.extend(checker.statement(tree));
            problems.append(&mut checker.problems);
        }
        match (problems.is_empty(), unfit) {
            (false, _) => Err(Diagnostics(problems)),
            (true, None) => Ok(program),
            (true, Some(cause)) => {
                let source = statements.first().or(conditions.first());
                Err(self.no_context(Kind::Statement, source, statements, conditions, cause))
            }
        }
    }

    /// Compiles a condition, its context inferred from itself alone.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn condition(&self, source: &str) -> Result<(Context, ConditionOf), Diagnostics> {
        let tree = syntax::parse_condition(source).map_err(one)?;
        let mut hints = Hints::default();
        hints.expr(&tree);
        let context = self.context(&hints).map_err(|no| {
            self.no_context(Kind::Condition, Some(&source), &[], &[source], no.cause)
        })?;
        let mut checker = self.checker(self.host, context, source, Kind::Condition);
        match checker.condition(&tree) {
            Some(condition) if checker.problems.is_empty() => {
                let source = source.into();
                Ok((context, ConditionOf { source, condition }))
            }
            _ => Err(Diagnostics(checker.problems)),
        }
    }

    /// A rule's condition and edits, their names resolved, as a program of this context: its
    /// condition is the program's, and its statements always run. `span` is where in `source` it
    /// is written.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn rule(
        &self,
        (source, span): (&str, Span),
        context: Context,
        condition: Option<&ast::Expr>,
        edits: &[ast::Call],
    ) -> Result<Program, Vec<Diagnostic>> {
        let mut checker = self.checker(self.host, context, source, Kind::Rule);
        let written: Arc<str> = span.of(source).into();
        let mut program = Program {
            context,
            conditions: Vec::new(),
            statements: Vec::new(),
        };
        match condition.map(|condition| checker.condition(condition)) {
            // What always holds need not be asked.
            None | Some(None | Some(crate::program::Condition::Const(true))) => {}
            Some(Some(condition)) => program.conditions.push(ConditionOf {
                source: written.clone(),
                condition,
            }),
        }
        for edit in edits {
            let tree = ast::Statement {
                editor: edit.clone(),
                condition: None,
            };
            let statement = checker.statement(&tree);
            program
                .statements
                .extend(statement.map(|statement| Statement {
                    source: edit.span.of(source).into(),
                    ..statement
                }));
        }
        match checker.problems.is_empty() {
            true => Ok(program),
            false => Err(checker.problems),
        }
    }

    /// Compiles a value expression, its context inferred from itself alone.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn value(&self, source: &str) -> Result<ValueOf, Diagnostics> {
        let tree = syntax::parse_value(source).map_err(one)?;
        let mut hints = Hints::default();
        hints.expr(&tree);
        let context = self.context(&hints).map_err(|no| {
            self.no_context(Kind::Expression, Some(&source), &[source], &[], no.cause)
        })?;
        let mut checker = self.checker(self.host, context, source, Kind::Expression);
        match checker.value(&tree) {
            Some(node) if checker.problems.is_empty() => Ok(ValueOf {
                context,
                source: source.into(),
                node,
            }),
            _ => Err(Diagnostics(checker.problems)),
        }
    }

    fn context(&self, hints: &Hints) -> Result<Context, NoContext> {
        match self.explicit {
            Some(context) => Ok(context),
            None => hints.infer(&self.contexts, self.host),
        }
    }

    fn no_context(
        &self,
        kind: Kind,
        source: Option<&&str>,
        statements: &[&str],
        conditions: &[&str],
        cause: String,
    ) -> Diagnostics {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let problem = Problem::NoContext {
            supported: self.contexts.iter().map(|context| context.name()).collect(),
            statements: owned(statements),
            conditions: owned(conditions),
            cause,
        };
        let source = source.copied().unwrap_or_default();
        let span = Span {
            start: 0,
            end: source.len() as u32,
        };
        one(Diagnostic::new(kind, source, span, problem))
    }

    fn checker<'a>(
        &self,
        host: Host,
        context: Context,
        source: &'a str,
        kind: Kind,
    ) -> Checker<'a> {
        Checker {
            host,
            context,
            explicit: self.explicit.is_some(),
            lambdas: self.lambdas,
            source,
            kind,
            frames: Vec::new(),
            locals: Vec::new(),
            problems: Vec::new(),
        }
    }
}

fn one(problem: Diagnostic) -> Diagnostics {
    Diagnostics(vec![problem])
}

/// Checks one text. What is wrong is noted; `None` says that something was.
struct Checker<'a> {
    host: Host,
    context: Context,
    /// Paths need not begin with a context.
    explicit: bool,
    lambdas: bool,
    source: &'a str,
    kind: Kind,
    /// The calls and lists around what is being checked.
    frames: Vec<Frame>,
    /// The parameters of the lambdas around what is being checked, from the outside in.
    locals: Vec<String>,
    problems: Vec<Diagnostic>,
}

/// What is around a value.
enum Frame {
    Argument {
        function: String,
        at: usize,
        signature: String,
    },
    Element {
        at: usize,
    },
}

impl Checker<'_> {
    fn report<T>(&mut self, span: Span, problem: Problem) -> Option<T> {
        let problem = self.frames.iter().rev().fold(problem, |problem, frame| {
            let cause = Box::new(problem);
            match frame {
                Frame::Argument {
                    function,
                    at,
                    signature,
                } => Problem::Argument {
                    function: function.clone(),
                    at: *at,
                    cause,
                    signature: signature.clone(),
                },
                Frame::Element { at } => Problem::Element { at: *at, cause },
            }
        });
        let found = Diagnostic::new(self.kind, self.source, span, problem);
        self.problems.push(found);
        None
    }

    /// Checks with something around it.
    fn within<T>(&mut self, frame: Frame, check: impl FnOnce(&mut Self) -> T) -> T {
        self.frames.push(frame);
        let result = check(self);
        self.frames.pop();
        result
    }

    fn statement(&mut self, tree: &ast::Statement) -> Option<Statement> {
        let editor = self.editor(&tree.editor);
        let condition = match &tree.condition {
            Some(condition) => self.condition(condition),
            None => Some(crate::program::Condition::Const(true)),
        };
        let (editor, condition) = (editor?, condition?);
        let (reads, writes) = footprint::of(&condition, &editor);
        Some(Statement {
            source: Arc::from(self.source),
            condition,
            editor,
            reads,
            writes,
        })
    }
}
