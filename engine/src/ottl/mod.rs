//! What the components that run OTTL share: where in the file a statement stands, error modes,
//! what statements may know of the request, and warnings that do not flood the log. What
//! statements mean is `trunkline_ottl`'s; when they run is each component's.

mod conditions;
pub mod emptied;
mod groups;
pub mod rules;
mod warnings;

use tonic::Code;
use trunkline_ottl::{Program, error::Diagnostics, failure::Failure, run};
use trunkline_proto::batch::Error;

pub use self::{
    conditions::{ByContext, Conditions},
    groups::{Grouped, Groups},
    warnings::{Kind, Warnings},
};
use crate::{
    component::{Printed, Problems, Refusal, RequestContext, Setting, Shape, choice},
    config::{
        diagnostics::Decoder,
        node::{Node, Position},
    },
    telemetry::metrics::Statements,
};

choice! {
    /// What happens when a statement or condition fails on an item.
    pub enum ErrorMode as "ottl.ErrorMode", message "unknown error mode %s", any_case {
        /// The statement is passed over on this item, and the failure logged.
        Ignore = "ignore";
        /// The statement is passed over on this item.
        Silent = "silent";
        /// The request is refused.
        Propagate = "propagate";
    }
}

// The macro takes no attributes.
#[allow(clippy::derivable_impls)]
impl Default for ErrorMode {
    fn default() -> Self {
        ErrorMode::Ignore
    }
}

impl ErrorMode {
    /// The evaluator's word for it.
    pub fn mode(self) -> run::ErrorMode {
        match self {
            ErrorMode::Ignore => run::ErrorMode::Ignore,
            ErrorMode::Silent => run::ErrorMode::Silent,
            ErrorMode::Propagate => run::ErrorMode::Propagate,
        }
    }
}

/// A statement or condition, and where it stands.
#[derive(Clone, Debug)]
pub struct Statement {
    /// As the user wrote it.
    pub text: String,
    /// Where it stands in the configuration.
    pub at: Position,
}

impl Default for Statement {
    fn default() -> Self {
        Statement {
            text: String::new(),
            at: Position::whole(""),
        }
    }
}

impl Setting for Statement {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        self.at = node.at.clone();
        self.text.decode(node, cx);
    }
    fn clear(&mut self) {
        self.text.clear();
    }
    fn print(&self) -> Printed {
        self.text.print()
    }
    fn shape(&self) -> Shape {
        Shape::Text
    }
}

/// What is wrong with a statement, and where that stands.
pub type Fault = (Option<Position>, String);

/// Each error with the place of the statement that it is about.
pub fn faults<'a>(
    statements: impl Iterator<Item = &'a Statement> + Clone,
    errors: &Diagnostics,
) -> Vec<Fault> {
    let place = |text: &str| {
        let found = statements.clone().find(|statement| statement.text == text);
        found.map(|found| found.at.clone())
    };
    let located = errors
        .0
        .iter()
        .map(|error| (place(error.source_text()), error.to_string()));
    located.collect()
}

/// Tells of each fault where it stands.
pub fn tell(faults: Vec<Fault>, problems: &mut Problems) {
    for (at, text) in faults {
        match at {
            Some(at) => problems.push_at(&at, text),
            None => problems.push(text),
        }
    }
}

/// The faults without their places, as one text.
pub fn joined(faults: Vec<Fault>, separator: &str) -> String {
    let texts: Vec<String> = faults.into_iter().map(|(_, text)| text).collect();
    texts.join(separator)
}

/// Why a request goes no further.
#[derive(Debug)]
pub enum Refused {
    /// It is not valid.
    Invalid(Error),
    /// A statement or condition failed, and the error mode is `propagate`.
    Stopped(run::Stopped),
    /// There is no memory to take it apart.
    NoRoom,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused::Invalid(error)
    }
}

impl From<run::Stopped> for Refused {
    fn from(stopped: run::Stopped) -> Refused {
        match stopped.cause {
            // Not a statement's: the request cannot be taken apart.
            Failure::Batch(error) if stopped.source.is_empty() => Refused::Invalid(error),
            _ => Refused::Stopped(stopped),
        }
    }
}

impl From<Failure> for Refused {
    fn from(cause: Failure) -> Refused {
        Refused::from(run::Stopped {
            source: String::new(),
            condition: true,
            row: 0,
            cause,
        })
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Refusal {
        match refused {
            Refused::Invalid(error) => Refusal::permanent(Code::InvalidArgument, error.to_string()),
            // An error that is not marked permanent: the Collector lets callers try again.
            Refused::Stopped(stopped) => Refusal::retry(stopped.to_string(), None),
            Refused::NoRoom => Refusal::no_room(),
        }
    }
}

/// What statements may know of a request. There are no authenticators yet.
pub fn known(context: &RequestContext) -> run::Request {
    let mut metadata: Vec<(String, Vec<String>)> = Vec::new();
    for (key, value) in context.metadata.iter().flat_map(|metadata| metadata.iter()) {
        match metadata.iter_mut().find(|(known, _)| known == key) {
            Some((_, values)) => values.push(value.clone()),
            None => metadata.push((key.clone(), vec![value.clone()])),
        }
    }
    run::Request {
        address: context
            .client
            .map(|client| client.ip().to_canonical().to_string()),
        grpc: metadata.clone(),
        metadata,
        auth: Vec::new(),
    }
}

/// Says which experimental functions a list of statements, conditions or rules of a component uses,
/// once for all cores.
pub fn warn_of_experimental<'p>(
    component: &Statements<'_>,
    list: impl IntoIterator<Item = &'p Program>,
) {
    let mut functions: Vec<&str> = list.into_iter().flat_map(Program::experimental).collect();
    if component.core() != 0 || functions.is_empty() {
        return;
    }
    functions.sort_unstable();
    functions.dedup();
    tracing::warn!(
        otelcol.component.id = component.component(),
        otelcol.signal = component.signal().name(),
        functions = functions.join(", "),
        "Experimental OTTL functions are used; they may change or go"
    );
}
