//! Keys and defaults of the processor `rules`. What rules say is `trunkline_ottl`'s to read; here
//! is which signals each list is for, and where in the file each rule stands.

use trunkline_ottl::rules::{Decision, Entry, Rule, compile};
use trunkline_proto::Signal;

use crate::{
    component::{Printed, Problems, Setting, Shape, declare},
    config::{
        Gates,
        diagnostics::Decoder,
        node::{Node, Value},
    },
    ottl::{ErrorMode, Fault, Statement},
};

declare! {
    /// Keeps, drops and changes telemetry by rules: `condition > action`.
    pub struct Config as "rulesprocessor.Config", check Config::check {
        /// What happens when a rule fails on an item: `ignore`, `silent` or `propagate`.
        error_mode: ErrorMode = ErrorMode::Ignore;
        /// Rules for every signal in which their paths exist: a text, a list of texts, or a list
        /// of rules in parts. They come before those of one signal.
        rules: List = List::default();
        /// Rules for traces alone.
        traces: List = List::default();
        /// Rules for metrics alone.
        metrics: List = List::default();
        /// Rules for logs alone.
        logs: List = List::default();
    }
}

declare! {
    /// A rule in parts.
    pub struct Item as "rulesprocessor.Rule" {
        /// What to call it. Absent: its position in the list.
        name: String = String::new(), omit "";
        /// When it applies. Absent: always, or what `action` says itself.
        condition: String = String::new(), omit "";
        /// What it does: actions; without `condition` rules in full.
        action: Statement = Statement::default();
        /// Rules of higher priority come first, those of the same in order.
        priority: i64 = 0;
    }
}

/// A text of rules, or a list of texts or of rules in parts.
#[derive(Clone, Debug, Default)]
pub struct List(Vec<Item>);

impl Setting for List {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        let one = |node: &Node, cx: &mut Decoder<'_>| {
            let mut item = Item::default();
            match &node.value {
                Value::Mapping(_) => item.decode(node, cx),
                _ => item.action.decode(node, cx),
            }
            item
        };
        match &node.value {
            Value::Null => {}
            Value::Sequence(items) => {
                self.0.clear();
                for (i, item) in items.iter().enumerate() {
                    cx.at_index(i, |cx| match &item.value {
                        Value::Null if item.original.is_none() => {
                            cx.error(item, "expected a rule, got nothing", None);
                        }
                        _ => self.0.push(one(item, cx)),
                    });
                }
            }
            Value::Mapping(_) => {
                let phrase = "expected a text of rules or a list of them, got a map";
                cx.error(node, phrase, None);
            }
            _ => self.0 = vec![one(node, cx)],
        }
    }
    fn clear(&mut self) {
        self.0.clear();
    }
    fn print(&self) -> Printed {
        Printed::List(self.0.iter().map(Setting::print).collect())
    }
    fn shape(&self) -> Shape {
        let item = Shape::TextOr(Box::new(Item::default().shape()));
        Shape::TextOr(Box::new(Shape::List(Box::new(item))))
    }
}

const SIGNALS: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

impl Config {
    fn check(&self, problems: &mut Problems) {
        let lambdas = problems.gates().is_on("ottl.functions.enableLambda");
        let lists = [
            (&self.rules, &SIGNALS[..]),
            (&self.traces, &[Signal::Traces]),
            (&self.metrics, &[Signal::Metrics]),
            (&self.logs, &[Signal::Logs]),
        ];
        for (list, signals) in lists {
            for (at, text) in list
                .compile(signals, lambdas, 0)
                .err()
                .into_iter()
                .flatten()
            {
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
    /// Everything that is wrong with its rules.
    pub fn buildable(&self, signal: Signal, gates: &Gates) -> Result<(), String> {
        self.compile(signal, gates).map(|_| ())
    }

    /// The rules for a signal, in order.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn compile(&self, signal: Signal, gates: &Gates) -> Result<Vec<Rule>, String> {
        let lambdas = gates.is_on("ottl.functions.enableLambda");
        let own = match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
            Signal::Profiles => return Ok(Vec::new()),
        };
        let (mut rules, mut before) = (Vec::new(), 0);
        for (list, signals) in [(&self.rules, &SIGNALS[..]), (own, &[signal])] {
            let (compiled, count) = list.compile(signals, lambdas, before).map_err(|faults| {
                let texts: Vec<String> = faults.into_iter().map(|(_, text)| text).collect();
                texts.join("; ")
            })?;
            before = count;
            rules.extend(compiled.into_iter().filter(|rule| rule.signal == signal));
        }
        Ok(rules)
    }
}

impl List {
    /// The rules of the list for these signals, and the position of the last, behind `before`.
    fn compile(
        &self,
        signals: &[Signal],
        lambdas: bool,
        before: usize,
    ) -> Result<(Vec<Rule>, usize), Vec<Fault>> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let entries = self.0.iter().map(|item| Entry {
            name: given(&item.name),
            condition: given(&item.condition),
            text: item.action.text.clone(),
            priority: item.priority,
        });
        let entries: Vec<Entry> = entries.collect();
        let place = |source: &str| {
            let mut items = self.0.iter();
            let found = items.find(|item| source.contains(&item.action.text));
            found.map(|item| item.action.at.clone())
        };
        let rules = compile(&entries, signals, lambdas, before).map_err(|errors| {
            let errors = errors.0.iter();
            errors
                .map(|error| (place(error.source_text()), error.to_string()))
                .collect::<Vec<_>>()
        })?;
        let mut all = Vec::new();
        let mut faults: Vec<Fault> = Vec::new();
        for signal in signals {
            for rule in rules.of(*signal) {
                if let Some(Decision::Route(_) | Decision::RouteToExporter(_)) = rule.decision {
                    let text = format!(
                        "rule {:?}: route is for the connector \"rules\"; what leaves a processor \
                         has one way to go",
                        rule.name
                    );
                    let fault = (place(&rule.source), text);
                    if !faults.iter().any(|(_, known)| *known == fault.1) {
                        faults.push(fault);
                    }
                }
                all.push(rule);
            }
        }
        match faults.is_empty() {
            true => Ok((all, rules.count())),
            false => Err(faults),
        }
    }
}
