//! YAML text to a tree of nodes. saphyr-parser gives events with positions; what
//! a plain scalar means, that a key may occur once, merge keys and the limits on
//! aliases and depth are decided here, after go-yaml v3, which the Collector uses.

use std::{collections::HashMap, sync::Arc};

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::node::{Entry, Mapping, Node, Position, Value, quoted};

/// Deepest nesting of a document.
const MAX_DEPTH: usize = 200;
/// Most nodes of a document, those that aliases repeat included.
const MAX_NODES: usize = 1_000_000;
/// Largest document in bytes.
pub const MAX_DOCUMENT: usize = 16 << 20;

/// Why a text is not a YAML document, in go-yaml's words where it has some.
#[derive(Clone, Debug, PartialEq)]
pub struct YamlError {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for YamlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "yaml: line {}: {}", self.line, self.message)
    }
}

/// Reads the first document of `text`. `source` is what positions will name.
///
/// # Errors
/// The first thing that makes the text not a document: syntax, a key defined
/// twice, an unknown anchor, too deep, too large.
pub fn parse(text: &str, source: &Arc<str>) -> Result<Node, YamlError> {
    if text.len() > MAX_DOCUMENT {
        return Err(YamlError {
            line: 1,
            column: 1,
            message: format!("document is larger than {MAX_DOCUMENT} bytes"),
        });
    }
    let mut builder = Builder {
        events: Parser::new_from_str(text),
        source: source.clone(),
        anchors: HashMap::new(),
        nodes: 0,
    };
    // The scanner counts a line after the last; nobody wrote that one.
    let last = text.lines().count().max(1) as u32;
    builder.document().map_err(|error| YamlError {
        line: error.line.min(last),
        ..error
    })
}

struct Builder<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    source: Arc<str>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), YamlError> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(YamlError {
                line: error.marker().line() as u32,
                column: error.marker().col() as u32 + 1,
                message: error.info().to_owned(),
            }),
            None => Err(YamlError {
                line: 1,
                column: 1,
                message: "unexpected end of document".into(),
            }),
        }
    }

    fn position(&self, span: Span) -> Position {
        Position {
            source: self.source.clone(),
            line: span.start.line() as u32,
            column: span.start.col() as u32 + 1,
        }
    }

    fn error(&self, span: Span, message: impl Into<String>) -> YamlError {
        YamlError {
            line: span.start.line() as u32,
            column: span.start.col() as u32 + 1,
            message: message.into(),
        }
    }

    fn document(&mut self) -> Result<Node, YamlError> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd | Event::DocumentEnd => {
                    return Ok(Node::new(Value::Null, self.position(span)));
                }
                event => {
                    let node = self.node(event, span, 0)?;
                    // The rest of the first document must be well formed too.
                    loop {
                        match self.next()?.0 {
                            Event::DocumentEnd | Event::StreamEnd => return Ok(node),
                            _ => {}
                        }
                    }
                }
            }
        }
    }

    fn count(&mut self, span: Span, more: usize) -> Result<(), YamlError> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > MAX_NODES {
            return Err(self.error(span, "document contains excessive aliasing"));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, YamlError> {
        if depth > MAX_DEPTH {
            return Err(self.error(span, format!("exceeded max depth of {MAX_DEPTH}")));
        }
        self.count(span, 1)?;
        let at = self.position(span);
        let before = self.nodes;
        let (node, anchor) = match event {
            Event::Alias(id) => {
                let Some(size) = self.anchors.get(&id).map(|(_, size)| *size) else {
                    return Err(self.error(span, "anchor contains itself or is unknown"));
                };
                self.count(span, size)?;
                return match self.anchors.get(&id) {
                    Some((node, _)) => Ok(node.clone()),
                    None => Err(self.error(span, "unknown anchor")),
                };
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref())
                    .map_err(|message| self.error(span, message))?;
                (Node::new(value, at), anchor)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        break;
                    }
                    items.push(self.node(event, span, depth + 1)?);
                }
                (Node::new(Value::Sequence(items), at), anchor)
            }
            Event::MappingStart(anchor, _) => {
                (Node::new(Value::Mapping(self.mapping(depth)?), at), anchor)
            }
            _ => return Err(self.error(span, "did not find expected node content")),
        };
        if anchor > 0 {
            let size = self.nodes - before + 1;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    fn mapping(&mut self, depth: usize) -> Result<Mapping, YamlError> {
        let mut mapping = Mapping::new();
        let mut merged: Vec<Mapping> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let merge =
                matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.node(event, span, depth + 1)?;
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span, depth + 1)?;
            if merge {
                match value.value {
                    Value::Mapping(more) => merged.push(more),
                    Value::Sequence(items) => {
                        for item in items {
                            match item.value {
                                Value::Mapping(more) => merged.push(more),
                                _ => {
                                    return Err(self.error(
                                        value_span,
                                        "map merge requires map or sequence of maps as the value",
                                    ));
                                }
                            }
                        }
                    }
                    _ => {
                        return Err(self.error(
                            value_span,
                            "map merge requires map or sequence of maps as the value",
                        ));
                    }
                }
                continue;
            }
            let Some(name) = key_text(&key.value) else {
                return Err(self.error(span, "invalid map key"));
            };
            if let Some(first) = mapping.get(&name) {
                return Err(self.error(
                    span,
                    format!(
                        "mapping key {} already defined at line {}",
                        quoted(&name),
                        first.at.line
                    ),
                ));
            }
            mapping.insert(
                name,
                Entry {
                    at: key.at,
                    node: value,
                },
            );
        }
        // What the map says itself wins; of several merged maps the first wins.
        for more in merged {
            for (key, entry) in more {
                mapping.entry(key).or_insert(entry);
            }
        }
        Ok(mapping)
    }
}

fn key_text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Null => Some("null".into()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Integer(i) => Some(i.to_string()),
        Value::Float(f) => Some(f.to_string()),
        Value::Sequence(_) | Value::Mapping(_) => None,
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    if let Some(tag) = tag.filter(|tag| tag.is_yaml_core_schema()) {
        let plain = plain(text);
        return match (tag.suffix.as_str(), plain) {
            ("str" | "binary", _) => Ok(Value::Text(text.to_owned())),
            ("float", Value::Integer(i)) => Ok(Value::Float(i as f64)),
            ("null", Value::Null)
            | ("bool", Value::Bool(_))
            | ("int", Value::Integer(_))
            | ("float", Value::Float(_)) => Ok(self::plain(text)),
            (kind @ ("null" | "bool" | "int" | "float"), _) => {
                Err(format!("cannot decode !!str `{text}` as a !!{kind}"))
            }
            _ => Ok(Value::Text(text.to_owned())),
        };
    }
    if tag.is_some() || style != ScalarStyle::Plain {
        return Ok(Value::Text(text.to_owned()));
    }
    Ok(plain(text))
}

/// What a plain scalar means: YAML 1.2's core schema with go-yaml's additions
/// (`_` in numbers, `0b` and C-style octal `0777`), but `yes`, `on` stay text.
pub fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Value::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let looks_like_number = text
        .bytes()
        .next()
        .is_some_and(|c| c.is_ascii_digit() || matches!(c, b'+' | b'-' | b'.'));
    if !looks_like_number {
        return Value::Text(text.to_owned());
    }
    let digits = text.replace('_', "");
    if let Some(value) = integer(&digits) {
        return Value::Integer(value);
    }
    if is_float(&digits)
        && let Ok(value) = digits.parse::<f64>()
    {
        return Value::Float(value);
    }
    Value::Text(text.to_owned())
}

fn integer(digits: &str) -> Option<i128> {
    let (negative, rest) = match digits.as_bytes().first()? {
        b'-' => (true, digits.get(1..)?),
        b'+' => (false, digits.get(1..)?),
        _ => (false, digits),
    };
    let lower = rest.get(..2).map(str::to_ascii_lowercase);
    let (radix, rest) = match lower.as_deref() {
        Some("0x") => (16, rest.get(2..)?),
        Some("0b") => (2, rest.get(2..)?),
        Some("0o") => (8, rest.get(2..)?),
        _ if rest.len() > 1 && rest.starts_with('0') => (8, rest.get(1..)?),
        _ => (10, rest),
    };
    if rest.is_empty() || !rest.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let value = i128::from(u64::from_str_radix(rest, radix).ok()?);
    let value = if negative { -value } else { value };
    (value >= i128::from(i64::MIN)).then_some(value)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|c| c.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa
        && exponent
            .is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Node, YamlError> {
        parse(text, &Arc::from("t.yaml"))
    }

    #[test]
    fn plain_scalars_mean_what_go_yaml_says() {
        for (text, value) in [
            ("5", Value::Integer(5)),
            ("-5", Value::Integer(-5)),
            ("+5", Value::Integer(5)),
            ("1_000", Value::Integer(1000)),
            ("0x1F", Value::Integer(31)),
            ("0b11", Value::Integer(3)),
            ("0o17", Value::Integer(15)),
            ("0777", Value::Integer(511)),
            ("18446744073709551615", Value::Integer(u64::MAX as i128)),
            ("089", Value::Float(89.0)),
            ("1.5", Value::Float(1.5)),
            (".5", Value::Float(0.5)),
            ("1e3", Value::Float(1000.0)),
            (".inf", Value::Float(f64::INFINITY)),
            ("true", Value::Bool(true)),
            ("yes", Value::Text("yes".into())),
            ("on", Value::Text("on".into())),
            ("~", Value::Null),
            ("null", Value::Null),
            ("5s", Value::Text("5s".into())),
            ("1.2.3", Value::Text("1.2.3".into())),
            ("e5", Value::Text("e5".into())),
            ("-", Value::Text("-".into())),
            ("localhost:4317", Value::Text("localhost:4317".into())),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
    }

    #[test]
    fn positions_are_those_of_the_key_and_the_value() {
        let node = read("a:\n  b: 5\n").unwrap();
        let entry = &node.get("a").unwrap().mapping().unwrap()["b"];
        assert_eq!((entry.at.line, entry.at.column), (2, 3));
        assert_eq!((entry.node.at.line, entry.node.at.column), (2, 6));
    }

    #[test]
    fn a_key_defined_twice_is_an_error() {
        let error = read("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!(error.line, 3);
        assert_eq!(error.message, "mapping key \"a\" already defined at line 1");
    }

    #[test]
    fn merge_keys_give_way_to_the_maps_own_keys() {
        let node = read("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n").unwrap();
        let y = node.get("y").unwrap();
        assert_eq!(y.get("a").unwrap().value, Value::Integer(1));
        assert_eq!(y.get("b").unwrap().value, Value::Integer(3));
    }

    #[test]
    fn aliases_cannot_blow_the_document_up() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..12 {
            let refs = vec![format!("*a{}", i - 1); 10].join(", ");
            text.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
        }
        assert!(
            read(&text)
                .unwrap_err()
                .message
                .contains("excessive aliasing")
        );
    }

    #[test]
    fn depth_is_limited() {
        let text = "[".repeat(100_000);
        assert!(read(&text).is_err());
    }

    #[test]
    fn quoted_and_block_scalars_are_text() {
        let node = read("a: \"5\"\nb: '5'\nc: |\n  5\nd: !!str 5\n").unwrap();
        assert_eq!(node.get("a").unwrap().value, Value::Text("5".into()));
        assert_eq!(node.get("b").unwrap().value, Value::Text("5".into()));
        assert_eq!(node.get("c").unwrap().value, Value::Text("5\n".into()));
        assert_eq!(node.get("d").unwrap().value, Value::Text("5".into()));
    }
}
