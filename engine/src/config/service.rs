//! The section `service`: which extensions run, which pipelines there are, and
//! Trunkline's own telemetry. Whether what it names exists is checked in `rules`.

use std::collections::BTreeMap;

use super::{
    diagnostics::Decoder,
    node::{Node, Position, Value},
    telemetry::Telemetry,
};
use crate::component::{ComponentId, PipelineId, Printed, Setting};

/// What runs.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// Extensions, in the order in which they start.
    pub extensions: Vec<ComponentId>,
    /// Pipelines.
    pub pipelines: BTreeMap<PipelineId, Pipeline>,
    /// Trunkline's own telemetry.
    pub telemetry: Telemetry,
}

/// One pipeline.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Receivers and connectors that feed it.
    pub receivers: Vec<ComponentId>,
    /// Processors in their order.
    pub processors: Vec<ComponentId>,
    /// Exporters and connectors that it feeds.
    pub exporters: Vec<ComponentId>,
    /// Where it was written.
    pub at: Position,
}

impl Service {
    /// Reads the section; the decoder stands at it.
    pub fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        let mapping = match &node.value {
            Value::Null => return,
            Value::Mapping(mapping) => mapping,
            _ => return not_a_map(node, cx),
        };
        let mut unknown = Vec::new();
        for (key, entry) in mapping {
            match key.as_str() {
                "extensions" => cx.within(key, |cx| self.extensions = ids(&entry.node, cx)),
                "pipelines" => cx.within(key, |cx| self.decode_pipelines(&entry.node, cx)),
                "telemetry" => cx.within(key, |cx| self.telemetry.decode(&entry.node, cx)),
                _ => unknown.push((key.as_str(), &entry.at)),
            }
        }
        cx.unknown_keys(
            "service",
            &unknown,
            &["extensions", "pipelines", "telemetry"],
        );
    }

    fn decode_pipelines(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        let mapping = match &node.value {
            Value::Null => return,
            Value::Mapping(mapping) => mapping,
            _ => return not_a_map(node, cx),
        };
        for (key, entry) in mapping {
            let id: PipelineId = match key.parse() {
                Ok(id) => id,
                Err(phrase) => {
                    let phrase = format!("'{}' {phrase}", cx.relative_path());
                    let hint = "signals: traces, metrics, logs, profiles".to_owned();
                    cx.at_entry(key, |cx| cx.error_at(&entry.at, phrase, Some(hint)));
                    continue;
                }
            };
            let pipeline = cx.at_entry(key, |cx| decode_pipeline(&entry.node, &entry.at, cx));
            if self.pipelines.insert(id, pipeline).is_some() {
                let phrase = format!(
                    "'{}' duplicate name {key:?} after unmarshaling {}",
                    cx.relative_path(),
                    key.trim()
                );
                cx.error_at(&entry.at, phrase, None);
            }
        }
    }

    /// For `print-config`.
    pub fn print(&self) -> Printed {
        let list = |ids: &[ComponentId]| {
            Printed::List(ids.iter().map(|id| Printed::Text(id.to_string())).collect())
        };
        let pipelines = self
            .pipelines
            .iter()
            .map(|(id, pipeline)| {
                let parts = vec![
                    ("exporters".to_owned(), list(&pipeline.exporters)),
                    ("processors".to_owned(), list(&pipeline.processors)),
                    ("receivers".to_owned(), list(&pipeline.receivers)),
                ];
                (id.to_string(), Printed::Map(parts))
            })
            .collect::<BTreeMap<_, _>>();
        let mut entries = Vec::new();
        if !self.extensions.is_empty() {
            entries.push(("extensions".to_owned(), list(&self.extensions)));
        }
        entries.push((
            "pipelines".to_owned(),
            Printed::Map(pipelines.into_iter().collect()),
        ));
        entries.push(("telemetry".to_owned(), self.telemetry.print()));
        Printed::Map(entries)
    }
}

fn not_a_map(node: &Node, cx: &mut Decoder<'_>) {
    let found = match node.value {
        Value::Sequence(_) => "slice",
        _ => node.go_type(),
    };
    cx.error(
        node,
        format_args!("expected a map or struct, got \"{found}\""),
        None,
    );
}

fn decode_pipeline(node: &Node, at: &Position, cx: &mut Decoder<'_>) -> Pipeline {
    let mut pipeline = Pipeline {
        receivers: Vec::new(),
        processors: Vec::new(),
        exporters: Vec::new(),
        at: at.clone(),
    };
    let mapping = match &node.value {
        Value::Null => return pipeline,
        Value::Mapping(mapping) => mapping,
        _ => {
            not_a_map(node, cx);
            return pipeline;
        }
    };
    let mut unknown = Vec::new();
    for (key, entry) in mapping {
        let part = match key.as_str() {
            "receivers" => &mut pipeline.receivers,
            "processors" => &mut pipeline.processors,
            "exporters" => &mut pipeline.exporters,
            _ => {
                unknown.push((key.as_str(), &entry.at));
                continue;
            }
        };
        cx.within(key, |cx| *part = ids(&entry.node, cx));
    }
    let name = cx.relative_path();
    cx.unknown_keys(&name, &unknown, &["exporters", "processors", "receivers"]);
    pipeline
}

/// A list of component ids.
fn ids(node: &Node, cx: &mut Decoder<'_>) -> Vec<ComponentId> {
    let items = match &node.value {
        Value::Null => return Vec::new(),
        Value::Sequence(items) => items,
        _ => {
            let found = match node.value {
                Value::Mapping(_) => "map",
                _ => node.go_type(),
            };
            let phrase = format!("source data must be an array or slice, got {found}");
            cx.error(node, phrase, Some("ids stand in a list: [a, b]".into()));
            return Vec::new();
        }
    };
    let mut ids = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let text = match (&item.value, &item.original) {
            (Value::Text(text), _) | (_, Some(text)) => text,
            _ => {
                let phrase = format!("expected a map or struct, got \"{}\"", item.go_type());
                cx.at_index(i, |cx| cx.error(item, phrase, None));
                continue;
            }
        };
        match text.parse() {
            Ok(id) => ids.push(id),
            Err(phrase) => cx.at_index(i, |cx| cx.error(item, phrase, None)),
        }
    }
    ids
}
