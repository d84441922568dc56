//! Calls of functions: what is asked of nodes is here, what is made of texts and numbers in
//! `functions`.

use super::{
    Expr, Found, Function, Step,
    eval::{Search, Value, truth},
    functions,
};
use crate::go::text::{parse_double, trim_space};

impl Search<'_> {
    pub(super) fn call(
        &mut self,
        function: Function,
        args: &[Expr],
        here: Found,
        step: Option<&Step>,
    ) -> Result<Value, String> {
        if let (Function::Position | Function::Last, Some(step)) = (function, step) {
            return Ok(Value::Number(self.place(function, step, here) as f64));
        }
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            values.push(self.value(arg, here, step)?);
        }
        let own = Value::Nodes(vec![here]);
        let first = values.first().unwrap_or(&own);
        Ok(match function {
            Function::Contains | Function::StartsWith | Function::EndsWith => {
                let wrong = || Err("function argument type must be string".to_owned());
                let text = match first {
                    Value::Nodes(nodes) if nodes.is_empty() => return Ok(Value::Bool(false)),
                    Value::Nodes(_) | Value::Text(_) => self.string(first)?,
                    _ => return wrong(),
                };
                let Some(Value::Text(part)) = values.get(1) else {
                    return wrong();
                };
                Value::Bool(match function {
                    Function::StartsWith => text.starts_with(part),
                    Function::EndsWith => text.ends_with(part),
                    _ => part.is_empty() || text.windows(part.len()).any(|window| window == part),
                })
            }
            Function::Not => Value::Bool(match first {
                Value::Bool(value) => !value,
                Value::Nodes(nodes) => nodes.is_empty(),
                _ => false,
            }),
            Function::Count => match first {
                Value::Nodes(nodes) => Value::Number(nodes.len() as f64),
                _ => Value::Number(0.0),
            },
            Function::Name | Function::LocalName => {
                let Value::Nodes(nodes) = first else {
                    return Ok(Value::Text(Vec::new()));
                };
                let (prefix, local) = nodes
                    .first()
                    .map_or_else(Default::default, |node| self.name(*node));
                Value::Text(match function {
                    Function::Name if !prefix.is_empty() => [prefix, b":", local].concat(),
                    _ => local.to_vec(),
                })
            }
            Function::True => Value::Bool(true),
            Function::False => Value::Bool(false),
            Function::StringLength => match first {
                Value::Nodes(_) | Value::Text(_) => Value::Number(self.string(first)?.len() as f64),
                _ => Value::Number(0.0),
            },
            Function::NormalizeSpace => match first {
                Value::Nodes(_) | Value::Text(_) => Value::Text(normalized(&self.string(first)?)),
                _ => Value::Text(Vec::new()),
            },
            Function::String => Value::Text(self.string(first)?),
            Function::Number => Value::Number(self.number(first)?),
            Function::Boolean => Value::Bool(truth(first)),
            Function::Concat => {
                let mut out = Vec::new();
                for value in &values {
                    out.extend(self.string(value)?);
                }
                Value::Text(out)
            }
            Function::Position | Function::Last => {
                return Err("there is no position here".to_owned());
            }
            Function::Sum => {
                let Value::Nodes(nodes) = first else {
                    return functions::sum(first).map(Value::Number);
                };
                let mut sum = 0.0;
                for node in nodes {
                    let text = self.text(*node)?;
                    sum += parse_double(&text).unwrap_or(0.0);
                }
                Value::Number(sum)
            }
            Function::Ceiling => Value::Number(self.number(first)?.ceil()),
            Function::Floor => Value::Number(self.number(first)?.floor()),
            Function::Round => Value::Number(functions::round(self.number(first)?)),
            Function::LowerCase => Value::Text(functions::lower(&self.string(first)?)),
            Function::Translate | Function::Replace => {
                let mut texts = Vec::with_capacity(values.len());
                for value in &values {
                    texts.push(self.string(value)?);
                }
                let [text, from, to] = texts.as_slice() else {
                    return Err("three arguments are wanted".to_owned());
                };
                Value::Text(match function {
                    Function::Translate => functions::translate(text, from, to),
                    _ => functions::replace(text, from, to)?,
                })
            }
            Function::Matches => {
                if matches!(first, Value::Nodes(nodes) if nodes.is_empty()) {
                    return Ok(Value::Text(Vec::new()));
                }
                let Some(Value::Text(pattern)) = values.get(1) else {
                    return Err("matches() wants a string for its pattern".to_owned());
                };
                let text = self.string_or_node(first)?.unwrap_or_default();
                Value::Bool(functions::matches(&text, pattern)?)
            }
            Function::Substring => {
                let (start, len) = match (values.get(1), values.get(2)) {
                    (Some(Value::Number(start)), None) => (*start, None),
                    (Some(Value::Number(start)), Some(Value::Number(len))) => (*start, Some(*len)),
                    _ => return Err("substring() wants numbers".to_owned()),
                };
                match self.string_or_node(first)? {
                    Some(text) => Value::Text(functions::substring(&text, start, len)?),
                    None => Value::Text(Vec::new()),
                }
            }
            Function::SubstringBefore | Function::SubstringAfter => {
                let second = values.get(1).unwrap_or(&own);
                let text = self.string_or_node(first)?;
                let (Some(text), Some(word)) = (text, self.string_or_node(second)?) else {
                    return Ok(Value::Text(Vec::new()));
                };
                let found = memchr::memmem::find(&text, &word).filter(|_| !word.is_empty());
                let part = found.and_then(|at| match function {
                    Function::SubstringBefore => text.get(..at),
                    _ => text.get(at + word.len()..),
                });
                Value::Text(part.unwrap_or_default().to_vec())
            }
            Function::StringJoin => {
                let separator = match values.get(1) {
                    Some(separator @ (Value::Nodes(_) | Value::Text(_))) => {
                        self.string(separator)?
                    }
                    _ => Vec::new(),
                };
                Value::Text(match first {
                    Value::Nodes(_) => self.operands(first)?.join(&separator[..]),
                    Value::Text(text) => text.clone(),
                    _ => Vec::new(),
                })
            }
        })
    }

    /// A string, or the text of the first node; nothing where there is no node. What is neither
    /// counts as an empty text.
    fn string_or_node(&mut self, value: &Value) -> Result<Option<Vec<u8>>, String> {
        Ok(match value {
            Value::Nodes(nodes) => match nodes.first() {
                Some(node) => Some(self.text(*node)?),
                None => None,
            },
            Value::Text(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(Vec::new()),
        })
    }

    /// `position()` and `last()`: a place among siblings that the step takes, blank text apart.
    fn place(&mut self, function: Function, step: &Step, here: Found) -> usize {
        let fits = |node| {
            self.fits(
                step,
                Found {
                    node,
                    attribute: None,
                },
            )
        };
        let before = |id: &usize| self.tree.node(*id).and_then(|node| node.previous);
        let earlier = || std::iter::successors(before(&here.node), before);
        let count = match function {
            Function::Position => {
                1 + earlier()
                    .filter(|id| !self.is_blank(*id) && fits(*id))
                    .count()
            }
            _ => {
                let first = earlier().last().unwrap_or(here.node);
                let all = std::iter::successors(Some(first), |id| self.tree.next(*id));
                all.filter(|id| (*id == first || !self.is_blank(*id)) && fits(*id))
                    .count()
            }
        };
        self.left = self.left.saturating_sub(count);
        count
    }
}

fn normalized(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(trim_space(text)).into_owned();
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c.is_whitespace() {
            true if chars.peek().is_some_and(|next| next.is_whitespace()) => {}
            true => out.push(' '),
            false => out.push(c),
        }
    }
    out.into_bytes()
}
