//! Requests as OTLP/JSON: read from files, and written for people.

use std::{collections::HashMap, io::Read, path::Path};

use serde::de::IgnoredAny;
use serde_json::{Deserializer, Error, Value};
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
    // As deep as requests can be, which is deeper than the reader's own limit.
    let mut reader = Deserializer::from_slice(&text);
    reader.disable_recursion_limit();
    let value = reader.into_iter().next().unwrap_or(Ok(Value::Null));
    value.map_err(|e| e.to_string())
}

/// The same as text.
///
/// # Errors
/// Those of [`tree`].
pub(super) fn pretty(batch: &Batch) -> Result<String, String> {
    let text = serde_json::to_string_pretty(&tree(batch)?).map_err(|e| e.to_string())?;
    Ok(text + "\n")
}

/// JSON documents one behind the other, each with the byte at which it begins. How deep they are
/// nested is not asked: they are only passed over.
pub(super) fn documents(text: &str) -> impl Iterator<Item = Result<(usize, &str), Error>> {
    let mut documents = Deserializer::from_str(text).into_iter::<IgnoredAny>();
    std::iter::from_fn(move || {
        let before = documents.byte_offset();
        let document = documents.next()?;
        let read = text.get(before..documents.byte_offset());
        let read = read.unwrap_or_default().trim_start();
        let from = documents.byte_offset().saturating_sub(read.len());
        Some(document.map(|_| (from, read)))
    })
}

/// The signal of a request, by its outermost key.
pub(super) fn signal_of(document: &str) -> Option<Signal> {
    let members: HashMap<String, IgnoredAny> = serde_json::from_str(document).ok()?;
    [
        (Signal::Traces, ["resourceSpans", "resource_spans"]),
        (Signal::Metrics, ["resourceMetrics", "resource_metrics"]),
        (Signal::Logs, ["resourceLogs", "resource_logs"]),
        (Signal::Profiles, ["resourceProfiles", "resource_profiles"]),
    ]
    .into_iter()
    .find(|(_, keys)| keys.iter().any(|key| members.contains_key(*key)))
    .map(|(signal, _)| signal)
}
