//! What becomes of points that are made one: the values of number points by an aggregation
//! function, histograms added up. It is worked out for all groups of a metric first, so that what
//! cannot be merged leaves the metric as it is.

use trunkline_proto::batch::{Data, Field, FieldValue, Level};

use super::{Number, double, int, put, put_words, uint, varints, words};
use crate::{failure::Failure, go::text::truncate, run::pack_varints};

/// What is made of the values of number points. Histograms are always added up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Aggregation {
    Sum,
    Mean,
    Min,
    Max,
    Median,
    Count,
}

pub(super) const NAMES: [(&str, Aggregation); 6] = [
    ("sum", Aggregation::Sum),
    ("mean", Aggregation::Mean),
    ("min", Aggregation::Min),
    ("max", Aggregation::Max),
    ("median", Aggregation::Median),
    ("count", Aggregation::Count),
];

impl Aggregation {
    pub(super) fn named(name: &[u8]) -> Option<Aggregation> {
        let mut known = NAMES.iter();
        known
            .find(|(known, _)| known.as_bytes() == name)
            .map(|(_, of)| *of)
    }
}

/// What becomes of the first point of a group.
pub(super) enum Merged {
    Number(Start<Option<Number>>),
    Histogram(Start<Totals>),
    Exponential(Start<(Totals, Sides)>),
}

/// With the earliest start time; none where the first point has it.
pub(super) struct Start<T> {
    start: Option<u64>,
    of: T,
}

/// What both kinds of histogram have; what is none is left as it is.
#[derive(Default)]
pub(super) struct Totals {
    count: Option<u64>,
    /// With a point that has none the whole is not known.
    sum: Option<Option<f64>>,
    min: Option<f64>,
    max: Option<f64>,
    buckets: Option<Vec<u64>>,
    /// Points whose exemplars are taken in.
    taken: Vec<u32>,
}

/// The buckets of an exponential histogram: zero count, then offset and counts of each side.
#[derive(Default)]
pub(super) struct Sides {
    zeros: Option<u64>,
    positive: Option<Side>,
    negative: Option<Side>,
}

pub(super) type Side = (i64, Vec<u64>);

impl Merged {
    pub(super) fn write(self, data: &mut Data, point: u32) -> Result<(), Failure> {
        let start = match self {
            Merged::Number(Start { start, of }) => {
                if let Some(value) = of {
                    value.write(data, Level::DataPoint, point)?;
                }
                start
            }
            Merged::Histogram(Start { start, of }) => {
                of.write(data, point)?;
                start
            }
            Merged::Exponential(Start {
                start,
                of: (totals, sides),
            }) => {
                totals.write(data, point)?;
                sides.write(data, point)?;
                start
            }
        };
        if let Some(start) = start {
            put(data, point, Field::StartTime, FieldValue::Uint(start))?;
        }
        Ok(())
    }
}

impl Totals {
    fn write(self, data: &mut Data, point: u32) -> Result<(), Failure> {
        if let Some(count) = self.count {
            put(data, point, Field::Count, FieldValue::Uint(count))?;
        }
        if let Some(sum) = self.sum {
            let sum = sum.map(FieldValue::Double);
            data.set_field(Level::DataPoint, point, Field::Sum, sum)?;
        }
        for (field, value) in [(Field::Min, self.min), (Field::Max, self.max)] {
            if let Some(value) = value {
                put(data, point, field, FieldValue::Double(value))?;
            }
        }
        if let Some(buckets) = self.buckets {
            put_words(data, point, Field::BucketCounts, &buckets)?;
        }
        for other in self.taken {
            for exemplar in data.children(Level::Exemplar, other)? {
                data.move_row(Level::Exemplar, exemplar, point)?;
            }
        }
        Ok(())
    }
}

impl Sides {
    fn write(self, data: &mut Data, point: u32) -> Result<(), Failure> {
        use Field::{NegativeBucketCounts, NegativeOffset, PositiveBucketCounts, PositiveOffset};
        if let Some(zeros) = self.zeros {
            put(data, point, Field::ZeroCount, FieldValue::Uint(zeros))?;
        }
        for (side, offset, counts) in [
            (self.positive, PositiveOffset, PositiveBucketCounts),
            (self.negative, NegativeOffset, NegativeBucketCounts),
        ] {
            if let Some((at, values)) = side {
                put(data, point, offset, FieldValue::Int(at))?;
                let packed = pack_varints(&values);
                put(data, point, counts, FieldValue::Packed(&packed))?;
            }
        }
        Ok(())
    }
}

/// The earliest start time, if it is not the first point's.
fn earliest(data: &mut Data, first: u32, others: &[u32]) -> Result<Option<u64>, Failure> {
    let own = uint(data, first, Field::StartTime)?;
    let mut least = own;
    for other in others {
        least = least.min(uint(data, *other, Field::StartTime)?);
    }
    Ok((least != own).then_some(least))
}

/// The first point gives the type of the value.
pub(super) fn number(
    data: &mut Data,
    how: Aggregation,
    group: &[u32],
) -> Result<Start<Option<Number>>, Failure> {
    let nothing = Start {
        start: None,
        of: None,
    };
    let Some((&first, others)) = group.split_first() else {
        return Ok(nothing);
    };
    let mut values = Vec::with_capacity(group.len());
    for point in group {
        values.push(Number::read(data, Level::DataPoint, *point)?);
    }
    let Some(Some(own)) = values.first().copied() else {
        return Ok(nothing);
    };
    if others.is_empty() {
        return Ok(nothing);
    }
    let value = match own {
        Number::Double(_) => Number::Double(of_doubles(
            how,
            values.iter().map(|value| match value {
                Some(Number::Double(value)) => *value,
                Some(Number::Int(value)) => *value as f64,
                None => 0.0,
            }),
        )),
        Number::Int(_) => Number::Int(of_ints(
            how,
            values.iter().map(|value| match (value, how) {
                (Some(Number::Int(value)), _) => *value,
                // Where they are added up, a double among integers counts as nothing.
                (Some(Number::Double(_)), Aggregation::Sum | Aggregation::Mean) => 0,
                (Some(Number::Double(value)), _) => truncate(*value),
                (None, _) => 0,
            }),
        )),
    };
    Ok(Start {
        start: earliest(data, first, others)?,
        of: Some(value),
    })
}

fn of_doubles(how: Aggregation, values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let len = values.len();
    match how {
        Aggregation::Sum => values.fold(0.0, |sum, value| sum + value),
        Aggregation::Mean => values.fold(0.0, |sum, value| sum + value) / len as f64,
        Aggregation::Max => values.fold(f64::NEG_INFINITY, greater),
        Aggregation::Min => values.fold(f64::INFINITY, |a, b| -greater(-a, -b)),
        Aggregation::Count => len as f64,
        Aggregation::Median => {
            let mut values: Vec<f64> = values.collect();
            values.sort_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
            let at = |at: usize| values.get(at).copied().unwrap_or_default();
            match len % 2 {
                1 => at(len / 2),
                _ => (at((len / 2).saturating_sub(1)) + at(len / 2)) / 2.0,
            }
        }
    }
}

/// `math.Max`: infinity wins, then what is no number.
fn greater(a: f64, b: f64) -> f64 {
    match a == f64::INFINITY || b == f64::INFINITY {
        true => f64::INFINITY,
        false if a.is_nan() || b.is_nan() => f64::NAN,
        false => a.max(b),
    }
}

/// Integers wrap, and are divided as integers.
fn of_ints(how: Aggregation, values: impl ExactSizeIterator<Item = i64>) -> i64 {
    let len = values.len();
    let add = |sum: i64, value| sum.wrapping_add(value);
    match how {
        Aggregation::Sum => values.fold(0, add),
        Aggregation::Mean => values.fold(0, add).checked_div(len as i64).unwrap_or(0),
        Aggregation::Max => values.max().unwrap_or(0),
        Aggregation::Min => values.min().unwrap_or(0),
        Aggregation::Count => len as i64,
        Aggregation::Median => {
            let mut values: Vec<i64> = values.collect();
            values.sort_unstable();
            let at = |at: usize| values.get(at).copied().unwrap_or_default();
            match len % 2 {
                1 => at(len / 2),
                _ => at((len / 2).saturating_sub(1)).wrapping_add(at(len / 2)) / 2,
            }
        }
    }
}

/// The points that have values, behind the first.
fn counted<'g>(data: &mut Data, group: &'g [u32]) -> Result<(Option<&'g u32>, Vec<u32>), Failure> {
    let mut others = Vec::new();
    for other in group.iter().skip(1) {
        if uint(data, *other, Field::Count)? > 0 {
            others.push(*other);
        }
    }
    Ok((group.first(), others))
}

fn totals(data: &mut Data, first: u32, others: &[u32]) -> Result<Totals, Failure> {
    let level = Level::DataPoint;
    let mut count = uint(data, first, Field::Count)?;
    let mut sum = double(data, level, first, Field::Sum)?;
    let mut min = double(data, level, first, Field::Min)?;
    let mut max = double(data, level, first, Field::Max)?;
    for &other in others {
        count = count.wrapping_add(uint(data, other, Field::Count)?);
        sum = match (sum, double(data, level, other, Field::Sum)?) {
            (Some(sum), Some(more)) => Some(sum + more),
            _ => None,
        };
        let least = double(data, level, other, Field::Min)?.unwrap_or_default();
        let most = double(data, level, other, Field::Max)?.unwrap_or_default();
        min = min.map(|own| if own > least { least } else { own });
        max = max.map(|own| if own < most { most } else { own });
    }
    Ok(Totals {
        count: Some(count),
        sum: Some(sum),
        min,
        max,
        buckets: None,
        taken: others.to_vec(),
    })
}

pub(super) fn histogram(
    data: &mut Data,
    name: &str,
    group: &[u32],
) -> Result<Start<Totals>, Failure> {
    let (Some(&first), others) = counted(data, group)? else {
        return Ok(Start {
            start: None,
            of: Totals::default(),
        });
    };
    if others.is_empty() {
        return Ok(Start {
            start: None,
            of: Totals::default(),
        });
    }
    let mut totals = totals(data, first, &others)?;
    let mut buckets = words(data, first, Field::BucketCounts)?;
    for &other in &others {
        let more = words(data, other, Field::BucketCounts)?;
        if more.len() > buckets.len() {
            return Err(Failure::Function(format!(
                "{name}: histogram points with {} and {} buckets cannot be merged",
                buckets.len(),
                more.len()
            )));
        }
        for (own, more) in buckets.iter_mut().zip(more) {
            *own = own.wrapping_add(more);
        }
    }
    totals.buckets = (!buckets.is_empty()).then_some(buckets);
    Ok(Start {
        start: earliest(data, first, &others)?,
        of: totals,
    })
}

pub(super) fn exponential(
    data: &mut Data,
    name: &str,
    group: &[u32],
) -> Result<Start<(Totals, Sides)>, Failure> {
    let (first, others) = counted(data, group)?;
    let (Some(&first), false) = (first, others.is_empty()) else {
        return Ok(Start {
            start: None,
            of: Default::default(),
        });
    };
    let totals = totals(data, first, &others)?;
    let mut zeros = uint(data, first, Field::ZeroCount)?;
    for other in &others {
        zeros = zeros.wrapping_add(uint(data, *other, Field::ZeroCount)?);
    }
    let mut side = |offset: Field, counts: Field| -> Result<Option<Side>, Failure> {
        let mut read = |point| -> Result<Side, Failure> {
            Ok((int(data, point, offset)?, varints(data, point, counts)?))
        };
        let own = read(first)?;
        let mut sum = (own.0, own.1.clone());
        for other in &others {
            sum = add_sides(name, sum, read(*other)?)?;
        }
        Ok((sum != own).then_some(sum))
    };
    let sides = Sides {
        zeros: Some(zeros),
        positive: side(Field::PositiveOffset, Field::PositiveBucketCounts)?,
        negative: side(Field::NegativeOffset, Field::NegativeBucketCounts)?,
    };
    Ok(Start {
        start: earliest(data, first, &others)?,
        of: (totals, sides),
    })
}

/// The most buckets that points far from each other may make together.
const MOST_BUCKETS: i64 = 1 << 16;

/// Each count is added where it belongs.
fn add_sides(name: &str, a: Side, b: Side) -> Result<Side, Failure> {
    if b.1.iter().all(|count| *count == 0) {
        return Ok(a);
    }
    if a.1.is_empty() {
        return Ok(b);
    }
    let from = a.0.min(b.0);
    let to = (a.0 + a.1.len() as i64).max(b.0 + b.1.len() as i64);
    let most = MOST_BUCKETS.max(a.1.len() as i64 + b.1.len() as i64);
    if to - from > most {
        return Err(Failure::Function(format!(
            "{name}: exponential histogram points that together have {} buckets cannot be merged",
            to - from
        )));
    }
    let mut sum = vec![0u64; (to - from) as usize];
    for (offset, counts) in [a, b] {
        let slots = sum.iter_mut().skip((offset - from) as usize);
        for (slot, count) in slots.zip(counts) {
            *slot = slot.wrapping_add(count);
        }
    }
    Ok((from, sum))
}
