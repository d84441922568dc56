//! The rule form: `condition > action`, or actions followed by `where condition`, a second front
//! end to the program that OTTL compiles to. `split` reads texts, `resolve` gives names their
//! meaning for a signal, [`Runner`] runs the rules. How conditions and edits are checked and
//! evaluated is no matter of this module: each rule is a [`Program`] and what it decides.

mod resolve;
mod run;
mod split;
#[cfg(test)]
mod tests;
mod tree;

use std::sync::Arc;

use trunkline_proto::Signal;

pub use self::run::{Fates, Progress, Runner};
use self::{
    resolve::{Action, Resolver},
    split::Tree,
};
use crate::{
    Compiler, Program,
    contexts::{Context, infer::Hints},
    error::{Diagnostic, Diagnostics, Kind, Problem},
    functions::Host,
    syntax::{Span, ast::Call},
};

/// What a user wrote: a text of any number of rules, or one rule in parts.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// What to call it; without one, it is called by its position.
    pub name: Option<String>,
    /// When it applies, where that is apart from the text.
    pub condition: Option<String>,
    /// Rules; with a condition apart, actions.
    pub text: String,
    /// Rules of higher priority come first.
    pub priority: i64,
}

/// What becomes of the items that a rule matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// They stay, and no later rule looks at them.
    Keep,
    /// They are dropped, for a reason if one is given.
    Drop(Option<Arc<str>>),
    /// They go to this pipeline of their signal.
    Route(Arc<str>),
    /// They go to this exporter.
    RouteToExporter(Arc<str>),
}

/// A rule, compiled for one signal.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, or its position in the list, from 1.
    pub name: Arc<str>,
    /// As the user wrote it.
    pub source: Arc<str>,
    /// When it applies (the conditions) and what it changes (the statements).
    pub program: Arc<Program>,
    /// What becomes of the items then.
    pub decision: Option<Decision>,
    /// The signal whose items it is about.
    pub signal: Signal,
}

/// Rules for some signals, in the order in which they run.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    count: usize,
}

impl Rules {
    /// How many were written: the position of the last.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Those for a signal.
    pub fn of(&self, signal: Signal) -> Vec<Rule> {
        let of_signal = self.rules.iter().filter(|rule| rule.signal == signal);
        of_signal.cloned().collect()
    }
}

/// Compiles a list of rules for each of these signals in which their paths exist. Positions go on
/// behind `before`, so that rules of several lists have names of their own.
///
/// # Errors
/// Everything that is wrong with any of them; a rule that applies to none of the signals is.
pub fn compile(
    entries: &[Entry],
    signals: &[Signal],
    lambdas: bool,
    before: usize,
) -> Result<Rules, Diagnostics> {
    let mut problems = Vec::new();
    let mut ranked: Vec<(i64, Rule)> = Vec::new();
    let mut position = before;
    for entry in entries {
        let (trees, wrong) = trees(entry);
        problems.extend(wrong);
        let several = trees.len() > 1;
        for (at, (source, tree)) in trees.into_iter().enumerate() {
            position += 1;
            let name: Arc<str> = match &entry.name {
                Some(name) if several => format!("{name} {}", at + 1).into(),
                Some(name) => name.as_str().into(),
                None => position.to_string().into(),
            };
            match rule(&source, &tree, &name, signals, lambdas) {
                Ok(rules) => ranked.extend(rules.into_iter().map(|rule| (entry.priority, rule))),
                Err(wrong) => problems.extend(wrong),
            }
        }
    }
    // Stable: among equals the order of the list.
    ranked.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
    match problems.is_empty() {
        true => Ok(Rules {
            rules: ranked.into_iter().map(|(_, rule)| rule).collect(),
            count: position,
        }),
        false => Err(Diagnostics(problems)),
    }
}

/// The trees of an entry, each with the text that its spans are of, and what cannot be read.
fn trees(entry: &Entry) -> (Vec<(String, Tree)>, Vec<Diagnostic>) {
    let Some(condition) = &entry.condition else {
        let (trees, problems) = split::rules(&entry.text);
        let trees = trees.into_iter().map(|tree| (entry.text.clone(), tree));
        return (trees.collect(), problems);
    };
    // Read apart, so that neither can reach into the other, and then as one text.
    let apart = split::condition(condition)
        .err()
        .into_iter()
        .chain(split::actions(&entry.text).err());
    let problems: Vec<Diagnostic> = apart.collect();
    if !problems.is_empty() {
        return (Vec::new(), problems);
    }
    let whole = format!("({condition}\n) > {}", entry.text);
    let (trees, problems) = split::rules(&whole);
    (
        trees
            .into_iter()
            .map(|tree| (whole.clone(), tree))
            .collect(),
        problems,
    )
}

/// Why a rule is not one of a signal's.
enum Unfit {
    /// A path of it is not there.
    Elsewhere,
    /// Something is wrong.
    Wrong(Vec<Diagnostic>),
}

/// A rule for each signal in which its paths exist.
fn rule(
    source: &str,
    tree: &Tree,
    name: &Arc<str>,
    signals: &[Signal],
    lambdas: bool,
) -> Result<Vec<Rule>, Vec<Diagnostic>> {
    let (mut rules, mut wrong) = (Vec::new(), None);
    for signal in signals {
        match for_signal(source, tree, name, *signal, lambdas) {
            Ok(rule) => rules.push(rule),
            Err(Unfit::Elsewhere) => {}
            Err(Unfit::Wrong(problems)) => {
                wrong.get_or_insert(problems);
            }
        }
    }
    if !rules.is_empty() {
        return Ok(rules);
    }
    Err(wrong.unwrap_or_else(|| {
        vec![Diagnostic::new(
            Kind::Rule,
            source,
            tree.span,
            Problem::NoSignal,
        )]
    }))
}

fn for_signal(
    source: &str,
    tree: &Tree,
    name: &Arc<str>,
    signal: Signal,
    lambdas: bool,
) -> Result<Rule, Unfit> {
    let mut resolver = Resolver::new(signal, source);
    let condition = tree.condition.as_ref().map(|of| resolver.expr(of));
    let mut edits: Vec<Call> = Vec::new();
    let mut decided: Option<(Decision, &Call)> = None;
    let mut twice = Vec::new();
    for action in &tree.actions {
        match resolver.action(action) {
            None => {}
            Some(Action::Edit(edit)) => edits.push(edit),
            Some(Action::Decide(decision)) => match &decided {
                None => decided = Some((decision, action)),
                Some((_, first)) => {
                    let first = first.span.of(source).to_owned();
                    let problem = Problem::DecidesTwice { first };
                    twice.push(Diagnostic::new(Kind::Rule, source, action.span, problem));
                }
            },
        }
    }
    let mut problems = resolver.problems;
    problems.extend(twice);
    if resolver.elsewhere {
        return Err(Unfit::Elsewhere);
    }
    if !problems.is_empty() {
        return Err(Unfit::Wrong(problems));
    }
    let mut hints = Hints::default();
    condition.iter().for_each(|of| hints.expr(of));
    edits.iter().for_each(|edit| hints.call(edit));
    let context = context(&hints, signal).ok_or(Unfit::Elsewhere)?;
    let compiler = Compiler::new(Host::Rules, contexts(signal)).with_lambdas(lambdas);
    let program = compiler
        .rule((source, tree.span), context, condition.as_ref(), &edits)
        .map_err(Unfit::Wrong)?;
    if let Some((decision, action)) = &decided
        && let Some(problem) = undecidable(decision, context)
    {
        let problem = Diagnostic::new(Kind::Rule, source, action.span, problem);
        return Err(Unfit::Wrong(vec![problem]));
    }
    Ok(Rule {
        name: name.clone(),
        source: Span::of(tree.span, source).into(),
        program: Arc::new(program),
        decision: decided.map(|(decision, _)| decision),
        signal,
    })
}

/// What a signal's rules can be about, the items first.
fn contexts(signal: Signal) -> &'static [Context] {
    use Context::*;
    match signal {
        Signal::Traces => &[Span, SpanEvent, Scope, Resource],
        Signal::Metrics => &[DataPoint, Metric, Exemplar, Scope, Resource],
        Signal::Logs => &[Log, Scope, Resource],
        Signal::Profiles => &[ProfileSample, Profile, Scope, Resource],
    }
}

/// The innermost context that a rule's paths and functions name; the item's where they name
/// none. `None` when they name one that the signal lacks.
fn context(hints: &Hints, signal: Signal) -> Option<Context> {
    let contexts = contexts(signal);
    let named = || {
        hints
            .contexts()
            .iter()
            .filter(|of| **of != Context::OtelCol)
    };
    if !named().all(|of| contexts.contains(of)) {
        return None;
    }
    if named().next().is_some() {
        return match hints.infer(contexts, Host::Rules) {
            Ok(context) => Some(context),
            Err(no) => no.nearest,
        };
    }
    let fits = |context: &&Context| hints.lacks(**context, Host::Rules).is_none();
    contexts.iter().find(fits).or(contexts.first()).copied()
}

/// What is decided is decided about items; below them, only events can be dropped.
fn undecidable(decision: &Decision, context: Context) -> Option<Problem> {
    let action = match decision {
        Decision::Keep => "keep",
        Decision::Drop(_) => "drop",
        Decision::Route(_) | Decision::RouteToExporter(_) => "route",
    };
    let below = match context {
        Context::SpanEvent => action != "drop",
        Context::Exemplar => true,
        _ => false,
    };
    let context = context.name();
    below.then_some(Problem::NothingToDecide { action, context })
}
