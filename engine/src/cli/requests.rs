//! Requests as OTLP/JSON: read from files, and written for people.

use std::{io::Read, path::Path};

use serde_json::Value;
use trunkline_proto::{Batch, Signal, json};

/// Input that is read, at most, in bytes.
pub(super) const MOST: u64 = 256 << 20;

/// The text of a file.
///
/// # Errors
/// It cannot be read.
pub(super) fn read(file: &Path) -> Result<String, String> {
    let told = |e: std::io::Error| format!("cannot read {}: {e}", file.display());
    let opened = std::fs::File::open(file).map_err(told)?;
    let mut text = String::new();
    opened.take(MOST).read_to_string(&mut text).map_err(told)?;
    Ok(text)
}

/// The request as JSON.
pub(super) fn tree(batch: &Batch) -> Result<Value, String> {
    let mut text = Vec::new();
    json::from_protobuf(batch.signal(), &batch.to_protobuf(), &mut text)
        .map_err(|e| e.to_string())?;
    serde_json::from_slice(&text).map_err(|e| e.to_string())
}

/// The same as text.
///
/// # Errors
/// Those of [`tree`].
pub(super) fn pretty(batch: &Batch) -> Result<String, String> {
    let text = serde_json::to_string_pretty(&tree(batch)?).map_err(|e| e.to_string())?;
    Ok(text + "\n")
}

/// The signal of a request, by its outermost key.
pub(super) fn signal_of(document: &Value) -> Option<Signal> {
    [
        (Signal::Traces, ["resourceSpans", "resource_spans"]),
        (Signal::Metrics, ["resourceMetrics", "resource_metrics"]),
        (Signal::Logs, ["resourceLogs", "resource_logs"]),
        (Signal::Profiles, ["resourceProfiles", "resource_profiles"]),
    ]
    .into_iter()
    .find(|(_, keys)| keys.iter().any(|key| document.get(key).is_some()))
    .map(|(signal, _)| signal)
}
