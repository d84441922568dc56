//! Keys and defaults of the connector `rules`, and where its rules can lead: the pipelines that it
//! feeds, and exporters.

use std::sync::Arc;

use trunkline_ottl::rules::{Decision, Rule};
use trunkline_proto::Signal;

use crate::{
    component::{ComponentId, PipelineId, Problems, choice, declare},
    config::{Gates, Settings, diagnostics::nearest},
    connectors::pipelines::Pipeline,
    ottl::{self, Fault, rules::config::Lists},
};

declare! {
    /// Keeps, drops, changes and routes telemetry by rules: `condition > action`.
    pub struct Config as "rulesconnector.Config", check Config::check {
        /// The rules.
        lists: Lists = Lists::default(), squash "lists";
        /// Which routes an item takes: the `first` that matches it, or `all` of them.
        r#match: Match = Match::First;
        /// Where those items of a signal go that no rule dropped or routed. Absent: they are dropped.
        default_pipelines: Vec<Pipeline> = Vec::new();
    }
}

choice! {
    /// Which of several routes an item takes.
    pub enum Match as "rules.Match", message "unknown match: %s" zero "first" {
        /// The first: no later rule looks at the item.
        First = "first";
        /// All: later rules look at the item, too.
        All = "all";
    }
}

impl Config {
    fn check(&self, problems: &mut Problems) {
        for faults in self.lists.wrong(problems.gates(), true) {
            ottl::tell(faults, problems);
        }
    }

    /// The rules for a signal, in order.
    ///
    /// # Errors
    /// Everything that is wrong with them, and where it stands.
    pub fn compile(&self, signal: Signal, gates: &Gates) -> Result<Vec<Rule>, Vec<Fault>> {
        self.lists.compile(signal, gates, true)
    }

    /// The names of the exporters that rules for a signal route to; of rules that do not
    /// compile, none.
    pub fn exporters(&self, signal: Signal, gates: &Gates) -> Vec<Arc<str>> {
        let rules = self.compile(signal, gates).unwrap_or_default();
        let names = rules.into_iter().filter_map(|rule| match rule.decision {
            Some(Decision::RouteToExporter(name)) => Some(name),
            _ => None,
        });
        let mut names: Vec<Arc<str>> = names.collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What rules route to that is not there, in connectors that pipelines `from` lead to and
    /// that lead `to` pipelines.
    pub fn unreachable(
        &self,
        settings: &Settings,
        from: &[&PipelineId],
        to: &[&PipelineId],
    ) -> Vec<Fault> {
        let mut faults = Vec::new();
        for signal in Signal::ALL {
            if !from.iter().any(|from| from.signal == signal) {
                continue;
            }
            // What does not compile is told elsewhere.
            for rule in self.compile(signal, &settings.gates).unwrap_or_default() {
                let found = match &rule.decision {
                    Some(Decision::Route(name)) => pipeline(settings, signal, name, to),
                    Some(Decision::RouteToExporter(name)) => {
                        exporter(settings, signal, name).map(|_| ())
                    }
                    _ => Ok(()),
                };
                if let Err(text) = found {
                    let fault = format!("rule {:?}: {text}", rule.name);
                    faults.push((self.lists.place(&rule), fault));
                }
            }
        }
        let defaults = self.default_pipelines.iter().filter_map(Pipeline::id);
        for missing in defaults.filter(|id| !to.contains(id)) {
            faults.push((None, crate::connectors::missing(missing)));
        }
        faults
    }
}

/// The pipeline that `route` names.
pub fn pipeline_id(signal: Signal, name: &str) -> Result<PipelineId, String> {
    format!("{}/{name}", signal.name()).parse()
}

fn pipeline(
    settings: &Settings,
    signal: Signal,
    name: &str,
    to: &[&PipelineId],
) -> Result<(), String> {
    let id = pipeline_id(signal, name)?;
    if to.contains(&&id) {
        return Ok(());
    }
    if settings.service.pipelines.contains_key(&id) {
        return Err(format!(
            "the pipeline \"{id}\" does not have the connector among its receivers"
        ));
    }
    let fed = to.iter().filter(|to| to.signal == signal);
    let known: Vec<&str> = fed.map(|to| to.name()).collect();
    Err(format!(
        "there is no pipeline \"{id}\"{}",
        instead(name, &known)
    ))
}

/// The exporter that `route(exporter.x)` names: that with the id `x`, or the only one whose id is
/// a type and the name `x`.
///
/// # Errors
/// There is none, or there are several, or it does not take the signal.
pub fn exporter<'s>(
    settings: &'s Settings,
    signal: Signal,
    name: &str,
) -> Result<&'s ComponentId, String> {
    let all = || settings.exporters.values();
    let exact = all().find(|exporter| exporter.id.to_string() == name);
    let named: Vec<_> = all().filter(|of| of.id.name() == name).collect();
    let found = match (exact, named.as_slice()) {
        (Some(exact), _) => exact,
        (None, [one]) => one,
        (None, []) => {
            let ids: Vec<String> = all().map(|of| of.id.to_string()).collect();
            let names = all().map(|of| of.id.name()).filter(|name| !name.is_empty());
            let known: Vec<&str> = names.chain(ids.iter().map(String::as_str)).collect();
            return Err(format!(
                "there is no exporter {name:?}{}",
                instead(name, &known)
            ));
        }
        (None, several) => {
            let ids: Vec<String> = several.iter().map(|of| of.id.to_string()).collect();
            let ids = ids.join(", ");
            return Err(format!("several exporters are called {name:?}: {ids}"));
        }
    };
    match found.factory.supports(signal) {
        true => Ok(&found.id),
        false => Err(format!(
            "the exporter \"{}\" does not take {}",
            found.id,
            signal.name()
        )),
    }
}

/// What could be meant instead.
fn instead(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("; did you mean {near:?}?"),
        None if known.is_empty() => "; there are none".to_owned(),
        None => format!("; there are: {}", known.join(", ")),
    }
}
