//! Keys and defaults of the processor `transform`. What the statements say is `trunkline_ottl`'s
//! to read; here is which context each group has and where in the file each statement stands.

use trunkline_ottl::{Compiler, Program, contexts::Context, functions::Host, run};
use trunkline_proto::Signal;

use crate::{
    component::{Problems, declare},
    config::{Gates, node::Value},
    ottl::{self, ErrorMode, Fault, Grouped, Statement, faults},
};

declare! {
    /// Changes telemetry by OTTL statements.
    pub struct Config as "transformprocessor.Config", check Config::rules {
        /// What happens when a statement fails on an item: `ignore`, `silent` or `propagate`.
        error_mode: ErrorMode = ErrorMode::Ignore;
        /// Statements for traces, in order: texts, or groups.
        trace_statements: Groups = Groups::default();
        /// Statements for metrics, in order: texts, or groups.
        metric_statements: Groups = Groups::default();
        /// Statements for logs, in order: texts, or groups.
        log_statements: Groups = Groups::default();
        /// Statements for profiles, in order: texts, or groups.
        profile_statements: Groups = Groups::default();
    }
}

declare! {
    /// Statements that run together: on each item all of them, before the next item.
    pub struct Group as "common.ContextStatements" {
        /// What the items are: `resource`, `scope`, `span`, `spanevent`, `metric`, `datapoint`,
        /// `exemplar`, `log` or `profile`. Absent: what the statements' paths say.
        context: String = String::new(), omit "";
        /// Of these, one must hold for the statements to run on an item. Absent: they always do.
        conditions: Vec<Statement> = Vec::new(), omit "";
        /// In place of the processor's `error_mode`.
        error_mode: Option<ErrorMode> = None, omit "";
        /// All items of a request, and all groups of this context that say so, share one `cache`.
        shared_cache: bool = false, omit "";
        /// The statements, in order.
        statements: Vec<Statement> = Vec::new();
    }
}

/// A list of statements, or of groups of them. Statements that follow groups are a group.
pub type Groups = ottl::Groups<Group>;

impl Grouped for Group {
    const EXPECTED: &'static str = "a list of statements or groups";
    const MISSING: &'static str = "expected a statement or a group, got nothing";
    const AFTER_GROUPS: Option<&'static str> = None;
    const AFTER_PLAIN: (&'static str, Option<&'static str>) = (
        "a group of statements cannot follow plain statements",
        Some("put all statements into groups"),
    );

    fn is_plain(value: &Value) -> bool {
        !matches!(value, Value::Mapping(_))
    }
    fn plain(statements: Vec<Statement>) -> Group {
        Group {
            statements,
            ..Group::default()
        }
    }
}

/// What statements for a signal can be run on.
pub fn contexts(signal: Signal) -> &'static [Context] {
    match signal {
        Signal::Traces => &[
            Context::Resource,
            Context::Scope,
            Context::Span,
            Context::SpanEvent,
        ],
        Signal::Metrics => &[
            Context::Resource,
            Context::Scope,
            Context::Metric,
            Context::DataPoint,
            Context::Exemplar,
        ],
        Signal::Logs => &[Context::Resource, Context::Scope, Context::Log],
        Signal::Profiles => &[Context::Resource, Context::Scope, Context::Profile],
    }
}

/// A group, compiled.
#[derive(Debug)]
pub struct Compiled {
    /// What it does.
    pub program: Program,
    /// What happens when it fails.
    pub mode: run::ErrorMode,
    /// It shares a cache with others of its context.
    pub shared_cache: bool,
}

impl Config {
    fn rules(&self, problems: &mut Problems) {
        for signal in Signal::ALL {
            if let Err(faults) = self.compile(signal, problems.gates()) {
                ottl::tell(faults, problems);
            }
        }
    }

    /// Whether the processor can be built for a signal.
    ///
    /// # Errors
    /// The first thing that is wrong with its statements.
    pub fn buildable(&self, signal: Signal, gates: &Gates) -> Result<(), String> {
        let compiled = self.compile(signal, gates);
        compiled
            .map(|_| ())
            .map_err(|faults| ottl::joined(faults, "; "))
    }

    /// The groups for a signal, compiled.
    ///
    /// # Errors
    /// Everything that is wrong with any statement.
    pub fn compile(&self, signal: Signal, gates: &Gates) -> Result<Vec<Compiled>, Vec<Fault>> {
        let groups = match signal {
            Signal::Traces => &self.trace_statements,
            Signal::Metrics => &self.metric_statements,
            Signal::Logs => &self.log_statements,
            Signal::Profiles => &self.profile_statements,
        };
        let contexts = contexts(signal);
        let mut compiled = Vec::new();
        let mut faults = Vec::new();
        for group in &groups.0 {
            match self.group(group, contexts, gates) {
                Ok(group) => compiled.push(group),
                Err(found) => faults.extend(found),
            }
        }
        if faults.is_empty() {
            Ok(compiled)
        } else {
            Err(faults)
        }
    }

    fn group(
        &self,
        group: &Group,
        contexts: &[Context],
        gates: &Gates,
    ) -> Result<Compiled, Vec<Fault>> {
        let mut compiler = Compiler::new(Host::Transform, contexts)
            .with_lambdas(gates.is_on("ottl.functions.enableLambda"));
        if !group.context.is_empty() {
            let named = Context::named(&group.context.to_lowercase());
            match named.filter(|context| contexts.contains(context)) {
                Some(context) => compiler = compiler.in_context(context),
                None => {
                    let at = group.statements.first().map(|first| first.at.clone());
                    return Err(vec![(at, format!("unknown context {}", group.context))]);
                }
            }
        }
        let texts = |list: &[Statement]| -> Vec<String> {
            list.iter()
                .map(|statement| statement.text.clone())
                .collect()
        };
        let (statements, conditions) = (texts(&group.statements), texts(&group.conditions));
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        let conditions: Vec<&str> = conditions.iter().map(String::as_str).collect();
        let program = compiler
            .statements(&statements, &conditions)
            .map_err(|errors| faults(group.statements.iter().chain(&group.conditions), &errors))?;
        Ok(Compiled {
            program,
            mode: group.error_mode.unwrap_or(self.error_mode).mode(),
            shared_cache: group.shared_cache,
        })
    }
}
