//! Runs groups of statements on a request as the processor does, and finds out what each did.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use trunkline_ottl::{
    columns::Executor,
    contexts::Context,
    run::{Counts, Request, RowFailure},
};
use trunkline_proto::{Batch, Signal};

use super::super::requests::tree;
use crate::processors::transform::config::Compiled;

/// Reasons for failures that are told, for each statement.
const REASONS: usize = 3;
/// With more statements than this it is not found out which row was changed by which: each is
/// run once more for every one behind it.
const APART: usize = 100;

/// What a statement did.
#[derive(Debug, Default)]
pub(super) struct Did {
    /// As the user wrote it.
    pub source: String,
    /// Rows on which its condition held.
    pub matched: u64,
    /// Rows that are another than before, or have something else around them (a resource, a
    /// scope, a metric); `None`: not known.
    pub changed: Option<usize>,
    /// Rows on which it failed.
    pub failed: u64,
    /// Why, and on how many rows.
    pub reasons: BTreeMap<String, u64>,
    /// How many reasons more there were.
    pub more_reasons: u64,
}

/// What groups did to a request.
pub(super) struct Applied {
    /// The request as it is now.
    pub batch: Batch,
    /// By statement, in order.
    pub statements: Vec<Did>,
    /// What ended the run, with the error mode `propagate`.
    pub stopped: Option<String>,
}

/// Runs groups on a request.
///
/// # Errors
/// The request is not valid.
pub(super) fn apply(groups: &[Compiled], batch: &Batch) -> Result<Applied, String> {
    let mut batch = batch.clone();
    let mut all = Vec::new();
    let mut stopped = None;
    let mut caches: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for group in groups {
        let before = batch.clone();
        let mut statements: Vec<Did> = group.program.statements.iter().map(Did::new).collect();
        let mut counts = Vec::new();
        let mut tell = |failure: RowFailure<'_>| {
            let did = failure.statement.and_then(|at| statements.get_mut(at));
            let Some(did) = did else { return };
            let reason = failure.cause.to_string();
            if let Some(rows) = did.reasons.get_mut(&reason) {
                *rows += 1;
            } else if did.reasons.len() < REASONS {
                did.reasons.insert(reason, 1);
            } else {
                did.more_reasons += 1;
            }
        };
        let cache = match group.shared_cache {
            true => Some(caches.entry(group.program.context.name()).or_default()),
            false => None,
        };
        let mut executor = Executor::new(Arc::new(group.program.clone()));
        let data = batch.open().map_err(|e| e.to_string())?;
        let request = Request::default();
        let mut ran = executor.run(data, &request, group.mode, cache, &mut counts, &mut tell);
        for (did, counts) in statements.iter_mut().zip(&counts) {
            (did.matched, did.failed) = (counts.matched, counts.failed);
        }
        if let Err(error) = &mut ran {
            stopped = Some(error.to_string());
        } else if !group.shared_cache && statements.len() <= APART {
            changes(group, &before, &mut statements)?;
        }
        all.append(&mut statements);
        if stopped.is_some() {
            break;
        }
    }
    Ok(Applied {
        batch,
        statements: all,
        stopped,
    })
}

impl Did {
    fn new(statement: &trunkline_ottl::program::Statement) -> Did {
        Did {
            source: statement.source.to_string(),
            ..Did::default()
        }
    }
}

/// Finds out which rows each statement changes: those that differ with it from without it.
fn changes(group: &Compiled, before: &Batch, statements: &mut [Did]) -> Result<(), String> {
    let context = group.program.context;
    let mut last = tree(before)?;
    for (at, did) in statements.iter_mut().enumerate() {
        let mut program = group.program.clone();
        program.statements.truncate(at + 1);
        let mut batch = before.clone();
        let data = batch.open().map_err(|e| e.to_string())?;
        let mut counts: Vec<Counts> = Vec::new();
        let mut executor = Executor::new(Arc::new(program));
        let request = Request::default();
        let ran = executor.run(data, &request, group.mode, None, &mut counts, &mut |_| ());
        ran.map_err(|stopped| stopped.to_string())?;
        let next = tree(&batch)?;
        let (old, new) = (
            rows(before.signal(), context, &last),
            rows(before.signal(), context, &next),
        );
        let differ = old.iter().zip(&new).filter(|(a, b)| a != b).count();
        did.changed = Some(differ + old.len().abs_diff(new.len()));
        last = next;
    }
    Ok(())
}

/// A row, and what is around it that statements can write.
type Row<'a> = (Vec<&'a Value>, &'a Value);

/// Fields of what holds rows, up to the request, that are no rows themselves.
const AROUND: [&str; 8] = [
    "resource",
    "scope",
    "name",
    "description",
    "unit",
    "metadata",
    "aggregationTemporality",
    "isMonotonic",
];

/// The rows of a context in a request, in order.
fn rows(signal: Signal, context: Context, request: &Value) -> Vec<Row<'_>> {
    let (resources, scopes, items) = match signal {
        Signal::Traces => ("resourceSpans", "scopeSpans", "spans"),
        Signal::Metrics => ("resourceMetrics", "scopeMetrics", "metrics"),
        Signal::Logs => ("resourceLogs", "scopeLogs", "logRecords"),
        Signal::Profiles => ("resourceProfiles", "scopeProfiles", "profiles"),
    };
    let path: &[&str] = match context {
        Context::Resource => &[resources, ".resource"],
        Context::Scope => &[resources, scopes, ".scope"],
        Context::SpanEvent => &[resources, scopes, items, "events"],
        Context::DataPoint => &[resources, scopes, items, ".", "dataPoints"],
        Context::Exemplar => &[resources, scopes, items, ".", "dataPoints", "exemplars"],
        _ => &[resources, scopes, items],
    };
    let mut at: Vec<Row<'_>> = vec![(Vec::new(), request)];
    for key in path {
        at = match key.strip_prefix('.') {
            // Whatever the type of the metric.
            Some("") => at
                .into_iter()
                .flat_map(|row| {
                    let members = row.1.as_object().into_iter().flat_map(|map| map.values());
                    let data = members.filter(|value| value.is_object());
                    let around = around(row);
                    data.map(move |value| (around.clone(), value))
                })
                .collect(),
            Some(key) => at
                .into_iter()
                .map(|(around, value)| (around, value.get(key).unwrap_or(&Value::Null)))
                .collect(),
            None => at
                .into_iter()
                .flat_map(|row| {
                    let held = row.1.get(key).and_then(Value::as_array);
                    let around = around(row);
                    let held = held.into_iter().flatten();
                    held.map(move |value| (around.clone(), value))
                })
                .collect(),
        };
    }
    at
}

/// What is around the rows that this one holds.
fn around<'a>((around, value): Row<'a>) -> Vec<&'a Value> {
    let fields = AROUND.iter().filter_map(|key| value.get(key));
    around.into_iter().chain(fields).collect()
}
