//! Configuration of the processor `filter`, compiled for a signal: what is asked of the rows of
//! which level, in which order. The oldest form (`include`, `exclude`) is in `matching`.

use std::{cell::RefCell, sync::Arc};

use trunkline_ottl::{
    Compiler, Program, columns::Executor, contexts::Context, functions::Host, run,
};
use trunkline_proto::{Signal, batch::Level};

use super::{
    config::{Config, Group, Groups},
    matching::{self, Matching},
};
use crate::{
    component::Problems,
    config::Gates,
    ottl::{ErrorMode, Fault, Said, Statement, faults},
};

/// What is asked of a request: all of a pass before the next one.
#[derive(Debug, Default)]
pub struct Plan {
    /// In order.
    pub passes: Vec<Pass>,
}

/// Questions to one level after the other, from the outside in; then what was emptied goes.
#[derive(Debug)]
pub struct Pass {
    /// The questions.
    pub steps: Vec<Step>,
    /// The innermost level that is asked about.
    pub deepest: Level,
}

/// A question about rows, and what is dropped by it.
#[derive(Debug)]
pub enum Step {
    /// Rows on which one of the conditions holds.
    Conditions {
        /// The conditions; no statements. Borrowed only while they are asked.
        executor: Box<RefCell<Executor>>,
        /// What happens when one fails.
        mode: run::ErrorMode,
        /// What was said of failures, by condition.
        said: Vec<Said>,
    },
    /// Rows that `include` does not match or `exclude` does.
    Matching(Matching),
}

impl Plan {
    /// Whether some condition looks at the request.
    pub fn reads_request(&self) -> bool {
        let mut steps = self.passes.iter().flat_map(|pass| &pass.steps);
        steps.any(|step| match step {
            Step::Conditions { executor, .. } => executor.borrow().program().reads_request(),
            Step::Matching(_) => false,
        })
    }
}

/// Conditions of one context, where there are any.
type List = Option<Vec<Statement>>;

/// The contexts of a signal, from the outside in.
fn contexts(signal: Signal) -> &'static [Context] {
    use Context::{DataPoint, Log, Metric, Resource, Scope, Span, SpanEvent};
    match signal {
        Signal::Traces => &[Resource, Scope, Span, SpanEvent],
        Signal::Metrics => &[Resource, Scope, Metric, DataPoint],
        Signal::Logs => &[Resource, Scope, Log],
        Signal::Profiles => &[],
    }
}

/// The contexts that the configuration knows by name, those of other signals included.
const NAMED: [Context; 8] = [
    Context::Resource,
    Context::Scope,
    Context::Span,
    Context::SpanEvent,
    Context::Metric,
    Context::DataPoint,
    Context::Log,
    Context::Profile,
];

impl Config {
    pub(super) fn check_conditions(&self, problems: &mut Problems) {
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            let faults = self.conditions(signal, problems.gates()).err();
            for (at, text) in faults.into_iter().flatten() {
                match at {
                    Some(at) => problems.push_at(&at, text),
                    None => problems.push(text),
                }
            }
        }
    }

    /// Whether the processor can be built for a signal.
    ///
    /// # Errors
    /// What is wrong with its conditions or matching.
    pub fn buildable(&self, signal: Signal, gates: &Gates) -> Result<(), String> {
        self.plan(signal, gates).map(|_| ())
    }

    /// What is asked of a request of this signal.
    ///
    /// # Errors
    /// What is wrong with conditions or matching.
    pub fn plan(&self, signal: Signal, gates: &Gates) -> Result<Plan, String> {
        let passes = self.conditions(signal, gates).map_err(|faults| {
            let texts: Vec<String> = faults.into_iter().map(|(_, text)| text).collect();
            texts.join("; ")
        })?;
        if !passes.is_empty() {
            return Ok(Plan { passes });
        }
        let steps: Vec<Step> = matching::compile(self, signal)?
            .into_iter()
            .map(Step::Matching)
            .collect();
        let deepest = steps.iter().map(Step::level).max();
        let pass = deepest.map(|deepest| Pass { steps, deepest });
        Ok(Plan {
            passes: pass.into_iter().collect(),
        })
    }

    /// The conditions for a signal, of the newer form or the older one.
    fn conditions(&self, signal: Signal, gates: &Gates) -> Result<Vec<Pass>, Vec<Fault>> {
        let empty = Groups::default();
        let (groups, lists): (_, Vec<(Context, &List)>) = match signal {
            Signal::Traces => (
                &self.trace_conditions,
                vec![
                    (Context::Resource, &self.traces.resource),
                    (Context::Span, &self.traces.span),
                    (Context::SpanEvent, &self.traces.spanevent),
                ],
            ),
            Signal::Metrics => (
                &self.metric_conditions,
                vec![
                    (Context::Resource, &self.metrics.resource),
                    (Context::Metric, &self.metrics.metric),
                    (Context::DataPoint, &self.metrics.datapoint),
                ],
            ),
            Signal::Logs => (
                &self.log_conditions,
                vec![
                    (Context::Resource, &self.logs.resource),
                    (Context::Log, &self.logs.log_record),
                ],
            ),
            Signal::Profiles => (&empty, Vec::new()),
        };
        let mut passes = Vec::new();
        let mut wrong = Vec::new();
        for group in &groups.0 {
            match self.group(group, signal, gates) {
                Ok(pass) => passes.push(pass),
                Err(found) => wrong.extend(found),
            }
        }
        let mut asked = Asked::default();
        for (context, list) in lists {
            let Some(list) = list else { continue };
            let compiler = compiler(contexts(signal), gates).in_context(context);
            asked.program(context);
            asked.add(&compiler, list, &mut wrong);
        }
        if !asked.programs.is_empty() {
            passes.push(asked.pass(self.error_mode));
        }
        match wrong.is_empty() {
            true => Ok(passes),
            false => Err(wrong),
        }
    }

    fn group(&self, group: &Group, signal: Signal, gates: &Gates) -> Result<Pass, Vec<Fault>> {
        let contexts = contexts(signal);
        let mut compiler = compiler(contexts, gates);
        if !group.context.is_empty() {
            let at = || group.conditions.first().map(|first| first.at.clone());
            let lower = group.context.to_lowercase();
            let Some(context) = NAMED.into_iter().find(|context| context.name() == lower) else {
                return Err(vec![(at(), format!("unknown context {lower}"))]);
            };
            if !contexts.contains(&context) {
                let text = format!("context \"{context}\" is not one of {}", signal.name());
                return Err(vec![(at(), text)]);
            }
            compiler = compiler.in_context(context);
        }
        let (mut asked, mut wrong) = (Asked::default(), Vec::new());
        asked.add(&compiler, &group.conditions, &mut wrong);
        match wrong.is_empty() {
            true => Ok(asked.pass(group.error_mode.unwrap_or(self.error_mode))),
            false => Err(wrong),
        }
    }
}

fn compiler(contexts: &[Context], gates: &Gates) -> Compiler {
    let lambdas = gates.is_on("ottl.functions.enableLambda");
    Compiler::new(Host::Filter, contexts).with_lambdas(lambdas)
}

/// Conditions gathered by the context that each is in.
#[derive(Default)]
struct Asked {
    programs: Vec<Program>,
}

impl Asked {
    fn program(&mut self, context: Context) -> Option<&mut Program> {
        let found = self.programs.iter().position(|of| of.context == context);
        let at = found.unwrap_or_else(|| {
            self.programs.push(Program {
                context,
                conditions: Vec::new(),
                statements: Vec::new(),
            });
            self.programs.len() - 1
        });
        self.programs.get_mut(at)
    }

    /// Compiles conditions one by one: of each its own paths say which context it has.
    fn add(&mut self, compiler: &Compiler, list: &[Statement], wrong: &mut Vec<Fault>) {
        for statement in list {
            match compiler.condition(&statement.text) {
                Ok((context, condition)) => {
                    if let Some(program) = self.program(context) {
                        program.conditions.push(condition);
                    }
                }
                Err(errors) => wrong.extend(faults(std::iter::once(statement), &errors)),
            }
        }
    }

    fn pass(mut self, mode: ErrorMode) -> Pass {
        let level = |program: &Program| program.context.level().unwrap_or(Level::Resource);
        self.programs.sort_by_key(level);
        let deepest = self.programs.iter().map(level).max();
        let steps = self.programs.into_iter().map(|program| Step::Conditions {
            said: program.conditions.iter().map(|_| Said::default()).collect(),
            mode: mode.mode(),
            executor: Box::new(RefCell::new(Executor::new(Arc::new(program)))),
        });
        Pass {
            steps: steps.collect(),
            deepest: deepest.unwrap_or(Level::Resource),
        }
    }
}

impl Step {
    /// The level of the rows asked about.
    pub fn level(&self) -> Level {
        match self {
            Step::Conditions { executor, .. } => {
                let level = executor.borrow().program().context.level();
                level.unwrap_or(Level::Resource)
            }
            Step::Matching(matching) => matching.level(),
        }
    }
}
