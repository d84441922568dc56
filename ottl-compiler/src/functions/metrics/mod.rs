//! Editors of the transform processor that change metrics as a whole: their type, their points,
//! or the list they are in. What several of them need is here: fields of metrics and points, and
//! new metrics in the making. What each does is in the modules below.

mod aggregate;
mod buckets;
mod convert;
mod explicit;
mod extract;
mod merge;
mod percentile;
mod scale;

use trunkline_proto::{
    batch::{Data, Field, FieldValue, KeyValue, Level, MetricType, Value as Any},
    wire::{Fields, begin_message, end_message, put_bytes, put_double, put_fixed64, put_uint},
};

pub(super) use aggregate::{aggregate_on_attribute_value, aggregate_on_attributes, check_function};
pub(super) use buckets::{check_buckets, merge_histogram_buckets};
pub(super) use convert::{
    check_temporality, convert_gauge_to_sum, convert_sum_to_gauge,
    convert_summary_count_val_to_sum, convert_summary_quantile_val_to_gauge,
    convert_summary_sum_val_to_sum, copy_metric,
};
pub(super) use explicit::{check_explicit, convert_exponential_histogram_to_histogram};
pub(super) use extract::{extract_avg_metric, extract_count_metric, extract_sum_metric};
pub(super) use percentile::{check_percentile, extract_percentile_metric};
pub(super) use scale::scale_metric;

use crate::{contexts::Context, failure::Failure, program::Args, run::Row};

/// The metric that a row is or is in, and its type.
fn metric_of(row: &mut Row<'_>) -> Result<(u32, Option<MetricType>), Failure> {
    let (_, metric) = row.place(Context::Metric)?;
    let of = row.data().metric_type(metric)?;
    Ok((metric, of))
}

/// The name of a type in errors.
fn type_name(of: Option<MetricType>) -> &'static str {
    match of {
        None => "Empty",
        Some(MetricType::Gauge) => "Gauge",
        Some(MetricType::Sum) => "Sum",
        Some(MetricType::Histogram) => "Histogram",
        Some(MetricType::ExponentialHistogram) => "ExponentialHistogram",
        Some(MetricType::Summary) => "Summary",
    }
}

/// An unsigned number of a point; one that is not set is 0.
fn uint(data: &mut Data, point: u32, field: Field) -> Result<u64, Failure> {
    Ok(match data.field(Level::DataPoint, point, field)? {
        Some(FieldValue::Uint(value)) => value,
        _ => 0,
    })
}

/// A signed number of a point; one that is not set is 0.
fn int(data: &mut Data, point: u32, field: Field) -> Result<i64, Failure> {
    Ok(match data.field(Level::DataPoint, point, field)? {
        Some(FieldValue::Int(value)) => value,
        _ => 0,
    })
}

/// A double of a row below a metric, if it is set.
fn double(data: &mut Data, level: Level, row: u32, field: Field) -> Result<Option<f64>, Failure> {
    Ok(match data.field(level, row, field)? {
        Some(FieldValue::Double(value)) => Some(value),
        _ => None,
    })
}

/// Doubles of a point.
fn doubles(data: &mut Data, point: u32, field: Field) -> Result<Vec<f64>, Failure> {
    let words = words(data, point, field)?;
    Ok(words.into_iter().map(f64::from_bits).collect())
}

/// Eight-byte numbers of a point.
fn words(data: &mut Data, point: u32, field: Field) -> Result<Vec<u64>, Failure> {
    Ok(match data.field(Level::DataPoint, point, field)? {
        Some(FieldValue::Packed(bytes)) => crate::run::unpack_fixed(bytes),
        _ => Vec::new(),
    })
}

/// The counts of one side of an exponential histogram's point.
fn varints(data: &mut Data, point: u32, field: Field) -> Result<Vec<u64>, Failure> {
    Ok(match data.field(Level::DataPoint, point, field)? {
        Some(FieldValue::Packed(bytes)) => crate::run::unpack_varints(bytes),
        _ => Vec::new(),
    })
}

/// Writes eight-byte numbers of a point.
fn put_words(data: &mut Data, point: u32, field: Field, words: &[u64]) -> Result<(), Failure> {
    let bytes = crate::run::pack_fixed(words.iter().copied());
    put(data, point, field, FieldValue::Packed(&bytes))
}

/// Writes a field of a point.
fn put(data: &mut Data, point: u32, field: Field, value: FieldValue<'_>) -> Result<(), Failure> {
    Ok(data.set_field(Level::DataPoint, point, field, Some(value))?)
}

/// The value of a number data point or exemplar.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Int(i64),
    Double(f64),
}

impl Number {
    /// That of a row, if it has one.
    fn read(data: &mut Data, level: Level, row: u32) -> Result<Option<Number>, Failure> {
        if let Some(FieldValue::Int(value)) = data.field(level, row, Field::ValueInt)? {
            return Ok(Some(Number::Int(value)));
        }
        Ok(double(data, level, row, Field::ValueDouble)?.map(Number::Double))
    }

    /// Makes it that of a row.
    fn write(self, data: &mut Data, level: Level, row: u32) -> Result<(), Failure> {
        let (field, value) = match self {
            Number::Int(value) => (Field::ValueInt, FieldValue::Int(value)),
            Number::Double(value) => (Field::ValueDouble, FieldValue::Double(value)),
        };
        Ok(data.set_field(level, row, field, Some(value))?)
    }
}

/// What a new metric is called.
struct Details {
    name: Vec<u8>,
    description: Vec<u8>,
    unit: Vec<u8>,
}

impl Details {
    /// Those of a metric, its name with a suffix.
    fn of(data: &mut Data, metric: u32, suffix: &[u8]) -> Result<Details, Failure> {
        let mut text = |field| -> Result<Vec<u8>, Failure> {
            Ok(match data.field(Level::Item, metric, field)? {
                Some(FieldValue::Bytes(text)) => text.to_vec(),
                _ => Vec::new(),
            })
        };
        let mut name = text(Field::Name)?;
        name.extend_from_slice(suffix);
        Ok(Details {
            name,
            description: text(Field::Description)?,
            unit: text(Field::Unit)?,
        })
    }
}

/// The number data points of a new gauge or sum, encoded.
#[derive(Default)]
struct Points {
    bytes: Vec<u8>,
    scratch: Vec<u8>,
}

impl Points {
    /// Adds a point with the attributes and times of another one, and perhaps one attribute more.
    fn push(
        &mut self,
        data: &mut Data,
        like: u32,
        more: Option<(&[u8], f64)>,
        value: Number,
    ) -> Result<(), Failure> {
        let start = uint(data, like, Field::StartTime)?;
        let time = uint(data, like, Field::Time)?;
        let point = begin_message(&mut self.bytes, 1);
        match more {
            None => data.attribute_fields(Level::DataPoint, like, 7, &mut self.bytes)?,
            Some((key, value)) => {
                self.scratch.clear();
                data.attribute_fields(Level::DataPoint, like, 7, &mut self.scratch)?;
                let mut more = Some(Any::Double(value));
                for field in Fields::all(&self.scratch) {
                    let entry = field?.bytes(&self.scratch);
                    if KeyValue::read(entry)?.key != key {
                        put_bytes(&mut self.bytes, 7, entry);
                    } else if let Some(value) = more.take() {
                        KeyValue::write(&mut self.bytes, 7, key, &value);
                    }
                }
                if let Some(value) = more {
                    KeyValue::write(&mut self.bytes, 7, key, &value);
                }
            }
        }
        put_times(&mut self.bytes, start, time);
        match value {
            Number::Double(value) => put_double(&mut self.bytes, 4, value),
            Number::Int(value) => put_fixed64(&mut self.bytes, 6, value as u64),
        }
        end_message(&mut self.bytes, point);
        Ok(())
    }

    /// The message of a gauge with these points.
    fn into_gauge(self, details: &Details) -> Vec<u8> {
        self.into_metric(details, MetricType::Gauge, |_| {})
    }

    /// The message of a sum with these points.
    fn into_sum(self, details: &Details, temporality: i64, monotonic: bool) -> Vec<u8> {
        self.into_metric(details, MetricType::Sum, |out| {
            if temporality != 0 {
                put_uint(out, 2, temporality as u64);
            }
            if monotonic {
                put_uint(out, 3, 1);
            }
        })
    }

    fn into_metric(
        self,
        details: &Details,
        of: MetricType,
        rest: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 64);
        for (number, text) in [
            (1, &details.name),
            (2, &details.description),
            (3, &details.unit),
        ] {
            if !text.is_empty() {
                put_bytes(&mut out, number, text);
            }
        }
        let inner = begin_message(&mut out, of as u32);
        out.extend_from_slice(&self.bytes);
        rest(&mut out);
        end_message(&mut out, inner);
        out
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// The times of a point of any type; those that are 0 are left out.
fn put_times(out: &mut Vec<u8>, start: u64, time: u64) {
    if start != 0 {
        put_fixed64(out, 2, start);
    }
    if time != 0 {
        put_fixed64(out, 3, time);
    }
}

/// A literal bool.
fn flag(args: &Args<'_>, at: usize) -> Result<bool, Failure> {
    args.bool_or(at, false)
}
