//! Converters that look at what is in the row: at the points of a metric.

use trunkline_proto::batch::{Level, Value as Any};

use crate::{contexts::Context, failure::Failure, program::Args, run::Row, value::Value};

/// `HasAttrKeyOnDatapoint(key)`: whether some point of the metric has the attribute.
pub(super) fn has_attr_key_on_datapoint(
    row: &mut Row<'_>,
    args: &Args<'_>,
) -> Result<Value, Failure> {
    has_attribute(row, args.text(0)?, |_| true)
}

/// `HasAttrOnDatapoint(key, expected_val)`: whether the first point that has the attribute has it
/// with this value. What is no string is compared as an empty one.
pub(super) fn has_attr_on_datapoint(row: &mut Row<'_>, args: &Args<'_>) -> Result<Value, Failure> {
    let wanted = args.text(1)?;
    has_attribute(row, args.text(0)?, |value| match value {
        Any::String(text) => text == wanted,
        _ => wanted.is_empty(),
    })
}

/// What `holds` says of the first point with the attribute.
fn has_attribute(
    row: &mut Row<'_>,
    key: &[u8],
    holds: impl Fn(Any<'_>) -> bool,
) -> Result<Value, Failure> {
    let (_, metric) = row.place(Context::Metric)?;
    let data = row.data();
    if data.metric_type(metric)?.is_none() {
        return Err(Failure::Function("unknown metric type".to_owned()));
    }
    for point in data.children(Level::DataPoint, metric)? {
        if let Some(value) = data.attribute(Level::DataPoint, point, key)? {
            return Ok(Value::Bool(holds(value)));
        }
    }
    Ok(Value::Bool(false))
}
