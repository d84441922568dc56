//! Configuration of the processor `filter`, compiled for a signal: what is asked of the rows of
//! which level, in which order. The oldest form (`include`, `exclude`) is in `matching`.

use trunkline_ottl::{Compiler, contexts::Context, functions::Host};
use trunkline_proto::{Signal, batch::Level};

use super::{
    config::{Config, Group},
    matching::{self, Matching},
};
use crate::{
    component::Problems,
    config::Gates,
    ottl::{self, ByContext, Conditions, Fault, Statement},
    telemetry::metrics::Statements,
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
    Conditions(Conditions),
    /// Rows that `include` does not match or `exclude` does.
    Matching(Matching),
}

impl Plan {
    /// Counts what conditions do among the statements of a component.
    pub fn counted(mut self, component: &Statements<'_>) -> Plan {
        for pass in &mut self.passes {
            let steps = std::mem::take(&mut pass.steps).into_iter();
            let counted = steps.map(|step| match step {
                Step::Conditions(conditions) => Step::Conditions(conditions.counted(component)),
                matching => matching,
            });
            pass.steps = counted.collect();
        }
        self
    }

    /// Whether some condition looks at the request.
    pub fn reads_request(&self) -> bool {
        let mut steps = self.passes.iter().flat_map(|pass| &pass.steps);
        steps.any(|step| match step {
            Step::Conditions(conditions) => conditions.reads_request(),
            Step::Matching(_) => false,
        })
    }
}

/// Conditions of one context, where there are any.
type List = Option<Vec<Statement>>;

/// The contexts of a signal, from the outside in.
fn contexts(signal: Signal) -> &'static [Context] {
    use Context::{DataPoint, Log, Metric, Profile, Resource, Scope, Span, SpanEvent};
    match signal {
        Signal::Traces => &[Resource, Scope, Span, SpanEvent],
        Signal::Metrics => &[Resource, Scope, Metric, DataPoint],
        Signal::Logs => &[Resource, Scope, Log],
        Signal::Profiles => &[Resource, Scope, Profile],
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
        for signal in Signal::ALL {
            if let Err(faults) = self.conditions(signal, problems.gates()) {
                ottl::tell(faults, problems);
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
        let passes = self
            .conditions(signal, gates)
            .map_err(|faults| ottl::joined(faults, "; "))?;
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
            Signal::Profiles => (
                &self.profile_conditions,
                vec![
                    (Context::Resource, &self.profiles.resource),
                    (Context::Profile, &self.profiles.profile),
                ],
            ),
        };
        let mut passes = Vec::new();
        let mut wrong = Vec::new();
        for group in &groups.0 {
            match self.group(group, signal, gates) {
                Ok(pass) => passes.push(pass),
                Err(found) => wrong.extend(found),
            }
        }
        let mut asked = ByContext::default();
        let mut lists_given = false;
        for (context, list) in lists {
            let Some(list) = list else { continue };
            let compiler = compiler(contexts(signal), gates).in_context(context);
            asked.of(context);
            asked.add(&compiler, list, &mut wrong);
            lists_given = true;
        }
        if lists_given {
            passes.push(pass(asked.conditions(self.error_mode.mode())));
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
        let mode = group.error_mode.unwrap_or(self.error_mode).mode();
        Conditions::compile(&compiler, &group.conditions, mode).map(pass)
    }
}

fn compiler(contexts: &[Context], gates: &Gates) -> Compiler {
    let lambdas = gates.is_on("ottl.functions.enableLambda");
    Compiler::new(Host::Filter, contexts).with_lambdas(lambdas)
}

fn pass(conditions: Vec<Conditions>) -> Pass {
    let deepest = conditions.iter().map(Conditions::level).max();
    Pass {
        steps: conditions.into_iter().map(Step::Conditions).collect(),
        deepest: deepest.unwrap_or(Level::Resource),
    }
}

impl Step {
    /// The level of the rows asked about.
    pub fn level(&self) -> Level {
        match self {
            Step::Conditions(conditions) => conditions.level(),
            Step::Matching(matching) => matching.level(),
        }
    }
}
