//! `verbosity: detailed` for metrics: descriptors, data points of the five types,
//! exemplars; and the buckets of exponential histograms, for `normal` too.

use trunkline_proto::wire::DecodeError;

use super::{
    detailed::{Text, name},
    message::Message,
    numbers::{f, time},
};

/// A metric with its data points.
///
/// # Errors
/// An attribute is not valid.
pub fn metric(out: &mut Text, n: usize, metric: &Message<'_>) -> Result<(), DecodeError> {
    let kind = metric.member(&[5, 7, 9, 10, 11]);
    let kind_name = match kind {
        Some(5) => "Gauge",
        Some(7) => "Sum",
        Some(9) => "Histogram",
        Some(10) => "ExponentialHistogram",
        Some(_) => "Summary",
        None => "Empty",
    };
    out.line(format_args!("Metric #{n}"));
    out.line(format_args!("Descriptor:"));
    out.line(format_args!("     -> Name: {}", metric.text(1)));
    out.line(format_args!("     -> Description: {}", metric.text(2)));
    out.line(format_args!("     -> Unit: {}", metric.text(3)));
    out.line(format_args!("     -> DataType: {kind_name}"));
    out.attributes("     -> Metadata", &metric.attributes(12)?);
    let Some(kind) = kind else { return Ok(()) };
    let data = metric.message(kind);
    if kind == 7 {
        out.line(format_args!("     -> IsMonotonic: {}", data.uint(3) != 0));
    }
    if matches!(kind, 7 | 9 | 10) {
        let names = ["Unspecified", "Delta", "Cumulative"];
        out.line(format_args!(
            "     -> AggregationTemporality: {}",
            name(&names, data.uint(2))
        ));
    }
    for (n, point) in data.messages(1).iter().enumerate() {
        let (heading, attributes) = match kind {
            9 => ("HistogramDataPoints", 9),
            10 => ("ExponentialHistogramDataPoints", 1),
            11 => ("SummaryDataPoints", 7),
            _ => ("NumberDataPoints", 7),
        };
        out.line(format_args!("{heading} #{n}"));
        out.attributes("Data point attributes", &point.attributes(attributes)?);
        out.line(format_args!("StartTimestamp: {}", time(point.uint(2))));
        out.line(format_args!("Timestamp: {}", time(point.uint(3))));
        match kind {
            9 => histogram(out, point)?,
            10 => exponential(out, point)?,
            11 => summary(out, point),
            _ => {
                number(out, "", point, 4, 6);
                exemplars(out, &point.messages(5))?;
            }
        }
    }
    Ok(())
}

/// The value of a point or exemplar, in one of two fields.
fn number(out: &mut Text, indent: &str, point: &Message<'_>, double: u32, int: u32) {
    match point.member(&[double, int]) {
        Some(member) if member == double => {
            let value = point.double(double).unwrap_or(0.0);
            out.line(format_args!("{indent}Value: {}", f(value)));
        }
        Some(_) => out.line(format_args!("{indent}Value: {}", point.uint(int) as i64)),
        None => {}
    }
}

fn totals(out: &mut Text, point: &Message<'_>, min: u32, max: u32) {
    out.line(format_args!("Count: {}", point.uint(4)));
    for (name, number) in [("Sum", 5), ("Min", min), ("Max", max)] {
        if let Some(value) = point.double(number) {
            out.line(format_args!("{name}: {}", f(value)));
        }
    }
}

fn histogram(out: &mut Text, point: &Message<'_>) -> Result<(), DecodeError> {
    totals(out, point, 11, 12);
    for (n, bound) in point.fixed(7).iter().enumerate() {
        out.line(format_args!(
            "ExplicitBounds #{n}: {}",
            f(f64::from_bits(*bound))
        ));
    }
    for (n, count) in point.fixed(6).iter().enumerate() {
        out.line(format_args!("Buckets #{n}, Count: {count}"));
    }
    exemplars(out, &point.messages(8))
}

fn exponential(out: &mut Text, point: &Message<'_>) -> Result<(), DecodeError> {
    totals(out, point, 12, 13);
    let buckets = Buckets::read(point);
    for (lower, upper, count) in buckets.negative() {
        out.line(format_args!(
            "Bucket [{}, {}), Count: {count}",
            f(lower),
            f(upper)
        ));
    }
    if point.uint(7) != 0 {
        out.line(format_args!("Bucket [0, 0], Count: {}", point.uint(7)));
    }
    for (lower, upper, count) in buckets.positive() {
        out.line(format_args!(
            "Bucket ({}, {}], Count: {count}",
            f(lower),
            f(upper)
        ));
    }
    exemplars(out, &point.messages(11))
}

fn summary(out: &mut Text, point: &Message<'_>) {
    out.line(format_args!("Count: {}", point.uint(4)));
    out.line(format_args!("Sum: {}", f(point.double(5).unwrap_or(0.0))));
    for (n, quantile) in point.messages(6).iter().enumerate() {
        out.line(format_args!(
            "QuantileValue #{n}: Quantile {}, Value {}",
            f(quantile.double(1).unwrap_or(0.0)),
            f(quantile.double(2).unwrap_or(0.0))
        ));
    }
}

fn exemplars(out: &mut Text, exemplars: &[Message<'_>]) -> Result<(), DecodeError> {
    if exemplars.is_empty() {
        return Ok(());
    }
    out.line(format_args!("Exemplars:"));
    for (n, exemplar) in exemplars.iter().enumerate() {
        out.line(format_args!("Exemplar #{n}"));
        out.line(format_args!("     -> Trace ID: {}", exemplar.id(5)));
        out.line(format_args!("     -> Span ID: {}", exemplar.id(4)));
        out.line(format_args!(
            "     -> Timestamp: {}",
            time(exemplar.uint(2))
        ));
        number(out, "     -> ", exemplar, 3, 6);
        out.attributes("     -> FilteredAttributes", &exemplar.attributes(7)?);
    }
    Ok(())
}

/// The buckets of an exponential histogram's point (OTLP, `ExponentialHistogramDataPoint`):
/// bucket i is between base^i and base^(i+1), where base is 2^(2^-scale).
pub struct Buckets {
    factor: f64,
    negative: (i32, Vec<u64>),
    positive: (i32, Vec<u64>),
}

impl Buckets {
    /// Those of a point.
    pub fn read(point: &Message<'_>) -> Buckets {
        let side = |number| {
            let side = point.message(number);
            (zigzag(side.uint(1)), side.numbers(2))
        };
        Buckets {
            factor: std::f64::consts::LN_2 * (-f64::from(zigzag(point.uint(6)))).exp2(),
            negative: side(9),
            positive: side(8),
        }
    }

    fn bounds(&self, offset: i32, place: usize) -> (f64, f64) {
        let index = f64::from(offset) + place as f64;
        (
            (index * self.factor).exp(),
            ((index + 1.0) * self.factor).exp(),
        )
    }

    /// Lower and upper bound and count of those below zero, ascending.
    pub fn negative(&self) -> impl Iterator<Item = (f64, f64, u64)> + '_ {
        let (offset, counts) = &self.negative;
        counts.iter().enumerate().rev().map(|(place, count)| {
            let (lower, upper) = self.bounds(*offset, place);
            (-upper, -lower, *count)
        })
    }

    /// Lower and upper bound and count of those above zero, ascending.
    pub fn positive(&self) -> impl Iterator<Item = (f64, f64, u64)> + '_ {
        let (offset, counts) = &self.positive;
        counts.iter().enumerate().map(|(place, count)| {
            let (lower, upper) = self.bounds(*offset, place);
            (lower, upper, *count)
        })
    }
}

/// A signed number of protobuf's `sint32`.
fn zigzag(bits: u64) -> i32 {
    let bits = bits as u32;
    (bits >> 1) as i32 ^ -((bits & 1) as i32)
}
