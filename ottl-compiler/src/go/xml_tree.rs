//! XML as a tree that can be changed, as the Go library `xmlquery` builds, changes and writes it.
//! Nodes lie in a list and name each other by their place, so that what the library does to a
//! node's neighbours when it is moved, and what it leaves, is the same here.

use std::collections::HashMap;

use super::{
    text::trim_space,
    xml::{Name, Reader, Token},
};

/// How deep elements may nest.
pub const DEPTH: usize = 500;

/// The most bytes that a tree may be written in.
pub const MAX_BYTES: usize = 16 << 20;

/// The place of a node.
pub type Id = usize;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as the library names them")]
pub enum Kind {
    Document,
    Declaration,
    Element,
    Text,
    CharData,
    Comment,
    Notation,
    Instruction,
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// The name of an element or target, or the content.
    pub data: Vec<u8>,
    /// The prefix of an element's name; what follows an instruction's target.
    pub prefix: Vec<u8>,
    /// Attributes, in order.
    pub attributes: Vec<(Name, Vec<u8>)>,
    /// Its parent.
    pub parent: Option<Id>,
    /// Its first child.
    pub first: Option<Id>,
    /// Its last child.
    pub last: Option<Id>,
    /// The node before it.
    pub previous: Option<Id>,
    /// The node after it.
    pub next: Option<Id>,
    level: usize,
}

impl Node {
    /// A node by itself.
    pub fn new(kind: Kind, data: Vec<u8>) -> Node {
        Node {
            kind,
            data,
            prefix: Vec::new(),
            attributes: Vec::new(),
            parent: None,
            first: None,
            last: None,
            previous: None,
            next: None,
            level: 0,
        }
    }

    /// Removes the attribute of this name without a prefix.
    pub fn remove_attribute(&mut self, name: &[u8]) {
        let found = self
            .attributes
            .iter()
            .position(|((prefix, local), _)| prefix.is_empty() && local == name);
        if let Some(at) = found {
            self.attributes.remove(at);
        }
    }
}

/// A tree, and nodes that are not part of it.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: Vec<Node>,
}

/// The node that holds all others.
pub const TOP: Id = 0;

const BROKEN: &str = "the tree is broken";

impl Tree {
    /// A tree of one node.
    pub fn of(top: Node) -> Tree {
        Tree { nodes: vec![top] }
    }

    /// Parses a text. A declaration that is not written is not there.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &[u8]) -> Result<Tree, String> {
        let mut builder = Builder {
            tree: Tree::of(Node::new(Kind::Document, Vec::new())),
            level: 0,
            before: TOP,
            beside: TOP,
            depth: 0,
            prefixes: HashMap::from([(XML.to_vec(), (b"xml".to_vec(), 0))]),
            spaces: vec![(b"xml".to_vec(), XML.to_vec(), 0)],
        };
        builder
            .read(text)
            .map_err(|cause| format!("parse xml: {cause}"))?;
        let mut tree = builder.tree;
        let is_element = |id: &Id| {
            tree.node(*id)
                .is_some_and(|node| node.kind == Kind::Element)
        };
        if !tree.children(TOP).any(|id| is_element(&id)) {
            return Err("parse xml: xmlquery: invalid XML document".to_owned());
        }
        if let (Some(first), false) = (tree.first(TOP), text.starts_with(b"<?xml")) {
            tree.remove(first)?;
        }
        Ok(tree)
    }

    /// A node.
    pub fn node(&self, id: Id) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// A node, to change it.
    pub fn node_mut(&mut self, id: Id) -> Option<&mut Node> {
        self.nodes.get_mut(id)
    }

    /// Puts a node into the list.
    pub fn push(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Puts the nodes of another tree into the list; where its top is now.
    pub fn take(&mut self, other: Tree) -> Id {
        let by = self.nodes.len();
        self.nodes.extend(other.nodes.into_iter().map(|mut node| {
            for link in [
                &mut node.parent,
                &mut node.first,
                &mut node.last,
                &mut node.previous,
                &mut node.next,
            ] {
                *link = link.map(|id| id + by);
            }
            node
        }));
        by
    }

    /// A node's first child.
    pub fn first(&self, id: Id) -> Option<Id> {
        self.node(id)?.first
    }

    /// The node after a node.
    pub fn next(&self, id: Id) -> Option<Id> {
        self.node(id)?.next
    }

    /// A node's children; no more than there are nodes.
    pub fn children(&self, id: Id) -> impl Iterator<Item = Id> {
        std::iter::successors(self.first(id), |id| self.next(*id)).take(self.nodes.len())
    }

    /// Puts a node behind the last child of another, wherever else it is.
    pub fn add(&mut self, parent: Id, id: Id) {
        let last = self.node(parent).and_then(|node| node.last);
        let first = self.first(parent);
        if let Some(node) = self.node_mut(id) {
            node.parent = Some(parent);
            node.next = None;
        }
        let last = last.filter(|_| first.is_some());
        if let Some(last) = last.and_then(|last| self.node_mut(last)) {
            last.next = Some(id);
        }
        if let Some(node) = self.node_mut(id) {
            node.previous = last;
        }
        if let Some(node) = self.node_mut(parent) {
            node.last = Some(id);
            if first.is_none() {
                node.first = Some(id);
            }
        }
    }

    /// Takes a node out of the tree.
    ///
    /// # Errors
    /// Where its neighbours are not its neighbours any more.
    pub fn remove(&mut self, id: Id) -> Result<(), String> {
        let node = self.node(id).ok_or(BROKEN)?;
        let (parent, previous, next) = (node.parent, node.previous, node.next);
        let Some(parent) = parent else { return Ok(()) };
        let (first, last) = {
            let parent = self.node(parent).ok_or(BROKEN)?;
            (parent.first == Some(id), parent.last == Some(id))
        };
        if !first {
            let previous = previous.and_then(|previous| self.node_mut(previous));
            previous.ok_or(BROKEN)?.next = if last { None } else { next };
        }
        if !last {
            let next = next.and_then(|next| self.node_mut(next));
            next.ok_or(BROKEN)?.previous = if first { None } else { previous };
        }
        let above = self.node_mut(parent).ok_or(BROKEN)?;
        if first {
            above.first = if last { None } else { next };
        }
        if last {
            above.last = if first { None } else { previous };
        }
        let node = self.node_mut(id).ok_or(BROKEN)?;
        (node.parent, node.previous, node.next) = (None, None, None);
        Ok(())
    }

    /// The text within a node.
    pub fn inner_text(&self, id: Id, out: &mut Vec<u8>, depth: usize) {
        let Some(node) = self.node(id) else { return };
        match node.kind {
            Kind::Text | Kind::CharData => out.extend_from_slice(&node.data),
            Kind::Comment => {}
            _ if depth == 0 => {}
            _ => {
                for child in self.children(id) {
                    self.inner_text(child, out, depth - 1);
                }
            }
        }
    }

    /// What is within a node, as text.
    ///
    /// # Errors
    /// Where it would be too large, or never end.
    pub fn write(&self, id: Id) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        let preserve = self.preserves(id, true);
        let mut child = self.first(id);
        while let Some(id) = child {
            self.write_node(id, preserve, 2 * DEPTH + 2, &mut out)?;
            child = self.next(id);
        }
        Ok(out)
    }

    fn preserves(&self, id: Id, otherwise: bool) -> bool {
        let attributes = self.node(id).map_or(&[][..], |node| &node.attributes);
        let space = attributes
            .iter()
            .find(|((prefix, local), _)| prefix == b"xml" && local == b"space");
        match space.map(|(_, value)| value.as_slice()) {
            Some(b"preserve") => true,
            Some(b"default") => false,
            _ => otherwise,
        }
    }

    fn write_node(
        &self,
        id: Id,
        preserve: bool,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let node = self.node(id).ok_or(BROKEN)?;
        let below = depth.checked_sub(1);
        let below = below.filter(|_| out.len() <= MAX_BYTES);
        let below = below.ok_or("the XML would be too large")?;
        let preserve = self.preserves(id, preserve);
        let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
        match node.kind {
            Kind::Text if preserve => escape(&node.data, out),
            Kind::Text => escape(trim_space(&node.data), out),
            Kind::CharData => put(&[b"<![CDATA[", &node.data, b"]]>"]),
            Kind::Comment => put(&[b"<!--", &node.data, b"-->"]),
            Kind::Notation => put(&[b"<!", &node.data, b">"]),
            Kind::Instruction if node.prefix.is_empty() => put(&[b"<?", &node.data, b"?>"]),
            Kind::Instruction => put(&[b"<?", &node.data, b" ", &node.prefix, b"?>"]),
            Kind::Declaration => {
                put(&[b"<?", &node.data]);
                write_attributes(node, out);
                out.extend_from_slice(b"?>");
            }
            Kind::Element | Kind::Document => {
                let between: &[u8] = if node.prefix.is_empty() { b"" } else { b":" };
                put(&[b"<", &node.prefix, between, &node.data]);
                write_attributes(node, out);
                out.push(b'>');
                let mut child = node.first;
                while let Some(id) = child {
                    self.write_node(id, preserve, below, out)?;
                    child = self.next(id);
                }
                for part in [b"</", node.prefix.as_slice(), between, &node.data, b">"] {
                    out.extend_from_slice(part);
                }
            }
        }
        // Text that is empty writes nothing: a ring of it would never end.
        match node.next == Some(id) {
            true => Err("the XML would be too large".to_owned()),
            false => Ok(()),
        }
    }
}

fn write_attributes(node: &Node, out: &mut Vec<u8>) {
    for ((prefix, local), value) in &node.attributes {
        out.push(b' ');
        if !prefix.is_empty() {
            out.extend_from_slice(prefix);
            out.push(b':');
        }
        out.extend_from_slice(local);
        out.extend_from_slice(b"=\"");
        escape(value, out);
        out.push(b'"');
    }
}

/// `html.EscapeString`
fn escape(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&#34;"),
            byte => out.push(*byte),
        }
    }
}

const XML: &[u8] = b"http://www.w3.org/XML/1998/namespace";

struct Builder {
    tree: Tree,
    level: usize,
    /// The last element or instruction.
    before: Id,
    /// The last of the top's siblings.
    beside: Id,
    depth: usize,
    /// The prefix last declared for a name space, and at which level.
    prefixes: HashMap<Vec<u8>, (Vec<u8>, usize)>,
    /// Prefix and name space of what is declared, and how deep.
    spaces: Vec<(Vec<u8>, Vec<u8>, usize)>,
}

impl Builder {
    fn read(&mut self, text: &[u8]) -> Result<(), String> {
        let mut reader = Reader::new(text).with_charsets();
        loop {
            if reader.is_at_end() && reader.is_closed() {
                return Ok(());
            }
            let rest = reader.rest();
            match reader.next_token()? {
                Token::Start(name, attributes) => self.start(name, attributes)?,
                Token::End => {
                    self.level = self.level.saturating_sub(1);
                    self.depth = self.depth.saturating_sub(1);
                    let depth = self.depth;
                    self.spaces.retain(|(_, _, declared)| *declared <= depth);
                }
                Token::Text(data, raw) => {
                    // The library looks at how the text begins.
                    let begins = rest
                        .get(..8)
                        .is_some_and(|begin| begin.eq_ignore_ascii_case(b"![CDATA["));
                    let kind = if raw || begins {
                        Kind::CharData
                    } else {
                        Kind::Text
                    };
                    self.place(Node::new(kind, data))?;
                }
                Token::Comment(data) => {
                    self.place(Node::new(Kind::Comment, data))?;
                }
                Token::Directive(data) => {
                    self.place(Node::new(Kind::Notation, data))?;
                }
                Token::Instruction(target, content) => self.instruction(target, &content)?,
            }
        }
    }

    fn level_of(&self, id: Id) -> usize {
        self.tree.node(id).map_or(0, |node| node.level)
    }

    fn parent_of(&self, id: Id) -> Result<Id, String> {
        let parent = self.tree.node(id).and_then(|node| node.parent);
        parent.ok_or_else(|| BROKEN.to_owned())
    }

    /// Puts a node where the level says.
    fn place(&mut self, mut node: Node) -> Result<Id, String> {
        node.level = self.level;
        let level = self.level;
        let id = self.tree.push(node);
        let mut above = self.level_of(self.before);
        if level > above {
            self.tree.add(self.before, id);
            return Ok(id);
        }
        let mut sibling = self.before;
        if level < above {
            while above - level > 1 {
                self.before = self.parent_of(self.before)?;
                above -= 1;
            }
            sibling = self.parent_of(self.before)?;
        }
        match self.tree.node(sibling).and_then(|node| node.parent) {
            Some(parent) => self.tree.add(parent, id),
            None => {
                // Beside the top, where nothing finds it.
                if let Some(node) = self.tree.node_mut(self.beside) {
                    node.next = Some(id);
                }
                if let Some(node) = self.tree.node_mut(id) {
                    node.previous = Some(self.beside);
                }
                self.beside = id;
            }
        }
        Ok(id)
    }

    fn space(&self, prefix: &[u8]) -> Option<&Vec<u8>> {
        let declared = self.spaces.iter().rev();
        let mut found = declared.filter(|(known, _, _)| known == prefix);
        found.next().map(|(_, space, _)| space)
    }

    fn start(&mut self, name: Name, attributes: Vec<(Name, Vec<u8>)>) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(format!("exceeded maximum XML nesting depth of {DEPTH}"));
        }
        if self.level == 0 {
            let mut declaration = Node::new(Kind::Declaration, b"xml".to_vec());
            let version = (Vec::new(), b"version".to_vec());
            declaration.attributes.push((version, b"1.0".to_vec()));
            declaration.level = 1;
            let id = self.tree.push(declaration);
            self.tree.add(self.before, id);
            (self.level, self.before) = (1, id);
        }
        for ((prefix, local), value) in &attributes {
            let declared = match (prefix.as_slice(), local.as_slice()) {
                (b"", b"xmlns") => Vec::new(),
                (b"xmlns", local) => local.to_vec(),
                _ => continue,
            };
            self.spaces.push((declared, value.clone(), self.depth));
        }
        // What a prefix stands for; one that is not declared stands for itself.
        let spaced = |prefix: &[u8]| match prefix {
            b"xmlns" => prefix.to_vec(),
            prefix => self
                .space(prefix)
                .map_or_else(|| prefix.to_vec(), Vec::clone),
        };
        let space = spaced(&name.0);
        let attributes: Vec<(Name, Vec<u8>)> = attributes
            .into_iter()
            .map(|((prefix, local), value)| match prefix.is_empty() {
                true => ((prefix, local), value),
                false => ((spaced(&prefix), local), value),
            })
            .collect();
        for ((prefix, local), value) in &attributes {
            if local == b"xmlns" {
                let known = self.prefixes.get(value);
                if known.is_none_or(|(_, level)| *level >= self.level) {
                    let none = (Vec::new(), self.level);
                    self.prefixes.insert(value.clone(), none);
                }
            } else if prefix == b"xmlns" {
                let declared = (local.clone(), self.level);
                self.prefixes.insert(value.clone(), declared);
            }
        }
        let mut node = Node::new(Kind::Element, name.1);
        if !space.is_empty() {
            let (prefix, _) = self.prefixes.get(&space).ok_or_else(|| {
                format!(
                    "xmlquery: invalid XML document, namespace {} is missing",
                    String::from_utf8_lossy(&space)
                )
            })?;
            if *prefix == name.0 {
                node.prefix.clone_from(prefix);
            }
        }
        node.attributes = attributes
            .into_iter()
            .map(|((space, local), value)| {
                let prefix = self.prefixes.get(&space);
                let prefix = prefix.map_or(space, |(prefix, _)| prefix.clone());
                ((prefix, local), value)
            })
            .collect();
        self.before = self.place(node)?;
        self.level += 1;
        Ok(())
    }

    fn instruction(&mut self, target: Vec<u8>, content: &[u8]) -> Result<(), String> {
        if self.before == TOP {
            self.level += 1;
        }
        let is_declaration = target == b"xml";
        let mut node = Node::new(Kind::Instruction, target);
        if is_declaration {
            node.kind = Kind::Declaration;
            for pair in content.split(|byte| *byte == b' ').map(trim_space) {
                let Some(at) = pair
                    .iter()
                    .position(|byte| *byte == b'=')
                    .filter(|at| *at > 0)
                else {
                    continue;
                };
                let (key, value) = pair.split_at(at);
                let mut value = value.get(1..).unwrap_or_default();
                while let [b'"' | b'\'', inner @ ..] = value {
                    value = inner;
                }
                while let [inner @ .., b'"' | b'\''] = value {
                    value = inner;
                }
                let colon = key.iter().position(|byte| *byte == b':').unwrap_or(0);
                let name = match colon {
                    0 => (Vec::new(), key.to_vec()),
                    at => (
                        key.get(..at).unwrap_or_default().to_vec(),
                        key.get(at + 1..).unwrap_or_default().to_vec(),
                    ),
                };
                if !node.attributes.iter().any(|(known, _)| *known == name) {
                    node.attributes.push((name, value.to_vec()));
                }
            }
        } else {
            node.prefix = trim_space(content).to_vec();
        }
        self.before = self.place(node)?;
        Ok(())
    }
}
