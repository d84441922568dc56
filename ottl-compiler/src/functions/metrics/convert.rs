//! Gauges become sums and the reverse, summaries become sums and gauges, metrics are copied.

use trunkline_proto::{
    batch::{Data, Field, FieldValue, Level, MetricType},
    wire::{Fields, put_bytes},
};

use super::{Details, Number, Points, double, flag, metric_of, uint};
use crate::{
    failure::Failure,
    program::{Args, Argument},
    run::Row,
    value::Value,
};

/// `convert_sum_to_gauge()`
pub(crate) fn convert_sum_to_gauge(row: &mut Row<'_>, _: &Args<'_>) -> Result<(), Failure> {
    let (metric, of) = metric_of(row)?;
    if of == Some(MetricType::Sum) {
        row.data().set_metric_type(metric, MetricType::Gauge)?;
    }
    Ok(())
}

/// `convert_gauge_to_sum(string_agg_temp, monotonic)`
pub(crate) fn convert_gauge_to_sum(row: &mut Row<'_>, args: &Args<'_>) -> Result<(), Failure> {
    let (metric, of) = metric_of(row)?;
    if of != Some(MetricType::Gauge) {
        return Ok(());
    }
    let monotonic = flag(args, 1)?;
    let temporality = FieldValue::Int(temporality(args.text(0)?).unwrap_or(0));
    let data = row.data();
    data.set_metric_type(metric, MetricType::Sum)?;
    let (level, field) = (Level::Item, Field::AggregationTemporality);
    data.set_field(level, metric, field, Some(temporality))?;
    if monotonic {
        let monotonic = Some(FieldValue::Bool(true));
        data.set_field(level, metric, Field::IsMonotonic, monotonic)?;
    }
    Ok(())
}

fn temporality(name: &[u8]) -> Option<i64> {
    match name {
        b"delta" => Some(1),
        b"cumulative" => Some(2),
        _ => None,
    }
}

/// The temporality must be one that there is.
pub(crate) fn check_temporality(args: &[Argument]) -> Result<(), String> {
    match args.first().and_then(Argument::literal) {
        Some(Value::String(name)) if temporality(name).is_none() => Err(format!(
            "unknown aggregation temporality: {}",
            String::from_utf8_lossy(name)
        )),
        _ => Ok(()),
    }
}

/// `convert_summary_count_val_to_sum(string_agg_temp, monotonic, suffix?)`
pub(crate) fn convert_summary_count_val_to_sum(
    row: &mut Row<'_>,
    args: &Args<'_>,
) -> Result<(), Failure> {
    let name = "convert_summary_count_val_to_sum";
    summary_to_sum(row, args, name, b"_count", |data, point| {
        Ok(Number::Int(uint(data, point, Field::Count)? as i64))
    })
}

/// `convert_summary_sum_val_to_sum(string_agg_temp, monotonic, suffix?)`
pub(crate) fn convert_summary_sum_val_to_sum(
    row: &mut Row<'_>,
    args: &Args<'_>,
) -> Result<(), Failure> {
    let name = "convert_summary_sum_val_to_sum";
    summary_to_sum(row, args, name, b"_sum", |data, point| {
        let sum = double(data, Level::DataPoint, point, Field::Sum)?;
        Ok(Number::Double(sum.unwrap_or_default()))
    })
}

/// A sum of all points of the summary around the point: each point's row adds one.
fn summary_to_sum(
    row: &mut Row<'_>,
    args: &Args<'_>,
    name: &str,
    suffix: &[u8],
    mut value: impl FnMut(&mut Data, u32) -> Result<Number, Failure>,
) -> Result<(), Failure> {
    let (metric, of) = metric_of(row)?;
    if of != Some(MetricType::Summary) {
        return Ok(());
    }
    let data = row.data();
    let details = Details::of(data, metric, args.text_or_none(2)?.unwrap_or(suffix))?;
    let mut points = Points::default();
    for point in data.children(Level::DataPoint, metric)? {
        let value = value(data, point)?;
        points.push(data, point, None, value)?;
    }
    let temporality = temporality(args.text(0)?).unwrap_or(0);
    let message = points.into_sum(&details, temporality, flag(args, 1)?);
    row.add_metric(name, &message)
}

/// `convert_summary_quantile_val_to_gauge(attribute_key?, suffix?)`: one point a quantile.
pub(crate) fn convert_summary_quantile_val_to_gauge(
    row: &mut Row<'_>,
    args: &Args<'_>,
) -> Result<(), Failure> {
    let (metric, of) = metric_of(row)?;
    if of != Some(MetricType::Summary) {
        return Ok(());
    }
    let key = args.text_or_none(0)?.unwrap_or(b"quantile");
    let data = row.data();
    let details = Details::of(data, metric, args.text_or_none(1)?.unwrap_or(b".quantiles"))?;
    let mut points = Points::default();
    for point in data.children(Level::DataPoint, metric)? {
        for at in data.children(Level::Quantile, point)? {
            let mut read = |field| -> Result<f64, Failure> {
                Ok(double(data, Level::Quantile, at, field)?.unwrap_or_default())
            };
            let (quantile, value) = (read(Field::Quantile)?, read(Field::QuantileValue)?);
            points.push(data, point, Some((key, quantile)), Number::Double(value))?;
        }
    }
    let message = points.into_gauge(&details);
    row.add_metric("convert_summary_quantile_val_to_gauge", &message)
}

/// `copy_metric(name?, description?, unit?)`
pub(crate) fn copy_metric(row: &mut Row<'_>, args: &Args<'_>) -> Result<(), Failure> {
    let (metric, _) = metric_of(row)?;
    let message = row.data().row_message(Level::Item, metric)?;
    // Fields 1 to 3 are the metric's name, description and unit, in the order of the parameters.
    // One that fails leaves a copy in which it, and those after it, are as they were.
    let mut texts = Vec::new();
    let mut failed = None;
    for number in 1..=3_u32 {
        let at = number as usize - 1;
        match args.text(at) {
            _ if failed.is_some() || !args.has(at) => {}
            Ok(text) => texts.push((number, text)),
            Err(failure) => failed = Some(failure),
        }
    }
    let given = |number: u32| texts.iter().any(|(of, _)| *of == number);
    let mut copy = Vec::with_capacity(message.len());
    for field in Fields::all(&message) {
        let field = field?;
        if !matches!(field.number, 1..=3) || !given(field.number) {
            copy.extend_from_slice(message.get(field.head..field.end).unwrap_or_default());
        }
    }
    for (number, text) in &texts {
        put_bytes(&mut copy, *number, text);
    }
    row.add_metric("copy_metric", &copy)?;
    failed.map_or(Ok(()), Err)
}
