//! `include` and `exclude`: which rows of a batch the actions are for. Resources
//! and scopes are judged once each, items by column.

use std::collections::HashSet;

use regex::bytes::Regex;
use trunkline_ottl::go::{regexp, text};
use trunkline_proto::{
    Signal,
    batch::{Data, Error, Field, FieldValue, Level, Value},
};

use super::{
    actions::Rows,
    config::{MatchAttribute, MatchType, Matching},
    raw,
};

/// Compiled `include` and `exclude`.
#[derive(Debug)]
pub struct Filter {
    signal: Signal,
    include: Option<Matcher>,
    exclude: Option<Matcher>,
}

impl Filter {
    /// Compiles both for a signal.
    ///
    /// # Errors
    /// The Collector's texts: a property that the signal does not have, none at all, a pattern
    /// that is not one.
    pub fn compile(
        signal: Signal,
        include: Option<&Matching>,
        exclude: Option<&Matching>,
    ) -> Result<Filter, String> {
        let compile = |matching: Option<&Matching>| match matching {
            Some(matching) => Matcher::compile(signal, matching),
            None => Ok(None),
        };
        Ok(Filter {
            signal,
            include: compile(include)?,
            exclude: compile(exclude)?,
        })
    }

    /// The rows of the level that has the attributes: items, or a metric's data points.
    ///
    /// # Errors
    /// [`Error::Decode`] when an entity is not valid.
    pub fn rows(&self, data: &mut Data) -> Result<Rows, Error> {
        if self.include.is_none() && self.exclude.is_none() {
            return Ok(Rows::All);
        }
        let mut chosen = vec![false; data.row_count(Level::Item)?];
        let live = data.rows(Level::Item)?;
        for row in &live {
            set(&mut chosen, *row, true);
        }
        if let Some(include) = &self.include {
            include.narrow(data, &live, &mut chosen, true)?;
        }
        if let Some(exclude) = &self.exclude {
            exclude.narrow(data, &live, &mut chosen, false)?;
        }
        let mut rows = match self.signal {
            Signal::Metrics => {
                let mut points = data.rows(Level::DataPoint)?;
                points.retain(|point| {
                    data.parent(Level::DataPoint, *point)
                        .is_some_and(|metric| get(&chosen, metric))
                });
                points
            }
            _ => live.into_iter().filter(|row| get(&chosen, *row)).collect(),
        };
        rows.sort_unstable();
        Ok(Rows::Some(rows))
    }
}

fn get(flags: &[bool], row: u32) -> bool {
    flags.get(row as usize).copied().unwrap_or_default()
}

fn set(flags: &mut [bool], row: u32, value: bool) {
    if let Some(flag) = flags.get_mut(row as usize) {
        *flag = value;
    }
}

/// Texts, one of which must match.
#[derive(Debug)]
pub enum Texts {
    /// As they are.
    Strict(HashSet<Vec<u8>>),
    /// By patterns.
    Regexp(Vec<Regex>),
}

impl Texts {
    /// Compiles a list.
    ///
    /// # Errors
    /// A pattern that is not one.
    pub fn compile<'a>(
        kind: MatchType,
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Result<Texts, String> {
        Ok(match kind {
            MatchType::Regexp => Texts::Regexp(
                texts
                    .into_iter()
                    .map(regexp::compile)
                    .collect::<Result<_, _>>()?,
            ),
            _ => Texts::Strict(
                texts
                    .into_iter()
                    .map(|text| text.as_bytes().to_vec())
                    .collect(),
            ),
        })
    }

    /// `None` for an empty list, which everything matches.
    fn optional(kind: MatchType, texts: &[String], what: &str) -> Result<Option<Texts>, String> {
        if texts.is_empty() {
            return Ok(None);
        }
        Texts::compile(kind, texts.iter().map(String::as_str))
            .map(Some)
            .map_err(|e| format!("error creating {what} filters: {e}"))
    }

    /// Whether one matches.
    pub fn match_text(&self, text: &[u8]) -> bool {
        match self {
            Texts::Strict(texts) => texts.contains(text),
            Texts::Regexp(patterns) => patterns.iter().any(|pattern| pattern.is_match(text)),
        }
    }
}

/// An attribute that must be there, and what its value must be.
#[derive(Debug)]
pub struct Attribute {
    key: Vec<u8>,
    value: AttributeValue,
}

#[derive(Debug)]
enum AttributeValue {
    Any,
    /// This one, encoded.
    Same(Vec<u8>),
    /// A scalar whose text this finds.
    Text(Regex),
}

impl Attribute {
    /// Compiles a list.
    ///
    /// # Errors
    /// The Collector's texts: an empty key, a value that is no pattern.
    pub fn compile(kind: MatchType, list: &[MatchAttribute]) -> Result<Vec<Attribute>, String> {
        list.iter()
            .map(|attribute| {
                if attribute.key.is_empty() {
                    return Err("can't have empty key in the list of attributes".to_owned());
                }
                let value = match (attribute.value.get(), kind) {
                    (None, _) => AttributeValue::Any,
                    (Some(node), MatchType::Regexp) => match &node.value {
                        crate::config::node::Value::Text(pattern) => {
                            AttributeValue::Text(regexp::compile(pattern)?)
                        }
                        _ => {
                            return Err(format!(
                                "match_type=regexp for {:?} only supports Str, but found {}",
                                attribute.key,
                                raw::type_name(node)
                            ));
                        }
                    },
                    (Some(node), _) => AttributeValue::Same(raw::encode(node)),
                };
                Ok(Attribute {
                    key: attribute.key.clone().into_bytes(),
                    value,
                })
            })
            .collect()
    }

    /// Its key.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Whether a value, `None` where the attribute is not there, is what it must be.
    pub fn match_value(&self, value: Option<Value<'_>>) -> bool {
        let Some(value) = value else { return false };
        match &self.value {
            AttributeValue::Any => true,
            AttributeValue::Same(wanted) => {
                Value::read(wanted).is_ok_and(|wanted| raw::same(&wanted, &value))
            }
            AttributeValue::Text(pattern) => {
                let mut written = Vec::new();
                let text = match value {
                    Value::String(text) => text,
                    Value::Double(number) => {
                        text::plain_number(number, &mut written);
                        &written
                    }
                    Value::Bool(_) | Value::Int(_) => {
                        text::as_text(&value, &mut written);
                        &written
                    }
                    _ => return false,
                };
                pattern.is_match(text)
            }
        }
    }
}

/// Compiled properties; all that are given must match.
#[derive(Debug)]
struct Matcher {
    /// Values of `service.name`.
    services: Option<Texts>,
    resources: Vec<Attribute>,
    /// Names and versions of scopes; every one must match, as there.
    libraries: Vec<(Texts, Option<Texts>)>,
    /// Of spans or metrics.
    names: Option<Texts>,
    kinds: Option<Texts>,
    bodies: Option<Texts>,
    severity_texts: Option<Texts>,
    /// The lowest number, and whether a record without one matches.
    severity_number: Option<(i64, bool)>,
    attributes: Vec<Attribute>,
}

impl Matcher {
    fn compile(signal: Signal, matching: &Matching) -> Result<Option<Matcher>, String> {
        validate(signal, matching)?;
        let kind = matching.kind()?;
        let mut libraries = Vec::new();
        let mut lists = (Vec::new(), Vec::new());
        // For metrics the Collector checks `resources` but looks at names only.
        if signal != Signal::Metrics {
            for library in &matching.libraries {
                let name = Texts::compile(kind, [library.name.as_str()])
                    .map_err(|e| format!("error creating library name filters: {e}"))?;
                let version = match &library.version {
                    Some(version) => Some(
                        Texts::compile(kind, [version.as_str()])
                            .map_err(|e| format!("error creating library version filters: {e}"))?,
                    ),
                    None => None,
                };
                libraries.push((name, version));
            }
            lists = (
                Attribute::compile(kind, &matching.attributes)
                    .map_err(|e| format!("error creating attribute filters: {e}"))?,
                Attribute::compile(kind, &matching.resources)
                    .map_err(|e| format!("error creating resource filters: {e}"))?,
            );
        }
        let names = match signal {
            Signal::Metrics if matching.metric_names.is_empty() => return Ok(None),
            Signal::Metrics => Some(Texts::compile(
                kind,
                matching.metric_names.iter().map(String::as_str),
            )?),
            _ => Texts::optional(kind, &matching.span_names, "span name")?,
        };
        Ok(Some(Matcher {
            services: Texts::optional(kind, &matching.services, "service name")?,
            resources: lists.1,
            libraries,
            names,
            kinds: Texts::optional(kind, &matching.span_kinds, "span kind")?,
            bodies: Texts::optional(kind, &matching.log_bodies, "log record body")?,
            severity_texts: Texts::optional(
                kind,
                &matching.log_severity_texts,
                "log record severity text",
            )?,
            severity_number: matching
                .log_severity_number
                .as_ref()
                .map(|number| (number.min, number.match_undefined)),
            attributes: lists.0,
        }))
    }

    /// Takes from `chosen` the rows that match (`keep` false) or do not (`keep` true).
    fn narrow(
        &self,
        data: &mut Data,
        live: &[u32],
        chosen: &mut [bool],
        keep: bool,
    ) -> Result<(), Error> {
        let scopes = self.scopes(data)?;
        let mut matching = vec![false; chosen.len()];
        for row in live.iter().filter(|row| get(chosen, **row)) {
            let scope = data
                .parent(Level::Item, *row)
                .is_none_or(|scope| get(&scopes, scope));
            set(&mut matching, *row, scope && self.match_fields(data, *row)?);
        }
        for attribute in &self.attributes {
            let column = data.attribute_column(Level::Item, &attribute.key)?;
            for row in live {
                if get(&matching, *row) && !attribute.match_value(column.value(data, *row)) {
                    set(&mut matching, *row, false);
                }
            }
        }
        for (chosen, matching) in chosen.iter_mut().zip(&matching) {
            *chosen &= *matching == keep;
        }
        Ok(())
    }

    /// For each scope, whether it and its resource match.
    fn scopes(&self, data: &mut Data) -> Result<Vec<bool>, Error> {
        let mut resources = vec![false; data.row_count(Level::Resource)?];
        for row in data.rows(Level::Resource)? {
            let matched = self.match_resource(data, row)?;
            set(&mut resources, row, matched);
        }
        let mut scopes = vec![false; data.row_count(Level::Scope)?];
        for row in data.rows(Level::Scope)? {
            let resource = data
                .parent(Level::Scope, row)
                .is_none_or(|resource| get(&resources, resource));
            let matched = resource && self.match_scope(data, row)?;
            set(&mut scopes, row, matched);
        }
        Ok(scopes)
    }

    fn match_resource(&self, data: &mut Data, row: u32) -> Result<bool, Error> {
        if let Some(services) = &self.services {
            let mut name = Vec::new();
            match data.attribute(Level::Resource, row, b"service.name")? {
                Some(value) => text::as_text(&value, &mut name),
                None => name.extend_from_slice(b"<nil-service-name>"),
            }
            if !services.match_text(&name) {
                return Ok(false);
            }
        }
        for attribute in &self.resources {
            if !attribute.match_value(data.attribute(Level::Resource, row, &attribute.key)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn match_scope(&self, data: &mut Data, row: u32) -> Result<bool, Error> {
        for (name, version) in &self.libraries {
            if !name.match_text(field_text(data, Level::Scope, row, Field::Name)?) {
                return Ok(false);
            }
            if let Some(version) = version
                && !version.match_text(field_text(data, Level::Scope, row, Field::Version)?)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn match_fields(&self, data: &mut Data, row: u32) -> Result<bool, Error> {
        if let Some(names) = &self.names
            && !names.match_text(field_text(data, Level::Item, row, Field::Name)?)
        {
            return Ok(false);
        }
        if let Some(kinds) = &self.kinds {
            let kind = match data.field(Level::Item, row, Field::Kind)? {
                Some(FieldValue::Int(kind)) => kind,
                _ => 0,
            };
            if !kinds.match_text(span_kind(kind).as_bytes()) {
                return Ok(false);
            }
        }
        if let Some(bodies) = &self.bodies {
            let mut body = Vec::new();
            if let Some(FieldValue::Message(value)) = data.field(Level::Item, row, Field::Body)? {
                text::as_text(&Value::read(value)?, &mut body);
            }
            if !bodies.match_text(&body) {
                return Ok(false);
            }
        }
        if let Some(texts) = &self.severity_texts
            && !texts.match_text(field_text(data, Level::Item, row, Field::SeverityText)?)
        {
            return Ok(false);
        }
        if let Some((least, undefined)) = self.severity_number {
            let matched = match data.field(Level::Item, row, Field::SeverityNumber)? {
                Some(FieldValue::Int(0)) | None => undefined,
                Some(FieldValue::Int(number)) => number >= least,
                Some(_) => false,
            };
            if !matched {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn field_text(data: &mut Data, level: Level, row: u32, field: Field) -> Result<&[u8], Error> {
    Ok(match data.field(level, row, field)? {
        Some(FieldValue::Bytes(text)) => text,
        _ => b"",
    })
}

/// The names of `SpanKind`; an unknown number has none.
fn span_kind(kind: i64) -> &'static str {
    match kind {
        0 => "SPAN_KIND_UNSPECIFIED",
        1 => "SPAN_KIND_INTERNAL",
        2 => "SPAN_KIND_SERVER",
        3 => "SPAN_KIND_CLIENT",
        4 => "SPAN_KIND_PRODUCER",
        5 => "SPAN_KIND_CONSUMER",
        _ => "",
    }
}

/// Which properties a signal may and must have (`filterconfig`).
fn validate(signal: Signal, matching: &Matching) -> Result<(), String> {
    let given = |list: &[String]| !list.is_empty();
    let Matching {
        attributes,
        resources,
        libraries,
        ..
    } = matching;
    let severity = matching.log_severity_number.is_some();
    let common = !attributes.is_empty() || !libraries.is_empty() || !resources.is_empty();
    let fail = |text: &str| Err(text.to_owned());
    match signal {
        Signal::Traces => {
            for (wrong, name) in [
                (given(&matching.log_bodies), "log_bodies"),
                (given(&matching.log_severity_texts), "log_severity_texts"),
                (severity, "log_severity_number"),
                (given(&matching.metric_names), "metric_names"),
            ] {
                if wrong {
                    return Err(format!("{name} should not be specified for trace spans"));
                }
            }
            if !common
                && !given(&matching.services)
                && !given(&matching.span_names)
                && !given(&matching.span_kinds)
            {
                return fail(
                    "at least one of \"attributes\", \"libraries\",  or \"resources\" field must be specified",
                );
            }
            let known = |kind: &String| (1..=5).any(|number| span_kind(number) == kind);
            if matching.kind() == Ok(MatchType::Strict) && !matching.span_kinds.iter().all(known) {
                // The Collector's list begins with as many empty names as there are kinds.
                return fail(
                    "span_kinds string must match one of the standard span kinds when match_type=strict: [     SPAN_KIND_CLIENT SPAN_KIND_CONSUMER SPAN_KIND_INTERNAL SPAN_KIND_PRODUCER SPAN_KIND_SERVER]",
                );
            }
        }
        Signal::Logs => {
            if given(&matching.span_names)
                || given(&matching.services)
                || given(&matching.span_kinds)
                || given(&matching.metric_names)
            {
                return fail(
                    "services, span_names, span_kinds and metric_names are not valid for log records",
                );
            }
            if !common
                && !given(&matching.log_bodies)
                && !given(&matching.log_severity_texts)
                && !severity
            {
                return fail(
                    "at least one of \"attributes\", \"libraries\", \"span_kinds\", \"resources\", \"log_bodies\", \"log_severity_texts\" or \"log_severity_number\" field must be specified",
                );
            }
        }
        Signal::Metrics | Signal::Profiles => {
            if given(&matching.log_bodies)
                || given(&matching.log_severity_texts)
                || given(&matching.span_names)
                || given(&matching.services)
                || given(&matching.span_kinds)
                || !attributes.is_empty()
                || !libraries.is_empty()
                || severity
            {
                return fail(
                    "\"span_names\", \"span_kinds\", \"log_bodies\", \"log_severity_texts\", \"log_severity_number\", \"services\", \"attributes\" and \"libraries\" are not valid for metrics",
                );
            }
            if !given(&matching.metric_names) && resources.is_empty() {
                return fail(
                    "at least one of \"metric_names\" or \"resources\" field must be specified",
                );
            }
        }
    }
    Ok(())
}
