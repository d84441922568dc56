//! A request before it is written: only as much of OTLP as the generator makes.

use super::random::Random;
use super::words;

pub enum Value {
    Str(String),
    Int(i64),
    Double(f64),
    Bool(bool),
    List(Vec<Value>),
}

pub type Attributes = Vec<(&'static str, Value)>;

/// All items of one resource and scope.
pub struct Group<T> {
    pub resource: Attributes,
    pub scope: (&'static str, &'static str),
    pub items: Vec<T>,
}

pub struct Event {
    pub time: u64,
    pub name: &'static str,
    pub attributes: Attributes,
}

pub struct Span {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    pub parent_span_id: Option<[u8; 8]>,
    pub flags: u32,
    pub name: String,
    pub kind: u32,
    pub start: u64,
    pub end: u64,
    pub attributes: Attributes,
    pub events: Vec<Event>,
    /// Status code, and the message of an error.
    pub status: (u32, &'static str),
}

pub struct LogRecord {
    pub time: u64,
    pub observed: u64,
    pub severity: (u32, &'static str),
    pub body: Value,
    pub attributes: Attributes,
    pub flags: u32,
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
}

pub struct Exemplar {
    pub time: u64,
    pub value: f64,
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    pub attributes: Attributes,
}

pub struct Point<V> {
    pub attributes: Attributes,
    pub start: u64,
    pub time: u64,
    pub value: V,
    pub exemplars: Vec<Exemplar>,
}

pub enum Number {
    Int(i64),
    Double(f64),
}

pub struct Histogram {
    pub counts: Vec<u64>,
    pub bounds: Vec<f64>,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
}

pub struct Exponential {
    pub scale: i32,
    pub zero_count: u64,
    pub offset: i32,
    pub counts: Vec<u64>,
    pub sum: f64,
}

pub struct Summary {
    pub count: u64,
    pub sum: f64,
    /// Quantile and value.
    pub quantiles: Vec<(f64, f64)>,
}

pub enum Data {
    Gauge(Vec<Point<Number>>),
    Sum(Vec<Point<Number>>),
    Histogram(Vec<Point<Histogram>>),
    Exponential(Vec<Point<Exponential>>),
    Summary(Vec<Point<Summary>>),
}

pub struct Metric {
    pub name: &'static str,
    pub unit: &'static str,
    pub description: &'static str,
    pub data: Data,
}

pub enum Request {
    Traces(Vec<Group<Span>>),
    Metrics(Vec<Group<Metric>>),
    Logs(Vec<Group<LogRecord>>),
}

/// The moment the generated telemetry begins at, in nanoseconds since 1970: fixed, so that a seed
/// gives the same bytes on every day.
pub const EPOCH: u64 = 1_750_000_000_000_000_000;

pub fn s(v: impl Into<String>) -> Value {
    Value::Str(v.into())
}

/// The resource of one of a service's pods: eight attributes.
pub fn resource(r: &mut Random) -> Attributes {
    let service = r.pick(&words::SERVICES);
    vec![
        ("service.name", s(service)),
        (
            "service.version",
            s(format!("2.{}.{}", r.below(40), r.below(10))),
        ),
        ("service.instance.id", s(r.uuid())),
        (
            "deployment.environment.name",
            s(r.pick(&words::ENVIRONMENTS)),
        ),
        ("k8s.namespace.name", s(r.pick(&words::NAMESPACES))),
        (
            "k8s.pod.name",
            s(format!("{service}-{}-{}", r.hex(10), r.hex(5))),
        ),
        ("cloud.availability_zone", s(r.pick(&words::ZONES))),
        ("telemetry.sdk.language", s(r.pick(&words::LANGUAGES))),
    ]
}

pub fn scope(r: &mut Random) -> (&'static str, &'static str) {
    let at = r.below(words::SCOPES.len() as u64) as usize;
    words::SCOPES.get(at).copied().unwrap_or_default()
}

/// A path with its placeholders filled in.
pub fn path(r: &mut Random, route: &str) -> String {
    let mut path = String::with_capacity(route.len() + 16);
    for (i, part) in route.split('{').enumerate() {
        if i == 0 {
            path.push_str(part);
        } else {
            path.push_str(&r.below(90_000_000).to_string());
            path.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
        }
    }
    path
}

/// Cuts `total` items into groups of `per_resource`.
pub fn groups<T>(
    r: &mut Random,
    total: usize,
    per_resource: usize,
    mut fill: impl FnMut(&mut Random, usize) -> Vec<T>,
) -> Vec<Group<T>> {
    let per_resource = per_resource.max(1);
    let mut left = total;
    let mut all = Vec::with_capacity(total.div_ceil(per_resource));
    while left > 0 {
        let n = left.min(per_resource);
        left -= n;
        all.push(Group {
            resource: resource(r),
            scope: scope(r),
            items: fill(r, n),
        });
    }
    all
}
