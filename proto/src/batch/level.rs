//! The kinds of entity in a request, and how they hang together: which field of the parent
//! holds them, where their attributes are. One place, so that everything else is generic.

use crate::Signal;

/// A kind of entity. Rows of a level are numbered from 0 within a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// The request itself: one row, never edited directly.
    Request = 0,
    /// `ResourceSpans`, `ResourceMetrics`, `ResourceLogs`, `ResourceProfiles` with the resource.
    Resource = 1,
    /// `ScopeSpans` and the like with the instrumentation scope.
    Scope = 2,
    /// A span, log record, metric or profile.
    Item = 3,
    /// An event of a span.
    Event = 4,
    /// A link of a span.
    Link = 5,
    /// The oneof `data` of a metric: what makes it a gauge, a sum, …; at most one a metric.
    MetricData = 6,
    /// A data point of a metric, of any of the five types.
    DataPoint = 7,
    /// An exemplar of a data point.
    Exemplar = 8,
    /// A quantile of a data point of a summary.
    Quantile = 9,
    /// A sample of a profile.
    Sample = 10,
    /// The dictionary of a request of profiles: none, one, or one in several pieces.
    Dictionary = 11,
}

pub(crate) const LEVELS: usize = 12;

impl Level {
    /// The entities of a signal, parents before children. [`Level::Request`],
    /// [`Level::MetricData`] and [`Level::Dictionary`], which are no entities of their own, are
    /// left out.
    pub const fn of(signal: Signal) -> &'static [Level] {
        use Level::{DataPoint, Event, Exemplar, Item, Link, Quantile, Resource, Sample, Scope};
        match signal {
            Signal::Traces => &[Resource, Scope, Item, Event, Link],
            Signal::Metrics => &[Resource, Scope, Item, DataPoint, Exemplar, Quantile],
            Signal::Logs => &[Resource, Scope, Item],
            Signal::Profiles => &[Resource, Scope, Item, Sample],
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// Whether a request of this signal can hold such rows.
    pub(crate) fn exists(self, signal: Signal) -> bool {
        match self {
            Level::Request => true,
            Level::MetricData => signal == Signal::Metrics,
            Level::Dictionary => signal == Signal::Profiles,
            level => Level::of(signal).contains(&level),
        }
    }

    /// The level whose rows hold the rows of this one.
    pub(crate) const fn parent(self) -> Level {
        match self {
            Level::Request | Level::Resource | Level::Dictionary => Level::Request,
            Level::Scope => Level::Resource,
            Level::Item => Level::Scope,
            Level::Event | Level::Link | Level::MetricData | Level::Sample => Level::Item,
            Level::DataPoint => Level::MetricData,
            Level::Exemplar | Level::Quantile => Level::DataPoint,
        }
    }

    /// The levels whose rows this one's rows hold.
    pub(crate) const fn children(self, signal: Signal) -> &'static [Level] {
        match (self, signal) {
            (Level::Request, Signal::Profiles) => &[Level::Resource, Level::Dictionary],
            (Level::Request, _) => &[Level::Resource],
            (Level::Resource, _) => &[Level::Scope],
            (Level::Scope, _) => &[Level::Item],
            (Level::Item, Signal::Traces) => &[Level::Event, Level::Link],
            (Level::Item, Signal::Metrics) => &[Level::MetricData],
            (Level::Item, Signal::Profiles) => &[Level::Sample],
            (Level::MetricData, _) => &[Level::DataPoint],
            (Level::DataPoint, _) => &[Level::Exemplar, Level::Quantile],
            _ => &[],
        }
    }

    /// Whether field `number` of a parent holds a row of this level. `kind` is the metric
    /// type around, where that decides.
    #[inline]
    pub(crate) const fn is_field(self, kind: Option<MetricType>, number: u32) -> bool {
        match self.field(kind) {
            Some(own) => own == number,
            None => matches!(self, Level::MetricData) && super::walk::is_metric_data(number),
        }
    }

    /// The field of the parent that holds the rows of this level, where there is one.
    pub(crate) const fn field(self, kind: Option<MetricType>) -> Option<u32> {
        Some(match (self, kind) {
            (Level::Resource | Level::DataPoint, _) => 1,
            (Level::Scope | Level::Item | Level::Sample | Level::Dictionary, _) => 2,
            (Level::Event, _) => 11,
            (Level::Link, _) => 13,
            (Level::Exemplar, Some(MetricType::Gauge | MetricType::Sum)) => 5,
            (Level::Exemplar, Some(MetricType::Histogram)) => 8,
            (Level::Exemplar, Some(MetricType::ExponentialHistogram)) => 11,
            (Level::Quantile, Some(MetricType::Summary)) => 6,
            _ => return None,
        })
    }

    /// Whether such entities have attributes.
    pub fn has_attributes(self, signal: Signal, kind: Option<MetricType>) -> bool {
        let interned = signal == Signal::Profiles && matches!(self, Level::Item | Level::Sample);
        interned || self.attributes(signal, kind).is_some()
    }

    /// Where the attributes of such an entity are: the number of the message inside it that
    /// has them, if they are not its own, and the field's number.
    pub(crate) const fn attributes(
        self,
        signal: Signal,
        kind: Option<MetricType>,
    ) -> Option<(Option<u32>, u32)> {
        Some(match (self, signal, kind) {
            (Level::Resource, _, _) => (Some(1), 1),
            (Level::Scope, _, _) => (Some(1), 3),
            (Level::Item, Signal::Traces, _) => (None, 9),
            (Level::Item, Signal::Logs, _) => (None, 6),
            // Called `metadata` there.
            (Level::Item, Signal::Metrics, _) => (None, 12),
            (Level::Event, _, _) => (None, 3),
            (Level::Link, _, _) => (None, 4),
            (Level::DataPoint, _, Some(MetricType::Histogram)) => (None, 9),
            (Level::DataPoint, _, Some(MetricType::ExponentialHistogram)) => (None, 1),
            (Level::DataPoint, _, Some(_)) => (None, 7),
            // Called `filtered_attributes` there.
            (Level::Exemplar, _, _) => (None, 7),
            _ => return None,
        })
    }
}

/// The type of a metric: the member of its oneof `data`, by field number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MetricType {
    /// Points are the last measured values.
    Gauge = 5,
    /// Points are sums.
    Sum = 7,
    /// Points have explicit buckets.
    Histogram = 9,
    /// Points have exponential buckets.
    ExponentialHistogram = 10,
    /// Points have quantiles.
    Summary = 11,
}

impl MetricType {
    /// The member of `Metric.data` with this field number.
    pub const fn from_number(number: u32) -> Option<MetricType> {
        Some(match number {
            5 => MetricType::Gauge,
            7 => MetricType::Sum,
            9 => MetricType::Histogram,
            10 => MetricType::ExponentialHistogram,
            11 => MetricType::Summary,
            _ => return None,
        })
    }

    /// Whether both have the same kind of data point.
    pub const fn same_points(self, other: MetricType) -> bool {
        use MetricType::{Gauge, Sum};
        matches!((self, other), (Gauge | Sum, Gauge | Sum)) || self as u8 == other as u8
    }
}
