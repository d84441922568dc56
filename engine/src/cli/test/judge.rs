//! Whether what became of a request is what its case says. Requests are compared by meaning: the
//! order of attributes, the spelling of keys and numbers and fields that say nothing make no
//! difference.

use prost::Message;
use serde_json::Value;
use trunkline_proto::{
    Batch, Signal,
    otlp::{
        ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportProfilesServiceRequest,
        ExportTraceServiceRequest,
    },
};

use super::{
    super::{
        diff::{Paint, difference},
        requests::tree,
    },
    cases::Case,
    play::Played,
};
use crate::component::Outcome;

/// A key of a case that does not say what became of the request, and how it differs.
#[derive(Debug)]
pub(super) struct Miss {
    /// `expect`, `dropped`, `items` or `refused`.
    pub key: &'static str,
    /// What to tell.
    pub text: String,
}

/// Everything in which a case is not met.
///
/// # Errors
/// What arrived cannot be read.
pub(super) fn judge(case: &Case, played: &Played, paint: Paint) -> Result<Vec<Miss>, String> {
    let mut misses = Vec::new();
    let mut miss = |key, text| misses.push(Miss { key, text });
    match (&played.outcome, &case.refused) {
        (Outcome::Refused(refusal), None) => {
            miss(
                "refused",
                format!("the request was refused: {}", refusal.message),
            );
        }
        (Outcome::Refused(refusal), Some(part)) if !refusal.message.contains(part) => {
            let told = &refusal.message;
            miss(
                "refused",
                format!("expected a refusal with {part:?}, got {told:?}"),
            );
        }
        (Outcome::Accepted | Outcome::Partial { .. }, Some(part)) => {
            miss(
                "refused",
                format!("expected a refusal with {part:?}, it was taken"),
            );
        }
        _ => {}
    }
    for (exporter, expected) in &case.expect {
        let wanted = meaning(&expected.batch)?;
        let got = match played.arrived.get(exporter) {
            Some(batch) => meaning(batch)?,
            None => {
                miss("expect", format!("{exporter}: nothing arrived"));
                continue;
            }
        };
        if wanted != got {
            let text = difference(&lines(&wanted)?, &lines(&got)?, paint);
            miss(
                "expect",
                format!("{exporter}: (- expected, + arrived)\n{text}"),
            );
        }
    }
    let all_told = case.nothing || !case.expect.is_empty();
    for (exporter, batch) in &played.arrived {
        if all_told && !case.expect.contains_key(exporter) {
            let text = difference("", &lines(&meaning(batch)?)?, paint);
            let key = if case.nothing { "dropped" } else { "expect" };
            miss(
                key,
                format!("{exporter}: nothing was expected here\n{text}"),
            );
        }
    }
    for (exporter, wanted) in &case.items {
        let arrived = played.arrived.get(exporter);
        let got = arrived.map_or(0, |batch| batch.item_count() as i64);
        if got != *wanted {
            miss(
                "items",
                format!("{exporter}: expected {wanted} items, {got} arrived"),
            );
        }
    }
    for (reason, wanted) in &case.dropped {
        let got = played.dropped.get(reason).copied().unwrap_or_default();
        if got != *wanted {
            let reasons: Vec<String> = played
                .dropped
                .iter()
                .map(|(reason, items)| format!("{reason:?}: {items}"))
                .collect();
            let dropped = match reasons.is_empty() {
                true => "nothing".to_owned(),
                false => reasons.join(", "),
            };
            let text = format!("{reason:?}: expected {wanted} items dropped; dropped: {dropped}");
            miss("dropped", text);
        }
    }
    Ok(misses)
}

/// A request as text to be read and compared.
///
/// # Errors
/// It cannot be written.
pub(super) fn lines(meaning: &Value) -> Result<String, String> {
    let text = serde_json::to_string_pretty(meaning).map_err(|e| e.to_string())?;
    Ok(text + "\n")
}

/// What a request says: fields with the value that they have anyway left out, attributes in the
/// order of their keys.
///
/// # Errors
/// It is not valid.
pub(super) fn meaning(batch: &Batch) -> Result<Value, String> {
    let bytes = batch.to_protobuf();
    let again = match batch.signal() {
        Signal::Traces => ExportTraceServiceRequest::decode(bytes).map(|of| of.encode_to_vec()),
        Signal::Metrics => ExportMetricsServiceRequest::decode(bytes).map(|of| of.encode_to_vec()),
        Signal::Logs => ExportLogsServiceRequest::decode(bytes).map(|of| of.encode_to_vec()),
        Signal::Profiles => {
            ExportProfilesServiceRequest::decode(bytes).map(|of| of.encode_to_vec())
        }
    };
    let again = again.map_err(|e| e.to_string())?;
    let again = Batch::from_protobuf(batch.signal(), again.into()).map_err(|e| e.to_string())?;
    let mut value = tree(&again)?;
    settle(&mut value);
    Ok(value)
}

/// Sorts attributes, and leaves out what holds nothing.
fn settle(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                settle(member);
                if let (true, Value::Array(pairs)) = (
                    matches!(
                        name.as_str(),
                        "attributes" | "filteredAttributes" | "values"
                    ),
                    member,
                ) {
                    let key =
                        |pair: &Value| pair.get("key").and_then(Value::as_str).map(str::to_owned);
                    // Values of an array have no keys, and keep their order.
                    pairs.sort_by_key(key);
                }
            }
            members.retain(|name, member| {
                let empty = member.as_object().is_some_and(serde_json::Map::is_empty);
                !(empty && matches!(name.as_str(), "resource" | "scope" | "status"))
            });
        }
        Value::Array(items) => items.iter_mut().for_each(settle),
        _ => {}
    }
}
