//! New sums and gauges of the counts, sums and averages of histograms and summaries.

use trunkline_proto::batch::{Data, Field, FieldValue, Level, MetricType};

use super::{Details, Number, Points, double, flag, metric_of, type_name, uint};
use crate::{failure::Failure, program::Args, run::Row};

/// `extract_sum_metric(monotonic, suffix?)`: points without a sum are passed over.
pub(crate) fn extract_sum_metric(row: &mut Row<'_>, args: &Args<'_>) -> Result<(), Failure> {
    const NAME: &str = "extract_sum_metric";
    let (metric, of) = metric_of(row)?;
    let temporality = temporality(row.data(), NAME, metric, of)?;
    let suffix = args.text_or_none(1)?.unwrap_or(b"_sum");
    let details = Details::of(row.data(), metric, suffix)?;
    let points = extract(row.data(), metric, |data, point| {
        Ok(sum(data, point, of)?.map(Number::Double))
    })?;
    add(row, NAME, points, |points| {
        Ok(points.into_sum(&details, temporality, flag(args, 0)?))
    })
}

/// `extract_count_metric(monotonic, suffix?)`: a metric without dimension.
pub(crate) fn extract_count_metric(row: &mut Row<'_>, args: &Args<'_>) -> Result<(), Failure> {
    const NAME: &str = "extract_count_metric";
    let (metric, of) = metric_of(row)?;
    let temporality = temporality(row.data(), NAME, metric, of)?;
    let suffix = args.text_or_none(1)?.unwrap_or(b"_count");
    let mut details = Details::of(row.data(), metric, suffix)?;
    details.unit = b"1".to_vec();
    let points = extract(row.data(), metric, |data, point| {
        Ok(Some(Number::Int(uint(data, point, Field::Count)? as i64)))
    })?;
    add(row, NAME, points, |points| {
        Ok(points.into_sum(&details, temporality, flag(args, 0)?))
    })
}

/// `extract_avg_metric(suffix?)`: sum by count, of the points that have both.
pub(crate) fn extract_avg_metric(row: &mut Row<'_>, args: &Args<'_>) -> Result<(), Failure> {
    const NAME: &str = "extract_avg_metric";
    let (metric, of) = metric_of(row)?;
    if !has_counts(of) {
        return Err(wrong_type(NAME, of));
    }
    let suffix = args.text_or_none(0)?.unwrap_or(b"_avg");
    let details = Details::of(row.data(), metric, suffix)?;
    let points = extract(row.data(), metric, |data, point| {
        let count = uint(data, point, Field::Count)?;
        Ok(match sum(data, point, of)? {
            Some(sum) if count > 0 => Some(Number::Double(sum / count as f64)),
            _ => None,
        })
    })?;
    add(row, NAME, points, |points| Ok(points.into_gauge(&details)))
}

/// One point for each point of the metric that `value` gives a number for.
fn extract(
    data: &mut Data,
    metric: u32,
    mut value: impl FnMut(&mut Data, u32) -> Result<Option<Number>, Failure>,
) -> Result<Points, Failure> {
    let mut points = Points::default();
    for point in data.children(Level::DataPoint, metric)? {
        if let Some(value) = value(data, point)? {
            points.push(data, point, None, value)?;
        }
    }
    Ok(points)
}

/// Adds the metric, if it has points.
fn add(
    row: &mut Row<'_>,
    name: &str,
    points: Points,
    message: impl FnOnce(Points) -> Result<Vec<u8>, Failure>,
) -> Result<(), Failure> {
    if points.is_empty() {
        return Ok(());
    }
    let message = message(points)?;
    row.add_metric(name, &message)
}

/// The sum of a point. Of a summary it is always there.
fn sum(data: &mut Data, point: u32, of: Option<MetricType>) -> Result<Option<f64>, Failure> {
    let sum = double(data, Level::DataPoint, point, Field::Sum)?;
    Ok(match of {
        Some(MetricType::Summary) => Some(sum.unwrap_or_default()),
        _ => sum,
    })
}

fn has_counts(of: Option<MetricType>) -> bool {
    use MetricType::{ExponentialHistogram, Histogram, Summary};
    matches!(of, Some(Histogram | ExponentialHistogram | Summary))
}

/// The temporality that the new sum has. Summaries are cumulative.
fn temporality(
    data: &mut Data,
    name: &str,
    metric: u32,
    of: Option<MetricType>,
) -> Result<i64, Failure> {
    if !has_counts(of) {
        return Err(wrong_type(name, of));
    }
    if of == Some(MetricType::Summary) {
        return Ok(2);
    }
    match data.field(Level::Item, metric, Field::AggregationTemporality)? {
        Some(FieldValue::Int(temporality)) if temporality != 0 => Ok(temporality),
        _ => Err(wrong_type(name, of)),
    }
}

fn wrong_type(name: &str, of: Option<MetricType>) -> Failure {
    Failure::Function(format!(
        "{name} requires an input metric of type Histogram, ExponentialHistogram or Summary, got {}",
        type_name(of)
    ))
}
