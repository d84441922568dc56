//! Keys and defaults of the processor `rules`: the lists of rules, in which nothing is routed.

use trunkline_ottl::rules::Rule;
use trunkline_proto::Signal;

use crate::{
    component::{Problems, declare},
    config::Gates,
    ottl::{self, rules::config::Lists},
};

declare! {
    /// Keeps, drops and changes telemetry by rules: `condition > action`.
    pub struct Config as "rulesprocessor.Config", check Config::check {
        /// The rules.
        lists: Lists = Lists::default(), squash "lists";
    }
}

impl Config {
    fn check(&self, problems: &mut Problems) {
        for faults in self.lists.wrong(problems.gates(), false) {
            ottl::tell(faults, problems);
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
    /// Everything that is wrong with them; that one routes, for one.
    pub fn compile(&self, signal: Signal, gates: &Gates) -> Result<Vec<Rule>, String> {
        let rules = self.lists.compile(signal, gates, false);
        rules.map_err(|faults| ottl::joined(faults, "; "))
    }
}
