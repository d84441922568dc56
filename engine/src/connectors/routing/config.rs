//! Keys and defaults of the connector `routing`, and its table compiled: of each route in which
//! context it is asked, and how.

use trunkline_ottl::{Compiler, Program, contexts::Context, functions::Host, program::ConditionOf};

use super::request::Header;
use crate::{
    component::{PipelineId, Problems, choice, declare},
    connectors::pipelines::Pipeline,
    ottl::{self, ErrorMode, Fault, Statement, faults},
};

declare! {
    /// Sends telemetry to the pipelines that a table says.
    pub struct Config as "routingconnector.Config", check Config::rules {
        /// What happens when a condition fails on an item: `ignore`, `silent` or `propagate`.
        error_mode: ErrorMode = ErrorMode::Ignore;
        /// Where that goes which no route took. Absent: it is dropped.
        default_pipelines: Vec<Pipeline> = Vec::new();
        /// The routes, in order; at least one.
        table: Vec<Route> = Vec::new();
    }
}

declare! {
    /// A route: what it takes, and where that goes.
    pub struct Route as "routingconnector.RoutingTableItem" {
        /// What it takes: `resource`, `span`, `metric`, `datapoint`, `log`, `profile`,
        /// `profilesample`, or all of a request: `otelcol`, `request`. Absent: what the paths say, else `resource`.
        context: String = String::new();
        /// It takes that on which this statement's condition holds, changed by the statement.
        statement: Statement = Statement::default();
        /// It takes that on which this condition holds.
        condition: Statement = Statement::default();
        /// Whether what it took is there for later routes: `move` (no) or `copy` (yes).
        action: Action = Action::Move;
        /// The pipelines; at least one.
        pipelines: Vec<Pipeline> = Vec::new();
    }
}

choice! {
    /// What becomes of what a route took.
    pub enum Action as "routingconnector.Action", message "invalid action: %s" zero "move" {
        /// Later routes do not see it.
        Move = "move";
        /// Later routes see it, too.
        Copy = "copy";
    }
}

/// What a route asks.
#[derive(Debug)]
pub enum Question {
    /// A header of the request.
    Header(Header),
    /// A condition on rows of a context, or on the request.
    Condition(Context, ConditionOf),
    /// A statement, run on rows.
    Statement(Program),
}

impl Question {
    /// The context in which rows are asked; of a header there is none.
    pub fn context(&self) -> Option<Context> {
        match self {
            Question::Header(_) => None,
            Question::Condition(context, _) => Some(*context),
            Question::Statement(program) => Some(program.context),
        }
    }
}

const CONTEXTS: [Context; 8] = [
    Context::OtelCol,
    Context::Resource,
    Context::Span,
    Context::Metric,
    Context::DataPoint,
    Context::Log,
    Context::Profile,
    Context::ProfileSample,
];

impl Config {
    fn rules(&self, problems: &mut Problems) {
        if self.table.is_empty() {
            problems.push("invalid routing table: the routing table is empty");
        }
        for route in &self.table {
            if let Err(faults) = route.checked() {
                ottl::tell(faults, problems);
            }
        }
    }

    /// All pipelines that it names.
    pub fn pipelines(&self) -> impl Iterator<Item = &PipelineId> {
        let routed = self.table.iter().flat_map(|route| &route.pipelines);
        routed
            .chain(&self.default_pipelines)
            .filter_map(Pipeline::id)
    }
}

impl Route {
    fn checked(&self) -> Result<Question, Vec<Fault>> {
        let fail = |text: &str| Err(vec![(None, text.to_owned())]);
        let (statement, condition) = (&self.statement.text, &self.condition.text);
        if statement.is_empty() && condition.is_empty() {
            return fail("invalid route: no condition or statement provided");
        }
        if !statement.is_empty() && !condition.is_empty() {
            return fail("invalid route: both condition and statement provided");
        }
        if self.pipelines.is_empty() {
            return fail("invalid route: no pipelines defined");
        }
        self.question()
    }

    /// What it asks.
    ///
    /// # Errors
    /// What is wrong with its context, statement or condition.
    pub fn question(&self) -> Result<Question, Vec<Fault>> {
        let place = || match self.condition.text.is_empty() {
            true => Some(self.statement.at.clone()),
            false => Some(self.condition.at.clone()),
        };
        if self.context == "request" {
            if self.condition.text.is_empty() {
                let text = "\"request\" context requires a 'condition'".to_owned();
                return Err(vec![(place(), text)]);
            }
            let header = Header::parse(&self.condition.text);
            return header
                .map(Question::Header)
                .map_err(|text| vec![(place(), text.to_owned())]);
        }
        let compiler = Compiler::new(Host::Routing, &CONTEXTS);
        if self.context.is_empty() {
            // Paths without a context were those of resources before there was inference.
            return self.compile(&compiler).or_else(|wrong| {
                self.compile(&compiler.in_context(Context::Resource))
                    .map_err(|_| wrong)
            });
        }
        let named = CONTEXTS
            .into_iter()
            .find(|context| context.name() == self.context);
        match named {
            Some(context) => self.compile(&compiler.in_context(context)),
            None => Err(vec![(
                place(),
                format!("invalid context: {}", self.context),
            )]),
        }
    }

    fn compile(&self, compiler: &Compiler) -> Result<Question, Vec<Fault>> {
        if self.statement.text.is_empty() {
            return match compiler.condition(&self.condition.text) {
                Ok((context, condition)) => Ok(Question::Condition(context, condition)),
                Err(errors) => Err(faults(std::iter::once(&self.condition), &errors)),
            };
        }
        let program = compiler
            .statements(&[self.statement.text.as_str()], &[])
            .map_err(|errors| faults(std::iter::once(&self.statement), &errors))?;
        match program.statements.first() {
            // It does nothing but ask.
            Some(statement) if statement.editor.function.name == "route" => {
                let (source, condition) = (statement.source.clone(), statement.condition.clone());
                let asked = ConditionOf { source, condition };
                Ok(Question::Condition(program.context, asked))
            }
            _ => Ok(Question::Statement(program)),
        }
    }
}
