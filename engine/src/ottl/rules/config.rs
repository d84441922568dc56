//! The keys in which the processor and the connector `rules` take rules. What rules say is
//! `trunkline_ottl`'s to read; here is which signals each list is for, and where in the file each
//! rule stands.

use trunkline_ottl::rules::{Decision, Entry, Rule, compile};
use trunkline_proto::Signal;

use crate::{
    component::{Printed, Setting, Shape, declare},
    config::{
        Gates,
        diagnostics::Decoder,
        node::{Node, Position, Value},
    },
    ottl::{ErrorMode, Fault, Statement},
};

declare! {
    /// Lists of rules.
    pub struct Lists as "rules.Lists" {
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
        /// Rules for profiles alone.
        profiles: List = List::default();
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

impl Lists {
    /// What is wrong with each list, for whatever signal. `routes`: rules may route.
    pub fn wrong(&self, gates: &Gates, routes: bool) -> Vec<Vec<Fault>> {
        let lists = [
            (&self.rules, &Signal::ALL[..]),
            (&self.traces, &[Signal::Traces]),
            (&self.metrics, &[Signal::Metrics]),
            (&self.logs, &[Signal::Logs]),
            (&self.profiles, &[Signal::Profiles]),
        ];
        let compiled = lists.map(|(list, signals)| list.compile(signals, gates, routes, 0));
        compiled.into_iter().filter_map(Result::err).collect()
    }

    /// The lists that are for a signal, each with the signals it is for.
    fn of(&self, signal: Signal) -> Vec<(&List, Vec<Signal>)> {
        let own = match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
            Signal::Profiles => &self.profiles,
        };
        vec![(&self.rules, Signal::ALL.to_vec()), (own, vec![signal])]
    }

    /// The rules for a signal, in order. `routes`: they may route.
    ///
    /// # Errors
    /// Everything that is wrong with them, and where it stands.
    pub fn compile(
        &self,
        signal: Signal,
        gates: &Gates,
        routes: bool,
    ) -> Result<Vec<Rule>, Vec<Fault>> {
        let (mut rules, mut before) = (Vec::new(), 0);
        for (list, signals) in self.of(signal) {
            let (compiled, count) = list.compile(&signals, gates, routes, before)?;
            before = count;
            rules.extend(compiled.into_iter().filter(|rule| rule.signal == signal));
        }
        Ok(rules)
    }

    /// Where a rule of these lists stands.
    pub fn place(&self, rule: &Rule) -> Option<Position> {
        let mut lists = self.of(rule.signal).into_iter();
        lists.find_map(|(list, _)| list.place(&rule.source))
    }
}

impl List {
    fn place(&self, source: &str) -> Option<Position> {
        let mut items = self.0.iter();
        // A text of several rules has the source of each; a rule in parts is made of its text.
        let found = items
            .find(|item| item.action.text.contains(source) || source.contains(&item.action.text));
        found.map(|item| item.action.at.clone())
    }

    /// The rules of the list for these signals, and the position of the last, behind `before`.
    fn compile(
        &self,
        signals: &[Signal],
        gates: &Gates,
        routes: bool,
        before: usize,
    ) -> Result<(Vec<Rule>, usize), Vec<Fault>> {
        let lambdas = gates.is_on("ottl.functions.enableLambda");
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let entries = self.0.iter().map(|item| Entry {
            name: given(&item.name),
            condition: given(&item.condition),
            text: item.action.text.clone(),
            priority: item.priority,
        });
        let entries: Vec<Entry> = entries.collect();
        let rules = compile(&entries, signals, lambdas, before).map_err(|errors| {
            let errors = errors.0.iter();
            errors
                .map(|error| (self.place(error.source_text()), error.to_string()))
                .collect::<Vec<_>>()
        })?;
        let mut all = Vec::new();
        let mut faults: Vec<Fault> = Vec::new();
        for signal in signals {
            for rule in rules.of(*signal) {
                let routed = matches!(
                    rule.decision,
                    Some(Decision::Route(_) | Decision::RouteToExporter(_))
                );
                if routed && !routes {
                    let text = format!(
                        "rule {:?}: route is for the connector \"rules\"; what leaves a processor \
                         has one way to go",
                        rule.name
                    );
                    let fault = (self.place(&rule.source), text);
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
