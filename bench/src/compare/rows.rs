//! The rows of the published comparison: what is sent, what the gateway does, who is the measure.

use crate::generate::Compression;

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
}

/// The names of `--row`.
pub const ALL: [(&str, Row); 6] = [
    ("limit", Row::Limit),
    ("plain", Row::Plain),
    ("attributes", Row::Attributes),
    ("gzip-plain", Row::GzipPlain),
    ("gzip-gzip", Row::GzipGzip),
    ("gzip-untouched", Row::GzipUntouched),
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
        }
    }

    /// Who takes part; the first is what the others are divided by.
    pub fn peers(self) -> &'static [&'static str] {
        match self {
            Row::Limit => &["copy", "relay"],
            Row::Plain => &["relay", "trunkline", "otelcol", "rotel"],
            Row::Attributes => &["relay", "trunkline", "otelcol"],
            Row::GzipPlain => &["relay-inflate", "trunkline", "otelcol"],
            Row::GzipGzip | Row::GzipUntouched => &["otelcol", "trunkline", "relay"],
        }
    }

    /// What bodies are sent in.
    pub fn sent(self) -> Compression {
        match self {
            Row::Limit | Row::Plain | Row::Attributes => Compression::None,
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

    /// Whether the three attribute actions are configured.
    pub fn edits(self) -> bool {
        matches!(self, Row::Attributes | Row::GzipPlain | Row::GzipGzip)
    }
}
