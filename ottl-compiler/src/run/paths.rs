//! What reading and writing share: the forms that fields have in a batch.

use trunkline_proto::{
    batch::{Error, Field, Level, MetricType},
    wire::{put_varint, read_varint},
};

use crate::contexts::Part;

/// The names of span kinds by number.
pub(crate) const KINDS: [&str; 6] = [
    "Unspecified",
    "Internal",
    "Server",
    "Client",
    "Producer",
    "Consumer",
];

/// The old names of span kinds by number.
pub(crate) const DEPRECATED_KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

/// What is not there, because the metric or point is of another type, is none.
pub(super) fn applicable<T>(result: Result<Option<T>, Error>) -> Result<Option<Option<T>>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::NotApplicable(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The enum value of a metric's type.
pub(super) fn type_number(of: Option<MetricType>) -> i64 {
    match of {
        None => 0,
        Some(MetricType::Gauge) => 1,
        Some(MetricType::Sum) => 2,
        Some(MetricType::Histogram) => 3,
        Some(MetricType::ExponentialHistogram) => 4,
        Some(MetricType::Summary) => 5,
    }
}

/// The level of the rows that a list of messages consists of.
pub(super) fn rows_of(part: Part) -> Option<Level> {
    Some(match part {
        Part::Events => Level::Event,
        Part::Links => Level::Link,
        Part::DataPoints => Level::DataPoint,
        Part::Exemplars => Level::Exemplar,
        Part::QuantileValues => Level::Quantile,
        Part::Samples => Level::Sample,
        Part::Status | Part::Positive | Part::Negative | Part::SampleType | Part::PeriodType => {
            return None;
        }
    })
}

/// The fields with the type and the unit that a part of a profile says.
pub(super) fn type_fields(part: Part) -> [Field; 2] {
    match part {
        Part::PeriodType => [Field::PeriodType, Field::PeriodUnit],
        _ => [Field::SampleType, Field::SampleUnit],
    }
}

/// Row numbers as the bytes of a part.
pub(super) fn pack_rows(rows: &[u32]) -> Vec<u8> {
    rows.iter().flat_map(|row| row.to_le_bytes()).collect()
}

/// The row numbers of a part.
pub(super) fn unpack_rows(bytes: &[u8]) -> Vec<u32> {
    let (rows, _) = bytes.as_chunks::<4>();
    rows.iter().map(|row| u32::from_le_bytes(*row)).collect()
}

/// Varints, one behind the other.
pub(crate) fn unpack_varints(bytes: &[u8]) -> Vec<u64> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some((value, next)) = read_varint(bytes, at) {
        out.push(value);
        at = next;
    }
    out
}

/// Varints, one behind the other.
pub(crate) fn pack_varints(values: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|value| put_varint(&mut out, *value));
    out
}

/// Eight-byte numbers.
pub(crate) fn unpack_fixed(bytes: &[u8]) -> Vec<u64> {
    let (values, _) = bytes.as_chunks::<8>();
    values
        .iter()
        .map(|value| u64::from_le_bytes(*value))
        .collect()
}

/// Eight-byte numbers.
pub(crate) fn pack_fixed(values: impl IntoIterator<Item = u64>) -> Vec<u8> {
    values.into_iter().flat_map(u64::to_le_bytes).collect()
}
