//! The contexts: what a statement can be about. One declaration of each, from which name
//! resolution, hints, reading and writing, and the documentation come: its paths (`paths`), its
//! enum symbols (`enums`), and the contexts around it. Which context a list of statements has is
//! worked out in `infer`.

mod enums;
pub(crate) mod infer;
mod paths;

use std::fmt;

use trunkline_proto::batch::{Field, Level};

use crate::types::TypeSet;

/// A context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "named as in the language")]
pub enum Context {
    Log,
    Exemplar,
    DataPoint,
    Metric,
    SpanEvent,
    Span,
    ProfileSample,
    Profile,
    Scope,
    Resource,
    /// What is known of the request and its sender; read-only, and in every context.
    OtelCol,
}

use Context::*;

impl Context {
    /// All of them, those that inference prefers first. (The reference, in which nothing offers
    /// samples, has them behind resources; what names them with what is around them it refuses.)
    pub const ALL: [Context; 11] = [
        Log,
        Exemplar,
        DataPoint,
        Metric,
        SpanEvent,
        Span,
        ProfileSample,
        Profile,
        Scope,
        Resource,
        OtelCol,
    ];

    /// The name that paths begin with.
    pub fn name(self) -> &'static str {
        match self {
            Log => "log",
            Exemplar => "exemplar",
            DataPoint => "datapoint",
            Metric => "metric",
            SpanEvent => "spanevent",
            Span => "span",
            ProfileSample => "profilesample",
            Profile => "profile",
            Scope => "scope",
            Resource => "resource",
            OtelCol => "otelcol",
        }
    }

    /// The context of this name, `instrumentation_scope` being an old one of `scope`.
    pub fn named(name: &str) -> Option<Context> {
        if name == "instrumentation_scope" {
            return Some(Scope);
        }
        Context::ALL
            .into_iter()
            .find(|context| context.name() == name)
    }

    /// The contexts whose paths can be used in this one: itself, then what it is in, from the
    /// inside out.
    pub fn visible(self) -> &'static [Context] {
        match self {
            Resource => &[Resource, OtelCol],
            Scope => &[Scope, Resource, OtelCol],
            Span => &[Span, Scope, Resource, OtelCol],
            SpanEvent => &[SpanEvent, Span, Scope, Resource, OtelCol],
            Metric => &[Metric, Scope, Resource, OtelCol],
            DataPoint => &[DataPoint, Metric, Scope, Resource, OtelCol],
            Exemplar => &[Exemplar, DataPoint, Metric, Scope, Resource, OtelCol],
            Log => &[Log, Scope, Resource, OtelCol],
            Profile => &[Profile, Scope, Resource, OtelCol],
            ProfileSample => &[ProfileSample, Profile, Scope, Resource, OtelCol],
            OtelCol => &[OtelCol],
        }
    }

    /// Whether paths of `other` can be used in this one.
    pub fn sees(self, other: Context) -> bool {
        self.visible().contains(&other)
    }

    /// The rows of a batch that such a statement runs on.
    pub fn level(self) -> Option<Level> {
        Some(match self {
            Resource => Level::Resource,
            Scope => Level::Scope,
            Span | Metric | Log | Profile => Level::Item,
            SpanEvent => Level::Event,
            DataPoint => Level::DataPoint,
            Exemplar => Level::Exemplar,
            ProfileSample => Level::Sample,
            OtelCol => return None,
        })
    }

    /// Its own paths.
    pub fn paths(self) -> &'static [PathDef] {
        paths::of(self)
    }

    /// Its enum symbols.
    pub fn enums(self) -> impl Iterator<Item = (&'static str, i64)> {
        let symbols = enums::of(self).iter().copied().flatten();
        symbols.map(|(name, number)| (*name, i64::from(*number)))
    }

    /// The value of an enum symbol.
    pub fn enum_value(self, symbol: &str) -> Option<i64> {
        self.enums()
            .find(|(name, _)| *name == symbol)
            .map(|(_, value)| value)
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A path of a context.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathDef {
    /// Without the context: `status.code`.
    pub name: &'static str,
    /// What reading it (without keys) can give.
    pub types: TypeSet,
    /// What can be written, nil aside.
    pub write: Write,
    /// Which keys it takes.
    pub keys: Keys,
    /// Where it is kept.
    pub store: Store,
}

/// Whether and how a path can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// It is read-only: writing is an error of the statement that does it.
    Never,
    /// Writing does nothing.
    Ignored,
    /// A value of these types; nil as well for what can be empty.
    Types(TypeSet),
}

/// The keys that a path takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// None.
    None,
    /// A string, then whatever is in there.
    Map,
    /// Whatever is in there: the body.
    Value,
    /// One string.
    OneString,
}

/// Where the value of a path is kept, and in what form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// A string.
    Text(Field),
    /// An integer of some width; writing cuts off what does not fit.
    Int(Field, Width),
    /// Nanoseconds since 1970, as an integer.
    UnixNano(Field),
    /// Nanoseconds since 1970, as a time.
    Time(Field),
    /// A double.
    Float(Field),
    /// A bool.
    Bool(Field),
    /// A trace id.
    TraceId(Field),
    /// A span id.
    SpanId(Field),
    /// A trace id in hex.
    TraceIdText(Field),
    /// A span id in hex.
    SpanIdText(Field),
    /// A span's kind by its name.
    KindText,
    /// A span's kind by the name of its enum symbol.
    KindDeprecatedText,
    /// A trace state; with a key, a member of it.
    TraceState,
    /// The attributes, of a metric its metadata, of an exemplar its filtered attributes.
    Attributes,
    /// The body of a log record.
    Body,
    /// The body of a log record as text.
    BodyText,
    /// A metric's type.
    MetricType,
    /// 64-bit numbers without sign.
    Uints(Field),
    /// Doubles.
    Floats(Field),
    /// Part of a row that is only copied.
    Part(Part),
    /// The number of an event in its span; no host says it.
    EventIndex,
    /// The scratch map.
    Cache,
    /// What is known of the request.
    Request(RequestPart),
    /// A number of nanoseconds; a negative one is refused.
    Nanos(Field),
    /// An index into a table of the dictionary that profiles share; one that is too large is
    /// refused.
    Index(Field),
    /// 64-bit numbers with sign.
    Ints(Field),
    /// Times.
    Times(Field),
    /// Bytes.
    Bytes(Field),
    /// A profile id.
    ProfileId(Field),
    /// A profile id in hex.
    ProfileIdText(Field),
    /// A string of the dictionary that profiles share, by its index.
    DictionaryText(Field),
}

/// How wide an integer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 32 bits, signed.
    I32,
    /// 32 bits, unsigned.
    U32,
    /// 32 bits, unsigned; one that does not fit is refused.
    U32Checked,
    /// 64 bits, unsigned.
    U64,
    /// 64 bits, signed.
    I64,
}

/// What can be copied between rows but not looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in OTLP")]
pub enum Part {
    Status,
    Events,
    Links,
    DataPoints,
    Exemplars,
    QuantileValues,
    Positive,
    Negative,
    Samples,
    SampleType,
    PeriodType,
}

/// What is known of a request and its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestPart {
    /// The sender's address.
    Address,
    /// The headers that receivers kept.
    Metadata,
    /// What an authenticator found out.
    Auth,
    /// The gRPC headers.
    Grpc,
}
