//! The pipelines that connectors send parts of requests to: how configurations name them, and
//! which destination is which.

use std::{collections::BTreeMap, rc::Rc};

use super::parts::Sending;
use crate::{
    component::{Consumer, PipelineId, Printed, Setting, Shape},
    config::{diagnostics::Decoder, node::Node},
    telemetry::PipelineLedger,
};

/// Makes one consumer of several; of none, none.
pub type Join = dyn Fn(Vec<Rc<dyn Consumer>>) -> Option<Rc<dyn Consumer>>;

/// The Collector's text for a pipeline that the connector does not feed.
pub fn missing(id: &PipelineId) -> String {
    format!("pipeline not found: missing consumer: \"{id}\"")
}

/// The id of a pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pipeline(Option<PipelineId>);

impl Pipeline {
    /// The id.
    pub fn id(&self) -> Option<&PipelineId> {
        self.0.as_ref()
    }
}

impl Setting for Pipeline {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        let mut text = String::new();
        text.decode(node, cx);
        match text.parse() {
            Ok(id) => self.0 = Some(id),
            Err(phrase) => cx.error(node, phrase, None),
        }
    }
    fn clear(&mut self) {
        self.0 = None;
    }
    fn print(&self) -> Printed {
        Printed::Text(self.0.as_ref().map(ToString::to_string).unwrap_or_default())
    }
    fn shape(&self) -> Shape {
        Shape::Text
    }
}

/// Where a connector can send something: numbered lists of pipelines.
pub struct Destinations<'a> {
    fed: &'a BTreeMap<PipelineId, Rc<dyn Consumer>>,
    join: &'a Join,
    lists: Vec<Vec<PipelineId>>,
    consumers: Vec<Rc<dyn Consumer>>,
}

impl<'a> Destinations<'a> {
    /// None yet, of the pipelines that the connector feeds.
    pub fn new(fed: &'a BTreeMap<PipelineId, Rc<dyn Consumer>>, join: &'a Join) -> Self {
        Destinations {
            fed,
            join,
            lists: Vec::new(),
            consumers: Vec::new(),
        }
    }

    /// The number of a list of pipelines; the same list has one number. An empty list has none.
    ///
    /// # Errors
    /// The Collector's text for a pipeline that the connector does not feed.
    pub fn pipelines(&mut self, ids: Vec<PipelineId>) -> Result<Option<usize>, String> {
        let known = self.lists.iter().position(|known| *known == ids);
        if let Some(at) = known.filter(|_| !ids.is_empty()) {
            return Ok(Some(at));
        }
        let consumers = ids.iter().map(|id| {
            let consumer = self.fed.get(id).cloned();
            consumer.ok_or_else(|| missing(id))
        });
        let Some(joined) = (self.join)(consumers.collect::<Result<_, _>>()?) else {
            return Ok(None);
        };
        Ok(Some(self.add(ids, joined)))
    }

    /// The number of a destination that is no list of pipelines.
    pub fn other(&mut self, consumer: Rc<dyn Consumer>) -> usize {
        self.add(Vec::new(), consumer)
    }

    fn add(&mut self, ids: Vec<PipelineId>, consumer: Rc<dyn Consumer>) -> usize {
        self.lists.push(ids);
        self.consumers.push(consumer);
        self.consumers.len() - 1
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.consumers.len()
    }

    /// The consumers, by number, and the ledger of what is sent to them.
    pub fn sending(self, ledger: PipelineLedger) -> Sending {
        Sending::new(self.consumers, ledger)
    }
}
