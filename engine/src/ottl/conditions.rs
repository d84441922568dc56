//! The face that conditions have for components: `filter` and `routing` choose rows by it, and so
//! does whatever else asks conditions of a request (counting, de-duplication, sampling). What is
//! done with the rows is each component's.

use std::{cell::RefCell, sync::Arc};

use trunkline_ottl::{
    Compiler, Program,
    columns::Executor,
    contexts::Context,
    program::ConditionOf,
    run::{Choice, ErrorMode, Request, RowFailure, Selected, Verdict},
};
use trunkline_proto::batch::{Data, Level};

use super::{Fault, Kind, Refused, Statement, Warnings, faults, warn_of_experimental};
use crate::telemetry::metrics::{StatementMetrics, Statements};

/// Conditions of one context, ready to be asked on one core: which rows does one of them hold on?
/// Failures are logged, not more than one a second for each condition.
#[derive(Debug)]
pub struct Conditions {
    /// Borrowed only while they are asked, in which nothing else of the core happens.
    executor: Box<RefCell<Executor>>,
    context: Context,
    reads_request: bool,
    mode: ErrorMode,
    /// Of failures, by condition.
    warnings: Warnings,
    metrics: Option<StatementMetrics>,
}

impl Conditions {
    /// Of one context. `mode` says what becomes of failures: in [`ErrorMode::Propagate`] the
    /// verdict has the first one, and what that means is the caller's.
    pub fn new(context: Context, conditions: Vec<ConditionOf>, mode: ErrorMode) -> Conditions {
        let warnings = Warnings::new(conditions.iter().map(|_| Kind::Condition));
        let program = Program {
            context,
            conditions,
            statements: Vec::new(),
        };
        Conditions {
            context,
            reads_request: program.reads_request(),
            mode,
            warnings,
            metrics: None,
            executor: Box::new(RefCell::new(Executor::new(Arc::new(program)))),
        }
    }

    /// Compiles texts. Of each its own paths say which context it has, unless the compiler has
    /// one; there is one element a context, from the outside in.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, and where it stands.
    pub fn compile(
        compiler: &Compiler,
        texts: &[Statement],
        mode: ErrorMode,
    ) -> Result<Vec<Conditions>, Vec<Fault>> {
        let (mut by_context, mut wrong) = (ByContext::default(), Vec::new());
        by_context.add(compiler, texts, &mut wrong);
        match wrong.is_empty() {
            true => Ok(by_context.conditions(mode)),
            false => Err(wrong),
        }
    }

    /// Counts what they do among the statements of a component.
    pub fn counted(mut self, component: &Statements<'_>) -> Conditions {
        let executor = self.executor.get_mut();
        executor.take_time(component.timed());
        warn_of_experimental(component, [&**executor.program()]);
        let conditions = executor.program().conditions.iter();
        let texts = conditions.map(|condition| &*condition.source);
        self.metrics = Some(component.of(self.context.name(), texts));
        self
    }

    /// What the rows are.
    pub fn context(&self) -> Context {
        self.context
    }

    /// The level of the rows; in the context `otelcol`, which has none, resources.
    pub fn level(&self) -> Level {
        self.context.level().unwrap_or(Level::Resource)
    }

    /// Whether some condition looks at the request and its sender.
    pub fn reads_request(&self) -> bool {
        self.reads_request
    }

    /// Asks about all rows of the context, or those `among`; in a context without rows
    /// (`otelcol`) the request as a whole is row 0, and `among` is not looked at.
    ///
    /// # Errors
    /// [`Refused::Invalid`] when the request cannot be taken apart. Failures of conditions are no
    /// errors: in [`ErrorMode::Propagate`] the verdict has the first.
    pub fn ask(
        &self,
        data: &mut Data,
        among: Option<&Selected>,
        request: &Request,
    ) -> Result<Verdict, Refused> {
        let among = self.context.level().and(among);
        let mut tell = |failure: RowFailure<'_>| self.tell(&failure);
        let mut executor = self.executor.borrow_mut();
        let asked = executor.select(data, among, request, self.mode, &mut tell);
        drop(executor);
        self.warnings.settle();
        if let (Some(metrics), Ok(verdict)) = (&self.metrics, &asked) {
            metrics.add(&verdict.counts);
        }
        asked.map_err(Refused::from)
    }

    /// Asks which condition holds first, on all rows of the context or those `among`, as
    /// [`Conditions::ask`] does: numbers of rows and of conditions.
    ///
    /// # Errors
    /// Those of [`Conditions::ask`].
    pub fn choose(
        &self,
        data: &mut Data,
        among: Option<&Selected>,
        request: &Request,
    ) -> Result<Choice, Refused> {
        let among = self.context.level().and(among);
        let mut tell = |failure: RowFailure<'_>| self.tell(&failure);
        let mut executor = self.executor.borrow_mut();
        let asked = executor.choose(data, among, request, self.mode, &mut tell);
        drop(executor);
        self.warnings.settle();
        if let (Some(metrics), Ok(choice)) = (&self.metrics, &asked) {
            metrics.add(&choice.counts);
        }
        asked.map_err(Refused::from)
    }

    /// Logs a failure, unless the same was logged a moment ago.
    fn tell(&self, failure: &RowFailure<'_>) {
        let at = failure.statement.unwrap_or_default();
        self.warnings.tell(at, failure.source, failure.cause);
    }
}

/// Conditions gathered by the context that each is in.
#[derive(Default)]
pub struct ByContext(Vec<(Context, Vec<ConditionOf>)>);

impl ByContext {
    /// The conditions of a context, none at first.
    pub fn of(&mut self, context: Context) -> Option<&mut Vec<ConditionOf>> {
        let found = self.0.iter().position(|(of, _)| *of == context);
        let at = found.unwrap_or_else(|| {
            self.0.push((context, Vec::new()));
            self.0.len() - 1
        });
        self.0.get_mut(at).map(|(_, conditions)| conditions)
    }

    /// Compiles texts one by one and adds them; what is wrong with any goes to `wrong`.
    pub fn add(&mut self, compiler: &Compiler, texts: &[Statement], wrong: &mut Vec<Fault>) {
        for text in texts {
            match compiler.condition(&text.text) {
                Ok((context, condition)) => {
                    if let Some(conditions) = self.of(context) {
                        conditions.push(condition);
                    }
                }
                Err(errors) => wrong.extend(faults(std::iter::once(text), &errors)),
            }
        }
    }

    /// One element a context, from the outside in.
    pub fn conditions(mut self, mode: ErrorMode) -> Vec<Conditions> {
        self.0
            .sort_by_key(|(context, _)| context.level().unwrap_or(Level::Resource));
        let all = self.0.into_iter();
        all.map(|(context, conditions)| Conditions::new(context, conditions, mode))
            .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use trunkline_ottl::functions::Host;
    use trunkline_proto::{Batch, Signal, json};

    use super::*;

    const CONTEXTS: [Context; 4] = [
        Context::OtelCol,
        Context::Resource,
        Context::Scope,
        Context::Log,
    ];

    fn compile(texts: &[&str], mode: ErrorMode) -> Result<Vec<Conditions>, Vec<Fault>> {
        let texts: Vec<Statement> = texts
            .iter()
            .map(|text| Statement {
                text: (*text).to_owned(),
                ..Statement::default()
            })
            .collect();
        Conditions::compile(&Compiler::new(Host::Filter, &CONTEXTS), &texts, mode)
    }

    fn batch() -> Batch {
        let mut text = br#"{"resourceLogs":[{"resource":{"attributes":[{"key":"env","value":{"stringValue":"prod"}}]},
            "scopeLogs":[{"logRecords":[{"severityNumber":9,"body":{"stringValue":"a"}},
            {"severityNumber":17,"body":{"stringValue":"b"}},{"severityNumber":17,"body":{"intValue":"1"}}]}]}]}"#
            .to_vec();
        let payload = json::to_protobuf(Signal::Logs, &mut text).unwrap();
        Batch::from_protobuf(Signal::Logs, payload).unwrap()
    }

    fn rows(verdict: &Verdict) -> Vec<u32> {
        (0..8)
            .filter(|row| verdict.selected.contains(*row))
            .collect()
    }

    #[test]
    fn rows_are_chosen_by_any_condition_of_their_context() {
        let texts = [
            "log.severity_number >= SEVERITY_NUMBER_ERROR",
            r#"resource.attributes["env"] == "prod""#,
            r#"log.body == "a""#,
            r#"otelcol.client.metadata["x-tenant"][0] == "acme""#,
        ];
        let all = compile(&texts, ErrorMode::Ignore).unwrap();
        let asked: Vec<_> = all
            .iter()
            .map(|of| {
                let mut batch = batch();
                let request = Request {
                    metadata: vec![("x-tenant".to_owned(), vec!["acme".to_owned()])],
                    ..Request::default()
                };
                let verdict = of.ask(batch.open().unwrap(), None, &request).unwrap();
                (
                    of.context().name(),
                    of.level(),
                    of.reads_request(),
                    rows(&verdict),
                )
            })
            .collect();
        assert_eq!(
            asked,
            [
                ("resource", Level::Resource, false, vec![0]),
                ("otelcol", Level::Resource, true, vec![0]),
                ("log", Level::Item, false, vec![0, 1, 2]),
            ]
        );
    }

    #[test]
    fn only_the_rows_among_those_given_are_asked() {
        let all = compile(&["log.severity_number == 17"], ErrorMode::Ignore).unwrap();
        let mut among = Selected::default();
        [0, 2].into_iter().for_each(|row| among.insert(row));
        let mut batch = batch();
        let data = batch.open().unwrap();
        let verdict = all[0].ask(data, Some(&among), &Request::default()).unwrap();
        assert_eq!(rows(&verdict), [2]);
    }

    #[test]
    fn a_failure_passes_the_row_over_and_is_the_callers_to_propagate() {
        for (mode, stopped) in [
            (ErrorMode::Ignore, None),
            (ErrorMode::Silent, None),
            (ErrorMode::Propagate, Some(0)),
        ] {
            let texts = [
                r#"log.body["k"] == 1 or log.severity_number == 9"#,
                "log.severity_number == 17",
            ];
            let all = compile(&texts, mode).unwrap();
            let mut batch = batch();
            let verdict = all[0].ask(batch.open().unwrap(), None, &Request::default());
            let verdict = verdict.unwrap();
            assert_eq!(
                verdict.stopped.map(|stopped| stopped.row),
                stopped,
                "{mode:?}"
            );
            assert_eq!(verdict.failed, 3, "{mode:?}");
            let expected: &[u32] = if stopped.is_some() { &[] } else { &[1, 2] };
            let selected = (0..8).filter(|row| verdict.selected.contains(*row));
            assert_eq!(selected.collect::<Vec<_>>(), expected, "{mode:?}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = compile(
            &["log.nothing == 1", "log.body == ", "log.flags == 1"],
            ErrorMode::Ignore,
        );
        assert_eq!(wrong.unwrap_err().len(), 2);
    }
}
