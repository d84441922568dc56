//! `merge_histogram_buckets`: fewer buckets of an explicit histogram, none of its counts lost.

use trunkline_proto::batch::{Field, MetricType};

use super::{doubles, metric_of, put_words, words};
use crate::{
    contexts::Context,
    failure::Failure,
    go::text::as_text,
    program::{Args, Argument},
    run::Row,
    value::Value,
};

const BOUND: &[u8] = b"remove_explicit_bound";
const LIMIT: &[u8] = b"limit_buckets";
/// How far a bound may be from the one that is named.
const EPSILON: f64 = 1e-12;

/// `merge_histogram_buckets(target_value, method?)`
pub(crate) fn merge_histogram_buckets(row: &mut Row<'_>, args: &Args<'_>) -> Result<(), Failure> {
    if metric_of(row)?.1 != Some(MetricType::Histogram) {
        return Ok(());
    }
    let target = match args.value(0) {
        Value::Float(target) => *target,
        _ => return Err(Failure::Function(NIL.to_owned())),
    };
    let limit = match args.text_or_none(1)?.unwrap_or(BOUND) == LIMIT {
        true => Some(most_buckets(target).map_err(Failure::Function)?),
        false => None,
    };
    let (_, point) = row.place(Context::DataPoint)?;
    let data = row.data();
    let bounds = doubles(data, point, Field::ExplicitBounds)?;
    let counts = words(data, point, Field::BucketCounts)?;
    if bounds.len() + 1 != counts.len() || counts.len() == 1 {
        return Ok(());
    }
    let merged = match limit {
        Some(most) => limited(&bounds, &counts, most),
        None => without(&bounds, &counts, target),
    };
    let Some((bounds, counts)) = merged else {
        return Ok(());
    };
    let bounds: Vec<u64> = bounds.into_iter().map(f64::to_bits).collect();
    put_words(data, point, Field::ExplicitBounds, &bounds)?;
    put_words(data, point, Field::BucketCounts, &counts)
}

const NIL: &str = "target_value must not be nil";

/// Bounds and counts without one bound; nothing where there is none such.
fn without(bounds: &[f64], counts: &[u64], target: f64) -> Option<(Vec<f64>, Vec<u64>)> {
    let found = bounds.iter().position(|b| (b - target).abs() < EPSILON)?;
    let (mut bounds, mut counts) = (bounds.to_vec(), counts.to_vec());
    bounds.remove(found);
    let count = counts.remove(found);
    let next = counts.get_mut(found)?;
    *next = next.wrapping_add(count);
    Some((bounds, counts))
}

/// Bounds and counts of at most so many buckets: as many neighbours as needed made one. Nothing
/// where there are not more, or the bounds do not rise.
fn limited(bounds: &[f64], counts: &[u64], most: usize) -> Option<(Vec<f64>, Vec<u64>)> {
    if counts.len() <= most || !bounds.is_sorted_by(|a, b| a < b) {
        return None;
    }
    let each = counts.len().div_ceil(most);
    let counts = counts.chunks(each).map(|chunk| {
        chunk
            .iter()
            .fold(0, |sum: u64, count| sum.wrapping_add(*count))
    });
    let bounds = bounds.iter().copied().skip(each - 1).step_by(each);
    Some((bounds.collect(), counts.collect()))
}

/// The number of buckets that a target says.
fn most_buckets(target: f64) -> Result<usize, String> {
    // The largest integer of Go, as a double, is 2^63.
    if target >= 1.0 && target.trunc() == target && target <= i64::MAX as f64 {
        return Ok(target as usize);
    }
    let mut shown = Vec::new();
    as_text(&trunkline_proto::batch::Value::Double(target), &mut shown);
    Err(format!(
        "target_value must be a positive integer when method is \"limit_buckets\", got {}",
        String::from_utf8_lossy(&shown)
    ))
}

/// The method must be one that there is, and a literal target one that it takes.
pub(crate) fn check_buckets(args: &[Argument]) -> Result<(), String> {
    let method = match args.get(1).and_then(Argument::literal) {
        Some(Value::String(method)) => &**method,
        _ => BOUND,
    };
    if method != BOUND && method != LIMIT {
        return Err(format!(
            "unsupported method {:?}, expected \"remove_explicit_bound\" or \"limit_buckets\"",
            String::from_utf8_lossy(method)
        ));
    }
    match args.first().and_then(Argument::literal) {
        Some(Value::Nil) => Err(NIL.to_owned()),
        Some(Value::Float(target)) if method == LIMIT => most_buckets(*target).map(|_| ()),
        _ => Ok(()),
    }
}
