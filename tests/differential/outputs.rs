//! Whether two outputs are the same: as JSON, the order of keys in maps aside, and the order in
//! lists where the reference takes it from a Go map.

use serde_json::Value;

use crate::cases::Case;

/// How they differ.
pub fn difference(case: &Case, theirs: &str, ours: &str) -> Option<String> {
    let (theirs, ours) = (lines(theirs), lines(ours));
    if theirs == ours {
        return None;
    }
    let text = case.statements.join(" ");
    let unordered = ["Keys(", "Values(", "aggregate_on_"]
        .iter()
        .any(|name| text.contains(name));
    if unordered && sorted(&theirs) == sorted(&ours) {
        return None;
    }
    Some(format!(
        "  there: {}\n  here:  {}",
        shown(&theirs, &ours),
        shown(&ours, &theirs)
    ))
}

/// The requests that were written, in a form in which equal ones are equal.
fn lines(text: &str) -> Vec<Value> {
    let parse = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        if let Some(dictionary) = value.as_object_mut().and_then(|it| it.remove("dictionary")) {
            resolve(&mut value, &dictionary);
        }
        canonical(&mut value);
        value
    };
    text.lines().map(parse).collect()
}

/// What indices into the dictionary of profiles stand for in their place: each side numbers as it
/// likes. Units of attributes are left out: the reference loses them.
fn resolve(value: &mut Value, dictionary: &Value) {
    let entry = |table: &str, at: &Value| {
        let at = usize::try_from(at.as_i64().unwrap_or(0)).unwrap_or(usize::MAX);
        dictionary[table].get(at).cloned().unwrap_or_default()
    };
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| resolve(item, dictionary)),
        Value::Object(fields) => {
            if let Some(at) = fields.remove("keyStrindex") {
                fields.insert("key".into(), entry("stringTable", &at));
            }
            if let Some(at) = fields.remove("stringValueStrindex") {
                fields.insert("stringValue".into(), entry("stringTable", &at));
            }
            if let Some(Value::Array(indices)) = fields.remove("attributeIndices") {
                let attributes = indices.iter().map(|at| {
                    let mut attribute = entry("attributeTable", at);
                    if let Value::Object(fields) = &mut attribute {
                        fields.remove("unitStrindex");
                    }
                    attribute
                });
                let attributes: Vec<Value> = attributes.collect();
                if !attributes.is_empty() {
                    fields.insert("attributes".into(), attributes.into());
                }
            }
            for key in ["sampleType", "periodType"] {
                let of = fields.remove(key).unwrap_or_default();
                let names = ["typeStrindex", "unitStrindex"];
                let names = names.map(|name| entry("stringTable", &of[name]));
                if names.iter().any(|name| name.as_str() != Some("")) {
                    fields.insert(key.into(), names.to_vec().into());
                }
            }
            fields
                .values_mut()
                .for_each(|field| resolve(field, dictionary));
        }
        _ => {}
    }
}

/// Puts the entries of maps into the order of their keys; those of one key stay as they are.
fn canonical(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(canonical);
            let is_map = items.iter().all(|item| item.get("key").is_some());
            if is_map {
                items.sort_by_key(|item| item["key"].as_str().map(str::to_owned));
            }
        }
        Value::Object(fields) => fields.values_mut().for_each(canonical),
        _ => {}
    }
}

/// Every list in some fixed order.
fn sorted(values: &[Value]) -> Vec<Value> {
    fn sort(value: &mut Value) {
        match value {
            Value::Array(items) => {
                items.iter_mut().for_each(sort);
                items.sort_by_key(Value::to_string);
            }
            Value::Object(fields) => fields.values_mut().for_each(sort),
            _ => {}
        }
    }
    let mut values = values.to_vec();
    values.iter_mut().for_each(sort);
    values
}

/// What of one is not so in the other, by path; everything where nothing came out of one.
fn shown(of: &[Value], other: &[Value]) -> String {
    fn walk(at: &str, of: &Value, other: &Value, out: &mut Vec<String>) {
        match (of, other) {
            (Value::Object(a), Value::Object(b)) => {
                for (key, value) in a {
                    let other = b.get(key).unwrap_or(&Value::Null);
                    walk(&format!("{at}.{key}"), value, other, out);
                }
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                for (i, (a, b)) in a.iter().zip(b).enumerate() {
                    walk(&format!("{at}[{i}]"), a, b, out);
                }
            }
            (a, b) if a != b => out.push(format!("{at} = {a}")),
            _ => {}
        }
    }
    if of.len() != other.len() {
        let mut text = format!("{} requests", of.len());
        if let Some(first) = of.first() {
            text += &format!(": {first}");
        }
        return text.chars().take(400).collect();
    }
    let mut out = Vec::new();
    for (of, other) in of.iter().zip(other) {
        walk("", of, other, &mut out);
    }
    out.join("; ").chars().take(600).collect()
}
