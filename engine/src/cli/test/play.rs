//! Plays a request through a pipeline or a processor of a configuration, in which something that
//! only takes notes stands in for the exporters. Nothing is received, sent or written.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    future::ready,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use trunkline_proto::Batch;

use crate::{
    component::{
        ComponentId, ConsumeFuture, Consumer, CoreContext, Outcome, PipelineId, RequestContext,
    },
    config::Settings,
    graph::Trial,
    net::{
        admission::Budget,
        compression::{Deflater, Inflater},
        drain::Drain,
        in_hand::InHand,
    },
    runtime,
    telemetry::{Ledger, Level, Registry},
};

/// What a request is played through.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// A pipeline, and whatever connectors of it lead to.
    Pipeline(PipelineId),
    /// A processor alone; what leaves it arrives at `output`.
    Processor(ComponentId),
}

/// What is said to be at the end of a processor.
pub(super) const OUTPUT: &str = "output";

/// What became of a request.
#[derive(Debug)]
pub(super) struct Played {
    /// What the sender is told.
    pub outcome: Outcome,
    /// What arrived, by exporter; several requests are one.
    pub arrived: BTreeMap<String, Batch>,
    /// Items dropped, by reason.
    pub dropped: BTreeMap<String, i64>,
}

type Notes = Rc<RefCell<BTreeMap<String, Vec<Batch>>>>;

/// Takes everything and keeps it.
struct Keeper {
    name: String,
    notes: Notes,
}

impl Consumer for Keeper {
    fn consume<'a>(&'a self, batch: Batch, _: &'a RequestContext) -> ConsumeFuture<'a> {
        let mut notes = self.notes.borrow_mut();
        notes.entry(self.name.clone()).or_default().push(batch);
        Box::pin(ready(Outcome::Accepted))
    }
}

/// Memory that a request may take.
const ROOM: usize = 1 << 30;
/// How long the sender waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// Plays a request with these headers.
///
/// # Errors
/// What cannot be built, and what is not valid.
pub(super) fn play(
    settings: &Settings,
    way: &Way,
    request: Batch,
    metadata: &BTreeMap<String, String>,
) -> Result<Played, String> {
    let registry = Arc::new(Registry::new(Level::Normal));
    let notes = Notes::default();
    let played = runtime::alone(async {
        let core = CoreContext {
            core: 0,
            cores: 1,
            registry: registry.clone(),
            budget: Budget::new(ROOM),
            drain: Drain::default(),
            in_hand: InHand::default(),
            inflater: Rc::new(RefCell::new(Inflater::new())),
            deflater: Rc::new(RefCell::new(Deflater::new())),
        };
        let keeper = |name: &str| -> Rc<dyn Consumer> {
            Rc::new(Keeper {
                name: name.to_owned(),
                notes: notes.clone(),
            })
        };
        let exporter = |id: &ComponentId| keeper(&id.to_string());
        let trial = Trial {
            settings,
            core: &core,
            exporter: &exporter,
        };
        let consumer = match way {
            Way::Pipeline(id) => trial.pipeline(id)?,
            Way::Processor(id) => trial.processor(id, request.signal(), keeper(OUTPUT))?,
        };
        let headers = metadata.iter();
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.clone()));
        let context = RequestContext {
            deadline: Instant::now() + PATIENCE,
            metadata: Some(Arc::new(headers.collect())),
            client: None,
            unchecked: false,
        };
        // As a receiver has it: nobody need wait for others.
        let in_hand = core.in_hand.enter();
        let outcome = consumer.consume(request, &context).await;
        drop(in_hand);
        Ok::<Outcome, String>(outcome)
    });
    let outcome = played.map_err(|e| format!("cannot start a core: {e}"))??;
    let mut arrived = BTreeMap::new();
    for (name, batches) in notes.take() {
        if let Some(joined) = Batch::join(batches).map_err(|e| e.to_string())? {
            arrived.insert(name, joined);
        }
    }
    let mut dropped: BTreeMap<String, i64> = BTreeMap::new();
    let balance = Ledger::new(registry).balance();
    for (reason, items) in balance.into_values().flat_map(|terms| terms.dropped) {
        *dropped.entry(reason).or_default() += items;
    }
    Ok(Played {
        outcome,
        arrived,
        dropped,
    })
}
