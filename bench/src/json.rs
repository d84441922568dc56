//! The items in an OTLP/JSON request, for the sink.

use serde_json::Value;
use trunkline_proto::Signal;

/// How many items (spans, log records, data points) the request holds; `None` where it is not
/// JSON. Slow, and only used where JSON is sent.
pub fn count_items(signal: Signal, request: &[u8]) -> Option<u64> {
    let request: Value = serde_json::from_slice(request).ok()?;
    let (resources, scopes, items) = match signal {
        Signal::Traces => ("resourceSpans", "scopeSpans", "spans"),
        Signal::Metrics => ("resourceMetrics", "scopeMetrics", "metrics"),
        Signal::Logs => ("resourceLogs", "scopeLogs", "logRecords"),
        Signal::Profiles => return None,
    };
    let items = list(&request, resources)
        .flat_map(|r| list(r, scopes))
        .flat_map(|s| list(s, items));
    Some(match signal {
        Signal::Metrics => items.map(points).sum(),
        _ => items.count() as u64,
    })
}

fn list<'a>(of: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    of.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn points(metric: &Value) -> u64 {
    [
        "gauge",
        "sum",
        "histogram",
        "exponentialHistogram",
        "summary",
    ]
    .iter()
    .filter_map(|t| metric.get(t))
    .map(|data| list(data, "dataPoints").count() as u64)
    .sum()
}

/// How many items an `Export…ServiceResponse` in JSON says were rejected.
pub fn rejected(response: &[u8]) -> u64 {
    let response: Value = serde_json::from_slice(response).unwrap_or_default();
    let partial = response.get("partialSuccess").and_then(Value::as_object);
    partial
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.starts_with("rejected"))
        .filter_map(|(_, v)| v.as_u64().or_else(|| v.as_str()?.parse().ok()))
        .sum()
}
