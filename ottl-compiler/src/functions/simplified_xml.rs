//! `ParseSimplifiedXML`.

use std::collections::HashMap;

use crate::{
    failure::Failure,
    go::xml_tree::{Id, Kind, TOP, Tree as Document},
    program::Args,
    value::{Text, Value, tree::Tree},
};

/// How deep maps and lists may nest in messages, as for JSON: a list is two and a map three of
/// them.
const DEPTH: usize = 90;

/// `ParseSimplifiedXML(target)`
pub(super) fn parse_simplified_xml(args: &Args<'_>) -> Result<Value, Failure> {
    let document = Document::parse(args.text(0)?).map_err(Failure::Parse)?;
    let mut any = Vec::new();
    Tree::Map(entries(&document, TOP, DEPTH)?).encode(&mut any);
    Ok(Value::Map(Text::from_vec(any)))
}

/// What the children of an element become.
fn entries(document: &Document, parent: Id, depth: usize) -> Result<Vec<(Text, Tree)>, Failure> {
    let depth = depth.checked_sub(3).ok_or(Failure::TooDeep)?;
    let elements = || {
        document.children(parent).filter_map(|id| {
            let node = document.node(id)?;
            (node.kind == Kind::Element).then_some((id, node))
        })
    };
    let mut counts: HashMap<&[u8], usize> = HashMap::new();
    for (_, node) in elements() {
        *counts.entry(&node.data).or_default() += 1;
    }
    let mut out: Vec<(Text, Tree)> = Vec::new();
    let mut lists: HashMap<&[u8], usize> = HashMap::new();
    for (id, node) in elements().filter(|(_, node)| node.first.is_some()) {
        let several = counts
            .get(node.data.as_slice())
            .is_some_and(|count| *count > 1);
        let below = if several {
            depth.checked_sub(2)
        } else {
            Some(depth)
        };
        if several && !lists.contains_key(node.data.as_slice()) {
            lists.insert(&node.data, out.len());
            out.push((Text::from_slice(&node.data), Tree::List(Vec::new())));
        }
        let value = match leaf(document, id) {
            Some(text) if !text.is_empty() => Tree::Leaf(Value::text(text)),
            _ => {
                let inner = entries(document, id, below.ok_or(Failure::TooDeep)?)?;
                if inner.is_empty() {
                    continue;
                }
                Tree::Map(inner)
            }
        };
        let list = lists.get(node.data.as_slice());
        match list.and_then(|at| out.get_mut(*at)) {
            Some((_, Tree::List(items))) => items.push(value),
            _ => out.push((Text::from_slice(&node.data), value)),
        }
    }
    Ok(out)
}

/// The first text of an element that holds no other element.
fn leaf(document: &Document, id: Id) -> Option<&[u8]> {
    let nodes = || document.children(id).filter_map(|id| document.node(id));
    if nodes().any(|node| node.kind == Kind::Element) {
        return None;
    }
    let mut texts = nodes().filter(|node| matches!(node.kind, Kind::Text | Kind::CharData));
    texts.next().map(|node| node.data.as_slice())
}
