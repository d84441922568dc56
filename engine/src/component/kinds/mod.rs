//! The kinds of values that declarations are made of: numbers, text, secrets,
//! durations, lists, maps, headers, optional blocks, references. What each
//! accepts, and in which words it refuses, is the Collector's (go-mapstructure
//! without weak typing).

use std::{collections::BTreeMap, fmt};

use super::{
    ComponentId,
    declaration::{Printed, Problems, Setting, Shape},
};
use crate::config::{
    diagnostics::Decoder,
    node::{Node, Value},
};

mod duration;
mod optional;

pub use self::{duration::GoDuration, optional::Optional};

fn unconvertible(node: &Node, wanted: &str, cx: &mut Decoder<'_>) {
    let phrase = format!(
        "expected type '{wanted}', got unconvertible type '{}'",
        node.go_type()
    );
    cx.error(node, phrase, None);
}

impl Setting for bool {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        match node.value {
            Value::Null => {
                if node.original.is_some() {
                    *self = false;
                }
            }
            Value::Bool(value) => *self = value,
            _ => unconvertible(node, "bool", cx),
        }
    }
    fn clear(&mut self) {
        *self = false;
    }
    fn print(&self) -> Printed {
        Printed::Bool(*self)
    }
    fn shape(&self) -> Shape {
        Shape::Bool
    }
}

macro_rules! integers {
    ($($ty:ty as $name:literal),*) => {$(
        impl Setting for $ty {
            fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
                let value = match node.value {
                    Value::Null => {
                        if node.original.is_some() {
                            *self = 0;
                        }
                        return;
                    }
                    Value::Integer(value) => value,
                    // A fraction is cut off, as there.
                    Value::Float(value) if value.is_finite() => value as i128,
                    _ => return unconvertible(node, $name, cx),
                };
                match <$ty>::try_from(value) {
                    Ok(value) => *self = value,
                    Err(_) => {
                        let phrase = format!("cannot parse value as '{}': {value} overflows {}", $name, $name.trim_end_matches(char::is_numeric));
                        let hint = format!("from {} to {}", <$ty>::MIN, <$ty>::MAX);
                        cx.error(node, phrase, Some(hint));
                    }
                }
            }
            fn clear(&mut self) {
                *self = 0;
            }
            fn print(&self) -> Printed {
                Printed::Integer(i128::from(*self))
            }
            fn shape(&self) -> Shape {
                Shape::Integer { min: i128::from(<$ty>::MIN), max: i128::from(<$ty>::MAX) }
            }
        }
    )*};
}
integers!(i64 as "int", u32 as "uint32", u16 as "uint16");

impl Setting for f64 {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        match node.value {
            Value::Null => {
                if node.original.is_some() {
                    *self = 0.0;
                }
            }
            Value::Integer(value) => *self = value as f64,
            Value::Float(value) => *self = value,
            _ => unconvertible(node, "float64", cx),
        }
    }
    fn clear(&mut self) {
        *self = 0.0;
    }
    fn print(&self) -> Printed {
        Printed::Float(*self)
    }
    fn shape(&self) -> Shape {
        Shape::Float
    }
}

/// The text of a node, where it has one: what a reference stood for counts as
/// it was written.
fn text_of<'n>(node: &'n Node, wanted: &str, cx: &mut Decoder<'_>) -> Option<&'n str> {
    match (&node.value, &node.original) {
        (_, Some(original)) => Some(original),
        (Value::Text(text), None) => Some(text),
        (Value::Null, None) => None,
        _ => {
            let hint = match node.value {
                Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {
                    Some("put the value in quotes".to_owned())
                }
                _ => None,
            };
            let phrase = format!(
                "expected type '{wanted}', got unconvertible type '{}'",
                node.go_type()
            );
            cx.error(node, phrase, hint);
            None
        }
    }
}

impl Setting for String {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        if let Some(text) = text_of(node, "string", cx) {
            *self = text.to_owned();
        }
    }
    fn clear(&mut self) {
        String::clear(self);
    }
    fn print(&self) -> Printed {
        Printed::Text(self.clone())
    }
    fn shape(&self) -> Shape {
        Shape::Text
    }
}

/// Text that is printed as `[REDACTED]`, also by `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Opaque(String);

impl Opaque {
    /// A secret.
    pub fn new(text: impl Into<String>) -> Self {
        Opaque(text.into())
    }

    /// The secret itself. Not for logs.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Nothing set?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl Setting for Opaque {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        if let Some(text) = text_of(node, "configopaque.String", cx) {
            self.0 = text.to_owned();
        }
    }
    fn clear(&mut self) {
        self.0.clear();
    }
    fn print(&self) -> Printed {
        Printed::Secret(self.0.clone())
    }
    fn shape(&self) -> Shape {
        Shape::Opaque
    }
}

impl<T: Setting + Default> Setting for Vec<T> {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        let split;
        let items: &[Node] = match &node.value {
            Value::Null => return,
            Value::Sequence(items) => items,
            // A text where a list of texts belongs is a list with commas, as there.
            Value::Text(text) if matches!(T::default().shape(), Shape::Text) => {
                split = if text.is_empty() {
                    Vec::new()
                } else {
                    text.split(',')
                        .map(|part| Node::new(Value::Text(part.to_owned()), node.at.clone()))
                        .collect()
                };
                &split
            }
            _ => {
                let found = match node.value {
                    Value::Mapping(_) => "map",
                    _ => node.go_type(),
                };
                let phrase = format!("source data must be an array or slice, got {found}");
                cx.error(node, phrase, None);
                return;
            }
        };
        *self = items
            .iter()
            .enumerate()
            .map(|(i, item)| {
                let mut value = T::default();
                cx.at_index(i, |cx| value.decode(item, cx));
                value
            })
            .collect();
    }
    fn clear(&mut self) {
        Vec::clear(self);
    }
    fn print(&self) -> Printed {
        Printed::List(self.iter().map(Setting::print).collect())
    }
    fn shape(&self) -> Shape {
        Shape::List(Box::new(T::default().shape()))
    }
    fn check(&self, problems: &mut Problems) {
        for (i, item) in self.iter().enumerate() {
            problems.within(i.to_string(), |problems| item.check(problems));
        }
    }
}

impl<T: Setting + Default> Setting for BTreeMap<String, T> {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        match &node.value {
            Value::Null => {}
            Value::Mapping(mapping) => {
                for (key, entry) in mapping {
                    let value = self.entry(key.clone()).or_default();
                    cx.within(key, |cx| value.decode(&entry.node, cx));
                }
            }
            _ => {
                let phrase = format!("expected a map, got '{}'", node.go_type());
                cx.error(node, phrase, None);
            }
        }
    }
    fn clear(&mut self) {
        BTreeMap::clear(self);
    }
    fn print(&self) -> Printed {
        Printed::Map(self.iter().map(|(k, v)| (k.clone(), v.print())).collect())
    }
    fn shape(&self) -> Shape {
        Shape::Map(Box::new(T::default().shape()))
    }
    fn check(&self, problems: &mut Problems) {
        for (key, item) in self {
            problems.within(key.clone(), |problems| item.check(problems));
        }
    }
}

/// A value that may be absent; `null` makes no difference to what is there.
impl<T: Setting + Default> Setting for Option<T> {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        if node.is_null() {
            return;
        }
        self.get_or_insert_with(T::default).decode(node, cx);
    }
    fn clear(&mut self) {
        *self = None;
    }
    fn print(&self) -> Printed {
        // The Collector prints `[]` for a list that is not there, which it then does
        // not load again.
        self.as_ref().map_or(Printed::Null, Setting::print)
    }
    fn shape(&self) -> Shape {
        Shape::Nullable(Box::new(T::default().shape()))
    }
    fn check(&self, problems: &mut Problems) {
        if let Some(value) = self {
            value.check(problems);
        }
    }
}

/// The id of an extension, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionRef(Option<ComponentId>);

impl ExtensionRef {
    /// The id, where one is given.
    pub fn get(&self) -> Option<&ComponentId> {
        self.0.as_ref()
    }
}

impl Setting for ExtensionRef {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        let text = match (&node.value, &node.original) {
            (Value::Null, _) => return,
            (Value::Text(text), _) => text,
            (_, Some(original)) => original,
            _ => {
                let found = match node.value {
                    Value::Sequence(_) => "slice",
                    Value::Mapping(_) => "map",
                    _ => node.go_type(),
                };
                let phrase = format!("expected a map or struct, got \"{found}\"");
                return cx.error(node, phrase, Some("an extension's id is text".into()));
            }
        };
        match text.parse() {
            Ok(id) => self.0 = Some(id),
            Err(phrase) => cx.error(node, phrase, None),
        }
    }
    fn clear(&mut self) {
        self.0 = None;
    }
    fn print(&self) -> Printed {
        self.0
            .as_ref()
            .map_or(Printed::Null, |id| Printed::Text(id.to_string()))
    }
    fn shape(&self) -> Shape {
        Shape::Reference("extensions")
    }
}

/// Header names and values, in the order in which they are sent. Written as a map
/// (then sorted by name) or as a list of `{name, value}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headers(Vec<(String, Opaque)>);

impl Headers {
    /// These, in this order.
    pub fn of(pairs: Vec<(String, String)>) -> Headers {
        let pairs = pairs.into_iter();
        Headers(pairs.map(|(name, value)| (name, Opaque(value))).collect())
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.reveal()))
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Setting for Headers {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        let mut headers = Vec::new();
        match &node.value {
            Value::Null => return,
            Value::Mapping(mapping) => cx.nested(|cx| {
                for (name, entry) in mapping {
                    let mut value = Opaque::default();
                    cx.within(&format!("[{name}]"), |cx| value.decode(&entry.node, cx));
                    headers.push((name.clone(), value));
                }
            }),
            Value::Sequence(items) => {
                for (i, item) in items.iter().enumerate() {
                    let mut pair = HeaderPair::default();
                    cx.at_index(i, |cx| pair.decode(item, cx));
                    if headers.iter().any(|(name, _)| *name == pair.name) {
                        cx.error(item, format!("duplicate name {:?}", pair.name), None);
                    }
                    headers.push((pair.name, pair.value));
                }
            }
            _ => {
                let phrase = format!(
                    "source data must be an array or slice, got {}",
                    node.go_type()
                );
                cx.error(node, phrase, None);
                return;
            }
        }
        self.0 = headers;
    }
    fn clear(&mut self) {
        self.0.clear();
    }
    fn print(&self) -> Printed {
        let pair = |(name, value): &(String, Opaque)| {
            Printed::Map(vec![
                ("name".into(), Printed::Text(name.clone())),
                ("value".into(), value.print()),
            ])
        };
        Printed::List(self.0.iter().map(pair).collect())
    }
    fn shape(&self) -> Shape {
        Shape::Headers
    }
}

super::declare! {
    /// One header.
    struct HeaderPair as "configopaque.Pair" {
        /// Name.
        name: String = String::new();
        /// Value.
        value: Opaque = Opaque::default();
    }
}

/// A value of any type, as it was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Anything(Option<Node>);

impl Anything {
    /// The value, where one other than `null` is given.
    pub fn get(&self) -> Option<&Node> {
        self.0.as_ref()
    }
}

impl Setting for Anything {
    fn decode(&mut self, node: &Node, _: &mut Decoder<'_>) {
        if !node.is_null() {
            self.0 = Some(node.clone());
        }
    }
    fn clear(&mut self) {
        self.0 = None;
    }
    fn print(&self) -> Printed {
        self.0.as_ref().map_or(Printed::Null, print_node)
    }
    fn shape(&self) -> Shape {
        Shape::Any
    }
}

/// A tree as it is.
pub fn print_node(node: &Node) -> Printed {
    match &node.value {
        Value::Null => Printed::Null,
        Value::Bool(b) => Printed::Bool(*b),
        Value::Integer(i) => Printed::Integer(*i),
        Value::Float(f) => Printed::Float(*f),
        Value::Text(t) => Printed::Text(t.clone()),
        Value::Sequence(items) => Printed::List(items.iter().map(print_node).collect()),
        Value::Mapping(mapping) => Printed::Map(
            mapping
                .iter()
                .map(|(key, entry)| (key.clone(), print_node(&entry.node)))
                .collect(),
        ),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (text, result) in [
            ("5s", Ok("5s")),
            ("1h30m", Ok("1h30m0s")),
            ("1h1m", Ok("1h1m0s")),
            ("200ms", Ok("200ms")),
            ("1.5s", Ok("1.5s")),
            (".5s", Ok("500ms")),
            ("5.s", Ok("5s")),
            ("1500us", Ok("1.5ms")),
            ("1µs", Ok("1µs")),
            ("-5s", Ok("-5s")),
            ("90s", Ok("1m30s")),
            ("0", Ok("0s")),
            ("", Err("time: invalid duration")),
            ("x", Err("time: invalid duration")),
            ("5", Err("time: missing unit in duration")),
            ("1s2", Err("time: missing unit in duration")),
            ("5 s", Err("time: unknown unit")),
            ("1d", Err("time: unknown unit")),
            ("99999999999s", Err("time: invalid duration")),
        ] {
            let got = GoDuration::parse(text).map(|d| d.to_string());
            assert_eq!(got.as_deref().map_err(|e| *e), result, "{text:?}");
        }
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Opaque::new("hush");
        assert_eq!(format!("{secret:?}"), "[REDACTED]");
        assert_eq!(secret.reveal(), "hush");
    }
}
