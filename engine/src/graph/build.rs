//! One core's graph: exporters once a signal, pipelines from their ends to their
//! beginnings, receivers in front.

use std::{collections::BTreeMap, rc::Rc};

use trunkline_proto::Signal;

use super::{
    Message, Shared,
    nodes::{Entry, Exit, FanOut},
    receivers::Endpoint,
};
use crate::{
    component::{ComponentId, Consumer, CoreContext, PipelineId},
    config::{Component, Settings},
    connectors, exporters, processors, receivers,
    receivers::otlp::ingest::{Ingest, Moving},
    runtime::mesh::Mesh,
    telemetry::{Ledger, PipelineLedger, metrics::descriptors},
};

/// What runs on a core.
pub struct CoreGraph {
    /// The receivers, in the order of [`Shared::otlp`].
    pub ingests: Vec<Rc<Ingest>>,
    /// What listens for them.
    pub endpoints: Vec<Endpoint>,
}

struct Builder<'a> {
    settings: &'a Settings,
    shared: &'a Shared,
    core: &'a CoreContext,
    ledger: Ledger,
    exporters: BTreeMap<(ComponentId, Signal), Rc<dyn Consumer>>,
    connectors: BTreeMap<(ComponentId, Signal), Rc<dyn Consumer>>,
    pipelines: BTreeMap<PipelineId, Rc<dyn Consumer>>,
    /// What takes the place of exporters, in a trial.
    stand_in: Option<&'a StandIn<'a>>,
}

/// Makes what takes the place of an exporter.
pub type StandIn<'a> = dyn Fn(&ComponentId) -> Rc<dyn Consumer> + 'a;

/// Parts of a configuration, built to try requests on: nothing is received or exported.
pub struct Trial<'a> {
    /// The configuration.
    pub settings: &'a Settings,
    /// The core to build on.
    pub core: &'a CoreContext,
    /// What takes the place of exporters.
    pub exporter: &'a StandIn<'a>,
}

impl Trial<'_> {
    /// A pipeline, with those that its connectors lead to.
    ///
    /// # Errors
    /// The Collector's text for what cannot be built.
    pub fn pipeline(&self, id: &PipelineId) -> Result<Rc<dyn Consumer>, String> {
        let shared = Shared::default();
        Builder::new(self.settings, &shared, self.core, Some(self.exporter)).pipeline(id, 0)
    }

    /// A processor for a signal, and what comes behind it.
    ///
    /// # Errors
    /// The Collector's text for what cannot be built.
    pub fn processor(
        &self,
        id: &ComponentId,
        signal: Signal,
        next: Rc<dyn Consumer>,
    ) -> Result<Rc<dyn Consumer>, String> {
        let shared = Shared::default();
        let mut builder = Builder::new(self.settings, &shared, self.core, Some(self.exporter));
        let pipeline: PipelineId = signal.name().parse()?;
        let ledger = Rc::new(builder.ledger.pipeline(self.core.core, signal.name()));
        builder.processor(id, &pipeline, &ledger, next)
    }
}

impl CoreGraph {
    /// Builds the graph of one core.
    ///
    /// # Errors
    /// The Collector's text for what cannot be built.
    pub fn build(
        settings: &Settings,
        shared: &Shared,
        core: &CoreContext,
        mesh: &Mesh<Message>,
    ) -> Result<CoreGraph, String> {
        let mut builder = Builder::new(settings, shared, core, None);
        for id in settings.service.pipelines.keys() {
            builder.pipeline(id, 0)?;
        }
        let mut graph = CoreGraph {
            ingests: Vec::new(),
            endpoints: Vec::new(),
        };
        for (place, (id, servers)) in shared.otlp.iter().enumerate() {
            let Some(component) = settings.receivers.get(id) else {
                continue;
            };
            let Some(config) = component.config::<receivers::otlp::config::Config>() else {
                continue;
            };
            let mut pipelines = [None, None, None, None];
            for signal in Signal::ALL {
                if let Some(slot) = pipelines.get_mut(signal.index()) {
                    *slot = builder.fed_by(id, signal);
                }
            }
            let moving = (mesh.cores() > 1).then(|| Moving {
                mesh: mesh.clone(),
                receiver: place,
                moved: core
                    .registry
                    .counter(core.core, &descriptors::CORE_MOVED_REQUESTS, &[]),
            });
            let ingest = Ingest::new(&id.to_string(), pipelines, core, moving);
            graph
                .endpoints
                .extend(Endpoint::of(id, config, servers, &ingest)?);
            graph.ingests.push(ingest);
        }
        Ok(graph)
    }
}

impl<'a> Builder<'a> {
    fn new(
        settings: &'a Settings,
        shared: &'a Shared,
        core: &'a CoreContext,
        stand_in: Option<&'a StandIn<'a>>,
    ) -> Builder<'a> {
        Builder {
            settings,
            shared,
            core,
            ledger: Ledger::new(core.registry.clone()),
            exporters: BTreeMap::new(),
            connectors: BTreeMap::new(),
            pipelines: BTreeMap::new(),
            stand_in,
        }
    }

    /// The pipelines of a signal that a receiver or connector feeds, as one consumer.
    fn fed_by(&self, source: &ComponentId, signal: Signal) -> Option<Rc<dyn Consumer>> {
        let fed = self
            .settings
            .service
            .pipelines
            .iter()
            .filter(|(id, p)| id.signal == signal && p.receivers.contains(source))
            .filter_map(|(id, _)| self.pipelines.get(id).cloned())
            .collect();
        FanOut::over(fed)
    }

    fn pipeline(&mut self, id: &PipelineId, depth: usize) -> Result<Rc<dyn Consumer>, String> {
        if let Some(built) = self.pipelines.get(id) {
            return Ok(built.clone());
        }
        // Cycles are refused when the configuration is read.
        if depth > self.settings.service.pipelines.len() {
            return Err(format!(
                "failed to build pipelines: cycle detected at \"{id}\""
            ));
        }
        let settings = self.settings;
        let Some(pipeline) = settings.service.pipelines.get(id) else {
            return Err(format!("failed to build pipelines: no pipeline \"{id}\""));
        };
        let mut ends = Vec::new();
        for exporter in &pipeline.exporters {
            if settings.connectors.contains_key(exporter) {
                ends.push(self.connector(exporter, id.signal, depth)?);
            } else {
                ends.push(self.exporter(exporter, id.signal)?);
            }
        }
        let ledger = Rc::new(self.ledger.pipeline(self.core.core, &id.to_string()));
        let fan_out = FanOut::over(ends)
            .ok_or_else(|| format!("service::pipelines::{id}: must have at least one exporter"))?;
        let components = || {
            let ids = pipeline.processors.iter();
            ids.filter_map(|id| settings.processors.get(id))
        };
        let batch = |of: &Component| of.config::<processors::batch::config::Config>().is_some();
        let limiter = |of: &Component| {
            let config = of.config::<processors::memory_limiter::config::Config>();
            config.is_some()
        };
        let batches = components().any(batch);
        let looks_inside =
            fan_out.looks_inside() || components().any(|of| !batch(of) && !limiter(of));
        let mut next: Rc<dyn Consumer> = Rc::new(Exit {
            ledger: ledger.clone(),
            in_hand: (!batches).then(|| self.core.in_hand.clone()),
            next: fan_out,
        });
        for processor in pipeline.processors.iter().rev() {
            next = self.processor(processor, id, &ledger, next)?;
        }
        let entry: Rc<dyn Consumer> = Rc::new(Entry {
            ledger,
            looks_inside,
            next,
        });
        self.pipelines.insert(id.clone(), entry.clone());
        Ok(entry)
    }

    /// What a connector does with what comes to it: `forward` gives it to all pipelines of the
    /// same signal that name it as a receiver, `routing` to those that its table says, `rules` to
    /// those that its rules say, and to exporters.
    fn connector(
        &mut self,
        id: &ComponentId,
        signal: Signal,
        depth: usize,
    ) -> Result<Rc<dyn Consumer>, String> {
        let key = (id.clone(), signal);
        if let Some(built) = self.connectors.get(&key) {
            return Ok(built.clone());
        }
        let settings = self.settings;
        let fed = settings
            .service
            .pipelines
            .iter()
            .filter(|(p, pipeline)| p.signal == signal && pipeline.receivers.contains(id));
        let mut consumers = BTreeMap::new();
        for (pipeline, _) in fed {
            let consumer = self.pipeline(pipeline, depth + 1)?;
            consumers.insert(pipeline.clone(), consumer);
        }
        let failed = |text: String| {
            format!("failed to build pipelines: failed to create connector \"{id}\": {text}")
        };
        let component = settings.connectors.get(id);
        let routing = component.and_then(|of| of.config::<connectors::routing::config::Config>());
        let rules = component.and_then(|of| of.config::<connectors::rules::config::Config>());
        let ledger = || self.ledger.pipeline(self.core.core, &id.to_string());
        let built = match (routing, rules) {
            (Some(config), _) if !consumers.is_empty() => {
                let (name, ledger, join) = (id.to_string(), ledger(), &FanOut::over);
                let (core, fed) = (self.core, &consumers);
                connectors::routing::build(config, &name, signal, core, ledger, fed, join)
                    .map_err(failed)?
            }
            (_, Some(config)) => {
                let ledger = ledger();
                let mut exporters = BTreeMap::new();
                for name in config.exporters(signal, &settings.gates) {
                    let exporter = connectors::rules::config::exporter(settings, signal, &name);
                    let consumer = self.lone_exporter(exporter.map_err(failed)?, signal)?;
                    exporters.insert(name, consumer);
                }
                let ways = connectors::rules::Ways {
                    pipelines: &consumers,
                    exporters,
                    join: &FanOut::over,
                };
                let (name, gates) = (id.to_string(), &settings.gates);
                connectors::rules::build(config, &name, signal, gates, self.core, ledger, &ways)
                    .map_err(failed)?
            }
            _ => FanOut::over(consumers.into_values().collect()).ok_or_else(|| {
                format!(
                    "failed to build pipelines: connector \"{id}\" used as exporter in {} pipeline but not used in any supported receiver pipeline",
                    signal.name()
                )
            })?,
        };
        self.connectors.insert(key, built.clone());
        Ok(built)
    }

    /// An exporter as if a pipeline without processors led to it, which the ledger knows as
    /// `<signal>/exporter.<id>`.
    fn lone_exporter(
        &mut self,
        id: &ComponentId,
        signal: Signal,
    ) -> Result<Rc<dyn Consumer>, String> {
        let next = self.exporter(id, signal)?;
        let name = format!("{}/exporter.{id}", signal.name());
        let ledger = Rc::new(self.ledger.pipeline(self.core.core, &name));
        let exit = Exit {
            ledger: ledger.clone(),
            in_hand: Some(self.core.in_hand.clone()),
            next,
        };
        Ok(Rc::new(Entry {
            ledger,
            looks_inside: false,
            next: Rc::new(exit),
        }))
    }

    fn exporter(&mut self, id: &ComponentId, signal: Signal) -> Result<Rc<dyn Consumer>, String> {
        let key = (id.clone(), signal);
        if let Some(built) = self.exporters.get(&key) {
            return Ok(built.clone());
        }
        if let Some(stand_in) = self.stand_in {
            return Ok(stand_in(id));
        }
        let failed = |text: String| {
            format!(
                "failed to build pipelines: failed to create \"{id}\" exporter for data type \"{}\": {text}",
                signal.name()
            )
        };
        let component = self
            .settings
            .exporters
            .get(id)
            .ok_or_else(|| failed("it is not configured".into()))?;
        let name = id.to_string();
        let tls = || {
            let tls = self.shared.tls.get(id);
            tls.ok_or_else(|| failed("its TLS is not loaded".into()))
        };
        let built: Rc<dyn Consumer> = if let Some(config) =
            component.config::<exporters::otlp_grpc::config::Config>()
        {
            exporters::otlp_grpc::build(&name, config, signal, self.core, tls()?).map_err(failed)?
        } else if let Some(config) = component.config::<exporters::file::config::Config>() {
            let writer = self
                .shared
                .files
                .get(id)
                .ok_or_else(|| failed("its file is not open".into()))?;
            exporters::file::build(id, config, signal, self.core, writer.clone()).map_err(failed)?
        } else if let Some(config) = component.config::<exporters::debug::config::Config>() {
            let console = self
                .shared
                .consoles
                .get(id)
                .ok_or_else(|| failed("its output is not open".into()))?;
            exporters::debug::build(id, config, signal, self.core, console.clone())
                .map_err(failed)?
        } else if let Some(config) = component.config::<exporters::otlp_http::config::Config>() {
            exporters::otlp_http::build(id, config, signal, self.core, tls()?).map_err(failed)?
        } else if let Some(config) = component.config::<exporters::nop::config::Config>() {
            exporters::nop::build(id, config, signal, self.core).map_err(failed)?
        } else {
            return Err(failed("this component cannot be built".into()));
        };
        self.exporters.insert(key, built.clone());
        Ok(built)
    }

    fn processor(
        &mut self,
        id: &ComponentId,
        pipeline: &PipelineId,
        ledger: &Rc<PipelineLedger>,
        next: Rc<dyn Consumer>,
    ) -> Result<Rc<dyn Consumer>, String> {
        let failed = |text: String| {
            format!(
                "failed to build pipelines: failed to create \"{id}\" processor, in pipeline \"{pipeline}\": {text}"
            )
        };
        let component = self
            .settings
            .processors
            .get(id)
            .ok_or_else(|| failed("it is not configured".into()))?;
        let (name, signal) = (id.to_string(), pipeline.signal);
        if let Some(config) = component.config::<processors::attributes::config::Config>() {
            processors::attributes::build(config, &name, signal, self.core, ledger, next)
                .map_err(failed)
        } else if let Some(config) = component.config::<processors::resource::config::Config>() {
            processors::resource::build(config, &name, signal, self.core, ledger, next)
                .map_err(failed)
        } else if let Some(config) = component.config::<processors::transform::config::Config>() {
            let gates = &self.settings.gates;
            processors::transform::build(config, &name, signal, gates, self.core, ledger, next)
                .map_err(failed)
        } else if let Some(config) = component.config::<processors::filter::config::Config>() {
            let gates = &self.settings.gates;
            processors::filter::build(config, &name, signal, gates, self.core, ledger, next)
                .map_err(failed)
        } else if let Some(config) = component.config::<processors::rules::config::Config>() {
            let gates = &self.settings.gates;
            processors::rules::build(config, &name, signal, gates, self.core, ledger, next)
                .map_err(failed)
        } else if let Some(config) = component.config::<processors::batch::config::Config>() {
            processors::batch::build(config, &name, signal, self.core, ledger, next).map_err(failed)
        } else if let Some(config) =
            component.config::<processors::memory_limiter::config::Config>()
        {
            Ok(processors::memory_limiter::build(
                config, &name, signal, self.core, ledger, next,
            ))
        } else {
            Err(failed("this component cannot be built".into()))
        }
    }
}
