//! Paths: the context in front, the declaration that the segments name, the keys behind.

use crate::{
    contexts::{Context, Keys, PathDef},
    error::{Problem, nearest},
    program::{KeyNode, PathNode},
    syntax::{
        Span,
        ast::{ExprKind, Key, Path, Segment},
    },
    value::{Text, Value, index},
};

use super::Checker;

impl Checker<'_> {
    pub(super) fn path(&mut self, path: &Path, span: Span) -> Option<PathNode> {
        let text = path_text(path);
        let (head, rest) = path.segments.split_first()?;
        let named = match rest {
            [] => None,
            _ if !head.keys.is_empty() => None,
            _ => Context::named(&head.name.text),
        };
        let (context, segments) = match named {
            Some(context) if self.context.sees(context) => (context, rest),
            Some(_) if !self.explicit => {
                let problem = Problem::WrongContext {
                    context: head.name.text.clone(),
                    path: text,
                    options: self.visible(),
                };
                return self.report(head.name.span, problem);
            }
            _ if self.explicit => (self.context, path.segments.as_slice()),
            _ => return self.missing_context(path, text, span),
        };
        if let Some(segment) = segments.first()
            && segment.name.text == "cache"
            && context != self.context
            && context != Context::OtelCol
        {
            let tail = text.split_once('.').map_or("", |(_, tail)| tail);
            let problem = Problem::ForeignCache {
                wanted: format!("{}.{tail}", self.context),
                given: text,
            };
            return self.report(span, problem);
        }
        let (def, used) = self.definition(context, segments, &text)?;
        let keys = self.path_keys(segments.get(used - 1)?, def)?;
        let text = match named {
            Some(_) => text,
            None => format!("{context}.{text}"),
        };
        Some(PathNode {
            context,
            def,
            keys,
            text: text.into(),
        })
    }

    fn visible(&self) -> Vec<String> {
        let visible = self.context.visible().iter();
        visible.map(|context| context.name().to_owned()).collect()
    }

    fn missing_context<T>(&mut self, path: &Path, text: String, span: Span) -> Option<T> {
        // Those that have such a path first.
        let head = path.segments.first().map(|head| head.name.text.as_str());
        let mut options: Vec<String> = Vec::new();
        for context in self.context.visible() {
            if head.is_some_and(|head| starts(*context, head)) {
                options.push(format!("{context}.{text}"));
            }
        }
        if options.is_empty() {
            let visible = self.context.visible().iter();
            options = visible.map(|context| format!("{context}.{text}")).collect();
        }
        self.report(
            span,
            Problem::MissingContext {
                path: text,
                options,
            },
        )
    }

    /// The declaration that the most segments name, and how many.
    fn definition(
        &mut self,
        context: Context,
        segments: &[Segment],
        text: &str,
    ) -> Option<(&'static PathDef, usize)> {
        let names: Vec<&str> = segments.iter().map(|s| s.name.text.as_str()).collect();
        let found = (1..=names.len().min(3)).rev().find_map(|used| {
            let name = names.get(..used)?.join(".");
            let def = context.paths().iter().find(|def| def.name == name)?;
            Some((def, used))
        });
        let (def, used) = match found {
            Some(found) => found,
            // As far as the beginning of a longer path reaches.
            None => {
                let reach = (0..names.len())
                    .take_while(|reach| {
                        starts(context, &names.get(..*reach).unwrap_or_default().join("."))
                    })
                    .last()
                    .unwrap_or(0);
                return self.undefined(context, segments, reach, text);
            }
        };
        if let Some(extra) = segments.get(used) {
            let longer = format!("{}.", def.name);
            if context
                .paths()
                .iter()
                .any(|def| def.name.starts_with(&longer))
            {
                return self.undefined(context, segments, used, text);
            }
            let section = segments_text(segments.get(used..).unwrap_or_default());
            return self.report(extra.name.span, Problem::ExtraSegment { section });
        }
        let last = used - 1;
        if let Some(keyed) = segments.iter().take(last).find(|s| !s.keys.is_empty()) {
            let segment = keyed.name.text.clone();
            return self.report(keyed.span(), Problem::ExtraKeys { segment });
        }
        Some((def, used))
    }

    fn undefined<T>(
        &mut self,
        context: Context,
        segments: &[Segment],
        at: usize,
        text: &str,
    ) -> Option<T> {
        let segment = segments.get(at).or(segments.last())?;
        let names: Vec<&str> = segments.iter().map(|s| s.name.text.as_str()).collect();
        let meant = nearest(&names.join("."), context.paths().iter().map(|def| def.name));
        let problem = Problem::UndefinedPath {
            segment: segment.name.text.clone(),
            path: text.to_owned(),
            context: context.name(),
            nearest: meant.map(|name| format!("{context}.{name}")),
        };
        self.report(segment.name.span, problem)
    }

    fn path_keys(&mut self, segment: &Segment, def: &'static PathDef) -> Option<Vec<KeyNode>> {
        let extra = match def.keys {
            Keys::None => segment.keys.first(),
            Keys::OneString => segment.keys.get(1),
            Keys::Map | Keys::Value => None,
        };
        if let Some(key) = extra {
            let segment = segment.name.text.clone();
            return self.report(key.span, Problem::ExtraKeys { segment });
        }
        segment.keys.iter().map(|key| self.key(key)).collect()
    }

    /// A key of a path: a string or an int, or what is computed.
    fn key(&mut self, key: &Key) -> Option<KeyNode> {
        Some(match &key.expr.kind {
            ExprKind::String(text) => KeyNode::Const(index::Key::Text(Text::from_slice(text))),
            ExprKind::Int(index) => KeyNode::Const(index::Key::Index(*index)),
            _ => match self.value(&key.expr)? {
                crate::program::Node::Const(Value::Int(index)) => {
                    KeyNode::Const(index::Key::Index(index))
                }
                // Of what type it is, only running it tells; a wrong one fails on every row.
                node => KeyNode::Computed(node),
            },
        })
    }
}

/// Whether a context has a path that this is the beginning of.
fn starts(context: Context, beginning: &str) -> bool {
    context.paths().iter().any(|def| {
        let rest = def.name.strip_prefix(beginning);
        rest.is_some_and(|rest| beginning.is_empty() || rest.is_empty() || rest.starts_with('.'))
    })
}

/// A path as the reference writes it: keys without quotes.
pub(super) fn path_text(path: &Path) -> String {
    segments_text(&path.segments)
}

fn segments_text(segments: &[Segment]) -> String {
    let mut out = String::new();
    for (at, segment) in segments.iter().enumerate() {
        if at > 0 {
            out.push('.');
        }
        out.push_str(&segment.name.text);
        out.push_str(&keys_text(&segment.keys));
    }
    out
}

pub(super) fn keys_text(keys: &[Key]) -> String {
    let texts = keys.iter().map(|key| match &key.expr.kind {
        ExprKind::String(text) => format!("[{}]", String::from_utf8_lossy(text)),
        ExprKind::Int(index) => format!("[{index}]"),
        ExprKind::Path(path) => format!("[{}]", path_text(path)),
        _ => "[…]".to_owned(),
    });
    texts.collect()
}
