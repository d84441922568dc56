//! The rows of the published comparison: what is sent, what the gateway does, who is the measure.

use trunkline_proto::Signal;

use crate::{
    generate::Compression,
    kernels::ottl::{self, Statements},
};

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// The relay beside a bare copy: how good the measure itself is.
    Limit,
    /// Plain in, plain out, no processors.
    Plain,
    /// Plain in, plain out; three attribute actions.
    Attributes,
    /// gzip in, plain out, the same actions.
    GzipPlain,
    /// gzip in, gzip out, the same actions.
    GzipGzip,
    /// gzip in, gzip out, nothing changed.
    GzipUntouched,
    /// Plain in, plain out; OTTL statements.
    Ottl(Statements),
    /// Plain in, plain out; an OTTL condition drops 95 of 100 items.
    Filter,
    /// Plain in, plain out, by two pipelines; 100 conditions on a resource attribute say which.
    Routing,
}

/// The names of `--row`.
pub const ALL: [(&str, Row); 12] = [
    ("limit", Row::Limit),
    ("plain", Row::Plain),
    ("attributes", Row::Attributes),
    ("gzip-plain", Row::GzipPlain),
    ("gzip-gzip", Row::GzipGzip),
    ("gzip-untouched", Row::GzipUntouched),
    ("ottl-ten", Row::Ottl(Statements::Ten)),
    ("ottl-set", Row::Ottl(Statements::One)),
    ("ottl-set-10", Row::Ottl(Statements::Conditional(10))),
    ("ottl-set-100", Row::Ottl(Statements::Conditional(100))),
    ("filter", Row::Filter),
    ("routing", Row::Routing),
];

impl Row {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        ALL.iter()
            .find(|(_, r)| *r == self)
            .map_or("", |(name, _)| name)
    }

    /// What it is, in words.
    pub fn describe(self) -> &'static str {
        match self {
            Row::Limit => "the relay beside a bare copy",
            Row::Plain => "plain in, plain out, no processors",
            Row::Attributes => "plain in, plain out; attributes: insert from another, delete two",
            Row::GzipPlain => "gzip in, plain out; attributes: insert from another, delete two",
            Row::GzipGzip => "gzip in, gzip out; attributes: insert from another, delete two",
            Row::GzipUntouched => "gzip in, gzip out, nothing changed",
            Row::Ottl(Statements::Ten | Statements::TenOtherNames) => {
                "plain in, plain out; ten OTTL statements"
            }
            Row::Ottl(Statements::One) => "plain in, plain out; one OTTL statement: set a constant",
            Row::Ottl(Statements::Conditional(_)) => {
                "plain in, plain out; OTTL: set an attribute by a condition, 10 or 100 times"
            }
            Row::Filter => "plain in, plain out; an OTTL condition drops 95 of 100 items",
            Row::Routing => {
                "plain in, plain out by two pipelines; 100 conditions on a resource attribute"
            }
        }
    }

    /// Who takes part; the first is what the others are divided by.
    pub fn peers(self) -> &'static [&'static str] {
        match self {
            Row::Limit => &["copy", "relay"],
            Row::Plain => &["relay", "trunkline", "otelcol", "rotel"],
            Row::Attributes | Row::Ottl(_) | Row::Filter | Row::Routing => {
                &["relay", "trunkline", "otelcol"]
            }
            Row::GzipPlain => &["relay-inflate", "trunkline", "otelcol"],
            Row::GzipGzip | Row::GzipUntouched => &["otelcol", "trunkline", "relay"],
        }
    }

    /// What bodies are sent in.
    pub fn sent(self) -> Compression {
        match self {
            Row::Limit
            | Row::Plain
            | Row::Attributes
            | Row::Ottl(_)
            | Row::Filter
            | Row::Routing => Compression::None,
            Row::GzipPlain | Row::GzipGzip | Row::GzipUntouched => Compression::Gzip,
        }
    }

    /// What gateways are configured to send.
    pub fn exported(self) -> &'static str {
        match self {
            Row::GzipGzip | Row::GzipUntouched => "gzip",
            _ => "none",
        }
    }

    /// The processor that does the work: its id and its configuration, four columns in.
    pub fn processor(self, signal: Signal) -> Option<(&'static str, String)> {
        let word = match signal {
            Signal::Traces => "trace",
            Signal::Metrics => "metric",
            Signal::Logs => "log",
            Signal::Profiles => "profile",
        };
        let list = |key: &str, texts: Vec<String>| {
            let items = texts.iter().map(|text| format!("      - '{text}'\n"));
            format!(
                "    error_mode: ignore\n    {word}_{key}:\n{}",
                items.collect::<String>()
            )
        };
        match self {
            Row::Limit | Row::Plain | Row::GzipUntouched | Row::Routing => None,
            Row::Attributes | Row::GzipPlain | Row::GzipGzip => Some((
                "attributes",
                "    actions:\n      \
                 - { key: app.route, from_attribute: http.route, action: insert }\n      \
                 - { key: client.address, action: delete }\n      \
                 - { key: enduser.id, action: delete }\n"
                    .to_owned(),
            )),
            Row::Ottl(of) => Some(("transform", list("statements", ottl::sources(of, signal)))),
            Row::Filter => Some((
                "filter",
                list("conditions", vec![ottl::condition(signal).to_owned()]),
            )),
        }
    }
}
