//! Converters of XML by XPath: `GetXML`, `InsertXML`, `RemoveXML`,
//! `ConvertAttributesToElementsXML` and `ConvertTextToElementsXML`.

use std::sync::Arc;

use super::{
    Prepared,
    dates::{literal, unprepared},
};
use crate::{
    failure::Failure,
    go::{
        xml_tree::{DEPTH, Id, Kind, Node, TOP, Tree},
        xpath::{Found, XPath},
    },
    program::{Args, Argument},
    value::{Text, Value},
};

/// The expression.
pub(super) fn prepare(args: &[Argument]) -> Result<Option<Prepared>, String> {
    Ok(Some(Arc::new(XPath::compile(
        &literal(args, 1).unwrap_or_default(),
    )?)))
}

/// The expression, or all attributes.
pub(super) fn prepare_attributes(args: &[Argument]) -> Result<Option<Prepared>, String> {
    or_default(args, "//@*")
}

/// The expression, or the document.
pub(super) fn prepare_text(args: &[Argument]) -> Result<Option<Prepared>, String> {
    or_default(args, "/")
}

fn or_default(args: &[Argument], default: &str) -> Result<Option<Prepared>, String> {
    let text = literal(args, 1).filter(|text| !text.is_empty());
    let path = XPath::compile(text.as_deref().unwrap_or(default))?;
    Ok(Some(Arc::new(path)))
}

fn select(args: &Args<'_>, tree: &Tree) -> Result<Vec<Found>, Failure> {
    let path = args.prepared::<XPath>().ok_or_else(unprepared)?;
    path.select(tree).map_err(Failure::Function)
}

fn written(tree: &Tree, id: Id) -> Result<Value, Failure> {
    let text = tree.write(id).map_err(Failure::Function)?;
    Ok(Value::String(Text::from_vec(text)))
}

/// `GetXML(target, x_path)`
pub(super) fn get_xml(args: &Args<'_>) -> Result<Value, Failure> {
    let text = args.text(0)?;
    if text.is_empty() {
        return Ok(Value::text(b""));
    }
    let mut tree = Tree::parse(text).map_err(Failure::Parse)?;
    let found = select(args, &tree)?;
    let result = tree.push(Node::new(Kind::Document, Vec::new()));
    for Found { node, attribute } in found {
        let Some(of) = tree.node(node) else { continue };
        let value = match (attribute, of.kind) {
            (Some(at), _) => of.attributes.get(at).map(|(_, value)| value.clone()),
            (None, Kind::CharData) => Some(of.data.clone()),
            (None, Kind::Element | Kind::Text) => None,
            _ => continue,
        };
        let id = value.map_or(node, |value| tree.push(Node::new(Kind::Text, value)));
        tree.add(result, id);
    }
    written(&tree, result)
}

/// Insertions of one `InsertXML`, at most. A node that is found again and again, as by `//b/..`,
/// becomes its own neighbour.
const MOST_INSERTED: usize = 1 << 20;

/// `InsertXML(target, x_path, sub_document)`
pub(super) fn insert_xml(args: &Args<'_>) -> Result<Value, Failure> {
    let text = args.text(0)?;
    let mut tree = match text {
        [] => Tree::of(Node::new(Kind::Element, Vec::new())),
        text => Tree::parse(text).map_err(Failure::Parse)?,
    };
    let sub = Tree::parse(args.text(2)?).map_err(Failure::Parse)?;
    let found = select(args, &tree)?;
    insert(&mut tree, found, sub)?;
    written(&tree, TOP)
}

/// Puts what is in another tree into each of these nodes.
fn insert(tree: &mut Tree, found: Vec<Found>, sub: Tree) -> Result<(), Failure> {
    let sub = tree.take(sub);
    let (mut failed, mut left) = (None, MOST_INSERTED);
    for Found { node, attribute } in found {
        let kind = tree.node(node).map(|node| node.kind);
        if attribute.is_none() && matches!(kind, Some(Kind::Element | Kind::Document)) {
            let mut child = tree.first(sub);
            while let Some(id) = child {
                left = left.checked_sub(1).ok_or_else(|| {
                    Failure::Function("InsertXML would insert without end".to_owned())
                })?;
                child = tree.next(id);
                tree.add(node, id);
            }
        } else {
            failed = Some(Failure::Function(
                "InsertXML XPath selected non-element".to_owned(),
            ));
        }
    }
    failed.map_or(Ok(()), Err)
}

/// `RemoveXML(target, x_path)`
pub(super) fn remove_xml(args: &Args<'_>) -> Result<Value, Failure> {
    let text = args.text(0)?;
    if text.is_empty() {
        return Ok(Value::text(b""));
    }
    let mut tree = Tree::parse(text).map_err(Failure::Parse)?;
    let found = select(args, &tree)?;
    let names = attribute_names(&tree, &found);
    for (Found { node, .. }, name) in found.into_iter().zip(names) {
        let Some(of) = tree.node_mut(node) else {
            continue;
        };
        match (name, of.kind) {
            (Some((name, _)), _) => of.remove_attribute(&name),
            (None, Kind::Text) => of.data.clear(),
            (None, Kind::Element | Kind::Comment | Kind::CharData) => {
                tree.remove(node).map_err(Failure::Function)?;
            }
            _ => {}
        }
    }
    written(&tree, TOP)
}

/// The names, without prefixes, and values of those that are attributes.
fn attribute_names(tree: &Tree, found: &[Found]) -> Vec<Option<(Vec<u8>, Vec<u8>)>> {
    let attribute = |found: &Found| {
        let ((_, local), value) = tree.node(found.node)?.attributes.get(found.attribute?)?;
        Some((local.clone(), value.clone()))
    };
    found.iter().map(attribute).collect()
}

/// `ConvertAttributesToElementsXML(target, x_path?)`
pub(super) fn convert_attributes(args: &Args<'_>) -> Result<Value, Failure> {
    let mut tree = Tree::parse(args.text(0)?).map_err(Failure::Parse)?;
    let found = select(args, &tree)?;
    let attributes = attribute_names(&tree, &found);
    for (Found { node, .. }, attribute) in found.into_iter().zip(attributes) {
        let Some((name, value)) = attribute else {
            continue;
        };
        if let Some(node) = tree.node_mut(node) {
            node.remove_attribute(&name);
        }
        let text = tree.push(Node::new(Kind::Text, value));
        let mut element = Node::new(Kind::Element, name);
        element.first = Some(text);
        let element = tree.push(element);
        tree.add(node, element);
    }
    written(&tree, TOP)
}

/// `ConvertTextToElementsXML(target, x_path?, element_name?)`
pub(super) fn convert_text(args: &Args<'_>) -> Result<Value, Failure> {
    let mut tree = Tree::parse(args.text(0)?).map_err(Failure::Parse)?;
    let name = match args.text_or_none(2)? {
        None | Some(b"") => b"value".to_vec(),
        Some(name) => name.to_vec(),
    };
    for Found { node, attribute } in select(args, &tree)? {
        if attribute.is_none() {
            wrap(&mut tree, node, &name, 2 * DEPTH)?;
        }
    }
    written(&tree, TOP)
}

/// Makes elements of the texts that stand beside others, or beside elements.
fn wrap(tree: &mut Tree, parent: Id, name: &[u8], depth: usize) -> Result<(), Failure> {
    let below = depth.checked_sub(1).ok_or(Failure::TooDeep)?;
    let kind = |tree: &Tree, id| tree.node(id).map(|node| node.kind);
    if !matches!(kind(tree, parent), Some(Kind::Element | Kind::Document)) {
        return Ok(());
    }
    let children: Vec<Id> = tree.children(parent).collect();
    let (mut texts, mut elements) = (Vec::new(), 0);
    for id in children {
        match kind(tree, id) {
            Some(Kind::Element) => {
                wrap(tree, id, name, below)?;
                elements += 1;
            }
            Some(Kind::Text) => texts.push(id),
            _ => {}
        }
    }
    if texts.is_empty() || texts.len() + elements <= 1 {
        return Ok(());
    }
    for id in texts {
        let Some(node) = tree.node_mut(id) else {
            continue;
        };
        let data = std::mem::replace(&mut node.data, name.to_vec());
        node.kind = Kind::Element;
        let text = tree.push(Node::new(Kind::Text, data));
        if let Some(node) = tree.node_mut(id) {
            (node.first, node.last) = (Some(text), Some(text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(text: &str, path: &str) -> Result<Vec<u8>, String> {
        let mut tree = Tree::parse(text.as_bytes())?;
        let found = XPath::compile(path)?.select(&tree)?;
        let result = tree.push(Node::new(Kind::Document, Vec::new()));
        for found in found {
            tree.add(result, found.node);
        }
        tree.write(result)
    }

    #[test]
    fn what_has_no_end_is_an_error() {
        for path in ["//b/..", "//d/..", "//d/../.."] {
            let text = "<a><b/><b/><c><c><d>1</d><d>2</d></c></c></a>";
            assert!(get(text, path).is_err(), "{path}");
        }
        for path in ["//b/..", "//d/..", "//*/.."] {
            let text = "<a><b/><b/><b/><c><d>1</d><d>2</d><d>3</d></c></a>";
            let mut tree = Tree::parse(text.as_bytes()).unwrap();
            let found = XPath::compile(path).unwrap().select(&tree).unwrap();
            let sub = Tree::parse(b"<x/>").unwrap();
            let inserted = insert(&mut tree, found, sub);
            assert!(inserted.is_err(), "{path}");
        }
        let wide = format!("<a>{}</a>", "<b/>".repeat(5000));
        for path in ["//*[../*/../*]", "//b/../b/../b", "//b[count(../b) = 5000]"] {
            let error = get(&wide, path).unwrap_err();
            assert!(error.contains("too many nodes"), "{path}: {error}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |levels: usize| format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels));
        assert!(get(&deep(DEPTH), "/a").is_ok());
        assert!(get(&deep(DEPTH + 1), "/a").is_err());
        for open in ["(", "a[", "not(", "-("] {
            assert!(XPath::compile(&open.repeat(100_000)).is_err(), "{open}");
        }
        for more in ["/a", "//a", "|a", "+a", "=a", " or a"] {
            assert!(
                XPath::compile(&format!("a{}", more.repeat(100_000))).is_err(),
                "{more}"
            );
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (path, said) in [
            ("//a[following::b]", "the axis following within a predicate"),
            (
                "//a[b/preceding::b]",
                "the axis preceding within a predicate",
            ),
            ("//a/following::b[1]", "a position"),
            ("//a/ancestor::b[@x][1]", "a position"),
            ("//a/namespace::b", "the axis namespace"),
            ("//a[reverse(b)]", "the function reverse()"),
            ("//a[@x][1]", "a position"),
            ("descendant::a//b", "an axis of descendants behind another"),
            ("//a[position() = count(b)]", "beside a path"),
            ("//a[b[1] = c]", "a predicate within one of several paths"),
            ("a/(b, c)", "expression must evaluate to a node-set"),
            ("a]", "unexpected"),
        ] {
            let error = XPath::compile(path).unwrap_err();
            assert!(error.contains(said), "{path}: {error}");
        }
    }

    proptest::proptest! {
        /// Whatever is read, and whatever is asked: an answer or an error.
        #[test]
        fn no_document_and_no_path_breaks_anything(
            text in r#"<a x="1">(<b>|</b>|<c y='&lt;'/>|x| |<!--k-->|<!\[CDATA\[z\]\]>|<\?p q\?>){0,8}</a>"#,
            path in r#"(/|//|)(a|b|\*|@\*|\.|\.\.|text\(\)|node\(\))((/|//)(b|c|\*|@y|\.\.|node\(\)|ancestor::\*|ancestor-or-self::node\(\)\[2\]|following::\*|preceding::node\(\)|following-sibling::node\(\)|preceding-sibling::b)){0,3}(\[(1|b|@x|last\(\)|position\(\) < 2|\. = "x"|count\(b\) > 0|not\(c\)|sum\(b\) < 3|substring\(., -?[0-9]\.5, [0-9]\) = "x"|translate\(., "x1", "y"\)|replace\(., "(x)?", "\$1"\))\]){0,2}"#
        ) {
            let _ = get(&text, &path);
            let found = |tree: &Tree| XPath::compile(&path).ok()?.select(tree).ok();
            if let Ok(mut tree) = Tree::parse(text.as_bytes())
                && let Some(found) = found(&tree)
            {
                let sub = Tree::parse(b"<x/>y<z/>").unwrap();
                let _ = insert(&mut tree, found, sub);
                let _ = written(&tree, TOP);
            }
        }
    }
}
