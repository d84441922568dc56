//! What statements, conditions and rules of a component did: rows matched and failed, and time.
//! Counts come once a request, so that nothing is written by row.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use trunkline_ottl::{failure::Failure, run::Counts};
use trunkline_proto::Signal;

use super::{
    cells::{Counter, Gauge},
    descriptors::{self as desc, Level},
    registry::Registry,
};
use crate::component::CoreContext;

/// Longest text that is shown as a label, bytes.
const MAX_TEXT: usize = 120;

/// A component whose statements are counted, and how many it has so far.
#[derive(Debug)]
pub struct Statements<'a> {
    registry: &'a Arc<Registry>,
    core: usize,
    kind: &'static str,
    component: &'a str,
    signal: Signal,
    known: Cell<usize>,
}

impl<'a> Statements<'a> {
    /// None yet, of a component (`processor` or `connector`, its id) on a core.
    pub fn new(
        core: &'a CoreContext,
        kind: &'static str,
        component: &'a str,
        signal: Signal,
    ) -> Statements<'a> {
        Statements {
            registry: &core.registry,
            core: core.core,
            kind,
            component,
            signal,
            known: Cell::new(0),
        }
    }

    /// Whether time is shown, and so is to be taken.
    pub fn timed(&self) -> bool {
        self.registry.level() >= Level::Detailed
    }

    /// The number of the core.
    pub fn core(&self) -> usize {
        self.core
    }

    /// The component's id.
    pub fn component(&self) -> &'a str {
        self.component
    }

    /// The signal of the pipeline.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// The counters of these statements of a context, by their texts; they are called by their
    /// positions among all of the component, from 1.
    pub fn of<'t>(
        &self,
        context: &str,
        texts: impl IntoIterator<Item = &'t str>,
    ) -> StatementMetrics {
        let all = texts.into_iter().map(|text| {
            self.known.set(self.known.get() + 1);
            self.one(context, &self.known.get().to_string(), text)
        });
        StatementMetrics(all.collect())
    }

    /// The counters of statements that have names, each with its context and its text.
    pub fn named<'t>(
        &self,
        statements: impl IntoIterator<Item = (&'t str, &'t str, &'t str)>,
    ) -> StatementMetrics {
        let all = statements.into_iter();
        let all = all.map(|(context, name, text)| self.one(context, name, text));
        StatementMetrics(all.collect())
    }

    fn one(&self, context: &str, name: &str, text: &str) -> Statement {
        let labels = [
            ("otelcol_component_kind", self.kind),
            ("otelcol_component_id", self.component),
            ("otelcol_signal", self.signal.name()),
            ("context", context),
            ("statement", name),
        ];
        let counter = |descriptor| self.registry.counter(self.core, descriptor, &labels);
        let info = (text.len() <= MAX_TEXT).then(|| {
            let mut labels = labels.to_vec();
            labels.push(("text", text));
            let gauge = self
                .registry
                .gauge(self.core, &desc::STATEMENT_INFO, &labels);
            gauge.set(1);
            gauge
        });
        Statement {
            matched: counter(&desc::STATEMENT_MATCHED),
            failed: counter(&desc::STATEMENT_FAILED),
            nanos: self.timed().then(|| counter(&desc::STATEMENT_NANOSECONDS)),
            _info: info,
        }
    }
}

/// The counters of some statements of a component: `trunkline_statement_*`.
#[derive(Debug)]
pub struct StatementMetrics(Vec<Statement>);

#[derive(Debug)]
struct Statement {
    matched: Counter,
    failed: Counter,
    nanos: Option<Counter>,
    /// The series is there as long as somebody has it.
    _info: Option<Gauge>,
}

impl StatementMetrics {
    /// Whether time is shown, and so is to be taken.
    pub fn timed(&self) -> bool {
        self.0.iter().any(|statement| statement.nanos.is_some())
    }

    /// What the statements did to a request, in their order.
    pub fn add(&self, counts: &[Counts]) {
        for (statement, counts) in self.0.iter().zip(counts) {
            statement.matched.add(counts.matched);
            statement.failed.add(counts.failed);
            if let Some(nanos) = &statement.nanos {
                nanos.add(counts.nanos);
            }
        }
    }
}

/// Failures of the rules of a component by rule and cause: `trunkline_rule_failures`.
#[derive(Debug)]
pub struct RuleFailures {
    registry: Arc<Registry>,
    core: usize,
    kind: &'static str,
    component: String,
    signal: Signal,
    rules: Vec<String>,
    /// Rules and causes that have failed before.
    known: RefCell<Vec<(usize, &'static str, Counter)>>,
}

impl RuleFailures {
    /// Of these rules, by name.
    pub fn new(component: &Statements<'_>, rules: Vec<String>) -> RuleFailures {
        RuleFailures {
            registry: component.registry.clone(),
            core: component.core,
            kind: component.kind,
            component: component.component.to_owned(),
            signal: component.signal,
            rules,
            known: RefCell::default(),
        }
    }

    /// A rule failed on a row. The first time for a cause makes the series; later ones count.
    pub fn failed(&self, rule: usize, cause: &Failure) {
        let cause = word(cause);
        let mut known = self.known.borrow_mut();
        let found = known
            .iter()
            .find(|(of, why, _)| (*of, *why) == (rule, cause));
        if let Some((_, _, counter)) = found {
            return counter.add(1);
        }
        let Some(name) = self.rules.get(rule) else {
            return;
        };
        let labels = [
            ("otelcol_component_kind", self.kind),
            ("otelcol_component_id", self.component.as_str()),
            ("otelcol_signal", self.signal.name()),
            ("rule", name),
            ("cause", cause),
        ];
        let counter = self
            .registry
            .counter(self.core, &desc::RULE_FAILURES, &labels);
        counter.add(1);
        known.push((rule, cause, counter));
    }
}

/// A word for each cause, of which there are few.
fn word(cause: &Failure) -> &'static str {
    match cause {
        Failure::Type { .. } | Failure::NotBool(_) | Failure::Incomparable(_) => "type",
        Failure::Setter { .. } | Failure::SetNil | Failure::NotAssignable(_) => "assignment",
        Failure::ReadOnly(_) => "read_only",
        Failure::Index(_) => "index",
        Failure::DivideByZero | Failure::Math(_) => "math",
        Failure::Parse(_) => "parse",
        Failure::Function(_) => "function",
        Failure::TooDeep | Failure::TooLong(_) => "limit",
        Failure::Batch(_) => "data",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::{Page, write_page};

    fn page(level: Level) -> String {
        let registry = Arc::new(Registry::new(level));
        let statements = |component, core| Statements {
            registry: &registry,
            core,
            kind: "processor",
            component,
            signal: Signal::Logs,
            known: Cell::new(0),
        };
        let long = "x".repeat(MAX_TEXT + 1);
        let mut held = Vec::new();
        for core in 0..2 {
            let of = statements("transform", core);
            let (first, second) = (of.of("log", ["a", &long]), of.of("resource", ["b"]));
            let counts = |matched, failed, nanos| Counts {
                matched,
                failed,
                nanos,
            };
            first.add(&[counts(3, 1, 10), counts(0, 0, 5)]);
            second.add(&[counts(2, 0, 7)]);
            held.extend([first, second]);
        }
        let failures = RuleFailures::new(&statements("rules", 0), vec!["cut".to_owned()]);
        failures.failed(0, &Failure::DivideByZero);
        failures.failed(0, &Failure::Math(String::new()));
        failures.failed(0, &Failure::SetNil);
        let page = write_page(&registry, &Page::default());
        let lines = page.lines().filter(|line| line.starts_with("trunkline_"));
        let lines: Vec<String> = lines
            .map(|line| {
                let line = line.replace("trunkline_", "");
                line.replace("otelcol_component_kind=\"processor\",", "")
                    .replace(",otelcol_signal=\"logs\"", "")
                    .replace("otelcol_component_id=", "id=")
            })
            .collect();
        lines.join("\n")
    }

    #[test]
    fn statements_are_counted_under_component_context_and_position() {
        let expected = r#"rule_failures{cause="assignment",id="rules",rule="cut"} 1
rule_failures{cause="math",id="rules",rule="cut"} 2
statement_failed_rows{context="log",id="transform",statement="1"} 2
statement_failed_rows{context="log",id="transform",statement="2"} 0
statement_failed_rows{context="resource",id="transform",statement="3"} 0
statement_info{context="log",id="transform",statement="1",text="a"} 1
statement_info{context="resource",id="transform",statement="3",text="b"} 1
statement_matched_rows{context="log",id="transform",statement="1"} 6
statement_matched_rows{context="log",id="transform",statement="2"} 0
statement_matched_rows{context="resource",id="transform",statement="3"} 4"#;
        assert_eq!(page(Level::Normal), expected);
        let times = r#"statement_nanoseconds{context="log",id="transform",statement="1"} 20
statement_nanoseconds{context="log",id="transform",statement="2"} 10
statement_nanoseconds{context="resource",id="transform",statement="3"} 14"#;
        assert_eq!(page(Level::Detailed), format!("{expected}\n{times}"));
        assert_eq!(page(Level::Basic), "");
    }
}
