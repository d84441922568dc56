//! Keys and defaults of the processor `resource`.

use crate::{
    component::{Problems, declare},
    processors::attributes::config::{Action, check_actions},
};

declare! {
    /// Changes resource attributes.
    pub struct Config as "resourceprocessor.Config", check Config::rules {
        /// What to do, in order; at least one action.
        attributes: Vec<Action> = Vec::new();
    }
}

impl Config {
    fn rules(&self, problems: &mut Problems) {
        if self.attributes.is_empty() {
            problems.push("missing required field \"attributes\"");
        }
    }

    /// What the Collector checks when it builds the processor.
    ///
    /// # Errors
    /// Its text for the first broken rule.
    pub fn buildable(&self) -> Result<(), String> {
        check_actions(&self.attributes)
    }
}
