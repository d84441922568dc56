//! `extract_percentile_metric`: a gauge of a percentile of histograms. Within a bucket values are
//! taken to be spread evenly, linearly in explicit buckets and logarithmically in exponential ones.

use trunkline_proto::batch::{Data, Field, Level, MetricType};

use super::{Details, Number, Points, double, doubles, int, metric_of, uint, varints, words};
use crate::{
    failure::Failure,
    go::text::ldexp,
    program::{Args, Argument},
    run::Row,
    value::Value,
};

/// `extract_percentile_metric(percentile, suffix?)`
pub(crate) fn extract_percentile_metric(row: &mut Row<'_>, args: &Args<'_>) -> Result<(), Failure> {
    let percentile = match args.value(0) {
        Value::Float(percentile) => *percentile,
        _ => return Ok(()),
    };
    let (metric, of) = metric_of(row)?;
    let value = match of {
        Some(MetricType::Histogram) => explicit,
        Some(MetricType::ExponentialHistogram) => exponential,
        _ => return Ok(()),
    };
    let shown = shortest(percentile);
    let named = format!("_p{shown}");
    let suffix = match args.text_or_none(1)? {
        Some(suffix) if !suffix.is_empty() => suffix,
        _ => named.as_bytes(),
    };
    let data = row.data();
    let mut details = Details::of(data, metric, suffix)?;
    let told = match details.description.is_empty() {
        true => format!("p{shown}"),
        false => format!(" (p{shown})"),
    };
    details.description.extend_from_slice(told.as_bytes());
    let mut points = Points::default();
    for point in data.children(Level::DataPoint, metric)? {
        if let Some(value) = value(data, point, percentile)? {
            points.push(data, point, None, Number::Double(value))?;
        }
    }
    if points.is_empty() {
        return Ok(());
    }
    let message = points.into_gauge(&details);
    row.add_metric("extract_percentile_metric", &message)
}

/// A percentile lies between 0 and 100.
pub(crate) fn check_percentile(args: &[Argument]) -> Result<(), String> {
    match args.first().and_then(Argument::literal) {
        Some(Value::Float(percentile)) if !(*percentile > 0.0 && *percentile < 100.0) => Err(
            format!("percentile must be greater than 0 and less than 100, got {percentile:.6}"),
        ),
        _ => Ok(()),
    }
}

/// `%g` of a number between 0 and 100.
fn shortest(value: f64) -> String {
    if value >= 1e-4 {
        return format!("{value}");
    }
    let text = format!("{value:e}");
    match text.split_once("e-") {
        Some((digits, exponent)) => format!("{digits}e-{exponent:0>2}"),
        None => text,
    }
}

/// How many of the values lie at or below the percentile.
fn rank(count: u64, percentile: f64) -> u64 {
    (count as f64 * (percentile / 100.0)).ceil() as u64
}

fn malformed(kind: &str, rest: String) -> Failure {
    Failure::Function(format!(
        "calculating {kind} percentile: malformed data: {rest}"
    ))
}

fn unreached(kind: &str, target: u64, total: u64) -> Failure {
    malformed(
        kind,
        format!(
            "cumulative count doesn't reach target count corresponding to percentile. \
             targetCount={target}, total count={total}"
        ),
    )
}

/// Of a histogram point with explicit buckets; nothing of one without values, or whose only
/// bucket has no ends.
fn explicit(data: &mut Data, point: u32, percentile: f64) -> Result<Option<f64>, Failure> {
    let count = uint(data, point, Field::Count)?;
    let counts = words(data, point, Field::BucketCounts)?;
    if count == 0 || counts.is_empty() {
        return Ok(None);
    }
    let target = rank(count, percentile);
    let bounds = doubles(data, point, Field::ExplicitBounds)?;
    if counts.len() != bounds.len() + 1 {
        let rest = format!(
            "bucketCounts length ({}) != explicitBounds length ({}) + 1",
            counts.len(),
            bounds.len()
        );
        return Err(malformed("histogram", rest));
    }
    let least = double(data, Level::DataPoint, point, Field::Min)?;
    let most = double(data, Level::DataPoint, point, Field::Max)?;
    if let [only] = *counts {
        return match (least, most) {
            (Some(least), Some(most)) => linear(least, most, target as f64 / only as f64).map(Some),
            _ => Ok(None),
        };
    }
    let mut total = 0u64;
    for (at, count) in counts.iter().enumerate() {
        let before = total;
        total = total.wrapping_add(*count);
        if total < target {
            continue;
        }
        let above = bounds.get(at).copied();
        let below = at.checked_sub(1).and_then(|at| bounds.get(at)).copied();
        let (low, high) = match (below, above) {
            (None, Some(high)) => match least {
                Some(least) if least < high => (least, high),
                _ if high < 0.0 => return Ok(Some(high)),
                _ => (0.0, high),
            },
            (Some(low), Some(high)) => (low, high),
            (Some(low), None) => match most {
                Some(most) if most > low => (low, most),
                _ => return Ok(Some(low)),
            },
            (None, None) => return Ok(None),
        };
        let ratio = target.wrapping_sub(before) as f64 / *count as f64;
        return linear(low, high, ratio).map(Some);
    }
    Err(unreached("histogram", target, total))
}

/// Of an exponential histogram's point; nothing of one without values.
fn exponential(data: &mut Data, point: u32, percentile: f64) -> Result<Option<f64>, Failure> {
    let count = uint(data, point, Field::Count)?;
    let negative = varints(data, point, Field::NegativeBucketCounts)?;
    let positive = varints(data, point, Field::PositiveBucketCounts)?;
    let zeros = uint(data, point, Field::ZeroCount)?;
    if count == 0 || negative.is_empty() && positive.is_empty() && zeros == 0 {
        return Ok(None);
    }
    let target = rank(count, percentile);
    let scale = int(data, point, Field::Scale)?;
    let mut total = 0u64;
    // From the one farthest below zero.
    let offset = int(data, point, Field::NegativeOffset)?;
    for (at, count) in negative.iter().enumerate().rev() {
        let before = total;
        total = total.wrapping_add(*count);
        if total < target {
            continue;
        }
        let index = offset + at as i64;
        let (low, high) = (bound(index, scale), bound(index + 1, scale));
        if low >= high {
            return Err(Failure::Function(format!(
                "calculating exponential histogram percentile: malformed negative bucket bounds: \
                 absLowerBound ({low:.6}) >= absUpperBound ({high:.6}) at histogramIndex={index}, \
                 scale={scale}"
            )));
        }
        let ratio = target.wrapping_sub(before) as f64 / *count as f64;
        return logarithmic(low, high, 1.0 - ratio).map(|value| Some(-value));
    }
    let below = total;
    total = total.wrapping_add(zeros);
    if total >= target {
        let threshold =
            double(data, Level::DataPoint, point, Field::ZeroThreshold)?.unwrap_or_default();
        let (low, high) = match (negative.is_empty(), positive.is_empty()) {
            (true, false) => (0.0, threshold),
            (false, true) => (-threshold, 0.0),
            _ => (-threshold, threshold),
        };
        let ratio = target.wrapping_sub(below) as f64 / zeros as f64;
        return linear(low, high, ratio).map(Some);
    }
    let offset = int(data, point, Field::PositiveOffset)?;
    for (at, count) in positive.iter().enumerate() {
        let before = total;
        total = total.wrapping_add(*count);
        if total >= target {
            let index = offset + at as i64;
            let ratio = target.wrapping_sub(before) as f64 / *count as f64;
            return logarithmic(bound(index, scale), bound(index + 1, scale), ratio).map(Some);
        }
    }
    Err(unreached("exponential histogram", target, total))
}

/// The lower bound of a bucket of an exponential histogram.
/// <https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponential-scale>
fn bound(index: i64, scale: i64) -> f64 {
    if scale <= 0 {
        let exponent = match u32::try_from(-scale) {
            Ok(shift @ 0..64) => index << shift,
            _ => 0,
        };
        return ldexp(1.0, exponent);
    }
    (index as f64 * ldexp(std::f64::consts::LN_2, -scale)).exp()
}

fn within(kind: &str, ratio: f64) -> Result<(), Failure> {
    if !(0.0..=1.0).contains(&ratio) {
        return Err(Failure::Function(format!(
            "{kind} interpolation: invalid ratio {ratio:.6}, must be between 0 and 1"
        )));
    }
    Ok(())
}

fn linear(low: f64, high: f64, ratio: f64) -> Result<f64, Failure> {
    within("linear", ratio)?;
    Ok(low + ratio * (high - low))
}

fn logarithmic(low: f64, high: f64, ratio: f64) -> Result<f64, Failure> {
    within("logarithmic", ratio)?;
    if low <= 0.0 || high <= 0.0 {
        return Err(Failure::Function(format!(
            "logarithmic interpolation: bounds must be positive, got lowerBound={low:.6}, \
             upperBound={high:.6}"
        )));
    }
    let (low, high) = (low.log2(), high.log2());
    Ok((low + (high - low) * ratio).exp2())
}

#[cfg(test)]
mod tests {
    #[test]
    fn percentiles_are_shown_as_short_as_go_shows_them() {
        for (value, shown) in [
            (99.0, "99"),
            (99.9, "99.9"),
            (0.5, "0.5"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (0.000025, "2.5e-05"),
        ] {
            assert_eq!(super::shortest(value), shown);
        }
    }
}
