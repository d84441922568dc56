//! The tree that a configuration is read into: every value knows where it was
//! written. Reading YAML into it is in `yaml`, filling references in it is in
//! `expand`, turning it into typed settings is in `component::declaration`.

use std::{collections::BTreeMap, fmt, sync::Arc};

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file as it was named, or the URI (`yaml:…`, `env:…`, `--set a.b`).
    pub source: Arc<str>,
    /// Line, from 1; 0 where lines mean nothing (an inline URI).
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Position {
    /// A position that names only the source.
    pub fn whole(source: impl Into<Arc<str>>) -> Self {
        Position {
            source: source.into(),
            line: 0,
            column: 0,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            f.write_str(&self.source)
        } else {
            write!(f, "{}:{}:{}", self.source, self.line, self.column)
        }
    }
}

/// What a node holds, typed as the Collector's YAML reader types it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing at all.
    Null,
    /// `true` or `false`; `yes` and `on` are text.
    Bool(bool),
    /// A whole number. Wide enough for both 64-bit ranges.
    Integer(i128),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    Sequence(Vec<Node>),
    /// A map; keys are text, as everywhere in a configuration.
    Mapping(Mapping),
}

/// A map's entries by key.
pub type Mapping = BTreeMap<String, Entry>;

/// One entry of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where the key was written.
    pub at: Position,
    /// The value.
    pub node: Node,
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it was written.
    pub at: Position,
    /// The text that a reference (`${env:X}`) stood for, when it became
    /// something else than text. A setting that wants text takes this
    /// (`X=0123` stays `0123` for a password).
    pub original: Option<String>,
}

impl Node {
    /// A node without a substituted original.
    pub fn new(value: Value, at: Position) -> Self {
        Node {
            value,
            at,
            original: None,
        }
    }

    /// An empty map.
    pub fn empty(at: Position) -> Self {
        Node::new(Value::Mapping(Mapping::new()), at)
    }

    /// `null`?
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// The entries, when this is a map.
    pub fn mapping(&self) -> Option<&Mapping> {
        match &self.value {
            Value::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// The member of a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.mapping()?.get(key).map(|entry| &entry.node)
    }

    /// The deepest position that exists along a path of keys and list indices.
    pub fn locate<'a>(&'a self, path: impl IntoIterator<Item = &'a str>) -> &'a Position {
        let (mut node, mut at) = (self, &self.at);
        for key in path {
            match &node.value {
                Value::Mapping(mapping) => {
                    if let Some(entry) = mapping.get(key) {
                        (node, at) = (&entry.node, &entry.at);
                    }
                }
                Value::Sequence(items) => {
                    if let Some(item) = key.parse::<usize>().ok().and_then(|i| items.get(i)) {
                        (node, at) = (item, &item.at);
                    }
                }
                _ => {}
            }
        }
        at
    }

    /// The type's name as the Collector's messages give it.
    pub fn go_type(&self) -> &'static str {
        match self.value {
            Value::Null => "nil",
            Value::Bool(_) => "bool",
            Value::Integer(_) => "int",
            Value::Float(_) => "float64",
            Value::Text(_) => "string",
            Value::Sequence(_) => "[]interface {}",
            Value::Mapping(_) => "map[string]interface {}",
        }
    }
}

/// Quotes a text as Go's `%q` does for the texts that occur in messages.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                out.push_str(&format!("\\x{:02x}", c as u32))
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
