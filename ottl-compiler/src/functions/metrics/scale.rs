//! `scale_metric`: the values of a metric multiplied by a factor.

use trunkline_proto::batch::{Data, Field, FieldValue, Level, MetricType};

use super::{Number, double, doubles, metric_of, put, put_words};
use crate::{failure::Failure, go::text::truncate, program::Args, run::Row, value::Value};

/// `scale_metric(multiplier, unit?)`
pub(crate) fn scale_metric(row: &mut Row<'_>, args: &Args<'_>) -> Result<(), Failure> {
    let factor = match args.value(0) {
        Value::Float(factor) => *factor,
        _ => 1.0,
    };
    let unit = match args.has(1) {
        true => Some(args.text(1)?),
        false => None,
    };
    let (metric, of) = metric_of(row)?;
    let data = row.data();
    let points = match of {
        None => {
            let text = "unsupported metric type: 'Empty'";
            return Err(Failure::Function(text.to_owned()));
        }
        Some(MetricType::ExponentialHistogram) => {
            let text = "exponential histograms are not supported by the 'scale_metric' function";
            return Err(Failure::Function(text.to_owned()));
        }
        Some(_) => data.children(Level::DataPoint, metric)?,
    };
    for point in points {
        match of {
            Some(MetricType::Histogram) => histogram(data, point, factor)?,
            Some(MetricType::Summary) => summary(data, point, factor)?,
            _ => number(data, Level::DataPoint, point, factor)?,
        }
    }
    if let Some(unit) = unit {
        let unit = Some(FieldValue::Bytes(unit));
        data.set_field(Level::Item, metric, Field::Unit, unit)?;
    }
    Ok(())
}

/// Integers are multiplied as doubles and lose what is behind the point.
fn number(data: &mut Data, level: Level, row: u32, factor: f64) -> Result<(), Failure> {
    match Number::read(data, level, row)? {
        Some(Number::Int(value)) => {
            Number::Int(truncate(value as f64 * factor)).write(data, level, row)
        }
        Some(Number::Double(value)) => Number::Double(value * factor).write(data, level, row),
        None => Ok(()),
    }
}

fn scale(
    data: &mut Data,
    level: Level,
    row: u32,
    field: Field,
    factor: f64,
) -> Result<(), Failure> {
    if let Some(value) = double(data, level, row, field)? {
        let value = Some(FieldValue::Double(value * factor));
        data.set_field(level, row, field, value)?;
    }
    Ok(())
}

fn histogram(data: &mut Data, point: u32, factor: f64) -> Result<(), Failure> {
    for field in [Field::Sum, Field::Min, Field::Max] {
        scale(data, Level::DataPoint, point, field, factor)?;
    }
    let bounds = doubles(data, point, Field::ExplicitBounds)?;
    if !bounds.is_empty() {
        let scaled: Vec<u64> = bounds.iter().map(|b| (b * factor).to_bits()).collect();
        put_words(data, point, Field::ExplicitBounds, &scaled)?;
    }
    for exemplar in data.children(Level::Exemplar, point)? {
        number(data, Level::Exemplar, exemplar, factor)?;
    }
    Ok(())
}

fn summary(data: &mut Data, point: u32, factor: f64) -> Result<(), Failure> {
    if let Some(sum) = double(data, Level::DataPoint, point, Field::Sum)? {
        put(data, point, Field::Sum, FieldValue::Double(sum * factor))?;
    }
    for quantile in data.children(Level::Quantile, point)? {
        scale(
            data,
            Level::Quantile,
            quantile,
            Field::QuantileValue,
            factor,
        )?;
    }
    Ok(())
}
