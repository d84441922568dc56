//! `include` and `exclude`, the oldest form of the processor `filter`: spans and log records are
//! matched as in the processor `attributes`, metrics by their names, resources of metrics by
//! their attributes. Expressions (`match_type: expr`) are refused: conditions say the same.

use trunkline_ottl::run::Selected;
use trunkline_proto::{
    Signal,
    batch::{Data, Error, Field, FieldValue, Level},
};

use super::config::{Config, LogMatching, LogSeverity, MetricMatching};
use crate::processors::attributes::{
    actions::Rows,
    config::{MatchType, Matching as Properties, SeverityNumber},
    matching::{Attribute, Filter, Texts},
};

/// Which rows of a level stay.
#[derive(Debug)]
pub enum Matching {
    /// Spans or log records.
    Items(Box<Filter>),
    /// Metrics, by name: `include` and `exclude`.
    Names(Option<Texts>, Option<Texts>),
    /// Resources of metrics, by attributes: `include` and `exclude`.
    Resources(Vec<Attribute>, Vec<Attribute>),
}

impl Matching {
    /// The level of the rows.
    pub fn level(&self) -> Level {
        match self {
            Matching::Items(_) | Matching::Names(..) => Level::Item,
            Matching::Resources(..) => Level::Resource,
        }
    }

    /// The rows that go.
    ///
    /// # Errors
    /// [`Error::Decode`] when an entity is not valid.
    pub fn drops(&self, data: &mut Data) -> Result<Selected, Error> {
        let level = self.level();
        let mut drops = Selected::with_capacity(data.row_count(level)?);
        match self {
            Matching::Items(filter) => {
                let Rows::Some(kept) = filter.rows(data)? else {
                    return Ok(drops);
                };
                let mut stays = Selected::with_capacity(data.row_count(level)?);
                kept.iter().for_each(|row| stays.insert(*row));
                for row in data.rows(level)? {
                    if !stays.contains(row) {
                        drops.insert(row);
                    }
                }
            }
            Matching::Names(include, exclude) => {
                for row in data.rows(level)? {
                    let name = match data.field(level, row, Field::Name)? {
                        Some(FieldValue::Bytes(name)) => name,
                        _ => b"",
                    };
                    let included = include.as_ref().is_none_or(|names| names.match_text(name));
                    if !included || exclude.as_ref().is_some_and(|names| names.match_text(name)) {
                        drops.insert(row);
                    }
                }
            }
            Matching::Resources(include, exclude) => {
                for row in data.rows(level)? {
                    let all = |data: &mut Data, list: &[Attribute]| -> Result<bool, Error> {
                        for attribute in list {
                            if !attribute.match_value(data.attribute(
                                level,
                                row,
                                attribute.key(),
                            )?) {
                                return Ok(false);
                            }
                        }
                        Ok(true)
                    };
                    let excluded = !exclude.is_empty() && all(data, exclude)?;
                    if excluded || !all(data, include)? {
                        drops.insert(row);
                    }
                }
            }
        }
        Ok(drops)
    }
}

/// What `include` and `exclude` say for a signal, from the outside in.
///
/// # Errors
/// The Collector's texts: a property that the signal does not have, a pattern that is not one.
pub fn compile(config: &Config, signal: Signal) -> Result<Vec<Matching>, String> {
    match signal {
        Signal::Traces => items(
            signal,
            config.spans.include.as_ref(),
            config.spans.exclude.as_ref(),
        ),
        Signal::Logs => {
            let of = |matching: &Option<LogMatching>| match matching {
                Some(matching) if !matching.is_empty() => properties(matching).map(Some),
                _ => Ok(None),
            };
            let (include, exclude) = (of(&config.logs.include)?, of(&config.logs.exclude)?);
            items(signal, include.as_ref(), exclude.as_ref())
                .map_err(|text| format!("failed to build skip matcher: {text}"))
        }
        Signal::Metrics => {
            let (include, exclude) = (&config.metrics.include, &config.metrics.exclude);
            let mut steps = Vec::new();
            let resources = (attributes(include)?, attributes(exclude)?);
            if !resources.0.is_empty() || !resources.1.is_empty() {
                steps.push(Matching::Resources(resources.0, resources.1));
            }
            let names = (names(include)?, names(exclude)?);
            if names.0.is_some() || names.1.is_some() {
                steps.push(Matching::Names(names.0, names.1));
            }
            Ok(steps)
        }
        Signal::Profiles => Ok(Vec::new()),
    }
}

fn items(
    signal: Signal,
    include: Option<&Properties>,
    exclude: Option<&Properties>,
) -> Result<Vec<Matching>, String> {
    if include.is_none() && exclude.is_none() {
        return Ok(Vec::new());
    }
    let filter = Filter::compile(signal, include, exclude)?;
    Ok(vec![Matching::Items(Box::new(filter))])
}

/// The same in the words of the processor `attributes`.
fn properties(matching: &LogMatching) -> Result<Properties, String> {
    let severity = |severity: &LogSeverity| {
        Ok::<_, String>(SeverityNumber {
            min: severity.number()?,
            match_undefined: severity.match_undefined,
        })
    };
    Ok(Properties {
        match_type: matching.match_type.clone(),
        resources: matching.resource_attributes.clone(),
        attributes: matching.record_attributes.clone(),
        log_severity_texts: matching.severity_texts.clone(),
        log_severity_number: matching
            .severity_number
            .as_ref()
            .map(severity)
            .transpose()?,
        log_bodies: matching.bodies.clone(),
        ..Properties::default()
    })
}

fn kind(match_type: &str) -> Result<MatchType, String> {
    let words = Properties {
        match_type: match_type.to_owned(),
        ..Properties::default()
    };
    words.kind()
}

fn attributes(matching: &Option<MetricMatching>) -> Result<Vec<Attribute>, String> {
    let Some(matching) = matching else {
        return Ok(Vec::new());
    };
    let valued = matching
        .resource_attributes
        .iter()
        .any(|attribute| attribute.value.get().is_some());
    // Only a value is compared in some way.
    let kind = match kind(&matching.match_type) {
        Err(text) if valued => return Err(text),
        kind => kind.unwrap_or(MatchType::Strict),
    };
    Attribute::compile(kind, &matching.resource_attributes)
}

fn names(matching: &Option<MetricMatching>) -> Result<Option<Texts>, String> {
    let Some(matching) = matching else {
        return Ok(None);
    };
    if matching.match_type == "expr" {
        return match matching.expressions.first() {
            None => Ok(None),
            Some(first) => Err(format!(
                "match_type \"expr\" is not supported (expression {first:?}): write it as an OTTL condition under metric_conditions, for HasLabel and Label in the context datapoint"
            )),
        };
    }
    if matching.metric_names.is_empty() {
        return Ok(None);
    }
    let kind = kind(&matching.match_type)?;
    Texts::compile(kind, matching.metric_names.iter().map(String::as_str)).map(Some)
}
