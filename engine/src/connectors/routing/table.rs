//! The table of routes, compiled: routes that are asked together, and asking them. What becomes
//! of the rows that they take is in `split`.

use std::{ops::Range, time::Instant};

use trunkline_ottl::{
    Program,
    contexts::{Context, Store},
    program::{ConditionOf, footprint},
    run::{self, Counts, ErrorMode, Request, RowFailure, Selected},
};
use trunkline_proto::{
    Signal,
    batch::{Data, Level},
};

use super::{
    config::{Action, Question},
    request::Header,
};
use crate::{
    component::RequestContext,
    ottl::{self, Conditions, Kind, Refused, Warnings},
    telemetry::metrics::{StatementMetrics, Statements},
};

/// A route of the table.
#[derive(Debug)]
pub struct Route {
    /// What becomes of what it took.
    pub action: Action,
    /// The number of its destination.
    pub destination: usize,
}

/// The table, compiled.
#[derive(Debug)]
pub struct Table {
    /// In order.
    pub routes: Vec<Route>,
    /// What they ask, in order.
    pub steps: Vec<Step>,
    /// Where the rest goes.
    pub default: Option<usize>,
    /// Number of destinations.
    pub destinations: usize,
    /// What happens when a condition fails.
    mode: ErrorMode,
}

/// Routes that are asked together.
#[derive(Debug)]
pub struct Step {
    /// Which.
    routes: Range<usize>,
    /// What they ask.
    pub asks: Asks,
}

/// What routes ask.
#[derive(Debug)]
pub enum Asks {
    /// A header of the request, and its counters.
    Header(Header, StatementMetrics),
    /// Conditions on rows, or on the request: the first that holds has the row.
    Conditions(Conditions),
    /// A statement, run on rows; the warnings of its failures, and its counters.
    Statement(Program, Warnings, StatementMetrics),
}

impl Asks {
    /// The level of the rows that are asked; of the request as a whole there is none.
    pub fn level(&self) -> Option<Level> {
        match self {
            Asks::Header(..) => None,
            Asks::Conditions(conditions) => conditions.context().level(),
            Asks::Statement(program, ..) => program.context.level(),
        }
    }
}

impl Table {
    /// A table of these routes, and where the rest goes. Conditions of one context that follow
    /// each other, on what is moved, become one program. What statements and conditions do is
    /// counted among the statements of the component.
    pub fn new(
        table: Vec<(Question, Route)>,
        default: Option<usize>,
        destinations: usize,
        mode: ErrorMode,
        component: &Statements<'_>,
    ) -> Table {
        let (mut routes, mut steps) = (Vec::<Route>::new(), Vec::new());
        let mut table = table.into_iter().peekable();
        while let Some((question, route)) = table.next() {
            let from = routes.len();
            let moves = route.action == Action::Move;
            routes.push(route);
            let asks = match question {
                Question::Header(header) => {
                    let metrics = component.of("request", [header.text()]);
                    Asks::Header(header, metrics)
                }
                Question::Statement(program) => {
                    ottl::warn_of_experimental(component, [&program]);
                    let texts = program.statements.iter().map(|of| &*of.source);
                    let metrics = component.of(program.context.name(), texts);
                    Asks::Statement(program, Warnings::new([Kind::Statement]), metrics)
                }
                Question::Condition(context, condition) => {
                    let mut conditions = vec![condition];
                    let joins = |(question, next): &(Question, Route)| {
                        moves
                            && next.action == Action::Move
                            && matches!(question, Question::Condition(of, condition)
                                if *of == context && is_alone(context, condition))
                    };
                    while let Some((question, next)) = table.next_if(joins) {
                        if let Question::Condition(_, condition) = question {
                            conditions.push(condition);
                        }
                        routes.push(next);
                    }
                    let conditions = Conditions::new(context, conditions, mode);
                    Asks::Conditions(conditions.counted(component))
                }
            };
            steps.push(Step {
                routes: from..routes.len(),
                asks,
            });
        }
        Table {
            routes,
            steps,
            default,
            destinations,
            mode,
        }
    }

    /// Whether some route looks at the request.
    pub fn reads_request(&self) -> bool {
        self.steps.iter().any(|step| match &step.asks {
            Asks::Header(..) => false,
            Asks::Conditions(conditions) => conditions.reads_request(),
            Asks::Statement(program, ..) => program.reads_request(),
        })
    }

    /// Whether routes take whole resources or requests only, and change and copy nothing.
    pub fn moves_resources(&self) -> bool {
        let moves = self.routes.iter().all(|of| of.action == Action::Move);
        moves
            && self.steps.iter().all(|step| {
                !matches!(step.asks, Asks::Statement(..))
                    && matches!(step.asks.level(), None | Some(Level::Resource))
            })
    }

    /// Asks the routes of a step: rows, all or those `among`, and the numbers of the routes that
    /// take them. The request as a whole is row 0.
    ///
    /// # Errors
    /// The request is not valid, or a condition failed and may not.
    pub fn ask(
        &self,
        step: &Step,
        data: &mut Data,
        among: Option<&Selected>,
        request: &Request,
        context: &RequestContext,
    ) -> Result<Vec<(u32, usize)>, Refused> {
        let from = step.routes.start;
        let (taken, stopped) = match &step.asks {
            Asks::Header(header, metrics) => {
                let started = metrics.timed().then(Instant::now);
                let headers = context.metadata.iter().flat_map(|all| all.iter());
                let holds = header.matches(headers);
                metrics.add(&[Counts {
                    matched: u64::from(holds),
                    failed: 0,
                    nanos: started.map_or(0, |of| of.elapsed().as_nanos() as u64),
                }]);
                (holds.then_some((0, from)).into_iter().collect(), None)
            }
            Asks::Conditions(conditions) => {
                let choice = conditions.choose(data, among, request)?;
                let chosen = choice.chosen.into_iter();
                let chosen = chosen.map(|(row, at)| (row, from + at as usize));
                (chosen.collect(), choice.stopped)
            }
            Asks::Statement(program, warnings, metrics) => {
                let mut tell =
                    |failure: RowFailure<'_>| warnings.tell(0, failure.source, failure.cause);
                let verdict = run::matches(program, data, request, self.mode, &mut tell);
                warnings.settle();
                let verdict = verdict?;
                metrics.add(&verdict.counts);
                let rows = data.rows(step.asks.level().unwrap_or(Level::Resource))?;
                let taken = rows.into_iter();
                let taken = taken.filter(|row| verdict.selected.contains(*row));
                (taken.map(|row| (row, from)).collect(), verdict.stopped)
            }
        };
        match stopped {
            Some(stopped) => Err(Refused::Stopped(stopped)),
            None => Ok(taken),
        }
    }
}

/// Whether what a condition says of a row does not depend on which others are left: points of a
/// metric may be counted.
fn is_alone(context: Context, condition: &ConditionOf) -> bool {
    context != Context::DataPoint
        || footprint::reads(&condition.condition)
            .iter()
            .all(|read| read.context != Context::Metric || !matches!(read.store, Store::Part(_)))
}

/// Whether rows of a context are to be found in requests of a signal.
pub fn fits(context: Context, signal: Signal) -> bool {
    match context {
        Context::Span => signal == Signal::Traces,
        Context::Metric | Context::DataPoint => signal == Signal::Metrics,
        Context::Log => signal == Signal::Logs,
        Context::Profile | Context::ProfileSample => signal == Signal::Profiles,
        _ => true,
    }
}
