//! The enum symbols of each context.

use trunkline_proto::symbols::{SEVERITY_NUMBER, SPAN_KIND, STATUS_CODE, Symbols, TEMPORALITY};

use super::Context;

const METRIC: Symbols = &[
    ("METRIC_DATA_TYPE_NONE", 0),
    ("METRIC_DATA_TYPE_GAUGE", 1),
    ("METRIC_DATA_TYPE_SUM", 2),
    ("METRIC_DATA_TYPE_HISTOGRAM", 3),
    ("METRIC_DATA_TYPE_EXPONENTIAL_HISTOGRAM", 4),
    ("METRIC_DATA_TYPE_SUMMARY", 5),
];

const POINT: Symbols = &[("FLAG_NONE", 0), ("FLAG_NO_RECORDED_VALUE", 1)];

pub(super) fn of(context: Context) -> &'static [Symbols] {
    match context {
        Context::Span | Context::SpanEvent => &[SPAN_KIND, STATUS_CODE],
        Context::Metric => &[TEMPORALITY, METRIC],
        Context::DataPoint => &[TEMPORALITY, METRIC, POINT],
        Context::Log => &[SEVERITY_NUMBER],
        _ => &[],
    }
}
