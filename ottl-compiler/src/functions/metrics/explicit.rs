//! `convert_exponential_histogram_to_histogram`: exponential buckets laid over explicit ones.

use trunkline_proto::{
    batch::{Data, Field, Level, MetricType},
    wire::{put_bytes, put_double, put_fixed64, put_uint},
};

use super::{double, int, metric_of, put_times, uint, varints};
use crate::{
    failure::Failure,
    go::text::ldexp,
    program::{Args, Argument},
    run::{Row, pack_fixed},
    value::Value,
};

/// How the values of a bucket are spread over those that it reaches into.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Distribution {
    /// All at its upper bound.
    Upper,
    /// All in its middle.
    Midpoint,
    /// By overlap, rounded up.
    Uniform,
    /// By overlap, rounded up as often as the fraction says.
    Random,
}

impl Distribution {
    fn named(name: &[u8]) -> Option<Distribution> {
        Some(match name {
            b"upper" => Distribution::Upper,
            b"midpoint" => Distribution::Midpoint,
            b"uniform" => Distribution::Uniform,
            b"random" | b"" => Distribution::Random,
            _ => return None,
        })
    }
}

/// `convert_exponential_histogram_to_histogram(distribution_fn, explicit_bounds)`: a point that
/// cannot be converted leaves the metric as it is.
pub(crate) fn convert_exponential_histogram_to_histogram(
    row: &mut Row<'_>,
    args: &Args<'_>,
) -> Result<(), Failure> {
    let (metric, of) = metric_of(row)?;
    if of != Some(MetricType::ExponentialHistogram) {
        return Ok(());
    }
    let bounds = bounds(args.items(1)?);
    let packed = pack_fixed(bounds.iter().map(|bound| bound.to_bits()));
    let data = row.data();
    let mut points = Vec::new();
    let how = Distribution::named(args.text(0)?).unwrap_or(Distribution::Random);
    for (at, point) in data
        .children(Level::DataPoint, metric)?
        .into_iter()
        .enumerate()
    {
        let counts = Source::read(data, point)?
            .laid_over(&bounds, how)
            .map_err(|cause| {
                Failure::Function(format!(
                    "converting exponential histogram data point {at}: {cause}"
                ))
            })?;
        points.push(message(data, point, &packed, counts)?);
    }
    data.set_metric_type(metric, MetricType::Histogram)?;
    for point in points {
        data.add_row(Level::DataPoint, metric, &point)?;
    }
    Ok(())
}

/// The bounds must rise, the distribution be one that there is.
pub(crate) fn check_explicit(args: &[Argument]) -> Result<(), String> {
    let bounds = match args.get(1).and_then(Argument::literal) {
        Some(Value::List(items)) => bounds(items),
        _ => return Ok(()),
    };
    if bounds.is_empty() {
        return Err("explicit bounds cannot be empty".to_owned());
    }
    for (at, pair) in bounds.windows(2).enumerate() {
        if let [low, high] = pair
            && low >= high
        {
            return Err(format!(
                "explicit bounds are not strictly increasing at index {}: {high} <= {low}",
                at + 1
            ));
        }
    }
    match args.first().and_then(Argument::literal) {
        Some(Value::String(name)) if Distribution::named(name).is_none() => Err(format!(
            "invalid distribution {:?}",
            String::from_utf8_lossy(name)
        )),
        _ => Ok(()),
    }
}

fn bounds(items: &[Value]) -> Vec<f64> {
    let numbers = items.iter().map(|item| match item {
        Value::Float(bound) => *bound,
        _ => f64::NAN,
    });
    numbers.collect()
}

/// The message of the histogram's point.
fn message(
    data: &mut Data,
    point: u32,
    bounds: &[u8],
    counts: Vec<u64>,
) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    let start = uint(data, point, Field::StartTime)?;
    let time = uint(data, point, Field::Time)?;
    put_times(&mut out, start, time);
    match uint(data, point, Field::Count)? {
        0 => {}
        count => put_fixed64(&mut out, 4, count),
    }
    for (number, field) in [(5, Field::Sum), (11, Field::Min), (12, Field::Max)] {
        if let Some(value) = double(data, Level::DataPoint, point, field)? {
            put_double(&mut out, number, value);
        }
    }
    put_bytes(&mut out, 6, &pack_fixed(counts));
    put_bytes(&mut out, 7, bounds);
    for exemplar in data.children(Level::Exemplar, point)? {
        let exemplar = data.row_message(Level::Exemplar, exemplar)?;
        put_bytes(&mut out, 8, &exemplar);
    }
    data.attribute_fields(Level::DataPoint, point, 9, &mut out)?;
    match uint(data, point, Field::Flags)? {
        0 => {}
        flags => put_uint(&mut out, 10, flags),
    }
    Ok(out)
}

/// What is converted.
struct Source {
    count: u64,
    scale: i32,
    zeros: u64,
    threshold: f64,
    /// Offset and counts.
    positive: (i32, Vec<u64>),
    negative: (i32, Vec<u64>),
}

impl Source {
    fn read(data: &mut Data, point: u32) -> Result<Source, Failure> {
        let threshold = double(data, Level::DataPoint, point, Field::ZeroThreshold)?;
        Ok(Source {
            count: uint(data, point, Field::Count)?,
            scale: int(data, point, Field::Scale)? as i32,
            zeros: uint(data, point, Field::ZeroCount)?,
            threshold: threshold.unwrap_or_default(),
            positive: (
                int(data, point, Field::PositiveOffset)? as i32,
                varints(data, point, Field::PositiveBucketCounts)?,
            ),
            negative: (
                int(data, point, Field::NegativeOffset)? as i32,
                varints(data, point, Field::NegativeBucketCounts)?,
            ),
        })
    }

    /// The counts of the explicit buckets.
    fn laid_over(&self, bounds: &[f64], how: Distribution) -> Result<Vec<u64>, String> {
        let Source {
            scale, threshold, ..
        } = *self;
        if !(0.0..=f64::MAX).contains(&threshold) {
            return Err(format!("invalid zero threshold: {threshold}"));
        }
        if !(-10..=20).contains(&scale) {
            return Err(format!("invalid exponential histogram scale {scale}"));
        }
        let mut sum = self.zeros;
        for count in self.negative.1.iter().chain(&self.positive.1) {
            let overflow = || "source histogram bucket count overflow".to_owned();
            sum = sum.checked_add(*count).ok_or_else(overflow)?;
        }
        if sum != self.count {
            return Err(format!(
                "source histogram count {} does not match bucket count {sum}",
                self.count
            ));
        }
        let mut target = Explicit {
            bounds,
            counts: vec![0; bounds.len() + 1],
            how,
            state: match how {
                Distribution::Random => uuid::Uuid::new_v4().as_u64_pair().1,
                _ => 0,
            },
        };
        if self.zeros > 0 {
            target.lay(-threshold, threshold, self.zeros)?;
        }
        let within = |side: &str, cause| format!("{side} buckets: {cause}");
        each(&self.negative, scale, |low, high, count| {
            target.lay(-high, -low, count)
        })
        .map_err(|cause| within("negative", cause))?;
        each(&self.positive, scale, |low, high, count| {
            target.lay(low, high, count)
        })
        .map_err(|cause| within("positive", cause))?;
        Ok(target.counts)
    }
}

/// Calls `found` with the ends and the count of every bucket that has values.
fn each(
    (offset, counts): &(i32, Vec<u64>),
    scale: i32,
    mut found: impl FnMut(f64, f64, u64) -> Result<(), String>,
) -> Result<(), String> {
    let edge = |at: usize| match lower_bound(offset.wrapping_add(at as i32), scale) {
        // The topmost bucket ends with the doubles.
        Err("overflow") if at > 0 && at == counts.len() => Ok(f64::MAX),
        Err(cause) => Err(format!(
            "bucket boundary index {}: {cause}",
            offset.wrapping_add(at as i32)
        )),
        Ok(bound) => Ok(bound),
    };
    for (at, count) in counts.iter().enumerate() {
        let (low, high) = (edge(at)?, edge(at + 1)?);
        if low >= high {
            return Err(format!("invalid bucket interval ({low}, {high}]"));
        }
        if *count > 0 {
            found(low, high, *count)?;
        }
    }
    Ok(())
}

/// The lower bound of a bucket, among the normal doubles. `scale` is between -10 and 20.
/// <https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponential-scale>
fn lower_bound(index: i32, scale: i32) -> Result<f64, &'static str> {
    let index = i64::from(index);
    if scale <= 0 {
        let shift = -scale;
        // The least normal double is a power of two: at fine scales it ends a bucket.
        let least = (-1022i64 >> shift) - i64::from(shift < 2);
        return match index {
            _ if index < least => Err("underflow"),
            _ if index > 1023 >> shift => Err("overflow"),
            _ => Ok(ldexp(1.0, index << shift)),
        };
    }
    let factor = ldexp(std::f64::consts::LN_2, i64::from(-scale));
    let power = |index: i64| (index as f64 * factor).exp();
    let (one, least, most) = (1 << scale, -1022 << scale, (1024 << scale) - 1);
    match index {
        _ if index > most => Err("overflow"),
        _ if index == most => Ok(2.0 * power(index - one)),
        _ if index == least => Ok(f64::MIN_POSITIVE),
        _ if index == least - 1 => Ok(power(index + one) / 2.0),
        _ if index < least => Err("underflow"),
        _ => Ok(power(index)),
    }
}

/// Explicit buckets being filled.
struct Explicit<'a> {
    bounds: &'a [f64],
    counts: Vec<u64>,
    how: Distribution,
    /// Of the random numbers.
    state: u64,
}

impl Explicit<'_> {
    /// The bucket of a value; upper bounds belong to theirs.
    fn find(&self, value: f64) -> usize {
        self.bounds.partition_point(|bound| *bound < value)
    }

    fn add(&mut self, at: usize, count: u64) -> Result<(), String> {
        let Some(slot) = self.counts.get_mut(at) else {
            return Ok(());
        };
        let overflow = || format!("explicit histogram bucket {at} count overflow");
        *slot = slot.checked_add(count).ok_or_else(overflow)?;
        Ok(())
    }

    /// Lays the values of (low, high] over the buckets.
    fn lay(&mut self, low: f64, high: f64, count: u64) -> Result<(), String> {
        match self.how {
            _ if low == high => self.add(self.find(low), count),
            Distribution::Upper => self.add(self.find(high), count),
            Distribution::Midpoint => self.add(self.find(low / 2.0 + high / 2.0), count),
            Distribution::Uniform => self.share(low, high, count, 0),
            Distribution::Random => {
                let threshold = self.random();
                self.share(low, high, count, threshold)
            }
        }
    }

    /// SplitMix64: <https://doi.org/10.1145/2714064.2660195>
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// By overlap. What lies below each bound is rounded, not what lies in each bucket: so the
    /// parts always make the whole. It is rounded up where its fraction, in parts of 2⁶⁴, is
    /// above the threshold.
    fn share(&mut self, low: f64, high: f64, count: u64, threshold: u64) -> Result<(), String> {
        let width = high - low;
        if !(width > 0.0 && width <= f64::MAX) {
            return Err(format!("cannot distribute bucket interval ({low}, {high}]"));
        }
        let (mut covered, mut given, mut from) = (0.0, 0u64, low);
        let (first, last) = (self.find(low), self.find(high));
        for at in first..last {
            let Some(&to) = self.bounds.get(at) else {
                break;
            };
            if to <= from {
                continue;
            }
            covered += (to - from) / width;
            from = to;
            let mut below = count;
            if covered < 1.0 {
                // The fraction of the double, in parts of 2⁶⁴.
                let parts = (covered * 18_446_744_073_709_551_616.0) as u64;
                let product = u128::from(count) * u128::from(parts);
                let (whole, fraction) = ((product >> 64) as u64, product as u64);
                let whole = whole + u64::from(fraction > threshold);
                below = whole.min(count).max(given);
            }
            self.add(at, below - given)?;
            given = below;
        }
        self.add(last, count - given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(name: &str) -> Distribution {
        Distribution::named(name.as_bytes()).unwrap()
    }

    proptest! {
        /// Whatever the point and the bounds: as many values as before, or an error.
        #[test]
        fn no_value_is_lost(
            offset in -30i32..30,
            positive in prop::collection::vec(0u64..50, 0..20),
            negative in prop::collection::vec(0u64..50, 0..20),
            zeros in 0u64..9,
            scale in -3i32..8,
            cuts in prop::collection::btree_set(-40i32..40, 1..9),
            how in prop::sample::select(vec!["upper", "midpoint", "uniform", "random", ""]),
        ) {
            let count = zeros + positive.iter().sum::<u64>() + negative.iter().sum::<u64>();
            let bounds: Vec<f64> = cuts.into_iter().map(|cut| f64::from(cut) / 2.0).collect();
            let source = Source {
                count, scale, zeros, threshold: 0.25,
                positive: (offset, positive), negative: (offset, negative),
            };
            let counts = source.laid_over(&bounds, named(how)).unwrap();
            prop_assert_eq!(counts.len(), bounds.len() + 1);
            prop_assert_eq!(counts.iter().sum::<u64>(), count);
        }
    }

    #[test]
    fn random_rounding_gives_each_side_its_share_over_many() {
        // Half of one value: now below, now above.
        let source = || Source {
            count: 1,
            scale: 0,
            zeros: 0,
            threshold: 0.0,
            positive: (0, vec![1]),
            negative: (0, Vec::new()),
        };
        let below: u64 = (0..2000)
            .map(|_| source().laid_over(&[1.5], named("random")).unwrap()[0])
            .sum();
        assert!((800..1200).contains(&below), "{below}");
    }
}
