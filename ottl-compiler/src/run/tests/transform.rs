//! What the transform processor of a real Collector makes of the fixtures in
//! `tests/ottl/transform`, and what is made of them here: every case of `cases.txt` against
//! `expected.txt`, which the Go program beside them made.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Map, Value as Json, json};
use trunkline_proto::batch::tests::generate::Request as Random;

use super::*;
use crate::{
    columns::{Executor, tests::profiles::comparable},
    run::Stopped,
};

/// Cases in which the reference does something else, and why that is left so.
const DIFFERENT: [&str; 7] = [
    // Arguments of a function that has no parameters are not looked at.
    "m convert_sum_to_gauge(1) where metric.name != \"\"",
    // Counts of exponential buckets are put where they do not belong.
    "m aggregate_on_attribute_value(\"sum\", \"host\", [\"b\"], \"a\") where metric.name == \"x.reverse\"",
    "m aggregate_on_attributes(\"max\", []) where metric.name == \"x.reverse\"",
    "m aggregate_on_attribute_value(\"sum\", \"host\", [\"b\"], \"a\") where metric.name == \"x.leading\"",
    "m aggregate_on_attributes(\"max\", []) where metric.name == \"x.leading\"",
    // The points of a summary are lost.
    "m aggregate_on_attribute_value(\"sum\", \"host\", [\"b\"], \"a\") where metric.name == \"q.two\"",
    // The metadata of the metric is lost.
    "m convert_exponential_histogram_to_histogram(\"upper\", [1.0]) where metric.name == \"x.meta\"",
];

/// How the cases of a signal are named in the files.
struct Kind {
    signal: Signal,
    contexts: &'static [Context],
    lists: [&'static str; 3],
    request: Vec<u8>,
    before: Vec<Json>,
}

fn kinds(folder: &Path) -> Vec<(char, Kind)> {
    use Context::{DataPoint, Exemplar, Log, Metric, Profile, Resource, Scope, Span, SpanEvent};
    let kind = |file: &str, signal, contexts, lists| {
        let mut text = std::fs::read(folder.join(file)).unwrap();
        let request = trunkline_proto::json::to_protobuf(signal, &mut text)
            .unwrap()
            .to_vec();
        let before = items(&lists, signal, &request);
        Kind {
            signal,
            contexts,
            lists,
            request,
            before,
        }
    };
    vec![
        (
            'm',
            kind(
                "metrics.json",
                Signal::Metrics,
                &[Resource, Scope, Metric, DataPoint, Exemplar],
                ["resourceMetrics", "scopeMetrics", "metrics"],
            ),
        ),
        (
            't',
            kind(
                "traces.json",
                Signal::Traces,
                &[Resource, Scope, Span, SpanEvent],
                ["resourceSpans", "scopeSpans", "spans"],
            ),
        ),
        (
            'l',
            kind(
                "logs.json",
                Signal::Logs,
                &[Resource, Scope, Log],
                ["resourceLogs", "scopeLogs", "logRecords"],
            ),
        ),
        (
            'p',
            kind(
                "profiles.json",
                Signal::Profiles,
                &[Resource, Scope, Profile],
                ["resourceProfiles", "scopeProfiles", "profiles"],
            ),
        ),
    ]
}

/// The items of a request as JSON, in its one form.
fn items(lists: &[&str; 3], signal: Signal, request: &[u8]) -> Vec<Json> {
    let mut text = Vec::new();
    trunkline_proto::json::from_protobuf(signal, request, &mut text).unwrap();
    let mut whole: Json = serde_json::from_slice(&text).unwrap();
    if let Some(dictionary) = whole.as_object_mut().unwrap().remove("dictionary") {
        resolve(&mut whole, &dictionary);
    }
    let mut found = vec![whole];
    for list in lists {
        found = found
            .iter()
            .filter_map(|item| item.get(list)?.as_array())
            .flatten()
            .cloned()
            .collect();
    }
    found.iter().map(normal).collect()
}

/// What indices stand for in their place, as in the Go program: attributes without their units,
/// which the reference loses, and types of values.
fn resolve(value: &mut Json, dictionary: &Json) {
    let entry = |table: &str, at: &Json| {
        let list = dictionary[table].as_array();
        let at = at.as_i64().unwrap_or(0);
        let found = usize::try_from(at).ok().and_then(|at| list?.get(at));
        found.cloned().unwrap_or(json!(format!("no entry {at}")))
    };
    match value {
        Json::Array(items) => items.iter_mut().for_each(|item| resolve(item, dictionary)),
        Json::Object(fields) => {
            fields
                .values_mut()
                .for_each(|field| resolve(field, dictionary));
            if let Some(Json::Array(indices)) = fields.remove("attributeIndices") {
                let attributes = indices.iter().map(|index| {
                    let kept = entry("attributeTable", index);
                    match kept.is_object() {
                        true => json!({
                            "key": entry("stringTable", &kept["keyStrindex"]),
                            "value": kept["value"],
                        }),
                        false => kept,
                    }
                });
                fields.insert("attributes".to_owned(), attributes.collect());
            }
            for key in ["sampleType", "periodType"] {
                if let Some(of) = fields.get_mut(key) {
                    let names = ["typeStrindex", "unitStrindex"];
                    *of = names
                        .map(|name| entry("stringTable", &of[name]))
                        .to_vec()
                        .into();
                }
            }
        }
        _ => {}
    }
}

/// What is written in two ways made the same, as in the Go program: numbers are texts, what is
/// empty is not there.
fn normal(value: &Json) -> Json {
    match value {
        Json::Object(fields) => {
            let fields: Map<String, Json> = fields
                .iter()
                .map(|(key, inner)| {
                    let mut inner = normal(inner);
                    if let ("dataPoints", Json::Array(points)) = (&**key, &mut inner) {
                        points.sort_by_key(|point| unordered(point).to_string());
                    }
                    (key.clone(), inner)
                })
                .filter(|(key, inner)| !inner.is_null() || key == "stringValue")
                .collect();
            match fields.is_empty() {
                true => Json::Null,
                false => Json::Object(fields),
            }
        }
        Json::Array(items) if items.is_empty() => Json::Null,
        Json::Array(items) => Json::Array(items.iter().map(normal).collect()),
        Json::Number(number) => Json::String(number.as_f64().unwrap().to_string()),
        Json::String(text) => match text.parse::<f64>() {
            Ok(number) => Json::String(number.to_string()),
            Err(_) if text.is_empty() => Json::Null,
            Err(_) => value.clone(),
        },
        _ => value.clone(),
    }
}

/// The fields of an item that differ, as in the Go program.
fn difference(before: &Json, after: &Json) -> Json {
    let (before, after) = (before.as_object().unwrap(), after.as_object().unwrap());
    let mut out = Map::new();
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        out.insert(key.clone(), Json::Null);
    }
    for (key, value) in after {
        let old = before.get(key);
        if old == Some(value) {
            continue;
        }
        match (old.and_then(Json::as_array), value.as_array()) {
            (Some(old), Some(now)) if key == "attributes" && now.starts_with(old) => {
                out.insert("attributes+".into(), Json::Array(now[old.len()..].to_vec()));
            }
            _ => {
                out.insert(key.clone(), value.clone());
            }
        }
    }
    Json::Object(out)
}

/// Points, attributes and entries of maps come in no order that means anything; numbers that only the last digit
/// of a logarithm tells apart are the same.
fn unordered(value: &Json) -> Json {
    match value {
        Json::Object(fields) => BTreeMap::from_iter(fields)
            .into_iter()
            .map(|(key, inner)| {
                let mut inner = unordered(inner);
                let has_keys = inner
                    .as_array()
                    .is_some_and(|items| items.iter().all(|item| item.get("key").is_some()));
                if has_keys || key == "dataPoints" {
                    let items = inner.as_array_mut().into_iter();
                    items.for_each(|items| items.sort_by_key(Json::to_string));
                }
                (key.clone(), inner)
            })
            .collect::<Map<String, Json>>()
            .into(),
        Json::Array(items) => items.iter().map(unordered).collect::<Vec<_>>().into(),
        Json::String(text) => match text.parse::<f64>() {
            Ok(number) => Json::String(format!("{number:.11e}")),
            Err(_) => value.clone(),
        },
        _ => value.clone(),
    }
}

fn give(kind: &Kind, mode: ErrorMode, statements: &str) -> String {
    let statements: Vec<&str> = statements.split(";;").collect();
    let compiler = Compiler::new(Host::Transform, kind.contexts).with_lambdas(true);
    let Ok(program) = compiler.statements(&statements, &[]) else {
        return "REFUSED".to_owned();
    };
    let open = || Batch::from_protobuf(kind.signal, kind.request.clone().into()).unwrap();
    let (request, counts) = (Request::default(), &mut Vec::new());
    let mut batch = open();
    let data = batch.open().unwrap();
    let ran: Result<(), Stopped> = run(&program, data, &request, mode, None, counts, &mut |_| {});
    // What a processor runs, over columns where it can, does the same.
    let mut other = open();
    let (data, counts) = (other.open().unwrap(), &mut Vec::new());
    let mut executor = Executor::new(program.into());
    let executed = executor.run(data, &request, mode, None, counts, &mut |_| {});
    assert_eq!(executed, ran, "{statements:?}");
    if ran.is_err() {
        return "ERROR".to_owned();
    }
    let (other, left) = (other.to_protobuf(), batch.to_protobuf());
    match kind.signal {
        Signal::Profiles => {
            let decode = |bytes| Random::decode(kind.signal, bytes).ok().map(comparable);
            assert_eq!(decode(&other), decode(&left), "{statements:?}");
        }
        _ => assert_eq!(other, left, "{statements:?}"),
    }
    batch.validate().unwrap();
    let mut changed = Map::new();
    for (at, item) in items(&kind.lists, kind.signal, &batch.to_protobuf())
        .iter()
        .enumerate()
    {
        let key = format!("{at:03}");
        match kind.before.get(at) {
            Some(before) if before == item => {}
            Some(before) => {
                changed.insert(key, difference(before, item));
            }
            None => {
                changed.insert(key, item.clone());
            }
        }
    }
    Json::Object(changed).to_string()
}

#[test]
fn every_case_gives_what_a_collector_gives() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/ottl/transform");
    let cases = std::fs::read_to_string(folder.join("cases.txt")).unwrap();
    let expected = std::fs::read_to_string(folder.join("expected.txt")).unwrap();
    let (cases, expected): (Vec<&str>, Vec<&str>) =
        (cases.lines().collect(), expected.lines().collect());
    assert_eq!(cases.len(), expected.len());
    let kinds = kinds(&folder);
    let mut wrong = Vec::new();
    for (case, expected) in cases.iter().zip(expected) {
        let (name, text) = case.split_once(' ').unwrap();
        let (_, kind) = kinds
            .iter()
            .find(|(letter, _)| name.starts_with(*letter))
            .unwrap();
        let mode = match name.ends_with('!') {
            true => ErrorMode::Propagate,
            false => ErrorMode::Ignore,
        };
        let given = give(kind, mode, text);
        let shown = |text: &str| match serde_json::from_str::<Json>(text) {
            Ok(value) => unordered(&value).to_string(),
            Err(_) => text.to_owned(),
        };
        let (given, expected) = (shown(&given), shown(expected));
        let same = serde_json::from_str::<Json>(&given).ok()
            == serde_json::from_str::<Json>(&expected).ok()
            && given.starts_with('{') == expected.starts_with('{')
            && (given.starts_with('{') || given == expected);
        if same == DIFFERENT.contains(case) {
            wrong.push(format!(
                "{case}\n  collector: {expected}\n  here:      {given}"
            ));
        }
    }
    let shown = wrong.iter().take(20).cloned().collect::<Vec<_>>();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        shown.join("\n")
    );
}
