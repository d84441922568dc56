//! Names of things in a configuration: kinds, component ids (`type/name`) and
//! pipeline ids (`signal/name`), with the rules and messages of the Collector.

use std::{fmt, str::FromStr, sync::LazyLock};

use regex::Regex;
use trunkline_proto::Signal;

use crate::config::node::quoted;

/// What a component is in a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Takes telemetry in.
    Receiver,
    /// Changes or routes it inside a pipeline.
    Processor,
    /// Sends it out.
    Exporter,
    /// Ends one pipeline and starts another.
    Connector,
    /// Stands beside the pipelines.
    Extension,
}

impl Kind {
    /// Every kind, in the order in which the Collector lists them.
    pub const ALL: [Kind; 5] = [
        Kind::Receiver,
        Kind::Processor,
        Kind::Exporter,
        Kind::Connector,
        Kind::Extension,
    ];

    /// `receiver`, `processor`, …
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Receiver => "receiver",
            Kind::Processor => "processor",
            Kind::Exporter => "exporter",
            Kind::Connector => "connector",
            Kind::Extension => "extension",
        }
    }

    /// The section of the configuration: `receivers`, `processors`, …
    pub const fn section(self) -> &'static str {
        match self {
            Kind::Receiver => "receivers",
            Kind::Processor => "processors",
            Kind::Exporter => "exporters",
            Kind::Connector => "connectors",
            Kind::Extension => "extensions",
        }
    }
}

static TYPE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("^[a-zA-Z][0-9a-zA-Z_]{0,62}$").ok());
static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[^\pZ\pC\pS]+$").ok());

fn matches(pattern: &Option<Regex>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|p| p.is_match(text))
}

fn check_name(name: &str) -> Result<(), String> {
    if name.len() > 1024 {
        return Err(format!(
            "name {} is longer than 1024 characters ({} characters)",
            quoted(name),
            name.len()
        ));
    }
    if !matches(&NAME, name) {
        return Err(format!("invalid character(s) in name {}", quoted(name)));
    }
    Ok(())
}

/// What stands before the slash, and what after it: empty when there is no slash.
fn parts(text: &str) -> Result<(&str, &str), String> {
    let (first, name) = match text.split_once('/') {
        Some((first, name)) => (first.trim(), Some(name.trim())),
        None => (text.trim(), None),
    };
    let whole = quoted(text);
    match (first, name) {
        ("", Some(_)) => Err(format!(
            "in {whole} id: the part before / should not be empty"
        )),
        ("", None) => Err("id must not be empty".into()),
        (_, Some("")) => Err(format!(
            "in {whole} id: the part after / should not be empty"
        )),
        (_, Some(name)) => {
            check_name(name).map_err(|e| format!("in {} id: {e}", quoted(name)))?;
            Ok((first, name))
        }
        (_, None) => Ok((first, "")),
    }
}

/// `type` or `type/name`, as the user wrote it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ComponentId {
    kind: String,
    name: String,
}

impl ComponentId {
    /// The part before the slash.
    pub fn type_name(&self) -> &str {
        &self.kind
    }

    /// The part after the slash; empty when there is none.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for ComponentId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = parts(text)?;
        if !matches(&TYPE, kind) {
            return Err(format!(
                "in {} id: invalid character(s) in type {}",
                quoted(text),
                quoted(kind)
            ));
        }
        Ok(ComponentId {
            kind: kind.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if !self.name.is_empty() {
            write!(f, "/{}", self.name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `signal` or `signal/name`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipelineId {
    /// What flows through it.
    pub signal: Signal,
    name: String,
}

impl PipelineId {
    /// The part after the slash; empty when there is none.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for PipelineId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (signal, name) = parts(text)?;
        let Some(signal) = Signal::ALL.into_iter().find(|s| s.name() == signal) else {
            return Err(format!(
                "in {} id: unknown pipeline signal: {}",
                quoted(text),
                quoted(signal)
            ));
        };
        Ok(PipelineId {
            signal,
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for PipelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.signal.name())?;
        if !self.name.is_empty() {
            write!(f, "/{}", self.name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for PipelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_collectors_rules() {
        for (text, result) in [
            ("otlp", Ok("otlp")),
            (" otlp / a ", Ok("otlp/a")),
            ("otlp/a/b", Ok("otlp/a/b")),
            ("", Err("id must not be empty")),
            (
                "debug/",
                Err(r#"in "debug/" id: the part after / should not be empty"#),
            ),
            (
                "/a",
                Err(r#"in "/a" id: the part before / should not be empty"#),
            ),
            (
                "bad id",
                Err(r#"in "bad id" id: invalid character(s) in type "bad id""#),
            ),
            (
                "a/b c",
                Err(r#"in "b c" id: invalid character(s) in name "b c""#),
            ),
        ] {
            let id = text.parse::<ComponentId>().map(|id| id.to_string());
            assert_eq!(id.as_deref().map_err(String::as_str), result, "{text:?}");
        }
        assert_eq!(
            "spans".parse::<PipelineId>().unwrap_err(),
            r#"in "spans" id: unknown pipeline signal: "spans""#
        );
        assert_eq!(
            "traces/a".parse::<PipelineId>().unwrap().signal,
            Signal::Traces
        );
    }
}
