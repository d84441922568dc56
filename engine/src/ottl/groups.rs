//! The lists in which `transform` and `filter` take statements and conditions: plain texts, or
//! groups with a context, conditions and an error mode of their own. What a group holds is each
//! component's; here is how the two forms are told apart.

use super::Statement;
use crate::{
    component::{Printed, Setting, Shape},
    config::{
        diagnostics::Decoder,
        node::{Node, Value},
    },
};

/// What a list of groups can hold, and its words for what it cannot.
pub trait Grouped: Setting + Default {
    /// What the list is, for what is none.
    const EXPECTED: &'static str;
    /// What is said of an item with nothing in it.
    const MISSING: &'static str;
    /// What is said of a plain text behind groups; nothing: such texts are a group.
    const AFTER_GROUPS: Option<&'static str>;
    /// What is said of a group behind plain texts, and what to do.
    const AFTER_PLAIN: (&'static str, Option<&'static str>);

    /// Whether an item is to be read as a plain text.
    fn is_plain(value: &Value) -> bool;
    /// The group that plain texts are.
    fn plain(texts: Vec<Statement>) -> Self;
}

/// A list of plain texts or of groups; plain texts are one group.
#[derive(Clone, Debug, Default)]
pub struct Groups<G>(pub Vec<G>);

impl<G: Grouped> Setting for Groups<G> {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        let items = match &node.value {
            Value::Null => return,
            Value::Sequence(items) => items,
            _ => {
                let phrase = format!("expected {}, got '{}'", G::EXPECTED, node.go_type());
                return cx.error(node, phrase, None);
            }
        };
        let mut groups: Vec<G> = Vec::new();
        let mut plain: Vec<Statement> = Vec::new();
        for (i, item) in items.iter().enumerate() {
            cx.at_index(i, |cx| match &item.value {
                Value::Null if item.original.is_none() => cx.error(item, G::MISSING, None),
                value if G::is_plain(value) => match G::AFTER_GROUPS {
                    Some(phrase) if !groups.is_empty() => cx.error(item, phrase, None),
                    _ => {
                        let mut text = Statement::default();
                        text.decode(item, cx);
                        plain.push(text);
                    }
                },
                _ if !plain.is_empty() => {
                    let (phrase, hint) = G::AFTER_PLAIN;
                    cx.error(item, phrase, hint.map(str::to_owned));
                }
                _ => {
                    let mut group = G::default();
                    group.decode(item, cx);
                    groups.push(group);
                }
            });
        }
        if !plain.is_empty() {
            groups.push(G::plain(plain));
        }
        self.0 = groups;
    }
    fn clear(&mut self) {
        self.0.clear();
    }
    fn print(&self) -> Printed {
        Printed::List(self.0.iter().map(Setting::print).collect())
    }
    fn shape(&self) -> Shape {
        let group = G::default().shape();
        Shape::List(Box::new(Shape::TextOr(Box::new(group))))
    }
}
