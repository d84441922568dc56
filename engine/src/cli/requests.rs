//! Requests as OTLP/JSON: read from files, and written for people.

use std::{io::Read, path::Path};

use serde_json::Value;
use trunkline_proto::{Batch, Signal, json};

/// Input that is read, at most, in bytes.
pub(super) const MOST: u64 = 256 << 20;

/// The text of a file.
///
/// # Errors
/// It cannot be read, is too large or not UTF-8.
pub(super) fn read(file: &Path) -> Result<String, String> {
    let told = |why: String| format!("cannot read {}: {why}", file.display());
    let opened = std::fs::File::open(file).map_err(|e| told(e.to_string()))?;
    text_of(opened).map_err(told)
}

/// All that comes from somewhere, as text; a byte order mark before it is left out.
///
/// # Errors
/// It cannot be read, is larger than [`MOST`], or not UTF-8 from some place on.
pub(super) fn text_of(from: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = from.take(MOST + 1).read_to_end(&mut bytes);
    read.map_err(|e| e.to_string())?;
    if bytes.len() as u64 > MOST {
        return Err(format!("larger than {MOST} bytes"));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let before = e.as_bytes().get(..at).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("not UTF-8 at byte {at}, line {line}")
    })
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
