//! `${…}` references in a merged configuration. A value that is one reference
//! takes what it stands for, type and all; a reference inside a text is replaced
//! by text; `$$` is a dollar sign. Expansion is repeated until nothing is left,
//! within limits on rounds, depth, references and size.

use std::sync::Arc;

use super::{
    diagnostics::{Diagnostic, Diagnostics},
    node::{Entry, Mapping, Node, Position, Value, quoted},
    source::{self, Environment},
    yaml::MAX_DOCUMENT,
};

/// Rounds over one text.
const MAX_ROUNDS: usize = 1000;
/// References within what references gave.
const MAX_DEPTH: usize = 100;
/// References followed in all.
const MAX_REFERENCES: usize = 20_000;

const TOO_MANY: &str = "too many recursive expansions";

/// Replaces every reference in the tree.
///
/// # Errors
/// The first reference that cannot be followed, in the Collector's words.
pub fn expand(node: Node, env: Environment, found: &mut Diagnostics) -> Result<Node, Diagnostic> {
    let mut expander = Expander {
        env,
        found,
        references: 0,
        path: Vec::new(),
    };
    expander.node(node, 0)
}

struct Expander<'a> {
    env: Environment,
    found: &'a mut Diagnostics,
    references: usize,
    path: Vec<String>,
}

impl Expander<'_> {
    fn error(&self, at: &Position, phrase: impl Into<String>) -> Diagnostic {
        Diagnostic {
            frames: Vec::new(),
            phrase: phrase.into(),
            at: Some(at.clone()),
            key: self.path.join("::"),
            hint: None,
        }
    }

    fn node(&mut self, node: Node, depth: usize) -> Result<Node, Diagnostic> {
        if depth > MAX_DEPTH {
            return Err(self.error(&node.at, TOO_MANY));
        }
        let Node {
            value,
            at,
            original,
        } = node;
        let value = match value {
            Value::Text(text) => return self.text(text, at, depth),
            Value::Sequence(items) => {
                let mut expanded = Vec::with_capacity(items.len());
                for (i, item) in items.into_iter().enumerate() {
                    self.path.push(i.to_string());
                    expanded.push(self.node(item, depth)?);
                    self.path.pop();
                }
                Value::Sequence(expanded)
            }
            Value::Mapping(mapping) => {
                let mut expanded = Mapping::new();
                for (key, entry) in mapping {
                    self.path.push(key.clone());
                    let node = self.node(entry.node, depth)?;
                    self.path.pop();
                    expanded.insert(key, Entry { at: entry.at, node });
                }
                Value::Mapping(expanded)
            }
            other => other,
        };
        Ok(Node {
            value,
            at,
            original,
        })
    }

    fn text(&mut self, mut text: String, at: Position, depth: usize) -> Result<Node, Diagnostic> {
        for _ in 0..MAX_ROUNDS {
            let Some((start, end)) = find_reference(&text) else {
                return Ok(Node::new(Value::Text(text.replace("$$", "$")), at));
            };
            let whole = start == 0 && end == text.len();
            let reference = text.get(start..end).unwrap_or_default().to_owned();
            let retrieved = self.follow(&reference, &at)?;
            if whole {
                match retrieved.node.value {
                    Value::Text(inner) => {
                        text = inner;
                        continue;
                    }
                    value => {
                        let original = self.original(retrieved.text, &at, depth);
                        // Scalars stand where the reference stood; what has an
                        // inner structure keeps its own places.
                        let place = match value {
                            Value::Mapping(_) | Value::Sequence(_) => retrieved.node.at,
                            _ => at,
                        };
                        let mut node = self.node(Node::new(value, place), depth + 1)?;
                        node.original = original;
                        return Ok(node);
                    }
                }
            }
            text = text.replace(&reference, &retrieved.text);
            if text.len() > MAX_DOCUMENT {
                return Err(self.error(&at, TOO_MANY));
            }
        }
        Err(self.error(&at, TOO_MANY))
    }

    /// The text of a typed value with its own references replaced, where that works.
    fn original(&mut self, text: String, at: &Position, depth: usize) -> Option<String> {
        if find_reference(&text).is_none() {
            return Some(text.replace("$$", "$"));
        }
        if depth >= MAX_DEPTH {
            return None;
        }
        match self.text(text, at.clone(), depth + 1).ok()? {
            Node {
                value: Value::Text(text),
                ..
            } => Some(text),
            node => node.original,
        }
    }

    fn follow(&mut self, reference: &str, at: &Position) -> Result<source::Retrieved, Diagnostic> {
        self.references += 1;
        if self.references > MAX_REFERENCES {
            return Err(self.error(at, TOO_MANY));
        }
        let inner = reference
            .strip_prefix("${")
            .and_then(|rest| rest.strip_suffix('}'))
            .unwrap_or_default();
        let uri = if inner.contains(':') {
            inner.to_owned()
        } else {
            format!("env:{inner}")
        };
        let (scheme, rest) = source::split(&uri).map_err(|phrase| {
            let mut error = self.error(at, phrase);
            if let Some((name, default)) = inner.split_once(":-") {
                error.hint = Some(format!(
                    "a default needs the scheme: ${{env:{name}:-{default}}}"
                ));
            }
            error
        })?;
        if rest.contains('$') {
            return Err(self.error(
                at,
                format!(
                    "the uri {} contains unsupported characters ('$')",
                    quoted(&uri)
                ),
            ));
        }
        let shown: Arc<str> = match scheme {
            "file" => Arc::from(rest),
            "yaml" => at.source.clone(),
            "env" => Arc::from(format!("env:{}", rest.split(":-").next().unwrap_or(rest))),
            _ => Arc::from(uri.as_str()),
        };
        let retrieved =
            source::retrieve(&uri, &shown, self.env).map_err(|phrase| self.error(at, phrase))?;
        if let Some(warning) = &retrieved.warning {
            let mut warning = self.error(at, warning.clone());
            let name = rest;
            warning.hint = Some(format!("set it, or write ${{env:{name}:-default}}"));
            self.found.warnings.push(warning);
        }
        Ok(retrieved)
    }
}

/// The first reference that can be expanded: the innermost `${…}` before the first
/// `}` that is not escaped by an odd number of `$` before it. Byte range.
fn find_reference(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let rest = text.get(from..)?;
        let close = rest.find('}')?;
        let head = rest.get(..=close)?;
        if let Some(open) = head.rfind("${") {
            let dollars = head
                .as_bytes()
                .get(..open)?
                .iter()
                .rev()
                .take_while(|b| **b == b'$')
                .count();
            if dollars % 2 == 0 {
                return Some((from + open, from + close + 1));
            }
        }
        from += close + 1;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::config::yaml;

    fn env(name: &str) -> Option<String> {
        let value = match name {
            "INT" => "5",
            "OCT" => "0777",
            "TEXT" => "hello",
            "QUOTED" => "\"5\"",
            "LIST" => "[a, b]",
            "MAP" => "a: ${env:INT}",
            "NAME" => "INT",
            "NESTED" => "${env:TEXT}",
            "LOOP" => "${env:LOOP}x",
            "EMPTY" => "",
            "DOLLARS" => "a$$b",
            "BAD" => "{a",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn run(text: &str) -> Result<(Node, Diagnostics), Diagnostic> {
        let document = format!("k: '{text}'");
        let node = yaml::parse(&document, &Arc::from("t.yaml")).unwrap();
        let mut found = Diagnostics::default();
        let node = expand(node, env, &mut found)?;
        Ok((node.get("k").unwrap().clone(), found))
    }

    #[test]
    fn references_are_replaced_with_the_collectors_typing() {
        let text = |t: &str| Value::Text(t.to_owned());
        for (input, value, original) in [
            ("${env:INT}", Value::Integer(5), Some("5")),
            ("${INT}", Value::Integer(5), Some("5")),
            ("${env:OCT}", Value::Integer(511), Some("0777")),
            ("x${env:OCT}y", text("x0777y"), None),
            ("${env:TEXT}", text("hello"), None),
            ("${env:QUOTED}", text("\"5\""), None),
            ("${env:NESTED}!", text("hello!"), None),
            ("${env:${env:NAME}}", Value::Integer(5), Some("5")),
            ("${env:NOPE:-7}", Value::Integer(7), Some("7")),
            ("${env:NOPE:-}", text(""), None),
            ("${env:NOPE}", Value::Null, Some("")),
            ("a${env:NOPE}b", text("ab"), None),
            ("${env:EMPTY}", Value::Null, Some("")),
            ("$${env:INT}", text("${env:INT}"), None),
            ("$$$${env:INT}", text("$${env:INT}"), None),
            ("$${env:X} ${env:INT}", text("${env:X} 5"), None),
            // Every occurrence of a reference is replaced at once, as there.
            ("$${env:INT} ${env:INT}", text("$5 5"), None),
            ("$INT", text("$INT"), None),
            ("a$$b", text("a$b"), None),
            ("${env:DOLLARS}", text("a$b"), None),
            ("${env:BAD}", text("{a"), None),
            ("${yaml:true}", Value::Bool(true), Some("true")),
            ("}${env:INT}", text("}5"), None),
            ("${env:INT", text("${env:INT"), None),
        ] {
            let (node, _) = run(input).unwrap_or_else(|e| panic!("{input}: {e}"));
            assert_eq!(node.value, value, "{input}");
            assert_eq!(node.original.as_deref(), original, "{input}");
        }
        let (node, _) = run("${env:MAP}").unwrap();
        assert_eq!(node.get("a").unwrap().value, Value::Integer(5));
        assert_eq!(node.original.as_deref(), Some("a: 5"));
    }

    #[test]
    fn an_unset_variable_is_a_warning_with_its_place() {
        let (_, found) = run("${env:NOPE}").unwrap();
        let warning = &found.warnings[0];
        assert_eq!(
            warning.phrase,
            "Configuration references unset environment variable \"NOPE\""
        );
        assert_eq!(warning.key, "k");
        assert!(run("${env:NOPE:-1}").unwrap().1.warnings.is_empty());
    }

    #[test]
    fn references_that_cannot_be_followed_are_errors() {
        for (input, phrase) in [
            ("${NOPE_X:-d}", "invalid uri: \"NOPE_X:-d\""),
            (
                "${foo:bar}",
                "scheme \"foo\" is not supported for uri \"foo:bar\"",
            ),
            (
                "${env:9BAD}",
                "environment variable \"9BAD\" has invalid name: must match regex ^[a-zA-Z_][a-zA-Z0-9_]*$",
            ),
            ("${env:LOOP}", TOO_MANY),
            (
                "${file:nope.yaml}",
                "unable to read the file file:nope.yaml: open nope.yaml: no such file or directory",
            ),
        ] {
            assert_eq!(run(input).unwrap_err().phrase, phrase, "{input}");
        }
    }
}
