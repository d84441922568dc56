//! What a metric is: its name, unit, type, and from which level on it is shown; and how such
//! descriptions are made. Which there are is in `descriptors`.

/// How much is shown: `service::telemetry::metrics::level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Nothing; there is no listener.
    None = 0,
    /// What every user needs.
    Basic = 1,
    /// The default.
    Normal = 2,
    /// Everything.
    Detailed = 3,
}

impl Level {
    /// Reads a level as configuration writes it, in any case.
    pub fn parse(text: &str) -> Option<Level> {
        match text.to_ascii_lowercase().as_str() {
            "none" => Some(Level::None),
            "basic" => Some(Level::Basic),
            "normal" => Some(Level::Normal),
            "detailed" => Some(Level::Detailed),
            _ => None,
        }
    }

    pub(super) fn from_repr(repr: u8) -> Level {
        match repr {
            0 => Level::None,
            1 => Level::Basic,
            2 => Level::Normal,
            _ => Level::Detailed,
        }
    }
}

/// What a metric's values are measured in, as far as names show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A count of things (`{span}`, `{request}`, …), which names do not show.
    Count,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution; the bounds of its buckets, ascending, inclusive.
    Histogram(&'static [f64]),
}

/// How the values of several cores make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Across {
    /// Added up.
    Sum,
    /// The largest: for what every core has a copy of.
    Max,
}

/// What a metric is.
#[derive(Debug)]
pub struct Descriptor {
    /// Name without suffixes for unit and type.
    pub name: &'static str,
    /// Help text, stability included.
    pub help: &'static str,
    /// Unit.
    pub unit: Unit,
    /// Type.
    pub kind: Kind,
    /// Shown from this level on.
    pub level: Level,
    /// Name of the instrumentation scope, shown with `without_scope_info: false`.
    pub scope: &'static str,
    /// How cores combine.
    pub across: Across,
}

pub(super) const fn metric(
    scope: &'static str,
    level: Level,
    kind: Kind,
    unit: Unit,
    name: &'static str,
    help: &'static str,
) -> Descriptor {
    Descriptor {
        name,
        help,
        unit,
        kind,
        level,
        scope,
        across: Across::Sum,
    }
}

pub(super) const fn counter(
    scope: &'static str,
    name: &'static str,
    help: &'static str,
) -> Descriptor {
    metric(scope, Level::Basic, Kind::Counter, Unit::Count, name, help)
}

pub(super) const fn gauge(
    scope: &'static str,
    name: &'static str,
    help: &'static str,
) -> Descriptor {
    metric(scope, Level::Basic, Kind::Gauge, Unit::Count, name, help)
}

/// Sizes in items, of batches and queued requests.
pub(super) const SIZES: &[f64] = &[
    10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2000.0, 3000.0, 4000.0, 5000.0,
    6000.0, 7000.0, 8000.0, 9000.0, 10000.0, 20000.0, 30000.0, 50000.0, 100000.0,
];
/// Sizes in bytes: the powers of two from 128 to 16 MiB.
pub(super) const BYTE_SIZES: &[f64] = &[
    128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0, 32768.0, 65536.0, 131072.0,
    262144.0, 524288.0, 1048576.0, 2097152.0, 4194304.0, 8388608.0, 16777216.0,
];
/// The OpenTelemetry SDK's default bounds.
pub(super) const SDK_BOUNDS: &[f64] = &[
    0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0,
    10000.0,
];
/// Durations of calls in seconds (OpenTelemetry semantic conventions).
pub(super) const CALL_SECONDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
