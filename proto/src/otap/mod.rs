//! OTAP: a request as Arrow record batches in the OpenTelemetry Arrow data model, and
//! back. A conversion, apart from the columns that processors look at: it copies, splits
//! what row ids of 16 bits cannot number, and says what the model has no place for.
//!
//! The model is `docs/otap-spec.md` of open-telemetry/otel-arrow: one table of items a
//! signal (`LOGS`, `SPANS`, `UNIVARIATE_METRICS`), one of attributes a level, tables of
//! events, links, data points and exemplars, joined by `id` and `parent_id`. How bytes
//! travel (Arrow IPC, gRPC streams) is not decided here.

mod column;
mod field;
mod model;
mod open;
mod read;
mod reader;
mod table;
mod value;
mod write;

use std::fmt;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use bytes::Bytes;

use crate::wire::{DecodeError, DecodeErrorKind};
use crate::{Batch, Signal};

/// The largest request that is converted, in bytes: Arrow's string columns reach 31 bits,
/// and a replaced byte is three.
pub const MAX_REQUEST: usize = 512 << 20;

macro_rules! payload_types {
    ($($variant:ident = $number:literal $name:literal,)*) => {
        /// A table of the OTAP model, numbered as in its protocol (`ArrowPayloadType`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum PayloadType {
            $(
                #[doc = concat!("`", $name, "`")]
                $variant = $number,
            )*
        }

        impl PayloadType {
            /// Every table.
            pub const ALL: &[PayloadType] = &[$(PayloadType::$variant),*];

            /// The name in the specification: `LOG_ATTRS`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(PayloadType::$variant => $name,)*
                }
            }
        }
    };
}

payload_types! {
    ResourceAttrs = 1 "RESOURCE_ATTRS",
    ScopeAttrs = 2 "SCOPE_ATTRS",
    UnivariateMetrics = 10 "UNIVARIATE_METRICS",
    NumberDataPoints = 11 "NUMBER_DATA_POINTS",
    SummaryDataPoints = 12 "SUMMARY_DATA_POINTS",
    HistogramDataPoints = 13 "HISTOGRAM_DATA_POINTS",
    ExpHistogramDataPoints = 14 "EXP_HISTOGRAM_DATA_POINTS",
    NumberDpAttrs = 15 "NUMBER_DP_ATTRS",
    SummaryDpAttrs = 16 "SUMMARY_DP_ATTRS",
    HistogramDpAttrs = 17 "HISTOGRAM_DP_ATTRS",
    ExpHistogramDpAttrs = 18 "EXP_HISTOGRAM_DP_ATTRS",
    NumberDpExemplars = 19 "NUMBER_DP_EXEMPLARS",
    HistogramDpExemplars = 20 "HISTOGRAM_DP_EXEMPLARS",
    ExpHistogramDpExemplars = 21 "EXP_HISTOGRAM_DP_EXEMPLARS",
    NumberDpExemplarAttrs = 22 "NUMBER_DP_EXEMPLAR_ATTRS",
    HistogramDpExemplarAttrs = 23 "HISTOGRAM_DP_EXEMPLAR_ATTRS",
    ExpHistogramDpExemplarAttrs = 24 "EXP_HISTOGRAM_DP_EXEMPLAR_ATTRS",
    MetricAttrs = 26 "METRIC_ATTRS",
    Logs = 30 "LOGS",
    LogAttrs = 31 "LOG_ATTRS",
    Spans = 40 "SPANS",
    SpanAttrs = 41 "SPAN_ATTRS",
    SpanEvents = 42 "SPAN_EVENTS",
    SpanLinks = 43 "SPAN_LINKS",
    SpanEventAttrs = 44 "SPAN_EVENT_ATTRS",
    SpanLinkAttrs = 45 "SPAN_LINK_ATTRS",
}

impl PayloadType {
    /// Whether rows of this table are numbered with 16 bits where others refer to them.
    const fn parents_are_u16(self) -> bool {
        matches!(
            self,
            PayloadType::ResourceAttrs
                | PayloadType::ScopeAttrs
                | PayloadType::LogAttrs
                | PayloadType::SpanAttrs
                | PayloadType::MetricAttrs
                | PayloadType::SpanEvents
                | PayloadType::SpanLinks
                | PayloadType::NumberDataPoints
                | PayloadType::SummaryDataPoints
                | PayloadType::HistogramDataPoints
                | PayloadType::ExpHistogramDataPoints
        )
    }
}

/// One OTAP batch (a `BatchArrowRecords`): tables whose ids refer to each other.
#[derive(Clone, Debug)]
pub struct Tables {
    /// What the items are.
    pub signal: Signal,
    /// The tables that have rows, each once, the root table first.
    pub batches: Vec<(PayloadType, RecordBatch)>,
}

impl Tables {
    /// The table of that type, if it has rows.
    pub fn get(&self, payload: PayloadType) -> Option<&RecordBatch> {
        self.batches
            .iter()
            .find(|(found, _)| *found == payload)
            .map(|(_, batch)| batch)
    }
}

/// What of a request has no place in OTAP, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Fields that the OTLP of today does not know.
    pub unknown_fields: usize,
    /// Strings that are not UTF-8; each wrong sequence became U+FFFD.
    pub invalid_utf8: usize,
    /// Ids that are not as long as such an id is; they were left out.
    pub malformed_ids: usize,
    /// Entity references of resources.
    pub entity_refs: usize,
    /// References into a string table (`key_strindex`, `string_value_strindex`), which
    /// only profiles have.
    pub string_references: usize,
    /// Resources and scopes without an item; only items have rows.
    pub empty_groups: usize,
}

impl Losses {
    /// Whether nothing was lost.
    pub fn is_empty(&self) -> bool {
        *self == Losses::default()
    }
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (count, what) in [
            (self.unknown_fields, "unknown fields"),
            (self.invalid_utf8, "strings that are not UTF-8"),
            (self.malformed_ids, "ids of a wrong length"),
            (self.entity_refs, "entity references"),
            (self.string_references, "string table references"),
            (self.empty_groups, "resources or scopes without items"),
        ] {
            if count > 0 {
                write!(f, "{separator}{count} {what}")?;
                separator = ", ";
            }
        }
        if separator.is_empty() {
            f.write_str("nothing")?;
        }
        Ok(())
    }
}

/// Why a conversion is not possible.
#[derive(Debug)]
#[non_exhaustive]
pub enum OtapError {
    /// The model has no tables for this signal (profiles).
    Signal(Signal),
    /// The request is not valid protobuf, nests too deep, or is larger than
    /// [`MAX_REQUEST`] (repeated strings included).
    Wire(DecodeError),
    /// The root table is missing or there twice, or a table is not of the signal.
    Table(PayloadType),
    /// A column is missing that has to be there, or not of a type that it may have.
    Column {
        /// The table.
        table: PayloadType,
        /// The column, below a struct with its name: `resource.id`.
        column: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A row refers to a parent that is not there.
    Orphan {
        /// The table that the row is in.
        table: PayloadType,
        /// The row, from 0.
        row: usize,
    },
    /// A value of type map or array is not CBOR of the kinds that OTLP has.
    Cbor {
        /// The table.
        table: PayloadType,
        /// The row, from 0.
        row: usize,
    },
    /// Arrow refused the columns.
    Arrow(ArrowError),
}

impl fmt::Display for OtapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OtapError::Signal(signal) => write!(f, "OTAP has no tables for {}", signal.name()),
            OtapError::Wire(error) => error.fmt(f),
            OtapError::Table(table) => {
                write!(f, "OTAP: unexpected or missing table {}", table.name())
            }
            OtapError::Column {
                table,
                column,
                problem,
            } => write!(f, "OTAP: column {column} of {} {problem}", table.name()),
            OtapError::Orphan { table, row } => {
                write!(f, "OTAP: row {row} of {} has no parent", table.name())
            }
            OtapError::Cbor { table, row } => {
                write!(f, "OTAP: row {row} of {} holds no valid CBOR", table.name())
            }
            OtapError::Arrow(error) => write!(f, "OTAP: {error}"),
        }
    }
}

impl std::error::Error for OtapError {}

impl From<DecodeError> for OtapError {
    fn from(error: DecodeError) -> Self {
        OtapError::Wire(error)
    }
}

impl From<ArrowError> for OtapError {
    fn from(error: ArrowError) -> Self {
        OtapError::Arrow(error)
    }
}

fn too_large() -> OtapError {
    OtapError::Wire(DecodeError::new(MAX_REQUEST, DecodeErrorKind::TooLarge))
}

impl Batch {
    /// The whole request as Arrow record batches in the OTAP data model, and what of it
    /// the model has no place for.
    ///
    /// Id columns are in plain encoding (their metadata says so); attribute keys and
    /// other repeating strings are dictionaries with 16-bit keys. Most requests are one
    /// [`Tables`]; one with more than 65,536 items, resources or scopes is several, cut
    /// between items.
    ///
    /// # Errors
    ///
    /// [`OtapError`] for profiles, for a request over [`MAX_REQUEST`], and for items
    /// that are not valid protobuf.
    pub fn record_batches(&self) -> Result<(Vec<Tables>, Losses), OtapError> {
        write::tables(self.signal(), &self.to_protobuf())
    }

    /// The request that these tables hold, in any encoding the specification permits:
    /// the inverse of [`Batch::record_batches`].
    ///
    /// # Errors
    ///
    /// [`OtapError`] where the tables are not those of the signal.
    pub fn from_record_batches(signal: Signal, tables: &[Tables]) -> Result<Batch, OtapError> {
        let mut out = Vec::new();
        for tables in tables {
            read::request(signal, tables, &mut out)?;
        }
        Ok(Batch::from_protobuf(signal, Bytes::from(out))?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
