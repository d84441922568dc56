//! Merging of configurations in their order: maps deep, everything else is
//! replaced, `null` erases. A `::` in a key is a path, as there.

use super::node::{Entry, Mapping, Node, Position, Value};

/// Splits keys with `::` into nested maps, at every level of maps.
pub fn unflatten(node: Node) -> Node {
    let Value::Mapping(mapping) = node.value else {
        return node;
    };
    let mut out = Node::empty(node.at.clone());
    for (key, entry) in mapping {
        let mut inner = unflatten(entry.node);
        let mut parts = key.split("::").collect::<Vec<_>>();
        let first = parts.remove(0).to_owned();
        for part in parts.into_iter().rev() {
            inner = single(part, inner, &entry.at);
        }
        merge(&mut out, single(&first, inner, &entry.at), false);
    }
    out.original = node.original;
    out
}

fn single(key: &str, node: Node, at: &Position) -> Node {
    let mut mapping = Mapping::new();
    mapping.insert(
        key.to_owned(),
        Entry {
            at: at.clone(),
            node,
        },
    );
    Node::new(Value::Mapping(mapping), at.clone())
}

/// Merges `from` over `into`. With `append` (the gate
/// confmap.enableMergeAppendOption) lists of receivers, exporters and extensions
/// under `service` are joined.
pub fn merge(into: &mut Node, from: Node, append: bool) {
    let mut path = Vec::new();
    merge_at(into, from, append, &mut path);
}

fn merge_at(into: &mut Node, from: Node, append: bool, path: &mut Vec<String>) {
    match (&mut into.value, from.value) {
        (Value::Mapping(into), Value::Mapping(from)) => {
            for (key, entry) in from {
                match into.get_mut(&key) {
                    Some(present) => {
                        path.push(key);
                        merge_at(&mut present.node, entry.node, append, path);
                        path.pop();
                    }
                    None => {
                        into.insert(key, entry);
                    }
                }
            }
        }
        (Value::Sequence(into), Value::Sequence(from)) if append && joins(path) => {
            for item in from {
                if !into.iter().any(|present| present.value == item.value) {
                    into.push(item);
                }
            }
        }
        (_, value) => {
            *into = Node {
                value,
                at: from.at,
                original: from.original,
            };
        }
    }
}

fn joins(path: &[String]) -> bool {
    match path {
        [service, extensions] => service == "service" && extensions == "extensions",
        [service, .., last] => service == "service" && (last == "receivers" || last == "exporters"),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{component::kinds::print_node, component::print, config::yaml};

    fn merged(texts: &[&str], append: bool) -> String {
        let mut all = Node::empty(Position::whole("t"));
        for text in texts {
            let node = yaml::parse(text, &Arc::from("t")).unwrap();
            merge(&mut all, unflatten(node), append);
        }
        let mode = print::Mode { unredacted: true };
        print::json(&print_node(&all), mode).to_string()
    }

    #[test]
    fn maps_merge_deep_and_the_rest_is_replaced() {
        for (texts, result) in [
            (
                &["a: {b: 1, c: 2}", "a: {c: 3, d: 4}"][..],
                r#"{"a":{"b":1,"c":3,"d":4}}"#,
            ),
            (&["a: [1, 2]", "a: [3]"], r#"{"a":[3]}"#),
            (&["a: {b: 1}", "a: null"], r#"{"a":null}"#),
            (&["a: {b: 1}", "a:"], r#"{"a":null}"#),
            (&["a: {b: 1}", "a: {}"], r#"{"a":{"b":1}}"#),
            (&["a: {b: 1}", "a: 5"], r#"{"a":5}"#),
            (&["a: null", "a: {b: 1}"], r#"{"a":{"b":1}}"#),
            (
                &["a: {b: {c: 1}}", "a::b::d: 2"],
                r#"{"a":{"b":{"c":1,"d":2}}}"#,
            ),
        ] {
            assert_eq!(merged(texts, false), result, "{texts:?}");
        }
    }

    #[test]
    fn the_gate_joins_lists_of_the_service() {
        let texts = [
            "service: {extensions: [a], pipelines: {traces: {receivers: [x], processors: [p]}}}",
            "service: {extensions: [b, a], pipelines: {traces: {receivers: [y], processors: [q]}}}",
        ];
        assert_eq!(
            merged(&texts, true),
            r#"{"service":{"extensions":["a","b"],"pipelines":{"traces":{"processors":["q"],"receivers":["x","y"]}}}}"#
        );
    }
}
