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
        let mut value = serde_json::from_str(line).unwrap();
        canonical(&mut value);
        value
    };
    text.lines().map(parse).collect()
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
